use anyhow::Result;
use serde::Serialize;
use serde_json::{Number, Value};
use zkverdict::{
    CalibrationFile, CompileOptions, Model, compile,
    models::{Fidelity, Op, OutputKind, Program, Saturated},
    onnx::FloatModel,
};

use super::{Status, fidelity, load_model};
use crate::{
    args::Run,
    printer::{Printer, Report, Style, real, table, thousands, tiny},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Compared {
    model: String,
    /// Whose floats: `tract`, or `zkverdict` where tract cannot run the model.
    float_source: &'static str,
    /// Why tract was not used.
    float_reason: Option<String>,
    limb_bits: u32,
    calibration: &'static str,
    outputs: Vec<String>,
    rows: Vec<Row>,
    #[serde(flatten)]
    fidelity: Fidelity,
}

#[derive(Debug, Serialize)]
struct Row {
    row: usize,
    /// Per output, dequantised.
    fixed: Option<Vec<Vec<Value>>>,
    /// Per output.
    float: Vec<Vec<Value>>,
    /// Largest error of a real output.
    max_error: Option<f64>,
    /// Nodes some of whose values reached an end of their format.
    saturated_nodes: Vec<Saturated>,
    /// Why the fixed-point model has no answer.
    refused: Option<String>,
}

pub(super) fn run(args: &Run, settings: &Settings, printer: &Printer) -> Result<Status> {
    let model = load_model(&args.model)?;
    let mut samples = model.samples(&args.input, &settings.ignored(&args.columns))?;
    samples.truncate(args.inputs.unwrap_or(usize::MAX).max(1));
    let busy = printer.busy("calibrating");
    let (calibration, source) = match &args.calibration {
        Some(path) => (CalibrationFile::load(path, &model)?, "file"),
        None => (
            CalibrationFile::measure(&model, &samples, settings.margin(None)?)?,
            "input",
        ),
    };
    let options = CompileOptions {
        limb_bits: args.limb_bits.or(settings.limb_bits),
        public: settings.shown_of_model(),
        ..CompileOptions::default()
    };
    let program = compile(&model, &calibration, &options)?.file.compiled.program;
    busy.now("running");
    let model = Model {
        graph: calibration.graph(&model)?.into_owned(),
        ..model
    };
    let floats = Floats::new(&model, &samples);
    let mut compared = Compared {
        model: model.name(),
        float_source: if floats.tract.is_some() { "tract" } else { "zkverdict" },
        float_reason: floats.reason.clone(),
        limb_bits: program.limb_bits,
        calibration: source,
        outputs: program.outputs.iter().map(|output| output.name.clone()).collect(),
        rows: Vec::new(),
        fidelity: Fidelity::default(),
    };
    for (row, sample) in samples.iter().enumerate() {
        let float = floats.run(&model, &program, sample)?;
        compared.add(&program, row, sample, float);
    }
    drop(busy);
    if let Some(reason) = &compared.float_reason {
        printer.note(&format!("{reason}; the floats are zkverdict's own"));
    }
    if source == "input" {
        printer.note("calibrated on the input itself; name a calibration with --calibration to test that one");
    }
    printer.result(&compared)?;
    Ok(Status::Done)
}

impl Compared {
    fn add(&mut self, program: &Program, row: usize, sample: &[Vec<f64>], float: Vec<Vec<f64>>) {
        let shown = Row {
            row,
            fixed: None,
            float: values(program, &float),
            max_error: None,
            saturated_nodes: Vec::new(),
            refused: None,
        };
        let cells = program.quantize(sample).and_then(|inputs| program.execute(&inputs));
        self.rows.push(match cells {
            Ok(cells) => Row {
                fixed: Some(values(program, &program.dequantize_outputs(&cells))),
                max_error: self.fidelity.add(program, &cells, &float),
                saturated_nodes: program.saturation(&cells),
                ..shown
            },
            Err(error) => {
                self.fidelity.refuse();
                Row {
                    refused: Some(error.to_string()),
                    ..shown
                }
            }
        });
    }
}

/// Outputs as JSON: labels by name, truth values as such.
fn values(program: &Program, outputs: &[Vec<f64>]) -> Vec<Vec<Value>> {
    let number = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    program
        .outputs
        .iter()
        .zip(outputs)
        .map(|(output, values)| {
            let label = |value: f64| match &output.kind {
                OutputKind::IntLabel(labels) => labels.get(value as usize).map(|label| Value::from(*label)),
                OutputKind::StringLabel(labels) => labels.get(value as usize).map(|label| Value::from(label.as_str())),
                OutputKind::Bool => Some(Value::Bool(value == 1.0)),
                OutputKind::Index => Some(Value::from(value as i64)),
                _ => None,
            };
            values
                .iter()
                .map(|&value| label(value).unwrap_or_else(|| number(value)))
                .collect()
        })
        .collect()
}

/// tract where it can, the graph's own float evaluator where it cannot.
struct Floats {
    tract: Option<FloatModel>,
    reason: Option<String>,
}

impl Floats {
    fn new(model: &Model, samples: &[Vec<Vec<f64>>]) -> Self {
        let quantizes = model
            .graph
            .nodes
            .iter()
            .any(|node| matches!(node.op, Op::Quantize { .. }));
        let loaded = if quantizes {
            Err("tract does not compute quantised models in ONNX Runtime's integers".to_owned())
        } else {
            FloatModel::load(&model.bytes).map_err(|error| error.to_string())
        };
        let loaded = loaded.and_then(|tract| {
            let Some(sample) = samples.first() else {
                return Ok(tract);
            };
            let got = tract.run(sample).map_err(|error| error.to_string())?;
            let lengths: Vec<usize> = got.iter().map(Vec::len).collect();
            let expected: Vec<usize> = model
                .graph
                .outputs
                .iter()
                .map(|output| output.shape.iter().product())
                .collect();
            match lengths == expected {
                true => Ok(tract),
                false => Err(format!("tract gives outputs of {lengths:?} values, not {expected:?}")),
            }
        });
        match loaded {
            Ok(tract) => Self {
                tract: Some(tract),
                reason: None,
            },
            Err(reason) => Self {
                tract: None,
                reason: Some(reason),
            },
        }
    }

    /// The outputs as the program gives them: labels as positions.
    fn run(&self, model: &Model, program: &Program, sample: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
        let Some(tract) = &self.tract else {
            return Ok(model.graph.pick_outputs(&model.graph.evaluate(sample)?));
        };
        let mut outputs = tract.run(sample)?;
        for (output, values) in program.outputs.iter().zip(&mut outputs) {
            if let OutputKind::IntLabel(labels) = &output.kind {
                for value in values {
                    let at = labels.iter().position(|label| *label as f64 == *value);
                    *value = at.map_or(f64::NAN, |at| at as f64);
                }
            }
        }
        Ok(outputs)
    }
}

/// Rows shown to a person.
const SHOWN: usize = 20;

impl Report for Compared {
    fn render(&self, style: Style) -> String {
        let show = |outputs: &[Vec<Value>]| {
            let texts: Vec<String> = outputs.iter().flatten().map(text).collect();
            texts.join(" ")
        };
        let rows: Vec<_> = self
            .rows
            .iter()
            .take(SHOWN)
            .map(|row| {
                let fixed = match (&row.fixed, &row.refused) {
                    (Some(fixed), _) => show(fixed),
                    (None, reason) => reason.clone().unwrap_or_default(),
                };
                let error = row.max_error.map_or_else(|| "-".to_owned(), tiny);
                (false, vec![row.row.to_string(), fixed, show(&row.float), error])
            })
            .collect();
        let more = match self.rows.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("  … and {} more; --json has them all\n", thousands(more as u64)),
        };
        let refused = match self.fidelity.refused {
            0 => String::new(),
            refused => format!(", {refused} refused"),
        };
        let saturated = fidelity::saturation(&self.fidelity).map(|text| format!("saturated {text}\n"));
        format!(
            "{} with limbs of {} bits beside the floats of {}\n{}{more}error at most {}, {} on average{}{refused}\n{}",
            style.bold(&self.model),
            self.limb_bits,
            self.float_source,
            table(style, &["row", "fixed", "float", "error"], &rows),
            tiny(self.fidelity.max_error),
            tiny(self.fidelity.mean_error),
            fidelity::decisions(&self.fidelity),
            saturated.unwrap_or_default()
        )
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), real),
        other => other.to_string(),
    }
}
