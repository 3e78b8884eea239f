//! Last pass: nodes that no output needs are dropped.

use std::collections::BTreeSet;

use zkverdict_model::{Graph, Node, ValueId};

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
