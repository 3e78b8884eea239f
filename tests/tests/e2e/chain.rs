//! The real model's contract: on revm, and on a real anvil.

use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict::{
    Proof,
    evm::{
        Address, Anvil, AnvilOptions, ChainTarget, DeployReceipt, EvmError, KeyContract, Rejection, SendOptions,
        Simulator, SrsPolicy, SubmitRequest, U256, block_on, code_hash, deploy, dry_run, key_code_hash, submit,
    },
    solidity::find_program,
};

use crate::support::{Example, Keyed, has_solc, report};

const EXAMPLE: Example = Example::CreditLogreg;
/// The most that a verifying transaction of a narrow shape may cost.
const MAX_GAS: u64 = 380_000;
/// The same of a shape with trees.
const MAX_GAS_OF_TREES: u64 = 420_000;

/// solc and anvil, or a line that says what is missing.
fn has_tools() -> bool {
    let anvil = find_program("anvil", "ZKVERDICT_ANVIL").is_some();
    if !anvil {
        report!("skipped: no anvil is installed; run scripts/tools/install");
    }
    has_solc() && anvil
}

fn policy(keyed: &Keyed) -> SrsPolicy {
    SrsPolicy {
        srs_is_unsafe: keyed.contract().unsafe_srs,
        allow_unsafe_srs: false,
    }
}

fn request(keyed: &Keyed, deployed: &DeployReceipt, proof: &Proof) -> SubmitRequest {
    let compiled = &keyed.contract().build.compiled;
    SubmitRequest {
        address: deployed.address,
        key: deployed
            .key
            .as_ref()
            .zip(compiled.key.as_ref())
            .map(|(key, bytes)| KeyContract {
                address: key.address,
                code_hash: key_code_hash(bytes),
            }),
        proof: proof.proof.clone(),
        public_inputs: proof.words(),
        expected_code_hash: Some(code_hash(compiled)),
    }
}

#[test]
fn the_simulator_and_the_planner_agree_on_every_example() {
    if !has_solc() {
        return;
    }
    for (example, max_gas) in [
        (Example::CreditLogreg, MAX_GAS),
        (Example::CreditGbdt, MAX_GAS_OF_TREES),
        (Example::DiagnosisMlp, MAX_GAS),
    ] {
        let keyed = example.keyed();
        let contract = keyed.contract();
        assert_eq!(contract.verifying_key, keyed.keys.verifying.key.digest());
        let mut simulator = Simulator::deploy(&contract.build.compiled).unwrap();
        let report = simulator.verify(&keyed.proof.proof, &keyed.proof.words()).unwrap();
        assert!(report.outcome.is_accepted());
        let predicted = keyed.pipeline.planned.file.plan.verify_gas as f64;
        let off = (report.transaction_gas as f64 - predicted) / predicted;
        report!(
            "{example:?}: {} gas ({} execution), predicted {predicted}, off by {:.2}%; {} B of code, {} gas to deploy",
            report.transaction_gas,
            report.execution_gas,
            100.0 * off,
            contract.build.deployment.code_bytes,
            contract.build.deployment.gas
        );
        assert!(off.abs() < 0.03, "{example:?}: the planner's gas is off by {off}");
        assert!(
            report.transaction_gas <= max_gas,
            "{example:?}: {} gas",
            report.transaction_gas
        );
        assert!(contract.build.deployment.code_bytes <= contract.build.deployment.code_limit);
    }
}

#[test]
fn a_decision_is_accepted_on_a_real_chain() {
    if !has_tools() {
        return;
    }
    let keyed = EXAMPLE.keyed();
    let contract = keyed.contract();
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let key = || anvil.key(0).unwrap();
    let options = SendOptions::default();
    let compiled = &contract.build.compiled;
    let deployed = block_on(deploy(&anvil.target(), key(), compiled, policy(keyed), options)).unwrap();
    // Through the factory it costs its call more than alone.
    assert!(deployed.gas_used >= contract.build.deployment.gas);
    assert!(deployed.gas_used < contract.build.deployment.gas + 150_000);
    let again = block_on(deploy(&anvil.target(), key(), compiled, policy(keyed), options)).unwrap();
    assert_eq!(
        (again.address, again.transaction, again.gas_used),
        (deployed.address, None, 0)
    );
    assert_eq!(
        again.key.as_ref().map(|key| (key.address, key.transaction)),
        deployed.key.as_ref().map(|key| (key.address, None))
    );
    assert_eq!(deployed.code_bytes, contract.build.deployment.code_bytes);

    let honest = request(keyed, &deployed, &keyed.proof);
    let mut simulator = Simulator::deploy(compiled).unwrap();
    let simulated = simulator.verify(&honest.proof, &honest.public_inputs).unwrap();
    let trial = block_on(dry_run(&anvil.target(), None, &honest)).unwrap();
    assert!(trial.code_checked && trial.gas_estimate >= simulated.transaction_gas);
    let receipt = block_on(submit(&anvil.target(), key(), &honest, policy(keyed), options)).unwrap();
    assert_eq!(receipt.gas_used, simulated.transaction_gas);
    report!("anvil: accepted for {} gas, as the simulator said", receipt.gas_used);

    // The same forgeries that revm rejects, before and after sending.
    let replay = keyed.prove_with(Fr::from(99));
    let mut forged = honest.clone();
    forged.public_inputs[0] += U256::from(1);
    let mut other_proof = honest.clone();
    other_proof.proof = replay.proof.clone();
    let mut other_output = honest.clone();
    let last = other_output.public_inputs.len() - 1;
    other_output.public_inputs[last] ^= U256::from(1);
    let mut alias = honest.clone();
    alias.public_inputs[1] += crate::support::scalar_modulus();
    let mut short = honest.clone();
    short.proof.pop();
    for (what, request, expected) in [
        ("another context", &forged, Rejection::InvalidProof),
        ("a replayed proof", &other_proof, Rejection::InvalidProof),
        ("another output", &other_output, Rejection::InvalidProof),
        ("an alias", &alias, Rejection::MalformedInput),
        ("a short proof", &short, Rejection::MalformedInput),
    ] {
        let anyway = SendOptions {
            gas_limit: Some(2_000_000),
            nonce: None,
        };
        let tried = block_on(dry_run(&anvil.target(), None, request)).map(drop);
        let sent = block_on(submit(&anvil.target(), key(), request, policy(keyed), anyway)).map(drop);
        for (verdict, is_sent) in [(tried, false), (sent, true)] {
            let Err(EvmError::Reverted { transaction, reason }) = verdict else {
                panic!("{what}: {verdict:?}");
            };
            assert_eq!(transaction.is_some(), is_sent, "{what}");
            assert_eq!(reason.rejection(), Some(expected), "{what}: {reason}");
        }
    }

    // A proof under another context is a proof: the chain accepts it for its own context.
    let other = request(keyed, &deployed, &replay);
    block_on(submit(&anvil.target(), key(), &other, policy(keyed), options)).unwrap();

    let mut nobody = honest.clone();
    nobody.address = Address::repeat_byte(0x42);
    let error = block_on(submit(&anvil.target(), key(), &nobody, policy(keyed), options)).unwrap_err();
    assert!(matches!(error, EvmError::NoCode { .. }), "{error}");
    let error = block_on(dry_run(&anvil.target(), None, &nobody)).unwrap_err();
    assert!(matches!(error, EvmError::NoCode { .. }), "{error}");

    let elsewhere = ChainTarget {
        expected_chain_id: Some(11_155_111),
        ..anvil.target()
    };
    let error = block_on(submit(&elsewhere, key(), &honest, policy(keyed), options)).unwrap_err();
    assert!(
        matches!(
            error,
            EvmError::WrongChain {
                expected: 11_155_111,
                got: 31_337
            }
        ),
        "{error}"
    );
    let error = block_on(deploy(&elsewhere, key(), compiled, policy(keyed), options)).unwrap_err();
    assert!(matches!(error, EvmError::WrongChain { .. }), "{error}");
}

/// The key of another model at the address: named, because the artifact knows its code.
#[test]
fn another_models_verifier_is_refused() {
    if !has_tools() {
        return;
    }
    let (keyed, other) = (EXAMPLE.keyed(), Example::DiagnosisMlp.keyed());
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let options = SendOptions::default();
    let compiled = &other.contract().build.compiled;
    let deployed = block_on(deploy(
        &anvil.target(),
        anvil.key(0).unwrap(),
        compiled,
        policy(other),
        options,
    ))
    .unwrap();
    let mut request = request(keyed, &deployed, &keyed.proof);
    let error = block_on(dry_run(&anvil.target(), None, &request)).unwrap_err();
    assert!(matches!(error, EvmError::OtherCode { .. }), "{error}");
    // Without the artifact the chain itself says no.
    request.expected_code_hash = None;
    if let (Some(at), Some(key)) = (&mut request.key, &compiled.key) {
        at.code_hash = key_code_hash(key);
    }
    let error = block_on(dry_run(&anvil.target(), None, &request)).unwrap_err();
    assert!(matches!(error, EvmError::Reverted { .. }), "{error}");
}

#[test]
fn artifacts_of_a_development_srs_stay_on_local_chains() {
    if !has_tools() {
        return;
    }
    let keyed = EXAMPLE.keyed();
    assert!(policy(keyed).srs_is_unsafe);
    let anvil = Anvil::start(&AnvilOptions {
        chain_id: Some(1),
        ..AnvilOptions::default()
    })
    .unwrap();
    let compiled = &keyed.contract().build.compiled;
    let options = SendOptions::default();
    let try_with = |policy| {
        block_on(deploy(
            &anvil.target(),
            anvil.key(0).unwrap(),
            compiled,
            policy,
            options,
        ))
    };
    let error = try_with(policy(keyed)).unwrap_err();
    assert!(matches!(error, EvmError::UnsafeSrs { chain_id: 1, .. }), "{error}");
    assert!(error.to_string().contains("--allow-unsafe-srs"), "{error}");
    let allowed = SrsPolicy {
        allow_unsafe_srs: true,
        ..policy(keyed)
    };
    let deployed = try_with(allowed).unwrap();
    let request = request(keyed, &deployed, &keyed.proof);
    let sent = |policy| {
        block_on(submit(
            &anvil.target(),
            anvil.key(0).unwrap(),
            &request,
            policy,
            options,
        ))
    };
    assert!(matches!(
        sent(policy(keyed)),
        Err(EvmError::UnsafeSrs { chain_id: 1, .. })
    ));
    sent(allowed).unwrap();
}
