use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CalibrationFile, CompileOptions, HostSpeed, Model, Planned,
    circuits::{Candidate, ConvolutionRows, HostFactors, Objective, PublicInputs, Side, Visibility},
    compile,
    models::{Fidelity, FormatChoice, TabulatedFunction, TreeFacts},
    srs::SrsError,
    verifier::{Digest, Kind},
};

use super::{Status, calibrate, commit::Sealed, facts, fidelity, load_model};
use crate::{
    args::Compile,
    fit::{self, Work},
    output::{Target, beside},
    printer::{Printer, Report, Style, pairs, seconds, size, table, thousands, tiny},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Compiled {
    model: String,
    circuit_digest: Digest,
    objective: Objective,
    tolerance: f64,
    visibility: PublicInputs,
    chosen: Candidate,
    fidelity: Option<Fidelity>,
    /// Tensors whose format is not the finest for their range.
    formats: Vec<FormatChoice>,
    /// Functions of one variable, each with the error of its table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<TabulatedFunction>,
    reason: String,
    /// What holds of each ensemble of trees, whatever the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trees: Vec<TreeFacts>,
    candidates: Vec<Candidate>,
    /// Rows of convolutions and products of matrices with the chosen number of lanes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    convolutions: Vec<ConvolutionRows>,
    /// What the predicted CPU seconds hold for.
    host: HostFactors,
    output: PathBuf,
    /// Where the model is committed.
    #[serde(flatten)]
    sealed: Option<Sealed>,
    #[serde(skip)]
    explain: bool,
}

pub(super) fn run(args: &Compile, settings: &Settings, printer: &Printer) -> Result<Status> {
    run_with(args, "circuit", settings, printer, |model, calibration, options| {
        Ok(compile(model, calibration, options)?)
    })
}

/// Compiles in some way, and writes the circuit beside the model under an ending.
pub(super) fn run_with(
    args: &Compile,
    ending: &str,
    settings: &Settings,
    printer: &Printer,
    compile: impl FnOnce(&Model, &CalibrationFile, &CompileOptions) -> Result<Planned>,
) -> Result<Status> {
    let options = settings.compile_options(args)?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.model, ending));
    Target::Artifact(Kind::Circuit).check(&output)?;
    let model = load_model(&args.model)?;
    let calibration = calibrate::load(args.calibration.as_deref(), &args.model, &model)?;
    let busy = printer.busy("laying out");
    let planned = compile(&model, &calibration, &options)?;
    drop(busy);
    let host = HostSpeed::known().factors();
    let candidates: Vec<_> = planned.candidates.iter().map(|candidate| candidate.on(host)).collect();
    let chosen = planned.file.plan.on(host);
    if chosen.max_error.is_some_and(|error| error > options.tolerance) {
        printer.warning(&format!(
            "no layout keeps the error below {}; this one is among the most accurate",
            options.tolerance
        ));
    }
    fit::check_memory(&chosen, Work::Setup, printer);
    if let Some(srs) = settings.srs.as_deref() {
        check_srs(&chosen, srs, printer);
    }
    let width = calibration.width(chosen.shape.limb_bits);
    let fidelity = width.map(|width| match chosen.weight_bits {
        None => &width.fidelity,
        Some(bits) => {
            let mut committed = width.committed.iter();
            let found = committed.find(|committed| committed.weight_bits == bits);
            found.map_or(&width.fidelity, |committed| &committed.fidelity)
        }
    });
    // The secret first: a circuit whose model is lost can only take another one.
    let sealed = planned.file.secret.as_ref().map(|secret| {
        let path = settings.secret_model(args.secret_model.as_ref(), &output);
        Sealed::save(&planned.file, secret, path, args.force)
    });
    let sealed = sealed.transpose()?;
    planned.file.save(&output, &model)?;
    printer.result(&Compiled {
        model: model.name(),
        circuit_digest: planned.file.digest(),
        objective: options.objective,
        tolerance: options.tolerance,
        visibility: planned.file.compiled.public,
        fidelity: fidelity.cloned(),
        formats: width.map_or_else(Vec::new, |width| width.formats.clone()),
        functions: planned.file.compiled.program.functions.clone(),
        reason: reason(&options, &chosen, &candidates),
        convolutions: planned.convolutions,
        trees: model.graph.tree_facts(),
        chosen,
        candidates,
        host,
        output,
        sealed,
        explain: args.explain,
    })?;
    Ok(Status::Done)
}

/// Says already now that the SRS of the settings will not do.
fn check_srs(chosen: &Candidate, srs: &Path, printer: &Printer) {
    // A file that is no SRS is the business of `zkverdict setup`.
    if let Err(error @ SrsError::TooSmall { wanted, .. }) = fit::check_srs(chosen, srs) {
        printer.warning(&format!("{}: {error}", srs.display()));
        printer.hint(&format!(
            "run `zkverdict srs import` on a ceremony's file with at least 2^{wanted} powers before `zkverdict setup`"
        ));
    }
}

/// Why this layout.
fn reason(options: &CompileOptions, chosen: &Candidate, candidates: &[Candidate]) -> String {
    let deployable = candidates.iter().filter(|candidate| candidate.is_deployable());
    let accurate = deployable
        .clone()
        .filter(|candidate| candidate.max_error.is_none_or(|error| error <= options.tolerance))
        .count();
    let counted = match candidates.len() - deployable.count() {
        0 => format!("{} were counted", candidates.len()),
        large => format!(
            "{} were counted, the contracts of {large} are too large for a chain",
            candidates.len()
        ),
    };
    let what = match options.objective {
        Objective::Time => format!("least prover time, about {}", seconds(chosen.prove_cpu_s)),
        Objective::Gas => format!("least gas, about {}", thousands(chosen.verify_gas)),
        Objective::Memory => format!("least prover memory, about {}", size(chosen.memory_bytes)),
    };
    match accurate {
        0 => format!("{what}, among the most accurate layouts ({counted})"),
        accurate => format!(
            "{what}, of {accurate} layouts with an error of at most {} ({counted})",
            options.tolerance
        ),
    }
}

impl Report for Compiled {
    fn render(&self, style: Style) -> String {
        let plan = &self.chosen;
        let mut rows = vec![("layout", layout(plan)), ("because", self.reason.clone())];
        rows.extend(columns(plan));
        rows.extend([
            (
                "public",
                format!("{} numbers: {}", plan.public_inputs, shown(self.visibility)),
            ),
            ("visibility", hidden(self.visibility)),
        ]);
        rows.extend(costs(plan));
        if let Some(fidelity) = &self.fidelity {
            rows.push(("error", fidelity::errors(fidelity)));
            rows.extend(fidelity::saturation(fidelity).map(|text| ("saturated", text)));
        }
        if !self.formats.is_empty() {
            rows.push(("formats", format!("measured: {}", fidelity::formats(&self.formats))));
        }
        let worst = self.functions.iter().max_by(|a, b| a.error.total_cmp(&b.error));
        if let Some(worst) = worst {
            rows.push((
                "functions",
                format!(
                    "{} tabulated, off by at most {} (in {})",
                    self.functions.len(),
                    tiny(worst.error),
                    worst.name
                ),
            ));
        }
        rows.extend(facts::rows(&self.trees));
        rows.extend(self.sealed.iter().flat_map(Sealed::rows));
        let mut text = format!("{} compiled\n{}", style.bold(&self.model), pairs(style, 2, &rows));
        if self.explain {
            text.push_str(&explain(style, &self.candidates, plan));
            text.push_str(&explain_convolutions(style, &self.convolutions));
        }
        text.push_str(&format!("wrote {}\n", self.output.display()));
        if let Some(sealed) = &self.sealed {
            text.push_str(&sealed.secrecy());
        }
        text
    }
}

/// The layout in words.
pub(super) fn layout(plan: &Candidate) -> String {
    format!(
        "{} products a row, limbs of {} bits{}",
        plan.shape.lanes,
        plan.shape.limb_bits,
        match plan.shape.hash_lanes {
            0 => "",
            1 => ", hashes beside the model in a lane of their own",
            _ => ", hashes beside the model in two lanes of their own",
        }
    )
}

/// Lines on its size.
pub(super) fn columns(plan: &Candidate) -> [(&'static str, String); 2] {
    let rows = format!(
        "{} of 2^{} ({} in the table)",
        thousands(plan.rows as u64),
        plan.k,
        plan.table_rows
    );
    let columns = format!(
        "{} advice, {} fixed, {} with copies",
        plan.advice_columns, plan.fixed_columns, plan.equality_columns
    );
    [("rows", rows), ("columns", columns)]
}

/// Lines on what proofs cost.
pub(super) fn costs(plan: &Candidate) -> [(&'static str, String); 2] {
    let predicted = format!(
        "{} CPU, {} memory, {} gas",
        seconds(plan.prove_cpu_s),
        size(plan.memory_bytes),
        thousands(plan.verify_gas)
    );
    [("proof", size(plan.proof_bytes as u64)), ("predicted", predicted)]
}

/// The public inputs in words.
fn shown(public: PublicInputs) -> String {
    let sides = Side::ALL.into_iter().filter_map(|side| match public.of(side) {
        Visibility::Public if side == Side::Model => None,
        Visibility::Public => Some(format!("{side}s")),
        Visibility::Committed | Visibility::Linked => Some(format!("{side} commitment")),
        Visibility::Private => None,
    });
    std::iter::once("context".to_owned())
        .chain(sides)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a proof tells of inputs, outputs and the model.
fn hidden(public: PublicInputs) -> String {
    let sides = [Side::Input, Side::Output].map(|side| match public.of(side) {
        Visibility::Public => format!("{side}s are shown"),
        Visibility::Private => format!("{side}s are hidden"),
        Visibility::Committed | Visibility::Linked => format!("{side}s are hidden, bound by a salted hash"),
    });
    let model = match public.model {
        Visibility::Committed => {
            "weights and biases are hidden, bound by a salted hash; seen are operators, sizes, formats, ranges, and which \
             proofs share a model"
        }
        Visibility::Linked => {
            "weights and biases are hidden, bound by a commitment to their columns that proofs are linked to; seen are \
             operators, sizes, formats, ranges, and which proofs share a model"
        }
        Visibility::Public | Visibility::Private => "the model is public",
    };
    format!("{}; {model}", sides.join("; "))
}

fn explain(style: Style, candidates: &[Candidate], chosen: &Candidate) -> String {
    let head = [
        "limb bits",
        "lanes",
        "combined",
        "k",
        "rows",
        "advice",
        "fixed",
        "copies",
        "proof",
        "prove",
        "memory",
        "gas",
        "code",
        "max error",
    ];
    let rows: Vec<_> = candidates
        .iter()
        .map(|candidate| {
            let cells = vec![
                candidate.shape.limb_bits.to_string(),
                match candidate.shape.hash_lanes {
                    0 => candidate.shape.lanes.to_string(),
                    hashes => format!("{} h{hashes}", candidate.shape.lanes),
                },
                candidate.combined.len().to_string(),
                candidate.k.to_string(),
                candidate.rows.to_string(),
                candidate.advice_columns.to_string(),
                candidate.fixed_columns.to_string(),
                candidate.equality_columns.to_string(),
                thousands(candidate.proof_bytes as u64),
                seconds(candidate.prove_cpu_s),
                size(candidate.memory_bytes),
                thousands(candidate.verify_gas),
                thousands(candidate.code_bytes as u64),
                candidate.max_error.map_or_else(|| "-".to_owned(), tiny),
            ];
            (candidate == chosen, cells)
        })
        .collect();
    table(style, &head, &rows)
}

/// How the rows of each convolution were chosen.
fn explain_convolutions(style: Style, convolutions: &[ConvolutionRows]) -> String {
    if convolutions.is_empty() {
        return String::new();
    }
    let head = ["convolution or product", "sums", "rows", "rows combined"];
    let rows: Vec<_> = convolutions
        .iter()
        .map(|rows| {
            let cells = vec![
                rows.name.clone(),
                rows.sums.to_string(),
                rows.direct.to_string(),
                rows.combined.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            ];
            (rows.is_combined, cells)
        })
        .collect();
    table(style, &head, &rows)
}
