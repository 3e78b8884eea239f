//! Committed ensembles: one circuit for all of a size, each bound by one hash, and what a malicious prover, or a malicious
//! owner of a model, may try.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::keygen_vk};
use serde_json::Value;
use zkverdict::{
    CalibrationFile, CompileOptions, Keys, Model, SecretModel,
    circuits::{
        AdviceColumn, Layout, PublicInputs, Trace, Visibility,
        chips::tree::{LEAF, NUMBER, NUMBER_ROWS, SUBTREE, SubtreePlaces, split_limbs},
    },
    compile,
    models::{
        Aggregate, BranchMode, Calibration, ForestBounds, Graph, ModelError, Op, OutputKind, ParameterFormats, Program,
        Step, Tree, TreeEnsemble, TreeNode, TreePath,
    },
    prove,
};

use crate::support::{
    Example, Sample, development_srs,
    graphs::{GraphBuilder, X, forest, rng, samples},
    report, shared,
    traces::{Case, power_of_two},
};

const COMMITTED: PublicInputs = PublicInputs {
    model: Visibility::Committed,
    ..PublicInputs::DEFAULT
};
const FEATURES: usize = 3;
const LIMB_BITS: u32 = 8;

fn graph(trees: usize, depth: usize, seed: u64) -> Graph {
    forest(FEATURES, trees, depth, &mut rng(seed))
}

fn calibration(graph: &Graph) -> Calibration {
    Calibration::measure(graph, &samples(graph, 64, &mut rng(1)), 1.5).unwrap()
}

fn compiled(graph: &Graph, calibration: &Calibration, formats: ParameterFormats<'_>) -> Result<Program, ModelError> {
    Program::compile_committed(graph, calibration, LIMB_BITS, &[], formats)
}

fn measured() -> ParameterFormats<'static> {
    ParameterFormats::Measured {
        weight_bits: LIMB_BITS,
        forest: ForestBounds::default(),
    }
}

/// An ensemble's program beside that of another one, trained anew: fewer trees, less deep.
pub(crate) struct Twins {
    pub(crate) graph: Graph,
    pub(crate) ours: Program,
    pub(crate) theirs: Program,
}

impl Twins {
    pub(crate) fn new(depth: usize) -> Self {
        let (graph, other) = (graph(4, depth, depth as u64), graph(3, depth.div_ceil(2), 99));
        let calibration = calibration(&graph);
        let ours = compiled(&graph, &calibration, measured()).unwrap();
        let theirs = compiled(&other, &calibration, ParameterFormats::Of(&ours)).unwrap();
        Self { graph, ours, theirs }
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        samples(&self.graph, 6, &mut rng(42))
    }
}

fn case(program: &Program, lanes: usize) -> Case {
    Case::showing(program.clone(), lanes, COMMITTED)
}

fn trees(program: &mut Program) -> Vec<&mut TreePath> {
    let paths = program.steps.iter_mut().filter_map(|step| match step {
        Step::Tree(path) => Some(path),
        _ => None,
    });
    paths.collect()
}

#[test]
fn committed_trees_are_proven() {
    for depth in [1, 2, 3, 4, 5] {
        let twins = Twins::new(depth);
        for lanes in [1, 2] {
            for program in [&twins.ours, &twins.theirs] {
                let case = case(program, lanes);
                for sample in twins.samples().iter().take(2) {
                    let cells = case.cells(sample);
                    case.assert_accepts(case.trace(&cells), case.instance(&cells));
                }
            }
        }
    }
}

#[test]
fn committed_trees_decide_as_public_ones() {
    for depth in [1, 3, 4, 6] {
        let graph = graph(5, depth, 7 + depth as u64);
        let calibration = calibration(&graph);
        let public = Program::compile(&graph, &calibration, LIMB_BITS).unwrap();
        let committed = compiled(&graph, &calibration, measured()).unwrap();
        let run = |program: &Program, sample: &Sample| {
            let cells = program.execute(&program.quantize(sample).unwrap()).unwrap();
            program.dequantize_outputs(&cells)
        };
        for sample in samples(&graph, 300, &mut rng(5)) {
            let (ours, theirs) = (run(&committed, &sample), run(&public, &sample));
            assert_eq!(ours[0], theirs[0], "labels");
            for (ours, theirs) in ours.iter().flatten().zip(theirs.iter().flatten()) {
                assert!((ours - theirs).abs() < 1e-3, "{ours} beside {theirs}");
            }
        }
    }
}

/// Labels on every row; scores up to the rounding of leaves and outputs.
fn decides_as_public(name: &str, model: &Model, calibration: &CalibrationFile, rows: &[Sample]) {
    let program = |public: PublicInputs| {
        let options = CompileOptions {
            public,
            ..CompileOptions::default()
        };
        compile(model, calibration, &options).unwrap().file.compiled.program
    };
    let (public, committed) = (program(PublicInputs::DEFAULT), program(COMMITTED));
    let mut most = 0.0_f64;
    for row in rows {
        let run = |program: &Program| {
            let cells = program.execute(&program.quantize(row).unwrap()).unwrap();
            program.dequantize_outputs(&cells)
        };
        for (output, (ours, theirs)) in public.outputs.iter().zip(run(&committed).iter().zip(&run(&public))) {
            match output.kind {
                OutputKind::Real => {
                    let errors = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
                    most = errors.fold(most, f64::max);
                }
                _ => assert_eq!(ours, theirs, "{name}"),
            }
        }
    }
    report!(
        "{name}: {} rows decided as by the public model, scores within {most:.1e}",
        rows.len()
    );
    assert!(most < 4e-4, "{name}: {most}");
    assert!(!rows.is_empty());
}

/// LightGBM, behind one-hot encoders.
#[test]
fn the_examples_decide_as_public_ones() {
    let credit = Example::CreditGbdt.pipeline();
    let rows = credit
        .model
        .samples(&Example::CreditGbdt.folder().join("inputs.csv"), &[]);
    decides_as_public("credit", &credit.model, &credit.calibration, &rows.unwrap());
    if let Some(table) = shared("data/tabular/UCI_Credit_Card.csv") {
        let default = Example::DefaultGbdt.pipeline();
        let unread = crate::decisions::UNREAD.map(str::to_owned);
        let rows = default.model.samples(&table, &unread).unwrap();
        decides_as_public("default", &default.model, &default.calibration, &rows);
    }
}

/// scikit-learn: boosting and single trees, classifiers and regressors.
#[test]
fn the_benchmarks_trees_decide_as_public_ones() {
    for name in ["gbdt_20x4", "gbdt_20x4_reg", "tree_d5", "tree_d5_reg"] {
        let Some(folder) = shared(&format!("bench/models/{name}")) else {
            return;
        };
        let model = Model::load(&folder.join("network.onnx")).unwrap();
        let mut rows = model.samples(&folder.join("calibration.json"), &[]).unwrap();
        let calibration = CalibrationFile::measure(&model, &rows, Calibration::DEFAULT_MARGIN).unwrap();
        let test: Value = serde_json::from_slice(&std::fs::read(folder.join("test.json")).unwrap()).unwrap();
        let numbers = |row: &Value| vec![serde_json::from_value(row.clone()).unwrap()];
        rows.extend(test["inputs"].as_array().unwrap().iter().map(numbers));
        decides_as_public(name, &model, &calibration, &rows);
    }
}

/// One key for two commitments to an ensemble, and the commitment is the public input.
#[test]
fn committed_ensembles_are_proven_by_one_key() {
    let credit = Example::CreditGbdt.pipeline();
    let options = CompileOptions {
        public: COMMITTED,
        ..CompileOptions::default()
    };
    let first = compile(&credit.model, &credit.calibration, &options).unwrap().file;
    let again = SecretModel::of(&first, &credit.model).unwrap();
    let second = first.clone().with_model(&again).unwrap();
    let keys = Keys::generate(&first, &development_srs(first.compiled.k)).unwrap();
    let sample = credit
        .model
        .samples(&Example::CreditGbdt.borderline(), &[])
        .unwrap()
        .remove(0);
    let mut commitments = Vec::new();
    for circuit in [&first, &second] {
        let (proof, _) = prove(circuit, &keys.proving, &sample, Fr::from(7)).unwrap();
        proof.verify(&keys.verifying).unwrap();
        assert_eq!(proof.proof.len(), circuit.plan.proof_bytes);
        let commitment = circuit.secret.as_ref().unwrap().commitment(circuit).unwrap();
        assert!(proof.public_inputs.contains(&commitment));
        commitments.push(commitment);
    }
    assert_ne!(commitments[0], commitments[1]);
}

/// Nothing that anybody else sees depends on the ensemble: not the program without it, not the key.
#[test]
fn all_ensembles_of_a_size_have_one_circuit() {
    for depth in [2, 3] {
        let twins = Twins::new(depth);
        assert_ne!(twins.ours, twins.theirs);
        assert!(twins.ours.has_architecture_of(&twins.theirs));
        let parameters = twins.theirs.parameters().unwrap();
        let theirs = twins.ours.architecture().with_parameters(&parameters).unwrap();
        assert_eq!(theirs.parameters().unwrap(), parameters);
        let key = |program: &Program| {
            let case = case(program, 1);
            let srs = development_srs(case.k);
            let key = keygen_vk(srs.params(), &case.compiled().circuit().unwrap()).unwrap();
            key.to_bytes(halo2_proofs::SerdeFormat::RawBytes)
        };
        let ours = key(&twins.ours);
        assert_eq!(ours, key(&twins.theirs));
        assert_eq!(ours, key(&twins.ours.architecture()));
        assert_eq!(ours, key(&twins.ours.with_zeros().unwrap()));
    }
}

#[test]
fn an_architecture_decides_nothing() {
    let architecture = Twins::new(2).ours.architecture();
    architecture.validate().unwrap();
    let inputs = vec![0; FEATURES];
    assert!(matches!(architecture.execute(&inputs), Err(ModelError::NoParameters)));
}

#[test]
fn larger_ensembles_are_refused() {
    let small = graph(3, 2, 1);
    let calibration = calibration(&small);
    let program = compiled(&small, &calibration, measured()).unwrap();
    for larger in [graph(5, 2, 1), graph(3, 4, 1)] {
        let refused = compiled(&larger, &calibration, ParameterFormats::Of(&program));
        assert!(matches!(refused, Err(ModelError::LargerForest { .. })), "{refused:?}");
    }
    let room = ParameterFormats::Measured {
        weight_bits: LIMB_BITS,
        forest: ForestBounds { trees: 6, depth: 4 },
    };
    let roomy = compiled(&small, &calibration, room).unwrap();
    for larger in [graph(6, 2, 1), graph(3, 4, 1)] {
        compiled(&larger, &calibration, ParameterFormats::Of(&roomy)).unwrap();
    }
}

fn refusal(mode: BranchMode, aggregate: Aggregate) -> String {
    let leaf = |weight| TreeNode::Leaf {
        weights: vec![(0, weight)],
    };
    let branch = TreeNode::Branch {
        feature: 0,
        mode,
        threshold: 0.5,
        missing_holds: false,
        holds: 1,
        otherwise: 2,
    };
    let tree = Tree {
        nodes: vec![branch, leaf(1.0), leaf(-1.0)],
    };
    let mut builder = GraphBuilder::new(2);
    let ensemble = TreeEnsemble {
        trees: vec![tree.clone(), tree],
        targets: 1,
        aggregate,
        base: vec![0.0],
    };
    let score = builder.node(Op::TreeEnsemble(ensemble), X, 1);
    builder.output("score", score, OutputKind::Real);
    let graph = builder.finish();
    compiled(&graph, &calibration(&graph), measured())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_cannot_be_committed_to_is_refused_with_the_remedy() {
    for (refusal, reason) in [
        (refusal(BranchMode::Equal, Aggregate::Sum), "equals a constant"),
        (refusal(BranchMode::Less, Aggregate::Max), "the largest of its trees"),
        (refusal(BranchMode::Less, Aggregate::Min), "the least"),
    ] {
        assert!(
            refusal.contains(reason) && refusal.contains("model=public"),
            "{refusal}"
        );
    }
}

struct Honest {
    case: Case,
    trace: Trace,
    instance: Vec<Fr>,
}

impl Honest {
    fn of(program: &Program, sample: &Sample) -> Self {
        let case = case(program, 1);
        let cells = case.cells(sample);
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(trace.clone(), instance.clone()), Ok(()));
        Self { case, trace, instance }
    }

    fn rejects(&self, what: &str, trace: &Trace) {
        let mut trace = trace.clone();
        trace.count_lookups(&self.case.layout);
        let verdict = self.case.accepts(trace, self.instance.clone());
        assert!(verdict.is_err(), "{what} was accepted");
    }

    /// Rows whose value is the entry of a committed tree: behind the features' memory.
    fn entries(&self) -> std::ops::Range<usize> {
        let first = 2 + NUMBER_ROWS * self.case.program.memory.len();
        let trees = self.case.program.committed_trees().len();
        first..first + trees
    }
}

/// Every bound cell one at a time: entries, their memory, limbs, distances, hashes.
#[test]
fn perturbed_cells_of_committed_trees_are_rejected() {
    let twins = Twins::new(2);
    let honest = Honest::of(&twins.ours, &twins.samples()[0]);
    let amounts = [
        Fr::one(),
        -Fr::one(),
        Fr::from(256),
        power_of_two(40),
        power_of_two(120),
        Fr::from(2).invert().unwrap(),
    ];
    let mut cells = honest.case.layout.bound_cells();
    cells.retain(|(column, _)| *column != AdviceColumn::Multiplicity);
    cells.sort_unstable();
    cells.dedup();
    for entry in honest.entries() {
        assert!(cells.contains(&(AdviceColumn::Value, entry)) && cells.contains(&(AdviceColumn::Memory, entry)));
    }
    assert!(cells.len() > 1000);
    for (index, (column, row)) in cells.into_iter().enumerate().step_by(3) {
        let mut trace = honest.trace.clone();
        trace.column_mut(column)[row] += amounts[index % amounts.len()];
        honest.rejects(&format!("{column:?} in row {row} changed"), &trace);
    }
}

/// A consistent proof of another ensemble, under the commitment to this one.
#[test]
fn another_ensemble_under_the_commitment_is_rejected() {
    for depth in [2, 3] {
        let twins = Twins::new(depth);
        for sample in twins.samples() {
            let honest = Honest::of(&twins.ours, &sample);
            let theirs = case(&twins.theirs, 1);
            let cells = theirs.cells(&sample);
            let mut instance = theirs.instance(&cells);
            let mut trace = theirs.trace(&cells);
            trace.count_lookups(&honest.case.layout);
            // The circuits are one: their own commitment is accepted.
            assert_eq!(honest.case.accepts(trace.clone(), instance.clone()), Ok(()));
            let differing = instance
                .iter()
                .zip(&honest.instance)
                .filter(|(ours, theirs)| ours != theirs);
            assert!(differing.count() > 0);
            let place = commitment_place(&honest.case);
            instance[place] = honest.instance[place];
            assert!(honest.case.accepts(trace, instance).is_err());
        }
    }
}

/// The public input that is the model's commitment: the only one that another salt changes.
fn commitment_place(case: &Case) -> usize {
    let cells = case.cells(&samples(&graph(4, 2, 2), 1, &mut rng(42))[0]);
    let mut other = case.clone();
    other.salts.model += Fr::one();
    let (before, after) = (case.instance(&cells), other.instance(&cells));
    before
        .iter()
        .zip(&after)
        .position(|(before, after)| before != after)
        .unwrap()
}

/// Entries of two trees change places, each walk reading what now stands beside its own table.
#[test]
fn entries_of_other_trees_are_rejected() {
    let twins = Twins::new(2);
    for sample in twins.samples() {
        let honest = Honest::of(&twins.ours, &sample);
        let mut swapped = twins.ours.clone();
        let mut paths = trees(&mut swapped);
        let (first, rest) = paths.split_first_mut().unwrap();
        std::mem::swap(&mut first.levels, &mut rest[1].levels);
        std::mem::swap(&mut first.leaves, &mut rest[1].leaves);
        let forger = case(&swapped, 1);
        let cells = forger.cells(&sample);
        let trace = forger.trace(&cells);
        let mut instance = forger.instance(&cells);
        assert_eq!(honest.case.accepts(trace.clone(), instance.clone()), Ok(()));
        let place = commitment_place(&honest.case);
        instance[place] = honest.instance[place];
        assert!(honest.case.accepts(trace, instance).is_err());
        // The entries alone, the walks as they were.
        let mut entries = honest.trace.clone();
        let rows = honest.entries();
        for column in [AdviceColumn::Value, AdviceColumn::Memory] {
            entries.column_mut(column).swap(rows.start, rows.start + 2);
        }
        honest.rejects("swapped entries", &entries);
    }
}

/// A walk turns the other way wherever it can, at padded nodes and in padded trees too, with the distance that its
/// equation asks for, in limbs as far as it has any.
#[test]
fn directions_against_the_numbers_are_rejected() {
    for depth in [2, 3, 5] {
        let twins = Twins::new(depth);
        let places = SubtreePlaces::new(split_limbs(true));
        for program in [&twins.ours, &twins.theirs] {
            let honest = Honest::of(program, &twins.samples()[1]);
            for row in honest.case.layout.tree_rows(SUBTREE) {
                for (direction, distance) in [(row, &places.root_distance), (row + 1, &places.taken_distance)] {
                    let mut trace = honest.trace.clone();
                    trace.value[direction] = Fr::one() - trace.value[direction];
                    let mut number = 0_u64;
                    for (column, place) in distance.iter().rev() {
                        let limb = trace.column_mut(*column)[row + place].to_bytes()[0];
                        number = number << LIMB_BITS | u64::from(limb);
                    }
                    // What must stand there is negative: modulo 2^32, and all of it in the lowest limb.
                    let forged = number.wrapping_neg().wrapping_sub(1);
                    for (shift, (column, place)) in (0..).step_by(LIMB_BITS as usize).zip(distance) {
                        trace.column_mut(*column)[row + place] = Fr::from(forged >> shift & 255);
                    }
                    honest.rejects("a direction", &trace);
                    for (column, place) in distance {
                        trace.column_mut(*column)[row + place] = Fr::zero();
                    }
                    let (column, place) = distance[0];
                    trace.column_mut(column)[row + place] = -Fr::from(number) - Fr::one();
                    honest.rejects("a direction with a negative limb", &trace);
                }
            }
        }
    }
}

/// One entry read in two ways: what a threshold is too large for goes to its feature, and what a leaf is to its neighbour.
#[test]
fn an_entry_has_one_reading() {
    let twins = Twins::new(2);
    let honest = Honest::of(&twins.ours, &twins.samples()[2]);
    let places = SubtreePlaces::new(split_limbs(true));
    for row in honest.case.layout.tree_rows(SUBTREE) {
        let numbers = [
            (&places.root, (AdviceColumn::Key, 1)),
            (&places.taken, (AdviceColumn::Key, 2)),
        ];
        for (split, (column, feature)) in numbers {
            for sign in [Fr::one(), -Fr::one()] {
                let mut trace = honest.trace.clone();
                let (top, place) = split[3];
                trace.column_mut(top)[row + place] += sign * Fr::from(256);
                trace.column_mut(column)[row + feature] -= sign;
                honest.rejects("a carried threshold", &trace);
            }
        }
    }
    for row in honest.case.layout.tree_rows(LEAF) {
        for sign in [Fr::one(), -Fr::one()] {
            let mut trace = honest.trace.clone();
            trace.key[row + 1] += sign * Fr::from(256);
            trace.limb[row + 1] -= sign;
            honest.rejects("a carried leaf", &trace);
        }
    }
}

/// A number that is other than its limbs say, or whose limbs are none, everywhere it stands.
#[test]
fn a_number_is_its_limbs() {
    let twins = Twins::new(2);
    let honest = Honest::of(&twins.ours, &twins.samples()[2]);
    let homes = honest.case.layout.tree_rows(NUMBER);
    assert_eq!(homes.len(), FEATURES);
    for (home, feature) in homes.into_iter().zip(&honest.case.program.inputs) {
        let other = |amount: Fr| {
            let mut trace = honest.trace.clone();
            for row in honest.case.rows_of(feature.cell) {
                trace.value[row] += amount;
            }
            trace.memory[home] += amount;
            trace
        };
        for amount in [Fr::one(), -Fr::one(), power_of_two(32), -power_of_two(32)] {
            honest.rejects("a number without its limbs", &other(amount));
        }
        // Beyond four limbs, and below zero: the highest limb is none.
        for sign in [Fr::one(), -Fr::one()] {
            let mut trace = other(sign * power_of_two(32));
            trace.limb[home + 1] += sign * power_of_two(8);
            honest.rejects("a number of more than four limbs", &trace);
        }
        let mut trace = honest.trace.clone();
        trace.limb[home + 1] -= Fr::one();
        trace.key[home + 1] += power_of_two(8);
        honest.rejects("a limb that is none", &trace);
    }
}

/// The owner commits to a node that reads no feature: no number can be claimed for it.
#[test]
fn a_feature_outside_of_the_memory_is_rejected() {
    let twins = Twins::new(2);
    let sample = &twins.samples()[0];
    let mut program = twins.ours.clone();
    let outside = program.memory.len() as u32;
    // Known to the forger's own circuit: two more features.
    let cell = program.memory[0];
    program.memory.extend([cell; 2]);
    for path in trees(&mut program) {
        for node in path.levels.iter_mut().flatten() {
            node.feature = outside;
        }
    }
    let forger = case(&program, 1);
    let cells = forger.cells(sample);
    let forged = forger.trace(&cells);
    assert_eq!(forger.accepts(forged.clone(), forger.instance(&cells)), Ok(()));
    // In the honest circuit the walks' rows are two above.
    let honest = Honest::of(&twins.ours, sample);
    let mut trace = honest.trace.clone();
    for row in honest.case.layout.tree_rows(SUBTREE) {
        for column in [
            AdviceColumn::Key,
            AdviceColumn::Limb,
            AdviceColumn::Entry,
            AdviceColumn::Value,
        ] {
            let theirs = forged.clone().column_mut(column)[row + 2..row + 14].to_vec();
            trace.column_mut(column)[row..row + 12].copy_from_slice(&theirs);
        }
    }
    let entries = honest.entries();
    let own: Vec<Fr> = forged.clone().value[entries.start + 2..entries.end + 2].to_vec();
    for column in [AdviceColumn::Value, AdviceColumn::Memory] {
        trace.column_mut(column)[entries.clone()].copy_from_slice(&own);
    }
    trace.count_lookups(&honest.case.layout);
    let failures = honest.case.failures(trace, honest.instance.clone());
    assert!(
        failures
            .iter()
            .any(|failure| failure.to_string().contains("('lookup')"))
    );
}

/// Layouts of committed trees stand in circuits that commit to them, and in no others.
#[test]
fn committed_trees_need_a_commitment() {
    let twins = Twins::new(2);
    assert!(Layout::new(&twins.ours, 1, &[], PublicInputs::DEFAULT).is_err());
    let public = Program::compile(&twins.graph, &calibration(&twins.graph), LIMB_BITS).unwrap();
    assert!(Layout::new(&public, 1, &[], COMMITTED).is_err());
}
