//! Makes keys and proofs.
//!
//! ```text
//! ModelCircuit + SRS ──generate──▶ ProvingKey, VerifyingKey ──prove──▶ proof bytes
//! ```
//!
//! The proof system is halo2 over BN254 with KZG and SHPLONK openings; the transcript is Keccak, as the EVM computes
//! it. Every proof is verified natively before it is handed out.

mod error;
mod keys;
mod prove;

pub use error::ProverError;
pub use keys::ProvingKey;
pub use prove::{ProvenInference, prove};
