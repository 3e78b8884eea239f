//! Pad, Expand, Tile, DepthToSpace, SpaceToDepth: the same elements, repeated, surrounded or interleaved.

use super::{Call, Results, fixed, moved, rearrange, reshape};
use crate::{
    DataType, Refusal, number,
    shape::{axis as resolve, broadcast, identity_axes, strides},
    tensor::{Element, Meaning, Tensor, Value},
};

/// What Pad puts around a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Constant,
    Edge,
    Reflect,
    Wrap,
}

/// Pads or crops (negative pads) each axis.
pub(super) fn pad(call: &mut Call<'_>) -> Results {
    let mode = match call.attributes.text("mode")?.unwrap_or("constant") {
        "constant" => Mode::Constant,
        "edge" => Mode::Edge,
        "reflect" => Mode::Reflect,
        "wrap" if call.version >= 19 => Mode::Wrap,
        other => {
            return Err(Refusal::AttributeValue {
                attribute: "mode",
                value: other.to_owned(),
                supported: "constant, edge, reflect or (from operator set 19) wrap",
            });
        }
    };
    let value = call.value(0)?;
    let rank = value.shape().len();
    let (pads, fill, axes) = if call.version < 11 {
        call.arity(1, 1, "1 before operator set 11")?;
        let fill = call.attributes.float("value")?.unwrap_or(0.0);
        let pads = call.attributes.integers("pads")?.map(<[i64]>::to_vec);
        (pads, fill, None)
    } else {
        call.arity(2, 4, "2 to 4")?;
        let axes = if call.version >= 18 {
            call.integer_list(3, "axes")?
        } else {
            None
        };
        (call.integer_list(1, "pads")?, fill(call, value.data_type())?, axes)
    };
    let pads = pads.ok_or(Refusal::MissingAttribute { attribute: "pads" })?;
    let axes = match axes {
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve(axis, rank).ok_or(Refusal::Axis { axis, rank }))
            .collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != axes.len().saturating_mul(2) {
        return Err(Refusal::AttributeLength {
            attribute: "pads",
            expected: axes.len().saturating_mul(2),
            got: pads.len(),
        });
    }
    if mode == Mode::Constant && !fill.is_finite() {
        return Err(Refusal::NotFinite);
    }
    let (begins, ends) = pads.split_at(axes.len());
    let mut around = vec![(0, 0); rank];
    let mut seen = std::collections::BTreeSet::new();
    for ((&axis, &begin), &end) in axes.iter().zip(begins).zip(ends) {
        if !seen.insert(axis) {
            return Err(Refusal::Repeated { attribute: "axes" });
        }
        if let Some(place) = around.get_mut(axis) {
            *place = (begin, end);
        }
    }
    let sources = value
        .shape()
        .iter()
        .zip(around)
        .map(|(&size, (begin, end))| sources(mode, size, begin, end))
        .collect::<Result<Vec<_>, _>>()?;
    let shape: Vec<usize> = sources.iter().map(Vec::len).collect();
    call.builder.charge_shape(&shape)?;
    let mut places = vec![Some(0)];
    for (axis, stride) in sources.iter().zip(strides(value.shape())) {
        places = places
            .iter()
            .flat_map(|base| {
                axis.iter().map(move |source| {
                    base.zip(*source)
                        .map(|(base, source): (usize, usize)| base + source * stride)
                })
            })
            .collect();
    }
    if places.is_empty() {
        return Err(Refusal::Empty { shape });
    }
    let tensor = match &*value {
        Value::Tensor(tensor) => tensor.clone(),
        Value::Constant(constant) if places.iter().all(Option::is_some) => {
            let indices: Vec<usize> = places.into_iter().flatten().collect();
            return Ok(vec![Value::Constant(moved(constant, shape, &indices)?)]);
        }
        Value::Constant(constant) => fixed(constant)?,
    };
    let padded = places.contains(&None);
    let plain = matches!(tensor.meaning, Meaning::Number | Meaning::Truth);
    if padded && !plain {
        return Err(Refusal::Label);
    }
    let elements = places
        .into_iter()
        .map(|place| match place {
            Some(index) => tensor.elements.get(index).copied().ok_or(Refusal::OnlyConstants),
            None => Ok(Element::Fixed(fill)),
        })
        .collect::<Result<_, _>>()?;
    Ok(vec![Value::Tensor(Tensor {
        shape,
        elements,
        distribution: false,
        ..tensor
    })])
}

/// The constant that Pad fills with.
fn fill(call: &Call<'_>, data_type: DataType) -> Result<f64, Refusal> {
    let Some(value) = call.optional(2) else {
        return Ok(0.0);
    };
    let Value::Constant(constant) = &*value else {
        return Err(Refusal::NotConstant {
            operand: "constant_value",
        });
    };
    super::same_type(data_type, constant.data_type)?;
    match constant.reals().as_deref() {
        Some(&[fill]) => Ok(fill),
        _ => Err(Refusal::Rank {
            shape: constant.shape.clone(),
            expected: "the fill must be one number",
        }),
    }
}

/// The coordinate that each coordinate of a padded axis comes from; `None` for the fill.
fn sources(mode: Mode, size: usize, begin: i64, end: i64) -> Result<Vec<Option<usize>>, Refusal> {
    let refused = |pad: i64| Refusal::AttributeValue {
        attribute: "pads",
        value: pad.to_string(),
        supported: "pads that leave something of the axis (and reflect it at most once)",
    };
    let length = i64::try_from(size).map_err(|_| refused(begin))?;
    let last = length.saturating_sub(1);
    let most = match mode {
        Mode::Reflect => last,
        Mode::Constant | Mode::Edge | Mode::Wrap => 1 << 24,
    };
    let to = length.saturating_add(end);
    let from = 0_i64.saturating_sub(begin);
    if begin > most || end > most || from >= to || length == 0 {
        return Err(refused(begin.max(end)));
    }
    (from..to)
        .map(|coordinate| {
            let source = match mode {
                Mode::Constant if coordinate < 0 || coordinate > last => return Ok(None),
                Mode::Constant => coordinate,
                Mode::Edge => coordinate.clamp(0, last),
                Mode::Reflect if coordinate < 0 => -coordinate,
                Mode::Reflect if coordinate > last => 2 * last - coordinate,
                Mode::Reflect => coordinate,
                Mode::Wrap => coordinate.rem_euclid(length),
            };
            usize::try_from(source).map(Some).map_err(|_| refused(begin))
        })
        .collect()
}

/// Repeats axes of length 1, to the shape that both broadcast to.
pub(super) fn expand(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let value = call.value(0)?;
    let target = call.integer_list(1, "shape")?.unwrap_or_default();
    let impossible = || Refusal::Reshape {
        elements: value.shape().iter().product(),
        target: target.clone(),
    };
    let wanted = target
        .iter()
        .map(|&size| {
            usize::try_from(size)
                .ok()
                .filter(|&size| size > 0)
                .ok_or_else(impossible)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let shape = broadcast(value.shape(), &wanted).ok_or_else(impossible)?;
    call.builder.charge_shape(&shape)?;
    let indices = crate::shape::expansion(value.shape(), &shape).ok_or_else(impossible)?;
    Ok(vec![picked(&value, shape, &indices)?])
}

/// The elements of a value at some positions.
fn picked(value: &Value, shape: Vec<usize>, indices: &[usize]) -> Result<Value, Refusal> {
    Ok(match value {
        Value::Constant(constant) => Value::Constant(moved(constant, shape, indices)?),
        Value::Tensor(tensor) => Value::Tensor(Tensor {
            shape,
            elements: super::pick(&tensor.elements, indices)?,
            distribution: false,
            ..tensor.clone()
        }),
    })
}

/// Repeats each axis as a whole.
pub(super) fn tile(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let value = call.value(0)?;
    let repeats = call.integer_list(1, "repeats")?.unwrap_or_default();
    if repeats.len() != value.shape().len() {
        return Err(Refusal::AttributeLength {
            attribute: "repeats",
            expected: value.shape().len(),
            got: repeats.len(),
        });
    }
    let counts = repeats
        .iter()
        .map(|&count| {
            usize::try_from(count)
                .ok()
                .filter(|count| (1..=1 << 20).contains(count))
                .ok_or(Refusal::AttributeValue {
                    attribute: "repeats",
                    value: count.to_string(),
                    supported: "positive counts",
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let shape: Vec<usize> = value
        .shape()
        .iter()
        .zip(&counts)
        .map(|(&size, &count)| size.saturating_mul(count))
        .collect();
    call.builder.charge_shape(&shape)?;
    let axes: Vec<Vec<usize>> = identity_axes(value.shape())
        .into_iter()
        .zip(counts)
        .map(|(axis, count)| axis.repeat(count))
        .collect();
    Ok(vec![rearrange(call.builder, &value, &axes)?])
}

/// `(batch, channels, height, width, blocksize)`.
fn blocks(call: &mut Call<'_>) -> Result<([usize; 4], usize), Refusal> {
    call.arity(1, 1, "1")?;
    let size = call
        .attributes
        .integer("blocksize")?
        .ok_or(Refusal::MissingAttribute { attribute: "blocksize" })?;
    let block = usize::try_from(size)
        .ok()
        .filter(|block| (1..=1 << 16).contains(block))
        .ok_or(Refusal::AttributeValue {
            attribute: "blocksize",
            value: size.to_string(),
            supported: "a positive size",
        })?;
    let value = call.value(0)?;
    match *value.shape() {
        [batch, channels, height, width] => Ok(([batch, channels, height, width], block)),
        _ => Err(Refusal::Rank {
            shape: value.shape().to_vec(),
            expected: "a batch, channels, height and width are needed",
        }),
    }
}

/// Reshapes, permutes and reshapes again.
fn interleave(call: &mut Call<'_>, split: &[usize], permutation: &[usize], shape: Vec<usize>) -> Results {
    let value = call.value(0)?;
    let parts = reshape(call.builder, &value, split.to_vec())?;
    let axes = identity_axes(split);
    let axes: Vec<Vec<usize>> = permutation.iter().filter_map(|&axis| axes.get(axis).cloned()).collect();
    let moved = rearrange(call.builder, &parts, &axes)?;
    Ok(vec![reshape(call.builder, &moved, shape)?])
}

/// Moves blocks of channels into space.
pub(super) fn depth_to_space(call: &mut Call<'_>) -> Results {
    let mode = call.attributes.text("mode")?.unwrap_or("DCR");
    let ([batch, channels, height, width], block) = blocks(call)?;
    let depth = number::quotient(channels, block.saturating_mul(block)).ok_or(Refusal::Rank {
        shape: vec![channels],
        expected: "the channels must be a multiple of blocksize²",
    })?;
    let shape = vec![batch, depth, height.saturating_mul(block), width.saturating_mul(block)];
    match mode {
        "DCR" => {
            let split = [batch, block, block, depth, height, width];
            interleave(call, &split, &[0, 3, 4, 1, 5, 2], shape)
        }
        "CRD" => {
            let split = [batch, depth, block, block, height, width];
            interleave(call, &split, &[0, 1, 4, 2, 5, 3], shape)
        }
        other => Err(Refusal::AttributeValue {
            attribute: "mode",
            value: other.to_owned(),
            supported: "DCR or CRD",
        }),
    }
}

/// Moves blocks of space into channels.
pub(super) fn space_to_depth(call: &mut Call<'_>) -> Results {
    let ([batch, channels, height, width], block) = blocks(call)?;
    let (Some(rows), Some(columns)) = (number::quotient(height, block), number::quotient(width, block)) else {
        return Err(Refusal::Rank {
            shape: vec![height, width],
            expected: "height and width must be multiples of blocksize",
        });
    };
    let split = [batch, channels, rows, block, columns, block];
    let depth = channels.saturating_mul(block).saturating_mul(block);
    interleave(call, &split, &[0, 3, 5, 1, 2, 4], vec![batch, depth, rows, columns])
}
