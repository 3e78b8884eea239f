//! The float graph: what an ONNX file means, reduced to a handful of operators.
//!
//! Every tensor is flattened row-major and belongs to one sample (a batch of one). Data movement (reshape, transpose,
//! concat, slice, …) is a [`Op::Wire`]; everything affine (matrix products, scaling, constants added) is an
//! [`Op::Affine`], or an [`Op::Singles`] where its results are compared or quantised; what remains is non-linear and has
//! a variant of its own.

use serde::{Deserialize, Serialize};

use crate::Formula;

/// Names one tensor of a [`Graph`]: graph inputs first, then one per node, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueId(pub usize);

/// Element type of a graph input or output as the ONNX file declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Element {
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Float64,
    /// 64-bit signed integer (also 32-bit ones, widened).
    Int64,
    /// Boolean, as 0 or 1.
    Bool,
}

/// A graph input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Name in the ONNX file.
    pub name: String,
    /// Shape with the batch dimension fixed to 1.
    pub shape: Vec<usize>,
    /// Declared element type.
    pub element: Element,
}

/// How the integers or reals of an output are to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputKind {
    /// Real numbers.
    Real,
    /// Whole numbers that stand for reals: `(number − zero)·scale`, in `float32`.
    Quantized {
        /// Distance of neighbouring reals.
        scale: f32,
        /// The number that stands for zero.
        zero: i64,
    },
    /// 0 or 1.
    Bool,
    /// An index (ArgMax).
    Index,
    /// A class index into integer labels.
    IntLabel(Vec<i64>),
    /// A class index into string labels.
    StringLabel(Vec<String>),
}

impl OutputKind {
    /// The real number that a number of the graph stands for; labels and truth values stay what they are.
    pub fn real(&self, number: f64) -> f64 {
        match self {
            Self::Quantized { scale, zero } => f64::from((number - *zero as f64) as f32 * scale),
            _ => number,
        }
    }
}

/// A graph output, in the file's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Name in the ONNX file.
    pub name: String,
    /// The tensor.
    pub value: ValueId,
    /// Shape with the batch dimension fixed to 1.
    pub shape: Vec<usize>,
    /// How to read it.
    pub kind: OutputKind,
}

/// One row of an affine map: `Σ weight·x[index] + bias`, sparse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AffineRow {
    /// `(index into the concatenated inputs, weight)`, indices strictly increasing.
    pub terms: Vec<(usize, f64)>,
    /// Constant term.
    pub bias: f64,
}

/// Arithmetic of a `float32` and a finite constant that is no zero where it is a factor, rounded to `float32`. Monotone,
/// and never NaN unless the operand is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SingleStep {
    /// `x + c`
    Plus(f32),
    /// `x · c`
    Times(f32),
    /// `x / c`
    Over(f32),
}

/// One element of an [`Op::Singles`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SingleRow {
    /// Index into the concatenated inputs.
    pub index: usize,
    /// What is done to it, in order.
    pub steps: Vec<SingleStep>,
}

/// One element of an [`Op::Quantize`]: a whole number from `low` to `high`, monotone in the operand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantizeRow {
    /// Index into the concatenated inputs.
    pub index: usize,
    /// What is done to it as a `float32`, in order; none of them turns the order around.
    pub steps: Vec<SingleStep>,
    /// Added to the result once it is rounded.
    pub zero: i64,
    /// Smallest result.
    pub low: i64,
    /// Largest result.
    pub high: i64,
}

impl QuantizeRow {
    /// The result for a `float32`: rounded half to even, as ONNX Runtime does.
    pub fn apply(&self, x: f32) -> i64 {
        let value = self.steps.iter().fold(x, |value, step| step.apply(value));
        let moved = f64::from(value.round_ties_even()) + self.zero as f64;
        moved.clamp(self.low as f64, self.high as f64) as i64
    }
}

impl SingleStep {
    /// The result for a `float32`.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Plus(constant) => x + constant,
            Self::Times(constant) => x * constant,
            Self::Over(constant) => x / constant,
        }
    }

    /// Whether the order of numbers is turned around.
    pub fn turns(self) -> bool {
        match self {
            Self::Plus(_) => false,
            Self::Times(constant) | Self::Over(constant) => constant < 0.0,
        }
    }

    /// Whether every number stays what it is.
    pub fn is_identity(self) -> bool {
        match self {
            Self::Plus(constant) => constant == 0.0,
            Self::Times(constant) | Self::Over(constant) => constant == 1.0,
        }
    }

    /// Whether the constant is one that every such step has.
    pub fn is_allowed(self) -> bool {
        match self {
            Self::Plus(constant) => constant.is_finite(),
            Self::Times(constant) | Self::Over(constant) => constant.is_finite() && constant != 0.0,
        }
    }
}

impl SingleRow {
    /// The same without rounding.
    pub fn affine(&self) -> AffineRow {
        let start = (1.0_f64, 0.0_f64);
        let (weight, bias) = self.steps.iter().fold(start, |(weight, bias), step| match *step {
            SingleStep::Plus(constant) => (weight, bias + f64::from(constant)),
            SingleStep::Times(constant) => (weight * f64::from(constant), bias * f64::from(constant)),
            SingleStep::Over(constant) => {
                let inverse = f64::from(constant).recip();
                (weight * inverse, bias * inverse)
            }
        });
        AffineRow {
            terms: vec![(self.index, weight)],
            bias,
        }
    }
}

/// Comparison of a value with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `x < c`
    Less,
    /// `x <= c`
    LessOrEqual,
    /// `x > c`
    Greater,
    /// `x >= c`
    GreaterOrEqual,
}

/// Norm of [`Op::Normalize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Largest absolute value.
    Max,
    /// Sum of absolute values.
    L1,
    /// Euclidean length.
    L2,
}

/// How the trees' leaf weights become one score per target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum divided by the number of trees.
    Average,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// A branch's condition on `float32` values: `feature ∘ threshold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BranchMode {
    /// `x < t`
    Less,
    /// `x <= t`
    LessOrEqual,
    /// `x > t`
    Greater,
    /// `x >= t`
    GreaterOrEqual,
    /// `x == t`
    Equal,
    /// `x != t`
    NotEqual,
}

/// A node of a decision tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeNode {
    /// Goes to `holds` where the condition holds, else to `otherwise`; both are positions in the tree's nodes.
    Branch {
        /// Input element.
        feature: usize,
        /// The condition.
        mode: BranchMode,
        /// What the feature is compared with: infinite perhaps, but never NaN.
        threshold: f32,
        /// Where a missing value (NaN) goes: `true` to `holds`.
        missing_holds: bool,
        /// Next node where the condition holds.
        holds: usize,
        /// Next node where it does not.
        otherwise: usize,
    },
    /// Adds weights to targets.
    Leaf {
        /// `(target, weight)`, each target at most once.
        weights: Vec<(usize, f32)>,
    },
}

/// One decision tree; the root is node 0, every other node has one parent, and every path ends in a leaf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// Nodes; children come after their parent.
    pub nodes: Vec<TreeNode>,
}

/// Trees over the same features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeEnsemble {
    /// The trees.
    pub trees: Vec<Tree>,
    /// Number of scores.
    pub targets: usize,
    /// How weights become scores.
    pub aggregate: Aggregate,
    /// Added to each score after aggregation, one per target (a target without weights on any path counts as 0).
    pub base: Vec<f32>,
}

/// An operator. Inputs with several tensors are read as their concatenation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// Copies elements: output `i` is element `indices[i]` of the concatenated inputs.
    Wire {
        /// One index per output element.
        indices: Vec<usize>,
    },
    /// `y = A·x + b`, one row per output element.
    Affine {
        /// Sparse rows.
        rows: Vec<AffineRow>,
    },
    /// `float32` arithmetic with constants, elementwise, every operation rounded: what trees compare, and what is
    /// quantised, must be exact.
    Singles {
        /// One row per output element.
        rows: Vec<SingleRow>,
    },
    /// Whole numbers within bounds, elementwise: `float32` arithmetic with constants, rounded half to even.
    Quantize {
        /// One row per output element.
        rows: Vec<QuantizeRow>,
    },
    /// `max(x, 0)`, elementwise.
    Relu,
    /// `min(max(x, min), max)`, elementwise.
    Clip {
        /// Lower bound (−∞ when absent).
        min: f64,
        /// Upper bound (+∞ when absent).
        max: f64,
    },
    /// `1 / (1 + e^−x)`, elementwise.
    Sigmoid,
    /// A function of one variable, elementwise.
    Function(Formula),
    /// Sums of products of two elements each, one sum per output element.
    Products {
        /// Pairs of indices into the concatenated inputs.
        rows: Vec<Vec<(usize, usize)>>,
    },
    /// The largest of each group of `width` consecutive elements.
    Maximum {
        /// Length of one group.
        width: usize,
    },
    /// Softmax over consecutive groups of `classes` elements.
    Softmax {
        /// Length of one group.
        classes: usize,
    },
    /// Index of the largest of each group of `classes` consecutive elements, lowest index on ties.
    ArgMax {
        /// Length of one group.
        classes: usize,
    },
    /// The `count` largest elements, the largest first and the lowest index first on ties; then their indices.
    Largest {
        /// How many, from 1 to the number of elements.
        count: usize,
    },
    /// Elementwise comparison with constants; 1 where it holds, else 0.
    Compare {
        /// The relation.
        comparison: Comparison,
        /// One constant per element.
        thresholds: Vec<f64>,
    },
    /// Divides each group of `width` consecutive elements by its norm (a zero norm leaves it as it is).
    Normalize {
        /// The norm.
        norm: Norm,
        /// Length of one group.
        width: usize,
    },
    /// An ensemble of decision trees over the input elements; one score per target.
    TreeEnsemble(TreeEnsemble),
    /// One-hot of each input element: element `i` becomes `categories[i].len()` bits. A value that is in no category
    /// has no encoding; such inputs are refused.
    OneHot {
        /// Categories of each input element, as integers, distinct.
        categories: Vec<Vec<i64>>,
    },
}

/// Where the numbers of an affine node come from. It changes no meaning: it says what a committed model hides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// From the operator alone: a difference, a mean.
    #[default]
    Structural,
    /// From the model's parameters, each in one place.
    Learned,
    /// From the model's parameters, some of them in several places, as in convolutions.
    Shared,
}

/// One operator application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Name and operator in the ONNX file, for messages: `Gemm "layer_1"`.
    pub name: String,
    /// Operator.
    pub op: Op,
    /// Operands.
    pub inputs: Vec<ValueId>,
    /// Number of elements of the result.
    pub len: usize,
    /// Shape of the result in the ONNX file, row-major, where it is known. It says where elements may lie side by side
    /// and changes no meaning.
    #[serde(default)]
    pub shape: Option<Vec<usize>>,
    /// Where the numbers of an affine node come from.
    #[serde(default)]
    pub weights: Weights,
}

/// A model as a list of nodes in topological order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Graph inputs; tensor `i` is `ValueId(i)`.
    pub inputs: Vec<Input>,
    /// Nodes; the result of node `j` is `ValueId(inputs.len() + j)`.
    pub nodes: Vec<Node>,
    /// Outputs.
    pub outputs: Vec<Output>,
    /// What the importer dropped or rewrote, for people (`ZipMap "z" dropped: …`).
    pub notes: Vec<String>,
}

impl Input {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the input has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
