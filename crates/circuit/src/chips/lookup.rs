//! The lookup argument (LogUp), written with user challenges: `docs/spec/lookup.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints, Expression},
    poly::Rotation,
};

use crate::ModelConfig;

/// `q_lookup` on rows that take part.
pub const ACTIVE: u64 = 1;
/// `q_lookup` on the rows whose predecessor's running sum must be zero: the first that takes part and the last row.
pub const EDGE: u64 = 2;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // With A = α + key + γ·tag + γ²·entry, B = α + limb, T = α + table_key + γ·table_tag + γ²·table_entry:
    //   q·[(S(i) − S(i−1))·A·B·T − B·T − A·T + multiplicity·A·B] = 0
    //   q·(q − 1)·S(i−1) = 0
    // docs/spec/lookup.md
    meta.create_gate("lookup", |meta| {
        let q = meta.query_fixed(config.q_lookup, Rotation::cur());
        let sum_cur = meta.query_advice(config.lookup_sum, Rotation::cur());
        let sum_prev = meta.query_advice(config.lookup_sum, Rotation::prev());
        let alpha = meta.query_challenge(config.alpha);
        let gamma = meta.query_challenge(config.gamma);
        let gamma_squared = gamma.clone() * gamma.clone();
        let key = meta.query_advice(config.key, Rotation::cur());
        let entry = meta.query_advice(config.entry, Rotation::cur());
        let limb = meta.query_advice(config.limb, Rotation::cur());
        let tag = meta.query_fixed(config.tag, Rotation::cur());
        let table_key = meta.query_fixed(config.table_key, Rotation::cur());
        let table_tag = meta.query_fixed(config.table_tag, Rotation::cur());
        let table_entry = meta.query_fixed(config.table_entry, Rotation::cur());
        let multiplicity = meta.query_advice(config.multiplicity, Rotation::cur());
        let one = Expression::Constant(Fr::one());
        let keyed = alpha.clone() + key + gamma.clone() * tag + gamma_squared.clone() * entry;
        let plain = alpha.clone() + limb;
        let table = alpha + table_key + gamma * table_tag + gamma_squared * table_entry;
        let step = (sum_cur - sum_prev.clone()) * keyed.clone() * plain.clone() * table.clone()
            - plain.clone() * table.clone()
            - keyed.clone() * table
            + multiplicity * keyed * plain;
        Constraints::with_selector(
            Expression::Constant(Fr::one()),
            [
                ("running sum", q.clone() * step),
                ("running sum starts and ends at zero", q.clone() * (q - one) * sum_prev),
            ],
        )
    });
}
