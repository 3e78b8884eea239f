//! `float32` values as integers of the same order: a comparison of floats is a comparison of these.

/// The order's integer of `value`: `a < b` exactly when `ordered(a) < ordered(b)`, for all values that are no NaN. Both
/// zeros are one number. Flips the sign bit of non-negative values and every bit of negative ones.
pub fn ordered(value: f32) -> i64 {
    // Adding zero turns −0 into +0.
    let bits = (value + 0.0).to_bits();
    i64::from(if bits >> 31 == 0 { bits | 1 << 31 } else { !bits })
}

/// The value of an order's integer. NaN for integers that belong to none.
pub fn from_ordered(number: i64) -> f32 {
    let Ok(number) = u32::try_from(number) else {
        return f32::NAN;
    };
    f32::from_bits(if number >> 31 == 1 {
        number & !(1 << 31)
    } else {
        !number
    })
}

/// `ordered(−∞)`
pub const LOWEST: i64 = 0x007f_ffff;
/// `ordered(+∞)`
pub const HIGHEST: i64 = 0xff80_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_across_neighbours() {
        let mut values = vec![
            0.0_f32,
            1.0,
            -1.0,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            f32::MAX,
            f32::MIN,
            0.1,
        ];
        values.extend((0..2000).map(|index| (index as f32 - 1000.0) * 0.37));
        for value in values.clone() {
            values.extend([value.next_up(), value.next_down()]);
        }
        values.extend([f32::INFINITY, f32::NEG_INFINITY]);
        for a in &values {
            assert_eq!(from_ordered(ordered(*a)), *a);
            assert!((LOWEST..=HIGHEST).contains(&ordered(*a)));
            for b in &values {
                assert_eq!(a < b, ordered(*a) < ordered(*b), "{a} {b}");
                assert_eq!(a == b, ordered(*a) == ordered(*b), "{a} {b}");
            }
        }
    }

    #[test]
    fn zeros_and_infinities() {
        assert_eq!(ordered(-0.0), ordered(0.0));
        assert_eq!((ordered(f32::NEG_INFINITY), ordered(f32::INFINITY)), (LOWEST, HIGHEST));
    }
}
