use std::panic::{AssertUnwindSafe, catch_unwind};

use halo2_proofs::halo2curves::{
    bn256::{Bn256, Fr, G1Affine, G2Affine},
    ff::PrimeField,
};
use serde::{Deserialize, Serialize};
use snark_verifier::{
    loader::native::NativeLoader,
    pcs::kzg::{Bdfg21, KzgAs, KzgDecidingKey},
    system::halo2::transcript::evm::EvmTranscript,
    verifier::{
        SnarkVerifier,
        plonk::{PlonkProtocol, PlonkVerifier},
    },
};

use crate::{Digest, ModelLink, VerifyError};

type Plonk = PlonkVerifier<KzgAs<Bn256, Bdfg21>>;

/// Points that the opening argument (SHPLONK) adds to a proof.
const OPENING_POINTS: usize = 2;
/// An uncompressed point.
const POINT_BYTES: usize = 64;

/// What a verifier needs: the protocol with the key's commitments, and the pairing's points.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyingKey {
    /// Columns, queries and constraints, with the commitments to the fixed columns.
    pub protocol: PlonkProtocol<G1Affine>,
    /// `[1]₁`, `[1]₂`, `[τ]₂`.
    pub deciding_key: KzgDecidingKey<Bn256>,
    /// The columns that proofs of linked models are linked by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<ModelLink>,
}

impl VerifyingKey {
    /// A key from its parts.
    pub fn new(protocol: PlonkProtocol<G1Affine>, generator: G1Affine, g2: G2Affine, tau_g2: G2Affine) -> Self {
        Self {
            protocol,
            deciding_key: KzgDecidingKey::new(generator, g2, tau_g2),
            link: None,
        }
    }

    /// The key of a linked model's circuit.
    #[must_use]
    pub fn with_link(self, link: Option<ModelLink>) -> Self {
        Self { link, ..self }
    }

    /// Number of public inputs, the context included.
    pub fn public_inputs(&self) -> usize {
        self.protocol.num_instance.iter().sum()
    }

    /// Length of every proof in bytes.
    pub fn proof_bytes(&self) -> usize {
        let points = self.leading_points().saturating_add(OPENING_POINTS);
        let link = self.link.as_ref().map_or(0, ModelLink::points);
        points
            .saturating_add(link)
            .saturating_mul(POINT_BYTES)
            .saturating_add(self.evaluation_bytes())
    }

    /// Commitments before the evaluations: witness columns, then quotient pieces.
    fn leading_points(&self) -> usize {
        let witness: usize = self.protocol.num_witness.iter().sum();
        witness.saturating_add(self.protocol.quotient.num_chunk())
    }

    fn evaluation_bytes(&self) -> usize {
        self.protocol.evaluations.len().saturating_mul(32)
    }

    /// Whether a point of the proof is the identity. No honest commitment is; contracts refuse it, and so does this.
    fn holds_identity(&self, proof: &[u8]) -> bool {
        let (leading, rest) = proof.split_at(self.leading_points().saturating_mul(POINT_BYTES).min(proof.len()));
        let opening = rest.get(self.evaluation_bytes()..).unwrap_or_default();
        let points = leading.chunks(POINT_BYTES).chain(opening.chunks(POINT_BYTES));
        points.into_iter().any(|point| point.iter().all(|byte| *byte == 0))
    }

    /// Digest of the key: of its canonical JSON.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Verifies a proof.
    ///
    /// # Errors
    /// [`VerifyError`] says whether the input is malformed or the proof does not hold.
    pub fn verify(&self, proof: &[u8], public_inputs: &[Fr]) -> Result<(), VerifyError> {
        let expected = self.public_inputs();
        if public_inputs.len() != expected {
            return Err(VerifyError::PublicInputCount {
                expected,
                got: public_inputs.len(),
            });
        }
        let expected = self.proof_bytes();
        if proof.len() != expected {
            return Err(VerifyError::ProofLength {
                expected,
                got: proof.len(),
            });
        }
        if self.holds_identity(proof) {
            return Err(VerifyError::MalformedProof);
        }
        // snark-verifier indexes by what the protocol says; a key from a hostile file must not take the process down. The
        // process's panic hook still sees the panic, and by default prints it: hooks are global, and a library that swapped
        // them for the moment would swallow the panics of other threads, or leave its own hook behind a race.
        catch_unwind(AssertUnwindSafe(|| self.verify_unchecked(proof, public_inputs)))
            .unwrap_or(Err(VerifyError::MalformedKey))
    }

    fn verify_unchecked(&self, proof: &[u8], public_inputs: &[Fr]) -> Result<(), VerifyError> {
        let instances = [public_inputs.to_vec()];
        let mut transcript = EvmTranscript::<G1Affine, NativeLoader, &[u8], Vec<u8>>::new(proof);
        let proof = Plonk::read_proof(&self.deciding_key, &self.protocol, &instances, &mut transcript)
            .map_err(|_| VerifyError::MalformedProof)?;
        Plonk::verify(&self.deciding_key, &self.protocol, &instances, &proof).map_err(|_| VerifyError::Rejected)?;
        match &self.link {
            Some(link) => self.check_link(link, &proof.witnesses, public_inputs, &mut transcript),
            None => Ok(()),
        }
    }
}

/// Reads public inputs from 32-byte big-endian words.
///
/// # Errors
/// [`VerifyError::NonCanonicalPublicInput`] for a word that is not below the field's prime.
pub fn decode_public_inputs(words: &[[u8; 32]]) -> Result<Vec<Fr>, VerifyError> {
    words
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let mut bytes = *word;
            bytes.reverse();
            Option::from(Fr::from_repr(bytes)).ok_or(VerifyError::NonCanonicalPublicInput { index })
        })
        .collect()
}

/// Writes public inputs as 32-byte big-endian words.
pub fn encode_public_inputs(public_inputs: &[Fr]) -> Vec<[u8; 32]> {
    public_inputs
        .iter()
        .map(|input| {
            let mut bytes = input.to_repr();
            bytes.reverse();
            bytes
        })
        .collect()
}
