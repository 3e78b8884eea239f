//! AveragePool, MaxPool and their global forms.

use super::{
    Call, Results,
    window::{Tap, Window, image},
};
use crate::{
    DataType, Refusal,
    builder::Row,
    shape::{element_count, extent},
    tensor::{Element, Tensor},
};

/// Means over windows.
pub(super) fn average_pool(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    let ceil = call.version >= 10 && call.attributes.flag("ceil_mode", false)?;
    let with_padding = call.version >= 7 && call.attributes.flag("count_include_pad", false)?;
    let dilated = call.version >= 19;
    let (shape, windows) = windows(call, &operand, dilated, ceil)?;
    let terms = windows.iter().map(|(elements, _)| elements.len()).sum();
    call.builder.charge_terms(terms)?;
    let mut rows = Vec::with_capacity(windows.len());
    for (elements, padding) in windows {
        let Some(padding) = padding.filter(|_| with_padding).or((!with_padding).then_some(0)) else {
            // Whether places beyond the padding count differs between the standard's tests and its text.
            return Err(Refusal::AttributeValue {
                attribute: "ceil_mode",
                value: "1 with count_include_pad = 1 and a window that leaves the padding".to_owned(),
                supported: "one of the two",
            });
        };
        let count = elements.len().saturating_add(padding);
        rows.push(mean(&elements, count)?);
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// Maxima over windows; padding never wins.
pub(super) fn max_pool(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = numbers(call)?;
    if call.version >= 8 && call.attributes.flag("storage_order", false)? {
        return Err(Refusal::AttributeValue {
            attribute: "storage_order",
            value: "1".to_owned(),
            supported: "0",
        });
    }
    if call.results > 1 {
        return Err(Refusal::Arity {
            what: "results",
            expected: "1 (the indices are not supported)",
            got: call.results,
        });
    }
    let later = call.version >= 10;
    let ceil = later && call.attributes.flag("ceil_mode", false)?;
    let (shape, windows) = windows(call, &operand, later, ceil)?;
    let groups = windows.into_iter().map(|(elements, _)| elements).collect();
    let elements = call.builder.maximum(&call.label, groups)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// The mean of each channel.
pub(super) fn global_average_pool(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.floats(0)?;
    let (shape, planes) = planes(call, &operand)?;
    call.builder.charge_terms(operand.elements.len())?;
    let rows = planes
        .iter()
        .map(|elements| mean(elements, elements.len()))
        .collect::<Result<_, _>>()?;
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// The maximum of each channel.
pub(super) fn global_max_pool(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = numbers(call)?;
    let (shape, planes) = planes(call, &operand)?;
    let elements = call.builder.maximum(&call.label, planes)?;
    Ok(vec![call.number_tensor(operand.data_type, shape, elements)])
}

/// The operand, unless it is Boolean.
fn numbers(call: &Call<'_>) -> Result<Tensor, Refusal> {
    let operand = call.numbers(0)?;
    if operand.data_type == DataType::Bool {
        return Err(Refusal::Type {
            data_type: operand.data_type,
            remedy: "cast it first",
        });
    }
    Ok(operand)
}

fn mean(elements: &[Element], count: usize) -> Result<Row, Refusal> {
    let count = u32::try_from(count).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| Refusal::Empty { shape: vec![0] })?;
    let mut row = Row::default();
    for &element in elements {
        row.add(element, f64::from(count).recip());
    }
    Ok(row)
}

/// The shape of the result, and per element what its window reads, with the number of padded places, if the window stays
/// within the padding.
type Windows = (Vec<usize>, Vec<(Vec<Element>, Option<usize>)>);

fn windows(call: &mut Call<'_>, operand: &Tensor, dilated: bool, ceil: bool) -> Result<Windows, Refusal> {
    let (batch, channels, spatial) = image(&operand.shape)?;
    let window = Window::read(call, spatial, None, dilated, ceil)?;
    let output = window.output();
    let shape: Vec<usize> = [batch, channels].into_iter().chain(output.iter().copied()).collect();
    let count = call.builder.charge_shape(&shape)?;
    let listed = extent(&shape)
        .unwrap_or(usize::MAX)
        .saturating_mul(window.places().max(1));
    call.builder.charge_terms(listed)?;
    let taps = window.taps();
    let plane = element_count(spatial).unwrap_or(usize::MAX).max(1);
    let mut windows = Vec::with_capacity(count);
    for channel in operand.elements.chunks(plane) {
        for taps in &taps {
            let elements: Vec<Element> = taps
                .iter()
                .filter_map(|tap| match tap {
                    Tap::Input(position) => channel.get(*position).copied(),
                    Tap::Padding | Tap::Beyond => None,
                })
                .collect();
            if elements.is_empty() {
                return Err(Refusal::Empty { shape: vec![0] });
            }
            let padding = taps.iter().filter(|tap| **tap == Tap::Padding).count();
            let stays = !taps.contains(&Tap::Beyond);
            windows.push((elements, stays.then_some(padding)));
        }
    }
    Ok((shape, windows))
}

/// The shape of a global pooling's result, and the elements of each channel.
fn planes(call: &mut Call<'_>, operand: &Tensor) -> Result<(Vec<usize>, Vec<Vec<Element>>), Refusal> {
    let (batch, channels, spatial) = image(&operand.shape)?;
    let ones = spatial.iter().map(|_| 1);
    let shape: Vec<usize> = [batch, channels].into_iter().chain(ones).collect();
    call.builder.charge_shape(&shape)?;
    let plane = element_count(spatial).unwrap_or(usize::MAX).max(1);
    Ok((shape, operand.elements.chunks(plane).map(<[Element]>::to_vec).collect()))
}
