//! One function per operator: operands in, values out, or a [`Refusal`].

mod activation;
mod arithmetic;
mod choice;
mod constant;
mod convolution;
mod elementwise;
mod forest;
mod linear;
mod logic;
mod machine_learning;
mod movement;
mod normalization;
mod pooling;
mod quantization;
mod quantized;
mod ranking;
mod rearrangement;
mod reduction;
mod resize;
mod selection;
mod trees;
mod window;

use std::rc::Rc;

use crate::{
    DataType, Refusal,
    attributes::Attributes,
    builder::Builder,
    number,
    shape::{element_count, lattice},
    tensor::{Constant, Data, Element, Meaning, Tensor, Value},
};

/// Domain of the machine-learning operators.
pub(crate) const MACHINE_LEARNING: &str = "ai.onnx.ml";
/// Domain of ONNX Runtime's own operators: some integer kernels are.
pub(crate) const MICROSOFT: &str = "com.microsoft";

/// One application of an operator.
pub(crate) struct Call<'a> {
    /// Operator and node, for messages: `Gemm "layer_1"`.
    pub(crate) label: String,
    /// Version of the operator's set.
    pub(crate) version: i64,
    /// Operands; `None` where one is left out.
    pub(crate) operands: Vec<Option<Rc<Value>>>,
    /// Number of results that the node names.
    pub(crate) results: usize,
    /// Attributes not read yet.
    pub(crate) attributes: Attributes<'a>,
    /// The graph under construction.
    pub(crate) builder: &'a mut Builder,
}

/// Result of an operator.
type Results = Result<Vec<Value>, Refusal>;

/// Applies an operator and refuses attributes that it did not read.
pub(crate) fn apply(domain: &str, operator: &str, call: &mut Call<'_>) -> Results {
    let results = if domain == MACHINE_LEARNING {
        match operator {
            "ArrayFeatureExtractor" => selection::array_feature_extractor(call),
            "Binarizer" => choice::binarizer(call),
            "LinearClassifier" => machine_learning::linear_classifier(call),
            "LinearRegressor" => machine_learning::linear_regressor(call),
            "Normalizer" => machine_learning::normalizer(call),
            "OneHotEncoder" => machine_learning::one_hot_encoder(call),
            "Scaler" => machine_learning::scaler(call),
            "TreeEnsemble" => trees::ensemble(call),
            "TreeEnsembleClassifier" => trees::classifier(call),
            "TreeEnsembleRegressor" => trees::regressor(call),
            "ZipMap" => machine_learning::zip_map(call),
            _ => Err(Refusal::Operator),
        }
    } else if domain == MICROSOFT {
        match operator {
            "QGemm" => quantized::gemm(call),
            "QLinearAdd" => quantized::add(call),
            "QLinearGlobalAveragePool" => quantized::global_average_pool(call),
            "QLinearSoftmax" => quantized::softmax(call),
            "QuantizeLinear" => quantization::quantize_linear(call),
            "DequantizeLinear" => quantization::dequantize_linear(call),
            _ => Err(Refusal::Operator),
        }
    } else if domain.is_empty() {
        standard(operator, call)
    } else {
        Err(Refusal::Operator)
    }?;
    call.attributes.finish()?;
    Ok(results)
}

/// The operators of the standard set.
fn standard(operator: &str, call: &mut Call<'_>) -> Results {
    use zkverdict_model::Comparison;

    match operator {
        "Abs" => elementwise::absolute(call),
        "Add" => arithmetic::binary(call, arithmetic::Binary::Add),
        "And" => logic::connective(call, logic::Connective::And),
        "ArgMax" => choice::arg_max(call, choice::Extreme::Largest),
        "ArgMin" => choice::arg_max(call, choice::Extreme::Smallest),
        "AveragePool" => pooling::average_pool(call),
        "BatchNormalization" => normalization::batch_normalization(call),
        "Cast" => choice::cast(call),
        "CastLike" => choice::cast_like(call),
        "Celu" => elementwise::celu(call),
        "Clip" => activation::clip(call),
        "Concat" => movement::concat(call),
        "Constant" => constant::constant(call),
        "ConstantOfShape" => constant::constant_of_shape(call),
        "Conv" => convolution::convolution(call),
        "ConvInteger" => quantized::integer_convolution(call),
        "CumSum" => reduction::cumulative_sum(call),
        "DepthToSpace" => rearrangement::depth_to_space(call),
        "DequantizeLinear" => quantization::dequantize_linear(call),
        "Div" => arithmetic::binary(call, arithmetic::Binary::Div),
        "DynamicQuantizeLinear" => Err(Refusal::Dynamic),
        "Dropout" => activation::dropout(call),
        "Einsum" => linear::einsum(call),
        "Elu" => elementwise::elu(call),
        "Equal" => logic::equal(call),
        "Expand" => rearrangement::expand(call),
        "Flatten" => movement::flatten(call),
        "Gather" => selection::gather(call),
        "Gelu" => elementwise::gelu(call),
        "Gemm" => linear::gemm(call),
        "GroupNormalization" => normalization::group_normalization(call),
        "GlobalAveragePool" => pooling::global_average_pool(call),
        "GlobalMaxPool" => pooling::global_max_pool(call),
        "Greater" => choice::compare(call, Comparison::Greater),
        "GreaterOrEqual" => choice::compare(call, Comparison::GreaterOrEqual),
        "HardSigmoid" => elementwise::hard_sigmoid(call),
        "HardSwish" => elementwise::hard_swish(call),
        "Identity" => activation::identity(call),
        "InstanceNormalization" => normalization::instance_normalization(call),
        "LayerNormalization" => normalization::layer_normalization(call),
        "LeakyRelu" => elementwise::leaky_relu(call),
        "Less" => choice::compare(call, Comparison::Less),
        "LessOrEqual" => choice::compare(call, Comparison::LessOrEqual),
        "LogSoftmax" => elementwise::log_softmax(call),
        "MatMul" => linear::matmul(call),
        "MatMulInteger" => quantized::integer_matmul(call),
        "Max" => reduction::variadic(call, reduction::Reduction::Max),
        "MaxPool" => pooling::max_pool(call),
        "Mean" => reduction::variadic(call, reduction::Reduction::Mean),
        "Min" => reduction::variadic(call, reduction::Reduction::Min),
        "Mish" => elementwise::mish(call),
        "Mul" => arithmetic::binary(call, arithmetic::Binary::Mul),
        "Neg" => arithmetic::neg(call),
        "Not" => choice::not(call),
        "Or" => logic::connective(call, logic::Connective::Or),
        "PRelu" => elementwise::prelu(call),
        "Pad" => rearrangement::pad(call),
        "Pow" => elementwise::power(call),
        "QLinearConv" => quantized::convolution(call),
        "QLinearMatMul" => quantized::matmul(call),
        "QuantizeLinear" => quantization::quantize_linear(call),
        "ReduceL1" => reduction::reduce(call, reduction::Reduction::L1),
        "ReduceL2" => reduction::reduce(call, reduction::Reduction::L2),
        "ReduceLogSum" => reduction::reduce(call, reduction::Reduction::LogSum),
        "ReduceLogSumExp" => reduction::reduce(call, reduction::Reduction::LogSumExp),
        "ReduceMax" => reduction::reduce(call, reduction::Reduction::Max),
        "ReduceMean" => reduction::reduce(call, reduction::Reduction::Mean),
        "ReduceMin" => reduction::reduce(call, reduction::Reduction::Min),
        "ReduceSum" => reduction::reduce(call, reduction::Reduction::Sum),
        "ReduceSumSquare" => reduction::reduce(call, reduction::Reduction::SumSquare),
        "Relu" => activation::relu(call),
        "Reshape" => movement::reshape(call),
        "Resize" => resize::resize(call),
        "Selu" => elementwise::selu(call),
        "Shape" => constant::shape(call),
        "Sigmoid" => activation::sigmoid(call),
        "Sign" => logic::sign(call),
        "Size" => constant::size(call),
        "Slice" => selection::slice(call),
        "Softmax" => activation::softmax(call),
        "Softsign" => elementwise::softsign(call),
        "SpaceToDepth" => rearrangement::space_to_depth(call),
        "Split" => selection::split(call),
        "Squeeze" => movement::squeeze(call),
        "Sub" => arithmetic::binary(call, arithmetic::Binary::Sub),
        "Sum" => reduction::variadic(call, reduction::Reduction::Sum),
        "Tile" => rearrangement::tile(call),
        "TopK" => ranking::top_k(call),
        "Transpose" => movement::transpose(call),
        "Unsqueeze" => movement::unsqueeze(call),
        "Upsample" => resize::upsample(call),
        "Where" => logic::select(call),
        "Xor" => logic::connective(call, logic::Connective::Xor),
        _ => match elementwise::named(operator) {
            Some(function) => elementwise::elementary(call, function),
            None => Err(Refusal::Operator),
        },
    }
}

impl Call<'_> {
    /// Refuses a node with fewer or more operands.
    fn arity(&self, least: usize, most: usize, expected: &'static str) -> Result<(), Refusal> {
        let got = self.operands.len();
        if got < least || got > most {
            return Err(Refusal::Arity {
                what: "operands",
                expected,
                got,
            });
        }
        Ok(())
    }

    /// Operand `position`, or `None` where it is left out.
    fn optional(&self, position: usize) -> Option<Rc<Value>> {
        self.operands.get(position).cloned().flatten()
    }

    /// Operand `position`.
    fn value(&self, position: usize) -> Result<Rc<Value>, Refusal> {
        self.optional(position).ok_or(Refusal::Arity {
            what: "operands",
            expected: "one more",
            got: self.operands.len(),
        })
    }

    /// Operand `position` as numbers that arithmetic may read: neither labels nor truncated reals nor strings.
    fn numbers(&self, position: usize) -> Result<Tensor, Refusal> {
        numbers(&*self.value(position)?)
    }

    /// Operand `position` as floats.
    fn floats(&self, position: usize) -> Result<Tensor, Refusal> {
        let tensor = self.numbers(position)?;
        if !tensor.data_type.is_float() {
            return Err(Refusal::Type {
                data_type: tensor.data_type,
                remedy: "cast it to float32 first (integer arithmetic can wrap around)",
            });
        }
        Ok(tensor)
    }

    /// A constant list of integers, or `None` where the operand is left out.
    fn integer_list(&self, position: usize, operand: &'static str) -> Result<Option<Vec<i64>>, Refusal> {
        let Some(value) = self.optional(position) else {
            return Ok(None);
        };
        let Value::Constant(constant) = &*value else {
            return Err(Refusal::NotConstant { operand });
        };
        if constant.shape.len() > 1 {
            return Err(Refusal::Rank {
                shape: constant.shape.clone(),
                expected: "a list is needed",
            });
        }
        match constant.integers() {
            Some(values) => Ok(Some(values.to_vec())),
            None => Err(Refusal::Type {
                data_type: constant.data_type,
                remedy: "use int64",
            }),
        }
    }

    /// A tensor over the elements that an operator yielded.
    fn number_tensor(&self, data_type: DataType, shape: Vec<usize>, elements: Vec<Element>) -> Value {
        Value::Tensor(Tensor {
            data_type,
            shape,
            elements,
            meaning: Meaning::Number,
            distribution: false,
        })
    }
}

/// A value as a view of numbers.
fn numbers(value: &Value) -> Result<Tensor, Refusal> {
    match value {
        Value::Tensor(tensor) => match tensor.meaning {
            Meaning::Label(_) => Err(Refusal::Label),
            Meaning::IntegerPart => Err(Refusal::Truncated),
            Meaning::Number | Meaning::Truth | Meaning::Index(_) => Ok(tensor.clone()),
        },
        Value::Constant(constant) => fixed(constant),
    }
}

/// A constant as a view of fixed numbers.
fn fixed(constant: &Constant) -> Result<Tensor, Refusal> {
    let Some(values) = constant.reals() else {
        return Err(Refusal::Type {
            data_type: constant.data_type,
            remedy: "strings can only be labels",
        });
    };
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::NotFinite);
    }
    Ok(Tensor {
        data_type: constant.data_type,
        shape: constant.shape.clone(),
        elements: values.into_iter().map(Element::Fixed).collect(),
        meaning: if constant.data_type == DataType::Bool {
            Meaning::Truth
        } else {
            Meaning::Number
        },
        distribution: false,
    })
}

/// Refuses operands of different types.
fn same_type(left: DataType, right: DataType) -> Result<(), Refusal> {
    if left == right {
        Ok(())
    } else {
        Err(Refusal::MixedTypes { left, right })
    }
}

/// The items at some positions.
fn pick<T: Clone>(items: &[T], indices: &[usize]) -> Result<Vec<T>, Refusal> {
    indices
        .iter()
        .map(|&index| {
            items.get(index).cloned().ok_or(Refusal::Index {
                index: i64::try_from(index).unwrap_or(i64::MAX),
                length: items.len(),
            })
        })
        .collect()
}

/// The items of a constant at some positions, under a shape of as many elements.
fn moved(constant: &Constant, shape: Vec<usize>, indices: &[usize]) -> Result<Constant, Refusal> {
    Ok(Constant {
        data_type: constant.data_type,
        data: match &constant.data {
            Data::Reals(items) => Data::Reals(pick(items, indices)?),
            Data::Integers(items) => Data::Integers(pick(items, indices)?),
            Data::Strings(items) => Data::Strings(pick(items, indices)?),
            Data::Quantized(items) => Data::Quantized(pick(items, indices)?),
        },
        shape,
    })
}

/// Moves the elements of a value: one list of source offsets per axis of the result.
fn rearrange(builder: &mut Builder, value: &Value, axes: &[Vec<usize>]) -> Result<Value, Refusal> {
    let shape: Vec<usize> = axes.iter().map(Vec::len).collect();
    builder.charge_shape(&shape)?;
    let indices = lattice(axes);
    Ok(match value {
        Value::Constant(constant) => Value::Constant(moved(constant, shape, &indices)?),
        Value::Tensor(tensor) => {
            if indices.is_empty() {
                return Err(Refusal::Empty { shape });
            }
            Value::Tensor(Tensor {
                data_type: tensor.data_type,
                shape,
                elements: pick(&tensor.elements, &indices)?,
                meaning: tensor.meaning.clone(),
                distribution: false,
            })
        }
    })
}

/// The same elements under another shape.
fn reshape(builder: &mut Builder, value: &Value, shape: Vec<usize>) -> Result<Value, Refusal> {
    let elements = builder.charge_shape(&shape)?;
    let got = element_count(value.shape()).unwrap_or(0);
    if elements != got {
        let target = shape.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX));
        return Err(Refusal::Reshape {
            elements: got,
            target: target.collect(),
        });
    }
    Ok(match value {
        Value::Constant(constant) => Value::Constant(Constant {
            shape,
            ..constant.clone()
        }),
        Value::Tensor(tensor) => Value::Tensor(tensor.reshaped(shape)),
    })
}

/// Rounds to what a type can hold; `None` where the type holds no reals.
fn rounded(value: f64, data_type: DataType) -> Option<f64> {
    match data_type {
        DataType::Float32 => Some(number::single(value)),
        DataType::Float64 => Some(value),
        _ => None,
    }
}
