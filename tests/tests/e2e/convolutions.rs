//! Convolutions and products of matrices at a challenge: what is honest passes, everything else does not.

use std::path::PathBuf;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand::Rng;
use zkverdict::{
    ContractFile, Model, Style,
    circuits::{AdviceColumn, Candidate, CircuitError, Layout, PublicInputs, Trace, convolution_rows},
    models::{Finish, Graph, ModelError, Op, OutputKind, Program, Step},
    solidity::SolcChoice,
    verifier::{Digest, VerifyError},
};

use crate::support::{
    Keyed, Pipeline,
    graphs::{GraphBuilder, Window, X, rng, samples, sequence, vision},
    has_solc, report,
    traces::Case,
};

fn combined(graph: &Graph, limb_bits: u32, lanes: usize) -> Case {
    Case::from_graph(graph, limb_bits, lanes).with_all_combined()
}

fn check(graph: &Graph, limb_bits: u32, lanes: usize) {
    let case = combined(graph, limb_bits, lanes);
    for sample in samples(graph, 2, &mut rng(99)) {
        let cells = case.cells(&sample);
        let verdict = case.accepts(case.trace(&cells), case.instance(&cells));
        assert_eq!(verdict, Ok(()), "L = {limb_bits}, C = {lanes}, k = {}", case.k);
    }
}

#[test]
fn images_in_every_width() {
    for lanes in [4, 5, 8, 16] {
        check(&vision(&mut rng(1)), 8, lanes);
    }
}

#[test]
fn matrices_in_every_width() {
    for lanes in [4, 5, 8, 16] {
        check(&sequence(&mut rng(2)), 8, lanes);
    }
}

/// Every operator that rounds sums of windows or of matrices is found.
#[test]
fn every_convolution_is_found() {
    let sums_of = |graph: &Graph| -> Vec<usize> {
        let case = Case::from_graph(graph, 8, 4);
        let found = case.program.convolutions.iter();
        found.map(|convolution| convolution.outputs.len()).collect()
    };
    // Two rounds of matches, the ReLU, the windows with a stride.
    assert_eq!(sums_of(&vision(&mut rng(1))), [3 * 9 * 2, 3 * 9, 3 * 9, 5 * 2 * 2]);
    // Both factors, both heads of both products, the sum.
    assert_eq!(sums_of(&sequence(&mut rng(2))), [20, 20, 4, 4, 6, 6, 12]);
}

/// Strides, paddings, dilations, groups, channels that do not fill the lanes.
#[test]
fn random_windows() {
    let mut rng = rng(17);
    let mut checked = 0;
    for case in 0..24 {
        let groups = rng.gen_range(1..3);
        let shape = [groups * rng.gen_range(1..3), rng.gen_range(3..7), rng.gen_range(3..7)];
        let window = Window {
            maps: groups * rng.gen_range(1..4),
            kernel: [rng.gen_range(1..3), rng.gen_range(1..4)],
            stride: rng.gen_range(1..3),
            pad: rng.gen_range(0..3),
            dilation: if rng.gen_bool(0.3) { 2 } else { 1 },
            groups,
        };
        if window.dilation * (window.kernel[1] - 1) >= shape[2] + 2 * window.pad {
            continue;
        }
        let mut builder = GraphBuilder::image(shape);
        let (maps, _) = builder.convolution(X, shape, window, &mut rng);
        let ramps = builder.map(Op::Relu, maps);
        builder.output("ramps", ramps, OutputKind::Real);
        let graph = builder.finish();
        let found = Case::from_graph(&graph, 7, 4);
        if found.program.convolutions.is_empty() {
            // One position only, or a size that fits several strides.
            continue;
        }
        checked += 1;
        check(&graph, 7, [4, 8][case % 2]);
    }
    assert!(checked >= 8, "{checked} models have convolutions");
}

/// The choice is by rows: never more than without, and as many as predicted.
#[test]
fn rows_are_counted_exactly() {
    for graph in [vision(&mut rng(1)), sequence(&mut rng(2))] {
        for lanes in [4, 8, 16] {
            let program = Case::from_graph(&graph, 8, lanes).program;
            let rows = |combined: &[usize]| {
                let layout = Layout::new(&program, lanes, combined, PublicInputs::default()).unwrap();
                // Without the table, which may be longer.
                layout.content_rows()
            };
            let mut chosen = vec![];
            for (number, counted) in convolution_rows(&program, lanes).unwrap().iter().enumerate() {
                let Some(combined) = counted.combined else { continue };
                // One row for the zero; the others as they were chosen before this one.
                let expected = rows(&chosen) - counted.direct + combined + usize::from(chosen.is_empty());
                let with = [chosen.as_slice(), &[number]].concat();
                assert_eq!(rows(&with), expected, "{}", counted.name);
                if counted.is_combined {
                    assert!(combined < counted.direct);
                    chosen = with;
                }
            }
        }
    }
}

/// Every bound cell of the first phase, and every evaluation, one at a time.
fn perturb(graph: &Graph, thin: usize) {
    let case = combined(graph, 6, 4);
    let cells = case.cells(&samples(graph, 1, &mut rng(42))[0]);
    let (honest, instance) = (case.trace(&cells), case.instance(&cells));
    case.assert_accepts(honest.clone(), instance.clone());
    let amounts = [
        Fr::ONE,
        -Fr::ONE,
        Fr::from(64),
        Fr::from(1 << 24),
        Fr::from(2).invert().unwrap(),
    ];
    let rejects = |what: &str, trace: Trace| {
        assert!(case.accepts(trace, instance.clone()).is_err(), "{what} was accepted");
    };
    let mut bound = case.layout.bound_cells();
    bound.sort_unstable();
    bound.dedup();
    for (index, (column, row)) in bound.into_iter().enumerate().step_by(thin) {
        let mut trace = honest.clone();
        trace.column_mut(column)[row] += amounts[index / thin % amounts.len()];
        if column != AdviceColumn::Multiplicity {
            trace.count_lookups(&case.layout);
        }
        rejects(&format!("{column:?} in row {row}"), trace);
    }
    let surplus: Vec<usize> = case.layout.surplus_rows().collect();
    assert!(!surplus.is_empty());
    for (index, row) in surplus.into_iter().enumerate().step_by(thin) {
        let mut trace = honest.clone();
        trace.accumulator[row] += amounts[index / thin % amounts.len()];
        rejects(&format!("a coefficient in row {row}"), trace);
    }
    for (index, row) in case.layout.evaluation_rows().into_iter().enumerate().step_by(thin) {
        let mut trace = honest.clone();
        trace
            .forged_evaluations
            .push((row, amounts[index / thin % amounts.len()]));
        rejects(&format!("the evaluation in row {row}"), trace);
    }
}

#[test]
fn perturbed_cells_of_images_are_rejected() {
    perturb(&vision(&mut rng(1)), 7);
}

#[test]
fn perturbed_cells_of_matrices_are_rejected() {
    perturb(&sequence(&mut rng(2)), 5);
}

/// Another output with digits, tables, and all that follows made for it: the two evaluations differ, and nothing else.
#[test]
fn wrong_outputs_fail_by_the_evaluation_alone() {
    for graph in [vision(&mut rng(1)), sequence(&mut rng(2))] {
        let case = combined(&graph, 6, 4);
        let cells = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        let last = case.program.convolutions.last().unwrap();
        for output in last.outputs.iter().step_by(3) {
            let mut forged = case.program.clone();
            let sums = forged.steps.iter_mut().filter_map(|step| match step {
                Step::Layer(layer) => Some(&mut layer.sums),
                _ => None,
            });
            let sum = sums
                .flatten()
                .find(|sum| sum.finish.output() == Some(output.cell))
                .unwrap();
            let Finish::Lookup { .. } = sum.finish else {
                panic!("an output has a table")
            };
            let middle = 1_i128 << (2 * case.program.limb_bits);
            sum.bias += if cells[output.cell.index()] > 0 {
                -middle
            } else {
                middle
            };
            let cells = forged
                .execute(&case.program.quantize(&samples(&graph, 1, &mut rng(42))[0]).unwrap())
                .unwrap();
            let trace = Trace::new(&case.layout, &forged, &cells, case.usable);
            let failures = case.failures(trace, case.instance(&cells));
            assert!(!failures.is_empty(), "cell {} was accepted", output.cell.0);
            for failure in failures {
                assert!(failure.to_string().contains("Equality constraint"), "{failure}");
            }
        }
    }
}

/// Whoever knows the challenge balances a wrong output with a coefficient that is no output. It is squeezed later.
#[test]
fn coefficients_for_a_known_challenge_are_rejected() {
    let graph = vision(&mut rng(1));
    let case = combined(&graph, 6, 4);
    let cells = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
    let mut trace = case.trace(&cells);
    let guess = Fr::from(0x1234_5678);
    let row = case.layout.surplus_rows().next().unwrap();
    // Two neighbours of one place: ρ·δ and −ρ·δ.
    let honest = trace.evaluations(&case.layout, guess);
    trace.accumulator[row] += Fr::ONE;
    trace.accumulator[row + 1] -= guess;
    let forged = trace.evaluations(&case.layout, guess);
    assert_eq!(forged[row + 2], honest[row + 2], "the forgery works for the guess");
    let other = trace.evaluations(&case.layout, guess + Fr::ONE);
    assert_ne!(
        other[row + 2],
        case.trace(&cells).evaluations(&case.layout, guess + Fr::ONE)[row + 2]
    );
    assert!(case.accepts(trace, case.instance(&cells)).is_err());
}

/// A record that is not what the sums say is refused before anything is laid out.
#[test]
fn forged_records_are_refused() {
    let case = Case::from_graph(&vision(&mut rng(1)), 8, 4);
    assert!(case.program.validate().is_ok());
    type Forgery = fn(&mut zkverdict::models::Convolution);
    let forgeries: [Forgery; 6] = [
        |record| record.cells[0].position[1] += 1,
        |record| record.outputs[0].position[0] -= 1,
        |record| record.outputs[0].channel += 1,
        |record| _ = record.cells.pop(),
        |record| record.cells[1] = record.cells[0],
        |record| record.outputs.push(record.outputs[0]),
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        let mut program = case.program.clone();
        forge(&mut program.convolutions[0]);
        let refused = program.validate();
        assert!(
            matches!(refused, Err(ModelError::MalformedProgram { .. })),
            "forgery {number}"
        );
        let layout = Layout::new(&program, 4, &[0], PublicInputs::default());
        assert!(
            matches!(layout, Err(CircuitError::NoConvolution { .. })),
            "forgery {number}"
        );
    }
    let mut twice = case.program.clone();
    twice.convolutions.push(twice.convolutions[0].clone());
    assert!(twice.validate().is_err());
    let none = Layout::new(&case.program, 4, &[9], PublicInputs::default());
    assert!(matches!(none, Err(CircuitError::NoSuchConvolution { number: 9 })));
    let narrow = Layout::new(&case.program, 2, &[0], PublicInputs::default());
    assert!(matches!(narrow, Err(CircuitError::BadShape { .. })));
}

/// A small model whose products are proven at a challenge.
pub(crate) fn keyed_sequence(lanes: usize) -> Keyed {
    let graph = sequence(&mut rng(2));
    let samples = samples(&graph, 50, &mut rng(7));
    let model = Model {
        path: PathBuf::from("sequence.onnx"),
        bytes: Vec::new(),
        digest: Digest::of(&[]),
        graph: graph.clone(),
    };
    let mut pipeline = Pipeline::new(model, &samples);
    let program = Program::compile(&graph, &pipeline.calibration.calibration, 8).unwrap();
    let rows = convolution_rows(&program, lanes).unwrap();
    let possible = (0..rows.len())
        .filter(|number| rows[*number].combined.is_some())
        .collect();
    let plan = Candidate::new(&program, lanes, possible, PublicInputs::default(), None).unwrap();
    assert!(plan.shape.convolutions);
    pipeline.planned.file.compiled = plan.compile(program, PublicInputs::default());
    pipeline.planned.file.plan = plan;
    Keyed::new(pipeline, samples[0].clone())
}

/// Keys, a proof, a contract: counted as the planner counts, and nothing but the truth.
#[test]
fn a_real_proof_and_its_contract() {
    let keyed = keyed_sequence(4);
    let plan = &keyed.pipeline.planned.file.plan;
    assert_eq!(keyed.proof.proof.len(), plan.proof_bytes);
    let honest = &keyed.inference.public_inputs;
    assert_eq!(keyed.verdict(&keyed.proof.proof, honest), Ok(()));
    for index in 0..honest.len() {
        let mut forged = honest.clone();
        forged[index] += Fr::ONE;
        assert_eq!(keyed.verdict(&keyed.proof.proof, &forged), Err(VerifyError::Rejected));
    }
    if has_solc() {
        let contract = ContractFile::build(
            &keyed.keys.verifying,
            "Sequence",
            Style::default(),
            &SolcChoice::default(),
        )
        .unwrap();
        let gas = contract.build.verification.transaction_gas;
        let code = contract.build.deployment.code_bytes;
        report!(
            "{gas} gas, predicted {}; {code} bytes, predicted {}",
            plan.verify_gas,
            plan.code_bytes
        );
        assert!(gas.abs_diff(plan.verify_gas) < 5_000);
        assert!(code.abs_diff(plan.code_bytes) < 500);
    }
}
