//! The models of `tests/models` against ONNX Runtime's outputs.

use serde_json::Value;
use zkverdict_model::{Op, OutputKind};
use zkverdict_onnx::{FloatModel, OnnxError, import, summarize};

use crate::common::{FLOAT, Model, NoValue, close, evaluate, int_list, model, read, tensor_info};

fn expected() -> serde_json::Map<String, Value> {
    let Value::Object(entries) = serde_json::from_slice(&model("expected.json")).unwrap() else {
        panic!("expected.json is no object");
    };
    entries
}

fn list(value: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        other => other.as_f64().unwrap(),
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn lists(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(list).collect()
}

#[test]
fn outputs_equal_onnx_runtimes() {
    for (name, rows) in expected() {
        let graph = import(&model(&format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        for row in rows.as_array().unwrap() {
            let got = evaluate(&graph, &lists(&row["inputs"])).unwrap();
            let expected = row["outputs"].as_array().unwrap();
            assert_eq!(got.len(), expected.len(), "{name}");
            for ((output, got), expected) in graph.outputs.iter().zip(&got).zip(expected) {
                match read(output, got) {
                    Ok(got) => {
                        let expected = list(expected);
                        assert_eq!(got.len(), expected.len(), "{name}: {}", output.name);
                        for (got, expected) in got.iter().zip(expected) {
                            assert!(
                                close(*got, expected),
                                "{name}: {}: {got}, expected {expected}",
                                output.name
                            );
                        }
                    }
                    Err(labels) => assert_eq!(Value::from(labels), *expected, "{name}"),
                }
            }
        }
    }
}

/// tract lacks several operators of `ai.onnx.ml`; what it runs must agree, the rest is a named error.
#[test]
fn tract_agrees_or_says_that_it_cannot() {
    let mut ran = 0;
    for (name, rows) in expected() {
        let reference = match FloatModel::load(&model(&format!("{name}.onnx"))) {
            Ok(reference) => reference,
            Err(OnnxError::Tract { .. }) => continue,
            Err(error) => panic!("{name}: {error}"),
        };
        for row in rows.as_array().unwrap() {
            let Ok(got) = reference.run(&lists(&row["inputs"])) else {
                continue;
            };
            for (got, expected) in got.iter().zip(row["outputs"].as_array().unwrap()) {
                if expected.as_array().unwrap().iter().all(|value| !value.is_string()) {
                    for (got, expected) in got.iter().zip(list(expected)) {
                        assert!(close(*got, expected), "{name}: {got}, expected {expected}");
                    }
                }
            }
            ran += 1;
        }
    }
    assert!(ran > 40, "tract ran {ran} rows only");
}

#[test]
fn pipelines_become_few_nodes() {
    let graph = import(&model("logistic_binary.onnx")).unwrap();
    let operators: Vec<&Op> = graph.nodes.iter().map(|node| &node.op).collect();
    let one_hot = operators.iter().filter(|op| matches!(op, Op::OneHot { .. })).count();
    assert_eq!(one_hot, 2);
    assert!(!operators.iter().any(|op| matches!(op, Op::Normalize { .. })));
    assert_eq!(graph.outputs[0].kind, OutputKind::IntLabel(vec![0, 1]));
    assert!(
        graph.notes.iter().any(|note| note.contains("OneHotEncoder")),
        "{:?}",
        graph.notes
    );
    let graph = import(&model("logistic_three_zipmap.onnx")).unwrap();
    for dropped in ["ZipMap", "Normalizer"] {
        assert!(
            graph.notes.iter().any(|note| note.contains(dropped)),
            "{:?}",
            graph.notes
        );
    }
}

/// scikit-learn's binary classifiers hold `−w` and `w`; one dot product and one sigmoid do.
#[test]
fn opposite_rows_are_computed_once() {
    let graph = import(&model("logistic_binary.onnx")).unwrap();
    let count = |wanted: fn(&Op) -> bool| graph.nodes.iter().filter(|node| wanted(&node.op)).count();
    assert_eq!(count(|op| matches!(op, Op::Affine { .. })), 2);
    assert_eq!(count(|op| matches!(op, Op::Compare { .. })), 1);
    assert_eq!(count(|op| matches!(op, Op::ArgMax { .. })), 0);
    let sigmoid = graph.nodes.iter().find(|node| node.op == Op::Sigmoid).unwrap();
    assert_eq!(sigmoid.len, 1);
}

#[test]
fn affine_maps_of_affine_maps_are_one() {
    // Scaler or OneHotEncoder, then MatMul and Add for each of three layers, two activations and the sigmoid.
    let graph = import(&model("mlp_binary.onnx")).unwrap();
    let affine: Vec<&str> = graph
        .nodes
        .iter()
        .filter(|node| matches!(node.op, Op::Affine { .. }))
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(affine.len(), 4, "{affine:?}");
    assert!(
        affine[0].contains("Scaler") && affine[0].contains("MatMul"),
        "{affine:?}"
    );
    assert!(affine[1].contains("MatMul") && affine[1].contains("Add"), "{affine:?}");
}

/// Both are monotone, and a pooling leaves fewer numbers; but what something else reads stays where it is.
#[test]
fn a_pooling_comes_before_a_relu_that_nothing_else_reads() {
    let image = Model::new()
        .input(tensor_info("x", FLOAT, &[1, 1, 4, 4]))
        .node("Relu", &["x"], &["r"])
        .node("MaxPool", &["r"], &["y"])
        .with("kernel_shape", int_list(&[2, 2]))
        .with("strides", int_list(&[2, 2]))
        .output("y");
    let order = |bytes: &[u8]| -> Vec<&'static str> {
        let name = |op: &Op| match op {
            Op::Wire { .. } => "wire",
            Op::Maximum { .. } => "maximum",
            Op::Relu => "relu",
            _ => "other",
        };
        import(bytes).unwrap().nodes.iter().map(|node| name(&node.op)).collect()
    };
    assert_eq!(order(&image.encode()), ["wire", "maximum", "relu"]);
    let sample: Vec<f64> = (0..16).map(|index| f64::from(index * 7 % 16) - 9.0).collect();
    let got = evaluate(&import(&image.encode()).unwrap(), std::slice::from_ref(&sample)).unwrap();
    let window = |corner: usize| {
        [0, 1, 4, 5]
            .map(|step| sample[corner + step])
            .into_iter()
            .fold(0.0, f64::max)
    };
    assert_eq!(got[0], [0, 2, 8, 10].map(window));
    assert_eq!(order(&image.output("r").encode()), ["relu", "wire", "maximum"]);
}

#[test]
fn an_unknown_category_has_no_encoding() {
    let graph = import(&model("logistic_binary.onnx")).unwrap();
    for code in [7.0, 0.5, -1.0] {
        assert_eq!(
            evaluate(&graph, &[vec![code, 0.0, 0.0, 0.0, 0.0]]),
            Err(NoValue::Category)
        );
    }
}

#[test]
fn a_summary_lists_what_the_file_declares() {
    let summary = summarize(&model("logistic_binary_zipmap.onnx")).unwrap();
    assert_eq!(summary.inputs.len(), 1);
    assert_eq!(summary.inputs[0].shape, ["?", "5"]);
    assert_eq!(summary.outputs[1].element, "not a tensor");
    assert!(summary.producer.starts_with("skl2onnx"));
    assert!(summary.nodes.iter().any(|node| node.operator == "ai.onnx.ml.ZipMap"));
}
