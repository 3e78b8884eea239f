//! Rows that read a linked model: `docs/spec/link.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression},
    poly::Rotation,
};

use crate::{
    ModelConfig,
    config::{LinkedColumns, is_kind},
};

/// What an accumulator is loaded with has a part in the first column: see [`super::accumulate`], which multiplies by one.
pub const LOAD: u64 = 1;
/// `accumulator` below := `accumulator` + Σ columns · values.
pub const DOT: u64 = 2;
/// `value` := the first column.
pub const ENTRY: u64 = 3;
const KINDS: u64 = 3;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: &LinkedColumns) {
    // q = 2:  a(i+C) = a(i) + Σ_j m_j(i)·x(i+j)
    // q = 3:  x(i) = m_0(i)
    // docs/spec/link.md
    meta.create_gate("link", |meta| {
        let q = meta.query_fixed(columns.q_model, Rotation::cur());
        let models: Vec<_> = columns
            .models
            .iter()
            .map(|column| meta.query_advice(*column, Rotation::cur()))
            .collect();
        let window = config.window(meta);
        let step = config.below(meta, config.accumulator, 1) - meta.query_advice(config.accumulator, Rotation::cur());
        let dot = models
            .iter()
            .zip(&window)
            .fold(Expression::Constant(Fr::zero()), |sum, (model, value)| {
                sum + model.clone() * value.clone()
            });
        let [value, ..] = window.as_slice() else {
            return Vec::new();
        };
        let entry = value.clone() - models[0].clone();
        let is_dot = is_kind(q.clone(), DOT, KINDS);
        vec![
            ("the model's part of a sum", is_dot * (step - dot)),
            ("the model's entry", is_kind(q, ENTRY, KINDS) * entry),
        ]
    });
}
