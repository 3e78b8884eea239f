use std::{fs, path::Path, time::Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use zkverdict::{
    CalibrationFile, CompileOptions, ContractFile, Keys, Model, Proof, Style as ContractStyle,
    circuits::Candidate,
    compile, context_from_text,
    evm::{Outcome, RevertReason, Simulator, U256},
    models::Fidelity,
    prove,
    srs::Srs,
    verifier::encode_public_inputs,
};

use super::{Status, contract::contract_name, demo_audit, fidelity::errors};
use crate::{
    args::{Demo, DemoModel, Story},
    failure::hinted,
    output::size_of,
    printer::{Printer, Report, Style, pairs, release, seconds, size, thousands},
    public::{self, PublicValue},
    settings::Settings,
};

/// A decision about a person, with everything that it takes.
struct Cast {
    title: &'static str,
    person: &'static str,
    question: &'static str,
    /// What the decisions are called.
    verdicts: [&'static str; 2],
    context: &'static str,
    other_context: &'static str,
    files: Files,
    /// The columns shown, by name, with a unit.
    shown: [(&'static str, &'static str); 5],
}

/// The files of a story's example.
struct Files {
    /// The one that decides unless told otherwise comes first.
    models: &'static [(DemoModel, &'static [u8])],
    calibration: &'static [u8],
    sample: &'static [u8],
    codebook: &'static [u8],
}

/// The files of one folder under `examples/`: the models by kind and file, and the person.
macro_rules! files {
    ($folder:literal, [$($kind:ident $model:literal),+], $sample:literal) => {
        Files {
            models: &[$((DemoModel::$kind, files!($folder, $model))),+],
            calibration: files!($folder, "calibration.json"),
            sample: files!($folder, $sample),
            codebook: files!($folder, "codebook.json"),
        }
    };
    ($folder:literal, $file:literal) => {
        include_bytes!(concat!("../../../../examples/", $folder, "/", $file))
    };
}

const CREDIT: Cast = Cast {
    title: "a credit decision, proven to a contract",
    person: "applicant",
    question: "is this applicant's credit good?",
    verdicts: ["refused: bad credit", "granted: good credit"],
    context: "chain 31337, lender 0x5e…5e, application 4711",
    other_context: "chain 31337, lender 0x5e…5e, application 4712",
    files: files!(
        "credit",
        [Gbdt "gbdt.onnx", Logreg "logreg.onnx", Mlp "mlp.onnx"],
        "applicants/approved.json"
    ),
    shown: [
        ("credit_amount", " DM"),
        ("duration_in_month", " months"),
        ("purpose", ""),
        ("status_of_existing_checking_account", ""),
        ("present_employment_since", ""),
    ],
};

const DIAGNOSIS: Cast = Cast {
    title: "a diagnosis, proven to a contract",
    person: "patient",
    question: "is this mass benign?",
    verdicts: ["malignant", "benign"],
    context: "chain 31337, clinic 0x5e…5e, case 4711",
    other_context: "chain 31337, clinic 0x5e…5e, case 4712",
    files: files!("diagnosis", [Logreg "logreg.onnx", Mlp "mlp.onnx"], "patients/benign.json"),
    shown: [
        ("mean_radius", ""),
        ("mean_texture", ""),
        ("mean_area", ""),
        ("mean_concavity", ""),
        ("worst_perimeter", ""),
    ],
};

impl Files {
    /// The model asked for, or the story's own, with its name.
    fn model(&self, asked: Option<DemoModel>) -> Result<(&'static str, &'static [u8])> {
        let mut models = self.models.iter();
        let found = match asked {
            Some(asked) => models.find(|(kind, _)| *kind == asked),
            None => models.next(),
        };
        let (kind, bytes) = found.ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|(kind, _)| kind.name()).collect();
            hinted(
                format!("this story has no {}", asked.map_or("model", DemoModel::name)),
                format!("its models: {}", names.join(", ")),
            )
        })?;
        Ok((kind.name(), bytes))
    }
}

impl DemoModel {
    /// The name of its file.
    const fn name(self) -> &'static str {
        match self {
            Self::Gbdt => "gbdt",
            Self::Logreg => "logreg",
            Self::Mlp => "mlp",
        }
    }
}

#[derive(Deserialize)]
struct Codebook {
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(default)]
    values: Vec<String>,
}

/// What happened, in the order in which it is told.
#[derive(Debug, Serialize)]
struct Told {
    title: &'static str,
    person: &'static str,
    question: &'static str,
    model: String,
    /// Some of the private inputs. They are shown here, and in no proof.
    features: Vec<(String, String)>,
    private_inputs: usize,
    decision: String,
    probability: Option<f64>,
    fidelity: Option<Fidelity>,
    layout: Candidate,
    srs: String,
    unsafe_srs: bool,
    pk_bytes: u64,
    vk_bytes: u64,
    proof_bytes: usize,
    compile: Spent,
    setup: Spent,
    prove: Spent,
    verify: Spent,
    contract: String,
    solc: String,
    code_bytes: usize,
    code_limit: usize,
    deploy_gas: u64,
    key_gas: u64,
    verify_gas: u64,
    context: &'static str,
    public: Vec<PublicValue>,
    accepted: Outcome,
    forged: Outcome,
    replayed: Outcome,
    as_expected: bool,
}

/// Time of one step.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spent {
    wall_s: f64,
    /// To a hundredth; none where the system does not say.
    cpu_s: Option<f64>,
}

pub(super) fn run(args: &Demo, settings: &Settings, printer: &Printer) -> Result<Status> {
    let solc = settings.solc(args.solc.clone());
    let cast = match args.story {
        Story::Credit => &CREDIT,
        Story::Diagnosis => &DIAGNOSIS,
        Story::Audit if args.model.is_some_and(|model| model != DemoModel::Logreg) => {
            return Err(hinted("the audit is of the logistic regression", "leave --model out"));
        }
        Story::Audit => return demo_audit::run(&solc, printer),
    };
    let model = cast.files.model(args.model)?;
    let folder = tempfile::tempdir().context("no temporary folder could be made")?;
    let told = tell(cast, model, &solc, folder.path(), printer)?;
    printer.result(&told)?;
    Ok(if told.as_expected { Status::Done } else { Status::Failed })
}

fn tell(
    cast: &Cast,
    (name, bytes): (&str, &[u8]),
    solc: &zkverdict::solidity::SolcChoice,
    folder: &Path,
    printer: &Printer,
) -> Result<Told> {
    let at = |file: &str| folder.join(file);
    let (model_path, samples, sample) = (at(&format!("{name}.onnx")), at("samples.json"), at("sample.json"));
    fs::write(&model_path, bytes)?;
    fs::write(&samples, cast.files.calibration)?;
    fs::write(&sample, cast.files.sample)?;

    let busy = printer.busy("compiling the model");
    let (compiled, compile_spent) = spent(|| {
        let model = Model::load(&model_path)?;
        let calibration = CalibrationFile::measure(&model, &model.samples(&samples, &[])?, 4.0)?;
        let planned = compile(&model, &calibration, &CompileOptions::default())?;
        anyhow::Ok((model, calibration, planned.file))
    });
    let (model, calibration, circuit) = compiled?;
    let person = model
        .samples(&sample, &[])?
        .into_iter()
        .next()
        .context("the example holds no sample")?;

    busy.now("making keys");
    let srs = Srs::development(circuit.compiled.k)?;
    let (keys, setup_spent) = spent(|| Keys::generate(&circuit, &srs));
    let keys = keys?;
    let (pk, vk) = (at("model.pk"), at("model.vk"));
    keys.save_proving(&pk)?;
    keys.verifying.save(&vk)?;

    busy.now("proving");
    let context = context_from_text(cast.context)?;
    let (proven, prove_spent) = spent(|| prove(&circuit, &keys.proving, &person, context));
    let (proof, _) = proven?;
    let (verified, verify_spent) = spent(|| proof.verify(&keys.verifying));
    verified?;

    busy.now("building the contract");
    let contract_name = contract_name(&format!("{name}-{}", cast.person));
    let contract = ContractFile::build(&keys.verifying, &contract_name, ContractStyle::default(), solc)?;
    busy.now("running the EVM");
    let mut chain = Simulator::deploy(&contract.build.compiled)?;
    let accepted = chain.verify(&proof.proof, &proof.words())?;
    let public = public::read(&contract.schema, &proof.public_inputs);
    let decision = decision(&public);
    let forged = chain.verify(&proof.proof, &forge(&proof, &contract)?)?.outcome;
    let other = encode_public_inputs(&[context_from_text(cast.other_context)?]);
    let mut elsewhere = proof.words();
    if let (Some(word), Some(other)) = (elsewhere.first_mut(), other.first()) {
        *word = U256::from_be_bytes(*other);
    }
    let replayed = chain.verify(&proof.proof, &elsewhere)?.outcome;
    drop(busy);

    let deployment = chain.deployment();
    Ok(Told {
        title: cast.title,
        person: cast.person,
        question: cast.question,
        model: circuit.name.clone(),
        features: features(cast, &person)?,
        private_inputs: person.iter().map(Vec::len).sum(),
        decision: cast.verdicts.get(decision).copied().unwrap_or("unknown").to_owned(),
        probability: probability(&public, decision),
        fidelity: calibration
            .width(circuit.plan.shape.limb_bits)
            .map(|width| width.fidelity.clone()),
        layout: circuit.plan.clone(),
        srs: keys.verifying.srs.clone(),
        unsafe_srs: keys.verifying.unsafe_srs,
        pk_bytes: size_of(&pk)?,
        vk_bytes: size_of(&vk)?,
        proof_bytes: proof.proof.len(),
        compile: compile_spent,
        setup: setup_spent,
        prove: prove_spent,
        verify: verify_spent,
        contract: contract.contract.clone(),
        solc: contract.build.compiled.solc_version.clone(),
        code_bytes: deployment.code_bytes,
        code_limit: deployment.code_limit,
        deploy_gas: deployment.gas,
        key_gas: deployment.key.map_or(0, |key| key.gas),
        verify_gas: accepted.transaction_gas,
        context: cast.context,
        as_expected: accepted.outcome.is_accepted() && !forged.is_accepted() && !replayed.is_accepted(),
        public,
        accepted: accepted.outcome,
        forged,
        replayed,
    })
}

fn spent<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let (started, before) = (Instant::now(), cpu_s());
    let result = work();
    let spent = Spent {
        wall_s: started.elapsed().as_secs_f64(),
        cpu_s: cpu_s().zip(before).map(|(after, before)| after - before),
    };
    (result, spent)
}

/// CPU seconds of this process so far, where the system says: fields 14 and 15 of `/proc/self/stat`, in hundredths.
fn cpu_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name in brackets, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|ticks| ticks.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / 100.0)
}

/// The label: the first output.
fn decision(public: &[PublicValue]) -> usize {
    let label = public::outputs(public).next().and_then(|output| output.value.as_u64());
    label
        .and_then(|label| usize::try_from(label).ok())
        .unwrap_or(usize::MAX)
}

/// The probability of the decision: the second output holds one for each label.
fn probability(public: &[PublicValue], decision: usize) -> Option<f64> {
    let outputs: Vec<&PublicValue> = public::outputs(public).collect();
    let first = outputs.first()?;
    outputs
        .iter()
        .filter(|output| output.name != first.name)
        .nth(decision)
        .and_then(|output| output.value.as_f64())
}

/// The public inputs with the opposite decision.
fn forge(proof: &Proof, contract: &ContractFile) -> Result<Vec<U256>> {
    let at = contract
        .schema
        .iter()
        .position(|field| field.role == zkverdict::Role::Output)
        .context("the model has no output")?;
    let mut words = proof.words();
    if let Some(word) = words.get_mut(at) {
        *word = U256::from(u8::from(word.is_zero()));
    }
    Ok(words)
}

/// A few inputs in words.
fn features(cast: &Cast, sample: &[Vec<f64>]) -> Result<Vec<(String, String)>> {
    let codebook: Codebook = serde_json::from_slice(cast.files.codebook)?;
    let values: Vec<f64> = sample.iter().flatten().copied().collect();
    let mut features = Vec::new();
    for (name, unit) in cast.shown {
        let at = codebook.columns.iter().position(|column| column.name == name);
        let Some((column, value)) = at.and_then(|at| Some((codebook.columns.get(at)?, values.get(at)?))) else {
            continue;
        };
        let text = match column.values.get(*value as usize) {
            Some(meaning) => meaning.trim_start_matches("... ").to_owned(),
            None => format!("{}{unit}", (value * 1e4).round() / 1e4),
        };
        features.push((name.replace('_', " "), text));
    }
    Ok(features)
}

impl Report for Told {
    fn render(&self, style: Style) -> String {
        let chapter = |number: u8, text: &str| format!("\n{}  {}\n", style.dim(&number.to_string()), style.bold(text));
        let mut text = format!("\n{}\n", style.bold(&format!("zkverdict: {}", self.title)));

        text += &chapter(1, &format!("The {}: this stays on this machine", self.person));
        let features: Vec<(&str, String)> = self
            .features
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        text += &pairs(style, 5, &features);
        let more = self.private_inputs.saturating_sub(features.len());
        text += &format!("     {}\n", style.dim(&format!("and {more} more inputs")));

        text += &chapter(2, &format!("The decision of {}: {}", self.model, self.question));
        let probability = self
            .probability
            .map(|probability| format!(", with a probability of {:.1} %", 100.0 * probability));
        text += &format!(
            "     {}{}\n",
            style.good(&self.decision),
            probability.unwrap_or_default()
        );

        text += &chapter(3, "The proof that this model decided so");
        text += &pairs(style, 5, &self.proof_rows());

        text += &chapter(4, &format!("The contract: {}.sol on an embedded chain", self.contract));
        text += &pairs(style, 5, &self.chain_rows(style));

        text += &chapter(5, "What everybody sees, and what it cost");
        text += &pairs(style, 5, &self.cost_rows());
        text.push('\n');
        text
    }
}

impl Spent {
    fn show(self) -> String {
        match self.cpu_s {
            Some(cpu_s) => format!("{} of CPU", seconds(cpu_s)),
            None => seconds(self.wall_s),
        }
    }
}

impl Told {
    fn proof_rows(&self) -> Vec<(&'static str, String)> {
        let fidelity = self
            .fidelity
            .as_ref()
            .map_or_else(String::new, |fidelity| format!("error {}", errors(fidelity)));
        vec![
            (
                "compiled",
                format!(
                    "2^{} rows, {} advice columns; {fidelity}",
                    self.layout.k, self.layout.advice_columns
                ),
            ),
            ("set up", format!("{}: for demonstrations only", self.srs)),
            (
                "keys",
                format!(
                    "{} to prove, {} to verify  ({})",
                    size(self.pk_bytes),
                    size(self.vk_bytes),
                    seconds(self.setup.wall_s)
                ),
            ),
            (
                "proved",
                format!("{}  ({})", size(self.proof_bytes as u64), seconds(self.prove.wall_s)),
            ),
            ("verified", format!("natively  ({})", seconds(self.verify.wall_s))),
        ]
    }

    fn chain_rows(&self, style: Style) -> Vec<(&'static str, String)> {
        let show = |outcome: &Outcome, good: bool| match outcome.is_accepted() {
            true if good => style.good("accepted"),
            true => style.bad("ACCEPTED"),
            false if good => style.bad(&outcome.to_string()),
            false => match outcome {
                Outcome::Reverted {
                    reason: RevertReason::Verifier { error, .. },
                } => format!("{} with {error}", style.good("rejected")),
                other => other.to_string(),
            },
        };
        vec![
            (
                "deployed",
                format!(
                    "{} of {} bytes of code, solc {}",
                    thousands(self.code_bytes as u64),
                    thousands(self.code_limit as u64),
                    release(&self.solc)
                ),
            ),
            ("the proof", show(&self.accepted, true)),
            ("the opposite decision", show(&self.forged, false)),
            ("the same proof elsewhere", show(&self.replayed, false)),
        ]
    }

    /// Every output with its values: `label 1, probabilities 0.2 0.8`.
    fn outputs(&self) -> String {
        let mut tensors: Vec<(&str, String)> = Vec::new();
        for output in public::outputs(&self.public) {
            match tensors.last_mut() {
                Some((name, values)) if *name == output.name => values.push_str(&format!(" {}", output.text())),
                _ => tensors.push((&output.name, output.text())),
            }
        }
        let texts: Vec<String> = tensors
            .iter()
            .map(|(name, values)| format!("{name} {values}"))
            .collect();
        texts.join(", ")
    }

    fn cost_rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("public", format!("{}, context", self.outputs())),
            ("context", self.context.to_owned()),
            ("private", format!("all {} inputs", self.private_inputs)),
            (
                "prover",
                format!(
                    "{} to prove, {} once for the keys",
                    self.prove.show(),
                    self.setup.show()
                ),
            ),
            (
                "chain",
                format!(
                    "{} gas a proof, {} gas once for the model, {} gas once for all models alike",
                    thousands(self.verify_gas),
                    thousands(self.key_gas),
                    thousands(self.deploy_gas)
                ),
            ),
        ]
    }
}
