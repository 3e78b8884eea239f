//! Small models that use every gadget.

use std::sync::Arc;

use halo2_proofs::{dev::MockProver, halo2curves::bn256::Fr};
use rand::{Rng, SeedableRng, rngs::StdRng};
use zkverdict_circuit::{Layout, ModelCircuit, PublicInputs, Trace, from_i128, usable_rows};
use zkverdict_model::{
    AffineRow, Aggregate, BranchMode, Calibration, Comparison, Element, Elementary, Formula, Graph, Input, Node, Norm,
    Op, Output, OutputKind, Program, Tree, TreeEnsemble, TreeNode, ValueId,
};

pub(crate) struct GraphBuilder {
    graph: Graph,
    lens: Vec<usize>,
}

impl GraphBuilder {
    pub(crate) fn new(inputs: usize) -> Self {
        let input = Input {
            name: "x".into(),
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

    pub(crate) fn node(&mut self, op: Op, inputs: &[ValueId], len: usize) -> ValueId {
        let name = format!("node {}", self.graph.nodes.len());
        self.graph.nodes.push(Node {
            name,
            op,
            inputs: inputs.to_vec(),
            len,
        });
        self.lens.push(len);
        ValueId(self.lens.len() - 1)
    }

    pub(crate) fn dense(&mut self, input: ValueId, outputs: usize, rng: &mut StdRng) -> ValueId {
        let inputs = self.lens[input.0];
        let scale = 1.5 / (inputs as f64).sqrt();
        let rows = (0..outputs)
            .map(|_| AffineRow {
                terms: (0..inputs).map(|index| (index, rng.gen_range(-scale..scale))).collect(),
                bias: rng.gen_range(-0.5..0.5),
            })
            .collect();
        self.node(Op::Affine { rows }, &[input], outputs)
    }

    pub(crate) fn map(&mut self, op: Op, input: ValueId) -> ValueId {
        let len = self.lens[input.0];
        self.node(op, &[input], len)
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId, kind: OutputKind) {
        let shape = vec![1, self.lens[value.0]];
        self.graph.outputs.push(Output {
            name: name.into(),
            value,
            shape,
            kind,
        });
    }

    pub(crate) fn finish(self) -> Graph {
        self.graph
    }
}

pub(crate) const X: ValueId = ValueId(0);

/// Two ReLU layers and a sigmoid, with the decision beside the probability.
pub(crate) fn mlp(inputs: usize, hidden: &[usize], seed: u64) -> Graph {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut builder = GraphBuilder::new(inputs);
    let mut last = X;
    for width in hidden {
        last = builder.dense(last, *width, &mut rng);
        last = builder.map(Op::Relu, last);
    }
    let logit = builder.dense(last, 1, &mut rng);
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

/// One-hot inputs, softmax over three classes, arg max, clip, L1 normalisation.
pub(crate) fn everything() -> Graph {
    let mut rng = StdRng::seed_from_u64(7);
    let mut builder = GraphBuilder::new(4);
    let code = builder.node(Op::Wire { indices: vec![0] }, &[X], 1);
    let bits = builder.node(
        Op::OneHot {
            categories: vec![vec![0, 1, 2, 5]],
        },
        &[code],
        4,
    );
    let rest = builder.node(Op::Wire { indices: vec![1, 2, 3] }, &[X], 3);
    let all = builder.node(
        Op::Wire {
            indices: (0..7).collect(),
        },
        &[bits, rest],
        7,
    );
    let hidden = builder.dense(all, 5, &mut rng);
    let clipped = builder.map(Op::Clip { min: -0.25, max: 0.75 }, hidden);
    let logits = builder.dense(clipped, 3, &mut rng);
    let probabilities = builder.map(Op::Softmax { classes: 3 }, logits);
    let label = builder.node(Op::ArgMax { classes: 3 }, &[probabilities], 1);
    let ovr = builder.map(Op::Sigmoid, logits);
    let shares = builder.map(
        Op::Normalize {
            norm: Norm::L1,
            width: 3,
        },
        ovr,
    );
    builder.output("label", label, OutputKind::Index);
    builder.output("probabilities", probabilities, OutputKind::Real);
    builder.output("shares", shares, OutputKind::Real);
    builder.output("logits", logits, OutputKind::Real);
    builder.finish()
}

/// Maxima, functions of one variable, sums of products, products with bits.
pub(crate) fn attention() -> Graph {
    let mut rng = StdRng::seed_from_u64(19);
    let mut builder = GraphBuilder::new(4);
    let hidden = builder.dense(X, 6, &mut rng);
    let pooled = builder.node(Op::Maximum { width: 3 }, &[hidden], 2);
    let curved = builder.map(Op::Function(Formula::of(Elementary::Tanh)), hidden);
    let bell = Formula::Argument
        .times(Formula::Argument)
        .affine(1.0, 1.0)
        .then(Elementary::Reciprocal);
    let grown = builder.map(Op::Function(bell), pooled);
    // A matrix of 2×3 times its own transpose, then scaled.
    let entry = |row: usize, column: usize| (0..3).map(|i| (3 * row + i, 3 * column + i)).collect();
    let rows = vec![entry(0, 0), entry(0, 1), entry(1, 1)];
    let gram = builder.node(Op::Products { rows }, &[curved], 3);
    let rows = vec![vec![(0, 3)], vec![(1, 4), (2, 3)], vec![(2, 4)]];
    let scaled = builder.node(Op::Products { rows }, &[gram, grown], 3);
    let compare = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.1; 3],
    };
    let bits = builder.map(compare, gram);
    let rows = (0..3).map(|index| vec![(3 + index, index)]).collect();
    let gated = builder.node(Op::Products { rows }, &[scaled, bits], 3);
    builder.output("gated", gated, OutputKind::Real);
    builder.output("scaled", scaled, OutputKind::Real);
    builder.output("bits", bits, OutputKind::Bool);
    builder.finish()
}

/// A sum of random trees, some deep and narrow, some a single leaf; with a sigmoid and the decision.
pub(crate) fn forest(features: usize, trees: usize, depth: usize) -> Graph {
    let mut rng = StdRng::seed_from_u64(depth as u64);
    let mut builder = GraphBuilder::new(features);
    let ensemble = TreeEnsemble {
        trees: (0..trees)
            .map(|index| random_tree(features, if index == 1 { 0 } else { depth }, &mut rng))
            .collect(),
        targets: 2,
        aggregate: Aggregate::Sum,
        base: vec![0.125, -0.25],
    };
    let scores = builder.node(Op::TreeEnsemble(ensemble), &[X], 2);
    let first = builder.node(Op::Wire { indices: vec![0] }, &[scores], 1);
    let probability = builder.map(Op::Sigmoid, first);
    let label = builder.node(Op::ArgMax { classes: 2 }, &[scores], 1);
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
    let logits = builder.node(Op::Affine { rows }, &[X], 3);
    let label = builder.node(Op::ArgMax { classes: 3 }, &[logits], 1);
    let probabilities = builder.map(Op::Softmax { classes: 3 }, logits);
    builder.output("label", label, OutputKind::Index);
    builder.output("probabilities", probabilities, OutputKind::Real);
    builder.finish()
}

pub(crate) fn samples(graph: &Graph, count: usize, seed: u64) -> Vec<Vec<Vec<f64>>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let categorical = graph.nodes.iter().any(|node| matches!(node.op, Op::OneHot { .. }));
    (0..count)
        .map(|_| {
            let mut row: Vec<f64> = (0..graph.inputs[0].len()).map(|_| rng.gen_range(-2.0..2.0)).collect();
            if categorical {
                row[0] = [0.0, 1.0, 2.0, 5.0][rng.gen_range(0..4)];
            }
            vec![row]
        })
        .collect()
}

pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) layout: Arc<Layout>,
    pub(crate) k: u32,
    pub(crate) usable: usize,
}

impl Case {
    pub(crate) fn new(graph: &Graph, limb_bits: u32, lanes: usize) -> Self {
        let calibration = Calibration::measure(graph, &samples(graph, 64, 1), 1.5).unwrap();
        let program = Program::compile(graph, &calibration, limb_bits).unwrap();
        let layout = Arc::new(Layout::new(&program, lanes, PublicInputs::default()).unwrap());
        let k = (4..20)
            .find(|k| layout.rows() <= usable_rows(layout.shape(), *k))
            .unwrap();
        let usable = usable_rows(layout.shape(), k);
        Self {
            program,
            layout,
            k,
            usable,
        }
    }

    pub(crate) fn cells(&self, sample: &[Vec<f64>]) -> Vec<i64> {
        self.program.execute(&self.program.quantize(sample).unwrap()).unwrap()
    }

    pub(crate) fn trace(&self, cells: &[i64]) -> Trace {
        Trace::new(&self.layout, &self.program, cells, self.usable)
    }

    pub(crate) fn instances(&self, cells: &[i64]) -> Vec<Fr> {
        let public = PublicInputs::default().cells(&self.program);
        let values = public.iter().map(|cell| from_i128(cells[cell.index()].into()));
        std::iter::once(Fr::from(77)).chain(values).collect()
    }

    pub(crate) fn accepts(&self, trace: Trace, instances: Vec<Fr>) -> Result<(), String> {
        let circuit = ModelCircuit::new(self.layout.clone(), self.usable).with_trace(trace);
        let prover = MockProver::run(self.k, &circuit, vec![instances]).map_err(|error| error.to_string())?;
        prover
            .verify()
            .map_err(|failures| format!("{} failures, first: {}", failures.len(), failures[0]))
    }
}
