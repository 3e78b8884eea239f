//! Which fixed-point format a tensor gets.

use crate::{Format, calibrate::Interval};

/// Probabilities and other numbers in `[0, 1)`.
pub(super) fn fraction_format(cell_bits: u32) -> Format {
    Format {
        scale: cell_bits as i32,
        zero: 0,
    }
}

/// The finest format for `[0, high]`.
pub(super) fn unsigned_format(high: f64, cell_bits: u32) -> Format {
    let high = if high > 0.0 { high } else { 1.0 };
    let scale = (f64::from(cell_bits) - high.log2()).floor() as i32;
    Format {
        scale: scale.min(cell_bits as i32 + 4),
        zero: 0,
    }
}

/// The finest format for `[−reach, reach)`.
pub(super) fn signed_format(reach: f64, cell_bits: u32) -> Format {
    let half = unsigned_format(reach, cell_bits - 1);
    Format {
        scale: half.scale,
        zero: 1 << (cell_bits - 1),
    }
}

/// The finest format for numbers of a calibrated range: from zero on, or as far below zero as above it.
pub(super) fn range_format(range: Interval, cell_bits: u32) -> Format {
    if range.low >= 0.0 {
        unsigned_format(range.high, cell_bits)
    } else {
        signed_format(range.high.max(-range.low), cell_bits)
    }
}

/// The finest format for an input range.
pub(super) fn input_format(range: Interval, cell_bits: u32) -> Format {
    let span = (range.high - range.low).max(f64::MIN_POSITIVE);
    let room = ((1_i64 << cell_bits) - 2) as f64;
    let scale = ((room / span).log2().floor() as i32).min(cell_bits as i32 - 2);
    Format {
        scale,
        zero: -(range.low * f64::powi(2.0, scale)).floor() as i64,
    }
}

/// The finest format for `[low, high]` with its zero point wherever that puts it; ranges that start near zero start at
/// it.
pub(super) fn ranged_format(range: Interval, cell_bits: u32) -> Format {
    let low = if range.low >= 0.0 && range.low < range.high / 2.0 {
        0.0
    } else {
        range.low
    };
    let span = (range.high - low).max(range.high.abs().max(low.abs()) * f64::powi(2.0, -20));
    let room = ((1_i64 << cell_bits) - 2) as f64;
    let finest = cell_bits as i32 + 4;
    let scale = if span > 0.0 {
        ((room / span).log2().floor() as i32).min(finest)
    } else {
        finest
    };
    Format {
        scale,
        zero: -(low * f64::powi(2.0, scale)).floor() as i64,
    }
}
