//! Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Concat: the same elements, elsewhere.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Call, Results, fixed, rearrange, reshape as reshape_value, same_type};
use crate::{
    Refusal,
    shape::{around, axis as resolve, element_count, strides},
    tensor::{Constant, Data, Meaning, Tensor, Value},
};

/// Reshape with 0 (keep), −1 (infer) and `allowzero`.
pub(super) fn reshape(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let value = call.value(0)?;
    let Some(target) = call.integer_list(1, "shape")? else {
        return Err(Refusal::Arity {
            what: "operands",
            expected: "2",
            got: 1,
        });
    };
    let allow_zero = if call.version >= 14 {
        call.attributes.flag("allowzero", false)?
    } else {
        false
    };
    let elements = element_count(value.shape()).unwrap_or(0);
    let impossible = || Refusal::Reshape {
        elements,
        target: target.clone(),
    };
    let mut free = None;
    let mut shape = Vec::with_capacity(target.len());
    for (position, &size) in target.iter().enumerate() {
        shape.push(match size {
            -1 if free.is_none() => {
                free = Some(position);
                1
            }
            0 if !allow_zero => *value.shape().get(position).ok_or_else(impossible)?,
            size => usize::try_from(size).map_err(|_| impossible())?,
        });
    }
    let known = element_count(&shape).ok_or_else(impossible)?;
    if let Some(position) = free {
        let zero = allow_zero && target.contains(&0);
        let size = elements
            .checked_div(known)
            .filter(|size| !zero && size.checked_mul(known) == Some(elements))
            .ok_or_else(impossible)?;
        if let Some(dimension) = shape.get_mut(position) {
            *dimension = size;
        }
    } else if known != elements {
        return Err(impossible());
    }
    Ok(vec![reshape_value(call.builder, &value, shape)?])
}

/// Flattens to two axes, split at `axis`.
pub(super) fn flatten(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let value = call.value(0)?;
    let rank = value.shape().len();
    let axis = call.attributes.integer("axis")?.unwrap_or(1);
    let position = if usize::try_from(axis) == Ok(rank) {
        rank
    } else {
        resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?
    };
    let (lead, tail) = value
        .shape()
        .split_at_checked(position)
        .ok_or(Refusal::Axis { axis, rank })?;
    let shape = vec![
        element_count(lead).unwrap_or(usize::MAX),
        element_count(tail).unwrap_or(usize::MAX),
    ];
    Ok(vec![reshape_value(call.builder, &value, shape)?])
}

/// The `axes` of Squeeze and Unsqueeze: an attribute before operator set 13, an operand from then on.
fn axes(call: &mut Call<'_>) -> Result<Option<Vec<i64>>, Refusal> {
    if call.version < 13 {
        call.arity(1, 1, "1 before operator set 13")?;
        return Ok(call.attributes.integers("axes")?.map(<[i64]>::to_vec));
    }
    call.arity(1, 2, "1 or 2")?;
    call.integer_list(1, "axes")
}

/// Resolves axes against a rank and refuses repetitions.
fn resolved(axes: &[i64], rank: usize) -> Result<BTreeSet<usize>, Refusal> {
    let positions = axes
        .iter()
        .map(|&axis| resolve(axis, rank).ok_or(Refusal::Axis { axis, rank }))
        .collect::<Result<BTreeSet<_>, _>>()?;
    if positions.len() != axes.len() {
        return Err(Refusal::Repeated { attribute: "axes" });
    }
    Ok(positions)
}

/// Removes axes of length 1.
pub(super) fn squeeze(call: &mut Call<'_>) -> Results {
    let axes = axes(call)?;
    let value = call.value(0)?;
    let shape = value.shape();
    let removed = match axes {
        Some(axes) => resolved(&axes, shape.len())?,
        None => shape
            .iter()
            .enumerate()
            .filter_map(|(position, &size)| (size == 1).then_some(position))
            .collect(),
    };
    let mut kept = Vec::new();
    for (position, &size) in shape.iter().enumerate() {
        match removed.contains(&position) {
            true if size != 1 => {
                return Err(Refusal::Rank {
                    shape: shape.to_vec(),
                    expected: "only axes of length 1 can be squeezed",
                });
            }
            true => {}
            false => kept.push(size),
        }
    }
    Ok(vec![reshape_value(call.builder, &value, kept)?])
}

/// Inserts axes of length 1.
pub(super) fn unsqueeze(call: &mut Call<'_>) -> Results {
    let axes = axes(call)?.ok_or(Refusal::MissingAttribute { attribute: "axes" })?;
    let value = call.value(0)?;
    let rank = value.shape().len().saturating_add(axes.len());
    let inserted = resolved(&axes, rank)?;
    let mut sizes = value.shape().iter();
    let shape = (0..rank)
        .map(|position| match inserted.contains(&position) {
            true => 1,
            false => sizes.next().copied().unwrap_or(1),
        })
        .collect();
    Ok(vec![reshape_value(call.builder, &value, shape)?])
}

/// Permutes the axes; reverses them by default.
pub(super) fn transpose(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let value = call.value(0)?;
    let rank = value.shape().len();
    let permutation: Vec<usize> = match call.attributes.integers("perm")? {
        Some(axes) => axes
            .iter()
            .map(|&axis| {
                usize::try_from(axis)
                    .ok()
                    .filter(|&position| position < rank)
                    .ok_or(Refusal::Axis { axis, rank })
            })
            .collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    if permutation.len() != rank || permutation.iter().collect::<BTreeSet<_>>().len() != rank {
        return Err(Refusal::AttributeLength {
            attribute: "perm",
            expected: rank,
            got: permutation.len(),
        });
    }
    let strides = strides(value.shape());
    let axes: Vec<Vec<usize>> = permutation
        .iter()
        .filter_map(|&position| {
            let (&size, &stride) = (value.shape().get(position)?, strides.get(position)?);
            Some((0..size).map(|c| c * stride).collect())
        })
        .collect();
    Ok(vec![rearrange(call.builder, &value, &axes)?])
}

/// Joins tensors along one axis.
pub(super) fn concat(call: &mut Call<'_>) -> Results {
    call.arity(1, usize::MAX, "at least 1")?;
    if call.version < 4 {
        return Err(Refusal::OperatorVersion {
            version: call.version,
            supported: "operator set 4 or later",
        });
    }
    let axis = call
        .attributes
        .integer("axis")?
        .ok_or(Refusal::MissingAttribute { attribute: "axis" })?;
    let values = (0..call.operands.len())
        .map(|position| call.value(position))
        .collect::<Result<Vec<_>, _>>()?;
    let Some((first, others)) = values.split_first() else {
        return Err(Refusal::OnlyConstants);
    };
    let rank = first.shape().len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let mut shape = first.shape().to_vec();
    for other in others {
        same_type(first.data_type(), other.data_type())?;
        let fits = other.shape().len() == rank
            && shape
                .iter()
                .zip(other.shape())
                .enumerate()
                .all(|(at, (a, b))| at == position || a == b);
        if !fits {
            return Err(Refusal::Shapes {
                left: shape,
                right: other.shape().to_vec(),
            });
        }
        if let (Some(total), Some(&more)) = (shape.get_mut(position), other.shape().get(position)) {
            *total = total.saturating_add(more);
        }
    }
    call.builder.charge_shape(&shape)?;
    let constants: Option<Vec<Cow<'_, Constant>>> = values
        .iter()
        .map(|value| match &**value {
            Value::Constant(constant) => Some(constant.plain()),
            Value::Tensor(_) => None,
        })
        .collect();
    let widths: Vec<usize> = values
        .iter()
        .map(|value| around(value.shape(), position).map_or(0, |(_, length, inner)| length * inner))
        .collect();
    if let Some(constants) = constants {
        let constants: Vec<&Constant> = constants.iter().map(Cow::as_ref).collect();
        let data = match &constants.first().map(|constant| &constant.data) {
            Some(Data::Strings(_)) => Data::Strings(join(
                &collect(&constants, |data| match data {
                    Data::Strings(items) => Some(items.as_slice()),
                    _ => None,
                }),
                &widths,
            )),
            Some(Data::Integers(_)) => Data::Integers(join(
                &collect(&constants, |data| match data {
                    Data::Integers(items) => Some(items.as_slice()),
                    _ => None,
                }),
                &widths,
            )),
            Some(Data::Reals(_) | Data::Quantized(_)) | None => Data::Reals(join(
                &collect(&constants, |data| match data {
                    Data::Reals(items) => Some(items.as_slice()),
                    _ => None,
                }),
                &widths,
            )),
        };
        return Ok(vec![Value::Constant(Constant {
            data_type: first.data_type(),
            shape,
            data,
        })]);
    }
    let tensors = values
        .iter()
        .map(|value| match &**value {
            Value::Tensor(tensor) => Ok(tensor.clone()),
            Value::Constant(constant) => fixed(constant),
        })
        .collect::<Result<Vec<Tensor>, _>>()?;
    let lists: Vec<_> = tensors.iter().map(|tensor| tensor.elements.as_slice()).collect();
    Ok(vec![Value::Tensor(Tensor {
        data_type: first.data_type(),
        elements: join(&lists, &widths),
        meaning: common_meaning(&tensors)?,
        distribution: false,
        shape,
    })])
}

/// What the joined elements stand for.
fn common_meaning(tensors: &[Tensor]) -> Result<Meaning, Refusal> {
    let Some((first, others)) = tensors.split_first() else {
        return Ok(Meaning::Number);
    };
    if others.iter().all(|other| other.meaning == first.meaning) {
        return Ok(first.meaning.clone());
    }
    let any = |wanted: fn(&Meaning) -> bool| tensors.iter().any(|tensor| wanted(&tensor.meaning));
    if any(|meaning| matches!(meaning, Meaning::Label(_))) {
        return Err(Refusal::Label);
    }
    if any(|meaning| matches!(meaning, Meaning::IntegerPart)) {
        return Ok(Meaning::IntegerPart);
    }
    Ok(Meaning::Number)
}

fn collect<'c, T>(constants: &[&'c Constant], items: fn(&'c Data) -> Option<&'c [T]>) -> Vec<&'c [T]> {
    constants.iter().filter_map(|constant| items(&constant.data)).collect()
}

/// Interleaves lists: `widths[0]` items of the first, `widths[1]` of the second, …, until all are used up.
fn join<T: Clone>(lists: &[&[T]], widths: &[usize]) -> Vec<T> {
    let total = lists.iter().map(|list| list.len()).sum();
    let mut joined = Vec::with_capacity(total);
    let mut rest: Vec<&[T]> = lists.to_vec();
    while joined.len() < total {
        let before = joined.len();
        for (list, &width) in rest.iter_mut().zip(widths) {
            if let Some((head, tail)) = list.split_at_checked(width) {
                joined.extend_from_slice(head);
                *list = tail;
            }
        }
        if joined.len() == before {
            break;
        }
    }
    joined
}
