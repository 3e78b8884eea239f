//! Where a verifier runs: in the embedded EVM, and on any chain behind an RPC.
//!
//! ```text
//!                       ┌─▶ Simulator (revm, Osaka rules, 2^24 gas a transaction) ─▶ gas, size, decoded reason
//! CompiledVerifier ─────┤
//!                       └─▶ deploy ─▶ submit (alloy) ─▶ intent ─▶ quote ─▶ journal ─▶ receipt, decoded reason
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`abi`] | calldata and revert reasons, from the Solidity interface itself |
//! | [`simulator`] | deploys and calls on revm, counts gas |
//! | [`gas`] | where the gas of a verification goes |
//! | [`build`] | compiles a contract and runs known proofs on the bytecode before calling it done |
//! | [`chain`] | the RPC connection, what its errors mean, the rule for unsafe SRS |
//! | [`fees`] | what gas may cost |
//! | [`journal`] | what was signed, written down before it is sent |
//! | [`transaction`] | an account sends what it intends, once |
//! | [`deploy`](mod@deploy) | puts a contract on a chain |
//! | [`submit`](mod@submit) | sends a proof to a deployed verifier, or tries it without sending |
//! | [`status`](mod@status) | what a chain knows of a transaction |
//! | [`keys`] | where the signing key comes from |
//! | [`attestation`] | what a bureau says of committed inputs, signed |
//! | [`anvil`] | a real anvil for as long as a value lives |
//!
//! The crate stands above `zkverdict-solidity` and below the facade.

pub mod abi;
pub mod anvil;
pub mod attestation;
pub mod build;
pub mod chain;
pub mod deploy;
mod error;
pub mod fees;
pub mod gas;
pub mod journal;
pub mod keys;
pub mod simulator;
pub mod status;
pub mod submit;
pub mod transaction;

pub use abi::{
    Rejection, RevertReason, code_hash, decode_revert, encode_verify, encode_verify_batch, encode_verify_with,
    encode_verify_with_key, key_code_hash, public_inputs_from_words,
};
pub use alloy::primitives::{Address, B256, U256};
pub use anvil::{Anvil, AnvilOptions};
pub use attestation::{Attestation, SignedAttestation};
pub use build::{KnownProof, VerifiedBuild, build_verified, try_verifier};
pub use chain::{ChainTarget, SrsPolicy, block_on};
pub use deploy::{CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE, DeployRequest, Deployed, Placement, deploy, quote_deploy};
pub use error::EvmError;
pub use fees::{FeeLimits, Fees, Wei, WeiMalformed};
pub use gas::{GasComponents, GasReport};
pub use journal::JournalPlace;
pub use keys::{KeySource, PasswordSource, Prompt};
pub use simulator::{DeploymentReport, KeyReport, Outcome, Simulator, TRANSACTION_GAS_LIMIT, VerificationReport};
pub use status::{TransactionStatus, status};
pub use submit::{KeyContract, SubmitRequest, dry_run, submit};
pub use transaction::{Account, Attendant, Intent, Progress, Quote, Receipt, SendOptions};
