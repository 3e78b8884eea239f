//! What makes a file malformed, whatever its operators.

/// A property that every ONNX file must have and this one lacks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// The model holds no graph.
    #[error("it holds no graph")]
    NoGraph,
    /// The graph has no outputs.
    #[error("the graph has no outputs")]
    NoOutputs,
    /// An operator set is imported twice, with different versions.
    #[error("operator set {domain:?} is imported with versions {first} and {second}")]
    OperatorSetTwice {
        /// Domain.
        domain: String,
        /// One version.
        first: i64,
        /// The other.
        second: i64,
    },
    /// A node uses a domain whose operator set is not imported.
    #[error("node {node:?} uses operator set {domain:?}, which the model does not import")]
    OperatorSetMissing {
        /// Node.
        node: String,
        /// Domain.
        domain: String,
    },
    /// The model defines functions.
    #[error("it defines the function {function:?}, which is not supported; inline functions before export")]
    Function {
        /// First function.
        function: String,
    },
    /// The graph holds sparse initializers.
    #[error("it holds sparse initializers, which are not supported; export dense weights")]
    SparseInitializer,
    /// Two things have one name.
    #[error("the name {name:?} is defined twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// Something that needs a name has none.
    #[error("{what} has no name")]
    NoName {
        /// What it is.
        what: &'static str,
    },
    /// A node reads a name that nothing defines.
    #[error("node {node:?} reads {name:?}, which nothing defines")]
    Dangling {
        /// Node.
        node: String,
        /// Name.
        name: String,
    },
    /// A node reads what a later node, or it itself, produces.
    #[error("node {node:?} reads {name:?} before it is produced: the nodes are not in order, or form a cycle")]
    Order {
        /// Node.
        node: String,
        /// Name.
        name: String,
    },
    /// A graph output is a name that nothing defines.
    #[error("graph output {name:?} is produced by no node")]
    OutputMissing {
        /// Name.
        name: String,
    },
    /// A tensor keeps its data in another file.
    #[error(
        "tensor {tensor:?} keeps its data in an external file, which is not supported; save the model with \
         save_as_external_data=False"
    )]
    ExternalData {
        /// Tensor.
        tensor: String,
    },
    /// A tensor is a segment of a larger one.
    #[error("tensor {tensor:?} is a segment of a larger one, which is not supported")]
    Segment {
        /// Tensor.
        tensor: String,
    },
    /// A tensor has a type that is not supported.
    #[error("tensor {tensor:?} has the type {data_type}, which is not supported; export it as float32 or int64")]
    TensorType {
        /// Tensor.
        tensor: String,
        /// Type.
        data_type: String,
    },
    /// A dimension is negative, or the product of the dimensions overflows.
    #[error("tensor {tensor:?} has the impossible shape {shape:?}")]
    TensorShape {
        /// Tensor.
        tensor: String,
        /// Shape.
        shape: Vec<i64>,
    },
    /// A tensor is too large to belong to a model that can be proven.
    #[error("tensor {tensor:?} of shape {shape:?} has more than {limit} elements; it is too large to prove")]
    TensorSize {
        /// Tensor.
        tensor: String,
        /// Shape.
        shape: Vec<usize>,
        /// Limit.
        limit: usize,
    },
    /// The data do not fill the shape.
    #[error("tensor {tensor:?} needs {expected} {unit} for its shape and type, but holds {got}")]
    TensorLength {
        /// Tensor.
        tensor: String,
        /// What is counted.
        unit: &'static str,
        /// Needed.
        expected: usize,
        /// Present.
        got: usize,
    },
    /// The data are given in several fields, or in one that does not belong to the type.
    #[error("tensor {tensor:?} holds data in fields that do not belong to its type")]
    TensorFields {
        /// Tensor.
        tensor: String,
    },
    /// A value does not fit.
    #[error("tensor {tensor:?} holds the value {value}, outside of its type's range")]
    TensorValue {
        /// Tensor.
        tensor: String,
        /// Value.
        value: String,
    },
    /// A string is not UTF-8.
    #[error("tensor {tensor:?} holds a string that is not UTF-8")]
    TensorText {
        /// Tensor.
        tensor: String,
    },
}
