use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr, G1Affine},
    plonk::create_proof,
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
};
use rand::{CryptoRng, RngCore, SeedableRng, rngs::StdRng};
use zkverdict_circuit::{CompiledModel, Salts};
use zkverdict_model::Saturated;
use zkverdict_verifier::{ModelLink, linked_commitment};

use crate::{Observer, ProverError, ProvingKey, Stage, link::LinkedModel, progress::ObservedTranscript};

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
    prove_observed(
        model,
        key,
        sample,
        context,
        &salts,
        None,
        StdRng::from_entropy(),
        &mut |_| (),
    )
}

/// As [`prove`], with salts and randomness from the caller, telling an observer how far it is. The proof hides its inputs only from
/// those who cannot guess the randomness; what the observer does has no influence on the proof. `registered` has the points of
/// a linked model, as [`ProvingKey::register`] makes them; without them they are made again.
///
/// # Errors
/// As [`prove`]; [`ProverError::NotLinked`] for points of another model, salt or key.
#[expect(clippy::too_many_arguments, reason = "what a proof is made of")]
pub fn prove_observed<R: RngCore + CryptoRng + Clone>(
    model: &CompiledModel,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
    salts: &Salts,
    registered: Option<&[G1Affine]>,
    randomness: R,
    observer: &mut Observer<'_>,
) -> Result<ProvenInference, ProverError> {
    let mut transcript = ObservedTranscript::new(&key.verifying_key, observer);
    let cells = model.program.execute(&model.program.quantize(sample)?)?;
    let mut public_inputs = model.instance(&cells, salts, context)?;
    let linked = match key.verifying_key.link {
        None => None,
        Some(link) => {
            let points = match registered {
                Some(points) => points.to_vec(),
                None => key.register(model, salts.model)?,
            };
            public_inputs.insert(ModelLink::PUBLIC_INPUT, linked_commitment(&points));
            // What the columns are filled up with is known from drawing it a second time.
            Some(LinkedModel::new(key, link, points, salts.model, randomness.clone()))
        }
    };
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
    if let Some(linked) = linked {
        linked.prove(key, &mut transcript)?;
    }
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
