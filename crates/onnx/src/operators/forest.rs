//! From the lists of a tree ensemble's attributes to [`Tree`]s: every tree checked, its root first, children after
//! their parent.

use std::collections::{BTreeMap, BTreeSet};

use zkverdict_model::{BranchMode, Tree, TreeNode};

use super::Call;
use crate::{
    Refusal, TreeDefect,
    builder::Builder,
    decode, number,
    tensor::{Constant, Data},
};

/// Nodes that all trees of an ensemble together may have.
pub(super) const NODE_LIMIT: usize = 1 << 20;

/// A tree and a node, as the file names them; in operator set 5 no tree where no root leads to the node.
type Place = (Option<i64>, i64);

fn defect((tree, node): Place, defect: TreeDefect) -> Refusal {
    Refusal::Tree { tree, node, defect }
}

/// A node whose children are positions in the list of all nodes.
struct Entry {
    place: Place,
    node: TreeNode,
}

/// What the trees of a file are, before the operator says what to do with their scores.
pub(super) struct Forest {
    pub(super) trees: Vec<Tree>,
    /// Nodes that no root leads to.
    pub(super) unreachable: usize,
    /// Nodes more than in the file, because several branches lead to one.
    pub(super) copies: usize,
    /// Weights given to branches, which ONNX Runtime ignores.
    pub(super) ignored_weights: usize,
}

/// Names of the attributes that hold the weights of leaves.
pub(super) struct WeightNames {
    pub(super) trees: &'static str,
    pub(super) nodes: &'static str,
    pub(super) targets: &'static str,
    pub(super) weights: &'static str,
    pub(super) weights_as_tensor: &'static str,
}

/// A list of floats, or the tensor that takes its place since operator set 3.
pub(super) fn reals(
    call: &mut Call<'_>,
    list: &'static str,
    tensor: &'static str,
) -> Result<Option<Vec<f64>>, Refusal> {
    let values = call.attributes.singles(list)?.filter(|values| !values.is_empty());
    let tensor = if call.version >= 3 {
        real_tensor(call, tensor)?.filter(|values| !values.is_empty())
    } else {
        None
    };
    match (values, tensor) {
        (Some(_), Some(_)) => Err(Refusal::DuplicateAttribute {
            attribute: list.to_owned(),
        }),
        (Some(values), None) => Ok(Some(values.iter().copied().map(f64::from).collect())),
        (None, tensor) => Ok(tensor),
    }
}

fn constant(call: &mut Call<'_>, name: &'static str) -> Result<Option<Constant>, Refusal> {
    let Some(proto) = call.attributes.tensor(name)? else {
        return Ok(None);
    };
    let constant = decode::constant(proto, name).map_err(|defect| Refusal::Tensor { defect })?;
    Ok(Some(constant))
}

fn real_tensor(call: &mut Call<'_>, name: &'static str) -> Result<Option<Vec<f64>>, Refusal> {
    match constant(call, name)? {
        None => Ok(None),
        Some(Constant {
            data: Data::Reals(values),
            ..
        }) => Ok(Some(values)),
        Some(_) => Err(Refusal::AttributeType {
            attribute: name.to_owned(),
            expected: "float tensor",
        }),
    }
}

/// The attribute's list, which must have one value per node.
fn integers<'a>(call: &mut Call<'a>, attribute: &'static str, expected: usize) -> Result<&'a [i64], Refusal> {
    let list = call.attributes.integers(attribute)?.unwrap_or_default();
    same_length(attribute, expected, list.len())?;
    Ok(list)
}

fn same_length(attribute: &'static str, expected: usize, got: usize) -> Result<(), Refusal> {
    if expected == got {
        Ok(())
    } else {
        Err(Refusal::AttributeLength {
            attribute,
            expected,
            got,
        })
    }
}

fn limited(nodes: usize) -> Result<(), Refusal> {
    if nodes > NODE_LIMIT {
        return Err(Refusal::TooLarge {
            what: "tree nodes",
            limit: NODE_LIMIT,
        });
    }
    Ok(())
}

/// Popularity of each node; nothing is computed from it.
fn hit_rates(call: &mut Call<'_>, got: usize, attribute: &'static str, expected: usize) -> Result<(), Refusal> {
    if got > 0 {
        same_length(attribute, expected, got)?;
        call.builder
            .notes
            .push(format!("{}: {attribute} is not read", call.label));
    }
    Ok(())
}

/// Where missing values go, per node; `false` throughout where the list is left out.
fn missing_tracks(call: &mut Call<'_>, count: usize) -> Result<Vec<i64>, Refusal> {
    const NAME: &str = "nodes_missing_value_tracks_true";
    let list = call.attributes.integers(NAME)?.unwrap_or_default();
    if list.is_empty() {
        return Ok(vec![0; count]);
    }
    same_length(NAME, count, list.len())?;
    Ok(list.to_vec())
}

fn flag(place: Place, attribute: &'static str, value: i64) -> Result<bool, Refusal> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(defect(place, TreeDefect::Flag { attribute, value })),
    }
}

/// A value that `float32` holds.
fn single(place: Place, value: f64) -> Result<f32, Refusal> {
    let single = number::narrow(value);
    if f64::from(single) == value || value.is_nan() {
        Ok(single)
    } else {
        Err(defect(place, TreeDefect::NotSingle { value }))
    }
}

fn threshold(place: Place, value: f64) -> Result<f32, Refusal> {
    if value.is_nan() {
        return Err(defect(place, TreeDefect::Threshold));
    }
    // Adding zero turns −0 into +0, which compares the same.
    Ok(single(place, value)? + 0.0)
}

fn weight(place: Place, value: f64) -> Result<f32, Refusal> {
    if value.is_finite() {
        single(place, value)
    } else {
        Err(defect(place, TreeDefect::Weight { value }))
    }
}

fn feature(place: Place, feature: i64, features: usize) -> Result<usize, Refusal> {
    usize::try_from(feature)
        .ok()
        .filter(|&position| position < features)
        .ok_or_else(|| defect(place, TreeDefect::Feature { feature, features }))
}

fn target(place: Place, target: i64, targets: usize) -> Result<usize, Refusal> {
    usize::try_from(target)
        .ok()
        .filter(|&position| position < targets)
        .ok_or_else(|| defect(place, TreeDefect::Target { target, targets }))
}

/// A branch; `x != t` holds for a missing value whatever the flag says.
fn branch(feature: usize, mode: BranchMode, threshold: f32, missing: bool, children: (usize, usize)) -> TreeNode {
    TreeNode::Branch {
        feature,
        mode,
        threshold,
        missing_holds: missing || mode == BranchMode::NotEqual,
        holds: children.0,
        otherwise: children.1,
    }
}

/// The forest of operator sets 1 and 3, over the given numbers of features and targets.
pub(super) fn listed(
    call: &mut Call<'_>,
    names: &WeightNames,
    features: usize,
    targets: usize,
) -> Result<Forest, Refusal> {
    let tree_ids = call.attributes.integers("nodes_treeids")?.unwrap_or_default();
    let count = tree_ids.len();
    if count == 0 {
        return Err(Refusal::MissingAttribute {
            attribute: "nodes_treeids",
        });
    }
    limited(count)?;
    let node_ids = integers(call, "nodes_nodeids", count)?;
    let feature_ids = integers(call, "nodes_featureids", count)?;
    let true_ids = integers(call, "nodes_truenodeids", count)?;
    let false_ids = integers(call, "nodes_falsenodeids", count)?;
    let modes = call.attributes.texts("nodes_modes")?.unwrap_or_default();
    same_length("nodes_modes", count, modes.len())?;
    let values = reals(call, "nodes_values", "nodes_values_as_tensor")?.unwrap_or_default();
    same_length("nodes_values", count, values.len())?;
    let missing = missing_tracks(call, count)?;
    let rates = reals(call, "nodes_hitrates", "nodes_hitrates_as_tensor")?;
    hit_rates(call, rates.map_or(0, |rates| rates.len()), "nodes_hitrates", count)?;

    let places: Vec<Place> = tree_ids
        .iter()
        .copied()
        .map(Some)
        .zip(node_ids.iter().copied())
        .collect();
    let mut positions = BTreeMap::new();
    for (position, &place) in places.iter().enumerate() {
        if positions.insert(place, position).is_some() {
            return Err(defect(place, TreeDefect::Duplicate));
        }
    }
    let (mut weights, ignored_weights) = leaf_weights(call, names, &positions, &modes, targets)?;
    let child = |place: Place, branch: bool, child: i64| {
        positions
            .get(&(place.0, child))
            .copied()
            .ok_or_else(|| defect(place, TreeDefect::MissingChild { branch, child }))
    };
    let rows = places
        .iter()
        .zip(feature_ids)
        .zip(modes.iter().zip(&values))
        .zip(true_ids.iter().zip(false_ids))
        .zip(&missing)
        .enumerate();
    let mut entries = Vec::with_capacity(count);
    for (position, ((((&place, &feature_id), (mode, &value)), (&holds, &otherwise)), &missing)) in rows {
        let mode = match mode.as_str() {
            "BRANCH_LEQ" => Some(BranchMode::LessOrEqual),
            "BRANCH_LT" => Some(BranchMode::Less),
            "BRANCH_GTE" => Some(BranchMode::GreaterOrEqual),
            "BRANCH_GT" => Some(BranchMode::Greater),
            "BRANCH_EQ" => Some(BranchMode::Equal),
            "BRANCH_NEQ" => Some(BranchMode::NotEqual),
            "LEAF" => None,
            other => {
                let mode = other.escape_debug().to_string();
                return Err(defect(place, TreeDefect::Mode { mode }));
            }
        };
        let node = match mode {
            Some(mode) => branch(
                feature(place, feature_id, features)?,
                mode,
                threshold(place, value)?,
                flag(place, "nodes_missing_value_tracks_true", missing)?,
                (child(place, true, holds)?, child(place, false, otherwise)?),
            ),
            None => TreeNode::Leaf {
                weights: weights
                    .remove(&position)
                    .ok_or_else(|| defect(place, TreeDefect::NoWeights))?,
            },
        };
        entries.push(Entry { place, node });
    }
    let roots = starts(&places)?;
    let is_root: BTreeSet<usize> = roots.iter().copied().collect();
    for (position, (entry, has_parent)) in entries.iter().zip(parents(&entries)).enumerate() {
        if !has_parent && !is_root.contains(&position) {
            return Err(defect(entry.place, TreeDefect::SecondRoot));
        }
    }
    let reached = reached(&entries, &roots)?;
    if let Some((entry, _)) = entries.iter().zip(&reached).find(|(_, reached)| !**reached) {
        return Err(defect(entry.place, TreeDefect::Cycle));
    }
    let trees = grow(call.builder, &entries, &roots)?;
    let copies = copies(&trees, count);
    Ok(Forest {
        trees,
        unreachable: 0,
        copies,
        ignored_weights,
    })
}

/// `(target, weight)` of each leaf, by position.
type Weights = BTreeMap<usize, Vec<(usize, f32)>>;

/// The weights of the leaves, and how many were given to branches.
fn leaf_weights(
    call: &mut Call<'_>,
    names: &WeightNames,
    positions: &BTreeMap<Place, usize>,
    modes: &[String],
    targets: usize,
) -> Result<(Weights, usize), Refusal> {
    let tree_ids = call.attributes.integers(names.trees)?.unwrap_or_default();
    let count = tree_ids.len();
    let node_ids = integers(call, names.nodes, count)?;
    let target_ids = integers(call, names.targets, count)?;
    let values = reals(call, names.weights, names.weights_as_tensor)?.unwrap_or_default();
    same_length(names.weights, count, values.len())?;
    let mut weights = Weights::new();
    let mut ignored = 0usize;
    let rows = tree_ids.iter().zip(node_ids).zip(target_ids.iter().zip(&values));
    for ((&tree, &node), (&target_id, &value)) in rows {
        let place = (Some(tree), node);
        let &position = positions
            .get(&place)
            .ok_or_else(|| defect(place, TreeDefect::MissingNode))?;
        let entry = (target(place, target_id, targets)?, weight(place, value)?);
        if modes.get(position).map(String::as_str) == Some("LEAF") {
            weights.entry(position).or_default().push(entry);
        } else {
            ignored = ignored.saturating_add(1);
        }
    }
    let by_position: BTreeMap<usize, Place> = positions.iter().map(|(&place, &position)| (position, place)).collect();
    for (position, list) in &mut weights {
        list.sort_by_key(|&(target, _)| target);
        let mut earlier = None;
        for &(target, _) in &*list {
            if earlier == Some(target) {
                let place = by_position.get(position).copied().unwrap_or_default();
                return Err(defect(place, TreeDefect::TargetTwice { target }));
            }
            earlier = Some(target);
        }
    }
    Ok((weights, ignored))
}

/// Where each tree starts: at its first node. ONNX Runtime starts another tree wherever the id changes.
fn starts(places: &[Place]) -> Result<Vec<usize>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut last = None;
    let mut roots = Vec::new();
    for (position, &(tree, node)) in places.iter().enumerate() {
        if last == Some(tree) {
            continue;
        }
        if !seen.insert(tree) {
            return Err(defect((tree, node), TreeDefect::Scattered));
        }
        last = Some(tree);
        roots.push(position);
    }
    Ok(roots)
}

fn children(entry: &Entry) -> Option<[usize; 2]> {
    match entry.node {
        TreeNode::Branch { holds, otherwise, .. } => Some([holds, otherwise]),
        TreeNode::Leaf { .. } => None,
    }
}

/// Whether each node has a parent.
fn parents(entries: &[Entry]) -> Vec<bool> {
    let mut parents = vec![false; entries.len()];
    for child in entries.iter().filter_map(children).flatten() {
        if let Some(parent) = parents.get_mut(child) {
            *parent = true;
        }
    }
    parents
}

/// Progress of a search in depth.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Unseen,
    /// On the path from the root.
    Open,
    Done,
}

/// Which nodes the roots lead to; no path may lead back to itself, and to no root.
fn reached(entries: &[Entry], roots: &[usize]) -> Result<Vec<bool>, Refusal> {
    let parents = parents(entries);
    let mut states = vec![State::Unseen; entries.len()];
    for &root in roots {
        if let (Some(true), Some(entry)) = (parents.get(root), entries.get(root)) {
            return Err(defect(entry.place, TreeDefect::NoRoot));
        }
        // A node, and whether everything below it has been seen.
        let mut pending = vec![(root, false)];
        while let Some((position, below)) = pending.pop() {
            let (Some(entry), Some(state)) = (entries.get(position), states.get_mut(position)) else {
                continue;
            };
            if below {
                *state = State::Done;
                continue;
            }
            match *state {
                State::Done => {}
                State::Open => return Err(defect(entry.place, TreeDefect::Cycle)),
                State::Unseen => {
                    *state = State::Open;
                    pending.push((position, true));
                    pending.extend(children(entry).into_iter().flatten().map(|child| (child, false)));
                }
            }
        }
    }
    Ok(states.into_iter().map(|state| state != State::Unseen).collect())
}

/// The trees from their roots on. A node that several branches lead to, as LightGBM's categories have them, is copied
/// for each; there must be no cycles.
fn grow(builder: &mut Builder, entries: &[Entry], roots: &[usize]) -> Result<Vec<Tree>, Refusal> {
    let mut total = 0usize;
    let mut trees = Vec::with_capacity(roots.len());
    for &root in roots {
        let mut nodes: Vec<TreeNode> = Vec::new();
        // An entry, and the slot of its parent to put its position in.
        let mut pending: Vec<(usize, Option<(usize, bool)>)> = vec![(root, None)];
        while let Some((position, slot)) = pending.pop() {
            let Some(entry) = entries.get(position) else {
                continue;
            };
            total = total.saturating_add(1);
            limited(total)?;
            if let TreeNode::Leaf { weights } = &entry.node {
                builder.charge_terms(weights.len())?;
            }
            let new = nodes.len();
            if let Some((parent, branch)) = slot
                && let Some(TreeNode::Branch { holds, otherwise, .. }) = nodes.get_mut(parent)
            {
                *(if branch { holds } else { otherwise }) = new;
            }
            if let Some([holds, otherwise]) = children(entry) {
                pending.push((otherwise, Some((new, false))));
                pending.push((holds, Some((new, true))));
            }
            nodes.push(entry.node.clone());
        }
        trees.push(Tree { nodes });
    }
    Ok(trees)
}

/// Nodes of the trees that are not in the file.
fn copies(trees: &[Tree], kept: usize) -> usize {
    let nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
    nodes.saturating_sub(kept)
}

/// The tree of each node, by the position of its root; `None` where no root leads to the node.
fn members(roots: &[i64], links: &[[Option<usize>; 2]]) -> Vec<Option<i64>> {
    let mut trees = vec![None; links.len()];
    for (tree, &root) in (0..).zip(roots) {
        let mut pending: Vec<usize> = usize::try_from(root).into_iter().collect();
        while let Some(position) = pending.pop() {
            if let (Some(slot @ None), Some(children)) = (trees.get_mut(position), links.get(position)) {
                *slot = Some(tree);
                pending.extend(children.iter().flatten());
            }
        }
    }
    trees
}

/// The forest of operator set 5: branches and leaves in lists of their own, referred to by position.
pub(super) fn indexed(call: &mut Call<'_>, features: usize, targets: usize) -> Result<Forest, Refusal> {
    let splits = real_tensor(call, "nodes_splits")?.ok_or(Refusal::MissingAttribute {
        attribute: "nodes_splits",
    })?;
    let count = splits.len();
    limited(count)?;
    let modes = match constant(call, "nodes_modes")? {
        Some(Constant {
            data: Data::Integers(modes),
            ..
        }) => modes,
        Some(_) => {
            return Err(Refusal::AttributeType {
                attribute: "nodes_modes".to_owned(),
                expected: "uint8 tensor",
            });
        }
        None => {
            return Err(Refusal::MissingAttribute {
                attribute: "nodes_modes",
            });
        }
    };
    same_length("nodes_modes", count, modes.len())?;
    let feature_ids = integers(call, "nodes_featureids", count)?;
    let true_ids = integers(call, "nodes_truenodeids", count)?;
    let true_leaves = integers(call, "nodes_trueleafs", count)?;
    let false_ids = integers(call, "nodes_falsenodeids", count)?;
    let false_leaves = integers(call, "nodes_falseleafs", count)?;
    let missing = missing_tracks(call, count)?;
    let rates = real_tensor(call, "nodes_hitrates")?.unwrap_or_default();
    hit_rates(call, rates.len(), "nodes_hitrates", count)?;
    // Read only by BRANCH_MEMBER, which is refused.
    real_tensor(call, "membership_values")?;
    let target_ids = call.attributes.integers("leaf_targetids")?.unwrap_or_default();
    limited(target_ids.len())?;
    let values = real_tensor(call, "leaf_weights")?.unwrap_or_default();
    same_length("leaf_weights", target_ids.len(), values.len())?;
    let roots = call.attributes.integers("tree_roots")?.unwrap_or_default();
    if roots.is_empty() {
        return Err(Refusal::MissingAttribute {
            attribute: "tree_roots",
        });
    }
    let links = true_ids.iter().zip(true_leaves).zip(false_ids.iter().zip(false_leaves));
    let links: Vec<[Option<usize>; 2]> = links
        .map(|((&holds, &true_leaf), (&otherwise, &false_leaf))| {
            [(holds, true_leaf), (otherwise, false_leaf)]
                .map(|(child, leaf)| usize::try_from(child).ok().filter(|_| leaf == 0))
        })
        .collect();
    let tree_of = members(roots, &links);
    let starting: BTreeSet<i64> = roots.iter().copied().collect();

    let rows = feature_ids
        .iter()
        .zip(modes.iter().zip(&splits))
        .zip(true_ids.iter().zip(true_leaves))
        .zip(false_ids.iter().zip(false_leaves))
        .zip(&missing)
        .zip(tree_of.iter().zip(0..));
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let mut leaves: Vec<Entry> = Vec::new();
    for (
        ((((&feature_id, (&mode, &split)), (&holds, &true_leaf)), (&otherwise, &false_leaf)), &missing),
        (&tree, node),
    ) in rows
    {
        let place = (tree, node);
        let mode = match mode {
            0 => BranchMode::LessOrEqual,
            1 => BranchMode::Less,
            2 => BranchMode::GreaterOrEqual,
            3 => BranchMode::Greater,
            4 => BranchMode::Equal,
            5 => BranchMode::NotEqual,
            6 => {
                return Err(defect(
                    place,
                    TreeDefect::Mode {
                        mode: "BRANCH_MEMBER".to_owned(),
                    },
                ));
            }
            other => {
                return Err(defect(
                    place,
                    TreeDefect::Mode {
                        mode: other.to_string(),
                    },
                ));
            }
        };
        let true_leaf = flag(place, "nodes_trueleafs", true_leaf)?;
        let false_leaf = flag(place, "nodes_falseleafs", false_leaf)?;
        let mut child = |branch: bool, leaf: bool, child: i64| {
            let missing = || defect(place, TreeDefect::MissingChild { branch, child });
            let position = usize::try_from(child).map_err(|_| missing())?;
            if !leaf {
                return Some(position).filter(|&position| position < count).ok_or_else(missing);
            }
            let (Some(&target_id), Some(&value)) = (target_ids.get(position), values.get(position)) else {
                return Err(missing());
            };
            leaves.push(Entry {
                place,
                node: TreeNode::Leaf {
                    weights: vec![(target(place, target_id, targets)?, weight(place, value)?)],
                },
            });
            Ok(count.saturating_add(leaves.len()).saturating_sub(1))
        };
        let children = (child(true, true_leaf, holds)?, child(false, false_leaf, otherwise)?);
        let feature = feature(place, feature_id, features)?;
        let threshold = threshold(place, split)?;
        let missing = flag(place, "nodes_missing_value_tracks_true", missing)?;
        // A root whose branches lead to one leaf is how this version writes a tree of a single leaf.
        let single = true_leaf && false_leaf && holds == otherwise && starting.contains(&node);
        let node = match leaves.last() {
            Some(leaf) if single => {
                let leaf = leaf.node.clone();
                leaves.truncate(leaves.len().saturating_sub(2));
                leaf
            }
            _ => branch(feature, mode, threshold, missing, children),
        };
        entries.push(Entry { place, node });
    }
    entries.append(&mut leaves);
    limited(entries.len())?;
    let positions = roots
        .iter()
        .map(|&root| {
            usize::try_from(root)
                .ok()
                .filter(|&position| position < count)
                .ok_or(Refusal::Index {
                    index: root,
                    length: count,
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let reached = reached(&entries, &positions)?;
    let trees = grow(call.builder, &entries, &positions)?;
    let kept = reached.iter().filter(|reached| **reached).count();
    let copies = copies(&trees, kept);
    Ok(Forest {
        trees,
        unreachable: entries.len().saturating_sub(kept),
        copies,
        ignored_weights: 0,
    })
}
