use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CircuitFile, HostSpeed, context_from_text, load_proving_key,
    models::Saturated,
    prove_observed,
    verifier::{Digest, Kind},
    wall_seconds,
};

use super::{Status, fidelity};
use crate::{
    args::{ProofFormat, Prove},
    failure::hinted,
    fit::{self, Work},
    output::{Target, sibling},
    printer::{Printer, Report, Style, size},
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
}

pub(super) fn run(args: &Prove, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (target, ending) = match args.format {
        ProofFormat::Binary => (Target::Artifact(Kind::Proof), "proof"),
        ProofFormat::Json => (Target::ProofJson, "proof.json"),
    };
    let output = args.output.clone().unwrap_or_else(|| sibling(&args.circuit, ending));
    target.check(&output)?;
    let context = context_from_text(&args.context)?;
    let circuit = CircuitFile::load(&args.circuit)?;
    let samples = circuit.samples(&args.input, &settings.ignored(&args.columns))?;
    let sample = samples.get(args.row).ok_or_else(|| {
        hinted(
            format!("{} has no sample {}", args.input.display(), args.row),
            format!("choose --row between 0 and {}", samples.len().saturating_sub(1)),
        )
    })?;
    fit::check_memory(&circuit.plan, Work::Prove, printer);
    let proving_key = args.proving_key.clone().unwrap_or_else(|| sibling(&args.circuit, "pk"));
    let (key, provenance) = load_proving_key(&proving_key, &circuit)?;
    let factors = HostSpeed::cached().map(|speed| speed.factors()).unwrap_or_default();
    let steps = printer.steps("proving", wall_seconds(circuit.plan.on(factors).prove_cpu_s));
    let (proof, proven) = prove_observed(&circuit, &key, sample, context, &mut |progress| steps.at(progress))?;
    drop(steps);
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
    let schema = zkverdict::public_schema(&circuit.compiled);
    printer.result(&Proven {
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
    })?;
    Ok(Status::Done)
}

/// Public inputs in hexadecimal.
pub(super) fn words(words: &[[u8; 32]]) -> Vec<String> {
    words.iter().map(|word| format!("0x{}", hex::encode(word))).collect()
}

impl Report for Proven {
    fn render(&self, style: Style) -> String {
        format!(
            "{} proven, and everybody who has the proof sees\n{}wrote {} ({})\n",
            style.bold(&self.model),
            public::render(&self.public, style),
            self.proof.display(),
            size(self.proof_bytes as u64)
        )
    }
}
