//! Point lists of gnark-crypto, as EigenDA publishes them: one file of compressed G1 powers and one of
//! compressed G2 points. The G2 file either begins with the generator and goes on with τ·G2
//! (`g2.point`), or begins with τ·G2 (`g2.point.powerOf2`, whose i-th point is τ^(2^i)·G2).

use std::path::Path;

use halo2_proofs::halo2curves::bn256::{G1Affine, G2Affine};

use super::{Decoded, not_the_generator, power_of_count, refuse_foreign, size};
use crate::{
    error::{CurveGroup, FilePart, SrsError},
    file::InputFile,
    point::Encoding,
};

const ENCODING: Encoding = Encoding::GnarkCompressed;

pub(super) fn decode(file: &mut InputFile, companion: &Path, max_k: u32) -> Result<Decoded, SrsError> {
    let count = count_points(file, ENCODING.g1_size(), FilePart::PowersG1)?;
    let source_k = power_of_count(file, count)?;
    let k = source_k.min(max_k);
    let first = file.read_g1(0, 1, ENCODING, FilePart::PowersG1)?;
    if first.first() != Some(&G1Affine::generator()) {
        return Err(not_the_generator(file, CurveGroup::G1));
    }
    let powers = file.read_g1(0, size(k), ENCODING, FilePart::PowersG1)?;

    let mut companion = InputFile::open(companion)?;
    refuse_foreign(&mut companion)?;
    let point_size = ENCODING.g2_size();
    count_points(&companion, point_size, FilePart::PointsG2)?;
    let mut tau_g2 = companion.read_g2(0, 0, ENCODING)?;
    if tau_g2 == G2Affine::generator() {
        tau_g2 = companion.read_g2(point_size, 1, ENCODING)?;
    }
    Ok(Decoded {
        powers,
        lagrange: None,
        tau_g2,
        k,
        source_k,
    })
}

fn count_points(file: &InputFile, point_size: u64, part: FilePart) -> Result<u64, SrsError> {
    let count = file.length().checked_div(point_size).unwrap_or(0);
    let whole = count.saturating_mul(point_size);
    if whole != file.length() || count == 0 {
        let expected = whole.saturating_add(point_size);
        return Err(file.wrong_size(part, expected, file.length()));
    }
    Ok(count)
}
