//! DequantizeLinear: whole numbers to reals, which is affine.

use super::{Call, Results, rounded};
use crate::{
    DataType, Refusal,
    builder::Row,
    shape::{around, axis as resolve, element_count},
    tensor::{Constant, Data, Element, Value},
};

/// `(x − zero point) · scale`, both constant, for the tensor or per position of an axis.
pub(super) fn dequantize_linear(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    let axis = if call.version >= 13 {
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
    let (scale_type, scales) = constants(call, 1, "x_scale")?;
    if !scale_type.is_float() {
        return Err(Refusal::Type {
            data_type: scale_type,
            remedy: "the scale must be a float",
        });
    }
    let value = call.value(0)?;
    let zeros = match call.optional(2) {
        Some(_) => {
            let (zero_type, zeros) = constants(call, 2, "x_zero_point")?;
            super::same_type(value.data_type(), zero_type)?;
            zeros
        }
        None => vec![0.0],
    };
    if zeros.len() != scales.len() && zeros.len() != 1 {
        return Err(Refusal::AttributeLength {
            attribute: "x_zero_point",
            expected: scales.len(),
            got: zeros.len(),
        });
    }
    let shape = value.shape().to_vec();
    let count = call.builder.charge_shape(&shape)?;
    // The position along the axis of every element.
    let places: Vec<usize> = if scales.len() == 1 {
        vec![0; count]
    } else {
        let rank = shape.len();
        let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
        let (_, length, inner) = around(&shape, position).ok_or_else(|| Refusal::Empty { shape: shape.clone() })?;
        if length != scales.len() {
            return Err(Refusal::AttributeLength {
                attribute: "x_scale",
                expected: length,
                got: scales.len(),
            });
        }
        (0..count).map(|index| index / inner.max(1) % length.max(1)).collect()
    };
    let parameters = |place: usize| {
        let scale = scales.get(place).copied().unwrap_or(1.0);
        let zero = zeros.get(if zeros.len() == 1 { 0 } else { place }).copied();
        (scale, zero.unwrap_or(0.0))
    };
    if let Value::Constant(constant) = &*value {
        let reals = constant.integers().and(constant.reals()).ok_or(Refusal::Type {
            data_type: constant.data_type,
            remedy: "quantised values must be integers",
        })?;
        let data = reals
            .into_iter()
            .zip(&places)
            .map(|(number, place)| {
                let (scale, zero) = parameters(*place);
                let result = rounded((number - zero) * scale, scale_type).filter(|result| result.is_finite());
                result.ok_or(Refusal::NotFinite)
            })
            .collect::<Result<_, _>>()?;
        return Ok(vec![Value::Constant(Constant {
            data_type: scale_type,
            shape,
            data: Data::Reals(data),
        })]);
    }
    let operand = call.numbers(0)?;
    if operand.data_type.is_float() || operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "quantised values must be integers",
        });
    }
    call.builder.charge_terms(element_count(&shape).unwrap_or(usize::MAX))?;
    let rows = operand
        .elements
        .iter()
        .zip(places)
        .map(|(&element, place)| {
            let (scale, zero) = parameters(place);
            let mut row = Row::default();
            row.add(element, scale);
            row.add_bias(-zero * scale);
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(scale_type, shape, elements)])
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
