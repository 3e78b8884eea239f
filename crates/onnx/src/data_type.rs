//! Element types of ONNX tensors.

use std::fmt;

use tract_onnx::pb::tensor_proto::DataType as Proto;

/// Element type of an ONNX tensor that this crate can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataType {
    /// 16-bit float (constants only).
    Float16,
    /// 32-bit float.
    Float32,
    /// 64-bit float.
    Float64,
    /// 8-bit signed integer.
    Int8,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 8-bit unsigned integer.
    Uint8,
    /// 16-bit unsigned integer.
    Uint16,
    /// 32-bit unsigned integer.
    Uint32,
    /// 64-bit unsigned integer.
    Uint64,
    /// Boolean.
    Bool,
    /// String (constants and labels only).
    String,
}

impl DataType {
    /// The type behind a `TensorProto.DataType` code; `None` for the types that this crate does not read.
    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Some(match Proto::try_from(i32::try_from(code).ok()?).ok()? {
            Proto::Float16 => DataType::Float16,
            Proto::Float => DataType::Float32,
            Proto::Double => DataType::Float64,
            Proto::Int8 => DataType::Int8,
            Proto::Int16 => DataType::Int16,
            Proto::Int32 => DataType::Int32,
            Proto::Int64 => DataType::Int64,
            Proto::Uint8 => DataType::Uint8,
            Proto::Uint16 => DataType::Uint16,
            Proto::Uint32 => DataType::Uint32,
            Proto::Uint64 => DataType::Uint64,
            Proto::Bool => DataType::Bool,
            Proto::String => DataType::String,
            _ => return None,
        })
    }

    /// Whether values are rounded reals.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, DataType::Float16 | DataType::Float32 | DataType::Float64)
    }

    /// Smallest and largest value of an integer or Boolean type, as far as `i64` reaches.
    pub(crate) fn integer_range(self) -> Option<(i64, i64)> {
        Some(match self {
            DataType::Int8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            DataType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            DataType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            DataType::Int64 => (i64::MIN, i64::MAX),
            DataType::Uint8 => (0, i64::from(u8::MAX)),
            DataType::Uint16 => (0, i64::from(u16::MAX)),
            DataType::Uint32 => (0, i64::from(u32::MAX)),
            DataType::Uint64 => (0, i64::MAX),
            DataType::Bool => (0, 1),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::String => {
                return None;
            }
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataType::Float16 => "float16",
            DataType::Float32 => "float32",
            DataType::Float64 => "float64",
            DataType::Int8 => "int8",
            DataType::Int16 => "int16",
            DataType::Int32 => "int32",
            DataType::Int64 => "int64",
            DataType::Uint8 => "uint8",
            DataType::Uint16 => "uint16",
            DataType::Uint32 => "uint32",
            DataType::Uint64 => "uint64",
            DataType::Bool => "bool",
            DataType::String => "string",
        })
    }
}
