use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CircuitFile, Opening, Proof, SaltFile, SecretModel, VerifyingKeyFile,
    circuits::Side,
    evm::U256,
    load_proving_key,
    verifier::{Digest, encode_public_inputs},
};

use super::{Status, prove::words};
use crate::{
    args::{self, CommitCheck, CommitCommand, CommitMake, CommitModel, CommitOpen, CommittedSample},
    failure::hinted,
    output::sibling,
    printer::{Printer, Report, Style, pairs},
    public::{self, PublicValue},
    settings::Settings,
};

pub(super) fn run(command: CommitCommand, settings: &Settings, printer: &Printer) -> Result<Status> {
    match command {
        CommitCommand::Make(args) => make(&args, settings, printer),
        CommitCommand::Model(args) => model(&args, settings, printer),
        CommitCommand::Open(args) => open(&args, settings, printer),
        CommitCommand::Check(args) => check(&args, printer),
    }
}

/// A circuit, with its model where that is committed.
pub(super) fn circuit(path: &Path, secret_model: Option<&PathBuf>, settings: &Settings) -> Result<CircuitFile> {
    let circuit = CircuitFile::load(path)?;
    if !circuit.has_secret_model() {
        return match secret_model {
            Some(_) => Err(hinted(
                format!("{} shows its model, so --secret-model has no use", path.display()),
                "compile it with --visibility model=committed, or leave the file out",
            )),
            None => Ok(circuit),
        };
    }
    let file = settings.secret_model(secret_model, path);
    if !file.exists() {
        return Err(hinted(
            format!(
                "the model of {} is committed, and its secret is not at {}",
                path.display(),
                file.display()
            ),
            "name what `zkverdict compile` or `zkverdict commit model` wrote with --secret-model",
        ));
    }
    Ok(circuit.with_model(&SecretModel::load(&file)?)?)
}

/// One sample of a file.
pub(super) fn sample(circuit: &CircuitFile, file: &Path, row: usize, ignore: &[String]) -> Result<Vec<Vec<f64>>> {
    let mut samples = circuit.samples(file, ignore)?;
    if row < samples.len() {
        return Ok(samples.swap_remove(row));
    }
    Err(hinted(
        format!("{} has no sample {row}", file.display()),
        format!("choose --row between 0 and {}", samples.len().saturating_sub(1)),
    ))
}

pub(super) fn read(args: &CommittedSample, settings: &Settings) -> Result<(CircuitFile, Vec<Vec<f64>>)> {
    let circuit = circuit(&args.circuit, args.secret_model.as_ref(), settings)?;
    if !circuit.commits_to_values() {
        return Err(hinted(
            format!("{} commits to nothing", args.circuit.display()),
            "compile it with --visibility input=committed, or output=committed, or both",
        ));
    }
    let sample = sample(&circuit, &args.input, args.row, &settings.ignored(&args.columns))?;
    Ok((circuit, sample))
}

#[derive(Debug, Serialize)]
struct Made {
    model: String,
    commitments: Vec<MadeCommitment>,
    salt: PathBuf,
}

#[derive(Debug, Serialize)]
struct MadeCommitment {
    side: Side,
    commitment: String,
}

fn make(args: &CommitMake, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (circuit, sample) = read(&args.sample, settings)?;
    let path = args
        .salt
        .clone()
        .unwrap_or_else(|| sibling(&args.sample.circuit, "salt"));
    let model = &circuit.compiled;
    let cells = model.program.execute(&model.program.quantize(&sample)?)?;
    let salts = if path.exists() {
        SaltFile::load(&path)?
    } else {
        let salts = SaltFile::random();
        salts.create(&path)?;
        salts
    };
    let mut commitments = Vec::new();
    for side in model.public.committed().filter(|side| *side != Side::Model) {
        let commitment = zkverdict::circuits::Commitment::of(&model.program, side)?;
        let hash = commitment.hash_cells(&model.program, &cells, &salts.salts());
        commitments.push(MadeCommitment {
            side,
            commitment: words(&encode_public_inputs(&[hash])).concat(),
        });
    }
    printer.result(&Made {
        model: circuit.name,
        commitments,
        salt: path,
    })?;
    Ok(Status::Done)
}

impl Report for Made {
    fn render(&self, style: Style) -> String {
        let names: Vec<String> = self
            .commitments
            .iter()
            .map(|made| format!("{} commitment", made.side))
            .collect();
        let rows: Vec<(&str, String)> = names
            .iter()
            .zip(&self.commitments)
            .map(|(name, made)| (name.as_str(), made.commitment.clone()))
            .collect();
        format!(
            "committed for {}\n{}the secret salts are in {}\n",
            style.bold(&self.model),
            pairs(style, 2, &rows),
            self.salt.display()
        )
    }
}

/// A commitment to a model.
#[derive(Debug, Serialize)]
pub(super) struct Sealed {
    /// As public inputs have it, and registries of models: `0x` and 64 digits. Not there before a linked model is
    /// registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commitment: Option<String>,
    /// The same number in decimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decimal: Option<String>,
    pub(super) secret_model: PathBuf,
}

impl Sealed {
    /// Writes a secret model.
    pub(super) fn save(circuit: &CircuitFile, secret: &SecretModel, path: PathBuf, force: bool) -> Result<Self> {
        secret.save(&path, force)?;
        let word = match secret.commitment(circuit) {
            Err(zkverdict::Error::Unregistered) => None,
            word => Some(word?),
        };
        Ok(Self {
            commitment: word.map(|word| words(&[word]).concat()),
            decimal: word.map(|word| U256::from_be_bytes(word).to_string()),
            secret_model: path,
        })
    }

    /// Lines for people.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        match (&self.commitment, &self.decimal) {
            (Some(commitment), Some(decimal)) => {
                vec![
                    ("model commitment", commitment.clone()),
                    ("in decimal", decimal.clone()),
                ]
            }
            _ => vec![(
                "model commitment",
                "`zkverdict commit model` makes it after `zkverdict setup`".to_owned(),
            )],
        }
    }

    /// What to do with the file.
    pub(super) fn secrecy(&self) -> String {
        format!(
            "the secret weights and salt are in {}: without them nobody can prove with this model\n",
            self.secret_model.display()
        )
    }
}

#[derive(Debug, Serialize)]
struct Replaced {
    model: String,
    circuit_digest: Digest,
    #[serde(flatten)]
    sealed: Sealed,
}

fn model(args: &CommitModel, settings: &Settings, printer: &Printer) -> Result<Status> {
    let path = settings.secret_model(args.secret_model.as_ref(), &args.circuit);
    let circuit = CircuitFile::load(&args.circuit)?;
    let model = super::load_model(&args.model)?;
    let mut secret = SecretModel::of(&circuit, &model)?;
    let mut force = args.force;
    if circuit.compiled.public.is_linked() {
        // The same model keeps its salt: proofs of before and the registry name it by that.
        let known = SecretModel::load(&path).ok();
        if let Some(known) =
            known.filter(|known| known.circuit == secret.circuit && known.parameters == secret.parameters)
        {
            secret = known;
            force = true;
        }
        let proving_key = args.proving_key.clone().unwrap_or_else(|| sibling(&args.circuit, "pk"));
        let (key, _) = load_proving_key(&proving_key, &circuit)?;
        secret.register(&circuit, &key)?;
    } else if args.proving_key.is_some() {
        return Err(hinted(
            format!("{} commits to its model without a proving key", args.circuit.display()),
            "leave --proving-key out, or compile the circuit with --visibility model=linked",
        ));
    }
    printer.result(&Replaced {
        model: model.name(),
        circuit_digest: circuit.digest(),
        sealed: Sealed::save(&circuit, &secret, path, force)?,
    })?;
    Ok(Status::Done)
}

impl Report for Replaced {
    fn render(&self, style: Style) -> String {
        format!(
            "{} is a model of this circuit\n{}{}",
            style.bold(&self.model),
            pairs(style, 2, &self.sealed.rows()),
            self.sealed.secrecy()
        )
    }
}

#[derive(Debug, Serialize)]
struct Opened {
    model: String,
    side: Side,
    opening: PathBuf,
}

fn open(args: &CommitOpen, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (circuit, sample) = read(&args.sample, settings)?;
    let side = match args.side {
        args::Side::Input => Side::Input,
        args::Side::Output => Side::Output,
    };
    let salts = SaltFile::load(&args.salt)?.salts();
    let ending = format!("{side}.opening");
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| sibling(&args.sample.circuit, &ending));
    Opening::of(&circuit, &sample, &salts, side)?.create(&path)?;
    printer.result(&Opened {
        model: circuit.name,
        side,
        opening: path,
    })?;
    Ok(Status::Done)
}

impl Report for Opened {
    fn render(&self, _: Style) -> String {
        format!(
            "wrote {}: whoever has it learns the {}s\n",
            self.opening.display(),
            self.side
        )
    }
}

#[derive(Debug, Serialize)]
struct Checked {
    opens: bool,
    model: String,
    side: Side,
    values: Vec<PublicValue>,
}

fn check(args: &CommitCheck, printer: &Printer) -> Result<Status> {
    if let Ok(secret) = SecretModel::load(&args.opening) {
        return check_model(args, &secret, printer);
    }
    let opening = Opening::load(&args.opening)?;
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let proof = Proof::load(&args.proof, Some(key.key.digest()))?;
    let (opens, fields) = opening.check(&key.schema, &proof.public_inputs)?;
    let values = fields.iter().zip(&opening.values);
    printer.result(&Checked {
        opens,
        model: key.name.clone(),
        side: opening.side,
        values: values.map(|(field, value)| public::cell(field, *value)).collect(),
    })?;
    Ok(if opens { Status::Done } else { Status::Failed })
}

/// Whether a secret model is the one that a proof was made with.
fn check_model(args: &CommitCheck, secret: &SecretModel, printer: &Printer) -> Result<Status> {
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let proof = Proof::load(&args.proof, Some(key.key.digest()))?;
    if key.key.link.is_some() {
        return Err(hinted(
            format!(
                "{} is of a linked model, whose commitment no file opens",
                args.verifying_key.display()
            ),
            "its holder shows the weights and the salt to whom they trust, and that one runs `zkverdict commit model` with \
             the proving key",
        ));
    }
    let committed = key.schema.iter().zip(&proof.public_inputs);
    let mut committed = committed.filter_map(|(field, word)| Some((field.model.as_ref()?, word)));
    let side = Side::Model;
    let (commitment, word) = committed.next().ok_or(zkverdict::Error::NotCommitted { side })?;
    let opens = secret.opens(commitment, *word)?;
    printer.result(&Checked {
        opens,
        model: key.name.clone(),
        side,
        values: Vec::new(),
    })?;
    Ok(if opens { Status::Done } else { Status::Failed })
}

impl Report for Checked {
    fn render(&self, style: Style) -> String {
        let values = public::render(&self.values, style);
        match self.opens {
            true if self.side == Side::Model => {
                format!(
                    "{}: this model decided in the proof for {}\n",
                    style.good("opens"),
                    self.model
                )
            }
            true => format!(
                "{}: the {}s of {} are\n{values}",
                style.good("opens"),
                self.side,
                self.model
            ),
            false if self.side == Side::Model => format!(
                "{}: the proof for {} commits to another model, or with another salt\n",
                style.bad("does not open"),
                self.model
            ),
            false => format!(
                "{}: the proof for {} commits to other {}s, or with another salt\n",
                style.bad("does not open"),
                self.model,
                self.side
            ),
        }
    }
}
