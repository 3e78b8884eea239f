//! What holds where nothing was said on the command line: `zkverdict.toml`, and over it the environment.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use serde::Deserialize;
use zkverdict::{
    CompileOptions, DEFAULT_TOLERANCE,
    circuits::{Objective, PublicInputs},
    models::{Calibration, ForestBounds},
    solidity::SolcChoice,
};

use crate::{
    args::{ByteSize, Columns, Compile, Layouts, Optimize, Shown},
    output::sibling,
};

/// The configuration file that is read where none is named.
const FILE: &str = "zkverdict.toml";

/// One layer of settings. Its fields are the keys of `zkverdict.toml`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// What layouts are chosen for.
    pub(crate) optimize: Option<Optimize>,
    /// Largest acceptable error on the calibration samples.
    pub(crate) tolerance: Option<f64>,
    /// What proofs show of inputs and outputs.
    pub(crate) visibility: Option<Shown>,
    /// Only layouts with this limb size.
    pub(crate) limb_bits: Option<u32>,
    /// Only layouts with this many products a row.
    pub(crate) lanes: Option<usize>,
    /// Only layouts whose keys and proofs take at most this much memory.
    pub(crate) memory_limit: Option<ByteSize>,
    /// Factor by which observed ranges are widened.
    pub(crate) margin: Option<f64>,
    /// How many inputs to name as reasons.
    pub(crate) reasons: Option<usize>,
    /// Columns of sample files that are passed over.
    pub(crate) ignore_columns: Option<Vec<String>>,
    /// The SRS for keys.
    pub(crate) srs: Option<PathBuf>,
    /// The committed model to prove with.
    pub(crate) secret_model: Option<PathBuf>,
    /// The solc for contracts.
    pub(crate) solc: Option<PathBuf>,
    /// The RPC of the chain.
    pub(crate) rpc_url: Option<String>,
    /// The chain that must be behind it.
    pub(crate) chain_id: Option<u64>,
    /// The encrypted keystore file.
    pub(crate) keystore: Option<PathBuf>,
    /// The file with the keystore's password.
    pub(crate) password_file: Option<PathBuf>,
    /// The name of the variable that holds the private key.
    pub(crate) private_key_env: Option<String>,
    /// The file these settings were read from, where it was named.
    #[serde(skip)]
    pub(crate) named_file: Option<PathBuf>,
}

impl Settings {
    /// The file's settings under the environment's.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self> {
        let variable = env::var_os("ZKVERDICT_CONFIG").filter(|value| !value.is_empty());
        let named = named.map(Path::to_owned).or_else(|| variable.map(PathBuf::from));
        let file = match &named {
            Some(path) => Self::from_file(path)?,
            None if Path::new(FILE).is_file() => Self::from_file(Path::new(FILE))?,
            None => Self::default(),
        };
        let environment = Self::from_environment(|name| env::var(name).ok())?;
        Ok(Self {
            named_file: named,
            ..environment.over(file)
        })
    }

    fn from_file(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => anyhow!("there is no such file"),
                _ => error.into(),
            })
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|error| anyhow!("{}", error.to_string().trim_end().replace('\n', "\n  ")))
            .with_context(|| format!("the configuration {} is not usable", path.display()))?;
        // Paths in the file are meant from where the file is.
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = [
            &mut settings.srs,
            &mut settings.secret_model,
            &mut settings.solc,
            &mut settings.keystore,
            &mut settings.password_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(settings)
    }

    fn from_environment(read: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = |key: &str| read(&format!("ZKVERDICT_{key}")).filter(|value| !value.is_empty());
        let path = |key| text(key).map(PathBuf::from);
        Ok(Self {
            optimize: choice(text("OPTIMIZE"), "ZKVERDICT_OPTIMIZE")?,
            tolerance: number(text("TOLERANCE"), "ZKVERDICT_TOLERANCE")?,
            visibility: parsed(text("VISIBILITY"), "ZKVERDICT_VISIBILITY")?,
            limb_bits: number(text("LIMB_BITS"), "ZKVERDICT_LIMB_BITS")?,
            lanes: number(text("LANES"), "ZKVERDICT_LANES")?,
            memory_limit: parsed(text("MEMORY_LIMIT"), "ZKVERDICT_MEMORY_LIMIT")?,
            margin: number(text("MARGIN"), "ZKVERDICT_MARGIN")?,
            reasons: number(text("REASONS"), "ZKVERDICT_REASONS")?,
            ignore_columns: text("IGNORE_COLUMNS").map(|list| list.split(',').map(str::to_owned).collect()),
            srs: path("SRS"),
            secret_model: path("SECRET_MODEL"),
            solc: path("SOLC"),
            rpc_url: text("RPC_URL"),
            chain_id: number(text("CHAIN_ID"), "ZKVERDICT_CHAIN_ID")?,
            keystore: path("KEYSTORE"),
            password_file: path("PASSWORD_FILE"),
            private_key_env: text("PRIVATE_KEY_ENV"),
            named_file: None,
        })
    }

    /// These settings, and where they say nothing, those of `below`.
    fn over(self, below: Self) -> Self {
        Self {
            optimize: self.optimize.or(below.optimize),
            tolerance: self.tolerance.or(below.tolerance),
            visibility: self.visibility.or(below.visibility),
            limb_bits: self.limb_bits.or(below.limb_bits),
            lanes: self.lanes.or(below.lanes),
            memory_limit: self.memory_limit.or(below.memory_limit),
            margin: self.margin.or(below.margin),
            reasons: self.reasons.or(below.reasons),
            ignore_columns: self.ignore_columns.or(below.ignore_columns),
            srs: self.srs.or(below.srs),
            secret_model: self.secret_model.or(below.secret_model),
            solc: self.solc.or(below.solc),
            rpc_url: self.rpc_url.or(below.rpc_url),
            chain_id: self.chain_id.or(below.chain_id),
            // A key named in one place is not mixed with one named in another.
            private_key_env: self.private_key_env.clone().or_else(|| {
                let other = self.keystore.is_some();
                below.private_key_env.filter(|_| !other)
            }),
            keystore: self
                .keystore
                .or_else(|| below.keystore.filter(|_| self.private_key_env.is_none())),
            password_file: self.password_file.or(below.password_file),
            named_file: self.named_file.or(below.named_file),
        }
    }

    /// What to make small.
    pub(crate) fn objective(&self, flag: Option<Optimize>) -> Objective {
        match flag.or(self.optimize) {
            None | Some(Optimize::Time) => Objective::Time,
            Some(Optimize::Gas) => Objective::Gas,
            Some(Optimize::Memory) => Objective::Memory,
        }
    }

    /// The factor by which ranges are widened.
    pub(crate) fn margin(&self, flag: Option<f64>) -> Result<f64> {
        let margin = flag.or(self.margin).unwrap_or(Calibration::DEFAULT_MARGIN);
        ensure!(
            margin.is_finite() && (1.0..=1e6).contains(&margin),
            "the margin {margin} is not between 1 (exactly the observed ranges) and 1000000"
        );
        Ok(margin)
    }

    /// Largest acceptable error.
    pub(crate) fn tolerance(&self, flag: Option<f64>) -> Result<f64> {
        let tolerance = flag.or(self.tolerance).unwrap_or(DEFAULT_TOLERANCE);
        ensure!(
            tolerance.is_finite() && tolerance > 0.0,
            "the tolerance {tolerance} is not a positive number; it is the largest acceptable error of an output"
        );
        Ok(tolerance)
    }

    /// Columns that are passed over.
    pub(crate) fn ignored(&self, flags: &Columns) -> Vec<String> {
        if flags.ignore.is_empty() {
            self.ignore_columns.clone().unwrap_or_default()
        } else {
            flags.ignore.clone()
        }
    }

    /// Which solc to use.
    pub(crate) fn solc(&self, flag: Option<PathBuf>) -> SolcChoice {
        SolcChoice {
            path: flag.or_else(|| self.solc.clone()),
        }
    }

    /// What proofs show.
    pub(crate) fn public(&self, flag: Option<Shown>) -> PublicInputs {
        let (flag, below) = (flag.unwrap_or_default(), self.visibility.unwrap_or_default());
        let default = PublicInputs::DEFAULT;
        PublicInputs {
            inputs: flag.input.or(below.input).unwrap_or(default.inputs),
            outputs: flag.output.or(below.output).unwrap_or(default.outputs),
            model: flag.model.or(below.model).unwrap_or(default.model),
        }
    }

    /// The same, as far as it decides which program is proven.
    pub(crate) fn shown_of_model(&self) -> PublicInputs {
        PublicInputs {
            model: self.public(None).model,
            ..PublicInputs::DEFAULT
        }
    }

    /// Where the secret of a circuit's committed model is.
    pub(crate) fn secret_model(&self, flag: Option<&PathBuf>, circuit: &Path) -> PathBuf {
        let named = flag.or(self.secret_model.as_ref());
        named.cloned().unwrap_or_else(|| sibling(circuit, "model.secret"))
    }

    /// Everything that compiling depends on.
    /// What is asked of layouts, whatever the model is.
    pub(crate) fn layout_options(&self, optimize: Option<Optimize>, layouts: &Layouts) -> CompileOptions {
        CompileOptions {
            objective: self.objective(optimize),
            lanes: layouts.lanes.or(self.lanes),
            memory_limit: layouts.memory_limit.or(self.memory_limit).map(|size| size.0),
            ..CompileOptions::default()
        }
    }

    pub(crate) fn compile_options(&self, args: &Compile) -> Result<CompileOptions> {
        Ok(CompileOptions {
            tolerance: self.tolerance(args.tolerance)?,
            public: self.public(args.visibility),
            limb_bits: args.limb_bits.or(self.limb_bits),
            forest: ForestBounds {
                trees: args.trees.unwrap_or(0),
                depth: args.depth.unwrap_or(0),
            },
            ..self.layout_options(args.optimize, &args.layouts)
        })
    }
}

fn parsed<T: FromStr<Err = String>>(text: Option<String>, variable: &str) -> Result<Option<T>> {
    let parse = |text: String| {
        let problem = |problem| anyhow!("the environment variable {variable} holds {text:?}: {problem}");
        text.parse().map_err(problem)
    };
    text.map(parse).transpose()
}

fn number<T: FromStr>(text: Option<String>, variable: &str) -> Result<Option<T>> {
    match text {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => bail!("the environment variable {variable} holds {text:?}, which is no number of its kind"),
        },
    }
}

fn choice<T: ValueEnum>(text: Option<String>, variable: &str) -> Result<Option<T>> {
    let Some(text) = text else {
        return Ok(None);
    };
    if let Ok(value) = T::from_str(&text, false) {
        return Ok(Some(value));
    }
    let values: Vec<String> = T::value_variants()
        .iter()
        .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
        .collect();
    bail!(
        "the environment variable {variable} holds {text:?}; it takes {}",
        values.join(" or ")
    )
}

#[cfg(test)]
mod tests {
    use zkverdict::circuits::Visibility;

    use super::*;

    #[test]
    fn the_environment_lies_over_the_file() {
        let file: Settings = toml::from_str("optimize = 'gas'\nmargin = 2.0\nlimb-bits = 9").unwrap();
        let environment = Settings::from_environment(|name| match name {
            "ZKVERDICT_OPTIMIZE" => Some("memory".to_owned()),
            "ZKVERDICT_MARGIN" => Some(String::new()),
            _ => None,
        })
        .unwrap();
        let settings = environment.over(file);
        assert_eq!(settings.objective(None), Objective::Memory);
        assert_eq!(settings.objective(Some(Optimize::Time)), Objective::Time);
        assert_eq!(settings.margin(None).unwrap(), 2.0);
        assert_eq!(settings.limb_bits, Some(9));
    }

    #[test]
    fn a_nearer_key_hides_a_farther_one_of_another_kind() {
        let file: Settings = toml::from_str("keystore = 'deployer.json'").unwrap();
        let environment = Settings {
            private_key_env: Some("KEY".to_owned()),
            ..Settings::default()
        };
        let settings = environment.clone().over(file.clone());
        assert_eq!(
            (settings.keystore, settings.private_key_env.as_deref()),
            (None, Some("KEY"))
        );
        let settings = file.over(environment);
        assert_eq!(settings.private_key_env, None);
        assert_eq!(settings.keystore, Some(PathBuf::from("deployer.json")));
    }

    #[test]
    fn bad_values_are_named() {
        let refused = |variable: &'static str, value: &'static str| {
            let read = |name: &str| (name == variable).then(|| value.to_owned());
            Settings::from_environment(read).unwrap_err().to_string()
        };
        assert_eq!(
            refused("ZKVERDICT_OPTIMIZE", "fast"),
            "the environment variable ZKVERDICT_OPTIMIZE holds \"fast\"; it takes time or gas or memory"
        );
        assert!(refused("ZKVERDICT_LANES", "-1").contains("ZKVERDICT_LANES holds \"-1\""));
        assert!(refused("ZKVERDICT_MEMORY_LIMIT", "much").contains("ZKVERDICT_MEMORY_LIMIT holds \"much\": it takes"));
        assert_eq!("1.5GB".parse(), Ok(ByteSize(1_500_000_000)));
        assert_eq!("2GiB".parse(), Ok(ByteSize(1 << 31)));
        assert_eq!("512".parse(), Ok(ByteSize(512)));
        assert!("-1".parse::<ByteSize>().is_err() && "4 XB".parse::<ByteSize>().is_err());
        let shown = |input, output| {
            Ok(Shown {
                input,
                output,
                model: None,
            })
        };
        assert_eq!("input=public".parse(), shown(Some(Visibility::Public), None));
        assert_eq!("committed".parse(), shown(Some(Visibility::Committed), None));
        let both = shown(Some(Visibility::Private), Some(Visibility::Committed));
        assert_eq!("output=committed,input=private".parse(), both);
        for refused in [
            "output=private",
            "input",
            "input=public,input=private",
            "model=private",
            "",
        ] {
            assert!(refused.parse::<Shown>().is_err(), "{refused}");
        }
        assert!(Settings::default().margin(Some(0.5)).is_err());
        assert!(Settings::default().tolerance(Some(f64::NAN)).is_err());
    }
}
