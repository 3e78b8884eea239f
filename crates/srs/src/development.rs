//! The UNSAFE development SRS. Its secret is a hash of a published label: everybody can compute it and
//! forge any proof. It exists so that demonstrations and tests need no download and give the same bytes
//! everywhere.

use blake2::{Blake2b512, Digest};
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine, G2Affine},
    ff::{BatchInvert, Field, FromUniformBytes, PrimeField},
    group::{Curve, Group},
};
use rayon::prelude::*;

use crate::lagrange::{normalize, omega};

/// The label whose hash is the secret of [`Srs::development`](crate::Srs::development).
pub const DEVELOPMENT_LABEL: &str = "zkverdict UNSAFE development SRS: everybody knows its secret and can forge proofs";

/// Bits that one lookup in the table of the generator's multiples covers.
const WINDOW: usize = 8;
const WINDOWS: usize = 32;
const MULTIPLES: usize = (1 << WINDOW) - 1;

/// Points of a development SRS.
pub(crate) struct DevelopmentPoints {
    pub(crate) powers: Vec<G1Affine>,
    pub(crate) lagrange: Vec<G1Affine>,
    pub(crate) tau_g2: G2Affine,
}

/// blake2b-512 of [`DEVELOPMENT_LABEL`], reduced.
fn secret() -> Fr {
    Fr::from_uniform_bytes(&Blake2b512::digest(DEVELOPMENT_LABEL).into())
}

/// τ·G2 of the development SRS.
#[cfg(test)]
pub(crate) fn development_tau_g2() -> G2Affine {
    (G2Affine::generator() * secret()).to_affine()
}

/// 2^k powers with their Lagrange basis. Knowing the secret saves the FFT over the group:
/// `L_i(τ) = ω^i (τ^n − 1) / (n (τ − ω^i))`.
pub(crate) fn development_points(k: u32) -> DevelopmentPoints {
    let n = 1 << k;
    let tau = secret();
    let powers: Vec<Fr> = std::iter::successors(Some(Fr::ONE), |power| Some(power * tau))
        .take(n)
        .collect();
    let omega = omega(k);
    let roots: Vec<Fr> = std::iter::successors(Some(Fr::ONE), |root| Some(root * omega))
        .take(n)
        .collect();
    let mut lagrange: Vec<Fr> = roots.iter().map(|root| tau - root).collect();
    lagrange.iter_mut().batch_invert();
    let factor = (tau.pow([n as u64]) - Fr::ONE) * Fr::TWO_INV.pow([u64::from(k)]);
    for (value, root) in lagrange.iter_mut().zip(&roots) {
        *value *= root * factor;
    }
    let table = generator_table();
    DevelopmentPoints {
        powers: multiples_of_generator(&table, &powers),
        lagrange: multiples_of_generator(&table, &lagrange),
        tau_g2: (G2Affine::generator() * tau).to_affine(),
    }
}

/// `d · 2^(8w) · G1` at `w · 255 + d − 1`.
fn generator_table() -> Vec<G1Affine> {
    let mut points = Vec::with_capacity(WINDOWS * MULTIPLES);
    let mut base = G1::generator();
    for _ in 0..WINDOWS {
        let mut multiple = base;
        for _ in 0..MULTIPLES {
            points.push(multiple);
            multiple += base;
        }
        base = multiple;
    }
    normalize(&points)
}

fn multiples_of_generator(table: &[G1Affine], scalars: &[Fr]) -> Vec<G1Affine> {
    let points: Vec<G1> = scalars
        .par_iter()
        .with_min_len(64)
        .map(|scalar| {
            let digits = scalar.to_repr();
            let mut sum = G1::identity();
            for (multiples, digit) in table.chunks_exact(MULTIPLES).zip(digits) {
                if let Some(index) = usize::from(digit).checked_sub(1) {
                    sum += multiples[index];
                }
            }
            sum
        })
        .collect();
    normalize(&points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lagrange::lagrange_basis;

    #[test]
    fn both_bases_are_of_the_secret() {
        for k in 1..=6 {
            let points = development_points(k);
            for (index, point) in points.powers.iter().enumerate() {
                let expected = G1Affine::generator() * secret().pow([index as u64]);
                assert_eq!(*point, expected.to_affine(), "k = {k}, power {index}");
            }
            assert_eq!(points.lagrange, lagrange_basis(&points.powers), "k = {k}");
            assert_eq!(points.tau_g2, development_tau_g2());
        }
    }
}
