use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile,
    evm::{DeployReceipt, block_on, deploy},
};

use super::{Status, chain};
use crate::{
    args::Deploy,
    printer::{Printer, Report, Style, pairs, thousands},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Deployed {
    name: String,
    unsafe_srs: bool,
    #[serde(flatten)]
    receipt: DeployReceipt,
}

pub(super) fn run(args: &Deploy, settings: &Settings, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let key = chain::key(&args.chain, settings, &reached)?;
    if contract.unsafe_srs {
        printer.warning("this verifier was made with the UNSAFE development SRS");
    }
    let compiled = &contract.build.compiled;
    let busy = printer.busy("deploying");
    let policy = chain::policy(&args.chain, contract.unsafe_srs);
    let options = chain::options(&args.chain);
    let receipt = block_on(deploy(&reached.target, key, compiled, policy, options))?;
    drop(busy);
    printer.result(&Deployed {
        name: contract.contract.clone(),
        unsafe_srs: contract.unsafe_srs,
        receipt,
    })?;
    Ok(Status::Done)
}

impl Report for Deployed {
    fn render(&self, style: Style) -> String {
        let receipt = &self.receipt;
        let mut rows = vec![
            ("address", receipt.address.to_string()),
            ("chain", receipt.chain_id.to_string()),
            ("paid by", receipt.deployer.to_string()),
            ("code", format!("{} bytes", thousands(receipt.code_bytes as u64))),
        ];
        match receipt.transaction {
            Some(transaction) => rows.extend([
                ("transaction", transaction.to_string()),
                (
                    "block",
                    receipt
                        .block
                        .map_or_else(|| "pending".to_owned(), |block| block.to_string()),
                ),
                (
                    "gas",
                    format!("{} at {} wei", thousands(receipt.gas_used), receipt.gas_price),
                ),
            ]),
            None => rows.push(("gas", "none: this verifier stood there already".to_owned())),
        }
        if let Some(key) = &receipt.key {
            let gas = match key.transaction {
                Some(transaction) => format!("{} in {transaction}", thousands(key.gas_used)),
                None => "none: it stood there already".to_owned(),
            };
            rows.extend([("key", key.address.to_string()), ("key's gas", gas)]);
        }
        format!(
            "{} is {}\n{}",
            style.bold(&self.name),
            style.good("deployed"),
            pairs(style, 2, &rows)
        )
    }
}
