//! Add, Sub, Mul, Div, Neg: affine where at most one factor is computed, and `float32` steps where only constants are added
//! to and multiplied with each element.

use zkverdict_model::{Elementary, Formula, SingleStep, Weights};

use super::{Call, Results, quantized, rounded, same_type};
use crate::{
    DataType, Refusal,
    builder::{Row, Single},
    number,
    shape::{broadcast, expansion},
    tensor::{Constant, Data, Element, Tensor, Value},
};

/// An elementwise operator of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
}

/// `left ∘ right` with broadcasting.
pub(super) fn binary(call: &mut Call<'_>, operator: Binary) -> Results {
    call.arity(2, 2, "2")?;
    let (left, right) = (call.value(0)?, call.value(1)?);
    same_type(left.data_type(), right.data_type())?;
    if let (Value::Constant(left), Value::Constant(right)) = (&*left, &*right) {
        return fold(call, operator, left, right);
    }
    let (left, right) = (call.floats(0)?, call.floats(1)?);
    let shape = common_shape(&left.shape, &right.shape)?;
    let count = call.builder.charge_shape(&shape)?;
    call.builder.charge_terms(count.saturating_mul(2))?;
    let multiplies = operator == Binary::Mul && !left.is_fixed();
    if !right.is_fixed() && (multiplies || operator == Binary::Div) {
        return product(call, operator, &left, &right, shape);
    }
    let pairs: Vec<(Element, Element)> = aligned(&left, &shape)?.zip(aligned(&right, &shape)?).collect();
    if left.data_type == DataType::Float32 {
        let singles: Option<Vec<Single>> = pairs.iter().map(|&(a, b)| single(operator, a, b)).collect();
        if let Some(rows) = singles {
            let codes = (operator == Binary::Add)
                .then(|| quantized::added_codes(call, &shape))
                .flatten();
            let elements = call.builder.singles(&call.label, rows)?;
            if let Some(behind) = codes {
                call.builder.put_behind(&elements, behind);
            }
            return Ok(vec![call.number_tensor(left.data_type, shape, elements)]);
        }
    }
    let mut rows = Vec::with_capacity(count);
    for (a, b) in pairs {
        let mut row = Row::default();
        match operator {
            Binary::Add => {
                row.add(a, 1.0);
                row.add(b, 1.0);
            }
            Binary::Sub => {
                row.add(a, 1.0);
                row.add(b, -1.0);
            }
            Binary::Mul => row.add_product(a, b)?,
            Binary::Div => match b {
                Element::Fixed(0.0) => return Err(Refusal::DivisionByZero),
                Element::Fixed(divisor) => {
                    row.note(Weights::Learned);
                    row.add(a, divisor.recip());
                }
                Element::Of { .. } => return Err(Refusal::TwoComputed),
            },
        }
        rows.push(row);
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}

/// `a ∘ b` as `float32` arithmetic on the one of them that is computed.
fn single(operator: Binary, a: Element, b: Element) -> Option<Single> {
    let exact = |number: f64| Some(number::narrow(number)).filter(|_| number::single(number) == number);
    let (element, steps) = match (operator, a, b) {
        (Binary::Add, Element::Fixed(constant), element) | (Binary::Add, element, Element::Fixed(constant)) => {
            (element, vec![SingleStep::Plus(exact(constant)?)])
        }
        (Binary::Sub, element, Element::Fixed(constant)) => (element, vec![SingleStep::Plus(exact(-constant)?)]),
        // A change of sign rounds nothing.
        (Binary::Sub, Element::Fixed(constant), element) => {
            let steps = vec![SingleStep::Times(-1.0), SingleStep::Plus(exact(constant)?)];
            (element, steps)
        }
        (Binary::Mul, Element::Fixed(constant), element) | (Binary::Mul, element, Element::Fixed(constant)) => {
            (element, vec![SingleStep::Times(exact(constant)?)])
        }
        (Binary::Div, element, Element::Fixed(constant)) => (element, vec![SingleStep::Over(exact(constant)?)]),
        _ => return None,
    };
    Single::new(element, steps)
}

/// A product of computed operands, or a quotient by one, which is a product with its inverse.
fn product(call: &mut Call<'_>, operator: Binary, left: &Tensor, right: &Tensor, shape: Vec<usize>) -> Results {
    let label = call.label.clone();
    let right_elements = if operator == Binary::Div {
        let inverse = Formula::of(Elementary::Reciprocal);
        call.builder.function(&label, inverse, &right.elements)?
    } else {
        right.elements.clone()
    };
    let indices = |from: &[usize]| {
        expansion(from, &shape).ok_or_else(|| Refusal::Shapes {
            left: from.to_vec(),
            right: shape.clone(),
        })
    };
    let pairs = indices(&left.shape)?.into_iter().zip(indices(&right.shape)?);
    let rows = pairs.map(|pair| vec![pair]).collect();
    let elements = call.builder.products(&label, &left.elements, &right_elements, rows)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}

/// `−x`.
pub(super) fn neg(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count)?;
    if operand.data_type == DataType::Float32 {
        let negative = |&element: &Element| Single::new(element, vec![SingleStep::Times(-1.0)]);
        if let Some(rows) = operand.elements.iter().map(negative).collect() {
            let elements = call.builder.singles(&call.label, rows)?;
            return Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)]);
        }
    }
    let rows = operand
        .elements
        .iter()
        .map(|&element| {
            let mut row = Row::default();
            row.add(element, -1.0);
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// The shape that both operands broadcast to.
pub(super) fn common_shape(left: &[usize], right: &[usize]) -> Result<Vec<usize>, Refusal> {
    broadcast(left, right).ok_or_else(|| Refusal::Shapes {
        left: left.to_vec(),
        right: right.to_vec(),
    })
}

/// The elements of an operand, repeated to fill `shape`.
pub(super) fn aligned<'t>(
    operand: &'t Tensor,
    shape: &[usize],
) -> Result<impl Iterator<Item = Element> + use<'t>, Refusal> {
    let indices = expansion(&operand.shape, shape).ok_or_else(|| Refusal::Shapes {
        left: operand.shape.clone(),
        right: shape.to_vec(),
    })?;
    Ok(indices
        .into_iter()
        .filter_map(|index| operand.elements.get(index).copied()))
}

/// Both operands are constants.
fn fold(call: &mut Call<'_>, operator: Binary, left: &Constant, right: &Constant) -> Results {
    let shape = common_shape(&left.shape, &right.shape)?;
    call.builder.charge_shape(&shape)?;
    let data_type = left.data_type;
    let indices = |constant: &Constant| {
        expansion(&constant.shape, &shape).ok_or_else(|| Refusal::Shapes {
            left: constant.shape.clone(),
            right: shape.clone(),
        })
    };
    let pairs: Vec<(usize, usize)> = indices(left)?.into_iter().zip(indices(right)?).collect();
    let (left, right) = (left.plain(), right.plain());
    let data = match (&left.data, &right.data) {
        (Data::Reals(a), Data::Reals(b)) => Data::Reals(
            pairs
                .iter()
                .filter_map(|&(i, j)| Some((*a.get(i)?, *b.get(j)?)))
                .map(|(a, b)| fold_reals(operator, a, b, data_type))
                .collect::<Result<_, _>>()?,
        ),
        (Data::Integers(a), Data::Integers(b)) => Data::Integers(
            pairs
                .iter()
                .filter_map(|&(i, j)| Some((*a.get(i)?, *b.get(j)?)))
                .map(|(a, b)| fold_integers(operator, a, b, data_type))
                .collect::<Result<_, _>>()?,
        ),
        _ => {
            return Err(Refusal::Type {
                data_type,
                remedy: "strings cannot be added",
            });
        }
    };
    Ok(vec![Value::Constant(Constant { data_type, shape, data })])
}

fn fold_reals(operator: Binary, a: f64, b: f64, data_type: DataType) -> Result<f64, Refusal> {
    let exact = match operator {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div if b == 0.0 => return Err(Refusal::DivisionByZero),
        Binary::Div => a / b,
    };
    let rounded = rounded(exact, data_type).ok_or(Refusal::Type {
        data_type,
        remedy: "cast it to float32 first",
    })?;
    if rounded.is_finite() {
        Ok(rounded)
    } else {
        Err(Refusal::NotFinite)
    }
}

fn fold_integers(operator: Binary, a: i64, b: i64, data_type: DataType) -> Result<i64, Refusal> {
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div if b == 0 => return Err(Refusal::DivisionByZero),
        Binary::Div => a.checked_div(b),
    };
    data_type
        .integer_range()
        .filter(|_| data_type != DataType::Bool)
        .zip(result)
        .filter(|&((low, high), result)| (low..=high).contains(&result))
        .map(|(_, result)| result)
        .ok_or(Refusal::Type {
            data_type,
            remedy: "the result does not fit; use int64",
        })
}
