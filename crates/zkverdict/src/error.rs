use std::{io, path::PathBuf};

use thiserror::Error;
use zkverdict_circuit::Side;

/// Anything the pipeline can refuse.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A calibration with reasons for decisions, for a circuit that cannot give them.
    #[error(
        "reasons for decisions are made of a public model's weights, one decision at a time: calibrate without --reasons \
         for a committed model or an audit"
    )]
    NoReasons,
    /// The ONNX file or a sample file.
    #[error(transparent)]
    Onnx(#[from] zkverdict_onnx::OnnxError),
    /// The fixed-point program or its inputs.
    #[error(transparent)]
    Model(#[from] zkverdict_model::ModelError),
    /// The layout.
    #[error(transparent)]
    Circuit(#[from] zkverdict_circuit::CircuitError),
    /// The SRS.
    #[error(transparent)]
    Srs(#[from] zkverdict_srs::SrsError),
    /// Keys or proof.
    #[error(transparent)]
    Prover(#[from] zkverdict_prover::ProverError),
    /// The native verifier.
    #[error(transparent)]
    Verify(#[from] zkverdict_verifier::VerifyError),
    /// An artifact.
    #[error(transparent)]
    Artifact(#[from] zkverdict_verifier::ArtifactError),
    /// The generated contract.
    #[error(transparent)]
    Solidity(#[from] zkverdict_solidity::SolidityError),
    /// An EVM.
    #[error(transparent)]
    Evm(#[from] zkverdict_evm::EvmError),
    /// A contract does not accept the proof that its gas is to be measured with.
    #[error("{contract} does not accept the proof ({outcome}); measure with a valid one")]
    ProofRejected {
        /// The contract's name.
        contract: String,
        /// What became of the proof.
        outcome: zkverdict_evm::Outcome,
    },
    /// A file stands where one would be written.
    #[error("{path} is there already; choose another folder, or move it away", path = path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// A JSON file of ours does not parse.
    #[error("{path} is no {what}; make it again with {command}", path = path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// The command that makes it.
        command: &'static str,
    },
    /// A circuit of another version of this program.
    #[error(
        "{path} was compiled for circuit version {got}, this program proves version {expected}; run `zkverdict compile` \
         and `zkverdict setup` again",
        path = path.display()
    )]
    CircuitVersion {
        /// The file.
        path: PathBuf,
        /// Version proven here.
        expected: u32,
        /// Version in the file.
        got: u32,
    },
    /// A bound between groups that is no number.
    #[error(
        "{text:?} is no number; write the groups as COLUMN>=NUMBER, such as age>=25, as COLUMN>=NUMBER,NUMBER for three, or \
         as a column with few values"
    )]
    GroupBound {
        /// What was given.
        text: String,
    },
    /// Bounds between groups that are too many, or do not ascend.
    #[error(
        "the groups of {column:?}: their bounds do not ascend, or are more than 7; write them as {column}>=25,40,60"
    )]
    GroupBands {
        /// The column.
        column: String,
    },
    /// A column that says of no group, or of too many, which rows are in it.
    #[error(
        "the column {column:?} holds {count} different values; name one with 2 to 8, or divide it: {column}>=NUMBER"
    )]
    GroupValues {
        /// The column.
        column: String,
        /// Different values.
        count: usize,
    },
    /// A class to be selected that the model does not have.
    #[error("the model decides on no class {name:?}; name one of {}", classes.join(", "))]
    NoSuchClass {
        /// What was asked for.
        name: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// A label or group that a row of a table cannot have.
    #[error("{path}, row {row}, column {column:?}: {value:?} is not {expected}", path = path.display())]
    AuditField {
        /// The table.
        path: PathBuf,
        /// The row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// What could stand there.
        expected: String,
    },
    /// Another table than the circuit was compiled for.
    #[error(
        "{path} has {got} rows, the audit was compiled for {expected}; run `zkverdict audit compile` again",
        path = path.display()
    )]
    AuditRows {
        /// The table.
        path: PathBuf,
        /// Rows of the circuit.
        expected: usize,
        /// Rows of the table.
        got: usize,
    },
    /// A value of a table that the model refuses.
    #[error("{path}, row {row}: {source}", path = path.display())]
    AuditValue {
        /// The table.
        path: PathBuf,
        /// Row, from 0.
        row: usize,
        /// What is wrong with it.
        source: zkverdict_model::ModelError,
    },
    /// A circuit or proof that is about one sample.
    #[error("it is about one sample, not about a table; make it with `zkverdict audit compile`")]
    NotAudit,
    /// A row that a table does not have.
    #[error("the table has no row {row}; choose one between 0 and {last}", last = rows - 1)]
    NoRow {
        /// The row, from 0.
        row: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A calibration of another model.
    #[error("{path} was made from another model; run `zkverdict calibrate` again", path = path.display())]
    StaleCalibration {
        /// The file.
        path: PathBuf,
    },
    /// No width fits what was asked for.
    #[error("no layout matches: no calibrated width has the limb bits and lanes that were asked for")]
    NoLayout,
    /// Every contract would be too large for a chain.
    #[error(
        "no layout matches: every verifier contract would have {least} bytes of code or more, above what a chain \
         deploys (24,576); {remedy}"
    )]
    TooMuchCode {
        /// What makes it smaller.
        remedy: &'static str,
        /// Predicted bytes of the smallest.
        least: usize,
    },
    /// Every layout takes more memory than was allowed.
    #[error(
        "no layout matches: keys and proofs of the smallest one take about {least} MB of memory, above the limit of \
         {limit} MB; allow more, or accept a larger error with a greater tolerance"
    )]
    TooMuchMemory {
        /// Megabytes of the smallest.
        least: u64,
        /// Megabytes allowed.
        limit: u64,
    },
    /// A contract of another verifying key.
    #[error("the contract {contract} was not generated from this verifying key; run `zkverdict contract` again")]
    OtherContract {
        /// The contract's name.
        contract: String,
    },
    /// A context that is no field element.
    #[error(
        "the context {text:?} is not usable: give a number below the BN254 scalar field's prime as 0x… with up to 64 \
         digits, or any other text, which is hashed"
    )]
    Context {
        /// What was given.
        text: String,
    },
    /// Salts are never written over.
    #[error(
        "{path} is there already and is not overwritten: what is in it may open a commitment; name it with --salt to \
         commit with the same salts again, or move it away",
        path = path.display()
    )]
    SaltExists {
        /// The file.
        path: PathBuf,
    },
    /// Openings are not written over.
    #[error(
        "{path} is there already and is not overwritten; name another file with --output, or move it away",
        path = path.display()
    )]
    OpeningExists {
        /// The file.
        path: PathBuf,
    },
    /// Secret models are not written over by accident.
    #[error(
        "{path} is there already and is not overwritten: nobody can prove with a model whose weights and salt are lost; \
         name another file with --secret-model, or say --force",
        path = path.display()
    )]
    SecretModelExists {
        /// The file.
        path: PathBuf,
    },
    /// A secret model for a circuit that shows its model.
    #[error("the circuit shows its model; compile it with `--visibility model=committed`")]
    PublicModel,
    /// A proof of a committed model without the model.
    #[error(
        "the model is committed: its weights and salt are not in the circuit; name the file that `zkverdict compile` or \
         `zkverdict commit model` wrote"
    )]
    NoSecretModel,
    /// A secret model of another circuit.
    #[error("the secret model was made for another circuit; run `zkverdict commit model` with this one")]
    OtherSecretModel,
    /// A linked model before it is registered.
    #[error(
        "a linked model's commitment is made with a proving key; run `zkverdict setup`, then `zkverdict commit model` \
         with --proving-key"
    )]
    Unregistered,
    /// A linked model's commitment belongs to one circuit and key.
    #[error(
        "the commitment to a linked model belongs to one circuit and cannot name the model of an audit; compile both with \
         `--visibility model=committed`, or commit to the model of each by itself"
    )]
    LinkedElsewhere,
    /// An audit of a linked model.
    #[error("audits commit to their model in the circuit; use `--visibility model=committed`, or model=public")]
    LinkedAudit,
    /// A statement about a linked model.
    #[error(
        "statements open the salted hash of a model's trees, and this model is linked; use `--visibility model=committed`"
    )]
    LinkedStatement,
    /// Samples for a statement.
    #[error("a statement is about the model alone and takes no samples")]
    NoSamples,
    /// A calibration that says nothing of committed models.
    #[error(
        "at no limb size could the model's weights be committed to when it was calibrated: {reason}; run `zkverdict \
         calibrate` again, or prove it with `--visibility model=public`"
    )]
    Uncommitted {
        /// What stands in the way.
        reason: String,
    },
    /// Nothing in the proof or circuit is committed.
    #[error("there is no {side} commitment; compile with `--visibility {side}=committed`")]
    NotCommitted {
        /// Which one.
        side: Side,
    },
    /// The proof's outputs are not what the caller requires.
    #[error("the proof shows {got} for {name}, not {expected}")]
    UnexpectedOutput {
        /// Which public input.
        name: String,
        /// What was required.
        expected: String,
        /// What the proof shows.
        got: String,
    },
}
