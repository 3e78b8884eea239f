//! What is stated of committed trees, whatever the input: against the trees themselves, and against provers and owners who
//! would like it to be otherwise.

use std::collections::{BTreeMap, BTreeSet};

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolValue,
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand::Rng;
use zkverdict::{
    CircuitFile, CompileOptions, Error, Keys, SecretModel,
    circuits::{ModelCommitment, PublicInputs, Visibility, Widths},
    compile, compile_statement,
    evm::{Anvil, AnvilOptions},
    models::{
        Aggregate, CellId, Graph, ModelError, ModelParameters, Op, OutputKind, Program, Range, Source, Step, Tree,
        TreeClaim, TreeEnsemble, TreeNode, TreeParameters, TreeProperty,
    },
    prove,
};

use crate::{
    audited_on_chain::{Keyed, contextOfCall, field, verifyInferenceForCall},
    committed_trees::Twins,
    support::{
        Example,
        chain::{Sender, assert_refused, forge_build, init_code, view},
        development_srs,
        graphs::{GraphBuilder, rng},
        report,
        traces::Case,
    },
};

const STATED: PublicInputs = PublicInputs {
    inputs: Visibility::Committed,
    outputs: Visibility::Public,
    model: Visibility::Public,
};
const COMMITTED: PublicInputs = PublicInputs {
    model: Visibility::Committed,
    ..PublicInputs::DEFAULT
};
/// The split that nothing lies above.
const ALWAYS: u32 = u32::MAX;

fn claims(texts: &[&str]) -> Vec<TreeClaim> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// All claims about a number of features and scores.
fn all_claims(features: usize, scores: usize) -> Vec<TreeClaim> {
    let directed = (0..scores).flat_map(|score| {
        let properties = [TreeProperty::Increasing, TreeProperty::Decreasing];
        properties.map(|property| (property, score))
    });
    let kinds: Vec<_> = directed.chain([(TreeProperty::Unused, 0)]).collect();
    let claim = |feature: usize| {
        kinds.iter().map(move |(property, score)| TreeClaim {
            property: *property,
            feature: format!("x[{feature}]"),
            score: *score,
        })
    };
    (0..features).flat_map(claim).collect()
}

/// Whether a claim holds of a complete tree, node by node.
fn holds_of(tree: &TreeParameters, claim: &TreeClaim, address: u32, first_score: usize) -> bool {
    let depth = tree.leaves.len().trailing_zeros();
    let nodes = (0..depth).flat_map(|level| (0..1_usize << level).map(move |index| (level, index)));
    let mut read = nodes.zip(&tree.nodes).filter(|(_, (feature, _))| *feature == address);
    if claim.property == TreeProperty::Unused {
        return read.all(|(_, (_, split))| *split == ALWAYS);
    }
    let Some(output) = claim.score.checked_sub(first_score) else {
        return true;
    };
    if output >= tree.leaves[0].len() {
        return true;
    }
    read.all(|((level, index), _)| {
        let below = 1 << (depth - level - 1);
        let leaves = |first: usize| tree.leaves[first..first + below].iter().map(|weights| weights[output]);
        let (low, high) = (leaves(2 * index * below), leaves((2 * index + 1) * below));
        match claim.property {
            TreeProperty::Increasing => low.max() <= high.min(),
            _ => low.min() >= high.max(),
        }
    })
}

/// The scores that a program's trees begin at.
fn first_scores(program: &Program) -> Vec<usize> {
    program.opened.iter().map(|opened| opened.tree.score as usize).collect()
}

fn holds(statement: &Program, parameters: &ModelParameters, claim: &TreeClaim, address: u32) -> bool {
    let trees = parameters.trees.iter().zip(first_scores(statement));
    trees.clone().all(|(tree, first)| holds_of(tree, claim, address, first))
}

fn shown(statement: &Program, parameters: &ModelParameters) -> Vec<bool> {
    let cells = statement
        .execute(&statement.opened_inputs(parameters).unwrap())
        .unwrap();
    let bits = statement.outputs.iter().flat_map(|output| &output.cells);
    bits.map(|cell| cells[cell.index()] == 1).collect()
}

/// A statement with the model of which it is.
struct Stated {
    case: Case,
    parameters: ModelParameters,
    cells: Vec<i64>,
}

impl Stated {
    fn new(model: &Program, claims: &[TreeClaim], widths: impl Into<Widths>) -> Self {
        let statement = model.architecture().tree_statement(claims).unwrap();
        let parameters = model.parameters().unwrap();
        let case = Case::showing(statement, widths, STATED);
        let cells = case
            .program
            .execute(&case.program.opened_inputs(&parameters).unwrap())
            .unwrap();
        Self {
            case,
            parameters,
            cells,
        }
    }

    fn instance(&self) -> Vec<Fr> {
        self.case.instance(&self.cells)
    }

    fn rejects(&self, what: &str, cells: &[i64], instance: Vec<Fr>) {
        let failures = self.case.failures(self.case.forge(cells), instance);
        assert!(!failures.is_empty(), "{what} was accepted");
    }

    /// Cells that hold bounds of leaves.
    fn bounds(&self) -> Vec<CellId> {
        let bounds = self.case.program.steps.iter().filter_map(|step| match step {
            Step::Witness {
                cells,
                source: Source::Maximum(_),
                ..
            } => Some(cells.clone()),
            _ => None,
        });
        bounds.flatten().collect()
    }

    /// The inputs that are single limbs, and those that are cells, by their place.
    fn inputs(&self, wanted: Range) -> Vec<usize> {
        let of_range = self.case.program.steps.iter().filter_map(|step| match step {
            Step::Witness { cells, range, .. } if *range == wanted => Some(cells),
            _ => None,
        });
        let of_range: BTreeSet<CellId> = of_range.flatten().copied().collect();
        let inputs = self.case.program.inputs.iter().enumerate();
        inputs
            .filter_map(|(place, input)| of_range.contains(&input.cell).then_some(place))
            .collect()
    }
}

/// The number that decisions show of the model, whoever the model is.
fn commitment(model: &Program, case: &Case) -> Fr {
    let parameters = model.parameters().unwrap();
    ModelCommitment::of(model).hash(&parameters, case.salts.input).unwrap()
}

#[test]
fn statements_are_proven_of_the_models_own_commitment() {
    for depth in [1, 2, 3, 4, 5] {
        let twins = Twins::new(depth);
        let asked = all_claims(3, 2);
        for widths in [
            1.into(),
            3.into(),
            Widths {
                lanes: 1,
                hash_lanes: 1,
            },
        ] {
            for model in [&twins.ours, &twins.theirs] {
                let stated = Stated::new(model, &asked, widths);
                let instance = stated.instance();
                assert_eq!(instance[1], commitment(model, &stated.case));
                stated.case.assert_accepts(stated.case.trace(&stated.cells), instance);
            }
        }
    }
}

/// Every claim beside what a walk over the trees says, on ensembles of every depth, ours and padded ones.
#[test]
fn claims_are_shown_where_the_trees_say_so() {
    let mut found = BTreeMap::new();
    for depth in [1, 2, 3, 4, 5, 6] {
        let twins = Twins::new(depth);
        let asked = all_claims(3, 2);
        for model in [&twins.ours, &twins.theirs] {
            let statement = model.architecture().tree_statement(&asked).unwrap();
            let mut parameters = model.parameters().unwrap();
            for change in 0..8 {
                let shown = shown(&statement, &parameters);
                for (index, (claim, shown)) in asked.iter().zip(shown).enumerate() {
                    let address = u32::try_from(index / 5).unwrap();
                    let holds = holds(&statement, &parameters, claim, address);
                    assert_eq!(shown, holds, "depth {depth}, change {change}: {claim}");
                    *found.entry((claim.property as usize, holds)).or_insert(0) += 1;
                }
                monotone_in_places(&mut parameters, change);
            }
        }
    }
    // Both answers to each of the three.
    assert_eq!(found.len(), 6, "{found:?}");
}

/// Puts leaves of trees in order, and takes a feature out of the others.
fn monotone_in_places(parameters: &mut ModelParameters, seed: u64) {
    let mut rng = rng(100 + seed);
    let taken = rng.gen_range(0..3);
    for tree in &mut parameters.trees {
        if rng.gen_bool(0.7) {
            for weights in 0..tree.leaves[0].len() {
                let mut sorted: Vec<i64> = tree.leaves.iter().map(|leaf| leaf[weights]).collect();
                sorted.sort_unstable();
                if seed % 2 == 1 {
                    sorted.reverse();
                }
                for (leaf, weight) in tree.leaves.iter_mut().zip(sorted) {
                    leaf[weights] = weight;
                }
            }
        }
        for (feature, _) in tree.nodes.iter_mut().filter(|(feature, _)| *feature == taken) {
            *feature = (taken + 1) % 3;
        }
    }
}

/// What is shown holds of decisions: no input that differs in the feature alone goes the other way.
#[test]
fn what_is_shown_holds_of_decisions() {
    let mut tried = 0;
    for seed in 0..6 {
        let mut model = Twins::new(1 + seed % 4).ours;
        let statement_of = |model: &Program| model.architecture().tree_statement(&all_claims(3, 2)).unwrap();
        let mut parameters = model.parameters().unwrap();
        monotone_in_places(&mut parameters, seed as u64);
        model = model.with_parameters(&parameters).unwrap();
        let statement = statement_of(&model);
        let scores = |inputs: &[i64]| -> [i64; 2] {
            let cells = model.execute(inputs).unwrap();
            let mut sums = [0; 2];
            for step in &model.steps {
                let Step::Tree(path) = step else { continue };
                let first = path.committed.unwrap().score as usize;
                for (place, cell) in path.outputs[0].iter().enumerate() {
                    sums[first + place] += cells[cell.index()];
                }
            }
            sums
        };
        let mut rng = rng(seed as u64);
        let thresholds: Vec<i64> = parameters
            .trees
            .iter()
            .flat_map(|tree| &tree.nodes)
            .map(|node| node.1.into())
            .collect();
        let mut number = || thresholds[rng.gen_range(0..thresholds.len())] + rng.gen_range(0..2) - 1;
        let within = |number: i64| number.clamp(0x007f_ffff, 0xff80_0000);
        for (index, (claim, shown)) in all_claims(3, 2).iter().zip(shown(&statement, &parameters)).enumerate() {
            if !shown {
                continue;
            }
            for _ in 0..60 {
                let mut low = [number(), number(), number()].map(within);
                let mut high = low;
                high[index / 5] = within(number());
                if low[index / 5] > high[index / 5] {
                    (low, high) = (high, low);
                }
                let (low, high) = (scores(&low), scores(&high));
                let holds = match claim.property {
                    TreeProperty::Unused => low == high,
                    TreeProperty::Increasing => low[claim.score] <= high[claim.score],
                    TreeProperty::Decreasing => low[claim.score] >= high[claim.score],
                };
                assert!(holds, "{claim}");
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

/// Unused and monotone features of real ensembles, beside the facts of the models themselves.
#[test]
fn real_ensembles_are_stated_as_they_are() {
    for example in [Example::CreditGbdt, Example::DefaultGbdt] {
        let pipeline = example.pipeline();
        let options = CompileOptions {
            public: COMMITTED,
            ..CompileOptions::default()
        };
        let file = compile(&pipeline.model, &pipeline.calibration, &options).unwrap().file;
        let program = &file.compiled.program;
        let facts = pipeline.model.graph.tree_facts().swap_remove(0);
        let score = &facts.scores[0];
        let mut asked = Vec::new();
        let mut expected = Vec::new();
        for (property, variables) in [
            (TreeProperty::Unused, &facts.unused),
            (TreeProperty::Unused, &facts.used),
            (TreeProperty::Increasing, &score.increasing),
            (TreeProperty::Decreasing, &score.decreasing),
            (TreeProperty::Increasing, &facts.used),
        ] {
            for variable in variables {
                let claim = TreeClaim {
                    property,
                    feature: variable.to_string(),
                    score: 0,
                };
                if asked.contains(&claim) {
                    continue;
                }
                asked.push(claim);
                expected.push(match property {
                    TreeProperty::Unused => facts.unused.contains(variable),
                    TreeProperty::Increasing => score.increasing.contains(variable),
                    TreeProperty::Decreasing => score.decreasing.contains(variable),
                });
            }
        }
        let statement = program.architecture().tree_statement(&asked).unwrap();
        let shown = shown(&statement, &program.parameters().unwrap());
        let mut monotone = 0;
        for ((claim, shown), expected) in asked.iter().zip(shown).zip(expected) {
            match claim.property {
                TreeProperty::Unused => assert_eq!(shown, expected, "{claim}"),
                // Facts leave out leaves that no input reaches; a statement does not.
                _ => assert!(!shown || expected, "{claim}"),
            }
            monotone += usize::from(shown && claim.property != TreeProperty::Unused);
        }
        report!(
            "{}: {} claims, {monotone} features shown to be monotone",
            file.name,
            asked.len()
        );
    }
}

fn small() -> (Stated, Twins) {
    let twins = Twins::new(3);
    let asked = claims(&["unused=x[0]", "increasing=x[1]", "decreasing=x[2]@1", "unused=x[1]"]);
    (Stated::new(&twins.ours, &asked, 1), twins)
}

/// A bit that a node is read, that it acts, or that its leaves are out of order, or what is shown in the end.
#[test]
fn forged_bits_are_rejected() {
    let (stated, _) = small();
    let inputs: BTreeSet<CellId> = stated.case.program.inputs.iter().map(|input| input.cell).collect();
    let bounds: BTreeSet<CellId> = stated.bounds().into_iter().collect();
    let mut tried = 0;
    for (index, value) in stated.cells.iter().enumerate() {
        let cell = CellId(u32::try_from(index).unwrap());
        if inputs.contains(&cell) || bounds.contains(&cell) {
            continue;
        }
        assert!((0..=1).contains(value));
        let forged = BTreeMap::from([(cell, 1 - value)]);
        let cells = stated.case.cells_with(&stated.cells, &forged);
        stated.rejects(&format!("bit {index}"), &cells, stated.case.instance(&cells));
        tried += 1;
    }
    report!("{tried} bits forged");
    assert!(tried > 100);
    for shown in 2..6 {
        let mut instance = stated.instance();
        instance[shown] = Fr::ONE - instance[shown];
        stated.rejects("another answer", &stated.cells, instance);
    }
}

/// A bound that some leaf exceeds is rejected. One that is too wide is the prover's to choose, and only hides what holds.
#[test]
fn bounds_are_bounds() {
    let (stated, _) = small();
    let honest = &stated.cells;
    for cell in stated.bounds() {
        let value = honest[cell.index()];
        for forged in [value - 1, 0] {
            let cells = stated.case.cells_with(honest, &BTreeMap::from([(cell, forged)]));
            if forged < value && forged >= 0 {
                stated.rejects("a bound below a leaf", &cells, stated.case.instance(&cells));
            }
        }
        let wider = BTreeMap::from([(cell, value + 1)]);
        let cells = stated.case.cells_with(honest, &wider);
        let shown = |cells: &[i64]| -> Vec<i64> {
            let outputs = stated.case.program.outputs.iter();
            outputs.map(|output| cells[output.cells[0].index()]).collect()
        };
        for (honest, wider) in shown(honest).into_iter().zip(shown(&cells)) {
            assert!(wider <= honest, "a wider bound shows more");
        }
    }
}

/// The commitment is to numbers; that each number is read as one node in one way is what ranges are for. What one part has
/// too much of is taken from the next, so that the element, and the hash, stay the same.
#[test]
fn parts_of_an_entry_cannot_borrow_from_one_another() {
    let (stated, _) = small();
    let inputs = stated.case.program.opened_inputs(&stated.parameters).unwrap();
    let limb_bits = stated.case.program.limb_bits;
    let limbs: BTreeSet<usize> = stated.inputs(Range::Limb).into_iter().collect();
    let cells: BTreeSet<usize> = stated.inputs(Range::Cell).into_iter().collect();
    assert_eq!(limbs.len() + cells.len(), inputs.len());
    let mut element = 0;
    let mut tried = 0;
    for length in stated
        .case
        .program
        .opened
        .iter()
        .flat_map(|tree| tree.entries(limb_bits))
    {
        for place in element..element + length - 1 {
            if inputs[place + 1] == 0 {
                continue;
            }
            let bits = if limbs.contains(&place) {
                limb_bits
            } else {
                2 * limb_bits
            };
            let mut forged = inputs.clone();
            forged[place] += 1 << bits;
            forged[place + 1] -= 1;
            let values = stated.case.program.inputs.iter().map(|input| input.cell).zip(forged);
            let mut start = stated.cells.clone();
            values.for_each(|(cell, value)| start[cell.index()] = value);
            // A feature that is no limb leaves every table: then there is not even a trace.
            let attempt = std::panic::catch_unwind(|| {
                let cells = stated.case.cells_with(&start, &BTreeMap::new());
                (stated.case.forge(&cells), cells)
            });
            let Ok((trace, cells)) = attempt else { continue };
            let instance = stated.case.instance(&cells);
            assert_eq!(instance[1], stated.instance()[1], "another element is no attack");
            assert!(
                !stated.case.failures(trace, instance).is_empty(),
                "place {place} was accepted"
            );
            tried += 1;
        }
        element += length;
    }
    report!("{tried} carries forged");
    assert!(tried > 60);
}

/// What is true of another model is not stated of this one.
#[test]
fn another_model_is_another_commitment() {
    let (stated, twins) = small();
    let theirs = twins.theirs.parameters().unwrap();
    let program = &stated.case.program;
    let cells = program.execute(&program.opened_inputs(&theirs).unwrap()).unwrap();
    let mut instance = stated.case.instance(&cells);
    stated.case.assert_accepts(stated.case.trace(&cells), instance.clone());
    instance[1] = stated.instance()[1];
    stated.rejects("another model", &cells, instance);
    // One leaf, one split, one feature, each in each tree.
    for tree in 0..theirs.trees.len() {
        let changes: [fn(&mut TreeParameters); 3] = [
            |tree| tree.leaves[1][0] ^= 1,
            |tree| tree.nodes[1].1 ^= 1,
            |tree| tree.nodes[2].0 ^= 1,
        ];
        for change in changes {
            let mut parameters = stated.parameters.clone();
            change(&mut parameters.trees[tree]);
            let cells = program.execute(&program.opened_inputs(&parameters).unwrap()).unwrap();
            let instance = stated.case.instance(&cells);
            assert_ne!(instance[1], stated.instance()[1]);
            let forged = [&instance[..1], &stated.instance()[1..2], &instance[2..]].concat();
            stated.rejects("a changed tree", &cells, forged);
        }
    }
}

/// An owner may commit to entries that no compiler makes: nodes of one output that are not those of another, a root where a
/// filler should stand. Claims are about all of them.
#[test]
fn claims_are_about_every_entry() {
    // A tree of one level is filled up: its subtree's root is a node that always goes below.
    let twins = Twins::new(1);
    let stated = Stated::new(&twins.ours, &claims(&["unused=x[2]", "increasing=x[0]"]), 1);
    let program = &stated.case.program;
    let inputs = program.opened_inputs(&stated.parameters).unwrap();
    let root = [inputs[0], inputs[1], inputs[2]];
    assert_eq!(root, [0xffff, 0xffff, 0], "the filler");
    let mut forged = inputs.clone();
    // The first tree tests the third feature where it should not test anything.
    forged[0..3].copy_from_slice(&[5, 0x8000, 2]);
    let cells = program.execute(&forged).unwrap();
    let instance = stated.case.instance(&cells);
    stated.case.assert_accepts(stated.case.trace(&cells), instance.clone());
    assert_eq!(instance[2], Fr::ZERO, "the feature is used");
    // The same with the first feature, and leaves above it that are smaller.
    let mut forged = inputs;
    forged[0..3].copy_from_slice(&[5, 0x8000, 0]);
    forged[9..13].copy_from_slice(&[1, 1, 1, 1]);
    forged[13..17].copy_from_slice(&[0, 0, 0, 0]);
    let cells = program.execute(&forged).unwrap();
    let instance = stated.case.instance(&cells);
    stated.case.assert_accepts(stated.case.trace(&cells), instance.clone());
    assert_eq!(instance[3], Fr::ZERO, "the score falls");
}

/// Two trees of one level with leaves for two scores, the first feature encoded one-hot: every name of a feature.
fn encoded() -> Graph {
    let mut builder = GraphBuilder::new(2);
    let encoded = builder.encode_first(vec![3, 7]);
    let leaf = |first: f32, second: f32| TreeNode::Leaf {
        weights: vec![(0, first), (1, second)],
    };
    let tree = |feature: usize, threshold: f32| Tree {
        nodes: vec![
            TreeNode::Branch {
                feature,
                mode: zkverdict::models::BranchMode::LessOrEqual,
                threshold,
                missing_holds: false,
                holds: 1,
                otherwise: 2,
            },
            leaf(0.25, 1.0),
            leaf(0.5, -1.0),
        ],
    };
    let ensemble = TreeEnsemble {
        trees: vec![tree(1, 0.5), tree(2, 1.5)],
        targets: 2,
        aggregate: Aggregate::Sum,
        base: vec![0.0, 0.0],
    };
    let scores = builder.node(Op::TreeEnsemble(ensemble), encoded, 2);
    builder.output("scores", scores, OutputKind::Real);
    builder.finish()
}

#[test]
fn features_are_called_by_their_names() {
    let graph = encoded();
    let samples = [3.0, 7.0].map(|category| vec![vec![category, 1.0]]);
    let calibration = zkverdict::models::Calibration::measure(&graph, &samples, 1.5).unwrap();
    let formats = zkverdict::models::ParameterFormats::Measured {
        weight_bits: 8,
        forest: Default::default(),
    };
    let model = Program::compile_committed(&graph, &calibration, 8, &[], formats).unwrap();
    let state = |texts: &[&str]| {
        let statement = model.architecture().tree_statement(&claims(texts))?;
        Ok::<_, ModelError>(shown(&statement, &model.parameters()?))
    };
    assert_eq!(
        state(&[
            "unused=x[0]",
            "unused=x",
            "unused=x[0]=3",
            "unused=x[0]=7",
            "unused=x=3",
            "unused=x[1]"
        ])
        .unwrap(),
        [false, false, true, false, true, false]
    );
    assert_eq!(
        state(&[
            "increasing=x[1]",
            "increasing=x[1]@1",
            "decreasing=x[1]@1",
            "increasing=x[0]=7"
        ])
        .unwrap(),
        [true, false, true, true]
    );
    let twice = state(&["unused=x[1]", "unused=x[1]"]).unwrap_err().to_string();
    assert!(twice.contains("claimed twice"), "{twice}");
    for (text, reason) in [
        ("unused=y", "no tree reads \"y\"; there are x[0]=3, x[0]=7, x[1]"),
        ("increasing=x[0]", "encoded one-hot"),
        ("increasing=x[1]@2", "2 scores"),
    ] {
        let refused = state(&[text]).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    for text in ["unused", "unused=", "growing=x", "increasing=x@one"] {
        assert!(text.parse::<TreeClaim>().is_err(), "{text}");
    }
    for text in ["unused=a@b", "increasing=a@1", "decreasing=x[0]=3"] {
        assert_eq!(text.parse::<TreeClaim>().unwrap().to_string(), text);
    }
}

fn committed(example: Example) -> CircuitFile {
    let pipeline = example.pipeline();
    let options = CompileOptions {
        public: COMMITTED,
        ..CompileOptions::default()
    };
    compile(&pipeline.model, &pipeline.calibration, &options).unwrap().file
}

/// One key states it of every model of the size, each under the number that its decisions show.
#[test]
fn statements_have_one_key_and_the_models_commitment() {
    let file = committed(Example::CreditGbdt);
    let claims = claims(&["unused=input[13]", "unused=input[0]"]);
    let statement = compile_statement(&file, &claims, &CompileOptions::default())
        .unwrap()
        .file;
    let keys = Keys::generate(&statement, &development_srs(statement.compiled.k)).unwrap();
    let first = file.secret.clone().unwrap();
    let again = SecretModel::of(&file, &Example::CreditGbdt.pipeline().model).unwrap();
    assert!(matches!(
        prove(&statement, &keys.proving, &[], Fr::ONE),
        Err(Error::NoSecretModel)
    ));
    for secret in [&first, &again] {
        let circuit = statement.clone().with_model(secret).unwrap();
        let sample = circuit.opened_sample().unwrap();
        let (proof, _) = prove(&circuit, &keys.proving, &sample, Fr::from(7)).unwrap();
        proof.verify(&keys.verifying).unwrap();
        assert_eq!(proof.public_inputs[1], secret.commitment(&file).unwrap());
        let mut other = proof.clone();
        other.public_inputs[1] = if secret == &first { &again } else { &first }
            .commitment(&file)
            .unwrap();
        other.verify(&keys.verifying).unwrap_err();
        let mut other = proof;
        other.public_inputs[2][31] ^= 1;
        other.verify(&keys.verifying).unwrap_err();
    }
    let others = committed(Example::DefaultGbdt);
    let refused = statement.with_model(&others.secret.unwrap());
    assert!(matches!(refused, Err(Error::OtherSecretModel)), "{refused:?}");
}

/// A contract that knows the model by its commitment alone is told that it never reads a feature, by that model's holder only.
#[test]
fn a_statement_on_a_real_chain() {
    let folder = tempfile::tempdir().unwrap();
    let Some(out) = forge_build(folder.path()) else { return };
    let file = committed(Example::CreditGbdt);
    let asked = claims(&["unused=input[13]"]);
    let statement = compile_statement(&file, &asked, &CompileOptions::default())
        .unwrap()
        .file;
    let secret = file.secret.clone().unwrap();
    let keyed = Keyed::new(statement.clone().with_model(&secret).unwrap(), "Statement");
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let [owner, holder] = [0, 1].map(|index| Sender { anvil: &anvil, index });
    let registry = owner.create(init_code(&out, "ModelRegistry", &Address::ZERO.abi_encode()));
    let inference = owner.create(init_code(&out, "InferenceVerifier", &registry.abi_encode()));
    let commitment = secret.commitment(&file).unwrap();
    assert_eq!(keyed.commitment(), commitment);
    keyed.register(&owner, registry, 0, commitment);
    let subject = B256::repeat_byte(3);
    let next = contextOfCall {
        caller: holder.address(),
        subject,
    };
    let context = field(view(&anvil, inference, &next));
    let submit = |circuit: &CircuitFile, shown: u64| {
        let sample = circuit.opened_sample().unwrap();
        let (proof, _) = prove(circuit, &keyed.keys.proving, &sample, context).unwrap();
        let call = verifyInferenceForCall {
            modelId: U256::from(1),
            version: U256::from(1),
            subject,
            inputCommitment: B256::ZERO,
            output: vec![U256::from(shown)].abi_encode().into(),
            proof: proof.proof.into(),
        };
        holder.call(inference, &call)
    };
    // The same trees under another salt: another lender's model, for all that anybody sees.
    let others = SecretModel::of(&file, &Example::CreditGbdt.pipeline().model).unwrap();
    assert_refused(
        submit(&statement.clone().with_model(&others).unwrap(), 1),
        "InvalidProof()",
    );
    assert_refused(submit(&keyed.circuit, 0), "InvalidProof()");
    let receipt = submit(&keyed.circuit, 1).unwrap();
    report!("a statement costs {} gas", receipt.gas_used);
}

#[test]
fn what_has_no_committed_trees_is_refused() {
    let options = CompileOptions::default();
    let asked = claims(&["unused=X[0]"]);
    let file = |example: Example, public: PublicInputs| {
        let pipeline = example.pipeline();
        let options = CompileOptions { public, ..options };
        compile(&pipeline.model, &pipeline.calibration, &options).unwrap().file
    };
    let linked = PublicInputs {
        model: Visibility::Linked,
        ..PublicInputs::DEFAULT
    };
    let refused = |file: CircuitFile| compile_statement(&file, &asked, &options).unwrap_err();
    assert!(matches!(
        refused(file(Example::CreditGbdt, PublicInputs::DEFAULT)),
        Error::PublicModel
    ));
    assert!(matches!(
        refused(file(Example::CreditGbdt, linked)),
        Error::LinkedStatement
    ));
    let weights = refused(file(Example::CreditLogreg, COMMITTED));
    assert!(weights.to_string().contains("trees are not committed to"), "{weights}");
}
