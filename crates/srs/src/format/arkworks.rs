//! `UniversalParams` of arkworks' KZG10, `serialize_uncompressed`, as the Aztec Ignition points are
//! published for arkworks:
//!
//! ```text
//!     count u64 | count powers in G1
//!   | count u64 | (index u64, point in G1)…      powers for hiding
//!   | G2 | τ·G2
//!   | count u64 | (index u64, point in G2)…      negative powers
//! ```
//!
//! Aztec's own `bn254_g2.dat` (τ·G2, big-endian) can be given beside it and must then agree.

use std::path::Path;

use halo2_proofs::halo2curves::bn256::G2Affine;

use super::{Decoded, not_the_generator, power_of_count, refuse_foreign, size};
use crate::{
    error::{CurveGroup, FilePart, SrsError},
    file::InputFile,
    point::Encoding,
};

const ENCODING: Encoding = Encoding::ArkworksUncompressed;
const COUNT: u64 = 8;

pub(super) fn decode(file: &mut InputFile, companion: Option<&Path>, max_k: u32) -> Result<Decoded, SrsError> {
    let (count, hiding) = list_at(file, 0, ENCODING.g1_size(), FilePart::PowersG1)?;
    let source_k = power_of_count(file, count)?;
    let g2_size = ENCODING.g2_size();
    let (_, generator) = list_at(
        file,
        hiding,
        ENCODING.g1_size().saturating_add(COUNT),
        FilePart::Trailer,
    )?;
    let tau = generator.saturating_add(g2_size);
    let (_, end) = list_at(
        file,
        tau.saturating_add(g2_size),
        g2_size.saturating_add(COUNT),
        FilePart::Trailer,
    )?;
    file.require_length(end)?;

    let k = source_k.min(max_k);
    let powers = file.read_g1(COUNT, size(k), ENCODING, FilePart::PowersG1)?;
    if file.read_g2(generator, 0, ENCODING)? != G2Affine::generator() {
        return Err(not_the_generator(file, CurveGroup::G2));
    }
    let tau_g2 = file.read_g2(tau, 1, ENCODING)?;
    if let Some(companion) = companion {
        let mut companion = InputFile::open(companion)?;
        refuse_foreign(&mut companion)?;
        companion.require_length(Encoding::AztecBigEndian.g2_size())?;
        if companion.read_g2(0, 0, Encoding::AztecBigEndian)? != tau_g2 {
            return Err(SrsError::CompanionMismatch {
                path: file.path(),
                companion: companion.path(),
            });
        }
    }
    Ok(Decoded {
        powers,
        lagrange: None,
        tau_g2,
        k,
        source_k,
    })
}

/// The number of entries of the list at `offset`, and the offset behind it.
fn list_at(file: &mut InputFile, offset: u64, entry: u64, part: FilePart) -> Result<(u64, u64), SrsError> {
    let count = file.read_u64(offset, part)?;
    let start = offset.saturating_add(COUNT);
    let length = count.saturating_mul(entry);
    let available = file.length().saturating_sub(start);
    if length > available {
        return Err(file.wrong_size(part, length, available));
    }
    Ok((count, start.saturating_add(length)))
}
