//! ArgMax and ArgMin, comparisons, Not, Cast, Binarizer.

use std::rc::Rc;

use zkverdict_model::{Comparison, Op};

use super::{
    Call, Results,
    activation::grouped,
    arithmetic::{aligned, common_shape},
    same_type,
};
use crate::{
    DataType, Refusal,
    builder::Row,
    error::type_name,
    number,
    shape::{around, axis as resolve},
    tensor::{Constant, Data, Element, Labels, Meaning, Tensor, Value},
};

/// Which end of the order is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extreme {
    Largest,
    Smallest,
}

/// Position of the largest or smallest element along one axis; on ties the first one, or the last.
pub(super) fn arg_max(call: &mut Call<'_>, extreme: Extreme) -> Results {
    call.arity(1, 1, "1")?;
    let axis = call.attributes.integer("axis")?.unwrap_or(0);
    let keep = call.attributes.flag("keepdims", true)?;
    let last = call.version >= 12 && call.attributes.flag("select_last_index", false)?;
    let operand = call.numbers(0)?;
    let rank = operand.shape.len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let (outer, length, inner) = around(&operand.shape, position).ok_or_else(|| Refusal::Empty {
        shape: operand.shape.clone(),
    })?;
    let mut candidates = grouped(&operand, outer, length, inner)?.elements;
    let label = call.label.clone();
    if extreme == Extreme::Smallest {
        candidates = call.builder.combine(&label, &[(&candidates, -1.0)], 0.0)?;
    }
    // The last of equals is the first one from behind.
    if last {
        for group in candidates.chunks_mut(length.max(1)) {
            group.reverse();
        }
    }
    let op = Op::ArgMax { classes: length };
    let mut elements = call.builder.apply(&label, op, &candidates, outer * inner)?;
    if last {
        let end = number::count(length.saturating_sub(1));
        elements = call.builder.combine(&label, &[(&elements, -1.0)], end)?;
    }
    let mut shape = operand.shape;
    if keep {
        if let Some(size) = shape.get_mut(position) {
            *size = 1;
        }
    } else {
        shape.remove(position);
    }
    Ok(vec![Value::Tensor(Tensor {
        data_type: DataType::Int64,
        shape,
        elements,
        meaning: Meaning::Index(length),
        distribution: false,
    })])
}

/// `left ∘ right`.
pub(super) fn compare(call: &mut Call<'_>, comparison: Comparison) -> Results {
    call.arity(2, 2, "2")?;
    let (left, right) = (call.numbers(0)?, call.numbers(1)?);
    same_type(left.data_type, right.data_type)?;
    if left.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: DataType::Bool,
            remedy: "cast it first",
        });
    }
    let (computed, constant, comparison) = match (left.is_fixed(), right.is_fixed()) {
        (true, true) => return Err(Refusal::OnlyConstants),
        (false, true) => (left, right, comparison),
        (true, false) => (right, left, mirrored(comparison)),
        (false, false) => return compare_computed(call, comparison, &left, &right),
    };
    let shape = common_shape(&computed.shape, &constant.shape)?;
    let len = call.builder.charge_shape(&shape)?;
    let operand: Vec<Element> = aligned(&computed, &shape)?.collect();
    let thresholds = aligned(&constant, &shape)?
        .filter_map(|element| match element {
            Element::Fixed(threshold) => Some(threshold),
            Element::Of { .. } => None,
        })
        .collect();
    let elements = call
        .builder
        .apply(&call.label, Op::Compare { comparison, thresholds }, &operand, len)?;
    Ok(vec![truth(DataType::Bool, shape, elements)])
}

/// `left ∘ right` as `left − right ∘ 0`.
fn compare_computed(call: &mut Call<'_>, comparison: Comparison, left: &Tensor, right: &Tensor) -> Results {
    let shape = common_shape(&left.shape, &right.shape)?;
    let len = call.builder.charge_shape(&shape)?;
    let (left, right): (Vec<_>, Vec<_>) = (aligned(left, &shape)?.collect(), aligned(right, &shape)?.collect());
    let differences = [(left.as_slice(), 1.0), (right.as_slice(), -1.0)];
    let differences = call.builder.combine(&call.label, &differences, 0.0)?;
    let op = Op::Compare {
        comparison,
        thresholds: vec![0.0; len],
    };
    let elements = call.builder.apply(&call.label, op, &differences, len)?;
    Ok(vec![truth(DataType::Bool, shape, elements)])
}

/// The relation read from the other side.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}

fn truth(data_type: DataType, shape: Vec<usize>, elements: Vec<Element>) -> Value {
    Value::Tensor(Tensor {
        data_type,
        shape,
        elements,
        meaning: Meaning::Truth,
        distribution: false,
    })
}

/// 1 above the threshold, else 0.
pub(super) fn binarizer(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let threshold = call.attributes.float("threshold")?.unwrap_or(0.0);
    if !threshold.is_finite() {
        return Err(Refusal::NotFinite);
    }
    let operand = call.floats(0)?;
    let len = operand.elements.len();
    let op = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![threshold; len],
    };
    let elements = call.builder.apply(&call.label, op, &operand.elements, len)?;
    Ok(vec![truth(operand.data_type, operand.shape, elements)])
}

/// `1 − x` on truth values.
pub(super) fn not(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.numbers(0)?;
    if operand.data_type != DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "it must be bool",
        });
    }
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count)?;
    let rows = operand
        .elements
        .iter()
        .map(|&element| {
            let mut row = Row::default();
            row.add_bias(1.0);
            row.add(element, -1.0);
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![truth(DataType::Bool, operand.shape, elements)])
}

/// Changes the type where the value survives.
pub(super) fn cast(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let code = call
        .attributes
        .integer("to")?
        .ok_or(Refusal::MissingAttribute { attribute: "to" })?;
    if call.version >= 19 {
        // Only casts to 8-bit floats saturate, and those are refused.
        call.attributes.flag("saturate", true)?;
    }
    if call.version >= 24 {
        // Only casts to float8e8m0 round in a chosen way, and those are refused.
        call.attributes.text("round_mode")?;
    }
    let to = DataType::from_code(code).ok_or_else(|| Refusal::UnknownType {
        data_type: type_name(code),
    })?;
    cast_to(call, to)
}

/// Changes the type to that of another tensor, whose numbers are not read.
pub(super) fn cast_like(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    if call.version >= 19 {
        call.attributes.flag("saturate", true)?;
    }
    if call.version >= 24 {
        call.attributes.text("round_mode")?;
    }
    let to = call.value(1)?.data_type();
    cast_to(call, to)
}

fn cast_to(call: &mut Call<'_>, to: DataType) -> Results {
    let value = call.value(0)?;
    call.builder.charge_shape(value.shape())?;
    Ok(vec![match &*value {
        Value::Constant(constant) => Value::Constant(cast_constant(constant, to)?),
        Value::Tensor(tensor) => Value::Tensor(cast_tensor(tensor, to)?),
    }])
}

fn refused(data_type: DataType) -> Refusal {
    Refusal::Type {
        data_type,
        remedy: "this cast does not keep the value",
    }
}

fn cast_constant(constant: &Constant, to: DataType) -> Result<Constant, Refusal> {
    let plain = constant.plain();
    let data = match &plain.data {
        Data::Quantized(_) => return Err(refused(to)),
        Data::Strings(_) if to == DataType::String => constant.data.clone(),
        Data::Strings(_) => return Err(refused(to)),
        Data::Reals(values) => match to.integer_range() {
            Some(_) if to == DataType::Bool => {
                Data::Integers(values.iter().map(|&value| i64::from(value != 0.0)).collect())
            }
            Some((low, high)) => Data::Integers(
                values
                    .iter()
                    .map(|&value| number::truncate(value).filter(|whole| (low..=high).contains(whole)))
                    .collect::<Option<_>>()
                    .ok_or_else(|| refused(to))?,
            ),
            None => Data::Reals(reals(values.iter().copied(), to)?),
        },
        Data::Integers(values) => match to.integer_range() {
            Some(_) if to == DataType::Bool => {
                Data::Integers(values.iter().map(|&value| i64::from(value != 0)).collect())
            }
            Some((low, high)) if values.iter().all(|value| (low..=high).contains(value)) => {
                Data::Integers(values.clone())
            }
            Some(_) => return Err(refused(to)),
            None => Data::Reals(reals(values.iter().copied().map(number::real), to)?),
        },
    };
    Ok(Constant {
        data_type: to,
        shape: constant.shape.clone(),
        data,
    })
}

fn reals(values: impl Iterator<Item = f64>, to: DataType) -> Result<Vec<f64>, Refusal> {
    values
        .map(|value| super::rounded(value, to).ok_or_else(|| refused(to)))
        .collect()
}

fn cast_tensor(tensor: &Tensor, to: DataType) -> Result<Tensor, Refusal> {
    if matches!(to, DataType::Float16) || (to == DataType::String) != (tensor.data_type == DataType::String) {
        return Err(refused(to));
    }
    let range = to.integer_range();
    let meaning = match &tensor.meaning {
        // A number keeps its value in any float; a real loses its fraction in an integer.
        Meaning::Number if range.is_none() => Meaning::Number,
        Meaning::Number if to == DataType::Bool => return Err(refused(to)),
        Meaning::Number if tensor.data_type.is_float() => Meaning::IntegerPart,
        Meaning::Number => match tensor.data_type.integer_range().zip(range) {
            Some(((low, high), (lowest, highest))) if lowest <= low && high <= highest => Meaning::Number,
            _ => return Err(refused(to)),
        },
        Meaning::Truth => Meaning::Truth,
        Meaning::Index(positions) => {
            let last = i64::try_from(positions.saturating_sub(1)).unwrap_or(i64::MAX);
            if range.is_some_and(|(_, high)| last > high) {
                return Err(refused(to));
            }
            Meaning::Index(*positions)
        }
        Meaning::Label(labels) => {
            if let (Some((low, high)), Labels::Integers(values)) = (range, &**labels)
                && !values.iter().all(|value| (low..=high).contains(value))
            {
                return Err(refused(to));
            }
            Meaning::Label(Rc::clone(labels))
        }
        Meaning::IntegerPart if range.is_some() && to != DataType::Bool => Meaning::IntegerPart,
        Meaning::IntegerPart => return Err(Refusal::Truncated),
    };
    Ok(Tensor {
        data_type: to,
        meaning,
        ..tensor.clone()
    })
}
