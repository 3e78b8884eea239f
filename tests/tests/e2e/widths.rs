//! Rules 3 and 4: one split of every sum, and widths that are proven, statically and by attack.

use std::collections::{BTreeMap, HashSet};

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use rand::{Rng, rngs::StdRng};
use zkverdict::{
    circuits::{Shape, Trace},
    models::{CellId, Finish, Layer, Program, Range, Source, Step},
};

use crate::support::{
    Example,
    graphs::{everything, mlp, rng, samples},
    report,
    traces::{Case, power_of_two, small},
};

/// Models whose digits are attacked: packed accumulators in several widths, and sums that stand alone.
fn digit_cases() -> Vec<(Case, Trace, Vec<Fr>)> {
    let mut cases = Vec::new();
    for (graph, lanes) in [
        (mlp(3, &[5], &mut rng(8)), 1),
        (mlp(3, &[5], &mut rng(8)), 2),
        (everything(&mut rng(7)), 1),
    ] {
        let case = Case::from_graph(&graph, 7, lanes);
        let cells = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        case.assert_accepts(trace.clone(), instance.clone());
        cases.push((case, trace, instance));
    }
    cases
}

/// Rule 3: the same sum, split into limbs another way.
#[test]
fn another_split_of_a_sum_is_rejected() {
    let mut tried = [0; 4];
    for (case, honest, instance) in digit_cases() {
        let Shape { lanes, limb_bits, .. } = case.shape();
        let base = power_of_two(limb_bits);
        let full = power_of_two(2 * limb_bits);
        for row in case.digit_rows() {
            let third = row + 2 * lanes;
            let mut attempt = |kind: usize, what: &str, attack: &dyn Fn(&mut Trace)| {
                let mut trace = honest.clone();
                attack(&mut trace);
                assert_eq!(case.digit_value(&trace, row), case.digit_value(&honest, row));
                case.assert_only_lookup_rejects(&format!("row {row}: {what}"), trace, instance.clone());
                tried[kind] += 1;
            };
            attempt(0, "a low limb of the remainder that is 2^L too large", &|trace| {
                trace.key[third] += base;
                trace.limb[third] -= Fr::ONE;
            });
            attempt(1, "a low limb of the middle that is 2^L too large", &|trace| {
                trace.limb[row] += base;
                trace.limb[row + lanes] -= Fr::ONE;
            });
            // Rounding the other way: the remainder below zero, or above its range.
            attempt(2, "a negative remainder", &|trace| {
                trace.key[third] -= full;
                trace.limb[row] += Fr::ONE;
                let high = trace.key[row];
                case.set_high(trace, row, high);
            });
            attempt(3, "a remainder that is too large", &|trace| {
                trace.key[third] += full;
                trace.limb[row] -= Fr::ONE;
                let high = trace.key[row];
                case.set_high(trace, row, high);
            });
        }
    }
    report!("other splits rejected: {tried:?}");
    assert!(tried.iter().all(|count| *count > 20));
}

/// Rule 4: a sum as its value plus a multiple of the field's prime. The gate cannot tell; the table has no such row.
#[test]
fn wrapped_sums_are_rejected() {
    let mut tried = 0;
    for (case, honest, instance) in digit_cases() {
        let Shape { lanes, limb_bits, .. } = case.shape();
        let unit = power_of_two(4 * limb_bits).invert().unwrap();
        for row in case.digit_rows() {
            let value = case.digit_value(&honest, row);
            // Any low part will do: the high part is solved for, modulo the prime.
            for (remainder, middle) in [(0_u64, 0_u64), (1, 0), (63, 17)] {
                let mut trace = honest.clone();
                trace.key[row + 2 * lanes] = Fr::from(remainder);
                trace.limb[row + 2 * lanes] = Fr::ZERO;
                trace.limb[row] = Fr::from(middle);
                trace.limb[row + lanes] = Fr::ZERO;
                let low = Fr::from(remainder) + power_of_two(2 * limb_bits) * Fr::from(middle);
                let high = (value - low) * unit;
                if small(high, 32).is_some() {
                    continue;
                }
                case.set_high(&mut trace, row, high);
                assert_eq!(case.digit_value(&trace, row), value);
                case.assert_only_lookup_rejects(&format!("row {row}: wrapped"), trace, instance.clone());
                tried += 1;
            }
        }
    }
    report!("wrapped sums rejected: {tried}");
    assert!(tried > 60);
}

/// Rule 4: in a packed accumulator, a digit that takes one from its neighbour: `D_j + radix` and `D_{j+1} − 1`.
#[test]
fn a_digit_that_borrows_from_its_neighbour_is_rejected() {
    let mut tried = 0;
    for (case, honest, instance) in digit_cases() {
        let Shape { lanes, limb_bits, .. } = case.shape();
        let rows = case.digit_rows();
        for row in &rows {
            let next = row + 3 * lanes;
            if !rows.contains(&next) {
                continue;
            }
            let radix = (honest.accumulator[*row] - case.digit_value(&honest, *row))
                * honest.accumulator[next].invert().unwrap();
            let domain = radix * power_of_two(4 * limb_bits).invert().unwrap();
            assert!(small(domain, 16).is_some(), "the radix is a small multiple of 2^(4L)");
            for direction in [Fr::ONE, -Fr::ONE] {
                let mut trace = honest.clone();
                let high = trace.key[*row] + direction * domain;
                case.set_high(&mut trace, *row, high);
                trace.accumulator[next] -= direction;
                // The neighbour's remainder takes the difference, where it can without a borrow of its own.
                let remainder = trace.key[next + 2 * lanes] - direction;
                if small(remainder, limb_bits).is_none() {
                    continue;
                }
                trace.key[next + 2 * lanes] = remainder;
                case.assert_only_lookup_rejects(&format!("row {row}: borrowed"), trace, instance.clone());
                tried += 1;
            }
        }
    }
    report!("borrowing digits rejected: {tried}");
    assert!(tried > 10);
}

/// A range-checked cell, one limb moved into the other, and a value that is beyond its range.
#[test]
fn values_beyond_their_range_are_rejected() {
    let graph = mlp(3, &[4], &mut rng(8));
    let case = Case::from_graph(&graph, 7, 1);
    let honest = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
    let base = Fr::from(1 << 7);
    for input in &case.program.inputs {
        let row = case.rows_of(input.cell)[0];
        let mut trace = case.trace(&honest);
        assert_eq!(trace.value[row], trace.key[row] + base * trace.limb[row]);
        trace.key[row] += base;
        trace.limb[row] -= Fr::ONE;
        case.assert_only_lookup_rejects("limbs of an input", trace, case.instance(&honest));
        for beyond in [case.program.cell_max(), case.program.cell_max() + 5, -1] {
            let cells = case.cells_with(&honest, &BTreeMap::new());
            let mut forged = cells.clone();
            forged[input.cell.index()] = beyond;
            let attempt = std::panic::catch_unwind(|| case.trace(&case.cells_with(&forged, &BTreeMap::new())));
            if let Ok(trace) = attempt {
                let forged = case.cells_with(&forged, &BTreeMap::new());
                assert!(
                    !case.failures(trace, case.instance(&forged)).is_empty(),
                    "an input of {beyond} was accepted"
                );
            }
        }
    }
}

/// The largest value of each cell, from what the circuit proves of it, and the cells of which exactly one is set.
struct Ranges {
    max: Vec<i64>,
    groups: Vec<Vec<CellId>>,
    unchecked: HashSet<CellId>,
}

impl Ranges {
    fn new(program: &Program) -> Self {
        let mut ranges = Self {
            max: vec![0; program.cells],
            groups: Vec::new(),
            unchecked: HashSet::new(),
        };
        let full = program.cell_max();
        for step in &program.steps {
            match step {
                Step::Witness { cells, range, source } => {
                    for cell in cells {
                        ranges.max[cell.index()] = match range {
                            Range::Wide => (1 << (4 * program.limb_bits)) - 1,
                            Range::Cell => full - 1,
                            Range::Limb => (1 << program.limb_bits) - 1,
                            Range::Bit => 1,
                            Range::Unchecked => 0,
                        };
                        if *range == Range::Unchecked {
                            ranges.unchecked.insert(*cell);
                        }
                    }
                    if matches!(source, Source::OneHot { .. } | Source::FirstMaximum(_)) {
                        ranges.groups.push(cells.clone());
                    }
                }
                Step::Layer(layer) => {
                    for sum in &layer.sums {
                        if let Finish::Lookup { table, output } = sum.finish {
                            let entries = &program.tables[table.index()].entries;
                            ranges.max[output.index()] = entries.iter().copied().max().unwrap();
                        }
                    }
                }
                Step::Curve { output, .. } => ranges.max[output.index()] = full - 1,
                Step::Bin { table, output, .. } => {
                    ranges.max[output.index()] = program.tables[table.index()].domain() as i64 - 1;
                }
                Step::Tree(path) => {
                    for (number, output) in path.outputs.iter().flat_map(|outputs| outputs.iter().enumerate()) {
                        let weights = path.leaves.iter().map(|leaf| leaf.weights[number]);
                        ranges.max[output.index()] = weights.max().unwrap();
                    }
                }
            }
        }
        ranges
    }

    /// The cells that make `layer`'s sum as large (or as small) as the ranges allow.
    fn extreme(&self, layer: &Layer, sum: usize, largest: bool) -> Vec<i64> {
        let weights: BTreeMap<CellId, i64> = layer
            .inputs
            .iter()
            .copied()
            .zip(layer.sums[sum].weights.iter().copied())
            .collect();
        let gain = |cell: &CellId| {
            let weight = weights.get(cell).copied().unwrap_or(0);
            if largest { weight } else { -weight }
        };
        let mut cells: Vec<i64> = vec![0; self.max.len()];
        for cell in weights.keys() {
            cells[cell.index()] = if gain(cell) > 0 { self.max[cell.index()] } else { 0 };
        }
        for group in &self.groups {
            let best = group.iter().max_by_key(|cell| gain(cell)).unwrap();
            for cell in group {
                cells[cell.index()] = i64::from(cell == best);
            }
        }
        cells
    }

    /// Every cell at one end of its range.
    fn corner(&self, rng: &mut StdRng, high: f64) -> Vec<i64> {
        let mut cells: Vec<i64> = self
            .max
            .iter()
            .map(|max| if rng.gen_bool(high) { *max } else { 0 })
            .collect();
        for group in &self.groups {
            let chosen = rng.gen_range(0..group.len());
            for (index, cell) in group.iter().enumerate() {
                cells[cell.index()] = i64::from(index == chosen);
            }
        }
        cells
    }
}

/// Rule 4, statically: no assignment of the cells within their ranges takes a sum outside of what its table covers.
#[test]
fn sums_stay_within_their_tables() {
    for example in Example::SMALL {
        let program = &example.pipeline().planned.file.compiled.program;
        let ranges = Ranges::new(program);
        let (mut sums, mut widest) = (0, 0.0_f64);
        for step in &program.steps {
            let Step::Layer(layer) = step else { continue };
            for index in 0..layer.sums.len() {
                let Finish::Lookup { table, .. } = layer.sums[index].finish else {
                    continue;
                };
                assert!(
                    layer.inputs.iter().all(|cell| !ranges.unchecked.contains(cell)),
                    "{}",
                    layer.name
                );
                let covered = (program.tables[table.index()].domain() as i128) << (2 * program.cell_bits());
                let low = layer.sum(index, &ranges.extreme(layer, index, false));
                let high = layer.sum(index, &ranges.extreme(layer, index, true));
                assert!(
                    0 <= low && low <= high && high < covered,
                    "{}: {low} to {high}, {covered}",
                    layer.name
                );
                widest = widest.max((high as f64).log2());
                sums += 1;
            }
        }
        report!("{example:?}: {sums} sums, the widest has {widest:.1} bits, none leaves its table");
        assert!(sums > 0 && widest < 100.0);
    }
}

/// Rule 4, in the circuit: with every cell at an end of its range, all digits of a packed accumulator fit below the field,
/// and unpacking gives the sums back.
#[test]
fn packed_digits_stay_below_the_field() {
    for example in Example::SMALL {
        let compiled = &example.pipeline().planned.file.compiled;
        let program = &compiled.program;
        let ranges = Ranges::new(program);
        let mut rng = rng(11);
        let mut widest = 0;
        for lanes in [compiled.lanes, 1, 4] {
            let case = Case::new(program.clone(), lanes);
            let rows = case.digit_rows();
            let mut corners = vec![ranges.corner(&mut rng, 0.0), ranges.corner(&mut rng, 1.0)];
            corners.extend((0..6).map(|_| ranges.corner(&mut rng, 0.5)));
            for cells in corners {
                let trace = case.trace(&cells);
                for row in &rows {
                    let total = trace.accumulator[*row];
                    let digit = case.digit_value(&trace, *row);
                    let is_last = !rows.contains(&(row + 3 * lanes));
                    if is_last && digit == Fr::ZERO {
                        // A sum that must be zero: in a corner it is not, and its digit says zero all the same.
                        continue;
                    }
                    let bits = 256 - leading_zeros(total);
                    widest = widest.max(bits);
                    assert!(bits <= 252, "{example:?}: row {row} holds {bits} bits");
                    assert!(!is_last || total == digit, "{example:?}: the last digit, row {row}");
                }
            }
        }
        report!("{example:?}: packed digits take at most {widest} bits");
    }
}

fn leading_zeros(value: Fr) -> u32 {
    let bytes = value.to_repr();
    let mut zeros = 0;
    for byte in bytes.iter().rev() {
        zeros += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    zeros
}

/// Rule 4: a total that is another one modulo the prime. Its own sum is scaled by `2^(4L)` and can be any number below that,
/// so `total − t/2^(4L)` passes it for every small `t`; the shares' sums bound the total and stop it.
#[test]
fn a_total_that_only_holds_modulo_the_prime_is_rejected() {
    let graph = everything(&mut rng(7));
    let case = Case::from_graph(&graph, 7, 1);
    let honest = case.cells(&samples(&graph, 1, &mut rng(42))[0]);
    let limb_bits = case.shape().limb_bits;
    let totals = case.program.steps.iter().filter_map(|step| match step {
        Step::Witness {
            cells,
            source: Source::Total(_),
            ..
        } => Some(cells[0]),
        _ => None,
    });
    let mut tried = 0;
    for total in totals {
        let mut next = honest.clone();
        next[total.index()] += 1;
        // Every accumulator is linear in the total, so two points give all others.
        let (at, after) = (case.forge(&honest), case.forge(&next));
        for t in [Fr::ONE, Fr::from(2), power_of_two(4 * limb_bits) - Fr::ONE] {
            let change = -t * power_of_two(4 * limb_bits).invert().unwrap();
            let mut trace = at.clone();
            for row in case.rows_of(total) {
                trace.value[row] += change;
            }
            for row in 0..case.usable {
                trace.accumulator[row] += change * (after.accumulator[row] - at.accumulator[row]);
            }
            let before: Vec<Fr> = trace.key.clone();
            case.solve_digits(&mut trace);
            assert_ne!(trace.key, before);
            let what = format!("a total of cell {} less {t:?}/2^(4L)", total.0);
            case.assert_only_lookup_rejects(&what, trace, case.instance(&honest));
            tried += 1;
        }
    }
    assert_eq!(tried, 6, "softmax and normalisation have a total each");
}
