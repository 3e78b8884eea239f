//! Evaluations of polynomials at a challenge: `docs/spec/combination.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression},
    poly::Rotation,
};

use crate::{
    ModelConfig,
    config::{EvaluationColumns, is_kind},
};

/// The next coefficient of a polynomial: a cell, or what an accumulator holds.
pub const STEP: u64 = 1;
/// Adds an evaluation times constant coefficients.
pub const TERM: u64 = 2;
/// Adds a product of two evaluations.
pub const PRODUCT: u64 = 3;
const KINDS: u64 = 3;

/// The weight that a [`STEP`] multiplies its cell by.
pub const CELL: usize = 1;
/// The weight that is 1 where a [`STEP`] takes the accumulator and one power of the challenge, not `2C`.
pub const ACCUMULATOR: usize = 2;
/// The weight that a [`STEP`] adds.
pub const CONSTANT: usize = 3;
/// Lanes that a shape must have: those weights.
pub const LEAST_LANES: usize = 4;

/// Coefficients that a [`TERM`] has, `2C`: the weights of its row and of the next one.
pub(crate) fn group(lanes: usize) -> usize {
    2 * lanes
}

/// The row, counted from the term's, and the weight that hold the coefficient of member `member` of a group: the first
/// member has the highest power.
pub(crate) fn coefficient(lanes: usize, member: usize) -> (usize, usize) {
    let power = group(lanes) - 1 - member;
    (power / lanes, power % lanes)
}

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: EvaluationColumns) {
    // q = 1:  T(i+1) = ρ^(2C)·(T(i) − w_2(i)·T(i)) + w_2(i)·(a(i) + ρ·T(i)) + w_1(i)·x(i) + w_3(i)
    // q = 2:  T(i+2) = T(i) + T(i+1)·Σ_j (ρ^j·w_j(i) + ρ^(C+j)·w_j(i+1))
    // q = 3:  T(i+3) = T(i) + T(i+1)·T(i+2)
    // docs/spec/combination.md
    meta.create_gate("evaluate", |meta| {
        let q = meta.query_fixed(columns.q_evaluate, Rotation::cur());
        let [start, one, two, three] =
            [0, 1, 2, 3].map(|distance| meta.query_advice(columns.evaluation, Rotation(distance)));
        let point = meta.query_challenge(columns.point);
        let mut read = |rotation: Rotation| -> Vec<_> {
            let weights = config.weights.iter();
            weights.map(|column| meta.query_fixed(*column, rotation)).collect()
        };
        let (weights, weights_next) = (read(Rotation::cur()), read(Rotation::next()));
        let value = meta.query_advice(config.value, Rotation::cur());
        let accumulator = meta.query_advice(config.accumulator, Rotation::cur());
        let leap = power(&point, group(config.shape.lanes));
        let taken = weights[ACCUMULATOR].clone();
        let step = leap * (start.clone() - taken.clone() * start.clone())
            + taken * (accumulator + point.clone() * start.clone())
            + weights[CELL].clone() * value
            + weights[CONSTANT].clone();
        let coefficients: Vec<_> = weights.into_iter().chain(weights_next).collect();
        let coefficients = polynomial(&coefficients, &point);
        // At most one of the kinds is not zero.
        vec![(
            "next evaluation",
            is_kind(q.clone(), STEP, KINDS) * (one.clone() - step)
                + is_kind(q.clone(), TERM, KINDS) * (two.clone() - start.clone() - one.clone() * coefficients)
                + is_kind(q, PRODUCT, KINDS) * (three - start - one * two),
        )]
    });
}

/// `Σ_j point^j·coefficients_j`, by halves: an expression as deep as there are coefficients could not be read back from a
/// verifying key.
fn polynomial(coefficients: &[Expression<Fr>], point: &Expression<Fr>) -> Expression<Fr> {
    match coefficients {
        [] => Expression::Constant(Fr::zero()),
        [constant] => constant.clone(),
        _ => {
            let (low, high) = coefficients.split_at(coefficients.len().div_ceil(2));
            polynomial(low, point) + power(point, low.len()) * polynomial(high, point)
        }
    }
}

/// A power by squaring.
fn power(base: &Expression<Fr>, exponent: usize) -> Expression<Fr> {
    match exponent {
        0 => Expression::Constant(Fr::one()),
        1 => base.clone(),
        _ => {
            let half = power(base, exponent / 2);
            let square = half.clone() * half;
            if exponent % 2 == 1 {
                square * base.clone()
            } else {
                square
            }
        }
    }
}
