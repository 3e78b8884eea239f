//! Audits: counts and claims against figures computed elsewhere, liars about rows, labels and groups, the whole road.

use std::{collections::BTreeMap, path::PathBuf};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand::Rng;
use zkverdict::{
    AuditOptions, CalibrationFile, CompileOptions, Error, GroupRule, Keys, RowOpening, SecretModel,
    circuits::{AdviceColumn, Commitment, PublicInputs, Side, Visibility, Widths, chips::poseidon},
    compile, compile_audit,
    models::{
        Audit, Calibration, Claim, Comparison, ForestBounds, Graph, ModelError, Op, OutputKind, ParameterFormats,
        Program,
    },
    prove,
};

use crate::support::{
    Example, Sample, development_srs,
    graphs::{CATEGORIES, GraphBuilder, forest, rng, samples, tree_classifier},
    report, repository,
    traces::Case,
};

/// Decides between two classes, behind an encoder.
fn classifier() -> Graph {
    let mut builder = GraphBuilder::new(3);
    let encoded = builder.encode_first(CATEGORIES.to_vec());
    let logit = builder.dense(encoded, 1, &mut rng(3));
    let probability = builder.map(Op::Sigmoid, logit);
    let compare = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.0],
    };
    let decision = builder.map(compare, logit);
    builder.output("label", decision, OutputKind::Bool);
    builder.output("probability", probability, OutputKind::Real);
    builder.finish()
}

/// A model to audit, and whether it is committed to.
#[derive(Debug, Clone)]
pub(crate) struct Audited {
    pub(crate) program: Program,
    pub(crate) model: Visibility,
}

impl Audited {
    fn calibration(graph: &Graph) -> Calibration {
        Calibration::measure(graph, &samples(graph, 64, &mut rng(1)), 1.5).unwrap()
    }

    pub(crate) fn public(graph: &Graph) -> Self {
        Self {
            program: Program::compile(graph, &Self::calibration(graph), 8).unwrap(),
            model: Visibility::Public,
        }
    }

    pub(crate) fn committed(graph: &Graph, formats: ParameterFormats<'_>) -> Self {
        Self {
            program: Program::compile_committed(graph, &Self::calibration(graph), 8, &[], formats).unwrap(),
            model: Visibility::Committed,
        }
    }

    pub(crate) fn public_trees() -> Self {
        Self::public(&trees())
    }

    pub(crate) fn committed_trees() -> Self {
        Self::committed(&trees(), MEASURED)
    }

    /// One of each kind; all read the same tables.
    fn all() -> [Self; 3] {
        [
            Self::public(&classifier()),
            Self::public_trees(),
            Self::committed_trees(),
        ]
    }

    pub(crate) fn case(&self, audit: &Audit, widths: impl Into<Widths>) -> Case {
        let public = PublicInputs {
            inputs: Visibility::Committed,
            model: self.model,
            ..PublicInputs::DEFAULT
        };
        Case::showing(self.program.audit(audit).unwrap(), widths, public)
    }

    /// The public input that is the table's root.
    pub(crate) fn root(&self) -> usize {
        1 + usize::from(self.model == Visibility::Committed)
    }
}

pub(crate) const MEASURED: ParameterFormats<'_> = ParameterFormats::Measured {
    weight_bits: 8,
    forest: ForestBounds { trees: 0, depth: 0 },
};

fn trees() -> Graph {
    tree_classifier(3, 2, 3, &mut rng(6))
}

/// A table of the classifier: rows, labels, groups.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Sample>,
    pub(crate) labels: Vec<f64>,
    pub(crate) groups: Vec<f64>,
}

impl Table {
    pub(crate) fn random(rows: usize, seed: u64) -> Self {
        let mut rng = rng(seed);
        Self {
            rows: samples(&classifier(), rows, &mut rng),
            labels: (0..rows).map(|_| f64::from(rng.gen_range(0..=1))).collect(),
            groups: (0..rows).map(|_| f64::from(rng.gen_range(0..=1))).collect(),
        }
    }

    /// As one sample of the audit.
    pub(crate) fn sample(&self, grouped: bool) -> Sample {
        let mut sample = vec![
            self.rows.iter().flat_map(|row| row[0].clone()).collect(),
            self.labels.clone(),
        ];
        sample.extend(grouped.then(|| self.groups.clone()));
        sample
    }
}

fn model() -> Program {
    Audited::public(&classifier()).program
}

pub(crate) fn audit(rows: usize, grouped: bool, claims: &[&str]) -> Audit {
    Audit {
        rows,
        label: "label of the table".to_owned(),
        group: grouped.then(|| "group".to_owned()),
        groups: 2,
        positive: None,
        claims: claims.iter().map(|claim| claim.parse().unwrap()).collect(),
    }
}

pub(crate) fn outputs(program: &Program, cells: &[i64]) -> BTreeMap<String, Vec<i64>> {
    let named = program.outputs.iter().map(|output| {
        let values = output.cells.iter().map(|cell| cells[cell.index()]);
        (output.name.clone(), values.collect())
    });
    named.collect()
}

/// Confusion of decisions and labels, plainly counted: true positives, false positives, false negatives, true negatives.
pub(crate) fn confusion(decisions: &[bool], labels: &[bool]) -> [i64; 4] {
    let count = |decided: bool, right: bool| {
        let pairs = decisions.iter().zip(labels);
        pairs.filter(|pair| *pair == (&decided, &right)).count() as i64
    };
    [
        count(true, true),
        count(true, false),
        count(false, true),
        count(false, false),
    ]
}

pub(crate) fn decisions(model: &Program, table: &Table) -> Vec<bool> {
    let decide = |row: &Sample| {
        let cells = model.execute(&model.quantize(row).unwrap()).unwrap();
        cells[model.outputs[0].cells[0].index()] == 1
    };
    table.rows.iter().map(decide).collect()
}

/// Whether a claim holds, in fractions.
fn holds(claim: Claim, decisions: &[bool], labels: &[bool], groups: &[bool]) -> bool {
    let of = |group: bool| {
        let rows: Vec<usize> = (0..groups.len()).filter(|row| groups[*row] == group).collect();
        let pick = |all: &[bool]| rows.iter().map(|row| all[*row]).collect::<Vec<_>>();
        confusion(&pick(decisions), &pick(labels)).map(i128::from)
    };
    let selection = |[tp, fp, fn_, tn]: [i128; 4]| (tp + fp, tp + fp + fn_ + tn);
    let opportunity = |[tp, _, fn_, _]: [i128; 4]| (tp, tp + fn_);
    let gap = |left: (i128, i128), right: (i128, i128), most: zkverdict::models::Fraction| {
        let (e, f) = (i128::from(most.numerator), i128::from(most.denominator));
        left.1 > 0 && right.1 > 0 && f * (left.0 * right.1 - right.0 * left.1).abs() <= e * left.1 * right.1
    };
    let (first, second) = (of(false), of(true));
    match claim {
        Claim::Accuracy(least) => {
            let [tp, _, _, tn] = confusion(decisions, labels).map(i128::from);
            i128::from(least.denominator) * (tp + tn) >= i128::from(least.numerator) * decisions.len() as i128
        }
        Claim::FourFifths => {
            let ((a, b), (c, d)) = (selection(first), selection(second));
            b > 0 && d > 0 && 5 * a * d >= 4 * c * b && 5 * c * b >= 4 * a * d
        }
        Claim::Parity(most) => gap(selection(first), selection(second), most),
        Claim::Opportunity(most) => gap(opportunity(first), opportunity(second), most),
    }
}

pub(crate) fn bits(numbers: &[f64]) -> Vec<bool> {
    numbers.iter().map(|number| *number == 1.0).collect()
}

#[test]
fn counts_are_those_of_the_rows() {
    let tables = [(1, false), (7, false), (23, true)];
    let models = Audited::all().map(|audited| audited.program);
    for (model, (rows, grouped)) in models.iter().flat_map(|model| tables.map(|table| (model, table))) {
        let table = Table::random(rows, rows as u64);
        let program = model.audit(&audit(rows, grouped, &[])).unwrap();
        let cells = program
            .execute(&program.quantize(&table.sample(grouped)).unwrap())
            .unwrap();
        let found = outputs(&program, &cells);
        let (decided, labels, groups) = (decisions(model, &table), bits(&table.labels), bits(&table.groups));
        let all = confusion(&decided, &labels);
        assert_eq!(found["rows"], [rows as i64]);
        assert_eq!(found["correct"], [all[0] + all[3]]);
        let names = ["true positives", "false positives", "false negatives", "true negatives"];
        for (name, count) in names.iter().zip(all) {
            assert_eq!(found[*name].iter().sum::<i64>(), count, "{name}");
        }
        if grouped {
            for group in [false, true] {
                let chosen = |all: &[bool]| -> Vec<bool> {
                    let rows = all.iter().zip(&groups).filter(|(_, of)| **of == group);
                    rows.map(|(value, _)| *value).collect()
                };
                let counts = confusion(&chosen(&decided), &chosen(&labels));
                for (name, count) in names.iter().zip(counts) {
                    assert_eq!(found[*name][usize::from(group)], count, "{name}");
                }
            }
        }
    }
}

/// Random tables, one with an empty group, and bounds on both sides of the truth.
#[test]
fn claims_hold_exactly_where_the_fractions_do() {
    for audited in Audited::all() {
        claims_hold_exactly(&audited.program);
    }
}

fn claims_hold_exactly(model: &Program) {
    let claims = [
        "accuracy>=0",
        "accuracy>=0.5",
        "accuracy>=0.4737",
        "accuracy>=1",
        "four-fifths",
        "parity<=0",
        "parity<=0.1",
        "parity<=0.3333",
        "parity<=1",
        "opportunity<=0",
        "opportunity<=0.25",
        "opportunity<=0.0625",
        "opportunity<=1",
    ];
    let rows = 19;
    let program = model.audit(&audit(rows, true, &claims)).unwrap();
    let mut seen = BTreeMap::new();
    for seed in 0..40 {
        let mut table = Table::random(rows, 100 + seed);
        match seed {
            0 => table.groups = vec![0.0; rows],
            1 => table.groups = vec![1.0; rows],
            2 => table.labels = vec![0.0; rows],
            3 => {
                table.labels = decisions(model, &table)
                    .into_iter()
                    .map(|bit| f64::from(u8::from(bit)))
                    .collect()
            }
            _ => {}
        }
        let cells = program
            .execute(&program.quantize(&table.sample(true)).unwrap())
            .unwrap();
        let found = outputs(&program, &cells);
        assert_eq!(found.len(), 1 + claims.len(), "claims show no counts");
        let (decided, labels, groups) = (decisions(model, &table), bits(&table.labels), bits(&table.groups));
        for text in claims {
            let claim: Claim = text.parse().unwrap();
            let expected = holds(claim, &decided, &labels, &groups);
            assert_eq!(
                found[&claim.to_string()],
                [i64::from(expected)],
                "{text} on table {seed}"
            );
            *seen.entry((text, expected)).or_insert(0) += 1;
        }
    }
    for text in ["accuracy>=0.5", "four-fifths", "parity<=0.1", "opportunity<=0.25"] {
        assert!(
            seen.contains_key(&(text, true)) && seen.contains_key(&(text, false)),
            "{text} is never tried"
        );
    }
}

#[test]
fn audits_are_proven_in_every_width() {
    let widths = [(1, 0), (2, 0), (4, 0), (1, 1), (1, 2), (2, 2)];
    for (audited, (lanes, hash_lanes)) in Audited::all()
        .iter()
        .flat_map(|audited| widths.map(|widths| (audited, widths)))
    {
        for claims in [&[][..], &["accuracy>=0.5", "four-fifths", "opportunity<=0.1"]] {
            let case = audited.case(&audit(18, true, claims), Widths { lanes, hash_lanes });
            let cells = case.cells(&Table::random(18, 4).sample(true));
            let instance = case.instance(&cells);
            let outputs = case.program.outputs.iter().map(|output| output.cells.len());
            assert_eq!(instance.len(), 1 + audited.root() + outputs.sum::<usize>());
            case.assert_accepts(case.trace(&cells), instance);
        }
    }
}

/// A liar runs the audit on another table, and shows the root of the agreed one.
#[test]
fn other_rows_than_the_committed_ones_are_rejected() {
    let rows = 6;
    let agreed = Table::random(rows, 8);
    type Lie = fn(&mut Table);
    let lies: [(&str, Lie); 5] = [
        ("a row counted twice", |table| table.rows[1] = table.rows[0].clone()),
        ("a row left out for another one", |table| {
            table.rows[5] = table.rows[4].clone()
        }),
        ("a row relabelled", |table| table.labels[2] = 1.0 - table.labels[2]),
        ("groups swapped", |table| {
            table.groups.iter_mut().for_each(|group| *group = 1.0 - *group)
        }),
        ("rows in another order", |table| {
            table.rows.reverse();
            table.labels.reverse();
            table.groups.reverse();
        }),
    ];
    for audited in Audited::all() {
        let (case, root) = (audited.case(&audit(rows, true, &[]), 1), audited.root());
        let honest = case.instance(&case.cells(&agreed.sample(true)))[root];
        for (what, lie) in lies {
            let mut table = agreed.clone();
            lie(&mut table);
            let cells = case.cells(&table.sample(true));
            let mut instance = case.instance(&cells);
            assert_ne!(instance[root], honest, "{what}");
            case.assert_accepts(case.trace(&cells), instance.clone());
            instance[root] = honest;
            assert!(
                case.accepts(case.trace(&cells), instance).is_err(),
                "{what} was accepted"
            );
        }
    }
}

#[test]
fn counts_that_do_not_add_up_are_rejected() {
    for (audited, claims) in Audited::all().iter().zip([&[][..], &["four-fifths"], &[]]) {
        let case = audited.case(&audit(3, true, claims), 1);
        let honest = case.cells(&Table::random(3, 21).sample(true));
        let trace = case.trace(&honest);
        let instance = case.instance(&honest);
        for place in 1..instance.len() {
            for forged in [instance[place] + Fr::ONE, instance[place] - Fr::ONE] {
                let mut other = instance.clone();
                other[place] = forged;
                assert!(case.accepts(trace.clone(), other).is_err(), "public input {place}");
            }
        }
        let (tried, _) = case.assert_forged_cells_are_rejected(&honest, |value| match value {
            0 => vec![1],
            1 => vec![0],
            value => vec![value + 1, value - 1],
        });
        assert!(tried > 30, "{tried}");
    }
}

/// Every cell of the hashes, one after the other; salts are the prover's to choose.
#[test]
fn perturbed_cells_of_the_tree_are_rejected() {
    for (rows, hash_lanes) in [(3, 0), (3, 1), (5, 2)] {
        let audit = audit(rows, true, &["accuracy>=0.5"]);
        let case = Audited::public(&classifier()).case(&audit, Widths { lanes: 1, hash_lanes });
        let honest = case.cells(&Table::random(rows, 2).sample(true));
        let (trace, instance) = (case.trace(&honest), case.instance(&honest));
        let hashed = case.layout.commitment_rows();
        let mut cells = case.layout.bound_cells();
        cells.retain(|(column, row)| match column {
            AdviceColumn::Multiplicity => false,
            AdviceColumn::Box(_) | AdviceColumn::Power(_) => true,
            _ => hashed.contains(row),
        });
        assert!(cells.len() > 500);
        for (column, row) in cells.iter().step_by(5) {
            let mut forged = trace.clone();
            forged.column_mut(*column)[*row] += Fr::ONE;
            assert!(case.accepts(forged, instance.clone()).is_err(), "{column:?} {row}");
        }
    }
}

/// Hashes that stand beside one another: a whole permutation swapped with its neighbour, or replaced by another that is
/// right in itself, is not the one whose result goes on. A lane without a hash may permute what it likes.
#[test]
fn lanes_of_hashes_do_not_mix() {
    let widths = Widths {
        lanes: 1,
        hash_lanes: 2,
    };
    let case = Audited::public(&classifier()).case(&audit(5, true, &["accuracy>=0.5"]), widths);
    let honest = case.cells(&Table::random(5, 2).sample(true));
    let (trace, instance) = (case.trace(&honest), case.instance(&honest));
    let permutations = case.layout.bound_cells().into_iter();
    let last = permutations.filter_map(|(column, row)| (column == AdviceColumn::Box(0)).then_some(row));
    let permutations = last.max().unwrap().div_ceil(poseidon::ROWS);
    let rows = |number: usize| number * poseidon::ROWS..(number + 1) * poseidon::ROWS;
    let mut idle = 0;
    for number in 0..permutations {
        let mut swapped = trace.clone();
        let [left, right] = &mut swapped.hashes[..] else {
            panic!("two lanes")
        };
        for (left, right) in left.iter_mut().zip(right) {
            left[rows(number)].swap_with_slice(&mut right[rows(number)]);
        }
        assert!(case.accepts(swapped, instance.clone()).is_err(), "swapped {number}");
        for lane in 0..2 {
            // Another permutation of the same lane, with its own constants behind it.
            let mut replaced = trace.clone();
            let from = rows((number + 1) % permutations);
            for column in &mut replaced.hashes[lane] {
                column.copy_within(from.clone(), number * poseidon::ROWS);
            }
            let rejected = case.accepts(replaced, instance.clone()).is_err();
            idle += usize::from(!rejected);
            assert!(rejected || lane == 1, "replaced {number} in lane {lane}");
        }
    }
    report!("{idle} of {permutations} permutations keep another one company");
    assert!(idle < permutations / 2);
}

#[test]
fn tables_differ_from_other_commitments_and_from_each_other() {
    let tag = |rows| {
        let program = model().audit(&audit(rows, true, &[])).unwrap();
        Commitment::of(&program, Side::Input).unwrap()
    };
    // A leaf is the same in every table: single rows can be compared. The root says how many there are.
    assert_eq!(tag(3).tag(), tag(4).tag());
    let of_one = Commitment { rows: None, ..tag(3) };
    assert_ne!(of_one.tag(), tag(3).tag());
    let values = vec![0; tag(3).values.len()];
    let salt = Fr::from(9);
    assert_ne!(of_one.hash(&values, salt).unwrap(), tag(3).leaf(&values, salt).unwrap());
}

#[test]
fn what_no_audit_can_be_made_of_is_refused() {
    let refused = |model: &Program, audit: &Audit| {
        let error = model.audit(audit).unwrap_err();
        assert!(matches!(error, ModelError::Audit { .. }), "{error}");
        error.to_string()
    };
    let model = model();
    assert!(refused(&model, &audit(0, false, &[])).contains("rows"));
    assert!(refused(&model, &audit(1 << 16, false, &[])).contains("rows"));
    assert!(refused(&model, &audit(3, false, &["four-fifths"])).contains("groups"));
    // An index that is not chosen among anything.
    let mut places = Audited::public(&forest(3, 2, 2, &mut rng(1))).program;
    places.outputs[0].cells = places.outputs[1].cells[..1].to_vec();
    assert!(refused(&places, &audit(3, false, &[])).contains("class"));
    let mut numbers = model.clone();
    numbers.outputs.remove(0);
    assert!(refused(&numbers, &audit(3, false, &[])).contains("class"));
    for text in [
        "accuracy>=1.1",
        "accuracy>=-0.5",
        "accuracy>=0.12345",
        "accuracy",
        "parity<=",
        "five-sixths",
        "parity<=1e-1",
    ] {
        assert!(text.parse::<Claim>().is_err(), "{text}");
    }
    let program = model.audit(&audit(2, false, &[])).unwrap();
    let mut table = Table::random(2, 1).sample(false);
    table[1][0] = 2.0;
    assert!(matches!(
        program.quantize(&table),
        Err(ModelError::UnknownCategory { .. })
    ));
}

/// The credit table with its first rows.
pub(crate) fn credit(rows: usize, folder: &tempfile::TempDir) -> PathBuf {
    let text = std::fs::read_to_string(repository().join("examples/credit/audit.csv")).unwrap();
    let path = folder.path().join(format!("{rows}.csv"));
    let lines: Vec<&str> = text.lines().take(1 + rows).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

pub(crate) fn by_age(claims: &[&str]) -> AuditOptions {
    AuditOptions {
        label: "creditability".to_owned(),
        group: Some(GroupRule::AtLeast {
            column: "age_in_years".to_owned(),
            least: 26.0,
        }),
        positive: None,
        claims: claims.iter().map(|claim| claim.parse().unwrap()).collect(),
        ignore: Vec::new(),
    }
}

/// What the training library and ONNX Runtime said when an example was trained, and the table's labels.
pub(crate) fn trained(model: &str, rows: usize) -> (Vec<bool>, Vec<bool>) {
    let text = std::fs::read_to_string(repository().join("examples/credit/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bits = |values: &serde_json::Value| {
        let values = values.as_array().unwrap().iter().take(rows);
        values.map(|value| value.as_i64().unwrap() == 1).collect::<Vec<_>>()
    };
    (bits(&expected[model]["label"]), bits(&expected["target"]))
}

#[test]
fn german_credit_is_counted_as_by_scikit_learn() {
    let folder = tempfile::tempdir().unwrap();
    let path = credit(1000, &folder);
    let pipeline = Example::CreditLogreg.pipeline();
    let width = pipeline.calibration.width(8).unwrap();
    let program = width
        .program(&pipeline.model.graph, &pipeline.calibration.calibration)
        .unwrap();
    let options = by_age(&[]);
    let table = zkverdict::AuditTable::of(&pipeline.model, program.classes().unwrap(), &path, &options).unwrap();
    assert_eq!(table.audit.rows, 1000);
    let program = program.audit(&table.audit).unwrap();
    let sample = table.sample(&path, &pipeline.model.graph, &[]).unwrap();
    let cells = program.execute(&program.quantize(&sample).unwrap()).unwrap();
    let found = outputs(&program, &cells);
    let (decided, labels) = trained("logreg", 1000);
    let [tp, fp, fn_, tn] = confusion(&decided, &labels);
    assert_eq!(found["correct"], [tp + tn]);
    assert_eq!(found["false positives"].iter().sum::<i64>(), fp);
    assert_eq!(found["false negatives"].iter().sum::<i64>(), fn_);
    report!("audit: German Credit, {} of 1000 correct, {found:?}", tp + tn);
}

/// Proves an audit, and tries forged claims; returns bytes of the proof and gas.
fn proven(rows: usize, claims: &[&str]) -> (usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = credit(rows, &folder);
    let pipeline = Example::CreditLogreg.pipeline();
    let options = CompileOptions::default();
    let planned = compile_audit(&pipeline.model, &pipeline.calibration, &options, &path, &by_age(claims)).unwrap();
    let circuit = &planned.file;
    report!(
        "audit: {rows} rows take {} of 2^{} ({} lanes), {:.1} CPU s and {} MB predicted",
        circuit.plan.rows,
        circuit.plan.k,
        circuit.plan.shape.lanes,
        circuit.plan.prove_cpu_s,
        circuit.plan.memory_bytes / 1_000_000
    );
    let keys = Keys::generate(circuit, &development_srs(circuit.plan.k)).unwrap();
    let sample = circuit.samples(&path, &[]).unwrap().remove(0);
    let (proof, secret) = prove(circuit, &keys.proving, &sample, Fr::from(4711)).unwrap();
    proof.verify(&keys.verifying).unwrap();
    assert_eq!(
        circuit.data_root(&sample, &secret.salts).unwrap(),
        proof.public_inputs[1]
    );
    let (decided, labels) = trained("logreg", rows);
    let [tp, _, _, tn] = confusion(&decided, &labels);
    let expected = (tp + tn) * 10 >= 7 * rows as i64;
    assert_eq!(secret.public_inputs[2], Fr::from(rows as u64));
    assert_eq!(secret.public_inputs[3], Fr::from(u64::from(expected)));
    for place in 1..proof.public_inputs.len() {
        let mut forged = proof.clone();
        forged.public_inputs[place][31] ^= 1;
        assert!(forged.verify(&keys.verifying).is_err(), "public input {place}");
    }
    for row in [0, rows - 1] {
        let opening = RowOpening::of(circuit, &sample, &secret.salts, row).unwrap();
        let (opens, fields) = opening.check(&keys.verifying.schema, &proof.public_inputs).unwrap();
        assert!(opens);
        assert_eq!(fields.last().unwrap().name, "age_in_years");
        assert_eq!(opening.values[17], i64::from(labels[row]));
        let mut relabelled = opening.clone();
        relabelled.values[17] ^= 1;
        assert!(
            !relabelled
                .check(&keys.verifying.schema, &proof.public_inputs)
                .unwrap()
                .0
        );
        let mut elsewhere = opening;
        elsewhere.row = (row + 1) % rows;
        assert!(!elsewhere.check(&keys.verifying.schema, &proof.public_inputs).unwrap().0);
    }
    assert!(matches!(
        RowOpening::of(circuit, &sample, &secret.salts, rows),
        Err(Error::NoRow { .. })
    ));
    (proof.proof.len(), circuit.plan.verify_gas)
}

#[test]
fn forty_rows_of_german_credit_are_audited() {
    let (bytes, gas) = proven(40, &["accuracy>=0.7", "four-fifths", "parity<=0.1"]);
    assert!(bytes <= 6_000 && gas <= 500_000, "{bytes} bytes, {gas} gas");
}

#[test]
#[ignore = "minutes: cargo test --workspace --test e2e all_rows_of_german_credit -- --ignored"]
fn all_rows_of_german_credit_are_audited() {
    let (bytes, gas) = proven(1000, &["accuracy>=0.7", "four-fifths"]);
    assert!(bytes <= 6_000 && gas <= 500_000, "{bytes} bytes, {gas} gas");
}

/// The audit and single decisions name the same model by the same hash; another model's is another one.
#[test]
fn an_audit_commits_to_the_model_as_its_decisions_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = credit(5, &folder);
    let pipeline = Example::CreditLogreg.pipeline();
    let options = CompileOptions {
        public: PublicInputs {
            model: Visibility::Committed,
            ..PublicInputs::DEFAULT
        },
        limb_bits: Some(8),
        ..CompileOptions::default()
    };
    let calibration: &CalibrationFile = &pipeline.calibration;
    let single = compile(&pipeline.model, calibration, &options).unwrap().file;
    let mut audit = compile_audit(
        &pipeline.model,
        calibration,
        &options,
        &path,
        &by_age(&["accuracy>=0.5"]),
    )
    .unwrap()
    .file;
    let secret: &SecretModel = single.secret.as_ref().unwrap();
    assert_ne!(
        audit.secret.as_ref().unwrap().commitment(&audit).unwrap(),
        secret.commitment(&single).unwrap()
    );
    let same = secret.rebound(&audit).unwrap();
    assert_eq!(same.commitment(&audit).unwrap(), secret.commitment(&single).unwrap());
    audit.secret = None;
    assert!(matches!(secret.rebound(&audit), Err(Error::OtherSecretModel)));
    let case = Case::showing(
        audit.compiled.program.clone(),
        audit.compiled.lanes,
        audit.compiled.public,
    );
    let sample = audit.samples(&path, &[]).unwrap().remove(0);
    let cells = case.cells(&sample);
    let instance = case.instance(&cells);
    assert_eq!(instance.len(), 5);
    case.assert_accepts(case.trace(&cells), instance.clone());
    // The proof of one model, handed in for another.
    let mut other = instance;
    other[1] += Fr::ONE;
    assert!(case.accepts(case.trace(&cells), other).is_err());
}

#[test]
fn tables_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Example::CreditLogreg.pipeline();
    let options = CompileOptions::default();
    let attempt = |path: &std::path::Path, audit: &AuditOptions| {
        let made = compile_audit(&pipeline.model, &pipeline.calibration, &options, path, audit);
        made.map(|planned| planned.file)
    };
    let path = credit(3, &folder);
    let text = std::fs::read_to_string(&path).unwrap();
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let relabelled = written("label.csv", &text.replacen(",67,1", ",67,perhaps", 1));
    let error = attempt(&relabelled, &by_age(&[])).unwrap_err();
    assert!(matches!(&error, Error::AuditField { row: 0, .. }), "{error}");
    let ageless = written("age.csv", &text.replacen(",67,1", ",old,1", 1));
    assert!(matches!(
        attempt(&ageless, &by_age(&[])),
        Err(Error::AuditField { row: 0, .. })
    ));
    let nameless = AuditOptions {
        label: "truth".to_owned(),
        ..by_age(&[])
    };
    let error = attempt(&path, &nameless).unwrap_err().to_string();
    assert!(error.contains("truth") && error.contains("creditability"), "{error}");
    let circuit = attempt(&path, &by_age(&[])).unwrap();
    let longer = credit(4, &folder);
    assert!(matches!(circuit.samples(&longer, &[]), Err(Error::AuditRows { .. })));
    assert!(matches!(
        GroupRule::parse("age_in_years>=old", &path),
        Err(Error::GroupBound { .. })
    ));
    for bounds in ["26,26", "41,26", "1,2,3,4,5,6,7,8"] {
        let bands = GroupRule::parse(&format!("age_in_years>={bounds}"), &path);
        assert!(matches!(bands, Err(Error::GroupBands { .. })), "{bounds}");
    }
    let forty = credit(40, &folder);
    assert!(matches!(
        GroupRule::parse("credit_amount", &forty),
        Err(Error::GroupValues { count: 40, .. })
    ));
    let names = |rule: &str| GroupRule::parse(rule, &forty).unwrap().names();
    assert_eq!(names("telephone"), ["telephone = 0", "telephone = 1"]);
    assert_eq!(names("housing"), ["housing = 0", "housing = 1", "housing = 2"]);
    let bands = ["age_in_years < 26", "26 <= age_in_years < 41.5", "age_in_years >= 41.5"];
    assert_eq!(names("age_in_years >= 26, 41.5"), bands);
}
