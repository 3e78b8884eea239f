//! Tree ensembles: every used feature is binned once against the ensemble's own thresholds; a tree is then a walk over
//! bins. Nothing is rounded before the leaves.
//!
//! Every condition becomes `x < c` for an integer `c` in the order of `float32` (children swapped where needed), so a
//! branch is `bin ≤ split` for the bin `#{c : c ≤ x}` and the position of its own `c`.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::{
    Aggregate, BranchMode, CellId, Format, LeafNode, ModelError, Node, SplitNode, Step, Table, Tree, TreeEnsemble,
    TreeNode, TreePath,
    lower::{Expression, Lowering, unsupported},
    ordered::{HIGHEST, LOWEST, ordered},
};

/// Limbs of a leaf's weight.
const WEIGHT_LIMBS: u32 = 3;
/// The same at most, in bits.
const WEIGHT_BITS: u32 = 32;
/// Deepest tree: indices of a level must stay small integers.
const MAX_DEPTH: usize = 30;

/// Four limbs hold a `float32`.
const SMALLEST_LIMB: u32 = 8;

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

/// The numbers that a feature's cell ranges over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// Places in the order of `float32`.
    Float32,
    /// Zero and one.
    Bit,
}

/// A feature that some branch reads.
struct Feature {
    cell: CellId,
    domain: Domain,
    bounds: Vec<i64>,
}

impl Feature {
    /// A bound on the cell's own scale, within what the bins cover: beyond, a branch always goes one way.
    fn bound(&self, bound: i64) -> i64 {
        match self.domain {
            Domain::Float32 => bound.clamp(LOWEST, HIGHEST + 1),
            Domain::Bit if bound <= ordered(0.0) => 0,
            Domain::Bit if bound <= ordered(1.0) => 1,
            Domain::Bit => 2,
        }
    }

    /// The largest bin below a bound; a bit is its own bin.
    fn split(&self, bound: i64) -> u32 {
        let bound = self.bound(bound);
        match self.domain {
            Domain::Float32 => self.bounds.binary_search(&bound).unwrap_or(0) as u32,
            Domain::Bit => (bound - 1) as u32,
        }
    }
}

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
        features: &[Expression],
        ensemble: &TreeEnsemble,
    ) -> Result<Vec<Expression>, ModelError> {
        if self.program.limb_bits < SMALLEST_LIMB {
            let reason = format!("trees compare float32 in four limbs of at least {SMALLEST_LIMB} bits");
            return Err(unsupported(node, reason));
        }
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
        let compared = self.bounds_of_features(node, features, ensemble)?;
        let mut addresses: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, feature) in &compared {
            addresses.insert(*index, self.bin(feature));
        }
        let weights: Vec<Weights> = ensemble.trees.iter().map(|tree| Weights::new(tree, divisor)).collect();
        let scale = self.weight_scale(&weights, &ensemble.base);
        let mut scores: Vec<Expression> = ensemble
            .base
            .iter()
            .map(|base| Expression::constant(f64::from(*base)))
            .collect();
        for (tree, weights) in ensemble.trees.iter().zip(&weights) {
            for (target, leaf) in self.tree(node, tree, weights, scale, &compared, &addresses)? {
                scores[target].add_scaled(&leaf, 1.0);
            }
        }
        Ok(scores)
    }

    /// Binary digits after the point of every leaf's weight in an ensemble: as many as fit the limbs, but few enough for
    /// sums over all trees to count them as whole numbers in the formats of sigmoids and of scores.
    fn weight_scale(&self, weights: &[Weights], base: &[f32]) -> i32 {
        let bits = (WEIGHT_LIMBS * self.program.limb_bits).min(WEIGHT_BITS);
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

    /// The sorted bounds of every used feature, on the feature's own scale.
    fn bounds_of_features(
        &self,
        node: &Node,
        features: &[Expression],
        ensemble: &TreeEnsemble,
    ) -> Result<BTreeMap<usize, Feature>, ModelError> {
        let mut found: BTreeMap<usize, Feature> = BTreeMap::new();
        for position in ensemble.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Some(branch) = Branch::new(node, position)? {
                let feature = match found.entry(branch.feature) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(self.feature(node, &features[branch.feature])?),
                };
                feature.bounds.push(feature.bound(branch.bound));
            }
        }
        let most = (1 << self.program.limb_bits) - 1;
        if found.len() > most {
            return Err(unsupported(
                node,
                format!(
                    "reads {} features, more than {most} at limbs of {} bits; use larger limbs",
                    found.len(),
                    self.program.limb_bits
                ),
            ));
        }
        for (index, feature) in &mut found {
            feature.bounds.sort_unstable();
            feature.bounds.dedup();
            if feature.bounds.len() > most {
                return Err(unsupported(
                    node,
                    format!(
                        "feature {index} has {} thresholds, more than {most} at limbs of {} bits; use larger limbs",
                        feature.bounds.len(),
                        self.program.limb_bits
                    ),
                ));
            }
        }
        Ok(found)
    }

    /// What a tree compares: a graph input as `float32`, or a bit.
    fn feature(&self, node: &Node, expression: &Expression) -> Result<Feature, ModelError> {
        let compared = expression.as_cell().and_then(|cell| {
            let info = self.cells[cell.index()];
            let whole = info.format == Format::INTEGER;
            let domain = if info.float32 {
                Some(Domain::Float32)
            } else {
                (whole && info.max == 1).then_some(Domain::Bit)
            };
            Some(Feature {
                cell,
                domain: domain?,
                bounds: Vec::new(),
            })
        });
        compared.ok_or_else(|| {
            let reason =
                "trees are proven on graph inputs as they are given and on one-hot bits, without arithmetic before";
            unsupported(node, reason.to_owned())
        })
    }

    /// The bin of a feature, as an address of the program's memory.
    fn bin(&mut self, feature: &Feature) -> usize {
        let output = match feature.domain {
            // A bit is its own bin: its only bound is one.
            Domain::Bit => feature.cell,
            Domain::Float32 => {
                let mut entries = vec![LOWEST];
                entries.extend(&feature.bounds);
                entries.push(HIGHEST + 1);
                let table = self.table(Table { entries, stride: 1 });
                let output = self.new_cell(Format::INTEGER, feature.bounds.len() as i64);
                self.program.steps.push(Step::Bin {
                    table,
                    input: feature.cell,
                    output,
                });
                output
            }
        };
        self.program.memory.push(output);
        self.program.memory.len() - 1
    }

    /// One tree; returns its leaf's weight by target.
    fn tree(
        &mut self,
        node: &Node,
        tree: &Tree,
        weights: &Weights,
        scale: i32,
        compared: &BTreeMap<usize, Feature>,
        addresses: &BTreeMap<usize, usize>,
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
                match Branch::new(node, &tree.nodes[position])? {
                    Some(branch) => {
                        splits.push(SplitNode {
                            index,
                            feature: addresses[&branch.feature] as u32,
                            split: compared[&branch.feature].split(branch.bound),
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
        path.outputs = self.new_cells(weights.targets.len(), format, largest);
        let outputs = path.outputs.iter().map(|cell| Expression::cell(*cell));
        let results = weights.targets.iter().copied().zip(outputs).collect();
        self.program.steps.push(Step::Tree(path));
        Ok(results)
    }
}
