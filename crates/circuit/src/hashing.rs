//! Permutations on rows, in the value column or in columns of their own: `docs/spec/commitment.md#columns-of-their-own`.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use crate::{
    AdviceColumn, CircuitError, Shape, Side,
    chips::poseidon::{BOX_ROWS, ROWS, fixed_rows},
    layout::Builder,
    poseidon::{RATE, WIDTH, parameters},
    sponge::Link,
};

/// A cell with copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) column: AdviceColumn,
    pub(crate) row: usize,
}

impl Spot {
    /// On a row of the value column.
    pub(crate) fn value(row: usize) -> Self {
        Self {
            column: AdviceColumn::Value,
            row,
        }
    }
}

/// Where an element of a permutation's first state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absorbed {
    /// A copy of a cell, which has the round constant of the place in it.
    Copy(Spot),
    /// The salt: a free value; in a table, that of a row.
    Salt(Option<usize>),
    /// Nothing: a permutation that only keeps another lane company.
    Nothing,
}

/// One permutation on rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permutation {
    pub(crate) lane: usize,
    pub(crate) row: usize,
    pub(crate) state: [Absorbed; WIDTH],
}

/// Hashes on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashRows {
    pub(crate) side: Side,
    /// Tags, packed values, and zeros that fill up.
    pub(crate) links: Vec<Link>,
    /// In the order in which their results are known.
    pub(crate) permutations: Vec<Permutation>,
    /// What the side is committed to as.
    pub(crate) result: Spot,
    /// Row of the value column that shows it.
    pub(crate) public_row: usize,
}

impl HashRows {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            links: Vec::new(),
            permutations: Vec::new(),
            result: Spot::value(0),
            public_row: 0,
        }
    }

    /// Rows of the permutations that belong to a hash, one below the other.
    pub(crate) fn permutation_rows(&self) -> usize {
        let hashing = self
            .permutations
            .iter()
            .filter(|permutation| permutation.state[0] != Absorbed::Nothing);
        ROWS * hashing.count()
    }

    /// As [`Layout::bound_cells`](crate::Layout::bound_cells); the copies of cells are among the layout's values.
    pub(crate) fn bound_cells(&self, shape: Shape) -> Vec<(AdviceColumn, usize)> {
        let links = self.links.iter().flat_map(|link| link.bound_cells(shape.lanes));
        let mut cells: Vec<_> = links.collect();
        for Permutation { lane, row, .. } in &self.permutations {
            let (input, power) = shape.boxes(*lane);
            cells.extend((*row..row + ROWS).map(|row| (input, row)));
            cells.extend((*row..row + BOX_ROWS).map(|row| (power, row)));
        }
        if self.result.column != AdviceColumn::Value {
            cells.push((AdviceColumn::Value, self.public_row));
        }
        cells
    }
}

impl Shape {
    /// The columns of S-boxes' inputs and of their fourth powers, in a lane of hashes.
    pub(crate) fn boxes(self, lane: usize) -> (AdviceColumn, AdviceColumn) {
        match self.hash_lanes {
            0 => (AdviceColumn::Value, AdviceColumn::Accumulator),
            _ => (AdviceColumn::Box(lane), AdviceColumn::Power(lane)),
        }
    }
}

/// One hash that is to be laid out.
pub(crate) struct Hash {
    /// A link to its tag.
    pub(crate) tag: Spot,
    pub(crate) absorbed: Vec<Absorbed>,
    /// Of the place where the result is absorbed; zero where it is not.
    pub(crate) added: Fr,
}

/// Hashes that wait for others to stand beside: with the same constants on the same rows.
#[derive(Default)]
pub(crate) struct Waiting {
    hashes: Vec<(usize, Hash)>,
    results: Vec<Option<Spot>>,
}

impl Builder<'_> {
    /// Lays a hash out, as soon as every lane has one like it.
    pub(crate) fn hash(&mut self, hash: Hash, waiting: &mut Waiting, found: &mut HashRows) {
        let number = waiting.results.len();
        waiting.results.push(None);
        let is_alike = |(_, other): &(usize, Hash)| {
            other.added == hash.added && other.absorbed.len().div_ceil(RATE) == hash.absorbed.len().div_ceil(RATE)
        };
        let (mut together, others): (Vec<_>, Vec<_>) = waiting.hashes.drain(..).partition(is_alike);
        waiting.hashes = others;
        together.push((number, hash));
        if together.len() < self.layout.shape.hash_lanes {
            waiting.hashes.extend(together);
        } else {
            self.permute(&together, waiting, found);
        }
    }

    /// Lays out what still waits; returns all results, in the order of the hashes.
    pub(crate) fn hashed(&mut self, mut waiting: Waiting, found: &mut HashRows) -> Vec<Spot> {
        while let Some(first) = waiting.hashes.pop() {
            self.permute(&[first], &mut waiting, found);
        }
        waiting.results.into_iter().flatten().collect()
    }

    /// The permutations of hashes that stand beside one another. Lanes without one permute nothing.
    fn permute(&mut self, hashes: &[(usize, Hash)], waiting: &mut Waiting, found: &mut HashRows) {
        let shape = self.layout.shape;
        let Some((_, first)) = hashes.first() else { return };
        let count = first.absorbed.len().div_ceil(RATE);
        let carry = parameters().constants[0][0];
        let mut carried: Vec<Spot> = hashes.iter().map(|(_, hash)| hash.tag).collect();
        for number in 0..count {
            let row = self.take_hash_rows();
            let added = if number + 1 == count { first.added } else { carry };
            for (row, (kind, constant)) in (row..).zip(fixed_rows(added)) {
                if kind != 0 {
                    self.layout.fixed.set_hash(row, kind);
                }
                self.layout.fixed.set_hash_constant(shape, row, constant);
            }
            let mut beside = hashes.iter().zip(&mut carried);
            for lane in 0..shape.hash_lanes.max(1) {
                let (input, _) = shape.boxes(lane);
                let mut state = [Absorbed::Nothing; WIDTH];
                if let Some(((_, hash), carried)) = beside.next() {
                    state[0] = Absorbed::Copy(*carried);
                    state[1..].copy_from_slice(&hash.absorbed[number * RATE..][..RATE]);
                    *carried = Spot {
                        column: input,
                        row: row + BOX_ROWS,
                    };
                }
                for (place, source) in state.iter().enumerate() {
                    if let Absorbed::Copy(source) = source {
                        let copy = Spot {
                            column: input,
                            row: row + place,
                        };
                        self.tie(*source, copy);
                    }
                }
                found.permutations.push(Permutation { lane, row, state });
            }
        }
        for ((number, _), result) in hashes.iter().zip(carried) {
            waiting.results[*number] = Some(result);
        }
    }

    /// Makes two cells equal.
    fn tie(&mut self, left: Spot, right: Spot) {
        match (left.column, right.column) {
            (AdviceColumn::Value, AdviceColumn::Value) => self.layout.copies.push((left.row, right.row)),
            _ => self.layout.hash_copies.push((left, right)),
        }
    }

    /// The rows of a permutation.
    fn take_hash_rows(&mut self) -> usize {
        if self.layout.shape.hash_lanes == 0 {
            return self.take_rows(ROWS);
        }
        self.layout.hash_rows += ROWS;
        self.layout.hash_rows - ROWS
    }

    /// Makes a result a public input.
    pub(crate) fn show(&mut self, result: Spot, found: &mut HashRows) {
        found.result = result;
        found.public_row = match result.column {
            AdviceColumn::Value => result.row,
            _ => {
                let row = self.take_rows(1);
                self.tie(result, Spot::value(row));
                row
            }
        };
    }

    /// A link to a fixed value, for a place of the state.
    pub(crate) fn fixed_spot(&mut self, value: Fr, place: usize, found: &mut HashRows) -> Result<Spot, CircuitError> {
        let link = self.constant_link(value, place)?;
        found.links.push(link);
        Ok(Spot::value(link.row(self.layout.shape.lanes)))
    }
}

/// Fills the last permutation's places up.
pub(crate) fn padded(mut absorbed: Vec<Absorbed>, zero: Spot) -> Vec<Absorbed> {
    if !absorbed.len().is_multiple_of(RATE) {
        absorbed.push(Absorbed::Copy(zero));
    }
    absorbed
}

/// No constant: the result is absorbed nowhere.
pub(crate) const LAST: Fr = Fr::ZERO;
