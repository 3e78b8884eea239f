//! Committed models: one circuit for all of an architecture, each bound by one hash, and liars about their weights.

use std::{fs, path::Path};

use halo2_proofs::halo2curves::bn256::Fr;
use rand::Rng;
use zkverdict::{
    CalibrationFile, CircuitFile, CompileOptions, ContractFile, Error, Keys, Model, Role, SecretModel, Style,
    circuits::{AdviceColumn, CircuitError, Layout, PublicInputs, Trace, Visibility},
    compile,
    evm::Simulator,
    models::{
        Calibration, Comparison, ForestBounds, Graph, ModelError, Op, OutputKind, ParameterFormats, Program, Step,
        Weights,
    },
    prove,
    solidity::SolcChoice,
};

use crate::support::{
    Example, Sample, development_srs,
    graphs::{CATEGORIES, GraphBuilder, Window, X, mlp, rng, samples, sequence},
    has_solc, report,
    traces::{Case, power_of_two},
};

const COMMITTED: PublicInputs = PublicInputs {
    model: Visibility::Committed,
    ..PublicInputs::DEFAULT
};

/// A graph's program with its weights committed to, beside one of another model: the same graph, trained differently.
pub(crate) struct Twins {
    pub(crate) graph: Graph,
    pub(crate) ours: Program,
    pub(crate) theirs: Program,
}

impl Twins {
    /// `limbs` is how many a weight has.
    pub(crate) fn new(graph: Graph, limb_bits: u32, limbs: u32) -> Self {
        let samples = samples(&graph, 64, &mut rng(1));
        let calibration = Calibration::measure(&graph, &samples, 1.5).unwrap();
        let compile = |graph: &Graph, formats: ParameterFormats<'_>| {
            Program::compile_committed(graph, &calibration, limb_bits, &[], formats).unwrap()
        };
        let ours = compile(
            &graph,
            ParameterFormats::Measured {
                weight_bits: limbs * limb_bits,
                forest: ForestBounds::default(),
            },
        );
        let theirs = compile(&trained_again(&graph), ParameterFormats::Of(&ours));
        Self { graph, ours, theirs }
    }

    pub(crate) fn case(&self, program: &Program, lanes: usize, public: PublicInputs) -> Case {
        Case::showing(program.clone(), lanes, public)
    }
}

/// Other weights and biases, no larger; some are zero.
fn trained_again(graph: &Graph) -> Graph {
    let mut rng = rng(77);
    let mut graph = graph.clone();
    for node in graph
        .nodes
        .iter_mut()
        .filter(|node| node.weights != Weights::Structural)
    {
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
    let encoded = builder.encode_first(CATEGORIES.to_vec());
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

pub(crate) fn graphs() -> Vec<Graph> {
    let mut regression_of_three = GraphBuilder::new(5);
    let sums = regression_of_three.dense(X, 3, &mut rng(4));
    regression_of_three.output("sums", sums, OutputKind::Real);
    vec![
        regression(4),
        mlp(3, &[4, 3], &mut rng(8)),
        regression_of_three.finish(),
    ]
}

/// A convolution with borders behind another with groups, and dense layers over a sequence: weights at several positions.
pub(crate) fn of_several_places() -> Vec<Graph> {
    let mut network = GraphBuilder::image([2, 4, 4]);
    let padded = Window {
        pad: 1,
        stride: 2,
        ..Window::plain(2, [3, 3])
    };
    let (maps, shape) = network.convolution(X, [2, 4, 4], padded, &mut rng(5));
    let maps = network.map(Op::Relu, maps);
    let grouped = Window {
        groups: 2,
        ..Window::plain(2, [1, 2])
    };
    let (maps, _) = network.convolution(maps, shape, grouped, &mut rng(6));
    let sums = network.dense(maps, 2, &mut rng(7));
    network.output("sums", sums, OutputKind::Real);
    vec![network.finish(), sequence(&mut rng(2))]
}

/// Every position has weights of its own, and all of them are hashed.
#[test]
fn committed_convolutions_and_sequences_are_proven() {
    for graph in of_several_places() {
        let twins = Twins::new(graph, 8, 2);
        assert_eq!(twins.ours.architecture(), twins.theirs.architecture());
        let [ours, theirs] = [&twins.ours, &twins.theirs].map(|program| {
            let case = twins.case(program, 1, COMMITTED);
            let cells = case.cells(&samples(&twins.graph, 1, &mut rng(42))[0]);
            let (trace, instance) = (case.trace(&cells), case.instance(&cells));
            case.assert_accepts(trace.clone(), instance.clone());
            (case, trace, instance)
        });
        // What the other model answers is no answer under this one's commitment.
        let forged = [&theirs.2[..1], &ours.2[1..2], &theirs.2[2..]].concat();
        assert_ne!(theirs.2[1], forged[1]);
        assert!(theirs.0.accepts(theirs.1, forged).is_err());
    }
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
        assert!(cells.len() > 400);
        for (index, (column, row)) in cells.into_iter().enumerate().step_by(thin) {
            let mut trace = honest.trace.clone();
            trace.column_mut(column)[row] += amounts[index % amounts.len()];
            honest.rejects(&format!("{column:?} in row {row} changed"), &trace, &honest.instance);
        }
    }
}

/// The registered model's commitment over another model's run, and the other way round.
#[test]
fn another_model_under_a_commitment_is_rejected() {
    for limbs in [1, 2] {
        let twins = Twins::new(mlp(3, &[3], &mut rng(8)), 8, limbs);
        let ours = Honest::of(twins.case(&twins.ours, 1, COMMITTED), &twins.graph);
        let theirs = Honest::of(twins.case(&twins.theirs, 1, COMMITTED), &twins.graph);
        assert_ne!(ours.instance[1], theirs.instance[1]);
        let mut replaced = theirs.instance.clone();
        replaced[1] = ours.instance[1];
        theirs.rejects(
            "another model under the registered commitment",
            &theirs.trace,
            &replaced,
        );
        let mut mixed = theirs.trace.clone();
        for row in ours.case.layout.commitment_rows() {
            mixed.value[row] = ours.trace.value[row];
            mixed.accumulator[row] = ours.trace.accumulator[row];
        }
        theirs.rejects(
            "the registered model's hash beside another model's run",
            &mixed,
            &replaced,
        );
        theirs.rejects("a hash of weights that decided nothing", &mixed, &theirs.instance);
        // Another salt is another commitment to the same model.
        let mut case = ours.case.clone();
        case.salts.model += Fr::one();
        let salted = Honest::of(case, &twins.graph);
        assert_eq!(salted.instance[2..], ours.instance[2..]);
        ours.rejects("the commitment with another salt", &ours.trace, &salted.instance);
    }
}

/// Two openings of one commitment: a weight beyond its range, its neighbour in the packed element less by one. Both are
/// multiplied with cells that are zero, so that nothing but the range of the weight is wrong.
#[test]
fn weights_outside_of_their_range_are_rejected() {
    for limbs in [1, 2] {
        let mut builder = GraphBuilder::new(3);
        let sums = builder.dense(X, 2, &mut rng(4));
        builder.output("sums", sums, OutputKind::Real);
        let twins = Twins::new(builder.finish(), 8, limbs);
        let case = twins.case(&twins.ours, 1, COMMITTED);
        let format = |index: usize| case.program.inputs[index].format;
        let sample: Sample = vec![vec![format(0).dequantize(0), format(1).dequantize(0), 0.5]];
        let cells = case.cells(&sample);
        let (honest, instance) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(honest.clone(), instance.clone()), Ok(()));
        let beyond = power_of_two(8 * limbs);
        let mut trace = honest.clone();
        for (row, parameter) in case.layout.parameter_rows() {
            let home = trace.key[*row] != Fr::zero() || trace.limb[*row] != Fr::zero();
            let (amount, limb) = match parameter {
                0 => (beyond, power_of_two(8)),
                1 => (-Fr::one(), Fr::zero()),
                _ => continue,
            };
            trace.value[*row] += amount;
            // Packed, the neighbour makes up for it one row later.
            if !home && *parameter == 0 {
                trace.accumulator[row + 1] += amount;
            }
            if home {
                // Where a cell has the weights of two sums, the lower limb is the first one's.
                match (limbs, parameter) {
                    (2, 0) => trace.limb[*row] += limb,
                    _ => trace.key[*row] += amount,
                }
            }
        }
        assert_ne!(trace.value, honest.value);
        case.assert_only_lookup_rejects("a weight outside of its range", trace, instance);
    }
}

#[test]
fn what_cannot_be_committed_is_refused() {
    let refusal = |graph: &Graph| {
        let samples = samples(graph, 16, &mut rng(1));
        let calibration = Calibration::measure(graph, &samples, 1.5).unwrap();
        let formats = ParameterFormats::Measured {
            weight_bits: 16,
            forest: ForestBounds::default(),
        };
        Program::compile_committed(graph, &calibration, 8, &[], formats).unwrap_err()
    };
    let mut builder = GraphBuilder::new(2);
    let ramps = builder.map(Op::Relu, X);
    builder.output("ramps", ramps, OutputKind::Real);
    assert!(matches!(refusal(&builder.finish()), ModelError::NothingToCommit));

    let twins = Twins::new(mlp(3, &[3], &mut rng(8)), 8, 2);
    let laid_out = |program: &Program, public| Layout::new(program, 1, &[], public);
    let public = laid_out(&twins.ours, PublicInputs::DEFAULT);
    assert!(
        matches!(public, Err(CircuitError::OtherVisibility)),
        "weights in fixed columns"
    );
    let hidden = PublicInputs {
        model: Visibility::Private,
        ..PublicInputs::DEFAULT
    };
    assert!(matches!(laid_out(&twins.ours, hidden), Err(CircuitError::PrivateModel)));
    let architecture = twins.ours.architecture();
    let inputs = architecture
        .quantize(&samples(&twins.graph, 1, &mut rng(2))[0])
        .unwrap();
    assert!(matches!(architecture.execute(&inputs), Err(ModelError::NoParameters)));
    // Files that say something else than circuits do.
    let malformed = |change: fn(&mut Program)| {
        let mut program = twins.ours.clone();
        change(&mut program);
        program.validate().unwrap_err();
    };
    malformed(|program| first_layer(program).parameters.as_mut().unwrap().id = 1);
    malformed(|program| first_layer(program).parameters.as_mut().unwrap().weight_bits = 9);
    malformed(|program| first_layer(program).parameters.as_mut().unwrap().weight_shifts[0] = 60);
    malformed(|program| first_layer(program).sums[0].weights[0] += 1 << 40);
    malformed(|program| first_layer(program).sums[0].weights.clear());
}

fn first_layer(program: &mut Program) -> &mut zkverdict::models::Layer {
    let mut layers = program.steps.iter_mut().filter_map(|step| match step {
        Step::Layer(layer) if layer.parameters.is_some() => Some(layer),
        _ => None,
    });
    layers.next().unwrap()
}

/// The example's regression with other numbers: every float of its attributes times a factor that depends on its size
/// alone, so that both classes' rows stay opposite.
pub(crate) fn retrained(folder: &Path, name: &str, factor: impl Fn(f32) -> f32) -> Model {
    let example = Example::CreditLogreg;
    let mut bytes = fs::read(example.folder().join("logreg.onnx")).unwrap();
    // `repeated float floats = 7`, a tag before each number.
    let tag = 0x3d;
    let (mut at, mut changed, mut is_inside) = (0, 0, false);
    while at + 5 <= bytes.len() {
        is_inside = bytes[at] == tag && (is_inside || bytes.get(at + 5) == Some(&tag));
        if is_inside {
            let number = f32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap());
            bytes[at + 1..at + 5].copy_from_slice(&(number * factor(number.abs())).to_le_bytes());
            changed += 1;
        }
        at += if is_inside { 5 } else { 1 };
    }
    assert!(changed > 24, "{changed} numbers");
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    Model::load(&path).unwrap()
}

/// The whole road with a logistic regression: two models, one circuit, one key, one contract.
#[test]
fn two_committed_models_share_circuit_key_and_contract() {
    let folder = tempfile::tempdir().unwrap();
    let example = Example::CreditLogreg;
    let ours = Model::load(&example.folder().join("logreg.onnx")).unwrap();
    let samples = ours.samples(&example.folder().join("calibration.json"), &[]).unwrap();
    let calibration = CalibrationFile::measure(&ours, &samples, Calibration::DEFAULT_MARGIN).unwrap();
    let options = CompileOptions {
        public: COMMITTED,
        ..CompileOptions::default()
    };
    let planned = compile(&ours, &calibration, &options).unwrap();
    let (circuit, plan) = (&planned.file, &planned.file.plan);
    let secret = circuit.secret.clone().unwrap();

    // A model that is a little different compiles to the same circuit by itself, another one is committed to under it.
    let folder_of_twin = folder.path().join("twin");
    fs::create_dir(&folder_of_twin).unwrap();
    let near = retrained(&folder_of_twin, "logreg.onnx", |size| 0.97 + 0.03 / (1.0 + size));
    let twin = compile(&near, &calibration, &options).unwrap().file;
    assert_eq!(twin.digest(), circuit.digest());
    assert_ne!(twin.secret, circuit.secret);
    let theirs = retrained(folder.path(), "theirs.onnx", |size| {
        0.2 + (size.to_bits() % 100) as f32 / 125.0
    });
    let other = SecretModel::of(circuit, &theirs).unwrap();
    let decided_by_other = circuit.clone().with_model(&other).unwrap();
    assert_eq!(decided_by_other.digest(), circuit.digest());

    // No file but the secret's has a weight.
    let paths = ["ours.circuit", "twin.circuit"].map(|name| folder.path().join(name));
    circuit.save(&paths[0], &ours).unwrap();
    twin.save(&paths[1], &near).unwrap();
    assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    let loaded = CircuitFile::load(&paths[0]).unwrap();
    assert_eq!(loaded.digest(), circuit.digest());
    assert!(matches!(
        loaded.compiled.program.parameters(),
        Err(ModelError::NoParameters)
    ));
    assert!(
        format!("{secret:?} {:?}", secret.parameters).len() < 200,
        "nothing of the secret is shown"
    );

    let keys = Keys::generate(&loaded, &development_srs(plan.k)).unwrap();
    let keys_of_twin = Keys::generate(&twin, &development_srs(plan.k)).unwrap();
    assert_eq!(keys.verifying.key.digest(), keys_of_twin.verifying.key.digest());
    let roles: Vec<Role> = keys.verifying.schema.iter().map(|field| field.role).collect();
    assert_eq!(roles[..2], [Role::Context, Role::ModelCommitment]);

    let sample = ours.samples(&example.borderline(), &[]).unwrap().remove(0);
    let context = Fr::from(5);
    let refused = prove(&loaded, &keys.proving, &sample, context).unwrap_err();
    assert!(matches!(refused, Error::NoSecretModel));
    let prover = loaded.clone().with_model(&secret).unwrap();
    let (proof, inference) = prove(&prover, &keys.proving, &sample, context).unwrap();
    let (forged, _) = prove(&decided_by_other, &keys.proving, &sample, context).unwrap();
    proof.verify(&keys.verifying).unwrap();
    forged.verify(&keys.verifying).unwrap();
    assert_eq!(proof.public_inputs[1], secret.commitment(&loaded).unwrap());
    assert_eq!(forged.public_inputs[1], other.commitment(&loaded).unwrap());
    assert_ne!(proof.public_inputs[1], forged.public_inputs[1]);
    let commitment = keys.verifying.schema[1].model.clone().unwrap();
    assert!(secret.opens(&commitment, proof.public_inputs[1]).unwrap());
    assert!(!other.opens(&commitment, proof.public_inputs[1]).unwrap());
    // The answer is that of the program, and close to the floats.
    let floats = ours.graph.evaluate(&sample).unwrap();
    let floats = ours.graph.pick_outputs(&floats);
    let shown = prover.compiled.program.dequantize_outputs(&inference.cells);
    for (got, expected) in shown.concat().iter().zip(floats.concat()) {
        assert!((got - expected).abs() < 2e-3, "{got} instead of {expected}");
    }
    // Another model's proof under the registered commitment.
    let mut replaced = forged.clone();
    replaced.public_inputs[1] = proof.public_inputs[1];
    replaced.verify(&keys.verifying).unwrap_err();

    for (model, expected) in [
        (retrained(folder.path(), "large.onnx", |_| 4.0), "leaves the range"),
        (
            Model::load(&Example::DiagnosisLogreg.folder().join("logreg.onnx")).unwrap(),
            "architecture",
        ),
    ] {
        let error = SecretModel::of(circuit, &model).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut elsewhere = secret.clone();
    elsewhere.circuit = keys.verifying.key.digest();
    assert!(matches!(
        loaded.clone().with_model(&elsewhere),
        Err(Error::OtherSecretModel)
    ));
    let public = compile(&ours, &calibration, &CompileOptions::default()).unwrap().file;
    assert!(matches!(public.clone().with_model(&secret), Err(Error::PublicModel)));
    assert!(matches!(SecretModel::of(&public, &ours), Err(Error::PublicModel)));

    let path = folder.path().join("ours.secret");
    secret.save(&path, false).unwrap();
    assert!(matches!(
        secret.save(&path, false),
        Err(Error::SecretModelExists { .. })
    ));
    other.save(&path, true).unwrap();
    assert_eq!(SecretModel::load(&path).unwrap(), other);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    report!(
        "committed credit regression: {}, {} bits a weight, {} rows, k = {}, predicted {} gas",
        plan.shape,
        plan.weight_bits.unwrap(),
        plan.rows,
        plan.k,
        plan.verify_gas
    );
    if !has_solc() {
        return;
    }
    let contract = ContractFile::build(&keys.verifying, "Committed", Style::Compact, &SolcChoice::default()).unwrap();
    let mut chain = Simulator::deploy(&contract.build.compiled).unwrap();
    let gas = chain.verify(&proof.proof, &proof.words()).unwrap().transaction_gas;
    report!("measured {gas} gas");
    assert!(gas < 400_000);
    // Both proofs are valid; what tells them apart is the public input that a consumer compares with the registered one.
    assert!(
        chain
            .verify(&forged.proof, &forged.words())
            .unwrap()
            .outcome
            .is_accepted()
    );
    assert_ne!(forged.words()[1], proof.words()[1]);
    let outcome = chain.verify(&replaced.proof, &replaced.words()).unwrap().outcome;
    assert!(!outcome.is_accepted(), "another model under the registered commitment");
}
