//! What the command line looks like. Types only: nothing here reads a file, a variable or a default.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use zkverdict::{circuits::Visibility, evm::Wei};

const CONFIGURATION: &str = "\
Configuration: flags win over environment variables, and these over zkverdict.toml in the current folder.
  optimize = \"gas\"              ZKVERDICT_OPTIMIZE          compile, calibrate, bench
  tolerance = 4e-4              ZKVERDICT_TOLERANCE         compile, bench
  visibility = \"committed\"      ZKVERDICT_VISIBILITY        compile, run (of the inputs; or \"model=committed\", …)
  secret-model = \"my.secret\"    ZKVERDICT_SECRET_MODEL      compile, prove, commit
  limb-bits = 8, lanes = 1      ZKVERDICT_LIMB_BITS, …      compile, run
  memory-limit = \"4GB\"          ZKVERDICT_MEMORY_LIMIT      compile
  margin = 4.0                  ZKVERDICT_MARGIN            calibrate, run, bench
  reasons = 3                   ZKVERDICT_REASONS           calibrate
  ignore-columns = [\"id\"]       ZKVERDICT_IGNORE_COLUMNS    calibrate, run, prove (commas in the variable)
  srs = \"hermez-11.srs\"         ZKVERDICT_SRS               setup, bench
  solc = \"/usr/bin/solc\"        ZKVERDICT_SOLC              contract, bench, demo
  rpc-url, chain-id             ZKVERDICT_RPC_URL, …        deploy, submit, status (chain-id: attest)
  keystore, password-file       ZKVERDICT_KEYSTORE, …       attest, deploy, submit
  private-key-env = \"MY_KEY\"    ZKVERDICT_PRIVATE_KEY_ENV   attest, deploy, submit (a variable's name, never a key)
ZKVERDICT_CONFIG names another configuration file, ZKVERDICT_TOOLS the folder of solc and anvil.

Exit status: 0 done, 1 the proof or check failed, 2 wrong usage or environment.";

/// A number of bytes, with or without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ByteSize(pub(crate) u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" | "M" => 1e6,
            "GB" | "G" => 1e9,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            _ => f64::NAN,
        };
        let bytes = digits.trim_end().parse::<f64>().unwrap_or(f64::NAN) * unit;
        if (1.0..1e18).contains(&bytes) {
            Ok(Self(bytes as u64))
        } else {
            Err("it takes a number of bytes with or without kB, MB, GB, MiB, GiB, such as 800MB".to_owned())
        }
    }
}

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What proofs show of the inputs, of the outputs and of the model, as far as it was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Shown {
    pub(crate) input: Option<Visibility>,
    pub(crate) output: Option<Visibility>,
    pub(crate) model: Option<Visibility>,
}

impl FromStr for Shown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || {
            "it takes input=public, private or committed, output=public or committed and model=public, committed or \
             linked, such as input=committed,output=public"
                .to_owned()
        };
        let mut shown = Self::default();
        for part in text.split(',') {
            // Inputs are meant where no side is named.
            let (side, how) = part.split_once('=').unwrap_or(("input", part));
            let how = match how.trim() {
                "public" => Visibility::Public,
                "private" => Visibility::Private,
                "committed" => Visibility::Committed,
                "linked" => Visibility::Linked,
                _ => return Err(problem()),
            };
            let side = side.trim();
            let place = match side {
                _ if how == Visibility::Linked && side != "model" => return Err(problem()),
                "input" => &mut shown.input,
                "output" if how != Visibility::Private => &mut shown.output,
                "model" if how != Visibility::Private => &mut shown.model,
                _ => return Err(problem()),
            };
            if place.replace(how).is_some() {
                return Err(problem());
            }
        }
        Ok(shown)
    }
}

impl TryFrom<String> for Shown {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Prove what a machine-learning model decided, and let any Ethereum contract check it
#[derive(Debug, Parser)]
#[command(name = "zkverdict", version, propagate_version = true, max_term_width = 110, after_long_help = CONFIGURATION)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print the result as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Read this configuration file instead of zkverdict.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Inspect(Inspect),
    Calibrate(Calibrate),
    Compile(Compile),
    Setup(Setup),
    Prove(Prove),
    Verify(Verify),
    Commit(Commit),
    Attest(Attest),
    Audit(Audit),
    Contract(Contract),
    Simulate(Simulate),
    Gas(Gas),
    Deploy(Deploy),
    Submit(Submit),
    Status(TransactionStatus),
    Anvil(Anvil),
    Srs(Srs),
    Run(Run),
    Bench(Bench),
    /// Check that this machine has what zkverdict needs, with a remedy for each thing missing
    Doctor,
    Completions(Completions),
}

/// Tell the whole story on embedded parts: a private applicant, a proof, a contract that checks it
///
/// Nothing is downloaded and nothing leaves this machine: model and data are inside the program, the chain is
/// embedded. Only solc must be installed. The SRS is the development one, which is UNSAFE for anything real.
///
/// Example: zkverdict demo diagnosis
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Demo {
    /// Whose story
    #[arg(value_enum, default_value_t = Story::Credit)]
    pub(crate) story: Story,
    /// Which of the trained models decides [default: gbdt for credit, logreg for diagnosis]
    #[arg(long, value_enum)]
    pub(crate) model: Option<DemoModel>,
    /// Use this solc
    #[arg(long, value_name = "PATH")]
    pub(crate) solc: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Story {
    /// A loan application (German Credit)
    Credit,
    /// A breast mass (Wisconsin)
    Diagnosis,
    /// How good and how fair the logistic regression is on a part of German Credit
    Audit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoModel {
    /// Gradient-boosted trees (credit)
    Gbdt,
    /// The logistic regression
    Logreg,
    /// The small neural network
    Mlp,
}

/// Show what an ONNX file declares, whether it can be proven, and how
///
/// Exit status 1 if the model cannot be proven; the reason names the node.
///
/// Example: zkverdict inspect examples/credit/logreg.onnx
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Inspect {
    /// The ONNX file
    pub(crate) model: PathBuf,
}

/// Measure ranges and errors on sample data
///
/// Runs the model on samples, widens the ranges it saw, chooses the format of each tensor by the error it causes, and
/// measures for each limb size how far the fixed-point model is from the floats and what a proof would cost.
///
/// Example: zkverdict calibrate credit.onnx --data applicants.csv --ignore-column target
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Calibrate {
    /// The ONNX file
    pub(crate) model: PathBuf,
    /// Samples: .json, .csv, .npy or .npz; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) data: Vec<PathBuf>,
    /// Factor by which the observed ranges are widened [default: 4]
    #[arg(long, value_name = "M")]
    pub(crate) margin: Option<f64>,
    /// How the formats of tensors are chosen
    #[arg(long, value_enum, default_value_t = Formats::Measured)]
    pub(crate) formats: Formats,
    /// Prove the K inputs that count most against an outcome, too: of linear models and sums of trees
    #[arg(long, value_name = "K")]
    pub(crate) reasons: Option<usize>,
    /// The label that reasons speak against [default: the last; "high" of models without labels]
    #[arg(long, value_name = "LABEL")]
    pub(crate) against: Option<String>,
    /// Names of the inputs for reasons: a JSON list, or {"columns": [{"name": …}, …]}
    #[arg(long, value_name = "FILE")]
    pub(crate) feature_names: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// What the predicted costs are for: the layout that is best in this
    #[arg(long, value_enum)]
    pub(crate) optimize: Option<Optimize>,
    /// Where to write the calibration [default: MODEL.calibration.json]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Formats {
    /// Those with the least error on the samples, where these are enough (16)
    Measured,
    /// The finest that hold the widened ranges
    Fitted,
}

#[derive(Debug, Args)]
pub(crate) struct Columns {
    /// Pass over this column of the samples; may be given several times
    #[arg(long = "ignore-column", value_name = "NAME")]
    pub(crate) ignore: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Optimize {
    /// Least prover time
    Time,
    /// Least gas for a verification
    Gas,
    /// Least prover memory
    Memory,
}

/// Compile a calibrated model to a circuit
///
/// Counts rows and columns for every limb size and width, and takes the cheapest whose error is acceptable.
///
/// Example: zkverdict compile credit.onnx --calibration credit.calibration.json --optimize gas --explain
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compile {
    /// The ONNX file
    pub(crate) model: PathBuf,
    /// What `zkverdict calibrate` wrote [default: MODEL.calibration.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
    /// What to make small [default: time]
    #[arg(long, value_enum)]
    pub(crate) optimize: Option<Optimize>,
    /// Largest acceptable error on the calibration samples [default: 0.0004]
    #[arg(long, value_name = "E")]
    pub(crate) tolerance: Option<f64>,
    /// What proofs show of the inputs (public, private or committed), of the outputs (public or committed) and of the
    /// model (public, committed or linked: its weights and biases) [default: input=private,output=public,model=public]
    #[arg(long, value_name = "SIDE=HOW,…")]
    pub(crate) visibility: Option<Shown>,
    /// Only layouts with this limb size
    #[arg(long, value_name = "L")]
    pub(crate) limb_bits: Option<u32>,
    #[command(flatten)]
    pub(crate) layouts: Layouts,
    /// Of a committed ensemble: room for so many trees, for each class if they have one each [default: the model's]
    #[arg(long, value_name = "N")]
    pub(crate) trees: Option<usize>,
    /// Of a committed ensemble: room for trees of so many levels [default: the model's]
    #[arg(long, value_name = "D")]
    pub(crate) depth: Option<u32>,
    /// Show every layout that was considered
    #[arg(long)]
    pub(crate) explain: bool,
    /// Where to write the circuit [default: MODEL.circuit]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Where to write the weights and the salt of a committed model [default: CIRCUIT.model.secret]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_model: Option<PathBuf>,
    /// Write over the secret model that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Which layouts are considered.
#[derive(Debug, Args)]
pub(crate) struct Layouts {
    /// Only layouts with this many products a row
    #[arg(long, value_name = "C")]
    pub(crate) lanes: Option<usize>,
    /// Only layouts whose keys and proofs take at most this much memory, such as 800MB or 4GiB
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_limit: Option<ByteSize>,
}

/// Make the proving and verifying key of a circuit
///
/// Example: zkverdict setup credit.circuit --srs hermez-11.srs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Setup {
    /// What `zkverdict compile` wrote
    pub(crate) circuit: PathBuf,
    /// What `zkverdict srs` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) srs: Option<PathBuf>,
    /// Where to write the proving key [default: CIRCUIT.pk]
    #[arg(long, value_name = "FILE")]
    pub(crate) proving_key: Option<PathBuf>,
    /// Where to write the verifying key [default: CIRCUIT.vk]
    #[arg(long, value_name = "FILE")]
    pub(crate) verifying_key: Option<PathBuf>,
}

/// Prove what the model decides about one sample
///
/// The context is what the proof is bound to: nobody can use the proof in another one. An application derives it from
/// chain, contract, caller and nonce; a text is hashed.
///
/// Example: zkverdict prove credit.circuit --proving-key credit.pk --input applicant.json --context "loan 4711"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Prove {
    /// What `zkverdict compile` wrote
    pub(crate) circuit: PathBuf,
    /// What `zkverdict setup` wrote [default: CIRCUIT.pk]
    #[arg(long, value_name = "FILE")]
    pub(crate) proving_key: Option<PathBuf>,
    /// The sample: .json, .csv, .npy or .npz; a statement about a model's trees takes none
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Which sample of the file, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) row: usize,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// What the proof is bound to: 0x… is a number below the field's prime, any other text is hashed
    #[arg(long, value_name = "TEXT|0x…", default_value = "0x0")]
    pub(crate) context: String,
    /// What `zkverdict compile` or `zkverdict commit model` wrote, where the model is committed
    /// [default: CIRCUIT.model.secret]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_model: Option<PathBuf>,
    /// Commit with the salts of this file, not with new ones that are written to OUTPUT.salt
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: Option<PathBuf>,
    /// Write over the salts that are there: what was committed to with them can never be opened
    #[arg(long)]
    pub(crate) force: bool,
    /// Show the reasons for the decision that the proof proves; the circuit must have been made with them
    #[arg(long)]
    pub(crate) explain: bool,
    /// Where to write the proof [default: CIRCUIT.proof, or CIRCUIT.proof.json]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Artifact that remembers its key, or plain JSON with proof and public inputs
    #[arg(long, value_enum, default_value_t = ProofFormat::Binary)]
    pub(crate) format: ProofFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProofFormat {
    /// An artifact
    Binary,
    /// {"proof": "0x…", "public_inputs": ["0x…", …]}
    Json,
}

/// Prove how good and how fair a model is on a labelled table, without showing the table
///
/// An audit is a circuit over all rows of a table: `zkverdict setup`, `prove --input TABLE`, `verify`, `contract` and all
/// other commands take it like any other. Proofs show the root that commits to the table, the number of rows, and either
/// counts or only what is claimed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    Compile(Box<AuditCompile>),
    Trees(AuditTrees),
    Data(AuditData),
    Open(AuditOpen),
    Check(AuditCheck),
}

/// Compile the audit of a model on a table
///
/// Without claims, proofs show how decisions and labels go together: in each group, or class by class. With claims, they
/// show whether each holds, and nothing else: accuracy>=T; four-fifths, no group's selection rate below 4/5 of another's;
/// parity<=E, no two groups' selection rates differ by more than E; opportunity<=E, no two true positive rates do. Class 1
/// of the model is the one that is selected; of more than two classes, the one that --positive names. A group without rows
/// makes claims about it false.
///
/// Example: zkverdict audit compile logreg.onnx --data audit.csv --label creditability --group "age_in_years>=26" \
///   --claim "accuracy>=0.7" --claim four-fifths
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditCompile {
    #[command(flatten)]
    pub(crate) compile: Compile,
    /// The table: a .csv with a header, or samples as .json or .npz; with the model's inputs, labels, groups by their names
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The column of the right classes
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// The protected attribute: a column with 2 to 8 values, or COLUMN>=NUMBER, or COLUMN>=NUMBER,NUMBER,… for more groups
    #[arg(long, value_name = "RULE")]
    pub(crate) group: Option<String>,
    /// The class that is selected, where it is not class 1 of two: the rates of groups are of it, and the counts
    #[arg(long, value_name = "CLASS")]
    pub(crate) positive: Option<String>,
    /// Show whether this holds instead of counts; may be given several times
    #[arg(long, value_name = "CLAIM")]
    pub(crate) claim: Vec<zkverdict::models::Claim>,
    /// Commit to the model with the salt of this secret model, so that decisions and audit name the same one
    #[arg(long, value_name = "FILE")]
    pub(crate) same_model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: Columns,
}

/// Compile what holds of a committed model's trees, whatever the input
///
/// Claims are unused=FEATURE, no tree reads it; increasing=FEATURE, more of it never lowers the score; decreasing=FEATURE.
/// Features are called as in `zkverdict inspect`; FEATURE@N means score N of a model with several. Proofs show the model's
/// commitment, the same as its decisions show, and for each claim whether it is shown to hold. `zkverdict prove` takes the
/// secret model of any circuit with trees of this size, and no sample.
///
/// Example: zkverdict audit trees gbdt.circuit --claim unused=age --claim decreasing=duration
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditTrees {
    /// What `zkverdict compile --visibility model=committed` wrote
    pub(crate) circuit: PathBuf,
    /// What is claimed; may be given several times
    #[arg(long, value_name = "CLAIM", required = true)]
    pub(crate) claim: Vec<zkverdict::models::TreeClaim>,
    /// What to make small [default: time]
    #[arg(long, value_enum)]
    pub(crate) optimize: Option<Optimize>,
    #[command(flatten)]
    pub(crate) layouts: Layouts,
    /// Where to write the circuit [default: CIRCUIT.statement.circuit]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Commit to the table of an audit before anything is proven
///
/// Prints the root, and writes the secret that the rows' salts follow from, or uses that of the file where there is one.
/// `zkverdict prove --salt FILE` proves for the same root. Whoever has the file can test guesses of every row.
///
/// Example: zkverdict audit data logreg.audit.circuit --data audit.csv --salt audit.salt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditData {
    /// What `zkverdict audit compile` wrote
    pub(crate) circuit: PathBuf,
    /// The table
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// The file of the secret [default: CIRCUIT.salt]
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: Columns,
}

/// Write what opens one row of a committed table
///
/// Whoever gets the file learns the row and can check that the table has it at its place. It tells nothing of other rows.
///
/// Example: zkverdict audit open logreg.audit.circuit --data audit.csv --salt audit.salt --row 17
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditOpen {
    #[command(flatten)]
    pub(crate) data: AuditData,
    /// Which row, from 0
    #[arg(long, value_name = "N")]
    pub(crate) row: usize,
    /// Where to write the opening [default: CIRCUIT.rowN.opening]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Check that a row is in the table of a proof, and show it
///
/// Exit status 1 if it is not. The proof itself is not verified: `zkverdict verify` does that.
///
/// Example: zkverdict audit check logreg.audit.row17.opening --verifying-key logreg.audit.vk --proof logreg.audit.proof
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AuditCheck {
    /// What `zkverdict audit open` wrote
    pub(crate) opening: PathBuf,
    /// What `zkverdict setup` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) verifying_key: PathBuf,
    /// What `zkverdict prove` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
}

/// Make, open and check commitments to inputs, outputs and models, without a proof
#[derive(Debug, Args)]
pub(crate) struct Commit {
    #[command(subcommand)]
    pub(crate) command: CommitCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CommitCommand {
    Make(CommitMake),
    Model(CommitModel),
    Open(CommitOpen),
    Check(CommitCheck),
}

/// Commit to a sample, and to what the model says of it, before anything is proven
///
/// Writes new salts, or uses those of the file where there is one. `zkverdict prove --salt FILE` proves for the same
/// commitments. Whoever has the salts can test guesses: keep the file secret.
///
/// Example: zkverdict commit make credit.circuit --input applicant.json --salt applicant.salt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CommitMake {
    #[command(flatten)]
    pub(crate) sample: CommittedSample,
    /// The file of the salts [default: CIRCUIT.salt]
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: Option<PathBuf>,
}

/// Commit to another model of a circuit's architecture
///
/// Writes its weights and a new salt to a file that is its holder's secret, and prints the commitment: what a registry stores
/// as the model's hash, and what proofs of this model show. Circuit, keys and contract stay as they are. A model of another
/// architecture, or with a weight beyond the range that the circuit has for it, is refused.
///
/// The commitment to a linked model is made with the proving key. The model that is in the file already keeps its salt, so
/// the same key gives the same commitment.
///
/// The file is also what opens the commitment: whoever gets it has the model.
///
/// Example: zkverdict commit model retrained.onnx --circuit credit.circuit --secret-model retrained.secret
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CommitModel {
    /// The ONNX file
    pub(crate) model: PathBuf,
    /// What `zkverdict compile --visibility model=committed`, or model=linked, wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) circuit: PathBuf,
    /// The proving key that a linked model is committed to with [default: CIRCUIT.pk]
    #[arg(long, value_name = "FILE")]
    pub(crate) proving_key: Option<PathBuf>,
    /// Where to write the weights and the salt [default: CIRCUIT.model.secret]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_model: Option<PathBuf>,
    /// Write over the secret model that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Write what opens a commitment: the values and the salt
///
/// Whoever gets the file learns the values, and can check that they are the committed ones.
///
/// Example: zkverdict commit open output credit.circuit --input applicant.json --salt credit.proof.salt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CommitOpen {
    /// Which commitment
    #[arg(value_enum)]
    pub(crate) side: Side,
    #[command(flatten)]
    pub(crate) sample: CommittedSample,
    /// The file of the salts
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: PathBuf,
    /// Where to write the opening [default: CIRCUIT.SIDE.opening]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Check that an opening opens the commitment of a proof, and show the values
///
/// Exit status 1 if it does not. The proof itself is not verified: `zkverdict verify` does that.
///
/// Example: zkverdict commit check credit.output.opening --verifying-key credit.vk --proof credit.proof
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CommitCheck {
    /// What `zkverdict commit open` wrote, or the file of a secret model
    pub(crate) opening: PathBuf,
    /// What `zkverdict setup` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) verifying_key: PathBuf,
    /// What `zkverdict prove` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CommittedSample {
    /// What `zkverdict compile` wrote
    pub(crate) circuit: PathBuf,
    /// The sample: .json, .csv, .npy or .npz
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Which sample of the file, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) row: usize,
    #[command(flatten)]
    pub(crate) columns: Columns,
    /// The committed model that decides [default: CIRCUIT.model.secret]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_model: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The inputs
    Input,
    /// The outputs
    Output,
}

/// Commit to somebody's inputs and sign the commitment, for a contract that accepts attested inputs only
///
/// For whoever vouches for data: a bureau, a laboratory. The signature (EIP-712) is over subject, model, commitment and
/// times, for one contract on one chain. The subject gets the salts (OUTPUT.salt) and proves with
/// `zkverdict prove --salt`; OUTPUT.opening shows the values to whoever gets it. Neither is written over. The key comes
/// from a keystore file, from an environment variable, or from a prompt; it is never shown.
///
/// Example: zkverdict attest credit.circuit --input applicant.json --subject 0x… --contract 0x… --chain-id 1 --model-id 7
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Attest {
    #[command(flatten)]
    pub(crate) sample: CommittedSample,
    /// The account that the data belongs to, and that will use the proof
    #[arg(long, value_name = "A")]
    pub(crate) subject: String,
    /// The contract that shall accept it
    #[arg(long, value_name = "A")]
    pub(crate) contract: String,
    /// The contract's chain
    #[arg(long, value_name = "ID")]
    pub(crate) chain_id: Option<u64>,
    /// The circuit's model in the registry that the contract uses
    #[arg(long, value_name = "N")]
    pub(crate) model_id: u64,
    /// Its version
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) model_version: u64,
    /// From when on it holds, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) issued_at: Option<u64>,
    /// For how many days it holds
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) days: u32,
    /// Commit with the salts of this file again; no secret is written then
    #[arg(long, value_name = "FILE")]
    pub(crate) salt: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: SigningKey,
    /// Where to write the attestation [default: CIRCUIT.attestation.json]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Verify a proof natively and show what it says
///
/// Exit status 1 if the proof is not valid, is bound to another context, or shows something else than expected.
///
/// Example: zkverdict verify --verifying-key credit.vk --proof credit.proof --context "loan 4711" --expect label=1
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Verify {
    /// What `zkverdict setup` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) verifying_key: PathBuf,
    /// What `zkverdict prove` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: PathBuf,
    /// The context that the proof must be bound to
    #[arg(long, value_name = "TEXT|0x…")]
    pub(crate) context: Option<String>,
    /// What the proof must show, such as label=1 or probabilities[1]=0.75; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) expect: Vec<String>,
}

/// Generate, compile and try the verifier contract of a key
///
/// Writes NAME.sol, NAME.abi.json, NAME.bin (init code) and NAME.contract, after the compiled contract has accepted a valid
/// proof and rejected forged ones.
///
/// Example: zkverdict contract credit.vk --name CreditVerifier -o out
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Contract {
    /// What `zkverdict setup` wrote
    pub(crate) verifying_key: PathBuf,
    /// How the contract is generated
    #[arg(long, value_enum, default_value_t = Style::Compact)]
    pub(crate) style: Style,
    /// One contract for this model alone, with its key inside
    #[arg(long, conflicts_with_all = ["style", "explain"])]
    pub(crate) embedded_key: bool,
    /// Say which models share the verifier, and what each way of giving it the key costs
    #[arg(long)]
    pub(crate) explain: bool,
    /// The contract's name [default: the model's name and Verifier]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Use this solc
    #[arg(long, value_name = "PATH")]
    pub(crate) solc: Option<PathBuf>,
    /// Also write a Foundry project here (-o has the artifacts): verifier, key, a consumer with the model's outputs as
    /// Solidity types, tests with a real proof, a script that deploys where `zkverdict deploy` does
    #[arg(long, value_name = "DIR")]
    pub(crate) foundry: Option<PathBuf>,
    /// The folder to write to [default: the current one]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Style {
    /// One verifier for all models of a shape, and a key for each model
    Compact,
    /// snark-verifier's code, hardened
    Reference,
}

/// Deploy a contract on the embedded chain and send it a proof
///
/// Several proofs of one model go into one transaction. Exit status 1 if the contract rejects it.
///
/// Example: zkverdict simulate out/CreditVerifier.contract --proof credit.proof
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Simulate {
    /// What `zkverdict contract` wrote
    pub(crate) contract: PathBuf,
    /// What `zkverdict prove` wrote; several are a batch
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) proof: Vec<PathBuf>,
}

/// Show where the gas of a model's contracts goes, style by style
///
/// Every figure is measured on the embedded chain, instruction by instruction: deploying the verifier, registering the
/// model, and the components of one verification, for each style and each way of handing over the key, with EZKL's figures
/// beside them where they are recorded.
///
/// Example: zkverdict gas credit.vk
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Gas {
    /// What `zkverdict setup` wrote, for all styles, or what `zkverdict contract` wrote, for that contract
    pub(crate) file: PathBuf,
    /// Verifying keys of the same model in other shapes (`compile --lanes N`), to compare with
    #[arg(long, value_name = "VERIFYING KEY", num_args = 1..)]
    pub(crate) beside: Vec<PathBuf>,
    /// The proof to measure with [default: the one in the verifying key]
    #[arg(long, value_name = "FILE")]
    pub(crate) proof: Option<PathBuf>,
    /// The model whose recorded figures of EZKL are shown [default: the one of the same name]
    #[arg(long, value_name = "MODEL")]
    pub(crate) peer: Option<String>,
    /// Use this solc
    #[arg(long, value_name = "PATH")]
    pub(crate) solc: Option<PathBuf>,
}

/// Deploy a contract on a chain
///
/// By CREATE2 through the deterministic deployer, which most chains have: the address follows from the contract and the
/// salt alone, is the same on every chain, and deploying twice sends nothing. The key comes from a keystore file, from an
/// environment variable, or from a prompt; it is never shown.
///
/// What is signed is written to a journal before it is sent. The same command, run again after a broken connection, goes
/// on with the same transaction.
///
/// Example: zkverdict deploy CreditVerifier.contract --rpc-url http://127.0.0.1:8545 --private-key-env DEPLOYER_KEY
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Deploy {
    /// What `zkverdict contract` wrote
    pub(crate) contract: PathBuf,
    /// Another address for the same contract: 32 bytes [default: zero]
    #[arg(long, value_name = "0x…", conflicts_with = "create")]
    pub(crate) salt: Option<String>,
    /// Deploy by CREATE, at an address of the account and its nonce
    #[arg(long)]
    pub(crate) create: bool,
    #[command(flatten)]
    pub(crate) chain: Chain,
}

/// Submit a proof to a deployed contract
///
/// With --anvil the contract is deployed first, on a chain that lives as long as the command. Exit status 1 if the contract
/// rejects the proof.
///
/// What is signed is written to a journal before it is sent. The same command, run again after a broken connection, goes
/// on with the same transaction.
///
/// Example: zkverdict submit CreditVerifier.contract --proof credit.proof --address 0x… --rpc-url URL --dry-run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Submit {
    /// What `zkverdict contract` wrote
    pub(crate) contract: PathBuf,
    /// What `zkverdict prove` wrote; several are a batch: one transaction with one pairing
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) proof: Vec<PathBuf>,
    /// Where the contract stands
    #[arg(long, value_name = "A", required_unless_present = "anvil", conflicts_with = "anvil")]
    pub(crate) address: Option<String>,
    /// Where the key's contract stands, for a verifier that many models share [default: where `zkverdict deploy` puts it]
    #[arg(long, value_name = "A", requires = "address")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) chain: Chain,
}

#[derive(Debug, Args)]
pub(crate) struct Chain {
    /// The RPC of the chain
    #[arg(long, value_name = "URL")]
    pub(crate) rpc_url: Option<String>,
    /// Start anvil, use it, stop it
    #[arg(long, conflicts_with_all = ["rpc_url", "keystore", "private_key_env", "from", "journal", "bump"])]
    pub(crate) anvil: bool,
    /// The chain that must be behind the RPC
    #[arg(long, value_name = "ID")]
    pub(crate) chain_id: Option<u64>,
    #[command(flatten)]
    pub(crate) key: SigningKey,
    /// The account that must send; without a key, the one that a dry run is for
    #[arg(long, value_name = "A")]
    pub(crate) from: Option<String>,
    /// Allow artifacts of a development SRS, under which anybody can forge proofs, on any chain
    #[arg(long)]
    pub(crate) allow_unsafe_srs: bool,
    /// Only ask the chain whether it would work and what it would cost; needs no key
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Gas limit of the transaction; the chain estimates it otherwise
    #[arg(long, value_name = "GAS")]
    pub(crate) gas_limit: Option<u64>,
    /// Nonce of the transaction; the chain knows it otherwise
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<u64>,
    /// The most that one gas may cost, base and priority fee together: 30gwei, 0.5gwei, or a number of wei. Nothing is
    /// sent while the chain asks more
    #[arg(long, value_name = "PRICE")]
    pub(crate) fee_cap: Option<Wei>,
    /// The priority fee of one gas, such as 0.1gwei; the chain's fee history suggests one otherwise
    #[arg(long, value_name = "PRICE")]
    pub(crate) priority_fee: Option<Wei>,
    /// How many blocks must hold the transaction or follow that block
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) confirmations: u64,
    /// How long to wait for them, in seconds
    #[arg(long, value_name = "S", default_value_t = 180)]
    pub(crate) timeout: u64,
    /// The file that signed transactions are written to before they are sent [default: beside the proof or contract]
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Replace the journal's transaction, if it is stuck, by one with the same nonce and fees at least a tenth higher
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) bump: bool,
    /// Do not ask before sending; without a terminal nobody is asked
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SigningKey {
    /// The encrypted keystore file that holds the key
    #[arg(long, value_name = "FILE", conflicts_with = "private_key_env")]
    pub(crate) keystore: Option<PathBuf>,
    /// The file whose first line is the keystore's password; asked for otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The environment variable that holds the key
    #[arg(long, value_name = "VAR")]
    pub(crate) private_key_env: Option<String>,
}

/// Show what became of a transaction: unknown, pending, included, confirmed or failed, and why
///
/// Exit status 0 if it is confirmed, 1 otherwise.
///
/// Example: zkverdict status 0x… --rpc-url http://127.0.0.1:8545 --confirmations 12
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TransactionStatus {
    /// The transaction's hash
    pub(crate) transaction: String,
    /// The RPC of the chain
    #[arg(long, value_name = "URL")]
    pub(crate) rpc_url: Option<String>,
    /// The chain that must be behind the RPC
    #[arg(long, value_name = "ID")]
    pub(crate) chain_id: Option<u64>,
    /// How many blocks must hold it or follow its block
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) confirmations: u64,
}

/// Start anvil, print its endpoint, and stop it on Ctrl-C or at the end of the input
///
/// Example: zkverdict anvil -- --block-time 2
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Anvil {
    /// The chain's id
    #[arg(long, value_name = "ID")]
    pub(crate) chain_id: Option<u64>,
    /// More arguments for anvil
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// Import, make and show structured reference strings (powers of tau)
#[derive(Debug, Args)]
pub(crate) struct Srs {
    #[command(subcommand)]
    pub(crate) command: SrsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SrsCommand {
    Import(SrsImport),
    Dev(SrsDev),
    Show(SrsShow),
}

/// Check a published SRS completely, name its ceremony, and store it as an artifact
///
/// Example: zkverdict srs import powersOfTau28_hez_final_11.ptau -o hermez-11.srs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SrsImport {
    /// The published file
    pub(crate) file: PathBuf,
    /// Insist on this format
    #[arg(long, value_enum)]
    pub(crate) format: Option<SrsFormat>,
    /// The file with the G2 points, for gnark point lists
    #[arg(long, value_name = "FILE")]
    pub(crate) g2: Option<PathBuf>,
    /// Take at most 2^K powers [default: 16]
    #[arg(long, value_name = "K")]
    pub(crate) max_k: Option<u32>,
    /// Where to write the SRS [default: FILE.srs]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SrsFormat {
    /// .ptau of snarkjs
    Ptau,
    /// Raw parameters of halo2
    Halo2Raw,
    /// gnark point lists (EigenDA); needs --g2
    Gnark,
    /// Uncompressed parameters of arkworks (Aztec)
    Arkworks,
}

/// Make the UNSAFE development SRS: everybody can forge proofs under it
///
/// For trying things. Every artifact made with it is marked, and refused on any chain that is not a local development chain.
///
/// Example: zkverdict srs dev -k 11
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SrsDev {
    /// Size: 2^K powers
    #[arg(short, value_name = "K")]
    pub(crate) k: u32,
    /// Where to write the SRS [default: development-K.srs]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Show what an SRS is and where it came from
///
/// Example: zkverdict srs show hermez-11.srs
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SrsShow {
    /// What `zkverdict srs` wrote
    pub(crate) file: PathBuf,
}

/// Run the fixed-point model beside the floats, without a proof
///
/// Example: zkverdict run credit.onnx --input applicants.csv --inputs 10 --ignore-column target
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// The ONNX file
    pub(crate) model: PathBuf,
    /// Samples: .json, .csv, .npy or .npz
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Only the first N samples
    #[arg(long, value_name = "N")]
    pub(crate) inputs: Option<usize>,
    /// What `zkverdict calibrate` wrote; without it, the samples themselves calibrate
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
    /// The limb size; without it, what `zkverdict compile` would choose
    #[arg(long, value_name = "L")]
    pub(crate) limb_bits: Option<u32>,
    #[command(flatten)]
    pub(crate) columns: Columns,
}

/// Run the whole pipeline once in a temporary folder and report what it costs
///
/// Each step is a process of its own, so that its CPU seconds and its peak memory are its own.
///
/// Example: zkverdict bench credit.onnx --input input.json --calibration samples.json --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Bench {
    /// The ONNX file
    pub(crate) model: PathBuf,
    /// The sample to prove
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// More samples in the input's format to calibrate on, beside the input itself
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration: Option<PathBuf>,
    /// What to make small [default: time]
    #[arg(long, value_enum)]
    pub(crate) optimize: Option<Optimize>,
    /// Largest acceptable error on the calibration samples [default: 0.0004]
    #[arg(long, value_name = "E")]
    pub(crate) tolerance: Option<f64>,
    /// Factor by which the observed ranges are widened [default: 4]
    #[arg(long, value_name = "M")]
    pub(crate) margin: Option<f64>,
    /// What `zkverdict srs` wrote; without it, the development SRS
    #[arg(long, value_name = "FILE")]
    pub(crate) srs: Option<PathBuf>,
    /// Use this solc
    #[arg(long, value_name = "PATH")]
    pub(crate) solc: Option<PathBuf>,
}

/// Print a completion script for a shell
///
/// Example: zkverdict completions bash > ~/.local/share/bash-completion/completions/zkverdict
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
