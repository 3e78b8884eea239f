//! Conversions between numeric types, each with its own rule about what is lost.

/// The nearest `f64`.
#[expect(
    clippy::as_conversions,
    reason = "i64 to f64 rounds to nearest, which is what is meant"
)]
pub(crate) fn real(integer: i64) -> f64 {
    integer as f64
}

/// The value after rounding to `f32`, as ONNX Runtime stores it.
#[expect(
    clippy::as_conversions,
    reason = "f64 to f32 rounds to nearest, which is what is meant"
)]
pub(crate) fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// The nearest `f32`.
#[expect(
    clippy::as_conversions,
    reason = "f64 to f32 rounds to nearest, which is what is meant"
)]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// The integer part, or `None` outside of the range where every integer is an `i64`.
#[expect(clippy::as_conversions, reason = "the range is checked first")]
pub(crate) fn truncate(value: f64) -> Option<i64> {
    (value.abs() < 9.2e18).then_some(value as i64)
}

/// The integer that a whole real stands for, within ±2^53 where `f64` is exact.
pub(crate) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= EXACT)
        .then(|| truncate(value))
        .flatten()
}

/// 2^53: up to here every integer is an `f64`.
pub(crate) const EXACT: f64 = 9_007_199_254_740_992.0;

/// Widens an IEEE 754 half-precision pattern.
pub(crate) fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

/// A count as a real: exact below 2^53, and no tensor is larger.
#[expect(
    clippy::as_conversions,
    reason = "usize to f64 rounds to nearest, which is what is meant"
)]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

/// `a / b` where `b` divides `a`.
pub(crate) fn quotient(a: usize, b: usize) -> Option<usize> {
    a.checked_div(b).filter(|quotient| quotient.checked_mul(b) == Some(a))
}
