use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CircuitFile, Opening, Proof, SaltFile, VerifyingKeyFile, circuits::Side, verifier::encode_public_inputs,
};

use super::{Status, prove::words};
use crate::{
    args::{self, CommitCheck, CommitCommand, CommitMake, CommitOpen, CommittedSample},
    failure::hinted,
    output::sibling,
    printer::{Printer, Report, Style, pairs},
    public::{self, PublicValue},
    settings::Settings,
};

pub(super) fn run(command: CommitCommand, settings: &Settings, printer: &Printer) -> Result<Status> {
    match command {
        CommitCommand::Make(args) => make(&args, settings, printer),
        CommitCommand::Open(args) => open(&args, settings, printer),
        CommitCommand::Check(args) => check(&args, printer),
    }
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
    let circuit = CircuitFile::load(&args.circuit)?;
    if !circuit.compiled.public.commits() {
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
    for side in model.public.committed() {
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

impl Report for Checked {
    fn render(&self, style: Style) -> String {
        let values = public::render(&self.values, style);
        match self.opens {
            true => format!(
                "{}: the {}s of {} are\n{values}",
                style.good("opens"),
                self.side,
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
