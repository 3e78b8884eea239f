//! A real chain with the contracts of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use alloy::{
    primitives::{Address, B256, Bytes, keccak256},
    providers::{Provider, ProviderBuilder},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};
use zkverdict::{
    evm::{
        Account, Anvil, EvmError, Intent, KeySource, Receipt, RevertReason, SendOptions, SrsPolicy, block_on, code_hash,
    },
    solidity::{CompiledVerifier, SolcChoice, compact::key_digest, find_program, find_solc},
};

use super::{has_solc, report, repository};

sol! {
    struct ModelCommitment {
        bytes32 modelHash;
        bytes32 circuitHash;
        bytes32 vkHash;
        bytes4 proofSystemId;
        string uri;
    }

    struct VerifierBinding {
        address verifier;
        bytes32 verifierCodeHash;
        address key;
        uint16 inputs;
        uint16 outputs;
        bool modelCommitted;
    }

    function registerModelWithVerifier(ModelCommitment commitment, VerifierBinding binding);
}

/// The chain of anvil and of forge's tests.
pub(crate) const CHAIN: u64 = 31_337;
/// The init code of a contract of the Foundry project, with its constructor's arguments.
pub(crate) fn init_code(out: &Path, contract: &str, arguments: &[u8]) -> Vec<u8> {
    let path = out.join(format!("{contract}.sol/{contract}.json"));
    let artifact: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let code: Bytes = serde_json::from_value(artifact["bytecode"]["object"].clone()).unwrap();
    [&code, arguments].concat()
}

/// Builds the Foundry project into a folder; nothing where a tool is missing.
pub(crate) fn forge_build(folder: &Path) -> Option<PathBuf> {
    let forge = find_program("forge", "ZKVERDICT_FORGE");
    let Some(forge) = forge.filter(|_| find_program("anvil", "ZKVERDICT_ANVIL").is_some() && has_solc()) else {
        report!("skipped: solc, forge and anvil are needed; run scripts/tools/install");
        return None;
    };
    let solc = find_solc(&SolcChoice::default()).unwrap();
    let out = folder.join("out");
    let run = Command::new(forge)
        .args([
            "build",
            "--offline",
            "--skip",
            "contracts/test/**",
            "--skip",
            "contracts/script/**",
            "--root",
        ])
        .arg(repository())
        .arg("--use")
        .arg(&solc.solc)
        .arg("--out")
        .arg(&out)
        .arg("--cache-path")
        .arg(folder.join("cache"))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(out)
}

/// An account of the chain that sends what it is told, whatever the chain says beforehand.
pub(crate) struct Sender<'a> {
    pub(crate) anvil: &'a Anvil,
    pub(crate) index: usize,
}

impl Sender<'_> {
    pub(crate) fn key(&self) -> KeySource {
        self.anvil.key(self.index).unwrap()
    }

    pub(crate) fn address(&self) -> Address {
        self.key().open().unwrap().address()
    }

    pub(crate) fn send(&self, intent: &Intent) -> Result<Receipt, EvmError> {
        block_on(async {
            let account = Account::open(&self.anvil.target(), self.key(), SrsPolicy::default()).await?;
            account.send(intent, &SendOptions::default(), &mut ()).await
        })
    }

    pub(crate) fn create(&self, init_code: Vec<u8>) -> Address {
        self.send(&Intent::create(init_code, "creating a contract"))
            .unwrap()
            .address
    }

    pub(crate) fn call(&self, to: Address, call: &impl SolCall) -> Result<Receipt, EvmError> {
        self.send(&Intent::call(to, call.abi_encode(), "calling a contract"))
    }
}

/// What registers a model, of one public input or none, under its shape's verifier; with its commitment, if it has one.
pub(crate) fn registration(
    compiled: &CompiledVerifier,
    verifier: Address,
    key: Address,
    inputs: u16,
    outputs: u16,
    commitment: Option<[u8; 32]>,
) -> registerModelWithVerifierCall {
    let bytes = compiled.key.as_deref().expect("compact verifiers have their key apart");
    registerModelWithVerifierCall {
        commitment: ModelCommitment {
            modelHash: commitment.unwrap_or_default().into(),
            circuitHash: B256::from_slice(&bytes[..32]),
            vkHash: B256::from(key_digest(bytes)),
            proofSystemId: keccak256("halo2-shplonk-bn254-v1")[..4].try_into().unwrap(),
            uri: String::new(),
        },
        binding: VerifierBinding {
            verifier,
            verifierCodeHash: code_hash(compiled),
            key,
            inputs,
            outputs,
            modelCommitted: commitment.is_some(),
        },
    }
}

/// Asks anvil.
pub(crate) fn rpc(anvil: &Anvil, method: &'static str, params: Value) -> Value {
    block_on(async {
        let provider = ProviderBuilder::new().connect_http(anvil.endpoint().parse().unwrap());
        Ok(provider.raw_request(method.into(), params).await.unwrap())
    })
    .unwrap()
}

/// What a view of a contract returns.
pub(crate) fn view<C: SolCall>(anvil: &Anvil, to: Address, call: &C) -> C::Return {
    let input = Bytes::from(call.abi_encode());
    let answer = rpc(anvil, "eth_call", json!([{ "to": to, "input": input }, "latest"]));
    let answer: Bytes = serde_json::from_value(answer).unwrap();
    C::abi_decode_returns(&answer).unwrap()
}

/// Panics unless a call was refused with this error, named by its signature.
#[track_caller]
pub(crate) fn assert_refused(got: Result<Receipt, EvmError>, error: &str) {
    let Err(EvmError::Reverted { reason, .. }) = &got else {
        panic!("{error} expected: {got:?}");
    };
    let selector = alloy::hex::encode_prefixed(&keccak256(error)[..4]);
    let is_named = matches!(reason, RevertReason::Unknown { data } if data.starts_with(&selector));
    assert!(is_named, "{error} expected: {reason}");
}
