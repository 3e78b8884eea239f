//! Calldata and revert reasons. The Solidity interface is the only source of the ABI.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{Panic, Revert, SolCall, SolError, SolInterface},
};
use serde::{Deserialize, Serialize};
use zkverdict_solidity::CompiledVerifier;

use crate::KnownProof;

mod bindings {
    alloy::sol!(
        #![sol(all_derives)]
        "contracts/IVerdictVerifier.sol"
    );
    alloy::sol!(
        #![sol(all_derives)]
        "contracts/IShapeVerifier.sol"
    );
}

use bindings::{
    IShapeVerifier::{self, IShapeVerifierErrors},
    IVerdictVerifier::{self, IVerdictVerifierErrors},
};

/// What a verifier said when it rejected a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The input is not a well-formed proof with well-formed public inputs for this verifier.
    MalformedInput,
    /// The input is well formed and proves nothing.
    InvalidProof,
    /// The key is missing, malformed, or of another shape, or the batch is none.
    KeyRefused,
    /// The chain could not do the arithmetic: no such precompile, or too little gas.
    PrecompileFailed,
}

/// Why a call reverted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RevertReason {
    /// The verifier named the reason.
    Verifier {
        /// What kind of reason it is.
        rejection: Rejection,
        /// The error as Solidity declares it, with its arguments.
        error: String,
        /// What it means.
        meaning: String,
    },
    /// Solidity's `Panic(uint256)`.
    Panic {
        /// The code.
        code: String,
    },
    /// Solidity's `Error(string)`.
    Message {
        /// The message.
        message: String,
    },
    /// The call reverted and said nothing: the calldata cannot be decoded, or there is no such function.
    Silent,
    /// An error that is none of the verifier's.
    Unknown {
        /// The revert data in hexadecimal.
        data: String,
    },
}

impl RevertReason {
    /// The verifier's own reason, if it gave one.
    #[must_use]
    pub const fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Verifier { rejection, .. } => Some(*rejection),
            _ => None,
        }
    }
}

impl std::fmt::Display for RevertReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verifier { error, meaning, .. } => write!(f, "{error}: {meaning}"),
            Self::Panic { code } => write!(f, "Panic({code})"),
            Self::Message { message } => write!(f, "Error(\"{message}\")"),
            Self::Silent => f.write_str("no reason given: the calldata cannot be decoded, or this is no verifier"),
            Self::Unknown { data } => write!(f, "an error that is none of the verifier's: {data}"),
        }
    }
}

/// The calldata of `verify(proof, publicInputs)`.
#[must_use]
pub fn encode_verify(proof: &[u8], public_inputs: &[U256]) -> Vec<u8> {
    IVerdictVerifier::verifyCall {
        proof: Bytes::copy_from_slice(proof),
        publicInputs: public_inputs.to_vec(),
    }
    .abi_encode()
}

/// The calldata of a shape verifier's `verify(key, proof, publicInputs)`.
#[must_use]
pub fn encode_verify_with(key: Address, proof: &[u8], public_inputs: &[U256]) -> Vec<u8> {
    IShapeVerifier::verifyCall {
        key,
        proof: Bytes::copy_from_slice(proof),
        publicInputs: public_inputs.to_vec(),
    }
    .abi_encode()
}

/// The calldata of a shape verifier's `verifyWithKey(keyDigest, key, proof, publicInputs)`.
#[must_use]
pub fn encode_verify_with_key(key_digest: B256, key: &[u8], proof: &[u8], public_inputs: &[U256]) -> Vec<u8> {
    IShapeVerifier::verifyWithKeyCall {
        keyDigest: key_digest,
        key: Bytes::copy_from_slice(key),
        proof: Bytes::copy_from_slice(proof),
        publicInputs: public_inputs.to_vec(),
    }
    .abi_encode()
}

/// The calldata of a shape verifier's `verifyBatch(key, proofs, publicInputs)`.
#[must_use]
pub fn encode_verify_batch(key: Address, proofs: &[KnownProof]) -> Vec<u8> {
    IShapeVerifier::verifyBatchCall {
        key,
        proofs: proofs
            .iter()
            .map(|known| Bytes::copy_from_slice(&known.proof))
            .collect(),
        publicInputs: proofs.iter().map(|known| known.public_inputs.clone()).collect(),
    }
    .abi_encode()
}

/// Public inputs from their 32-byte big-endian words, as the native verifier encodes them.
#[must_use]
pub fn public_inputs_from_words(words: &[[u8; 32]]) -> Vec<U256> {
    words.iter().map(|word| U256::from_be_bytes(*word)).collect()
}

/// keccak256 of the code that stands at an address where the verifier was deployed: what the chain calls its code hash.
#[must_use]
pub fn code_hash(verifier: &CompiledVerifier) -> B256 {
    keccak256(&verifier.runtime_code)
}

/// keccak256 of the code `0x00 ‖ key` of a key's contract.
#[must_use]
pub fn key_code_hash(key: &[u8]) -> B256 {
    keccak256([&[0], key].concat())
}

/// Decodes the data of a revert.
#[must_use]
pub fn decode_revert(data: &[u8]) -> RevertReason {
    if data.is_empty() {
        return RevertReason::Silent;
    }
    if let Ok(error) = IVerdictVerifierErrors::abi_decode_validate(data) {
        let (rejection, error, meaning) = describe(&error);
        return RevertReason::Verifier {
            rejection,
            error,
            meaning: meaning.to_owned(),
        };
    }
    if let Ok(error) = IShapeVerifierErrors::abi_decode_validate(data) {
        let (error, meaning) = describe_key_error(&error);
        return RevertReason::Verifier {
            rejection: Rejection::KeyRefused,
            error,
            meaning: meaning.to_owned(),
        };
    }
    if let Ok(panic) = Panic::abi_decode_validate(data) {
        return RevertReason::Panic {
            code: format!("{:#x}", panic.code),
        };
    }
    if let Ok(revert) = Revert::abi_decode_validate(data) {
        return RevertReason::Message { message: revert.reason };
    }
    RevertReason::Unknown {
        data: format!("0x{}", hex::encode(data)),
    }
}

fn describe(error: &IVerdictVerifierErrors) -> (Rejection, String, &'static str) {
    use IVerdictVerifierErrors as E;
    use Rejection::{InvalidProof, MalformedInput, PrecompileFailed};
    match error {
        E::CalldataLengthMismatch(e) => (
            MalformedInput,
            format!("CalldataLengthMismatch(expected: {}, got: {})", e.expected, e.got),
            "the calldata has bytes that do not belong to the call, or lacks some",
        ),
        E::CalldataNotCanonical(_) => (
            MalformedInput,
            "CalldataNotCanonical()".to_owned(),
            "the arguments do not stand where the ABI's encoder puts them",
        ),
        E::ProofLengthMismatch(e) => (
            MalformedInput,
            format!("ProofLengthMismatch(expected: {}, got: {})", e.expected, e.got),
            "the proof has the wrong length; it belongs to another circuit, or was cut",
        ),
        E::PublicInputCountMismatch(e) => (
            MalformedInput,
            format!("PublicInputCountMismatch(expected: {}, got: {})", e.expected, e.got),
            "the number of public inputs is wrong; they belong to another circuit",
        ),
        E::PublicInputNotCanonical(e) => (
            MalformedInput,
            format!("PublicInputNotCanonical(index: {})", e.index),
            "a public input is not below the group order",
        ),
        E::ProofScalarNotCanonical(e) => (
            MalformedInput,
            format!("ProofScalarNotCanonical(offset: {})", e.offset),
            "a scalar in the proof is not below the group order",
        ),
        E::ProofPointInvalid(e) => (
            MalformedInput,
            format!("ProofPointInvalid(offset: {})", e.offset),
            "a point in the proof is the identity, off the curve or not canonical",
        ),
        E::PrecompileFailed(_) => (
            PrecompileFailed,
            "PrecompileFailed()".to_owned(),
            "too little gas was left, or the chain lacks the BN254 precompiles",
        ),
        E::ProofInvalid(_) => (
            InvalidProof,
            "ProofInvalid()".to_owned(),
            "the proof does not prove these public inputs for this model",
        ),
    }
}

fn describe_key_error(error: &IShapeVerifierErrors) -> (String, &'static str) {
    use IShapeVerifierErrors as E;
    match error {
        E::KeyMissing(e) => (
            format!("KeyMissing(key: {})", e.key),
            "no contract stands at the key's address; deploy the key first",
        ),
        E::KeyMalformed(_) => (
            "KeyMalformed()".to_owned(),
            "what was given as a key is none, or none of this verifier's version",
        ),
        E::KeyShapeMismatch(e) => (
            format!("KeyShapeMismatch(expected: {}, got: {})", e.expected, e.got),
            "the key belongs to the verifier of another shape",
        ),
        E::KeyDigestMismatch(e) => (
            format!("KeyDigestMismatch(expected: {}, got: {})", e.expected, e.got),
            "the key is not the one whose digest was asked for",
        ),
        E::BatchLengthMismatch(e) => (
            format!(
                "BatchLengthMismatch(proofs: {}, publicInputs: {})",
                e.proofs, e.publicInputs
            ),
            "a batch has as many lists of public inputs as proofs, and at least one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_every_kind_of_revert() {
        let data = IVerdictVerifier::ProofPointInvalid { offset: U256::from(64) }.abi_encode();
        let reason = decode_revert(&data);
        assert_eq!(reason.rejection(), Some(Rejection::MalformedInput));
        assert!(reason.to_string().starts_with("ProofPointInvalid(offset: 64): "));
        assert_eq!(decode_revert(&[]), RevertReason::Silent);
        assert_eq!(
            decode_revert(&Revert::from("no").abi_encode()),
            RevertReason::Message {
                message: "no".to_owned()
            }
        );
        assert!(matches!(decode_revert(&[1, 2, 3, 4, 5]), RevertReason::Unknown { .. }));
        let mut trailing = data;
        trailing.push(0);
        assert!(matches!(
            decode_revert(&trailing),
            RevertReason::Unknown { .. } | RevertReason::Verifier { .. }
        ));
    }

    #[test]
    fn calldata_is_what_the_contract_expects() {
        let calldata = encode_verify(&[7; 64], &[U256::from(1), U256::from(2)]);
        assert_eq!(calldata.len(), 4 + 64 + 32 + 64 + 32 + 64);
        assert_eq!(calldata[100..164], [7; 64]);
    }
}
