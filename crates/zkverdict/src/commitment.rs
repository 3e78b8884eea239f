use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use zkverdict_circuit::{Commitment, Salts, Side};
use zkverdict_verifier::encode_public_inputs;

use crate::{CircuitFile, Committed, Error, Field};

/// The file that holds salts. Secret: whoever has it can test guesses of what was committed to.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaltFile {
    #[serde(with = "scalar")]
    input_salt: Fr,
    #[serde(with = "scalar")]
    output_salt: Fr,
}

impl SaltFile {
    /// New salts, from the operating system.
    pub fn random() -> Self {
        Self::from(&Salts::random(StdRng::from_entropy()))
    }

    /// The salts. That of a committed model is in the file of the secret model.
    pub fn salts(&self) -> Salts {
        Salts {
            input: self.input_salt,
            output: self.output_salt,
            model: Fr::zero(),
        }
    }

    /// Writes them to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`Error::SaltExists`], I/O.
    pub fn create(&self, path: &Path) -> Result<(), Error> {
        create_secret(path, self)
    }

    /// As [`SaltFile::create`], in the place of what is there: what was committed to with those salts can never be opened.
    ///
    /// # Errors
    /// I/O.
    pub fn replace(&self, path: &Path) -> Result<(), Error> {
        replace_secret(path, self)
    }

    /// Reads them.
    ///
    /// # Errors
    /// A file that is not there or holds no salts.
    pub fn load(path: &Path) -> Result<Self, Error> {
        read_secret(path, "salt file", "`zkverdict commit make`")
    }
}

impl From<&Salts> for SaltFile {
    fn from(salts: &Salts) -> Self {
        Self {
            input_salt: salts.input,
            output_salt: salts.output,
        }
    }
}

impl std::fmt::Debug for SaltFile {
    /// Shows nothing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SaltFile(secret)")
    }
}

/// What opens one commitment: the integers that were committed to, and the salt. Secret until it is shown to somebody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Which commitment it opens.
    pub side: Side,
    /// The integers, in graph order.
    pub values: Vec<i64>,
    #[serde(with = "scalar")]
    salt: Fr,
}

impl std::fmt::Debug for Opening {
    /// Shows only what it is for.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Opening({}, secret)", self.side)
    }
}

impl Opening {
    /// Opens the commitment to these integers with this salt.
    pub fn new(side: Side, values: Vec<i64>, salt: Fr) -> Self {
        Self { side, values, salt }
    }

    /// What opens the commitment to one side of an inference.
    ///
    /// # Errors
    /// [`Error::NotCommitted`]; inputs that the circuit does not accept.
    pub fn of(circuit: &CircuitFile, sample: &[Vec<f64>], salts: &Salts, side: Side) -> Result<Self, Error> {
        let model = &circuit.compiled;
        if !model.public.committed().any(|committed| committed == side) {
            return Err(Error::NotCommitted { side });
        }
        let cells = model.program.execute(&model.program.quantize(sample)?)?;
        let values = side.cells(&model.program).into_iter().map(|cell| cells[cell.index()]);
        Ok(Self::new(side, values.collect(), salts.of(side)))
    }

    /// The commitment that it opens, as a public input.
    ///
    /// # Errors
    /// Integers that cannot be committed to.
    pub fn commitment(&self, to: &Commitment) -> Result<[u8; 32], Error> {
        let hash = to.hash(&self.values, self.salt)?;
        Ok(encode_public_inputs(&[hash])[0])
    }

    /// Whether it opens the commitment among these public inputs; with what the values are.
    ///
    /// # Errors
    /// [`Error::NotCommitted`]; integers that cannot be committed to.
    pub fn check<'s>(&self, schema: &'s [Field], public_inputs: &[[u8; 32]]) -> Result<(bool, &'s [Field]), Error> {
        let committed = schema.iter().zip(public_inputs);
        let mut committed = committed.filter_map(|(field, word)| Some((field.committed.as_ref()?, word)));
        let found = committed.find(|(committed, _)| committed.commitment.side == self.side);
        let (Committed { commitment, fields }, word) = found.ok_or(Error::NotCommitted { side: self.side })?;
        Ok((self.commitment(commitment)? == *word, fields))
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`Error::OpeningExists`], I/O.
    pub fn create(&self, path: &Path) -> Result<(), Error> {
        create_opening(path, self)
    }

    /// Reads it.
    ///
    /// # Errors
    /// A file that is not there or holds no opening.
    pub fn load(path: &Path) -> Result<Self, Error> {
        read_secret(path, "opening", "`zkverdict commit open`")
    }
}

pub(crate) fn create_secret(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => Error::SaltExists { path: path.to_owned() },
        _ => Error::Io {
            path: path.to_owned(),
            source,
        },
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    let mut text = serde_json::to_string_pretty(content).expect("numbers and strings are JSON");
    text.push('\n');
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // Half a secret is none.
    written.inspect_err(|_| drop(fs::remove_file(path))).map_err(failed)
}

/// As [`create_secret`], for what can be made again.
pub(crate) fn create_opening(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    create_secret(path, content).map_err(|error| match error {
        Error::SaltExists { path } => Error::OpeningExists { path },
        error => error,
    })
}

/// As [`create_secret`], in the place of what is there.
pub(crate) fn replace_secret(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    create_secret(&new, content)?;
    fs::rename(&new, path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn read_secret<T: for<'de> Deserialize<'de>>(
    path: &Path,
    what: &'static str,
    command: &'static str,
) -> Result<T, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|_| Error::NotOurs {
        path: path.to_owned(),
        what,
        command,
    })
}

/// A field element as `0x…`, big-endian.
pub(crate) mod scalar {
    use super::{Fr, PrimeField, encode_public_inputs};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &Fr, serializer: S) -> Result<S::Ok, S::Error> {
        let words = encode_public_inputs(&[*value]);
        serializer.serialize_str(&format!("0x{}", hex::encode(words.concat())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fr, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut word = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(&text), &mut word).map_err(D::Error::custom)?;
        word.reverse();
        Option::from(Fr::from_repr(word)).ok_or_else(|| D::Error::custom("it is not below the field's prime"))
    }
}
