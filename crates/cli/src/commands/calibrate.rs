use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use zkverdict::{
    CalibrationFile, CompileOptions, FormatRule, HostSpeed, Model, Width,
    circuits::{Candidate, choose},
    compile,
    models::{ENOUGH_SAMPLES, FormatGain, LEAST_SAMPLES, ReasonsRequest},
    verifier::Digest,
};

use super::{Status, fidelity, load_model};
use crate::{
    args::{Calibrate, Formats},
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
    format_rule: FormatRule,
    /// The limb size that `compile` takes with these settings.
    chosen_limb_bits: Option<u32>,
    widths: Vec<Measured>,
    /// The formats that measurement chose for the chosen limb size, each with the errors without it.
    formats: Vec<FormatGain>,
    output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Measured {
    #[serde(flatten)]
    width: Width,
    /// The best layout of this width.
    layout: Option<Candidate>,
}

pub(super) fn run(args: &Calibrate, settings: &Settings, printer: &Printer) -> Result<Status> {
    let margin = settings.margin(args.margin)?;
    let tolerance = settings.tolerance(None)?;
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
    let format_rule = match args.formats {
        Formats::Measured => FormatRule::Measured,
        Formats::Fitted => FormatRule::Fitted,
    };
    let request = reasons(args, settings)?;
    let busy = printer.busy("measuring ranges and errors");
    let calibration = match &request {
        Some(request) => CalibrationFile::measure_with_reasons(&model, &samples, margin, format_rule, request)?,
        None => CalibrationFile::measure_with(&model, &samples, margin, format_rule)?,
    };
    let objective = settings.objective(args.optimize);
    let layout = |width: &Width| {
        let options = CompileOptions {
            objective,
            tolerance: f64::INFINITY,
            limb_bits: Some(width.limb_bits),
            public: settings.shown_of_model(),
            ..CompileOptions::default()
        };
        compile(&model, &calibration, &options)
            .ok()
            .map(|planned| planned.file.plan)
    };
    let layouts: Vec<Option<Candidate>> = calibration.widths.iter().map(layout).collect();
    let planned: Vec<Candidate> = layouts.iter().flatten().cloned().collect();
    let chosen = choose(&planned, objective, tolerance).map(|plan| plan.shape.limb_bits);
    let formats = match chosen {
        Some(limb_bits) => calibration.gains(&model, &samples, limb_bits)?,
        None => Vec::new(),
    };
    drop(busy);
    if !model.graph.notes.is_empty() {
        printer.note(&format!(
            "the import has {} remarks; `zkverdict inspect` shows them",
            model.graph.notes.len()
        ));
    }
    calibration.save(&output)?;
    remarks(&calibration, format_rule, printer);
    let host = HostSpeed::known().factors();
    let widths = calibration.widths.into_iter().zip(layouts);
    let widths = widths.map(|(width, layout)| Measured {
        width,
        layout: layout.map(|layout| layout.on(host)),
    });
    printer.result(&Calibrated {
        model: model.name(),
        model_digest: model.digest,
        samples: samples.len(),
        margin,
        format_rule,
        chosen_limb_bits: chosen,
        widths: widths.collect(),
        formats,
        output,
    })?;
    Ok(Status::Done)
}

/// What is asked for of reasons.
fn reasons(args: &Calibrate, settings: &Settings) -> Result<Option<ReasonsRequest>> {
    let Some(count) = args.reasons.or(settings.reasons) else {
        ensure!(
            args.against.is_none() && args.feature_names.is_none(),
            "--against and --feature-names are about reasons; say how many with --reasons"
        );
        return Ok(None);
    };
    let names = args.feature_names.as_deref().map(feature_names).transpose()?;
    Ok(Some(ReasonsRequest {
        count,
        against: args.against.clone(),
        names,
    }))
}

/// The names in a list or in a code book.
fn feature_names(path: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        List(Vec<String>),
        Book { columns: Vec<Column> },
    }
    #[derive(Deserialize)]
    struct Column {
        name: String,
    }
    let text = fs::read(path).with_context(|| format!("the feature names {} cannot be read", path.display()))?;
    let names = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} has no feature names; it takes a JSON list of them, or {{\"columns\": [{{\"name\": …}}, …]}}",
            path.display()
        )
    })?;
    Ok(match names {
        Names::List(names) => names,
        Names::Book { columns } => columns.into_iter().map(|column| column.name).collect(),
    })
}

/// What the figures cannot tell.
fn remarks(calibration: &CalibrationFile, rule: FormatRule, printer: &Printer) {
    let samples = calibration.calibration.samples;
    if rule == FormatRule::Measured && samples < LEAST_SAMPLES {
        printer.note(&format!(
            "too few samples to choose formats by their error ({LEAST_SAMPLES} are needed): every tensor has the finest \
             format for its range"
        ));
    } else if rule == FormatRule::Measured && samples < ENOUGH_SAMPLES {
        printer.note(&format!(
            "few samples: every format holds more than was observed (from {ENOUGH_SAMPLES} samples on, it need not)"
        ));
    }
    if calibration.widths.iter().all(|width| width.fidelity.refused > 0) {
        printer.warning("every width refuses some samples: their inputs are outside the range; raise --margin");
    }
}

impl Report for Calibrated {
    fn render(&self, style: Style) -> String {
        let head = [
            "limb bits",
            "max error",
            "as fitted",
            "held out",
            "mean error",
            "decisions",
            "saturated",
            "refused",
            "rows",
            "prove",
            "gas",
            "",
        ];
        let is_chosen = |width: &&Measured| Some(width.width.limb_bits) == self.chosen_limb_bits;
        let rows: Vec<_> = self
            .widths
            .iter()
            .map(|width| (is_chosen(&width), width.row(is_chosen(&width))))
            .collect();
        let mut text = format!(
            "{} calibrated on {} samples, ranges widened {} times\n{}",
            style.bold(&self.model),
            thousands(self.samples as u64),
            self.margin,
            table(style, &head, &rows)
        );
        if let Some(Measured { width, .. }) = self.widths.iter().find(is_chosen) {
            if !self.formats.is_empty() {
                text.push_str(&format!(
                    "formats chosen by their error, for limbs of {} bits\n",
                    width.limb_bits
                ));
                text.push_str(&gains(style, &self.formats));
            }
            if let Some(saturation) = fidelity::saturation(&width.fidelity) {
                text.push_str(&format!("saturated: {saturation}\n"));
            }
        }
        text.push_str(&format!("wrote {}\n", Path::display(&self.output)));
        text
    }
}

/// Each chosen format with what it is good for.
fn gains(style: Style, formats: &[FormatGain]) -> String {
    let head = ["tensor", "bits finer", "max error without", "mean error without"];
    let row = |gain: &FormatGain| {
        vec![
            gain.choice.name.clone(),
            format!("{:+}", gain.choice.finer),
            tiny(gain.max_error),
            tiny(gain.mean_error),
        ]
    };
    let rows: Vec<_> = formats.iter().map(|gain| (false, row(gain))).collect();
    table(style, &head, &rows)
}

impl Measured {
    fn row(&self, is_chosen: bool) -> Vec<String> {
        let Width {
            limb_bits,
            fidelity,
            fitted,
            held_out,
            ..
        } = &self.width;
        let decisions = match fidelity.decisions {
            0 => "-".to_owned(),
            all => format!("{} of {all}", fidelity.equal_decisions),
        };
        let saturated = match fidelity.saturated_values {
            0 => "0".to_owned(),
            values => {
                let share = fidelity::share(values, fidelity.limited_values);
                format!("{} ({share})", thousands(values as u64))
            }
        };
        let error = |of: &Option<_>, form: fn(&zkverdict::models::Fidelity) -> f64| {
            of.as_ref().map_or_else(|| "-".to_owned(), |of| tiny(form(of)))
        };
        let mut row = vec![
            limb_bits.to_string(),
            tiny(fidelity.max_error),
            error(fitted, |of| of.max_error),
            error(held_out, |of| of.max_error),
            tiny(fidelity.mean_error),
            decisions,
            saturated,
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
        row.push(if is_chosen { "chosen" } else { "" }.to_owned());
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
