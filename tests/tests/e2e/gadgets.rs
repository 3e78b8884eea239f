//! The circuit accepts what the reference evaluator computes, for every gadget, width and limb size.

use crate::support::{
    graphs::{attention, everything, forest, mlp, rng, samples, wide_logits},
    traces::Case,
};
use zkverdict::models::{Fidelity, Graph};

fn check(graph: &Graph, limb_bits: u32, lanes: usize) {
    let case = Case::from_graph(graph, limb_bits, lanes);
    for sample in samples(graph, 3, &mut rng(99)) {
        let cells = case.cells(&sample);
        let verdict = case.accepts(case.trace(&cells), case.instance(&cells));
        assert_eq!(verdict, Ok(()), "L = {limb_bits}, C = {lanes}, k = {}", case.k);
    }
}

#[test]
fn mlp_in_every_width() {
    for lanes in [1, 2, 3, 4, 8] {
        check(&mlp(6, &[9, 5], &mut rng(3)), 8, lanes);
    }
}

#[test]
fn mlp_with_every_limb_size() {
    for limb_bits in [6, 7, 8, 9, 10] {
        check(&mlp(6, &[4], &mut rng(3)), limb_bits, 1);
    }
}

#[test]
fn every_operator_in_every_width() {
    for lanes in [1, 2, 4] {
        check(&everything(&mut rng(7)), 8, lanes);
        check(&attention(&mut rng(19)), 8, lanes);
    }
}

#[test]
fn fixed_point_stays_close_to_floats() {
    for (graph, tolerance) in [
        (mlp(24, &[16, 8], &mut rng(5)), 4e-4),
        (everything(&mut rng(7)), 2e-3),
        (attention(&mut rng(19)), 2e-2),
    ] {
        let case = Case::from_graph(&graph, 8, 1);
        let fidelity = Fidelity::measure(&case.program, &graph, &samples(&graph, 300, &mut rng(11))).unwrap();
        assert!(fidelity.max_error < tolerance, "{fidelity:?}");
        assert_eq!(fidelity.refused, 0, "{fidelity:?}");
        assert!(fidelity.equal_decisions + 2 >= fidelity.decisions, "{fidelity:?}");
    }
}

#[test]
fn trees_in_every_width() {
    for lanes in [1, 2, 4] {
        check(&forest(5, 4, 4, &mut rng(4)), 8, lanes);
    }
    check(&forest(3, 3, 7, &mut rng(7)), 10, 1);
}

/// Just below, at and just above every threshold the walk is the floats' walk, and the circuit agrees.
#[test]
fn trees_decide_exactly_at_thresholds() {
    let graph = forest(5, 4, 4, &mut rng(4));
    let case = Case::from_graph(&graph, 8, 1);
    for step in 0..=64_i16 {
        let threshold = f32::from(step - 32) / 4.0;
        for value in [
            threshold.next_down(),
            threshold,
            threshold.next_up(),
            -threshold,
            f32::INFINITY,
        ] {
            let sample = vec![vec![f64::from(value); 5]];
            let expected = graph.pick_outputs(&graph.evaluate(&sample).unwrap());
            let cells = case.cells(&sample);
            let got = case.program.dequantize_outputs(&cells);
            assert_eq!(got[0], expected[0], "{value}");
            for (got, expected) in got[1].iter().zip(&expected[1]) {
                assert!((got - expected).abs() < 2e-3, "{value}: {got} {expected}");
            }
            if step % 16 == 0 {
                assert_eq!(case.accepts(case.trace(&cells), case.instance(&cells)), Ok(()));
            }
        }
    }
}

#[test]
fn wide_logits_keep_their_order() {
    let graph = wide_logits();
    check(&graph, 8, 1);
    let case = Case::from_graph(&graph, 8, 1);
    let fidelity = Fidelity::measure(&case.program, &graph, &samples(&graph, 500, &mut rng(23))).unwrap();
    assert!(fidelity.equal_decisions + 2 >= fidelity.decisions, "{fidelity:?}");
    assert!(fidelity.max_error < 2e-3, "{fidelity:?}");
}

/// Numbers cut off at either end of their format are counted: the logits' format ends at ±32, which is 9 · 3.56, for the
/// label and for the probabilities.
#[test]
fn saturation_is_counted_at_both_ends() {
    let graph = wide_logits();
    let case = Case::from_graph(&graph, 8, 1);
    let cases = [
        ([0.0, 1.0, 2.0], 0),
        ([3.4, 0.0, 3.4], 0),
        ([4.5, 0.0, 0.0], 1),
        ([0.0, 0.0, 4.5], 1),
        ([4.5, 4.5, 1.0], 2),
        ([4.5, 4.5, 4.5], 3),
    ];
    for (sample, values) in cases {
        let nodes = case.program.saturation(&case.cells(&vec![sample.to_vec()]));
        let counts: Vec<_> = nodes.iter().map(|node| (node.values, node.of)).collect();
        let expected = if values == 0 { vec![] } else { vec![(values, 3); 2] };
        assert_eq!(counts, expected, "{sample:?}");
    }
    let all = cases.map(|(sample, _)| vec![sample.to_vec()]);
    let fidelity = Fidelity::measure(&case.program, &graph, &all).unwrap();
    assert_eq!((fidelity.saturated, fidelity.saturated_values), (4, 14));
    // Per sample three logits, twice, and the label.
    assert_eq!(fidelity.limited_values, 42);
    let counts: Vec<_> = fidelity
        .saturated_nodes
        .iter()
        .map(|node| (node.values, node.of))
        .collect();
    assert_eq!(counts, [(7, 18), (7, 18)]);
}
