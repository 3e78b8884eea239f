//! Sends a proof to a deployed verifier, or tries it without sending.
//!
//! `verify` is a view function that reverts on failure, so a transaction that succeeded is the chain's statement that the
//! proof is valid, as long as the address holds the verifier: a call to an address without code succeeds always. The
//! code is therefore looked at first.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U256, keccak256},
};
use serde::{Deserialize, Serialize};

use crate::{
    ChainTarget, EvmError, KeySource, SrsPolicy,
    chain::{About, Connection, SendOptions, TransactionRequest},
    encode_verify, encode_verify_with,
};

/// A key's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyContract {
    /// Where it stands.
    pub address: Address,
    /// keccak256 of the code that must stand there.
    pub code_hash: B256,
}

/// A proof for a deployed verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitRequest {
    /// Where the verifier stands.
    pub address: Address,
    /// The contract with the key, for a verifier that does not hold it.
    pub key: Option<KeyContract>,
    /// The proof.
    pub proof: Vec<u8>,
    /// Its public inputs.
    pub public_inputs: Vec<U256>,
    /// keccak256 of the code that must stand at the address, if the artifact is at hand.
    pub expected_code_hash: Option<B256>,
}

/// A proof that a chain accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitReceipt {
    /// The verifier.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// The transaction.
    pub transaction: B256,
    /// The block it is in.
    pub block: Option<u64>,
    /// The account that paid.
    pub sender: Address,
    /// Gas of the transaction.
    pub gas_used: u64,
    /// Price of one gas in wei.
    pub gas_price: u128,
    /// Whether the code at the address was compared with the artifact's.
    pub code_checked: bool,
}

/// What a transaction would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// The verifier.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// Gas that the transaction would take.
    pub gas_estimate: u64,
    /// Whether the code at the address was compared with the artifact's.
    pub code_checked: bool,
}

/// Sends a proof and waits until the chain accepted it.
///
/// # Errors
/// The chain is another than expected or may not get this artifact; the address holds no code or other code; the key
/// cannot be opened; the transaction cannot be sent, or fails.
pub async fn submit(
    target: &ChainTarget,
    key: KeySource,
    request: &SubmitRequest,
    policy: SrsPolicy,
    options: SendOptions,
) -> Result<SubmitReceipt, EvmError> {
    let reader = Connection::open(target, None).await?;
    reader.check_srs(policy)?;
    check_code(&reader, request).await?;
    let signer = key.open()?;
    let sender = signer.address();
    let connection = Connection::open(target, Some(signer)).await?;
    connection.check_srs(policy)?;
    let about = About {
        account: sender,
        code_bytes: 0,
        during: "submitting the proof",
    };
    let receipt = connection.send(transaction(request), options, about).await?;
    Ok(SubmitReceipt {
        address: request.address,
        chain_id: connection.chain_id(),
        transaction: receipt.transaction_hash,
        block: receipt.block_number,
        sender,
        gas_used: receipt.gas_used,
        gas_price: receipt.effective_gas_price,
        code_checked: request.expected_code_hash.is_some(),
    })
}

/// Asks the chain whether it would accept a proof, and for how much gas. Needs no key and changes nothing.
///
/// # Errors
/// As [`submit`], keys and sending aside.
pub async fn dry_run(
    target: &ChainTarget,
    sender: Option<Address>,
    request: &SubmitRequest,
) -> Result<DryRun, EvmError> {
    let connection = Connection::open(target, None).await?;
    check_code(&connection, request).await?;
    let account = sender.unwrap_or_default();
    let about = About {
        account,
        code_bytes: 0,
        during: "trying the proof",
    };
    let call = transaction(request).with_from(account);
    connection.call(call.clone(), about).await?;
    Ok(DryRun {
        address: request.address,
        chain_id: connection.chain_id(),
        gas_estimate: connection.estimate(call, about).await?,
        code_checked: request.expected_code_hash.is_some(),
    })
}

async fn check_code(connection: &Connection, request: &SubmitRequest) -> Result<(), EvmError> {
    check_address(connection, request.address, request.expected_code_hash).await?;
    match request.key {
        // Under a key of somebody else's choice a proof says nothing about this model.
        Some(key) => check_address(connection, key.address, Some(key.code_hash)).await,
        None => Ok(()),
    }
}

async fn check_address(connection: &Connection, address: Address, expected: Option<B256>) -> Result<(), EvmError> {
    let code = connection.code(address).await?;
    if code.is_empty() {
        return Err(EvmError::NoCode {
            address,
            chain_id: connection.chain_id(),
        });
    }
    let got = keccak256(&code);
    match expected {
        Some(expected) if expected != got => Err(EvmError::OtherCode { address, expected, got }),
        _ => Ok(()),
    }
}

fn transaction(request: &SubmitRequest) -> TransactionRequest {
    let calldata = match request.key {
        Some(key) => encode_verify_with(key.address, &request.proof, &request.public_inputs),
        None => encode_verify(&request.proof, &request.public_inputs),
    };
    TransactionRequest::default()
        .with_to(request.address)
        .with_input(calldata)
}
