//! Deployments and submissions on a real anvil: the honest road, and every error by its name.

use std::time::Duration;

use alloy::{
    primitives::{Address, U256, keccak256},
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use zkverdict_evm::{
    Anvil, AnvilOptions, ChainTarget, DeployRequest, Deployed, EvmError, KeySource, Placement, Receipt, Rejection,
    SendOptions, SrsPolicy, SubmitRequest, block_on, code_hash, deploy, dry_run, submit,
};
use zkverdict_solidity::CompiledVerifier;

use crate::support::{Fixture, fixture};

pub(crate) const UNSAFE: SrsPolicy = SrsPolicy {
    srs_is_unsafe: true,
    allow_unsafe_srs: false,
};

pub(crate) fn anvil(arguments: &[&str]) -> Anvil {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Anvil::start(&AnvilOptions {
        arguments,
        ..AnvilOptions::default()
    })
    .unwrap()
}

pub(crate) fn key(anvil: &Anvil) -> KeySource {
    anvil.key(0).unwrap()
}

/// Deploys a contract by CREATE.
fn create(
    target: &ChainTarget,
    key: KeySource,
    verifier: &CompiledVerifier,
    policy: SrsPolicy,
    options: &SendOptions,
) -> Result<Receipt, EvmError> {
    let request = DeployRequest::new(verifier, Placement::Create);
    match block_on(deploy(target, key, &[request], policy, options, &mut ()))?.swap_remove(0) {
        Deployed::Now(receipt) => Ok(receipt),
        Deployed::Before { .. } => panic!("CREATE never finds its contract deployed"),
    }
}

pub(crate) fn deployed(anvil: &Anvil) -> SubmitRequest {
    let Fixture { build, known, .. } = fixture();
    let options = SendOptions::default();
    let receipt = create(&anvil.target(), key(anvil), &build.compiled, UNSAFE, &options).unwrap();
    SubmitRequest {
        address: receipt.address,
        key: None,
        proofs: vec![known.clone()],
        expected_code_hash: Some(code_hash(&build.compiled)),
    }
}

fn ask(target: &ChainTarget, request: &SubmitRequest) -> Result<u64, EvmError> {
    block_on(dry_run(target, request, &SendOptions::default())).map(|quote| quote.gas_estimate)
}

pub(crate) fn submit_to(
    target: &ChainTarget,
    key: KeySource,
    request: &SubmitRequest,
    options: &SendOptions,
) -> Result<Receipt, EvmError> {
    block_on(submit(target, key, request, UNSAFE, options, &mut ()))
}

fn send(anvil: &Anvil, request: &SubmitRequest, options: SendOptions) -> Result<u64, EvmError> {
    submit_to(&anvil.target(), key(anvil), request, &options).map(|receipt| receipt.gas_used)
}

#[test]
fn a_proof_is_accepted_for_the_gas_that_the_simulator_said() {
    let Fixture { build, .. } = fixture();
    let anvil = anvil(&[]);
    let options = SendOptions::default();
    let receipt = create(&anvil.target(), key(&anvil), &build.compiled, UNSAFE, &options).unwrap();
    assert_eq!(receipt.gas_used, build.deployment.gas);
    assert_eq!((receipt.chain_id, receipt.block, receipt.confirmations), (31_337, 1, 1));

    let request = deployed(&anvil);
    assert!(ask(&anvil.target(), &request).unwrap() >= build.verification.transaction_gas);
    assert_eq!(
        send(&anvil, &request, options).unwrap(),
        build.verification.transaction_gas
    );
}

#[test]
fn rejected_proofs_are_named_before_and_after_sending() {
    let anvil = anvil(&[]);
    let mut request = deployed(&anvil);
    request.proofs[0].public_inputs[0] += U256::from(1);
    let on_chain = SendOptions {
        gas_limit: Some(1_000_000),
        ..SendOptions::default()
    };
    for (options, is_sent) in [(SendOptions::default(), false), (on_chain, true)] {
        let Err(EvmError::Reverted { transaction, reason }) = send(&anvil, &request, options) else {
            panic!("the forged proof must revert")
        };
        assert_eq!(transaction.is_some(), is_sent);
        assert_eq!(reason.rejection(), Some(Rejection::InvalidProof));
    }
    let error = ask(&anvil.target(), &request).unwrap_err();
    assert!(error.to_string().contains("ProofInvalid()"), "{error}");
    request.proofs[0].proof.truncate(64);
    let error = ask(&anvil.target(), &request).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("ProofLengthMismatch(expected: 1248, got: 64)"),
        "{error}"
    );
}

#[test]
fn an_address_without_the_verifier_is_refused() {
    let anvil = anvil(&[]);
    let mut request = deployed(&anvil);
    let verifier = request.address;
    request.address = Address::repeat_byte(0x77);
    assert!(matches!(
        send(&anvil, &request, SendOptions::default()),
        Err(EvmError::NoCode { .. })
    ));
    assert!(matches!(ask(&anvil.target(), &request), Err(EvmError::NoCode { .. })));
    request.address = verifier;
    request.expected_code_hash = Some(keccak256("another contract"));
    assert!(matches!(
        send(&anvil, &request, SendOptions::default()),
        Err(EvmError::OtherCode { .. })
    ));
}

#[test]
fn another_chain_is_refused() {
    let anvil = anvil(&[]);
    let request = deployed(&anvil);
    let target = ChainTarget {
        expected_chain_id: Some(1),
        ..anvil.target()
    };
    let options = SendOptions::default();
    let error = submit_to(&target, key(&anvil), &request, &options).unwrap_err();
    assert!(
        matches!(
            error,
            EvmError::WrongChain {
                expected: 1,
                got: 31_337
            }
        ),
        "{error}"
    );
}

#[test]
fn an_unsafe_srs_stays_on_local_chains() {
    let anvil = Anvil::start(&AnvilOptions {
        chain_id: Some(1),
        ..AnvilOptions::default()
    })
    .unwrap();
    let compiled = &fixture().build.compiled;
    let options = SendOptions::default();
    let try_with = |policy| create(&anvil.target(), key(&anvil), compiled, policy, &options);
    assert!(matches!(try_with(UNSAFE), Err(EvmError::UnsafeSrs { chain_id: 1, .. })));
    try_with(SrsPolicy {
        allow_unsafe_srs: true,
        ..UNSAFE
    })
    .unwrap();
    try_with(SrsPolicy::default()).unwrap();
}

#[test]
fn gas_nonce_and_funds_have_names() {
    let anvil = anvil(&[]);
    let request = deployed(&anvil);
    let with = |gas_limit, nonce| {
        let options = SendOptions {
            gas_limit,
            nonce,
            ..SendOptions::default()
        };
        send(&anvil, &request, options).unwrap_err()
    };
    for limit in [30_000, 120_000] {
        let error = with(Some(limit), None);
        assert!(matches!(error, EvmError::OutOfGas { .. }), "{limit}: {error}");
    }
    let error = with(None, Some(0));
    assert!(matches!(error, EvmError::NonceUsed { nonce: Some(0), .. }), "{error}");
    // The deployment, and the second try above, which burned its gas.
    let error = with(None, Some(7));
    assert!(
        matches!(
            error,
            EvmError::NonceGap {
                nonce: Some(7),
                next: Some(2),
                ..
            }
        ),
        "{error}"
    );

    let poor = KeySource::Signer(PrivateKeySigner::random());
    let options = SendOptions::default();
    let error = submit_to(&anvil.target(), poor, &request, &options).unwrap_err();
    assert!(matches!(error, EvmError::InsufficientFunds { .. }), "{error}");

    let options = SendOptions {
        sender: Some(Address::repeat_byte(0x11)),
        ..SendOptions::default()
    };
    let error = send(&anvil, &request, options).unwrap_err();
    assert!(matches!(error, EvmError::WrongSender { .. }), "{error}");
}

#[test]
fn too_large_contracts_are_refused_here_and_there() {
    let anvil = anvil(&[]);
    let honest = &fixture().build.compiled;
    let large = CompiledVerifier {
        runtime_code: vec![0; 24_577],
        ..honest.clone()
    };
    let options = SendOptions::default();
    let try_deploy = |verifier| create(&anvil.target(), key(&anvil), verifier, UNSAFE, &options).unwrap_err();
    let error = try_deploy(&large);
    assert!(matches!(error, EvmError::Solidity(_)), "{error}");
    // PUSH2 24577 PUSH0 RETURN: an artifact that lies about its size meets the chain's own limit.
    let lying = CompiledVerifier {
        init_code: vec![0x61, 0x60, 0x01, 0x5f, 0xf3],
        ..honest.clone()
    };
    let error = try_deploy(&lying);
    assert!(matches!(error, EvmError::CodeSizeLimit { .. }), "{error}");
}

#[test]
fn an_rpc_that_is_gone_is_named() {
    let request = deployed(&anvil(&[]));
    let stopped = anvil(&[]);
    let target = stopped.target();
    drop(stopped);
    let error = ask(&target, &request).unwrap_err();
    assert!(matches!(error, EvmError::RpcUnreachable { .. }), "{error}");

    for address in ["", "nonsense", "ftp://127.0.0.1", "127.0.0.1:8545"] {
        let error = ask(&ChainTarget::new(address), &request).unwrap_err();
        assert!(matches!(error, EvmError::RpcAddress { .. }), "{address}: {error}");
    }
}

#[test]
fn an_rpc_that_goes_away_after_sending_names_the_transaction() {
    // Nothing mines, so the transaction stays pending until anvil is gone.
    let anvil = anvil(&["--no-mining"]);
    let (target, signer) = (anvil.target(), key(&anvil));
    let verifier = fixture().build.compiled.clone();
    let waiting =
        std::thread::spawn(move || create(&target, signer, &verifier, UNSAFE, &SendOptions::default()).unwrap_err());
    wait_for_a_pending_transaction(&anvil);
    drop(anvil);
    let error = waiting.join().unwrap();
    assert!(matches!(error, EvmError::RpcGone { .. }), "{error}");
}

pub(crate) fn wait_for_a_pending_transaction(anvil: &Anvil) {
    block_on(async {
        let provider = ProviderBuilder::new().connect_http(anvil.endpoint().parse().unwrap());
        for _ in 0..600 {
            let status: serde_json::Value = provider.raw_request("txpool_status".into(), ()).await.unwrap();
            if status["pending"] != "0x0" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no transaction was sent within a minute")
    })
    .unwrap();
}

#[test]
fn a_transaction_that_is_not_mined_times_out_by_name() {
    let anvil = anvil(&["--no-mining"]);
    let target = ChainTarget {
        receipt_timeout: Duration::from_secs(1),
        ..anvil.target()
    };
    let compiled = &fixture().build.compiled;
    let error = create(&target, key(&anvil), compiled, UNSAFE, &SendOptions::default()).unwrap_err();
    assert!(matches!(error, EvmError::ReceiptTimeout { .. }), "{error}");
}

#[test]
fn anvil_stops_with_its_guard() {
    let anvil = anvil(&[]);
    let process = format!("/proc/{}", anvil.process_id());
    let target = anvil.target();
    drop(anvil);
    if cfg!(target_os = "linux") {
        assert!(!std::path::Path::new(&process).exists());
    }
    let request = SubmitRequest {
        address: Address::ZERO,
        key: None,
        proofs: vec![fixture().known.clone()],
        expected_code_hash: None,
    };
    assert!(ask(&target, &request).is_err());
}
