use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr},
    plonk::create_proof,
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
};
use rand::{CryptoRng, RngCore, SeedableRng, rngs::StdRng};
use zkverdict_circuit::{CompiledModel, Salts};
use zkverdict_model::Saturated;

use crate::{Observer, ProverError, ProvingKey, Stage, progress::ObservedTranscript};

/// A proof with what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenInference {
    /// Proof bytes.
    pub proof: Vec<u8>,
    /// Public inputs: the context, the inputs or their commitment, the outputs or their commitment.
    pub public_inputs: Vec<Fr>,
    /// Every cell of the evaluation. Secret.
    pub cells: Vec<i64>,
    /// What opens the commitments. Secret.
    pub salts: Salts,
    /// The nodes some of whose values reached an end of their format: the outputs are proven, but may be far from the
    /// floats. Calibrate on samples like this one.
    pub saturation: Vec<Saturated>,
}

/// Proves one inference. `sample` holds one vector per graph input; `context` is what the proof is bound to. Commitments
/// get new salts.
///
/// # Errors
/// Inputs that have no cells or no answer, keys of another circuit.
pub fn prove(
    model: &CompiledModel,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
) -> Result<ProvenInference, ProverError> {
    let salts = Salts::random(StdRng::from_entropy());
    prove_observed(model, key, sample, context, &salts, StdRng::from_entropy(), &mut |_| ())
}

/// As [`prove`], with salts and randomness from the caller, telling an observer how far it is. The proof hides its inputs only from
/// those who cannot guess the randomness; what the observer does has no influence on the proof.
///
/// # Errors
/// As [`prove`].
pub fn prove_observed<R: RngCore + CryptoRng>(
    model: &CompiledModel,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
    salts: &Salts,
    randomness: R,
    observer: &mut Observer<'_>,
) -> Result<ProvenInference, ProverError> {
    let mut transcript = ObservedTranscript::new(&key.verifying_key.protocol, observer);
    let cells = model.program.execute(&model.program.quantize(sample)?)?;
    let public_inputs = model.instance(&cells, salts, context)?;
    let circuit = model.circuit_with(&cells, salts)?;
    transcript.enter(Stage::Commitments);
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        &key.srs,
        &key.halo2,
        &[circuit],
        &[&[&public_inputs]],
        randomness,
        &mut transcript,
    )?;
    transcript.enter(Stage::Check);
    let proof = transcript.finalize();
    key.verifying_key
        .verify(&proof, &public_inputs)
        .map_err(ProverError::SelfCheck)?;
    let saturation = model.program.saturation(&cells);
    Ok(ProvenInference {
        proof,
        public_inputs,
        cells,
        salts: *salts,
        saturation,
    })
}
