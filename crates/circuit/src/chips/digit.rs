//! Unpacking a sum: rounding, clamping and comparison in one: `docs/spec/digit.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints},
    poly::Rotation,
};

use super::gadget;
use crate::{
    ModelConfig,
    config::{is_kind, power_of_two},
};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // Rows i, i+C, i+2C. With m = limb(i) + 2^L·limb(i+C), r = key(i+2C) + 2^L·limb(i+2C), u = key(i):
    //   a(i) = r + 2^(2L)·m + 2^(4L)·u + w_0(i)·a(i+3C)
    //   key(i+C) = key(i) + w_0(i+C)
    //   2^(2L)·x(i) = entry(i)·(2^(2L) − m) + entry(i+C)·m
    // docs/spec/digit.md
    meta.create_gate("digit", |meta| {
        let q = meta.query_fixed(config.q_gadget, Rotation::cur());
        let accumulator_cur = meta.query_advice(config.accumulator, Rotation::cur());
        let rest = config.below(meta, config.accumulator, 3);
        let radix = meta.query_fixed(config.weights[0], Rotation::cur());
        let stride = meta.query_fixed(config.weights[0], config.rotation(1));
        let value = meta.query_advice(config.value, Rotation::cur());
        let index = meta.query_advice(config.key, Rotation::cur());
        let index_next = config.below(meta, config.key, 1);
        let entry = meta.query_advice(config.entry, Rotation::cur());
        let entry_next = config.below(meta, config.entry, 1);
        let middle =
            meta.query_advice(config.limb, Rotation::cur()) + config.limb_base() * config.below(meta, config.limb, 1);
        let remainder = config.below(meta, config.key, 2) + config.limb_base() * config.below(meta, config.limb, 2);
        let split = remainder
            + config.full() * middle.clone()
            + power_of_two(4 * config.shape.limb_bits) * index.clone()
            + radix * rest;
        let interpolated = entry * (config.full() - middle.clone()) + entry_next * middle;
        Constraints::with_selector(
            is_kind(q, gadget::DIGIT, gadget::KINDS),
            [
                ("accumulator is this digit and the rest", accumulator_cur - split),
                ("second index", index_next - index - stride),
                ("value interpolates the table", config.full() * value - interpolated),
            ],
        )
    });
}
