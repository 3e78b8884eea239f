//! The fixture of the forge tests: the toy verifier's bytecode and a proof for it, as one JSON file.
//!
//! It is committed, so that forge needs nothing but the clone. `ZKVERDICT_BLESS=1` rewrites it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use zkverdict_evm::{KnownProof, Simulator};
use zkverdict_solidity::{
    SolcChoice, VerifierSource, WordKind,
    compact::{encode_key, generate_shape, key_digest},
    compile,
};

use crate::support::{Fixture, ToyModel, fixture};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../contracts/fixtures")
}

/// The contract with a loop in front that fills the memory with noise.
pub(crate) fn dirty(source: &VerifierSource) -> VerifierSource {
    let start = "            let success := 1\n";
    assert_eq!(source.source.matches(start).count(), 1);
    let brutal = format!(
        "            mstore(0x00, not(0)) mstore(0x20, not(1))\n            \
         for {{ let p := 0x80 }} lt(p, 0x8000) {{ p := add(p, 0x20) }} {{ mstore(p, not(p)) }}\n{start}"
    );
    VerifierSource {
        source: source.source.replace(start, &brutal),
        ..source.clone()
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[test]
fn the_forge_fixture_is_current() {
    let fixture = fixture();
    let KnownProof { proof, public_inputs } = &fixture.known;
    let points: Vec<usize> = fixture
        .source
        .layout
        .items()
        .filter(|(_, kind)| *kind == WordKind::Point)
        .map(|(offset, _)| offset)
        .collect();
    let dirty = compile(&dirty(&fixture.source), &SolcChoice::default()).unwrap();
    let current = json!({
        "initCode": hexadecimal(&fixture.build.compiled.init_code),
        "dirtyInitCode": hexadecimal(&dirty.init_code),
        "proof": hexadecimal(proof),
        "publicInputs": public_inputs.iter().map(|input| format!("{input:#066x}")).collect::<Vec<_>>(),
        "pointOffsets": points,
    });
    let (json_path, source_path) = (folder().join("toy.json"), folder().join("ToyVerifier.sol.txt"));
    if std::env::var_os("ZKVERDICT_BLESS").is_some() {
        fs::write(&json_path, format!("{current:#}\n")).unwrap();
        fs::write(&source_path, &fixture.source.source).unwrap();
    }
    let committed: Value = serde_json::from_str(&fs::read_to_string(&json_path).unwrap()).unwrap();
    let remedy = "the forge fixture is stale; run the test again with ZKVERDICT_BLESS=1";
    for field in ["initCode", "dirtyInitCode", "publicInputs", "pointOffsets"] {
        assert!(committed[field] == current[field], "{field}: {remedy}");
    }
    assert!(
        fs::read_to_string(&source_path).unwrap() == fixture.source.source,
        "{remedy}"
    );
    // The proof's blinding is random, so what counts is that the committed one is valid.
    let committed_proof = hex::decode(committed["proof"].as_str().unwrap().trim_start_matches("0x")).unwrap();
    let mut simulator = Simulator::deploy(&fixture.build.compiled).unwrap();
    assert!(
        simulator
            .verify(&committed_proof, public_inputs)
            .unwrap()
            .outcome
            .is_accepted(),
        "{remedy}"
    );
}

/// The toy's verifier of its shape, two keys, and proofs under the first one: what contracts that use shape verifiers are
/// tested with.
#[test]
fn the_forge_fixture_of_shapes_is_current() {
    let Fixture { model, known, .. } = fixture();
    let source = generate_shape(&model.verifying_key()).unwrap();
    let compiled = compile(&source, &SolcChoice::default()).unwrap();
    let key = compiled.key.clone().unwrap();
    // The other model of the proofs in `inferences.json`.
    let other_key = encode_key(&ToyModel::new(7).verifying_key()).unwrap();
    let second = model.prove(4321, 7, 9);
    let words = |proof: &KnownProof| -> Vec<String> {
        proof
            .public_inputs
            .iter()
            .map(|input| format!("{input:#066x}"))
            .collect()
    };
    let current = json!({
        "initCode": hexadecimal(&compiled.init_code),
        "key": hexadecimal(&key),
        "keyDigest": hexadecimal(&key_digest(&key)),
        "otherKey": hexadecimal(&other_key),
        "proofs": [hexadecimal(&known.proof), hexadecimal(&second.proof)],
        "publicInputs": [words(known), words(&second)],
    });
    let (json_path, source_path) = (
        folder().join("toy-shape.json"),
        folder().join("ToyShapeVerifier.sol.txt"),
    );
    if std::env::var_os("ZKVERDICT_BLESS").is_some() {
        fs::write(&json_path, format!("{current:#}\n")).unwrap();
        fs::write(&source_path, &source.source).unwrap();
    }
    let committed: Value = serde_json::from_str(&fs::read_to_string(&json_path).unwrap()).unwrap();
    let remedy = "the forge fixture is stale; run the test again with ZKVERDICT_BLESS=1";
    for field in ["initCode", "key", "keyDigest", "otherKey", "publicInputs"] {
        assert!(committed[field] == current[field], "{field}: {remedy}");
    }
    assert!(fs::read_to_string(&source_path).unwrap() == source.source, "{remedy}");
    // The proofs' blinding is random, so what counts is that the committed ones are valid.
    let mut simulator = Simulator::deploy(&compiled).unwrap();
    for (proof, inputs) in [(0, known), (1, &second)] {
        let text = committed["proofs"][proof].as_str().unwrap();
        let proof = hex::decode(text.trim_start_matches("0x")).unwrap();
        let report = simulator.verify(&proof, &inputs.public_inputs).unwrap();
        assert!(report.outcome.is_accepted(), "{remedy}");
    }
}
