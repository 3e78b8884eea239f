//! What a file says about itself, without importing it.

use std::collections::BTreeSet;

use tract_onnx::pb::{tensor_shape_proto, type_proto};

use crate::{
    Defect, OnnxError, decode,
    error::type_name,
    import::{node_name, qualified, standard},
};

/// The declarations of an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSummary {
    /// IR version.
    pub ir_version: i64,
    /// Program that wrote the file, with its version.
    pub producer: String,
    /// Operator sets: domain (empty for the standard one) and version.
    pub operator_sets: Vec<(String, i64)>,
    /// Inputs that have no default value.
    pub inputs: Vec<TensorSummary>,
    /// Outputs.
    pub outputs: Vec<TensorSummary>,
    /// Nodes in file order.
    pub nodes: Vec<NodeSummary>,
    /// Number of initializers.
    pub initializers: usize,
}

/// A declared input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSummary {
    /// Name.
    pub name: String,
    /// Element type, or `not a tensor`.
    pub element: String,
    /// Dimensions; a free one is its symbol, or `?`.
    pub shape: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSummary {
    /// Name, or the first output's.
    pub name: String,
    /// Operator, with its domain unless that is the standard one.
    pub operator: String,
}

/// Lists what a file declares, whether or not it can be imported.
///
/// # Errors
///
/// [`OnnxError::Protobuf`] or [`Defect::NoGraph`].
pub fn summarize(bytes: &[u8]) -> Result<ModelSummary, OnnxError> {
    let model = decode::model(bytes)?;
    let graph = model.graph.as_ref().ok_or(Defect::NoGraph)?;
    let initialized: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let producer = format!("{} {}", model.producer_name, model.producer_version);
    Ok(ModelSummary {
        ir_version: model.ir_version,
        producer: producer.trim().escape_debug().to_string(),
        operator_sets: model
            .opset_import
            .iter()
            .map(|import| (standard(&import.domain).to_owned(), import.version))
            .collect(),
        inputs: graph
            .input
            .iter()
            .filter(|info| !initialized.contains(info.name.as_str()))
            .map(tensor)
            .collect(),
        outputs: graph.output.iter().map(tensor).collect(),
        nodes: graph
            .node
            .iter()
            .map(|node| NodeSummary {
                name: node_name(node).to_owned(),
                operator: qualified(node),
            })
            .collect(),
        initializers: graph.initializer.len(),
    })
}

fn tensor(info: &tract_onnx::pb::ValueInfoProto) -> TensorSummary {
    let kind = info.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let name = info.name.clone();
    let Some(type_proto::Value::TensorType(tensor)) = kind else {
        return TensorSummary {
            name,
            element: "not a tensor".to_owned(),
            shape: Vec::new(),
        };
    };
    let shape = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dimension| match &dimension.value {
            Some(tensor_shape_proto::dimension::Value::DimValue(size)) => size.to_string(),
            Some(tensor_shape_proto::dimension::Value::DimParam(symbol)) if !symbol.is_empty() => {
                symbol.escape_debug().to_string()
            }
            _ => "?".to_owned(),
        });
    TensorSummary {
        name,
        element: type_name(i64::from(tensor.elem_type)),
        shape: shape.collect(),
    }
}
