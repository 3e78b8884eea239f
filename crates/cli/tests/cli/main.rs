//! The command as a user sees it: the real binary, real files, snapshots of what it prints.

mod attest;
mod audit;
mod bench;
mod chain;
mod class_audits;
mod commitments;
mod committed_models;
mod demo;
mod errors;
mod harness;
mod help;
mod linked_models;
mod pipeline;
mod settings;
mod srs;
mod tree_audits;
