//! What stands in the columns of a linked model: `docs/spec/link.md`.

use std::ops::Range;

use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict_model::{Program, Step};

use super::{Layout, packed, radix};
use crate::{chips::link, field::from_i128};

/// A cell of a linked model's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelCell {
    pub(crate) column: usize,
    pub(crate) row: usize,
    content: ModelContent,
}

/// What a model has in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelContent {
    /// The weights of one input in some sums of a layer, or their constants.
    Sums {
        step: usize,
        sums: Range<usize>,
        input: Option<usize>,
    },
    /// An entry of a tree's table, by its number among the parameters.
    Entry(usize),
}

impl Layout {
    pub(super) fn model_cell(&mut self, column: usize, row: usize, content: ModelContent) {
        self.model_cells.push(ModelCell { column, row, content });
    }

    /// Rows that read a linked model.
    pub fn model_rows(&self) -> Vec<usize> {
        self.rows_of_kind(|kind| kind != 0)
    }

    /// Rows that load a constant of a linked model.
    pub fn model_loads(&self) -> Vec<usize> {
        self.rows_of_kind(|kind| kind == link::LOAD)
    }

    fn rows_of_kind(&self, is_meant: impl Fn(u64) -> bool) -> Vec<usize> {
        let kinds = self.fixed.q_model.iter().enumerate();
        kinds.filter_map(|(row, kind)| is_meant(*kind).then_some(row)).collect()
    }

    /// The columns of a linked model, up to `usable` rows. `committed` has the numbers of its parameters as field elements.
    pub(crate) fn model_columns(&self, program: &Program, committed: &[Fr], usable: usize) -> Vec<Vec<Fr>> {
        let count = self.shape.link.map_or(0, |link| link.models);
        let mut columns = vec![vec![Fr::zero(); usable]; count];
        for ModelCell { column, row, content } in &self.model_cells {
            let value = match content {
                ModelContent::Entry(index) => committed.get(*index).copied(),
                ModelContent::Sums { step, sums, input } => match &program.steps[*step] {
                    Step::Layer(layer) => {
                        let chain: Vec<usize> = sums.clone().collect();
                        Some(packed(&radix(program, layer), &chain, |sum| {
                            let sum = &layer.sums[sum];
                            // Where parameters are not here, there are no weights.
                            let weight = |input: usize| sum.weights.get(input).map_or(0, |weight| i128::from(*weight));
                            from_i128(input.map_or(sum.bias, weight))
                        }))
                    }
                    _ => None,
                },
            };
            columns[*column][*row] = value.unwrap_or_default();
        }
        columns
    }
}
