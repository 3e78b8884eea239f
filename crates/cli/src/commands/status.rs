use anyhow::Result;
use serde::Serialize;
use zkverdict::evm::{B256, TransactionStatus, block_on, status};

use super::{Status, chain};
use crate::{
    args,
    failure::hinted,
    printer::{Printer, Report, Style, pairs},
    settings::Settings,
};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown {
    status: TransactionStatus,
    #[serde(skip)]
    wanted: u64,
}

pub(super) fn run(args: &args::TransactionStatus, settings: &Settings, printer: &Printer) -> Result<Status> {
    let transaction: B256 = args.transaction.parse().map_err(|_| {
        hinted(
            format!("{:?} is not the hash of a transaction", args.transaction),
            "copy the transaction that `zkverdict deploy` or `zkverdict submit` printed: 0x and 64 digits",
        )
    })?;
    let target = chain::named(args.rpc_url.as_deref(), args.chain_id, settings)?;
    let busy = printer.busy("asking the chain");
    let status = block_on(status(&target, transaction, args.confirmations))?;
    drop(busy);
    let is_confirmed = matches!(status, TransactionStatus::Confirmed(_));
    printer.result(&Shown {
        status,
        wanted: args.confirmations,
    })?;
    Ok(if is_confirmed { Status::Done } else { Status::Failed })
}

impl Report for Shown {
    fn render(&self, style: Style) -> String {
        let wanted = self.wanted;
        let (verdict, rows) = match &self.status {
            TransactionStatus::Unknown { transaction, chain_id } => (
                style.bad("the chain does not know this transaction"),
                vec![
                    ("transaction", transaction.to_string()),
                    ("chain", chain_id.to_string()),
                ],
            ),
            TransactionStatus::Pending {
                transaction,
                chain_id,
                sender,
                nonce,
                next_nonce,
            } => (
                style.warn("pending"),
                vec![
                    ("transaction", transaction.to_string()),
                    ("chain", chain_id.to_string()),
                    ("sender", sender.to_string()),
                    ("nonce", format!("{nonce}; the next to be included is {next_nonce}")),
                ],
            ),
            TransactionStatus::Included(receipt) => (
                style.warn(&format!(
                    "included, {} of {wanted} confirmations",
                    receipt.confirmations
                )),
                chain::receipt_rows(receipt),
            ),
            TransactionStatus::Confirmed(receipt) => (style.good("confirmed"), chain::receipt_rows(receipt)),
            TransactionStatus::Failed { receipt, outcome } => {
                (style.bad(&format!("failed: {outcome}")), chain::receipt_rows(receipt))
            }
        };
        format!("{verdict}\n{}", pairs(style, 2, &rows))
    }
}
