//! The fixture of the wrappers' forge tests: proofs for the contexts that `VerdictContext` asks for.
//!
//! Contracts stand at the addresses where one deployer's transactions put them, so the contexts are known beforehand.
//! `ZKVERDICT_BLESS=1` rewrites the file; nothing here depends on the contracts' code.

use std::fs;

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol,
    sol_types::SolValue,
};
use serde_json::{Map, Value, json};
use zkverdict_evm::KnownProof;
use zkverdict_solidity::{SolcChoice, compile};

use crate::{
    fixture::{folder, hexadecimal},
    support::{ToyModel, fixture},
};

sol! {
    struct Claim {
        uint256 modelId;
        uint256 version;
        bytes32 inputCommitment;
        bytes output;
        bytes32 salt;
    }
}

/// The chain that forge's tests run on.
const CHAIN: u64 = 31_337;
/// The accounts of the tests, and in which order the deployer creates the contracts.
const DEPLOYER: Address = Address::with_last_byte(0xd0);
const ALICE: Address = Address::with_last_byte(0xa1);
const BOB: Address = Address::with_last_byte(0xb0);
const INFERENCE: u64 = 2;
const CREDIT_LINE: u64 = 3;
const ADAPTER: u64 = 5;
const REENTRANT: u64 = 6;
const AUDITS: u64 = 9;
/// The hash of the block that the audits' seeds follow from, as the tests set it.
const SEED_BLOCK: B256 = B256::repeat_byte(0xbb);

/// `VerdictContext.compute`, in the inference verifier.
fn context(caller: Address, subject: B256, nonce: u64) -> U256 {
    context_at(caller, subject, U256::from(nonce))
}

/// `VerdictContext.computeKept`, for callers who keep count themselves.
fn kept_context(caller: Address, subject: B256, nonce: u64) -> U256 {
    context_at(caller, subject, (U256::from(1) << 128) + U256::from(nonce))
}

fn context_at(caller: Address, subject: B256, nonce: U256) -> U256 {
    let type_hash = keccak256(
        "VerdictContext(uint256 chainId,address verifyingContract,address caller,bytes32 subject,uint256 nonce)",
    );
    let words = (
        type_hash,
        U256::from(CHAIN),
        DEPLOYER.create(INFERENCE),
        caller,
        subject,
        nonce,
    );
    U256::from_be_bytes(keccak256(words.abi_encode()).0) >> 3
}

/// What an ERC-8004 agent claims: that the model of private inputs gives 11 and 715.
fn claim() -> Claim {
    Claim {
        modelId: U256::from(1),
        version: U256::from(1),
        inputCommitment: B256::ZERO,
        output: Bytes::from(vec![U256::from(11), U256::from(715)].abi_encode()),
        salt: B256::repeat_byte(0x5a),
    }
}

fn request_hash() -> B256 {
    keccak256((U256::from(CHAIN), DEPLOYER.create(ADAPTER), claim()).abi_encode_params())
}

/// `AuditRegistry.contextOf`, of an audit and a chunk of its data set.
fn audit_context(audit: u64, seed_block: B256, chunk: u64) -> U256 {
    let audit = U256::from(audit);
    let seed = keccak256((seed_block, audit).abi_encode());
    context(DEPLOYER.create(AUDITS), keccak256((audit, seed).abi_encode()), chunk)
}

/// Name, model, context, and the toy's two inputs: `a` and `weight·a·b` are public.
fn statements<'a>(toy: &'a ToyModel, other: &'a ToyModel) -> Vec<(String, &'a ToyModel, U256, u64, u64)> {
    let [alice, bob, reentrant] = [ALICE, BOB, DEPLOYER.create(REENTRANT)].map(|account| account.into_word());
    let credit_line = DEPLOYER.create(CREDIT_LINE);
    let mut statements = vec![
        ("otherKey".to_owned(), other, context(ALICE, alice, 0), 11, 13),
        ("rejected".to_owned(), toy, kept_context(credit_line, alice, 0), 5, 13),
        (
            "reentrant".to_owned(),
            toy,
            kept_context(credit_line, reentrant, 0),
            11,
            13,
        ),
        (
            "claim".to_owned(),
            toy,
            context(DEPLOYER.create(ADAPTER), request_hash(), 0),
            11,
            13,
        ),
    ];
    // Audits: `a` is the root of a chunk, the product what is stated of it.
    for chunk in 0..3 {
        let context = audit_context(1, SEED_BLOCK, chunk);
        statements.push((format!("audit{chunk}"), toy, context, 11 + chunk, 13));
    }
    statements.extend([
        (
            "auditOtherModel".to_owned(),
            other,
            audit_context(1, SEED_BLOCK, 0),
            11,
            13,
        ),
        (
            "auditOtherData".to_owned(),
            toy,
            audit_context(1, SEED_BLOCK, 0),
            10,
            13,
        ),
        (
            "auditOtherSeed".to_owned(),
            toy,
            audit_context(1, B256::ZERO, 0),
            11,
            13,
        ),
        ("auditOther".to_owned(), toy, audit_context(2, SEED_BLOCK, 0), 11, 13),
    ]);
    for nonce in 0..2 {
        statements.push((format!("direct{nonce}"), toy, context(ALICE, alice, nonce), 11, 13));
    }
    statements.push(("kept7".to_owned(), toy, kept_context(ALICE, alice, 7), 11, 13));
    for (name, subject) in [("alice", alice), ("bob", bob)] {
        for nonce in 0..3 {
            let context = kept_context(credit_line, subject, nonce);
            statements.push((format!("{name}{nonce}"), toy, context, 11 + nonce, 13));
        }
    }
    statements
}

#[test]
fn the_proofs_of_the_forge_tests_are_current() {
    let toy = &fixture().model;
    let other = ToyModel::new(7);
    let compiled = compile(&other.source(), &SolcChoice::default()).unwrap();
    let statements = statements(toy, &other);
    let path = folder().join("inferences.json");
    let remedy = "the forge fixture is stale; run the test again with ZKVERDICT_BLESS=1";

    if std::env::var_os("ZKVERDICT_BLESS").is_some() {
        let proofs: Map<String, Value> = statements
            .iter()
            .map(|(name, model, context, a, b)| {
                let KnownProof { proof, public_inputs } = model.prove_in(*context, *a, *b);
                let words: Vec<String> = public_inputs.iter().map(|input| format!("{input:#066x}")).collect();
                (
                    name.clone(),
                    json!({ "proof": hexadecimal(&proof), "publicInputs": words }),
                )
            })
            .collect();
        let fixture = json!({
            "otherInitCode": hexadecimal(&compiled.init_code),
            "deployer": DEPLOYER, "alice": ALICE, "bob": BOB,
            "inference": DEPLOYER.create(INFERENCE),
            "creditLine": DEPLOYER.create(CREDIT_LINE),
            "adapter": DEPLOYER.create(ADAPTER),
            "reentrant": DEPLOYER.create(REENTRANT),
            "audits": DEPLOYER.create(AUDITS),
            "seedBlock": SEED_BLOCK,
            "requestHash": request_hash(),
            "proofs": proofs,
        });
        fs::write(&path, format!("{fixture:#}\n")).unwrap();
    }

    let committed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(
        committed["otherInitCode"] == hexadecimal(&compiled.init_code),
        "otherInitCode: {remedy}"
    );
    assert!(
        committed["requestHash"] == json!(request_hash()),
        "requestHash: {remedy}"
    );
    let proofs = committed["proofs"].as_object().unwrap();
    assert_eq!(proofs.len(), statements.len(), "{remedy}");
    // The proofs' blinding is random, so what counts is that the committed ones are valid.
    for (name, model, context, a, b) in &statements {
        let weight = if std::ptr::eq(*model, toy) { 5 } else { 7 };
        let statement = [*context, U256::from(*a), U256::from(weight * a * b)];
        let words = statement.map(|input| format!("{input:#066x}"));
        assert_eq!(proofs[name]["publicInputs"], json!(words), "{name}: {remedy}");
        let proof = hex::decode(proofs[name]["proof"].as_str().unwrap().trim_start_matches("0x")).unwrap();
        assert!(model.native_accepts(&proof, &statement), "{name}: {remedy}");
    }
}
