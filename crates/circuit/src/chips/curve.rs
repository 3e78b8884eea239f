//! A piecewise-linear function with rounding: `docs/spec/curve.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints, Expression},
    poly::Rotation,
};

use super::gadget;
use crate::{
    ModelConfig,
    config::{is_kind, power_of_two},
};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // Rows i, i+C, i+2C. With W = 2^(L+1), m = limb(i) + 2^L·limb(i+C), r = key(i+2C) + 2^L·limb(i+2C), u = key(i):
    //   x(i) = m + W·u,   key(i+C) = key(i) + w_0(i+C),   limb(i+C) and limb(i+2C) are bits
    //   W·x(i+C) + r = entry(i)·(W − m) + entry(i+C)·m + W/2
    // docs/spec/curve.md
    meta.create_gate("curve", |meta| {
        let q = meta.query_fixed(config.q_gadget, Rotation::cur());
        let stride = meta.query_fixed(config.weights[0], config.rotation(1));
        let argument = meta.query_advice(config.value, Rotation::cur());
        let result = config.below(meta, config.value, 1);
        let index = meta.query_advice(config.key, Rotation::cur());
        let index_next = config.below(meta, config.key, 1);
        let entry = meta.query_advice(config.entry, Rotation::cur());
        let entry_next = config.below(meta, config.entry, 1);
        let middle_bit = config.below(meta, config.limb, 1);
        let middle = meta.query_advice(config.limb, Rotation::cur()) + config.limb_base() * middle_bit.clone();
        let remainder_bit = config.below(meta, config.limb, 2);
        let remainder = config.below(meta, config.key, 2) + config.limb_base() * remainder_bit.clone();
        let width = power_of_two(config.shape.limb_bits + 1);
        let one = Expression::Constant(Fr::one());
        let interpolated = entry * (width.clone() - middle.clone())
            + entry_next * middle.clone()
            + power_of_two(config.shape.limb_bits);
        Constraints::with_selector(
            is_kind(q, gadget::CURVE, gadget::KINDS),
            [
                (
                    "argument is segment and offset",
                    argument - middle - width.clone() * index.clone(),
                ),
                ("second index", index_next - index - stride),
                (
                    "high bit of the offset",
                    middle_bit.clone() * (middle_bit - one.clone()),
                ),
                (
                    "high bit of the remainder",
                    remainder_bit.clone() * (remainder_bit - one),
                ),
                (
                    "result interpolates the table",
                    width * result + remainder - interpolated,
                ),
            ],
        )
    });
}
