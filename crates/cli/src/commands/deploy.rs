use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile,
    evm::{Address, B256, DeployRequest, Deployed, Placement, Quote, block_on, deploy, quote_deploy},
};

use super::{Status, chain};
use crate::{
    args::Deploy,
    failure::hinted,
    printer::{Printer, Report, Style, pairs, thousands},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Deployment {
    name: String,
    unsafe_srs: bool,
    code_bytes: usize,
    already_deployed: bool,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Done(Deployed),
    Tried(Deployed<Quote>),
}

pub(super) fn run(args: &Deploy, settings: &Settings, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let placement = match (args.create, &args.salt) {
        (true, _) => Placement::Create,
        (false, None) => Placement::default(),
        (false, Some(text)) => Placement::Create2 { salt: salt(text)? },
    };
    let compiled = &contract.build.compiled;
    let request = DeployRequest::new(compiled, placement);
    let options = chain::options(&args.chain, &args.contract)?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let answer = if args.chain.dry_run {
        let _busy = printer.busy("asking the chain");
        Answer::Tried(block_on(quote_deploy(&reached.target, &request, &options))?)
    } else {
        let key = chain::key(&args.chain, settings, &reached)?;
        if contract.unsafe_srs {
            printer.warning("this verifier was made with the UNSAFE development SRS");
        }
        let policy = chain::policy(&args.chain, contract.unsafe_srs);
        let mut cashier = chain::Cashier::new(printer, &args.chain, "deploying");
        let sent = deploy(&reached.target, key, &request, policy, &options, &mut cashier);
        Answer::Done(block_on(sent)?)
    };
    printer.result(&Deployment {
        name: compiled.contract_name.clone(),
        unsafe_srs: contract.unsafe_srs,
        code_bytes: request.code_bytes,
        already_deployed: matches!(
            answer,
            Answer::Done(Deployed::Before { .. }) | Answer::Tried(Deployed::Before { .. })
        ),
        answer,
    })?;
    Ok(Status::Done)
}

fn salt(text: &str) -> Result<B256> {
    text.parse().map_err(|_| {
        hinted(
            format!("the salt {text:?} is not 32 bytes in hexadecimal"),
            "write 0x and 64 digits, or leave --salt out for zero",
        )
    })
}

impl Report for Deployment {
    fn render(&self, style: Style) -> String {
        let before = |address: &Address, chain_id: &u64| {
            let rows = vec![("address", address.to_string()), ("chain", chain_id.to_string())];
            ("is already deployed, nothing is sent", rows)
        };
        let (verdict, mut rows) = match &self.answer {
            Answer::Done(Deployed::Now(receipt)) => ("is deployed", chain::receipt_rows(receipt)),
            Answer::Tried(Deployed::Now(quote)) => ("would be deployed", chain::quote_rows(quote)),
            Answer::Done(Deployed::Before { address, chain_id })
            | Answer::Tried(Deployed::Before { address, chain_id }) => before(address, chain_id),
        };
        rows.push(("code", format!("{} bytes", thousands(self.code_bytes as u64))));
        format!(
            "{} {}\n{}",
            style.bold(&self.name),
            style.good(verdict),
            pairs(style, 2, &rows)
        )
    }
}
