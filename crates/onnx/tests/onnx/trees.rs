//! Tree ensembles of four libraries against ONNX Runtime, on rows just below, at and just above every threshold.

use serde_json::Value;
use zkverdict_model::{
    Aggregate, BranchMode, Calibration, ForestBounds, Graph, Op, OutputKind, ParameterFormats, Program, SingleRow,
    TreeEnsemble, TreeNode,
};
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
        for Case { inputs, outputs } in cases.as_array().unwrap().iter().map(Case::new) {
            let values = graph.evaluate(&inputs).unwrap();
            for (position, (output, got)) in graph.outputs.iter().zip(graph.pick_outputs(&values)).enumerate() {
                let expected = &outputs[position];
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

/// The rows without missing values, and ranges measured on them.
fn calibrated<'c>(graph: &Graph, cases: &'c [Case]) -> (Vec<&'c Case>, Calibration) {
    let provable: Vec<&Case> = cases.iter().filter(|case| !case.has_missing()).collect();
    let samples: Vec<Vec<Vec<f64>>> = provable.iter().map(|case| case.inputs.clone()).collect();
    (provable, Calibration::measure(graph, &samples, 1.5).unwrap())
}

/// Labels exactly, scores within what the calibrated range leaves of a cell.
fn decides_as_onnx_runtime(name: &str, graph: &Graph, program: &Program, provable: &[&Case]) {
    let limb_bits = program.limb_bits;
    for case in provable {
        let inputs = program.quantize(&case.inputs).unwrap();
        let cells = program
            .execute(&inputs)
            .unwrap_or_else(|error| panic!("{name}: {:?}: {error}", case.inputs));
        let outputs = program.dequantize_outputs(&cells);
        for ((output, cells), (got, expected)) in graph
            .outputs
            .iter()
            .zip(&program.outputs)
            .zip(outputs.iter().zip(&case.outputs))
        {
            let place = || format!("{name} at {limb_bits}: {} of {:?}", output.name, case.inputs);
            match (read(output, got), &output.kind) {
                (Err(labels), _) => assert_eq!(Value::from(labels), *expected, "{}", place()),
                (Ok(got), OutputKind::Real) => {
                    // Two steps of the output's cells; the tables of curves are off by 5e-4 at eight bits.
                    let slack = 2.0 / cells.format.step() + 5e-4 * f64::powi(4.0, 8 - limb_bits as i32);
                    for (got, expected) in got.iter().zip(list(expected)) {
                        assert!((got - expected).abs() <= slack, "{}: {got}, {expected}", place());
                    }
                }
                (Ok(got), _) => assert_eq!(got, list(expected), "{}", place()),
            }
        }
    }
}

/// The integer program decides as ONNX Runtime does on every row without missing values.
#[test]
fn programs_decide_as_onnx_runtime() {
    let (mut rows, mut refused) = (0, 0);
    for (name, cases) in made() {
        let graph = import(&model(&format!("{name}.onnx"))).unwrap();
        let cases: Vec<Case> = cases.as_array().unwrap().iter().map(Case::new).collect();
        let (provable, calibration) = calibrated(&graph, &cases);
        refused += cases.len() - provable.len();
        for limb_bits in [8, 11] {
            let program = Program::compile(&graph, &calibration, limb_bits)
                .unwrap_or_else(|error| panic!("{name} at {limb_bits}: {error}"));
            program.validate().unwrap();
            for case in cases.iter().filter(|case| case.has_missing()) {
                assert!(program.quantize(&case.inputs).is_err(), "{name}");
            }
            decides_as_onnx_runtime(&name, &graph, &program, &provable);
            rows += provable.len();
        }
    }
    assert!(rows > 5_000, "{rows} rows only");
    assert!(refused > 100, "{refused} rows with missing values only");
}

/// Ensembles that are committed to decide alike, those of every library among them; what cannot be committed to is refused
/// for a reason that is its own.
#[test]
fn committed_programs_decide_as_onnx_runtime() {
    let mut committed = Vec::new();
    for (name, cases) in made() {
        let graph = import(&model(&format!("{name}.onnx"))).unwrap();
        let cases: Vec<Case> = cases.as_array().unwrap().iter().map(Case::new).collect();
        let (provable, calibration) = calibrated(&graph, &cases);
        for limb_bits in [8, 9] {
            let formats = ParameterFormats::Measured {
                weight_bits: limb_bits,
                forest: ForestBounds::default(),
            };
            match Program::compile_committed(&graph, &calibration, limb_bits, &[], formats) {
                Ok(program) => {
                    decides_as_onnx_runtime(&name, &graph, &program, &provable);
                    committed.push(name.clone());
                }
                Err(refusal) => assert!(refusal.to_string().contains("use model=public"), "{name}: {refusal}"),
            }
        }
    }
    for library in ["xgboost", "lightgbm", "catboost", "boosting", "forest"] {
        for kind in ["binary", "regressor"] {
            let name = format!("{library}_{kind}");
            assert!(committed.contains(&name), "{name} is not committed to");
        }
    }
}

/// In exact arithmetic some rows beside a threshold would fall on the other side: float32's rounding before the trees is
/// what decides them.
#[test]
fn rounding_before_trees_decides() {
    let mut turned = 0;
    for (name, cases) in made() {
        let graph = import(&model(&format!("{name}.onnx"))).unwrap();
        let mut exact = graph.clone();
        for node in &mut exact.nodes {
            if let Op::Singles { rows } = &node.op {
                node.op = Op::Affine {
                    rows: rows.iter().map(SingleRow::affine).collect(),
                };
            }
        }
        let cases = cases.as_array().unwrap().iter().map(Case::new);
        for case in cases.filter(|_| exact != graph) {
            let [rounded, unrounded] = [&graph, &exact].map(|graph| graph.evaluate(&case.inputs).unwrap());
            turned += usize::from(graph.pick_outputs(&rounded) != exact.pick_outputs(&unrounded));
        }
    }
    assert!(turned > 10, "{turned} rows only");
}

/// A row and ONNX Runtime's outputs.
struct Case {
    inputs: Vec<Vec<f64>>,
    outputs: Vec<Value>,
}

impl Case {
    fn new(case: &Value) -> Self {
        Self {
            inputs: case[0].as_array().unwrap().iter().map(list).collect(),
            outputs: case[1].as_array().unwrap().clone(),
        }
    }

    fn has_missing(&self) -> bool {
        self.inputs.iter().flatten().any(|value| value.is_nan())
    }
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
            .any(|node| matches!(node.op, Op::Singles { .. }) && node.name.contains("Scaler"))
    );
    assert!(graph.nodes.iter().any(|node| matches!(node.op, Op::OneHot { .. })));
    assert_eq!(ensembles(&graph).len(), 1);
}
