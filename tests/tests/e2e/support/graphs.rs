//! Small models without a file.

use rand::{Rng, SeedableRng, rngs::StdRng};
use zkverdict::models::{
    AffineRow, Aggregate, BranchMode, Comparison, Element, Elementary, Formula, Graph, Input, Node, Norm, Op, Output,
    OutputKind, Tree, TreeEnsemble, TreeNode, ValueId,
};

use super::Sample;

/// The graph's input.
pub(crate) const X: ValueId = ValueId(0);

/// Random numbers that are the same in every run.
pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Builds a graph node by node.
pub(crate) struct GraphBuilder {
    graph: Graph,
    lens: Vec<usize>,
}

impl GraphBuilder {
    pub(crate) fn new(inputs: usize) -> Self {
        let input = Input {
            name: "x".to_owned(),
            shape: vec![1, inputs],
            element: Element::Float32,
        };
        Self {
            graph: Graph {
                inputs: vec![input],
                nodes: vec![],
                outputs: vec![],
                notes: vec![],
            },
            lens: vec![inputs],
        }
    }

    pub(crate) fn len(&self, value: ValueId) -> usize {
        self.lens[value.0]
    }

    pub(crate) fn node(&mut self, op: Op, input: ValueId, len: usize) -> ValueId {
        self.join(op, &[input], len)
    }

    /// An operator on the concatenation of several tensors.
    pub(crate) fn join(&mut self, op: Op, inputs: &[ValueId], len: usize) -> ValueId {
        self.graph.nodes.push(Node {
            name: format!("node {}", self.graph.nodes.len()),
            op,
            inputs: inputs.to_vec(),
            len,
            shape: None,
        });
        self.lens.push(len);
        ValueId(self.lens.len() - 1)
    }

    /// An elementwise operator.
    pub(crate) fn map(&mut self, op: Op, input: ValueId) -> ValueId {
        self.node(op, input, self.len(input))
    }

    /// A dense layer with random weights that keeps values of the size of its inputs.
    pub(crate) fn dense(&mut self, input: ValueId, outputs: usize, rng: &mut StdRng) -> ValueId {
        let inputs = self.len(input);
        let scale = 1.5 / (inputs as f64).sqrt();
        let rows = (0..outputs)
            .map(|_| AffineRow {
                terms: (0..inputs).map(|index| (index, rng.gen_range(-scale..scale))).collect(),
                bias: rng.gen_range(-0.5..0.5),
            })
            .collect();
        self.node(Op::Affine { rows }, input, outputs)
    }

    /// One-hot encodes the first input and leaves the others.
    pub(crate) fn encode_first(&mut self, categories: Vec<i64>) -> ValueId {
        let inputs = self.len(X);
        let bits = categories.len();
        let code = self.node(Op::Wire { indices: vec![0] }, X, 1);
        let encoded = self.node(
            Op::OneHot {
                categories: vec![categories],
            },
            code,
            bits,
        );
        let indices = (0..bits).chain(bits + 1..bits + inputs).collect();
        self.join(Op::Wire { indices }, &[encoded, X], bits + inputs - 1)
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId, kind: OutputKind) {
        self.graph.outputs.push(Output {
            name: name.to_owned(),
            value,
            shape: vec![1, self.len(value)],
            kind,
        });
    }

    pub(crate) fn finish(self) -> Graph {
        self.graph
    }
}

/// ReLU layers, a sigmoid, the decision beside the probability.
pub(crate) fn mlp(inputs: usize, hidden: &[usize], rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(inputs);
    let mut last = X;
    for width in hidden {
        last = builder.dense(last, *width, rng);
        last = builder.map(Op::Relu, last);
    }
    let logit = builder.dense(last, 1, rng);
    let probability = builder.map(Op::Sigmoid, logit);
    let compare = Op::Compare {
        comparison: Comparison::GreaterOrEqual,
        thresholds: vec![0.5],
    };
    let decision = builder.map(compare, probability);
    builder.output("label", decision, OutputKind::Bool);
    builder.output("probability", probability, OutputKind::Real);
    builder.finish()
}

/// One-hot input, clip, softmax over three classes, arg max, L1 normalisation.
pub(crate) fn everything(rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(4);
    let all = builder.encode_first(CATEGORIES.to_vec());
    let hidden = builder.dense(all, 5, rng);
    let clipped = builder.map(Op::Clip { min: -0.25, max: 0.75 }, hidden);
    let logits = builder.dense(clipped, 3, rng);
    let probabilities = builder.map(Op::Softmax { classes: 3 }, logits);
    let label = builder.node(Op::ArgMax { classes: 3 }, probabilities, 1);
    let odds = builder.map(Op::Sigmoid, logits);
    let shares = builder.map(
        Op::Normalize {
            norm: Norm::L1,
            width: 3,
        },
        odds,
    );
    builder.output("label", label, OutputKind::Index);
    builder.output("probabilities", probabilities, OutputKind::Real);
    builder.output("shares", shares, OutputKind::Real);
    builder.finish()
}

/// Maxima, functions of one variable, sums of products, products with bits.
pub(crate) fn attention(rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(4);
    let hidden = builder.dense(X, 6, rng);
    let pooled = builder.node(Op::Maximum { width: 3 }, hidden, 2);
    let curved = builder.map(Op::Function(Formula::of(Elementary::Tanh)), hidden);
    let bell = Formula::Argument
        .times(Formula::Argument)
        .affine(1.0, 1.0)
        .then(Elementary::Reciprocal);
    let grown = builder.map(Op::Function(bell), pooled);
    // A matrix of 2×3 times its own transpose, then scaled.
    let entry = |row: usize, column: usize| (0..3).map(|i| (3 * row + i, 3 * column + i)).collect();
    let rows = vec![entry(0, 0), entry(0, 1), entry(1, 1)];
    let gram = builder.node(Op::Products { rows }, curved, 3);
    let rows = vec![vec![(0, 3)], vec![(1, 4), (2, 3)], vec![(2, 4)]];
    let scaled = builder.join(Op::Products { rows }, &[gram, grown], 3);
    let compare = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.1; 3],
    };
    let bits = builder.map(compare, gram);
    let rows = (0..3).map(|index| vec![(3 + index, index)]).collect();
    let gated = builder.join(Op::Products { rows }, &[scaled, bits], 3);
    builder.output("gated", gated, OutputKind::Real);
    builder.output("scaled", scaled, OutputKind::Real);
    builder.output("bits", bits, OutputKind::Bool);
    builder.finish()
}

/// A sum of random trees, some deep and narrow, some a single leaf; with a sigmoid and the decision.
pub(crate) fn forest(features: usize, trees: usize, depth: usize, rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(features);
    let ensemble = TreeEnsemble {
        trees: (0..trees)
            .map(|index| random_tree(features, if index == 1 { 0 } else { depth }, rng))
            .collect(),
        targets: 2,
        aggregate: Aggregate::Sum,
        base: vec![0.125, -0.25],
    };
    let scores = builder.node(Op::TreeEnsemble(ensemble), X, 2);
    let first = builder.node(Op::Wire { indices: vec![0] }, scores, 1);
    let probability = builder.map(Op::Sigmoid, first);
    let label = builder.node(Op::ArgMax { classes: 2 }, scores, 1);
    builder.output("label", label, OutputKind::Index);
    builder.output("scores", scores, OutputKind::Real);
    builder.output("probability", probability, OutputKind::Real);
    builder.finish()
}

fn random_tree(features: usize, depth: usize, rng: &mut StdRng) -> Tree {
    let mut nodes = vec![];
    grow(features, depth, rng, &mut nodes);
    Tree { nodes }
}

fn grow(features: usize, depth: usize, rng: &mut StdRng, nodes: &mut Vec<TreeNode>) -> usize {
    let position = nodes.len();
    if depth == 0 || (position > 0 && rng.gen_bool(0.25)) {
        let weights = vec![(0, rng.gen_range(-1.0..1.0)), (1, rng.gen_range(-1.0..1.0))];
        nodes.push(TreeNode::Leaf { weights });
        return position;
    }
    nodes.push(TreeNode::Leaf { weights: vec![] });
    let holds = grow(features, depth - 1, rng, nodes);
    let otherwise = grow(features, depth - 1, rng, nodes);
    let modes = [
        BranchMode::Less,
        BranchMode::LessOrEqual,
        BranchMode::Greater,
        BranchMode::GreaterOrEqual,
    ];
    nodes[position] = TreeNode::Branch {
        feature: rng.gen_range(0..features),
        mode: modes[rng.gen_range(0..4)],
        threshold: rng.gen_range(-8..8) as f32 / 4.0,
        missing_holds: false,
        holds,
        otherwise,
    };
    position
}

/// Three classes with logits far beyond what a sigmoid tells apart.
pub(crate) fn wide_logits() -> Graph {
    let mut builder = GraphBuilder::new(3);
    let weights = [9.0, 9.0, -9.0];
    let row = |index: usize| AffineRow {
        terms: vec![(index, weights[index])],
        bias: 0.0,
    };
    let rows = (0..3).map(row).collect();
    let logits = builder.node(Op::Affine { rows }, X, 3);
    let label = builder.node(Op::ArgMax { classes: 3 }, logits, 1);
    let probabilities = builder.map(Op::Softmax { classes: 3 }, logits);
    builder.output("label", label, OutputKind::Index);
    builder.output("probabilities", probabilities, OutputKind::Real);
    builder.finish()
}

/// Categories of the encoded input in these models.
pub(crate) const CATEGORIES: [i64; 4] = [0, 1, 2, 5];

/// Random inputs in `[−2, 2)`; the first one a category where the model encodes it.
pub(crate) fn samples(graph: &Graph, count: usize, rng: &mut StdRng) -> Vec<Sample> {
    let categorical = graph.nodes.iter().any(|node| matches!(node.op, Op::OneHot { .. }));
    (0..count)
        .map(|_| {
            let mut row: Vec<f64> = (0..graph.inputs[0].len()).map(|_| rng.gen_range(-2.0..2.0)).collect();
            if categorical {
                row[0] = CATEGORIES[rng.gen_range(0..CATEGORIES.len())] as f64;
            }
            vec![row]
        })
        .collect()
}
