use std::{io, path::PathBuf};

use thiserror::Error;

use crate::Kind;

/// Why a file is not the artifact it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No artifact at all.
    #[error("{path} is not a zkverdict artifact; {command} makes a {kind}", path = path.display(), command = kind.command())]
    NotAnArtifact {
        /// The file.
        path: PathBuf,
        /// What was expected.
        kind: Kind,
    },
    /// Another kind of artifact.
    #[error(
        "{path} is a {got}, not a {expected}; {command} makes one",
        path = path.display(), command = expected.command()
    )]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: Kind,
        /// What it is.
        got: Kind,
    },
    /// Written by another version.
    #[error(
        "{path} has format version {got}, this program reads {expected}; make it again with {command}",
        path = path.display(), command = kind.command()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
        /// Version read here.
        expected: u32,
        /// Version in the file.
        got: u32,
    },
    /// Cut short, extended or changed.
    #[error("{path} is damaged ({problem}); make it again with {command}", path = path.display(), command = kind.command())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
        /// What does not fit.
        problem: &'static str,
    },
    /// Made from something else than what it is used with.
    #[error(
        "{path} was made from another {ingredient}; make it again with {command}",
        path = path.display(), command = kind.command()
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: Kind,
        /// The ingredient that differs.
        ingredient: &'static str,
    },
}

/// Why a proof is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The number of public inputs is wrong.
    #[error("expected {expected} public inputs, got {got}")]
    PublicInputCount {
        /// What the key asks for.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// A public input is no reduced field element.
    #[error("public input {index} is not below the field's prime")]
    NonCanonicalPublicInput {
        /// Which one.
        index: usize,
    },
    /// The proof has the wrong length.
    #[error("expected a proof of {expected} bytes, got {got}")]
    ProofLength {
        /// What the key asks for.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// A word of the proof is no reduced scalar or no point of the curve.
    #[error("the proof holds a word that is no scalar or no point of the curve")]
    MalformedProof,
    /// The proof is well formed and does not prove these public inputs under this key.
    #[error("the proof does not hold for these public inputs and this verifying key")]
    Rejected,
    /// The verifying key describes no protocol that can be checked.
    #[error("the verifying key is malformed; make it again with `zkverdict setup`")]
    MalformedKey,
}
