//! Errors in words, with what to do about them.

use anyhow::Error;
use zkverdict::{
    evm::EvmError,
    onnx::OnnxError,
    solidity::SolidityError,
    srs::SrsError,
    verifier::{ArtifactError, VerifyError},
};

use crate::{commands::Status, printer::Printer};

/// An error with the command that mends it.
#[derive(Debug)]
pub(crate) struct Hinted {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.problem)
    }
}

impl std::error::Error for Hinted {}

/// An error that says what to do.
pub(crate) fn hinted(problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Hinted {
        problem: problem.into(),
        hint: hint.into(),
    }
    .into()
}

/// Prints an error, its causes and its remedy, and tells the exit status.
pub(crate) fn report(error: &Error, printer: &Printer) -> Status {
    let mut said = error.to_string();
    printer.error(&said);
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Many errors say their cause themselves.
        if !said.contains(&text) {
            printer.cause(&text);
            said = text;
        }
    }
    if let Some(hint) = hint(error) {
        printer.hint(&hint);
    }
    if is_verdict(error) {
        Status::Failed
    } else {
        Status::Environment
    }
}

/// Whether the error is the answer to a check, not a failure to make it.
fn is_verdict(error: &Error) -> bool {
    error.chain().any(|cause| {
        let rejected = matches!(
            cause.downcast_ref::<EvmError>(),
            Some(EvmError::Reverted { .. } | EvmError::OutOfGas { .. })
        );
        rejected
            || cause
                .downcast_ref::<VerifyError>()
                .is_some_and(|error| !matches!(error, VerifyError::MalformedKey))
    })
}

/// What to do, where the message does not say it.
fn hint(error: &Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            return Some(hinted.hint.clone());
        }
        of::<zkverdict::Error>(cause, facade)
            .or_else(|| of(cause, artifact))
            .or_else(|| of(cause, srs))
            .or_else(|| of(cause, solidity))
            .or_else(|| of(cause, evm))
            .or_else(|| of(cause, onnx))
    })
}

fn of<E: std::error::Error + 'static>(
    cause: &(dyn std::error::Error + 'static),
    hint: impl Fn(&E) -> Option<String>,
) -> Option<String> {
    cause.downcast_ref().and_then(hint)
}

/// The errors below the facade's are transparent: they are not in the chain.
fn facade(error: &zkverdict::Error) -> Option<String> {
    use zkverdict::Error as E;
    match error {
        E::Artifact(error) => artifact(error),
        E::Srs(error) => srs(error),
        E::Solidity(error) => solidity(error),
        E::Evm(error) => evm(error),
        E::Onnx(error) => onnx(error),
        E::Io { source, .. } => missing(source),
        E::NoLayout => Some("run `zkverdict compile --explain` to see the layouts there are".to_owned()),
        _ => None,
    }
}

fn artifact(error: &ArtifactError) -> Option<String> {
    match error {
        ArtifactError::Io { source, .. } => missing(source),
        _ => None,
    }
}

fn srs(error: &SrsError) -> Option<String> {
    match error {
        SrsError::Io { source, .. } => missing(source),
        SrsError::TooSmall { wanted, .. } => Some(format!(
            "run `zkverdict srs import` on a ceremony's file with at least 2^{wanted} powers, or for trials \
             `zkverdict srs dev -k {wanted}`"
        )),
        _ => None,
    }
}

fn solidity(error: &SolidityError) -> Option<String> {
    match error {
        SolidityError::SolcMissing { .. } | SolidityError::SolcVersion { .. } | SolidityError::SolcUnusable { .. } => {
            Some("run `zkverdict doctor` to see all that is missing".to_owned())
        }
        _ => None,
    }
}

fn evm(error: &EvmError) -> Option<String> {
    match error {
        EvmError::Solidity(error) => solidity(error),
        EvmError::AnvilMissing { .. } => Some("run `zkverdict doctor` to see all that is missing".to_owned()),
        EvmError::NoCode { .. } => Some("run `zkverdict deploy`".to_owned()),
        EvmError::UnsafeSrs { .. } => {
            Some("run `zkverdict srs import`, then setup, prove and contract again".to_owned())
        }
        _ => None,
    }
}

fn onnx(error: &OnnxError) -> Option<String> {
    match error {
        OnnxError::Read { source, .. } => missing(source),
        OnnxError::Node { .. } | OnnxError::Input { .. } | OnnxError::Output { .. } => {
            Some("run `zkverdict inspect` to see the whole graph".to_owned())
        }
        _ => None,
    }
}

fn missing(source: &std::io::Error) -> Option<String> {
    (source.kind() == std::io::ErrorKind::NotFound).then(|| "check the path".to_owned())
}
