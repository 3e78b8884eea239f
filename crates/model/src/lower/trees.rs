//! Tree ensembles: every compared number is binned once against the ensemble's own thresholds; a tree is then a walk over
//! bins. Nothing is rounded before the leaves, and leaves are never rounded before they are summed or compared.

use std::collections::BTreeSet;

use crate::{
    Aggregate, Format, LeafNode, ModelError, Node, SplitNode, Step, Tree, TreeEnsemble, TreeNode, TreePath,
    WEIGHT_LIMBS,
    lower::{Expression, Lowering, conditions::Conditions, unsupported},
};

/// The same at most, in bits.
const WEIGHT_BITS: u32 = 32;
/// Deepest tree: indices of a level must stay small integers.
const MAX_DEPTH: usize = 30;

/// Four limbs hold a `float32`.
pub(super) const SMALLEST_LIMB: u32 = 8;

/// The weights of one tree's leaves.
struct Weights {
    /// What each is divided by.
    divisor: f64,
    /// The targets that some leaf gives a weight to.
    targets: Vec<usize>,
    /// The smallest, divided; a target that a leaf does not name gets zero.
    low: f64,
    /// The largest, divided.
    high: f64,
}

impl Weights {
    fn new(tree: &Tree, divisor: f64) -> Self {
        let leaves = || {
            tree.nodes.iter().filter_map(|position| match position {
                TreeNode::Leaf { weights } => Some(weights),
                TreeNode::Branch { .. } => None,
            })
        };
        let targets: BTreeSet<usize> = leaves().flatten().map(|(target, _)| *target).collect();
        let complete = leaves().all(|weights| weights.len() == targets.len());
        let zero = if complete { None } else { Some(0.0) };
        let all = leaves()
            .flatten()
            .map(|(_, weight)| f64::from(*weight) / divisor)
            .chain(zero);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), weight| {
            (weight.min(low), weight.max(high))
        });
        let is_empty = targets.is_empty();
        Self {
            divisor,
            targets: targets.into_iter().collect(),
            low: if is_empty { 0.0 } else { low },
            high: if is_empty { 0.0 } else { high },
        }
    }
}

impl Lowering<'_> {
    pub(super) fn tree_ensemble(
        &mut self,
        node: &Node,
        ensemble: &TreeEnsemble,
    ) -> Result<Vec<Expression>, ModelError> {
        if self.program.limb_bits < SMALLEST_LIMB {
            let reason = format!("trees compare float32 in four limbs of at least {SMALLEST_LIMB} bits");
            return Err(unsupported(node, reason));
        }
        if self.secret.is_some() {
            return self.committed_ensemble(node, ensemble);
        }
        let mut trees = ensemble.trees.clone();
        let mut floors = vec![None; ensemble.targets];
        let divisor = match ensemble.aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => trees.len().max(1) as f64,
            Aggregate::Min | Aggregate::Max => {
                complete(&mut trees, ensemble.aggregate, &mut floors);
                1.0
            }
        };
        let conditions = self.conditions(node, &mut trees)?;
        let weights: Vec<Weights> = trees.iter().map(|tree| Weights::new(tree, divisor)).collect();
        let scale = self.weight_scale(&weights, &ensemble.base);
        let mut leaves: Vec<Vec<Expression>> = vec![Vec::new(); ensemble.targets];
        for (tree, weights) in trees.iter().zip(&weights) {
            for (target, leaf) in self.tree(node, tree, weights, scale, &conditions)? {
                for cell in leaf.terms.keys() {
                    self.cells[cell.index()].is_weight = true;
                }
                leaves[target].push(leaf);
            }
        }
        let mut scores = Vec::with_capacity(ensemble.targets);
        for ((leaves, base), floor) in leaves.iter().zip(&ensemble.base).zip(floors) {
            let mut score = match ensemble.aggregate {
                Aggregate::Sum | Aggregate::Average => {
                    let mut sum = Expression::default();
                    leaves.iter().for_each(|leaf| sum.add_scaled(leaf, 1.0));
                    sum
                }
                Aggregate::Min => self.extreme(node, leaves, floor, -1.0)?,
                Aggregate::Max => self.extreme(node, leaves, floor, 1.0)?,
            };
            score.bias += f64::from(*base);
            scores.push(score);
        }
        Ok(scores)
    }

    /// The largest of the leaves' weights, or the smallest where `sign` is −1. Where all trees may be absent, nothing that
    /// is present loses against `floor`: where the floor itself wins, the score is 0.
    fn extreme(
        &mut self,
        node: &Node,
        leaves: &[Expression],
        floor: Option<f32>,
        sign: f64,
    ) -> Result<Expression, ModelError> {
        let mut signed: Vec<Expression> = leaves.iter().map(|leaf| leaf.scaled(sign)).collect();
        signed.extend(floor.map(|floor| Expression::constant(sign * f64::from(floor))));
        if let [only] = signed.as_slice() {
            return Ok(only.scaled(sign));
        }
        if floor.is_none() && signed.iter().all(|leaf| leaf.terms.is_empty()) {
            let biases = signed.iter().map(|leaf| leaf.bias);
            let largest = biases.reduce(f64::max).unwrap_or(0.0);
            return Ok(Expression::constant(sign * largest));
        }
        let (numbers, format) = self.exact(&node.name, &signed)?;
        let lowest = numbers.last().map_or(0, |number| number.bias);
        let (peak, bits) = self.maximum(node, numbers, format)?;
        self.cells[peak.index()].is_weight = true;
        let mut result = Expression::cell(peak);
        if let (Some(_), Some(bit)) = (floor, bits.last()) {
            result.add_scaled(&Expression::cell(*bit), -format.dequantize(lowest));
        }
        Ok(result.scaled(sign))
    }

    /// Binary digits after the point of every leaf's weight in an ensemble: as many as fit the limbs, but few enough for
    /// sums over all trees to count them as whole numbers in the formats of sigmoids and of scores.
    fn weight_scale(&self, weights: &[Weights], base: &[f32]) -> i32 {
        let bits = weight_bits(self.program.limb_bits);
        let span = weights
            .iter()
            .map(|weights| weights.high - weights.low)
            .fold(0.0, f64::max);
        // Two more steps, for rounding at both ends.
        let fitting = ((f64::powi(2.0, bits as i32) - 2.0) / span.max(f64::MIN_POSITIVE))
            .log2()
            .floor();
        let reach: f64 = weights
            .iter()
            .map(|weights| weights.high.abs().max(weights.low.abs()))
            .sum();
        let offset = base.iter().map(|base| f64::from(base.abs())).fold(0.0, f64::max);
        let countable = f64::from(2 * self.program.cell_bits() - 4) - (reach + offset).log2().ceil().max(0.0);
        fitting.min(countable).max(-200.0) as i32
    }

    /// One tree; returns its leaf's weight by target.
    fn tree(
        &mut self,
        node: &Node,
        tree: &Tree,
        weights: &Weights,
        scale: i32,
        conditions: &Conditions,
    ) -> Result<Vec<(usize, Expression)>, ModelError> {
        let divisor = weights.divisor;
        let real = |weight: f32| f64::from(weight) / divisor;
        if let [TreeNode::Leaf { weights }] = tree.nodes.as_slice() {
            let constant = |(target, weight): &(usize, f32)| (*target, Expression::constant(real(*weight)));
            return Ok(weights.iter().map(constant).collect());
        }
        let format = Format {
            scale,
            zero: -(weights.low * f64::powi(2.0, scale)).floor() as i64,
        };
        let mut path = TreePath {
            name: node.name.clone(),
            committed: None,
            levels: Vec::new(),
            leaves: Vec::new(),
            outputs: Vec::new(),
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
                match conditions.branch(&tree.nodes[position]) {
                    Some(branch) => {
                        splits.push(SplitNode {
                            index,
                            feature: branch.address,
                            split: branch.split,
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
            let TreeNode::Leaf { weights: leaf } = &tree.nodes[position] else {
                continue;
            };
            let weight_of = |target: &usize| {
                let known = leaf.iter().find(|(known, _)| known == target);
                format.quantize(known.map_or(0.0, |(_, weight)| real(*weight))) as i64
            };
            path.leaves.push(LeafNode {
                index,
                weights: weights.targets.iter().map(weight_of).collect(),
            });
        }
        let largest = path.leaves.iter().flat_map(|leaf| &leaf.weights).max();
        let largest = largest.copied().unwrap_or(0);
        let outputs = self.new_cells(weights.targets.len(), format, largest);
        let leaf_cells = outputs.iter().map(|cell| Expression::cell(*cell));
        let results = weights.targets.iter().copied().zip(leaf_cells).collect();
        path.outputs = vec![outputs];
        self.program.steps.push(Step::Tree(path));
        Ok(results)
    }
}

/// Bits of a leaf's weight.
pub(super) fn weight_bits(limb_bits: u32) -> u32 {
    (WEIGHT_LIMBS * limb_bits).min(WEIGHT_BITS)
}

/// The largest weight of a leaf whose limbs say everything that is known of it.
pub(super) fn largest_weight(limb_bits: u32) -> i64 {
    (1 << (WEIGHT_LIMBS * limb_bits)) - 1
}

/// The weights of all leaves.
pub(super) fn weights(tree: &Tree) -> impl Iterator<Item = &(usize, f32)> {
    tree.nodes.iter().flat_map(|node| match node {
        TreeNode::Leaf { weights } => weights.as_slice(),
        TreeNode::Branch { .. } => &[],
    })
}

/// Gives every leaf a weight for each target of its tree, for MIN and MAX. A leaf without one takes no part, and so does
/// a weight that never wins. Where no tree is sure to take part, that weight lies beyond all others, and the target gets a
/// floor between it and them.
fn complete(trees: &mut [Tree], aggregate: Aggregate, floors: &mut [Option<f32>]) {
    for (target, floor) in floors.iter_mut().enumerate() {
        let gives = |node: &TreeNode| match node {
            TreeNode::Leaf { weights } => weights.iter().any(|(known, _)| *known == target),
            TreeNode::Branch { .. } => true,
        };
        let given: Vec<f32> = trees
            .iter()
            .flat_map(weights)
            .filter(|(known, _)| *known == target)
            .map(|(_, weight)| *weight)
            .collect();
        let is_certain = trees.iter().any(|tree| tree.nodes.iter().all(gives));
        let (worst, beyond) = match aggregate {
            Aggregate::Min => (given.iter().copied().reduce(f32::max), 1.0),
            _ => (given.iter().copied().reduce(f32::min), -1.0),
        };
        let Some(worst) = worst else { continue };
        let mut losing = worst;
        let takes_part = |tree: &Tree| weights(tree).any(|(known, _)| *known == target);
        if !is_certain {
            let size = given.iter().fold(0.0, |size: f32, weight| size.max(weight.abs()));
            // Finite, even beside the largest number there is.
            losing = (worst + beyond * size / 2.0).clamp(f32::MIN, f32::MAX);
            *floor = Some((worst + beyond * size / 4.0).clamp(f32::MIN, f32::MAX));
        }
        for tree in trees.iter_mut().filter(|tree| takes_part(tree)) {
            for node in &mut tree.nodes {
                if let TreeNode::Leaf { weights } = node
                    && let Err(place) = weights.binary_search_by_key(&target, |(known, _)| *known)
                {
                    weights.insert(place, (target, losing));
                }
            }
        }
    }
}
