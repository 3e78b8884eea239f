//! Tree ensembles: every used feature is binned once against the ensemble's own thresholds; a tree is then a walk over
//! bins. Nothing is rounded before the leaves.
//!
//! Every condition becomes `x < c` for an integer `c` in the order of `float32` (children swapped where needed), so a
//! branch is `bin ≤ split` for the bin `#{c : c ≤ x}` and the position of its own `c`.

use std::collections::BTreeMap;

use crate::{
    Aggregate, BranchMode, CellId, Format, LeafNode, ModelError, Node, SplitNode, Step, Table, Tree, TreeEnsemble,
    TreeNode, TreePath,
    lower::{Expression, Lowering, unsupported},
    ordered::{HIGHEST, LOWEST, ordered},
};

/// Binary digits after the point of a leaf's weight, where its size allows.
const WEIGHT_BITS: i32 = 28;
/// Deepest tree: indices of a level must stay small integers.
const MAX_DEPTH: usize = 30;

/// A branch as `x < bound`.
struct Branch {
    feature: usize,
    bound: i64,
    below: usize,
    above: usize,
}

impl Branch {
    fn new(node: &Node, tree: &TreeNode) -> Result<Option<Self>, ModelError> {
        let TreeNode::Branch {
            feature,
            mode,
            threshold,
            holds,
            otherwise,
            ..
        } = tree
        else {
            return Ok(None);
        };
        let threshold = ordered(*threshold);
        let (bound, below, above) = match mode {
            BranchMode::Less => (threshold, *holds, *otherwise),
            BranchMode::LessOrEqual => (threshold + 1, *holds, *otherwise),
            BranchMode::GreaterOrEqual => (threshold, *otherwise, *holds),
            BranchMode::Greater => (threshold + 1, *otherwise, *holds),
            BranchMode::Equal | BranchMode::NotEqual => {
                return Err(unsupported(
                    node,
                    "branches on equality have no gadget; write them as two comparisons".to_owned(),
                ));
            }
        };
        Ok(Some(Self {
            feature: *feature,
            bound,
            below,
            above,
        }))
    }
}

impl Lowering<'_> {
    pub(super) fn tree_ensemble(
        &mut self,
        node: &Node,
        features: &[Expression],
        ensemble: &TreeEnsemble,
    ) -> Result<Vec<Expression>, ModelError> {
        let divisor = match ensemble.aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => ensemble.trees.len().max(1) as f64,
            Aggregate::Min | Aggregate::Max => {
                return Err(unsupported(
                    node,
                    "MIN and MAX of trees have no gadget; use SUM or AVERAGE".to_owned(),
                ));
            }
        };
        let bounds = self.bounds_of_features(node, ensemble)?;
        let mut addresses: BTreeMap<usize, usize> = BTreeMap::new();
        for (feature, bounds) in &bounds {
            addresses.insert(*feature, self.bin(node, &features[*feature], bounds)?);
        }
        let mut scores: Vec<Expression> = ensemble
            .base
            .iter()
            .map(|base| Expression::constant(f64::from(*base)))
            .collect();
        for tree in &ensemble.trees {
            for (target, leaf) in self.tree(node, tree, ensemble.targets, &bounds, &addresses)? {
                scores[target].add_scaled(&Expression::cell(leaf), 1.0 / divisor);
            }
        }
        Ok(scores)
    }

    /// The sorted bounds of every used feature.
    fn bounds_of_features(
        &self,
        node: &Node,
        ensemble: &TreeEnsemble,
    ) -> Result<BTreeMap<usize, Vec<i64>>, ModelError> {
        let mut bounds: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for position in ensemble.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Some(branch) = Branch::new(node, position)? {
                // At an infinite bound a branch always goes one way; the bin's own ends stand for it.
                bounds
                    .entry(branch.feature)
                    .or_default()
                    .push(branch.bound.clamp(LOWEST, HIGHEST + 1));
            }
        }
        let most = (1 << self.program.limb_bits) - 1;
        for (feature, list) in &mut bounds {
            list.sort_unstable();
            list.dedup();
            if list.len() > most {
                return Err(unsupported(
                    node,
                    format!(
                        "feature {feature} has {} thresholds, more than {most} at limbs of {} bits; use larger limbs",
                        list.len(),
                        self.program.limb_bits
                    ),
                ));
            }
        }
        Ok(bounds)
    }

    /// The bin of a feature, as an address of the program's memory.
    fn bin(&mut self, node: &Node, feature: &Expression, bounds: &[i64]) -> Result<usize, ModelError> {
        let input = feature
            .as_cell()
            .filter(|cell| self.cells[cell.index()].float32)
            .ok_or_else(|| {
                unsupported(
                    node,
                    "trees are proven on graph inputs as they are given, without arithmetic before".to_owned(),
                )
            })?;
        let mut entries = vec![LOWEST];
        entries.extend(bounds);
        entries.push(HIGHEST + 1);
        let table = self.table(Table { entries, stride: 1 });
        let output = self.new_cell(Format::INTEGER, bounds.len() as i64);
        self.program.steps.push(Step::Bin { table, input, output });
        self.program.memory.push(output);
        Ok(self.program.memory.len() - 1)
    }

    /// One tree; returns the cells of its leaf's weights by target.
    fn tree(
        &mut self,
        node: &Node,
        tree: &Tree,
        targets: usize,
        bounds: &BTreeMap<usize, Vec<i64>>,
        addresses: &BTreeMap<usize, usize>,
    ) -> Result<Vec<(usize, CellId)>, ModelError> {
        let mut weighted: Vec<bool> = vec![false; targets];
        let mut largest = 0.0_f64;
        for (target, weight) in tree.nodes.iter().flat_map(|position| match position {
            TreeNode::Leaf { weights } => weights.as_slice(),
            TreeNode::Branch { .. } => &[],
        }) {
            weighted[*target] = true;
            largest = largest.max(f64::from(weight.abs()));
        }
        let used: Vec<usize> = (0..targets).filter(|target| weighted[*target]).collect();
        // One format for the whole tree: 2^32 steps at the most, so that scores stay far from the field's size.
        let size = largest.max(f64::MIN_POSITIVE).log2().ceil() as i32;
        let scale = WEIGHT_BITS.min(31 - size).max(-96);
        let format = Format {
            scale,
            zero: (largest * f64::powi(2.0, scale)).ceil() as i64,
        };
        let mut path = TreePath {
            name: node.name.clone(),
            levels: Vec::new(),
            leaves: Vec::new(),
            outputs: Vec::new(),
        };
        let split_of = |feature: usize, bound: i64| -> u32 {
            let list = &bounds[&feature];
            list.binary_search(&bound.clamp(LOWEST, HIGHEST + 1)).unwrap_or(0) as u32
        };
        let always = (1_u32 << self.program.limb_bits) - 1;
        // (index within the level, node of the tree)
        let mut level: Vec<(u32, usize)> = vec![(0, 0)];
        while level
            .iter()
            .any(|(_, position)| matches!(tree.nodes[*position], TreeNode::Branch { .. }))
        {
            if path.levels.len() == MAX_DEPTH {
                return Err(unsupported(node, format!("a tree is deeper than {MAX_DEPTH} levels")));
            }
            let mut splits = Vec::new();
            let mut next = Vec::new();
            for (index, position) in level {
                match Branch::new(node, &tree.nodes[position])? {
                    Some(branch) => {
                        splits.push(SplitNode {
                            index,
                            feature: addresses[&branch.feature] as u32,
                            split: split_of(branch.feature, branch.bound),
                        });
                        next.push((2 * index, branch.below));
                        next.push((2 * index + 1, branch.above));
                    }
                    None => {
                        // A leaf above the last level goes down on the side that always holds.
                        splits.push(SplitNode {
                            index,
                            feature: 0,
                            split: always,
                        });
                        next.push((2 * index, position));
                    }
                }
            }
            path.levels.push(splits);
            level = next;
        }
        for (index, position) in level {
            let TreeNode::Leaf { weights } = &tree.nodes[position] else {
                continue;
            };
            let weight_of = |target: &usize| {
                let weight = weights
                    .iter()
                    .find(|(known, _)| known == target)
                    .map_or(0.0, |(_, weight)| *weight);
                (f64::from(weight) * f64::powi(2.0, scale)).round() as i64 + format.zero
            };
            path.leaves.push(LeafNode {
                index,
                weights: used.iter().map(weight_of).collect(),
            });
        }
        path.outputs = self.new_cells(used.len(), format, 2 * format.zero + 1);
        let outputs = path.outputs.clone();
        self.program.steps.push(Step::Tree(path));
        Ok(used.into_iter().zip(outputs).collect())
    }
}
