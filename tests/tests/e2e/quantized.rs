//! Models in 8-bit integers: exact at every boundary, forged cells, and proofs natively and on the embedded chain.

use std::fs;

use rand::Rng;
use zkverdict::{
    Model,
    evm::Simulator,
    models::{AffineRow, Calibration, Element, Finish, Graph, Op, OutputKind, Program, QuantizeRow, SingleStep, Step},
};

use crate::{
    audits::{Audited, Table, audit, bits, confusion, outputs},
    support::{
        Keyed, Pipeline, Sample,
        graphs::{GraphBuilder, X, rng},
        has_solc, report, repository,
        traces::Case,
    },
};

const BYTES: (i64, i64) = (0, 255);

fn rows(len: usize, steps: &[SingleStep], zero: i64, (low, high): (i64, i64)) -> Op {
    let row = |index| QuantizeRow {
        index,
        steps: steps.to_vec(),
        zero,
        low,
        high,
    };
    Op::Quantize {
        rows: (0..len).map(row).collect(),
    }
}

fn sums(weights: &[&[f64]]) -> Op {
    let row = |weights: &&[f64]| AffineRow {
        terms: weights.iter().copied().enumerate().collect(),
        bias: -7.0,
    };
    Op::Affine {
        rows: weights.iter().map(row).collect(),
    }
}

/// Floats to bytes, sums that one line follows and sums whose ties take two, a maximum, and what is left of it.
fn graph() -> Graph {
    let mut builder = GraphBuilder::new(3);
    let bytes = builder.map(rows(3, &[SingleStep::Over(0.02)], 120, BYTES), X);
    let first = builder.node(sums(&[&[3.0, -5.0, 2.0], &[-1.0, 4.0, 7.0]]), bytes, 2);
    let first = builder.map(rows(2, &[SingleStep::Times(0.0437)], 3, (-128, 127)), first);
    let second = builder.node(sums(&[&[3.0, 8.0, -2.0], &[6.0, -4.0, 1.0]]), bytes, 2);
    let second = builder.map(rows(2, &[SingleStep::Times(0.0625)], -4, (-128, 127)), second);
    let largest = builder.join(Op::Maximum { width: 2 }, &[first, second], 2);
    let held = builder.map(rows(2, &[SingleStep::Times(0.31)], 0, (0, 127)), largest);
    let label = builder.node(Op::ArgMax { classes: 2 }, held, 1);
    builder.output("largest", largest, OutputKind::Real);
    builder.output("held", held, OutputKind::Quantized { scale: 0.25, zero: 3 });
    builder.output("label", label, OutputKind::Index);
    builder.finish()
}

fn samples(count: usize) -> Vec<Sample> {
    let mut rng = rng(11);
    let number = |rng: &mut rand::rngs::StdRng| f64::from(rng.gen_range(-3.0_f32..3.0));
    (0..count)
        .map(|_| vec![(0..3).map(|_| number(&mut rng)).collect()])
        .collect()
}

fn case(limb_bits: u32, lanes: usize) -> Case {
    let calibration = Calibration::measure(&graph(), &samples(8), 1.5).unwrap();
    Case::new(Program::compile(&graph(), &calibration, limb_bits).unwrap(), lanes)
}

#[test]
fn every_number_is_exact_and_accepted() {
    for (limb_bits, lanes) in [(8, 1), (8, 2), (10, 4)] {
        let case = case(limb_bits, lanes);
        assert!(case.program.outputs.iter().all(|output| output.exact));
        for (index, sample) in samples(300).iter().enumerate() {
            let cells = case.cells(sample);
            let expected = graph().pick_outputs(&graph().evaluate(sample).unwrap());
            assert_eq!(case.program.dequantize_outputs(&cells), expected);
            if index < 3 {
                case.assert_accepts(case.trace(&cells), case.instance(&cells));
            }
        }
    }
}

/// Bytes, counts, maxima and what is rounded from them: each changed by itself, with everything after it computed from
/// the lie.
/// A network of integers, audited: its own decisions, and no rounding of ours.
#[test]
fn a_network_of_integers_is_audited() {
    let audited = Audited::public(&graph());
    let label = audited.program.outputs[2].cells[0];
    let rows = samples(24);
    let labels: Vec<f64> = (0..rows.len()).map(|row| f64::from(row % 3 == 0)).collect();
    let decided = rows.iter().map(|row| {
        let cells = audited
            .program
            .execute(&audited.program.quantize(row).unwrap())
            .unwrap();
        cells[label.index()] == 1
    });
    let decided: Vec<bool> = decided.collect();
    assert!(decided.contains(&true) && decided.contains(&false));
    let table = Table {
        rows,
        groups: vec![0.0; labels.len()],
        labels,
    };
    let case = audited.case(&audit(24, false, &[]), 1);
    let cells = case.cells(&table.sample(false));
    case.assert_accepts(case.trace(&cells), case.instance(&cells));
    let counted = outputs(&case.program, &cells);
    let counted =
        ["true positives", "false positives", "false negatives", "true negatives"].map(|name| counted[name][0]);
    assert_eq!(counted, confusion(&decided, &bits(&table.labels)));
}

#[test]
fn forged_cells_are_rejected_with_everything_that_follows() {
    let case = case(8, 1);
    let (mut tried, mut skipped) = (0, 0);
    for sample in &samples(2) {
        let honest = case.cells(sample);
        let counts = case.assert_forged_cells_are_rejected(&honest, |value| vec![value + 1, value - 1, 255 - value]);
        tried += counts.0;
        skipped += counts.1;
    }
    report!("forged cells of quantised numbers: {tried} rejected, {skipped} without a trace");
    assert!(tried > 60, "{tried}");
}

/// The sum of two integer inputs takes every value around every boundary.
#[test]
fn sums_are_rounded_as_float32_rounds_them_at_every_boundary() {
    let mut rng = rng(12);
    for (scale, zero, (low, high)) in [
        (0.0123_f32, 7, (-128, 127)),
        (1.0 / 256.0, 0, (-128, 127)),
        (0.0071, 100, BYTES),
        (0.004_f32, -128, (-128, 127)),
        (0.05, 10, BYTES),
    ] {
        let mut builder = GraphBuilder::new(2);
        let held = builder.map(rows(2, &[], 0, (-128, 127)), X);
        let sum = builder.node(sums(&[&[1.0, 255.0]]), held, 1);
        let rounded = builder.map(rows(1, &[SingleStep::Times(scale)], zero, (low, high)), sum);
        builder.output("rounded", rounded, OutputKind::Real);
        let mut graph = builder.finish();
        graph.inputs[0].element = Element::Int64;
        let calibration = Calibration::measure(&graph, &[vec![vec![0.0, 1.0]]], 1.0).unwrap();
        let row = QuantizeRow {
            index: 0,
            steps: vec![SingleStep::Times(scale)],
            zero,
            low,
            high,
        };
        let ends = (-7 - 128 * 256, 127 * 256 - 7);
        let boundaries = (ends.0..ends.1).filter(|number| row.apply(*number as f32) != row.apply((number + 1) as f32));
        let near: Vec<i64> = boundaries.flat_map(|number| number - 1..=number + 2).collect();
        let random: Vec<i64> = (0..300).map(|_| rng.gen_range(ends.0..=ends.1)).collect();
        for limb_bits in [8, 9, 11] {
            let program = Program::compile(&graph, &calibration, limb_bits).unwrap();
            for number in near.iter().chain(&random).chain([&ends.0, &ends.1]) {
                let number = (*number).clamp(ends.0, ends.1);
                let second = (number + 7).div_euclid(255).clamp(-128, 127);
                let first = number + 7 - 255 * second;
                if !(-128..=127).contains(&first) {
                    continue;
                }
                let inputs = program.quantize(&[vec![first as f64, second as f64]]).unwrap();
                let got = program.dequantize_outputs(&program.execute(&inputs).unwrap());
                assert_eq!(got, [[row.apply(number as f32) as f64]], "{scale} at {number}");
            }
        }
    }
}

/// A cell of an integer input has room for more than eight bits; what the prover puts there counts as the nearest byte.
#[test]
fn inputs_beyond_eight_bits_count_as_the_largest() {
    let mut builder = GraphBuilder::new(1);
    let held = builder.map(rows(1, &[], 0, (-128, 127)), X);
    builder.output("held", held, OutputKind::Real);
    let mut graph = builder.finish();
    graph.inputs[0].element = Element::Int64;
    let calibration = Calibration::measure(&graph, &[vec![vec![0.0]]], 1.0).unwrap();
    let case = Case::new(Program::compile(&graph, &calibration, 8).unwrap(), 1);
    for (cell, expected) in [(0, -128.0), (128, 0.0), (255, 127.0), (256, 127.0), (65_535, 127.0)] {
        let cells = case.program.execute(&[cell]).unwrap();
        assert_eq!(case.program.dequantize_outputs(&cells), [[expected]]);
        case.assert_accepts(case.trace(&cells), case.instance(&cells));
    }
}

/// Sums that ONNX Runtime would wrap around, and scales that turn the order, are refused by name.
#[test]
fn what_is_not_exact_is_refused() {
    for (weight, scale, words) in [(1e8, 1.0, "wrap around"), (1.0, -1.0, "not positive")] {
        let mut builder = GraphBuilder::new(1);
        let bytes = builder.map(rows(1, &[SingleStep::Over(0.02)], 0, BYTES), X);
        let sum = builder.node(sums(&[&[weight]]), bytes, 1);
        let rounded = builder.map(rows(1, &[SingleStep::Times(scale)], 0, BYTES), sum);
        builder.output("rounded", rounded, OutputKind::Real);
        let graph = builder.finish();
        let calibration = Calibration::measure(&graph, &[vec![vec![0.5]]], 1.0).unwrap();
        let error = Program::compile(&graph, &calibration, 8).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// The digits that the test models were made for, as the importer's tests keep them.
fn digits() -> Vec<Sample> {
    let path = repository().join("crates/onnx/tests/models/quantized/rows.npy");
    let bytes = fs::read(path).unwrap();
    let start = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let words = bytes[start..]
        .chunks_exact(4)
        .map(|word| f32::from_le_bytes(word.try_into().unwrap()));
    let numbers: Vec<f64> = words.map(f64::from).collect();
    numbers.chunks(64).map(|row| vec![row.to_vec()]).collect()
}

fn pipeline(name: &str) -> Pipeline {
    let folder = repository().join("crates/onnx/tests/models/quantized");
    let model = Model::load(&folder.join(format!("{name}.onnx"))).unwrap();
    Pipeline::new(model, &digits()[..40])
}

/// A convolutional network in both forms, beside its floats.
#[test]
fn a_network_of_integers_is_proven_natively_and_on_chain() {
    for name in ["cnn_qdq_u8", "cnn_operators_s8_channels", "cnn"] {
        let pipeline = pipeline(name);
        let plan = pipeline.planned.file.plan.clone();
        let exact = pipeline.planned.file.compiled.program.outputs[0].exact;
        assert_eq!(exact, name != "cnn");
        assert!(!exact || pipeline.reported_error() == 0.0);
        let layers = pipeline
            .planned
            .file
            .compiled
            .program
            .steps
            .iter()
            .map(|step| match step {
                Step::Layer(layer) => layer
                    .sums
                    .iter()
                    .filter(|sum| matches!(sum.finish, Finish::Lookup { .. }))
                    .count(),
                _ => 0,
            });
        let digits_taken: usize = layers.sum();
        let keyed = Keyed::new(pipeline, digits().swap_remove(3));
        assert_eq!(
            keyed.verdict(&keyed.proof.proof, &keyed.inference.public_inputs),
            Ok(())
        );
        let mut forged = keyed.inference.public_inputs.clone();
        *forged.last_mut().unwrap() += halo2_proofs::halo2curves::bn256::Fr::one();
        assert!(keyed.verdict(&keyed.proof.proof, &forged).is_err());
        let gas = has_solc().then(|| {
            let mut simulator = Simulator::deploy(&keyed.contract().build.compiled).unwrap();
            let report = simulator.verify(&keyed.proof.proof, &keyed.proof.words()).unwrap();
            assert!(report.outcome.is_accepted());
            report.transaction_gas
        });
        report!(
            "{name}: k = {}, {}, {} rows, {digits_taken} digits, {} bytes of proof, {:.2} s predicted, {gas:?} gas",
            plan.k,
            plan.shape,
            plan.rows,
            plan.proof_bytes,
            plan.prove_cpu_s
        );
    }
}
