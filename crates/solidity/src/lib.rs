//! From a verifying key to a Solidity contract that checks its proofs, and on to bytecode.
//!
//! ```text
//! PlonkProtocol ──▶ snark-verifier's Yul ──▶ harden ──▶ one .sol file ──▶ solc ──▶ bytecode
//!                      (EVM loader)        (this crate)                (foundry-compilers)
//! ```
//!
//! What the EVM loader emits accepts more than the native verifier does: it reduces scalars instead of rejecting
//! them, ignores trailing calldata, lets precompiles burn all gas, and says nothing when it fails. [`harden`](mod@harden)
//! rewrites it statement by statement, counts what it rewrites, and refuses to emit a contract when a statement or a
//! count is not one it knows.
//!
//! | module | what it does |
//! |---|---|
//! | [`reference`](mod@reference) | runs the EVM loader and wraps the hardened assembly into the contract |
//! | [`harden`](mod@harden) | closes the traps in the emitted assembly |
//! | [`layout`] | what each word of a proof is, and what the contract's calldata looks like |
//! | [`compile`](mod@compile) | solc settings that work, bytecode, size limits |
//! | [`tools`] | finds solc and the other pinned programs |
//!
//! The crate stands above `zkverdict-verifier` and below `zkverdict-evm`, whose `build_verified` runs a known-good
//! proof on the bytecode before anybody may call the contract done.

pub mod compact;
pub mod compile;
mod error;
pub mod harden;
pub mod layout;
pub mod reference;
pub mod tools;

pub use compile::{CODE_SIZE_LIMIT, CompiledVerifier, INIT_CODE_SIZE_LIMIT, compile};
pub use error::SolidityError;
pub use layout::{ProofLayout, ProofRun, WordKind};
pub use reference::{ContractMetadata, VerifierSource, generate_reference, raw_reference};
pub use tools::{SOLC_VERSION, SolcChoice, cache_folder, find_program, find_solc, tools_folder};
