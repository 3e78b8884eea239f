//! Puts a verifier on a chain.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, address, keccak256},
};
use serde::{Deserialize, Serialize};
use zkverdict_solidity::{CODE_SIZE_LIMIT, CompiledVerifier, SolidityError, compact::key_init_code};

use crate::{
    ChainTarget, EvmError, KeySource, SrsPolicy,
    chain::{About, Connection, SendOptions, TransactionRequest},
    code_hash, key_code_hash,
};

/// The contract that deploys for everybody at an address that only salt and init code decide (EIP-1014). It stands at the
/// same address on most chains, anvil's among them.
const FACTORY: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// A deployment that is in a block, or was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployReceipt {
    /// Where the verifier stands.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// The transaction; none if the verifier stood there already.
    pub transaction: Option<B256>,
    /// The block it is in.
    pub block: Option<u64>,
    /// The account that paid.
    pub deployer: Address,
    /// Gas of the transaction.
    pub gas_used: u64,
    /// Price of one gas in wei.
    pub gas_price: u128,
    /// Bytes of code at the address.
    pub code_bytes: usize,
    /// The contract with the key, where the verifier does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyReceipt>,
}

/// A key that is on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReceipt {
    /// Where it stands.
    pub address: Address,
    /// The transaction; none if the key stood there already.
    pub transaction: Option<B256>,
    /// Gas of the transaction.
    pub gas_used: u64,
}

/// A contract that is on the chain.
struct Placed {
    address: Address,
    transaction: Option<B256>,
    block: Option<u64>,
    gas_used: u64,
    gas_price: u128,
}

/// Deploys a verifier, and its key where they stand apart, and checks that exactly their code stands at the new addresses.
///
/// A verifier that many models share and its keys get addresses that follow from their code, on chains that have the usual
/// factory; what stands there already is used as it is and costs nothing.
///
/// # Errors
/// The chain is another than expected or may not get this artifact; the key cannot be opened; the transaction cannot be
/// sent, fails, or leaves other code.
pub async fn deploy(
    target: &ChainTarget,
    key: KeySource,
    verifier: &CompiledVerifier,
    policy: SrsPolicy,
    options: SendOptions,
) -> Result<DeployReceipt, EvmError> {
    let code_bytes = verifier.runtime_code.len();
    if code_bytes > CODE_SIZE_LIMIT {
        return Err(SolidityError::CodeTooLarge {
            limit: CODE_SIZE_LIMIT,
            got: code_bytes,
        }
        .into());
    }
    // What the chain is decides whether the key is needed at all.
    Connection::open(target, None).await?.check_srs(policy)?;
    let signer = key.open()?;
    let deployer = signer.address();
    let connection = Connection::open(target, Some(signer)).await?;
    connection.check_srs(policy)?;
    let about = |code_bytes, during| About {
        account: deployer,
        code_bytes,
        during,
    };
    let is_shared = verifier.key.is_some();
    let placed = place(
        &connection,
        &verifier.init_code,
        code_hash(verifier),
        is_shared,
        options,
        about(code_bytes, "deploying the verifier"),
    )
    .await?;
    let key = match &verifier.key {
        None => None,
        Some(key) => {
            let next = SendOptions {
                nonce: options
                    .nonce
                    .map(|nonce| nonce + u64::from(placed.transaction.is_some())),
                ..options
            };
            let placed = place(
                &connection,
                &key_init_code(key),
                key_code_hash(key),
                true,
                next,
                about(key.len() + 1, "deploying the key"),
            )
            .await?;
            Some(KeyReceipt {
                address: placed.address,
                transaction: placed.transaction,
                gas_used: placed.gas_used,
            })
        }
    };
    Ok(DeployReceipt {
        address: placed.address,
        chain_id: connection.chain_id(),
        transaction: placed.transaction,
        block: placed.block,
        deployer,
        gas_used: placed.gas_used,
        gas_price: placed.gas_price,
        code_bytes,
        key,
    })
}

/// Puts code on the chain, at the address that follows from it if it is shared, and compares what stands there.
async fn place(
    connection: &Connection,
    init_code: &[u8],
    expected: B256,
    is_shared: bool,
    options: SendOptions,
    about: About,
) -> Result<Placed, EvmError> {
    let through_factory = is_shared && !connection.code(FACTORY).await?.is_empty();
    let known = through_factory.then(|| FACTORY.create2_from_code(B256::ZERO, init_code));
    if let Some(address) = known
        && keccak256(connection.code(address).await?) == expected
    {
        return Ok(Placed {
            address,
            transaction: None,
            block: None,
            gas_used: 0,
            gas_price: 0,
        });
    }
    let request = if through_factory {
        let call = [B256::ZERO.as_slice(), init_code].concat();
        TransactionRequest::default().with_to(FACTORY).with_input(call)
    } else {
        TransactionRequest::default().with_deploy_code(init_code.to_vec())
    };
    let receipt = connection.send(request, options, about).await?;
    let transaction = receipt.transaction_hash;
    let address = known
        .or(receipt.contract_address)
        .ok_or_else(|| EvmError::NoContractInReceipt {
            transaction,
            endpoint: connection.endpoint().to_owned(),
        })?;
    let got = keccak256(connection.code(address).await?);
    if expected != got {
        return Err(EvmError::OtherCode { address, expected, got });
    }
    Ok(Placed {
        address,
        transaction: Some(transaction),
        block: receipt.block_number,
        gas_used: receipt.gas_used,
        gas_price: receipt.effective_gas_price,
    })
}
