//! Conv, as one affine row per output element; no window is copied.

use zkverdict_model::Weights;

use super::{
    Call, Results, quantized, same_type,
    window::{Tap, Window, image},
};
use crate::{
    Refusal,
    builder::Row,
    shape::{element_count, extent},
    tensor::{Element, Tensor},
};

/// Convolution over any number of spatial axes, with groups.
pub(super) fn convolution(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    if let Some(results) = quantized::convolution_of_reals(call)? {
        return Ok(results);
    }
    let (operand, weights) = (call.floats(0)?, call.floats(1)?);
    same_type(operand.data_type, weights.data_type)?;
    let bias = match call.optional(2) {
        None => None,
        Some(_) => {
            let bias = call.floats(2)?;
            same_type(operand.data_type, bias.data_type)?;
            Some(bias)
        }
    };
    let (shape, elements) = convolve(call, &operand, 0.0, &weights, bias.as_ref())?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// Shape and elements of a convolution of `operand − zero`, which is zero where padded.
pub(super) fn convolve(
    call: &mut Call<'_>,
    operand: &Tensor,
    zero: f64,
    weights: &Tensor,
    bias: Option<&Tensor>,
) -> Result<(Vec<usize>, Vec<Element>), Refusal> {
    let groups = call.attributes.integer("group")?.unwrap_or(1);
    let mismatch = || Refusal::Shapes {
        left: operand.shape.clone(),
        right: weights.shape.clone(),
    };
    let (batch, channels, spatial) = image(&operand.shape)?;
    let (maps, depth, kernel) = image(&weights.shape)?;
    if kernel.len() != spatial.len() {
        return Err(mismatch());
    }
    let groups = usize::try_from(groups)
        .ok()
        .filter(|&groups| groups > 0 && groups.checked_mul(depth) == Some(channels) && maps % groups == 0)
        .ok_or_else(mismatch)?;
    let window = Window::read(call, spatial, Some(kernel), true, false)?;
    let output = window.output();
    let shape: Vec<usize> = [batch, maps].into_iter().chain(output.iter().copied()).collect();
    let count = call.builder.charge_shape(&shape)?;
    let places = window.places();
    // The windows themselves are listed once for all channels.
    let listed = extent(&output).unwrap_or(usize::MAX).saturating_mul(places.max(1));
    let terms = count.saturating_mul(depth).saturating_mul(places);
    call.builder.charge_terms(terms.max(listed))?;
    let plane = element_count(spatial).unwrap_or(usize::MAX);
    let taps = window.taps();
    let per_group = maps / groups;
    if let Some(bias) = bias
        && bias.shape != [maps]
    {
        return Err(Refusal::Shapes {
            left: bias.shape.clone(),
            right: vec![maps],
        });
    }
    let mut rows = Vec::with_capacity(count);
    let weights_used = if batch > 1 || taps.len() > 1 {
        Weights::Shared
    } else {
        Weights::Learned
    };
    for sample in 0..batch {
        for map in 0..maps {
            let filter = map * depth * places..(map + 1) * depth * places;
            let filter = weights.elements.get(filter).ok_or_else(mismatch)?;
            let first = sample * channels + map / per_group.max(1) * depth;
            for taps in &taps {
                let mut row = Row::default();
                row.note(weights_used);
                for (channel, filter) in filter.chunks(places.max(1)).enumerate() {
                    let start = (first + channel) * plane;
                    for (&weight, &tap) in filter.iter().zip(taps) {
                        if let Tap::Input(position) = tap {
                            let element = operand.elements.get(start + position).ok_or_else(mismatch)?;
                            row.add_product(*element, weight)?;
                            row.add_product(Element::Fixed(-zero), weight)?;
                        }
                    }
                }
                if let Some(&bias) = bias.and_then(|bias| bias.elements.get(map)) {
                    row.add(bias, 1.0);
                }
                rows.push(row);
            }
        }
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok((shape, elements))
}
