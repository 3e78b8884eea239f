//! The soundness rules, one by one, each with the attack that it stops.
//!
//! | rule | tests here | elsewhere |
//! |---|---|---|
//! | 1 challenges follow commitments | `challenges_follow_…`, `a_witness_for_known_challenges_…` | |
//! | 2 results are the constrained cells | `public_outputs_are_…`, `forged_cells_…` | `gadget_attacks` |
//! | 3 one answer | `ties_…`, `forged_cells_…` | `widths::another_split_…`; gadget_attacks: `wrong_intermediate_results_are_rejected` |
//! | 4 widths | | `widths` |
//! | 5 rotations, queries, degree | `no_polynomial_…`, `a_clamped_degree_…` | |
//! | 6 canonical public inputs, exact lengths | | `proofs` |
//! | 7 context | | `proofs::a_proof_is_bound_to_its_context` |
//! | 8 every cell, every word | | `gadget_attacks`; `proofs` |

use std::{
    collections::{BTreeSet, HashSet},
    env, fmt,
    process::Command,
};

use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::Field,
    },
    plonk::{ConstraintSystem, Expression, create_proof, keygen_pk, keygen_vk},
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
};
use snark_verifier::{loader::native::NativeLoader, system::halo2::transcript::evm::EvmTranscript};
use zkverdict::{
    circuits::{
        CircuitError, DEGREE, Layout, LinkColumns, ModelCircuit, ModelConfig, PublicInputs, Shape, Trace, from_i128,
    },
    models::{CellId, Op, OutputKind, Program, Source, Step},
    verifier::VerifyError,
};

use crate::support::{
    Example, Keyed,
    graphs::{GraphBuilder, X, everything, mlp, rng, samples},
    report,
    traces::{Case, small},
};

/// Every shape that the planner may choose.
fn catalogue() -> impl Iterator<Item = Shape> {
    [1, 2, 4, 8, 16]
        .into_iter()
        .flat_map(|lanes| (7..=12).map(move |limb_bits| (lanes, limb_bits)))
        .flat_map(|(lanes, limb_bits)| {
            (0..96).map(move |features| Shape {
                lanes,
                limb_bits,
                trees: features & 1 != 0,
                convolutions: features & 2 != 0,
                hashes: features & 4 != 0,
                committed_trees: features & 8 != 0,
                hash_lanes: features >> 5,
                link: (features & 16 != 0).then_some(LinkColumns {
                    models: lanes,
                    weights: if features & 6 == 0 { 1 } else { lanes },
                }),
            })
        })
        .filter(|shape| shape.check().is_ok())
}

/// What an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Read {
    Advice { column: usize, phase: u8 },
    Challenge { index: usize, phase: u8 },
}

fn reads(expression: &Expression<Fr>) -> BTreeSet<Read> {
    let union = |mut left: BTreeSet<Read>, right: BTreeSet<Read>| {
        left.extend(right);
        left
    };
    expression.evaluate(
        &|_| BTreeSet::new(),
        &|_| BTreeSet::new(),
        &|_| BTreeSet::new(),
        &|query| {
            BTreeSet::from([Read::Advice {
                column: query.column_index(),
                phase: query.phase(),
            }])
        },
        &|_| BTreeSet::new(),
        &|challenge| {
            BTreeSet::from([Read::Challenge {
                index: challenge.index(),
                phase: challenge.phase(),
            }])
        },
        &|inner| inner,
        &union,
        &union,
        &|inner, _| inner,
    )
}

/// Rule 1, by the constraint system: the lookup argument and the evaluations alone read challenges, each its own;
/// everything that they check is committed in the first phase, after which the challenges are squeezed; nothing else uses
/// what was made with them.
#[test]
fn challenges_follow_what_they_check() {
    for shape in catalogue() {
        let mut system = ConstraintSystem::default();
        let config = ModelConfig::configure(&mut system, shape);
        let sum = config.lookup_sum.index();
        let evaluation = config.evaluation.map(|columns| columns.evaluation.index());
        assert_eq!(
            system.challenge_phase(),
            vec![0; 2 + usize::from(evaluation.is_some())],
            "{shape}: all challenges follow the first phase"
        );
        let phases = system.advice_column_phase();
        for (column, phase) in phases.iter().enumerate() {
            assert_eq!(
                *phase,
                u8::from(column == sum || Some(column) == evaluation),
                "{shape}: phase of advice column {column}"
            );
        }
        assert!(system.lookups().is_empty(), "{shape}: halo2's own lookups are not used");
        for gate in system.gates() {
            let read: BTreeSet<Read> = gate.polynomials().iter().flat_map(reads).collect();
            let challenges = read
                .iter()
                .filter(|read| matches!(read, Read::Challenge { .. }))
                .count();
            let late = read.iter().any(|read| matches!(read, Read::Advice { phase: 1.., .. }));
            let is_lookup = gate.name() == "lookup";
            let is_evaluation = gate.name() == "evaluate";
            assert_eq!(
                challenges,
                if is_lookup { 2 } else { usize::from(is_evaluation) },
                "{shape}: challenges in {}",
                gate.name()
            );
            assert_eq!(
                late,
                is_lookup || is_evaluation,
                "{shape}: second-phase columns in {}",
                gate.name()
            );
            for column in read.iter().filter_map(|read| match read {
                Read::Advice { column, .. } => Some(*column),
                Read::Challenge { .. } => None,
            }) {
                if is_evaluation {
                    let expected = [config.value.index(), config.accumulator.index()];
                    let expected = expected.into_iter().chain(evaluation);
                    assert!(
                        expected.into_iter().any(|known| known == column),
                        "{shape}: column {column}"
                    );
                }
                if !is_lookup {
                    continue;
                }
                let expected = [
                    config.key,
                    config.limb,
                    config.entry,
                    config.multiplicity,
                    config.lookup_sum,
                ];
                // With trees, the memory and the value beside it, both first phase.
                let memory = config.tree.map(|columns| [columns.memory, config.value]);
                // With hashes, the value of a link and the sum beside it.
                let link = config.hashes.as_ref().map(|_| [config.value, config.accumulator]);
                let special = memory.into_iter().chain(link).flatten();
                let mut expected = expected.into_iter().chain(special);
                assert!(
                    expected.any(|known| known.index() == column),
                    "{shape}: column {column}"
                );
            }
        }
        // Copy constraints reach into the second phase for evaluations alone: their challenges are squeezed after it.
        let equal: Vec<_> = system.permutation().get_columns();
        assert_eq!(
            equal.len(),
            2 + usize::from(evaluation.is_some()) + shape.hash_lanes,
            "{shape}: the values, the instance, the evaluations, the inputs of S-boxes"
        );
    }
    // The verifier squeezes in that order: six commitments, then two challenges, then the running sum.
    let protocol = &Example::CreditLogreg.keyed().keys.verifying.key.protocol;
    assert_eq!((protocol.num_witness[0], protocol.num_challenge[0]), (6, 2));
    assert_eq!(protocol.num_witness[1], 1);
    assert!(
        protocol.transcript_initial_state.is_some(),
        "the transcript starts from the key"
    );
    assert!(protocol.accumulator_indices.is_empty());
}

/// A proof of any trace, made as a prover who skips every check would make it.
fn prove_anyway(keyed: &Keyed, circuit: ModelCircuit, instance: &[Fr]) -> Vec<u8> {
    let params = keyed.srs.params();
    let empty = keyed.pipeline.planned.file.compiled.circuit().unwrap();
    let key = keygen_pk(params, keygen_vk(params, &empty).unwrap(), &empty).unwrap();
    let mut transcript = EvmTranscript::<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>::new(Vec::new());
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        params,
        &key,
        &[circuit],
        &[&[instance]],
        rng(5),
        &mut transcript,
    )
    .unwrap();
    transcript.finalize()
}

/// A model's circuit as a case for hand-made traces.
fn case_of(keyed: &Keyed) -> Case {
    let compiled = &keyed.pipeline.planned.file.compiled;
    let case = Case::new(compiled.program.clone(), compiled.lanes);
    assert_eq!(case.k, compiled.k);
    case
}

/// The label's digit with its entries and value turned around: everything holds but the lookup of the entries.
fn turned_decision(case: &Case, honest: &Trace, label: CellId) -> (Trace, Fr) {
    let lanes = case.shape().lanes;
    let digits = case.digit_rows();
    let rows = case.rows_of(label);
    let row = *rows
        .iter()
        .find(|row| digits.contains(row))
        .expect("the label is a comparison");
    let mut trace = honest.clone();
    let turned = Fr::ONE - trace.value[row];
    for place in &rows {
        trace.value[*place] = turned;
    }
    trace.entry[row] = turned;
    trace.entry[row + lanes] = turned;
    trace.count_lookups(&case.layout);
    (trace, turned)
}

/// Rule 1, by attack: whoever knows the challenges beforehand can balance any false lookup with a multiplicity. With the
/// challenges of the real transcript the balance is gone.
#[test]
fn a_witness_for_known_challenges_is_rejected() {
    let keyed = Example::CreditLogreg.keyed();
    let case = case_of(keyed);
    let cells = &keyed.inference.cells;
    let label = case
        .program
        .outputs
        .iter()
        .find(|output| output.kind != OutputKind::Real)
        .unwrap();
    let at = 1 + PublicInputs::default()
        .cells(&case.program)
        .iter()
        .position(|cell| *cell == label.cells[0])
        .unwrap();
    let (mut trace, turned) = turned_decision(&case, &case.trace(cells), label.cells[0]);
    let mut instance = keyed.inference.public_inputs.clone();
    instance[at] = turned;
    case.assert_only_lookup_rejects("a turned decision", trace.clone(), instance.clone());

    // The attacker's guess, and the multiplicity of the first table row (key 0, tag 0) that makes it work.
    let (alpha, gamma) = (Fr::from(0x1234_5678), Fr::from(0x9abc_def0));
    let last = case.usable - 2;
    let surplus = trace.lookup_sum(&case.layout, alpha, gamma)[last];
    assert_ne!(surplus, Fr::ZERO);
    trace.multiplicity[1] += surplus * alpha;
    assert_eq!(
        trace.lookup_sum(&case.layout, alpha, gamma)[last],
        Fr::ZERO,
        "the forgery works for the guess"
    );
    assert_ne!(trace.lookup_sum(&case.layout, gamma, alpha)[last], Fr::ZERO);

    let circuit = ModelCircuit::new(case.layout.clone(), case.usable);
    let forged = prove_anyway(keyed, circuit.with_trace(trace), &instance);
    assert_eq!(keyed.verdict(&forged, &instance), Err(VerifyError::Rejected));
    // The same prover with the honest trace is accepted: it is the forgery that fails, not the prover.
    let honest = prove_anyway(
        keyed,
        circuit.with_trace(case.trace(cells)),
        &keyed.inference.public_inputs,
    );
    assert_eq!(keyed.verdict(&honest, &keyed.inference.public_inputs), Ok(()));
}

/// Rule 2: the public inputs are the very cells that the gates bind. Another number in the instance fails by the copy
/// constraint alone, for every public input but the context.
#[test]
fn public_outputs_are_the_constrained_cells() {
    for graph in [mlp(3, &[4], &mut rng(8)), everything(&mut rng(7))] {
        let case = Case::from_graph(&graph, 7, 2);
        let cells = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        case.assert_accepts(trace.clone(), instance.clone());
        for index in 1..instance.len() {
            let mut forged = instance.clone();
            forged[index] += Fr::ONE;
            let failures = case.failures(trace.clone(), forged);
            assert!(!failures.is_empty(), "public input {index}");
            let by_copy = |failure: &dyn fmt::Display| failure.to_string().contains("Equality constraint");
            assert!(
                failures.iter().all(|failure| by_copy(failure)),
                "public input {index}: {}",
                failures[0]
            );
        }
        let mut replaced = instance;
        replaced[0] += Fr::ONE;
        case.assert_accepts(trace, replaced);
    }
}

/// Rules 2 and 3: every cell that the prover may choose (one-hot bits, maxima, totals, quotients), forged, with everything
/// after it computed from the forgery, and every sum that has no honest digits solved in the field.
#[test]
fn forged_cells_are_rejected_with_everything_that_follows() {
    for graph in [mlp(3, &[4], &mut rng(8)), everything(&mut rng(7))] {
        let case = Case::from_graph(&graph, 7, 1);
        let honest = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        case.assert_accepts(case.trace(&honest), case.instance(&honest));
        let (tried, skipped) = case.assert_forged_cells_are_rejected(&honest, |value| {
            let mut values = vec![value + 1, value - 1, 1 - value, value / 2];
            values.retain(|forged| *forged < case.program.cell_max());
            values
        });
        report!("forged cells: {tried} rejected, {skipped} without a trace");
        assert!(tried > 10);
    }
}

/// Rule 3: lowest index on ties. Logits that are equal by construction; every other index, proven as well as it can be.
#[test]
fn ties_go_to_the_lowest_index() {
    let mut builder = GraphBuilder::new(2);
    let logits = builder.dense(X, 1, &mut rng(3));
    let twins = builder.node(Op::Wire { indices: vec![0; 4] }, logits, 4);
    let label = builder.node(Op::ArgMax { classes: 4 }, twins, 1);
    builder.output("label", label, OutputKind::Index);
    let graph = builder.finish();
    let case = Case::from_graph(&graph, 7, 1);
    let bits = case
        .program
        .steps
        .iter()
        .find_map(|step| match step {
            Step::Witness {
                cells,
                source: Source::FirstMaximum(_),
                ..
            } => Some(cells.clone()),
            _ => None,
        })
        .unwrap();
    for sample in samples(&graph, 4, &mut rng(4)) {
        let honest = case.cells(&sample);
        assert_eq!(case.program.dequantize_outputs(&honest), [[0.0]]);
        case.assert_accepts(case.forge(&honest), case.instance(&honest));
        for chosen in 1..bits.len() {
            let forged = bits
                .iter()
                .enumerate()
                .map(|(index, bit)| (*bit, i64::from(index == chosen)))
                .collect();
            let cells = case.cells_with(&honest, &forged);
            assert_eq!(case.program.dequantize_outputs(&cells), [[chosen as f64]]);
            case.assert_only_lookup_rejects(
                &format!("index {chosen} of equal logits"),
                case.forge(&cells),
                case.instance(&cells),
            );
        }
        // No index at all, and two of them.
        for marked in [vec![], vec![0, 1], vec![0, 3]] {
            let forged = bits
                .iter()
                .enumerate()
                .map(|(index, bit)| (*bit, i64::from(marked.contains(&index))))
                .collect();
            let cells = case.cells_with(&honest, &forged);
            case.assert_only_lookup_rejects(&format!("marks {marked:?}"), case.forge(&cells), case.instance(&cells));
        }
    }
}

/// Rule 5, for every shape: distinct queries, rotations far below the rows of the smallest circuit of the shape, the degree
/// that the verifier was made for.
#[test]
fn no_polynomial_is_queried_twice_at_a_point() {
    let mut shapes = 0;
    for shape in catalogue() {
        let system = zkverdict::circuits::constraint_system(shape);
        assert_eq!((system.degree(), system.minimum_degree()), (DEGREE, None), "{shape}");
        // The range table alone fills more than half of 2^(L+1) rows, so no circuit of this shape is smaller.
        let rows = 1_i64 << (shape.limb_bits + 1);
        let advice = system
            .advice_queries()
            .iter()
            .map(|(column, rotation)| (0, column.index(), rotation.0));
        let fixed = system
            .fixed_queries()
            .iter()
            .map(|(column, rotation)| (1, column.index(), rotation.0));
        let instance = system
            .instance_queries()
            .iter()
            .map(|(column, rotation)| (2, column.index(), rotation.0));
        let mut points = HashSet::new();
        for (kind, column, rotation) in advice.chain(fixed).chain(instance) {
            assert!(
                4 * i64::from(rotation.unsigned_abs()) < rows,
                "{shape}: rotation {rotation}"
            );
            let row = i64::from(rotation).rem_euclid(rows);
            assert!(
                points.insert((kind, column, row)),
                "{shape}: column {column} twice at {rotation}"
            );
        }
        shapes += 1;
    }
    // Five lane counts, six limb sizes; with trees five limb sizes; with convolutions three lane counts; all of these without
    // hashes and with, in no columns of their own or in one lane or two. With committed trees four lane counts, two with
    // convolutions, and two limb sizes. All of them with columns of a linked model too, and then trees are hidden without
    // hashes.
    assert_eq!(shapes, 2 * (4 * (55 + 33)) + (3 + 4) * (2 * (4 + 2)));
    for example in Example::SMALL {
        let keyed = example.keyed();
        let protocol = &keyed.keys.verifying.key.protocol;
        let rows = 1_i64 << protocol.domain.k;
        for queries in [&protocol.queries, &protocol.evaluations] {
            let mut points = HashSet::new();
            for query in queries {
                assert!(4 * i64::from(query.rotation.0.unsigned_abs()) < rows);
                let point = (query.poly, i64::from(query.rotation.0).rem_euclid(rows));
                assert!(points.insert(point), "{example:?}: polynomial {} twice", query.poly);
            }
        }
    }
}

/// Set for the child process of the next test.
const CHILD: &str = "ZKVERDICT_TEST_CLAMPED_DEGREE";

/// Rule 5: halo2 clamps the degree to `MAX_DEGREE` from the environment and would build another circuit without a word.
#[test]
fn a_clamped_degree_is_refused() {
    for (value, refused) in [
        ("3", true),
        ("4", true),
        ("1", true),
        ("9", true),
        ("x", true),
        ("5", false),
    ] {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "soundness::clamped_degree_child", "--nocapture"])
            .env("MAX_DEGREE", value)
            .env(CHILD, if refused { "refused" } else { "accepted" })
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "MAX_DEGREE={value}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("1 passed"), "the child ran no test: {text}");
    }
}

/// Does something in the child process only.
#[test]
fn clamped_degree_child() {
    let Some(expected) = env::var_os(CHILD) else { return };
    let graph = mlp(2, &[2], &mut rng(1));
    let calibration = zkverdict::models::Calibration::measure(&graph, &samples(&graph, 8, &mut rng(2)), 2.0).unwrap();
    let program = Program::compile(&graph, &calibration, 7).unwrap();
    let layout = Layout::new(&program, 1, &[], PublicInputs::default());
    let planned = zkverdict::circuits::candidates(&program, None, PublicInputs::default(), None);
    if expected == "refused" {
        let value = env::var("MAX_DEGREE").unwrap();
        for error in [layout.err(), planned.err()] {
            assert!(
                matches!(&error, Some(CircuitError::DegreeClamped { value: got }) if *got == value),
                "{error:?}"
            );
        }
    } else {
        let (layout, planned) = (layout.unwrap(), planned.unwrap());
        assert!(layout.rows() > 0 && !planned.is_empty());
    }
}

/// Signed numbers become field elements and nothing is lost on the way.
#[test]
fn integers_map_to_the_field_as_they_should() {
    for number in [
        0,
        1,
        -1,
        i128::from(u64::MAX),
        i128::from(u64::MAX) + 1,
        -(1 << 100),
        (1 << 120) + 7,
    ] {
        assert_eq!(from_i128(number) + from_i128(-number), Fr::ZERO);
        assert_eq!(from_i128(number) + Fr::ONE, from_i128(number + 1));
        if number >= 0 {
            assert_eq!(small(from_i128(number), 127), Some(number.unsigned_abs()));
        }
    }
}
