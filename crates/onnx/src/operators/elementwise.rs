//! Functions of one variable, as formulas, and the piecewise-linear ones, which need none.

use zkverdict_model::{
    Elementary::{self, Abs, Erf, Exp, Log, Reciprocal, Relu, Softplus, Sqrt, Tanh},
    Formula, Op,
};

use super::{
    Call, Results,
    arithmetic::{aligned, common_shape},
    same_type,
};
use crate::{
    Refusal, number,
    tensor::{Element, Tensor},
};

/// An operator without attributes that is one elementary function.
pub(super) fn elementary(call: &mut Call<'_>, function: Elementary) -> Results {
    call.arity(1, 1, "1")?;
    tabulated(call, Formula::of(function))
}

fn tabulated(call: &mut Call<'_>, formula: Formula) -> Results {
    let operand = call.floats(0)?;
    call.builder.charge_shape(&operand.shape)?;
    let elements = call.builder.function(&call.label, formula, &operand.elements)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// A finite attribute, rounded to float32 as the file holds it.
fn parameter(call: &mut Call<'_>, name: &'static str, default: f32) -> Result<f64, Refusal> {
    let value = call.attributes.float(name)?.unwrap_or(f64::from(default));
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Refusal::NotFinite)
    }
}

/// `½x(1 + erf(x/√2))`, or its approximation by tanh.
pub(super) fn gelu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let x = Formula::Argument;
    let inner = match call.attributes.text("approximate")?.unwrap_or("none") {
        "none" => x.clone().affine(std::f64::consts::FRAC_1_SQRT_2, 0.0).then(Erf),
        "tanh" => {
            let cube = x.clone().times(x.clone()).times(x.clone());
            let sum = x.clone().plus(cube.affine(0.044_715, 0.0));
            sum.affine((2.0 / std::f64::consts::PI).sqrt(), 0.0).then(Tanh)
        }
        other => {
            return Err(Refusal::AttributeValue {
                attribute: "approximate",
                value: other.to_owned(),
                supported: "none or tanh",
            });
        }
    };
    tabulated(call, x.times(inner.affine(0.5, 0.5)))
}

/// `max(x, 0) + α·(e^min(x/β, 0) − 1)`, scaled.
fn exponential_unit(alpha: f64, beta: f64, scale: f64) -> Formula {
    let x = Formula::Argument;
    // min(x, 0) = −max(−x, 0)
    let below = x.clone().affine(-1.0 / beta, 0.0).then(Relu).affine(-1.0, 0.0);
    let tail = below.then(Exp).affine(alpha * scale, -alpha * scale);
    x.then(Relu).affine(scale, 0.0).plus(tail)
}

/// `x`, or `α·(e^x − 1)` below zero.
pub(super) fn elu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let alpha = parameter(call, "alpha", 1.0)?;
    tabulated(call, exponential_unit(alpha, 1.0, 1.0))
}

/// `max(x, 0) + min(0, α·(e^(x/α) − 1))`
pub(super) fn celu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let alpha = parameter(call, "alpha", 1.0)?;
    if alpha <= 0.0 {
        return Err(Refusal::AttributeValue {
            attribute: "alpha",
            value: alpha.to_string(),
            supported: "a positive number",
        });
    }
    tabulated(call, exponential_unit(alpha, alpha, 1.0))
}

/// `γ·x`, or `γ·α·(e^x − 1)` below zero.
pub(super) fn selu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let alpha = parameter(call, "alpha", 1.673_263_2)?;
    let gamma = parameter(call, "gamma", 1.050_701)?;
    tabulated(call, exponential_unit(alpha, 1.0, gamma))
}

/// `x · tanh(ln(1 + e^x))`
pub(super) fn mish(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let x = Formula::Argument;
    tabulated(call, x.clone().times(x.then(Softplus).then(Tanh)))
}

/// `x / (1 + |x|)`
pub(super) fn softsign(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let x = Formula::Argument;
    let inverse = x.clone().then(Abs).affine(1.0, 1.0).then(Reciprocal);
    tabulated(call, x.times(inverse))
}

/// `x · max(0, min(1, x/6 + ½))`
pub(super) fn hard_swish(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let x = Formula::Argument;
    let ramp = x.clone().affine(1.0 / 6.0, 0.5);
    // min(max(r, 0), 1) = max(r, 0) − max(r − 1, 0)
    let clipped = ramp
        .clone()
        .then(Relu)
        .plus(ramp.affine(1.0, -1.0).then(Relu).affine(-1.0, 0.0));
    tabulated(call, x.times(clipped))
}

/// `max(0, min(1, α·x + β))`
pub(super) fn hard_sigmoid(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let alpha = parameter(call, "alpha", 0.2)?;
    let beta = parameter(call, "beta", 0.5)?;
    let operand = call.floats(0)?;
    let len = call.builder.charge_shape(&operand.shape)?;
    let ramps = call.builder.combine(&call.label, &[(&operand.elements, alpha)], beta)?;
    let clip = Op::Clip { min: 0.0, max: 1.0 };
    let elements = call.builder.apply(&call.label, clip, &ramps, len)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// `|x|`
pub(super) fn absolute(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    call.builder.charge_shape(&operand.shape)?;
    let elements = call.builder.absolute(&call.label, &operand.elements)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// `x`, or `α·x` below zero: `α·x + (1 − α)·max(x, 0)`, which needs no table.
pub(super) fn leaky_relu(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let alpha = parameter(call, "alpha", 0.01)?;
    let operand = call.floats(0)?;
    let slopes = vec![Element::Fixed(alpha); operand.elements.len()];
    leaky(call, operand, slopes)
}

/// `x`, or `slope·x` below zero, the slope broadcasting to `x`.
pub(super) fn prelu(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let (operand, slope) = (call.floats(0)?, call.floats(1)?);
    same_type(operand.data_type, slope.data_type)?;
    if common_shape(&operand.shape, &slope.shape)? != operand.shape {
        return Err(Refusal::Shapes {
            left: operand.shape,
            right: slope.shape,
        });
    }
    let slopes = aligned(&slope, &operand.shape)?.collect();
    leaky(call, operand, slopes)
}

fn leaky(call: &mut Call<'_>, operand: Tensor, slopes: Vec<Element>) -> Results {
    let len = call.builder.charge_shape(&operand.shape)?;
    let slopes = slopes
        .into_iter()
        .map(|slope| match slope {
            Element::Fixed(slope) => Ok(slope),
            Element::Of { .. } => Err(Refusal::NotConstant { operand: "slope" }),
        })
        .collect::<Result<Vec<f64>, _>>()?;
    let ramps = call.builder.relu(&call.label, &operand.elements)?;
    call.builder.charge_terms(len.saturating_mul(2))?;
    let rows = operand
        .elements
        .iter()
        .zip(ramps)
        .zip(slopes)
        .map(|((&element, ramp), slope)| {
            let mut row = crate::builder::Row::learned();
            row.add(element, slope);
            row.add(ramp, 1.0 - slope);
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// A power with constant exponents: whole ones up to 16 by products, ±½ and −1 by a table.
pub(super) fn power(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let base = call.floats(0)?;
    let exponents = call.numbers(1)?;
    let shape = common_shape(&base.shape, &exponents.shape)?;
    let len = call.builder.charge_shape(&shape)?;
    let bases: Vec<Element> = aligned(&base, &shape)?.collect();
    let exponents = aligned(&exponents, &shape)?
        .map(|element| match element {
            Element::Fixed(exponent) => Ok(exponent),
            Element::Of { .. } => Err(Refusal::NotConstant { operand: "exponent" }),
        })
        .collect::<Result<Vec<f64>, _>>()?;
    let mut distinct = exponents.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let mut results = vec![Element::Fixed(1.0); len];
    for exponent in distinct {
        let chosen = || exponents.iter().zip(&bases).filter(|(other, _)| **other == exponent);
        let bases: Vec<Element> = chosen().map(|(_, &base)| base).collect();
        let mut powers = raised(call, &bases, exponent)?.into_iter();
        for (result, other) in results.iter_mut().zip(&exponents) {
            if *other == exponent {
                *result = powers.next().ok_or(Refusal::OnlyConstants)?;
            }
        }
    }
    Ok(vec![call.number_tensor(base.data_type, shape, results)])
}

fn raised(call: &mut Call<'_>, bases: &[Element], exponent: f64) -> Result<Vec<Element>, Refusal> {
    let label = call.label.clone();
    let refused = || Refusal::AttributeValue {
        attribute: "exponent",
        value: exponent.to_string(),
        supported: "whole numbers from 0 to 16, 0.5, -0.5 or -1",
    };
    if exponent == 0.5 || exponent == -0.5 || exponent == -1.0 {
        let root = if exponent == -1.0 {
            Formula::Argument
        } else {
            Formula::of(Sqrt)
        };
        let formula = if exponent < 0.0 { root.then(Reciprocal) } else { root };
        return call.builder.function(&label, formula, bases);
    }
    let whole = number::whole(exponent)
        .filter(|whole| (0..=16).contains(whole))
        .ok_or_else(refused)?;
    if whole == 0 {
        return Ok(vec![Element::Fixed(1.0); bases.len()]);
    }
    // Square and multiply, from the highest bit.
    let mut power = bases.to_vec();
    let bits = 63 - whole.leading_zeros();
    for bit in (0..bits).rev() {
        power = elementwise_product(call, &power.clone(), &power)?;
        if whole >> bit & 1 == 1 {
            power = elementwise_product(call, &power, bases)?;
        }
    }
    Ok(power)
}

/// Products of two lists, position by position.
pub(super) fn elementwise_product(
    call: &mut Call<'_>,
    left: &[Element],
    right: &[Element],
) -> Result<Vec<Element>, Refusal> {
    let rows = (0..left.len()).map(|index| vec![(index, index)]).collect();
    call.builder.products(&call.label, left, right, rows)
}

/// `ln` of a softmax along one axis, by way of the largest element.
pub(super) fn log_softmax(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    let (contiguous, classes, back, _) = super::activation::along_axis(call, &operand)?;
    let groups: Vec<Vec<Element>> = contiguous.chunks(classes.max(1)).map(<[Element]>::to_vec).collect();
    call.builder.charge_shape(&operand.shape)?;
    let (_, shifted) = super::reduction::log_sum_exp(call, &groups)?;
    let elements = super::pick(&shifted, &back)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// Logarithm, exponential and their kin need no more than their names.
pub(super) fn named(operator: &str) -> Option<Elementary> {
    Some(match operator {
        "Atan" => Elementary::Atan,
        "Cos" => Elementary::Cos,
        "Erf" => Erf,
        "Exp" => Exp,
        "Log" => Log,
        "Reciprocal" => Reciprocal,
        "Sin" => Elementary::Sin,
        "Softplus" => Softplus,
        "Sqrt" => Sqrt,
        "Tanh" => Tanh,
        _ => return None,
    })
}
