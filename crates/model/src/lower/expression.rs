//! Affine expressions over cells.

use std::collections::BTreeMap;

use crate::CellId;

/// `Σ weight·cell + bias` in real numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Expression {
    pub(super) terms: BTreeMap<CellId, f64>,
    pub(super) bias: f64,
}

impl Expression {
    pub(super) fn cell(id: CellId) -> Self {
        Self {
            terms: BTreeMap::from([(id, 1.0)]),
            bias: 0.0,
        }
    }

    pub(super) fn constant(bias: f64) -> Self {
        Self {
            terms: BTreeMap::new(),
            bias,
        }
    }

    pub(super) fn add_scaled(&mut self, other: &Self, factor: f64) {
        self.bias += other.bias * factor;
        for (cell, weight) in &other.terms {
            *self.terms.entry(*cell).or_default() += weight * factor;
        }
    }

    pub(super) fn scaled(&self, factor: f64) -> Self {
        let mut result = Self::default();
        result.add_scaled(self, factor);
        result
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.add_scaled(other, -1.0);
        result
    }

    /// The cell, if the expression is just one.
    pub(super) fn as_cell(&self) -> Option<CellId> {
        match (self.terms.len(), self.terms.first_key_value()) {
            (1, Some((cell, weight))) if *weight == 1.0 && self.bias == 0.0 => Some(*cell),
            _ => None,
        }
    }
}

/// Groups expressions that read (nearly) the same cells: `(cells, positions)`.
pub(super) fn group_by_support(expressions: &[Expression]) -> Vec<(Vec<CellId>, Vec<usize>)> {
    let mut groups: Vec<(Vec<CellId>, Vec<usize>)> = Vec::new();
    for (position, expression) in expressions.iter().enumerate() {
        let support: Vec<CellId> = expression.terms.keys().copied().collect();
        let home = groups.iter_mut().find(|(cells, _)| {
            let missing = support.iter().filter(|cell| cells.binary_search(cell).is_err()).count();
            4 * (missing + cells.len() - (support.len() - missing)) <= cells.len().max(support.len())
        });
        match home {
            Some((cells, members)) => {
                cells.extend(support);
                cells.sort_unstable();
                cells.dedup();
                members.push(position);
            }
            None => groups.push((support, vec![position])),
        }
    }
    groups
}

pub(super) fn to_expressions(cells: Vec<CellId>) -> Vec<Expression> {
    cells.into_iter().map(Expression::cell).collect()
}
