use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, Proof,
    evm::{DeploymentReport, Simulator, VerificationReport},
};

use super::Status;
use crate::{
    args::Simulate,
    printer::{Printer, Report, Style, pairs, thousands},
    public::{self, PublicValue},
};

#[derive(Debug, Serialize)]
struct Simulated {
    accepted: bool,
    model: String,
    name: String,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
    deployment: DeploymentReport,
    verification: VerificationReport,
}

pub(super) fn run(args: &Simulate, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let proof = Proof::load(&args.proof, Some(contract.verifying_key))?;
    let compiled = &contract.build.compiled;
    let busy = printer.busy("running the EVM");
    let mut simulator = Simulator::deploy(compiled)?;
    let verification = simulator.verify(&proof.proof, &proof.words())?;
    drop(busy);
    if contract.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: everybody could have forged this proof");
    }
    let report = Simulated {
        accepted: verification.outcome.is_accepted(),
        model: contract.name.clone(),
        name: contract.contract.clone(),
        unsafe_srs: contract.unsafe_srs,
        public: public::read(&contract.schema, &proof.public_inputs),
        deployment: simulator.deployment().clone(),
        verification,
    };
    printer.result(&report)?;
    Ok(if report.accepted { Status::Done } else { Status::Failed })
}

impl Report for Simulated {
    fn render(&self, style: Style) -> String {
        let (deployment, verification) = (&self.deployment, &self.verification);
        let verdict = match self.accepted {
            true => style.good("accepted"),
            false => style.bad(&verification.outcome.to_string()),
        };
        let rows = [
            (
                "transaction",
                format!("{} gas", thousands(verification.transaction_gas)),
            ),
            ("execution", format!("{} gas", thousands(verification.execution_gas))),
            (
                "calldata",
                format!(
                    "{} bytes, {} gas",
                    thousands(verification.calldata_bytes as u64),
                    thousands(verification.calldata_gas)
                ),
            ),
            ("deployment", format!("{} gas", thousands(deployment.gas))),
            (
                "code",
                format!(
                    "{} of {} bytes, init code {} of {}",
                    thousands(deployment.code_bytes as u64),
                    thousands(deployment.code_limit as u64),
                    thousands(deployment.init_code_bytes as u64),
                    thousands(deployment.init_code_limit as u64)
                ),
            ),
        ];
        format!(
            "{} on the embedded chain: {verdict}\n{}it {}\n{}",
            style.bold(&self.name),
            pairs(style, 2, &rows),
            if self.accepted { "shows" } else { "claimed" },
            public::render(&self.public, style)
        )
    }
}
