//! Puts a verifier on a chain.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, keccak256},
};
use serde::{Deserialize, Serialize};
use zkverdict_solidity::{CODE_SIZE_LIMIT, CompiledVerifier, SolidityError};

use crate::{
    ChainTarget, EvmError, KeySource, SrsPolicy,
    chain::{About, Connection, SendOptions, TransactionRequest},
    code_hash,
};

/// A deployment that is in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployReceipt {
    /// Where the verifier stands.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// The transaction.
    pub transaction: B256,
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
}

/// Deploys a verifier and checks that exactly its code stands at the new address.
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
    let request = TransactionRequest::default().with_deploy_code(verifier.init_code.clone());
    let about = About {
        account: deployer,
        code_bytes,
        during: "deploying the verifier",
    };
    let receipt = connection.send(request, options, about).await?;
    let transaction = receipt.transaction_hash;
    let address = receipt.contract_address.ok_or_else(|| EvmError::NoContractInReceipt {
        transaction,
        endpoint: connection.endpoint().to_owned(),
    })?;
    let code = connection.code(address).await?;
    let (expected, got) = (code_hash(verifier), keccak256(&code));
    if expected != got {
        return Err(EvmError::OtherCode { address, expected, got });
    }
    Ok(DeployReceipt {
        address,
        chain_id: connection.chain_id(),
        transaction,
        block: receipt.block_number,
        deployer,
        gas_used: receipt.gas_used,
        gas_price: receipt.effective_gas_price,
        code_bytes,
    })
}
