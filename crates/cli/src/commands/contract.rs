use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, FoundryProject, VerifyingKeyFile,
    evm::{DeploymentReport, VerificationReport},
    solidity::find_solc,
    verifier::{Digest, Kind},
};

use super::Status;
use crate::{
    args::{Contract, Style as Generator},
    output::{Target, write},
    printer::{Printer, Report, Style, pairs, release, thousands},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Built {
    model: String,
    name: String,
    style: &'static str,
    solc: String,
    verifying_key_digest: Digest,
    unsafe_srs: bool,
    public_inputs: Vec<String>,
    deployment: DeploymentReport,
    verification: VerificationReport,
    source: PathBuf,
    abi: PathBuf,
    init_code: PathBuf,
    contract: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    foundry: Option<PathBuf>,
}

pub(super) fn run(args: Contract, settings: &Settings, printer: &Printer) -> Result<Status> {
    let Generator::Reference = args.style;
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let name = args.name.unwrap_or_else(|| contract_name(&key.name));
    let folder = args.output.unwrap_or_else(|| PathBuf::from("."));
    let file = |ending: &str| match folder.as_os_str() == "." {
        true => PathBuf::from(format!("{name}.{ending}")),
        false => folder.join(format!("{name}.{ending}")),
    };
    let (source, abi, init_code, contract) = (file("sol"), file("abi.json"), file("bin"), file("contract"));
    Target::Artifact(Kind::Contract).check(&contract)?;
    if !contract.exists() {
        for path in [&source, &abi, &init_code] {
            refuse_stranger(path)?;
        }
    }
    let solc = settings.solc(args.solc);
    find_solc(&solc)?;
    let busy = printer.busy("generating, compiling and trying the contract");
    let built = ContractFile::build(&key, &name, &solc)?;
    drop(busy);
    // The only step that may find somebody's work in its way, so it goes first.
    if let Some(folder) = &args.foundry {
        FoundryProject::new(&built, &key)?.write(folder)?;
    }
    let compiled = &built.build.compiled;
    write(&source, compiled.source.as_bytes())?;
    write(&abi, format!("{:#}\n", compiled.abi).as_bytes())?;
    write(&init_code, hex::encode(&compiled.init_code).as_bytes())?;
    built.save(&contract)?;
    if key.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: for local development chains only");
    }
    printer.result(&Built {
        model: key.name.clone(),
        name,
        style: "reference",
        solc: compiled.solc_version.clone(),
        verifying_key_digest: built.verifying_key,
        unsafe_srs: key.unsafe_srs,
        public_inputs: key
            .schema
            .iter()
            .map(|field| format!("{}[{}]", field.name, field.index))
            .collect(),
        deployment: built.build.deployment.clone(),
        verification: built.build.verification.clone(),
        source,
        abi,
        init_code,
        contract,
        foundry: args.foundry,
    })?;
    Ok(Status::Done)
}

/// A folder without the artifact holds nothing of ours: what is there under these names is somebody's work.
fn refuse_stranger(path: &Path) -> Result<()> {
    if path.exists() {
        return Err(crate::failure::hinted(
            format!("{} is there already and was not generated here", path.display()),
            "choose another --name or folder, or move that file away",
        ));
    }
    Ok(())
}

/// `credit-model` as `CreditModelVerifier`.
pub(super) fn contract_name(model: &str) -> String {
    let mut name = String::new();
    for word in model.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            name.push(first.to_ascii_uppercase());
            name.extend(letters);
        }
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "Model");
    }
    format!("{name}Verifier")
}

impl Report for Built {
    fn render(&self, style: Style) -> String {
        let rows = [
            (
                "code",
                format!(
                    "{} of {} bytes, solc {}",
                    thousands(self.deployment.code_bytes as u64),
                    thousands(self.deployment.code_limit as u64),
                    release(&self.solc)
                ),
            ),
            ("deployment", format!("{} gas", thousands(self.deployment.gas))),
            (
                "verification",
                format!(
                    "{} gas a transaction, {} of it execution",
                    thousands(self.verification.transaction_gas),
                    thousands(self.verification.execution_gas)
                ),
            ),
            ("public inputs", self.public_inputs.join(", ")),
        ];
        let project = match &self.foundry {
            Some(folder) => format!("wrote a Foundry project to {}\n", folder.display()),
            None => String::new(),
        };
        format!(
            "{} accepts a valid proof and rejects forged ones\n{}wrote {}, {}, {} and {}\n{project}",
            style.bold(&self.name),
            pairs(style, 2, &rows),
            self.source.display(),
            self.abi.display(),
            self.init_code.display(),
            self.contract.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::contract_name;

    #[test]
    fn names_are_solidity_identifiers() {
        assert_eq!(contract_name("logreg"), "LogregVerifier");
        assert_eq!(contract_name("credit-model.v2"), "CreditModelV2Verifier");
        assert_eq!(contract_name("7b"), "Model7bVerifier");
        assert_eq!(contract_name("--"), "Verifier");
    }
}
