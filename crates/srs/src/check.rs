//! Whether valid points belong together.
//!
//! Both checks compare random linear combinations with 128-bit coefficients ρ. The coefficients come
//! from ChaCha20 seeded with a hash of everything that is compared (Fiat–Shamir), so a check has one
//! answer per input, and a forger who tries N inputs succeeds with probability N · 2^-128.

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine, G2Affine},
        ff::PrimeField,
        group::{Curve, Group},
        pairing::{MillerLoopResult, MultiMillerLoop},
        serde::SerdeObject,
    },
    poly::EvaluationDomain,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

/// A hash of the points, for [`are_powers`] and [`is_lagrange_basis`].
pub(crate) fn seed(lists: &[&[G1Affine]], tau_g2: &G2Affine) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"zkverdict SRS check");
    for list in lists {
        hasher.update((list.len() as u64).to_le_bytes());
        for point in *list {
            hasher.update(point.to_raw_bytes());
        }
    }
    hasher.update(tau_g2.to_raw_bytes());
    hasher.finalize().into()
}

/// Whether `powers[i + 1] = τ · powers[i]` for all i, with the τ of `tau_g2`:
/// `e(Σ ρ_i · P_{i+1}, G2) = e(Σ ρ_i · P_i, τ·G2)`.
///
/// Two multi-scalar multiplications and two Miller loops: a few milliseconds for 2^10 points. The points
/// must be valid, and none of them the identity.
pub(crate) fn are_powers(powers: &[G1Affine], tau_g2: &G2Affine, seed: [u8; 32]) -> bool {
    let [_, next @ ..] = powers else {
        return false;
    };
    let previous = &powers[..next.len()];
    let coefficients = coefficients(seed, next.len());
    let next = best_multiexp(&coefficients, next).to_affine();
    let previous = (-best_multiexp(&coefficients, previous)).to_affine();
    let product = Bn256::multi_miller_loop(&[(&next, &G2Affine::generator().into()), (&previous, &(*tau_g2).into())]);
    bool::from(product.final_exponentiation().is_identity())
}

/// Whether `lagrange` is the Lagrange basis of `powers` over halo2's domain of their size.
///
/// With `L_i = (1/n) Σ_j ω^(-ij) P_j`, the combination `Σ ρ_i L_i` is `Σ c_j P_j`, where c is the inverse
/// FFT of ρ. That is one FFT over the field and two multi-scalar multiplications instead of an FFT over
/// the group. The number of points must be a power of two, and equal.
pub(crate) fn is_lagrange_basis(powers: &[G1Affine], lagrange: &[G1Affine], seed: [u8; 32]) -> bool {
    if lagrange.len() != powers.len() || !powers.len().is_power_of_two() {
        return false;
    }
    let domain = EvaluationDomain::<Fr>::new(1, powers.len().ilog2());
    let values = coefficients(seed, lagrange.len());
    let from_lagrange = best_multiexp(&values, lagrange);
    let transformed = domain.lagrange_to_coeff(domain.lagrange_from_vec(values));
    best_multiexp(&transformed, powers) == from_lagrange
}

fn coefficients(seed: [u8; 32], count: usize) -> Vec<Fr> {
    let mut generator = ChaCha20Rng::from_seed(seed);
    (0..count)
        .map(|_| {
            let (low, high) = (generator.next_u64(), generator.next_u64());
            Fr::from_u128(u128::from(low) | u128::from(high) << 64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use halo2_proofs::{
        arithmetic::g_to_lagrange,
        halo2curves::{ff::Field, group::prime::PrimeCurveAffine},
    };

    use super::*;

    fn powers(k: u32) -> (Vec<G1Affine>, G2Affine) {
        let tau = Fr::from(0x1234_5678_9abc_def1).square();
        let powers = std::iter::successors(Some(Fr::ONE), |power| Some(power * tau))
            .take(1 << k)
            .map(|power| (G1Affine::generator() * power).to_affine())
            .collect();
        (powers, (G2Affine::generator() * tau).to_affine())
    }

    fn verdict(powers: &[G1Affine], tau_g2: &G2Affine) -> bool {
        are_powers(powers, tau_g2, seed(&[powers], tau_g2))
    }

    #[test]
    fn powers_of_one_secret_pass_and_nothing_else() {
        for k in 1..=6 {
            let (honest, tau_g2) = powers(k);
            assert!(verdict(&honest, &tau_g2));
            for index in 0..honest.len() {
                let mut wrong = honest.clone();
                wrong[index] = -wrong[index];
                assert!(!verdict(&wrong, &tau_g2), "k = {k}, negated {index}");
                let mut wrong = honest.clone();
                wrong.swap(index, 0);
                assert_eq!(verdict(&wrong, &tau_g2), index == 0, "k = {k}, {index}");
            }
            let other = (tau_g2 + G2Affine::generator()).to_affine();
            assert!(!verdict(&honest, &other));
            assert!(!verdict(&honest, &-tau_g2));
        }
        assert!(!verdict(&[], &G2Affine::generator()));
    }

    #[test]
    fn compensating_errors_do_not_cancel() {
        let (mut points, tau_g2) = powers(4);
        let shift = G1Affine::generator();
        points[3] = (points[3] + shift).to_affine();
        points[4] = (points[4] - shift).to_affine();
        assert!(!verdict(&points, &tau_g2));
    }

    #[test]
    fn equal_points_do_not_upset_the_check() {
        let (_, tau_g2) = powers(1);
        let same = vec![G1Affine::generator(); 1 << 14];
        assert!(!verdict(&same, &tau_g2));
        assert!(verdict(&same, &G2Affine::generator()));
    }

    #[test]
    fn only_the_lagrange_basis_passes() {
        for k in 1..=6 {
            let (points, tau_g2) = powers(k);
            let curve = points.iter().map(G1Affine::to_curve).collect();
            let lagrange: Vec<G1Affine> = g_to_lagrange(curve, k);
            let passes =
                |lagrange: &[G1Affine]| is_lagrange_basis(&points, lagrange, seed(&[&points, lagrange], &tau_g2));
            assert!(passes(&lagrange));
            for index in 0..lagrange.len() {
                let mut wrong = lagrange.clone();
                wrong[index] = -wrong[index];
                assert!(!passes(&wrong));
            }
            let mut wrong = lagrange.clone();
            wrong.swap(0, 1);
            assert!(!passes(&wrong));
            assert!(!passes(&lagrange[1..]));
        }
    }
}
