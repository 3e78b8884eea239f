//! halo2's `ParamsKZG` in `RawBytes`: `k u32 | 2^k powers | 2^k Lagrange points | G2 | τ·G2`.

use halo2_proofs::halo2curves::bn256::G2Affine;

use super::{Decoded, not_the_generator, size, usable_power};
use crate::{
    error::{CurveGroup, FilePart, SrsError},
    file::InputFile,
    point::Encoding,
    srs::MAX_K,
};

const ENCODING: Encoding = Encoding::MontgomeryLittleEndian;

/// Bytes of a file of that exponent.
fn total(k: u32) -> u64 {
    list(k)
        .saturating_mul(2)
        .saturating_add(4)
        .saturating_add(ENCODING.g2_size().saturating_mul(2))
}

/// Bytes of one list of 2^k points.
fn list(k: u32) -> u64 {
    size(k).saturating_mul(ENCODING.g1_size())
}

/// Whether the file has exactly the length that its first number demands.
pub(super) fn has_length(file: &mut InputFile) -> Result<bool, SrsError> {
    if file.length() < total(0) {
        return Ok(false);
    }
    let k = file.read_u32(0, FilePart::Header)?;
    Ok(k <= MAX_K && file.length() == total(k))
}

pub(super) fn decode(file: &mut InputFile, max_k: u32) -> Result<Decoded, SrsError> {
    let source_k = file.read_u32(0, FilePart::Header)?;
    let source_k = usable_power(file, u64::from(source_k))?;
    file.require_length(total(source_k))?;
    let k = source_k.min(max_k);
    let powers = file.read_g1(4, size(k), ENCODING, FilePart::PowersG1)?;
    let lagrange_start = list(source_k).saturating_add(4);
    let lagrange = if k == source_k {
        Some(file.read_g1(lagrange_start, size(k), ENCODING, FilePart::LagrangeG1)?)
    } else {
        None
    };
    let generator = lagrange_start.saturating_add(list(source_k));
    if file.read_g2(generator, 0, ENCODING)? != G2Affine::generator() {
        return Err(not_the_generator(file, CurveGroup::G2));
    }
    let tau = generator.saturating_add(ENCODING.g2_size());
    Ok(Decoded {
        powers,
        lagrange,
        tau_g2: file.read_g2(tau, 1, ENCODING)?,
        k,
        source_k,
    })
}
