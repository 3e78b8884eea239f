//! What a model costs on a chain, measured on the embedded one: every way of giving a verifier its key, side by side.

use serde::Serialize;
use zkverdict_evm::{
    GasReport, Simulator, TRANSACTION_GAS_LIMIT, encode_verify, encode_verify_batch, encode_verify_with,
    encode_verify_with_key,
};
use zkverdict_solidity::compact::key_digest;

use crate::{ContractFile, Error, Proof, Style};

/// Where a verifier finds the model's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// In its own code.
    Code,
    /// In a contract of its own.
    Contract,
    /// In the calldata of every proof, beside its digest.
    Calldata,
}

/// One way to have proofs verified, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractGas {
    /// How the contract was generated.
    pub style: Style,
    /// Where its key is.
    pub key: KeyPlace,
    /// Proofs in one transaction.
    pub proofs: usize,
    /// Bytes of the verifier's code.
    pub code_bytes: usize,
    /// Deploying the verifier: once for all models of the shape, or once for the model.
    pub deploy: u64,
    /// Deploying the model's key beside it.
    pub register: u64,
    /// One transaction.
    #[serde(flatten)]
    pub report: GasReport,
}

impl ContractGas {
    /// Gas of one proof.
    #[must_use]
    pub fn per_proof(&self) -> u64 {
        self.report.verification.transaction_gas / self.proofs as u64
    }
}

impl ContractFile {
    /// Proofs in the batch that is measured.
    pub const BATCH: usize = 16;

    /// Measures every way to verify a proof with this contract, and where the gas goes. The first one is a single proof
    /// with the contract as it is deployed.
    ///
    /// # Errors
    /// The embedded chain refuses; [`Error::ProofRejected`]: the contract does not accept the proof.
    pub fn gas(&self, proof: &Proof) -> Result<Vec<ContractGas>, Error> {
        let mut simulator = Simulator::deploy(&self.build.compiled)?;
        let (bytes, words) = (&proof.proof, proof.words());
        let mut ways = Vec::new();
        match (&self.build.compiled.key, simulator.key()) {
            (Some(key), Some(address)) => {
                ways.push((KeyPlace::Contract, 1, encode_verify_with(address, bytes, &words)));
                let digest = key_digest(key).into();
                ways.push((
                    KeyPlace::Calldata,
                    1,
                    encode_verify_with_key(digest, key, bytes, &words),
                ));
                let batch = encode_verify_batch(address, &vec![proof.known(); Self::BATCH]);
                ways.push((KeyPlace::Contract, Self::BATCH, batch));
            }
            _ => ways.push((KeyPlace::Code, 1, encode_verify(bytes, &words))),
        }
        let deployment = simulator.deployment().clone();
        let key_gas = deployment.key.map_or(0, |key| key.gas);
        ways.into_iter()
            .map(|(key, proofs, calldata)| {
                let report = simulator.measure(&calldata, TRANSACTION_GAS_LIMIT)?;
                if !report.verification.outcome.is_accepted() {
                    return Err(Error::ProofRejected {
                        contract: self.contract.clone(),
                        outcome: report.verification.outcome,
                    });
                }
                Ok(ContractGas {
                    style: self.style,
                    key,
                    proofs,
                    code_bytes: deployment.code_bytes,
                    deploy: deployment.gas,
                    register: if key == KeyPlace::Contract { key_gas } else { 0 },
                    report,
                })
            })
            .collect()
    }
}
