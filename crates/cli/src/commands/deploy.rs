use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile,
    evm::{B256, DeployRequest, Deployed, Placement, Quote, block_on, deploy, quote_deploy},
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
    #[serde(flatten)]
    verifier: Placed,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Placed>,
}

/// One contract.
#[derive(Debug, Serialize)]
struct Placed {
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
    let requests = DeployRequest::all(&contract.build.compiled, placement);
    let options = chain::options(&args.chain, &args.contract)?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let answers: Vec<Answer> = if args.chain.dry_run {
        let _busy = printer.busy("asking the chain");
        let quotes = block_on(quote_deploy(&reached.target, &requests, &options))?;
        quotes.into_iter().map(Answer::Tried).collect()
    } else {
        let key = chain::key(&args.chain, settings, &reached)?;
        if contract.unsafe_srs {
            printer.warning("this verifier was made with the UNSAFE development SRS");
        }
        let policy = chain::policy(&args.chain, contract.unsafe_srs);
        let mut cashier = chain::Cashier::new(printer, &args.chain, "deploying");
        let sent = deploy(&reached.target, key, &requests, policy, &options, &mut cashier);
        block_on(sent)?.into_iter().map(Answer::Done).collect()
    };
    let mut placed = requests
        .iter()
        .zip(answers)
        .map(|(request, answer)| Placed::new(request, answer));
    if let Some(verifier) = placed.next() {
        printer.result(&Deployment {
            name: contract.contract,
            unsafe_srs: contract.unsafe_srs,
            verifier,
            key: placed.next(),
        })?;
    }
    Ok(Status::Done)
}

impl Placed {
    fn new(request: &DeployRequest, answer: Answer) -> Self {
        Self {
            code_bytes: request.code_bytes,
            already_deployed: matches!(
                answer,
                Answer::Done(Deployed::Before { .. }) | Answer::Tried(Deployed::Before { .. })
            ),
            answer,
        }
    }

    fn render(&self, name: &str, style: Style) -> String {
        let (verdict, mut rows) = match &self.answer {
            Answer::Done(Deployed::Now(receipt)) => ("is deployed", chain::receipt_rows(receipt)),
            Answer::Tried(Deployed::Now(quote)) => ("would be deployed", chain::quote_rows(quote)),
            Answer::Done(Deployed::Before { address, chain_id })
            | Answer::Tried(Deployed::Before { address, chain_id }) => {
                let rows = vec![("address", address.to_string()), ("chain", chain_id.to_string())];
                ("is already deployed, nothing is sent", rows)
            }
        };
        rows.push(("code", format!("{} bytes", thousands(self.code_bytes as u64))));
        format!(
            "{} {}\n{}",
            style.bold(name),
            style.good(verdict),
            pairs(style, 2, &rows)
        )
    }
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
        let mut text = self.verifier.render(&self.name, style);
        if let Some(key) = &self.key {
            text.push_str(&key.render("its key", style));
        }
        text
    }
}
