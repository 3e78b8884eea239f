//! Compact contracts: the key apart from the code, in calldata, inside the contract, and batches of proofs.

use std::sync::OnceLock;

use alloy::primitives::{Address, U256, keccak256};
use zkverdict_evm::{
    KnownProof, Outcome, Rejection, Simulator, TRANSACTION_GAS_LIMIT, VerifiedBuild, build_verified,
    encode_verify_batch, encode_verify_with, encode_verify_with_key,
};
use zkverdict_solidity::{
    ContractMetadata, SolcChoice, SolidityError, VerifierSource, WordKind,
    compact::{encode_key, generate_embedded, generate_shape, key_digest, key_init_code, shape_digest},
    compile::{CompilerSettings, compile_any_size, compile_with},
};

use crate::support::{Fixture, ToyModel, fixture, scalar_modulus};

fn source() -> VerifierSource {
    generate_shape(&fixture().model.verifying_key()).unwrap()
}

fn embedded() -> VerifierSource {
    let metadata = ContractMetadata {
        contract_name: "ToyVerifier".to_owned(),
        model: "a toy with two phases".to_owned(),
        srs: "UNSAFE development SRS".to_owned(),
        circuit_digest: [0x11; 32],
    };
    generate_embedded(&fixture().model.verifying_key(), &metadata).unwrap()
}

fn build() -> &'static VerifiedBuild {
    static BUILD: OnceLock<VerifiedBuild> = OnceLock::new();
    BUILD.get_or_init(|| build_verified(&source(), &fixture().known, &SolcChoice::default()).unwrap())
}

fn simulator() -> Simulator {
    Simulator::deploy(&build().compiled).unwrap()
}

fn rejection(outcome: &Outcome) -> Option<Rejection> {
    outcome.reason().and_then(|reason| reason.rejection())
}

/// A source whose every function finds its memory full of noise. The compiler's own zero word stays zero.
fn dirty(source: &VerifierSource) -> VerifierSource {
    let start = "        uint256 free;\n";
    assert_eq!(source.source.matches(start).count(), 1);
    let brutal = "        assembly (\"memory-safe\") {\n            mstore(0x00, not(0))\n            mstore(0x20, not(1))\n            \
                  for { let p := mload(0x40) } lt(p, 0x8000) { p := add(p, 0x20) } {\n                \
                  if or(lt(p, KEY), iszero(lt(p, GENERATOR))) { mstore(p, not(p)) }\n            }\n        }\n";
    VerifierSource {
        source: source.source.replace(start, &format!("{brutal}{start}")),
        ..source.clone()
    }
}

#[test]
fn memory_may_be_dirty_and_every_compiler_setting_is_as_sound() {
    let Fixture { model, known, .. } = fixture();
    let other = model.prove(9, 9, 9);
    for source in [source(), embedded(), dirty(&source()), dirty(&embedded())] {
        for settings in [
            CompilerSettings::YulOptimizer,
            CompilerSettings::Pinned,
            CompilerSettings::OptimizerOff,
            CompilerSettings::ViaIr,
        ] {
            let compiled = compile_with(&source, &SolcChoice::default(), settings).unwrap();
            let mut simulator = Simulator::deploy(&compiled).unwrap();
            for proof in [known, &other] {
                let report = simulator.verify(&proof.proof, &proof.public_inputs).unwrap();
                assert!(report.outcome.is_accepted(), "{settings:?}: {}", report.outcome);
            }
            let outcome = simulator.verify(&other.proof, &known.public_inputs).unwrap().outcome;
            assert_eq!(
                rejection(&outcome),
                Some(Rejection::InvalidProof),
                "{settings:?}: {outcome}"
            );
            for offset in (0..known.proof.len()).step_by(32) {
                let mut forged = known.proof.clone();
                forged[offset + 31] ^= 1;
                let outcome = simulator.verify(&forged, &known.public_inputs).unwrap().outcome;
                assert!(
                    matches!(
                        rejection(&outcome),
                        Some(Rejection::InvalidProof | Rejection::MalformedInput)
                    ),
                    "{settings:?} at {offset}: {outcome}"
                );
            }
        }
    }
}

#[test]
fn the_same_shape_has_the_same_code_and_another_key() {
    let other = ToyModel::new(6);
    let (source, twin) = (source(), generate_shape(&other.verifying_key()).unwrap());
    assert_eq!(source.source, twin.source);
    assert_ne!(source.key, twin.key);
    assert_eq!(source, self::source());
    assert_eq!(
        compile_any_size(&source, &SolcChoice::default()).unwrap(),
        build().compiled
    );

    let mut simulator = simulator();
    let (known, foreign) = (&fixture().known, other.prove(1234, 11, 13));
    let outcome = simulator
        .verify(&foreign.proof, &foreign.public_inputs)
        .unwrap()
        .outcome;
    assert_eq!(rejection(&outcome), Some(Rejection::InvalidProof));
    simulator.use_key(&twin.key.unwrap()).unwrap();
    let report = simulator.verify(&foreign.proof, &foreign.public_inputs).unwrap();
    assert!(report.outcome.is_accepted());
    let outcome = simulator.verify(&known.proof, &known.public_inputs).unwrap().outcome;
    assert_eq!(rejection(&outcome), Some(Rejection::InvalidProof));
}

/// Every bit of a key counts: no single flip leaves a verifier that accepts, but for bytes that only name the format's spare
/// room.
#[test]
fn every_word_of_a_key_counts() {
    let known = &fixture().known;
    let key = build().compiled.key.clone().unwrap();
    let mut simulator = simulator();
    for offset in (0..key.len()).step_by(32) {
        for byte in [0, 17, 31] {
            // Spare bytes of the header: this toy has no powers of two.
            if offset == 32 && byte >= 6 {
                continue;
            }
            let mut forged = key.clone();
            forged[offset + byte] ^= 1;
            simulator.use_key(&forged).unwrap();
            let report = simulator.verify(&known.proof, &known.public_inputs).unwrap();
            assert!(!report.outcome.is_accepted(), "byte {byte} of the word at {offset}");
            assert!(report.transaction_gas < 1_000_000, "{} gas", report.transaction_gas);
        }
    }
}

#[test]
fn keys_that_are_none_are_refused_by_name() {
    let known = &fixture().known;
    let key = build().compiled.key.clone().unwrap();
    let mut simulator = simulator();
    let says = |simulator: &mut Simulator, key: Address| {
        let calldata = encode_verify_with(key, &known.proof, &known.public_inputs);
        let outcome = simulator.call(&calldata, TRANSACTION_GAS_LIMIT).unwrap().outcome;
        assert_eq!(rejection(&outcome), Some(Rejection::KeyRefused), "{outcome}");
        outcome.to_string()
    };
    let nobody = says(&mut simulator, Address::repeat_byte(0x77));
    assert!(nobody.contains("KeyMissing"), "{nobody}");
    let itself = simulator.address();
    assert!(says(&mut simulator, itself).contains("KeyMalformed"));

    let mut create = |code: &[u8]| {
        // The helper puts a zero byte in front; the first byte of the code is at 10.
        let mut init = key_init_code(&code[1..]);
        init[10] = code[0];
        simulator.create(&init).unwrap().0
    };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut code = [&[0], &key[..]].concat();
        change(&mut code);
        code
    };
    let short = create(&with(&|code| {
        code.pop();
    }));
    let long = create(&with(&|code| code.push(0)));
    let runnable = create(&with(&|code| code[0] = 1));
    let format = create(&with(&|code| code[33] = 2));
    let shape = create(&with(&|code| code[1] ^= 1));
    for address in [short, long, runnable, format] {
        assert!(says(&mut simulator, address).contains("KeyMalformed"));
    }
    assert!(says(&mut simulator, shape).contains("KeyShapeMismatch"));
}

#[test]
fn a_key_in_calldata_is_bound_by_its_digest() {
    let KnownProof { proof, public_inputs } = &fixture().known;
    let key = build().compiled.key.clone().unwrap();
    let digest = key_digest(&key).into();
    assert_eq!(keccak256(&key), digest);
    assert_eq!(key[..32], shape_digest(&fixture().model.verifying_key()).unwrap());
    assert_eq!(encode_key(&fixture().model.verifying_key()).unwrap(), key);
    let mut simulator = simulator();
    let mut call = |calldata: &[u8]| simulator.call(calldata, TRANSACTION_GAS_LIMIT).unwrap().outcome;
    let honest = encode_verify_with_key(digest, &key, proof, public_inputs);
    assert!(call(&honest).is_accepted());

    let mut forged = key.clone();
    forged[100] ^= 1;
    let outcome = call(&encode_verify_with_key(digest, &forged, proof, public_inputs));
    assert!(outcome.to_string().contains("KeyDigestMismatch"), "{outcome}");
    let outcome = call(&encode_verify_with_key(
        key_digest(&forged).into(),
        &forged,
        proof,
        public_inputs,
    ));
    assert!(!outcome.is_accepted());
    for length in [0, 32, key.len() - 32, key.len() + 32] {
        let mut other = key.clone();
        other.resize(length, 0);
        let outcome = call(&encode_verify_with_key(
            key_digest(&other).into(),
            &other,
            proof,
            public_inputs,
        ));
        assert!(outcome.to_string().contains("KeyMalformed"), "{length}: {outcome}");
    }
    let mut longer = honest.clone();
    longer.push(0);
    assert_eq!(rejection(&call(&longer)), Some(Rejection::MalformedInput));
    // The bodies moved by a word, the offsets with them.
    let mut moved = honest[..4 + 4 * 32].to_vec();
    for position in [36, 68, 100] {
        let offset = U256::from_be_slice(&moved[position..position + 32]) + U256::from(32);
        moved[position..position + 32].copy_from_slice(&offset.to_be_bytes::<32>());
    }
    moved.extend([0; 32]);
    moved.extend(&honest[4 + 4 * 32..]);
    assert_eq!(rejection(&call(&moved)), Some(Rejection::MalformedInput));
}

#[test]
fn a_batch_is_as_good_as_its_worst_proof() {
    let Fixture { model, source, .. } = fixture();
    let proofs: Vec<KnownProof> = (0..4).map(|index| model.prove(index, 2 + index, 3)).collect();
    let mut simulator = simulator();
    let key = simulator.key().unwrap();
    let mut call = |proofs: &[KnownProof]| {
        simulator
            .call(&encode_verify_batch(key, proofs), TRANSACTION_GAS_LIMIT)
            .unwrap()
    };
    for size in 1..=proofs.len() {
        let report = call(&proofs[..size]);
        assert!(report.outcome.is_accepted(), "{size}: {}", report.outcome);
    }
    let alone = call(&proofs[..1]).transaction_gas;
    let many = vec![proofs[0].clone(); 16];
    let together = call(&many).transaction_gas / 16;
    assert!(4 * together <= 3 * alone, "{together} of {alone} gas");

    for index in 0..proofs.len() {
        for (offset, kind) in source.layout.items() {
            let mut forged = proofs.clone();
            let proof = &mut forged[index].proof;
            if kind == WordKind::Point {
                // Another point of the curve.
                proof[offset..offset + 64].fill(0);
                proof[offset + 31] = 1;
                proof[offset + 63] = 2;
            } else {
                proof[offset + 31] ^= 1;
            }
            let outcome = call(&forged).outcome;
            assert_eq!(
                rejection(&outcome),
                Some(Rejection::InvalidProof),
                "{index} at {offset}: {outcome}"
            );
        }
        let mut forged = proofs.clone();
        forged[index].public_inputs[0] += U256::from(1);
        assert_eq!(rejection(&call(&forged).outcome), Some(Rejection::InvalidProof));
        forged[index].public_inputs[0] = scalar_modulus();
        assert_eq!(rejection(&call(&forged).outcome), Some(Rejection::MalformedInput));
        let mut short = proofs.clone();
        short[index].proof.truncate(32);
        assert_eq!(rejection(&call(&short).outcome), Some(Rejection::MalformedInput));
    }
    // Errors that would cancel in a plain sum: the last points of two proofs exchanged.
    let mut exchanged = proofs.clone();
    let last = proofs[0].proof.len() - 64;
    for (to, from) in [(0, 1), (1, 0)] {
        exchanged[to].proof[last..].copy_from_slice(&proofs[from].proof[last..]);
    }
    assert_eq!(rejection(&call(&exchanged).outcome), Some(Rejection::InvalidProof));
    assert_eq!(rejection(&call(&[]).outcome), Some(Rejection::KeyRefused));

    let honest = encode_verify_batch(key, &proofs);
    let mut longer = honest.clone();
    longer.push(0);
    let outcome = simulator.call(&longer, TRANSACTION_GAS_LIMIT).unwrap().outcome;
    assert_eq!(rejection(&outcome), Some(Rejection::MalformedInput));
    // Both items of the list of proofs at the same place.
    let mut doubled = honest;
    let first = 4 + 3 * 32 + 32;
    let offset: [u8; 32] = doubled[first..first + 32].try_into().unwrap();
    doubled[first + 32..first + 64].copy_from_slice(&offset);
    let outcome = simulator.call(&doubled, TRANSACTION_GAS_LIMIT).unwrap().outcome;
    assert_eq!(rejection(&outcome), Some(Rejection::MalformedInput), "{outcome}");
}

#[test]
fn little_gas_never_accepts() {
    let KnownProof { proof, public_inputs } = &fixture().known;
    let mut simulator = simulator();
    let calldata = encode_verify_with(simulator.key().unwrap(), proof, public_inputs);
    let enough = simulator.call(&calldata, TRANSACTION_GAS_LIMIT).unwrap();
    for percent in 25..100 {
        let limit = enough.transaction_gas * percent / 100;
        if limit <= enough.floor_gas {
            continue;
        }
        let outcome = simulator.call(&calldata, limit).unwrap().outcome;
        assert!(!outcome.is_accepted(), "{percent}%: {outcome}");
        assert_ne!(rejection(&outcome), Some(Rejection::InvalidProof), "{percent}%");
    }
}

#[test]
fn protocols_that_do_not_fit_are_refused() {
    let mut key = fixture().model.verifying_key();
    key.protocol.quotient.chunk_degree = 2;
    assert!(matches!(
        generate_shape(&key),
        Err(SolidityError::UnsupportedProtocol { .. })
    ));
    let mut key = fixture().model.verifying_key();
    key.protocol.evaluations.pop();
    assert!(matches!(
        generate_shape(&key),
        Err(SolidityError::UnsupportedProtocol { .. })
    ));
    let mut key = fixture().model.verifying_key();
    key.protocol.num_witness.pop();
    assert!(matches!(
        generate_shape(&key),
        Err(SolidityError::UnsupportedProtocol { .. })
    ));
}

#[test]
fn compact_contracts_are_smaller_and_cheaper() {
    let reference = &fixture().build;
    let embedded = build_verified(&embedded(), &fixture().known, &SolcChoice::default()).unwrap();
    for build in [build(), &embedded] {
        assert!(3 * build.deployment.code_bytes < 2 * reference.deployment.code_bytes);
        assert!(build.verification.execution_gas < reference.verification.execution_gas);
    }
}
