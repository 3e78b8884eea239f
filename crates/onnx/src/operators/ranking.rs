//! TopK: the first rounds of a bubble sort, whose exchanges are ReLUs and products with bits.

use zkverdict_model::{Comparison, Op};

use super::{Call, Results, activation::grouped, elementwise::elementwise_product};
use crate::{
    DataType, Refusal, number,
    shape::{around, axis as resolve, lattice},
    tensor::{Element, Meaning, Tensor, Value},
};

/// Exchanges that one TopK may take.
const MOST_EXCHANGES: usize = 4096;

/// The `k` largest or smallest elements along one axis, in order, and their positions; on ties the lower position first.
pub(super) fn top_k(call: &mut Call<'_>) -> Results {
    let k = if call.version < 10 {
        call.arity(1, 1, "1 before operator set 10")?;
        call.attributes.integer("k")?
    } else {
        call.arity(2, 2, "2")?;
        call.integer_list(1, "K")?.and_then(|list| list.first().copied())
    };
    let k = k.ok_or(Refusal::MissingAttribute { attribute: "k" })?;
    let axis = call.attributes.integer("axis")?.unwrap_or(-1);
    let later = call.version >= 11;
    let largest = !later || call.attributes.flag("largest", true)?;
    if later {
        // Any order will do where none is asked for.
        call.attributes.flag("sorted", true)?;
    }
    let operand = call.floats(0)?;
    let rank = operand.shape.len();
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let (outer, length, inner) = around(&operand.shape, position).ok_or_else(|| Refusal::Empty {
        shape: operand.shape.clone(),
    })?;
    let count = usize::try_from(k)
        .ok()
        .filter(|&k| k > 0 && k <= length)
        .ok_or(Refusal::Index { index: k, length })?;
    let groups = outer.saturating_mul(inner);
    let exchanges = count.saturating_mul(length).saturating_mul(groups);
    if exchanges > MOST_EXCHANGES {
        return Err(Refusal::TooLarge {
            what: "exchanges of a TopK",
            limit: MOST_EXCHANGES,
        });
    }
    let label = call.label.clone();
    let sign = if largest { 1.0 } else { -1.0 };
    let contiguous = grouped(&operand, outer, length, inner)?.elements;
    let signed = call.builder.combine(&label, &[(&contiguous, sign)], 0.0)?;
    // One list per place: its element in every group.
    let mut values: Vec<Vec<Element>> = (0..length)
        .map(|place| signed.iter().skip(place).step_by(length.max(1)).copied().collect())
        .collect();
    let mut positions: Vec<Vec<Element>> = (0..length)
        .map(|place| vec![Element::Fixed(number::count(place)); groups])
        .collect();
    let with_positions = call.results > 1;
    for round in 0..count {
        for place in (round..length.saturating_sub(1)).rev() {
            let (Some([upper, lower]), Some([first, second])) = (
                values
                    .get_mut(place..place + 2)
                    .and_then(|pair| <&mut [_; 2]>::try_from(pair).ok()),
                positions
                    .get_mut(place..place + 2)
                    .and_then(|pair| <&mut [_; 2]>::try_from(pair).ok()),
            ) else {
                continue;
            };
            exchange(call, upper, lower, with_positions.then_some((first, second)))?;
        }
    }
    let shape: Vec<usize> = operand
        .shape
        .iter()
        .enumerate()
        .map(|(axis, &size)| if axis == position { count } else { size })
        .collect();
    // From (place, outer, inner) to (outer, place, inner).
    let back = lattice(&[
        (0..outer).map(|c| c * inner).collect(),
        (0..count).map(|c| c * groups).collect(),
        (0..inner).collect(),
    ]);
    values.truncate(count);
    positions.truncate(count);
    let ordered = super::pick(&values.concat(), &back)?;
    let ordered = call.builder.combine(&label, &[(&ordered, sign)], 0.0)?;
    Ok(vec![
        call.number_tensor(operand.data_type, shape.clone(), ordered),
        Value::Tensor(Tensor {
            data_type: DataType::Int64,
            shape,
            elements: super::pick(&positions.concat(), &back)?,
            meaning: Meaning::Index(length),
            distribution: false,
        }),
    ])
}

/// Moves the larger of two elements up; equal ones stay.
fn exchange(
    call: &mut Call<'_>,
    upper: &mut Vec<Element>,
    lower: &mut Vec<Element>,
    positions: Option<(&mut Vec<Element>, &mut Vec<Element>)>,
) -> Result<(), Refusal> {
    let label = call.label.clone();
    let gaps = call.builder.combine(&label, &[(lower, 1.0), (upper, -1.0)], 0.0)?;
    let computed = gaps.iter().all(|gap| matches!(gap, Element::Of { .. }));
    if !computed {
        return Err(Refusal::OnlyConstants);
    }
    let ramps = call.builder.relu(&label, &gaps)?;
    if let Some((first, second)) = positions {
        let op = Op::Compare {
            comparison: Comparison::Greater,
            thresholds: vec![0.0; gaps.len()],
        };
        let bits = call.builder.apply(&label, op, &gaps, gaps.len())?;
        let distances = call.builder.combine(&label, &[(second, 1.0), (first, -1.0)], 0.0)?;
        let steps = elementwise_product(call, &bits, &distances)?;
        *first = call.builder.combine(&label, &[(first, 1.0), (&steps, 1.0)], 0.0)?;
        *second = call.builder.combine(&label, &[(second, 1.0), (&steps, -1.0)], 0.0)?;
    }
    *upper = call.builder.combine(&label, &[(upper, 1.0), (&ramps, 1.0)], 0.0)?;
    *lower = call.builder.combine(&label, &[(lower, 1.0), (&ramps, -1.0)], 0.0)?;
    Ok(())
}
