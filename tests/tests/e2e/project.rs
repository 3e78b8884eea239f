//! The Foundry project around a contract, as its user meets it: `forge test` in a new folder.

use std::{fs, path::Path, process::Command};

use alloy::{
    primitives::{Address, U256, address, keccak256},
    sol_types::SolValue,
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use zkverdict::{
    CalibrationFile, CircuitFile, CompileOptions, ContractFile, Error, FormatRule, FoundryProject, Keys, Proof, Style,
    circuits::{PublicInputs, Visibility},
    compile, compile_audit,
    evm::{Anvil, AnvilOptions, DeployRequest, Deployed, Placement, SendOptions, SrsPolicy, block_on, deploy},
    models::{Calibration, ReasonsRequest},
    solidity::{SolcChoice, find_program, find_solc},
};

use crate::{
    audits::{by_age, credit},
    support::{Example, Keyed, Pipeline, Sample, development_srs, has_solc, report},
};

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
fn test_of_a_proof_for_the_consumer(proof: &Proof, style: Style) -> String {
    let (interface, verifier, imports, create_key, key, wrong, refusal) = match style {
        Style::Compact => (
            "IShapeVerifier",
            "ShapeVerifier",
            "import {Key} from \"../src/Key.sol\";",
            "bytes memory initCode = Key.INIT_CODE;
        address key;
        assembly (\"memory-safe\") { key := create(0, add(initCode, 0x20), mload(initCode)) }",
            ", key",
            "IShapeVerifier(address(new ShapeVerifier())), address(this)",
            "AnotherKey",
        ),
        _ => (
            "IVerdictVerifier",
            "Verifier",
            "",
            "",
            "",
            "IVerdictVerifier(address(this))",
            "AnotherVerifier",
        ),
    };
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
import {{{interface}, {verifier}}} from "../src/{verifier}.sol";
{imports}

contract DecideTest {{
    function test_aProofForTheConsumerCountsOnce() public {{
        {interface} verifier = {interface}(address(new {verifier}()));
        {create_key}
        Consumer consumer = new Consumer(verifier{key});
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
        try new Consumer({wrong}) {{
            revert("accepted");
        }} catch (bytes memory reason) {{
            require(bytes4(reason) == Consumer.{refusal}.selector, "another reason");
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

/// The contract of a style.
fn built(keyed: &Keyed, style: Style) -> ContractFile {
    ContractFile::build(&keyed.keys.verifying, "Verifier", style, &SolcChoice::default()).unwrap()
}

/// Writes the project, adds the test above, and runs all of it.
fn accepts_as_it_is(keyed: &Keyed, style: Style) {
    let folder = tempfile::tempdir().unwrap();
    let contract = built(keyed, style);
    let project = FoundryProject::new(&contract, &keyed.keys.verifying).unwrap();
    project.write(folder.path()).unwrap();
    assert_eq!(forge_test(folder.path()), 5);
    let verifier = &contract.build.compiled.contract_name;
    let built = fs::read_to_string(folder.path().join(format!("out/{verifier}.sol/{verifier}.json"))).unwrap();
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    let artifact = format!("0x{}", hex(&contract.build.compiled.init_code));
    assert_eq!(
        built["bytecode"]["object"], artifact,
        "other bytecode than the artifact's"
    );

    // The test contract creates the verifier first, the consumer last, and the key, if there is one, between them.
    let creations = if style == Style::Compact { 3 } else { 2 };
    let proof = keyed.prove_with(context(TEST.create(creations)));
    fs::write(
        folder.path().join("test/Decide.t.sol"),
        test_of_a_proof_for_the_consumer(&proof, style),
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
fn forge_accepts_the_project_of_a_shape_and_a_key() {
    if has_tools() {
        accepts_as_it_is(Example::CreditLogreg.keyed(), Style::Compact);
    }
}

/// The project's script and `zkverdict deploy` put verifier and key at the same addresses: after the one, the other finds
/// both of them there.
#[test]
fn the_script_deploys_where_deploy_does() {
    if !has_tools() || find_program("anvil", "ZKVERDICT_ANVIL").is_none() {
        return;
    }
    let keyed = Example::CreditLogreg.keyed();
    let folder = tempfile::tempdir().unwrap();
    let contract = keyed.contract();
    FoundryProject::new(contract, &keyed.keys.verifying)
        .unwrap()
        .write(folder.path())
        .unwrap();
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let solc = find_solc(&SolcChoice::default()).unwrap();
    let run = Command::new(find_program("forge", "ZKVERDICT_FORGE").unwrap())
        .args(["script", "script/Deploy.s.sol", "--broadcast", "--offline", "--rpc-url", &anvil.endpoint()])
        // anvil's first account, which every anvil has.
        .args([
            "--private-key",
            "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        ])
        .arg("--use")
        .arg(&solc.solc)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));

    let requests = DeployRequest::all(&contract.build.compiled, Placement::default());
    let policy = SrsPolicy {
        srs_is_unsafe: true,
        allow_unsafe_srs: false,
    };
    let key = anvil.key(0).unwrap();
    let (target, options) = (anvil.target(), SendOptions::default());
    let deployed = block_on(deploy(&target, key, &requests, policy, &options, &mut ())).unwrap();
    assert_eq!(deployed.len(), 2);
    for (deployed, request) in deployed.iter().zip(&requests) {
        assert!(matches!(deployed, Deployed::Before { .. }), "{deployed:?}");
        assert_eq!(Some(deployed.address()), request.address());
        assert!(text.contains(&deployed.address().to_string()), "{text}");
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

/// The project of a circuit, whose consumer has these lines, and a proof of a sample in it.
fn accepts_circuit(circuit: CircuitFile, sample: Sample, says: &[&str]) {
    let keys = Keys::generate(&circuit, &development_srs(circuit.plan.k)).unwrap();
    let contract = ContractFile::build(&keys.verifying, "Verifier", Style::Compact, &SolcChoice::default()).unwrap();
    let project = FoundryProject::new(&contract, &keys.verifying).unwrap();
    let folder = tempfile::tempdir().unwrap();
    project.write(folder.path()).unwrap();
    let consumer = fs::read_to_string(folder.path().join("src/Consumer.sol")).unwrap();
    for line in says {
        assert!(consumer.contains(line), "{line} is not in {consumer}");
    }
    assert_eq!(forge_test(folder.path()), 5);
    // The known proof of the project is of zeros; this one is of what the model was asked.
    let (proof, _) = zkverdict::prove(&circuit, &keys.proving, &sample, context(TEST.create(3))).unwrap();
    fs::write(
        folder.path().join("test/Decide.t.sol"),
        test_of_a_proof_for_the_consumer(&proof, Style::Compact),
    )
    .unwrap();
    assert_eq!(forge_test(folder.path()), 7);
}

/// Counts, claims, and the names of what they are about: none of them is an identifier of Solidity.
#[test]
fn forge_accepts_the_projects_of_audits() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = credit(8, &folder);
    let pipeline = Example::CreditLogreg.pipeline();
    let options = CompileOptions {
        limb_bits: Some(8),
        ..CompileOptions::default()
    };
    let counts = [
        "// The output \"true positives\", of age_in_years < 26, and of age_in_years >= 26.",
        "uint256[2] true_positives;",
        "uint256 correct;",
        "uint256 data_root;",
    ];
    let claims = [
        "bool accuracy__0_7;",
        "bool four_fifths;",
        "bool parity__0_1;",
        "uint256 rows;",
    ];
    for (asked, says) in [
        (&[][..], counts),
        (&["accuracy>=0.7", "four-fifths", "parity<=0.1"], claims),
    ] {
        let audit = by_age(asked);
        let planned = compile_audit(&pipeline.model, &pipeline.calibration, &options, &table, &audit).unwrap();
        let sample = planned.file.samples(&table, &[]).unwrap().remove(0);
        accepts_circuit(planned.file, sample, &says);
    }
}

#[test]
fn forge_accepts_the_project_of_a_model_with_reasons() {
    if !has_tools() {
        return;
    }
    let model = &Example::CreditLogreg.pipeline().model;
    let folder = Example::CreditLogreg.folder();
    let samples = model.samples(&folder.join("calibration.json"), &[]).unwrap();
    let asked = ReasonsRequest {
        count: 3,
        // What has to be escaped in literals.
        names: Some((0..17).map(|feature| format!("the \"{feature}\" \\ é")).collect()),
        ..ReasonsRequest::default()
    };
    let margin = Calibration::DEFAULT_MARGIN;
    let calibration =
        CalibrationFile::measure_with_reasons(model, &samples, margin, FormatRule::Fitted, &asked).unwrap();
    let circuit = compile(model, &calibration, &CompileOptions::default()).unwrap().file;
    let sample = model
        .samples(&folder.join("applicants/rejected.json"), &[])
        .unwrap()
        .remove(0);
    let says = ["string[3] reasons;", "int256[3] contributions;"];
    accepts_circuit(circuit, sample, &says);
}

#[test]
fn nothing_that_is_there_is_written_over() {
    if !has_solc() {
        return;
    }
    let keyed = Example::CreditLogreg.keyed();
    let project = FoundryProject::new(&built(keyed, Style::Embedded), &keyed.keys.verifying).unwrap();
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
    let contract = &built(keyed, Style::Embedded);
    let other = &Example::DiagnosisLogreg.keyed().keys.verifying;
    assert!(matches!(
        FoundryProject::new(contract, other),
        Err(Error::OtherContract { .. })
    ));
}
