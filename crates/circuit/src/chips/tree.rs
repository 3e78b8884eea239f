//! Bins and walks of decision trees: `docs/spec/tree.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints, Expression},
    poly::Rotation,
};

use crate::{
    ModelConfig,
    config::{TreeColumns, is_kind, power_of_two},
};

/// A node of a walk: two rows.
pub const STEP: u64 = 1;
/// A weight of the leaf a walk ends at.
pub const LEAF: u64 = 2;
/// The bin of a number: five rows.
pub const BIN: u64 = 3;
const KINDS: u64 = 3;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: TreeColumns) {
    // Rows i, i+C. With h = key(i), s = limb(i), f = key(i+C), β = entry(i+C), below = x(i):
    //   entry(i) = f·2^L + s,   below is a bit,   key(i+2C) = 2h + 1 − below
    //   limb(i+C) = below·(s − β) + (1 − below)·(β − s − 1)
    // docs/spec/tree.md
    meta.create_gate("tree step", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let one = Expression::Constant(Fr::one());
        let two = Expression::Constant(Fr::from(2));
        let below = meta.query_advice(config.value, Rotation::cur());
        let index = meta.query_advice(config.key, Rotation::cur());
        let feature = config.below(meta, config.key, 1);
        let child = config.below(meta, config.key, 2);
        let packed = meta.query_advice(config.entry, Rotation::cur());
        let bin = config.below(meta, config.entry, 1);
        let split = meta.query_advice(config.limb, Rotation::cur());
        let distance = config.below(meta, config.limb, 1);
        let downwards = split.clone() - bin.clone();
        let expected = below.clone() * (downwards.clone() * two.clone() + one.clone()) - downwards - one.clone();
        Constraints::with_selector(
            is_kind(q, STEP, KINDS),
            [
                (
                    "node is feature and split",
                    packed - feature * config.limb_base() - split,
                ),
                ("direction is a bit", below.clone() * (below.clone() - one.clone())),
                ("distance is on the direction's side", distance - expected),
                ("child", child - two * index - one + below),
            ],
        )
    });
    // x(i) = entry(i), and w_0(i)·(key(i+C) − key(i)) = 0: the next weight belongs to the same leaf.
    // docs/spec/tree.md
    meta.create_gate("tree leaf", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let value = meta.query_advice(config.value, Rotation::cur());
        let entry = meta.query_advice(config.entry, Rotation::cur());
        let index = meta.query_advice(config.key, Rotation::cur());
        let index_next = config.below(meta, config.key, 1);
        let more = meta.query_fixed(config.weights[0], Rotation::cur());
        Constraints::with_selector(
            is_kind(q, LEAF, KINDS),
            [("weight", value - entry), ("same leaf", more * (index_next - index))],
        )
    });
    // Rows i to i+4C. With β = key(i), lo = entry(i), hi = entry(i+C), four limbs each for the distances:
    //   key(i+C) = β + 1,   x(i+C) = β
    //   x(i) − lo = limb(i), limb(i+C), key(i+2C), limb(i+2C)
    //   hi − 1 − x(i) = key(i+3C), limb(i+3C), key(i+4C), limb(i+4C)
    // docs/spec/tree.md
    meta.create_gate("bin", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let one = Expression::Constant(Fr::one());
        let number = meta.query_advice(config.value, Rotation::cur());
        let bin = config.below(meta, config.value, 1);
        let index = meta.query_advice(config.key, Rotation::cur());
        let index_next = config.below(meta, config.key, 1);
        let low = meta.query_advice(config.entry, Rotation::cur());
        let high = config.below(meta, config.entry, 1);
        let joined = |limbs: [Expression<Fr>; 4]| {
            let places = limbs.into_iter().zip(0..);
            places.fold(Expression::Constant(Fr::zero()), |sum, (limb, place)| {
                sum + power_of_two(place * config.shape.limb_bits) * limb
            })
        };
        let from_low = joined([
            meta.query_advice(config.limb, Rotation::cur()),
            config.below(meta, config.limb, 1),
            config.below(meta, config.key, 2),
            config.below(meta, config.limb, 2),
        ]);
        let to_high = joined([
            config.below(meta, config.key, 3),
            config.below(meta, config.limb, 3),
            config.below(meta, config.key, 4),
            config.below(meta, config.limb, 4),
        ]);
        Constraints::with_selector(
            is_kind(q, BIN, KINDS),
            [
                ("second bound", index_next - index.clone() - one.clone()),
                ("bin", bin - index),
                ("not below the bin", number.clone() - low - from_low),
                ("not above the bin", high - one - number - to_high),
            ],
        )
    });
}
