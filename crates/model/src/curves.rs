//! Tables of the piecewise-linear functions.
//!
//! Over a segment of width `h` the chord of a smooth function is off by at most `h²/8·max|f''|`, always to one side.
//! Moving each vertex by half of that to the other side halves the error.

use crate::{Format, Table, calibrate::Interval, evaluate::sigmoid as logistic};

/// Sigmoid tables span `[−8, 8]`; `σ(8) = 0.99966`.
pub(crate) const SIGMOID_REACH: f64 = 8.0;

/// Exponential tables span `[0, 16]`; `e^−16 = 1.1·10⁻⁷`.
pub(crate) const EXPONENTIAL_REACH: f64 = 16.0;

/// Vertices of `function` over all cells of `format`, as fractions of one, for limbs of `limb_bits` bits.
fn tabulate(limb_bits: u32, format: Format, function: impl Fn(f64) -> f64, second: impl Fn(f64) -> f64) -> Table {
    let segments = 1_i64 << (limb_bits - 1);
    let width = 1_i64 << (limb_bits + 1);
    let one = f64::powi(2.0, 2 * limb_bits as i32);
    let step = width as f64 / format.step();
    // The largest cell, 2^(2L), opens a segment of its own, whose far vertex is one more.
    let entries = (0..=segments + 1)
        .map(|index| {
            let x = format.dequantize(index.min(segments) * width);
            let value = function(x) - step * step / 16.0 * second(x);
            ((value * one).round() as i64).clamp(0, one as i64 - 1)
        })
        .collect();
    Table { entries, stride: 1 }
}

/// `σ` with the ends moved half way to the limits 0 and 1, which everything outside is clamped to.
pub(crate) fn sigmoid(limb_bits: u32, format: Format) -> Table {
    let value = |x: f64| {
        if x <= -SIGMOID_REACH {
            logistic(x) / 2.0
        } else if x >= SIGMOID_REACH {
            (1.0 + logistic(x)) / 2.0
        } else {
            logistic(x)
        }
    };
    let second = |x: f64| {
        let y = logistic(x);
        if x.abs() >= SIGMOID_REACH {
            0.0
        } else {
            y * (1.0 - y) * (1.0 - 2.0 * y)
        }
    };
    tabulate(limb_bits, format, value, second)
}

/// `e^−x`.
pub(crate) fn exponential(limb_bits: u32, format: Format) -> Table {
    tabulate(limb_bits, format, |x| (-x).exp(), |x| (-x).exp())
}

/// Any function over a range: beyond its ends the table goes on with the function where that has values, else with the
/// value at the end.
pub(crate) fn fitted(
    limb_bits: u32,
    format: Format,
    result: Format,
    range: Interval,
    function: impl Fn(f64) -> f64,
) -> Table {
    let segments = 1_i64 << (limb_bits - 1);
    let width = 1_i64 << (limb_bits + 1);
    let last = (1_i64 << (2 * limb_bits)) - 1;
    let step = width as f64 / format.step();
    let value = |x: f64| Some(function(x)).filter(|y| y.is_finite());
    let entries = (0..=segments + 1)
        .map(|index| {
            let x = format.dequantize(index.min(segments) * width);
            let at = value(x).unwrap_or_else(|| function(x.clamp(range.low, range.high)));
            let inside = x - step >= range.low && x + step <= range.high;
            let bend = match (value(x - step), value(x + step)) {
                (Some(before), Some(after)) if inside => before + after - 2.0 * at,
                _ => 0.0,
            };
            (result.quantize(at - bend / 16.0)).clamp(0.0, last as f64) as i64
        })
        .collect();
    Table { entries, stride: 1 }
}
