//! The models of `tests/models/quantized` against ONNX Runtime's outputs: every whole number must be the same.

use serde_json::Value;
use zkverdict_model::{Calibration, ModelError, OutputKind, Program};
use zkverdict_onnx::import;

use crate::common::model;

fn expected() -> serde_json::Map<String, Value> {
    serde_json::from_slice(&model("quantized/expected.json")).unwrap()
}

/// 200 rows of 64 `float32`, after the header's line.
fn rows() -> Vec<Vec<f64>> {
    let bytes = model("quantized/rows.npy");
    let start = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let numbers = bytes[start..]
        .chunks_exact(4)
        .map(|word| f64::from(f32::from_le_bytes(word.try_into().unwrap())));
    let numbers: Vec<f64> = numbers.collect();
    assert_eq!(numbers.len(), 200 * 64);
    numbers.chunks(64).map(<[f64]>::to_vec).collect()
}

fn list(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

/// What ONNX Runtime gives for each row, and how far the program may be from it.
fn outputs(entry: &Value) -> (Vec<Vec<f64>>, f64) {
    if let Some(labels) = entry.get("labels") {
        return (list(labels).into_iter().map(|label| vec![label]).collect(), 0.0);
    }
    let rows = |name: &str| {
        entry[name]
            .as_array()
            .map(|rows| rows.iter().map(list).collect::<Vec<_>>())
    };
    if let Some(reals) = rows("reals") {
        return (reals, 2e-3);
    }
    let scale = entry["scale"].as_f64().unwrap() as f32;
    let zero = entry["zero"].as_f64().unwrap();
    let real = |number: f64| f64::from((number - zero) as f32 * scale);
    let numbers = rows("numbers").unwrap().into_iter();
    (numbers.map(|row| row.into_iter().map(real).collect()).collect(), 0.0)
}

fn program(graph: &zkverdict_model::Graph, rows: &[Vec<f64>], limb_bits: u32) -> Result<Program, ModelError> {
    let samples: Vec<_> = rows[..20].iter().map(|row| vec![row.clone()]).collect();
    let calibration = Calibration::measure(graph, &samples, Calibration::DEFAULT_MARGIN)?;
    Program::compile(graph, &calibration, limb_bits)
}

#[test]
fn graphs_give_onnx_runtimes_whole_numbers() {
    let rows = rows();
    for (name, entry) in expected() {
        let graph = import(&model(&format!("quantized/{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (expected, slack) = outputs(&entry);
        for (row, expected) in rows.iter().zip(&expected) {
            let values = graph.evaluate(std::slice::from_ref(row)).unwrap();
            let got = graph.pick_outputs(&values).swap_remove(0);
            assert_eq!(got.len(), expected.len(), "{name}");
            for (got, expected) in got.iter().zip(expected) {
                assert!(
                    (got - expected).abs() <= slack / 1000.0,
                    "{name}: {got}, expected {expected}"
                );
            }
        }
        let exact = graph.exact_outputs();
        assert_eq!(exact, [slack == 0.0], "{name}");
        let quantized = matches!(graph.outputs[0].kind, OutputKind::Quantized { .. });
        assert_eq!(quantized, entry.get("scale").is_some(), "{name}");
    }
}

#[test]
fn programs_give_onnx_runtimes_whole_numbers() {
    let rows = rows();
    for (name, entry) in expected() {
        let graph = import(&model(&format!("quantized/{name}.onnx"))).unwrap();
        let (expected, slack) = outputs(&entry);
        for limb_bits in 8..=12 {
            let program = program(&graph, &rows, limb_bits).unwrap_or_else(|error| panic!("{name}: {error}"));
            program.validate().unwrap();
            assert_eq!(program.outputs[0].exact, slack == 0.0, "{name}");
            let checked = if limb_bits == 9 { 200 } else { 25 };
            let mut refused = 0;
            for (row, expected) in rows.iter().zip(&expected).rev().take(checked) {
                let cells = program.quantize(std::slice::from_ref(row)).unwrap();
                let cells = program.execute(&cells).unwrap();
                let got = program.dequantize_outputs(&cells).swap_remove(0);
                refused += usize::from(!program.saturation(&cells).is_empty());
                for (got, expected) in got.iter().zip(expected) {
                    assert!(
                        (got - expected).abs() <= slack,
                        "{name} at {limb_bits}: {got}, expected {expected}"
                    );
                }
            }
            // Rows outside of the calibrated range cut off nothing that is exact.
            assert!(slack > 0.0 || refused == 0, "{name}");
        }
    }
}
