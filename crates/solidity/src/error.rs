//! The crate's errors.

use std::path::PathBuf;

/// Why a verifier could not be generated or compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolidityError {
    /// The protocol is of a kind that the contract cannot verify soundly.
    #[error("this circuit cannot have a Solidity verifier: {reason}")]
    UnsupportedProtocol {
        /// What the contract cannot express.
        reason: &'static str,
    },
    /// The EVM loader refused the protocol.
    #[error("the EVM loader cannot verify this circuit: {reason}")]
    Loader {
        /// The loader's own message.
        reason: String,
    },
    /// The emitted code does not begin and end as the hardener knows it.
    #[error(
        "the EVM loader's {part} changed, so it cannot be hardened; use the snark-verifier version that Cargo.lock pins"
    )]
    UnknownFrame {
        /// Which part of the emitted file is unknown.
        part: &'static str,
    },
    /// The emitted code holds a statement that the hardener does not know.
    #[error(
        "the EVM loader emitted a statement that the hardener does not know (line {line}): {statement}; \
         use the snark-verifier version that Cargo.lock pins"
    )]
    UnknownStatement {
        /// The line in the emitted body, counted from 1.
        line: usize,
        /// The statement.
        statement: String,
    },
    /// A pattern occurs more or less often than the protocol says.
    #[error(
        "the emitted code has {got} of '{pattern}' where the protocol asks for {expected}, so it was not hardened; \
         use the snark-verifier version that Cargo.lock pins"
    )]
    PatternCount {
        /// What was counted.
        pattern: &'static str,
        /// How often it must occur.
        expected: usize,
        /// How often it occurs.
        got: usize,
    },
    /// The words of the proof are not read in order, each exactly once.
    #[error("the emitted code reads calldata at {got:#x} where {expected:#x} comes next, so it was not hardened")]
    ReadOrder {
        /// The offset that had to follow.
        expected: usize,
        /// The offset that was read.
        got: usize,
    },
    /// A precompile is called before the whole input was read and checked.
    #[error(
        "the emitted code calls a precompile before it has read the whole proof (line {line}), so it was not hardened"
    )]
    PrecompileBeforeInput {
        /// The line in the emitted body, counted from 1.
        line: usize,
    },
    /// The name is not a Solidity identifier.
    #[error("'{name}' is not a name for a contract; use letters, digits and underscores, and start with a letter")]
    ContractName {
        /// The name that was asked for.
        name: String,
    },
    /// Text for the contract's header would end the comment it stands in.
    #[error("the {field} cannot stand in a Solidity comment; leave out line breaks, control characters and '*/'")]
    HeaderText {
        /// Which field of the metadata it is.
        field: &'static str,
    },
    /// No solc was found.
    #[error(
        "no solc {version} was found in --solc, ZKVERDICT_SOLC, PATH or {tools}; run scripts/tools/install, \
         or point ZKVERDICT_SOLC at a solc {version}"
    )]
    SolcMissing {
        /// The pinned version.
        version: semver::Version,
        /// The tools folder that was searched last.
        tools: PathBuf,
    },
    /// A solc was named that does not run.
    #[error("{path} does not run as a Solidity compiler: {reason}")]
    SolcUnusable {
        /// The program.
        path: PathBuf,
        /// What running it gave.
        reason: String,
    },
    /// A solc of another version was named.
    #[error("{path} is solc {got}, and the verifier is pinned to {expected}; run scripts/tools/install to get it")]
    SolcVersion {
        /// The program.
        path: PathBuf,
        /// The pinned version.
        expected: semver::Version,
        /// The version it reports.
        got: semver::Version,
    },
    /// solc ran and refused the contract.
    #[error("solc refused the contract: {}", messages.join("; "))]
    Compile {
        /// solc's errors, one each.
        messages: Vec<String>,
    },
    /// solc's answer lacks the bytecode.
    #[error("solc's answer has no {what} for the contract {contract}; check that {path} is the real compiler")]
    CompileOutput {
        /// The contract.
        contract: String,
        /// What is missing.
        what: &'static str,
        /// The compiler that answered.
        path: PathBuf,
    },
    /// The contract is larger than the EVM allows.
    #[error(
        "the verifier has {got} bytes of code and the EVM allows {limit} (EIP-170); use fewer columns or public \
         inputs, or the compact style"
    )]
    CodeTooLarge {
        /// The limit.
        limit: usize,
        /// The size of the runtime code.
        got: usize,
    },
}
