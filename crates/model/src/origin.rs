//! Where elements come from: the element behind another one, where only data movement and `float32` arithmetic with
//! constants lie between.

use std::collections::{HashMap, HashSet};

use crate::{AffineRow, Element, Graph, Node, Op, SingleStep, ValueId};

/// The element behind another one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    /// Its tensor.
    pub(crate) value: ValueId,
    /// Its position there.
    pub(crate) index: usize,
    /// What is done to it on the way.
    pub(crate) steps: Vec<SingleStep>,
}

impl Origin {
    /// The graph input `(tensor, index)`, if it is one.
    pub(crate) fn input(&self, graph: &Graph) -> Option<(usize, usize)> {
        (self.value.0 < graph.inputs.len()).then_some((self.value.0, self.index))
    }
}

/// The origins of all elements of a graph.
#[derive(Debug)]
pub(crate) struct Origins {
    /// Per tensor; nothing where every element is its own origin.
    moved: Vec<Option<Vec<Origin>>>,
    lengths: Vec<usize>,
}

impl Origins {
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut origins = Self {
            moved: vec![None; graph.inputs.len()],
            lengths: graph.inputs.iter().map(crate::Input::len).collect(),
        };
        for node in &graph.nodes {
            let own = ValueId(origins.moved.len());
            let moved = match &node.op {
                Op::Wire { indices } => {
                    let operand = origins.operand(node);
                    Some(indices.iter().map(|index| operand[*index].clone()).collect())
                }
                Op::Singles { rows } => {
                    let operand = origins.operand(node);
                    let through = rows.iter().map(|row| {
                        let mut origin = operand[row.index].clone();
                        origin.steps.extend(&row.steps);
                        origin
                    });
                    Some(through.collect())
                }
                Op::Affine { rows } if rows.iter().any(|row| copied(row).is_some()) => {
                    let operand = origins.operand(node);
                    let each = rows.iter().enumerate().map(|(index, row)| match copied(row) {
                        Some(source) => operand[source].clone(),
                        None => Origin {
                            value: own,
                            index,
                            steps: Vec::new(),
                        },
                    });
                    Some(each.collect())
                }
                _ => None,
            };
            origins.moved.push(moved);
            origins.lengths.push(node.len);
        }
        origins
    }

    /// The origins of a node's concatenated operands.
    pub(crate) fn operand(&self, node: &Node) -> Vec<Origin> {
        let mut all = Vec::new();
        for value in &node.inputs {
            match &self.moved[value.0] {
                Some(moved) => all.extend(moved.iter().cloned()),
                None => all.extend((0..self.lengths[value.0]).map(|index| Origin {
                    value: *value,
                    index,
                    steps: Vec::new(),
                })),
            }
        }
        all
    }

    /// Graph inputs `(tensor, index)` that trees compare as `float32`, or that are quantised.
    pub(crate) fn compared(&self, graph: &Graph) -> HashSet<(usize, usize)> {
        let mut found = HashSet::new();
        for node in &graph.nodes {
            let quantizes = matches!(node.op, Op::Quantize { .. });
            if quantizes || matches!(node.op, Op::TreeEnsemble(_)) {
                let inputs = self.operand(node).into_iter().filter_map(|origin| origin.input(graph));
                found.extend(
                    inputs.filter(|(tensor, _)| !quantizes || graph.inputs[*tensor].element == Element::Float32),
                );
            }
        }
        found
    }

    /// Graph inputs `(tensor, index)` of integers that are held between bounds, with the bounds.
    pub(crate) fn bounded(&self, graph: &Graph) -> HashMap<(usize, usize), (i64, i64)> {
        let mut found = HashMap::new();
        for node in &graph.nodes {
            let Op::Quantize { rows } = &node.op else { continue };
            let operand = self.operand(node);
            for row in rows {
                let origin = &operand[row.index];
                if let Some(input) = origin.input(graph)
                    && graph.inputs[input.0].element == Element::Int64
                    && origin.steps.is_empty()
                    && row.steps.is_empty()
                {
                    found.insert(input, (row.low, row.high));
                }
            }
        }
        found
    }
}

/// The operand that a row merely repeats.
fn copied(row: &AffineRow) -> Option<usize> {
    match row.terms.as_slice() {
        [(index, 1.0)] if row.bias == 0.0 => Some(*index),
        _ => None,
    }
}
