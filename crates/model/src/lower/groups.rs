//! Which sums share a layer: sums that read the same cells, then those whose cells overlap most.
//!
//! A layer's rows are one copy of its inputs per block and three rows per sum, so neighbouring windows of a convolution
//! belong together. Groups are paired by overlap, level by level, so that any stretch of the order is a compact region.

use std::{borrow::Borrow, collections::HashMap};

use crate::{CellId, lower::Expression};

/// Most sums of one layer: a block of sixteen lanes, a few times over.
const MOST_SUMS: usize = 192;
/// Groups that are looked at per shared cell.
const MOST_NEIGHBOURS: usize = 64;

struct Group {
    cells: Vec<CellId>,
    members: Vec<usize>,
}

/// Layers for expressions of parameters that are hidden: those over the same cells. A sum of a layer has a weight for each of
/// the layer's cells, and what others read would be more of them, to be committed to and to be bounded.
pub(super) fn group_by_cells(expressions: &[impl Borrow<Expression>]) -> Vec<(Vec<CellId>, Vec<usize>)> {
    let groups = identical(expressions).into_iter();
    groups.map(|group| (group.cells, group.members)).collect()
}

/// Layers for these expressions: `(cells, positions)`, every position once.
pub(super) fn group_by_support(expressions: &[impl Borrow<Expression>]) -> Vec<(Vec<CellId>, Vec<usize>)> {
    let mut groups = identical(expressions);
    while let Some(merged) = pair_up(&groups) {
        groups = merged;
    }
    pack(groups)
}

/// Groups with the very same cells, in order of appearance.
fn identical(expressions: &[impl Borrow<Expression>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<Vec<CellId>, usize> = HashMap::new();
    for (position, expression) in expressions.iter().enumerate() {
        let cells: Vec<CellId> = expression.borrow().terms.keys().copied().collect();
        match known.get(&cells) {
            Some(index) => groups[*index].members.push(position),
            None => {
                known.insert(cells.clone(), groups.len());
                groups.push(Group {
                    cells,
                    members: vec![position],
                });
            }
        }
    }
    groups
}

/// Merges each group with the one it shares most cells with; `None` if there is nothing to merge.
fn pair_up(groups: &[Group]) -> Option<Vec<Group>> {
    let mut readers: HashMap<CellId, Vec<usize>> = HashMap::new();
    for (index, group) in groups.iter().enumerate() {
        if group.members.len() < MOST_SUMS {
            for cell in &group.cells {
                readers.entry(*cell).or_default().push(index);
            }
        }
    }
    let mut partner: Vec<Option<usize>> = vec![None; groups.len()];
    let mut found = false;
    for (index, group) in groups.iter().enumerate() {
        if partner[index].is_some() || group.members.len() >= MOST_SUMS {
            continue;
        }
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for cell in &group.cells {
            // Readers are in increasing order: those before this one are taken.
            let known = readers.get(cell).map_or(&[][..], Vec::as_slice);
            let first = known.partition_point(|other| *other <= index);
            for other in known[first..].iter().take(MOST_NEIGHBOURS) {
                if partner[*other].is_none() && groups[*other].members.len() + group.members.len() <= MOST_SUMS {
                    *shared.entry(*other).or_default() += 1;
                }
            }
        }
        // Most shared cells, then the nearest: the choice must not depend on the hash.
        let best = shared
            .into_iter()
            .max_by_key(|(other, count)| (*count, usize::MAX - other));
        if let Some((other, _)) = best {
            partner[index] = Some(other);
            partner[other] = Some(index);
            found = true;
        }
    }
    if !found {
        return None;
    }
    let mut merged = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        match partner[index] {
            Some(other) if other < index => {}
            Some(other) => merged.push(union(group, &groups[other])),
            None => merged.push(Group {
                cells: group.cells.clone(),
                members: group.members.clone(),
            }),
        }
    }
    Some(merged)
}

fn union(left: &Group, right: &Group) -> Group {
    let mut cells: Vec<CellId> = left.cells.iter().chain(&right.cells).copied().collect();
    cells.sort_unstable();
    cells.dedup();
    let members = left.members.iter().chain(&right.members).copied().collect();
    Group { cells, members }
}

/// Fills layers with groups that share nothing: a block costs rows of its own.
fn pack(groups: Vec<Group>) -> Vec<(Vec<CellId>, Vec<usize>)> {
    let mut layers: Vec<Group> = Vec::new();
    for group in groups {
        match layers.last_mut() {
            Some(last) if last.members.len() + group.members.len() <= MOST_SUMS => {
                last.cells.extend(group.cells);
                last.members.extend(group.members);
            }
            _ => layers.push(group),
        }
    }
    layers
        .into_iter()
        .map(|mut layer| {
            layer.cells.sort_unstable();
            layer.cells.dedup();
            (layer.cells, layer.members)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cells: impl IntoIterator<Item = u32>) -> Expression {
        let mut expression = Expression::default();
        for cell in cells {
            expression.add_scaled(&Expression::cell(CellId(cell)), 1.0);
        }
        expression
    }

    #[test]
    fn every_sum_has_one_place() {
        // Windows of a row, each read by two channels, and single cells far away.
        let windows: Vec<_> = (0..2).flat_map(|_| (0..300).map(|x| window(x..x + 5))).collect();
        let singles = (0..500).map(|x| window([1000 + x]));
        let all: Vec<_> = windows.into_iter().chain(singles).collect();
        let layers = group_by_support(&all);
        let mut places: Vec<usize> = layers.iter().flat_map(|(_, members)| members.clone()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..all.len()).collect::<Vec<_>>());
        for (cells, members) in &layers {
            assert!(members.len() <= MOST_SUMS && cells.is_sorted());
            for member in members {
                assert!(all[*member].terms.keys().all(|cell| cells.binary_search(cell).is_ok()));
            }
        }
        // A stretch of windows shares its cells.
        let (cells, members) = &layers[0];
        assert!(
            cells.len() < members.len(),
            "{} cells for {} sums",
            cells.len(),
            members.len()
        );
        assert!(layers.len() < 10);
    }

    #[test]
    fn sums_of_a_dense_layer_are_one_group_however_many() {
        let dense: Vec<_> = (0..400).map(|_| window(0..50)).collect();
        assert_eq!(group_by_support(&dense).len(), 1);
    }
}
