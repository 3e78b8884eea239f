//! Where a verifier runs: in the embedded EVM, and on any chain behind an RPC.
//!
//! ```text
//!                       ┌─▶ Simulator (revm, Osaka rules, 2^24 gas a transaction) ─▶ gas, size, decoded reason
//! CompiledVerifier ─────┤
//!                       └─▶ deploy ─▶ submit / dry_run (alloy) ─▶ receipt, gas, decoded reason
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`abi`] | calldata and revert reasons, from the Solidity interface itself |
//! | [`simulator`] | deploys and calls on revm, counts gas |
//! | [`build`] | compiles a contract and runs known proofs on the bytecode before calling it done |
//! | [`chain`] | the RPC connection, what its errors mean, the rule for unsafe SRS |
//! | [`deploy`](mod@deploy) | puts a verifier on a chain |
//! | [`submit`](mod@submit) | sends a proof to a deployed verifier, or tries it without sending |
//! | [`keys`] | where the signing key comes from |
//! | [`anvil`] | a real anvil for as long as a value lives |
//!
//! The crate stands above `zkverdict-solidity` and below the facade.

pub mod abi;
pub mod anvil;
pub mod build;
pub mod chain;
pub mod deploy;
mod error;
pub mod keys;
pub mod simulator;
pub mod submit;

pub use abi::{
    Rejection, RevertReason, code_hash, decode_revert, encode_verify, encode_verify_batch, encode_verify_with,
    encode_verify_with_key, key_code_hash, public_inputs_from_words,
};
pub use alloy::primitives::{Address, B256, U256};
pub use anvil::{Anvil, AnvilOptions};
pub use build::{KnownProof, VerifiedBuild, build_verified, try_verifier};
pub use chain::{ChainTarget, SendOptions, SrsPolicy, block_on};
pub use deploy::{DeployReceipt, KeyReceipt, deploy};
pub use error::EvmError;
pub use keys::{KeySource, PasswordSource, Prompt};
pub use simulator::{DeploymentReport, KeyReport, Outcome, Simulator, TRANSACTION_GAS_LIMIT, VerificationReport};
pub use submit::{DryRun, KeyContract, SubmitReceipt, SubmitRequest, dry_run, submit};
