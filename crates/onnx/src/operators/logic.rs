//! And, Or, Xor, Equal, Sign, Where: comparisons of sums of bits and numbers.

use zkverdict_model::{Comparison, Op};

use super::{
    Call, Results,
    arithmetic::{aligned, common_shape},
    same_type,
};
use crate::{
    DataType, Refusal,
    builder::Row,
    tensor::{Constant, Element, Meaning, Tensor, Value},
};

/// An operator on two truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connective {
    And,
    Or,
    Xor,
}

fn truth(shape: Vec<usize>, elements: Vec<Element>) -> Value {
    Value::Tensor(Tensor {
        data_type: DataType::Bool,
        shape,
        elements,
        meaning: Meaning::Truth,
        distribution: false,
    })
}

/// 1 where `element ∘ threshold` holds, else 0; numbers known at import are compared here.
fn compared(
    call: &mut Call<'_>,
    elements: &[Element],
    comparison: Comparison,
    threshold: f64,
) -> Result<Vec<Element>, Refusal> {
    let computed: Vec<Element> = elements
        .iter()
        .filter(|element| matches!(element, Element::Of { .. }))
        .copied()
        .collect();
    let op = Op::Compare {
        comparison,
        thresholds: vec![threshold; computed.len()],
    };
    let mut bits = match computed.len() {
        0 => Vec::new(),
        len => call.builder.apply(&call.label, op, &computed, len)?,
    }
    .into_iter();
    elements
        .iter()
        .map(|element| match element {
            Element::Fixed(number) => {
                let holds = comparison.holds(*number, threshold);
                Ok(Element::Fixed(f64::from(u8::from(holds))))
            }
            Element::Of { .. } => bits.next().ok_or(Refusal::OnlyConstants),
        })
        .collect()
}

/// Both operands repeated to one shape.
fn pair(call: &mut Call<'_>) -> Result<(Tensor, Tensor, Vec<usize>), Refusal> {
    call.arity(2, 2, "2")?;
    let (left, right) = (call.numbers(0)?, call.numbers(1)?);
    same_type(left.data_type, right.data_type)?;
    if left.is_fixed() && right.is_fixed() {
        return Err(Refusal::OnlyConstants);
    }
    let shape = common_shape(&left.shape, &right.shape)?;
    call.builder.charge_shape(&shape)?;
    let repeated = |tensor: &Tensor| -> Result<Tensor, Refusal> {
        Ok(Tensor {
            elements: aligned(tensor, &shape)?.collect(),
            shape: shape.clone(),
            ..tensor.clone()
        })
    };
    Ok((repeated(&left)?, repeated(&right)?, shape))
}

/// `a ∧ b`, `a ∨ b`, `a ⊕ b` from `a + b`.
pub(super) fn connective(call: &mut Call<'_>, connective: Connective) -> Results {
    let (left, right, shape) = pair(call)?;
    if left.data_type != DataType::Bool {
        return Err(Refusal::Type {
            data_type: left.data_type,
            remedy: "it must be bool",
        });
    }
    let elements = connected(call, connective, &left.elements, &right.elements)?;
    Ok(vec![truth(shape, elements)])
}

fn connected(
    call: &mut Call<'_>,
    connective: Connective,
    left: &[Element],
    right: &[Element],
) -> Result<Vec<Element>, Refusal> {
    let label = call.label.clone();
    let sums = call.builder.combine(&label, &[(left, 1.0), (right, 1.0)], 0.0)?;
    match connective {
        Connective::And => compared(call, &sums, Comparison::Greater, 1.5),
        Connective::Or => compared(call, &sums, Comparison::Greater, 0.5),
        Connective::Xor => {
            let both = compared(call, &sums, Comparison::Greater, 1.5)?;
            call.builder.combine(&label, &[(&sums, 1.0), (&both, -2.0)], 0.0)
        }
    }
}

/// Equality of whole numbers: `a − b > −½` but not `a − b > ½`.
pub(super) fn equal(call: &mut Call<'_>) -> Results {
    let (left, right, shape) = pair(call)?;
    if left.data_type.is_float() {
        return Err(Refusal::Type {
            data_type: left.data_type,
            remedy: "computed reals are rounded, so equality means nothing; compare with a tolerance",
        });
    }
    let label = call.label.clone();
    let difference = [(left.elements.as_slice(), 1.0), (right.elements.as_slice(), -1.0)];
    let difference = call.builder.combine(&label, &difference, 0.0)?;
    let least = compared(call, &difference, Comparison::Greater, -0.5)?;
    let above = compared(call, &difference, Comparison::Greater, 0.5)?;
    let elements = call.builder.combine(&label, &[(&least, 1.0), (&above, -1.0)], 0.0)?;
    Ok(vec![truth(shape, elements)])
}

/// −1, 0 or 1.
pub(super) fn sign(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.numbers(0)?;
    if operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it first",
        });
    }
    let label = call.label.clone();
    call.builder.charge_shape(&operand.shape)?;
    let above = compared(call, &operand.elements, Comparison::Greater, 0.0)?;
    let below = compared(call, &operand.elements, Comparison::Less, 0.0)?;
    let elements = call.builder.combine(&label, &[(&above, 1.0), (&below, -1.0)], 0.0)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}

/// `a` where the condition holds, else `b`: `b + c·(a − b)`.
pub(super) fn select(call: &mut Call<'_>) -> Results {
    call.arity(3, 3, "3")?;
    if let (Value::Constant(condition), Value::Constant(left), Value::Constant(right)) =
        (&*call.value(0)?, &*call.value(1)?, &*call.value(2)?)
    {
        return fold(call, condition, left, right);
    }
    let (condition, left, right) = (call.numbers(0)?, call.numbers(1)?, call.numbers(2)?);
    same_type(left.data_type, right.data_type)?;
    if condition.data_type != DataType::Bool {
        return Err(Refusal::Type {
            data_type: condition.data_type,
            remedy: "the condition must be bool",
        });
    }
    let shape = common_shape(&common_shape(&condition.shape, &left.shape)?, &right.shape)?;
    let count = call.builder.charge_shape(&shape)?;
    call.builder.charge_terms(count.saturating_mul(4))?;
    let conditions: Vec<Element> = aligned(&condition, &shape)?.collect();
    let chosen: Vec<Element> = aligned(&left, &shape)?.collect();
    let others: Vec<Element> = aligned(&right, &shape)?.collect();
    let label = call.label.clone();
    // Only places where neither the condition nor the difference is known need a product.
    let differences = call.builder.combine(&label, &[(&chosen, 1.0), (&others, -1.0)], 0.0)?;
    let open: Vec<usize> = (0..count)
        .filter(|&place| {
            let computed = |elements: &[Element]| matches!(elements.get(place), Some(Element::Of { .. }));
            computed(&conditions) && computed(&differences)
        })
        .collect();
    let gates = super::pick(&conditions, &open)?;
    let gated = super::pick(&differences, &open)?;
    let mut products = match open.len() {
        0 => Vec::new(),
        _ => super::elementwise::elementwise_product(call, &gates, &gated)?,
    }
    .into_iter();
    let mut rows = Vec::with_capacity(count);
    let places = conditions.iter().zip(&chosen).zip(others.iter().zip(&differences));
    for ((&condition, &chosen), (&other, &difference)) in places {
        let mut row = Row::default();
        match (condition, difference) {
            (Element::Fixed(number), _) => row.add(if number == 0.0 { other } else { chosen }, 1.0),
            (_, Element::Fixed(number)) => {
                row.add(other, 1.0);
                row.add(condition, number);
            }
            _ => {
                row.add(other, 1.0);
                row.add(products.next().ok_or(Refusal::OnlyConstants)?, 1.0);
            }
        }
        rows.push(row);
    }
    let elements = call.builder.affine(&label, rows)?;
    Ok(vec![Value::Tensor(Tensor {
        data_type: left.data_type,
        shape,
        elements,
        meaning: if left.data_type == DataType::Bool {
            Meaning::Truth
        } else {
            Meaning::Number
        },
        distribution: false,
    })])
}

/// All three operands are constants, as in chains that compute shapes.
fn fold(call: &mut Call<'_>, condition: &Constant, left: &Constant, right: &Constant) -> Results {
    same_type(left.data_type, right.data_type)?;
    let shape = common_shape(&common_shape(&condition.shape, &left.shape)?, &right.shape)?;
    call.builder.charge_shape(&shape)?;
    let repeated = |constant: &Constant| -> Result<Constant, Refusal> {
        let indices = crate::shape::expansion(&constant.shape, &shape).ok_or_else(|| Refusal::Shapes {
            left: constant.shape.clone(),
            right: shape.clone(),
        })?;
        super::moved(constant, shape.clone(), &indices)
    };
    let (condition, left, right) = (repeated(condition)?, repeated(left)?, repeated(right)?);
    let bits = condition.integers().filter(|_| condition.data_type == DataType::Bool);
    let bits = bits.ok_or(Refusal::Type {
        data_type: condition.data_type,
        remedy: "the condition must be bool",
    })?;
    // Both lists one after the other; the condition says which half an element comes from.
    let indices: Vec<usize> = bits
        .iter()
        .enumerate()
        .map(|(place, bit)| place + if *bit == 0 { bits.len() } else { 0 })
        .collect();
    let both = left.followed_by(&right).ok_or(Refusal::OnlyConstants)?;
    Ok(vec![Value::Constant(super::moved(&both, shape, &indices)?)])
}
