//! Audits of a model with three classes, class by class and between four bands of a column.

use std::fs;

use crate::harness::{Work, examples, snapshot};

const COMPILE: &str = "audit compile wine.onnx --data table.csv --label cultivar --limb-bits 8 -o audit.circuit";

/// The first wines, and the model calibrated on all of them.
fn work() -> Work {
    let work = Work::empty();
    let text = fs::read_to_string(examples().join("audits/wine.csv")).unwrap();
    work.write("wine.onnx", fs::read(examples().join("audits/wine.onnx")).unwrap());
    work.write("wine.csv", &text);
    let lines = text.lines().take(1 + 16).map(|line| format!("{line}\n"));
    work.write("table.csv", lines.collect::<String>());
    work.run("calibrate wine.onnx --data wine.csv --ignore-column cultivar")
        .expect_status(0);
    work
}

fn proven(work: &Work, options: &str) {
    work.run(&format!("{COMPILE} {options}")).expect_status(0);
    work.run("srs dev -k 13 -o dev.srs").expect_status(0);
    work.run("setup audit.circuit --srs dev.srs").expect_status(0);
    work.run("audit data audit.circuit --data table.csv").expect_status(0);
    work.run("prove audit.circuit --input table.csv --salt audit.salt")
        .expect_status(0);
}

const VERIFY: &str = "verify --verifying-key audit.vk --proof audit.proof";

#[test]
fn pairs_of_classes_are_proven_and_named() {
    let work = work();
    proven(&work, "");
    snapshot!(work.run(VERIFY), @r"
    status 0
    --- stdout
    valid proof for wine, audited on 16 rows, which says
      context                        [WORD]
      data root                      [WORD]
      rows                           16
      correct                        16
      confusion[class_0 as class_0]  4
      confusion[class_0 as class_1]  0
      confusion[class_0 as class_2]  0
      confusion[class_1 as class_0]  0
      confusion[class_1 as class_1]  7
      confusion[class_1 as class_2]  0
      confusion[class_2 as class_0]  0
      confusion[class_2 as class_1]  0
      confusion[class_2 as class_2]  5
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = work.run(&format!("{VERIFY} --json")).expect_status(0).json();
    assert_eq!(json["public"][5]["element"], "class_0 as class_1");
    assert_eq!(json["public"][5]["name"], "confusion");
    assert_eq!(json["audit"]["classes"][2], "class_2");
    for (expect, status) in [("class_1 as class_1", 0), ("class_1 as class_2", 1)] {
        let run = work
            .command(VERIFY)
            .args(["--expect", &format!("confusion[{expect}]=7")])
            .output();
        assert_eq!(run.unwrap().status.code(), Some(status), "{expect}");
    }
    work.run("contract audit.vk --name Wines -o out --foundry wines")
        .expect_status(0);
    let said = work
        .run("simulate out/Wines.contract --proof audit.proof")
        .expect_status(0);
    assert!(said.stdout.contains("confusion[class_2 as class_1]"), "{said}");
    work.run("audit open audit.circuit --data table.csv --row 2 --salt audit.salt")
        .expect_status(0);
    let check = "audit check audit.row2.opening --verifying-key audit.vk --proof audit.proof --json";
    let row = work.run(check).expect_status(0).json();
    let right = row["values"].as_array().unwrap().last().unwrap();
    assert_eq!([&right["name"], &right["value"]], ["cultivar", "class_1"]);
}

#[test]
fn bands_are_compared_by_the_selected_class() {
    let work = work();
    let options = "--group alcohol>=12.25,12.75,13.25 --positive class_1";
    proven(
        &work,
        &format!("{options} --claim accuracy>=0.9 --claim four-fifths --claim parity<=1"),
    );
    snapshot!(work.run(VERIFY), @r"
    status 0
    --- stdout
    valid proof for wine, audited on 16 rows, class_1 selected, which says
      context        [WORD]
      data root      [WORD]
      rows           16
      accuracy>=0.9  holds
      four-fifths    does not hold
      parity<=1      holds
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = work.run(&format!("{VERIFY} --json")).expect_status(0).json();
    assert_eq!(json["audit"]["group"]["bands"]["bounds"][2], 13.25);
    assert_eq!(
        [&json["audit"]["audit"]["groups"], &json["audit"]["audit"]["positive"]],
        [4, 1]
    );

    let counted = self::work();
    proven(&counted, options);
    snapshot!(counted.run(VERIFY), @r"
    status 0
    --- stdout
    valid proof for wine, audited on 16 rows, class_1 selected, which says
      context                                    [WORD]
      data root                                  [WORD]
      rows                                       16
      correct                                    16
      true positives[alcohol < 12.25]            4
      true positives[12.25 <= alcohol < 12.75]   2
      true positives[12.75 <= alcohol < 13.25]   0
      true positives[alcohol >= 13.25]           1
      false positives[alcohol < 12.25]           0
      false positives[12.25 <= alcohol < 12.75]  0
      false positives[12.75 <= alcohol < 13.25]  0
      false positives[alcohol >= 13.25]          0
      false negatives[alcohol < 12.25]           0
      false negatives[12.25 <= alcohol < 12.75]  0
      false negatives[12.75 <= alcohol < 13.25]  0
      false negatives[alcohol >= 13.25]          0
      true negatives[alcohol < 12.25]            1
      true negatives[12.25 <= alcohol < 12.75]   1
      true negatives[12.75 <= alcohol < 13.25]   2
      true negatives[alcohol >= 13.25]           5
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
}

#[test]
fn what_no_audit_of_classes_can_be_made_of_is_named() {
    let work = work();
    let said = |options: &str| work.run(&format!("{COMPILE} {options}")).expect_status(2).stderr;
    snapshot!(said("--group alcohol>=13"), @"error: no audit: rates of groups are of one selected class, and the model has 3: class_0, class_1, class_2; name it (--positive CLASS)");
    snapshot!(said("--group alcohol>=13 --positive riesling"), @r#"error: the model decides on no class "riesling"; name one of class_0, class_1, class_2"#);
    snapshot!(said("--group alcohol>=13,12 --positive class_0"), @r#"error: the groups of "alcohol": their bounds do not ascend, or are more than 7; write them as alcohol>=25,40,60"#);
    snapshot!(said("--group alcohol>=13,14,old --positive class_0"), @r#"error: "old" is no number; write the groups as COLUMN>=NUMBER, such as age>=25, as COLUMN>=NUMBER,NUMBER for three, or as a column with few values"#);
    snapshot!(said("--group magnesium --positive class_0"), @r#"error: the column "magnesium" holds 11 different values; name one with 2 to 8, or divide it: magnesium>=NUMBER"#);
    let text = String::from_utf8(work.read("table.csv")).unwrap();
    work.write("table.csv", text.replacen("class_1", "class_3", 1));
    snapshot!(said(""), @r#"error: table.csv, row 2, column "cultivar": "class_3" is not class_0 or class_1 or class_2"#);
}
