//! The columns, shared by all chips.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Challenge, Column, ConstraintSystem, Expression, FirstPhase, Fixed, Instance, SecondPhase, VirtualCells,
    },
    poly::Rotation,
};

use crate::{Shape, chips, field};

/// Columns and challenges of the model circuit.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The shape it was made for.
    pub shape: Shape,
    /// Values: one home per program cell, and copies of them beside their weights.
    pub value: Column<Advice>,
    /// Running sums, and what remains of them while they are unpacked.
    pub accumulator: Column<Advice>,
    /// Looked-up key: a table index or a limb.
    pub key: Column<Advice>,
    /// A limb.
    pub limb: Column<Advice>,
    /// Table value at the key.
    pub entry: Column<Advice>,
    /// How often the table row beside it is looked up.
    pub multiplicity: Column<Advice>,
    /// Running sum of the lookup argument, second phase.
    pub lookup_sum: Column<Advice>,
    /// Weights; the first one also holds the constant of other gadgets.
    pub weights: Vec<Column<Fixed>>,
    /// What the accumulator does on this row, see [`chips::accumulate`].
    pub q_accumulate: Column<Fixed>,
    /// Which gadget starts on this row.
    pub q_gadget: Column<Fixed>,
    /// Which table the key is looked up in.
    pub tag: Column<Fixed>,
    /// Table: which function.
    pub table_tag: Column<Fixed>,
    /// Table: index.
    pub table_key: Column<Fixed>,
    /// Table: value.
    pub table_entry: Column<Fixed>,
    /// Rows of the lookup argument, see [`chips::lookup`].
    pub q_lookup: Column<Fixed>,
    /// Columns for decision trees, in shapes that have them.
    pub tree: Option<TreeColumns>,
    /// Columns for convolutions, in shapes that have them.
    pub evaluation: Option<EvaluationColumns>,
    /// Columns of a linked model, in shapes that have one.
    pub link: Option<LinkedColumns>,
    /// Columns of hashes, in shapes that have them.
    pub hashes: Option<HashColumns>,
    /// Public inputs: context, inputs or their commitment, outputs or their commitment.
    pub instance: Column<Instance>,
    /// Separates the summands of the lookup argument.
    pub alpha: Challenge,
    /// Folds a tuple into one field element.
    pub gamma: Challenge,
}

/// Columns for decision trees.
#[derive(Debug, Clone, Copy)]
pub struct TreeColumns {
    /// What is read by address: zero, or the value beside it on memory rows.
    pub memory: Column<Advice>,
    /// What the tree gadgets do on this row, see [`chips::tree`].
    pub q_tree: Column<Fixed>,
}

/// Columns of a linked model.
#[derive(Debug, Clone)]
pub struct LinkedColumns {
    /// What the model has beside the fixed columns: weights and constants of sums, entries of tables.
    pub models: Vec<Column<Advice>>,
    /// What a row reads of them, see [`chips::link`].
    pub q_model: Column<Fixed>,
}

/// Columns of hashes.
#[derive(Debug, Clone)]
pub struct HashColumns {
    /// What the hash does on this row, see [`chips::poseidon`].
    pub q_hash: Column<Fixed>,
    /// Constants.
    pub constants: Column<Fixed>,
    /// The inputs of S-boxes and their fourth powers, lane by lane.
    pub boxes: Vec<[Column<Advice>; 2]>,
}

/// Columns for polynomials at a challenge.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationColumns {
    /// Evaluations on their way from coefficient to coefficient, second phase.
    pub evaluation: Column<Advice>,
    /// What the evaluation does on this row, see [`chips::evaluate`].
    pub q_evaluate: Column<Fixed>,
    /// Where polynomials are evaluated.
    pub point: Challenge,
}

impl ModelConfig {
    /// Allocates the columns and creates every gate.
    pub fn configure(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Self {
        let value = meta.advice_column();
        let accumulator = meta.advice_column();
        let key = meta.advice_column();
        let limb = meta.advice_column();
        let entry = meta.advice_column();
        let multiplicity = meta.advice_column();
        let tree = shape.trees.then(|| TreeColumns {
            memory: meta.advice_column(),
            q_tree: meta.fixed_column(),
        });
        let boxes: Vec<[Column<Advice>; 2]> = (0..shape.hash_lanes)
            .map(|_| [meta.advice_column(), meta.advice_column()])
            .collect();
        let link = shape.link.map(|link| LinkedColumns {
            models: (0..link.models).map(|_| meta.advice_column()).collect(),
            q_model: meta.fixed_column(),
        });
        let alpha = meta.challenge_usable_after(FirstPhase);
        let gamma = meta.challenge_usable_after(FirstPhase);
        let evaluation = shape.convolutions.then(|| EvaluationColumns {
            evaluation: meta.advice_column_in(SecondPhase),
            q_evaluate: meta.fixed_column(),
            point: meta.challenge_usable_after(FirstPhase),
        });
        let mut config = Self {
            shape,
            value,
            accumulator,
            key,
            limb,
            entry,
            multiplicity,
            lookup_sum: meta.advice_column_in(SecondPhase),
            weights: (0..shape.weight_columns()).map(|_| meta.fixed_column()).collect(),
            q_accumulate: meta.fixed_column(),
            q_gadget: meta.fixed_column(),
            tag: meta.fixed_column(),
            table_tag: meta.fixed_column(),
            table_key: meta.fixed_column(),
            table_entry: meta.fixed_column(),
            q_lookup: meta.fixed_column(),
            tree,
            evaluation,
            link,
            hashes: None,
            instance: meta.instance_column(),
            alpha,
            gamma,
        };
        config.hashes = shape.hashes.then(|| HashColumns {
            q_hash: meta.fixed_column(),
            constants: match shape.hash_lanes {
                0 => config.weights[0],
                _ => meta.fixed_column(),
            },
            boxes: match shape.hash_lanes {
                0 => vec![[value, accumulator]],
                _ => boxes,
            },
        });
        meta.enable_equality(config.value);
        meta.enable_equality(config.instance);
        chips::accumulate::configure(meta, &config);
        chips::range::configure(meta, &config);
        chips::digit::configure(meta, &config);
        chips::curve::configure(meta, &config);
        chips::lookup::configure(meta, &config);
        if let Some(columns) = config.tree {
            chips::tree::configure(meta, &config, columns);
        }
        if let Some(columns) = config.evaluation {
            meta.enable_equality(columns.evaluation);
            chips::evaluate::configure(meta, &config, columns);
        }
        if let Some(columns) = &config.link {
            chips::link::configure(meta, &config, columns);
        }
        if let Some(columns) = &config.hashes {
            for boxes in &columns.boxes {
                meta.enable_equality(boxes[0]);
                chips::poseidon::configure(meta, columns, *boxes);
            }
        }
        config
    }

    /// The value column on the rows that a row's weights belong to.
    pub(crate) fn window(&self, meta: &mut VirtualCells<'_, Fr>) -> Vec<Expression<Fr>> {
        let offsets =
            (0..self.shape.lanes).map(|offset| Rotation(i32::try_from(offset).expect("shapes have few lanes")));
        offsets.map(|offset| meta.query_advice(self.value, offset)).collect()
    }

    /// Queries an advice cell `steps` gadget rows below.
    pub(crate) fn below(
        &self,
        meta: &mut VirtualCells<'_, Fr>,
        column: Column<Advice>,
        steps: usize,
    ) -> Expression<Fr> {
        meta.query_advice(column, self.rotation(steps))
    }

    /// `steps` gadget rows below.
    pub(crate) fn rotation(&self, steps: usize) -> Rotation {
        Rotation(i32::try_from(steps * self.shape.lanes).expect("shapes have few lanes"))
    }

    /// `2^(2L)`, one past the largest two-limb number.
    pub(crate) fn full(&self) -> Expression<Fr> {
        power_of_two(2 * self.shape.limb_bits)
    }

    /// `2^L`
    pub(crate) fn limb_base(&self) -> Expression<Fr> {
        power_of_two(self.shape.limb_bits)
    }
}

/// `2^exponent`, as a constant.
pub(crate) fn power_of_two(exponent: u32) -> Expression<Fr> {
    Expression::Constant(field::power_of_two(exponent))
}

/// The polynomial that is one where `column = kind` and zero on the other `kinds` and on zero.
pub(crate) fn is_kind(column: Expression<Fr>, kind: u64, kinds: u64) -> Expression<Fr> {
    let mut product = column.clone();
    let mut scale = Fr::from(kind);
    for other in (1..=kinds).filter(|other| *other != kind) {
        product = product * (column.clone() - Expression::Constant(Fr::from(other)));
        scale *= Fr::from(kind) - Fr::from(other);
    }
    product * Expression::Constant(scale.invert().expect("kinds are distinct and not zero"))
}
