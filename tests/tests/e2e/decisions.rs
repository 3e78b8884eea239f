//! Every row of the examples' tables, decided by the fixed-point program and by ONNX Runtime.

use std::fs;

use serde_json::Value;
use zkverdict::models::OutputKind;

use crate::support::{Example, Pipeline, Sample, report, shared};

/// The largest error of a probability on any row.
const MAX_ERROR: f64 = 4e-4;
/// `expected.json` holds six decimals.
const ROUNDING: f64 = 0.5e-6;

/// What ONNX Runtime said of a row.
struct Expected {
    label: i64,
    probabilities: Vec<f64>,
}

fn expected(example: Example) -> Vec<Expected> {
    let text = fs::read(example.folder().join("expected.json")).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    let model = &json[example.file()];
    let rows = model["label"]
        .as_array()
        .unwrap()
        .iter()
        .zip(model["probabilities"].as_array().unwrap());
    rows.map(|(label, probabilities)| Expected {
        label: label.as_i64().unwrap(),
        probabilities: probabilities
            .as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect(),
    })
    .collect()
}

/// Label and probabilities by the fixed-point program.
fn decide(pipeline: &Pipeline, sample: &Sample) -> (i64, Vec<f64>) {
    let outputs = pipeline
        .outputs(sample)
        .unwrap_or_else(|error| panic!("a row is refused: {error}"));
    let (mut label, mut probabilities) = (None, None);
    for (output, values) in pipeline.planned.file.compiled.program.outputs.iter().zip(outputs) {
        match &output.kind {
            OutputKind::IntLabel(labels) => label = Some(labels[values[0] as usize]),
            OutputKind::Real => probabilities = Some(values),
            _ => label = Some(values[0] as i64),
        }
    }
    (label.expect("a label"), probabilities.expect("probabilities"))
}

/// How the decisions of many rows compare.
struct Agreement {
    /// Decisions that differ.
    exceptions: usize,
    /// Rows within the reported error of the threshold.
    close: usize,
}

/// Asserts that a decision differs only within the reported error of the threshold, and that probabilities are right.
/// `rounding` is the error of an expected probability.
fn compare(example: Example, samples: &[Sample], expected: &[Expected], rounding: f64) -> Agreement {
    let pipeline = example.pipeline();
    assert_eq!(samples.len(), expected.len());
    let reported = pipeline.reported_error();
    let (mut max_error, mut total) = (0.0_f64, 0.0);
    let mut agreement = Agreement {
        exceptions: 0,
        close: 0,
    };
    for (row, (sample, expected)) in samples.iter().zip(expected).enumerate() {
        let (label, probabilities) = decide(pipeline, sample);
        assert_eq!(probabilities.len(), expected.probabilities.len());
        for (got, expected) in probabilities.iter().zip(&expected.probabilities) {
            max_error = max_error.max((got - expected).abs());
            total += (got - expected).abs();
        }
        let distance = (expected.probabilities[1] - 0.5).abs();
        let is_close = distance <= reported + rounding;
        agreement.close += usize::from(is_close);
        if label != expected.label {
            agreement.exceptions += 1;
            report!(
                "{example:?}: row {row} decided {label}, ONNX Runtime {} at {distance:.6} of the threshold",
                expected.label
            );
            assert!(
                is_close,
                "{example:?}: row {row} lies {distance} from the threshold, more than {reported}"
            );
        }
    }
    let mean = total / (2 * samples.len()) as f64;
    report!(
        "{example:?}: {} rows, {} decisions differ, {} rows within the reported error {reported:.2e} of the threshold; \
         probabilities: max error {max_error:.2e}, mean {mean:.2e}",
        samples.len(),
        agreement.exceptions,
        agreement.close
    );
    assert!(agreement.exceptions <= agreement.close);
    assert!(max_error <= MAX_ERROR + rounding, "{example:?}: {max_error}");
    agreement
}

fn check(example: Example) -> Agreement {
    let samples = example
        .pipeline()
        .model
        .samples(&example.folder().join("inputs.csv"), &[])
        .unwrap();
    compare(example, &samples, &expected(example), ROUNDING)
}

#[test]
fn credit_logreg_decides_as_onnx_runtime() {
    check(Example::CreditLogreg);
}

#[test]
fn credit_mlp_decides_as_onnx_runtime() {
    check(Example::CreditMlp);
}

/// Branches are exact: no decision of trees may differ.
#[test]
fn credit_gbdt_decides_as_onnx_runtime() {
    assert_eq!(check(Example::CreditGbdt).exceptions, 0);
}

#[test]
fn diagnosis_logreg_decides_as_onnx_runtime() {
    check(Example::DiagnosisLogreg);
}

#[test]
fn diagnosis_mlp_decides_as_onnx_runtime() {
    check(Example::DiagnosisMlp);
}

/// The columns of the credit card table that the model does not read.
pub(crate) const UNREAD: [&str; 6] = [
    "ID",
    "SEX",
    "EDUCATION",
    "MARRIAGE",
    "AGE",
    "default.payment.next.month",
];
/// `expected.bin` holds labels and probabilities in this many steps (examples/README.md).
const STEPS: u16 = 0x7fff;

#[test]
fn default_gbdt_decides_as_onnx_runtime() {
    let Some(table) = shared("data/tabular/UCI_Credit_Card.csv") else {
        return;
    };
    let (example, unread) = (Example::DefaultGbdt, UNREAD.map(str::to_owned));
    let samples = example.pipeline().model.samples(&table, &unread).unwrap();
    // The table is not published here: what stands in for it must be invented.
    let invented = example.folder().join("calibration.json");
    for client in example.pipeline().model.samples(&invented, &[]).unwrap() {
        assert!(!samples.contains(&client), "a row of the table: {client:?}");
    }
    let bytes = fs::read(example.folder().join("expected.bin")).unwrap();
    let expected: Vec<Expected> = bytes
        .chunks_exact(2)
        .map(|row| {
            let row = u16::from_le_bytes([row[0], row[1]]);
            let probability = f64::from(row & STEPS) / f64::from(STEPS);
            Expected {
                label: i64::from(row >> 15),
                probabilities: vec![1.0 - probability, probability],
            }
        })
        .collect();
    assert_eq!((samples.len(), bytes.len()), (30_000, 60_000));
    let rounding = 0.5 / f64::from(STEPS) + 1e-7;
    assert_eq!(compare(example, &samples, &expected, rounding).exceptions, 0);
}
