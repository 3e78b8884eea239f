//! Every row of both tables, decided by the fixed-point program and by ONNX Runtime.

use std::fs;

use serde_json::Value;
use zkverdict::models::OutputKind;

use crate::support::{Example, Pipeline, Sample, report};

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

fn check(example: Example) {
    let pipeline = example.pipeline();
    let samples = pipeline
        .model
        .samples(&example.folder().join("inputs.csv"), &[])
        .unwrap();
    let expected = expected(example);
    assert_eq!(samples.len(), expected.len());
    let reported = pipeline.reported_error();
    let (mut max_error, mut total, mut exceptions, mut close) = (0.0_f64, 0.0, 0, 0);
    for (row, (sample, expected)) in samples.iter().zip(&expected).enumerate() {
        let (label, probabilities) = decide(pipeline, sample);
        assert_eq!(probabilities.len(), expected.probabilities.len());
        for (got, expected) in probabilities.iter().zip(&expected.probabilities) {
            max_error = max_error.max((got - expected).abs());
            total += (got - expected).abs();
        }
        let distance = (expected.probabilities[1] - 0.5).abs();
        let is_close = distance <= reported + ROUNDING;
        close += usize::from(is_close);
        if label != expected.label {
            exceptions += 1;
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
        "{example:?}: {} rows, {exceptions} decisions differ, {close} rows within the reported error {reported:.2e} of the \
         threshold; probabilities: max error {max_error:.2e}, mean {mean:.2e}",
        samples.len()
    );
    assert!(exceptions <= close);
    assert!(max_error <= MAX_ERROR, "{example:?}: {max_error}");
}

#[test]
fn credit_logreg_decides_as_onnx_runtime() {
    check(Example::CreditLogreg);
}

#[test]
fn credit_mlp_decides_as_onnx_runtime() {
    check(Example::CreditMlp);
}

#[test]
fn diagnosis_logreg_decides_as_onnx_runtime() {
    check(Example::DiagnosisLogreg);
}

#[test]
fn diagnosis_mlp_decides_as_onnx_runtime() {
    check(Example::DiagnosisMlp);
}
