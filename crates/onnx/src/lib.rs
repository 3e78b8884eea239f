//! ONNX files and sample files into zkverdict's float graph.
//!
//! ```text
//! bytes ──decode──▶ protobuf ──walk──▶ views over graph values ──▶ Graph
//!                                       (moving costs nothing; an operator makes a node)
//! ```
//!
//! The protobuf is decoded with tract's schema; the walk over it is this crate's own, because tract rewrites operators
//! and lacks several of `ai.onnx.ml`. Every attribute is honoured or refused by name, and no input makes the import
//! panic. The reference for every operator is ONNX Runtime.
//!
//! | part | what it does |
//! |---|---|
//! | [`import`], [`import_file`] | an ONNX file to a [`zkverdict_model::Graph`] |
//! | [`summarize`] | what a file declares, supported or not |
//! | [`read_samples`] | JSON, CSV, `.npy`, `.npz` to rows for a graph |
//! | [`FloatModel`] | tract's floats, to compare with |
//! | [`OnnxError`] | everything that can be wrong, with [`Defect`], [`Refusal`] and [`SampleProblem`] |
//!
//! It stands on `zkverdict-model` and knows nothing of circuits.

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

pub use data_type::DataType;
pub use defect::Defect;
pub use error::OnnxError;
pub use float_model::FloatModel;
pub use import::{import, import_file};
pub use refusal::Refusal;
pub use samples::{Place, Sample, SampleProblem, read_samples, read_samples_ignoring};
pub use summary::{ModelSummary, NodeSummary, TensorSummary, summarize};
