//! The Poseidon permutation, one S-box a row, and the way of packed cells into it: `docs/spec/commitment.md`.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column, ConstraintSystem, Expression},
    poly::Rotation,
};

use crate::{
    config::HashColumns,
    poseidon::{self, Form, HALF_FULL_ROUNDS, INPUTS, PARTIAL_ROUNDS, POWERS, State, WIDTH},
};

/// The S-box of a partial round.
pub const PARTIAL: u64 = 1;
/// The first of the three S-boxes of a full round.
pub const FULL: u64 = 2;

/// Row of the first partial round's S-box.
const FIRST_PARTIAL: usize = WIDTH * HALF_FULL_ROUNDS;
/// Row of the first S-box after the partial rounds.
const FIRST_CLOSING: usize = FIRST_PARTIAL + PARTIAL_ROUNDS;
/// Row that leads from the partial rounds to the full ones: the third from the last of them.
const LEAVE: usize = FIRST_CLOSING - 3;
/// Rows with an S-box; the result stands on the three rows below.
pub const BOX_ROWS: usize = FIRST_CLOSING + WIDTH * HALF_FULL_ROUNDS;
/// Rows of one permutation.
pub const ROWS: usize = BOX_ROWS + WIDTH;

/// `q_hash` and the constant of each row of a permutation; the constant belongs to the value three rows below.
/// `carry` is added to the first element of the result.
pub(crate) fn fixed_rows(carry: Fr) -> Vec<(u64, Fr)> {
    let constants = &poseidon::parameters().constants;
    let next = |round: usize| [1, 2, 3].map(|step| &constants[round + step]);
    let kind = |row: usize| match row {
        FIRST_PARTIAL..=LEAVE => PARTIAL,
        FIRST_CLOSING.. if (row - FIRST_CLOSING).is_multiple_of(WIDTH) => FULL,
        0..FIRST_PARTIAL if row.is_multiple_of(WIDTH) => FULL,
        _ => 0,
    };
    let mut values = Vec::with_capacity(BOX_ROWS);
    values.extend(constants[1..HALF_FULL_ROUNDS].concat());
    let last_full = HALF_FULL_ROUNDS - 1;
    values.extend(poseidon::enter(next(last_full)).map(|form| form.constant()));
    let leave = HALF_FULL_ROUNDS + PARTIAL_ROUNDS - 3;
    for round in HALF_FULL_ROUNDS..leave {
        values.push(poseidon::partial(next(round))[0].constant());
    }
    values.extend(poseidon::partial(next(leave)).map(|form| form.constant()));
    values.extend(constants[HALF_FULL_ROUNDS + PARTIAL_ROUNDS + 1..].concat());
    values.extend([carry, Fr::ZERO, Fr::ZERO]);
    values
        .into_iter()
        .enumerate()
        .map(|(row, value)| (kind(row), value))
        .collect()
}

/// The value on each row of a permutation.
pub(crate) fn values(input: State) -> Vec<Fr> {
    let (seen, result) = poseidon::rounds(input);
    let closing = HALF_FULL_ROUNDS + PARTIAL_ROUNDS;
    let mut values: Vec<Fr> = seen[..HALF_FULL_ROUNDS].concat();
    values.extend(seen[HALF_FULL_ROUNDS..closing].iter().map(|state| state[0]));
    values.extend(seen[closing..].concat());
    values.extend(result);
    values
}

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, columns: &HashColumns, boxes: [Column<Advice>; 2]) {
    // Rows i to i+5. With p = q(i), n = q(i+1), m = q(i+4), v_j = x(i+j)·a(i+j), M Poseidon's matrix and F, E, L linear:
    //   p·(a(i+j) − x(i+j)^4) = 0,  j < 3
    //   p·(p − 1)·(x(i+3) − F_0(v)) = 0
    //   p·(p − 1)·(m − 1)·(x(i+3+j) − F_j(v)) = 0,  j = 1, 2              a full round follows
    //   p·(p − 1)·m·(x(i+3+j) − E_j(v)) = 0,  j = 1, 2                    partial rounds follow
    //   p·(p − 2)·(x(i+3) − L_0(x, v)) = 0
    //   p·(p − 2)·(n − 1)·(x(i+3+j) − L_j(x, v)) = 0,  j = 1, 2           a full round follows
    // docs/spec/commitment.md
    meta.create_gate("poseidon", |meta| {
        let rotations = [0, 1, 2, 3, 4, 5].map(Rotation);
        let x = rotations.map(|rotation| meta.query_advice(boxes[0], rotation));
        let fourth = [0, 1, 2, 3, 4].map(|row| meta.query_advice(boxes[1], rotations[row]));
        let constants = [0, 1, 2].map(|row| meta.query_fixed(columns.constants, rotations[row]));
        let [p, n, m] = [0, 1, 4].map(|row| meta.query_fixed(columns.q_hash, rotations[row]));
        let powers = [0, 1, 2, 3, 4].map(|row| x[row].clone() * fourth[row].clone());
        let less = |column: &Expression<Fr>, kind: u64| column.clone() - Expression::Constant(Fr::from(kind));
        let next = |place: usize, form: &Form| {
            let inputs = INPUTS.into_iter().zip(&x[1..]);
            let terms = inputs.chain(POWERS.into_iter().zip(&powers));
            terms
                .filter(|(variable, _)| !bool::from(form.coefficient(*variable).is_zero()))
                .fold(
                    x[3 + place].clone() - constants[place].clone(),
                    |rest, (variable, term)| rest - Expression::Constant(form.coefficient(variable)) * term.clone(),
                )
        };
        let zero = [Fr::ZERO; WIDTH];
        let (full, enter) = (poseidon::full(&zero), poseidon::enter([&zero; 3]));
        let partial = poseidon::partial([&zero; 3]);
        let is_full = p.clone() * less(&p, PARTIAL);
        let is_partial = p.clone() * less(&p, FULL);
        let mut constraints = Vec::new();
        for row in 0..WIDTH {
            let square = x[row].clone() * x[row].clone();
            constraints.push((
                "fourth power",
                p.clone() * (fourth[row].clone() - square.clone() * square),
            ));
        }
        constraints.push(("full round", is_full.clone() * next(0, &full[0])));
        constraints.push(("partial round", is_partial.clone() * next(0, &partial[0])));
        for place in 1..WIDTH {
            constraints.extend([
                (
                    "full round",
                    is_full.clone() * less(&m, PARTIAL) * next(place, &full[place]),
                ),
                (
                    "into partial rounds",
                    is_full.clone() * m.clone() * next(place, &enter[place]),
                ),
                (
                    "out of partial rounds",
                    is_partial.clone() * less(&n, PARTIAL) * next(place, &partial[place]),
                ),
            ]);
        }
        constraints
    });
}
