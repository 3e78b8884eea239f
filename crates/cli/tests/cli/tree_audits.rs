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
