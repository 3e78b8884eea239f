use thiserror::Error;

use zkverdict_model::ModelError;

use crate::Side;

/// Why a program cannot be laid out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CircuitError {
    /// More rows than the requested size holds.
    #[error("k = {k} holds {usable} rows, the model needs {needed}; the planner would choose k = {suggested}")]
    TooManyRows {
        /// Requested size, rows are `2^k`.
        k: u32,
        /// Rows that may hold content.
        usable: usize,
        /// Rows needed.
        needed: usize,
        /// Smallest size that fits.
        suggested: u32,
    },
    /// No size up to the largest supported one holds the model.
    #[error("the model needs {needed} rows, more than the 2^{limit} that are supported; use a smaller model")]
    TooLarge {
        /// Rows needed.
        needed: usize,
        /// Largest supported `k`.
        limit: u32,
    },
    /// A sum is too wide to be unpacked from a field element.
    #[error("{node}: one weighted sum needs {bits} bits, more than a field element holds")]
    SumTooWide {
        /// Node in the model.
        node: String,
        /// Bits needed.
        bits: u32,
    },
    /// A tree's numbers do not fit their limbs.
    #[error(
        "{node}: a tree reads more than 2^{limb_bits} features, has more than 2^{limb_bits} thresholds for one, or a \
         weight beyond three limbs; use larger limbs"
    )]
    TreeTooWide {
        /// Node in the model.
        node: String,
        /// Limb bits.
        limb_bits: u32,
    },
    /// Sums that are not the convolution that the program calls them.
    #[error("{node}: {problem}; compile the model again")]
    NoConvolution {
        /// Node in the model.
        node: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The circuit names a convolution that the program does not have.
    #[error("the program has no convolution {number}; compile the model again")]
    NoSuchConvolution {
        /// Its number.
        number: usize,
    },
    /// A committed value whose range nothing proves.
    #[error("{side} value {index} has no proven range, so a commitment to it would not bind; compile the model again")]
    UnboundedCommitment {
        /// Where it belongs.
        side: Side,
        /// Its position.
        index: usize,
    },
    /// A table whose rows do not all have the same formats.
    #[error("the rows of the table differ in their formats; compile the audit again")]
    UnequalRows,
    /// A value that does not fit the commitment.
    #[error("{side} value {index} is {value}, which is outside of its {bits} bits")]
    ValueTooLarge {
        /// Where it belongs.
        side: Side,
        /// Its position.
        index: usize,
        /// The value.
        value: i64,
        /// Bits that it may have.
        bits: u32,
    },
    /// Another number of values than the commitment has.
    #[error("the {side} commitment is to {expected} values, not to {got}")]
    ValueCount {
        /// Where they belong.
        side: Side,
        /// Values of the commitment.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A proof that says nothing.
    #[error(
        "outputs can be public or committed, not private: a proof that shows nothing of them says nothing of the model"
    )]
    PrivateOutputs,
    /// A proof of nobody knows which model.
    #[error("a model can be public, committed or linked, not private: a proof must say which model decided")]
    PrivateModel,
    /// Inputs or outputs in the way of a model.
    #[error("only a model can be linked; inputs and outputs can be public or committed")]
    LinkedValues,
    /// A program whose parameters are committed to where the circuit shows them, or the other way round.
    #[error("the program and the circuit differ in whether the model is committed; compile the model again")]
    OtherVisibility,
    /// Parameters of a model that the commitment is not to.
    #[error("these are not the parameters of a model of this architecture; make them with `zkverdict commit model`")]
    OtherParameters,
    /// Parameters that are not there.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A program cell is never computed.
    #[error("cell {cell} is used before any step computes it; compile the model again")]
    UndefinedCell {
        /// The cell.
        cell: u32,
    },
    /// The environment makes halo2 clamp degrees.
    #[error("the environment variable MAX_DEGREE is {value:?}; halo2 would build another circuit: unset it")]
    DegreeClamped {
        /// Its value.
        value: String,
    },
    /// A fixed column that holds nothing: its commitment is no point that a contract accepts.
    #[error(
        "with {lanes} lanes some column of the circuit would stay empty; use fewer lanes, or a model that computes"
    )]
    IdleColumn {
        /// Lanes.
        lanes: usize,
    },
    /// A shape outside the catalogue.
    #[error(
        "a shape has 1 (with convolutions 4) to 32 (with committed trees 8) lanes and limbs of 5 (with trees 8) to 14 (with \
         committed trees 9) bits; got {lanes} lanes, {limb_bits} bits"
    )]
    BadShape {
        /// Lanes.
        lanes: usize,
        /// Limb bits.
        limb_bits: u32,
    },
}
