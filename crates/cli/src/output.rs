//! Where results are written, and what must not be overwritten there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use zkverdict::{
    srs::{SrsError, read_provenance},
    verifier::{Artifact, ArtifactError, Kind, write_atomically},
};

use crate::failure::hinted;

/// What stands at a path that will be written to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Artifact(Kind),
    Attestation,
    Calibration,
    ProofJson,
    Srs,
}

impl Target {
    fn is_at(self, path: &Path) -> bool {
        let json_with = |key: &str| {
            fs::read(path)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
                .is_some_and(|value| value.get(key).is_some())
        };
        match self {
            Self::Artifact(kind) => !matches!(
                Artifact::read(path, kind),
                Err(ArtifactError::NotAnArtifact { .. } | ArtifactError::WrongKind { .. } | ArtifactError::Io { .. })
            ),
            Self::Attestation => json_with("bureau"),
            Self::Calibration => json_with("widths"),
            Self::ProofJson => json_with("proof"),
            Self::Srs => !matches!(
                read_provenance(path),
                Err(SrsError::NotAnArtifact { .. } | SrsError::NotAFile { .. } | SrsError::Io { .. })
            ),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Artifact(kind) => kind.to_string(),
            Self::Attestation => "bureau's attestation".to_owned(),
            Self::Calibration => "calibration".to_owned(),
            Self::ProofJson => "proof".to_owned(),
            Self::Srs => "SRS".to_owned(),
        }
    }

    /// Refuses to write over anything but an earlier result of the same kind. Called before the work is done.
    pub(crate) fn check(self, path: &Path) -> Result<()> {
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(());
        };
        if metadata.is_file() && (metadata.len() == 0 || self.is_at(path)) {
            return Ok(());
        }
        let what = if metadata.is_dir() { "a folder" } else { "another file" };
        Err(hinted(
            format!(
                "{} is {what}, not a {}, and is not overwritten",
                path.display(),
                self.name()
            ),
            "name another output, or move that away",
        ))
    }
}

/// `source`'s file name with another ending, in the current folder.
pub(crate) fn beside(source: &Path, ending: &str) -> PathBuf {
    let stem = source.file_stem().unwrap_or(source.as_os_str());
    let mut name = stem.to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// `source` with another ending, where `source` is.
pub(crate) fn sibling(source: &Path, ending: &str) -> PathBuf {
    source.with_file_name(beside(source, ending))
}

/// `source` with more at the end of its name.
pub(crate) fn suffixed(source: &Path, more: &str) -> PathBuf {
    let mut name = source.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

/// Bytes of a file.
pub(crate) fn size_of(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path)
        .map_err(|error| anyhow!("{}: {error}", path.display()))?
        .len())
}

/// Writes a text file completely or not at all.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_atomically(path, content).map_err(|error| anyhow!("{}: {error}", path.display()))
}
