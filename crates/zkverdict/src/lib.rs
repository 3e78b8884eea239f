//! Prove what a machine-learning model decided, and let any Ethereum contract check it.
//!
//! ```text
//! Model ─▶ CalibrationFile ─▶ CircuitFile ─▶ Keys ─▶ Proof ─▶ ContractFile ─▶ revm, anvil, any EVM chain
//! ```
//!
//! | module | what |
//! |---|---|
//! | `model` | ONNX files, samples, calibration |
//! | `circuit` | compiling: the planner's choice |
//! | `keys` | proving and verifying keys |
//! | `proof` | proofs, contexts |
//! | `commitment` | salts and openings |
//! | `secret` | committed models: their parameters and salts |
//! | `audit` | tables of labelled rows, openings of single rows |
//! | `schema` | what each public input means |
//! | `contract` | verifier contracts |
//! | `gas` | what contracts cost, by component |
//! | `project` | a Foundry project around a contract |
//! | `machine` | free memory, and how fast this machine is |
//!
//! The crates below are re-exported under their own names.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

mod audit;
mod circuit;
mod commitment;
mod contract;
mod error;
mod gas;
mod keys;
mod machine;
mod model;
mod project;
mod proof;
mod schema;
mod secret;

pub use zkverdict_circuit as circuits;
pub use zkverdict_evm as evm;
pub use zkverdict_model as models;
pub use zkverdict_onnx as onnx;
pub use zkverdict_prover as prover;
pub use zkverdict_solidity as solidity;
pub use zkverdict_srs as srs;
pub use zkverdict_verifier as verifier;

pub use audit::{AuditOptions, AuditTable, GroupRule, RowOpening};
pub use circuit::{
    CircuitFile, CompileOptions, DEFAULT_TOLERANCE, Planned, Reason, compile, compile_audit, compile_statement,
};
pub use commitment::{Opening, SaltFile};
pub use contract::{ContractFile, KeyCosts, Sharing, Style};
pub use error::Error;
pub use gas::{ContractGas, KeyPlace};
pub use keys::{Keys, Provenance, SETUP_OVER_PROVE, VerifyingKeyFile, load_proving_key};
pub use machine::{HostSpeed, available_memory, wall_seconds};
pub use model::{CalibrationFile, CommittedWidth, FormatRule, Model, Width};
pub use project::FoundryProject;
pub use proof::{Proof, context_from_text, prove, prove_observed};
pub use schema::{Committed, Field, Role};
pub use secret::{CommittedFormats, SecretModel};
