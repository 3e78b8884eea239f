//! Tree ensembles that are committed to: everything that others see follows from the number of trees, their depth, and
//! the range of their leaves' weights.
//!
//! A tree is complete: a leaf above the last level is continued by nodes that always go below, and missing trees are
//! leaves alone. What every score has beside its trees is shared out among their leaves. Nodes compare with whole
//! `float32`, so that thresholds need no table.

use crate::{
    Aggregate, CommittedTree, Format, LeafNode, ModelError, Node, SplitNode, Step, Tree, TreeEnsemble, TreeNode,
    TreePath,
    lower::{Expression, Lowering, conditions::Conditions, secret::ForestFormat, trees, unsupported},
    validate::MAX_COMMITTED_DEPTH,
};

/// Nodes and leaves of two levels must fit a field element.
const LARGEST_LIMB: u32 = 9;

/// Trees whose leaves give weights to the same targets.
struct Group {
    targets: Vec<usize>,
    trees: Vec<Tree>,
}

/// The trees by what they give weights to: to one target each, or all to all of them.
fn grouped(trees: Vec<Tree>, targets: usize) -> Vec<Group> {
    let target = |tree: &Tree| {
        let mut named: Vec<usize> = trees::weights(tree).map(|(target, _)| *target).collect();
        named.sort_unstable();
        named.dedup();
        named
    };
    if trees.iter().any(|tree| target(tree).len() > 1) {
        return vec![Group {
            targets: (0..targets).collect(),
            trees,
        }];
    }
    let mut groups: Vec<Group> = (0..targets)
        .map(|target| Group {
            targets: vec![target],
            trees: Vec::new(),
        })
        .collect();
    // A tree without weights adds nothing.
    for tree in trees {
        if let Some(group) = target(&tree).first().and_then(|target| groups.get_mut(*target)) {
            group.trees.push(tree);
        }
    }
    groups
}

/// Levels of nodes.
fn depth(tree: &Tree) -> u32 {
    let mut deepest = 0;
    let mut pending = vec![(0, 0)];
    while let Some((position, level)) = pending.pop() {
        deepest = deepest.max(level);
        if let Some(TreeNode::Branch { holds, otherwise, .. }) = tree.nodes.get(position) {
            pending.extend([(*holds, level + 1), (*otherwise, level + 1)]);
        }
    }
    deepest
}

impl Lowering<'_> {
    pub(super) fn committed_ensemble(
        &mut self,
        node: &Node,
        ensemble: &TreeEnsemble,
    ) -> Result<Vec<Expression>, ModelError> {
        if self.program.limb_bits > LARGEST_LIMB {
            let reason = format!("trees that are committed to take limbs of at most {LARGEST_LIMB} bits");
            return Err(unsupported(node, reason));
        }
        let divisor = match ensemble.aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => ensemble.trees.len().max(1) as f64,
            Aggregate::Min | Aggregate::Max => {
                return Err(unsupported(
                    node,
                    "takes the least or the largest of its trees' weights; only trees whose weights are added up can \
                     be committed to: use model=public"
                        .to_owned(),
                ));
            }
        };
        let mut trees = ensemble.trees.clone();
        let conditions = self.committed_conditions(node, &mut trees)?;
        let groups = grouped(trees, ensemble.targets);
        let most = groups.iter().map(|group| group.trees.len()).max().unwrap_or(0);
        let all = groups.iter().flat_map(|group| &group.trees);
        let deepest = all.clone().map(depth).max().unwrap_or(0);
        let bases = ensemble.base.iter().map(|base| f64::from(*base).abs());
        let weights = all.flat_map(trees::weights);
        let largest = weights.map(|(_, weight)| (f64::from(*weight) / divisor).abs());
        // A base that is shared out among few trees makes their weights that much larger.
        let reach = largest.fold(0.0, f64::max) + bases.fold(0.0, f64::max) / most.max(1) as f64;
        let outputs: Vec<usize> = groups.iter().map(|group| group.targets.len()).collect();
        let forest = self.forest_format(node, (most, deepest), reach, &outputs)?;
        let mut scores = vec![Expression::default(); ensemble.targets];
        for Group { targets, trees } in &groups {
            let missing = Tree {
                nodes: vec![TreeNode::Leaf { weights: Vec::new() }],
            };
            let padded = trees.iter().chain(std::iter::repeat(&missing)).take(forest.trees);
            for tree in padded {
                let weight = |weights: &[(usize, f32)], target: usize| {
                    let known = weights.iter().find(|(known, _)| *known == target);
                    let base = ensemble.base.get(target).copied().unwrap_or(0.0);
                    known.map_or(0.0, |(_, weight)| f64::from(*weight) / divisor)
                        + f64::from(base) / forest.trees as f64
                };
                let outputs = self.committed_tree(node, tree, targets, &forest, &conditions, weight)?;
                for (target, output) in targets.iter().zip(outputs) {
                    scores[*target].add_scaled(&output, 1.0);
                }
            }
        }
        Ok(scores)
    }

    /// One tree; returns its leaf's weight for each target.
    fn committed_tree(
        &mut self,
        node: &Node,
        tree: &Tree,
        targets: &[usize],
        forest: &ForestFormat,
        conditions: &Conditions,
        weight: impl Fn(&[(usize, f32)], usize) -> f64,
    ) -> Result<Vec<Expression>, ModelError> {
        let largest = trees::largest_weight(self.program.limb_bits);
        let mut levels = Vec::new();
        let mut level: Vec<usize> = vec![0];
        for _ in 0..forest.depth {
            let mut splits = Vec::with_capacity(level.len());
            let mut next = Vec::with_capacity(2 * level.len());
            for (index, position) in (0..).zip(&level) {
                let branch = conditions.branch(&tree.nodes[*position]);
                splits.push(SplitNode {
                    index,
                    feature: branch.map_or(0, |branch| branch.address),
                    split: branch.map_or(u32::MAX, |branch| branch.split),
                });
                next.extend(branch.map_or([*position; 2], |branch| [branch.below, branch.above]));
            }
            levels.push(splits);
            level = next;
        }
        let mut leaves = Vec::with_capacity(level.len());
        for (index, position) in (0..).zip(level) {
            let TreeNode::Leaf { weights } = &tree.nodes[position] else {
                continue;
            };
            let mut integers = Vec::with_capacity(targets.len());
            for target in targets {
                let real = weight(weights, *target);
                let integer = forest.format.quantize(real);
                if !(0.0..=largest as f64).contains(&integer) {
                    return Err(ModelError::ParameterOutOfRange {
                        node: node.name.clone(),
                        what: "leaf's weight",
                        times: (real / forest.format.dequantize(0)).abs(),
                    });
                }
                integers.push(integer as i64);
            }
            leaves.push(LeafNode {
                index,
                weights: integers,
            });
        }
        let outputs = self.new_cells(targets.len(), forest.format, largest);
        for cell in &outputs {
            self.cells[cell.index()].is_weight = true;
        }
        let id = self.next_tree();
        self.program.steps.push(Step::Tree(TreePath {
            name: node.name.clone(),
            committed: Some(CommittedTree {
                id,
                depth: forest.depth,
                format: forest.format,
                score: targets.first().map_or(0, |target| *target as u32),
            }),
            levels,
            leaves,
            outputs: vec![outputs.clone()],
        }));
        Ok(outputs.into_iter().map(Expression::cell).collect())
    }
}

impl ForestFormat {
    /// As few trees and levels as asked for and as the first ensemble has, and a range twice as wide as its leaves need.
    pub(super) fn measured(
        node: &Node,
        (trees, depth): (usize, u32),
        reach: f64,
        limb_bits: u32,
    ) -> Result<Self, ModelError> {
        if depth > MAX_COMMITTED_DEPTH {
            return Err(unsupported(
                node,
                format!(
                    "a tree has {depth} levels; a committed tree is padded to be complete, so {MAX_COMMITTED_DEPTH} are \
                     the most: train with a smaller depth, or use model=public"
                ),
            ));
        }
        let bits = trees::weight_bits(limb_bits) as i32 - 1;
        let range = if reach > 0.0 { reach.log2().ceil() as i32 + 1 } else { 0 };
        Ok(Self {
            trees: trees.max(1),
            depth: depth.max(1),
            format: Format {
                scale: bits - range,
                zero: 1 << bits,
            },
        })
    }
}
