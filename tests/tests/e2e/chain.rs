//! The real model's contract: on revm, and on a real anvil.

use alloy::primitives::keccak256;
use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict::{
    Proof,
    evm::{
        self, Address, Anvil, AnvilOptions, ChainTarget, DeployRequest, Deployed, EvmError, KeyContract, KeySource,
        Placement, Quote, Receipt, Rejection, SendOptions, Simulator, SrsPolicy, SubmitRequest, U256, block_on,
        key_code_hash,
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

/// For a verifier, and its key if that stands apart.
fn request(keyed: &Keyed, deployed: &[Receipt], proof: &Proof) -> SubmitRequest {
    let key = &keyed.contract().build.compiled.key;
    SubmitRequest {
        address: deployed[0].address,
        key: key.as_ref().map(|key| KeyContract {
            address: deployed[1].address,
            code_hash: key_code_hash(key),
        }),
        proofs: vec![proof.known()],
        expected_code_hash: Some(keccak256(&keyed.contract().build.compiled.runtime_code)),
    }
}

/// Deploys by CREATE, whose gas is that of the embedded chain.
fn deploy(target: &ChainTarget, key: KeySource, keyed: &Keyed, policy: SrsPolicy) -> Result<Vec<Receipt>, EvmError> {
    let requests = DeployRequest::all(&keyed.contract().build.compiled, Placement::Create);
    let options = SendOptions::default();
    let deployed = block_on(evm::deploy(target, key, &requests, policy, &options, &mut ()))?;
    let receipts = deployed.into_iter().map(|deployed| match deployed {
        Deployed::Now(receipt) => receipt,
        Deployed::Before { .. } => panic!("CREATE never finds its contract deployed"),
    });
    Ok(receipts.collect())
}

fn submit(
    target: &ChainTarget,
    key: KeySource,
    request: &SubmitRequest,
    policy: SrsPolicy,
    options: &SendOptions,
) -> Result<Receipt, EvmError> {
    block_on(evm::submit(target, key, request, policy, options, &mut ()))
}

fn dry_run(target: &ChainTarget, request: &SubmitRequest) -> Result<Quote, EvmError> {
    block_on(evm::dry_run(target, request, &SendOptions::default()))
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
    let deployed = deploy(&anvil.target(), key(), keyed, policy(keyed)).unwrap();
    assert_eq!(deployed[0].gas_used, contract.build.deployment.gas);
    let keys: Vec<u64> = deployed[1..].iter().map(|receipt| receipt.gas_used).collect();
    assert_eq!(
        keys,
        Vec::from_iter(contract.build.deployment.key.as_ref().map(|key| key.gas))
    );

    let honest = request(keyed, &deployed, &keyed.proof);
    let mut simulator = Simulator::deploy(compiled).unwrap();
    let simulated = simulator
        .verify(&honest.proofs[0].proof, &honest.proofs[0].public_inputs)
        .unwrap();
    let trial = dry_run(&anvil.target(), &honest).unwrap();
    assert!(trial.gas_estimate >= simulated.transaction_gas);
    let receipt = submit(&anvil.target(), key(), &honest, policy(keyed), &options).unwrap();
    assert_eq!(receipt.gas_used, simulated.transaction_gas);
    report!("anvil: accepted for {} gas, as the simulator said", receipt.gas_used);

    // The same forgeries that revm rejects, before and after sending.
    let replay = keyed.prove_with(Fr::from(99));
    let mut forged = honest.clone();
    forged.proofs[0].public_inputs[0] += U256::from(1);
    let mut other_proof = honest.clone();
    other_proof.proofs[0].proof = replay.proof.clone();
    let mut other_output = honest.clone();
    let last = other_output.proofs[0].public_inputs.len() - 1;
    other_output.proofs[0].public_inputs[last] ^= U256::from(1);
    let mut alias = honest.clone();
    alias.proofs[0].public_inputs[1] += crate::support::scalar_modulus();
    let mut short = honest.clone();
    short.proofs[0].proof.pop();
    for (what, request, expected) in [
        ("another context", &forged, Rejection::InvalidProof),
        ("a replayed proof", &other_proof, Rejection::InvalidProof),
        ("another output", &other_output, Rejection::InvalidProof),
        ("an alias", &alias, Rejection::MalformedInput),
        ("a short proof", &short, Rejection::MalformedInput),
    ] {
        let anyway = SendOptions {
            gas_limit: Some(2_000_000),
            ..SendOptions::default()
        };
        let tried = dry_run(&anvil.target(), request).map(drop);
        let sent = submit(&anvil.target(), key(), request, policy(keyed), &anyway).map(drop);
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
    submit(&anvil.target(), key(), &other, policy(keyed), &options).unwrap();

    // Both in one transaction, for what the simulator says; a forgery among them spoils it.
    if let Some(key_contract) = honest.key {
        let both = SubmitRequest {
            proofs: [&honest, &other].iter().flat_map(|one| one.proofs.clone()).collect(),
            ..honest.clone()
        };
        assert!(simulator.key().is_some() && key_contract.address == deployed[1].address);
        let simulated = simulator.verify_batch(&both.proofs).unwrap();
        let receipt = submit(&anvil.target(), key(), &both, policy(keyed), &options).unwrap();
        assert!(
            receipt.gas_used.abs_diff(simulated.transaction_gas) < 400,
            "{receipt:?} {simulated:?}"
        );
        let spoiled = SubmitRequest {
            proofs: [&honest, &forged].iter().flat_map(|one| one.proofs.clone()).collect(),
            ..honest.clone()
        };
        let error = dry_run(&anvil.target(), &spoiled).unwrap_err();
        assert!(error.to_string().contains("ProofInvalid()"), "{error}");
        let keyless = SubmitRequest { key: None, ..both };
        assert!(matches!(dry_run(&anvil.target(), &keyless), Err(EvmError::NoBatch)));
        let empty = SubmitRequest {
            proofs: Vec::new(),
            ..honest.clone()
        };
        assert!(matches!(dry_run(&anvil.target(), &empty), Err(EvmError::NoProof)));
    }

    let mut nobody = honest.clone();
    nobody.address = Address::repeat_byte(0x42);
    let error = submit(&anvil.target(), key(), &nobody, policy(keyed), &options).unwrap_err();
    assert!(matches!(error, EvmError::NoCode { .. }), "{error}");
    let error = dry_run(&anvil.target(), &nobody).unwrap_err();
    assert!(matches!(error, EvmError::NoCode { .. }), "{error}");

    let elsewhere = ChainTarget {
        expected_chain_id: Some(11_155_111),
        ..anvil.target()
    };
    let error = submit(&elsewhere, key(), &honest, policy(keyed), &options).unwrap_err();
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
    let error = deploy(&elsewhere, key(), keyed, policy(keyed)).unwrap_err();
    assert!(matches!(error, EvmError::WrongChain { .. }), "{error}");
}

/// The verifier of another model at the address: named, because the artifact knows its code.
#[test]
fn another_models_verifier_is_refused() {
    if !has_tools() {
        return;
    }
    let (keyed, other) = (EXAMPLE.keyed(), Example::DiagnosisMlp.keyed());
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let deployed = deploy(&anvil.target(), anvil.key(0).unwrap(), other, policy(other)).unwrap();
    let mut request = request(keyed, &deployed, &keyed.proof);
    let error = dry_run(&anvil.target(), &request).unwrap_err();
    assert!(matches!(error, EvmError::OtherCode { .. }), "{error}");
    // Without the artifact the chain itself says no.
    request.expected_code_hash = None;
    if let (Some(at), Some(key)) = (&mut request.key, &other.contract().build.compiled.key) {
        at.code_hash = key_code_hash(key);
    }
    let error = dry_run(&anvil.target(), &request).unwrap_err();
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
    let key = || anvil.key(0).unwrap();
    let options = SendOptions::default();
    let try_with = |policy| deploy(&anvil.target(), key(), keyed, policy);
    let error = try_with(policy(keyed)).unwrap_err();
    assert!(matches!(error, EvmError::UnsafeSrs { chain_id: 1, .. }), "{error}");
    assert!(error.to_string().contains("--allow-unsafe-srs"), "{error}");
    let allowed = SrsPolicy {
        allow_unsafe_srs: true,
        ..policy(keyed)
    };
    let deployed = try_with(allowed).unwrap();
    let request = request(keyed, &deployed, &keyed.proof);
    let sent = |policy| submit(&anvil.target(), key(), &request, policy, &options);
    assert!(matches!(
        sent(policy(keyed)),
        Err(EvmError::UnsafeSrs { chain_id: 1, .. })
    ));
    sent(allowed).unwrap();
}
