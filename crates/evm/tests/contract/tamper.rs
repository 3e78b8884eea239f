//! The hardened contract against every malformed and forged proof, beside the native verifier.

use std::sync::OnceLock;

use alloy::primitives::U256;
use zkverdict_evm::{
    EvmError, KnownProof, Outcome, Rejection, Simulator, TRANSACTION_GAS_LIMIT, VerificationReport, build_verified,
    encode_verify,
};
use zkverdict_solidity::{SolcChoice, WordKind, compile::compile_any_size};

use crate::{
    fixture::dirty,
    support::{Fixture, ToyModel, fixture, scalar_modulus},
};

/// The order of the base field.
const BASE_MODULUS: &str = "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47";

fn simulator() -> Simulator {
    Simulator::deploy_code(&fixture().build.compiled.init_code).unwrap()
}

fn rejection(report: &VerificationReport) -> Option<Rejection> {
    report.outcome.reason().and_then(|reason| reason.rejection())
}

/// Rejected by both verifiers, for the named kind of reason, and for no more gas than an honest proof and some.
fn assert_rejected(simulator: &mut Simulator, proof: &[u8], inputs: &[U256], expected: Rejection, what: &str) {
    let honest = honest_gas();
    let report = simulator.verify(proof, inputs).unwrap();
    assert_eq!(rejection(&report), Some(expected), "{what}: {}", report.outcome);
    assert!(
        report.transaction_gas < honest + 100_000,
        "{what}: {} gas",
        report.transaction_gas
    );
    assert!(
        !fixture().model.native_accepts(proof, inputs),
        "{what}: the native verifier accepts"
    );
}

fn honest_gas() -> u64 {
    static GAS: OnceLock<u64> = OnceLock::new();
    *GAS.get_or_init(|| {
        let known = &fixture().known;
        simulator()
            .verify(&known.proof, &known.public_inputs)
            .unwrap()
            .transaction_gas
    })
}

fn word(proof: &[u8], offset: usize) -> U256 {
    U256::from_be_slice(&proof[offset..offset + 32])
}

fn with_word(proof: &[u8], offset: usize, value: U256) -> Vec<u8> {
    let mut changed = proof.to_vec();
    changed[offset..offset + 32].copy_from_slice(&value.to_be_bytes::<32>());
    changed
}

#[test]
fn accepts_what_the_native_verifier_accepts() {
    let Fixture { model, .. } = fixture();
    let mut simulator = simulator();
    for (context, a, b) in [(1, 2, 3), (0, 0, 0), (u64::MAX, 1, 0), (77, 1 << 40, 9)] {
        let KnownProof { proof, public_inputs } = model.prove(context, a, b);
        assert!(model.native_accepts(&proof, &public_inputs));
        let report = simulator.verify(&proof, &public_inputs).unwrap();
        assert_eq!(report.outcome, Outcome::Accepted);
    }
}

#[test]
fn rejects_flipped_bits_in_every_word_of_the_proof() {
    let Fixture {
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    for offset in (0..proof.len()).step_by(32) {
        for bit in [0, 100, 255] {
            let flipped = with_word(proof, offset, word(proof, offset) ^ (U256::from(1) << bit));
            let report = simulator.verify(&flipped, public_inputs).unwrap();
            assert!(
                matches!(
                    rejection(&report),
                    Some(Rejection::MalformedInput | Rejection::InvalidProof)
                ),
                "bit {bit} at {offset}: {}",
                report.outcome
            );
            assert!(report.transaction_gas < honest_gas() + 100_000);
            assert!(!fixture().model.native_accepts(&flipped, public_inputs));
        }
    }
}

#[test]
fn rejects_aliases_of_scalars_and_coordinates() {
    let Fixture {
        source,
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let base_modulus = U256::from_str_radix(BASE_MODULUS, 16).unwrap();
    let mut simulator = simulator();
    for (offset, kind) in source.layout.items() {
        let words: &[(usize, U256)] = match kind {
            WordKind::Scalar => &[(offset, scalar_modulus())],
            WordKind::Point => &[(offset, base_modulus), (offset + 32, base_modulus)],
        };
        for &(position, modulus) in words {
            for multiple in 1..=5 {
                let Some(alias) = U256::from(multiple)
                    .checked_mul(modulus)
                    .and_then(|shift| word(proof, position).checked_add(shift))
                else {
                    continue;
                };
                let aliased = with_word(proof, position, alias);
                let what = format!("+{multiple} moduli at {position}");
                assert_rejected(
                    &mut simulator,
                    &aliased,
                    public_inputs,
                    Rejection::MalformedInput,
                    &what,
                );
            }
        }
    }
}

#[test]
fn rejects_changed_and_aliased_public_inputs() {
    let Fixture {
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    for index in 0..public_inputs.len() {
        for bit in 0..256 {
            let mut changed = public_inputs.clone();
            changed[index] ^= U256::from(1) << bit;
            let report = simulator.verify(proof, &changed).unwrap();
            let expected = if changed[index] < scalar_modulus() {
                Rejection::InvalidProof
            } else {
                Rejection::MalformedInput
            };
            assert_eq!(
                rejection(&report),
                Some(expected),
                "bit {bit} of {index}: {}",
                report.outcome
            );
        }
        for multiple in 1..=4 {
            let mut aliased = public_inputs.clone();
            aliased[index] += U256::from(multiple) * scalar_modulus();
            assert_rejected(
                &mut simulator,
                proof,
                &aliased,
                Rejection::MalformedInput,
                "public input + r",
            );
            let report = simulator.verify(proof, &aliased).unwrap();
            assert!(
                report
                    .outcome
                    .to_string()
                    .contains(&format!("PublicInputNotCanonical(index: {index})"))
            );
        }
    }
}

#[test]
fn rejects_wrong_lengths() {
    let Fixture {
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    let length = proof.len();
    for wrong in [
        0,
        1,
        31,
        32,
        length - 32,
        length - 1,
        length + 1,
        length + 32,
        2 * length,
    ] {
        let mut changed = proof.clone();
        changed.resize(wrong, 0);
        assert_rejected(
            &mut simulator,
            &changed,
            public_inputs,
            Rejection::MalformedInput,
            &format!("{wrong} bytes"),
        );
    }
    for wrong in [0, 1, 2, 4, 5] {
        let mut changed = public_inputs.clone();
        changed.resize(wrong, U256::ZERO);
        assert_rejected(
            &mut simulator,
            proof,
            &changed,
            Rejection::MalformedInput,
            &format!("{wrong} inputs"),
        );
    }
}

#[test]
fn rejects_calldata_that_is_not_canonical() {
    let Fixture {
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    let canonical = encode_verify(proof, public_inputs);
    let mut call = |calldata: &[u8]| simulator.call(calldata, TRANSACTION_GAS_LIMIT).unwrap();
    assert!(call(&canonical).outcome.is_accepted());

    for extra in [1, 4, 31, 32, 64] {
        let mut longer = canonical.clone();
        longer.resize(canonical.len() + extra, 0);
        assert_eq!(
            rejection(&call(&longer)),
            Some(Rejection::MalformedInput),
            "{extra} more bytes"
        );
    }
    for cut in [1, 32, canonical.len() - 4, canonical.len() - 100, canonical.len()] {
        let outcome = call(&canonical[..canonical.len() - cut]).outcome;
        assert!(outcome.reason().is_some(), "{cut} bytes cut: {outcome}");
    }

    // The arguments' bodies in the other order: the same length, decoded rightly by Solidity, and refused.
    let mut swapped = canonical[..4].to_vec();
    let inputs_body = &canonical[100 + proof.len()..];
    swapped.extend(U256::from(64 + inputs_body.len()).to_be_bytes::<32>());
    swapped.extend(U256::from(64).to_be_bytes::<32>());
    swapped.extend(inputs_body);
    swapped.extend(&canonical[68..100 + proof.len()]);
    assert_eq!(swapped.len(), canonical.len());
    let outcome = call(&swapped).outcome;
    assert!(outcome.to_string().contains("CalldataNotCanonical"), "{outcome}");

    // Offsets that leave the calldata, or wrap around.
    for offset in [U256::from(canonical.len()), U256::from(u64::MAX), U256::MAX] {
        let mut broken = canonical.clone();
        broken[4..36].copy_from_slice(&offset.to_be_bytes::<32>());
        assert!(call(&broken).outcome.reason().is_some());
    }
}

#[test]
fn rejects_degenerate_proofs() {
    let Fixture {
        source,
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    let zeros = vec![0; proof.len()];
    assert_rejected(
        &mut simulator,
        &zeros,
        public_inputs,
        Rejection::MalformedInput,
        "all zeros",
    );
    let ones = vec![0xff; proof.len()];
    assert_rejected(
        &mut simulator,
        &ones,
        public_inputs,
        Rejection::MalformedInput,
        "all ones",
    );

    let mut generators = proof.clone();
    for (offset, kind) in source.layout.items() {
        if kind == WordKind::Point {
            let mut identity = proof.clone();
            identity[offset..offset + 64].fill(0);
            let what = format!("identity at {offset}");
            assert_rejected(
                &mut simulator,
                &identity,
                public_inputs,
                Rejection::MalformedInput,
                &what,
            );
            let reason = simulator.verify(&identity, public_inputs).unwrap().outcome.to_string();
            assert!(
                reason.contains(&format!("ProofPointInvalid(offset: {offset})")),
                "{reason}"
            );
            generators = with_word(
                &with_word(&generators, offset, U256::from(1)),
                offset + 32,
                U256::from(2),
            );
        }
    }
    assert_rejected(
        &mut simulator,
        &generators,
        public_inputs,
        Rejection::InvalidProof,
        "generators",
    );
}

/// Blinding that is zero makes commitments to columns of zeros the identity, which halo2 reads and writes as (0, 0). The
/// contract refuses it: an honest prover never sends it.
#[test]
fn rejects_the_identity_even_in_a_proof_that_halo2_accepts() {
    let (proof, public_inputs) = fixture().model.prove_without_blinding();
    let report = simulator().verify(&proof, &public_inputs).unwrap();
    assert!(
        report
            .outcome
            .to_string()
            .starts_with("reverted with ProofPointInvalid"),
        "{}",
        report.outcome
    );
}

#[test]
fn rejects_proofs_of_another_statement_or_model() {
    let Fixture {
        model,
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    let other = ToyModel::new(6).prove(1234, 11, 13);
    assert_rejected(
        &mut simulator,
        &other.proof,
        &other.public_inputs,
        Rejection::InvalidProof,
        "other model",
    );
    let replay = model.prove(1235, 11, 13);
    assert_rejected(
        &mut simulator,
        &replay.proof,
        public_inputs,
        Rejection::InvalidProof,
        "other context",
    );
    assert_rejected(
        &mut simulator,
        proof,
        &replay.public_inputs,
        Rejection::InvalidProof,
        "replay",
    );
}

#[test]
fn little_gas_never_accepts() {
    let Fixture {
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let mut simulator = simulator();
    let calldata = encode_verify(proof, public_inputs);
    let enough = simulator.call(&calldata, TRANSACTION_GAS_LIMIT).unwrap();
    for percent in [60, 70, 80, 90, 95, 97, 99] {
        let limit = enough.transaction_gas * percent / 100;
        if limit <= enough.floor_gas {
            continue;
        }
        let outcome = simulator.call(&calldata, limit).unwrap().outcome;
        assert!(!outcome.is_accepted(), "{percent}%: {outcome}");
        assert_ne!(
            outcome.reason().and_then(|reason| reason.rejection()),
            Some(Rejection::InvalidProof),
            "{percent}%"
        );
    }
}

#[test]
fn the_embedded_chain_has_osaka_rules() {
    let mut simulator = simulator();
    // EIP-7825: no transaction asks for more than 2^24 gas.
    let error = simulator.call(&[], TRANSACTION_GAS_LIMIT + 1).unwrap_err();
    assert!(matches!(error, EvmError::TransactionRefused { .. }), "{error}");
    // EIP-7623: 4,000 bytes that are not zero and do nothing cost their floor.
    let report = simulator.call(&[0xff; 4_000], TRANSACTION_GAS_LIMIT).unwrap();
    assert_eq!(report.floor_gas, 21_000 + 40 * 4_000);
    assert_eq!(report.transaction_gas, report.floor_gas);
    // EIP-170, and EIP-7939: CLZ exists. PUSH2 24577 PUSH0 RETURN; PUSH1 1 CLZ POP STOP.
    let large = Simulator::deploy_code(&[0x61, 0x60, 0x01, 0x5f, 0xf3]).unwrap_err();
    assert!(large.to_string().contains("CreateContractSizeLimit"), "{large}");
    Simulator::deploy_code(&[0x60, 0x01, 0x1e, 0x50, 0x00]).unwrap();
}

#[test]
fn dirty_memory_changes_nothing() {
    let Fixture {
        model,
        source,
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let dirty = dirty(source);
    let build = build_verified(&dirty, &fixture().known, &SolcChoice::default()).unwrap();
    let mut simulator = Simulator::deploy(&build.compiled).unwrap();
    assert!(simulator.verify(proof, public_inputs).unwrap().outcome.is_accepted());
    let other = model.prove(9, 9, 9);
    assert!(
        !simulator
            .verify(&other.proof, public_inputs)
            .unwrap()
            .outcome
            .is_accepted()
    );
}

#[test]
fn the_raw_contract_has_the_traps_and_hardening_is_cheap() {
    let Fixture {
        model,
        source,
        known: KnownProof { proof, public_inputs },
        ..
    } = fixture();
    let raw = compile_any_size(&model.raw_source(), &SolcChoice::default()).unwrap();
    let hardened = compile_any_size(source, &SolcChoice::default()).unwrap();
    let mut raw_simulator = Simulator::deploy(&raw).unwrap();
    let calldata = |inputs: &[U256]| {
        let mut calldata: Vec<u8> = inputs.iter().flat_map(|input| input.to_be_bytes::<32>()).collect();
        calldata.extend(proof);
        calldata
    };
    let honest = raw_simulator
        .call(&calldata(public_inputs), TRANSACTION_GAS_LIMIT)
        .unwrap();
    assert!(honest.outcome.is_accepted());
    // The trap itself: the raw contract accepts an alias, so this suite would notice if hardening were lost.
    let mut aliased = public_inputs.clone();
    aliased[0] += scalar_modulus();
    assert!(
        raw_simulator
            .call(&calldata(&aliased), TRANSACTION_GAS_LIMIT)
            .unwrap()
            .outcome
            .is_accepted()
    );

    let mut simulator = simulator();
    let report = simulator.verify(proof, public_inputs).unwrap();
    let figures = format!(
        "proof {} B\nraw {} B of code, execution {}\nhardened {} B of code, execution {}",
        proof.len(),
        raw.runtime_code.len(),
        honest.execution_gas,
        hardened.runtime_code.len(),
        report.execution_gas,
    );
    insta::assert_snapshot!(figures, @r"
    proof 1248 B
    raw 8916 B of code, execution 251401
    hardened 10877 B of code, execution 252156
    ");
}

#[test]
fn generation_is_reproducible() {
    let Fixture { source, build, .. } = fixture();
    let again = ToyModel::new(5).source();
    assert_eq!(source, &again);
    assert_eq!(
        compile_any_size(&again, &SolcChoice::default()).unwrap(),
        build.compiled
    );
}
