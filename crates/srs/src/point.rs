//! Decoding of single points. Every coordinate is canonical, every point on the curve, in the subgroup
//! of prime order and not at infinity, or its defect is named.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::ops::Neg;

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fq2, G1Affine, G2Affine},
    ff::PrimeField,
    group::{GroupEncoding, cofactor::CofactorGroup, prime::PrimeCurveAffine},
    serde::SerdeObject,
};

use rayon::prelude::*;

use crate::error::PointDefect;

/// How a list writes its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// x ‖ y, little-endian, in Montgomery form with R = 2^256: halo2's `RawBytes` and `.ptau`. In G2 a
    /// coordinate is c0 ‖ c1.
    MontgomeryLittleEndian,
    /// x ‖ y, little-endian, c0 ‖ c1. In the last byte, bit 7 says that y > −y and bit 6 that the point is
    /// at infinity: `CanonicalSerialize::serialize_uncompressed` of arkworks.
    ArkworksUncompressed,
    /// x, big-endian, c1 ‖ c0. The two high bits of the first byte are 10 for the smaller y, 11 for the
    /// larger, 01 for infinity, 00 for a form that is not compressed: `Bytes` of gnark-crypto.
    GnarkCompressed,
    /// x ‖ y, big-endian, c0 ‖ c1, no flags: the `bn254_g2.dat` of Aztec.
    AztecBigEndian,
}

impl Encoding {
    /// Bytes of a G1 point.
    pub(crate) const fn g1_size(self) -> u64 {
        match self {
            Self::GnarkCompressed => 32,
            _ => 64,
        }
    }

    /// Bytes of a G2 point.
    pub(crate) const fn g2_size(self) -> u64 {
        match self {
            Self::GnarkCompressed => 64,
            _ => 128,
        }
    }
}

/// A G1 point from exactly [`Encoding::g1_size`] bytes.
pub(crate) fn decode_g1(encoding: Encoding, bytes: &[u8]) -> Result<G1Affine, PointDefect> {
    let point = match encoding {
        Encoding::MontgomeryLittleEndian => {
            let [x, y] = halves(bytes)?;
            g1_on_curve(montgomery(&x)?, montgomery(&y)?)?
        }
        Encoding::ArkworksUncompressed => {
            let [x, y] = halves(bytes)?;
            let (flags, y) = split_arkworks_flags(y);
            let (x, y) = (little_endian(&x)?, little_endian(&y)?);
            flags.check(y > y.neg())?;
            g1_on_curve(x, y)?
        }
        Encoding::GnarkCompressed => {
            let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| PointDefect::WrongLength)?;
            let (larger, x) = split_gnark_flags(bytes)?;
            let mut compressed = <G1Affine as GroupEncoding>::Repr::default();
            copy(compressed.as_mut(), &big_endian(x)?.to_repr())?;
            let point = Option::<G1Affine>::from(G1Affine::from_bytes(&compressed)).ok_or(PointDefect::NotOnCurve)?;
            if (point.y > point.y.neg()) == larger {
                point
            } else {
                point.neg()
            }
        }
        Encoding::AztecBigEndian => {
            let [x, y] = halves(bytes)?;
            g1_on_curve(big_endian(x)?, big_endian(y)?)?
        }
    };
    if bool::from(point.is_identity()) {
        return Err(PointDefect::Identity);
    }
    Ok(point)
}

/// The G1 points of a list, decoded on all threads; or the position and the defect of the first bad one.
pub(crate) fn decode_g1_list(encoding: Encoding, bytes: &[u8]) -> Result<Vec<G1Affine>, (u64, PointDefect)> {
    let size = usize::try_from(encoding.g1_size()).map_err(|_| (0, PointDefect::WrongLength))?;
    let decoded: Vec<_> = bytes
        .par_chunks(size)
        .with_min_len(64)
        .map(|bytes| decode_g1(encoding, bytes))
        .collect();
    (0..)
        .zip(decoded)
        .map(|(index, point)| point.map_err(|defect| (index, defect)))
        .collect()
}

/// A G2 point from exactly [`Encoding::g2_size`] bytes.
pub(crate) fn decode_g2(encoding: Encoding, bytes: &[u8]) -> Result<G2Affine, PointDefect> {
    let point = match encoding {
        Encoding::MontgomeryLittleEndian => {
            let [x0, x1, y0, y1] = quarters(bytes)?;
            g2_on_curve(
                Fq2::new(montgomery(&x0)?, montgomery(&x1)?),
                Fq2::new(montgomery(&y0)?, montgomery(&y1)?),
            )?
        }
        Encoding::ArkworksUncompressed => {
            let [x0, x1, y0, y1] = quarters(bytes)?;
            let (flags, y1) = split_arkworks_flags(y1);
            let x = Fq2::new(little_endian(&x0)?, little_endian(&x1)?);
            let y = Fq2::new(little_endian(&y0)?, little_endian(&y1)?);
            flags.check(y > y.neg())?;
            g2_on_curve(x, y)?
        }
        Encoding::GnarkCompressed => {
            let [x1, x0] = halves(bytes)?;
            let (larger, x1) = split_gnark_flags(x1)?;
            let (x0, x1) = (big_endian(x0)?, big_endian(x1)?);
            let mut compressed = <G2Affine as GroupEncoding>::Repr::default();
            copy(compressed.as_mut(), &Fq2::new(x0, x1).to_bytes())?;
            let point = Option::<G2Affine>::from(G2Affine::from_bytes(&compressed)).ok_or(PointDefect::NotOnCurve)?;
            if (point.y > point.y.neg()) == larger {
                point
            } else {
                point.neg()
            }
        }
        Encoding::AztecBigEndian => {
            let [x0, x1, y0, y1] = quarters(bytes)?;
            g2_on_curve(
                Fq2::new(big_endian(x0)?, big_endian(x1)?),
                Fq2::new(big_endian(y0)?, big_endian(y1)?),
            )?
        }
    };
    if bool::from(point.is_identity()) {
        return Err(PointDefect::Identity);
    }
    // G1 has prime order; G2's curve has a cofactor.
    if !bool::from(point.to_curve().is_torsion_free()) {
        return Err(PointDefect::WrongSubgroup);
    }
    Ok(point)
}

/// The sign and infinity bits of arkworks.
struct ArkworksFlags {
    larger: bool,
    infinity: bool,
}

impl ArkworksFlags {
    fn check(&self, y_is_larger: bool) -> Result<(), PointDefect> {
        if self.infinity {
            return Err(PointDefect::Identity);
        }
        if self.larger != y_is_larger {
            return Err(PointDefect::BadFlags);
        }
        Ok(())
    }
}

fn split_arkworks_flags(mut last: [u8; 32]) -> (ArkworksFlags, [u8; 32]) {
    let [.., top] = &mut last;
    let flags = ArkworksFlags {
        larger: *top & 0x80 != 0,
        infinity: *top & 0x40 != 0,
    };
    *top &= 0x3f;
    (flags, last)
}

fn split_gnark_flags(mut first: [u8; 32]) -> Result<(bool, [u8; 32]), PointDefect> {
    let [top, ..] = &mut first;
    let larger = match *top & 0xc0 {
        0x80 => false,
        0xc0 => true,
        0x40 => return Err(PointDefect::Identity),
        _ => return Err(PointDefect::BadFlags),
    };
    *top &= 0x3f;
    Ok((larger, first))
}

fn g1_on_curve(x: Fq, y: Fq) -> Result<G1Affine, PointDefect> {
    Option::from(G1Affine::from_xy(x, y)).ok_or(PointDefect::NotOnCurve)
}

fn g2_on_curve(x: Fq2, y: Fq2) -> Result<G2Affine, PointDefect> {
    Option::from(G2Affine::from_xy(x, y)).ok_or(PointDefect::NotOnCurve)
}

fn montgomery(bytes: &[u8; 32]) -> Result<Fq, PointDefect> {
    Fq::from_raw_bytes(bytes).ok_or(PointDefect::NonCanonicalCoordinate)
}

fn little_endian(bytes: &[u8; 32]) -> Result<Fq, PointDefect> {
    Option::from(Fq::from_bytes(bytes)).ok_or(PointDefect::NonCanonicalCoordinate)
}

fn big_endian(mut bytes: [u8; 32]) -> Result<Fq, PointDefect> {
    bytes.reverse();
    little_endian(&bytes)
}

fn halves(bytes: &[u8]) -> Result<[[u8; 32]; 2], PointDefect> {
    let (first, rest) = bytes.split_first_chunk().ok_or(PointDefect::WrongLength)?;
    let second = rest.try_into().map_err(|_| PointDefect::WrongLength)?;
    Ok([*first, second])
}

fn quarters(bytes: &[u8]) -> Result<[[u8; 32]; 4], PointDefect> {
    let (first, second) = bytes.split_first_chunk::<64>().ok_or(PointDefect::WrongLength)?;
    let ([a, b], [c, d]) = (halves(first)?, halves(second)?);
    Ok([a, b, c, d])
}

fn copy(target: &mut [u8], bytes: &[u8]) -> Result<(), PointDefect> {
    if target.len() != bytes.len() {
        return Err(PointDefect::WrongLength);
    }
    target.copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]
mod tests {
    use halo2_proofs::halo2curves::{ff::Field, group::Curve};

    use super::*;

    const ALL: [Encoding; 4] = [
        Encoding::MontgomeryLittleEndian,
        Encoding::ArkworksUncompressed,
        Encoding::GnarkCompressed,
        Encoding::AztecBigEndian,
    ];

    fn reversed(element: Fq) -> [u8; 32] {
        let mut bytes = element.to_repr();
        bytes.reverse();
        bytes
    }

    fn encode_g1(encoding: Encoding, point: &G1Affine) -> Vec<u8> {
        let larger = point.y > -point.y;
        match encoding {
            Encoding::MontgomeryLittleEndian => point.to_raw_bytes(),
            Encoding::ArkworksUncompressed => {
                let mut bytes = [point.x.to_repr(), point.y.to_repr()].concat();
                bytes[63] |= u8::from(larger) << 7;
                bytes
            }
            Encoding::GnarkCompressed => {
                let mut bytes = reversed(point.x).to_vec();
                bytes[0] |= if larger { 0xc0 } else { 0x80 };
                bytes
            }
            Encoding::AztecBigEndian => [reversed(point.x), reversed(point.y)].concat(),
        }
    }

    fn encode_g2(encoding: Encoding, point: &G2Affine) -> Vec<u8> {
        let larger = point.y > -point.y;
        match encoding {
            Encoding::MontgomeryLittleEndian => point.to_raw_bytes(),
            Encoding::ArkworksUncompressed => {
                let mut bytes = [point.x.to_bytes(), point.y.to_bytes()].concat();
                bytes[127] |= u8::from(larger) << 7;
                bytes
            }
            Encoding::GnarkCompressed => {
                let mut bytes = [reversed(point.x.c1), reversed(point.x.c0)].concat();
                bytes[0] |= if larger { 0xc0 } else { 0x80 };
                bytes
            }
            Encoding::AztecBigEndian => [point.x.c0, point.x.c1, point.y.c0, point.y.c1].map(reversed).concat(),
        }
    }

    #[test]
    fn every_encoding_returns_the_point_of_either_sign() {
        for encoding in ALL {
            for factor in 1..20u64 {
                for sign in [1, 2] {
                    let scalar = halo2_proofs::halo2curves::bn256::Fr::from(factor).pow([sign]);
                    let g1 = (G1Affine::generator() * scalar).to_affine();
                    let g2 = (G2Affine::generator() * scalar).to_affine();
                    for (g1, g2) in [(g1, g2), (-g1, -g2)] {
                        assert_eq!(decode_g1(encoding, &encode_g1(encoding, &g1)), Ok(g1));
                        assert_eq!(decode_g2(encoding, &encode_g2(encoding, &g2)), Ok(g2));
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_are_named() {
        for encoding in ALL {
            for length in 0..200 {
                let bytes = vec![0x80; length];
                if length as u64 != encoding.g1_size() {
                    let got = decode_g1(encoding, &bytes);
                    assert_eq!(got, Err(PointDefect::WrongLength));
                }
                if length as u64 != encoding.g2_size() {
                    let got = decode_g2(encoding, &bytes);
                    assert_eq!(got, Err(PointDefect::WrongLength));
                }
            }
        }
    }

    #[test]
    fn coordinates_at_or_above_the_prime_are_refused() {
        // The prime itself, little-endian; as Montgomery limbs it is just as much out of range.
        let mut prime = (-Fq::ONE).to_repr();
        prime[0] += 1;
        let mut big = prime;
        big.reverse();
        let two = Fq::from(2).to_repr();
        for (encoding, bytes) in [
            (Encoding::MontgomeryLittleEndian, [prime, two].concat()),
            (Encoding::ArkworksUncompressed, [prime, two].concat()),
            (Encoding::AztecBigEndian, [big, two].concat()),
        ] {
            let got = decode_g1(encoding, &bytes);
            assert_eq!(got, Err(PointDefect::NonCanonicalCoordinate), "{encoding:?}");
        }
        big[0] |= 0x80;
        for bytes in [big.to_vec(), [big, two].concat(), [[0x80; 32], big].concat()] {
            let got = if bytes.len() == 32 {
                decode_g1(Encoding::GnarkCompressed, &bytes).map(|_| ())
            } else {
                decode_g2(Encoding::GnarkCompressed, &bytes).map(|_| ())
            };
            assert_eq!(got, Err(PointDefect::NonCanonicalCoordinate));
        }
    }

    #[test]
    fn infinity_is_refused_in_every_spelling() {
        let zeros = [0; 128];
        for encoding in [Encoding::MontgomeryLittleEndian, Encoding::AztecBigEndian] {
            let got = decode_g1(encoding, &zeros[..64]);
            assert_eq!(got, Err(PointDefect::Identity));
            assert_eq!(decode_g2(encoding, &zeros), Err(PointDefect::Identity));
        }
        let mut arkworks = [0; 128];
        arkworks[127] = 0x40;
        let got = decode_g1(Encoding::ArkworksUncompressed, &arkworks[64..]);
        assert_eq!(got, Err(PointDefect::Identity));
        let got = decode_g2(Encoding::ArkworksUncompressed, &arkworks);
        assert_eq!(got, Err(PointDefect::Identity));
        let got = decode_g1(Encoding::ArkworksUncompressed, &zeros[..64]);
        assert_eq!(got, Err(PointDefect::Identity));
        let mut gnark = [0; 64];
        gnark[0] = 0x40;
        let got = decode_g1(Encoding::GnarkCompressed, &gnark[..32]);
        assert_eq!(got, Err(PointDefect::Identity));
        let got = decode_g2(Encoding::GnarkCompressed, &gnark);
        assert_eq!(got, Err(PointDefect::Identity));
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        let mut point = G1Affine::generator();
        point.y += Fq::ONE;
        for encoding in [Encoding::MontgomeryLittleEndian, Encoding::AztecBigEndian] {
            let got = decode_g1(encoding, &encode_g1(encoding, &point));
            assert_eq!(got, Err(PointDefect::NotOnCurve));
        }
        // x³ + 3 is no square at x = 4.
        let mut gnark = [0; 32];
        gnark[0] = 0x80;
        gnark[31] = 4;
        let got = decode_g1(Encoding::GnarkCompressed, &gnark);
        assert_eq!(got, Err(PointDefect::NotOnCurve));
    }

    #[test]
    fn a_sign_that_contradicts_y_is_refused() {
        let mut bytes = encode_g1(Encoding::ArkworksUncompressed, &G1Affine::generator());
        bytes[63] ^= 0x80;
        let got = decode_g1(Encoding::ArkworksUncompressed, &bytes);
        assert_eq!(got, Err(PointDefect::BadFlags));
        let uncompressed = [0; 32];
        let got = decode_g1(Encoding::GnarkCompressed, &uncompressed);
        assert_eq!(got, Err(PointDefect::BadFlags));
    }

    #[test]
    fn points_of_g2s_curve_outside_the_subgroup_are_refused() {
        let outside = (1..64u64)
            .find_map(|x| {
                let x = Fq2::new(Fq::from(x), Fq::ZERO);
                let y = (x.square() * x + G2Affine::b()).sqrt();
                let point = G2Affine::from_xy(x, Option::from(y)?);
                Option::<G2Affine>::from(point)
            })
            .expect("about half of all x are on the curve");
        for encoding in ALL {
            let got = decode_g2(encoding, &encode_g2(encoding, &outside));
            assert_eq!(got, Err(PointDefect::WrongSubgroup), "{encoding:?}");
        }
    }
}
