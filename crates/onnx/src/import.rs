//! The walk: from the protobuf graph, node by node, to the float graph.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
};

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto, tensor_shape_proto, type_proto};
use zkverdict_model::{Element as InputElement, Graph, Input, Output, OutputKind};

use crate::{
    DataType, Defect, OnnxError, Refusal,
    attributes::Attributes,
    builder::{Builder, ELEMENT_LIMIT, Zeros},
    decode,
    error::type_name,
    finish::{merge, pool_first, prune, relax},
    operators::{self, Call, MACHINE_LEARNING},
    shape::element_count,
    tensor::{Labels, Meaning, Tensor, Value},
};

/// Newest version of the standard operator set whose operators were read for this crate.
const NEWEST: i64 = 25;
/// Newest version of `ai.onnx.ml`.
const NEWEST_MACHINE_LEARNING: i64 = 5;

/// Reads an ONNX file.
///
/// # Errors
///
/// As [`import`], and [`OnnxError::Read`] if the file cannot be read.
pub fn import_file(path: &Path) -> Result<Graph, OnnxError> {
    let bytes = std::fs::read(path).map_err(|source| OnnxError::Read {
        path: path.to_owned(),
        source,
    })?;
    import(&bytes)
}

/// Turns the bytes of an ONNX file into a float graph with the batch dimension fixed to 1.
///
/// A free first dimension of an input becomes 1; a fixed one stays, so that one sample then holds as many rows. Every
/// attribute is honoured or refused.
///
/// # Errors
///
/// A malformed file, or anything that the graph cannot express, is an [`OnnxError`]; no input makes this function
/// panic.
pub fn import(bytes: &[u8]) -> Result<Graph, OnnxError> {
    walk(bytes, Zeros::Drop)
}

/// As [`import`], with the parameters that are zero: the graph of a model to be committed, in which nobody may see which
/// they are.
///
/// # Errors
///
/// As [`import`].
pub fn import_with_zeros(bytes: &[u8]) -> Result<Graph, OnnxError> {
    walk(bytes, Zeros::Keep)
}

fn walk(bytes: &[u8], zeros: Zeros) -> Result<Graph, OnnxError> {
    let model = decode::model(bytes)?;
    let graph = model.graph.as_ref().ok_or(Defect::NoGraph)?;
    let versions = operator_sets(&model)?;
    if let Some(function) = model.functions.first() {
        return Err(Defect::Function {
            function: function.name.clone().unwrap_or_default(),
        }
        .into());
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(Defect::SparseInitializer.into());
    }
    if graph.output.is_empty() {
        return Err(Defect::NoOutputs.into());
    }
    let mut walk = Walk::start(graph, zeros)?;
    for node in &graph.node {
        walk.node(node, &versions)?;
    }
    walk.finish(graph)
}

/// Version of each operator set; the standard one has the empty domain.
pub(crate) fn operator_sets(model: &ModelProto) -> Result<BTreeMap<&str, i64>, OnnxError> {
    let mut versions = BTreeMap::new();
    for import in &model.opset_import {
        let domain = standard(&import.domain);
        let newest = match domain {
            "" => NEWEST,
            MACHINE_LEARNING => NEWEST_MACHINE_LEARNING,
            // Operators of other domains are refused where they appear.
            _ => i64::MAX,
        };
        if !(1..=newest).contains(&import.version) {
            return Err(OnnxError::OperatorSet {
                domain: domain.to_owned(),
                version: import.version,
                newest,
            });
        }
        if let Some(first) = versions.insert(domain, import.version)
            && first != import.version
        {
            return Err(Defect::OperatorSetTwice {
                domain: domain.to_owned(),
                first,
                second: import.version,
            }
            .into());
        }
    }
    Ok(versions)
}

/// The empty domain under its two names.
pub(crate) fn standard(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// A graph input as this crate reads it.
pub(crate) struct Declared {
    pub(crate) input: Input,
    pub(crate) data_type: DataType,
    /// What people should know about its shape.
    note: Option<String>,
}

/// The inputs that are no initializers, with the batch fixed to 1.
pub(crate) fn inputs(graph: &GraphProto) -> Result<Vec<Declared>, OnnxError> {
    let initialized: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    graph
        .input
        .iter()
        .filter(|info| !initialized.contains(info.name.as_str()))
        .map(|info| {
            declared(info).map_err(|refusal| OnnxError::Input {
                input: info.name.clone(),
                refusal,
            })
        })
        .collect()
}

fn declared(info: &ValueInfoProto) -> Result<Declared, Refusal> {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(Refusal::NotTensor);
    };
    let code = i64::from(tensor.elem_type);
    let data_type = DataType::from_code(code).ok_or_else(|| Refusal::UnknownType {
        data_type: type_name(code),
    })?;
    let element = match data_type {
        DataType::Float32 => InputElement::Float32,
        DataType::Float64 => InputElement::Float64,
        DataType::Bool => InputElement::Bool,
        DataType::String | DataType::Float16 => {
            return Err(Refusal::UnknownType {
                data_type: data_type.to_string(),
            });
        }
        _ => InputElement::Int64,
    };
    let dimensions = &tensor.shape.as_ref().ok_or(Refusal::NoShape)?.dim;
    let mut shape = Vec::with_capacity(dimensions.len());
    let mut note = None;
    for (position, dimension) in dimensions.iter().enumerate() {
        let size = match dimension.value {
            Some(tensor_shape_proto::dimension::Value::DimValue(size)) => size,
            _ if position == 0 => {
                note = Some(format!("input {:?}: its free first dimension is fixed to 1", info.name));
                1
            }
            _ => return Err(Refusal::FreeDimension { position }),
        };
        if position == 0 && size > 1 && dimensions.len() > 1 {
            note = Some(format!(
                "input {:?}: its first dimension is fixed to {size}, so one sample holds all {size} rows",
                info.name
            ));
        }
        match usize::try_from(size) {
            Ok(size) if size > 0 => shape.push(size),
            _ => return Err(Refusal::Dimension { position, size }),
        }
    }
    if element_count(&shape).is_none_or(|count| count > ELEMENT_LIMIT) {
        return Err(Refusal::TooLarge {
            what: "tensor elements",
            limit: ELEMENT_LIMIT,
        });
    }
    let input = Input {
        name: info.name.clone(),
        shape,
        element,
    };
    Ok(Declared { input, data_type, note })
}

/// The state of the walk.
struct Walk<'a> {
    builder: Builder,
    values: BTreeMap<&'a str, Rc<Value>>,
    /// Names that some node produces, for telling a wrong order from a missing name.
    produced: BTreeSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// Reads inputs and initializers.
    fn start(graph: &'a GraphProto, zeros: Zeros) -> Result<Self, OnnxError> {
        let declared = inputs(graph)?;
        let mut builder = Builder::new(declared.iter().map(|each| each.input.clone()).collect(), zeros);
        let mut values = BTreeMap::new();
        for tensor in &graph.initializer {
            named("an initializer", &tensor.name)?;
            let constant = decode::constant(tensor, &tensor.name)?;
            let value = Rc::new(Value::Constant(constant));
            if values.insert(tensor.name.as_str(), value).is_some() {
                return Err(Defect::DuplicateName {
                    name: tensor.name.clone(),
                }
                .into());
            }
        }
        let mut seen = BTreeSet::new();
        for info in &graph.input {
            named("a graph input", &info.name)?;
            if !seen.insert(info.name.as_str()) {
                return Err(Defect::DuplicateName {
                    name: info.name.clone(),
                }
                .into());
            }
            if values.contains_key(info.name.as_str()) {
                builder
                    .notes
                    .push(format!("input {:?} has a default value and is fixed to it", info.name));
            }
        }
        let fresh: Vec<&str> = graph
            .input
            .iter()
            .map(|info| info.name.as_str())
            .filter(|name| !values.contains_key(name))
            .collect();
        for ((position, each), name) in declared.iter().enumerate().zip(fresh) {
            builder.notes.extend(each.note.clone());
            let length = builder
                .charge_shape(&each.input.shape)
                .map_err(|refusal| OnnxError::Input {
                    input: name.to_owned(),
                    refusal,
                })?;
            let tensor = builder.input(position, each.data_type, &each.input.shape, length);
            values.insert(name, Rc::new(Value::Tensor(tensor)));
        }
        let mut produced = BTreeSet::new();
        for node in &graph.node {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                if !produced.insert(name.as_str()) || values.contains_key(name.as_str()) {
                    return Err(Defect::DuplicateName { name: name.clone() }.into());
                }
            }
        }
        Ok(Walk {
            builder,
            values,
            produced,
        })
    }

    /// Applies one node.
    fn node(&mut self, node: &'a NodeProto, versions: &BTreeMap<&str, i64>) -> Result<(), OnnxError> {
        let name = node_name(node);
        let domain = standard(&node.domain);
        let version = *versions.get(domain).ok_or_else(|| Defect::OperatorSetMissing {
            node: name.to_owned(),
            domain: domain.to_owned(),
        })?;
        let refused = |refusal| OnnxError::Node {
            node: name.to_owned(),
            operator: qualified(node),
            refusal,
        };
        let mut operands = Vec::with_capacity(node.input.len());
        for input in &node.input {
            operands.push(match self.values.get(input.as_str()) {
                _ if input.is_empty() => None,
                Some(value) => Some(Rc::clone(value)),
                None => {
                    let (node, name) = (name.to_owned(), input.clone());
                    return Err(if self.produced.contains(input.as_str()) {
                        Defect::Order { node, name }.into()
                    } else {
                        Defect::Dangling { node, name }.into()
                    });
                }
            });
        }
        while operands.last().is_some_and(Option::is_none) {
            operands.pop();
        }
        let results = node
            .output
            .iter()
            .rposition(|output| !output.is_empty())
            .map_or(0, |last| last.saturating_add(1));
        let mut call = Call {
            label: format!("{} {name:?}", node.op_type),
            version,
            operands,
            results,
            attributes: Attributes::new(node).map_err(refused)?,
            builder: &mut self.builder,
        };
        let values = operators::apply(domain, &node.op_type, &mut call).map_err(refused)?;
        if results == 0 || results > values.len() {
            return Err(refused(Refusal::Arity {
                what: "results",
                expected: "as many as the operator has",
                got: results,
            }));
        }
        for (output, value) in node.output.iter().zip(values) {
            if let Value::Tensor(tensor) = &value {
                self.builder.shape(&tensor.elements, &tensor.shape);
            }
            if !output.is_empty() {
                self.values.insert(output, Rc::new(value));
            }
        }
        Ok(())
    }

    /// Reads the outputs and drops nodes that none of them needs.
    fn finish(mut self, graph: &GraphProto) -> Result<Graph, OnnxError> {
        let mut outputs = Vec::with_capacity(graph.output.len());
        let mut seen = BTreeSet::new();
        for info in &graph.output {
            named("a graph output", &info.name)?;
            if !seen.insert(info.name.as_str()) {
                return Err(Defect::DuplicateName {
                    name: info.name.clone(),
                }
                .into());
            }
            let value = self
                .values
                .get(info.name.as_str())
                .cloned()
                .ok_or_else(|| Defect::OutputMissing {
                    name: info.name.clone(),
                })?;
            let output = self.output(info, &value).map_err(|refusal| OnnxError::Output {
                output: info.name.clone(),
                refusal,
            })?;
            outputs.push(output);
        }
        let Builder {
            inputs,
            nodes,
            notes,
            zeros,
            ..
        } = self.builder;
        let graph = Graph {
            inputs,
            nodes,
            outputs,
            notes,
        };
        Ok(merge(pool_first(relax(prune(graph))), zeros))
    }

    fn output(&mut self, info: &ValueInfoProto, value: &Value) -> Result<Output, Refusal> {
        let tensor = match value {
            Value::Tensor(tensor) if !tensor.is_fixed() => tensor,
            Value::Tensor(_) | Value::Constant(_) => return Err(Refusal::ConstantOutput),
        };
        if let Some(type_proto::Value::TensorType(declared)) = info.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        {
            let code = i64::from(declared.elem_type);
            if code != 0 && DataType::from_code(code) != Some(tensor.data_type) {
                return Err(Refusal::OutputType {
                    declared: type_name(code),
                    computed: tensor.data_type,
                });
            }
        }
        let label = format!("output {:?}", info.name);
        // Reals that were dequantised in one way are the whole numbers behind them.
        let (kind, elements) = match self.builder.codes(&tensor.elements) {
            Some((numbers, zero, scale)) => {
                let zero = crate::number::whole(f64::from(zero)).unwrap_or(0);
                (OutputKind::Quantized { scale, zero }, numbers)
            }
            None => (kind(tensor)?, tensor.elements.clone()),
        };
        let value = self.builder.materialise(&label, &elements)?;
        Ok(Output {
            name: info.name.clone(),
            value,
            shape: tensor.shape.clone(),
            kind,
        })
    }
}

/// How an output is to be read.
fn kind(tensor: &Tensor) -> Result<OutputKind, Refusal> {
    Ok(match &tensor.meaning {
        Meaning::Number => OutputKind::Real,
        Meaning::Truth => OutputKind::Bool,
        Meaning::Index(_) => OutputKind::Index,
        Meaning::Label(labels) => match &**labels {
            Labels::Integers(labels) => OutputKind::IntLabel(labels.clone()),
            Labels::Strings(labels) => OutputKind::StringLabel(labels.clone()),
        },
        Meaning::IntegerPart => return Err(Refusal::Truncated),
    })
}

fn named(what: &'static str, name: &str) -> Result<(), Defect> {
    if name.is_empty() {
        Err(Defect::NoName { what })
    } else {
        Ok(())
    }
}

/// A node's name, or its first output's.
pub(crate) fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() {
        node.output.first().map_or("", String::as_str)
    } else {
        &node.name
    }
}

/// A node's operator with its domain, control characters escaped.
pub(crate) fn qualified(node: &NodeProto) -> String {
    let operator = node.op_type.escape_debug();
    match standard(&node.domain) {
        "" => operator.to_string(),
        domain => format!("{}.{operator}", domain.escape_debug()),
    }
}
