//! The suites, linked once. See the library's table.

mod artifacts;
mod attested;
mod audits;
mod bench_models;
mod ceremonies;
mod chain;
mod commitments;
mod committed_models;
mod committed_trees;
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
mod shapes;
mod snapshots;
mod soundness;
mod support;
mod tree_attacks;
mod trees;
mod widths;
