//! Shared by the tests: where the shared data lie, and a float evaluator of the graph.

use std::path::PathBuf;

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, tensor_shape_proto, type_proto,
};
use zkverdict_model::{Comparison, Graph, Norm, Op, Output, OutputKind, Tree, TreeNode, ValueId};

/// A path under the shared folder, or `None` (with a line saying so) where it is absent.
#[expect(clippy::print_stdout, reason = "a test that skips says so")]
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ZKVERDICT_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {path} is not in the shared folder (ZKVERDICT_SHARED)");
    None
}

/// A file of `tests/models`.
pub(crate) fn model(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/models/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Why the evaluator stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoValue {
    /// A one-hot encoder without the category.
    Category,
    /// A function or product that is not finite.
    Infinite,
}

/// Values of all outputs for one sample.
pub(crate) fn evaluate(graph: &Graph, sample: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, NoValue> {
    let mut values: Vec<Vec<f64>> = sample.to_vec();
    assert_eq!(values.len(), graph.inputs.len());
    for (input, value) in graph.inputs.iter().zip(&values) {
        assert_eq!(input.len(), value.len(), "input {}", input.name);
    }
    for node in &graph.nodes {
        for input in &node.inputs {
            assert!(input.0 < values.len(), "{}: not in topological order", node.name);
        }
        let x: Vec<f64> = node
            .inputs
            .iter()
            .flat_map(|&ValueId(input)| values[input].clone())
            .collect();
        let y = apply(&node.op, &x)?;
        assert_eq!(y.len(), node.len, "{}", node.name);
        if y.iter().any(|value| !value.is_finite()) {
            let unbounded = |node: &zkverdict_model::Node| matches!(node.op, Op::Function(_) | Op::Products { .. });
            assert!(graph.nodes.iter().any(unbounded), "{}: {y:?}", node.name);
            return Err(NoValue::Infinite);
        }
        values.push(y);
    }
    Ok(graph
        .outputs
        .iter()
        .map(|output| {
            assert_eq!(
                output.shape.iter().product::<usize>(),
                values[output.value.0].len(),
                "{}",
                output.name
            );
            values[output.value.0]
                .iter()
                .map(|value| output.kind.real(*value))
                .collect()
        })
        .collect())
}

fn apply(op: &Op, x: &[f64]) -> Result<Vec<f64>, NoValue> {
    let each = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x)).collect();
    Ok(match op {
        Op::Wire { indices } => indices.iter().map(|&index| x[index]).collect(),
        Op::Affine { rows } => rows
            .iter()
            .map(|row| {
                assert!(row.terms.windows(2).all(|pair| pair[0].0 < pair[1].0));
                row.bias + row.terms.iter().map(|&(index, weight)| weight * x[index]).sum::<f64>()
            })
            .collect(),
        Op::Singles { rows } => rows
            .iter()
            .map(|row| {
                assert!(row.steps.iter().all(|step| step.is_allowed() && !step.is_identity()));
                f64::from(
                    row.steps
                        .iter()
                        .fold(x[row.index] as f32, |value, step| step.apply(value)),
                )
            })
            .collect(),
        Op::Quantize { rows } => rows
            .iter()
            .map(|row| {
                let real = row
                    .steps
                    .iter()
                    .fold(x[row.index] as f32, |value, step| step.apply(value));
                (f64::from(real).round_ties_even() + row.zero as f64).clamp(row.low as f64, row.high as f64)
            })
            .collect(),
        Op::Relu => each(&|x| x.max(0.0)),
        Op::Clip { min, max } => each(&|x| x.max(*min).min(*max)),
        Op::Function(formula) => each(&|x| formula.evaluate(x)),
        Op::Products { rows } => rows
            .iter()
            .map(|pairs| {
                assert!(!pairs.is_empty());
                pairs.iter().map(|&(left, right)| x[left] * x[right]).sum()
            })
            .collect(),
        Op::Maximum { width } => {
            assert_eq!(x.len() % width, 0);
            x.chunks(*width)
                .map(|group| group.iter().copied().fold(f64::MIN, f64::max))
                .collect()
        }
        Op::Sigmoid => each(&|x| 1.0 / (1.0 + (-x).exp())),
        Op::Softmax { classes } => x
            .chunks(*classes)
            .flat_map(|group| {
                let top = group.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = group.iter().map(|x| (x - top).exp()).sum();
                group.iter().map(move |x| (x - top).exp() / sum).collect::<Vec<_>>()
            })
            .collect(),
        Op::ArgMax { classes } => x
            .chunks(*classes)
            .map(|group| {
                let mut best = 0;
                for (index, value) in group.iter().enumerate() {
                    if *value > group[best] {
                        best = index;
                    }
                }
                best as f64
            })
            .collect(),
        Op::Compare { comparison, thresholds } => x
            .iter()
            .zip(thresholds)
            .map(|(x, c)| {
                f64::from(u8::from(match comparison {
                    Comparison::Less => x < c,
                    Comparison::LessOrEqual => x <= c,
                    Comparison::Greater => x > c,
                    Comparison::GreaterOrEqual => x >= c,
                }))
            })
            .collect(),
        Op::Normalize { norm, width } => x
            .chunks(*width)
            .flat_map(|group| {
                let size = match norm {
                    Norm::Max => group.iter().map(|x| x.abs()).fold(0.0, f64::max),
                    Norm::L1 => group.iter().map(|x| x.abs()).sum(),
                    Norm::L2 => group.iter().map(|x| x * x).sum::<f64>().sqrt(),
                };
                let divisor = if size == 0.0 { 1.0 } else { size };
                group.iter().map(move |x| x / divisor).collect::<Vec<_>>()
            })
            .collect(),
        Op::OneHot { categories } => {
            let mut bits = Vec::new();
            for (x, categories) in x.iter().zip(categories) {
                if !categories.iter().any(|&category| category as f64 == *x) {
                    return Err(NoValue::Category);
                }
                bits.extend(
                    categories
                        .iter()
                        .map(|&category| f64::from(u8::from(category as f64 == *x))),
                );
            }
            bits
        }
        Op::TreeEnsemble(ensemble) => {
            assert_eq!(ensemble.base.len(), ensemble.targets);
            for tree in &ensemble.trees {
                check_tree(tree, x.len(), ensemble.targets);
            }
            ensemble.scores(x)
        }
        other => panic!("unknown operator {other:?}"),
    })
}

/// Every node but the root has one parent, which comes before it, and every index is in range.
fn check_tree(tree: &Tree, features: usize, targets: usize) {
    let mut parents = vec![0; tree.nodes.len()];
    for (position, node) in tree.nodes.iter().enumerate() {
        match node {
            TreeNode::Branch {
                feature,
                threshold,
                holds,
                otherwise,
                ..
            } => {
                assert!(*feature < features && !threshold.is_nan());
                for child in [*holds, *otherwise] {
                    assert!(child > position);
                    parents[child] += 1;
                }
            }
            TreeNode::Leaf { weights } => {
                assert!(!weights.is_empty() && weights.windows(2).all(|pair| pair[0].0 < pair[1].0));
                assert!(
                    weights
                        .iter()
                        .all(|(target, weight)| *target < targets && weight.is_finite())
                );
            }
        }
    }
    assert_eq!(parents[0], 0);
    assert!(parents[1..].iter().all(|&parents| parents == 1));
}

/// An output as ONNX states it: labels instead of positions. Strings come out as text.
pub(crate) fn read(output: &Output, values: &[f64]) -> Result<Vec<f64>, Vec<String>> {
    match &output.kind {
        OutputKind::IntLabel(labels) => Ok(values.iter().map(|&index| labels[index as usize] as f64).collect()),
        OutputKind::StringLabel(labels) => Err(values.iter().map(|&index| labels[index as usize].clone()).collect()),
        _ => Ok(values.to_vec()),
    }
}

/// Whether a value is what was expected, up to float32's rounding.
pub(crate) fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-6 + 1e-5 * expected.abs()
}

/// Code of float32 in `TensorProto.DataType`.
pub(crate) const FLOAT: i32 = 1;
/// Code of int64.
pub(crate) const INT64: i32 = 7;

/// A model under construction, at operator set 13.
pub(crate) struct Model(ModelProto);

impl Model {
    pub(crate) fn new() -> Self {
        let set = |domain: &str, version| OperatorSetIdProto {
            domain: domain.into(),
            version,
        };
        Model(ModelProto {
            ir_version: 8,
            opset_import: vec![set("", 13), set("ai.onnx.ml", 1)],
            graph: Some(GraphProto::default()),
            ..Default::default()
        })
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().unwrap()
    }

    /// Another version of the standard operator set.
    pub(crate) fn opset(mut self, version: i64) -> Self {
        self.0.opset_import[0].version = version;
        self
    }

    /// Another version of `ai.onnx.ml`.
    pub(crate) fn learning(mut self, version: i64) -> Self {
        self.0.opset_import[1].version = version;
        self
    }

    pub(crate) fn input(mut self, info: ValueInfoProto) -> Self {
        self.graph().input.push(info);
        self
    }

    pub(crate) fn constant(mut self, tensor: TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    /// A node of the standard set, or of `ai.onnx.ml` where the operator is written so.
    pub(crate) fn node(mut self, operator: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let (domain, operator) = match operator.strip_prefix("ai.onnx.ml.") {
            Some(operator) => ("ai.onnx.ml", operator),
            None => ("", operator),
        };
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph().node.push(NodeProto {
            domain: domain.into(),
            op_type: operator.into(),
            input: list(inputs),
            output: list(outputs),
            ..Default::default()
        });
        self
    }

    /// An attribute of the last node.
    pub(crate) fn with(mut self, name: &str, attribute: AttributeProto) -> Self {
        let node = self.graph().node.last_mut().unwrap();
        node.attribute.push(AttributeProto {
            name: name.into(),
            ..attribute
        });
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph().output.push(ValueInfoProto {
            name: name.into(),
            ..Default::default()
        });
        self
    }

    pub(crate) fn build(self) -> ModelProto {
        self.0
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }
}

/// An `int` attribute.
pub(crate) fn int(value: i64) -> AttributeProto {
    AttributeProto {
        r#type: 2,
        i: value,
        ..Default::default()
    }
}

/// A `float` attribute.
pub(crate) fn float(value: f32) -> AttributeProto {
    AttributeProto {
        r#type: 1,
        f: value,
        ..Default::default()
    }
}

/// A `string` attribute.
pub(crate) fn text(value: &str) -> AttributeProto {
    AttributeProto {
        r#type: 3,
        s: value.into(),
        ..Default::default()
    }
}

/// An `ints` attribute.
pub(crate) fn int_list(values: &[i64]) -> AttributeProto {
    AttributeProto {
        r#type: 7,
        ints: values.to_vec(),
        ..Default::default()
    }
}

/// A `floats` attribute.
pub(crate) fn float_list(values: &[f32]) -> AttributeProto {
    AttributeProto {
        r#type: 6,
        floats: values.to_vec(),
        ..Default::default()
    }
}

/// A `strings` attribute.
pub(crate) fn text_list(values: &[&str]) -> AttributeProto {
    AttributeProto {
        r#type: 8,
        strings: values.iter().map(|&value| value.into()).collect(),
        ..Default::default()
    }
}

/// A tensor attribute.
pub(crate) fn tensor(value: TensorProto) -> AttributeProto {
    AttributeProto {
        r#type: 4,
        t: Some(value),
        ..Default::default()
    }
}

/// A float32 tensor.
pub(crate) fn floats(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.to_vec(),
        data_type: FLOAT,
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// An int64 tensor.
pub(crate) fn integers(name: &str, shape: &[i64], values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.to_vec(),
        data_type: INT64,
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

/// A declared tensor.
pub(crate) fn tensor_info(name: &str, element: i32, shape: &[i64]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|&size| tensor_shape_proto::Dimension {
            value: Some(tensor_shape_proto::dimension::Value::DimValue(size)),
            ..Default::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: element,
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The tensor type of a declaration.
pub(crate) fn tensor_type(info: &mut ValueInfoProto) -> &mut type_proto::Tensor {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_mut().and_then(|kind| kind.value.as_mut()) else {
        panic!("not a tensor");
    };
    tensor
}

/// One dimension of a declaration.
pub(crate) fn dimension(
    info: &mut ValueInfoProto,
    position: usize,
) -> &mut Option<tensor_shape_proto::dimension::Value> {
    &mut tensor_type(info).shape.as_mut().unwrap().dim[position].value
}
