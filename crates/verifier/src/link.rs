//! The link from a proof's columns to the commitments that a model is registered by: `docs/spec/link.md`.

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Bn256, Fr, G1, G1Affine, G2Prepared},
    ff::{Field, FromUniformBytes, PrimeField},
    group::{Curve, Group, prime::PrimeCurveAffine},
    pairing::{MillerLoopResult, MultiMillerLoop},
};
use serde::{Deserialize, Serialize};
use snark_verifier::{
    loader::native::NativeLoader,
    util::{
        hash::{Digest as _, Keccak256},
        transcript::TranscriptRead,
    },
};

use crate::{VerifyError, VerifyingKey};

/// What the hash of a linked model's points starts with.
pub const LINK_DOMAIN: [u8; 32] = *b"zkverdict linked model 1\0\0\0\0\0\0\0\0";

/// More rows of randomness than any circuit has.
const MOST_UNUSABLE: usize = 256;

/// Where the columns of a linked model stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLink {
    /// Points of the proof in front of the model's.
    pub first: usize,
    /// Columns of the model.
    pub columns: usize,
    /// Rows at the end of the domain that hold nothing but randomness.
    pub unusable: usize,
}

impl ModelLink {
    /// The public input that the registered points hash to.
    pub const PUBLIC_INPUT: usize = 1;

    /// Points behind the proof: the registered ones, the quotient, the opening.
    pub fn points(&self) -> usize {
        self.columns.saturating_add(2)
    }
}

/// The commitment to a linked model: keccak256 of its points, reduced.
pub fn linked_commitment(points: &[G1Affine]) -> Fr {
    let mut bytes = LINK_DOMAIN.to_vec();
    points.iter().for_each(|point| bytes.extend(point_bytes(point)));
    let mut hash: Vec<u8> = Keccak256::digest(&bytes).to_vec();
    hash.reverse();
    let mut wide = [0; 64];
    wide.iter_mut().zip(hash).for_each(|(place, byte)| *place = byte);
    Fr::from_uniform_bytes(&wide)
}

/// A point as proofs have it: both coordinates, big-endian. The identity is all zero.
pub fn point_bytes(point: &G1Affine) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (x, y) = bytes.split_at_mut(32);
    for (place, coordinate) in [(x, point.x), (y, point.y)] {
        place.copy_from_slice(&coordinate.to_repr());
        place.reverse();
    }
    bytes
}

/// Reads a point from [`point_bytes`]; nothing where it is not on the curve or not written so.
pub fn read_point(bytes: &[u8; 64]) -> Option<G1Affine> {
    let coordinate = |half: &[u8]| {
        let mut repr: [u8; 32] = half.try_into().ok()?;
        repr.reverse();
        Option::from(PrimeField::from_repr(repr))
    };
    let (x, y) = bytes.split_at(32);
    Option::from(G1Affine::from_xy(coordinate(x)?, coordinate(y)?))
}

impl VerifyingKey {
    /// Checks what stands behind the proof: that the columns of the registered model and those of the proof, `witnesses`
    /// among its points, are equal on all usable rows.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "operators of fields and groups do not overflow"
    )]
    pub(crate) fn check_link(
        &self,
        link: &ModelLink,
        witnesses: &[G1Affine],
        public_inputs: &[Fr],
        transcript: &mut impl TranscriptRead<G1Affine, NativeLoader>,
    ) -> Result<(), VerifyError> {
        let own = link.first.checked_add(link.columns);
        let own = own.and_then(|end| witnesses.get(link.first..end)).unwrap_or_default();
        let domain = &self.protocol.domain;
        if own.is_empty() || link.unusable >= domain.n || link.unusable > MOST_UNUSABLE {
            return Err(VerifyError::MalformedKey);
        }
        let malformed = |_| VerifyError::MalformedProof;
        let registered = transcript.read_n_ec_points(link.columns).map_err(malformed)?;
        let step = transcript.squeeze_challenge();
        let quotient = transcript.read_ec_point().map_err(malformed)?;
        let point = transcript.squeeze_challenge();
        let opening = transcript.read_ec_point().map_err(malformed)?;
        if public_inputs.get(ModelLink::PUBLIC_INPUT) != Some(&linked_commitment(&registered)) {
            return Err(VerifyError::Rejected);
        }
        // Σ step^j·(own_j − registered_j), the last first.
        let difference = own
            .iter()
            .zip(&registered)
            .rev()
            .fold(G1::identity(), |sum, (own, registered)| {
                sum * step + (own.to_curve() - registered)
            });
        let mut unusable = Fr::ONE;
        let mut row = Fr::ONE;
        for _ in 0..link.unusable {
            row *= domain.gen_inv;
            unusable *= point - row;
        }
        let vanishing = point.pow_vartime([domain.n as u64]) - Fr::ONE;
        let left = (difference * unusable - quotient * vanishing + opening * point).to_affine();
        let g2 = G2Prepared::from(self.deciding_key.g2());
        let minus_tau = G2Prepared::from(-self.deciding_key.s_g2());
        let product = Bn256::multi_miller_loop(&[(&left, &g2), (&opening, &minus_tau)]);
        match bool::from(product.final_exponentiation().is_identity()) {
            true => Ok(()),
            false => Err(VerifyError::Rejected),
        }
    }
}
