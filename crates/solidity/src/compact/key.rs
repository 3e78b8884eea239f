//! The key: everything of a verifier that belongs to one model.
//!
//! | words | content |
//! |---|---|
//! | 1 | digest of the shape |
//! | 1 | header: format, `k`, number of public inputs (4 bytes), exponents of the model's powers of two, a byte each |
//! | 1 | digest of halo2's verifying key, which the transcript starts with |
//! | 2 | `ω`, the domain's generator, and `ω⁻¹` |
//! | w | inverse powers of two that the constraints use |
//! | b | per set of rotations `S` with two or more, per `s ∈ S`: `1 / Π_(t≠s) (ω^s − ω^t)` |
//! | 4 | `−[τ]₂` as the pairing precompile reads it |
//! | 2 each | commitments to the fixed columns, in the order in which they are opened |

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fr, G1Affine, G2Affine},
    ff::{Field, PrimeField},
};
use snark_verifier::util::{
    arithmetic::Rotation,
    hash::{Digest as _, Keccak256},
};
use zkverdict_verifier::{ModelLink, VerifyingKey};

use super::shape::Shape;
use crate::{SolidityError, layout::WORD};

/// The format that the header's first byte names.
pub(super) const FORMAT: u8 = 1;
/// The header's byte at which the exponents start.
pub(super) const FIRST_EXPONENT: usize = 6;

/// Words before the inverse powers of two.
pub(super) const LEADING_WORDS: usize = 5;
/// Words of a point of the second group.
pub(super) const G2_WORDS: usize = 4;

fn unsupported<T>(reason: &'static str) -> Result<T, SolidityError> {
    Err(SolidityError::UnsupportedProtocol { reason })
}

/// Words of barycentric weights.
pub(super) fn weights(shape: &Shape) -> usize {
    let sizes = shape.sets.iter().map(|set| set.rotations.len());
    sizes.filter(|size| *size > 1).sum()
}

/// Bytes of a key.
pub(super) fn length(shape: &Shape) -> usize {
    let words = LEADING_WORDS + shape.graph.inverse_exponents.len() + weights(shape) + G2_WORDS + 2 * shape.fixed;
    WORD * words
}

/// Encodes the key of a model.
pub(super) fn encode(key: &VerifyingKey, shape: &Shape) -> Result<Vec<u8>, SolidityError> {
    let protocol = &key.protocol;
    let deciding = &key.deciding_key;
    if deciding.svk().g != G1Affine::generator() || deciding.g2() != G2Affine::generator() {
        return unsupported("its SRS does not start with the groups' generators");
    }
    let graph = &shape.graph;
    if graph.exponents.len() > WORD - FIRST_EXPONENT {
        return unsupported("its constraints use too many powers of two");
    }
    let domain = &protocol.domain;
    let public_inputs: usize = protocol.num_instance.iter().sum();
    let (Ok(k), Ok(count)) = (u8::try_from(domain.k), u32::try_from(public_inputs)) else {
        return unsupported("its domain or its public inputs are too many");
    };
    if let Some(link) = &shape.link
        && (public_inputs <= ModelLink::PUBLIC_INPUT || link.unusable >= domain.n)
    {
        return unsupported("its linked model has no public input, or no rows");
    }
    if u32::from(k) > Fr::S || domain.n <= public_inputs {
        return unsupported("its domain does not hold its public inputs");
    }
    let mut header = vec![FORMAT, k];
    header.extend(count.to_be_bytes());
    for exponent in &graph.exponents {
        let Ok(exponent) = u8::try_from(*exponent) else {
            return unsupported("its constraints use too large powers of two");
        };
        header.push(exponent);
    }
    header.resize(WORD, 0);

    let mut bytes = shape.digest().to_vec();
    bytes.extend(header);
    let Some(initial_state) = protocol.transcript_initial_state else {
        return unsupported("its transcript does not absorb the verifying key's digest");
    };
    let mut scalars = vec![initial_state, domain.r#gen, domain.gen_inv];
    for exponent in &graph.inverse_exponents {
        scalars.push(Fr::TWO_INV.pow_vartime([u64::from(*exponent)]));
    }
    for set in shape.sets.iter().filter(|set| set.rotations.len() > 1) {
        for rotation in &set.rotations {
            let power = |rotation: i32| domain.rotate_scalar(Fr::ONE, Rotation(rotation));
            let product: Fr = set
                .rotations
                .iter()
                .filter(|other| *other != rotation)
                .map(|other| power(*rotation) - power(*other))
                .product();
            match Option::<Fr>::from(product.invert()) {
                Some(weight) => scalars.push(weight),
                None => return unsupported("two of its rotations are the same row"),
            }
        }
    }
    for scalar in scalars {
        bytes.extend(big_endian(scalar.to_repr()));
    }
    let tau: G2Affine = -deciding.s_g2();
    let Some(coordinates) = Option::<_>::from(tau.coordinates()) else {
        return unsupported("its SRS is degenerate");
    };
    let coordinates: halo2_proofs::halo2curves::Coordinates<G2Affine> = coordinates;
    for coordinate in [coordinates.x(), coordinates.y()] {
        for part in [coordinate.c1, coordinate.c0] {
            bytes.extend(big_endian(part.to_repr()));
        }
    }
    for poly in shape.fixed_order() {
        let point = protocol.preprocessed.get(poly).copied().unwrap_or_default();
        for coordinate in [point.x, point.y] {
            bytes.extend(big_endian(Fq::to_repr(&coordinate)));
        }
    }
    if bytes.len() != length(shape) {
        return unsupported("it has fixed columns that are never opened");
    }
    Ok(bytes)
}

fn big_endian(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes.reverse();
    bytes
}

/// keccak256 of a key: what registries pin.
#[must_use]
pub fn key_digest(key: &[u8]) -> [u8; 32] {
    Keccak256::digest(key).into()
}

/// The init code that leaves a contract with the code `0x00 ‖ key`.
#[must_use]
pub fn key_init_code(key: &[u8]) -> Vec<u8> {
    // PUSH2 length, DUP1, PUSH1 start of the code, PUSH0, CODECOPY, PUSH0, RETURN; then the code.
    const PROLOGUE: usize = 10;
    let length = u16::try_from(key.len() + 1).unwrap_or(u16::MAX).to_be_bytes();
    let start = [
        0x61,
        length[0],
        length[1],
        0x80,
        0x60,
        PROLOGUE as u8,
        0x5f,
        0x39,
        0x5f,
        0xf3,
    ];
    [&start[..], &[0x00], key].concat()
}
