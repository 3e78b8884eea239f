//! The lookup argument (LogUp), written with user challenges: `docs/spec/lookup.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression},
    poly::Rotation,
};

use crate::ModelConfig;

/// `q_lookup` on rows that take part.
pub const ACTIVE: u64 = 1;
/// `q_lookup` on the rows whose predecessor's running sum must be zero: the first that takes part and the last row.
pub const EDGE: u64 = 2;
/// `q_lookup` on rows whose table entry is the value beside it, in shapes with trees.
pub const MEMORY: u64 = 3;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // With A = α + key + γ·tag + γ²·entry, B = α + limb, T = α + table_key + γ·table_tag + γ²·table_entry:
    //   q·[(S(i) − S(i−1))·A·B·T − B·T − A·T + multiplicity·A·B] = 0
    //   q·(q − 1)·S(i−1) = 0
    // With trees, T also has + γ²·memory, and q = 3 on memory rows:
    //   q·(q − 1)·(q − 3)·S(i−1) = 0,  q·(q − 3)·memory = 0,  q·(q − 1)·(q − 2)·(memory − value) = 0
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
        let memory = config.tree.map(|columns| {
            let memory = meta.query_advice(columns.memory, Rotation::cur());
            (memory, meta.query_advice(config.value, Rotation::cur()))
        });
        let stored = memory
            .clone()
            .map_or(table_entry.clone(), |(memory, _)| table_entry + memory);
        let table = alpha + table_key + gamma * table_tag + gamma_squared * stored;
        let step = (sum_cur - sum_prev.clone()) * keyed.clone() * plain.clone() * table.clone()
            - plain.clone() * table.clone()
            - keyed.clone() * table
            + multiplicity * keyed * plain;
        let other = |kind: u64| q.clone() - Expression::Constant(Fr::from(kind));
        let edge = q.clone() * (q.clone() - one) * sum_prev;
        let mut constraints = vec![("running sum", q.clone() * step)];
        match memory {
            None => constraints.push(("running sum starts and ends at zero", edge)),
            Some((memory, value)) => constraints.extend([
                ("running sum starts and ends at zero", edge * other(MEMORY)),
                ("memory is zero elsewhere", q.clone() * other(MEMORY) * memory.clone()),
                (
                    "memory is the value",
                    q.clone() * other(ACTIVE) * other(EDGE) * (memory - value),
                ),
            ]),
        }
        constraints
    });
}
