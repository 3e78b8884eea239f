//! Checks proofs natively, and reads and writes artifacts.
//!
//! ```text
//! proof bytes + public inputs + VerifyingKey ──verify──▶ accepted, or a named error
//! ```
//!
//! | module | what |
//! |---|---|
//! | `key` | [`VerifyingKey`]: snark-verifier's protocol and the pairing's points; decoding of proofs and public inputs |
//! | `link` | the link from a proof to a registered model |
//! | `artifact` | [`Artifact`]: the container of every file, with digests of what it was made from |
//!
//! Stands on halo2 and snark-verifier alone: a verifier links neither circuits nor provers. Nothing here panics,
//! whatever the bytes.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod artifact;
mod error;
mod key;
mod link;

pub use artifact::{Artifact, Digest, Kind, MadeFrom, write_atomically};
pub use error::{ArtifactError, VerifyError};
pub use key::{VerifyingKey, decode_public_inputs, encode_public_inputs};
pub use link::{LINK_DOMAIN, ModelLink, linked_commitment, point_bytes, read_point};
