//! A decision tree as circuits walk it and commitments hash it: two levels at a time.

use crate::{CellId, LeafNode, SplitNode, TreePath};

/// Limbs of a leaf's weight.
pub const WEIGHT_LIMBS: u32 = 3;

/// What a node compares: below where the bin at `feature` is at most `split`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Address of the feature.
    pub feature: u32,
    /// The largest number that goes below.
    pub split: u32,
}

/// Three nodes, and in the last level of subtrees the four leaves below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtree {
    /// Position of the root in its level of the complete tree.
    pub index: u32,
    /// The root, its child below, its child above.
    pub nodes: [Split; 3],
    /// Positions in [`TreePath::leaves`], from below-below to above-above; none where no walk arrives.
    pub leaves: Option<[Option<usize>; 4]>,
}

/// A tree cut into subtrees of two levels; the root's level is filled up where the depth is odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtrees {
    /// Pairs of levels, the root's first.
    pub levels: Vec<Vec<Subtree>>,
}

/// A subtree that a walk passes.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// The subtree.
    pub subtree: &'a Subtree,
    /// Bins of the root and of the child that is taken.
    pub bins: [i64; 2],
    /// Whether the walk goes below, at the root and at the child.
    pub below: [bool; 2],
}

impl Subtrees {
    /// Cuts a tree. One whose nodes are not here has blank ones.
    pub fn new(path: &TreePath, limb_bits: u32) -> Self {
        let path = &path.complete();
        let always = Split {
            feature: 0,
            split: path.always(limb_bits),
        };
        // Before the root, nodes that always go below: index 0 stays index 0.
        let filled = match path.levels.len() {
            0 => 2,
            depth => depth % 2,
        };
        let filler = [SplitNode {
            index: 0,
            feature: always.feature,
            split: always.split,
        }];
        let mut levels: Vec<&[SplitNode]> = vec![&filler; filled];
        levels.extend(path.levels.iter().map(Vec::as_slice));
        let last = levels.len() / 2 - 1;
        let levels = levels.chunks_exact(2).enumerate().map(|(number, pair)| {
            let roots = pair[0].iter().map(|root| {
                let child = |index: u32| find(pair[1], index).map_or(always, Split::from);
                let first_leaf = 4 * root.index;
                let leaf = |place: u32| {
                    let at = |leaf: &LeafNode| leaf.index;
                    path.leaves.binary_search_by_key(&(first_leaf + place), at).ok()
                };
                Subtree {
                    index: root.index,
                    nodes: [Split::from(root), child(2 * root.index), child(2 * root.index + 1)],
                    leaves: (number == last).then(|| [0, 1, 2, 3].map(leaf)),
                }
            });
            roots.collect()
        });
        Self {
            levels: levels.collect(),
        }
    }

    /// The last level, and the others.
    ///
    /// # Panics
    /// Never: a tree has a level of subtrees.
    pub fn split(&self) -> (&[Subtree], &[Vec<Subtree>]) {
        let (last, upper) = self.levels.split_last().expect("a tree has a level of subtrees");
        (last, upper)
    }

    /// The entries of a tree's tables, in the order in which they are committed to: of the upper levels, then of the last
    /// level for each output.
    pub fn entries(&self, outputs: usize) -> impl Iterator<Item = (&Subtree, usize)> {
        let (last, upper) = self.split();
        let upper = upper.iter().flatten().map(|subtree| (subtree, 0));
        upper.chain((0..outputs).flat_map(|output| last.iter().map(move |subtree| (subtree, output))))
    }

    /// The subtrees that a walk over the cells of a bank passes.
    ///
    /// # Panics
    /// If the program's tree lacks a node that one of its nodes leads to.
    pub fn walk(&self, bank: &[CellId], cells: &[i64]) -> Vec<Visit<'_>> {
        let bin = |node: Split| cells[bank[node.feature as usize].index()];
        let goes_below = |node: Split| bin(node) <= i64::from(node.split);
        let mut index = 0;
        let mut visits = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            let place = level
                .binary_search_by_key(&index, |subtree| subtree.index)
                .expect("paths are closed");
            let visit = level[place].visit(bin, goes_below);
            index = 4 * index + visit.leaf_place() as u32;
            visits.push(visit);
        }
        visits
    }
}

impl Subtree {
    fn visit(&self, bin: impl Fn(Split) -> i64, goes_below: impl Fn(Split) -> bool) -> Visit<'_> {
        let root = self.nodes[0];
        let first = goes_below(root);
        let taken = self.nodes[if first { 1 } else { 2 }];
        Visit {
            subtree: self,
            bins: [bin(root), bin(taken)],
            below: [first, goes_below(taken)],
        }
    }

    /// The four weights of one output; zero where no walk arrives.
    pub fn weights(&self, path: &TreePath, output: usize) -> Option<[i64; 4]> {
        let weight = |leaf: Option<usize>| {
            let leaf = leaf.and_then(|leaf| path.leaves.get(leaf));
            leaf.map_or(0, |leaf| leaf.weights[output])
        };
        self.leaves.map(|leaves| leaves.map(weight))
    }
}

impl Visit<'_> {
    /// The child that the walk takes, and the other.
    pub fn children(&self) -> [Split; 2] {
        let [_, below, above] = self.subtree.nodes;
        if self.below[0] { [below, above] } else { [above, below] }
    }

    /// Which of the four places below the subtree the walk arrives at.
    pub fn leaf_place(&self) -> usize {
        2 * usize::from(!self.below[0]) + usize::from(!self.below[1])
    }
}

impl From<&SplitNode> for Split {
    fn from(node: &SplitNode) -> Self {
        Self {
            feature: node.feature,
            split: node.split,
        }
    }
}

fn find(level: &[SplitNode], index: u32) -> Option<&SplitNode> {
    let place = level.binary_search_by_key(&index, |node| node.index).ok()?;
    level.get(place)
}
