use thiserror::Error;
use zkverdict_circuit::CircuitError;
use zkverdict_model::ModelError;
use zkverdict_verifier::VerifyError;

/// Why there are no keys or no proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProverError {
    /// The inputs cannot be proven.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The program cannot be laid out.
    #[error(transparent)]
    Circuit(#[from] CircuitError),
    /// The SRS has another size than the circuit.
    #[error("the circuit needs an SRS of k = {needed}, this one has k = {got}")]
    SrsSize {
        /// Size the circuit needs.
        needed: u32,
        /// Size of the SRS.
        got: u32,
    },
    /// The proving key does not parse.
    #[error("the proving key is malformed; make it again with `zkverdict setup`")]
    MalformedKey,
    /// halo2 could not make keys or a proof.
    #[error("halo2: {0}")]
    Halo2(#[from] halo2_proofs::plonk::Error),
    /// The columns of the proof are not those of the registered model.
    #[error(
        "the proof's columns are not those of the registered model: the points in the file of the secret model are of \
         another one; run `zkverdict commit model` again"
    )]
    NotLinked,
    /// The new proof does not verify: the key belongs to another circuit or another SRS.
    #[error(
        "the proof that was just made is not valid; the proving key belongs to another circuit or SRS: run `zkverdict setup` again"
    )]
    SelfCheck(#[source] VerifyError),
}
