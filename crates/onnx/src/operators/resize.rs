//! Resize and Upsample: every output coordinate reads one input coordinate (nearest) or two (linear) per axis.

use super::{Call, Results};
use crate::{
    Refusal,
    builder::Row,
    number,
    shape::{axis as resolve, strides},
    tensor::{Tensor, Value},
};

/// `(input coordinate, weight)` per output coordinate of one axis.
type Samples = Vec<Vec<(usize, f64)>>;

/// Linear or nearest, with the coordinate transformations that read nothing outside of the tensor.
pub(super) fn resize(call: &mut Call<'_>) -> Results {
    if call.version < 11 {
        call.arity(2, 2, "2 before operator set 11")?;
        return by_scales(call, 1, "asymmetric", "floor");
    }
    call.arity(1, 4, "1 to 4")?;
    let later = call.version >= 18;
    if later && call.attributes.flag("antialias", false)? {
        return Err(value("antialias", "1", "0"));
    }
    if later {
        let policy = call.attributes.text("keep_aspect_ratio_policy")?.unwrap_or("stretch");
        if policy != "stretch" {
            return Err(value("keep_aspect_ratio_policy", policy, "stretch"));
        }
    }
    // These belong to modes that are refused below.
    call.attributes.float("cubic_coeff_a")?;
    call.attributes.integer("exclude_outside")?;
    call.attributes.float("extrapolation_value")?;
    let transformation = call
        .attributes
        .text("coordinate_transformation_mode")?
        .unwrap_or("half_pixel");
    let rounding = call.attributes.text("nearest_mode")?.unwrap_or("round_prefer_floor");
    let axes = if later {
        call.attributes.integers("axes")?.map(<[i64]>::to_vec)
    } else {
        None
    };
    let operand = call.value(0)?;
    let rank = operand.shape().len();
    let axes = match axes {
        Some(axes) => axes
            .iter()
            .map(|&axis| resolve(axis, rank).ok_or(Refusal::Axis { axis, rank }))
            .collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    let scales = listed(call, 2)?;
    let sizes = match call.integer_list(3, "sizes")? {
        Some(sizes) if !sizes.is_empty() => Some(sizes),
        _ => None,
    };
    let mut targets: Vec<(usize, f64)> = operand.shape().iter().map(|&size| (size, 1.0)).collect();
    match (scales, sizes) {
        (Some(scales), None) if scales.len() == axes.len() => {
            for (&axis, scale) in axes.iter().zip(scales) {
                if let Some(target) = targets.get_mut(axis) {
                    *target = (scaled(target.0, scale)?, scale);
                }
            }
        }
        (None, Some(sizes)) if sizes.len() == axes.len() => {
            for (&axis, &size) in axes.iter().zip(&sizes) {
                let wanted = usize::try_from(size).ok().filter(|size| (1..=1 << 22).contains(size));
                let wanted = wanted.ok_or_else(|| value("sizes", &size.to_string(), "positive sizes"))?;
                if let Some(target) = targets.get_mut(axis) {
                    *target = (wanted, ratio(wanted, target.0));
                }
            }
        }
        _ => {
            return Err(Refusal::AttributeLength {
                attribute: "scales",
                expected: axes.len(),
                got: 0,
            });
        }
    }
    apply(call, &targets, transformation, rounding)
}

/// Scales as an attribute (before operator set 9) or an operand.
pub(super) fn upsample(call: &mut Call<'_>) -> Results {
    if call.version < 9 {
        call.arity(1, 1, "1 before operator set 9")?;
        let scales = call
            .attributes
            .floats("scales")?
            .ok_or(Refusal::MissingAttribute { attribute: "scales" })?;
        return with_scales(call, &scales, "asymmetric", "floor");
    }
    if call.version >= 10 {
        return Err(Refusal::OperatorVersion {
            version: call.version,
            supported: "operator set 7 to 9, or Resize",
        });
    }
    call.arity(2, 2, "2")?;
    by_scales(call, 1, "asymmetric", "floor")
}

fn by_scales(call: &mut Call<'_>, position: usize, transformation: &str, rounding: &str) -> Results {
    let scales = listed(call, position)?.ok_or(Refusal::MissingAttribute { attribute: "scales" })?;
    with_scales(call, &scales, transformation, rounding)
}

fn with_scales(call: &mut Call<'_>, scales: &[f64], transformation: &str, rounding: &str) -> Results {
    let operand = call.value(0)?;
    if scales.len() != operand.shape().len() {
        return Err(Refusal::AttributeLength {
            attribute: "scales",
            expected: operand.shape().len(),
            got: scales.len(),
        });
    }
    let targets = operand
        .shape()
        .iter()
        .zip(scales)
        .map(|(&size, &scale)| Ok((scaled(size, scale)?, scale)))
        .collect::<Result<Vec<_>, Refusal>>()?;
    apply(call, &targets, transformation, rounding)
}

fn value(attribute: &'static str, value: &str, supported: &'static str) -> Refusal {
    Refusal::AttributeValue {
        attribute,
        value: value.to_owned(),
        supported,
    }
}

/// A constant list of numbers; an empty one counts as left out.
fn listed(call: &Call<'_>, position: usize) -> Result<Option<Vec<f64>>, Refusal> {
    match call.optional(position).as_deref() {
        None => Ok(None),
        Some(Value::Constant(constant)) => Ok(constant.reals().filter(|list| !list.is_empty())),
        Some(Value::Tensor(_)) => Err(Refusal::NotConstant { operand: "scales" }),
    }
}

fn ratio(numerator: usize, denominator: usize) -> f64 {
    number::count(numerator) / number::count(denominator.max(1))
}

/// `⌊size·scale⌋`
fn scaled(size: usize, scale: f64) -> Result<usize, Refusal> {
    number::truncate((number::count(size) * scale).floor())
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| scale.is_finite() && (1..=1 << 22).contains(size))
        .ok_or_else(|| value("scales", &scale.to_string(), "positive factors"))
}

fn apply(call: &mut Call<'_>, targets: &[(usize, f64)], transformation: &str, rounding: &str) -> Results {
    let mode = call.attributes.text("mode")?.unwrap_or("nearest");
    let linear = match mode {
        "nearest" => false,
        "linear" => true,
        other => return Err(value("mode", other, "nearest or linear")),
    };
    let operand = call.numbers(0)?;
    let shape: Vec<usize> = targets.iter().map(|(size, _)| *size).collect();
    let count = call.builder.charge_shape(&shape)?;
    let mut axes: Vec<Samples> = Vec::with_capacity(targets.len());
    for (&size, &(target, scale)) in operand.shape.iter().zip(targets) {
        axes.push(samples(size, target, scale, transformation, rounding, linear)?);
    }
    let mut taps: Vec<Vec<(usize, f64)>> = vec![vec![(0, 1.0)]];
    for (axis, stride) in axes.iter().zip(strides(&operand.shape)) {
        let along = |known: &[(usize, f64)], more: &[(usize, f64)]| -> Vec<(usize, f64)> {
            let pairs = known
                .iter()
                .flat_map(|known| more.iter().map(move |more| (known, more)));
            pairs
                .map(|((base, weight), (source, factor))| (base + source * stride, weight * factor))
                .collect()
        };
        call.builder.charge_terms(taps.len().saturating_mul(axis.len()))?;
        taps = taps
            .iter()
            .flat_map(|known| axis.iter().map(move |more| along(known, more)))
            .collect();
    }
    if !linear {
        let indices: Vec<usize> = taps.iter().flatten().map(|(source, _)| *source).collect();
        return Ok(vec![Value::Tensor(Tensor {
            elements: super::pick(&operand.elements, &indices)?,
            shape,
            distribution: false,
            ..operand
        })]);
    }
    if !operand.data_type.is_float() {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it to float32 first",
        });
    }
    call.builder.charge_terms(taps.iter().map(Vec::len).sum())?;
    let mut rows = Vec::with_capacity(count);
    for taps in &taps {
        let mut row = Row::default();
        for (source, weight) in taps {
            if let Some(&element) = operand.elements.get(*source) {
                row.add(element, *weight);
            }
        }
        rows.push(row);
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

fn samples(
    size: usize,
    target: usize,
    scale: f64,
    transformation: &str,
    rounding: &str,
    linear: bool,
) -> Result<Samples, Refusal> {
    let (length, resized) = (number::count(size), number::count(target));
    if size == target && scale == 1.0 {
        return Ok((0..size).map(|place| vec![(place, 1.0)]).collect());
    }
    let last = length - 1.0;
    let at = |position: f64| {
        let position = number::truncate(position.clamp(0.0, last)).unwrap_or(0);
        usize::try_from(position).unwrap_or(0)
    };
    (0..target)
        .map(|place| {
            let x = number::count(place);
            let position = match transformation {
                "half_pixel" => (x + 0.5) / scale - 0.5,
                "half_pixel_symmetric" => {
                    let adjustment = resized / (scale * length);
                    let offset = length / 2.0 * (1.0 - adjustment);
                    offset + (x + 0.5) / scale - 0.5
                }
                "pytorch_half_pixel" if target == 1 => 0.0,
                "pytorch_half_pixel" => (x + 0.5) / scale - 0.5,
                // The standard and ONNX Runtime differ where the scaled length is cut.
                "align_corners" if (scale * length).fract() != 0.0 && scale != resized / length => {
                    return Err(value("align_corners with scale", &scale.to_string(), "sizes"));
                }
                "align_corners" if target == 1 => 0.0,
                "align_corners" => x * last / (resized - 1.0),
                "asymmetric" => x / scale,
                other => {
                    return Err(value(
                        "coordinate_transformation_mode",
                        other,
                        "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners or asymmetric",
                    ));
                }
            };
            if linear {
                let inside = position.clamp(0.0, last);
                let fraction = inside - inside.floor();
                let mut pair = vec![(at(inside.floor()), 1.0 - fraction)];
                if fraction > 0.0 {
                    pair.push((at(inside.floor() + 1.0), fraction));
                }
                return Ok(pair);
            }
            let whole = match rounding {
                "round_prefer_floor" => (position - 0.5).ceil(),
                "round_prefer_ceil" => (position + 0.5).floor(),
                "floor" => position.floor(),
                "ceil" => position.ceil(),
                other => {
                    return Err(value(
                        "nearest_mode",
                        other,
                        "round_prefer_floor, round_prefer_ceil, floor or ceil",
                    ));
                }
            };
            Ok(vec![(at(whole), 1.0)])
        })
        .collect()
}
