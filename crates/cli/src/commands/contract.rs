use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    ContractFile, FoundryProject, KeyCosts, Sharing, Style as ContractStyle, VerifyingKeyFile,
    evm::{DeploymentReport, VerificationReport},
    solidity::{compact::key_init_code, find_solc},
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
    style: ContractStyle,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharing: Option<Sharing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<KeyCosts>,
    solc: String,
    verifying_key_digest: Digest,
    unsafe_srs: bool,
    public_inputs: Vec<String>,
    deployment: DeploymentReport,
    verification: VerificationReport,
    source: PathBuf,
    abi: PathBuf,
    init_code: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_code: Option<PathBuf>,
    contract: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    foundry: Option<PathBuf>,
}

pub(super) fn run(args: Contract, settings: &Settings, printer: &Printer) -> Result<Status> {
    let generator = match (args.style, args.embedded_key) {
        (_, true) => ContractStyle::Embedded,
        (Generator::Compact, false) => ContractStyle::Compact,
        (Generator::Reference, false) => ContractStyle::Reference,
    };
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let name = args.name.unwrap_or_else(|| contract_name(&key.name));
    let folder = args.output.unwrap_or_else(|| PathBuf::from("."));
    let file = |ending: &str| match folder.as_os_str() == "." {
        true => PathBuf::from(format!("{name}.{ending}")),
        false => folder.join(format!("{name}.{ending}")),
    };
    let (source, abi, init_code, contract) = (file("sol"), file("abi.json"), file("bin"), file("contract"));
    let key_code = (generator == ContractStyle::Compact).then(|| file("key.bin"));
    Target::Artifact(Kind::Contract).check(&contract)?;
    if !contract.exists() {
        for path in [&source, &abi, &init_code].into_iter().chain(&key_code) {
            refuse_stranger(path)?;
        }
    }
    let solc = settings.solc(args.solc);
    if ContractFile::needs_solc(&key, &name, generator)? {
        find_solc(&solc)?;
    }
    let busy = printer.busy("generating, compiling and trying the contract");
    let built = ContractFile::build(&key, &name, generator, &solc)?;
    drop(busy);
    // The only step that may find somebody's work in its way, so it goes first.
    if let Some(folder) = &args.foundry {
        FoundryProject::new(&built, &key)?.write(folder)?;
    }
    let compiled = &built.build.compiled;
    write(&source, compiled.source.as_bytes())?;
    write(&abi, format!("{:#}\n", compiled.abi).as_bytes())?;
    write(&init_code, hex::encode(&compiled.init_code).as_bytes())?;
    if let (Some(path), Some(key)) = (&key_code, &compiled.key) {
        write(path, hex::encode(key_init_code(key)).as_bytes())?;
    }
    built.save(&contract)?;
    if key.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: for local development chains only");
    }
    printer.result(&Built {
        model: key.name.clone(),
        name,
        style: generator,
        sharing: built.sharing(),
        explained: args.explain.then(|| built.explain(&key.known)).transpose()?.flatten(),
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
        key_code,
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
        let mut rows = vec![
            (
                "code",
                format!(
                    "{} of {} bytes, solc {}",
                    thousands(self.deployment.code_bytes as u64),
                    thousands(self.deployment.code_limit as u64),
                    release(&self.solc)
                ),
            ),
            (
                "deployment",
                match self.key_code {
                    Some(_) => format!(
                        "{} gas, once for all models of the shape",
                        thousands(self.deployment.gas)
                    ),
                    None => format!("{} gas", thousands(self.deployment.gas)),
                },
            ),
        ];
        if let Some(key) = self.deployment.key {
            let bytes = thousands(key.bytes as u64);
            rows.push(("key", format!("{bytes} bytes, {} gas", thousands(key.gas))));
        }
        rows.push((
            "verification",
            format!(
                "{} gas a transaction, {} of it execution",
                thousands(self.verification.transaction_gas),
                thousands(self.verification.execution_gas)
            ),
        ));
        if let Some(sharing) = &self.sharing {
            rows.push(("shape", sharing.to_string()));
        }
        rows.push(("public inputs", self.public_inputs.join(", ")));
        let mut text = format!(
            "{} accepts a valid proof and rejects forged ones\n{}",
            style.bold(&self.name),
            pairs(style, 2, &rows),
        );
        if let Some(costs) = &self.explained {
            text.push_str(&explanation(costs, style));
        }
        let mut files = vec![&self.source, &self.abi, &self.init_code];
        files.extend(&self.key_code);
        let files: Vec<String> = files.into_iter().map(|path| path.display().to_string()).collect();
        text.push_str(&format!("wrote {} and {}\n", files.join(", "), self.contract.display()));
        if let Some(folder) = &self.foundry {
            text.push_str(&format!("wrote a Foundry project to {}\n", folder.display()));
        }
        text
    }
}

/// What each way of giving the verifier a key costs.
fn explanation(costs: &KeyCosts, style: Style) -> String {
    let gas = |gas| format!("{} gas", thousands(gas));
    let rows = [
        (
            "as a contract",
            format!(
                "{} once, {} a proof",
                gas(costs.contract_once),
                gas(costs.contract_proof)
            ),
        ),
        (
            "in calldata",
            format!(
                "nothing but its digest once, {} a proof: cheaper up to {} proofs",
                gas(costs.calldata_proof),
                thousands(costs.break_even)
            ),
        ),
        (
            "in batches",
            format!("{} a proof, in batches of {}", gas(costs.batch_proof), costs.batch),
        ),
    ];
    format!("the key\n{}", pairs(style, 2, &rows))
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
