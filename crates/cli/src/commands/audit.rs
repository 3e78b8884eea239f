use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    AuditOptions, AuditTable, CircuitFile, GroupRule, HostSpeed, Proof, RowOpening, SaltFile, SecretModel,
    VerifyingKeyFile,
    circuits::{Candidate, HostFactors},
    compile_audit, compile_statement,
    verifier::{Digest, Kind},
};

use super::{Status, compile, prove::words};
use crate::{
    args::{AuditCheck, AuditCommand, AuditCompile, AuditData, AuditOpen, AuditTrees},
    failure::hinted,
    fit::{self, Work},
    output::{Target, sibling},
    printer::{Printer, Report, Style, pairs, thousands},
    public::{self, PublicValue},
    settings::Settings,
};

pub(super) fn run(command: AuditCommand, settings: &Settings, printer: &Printer) -> Result<Status> {
    match command {
        AuditCommand::Compile(args) => compile(&args, settings, printer),
        AuditCommand::Trees(args) => trees(&args, settings, printer),
        AuditCommand::Data(args) => data(&args, settings, printer),
        AuditCommand::Open(args) => open(&args, settings, printer),
        AuditCommand::Check(args) => check(&args, printer),
    }
}

fn compile(args: &AuditCompile, settings: &Settings, printer: &Printer) -> Result<Status> {
    let group = args.group.as_deref().map(|text| GroupRule::parse(text, &args.data));
    let audit = AuditOptions {
        label: args.label.clone(),
        group: group.transpose()?,
        positive: args.positive.clone(),
        claims: args.claim.clone(),
        ignore: settings.ignored(&args.columns),
    };
    let same = args.same_model.as_deref().map(SecretModel::load).transpose()?;
    compile::run_with(
        &args.compile,
        "audit.circuit",
        settings,
        printer,
        |model, calibration, options| {
            let mut planned = compile_audit(model, calibration, options, &args.data, &audit)?;
            let table = planned.file.audit.as_ref().filter(|table| table.group_is_input);
            if let Some(rule) = table.and_then(|table| table.group.as_ref()) {
                printer.note(&format!(
                    "{} is taken for an input of the model, too: without it the table has fewer columns than the model \
                     reads",
                    rule.column()
                ));
            }
            if let Some(same) = &same {
                planned.file.secret = Some(same.rebound(&planned.file)?);
            }
            Ok(planned)
        },
    )
}

#[derive(Debug, Serialize)]
struct Stated {
    model: String,
    circuit_digest: Digest,
    claims: Vec<String>,
    chosen: Candidate,
    /// What the predicted CPU seconds hold for.
    host: HostFactors,
    output: PathBuf,
}

fn trees(args: &AuditTrees, settings: &Settings, printer: &Printer) -> Result<Status> {
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| sibling(&args.circuit, "statement.circuit"));
    Target::Artifact(Kind::Circuit).check(&output)?;
    let circuit = CircuitFile::load(&args.circuit)?;
    let busy = printer.busy("laying out");
    let options = settings.layout_options(args.optimize, &args.layouts);
    let planned = compile_statement(&circuit, &args.claim, &options)?;
    drop(busy);
    let host = HostSpeed::known().factors();
    let chosen = planned.file.plan.on(host);
    fit::check_memory(&chosen, Work::Setup, printer);
    planned.file.save_statement(&output, &circuit)?;
    printer.result(&Stated {
        model: circuit.name,
        circuit_digest: planned.file.digest(),
        claims: args.claim.iter().map(ToString::to_string).collect(),
        chosen,
        host,
        output,
    })?;
    Ok(Status::Done)
}

impl Report for Stated {
    fn render(&self, style: Style) -> String {
        let plan = &self.chosen;
        let mut rows = vec![("claims", self.claims.join(", ")), ("layout", compile::layout(plan))];
        rows.extend(compile::columns(plan));
        let count = self.claims.len();
        rows.extend([
            (
                "public",
                format!("{} numbers: context, model commitment, claims", 2 + count),
            ),
            (
                "visibility",
                "nodes and leaves are hidden, bound by the model's salted hash; seen is which claims are shown to hold"
                    .to_owned(),
            ),
        ]);
        rows.extend(compile::costs(plan));
        format!(
            "statement about the trees of {} compiled\n{}wrote {}\n",
            style.bold(&self.model),
            pairs(style, 2, &rows),
            self.output.display()
        )
    }
}

fn read(args: &AuditData, settings: &Settings) -> Result<(CircuitFile, AuditTable, Vec<Vec<f64>>)> {
    let circuit = CircuitFile::load(&args.circuit)?;
    let table = circuit.audit.clone().ok_or(zkverdict::Error::NotAudit)?;
    let mut samples = circuit.samples(&args.data, &settings.ignored(&args.columns))?;
    Ok((circuit, table, samples.swap_remove(0)))
}

#[derive(Debug, Serialize)]
struct CommittedTable {
    model: String,
    rows: usize,
    data_root: String,
    salt: PathBuf,
}

fn data(args: &AuditData, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (circuit, table, sample) = read(args, settings)?;
    let path = args.salt.clone().unwrap_or_else(|| sibling(&args.circuit, "salt"));
    let is_new = !path.exists();
    let salts = if is_new {
        SaltFile::random()
    } else {
        SaltFile::load(&path)?
    };
    let root = circuit.data_root(&sample, &salts.salts())?;
    // On the disk before anybody sees a root that it belongs to; nothing is written for a table that has none.
    if is_new {
        salts.create(&path)?;
    }
    printer.result(&CommittedTable {
        model: circuit.name,
        rows: table.audit.rows,
        data_root: words(&[root]).concat(),
        salt: path,
    })?;
    Ok(Status::Done)
}

impl Report for CommittedTable {
    fn render(&self, style: Style) -> String {
        let rows = [
            ("rows", thousands(self.rows as u64)),
            ("data root", self.data_root.clone()),
        ];
        format!(
            "table committed for {}\n{}the secret from which the rows' salts follow is in {}\n",
            style.bold(&self.model),
            pairs(style, 2, &rows),
            self.salt.display()
        )
    }
}

#[derive(Debug, Serialize)]
struct OpenedRow {
    model: String,
    row: usize,
    opening: PathBuf,
}

fn open(args: &AuditOpen, settings: &Settings, printer: &Printer) -> Result<Status> {
    let (circuit, _, sample) = read(&args.data, settings)?;
    let salt = args
        .data
        .salt
        .clone()
        .unwrap_or_else(|| sibling(&args.data.circuit, "salt"));
    if !salt.exists() {
        return Err(hinted(
            format!("{} is not there: a new salt opens nothing", salt.display()),
            "name the file that `zkverdict audit data` or `zkverdict prove` wrote: --salt FILE",
        ));
    }
    let salts = SaltFile::load(&salt)?.salts();
    let ending = format!("row{}.opening", args.row);
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| sibling(&args.data.circuit, &ending));
    RowOpening::of(&circuit, &sample, &salts, args.row)?.create(&path)?;
    printer.result(&OpenedRow {
        model: circuit.name,
        row: args.row,
        opening: path,
    })?;
    Ok(Status::Done)
}

impl Report for OpenedRow {
    fn render(&self, _: Style) -> String {
        format!(
            "wrote {}: whoever has it learns row {}, and nothing of the others\n",
            self.opening.display(),
            self.row
        )
    }
}

#[derive(Debug, Serialize)]
struct CheckedRow {
    opens: bool,
    model: String,
    row: usize,
    values: Vec<PublicValue>,
}

fn check(args: &AuditCheck, printer: &Printer) -> Result<Status> {
    let opening = RowOpening::load(&args.opening)?;
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let proof = Proof::load(&args.proof, Some(key.key.digest()))?;
    let (opens, fields) = opening.check(&key.schema, &proof.public_inputs)?;
    let values = fields.iter().zip(&opening.values);
    printer.result(&CheckedRow {
        opens,
        model: key.name.clone(),
        row: opening.row,
        values: values.map(|(field, value)| public::cell(field, *value)).collect(),
    })?;
    Ok(if opens { Status::Done } else { Status::Failed })
}

impl Report for CheckedRow {
    fn render(&self, style: Style) -> String {
        match self.opens {
            true => format!(
                "{}: row {} of the table that {} was audited on is\n{}",
                style.good("opens"),
                self.row,
                self.model,
                public::render(&self.values, style)
            ),
            false => format!(
                "{}: the table that {} was audited on has another row {}, or another salt\n",
                style.bad("does not open"),
                self.model,
                self.row
            ),
        }
    }
}
