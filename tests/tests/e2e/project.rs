//! The Foundry project around a contract, as its user meets it: `forge test` in a new folder.

use std::{fs, path::Path, process::Command};

use alloy::{
    primitives::{Address, U256, address, keccak256},
    sol_types::SolValue,
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use zkverdict::{
    CompileOptions, ContractFile, Error, FoundryProject, Proof, Style,
    circuits::{PublicInputs, Visibility},
    compile,
    solidity::{SolcChoice, find_program, find_solc},
};

use crate::support::{Example, Keyed, Pipeline, has_solc, report};

/// Where forge deploys test contracts, and the chain that it says it is.
const TEST: Address = address!("7FA9385bE102ac3EAc297483Dd6233D62b3e1496");
const CHAIN: u64 = 31_337;

/// solc and forge, or a line that says what is missing.
fn has_tools() -> bool {
    let forge = find_program("forge", "ZKVERDICT_FORGE").is_some();
    if !forge {
        report!("skipped: no forge is installed; run scripts/tools/install");
    }
    has_solc() && forge
}

/// Runs `forge test` in a folder, and returns how many tests passed.
fn forge_test(folder: &Path) -> usize {
    let forge = find_program("forge", "ZKVERDICT_FORGE").unwrap();
    let solc = find_solc(&SolcChoice::default()).unwrap();
    let run = Command::new(forge)
        .args(["test", "--offline", "--fuzz-runs", "64", "--root"])
        .arg(folder)
        .arg("--use")
        .arg(&solc.solc)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    text.lines().filter(|line| line.starts_with("[PASS]")).count()
}

/// `VerdictContext` for a test contract that asks a consumer about itself for the first time.
fn context(consumer: Address) -> Fr {
    let type_hash = keccak256(
        "VerdictContext(uint256 chainId,address verifyingContract,address caller,bytes32 subject,uint256 nonce)",
    );
    let words = (
        type_hash,
        U256::from(CHAIN),
        consumer,
        TEST,
        TEST.into_word(),
        U256::ZERO,
    );
    let context: U256 = U256::from_be_bytes(keccak256(words.abi_encode()).0) >> 3;
    Fr::from_repr(context.to_le_bytes::<32>()).unwrap()
}

/// A test of the one thing that the project's own cannot show: a proof made for the consumer.
fn test_of_a_proof_for_the_consumer(proof: &Proof) -> String {
    let assignments: String = proof
        .words()
        .iter()
        .enumerate()
        .map(|(index, word)| format!("        publicInputs[{index}] = {word:#x};\n"))
        .collect();
    format!(
        r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {{Consumer}} from "../src/Consumer.sol";
import {{IVerdictVerifier, Verifier}} from "../src/Verifier.sol";

contract DecideTest {{
    function test_aProofForTheConsumerCountsOnce() public {{
        Consumer consumer = new Consumer(IVerdictVerifier(address(new Verifier())));
        uint256[] memory publicInputs = new uint256[]({count});
{assignments}        require(consumer.contextOf(address(this)) == bytes32(publicInputs[0]), "another context");
        bytes memory call = abi.encodeCall(consumer.decide, (hex"{proof}", publicInputs));
        publicInputs[{last}] ^= 1;
        (bool success,) = address(consumer).call(abi.encodeCall(consumer.decide, (hex"{proof}", publicInputs)));
        require(!success, "a forgery was accepted");
        (success,) = address(consumer).call(call);
        require(success && consumer.nonces(address(this)) == 1, "refused");
        (success,) = address(consumer).call(call);
        require(!success, "accepted twice");
    }}

    function test_anotherModelsVerifierIsRefused() public {{
        try new Consumer(IVerdictVerifier(address(this))) {{
            revert("accepted");
        }} catch (bytes memory reason) {{
            require(bytes4(reason) == Consumer.AnotherVerifier.selector, "another reason");
        }}
    }}

    function VERIFYING_KEY_DIGEST() external pure returns (bytes32) {{
        return bytes32(uint256(1));
    }}
}}
"#,
        count = proof.public_inputs.len(),
        last = proof.public_inputs.len() - 1,
        proof = hex(&proof.proof),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The contract that holds its key.
fn embedded(keyed: &Keyed, style: Style) -> ContractFile {
    ContractFile::build(&keyed.keys.verifying, "Verifier", style, &SolcChoice::default()).unwrap()
}

/// Writes the project, adds the test above, and runs all of it.
fn accepts_as_it_is(keyed: &Keyed, style: Style) {
    let folder = tempfile::tempdir().unwrap();
    let contract = embedded(keyed, style);
    let project = FoundryProject::new(&contract, &keyed.keys.verifying).unwrap();
    project.write(folder.path()).unwrap();
    assert_eq!(forge_test(folder.path()), 5);
    let built = fs::read_to_string(folder.path().join("out/Verifier.sol/Verifier.json")).unwrap();
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    let artifact = format!("0x{}", hex(&contract.build.compiled.init_code));
    assert_eq!(
        built["bytecode"]["object"], artifact,
        "other bytecode than the artifact's"
    );

    // The test contract's first creation is the verifier, its second the consumer.
    let proof = keyed.prove_with(context(TEST.create(2)));
    fs::write(
        folder.path().join("test/Decide.t.sol"),
        test_of_a_proof_for_the_consumer(&proof),
    )
    .unwrap();
    assert_eq!(forge_test(folder.path()), 7);
}

#[test]
fn forge_accepts_the_project_of_a_model_with_private_inputs() {
    if has_tools() {
        accepts_as_it_is(Example::CreditLogreg.keyed(), Style::Embedded);
    }
}

#[test]
fn forge_accepts_the_project_of_a_model_with_public_inputs() {
    if !has_tools() {
        return;
    }
    let Pipeline { model, calibration, .. } = Example::DiagnosisLogreg.pipeline().clone();
    let options = CompileOptions {
        public: PublicInputs {
            inputs: Visibility::Public,
            ..PublicInputs::default()
        },
        ..CompileOptions::default()
    };
    let planned = compile(&model, &calibration, &options).unwrap();
    let sample = model
        .samples(&Example::DiagnosisLogreg.borderline(), &[])
        .unwrap()
        .remove(0);
    let keyed = Keyed::new(
        Pipeline {
            model,
            calibration,
            planned,
        },
        sample,
    );
    accepts_as_it_is(&keyed, Style::Reference);
}

#[test]
fn nothing_that_is_there_is_written_over() {
    if !has_solc() {
        return;
    }
    let keyed = Example::CreditLogreg.keyed();
    let project = FoundryProject::new(&embedded(keyed, Style::Embedded), &keyed.keys.verifying).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let readme = folder.path().join("README.md");
    fs::write(&readme, "mine").unwrap();
    assert!(matches!(project.write(folder.path()), Err(Error::InTheWay { path }) if path == readme));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&readme).unwrap(), "mine");
}

#[test]
fn a_contract_of_another_key_gets_no_project() {
    if !has_solc() {
        return;
    }
    let keyed = Example::CreditLogreg.keyed();
    assert!(matches!(
        FoundryProject::new(keyed.contract(), &keyed.keys.verifying),
        Err(Error::SharedContract)
    ));
    let contract = &embedded(keyed, Style::Embedded);
    let other = &Example::DiagnosisLogreg.keyed().keys.verifying;
    assert!(matches!(
        FoundryProject::new(contract, other),
        Err(Error::OtherContract { .. })
    ));
}
