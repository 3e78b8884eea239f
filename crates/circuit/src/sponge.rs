//! The rows of a commitment: packed elements, then one permutation after the other: `docs/spec/commitment.md`.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkverdict_model::CellId;

use crate::{
    AdviceColumn, CircuitError, Commitment, Side,
    chips::accumulate,
    field::power_of_two,
    hashing::{Absorbed, Hash, HashRows, LAST, Spot, Waiting},
    layout::Builder,
    poseidon::{RATE, parameters},
};

/// A sum that becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// Row whose gate loads the sum, one gadget row below it.
    pub(crate) load_row: usize,
    /// Gadget rows that add to the sum.
    pub(crate) steps: usize,
}

impl Link {
    /// Where sum and value stand side by side.
    pub(crate) fn row(self, lanes: usize) -> usize {
        self.load_row + lanes * (1 + self.steps)
    }

    pub(crate) fn bound_cells(self, lanes: usize) -> Vec<(AdviceColumn, usize)> {
        let sums = (1..=self.steps + 1).map(|step| (AdviceColumn::Accumulator, self.load_row + lanes * step));
        sums.chain([(AdviceColumn::Value, self.row(lanes))]).collect()
    }
}

/// What is committed to: a value, or a cell of parameters.
#[derive(Debug, Clone, Copy)]
enum Content {
    Cell(CellId),
    Parameter(usize),
}

/// What a link adds up.
struct Packed {
    constant: Fr,
    cells: Vec<(Content, u32)>,
    /// The round constant of the place where it is absorbed.
    added: Fr,
}

impl Builder<'_> {
    /// Lays out the commitment to one side.
    pub(crate) fn sponge(&mut self, side: Side) -> Result<HashRows, CircuitError> {
        let (tag, elements) = match side {
            Side::Model => (self.model.tag(), self.model.elements()),
            Side::Input | Side::Output => {
                let commitment = Commitment::of(self.program, side)?;
                (commitment.tag(), commitment.elements())
            }
        };
        let cells = side.cells(self.program);
        let content = |index: usize| match side {
            Side::Model => Content::Parameter(index),
            Side::Input | Side::Output => Content::Cell(cells[index]),
        };
        let first_constants = parameters().constants[0];
        let mut packed = vec![Packed {
            constant: tag,
            cells: Vec::new(),
            added: first_constants[0],
        }];
        // The salt comes first, so elements stand at the second place, the first, the second, …
        let permutations = (1 + elements.len()).div_ceil(RATE);
        for index in 0..permutations * RATE - 1 {
            let places = elements.get(index).into_iter().flatten();
            packed.push(Packed {
                constant: Fr::ZERO,
                cells: places.map(|(value, bit)| (content(*value), *bit)).collect(),
                added: first_constants[1 + (1 + index) % RATE],
            });
        }
        let lanes = self.layout.shape.lanes;
        let mut links = Vec::with_capacity(packed.len());
        for block in packed.chunks(lanes) {
            links.extend(self.links(block)?);
        }
        let mut absorbed = vec![Absorbed::Salt(None)];
        let copies = links[1..]
            .iter()
            .map(|link| Absorbed::Copy(Spot::value(link.row(lanes))));
        absorbed.extend(copies);
        let hash = Hash {
            tag: Spot::value(links[0].row(lanes)),
            absorbed,
            added: LAST,
        };
        let mut found = HashRows {
            links,
            ..HashRows::new(side)
        };
        let mut waiting = Waiting::default();
        self.hash(hash, &mut waiting, &mut found);
        let results = self.hashed(waiting, &mut found);
        self.show(results[0], &mut found);
        Ok(found)
    }

    /// A link to a fixed value, for a place of the state.
    pub(crate) fn constant_link(&mut self, constant: Fr, place: usize) -> Result<Link, CircuitError> {
        let packed = Packed {
            constant,
            cells: Vec::new(),
            added: parameters().constants[0][place],
        };
        Ok(self.links(&[packed])?[0])
    }

    /// A link to packed cells, each from its bit on, for a place of the state.
    pub(crate) fn packed_link(&mut self, cells: Vec<(CellId, u32)>, place: usize) -> Result<Link, CircuitError> {
        let cells = cells.into_iter();
        let packed = Packed {
            constant: Fr::ZERO,
            cells: cells.map(|(cell, bit)| (Content::Cell(cell), bit)).collect(),
            added: parameters().constants[0][place],
        };
        Ok(self.links(&[packed])?[0])
    }

    /// One block of links, the lanes interleaved over the same copies, as in a layer.
    fn links(&mut self, block: &[Packed]) -> Result<Vec<Link>, CircuitError> {
        let lanes = self.layout.shape.lanes;
        let count: usize = block.iter().map(|packed| packed.cells.len()).sum();
        let steps = match count {
            0 => 0,
            count => (count + lanes - 1).div_ceil(lanes),
        };
        let load_row = self.take_rows(lanes * (2 + steps));
        let first_value = load_row + 2 * lanes - 1;
        let mut place = 0;
        let mut links = Vec::with_capacity(block.len());
        for (lane, packed) in block.iter().enumerate() {
            let link = Link {
                load_row: load_row + lane,
                steps,
            };
            self.layout.fixed.set_accumulate(link.load_row, accumulate::LOAD);
            self.layout.fixed.set_weight(0, link.load_row, packed.constant);
            let first_dot = link.load_row + lanes;
            for step in 0..steps {
                self.layout
                    .fixed
                    .set_accumulate(first_dot + lanes * step, accumulate::DOT);
            }
            for (cell, bit) in &packed.cells {
                let row = first_value + place;
                place += 1;
                match cell {
                    Content::Cell(cell) => self.copy(*cell, row)?,
                    Content::Parameter(index) => self.copy_parameter(*index, row)?,
                }
                let distance = row - first_dot;
                let at = first_dot + lanes * (distance / lanes);
                self.layout.fixed.set_weight(distance % lanes, at, power_of_two(*bit));
            }
            let row = link.row(lanes);
            self.layout.fixed.set_weight(0, row, packed.added);
            self.layout.link_rows.insert(row);
            links.push(link);
        }
        Ok(links)
    }
}
