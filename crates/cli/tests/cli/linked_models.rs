//! Linked models, from the compilation to a contract.

use crate::harness::{Work, examples, pipeline, snapshot};

/// A circuit with its keys.
fn linked() -> Work {
    let work = pipeline().with(&[
        "logreg.onnx",
        "mlp.onnx",
        "logreg.calibration.json",
        "rejected.json",
        "dev.srs",
    ]);
    work.run("compile logreg.onnx --visibility model=linked")
        .expect_status(0);
    work.run("setup logreg.circuit --srs dev.srs").expect_status(0);
    work
}

#[test]
fn a_linked_model_is_registered_proven_and_checked() {
    let work = linked();
    let secret = work.read("logreg.model.secret");
    let registered = work
        .run("commit model logreg.onnx --circuit logreg.circuit --json")
        .expect_status(0)
        .json();
    let read = |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).unwrap() };
    assert_eq!(read(&secret)["salt"], read(&work.read("logreg.model.secret"))["salt"]);
    // The same model under the same key has the same commitment.
    let again = work
        .run("commit model logreg.onnx --circuit logreg.circuit --json")
        .expect_status(0)
        .json();
    assert_eq!(again["commitment"], registered["commitment"]);
    let proven = work
        .run("prove logreg.circuit --input rejected.json --json")
        .expect_status(0)
        .json();
    assert_eq!(proven["public"][1]["role"], "model_commitment");
    assert_eq!(proven["public_inputs"][1], registered["commitment"]);
    work.run("verify --verifying-key logreg.vk --proof logreg.proof --expect label=0")
        .expect_status(0);
    // Before it is registered a model proves the same: the points are made again.
    work.write("logreg.model.secret", String::from_utf8(secret).unwrap());
    let unregistered = work
        .run("prove logreg.circuit --input rejected.json --json")
        .expect_status(0)
        .json();
    assert_eq!(unregistered["public_inputs"][1], registered["commitment"]);

    work.run("contract logreg.vk --name Linked").expect_status(0);
    work.run("simulate Linked.contract --proof logreg.proof")
        .expect_status(0);
    let reference = work.run("contract logreg.vk --name Linked --style reference");
    snapshot!(reference, @r"
    status 2
    --- stderr
    error: this circuit cannot have a Solidity verifier: its model is linked, which only compact verifiers check: use --style compact
    ");
    work.run("gas logreg.vk").expect_status(0);
}

#[test]
fn what_cannot_be_linked_is_refused() {
    let work = linked();
    snapshot!(work.run("compile logreg.onnx --visibility input=linked --force"), @r"
    status 2
    --- stderr
    error: invalid value 'input=linked' for '--visibility <SIDE=HOW,…>': it takes input=public, private or committed, output=public or committed and model=public, committed or linked, such as input=committed,output=public

    For more information, try '--help'.
    ");
    work.run("prove logreg.circuit --input rejected.json").expect_status(0);
    snapshot!(work.run("commit check logreg.model.secret --verifying-key logreg.vk --proof logreg.proof"), @r"
    status 2
    --- stderr
    error: logreg.vk is of a linked model, whose commitment no file opens
    hint: its holder shows the weights and the salt to whom they trust, and that one runs `zkverdict commit model` with the proving key
    ");
    snapshot!(work.run("commit model mlp.onnx --circuit logreg.circuit --secret-model mlp.secret"), @r"
    status 2
    --- stderr
    error: the model does not have the architecture of the circuit: other operators, sizes, thresholds or categories; compile a circuit of its own for it
    ");
    // Another salt is another registration: the file is not written over by accident.
    work.run("compile logreg.onnx --visibility model=linked --secret-model other.secret")
        .expect_status(0);
    work.run("commit model logreg.onnx --circuit logreg.circuit --secret-model other.secret")
        .expect_status(0);
    let mut mixed: serde_json::Value = serde_json::from_slice(&work.read("logreg.model.secret")).unwrap();
    let other: serde_json::Value = serde_json::from_slice(&work.read("other.secret")).unwrap();
    mixed["registered"] = other["registered"].clone();
    work.write("mixed.secret", mixed.to_string());
    snapshot!(work.run("prove logreg.circuit --input rejected.json --secret-model mixed.secret"), @r"
    status 2
    --- stderr
    error: the proof's columns are not those of the registered model: the points in the file of the secret model are of another one; run `zkverdict commit model` again
    ");
    let table = examples().join("credit").join("audit.csv");
    let audit = format!(
        "audit compile logreg.onnx --data {} --label creditability",
        table.display()
    );
    snapshot!(work.run(&format!("{audit} --group age_in_years>=26 --visibility model=linked -o audit.circuit")), @r"
    status 2
    --- stderr
    error: audits commit to their model in the circuit; use `--visibility model=committed`, or model=public
    ");
    snapshot!(
        work.run(&format!("{audit} --group age_in_years>=26 --visibility model=committed --same-model logreg.model.secret -o audit.circuit --secret-model audit.secret")),
        @r"
    status 2
    --- stderr
    error: the commitment to a linked model belongs to one circuit and cannot name the model of an audit; compile both with `--visibility model=committed`, or commit to the model of each by itself
    ");
    work.run("compile logreg.onnx --visibility model=committed --secret-model hashed.secret -o hashed.circuit")
        .expect_status(0);
    snapshot!(work.run("commit model logreg.onnx --circuit hashed.circuit --secret-model hashed.secret --proving-key logreg.pk"), @r"
    status 2
    --- stderr
    error: hashed.circuit commits to its model without a proving key
    hint: leave --proving-key out, or compile the circuit with --visibility model=linked
    ");
}
