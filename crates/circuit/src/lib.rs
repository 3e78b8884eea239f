//! The Halo2 circuit of a compiled model.
//!
//! ```text
//! Program ──Layout::new──▶ rows ──Trace::new──▶ witness ──ModelCircuit──▶ halo2
//! ```
//!
//! Several weighted sums travel in one field element, `a = Σ_j radix^j·D_j`, and are unpacked digit by digit; a digit's
//! low limbs are the rounding remainder and the result, its high part looks up what to do with them.
//!
//! | module | what |
//! |---|---|
//! | `chips` | one gate family each: accumulate, range, digit, curve, lookup, tree, evaluate, link, poseidon |
//! | `combination` | convolution → polynomials in one variable |
//! | `config` | the columns they share |
//! | `layout` | program → fixed values, copies, places |
//! | `visibility` | what a proof shows: public, private, committed, linked |
//! | `commitment` | committed values: packing, tag, hash |
//! | `parameters` | the parameters of a committed model: their cells, and the commitment to them |
//! | `sponge` | the rows of a commitment, and their values |
//! | `records` | commitments to tables |
//! | `hashing` | the rows of permutations |
//! | `poseidon` | the permutation and the sponge, and the linear forms of their gadget |
//! | `trace` | cells → advice columns |
//! | `circuit` | halo2's `Circuit` over both |
//! | `plan` | counts rows and columns for each width and picks one |
//!
//! Depends on the model crate and halo2 only.

pub mod chips;
mod circuit;
mod combination;
mod commitment;
mod compiled;
mod config;
mod error;
mod field;
mod hashing;
mod layout;
mod parameters;
mod plan;
mod poseidon;
mod records;
mod shape;
mod sponge;
mod subtree;
mod trace;
mod visibility;

pub use circuit::{DEGREE, ModelCircuit, constraint_system, model_columns, usable_rows};
pub use commitment::{Commitment, CommittedValue, OpenedModel, Salts, prove_ranges};
pub use compiled::{CIRCUIT_VERSION, CompiledModel};
pub use config::ModelConfig;
pub use error::CircuitError;
pub use field::from_i128;
pub use layout::{AdviceColumn, ConvolutionRows, Layout};
pub use parameters::{CommittedForest, CommittedLayer, ModelCommitment};
pub use plan::{
    Candidate, HostFactors, MAX_K, Objective, ProveCpu, candidates, choose, convolution_rows, smallest_k, worthwhile,
};
pub use poseidon::{RATE, WIDTH, permute, sponge};
pub use records::{ARITY, RecordTree, record_salt, root_of_path};
pub use shape::{LinkColumns, Shape, Widths};
pub use trace::Trace;
pub use visibility::{PublicInputs, Side, Visibility};
