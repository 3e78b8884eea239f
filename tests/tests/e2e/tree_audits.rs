//! Audits of tree models: rows share trees and nothing else, whatever a prover or the owner of a model tries; counts of
//! scikit-learn and LightGBM; what a tree of depth 8 costs on thousands of rows.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use serde_json::Value;
use zkverdict::{
    AuditOptions, AuditTable, CalibrationFile, CompileOptions, Keys, Model, Planned, SecretModel,
    circuits::{
        AdviceColumn, Layout, PublicInputs, Visibility, Widths,
        chips::tree::{LEAF, LEAF_ROWS, NUMBER, SUBTREE},
    },
    compile, compile_audit,
    models::{Calibration, CellId, ParameterFormats, Program, Step, TreePath},
    prove,
};

use crate::{
    audits::{Audited, MEASURED, Table, audit, confusion, credit, decisions, outputs, trained},
    support::{
        Example, Sample, development_srs,
        graphs::{rng, tree_classifier},
        report, repository, shared,
        traces::Case,
    },
};

const COLUMNS: [AdviceColumn; 5] = [
    AdviceColumn::Value,
    AdviceColumn::Accumulator,
    AdviceColumn::Key,
    AdviceColumn::Limb,
    AdviceColumn::Entry,
];

fn trees(program: &mut Program) -> Vec<&mut TreePath> {
    let paths = program.steps.iter_mut().filter_map(|step| match step {
        Step::Tree(path) => Some(path),
        _ => None,
    });
    paths.collect()
}

/// A table whose first two rows are decided differently, and the audit of it.
struct Pair {
    case: Case,
    table: Table,
    honest: Vec<i64>,
}

impl Pair {
    fn new(audited: &Audited) -> Self {
        let case = audited.case(&audit(3, false, &[]), 1);
        let table = (0..).map(|seed| Table::random(3, seed)).find(|table| {
            let decided = decisions(&audited.program, table);
            decided[0] != decided[1]
        });
        let table = table.unwrap();
        let honest = case.cells(&table.sample(false));
        Self { case, table, honest }
    }

    /// The run in which the second row's trees end where the first row's do.
    fn stolen(&self) -> Vec<i64> {
        let paths = self.case.program.steps.iter().filter_map(|step| match step {
            Step::Tree(path) => Some(&path.outputs),
            _ => None,
        });
        let pairs = paths.flat_map(|outputs| outputs[0].iter().zip(&outputs[1]));
        let forged: BTreeMap<CellId, i64> = pairs.map(|(from, to)| (*to, self.honest[from.index()])).collect();
        self.case.cells_with(&self.honest, &forged)
    }

    /// Rows of the walks over one row of the table.
    fn walks(&self, bank: usize) -> Vec<Range<usize>> {
        let leaves = self.case.layout.tree_rows(LEAF);
        let subtrees = self.case.layout.tree_rows(SUBTREE);
        let mut start = subtrees[0];
        let walks = leaves.iter().map(|leaf| {
            let walk = start..leaf + LEAF_ROWS;
            start = walk.end;
            walk
        });
        walks.skip(bank).step_by(self.table.rows.len()).collect()
    }
}

/// The walks of one row are those of another one, with its numbers: nothing but the memory's tag stands against it.
#[test]
fn a_walk_that_reads_another_rows_memory_is_rejected() {
    for audited in [Audited::public_trees(), Audited::committed_trees()] {
        let pair = Pair::new(&audited);
        let cells = pair.stolen();
        let mut trace = pair.case.trace(&cells);
        for (from, to) in pair.walks(0).into_iter().zip(pair.walks(1)) {
            for column in COLUMNS {
                let column = trace.column_mut(column);
                let walk = column[from.clone()].to_vec();
                column[to.clone()].copy_from_slice(&walk);
            }
        }
        let instance = pair.case.instance(&cells);
        assert_ne!(instance, pair.case.instance(&pair.honest), "the lie says something");
        pair.case
            .assert_only_lookup_rejects("a walk over another row", trace, instance);
    }
}

/// The memory of one row says what stands in that of another one.
#[test]
fn a_memory_that_is_another_rows_is_rejected() {
    for audited in [Audited::public_trees(), Audited::committed_trees()] {
        let pair = Pair::new(&audited);
        let cells = pair.stolen();
        let mut other = pair.honest.clone();
        let program = &pair.case.program;
        let banks: Vec<&[CellId]> = program.banks().collect();
        for (from, to) in banks[0].iter().zip(banks[1]) {
            other[to.index()] = pair.honest[from.index()];
        }
        // Walks, numbers and bins of a run in which both rows have the same numbers.
        let mut trace = pair.case.trace(&pair.case.cells_with(&cells, &BTreeMap::new()));
        let lie = pair.case.trace(&pair.case.cells_with(&other, &BTreeMap::new()));
        trace.memory.clone_from(&lie.memory);
        for walk in pair.walks(1) {
            for column in COLUMNS {
                let theirs = lie.clone().column_mut(column)[walk.clone()].to_vec();
                trace.column_mut(column)[walk.clone()].copy_from_slice(&theirs);
            }
        }
        trace.count_lookups(&pair.case.layout);
        let failures = pair.case.failures(trace, pair.case.instance(&cells));
        assert!(!failures.is_empty(), "another row's memory was accepted");
    }
}

/// The owner of a model commits to nodes whose addresses go on into the next row's memory. Everything fits but the
/// lookup under the row's own tag.
#[test]
fn a_feature_beyond_the_rows_bank_is_rejected() {
    let audited = Audited::committed_trees();
    let honest = audited.case(&audit(2, false, &[]), 1);
    let features = honest.program.features() as u32;
    let table = Table::random(2, 5);
    let mut forger = honest.clone();
    let banks: Vec<Vec<CellId>> = honest.program.banks().map(<[CellId]>::to_vec).collect();
    for path in trees(&mut forger.program) {
        for node in path.levels.iter_mut().flatten() {
            node.feature += features;
        }
    }
    forger.layout = Arc::new(Layout::new(&forger.program, 1, &[], forger.public).unwrap());
    // As if the memory were one: behind each row the other one.
    forger.program.memory = [0, 1, 1, 0].map(|row: usize| banks[row].clone()).concat();
    let cells = forger.cells(&table.sample(false));
    let instance = forger.instance(&cells);
    let trace = forger.trace(&cells);
    honest.assert_only_lookup_rejects("a feature of the next row", trace, instance);
}

/// Every cell that a gadget binds, one after the other: numbers, memory, entries, walks, bins, hashes.
#[test]
fn perturbed_cells_of_tree_audits_are_rejected() {
    for audited in [Audited::public_trees(), Audited::committed_trees()] {
        let case = audited.case(&audit(2, true, &["accuracy>=0.5"]), 1);
        let honest = case.cells(&Table::random(2, 2).sample(true));
        let (trace, instance) = (case.trace(&honest), case.instance(&honest));
        case.assert_accepts(trace.clone(), instance.clone());
        let hashed = case.layout.commitment_rows();
        let mut cells = case.layout.bound_cells();
        cells.retain(|(column, row)| *column != AdviceColumn::Multiplicity && !hashed.contains(row));
        cells.sort_unstable();
        cells.dedup();
        assert!(cells.len() > 500, "{}", cells.len());
        for (column, row) in cells.into_iter().step_by(5) {
            let mut forged = trace.clone();
            forged.column_mut(column)[row] += Fr::ONE;
            forged.count_lookups(&case.layout);
            assert!(case.accepts(forged, instance.clone()).is_err(), "{column:?} {row}");
        }
    }
}

/// The numbers of a committed model's rows stand in the memory itself, in two rows each.
#[test]
fn numbers_are_at_home_in_the_memory() {
    let case = Audited::committed_trees().case(&audit(4, false, &[]), 1);
    let numbers = case.program.inputs.iter().filter(|input| input.float32);
    assert_eq!(case.layout.tree_rows(NUMBER).len(), numbers.clone().count());
    for input in numbers {
        // Its home, and a copy to be hashed.
        assert_eq!(case.rows_of(input.cell).len(), 2);
    }
}

/// One model's run on the table, under the commitment to another one; and entries of one tree beside those of another.
#[test]
fn another_model_under_the_commitment_is_rejected() {
    let graphs = [6, 9].map(|seed| tree_classifier(3, 2, 3, &mut rng(seed)));
    let ours = Audited::committed(&graphs[0], MEASURED);
    let theirs = Audited {
        program: Audited::committed(&graphs[1], ParameterFormats::Of(&ours.program)).program,
        ..ours.clone()
    };
    let mut swapped = ours.clone();
    let mut paths = trees(&mut swapped.program);
    let (first, rest) = paths.split_first_mut().unwrap();
    std::mem::swap(&mut first.levels, &mut rest[0].levels);
    std::mem::swap(&mut first.leaves, &mut rest[0].leaves);
    let asked = audit(4, false, &[]);
    let honest = ours.case(&asked, 1);
    let sample = Table::random(4, 3).sample(false);
    let commitment = honest.instance(&honest.cells(&sample))[1];
    for other in [theirs, swapped] {
        let forger = other.case(&asked, 1);
        let cells = forger.cells(&sample);
        let (trace, mut instance) = (forger.trace(&cells), forger.instance(&cells));
        // The circuits are one: under their own commitment they are accepted.
        honest.assert_accepts(trace.clone(), instance.clone());
        assert_ne!(instance[1], commitment);
        instance[1] = commitment;
        assert!(honest.accepts(trace, instance).is_err());
    }
}

/// However many rows there are, the trees stand there once.
#[test]
fn rows_share_the_trees() {
    for audited in [Audited::public_trees(), Audited::committed_trees()] {
        let tables = |rows: usize| {
            let layout = audited.case(&audit(rows, false, &[]), 1).layout;
            let program = audited.program.audit(&audit(rows, false, &[])).unwrap();
            let memory = match audited.model {
                Visibility::Committed => 2 * program.inputs.iter().filter(|input| input.float32).count(),
                _ => 0,
            };
            let bits = program.memory.len() - memory / 2;
            layout.table_rows() - memory - bits
        };
        assert_eq!(tables(2), tables(40));
    }
}

/// A column of the credit table that no model reads.
const AGE: &str = "age_in_years";

/// LightGBM's trees behind encoders, on the table of the example.
#[test]
fn german_credit_is_counted_as_by_lightgbm() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 1000;
    let path = credit(rows, &folder);
    let pipeline = Example::CreditGbdt.pipeline();
    let (decided, labels) = trained("gbdt", rows);
    let expected = confusion(&decided, &labels);
    for model in [Visibility::Public, Visibility::Committed] {
        let found = counted(
            &pipeline.model,
            &pipeline.calibration,
            &path,
            model,
            ("creditability", AGE),
        );
        assert_eq!(found, expected, "{model:?}");
    }
    report!("tree audit: German Credit, {expected:?} of {rows}");
}

/// Counts of an audit without a proof: true positives, false positives, false negatives, true negatives.
fn counted(
    model: &Model,
    calibration: &CalibrationFile,
    table: &Path,
    shown: Visibility,
    (label, ignored): (&str, &str),
) -> [i64; 4] {
    let options = CompileOptions {
        public: PublicInputs {
            model: shown,
            ..PublicInputs::DEFAULT
        },
        limb_bits: Some(8),
        lanes: Some(1),
        ..CompileOptions::default()
    };
    let program = compile(model, calibration, &options).unwrap().file.compiled.program;
    let audit = AuditOptions {
        label: label.to_owned(),
        group: None,
        positive: None,
        claims: Vec::new(),
        ignore: vec![ignored.to_owned()],
    };
    let read = AuditTable::of(model, program.classes().unwrap(), table, &audit).unwrap();
    let program = program.audit(&read.audit).unwrap();
    let sample = read.sample(table, &model.graph, &audit.ignore).unwrap();
    let cells = program.execute(&program.quantize(&sample).unwrap()).unwrap();
    let found = outputs(&program, &cells);
    ["true positives", "false positives", "false negatives", "true negatives"].map(|name| found[name][0])
}

const DEFAULTS: &str = "default.payment.next.month";

/// A tree of depth 8 over all columns of the credit card table, and the first rows of the table.
struct Deep {
    model: Model,
    calibration: CalibrationFile,
    folder: tempfile::TempDir,
    table: PathBuf,
}

impl Deep {
    fn load() -> Option<Self> {
        let table = shared("data/tabular/UCI_Credit_Card.csv")?;
        let model = Model::load(&repository().join("examples/default/tree.onnx")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ignored = ["ID", DEFAULTS].map(str::to_owned);
        let deep = Self {
            table,
            folder,
            calibration: CalibrationFile::measure(&model, &[vec![vec![0.0; 23]], vec![vec![1.0; 23]]], 4.0).unwrap(),
            model,
        };
        let samples: Vec<Sample> = deep.model.samples(&deep.rows(64), &ignored).unwrap();
        let calibration = CalibrationFile::measure(&deep.model, &samples, Calibration::DEFAULT_MARGIN).unwrap();
        Some(Self { calibration, ..deep })
    }

    /// The first rows, as a table of their own.
    fn rows(&self, rows: usize) -> PathBuf {
        let text = std::fs::read_to_string(&self.table).unwrap();
        let path = self.folder.path().join(format!("{rows}.csv"));
        std::fs::write(&path, text.lines().take(1 + rows).collect::<Vec<_>>().join("\n")).unwrap();
        path
    }

    fn expected(rows: usize) -> [i64; 4] {
        let text = std::fs::read_to_string(repository().join("examples/default/tree.json")).unwrap();
        let figures: Value = serde_json::from_str(&text).unwrap();
        let counts = &figures["counts"][rows.to_string()];
        ["true positives", "false positives", "false negatives", "true negatives"]
            .map(|name| counts[name].as_i64().unwrap())
    }

    fn planned(&self, rows: usize, claim: &str) -> Planned {
        let options = CompileOptions {
            public: PublicInputs {
                model: Visibility::Committed,
                ..PublicInputs::DEFAULT
            },
            limb_bits: Some(8),
            lanes: Some(1),
            ..CompileOptions::default()
        };
        let audit = AuditOptions {
            label: DEFAULTS.to_owned(),
            group: None,
            positive: None,
            claims: vec![claim.parse().unwrap()],
            ignore: vec!["ID".to_owned()],
        };
        compile_audit(&self.model, &self.calibration, &options, &self.rows(rows), &audit).unwrap()
    }
}

#[test]
fn a_deep_tree_is_counted_as_by_scikit_learn() {
    let Some(deep) = Deep::load() else { return };
    for (rows, model) in [
        (100, Visibility::Public),
        (1_000, Visibility::Committed),
        (5_000, Visibility::Committed),
        (5_000, Visibility::Public),
    ] {
        let found = counted(
            &deep.model,
            &deep.calibration,
            &deep.rows(rows),
            model,
            (DEFAULTS, "ID"),
        );
        assert_eq!(found, Deep::expected(rows), "{rows} {model:?}");
    }
}

/// The accuracy of a committed tree of depth 8, as good as scikit-learn says and no better.
fn proven(rows: usize) {
    let Some(deep) = Deep::load() else { return };
    let [tp, _, _, tn] = Deep::expected(rows);
    let correct = tp + tn;
    let claim = format!("accuracy>={}", (correct * 10_000 / rows as i64) as f64 / 10_000.0);
    let started = std::time::Instant::now();
    let planned = deep.planned(rows, &claim);
    let circuit = &planned.file;
    report!(
        "tree audit: {rows} rows take {} of 2^{}, {:.1} CPU s, {} MB, {} gas predicted; compiled in {:.1} s",
        circuit.plan.rows,
        circuit.plan.k,
        circuit.plan.prove_cpu_s,
        circuit.plan.memory_bytes / 1_000_000,
        circuit.plan.verify_gas,
        started.elapsed().as_secs_f64(),
    );
    let keys = Keys::generate(circuit, &development_srs(circuit.plan.k)).unwrap();
    let sample = circuit.samples(&deep.rows(rows), &["ID".to_owned()]).unwrap().remove(0);
    let (proof, secret) = prove(circuit, &keys.proving, &sample, Fr::from(4711)).unwrap();
    proof.verify(&keys.verifying).unwrap();
    assert_eq!(proof.proof.len(), circuit.plan.proof_bytes);
    // Context, model, table, rows, the claim.
    assert_eq!(secret.public_inputs.len(), 5);
    assert_eq!(secret.public_inputs[3], Fr::from(rows as u64));
    assert_eq!(secret.public_inputs[4], Fr::ONE);
    for place in 1..proof.public_inputs.len() {
        let mut forged = proof.clone();
        forged.public_inputs[place][31] ^= 1;
        assert!(forged.verify(&keys.verifying).is_err(), "public input {place}");
    }
}

#[test]
fn the_accuracy_of_a_committed_tree_is_proven() {
    proven(100);
}

#[test]
#[ignore = "minutes: cargo test --workspace --test e2e the_accuracy_of_a_committed_tree_on_5000_rows -- --ignored"]
fn the_accuracy_of_a_committed_tree_on_5000_rows_is_proven() {
    proven(5_000);
}

/// What every row of the table takes: no more than 150 rows beside its hashes, of which there are three, half of one and
/// little more; 151 where these stand beside the model in two lanes.
#[test]
fn rows_of_tables_are_cheap() {
    let Some(deep) = Deep::load() else { return };
    let rows = |rows: usize, hash_lanes: usize| {
        let Planned { file, .. } = deep.planned(rows, "accuracy>=0.5");
        let (program, public) = (&file.compiled.program, file.compiled.public);
        let layout = Layout::new(program, Widths { lanes: 1, hash_lanes }, &[], public).unwrap();
        [layout.content_rows(), layout.rows()]
    };
    for (hash_lanes, model, all) in [(0, 150.0 + 84.0 * 3.55, 150.0 + 84.0 * 3.55), (2, 150.0, 151.0)] {
        let [few, many] = [160, 320].map(|count| rows(count, hash_lanes));
        let each = [0, 1].map(|place: usize| (many[place] - few[place]) as f64 / 160.0);
        report!("tree audit: {each:.1?} rows of the circuit for a row of the table, {hash_lanes} lanes of hashes");
        assert!(each[0] <= model && each[1] <= all, "{each:?}");
    }
}

/// The audit and single decisions name the same trees by the same hash.
#[test]
fn a_tree_audit_commits_to_the_model_as_its_decisions_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = credit(4, &folder);
    let pipeline = Example::CreditGbdt.pipeline();
    let options = CompileOptions {
        public: PublicInputs {
            model: Visibility::Committed,
            ..PublicInputs::DEFAULT
        },
        limb_bits: Some(8),
        lanes: Some(1),
        ..CompileOptions::default()
    };
    let single = compile(&pipeline.model, &pipeline.calibration, &options).unwrap().file;
    let asked = AuditOptions {
        label: "creditability".to_owned(),
        group: None,
        positive: None,
        claims: vec!["accuracy>=0.5".parse().unwrap()],
        ignore: vec![AGE.to_owned()],
    };
    let audit = compile_audit(&pipeline.model, &pipeline.calibration, &options, &path, &asked);
    let mut audit = audit.unwrap().file;
    let secret: &SecretModel = single.secret.as_ref().unwrap();
    let same = secret.rebound(&audit).unwrap();
    assert_eq!(same.commitment(&audit).unwrap(), secret.commitment(&single).unwrap());
    audit = audit.with_model(&same).unwrap();
    let mut case = Case::showing(
        audit.compiled.program.clone(),
        audit.compiled.lanes,
        audit.compiled.public,
    );
    case.salts.model = audit.secret.as_ref().unwrap().salt();
    let cells = case.cells(&audit.samples(&path, &asked.ignore).unwrap().remove(0));
    let instance = case.instance(&cells);
    case.assert_accepts(case.trace(&cells), instance);
}
