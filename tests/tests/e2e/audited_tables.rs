//! Audits of five published tables, beside what scikit-learn counts of the same rows (`examples/audits`).

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use halo2_proofs::halo2curves::bn256::Fr;
use serde_json::Value;
use zkverdict::{
    AuditOptions, AuditTable, CalibrationFile, CompileOptions, Error, GroupRule, Keys, Model, Proof, compile_audit,
    models::{Calibration, Claim, Program},
    prove,
};

use crate::support::{Example, development_srs, report, repository, shared};

/// Limbs of what is proven.
const LIMB_BITS: u32 = 8;

/// A published table with a model of it.
struct Table {
    model: Model,
    calibration: CalibrationFile,
    /// The rows as CSV.
    text: String,
    label: &'static str,
    /// Columns that are neither inputs nor the label.
    others: &'static [&'static str],
    /// Limbs with which the fixed-point model decides all rows as the floats do.
    limb_bits: u32,
    /// The claims that are proven of the first rows.
    claims: &'static [&'static str],
}

impl Table {
    fn example(example: Example, text: String, label: &'static str, claims: &'static [&'static str]) -> Self {
        let pipeline = example.pipeline();
        Self {
            model: pipeline.model.clone(),
            calibration: pipeline.calibration.clone(),
            text,
            label,
            others: &[],
            limb_bits: LIMB_BITS,
            claims,
        }
    }

    fn credit() -> Self {
        let text = fs::read_to_string(repository().join("examples/credit/audit.csv")).unwrap();
        let claims = &["accuracy>=0.7", "four-fifths", "parity<=0.5"];
        Self::example(Example::CreditLogreg, text, "creditability", claims)
    }

    /// A table without protected attributes.
    fn diagnosis() -> Self {
        let folder = Example::DiagnosisLogreg.folder();
        let expected = fs::read_to_string(folder.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let labels = expected["target"].as_array().unwrap().iter().map(Value::to_string);
        let rows = fs::read_to_string(folder.join("inputs.csv")).unwrap();
        let text = rows
            .lines()
            .zip(std::iter::once("benign".to_owned()).chain(labels))
            .map(|(row, label)| format!("{row},{label}\n"));
        let claims = &["accuracy>=0.95", "accuracy>=0.98"];
        Self::example(Example::DiagnosisLogreg, text.collect(), "benign", claims)
    }

    /// A model of `examples/audits`, calibrated on the table itself.
    fn shared(file: &str, text: String, label: &'static str, others: &'static [&'static str]) -> Self {
        let model = Model::load(&repository().join("examples/audits").join(file)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        fs::write(&path, &text).unwrap();
        let ignored: Vec<String> = others.iter().chain([&label]).map(|&name| name.to_owned()).collect();
        let samples = model.samples(&path, &ignored).unwrap();
        Self {
            calibration: CalibrationFile::measure(&model, &samples, Calibration::DEFAULT_MARGIN).unwrap(),
            model,
            text,
            label,
            others,
            limb_bits: LIMB_BITS,
            claims: &["accuracy>=0.8", "four-fifths", "parity<=0.4", "opportunity<=0.1"],
        }
    }

    /// The file as it is published, quotation marks and unused columns and all.
    fn default() -> Option<Self> {
        let text = fs::read_to_string(shared("data/tabular/UCI_Credit_Card.csv")?).unwrap();
        let others = &["ID", "SEX", "EDUCATION", "MARRIAGE", "AGE"];
        Some(Self {
            // With limbs of 8 bits, two of the 30,000 clients are on the other side of one half.
            limb_bits: 12,
            ..Self::shared("default.onnx", text, "default.payment.next.month", others)
        })
    }

    /// The complete rows; the model reads age and sex, which are the groups too.
    fn heart() -> Option<Self> {
        let text = fs::read_to_string(shared("data/tabular/processed.cleveland.data")?).unwrap();
        let mut table = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,disease\n".to_owned();
        for row in text.lines().filter(|row| !row.contains('?')) {
            let (inputs, stage) = row.rsplit_once(',').unwrap();
            table += &format!("{inputs},{}\n", u8::from(stage.trim() != "0"));
        }
        Some(Self::shared("heart.onnx", table, "disease", &[]))
    }

    /// Three cultivars; the model reads the alcohol, whose bands are the groups too.
    fn wine() -> Self {
        let text = fs::read_to_string(repository().join("examples/audits/wine.csv")).unwrap();
        Self {
            claims: &["accuracy>=0.95", "four-fifths", "parity<=0.8", "opportunity<=0.1"],
            ..Self::shared("wine.onnx", text, "cultivar", &[])
        }
    }

    /// The first rows as a file.
    fn first(&self, rows: usize, folder: &Path) -> PathBuf {
        let path = folder.join("table.csv");
        let lines: Vec<&str> = self.text.lines().take(1 + rows).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        path
    }

    fn options(&self, asked: Asked<'_>, claims: &[String], path: &Path) -> AuditOptions {
        let group = asked.group.map(|text| GroupRule::parse(text, path).unwrap());
        let is_group = |name: &str| group.as_ref().is_some_and(|rule| rule.column() == name);
        AuditOptions {
            label: self.label.to_owned(),
            positive: asked.positive.map(str::to_owned),
            claims: claims.iter().map(|claim| claim.parse().unwrap()).collect(),
            ignore: self
                .others
                .iter()
                .filter(|name| !is_group(name))
                .map(|&name| name.to_owned())
                .collect(),
            group,
        }
    }

    /// What the evaluator says of the first rows.
    fn evaluated(&self, rows: usize, asked: Asked<'_>, claims: &[String]) -> BTreeMap<String, Vec<i64>> {
        let folder = tempfile::tempdir().unwrap();
        let path = self.first(rows, folder.path());
        let options = self.options(asked, claims, &path);
        let width = self.calibration.width(self.limb_bits).unwrap();
        let model = width.program(&self.model.graph, &self.calibration.calibration).unwrap();
        let table = AuditTable::of(&self.model, model.classes().unwrap(), &path, &options).unwrap();
        assert_eq!(table.audit.rows, rows);
        let program = model.audit(&table.audit).unwrap();
        let sample = table.sample(&path, &self.model.graph, &options.ignore).unwrap();
        let cells = program.execute(&program.quantize(&sample).unwrap()).unwrap();
        outputs(&program, |cell| cells[cell])
    }
}

/// Which groups are compared, and by which class.
#[derive(Debug, Clone, Copy, Default)]
struct Asked<'a> {
    group: Option<&'a str>,
    positive: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn by(figures: &'a Value) -> Self {
        Self {
            group: figures["group"].as_str(),
            positive: figures["positive"].as_str(),
        }
    }
}

fn outputs(program: &Program, value: impl Fn(usize) -> i64) -> BTreeMap<String, Vec<i64>> {
    let outputs = program.outputs.iter().map(|output| {
        let values = output.cells.iter().map(|cell| value(cell.index()));
        (output.name.clone(), values.collect())
    });
    outputs.collect()
}

/// What scikit-learn says of a table, of the first rows and of all.
fn figures(table: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository().join("examples/audits/figures.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let audits = file["audits"].as_array().unwrap().iter();
    let found: Vec<Value> = audits.filter(|audit| audit["table"] == table).cloned().collect();
    assert!(found.len() >= 2, "{table}");
    found
}

fn number(figure: &Value) -> f64 {
    figure.as_f64().unwrap()
}

fn assert_close(got: f64, expected: &Value, what: &str) {
    assert!((got - number(expected)).abs() < 1e-12, "{what}: {got}, not {expected}");
}

const COUNTS: [&str; 4] = ["true positives", "false positives", "false negatives", "true negatives"];

/// The counts of an audit, and the rates that follow from them, are scikit-learn's.
fn assert_counts(counts: &BTreeMap<String, Vec<i64>>, figures: &Value) {
    let rows = number(&figures["rows"]);
    assert_eq!(counts["rows"], [rows as i64]);
    assert_close(counts["correct"][0] as f64 / rows, &figures["accuracy"], "accuracy");
    for name in COUNTS {
        assert_eq!(counts[name].iter().sum::<i64>(), figures["confusion"][name], "{name}");
    }
    let Some(groups) = figures["groups"].as_array() else {
        assert!(COUNTS.iter().all(|name| counts[*name].len() == 1));
        return;
    };
    let mut rates = Vec::new();
    for (group, expected) in groups.iter().enumerate() {
        let [tp, fp, fn_, tn] = COUNTS.map(|name| {
            let count = counts[name][group];
            assert_eq!(count, expected["confusion"][name], "{name} of {}", expected["name"]);
            count as f64
        });
        assert_eq!(tp + fp + fn_ + tn, number(&expected["rows"]));
        let (selected, found) = ((tp + fp) / (tp + fp + fn_ + tn), tp / (tp + fn_));
        assert_close(selected, &expected["selection rate"], "selection rate");
        assert_close(found, &expected["true positive rate"], "true positive rate");
        rates.push([selected, found]);
    }
    for (which, name) in ["parity gap", "opportunity gap"].iter().enumerate() {
        let most = rates.iter().map(|rates| rates[which]).fold(f64::MIN, f64::max);
        let least = rates.iter().map(|rates| rates[which]).fold(f64::MAX, f64::min);
        assert_close(most - least, &figures[*name], name);
    }
}

/// Claims at the sharpest bounds of four decimals on both sides of scikit-learn's figures, and whether they hold.
fn sharp_claims(figures: &Value) -> Vec<(String, bool)> {
    // Digits behind the tenth are rounding.
    let steps = |figure: &Value| number(figure) * 1e4;
    let bound = |steps: f64| format!("{:.4}", steps / 1e4);
    let accuracy = (steps(&figures["accuracy"]) + 1e-6).floor();
    let mut claims = vec![(format!("accuracy>={}", bound(accuracy)), true)];
    if accuracy < 1e4 {
        claims.push((format!("accuracy>={}", bound(accuracy + 1.0)), false));
    }
    if figures["group"].is_string() {
        claims.push(("four-fifths".to_owned(), figures["four-fifths"].as_bool().unwrap()));
        for (claim, gap) in [("parity", "parity gap"), ("opportunity", "opportunity gap")] {
            let least = (steps(&figures[gap]) - 1e-6).ceil().max(0.0);
            claims.push((format!("{claim}<={}", bound(least)), true));
            if least > 0.0 {
                claims.push((format!("{claim}<={}", bound(least - 1.0)), false));
            }
        }
    }
    claims
}

fn named(claim: &str) -> String {
    claim.parse::<Claim>().unwrap().to_string()
}

/// Whether a claim holds by scikit-learn's figures.
fn holds(claim: &str, figures: &Value) -> bool {
    match claim.parse().unwrap() {
        Claim::Accuracy(least) => {
            number(&figures["accuracy"]) * f64::from(least.denominator) >= f64::from(least.numerator)
        }
        Claim::FourFifths => figures["four-fifths"].as_bool().unwrap(),
        Claim::Parity(most) => {
            number(&figures["parity gap"]) * f64::from(most.denominator) <= f64::from(most.numerator)
        }
        Claim::Opportunity(most) => {
            number(&figures["opportunity gap"]) * f64::from(most.denominator) <= f64::from(most.numerator)
        }
    }
}

/// The evaluator on all rows that there are figures for.
fn assert_figures(name: &str, table: &Table) {
    for figures in figures(name) {
        let rows = figures["rows"].as_u64().unwrap() as usize;
        let asked = Asked::by(&figures);
        let counts = table.evaluated(rows, asked, &[]);
        assert_counts(&counts, &figures);
        let claims = sharp_claims(&figures);
        let texts: Vec<String> = claims.iter().map(|(claim, _)| claim.clone()).collect();
        let said = table.evaluated(rows, asked, &texts);
        assert_eq!(said.len(), 1 + claims.len(), "claims show no counts");
        for (claim, holds) in claims {
            assert_eq!(said[&named(&claim)], [i64::from(holds)], "{name}, {rows} rows: {claim}");
        }
        if let Some(matrix) = figures["matrix"].as_array() {
            let counts = table.evaluated(rows, Asked::default(), &[]);
            let expected: Vec<i64> = matrix
                .iter()
                .flat_map(|row| row.as_array().unwrap())
                .map(|count| count.as_i64().unwrap())
                .collect();
            assert_eq!(counts["confusion"], expected, "{name}, {rows} rows");
            assert_eq!(counts.len(), 3, "rows, correct, confusion");
            assert_close(
                counts["correct"][0] as f64 / rows as f64,
                &figures["accuracy"],
                "accuracy",
            );
        }
        report!("audit: {name}, {asked:?}, {} of {rows} correct", counts["correct"][0]);
    }
}

/// A proof about the first rows, with scikit-learn's verdict on each claim; forged verdicts are refused.
fn assert_proven(name: &str, table: &Table) {
    let figures = figures(name);
    let figures = figures
        .iter()
        .min_by_key(|figures| {
            let groups = figures["groups"].as_array().map_or(0, Vec::len);
            (figures["rows"].as_u64(), Reverse(groups))
        })
        .expect("some rows are few");
    let rows = figures["rows"].as_u64().unwrap() as usize;
    let folder = tempfile::tempdir().unwrap();
    let path = table.first(rows, folder.path());
    let claims: Vec<String> = table.claims.iter().map(|&claim| claim.to_owned()).collect();
    let audit = table.options(Asked::by(figures), &claims, &path);
    let options = CompileOptions {
        limb_bits: Some(LIMB_BITS),
        ..CompileOptions::default()
    };
    let planned = compile_audit(&table.model, &table.calibration, &options, &path, &audit).unwrap();
    let circuit = &planned.file;
    let keys = Keys::generate(circuit, &development_srs(circuit.plan.k)).unwrap();
    let sample = circuit.samples(&path, &audit.ignore).unwrap().remove(0);
    let (proof, secret) = prove(circuit, &keys.proving, &sample, Fr::from(4711)).unwrap();
    proof.verify(&keys.verifying).unwrap();
    let root = circuit.data_root(&sample, &secret.salts).unwrap();
    let bits = claims.iter().map(|claim| u64::from(holds(claim, figures)));
    let shown: Vec<Fr> = [rows as u64].into_iter().chain(bits).map(Fr::from).collect();
    assert_eq!(proof.public_inputs[1], root);
    assert_eq!(secret.public_inputs[2..], shown);
    assert_eq!(secret.public_inputs.len(), 3 + claims.len());
    for place in 0..proof.public_inputs.len() {
        let mut forged: Proof = proof.clone();
        forged.public_inputs[place][31] ^= 1;
        assert!(
            matches!(forged.verify(&keys.verifying), Err(Error::Verify(_))),
            "{name}: public input {place}"
        );
    }
    report!(
        "audit: {name}, {rows} rows proven in 2^{} with {:?}",
        circuit.plan.k,
        secret.public_inputs[3..]
            .iter()
            .map(|bit| *bit == Fr::one())
            .collect::<Vec<_>>()
    );
}

#[test]
fn german_credit_is_audited_as_scikit_learn_counts() {
    let table = Table::credit();
    assert_figures("credit", &table);
    assert_proven("credit", &table);
}

#[test]
fn wisconsin_breast_cancer_is_audited_as_scikit_learn_counts() {
    let table = Table::diagnosis();
    assert_figures("diagnosis", &table);
    assert_proven("diagnosis", &table);
}

#[test]
fn default_of_credit_card_clients_is_audited_as_scikit_learn_counts() {
    let Some(table) = Table::default() else { return };
    assert_figures("default", &table);
    assert_proven("default", &table);
}

#[test]
fn cleveland_heart_disease_is_audited_as_scikit_learn_counts() {
    let Some(table) = Table::heart() else { return };
    assert_figures("heart", &table);
    assert_proven("heart", &table);
}

#[test]
fn three_cultivars_of_wine_are_audited_as_scikit_learn_counts() {
    let table = Table::wine();
    assert_figures("wine", &table);
    assert_proven("wine", &table);
}
