use thiserror::Error;

/// What can go wrong between a float graph and its integer program.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A sample does not have the graph's inputs.
    #[error("expected {expected} values for input {input}, got {got}")]
    InputLength {
        /// Input name.
        input: String,
        /// Elements the graph declares.
        expected: usize,
        /// Elements given.
        got: usize,
    },
    /// The sample has another number of tensors than the graph.
    #[error("expected {expected} input tensors, got {got}")]
    InputCount {
        /// Tensors the graph declares.
        expected: usize,
        /// Tensors given.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("{what} is {value}; only finite numbers can be proven")]
    NotFinite {
        /// Which value.
        what: String,
        /// The value.
        value: f64,
    },
    /// An input lies outside the range that calibration chose.
    #[error(
        "input {input}[{index}] = {value} is outside the calibrated range [{low}, {high}]; \
         calibrate on samples that cover it, or with a larger --margin"
    )]
    InputOutOfRange {
        /// Input name.
        input: String,
        /// Element.
        index: usize,
        /// The value.
        value: f64,
        /// Smallest value the format holds.
        low: f64,
        /// Largest value the format holds.
        high: f64,
    },
    /// A categorical input holds a value that is in no category.
    #[error(
        "input {input}[{index}] = {value} is in no category of the model's one-hot encoder; \
         use one of {categories:?}"
    )]
    UnknownCategory {
        /// Input name.
        input: String,
        /// Element.
        index: usize,
        /// The value.
        value: f64,
        /// Known categories.
        categories: Vec<i64>,
    },
    /// The circuit has no gadget for this use of an operator.
    #[error("{node}: {reason}")]
    Unsupported {
        /// Node and operator.
        node: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A value is too large for the fixed-point formats.
    #[error(
        "{node}: the values span up to {span:e}, more than {limit:e} times what one output step \
         can hold; scale the inputs of the model, or calibrate with a larger --margin"
    )]
    RangeTooWide {
        /// Node and operator.
        node: String,
        /// Span found.
        span: f64,
        /// Largest span supported.
        limit: f64,
    },
    /// A program whose parameters are a secret that is kept elsewhere.
    #[error("the model is committed: its parameters are not in the circuit; give the file of the secret model too")]
    NoParameters,
    /// A model that has no parameters to hide.
    #[error("the model has no weights that could be committed to; prove it with model=public")]
    NothingToCommit,
    /// Parameters, or a model, of another architecture.
    #[error(
        "the model does not have the architecture of the circuit: other operators, sizes, thresholds or categories; \
         compile a circuit of its own for it"
    )]
    OtherArchitecture,
    /// More trees, or deeper ones, than the circuit has room for.
    #[error(
        "the model has {trees} trees of up to {depth} levels; the circuit has room for {most} of {deepest}: compile a \
         circuit with --trees {trees} --depth {depth}, or train a smaller model"
    )]
    LargerForest {
        /// Trees of the model, for one target.
        trees: usize,
        /// Levels of its deepest tree.
        depth: u32,
        /// Trees that the circuit has room for.
        most: usize,
        /// Levels that it has room for.
        deepest: u32,
    },
    /// A parameter beyond the range that the architecture has for it.
    #[error(
        "{node}: a {what} of the model leaves the range that the circuit has for it, {times:.1} times; compile the \
         circuit from the model with the larger weights, or scale the model"
    )]
    ParameterOutOfRange {
        /// Node in the model.
        node: String,
        /// Weight or bias.
        what: &'static str,
        /// The parameter over the end of its range.
        times: f64,
    },
    /// The program has no answer for this input.
    #[error("{node}: these inputs have no defined result (a share of a total of zero)")]
    Unprovable {
        /// Node and operator.
        node: String,
    },
    /// Not what an audit can be made of.
    #[error("no audit: {reason}")]
    Audit {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Not what can be stated of trees.
    #[error("no statement: {reason}")]
    Statement {
        /// Why, and what to do.
        reason: String,
    },
    /// An audit that compares how a class is decided on, without saying which.
    #[error(
        "no audit: rates of groups are of one selected class, and the model has {}: {}; name it (--positive CLASS)",
        classes.len(), classes.join(", ")
    )]
    NoSelectedClass {
        /// The classes.
        classes: Vec<String>,
    },
    /// A program from a file makes no sense.
    #[error("the program is malformed: {problem}; run `zkverdict compile` again")]
    MalformedProgram {
        /// What is wrong.
        problem: &'static str,
    },
    /// A calibration from a file, or from samples of enormous size, has no usable ranges.
    #[error(
        "the calibration has no samples, a margin below 1, or a range that ends before it starts or is infinite; run \
         `zkverdict calibrate` again, on finite samples of moderate size"
    )]
    MalformedCalibration,
    /// A format was chosen for a tensor that the model does not have.
    #[error(
        "the calibration chooses a format for {node:?} that this model cannot take; run `zkverdict calibrate` again"
    )]
    ForeignFormat {
        /// The tensor's node.
        node: String,
    },
    /// Reasons cannot be given, or not as asked.
    #[error("the reasons for a decision: {problem}")]
    Reasons {
        /// Why, and what to do.
        problem: String,
    },
    /// Calibration needs data.
    #[error("calibration needs at least one sample")]
    NoSamples,
    /// Calibration was made for another graph.
    #[error("the calibration holds {got} ranges where the model needs {expected}; run `zkverdict calibrate` again")]
    CalibrationMismatch {
        /// Ranges needed.
        expected: usize,
        /// Ranges found.
        got: usize,
    },
}
