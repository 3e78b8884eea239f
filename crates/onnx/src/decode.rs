//! Bytes to protobuf, and `TensorProto` to [`Constant`], with every length checked before anything is allocated.

use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataLocation};

use crate::{
    DataType, Defect, OnnxError,
    builder::TERM_LIMIT,
    error::type_name,
    number,
    shape::{element_count, extent},
    tensor::{Constant, Data},
};

/// Decodes the protobuf message.
pub(crate) fn model(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
    ModelProto::decode(bytes).map_err(|source| OnnxError::Protobuf { source })
}

/// Reads a tensor; `name` is what messages call it.
pub(crate) fn constant(proto: &TensorProto, name: &str) -> Result<Constant, Defect> {
    let tensor = || name.to_owned();
    if proto.data_location == Some(i32::from(DataLocation::External)) || !proto.external_data.is_empty() {
        return Err(Defect::ExternalData { tensor: tensor() });
    }
    if proto.segment.is_some() {
        return Err(Defect::Segment { tensor: tensor() });
    }
    let code = i64::from(proto.data_type);
    let data_type = DataType::from_code(code).ok_or_else(|| Defect::TensorType {
        tensor: tensor(),
        data_type: type_name(code),
    })?;
    let impossible = || Defect::TensorShape {
        tensor: tensor(),
        shape: proto.dims.clone(),
    };
    let shape = proto
        .dims
        .iter()
        .map(|&dimension| usize::try_from(dimension).map_err(|_| impossible()))
        .collect::<Result<Vec<_>, _>>()?;
    let count = element_count(&shape).ok_or_else(impossible)?;
    if extent(&shape).is_none_or(|extent| extent > TERM_LIMIT) {
        return Err(Defect::TensorSize {
            tensor: tensor(),
            shape,
            limit: TERM_LIMIT,
        });
    }
    let fields = [
        proto.float_data.len(),
        proto.int32_data.len(),
        proto.string_data.len(),
        proto.int64_data.len(),
        proto.raw_data.len(),
        proto.double_data.len(),
        proto.uint64_data.len(),
    ];
    if fields.iter().filter(|&&length| length > 0).count() > 1 {
        return Err(Defect::TensorFields { tensor: tensor() });
    }
    let data = if proto.raw_data.is_empty() {
        from_fields(proto, name, data_type)?
    } else {
        from_raw(proto, name, data_type, count)?
    };
    let got = match &data {
        Data::Reals(values) => values.len(),
        Data::Integers(values) => values.len(),
        Data::Quantized(values) => values.len(),
        Data::Strings(values) => values.len(),
    };
    if got != count {
        return Err(Defect::TensorLength {
            tensor: tensor(),
            unit: "elements",
            expected: count,
            got,
        });
    }
    if let (Some((low, high)), Data::Integers(values)) = (data_type.integer_range(), &data)
        && let Some(value) = values.iter().find(|&&value| value < low || value > high)
    {
        return Err(Defect::TensorValue {
            tensor: tensor(),
            value: value.to_string(),
        });
    }
    Ok(Constant { data_type, shape, data })
}

/// Data in the typed fields. A field that does not belong to the type leaves a length mismatch, found by the caller,
/// unless the tensor is empty.
fn from_fields(proto: &TensorProto, name: &str, data_type: DataType) -> Result<Data, Defect> {
    let misplaced = |used: bool| {
        let any = !(proto.float_data.is_empty()
            && proto.int32_data.is_empty()
            && proto.string_data.is_empty()
            && proto.int64_data.is_empty()
            && proto.double_data.is_empty()
            && proto.uint64_data.is_empty());
        if any && !used {
            return Err(Defect::TensorFields {
                tensor: name.to_owned(),
            });
        }
        Ok(())
    };
    Ok(match data_type {
        DataType::Float32 => {
            misplaced(!proto.float_data.is_empty())?;
            Data::Reals(proto.float_data.iter().copied().map(f64::from).collect())
        }
        DataType::Float64 => {
            misplaced(!proto.double_data.is_empty())?;
            Data::Reals(proto.double_data.clone())
        }
        DataType::Float16 => {
            misplaced(!proto.int32_data.is_empty())?;
            let halves = proto.int32_data.iter().map(|&bits| {
                u16::try_from(bits)
                    .map(number::half)
                    .map_err(|_| out_of_range(name, bits))
            });
            Data::Reals(halves.collect::<Result<_, _>>()?)
        }
        DataType::Int64 => {
            misplaced(!proto.int64_data.is_empty())?;
            Data::Integers(proto.int64_data.clone())
        }
        DataType::Uint32 | DataType::Uint64 => {
            misplaced(!proto.uint64_data.is_empty())?;
            let values = proto
                .uint64_data
                .iter()
                .map(|&value| i64::try_from(value).map_err(|_| out_of_range(name, value)));
            Data::Integers(values.collect::<Result<_, _>>()?)
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Uint8 | DataType::Uint16 | DataType::Bool => {
            misplaced(!proto.int32_data.is_empty())?;
            Data::Integers(proto.int32_data.iter().copied().map(i64::from).collect())
        }
        DataType::String => {
            misplaced(!proto.string_data.is_empty())?;
            let strings = proto.string_data.iter().map(|bytes| {
                String::from_utf8(bytes.clone()).map_err(|_| Defect::TensorText {
                    tensor: name.to_owned(),
                })
            });
            Data::Strings(strings.collect::<Result<_, _>>()?)
        }
    })
}

/// Little-endian data in `raw_data`.
fn from_raw(proto: &TensorProto, name: &str, data_type: DataType, count: usize) -> Result<Data, Defect> {
    let raw = &proto.raw_data;
    let checked = |width: usize| {
        let expected = count.checked_mul(width);
        if expected == Some(raw.len()) {
            return Ok(());
        }
        Err(Defect::TensorLength {
            tensor: name.to_owned(),
            unit: "bytes",
            expected: expected.unwrap_or(usize::MAX),
            got: raw.len(),
        })
    };
    macro_rules! words {
        ($type:ty) => {{
            checked(size_of::<$type>())?;
            raw.as_chunks().0.iter().map(|bytes| <$type>::from_le_bytes(*bytes))
        }};
    }
    Ok(match data_type {
        DataType::Float16 => Data::Reals(words!(u16).map(number::half).collect()),
        DataType::Float32 => Data::Reals(words!(f32).map(f64::from).collect()),
        DataType::Float64 => Data::Reals(words!(f64).collect()),
        DataType::Int8 => Data::Integers(words!(i8).map(i64::from).collect()),
        DataType::Int16 => Data::Integers(words!(i16).map(i64::from).collect()),
        DataType::Int32 => Data::Integers(words!(i32).map(i64::from).collect()),
        DataType::Int64 => Data::Integers(words!(i64).collect()),
        DataType::Uint8 | DataType::Bool => Data::Integers(words!(u8).map(i64::from).collect()),
        DataType::Uint16 => Data::Integers(words!(u16).map(i64::from).collect()),
        DataType::Uint32 => Data::Integers(words!(u32).map(i64::from).collect()),
        DataType::Uint64 => Data::Integers(
            words!(u64)
                .map(|value| i64::try_from(value).map_err(|_| out_of_range(name, value)))
                .collect::<Result<_, _>>()?,
        ),
        DataType::String => {
            return Err(Defect::TensorFields {
                tensor: name.to_owned(),
            });
        }
    })
}

fn out_of_range(name: &str, value: impl ToString) -> Defect {
    Defect::TensorValue {
        tensor: name.to_owned(),
        value: value.to_string(),
    }
}
