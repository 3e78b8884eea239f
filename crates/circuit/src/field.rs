//! Small integers as field elements.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

/// A signed integer modulo the field's prime.
pub fn from_i128(value: i128) -> Fr {
    let [low, high] = [value.unsigned_abs(), value.unsigned_abs() >> 64].map(|part| part & u128::from(u64::MAX));
    let magnitude = Fr::from_raw([low as u64, high as u64, 0, 0]);
    if value < 0 { -magnitude } else { magnitude }
}

/// `2^exponent`
pub(crate) fn power_of_two(exponent: u32) -> Fr {
    Fr::from(2).pow_vartime([u64::from(exponent)])
}
