//! From a foreign file to a checked [`Srs`].

use std::{
    fmt,
    path::{Path, PathBuf},
};

use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine;

use crate::{
    check::{are_powers, is_lagrange_basis, seed},
    error::SrsError,
    file::InputFile,
    format::{Decoded, decode, detect, refuse_foreign},
    known,
    lagrange::lagrange_basis,
    provenance::{Ceremony, SourceFile, SourceFormat},
    srs::{MAX_K, MIN_K, Srs},
};

/// Largest size that [`import`] takes from a file unless told otherwise: enough for circuits of 65,536
/// rows, and seconds of work even where the file goes on to 2^28 points.
pub const DEFAULT_MAX_K: u32 = 16;

/// Files up to this size are hashed whole to compare them with the published hashes.
const DEFAULT_HASH_LIMIT: u64 = 1 << 28;

/// How [`import`] reads a file.
///
/// ```
/// use zkverdict_srs::{ImportOptions, SourceFormat};
///
/// let options = ImportOptions::new().format(SourceFormat::Ptau).max_k(11);
/// ```
#[derive(Clone, Debug)]
pub struct ImportOptions {
    format: Option<SourceFormat>,
    max_k: u32,
    g2_file: Option<PathBuf>,
    hash_limit: u64,
}

impl ImportOptions {
    /// Format by content, at most [`DEFAULT_MAX_K`], no separate G2 file, files up to 256 MiB hashed.
    pub fn new() -> Self {
        Self {
            format: None,
            max_k: DEFAULT_MAX_K,
            g2_file: None,
            hash_limit: DEFAULT_HASH_LIMIT,
        }
    }

    /// Insists on a format. A file in another one is refused with the first thing that does not fit.
    pub fn format(mut self, format: SourceFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Takes at most 2^`max_k` powers; what lies behind them is not read. A smaller file gives what it has.
    pub fn max_k(mut self, max_k: u32) -> Self {
        self.max_k = max_k;
        self
    }

    /// The file with the G2 points: required with [`SourceFormat::GnarkPoints`], compared with
    /// [`SourceFormat::Arkworks`], an error with a format that has its own.
    pub fn g2_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.g2_file = Some(path.into());
        self
    }

    /// Hashes the whole file if it has at most that many bytes. The ceremony is named by τ·G2 either way.
    pub fn hash_limit(mut self, bytes: u64) -> Self {
        self.hash_limit = bytes;
        self
    }
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`import`] made of a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Import {
    /// The checked SRS.
    pub srs: Srs,
    /// What the user should hear about it.
    pub notices: Vec<Notice>,
}

/// A finding that does not make an SRS unusable, but that its user must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The secret is the published one of the development SRS.
    UnsafeSecret,
    /// No table knows this secret.
    UnknownCeremony,
    /// The file's name claims one ceremony, its points are of another.
    NameClaimsCeremony {
        /// By name.
        claimed: Ceremony,
        /// By τ·G2.
        found: Ceremony,
    },
    /// The file's name claims one size, its content has another.
    NameClaimsPower {
        /// By name.
        claimed: u32,
        /// By content.
        found: u32,
    },
    /// The points are the ceremony's, but the file is not the one whose hash is published.
    NotThePublishedFile {
        /// The ceremony, by name and by τ·G2.
        ceremony: Ceremony,
    },
    /// The file offers more powers than were taken.
    Reduced {
        /// The file's size exponent.
        available: u32,
        /// The imported one.
        taken: u32,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsafeSecret => formatter
                .write_str("UNSAFE: this is the development SRS; everybody can compute its secret and forge proofs"),
            Self::UnknownCeremony => formatter.write_str(
                "the points are consistent, but no known ceremony made them: whoever did may know the \
                 secret and forge proofs",
            ),
            Self::NameClaimsCeremony { claimed, found } => write!(
                formatter,
                "the file's name says {claimed}, but its secret is that of another setup ({found})"
            ),
            Self::NameClaimsPower { claimed, found } => write!(
                formatter,
                "the file's name says 2^{claimed}, but it is a 2^{found} setup"
            ),
            Self::NotThePublishedFile { ceremony } => write!(
                formatter,
                "the points are those of {ceremony}, but the file is not the published one byte for byte"
            ),
            Self::Reduced { available, taken } => {
                write!(formatter, "took 2^{taken} of the file's 2^{available} powers")
            }
        }
    }
}

/// Reads an SRS in a published format and checks it completely: every point is canonical, on the curve, in
/// the subgroup of prime order and not at infinity; the first one is the generator; the powers are
/// consecutive powers of the secret in G2, by one pairing equation; the Lagrange basis is recomputed, or
/// compared with the powers where the file has one. The ceremony is named by τ·G2.
///
/// The cost is that of the Lagrange basis (see [`Srs::downsize`]), which halo2's raw form saves.
///
/// # Errors
///
/// Every defect by name; see [`SrsError`]. A consistent SRS of an unknown or unsafe secret is no error:
/// it is in [`Provenance::ceremony`](crate::Provenance::ceremony) and in the [`Notice`]s.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Import, SrsError> {
    if !(MIN_K..=MAX_K).contains(&options.max_k) {
        return Err(SrsError::KOutOfRange {
            got: options.max_k,
            min: MIN_K,
            max: MAX_K,
        });
    }
    let mut file = InputFile::open(path)?;
    refuse_foreign(&mut file)?;
    let format = match options.format {
        Some(format) => format,
        None => detect(&mut file)?,
    };
    let Decoded {
        powers,
        lagrange,
        tau_g2,
        k,
        source_k,
    } = decode(&mut file, format, options.g2_file.as_deref(), options.max_k)?;

    let seed = seed(&[&powers, lagrange.as_deref().unwrap_or_default()], &tau_g2);
    if !are_powers(&powers, &tau_g2, seed) {
        return Err(SrsError::InconsistentPowers { path: file.path() });
    }
    let lagrange = match lagrange {
        Some(lagrange) => {
            if !is_lagrange_basis(&powers, &lagrange, seed) {
                return Err(SrsError::LagrangeMismatch { path: file.path() });
            }
            lagrange
        }
        None => lagrange_basis(&powers),
    };
    if lagrange.iter().any(|point| bool::from(point.is_identity())) {
        return Err(SrsError::SecretInDomain { path: file.path(), k });
    }

    let ceremony = known::ceremony(&tau_g2);
    let blake2b = if file.length() <= options.hash_limit {
        Some(file.blake2b()?)
    } else {
        None
    };
    let source_file = SourceFile {
        name: file.name(),
        k: source_k,
        is_published_file: blake2b.is_some_and(|digest| known::is_published_file(ceremony, source_k, &digest)),
        blake2b,
    };
    let notices = notices(ceremony, k, format, &source_file);
    let srs = Srs::from_checked_points(k, powers, lagrange, tau_g2, format, Some(source_file));
    let expected = known::published_raw_sha256(ceremony, k);
    if expected.is_some_and(|expected| expected != srs.provenance().raw_sha256) {
        return Err(SrsError::DerivedHashMismatch {
            path: file.path(),
            ceremony,
            k,
        });
    }
    Ok(Import { srs, notices })
}

fn notices(ceremony: Ceremony, k: u32, format: SourceFormat, source: &SourceFile) -> Vec<Notice> {
    let mut notices = Vec::new();
    match ceremony {
        Ceremony::Development => notices.push(Notice::UnsafeSecret),
        Ceremony::Unknown => notices.push(Notice::UnknownCeremony),
        _ => {}
    }
    let claim = known::claim(&source.name);
    if let Some(claimed) = claim.ceremony {
        if claimed != ceremony {
            notices.push(Notice::NameClaimsCeremony {
                claimed,
                found: ceremony,
            });
        } else if format == SourceFormat::Ptau && source.blake2b.is_some() && !source.is_published_file {
            notices.push(Notice::NotThePublishedFile { ceremony });
        }
    }
    if let Some(claimed) = claim.power.filter(|claimed| *claimed != source.k) {
        notices.push(Notice::NameClaimsPower {
            claimed,
            found: source.k,
        });
    }
    if k < source.k {
        notices.push(Notice::Reduced {
            available: source.k,
            taken: k,
        });
    }
    notices
}
