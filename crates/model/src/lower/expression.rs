//! Affine expressions over cells.

use std::collections::BTreeMap;

use crate::{CellId, lower::convolutions::Place};

/// `Σ weight·cell + bias` in real numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Expression {
    pub(super) terms: BTreeMap<CellId, f64>,
    pub(super) bias: f64,
    /// Where it belongs, as far as that is known.
    pub(super) place: Option<Place>,
    /// Whether its numbers are parameters of a committed model, those that are zero included.
    pub(super) is_secret: bool,
}

impl Expression {
    pub(super) fn cell(id: CellId) -> Self {
        Self {
            terms: BTreeMap::from([(id, 1.0)]),
            bias: 0.0,
            place: None,
            is_secret: false,
        }
    }

    pub(super) fn constant(bias: f64) -> Self {
        Self {
            terms: BTreeMap::new(),
            bias,
            place: None,
            is_secret: false,
        }
    }

    pub(super) fn add_scaled(&mut self, other: &Self, factor: f64) {
        self.bias += other.bias * factor;
        self.is_secret |= other.is_secret;
        for (cell, weight) in &other.terms {
            *self.terms.entry(*cell).or_default() += weight * factor;
        }
    }

    pub(super) fn scaled(&self, factor: f64) -> Self {
        let mut result = Self::default();
        result.add_scaled(self, factor);
        result
    }

    /// `Σ weight·part + bias`, in time that grows like the terms.
    pub(super) fn combine<'e>(bias: f64, is_secret: bool, parts: impl Iterator<Item = (&'e Self, f64)>) -> Self {
        let (mut bias, mut is_secret) = (bias, is_secret);
        let mut terms: Vec<(CellId, f64)> = Vec::new();
        for (part, weight) in parts {
            bias += part.bias * weight;
            is_secret |= part.is_secret;
            terms.extend(part.terms.iter().map(|(cell, factor)| (*cell, factor * weight)));
        }
        terms.sort_by_key(|(cell, _)| *cell);
        terms.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 += later.1;
            }
            same
        });
        Self {
            terms: terms
                .into_iter()
                .filter(|(_, weight)| is_secret || *weight != 0.0)
                .collect(),
            bias,
            place: None,
            is_secret,
        }
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

pub(super) fn to_expressions(cells: Vec<CellId>) -> Vec<Expression> {
    cells.into_iter().map(Expression::cell).collect()
}
