use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use zkverdict::{
    ContractFile, ContractGas, KeyPlace, Proof, Style as ContractStyle, VerifyingKeyFile,
    solidity::{SolcChoice, find_solc},
    verifier::{Artifact, ArtifactError, Kind},
};

use super::{Status, contract::contract_name};
use crate::{
    args::Gas,
    failure::hinted,
    printer::{Printer, Report, Style, pairs, table, thousands},
    settings::Settings,
};

/// Figures of this program and of EZKL, as `scripts/bench` measures and records them.
const BENCHMARKS: &str = include_str!("../../../../docs/benchmarks.json");

#[derive(Debug, Serialize)]
struct GasCosts {
    model: String,
    ways: Vec<ContractGas>,
    /// A shared verifier and a key contract for each shape that is compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shapes: Vec<ShapeGas>,
    #[serde(skip_serializing_if = "Option::is_none")]
    break_even: Option<BreakEven>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ezkl: Option<Peer>,
}

/// One shape of a model.
#[derive(Debug, Serialize)]
struct ShapeGas {
    /// The shipped verifier's name, or the digest of the shape.
    shape: String,
    #[serde(flatten)]
    gas: ContractGas,
}

/// When a key's contract is worth what it costs.
#[derive(Debug, Serialize)]
struct BreakEven {
    /// Gas of the key's contract.
    register: u64,
    /// What a proof with the key in calldata costs more.
    more_per_proof: u64,
    /// Proofs up to which calldata is cheaper in sum.
    proofs: u64,
}

/// EZKL's verifier of the same model.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Peer {
    model: String,
    setting: String,
    #[serde(rename = "gas")]
    verify: Option<u64>,
    deploy: Option<u64>,
    code: Option<u64>,
    /// Where the figures come from.
    source: String,
}

pub(super) fn run(args: &Gas, settings: &Settings, printer: &Printer) -> Result<Status> {
    let busy = printer.busy("running the EVM");
    let solc = settings.solc(args.solc.clone());
    let mut shapes = Vec::new();
    let (model, ways) = match is_contract(&args.file) {
        true if !args.beside.is_empty() => {
            return Err(hinted(
                format!("{} is a contract of one shape", args.file.display()),
                "give the verifying key where other shapes are compared with it",
            ));
        }
        true => {
            let contract = ContractFile::load(&args.file)?;
            let Some(proof) = &args.proof else {
                return Err(hinted(
                    format!("{} holds no proof to measure with", args.file.display()),
                    "give one with --proof, or the verifying key, which has one of its own",
                ));
            };
            let proof = Proof::load(proof, Some(contract.verifying_key))?;
            (contract.name.clone(), contract.gas(&proof)?)
        }
        false => {
            let key = VerifyingKeyFile::load(&args.file)?;
            let proof = match &args.proof {
                Some(path) => Proof::load(path, Some(key.key.digest()))?,
                None => key.known.clone(),
            };
            if !args.beside.is_empty() {
                shapes.push(of_shape(&key, &solc)?);
            }
            for other in &args.beside {
                let other = VerifyingKeyFile::load(other)?;
                if other.name != key.name {
                    return Err(hinted(
                        format!("{} and {} are keys of different models", key.name, other.name),
                        "compile one model with several --lanes, and set each of them up",
                    ));
                }
                shapes.push(of_shape(&other, &solc)?);
            }
            (key.name.clone(), of_key(&key, &proof, &solc, printer)?)
        }
    };
    drop(busy);
    let ezkl = peer(args.peer.as_deref().unwrap_or(&model));
    if let (Some(asked), None) = (&args.peer, &ezkl) {
        return Err(hinted(
            format!("EZKL's gas is not recorded for {asked}"),
            format!(
                "recorded are {}",
                peers().map(|peer| peer.model).collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    printer.result(&GasCosts {
        break_even: break_even(&ways),
        model,
        ways,
        shapes,
        ezkl,
    })?;
    Ok(Status::Done)
}

fn is_contract(path: &Path) -> bool {
    !matches!(
        Artifact::read(path, Kind::Contract),
        Err(ArtifactError::WrongKind { .. } | ArtifactError::NotAnArtifact { .. } | ArtifactError::Io { .. })
    )
}

/// All styles of one model. Those that need a compiler are left out where there is none.
fn of_key(key: &VerifyingKeyFile, proof: &Proof, solc: &SolcChoice, printer: &Printer) -> Result<Vec<ContractGas>> {
    let name = contract_name(&key.name);
    let mut ways = Vec::new();
    for style in [
        ContractStyle::Compact,
        ContractStyle::Embedded,
        ContractStyle::Reference,
    ] {
        if style == ContractStyle::Reference && key.key.link.is_some() {
            printer.note("reference is left out: it checks no links to models");
            continue;
        }
        if ContractFile::needs_solc(key, &name, style)? && find_solc(solc).is_err() {
            printer.note(&format!(
                "{} is left out: it takes solc (`zkverdict doctor`)",
                style.name()
            ));
            continue;
        }
        ways.extend(ContractFile::build(key, &name, style, solc)?.gas(proof)?);
    }
    Ok(ways)
}

/// A shared verifier of one shape, measured with the key's own proof.
fn of_shape(key: &VerifyingKeyFile, solc: &SolcChoice) -> Result<ShapeGas> {
    let contract = ContractFile::build(key, &contract_name(&key.name), ContractStyle::Compact, solc)?;
    let shape = contract.sharing().map_or_else(String::new, |sharing| sharing.name());
    // The first way is a single proof.
    let gas = contract.gas(&key.known)?.swap_remove(0);
    Ok(ShapeGas { shape, gas })
}

fn break_even(ways: &[ContractGas]) -> Option<BreakEven> {
    let of = |place| ways.iter().find(|way| way.key == place && way.proofs == 1);
    let (contract, calldata) = (of(KeyPlace::Contract)?, of(KeyPlace::Calldata)?);
    let more_per_proof = calldata.per_proof().checked_sub(contract.per_proof())?;
    Some(BreakEven {
        register: contract.register,
        more_per_proof,
        proofs: contract.register.checked_div(more_per_proof)?,
    })
}

fn peers() -> impl Iterator<Item = Peer> {
    #[derive(Deserialize)]
    struct Benchmarks {
        ezkl: Vec<Peer>,
    }
    let recorded: Vec<Peer> = serde_json::from_str(BENCHMARKS).map_or_else(|_| Vec::new(), |all: Benchmarks| all.ezkl);
    // Its settings differ in the prover's work, not in the contract: the first with figures is the default one.
    let mut seen = std::collections::BTreeSet::new();
    recorded
        .into_iter()
        .filter(|peer| peer.verify.is_some())
        .filter(move |peer| seen.insert(peer.model.clone()))
}

fn peer(model: &str) -> Option<Peer> {
    peers().find(|peer| peer.model == model)
}

impl Report for GasCosts {
    fn render(&self, style: Style) -> String {
        let name = |way: &ContractGas| {
            let key = match way.key {
                KeyPlace::Code => "key in the code",
                KeyPlace::Contract => "key contract",
                KeyPlace::Calldata => "key in calldata",
            };
            let proofs = match way.proofs {
                1 => String::new(),
                proofs => format!(", batch of {proofs}"),
            };
            match way.style {
                ContractStyle::Reference => "reference".to_owned(),
                ContractStyle::Embedded => "embedded".to_owned(),
                ContractStyle::Compact => format!("compact, {key}{proofs}"),
            }
        };
        let mut columns: Vec<Vec<String>> = Vec::new();
        let mut head = vec!["gas".to_owned()];
        for way in &self.ways {
            head.push(name(way));
            let each = |gas: u64| thousands(gas / way.proofs as u64);
            let mut cells = vec![
                thousands(way.code_bytes as u64),
                thousands(way.deploy),
                thousands(way.register),
            ];
            cells.extend(way.report.components.parts().map(|(_, gas)| each(gas)));
            cells.push(each(way.report.verification.transaction_gas));
            cells.push(each(way.report.floor));
            columns.push(cells);
        }
        let mut names = vec!["code, bytes", "deploy the verifier", "register the model"];
        names.extend(zkverdict::evm::GasComponents::default().parts().map(|(name, _)| name));
        names.extend(["a proof", "of it unavoidable"]);
        let rows: Vec<(bool, Vec<String>)> = names
            .iter()
            .enumerate()
            .map(|(row, name)| {
                let mut cells = vec![(*name).to_owned()];
                cells.extend(columns.iter().map(|column| column[row].clone()));
                (*name == "a proof", cells)
            })
            .collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let mut text = format!(
            "{} on the embedded chain, Osaka rules\n{}",
            style.bold(&self.model),
            table(style, &head, &rows)
        );
        if let Some(least) = self.shapes.iter().map(|shape| shape.gas.per_proof()).min() {
            let rows: Vec<(bool, Vec<String>)> = self
                .shapes
                .iter()
                .map(|ShapeGas { shape, gas }| {
                    let figures = [gas.deploy, gas.register, gas.per_proof(), gas.report.floor];
                    let mut cells = vec![shape.clone(), thousands(gas.code_bytes as u64)];
                    cells.extend(figures.map(thousands));
                    (gas.per_proof() == least, cells)
                })
                .collect();
            let head = [
                "shape",
                "code, bytes",
                "deploy the verifier",
                "register the model",
                "a proof",
                "of it unavoidable",
            ];
            text.push_str(&table(style, &head, &rows));
        }
        let mut facts = Vec::new();
        if let Some(even) = &self.break_even {
            facts.push((
                "break-even",
                format!(
                    "a key in calldata costs {} more a proof: cheaper than a key contract up to {} proofs",
                    thousands(even.more_per_proof),
                    thousands(even.proofs)
                ),
            ));
        }
        if let Some(peer) = &self.ezkl {
            let figure = |figure: Option<u64>| figure.map_or_else(|| "–".to_owned(), thousands);
            facts.push((
                "EZKL 23.0.5",
                format!(
                    "{} a proof of {}, {} to deploy {} bytes for this model ({})",
                    figure(peer.verify),
                    peer.model,
                    figure(peer.deploy),
                    figure(peer.code),
                    peer.source
                ),
            ));
        }
        text.push_str(&pairs(style, 2, &facts));
        text
    }
}
