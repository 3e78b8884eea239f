use std::{fs, path::Path};

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{FromUniformBytes, PrimeField},
};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use zkverdict_circuit::Salts;
use zkverdict_prover::{Observer, ProvenInference, ProvingKey};
use zkverdict_verifier::{
    Artifact, Digest, Kind, MadeFrom, decode_public_inputs, encode_public_inputs, write_atomically,
};

use crate::{CircuitFile, Error, VerifyingKeyFile};

/// Proof bytes and public inputs, as they go on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Proof bytes.
    #[serde(with = "prefixed_hex")]
    pub proof: Vec<u8>,
    /// Public inputs, 32 bytes each, big-endian.
    #[serde(with = "prefixed_words")]
    pub public_inputs: Vec<[u8; 32]>,
}

impl Proof {
    pub(crate) fn new(proof: Vec<u8>, public_inputs: &[Fr]) -> Self {
        Self {
            proof,
            public_inputs: encode_public_inputs(public_inputs),
        }
    }

    /// Writes the proof as an artifact of a verifying key.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path, verifying_key: Digest, unsafe_srs: bool) -> Result<(), Error> {
        let payload = serde_json::to_vec(self).expect("strings are JSON");
        let made_from = MadeFrom::from([("verifying key".to_owned(), verifying_key)]);
        Artifact::new(Kind::Proof, made_from, unsafe_srs, payload).write(path)?;
        Ok(())
    }

    /// Writes the proof as JSON: `{"proof": "0x…", "public_inputs": ["0x…", …]}`.
    ///
    /// # Errors
    /// I/O.
    pub fn save_json(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("strings are JSON");
        write_atomically(path, text.as_bytes()).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a proof in either form. An artifact must have been made with `verifying_key`, where that is given.
    ///
    /// # Errors
    /// Anything that is wrong with the file.
    pub fn load(path: &Path, verifying_key: Option<Digest>) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
            return serde_json::from_slice(&bytes).map_err(|_| Error::NotOurs {
                path: path.to_owned(),
                what: "proof",
                command: "`zkverdict prove`",
            });
        }
        let artifact = Artifact::read(path, Kind::Proof)?;
        if let Some(digest) = verifying_key {
            artifact.expect_made_from("verifying key", digest)?;
        }
        Ok(artifact.json()?)
    }

    /// Verifies natively.
    ///
    /// # Errors
    /// What is wrong with the proof.
    pub fn verify(&self, key: &VerifyingKeyFile) -> Result<(), Error> {
        let public_inputs = decode_public_inputs(&self.public_inputs)?;
        Ok(key.key.verify(&self.proof, &public_inputs)?)
    }
}

/// Proves one inference. Commitments get new salts, which the result holds.
///
/// # Errors
/// Inputs outside what the circuit accepts, keys of another circuit or SRS.
pub fn prove(
    circuit: &CircuitFile,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
) -> Result<(Proof, ProvenInference), Error> {
    let salts = Salts::random(StdRng::from_entropy());
    prove_observed(circuit, key, sample, context, &salts, &mut |_| ())
}

/// As [`prove`], with these salts for the commitments, telling an observer how far it is.
///
/// # Errors
/// As [`prove`].
pub fn prove_observed(
    circuit: &CircuitFile,
    key: &ProvingKey,
    sample: &[Vec<f64>],
    context: Fr,
    salts: &Salts,
    observer: &mut Observer<'_>,
) -> Result<(Proof, ProvenInference), Error> {
    let randomness = StdRng::from_entropy();
    let mut salts = *salts;
    let mut registered = None;
    if circuit.has_secret_model() {
        let secret = circuit.secret.as_ref().ok_or(Error::NoSecretModel)?;
        salts.model = secret.salt();
        if circuit.is_statement() {
            // The commitment to what is opened is the model's.
            salts.input = secret.salt();
        }
        registered = secret.points(key);
    }
    let proven = zkverdict_prover::prove_observed(
        &circuit.compiled,
        key,
        sample,
        context,
        &salts,
        registered,
        randomness,
        observer,
    )?;
    Ok((Proof::new(proven.proof.clone(), &proven.public_inputs), proven))
}

/// The context a text stands for: `0x…` is a number below the field's prime, anything else is hashed
/// (SHA-512, reduced).
///
/// # Errors
/// [`Error::Context`] for a number that is too large or no number.
pub fn context_from_text(text: &str) -> Result<Fr, Error> {
    let refused = || Error::Context { text: text.to_owned() };
    let Some(digits) = text.strip_prefix("0x") else {
        return Ok(Fr::from_uniform_bytes(&Sha512::digest(text.as_bytes()).into()));
    };
    let mut word = [0; 32];
    let padded = format!("{digits:0>64}");
    hex::decode_to_slice(&padded, &mut word).map_err(|_| refused())?;
    word.reverse();
    Option::from(Fr::from_repr(word)).ok_or_else(refused)
}

mod prefixed_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map_err(D::Error::custom)
    }
}

mod prefixed_words {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(words: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        words
            .iter()
            .map(|word| format!("0x{}", hex::encode(word)))
            .collect::<Vec<_>>()
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let decode = |text: &String| {
            let mut word = [0; 32];
            hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut word).map_err(D::Error::custom)?;
            Ok(word)
        };
        texts.iter().map(decode).collect()
    }
}
