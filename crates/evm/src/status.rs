//! What a chain knows of a transaction.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{ChainTarget, EvmError, Outcome, Receipt, chain::Connection};

/// How far a transaction is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum TransactionStatus {
    /// The chain does not know it.
    Unknown {
        /// The transaction.
        transaction: B256,
        /// The chain.
        chain_id: u64,
    },
    /// It waits to be included in a block.
    Pending {
        /// The transaction.
        transaction: B256,
        /// The chain.
        chain_id: u64,
        /// The account that will pay.
        sender: Address,
        /// Its nonce.
        nonce: u64,
        /// The nonce of the account's next transaction to be included.
        next_nonce: u64,
    },
    /// It succeeded, and fewer blocks follow it than were asked for.
    Included(Receipt),
    /// It succeeded.
    Confirmed(Receipt),
    /// It is in a block and did nothing but cost gas.
    Failed {
        /// Its receipt.
        #[serde(flatten)]
        receipt: Receipt,
        /// Why.
        outcome: Outcome,
    },
}

/// Asks a chain for a transaction; it is confirmed when its block and those after it are `confirmations` or more.
///
/// # Errors
/// The chain cannot be reached, or is another than expected.
pub async fn status(
    target: &ChainTarget,
    transaction: B256,
    confirmations: u64,
) -> Result<TransactionStatus, EvmError> {
    let connection = Connection::open(target).await?;
    let chain_id = connection.chain_id();
    let receipt = connection.receipt(transaction).await?;
    let Some(included) = receipt.filter(|receipt| receipt.block_number.is_some()) else {
        return Ok(match connection.transaction(transaction).await? {
            None => TransactionStatus::Unknown { transaction, chain_id },
            Some(found) => {
                use alloy::{consensus::Transaction as _, network::TransactionResponse as _};
                let sender = found.from();
                TransactionStatus::Pending {
                    transaction,
                    chain_id,
                    sender,
                    nonce: found.nonce(),
                    next_nonce: connection.nonce(sender).await?,
                }
            }
        });
    };
    let address = included.contract_address.or(included.to).unwrap_or_default();
    let receipt = connection.receipt_of(&included, address).await?;
    Ok(if !included.status() {
        let outcome = connection.outcome_of(&included).await?;
        TransactionStatus::Failed { receipt, outcome }
    } else if receipt.confirmations < confirmations {
        TransactionStatus::Included(receipt)
    } else {
        TransactionStatus::Confirmed(receipt)
    })
}
