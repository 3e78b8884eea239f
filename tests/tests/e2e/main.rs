//! The suites, linked once. See the library's table.

mod artifacts;
mod bench_models;
mod ceremonies;
mod chain;
mod commitments;
mod convolutions;
mod decisions;
mod documents;
mod gadget_attacks;
mod gadgets;
mod progress;
mod project;
mod proofs;
mod properties;
mod quantized;
mod reasons;
mod shapes;
mod snapshots;
mod soundness;
mod support;
mod tree_attacks;
mod trees;
mod widths;
