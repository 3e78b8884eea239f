//! The integer program: the exact meaning of a compiled model.
//!
//! Every number is a *cell*, a non-negative integer of at most `2·limb_bits` bits (inclusive of `2^(2·limb_bits)`)
//! that stands for the real `(cell − zero) / 2^scale`. A program is a list of steps over cells; each step has one
//! result for every input, and the circuit proves exactly these steps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Convolution, ModelError, OpenedTree, OutputKind, ParameterBlock, ordered::ordered};

/// Names one cell of a [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellId(pub u32);

impl CellId {
    /// Position in a cell vector.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names one table of a [`Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u32);

impl TableId {
    /// Position in the table vector.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Fixed-point format: a cell `c` stands for `(c − zero) / 2^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Binary digits after the point (negative for coarse steps).
    pub scale: i32,
    /// The cell that stands for zero.
    pub zero: i64,
}

impl Format {
    /// Whole numbers from zero on.
    pub const INTEGER: Self = Self { scale: 0, zero: 0 };

    /// The real number a cell stands for.
    pub fn dequantize(&self, cell: i64) -> f64 {
        (cell - self.zero) as f64 / self.step()
    }

    /// The nearest cell (half up), not limited to any range.
    pub fn quantize(&self, value: f64) -> f64 {
        (value * self.step() + 0.5).floor() + self.zero as f64
    }

    /// `2^scale`.
    pub fn step(&self) -> f64 {
        f64::powi(2.0, self.scale)
    }
}

/// A function of the high bits of a number, read at one or two neighbouring entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    /// Value at each index from zero.
    pub entries: Vec<i64>,
    /// Distance to the second entry: 1 interpolates between neighbours, 0 makes a step function.
    pub stride: u8,
}

impl Table {
    /// How many indices may be asked.
    pub fn domain(&self) -> usize {
        self.entries.len().saturating_sub(usize::from(self.stride))
    }

    /// Both entries at `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Table::domain`].
    pub fn pair(&self, index: usize) -> (i64, i64) {
        (self.entries[index], self.entries[index + usize::from(self.stride)])
    }

    /// `0` up to the origin, then linear up to `full` at the next index, then `full`: a clamp.
    pub fn clamp(origin: usize, domain: usize, full: i64) -> Self {
        let entries = (0..=domain)
            .map(|index| if index <= origin { 0 } else { full })
            .collect();
        Self { entries, stride: 1 }
    }

    /// `0` up to the origin, then one more per index, up to `top`: whole numbers held between bounds. As long as that
    /// takes at least.
    pub fn ramp(origin: usize, domain: usize, top: i64) -> Self {
        let least = usize::try_from(top).map_or(0, |top| origin + top + 1);
        let entry = |index: usize| (index as i64 - origin as i64).clamp(0, top);
        Self {
            entries: (0..domain.max(least)).map(entry).collect(),
            stride: 0,
        }
    }

    /// `0` below the origin, `1` from there on.
    pub fn step(origin: usize, domain: usize) -> Self {
        let entries = (0..domain).map(|index| i64::from(index >= origin)).collect();
        Self { entries, stride: 0 }
    }
}

/// What is done with a weighted sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The sum `D` is split as `D = r + 2^(2L)·m + 2^(4L)·u` with `r, m < 2^(2L)`, and the output is
    /// `(a·(2^(2L) − m) + b·m) / 2^(2L)` for the table's pair `(a, b)` at `u`: rounding, clamping, comparison in one.
    /// Every assignment of the cells gives a `D` that the table covers.
    Lookup {
        /// The table.
        table: TableId,
        /// The result.
        output: CellId,
    },
    /// The sum must be zero.
    Zero,
    /// The sum must lie in `[0, 2^(4L))`.
    NonNegative,
}

impl Finish {
    /// The cell it computes.
    pub fn output(&self) -> Option<CellId> {
        match self {
            Self::Lookup { output, .. } => Some(*output),
            Self::Zero | Self::NonNegative => None,
        }
    }
}

/// One weighted sum of a [`Layer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// One weight per layer input.
    pub weights: Vec<i64>,
    /// Products of two cells, added to the sum.
    pub products: Vec<(CellId, CellId)>,
    /// Constant term, offsets and the rounding half included.
    pub bias: i128,
    /// What follows.
    pub finish: Finish,
}

/// Weighted sums over the same cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Node in the model, for messages and plans.
    pub name: String,
    /// The cells summed over.
    pub inputs: Vec<CellId>,
    /// The sums. Where parameters are not here, they have no weights, and a constant without bias.
    pub sums: Vec<Sum>,
    /// What weights and biases are, where they are a committed model's: nobody but its holder may know them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<ParameterBlock>,
}

impl Layer {
    /// Value of sum `index` for these cells.
    pub fn sum(&self, index: usize, cells: &[i64]) -> i128 {
        let sum = &self.sums[index];
        let cell = |id: &CellId| i128::from(cells[id.index()]);
        let linear = sum
            .weights
            .iter()
            .zip(&self.inputs)
            .map(|(weight, id)| i128::from(*weight) * cell(id));
        let products = sum.products.iter().map(|(left, right)| cell(left) * cell(right));
        sum.bias + linear.sum::<i128>() + products.sum::<i128>()
    }
}

/// `Σ weight·cell + bias`, in integers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combination {
    /// Cells and their weights.
    pub terms: Vec<(CellId, i64)>,
    /// Constant term.
    pub bias: i64,
}

impl Combination {
    /// A single cell.
    pub fn cell(cell: CellId) -> Self {
        Self::sum(&[cell])
    }

    /// The sum of some cells.
    pub fn sum(cells: &[CellId]) -> Self {
        Self {
            terms: cells.iter().map(|cell| (*cell, 1)).collect(),
            bias: 0,
        }
    }

    /// The value for these cells, held within 64 bits.
    pub fn value(&self, cells: &[i64]) -> i64 {
        let products = self
            .terms
            .iter()
            .map(|(cell, weight)| i128::from(*weight).saturating_mul(i128::from(cells[cell.index()])));
        let total = products.fold(i128::from(self.bias), i128::saturating_add);
        total.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// How the evaluator finds cells that no earlier step computes. The steps that follow bind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Given from outside.
    Input,
    /// One bit per category, set where the source equals it.
    OneHot {
        /// The encoded cell.
        source: CellId,
        /// Its values, distinct.
        categories: Vec<i64>,
    },
    /// The largest of these.
    Maximum(Vec<Combination>),
    /// A sum.
    Total(Combination),
    /// One bit each, set at the first largest.
    FirstMaximum(Vec<Combination>),
    /// `⌊numerator·(2^(2L) − 1) / denominator⌋`, one numerator per cell: a whole is the largest fraction below one.
    Quotient {
        /// Numerators.
        numerators: Vec<CellId>,
        /// The common denominator.
        denominator: CellId,
    },
}

/// The range that a witness step proves of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// `[0, 2^(2L))`.
    Cell,
    /// `[0, 2^L)`.
    Limb,
    /// `{0, 1}`.
    Bit,
    /// `[0, 2^(4L))`: numbers that committed trees compare.
    Wide,
    /// Nothing: the sums that follow bound the cell. Such sums stand alone in the circuit.
    Unchecked,
}

/// A branch of a [`TreePath`]: below where the feature's bin is at most `split`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitNode {
    /// Position in the level of the complete tree: the children are `2·index` (below) and `2·index + 1`.
    pub index: u32,
    /// Address in the [bank](Program::banks) of whichever row is decided on.
    pub feature: u32,
    /// Largest bin that goes below.
    pub split: u32,
}

/// A leaf of a [`TreePath`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafNode {
    /// Position in the last level of the complete tree.
    pub index: u32,
    /// One weight per output of the path.
    pub weights: Vec<i64>,
}

/// What everybody may know of a tree whose nodes and leaves are the secret of a committed model's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedTree {
    /// Place among the trees of a program. Paths of one number walk one tree.
    pub id: u32,
    /// Levels of nodes: the tree is complete.
    pub depth: u32,
    /// How a leaf's weight stands for a real number.
    pub format: Format,
    /// The score that its leaves' first weight is added to.
    #[serde(default)]
    pub score: u32,
}

/// A decision tree whose paths all have the same length: a leaf above the last level is continued downwards by
/// branches that always go below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreePath {
    /// Node in the model, for messages and plans.
    pub name: String,
    /// Where nodes and leaves are committed to. They compare with whole numbers of four limbs, not with bins, and may
    /// not be here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<CommittedTree>,
    /// The nodes of each level, by index.
    pub levels: Vec<Vec<SplitNode>>,
    /// The leaves, by index.
    pub leaves: Vec<LeafNode>,
    /// The reached leaf's weights, for each row of a table; there is one where nothing is said of a table.
    pub outputs: Vec<Vec<CellId>>,
}

impl TreePath {
    /// Weights of a leaf.
    pub fn weights(&self) -> usize {
        self.outputs.first().map_or(0, Vec::len)
    }

    /// The largest split: every number is at most this.
    pub fn always(&self, limb_bits: u32) -> u32 {
        match self.committed {
            Some(_) => u32::MAX,
            None => (1 << limb_bits) - 1,
        }
    }

    /// Whether nodes and leaves are not here.
    pub fn lacks_nodes(&self) -> bool {
        self.committed.is_some() && self.leaves.is_empty()
    }

    /// The path with nodes and leaves: blank ones where they are not here.
    pub fn complete(&self) -> Cow<'_, Self> {
        match self.committed {
            Some(committed) if self.lacks_nodes() => {
                let node = |index| SplitNode {
                    index,
                    feature: 0,
                    split: u32::MAX,
                };
                let leaf = |index| LeafNode {
                    index,
                    weights: vec![0; self.weights()],
                };
                let mut path = self.clone();
                path.levels = (0..committed.depth)
                    .map(|level| (0..1 << level).map(node).collect())
                    .collect();
                path.leaves = (0..1 << committed.depth).map(leaf).collect();
                Cow::Owned(path)
            }
            _ => Cow::Borrowed(self),
        }
    }
}

/// One step of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// New cells within a range, their values found by `source`.
    Witness {
        /// The cells.
        cells: Vec<CellId>,
        /// What is proven of them here.
        range: Range,
        /// Where their values come from.
        source: Source,
    },
    /// Weighted sums.
    Layer(Layer),
    /// The bin of a number: the output is the index `b` with `entries[b] ≤ input < entries[b + 1]`.
    Bin {
        /// Increasing bounds.
        table: TableId,
        /// A `float32` value as an integer of the same order.
        input: CellId,
        /// The bin.
        output: CellId,
    },
    /// A decision tree over bins.
    Tree(TreePath),
    /// A piecewise-linear function: with `W = 2^(L+1)` and `input = m + W·u`, `0 ≤ m < W`, the output is
    /// `⌊(a·(W − m) + b·m + W/2) / W⌋` for the table's pair `(a, b)` at `u`.
    Curve {
        /// The table.
        table: TableId,
        /// Argument.
        input: CellId,
        /// Result.
        output: CellId,
    },
}

/// One input element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputCell {
    /// Graph input it belongs to.
    pub tensor: usize,
    /// Position in that input.
    pub index: usize,
    /// The cell.
    pub cell: CellId,
    /// Its format, unless it is taken as it is.
    pub format: Format,
    /// Whether the cell is the value's place in the order of `float32` ([`ordered`](crate::ordered)) instead of a
    /// fixed-point number.
    pub float32: bool,
    /// Categories, where the model encodes this input one-hot.
    pub categories: Option<Vec<i64>>,
}

/// One graph output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputCells {
    /// Name in the ONNX file.
    pub name: String,
    /// Shape, batch of one.
    pub shape: Vec<usize>,
    /// How to read the numbers.
    pub kind: OutputKind,
    /// One cell per element.
    pub cells: Vec<CellId>,
    /// Format of the cells.
    pub format: Format,
    /// Whether the cells are the whole numbers of the model itself, without any error.
    #[serde(default)]
    pub exact: bool,
}

/// Clamped numbers of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// Node or output in the model.
    pub name: String,
    /// The numbers.
    pub limits: Vec<Limit>,
}

/// How many numbers of one node reached an end of their format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saturated {
    /// Node or output in the model.
    pub name: String,
    /// Numbers at an end.
    pub values: usize,
    /// Numbers whose format has ends.
    pub of: usize,
}

impl Saturated {
    /// The share of numbers at an end.
    pub fn share(&self) -> f64 {
        self.values as f64 / self.of.max(1) as f64
    }
}

/// A clamped number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The cell.
    pub cell: CellId,
    /// Whether its lower end cuts numbers off; the lower end of a ReLU does not.
    pub low: bool,
    /// Whether its upper end cuts numbers off; where a function is flat from there on it does not.
    pub high: bool,
}

/// How a function of one variable was tabulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TabulatedFunction {
    /// Node in the model.
    pub name: String,
    /// Smallest argument on the calibration samples.
    pub low: f64,
    /// Largest argument on the calibration samples.
    pub high: f64,
    /// Largest distance between table and function in between.
    pub error: f64,
}

/// A compiled model: exact, and independent of any circuit layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Bits of one range-checked limb, `L`; a cell has two limbs.
    pub limb_bits: u32,
    /// Number of cells.
    pub cells: usize,
    /// Function tables.
    pub tables: Vec<Table>,
    /// Cells that trees read by address, bank by bank: as many for every row of a table.
    pub memory: Vec<CellId>,
    /// Numbers whose format ends before all they could be, by node.
    pub limited: Vec<Limited>,
    /// What is known of the tables of functions, for people.
    #[serde(default)]
    pub functions: Vec<TabulatedFunction>,
    /// Steps in order; a step reads only cells of earlier ones.
    pub steps: Vec<Step>,
    /// Sums among the steps that are convolutions; no sum is in two of them.
    #[serde(default)]
    pub convolutions: Vec<Convolution>,
    /// Names of the graph's inputs, in order.
    pub input_names: Vec<String>,
    /// Input elements in graph order.
    pub inputs: Vec<InputCell>,
    /// Outputs in graph order.
    pub outputs: Vec<OutputCells>,
    /// Where the inputs are rows of a table, one after the other: how many. A commitment to them is a tree's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// Where the inputs are the nodes and leaves of committed trees: which. The commitment to them is the model's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<OpenedTree>,
}

impl Program {
    /// Bits of a cell, `2·limb_bits`.
    pub fn cell_bits(&self) -> u32 {
        2 * self.limb_bits
    }

    /// `2^(2·limb_bits)`, the largest cell.
    pub fn cell_max(&self) -> i64 {
        1 << self.cell_bits()
    }

    /// Width of one segment of a [`Step::Curve`], `2^(limb_bits + 1)`.
    pub fn segment_width(&self) -> i64 {
        1 << (self.limb_bits + 1)
    }

    /// Turns a sample (one vector per graph input) into input cells.
    ///
    /// # Errors
    /// Wrong lengths, non-finite values, values outside the format, unknown categories.
    pub fn quantize(&self, sample: &[Vec<f64>]) -> Result<Vec<i64>, ModelError> {
        if sample.len() != self.input_names.len() {
            return Err(ModelError::InputCount {
                expected: self.input_names.len(),
                got: sample.len(),
            });
        }
        for (tensor, (name, values)) in self.input_names.iter().zip(sample).enumerate() {
            let expected = self.inputs.iter().filter(|input| input.tensor == tensor).count();
            if values.len() != expected {
                return Err(ModelError::InputLength {
                    input: name.clone(),
                    expected,
                    got: values.len(),
                });
            }
        }
        self.inputs
            .iter()
            .map(|input| {
                let value = sample[input.tensor][input.index];
                let name = || self.input_names[input.tensor].clone();
                // Trees order infinities like any other number.
                if !value.is_finite() && (value.is_nan() || !input.float32) {
                    return Err(ModelError::NotFinite {
                        what: format!("input {}[{}]", name(), input.index),
                        value,
                    });
                }
                if let Some(categories) = &input.categories
                    && !categories.iter().any(|category| *category as f64 == value)
                {
                    return Err(ModelError::UnknownCategory {
                        input: name(),
                        index: input.index,
                        value,
                        categories: categories.clone(),
                    });
                }
                if input.float32 {
                    return Ok(ordered(value as f32));
                }
                let cell = input.format.quantize(value);
                let last = self.cell_max() - 1;
                if cell < 0.0 || cell > last as f64 {
                    return Err(ModelError::InputOutOfRange {
                        input: name(),
                        index: input.index,
                        value,
                        low: input.format.dequantize(0),
                        high: input.format.dequantize(last),
                    });
                }
                Ok(cell as i64)
            })
            .collect()
    }

    /// Runs the program: the reference evaluator, exact integers. Returns every cell.
    ///
    /// # Errors
    /// [`ModelError::Unprovable`] where the program has no answer for these inputs (shares of a total of zero);
    /// [`ModelError::NoParameters`] where it is only an architecture.
    ///
    /// # Panics
    /// If `inputs` did not come from [`Program::quantize`], or the program is malformed.
    pub fn execute(&self, inputs: &[i64]) -> Result<Vec<i64>, ModelError> {
        let mut cells = vec![0; self.cells];
        for (input, value) in self.inputs.iter().zip(inputs) {
            cells[input.cell.index()] = *value;
        }
        for step in &self.steps {
            match step {
                Step::Witness {
                    cells: targets, source, ..
                } => self.witness(targets, source, &mut cells),
                Step::Layer(layer) if layer.lacks_parameters() => return Err(ModelError::NoParameters),
                Step::Layer(layer) => {
                    for (index, sum) in layer.sums.iter().enumerate() {
                        let value = layer.sum(index, &cells);
                        let holds = match sum.finish {
                            Finish::Lookup { table, output } => {
                                let domain = self.tables[table.index()].domain() as i128;
                                let covered = value >= 0 && value >> (2 * self.cell_bits()) < domain;
                                if covered {
                                    cells[output.index()] = self.interpolate(table, &self.split(value));
                                }
                                covered
                            }
                            Finish::Zero => value == 0,
                            Finish::NonNegative => value >= 0 && value >> (2 * self.cell_bits()) == 0,
                        };
                        if !holds {
                            return Err(ModelError::Unprovable {
                                node: layer.name.clone(),
                            });
                        }
                    }
                }
                Step::Curve { table, input, output } => {
                    let argument = cells[input.index()];
                    // No sum of a compiled model ends above; one of a forged file may.
                    if !(0..=self.cell_max()).contains(&argument) {
                        return Err(ModelError::Unprovable {
                            node: "a curve".to_owned(),
                        });
                    }
                    cells[output.index()] = self.curve(*table, argument).value;
                }
                Step::Bin { table, input, output } => {
                    cells[output.index()] = self.bin(*table, cells[input.index()]) as i64;
                }
                Step::Tree(path) if path.lacks_nodes() => return Err(ModelError::NoParameters),
                Step::Tree(path) => {
                    for (bank, outputs) in self.banks().zip(&path.outputs) {
                        let leaf = self.leaf(path, bank, &cells);
                        for (output, weight) in outputs.iter().zip(&leaf.weights) {
                            cells[output.index()] = *weight;
                        }
                    }
                }
            }
        }
        Ok(cells)
    }

    /// Splits a sum as `D = r + 2^(2L)·m + 2^(4L)·u`.
    ///
    /// # Panics
    /// If `sum` is negative or absurdly large: the compiler's bounds exclude it.
    pub fn split(&self, sum: i128) -> Digit {
        let mask = i128::from(self.cell_max() - 1);
        let part = |shift: u32| ((sum >> shift) & mask) as i64;
        let high = usize::try_from(sum >> (2 * self.cell_bits())).expect("sums are bounded by the compiler");
        Digit {
            remainder: part(0),
            middle: part(self.cell_bits()),
            high,
        }
    }

    /// The output of [`Finish::Lookup`] for a split sum.
    pub fn interpolate(&self, table: TableId, digit: &Digit) -> i64 {
        let (first, second) = self.tables[table.index()].pair(digit.high);
        let full = i128::from(self.cell_max());
        let middle = i128::from(digit.middle);
        ((i128::from(first) * (full - middle) + i128::from(second) * middle) >> self.cell_bits()) as i64
    }

    /// The output of [`Step::Curve`] and the parts it is made of.
    pub fn curve(&self, table: TableId, input: i64) -> CurvePoint {
        let width = self.segment_width();
        let segment = (input / width) as usize;
        let middle = input % width;
        let (first, second) = self.tables[table.index()].pair(segment);
        let total = first * (width - middle) + second * middle + width / 2;
        CurvePoint {
            segment,
            middle,
            first,
            second,
            value: total.div_euclid(width),
            remainder: total.rem_euclid(width),
        }
    }

    /// The value of a curve with this table.
    pub(crate) fn interpolated(&self, table: &Table, input: i64) -> i64 {
        let width = self.segment_width();
        let (first, second) = table.pair((input / width) as usize);
        let middle = input % width;
        (first * (width - middle) + second * middle + width / 2).div_euclid(width)
    }

    /// The bin of a number, see [`Step::Bin`].
    pub fn bin(&self, table: TableId, value: i64) -> usize {
        let table = &self.tables[table.index()];
        let above = table.entries.partition_point(|bound| *bound <= value);
        above.saturating_sub(1).min(table.domain().saturating_sub(1))
    }

    /// Cells that trees read by address, for each row of a table.
    pub fn banks(&self) -> impl Iterator<Item = &[CellId]> {
        let features = self.features();
        (0..self.records.unwrap_or(1)).map(move |row| &self.memory[row * features..(row + 1) * features])
    }

    /// Cells that trees read about one row.
    pub fn features(&self) -> usize {
        self.memory.len() / self.records.unwrap_or(1).max(1)
    }

    /// The leaf a tree's walk ends at, over the cells of this [bank](Program::banks).
    ///
    /// # Panics
    /// If the path lacks a node that one of its nodes leads to.
    pub fn leaf<'p>(&self, path: &'p TreePath, bank: &[CellId], cells: &[i64]) -> &'p LeafNode {
        let mut index = 0;
        for level in &path.levels {
            let place = level.binary_search_by_key(&index, |node| node.index);
            let node = level[place.expect("paths are closed")];
            let bin = cells[bank[node.feature as usize].index()];
            index = 2 * index + u32::from(bin > i64::from(node.split));
        }
        let place = path.leaves.binary_search_by_key(&index, |leaf| leaf.index);
        &path.leaves[place.expect("paths are closed")]
    }

    /// Whether some trees are committed to.
    pub fn has_committed_trees(&self) -> bool {
        let is_committed = |step: &Step| matches!(step, Step::Tree(path) if path.committed.is_some());
        self.steps.iter().any(is_committed)
    }

    /// Whether inputs are compared as `float32`, by bins and trees.
    pub fn compares_floats(&self) -> bool {
        let compares = |step: &Step| matches!(step, Step::Bin { .. } | Step::Tree(_));
        self.steps.iter().any(compares)
    }

    fn witness(&self, targets: &[CellId], source: &Source, cells: &mut [i64]) {
        let values: Vec<i64> = match source {
            Source::Input => return,
            Source::OneHot { source, categories } => {
                let value = cells[source.index()];
                categories
                    .iter()
                    .map(|category| i64::from(*category == value))
                    .collect()
            }
            Source::Maximum(among) => {
                vec![among.iter().map(|number| number.value(cells)).max().unwrap_or(0)]
            }
            Source::Total(number) => vec![number.value(cells)],
            Source::FirstMaximum(among) => {
                let values: Vec<i64> = among.iter().map(|number| number.value(cells)).collect();
                let best = values.iter().max().copied();
                let first = values.iter().position(|value| Some(*value) == best);
                (0..values.len()).map(|index| i64::from(Some(index) == first)).collect()
            }
            Source::Quotient {
                numerators,
                denominator,
            } => {
                let denominator = cells[denominator.index()].max(1);
                numerators
                    .iter()
                    .map(|numerator| cells[numerator.index()] * (self.cell_max() - 1) / denominator)
                    .collect()
            }
        };
        for (target, value) in targets.iter().zip(values) {
            cells[target.index()] = value;
        }
    }

    /// The nodes some of whose numbers reached an end of their format, so that the outputs may be far from the floats.
    pub fn saturation(&self, cells: &[i64]) -> Vec<Saturated> {
        let at_end = |limit: &&Limit| {
            let cell = cells[limit.cell.index()];
            (limit.high && cell == self.cell_max()) || (limit.low && cell == 0)
        };
        let counted = self.limited.iter().map(|limited| Saturated {
            name: limited.name.clone(),
            values: limited.limits.iter().filter(at_end).count(),
            of: limited.limits.len(),
        });
        counted.filter(|node| node.values > 0).collect()
    }

    /// Numbers whose format ends before all they could be.
    pub fn limited_values(&self) -> usize {
        self.limited.iter().map(|limited| limited.limits.len()).sum()
    }

    /// Multiplications of one execution, about.
    pub(crate) fn multiplications(&self) -> usize {
        let steps = self.steps.iter().map(|step| match step {
            Step::Layer(layer) => {
                let products = layer.sums.iter().map(|sum| sum.products.len());
                layer.inputs.len() * layer.sums.len() + products.sum::<usize>()
            }
            _ => 1,
        });
        steps.sum()
    }

    /// Numbers of one node whose format ends before all they could be.
    pub(crate) fn limited_values_of(&self, name: &str) -> usize {
        let nodes = self.limited.iter().filter(|limited| limited.name == name);
        nodes.map(|limited| limited.limits.len()).sum()
    }

    /// The outputs as real numbers, in graph order.
    pub fn dequantize_outputs(&self, cells: &[i64]) -> Vec<Vec<f64>> {
        self.outputs
            .iter()
            .map(|output| {
                output
                    .cells
                    .iter()
                    .map(|cell| output.kind.real(output.format.dequantize(cells[cell.index()])))
                    .collect()
            })
            .collect()
    }
}

/// The parts of a sum, see [`Program::split`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `r`
    pub remainder: i64,
    /// `m`
    pub middle: i64,
    /// `u`
    pub high: usize,
}

/// The parts of a curve evaluation, see [`Step::Curve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// `u`
    pub segment: usize,
    /// `m`
    pub middle: i64,
    /// Table entry at `u`.
    pub first: i64,
    /// Table entry at `u + 1`.
    pub second: i64,
    /// Result.
    pub value: i64,
    /// Remainder of the rounding division, in `[0, W)`.
    pub remainder: i64,
}
