//! Sizes and gas of the example models with the default options. A change here is a change to review: run the test, read
//! the difference, and write the new numbers in.

use zkverdict::Style;

use crate::support::{Example, has_solc};

/// What the planner chose and what the keys have.
fn circuit(example: Example) -> String {
    let keyed = example.keyed();
    let plan = &keyed.pipeline.planned.file.plan;
    assert_eq!(keyed.proof.proof.len(), plan.proof_bytes);
    assert_eq!(keyed.proof.public_inputs.len(), plan.public_inputs);
    format!(
        "shape {}, k = {}, {} rows, {} of them table\n{} advice, {} fixed, {} equality columns\n{} bytes of proof, {} public inputs",
        plan.shape,
        plan.k,
        plan.rows,
        plan.table_rows,
        plan.advice_columns,
        plan.fixed_columns,
        plan.equality_columns,
        plan.proof_bytes,
        plan.public_inputs
    )
}

/// What the contracts cost. The transaction's gas depends on the zero bytes of a proof, which is random; the
/// execution's does not.
fn contract(example: Example) -> String {
    let lines = [Style::Reference, Style::Compact, Style::Embedded].map(|style| {
        let build = &example.keyed().contract_of(style).build;
        format!(
            "{}: {} bytes of code, {} gas of execution, {} bytes of calldata",
            style.name(),
            build.deployment.code_bytes,
            build.verification.execution_gas,
            build.verification.calldata_bytes
        )
    });
    lines.join("\n")
}

#[test]
fn credit_logreg() {
    insta::assert_snapshot!(circuit(Example::CreditLogreg), @r"
    shape c1l8, k = 9, 398 rows, 396 of them table
    7 advice, 8 fixed, 2 equality columns
    1920 bytes of proof, 4 public inputs
    ");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::CreditLogreg), @r"
        reference: 16481 bytes of code, 314317 gas of execution, 2180 bytes of calldata
        compact: 7635 bytes of code, 302110 gas of execution, 2212 bytes of calldata
        compact, key embedded: 7084 bytes of code, 298965 gas of execution, 2180 bytes of calldata
        ");
    }
}

#[test]
fn credit_mlp() {
    insta::assert_snapshot!(circuit(Example::CreditMlp), @r"
    shape c1l8, k = 9, 436 rows, 401 of them table
    7 advice, 8 fixed, 2 equality columns
    1920 bytes of proof, 4 public inputs
    ");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::CreditMlp), @r"
        reference: 16480 bytes of code, 314317 gas of execution, 2180 bytes of calldata
        compact: 7635 bytes of code, 302110 gas of execution, 2212 bytes of calldata
        compact, key embedded: 7083 bytes of code, 298965 gas of execution, 2180 bytes of calldata
        ");
    }
}

#[test]
fn credit_gbdt() {
    insta::assert_snapshot!(circuit(Example::CreditGbdt), @r"
    shape c1l8t, k = 11, 1329 rows, 589 of them table
    8 advice, 9 fixed, 2 equality columns
    2336 bytes of proof, 4 public inputs
    ");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::CreditGbdt), @r"
        reference: 22019 bytes of code, 338168 gas of execution, 2596 bytes of calldata
        compact: 9239 bytes of code, 320919 gas of execution, 2628 bytes of calldata
        compact, key embedded: 9060 bytes of code, 317834 gas of execution, 2596 bytes of calldata
        ");
    }
}

#[test]
fn diagnosis_logreg() {
    insta::assert_snapshot!(circuit(Example::DiagnosisLogreg), @r"
    shape c1l9, k = 10, 891 rows, 889 of them table
    7 advice, 8 fixed, 2 equality columns
    1920 bytes of proof, 4 public inputs
    ");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::DiagnosisLogreg), @r"
        reference: 16495 bytes of code, 314352 gas of execution, 2180 bytes of calldata
        compact: 7635 bytes of code, 302171 gas of execution, 2212 bytes of calldata
        compact, key embedded: 7084 bytes of code, 299026 gas of execution, 2180 bytes of calldata
        ");
    }
}

#[test]
fn diagnosis_mlp() {
    insta::assert_snapshot!(circuit(Example::DiagnosisMlp), @r"
    shape c1l9, k = 10, 811 rows, 809 of them table
    7 advice, 8 fixed, 2 equality columns
    1920 bytes of proof, 4 public inputs
    ");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::DiagnosisMlp), @r"
        reference: 16495 bytes of code, 314352 gas of execution, 2180 bytes of calldata
        compact: 7635 bytes of code, 302171 gas of execution, 2212 bytes of calldata
        compact, key embedded: 7084 bytes of code, 299026 gas of execution, 2180 bytes of calldata
        ");
    }
}

#[test]
fn default_gbdt() {
    insta::assert_snapshot!(circuit(Example::DefaultGbdt), @r"
    shape c1l8t, k = 13, 5255 rows, 2528 of them table
    8 advice, 9 fixed, 2 equality columns
    2336 bytes of proof, 4 public inputs
    ");
}
