//! Where a branch's condition holds, on the numbers that the arithmetic before it starts from.
//!
//! A condition on a `float32` holds on an interval of the order's integers, or outside of it. Arithmetic before the
//! comparison is monotone, so that the interval's preimage is an interval again; its ends are found by bisection over all
//! `float32` values.

use crate::{
    BranchMode, SingleStep,
    ordered::{HIGHEST, LOWEST, from_ordered, ordered},
};

/// The numbers that something compared ranges over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Places in the order of `float32`.
    Float32,
    /// Zero and one.
    Bit,
}

/// Where a condition holds: from `low` up to `high`, which is left out; outside of it unless `inside`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) low: i64,
    pub(crate) high: i64,
    pub(crate) inside: bool,
}

impl Domain {
    /// The smallest number, and the one after the largest.
    pub(crate) fn ends(self) -> (i64, i64) {
        match self {
            Self::Float32 => (LOWEST, HIGHEST + 1),
            Self::Bit => (0, 2),
        }
    }

    /// Where `x ∘ threshold` holds for what `steps` make of a number `x` of this domain.
    pub(crate) fn region(self, steps: &[SingleStep], mode: BranchMode, threshold: f32) -> Region {
        match self {
            Self::Float32 => {
                let region = Region::of(mode, threshold);
                let turned = turns(steps);
                let [low, high] = [region.low, region.high].map(|bound| first(steps, bound, turned));
                let (low, high) = if turned { (high, low) } else { (low, high) };
                Region { low, high, ..region }
            }
            Self::Bit => {
                let [zero, one] = [0.0, 1.0].map(|bit: f32| mode.holds(apply(steps, bit), threshold));
                Region {
                    low: 0,
                    high: if zero == one { 2 } else { 1 },
                    inside: zero,
                }
            }
        }
    }
}

impl Region {
    /// Where `x ∘ threshold` holds.
    fn of(mode: BranchMode, threshold: f32) -> Self {
        let here = ordered(threshold);
        let (low, high, inside) = match mode {
            BranchMode::Less => (LOWEST, here, true),
            BranchMode::LessOrEqual => (LOWEST, here + 1, true),
            BranchMode::GreaterOrEqual => (LOWEST, here, false),
            BranchMode::Greater => (LOWEST, here + 1, false),
            BranchMode::Equal => (here, here + 1, true),
            BranchMode::NotEqual => (here, here + 1, false),
        };
        Self { low, high, inside }
    }
}

fn apply(steps: &[SingleStep], x: f32) -> f32 {
    steps.iter().fold(x, |value, step| step.apply(value))
}

/// Whether the steps turn the order around.
fn turns(steps: &[SingleStep]) -> bool {
    steps.iter().filter(|step| step.turns()).count() % 2 == 1
}

/// The integer that stands for −0 by its bits. No number is mapped to it, and bounds avoid it, so that it lies in the bin
/// of the largest negative number.
const BELOW_ZERO: i64 = 0x7fff_ffff;

/// The first place, in the order of `float32`, whose value after `steps` is at or above `bound` (below it, where the steps
/// turn the order around); the end of the order if there is none.
fn first(steps: &[SingleStep], bound: i64, turned: bool) -> i64 {
    if steps.is_empty() {
        return above_zero(bound.clamp(LOWEST, HIGHEST + 1));
    }
    let reached = |place: i64| (ordered(apply(steps, from_ordered(place))) >= bound) != turned;
    let (mut low, mut high) = (LOWEST, HIGHEST + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    above_zero(low)
}

/// The bound, moved off the integer that stands for −0.
pub(crate) fn above_zero(bound: i64) -> i64 {
    if bound == BELOW_ZERO { BELOW_ZERO + 1 } else { bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [BranchMode; 6] = [
        BranchMode::Less,
        BranchMode::LessOrEqual,
        BranchMode::Greater,
        BranchMode::GreaterOrEqual,
        BranchMode::Equal,
        BranchMode::NotEqual,
    ];

    /// For every mode, on both sides of each end of the region and at special values.
    fn check(steps: &[SingleStep], threshold: f32) {
        for mode in MODES {
            let region = Domain::Float32.region(steps, mode, threshold);
            let ends = [region.low, region.high].map(|end| end.clamp(LOWEST, HIGHEST));
            let near = ends
                .into_iter()
                .flat_map(|end| (end - 2).max(LOWEST)..=(end + 2).min(HIGHEST));
            let special = [
                0.0,
                -0.0,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::MAX,
                f32::MIN,
                1e-45,
                -1e-45,
                threshold,
            ];
            for x in near.map(from_ordered).chain(special) {
                let place = ordered(x);
                let holds = (region.low <= place && place < region.high) == region.inside;
                assert_eq!(
                    holds,
                    mode.holds(apply(steps, x), threshold),
                    "{steps:?} {mode:?} {threshold} {x:e}"
                );
            }
            assert!(region.low != BELOW_ZERO && region.high != BELOW_ZERO);
        }
    }

    #[test]
    fn regions_are_preimages() {
        use SingleStep::{Over, Plus, Times};
        let chains: [&[SingleStep]; 9] = [
            &[],
            &[Plus(-0.3), Times(1.7)],
            &[Plus(-0.3), Over(-1.7)],
            &[Times(-1.0), Plus(0.1), Times(-0.2), Over(3.0)],
            &[Plus(3e7), Plus(-3e7)],
            &[Times(1e-40)],
            &[Times(-1e38), Times(1e20)],
            &[Over(1e-45), Plus(1.0)],
            &[Times(f32::MAX), Over(f32::MIN_POSITIVE)],
        ];
        let thresholds = [
            0.0,
            -0.0,
            0.5,
            -2.25,
            1e-45,
            -1e-45,
            1e30,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ];
        for steps in chains {
            for threshold in thresholds {
                check(steps, threshold);
            }
            for index in 0..200 {
                check(steps, (index as f32 - 100.0) * 0.173);
            }
        }
    }

    #[test]
    fn bits_have_regions_too() {
        let steps = [SingleStep::Plus(-0.25), SingleStep::Times(-2.0)];
        for mode in MODES {
            for threshold in [-2.0, -1.5, -1.0, 0.0, 0.5, 1.0] {
                let region = Domain::Bit.region(&steps, mode, threshold);
                for bit in [0, 1] {
                    let holds = (region.low <= bit && bit < region.high) == region.inside;
                    assert_eq!(holds, mode.holds(apply(&steps, bit as f32), threshold));
                }
            }
        }
    }
}
