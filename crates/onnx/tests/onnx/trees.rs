//! Tree ensembles of four libraries against ONNX Runtime, on rows just below, at and just above every threshold.

use serde_json::Value;
use zkverdict_model::{Aggregate, BranchMode, Graph, Op, OutputKind, TreeEnsemble, TreeNode};
use zkverdict_onnx::import;

use crate::common::{model, read};

/// Values of one list; a missing value is written as null, an infinite one as a number beyond float32's range.
fn list(value: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Null => f64::NAN,
        other => f64::from(other.as_f64().unwrap() as f32),
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn made() -> serde_json::Map<String, Value> {
    let Value::Object(entries) = serde_json::from_slice(&model("trees.json")).unwrap() else {
        panic!("trees.json is no object");
    };
    entries
}

fn ensembles(graph: &Graph) -> Vec<&TreeEnsemble> {
    graph
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::TreeEnsemble(ensemble) => Some(ensemble),
            _ => None,
        })
        .collect()
}

/// Labels on every row exactly, scores up to the rounding of ONNX Runtime's float32 sums.
#[test]
fn decisions_equal_onnx_runtimes() {
    let mut rows = 0;
    for (name, cases) in made() {
        let graph = import(&model(&format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!ensembles(&graph).is_empty(), "{name}");
        for case in cases.as_array().unwrap() {
            let inputs: Vec<Vec<f64>> = case[0].as_array().unwrap().iter().map(list).collect();
            let values = graph.evaluate(&inputs).unwrap();
            for (position, (output, got)) in graph.outputs.iter().zip(graph.pick_outputs(&values)).enumerate() {
                let expected = &case[1][position];
                let place = || format!("{name}: {} of {inputs:?}", output.name);
                match (read(output, &got), &output.kind) {
                    (Err(labels), _) => assert_eq!(Value::from(labels), *expected, "{}", place()),
                    (Ok(got), OutputKind::Real) => {
                        let expected = list(expected);
                        assert_eq!(got.len(), expected.len(), "{}", place());
                        for (got, expected) in got.iter().zip(expected) {
                            let slack = 1e-6 * expected.abs().max(0.1);
                            assert!((got - expected).abs() <= slack, "{}: {got}, {expected}", place());
                        }
                    }
                    (Ok(got), _) => assert_eq!(got, list(expected), "{}", place()),
                }
            }
            rows += 1;
        }
    }
    assert!(rows > 3_000, "{rows} rows only");
}

#[test]
fn what_the_graph_says_of_the_ensemble() {
    let graph = import(&model("catboost_binary.onnx")).unwrap();
    let [ensemble] = ensembles(&graph)[..] else {
        panic!("one ensemble expected");
    };
    // Its leaves hold −w and w; one score does.
    assert_eq!(ensemble.targets, 1);
    assert_eq!(ensemble.aggregate, Aggregate::Sum);
    let modes = ensemble
        .trees
        .iter()
        .flat_map(|tree| &tree.nodes)
        .filter_map(|node| match node {
            TreeNode::Branch { mode, .. } => Some(*mode),
            TreeNode::Leaf { .. } => None,
        });
    assert!(modes.clone().count() > 0 && modes.clone().all(|mode| mode == BranchMode::Greater));
    for dropped in ["ZipMap", "nodes_hitrates"] {
        assert!(
            graph.notes.iter().any(|note| note.contains(dropped)),
            "{:?}",
            graph.notes
        );
    }
    let graph = import(&model("xgboost_binary.onnx")).unwrap();
    let missing = |node: &TreeNode| {
        matches!(
            node,
            TreeNode::Branch {
                missing_holds: true,
                ..
            }
        )
    };
    let nodes: Vec<&TreeNode> = ensembles(&graph)[0].trees.iter().flat_map(|tree| &tree.nodes).collect();
    assert!(nodes.iter().any(|node| missing(node)) && !nodes.iter().all(|node| missing(node)));
}

/// A Scaler before the trees stays a node of its own: its rounding decides comparisons.
#[test]
fn arithmetic_before_an_ensemble_is_kept() {
    let graph = import(&model("boosting_pipeline.onnx")).unwrap();
    assert!(
        graph
            .nodes
            .iter()
            .any(|node| matches!(node.op, Op::Affine { .. }) && node.name.contains("Scaler"))
    );
    assert!(graph.nodes.iter().any(|node| matches!(node.op, Op::OneHot { .. })));
    assert_eq!(ensembles(&graph).len(), 1);
}
