//! Commitments to tables: the root of a tree of hashes, whose leaves are the rows: `docs/spec/audit.md`.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, FromUniformBytes, PrimeField},
};
use sha2::{Digest, Sha512};

use crate::{
    AdviceColumn, CircuitError, Commitment, Side,
    chips::poseidon::{BOX_ROWS, ROWS, fixed_rows},
    layout::Builder,
    poseidon::{self, RATE, WIDTH, parameters},
    sponge::Link,
};

/// Children of a node.
pub const ARITY: usize = 16;

/// The salt of one row: nobody learns it from other rows' salts.
pub fn record_salt(seed: Fr, row: usize) -> Fr {
    let mut hasher = Sha512::new();
    hasher.update(b"zkverdict record salt 1\n");
    hasher.update(seed.to_repr());
    hasher.update((row as u64).to_be_bytes());
    Fr::from_uniform_bytes(&hasher.finalize().into())
}

/// The first carried element of a node's hash: its height, its children, and the rows below it.
fn node_tag(level: usize, children: usize, rows: usize) -> Fr {
    let text = format!("zkverdict records 1\nlevel {level}\nchildren {children}\nrows {rows}\n");
    Fr::from_uniform_bytes(&Sha512::digest(text.as_bytes()).into())
}

/// The nodes of one level of a tree over so many rows, `level` from 1: children and rows of each.
fn nodes(rows: usize, level: u32) -> Vec<(usize, usize)> {
    let below = ARITY.pow(level - 1);
    let children = rows.div_ceil(below);
    let node = |first: usize| {
        let last = (first + ARITY).min(children);
        (last - first, (last * below).min(rows) - first * below)
    };
    (0..children).step_by(ARITY).map(node).collect()
}

/// Levels above the leaves.
fn height(rows: usize) -> u32 {
    (1..).find(|level| nodes(rows, *level).len() == 1).unwrap_or(1)
}

/// A tree of hashes over the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTree {
    /// From the leaves up; the last level is the root alone.
    levels: Vec<Vec<Fr>>,
}

impl RecordTree {
    /// The tree over these leaves.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(leaves: Vec<Fr>) -> Self {
        assert!(!leaves.is_empty(), "a table has rows");
        let rows = leaves.len();
        let mut levels = vec![leaves];
        for level in 1..=height(rows) {
            let children = &levels[level as usize - 1];
            let known = nodes(rows, level);
            let parents = children.chunks(ARITY).zip(&known);
            let hash = |(children, (count, below)): (&[Fr], &(usize, usize))| {
                poseidon::sponge(node_tag(level as usize, *count, *below), children)
            };
            let parents = parents.map(hash).collect();
            levels.push(parents);
        }
        Self { levels }
    }

    /// The commitment.
    pub fn root(&self) -> Fr {
        self.levels[self.levels.len() - 1][0]
    }

    /// All children of every node above a row, from the bottom: what shows that the row is in the tree.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn path(&self, row: usize) -> Vec<Vec<Fr>> {
        let mut at = row;
        let below = self.levels.iter().take(self.levels.len() - 1);
        below
            .map(|level| {
                let first = at - at % ARITY;
                at /= ARITY;
                level[first..level.len().min(first + ARITY)].to_vec()
            })
            .collect()
    }
}

/// The root that a row's leaf and its path lead to in a table of so many rows, if they lead to one.
pub fn root_of_path(leaf: Fr, row: usize, rows: usize, path: &[Vec<Fr>]) -> Option<Fr> {
    if row >= rows || path.len() != height(rows) as usize {
        return None;
    }
    let (mut hash, mut at) = (leaf, row);
    for (level, children) in (1..).zip(path) {
        let (count, below) = *nodes(rows, level).get(at / ARITY)?;
        if children.len() != count || children.get(at % ARITY) != Some(&hash) {
            return None;
        }
        hash = poseidon::sponge(node_tag(level as usize, count, below), children);
        at /= ARITY;
    }
    Some(hash)
}

impl Commitment {
    /// The hash of each row of these integers, unchecked.
    pub(crate) fn leaves(&self, values: &[i64], seed: Fr) -> Vec<Fr> {
        let rows = values.chunks(self.values.len().max(1)).enumerate();
        rows.map(|(row, values)| self.hash_row(values, record_salt(seed, row)))
            .collect()
    }

    /// The tree over the rows of these integers, with salts from a seed.
    ///
    /// # Panics
    /// If there are none.
    pub fn tree(&self, values: &[i64], seed: Fr) -> RecordTree {
        RecordTree::new(self.leaves(values, seed))
    }
}

/// Where an element of a permutation's first state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absorbed {
    /// A row of the value column.
    Row(usize),
    /// The salt of a row of the table, a free value.
    Salt(usize),
}

/// One permutation on rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permutation {
    pub(crate) row: usize,
    pub(crate) state: [Absorbed; WIDTH],
}

impl Permutation {
    pub(crate) fn result_row(&self) -> usize {
        self.row + BOX_ROWS
    }
}

/// A commitment to a table on rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecordRows {
    /// Tags, the zero that fills up, and packed values.
    pub(crate) links: Vec<Link>,
    pub(crate) permutations: Vec<Permutation>,
}

impl RecordRows {
    /// As [`Layout::bound_cells`](crate::Layout::bound_cells); salts are free.
    pub(crate) fn bound_cells(&self, lanes: usize) -> Vec<(AdviceColumn, usize)> {
        let mut cells = Vec::new();
        for link in &self.links {
            cells.extend(link.bound_cells(lanes));
        }
        for permutation in &self.permutations {
            cells.extend((permutation.row..permutation.row + ROWS).map(|row| (AdviceColumn::Value, row)));
            cells.extend((permutation.row..permutation.row + BOX_ROWS).map(|row| (AdviceColumn::Accumulator, row)));
        }
        cells
    }
}

impl Builder<'_> {
    /// Lays out the commitment to the inputs of a table with so many rows; returns the row of the root too.
    pub(crate) fn records(&mut self, rows: usize) -> Result<(RecordRows, usize), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let constants = parameters().constants[0];
        let commitment = Commitment::of(self.program, Side::Input)?;
        let cells = Side::Input.cells(self.program);
        let elements = commitment.elements();
        let mut found = RecordRows::default();
        let zero = self.fixed_link(Fr::ZERO, WIDTH - 1, &mut found)?;
        let tag = self.fixed_link(commitment.tag(), 0, &mut found)?;
        // The salt comes first, so elements stand at the second place, the first, the second, …
        let mut hashes = Vec::with_capacity(rows);
        for (row, cells) in cells.chunks(commitment.values.len()).enumerate() {
            let mut absorbed = vec![Absorbed::Salt(row)];
            for (index, places) in elements.iter().enumerate() {
                let values = places.iter().map(|(value, bit)| (cells[*value], *bit)).collect();
                let link = self.packed_link(values, 1 + (1 + index) % RATE)?;
                absorbed.push(Absorbed::Row(link.row(lanes)));
                found.links.push(link);
            }
            let place = 1 + row % ARITY % RATE;
            hashes.push(self.hash(tag, &absorbed, zero, constants[place], &mut found));
        }
        for level in 1..=height(rows) {
            let known = nodes(rows, level);
            let mut tags: Vec<((usize, usize), usize)> = Vec::new();
            let mut parents = Vec::with_capacity(known.len());
            for (number, (children, node)) in hashes.chunks(ARITY).zip(&known).enumerate() {
                let tag = match tags.iter().find(|(known, _)| known == node) {
                    Some((_, row)) => *row,
                    None => {
                        let row = self.fixed_link(node_tag(level as usize, node.0, node.1), 0, &mut found)?;
                        tags.push((*node, row));
                        row
                    }
                };
                let absorbed: Vec<Absorbed> = children.iter().map(|row| Absorbed::Row(*row)).collect();
                let is_root = known.len() == 1;
                let added = if is_root {
                    Fr::ZERO
                } else {
                    constants[1 + number % ARITY % RATE]
                };
                parents.push(self.hash(tag, &absorbed, zero, added, &mut found));
            }
            hashes = parents;
        }
        Ok((found, hashes[0]))
    }

    /// A value that is fixed, for a place of the state.
    fn fixed_link(&mut self, value: Fr, place: usize, found: &mut RecordRows) -> Result<usize, CircuitError> {
        let link = self.constant_link(value, place)?;
        found.links.push(link);
        Ok(link.row(self.layout.shape.lanes))
    }

    /// The permutations of one hash; returns the row of the result, to which `added` is added.
    fn hash(&mut self, tag: usize, absorbed: &[Absorbed], zero: usize, added: Fr, found: &mut RecordRows) -> usize {
        let carry = parameters().constants[0][0];
        let mut carried = tag;
        let count = absorbed.len().div_ceil(RATE);
        for (number, pair) in absorbed.chunks(RATE).enumerate() {
            let second = pair.get(1).copied().unwrap_or(Absorbed::Row(zero));
            let row = self.take_rows(ROWS);
            let permutation = Permutation {
                row,
                state: [Absorbed::Row(carried), pair[0], second],
            };
            let added = if number + 1 == count { added } else { carry };
            for (row, (kind, constant)) in (row..).zip(fixed_rows(added)) {
                if kind != 0 {
                    self.layout.fixed.set_hash(row, kind);
                }
                self.layout.fixed.set_weight(0, row, constant);
            }
            for (place, source) in permutation.state.iter().enumerate() {
                if let Absorbed::Row(source) = source {
                    self.layout.copies.push((*source, row + place));
                }
            }
            carried = permutation.result_row();
            found.permutations.push(permutation);
        }
        carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_leads_to_the_root_and_to_no_other_place() {
        for rows in [1, 2, 15, 16, 17, 256, 257, 300] {
            let leaves: Vec<Fr> = (0..rows as u64).map(|row| Fr::from(row + 7)).collect();
            let tree = RecordTree::new(leaves.clone());
            for row in [0, rows / 2, rows - 1] {
                let path = tree.path(row);
                assert_eq!(
                    root_of_path(leaves[row], row, rows, &path),
                    Some(tree.root()),
                    "{row} of {rows}"
                );
                assert_ne!(root_of_path(leaves[row], row, rows + 1, &path), Some(tree.root()));
                assert_eq!(root_of_path(leaves[row] + Fr::ONE, row, rows, &path), None);
                if rows > 1 {
                    let other = (row + 1) % rows;
                    assert_ne!(root_of_path(leaves[row], other, rows, &path), Some(tree.root()));
                }
            }
        }
    }

    /// Two tables of which one ends where the other goes on have different roots, whatever the rows are.
    #[test]
    fn the_root_says_how_many_rows_there_are() {
        let leaves = |rows: u64| (0..rows).map(|_| Fr::ZERO).collect::<Vec<_>>();
        let mut roots: Vec<Fr> = (1..40).map(|rows| RecordTree::new(leaves(rows)).root()).collect();
        roots.sort();
        roots.dedup();
        assert_eq!(roots.len(), 39);
    }

    #[test]
    fn salts_of_rows_differ() {
        assert_ne!(record_salt(Fr::ONE, 0), record_salt(Fr::ONE, 1));
        assert_ne!(record_salt(Fr::ONE, 0), record_salt(Fr::from(2), 0));
    }
}
