use std::path::Path;

use serde::{Deserialize, Serialize};
use zkverdict_evm::{KnownProof, U256, VerifiedBuild, build_verified};
use zkverdict_solidity::{ContractMetadata, SolcChoice, VerifierSource, generate_reference};
use zkverdict_verifier::{Artifact, Digest, Kind, MadeFrom};

use crate::{Error, Field, Proof, VerifyingKeyFile};

/// A verifier contract that has accepted a valid proof and rejected forged ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContractFile {
    /// The model's name.
    pub name: String,
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
    /// Generates, compiles and tries the contract of a key.
    ///
    /// # Errors
    /// No solc; a contract that the EVM refuses or that disagrees with the native verifier.
    pub fn build(key: &VerifyingKeyFile, contract_name: &str, solc: &SolcChoice) -> Result<Self, Error> {
        key.known.verify(key)?;
        let verifying_key = key.key.digest();
        let source = source_of(key, contract_name)?;
        let known = KnownProof {
            proof: key.known.proof.clone(),
            public_inputs: key.known.words(),
        };
        let build = build_verified(&source, &known, solc)?;
        Ok(Self {
            name: key.name.clone(),
            verifying_key,
            unsafe_srs: key.unsafe_srs,
            schema: key.schema.clone(),
            build,
        })
    }

    /// Checks that the contract verifies proofs of this key and of no other: its source must be the one that the key
    /// generates, not only bear the key's digest. That the bytecode was compiled from the source, solc alone can tell.
    ///
    /// # Errors
    /// [`Error::OtherContract`]; a key from which no contract can be generated.
    pub fn expect_key(&self, key: &VerifyingKeyFile) -> Result<(), Error> {
        let source = source_of(key, &self.build.compiled.contract_name)?;
        if self.verifying_key == key.key.digest() && self.build.compiled.source == source.source {
            Ok(())
        } else {
            Err(Error::OtherContract {
                contract: self.build.compiled.contract_name.clone(),
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
fn source_of(key: &VerifyingKeyFile, contract_name: &str) -> Result<VerifierSource, Error> {
    let metadata = ContractMetadata {
        contract_name: contract_name.to_owned(),
        model: key.name.clone(),
        srs: key.srs.clone(),
        circuit_digest: key.circuit.0,
    };
    Ok(generate_reference(&key.key, &metadata)?)
}

impl Proof {
    /// The public inputs as EVM words.
    pub fn words(&self) -> Vec<U256> {
        self.public_inputs
            .iter()
            .map(|word| U256::from_be_bytes(*word))
            .collect()
    }
}
