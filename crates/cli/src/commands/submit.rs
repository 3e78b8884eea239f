use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, Proof,
    evm::{
        DeployRequest, Placement, Quote, Receipt, SendOptions, SubmitRequest, block_on, code_hash, deploy, dry_run,
        submit,
    },
};

use super::{Status, chain};
use crate::{
    args::Submit,
    printer::{Printer, Report, Style, pairs},
    public::{self, PublicValue},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Submitted {
    accepted: bool,
    name: String,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
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
    let proof = Proof::load(&args.proof, Some(contract.verifying_key))?;
    let compiled = &contract.build.compiled;
    let address = args.address.as_deref().map(chain::address).transpose()?;
    let options = chain::options(&args.chain, &args.proof)?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let policy = chain::policy(&args.chain, contract.unsafe_srs);
    if contract.unsafe_srs {
        printer.warning("this verifier was made with the UNSAFE development SRS");
    }
    let address = match address {
        Some(address) => address,
        None => {
            let key = chain::key(&args.chain, settings, &reached)?;
            let request = DeployRequest::new(compiled, Placement::default());
            let mut cashier = chain::Cashier::new(printer, &args.chain, "deploying");
            let options = SendOptions::default();
            let deployed = deploy(&reached.target, key, &request, policy, &options, &mut cashier);
            block_on(deployed)?.address()
        }
    };
    let request = SubmitRequest {
        address,
        proof: proof.proof.clone(),
        public_inputs: proof.words(),
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
    printer.result(&Submitted {
        accepted: true,
        name: compiled.contract_name.clone(),
        unsafe_srs: contract.unsafe_srs,
        public: public::read(&contract.schema, &proof.public_inputs),
        code_checked: request.expected_code_hash.is_some(),
        answer,
    })?;
    Ok(Status::Done)
}

impl Report for Submitted {
    fn render(&self, style: Style) -> String {
        let (verdict, rows) = match &self.answer {
            Answer::Sent(receipt) => ("accepted the proof", chain::receipt_rows(receipt)),
            Answer::Tried(quote) => ("would accept the proof", chain::quote_rows(quote)),
        };
        format!(
            "{} {}\n{}it shows\n{}",
            style.bold(&self.name),
            style.good(verdict),
            pairs(style, 2, &rows),
            public::render(&self.public, style)
        )
    }
}
