use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, Proof,
    evm::{DeploymentReport, KnownProof, Simulator, VerificationReport},
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
    #[serde(flatten)]
    shown: Shown,
    deployment: DeploymentReport,
    verification: VerificationReport,
}

/// What the proofs of a transaction show.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Shown {
    One {
        public: Vec<PublicValue>,
    },
    Batch {
        proofs: Vec<Part>,
        #[serde(flatten)]
        saving: Saving,
    },
}

/// One proof of a batch.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    file: PathBuf,
    public: Vec<PublicValue>,
}

/// What one transaction saves, beside one for each proof on the embedded chain.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Saving {
    gas_per_proof: u64,
    gas_per_proof_alone: u64,
    gas_saved_per_proof: i64,
}

/// Reads proofs, all of the contract's own model.
pub(super) fn load(files: &[PathBuf], contract: &ContractFile) -> Result<Vec<Proof>> {
    let read = files
        .iter()
        .map(|file| Ok(Proof::load(file, Some(contract.verifying_key))?));
    read.collect()
}

impl Shown {
    /// What proofs show, and what they save in a transaction of this gas.
    pub(super) fn new(contract: &ContractFile, files: &[PathBuf], proofs: &[Proof], gas: u64) -> Result<Self> {
        let public = |proof: &Proof| public::read(&contract.schema, &proof.public_inputs);
        if let [proof] = proofs {
            return Ok(Self::One { public: public(proof) });
        }
        let mut simulator = Simulator::deploy(&contract.build.compiled)?;
        let mut alone = 0;
        for proof in proofs {
            alone += simulator.verify(&proof.proof, &proof.words())?.transaction_gas;
        }
        let count = proofs.len() as u64;
        let (gas_per_proof, gas_per_proof_alone) = (gas / count, alone / count);
        let parts = files.iter().zip(proofs).map(|(file, proof)| Part {
            file: file.clone(),
            public: public(proof),
        });
        Ok(Self::Batch {
            proofs: parts.collect(),
            saving: Saving {
                gas_per_proof,
                gas_per_proof_alone,
                gas_saved_per_proof: gas_per_proof_alone as i64 - gas_per_proof as i64,
            },
        })
    }

    /// A row about what a batch saves.
    pub(super) fn rows(&self) -> Option<(&'static str, String)> {
        let Self::Batch { proofs, saving } = self else {
            return None;
        };
        let (verb, difference) = match saving.gas_saved_per_proof {
            0.. => ("saves", saving.gas_saved_per_proof),
            _ => ("costs", -saving.gas_saved_per_proof),
        };
        Some((
            "a proof",
            format!(
                "{} gas; the batch of {} {verb} {} of the {} of a transaction each",
                thousands(saving.gas_per_proof),
                proofs.len(),
                thousands(difference.unsigned_abs()),
                thousands(saving.gas_per_proof_alone)
            ),
        ))
    }

    /// The public values, by proof.
    pub(super) fn render(&self, verb: &str, style: Style) -> String {
        match self {
            Self::One { public } => format!("it {verb}\n{}", public::render(public, style)),
            Self::Batch { proofs, .. } => proofs
                .iter()
                .map(|part| {
                    let values = public::render(&part.public, style);
                    format!("{} {verb}\n{values}", part.file.display())
                })
                .collect(),
        }
    }
}

pub(super) fn run(args: &Simulate, printer: &Printer) -> Result<Status> {
    let contract = ContractFile::load(&args.contract)?;
    let proofs = load(&args.proof, &contract)?;
    let busy = printer.busy("running the EVM");
    let mut simulator = Simulator::deploy(&contract.build.compiled)?;
    let verification = match proofs.as_slice() {
        [proof] => simulator.verify(&proof.proof, &proof.words())?,
        proofs => simulator.verify_batch(&proofs.iter().map(Proof::known).collect::<Vec<KnownProof>>())?,
    };
    let shown = Shown::new(&contract, &args.proof, &proofs, verification.transaction_gas)?;
    drop(busy);
    if contract.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: everybody could have forged this proof");
    }
    let report = Simulated {
        accepted: verification.outcome.is_accepted(),
        model: contract.name.clone(),
        name: contract.contract.clone(),
        unsafe_srs: contract.unsafe_srs,
        shown,
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
        let mut rows = vec![
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
        rows.extend(self.shown.rows());
        let verb = if self.accepted { "shows" } else { "claimed" };
        format!(
            "{} on the embedded chain: {verdict}\n{}{}",
            style.bold(&self.name),
            pairs(style, 2, &rows),
            self.shown.render(verb, style)
        )
    }
}
