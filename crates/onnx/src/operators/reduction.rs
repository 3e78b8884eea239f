//! Reductions along axes, and Sum, Mean, Max, Min of several operands.

use std::collections::BTreeSet;

use zkverdict_model::{Elementary, Formula};

use super::{
    Call, Results,
    arithmetic::{aligned, common_shape},
    same_type,
};
use crate::{
    DataType, Refusal,
    builder::Row,
    shape::{axis as resolve, element_count, lattice, strides},
    tensor::{Element, Tensor},
};

/// What is made of the elements along the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    SumSquare,
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Min,
}

/// A reduction; `axes` are an attribute before the given version of the operator set and an operand from then on.
pub(super) fn reduce(call: &mut Call<'_>, reduction: Reduction) -> Results {
    let operand_from = if reduction == Reduction::Sum { 13 } else { 18 };
    let axes = if call.version < operand_from {
        call.arity(1, 1, "1 in this operator set")?;
        call.attributes.integers("axes")?.map(<[i64]>::to_vec)
    } else {
        call.arity(1, 2, "1 or 2")?;
        call.integer_list(1, "axes")?
    };
    let keep = call.attributes.flag("keepdims", true)?;
    let noop = call.version >= operand_from && call.attributes.flag("noop_with_empty_axes", false)?;
    let extreme = matches!(reduction, Reduction::Max | Reduction::Min);
    let operand = if extreme { call.numbers(0)? } else { call.floats(0)? };
    if operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it first",
        });
    }
    let axes = axes.unwrap_or_default();
    let rank = operand.shape.len();
    let reduced: BTreeSet<usize> = if axes.is_empty() && !noop {
        (0..rank).collect()
    } else {
        axes.iter()
            .map(|&axis| resolve(axis, rank).ok_or(Refusal::Axis { axis, rank }))
            .collect::<Result<_, _>>()?
    };
    if reduced.len() != axes.len() && !axes.is_empty() {
        return Err(Refusal::Repeated { attribute: "axes" });
    }
    let (shape, groups) = groups(call, &operand, &reduced, keep)?;
    let elements = reduced_elements(call, reduction, groups)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// The elements along some axes, one list per element of the result.
fn groups(
    call: &mut Call<'_>,
    operand: &Tensor,
    reduced: &BTreeSet<usize>,
    keep: bool,
) -> Result<(Vec<usize>, Vec<Vec<Element>>), Refusal> {
    call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(operand.elements.len())?;
    let (mut outer, mut inner, mut shape) = (Vec::new(), Vec::new(), Vec::new());
    for (position, (&size, stride)) in operand.shape.iter().zip(strides(&operand.shape)).enumerate() {
        let offsets: Vec<usize> = (0..size).map(|c| c * stride).collect();
        if reduced.contains(&position) {
            inner.push(offsets);
            if keep {
                shape.push(1);
            }
        } else {
            outer.push(offsets);
            shape.push(size);
        }
    }
    let inner = lattice(&inner);
    let groups = lattice(&outer)
        .into_iter()
        .map(|start| {
            inner
                .iter()
                .filter_map(|offset| operand.elements.get(start + offset).copied())
                .collect()
        })
        .collect();
    Ok((shape, groups))
}

fn reduced_elements(
    call: &mut Call<'_>,
    reduction: Reduction,
    groups: Vec<Vec<Element>>,
) -> Result<Vec<Element>, Refusal> {
    let label = call.label.clone();
    let builder = &mut *call.builder;
    Ok(match reduction {
        Reduction::Sum => builder.affine(&label, sums(&groups, 1.0))?,
        Reduction::Mean => {
            let width = groups.first().map_or(1, Vec::len);
            let width = u32::try_from(width.max(1)).unwrap_or(u32::MAX);
            builder.affine(&label, sums(&groups, f64::from(width).recip()))?
        }
        Reduction::L1 => {
            let magnitudes = builder.absolute(&label, &groups.concat())?;
            let width = groups.first().map_or(1, Vec::len).max(1);
            let groups: Vec<Vec<Element>> = magnitudes.chunks(width).map(<[Element]>::to_vec).collect();
            builder.affine(&label, sums(&groups, 1.0))?
        }
        Reduction::SumSquare => squares(call, &groups)?,
        Reduction::L2 => {
            let sums = squares(call, &groups)?;
            call.builder.function(&label, Formula::of(Elementary::Sqrt), &sums)?
        }
        Reduction::LogSum => {
            let sums = builder.affine(&label, sums(&groups, 1.0))?;
            builder.function(&label, Formula::of(Elementary::Log), &sums)?
        }
        Reduction::LogSumExp => log_sum_exp(call, &groups)?.0,
        Reduction::Max => builder.maximum(&label, groups)?,
        Reduction::Min => builder.minimum(&label, groups)?,
    })
}

/// `ln Σ e^x` of each group and `x − max`, by way of the largest element so that no power is large.
pub(super) fn log_sum_exp(
    call: &mut Call<'_>,
    groups: &[Vec<Element>],
) -> Result<(Vec<Element>, Vec<Element>), Refusal> {
    let label = call.label.clone();
    let builder = &mut *call.builder;
    let width = groups.first().map_or(1, Vec::len).max(1);
    let peaks = builder.maximum(&label, groups.to_vec())?;
    let mut gaps = Vec::with_capacity(groups.len().saturating_mul(width));
    for (group, &peak) in groups.iter().zip(&peaks) {
        for &element in group {
            let mut row = Row::default();
            row.add(element, 1.0);
            row.add(peak, -1.0);
            gaps.push(row);
        }
    }
    let gaps = builder.affine(&label, gaps)?;
    let powers = builder.function(&label, Formula::of(Elementary::Exp), &gaps)?;
    let groups: Vec<Vec<Element>> = powers.chunks(width).map(<[Element]>::to_vec).collect();
    let totals = builder.affine(&label, sums(&groups, 1.0))?;
    let logarithms = builder.function(&label, Formula::of(Elementary::Log), &totals)?;
    let rows = logarithms
        .iter()
        .zip(&peaks)
        .map(|(&logarithm, &peak)| {
            let mut row = Row::default();
            row.add(logarithm, 1.0);
            row.add(peak, 1.0);
            row
        })
        .collect();
    // The results relative to the peak are what LogSoftmax subtracts.
    let shifted = gaps
        .chunks(width)
        .zip(&logarithms)
        .flat_map(|(gaps, &logarithm)| {
            gaps.iter().map(move |&gap| {
                let mut row = Row::default();
                row.add(gap, 1.0);
                row.add(logarithm, -1.0);
                row
            })
        })
        .collect();
    Ok((builder.affine(&label, rows)?, builder.affine(&label, shifted)?))
}

fn sums(groups: &[Vec<Element>], weight: f64) -> Vec<Row> {
    groups
        .iter()
        .map(|group| {
            let mut row = Row::default();
            for &element in group {
                row.add(element, weight);
            }
            row
        })
        .collect()
}

/// `Σ x²` of each group.
pub(super) fn squares(call: &mut Call<'_>, groups: &[Vec<Element>]) -> Result<Vec<Element>, Refusal> {
    let elements = groups.concat();
    let width = groups.first().map_or(1, Vec::len);
    let rows = (0..groups.len())
        .map(|group| {
            (group * width..(group + 1) * width)
                .map(|index| (index, index))
                .collect()
        })
        .collect();
    call.builder.products(&call.label, &elements, &elements, rows)
}

/// An operator over operands that broadcast to one shape.
pub(super) fn variadic(call: &mut Call<'_>, reduction: Reduction) -> Results {
    call.arity(1, usize::MAX, "at least 1")?;
    let extreme = matches!(reduction, Reduction::Max | Reduction::Min);
    let operands = (0..call.operands.len())
        .map(|position| {
            if extreme {
                call.numbers(position)
            } else {
                call.floats(position)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let Some((first, others)) = operands.split_first() else {
        return Err(Refusal::OnlyConstants);
    };
    let data_type = first.data_type;
    if data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type,
            remedy: "cast it first",
        });
    }
    let mut shape = first.shape.clone();
    for other in others {
        same_type(data_type, other.data_type)?;
        shape = common_shape(&shape, &other.shape)?;
    }
    let count = call.builder.charge_shape(&shape)?;
    call.builder.charge_terms(count.saturating_mul(operands.len()))?;
    let mut groups: Vec<Vec<Element>> = vec![Vec::with_capacity(operands.len()); element_count(&shape).unwrap_or(0)];
    for operand in &operands {
        for (group, element) in groups.iter_mut().zip(aligned(operand, &shape)?) {
            group.push(element);
        }
    }
    let elements = reduced_elements(call, reduction, groups)?;
    Ok(vec![call.number_tensor(data_type, shape, elements)])
}

/// Sums of all elements up to each one along an axis, as affine rows.
pub(super) fn cumulative_sum(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    let exclusive = call.attributes.flag("exclusive", false)?;
    let reverse = call.attributes.flag("reverse", false)?;
    let operand = call.floats(0)?;
    let rank = operand.shape.len();
    let axis = match call.integer_list(1, "axis")?.as_deref() {
        Some(&[axis]) => axis,
        _ => return Err(Refusal::MissingAttribute { attribute: "axis" }),
    };
    let position = resolve(axis, rank).ok_or(Refusal::Axis { axis, rank })?;
    let (_, length, inner) = crate::shape::around(&operand.shape, position).ok_or_else(|| Refusal::Empty {
        shape: operand.shape.clone(),
    })?;
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count.saturating_mul(length))?;
    let (inner, length) = (inner.max(1), length.max(1));
    let rows = (0..count)
        .map(|index| {
            let place = index / inner % length;
            let start = index - place * inner;
            let mut row = Row::default();
            for other in 0..length {
                let counts = if reverse { other >= place } else { other <= place };
                if counts
                    && !(exclusive && other == place)
                    && let Some(&element) = operand.elements.get(start + other * inner)
                {
                    row.add(element, 1.0);
                }
            }
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, operand.shape, elements)])
}
