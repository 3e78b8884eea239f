//! Why a node, a graph input or a graph output is refused.

use crate::{DataType, Defect, TreeDefect};

/// A reason, with the remedy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such operator here.
    #[error(
        "the operator is not supported; replace it before export (the README of zkverdict-onnx lists the supported ones)"
    )]
    Operator,
    /// The operator exists, but not in this version of the operator set.
    #[error("operator set version {version} is not supported for this operator; export with {supported}")]
    OperatorVersion {
        /// Version in use.
        version: i64,
        /// What to use instead.
        supported: &'static str,
    },
    /// An attribute that the operator does not have.
    #[error("the attribute {attribute:?} is not known for this operator; remove it or export with another opset")]
    UnknownAttribute {
        /// Attribute.
        attribute: String,
    },
    /// An attribute given twice.
    #[error("the attribute {attribute:?} is given twice")]
    DuplicateAttribute {
        /// Attribute.
        attribute: String,
    },
    /// An attribute whose type is not what the operator wants.
    #[error("the attribute {attribute:?} is not of the type {expected}")]
    AttributeType {
        /// Attribute.
        attribute: String,
        /// Wanted type.
        expected: &'static str,
    },
    /// An attribute that must be present.
    #[error("the attribute {attribute:?} is missing")]
    MissingAttribute {
        /// Attribute.
        attribute: &'static str,
    },
    /// An attribute with a value that is not supported.
    #[error("{attribute} = {value} is not supported; use {supported}")]
    AttributeValue {
        /// Attribute.
        attribute: &'static str,
        /// Value in the file.
        value: String,
        /// What can be used.
        supported: &'static str,
    },
    /// An attribute whose list is too long or too short.
    #[error("{attribute} has {got} values, expected {expected}")]
    AttributeLength {
        /// Attribute.
        attribute: &'static str,
        /// Wanted length.
        expected: usize,
        /// Length in the file.
        got: usize,
    },
    /// Too many or too few operands or results.
    #[error("it has {got} {what}, expected {expected}")]
    Arity {
        /// Operands or results.
        what: &'static str,
        /// How many it may have.
        expected: &'static str,
        /// How many it has.
        got: usize,
    },
    /// An operand that must be known at import.
    #[error("the operand {operand:?} depends on the graph inputs; it must be a constant")]
    NotConstant {
        /// Operand.
        operand: &'static str,
    },
    /// An operator applied to nothing but constants, which is not folded.
    #[error("all operands are constants; fold them before export (onnxsim, or ONNX Runtime's optimizer)")]
    OnlyConstants,
    /// A product of two computed tensors in an operator that wants one of them constant.
    #[error("both operands depend on the graph inputs; this operator needs one of them constant")]
    TwoComputed,
    /// A scale that is computed from the input.
    #[error(
        "its scale depends on the input (dynamic quantisation); quantise the model statically \
         (onnxruntime.quantization.quantize_static)"
    )]
    Dynamic,
    /// Products of two computed tensors in integers.
    #[error("both integer operands depend on the graph inputs; leave this operator in float32 (nodes_to_exclude)")]
    TwoComputedIntegers,
    /// Division by a constant zero.
    #[error("the divisor holds a zero")]
    DivisionByZero,
    /// An operand type that the operator does not take here.
    #[error("the type {data_type} is not supported here; {remedy}")]
    Type {
        /// Type.
        data_type: DataType,
        /// What to do.
        remedy: &'static str,
    },
    /// A type that is not supported anywhere.
    #[error("the type {data_type} is not supported; export the model in float32")]
    UnknownType {
        /// Type.
        data_type: String,
    },
    /// A tensor in an attribute is malformed.
    #[error("{defect}")]
    Tensor {
        /// What is wrong with it.
        defect: Defect,
    },
    /// Operands of different types.
    #[error("the operands have the types {left} and {right}; insert a Cast")]
    MixedTypes {
        /// One.
        left: DataType,
        /// Other.
        right: DataType,
    },
    /// A cast from real to integer, read by something else than an encoder.
    #[error(
        "an operand is a real number cast to an integer, which truncates; only OneHotEncoder may read it \
         (make the graph input an int64 instead)"
    )]
    Truncated,
    /// Arithmetic on class labels.
    #[error("an operand is a class label; labels can only be moved, cast or returned")]
    Label,
    /// Shapes that do not broadcast.
    #[error("the shapes {left:?} and {right:?} do not fit together")]
    Shapes {
        /// One.
        left: Vec<usize>,
        /// Other.
        right: Vec<usize>,
    },
    /// An operand with a rank that the operator does not take.
    #[error("an operand has the shape {shape:?}; {expected}")]
    Rank {
        /// Shape.
        shape: Vec<usize>,
        /// What is taken.
        expected: &'static str,
    },
    /// An axis outside of the operand's rank.
    #[error("axis {axis} does not exist in a tensor of rank {rank}")]
    Axis {
        /// Axis.
        axis: i64,
        /// Rank.
        rank: usize,
    },
    /// An index outside of the tensor.
    #[error("index {index} is out of range for {length} elements")]
    Index {
        /// Index.
        index: i64,
        /// Length.
        length: usize,
    },
    /// A shape that the elements do not fill.
    #[error("{elements} elements cannot take the shape {target:?}")]
    Reshape {
        /// Elements.
        elements: usize,
        /// Wanted shape, as in the file.
        target: Vec<i64>,
    },
    /// A tensor without elements.
    #[error("the tensor of shape {shape:?} has no elements")]
    Empty {
        /// Shape.
        shape: Vec<usize>,
    },
    /// Too many elements to import.
    #[error("the model needs more than {limit} {what}; it is too large to prove")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// Limit.
        limit: usize,
    },
    /// A constant that is NaN or infinite.
    #[error("a constant is NaN or infinite, or becomes so; check the training")]
    NotFinite,
    /// A lower bound above the upper bound.
    #[error("min = {min} is above max = {max}; use bounds in order")]
    Bounds {
        /// Lower.
        min: f64,
        /// Upper.
        max: f64,
    },
    /// Categories or labels given twice.
    #[error("{attribute} holds a value twice")]
    Repeated {
        /// Attribute.
        attribute: &'static str,
    },
    /// A node of a decision tree that is malformed or not supported.
    #[error("{}node {node}: {defect}", tree.map(|tree| format!("tree {tree}, ")).unwrap_or_default())]
    Tree {
        /// Id of the tree; in operator set 5 its position in `tree_roots`, or `None` where no root leads to the node.
        tree: Option<i64>,
        /// Id of the node; in operator set 5 its position in the lists `nodes_*`.
        node: i64,
        /// What is wrong with it.
        defect: TreeDefect,
    },
    /// A use of a tree ensemble on which ONNX Runtime departs from the standard.
    #[error("{reason}")]
    Ensemble {
        /// What is used, and what to do instead.
        reason: &'static str,
    },
    /// An input or output that is no tensor.
    #[error("it is not a tensor; only tensors are supported")]
    NotTensor,
    /// An input without a shape.
    #[error("its shape is not declared; export with fixed shapes apart from the batch")]
    NoShape,
    /// A free dimension that is not the first.
    #[error("dimension {position} is free; only the first one (the batch) may be. Export with a fixed size")]
    FreeDimension {
        /// Position, from 0.
        position: usize,
    },
    /// A dimension that is zero or negative.
    #[error("dimension {position} is {size}; dimensions must be positive")]
    Dimension {
        /// Position, from 0.
        position: usize,
        /// Size in the file.
        size: i64,
    },
    /// An output that does not depend on the inputs.
    #[error("it does not depend on the graph inputs, so there is nothing to prove; remove it")]
    ConstantOutput,
    /// An output whose declared type is not the computed one.
    #[error("it is declared as {declared}, but is computed as {computed}")]
    OutputType {
        /// Declared.
        declared: String,
        /// Computed.
        computed: DataType,
    },
}
