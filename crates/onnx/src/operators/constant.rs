//! Constant, ConstantOfShape, Shape, Size: values known at import.

use super::{Call, Results};
use crate::{
    DataType, Refusal, decode,
    shape::element_count,
    tensor::{Constant, Data, Value},
};

/// One of the `value…` attributes.
pub(super) fn constant(call: &mut Call<'_>) -> Results {
    call.arity(0, 0, "none")?;
    let attributes = &mut call.attributes;
    let name = attributes.names().next().unwrap_or_default();
    let list = |length: usize| vec![length];
    let constant = match name {
        "value" => match attributes.tensor("value")? {
            Some(proto) => tensor(proto)?,
            None => return Err(Refusal::MissingAttribute { attribute: "value" }),
        },
        "value_float" => {
            let value = attributes.float("value_float")?.unwrap_or_default();
            made(DataType::Float32, Vec::new(), Data::Reals(vec![value]))
        }
        "value_floats" => {
            let values = attributes.floats("value_floats")?.unwrap_or_default();
            made(DataType::Float32, list(values.len()), Data::Reals(values))
        }
        "value_int" => {
            let value = attributes.integer("value_int")?.unwrap_or_default();
            made(DataType::Int64, Vec::new(), Data::Integers(vec![value]))
        }
        "value_ints" => {
            let values = attributes.integers("value_ints")?.unwrap_or_default();
            made(DataType::Int64, list(values.len()), Data::Integers(values.to_vec()))
        }
        "value_string" => {
            let value = attributes.text("value_string")?.unwrap_or_default();
            made(DataType::String, Vec::new(), Data::Strings(vec![value.to_owned()]))
        }
        "value_strings" => {
            let values = attributes.texts("value_strings")?.unwrap_or_default();
            made(DataType::String, list(values.len()), Data::Strings(values))
        }
        "" => return Err(Refusal::MissingAttribute { attribute: "value" }),
        _ => {
            return Err(Refusal::UnknownAttribute {
                attribute: name.to_owned(),
            });
        }
    };
    call.builder.charge_shape(&constant.shape)?;
    Ok(vec![Value::Constant(constant)])
}

fn made(data_type: DataType, shape: Vec<usize>, data: Data) -> Constant {
    Constant { data_type, shape, data }
}

/// A tensor in an attribute.
fn tensor(proto: &tract_onnx::pb::TensorProto) -> Result<Constant, Refusal> {
    decode::constant(proto, &proto.name).map_err(|defect| Refusal::Tensor { defect })
}

/// A tensor of one repeated value.
pub(super) fn constant_of_shape(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let Some(target) = call.integer_list(0, "input")? else {
        return Err(Refusal::Arity {
            what: "operands",
            expected: "1",
            got: 0,
        });
    };
    let shape = target
        .iter()
        .map(|&size| usize::try_from(size))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Refusal::Reshape {
            elements: 1,
            target: target.clone(),
        })?;
    let count = call.builder.charge_shape(&shape)?;
    let value = match call.attributes.tensor("value")? {
        Some(proto) => tensor(proto)?,
        None => made(DataType::Float32, vec![1], Data::Reals(vec![0.0])),
    };
    if element_count(&value.shape) != Some(1) {
        return Err(Refusal::AttributeLength {
            attribute: "value",
            expected: 1,
            got: element_count(&value.shape).unwrap_or(usize::MAX),
        });
    }
    let data = match value.data {
        Data::Reals(items) => Data::Reals(repeat(&items, count)),
        Data::Integers(items) => Data::Integers(repeat(&items, count)),
        Data::Strings(_) | Data::Quantized(_) => {
            return Err(Refusal::Type {
                data_type: DataType::String,
                remedy: "use numbers",
            });
        }
    };
    Ok(vec![Value::Constant(made(value.data_type, shape, data))])
}

fn repeat<T: Clone>(items: &[T], count: usize) -> Vec<T> {
    items.iter().cycle().take(count).cloned().collect()
}

/// The shape of a value, which is known because the batch is 1.
pub(super) fn shape(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let value = call.value(0)?;
    let rank = i64::try_from(value.shape().len()).unwrap_or(i64::MAX);
    let (start, end) = if call.version >= 15 {
        (call.attributes.integer("start")?, call.attributes.integer("end")?)
    } else {
        (None, None)
    };
    let clamp = |position: i64| {
        let resolved = if position < 0 {
            position.saturating_add(rank)
        } else {
            position
        };
        usize::try_from(resolved.clamp(0, rank)).unwrap_or(0)
    };
    let start = clamp(start.unwrap_or(0));
    let end = clamp(end.unwrap_or(rank));
    let sizes: Vec<i64> = value
        .shape()
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .map(|&size| i64::try_from(size).unwrap_or(i64::MAX))
        .collect();
    Ok(vec![Value::Constant(made(
        DataType::Int64,
        vec![sizes.len()],
        Data::Integers(sizes),
    ))])
}

/// The number of elements of a value.
pub(super) fn size(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let count = element_count(call.value(0)?.shape()).unwrap_or(usize::MAX);
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(vec![Value::Constant(made(
        DataType::Int64,
        Vec::new(),
        Data::Integers(vec![count]),
    ))])
}
