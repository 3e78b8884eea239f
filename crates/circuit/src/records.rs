//! Commitments to tables: the root of a tree of hashes, whose leaves are the rows: `docs/spec/audit.md`.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, FromUniformBytes, PrimeField},
};
use sha2::{Digest, Sha512};

use crate::{
    CircuitError, Commitment, Side,
    hashing::{Absorbed, Hash, HashRows, LAST, Spot, Waiting, padded},
    layout::Builder,
    poseidon::{self, RATE, WIDTH, parameters},
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

impl Builder<'_> {
    /// Lays out the commitment to the inputs of a table with so many rows.
    pub(crate) fn records(&mut self, rows: usize) -> Result<HashRows, CircuitError> {
        let lanes = self.layout.shape.lanes;
        let constants = parameters().constants[0];
        // Of the place where a child stands.
        let added = |child: usize| constants[1 + child % ARITY % RATE];
        let commitment = Commitment::of(self.program, Side::Input)?;
        let cells = Side::Input.cells(self.program);
        let elements = commitment.elements();
        let mut found = HashRows::new(Side::Input);
        let zero = self.fixed_spot(Fr::ZERO, WIDTH - 1, &mut found)?;
        let tag = self.fixed_spot(commitment.tag(), 0, &mut found)?;
        // The salt comes first, so elements stand at the second place, the first, the second, …
        let mut leaves = Waiting::default();
        for (row, cells) in cells.chunks(commitment.values.len()).enumerate() {
            let mut absorbed = vec![Absorbed::Salt(Some(row))];
            for (index, places) in elements.iter().enumerate() {
                let values = places.iter().map(|(value, bit)| (cells[*value], *bit)).collect();
                let link = self.packed_link(values, 1 + (1 + index) % RATE)?;
                absorbed.push(Absorbed::Copy(Spot::value(link.row(lanes))));
                found.links.push(link);
            }
            let hash = Hash {
                tag,
                absorbed: padded(absorbed, zero),
                added: added(row),
            };
            self.hash(hash, &mut leaves, &mut found);
        }
        let mut hashes = self.hashed(leaves, &mut found);
        for level in 1..=height(rows) {
            let known = nodes(rows, level);
            let mut tags: Vec<((usize, usize), Spot)> = Vec::new();
            let mut parents = Waiting::default();
            for (number, (children, node)) in hashes.chunks(ARITY).zip(&known).enumerate() {
                let tag = match tags.iter().find(|(known, _)| known == node) {
                    Some((_, tag)) => *tag,
                    None => {
                        let tag = self.fixed_spot(node_tag(level as usize, node.0, node.1), 0, &mut found)?;
                        tags.push((*node, tag));
                        tag
                    }
                };
                let is_root = known.len() == 1;
                let hash = Hash {
                    tag,
                    absorbed: padded(children.iter().map(|child| Absorbed::Copy(*child)).collect(), zero),
                    added: if is_root { LAST } else { added(number) },
                };
                self.hash(hash, &mut parents, &mut found);
            }
            hashes = self.hashed(parents, &mut found);
        }
        self.show(hashes[0], &mut found);
        Ok(found)
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
