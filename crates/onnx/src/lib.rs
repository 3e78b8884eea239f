#![doc = include_str!("../README.md")]
#![deny(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod attributes;
mod builder;
mod data_type;
mod decode;
mod defect;
mod error;
mod finish;
mod float_model;
mod import;
mod number;
mod operators;
mod refusal;
mod samples;
mod shape;
mod summary;
mod tensor;
mod tree_defect;

pub use data_type::DataType;
pub use defect::Defect;
pub use error::OnnxError;
pub use float_model::FloatModel;
pub use import::{import, import_file, import_with_zeros};
pub use refusal::Refusal;
pub use samples::{Place, Sample, SampleProblem, read_columns, read_samples, read_samples_ignoring};
pub use summary::{ModelSummary, NodeSummary, TensorSummary, summarize};
pub use tree_defect::TreeDefect;
