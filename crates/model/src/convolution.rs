//! Which sums of a program are one convolution: the same weights over cells that stand at other places.
//!
//! A record names places only. Its kernel is read off the sums themselves, and a record whose sums are no convolution is
//! refused, so a record can never change what a program means.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{CellId, Finish, Program, Step};

/// A cell on a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The cell.
    pub cell: CellId,
    /// Which of the numbers at its position.
    pub channel: u32,
    /// Position, row and column.
    pub position: [i32; 2],
}

/// Sums `D(m, p) = bias(m, p) + Σ kernel(m, c, p − q)·x(c, q)` over the cells `x` that there are: convolutions and
/// products of matrices, where the rows of one factor are positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convolution {
    /// Node in the model, for messages and plans.
    pub name: String,
    /// The cells `x(c, q)`.
    pub cells: Vec<Placed>,
    /// The results of the sums `D(m, p)`, all of [`Finish::Lookup`].
    pub outputs: Vec<Placed>,
}

/// One coefficient of a kernel: output channel, input channel, distance from the cell to the output.
pub type Tap = (u32, u32, [i32; 2]);

/// What the sums of a [`Convolution`] have in common: `kernel = weights + factors`, and cells enter as `x − shift`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Constant coefficients.
    pub weights: BTreeMap<Tap, i64>,
    /// Coefficients that are cells.
    pub factors: BTreeMap<Tap, CellId>,
    /// What is taken from every cell `x`.
    pub shift: i64,
    /// The sum behind each output, `(step, sum)`, and its constant term beside the convolution of `x − shift`.
    pub sums: Vec<(usize, usize, i128)>,
}

/// No grid of a real model is larger.
const MAX_POSITION: u32 = 1 << 20;

/// Where each result of a [`Finish::Lookup`] is computed: step and sum.
#[derive(Debug, Clone)]
pub struct SumIndex(HashMap<CellId, (usize, usize)>);

impl SumIndex {
    /// Of all sums of a program.
    pub fn new(program: &Program) -> Self {
        let layers = program
            .steps
            .iter()
            .enumerate()
            .filter_map(|(step, known)| match known {
                Step::Layer(layer) => Some((step, layer)),
                _ => None,
            });
        let sums = layers.flat_map(|(step, layer)| {
            layer
                .sums
                .iter()
                .enumerate()
                .filter_map(move |(index, sum)| match sum.finish {
                    Finish::Lookup { output, .. } => Some((output, (step, index))),
                    Finish::Zero | Finish::NonNegative => None,
                })
        });
        Self(sums.collect())
    }

    /// The sum that computes a cell.
    pub fn get(&self, cell: CellId) -> Option<(usize, usize)> {
        self.0.get(&cell).copied()
    }
}

impl Convolution {
    /// Reads the kernel off the sums.
    ///
    /// # Errors
    /// In words, if the sums are not the convolution that the places say.
    pub fn kernel(&self, program: &Program, index: &SumIndex) -> Result<Kernel, &'static str> {
        let mut kernel = Kernel {
            weights: BTreeMap::new(),
            factors: BTreeMap::new(),
            shift: 0,
            sums: Vec::with_capacity(self.outputs.len()),
        };
        let (mut places, mut occupied) = (HashMap::new(), HashMap::new());
        for placed in self.cells.iter().chain(&self.outputs) {
            let small = placed.position.iter().all(|axis| axis.unsigned_abs() <= MAX_POSITION);
            require(small, "a convolution reaches too far")?;
        }
        for placed in &self.cells {
            let unique = places.insert(placed.cell, placed).is_none()
                && occupied
                    .insert((placed.channel, placed.position), placed.cell)
                    .is_none();
            require(unique, "a convolution places a cell twice")?;
        }
        let mut shift = None;
        let mut read = Vec::with_capacity(self.outputs.len());
        let mut seen = HashMap::new();
        for output in &self.outputs {
            let unique = seen.insert((output.channel, output.position), output.cell).is_none();
            require(unique, "a convolution places an output twice")?;
            let (step, sum) = index
                .get(output.cell)
                .ok_or("a convolution has an output that no sum computes")?;
            let Step::Layer(layer) = &program.steps[step] else {
                return Err("a convolution has an output that no sum computes");
            };
            require(
                layer.parameters.is_none(),
                "a convolution has a kernel that is committed to",
            )?;
            let tap = |cell: &CellId| {
                let placed: &&Placed = places.get(cell).ok_or("a convolution lacks the place of a cell")?;
                let distance = [0, 1].map(|axis| output.position[axis] - placed.position[axis]);
                Ok::<Tap, &'static str>((output.channel, placed.channel, distance))
            };
            let (mut count, mut factors, mut constant) = (0, HashMap::new(), 0_i128);
            for (left, right) in &layer.sums[sum].products {
                require(!places.contains_key(right), "a convolution multiplies its own cells")?;
                require(
                    *kernel.factors.entry(tap(left)?).or_insert(*right) == *right,
                    "a convolution has two kernels",
                )?;
                *factors.entry(*right).or_insert(0_i64) += 1;
            }
            for (cell, weight) in layer.inputs.iter().zip(&layer.sums[sum].weights) {
                // `(x − shift)·y` takes `shift·y` off.
                if let Some(times) = factors.remove(cell) {
                    let one = weight
                        .checked_neg()
                        .filter(|weight| weight % times == 0)
                        .map(|weight| weight / times);
                    let one = one.ok_or("a convolution has two shifts")?;
                    require(*shift.get_or_insert(one) == one, "a convolution has two shifts")?;
                } else if *weight != 0 {
                    require(
                        *kernel.weights.entry(tap(cell)?).or_insert(*weight) == *weight,
                        "a convolution has two kernels",
                    )?;
                    count += 1;
                    constant += i128::from(*weight);
                }
            }
            if !factors.is_empty() {
                require(*shift.get_or_insert(0) == 0, "a convolution has two shifts")?;
            }
            read.push((count, layer.sums[sum].products.len()));
            kernel.sums.push((step, sum, constant));
        }
        // Every cell that the kernel reaches is read.
        let reached = |taps: &mut dyn Iterator<Item = &Tap>| {
            let mut by_channel: HashMap<u32, Vec<(u32, [i32; 2])>> = HashMap::new();
            for (output, channel, distance) in taps {
                by_channel.entry(*output).or_default().push((*channel, *distance));
            }
            by_channel
        };
        let (weights, factors) = (reached(&mut kernel.weights.keys()), reached(&mut kernel.factors.keys()));
        kernel.shift = shift.unwrap_or(0);
        for ((output, read), (step, sum, constant)) in self.outputs.iter().zip(read).zip(&mut kernel.sums) {
            let there = |(channel, distance): &&(u32, [i32; 2])| {
                let position = [0, 1].map(|axis| output.position[axis] - distance[axis]);
                occupied.contains_key(&(*channel, position))
            };
            let count =
                |taps: &HashMap<u32, Vec<_>>| taps.get(&output.channel).into_iter().flatten().filter(there).count();
            require(
                read == (count(&weights), count(&factors)),
                "a convolution leaves out a cell that its kernel reaches",
            )?;
            if let Step::Layer(layer) = &program.steps[*step] {
                *constant = layer.sums[*sum].bias + i128::from(kernel.shift) * *constant;
            }
        }
        require(
            kernel.shift.unsigned_abs() < 1 << 40,
            "a convolution has too large a shift",
        )?;
        Ok(kernel)
    }

    /// How many different positions its outputs have.
    pub fn positions(&self) -> usize {
        let mut positions: Vec<[i32; 2]> = self.outputs.iter().map(|output| output.position).collect();
        positions.sort_unstable();
        positions.dedup();
        positions.len()
    }
}

fn require(holds: bool, problem: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(problem) }
}
