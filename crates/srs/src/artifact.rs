//! The project's own SRS file.
//!
//! ```text
//!     "zkvsrs\r\n" | version u32 | header length u32 | sha256 of the header
//!   | header: JSON, the provenance with the sha256 of what follows
//!   | halo2 raw: k u32 | 2^k powers | 2^k Lagrange points | G2 | τ·G2
//! ```
//!
//! Numbers are little-endian. The hashes find damage; they do not authenticate, since whoever can write
//! the file can hash it. What follows from that is in the documentation of [`Srs::load`].

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use halo2_proofs::halo2curves::{
    bn256::{G1Affine, G2Affine},
    serde::SerdeObject,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    check::{are_powers, is_lagrange_basis, seed},
    error::{CurveGroup, FileOperation, FilePart, HeaderField, SrsError},
    file::InputFile,
    format::{size, usable_power},
    known,
    point::{Encoding, decode_g1_list, decode_g2},
    provenance::{Ceremony, Provenance, Sha256Digest, SourceFile, SourceFormat},
    srs::{Srs, params},
};

/// The first bytes of an artifact; the line end finds transfers that rewrite line ends.
pub(crate) const MAGIC: &[u8; 8] = b"zkvsrs\r\n";

/// The version of the artifact's layout that this crate writes and reads.
pub const ARTIFACT_VERSION: u32 = 1;

const PREFIX_BYTES: u64 = 48;
const MAX_HEADER_BYTES: u32 = 1 << 16;
const ENCODING: Encoding = Encoding::MontgomeryLittleEndian;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    safety: String,
    ceremony: Ceremony,
    k: u32,
    raw_sha256: Sha256Digest,
    source_format: SourceFormat,
    source_file: Option<SourceFile>,
}

/// What the header says about safety, for whoever opens the file in an editor.
fn safety(ceremony: Ceremony) -> &'static str {
    match ceremony {
        Ceremony::Development => "UNSAFE development SRS: everybody can compute its secret and forge proofs",
        Ceremony::Unknown => "unknown ceremony: its makers may know the secret and forge proofs",
        _ => "known ceremony: safe if one of its participants destroyed their share of the secret",
    }
}

impl Srs {
    /// Writes the artifact. The file appears complete or not at all: it is written beside the target under
    /// a temporary name, flushed to the disk, and renamed over whatever the target was.
    ///
    /// # Errors
    ///
    /// [`SrsError::Io`]; the target is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), SrsError> {
        let io_error = |operation| {
            move |source| SrsError::Io {
                path: path.to_owned(),
                operation,
                source,
            }
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut temporary = temporary_file(folder).map_err(io_error(FileOperation::Create))?;
        self.write_artifact(temporary.as_file_mut())
            .map_err(io_error(FileOperation::Write))?;
        temporary.as_file().sync_all().map_err(io_error(FileOperation::Sync))?;
        temporary
            .persist(path)
            .map_err(|error| io_error(FileOperation::Rename)(error.error))?;
        sync_folder(folder).map_err(io_error(FileOperation::Sync))
    }

    /// Reads an artifact: hashes, sizes, and every point for itself (canonical, on the curve, in the
    /// subgroup, not at infinity), P_0 = G1, and the ceremony anew from τ·G2.
    ///
    /// Not that the points belong together. That was checked when the SRS was imported; the hash finds what
    /// has happened to the file by accident since. Somebody who *edits* the file can rewrite its hash as
    /// well, so the rule is:
    ///
    /// - **Making keys or contracts** must use [`Srs::load_verified`]: an edited Lagrange basis would make
    ///   the keys of another circuit, and nothing later would notice.
    /// - **Proving** may use `load` if it compares [`Provenance::raw_sha256`] with the one that its proving
    ///   key recorded: the points are then, byte for byte, those that were verified for the key.
    ///
    /// Costs one sha256 pass and 2^(k+1) curve equations: about a millisecond at k = 9.
    ///
    /// # Errors
    ///
    /// Every defect by name; see [`SrsError`].
    pub fn load(path: &Path) -> Result<Self, SrsError> {
        let (points, provenance) = read_points(path)?;
        Ok(points.into_srs(provenance))
    }

    /// Reads an artifact as [`Srs::load`] does, and checks that the powers are consecutive powers of the
    /// secret in τ·G2 and that the Lagrange basis is theirs: everything that the import checks. For
    /// everything that outlives one proof: keys, contracts.
    ///
    /// Costs four multi-scalar multiplications of 2^k points and two Miller loops on top of `load`: some
    /// ten milliseconds at k = 9.
    ///
    /// # Errors
    ///
    /// Every defect by name; see [`SrsError`].
    pub fn load_verified(path: &Path) -> Result<Self, SrsError> {
        let (points, provenance) = read_points(path)?;
        let Points {
            powers,
            lagrange,
            tau_g2,
        } = &points;
        let seed = seed(&[powers, lagrange], tau_g2);
        if !are_powers(powers, tau_g2, seed) {
            return Err(SrsError::InconsistentPowers { path: path.to_owned() });
        }
        if !is_lagrange_basis(powers, lagrange, seed) {
            return Err(SrsError::LagrangeMismatch { path: path.to_owned() });
        }
        Ok(points.into_srs(provenance))
    }

    fn write_artifact(&self, file: &mut File) -> io::Result<()> {
        let provenance = self.provenance();
        let header = Header {
            safety: safety(provenance.ceremony).to_owned(),
            ceremony: provenance.ceremony,
            k: provenance.k,
            raw_sha256: provenance.raw_sha256,
            source_format: provenance.source_format,
            source_file: provenance.source_file.clone(),
        };
        let header = serde_json::to_vec_pretty(&header)?;
        let length = u32::try_from(header.len())
            .ok()
            .filter(|length| *length <= MAX_HEADER_BYTES)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut writer = BufWriter::new(file);
        writer.write_all(MAGIC)?;
        writer.write_all(&ARTIFACT_VERSION.to_le_bytes())?;
        writer.write_all(&length.to_le_bytes())?;
        writer.write_all(&Sha256::digest(&header))?;
        writer.write_all(&header)?;
        self.write_raw(&mut writer)?;
        writer.flush()
    }
}

/// What an artifact says about itself, without reading its points: for lists and inspection. The header's
/// hash is checked; that the points agree with it only [`Srs::load`] knows.
///
/// # Errors
///
/// Every defect of the header by name; see [`SrsError`].
pub fn read_provenance(path: &Path) -> Result<Provenance, SrsError> {
    let mut file = InputFile::open(path)?;
    let (header, _) = read_header(&mut file)?;
    Ok(header.provenance())
}

impl Header {
    fn provenance(&self) -> Provenance {
        Provenance {
            ceremony: self.ceremony,
            k: self.k,
            raw_sha256: self.raw_sha256,
            source_format: self.source_format,
            source_file: self.source_file.clone(),
        }
    }
}

/// The header and the offset of the points.
fn read_header(file: &mut InputFile) -> Result<(Header, u64), SrsError> {
    let part = FilePart::Header;
    let magic = file.read(0, file.length().min(8), part)?;
    if magic != MAGIC {
        return Err(SrsError::NotAnArtifact { path: file.path() });
    }
    let version = file.read_u32(8, part)?;
    if version != ARTIFACT_VERSION {
        return Err(SrsError::UnsupportedVersion {
            path: file.path(),
            expected: ARTIFACT_VERSION,
            got: version,
        });
    }
    let length = file.read_u32(12, part)?;
    if length > MAX_HEADER_BYTES {
        return Err(SrsError::ImplausibleCount {
            path: file.path(),
            part,
            got: u64::from(length),
            max: u64::from(MAX_HEADER_BYTES),
        });
    }
    let hash: [u8; 32] = file.read_array(16, part)?;
    let header = file.read(PREFIX_BYTES, u64::from(length), part)?;
    if <[u8; 32]>::from(Sha256::digest(&header)) != hash {
        return Err(SrsError::Checksum {
            path: file.path(),
            part,
        });
    }
    let header = serde_json::from_slice(&header).map_err(|source| SrsError::Header {
        path: file.path(),
        source,
    })?;
    Ok((header, PREFIX_BYTES.saturating_add(u64::from(length))))
}

/// All that [`Srs::load`] checks.
fn read_points(path: &Path) -> Result<(Points, Provenance), SrsError> {
    let mut file = InputFile::open(path)?;
    let (header, start) = read_header(&mut file)?;
    let provenance = header.provenance();
    let k = usable_power(&file, u64::from(provenance.k))?;
    let list = size(k).saturating_mul(ENCODING.g1_size());
    let body = list
        .saturating_mul(2)
        .saturating_add(4)
        .saturating_add(ENCODING.g2_size().saturating_mul(2));
    file.require_length(start.saturating_add(body))?;
    let bytes = file.read(start, body, FilePart::Points)?;
    if Sha256Digest(Sha256::digest(&bytes).into()) != provenance.raw_sha256 {
        return Err(SrsError::Checksum {
            path: file.path(),
            part: FilePart::Points,
        });
    }
    let points = Points::decode(&file, &bytes, k, list)?;
    let contradiction = |field| SrsError::HeaderContradiction {
        path: file.path(),
        field,
    };
    if provenance.ceremony != known::ceremony(&points.tau_g2) {
        return Err(contradiction(HeaderField::Ceremony));
    }
    if header.safety != safety(provenance.ceremony) {
        return Err(contradiction(HeaderField::Safety));
    }
    Ok((points, provenance))
}

struct Points {
    powers: Vec<G1Affine>,
    lagrange: Vec<G1Affine>,
    tau_g2: G2Affine,
}

impl Points {
    fn into_srs(self, provenance: Provenance) -> Srs {
        let params = params(provenance.k, self.powers, self.lagrange, self.tau_g2);
        Srs::from_checked_params(params, provenance)
    }

    /// `bytes` have the length of halo2's raw form for `k`, and `list` is the length of one G1 list in it.
    fn decode(file: &InputFile, bytes: &[u8], k: u32, list: u64) -> Result<Self, SrsError> {
        let total = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let too_short = || file.wrong_size(FilePart::Points, total, total);
        let list = usize::try_from(list).map_err(|_| too_short())?;
        let (stored_k, rest) = bytes.split_first_chunk::<4>().ok_or_else(too_short)?;
        if u32::from_le_bytes(*stored_k) != k {
            return Err(SrsError::HeaderContradiction {
                path: file.path(),
                field: HeaderField::K,
            });
        }
        let (powers, rest) = rest.split_at_checked(list).ok_or_else(too_short)?;
        let (lagrange, rest) = rest.split_at_checked(list).ok_or_else(too_short)?;
        let (generator, tau_g2) = rest.split_first_chunk::<128>().ok_or_else(too_short)?;

        let decode_list = |bytes, part| {
            decode_g1_list(ENCODING, bytes).map_err(|(index, defect)| SrsError::Point {
                path: file.path(),
                part,
                index,
                defect,
            })
        };
        let powers = decode_list(powers, FilePart::PowersG1)?;
        let lagrange = decode_list(lagrange, FilePart::LagrangeG1)?;
        let not_the_generator = |group| SrsError::NotTheGenerator {
            path: file.path(),
            group,
        };
        if powers.first() != Some(&G1Affine::generator()) {
            return Err(not_the_generator(CurveGroup::G1));
        }
        if generator.as_slice() != G2Affine::generator().to_raw_bytes() {
            return Err(not_the_generator(CurveGroup::G2));
        }
        let tau_g2 = decode_g2(ENCODING, tau_g2).map_err(|defect| SrsError::Point {
            path: file.path(),
            part: FilePart::PointsG2,
            index: 1,
            defect,
        })?;
        Ok(Self {
            powers,
            lagrange,
            tau_g2,
        })
    }
}

/// A temporary file with the permissions that a plainly created one would have.
fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".srs-").suffix(".partial");
    #[cfg(unix)]
    {
        use std::{fs::Permissions, os::unix::fs::PermissionsExt};
        // The process's umask still applies.
        builder.permissions(Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Flushes a rename to the disk, where folders can be flushed.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
