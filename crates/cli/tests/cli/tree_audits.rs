//! Audits of a committed tree, from the table to an opened row.

use serde_json::json;

use crate::harness::{Work, examples};

/// Invented clients: a limit, who they are, months of delay, bills and payments, and whether they paid.
fn clients(rows: usize) -> String {
    let names: Vec<String> = (0..23).map(|column| format!("x{column}")).collect();
    let mut table = format!("{},late,defaults\n", names.join(","));
    for row in 0..rows {
        let late = [-1, 0, 2, 3][row % 4];
        let numbers = (0..23).map(|column| match column {
            0 => 20_000 * (1 + row as i64 % 9),
            1..=3 => 1 + (row + column) as i64 % 2,
            4 => 23 + 5 * (row as i64 % 7),
            5..=10 => late,
            11..=16 => 1_000 * (row as i64 + 3) * (22 - column as i64),
            _ => 700 * (row as i64 % 5),
        });
        let fields: Vec<String> = numbers.map(|number| number.to_string()).collect();
        table += &format!(
            "{},{},{}\n",
            fields.join(","),
            i64::from(late > 0),
            i64::from(row % 3 == 0)
        );
    }
    table
}

#[test]
fn it_is_stated_that_a_committed_tree_never_reads_a_feature() {
    let work = Work::empty();
    work.write(
        "tree.onnx",
        std::fs::read(examples().join("default/tree.onnx")).unwrap(),
    );
    work.write("clients.csv", clients(12));
    work.run("calibrate tree.onnx --data clients.csv --ignore-column late --ignore-column defaults")
        .expect_status(0);
    let compile = "compile tree.onnx --limb-bits 8 -o tree.circuit";
    work.run(compile).expect_status(0);
    let refused = work
        .run("audit trees tree.circuit --claim unused=X[1]")
        .expect_status(2);
    assert!(refused.stderr.contains("shows its model"), "{}", refused.stderr);
    let single = work
        .run(&format!("{compile} --visibility model=committed --json"))
        .expect_status(0)
        .json();
    for (claim, reason) in [
        ("unused=age", "no tree reads"),
        ("increasing=X[1]@1", "1 scores"),
        ("never=X[1]", "no claim about trees"),
    ] {
        let refused = work
            .run(&format!("audit trees tree.circuit --claim {claim}"))
            .expect_status(2);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    }
    let compiled = work
        .run("audit trees tree.circuit --claim unused=X[1] --claim unused=X[2] --json")
        .expect_status(0)
        .json();
    assert_eq!(compiled["claims"], json!(["unused=X[1]", "unused=X[2]"]));
    let k = compiled["chosen"]["k"].as_u64().unwrap();
    work.run(&format!("srs dev -k {k} -o dev.srs")).expect_status(0);
    work.run("setup tree.statement.circuit --srs dev.srs").expect_status(0);
    let prove = "prove tree.statement.circuit --context audit";
    let refused = work.run(prove).expect_status(2);
    assert!(refused.stderr.contains("--secret-model"), "{}", refused.stderr);
    let secret = "--secret-model tree.model.secret";
    let refused = work
        .run(&format!("{prove} {secret} --input clients.csv"))
        .expect_status(2);
    assert!(refused.stderr.contains("takes no samples"), "{}", refused.stderr);
    let proven = work.run(&format!("{prove} {secret} --json")).expect_status(0).json();
    assert_eq!(proven["public_inputs"][1], single["commitment"]);
    assert_eq!(proven["salt"], json!(null), "the model's salt is the only one");
    let verify = "verify --verifying-key tree.statement.vk --proof tree.statement.proof --context audit";
    let verified = work
        .run(&format!("{verify} --expect unused=X[2]=false --json"))
        .expect_status(0)
        .json();
    assert_eq!(verified["public"][3]["value"], false);
    let said = work.run(verify).expect_status(0);
    assert!(
        said.stdout.contains("of whose trees, whatever the input"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("is not shown"), "{}", said.stdout);
    // Whoever is shown the secret can see that it is this model.
    work.run("commit check tree.model.secret --verifying-key tree.statement.vk --proof tree.statement.proof")
        .expect_status(0);
}

#[test]
fn a_committed_tree_is_audited() {
    let work = Work::empty();
    work.write(
        "tree.onnx",
        std::fs::read(examples().join("default/tree.onnx")).unwrap(),
    );
    let rows = 12;
    work.write("clients.csv", clients(rows));
    let ignored = "--ignore-column late --ignore-column defaults";
    work.run(&format!("calibrate tree.onnx --data clients.csv {ignored}"))
        .expect_status(0);
    let single = work
        .run("compile tree.onnx --visibility model=committed --limb-bits 8 -o tree.circuit --json")
        .expect_status(0)
        .json();
    let claims = "--claim accuracy>=0.5 --claim four-fifths";
    let compile = "audit compile tree.onnx --data clients.csv --label defaults --visibility model=committed";
    let compiled = work
        .run(&format!(
            "{compile} --group late {claims} --same-model tree.model.secret --limb-bits 8 --lanes 1 \
             --secret-model audited.secret -o audit.circuit --json"
        ))
        .expect_status(0)
        .json();
    // The audit and single decisions name one model.
    assert_eq!(single["commitment"], compiled["commitment"]);
    let table = work
        .run("audit data audit.circuit --data clients.csv --json")
        .expect_status(0)
        .json();
    assert_eq!(table["rows"], rows);
    let k = compiled["chosen"]["k"].as_u64().unwrap();
    work.run(&format!("srs dev -k {k} -o dev.srs")).expect_status(0);
    work.run("setup audit.circuit --srs dev.srs").expect_status(0);
    let proven = work
        .run(
            "prove audit.circuit --input clients.csv --salt audit.salt --secret-model audited.secret \
             --context audit --json",
        )
        .expect_status(0)
        .json();
    assert_eq!(proven["public_inputs"][1], compiled["commitment"]);
    assert_eq!(proven["public_inputs"][2], table["data_root"]);
    assert_eq!(proven["public_inputs"].as_array().unwrap().len(), 6);
    work.run("verify --verifying-key audit.vk --proof audit.proof --context audit")
        .expect_status(0);
    work.run("audit open audit.circuit --data clients.csv --row 7")
        .expect_status(0);
    let check = "audit check audit.row7.opening --verifying-key audit.vk --proof audit.proof --json";
    let opened = work.run(check).expect_status(0).json();
    assert_eq!(opened["row"], 7);
    // The limit, a delay, the class, the group.
    let values = [0, 5, 23, 24].map(|place: usize| opened["values"][place]["value"].clone());
    assert_eq!(values, [json!(160_000.0), json!(3.0), json!("0"), json!("late = 1")]);
    assert_eq!(opened["opens"], true);
    // Another table has another root.
    work.write("others.csv", clients(rows + 1));
    work.run("audit data audit.circuit --data others.csv").expect_status(2);
}
