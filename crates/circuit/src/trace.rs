//! The witness: every advice cell of the first phase, and the running sum of the second.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};
use zkverdict_model::{Digit, Finish, Program, Step, TableId};

use crate::{
    Layout, Shape,
    chips::accumulate,
    field::from_i128,
    layout::{CLOSING_ROWS, Lane, Placement, lookup_kind, tag_of},
};

/// Advice columns of the first phase, row by row.
#[derive(Debug, Clone)]
pub struct Trace {
    /// `value`
    pub value: Vec<Fr>,
    /// `accumulator`
    pub accumulator: Vec<Fr>,
    /// `key`
    pub key: Vec<Fr>,
    /// `limb`
    pub limb: Vec<Fr>,
    /// `entry`
    pub entry: Vec<Fr>,
    /// `multiplicity`
    pub multiplicity: Vec<Fr>,
}

impl Trace {
    /// Fills the columns for the cells of one execution, up to `usable` rows.
    pub fn new(layout: &Layout, program: &Program, cells: &[i64], usable: usize) -> Self {
        let zeros = || vec![Fr::zero(); usable];
        let mut trace = Self {
            value: zeros(),
            accumulator: zeros(),
            key: zeros(),
            limb: zeros(),
            entry: zeros(),
            multiplicity: zeros(),
        };
        let mut filler = Filler {
            trace: &mut trace,
            layout,
            program,
            cells,
            // Idle rows look up zero twice.
            counts: vec![0; layout.table.len()],
            looked_up: vec![(0, 0); usable],
        };
        filler.fill();
        filler.count(usable);
        trace
    }

    /// The running sum of the lookup argument for these challenges.
    pub fn lookup_sum(&self, layout: &Layout, alpha: Fr, gamma: Fr) -> Vec<Fr> {
        let usable = self.value.len();
        let gamma_squared = gamma.square();
        let mut denominators = Vec::with_capacity(3 * usable);
        for row in 0..usable {
            let tag = layout.fixed.tag.get(row).copied().unwrap_or(0);
            let table = row.checked_sub(1).and_then(|index| layout.table.get(index));
            let (table_tag, table_key, table_entry) =
                table.map_or((0, 0, 0), |entry| (entry.tag, entry.key, entry.entry));
            denominators.push(alpha + self.key[row] + gamma * Fr::from(tag) + gamma_squared * self.entry[row]);
            denominators.push(alpha + self.limb[row]);
            denominators.push(
                alpha
                    + from_i128(table_key.into())
                    + gamma * Fr::from(table_tag)
                    + gamma_squared * from_i128(table_entry.into()),
            );
        }
        denominators.iter_mut().batch_invert();
        let mut sum = Fr::zero();
        (0..usable)
            .map(|row| {
                if lookup_kind(row, usable) != 0 {
                    sum += denominators[3 * row] + denominators[3 * row + 1]
                        - self.multiplicity[row] * denominators[3 * row + 2];
                }
                sum
            })
            .collect()
    }
}

struct Filler<'a> {
    trace: &'a mut Trace,
    layout: &'a Layout,
    program: &'a Program,
    cells: &'a [i64],
    counts: Vec<u64>,
    /// Table rows (from zero) that the key and the limb of a row are found in.
    looked_up: Vec<(usize, usize)>,
}

impl Filler<'_> {
    fn fill(&mut self) {
        for (row, cell) in &self.layout.values {
            self.trace.value[*row] = Fr::from(self.cells[cell.index()] as u64);
        }
        for placement in &self.layout.placements {
            match placement {
                Placement::Range { cell, row, bit } => {
                    let value = self.cells[cell.index()];
                    if *bit {
                        self.key(*row, self.layout.table_start.len() - 2, value, 0);
                    } else {
                        self.key(*row, 0, value % self.limb_base(), 0);
                        self.limb(*row, value / self.limb_base());
                    }
                }
                Placement::Free { .. } => {}
                Placement::Curve { table, input, row, .. } => {
                    let point = self.program.curve(*table, self.cells[input.index()]);
                    self.pair(*row, *table, point.segment);
                    self.low_limbs(*row, point.middle, point.remainder);
                }
                Placement::Lane(lane) => self.lane(lane),
            }
        }
    }

    fn lane(&mut self, lane: &Lane) {
        let Step::Layer(layer) = &self.program.steps[lane.step] else {
            return;
        };
        let Shape { lanes, limb_bits } = self.layout.shape;
        let fixed = &self.layout.fixed;
        let weight = |column: usize, row: usize| fixed.weights[column].get(row).copied().unwrap_or_default();
        let mut accumulator = weight(0, lane.load_row);
        let mut row = lane.load_row + lanes;
        for _ in 0..lane.accumulate_steps {
            self.trace.accumulator[row] = accumulator;
            if fixed.q_accumulate[row] == accumulate::PRODUCT {
                accumulator += self.trace.value[row] * self.trace.value[row + lanes];
            } else {
                for column in 0..lanes {
                    let factor = weight(column, row);
                    if !bool::from(factor.is_zero()) {
                        accumulator += factor * self.trace.value[row + column];
                    }
                }
            }
            row += lanes;
        }
        for (position, sum) in lane.sums.iter().enumerate() {
            let row = lane.digit_row + 3 * lanes * position;
            self.trace.accumulator[row] = accumulator;
            let value = layer.sum(*sum, self.cells);
            let digit = match layer.sums[*sum].finish {
                Finish::Lookup { table, .. } => {
                    let digit = self.program.split(value);
                    self.pair(row, table, digit.high);
                    digit
                }
                Finish::NonNegative => {
                    let zero_tag = self.layout.table_start.len() - 1;
                    self.key(row, zero_tag, 0, 0);
                    self.key(row + lanes, zero_tag, 0, 0);
                    self.program.split(value)
                }
                Finish::Zero => {
                    let zero_tag = self.layout.table_start.len() - 1;
                    self.key(row, zero_tag, 0, 0);
                    self.key(row + lanes, zero_tag, 0, 0);
                    Digit {
                        remainder: 0,
                        middle: 0,
                        high: 0,
                    }
                }
            };
            self.low_limbs(row, digit.middle, digit.remainder);
            if position + 1 < lane.sums.len() {
                let number = (digit.high as i128) << (4 * limb_bits)
                    | i128::from(digit.middle) << (2 * limb_bits)
                    | i128::from(digit.remainder);
                let radix = weight(0, row);
                accumulator = (accumulator - from_i128(number)) * radix.invert().unwrap_or(Fr::zero());
            }
        }
    }

    fn limb_base(&self) -> i64 {
        1 << self.program.limb_bits
    }

    /// Both table lookups of a gadget.
    fn pair(&mut self, row: usize, table: TableId, index: usize) {
        let lanes = self.layout.shape.lanes;
        let (first, second) = self.program.tables[table.index()].pair(index);
        let stride = usize::from(self.program.tables[table.index()].stride);
        self.key(row, tag_of(table), index as i64, first);
        self.key(row + lanes, tag_of(table), (index + stride) as i64, second);
    }

    /// `middle` on the limbs of the first two rows, `remainder` on the third.
    fn low_limbs(&mut self, row: usize, middle: i64, remainder: i64) {
        let lanes = self.layout.shape.lanes;
        let base = self.limb_base();
        self.limb(row, middle % base);
        self.limb(row + lanes, middle / base);
        self.key(row + 2 * lanes, 0, remainder % base, 0);
        self.limb(row + 2 * lanes, remainder / base);
    }

    fn key(&mut self, row: usize, tag: usize, key: i64, entry: i64) {
        self.trace.key[row] = Fr::from(key as u64);
        self.trace.entry[row] = from_i128(entry.into());
        self.looked_up[row].0 = self.layout.table_start[tag] - 1 + key as usize;
    }

    fn limb(&mut self, row: usize, limb: i64) {
        self.trace.limb[row] = Fr::from(limb as u64);
        self.looked_up[row].1 = limb as usize;
    }

    fn count(&mut self, usable: usize) {
        for (key, limb) in &self.looked_up[1..usable - CLOSING_ROWS] {
            self.counts[*key] += 1;
            self.counts[*limb] += 1;
        }
        for (index, count) in self.counts.iter().enumerate() {
            self.trace.multiplicity[index + 1] = Fr::from(*count);
        }
    }
}
