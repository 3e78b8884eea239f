//! The structured reference string (SRS) of the KZG commitment scheme over BN254, also called
//! "powers of tau": where it came from, whether it is sound, and how it is stored.
//!
//! A 2^k SRS is a secret τ that nobody knows, hidden in curve points:
//!
//! ```text
//!     P_i = τ^i · G1   (0 ≤ i < 2^k)        and        τ · G2
//! ```
//!
//! One equation, over random 128-bit ρ_i, says that all powers are of the one τ in G2:
//!
//! ```text
//!     e( Σ ρ_i · P_{i+1}, G2 )  =  e( Σ ρ_i · P_i, τ · G2 )
//! ```
//!
//! together with P_0 = G1 and every point on the curve and in the right subgroup. Because the equation
//! ties every power to τ·G2, those 128 bytes alone identify a ceremony: [`Ceremony`] is read off
//! τ·G2, never off a file name, and it survives conversion and downsizing.
//!
//! Who knows τ can prove anything. [`Srs::development`] has a τ that everybody can compute, and says so
//! everywhere.
//!
//! | module | what it holds |
//! |---|---|
//! | `srs` | [`Srs`]: halo2 parameters with their [`Provenance`]; downsizing; raw export |
//! | `provenance` | [`Ceremony`], [`SourceFormat`], [`SourceFile`], digests |
//! | `known` | the published τ·G2 and file hashes that name a ceremony |
//! | `import` | [`import()`], [`ImportOptions`]: the road from a foreign file to a checked [`Srs`] |
//! | `format` | detection, and one decoder per format: `.ptau`, halo2 raw, gnark, arkworks |
//! | `point` | decoding of one point in each encoding, every defect named |
//! | `file` | bounded positioned reads: no allocation from a length the file does not have |
//! | `check` | the equation above, and the comparison of a Lagrange basis with its powers |
//! | `lagrange` | the Lagrange basis: an inverse FFT over G1 |
//! | `scalar_multiplication` | G1 multiplication through the curve's endomorphism |
//! | `development` | the UNSAFE reproducible development SRS |
//! | `artifact` | the project's own container: atomic save, fast load, verified load |
//! | `error` | [`SrsError`] |
//!
//! The crate stands on halo2 alone; the prover, the verifier and the CLI use it.

mod artifact;
mod check;
mod development;
mod error;
mod file;
mod format;
mod import;
mod known;
mod lagrange;
mod point;
mod provenance;
mod scalar_multiplication;
mod srs;

pub use artifact::{ARTIFACT_VERSION, read_provenance};
pub use development::DEVELOPMENT_LABEL;
pub use error::{CurveGroup, FileOperation, FilePart, ForeignContent, HeaderField, PointDefect, SrsError};
pub use import::{DEFAULT_MAX_K, Import, ImportOptions, Notice, import};
pub use known::{ceremony, published_raw_sha256};
pub use provenance::{Blake2bDigest, Ceremony, DigestParseError, Provenance, Sha256Digest, SourceFile, SourceFormat};
pub use srs::{MAX_K, MIN_K, Srs};
