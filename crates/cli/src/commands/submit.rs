use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, Proof,
    evm::{
        Address, DryRun, KeyContract, SubmitReceipt, SubmitRequest, block_on, code_hash, deploy, dry_run,
        key_code_hash, submit,
    },
};

use super::{Status, chain};
use crate::{
    args::Submit,
    failure::hinted,
    printer::{Printer, Report, Style, pairs, thousands},
    public::{self, PublicValue},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Submitted {
    accepted: bool,
    name: String,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Sent(SubmitReceipt),
    Tried(DryRun),
}

pub(super) fn run(args: &Submit, settings: &Settings, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let proof = Proof::load(&args.proof, Some(contract.verifying_key))?;
    let compiled = &contract.build.compiled;
    let address = args.address.as_deref().map(parse_address).transpose()?;
    let reached = chain::reach(&args.chain, settings, printer)?;
    let policy = chain::policy(&args.chain, contract.unsafe_srs);
    let options = chain::options(&args.chain);
    if contract.unsafe_srs {
        printer.warning("this verifier was made with the UNSAFE development SRS");
    }
    let (address, key_address) = match address {
        Some(address) => (address, args.key.as_deref().map(parse_address).transpose()?),
        None => {
            let busy = printer.busy("deploying");
            let key = chain::key(&args.chain, settings, &reached)?;
            let receipt = block_on(deploy(&reached.target, key, compiled, policy, options))?;
            drop(busy);
            printer.note(&format!(
                "deployed at {} for {} gas",
                receipt.address,
                thousands(receipt.gas_used)
            ));
            (receipt.address, receipt.key.map(|key| key.address))
        }
    };
    let key = match (&compiled.key, key_address) {
        (Some(key), Some(address)) => Some(KeyContract {
            address,
            code_hash: key_code_hash(key),
        }),
        (Some(_), None) => {
            return Err(hinted(
                "this contract's key stands apart from the verifier, and its address is not given".to_owned(),
                "add --key with the key's address that `zkverdict deploy` printed",
            ));
        }
        (None, Some(_)) => {
            return Err(hinted("this contract holds its own key".to_owned(), "leave out --key"));
        }
        (None, None) => None,
    };
    let request = SubmitRequest {
        address,
        key,
        proof: proof.proof.clone(),
        public_inputs: proof.words(),
        expected_code_hash: Some(code_hash(compiled)),
    };
    let busy = printer.busy(if args.dry_run { "asking the chain" } else { "submitting" });
    let answer = if args.dry_run {
        Answer::Tried(block_on(dry_run(&reached.target, None, &request))?)
    } else {
        let key = chain::key(&args.chain, settings, &reached)?;
        Answer::Sent(block_on(submit(&reached.target, key, &request, policy, options))?)
    };
    drop(busy);
    printer.result(&Submitted {
        accepted: true,
        name: contract.contract.clone(),
        unsafe_srs: contract.unsafe_srs,
        public: public::read(&contract.schema, &proof.public_inputs),
        answer,
    })?;
    Ok(Status::Done)
}

fn parse_address(text: &str) -> Result<Address> {
    text.parse().map_err(|_| {
        hinted(
            format!("{text:?} is not an address of 20 bytes in hexadecimal"),
            "copy the address that `zkverdict deploy` printed",
        )
    })
}

impl Report for Submitted {
    fn render(&self, style: Style) -> String {
        let (verdict, rows) = match &self.answer {
            Answer::Sent(receipt) => (
                "accepted the proof",
                vec![
                    ("address", receipt.address.to_string()),
                    ("chain", receipt.chain_id.to_string()),
                    ("transaction", receipt.transaction.to_string()),
                    (
                        "block",
                        receipt
                            .block
                            .map_or_else(|| "pending".to_owned(), |block| block.to_string()),
                    ),
                    ("paid by", receipt.sender.to_string()),
                    (
                        "gas",
                        format!("{} at {} wei", thousands(receipt.gas_used), receipt.gas_price),
                    ),
                ],
            ),
            Answer::Tried(tried) => (
                "would accept the proof",
                vec![
                    ("address", tried.address.to_string()),
                    ("chain", tried.chain_id.to_string()),
                    ("gas", format!("about {}", thousands(tried.gas_estimate))),
                ],
            ),
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
