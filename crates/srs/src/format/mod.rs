//! The formats an SRS is published in: detection by content, and one decoder each. A decoder returns
//! points that are valid one by one; whether they belong together is for [`crate::check`].

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod arkworks;
mod gnark;
mod halo2_raw;
mod ptau;

use std::path::Path;

use halo2_proofs::halo2curves::bn256::{G1Affine, G2Affine};

use crate::{
    artifact,
    error::{CurveGroup, FilePart, ForeignContent, SrsError},
    file::InputFile,
    point::{Encoding, decode_g1},
    provenance::SourceFormat,
    srs::{MAX_K, MIN_K},
};

/// Bytes that detection looks at.
const PREFIX: u64 = 512;

/// What a decoder found.
pub(crate) struct Decoded {
    /// 2^k points, the first of which is the generator.
    pub(crate) powers: Vec<G1Affine>,
    /// A Lagrange basis in halo2's order, where the file has one for this very k.
    pub(crate) lagrange: Option<Vec<G1Affine>>,
    /// The secret in G2.
    pub(crate) tau_g2: G2Affine,
    /// The size exponent of `powers`.
    pub(crate) k: u32,
    /// The size exponent of the file.
    pub(crate) source_k: u32,
}

/// Decodes at most 2^`max_k` powers of `file`.
pub(crate) fn decode(
    file: &mut InputFile,
    format: SourceFormat,
    companion: Option<&Path>,
    max_k: u32,
) -> Result<Decoded, SrsError> {
    let without_companion = |file: &InputFile| match companion {
        None => Ok(()),
        Some(_) => Err(SrsError::CompanionUnused {
            path: file.path(),
            format,
        }),
    };
    let decoded = match format {
        SourceFormat::Ptau => {
            without_companion(file)?;
            ptau::decode(file, max_k)
        }
        SourceFormat::Halo2Raw => {
            without_companion(file)?;
            halo2_raw::decode(file, max_k)
        }
        SourceFormat::GnarkPoints => {
            let companion = companion.ok_or_else(|| SrsError::CompanionMissing {
                path: file.path(),
                format,
            })?;
            gnark::decode(file, companion, max_k)
        }
        SourceFormat::Arkworks => arkworks::decode(file, companion, max_k),
        SourceFormat::Development => Err(SrsError::UnrecognizedFormat { path: file.path() }),
    }?;
    if decoded.powers.first() != Some(&G1Affine::generator()) {
        return Err(not_the_generator(file, CurveGroup::G1));
    }
    Ok(decoded)
}

/// The format of `file`, by its content.
pub(crate) fn detect(file: &mut InputFile) -> Result<SourceFormat, SrsError> {
    let prefix = file.read(0, PREFIX.min(file.length()), FilePart::Header)?;
    if prefix.starts_with(ptau::MAGIC) {
        return Ok(SourceFormat::Ptau);
    }
    let starts_with_generator = |encoding, offset| {
        let Ok(size) = usize::try_from(Encoding::g1_size(encoding)) else {
            return false;
        };
        let point = prefix.get(offset..).and_then(|rest| rest.get(..size));
        point.map(|bytes| decode_g1(encoding, bytes)) == Some(Ok(G1Affine::generator()))
    };
    if starts_with_generator(Encoding::MontgomeryLittleEndian, 4) || halo2_raw::has_length(file)? {
        return Ok(SourceFormat::Halo2Raw);
    }
    if starts_with_generator(Encoding::ArkworksUncompressed, 8) {
        return Ok(SourceFormat::Arkworks);
    }
    if starts_with_generator(Encoding::GnarkCompressed, 0) {
        return Ok(SourceFormat::GnarkPoints);
    }
    Err(SrsError::UnrecognizedFormat { path: file.path() })
}

/// An error if the content is something that only bears an SRS's name.
pub(crate) fn refuse_foreign(file: &mut InputFile) -> Result<(), SrsError> {
    let prefix = file.read(0, PREFIX.min(file.length()), FilePart::Header)?;
    let text = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&prefix);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let begins = |word: &[u8]| text.starts_with(word);
    let content = if prefix.is_empty() {
        ForeignContent::Empty
    } else if begins(b"<!doctype html") || begins(b"<html") {
        ForeignContent::Html
    } else if begins(b"<?xml") || begins(b"<error") {
        ForeignContent::Xml
    } else if begins(b"{\"") || begins(b"[\"") || begins(b"{\n") || begins(b"{\r\n") {
        ForeignContent::Json
    } else if begins(b"version https://git-lfs") {
        ForeignContent::GitLfsPointer
    } else if prefix.starts_with(b"PK\x03\x04") || prefix.starts_with(&[0x1f, 0x8b, 0x08]) {
        ForeignContent::Archive
    } else if prefix.starts_with(artifact::MAGIC) {
        ForeignContent::Artifact
    } else {
        return Ok(());
    };
    Err(SrsError::Foreign {
        path: file.path(),
        content,
    })
}

/// 2^k, for an exponent that [`usable_power`] has passed.
pub(crate) fn size(k: u32) -> u64 {
    1_u64.checked_shl(k).unwrap_or(u64::MAX)
}

/// `power`, if BN254 has a domain of that size.
pub(crate) fn usable_power(file: &InputFile, power: u64) -> Result<u32, SrsError> {
    match u32::try_from(power) {
        Ok(power) if (MIN_K..=MAX_K).contains(&power) => Ok(power),
        _ => Err(SrsError::PowerOutOfRange {
            path: file.path(),
            got: power,
            min: MIN_K,
            max: MAX_K,
        }),
    }
}

/// The exponent of the largest power of two that `count` points contain.
pub(crate) fn power_of_count(file: &InputFile, count: u64) -> Result<u32, SrsError> {
    let power = count.checked_ilog2().unwrap_or(0);
    usable_power(file, u64::from(power))
}

fn not_the_generator(file: &InputFile, group: CurveGroup) -> SrsError {
    SrsError::NotTheGenerator {
        path: file.path(),
        group,
    }
}
