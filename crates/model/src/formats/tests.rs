use super::*;
use crate::{AffineRow, Element, Input, Node, Op, Output, OutputKind, Saturated, ValueId, Weights};

/// `y = head(weight · max(0.7·x₀ + reach · x₁, 0) + bias)`: `x₁ = 1` throws the hidden value far out.
fn outlying(reach: f64, weight: f64, bias: f64, head: Option<Op>) -> Graph {
    let affine = |terms, bias| Op::Affine {
        rows: vec![AffineRow { terms, bias }],
    };
    let mut ops = vec![
        ("sum", affine(vec![(0, 0.7), (1, reach)], 0.0)),
        ("hidden", Op::Relu),
        ("score", affine(vec![(0, weight)], bias)),
    ];
    ops.extend(head.map(|op| ("head", op)));
    let nodes = ops.into_iter().enumerate().map(|(position, (name, op))| Node {
        name: name.to_owned(),
        op,
        inputs: vec![ValueId(position)],
        len: 1,
        shape: None,
        weights: Weights::default(),
    });
    let nodes: Vec<Node> = nodes.collect();
    Graph {
        inputs: vec![Input {
            name: "x".to_owned(),
            shape: vec![1, 2],
            element: Element::Float32,
        }],
        outputs: vec![Output {
            name: "y".to_owned(),
            value: ValueId(nodes.len()),
            shape: vec![1, 1],
            kind: OutputKind::Real,
        }],
        nodes,
        notes: Vec::new(),
    }
}

/// Numbers that fill `[0, 1)` evenly, in no order; `is_outlier` says where `x₁ = 1`.
fn samples(count: usize, seed: usize, is_outlier: impl Fn(usize) -> bool) -> Vec<Vec<Vec<f64>>> {
    let part = |position: usize| ((position + seed) as f64 * 0.618_033_988_749_895).fract();
    let sample = |position| vec![vec![part(position), f64::from(u8::from(is_outlier(position)))]];
    (0..count).map(sample).collect()
}

fn search(graph: &Graph, samples: &[Vec<Vec<f64>>], margin: f64) -> (Calibration, ChosenFormats) {
    let calibration = Calibration::measure(graph, samples, margin).unwrap();
    let references = References::of(graph, samples).unwrap();
    let chosen = ChosenFormats::search(graph, &calibration, &references, 8).unwrap();
    assert_eq!(
        ChosenFormats::search(graph, &calibration, &references, 8).unwrap(),
        chosen
    );
    (calibration, chosen)
}

/// Two samples of 256 lie a thousand times as far out as all others, where the sigmoid is one whatever the hidden value:
/// it need not be held exactly there. One of the two was held out.
#[test]
fn outliers_that_do_not_matter_are_cut_off() {
    let graph = outlying(1000.0, 12.0, -4.0, Some(Op::Sigmoid));
    let known = samples(256, 0, |position| position == 40 || position == 103);
    let (calibration, chosen) = search(&graph, &known, 4.0);
    let fitted = chosen.fitted.clone().unwrap();
    assert!(chosen.fidelity.max_error < fitted.max_error / 20.0, "{chosen:?}");
    assert!(chosen.fidelity.mean_error < fitted.mean_error / 20.0, "{chosen:?}");
    assert!(chosen.held_out.as_ref().unwrap().max_error < fitted.max_error / 20.0);
    // Counted by hand: the two outliers, of one value per sample.
    assert_eq!((fitted.saturated, fitted.saturated_values), (0, 0));
    assert_eq!((chosen.fidelity.saturated, chosen.fidelity.saturated_values), (2, 2));
    assert_eq!(chosen.fidelity.limited_values, 256);
    let saturated = Saturated {
        name: "hidden".to_owned(),
        values: 2,
        of: 256,
    };
    assert_eq!(chosen.fidelity.saturated_nodes, [saturated]);
    let [choice] = chosen.choices.as_slice() else {
        panic!("{:?}", chosen.choices);
    };
    assert_eq!((choice.node, choice.name.as_str()), (1, "hidden"));
    assert!(choice.finer > 4, "{choice:?}");
    // On samples that nobody looked at.
    let fresh = samples(500, 1000, |position| position == 250);
    let program = |choices: &[FormatChoice]| Program::compile_with(&graph, &calibration, 8, choices).unwrap();
    let [new, old] = [program(&chosen.choices), program(&[])]
        .map(|program| Fidelity::measure(&program, &graph, &fresh).unwrap().max_error);
    assert!(new < old / 20.0, "{new} {old}");
    // What the format is good for is all of the difference.
    let references = References::of(&graph, &known).unwrap();
    let gains = ChosenFormats::gains(&graph, &calibration, &references, 8, &chosen.choices).unwrap();
    assert_eq!(
        (gains[0].max_error, gains[0].mean_error),
        (fitted.max_error, fitted.mean_error)
    );
}

/// Where the outlier is the output, cutting it off is an error: the range that fits stays.
#[test]
fn outliers_that_matter_are_kept() {
    let graph = outlying(1000.0, 1.0, 0.0, None);
    let (_, chosen) = search(&graph, &samples(256, 0, |position| position == 40), 1.0);
    assert_eq!((chosen.choices, chosen.fitted), (Vec::new(), None));
    assert_eq!(chosen.fidelity.saturated_values, 0);
}

/// The values fill the format: one bit finer cuts half of them off, one bit coarser rounds twice as much.
#[test]
fn formats_that_fit_stay() {
    let graph = outlying(0.0, 1.0, 0.0, Some(Op::Sigmoid));
    let (_, chosen) = search(&graph, &samples(256, 0, |_| false), 1.0);
    assert_eq!((chosen.choices, chosen.fitted), (Vec::new(), None));
    assert!(chosen.trials > 1 && chosen.held_out.is_some());
}

/// The samples that choose would have the finer format; those that were held out would be cut off by it.
#[test]
fn samples_held_out_veto_what_the_others_choose() {
    let graph = outlying(10.0, 0.3, 0.0, None);
    let (_, vetoed) = search(&graph, &samples(1000, 0, |position| position == 412), 4.0);
    let (_, alone) = search(&graph, &samples(1000, 0, |_| false), 4.0);
    // Of every fourth sample the search looks at, 412 is the hundred and third: held out.
    assert_eq!(1000_usize.div_ceil(MOST_SAMPLES), 4);
    assert_eq!((412 / 4) % HELD_OUT_EVERY, HELD_OUT_EVERY - 1);
    let hidden = |chosen: &ChosenFormats| chosen.choices.iter().map(|choice| choice.finer).max().unwrap_or(0);
    assert!(vetoed.fidelity.saturated_values == 0 && vetoed.held_out.is_some());
    assert!(hidden(&alone) > 0, "{alone:?}");
    assert_eq!(hidden(&vetoed), 1, "{vetoed:?}");
}

/// Fewer samples, fewer liberties: none below sixteen, and room above what was seen below sixty-four.
#[test]
fn few_samples_choose_little() {
    let graph = outlying(1000.0, 12.0, -4.0, Some(Op::Sigmoid));
    let (_, chosen) = search(&graph, &samples(LEAST_SAMPLES - 1, 0, |_| false), 4.0);
    assert_eq!((chosen.choices, chosen.held_out, chosen.trials), (Vec::new(), None, 1));
    let (calibration, chosen) = search(&graph, &samples(ENOUGH_SAMPLES - 1, 0, |position| position == 40), 4.0);
    for choice in &chosen.choices {
        let range = calibration.nodes[choice.node].high * f64::powi(2.0, -choice.finer);
        assert!(
            range >= LEAST_ROOM * calibration.observed[1 + choice.node].high,
            "{choice:?}"
        );
    }
    assert_eq!(chosen.fidelity.saturated_values, 0);
}

#[test]
fn choices_of_another_graph_are_refused() {
    let graph = outlying(1.0, 1.0, 0.0, None);
    let calibration = Calibration::measure(&graph, &samples(20, 0, |_| false), 4.0).unwrap();
    let choice = |node, name: &str, finer| FormatChoice {
        node,
        name: name.to_owned(),
        finer,
    };
    let compile = |choices: &[FormatChoice]| Program::compile_with(&graph, &calibration, 8, choices);
    assert!(compile(&[choice(1, "hidden", FINEST)]).is_ok());
    for choices in [
        vec![choice(1, "another", 1)],
        vec![choice(usize::MAX, "hidden", 1)],
        vec![choice(3, "hidden", 1)],
        vec![choice(1, "hidden", FINEST + 1)],
        vec![choice(1, "hidden", i32::MIN)],
        vec![choice(1, "hidden", 1), choice(1, "hidden", 2)],
    ] {
        let error = compile(&choices).unwrap_err();
        assert!(
            matches!(error, ModelError::ForeignFormat { .. }) && error.to_string().contains("zkverdict calibrate"),
            "{error}"
        );
    }
}
