//! Multiplication in G1 through the endomorphism (x, y) ↦ (ζx, y), which is multiplication by λ:
//! k = k₁ − λ·k₂ with halves of 127 bits, in width-5 non-adjacent form, so that both halves share
//! 128 doublings. About a third of the cost of the double-and-add loop in halo2curves.
//!
//! Not constant-time: the scalars are public.

use halo2_proofs::halo2curves::{
    CurveExt,
    bn256::{Fr, G1},
    ff::{PrimeField, WithSmallOrderMulGroup},
    group::Group,
};

/// Non-adjacent digits of a half: 127 bits, and one digit that the recoding may carry into.
const DIGITS: usize = 130;
/// Odd multiples P, 3P, … 15P.
const TABLE: usize = 8;

/// γ₁ = round(2^256 · b₂ / r) and γ₂ = round(−2^256 · b₁ / r) with the short lattice vectors of BN254:
/// the constants that halo2curves' `CurveEndo` uses, after gnark-crypto's `ecc/utils.go`.
const GAMMA_1: [u64; 4] = [0xd91d_232e_c7e0_b3d7, 0x2, 0, 0];
const GAMMA_2: [u64; 4] = [0x5398_fd03_00ff_6565, 0x4cce_f014_a773_d2d2, 0x2, 0];
const B_1: [u64; 4] = [0x89d3_2568_94d2_13e3, 0, 0, 0];
const B_2: [u64; 4] = [0x0be4_e154_1221_250b, 0x6f4d_8248_eeb8_59fd, 0, 0];

/// A scalar, decomposed and recoded once for any number of points.
pub(crate) struct Multiplier {
    /// Digits for P and for λP, least significant first, each zero or odd in −15..=15.
    digits: [[i8; DIGITS]; 2],
    length: usize,
}

impl Multiplier {
    pub(crate) fn new(scalar: &Fr) -> Self {
        let [first, second] = decompose(scalar);
        let (first, first_length) = recode(first);
        let (second, second_length) = recode(second);
        Self {
            digits: [first, second],
            length: first_length.max(second_length),
        }
    }

    /// `scalar · point`.
    pub(crate) fn multiply(&self, point: &G1) -> G1 {
        let twice = point.double();
        let mut odd = [*point; TABLE];
        for index in 1..TABLE {
            odd[index] = odd[index - 1] + twice;
        }
        let endomorphism = odd.map(|multiple| multiple.endo());
        let mut sum = G1::identity();
        for position in (0..self.length).rev() {
            sum = sum.double();
            for (digits, table) in self.digits.iter().zip([&odd, &endomorphism]) {
                let digit = digits[position];
                let multiple = &table[usize::from(digit.unsigned_abs() / 2)];
                if digit > 0 {
                    sum += multiple;
                } else if digit < 0 {
                    sum -= multiple;
                }
            }
        }
        sum
    }
}

/// A number as sign and magnitude.
type Signed = (bool, u128);

/// The halves of the scalar, as coefficients of P and of λP.
fn decompose(scalar: &Fr) -> [Signed; 2] {
    let limbs = limbs(scalar);
    let q_1 = Fr::from_raw(high_half(GAMMA_2, limbs)) * Fr::from_raw(B_1);
    let q_2 = Fr::from_raw(high_half(GAMMA_1, limbs)) * Fr::from_raw(B_2);
    let second = q_2 - q_1;
    let first = scalar + second * Fr::ZETA;
    [signed(&first), signed(&-second)]
}

/// A residue near zero as a signed number.
fn signed(value: &Fr) -> Signed {
    let negative = limbs(value)[3] != 0;
    let magnitude = limbs(&if negative { -value } else { *value });
    debug_assert_eq!(magnitude[2..], [0, 0]);
    let magnitude = u128::from(magnitude[0]) | u128::from(magnitude[1]) << 64;
    (negative, magnitude)
}

/// Width-5 non-adjacent form, and the number of digits used.
fn recode((negative, mut rest): Signed) -> ([i8; DIGITS], usize) {
    let mut digits = [0; DIGITS];
    let mut length = 0;
    while rest != 0 {
        let low = (rest & 31) as i8;
        // Halving first keeps the carry of a negative digit from overflowing.
        rest >>= 1;
        if low & 1 == 1 {
            let digit = if low >= 16 { low - 32 } else { low };
            if digit > 0 {
                rest -= (digit >> 1) as u128;
            } else {
                rest += (-digit >> 1) as u128 + 1;
            }
            digits[length] = if negative { -digit } else { digit };
        }
        length += 1;
    }
    (digits, length)
}

fn limbs(value: &Fr) -> [u64; 4] {
    let bytes = value.to_repr();
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().rev().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    limbs
}

/// ⌊a · b / 2^256⌋
fn high_half(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut product = [0_u64; 8];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, b) in b.iter().enumerate() {
            let sum = u128::from(product[i + j]) + u128::from(*a) * u128::from(*b) + carry;
            product[i + j] = sum as u64;
            carry = sum >> 64;
        }
        product[i + 4] = carry as u64;
    }
    [product[4], product[5], product[6], product[7]]
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::ff::Field;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn agrees_with_double_and_add() {
        let mut generator = ChaCha20Rng::seed_from_u64(1);
        let mut scalars: Vec<_> = (0..200).map(|_| Fr::random(&mut generator)).collect();
        scalars.extend((0..40_u64).flat_map(|small| [Fr::from(small), -Fr::from(small)]));
        scalars.extend((0..254_u64).flat_map(|bit| {
            let power = Fr::from(2).pow([bit]);
            [power, power - Fr::ONE, -power]
        }));
        scalars.extend([Fr::ZETA, -Fr::ZETA, Fr::ZETA.square(), Fr::ROOT_OF_UNITY, Fr::TWO_INV]);
        let point = G1::generator() * Fr::random(&mut generator);
        for scalar in scalars {
            let got = Multiplier::new(&scalar).multiply(&point);
            assert_eq!(got, point * scalar, "{scalar:?}");
            let got = Multiplier::new(&scalar).multiply(&G1::identity());
            assert_eq!(got, G1::identity());
        }
    }
}
