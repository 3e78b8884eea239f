//! What the importer accepts, what it refuses, and that its graphs give the expected outputs.

mod bench_models;
mod common;
mod made_models;
mod malformed;
mod mutation;
mod node_tests;
mod quantized;
mod refusals;
mod samples;
mod tree_refusals;
mod trees;
