//! BatchNormalization, and the normalisations that compute their own mean and variance.

use zkverdict_model::{Elementary, Formula};

use super::{Call, Results, reduction::squares, same_type, window::image};
use crate::{
    Refusal,
    builder::Row,
    shape::{axis as resolve, element_count, expansion},
    tensor::{Element, Tensor},
};

/// `scale·(x − mean)/√(variance + ε) + bias` per channel, all four constant.
pub(super) fn batch_normalization(call: &mut Call<'_>) -> Results {
    call.arity(5, 5, "5")?;
    if call.version < 7 {
        return Err(Refusal::OperatorVersion {
            version: call.version,
            supported: "operator set 7 or later",
        });
    }
    let epsilon = epsilon(call)?;
    call.attributes.float("momentum")?;
    if call.version < 9 && !call.attributes.flag("spatial", true)? {
        return Err(Refusal::AttributeValue {
            attribute: "spatial",
            value: "0".to_owned(),
            supported: "1",
        });
    }
    if call.version >= 14 && call.attributes.flag("training_mode", false)? {
        return Err(Refusal::AttributeValue {
            attribute: "training_mode",
            value: "1".to_owned(),
            supported: "an export for inference",
        });
    }
    if call.results > 1 {
        return Err(Refusal::Arity {
            what: "results",
            expected: "1 outside of training",
            got: call.results,
        });
    }
    let operand = call.floats(0)?;
    let channels = *operand.shape.get(1).ok_or_else(|| Refusal::Rank {
        shape: operand.shape.clone(),
        expected: "a batch and channels are needed",
    })?;
    let names = ["scale", "B", "input_mean", "input_var"];
    let mut lists = Vec::new();
    for (position, operand) in (1..).zip(names) {
        let list = constants(call, position, operand)?;
        if list.len() != channels {
            return Err(Refusal::AttributeLength {
                attribute: operand,
                expected: channels,
                got: list.len(),
            });
        }
        lists.push(list);
    }
    let [scale, bias, mean, variance] = lists.as_slice() else {
        return Err(Refusal::OnlyConstants);
    };
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count)?;
    let plane = operand.shape.iter().skip(2).product::<usize>().max(1);
    let per_channel = || scale.iter().zip(bias).zip(mean.iter().zip(variance)).cycle();
    let mut rows = Vec::with_capacity(count);
    for (elements, ((scale, bias), (mean, variance))) in operand.elements.chunks(plane).zip(per_channel()) {
        let factor = scale / (variance + epsilon).sqrt();
        if !factor.is_finite() {
            return Err(Refusal::NotFinite);
        }
        for &element in elements {
            let mut row = Row::learned();
            row.add(element, factor);
            row.add_bias(bias - mean * factor);
            rows.push(row);
        }
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

fn epsilon(call: &mut Call<'_>) -> Result<f64, Refusal> {
    let epsilon = call.attributes.float("epsilon")?.unwrap_or(f64::from(1e-5_f32));
    if epsilon.is_finite() && epsilon >= 0.0 {
        Ok(epsilon)
    } else {
        Err(Refusal::NotFinite)
    }
}

/// The numbers of a constant operand.
fn constants(call: &Call<'_>, position: usize, operand: &'static str) -> Result<Vec<f64>, Refusal> {
    call.floats(position)?
        .elements
        .iter()
        .map(|element| match element {
            Element::Fixed(number) => Ok(*number),
            Element::Of { .. } => Err(Refusal::NotConstant { operand }),
        })
        .collect()
}

/// Over the axes from one on; the second and third result are the mean and `1/√(variance + ε)`.
pub(super) fn layer_normalization(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    let axis = call.attributes.integer("axis")?.unwrap_or(-1);
    let epsilon = epsilon(call)?;
    // The type that ONNX Runtime computes the mean in; float32 is the only one that makes no difference.
    let stash = call.attributes.integer("stash_type")?.unwrap_or(1);
    if stash != 1 {
        return Err(Refusal::AttributeValue {
            attribute: "stash_type",
            value: stash.to_string(),
            supported: "1",
        });
    }
    let operand = call.floats(0)?;
    let rank = operand.shape.len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let (lead, tail) = operand.shape.split_at_checked(position).unwrap_or_default();
    let width = element_count(tail).unwrap_or(usize::MAX);
    let scale = broadcast_to(call, 1, "Scale", tail)?;
    let bias = match call.optional(2) {
        Some(_) => Some(broadcast_to(call, 2, "B", tail)?),
        None => None,
    };
    let parameters = Parameters {
        epsilon,
        scale: scale.repeat(element_count(lead).unwrap_or(0)),
        bias: bias.map(|bias| bias.repeat(element_count(lead).unwrap_or(0))),
    };
    let normalized = normalize(call, &operand, width, &parameters)?;
    let ones = tail.iter().map(|_| 1);
    let shape: Vec<usize> = lead.iter().copied().chain(ones).collect();
    Ok(vec![
        call.number_tensor(operand.data_type, operand.shape.clone(), normalized.elements),
        call.number_tensor(operand.data_type, shape.clone(), normalized.means),
        call.number_tensor(operand.data_type, shape, normalized.inverses),
    ])
}

/// Over the spatial axes of each channel.
pub(super) fn instance_normalization(call: &mut Call<'_>) -> Results {
    call.arity(3, 3, "3")?;
    let epsilon = epsilon(call)?;
    let operand = call.floats(0)?;
    let (batch, channels, spatial) = image(&operand.shape)?;
    let width = element_count(spatial).unwrap_or(usize::MAX);
    let parameters = Parameters {
        epsilon,
        scale: spread(call, 1, "scale", channels, width, batch)?,
        bias: Some(spread(call, 2, "B", channels, width, batch)?),
    };
    let normalized = normalize(call, &operand, width, &parameters)?;
    Ok(vec![call.number_tensor(
        operand.data_type,
        operand.shape.clone(),
        normalized.elements,
    )])
}

/// The constants of an operand of `listed` numbers, each `repeated` times, for every element of the batch.
fn spread(
    call: &Call<'_>,
    position: usize,
    operand: &'static str,
    listed: usize,
    repeated: usize,
    batch: usize,
) -> Result<Vec<f64>, Refusal> {
    let list = constants(call, position, operand)?;
    if list.len() != listed {
        return Err(Refusal::AttributeLength {
            attribute: operand,
            expected: listed,
            got: list.len(),
        });
    }
    let numbers = list.iter().flat_map(|number| std::iter::repeat_n(*number, repeated));
    Ok(numbers.collect::<Vec<_>>().repeat(batch))
}

/// Over groups of channels and the spatial axes. Scale and bias are per group before operator set 21, per channel later.
pub(super) fn group_normalization(call: &mut Call<'_>) -> Results {
    call.arity(3, 3, "3")?;
    let epsilon = epsilon(call)?;
    if call.version >= 21 {
        call.attributes.integer("stash_type")?;
    }
    let groups = call
        .attributes
        .integer("num_groups")?
        .ok_or(Refusal::MissingAttribute {
            attribute: "num_groups",
        })?;
    let operand = call.floats(0)?;
    let (batch, channels, spatial) = image(&operand.shape)?;
    let plane = element_count(spatial).unwrap_or(usize::MAX);
    let groups = usize::try_from(groups)
        .ok()
        .filter(|&groups| groups > 0 && channels % groups == 0)
        .ok_or(Refusal::AttributeValue {
            attribute: "num_groups",
            value: groups.to_string(),
            supported: "a divisor of the number of channels",
        })?;
    let width = (channels / groups).saturating_mul(plane);
    let (listed, repeated) = if call.version >= 21 {
        (channels, plane)
    } else {
        (groups, width)
    };
    let parameters = Parameters {
        epsilon,
        scale: spread(call, 1, "scale", listed, repeated, batch)?,
        bias: Some(spread(call, 2, "bias", listed, repeated, batch)?),
    };
    let normalized = normalize(call, &operand, width, &parameters)?;
    Ok(vec![call.number_tensor(
        operand.data_type,
        operand.shape.clone(),
        normalized.elements,
    )])
}

struct Parameters {
    epsilon: f64,
    /// One per element.
    scale: Vec<f64>,
    bias: Option<Vec<f64>>,
}

struct Normalized {
    elements: Vec<Element>,
    means: Vec<Element>,
    inverses: Vec<Element>,
}

/// A constant operand repeated to fill a shape.
fn broadcast_to(call: &Call<'_>, position: usize, operand: &'static str, shape: &[usize]) -> Result<Vec<f64>, Refusal> {
    let tensor = call.floats(position)?;
    same_type(call.floats(0)?.data_type, tensor.data_type)?;
    let indices = expansion(&tensor.shape, shape).ok_or_else(|| Refusal::Shapes {
        left: tensor.shape.clone(),
        right: shape.to_vec(),
    })?;
    let numbers = constants(call, position, operand)?;
    super::pick(&numbers, &indices)
}

/// Normalises consecutive groups of `width` elements.
fn normalize(
    call: &mut Call<'_>,
    operand: &Tensor,
    width: usize,
    parameters: &Parameters,
) -> Result<Normalized, Refusal> {
    if width == 0 {
        return Err(Refusal::Empty {
            shape: operand.shape.clone(),
        });
    }
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count.saturating_mul(2))?;
    let label = call.label.clone();
    let share = f64::from(u32::try_from(width).unwrap_or(u32::MAX)).recip();
    let means = operand
        .elements
        .chunks(width)
        .map(|group| {
            let mut row = Row::default();
            for &element in group {
                row.add(element, share);
            }
            row
        })
        .collect();
    let means = call.builder.affine(&label, means)?;
    let centred = operand
        .elements
        .chunks(width)
        .zip(&means)
        .flat_map(|(group, &mean)| {
            group.iter().map(move |&element| {
                let mut row = Row::default();
                row.add(element, 1.0);
                row.add(mean, -1.0);
                row
            })
        })
        .collect();
    let centred = call.builder.affine(&label, centred)?;
    let groups: Vec<Vec<Element>> = centred.chunks(width).map(<[Element]>::to_vec).collect();
    let sums = squares(call, &groups)?;
    let inverse = Formula::Argument
        .affine(share, parameters.epsilon)
        .then(Elementary::Sqrt)
        .then(Elementary::Reciprocal);
    let inverses = call.builder.function(&label, inverse, &sums)?;
    let rows = (0..centred.len()).map(|index| vec![(index, index / width)]).collect();
    let normal = call.builder.products(&label, &centred, &inverses, rows)?;
    let biases = parameters.bias.iter().flatten().copied().chain(std::iter::repeat(0.0));
    let rows = normal
        .iter()
        .zip(parameters.scale.iter().zip(biases))
        .map(|(&element, (scale, bias))| {
            let mut row = Row::learned();
            row.add(element, *scale);
            row.add_bias(bias);
            row
        })
        .collect();
    Ok(Normalized {
        elements: call.builder.affine(&label, rows)?,
        means,
        inverses,
    })
}
