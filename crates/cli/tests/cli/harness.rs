//! Runs the binary in folders of its own and makes its output comparable.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// What varies from run to run.
pub(crate) const FILTERS: [(&str, &str); 13] = [
    (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
    // In tables a time is as wide as it is long, and so is the column's head.
    (r"( ?) *\b\d+ ms\b", "$1[TIME]"),
    (r"( ?) *\b\d+\.\d\d s\b", "$1[TIME]"),
    (r" +prove( +(?:memory|gas))", " prove$1"),
    (r"127\.0\.0\.1:\d+", "[ENDPOINT]"),
    (r"0x[0-9a-fA-F]{64}", "[WORD]"),
    (r"\b[\d.]+ (?:wei|gwei)\b", "[PRICE]"),
    (r"\b[\d.]+ ether\b", "[COST]"),
    (r"0x[0-9a-fA-F]{40}\b", "[ADDRESS]"),
    (r"\b[\d,]+ at \[PRICE\]", "[GAS] at [PRICE]"),
    // Estimates of gas differ with the zero bytes of a proof.
    (r"for [\d,]+ gas", "for [GAS] gas"),
    (r"gas( +)about [\d,]+", "gas${1}about [GAS]"),
    // A proof's bytes are random, and zero bytes are cheaper.
    (r"\b[\d,]+ gas a (proof|transaction)", "[GAS] gas a $1"),
];

/// Compares with an inline snapshot.
macro_rules! snapshot {
    ($got:expr, @$expected:literal) => {
        insta::with_settings!({ filters => $crate::harness::FILTERS.to_vec() }, {
            insta::assert_snapshot!($got, @$expected);
        })
    };
}
pub(crate) use snapshot;

/// A folder with a sample of every artifact, made once by the commands themselves.
pub(crate) struct Pipeline {
    folder: PathBuf,
}

/// The artifacts of the credit model.
pub(crate) fn pipeline() -> &'static Pipeline {
    static PIPELINE: OnceLock<Pipeline> = OnceLock::new();
    PIPELINE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("credit");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let example = |file: &str| examples().join("credit").join(file);
        for (from, to) in [
            ("logreg.onnx", "logreg.onnx"),
            ("mlp.onnx", "mlp.onnx"),
            ("inputs.csv", "applicants.csv"),
            ("calibration.json", "samples.json"),
            ("applicants/approved.json", "approved.json"),
            ("applicants/rejected.json", "rejected.json"),
        ] {
            fs::copy(example(from), folder.join(to)).unwrap();
        }
        let pipeline = Pipeline { folder };
        for command in [
            "calibrate logreg.onnx --data samples.json",
            "compile logreg.onnx",
            "calibrate mlp.onnx --data samples.json",
            "compile mlp.onnx --limb-bits 8",
            "srs dev -k 9 -o dev.srs",
            "srs dev -k 11 -o dev-11.srs",
            "setup logreg.circuit --srs dev.srs",
            "setup mlp.circuit --srs dev-11.srs",
            "prove logreg.circuit --input approved.json --context application-1",
            "contract logreg.vk --name CreditVerifier",
        ] {
            run_in(&pipeline.folder, command).expect_status(0);
        }
        pipeline
    })
}

impl Pipeline {
    /// A copy of these files in a new folder.
    pub(crate) fn with(&self, files: &[&str]) -> Work {
        let work = Work::empty();
        for file in files {
            fs::copy(self.folder.join(file), work.path(file)).unwrap();
        }
        work
    }
}

/// A folder that a test may write to.
pub(crate) struct Work {
    folder: TempDir,
}

impl Work {
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    /// Runs the command with these arguments, split at spaces.
    pub(crate) fn run(&self, arguments: &str) -> Said {
        run_in(self.folder.path(), arguments)
    }

    /// As [`Work::run`], with environment variables.
    pub(crate) fn run_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Said {
        let mut command = command_in(self.folder.path(), arguments);
        command.envs(environment.iter().copied());
        Said::of(command.output().unwrap(), self.folder.path())
    }

    /// A command that is not started yet.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        command_in(self.folder.path(), arguments)
    }
}

/// What the command said.
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    fn of(output: Output, folder: &Path) -> Self {
        let folder = folder.to_string_lossy();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&*folder, "[FOLDER]");
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The result as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "status {}", self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(formatter, "\n--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

fn run_in(folder: &Path, arguments: &str) -> Said {
    Said::of(command_in(folder, arguments).output().unwrap(), folder)
}

/// The binary, without the settings of whoever runs the tests.
fn command_in(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkverdict"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("ZKVERDICT_") && !matches!(&*name, "ZKVERDICT_TOOLS" | "ZKVERDICT_SOLC" | "ZKVERDICT_ANVIL")
        {
            command.env_remove(name);
        }
    }
    command.args(arguments.split_whitespace());
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// The examples of the repository.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The keys of an object, sorted.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
