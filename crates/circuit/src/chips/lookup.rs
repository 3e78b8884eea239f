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
/// `q_lookup` on rows whose value is the accumulator beside it and the weight, in shapes that hash.
pub const LINK: u64 = 4;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // With A = α + key + γ·tag + γ²·entry, B = α + limb, T = α + table_key + γ·table_tag + γ²·table_entry:
    //   q·[(S(i) − S(i−1))·A·B·T − B·T − A·T + multiplicity·A·B] = 0
    //   q·(q − 1)·S(i−1) = 0
    // With trees, T also has + γ²·memory, and q = 3 on memory rows:
    //   q·(q − 1)·(q − 3)·S(i−1) = 0,  q·(q − 3)·memory = 0,  q·(q − 1)·(q − 2)·(memory − value) = 0
    // With hashes, q = 4 on link rows; every factor above that vanishes on memory rows gets one that does there, and
    //   q·(q − 1)·(q − 2)·(value − accumulator − w_0) = 0, with trees times (q − 3)
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
        let is_special = q.clone() * other(ACTIVE) * other(EDGE);
        let mut edge = q.clone() * (q.clone() - one) * sum_prev;
        let mut constraints = vec![("running sum", q.clone() * step)];
        let link = config.hashes.as_ref().map(|_| {
            let value = meta.query_advice(config.value, Rotation::cur());
            let sum = meta.query_advice(config.accumulator, Rotation::cur());
            value - sum - meta.query_fixed(config.weights[0], Rotation::cur())
        });
        if link.is_some() {
            edge = edge * other(LINK);
        }
        if let Some((memory, value)) = &memory {
            let is_memory = match link {
                Some(_) => is_special.clone() * other(LINK),
                None => is_special.clone(),
            };
            edge = edge * other(MEMORY);
            constraints.extend([
                ("memory is zero elsewhere", q.clone() * other(MEMORY) * memory.clone()),
                ("memory is the value", is_memory * (memory.clone() - value.clone())),
            ]);
        }
        constraints.push(("running sum starts and ends at zero", edge));
        if let Some(link) = link {
            let is_link = match memory {
                Some(_) => is_special * other(MEMORY),
                None => is_special,
            };
            constraints.push(("value is the sum", is_link * link));
        }
        constraints
    });
}
