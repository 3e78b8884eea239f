use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    CalibrationFile, CompileOptions, HostSpeed, Model, Width, circuits::Candidate, compile, models::Fidelity,
    verifier::Digest,
};

use super::{Status, load_model};
use crate::{
    args::Calibrate,
    output::{Target, beside},
    printer::{Printer, Report, Style, seconds, table, thousands, tiny},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Calibrated {
    model: String,
    model_digest: Digest,
    samples: usize,
    margin: f64,
    widths: Vec<Measured>,
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Measured {
    limb_bits: u32,
    #[serde(flatten)]
    fidelity: Fidelity,
    /// The best layout of this width.
    layout: Option<Candidate>,
}

pub(super) fn run(args: &Calibrate, settings: &Settings, printer: &Printer) -> Result<Status> {
    let margin = settings.margin(args.margin)?;
    let model = load_model(&args.model)?;
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| beside(&args.model, "calibration.json"));
    Target::Calibration.check(&output)?;
    let ignored = settings.ignored(&args.columns);
    let mut samples = Vec::new();
    for path in &args.data {
        samples.extend(model.samples(path, &ignored)?);
    }
    let busy = printer.busy("measuring ranges and errors");
    let calibration = CalibrationFile::measure(&model, &samples, margin)?;
    let objective = settings.objective(args.optimize);
    let host = HostSpeed::known().factors();
    let widths = calibration
        .widths
        .iter()
        .map(|width| {
            let options = CompileOptions {
                objective,
                tolerance: f64::INFINITY,
                limb_bits: Some(width.limb_bits),
                ..CompileOptions::default()
            };
            Measured {
                limb_bits: width.limb_bits,
                fidelity: width.fidelity.clone(),
                layout: compile(&model, &calibration, &options)
                    .ok()
                    .map(|planned| planned.file.plan.on(host)),
            }
        })
        .collect();
    drop(busy);
    if !model.graph.notes.is_empty() {
        printer.note(&format!(
            "the import has {} remarks; `zkverdict inspect` shows them",
            model.graph.notes.len()
        ));
    }
    calibration.save(&output)?;
    if calibration.widths.iter().all(|width| width.fidelity.refused > 0) {
        printer.warning("every width refuses some samples: their inputs are outside the range; raise --margin");
    }
    printer.result(&Calibrated {
        model: model.name(),
        model_digest: model.digest,
        samples: samples.len(),
        margin,
        widths,
        output,
    })?;
    Ok(Status::Done)
}

impl Report for Calibrated {
    fn render(&self, style: Style) -> String {
        let head = [
            "limb bits",
            "max error",
            "mean error",
            "decisions",
            "saturated",
            "refused",
            "rows",
            "prove",
            "gas",
        ];
        let rows: Vec<_> = self.widths.iter().map(|width| (false, width.row())).collect();
        format!(
            "{} calibrated on {} samples, ranges widened {} times\n{}wrote {}\n",
            style.bold(&self.model),
            thousands(self.samples as u64),
            self.margin,
            table(style, &head, &rows),
            Path::display(&self.output)
        )
    }
}

impl Measured {
    fn row(&self) -> Vec<String> {
        let fidelity = &self.fidelity;
        let decisions = match fidelity.decisions {
            0 => "-".to_owned(),
            all => format!("{} of {all}", fidelity.equal_decisions),
        };
        let mut row = vec![
            self.limb_bits.to_string(),
            tiny(fidelity.max_error),
            tiny(fidelity.mean_error),
            decisions,
            fidelity.saturated.to_string(),
            fidelity.refused.to_string(),
        ];
        match &self.layout {
            Some(layout) => row.extend([
                format!("2^{}", layout.k),
                seconds(layout.prove_cpu_s),
                thousands(layout.verify_gas),
            ]),
            None => row.extend(["-", "-", "-"].map(str::to_owned)),
        }
        row
    }
}

/// Reads the calibration of a model: the one that was named, or the one beside it.
pub(super) fn load(named: Option<&Path>, path: &Path, model: &Model) -> Result<CalibrationFile> {
    let default = beside(path, "calibration.json");
    let path = named.unwrap_or(&default);
    if named.is_none() && !path.is_file() {
        return Err(crate::failure::hinted(
            format!("the model needs a calibration, and there is no {}", path.display()),
            "run `zkverdict calibrate`, or name its file with --calibration",
        ));
    }
    Ok(CalibrationFile::load(path, model)?)
}

/// The errors of one width.
pub(super) fn fidelity(calibration: &CalibrationFile, limb_bits: u32) -> Option<&Fidelity> {
    calibration
        .widths
        .iter()
        .find(|width: &&Width| width.limb_bits == limb_bits)
        .map(|width| &width.fidelity)
}
