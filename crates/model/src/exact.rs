//! Which values are whole numbers that the integer program computes without any error.

use crate::{AffineRow, Element, Graph, Node, Op, ValueId, origin::Origins};

/// Whole numbers up to here are exact in `f64`.
const LARGEST: f64 = 9_007_199_254_740_992.0;

impl Graph {
    /// Whether each value, graph inputs first, is made of whole numbers computed exactly: numbers quantised from graph
    /// inputs or from such values, and sums and maxima of them.
    pub(crate) fn exact_values(&self, origins: &Origins) -> Vec<bool> {
        let mut exact = vec![false; self.inputs.len()];
        for node in &self.nodes {
            let from_exact = !node.inputs.is_empty() && node.inputs.iter().all(|value| exact[value.0]);
            exact.push(match &node.op {
                Op::Wire { .. } | Op::Maximum { .. } => from_exact,
                Op::Affine { rows } => from_exact && rows.iter().all(is_whole),
                Op::Quantize { .. } => from_exact || self.quantizes_inputs(origins, node),
                _ => false,
            });
        }
        exact
    }

    /// Whether each output is what the ONNX file's own integers give, bit for bit.
    pub fn exact_outputs(&self) -> Vec<bool> {
        let exact = self.exact_values(&Origins::of(self));
        let outputs = self.outputs.iter().map(|output| output.value);
        outputs
            .map(|value| exact[value.0] || self.is_exact_choice(value, &exact))
            .collect()
    }

    /// The first largest of exact numbers, or of reals that stand for them in one way.
    fn is_exact_choice(&self, value: ValueId, exact: &[bool]) -> bool {
        let node = |value: ValueId| value.0.checked_sub(self.inputs.len()).map(|index| &self.nodes[index]);
        let Some(Node {
            op: Op::ArgMax { .. },
            inputs,
            ..
        }) = node(value)
        else {
            return false;
        };
        inputs.iter().all(|value| {
            exact[value.0]
                || node(*value).is_some_and(|node| {
                    matches!(&node.op, Op::Affine { rows } if is_one_scale(rows))
                        && node.inputs.iter().all(|value| exact[value.0])
                })
        })
    }

    fn quantizes_inputs(&self, origins: &Origins, node: &Node) -> bool {
        let Op::Quantize { rows } = &node.op else { return false };
        let operand = origins.operand(node);
        rows.iter().all(|row| {
            let origin = &operand[row.index];
            let element = origin.input(self).map(|(tensor, _)| self.inputs[tensor].element);
            match element {
                Some(Element::Float32) => origin.steps.iter().chain(&row.steps).all(|step| step.is_allowed()),
                Some(Element::Int64) => origin.steps.is_empty() && row.steps.is_empty(),
                _ => false,
            }
        })
    }
}

fn is_whole(row: &AffineRow) -> bool {
    let mut numbers = row.terms.iter().map(|(_, weight)| *weight).chain([row.bias]);
    numbers.all(|number| number.fract() == 0.0 && number.abs() <= LARGEST)
}

/// Whether every row is the same increasing function of one element.
fn is_one_scale(rows: &[AffineRow]) -> bool {
    let shape = |row: &AffineRow| match row.terms.as_slice() {
        [(_, weight)] if *weight > 0.0 => Some((*weight, row.bias)),
        _ => None,
    };
    let first = rows.first().and_then(shape);
    first.is_some() && rows.iter().all(|row| shape(row) == first)
}
