use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, Proof,
    evm::{
        Address, DeployRequest, Deployed, KeyContract, Placement, Quote, Receipt, SendOptions, SubmitRequest, block_on,
        code_hash, deploy, dry_run, key_code_hash, submit,
    },
};

use super::{
    Status, chain,
    simulate::{Shown, load},
};
use crate::{
    args::Submit,
    failure::hinted,
    printer::{Printer, Report, Style, pairs},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Submitted {
    accepted: bool,
    name: String,
    unsafe_srs: bool,
    #[serde(flatten)]
    shown: Shown,
    code_checked: bool,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Sent(Receipt),
    Tried(Quote),
}

pub(super) fn run(args: &Submit, settings: &Settings, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let proofs = load(&args.proof, &contract)?;
    let compiled = &contract.build.compiled;
    let address = args.address.as_deref().map(chain::address).transpose()?;
    let options = chain::options(&args.chain, &args.proof[0])?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let policy = chain::policy(&args.chain, contract.unsafe_srs);
    if contract.unsafe_srs {
        printer.warning("this verifier was made with the UNSAFE development SRS");
    }
    let requests = DeployRequest::all(compiled, Placement::default());
    let (address, key_address) = match address {
        Some(address) => (address, args.key.as_deref().map(chain::address).transpose()?),
        None => {
            let key = chain::key(&args.chain, settings, &reached)?;
            let mut cashier = chain::Cashier::new(printer, &args.chain, "deploying");
            let options = SendOptions::default();
            let sent = deploy(&reached.target, key, &requests, policy, &options, &mut cashier);
            let addresses: Vec<Address> = block_on(sent)?.iter().map(Deployed::address).collect();
            (addresses[0], addresses.get(1).copied())
        }
    };
    let key = match (&compiled.key, key_address) {
        // Unless told otherwise, where `deploy` puts it.
        (Some(key), address) => address
            .or_else(|| requests.last()?.address())
            .map(|address| KeyContract {
                address,
                code_hash: key_code_hash(key),
            }),
        (None, Some(_)) => return Err(hinted("this contract holds its own key".to_owned(), "leave out --key")),
        (None, None) => None,
    };
    let request = SubmitRequest {
        address,
        key,
        proofs: proofs.iter().map(Proof::known).collect(),
        expected_code_hash: Some(code_hash(compiled)),
    };
    let answer = if args.chain.dry_run {
        let _busy = printer.busy("asking the chain");
        Answer::Tried(block_on(dry_run(&reached.target, &request, &options))?)
    } else {
        let key = chain::key(&args.chain, settings, &reached)?;
        let mut cashier = chain::Cashier::new(printer, &args.chain, "submitting");
        let sent = submit(&reached.target, key, &request, policy, &options, &mut cashier);
        Answer::Sent(block_on(sent)?)
    };
    let gas = match &answer {
        Answer::Sent(receipt) => receipt.gas_used,
        Answer::Tried(quote) => quote.gas_estimate,
    };
    printer.result(&Submitted {
        accepted: true,
        name: contract.contract.clone(),
        unsafe_srs: contract.unsafe_srs,
        shown: Shown::new(&contract, &args.proof, &proofs, gas)?,
        code_checked: request.expected_code_hash.is_some(),
        answer,
    })?;
    Ok(Status::Done)
}

impl Report for Submitted {
    fn render(&self, style: Style) -> String {
        let is_batch = matches!(self.shown, Shown::Batch { .. });
        let what = if is_batch { "the proofs" } else { "the proof" };
        let (verdict, mut rows) = match &self.answer {
            Answer::Sent(receipt) => ("accepted", chain::receipt_rows(receipt)),
            Answer::Tried(quote) => ("would accept", chain::quote_rows(quote)),
        };
        rows.extend(self.shown.rows());
        format!(
            "{} {}\n{}{}",
            style.bold(&self.name),
            style.good(&format!("{verdict} {what}")),
            pairs(style, 2, &rows),
            self.shown.render("shows", style)
        )
    }
}
