//! Affine maps over expressions, and when their operands become cells first.
//!
//! Written out, a map of a map reads all cells of the inner one: a convolution over averages of four reads four times
//! the cells. That rounds once, but every window copies its cells; where the copies cost more than cells for the inner
//! results, those are rounded first.

use std::collections::HashSet;

use crate::{
    AffineRow, CellId, Graph, ModelError, Node, ValueId, Weights,
    lower::{Ends, Expression, Lowering, convolutions::Place, expression::to_expressions, formats::range_format},
};

/// Sums that share one copy of their cells, roughly: what a block of four lanes holds.
const SHARED: usize = 24;
/// Rows that a cell of its own costs: its three rows of digits, and its share of a block.
const ROWS_PER_CELL: usize = 4;
/// Rows of the map that are looked at.
const SAMPLES: usize = 32;
/// Terms that a map may have written out.
const MOST_TERMS: usize = 1 << 24;

impl Lowering<'_> {
    pub(super) fn affine(
        &mut self,
        graph: &Graph,
        node: &Node,
        rows: &[AffineRow],
        exact: bool,
    ) -> Result<Vec<Expression>, ModelError> {
        let value = ValueId(self.values.len());
        let places: Vec<(usize, usize)> = node
            .inputs
            .iter()
            .enumerate()
            .flat_map(|(input, value)| (0..self.values[value.0].len()).map(move |index| (input, index)))
            .collect();
        let mut inputs: Vec<ValueId> = node.inputs.clone();
        inputs.sort_unstable();
        inputs.dedup();
        for value in inputs {
            let position = node.inputs.iter().position(|input| *input == value).unwrap_or(0);
            // Whole numbers are not rounded on the way.
            if !exact && self.is_cheaper_as_cells(&places, position, node, rows) {
                self.make_cells(graph, node, value)?;
            }
        }
        let is_secret = self.secret.is_some() && node.weights != Weights::Structural;
        if is_secret {
            // Weights that everybody knows do not become parameters by what is done after them.
            let mut public: Vec<ValueId> = node.inputs.clone();
            public.sort_unstable();
            public.dedup();
            public.retain(|value| {
                let mut expressions = self.values[value.0].iter();
                expressions.any(|expression| !expression.is_secret && expression.terms.len() > 1)
            });
            public
                .into_iter()
                .try_for_each(|value| self.make_cells(graph, node, value))?;
        }
        let operand: Vec<&Expression> = node.inputs.iter().flat_map(|value| &self.values[value.0]).collect();
        let mut results: Vec<Expression> = rows
            .iter()
            .map(|row| {
                let parts = row.terms.iter().map(|(index, weight)| (operand[*index], *weight));
                Expression::combine(row.bias, is_secret, parts)
            })
            .collect();
        let singles: Vec<Option<Option<Place>>> = rows
            .iter()
            .map(|row| match row.terms.as_slice() {
                [(index, _)] => Some(operand[*index].place),
                _ => None,
            })
            .collect();
        self.place_affine(node, value, &places, &mut results, |row| singles[row]);
        // Whether parameters repeat is not to be looked for.
        results
            .iter_mut()
            .filter(|result| result.is_secret)
            .for_each(|result| result.place = None);
        Ok(results)
    }

    /// Turns the elements of a tensor that are more than a cell into cells, for all who read it from now on.
    pub(super) fn make_cells(&mut self, graph: &Graph, node: &Node, value: ValueId) -> Result<(), ModelError> {
        let format = range_format(self.range(graph, value), self.program.cell_bits());
        let is_wide = |expression: &Expression| expression.is_secret || expression.terms.len() > 1;
        let wide: Vec<usize> = (0..self.values[value.0].len())
            .filter(|index| is_wide(&self.values[value.0][*index]))
            .collect();
        let expressions: Vec<Expression> = wide.iter().map(|index| self.values[value.0][*index].clone()).collect();
        let cells = to_expressions(self.clamped(&node.name, &expressions, format, Ends::Report)?);
        for (index, cell) in wide.into_iter().zip(cells) {
            self.values[value.0][index] = cell;
        }
        Ok(())
    }

    /// Estimates from some of the rows.
    fn is_cheaper_as_cells(&self, places: &[(usize, usize)], position: usize, node: &Node, rows: &[AffineRow]) -> bool {
        let expressions = &self.values[node.inputs[position].0];
        // Sums over leaves of trees are compared without rounding.
        let is_weight = |cell: &CellId| self.cells[cell.index()].is_weight;
        if expressions
            .iter()
            .any(|expression| expression.terms.keys().any(is_weight))
        {
            return false;
        }
        let read = |row: &AffineRow| -> Vec<usize> {
            row.terms
                .iter()
                .map(|(index, _)| places[*index])
                .filter(|(input, _)| *input == position)
                .map(|(_, index)| index)
                .collect()
        };
        let stride = rows.len().div_ceil(SAMPLES).max(1);
        let (mut direct, mut written) = (0_usize, 0_usize);
        for row in rows.iter().step_by(stride) {
            let elements = read(row);
            direct += elements.len();
            let cells: HashSet<CellId> = elements
                .iter()
                .flat_map(|index| expressions[*index].terms.keys().copied())
                .collect();
            written += cells.len();
        }
        if written <= direct {
            return false;
        }
        let mut used = vec![false; expressions.len()];
        let mut terms = 0_usize;
        for index in rows.iter().flat_map(read) {
            terms = terms.saturating_add(expressions[index].terms.len());
            used[index] = true;
        }
        let wide = expressions
            .iter()
            .zip(&used)
            .filter(|(expression, used)| **used && expression.terms.len() > 1);
        let (count, inner) = wide.fold((0, 0), |(count, inner), (expression, _)| {
            (count + 1, inner + expression.terms.len())
        });
        let shared = SHARED.min(rows.len());
        let saved = (written - direct) * stride / shared;
        terms > MOST_TERMS || saved > ROWS_PER_CELL * count + inner / SHARED
    }
}
