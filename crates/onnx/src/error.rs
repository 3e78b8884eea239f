//! Everything that can be wrong with a model or a sample file, by name and with the remedy.

use std::path::PathBuf;

use crate::{DataType, Defect, Refusal, SampleProblem};

/// Why a file was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The bytes are no protobuf message of the ONNX schema.
    #[error("not an ONNX file: {source}; export the model again, or check that the file is complete")]
    Protobuf {
        /// What the decoder said.
        source: prost::DecodeError,
    },
    /// The file decodes, but what it says is malformed.
    #[error("malformed ONNX file: {0}")]
    Malformed(Defect),
    /// The model imports an operator set that this crate does not know.
    #[error(
        "operator set {domain:?} version {version} is not known (supported: 1 to {newest}); export the model with \
         target_opset {newest} or lower"
    )]
    OperatorSet {
        /// Domain, empty for the standard one.
        domain: String,
        /// Version the file asks for.
        version: i64,
        /// Newest version known.
        newest: i64,
    },
    /// A graph input cannot be represented.
    #[error("graph input {input:?}: {refusal}")]
    Input {
        /// Name of the input.
        input: String,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// A node uses something that is not supported.
    #[error("node {node:?} ({operator}): {refusal}")]
    Node {
        /// Name of the node, or of its first output where it has none.
        node: String,
        /// Operator, with its domain unless that is the standard one.
        operator: String,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// A graph output cannot be represented.
    #[error("graph output {output:?}: {refusal}")]
    Output {
        /// Name of the output.
        output: String,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// tract cannot load or run the model; the import itself may still work.
    #[error("tract cannot run this model: {reason}")]
    Tract {
        /// tract's message, or the panic's.
        reason: String,
    },
    /// Values for tract do not fit the model.
    #[error("the model has {expected} inputs with {expected_lengths:?} elements; got {got_lengths:?}")]
    TractInputs {
        /// Number of inputs.
        expected: usize,
        /// Elements of each input.
        expected_lengths: Vec<usize>,
        /// Elements of each list given.
        got_lengths: Vec<usize>,
    },
    /// A sample file does not fit the model.
    #[error("{}: {problem}", path.display())]
    Samples {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: SampleProblem,
    },
}

impl From<Defect> for OnnxError {
    fn from(defect: Defect) -> Self {
        OnnxError::Malformed(defect)
    }
}

/// The element type of a declaration, for messages.
pub(crate) fn type_name(code: i64) -> String {
    match DataType::from_code(code) {
        Some(data_type) => data_type.to_string(),
        None => i32::try_from(code)
            .ok()
            .and_then(|code| tract_onnx::pb::tensor_proto::DataType::try_from(code).ok())
            .map_or_else(
                || format!("type code {code}"),
                |data_type| data_type.as_str_name().to_lowercase(),
            ),
    }
}
