//! Reasons for decisions: beside contributions computed another way, under attack, and on chain.

use std::panic::catch_unwind;

use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict::{
    CalibrationFile, CompileOptions, FormatRule, compile,
    evm::Simulator,
    models::{
        CONTRIBUTIONS, Calibration, CellId, Graph, ModelError, Op, OutputKind, REASONS, Range, ReasonsRequest, Source,
        Step, Tree, TreeNode,
    },
};

use crate::support::{
    Example, Keyed, Pipeline, Sample,
    graphs::{self, mlp, ranking, rng},
    has_solc, report,
    traces::Case,
    word,
};

fn request(count: usize) -> ReasonsRequest {
    ReasonsRequest {
        count,
        ..ReasonsRequest::default()
    }
}

/// An example that gives its three weightiest reasons, and its calibration samples.
fn explained(example: Example) -> (Pipeline, Vec<Sample>) {
    let model = example.pipeline().model.clone();
    let samples = model.samples(&example.folder().join("calibration.json"), &[]).unwrap();
    let margin = Calibration::DEFAULT_MARGIN;
    let calibration =
        CalibrationFile::measure_with_reasons(&model, &samples, margin, FormatRule::Fitted, &request(3)).unwrap();
    let planned = compile(&model, &calibration, &CompileOptions::default()).unwrap();
    let pipeline = Pipeline {
        model,
        calibration,
        planned,
    };
    (pipeline, samples)
}

/// Where the label's comparison reads its score.
fn score_of(graph: &Graph, sample: &Sample) -> f64 {
    let values = graph.evaluate(sample).unwrap();
    let node = graph
        .nodes
        .iter()
        .find(|node| matches!(node.op, Op::Compare { .. }))
        .unwrap();
    values[node.inputs[0].0][0]
}

/// What each feature takes from an additive score: the score of one row with the feature's value in it, beside the mean of
/// that over the samples' values.
struct Replacement<'a> {
    graph: &'a Graph,
    row: &'a Sample,
    means: Vec<f64>,
}

impl<'a> Replacement<'a> {
    fn new(graph: &'a Graph, samples: &'a [Sample]) -> Self {
        let mut replacement = Self {
            graph,
            row: &samples[0],
            means: vec![],
        };
        let mean = |feature: usize| {
            let each = samples.iter().map(|sample| replacement.score(feature, sample));
            each.sum::<f64>() / samples.len() as f64
        };
        replacement.means = (0..samples[0][0].len()).map(mean).collect();
        replacement
    }

    fn score(&self, feature: usize, from: &Sample) -> f64 {
        let mut mixed = self.row.clone();
        mixed[0][feature] = from[0][feature];
        score_of(self.graph, &mixed)
    }

    fn taken(&self, sample: &Sample) -> Vec<f64> {
        let means = self.means.iter().enumerate();
        means
            .map(|(feature, mean)| mean - self.score(feature, sample))
            .collect()
    }
}

/// The mean of the leaves that these rows end at below a node; without rows, of both sides.
fn mean(tree: &Tree, position: usize, rows: &[&Sample]) -> f64 {
    match &tree.nodes[position] {
        TreeNode::Leaf { weights } => f64::from(weights[0].1),
        TreeNode::Branch { holds, otherwise, .. } if rows.is_empty() => {
            (mean(tree, *holds, rows) + mean(tree, *otherwise, rows)) / 2.0
        }
        TreeNode::Branch { .. } => {
            let below = rows.iter().map(|row| {
                let mut at = position;
                while let Some(next) = step(tree, at, row) {
                    at = next;
                }
                mean(tree, at, &[])
            });
            below.sum::<f64>() / rows.len() as f64
        }
    }
}

/// The child of a node for a row; nothing at a leaf.
fn step(tree: &Tree, position: usize, row: &Sample) -> Option<usize> {
    let TreeNode::Branch {
        feature,
        mode,
        threshold,
        holds,
        otherwise,
        ..
    } = &tree.nodes[position]
    else {
        return None;
    };
    let is_held = mode.holds(row[0][*feature] as f32, *threshold);
    Some(if is_held { *holds } else { *otherwise })
}

/// What each feature takes from a score of trees, split by split.
fn by_splits(trees: &[Tree], samples: &[Sample], sample: &Sample) -> Vec<f64> {
    let mut taken = vec![0.0; sample[0].len()];
    for tree in trees {
        let mut rows: Vec<&Sample> = samples.iter().collect();
        let mut position = 0;
        while let Some(next) = step(tree, position, sample) {
            let TreeNode::Branch { feature, .. } = &tree.nodes[position] else {
                unreachable!()
            };
            let before = mean(tree, position, &rows);
            rows.retain(|row| step(tree, position, row) == Some(next));
            taken[*feature] += before - mean(tree, next, &rows);
            position = next;
        }
    }
    taken
}

/// Every row of German Credit: the proven contributions are those of the features, and the largest there are.
fn agrees_on_every_row(example: Example, pipeline: &Pipeline, truth: impl Fn(&Sample) -> Vec<f64>) {
    let file = &pipeline.planned.file;
    let features = &pipeline.calibration.reasons.as_ref().unwrap().features;
    // Floats of contributions are 32 bits wide in trees.
    let tolerance = pipeline.reported_error().max(4e-4) + 1e-5;
    let all = pipeline
        .model
        .samples(&example.folder().join("inputs.csv"), &[])
        .unwrap();
    assert_eq!(all.len(), 1000);
    let (mut worst, mut first_equal) = (0.0_f64, 0);
    for sample in &all {
        let program = &file.compiled.program;
        let cells = program.execute(&program.quantize(sample).unwrap()).unwrap();
        let reasons = file.reasons(&cells).unwrap();
        let contributions = truth(sample);
        let of = |name: &str| {
            let index = (0..contributions.len()).find(|index| format!("input[{index}]") == name);
            contributions[index.unwrap()]
        };
        let mut order: Vec<f64> = features.iter().map(|name| of(name)).collect();
        order.sort_by(|a, b| b.total_cmp(a));
        for (reason, largest) in reasons.iter().zip(&order) {
            let exact = of(&reason.feature);
            worst = worst.max((reason.contribution - exact).abs());
            assert!(
                (reason.contribution - exact).abs() <= tolerance,
                "{reason:?}, not {exact}"
            );
            assert!(exact >= largest - 2.0 * tolerance, "{reason:?} before {largest}");
        }
        let names: Vec<&String> = reasons.iter().map(|reason| &reason.feature).collect();
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        first_equal += usize::from(of(&reasons[0].feature) == order[0]);
    }
    let plan = &file.plan;
    report!(
        "reasons of {}: k = {}, {} rows, {} lanes, limbs of {} bits, prove {:.2} CPU s; largest error {worst:.6}, the first \
         reason is that of the floats in {first_equal} of 1000",
        example.file(),
        plan.k,
        plan.rows,
        plan.shape.lanes,
        plan.shape.limb_bits,
        plan.prove_cpu_s
    );
    assert!(first_equal >= 990, "{first_equal}");
}

#[test]
fn reasons_of_a_linear_model_are_those_of_the_floats() {
    let (pipeline, samples) = explained(Example::CreditLogreg);
    let replacement = Replacement::new(&pipeline.model.graph, &samples);
    agrees_on_every_row(Example::CreditLogreg, &pipeline, |sample| replacement.taken(sample));
}

#[test]
fn reasons_of_trees_are_those_of_the_floats() {
    let (pipeline, samples) = explained(Example::CreditGbdt);
    let Some(Op::TreeEnsemble(ensemble)) = pipeline.model.graph.nodes.iter().map(|node| &node.op).next() else {
        panic!("trees come first")
    };
    agrees_on_every_row(Example::CreditGbdt, &pipeline, |sample| {
        by_splits(&ensemble.trees, &samples, sample)
    });
}

/// All contributions together are what lies between the score and its mean, and speak against the other label with the
/// other sign.
#[test]
fn contributions_add_up_to_the_score() {
    for (example, count) in [(Example::CreditLogreg, 17), (Example::CreditGbdt, 3)] {
        let model = &example.pipeline().model;
        let samples = model.samples(&example.folder().join("calibration.json"), &[]).unwrap();
        let used = match model.graph.measure_reasons(&samples, &request(1000)) {
            Err(ModelError::Reasons { problem }) => problem.rsplit(' ').next().unwrap().parse::<usize>().unwrap(),
            other => panic!("{other:?}"),
        };
        assert!(used >= count && used <= 17);
        let mean = samples.iter().map(|sample| score_of(&model.graph, sample)).sum::<f64>() / samples.len() as f64;
        for (label, sign) in [("1", -1.0), ("0", 1.0)] {
            let all = ReasonsRequest {
                against: Some(label.to_owned()),
                ..request(used)
            };
            let reasons = model.graph.measure_reasons(&samples, &all).unwrap();
            let graph = model.graph.with_reasons(&reasons).unwrap();
            for sample in &samples[..20] {
                let outputs = graph.pick_outputs(&graph.evaluate(sample).unwrap());
                let total: f64 = outputs.last().unwrap().iter().sum();
                let expected = sign * (score_of(&model.graph, sample) - mean);
                assert!((total - expected).abs() < 1e-4, "{total}, not {expected}");
            }
        }
    }
}

/// The cells of a rank: its number, its bits, its place.
fn ranks(case: &Case) -> Vec<(CellId, Vec<CellId>, CellId)> {
    let mut found: Vec<(CellId, Vec<CellId>, CellId)> = vec![];
    for step in &case.program.steps {
        match step {
            Step::Witness {
                cells,
                source: Source::Maximum(_),
                ..
            } => found.push((cells[0], vec![], cells[0])),
            Step::Witness {
                cells,
                source: Source::FirstMaximum(_),
                ..
            } => found.last_mut().unwrap().1 = cells.clone(),
            Step::Witness {
                cells,
                range: Range::Cell,
                source: Source::Total(_),
            } => found.last_mut().unwrap().2 = cells[0],
            _ => {}
        }
    }
    found
}

/// Rankings that are wrong in one respect each, with everything else consistent.
#[test]
fn forged_rankings_are_rejected() {
    for lanes in [1, 2] {
        let graph = ranking(&mut rng(23));
        let case = Case::from_graph(&graph, 6, lanes);
        let cells = case.cells(&graphs::samples(&graph, 1, &mut rng(42))[0]);
        case.assert_accepts(case.trace(&cells), case.instance(&cells));
        let ranks = ranks(&case);
        let numbers: Vec<i64> = case
            .program
            .steps
            .iter()
            .find_map(|step| match step {
                Step::Witness {
                    source: Source::Maximum(among),
                    ..
                } => Some(among.iter().map(|number| cells[number.terms[0].0.index()]).collect()),
                _ => None,
            })
            .unwrap();
        let mut order: Vec<usize> = (0..4).collect();
        order.sort_by_key(|place| -numbers[*place]);
        assert!(numbers[order[0]] > numbers[order[1]] && numbers[order[1]] > numbers[order[2]]);
        let claim = |cells: &mut Vec<i64>, rank: usize, place: usize| {
            let (value, bits, at) = &ranks[rank];
            cells[value.index()] = numbers[place];
            cells[at.index()] = place as i64;
            for (index, bit) in bits.iter().enumerate() {
                cells[bit.index()] = i64::from(index == place);
            }
        };
        let rejects = |what: &str, forged: &[i64]| {
            if let Ok(trace) = catch_unwind(|| case.trace(forged)) {
                assert!(
                    case.accepts(trace, case.instance(forged)).is_err(),
                    "{what} was accepted"
                );
            }
            let mut trace = case.trace(&cells);
            case.layout.put_cells(&mut trace, forged);
            trace.count_lookups(&case.layout);
            assert!(
                case.accepts(trace, case.instance(forged)).is_err(),
                "{what} was accepted"
            );
        };
        let forge = |places: [usize; 2]| {
            let mut forged = cells.clone();
            claim(&mut forged, 0, places[0]);
            claim(&mut forged, 1, places[1]);
            forged
        };
        assert_eq!(forge([order[0], order[1]]), cells);
        rejects("swapped ranks", &forge([order[1], order[0]]));
        rejects("one number twice", &forge([order[0], order[0]]));
        rejects("the second twice", &forge([order[1], order[1]]));
        rejects("the largest left out", &forge([order[1], order[2]]));
        rejects("the third for the second", &forge([order[0], order[2]]));
        // A place with less than its number would be in order after itself.
        let mut forged = forge([order[0], order[0]]);
        forged[ranks[1].0.index()] = numbers[order[1]];
        rejects("one place twice, with the second number", &forged);
        let mut forged = cells.clone();
        forged[ranks[0].2.index()] = order[3] as i64;
        rejects("another place for the same number", &forged);
        let mut forged = cells.clone();
        forged[ranks[1].0.index()] = numbers[order[2]];
        rejects("another number for the same place", &forged);
        let mut forged = cells.clone();
        forged[ranks[1].1[order[2]].index()] = 1;
        rejects("two places marked", &forged);
        let mut forged = cells.clone();
        forged[ranks[1].1[order[1]].index()] = 0;
        rejects("no place marked", &forged);
    }
}

/// Of equal numbers the first ones are named, and no others.
#[test]
fn ties_go_to_the_first() {
    let mut builder = graphs::GraphBuilder::new(1);
    let equal = builder.node(Op::Wire { indices: vec![0; 4] }, graphs::X, 4);
    let ranked = builder.node(Op::Largest { count: 2 }, equal, 4);
    builder.output("ranked", ranked, OutputKind::Real);
    let graph = builder.finish();
    let case = Case::from_graph(&graph, 6, 1);
    let cells = case.cells(&vec![vec![0.5]]);
    let ranks = ranks(&case);
    assert_eq!((cells[ranks[0].2.index()], cells[ranks[1].2.index()]), (0, 1));
    case.assert_accepts(case.trace(&cells), case.instance(&cells));
    for places in [[1, 0], [0, 2], [2, 3], [0, 0]] {
        let mut forged = cells.clone();
        for ((_, bits, at), place) in ranks.iter().zip(places) {
            forged[at.index()] = place;
            for (index, bit) in bits.iter().enumerate() {
                forged[bit.index()] = i64::from(index as i64 == place);
            }
        }
        if let Ok(trace) = catch_unwind(|| case.trace(&forged)) {
            assert!(case.accepts(trace, case.instance(&forged)).is_err(), "{places:?}");
        }
    }
}

fn problem(graph: &Graph, samples: &[Sample], request: &ReasonsRequest) -> String {
    graph.measure_reasons(samples, request).unwrap_err().to_string()
}

#[test]
fn what_has_no_reasons_is_refused_by_name() {
    let model = &Example::CreditMlp.pipeline().model;
    let samples = model
        .samples(&Example::CreditMlp.folder().join("calibration.json"), &[])
        .unwrap();
    let text = problem(&model.graph, &samples, &request(3));
    assert!(text.contains("networks have none"), "{text}");
    let graph = mlp(3, &[4], &mut rng(8));
    let rows = graphs::samples(&graph, 20, &mut rng(9));
    assert!(problem(&graph, &rows, &request(1)).contains("networks have none"));
    let model = &Example::CreditLogreg.pipeline().model;
    assert!(problem(&model.graph, &samples, &request(0)).contains("ask for 1 to 17"));
    assert!(problem(&model.graph, &samples, &request(18)).contains("ask for 1 to 17"));
    let other = ReasonsRequest {
        against: Some("good".to_owned()),
        ..request(3)
    };
    assert!(problem(&model.graph, &samples, &other).contains("two outcomes"));
    let short = ReasonsRequest {
        names: Some(vec!["age".to_owned()]),
        ..request(3)
    };
    assert!(problem(&model.graph, &samples, &short).contains("1 names are given for 17 inputs"));
    let reasons = model.graph.measure_reasons(&samples, &request(3)).unwrap();
    let twice = model.graph.with_reasons(&reasons).unwrap();
    assert!(
        twice
            .with_reasons(&reasons)
            .unwrap_err()
            .to_string()
            .contains("an output \"reasons\"")
    );
    let gbdt = &Example::CreditGbdt.pipeline().model;
    assert!(
        gbdt.graph
            .with_reasons(&reasons)
            .unwrap_err()
            .to_string()
            .contains("another model")
    );
}

/// A proof with reasons, natively and on an embedded chain; with another reason it is rejected.
#[test]
fn reasons_are_proven_to_a_contract() {
    let (pipeline, _) = explained(Example::CreditLogreg);
    let sample = pipeline
        .model
        .samples(&Example::CreditLogreg.folder().join("applicants/rejected.json"), &[])
        .unwrap()
        .remove(0);
    let keyed = Keyed::new(pipeline, sample);
    let schema = &keyed.keys.verifying.schema;
    let at = |name: &str| schema.iter().position(|field| field.name == name).unwrap();
    let (first, contribution) = (at(REASONS), at(CONTRIBUTIONS));
    let inputs = &keyed.inference.public_inputs;
    keyed.verdict(&keyed.proof.proof, inputs).unwrap();
    let mut swapped = inputs.clone();
    swapped.swap(first, first + 1);
    let mut other = inputs.clone();
    other[first] += Fr::one();
    let mut larger = inputs.clone();
    larger[contribution] += Fr::one();
    for forged in [&swapped, &other, &larger] {
        assert!(keyed.verdict(&keyed.proof.proof, forged).is_err());
    }
    if !has_solc() {
        return;
    }
    let mut simulator = Simulator::deploy(&keyed.contract().build.compiled).unwrap();
    let accepted = simulator.verify(&keyed.proof.proof, &keyed.proof.words()).unwrap();
    assert!(accepted.outcome.is_accepted(), "{}", accepted.outcome);
    for forged in [&swapped, &other, &larger] {
        let words: Vec<_> = forged.iter().map(|input| word(*input)).collect();
        let verdict = simulator.verify(&keyed.proof.proof, &words).unwrap();
        assert!(!verdict.outcome.is_accepted());
    }
    report!("reasons of logreg: {} gas to verify", accepted.transaction_gas);
}
