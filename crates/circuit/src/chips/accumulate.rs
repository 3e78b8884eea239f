//! Running sums: `docs/spec/accumulate.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints, Expression},
    poly::Rotation,
};

use crate::{ModelConfig, config::is_kind};

/// `accumulator` below := the weight.
pub const LOAD: u64 = 1;
/// `accumulator` below := `accumulator` + Σ weights · values.
pub const DOT: u64 = 2;
/// `accumulator` below := `accumulator` + value · value below.
pub const PRODUCT: u64 = 3;
const KINDS: u64 = 3;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // q = 1:  a(i+C) = w_0(i), with a linked model a(i+C) = w_0(i) + q_model(i)·m_0(i)
    // q = 2:  a(i+C) = a(i) + Σ_j w_j(i)·x(i+j)
    // q = 3:  a(i+C) = a(i) + x(i)·x(i+C)
    // docs/spec/accumulate.md
    meta.create_gate("accumulate", |meta| {
        let q = meta.query_fixed(config.q_accumulate, Rotation::cur());
        let accumulator_cur = meta.query_advice(config.accumulator, Rotation::cur());
        let accumulator_next = config.below(meta, config.accumulator, 1);
        let weights: Vec<_> = config
            .weights
            .iter()
            .map(|column| meta.query_fixed(*column, Rotation::cur()))
            .collect();
        let window = config.window(meta);
        let value_next = config.below(meta, config.value, 1);
        let dot = weights
            .iter()
            .zip(&window)
            .fold(Expression::Constant(Fr::zero()), |sum, (weight, value)| {
                sum + weight.clone() * value.clone()
            });
        let mut load = accumulator_next.clone() - weights[0].clone();
        if let Some(columns) = &config.link {
            let q_model = meta.query_fixed(columns.q_model, Rotation::cur());
            load = load - q_model * meta.query_advice(columns.models[0], Rotation::cur());
        }
        let step = accumulator_next - accumulator_cur;
        Constraints::with_selector(
            Expression::Constant(Fr::one()),
            [
                ("load", is_kind(q.clone(), LOAD, KINDS) * load),
                ("dot", is_kind(q.clone(), DOT, KINDS) * (step.clone() - dot)),
                (
                    "product",
                    is_kind(q, PRODUCT, KINDS) * (step - window[0].clone() * value_next),
                ),
            ],
        )
    });
}
