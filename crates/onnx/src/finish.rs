//! Last passes over the graph: `float32` arithmetic that is neither compared nor quantised becomes affine, affine maps of affine maps become one, and nodes that no output needs are dropped.

use std::collections::{BTreeMap, BTreeSet};

use zkverdict_model::{AffineRow, Graph, Node, Op, SingleRow, ValueId, Weights};

use crate::builder::Zeros;

/// Makes affine what need not be exact: `float32` arithmetic whose results are neither compared by trees nor quantised.
pub(crate) fn relax(mut graph: Graph) -> Graph {
    let first = graph.inputs.len();
    let mut compared: BTreeSet<ValueId> = BTreeSet::new();
    for (position, node) in graph.nodes.iter().enumerate().rev() {
        let own = ValueId(first.saturating_add(position));
        let passes = matches!(node.op, Op::Wire { .. } | Op::Singles { .. } | Op::Affine { .. });
        let compares = matches!(node.op, Op::TreeEnsemble(_) | Op::Quantize { .. });
        if compares || (passes && compared.contains(&own)) {
            compared.extend(&node.inputs);
        }
    }
    for (position, node) in graph.nodes.iter_mut().enumerate() {
        if let Op::Singles { rows } = &node.op
            && !compared.contains(&ValueId(first.saturating_add(position)))
        {
            node.op = Op::Affine {
                rows: rows.iter().map(SingleRow::affine).collect(),
            };
        }
    }
    graph
}

/// Weights by element.
type Terms = BTreeMap<(ValueId, usize), f64>;

/// Merges `B·(A·x + a) + b` into one map where that adds no weights: where `A` scales each element by itself (a
/// Scaler before a layer), or `B` does (a bias added to a product) and nothing else reads the inner result.
pub(crate) fn merge(mut graph: Graph, zeros: Zeros) -> Graph {
    let first = graph.inputs.len();
    let mut lengths: Vec<usize> = graph.inputs.iter().map(|input| input.len()).collect();
    lengths.extend(graph.nodes.iter().map(|node| node.len));
    let readers = readers(&graph);
    for position in 0..graph.nodes.len() {
        let (earlier, rest) = graph.nodes.split_at_mut(position);
        let Some(node) = rest.first_mut() else {
            break;
        };
        let Op::Affine { rows } = &node.op else {
            continue;
        };
        let outer_diagonal = diagonal(rows);
        let inner: BTreeMap<ValueId, &Node> = node
            .inputs
            .iter()
            .filter_map(|&value| {
                let inner = earlier.get(value.0.checked_sub(first)?)?;
                let Op::Affine { rows } = &inner.op else {
                    return None;
                };
                let alone = outer_diagonal && readers.get(&value) == Some(&1);
                (alone || diagonal(rows)).then_some((value, inner))
            })
            .collect();
        if inner.is_empty() {
            continue;
        }
        if let Some(merged) = substitute(node, rows, &inner, &lengths, zeros) {
            *node = merged;
        }
    }
    prune(graph)
}

/// Takes maxima before ReLUs: both are monotone, so they commute, and there are fewer numbers after a maximum. Only
/// where nothing else reads what stands between.
pub(crate) fn pool_first(mut graph: Graph) -> Graph {
    let first = graph.inputs.len();
    let readers = readers(&graph);
    let alone = |value: ValueId| readers.get(&value) == Some(&1);
    for position in 0..graph.nodes.len() {
        // The ReLU, perhaps a Wire, and the Maximum.
        let chain = |node: &Node| -> Option<ValueId> {
            let &[input] = node.inputs.as_slice() else { return None };
            alone(input).then_some(input)
        };
        let at = |value: ValueId| value.0.checked_sub(first);
        let Some(pool) = graph
            .nodes
            .get(position)
            .filter(|node| matches!(node.op, Op::Maximum { .. }))
        else {
            continue;
        };
        let Some(before) = chain(pool).and_then(at) else {
            continue;
        };
        let Some(inner) = graph.nodes.get(before) else { continue };
        let wire = matches!(inner.op, Op::Wire { .. }).then_some(before);
        let relu = match wire {
            Some(_) => chain(inner).and_then(at),
            None => Some(before),
        };
        let Some(relu) = relu.filter(|relu| graph.nodes.get(*relu).is_some_and(|node| node.op == Op::Relu)) else {
            continue;
        };
        // Each operator moves one place up the chain, the ReLU to its end; every place keeps its name's position.
        let places: Vec<usize> = [Some(relu), wire, Some(position)].into_iter().flatten().collect();
        let parts: Vec<Node> = places
            .iter()
            .filter_map(|place| graph.nodes.get(*place).cloned())
            .collect();
        let (Some((relu, rest)), Some(pooled)) = (parts.split_first(), parts.last()) else {
            continue;
        };
        let last = Node {
            len: pooled.len,
            shape: pooled.shape.clone(),
            ..relu.clone()
        };
        for (place, moved) in places.iter().zip(rest.iter().cloned().chain([last])) {
            if let Some(node) = graph.nodes.get_mut(*place) {
                let inputs = std::mem::take(&mut node.inputs);
                *node = Node { inputs, ..moved };
            }
        }
    }
    graph
}

/// How often each value is read.
fn readers(graph: &Graph) -> BTreeMap<ValueId, usize> {
    let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
    let read = graph
        .nodes
        .iter()
        .flat_map(|node| &node.inputs)
        .chain(graph.outputs.iter().map(|output| &output.value));
    for value in read {
        let count = readers.entry(*value).or_default();
        *count = count.saturating_add(1);
    }
    readers
}

/// Whether every row reads at most one element.
fn diagonal(rows: &[AffineRow]) -> bool {
    rows.iter().all(|row| row.terms.len() <= 1)
}

/// The element of a node's concatenated operands at `position`.
fn locate(inputs: &[ValueId], lengths: &[usize], mut position: usize) -> Option<(ValueId, usize)> {
    for &value in inputs {
        let length = *lengths.get(value.0)?;
        match position.checked_sub(length) {
            Some(rest) => position = rest,
            None => return Some((value, position)),
        }
    }
    None
}

/// The node with the inner maps written out; `None` where a weight would overflow.
fn substitute(
    node: &Node,
    rows: &[AffineRow],
    inner: &BTreeMap<ValueId, &Node>,
    lengths: &[usize],
    zeros: Zeros,
) -> Option<Node> {
    let weights = inner
        .values()
        .map(|inner| inner.weights)
        .fold(node.weights, Weights::max);
    let keeps_zeros = zeros == Zeros::Keep && weights != Weights::Structural;
    let mut expanded: Vec<(Terms, f64)> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut terms = Terms::new();
        let mut bias = row.bias;
        for &(position, weight) in &row.terms {
            let (value, index) = locate(&node.inputs, lengths, position)?;
            match inner.get(&value) {
                Some(Node {
                    op: Op::Affine { rows },
                    inputs,
                    ..
                }) => {
                    let row = rows.get(index)?;
                    bias += weight * row.bias;
                    for &(position, factor) in &row.terms {
                        let element = locate(inputs, lengths, position)?;
                        *terms.entry(element).or_default() += weight * factor;
                    }
                }
                _ => *terms.entry((value, index)).or_default() += weight,
            }
        }
        terms.retain(|_, weight| keeps_zeros || *weight != 0.0);
        if !bias.is_finite() || terms.values().any(|weight| !weight.is_finite()) {
            return None;
        }
        expanded.push((terms, bias));
    }
    let mut offsets: BTreeMap<ValueId, usize> = expanded
        .iter()
        .flat_map(|(terms, _)| terms.keys().map(|&(value, _)| (value, 0)))
        .collect();
    let mut next = 0usize;
    for (value, offset) in &mut offsets {
        *offset = next;
        next = next.checked_add(*lengths.get(value.0)?)?;
    }
    if offsets.is_empty() {
        return None;
    }
    let rows = expanded
        .into_iter()
        .map(|(terms, bias)| {
            let terms = terms
                .into_iter()
                .map(|((value, index), weight)| Some((offsets.get(&value)? + index, weight)))
                .collect::<Option<_>>()?;
            Some(AffineRow { terms, bias })
        })
        .collect::<Option<_>>()?;
    let mut names: Vec<&str> = inner.values().map(|node| node.name.as_str()).collect();
    names.push(&node.name);
    Some(Node {
        name: names.join(", "),
        op: Op::Affine { rows },
        inputs: offsets.into_keys().collect(),
        len: node.len,
        shape: node.shape.clone(),
        weights,
    })
}

/// Keeps the nodes that the outputs depend on, and renumbers the values.
pub(crate) fn prune(graph: Graph) -> Graph {
    let Graph {
        inputs,
        nodes,
        mut outputs,
        notes,
    } = graph;
    let first = inputs.len();
    let mut needed: BTreeSet<ValueId> = outputs.iter().map(|output| output.value).collect();
    for (position, node) in nodes.iter().enumerate().rev() {
        if needed.contains(&ValueId(first + position)) {
            needed.extend(&node.inputs);
        }
    }
    let mut renumbered: Vec<ValueId> = (0..first).map(ValueId).collect();
    let mut kept: Vec<Node> = Vec::new();
    for (position, mut node) in nodes.into_iter().enumerate() {
        renumbered.push(ValueId(first + kept.len()));
        if needed.contains(&ValueId(first + position)) {
            for input in &mut node.inputs {
                renumber(input, &renumbered);
            }
            kept.push(node);
        }
    }
    for output in &mut outputs {
        renumber(&mut output.value, &renumbered);
    }
    Graph {
        inputs,
        nodes: kept,
        outputs,
        notes,
    }
}

fn renumber(value: &mut ValueId, renumbered: &[ValueId]) {
    if let Some(&new) = renumbered.get(value.0) {
        *value = new;
    }
}
