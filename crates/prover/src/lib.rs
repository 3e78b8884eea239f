//! Makes keys and proofs.
//!
//! ```text
//! ModelCircuit + SRS ──generate──▶ ProvingKey, VerifyingKey ──prove──▶ proof bytes
//! ```
//!
//! The proof system is halo2 over BN254 with KZG and SHPLONK openings; the transcript is Keccak, as the EVM computes
//! it. Every proof is verified natively before it is handed out.
//!
//! An [`Observer`] is told how far keys and proofs are ([`Stage`]); there is nothing here that shows it.

mod error;
mod keys;
mod link;
mod progress;
mod prove;

pub use error::ProverError;
pub use keys::ProvingKey;
pub use progress::{Observer, Progress, Stage};
pub use prove::{ProvenInference, prove, prove_observed};
