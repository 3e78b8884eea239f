use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CircuitFile, HostSpeed, Reason, SaltFile, context_from_text, load_proving_key,
    models::Saturated,
    prove_observed,
    verifier::{Digest, Kind},
    wall_seconds,
};

use super::{Status, commit, fidelity};
use crate::{
    args::{ProofFormat, Prove},
    failure::hinted,
    fit::{self, Work},
    output::{Target, sibling, suffixed},
    printer::{Printer, Report, Style, pairs, size},
    public::{self, PublicValue},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Proven {
    model: String,
    row: usize,
    /// Whether an intermediate value reached an end of its format.
    saturated: bool,
    /// The nodes that it happened in.
    saturated_nodes: Vec<Saturated>,
    verifying_key_digest: Digest,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
    public_inputs: Vec<String>,
    proof_bytes: usize,
    proof: PathBuf,
    /// Where the salts are, if something is committed.
    salt: Option<PathBuf>,
    /// What the reasons speak against, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons_against: Option<String>,
    /// The weightiest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<Reason>>,
}

pub(super) fn run(args: &Prove, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (target, ending) = match args.format {
        ProofFormat::Binary => (Target::Artifact(Kind::Proof), "proof"),
        ProofFormat::Json => (Target::ProofJson, "proof.json"),
    };
    let output = args.output.clone().unwrap_or_else(|| sibling(&args.circuit, ending));
    target.check(&output)?;
    let context = context_from_text(&args.context)?;
    let circuit = commit::circuit(&args.circuit, args.secret_model.as_ref(), settings)?;
    if args.explain && circuit.reasons_against.is_none() {
        return Err(hinted(
            format!("{} gives no reasons for its decisions", args.circuit.display()),
            "they are outputs of the circuit: run `zkverdict calibrate --reasons 3`, then compile and set up again",
        ));
    }
    let sample = sample(args, &circuit, settings)?;
    fit::check_memory(&circuit.plan, Work::Prove, printer);
    let proving_key = args.proving_key.clone().unwrap_or_else(|| sibling(&args.circuit, "pk"));
    let (key, provenance) = load_proving_key(&proving_key, &circuit)?;
    let (salt_file, salt) = salts(args, &circuit, &output)?;
    let factors = HostSpeed::cached().map(|speed| speed.factors()).unwrap_or_default();
    let steps = printer.steps("proving", wall_seconds(circuit.plan.on(factors).prove_cpu_s));
    let observe = &mut |progress| steps.at(progress);
    let (proof, proven) = prove_observed(&circuit, &key, &sample, context, &salt_file.salts(), observe)?;
    drop(steps);
    // New salts are on the disk before there is a proof that needs them.
    if let (None, Some(path)) = (&args.salt, &salt) {
        if args.force {
            salt_file.replace(path)?;
        } else {
            salt_file.create(path)?;
        }
    }
    match args.format {
        ProofFormat::Binary => proof.save(&output, provenance.verifying_key, provenance.unsafe_srs)?,
        ProofFormat::Json => proof.save_json(&output)?,
    }
    if !proven.saturation.is_empty() {
        printer.warning(&format!(
            "intermediate values reached an end of their format ({}): the proof is valid, but its outputs may be far \
             from the floats; calibrate on samples like this one, or with a larger --margin",
            fidelity::nodes(&proven.saturation)
        ));
    }
    if provenance.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: this proof convinces nobody");
    }
    let schema = circuit.public_schema()?;
    let reasons = args.explain.then(|| circuit.reasons(&proven.cells)).flatten();
    printer.result(&Proven {
        reasons_against: circuit.reasons_against.filter(|_| reasons.is_some()),
        reasons,
        model: circuit.name,
        row: args.row,
        saturated: !proven.saturation.is_empty(),
        saturated_nodes: proven.saturation,
        verifying_key_digest: provenance.verifying_key,
        unsafe_srs: provenance.unsafe_srs,
        public: public::read(&schema, &proof.public_inputs),
        public_inputs: words(&proof.public_inputs),
        proof_bytes: proof.proof.len(),
        proof: output,
        salt,
    })?;
    Ok(Status::Done)
}

/// What is proven of: a sample, or the model itself.
fn sample(args: &Prove, circuit: &CircuitFile, settings: &Settings) -> Result<Vec<Vec<f64>>> {
    match &args.input {
        Some(_) if circuit.is_statement() => Err(hinted(
            zkverdict::Error::NoSamples.to_string(),
            "leave --input out, and name the secret model with --secret-model",
        )),
        None if circuit.is_statement() => Ok(circuit.opened_sample()?),
        Some(file) => commit::sample(circuit, file, args.row, &settings.ignored(&args.columns)),
        None => Err(hinted(
            "there is no sample to prove a decision about",
            "name one: --input FILE (.json, .csv, .npy or .npz)",
        )),
    }
}

/// The salts to commit with, and where they are or will be.
fn salts(args: &Prove, circuit: &CircuitFile, output: &Path) -> Result<(SaltFile, Option<PathBuf>)> {
    let commits = circuit.commits_to_values();
    match &args.salt {
        Some(_) if !commits => Err(hinted(
            format!("{} commits to nothing, so --salt has no use", args.circuit.display()),
            "compile it with --visibility input=committed, or leave the salt out",
        )),
        Some(path) => Ok((SaltFile::load(path)?, Some(path.clone()))),
        None => {
            let path = commits.then(|| suffixed(output, ".salt"));
            // Not only after minutes of proving.
            if let Some(path) = path.as_ref().filter(|path| !args.force && path.exists()) {
                return Err(hinted(
                    zkverdict::Error::SaltExists { path: path.clone() }.to_string(),
                    "or say --force: what was committed to with these salts can then never be opened",
                ));
            }
            Ok((SaltFile::random(), path))
        }
    }
}

/// Public inputs in hexadecimal.
pub(super) fn words(words: &[[u8; 32]]) -> Vec<String> {
    words.iter().map(|word| format!("0x{}", hex::encode(word))).collect()
}

impl Report for Proven {
    fn render(&self, style: Style) -> String {
        let mut text = format!(
            "{} proven, and everybody who has the proof sees\n{}wrote {} ({})\n",
            style.bold(&self.model),
            public::render(&self.public, style),
            self.proof.display(),
            size(self.proof_bytes as u64)
        );
        if let (Some(against), Some(reasons)) = (&self.reasons_against, &self.reasons) {
            text.push_str(&format!("what counts most against {against}, proven\n"));
            let each: Vec<(&str, String)> = reasons
                .iter()
                .map(|reason| (reason.feature.as_str(), format!("{:+.4}", reason.contribution)))
                .collect();
            text.push_str(&pairs(style, 2, &each));
        }
        if let Some(salt) = &self.salt {
            text.push_str(&format!("the secret salts are in {}\n", salt.display()));
        }
        text
    }
}
