//! QuantizeLinear and DequantizeLinear: reals to whole numbers and back.

use zkverdict_model::{SingleStep, ValueId};

use super::{Call, Results, rounded};
use crate::{
    DataType, Refusal,
    builder::{Rounded, WholeNumber},
    number,
    shape::{around, axis as resolve},
    tensor::{Code, Constant, Data, Element, Tensor, Value},
};

/// Scales and zero points, constant: one for the tensor, or one per position of an axis.
pub(super) struct Quantization {
    scale_type: DataType,
    pub(super) scales: Vec<f64>,
    pub(super) zeros: Vec<f64>,
}

impl Quantization {
    /// Reads the scale at `position` and the zero point after it, which must be of the type of the whole numbers.
    pub(super) fn read(call: &Call<'_>, position: usize, whole: Option<DataType>) -> Result<Self, Refusal> {
        let (scale_type, scales) = constants(call, position, "scale")?;
        if !scale_type.is_float() {
            return Err(Refusal::Type {
                data_type: scale_type,
                remedy: "the scale must be a float",
            });
        }
        let after = position.saturating_add(1);
        let zeros = match call.optional(after) {
            Some(_) => {
                let (zero_type, zeros) = constants(call, after, "zero_point")?;
                if let Some(whole) = whole {
                    super::same_type(whole, zero_type)?;
                }
                zeros
            }
            None => vec![0.0],
        };
        if zeros.len() != scales.len() && zeros.len() != 1 {
            return Err(Refusal::AttributeLength {
                attribute: "zero_point",
                expected: scales.len(),
                got: zeros.len(),
            });
        }
        Ok(Self {
            scale_type,
            scales,
            zeros,
        })
    }

    /// Scale and zero point at a position of the axis.
    pub(super) fn at(&self, place: usize) -> (f64, f64) {
        let pick = |list: &[f64]| list.get(if list.len() == 1 { 0 } else { place }).copied();
        (pick(&self.scales).unwrap_or(1.0), pick(&self.zeros).unwrap_or(0.0))
    }

    /// The positive `float32` scale and the zero point of a whole tensor.
    pub(super) fn of_tensor(&self) -> Result<(f32, f64), Refusal> {
        let (&[scale], &[zero]) = (self.scales.as_slice(), self.zeros.as_slice()) else {
            return Err(Refusal::AttributeLength {
                attribute: "scale",
                expected: 1,
                got: self.scales.len(),
            });
        };
        Ok((positive(scale)?, zero))
    }

    /// The position along the axis of every element.
    fn places(&self, shape: &[usize], axis: i64, count: usize) -> Result<Vec<usize>, Refusal> {
        if self.scales.len() == 1 {
            return Ok(vec![0; count]);
        }
        let rank = shape.len();
        let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
        let (_, length, inner) = around(shape, position).ok_or_else(|| Refusal::Empty { shape: shape.to_vec() })?;
        if length != self.scales.len() {
            return Err(Refusal::AttributeLength {
                attribute: "scale",
                expected: length,
                got: self.scales.len(),
            });
        }
        Ok((0..count).map(|index| index / inner.max(1) % length.max(1)).collect())
    }
}

/// A scale as `float32`.
pub(super) fn positive(scale: f64) -> Result<f32, Refusal> {
    let single = number::narrow(scale);
    if single > 0.0 && single.is_finite() {
        Ok(single)
    } else {
        Err(Refusal::AttributeValue {
            attribute: "scale",
            value: scale.to_string(),
            supported: "positive numbers",
        })
    }
}

/// `round(x / scale) + zero point`, half to even, held within 8 bits.
pub(super) fn quantize_linear(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    let axis = axis(call)?;
    if call.version >= 19 {
        // Of 8-bit floats only.
        call.attributes.flag("saturate", true)?;
    }
    let mut data_type = DataType::Uint8;
    if call.version >= 21 {
        let code = call.attributes.integer("output_dtype")?.unwrap_or(0);
        if code != 0 {
            data_type = DataType::from_code(code).ok_or_else(|| Refusal::UnknownType {
                data_type: crate::error::type_name(code),
            })?;
        }
        if call.attributes.integer("precision")?.unwrap_or(0) > 1 {
            return Err(Refusal::AttributeValue {
                attribute: "precision",
                value: "another than float32".to_owned(),
                supported: "0 or 1",
            });
        }
    }
    if let Some(zero) = call.optional(2) {
        data_type = zero.data_type();
    }
    let quantization = Quantization::read(call, 1, None)?;
    let operand = call.numbers(0)?;
    if operand.data_type != DataType::Float32 {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it to float32 first",
        });
    }
    let count = call.builder.charge_shape(&operand.shape)?;
    let places = quantization.places(&operand.shape, axis, count)?;
    let mut targets = Vec::with_capacity(count);
    for place in places {
        let (scale, zero) = quantization.at(place);
        targets.push((positive(scale)?, zero));
    }
    round_to(call, operand, data_type, &targets)
}

/// Rounds reals to whole numbers with one scale and zero point per element.
pub(super) fn round_to(call: &mut Call<'_>, operand: Tensor, data_type: DataType, targets: &[(f32, f64)]) -> Results {
    let (low, high) = eight_bits(data_type)?;
    let mut rows = Vec::with_capacity(targets.len());
    let mut same = Vec::with_capacity(targets.len());
    for (&element, &(scale, zero)) in operand.elements.iter().zip(targets) {
        let row = rounded_as(call, element, (scale, zero), (low, high));
        let code = call.builder.behind(element).and_then(|behind| behind.code());
        let is_same = |&(number, from, step): &(Element, f32, f32)| {
            step == scale && f64::from(from) == zero && bounds(call, number) == Some((low, high))
        };
        // What was dequantised by the same scale and zero point comes back as it was.
        same.push(code.filter(is_same).map(|(number, _, _)| number));
        rows.push(row);
    }
    let elements = match same.into_iter().collect::<Option<Vec<Element>>>() {
        Some(numbers) => numbers,
        None => {
            let label = call.label.clone();
            call.builder.quantize(&label, rows)?
        }
    };
    Ok(vec![call.number_tensor(data_type, operand.shape, elements)])
}

/// How ONNX Runtime rounds an element. What integer kernels sum up is rounded without becoming a real.
fn rounded_as(call: &Call<'_>, element: Element, (scale, zero): (f32, f64), (low, high): (i64, i64)) -> Rounded {
    let zero = number::truncate(zero).unwrap_or(0);
    let plain = Rounded {
        number: element,
        steps: vec![SingleStep::Over(scale)],
        zero,
        low,
        high,
    };
    let Some(behind) = call.builder.behind(element) else {
        return plain;
    };
    // Rounding is monotone: bounds of the reals are bounds of the whole numbers.
    let level = |bound: f32| {
        let row = zkverdict_model::QuantizeRow {
            index: 0,
            steps: plain.steps.clone(),
            zero,
            low,
            high,
        };
        row.apply(bound)
    };
    let (least, most) = (level(behind.low), level(behind.high));
    let held = Rounded {
        number: behind.number,
        low: least,
        high: most,
        ..plain.clone()
    };
    match &behind.origin {
        WholeNumber::Code(steps) => Rounded {
            steps: steps.iter().chain(&plain.steps).copied().collect(),
            ..held
        },
        WholeNumber::Added {
            zero: own,
            scale: step,
            other,
        } if (low, high) == (0, i64::from(u8::MAX)) => {
            let (steps, zero) = added((*step, *own), *other, (scale, zero));
            Rounded { steps, zero, ..held }
        }
        WholeNumber::Added {
            zero: own,
            scale: step,
            other,
        } => Rounded {
            steps: vec![
                SingleStep::Plus(-own),
                SingleStep::Times(*step),
                SingleStep::Plus(number::narrow(other.real())),
                SingleStep::Over(scale),
            ],
            ..held
        },
        // Bounds between a sum and its rounding leave the kernel in integers only where they change nothing.
        WholeNumber::Sum(step) if (least, most) == (low, high) => Rounded {
            steps: vec![SingleStep::Times(step / scale)],
            ..held
        },
        WholeNumber::Sum(_) => plain,
    }
}

/// ONNX Runtime's sum of two quantised numbers, of which one is constant: steps from the other, and what is added to the
/// rounded result.
pub(super) fn added(
    (scale, zero): (f32, f32),
    other: Code,
    (target, target_zero): (f32, i64),
) -> (Vec<SingleStep>, i64) {
    let single = |whole: i64| number::narrow(number::real(whole));
    let (ratio, other_ratio) = (scale / target, other.scale / target);
    let fixed = single(target_zero) - (ratio * zero + other_ratio * single(other.zero));
    let constant = other_ratio * single(other.number) + fixed;
    (vec![SingleStep::Times(ratio), SingleStep::Plus(constant)], 0)
}

/// The bounds of an 8-bit type.
pub(super) fn eight_bits(data_type: DataType) -> Result<(i64, i64), Refusal> {
    match (data_type, data_type.integer_range()) {
        (DataType::Int8 | DataType::Uint8, Some(range)) => Ok(range),
        _ => Err(Refusal::Type {
            data_type,
            remedy: "quantise to int8 or uint8",
        }),
    }
}

/// The bounds that an element was rounded to.
pub(super) fn bounds(call: &Call<'_>, element: Element) -> Option<(i64, i64)> {
    let Element::Of {
        value: ValueId(value),
        index,
    } = element
    else {
        return None;
    };
    let node = call.builder.nodes.get(value.checked_sub(call.builder.inputs.len())?)?;
    match &node.op {
        zkverdict_model::Op::Quantize { rows } => rows.get(index).map(|row| (row.low, row.high)),
        // A maximum has the bounds of what it is chosen from.
        zkverdict_model::Op::Maximum { .. } => {
            let &[inner] = node.inputs.as_slice() else { return None };
            bounds(call, Element::Of { value: inner, index: 0 })
        }
        zkverdict_model::Op::Wire { indices } => {
            let mut place = *indices.get(index)?;
            for input in &node.inputs {
                let length = call.builder.length(*input);
                match place.checked_sub(length) {
                    Some(rest) => place = rest,
                    None => {
                        return bounds(
                            call,
                            Element::Of {
                                value: *input,
                                index: place,
                            },
                        );
                    }
                }
            }
            None
        }
        _ => None,
    }
}

/// `(x − zero point) · scale`, both constant, for the tensor or per position of an axis.
pub(super) fn dequantize_linear(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    let axis = axis(call)?;
    if call.version >= 23 {
        call.attributes.integer("output_dtype")?;
    }
    let value = call.value(0)?;
    let quantization = Quantization::read(call, 1, Some(value.data_type()))?;
    let scale_type = quantization.scale_type;
    let shape = value.shape().to_vec();
    let count = call.builder.charge_shape(&shape)?;
    let places = quantization.places(&shape, axis, count)?;
    if let Value::Constant(constant) = &*value {
        let Some(integers) = constant.integers() else {
            return Err(Refusal::Type {
                data_type: constant.data_type,
                remedy: "quantised values must be integers",
            });
        };
        let data = if scale_type == DataType::Float32 {
            let codes = integers.iter().zip(&places).map(|(integer, place)| {
                let (scale, zero) = quantization.at(*place);
                Code {
                    number: *integer,
                    zero: number::truncate(zero).unwrap_or(0),
                    scale: number::narrow(scale),
                    data_type: constant.data_type,
                }
            });
            let codes: Vec<Code> = codes.collect();
            if codes.iter().any(|code| !code.real().is_finite()) {
                return Err(Refusal::NotFinite);
            }
            Data::Quantized(codes)
        } else {
            let reals = integers.iter().zip(&places).map(|(integer, place)| {
                let (scale, zero) = quantization.at(*place);
                let result = rounded((number::real(*integer) - zero) * scale, scale_type);
                result.filter(|result| result.is_finite()).ok_or(Refusal::NotFinite)
            });
            Data::Reals(reals.collect::<Result<_, _>>()?)
        };
        return Ok(vec![Value::Constant(Constant {
            data_type: scale_type,
            shape,
            data,
        })]);
    }
    let operand = codes(call, 0)?;
    if operand.data_type.is_float() || operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "quantised values must be integers",
        });
    }
    let parameters = places.iter().map(|place| {
        let (scale, zero) = quantization.at(*place);
        (number::narrow(zero), number::narrow(scale))
    });
    let parameters: Vec<(f32, f32)> = parameters.collect();
    let label = call.label.clone();
    let elements = call.builder.dequantize(&label, &operand.elements, &parameters)?;
    Ok(vec![call.number_tensor(scale_type, shape, elements)])
}

/// A tensor of whole numbers. Graph inputs of 8 bits are held within them: a cell has room for more.
pub(super) fn codes(call: &mut Call<'_>, position: usize) -> Result<Tensor, Refusal> {
    let tensor = call.numbers(position)?;
    let Ok((low, high)) = eight_bits(tensor.data_type) else {
        return Ok(tensor);
    };
    let inputs = call.builder.inputs.len();
    let is_input = |element: &Element| matches!(element, Element::Of { value, .. } if value.0 < inputs);
    if !tensor.elements.iter().any(is_input) {
        return Ok(tensor);
    }
    let rows = tensor.elements.iter().map(|&number| Rounded {
        number,
        steps: Vec::new(),
        zero: 0,
        low,
        high,
    });
    let label = call.label.clone();
    let elements = call.builder.quantize(&label, rows.collect())?;
    Ok(Tensor { elements, ..tensor })
}

/// The axis of scales; blocks along it are refused.
fn axis(call: &mut Call<'_>) -> Result<i64, Refusal> {
    let axis = if call.version >= 13 || call.version == 1 {
        call.attributes.integer("axis")?.unwrap_or(1)
    } else {
        1
    };
    if call.version >= 21 {
        let block = call.attributes.integer("block_size")?.unwrap_or(0);
        if block != 0 {
            return Err(Refusal::AttributeValue {
                attribute: "block_size",
                value: block.to_string(),
                supported: "0",
            });
        }
    }
    Ok(axis)
}

/// The type and numbers of a constant list.
fn constants(call: &Call<'_>, position: usize, operand: &'static str) -> Result<(DataType, Vec<f64>), Refusal> {
    let tensor = call.numbers(position)?;
    if tensor.shape.len() > 1 {
        return Err(Refusal::Rank {
            shape: tensor.shape,
            expected: "one number, or a list along the axis",
        });
    }
    let numbers = tensor.elements.iter().map(|element| match element {
        Element::Fixed(number) => Ok(*number),
        Element::Of { .. } => Err(Refusal::NotConstant { operand }),
    });
    Ok((tensor.data_type, numbers.collect::<Result<_, _>>()?))
}
