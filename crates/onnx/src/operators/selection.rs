//! Gather, Slice, Split, ArrayFeatureExtractor with constant positions, and label lookups with computed ones.

use std::{collections::BTreeSet, rc::Rc};

use super::{Call, Results, rearrange, reshape};
use crate::{
    DataType, Refusal, number,
    shape::{axis as resolve, identity_axes, strides},
    tensor::{Constant, Data, Labels, Meaning, Tensor, Value},
};

/// Selects along one axis.
pub(super) fn gather(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let axis = call.attributes.integer("axis")?.unwrap_or(0);
    let (data, indices) = (call.value(0)?, call.value(1)?);
    let rank = data.shape().len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    match (&*data, &*indices) {
        (Value::Constant(list), Value::Tensor(index)) => {
            let shape = index.shape.clone();
            look_up(call, list, index, shape)
        }
        (_, Value::Constant(constant)) => {
            let selected = offsets(constant, data.shape(), position)?;
            let mut axes = identity_axes(data.shape());
            // Gathered along one flat axis first; the shape of the indices takes its place afterwards.
            if let Some(axis) = axes.get_mut(position) {
                *axis = selected;
            }
            let moved = rearrange(call.builder, &data, &axes)?;
            let shape = data
                .shape()
                .iter()
                .take(position)
                .chain(&constant.shape)
                .chain(data.shape().iter().skip(position).skip(1))
                .copied()
                .collect();
            Ok(vec![reshape(call.builder, &moved, shape)?])
        }
        (Value::Tensor(_), Value::Tensor(_)) => Err(Refusal::NotConstant { operand: "indices" }),
    }
}

/// Selects along the last axis.
pub(super) fn array_feature_extractor(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let (data, indices) = (call.value(0)?, call.value(1)?);
    let Some(last) = data.shape().len().checked_sub(1) else {
        return Err(Refusal::Rank {
            shape: Vec::new(),
            expected: "a list is needed",
        });
    };
    match (&*data, &*indices) {
        (Value::Constant(list), Value::Tensor(index)) => {
            let shape = vec![1, index.elements.len()];
            look_up(call, list, index, shape)
        }
        (_, Value::Constant(constant)) => {
            let length = data.shape().last().copied().unwrap_or(0);
            let negative = constant
                .integers()
                .and_then(|indices| indices.iter().find(|&&index| index < 0));
            if let Some(&index) = negative {
                return Err(Refusal::Index { index, length });
            }
            let mut axes = identity_axes(data.shape());
            if let Some(axis) = axes.get_mut(last) {
                *axis = offsets(constant, data.shape(), last)?;
            }
            if last == 0 {
                axes.insert(0, vec![0]);
            }
            Ok(vec![rearrange(call.builder, &data, &axes)?])
        }
        (Value::Tensor(_), Value::Tensor(_)) => Err(Refusal::NotConstant { operand: "Y" }),
    }
}

/// Source offsets of constant positions along one axis; negative positions count from the end.
fn offsets(indices: &Constant, shape: &[usize], position: usize) -> Result<Vec<usize>, Refusal> {
    let length = shape.get(position).copied().unwrap_or(0);
    let stride = strides(shape).get(position).copied().unwrap_or(0);
    let Some(values) = indices.integers().filter(|_| indices.data_type != DataType::Bool) else {
        return Err(Refusal::Type {
            data_type: indices.data_type,
            remedy: "use int64 indices",
        });
    };
    values
        .iter()
        .map(|&index| {
            resolve(index, length)
                .map(|resolved| resolved * stride)
                .ok_or(Refusal::Index { index, length })
        })
        .collect()
}

/// Looks a computed position up in a constant list: the result is a label.
fn look_up(call: &mut Call<'_>, list: &Constant, index: &Tensor, shape: Vec<usize>) -> Results {
    if list.shape.iter().filter(|&&size| size != 1).count() > 1 || list.shape.len() > 2 {
        return Err(Refusal::NotConstant { operand: "indices" });
    }
    let list = list.plain();
    let labels = match &list.data {
        Data::Quantized(_) => return Err(Refusal::NotConstant { operand: "data" }),
        Data::Strings(labels) => Labels::Strings(labels.clone()),
        Data::Integers(labels) => Labels::Integers(labels.clone()),
        Data::Reals(values) => Labels::Integers(
            values
                .iter()
                .map(|&value| number::whole(value))
                .collect::<Option<_>>()
                .ok_or(Refusal::Type {
                    data_type: list.data_type,
                    remedy: "only lists of labels can be looked up",
                })?,
        ),
    };
    let positions = match index.meaning {
        Meaning::Index(positions) => positions,
        Meaning::Truth if index.data_type != DataType::Bool => 2,
        _ => return Err(Refusal::NotConstant { operand: "indices" }),
    };
    if positions > labels.len() {
        return Err(Refusal::Index {
            index: i64::try_from(positions).unwrap_or(i64::MAX),
            length: labels.len(),
        });
    }
    call.builder.charge_shape(&shape)?;
    Ok(vec![Value::Tensor(Tensor {
        data_type: list.data_type,
        shape,
        elements: index.elements.clone(),
        meaning: Meaning::Label(Rc::new(labels)),
        distribution: false,
    })])
}

/// A range per axis; attributes before operator set 10, operands from then on.
pub(super) fn slice(call: &mut Call<'_>) -> Results {
    let missing = |attribute| Refusal::MissingAttribute { attribute };
    let (starts, ends, axes, steps) = if call.version < 10 {
        call.arity(1, 1, "1 before operator set 10")?;
        let mut list = |name| Ok::<_, Refusal>(call.attributes.integers(name)?.map(<[i64]>::to_vec));
        (list("starts")?, list("ends")?, list("axes")?, None)
    } else {
        call.arity(3, 5, "3 to 5")?;
        (
            call.integer_list(1, "starts")?,
            call.integer_list(2, "ends")?,
            call.integer_list(3, "axes")?,
            call.integer_list(4, "steps")?,
        )
    };
    let starts = starts.ok_or_else(|| missing("starts"))?;
    let ends = ends.ok_or_else(|| missing("ends"))?;
    let value = call.value(0)?;
    let rank = value.shape().len();
    let axes = match axes {
        Some(axes) => axes,
        None => (0..starts.len()).filter_map(|axis| i64::try_from(axis).ok()).collect(),
    };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    for (attribute, got) in [("ends", ends.len()), ("axes", axes.len()), ("steps", steps.len())] {
        if got != starts.len() {
            return Err(Refusal::AttributeLength {
                attribute,
                expected: starts.len(),
                got,
            });
        }
    }
    let mut seen = BTreeSet::new();
    let mut sources = identity_axes(value.shape());
    let strides = strides(value.shape());
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
        if !seen.insert(position) {
            return Err(Refusal::Repeated { attribute: "axes" });
        }
        let length = value.shape().get(position).copied().unwrap_or(0);
        let stride = strides.get(position).copied().unwrap_or(0);
        let coordinates = range(start, end, step, length)?;
        if let Some(source) = sources.get_mut(position) {
            *source = coordinates.into_iter().map(|c| c * stride).collect();
        }
    }
    Ok(vec![rearrange(call.builder, &value, &sources)?])
}

/// Coordinates of one axis of Slice, with NumPy's clamping.
fn range(start: i64, end: i64, step: i64, length: usize) -> Result<Vec<usize>, Refusal> {
    let size = i64::try_from(length).unwrap_or(i64::MAX);
    let from_end = |position: i64| {
        if position < 0 {
            position.saturating_add(size)
        } else {
            position
        }
    };
    let (start, end) = (from_end(start), from_end(end));
    let (mut current, end) = match step {
        0 => {
            return Err(Refusal::AttributeValue {
                attribute: "steps",
                value: "0".to_owned(),
                supported: "a step other than zero",
            });
        }
        1.. => (start.clamp(0, size), end.clamp(0, size)),
        _ => (
            start.clamp(-1, size.saturating_sub(1)),
            end.clamp(-1, size.saturating_sub(1)),
        ),
    };
    let mut coordinates = Vec::new();
    while if step > 0 { current < end } else { current > end } {
        coordinates.extend(usize::try_from(current));
        current = current.saturating_add(step);
    }
    Ok(coordinates)
}

/// Cuts along one axis.
pub(super) fn split(call: &mut Call<'_>) -> Results {
    let sizes = if call.version < 13 {
        call.arity(1, 1, "1 before operator set 13")?;
        call.attributes.integers("split")?.map(<[i64]>::to_vec)
    } else {
        call.arity(1, 2, "1 or 2")?;
        call.integer_list(1, "split")?
    };
    let axis = call.attributes.integer("axis")?.unwrap_or(0);
    let parts = if call.version >= 18 {
        call.attributes.integer("num_outputs")?
    } else {
        None
    };
    let value = call.value(0)?;
    let rank = value.shape().len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let length = value.shape().get(position).copied().unwrap_or(0);
    let stride = strides(value.shape()).get(position).copied().unwrap_or(0);
    let results = call.results;
    let wrong = |got| Refusal::AttributeLength {
        attribute: "split",
        expected: results,
        got,
    };
    let sizes: Vec<usize> = match (sizes, parts) {
        (Some(_), Some(_)) => {
            return Err(Refusal::UnknownAttribute {
                attribute: "num_outputs".to_owned(),
            });
        }
        (Some(sizes), None) => sizes
            .iter()
            .map(|&size| usize::try_from(size).map_err(|_| wrong(0)))
            .collect::<Result<_, _>>()?,
        (None, parts) => {
            if call.version >= 18 && parts.is_none() {
                return Err(Refusal::MissingAttribute {
                    attribute: "num_outputs",
                });
            }
            if parts.is_some_and(|parts| usize::try_from(parts) != Ok(results)) || results == 0 {
                return Err(wrong(results));
            }
            let size = length.div_ceil(results);
            if call.version < 18 && size.checked_mul(results) != Some(length) {
                return Err(wrong(results));
            }
            (0..results)
                .map(|part| length.saturating_sub(part.saturating_mul(size)).min(size))
                .collect()
        }
    };
    let total = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    if sizes.len() != results || total != Some(length) {
        return Err(wrong(sizes.len()));
    }
    let mut start = 0usize;
    sizes
        .into_iter()
        .map(|size| {
            let mut axes = identity_axes(value.shape());
            if let Some(axis) = axes.get_mut(position) {
                *axis = (start..start + size).map(|c| c * stride).collect();
            }
            start += size;
            rearrange(call.builder, &value, &axes)
        })
        .collect()
}
