//! Places a program on rows: every fixed value, every copy, and where each witness cell goes.

mod combine;
mod committed;
mod linked;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use serde::{Deserialize, Serialize};
use zkverdict_model::{
    CellId, Convolution, Finish, Kernel, Layer, Program, Range as CellRange, Step, Subtree, Subtrees, SumIndex, Table,
    TableId, TreePath,
};

pub use combine::ConvolutionRows;
pub(crate) use combine::{Combined, Evaluation, EvaluationSource, compare};
pub(crate) use linked::{ModelCell, ModelContent};

use crate::{
    CircuitError, ModelCommitment, PublicInputs, Shape, Side, Visibility, Widths,
    chips::{
        accumulate, gadget, link, lookup,
        tree::{self, SubtreePlaces},
    },
    combination::{Channel, Combination},
    field::{from_i128, power_of_two},
    hashing::{HashRows, Spot},
    subtree::{entry, subtrees},
};

/// Bits that packed digits may fill: well below the 254 bits of the field.
const PACKED_BITS: f64 = 252.0;

/// Where one gadget stands. Rows are absolute; a gadget uses `row`, `row + C`, `row + 2C`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    /// A value and its limbs on one row, or a single one.
    Range { cell: CellId, row: usize, single: bool },
    /// A cell of parameters and its limbs on one row.
    Parameter { index: usize, row: usize },
    /// A value without a gadget of its own.
    Free { cell: CellId, row: usize },
    /// A curve; the result stands `C` rows below the argument.
    Curve {
        table: TableId,
        input: CellId,
        output: CellId,
        row: usize,
    },
    /// A chain of sums of one layer.
    Lane(Lane),
    /// One sum of a convolution.
    Digit { step: usize, sum: usize, row: usize },
    /// The bin of a number.
    Bin { table: TableId, input: CellId, row: usize },
    /// A number and its four limbs.
    Number { cell: CellId, row: usize },
    /// A walk through the tree of a step over one bank of the memory, for one of the weights of its leaves.
    Walk {
        step: usize,
        bank: usize,
        output: usize,
        row: usize,
    },
}

/// Sums packed into one accumulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Step of the program.
    pub(crate) step: usize,
    /// Row whose gate loads the first accumulator, `C` rows below it.
    pub(crate) load_row: usize,
    /// Rows (each `C` apart) that add to the accumulator.
    pub(crate) accumulate_steps: usize,
    /// Row of the first digit.
    pub(crate) digit_row: usize,
    /// Sums of the layer, lowest digit first.
    pub(crate) sums: Vec<usize>,
}

/// One row of the lookup table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableRow {
    pub(crate) tag: u64,
    pub(crate) key: i64,
    pub(crate) entry: Fr,
}

/// Tags of a tree's tables: the upper levels of subtrees, and the last level by output.
#[derive(Debug, Clone)]
struct TreeTables {
    upper: Vec<u64>,
    last: Vec<u64>,
}

/// The fixed columns, as long as the rows that are used.
#[derive(Debug, Clone, Default)]
pub(crate) struct FixedColumns {
    /// Per lane column.
    pub(crate) weights: Vec<Vec<Fr>>,
    pub(crate) q_accumulate: Vec<u64>,
    pub(crate) q_gadget: Vec<u64>,
    pub(crate) tag: Vec<u64>,
    pub(crate) q_tree: Vec<u64>,
    pub(crate) q_evaluate: Vec<u64>,
    pub(crate) q_hash: Vec<u64>,
    /// Constants of hashes, where these have columns of their own.
    pub(crate) hash_constants: Vec<Fr>,
    pub(crate) q_model: Vec<u64>,
}

/// A program on rows.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) shape: Shape,
    pub(crate) fixed: FixedColumns,
    /// Table rows, from row 1.
    pub(crate) table: Vec<TableRow>,
    /// Pairs of rows of the value column that hold the same cell.
    pub(crate) copies: Vec<(usize, usize)>,
    /// Row of the value column per public input after those that no cell is equal to.
    pub(crate) public_rows: Vec<usize>,
    /// Public inputs that no cell is equal to, in front of all others.
    pub(crate) unbound: usize,
    pub(crate) placements: Vec<Placement>,
    /// Values beside the gadgets: `(row, cell)`, copies included.
    pub(crate) values: Vec<(usize, CellId)>,
    /// Cells of parameters: `(row, number)`, copies included.
    pub(crate) parameters: Vec<(usize, usize)>,
    /// Cells of a linked model's columns.
    pub(crate) model_cells: Vec<ModelCell>,
    /// Position in the table by tag and key.
    positions: HashMap<(u64, i64), usize>,
    /// Trees by step.
    pub(crate) trees: HashMap<usize, Subtrees>,
    /// Rows whose table entry is the value beside it, in rising order: what walks read by address, then the entries of
    /// committed trees.
    pub(crate) memory_rows: Vec<usize>,
    /// Row of the value that is zero, where there are evaluations.
    zero_row: Option<usize>,
    /// Convolutions at the challenge.
    pub(crate) combined: Vec<Combined>,
    /// How to compute the evaluations.
    pub(crate) evaluations: Vec<Evaluation>,
    /// Evaluations that must be equal.
    ties: Vec<(usize, usize)>,
    /// Commitments, in the order of the public inputs.
    pub(crate) hashes: Vec<HashRows>,
    /// Pairs of cells that are equal, of which one at least is in a column of hashes.
    pub(crate) hash_copies: Vec<(Spot, Spot)>,
    /// Rows that hashes take in columns of their own.
    pub(crate) hash_rows: usize,
    /// Rows whose value is the sum beside it.
    pub(crate) link_rows: HashSet<usize>,
    rows: usize,
}

/// First row with content. Row 0 only starts the lookup argument's running sum.
const FIRST_ROW: usize = 1;
/// Rows kept free at the end: the last one closes the running sum.
pub(crate) const CLOSING_ROWS: usize = 1;

impl Layout {
    /// Lays out a program, the convolutions of these numbers at a challenge.
    ///
    /// # Errors
    /// A program that uses a cell before computing it, a sum too wide for the field, a convolution that is none, private
    /// outputs.
    pub fn new(
        program: &Program,
        widths: impl Into<Widths>,
        combined: &[usize],
        public: PublicInputs,
    ) -> Result<Self, CircuitError> {
        public.check()?;
        if program.is_committed() != public.model.hides_model() {
            return Err(CircuitError::OtherVisibility);
        }
        let shape = Shape::of(program, widths.into(), combined, public).check()?;
        let mut builder = Builder::new(program, shape)?;
        builder.prepare(combined)?;
        for (index, step) in program.steps.iter().enumerate() {
            builder.combine(index)?;
            builder.step(index, step)?;
        }
        for (place, cell) in program.memory.iter().enumerate() {
            let row = builder.layout.memory_rows[place];
            if builder.home(*cell)? != row {
                builder.copy(*cell, row)?;
            }
        }
        let mut public_rows = Vec::with_capacity(public.count(program));
        for side in Side::ALL {
            match public.of(side) {
                Visibility::Public => {
                    for cell in side.cells(program) {
                        public_rows.push(builder.home(cell)?);
                    }
                }
                Visibility::Committed => {
                    let hashes = match program.records {
                        Some(rows) if side == Side::Input => builder.records(rows)?,
                        _ => builder.sponge(side)?,
                    };
                    public_rows.push(hashes.public_row);
                    builder.layout.hashes.push(hashes);
                }
                // Bound outside of the circuit.
                Visibility::Linked => builder.layout.unbound += 1,
                Visibility::Private => {}
            }
        }
        Ok(builder.finish(public_rows))
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Rows needed: the longest of content, hashes, and table, and what the lookup argument needs around them.
    pub fn rows(&self) -> usize {
        let content = self.rows.max(self.hash_rows);
        content.max(FIRST_ROW + self.table.len()) + CLOSING_ROWS
    }

    /// Rows of all permutations of hashes, one below the other, wherever they stand.
    pub fn hash_rows(&self) -> usize {
        self.hashes.iter().map(HashRows::permutation_rows).sum()
    }

    /// Rows that the content takes, whatever the table does.
    pub fn content_rows(&self) -> usize {
        self.rows
    }

    /// Whether a fixed column is zero everywhere.
    pub(crate) fn has_idle_column(&self) -> bool {
        let fixed = &self.fixed;
        let columns = self.shape.weight_columns();
        let weights = fixed.weights.iter().take(columns).any(Vec::is_empty);
        debug_assert!(
            fixed.weights.iter().skip(columns).all(Vec::is_empty),
            "a weight that no column holds"
        );
        weights
            || [&fixed.q_accumulate, &fixed.q_gadget, &fixed.tag]
                .into_iter()
                .any(Vec::is_empty)
    }

    /// Rows of the table.
    pub fn table_rows(&self) -> usize {
        self.table.len()
    }

    /// Rows for what walks read by address, a tag for each bank; returns those that are the homes of numbers of four
    /// limbs, which take a gadget each. The lanes interleave.
    fn banks(&mut self, program: &Program, first_tag: u64) -> HashMap<CellId, usize> {
        let lanes = self.shape.lanes;
        let witnesses = program.steps.iter().filter_map(|step| match step {
            Step::Witness {
                cells,
                range: CellRange::Wide,
                ..
            } => Some(cells),
            _ => None,
        });
        let mut numbers: HashSet<CellId> = witnesses.flatten().copied().collect();
        let mut homes = HashMap::new();
        for (tag, bank) in (first_tag..).zip(program.banks()) {
            let places = (0..).zip(bank.iter().map(|cell| (*cell, numbers.remove(cell))));
            let places: Vec<(i64, (CellId, bool))> = places.collect();
            for alike in places.chunk_by(|(_, (_, left)), (_, (_, right))| left == right) {
                for block in alike.chunks(lanes) {
                    let first = FIRST_ROW + self.table.len();
                    self.add_memory(tag, block.iter().map(|(address, _)| *address));
                    if let [(_, (_, true)), ..] = block {
                        homes.extend((first..).zip(block).map(|(row, (_, (cell, _)))| (*cell, row)));
                        // The rows of the other limbs hold one of the range table's once more.
                        let others = tree::NUMBER_ROWS * lanes - block.len();
                        self.add_table(0, std::iter::repeat_n(nothing(0), others));
                    }
                }
            }
        }
        homes
    }

    /// Tables of committed trees, their entries beside them. Trees of one number share them.
    fn committed_tables(
        &mut self,
        program: &Program,
        next_tag: &mut u64,
    ) -> Result<HashMap<u32, TreeTables>, CircuitError> {
        let mut tables = HashMap::new();
        for path in program.committed_trees() {
            let Some(tree) = path.committed else { continue };
            let subtrees = subtrees(path, self.shape.limb_bits)?;
            let mut table = |level: &[Subtree]| {
                let tag = *next_tag;
                *next_tag += 1;
                self.add_memory(tag, level.iter().map(|subtree| subtree.index.into()));
                tag
            };
            let (last, upper) = subtrees.split();
            let upper = upper.iter().map(|level| table(level)).collect();
            let last = (0..path.weights()).map(|_| table(last)).collect();
            tables.insert(tree.id, TreeTables { upper, last });
        }
        Ok(tables)
    }

    fn add_table(&mut self, tag: u64, entries: impl IntoIterator<Item = (i64, Fr)>) {
        for (key, entry) in entries {
            self.positions.insert((tag, key), self.table.len());
            self.table.push(TableRow { tag, key, entry });
        }
    }

    /// Table rows whose entries are the values beside them.
    fn add_memory(&mut self, tag: u64, keys: impl IntoIterator<Item = i64>) {
        for key in keys {
            self.memory_rows.push(FIRST_ROW + self.table.len());
            self.add_table(tag, [nothing(key)]);
        }
    }

    /// Position of a table row.
    pub(crate) fn find(&self, tag: u64, key: i64) -> Option<usize> {
        self.positions.get(&(tag, key)).copied()
    }

    /// `q_lookup` of a row, for `usable` rows.
    pub(crate) fn lookup_kind(&self, row: usize, usable: usize) -> u64 {
        match row {
            0 => 0,
            _ if row == FIRST_ROW || row + 1 == usable => lookup::EDGE,
            _ if self.memory_rows.binary_search(&row).is_ok() => lookup::MEMORY,
            _ if self.link_rows.contains(&row) => lookup::LINK,
            _ if row < usable => lookup::ACTIVE,
            _ => 0,
        }
    }

    /// Every advice cell that a gadget binds, as `(column, row)`: what an attack must not be able to change.
    pub fn bound_cells(&self) -> Vec<(AdviceColumn, usize)> {
        let lanes = self.shape.lanes;
        let values = self.values.iter().map(|(row, _)| *row);
        let values = values.chain(self.parameters.iter().map(|(row, _)| *row));
        let mut cells: Vec<_> = values.map(|row| (AdviceColumn::Value, row)).collect();
        let three = |row: usize| [row, row + lanes, row + 2 * lanes];
        for placement in &self.placements {
            match placement {
                Placement::Free { .. } => {}
                Placement::Parameter { row, .. } => {
                    cells.extend([(AdviceColumn::Key, *row), (AdviceColumn::Entry, *row)]);
                    // The limb of a second sum that is not there is multiplied by zero.
                    let is_pair = !self.fixed.weight(0, *row).is_zero_vartime();
                    cells.extend(is_pair.then_some((AdviceColumn::Limb, *row)));
                }
                Placement::Digit { row, .. } => {
                    cells.push((AdviceColumn::Accumulator, *row));
                    cells.extend(three(*row).into_iter().flat_map(gadget_cells));
                }
                Placement::Range { row, single, .. } => {
                    cells.push((AdviceColumn::Key, *row));
                    cells.push((AdviceColumn::Entry, *row));
                    // The limb beside a single one is multiplied by zero.
                    cells.extend((!single).then_some((AdviceColumn::Limb, *row)));
                }
                Placement::Bin { row, .. } => {
                    let rows = (0..tree::BIN_ROWS).map(|step| row + lanes * step);
                    cells.extend(rows.flat_map(gadget_cells));
                }
                Placement::Number { row, .. } => {
                    let rows = (0..tree::NUMBER_ROWS).map(|step| row + lanes * step);
                    cells.extend(rows.flat_map(gadget_cells));
                }
                Placement::Walk { row, step, .. } => {
                    let subtrees = self.trees[step].levels.len();
                    let places = SubtreePlaces::new(self.shape.split_limbs());
                    let at = |place: usize| row + lanes * place;
                    for first in (0..subtrees).map(|level| places.rows * level) {
                        cells.extend([at(first), at(first + 1)].map(|row| (AdviceColumn::Value, row)));
                        cells.extend((first..first + 3).map(|place| (AdviceColumn::Key, at(place))));
                        cells.extend((first..first + places.rows).map(|place| (AdviceColumn::Entry, at(place))));
                        cells.extend(places.limbs().map(|(column, place)| (column, at(first + place))));
                    }
                    let leaf = places.rows * subtrees;
                    cells.extend((leaf..leaf + tree::LEAF_ROWS).map(at).flat_map(gadget_cells));
                    cells.extend((leaf..leaf + 3).map(|place| (AdviceColumn::Value, at(place))));
                    cells.extend((leaf..leaf + 2).map(|place| (AdviceColumn::Accumulator, at(place))));
                }
                Placement::Curve { row, .. } => cells.extend(three(*row).into_iter().flat_map(gadget_cells)),
                Placement::Lane(lane) => {
                    let first = lane.load_row + lanes;
                    cells.extend(
                        (0..lane.accumulate_steps).map(|step| (AdviceColumn::Accumulator, first + lanes * step)),
                    );
                    let rows = (0..lane.accumulate_steps).map(|step| first + lanes * step);
                    let links = rows.filter(|row| self.link_rows.contains(row));
                    cells.extend(links.map(|row| (AdviceColumn::Value, row)));
                    for position in 0..lane.sums.len() {
                        let row = lane.digit_row + 3 * lanes * position;
                        cells.push((AdviceColumn::Accumulator, row));
                        cells.extend(three(row).into_iter().flat_map(gadget_cells));
                    }
                }
            }
        }
        if let Some(row) = self.zero_row {
            cells.extend([AdviceColumn::Value, AdviceColumn::Key, AdviceColumn::Entry].map(|column| (column, row)));
        }
        cells.extend(self.surplus_rows().map(|row| (AdviceColumn::Accumulator, row)));
        cells.extend(self.hashes.iter().flat_map(|hashes| hashes.bound_cells(self.shape)));
        cells.extend(self.memory_rows.iter().map(|row| (AdviceColumn::Memory, *row)));
        cells.extend((0..self.table.len()).map(|index| (AdviceColumn::Multiplicity, FIRST_ROW + index)));
        cells.extend(
            self.model_cells
                .iter()
                .map(|cell| (AdviceColumn::Model(cell.column), cell.row)),
        );
        cells
    }

    /// First rows of the gadgets of one [kind](crate::chips::tree) for trees.
    pub fn tree_rows(&self, kind: u64) -> Vec<usize> {
        let kinds = self.fixed.q_tree.iter().enumerate();
        kinds
            .filter_map(|(row, known)| (*known == kind).then_some(row))
            .collect()
    }

    /// Rows of the value column that hold cells of parameters, copies included, with the number of the cell.
    pub fn parameter_rows(&self) -> &[(usize, usize)] {
        &self.parameters
    }

    /// The rows of all commitments beside the program's; they come last.
    pub fn commitment_rows(&self) -> Range<usize> {
        let first = self.hashes.iter().flat_map(|hashes| &hashes.links);
        let first = first.map(|link| link.load_row).min();
        first.unwrap_or(self.rows)..self.rows
    }

    /// Number of public inputs, context included.
    pub fn public_inputs(&self) -> usize {
        self.unbound + self.public_rows.len()
    }
}

/// An advice column of the first phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdviceColumn {
    /// `value`
    Value,
    /// `accumulator`
    Accumulator,
    /// `key`
    Key,
    /// `limb`
    Limb,
    /// `entry`
    Entry,
    /// `multiplicity`
    Multiplicity,
    /// `memory`
    Memory,
    /// Inputs of S-boxes, in a lane of hashes with columns of its own.
    Box(usize),
    /// Their fourth powers.
    Power(usize),
    /// A column of a linked model.
    Model(usize),
}

/// A table row without an entry.
fn nothing(key: i64) -> (i64, Fr) {
    (key, Fr::zero())
}

fn gadget_cells(row: usize) -> [(AdviceColumn, usize); 3] {
    [AdviceColumn::Key, AdviceColumn::Limb, AdviceColumn::Entry].map(|column| (column, row))
}

/// A convolution to be laid out, with step, sum and constant of each output.
struct Pending {
    combination: Combination,
    sums: Vec<(usize, usize, i128)>,
}

pub(crate) struct Builder<'a> {
    pub(crate) program: &'a Program,
    pub(crate) layout: Layout,
    homes: Vec<Option<usize>>,
    /// What is committed to of the model.
    pub(crate) model: ModelCommitment,
    /// The number of each block's first cell of parameters.
    first_parameters: Vec<usize>,
    parameter_homes: Vec<Option<usize>>,
    /// Cells that are not proven to lie below `2^(2L)` where they stand.
    unchecked: Vec<bool>,
    next_row: usize,
    /// First rows that still have room for one more gadget, by the gadget's length.
    slots: HashMap<usize, Vec<usize>>,
    /// Sums that are laid out as convolutions, `(step, sum)`.
    elsewhere: HashSet<(usize, usize)>,
    /// Convolutions by their first step.
    pending: HashMap<usize, Vec<Pending>>,
    /// Channels that are evaluated already, and on which rows.
    channels: HashMap<Channel, usize>,
    bit_tag: u64,
    zero_tag: u64,
    /// Of the first bank.
    memory_tag: u64,
    /// Rows of the memory that are the homes of the numbers there.
    memory_homes: HashMap<CellId, usize>,
    /// First tag that no table has.
    next_tag: u64,
    /// Tables of committed trees by number.
    committed: HashMap<u32, TreeTables>,
}

impl<'a> Builder<'a> {
    fn new(program: &'a Program, shape: Shape) -> Result<Self, CircuitError> {
        let mut layout = Layout {
            shape,
            fixed: FixedColumns {
                weights: vec![Vec::new(); shape.lanes],
                ..FixedColumns::default()
            },
            table: Vec::new(),
            copies: Vec::new(),
            public_rows: Vec::new(),
            unbound: 1,
            placements: Vec::new(),
            values: Vec::new(),
            parameters: Vec::new(),
            model_cells: Vec::new(),
            positions: HashMap::new(),
            trees: HashMap::new(),
            memory_rows: Vec::new(),
            zero_row: None,
            combined: Vec::new(),
            evaluations: Vec::new(),
            ties: Vec::new(),
            hashes: Vec::new(),
            hash_copies: Vec::new(),
            hash_rows: 0,
            link_rows: HashSet::new(),
            rows: FIRST_ROW,
        };
        let functions = program.tables.len() as u64;
        let [bit_tag, zero_tag, memory_tag] = [1, 2, 3].map(|offset| functions + offset);
        let mut next_row = FIRST_ROW;
        let mut next_tag = memory_tag + program.banks().count() as u64;
        let model = ModelCommitment::of(program);
        let mut committed = HashMap::new();
        let mut memory_homes = HashMap::new();
        if shape.trees {
            // The first row closes the running sum and can hold no memory: a row of the range table takes it.
            layout.add_table(0, [(0, Fr::zero())]);
            memory_homes = layout.banks(program, memory_tag);
            committed = layout.committed_tables(program, &mut next_tag)?;
            next_row = FIRST_ROW + layout.table.len();
        }
        let first_limb = i64::from(shape.trees);
        layout.add_table(0, (first_limb..1 << shape.limb_bits).map(nothing));
        for (tag, function) in (1..).zip(&program.tables) {
            let entries = function.entries.iter().map(|entry| from_i128((*entry).into()));
            layout.add_table(tag, (0..).zip(entries));
        }
        layout.add_table(bit_tag, [0, 1].map(nothing));
        layout.add_table(zero_tag, [0].map(nothing));
        let mut builder = Self {
            program,
            homes: vec![None; program.cells],
            first_parameters: model.first_cells(),
            parameter_homes: vec![None; model.count()],
            model,
            unchecked: vec![false; program.cells],
            next_row,
            slots: HashMap::new(),
            elsewhere: HashSet::new(),
            pending: HashMap::new(),
            channels: HashMap::new(),
            bit_tag,
            zero_tag,
            memory_tag,
            memory_homes,
            next_tag,
            committed,
            layout,
        };
        // The entries of committed trees are the last of the parameters.
        let entries: Vec<usize> = builder
            .layout
            .memory_rows
            .iter()
            .skip(program.memory.len())
            .copied()
            .collect();
        for (index, row) in (builder.model.layer_cells()..).zip(entries) {
            builder.parameter_homes[index] = Some(row);
            builder.layout.parameters.push((row, index));
            if shape.link.is_some() {
                builder.layout.fixed.set_model(row, link::ENTRY);
                builder.layout.model_cell(0, row, ModelContent::Entry(index));
            }
        }
        Ok(builder)
    }

    fn finish(mut self, public_rows: Vec<usize>) -> Layout {
        self.layout.public_rows = public_rows;
        self.layout.rows = self.next_row;
        self.layout
    }

    fn step(&mut self, index: usize, step: &Step) -> Result<(), CircuitError> {
        match step {
            Step::Witness { cells, range, .. } => {
                for cell in cells {
                    self.witness(*cell, *range);
                }
                Ok(())
            }
            Step::Layer(layer) if layer.parameters.is_some() && self.layout.shape.link.is_none() => {
                self.committed_layer(index, layer)
            }
            Step::Layer(layer) => self.layer(index, layer),
            Step::Curve { table, input, output } => self.curve(*table, *input, *output),
            Step::Bin { table, input, output } => self.bin(*table, *input, *output),
            Step::Tree(path) => self.tree(index, path),
        }
    }

    fn home(&self, cell: CellId) -> Result<usize, CircuitError> {
        self.homes
            .get(cell.index())
            .copied()
            .flatten()
            .ok_or(CircuitError::UndefinedCell { cell: cell.0 })
    }

    /// Makes `row` the home of a new cell.
    fn define(&mut self, cell: CellId, row: usize) {
        self.homes[cell.index()] = Some(row);
        self.layout.values.push((row, cell));
    }

    /// Puts a copy of a known cell on `row`.
    pub(crate) fn copy(&mut self, cell: CellId, row: usize) -> Result<(), CircuitError> {
        let home = self.home(cell)?;
        self.layout.copies.push((home, row));
        self.layout.values.push((row, cell));
        Ok(())
    }

    pub(crate) fn take_rows(&mut self, count: usize) -> usize {
        let first = self.next_row;
        self.next_row += count;
        first
    }

    /// The first row of a gadget of this length: the lanes interleave.
    fn slot(&mut self, length: usize) -> usize {
        if let Some(row) = self.slots.get_mut(&length).and_then(Vec::pop) {
            return row;
        }
        let lanes = self.layout.shape.lanes;
        let first = self.take_rows(length * lanes);
        self.slots.insert(length, (first + 1..first + lanes).rev().collect());
        first
    }

    fn witness(&mut self, cell: CellId, range: CellRange) {
        let row = match range {
            CellRange::Wide => {
                let home = self.memory_homes.remove(&cell);
                home.unwrap_or_else(|| self.slot(tree::NUMBER_ROWS))
            }
            CellRange::Cell | CellRange::Limb | CellRange::Bit | CellRange::Unchecked => self.take_rows(1),
        };
        self.define(cell, row);
        match range {
            CellRange::Wide => {
                self.unchecked[cell.index()] = true;
                self.layout.fixed.set_tree(row, tree::NUMBER);
                self.layout.placements.push(Placement::Number { cell, row });
            }
            CellRange::Unchecked => {
                self.unchecked[cell.index()] = true;
                self.layout.placements.push(Placement::Free { cell, row });
            }
            CellRange::Cell => self.cell_gadget(cell, row),
            CellRange::Limb => self.range_gadget(cell, row, true),
            CellRange::Bit => {
                self.layout.fixed.set_tag(row, self.bit_tag);
                self.range_gadget(cell, row, true);
            }
        }
    }

    /// A value of two limbs.
    fn cell_gadget(&mut self, cell: CellId, row: usize) {
        let unit = Fr::from(1 << self.program.limb_bits);
        self.layout.fixed.set_weight(0, row, unit);
        self.range_gadget(cell, row, false);
    }

    fn range_gadget(&mut self, cell: CellId, row: usize, single: bool) {
        self.layout.fixed.set_gadget(row, gadget::RANGE);
        self.layout.placements.push(Placement::Range { cell, row, single });
    }

    fn curve(&mut self, table: TableId, input: CellId, output: CellId) -> Result<(), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let row = self.slot(3);
        self.copy(input, row)?;
        self.define(output, row + lanes);
        let fixed = &mut self.layout.fixed;
        fixed.set_gadget(row, gadget::CURVE);
        self.set_lookups(row, table.into_tag(), &self.program.tables[table.index()]);
        self.layout.placements.push(Placement::Curve {
            table,
            input,
            output,
            row,
        });
        let range_row = self.take_rows(1);
        self.copy(output, range_row)?;
        self.cell_gadget(output, range_row);
        Ok(())
    }

    fn bin(&mut self, table: TableId, input: CellId, output: CellId) -> Result<(), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let row = self.slot(tree::BIN_ROWS);
        self.copy(input, row)?;
        self.define(output, row + lanes);
        self.layout.fixed.set_tree(row, tree::BIN);
        self.layout.fixed.set_tag(row, table.into_tag());
        self.layout.fixed.set_tag(row + lanes, table.into_tag());
        self.layout.placements.push(Placement::Bin { table, input, row });
        Ok(())
    }

    /// One walk per bank of the memory and weight of a leaf: its subtrees, then the leaf. Every level of subtrees is a
    /// table of its own; the last level, which holds the weights, one per weight. All banks share the tables.
    fn tree(&mut self, step: usize, path: &TreePath) -> Result<(), CircuitError> {
        let Shape { lanes, limb_bits, .. } = self.layout.shape;
        let subtrees = subtrees(path, limb_bits)?;
        let tables = match path.committed {
            Some(tree) => self.committed[&tree.id].clone(),
            None => self.tables(path, &subtrees),
        };
        let split_limbs = self.layout.shape.split_limbs();
        let subtree_rows = SubtreePlaces::new(split_limbs).rows;
        let banked = path.outputs.iter().enumerate();
        let walks = banked.flat_map(|(bank, cells)| (0..).zip(cells).map(move |(output, cell)| (bank, output, *cell)));
        for (bank, output, cell) in walks {
            let memory_tag = self.memory_tag + bank as u64;
            let first = self.slot(subtree_rows * subtrees.levels.len() + tree::LEAF_ROWS);
            let mut row = first;
            for tag in tables.upper.iter().chain([&tables.last[output]]) {
                let fixed = &mut self.layout.fixed;
                fixed.set_tree(row, tree::SUBTREE);
                fixed.set_tag(row, *tag);
                fixed.set_tag(row + lanes, memory_tag);
                fixed.set_tag(row + 2 * lanes, memory_tag);
                row += subtree_rows * lanes;
            }
            let bottom = row - subtree_rows * lanes;
            let fixed = &mut self.layout.fixed;
            fixed.set_weight(0, bottom, power_of_two(tree::nodes_limbs(split_limbs) * limb_bits));
            fixed.set_tree(row, tree::LEAF);
            self.define(cell, row);
            // The leaf's directions are the last subtree's.
            let directions = [(bottom, row + lanes), (bottom + lanes, row + 2 * lanes)];
            self.layout.copies.extend(directions);
            self.layout.placements.push(Placement::Walk {
                step,
                bank,
                output,
                row: first,
            });
        }
        self.layout.trees.insert(step, subtrees);
        Ok(())
    }

    /// The tables of a tree that everybody knows.
    fn tables(&mut self, path: &TreePath, subtrees: &Subtrees) -> TreeTables {
        let limb_bits = self.layout.shape.limb_bits;
        let (last, upper) = subtrees.split();
        let mut table = |level: &[Subtree], output: usize| {
            let row = |subtree: &Subtree| (subtree.index.into(), entry(subtree, path, output, limb_bits));
            self.new_table(level.iter().map(row))
        };
        TreeTables {
            upper: upper.iter().map(|level| table(level, 0)).collect(),
            last: (0..path.weights()).map(|output| table(last, output)).collect(),
        }
    }

    fn new_table(&mut self, entries: impl IntoIterator<Item = (i64, Fr)>) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        self.layout.add_table(tag, entries);
        tag
    }

    /// Both rows of a gadget look their keys up in `table`.
    fn set_lookups(&mut self, row: usize, tag: u64, table: &Table) {
        let lanes = self.layout.shape.lanes;
        let fixed = &mut self.layout.fixed;
        fixed.set_tag(row, tag);
        fixed.set_tag(row + lanes, tag);
        fixed.set_weight(0, row + lanes, Fr::from(u64::from(table.stride)));
    }

    fn layer(&mut self, step: usize, layer: &Layer) -> Result<(), CircuitError> {
        for block in self.blocks(step, layer)? {
            self.block(step, layer, &block)?;
        }
        Ok(())
    }

    /// The sums of a layer that are laid out with it, by block and lane.
    fn blocks(&self, step: usize, layer: &Layer) -> Result<Vec<Vec<Vec<usize>>>, CircuitError> {
        let all = 0..layer.sums.len();
        let all: Vec<usize> = all.filter(|sum| !self.elsewhere.contains(&(step, *sum))).collect();
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let lanes = self.layout.shape.lanes;
        let chains = all.len().div_ceil(self.digits_per_lane(layer)?);
        let blocks = chains.div_ceil(lanes);
        let balanced = all.len().div_ceil(blocks * lanes);
        let chains: Vec<Vec<usize>> = all.chunks(balanced).map(<[usize]>::to_vec).collect();
        Ok(chains.chunks(lanes).map(<[Vec<usize>]>::to_vec).collect())
    }

    /// How many sums share an accumulator. Sums that are themselves the constraint stand alone: nothing bounds them
    /// before they are unpacked.
    fn digits_per_lane(&self, layer: &Layer) -> Result<usize, CircuitError> {
        let bounded = layer.inputs.iter().all(|cell| !self.unchecked[cell.index()])
            && layer
                .sums
                .iter()
                .all(|sum| sum.products.is_empty() && matches!(sum.finish, Finish::Lookup { .. }));
        if !bounded {
            return Ok(1);
        }
        let bits = self.radix_bits(layer);
        let count = (PACKED_BITS / bits).floor() as usize;
        if count == 0 {
            return Err(CircuitError::SumTooWide {
                node: layer.name.clone(),
                bits: bits.ceil() as u32,
            });
        }
        Ok(count)
    }

    fn radix_bits(&self, layer: &Layer) -> f64 {
        f64::from(4 * self.program.limb_bits) + (domain(self.program, layer) as f64).log2()
    }

    /// What a block reads and takes.
    fn block_size(&self, layer: &Layer, chains: &[Vec<usize>]) -> BlockSize {
        let lanes = self.layout.shape.lanes;
        let sums = || chains.iter().flatten();
        let is_linked = layer.parameters.is_some();
        // Only the cells that the block's sums read are copied. Which ones a linked model reads is not to be seen.
        let read: Vec<usize> = (0..layer.inputs.len())
            .filter(|offset| is_linked || sums().any(|sum| layer.sums[*sum].weights[*offset] != 0))
            .collect();
        // Without an input there is nothing that a window of a linked model may read.
        let has_windows = !is_linked || !read.is_empty();
        let dot_steps = if has_windows {
            (read.len() + lanes - 1).div_ceil(lanes)
        } else {
            0
        };
        let passing_steps = usize::from(is_linked && has_windows && lanes > 1);
        let products = sums().map(|sum| layer.sums[*sum].products.len()).max();
        let product_steps = 2 * products.unwrap_or(0);
        let digits = chains.iter().map(Vec::len).max().unwrap_or(0);
        BlockSize {
            read,
            dot_steps,
            passing_steps,
            product_steps,
            rows: lanes * (1 + dot_steps + passing_steps + product_steps + 3 * digits),
        }
    }

    /// One block: `C` load rows, the accumulating rows, then the digits, the lanes interleaved.
    fn block(&mut self, step: usize, layer: &Layer, chains: &[Vec<usize>]) -> Result<(), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let BlockSize {
            read,
            dot_steps,
            passing_steps,
            product_steps,
            rows,
        } = self.block_size(layer, chains);
        let is_linked = layer.parameters.is_some();
        let accumulate_steps = dot_steps + passing_steps + product_steps;
        let load_row = self.take_rows(rows);
        let first_dot = load_row + lanes;
        // Lane a sees x(first_value + t) at its row first_dot + a + C·s through the window's place t + C−1 − a − C·s.
        let first_value = first_dot + lanes - 1;
        for (place, offset) in read.iter().enumerate() {
            self.copy(layer.inputs[*offset], first_value + place)?;
        }
        if let Some(first) = read.first().filter(|_| is_linked) {
            // A window must not read what a prover may choose, or what follows from the sum: the model's columns may hold
            // anything there.
            let windows = first_dot..first_dot + lanes * (dot_steps + 1) - 1;
            let inputs = first_value..first_value + read.len();
            for row in windows.filter(|row| !inputs.contains(row)) {
                self.copy(layer.inputs[*first], row)?;
            }
        }
        let radix = self.radix(layer);
        for (lane, chain) in chains.iter().enumerate() {
            let lane_first = first_dot + lane;
            self.layout.fixed.set_accumulate(load_row + lane, accumulate::LOAD);
            let sums = chain[0]..chain[0] + chain.len();
            if is_linked {
                self.layout.fixed.set_model(load_row + lane, link::LOAD);
                let content = ModelContent::Sums {
                    step,
                    sums: sums.clone(),
                    input: None,
                };
                self.layout.model_cell(0, load_row + lane, content);
            } else {
                let constant = packed(&radix, chain, |sum| self.scaled(layer, sum, layer.sums[sum].bias));
                self.layout.fixed.set_weight(0, load_row + lane, constant);
            }
            for dot_step in 0..accumulate_steps {
                let row = lane_first + lanes * dot_step;
                if is_linked && dot_step < dot_steps {
                    self.layout.fixed.set_model(row, link::DOT);
                } else {
                    self.layout.fixed.set_accumulate(row, accumulate::DOT);
                }
            }
            for (place, offset) in read.iter().enumerate() {
                let distance = first_value + place - lane_first;
                let row = lane_first + lanes * (distance / lanes);
                if is_linked {
                    let content = ModelContent::Sums {
                        step,
                        sums: sums.clone(),
                        input: Some(*offset),
                    };
                    self.layout.model_cell(distance % lanes, row, content);
                    continue;
                }
                let weight = packed(&radix, chain, |sum| {
                    self.scaled(layer, sum, i128::from(layer.sums[sum].weights[*offset]))
                });
                self.layout.fixed.set_weight(distance % lanes, row, weight);
            }
            if product_steps > 0 {
                // Products stand below the window, where every weight is zero.
                for (index, (left, right)) in layer.sums[chain[0]].products.iter().enumerate() {
                    let row = lane_first + lanes * (dot_steps + passing_steps + 2 * index);
                    self.layout.fixed.set_accumulate(row, accumulate::PRODUCT);
                    self.copy(*left, row)?;
                    self.copy(*right, row + lanes)?;
                }
            }
            let digit_row = lane_first + lanes * accumulate_steps;
            for (position, sum) in chain.iter().enumerate() {
                let row = digit_row + 3 * lanes * position;
                let rest = if position + 1 < chain.len() { radix } else { Fr::zero() };
                self.layout.fixed.set_weight(0, row, rest);
                self.digit(layer, *sum, row);
            }
            self.layout.placements.push(Placement::Lane(Lane {
                step,
                load_row: load_row + lane,
                accumulate_steps,
                digit_row,
                sums: chain.clone(),
            }));
        }
        Ok(())
    }

    /// The gadget that takes the lowest digit off an accumulator.
    fn digit(&mut self, layer: &Layer, sum: usize, row: usize) {
        let lanes = self.layout.shape.lanes;
        self.layout.fixed.set_gadget(row, gadget::DIGIT);
        match layer.sums[sum].finish {
            Finish::Lookup { table, output } => {
                self.set_lookups(row, table.into_tag(), &self.program.tables[table.index()]);
                self.define(output, row);
            }
            Finish::Zero | Finish::NonNegative => {
                self.layout.fixed.set_tag(row, self.zero_tag);
                self.layout.fixed.set_tag(row + lanes, self.zero_tag);
            }
        }
    }

    fn radix(&self, layer: &Layer) -> Fr {
        radix(self.program, layer)
    }

    /// A coefficient of a sum as the accumulator holds it: sums that must be zero are scaled by `2^(4L)`, so that the
    /// only digit they can be is zero.
    fn scaled(&self, layer: &Layer, sum: usize, coefficient: i128) -> Fr {
        let value = from_i128(coefficient);
        match layer.sums[sum].finish {
            Finish::Zero => value * from_i128(1 << (4 * self.program.limb_bits)),
            Finish::Lookup { .. } | Finish::NonNegative => value,
        }
    }
}

/// What a block reads, as offsets into its layer's inputs, and what it takes.
struct BlockSize {
    read: Vec<usize>,
    dot_steps: usize,
    /// Behind the windows of a linked model, whose last rows overlap the next ones.
    passing_steps: usize,
    product_steps: usize,
    rows: usize,
}

/// The largest number of table rows any sum of the layer may reach.
fn domain(program: &Program, layer: &Layer) -> usize {
    let domains = layer.sums.iter().map(|sum| match sum.finish {
        Finish::Lookup { table, .. } => program.tables[table.index()].domain(),
        Finish::Zero | Finish::NonNegative => 1,
    });
    domains.max().unwrap_or(1)
}

/// `domain · 2^(4L)`: no sum of the layer reaches it.
fn radix(program: &Program, layer: &Layer) -> Fr {
    from_i128((domain(program, layer) as i128) << (4 * program.limb_bits))
}

/// `Σ_j radix^j · coefficient(chain[j])`
fn packed(radix: &Fr, chain: &[usize], coefficient: impl Fn(usize) -> Fr) -> Fr {
    chain
        .iter()
        .rev()
        .fold(Fr::zero(), |total, sum| total * radix + coefficient(*sum))
}

trait IntoTag {
    fn into_tag(self) -> u64;
}

impl IntoTag for TableId {
    /// Tag 0 is the range table.
    fn into_tag(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl FixedColumns {
    /// A weight.
    pub(crate) fn weight(&self, lane: usize, row: usize) -> Fr {
        self.weights[lane].get(row).copied().unwrap_or_default()
    }

    fn set<T: Clone + Default>(column: &mut Vec<T>, row: usize, value: T) {
        if column.len() <= row {
            column.resize(row + 1, T::default());
        }
        column[row] = value;
    }

    fn set_gadget(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_gadget, row, kind);
    }

    pub(crate) fn set_accumulate(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_accumulate, row, kind);
    }

    fn set_tree(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_tree, row, kind);
    }

    fn set_evaluate(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_evaluate, row, kind);
    }

    pub(crate) fn set_hash(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_hash, row, kind);
    }

    /// A constant of a hash: in the first column of weights, or in one of its own.
    pub(crate) fn set_hash_constant(&mut self, shape: Shape, row: usize, constant: Fr) {
        match shape.hash_lanes {
            0 => self.set_weight(0, row, constant),
            _ => Self::set(&mut self.hash_constants, row, constant),
        }
    }

    /// A constant of a hash.
    pub(crate) fn hash_constant(&self, shape: Shape, row: usize) -> Fr {
        match shape.hash_lanes {
            0 => self.weight(0, row),
            _ => self.hash_constants.get(row).copied().unwrap_or_default(),
        }
    }

    pub(crate) fn set_model(&mut self, row: usize, kind: u64) {
        Self::set(&mut self.q_model, row, kind);
    }

    fn set_tag(&mut self, row: usize, tag: u64) {
        Self::set(&mut self.tag, row, tag);
    }

    pub(crate) fn set_weight(&mut self, lane: usize, row: usize, weight: Fr) {
        if !bool::from(weight.is_zero()) {
            Self::set(&mut self.weights[lane], row, weight);
        }
    }
}
