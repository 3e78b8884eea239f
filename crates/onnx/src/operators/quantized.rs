//! Operators that compute in 8-bit integers: those that say so, and those of floats between DequantizeLinear and
//! QuantizeLinear, which ONNX Runtime computes in integers.

use std::rc::Rc;

use zkverdict_model::SingleStep;

use super::{
    Call, Results, activation,
    convolution::convolve,
    linear,
    quantization::{Quantization, added, bounds, codes, eight_bits, positive, round_to},
    same_type,
};
use crate::{
    DataType, Refusal,
    builder::{Behind, Rounded, Row, WholeNumber},
    number,
    shape::{broadcast, element_count, expansion},
    tensor::{Code, Data, Element, Meaning, Tensor, Value},
};

/// Shape and elements of a tensor of sums.
type Sums = (Vec<usize>, Vec<Element>);

/// Constant weights less their zero points, and one scale, or one per channel.
struct Weights {
    tensor: Tensor,
    scales: Vec<f32>,
}

impl Weights {
    /// Reads weights at `position`, their scale and zero point after them. Channels are the first axis, or the last.
    fn read(call: &Call<'_>, position: usize, last: bool) -> Result<Self, Refusal> {
        let tensor = integers(call, position)?;
        let quantization = Quantization::read(call, position.saturating_add(1), Some(tensor.data_type))?;
        let channels = if last {
            tensor.shape.last()
        } else {
            tensor.shape.first()
        };
        let channels = channels.copied().unwrap_or(1);
        let listed = quantization.scales.len().max(quantization.zeros.len());
        if listed != 1 && listed != channels {
            return Err(Refusal::AttributeLength {
                attribute: "scale",
                expected: channels,
                got: listed,
            });
        }
        let scales = quantization.scales.iter().map(|scale| positive(*scale));
        let scales = scales.collect::<Result<Vec<f32>, _>>()?;
        Ok(Self {
            tensor: less(&tensor, &quantization.zeros, last),
            scales,
        })
    }

    /// The weights behind dequantised ones.
    fn behind(codes: &[Code], shape: &[usize], last: bool) -> Option<Self> {
        let channels = (if last { shape.last() } else { shape.first() })
            .copied()
            .filter(|&count| count > 0)?;
        let inner = codes.len().checked_div(channels)?.max(1);
        let mut scales: Vec<Option<f32>> = vec![None; channels];
        for (index, code) in codes.iter().enumerate() {
            let channel = if last { index % channels } else { index / inner };
            let slot = scales.get_mut(channel)?;
            if *slot.get_or_insert(code.scale) != code.scale {
                return None;
            }
        }
        let eight = codes.iter().all(|code| eight_bits(code.data_type).is_ok());
        let scales = scales.into_iter().collect::<Option<Vec<f32>>>()?;
        let elements = codes
            .iter()
            .map(|code| Element::Fixed(number::real(code.number.saturating_sub(code.zero))));
        (eight && scales.iter().all(|scale| *scale > 0.0 && scale.is_finite())).then(|| Self {
            tensor: Tensor {
                data_type: DataType::Int32,
                shape: shape.to_vec(),
                elements: elements.collect(),
                meaning: Meaning::Number,
                distribution: false,
            },
            scales,
        })
    }

    /// What a sum of products with numbers of `scale` counts, per channel: `factor·scale·own scale`.
    fn sum_scales(&self, factor: f32, scale: f32) -> Vec<f32> {
        self.scales.iter().map(|own| factor * scale * own).collect()
    }
}

/// A constant tensor of 8-bit integers.
fn integers(call: &Call<'_>, position: usize) -> Result<Tensor, Refusal> {
    let tensor = call.numbers(position)?;
    eight_bits(tensor.data_type)?;
    if tensor.is_fixed() {
        Ok(tensor)
    } else {
        Err(Refusal::TwoComputedIntegers)
    }
}

/// Numbers less a zero point, or one per channel.
fn less(tensor: &Tensor, zeros: &[f64], last: bool) -> Tensor {
    let channels = (if last {
        tensor.shape.last()
    } else {
        tensor.shape.first()
    })
    .copied()
    .unwrap_or(1)
    .max(1);
    let inner = number::quotient(tensor.elements.len(), channels).unwrap_or(1).max(1);
    let elements = tensor.elements.iter().enumerate().map(|(index, element)| {
        let channel = if last { index % channels } else { index / inner };
        let zero = zeros
            .get(if zeros.len() == 1 { 0 } else { channel })
            .copied()
            .unwrap_or(0.0);
        match element {
            Element::Fixed(number) => Element::Fixed(number - zero),
            computed => *computed,
        }
    });
    Tensor {
        elements: elements.collect(),
        ..tensor.clone()
    }
}

/// A constant bias in 32-bit integers.
fn bias(call: &Call<'_>, position: usize) -> Result<Option<Tensor>, Refusal> {
    if call.optional(position).is_none() {
        return Ok(None);
    }
    let bias = call.numbers(position)?;
    same_type(DataType::Int32, bias.data_type)?;
    if bias.is_fixed() {
        Ok(Some(bias))
    } else {
        Err(Refusal::TwoComputedIntegers)
    }
}

/// A product of matrices of whole numbers, the left one less its zero point, plus a bias per column.
fn product(
    call: &mut Call<'_>,
    left: &Tensor,
    zero: f64,
    right: &Tensor,
    bias: Option<&Tensor>,
) -> Result<(Vec<usize>, Vec<Element>), Refusal> {
    let (shape, pairs) = linear::pairs(call, left, right)?;
    let mut added = match bias {
        Some(bias) => {
            let indices = expansion(&bias.shape, &shape).ok_or_else(|| Refusal::Shapes {
                left: bias.shape.clone(),
                right: shape.clone(),
            })?;
            super::pick(&bias.elements, &indices)?.into_iter()
        }
        None => Vec::new().into_iter(),
    };
    let mut rows = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let mut row = Row::default();
        for (a, b) in pair {
            if let (Some(&a), Some(&b)) = (left.elements.get(a), right.elements.get(b)) {
                row.add_product(a, b)?;
                row.add_product(Element::Fixed(-zero), b)?;
            }
        }
        if let Some(addend) = added.next() {
            row.add(addend, 1.0);
        }
        rows.push(row);
    }
    let label = call.label.clone();
    Ok((shape, call.builder.affine(&label, rows)?))
}

/// The channel of every element: along the second axis of images, along the last one otherwise.
fn channels(shape: &[usize], image: bool) -> Vec<usize> {
    let count = element_count(shape).unwrap_or(0);
    let (channels, inner) = match shape {
        [_, channels, spatial @ ..] if image => (*channels, element_count(spatial).unwrap_or(1)),
        [.., channels] => (*channels, 1),
        [] => (1, 1),
    };
    (0..count).map(|index| index / inner.max(1) % channels.max(1)).collect()
}

/// Sums as whole numbers of the result's scale: multiplied by `scales / scale` in one, per channel.
fn requantized(
    call: &mut Call<'_>,
    (shape, sums): (Vec<usize>, Vec<Element>),
    scales: &[f32],
    image: bool,
    (scale, zero, data_type): (f32, f64, DataType),
) -> Results {
    let (low, high) = eight_bits(data_type)?;
    let zero = number::truncate(zero).unwrap_or(0);
    let rows = sums.into_iter().zip(channels(&shape, image)).map(|(number, channel)| {
        let sum_scale = scales
            .get(if scales.len() == 1 { 0 } else { channel })
            .copied()
            .unwrap_or(1.0);
        Rounded {
            number,
            steps: vec![SingleStep::Times(sum_scale / scale)],
            zero,
            low,
            high,
        }
    });
    let label = call.label.clone();
    let elements = call.builder.quantize(&label, rows.collect())?;
    Ok(vec![call.number_tensor(data_type, shape, elements)])
}

/// Sums as reals.
fn reals(call: &mut Call<'_>, (shape, sums): (Vec<usize>, Vec<Element>), scales: &[f32], image: bool) -> Results {
    let channels = channels(&shape, image);
    let scales: Vec<f32> = channels
        .into_iter()
        .map(|channel| {
            scales
                .get(if scales.len() == 1 { 0 } else { channel })
                .copied()
                .unwrap_or(1.0)
        })
        .collect();
    let rows = sums.iter().zip(&scales).map(|(sum, scale)| {
        let mut row = Row::default();
        row.add(*sum, f64::from(*scale));
        row
    });
    let label = call.label.clone();
    let elements = call.builder.affine(&label, rows.collect())?;
    let behind = sums.iter().zip(&scales).zip(&elements).map(|((sum, scale), element)| {
        // A scale of one makes no node.
        (sum != element).then(|| Behind::new(*sum, WholeNumber::Sum(*scale)))
    });
    let behind = behind.collect();
    call.builder.put_behind(&elements, behind);
    Ok(vec![call.number_tensor(DataType::Float32, shape, elements)])
}

/// An 8-bit operand, its scale and zero point.
fn operand(call: &mut Call<'_>, position: usize) -> Result<(Tensor, f32, f64), Refusal> {
    let tensor = codes(call, position)?;
    eight_bits(tensor.data_type)?;
    let quantization = Quantization::read(call, position.saturating_add(1), Some(tensor.data_type))?;
    let (scale, zero) = quantization.of_tensor()?;
    Ok((tensor, scale, zero))
}

/// Scale, zero point and type of the result.
fn target(call: &Call<'_>, position: usize) -> Result<(f32, f64, DataType), Refusal> {
    let zero = call.optional(position.saturating_add(1));
    let data_type = zero.map_or(DataType::Uint8, |zero| zero.data_type());
    let (scale, zero) = Quantization::read(call, position, None)?.of_tensor()?;
    Ok((scale, zero, data_type))
}

/// QLinearConv.
pub(super) fn convolution(call: &mut Call<'_>) -> Results {
    call.arity(8, 9, "8 or 9")?;
    let (image, scale, zero) = operand(call, 0)?;
    let weights = Weights::read(call, 3, false)?;
    let bias = bias(call, 8)?;
    let sums = convolve(call, &image, zero, &weights.tensor, bias.as_ref())?;
    let target = target(call, 6)?;
    requantized(call, sums, &weights.sum_scales(1.0, scale), true, target)
}

/// QLinearMatMul.
pub(super) fn matmul(call: &mut Call<'_>) -> Results {
    call.arity(8, 8, "8")?;
    let (left, scale, zero) = operand(call, 0)?;
    let weights = Weights::read(call, 3, true)?;
    let sums = product(call, &left, zero, &weights.tensor, None)?;
    let target = target(call, 6)?;
    requantized(call, sums, &weights.sum_scales(1.0, scale), false, target)
}

/// QGemm of ONNX Runtime: without a scale of the result, the result is real.
pub(super) fn gemm(call: &mut Call<'_>) -> Results {
    call.arity(6, 9, "6 to 9")?;
    let alpha = number::narrow(call.attributes.float("alpha")?.unwrap_or(1.0));
    let transpose_left = call.attributes.flag("transA", false)?;
    let transpose_right = call.attributes.flag("transB", false)?;
    let (left, scale, zero) = operand(call, 0)?;
    let left = linear::transposed(left, transpose_left)?;
    let mut weights = Weights::read(call, 3, !transpose_right)?;
    weights.tensor = linear::transposed(weights.tensor, transpose_right)?;
    let bias = bias(call, 6)?;
    let sums = product(call, &left, zero, &weights.tensor, bias.as_ref())?;
    let scales = weights.sum_scales(alpha, scale);
    match call.optional(7) {
        Some(_) => {
            let target = target(call, 7)?;
            requantized(call, sums, &scales, false, target)
        }
        None => reals(call, sums, &scales, false),
    }
}

/// ConvInteger: the sums themselves.
pub(super) fn integer_convolution(call: &mut Call<'_>) -> Results {
    call.arity(2, 4, "2 to 4")?;
    let image = codes(call, 0)?;
    eight_bits(image.data_type)?;
    let (zero, weights) = (zero_point(call, 2)?, integers(call, 1)?);
    let weights = less(&weights, &zero_points(call, 3)?, false);
    let (shape, sums) = convolve(call, &image, zero, &weights, None)?;
    Ok(vec![call.number_tensor(DataType::Int32, shape, sums)])
}

/// MatMulInteger: the sums themselves.
pub(super) fn integer_matmul(call: &mut Call<'_>) -> Results {
    call.arity(2, 4, "2 to 4")?;
    let left = codes(call, 0)?;
    eight_bits(left.data_type)?;
    let (zero, weights) = (zero_point(call, 2)?, integers(call, 1)?);
    let weights = less(&weights, &zero_points(call, 3)?, true);
    let (shape, sums) = product(call, &left, zero, &weights, None)?;
    Ok(vec![call.number_tensor(DataType::Int32, shape, sums)])
}

/// One zero point, zero where it is left out.
fn zero_point(call: &Call<'_>, position: usize) -> Result<f64, Refusal> {
    match zero_points(call, position)?.as_slice() {
        &[zero] => Ok(zero),
        zeros => Err(Refusal::AttributeLength {
            attribute: "zero_point",
            expected: 1,
            got: zeros.len(),
        }),
    }
}

fn zero_points(call: &Call<'_>, position: usize) -> Result<Vec<f64>, Refusal> {
    if call.optional(position).is_none() {
        return Ok(vec![0.0]);
    }
    let zeros = integers(call, position)?;
    let number = |element: &Element| match element {
        Element::Fixed(number) => Some(*number),
        Element::Of { .. } => None,
    };
    Ok(zeros.elements.iter().filter_map(number).collect())
}

/// QLinearAdd of ONNX Runtime, of a computed operand and a constant.
pub(super) fn add(call: &mut Call<'_>) -> Results {
    call.arity(7, 8, "7 or 8")?;
    let (left, left_scale, left_zero) = operand(call, 0)?;
    let (right, right_scale, right_zero) = operand(call, 3)?;
    same_type(left.data_type, right.data_type)?;
    let (scale, zero, data_type) = target(call, 6)?;
    same_type(left.data_type, data_type)?;
    let (low, high) = eight_bits(data_type)?;
    let shapes = || Refusal::Shapes {
        left: left.shape.clone(),
        right: right.shape.clone(),
    };
    let shape = broadcast(&left.shape, &right.shape).ok_or_else(shapes)?;
    call.builder.charge_shape(&shape)?;
    let spread = |tensor: &Tensor| {
        let indices = expansion(&tensor.shape, &shape).ok_or_else(shapes)?;
        super::pick(&tensor.elements, &indices)
    };
    let whole = |number: f64| number::truncate(number).unwrap_or(0);
    let mut rows = Vec::new();
    for (a, b) in spread(&left)?.into_iter().zip(spread(&right)?) {
        let (number, own, constant, other) = match (a, b) {
            (number, Element::Fixed(constant)) => {
                (number, (left_scale, left_zero), constant, (right_scale, right_zero))
            }
            (Element::Fixed(constant), number) => {
                (number, (right_scale, right_zero), constant, (left_scale, left_zero))
            }
            _ => return Err(Refusal::TwoComputedIntegers),
        };
        let other = Code {
            number: whole(constant),
            zero: whole(other.1),
            scale: other.0,
            data_type,
        };
        let (steps, zero) = added((own.0, number::narrow(own.1)), other, (scale, whole(zero)));
        rows.push(Rounded {
            number,
            steps,
            zero,
            low,
            high,
        });
    }
    let label = call.label.clone();
    let elements = call.builder.quantize(&label, rows)?;
    Ok(vec![call.number_tensor(data_type, shape, elements)])
}

/// What stands behind a sum of a dequantised tensor and a dequantised constant, both of uint8: ONNX Runtime adds them in
/// one step. Of int8 it does so on some machines only; elsewhere, as here, it adds reals.
pub(super) fn added_codes(call: &Call<'_>, shape: &[usize]) -> Option<Vec<Option<Behind>>> {
    let (left, right) = (call.optional(0)?, call.optional(1)?);
    let (operand, constant) = match (&*left, &*right) {
        (Value::Tensor(operand), Value::Constant(constant)) | (Value::Constant(constant), Value::Tensor(operand)) => {
            (operand, constant)
        }
        _ => return None,
    };
    let Data::Quantized(others) = &constant.data else {
        return None;
    };
    let others = super::pick(others, &expansion(&constant.shape, shape)?).ok()?;
    let elements = super::pick(&operand.elements, &expansion(&operand.shape, shape)?).ok()?;
    let bytes = Some((0, i64::from(u8::MAX)));
    let behind = elements.into_iter().zip(others).map(|(element, other)| {
        let (number, zero, scale) = call.builder.behind(element)?.code()?;
        let both = other.data_type == DataType::Uint8 && bounds(call, number) == bytes;
        both.then(|| Behind::new(number, WholeNumber::Added { zero, scale, other }))
    });
    let behind: Vec<Option<Behind>> = behind.collect();
    behind.iter().all(Option::is_some).then_some(behind)
}

/// QLinearGlobalAveragePool of ONNX Runtime.
pub(super) fn global_average_pool(call: &mut Call<'_>) -> Results {
    call.arity(4, 5, "4 or 5")?;
    if call.attributes.flag("channels_last", false)? {
        return Err(Refusal::AttributeValue {
            attribute: "channels_last",
            value: "1".to_owned(),
            supported: "0",
        });
    }
    let (image, scale, zero) = operand(call, 0)?;
    let (target_scale, target_zero, data_type) = target(call, 3)?;
    let (sums, count) = plane_sums(call, &image, zero)?;
    // The size of a plane belongs to the divisor.
    let target = (
        target_scale * number::narrow(number::count(count)),
        target_zero,
        data_type,
    );
    requantized(call, sums, &[scale], true, target)
}

/// The sum of each channel less its zero points, and how many numbers that is.
fn plane_sums(call: &mut Call<'_>, image: &Tensor, zero: f64) -> Result<(Sums, usize), Refusal> {
    let (batch, maps, spatial) = super::window::image(&image.shape)?;
    let count = element_count(spatial).unwrap_or(0).max(1);
    call.builder.charge_terms(image.elements.len())?;
    let rows = image.elements.chunks(count).map(|plane| {
        let mut row = Row::default();
        plane.iter().for_each(|element| row.add(*element, 1.0));
        row.add_bias(-zero * number::count(plane.len()));
        row
    });
    let shape = [batch, maps].into_iter().chain(spatial.iter().map(|_| 1)).collect();
    let label = call.label.clone();
    let sums = call.builder.affine(&label, rows.collect())?;
    Ok(((shape, sums), count))
}

/// QLinearSoftmax of ONNX Runtime: a softmax of reals, rounded.
pub(super) fn softmax(call: &mut Call<'_>) -> Results {
    call.arity(4, 5, "4 or 5")?;
    let version = call.attributes.integer("opset")?;
    let (numbers, scale, zero) = operand(call, 0)?;
    let (target_scale, target_zero, data_type) = target(call, 3)?;
    let parameters = vec![(number::narrow(zero), scale); numbers.elements.len()];
    let label = call.label.clone();
    let elements = call.builder.dequantize(&label, &numbers.elements, &parameters)?;
    let logits = call.number_tensor(DataType::Float32, numbers.shape, elements);
    call.operands = vec![Some(Rc::new(logits))];
    call.version = version.unwrap_or(13);
    match activation::softmax(call)?.pop() {
        Some(Value::Tensor(shares)) => {
            let targets = vec![(target_scale, target_zero); shares.elements.len()];
            round_to(call, shares, data_type, &targets)
        }
        _ => Err(Refusal::OnlyConstants),
    }
}

/// What stands behind the operands of a convolution or product of reals: numbers with their zero and scale, and weights.
struct Integers {
    numbers: Tensor,
    zero: f64,
    scale: f32,
    weights: Weights,
    bias: Option<Tensor>,
}

impl Integers {
    /// Nothing where the operands are not all dequantised in the way that integer kernels take.
    fn behind(call: &Call<'_>, last: bool, with_bias: bool) -> Option<Self> {
        let (Value::Tensor(operand), Value::Constant(constant)) = (&*call.optional(0)?, &*call.optional(1)?) else {
            return None;
        };
        let Data::Quantized(codes) = &constant.data else {
            return None;
        };
        let (elements, zero, scale) = call.builder.codes(&operand.elements)?;
        let weights = Weights::behind(codes, &constant.shape, last)?;
        let bias = match call.optional(2).filter(|_| with_bias) {
            None => None,
            Some(value) => {
                let Value::Constant(constant) = &*value else {
                    return None;
                };
                let Data::Quantized(codes) = &constant.data else {
                    return None;
                };
                let sums = weights.sum_scales(1.0, scale);
                let counts = codes.iter().enumerate().all(|(channel, code)| {
                    let sum_scale = sums.get(if sums.len() == 1 { 0 } else { channel });
                    code.zero == 0 && code.data_type == DataType::Int32 && sum_scale == Some(&code.scale)
                });
                if !counts || constant.shape.len() != 1 {
                    return None;
                }
                Some(Tensor {
                    data_type: DataType::Int32,
                    shape: constant.shape.clone(),
                    elements: codes
                        .iter()
                        .map(|code| Element::Fixed(number::real(code.number)))
                        .collect(),
                    meaning: Meaning::Number,
                    distribution: false,
                })
            }
        };
        Some(Self {
            numbers: Tensor {
                data_type: DataType::Int32,
                elements,
                ..operand.clone()
            },
            zero: f64::from(zero),
            scale,
            weights,
            bias,
        })
    }
}

/// A Conv of dequantised operands.
pub(super) fn convolution_of_reals(call: &mut Call<'_>) -> Result<Option<Vec<Value>>, Refusal> {
    let Some(known) = Integers::behind(call, false, true) else {
        return Ok(None);
    };
    let sums = convolve(
        call,
        &known.numbers,
        known.zero,
        &known.weights.tensor,
        known.bias.as_ref(),
    )?;
    reals(call, sums, &known.weights.sum_scales(1.0, known.scale), true).map(Some)
}

/// A MatMul of dequantised operands.
pub(super) fn matmul_of_reals(call: &mut Call<'_>) -> Result<Option<Vec<Value>>, Refusal> {
    let Some(known) = Integers::behind(call, true, false) else {
        return Ok(None);
    };
    let sums = product(call, &known.numbers, known.zero, &known.weights.tensor, None)?;
    reals(call, sums, &known.weights.sum_scales(1.0, known.scale), false).map(Some)
}

/// A Gemm of dequantised operands, without factors.
pub(super) fn gemm_of_reals(call: &mut Call<'_>, transposed: bool) -> Result<Option<Vec<Value>>, Refusal> {
    let Some(known) = Integers::behind(call, !transposed, true) else {
        return Ok(None);
    };
    let weights = linear::transposed(known.weights.tensor.clone(), transposed)?;
    let sums = product(call, &known.numbers, known.zero, &weights, known.bias.as_ref())?;
    reals(call, sums, &known.weights.sum_scales(1.0, known.scale), false).map(Some)
}
