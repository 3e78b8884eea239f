//! The link from a proof's columns to a registered model: `docs/spec/link.md`.

use zkverdict_verifier::{LINK_DOMAIN, ModelLink};

use super::{
    memory::{POINT, opening_offset},
    shape::Shape,
};
use crate::layout::WORD;

/// What is squeezed behind the registered points, the quotient and the opening.
pub(super) const CHALLENGES: [&str; 3] = ["LINK_STEP", "LINK_Z", "LINK_FACTOR"];

/// The order of BN254's base field.
const BASE_MODULUS: &str = "0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47";

/// Points of the proof, by the byte at which they start.
pub(super) fn places(shape: &Shape) -> Vec<(String, usize)> {
    let first = opening_offset(shape) + 2 * POINT;
    let places = |link: &ModelLink| {
        let quotient = first + POINT * link.columns;
        vec![
            ("MODEL".to_owned(), first),
            ("LINK_QUOTIENT".to_owned(), quotient),
            ("LINK_OPENING".to_owned(), quotient + POINT),
        ]
    };
    shape.link.as_ref().map(places).unwrap_or_default()
}

/// Bytes to hash the points in, and to add two of them in.
pub(super) fn work_bytes(link: &ModelLink) -> usize {
    (WORD + POINT * link.columns).max(2 * POINT)
}

/// The registered points are those of the public input.
pub(super) fn hash(link: &ModelLink) -> String {
    let domain = hex::encode(LINK_DOMAIN);
    let points = POINT * link.columns;
    let input = WORD * ModelLink::PUBLIC_INPUT;
    format!(
        "// The registered model is the one that the public input names.
        mstore(LINK_SUM, 0x{domain})
        mcopy(add(LINK_SUM, 0x20), MODEL, {points:#x})
        ok := and(eq(mod(keccak256(LINK_SUM, {:#x}), r), calldataload(add(inputs, {input:#x}))), ok)",
        WORD + points
    )
}

/// Adds the link's equation, times a challenge, to that of the openings.
pub(super) fn check(link: &ModelLink) -> String {
    let ModelLink {
        first,
        columns,
        unusable,
    } = link;
    let last = POINT * (columns - 1);
    format!(
        "// Link: the registered columns less those of the proof, with powers of LINK_STEP. They differ in unusable rows alone.
        {{
        mcopy(LINK_SUM, add(MODEL, {last:#x}), 0x40)
        for {{ let at := {last:#x} }} 1 {{ }} {{
        // Minus the proof's own point. The opening has found it on the curve, so its y is below p and not zero.
        mcopy(add(LINK_SUM, 0x40), add(WITNESS_{first}, at), 0x20)
        mstore(add(LINK_SUM, 0x60), sub({BASE_MODULUS}, mload(add(add(WITNESS_{first}, 0x20), at))))
        ok := and(staticcall(EC_ADD_GAS, 6, LINK_SUM, 0x80, LINK_SUM, 0x40), ok)
        if iszero(at) {{
        break
        }}
        at := sub(at, 0x40)
        mstore(add(LINK_SUM, 0x40), mload(LINK_STEP))
        ok := and(staticcall(EC_MUL_GAS, 7, LINK_SUM, 0x60, LINK_SUM, 0x40), ok)
        mcopy(add(LINK_SUM, 0x40), add(MODEL, at), 0x40)
        ok := and(staticcall(EC_ADD_GAS, 6, LINK_SUM, 0x80, LINK_SUM, 0x40), ok)
        }}
        let z := mload(LINK_Z)
        let factor := mload(LINK_FACTOR)
        // Z's distances from the unusable rows.
        let distances := factor
        {{
        let omega := mload(OMEGA_INVERSE)
        let row := omega
        for {{ let left := {unusable} }} left {{ left := sub(left, 1) }} {{
        distances := mulmod(distances, add(z, sub(r, row)), r)
        row := mulmod(row, omega, r)
        }}
        }}
        let power := z
        for {{ let k := byte(1, mload(KEY_HEADER)) }} k {{ k := sub(k, 1) }} {{
        power := mulmod(power, power, r)
        }}
        ok := and(add_term(LINK_SUM, sub(r, distances)), ok)
        ok := and(add_term(LINK_QUOTIENT, sub(r, mulmod(factor, add(power, sub(r, 1)), r))), ok)
        ok := and(add_term(LINK_OPENING, mulmod(factor, z, r)), ok)
        mcopy(LINK_SUM, LINK_OPENING, 0x40)
        mstore(add(LINK_SUM, 0x40), factor)
        ok := and(staticcall(EC_MUL_GAS, 7, LINK_SUM, 0x60, LINK_SUM, 0x40), ok)
        mcopy(add(LINK_SUM, 0x40), LAST_POINT, 0x40)
        ok := and(staticcall(EC_ADD_GAS, 6, LINK_SUM, 0x80, LAST_POINT, 0x40), ok)
        }}"
    )
}
