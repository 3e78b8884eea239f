//! Small models without a file.

use rand::{Rng, rngs::StdRng};
use zkverdict::models::{AffineRow, Comparison, Element, Graph, Input, Node, Norm, Op, Output, OutputKind, ValueId};

use super::Sample;

/// The graph's input.
pub(crate) const X: ValueId = ValueId(0);

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
        self.graph.nodes.push(Node {
            name: format!("node {}", self.graph.nodes.len()),
            op,
            inputs: vec![input],
            len,
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
        let all = self.node(
            Op::Wire {
                indices: (0..bits).chain(bits + 1..bits + inputs).collect(),
            },
            encoded,
            bits + inputs - 1,
        );
        self.graph.nodes[all.0 - 1].inputs = vec![encoded, X];
        all
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
