//! What a model means, exactly: the float graph, its fixed-point program, and the reference evaluator.
//!
//! ```text
//! Graph ──Calibration::measure──▶ ranges ──Program::compile──▶ Program ──execute──▶ cells (integers)
//! ```
//!
//! The program is the definition of the answer. A circuit agrees with [`Program::execute`] bit for bit; how far that
//! is from the floats is measured, see [`Fidelity`].
//!
//! | module | what |
//! |---|---|
//! | `graph` | the float graph an importer produces |
//! | `evaluate` | its evaluation in floats |
//! | `function` | functions of one variable, as formulas |
//! | `calibrate` | ranges on sample data |
//! | `formats` | formats chosen by measurement |
//! | `fidelity` | errors against the floats, and saturation |
//! | `lower` | float graph → integer program: affine chains fused, formats chosen, offsets folded |
//! | `curves` | tables of piecewise-linear functions |
//! | `ordered` | `float32` values as integers of the same order |
//! | `origin` | which element lies behind another, where only data movement and `float32` arithmetic lie between |
//! | `region` | where a branch's condition holds |
//! | `quantize` | rounding as thresholds, thresholds as lines |
//! | `exact` | which values are whole numbers without error |
//! | `reasons` | the inputs that moved a decision most, as outputs |
//! | `facts` | what can be said of trees before any input |
//! | `parameters` | committed models: parameters apart from the architecture |
//! | `program` | the integer program and its evaluator |
//! | `subtree` | trees cut into pieces of two levels, as they are walked and committed to |
//! | `assemble` | cells, tables, layers, inputs and outputs, one by one |
//! | `audit` | a program over all rows of a labelled table |
//! | `statement` | what holds of a committed model's trees, whatever the input |
//! | `validate` | checks of a program that comes from a file |
//!
//! Lowest crate of the workspace: no circuit, no EVM.

mod assemble;
mod audit;
mod calibrate;
mod convolution;
mod curves;
mod error;
mod evaluate;
mod exact;
mod facts;
mod fidelity;
mod formats;
mod function;
mod graph;
mod lower;
mod ordered;
mod origin;
mod parameters;
mod program;
mod quantize;
mod reasons;
mod region;
mod statement;
mod subtree;
mod validate;

pub use audit::{Audit, Claim, Fraction, MOST_CLASSES, MOST_GROUPS};
pub use calibrate::{Calibration, Interval};
pub use convolution::{Convolution, Kernel, Placed, SumIndex, Tap};
pub use error::ModelError;
pub use facts::{ScoreFacts, TreeFacts, Variable};
pub use fidelity::{Fidelity, References};
pub use formats::{ChosenFormats, ENOUGH_SAMPLES, FormatChoice, FormatGain, LEAST_SAMPLES};
pub use function::{Elementary, Formula};
pub use graph::{
    AffineRow, Aggregate, BranchMode, Comparison, Element, Graph, Input, Node, Norm, Op, Output, OutputKind,
    QuantizeRow, SingleRow, SingleStep, Tree, TreeEnsemble, TreeNode, ValueId, Weights,
};
pub use ordered::{HIGHEST, LOWEST, from_ordered, ordered};
pub use parameters::{ForestBounds, ModelParameters, ParameterBlock, ParameterFormats, SumParameters, TreeParameters};
pub use program::{
    CellId, Combination, CommittedTree, CurvePoint, Digit, Finish, Format, InputCell, Layer, LeafNode, Limit, Limited,
    OutputCells, Program, Range, Saturated, Source, SplitNode, Step, Sum, Table, TableId, TabulatedFunction, TreePath,
};
pub use reasons::{CONTRIBUTIONS, REASONS, Reasons, ReasonsRequest};
pub use statement::{OpenedTree, TreeClaim, TreeProperty};
pub use subtree::{Split, Subtree, Subtrees, Visit, WEIGHT_LIMBS};
