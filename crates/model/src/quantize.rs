//! Rounding to a few levels: where each level begins, and lines that pass between these places.
//!
//! What `float32` arithmetic and rounding make of a number is monotone, so a quantised number is a staircase: it is known
//! by the first number of each level. Over whole numbers a line `⌊(factor·n + offset) / 2^shift⌋` has the same levels where
//! it crosses each of them in the right gap. Lines are found and checked in integers.

use crate::{
    QuantizeRow, SingleStep,
    ordered::{HIGHEST, LOWEST, from_ordered},
    region::above_zero,
};

/// Most lines that may count the levels of one number: each costs three rows.
const MOST_LINES: usize = 32;

/// Numbers by level: `first`, and one more from each threshold on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Staircase {
    /// The level of the smallest number.
    pub(crate) first: i64,
    /// The smallest number of each further level, in order.
    pub(crate) thresholds: Vec<i64>,
}

/// `⌊(factor·n + offset) / 2^shift⌋`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) factor: i64,
    pub(crate) offset: i128,
}

/// What rows with the same levels have in common.
pub(crate) type Key = (Vec<(u8, u32)>, i64, i64, i64);

impl QuantizeRow {
    /// The same for all rows that make the same of a number.
    pub(crate) fn key(&self) -> Key {
        let step = |step: &SingleStep| match step {
            SingleStep::Plus(constant) => (0, constant.to_bits()),
            SingleStep::Times(constant) => (1, constant.to_bits()),
            SingleStep::Over(constant) => (2, constant.to_bits()),
        };
        (self.steps.iter().map(step).collect(), self.zero, self.low, self.high)
    }

    /// The levels of the whole numbers from `low` to `high`, as `float32` has them.
    pub(crate) fn of_integers(&self, low: i64, high: i64) -> Staircase {
        self.staircase(low, high, |number| number as f32)
    }

    /// The levels of all `float32`, by their places in the order.
    pub(crate) fn of_floats(&self) -> Staircase {
        let mut stairs = self.staircase(LOWEST, HIGHEST, from_ordered);
        for threshold in &mut stairs.thresholds {
            *threshold = above_zero(*threshold);
        }
        stairs
    }

    fn staircase(&self, low: i64, high: i64, number: impl Fn(i64) -> f32) -> Staircase {
        let level = |place: i64| self.apply(number(place));
        let first = level(low);
        let mut thresholds = Vec::new();
        let mut from = low;
        for wanted in first + 1..=level(high) {
            let mut to = high;
            while from < to {
                let middle = from + (to - from) / 2;
                if level(middle) >= wanted {
                    to = middle;
                } else {
                    from = middle + 1;
                }
            }
            thresholds.push(from);
        }
        Staircase { first, thresholds }
    }
}

impl Staircase {
    /// The level of the largest number.
    pub(crate) fn last(&self) -> i64 {
        self.first + self.thresholds.len() as i64
    }

    /// A line with the level of every whole number from `low` to `high`, less `base`; levels that no number has lie
    /// outside of `base` to `top`, so that the line may take them for it.
    pub(crate) fn line(&self, (low, high): (i64, i64), (base, top): (i64, i64), shift: u32) -> Option<Line> {
        let mut bounds = Bounds::default();
        if self.first > base {
            bounds.at_least.push((low, self.first - base));
        }
        for (index, threshold) in self.thresholds.iter().enumerate() {
            let level = self.first - base + index as i64 + 1;
            bounds.at_least.push((*threshold, level));
            bounds.below.push((*threshold - 1, level));
        }
        if self.last() < top {
            bounds.below.push((high, self.last() - base + 1));
        }
        bounds.line(shift)
    }

    /// The thresholds in runs that each have a line which counts them, as few as are found: runs of neighbours, or of
    /// every second one, since ties go to even numbers.
    pub(crate) fn parts(&self, shift: u32) -> Option<Vec<(Line, usize)>> {
        let splits = [1, 2].map(|parts| {
            let mut found = Vec::new();
            for part in 0..parts {
                let every: Vec<i64> = self.thresholds.iter().copied().skip(part).step_by(parts).collect();
                let mut rest = every.as_slice();
                while !rest.is_empty() {
                    let (line, length) = longest(rest, shift)?;
                    found.push((line, length));
                    rest = &rest[length..];
                    if found.len() > MOST_LINES {
                        return None;
                    }
                }
            }
            Some(found)
        });
        splits.into_iter().flatten().min_by_key(Vec::len)
    }
}

/// The longest run at the start that a line counts: with a run, every shorter one has a line, too.
fn longest(thresholds: &[i64], shift: u32) -> Option<(Line, usize)> {
    if let Some(whole) = counting(thresholds, shift) {
        return Some(whole);
    }
    let (mut fits, mut fails) = (1, thresholds.len());
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        if counting(&thresholds[..middle], shift).is_some() {
            fits = middle;
        } else {
            fails = middle;
        }
    }
    counting(&thresholds[..fits], shift)
}

/// A line that counts these thresholds, once held between 0 and their number.
fn counting(thresholds: &[i64], shift: u32) -> Option<(Line, usize)> {
    let mut bounds = Bounds::default();
    for (index, threshold) in thresholds.iter().enumerate() {
        bounds.at_least.push((*threshold, index as i64 + 1));
        bounds.below.push((*threshold - 1, index as i64 + 1));
    }
    Some((bounds.line(shift)?, thresholds.len()))
}

/// What a line must do: `line(n) ≥ level` and `line(n) < level`.
#[derive(Debug, Default)]
struct Bounds {
    at_least: Vec<(i64, i64)>,
    below: Vec<(i64, i64)>,
}

impl Bounds {
    /// Any two bounds of either kind hold together where `factor·(m − n) ≤ (level_m − level_n)·2^shift − 1`. That limits
    /// the factor; where a factor is within all limits, some offset is, too.
    fn line(&self, shift: u32) -> Option<Line> {
        let unit = 1_i128 << shift;
        // Levels rise with the numbers.
        let (mut least, mut most) = (1_i128, 1_i128 << 62);
        for (n, lower) in &self.at_least {
            for (m, upper) in &self.below {
                let distance = i128::from(m - n);
                let room = i128::from(upper - lower) * unit - 1;
                match distance {
                    0 if room < 0 => return None,
                    0 => {}
                    1.. => most = most.min(room.div_euclid(distance)),
                    _ => least = least.max((-room + (-distance) - 1).div_euclid(-distance)),
                }
            }
        }
        if least > most {
            return None;
        }
        // A steep line would need many levels beyond those that count.
        let factor = if most == 1_i128 << 62 {
            least
        } else {
            least + (most - least) / 2
        };
        let low = self
            .at_least
            .iter()
            .map(|(n, level)| i128::from(*level) * unit - factor * i128::from(*n))
            .max();
        let high = self
            .below
            .iter()
            .map(|(n, level)| i128::from(*level) * unit - factor * i128::from(*n) - 1)
            .min();
        let offset = match (low, high) {
            (Some(low), Some(high)) => low + (high - low) / 2,
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => 0,
        };
        let line = Line {
            factor: i64::try_from(factor).ok()?,
            offset,
        };
        self.hold(line, shift).then_some(line)
    }

    fn hold(&self, line: Line, shift: u32) -> bool {
        self.at_least
            .iter()
            .all(|(n, level)| line.level(*n, shift) >= i128::from(*level))
            && self
                .below
                .iter()
                .all(|(n, level)| line.level(*n, shift) < i128::from(*level))
    }
}

impl Line {
    /// The line's level at a number.
    pub(crate) fn level(self, number: i64, shift: u32) -> i128 {
        (i128::from(self.factor) * i128::from(number) + self.offset) >> shift
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    fn row(scale: f32, zero: i64, low: i64, high: i64) -> QuantizeRow {
        QuantizeRow {
            index: 0,
            steps: vec![SingleStep::Times(scale)],
            zero,
            low,
            high,
        }
    }

    /// The line, or the lines that count, with what is added to their levels.
    fn lines(row: &QuantizeRow, stairs: &Staircase, ends: (i64, i64), shift: u32) -> (i64, Vec<(Line, usize)>) {
        match stairs.line(ends, (row.low, row.high), shift) {
            Some(line) => (row.low, vec![(line, (row.high - row.low) as usize)]),
            None => (stairs.first, stairs.parts(shift).unwrap()),
        }
    }

    /// At, below and above every boundary, at the ends, and at random numbers.
    fn check(row: &QuantizeRow, ends: (i64, i64), shift: u32, rng: &mut StdRng) {
        let stairs = row.of_integers(ends.0, ends.1);
        let (base, lines) = lines(row, &stairs, ends, shift);
        let near = stairs
            .thresholds
            .iter()
            .flat_map(|threshold| threshold - 2..=threshold + 2);
        let numbers: Vec<i64> = near.chain([ends.0, ends.1]).collect();
        let random: Vec<i64> = (0..200).map(|_| rng.gen_range(ends.0..=ends.1)).collect();
        for number in numbers.into_iter().chain(random) {
            let number = number.clamp(ends.0, ends.1);
            let expected = row.apply(number as f32);
            let counted = stairs.first + stairs.thresholds.partition_point(|threshold| *threshold <= number) as i64;
            assert_eq!(counted, expected, "{row:?} at {number}");
            let held = |(line, most): &(Line, usize)| line.level(number, shift).clamp(0, *most as i128) as i64;
            let got = base + lines.iter().map(held).sum::<i64>();
            assert_eq!(got, expected, "{row:?} at {number}");
        }
    }

    #[test]
    fn lines_have_the_levels_of_float32_arithmetic() {
        let mut rng = StdRng::seed_from_u64(5);
        for _ in 0..150 {
            let scale = f32::exp2(rng.gen_range(-13.0..1.0));
            let (low, high) = if rng.gen_bool(0.5) { (-128, 127) } else { (0, 255) };
            let reach = 1 << rng.gen_range(8..24);
            check(
                &row(scale, rng.gen_range(low..=high), low, high),
                (-reach, reach),
                36,
                &mut rng,
            );
        }
    }

    /// Ties go to even numbers, so that levels are of two lengths in turn: two lines count every second threshold each.
    #[test]
    fn ties_take_two_lines() {
        let mut rng = StdRng::seed_from_u64(6);
        for scale in [0.5, 0.0625, 0.375, 1.0 / 1024.0] {
            let row = row(scale, 3, -128, 127);
            check(&row, (-1 << 20, 1 << 20), 32, &mut rng);
            let stairs = row.of_integers(-1 << 20, 1 << 20);
            assert_eq!(stairs.line((-1 << 20, 1 << 20), (-128, 127), 32), None);
            assert_eq!(stairs.parts(32).unwrap().len(), 2);
        }
    }

    /// The nearest `float32` to a simple fraction: near every tie its product is rounded one way or the other.
    #[test]
    fn near_ties_take_a_few_lines() {
        let mut rng = StdRng::seed_from_u64(9);
        for scale in [0.004, 0.01, 0.002, 0.05] {
            let row = row(scale, -128, -128, 127);
            check(&row, (-1 << 17, 1 << 17), 32, &mut rng);
        }
    }

    /// A factor above one leaves levels out, and a short range reaches only some.
    #[test]
    fn levels_may_be_left_out_or_out_of_reach() {
        let mut rng = StdRng::seed_from_u64(7);
        for scale in [1.0, 2.0, 2.7, 300.0, 0.01] {
            check(&row(scale, -7, -128, 127), (-40, 50), 32, &mut rng);
            check(&row(scale, 200, 0, 255), (3, 900), 32, &mut rng);
        }
    }

    /// Numbers above 2^24 are rounded on their way to `float32`, and thresholds are where that leads to another level.
    #[test]
    fn large_numbers_are_float32_first() {
        let row = row(3.7e-7, 0, -128, 127);
        let stairs = row.of_integers(-2_000_000_000, 2_000_000_000);
        assert_eq!((stairs.first, stairs.last()), (-128, 127));
        for threshold in stairs.thresholds {
            assert!(row.apply(threshold as f32) > row.apply((threshold - 1) as f32));
        }
    }
}
