//! Audits and reasons from the first command to the last, on a few rows, and what is refused on the way.

use std::fs;

use serde_json::Value;

use crate::harness::{Said, Work, examples, pipeline, snapshot};

const ROWS: usize = 12;

const COMPILE: &str = "audit compile logreg.onnx --data table.csv --label creditability --limb-bits 8 -o audit.circuit";

/// The credit table with its first rows.
fn table(rows: usize) -> String {
    let text = fs::read_to_string(examples().join("credit/audit.csv")).unwrap();
    text.lines().take(1 + rows).map(|line| format!("{line}\n")).collect()
}

/// The credit model and its table.
fn work() -> Work {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json"]);
    work.write("table.csv", table(ROWS));
    work
}

/// With a circuit of these groups and claims, its keys, the root of the table, and a proof.
fn audited(options: &str) -> (Work, Value) {
    let work = work();
    work.run(&format!("{COMPILE} {options}")).expect_status(0);
    work.run("srs dev -k 13 -o dev-13.srs").expect_status(0);
    work.run("setup audit.circuit --srs dev-13.srs").expect_status(0);
    let root = work
        .run("audit data audit.circuit --data table.csv --json")
        .expect_status(0)
        .json();
    work.run("prove audit.circuit --input table.csv --salt audit.salt --context audit-2026")
        .expect_status(0);
    (work, root)
}

fn verify(work: &Work, more: &str) -> Said {
    work.run(&format!(
        "verify --verifying-key audit.vk --proof audit.proof --context audit-2026 {more}"
    ))
}

#[test]
fn counts_of_groups_are_proven_and_named() {
    let (work, root) = audited("--group age_in_years>=26");
    snapshot!(verify(&work, ""), @r"
    status 0
    --- stdout
    valid proof for logreg, audited on 12 rows, which says
      context                              [WORD]
      data root                            [WORD]
      rows                                 12
      correct                              10
      true positives[age_in_years < 26]    0
      true positives[age_in_years >= 26]   5
      false positives[age_in_years < 26]   0
      false positives[age_in_years >= 26]  0
      false negatives[age_in_years < 26]   0
      false negatives[age_in_years >= 26]  2
      true negatives[age_in_years < 26]    3
      true negatives[age_in_years >= 26]   2
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = verify(&work, "--json").expect_status(0).json();
    assert_eq!(json["public"][1]["value"], root["data_root"]);
    assert_eq!(json["public"][1]["role"], "input_commitment");
    let false_negatives = &json["public"][9];
    assert_eq!(false_negatives["name"], "false negatives");
    assert_eq!(false_negatives["element"], "age_in_years >= 26");
    assert_eq!(false_negatives["value"], 2);
    assert_eq!(json["audit"]["audit"]["rows"], ROWS);
    assert_eq!(json["audit"]["group"]["at_least"]["column"], "age_in_years");
    for name in ["false negatives[1]", "false negatives[age_in_years >= 26]", "correct"] {
        let value = if name == "correct" { 10 } else { 2 };
        let expect = |value: u64| {
            let run = work
                .command("verify --verifying-key audit.vk --proof audit.proof")
                .args(["--expect", &format!("{name}={value}")])
                .output();
            run.unwrap().status.code()
        };
        assert_eq!([expect(value), expect(value + 1)], [Some(0), Some(1)], "{name}");
    }

    work.run("contract audit.vk --name Audit").expect_status(0);
    let said = work.run("simulate Audit.contract --proof audit.proof").expect_status(0);
    assert!(
        said.stdout.contains("false negatives[age_in_years >= 26]  2\n"),
        "{said}"
    );
    let json = work
        .run("simulate Audit.contract --proof audit.proof --json")
        .expect_status(0)
        .json();
    assert_eq!(json["public"][9]["element"], "age_in_years >= 26");

    // One row, for an auditor.
    work.run("audit open audit.circuit --data table.csv --row 3")
        .expect_status(0);
    let check = "audit check audit.row3.opening --verifying-key audit.vk --proof audit.proof";
    snapshot!(work.run(check), @r"
    status 0
    --- stdout
    opens: row 3 of the table that logreg was audited on is
      input[0]       0
      input[1]       42
      input[2]       2
      input[3]       2
      input[4]       7882
      input[5]       0
      input[6]       3
      input[7]       2
      input[8]       2
      input[9]       4
      input[10]      1
      input[11]      0
      input[12]      2
      input[13]      1
      input[14]      2
      input[15]      2
      input[16]      0
      creditability  1
      age_in_years   age_in_years >= 26
    ");
    // Another value, another place, another salt.
    let opening: Value = serde_json::from_slice(&work.read("audit.row3.opening")).unwrap();
    let mut relabelled = opening.clone();
    relabelled["values"][17] = 0.into();
    let mut moved = opening.clone();
    moved["row"] = 4.into();
    for (name, lie) in [("relabelled", relabelled), ("moved", moved)] {
        work.write("lie.opening", lie.to_string());
        let said = work.run("audit check lie.opening --verifying-key audit.vk --proof audit.proof");
        assert!(said.stdout.starts_with("does not open"), "{name}: {said}");
        said.expect_status(1);
    }
    work.run("audit data audit.circuit --data table.csv --salt other.salt")
        .expect_status(0);
    work.run("audit open audit.circuit --data table.csv --row 3 --salt other.salt -o other.opening")
        .expect_status(0);
    let said = work.run("audit check other.opening --verifying-key audit.vk --proof audit.proof --json");
    assert_eq!(said.expect_status(1).json()["opens"], false);
}

#[test]
fn claims_are_shown_with_what_became_of_them() {
    let (work, _) = audited("--group age_in_years>=26 --claim accuracy>=0.7 --claim four-fifths");
    snapshot!(verify(&work, ""), @r"
    status 0
    --- stdout
    valid proof for logreg, audited on 12 rows, which says
      context        [WORD]
      data root      [WORD]
      rows           12
      accuracy>=0.7  holds
      four-fifths    does not hold
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = verify(&work, "--json").expect_status(0).json();
    let claim = |at: usize| (json["public"][at]["name"].clone(), json["public"][at]["value"].clone());
    assert_eq!(claim(3), ("accuracy>=0.7".into(), true.into()));
    assert_eq!(claim(4), ("four-fifths".into(), false.into()));
    for (expect, status) in [
        ("accuracy>=0.7=true", 0),
        ("accuracy>=0.7=false", 1),
        ("accuracy>=0.8=true", 2),
        ("four-fifths=false", 0),
        ("four-fifths=true", 1),
        ("four-fifths", 2),
        ("rows=12", 0),
    ] {
        let said = verify(&work, &format!("--expect {expect}"));
        assert_eq!(said.status, status, "{expect}: {said}");
    }
    let unknown = verify(&work, "--expect accuracy>=0.8=true").stderr;
    assert!(
        unknown.contains(r#"error: the proof shows no "accuracy>=0.8""#),
        "{unknown}"
    );
    work.run("contract audit.vk --name Audit").expect_status(0);
    let said = work.run("simulate Audit.contract --proof audit.proof").expect_status(0);
    assert!(
        said.stdout
            .ends_with("accuracy>=0.7  holds\n  four-fifths    does not hold\n"),
        "{said}"
    );
}

#[test]
fn what_does_not_fit_the_audit_is_named() {
    let work = work();
    work.run(&format!("{COMPILE} --group age_in_years>=26"))
        .expect_status(0);
    let said = |arguments: &str| work.run(arguments).expect_status(2).stderr;
    let data = |table: &str| said(&format!("audit data audit.circuit --data {table}"));
    let full = table(ROWS);

    work.write("longer.csv", table(ROWS + 1));
    work.write(
        "short.csv",
        full.lines()
            .map(|line| format!("{}\n", line.split_once(',').unwrap().1))
            .collect::<String>(),
    );
    work.write("text.csv", full.replacen(",6,4,3,1169", ",six,4,3,1169", 1));
    work.write("ageless.csv", full.replacen(",67,1", ",old,1", 1));
    work.write("unlabelled.csv", full.replacen(",67,1", ",67,?", 1));
    work.write("nameless.csv", full.replacen("creditability", "truth", 1));
    work.write("category.csv", full.replacen("1,48,2,3,5951", "9,48,2,3,5951", 1));
    work.write("table.npy", "");
    snapshot!(data("longer.csv"), @"error: longer.csv has 13 rows, the audit was compiled for 12; run `zkverdict audit compile` again");
    snapshot!(data("short.csv"), @"error: short.csv: it has 16 columns, but the model takes 17 values a sample; surplus columns must be named as ignored");
    snapshot!(data("text.csv"), @r#"error: text.csv: line 2, column "duration_in_month": "six" is not a number; encode it as the training did"#);
    snapshot!(data("ageless.csv"), @r#"error: ageless.csv, row 0, column "age_in_years": "old" is not age_in_years < 26 or age_in_years >= 26"#);
    snapshot!(data("unlabelled.csv"), @r#"error: unlabelled.csv, row 0, column "creditability": "?" is not 0 or 1"#);
    snapshot!(data("category.csv"), @"error: category.csv, row 1: input input[0] = 9 is in no category of the model's one-hot encoder; use one of [0, 1, 2, 3]");
    snapshot!(data("table.npy"), @"error: table.npy: a .npy file holds one array without a name; use .npz with one array each, .json or .csv");
    assert!(data("nameless.csv").contains(r#"it has no column "creditability""#));
    assert!(!work.path("audit.salt").exists(), "a salt was written for no table");

    // Salts are kept, and none are made where something is to be opened.
    snapshot!(said("audit open audit.circuit --data table.csv --row 3"), @r"
    error: audit.salt is not there: a new salt opens nothing
    hint: name the file that `zkverdict audit data` or `zkverdict prove` wrote: --salt FILE
    ");
    work.run("audit data audit.circuit --data table.csv").expect_status(0);
    snapshot!(said("audit open audit.circuit --data table.csv --row 12"), @"error: the table has no row 12; choose one between 0 and 11");
    work.run("audit open audit.circuit --data table.csv --row 0")
        .expect_status(0);
    let again = said("audit open audit.circuit --data table.csv --row 0");
    assert!(
        again.contains("audit.row0.opening is there already and is not overwritten"),
        "{again}"
    );

    // Files of another circuit.
    work.run("compile logreg.onnx").expect_status(0);
    work.run("srs dev -k 9 -o dev.srs").expect_status(0);
    work.run("setup logreg.circuit --srs dev.srs").expect_status(0);
    let approved = fs::read(examples().join("credit/applicants/approved.json")).unwrap();
    work.write("approved.json", approved);
    work.run("prove logreg.circuit --input approved.json").expect_status(0);
    snapshot!(said("audit data logreg.circuit --data table.csv"), @"error: it is about one sample, not about a table; make it with `zkverdict audit compile`");
    snapshot!(said("audit check audit.row0.opening --verifying-key logreg.vk --proof logreg.proof"), @"error: it is about one sample, not about a table; make it with `zkverdict audit compile`");
    let said = said("prove audit.circuit --input table.csv --proving-key logreg.pk");
    assert!(said.contains("logreg.pk"), "{said}");
}

#[test]
fn what_no_audit_can_be_made_of_is_named() {
    let work = work();
    let said = |options: &str| {
        let said = work.run(&format!("audit compile logreg.onnx --data table.csv {options}"));
        assert!(!work.path("logreg.audit.circuit").exists(), "{options}");
        said.expect_status(2).stderr
    };
    let label = "--label creditability";
    assert!(said("--label truth").contains(r#"it has no column "truth""#));
    assert!(said(&format!("{label} --group income")).contains(r#"it has no column "income""#));
    assert!(said(&format!("{label} --group age_in_years>=old")).contains("old"));
    assert!(said(&format!("{label} --group credit_amount")).contains("credit_amount"));
    assert!(said(&format!("{label} --claim accuracy>=2")).contains("from 0 to 1"));
    assert!(said(&format!("{label} --claim fair")).contains("is no claim"));
    assert!(
        said(&format!("{label} --claim four-fifths --ignore-column age_in_years")).contains("no groups to compare")
    );
    // The age is neither an input nor a group.
    assert!(said(label).contains("it has 18 columns, but the model takes 17"));
}

/// One table in every format, with the same root under the same salt.
#[test]
fn tables_of_other_formats_are_the_same_tables() {
    let work = work();
    work.run(&format!("{COMPILE} --group age_in_years>=26"))
        .expect_status(0);
    let (mut inputs, mut ages, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for line in table(ROWS).lines().skip(1) {
        let row: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [row @ .., age, label] = row.as_slice() else {
            panic!()
        };
        inputs.push(row.to_vec());
        ages.push(*age);
        labels.push(*label);
    }
    let columns = serde_json::json!({ "input": inputs, "creditability": labels, "age_in_years": ages });
    work.write("columns.json", columns.to_string());
    let rows: Vec<Value> = (0..ROWS)
        .map(|row| serde_json::json!({ "input": inputs[row], "age_in_years": ages[row], "creditability": labels[row] }))
        .collect();
    work.write("rows.json", Value::from(rows).to_string());
    let ezkl = serde_json::json!({ "input_data": inputs, "creditability": labels, "age_in_years": ages });
    work.write("ezkl.json", ezkl.to_string());
    let root = |file: &str| {
        let said = work.run(&format!("audit data audit.circuit --data {file} --json"));
        said.expect_status(0).json()["data_root"].clone()
    };
    let expected = root("table.csv");
    for file in ["columns.json", "rows.json", "ezkl.json"] {
        assert_eq!(root(file), expected, "{file}");
    }
    let fewer = serde_json::json!({ "input": inputs, "creditability": labels[1..], "age_in_years": ages });
    work.write("fewer.json", fewer.to_string());
    let said = work.run("audit data audit.circuit --data fewer.json").expect_status(2);
    assert!(
        said.stderr
            .contains(r#""creditability" has 11 samples, but "input" has 12"#),
        "{said}"
    );
}

/// A protected attribute that the model reads, or that would be taken for a column that the table lacks.
#[test]
fn a_group_among_the_inputs_is_said() {
    let work = work();
    let said = work.run(&format!("{COMPILE} --group telephone")).expect_status(0);
    assert!(!said.stderr.contains("is taken for an input"), "{said}");
    let without_age: String = table(ROWS)
        .lines()
        .map(|line| {
            let mut fields: Vec<&str> = line.split(',').collect();
            fields.remove(17);
            fields.join(",") + "\n"
        })
        .collect();
    work.write("table.csv", without_age);
    let said = work.run(&format!("{COMPILE} --group telephone")).expect_status(0);
    assert!(
        said.stderr
            .contains("telephone is taken for an input of the model, too: without it the table has fewer columns than the model reads"),
        "{said}"
    );
    work.run("audit data audit.circuit --data table.csv").expect_status(0);
}

#[test]
fn reasons_are_calibrated_proven_and_shown() {
    let work = pipeline().with(&["logreg.onnx", "samples.json", "rejected.json"]);
    fs::copy(examples().join("credit/codebook.json"), work.path("codebook.json")).unwrap();
    work.run("calibrate logreg.onnx --data samples.json --reasons 3 --feature-names codebook.json")
        .expect_status(0);
    work.run("compile logreg.onnx --limb-bits 8").expect_status(0);
    work.run("srs dev -k 10 -o dev-10.srs").expect_status(0);
    work.run("setup logreg.circuit --srs dev-10.srs").expect_status(0);
    snapshot!(work.run("prove logreg.circuit --input rejected.json --explain"), @r"
    status 0
    --- stdout
    logreg proven, and everybody who has the proof sees
      context           [WORD]
      label             0
      probabilities[0]  0.671158
      probabilities[1]  0.328842
      reasons[0]        duration_in_month
      reasons[1]        status_of_existing_checking_account
      reasons[2]        savings_account_and_bonds
      contributions[0]  0.939209
      contributions[1]  0.767944
      contributions[2]  0.369629
    wrote logreg.proof (1,920 bytes)
    what counts most against 1, proven
      duration_in_month                    +0.9392
      status_of_existing_checking_account  +0.7679
      savings_account_and_bonds            +0.3696
    --- stderr
    warning: made with the UNSAFE development SRS: this proof convinces nobody
    ");
    let verified = work
        .run("verify --verifying-key logreg.vk --proof logreg.proof --expect reasons[0]=duration_in_month --json")
        .expect_status(0)
        .json();
    assert_eq!(verified["public"][4]["value"], "duration_in_month");
    work.run("verify --verifying-key logreg.vk --proof logreg.proof --expect reasons[0]=telephone")
        .expect_status(1);
}

#[test]
fn reasons_that_there_are_not_are_named() {
    let work = pipeline().with(&[
        "logreg.onnx",
        "logreg.calibration.json",
        "logreg.circuit",
        "logreg.pk",
        "mlp.onnx",
        "samples.json",
        "rejected.json",
    ]);
    let said = |arguments: &str| work.run(arguments).expect_status(2).stderr;
    snapshot!(said("prove logreg.circuit --input rejected.json --explain"), @r"
    error: logreg.circuit gives no reasons for its decisions
    hint: they are outputs of the circuit: run `zkverdict calibrate --reasons 3`, then compile and set up again
    ");
    let calibrate = |options: &str| {
        said(&format!(
            "calibrate {options} --data samples.json -o new.calibration.json"
        ))
    };
    snapshot!(calibrate("mlp.onnx --reasons 3"), @r#"error: Relu "Relu": no reasons can be given for a score that mixes several inputs here; linear models and sums of trees have them, networks have none"#);
    snapshot!(calibrate("logreg.onnx --reasons 18"), @"error: the reasons for a decision: 18 are asked for, of a score that 17 inputs have a part in; ask for 1 to 17");
    snapshot!(calibrate("logreg.onnx --reasons 3 --against 2"), @r#"error: the reasons for a decision: they speak against one of two outcomes; this model has ["0", "1"], and "2" is asked for"#);
    work.write("codebook.json", r#"{"columns": [{"name": "age"}]}"#);
    snapshot!(calibrate("logreg.onnx --reasons 3 --feature-names codebook.json"), @"error: the reasons for a decision: 1 names are given for 17 inputs, or one name twice; name each input element once, in order");
    assert!(!work.path("new.calibration.json").exists());
}

#[test]
fn the_story_of_an_audit_is_told() {
    let json = Work::empty().run("demo audit --json").expect_status(0).json();
    assert_eq!(json["as_expected"], true);
    assert_eq!(json["accepted"]["result"], "accepted");
    for forgery in ["forged", "other_table"] {
        assert_eq!(json[forgery]["reason"]["rejection"], "invalid_proof", "{forgery}");
    }
    let claims: Vec<(&str, &Value)> = json["public"]
        .as_array()
        .unwrap()
        .iter()
        .skip(3)
        .map(|claim| (claim["name"].as_str().unwrap(), &claim["value"]))
        .collect();
    let [accuracy, four_fifths, parity] = claims.as_slice() else {
        panic!("{claims:?}")
    };
    assert_eq!(*accuracy, ("accuracy>=0.7", &Value::from(true)));
    assert_eq!([four_fifths.0, parity.0], ["four-fifths", "parity<=0.1"]);
    let said = Work::empty().run("demo audit --model mlp").expect_status(2);
    assert!(
        said.stderr.contains("the audit is of the logistic regression"),
        "{said}"
    );
}
