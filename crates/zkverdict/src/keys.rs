use std::path::Path;

use halo2_proofs::halo2curves::bn256::Fr;
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use zkverdict_circuit::{CompiledModel, Salts};
use zkverdict_model::Program;
use zkverdict_prover::{Observer, Progress, ProvingKey};
use zkverdict_srs::{Ceremony, Srs, ceremony};
use zkverdict_verifier::{Artifact, Digest, Kind, MadeFrom, VerifyingKey};

use crate::{AuditTable, CircuitFile, Error, Field, Proof};

/// Share of the keys themselves in the work of making keys and a first proof.
const KEYS_SHARE: f64 = 0.3;

/// CPU seconds of keys and a first proof over those of a proof.
pub const SETUP_OVER_PROVE: f64 = 1.4;

/// A verifying key with what its public inputs mean.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyingKeyFile {
    /// The model's name.
    pub name: String,
    /// Digest of the compiled circuit.
    pub circuit: Digest,
    /// The SRS in words.
    pub srs: String,
    /// Whether whoever made the SRS can forge proofs.
    pub unsafe_srs: bool,
    /// The key.
    pub key: VerifyingKey,
    /// The public inputs in order.
    pub schema: Vec<Field>,
    /// Where it is an audit: what is asked of which table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditTable>,
    /// A proof of an inference on neutral inputs: every contract is tried on it before it is called done.
    pub known: Proof,
}

/// Both keys.
#[derive(Debug)]
pub struct Keys {
    /// The proving key.
    pub proving: ProvingKey,
    /// The verifying key.
    pub verifying: VerifyingKeyFile,
}

impl Keys {
    /// Generates the keys of a circuit, and a proof with them.
    ///
    /// # Errors
    /// An SRS that is too small; a circuit that does not fit.
    pub fn generate(circuit: &CircuitFile, srs: &Srs) -> Result<Self, Error> {
        Self::generate_observed(circuit, srs, &mut |_| ())
    }

    /// As [`Keys::generate`], telling an observer how far it is.
    ///
    /// # Errors
    /// As [`Keys::generate`].
    pub fn generate_observed(circuit: &CircuitFile, srs: &Srs, observer: &mut Observer<'_>) -> Result<Self, Error> {
        let model = &circuit.compiled;
        let sized = srs.downsize(model.k)?;
        let proving = ProvingKey::generate_observed(model, sized.params().clone(), &mut |progress| {
            observer(Progress {
                done: progress.done * KEYS_SHARE,
                ..progress
            });
        })?;
        // Everybody may know what the known proof is made of.
        let neutral = if circuit.has_secret_model() {
            &CompiledModel {
                program: model.program.architecture().with_zeros()?,
                ..model.clone()
            }
        } else {
            model
        };
        let known = zkverdict_prover::prove_observed(
            neutral,
            &proving,
            &neutral_sample(&model.program),
            Fr::zero(),
            &Salts::random(StdRng::from_entropy()),
            None,
            StdRng::from_entropy(),
            &mut |progress| {
                observer(Progress {
                    done: KEYS_SHARE + progress.done * (1.0 - KEYS_SHARE),
                    ..progress
                });
            },
        )?;
        let verifying = VerifyingKeyFile {
            name: circuit.name.clone(),
            circuit: circuit.digest(),
            srs: sized.provenance().ceremony.to_string(),
            unsafe_srs: sized.is_unsafe(),
            key: proving.verifying_key.clone(),
            schema: circuit.public_schema()?,
            audit: circuit.audit.clone(),
            known: Proof::new(known.proof, &known.public_inputs),
        };
        Ok(Self { proving, verifying })
    }

    /// Writes the proving key.
    ///
    /// # Errors
    /// I/O.
    pub fn save_proving(&self, path: &Path) -> Result<(), Error> {
        let made_from = MadeFrom::from([
            ("circuit".to_owned(), self.verifying.circuit),
            ("verifying key".to_owned(), self.verifying.key.digest()),
        ]);
        Artifact::new(
            Kind::ProvingKey,
            made_from,
            self.verifying.unsafe_srs,
            self.proving.to_bytes(),
        )
        .write(path)?;
        Ok(())
    }
}

/// Reads a proving key and checks that it belongs to the circuit.
///
/// # Errors
/// A damaged file, another circuit's key.
pub fn load_proving_key(path: &Path, circuit: &CircuitFile) -> Result<(ProvingKey, Provenance), Error> {
    let artifact = Artifact::read(path, Kind::ProvingKey)?;
    artifact.expect_made_from("circuit", circuit.digest())?;
    let key = ProvingKey::from_bytes(&artifact.payload, &circuit.compiled)?;
    let verifying_key = key.verifying_key.digest();
    artifact.expect_made_from("verifying key", verifying_key)?;
    Ok((
        key,
        Provenance {
            verifying_key,
            unsafe_srs: artifact.unsafe_srs,
        },
    ))
}

/// What a proof inherits from its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// Digest of the verifying key.
    pub verifying_key: Digest,
    /// Whether whoever made the SRS can forge proofs.
    pub unsafe_srs: bool,
}

impl VerifyingKeyFile {
    /// Writes the key.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let payload = serde_json::to_vec(self).expect("finite numbers and strings are JSON");
        let made_from = MadeFrom::from([("circuit".to_owned(), self.circuit)]);
        Artifact::new(Kind::VerifyingKey, made_from, self.unsafe_srs, payload).write(path)?;
        Ok(())
    }

    /// Reads a key.
    ///
    /// # Errors
    /// Anything that is wrong with the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut file: Self = Artifact::read(path, Kind::VerifyingKey)?.json()?;
        // What the file says of its SRS is only a label; [τ]₂ is not.
        let ceremony = ceremony(&file.key.deciding_key.s_g2());
        file.srs = ceremony.to_string();
        file.unsafe_srs = ceremony == Ceremony::Development;
        Ok(file)
    }
}

/// Inputs that every model accepts: zero where the format holds it, the first category of an encoded input.
fn neutral_sample(program: &Program) -> Vec<Vec<f64>> {
    let mut sample = vec![Vec::new(); program.input_names.len()];
    for input in &program.inputs {
        let value = match input.categories.as_ref().and_then(|categories| categories.first()) {
            Some(category) => *category as f64,
            None => input
                .format
                .dequantize(input.format.zero.clamp(0, program.cell_max() - 1)),
        };
        sample[input.tensor].push(value);
    }
    sample
}
