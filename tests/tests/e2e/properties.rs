//! Random models: compiled, evaluated, proven by the mock prover, in many widths.

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use rand::{SeedableRng, rngs::StdRng};
use zkverdict::models::{Calibration, Comparison, Fidelity, Graph, Norm, Op, OutputKind, Program, ValueId};

use crate::support::{
    graphs::{CATEGORIES, GraphBuilder, X, samples},
    report,
    traces::Case,
};

const CASES: u32 = 128;

/// The largest error of a real output at `limb_bits`, for networks as deep as these: the chord of a curve over one of its
/// `2^(L−1)` segments of `[−8, 8)` is off by at most `h²/16·max|f''|` with `h = 2^(5−L)`, and at most three layers with a gain
/// of about 2 follow.
fn error_bound(limb_bits: u32) -> f64 {
    let segment = f64::powi(2.0, 5 - limb_bits as i32);
    segment * segment / 2.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Relu,
    Clip,
    Sigmoid,
    Dense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Real,
    Sigmoid,
    Softmax,
    ArgMax,
    Compare,
    Shares,
}

#[derive(Debug, Clone)]
struct Recipe {
    inputs: usize,
    encodes: bool,
    hidden: Vec<(usize, Hidden)>,
    outputs: usize,
    head: Head,
    seed: u64,
    limb_bits: u32,
    lanes: usize,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let kind = prop_oneof![
        Just(Hidden::Relu),
        Just(Hidden::Clip),
        Just(Hidden::Sigmoid),
        Just(Hidden::Dense)
    ];
    let head = prop_oneof![
        Just(Head::Real),
        Just(Head::Sigmoid),
        Just(Head::Softmax),
        Just(Head::ArgMax),
        Just(Head::Compare),
        Just(Head::Shares)
    ];
    (
        (
            1_usize..6,
            any::<bool>(),
            prop::collection::vec((1_usize..6, kind), 0..3),
        ),
        (
            1_usize..5,
            head,
            any::<u64>(),
            7_u32..10,
            prop::sample::select(vec![1_usize, 2, 3, 4, 8]),
        ),
    )
        .prop_map(
            |((inputs, encodes, hidden), (outputs, head, seed, limb_bits, lanes))| Recipe {
                inputs,
                encodes,
                hidden,
                outputs,
                head,
                seed,
                limb_bits,
                lanes,
            },
        )
}

impl Recipe {
    fn graph(&self) -> Graph {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut builder = GraphBuilder::new(self.inputs);
        let mut last = if self.encodes {
            builder.encode_first(CATEGORIES.to_vec())
        } else {
            X
        };
        for (width, kind) in &self.hidden {
            last = builder.dense(last, *width, &mut rng);
            last = match kind {
                Hidden::Relu => builder.map(Op::Relu, last),
                Hidden::Clip => builder.map(Op::Clip { min: -0.5, max: 1.0 }, last),
                Hidden::Sigmoid => builder.map(Op::Sigmoid, last),
                Hidden::Dense => last,
            };
        }
        let logits = builder.dense(last, self.outputs, &mut rng);
        self.head(&mut builder, logits);
        builder.finish()
    }

    fn head(&self, builder: &mut GraphBuilder, logits: ValueId) {
        let classes = self.outputs;
        match self.head {
            Head::Real => builder.output("y", logits, OutputKind::Real),
            Head::Sigmoid => {
                let probabilities = builder.map(Op::Sigmoid, logits);
                builder.output("p", probabilities, OutputKind::Real);
            }
            Head::Softmax => {
                let probabilities = builder.map(Op::Softmax { classes }, logits);
                builder.output("p", probabilities, OutputKind::Real);
            }
            Head::ArgMax => {
                let label = builder.node(Op::ArgMax { classes }, logits, 1);
                builder.output("label", label, OutputKind::Index);
                builder.output("y", logits, OutputKind::Real);
            }
            Head::Compare => {
                let comparison = Comparison::Greater;
                let thresholds = vec![0.125; classes];
                let bits = builder.map(Op::Compare { comparison, thresholds }, logits);
                builder.output("bits", bits, OutputKind::Bool);
                builder.output("y", logits, OutputKind::Real);
            }
            Head::Shares => {
                let odds = builder.map(Op::Sigmoid, logits);
                let norm = Norm::L1;
                let shares = builder.map(Op::Normalize { norm, width: classes }, odds);
                builder.output("shares", shares, OutputKind::Real);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Findings {
    cases: usize,
    /// Largest share of the bound that an error took.
    worst: f64,
    decisions: usize,
    equal: usize,
}

fn check(recipe: &Recipe, findings: &mut Findings) -> Result<(), TestCaseError> {
    let graph = recipe.graph();
    let mut rng = StdRng::seed_from_u64(recipe.seed ^ 1);
    let all = samples(&graph, 60, &mut rng);
    let calibration = Calibration::measure(&graph, &all, 1.5).unwrap();
    let program = Program::compile(&graph, &calibration, recipe.limb_bits)
        .map_err(|error| TestCaseError::fail(format!("does not compile: {error}")))?;
    program.validate().unwrap();
    let fidelity = Fidelity::measure(&program, &graph, &all).unwrap();
    prop_assert_eq!(fidelity.refused, 0);
    let bound = error_bound(recipe.limb_bits);
    prop_assert!(
        fidelity.max_error <= bound,
        "error {} over {}",
        fidelity.max_error,
        bound
    );
    // A decision may differ only where the floats are as close as the error.
    findings.decisions += fidelity.decisions;
    findings.equal += fidelity.equal_decisions;
    findings.worst = findings.worst.max(fidelity.max_error / bound);
    findings.cases += 1;

    let case = Case::new(program, recipe.lanes);
    for sample in &all[..2] {
        let cells = case.cells(sample);
        let failures = case.failures(case.trace(&cells), case.instance(&cells));
        prop_assert!(
            failures.is_empty(),
            "{} failures, first: {}",
            failures.len(),
            failures[0]
        );
        // One output cell off by one is refused: the circuit says something.
        let mut wrong = case.instance(&cells);
        *wrong.last_mut().unwrap() += halo2_proofs::halo2curves::bn256::Fr::one();
        prop_assert!(!case.failures(case.trace(&cells), wrong).is_empty());
    }
    Ok(())
}

#[test]
fn random_models_prove_what_they_compute() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // The same models every time: a failure is found again.
    let mut runner = TestRunner::new_with_rng(
        config.clone(),
        proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
    );
    let findings = std::cell::RefCell::new(Findings::default());
    runner
        .run(&recipes(), |recipe| check(&recipe, &mut findings.borrow_mut()))
        .unwrap();
    let findings = findings.into_inner();
    report!(
        "{} random models: the largest error took {:.0}% of its bound; {} of {} decisions equal",
        findings.cases,
        100.0 * findings.worst,
        findings.equal,
        findings.decisions
    );
    assert!(findings.equal * 100 >= findings.decisions * 99);
}
