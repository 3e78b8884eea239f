//! Small models without a file.

use rand::{Rng, SeedableRng, rngs::StdRng};
use zkverdict::models::{
    AffineRow, Aggregate, BranchMode, Comparison, Element, Elementary, Formula, Graph, Input, Node, Norm, Op, Output,
    OutputKind, Tree, TreeEnsemble, TreeNode, ValueId, Weights,
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

    /// A model of one image.
    pub(crate) fn image(shape: [usize; 3]) -> Self {
        let mut builder = Self::new(shape.iter().product());
        builder.graph.inputs[0].shape = [&[1], shape.as_slice()].concat();
        builder
    }

    fn set_shape(&mut self, shape: &[usize]) {
        let node = self.graph.nodes.last_mut().unwrap();
        assert_eq!(node.len, shape.iter().product::<usize>());
        node.shape = Some([&[1], shape].concat());
    }

    /// A convolution with random weights, and the shape of its result.
    pub(crate) fn convolution(
        &mut self,
        input: ValueId,
        [channels, height, width]: [usize; 3],
        window: Window,
        rng: &mut StdRng,
    ) -> (ValueId, [usize; 3]) {
        let [rows, columns] = window.kernel;
        let depth = channels / window.groups;
        let scale = 1.5 / ((depth * rows * columns) as f64).sqrt();
        let mut number = || rng.gen_range(-scale..scale);
        let [out_height, out_width] =
            [(height, rows), (width, columns)].map(|(size, kernel)| window.outputs(size, kernel));
        let mut all = vec![];
        for map in 0..window.maps {
            let bias = number();
            let weights: Vec<f64> = (0..depth * rows * columns).map(|_| number()).collect();
            let first = map / (window.maps / window.groups) * depth;
            for place in 0..out_height * out_width {
                let [top, left] = [place / out_width, place % out_width].map(|at| at * window.stride);
                let mut terms = vec![];
                for (index, weight) in weights.iter().enumerate() {
                    let channel = first + index / (rows * columns);
                    let row = top + index / columns % rows * window.dilation;
                    let column = left + index % columns * window.dilation;
                    let inside = (window.pad..height + window.pad).contains(&row)
                        && (window.pad..width + window.pad).contains(&column);
                    if inside {
                        terms.push((
                            (channel * height + row - window.pad) * width + column - window.pad,
                            *weight,
                        ));
                    }
                }
                all.push(AffineRow { terms, bias });
            }
        }
        let shape = [window.maps, out_height, out_width];
        let result = self.node(Op::Affine { rows: all }, input, shape.iter().product());
        self.set_shape(&shape);
        self.weights_are(Weights::Shared);
        (result, shape)
    }

    /// The largest number of each window of `size` by `size`.
    pub(crate) fn pool(&mut self, input: ValueId, shape: [usize; 3], size: usize) -> (ValueId, [usize; 3]) {
        let [channels, height, width] = shape;
        let pooled = [channels, height / size, width / size];
        let mut indices = vec![];
        for place in 0..pooled.iter().product() {
            let (channel, row, column) = (
                place / (pooled[1] * pooled[2]),
                place / pooled[2] % pooled[1],
                place % pooled[2],
            );
            let corner = (channel * height + row * size) * width + column * size;
            indices.extend((0..size * size).map(|at| corner + at / size * width + at % size));
        }
        let len = indices.len();
        let windows = self.node(Op::Wire { indices }, input, len);
        let result = self.node(Op::Maximum { width: size * size }, windows, len / (size * size));
        self.set_shape(&pooled);
        (result, pooled)
    }

    /// The same dense layer for each of `rows` vectors.
    pub(crate) fn shared_dense(&mut self, input: ValueId, rows: usize, outputs: usize, rng: &mut StdRng) -> ValueId {
        let inputs = self.len(input) / rows;
        let scale = 1.5 / (inputs as f64).sqrt();
        let weights: Vec<f64> = (0..inputs * outputs).map(|_| rng.gen_range(-scale..scale)).collect();
        let row = |index: usize| AffineRow {
            terms: (0..inputs)
                .map(|at| (index / outputs * inputs + at, weights[at * outputs + index % outputs]))
                .collect(),
            bias: 0.125,
        };
        let affine = (0..rows * outputs).map(row).collect();
        let value = self.node(Op::Affine { rows: affine }, input, rows * outputs);
        self.weights_are(Weights::Shared);
        value
    }

    fn weights_are(&mut self, weights: Weights) {
        self.graph.nodes.last_mut().unwrap().weights = weights;
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
            weights: Weights::default(),
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
        let value = self.node(Op::Affine { rows }, input, outputs);
        self.weights_are(Weights::Learned);
        value
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

/// The windows of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) maps: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: usize,
    pub(crate) pad: usize,
    pub(crate) dilation: usize,
    pub(crate) groups: usize,
}

impl Window {
    pub(crate) const fn plain(maps: usize, kernel: [usize; 2]) -> Self {
        Self {
            maps,
            kernel,
            stride: 1,
            pad: 0,
            dilation: 1,
            groups: 1,
        }
    }

    fn outputs(&self, size: usize, kernel: usize) -> usize {
        (size + 2 * self.pad - self.dilation * (kernel - 1) - 1) / self.stride + 1
    }
}

/// Padded windows, a pooling, windows with a stride, all of few channels.
pub(crate) fn vision(rng: &mut StdRng) -> Graph {
    let shape = [2, 6, 6];
    let mut builder = GraphBuilder::image(shape);
    let padded = Window {
        pad: 1,
        ..Window::plain(3, [3, 3])
    };
    let (maps, shape) = builder.convolution(X, shape, padded, rng);
    let (pooled, shape) = builder.pool(maps, shape, 2);
    let ramps = builder.map(Op::Relu, pooled);
    builder.set_shape(&shape);
    let strided = Window {
        stride: 2,
        pad: 1,
        ..Window::plain(5, [3, 2])
    };
    let (maps, _) = builder.convolution(ramps, shape, strided, rng);
    let features = builder.map(Op::Relu, maps);
    let logits = builder.dense(features, 2, rng);
    builder.output("logits", logits, OutputKind::Real);
    builder.finish()
}

/// Rows that share weights, products of computed matrices, and what they were made from added again.
pub(crate) fn sequence(rng: &mut StdRng) -> Graph {
    let (rows, width) = (4, 3);
    let mut builder = GraphBuilder::new(rows * width);
    let [left, right] = [0, 1].map(|_| builder.shared_dense(X, rows, 5, rng));
    // Two heads: the first two rows by each other, and the last two.
    let entry = |row: usize, column: usize| (0..5).map(|at| (row * 5 + at, 20 + column * 5 + at)).collect();
    let pairs = (0..8).map(|at| entry(at / 2, at / 4 * 2 + at % 2)).collect();
    let scores = builder.join(Op::Products { rows: pairs }, &[left, right], 8);
    let mix = |row: usize, column: usize| {
        let inputs = (0..2).map(|at| (row * 2 + at, 8 + (row / 2 * 2 + at) * width + column));
        inputs.collect()
    };
    let pairs = (0..rows * width).map(|at| mix(at / width, at % width)).collect();
    let mixed = builder.join(Op::Products { rows: pairs }, &[scores, X], rows * width);
    let dense = builder.shared_dense(mixed, rows, width, rng);
    let sum = |at: usize| AffineRow {
        terms: vec![(at, 1.0), (rows * width + at, 0.5)],
        bias: 0.0,
    };
    let sums = (0..rows * width).map(sum).collect();
    let added = builder.join(Op::Affine { rows: sums }, &[dense, X], rows * width);
    let last = builder.map(Op::Relu, added);
    builder.output("last", last, OutputKind::Real);
    builder.finish()
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

/// Trees that decide between two classes, the first feature encoded one-hot.
pub(crate) fn tree_classifier(features: usize, trees: usize, depth: usize, rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(features);
    let encoded = builder.encode_first(CATEGORIES.to_vec());
    let features = builder.len(encoded);
    let mut ensemble = TreeEnsemble {
        trees: (0..trees).map(|_| random_tree(features, depth, rng)).collect(),
        targets: 1,
        aggregate: Aggregate::Sum,
        base: vec![0.125],
    };
    for node in ensemble.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        if let TreeNode::Leaf { weights } = node {
            weights.truncate(1);
        }
    }
    let score = builder.node(Op::TreeEnsemble(ensemble), encoded, 1);
    let probability = builder.map(Op::Sigmoid, score);
    let compare = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.0],
    };
    let label = builder.map(compare, score);
    builder.output("label", label, OutputKind::Bool);
    builder.output("probability", probability, OutputKind::Real);
    builder.finish()
}

pub(crate) fn random_tree(features: usize, depth: usize, rng: &mut StdRng) -> Tree {
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

/// The two largest of four numbers, with their places.
pub(crate) fn ranking(rng: &mut StdRng) -> Graph {
    let mut builder = GraphBuilder::new(3);
    let numbers = builder.dense(X, 4, rng);
    let ranked = builder.node(Op::Largest { count: 2 }, numbers, 4);
    let values = builder.node(Op::Wire { indices: vec![0, 1] }, ranked, 2);
    let places = builder.node(Op::Wire { indices: vec![2, 3] }, ranked, 2);
    builder.output("places", places, OutputKind::Index);
    builder.output("values", values, OutputKind::Real);
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
