use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};
use zkverdict_evm::{KnownProof, U256, VerifiedBuild, build_verified, try_verifier};
use zkverdict_solidity::{
    ContractMetadata, SolcChoice, VerifierSource,
    compact::{CATALOGUE, CatalogueEntry, generate_embedded, generate_shape, key_digest},
    generate_reference,
};
use zkverdict_verifier::{Artifact, Digest, Kind, MadeFrom};

use crate::{Error, Field, Proof, VerifyingKeyFile};

/// How contracts are generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// One verifier for all models of a shape, and a key for each model.
    #[default]
    Compact,
    /// The same code with one model's key inside.
    Embedded,
    /// snark-verifier's code, hardened, for one model: the yardstick.
    Reference,
}

impl Style {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Embedded => "compact, key embedded",
            Self::Reference => "reference",
        }
    }
}

/// Who shares a verifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sharing {
    /// The digest of the shape: every model with this one uses the same contract.
    pub shape: String,
    /// Its name in the catalogue, if its verifier is shipped compiled.
    pub shipped: Option<&'static str>,
    /// keccak256 of the key: what a registry pins.
    pub key_digest: String,
}

impl Sharing {
    /// The shipped verifier's name, or the digest of the shape.
    #[must_use]
    pub fn name(&self) -> String {
        self.shipped.map_or_else(|| format!("0x{}", self.shape), str::to_owned)
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shipped {
            Some(name) => {
                let lanes = name.trim_start_matches('c').trim_end_matches(char::is_alphabetic);
                let trees = if name.ends_with('t') { "with" } else { "without" };
                let combined = if name.ends_with('r') {
                    ", convolutions at a challenge"
                } else {
                    ""
                };
                write!(
                    formatter,
                    "{name}: shared by all models {trees} trees of {lanes} lanes{combined}"
                )
            }
            None => write!(formatter, "0x{}, not in the catalogue", self.shape),
        }
    }
}

/// Gas of the ways to give a verifier its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeyCosts {
    /// Deploying the key as a contract.
    pub contract_once: u64,
    /// A proof with it.
    pub contract_proof: u64,
    /// A proof with the key in calldata.
    pub calldata_proof: u64,
    /// Proofs up to which calldata is cheaper in sum.
    pub break_even: u64,
    /// Proofs in the batch that was measured.
    pub batch: usize,
    /// A proof of such a batch.
    pub batch_proof: u64,
}

/// A verifier contract that has accepted a valid proof and rejected forged ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContractFile {
    /// The model's name.
    pub name: String,
    /// What the user calls the contract.
    pub contract: String,
    /// How it was generated.
    pub style: Style,
    /// Digest of the verifying key.
    pub verifying_key: Digest,
    /// Whether the SRS is a development one.
    pub unsafe_srs: bool,
    /// The public inputs in order.
    pub schema: Vec<Field>,
    /// Source, bytecode, and what they cost.
    pub build: VerifiedBuild,
}

impl ContractFile {
    /// Generates, compiles and tries the contract of a key. Shapes of the catalogue are shipped compiled.
    ///
    /// # Errors
    /// No solc, where one is needed; a contract that the EVM refuses or that disagrees with the native verifier.
    pub fn build(key: &VerifyingKeyFile, contract_name: &str, style: Style, solc: &SolcChoice) -> Result<Self, Error> {
        key.known.verify(key)?;
        let verifying_key = key.key.digest();
        let source = source_of(key, contract_name, style)?;
        let known = key.known.known();
        let shipped = CatalogueEntry::of(&source).and_then(|entry| entry.compiled(&source));
        let build = match shipped {
            Some(compiled) => try_verifier(compiled, &known)?,
            None => build_verified(&source, &known, solc)?,
        };
        Ok(Self {
            name: key.name.clone(),
            contract: contract_name.to_owned(),
            style,
            verifying_key,
            unsafe_srs: key.unsafe_srs,
            schema: key.schema.clone(),
            build,
        })
    }

    /// Whether [`ContractFile::build`] would need a compiler.
    ///
    /// # Errors
    /// A key from which no contract can be generated.
    pub fn needs_solc(key: &VerifyingKeyFile, contract_name: &str, style: Style) -> Result<bool, Error> {
        let source = source_of(key, contract_name, style)?;
        Ok(CatalogueEntry::of(&source)
            .and_then(|entry| entry.compiled(&source))
            .is_none())
    }

    /// Who shares the verifier, where the key stands apart from it.
    #[must_use]
    pub fn sharing(&self) -> Option<Sharing> {
        let key = self.build.compiled.key.as_ref()?;
        let shipped = CATALOGUE
            .iter()
            .find(|entry| entry.source == self.build.compiled.source);
        Some(Sharing {
            shape: hex::encode(key.get(..32)?),
            shipped: shipped.map(|entry| entry.name),
            key_digest: hex::encode(key_digest(key)),
        })
    }

    /// What each way of giving the verifier the key costs, measured on the embedded chain with the known proof.
    ///
    /// # Errors
    /// The embedded chain refuses.
    pub fn explain(&self, known: &Proof) -> Result<Option<KeyCosts>, Error> {
        let ways = self.gas(known)?;
        let [contract, calldata, batch] = ways.as_slice() else {
            return Ok(None);
        };
        let more = calldata.per_proof().saturating_sub(contract.per_proof()).max(1);
        Ok(Some(KeyCosts {
            contract_once: contract.register,
            contract_proof: contract.per_proof(),
            calldata_proof: calldata.per_proof(),
            break_even: contract.register / more,
            batch: batch.proofs,
            batch_proof: batch.per_proof(),
        }))
    }

    /// Checks that the contract verifies proofs of this key and of no other: its source must be the one that the key
    /// generates, not only bear the key's digest. That the bytecode was compiled from the source, solc alone can tell.
    ///
    /// # Errors
    /// [`Error::OtherContract`]; a key from which no contract can be generated.
    pub fn expect_key(&self, key: &VerifyingKeyFile) -> Result<(), Error> {
        let source = source_of(key, &self.contract, self.style)?;
        let compiled = &self.build.compiled;
        let is_same = compiled.source == source.source && compiled.key == source.key;
        if self.verifying_key == key.key.digest() && is_same {
            Ok(())
        } else {
            Err(Error::OtherContract {
                contract: self.contract.clone(),
            })
        }
    }

    /// Writes the contract artifact.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let payload = serde_json::to_vec(self).expect("finite numbers and strings are JSON");
        let made_from = MadeFrom::from([("verifying key".to_owned(), self.verifying_key)]);
        Artifact::new(Kind::Contract, made_from, self.unsafe_srs, payload).write(path)?;
        Ok(())
    }

    /// Reads a contract artifact.
    ///
    /// # Errors
    /// Anything that is wrong with the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Ok(Artifact::read(path, Kind::Contract)?.json()?)
    }
}

/// The contract's source.
fn source_of(key: &VerifyingKeyFile, contract_name: &str, style: Style) -> Result<VerifierSource, Error> {
    let metadata = ContractMetadata {
        contract_name: contract_name.to_owned(),
        model: key.name.clone(),
        srs: key.srs.clone(),
        circuit_digest: key.circuit.0,
    };
    metadata.check()?;
    Ok(match style {
        Style::Compact => generate_shape(&key.key)?,
        Style::Embedded => generate_embedded(&key.key, &metadata)?,
        Style::Reference => generate_reference(&key.key, &metadata)?,
    })
}

impl Proof {
    /// The proof as a contract takes it.
    #[must_use]
    pub fn known(&self) -> KnownProof {
        KnownProof {
            proof: self.proof.clone(),
            public_inputs: self.words(),
        }
    }

    /// The public inputs as EVM words.
    pub fn words(&self) -> Vec<U256> {
        self.public_inputs
            .iter()
            .map(|word| U256::from_be_bytes(*word))
            .collect()
    }
}
