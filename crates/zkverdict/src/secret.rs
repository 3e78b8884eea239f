use std::path::Path;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::Field,
};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use zkverdict_circuit::{ModelCommitment, prove_ranges};
use zkverdict_model::{Calibration, FormatChoice, ModelError, ModelParameters, ParameterFormats, Program};
use zkverdict_prover::ProvingKey;
use zkverdict_verifier::{Digest, encode_public_inputs, linked_commitment};

use crate::{
    CircuitFile, Error, Model,
    commitment::{create_secret, read_secret, replace_secret, scalar},
};

/// What the integers of a committed model follow from, beside its weights: all models of a circuit share it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommittedFormats {
    /// Ranges.
    pub calibration: Calibration,
    /// Tensors that do not have the finest format for their range.
    pub formats: Vec<FormatChoice>,
}

/// A committed model: its parameters, and the salt of the commitment. Secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretModel {
    /// The circuit that it is a model of.
    pub circuit: Digest,
    #[serde(with = "scalar")]
    salt: Fr,
    /// Weights and biases.
    pub parameters: ModelParameters,
    /// Whether it is linked, not hashed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    linked: bool,
    /// Of a linked model, once a proving key is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered: Option<Registered>,
}

/// The points that a linked model is registered by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    /// The key that they belong to.
    verifying_key: Digest,
    #[serde(with = "points")]
    points: Vec<G1Affine>,
}

impl std::fmt::Debug for SecretModel {
    /// Shows nothing but the circuit.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SecretModel({}, secret)", self.circuit)
    }
}

impl SecretModel {
    /// Commits to these parameters with a new salt.
    pub fn new(circuit: &CircuitFile, parameters: ModelParameters) -> Self {
        Self {
            circuit: circuit.digest(),
            salt: Fr::random(StdRng::from_entropy()),
            parameters,
            linked: circuit.compiled.public.is_linked(),
            registered: None,
        }
    }

    /// Commits to the columns of a linked model under a proving key. The salt stays, so the same key gives the same points.
    ///
    /// # Errors
    /// A secret model of another circuit, a key of another circuit.
    pub fn register(&mut self, circuit: &CircuitFile, key: &ProvingKey) -> Result<(), Error> {
        let circuit = circuit.clone().with_model(self)?;
        self.registered = Some(Registered {
            verifying_key: key.verifying_key.digest(),
            points: key.register(&circuit.compiled, self.salt)?,
        });
        Ok(())
    }

    /// The points under this key, where the model is registered with it.
    pub(crate) fn points(&self, key: &ProvingKey) -> Option<&[G1Affine]> {
        let known = self.registered.as_ref()?;
        (known.verifying_key == key.verifying_key.digest()).then_some(&known.points)
    }

    /// Commits to a model of the circuit's architecture with a new salt.
    ///
    /// # Errors
    /// [`Error::PublicModel`]; a model of another architecture, or with a weight that leaves its range.
    pub fn of(circuit: &CircuitFile, model: &Model) -> Result<Self, Error> {
        let formats = circuit.committed.as_ref().ok_or(Error::PublicModel)?;
        let known = &circuit.compiled.program;
        let program = formats.program(model, known.limb_bits, ParameterFormats::Of(known));
        let mut program = program.map_err(|error| match error {
            // The ranges are of another graph.
            Error::Model(ModelError::CalibrationMismatch { .. }) => ModelError::OtherArchitecture.into(),
            error => error,
        })?;
        if let Some(table) = &circuit.audit {
            program = program.audit(&table.audit)?;
        }
        prove_ranges(&mut program, circuit.compiled.public);
        if !program.has_architecture_of(known) {
            return Err(ModelError::OtherArchitecture.into());
        }
        Ok(Self::new(circuit, program.parameters()?))
    }

    /// The same commitment for another circuit of the same model: a single decision's, or an audit's.
    ///
    /// # Errors
    /// [`Error::OtherSecretModel`] where weights or their formats differ; [`Error::LinkedElsewhere`].
    pub fn rebound(&self, circuit: &CircuitFile) -> Result<Self, Error> {
        if self.linked || circuit.compiled.public.is_linked() {
            return Err(Error::LinkedElsewhere);
        }
        let secret = circuit
            .secret
            .as_ref()
            .filter(|secret| secret.parameters == self.parameters);
        let secret = secret.ok_or(Error::OtherSecretModel)?;
        Ok(Self {
            circuit: secret.circuit,
            ..self.clone()
        })
    }

    /// The salt.
    pub fn salt(&self) -> Fr {
        self.salt
    }

    /// The commitment, as a public input: what a registry stores as the model's hash.
    ///
    /// # Errors
    /// Parameters of another architecture; [`Error::Unregistered`].
    pub fn commitment(&self, circuit: &CircuitFile) -> Result<[u8; 32], Error> {
        if circuit.compiled.public.is_linked() {
            let known = self.registered.as_ref().ok_or(Error::Unregistered)?;
            return Ok(encode_public_inputs(&[linked_commitment(&known.points)])[0]);
        }
        let hash = ModelCommitment::of(&circuit.compiled.program).hash(&self.parameters, self.salt)?;
        Ok(encode_public_inputs(&[hash])[0])
    }

    /// Whether it opens this commitment, of which a verifying key says what it is to.
    ///
    /// # Errors
    /// Parameters of another architecture.
    pub fn opens(&self, to: &ModelCommitment, commitment: [u8; 32]) -> Result<bool, Error> {
        let hash = to.hash(&self.parameters, self.salt)?;
        Ok(encode_public_inputs(&[hash])[0] == commitment)
    }

    /// Writes it, whole or not at all, to a file that only its owner can read.
    ///
    /// # Errors
    /// [`Error::SecretModelExists`] unless it may `replace` what is there; I/O.
    pub fn save(&self, path: &Path, replace: bool) -> Result<(), Error> {
        if replace {
            return replace_secret(path, self);
        }
        create_secret(path, self).map_err(|error| match error {
            Error::SaltExists { path } => Error::SecretModelExists { path },
            error => error,
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// A file that is not there or holds no secret model.
    pub fn load(path: &Path) -> Result<Self, Error> {
        read_secret(path, "secret model", "`zkverdict commit model`")
    }
}

impl CommittedFormats {
    /// The program of a model.
    pub(crate) fn program(
        &self,
        model: &Model,
        limb_bits: u32,
        formats: ParameterFormats<'_>,
    ) -> Result<Program, Error> {
        let graph = zkverdict_onnx::import_with_zeros(&model.bytes)?;
        Ok(Program::compile_committed(
            &graph,
            &self.calibration,
            limb_bits,
            &self.formats,
            formats,
        )?)
    }
}

impl CircuitFile {
    /// Whether the model is committed to, and its parameters are in a file of their own.
    pub fn has_secret_model(&self) -> bool {
        self.compiled.public.model.hides_model() || self.is_statement()
    }

    /// The circuit with one of its models, to prove what that one decides. Its file and digest stay those of the circuit.
    ///
    /// # Errors
    /// [`Error::PublicModel`], [`Error::OtherSecretModel`].
    pub fn with_model(mut self, secret: &SecretModel) -> Result<Self, Error> {
        if !self.has_secret_model() {
            return Err(Error::PublicModel);
        }
        if self.is_statement() {
            // Of any circuit with trees of this size: the commitment is the same.
            if secret.linked {
                return Err(Error::LinkedStatement);
            }
            self.compiled
                .program
                .opened_inputs(&secret.parameters)
                .map_err(|_| Error::OtherSecretModel)?;
            self.secret = Some(secret.clone());
            return Ok(self);
        }
        if self.digest() != secret.circuit {
            return Err(Error::OtherSecretModel);
        }
        self.compiled.program = self.compiled.program.with_parameters(&secret.parameters)?;
        self.secret = Some(secret.clone());
        Ok(self)
    }
}

mod points {
    use halo2_proofs::halo2curves::bn256::G1Affine;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use zkverdict_verifier::{point_bytes, read_point};

    pub(super) fn serialize<S: Serializer>(points: &[G1Affine], serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<String> = points.iter().map(|point| hex::encode(point_bytes(point))).collect();
        texts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<G1Affine>, D::Error> {
        let read = |text: &String| {
            let mut bytes = [0; 64];
            hex::decode_to_slice(text, &mut bytes).map_err(D::Error::custom)?;
            read_point(&bytes).ok_or_else(|| D::Error::custom("no point of the curve"))
        };
        Vec::<String>::deserialize(deserializer)?.iter().map(read).collect()
    }
}
