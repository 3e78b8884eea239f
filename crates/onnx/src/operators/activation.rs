//! Relu, Sigmoid, Softmax, Clip, and the identities of inference: Identity and Dropout.

use zkverdict_model::Op;

use super::{Call, Results, pick, same_type};
use crate::{
    DataType, Refusal,
    builder::Behind,
    number,
    shape::{around, axis as resolve, element_count, lattice},
    tensor::{Element, Tensor, Value},
};

/// `max(x, 0)`.
pub(super) fn relu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.numbers(0)?;
    if operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it first",
        });
    }
    held(call, operand, Op::Relu, (0.0, f64::INFINITY))
}

/// `1 / (1 + e^−x)`.
pub(super) fn sigmoid(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    elementwise(call, operand, Op::Sigmoid)
}

fn elementwise(call: &mut Call<'_>, operand: Tensor, op: Op) -> Results {
    let len = operand.elements.len();
    let elements = call.builder.apply(&call.label, op, &operand.elements, len)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// The operator, which holds numbers between bounds, and what it says of the whole numbers behind them.
fn held(call: &mut Call<'_>, operand: Tensor, op: Op, (min, max): (f64, f64)) -> Results {
    let behind = operand.elements.iter().map(|element| {
        let behind = call.builder.behind(*element)?;
        Some(Behind {
            low: behind.low.max(number::narrow(min)).min(number::narrow(max)),
            high: behind.high.min(number::narrow(max)).max(number::narrow(min)),
            ..behind.clone()
        })
    });
    let behind = behind.collect();
    let results = elementwise(call, operand, op)?;
    if let [Value::Tensor(result)] = results.as_slice() {
        call.builder.put_behind(&result.elements, behind);
    }
    Ok(results)
}

/// Softmax along one axis (operator set 13 and later), or over all axes from one on (earlier).
pub(super) fn softmax(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    let (contiguous, classes, back, last) = along_axis(call, &operand)?;
    let len = contiguous.len();
    let elements = call
        .builder
        .apply(&call.label, Op::Softmax { classes }, &contiguous, len)?;
    Ok(vec![Value::Tensor(Tensor {
        elements: pick(&elements, &back)?,
        distribution: last,
        ..operand
    })])
}

/// The groups that `axis` of a softmax stands for, one after the other; their length; the indices that put the results
/// back in place; and whether the groups are the operand's last axis.
pub(super) fn along_axis(
    call: &mut Call<'_>,
    operand: &Tensor,
) -> Result<(Vec<Element>, usize, Vec<usize>, bool), Refusal> {
    let coerced = call.version < 13;
    let axis = call.attributes.integer("axis")?.unwrap_or(if coerced { 1 } else { -1 });
    let rank = operand.shape.len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let (outer, length, inner) = around(&operand.shape, position).ok_or_else(|| Refusal::Empty {
        shape: operand.shape.clone(),
    })?;
    let last = position + 1 == rank;
    if coerced {
        let back = (0..operand.elements.len()).collect();
        return Ok((operand.elements.clone(), length * inner, back, last));
    }
    let contiguous = grouped(operand, outer, length, inner)?;
    // Back from (outer, inner, length) to (outer, length, inner).
    let back = lattice(&[
        (0..outer).map(|c| c * inner * length).collect(),
        (0..length).collect(),
        (0..inner).map(|c| c * length).collect(),
    ]);
    Ok((contiguous.elements, length, back, last))
}

/// The tensor with one axis moved to the end: groups along it become contiguous.
pub(super) fn grouped(operand: &Tensor, outer: usize, length: usize, inner: usize) -> Result<Tensor, Refusal> {
    let indices = lattice(&[
        (0..outer).map(|c| c * length * inner).collect(),
        (0..inner).collect(),
        (0..length).map(|c| c * inner).collect(),
    ]);
    Ok(Tensor {
        elements: pick(&operand.elements, &indices)?,
        ..operand.clone()
    })
}

/// `min(max(x, min), max)`, bounds as attributes (before operator set 11) or as operands.
pub(super) fn clip(call: &mut Call<'_>) -> Results {
    let (min, max) = if call.version < 11 {
        call.arity(1, 1, "1 before operator set 11")?;
        (call.attributes.float("min")?, call.attributes.float("max")?)
    } else {
        call.arity(1, 3, "1 to 3")?;
        (bound(call, 1, "min")?, bound(call, 2, "max")?)
    };
    let operand = call.numbers(0)?;
    if operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it first",
        });
    }
    // A bound that no float32 crosses is no bound.
    let widest = f64::from(f32::MAX);
    let unbounded = |bound: f64| operand.data_type == DataType::Float32 && bound.abs() >= widest;
    let min = min
        .filter(|&min| !(unbounded(min) && min < 0.0))
        .unwrap_or(f64::NEG_INFINITY);
    let max = max
        .filter(|&max| !(unbounded(max) && max > 0.0))
        .unwrap_or(f64::INFINITY);
    if min.is_nan() || max.is_nan() {
        return Err(Refusal::NotFinite);
    }
    if min > max {
        return Err(Refusal::Bounds { min, max });
    }
    if min == f64::NEG_INFINITY && max == f64::INFINITY {
        return Ok(vec![Value::Tensor(operand)]);
    }
    let op = if min == 0.0 && max == f64::INFINITY {
        Op::Relu
    } else {
        Op::Clip { min, max }
    };
    held(call, operand, op, (min, max))
}

/// A bound of Clip given as an operand.
fn bound(call: &Call<'_>, position: usize, operand: &'static str) -> Result<Option<f64>, Refusal> {
    let Some(value) = call.optional(position) else {
        return Ok(None);
    };
    let Value::Constant(constant) = &*value else {
        return Err(Refusal::NotConstant { operand });
    };
    same_type(call.value(0)?.data_type(), constant.data_type)?;
    match (constant.shape.len(), constant.reals().as_deref()) {
        (0 | 1, Some(&[bound])) => Ok(Some(bound)),
        _ => Err(Refusal::Rank {
            shape: constant.shape.clone(),
            expected: "a bound must be one number",
        }),
    }
}

/// `x`.
pub(super) fn identity(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let value = call.value(0)?;
    call.builder.charge_shape(value.shape())?;
    Ok(vec![(*value).clone()])
}

/// The identity, as Dropout is outside of training.
pub(super) fn dropout(call: &mut Call<'_>) -> Results {
    if call.version < 7 {
        return Err(Refusal::OperatorVersion {
            version: call.version,
            supported: "operator set 7 or later",
        });
    }
    if call.version < 12 {
        call.arity(1, 1, "1 before operator set 12")?;
        call.attributes.float("ratio")?;
    } else {
        call.arity(1, 3, "1 to 3")?;
        call.attributes.integer("seed")?;
        if let Some(training) = call.optional(2) {
            match &*training {
                Value::Constant(constant) if constant.integers() == Some(&[0]) => {}
                Value::Constant(_) => {
                    return Err(Refusal::AttributeValue {
                        attribute: "training_mode",
                        value: "true".to_owned(),
                        supported: "an export for inference",
                    });
                }
                Value::Tensor(_) => {
                    return Err(Refusal::NotConstant {
                        operand: "training_mode",
                    });
                }
            }
        }
    }
    let value = call.value(0)?;
    if call.results > 1 {
        return Err(Refusal::Arity {
            what: "results",
            expected: "1 (the mask is not supported)",
            got: call.results,
        });
    }
    if !value.data_type().is_float() || element_count(value.shape()) == Some(0) {
        return Err(Refusal::Type {
            data_type: value.data_type(),
            remedy: "use float32",
        });
    }
    call.builder.charge_shape(value.shape())?;
    call.builder
        .notes
        .push(format!("{} is the identity outside of training", call.label));
    Ok(vec![(*value).clone()])
}
