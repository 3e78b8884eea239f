//! Sizes and gas of the example models with the default options. A change here is a change to review: run the test, read
//! the difference, and write the new numbers in.

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

/// What the reference contract costs. The transaction's gas depends on the zero bytes of a proof, which is random; the
/// execution's does not.
fn contract(example: Example) -> String {
    let build = &example.keyed().contract().build;
    format!(
        "{} bytes of code\n{} gas of execution, {} bytes of calldata",
        build.deployment.code_bytes, build.verification.execution_gas, build.verification.calldata_bytes
    )
}

#[test]
fn credit_logreg() {
    insta::assert_snapshot!(circuit(Example::CreditLogreg), @"");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::CreditLogreg), @"");
    }
}

#[test]
fn credit_mlp() {
    insta::assert_snapshot!(circuit(Example::CreditMlp), @"");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::CreditMlp), @"");
    }
}

#[test]
fn diagnosis_logreg() {
    insta::assert_snapshot!(circuit(Example::DiagnosisLogreg), @"");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::DiagnosisLogreg), @"");
    }
}

#[test]
fn diagnosis_mlp() {
    insta::assert_snapshot!(circuit(Example::DiagnosisMlp), @"");
    if has_solc() {
        insta::assert_snapshot!(contract(Example::DiagnosisMlp), @"");
    }
}
