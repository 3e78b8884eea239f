//! The witness: every advice cell of the first phase, and the running sum of the second.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field, PrimeField},
};
use zkverdict_model::{CellId, Digit, Finish, Layer, Program, Step, TableId};

use crate::{
    AdviceColumn, Layout, ModelCommitment, Salts, Shape,
    chips::{
        self, accumulate, evaluate, link,
        tree::{self, Place, SubtreePlaces},
    },
    combination::Group,
    field::from_i128,
    hashing::{Absorbed, HashRows, Permutation, Spot},
    layout::{CLOSING_ROWS, Combined, Evaluation, EvaluationSource, Lane, Placement},
    parameters::ParameterCell,
    poseidon,
    records::record_salt,
    sponge::Link,
    subtree::{entry, joined},
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
    /// `memory`
    pub memory: Vec<Fr>,
    /// Inputs of S-boxes and their fourth powers, for each lane of hashes with columns of its own.
    pub hashes: Vec<[Vec<Fr>; 2]>,
    /// The columns of a linked model.
    pub models: Vec<Vec<Fr>>,
    /// What is added to evaluations of the second phase, by row: nothing, unless somebody cheats.
    pub forged_evaluations: Vec<(usize, Fr)>,
}

impl Trace {
    /// Fills the columns for the cells of one execution, up to `usable` rows. Commitments, if there are any, hide nothing:
    /// see [`Trace::salted`].
    pub fn new(layout: &Layout, program: &Program, cells: &[i64], usable: usize) -> Self {
        Self::salted(layout, program, cells, &Salts::default(), usable)
    }

    /// As [`Trace::new`], with salts for the commitments.
    pub fn salted(layout: &Layout, program: &Program, cells: &[i64], salts: &Salts, usable: usize) -> Self {
        let zeros = || vec![Fr::zero(); usable];
        let mut trace = Self {
            value: zeros(),
            accumulator: zeros(),
            key: zeros(),
            limb: zeros(),
            entry: zeros(),
            multiplicity: zeros(),
            memory: zeros(),
            hashes: (0..layout.shape.hash_lanes).map(|_| [zeros(), zeros()]).collect(),
            models: Vec::new(),
            forged_evaluations: Vec::new(),
        };
        let commitment = ModelCommitment::of(program);
        let parameters = program.parameters().ok();
        let committed = parameters
            .as_ref()
            .and_then(|parameters| commitment.values(parameters).ok());
        trace.models = layout.model_columns(program, committed.as_deref().unwrap_or_default(), usable);
        let parameters = parameters.and_then(|parameters| commitment.cells(&parameters).ok());
        let mut filler = Filler {
            trace: &mut trace,
            layout,
            program,
            cells,
            parameters: parameters.unwrap_or_default(),
            committed: committed.unwrap_or_default(),
        };
        filler.fill();
        for hashes in &layout.hashes {
            filler.hashes(hashes, salts.of(hashes.side));
        }
        trace.count_lookups(layout);
        trace
    }

    /// A column.
    pub fn column_mut(&mut self, column: AdviceColumn) -> &mut Vec<Fr> {
        match column {
            AdviceColumn::Value => &mut self.value,
            AdviceColumn::Accumulator => &mut self.accumulator,
            AdviceColumn::Key => &mut self.key,
            AdviceColumn::Limb => &mut self.limb,
            AdviceColumn::Entry => &mut self.entry,
            AdviceColumn::Multiplicity => &mut self.multiplicity,
            AdviceColumn::Memory => &mut self.memory,
            AdviceColumn::Box(lane) => &mut self.hashes[lane][0],
            AdviceColumn::Power(lane) => &mut self.hashes[lane][1],
            AdviceColumn::Model(column) => &mut self.models[column],
        }
    }

    /// A cell with copies.
    fn at(&self, spot: Spot) -> Fr {
        match spot.column {
            AdviceColumn::Box(lane) => self.hashes[lane][0][spot.row],
            _ => self.value[spot.row],
        }
    }

    /// Sets the multiplicities to how often each table row is looked up; lookups of what is in no table count nowhere.
    pub fn count_lookups(&mut self, layout: &Layout) {
        let usable = self.value.len();
        let mut counts = vec![0_u64; layout.table.len()];
        for row in 1..usable - CLOSING_ROWS {
            let tag = layout.fixed.tag.get(row).copied().unwrap_or(0);
            let found = [
                self.find(layout, tag, &self.key[row], &self.entry[row]),
                self.find(layout, 0, &self.limb[row], &Fr::zero()),
            ];
            for index in found.into_iter().flatten() {
                counts[index] += 1;
            }
        }
        for (multiplicity, count) in self.multiplicity.iter_mut().skip(1).zip(counts) {
            *multiplicity = Fr::from(count);
        }
    }

    /// Position of a tuple in the table.
    fn find(&self, layout: &Layout, tag: u64, key: &Fr, entry: &Fr) -> Option<usize> {
        let index = layout.find(tag, small(key)?)?;
        let stored = layout.table[index].entry + self.memory[index + 1];
        (stored == *entry).then_some(index)
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
                table.map_or((0, 0, Fr::zero()), |entry| (entry.tag, entry.key, entry.entry));
            denominators.push(alpha + self.key[row] + gamma * Fr::from(tag) + gamma_squared * self.entry[row]);
            denominators.push(alpha + self.limb[row]);
            denominators.push(
                alpha
                    + from_i128(table_key.into())
                    + gamma * Fr::from(table_tag)
                    + gamma_squared * (table_entry + self.memory[row]),
            );
        }
        denominators.iter_mut().batch_invert();
        let mut sum = Fr::zero();
        (0..usable)
            .map(|row| {
                if layout.lookup_kind(row, usable) != 0 {
                    sum += denominators[3 * row] + denominators[3 * row + 1]
                        - self.multiplicity[row] * denominators[3 * row + 2];
                }
                sum
            })
            .collect()
    }
}

impl Trace {
    /// The evaluations of the second phase for this challenge.
    pub fn evaluations(&self, layout: &Layout, point: Fr) -> Vec<Fr> {
        let lanes = layout.shape.lanes;
        let powers: Vec<Fr> = std::iter::successors(Some(Fr::one()), |power| Some(power * point))
            .take(evaluate::group(lanes) + 1)
            .collect();
        let weight = |column: usize, row: usize| layout.fixed.weights[column].get(row).copied().unwrap_or_default();
        let mut evaluations = vec![Fr::zero(); self.value.len()];
        for evaluation in &layout.evaluations {
            let (row, result) = match *evaluation {
                Evaluation::Copy { from, row } => match from {
                    EvaluationSource::Value(from) => (row, self.value[from]),
                    EvaluationSource::Evaluation(from) => (row, evaluations[from]),
                },
                Evaluation::Gate { row } => {
                    let [start, one, two] = [0, 1, 2].map(|distance| evaluations[row + distance]);
                    let result = match layout.fixed.q_evaluate[row] {
                        evaluate::TERM => {
                            let next = powers[lanes];
                            let coefficients = (0..lanes)
                                .map(|lane| powers[lane] * (weight(lane, row) + next * weight(lane, row + 1)));
                            start + one * coefficients.sum::<Fr>()
                        }
                        evaluate::PRODUCT => start + one * two,
                        _ => {
                            let taken = weight(evaluate::ACCUMULATOR, row);
                            powers[evaluate::group(lanes)] * (start - taken * start)
                                + taken * (self.accumulator[row] + point * start)
                                + weight(evaluate::CELL, row) * self.value[row]
                                + weight(evaluate::CONSTANT, row)
                        }
                    };
                    (row + layout.reach(row), result)
                }
            };
            evaluations[row] = result;
        }
        for (row, error) in &self.forged_evaluations {
            evaluations[*row] += error;
        }
        evaluations
    }
}

impl Trace {
    /// Fills the running sums of layers again, from values and weights that may have changed. The digits stay: returns the
    /// rows of those whose sum changed, and by how much.
    pub fn run_sums(&mut self, layout: &Layout) -> Vec<(usize, Fr)> {
        let mut changed = Vec::new();
        for placement in &layout.placements {
            let Placement::Lane(lane) = placement else { continue };
            let sum = self.accumulate(layout, lane.load_row, lane.accumulate_steps);
            let before = std::mem::replace(&mut self.accumulator[lane.digit_row], sum);
            changed.extend((sum != before).then_some((lane.digit_row, sum - before)));
        }
        changed
    }

    /// Fills the running sum that is loaded on a row and goes on for some steps; returns what it comes to.
    fn accumulate(&mut self, layout: &Layout, load_row: usize, steps: usize) -> Fr {
        let lanes = layout.shape.lanes;
        let fixed = &layout.fixed;
        let kind = |kinds: &[u64], row: usize| kinds.get(row).copied().unwrap_or_default();
        let mut sum = fixed.weight(0, load_row);
        if kind(&fixed.q_model, load_row) == link::LOAD {
            sum += self.models[0][load_row];
        }
        for row in (1..=steps).map(|step| load_row + lanes * step) {
            self.accumulator[row] = sum;
            if layout.link_rows.contains(&row) {
                self.value[row] = sum + fixed.weight(0, row);
            }
            if kind(&fixed.q_model, row) == link::DOT {
                for (column, model) in self.models.iter().enumerate() {
                    sum += model[row] * self.value[row + column];
                }
            } else if kind(&fixed.q_accumulate, row) == accumulate::PRODUCT {
                sum += self.value[row] * self.value[row + lanes];
            } else {
                for column in 0..lanes {
                    let factor = fixed.weight(column, row);
                    if !bool::from(factor.is_zero()) {
                        sum += factor * self.value[row + column];
                    }
                }
            }
        }
        sum
    }
}

impl Layout {
    /// Writes cells to every place they stand at in the value column, and nothing else.
    pub fn put_cells(&self, trace: &mut Trace, cells: &[i64]) {
        for (row, cell) in &self.values {
            trace.value[*row] = from_i128(cells[cell.index()].into());
        }
    }
}

struct Filler<'a> {
    trace: &'a mut Trace,
    layout: &'a Layout,
    program: &'a Program,
    cells: &'a [i64],
    /// Of a committed model; none where only its architecture is known.
    parameters: Vec<ParameterCell>,
    /// Everything of the model that is committed to.
    committed: Vec<Fr>,
}

impl Filler<'_> {
    fn fill(&mut self) {
        self.layout.put_cells(self.trace, self.cells);
        for (row, index) in &self.layout.parameters {
            self.trace.value[*row] = self.committed[*index];
        }
        for row in &self.layout.memory_rows {
            self.trace.memory[*row] = self.trace.value[*row];
        }
        for placement in &self.layout.placements {
            match placement {
                Placement::Range { cell, row, single } => {
                    let value = self.cells[cell.index()];
                    if *single {
                        self.key(*row, value, 0);
                    } else {
                        self.key(*row, value % self.limb_base(), 0);
                        self.limb(*row, value / self.limb_base());
                    }
                }
                Placement::Free { .. } => {}
                Placement::Parameter { index, row } => {
                    let ParameterCell { low, high, .. } = self.parameters[*index];
                    self.key(*row, low as i64, 0);
                    self.limb(*row, high as i64);
                }
                Placement::Curve { table, input, row, .. } => {
                    let point = self.program.curve(*table, self.cells[input.index()]);
                    self.pair(*row, *table, point.segment);
                    self.low_limbs(*row, point.middle, point.remainder);
                }
                Placement::Lane(lane) => self.lane(lane),
                Placement::Digit { step, sum, row } => {
                    if let Step::Layer(layer) = &self.program.steps[*step] {
                        self.trace.accumulator[*row] = from_i128(layer.sum(*sum, self.cells));
                        self.digit(layer, *sum, *row);
                    }
                }
                Placement::Bin { table, input, row } => self.bin(*table, self.cells[input.index()], *row),
                Placement::Number { cell, row } => {
                    let lanes = self.layout.shape.lanes;
                    let [a, b, c, d] = self.limbs(self.cells[cell.index()]);
                    for (row, key, limb) in [(*row, a, b), (row + lanes, c, d)] {
                        self.key(row, key, 0);
                        self.limb(row, limb);
                    }
                }
                Placement::Walk {
                    step,
                    bank,
                    output,
                    row,
                } => self.walk(*step, *bank, *output, *row),
            }
        }
        for combined in &self.layout.combined {
            self.surplus(combined);
        }
    }

    /// Coefficients of a convolution's polynomials that are no output.
    fn surplus(&mut self, combined: &Combined) {
        let lanes = self.layout.shape.lanes;
        let size = evaluate::group(lanes);
        let combination = &combined.combination;
        let value = |cell: &CellId| self.cells[cell.index()];
        let coefficients = |group: &Group| {
            let first = group.places.0;
            let mut coefficients = vec![0_i128; (group.places.1 - first + 1) as usize * size];
            for (place, terms) in &group.terms {
                for term in terms {
                    let mut kernel: Vec<i128> = term.weights.iter().map(|weight| i128::from(*weight)).collect();
                    for (member, cell) in &term.factors {
                        kernel[*member] += i128::from(value(cell));
                    }
                    let channel = &combination.channels[term.channel];
                    for (above, cell) in &channel.cells {
                        let at = (place + above - first) as usize * size;
                        let difference = i128::from(value(cell) - channel.shift);
                        for (coefficient, weight) in coefficients[at..at + size].iter_mut().zip(&kernel) {
                            *coefficient += weight * difference;
                        }
                    }
                }
            }
            coefficients
        };
        let groups: Vec<Vec<i128>> = combination.groups.iter().map(coefficients).collect();
        for (group, member, place, row) in combined.surplus(lanes) {
            let first = combination.groups[group].places.0;
            let coefficient = groups[group][(place - first) as usize * size + member];
            self.trace.accumulator[row] = from_i128(coefficient);
        }
    }

    fn lane(&mut self, lane: &Lane) {
        let Step::Layer(layer) = &self.program.steps[lane.step] else {
            return;
        };
        let Shape { lanes, limb_bits, .. } = self.layout.shape;
        let mut accumulator = self.trace.accumulate(self.layout, lane.load_row, lane.accumulate_steps);
        for (position, sum) in lane.sums.iter().enumerate() {
            let row = lane.digit_row + 3 * lanes * position;
            self.trace.accumulator[row] = accumulator;
            let digit = self.digit(layer, *sum, row);
            if position + 1 < lane.sums.len() {
                let number = (digit.high as i128) << (4 * limb_bits)
                    | i128::from(digit.middle) << (2 * limb_bits)
                    | i128::from(digit.remainder);
                let radix = self.layout.fixed.weight(0, row);
                accumulator = (accumulator - from_i128(number)) * radix.invert().unwrap_or(Fr::zero());
            }
        }
    }

    /// The digit of a sum, and its parts.
    fn digit(&mut self, layer: &Layer, sum: usize, row: usize) -> Digit {
        let value = layer.sum(sum, self.cells);
        let digit = match layer.sums[sum].finish {
            Finish::Lookup { table, .. } => {
                let digit = self.program.split(value);
                self.pair(row, table, digit.high);
                digit
            }
            Finish::NonNegative => self.program.split(value),
            Finish::Zero => Digit {
                remainder: 0,
                middle: 0,
                high: 0,
            },
        };
        self.low_limbs(row, digit.middle, digit.remainder);
        digit
    }

    /// Fills the hashes of a commitment; the salts of a table's rows follow from `salt`.
    fn hashes(&mut self, hashes: &HashRows, salt: Fr) {
        let lanes = self.layout.shape.lanes;
        for link in &hashes.links {
            self.link(link, lanes);
        }
        for permutation in &hashes.permutations {
            self.permutation(permutation, salt);
        }
        self.trace.value[hashes.public_row] = self.trace.at(hashes.result);
    }

    fn permutation(&mut self, permutation: &Permutation, salt: Fr) {
        let Permutation {
            lane,
            row: first,
            state,
        } = *permutation;
        let mut input = poseidon::parameters().constants[0];
        for (element, source) in input.iter_mut().zip(state) {
            *element = match source {
                Absorbed::Copy(spot) => self.trace.at(spot) - *element,
                Absorbed::Salt(None) => salt,
                Absorbed::Salt(Some(row)) => record_salt(salt, row),
                Absorbed::Nothing => Fr::zero(),
            };
        }
        let values = chips::poseidon::values(input);
        let shape = self.layout.shape;
        let (inputs, powers) = shape.boxes(lane);
        let result = first + chips::poseidon::BOX_ROWS;
        for (row, value) in (first..result).zip(&values) {
            self.trace.column_mut(powers)[row] = value.square().square();
        }
        self.trace.column_mut(inputs)[first..first + values.len()].copy_from_slice(&values);
        self.trace.column_mut(inputs)[result] += self.layout.fixed.hash_constant(shape, result - poseidon::WIDTH);
    }

    /// Fills a link; returns the sum.
    fn link(&mut self, link: &Link, lanes: usize) -> Fr {
        let sum = self.trace.accumulate(self.layout, link.load_row, link.steps);
        let row = link.row(lanes);
        self.trace.accumulator[row] = sum;
        self.trace.value[row] = sum + self.layout.fixed.weight(0, row);
        sum
    }

    fn bin(&mut self, table: TableId, value: i64, row: usize) {
        let lanes = self.layout.shape.lanes;
        let index = self.program.bin(table, value);
        self.pair(row, table, index);
        let (low, high) = self.program.tables[table.index()].pair(index);
        let ([a, b, c, d], [e, f, g, h]) = (self.limbs(value - low), self.limbs(high - 1 - value));
        self.limb(row, a);
        self.limb(row + lanes, b);
        for (step, key, limb) in [(2, c, d), (3, e, f), (4, g, h)] {
            self.key(row + lanes * step, key, 0);
            self.limb(row + lanes * step, limb);
        }
    }

    fn walk(&mut self, step: usize, bank: usize, output: usize, first: usize) {
        let (Step::Tree(path), Some(subtrees)) = (&self.program.steps[step], self.layout.trees.get(&step)) else {
            return;
        };
        let features = self.program.features();
        let bank = &self.program.memory[bank * features..(bank + 1) * features];
        let Shape { lanes, limb_bits, .. } = self.layout.shape;
        let visits = subtrees.walk(bank, self.cells);
        let places = SubtreePlaces::new(self.layout.shape.split_limbs());
        let mut row = first;
        for visit in &visits {
            let subtree = visit.subtree;
            let (root, [taken, other]) = (subtree.nodes[0], visit.children());
            let distance = |split: u32, bin: i64, below: bool| {
                let split = i64::from(split);
                if below { split - bin } else { bin - split - 1 }
            };
            let [first, second] = visit.below;
            self.trace.value[row] = Fr::from(u64::from(first));
            self.trace.value[row + lanes] = Fr::from(u64::from(second));
            self.keyed(row, subtree.index.into(), entry(subtree, path, output, limb_bits));
            for (place, (node, bin)) in (1..).zip([(root, visit.bins[0]), (taken, visit.bins[1])]) {
                self.key(row + lanes * place, node.feature.into(), bin);
            }
            self.number(row, &[places.other_feature], other.feature.into());
            for (places, node) in [(&places.root, root), (&places.taken, taken), (&places.other, other)] {
                self.number(row, places, node.split.into());
            }
            self.number(row, &places.root_distance, distance(root.split, visit.bins[0], first));
            self.number(
                row,
                &places.taken_distance,
                distance(taken.split, visit.bins[1], second),
            );
            row += places.rows * lanes;
        }
        let Some(last) = visits.last() else { return };
        let Some(weights) = last.subtree.weights(path, output) else {
            return;
        };
        for (place, below) in (1..).zip(last.below) {
            self.trace.value[row + lanes * place] = Fr::from(u64::from(below));
        }
        let bits = tree::WEIGHT_LIMBS * limb_bits;
        let place = last.leaf_place();
        let pair = place & 2;
        self.trace.accumulator[row] = joined(&weights, bits);
        self.trace.accumulator[row + lanes] = joined(&weights[pair..pair + 2], bits);
        // The leaf, its sibling, and the pair of the other child.
        let ordered = [place, place ^ 1, pair ^ 2, pair ^ 3].map(|place| weights[place]);
        let digits: Vec<i64> = ordered
            .iter()
            .flat_map(|weight| self.limbs::<{ tree::WEIGHT_LIMBS as usize }>(*weight))
            .collect();
        for (place, digits) in digits.chunks_exact(2).enumerate() {
            self.key(row + lanes * place, digits[0], 0);
            self.limb(row + lanes * place, digits[1]);
        }
    }

    /// A number's limbs, lowest first, at places of the gadget whose first row this is.
    fn number(&mut self, row: usize, places: &[Place], number: i64) {
        let lanes = self.layout.shape.lanes;
        for (shift, (column, place)) in (0..).step_by(self.program.limb_bits as usize).zip(places) {
            let limb = number >> shift & (self.limb_base() - 1);
            match column {
                AdviceColumn::Key => self.key(row + lanes * place, limb, 0),
                _ => self.limb(row + lanes * place, limb),
            }
        }
    }

    fn limb_base(&self) -> i64 {
        1 << self.program.limb_bits
    }

    /// The lowest limbs of a number, lowest first.
    fn limbs<const COUNT: usize>(&self, number: i64) -> [i64; COUNT] {
        std::array::from_fn(|place| number >> (place as u32 * self.program.limb_bits) & (self.limb_base() - 1))
    }

    /// Both table lookups of a gadget.
    fn pair(&mut self, row: usize, table: TableId, index: usize) {
        let lanes = self.layout.shape.lanes;
        let (first, second) = self.program.tables[table.index()].pair(index);
        let stride = usize::from(self.program.tables[table.index()].stride);
        self.key(row, index as i64, first);
        self.key(row + lanes, (index + stride) as i64, second);
    }

    /// `middle` on the limbs of the first two rows, `remainder` on the third.
    fn low_limbs(&mut self, row: usize, middle: i64, remainder: i64) {
        let lanes = self.layout.shape.lanes;
        let base = self.limb_base();
        self.limb(row, middle % base);
        self.limb(row + lanes, middle / base);
        self.key(row + 2 * lanes, remainder % base, 0);
        self.limb(row + 2 * lanes, remainder / base);
    }

    fn key(&mut self, row: usize, key: i64, entry: i64) {
        self.keyed(row, key, from_i128(entry.into()));
    }

    fn keyed(&mut self, row: usize, key: i64, entry: Fr) {
        self.trace.key[row] = Fr::from(key as u64);
        self.trace.entry[row] = entry;
    }

    fn limb(&mut self, row: usize, limb: i64) {
        self.trace.limb[row] = Fr::from(limb as u64);
    }
}

/// The number, if it is small enough for a table key.
fn small(number: &Fr) -> Option<i64> {
    let bytes = number.to_repr();
    let (low, high) = bytes.as_ref().split_first_chunk::<4>()?;
    high.iter()
        .all(|byte| *byte == 0)
        .then(|| i64::from(u32::from_le_bytes(*low)))
}
