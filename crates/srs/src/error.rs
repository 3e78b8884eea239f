//! Everything that can be wrong with an SRS file, one variant each.

use std::{fmt, io, path::PathBuf};

use crate::provenance::{Ceremony, SourceFormat};

/// Why an SRS was not imported, loaded, saved or resized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SrsError {
    /// The operating system refused a file operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What was attempted.
        operation: FileOperation,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The path names a folder, a device or a pipe.
    #[error("{} is not a regular file; name the SRS file itself", path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// The file is something else that commonly ends up under an SRS name.
    #[error("{} is not an SRS but {content}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead, with the way out.
        content: ForeignContent,
    },
    /// The content matches none of the formats.
    #[error(
        "{} is in no known SRS format (.ptau, halo2 raw, gnark points, arkworks parameters); \
         if it is one of them, name the format to learn what is wrong with it",
        path.display()
    )]
    UnrecognizedFormat {
        /// The file.
        path: PathBuf,
    },
    /// A format, or one of its versions, that this crate does not read.
    #[error(
        "{} says format version {got}, this program reads version {expected}; \
         convert the file, or use the program that wrote it",
        path.display()
    )]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The version that is read.
        expected: u32,
        /// The version in the file.
        got: u32,
    },
    /// A part of the file is shorter or longer than what the file's own counts demand.
    #[error(
        "{}: {part} takes {expected} bytes, the file has {got}; it is truncated, extended or \
         damaged: fetch it again and compare its published hash",
        path.display()
    )]
    WrongSize {
        /// The file.
        path: PathBuf,
        /// The part that does not fit.
        part: FilePart,
        /// Bytes the part must have.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A `.ptau` section that must be there exactly once is missing or repeated.
    #[error(
        "{}: section {section} of the .ptau file occurs {got} times instead of once; \
         fetch the file again and compare its published hash",
        path.display()
    )]
    SectionCount {
        /// The file.
        path: PathBuf,
        /// The section's type number.
        section: u32,
        /// How often it occurs.
        got: u32,
    },
    /// A count that no real file has.
    #[error(
        "{}: {part} claims {got} entries, at most {max} are possible; the file is damaged",
        path.display()
    )]
    ImplausibleCount {
        /// The file.
        path: PathBuf,
        /// The part that holds the count.
        part: FilePart,
        /// The claim.
        got: u64,
        /// The most that is accepted.
        max: u64,
    },
    /// The points are of another curve.
    #[error(
        "{} is for another curve: its field's prime is not BN254's; fetch the bn128/bn254 file",
        path.display()
    )]
    WrongPrime {
        /// The file.
        path: PathBuf,
    },
    /// The size exponent is outside what BN254 and halo2 can use.
    #[error("{}: size 2^{got} is outside 2^{min} to 2^{max}", path.display())]
    PowerOutOfRange {
        /// The file.
        path: PathBuf,
        /// The exponent in the file.
        got: u64,
        /// Smallest usable exponent.
        min: u32,
        /// Largest usable exponent.
        max: u32,
    },
    /// One point is defective.
    #[error(
        "{}: point {index} of {part} {defect}; the file is damaged or forged",
        path.display()
    )]
    Point {
        /// The file.
        path: PathBuf,
        /// The list the point is in.
        part: FilePart,
        /// Its position in the list, from zero.
        index: u64,
        /// What is wrong with it.
        defect: PointDefect,
    },
    /// The zeroth power is not the group's generator.
    #[error(
        "{}: the first point in {group} is not the generator; the points are in another order or \
         from another group",
        path.display()
    )]
    NotTheGenerator {
        /// The file.
        path: PathBuf,
        /// The group.
        group: CurveGroup,
    },
    /// The pairing equation fails.
    #[error(
        "{}: the points in G1 are not the consecutive powers of the secret in G2 (the pairing check \
         fails); the file is damaged or forged: do not use it",
        path.display()
    )]
    InconsistentPowers {
        /// The file.
        path: PathBuf,
    },
    /// The file's Lagrange basis is not that of its powers.
    #[error(
        "{}: the Lagrange basis does not belong to the powers; the file is damaged or forged: \
         do not use it",
        path.display()
    )]
    LagrangeMismatch {
        /// The file.
        path: PathBuf,
    },
    /// The secret lies in the evaluation domain, so that it can be read off the points.
    #[error(
        "{}: the secret is a 2^{k}-th root of unity, which everybody can find; do not use this SRS",
        path.display()
    )]
    SecretInDomain {
        /// The file.
        path: PathBuf,
        /// The domain's size exponent.
        k: u32,
    },
    /// The points were proven consistent with a known ceremony, yet hash to something else.
    #[error(
        "{}: converted to halo2's raw form at k = {k}, the {ceremony} SRS must hash to another value \
         than it does; report this as a defect of this program",
        path.display()
    )]
    DerivedHashMismatch {
        /// The file.
        path: PathBuf,
        /// The ceremony that τ·G2 names.
        ceremony: Ceremony,
        /// The size exponent.
        k: u32,
    },
    /// The format keeps its G2 points in a second file.
    #[error(
        "{} holds only G1 points ({format}); name the file with the G2 powers as well",
        path.display()
    )]
    CompanionMissing {
        /// The G1 file.
        path: PathBuf,
        /// Its format.
        format: SourceFormat,
    },
    /// A G2 file was named for a format that carries its own.
    #[error(
        "{} ({format}) carries its own G2 points; leave the separate G2 file out",
        path.display()
    )]
    CompanionUnused {
        /// The SRS file.
        path: PathBuf,
        /// Its format.
        format: SourceFormat,
    },
    /// The separate G2 file contradicts the point inside the main file.
    #[error(
        "{} and {} disagree about τ·G2; they are from different ceremonies",
        path.display(),
        companion.display()
    )]
    CompanionMismatch {
        /// The SRS file.
        path: PathBuf,
        /// The G2 file.
        companion: PathBuf,
    },
    /// The wanted size exceeds what there is.
    #[error("an SRS of k = {available} cannot serve k = {wanted}; import or create a larger one")]
    TooSmall {
        /// The SRS's size exponent.
        available: u32,
        /// The wanted one.
        wanted: u32,
    },
    /// The wanted size is none that halo2 over BN254 can use.
    #[error("k = {got} is outside {min} to {max}")]
    KOutOfRange {
        /// The wanted exponent.
        got: u32,
        /// Smallest usable exponent.
        min: u32,
        /// Largest usable exponent.
        max: u32,
    },
    /// The file is not this project's container.
    #[error(
        "{} is not a zkverdict SRS artifact; make one from it with `zkverdict srs import`",
        path.display()
    )]
    NotAnArtifact {
        /// The file.
        path: PathBuf,
    },
    /// The artifact's header is not the JSON it should be.
    #[error(
        "{}: the artifact's header cannot be read ({source}); import the SRS again",
        path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// What the JSON reader found.
        source: serde_json::Error,
    },
    /// The artifact's content does not have the hash recorded for it.
    #[error(
        "{}: {part} does not have its recorded sha256; the artifact is damaged or was edited: \
         import the SRS again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The part whose hash differs.
        part: FilePart,
    },
    /// The artifact's header says something that its points contradict.
    #[error(
        "{}: the header's {field} contradicts the points; the artifact was edited: \
         import the SRS again",
        path.display()
    )]
    HeaderContradiction {
        /// The file.
        path: PathBuf,
        /// The header field.
        field: HeaderField,
    },
}

/// A file operation, as it reads after "cannot".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileOperation {
    /// Opening, or asking for size and kind.
    Open,
    /// Reading.
    Read,
    /// Creating the temporary file beside the target.
    Create,
    /// Writing.
    Write,
    /// Flushing to the disk.
    Sync,
    /// Moving the finished file into place.
    Rename,
}

impl fmt::Display for FileOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Create => "create a file for",
            Self::Write => "write",
            Self::Sync => "flush",
            Self::Rename => "move the finished file to",
        })
    }
}

/// Content that is mistaken for an SRS, as it reads after "but".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignContent {
    /// No bytes at all.
    Empty,
    /// An XML document, as object stores answer when a download is refused.
    Xml,
    /// An HTML page.
    Html,
    /// JSON text.
    Json,
    /// A Git LFS pointer.
    GitLfsPointer,
    /// A zip or gzip archive.
    Archive,
    /// An artifact of this project.
    Artifact,
}

impl fmt::Display for ForeignContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "an empty file; fetch it again",
            Self::Xml => "an XML document, probably the error page of a storage server; fetch it from another place",
            Self::Html => "an HTML page, probably a download page or an error; fetch the file behind it",
            Self::Json => "JSON text; name the binary file",
            Self::GitLfsPointer => "a Git LFS pointer; run `git lfs pull` where it came from",
            Self::Archive => "an archive; unpack it first",
            Self::Artifact => "a zkverdict SRS artifact, which needs no import",
        })
    }
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilePart {
    /// The fixed-size beginning.
    Header,
    /// A `.ptau` section, by type number.
    Section(u32),
    /// The list of sections, or the end of the last one.
    SectionTable,
    /// The powers τ^i · G1.
    PowersG1,
    /// The Lagrange basis in G1.
    LagrangeG1,
    /// The points in G2.
    PointsG2,
    /// What arkworks stores after the powers.
    Trailer,
    /// The points of the artifact, all together.
    Points,
    /// The file from beginning to end.
    Whole,
}

impl fmt::Display for FilePart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => formatter.write_str("the header"),
            Self::Section(number) => write!(formatter, "section {number}"),
            Self::SectionTable => formatter.write_str("the section table"),
            Self::PowersG1 => formatter.write_str("the list of G1 powers"),
            Self::LagrangeG1 => formatter.write_str("the Lagrange basis"),
            Self::PointsG2 => formatter.write_str("the list of G2 points"),
            Self::Trailer => formatter.write_str("the trailer"),
            Self::Points => formatter.write_str("the body of points"),
            Self::Whole => formatter.write_str("the whole file"),
        }
    }
}

/// What is wrong with an encoded point, as it reads after "point 7".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PointDefect {
    /// The chunk does not have the encoding's length.
    WrongLength,
    /// A coordinate is not below the field's prime.
    NonCanonicalCoordinate,
    /// The flag bits are none of the encoding's, or contradict the coordinates.
    BadFlags,
    /// The point at infinity, which no power of a usable secret is.
    Identity,
    /// The coordinates satisfy no curve equation.
    NotOnCurve,
    /// On the curve, but outside the subgroup of prime order.
    WrongSubgroup,
}

impl fmt::Display for PointDefect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WrongLength => "does not have the length of its encoding",
            Self::NonCanonicalCoordinate => "has a coordinate that is not below the field's prime",
            Self::BadFlags => "has invalid flag bits",
            Self::Identity => "is the point at infinity",
            Self::NotOnCurve => "is not on the curve",
            Self::WrongSubgroup => "is not in the subgroup of prime order",
        })
    }
}

/// One of BN254's two source groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveGroup {
    /// Points over the base field.
    G1,
    /// Points over its quadratic extension.
    G2,
}

impl fmt::Display for CurveGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::G1 => "G1",
            Self::G2 => "G2",
        })
    }
}

/// A field of the artifact's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderField {
    /// The size exponent.
    K,
    /// The ceremony's name.
    Ceremony,
    /// The safety statement.
    Safety,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::K => "k",
            Self::Ceremony => "ceremony",
            Self::Safety => "safety statement",
        })
    }
}
