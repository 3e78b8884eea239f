//! A value as one or two limbs: `docs/spec/range.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints},
    poly::Rotation,
};

use super::gadget;
use crate::{ModelConfig, config::is_kind};

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig) {
    // x = key + w_0·limb, with w_0 = 2^L for two limbs and 0 for a value that is itself a table key.
    // docs/spec/range.md
    meta.create_gate("range", |meta| {
        let q = meta.query_fixed(config.q_gadget, Rotation::cur());
        let value = meta.query_advice(config.value, Rotation::cur());
        let key = meta.query_advice(config.key, Rotation::cur());
        let limb = meta.query_advice(config.limb, Rotation::cur());
        let base = meta.query_fixed(config.weights[0], Rotation::cur());
        Constraints::with_selector(
            is_kind(q, gadget::RANGE, gadget::KINDS),
            [("value is its limbs", value - key - base * limb)],
        )
    });
}
