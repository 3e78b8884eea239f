//! Compiles a contract and runs known proofs on the bytecode before it may be called done.
//!
//! solc has settings under which the generated code compiles and rejects everything, and a circuit can be given a
//! degree that the native verifier accepts and the contract does not. Only running the bytecode shows it.

use alloy::primitives::U256;
use serde::{Deserialize, Serialize};
use zkverdict_solidity::{CompiledVerifier, ProofLayout, SolcChoice, VerifierSource, WordKind, compile};

use crate::{DeploymentReport, EvmError, Rejection, Simulator, VerificationReport};

/// The order of BN254's scalar field.
const SCALAR_MODULUS: U256 = U256::from_limbs([
    0x43e1_f593_f000_0001,
    0x2833_e848_79b9_7091,
    0xb850_45b6_8181_585d,
    0x3064_4e72_e131_a029,
]);

/// A proof that the native verifier accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProof {
    /// The proof.
    pub proof: Vec<u8>,
    /// Its public inputs.
    pub public_inputs: Vec<U256>,
}

/// A contract whose bytecode accepted a valid proof and rejected forged ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedBuild {
    /// The contract.
    pub compiled: CompiledVerifier,
    /// What deploying it costs.
    pub deployment: DeploymentReport,
    /// What verifying the known proof costs.
    pub verification: VerificationReport,
}

/// Compiles a contract and checks its bytecode with a known proof and forgeries of it.
///
/// # Errors
/// solc's errors; as [`try_verifier`].
pub fn build_verified(
    source: &VerifierSource,
    known: &KnownProof,
    choice: &SolcChoice,
) -> Result<VerifiedBuild, EvmError> {
    check_known(&source.layout, known)?;
    try_verifier(compile(source, choice)?, known)
}

/// Checks a contract's bytecode, with its key where they stand apart, on a known proof and forgeries of it.
///
/// # Errors
/// A known proof that does not fit; a contract that rejects it or accepts a forgery.
pub fn try_verifier(compiled: CompiledVerifier, known: &KnownProof) -> Result<VerifiedBuild, EvmError> {
    check_known(&compiled.layout, known)?;
    let mut simulator = Simulator::deploy(&compiled)?;
    let verification = simulator.verify(&known.proof, &known.public_inputs)?;
    if !verification.outcome.is_accepted() {
        return Err(EvmError::SelfCheckRejectsValid {
            outcome: verification.outcome,
        });
    }
    for forgery in forgeries(&compiled.layout, known) {
        let outcome = simulator.verify(&forgery.proof, &forgery.public_inputs)?.outcome;
        if outcome.reason().and_then(|reason| reason.rejection()) != Some(forgery.expected) {
            return Err(EvmError::SelfCheckForgery {
                forgery: forgery.what,
                outcome,
            });
        }
    }
    Ok(VerifiedBuild {
        deployment: simulator.deployment().clone(),
        compiled,
        verification,
    })
}

fn check_known(layout: &ProofLayout, known: &KnownProof) -> Result<(), EvmError> {
    if known.proof.len() == layout.proof_length() && known.public_inputs.len() == layout.public_inputs {
        return Ok(());
    }
    Err(EvmError::KnownProofShape {
        expected_bytes: layout.proof_length(),
        got_bytes: known.proof.len(),
        expected_inputs: layout.public_inputs,
        got_inputs: known.public_inputs.len(),
    })
}

struct Forgery {
    what: &'static str,
    proof: Vec<u8>,
    public_inputs: Vec<U256>,
    expected: Rejection,
}

fn forgeries(layout: &ProofLayout, known: &KnownProof) -> Vec<Forgery> {
    let mut forgeries = Vec::new();
    let mut forge = |what, expected, change: &dyn Fn(&mut Vec<u8>, &mut Vec<U256>)| {
        let (mut proof, mut public_inputs) = (known.proof.clone(), known.public_inputs.clone());
        change(&mut proof, &mut public_inputs);
        forgeries.push(Forgery {
            what,
            proof,
            public_inputs,
            expected,
        });
    };
    // Zero stays canonical when it becomes one, and every other value when it becomes zero.
    let other = |value: U256| {
        if value.is_zero() { U256::from(1) } else { U256::ZERO }
    };
    for index in 0..known.public_inputs.len() {
        forge("another public input", Rejection::InvalidProof, &|_, inputs| {
            if let Some(input) = inputs.get_mut(index) {
                *input = other(*input);
            }
        });
    }
    forge(
        "a public input plus the group order",
        Rejection::MalformedInput,
        &|_, inputs| {
            if let Some(input) = inputs.first_mut() {
                *input = input.wrapping_add(SCALAR_MODULUS);
            }
        },
    );
    if let Some((offset, _)) = layout.items().find(|(_, kind)| *kind == WordKind::Scalar) {
        forge("another evaluation", Rejection::InvalidProof, &|proof, _| {
            if let Some(word) = proof.get_mut(offset..offset + 32) {
                let changed = other(U256::from_be_slice(word));
                word.copy_from_slice(&changed.to_be_bytes::<32>());
            }
        });
        forge(
            "an evaluation that is not canonical",
            Rejection::MalformedInput,
            &|proof, _| {
                if let Some(word) = proof.get_mut(offset..offset + 32) {
                    word.fill(0xff);
                }
            },
        );
    }
    if let Some((offset, _)) = layout.items().find(|(_, kind)| *kind == WordKind::Point) {
        forge("the identity as a point", Rejection::MalformedInput, &|proof, _| {
            if let Some(point) = proof.get_mut(offset..offset + 64) {
                point.fill(0);
            }
        });
    }
    forge("a shorter proof", Rejection::MalformedInput, &|proof, _| {
        proof.truncate(proof.len() - 32)
    });
    forgeries
}
