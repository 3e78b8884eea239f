//! Committed models: one circuit for all of an architecture, each bound by one hash, and liars about their weights.

use halo2_proofs::halo2curves::bn256::Fr;
use rand::Rng;
use zkverdict::{
    circuits::{AdviceColumn, CompiledModel, Layout, ModelCommitment, PublicInputs, Trace, Visibility},
    models::{Calibration, Comparison, Graph, Op, OutputKind, ParameterFormats, Program, Step, Weights},
};

use crate::support::{
    graphs::{GraphBuilder, X, mlp, rng, samples},
    traces::{Case, power_of_two},
};

const COMMITTED: PublicInputs = PublicInputs {
    model: Visibility::Committed,
    ..PublicInputs::DEFAULT
};

/// A graph's program with its weights committed to, beside one of another model: the same graph, trained differently.
struct Twins {
    graph: Graph,
    ours: Program,
    theirs: Program,
}

impl Twins {
    /// `limbs` is how many a weight has.
    fn new(graph: Graph, limb_bits: u32, limbs: u32) -> Self {
        let samples = samples(&graph, 64, &mut rng(1));
        let calibration = Calibration::measure(&graph, &samples, 1.5).unwrap();
        let compile = |graph: &Graph, formats: ParameterFormats<'_>| {
            Program::compile_committed(graph, &calibration, limb_bits, &[], formats).unwrap()
        };
        let ours = compile(
            &graph,
            ParameterFormats::Measured {
                weight_bits: limbs * limb_bits,
            },
        );
        let theirs = compile(&trained_again(&graph), ParameterFormats::Of(&ours));
        Self { graph, ours, theirs }
    }

    fn case(&self, program: &Program, lanes: usize, public: PublicInputs) -> Case {
        Case::showing(program.clone(), lanes, public)
    }
}

/// Other weights and biases, no larger; some are zero.
fn trained_again(graph: &Graph) -> Graph {
    let mut rng = rng(77);
    let mut graph = graph.clone();
    for node in graph.nodes.iter_mut().filter(|node| node.weights == Weights::Learned) {
        let Op::Affine { rows } = &mut node.op else { continue };
        for row in rows {
            row.bias *= rng.gen_range(-1.0..1.0);
            for (_, weight) in &mut row.terms {
                *weight *= if rng.gen_bool(0.2) {
                    0.0
                } else {
                    rng.gen_range(-1.0..1.0)
                };
            }
        }
    }
    graph
}

/// A logistic regression behind an encoder, as exporters write it: the logits are read twice.
fn regression(inputs: usize) -> Graph {
    let mut builder = GraphBuilder::new(inputs);
    let encoded = builder.encode_first(vec![0, 1, 4]);
    let logit = builder.dense(encoded, 1, &mut rng(3));
    let probability = builder.map(Op::Sigmoid, logit);
    let compare = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.0],
    };
    let decision = builder.map(compare, logit);
    builder.output("label", decision, OutputKind::Bool);
    builder.output("probability", probability, OutputKind::Real);
    builder.finish()
}

fn graphs() -> Vec<Graph> {
    let mut regression_of_three = GraphBuilder::new(5);
    let sums = regression_of_three.dense(X, 3, &mut rng(4));
    regression_of_three.output("sums", sums, OutputKind::Real);
    vec![
        regression(4),
        mlp(3, &[4, 3], &mut rng(8)),
        regression_of_three.finish(),
    ]
}

#[test]
fn committed_models_are_proven() {
    for graph in graphs() {
        for limbs in [1, 2] {
            let twins = Twins::new(graph.clone(), 8, limbs);
            for lanes in [1, 2, 4] {
                for program in [&twins.ours, &twins.theirs] {
                    let case = twins.case(program, lanes, COMMITTED);
                    for sample in samples(&twins.graph, 3, &mut rng(42)) {
                        let cells = case.cells(&sample);
                        case.assert_accepts(case.trace(&cells), case.instance(&cells));
                    }
                }
            }
        }
    }
}

/// Nothing that anybody else sees depends on a weight: not the program without them, not the layout.
#[test]
fn all_models_of_an_architecture_have_one_circuit() {
    for graph in graphs() {
        for limbs in [1, 2] {
            let twins = Twins::new(graph.clone(), 8, limbs);
            assert_ne!(twins.ours, twins.theirs);
            assert_eq!(twins.ours.architecture(), twins.theirs.architecture());
            let layout =
                |program: &Program| format!("{:?}", Layout::new(program, 1, &[], COMMITTED).unwrap().bound_cells());
            assert_eq!(layout(&twins.ours), layout(&twins.ours.architecture()));
            let parameters = twins.theirs.parameters().unwrap();
            assert_eq!(twins.ours.with_parameters(&parameters).unwrap(), twins.theirs);
        }
    }
}

struct Honest {
    case: Case,
    trace: Trace,
    instance: Vec<Fr>,
}

impl Honest {
    fn of(case: Case, graph: &Graph) -> Self {
        let cells = case.cells(&samples(graph, 1, &mut rng(42))[0]);
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(trace.clone(), instance.clone()), Ok(()));
        Self { case, trace, instance }
    }

    fn rejects(&self, what: &str, trace: &Trace, instance: &[Fr]) {
        let mut trace = trace.clone();
        trace.count_lookups(&self.case.layout);
        assert!(
            self.case.accepts(trace, instance.to_vec()).is_err(),
            "{what} was accepted"
        );
    }
}

/// Every bound cell, weights, biases, packed elements and running sums among them, one at a time.
#[test]
fn perturbed_cells_of_committed_models_are_rejected() {
    for (limbs, lanes, thin) in [(1, 1, 1), (2, 1, 3), (1, 2, 5)] {
        let graph = mlp(3, &[3], &mut rng(8));
        let twins = Twins::new(graph, 6, limbs);
        let honest = Honest::of(twins.case(&twins.ours, lanes, COMMITTED), &twins.graph);
        let amounts = [
            Fr::one(),
            -Fr::one(),
            Fr::from(64),
            power_of_two(126),
            Fr::from(2).invert().unwrap(),
        ];
        let mut cells = honest.case.layout.bound_cells();
        cells.retain(|(column, _)| *column != AdviceColumn::Multiplicity);
        cells.sort_unstable();
        cells.dedup();
        assert!(cells.len() > 500);
        for (index, (column, row)) in cells.into_iter().enumerate().step_by(thin) {
            let mut trace = honest.trace.clone();
            trace.column_mut(column)[row] += amounts[index % amounts.len()];
            honest.rejects(&format!("{column:?} in row {row} changed"), &trace, &honest.instance);
        }
    }
}
