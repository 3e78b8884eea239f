//! The circuit against halo2's mock prover: it accepts what the evaluator computes, and nothing else.

mod attacks;
mod common;
mod honest;
mod tree_attacks;
