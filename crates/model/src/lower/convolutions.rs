//! Finds convolutions and products of matrices among the sums of an operator.
//!
//! What is guessed here are places only, from the shapes of tensors and from which sums read the same cells.
//! [`Convolution::kernel`] then reads the kernel off the sums, and what is none is dropped.

use std::collections::HashMap;

use crate::{
    CellId, Convolution, Graph, Node, Placed, Program, Step, SumIndex, ValueId,
    lower::{Expression, Lowering},
};

/// Which element of a tensor an expression belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) value: ValueId,
    pub(super) element: usize,
    /// Expressions of one element that are made differently: the matches of a maximum.
    pub(super) variant: usize,
}

/// What is known of where cells and sums stand, see [`Lowering::remember`].
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Shapes of the tensors.
    shapes: Vec<Option<Vec<usize>>>,
    /// For the results of an affine map: each cell it reads, the operand's element that the cell is part of, and which
    /// part.
    sources: HashMap<ValueId, HashMap<CellId, (ValueId, usize, usize)>>,
    /// Cells computed from a placed expression.
    cells: HashMap<CellId, Place>,
    variants: HashMap<Vec<usize>, usize>,
    /// Operators that round sums: name, and the cells that they end in.
    operators: Vec<(String, Vec<CellId>)>,
}

impl Places {
    pub(super) fn new(graph: &Graph) -> Self {
        let inputs = graph.inputs.iter().map(|input| Some(input.shape.clone()));
        let nodes = graph.nodes.iter().map(|node| node.shape.clone());
        Self {
            shapes: inputs.chain(nodes).collect(),
            ..Self::default()
        }
    }

    /// A number for one way to make an expression.
    pub(super) fn variant(&mut self, key: Vec<usize>) -> usize {
        let next = self.variants.len() + 1;
        *self.variants.entry(key).or_insert(next)
    }

    /// Channel and position of an element of an image, one row high where it has one axis only.
    fn of_image(&self, value: ValueId, element: usize) -> Option<(usize, [usize; 2])> {
        let (height, width) = self.extent(value)?;
        let plane = height * width;
        Some((element / plane, [element % plane / width, element % width]))
    }

    fn extent(&self, value: ValueId) -> Option<(usize, usize)> {
        match *self.shapes.get(value.0)?.as_deref()? {
            [1, _, width] if width > 0 => Some((1, width)),
            [1, _, height, width] if height * width > 0 => Some((height, width)),
            _ => None,
        }
    }
}

impl Lowering<'_> {
    /// Notes which cells the results of an affine map read, and gives the results their places.
    pub(super) fn place_affine(
        &mut self,
        node: &Node,
        value: ValueId,
        operands: &[(usize, usize)],
        results: &mut [Expression],
        single: impl Fn(usize) -> Option<Option<Place>>,
    ) {
        if self.places.extent(value).is_some() {
            let mut sources = HashMap::new();
            for (input, element) in operands {
                let operand = node.inputs[*input];
                for (rank, cell) in self.values[operand.0][*element].terms.keys().enumerate() {
                    sources.entry(*cell).or_insert((operand, *element, rank));
                }
            }
            self.places.sources.insert(value, sources);
        }
        for (element, result) in results.iter_mut().enumerate() {
            // What is done to one element leaves it where it is.
            result.place = single(element).unwrap_or(Some(Place {
                value,
                element,
                variant: 0,
            }));
        }
    }

    /// Remembers the results of sums that one operator rounds: they may be a convolution.
    pub(super) fn remember(&mut self, name: &str, places: &[Option<Place>], outputs: &[CellId]) {
        let placed = outputs.iter().zip(places);
        let placed = placed.filter_map(|(output, place)| Some((*output, (*place)?)));
        self.places.cells.extend(placed);
        self.places.operators.push((name.to_owned(), outputs.to_vec()));
    }

    /// The convolutions among the sums of the finished program.
    pub(super) fn convolutions(&self) -> Vec<Convolution> {
        let program = &self.program;
        let index = SumIndex::new(program);
        // A single vector has nothing to gain.
        let taps = |found: &Convolution| {
            let kernel = found.kernel(program, &index).ok().filter(|_| found.positions() > 1)?;
            Some(kernel.weights.len() + kernel.factors.len())
        };
        let mut all = Vec::new();
        for (name, outputs) in &self.places.operators {
            let mut guesses: Vec<Vec<Convolution>> = Vec::new();
            guesses.extend(self.images(name, outputs, &index).into_iter().map(|image| vec![image]));
            guesses.push(matrices(program, name, outputs, &index));
            // Everything is some convolution: the one with the smallest kernel.
            let counted = guesses.into_iter().filter_map(|guess| {
                let count: Option<usize> = guess.iter().map(taps).sum();
                Some((count?, guess))
            });
            all.extend(
                counted
                    .min_by_key(|(count, _)| *count)
                    .into_iter()
                    .flat_map(|(_, guess)| guess),
            );
        }
        all
    }

    /// What the sums would be as windows that slide over images, for each stride that fits the sizes.
    fn images(&self, name: &str, outputs: &[CellId], index: &SumIndex) -> Vec<Convolution> {
        let places = &self.places;
        let Some(value) = outputs
            .first()
            .and_then(|cell| places.cells.get(cell))
            .map(|place| place.value)
        else {
            return Vec::new();
        };
        let Some((sources, extent)) = places.sources.get(&value).zip(places.extent(value)) else {
            return Vec::new();
        };
        // All images that are read have one size.
        let Some(inner) = sources
            .values()
            .map(|(operand, ..)| *operand)
            .min()
            .and_then(|operand| places.extent(operand))
        else {
            return Vec::new();
        };
        let strides = |inner: usize, outer: usize| {
            let (low, high) = ((inner / outer).max(1), inner.div_ceil(outer));
            if low == high { vec![low] } else { vec![low, high] }
        };
        let mut found = Vec::new();
        for row in strides(inner.0, extent.0) {
            for column in strides(inner.1, extent.1) {
                found.extend(self.image(name, outputs, index, value, sources, [row, column]));
            }
        }
        found
    }

    fn image(
        &self,
        name: &str,
        outputs: &[CellId],
        index: &SumIndex,
        value: ValueId,
        sources: &HashMap<CellId, (ValueId, usize, usize)>,
        stride: [usize; 2],
    ) -> Option<Convolution> {
        let places = &self.places;
        let scaled = |position: [usize; 2]| [0, 1].map(|axis| (position[axis] * stride[axis]) as i32);
        let (mut channels, mut classes) = (Numbers::default(), Numbers::default());
        let mut placed: HashMap<CellId, Placed> = HashMap::new();
        let mut results = Vec::with_capacity(outputs.len());
        for output in outputs {
            let place = places.cells.get(output).filter(|place| place.value == value)?;
            let (class, position) = places.of_image(value, place.element)?;
            let position = scaled(position);
            let class = classes.number([place.variant, class, 0, 0]);
            results.push(Placed {
                cell: *output,
                channel: class,
                position,
            });
            let mut own = 0;
            for cell in cells_of(&self.program, index.get(*output)?) {
                if placed.contains_key(&cell) {
                    continue;
                }
                let (key, position) = if let Some((operand, element, part)) = sources.get(&cell) {
                    let (channel, position) = places.of_image(*operand, *element)?;
                    // Cells of other formats have other weights.
                    let scale = self.cells[cell.index()].format.scale.rem_euclid(1 << 16) as usize;
                    let key = [2 * operand.0, channel, *part, scale];
                    (key, position.map(|axis| axis as i32))
                } else if let Some(place) = places.cells.get(&cell).filter(|place| place.value == value) {
                    let (channel, position) = places.of_image(value, place.element)?;
                    ([1, place.variant, channel, 0], scaled(position))
                } else {
                    own += 1;
                    ([3, class as usize, own, 0], position)
                };
                placed.insert(
                    cell,
                    Placed {
                        cell,
                        channel: channels.number(key),
                        position,
                    },
                );
            }
        }
        Some(Convolution {
            name: name.to_owned(),
            cells: sorted(placed),
            outputs: results,
        })
    }
}

/// What the sums would be as products of matrices, `Σ_k x(row, k)·y(k, column)`, where the `y` may be constants: sums
/// that read the same cells are one row.
fn matrices(program: &Program, name: &str, outputs: &[CellId], index: &SumIndex) -> Vec<Convolution> {
    let mut readers: HashMap<CellId, usize> = HashMap::new();
    let mut sums = Vec::with_capacity(outputs.len());
    for output in outputs {
        let Some(at) = index.get(*output) else {
            return Vec::new();
        };
        let Step::Layer(layer) = &program.steps[at.0] else {
            return Vec::new();
        };
        let products = &layer.sums[at.1].products;
        let right: Vec<CellId> = products.iter().map(|(_, right)| *right).collect();
        let cells = if products.is_empty() {
            cells_of(program, at)
        } else {
            products.iter().map(|(left, _)| *left).collect()
        };
        for cell in &cells {
            *readers.entry(*cell).or_default() += 1;
        }
        sums.push((*output, cells, right));
    }
    /// One matrix of the left factors.
    #[derive(Default)]
    struct Matrix {
        rows: usize,
        columns: HashMap<Vec<CellId>, usize>,
        cells: HashMap<CellId, Placed>,
        outputs: Vec<Placed>,
    }
    let mut matrices: Vec<Matrix> = Vec::new();
    // Matrix, row, and the sums there are in it.
    let mut rows: HashMap<Vec<CellId>, (usize, usize, usize)> = HashMap::new();
    let mut by_column: HashMap<Vec<CellId>, usize> = HashMap::new();
    for (output, cells, right) in sums {
        let (shared, own): (Vec<CellId>, Vec<CellId>) = cells.iter().partition(|cell| readers[cell] > 1);
        // Constant factors belong to one matrix.
        let matrix = rows
            .get(&shared)
            .map(|row| row.0)
            .or_else(|| by_column.get(&right).copied());
        let matrix = matrix.unwrap_or_else(|| {
            matrices.push(Matrix::default());
            matrices.len() - 1
        });
        by_column.entry(right.clone()).or_insert(matrix);
        let found = &mut matrices[matrix];
        let row = rows.entry(shared.clone()).or_insert_with(|| {
            found.rows += 1;
            (matrix, found.rows - 1, 0)
        });
        let position = [0, row.1 as i32];
        let next = found.columns.len();
        let column = match right.is_empty() {
            true => row.2,
            false => *found.columns.entry(right).or_insert(next),
        } as u32;
        row.2 += 1;
        found.outputs.push(Placed {
            cell: output,
            channel: column,
            position,
        });
        let shared = shared
            .into_iter()
            .enumerate()
            .map(|(rank, cell)| (cell, 2 * rank as u32));
        let own = own.into_iter().enumerate();
        // A column's own cells come in channels of their own.
        let own = own.map(|(rank, cell)| (cell, 2 * (column * 64 + rank as u32) + 1));
        for (cell, channel) in shared.chain(own) {
            found.cells.entry(cell).or_insert(Placed {
                cell,
                channel,
                position,
            });
        }
    }
    let convolution = |matrix: Matrix| Convolution {
        name: name.to_owned(),
        cells: sorted(matrix.cells),
        outputs: matrix.outputs,
    };
    matrices.into_iter().map(convolution).collect()
}

/// The cells that a sum weighs.
fn cells_of(program: &Program, (step, sum): (usize, usize)) -> Vec<CellId> {
    let Step::Layer(layer) = &program.steps[step] else {
        return Vec::new();
    };
    let weights = layer.inputs.iter().zip(&layer.sums[sum].weights);
    weights
        .filter(|(_, weight)| **weight != 0)
        .map(|(cell, _)| *cell)
        .collect()
}

fn sorted(cells: HashMap<CellId, Placed>) -> Vec<Placed> {
    let mut cells: Vec<Placed> = cells.into_values().collect();
    cells.sort_unstable_by_key(|placed| placed.cell);
    cells
}

/// Numbers keys in order of appearance.
#[derive(Default)]
struct Numbers(HashMap<[usize; 4], u32>);

impl Numbers {
    fn number(&mut self, key: [usize; 4]) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(key).or_insert(next)
    }
}
