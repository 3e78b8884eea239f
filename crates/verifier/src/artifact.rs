//! The container of every file this project writes: a magic word, the length of the header, a JSON header that says
//! what the payload was made from and what it hashes to, the SHA-256 of all that, and the payload.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ArtifactError;

const MAGIC: &[u8; 10] = b"zkverdict\0";
const VERSION: u32 = 1;
/// Headers are a few hundred bytes.
const MAX_HEADER: u32 = 1 << 20;

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A compiled model.
    Circuit,
    /// A proving key.
    ProvingKey,
    /// A verifying key with what its public inputs mean.
    VerifyingKey,
    /// A proof and its public inputs.
    Proof,
    /// A verifier contract.
    Contract,
}

impl Kind {
    /// The command that makes such an artifact.
    pub fn command(self) -> &'static str {
        match self {
            Self::Circuit => "`zkverdict compile`",
            Self::ProvingKey | Self::VerifyingKey => "`zkverdict setup`",
            Self::Proof => "`zkverdict prove`",
            Self::Contract => "`zkverdict contract`",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Circuit => "compiled circuit",
            Self::ProvingKey => "proving key",
            Self::VerifyingKey => "verifying key",
            Self::Proof => "proof",
            Self::Contract => "verifier contract",
        })
    }
}

/// SHA-256 of an artifact's payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// Digests of what something was made from, by name (`model`, `circuit`, `srs`, …).
pub type MadeFrom = BTreeMap<String, Digest>;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    kind: Kind,
    version: u32,
    made_from: MadeFrom,
    /// Made with a development SRS: whoever made it can forge proofs.
    unsafe_srs: bool,
    payload_bytes: u64,
    payload_digest: Digest,
}

/// A payload with its provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where it was read from or written to.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What it was made from.
    pub made_from: MadeFrom,
    /// Whether a development SRS was used on the way.
    pub unsafe_srs: bool,
    /// The content.
    pub payload: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
}

impl Artifact {
    /// A new artifact, not yet written.
    pub fn new(kind: Kind, made_from: MadeFrom, unsafe_srs: bool, payload: Vec<u8>) -> Self {
        let digest = Digest::of(&payload);
        Self {
            path: PathBuf::new(),
            kind,
            made_from,
            unsafe_srs,
            payload,
            digest,
        }
    }

    /// Writes the artifact: a temporary file beside `path`, then a rename, so that no half of it is ever seen.
    ///
    /// # Errors
    /// [`ArtifactError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), ArtifactError> {
        let header = Header {
            kind: self.kind,
            version: VERSION,
            made_from: self.made_from.clone(),
            unsafe_srs: self.unsafe_srs,
            payload_bytes: self.payload.len() as u64,
            payload_digest: self.digest,
        };
        let header = serde_json::to_vec(&header).map_err(io::Error::from);
        let content = header.map(|header| {
            let length = u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes();
            let start = [&MAGIC[..], &length[..], &header[..]].concat();
            let digest = Digest::of(&start);
            [&start[..], &digest.0[..], &self.payload[..]].concat()
        });
        content
            .and_then(|content| write_atomically(path, &content))
            .map_err(|source| ArtifactError::Io {
                path: path.to_owned(),
                source,
            })
    }

    /// Reads an artifact of a given kind and checks its integrity.
    ///
    /// # Errors
    /// Any [`ArtifactError`] but [`ArtifactError::Stale`].
    pub fn read(path: &Path, kind: Kind) -> Result<Self, ArtifactError> {
        let io_error = |source| ArtifactError::Io {
            path: path.to_owned(),
            source,
        };
        let foreign = || ArtifactError::NotAnArtifact {
            path: path.to_owned(),
            kind,
        };
        let damaged = |problem| ArtifactError::Damaged {
            path: path.to_owned(),
            kind,
            problem,
        };
        let mut file = File::open(path).map_err(io_error)?;
        let mut start = [0; MAGIC.len() + 4];
        if let Err(error) = file.read_exact(&mut start) {
            return Err(if error.kind() == io::ErrorKind::UnexpectedEof {
                foreign()
            } else {
                io_error(error)
            });
        }
        let (magic, length) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(foreign());
        }
        let length = u32::from_le_bytes(length.try_into().map_err(|_| foreign())?);
        if length > MAX_HEADER {
            return Err(damaged("the header is too long"));
        }
        let mut header = Vec::new();
        (&mut file)
            .take(u64::from(length))
            .read_to_end(&mut header)
            .map_err(io_error)?;
        let header_digest = Digest::of(&[&start[..], &header[..]].concat());
        let header: Header = serde_json::from_slice(&header).map_err(|_| damaged("the header is no JSON"))?;
        if header.version != VERSION {
            return Err(ArtifactError::Version {
                path: path.to_owned(),
                kind,
                expected: VERSION,
                got: header.version,
            });
        }
        let mut expected = [0; 32];
        if let Err(error) = file.read_exact(&mut expected)
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            return Err(io_error(error));
        }
        if header_digest.0 != expected {
            return Err(damaged("the header is not what it was"));
        }
        if header.kind != kind {
            return Err(ArtifactError::WrongKind {
                path: path.to_owned(),
                expected: kind,
                got: header.kind,
            });
        }
        let mut payload = Vec::new();
        file.read_to_end(&mut payload).map_err(io_error)?;
        if payload.len() as u64 != header.payload_bytes {
            return Err(damaged("its length is not the one in the header"));
        }
        let digest = Digest::of(&payload);
        if digest != header.payload_digest {
            return Err(damaged("its content is not what the header says"));
        }
        Ok(Self {
            path: path.to_owned(),
            kind,
            made_from: header.made_from,
            unsafe_srs: header.unsafe_srs,
            payload,
            digest,
        })
    }

    /// Checks that the artifact was made from an ingredient with this digest.
    ///
    /// # Errors
    /// [`ArtifactError::Stale`] otherwise.
    pub fn expect_made_from(&self, ingredient: &'static str, digest: Digest) -> Result<(), ArtifactError> {
        if self.made_from.get(ingredient) == Some(&digest) {
            Ok(())
        } else {
            Err(ArtifactError::Stale {
                path: self.path.clone(),
                kind: self.kind,
                ingredient,
            })
        }
    }

    /// Parses a JSON payload.
    ///
    /// # Errors
    /// [`ArtifactError::Damaged`] where it is none.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ArtifactError> {
        serde_json::from_slice(&self.payload).map_err(|_| ArtifactError::Damaged {
            path: self.path.clone(),
            kind: self.kind,
            problem: "its content is not of this version",
        })
    }
}

/// Writes a file so that it is either there in full or not at all.
///
/// # Errors
/// What the file system says.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
