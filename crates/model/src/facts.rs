//! What can be said of trees before any input: what they read, which way each variable moves a score, how far scores reach.
//!
//! A leaf is reached by the inputs of a box: per variable, the numbers that the conditions above the leaf leave. Two leaves
//! whose boxes differ in one variable alone are what a change of that variable can lead from and to; the score is monotone
//! in it if all such pairs are ordered one way. Every tree is looked at by itself, so that a variable is named where all
//! trees agree; trees whose changes cancel out in the sum are not found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Graph, Node, Op, Tree, TreeEnsemble, TreeNode,
    origin::{Origin, Origins},
    region::{Domain, Region},
};

/// Pairs of leaves that are compared at the most.
const PAIR_LIMIT: usize = 1 << 22;
/// Conditions above all leaves of an ensemble that are followed at the most.
const CONDITION_LIMIT: usize = 1 << 23;

/// Something that trees read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variable {
    /// The graph input, or the node that computes it.
    pub name: String,
    /// Element of it.
    pub index: usize,
    /// The category that a one-hot bit stands for.
    pub category: Option<i64>,
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.index)?;
        match self.category {
            Some(category) => write!(f, "={category}"),
            None => Ok(()),
        }
    }
}

/// What holds for one score, before any post-transform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreFacts {
    /// No input gives less; nothing where the trees are too large to follow.
    pub low: Option<f64>,
    /// No input gives more.
    pub high: Option<f64>,
    /// More of these never lowers the score.
    pub increasing: Vec<Variable>,
    /// More of these never raises the score.
    pub decreasing: Vec<Variable>,
}

/// The facts of one ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeFacts {
    /// Its node in the model.
    pub node: String,
    /// Number of trees.
    pub trees: usize,
    /// Number of branches in all of them.
    pub branches: usize,
    /// Conditions on the longest path.
    pub depth: usize,
    /// What some condition reads.
    pub used: Vec<Variable>,
    /// Inputs of the ensemble that no condition reads. An encoded input is named once.
    pub unused: Vec<Variable>,
    /// One per score.
    pub scores: Vec<ScoreFacts>,
    /// What was not looked into, and why.
    pub skipped: Option<String>,
}

impl Graph {
    /// The facts of every ensemble of trees.
    pub fn tree_facts(&self) -> Vec<TreeFacts> {
        let origins = Origins::of(self);
        let ensembles = self.nodes.iter().filter_map(|node| match &node.op {
            Op::TreeEnsemble(ensemble) => Some((node, ensemble)),
            _ => None,
        });
        ensembles
            .map(|(node, ensemble)| TreeFacts::of(self, &origins, node, ensemble))
            .collect()
    }

    /// What stands behind an origin, and its numbers.
    fn variable(&self, origins: &Origins, origin: &Origin) -> (Variable, Domain) {
        let plain = |name: &str, index, domain| {
            let name = name.to_owned();
            let variable = Variable {
                name,
                index,
                category: None,
            };
            (variable, domain)
        };
        let Some(position) = origin.value.0.checked_sub(self.inputs.len()) else {
            return plain(&self.inputs[origin.value.0].name, origin.index, Domain::Float32);
        };
        let node = &self.nodes[position];
        let Op::OneHot { categories } = &node.op else {
            return plain(&node.name, origin.index, Domain::Float32);
        };
        let mut bit = origin.index;
        for (encoded, known) in origins.operand(node).iter().zip(categories) {
            if let Some(category) = known.get(bit) {
                let (variable, _) = self.variable(origins, encoded);
                let category = Some(*category);
                return (Variable { category, ..variable }, Domain::Bit);
            }
            bit -= known.len();
        }
        plain(&node.name, origin.index, Domain::Bit)
    }
}

/// A feature as conditions read it: a position in the list of variables, and the arithmetic between.
struct Feature {
    variable: usize,
    domain: Domain,
    origin: Origin,
}

/// Disjoint intervals, in order: `low` up to `high`, which is left out.
type Numbers = Vec<(i64, i64)>;

fn intersection(left: &Numbers, right: &Numbers) -> Numbers {
    let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
    let common = pairs.map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
    common.filter(|(low, high)| low < high).collect()
}

/// The numbers of a region, or those outside of it.
fn numbers(region: Region, domain: Domain, holds: bool) -> Numbers {
    let (lowest, end) = domain.ends();
    let all = if region.inside == holds {
        vec![(region.low, region.high)]
    } else {
        vec![
            (lowest, region.low.min(region.high)),
            (region.high.max(region.low), end),
        ]
    };
    let mut kept: Numbers = all.into_iter().filter(|(low, high)| low < high).collect();
    // An empty region has everything outside, in two parts that touch.
    if let [(low, middle), (next, high)] = kept.as_slice()
        && middle == next
    {
        kept = vec![(*low, *high)];
    }
    kept
}

/// The variables that the conditions on a path bind, by variable.
type Bounds = BTreeMap<usize, Numbers>;

/// A leaf that some input reaches.
struct Leaf<'t> {
    weights: &'t [(usize, f32)],
    reached_by: Bounds,
    /// The branches above: position, and the side taken.
    path: Vec<(usize, bool)>,
}

impl Leaf<'_> {
    fn weight(&self, target: usize) -> Option<f64> {
        let known = self.weights.iter().find(|(known, _)| *known == target);
        known.map(|(_, weight)| f64::from(*weight))
    }
}

/// Whether each direction is possible for a variable.
#[derive(Debug, Clone, Copy)]
struct Directions {
    increasing: bool,
    decreasing: bool,
}

impl Directions {
    const EITHER: Self = Self {
        increasing: true,
        decreasing: true,
    };
    const NEITHER: Self = Self {
        increasing: false,
        decreasing: false,
    };
}

impl TreeFacts {
    fn of(graph: &Graph, origins: &Origins, node: &Node, ensemble: &TreeEnsemble) -> Self {
        let operand = origins.operand(node);
        let mut variables: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut named: Vec<Variable> = Vec::new();
        let mut features: BTreeMap<usize, Feature> = BTreeMap::new();
        let branches = ensemble.trees.iter().flat_map(|tree| &tree.nodes);
        for position in branches {
            if let TreeNode::Branch { feature, .. } = position
                && !features.contains_key(feature)
            {
                let origin = &operand[*feature];
                let (variable, domain) = graph.variable(origins, origin);
                let place = *variables.entry((origin.value.0, origin.index)).or_insert_with(|| {
                    named.push(variable);
                    named.len() - 1
                });
                features.insert(
                    *feature,
                    Feature {
                        variable: place,
                        domain,
                        origin: origin.clone(),
                    },
                );
            }
        }
        let without_category = |variable: &Variable| Variable {
            category: None,
            ..variable.clone()
        };
        let read: BTreeSet<Variable> = named.iter().map(without_category).collect();
        let offered = operand
            .iter()
            .map(|origin| without_category(&graph.variable(origins, origin).0));
        let unused: BTreeSet<Variable> = offered.filter(|variable| !read.contains(variable)).collect();
        let mut used = named.clone();
        used.sort();
        let depths: Vec<Vec<usize>> = ensemble.trees.iter().map(depths).collect();
        let of_nodes = || {
            ensemble
                .trees
                .iter()
                .zip(&depths)
                .flat_map(|(tree, depths)| tree.nodes.iter().zip(depths))
        };
        let of_leaves = of_nodes().filter(|(node, _)| matches!(node, TreeNode::Leaf { .. }));
        let conditions: usize = of_leaves.map(|(_, depth)| *depth).sum();
        let mut facts = Self {
            node: node.name.clone(),
            trees: ensemble.trees.len(),
            branches: of_nodes()
                .filter(|(node, _)| matches!(node, TreeNode::Branch { .. }))
                .count(),
            depth: of_nodes().map(|(_, depth)| *depth).max().unwrap_or(0),
            used,
            unused: unused.into_iter().collect(),
            scores: vec![
                ScoreFacts {
                    low: None,
                    high: None,
                    increasing: Vec::new(),
                    decreasing: Vec::new(),
                };
                ensemble.targets
            ],
            skipped: None,
        };
        if conditions > CONDITION_LIMIT {
            facts.skipped = Some(format!(
                "ranges of scores and monotone variables: {conditions} conditions above leaves are more than {CONDITION_LIMIT}"
            ));
            return facts;
        }
        let pairs: usize = ensemble.trees.iter().map(pairs).fold(0, usize::saturating_add);
        let compares = pairs <= PAIR_LIMIT;
        if !compares {
            facts.skipped = Some(format!(
                "monotone variables: {pairs} pairs of leaves are more than {PAIR_LIMIT}"
            ));
        }
        let mut parts: Vec<Vec<Part>> = vec![Vec::new(); ensemble.targets];
        let mut directions = vec![vec![Directions::EITHER; named.len()]; ensemble.targets];
        for tree in &ensemble.trees {
            let leaves = leaves(tree, &features);
            for (target, parts) in parts.iter_mut().enumerate() {
                parts.extend(Part::of(&leaves, target));
            }
            if compares {
                direct(ensemble, tree, &leaves, &features, &mut directions);
            }
        }
        for (target, score) in facts.scores.iter_mut().enumerate() {
            let (low, high) = range(ensemble, &parts[target], target);
            (score.low, score.high) = (Some(low), Some(high));
            for (variable, directions) in named.iter().zip(&directions[target]).filter(|_| compares) {
                // A variable that changes nothing is named on both sides.
                if directions.increasing {
                    score.increasing.push(variable.clone());
                }
                if directions.decreasing {
                    score.decreasing.push(variable.clone());
                }
            }
            score.increasing.sort();
            score.decreasing.sort();
        }
        facts
    }
}

/// Pairs of leaves of a tree.
fn pairs(tree: &Tree) -> usize {
    let leaves = tree
        .nodes
        .iter()
        .filter(|node| matches!(node, TreeNode::Leaf { .. }))
        .count();
    leaves.saturating_mul(leaves.saturating_sub(1)) / 2
}

/// Conditions above each node.
fn depths(tree: &Tree) -> Vec<usize> {
    let mut depths = vec![0; tree.nodes.len()];
    for (position, node) in tree.nodes.iter().enumerate() {
        if let TreeNode::Branch { holds, otherwise, .. } = node {
            for child in [*holds, *otherwise] {
                depths[child] = depths[position] + 1;
            }
        }
    }
    depths
}

/// The leaves that some input reaches.
fn leaves<'t>(tree: &'t Tree, features: &BTreeMap<usize, Feature>) -> Vec<Leaf<'t>> {
    let mut found = Vec::new();
    let mut pending = vec![(0, Arc::new(Bounds::new()), Vec::new())];
    while let Some((position, reached_by, path)) = pending.pop() {
        match &tree.nodes[position] {
            TreeNode::Leaf { weights } => found.push(Leaf {
                weights,
                reached_by: Arc::unwrap_or_clone(reached_by),
                path,
            }),
            TreeNode::Branch {
                feature,
                mode,
                threshold,
                holds,
                otherwise,
                ..
            } => {
                let Feature {
                    variable,
                    domain,
                    origin,
                } = &features[feature];
                let region = domain.region(&origin.steps, *mode, *threshold);
                for (child, side) in [(*otherwise, false), (*holds, true)] {
                    let mut numbers = numbers(region, *domain, side);
                    if let Some(known) = reached_by.get(variable) {
                        numbers = intersection(known, &numbers);
                    }
                    if numbers.is_empty() {
                        continue;
                    }
                    let mut below = Bounds::clone(&reached_by);
                    below.insert(*variable, numbers);
                    let mut longer = path.clone();
                    longer.push((position, side));
                    pending.push((child, Arc::new(below), longer));
                }
            }
        }
    }
    found
}

/// What one tree gives to a target.
#[derive(Debug, Clone, Copy)]
struct Part {
    low: f64,
    high: f64,
    /// Whether every leaf gives it something.
    is_certain: bool,
}

impl Part {
    fn of(leaves: &[Leaf<'_>], target: usize) -> Option<Self> {
        let given: Vec<f64> = leaves.iter().filter_map(|leaf| leaf.weight(target)).collect();
        Some(Self {
            low: given.iter().copied().reduce(f64::min)?,
            high: given.iter().copied().reduce(f64::max)?,
            is_certain: given.len() == leaves.len(),
        })
    }
}

/// The least and the most that a score can be.
fn range(ensemble: &TreeEnsemble, parts: &[Part], target: usize) -> (f64, f64) {
    let low = |part: &Part| part.low;
    let high = |part: &Part| part.high;
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
    let certain = || parts.iter().filter(|part| part.is_certain);
    let (all_low, all_high) = (least(&mut parts.iter().map(low)), most(&mut parts.iter().map(high)));
    let (low, high) = match ensemble.aggregate {
        _ if parts.is_empty() => (0.0, 0.0),
        Aggregate::Sum | Aggregate::Average => {
            // A leaf without a weight adds nothing.
            let with_nothing = |part: &Part, end: f64, other: fn(f64, f64) -> f64| {
                if part.is_certain { end } else { other(end, 0.0) }
            };
            let low: f64 = parts.iter().map(|part| with_nothing(part, part.low, f64::min)).sum();
            let high: f64 = parts.iter().map(|part| with_nothing(part, part.high, f64::max)).sum();
            let divisor = match ensemble.aggregate {
                Aggregate::Average => ensemble.trees.len().max(1) as f64,
                _ => 1.0,
            };
            (low / divisor, high / divisor)
        }
        // Where no tree is certain to take part the score may be 0.
        _ if certain().next().is_none() => (all_low.min(0.0), all_high.max(0.0)),
        Aggregate::Min => (all_low, least(&mut certain().map(high))),
        Aggregate::Max => (most(&mut certain().map(low)), all_high),
    };
    let base = f64::from(ensemble.base[target]);
    (low + base, high + base)
}

/// Takes away the directions, by target and variable, that a tree does not allow.
fn direct(
    ensemble: &TreeEnsemble,
    tree: &Tree,
    leaves: &[Leaf<'_>],
    features: &BTreeMap<usize, Feature>,
    directions: &mut [Vec<Directions>],
) {
    let chooses = matches!(ensemble.aggregate, Aggregate::Min | Aggregate::Max);
    for (index, first) in leaves.iter().enumerate() {
        for second in &leaves[index + 1..] {
            let Some(variable) = parting(tree, features, first, second) else {
                continue;
            };
            let (a, b) = (&first.reached_by[&variable], &second.reached_by[&variable]);
            // Whether a number of the one lies below a number of the other.
            let below = |a: &Numbers, b: &Numbers| a.first().zip(b.last()).is_some_and(|(a, b)| a.0 + 1 < b.1);
            let (up, down) = (below(a, b), below(b, a));
            for (target, directions) in directions.iter_mut().enumerate() {
                let directions = &mut directions[variable];
                let (from, to) = (first.weight(target), second.weight(target));
                if chooses && from.is_some() != to.is_some() {
                    // Taking part or not is no change in one direction.
                    *directions = Directions::NEITHER;
                    continue;
                }
                let (from, to) = (from.unwrap_or(0.0), to.unwrap_or(0.0));
                directions.increasing &= !((up && from > to) || (down && from < to));
                directions.decreasing &= !((up && from < to) || (down && from > to));
            }
        }
    }
}

/// The variable whose change alone leads from one leaf to the other; nothing where another one must change too.
fn parting(tree: &Tree, features: &BTreeMap<usize, Feature>, first: &Leaf<'_>, second: &Leaf<'_>) -> Option<usize> {
    let mut both = first.path.iter().zip(&second.path);
    let (position, _) = both.find(|(a, b)| a != b).map(|(a, _)| *a)?;
    let TreeNode::Branch { feature, .. } = &tree.nodes[position] else {
        return None;
    };
    let variable = features[feature].variable;
    let meets = |(other, numbers): (&usize, &Numbers)| {
        let against = second.reached_by.get(other);
        *other == variable || against.is_none_or(|against| !intersection(numbers, against).is_empty())
    };
    first.reached_by.iter().all(meets).then_some(variable)
}

#[cfg(test)]
mod tests;
