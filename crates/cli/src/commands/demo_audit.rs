//! The story of `zkverdict demo audit`: how good and how fair a model is on a table that nobody sees.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Serialize;
use zkverdict::{
    AuditOptions, CalibrationFile, CompileOptions, ContractFile, GroupRule, Keys, Model, Style as ContractStyle,
    compile_audit, context_from_text,
    evm::{Outcome, Simulator, U256},
    models::Claim,
    prove,
    solidity::SolcChoice,
    srs::Srs,
};

use super::{Status, prove::words};
use crate::{
    printer::{Printer, Report, Style, pairs, size, thousands},
    public::{self, PublicValue},
};

/// Rows of the table that are audited: what takes some seconds. The whole table has 1,000.
const ROWS: usize = 175;

const MODEL: &[u8] = include_bytes!("../../../../examples/credit/logreg.onnx");
const CALIBRATION: &[u8] = include_bytes!("../../../../examples/credit/calibration.json");
const TABLE: &str = include_str!("../../../../examples/credit/audit.csv");

#[derive(Debug, Serialize)]
struct Audited {
    rows: usize,
    groups: Vec<String>,
    data_root: String,
    k: u32,
    proof_bytes: usize,
    verify_gas: u64,
    public: Vec<PublicValue>,
    accepted: Outcome,
    /// The same proof with the claims that failed turned into ones that hold, or the other way round.
    forged: Outcome,
    /// The same proof for another table.
    other_table: Outcome,
    as_expected: bool,
}

pub(super) fn run(solc: &SolcChoice, printer: &Printer) -> Result<Status> {
    let folder = tempfile::tempdir().context("no temporary folder could be made")?;
    let told = tell(solc, folder.path(), printer)?;
    printer.result(&told)?;
    Ok(if told.as_expected { Status::Done } else { Status::Failed })
}

fn tell(solc: &SolcChoice, folder: &Path, printer: &Printer) -> Result<Audited> {
    let at = |file: &str| folder.join(file);
    let (model_path, samples, table) = (at("logreg.onnx"), at("samples.json"), at("audit.csv"));
    fs::write(&model_path, MODEL)?;
    fs::write(&samples, CALIBRATION)?;
    let lines: Vec<&str> = TABLE.lines().take(1 + ROWS).collect();
    fs::write(&table, lines.join("\n"))?;

    let busy = printer.busy("compiling the audit");
    let model = Model::load(&model_path)?;
    let calibration = CalibrationFile::measure(&model, &model.samples(&samples, &[])?, 4.0)?;
    let group = GroupRule::parse("age_in_years>=26", &table)?;
    let groups = group.names();
    let claims = ["accuracy>=0.7", "four-fifths", "parity<=0.1"];
    let claims = claims
        .iter()
        .map(|claim| claim.parse::<Claim>().map_err(anyhow::Error::msg));
    let audit = AuditOptions {
        label: "creditability".to_owned(),
        group: Some(group),
        positive: None,
        claims: claims.collect::<Result<_>>()?,
        ignore: Vec::new(),
    };
    let circuit = compile_audit(&model, &calibration, &CompileOptions::default(), &table, &audit)?.file;
    busy.now("making keys");
    let keys = Keys::generate(&circuit, &Srs::development(circuit.compiled.k)?)?;
    busy.now("proving");
    let sample = circuit.samples(&table, &[])?.swap_remove(0);
    let context = context_from_text("audit of logreg, chain 31337")?;
    let (proof, _) = prove(&circuit, &keys.proving, &sample, context)?;
    proof.verify(&keys.verifying)?;
    busy.now("building the contract");
    let contract = ContractFile::build(&keys.verifying, "CreditAuditVerifier", ContractStyle::default(), solc)?;
    busy.now("running the EVM");
    let mut chain = Simulator::deploy(&contract.build.compiled)?;
    let accepted = chain.verify(&proof.proof, &proof.words())?;
    let mut changed = |place: usize| {
        let mut words = proof.words();
        if let Some(word) = words.get_mut(place) {
            *word = if place == 1 {
                *word ^ U256::from(1)
            } else {
                U256::from(u8::from(word.is_zero()))
            };
        }
        anyhow::Ok(chain.verify(&proof.proof, &words)?.outcome)
    };
    let other_table = changed(1)?;
    let forged = changed(proof.public_inputs.len() - 1)?;
    drop(busy);
    let root = proof.public_inputs.get(1..2).unwrap_or_default();
    Ok(Audited {
        rows: ROWS,
        groups,
        data_root: words(root).concat(),
        k: circuit.compiled.k,
        proof_bytes: proof.proof.len(),
        verify_gas: accepted.transaction_gas,
        public: public::read(&contract.schema, &proof.public_inputs),
        as_expected: accepted.outcome.is_accepted() && !forged.is_accepted() && !other_table.is_accepted(),
        accepted: accepted.outcome,
        forged,
        other_table,
    })
}

impl Report for Audited {
    fn render(&self, style: Style) -> String {
        let chapter = |number: u8, text: &str| format!("\n{}  {}\n", style.dim(&number.to_string()), style.bold(text));
        let mut text = format!("\n{}\n", style.bold("zkverdict: an audit, proven to a contract"));
        text += &chapter(1, "The table: this stays on this machine");
        text += &pairs(
            style,
            5,
            &[
                (
                    "rows",
                    format!("the first {} of 1,000 of German Credit, with labels", self.rows),
                ),
                ("groups", self.groups.join(", ")),
                ("data root", self.data_root.clone()),
            ],
        );
        text += &chapter(2, "The proof: one circuit over all rows");
        text += &pairs(
            style,
            5,
            &[
                (
                    "size",
                    format!("2^{} rows, proof of {}", self.k, size(self.proof_bytes as u64)),
                ),
                ("keys", "UNSAFE development SRS: for demonstrations only".to_owned()),
            ],
        );
        text += &chapter(3, "What everybody sees: whether each claim holds, and no count");
        let outputs: Vec<(&str, String)> = public::outputs(&self.public)
            .map(|output| (output.name.as_str(), output.text()))
            .collect();
        text += &pairs(style, 5, &outputs);
        text += &chapter(4, "The contract on an embedded chain");
        let show = |outcome: &Outcome, good: bool| match outcome.is_accepted() == good {
            true => style.good(if good { "accepted" } else { "rejected" }),
            false => style.bad(&outcome.to_string()),
        };
        text += &pairs(
            style,
            5,
            &[
                (
                    "the proof",
                    format!("{}, {} gas", show(&self.accepted, true), thousands(self.verify_gas)),
                ),
                ("the last claim turned around", show(&self.forged, false)),
                ("the same for another table", show(&self.other_table, false)),
            ],
        );
        text.push('\n');
        text
    }
}
