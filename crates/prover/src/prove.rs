use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr, G1Affine},
    plonk::create_proof,
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
};
use rand::{SeedableRng, rngs::StdRng};
use snark_verifier::{loader::native::NativeLoader, system::halo2::transcript::evm::EvmTranscript};
use zkverdict_circuit::CompiledModel;

use crate::{ProverError, ProvingKey};

/// A proof with what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenInference {
    /// Proof bytes.
    pub proof: Vec<u8>,
    /// Public inputs: the context, the inputs where they are public, the outputs.
    pub public_inputs: Vec<Fr>,
    /// Every cell of the evaluation. Secret.
    pub cells: Vec<i64>,
    /// Whether an intermediate value reached the top of its format: the outputs are proven, but may be far from the
    /// floats. Calibrate on samples like this one.
    pub saturated: bool,
}

/// Proves one inference. `sample` holds one vector per graph input; `context` is what the proof is bound to.
///
/// # Errors
/// Inputs that have no cells or no answer, keys of another circuit.
pub fn prove(
    model: &CompiledModel,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
) -> Result<ProvenInference, ProverError> {
    let cells = model.program.execute(&model.program.quantize(sample)?)?;
    let public_inputs = model.instance(&cells, context);
    let circuit = model.circuit_with(&cells)?;
    let mut transcript = EvmTranscript::<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>::new(Vec::new());
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        &key.srs,
        &key.halo2,
        &[circuit],
        &[&[&public_inputs]],
        StdRng::from_entropy(),
        &mut transcript,
    )?;
    let proof = transcript.finalize();
    key.verifying_key
        .verify(&proof, &public_inputs)
        .map_err(ProverError::SelfCheck)?;
    let saturated = model.program.saturates(&cells);
    Ok(ProvenInference {
        proof,
        public_inputs,
        cells,
        saturated,
    })
}
