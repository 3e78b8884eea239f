//! The Lagrange basis of a list of powers: `L_i = (1/n) Σ_j ω^(-ij) P_j`, an inverse FFT over G1.
//!
//! The order is that of halo2's domain, whose ω is `ROOT_OF_UNITY^(2^(28-k))`. snarkjs takes another root,
//! so the Lagrange sections of a `.ptau` file are of no use here.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::{Field, PrimeField},
    group::{Curve, prime::PrimeCurveAffine},
};
use rayon::prelude::*;

use crate::scalar_multiplication::Multiplier;

/// Points that one task takes at least; a multiplication takes tens of microseconds.
const POINTS_PER_TASK: usize = 16;

/// The Lagrange basis of 2^k powers, k at least 1 and at most 28.
///
/// Costs about n·(k − 1)/2 multiplications in G1, spread over all threads: 0.3 CPU seconds at k = 11.
///
/// # Panics
///
/// If the number of powers is no power of two.
pub(crate) fn lagrange_basis(powers: &[G1Affine]) -> Vec<G1Affine> {
    let n = powers.len();
    assert!(n.is_power_of_two(), "2^k powers, got {n}");
    let k = n.ilog2();

    let mut points: Vec<G1> = (0..n)
        .into_par_iter()
        .map(|index| powers[reverse_bits(index, k)].to_curve())
        .collect();
    let inverse_n = Fr::TWO_INV.pow([u64::from(k)]);
    let divider = Multiplier::new(&inverse_n);
    let mut half = 1;
    while half < n {
        let is_last = 2 * half == n;
        let twiddles = stage_twiddles(half, if is_last { inverse_n } else { Fr::ONE });
        points.par_chunks_mut(2 * half).for_each(|block| {
            let (low, high) = block.split_at_mut(half);
            (low, high, &twiddles)
                .into_par_iter()
                .with_min_len(POINTS_PER_TASK)
                .for_each(|(low, high, twiddle)| {
                    // The division by n rides on the last stage's multiplications.
                    if is_last {
                        *low = divider.multiply(low);
                    }
                    let turned = if *twiddle == Fr::ONE {
                        *high
                    } else {
                        Multiplier::new(twiddle).multiply(high)
                    };
                    *high = *low - turned;
                    *low += turned;
                });
        });
        half *= 2;
    }
    normalize(&points)
}

/// The points in affine form.
pub(crate) fn normalize(points: &[G1]) -> Vec<G1Affine> {
    let mut affine = vec![G1Affine::identity(); points.len()];
    let per_task = points.len().div_ceil(rayon::current_num_threads()).max(64);
    affine
        .par_chunks_mut(per_task)
        .zip(points.par_chunks(per_task))
        .for_each(|(affine, points)| G1::batch_normalize(points, affine));
    affine
}

/// ω, the generator of halo2's domain of 2^k elements.
pub(crate) fn omega(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

/// `factor · ω^(-j)` for j below `half`, where ω generates the domain of `2 · half` elements.
fn stage_twiddles(half: usize, factor: Fr) -> Vec<Fr> {
    let inverse = (half.ilog2() + 1..Fr::S).fold(Fr::ROOT_OF_UNITY_INV, |root, _| root.square());
    std::iter::successors(Some(factor), |twiddle| Some(twiddle * inverse))
        .take(half)
        .collect()
}

fn reverse_bits(index: usize, bits: u32) -> usize {
    if bits == 0 {
        return index;
    }
    index.reverse_bits() >> (usize::BITS - bits)
}

#[cfg(test)]
mod tests {
    use halo2_proofs::arithmetic::g_to_lagrange;

    use super::*;

    #[test]
    fn agrees_with_halo2() {
        for k in 0..=8 {
            let powers: Vec<_> = (0..1_u64 << k)
                .map(|index| (G1::generator() * Fr::from(index * index + 7)).to_affine())
                .collect();
            let curve = powers.iter().map(G1Affine::to_curve).collect();
            let expected: Vec<G1Affine> = g_to_lagrange(curve, k);
            assert_eq!(lagrange_basis(&powers), expected, "k = {k}");
        }
    }
}
