//! Trees beyond comparisons and sums: equality, `float32` arithmetic before them, MIN and MAX, the largest of several
//! scores. Accepted where they are honest, and every lie about the cells in between rejected.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};
use zkverdict::models::{
    Aggregate, BranchMode, Calibration, CellId, Fidelity, Finish, Graph, Op, OutputKind, Program, SingleRow,
    SingleStep, Source, Step, Tree, TreeEnsemble, TreeNode,
};

use crate::support::{
    Sample,
    graphs::{GraphBuilder, X},
    report,
    traces::Case,
};

fn branch(feature: usize, mode: BranchMode, threshold: f32, holds: usize, otherwise: usize) -> TreeNode {
    TreeNode::Branch {
        feature,
        mode,
        threshold,
        missing_holds: false,
        holds,
        otherwise,
    }
}

fn leaf(weights: &[(usize, f32)]) -> TreeNode {
    TreeNode::Leaf {
        weights: weights.to_vec(),
    }
}

/// What is done to the last feature.
const STEPS: [SingleStep; 3] = [SingleStep::Plus(0.1), SingleStep::Times(-1.7), SingleStep::Over(0.9)];
/// A number whose scaled one some condition asks for.
const EQUAL: f32 = 0.23;

/// Two trees of three leaves and one of two; weights of the targets by leaf, `None` where a leaf gives none.
fn trees(weights: [&[(usize, f32)]; 8]) -> Vec<Tree> {
    let [a, b, c, d, e, f, g, h] = weights.map(leaf);
    let first = vec![
        branch(0, BranchMode::Equal, 0.5, 1, 2),
        a,
        branch(2, BranchMode::Less, -0.3, 3, 4),
        b,
        c,
    ];
    let second = vec![
        branch(1, BranchMode::NotEqual, -0.25, 1, 4),
        branch(0, BranchMode::LessOrEqual, 0.5, 2, 3),
        d,
        e,
        f,
    ];
    let scaled = STEPS.iter().fold(EQUAL, |value, step| step.apply(value));
    let third = vec![branch(2, BranchMode::Equal, scaled, 1, 2), g, h];
    [first, second, third].into_iter().map(|nodes| Tree { nodes }).collect()
}

fn ensemble(weights: [&[(usize, f32)]; 8], targets: usize, aggregate: Aggregate) -> Op {
    Op::TreeEnsemble(TreeEnsemble {
        trees: trees(weights),
        targets,
        aggregate,
        base: vec![0.125; targets],
    })
}

/// MIN, MAX with leaves that take no part, and the largest of three sums.
fn graph() -> Graph {
    let mut builder = GraphBuilder::new(3);
    let rows = vec![
        SingleRow {
            index: 0,
            steps: vec![],
        },
        SingleRow {
            index: 1,
            steps: vec![],
        },
        SingleRow {
            index: 2,
            steps: STEPS.to_vec(),
        },
    ];
    let scaled = builder.map(Op::Singles { rows }, X);
    let one = [
        &[(0, 1.0)][..],
        &[(0, -2.0)],
        &[(0, 0.5)],
        &[(0, 0.75)],
        &[(0, -1.0)],
        &[(0, 3.0)],
        &[(0, -0.5)],
        &[(0, 2.0)],
    ];
    let least = builder.node(ensemble(one, 1, Aggregate::Min), scaled, 1);
    let some = [
        &[(0, 1.0)][..],
        &[(1, -2.0)],
        &[],
        &[(1, -0.75)],
        &[(0, -1.0)],
        &[],
        &[(1, -1.5)],
        &[(0, -2.0)],
    ];
    let most = builder.node(ensemble(some, 2, Aggregate::Max), scaled, 2);
    let three = [
        &[(0, 1.0), (1, 1.0)][..],
        &[(1, -2.0), (2, 0.1)],
        &[(0, 0.3), (2, 0.3)],
        &[(1, 2.0)],
        &[(0, 0.5), (1, 0.5), (2, 0.5)],
        &[(2, 1.0)],
        &[(0, -0.25), (2, 0.2)],
        &[(0, 0.5), (1, 0.25), (2, 0.125)],
    ];
    let scores = builder.node(ensemble(three, 3, Aggregate::Sum), scaled, 3);
    let label = builder.node(Op::ArgMax { classes: 3 }, scores, 1);
    builder.output("label", label, OutputKind::Index);
    builder.output("least", least, OutputKind::Real);
    builder.output("most", most, OutputKind::Real);
    builder.output("scores", scores, OutputKind::Real);
    builder.finish()
}

/// Inputs that hit the constants of equality conditions: quarters, and `EQUAL` and its neighbours.
fn samples(count: usize) -> Vec<Sample> {
    let mut rng = StdRng::seed_from_u64(5);
    (0..count)
        .map(|_| {
            let mut quarter = || f64::from(rng.gen_range(-4_i16..=4)) / 4.0;
            let mut row = vec![quarter(), quarter(), quarter()];
            let ulps = rng.gen_range(-4_i32..=4);
            if rng.gen_bool(0.6) {
                row[2] = f64::from(f32::from_bits((EQUAL.to_bits() as i32 + ulps) as u32));
            }
            vec![row]
        })
        .collect()
}

fn case(limb_bits: u32, lanes: usize) -> Case {
    let graph = graph();
    let calibration = Calibration::measure(&graph, &samples(200), 1.5).unwrap();
    Case::new(Program::compile(&graph, &calibration, limb_bits).unwrap(), lanes)
}

#[test]
fn conditions_and_extremes_are_proven_as_they_are() {
    let graph = graph();
    let samples = samples(400);
    // Every condition is met on both sides.
    for (feature, value) in [(0, 0.5), (1, -0.25)] {
        let equal = samples.iter().filter(|sample| sample[0][feature] == value).count();
        assert!(equal > 20 && equal < 380);
    }
    for (limb_bits, lanes) in [(8, 1), (8, 4), (10, 2)] {
        let case = case(limb_bits, lanes);
        let fidelity = Fidelity::measure(&case.program, &graph, &samples).unwrap();
        assert_eq!(fidelity.equal_decisions, 400, "{fidelity:?}");
        assert_eq!(fidelity.refused, 0);
        assert!(fidelity.max_error < 2e-4, "{fidelity:?}");
        for sample in &samples[..4] {
            let cells = case.cells(sample);
            case.assert_accepts(case.trace(&cells), case.instance(&cells));
        }
    }
}

/// Bins, the bits of equality, weights, totals, extremes and marks: each changed by itself with everything after it
/// computed from the lie.
#[test]
fn forged_cells_are_rejected_with_everything_that_follows() {
    let case = case(8, 1);
    let (mut tried, mut skipped) = (0, 0);
    for sample in &samples(2) {
        let honest = case.cells(sample);
        let counts = case.assert_forged_cells_are_rejected(&honest, |value| vec![value + 1, value - 1, 1 - value]);
        tried += counts.0;
        skipped += counts.1;
    }
    report!("forged cells of trees: {tried} rejected, {skipped} without a trace");
    assert!(tried > 100);
}

/// The bit that says whether a number equals a constant, turned around: the walk and its leaf follow the lie.
#[test]
fn a_forged_equality_is_rejected() {
    let case = case(8, 1);
    let bits: Vec<CellId> = case.program.steps.iter().flat_map(indicator).collect();
    // One per constant and ensemble: the walks of one ensemble share them.
    assert_eq!(bits.len(), 9);
    for sample in &samples(4) {
        let honest = case.cells(sample);
        for bit in &bits {
            let forged = BTreeMap::from([(*bit, 1 - honest[bit.index()])]);
            let cells = case.cells_with(&honest, &forged);
            assert!(!case.failures(case.forge(&cells), case.instance(&cells)).is_empty());
        }
    }
}

fn indicator(step: &Step) -> Option<CellId> {
    let Step::Layer(layer) = step else { return None };
    match (layer.inputs.as_slice(), layer.sums.as_slice()) {
        ([_], [sum]) if sum.weights == [1 << 32] && sum.bias == 0 => match sum.finish {
            Finish::Lookup { output, .. } => Some(output),
            _ => None,
        },
        _ => None,
    }
}

/// Another candidate named the largest, its bit and its value put in place of the maximum's: the best lie about MIN and
/// MAX, and about the largest of several scores.
#[test]
fn a_forged_extreme_is_rejected() {
    let case = case(8, 1);
    let extremes: Vec<(CellId, Vec<zkverdict::models::Combination>, Vec<CellId>)> = case
        .program
        .steps
        .windows(2)
        .filter_map(|pair| match pair {
            [
                Step::Witness {
                    cells: peak,
                    source: Source::Maximum(among),
                    ..
                },
                Step::Witness { cells: bits, .. },
            ] => Some((peak[0], among.clone(), bits.clone())),
            _ => None,
        })
        .collect();
    // MIN, two of MAX, ArgMax.
    assert_eq!(extremes.len(), 4);
    let mut tried = 0;
    for sample in &samples(6) {
        let honest = case.cells(sample);
        for (peak, among, bits) in &extremes {
            for (chosen, candidate) in among.iter().enumerate() {
                if honest[bits[chosen].index()] == 1 {
                    continue;
                }
                let mut forged: BTreeMap<CellId, i64> = bits
                    .iter()
                    .enumerate()
                    .map(|(index, bit)| (*bit, i64::from(index == chosen)))
                    .collect();
                forged.insert(*peak, candidate.value(&honest));
                let cells = case.cells_with(&honest, &forged);
                assert!(!case.failures(case.forge(&cells), case.instance(&cells)).is_empty());
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

/// A calibration keeps what it knows, and what it need not know, in its file's form.
#[test]
fn calibrations_of_trees_survive_their_file() {
    let infinite = vec![vec![f64::INFINITY, f64::NEG_INFINITY, 0.0]];
    let calibration = Calibration::measure(&graph(), &[infinite, samples(1).remove(0)], 4.0).unwrap();
    assert_eq!(calibration.inputs, [[None; 3]]);
    let text = serde_json::to_string(&calibration).unwrap();
    assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration);
}

/// A model whose trees ask nothing has no walk; what is left of it is proven without the columns of trees.
#[test]
fn constant_trees_are_proven() {
    let mut builder = GraphBuilder::new(2);
    let constant = Tree {
        nodes: vec![leaf(&[(0, 0.25), (1, 1.5)])],
    };
    let op = Op::TreeEnsemble(TreeEnsemble {
        trees: vec![constant.clone(), constant],
        targets: 2,
        aggregate: Aggregate::Sum,
        base: vec![0.0, 0.5],
    });
    let scores = builder.node(op, X, 2);
    let label = builder.node(Op::ArgMax { classes: 2 }, scores, 1);
    builder.output("label", label, OutputKind::Index);
    builder.output("scores", scores, OutputKind::Real);
    let graph = builder.finish();
    for lanes in [1, 2] {
        let case = Case::from_graph(&graph, 8, lanes);
        let cells = case.cells(&vec![vec![0.5, 1.0]]);
        let outputs = case.program.dequantize_outputs(&cells);
        assert_eq!(outputs[0], [1.0]);
        assert!((outputs[1][0] - 0.5).abs() < 1e-3 && (outputs[1][1] - 3.5).abs() < 1e-3);
        case.assert_accepts(case.trace(&cells), case.instance(&cells));
    }
}
