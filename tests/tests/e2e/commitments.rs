//! Committed inputs and outputs: the hash against another implementation, the circuit against liars, the whole road with
//! more values than any contract could show.

use ark_ff::{BigInteger as _, PrimeField as _};
use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{FromUniformBytes, PrimeField},
};
use light_poseidon::{Poseidon, PoseidonHasher};
use rand::{Rng, RngCore};
use zkverdict::{
    CircuitFile, ContractFile, Error, Keys, Opening, Role, SaltFile, Style,
    circuits::{
        AdviceColumn, CIRCUIT_VERSION, Candidate, CircuitError, Commitment, CommittedValue, Layout, Objective,
        PublicInputs, Salts, Side, Trace, Visibility, Widths, candidates, chips::poseidon, choose, sponge,
    },
    evm::Simulator,
    models::{AffineRow, Calibration, Format, Graph, Op, OutputKind, Program},
    prove,
    solidity::SolcChoice,
};

use crate::support::{
    Sample, development_srs,
    graphs::{GraphBuilder, X, attention, everything, forest, mlp, rng, samples, sequence, vision},
    has_solc, report,
    traces::{Case, power_of_two},
};

const INPUTS: PublicInputs = PublicInputs {
    inputs: Visibility::Committed,
    outputs: Visibility::Public,
    ..PublicInputs::DEFAULT
};
const OUTPUTS: PublicInputs = PublicInputs {
    inputs: Visibility::Private,
    outputs: Visibility::Committed,
    ..PublicInputs::DEFAULT
};
const BOTH: PublicInputs = PublicInputs {
    inputs: Visibility::Committed,
    outputs: Visibility::Committed,
    ..PublicInputs::DEFAULT
};

fn random(rng: &mut impl RngCore) -> Fr {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    Fr::from_uniform_bytes(&bytes)
}

/// The sponge over the published permutation, by a crate with tables of its own.
fn published(tag: Fr, elements: &[Fr]) -> Fr {
    let to = |number: &Fr| ark_bn254::Fr::from_le_bytes_mod_order(number.to_repr().as_ref());
    let mut carried = to(&tag);
    for pair in elements.chunks(2) {
        let mut absorbed: Vec<_> = pair.iter().map(to).collect();
        absorbed.resize(2, ark_bn254::Fr::from(0));
        let mut hasher = Poseidon::<ark_bn254::Fr>::with_domain_tag_circom(2, carried).unwrap();
        carried = hasher.hash(&absorbed).unwrap();
    }
    let mut repr = [0; 32];
    repr.copy_from_slice(&carried.into_bigint().to_bytes_le());
    Fr::from_repr(repr).unwrap()
}

#[test]
fn the_hash_is_the_published_one() {
    let mut rng = rng(3);
    for length in 0..8 {
        let elements: Vec<Fr> = (0..length).map(|_| random(&mut rng)).collect();
        let tag = random(&mut rng);
        assert_eq!(sponge(tag, &elements), published(tag, &elements), "{length} elements");
    }
}

#[test]
fn committed_circuits_accept_the_truth() {
    for graph in [
        mlp(3, &[4], &mut rng(8)),
        everything(&mut rng(7)),
        attention(&mut rng(19)),
        forest(3, 3, 3, &mut rng(3)),
    ] {
        for public in [INPUTS, OUTPUTS, BOTH] {
            let products = [1, 2, 4, 8].map(Widths::from);
            let beside = [(1, 1), (2, 2)].map(|(lanes, hash_lanes)| Widths { lanes, hash_lanes });
            for widths in products.into_iter().chain(beside) {
                let case = Case::graph_showing(&graph, 8, widths, public);
                for sample in samples(&graph, 2, &mut rng(42)) {
                    let cells = case.cells(&sample);
                    case.assert_accepts(case.trace(&cells), case.instance(&cells));
                }
            }
        }
    }
}

struct Honest {
    case: Case,
    cells: Vec<i64>,
    trace: Trace,
    instance: Vec<Fr>,
}

impl Honest {
    fn new(graph: &Graph, widths: impl Into<Widths>, public: PublicInputs) -> Self {
        let limb_bits = if public.committed().count() == 2 { 8 } else { 6 };
        let case = Case::graph_showing(graph, limb_bits, widths, public);
        let cells = case.cells(&samples(graph, 1, &mut rng(42))[0]);
        Self::of(case, cells)
    }

    fn of(case: Case, cells: Vec<i64>) -> Self {
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(trace.clone(), instance.clone()), Ok(()));
        Self {
            case,
            cells,
            trace,
            instance,
        }
    }

    fn rejects(&self, what: &str, trace: &Trace, instance: &[Fr]) {
        let mut trace = trace.clone();
        trace.count_lookups(&self.case.layout);
        assert!(
            self.case.accepts(trace, instance.to_vec()).is_err(),
            "{what} was accepted"
        );
    }

    /// Cells of the inputs.
    fn inputs(&self) -> Vec<usize> {
        let cells = Side::Input.cells(&self.case.program);
        cells.iter().map(|cell| cell.index()).collect()
    }
}

/// This trace with the rows of all commitments taken from another.
fn with_commitments_of(trace: &Trace, other: &Trace, layout: &Layout) -> Trace {
    let mut mixed = trace.clone();
    for row in layout.commitment_rows() {
        mixed.value[row] = other.value[row];
        mixed.accumulator[row] = other.accumulator[row];
    }
    mixed.hashes.clone_from(&other.hashes);
    mixed
}

/// Every bound cell of the commitments, the salt among them, one at a time.
#[test]
fn perturbed_cells_of_commitments_are_rejected() {
    let graphs = [mlp(3, &[2], &mut rng(8)), forest(3, 2, 2, &mut rng(3))];
    for (graph, lanes, hash_lanes, thin) in [
        (&graphs[0], 1, 0, 2),
        (&graphs[0], 2, 0, 7),
        (&graphs[1], 1, 0, 7),
        (&graphs[0], 1, 1, 2),
        (&graphs[0], 2, 2, 5),
        (&graphs[1], 1, 2, 7),
    ] {
        let honest = Honest::new(graph, Widths { lanes, hash_lanes }, BOTH);
        let rows = honest.case.layout.commitment_rows();
        let mut cells = honest.case.layout.bound_cells();
        cells.retain(|(column, row)| match column {
            AdviceColumn::Multiplicity => false,
            AdviceColumn::Box(_) | AdviceColumn::Power(_) => true,
            _ => rows.contains(row),
        });
        cells.sort_unstable();
        cells.dedup();
        assert!(cells.len() > 2 * (poseidon::ROWS + poseidon::BOX_ROWS));
        let amounts = [Fr::one(), -Fr::one(), power_of_two(16), Fr::from(2).invert().unwrap()];
        for (index, (column, row)) in cells.into_iter().enumerate().step_by(thin) {
            let mut trace = honest.trace.clone();
            trace.column_mut(column)[row] += amounts[index % amounts.len()];
            honest.rejects(&format!("{column:?} in row {row} changed"), &trace, &honest.instance);
        }
    }
}

#[test]
fn a_wrong_hash_is_rejected() {
    let honest = Honest::new(&mlp(3, &[2], &mut rng(8)), 1, BOTH);
    assert_eq!(honest.instance.len(), 3);
    for index in [1, 2] {
        for wrong in [
            honest.instance[index] + Fr::one(),
            Fr::zero(),
            honest.instance[3 - index],
        ] {
            let mut instance = honest.instance.clone();
            instance[index] = wrong;
            honest.rejects("another hash", &honest.trace, &instance);
        }
    }
}

/// The model runs on one input, the commitment is to another: changed, swapped, or of the other side.
#[test]
fn a_commitment_to_another_input_is_rejected() {
    for hash_lanes in 0..=2 {
        other_inputs_are_rejected(Widths { lanes: 1, hash_lanes });
    }
}

fn other_inputs_are_rejected(widths: Widths) {
    let honest = Honest::new(&mlp(3, &[2], &mut rng(8)), widths, BOTH);
    let (case, layout) = (&honest.case, &honest.case.layout);
    let [first, second, ..] = honest.inputs()[..] else {
        panic!("three inputs")
    };
    let mut changed = honest.cells.clone();
    changed[first] ^= 1;
    let mut swapped = honest.cells.clone();
    swapped.swap(first, second);
    assert_ne!(swapped, honest.cells);
    for other in [changed, swapped] {
        let (trace, instance) = (case.trace(&other), case.instance(&other));
        assert_ne!(instance[1], honest.instance[1]);
        // The hash of the other input beside the model's run on this one.
        let mixed = with_commitments_of(&honest.trace, &trace, layout);
        let mut shown = honest.instance.clone();
        shown[1] = instance[1];
        honest.rejects("the hash of another input", &mixed, &shown);
        honest.rejects("the public hash of another input", &honest.trace, &shown);
        honest.rejects("the rows of another input", &mixed, &honest.instance);
    }
    let sides = Commitment::of(&case.program, Side::Output).unwrap();
    let values: Vec<i64> = Side::Output
        .cells(&case.program)
        .iter()
        .map(|cell| honest.cells[cell.index()])
        .collect();
    let mut replayed = honest.instance.clone();
    replayed[1] = sides.hash(&values, case.salts.output).unwrap();
    assert_eq!(replayed[1], replayed[2]);
    honest.rejects("the output's commitment as the input's", &honest.trace, &replayed);
}

/// Values that are packed to the same element: one beyond its bits, its neighbour less by one.
#[test]
fn values_beyond_their_bits_are_rejected() {
    let honest = Honest::new(&mlp(3, &[2], &mut rng(8)), 1, INPUTS);
    let case = &honest.case;
    let [first, second, ..] = honest.inputs()[..] else {
        panic!("three inputs")
    };
    let mut forged = honest.cells.clone();
    forged[first] += case.program.cell_max();
    forged[second] -= 1;
    assert!(forged[second] >= 0);
    let forged = case.cells_with(&forged, &Default::default());
    let instance = case.instance(&forged);
    assert_eq!(
        instance[1], honest.instance[1],
        "the attack is a second opening of one commitment"
    );
    let trace = case.forge(&forged);
    case.assert_only_lookup_rejects("an input beyond its bits", trace, instance);
}

/// A proof for another tag: the same values in other formats, or as many values as there are not.
#[test]
fn another_tag_is_rejected() {
    let honest = Honest::new(&mlp(3, &[2], &mut rng(8)), 1, INPUTS);
    let mut program = honest.case.program.clone();
    program.inputs[0].format.scale += 1;
    let other = Honest::of(Case::showing(program, 1, INPUTS), honest.cells.clone());
    assert_eq!(other.instance[2..], honest.instance[2..]);
    assert_ne!(other.instance[1], honest.instance[1]);
    honest.rejects("another format", &other.trace, &other.instance);
    honest.rejects("another format's hash", &honest.trace, &other.instance);
}

#[test]
fn another_salt_is_another_commitment() {
    let honest = Honest::new(&mlp(3, &[2], &mut rng(8)), 1, BOTH);
    let mut case = honest.case.clone();
    case.salts = Salts::random(rng(9));
    let other = Honest::of(case, honest.cells.clone());
    assert!((1..3).all(|index| other.instance[index] != honest.instance[index]));
    honest.rejects("the hash with another salt", &honest.trace, &other.instance);
    honest.rejects("the rows with another salt", &other.trace, &honest.instance);
    // The same salt again: the same commitment, which links the proofs.
    assert_eq!(honest.case.instance(&honest.cells), honest.instance);
    assert_eq!(format!("{:?}", honest.case.salts), "Salts(secret)");
}

/// What no step bounds is bounded for the commitment, or refused.
#[test]
fn values_without_a_range_get_one() {
    let graph = forest(6, 1, 1, &mut rng(3));
    let case = Case::graph_showing(&graph, 8, 1, INPUTS);
    let mut program = case.program.clone();
    assert_eq!(program.steps.len(), case.program.steps.len());
    program.steps.pop();
    assert!(matches!(
        Layout::new(&program, 1, &[], INPUTS),
        Err(CircuitError::UnboundedCommitment { side: Side::Input, .. })
    ));
    assert!(Layout::new(&program, 1, &[], PublicInputs::default()).is_ok());
    let honest = Honest::of(case.clone(), case.cells(&samples(&graph, 1, &mut rng(42))[0]));
    let commitment = Commitment::of(&case.program, Side::Input).unwrap();
    let unread = commitment.values.iter().filter(|value| value.bits == 32).count();
    assert_eq!(unread, 6, "float32 has 32 bits, read by a tree or not");
    // The unread input, far beyond: its neighbour in the element makes up for it.
    for input in 0..5 {
        let inputs = honest.inputs();
        let mut forged = honest.cells.clone();
        forged[inputs[input]] += 1 << 32;
        forged[inputs[input + 1]] -= 1;
        let Ok(trace) = std::panic::catch_unwind(|| case.forge(&forged)) else {
            continue;
        };
        let instance = case.instance(&forged);
        assert_eq!(instance[1], honest.instance[1]);
        honest.rejects("an unread input beyond 32 bits", &trace, &instance);
    }
}

#[test]
fn private_outputs_are_refused() {
    let case = Case::from_graph(&mlp(3, &[2], &mut rng(8)), 6, 1);
    let public = PublicInputs {
        outputs: Visibility::Private,
        ..PublicInputs::default()
    };
    assert!(matches!(
        Layout::new(&case.program, 1, &[], public),
        Err(CircuitError::PrivateOutputs)
    ));
}

/// No two vectors have the same packed elements, tags tell lengths and sides apart, bad openings are named.
#[test]
fn native_commitments_bind() {
    let value = |bits| CommittedValue {
        bits,
        format: Format::INTEGER,
        float32: false,
    };
    let commitment = |side, bits: &[u32]| Commitment {
        rows: None,
        opened: None,
        side,
        values: bits.iter().map(|bits| value(*bits)).collect(),
    };
    let salt = Fr::from(11);
    let mut rng = rng(17);
    for _ in 0..50 {
        let bits: Vec<u32> = (0..rng.gen_range(1..40)).map(|_| rng.gen_range(1..34)).collect();
        let to = commitment(Side::Input, &bits);
        let values: Vec<i64> = bits.iter().map(|bits| rng.gen_range(0..1 << bits)).collect();
        let hash = to.hash(&values, salt).unwrap();
        let index = rng.gen_range(0..values.len());
        let mut other = values.clone();
        other[index] ^= 1 << rng.gen_range(0..bits[index]);
        assert_ne!(to.hash(&other, salt).unwrap(), hash);
        assert_ne!(to.hash(&values, salt + Fr::one()).unwrap(), hash);
        assert_ne!(commitment(Side::Output, &bits).hash(&values, salt).unwrap(), hash);
        // One more value of zero is another vector.
        let (mut longer, mut padded) = (bits.clone(), values.clone());
        longer.push(1);
        padded.push(0);
        assert_ne!(commitment(Side::Input, &longer).hash(&padded, salt).unwrap(), hash);
        other[index] = 1 << bits[index];
        assert!(matches!(to.hash(&other, salt), Err(CircuitError::ValueTooLarge { .. })));
        other[index] = -1;
        assert!(matches!(to.hash(&other, salt), Err(CircuitError::ValueTooLarge { .. })));
        assert!(matches!(to.hash(&padded, salt), Err(CircuitError::ValueCount { .. })));
    }
}

/// 784 inputs and 300 outputs in three public inputs: the contract is as for one value each.
#[test]
fn many_values_fit_one_contract() {
    let mut builder = GraphBuilder::new(784);
    let row = |index: usize| AffineRow {
        terms: vec![(index, 0.5), (index + 400, -0.25)],
        bias: 0.125,
    };
    let rows = (0..300).map(row).collect();
    let sums = builder.node(Op::Affine { rows }, X, 300);
    builder.output("sums", sums, OutputKind::Real);
    let graph = builder.finish();
    let samples = samples(&graph, 4, &mut rng(6));
    let calibration = Calibration::measure(&graph, &samples, 1.5).unwrap();
    let program = Program::compile(&graph, &calibration, 8).unwrap();
    let shown = PublicInputs {
        inputs: Visibility::Public,
        outputs: Visibility::Public,
        ..PublicInputs::DEFAULT
    };
    let deployable = |public| {
        let all = candidates(&program, None, public, None).unwrap();
        choose(&all, Objective::Gas, 1.0).cloned()
    };
    let plan = deployable(BOTH).unwrap();
    let dear = deployable(shown).unwrap();
    assert!(dear.verify_gas > 2 * plan.verify_gas, "1085 public inputs");
    assert_eq!(plan.public_inputs, 3);
    is_proven_and_checked(&graph, program.clone(), &plan, &samples);
    // Hashes in columns of their own: with one lane the circuit is half as long.
    for hash_lanes in [1, 2] {
        let widths = Widths {
            lanes: plan.shape.lanes,
            hash_lanes,
        };
        let beside = Candidate::new(&program, widths, vec![], BOTH, None).unwrap();
        assert!(beside.rows < plan.rows);
        is_proven_and_checked(&graph, program.clone(), &beside, &samples);
    }
}

/// A proof of a circuit with both sides committed, natively and on chain, and what was predicted of it.
fn is_proven_and_checked(graph: &Graph, program: Program, plan: &Candidate, samples: &[Sample]) {
    let circuit = CircuitFile {
        circuit_version: CIRCUIT_VERSION,
        name: "many".to_owned(),
        inputs: graph.inputs.clone(),
        compiled: plan.compile(program, BOTH),
        plan: plan.clone(),
        committed: None,
        audit: None,
        secret: None,
        reasons_against: None,
    };
    let keys = Keys::generate(&circuit, &development_srs(plan.k)).unwrap();
    let (proof, proven) = prove(&circuit, &keys.proving, &samples[0], Fr::from(5)).unwrap();
    proof.verify(&keys.verifying).unwrap();
    assert_eq!((proof.public_inputs.len(), proof.proof.len()), (3, plan.proof_bytes));
    let schema = &keys.verifying.schema;
    let roles: Vec<Role> = schema.iter().map(|field| field.role).collect();
    assert_eq!(roles, [Role::Context, Role::InputCommitment, Role::OutputCommitment]);
    for side in [Side::Input, Side::Output] {
        let opens = |sample: &Sample, salts: &Salts| {
            let opening = Opening::of(&circuit, sample, salts, side).unwrap();
            let (opens, fields) = opening.check(schema, &proof.public_inputs).unwrap();
            assert_eq!(fields.len(), opening.values.len());
            opens
        };
        assert!(opens(&samples[0], &proven.salts));
        assert!(!opens(&samples[1], &proven.salts), "another sample");
        assert!(!opens(&samples[0], &Salts::random(rng(1))), "another salt");
    }
    if !has_solc() {
        return;
    }
    let contract = ContractFile::build(&keys.verifying, "Many", Style::Compact, &SolcChoice::default()).unwrap();
    let mut chain = Simulator::deploy(&contract.build.compiled).unwrap();
    let gas = chain.verify(&proof.proof, &proof.words()).unwrap().transaction_gas;
    let code = chain.code().len();
    report!(
        "784 committed inputs, 300 outputs: {}, {} rows, k = {}, {gas} gas, {code} bytes",
        plan.shape,
        plan.rows,
        plan.k
    );
    report!("predicted {} gas, {} bytes", plan.verify_gas, plan.code_bytes);
    let off = |predicted: f64, measured: f64| (predicted / measured - 1.0).abs();
    assert!(off(plan.verify_gas as f64, gas as f64) < 0.02);
    assert!(off(plan.code_bytes as f64, code as f64) < 0.05);
    for word in (0..proof.proof.len() / 32).step_by(7) {
        let mut changed = proof.proof.clone();
        changed[32 * word + 31] ^= 1;
        let outcome = chain.verify(&changed, &proof.words()).unwrap().outcome;
        assert!(!outcome.is_accepted(), "word {word} of {}", plan.shape);
    }
    let mut replayed = proof.words();
    replayed.swap(1, 2);
    let outcome = chain.verify(&proof.proof, &replayed).unwrap().outcome;
    assert!(!outcome.is_accepted(), "the output's commitment as the input's");
}

/// Convolutions at a challenge and commitments in one circuit: the honest trace passes, no bound cell of it can change.
#[test]
fn commitments_stand_beside_convolutions() {
    for (graph, thin) in [(vision(&mut rng(1)), 23), (sequence(&mut rng(2)), 41)] {
        let case = Case::graph_showing(&graph, 8, 4, BOTH).with_all_combined();
        assert!(case.shape().convolutions && case.shape().hashes);
        let cells = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        let honest = Honest::of(case, cells);
        for (column, row) in honest.case.layout.bound_cells().into_iter().step_by(thin) {
            let mut trace = honest.trace.clone();
            trace.column_mut(column)[row] += Fr::one();
            if column != AdviceColumn::Multiplicity {
                trace.count_lookups(&honest.case.layout);
            }
            let verdict = honest.case.accepts(trace, honest.instance.clone());
            assert!(verdict.is_err(), "{column:?} in row {row} was accepted");
        }
        for position in 1..honest.instance.len() {
            let mut instance = honest.instance.clone();
            instance[position] += Fr::one();
            honest.rejects("another commitment", &honest.trace, &instance);
        }
    }
}

/// Secrets are written for their owner alone, and never written over.
#[cfg(unix)]
#[test]
fn secrets_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("applicant.salt");
    let salts = SaltFile::random();
    salts.create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SaltFile::load(&path).unwrap(), salts);
    assert!(matches!(
        SaltFile::random().create(&path),
        Err(Error::SaltExists { .. })
    ));
    assert_eq!(SaltFile::load(&path).unwrap(), salts);
    assert_ne!(SaltFile::random(), salts);
    assert!(!format!("{salts:?}").contains("0x"));
    std::fs::write(&path, "{\"input_salt\": \"0xff\"}").unwrap();
    assert!(matches!(SaltFile::load(&path), Err(Error::NotOurs { .. })));
}
