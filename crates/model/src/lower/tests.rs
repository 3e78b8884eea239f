use crate::{
    AffineRow, Aggregate, BranchMode, Calibration, Element, Graph, Input, ModelError, Node, Op, Output, OutputKind,
    Program, SingleRow, SingleStep, Step, Tree, TreeEnsemble, TreeNode, ValueId, Weights, ordered,
};

fn leaf(weight: f32) -> TreeNode {
    TreeNode::Leaf {
        weights: vec![(0, weight)],
    }
}

fn stump(mode: BranchMode, threshold: f32) -> Vec<TreeNode> {
    let branch = TreeNode::Branch {
        feature: 0,
        mode,
        threshold,
        missing_holds: false,
        holds: 1,
        otherwise: 2,
    };
    vec![branch, leaf(1.0), leaf(-1.0)]
}

/// `before` on two inputs, then trees.
fn graph(before: Option<Op>, trees: Vec<Vec<TreeNode>>, aggregate: Aggregate) -> Graph {
    let mut nodes = Vec::new();
    let mut last = ValueId(0);
    if let Some(op) = before {
        nodes.push(Node {
            name: "before".to_owned(),
            op,
            inputs: vec![last],
            len: 2,
            shape: None,
            weights: Weights::default(),
        });
        last = ValueId(1);
    }
    nodes.push(Node {
        name: "trees".to_owned(),
        op: Op::TreeEnsemble(TreeEnsemble {
            trees: trees.into_iter().map(|nodes| Tree { nodes }).collect(),
            targets: 1,
            aggregate,
            base: vec![0.25],
        }),
        inputs: vec![last],
        len: 1,
        shape: None,
        weights: Weights::default(),
    });
    Graph {
        inputs: vec![Input {
            name: "x".to_owned(),
            shape: vec![1, 2],
            element: Element::Float32,
        }],
        outputs: vec![Output {
            name: "y".to_owned(),
            value: ValueId(nodes.len()),
            shape: vec![1, 1],
            kind: OutputKind::Real,
        }],
        nodes,
        notes: Vec::new(),
    }
}

fn compile(graph: &Graph) -> Result<Program, ModelError> {
    let samples: Vec<_> = [-1.0, 0.5, 2.0].map(|x| vec![vec![x, 0.0]]).to_vec();
    let calibration = Calibration::measure(graph, &samples, 1.5)?;
    let program = Program::compile(graph, &calibration, 8)?;
    program.validate()?;
    Ok(program)
}

fn score(program: &Program, x: f64) -> f64 {
    let cells = program.execute(&program.quantize(&[vec![x, 0.0]]).unwrap()).unwrap();
    program.dequantize_outputs(&cells)[0][0]
}

fn scaled(steps: Vec<SingleStep>) -> Op {
    let rows = [0, 1].map(|index| SingleRow {
        index,
        steps: steps.clone(),
    });
    Op::Singles { rows: rows.to_vec() }
}

#[test]
fn computed_features_are_refused_by_name() {
    let dense = AffineRow {
        terms: vec![(0, 1.0), (1, 1.0)],
        bias: 0.0,
    };
    let affine = Op::Affine {
        rows: vec![dense.clone(), dense],
    };
    let zero = scaled(vec![SingleStep::Times(0.0)]);
    for before in [affine, Op::Relu, zero] {
        let refusal = compile(&graph(Some(before), vec![stump(BranchMode::Less, 1.0)], Aggregate::Sum));
        let message = refusal.unwrap_err().to_string();
        assert!(
            message.starts_with("trees: compares feature 0, which is computed") && message.contains("float32 Scaler"),
            "{message}"
        );
    }
}

/// No bin, no walk and no memory, whatever the aggregation: the circuit has nothing to prove of such trees.
#[test]
fn trees_that_ask_nothing_are_constants() {
    let settled = [
        stump(BranchMode::Less, f32::NEG_INFINITY),
        stump(BranchMode::Greater, f32::INFINITY),
    ];
    for (aggregate, expected) in [
        (Aggregate::Sum, -1.5),
        (Aggregate::Average, -0.333_333),
        (Aggregate::Min, -0.75),
        (Aggregate::Max, 0.5),
    ] {
        let trees = [vec![leaf(0.25)]].into_iter().chain(settled.clone()).collect();
        let program = compile(&graph(None, trees, aggregate)).unwrap();
        assert!(program.memory.is_empty());
        assert!(
            !program
                .steps
                .iter()
                .any(|step| matches!(step, Step::Tree(_) | Step::Bin { .. }))
        );
        assert!((score(&program, 7.0) - expected).abs() < 1e-3, "{aggregate:?}");
    }
}

/// One bin serves an input however it is scaled, and both ways round.
#[test]
fn scaled_features_share_the_bin_of_their_input() {
    let turned = scaled(vec![SingleStep::Plus(-1.0), SingleStep::Times(-3.0)]);
    let trees = vec![stump(BranchMode::Less, 1.5), stump(BranchMode::GreaterOrEqual, 1.5)];
    let graph = graph(Some(turned), trees, Aggregate::Sum);
    let program = compile(&graph).unwrap();
    let bins = program.steps.iter().filter(|step| matches!(step, Step::Bin { .. }));
    assert_eq!(bins.count(), 1);
    for x in [
        0.5_f32,
        0.5_f32.next_up(),
        0.5_f32.next_down(),
        f32::INFINITY,
        f32::NEG_INFINITY,
    ] {
        let expected = graph.evaluate(&[vec![f64::from(x), 0.0]]).unwrap()[2][0];
        assert!((score(&program, f64::from(x)) - expected).abs() < 1e-3, "{x}");
    }
}

/// A prover may put the integer of −0's bits where a number should stand: it is taken for the largest negative number.
#[test]
fn the_integer_between_the_numbers_is_no_third_sign() {
    let trees = vec![
        stump(BranchMode::LessOrEqual, -1e-45),
        stump(BranchMode::Less, 0.0),
        stump(BranchMode::Equal, -1e-45),
        stump(BranchMode::NotEqual, 0.0),
    ];
    let program = compile(&graph(None, trees, Aggregate::Sum)).unwrap();
    let tables = program.steps.iter().filter_map(|step| match step {
        Step::Bin { table, .. } => Some(*table),
        _ => None,
    });
    for table in tables {
        let below = ordered(-1e-45);
        assert_eq!(program.bin(table, below), program.bin(table, below + 1));
        assert_eq!(below + 2, ordered(0.0));
    }
}

/// Inputs that only trees compare have no range, and may be infinite in samples; a range where one is needed stays.
#[test]
fn compared_inputs_are_not_calibrated() {
    let graph = graph(None, vec![stump(BranchMode::Less, 1.0)], Aggregate::Sum);
    let sample = |x: f64| vec![vec![x, 1.0]];
    let calibration = Calibration::measure(&graph, &[sample(f64::INFINITY), sample(0.0)], 4.0).unwrap();
    assert_eq!(calibration.inputs, [[None, None]]);
    assert!(matches!(
        Calibration::measure(&graph, &[sample(f64::NAN)], 4.0),
        Err(ModelError::NotFinite { .. })
    ));
    // A calibration that lacks a range which is needed.
    let mut relu = graph;
    relu.nodes[0].op = Op::Relu;
    relu.nodes[0].len = 2;
    relu.outputs[0].shape = vec![1, 2];
    assert!(matches!(
        Program::compile(&relu, &calibration, 8),
        Err(ModelError::CalibrationMismatch { .. })
    ));
}

/// Integers are exact or refused: at eight-bit limbs a cell holds 2^16 of them.
#[test]
fn integers_that_no_cell_holds_are_refused() {
    for (largest, limb_bits, fits) in [(60_000.0, 8, true), (70_000.0, 8, false), (70_000.0, 9, true)] {
        let mut graph = graph(None, vec![], Aggregate::Sum);
        graph.inputs[0].element = Element::Int64;
        graph.nodes[0].op = Op::Affine {
            rows: vec![AffineRow {
                terms: vec![(0, 1.0), (1, 1.0)],
                bias: 0.0,
            }],
        };
        let samples = vec![vec![vec![0.0, largest]], vec![vec![1.0, 0.0]]];
        let calibration = Calibration::measure(&graph, &samples, 1.0).unwrap();
        let compiled = Program::compile(&graph, &calibration, limb_bits);
        match compiled {
            Ok(program) => {
                assert!(fits, "{largest} at {limb_bits} bits");
                assert!(program.inputs.iter().all(|input| input.format.scale >= 0));
            }
            Err(ModelError::Unsupported { node, reason }) => {
                assert!(
                    !fits && node == "input x[1]" && reason.contains("70000"),
                    "{node}: {reason}"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a file says of saturation may name any cell.
#[test]
fn limits_of_cells_that_are_not_there_are_refused() {
    let mut relu = graph(None, vec![], Aggregate::Sum);
    relu.nodes[0].op = Op::Relu;
    relu.nodes[0].len = 2;
    relu.outputs[0].shape = vec![1, 2];
    let program = compile(&relu).unwrap();
    assert_eq!(program.limited.len(), 1);
    assert_eq!(
        (program.limited[0].name.as_str(), program.limited_values()),
        ("trees", 2)
    );
    let mut forged = program;
    forged.limited[0].limits[0].cell = crate::CellId(u32::MAX);
    assert!(matches!(forged.validate(), Err(ModelError::MalformedProgram { .. })));
}
