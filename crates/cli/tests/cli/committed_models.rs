//! Committed models, from the compilation to a contract.

use crate::harness::{Work, pipeline, snapshot};

fn committed() -> Work {
    let work = pipeline().with(&["logreg.onnx", "mlp.onnx", "logreg.calibration.json", "rejected.json"]);
    work.run("compile logreg.onnx --visibility model=committed")
        .expect_status(0);
    work
}

#[test]
fn a_committed_model_is_compiled_proven_and_checked() {
    let work = committed();
    let compiled = work
        .run("compile logreg.onnx --visibility model=committed --secret-model again.secret --json")
        .expect_status(0)
        .json();
    assert_eq!(compiled["visibility"]["model"], "committed");
    assert_eq!(compiled["secret_model"], "again.secret");
    // Compiling again commits again: with another salt.
    let compiled_circuit = work.read("logreg.circuit");
    work.run("srs dev -k 11 -o dev-11.srs").expect_status(0);
    work.run("setup logreg.circuit --srs dev-11.srs").expect_status(0);
    let replaced = work
        .run("commit model logreg.onnx --circuit logreg.circuit --secret-model other.secret --json")
        .expect_status(0)
        .json();
    assert_eq!(replaced["circuit_digest"], compiled["circuit_digest"]);
    assert_ne!(replaced["commitment"], compiled["commitment"]);
    assert!(
        replaced["decimal"]
            .as_str()
            .unwrap()
            .bytes()
            .all(|digit| digit.is_ascii_digit())
    );
    assert_eq!(work.read("logreg.circuit"), compiled_circuit);

    let proven = work
        .run("prove logreg.circuit --input rejected.json --secret-model other.secret --json")
        .expect_status(0)
        .json();
    assert_eq!(proven["public"][1]["role"], "model_commitment");
    assert_eq!(proven["public_inputs"][1], replaced["commitment"]);
    assert!(proven["salt"].is_null(), "nothing is committed anew");
    work.run("verify --verifying-key logreg.vk --proof logreg.proof --expect label=0")
        .expect_status(0);
    snapshot!(work.run("commit check other.secret --verifying-key logreg.vk --proof logreg.proof"), @r"
    status 0
    --- stdout
    opens: this model decided in the proof for logreg
    ");
    snapshot!(work.run("commit check logreg.model.secret --verifying-key logreg.vk --proof logreg.proof"), @r"
    status 1
    --- stdout
    does not open: the proof for logreg commits to another model, or with another salt
    ");
    // The salt is in the secret's file alone.
    let secret: serde_json::Value = serde_json::from_slice(&work.read("other.secret")).unwrap();
    let salt = secret["salt"].as_str().unwrap();
    assert_eq!(salt.len(), 66);
    for file in ["logreg.circuit", "logreg.pk", "logreg.vk", "logreg.proof"] {
        let bytes = work.read(file);
        assert!(
            !bytes.windows(64).any(|window| window == &salt.as_bytes()[2..]),
            "{file}"
        );
    }
    work.run("contract logreg.vk --name Committed").expect_status(0);
    work.run("simulate Committed.contract --proof logreg.proof")
        .expect_status(0);
}

#[test]
fn secrets_of_models_are_asked_for_and_kept() {
    let work = committed();
    let before = work.read("logreg.model.secret");
    snapshot!(work.run("compile logreg.onnx --visibility model=committed"), @r"
    status 2
    --- stderr
    error: logreg.model.secret is there already and is not overwritten: nobody can prove with a model whose weights and salt are lost; name another file with --secret-model, or say --force
    ");
    assert_eq!(work.read("logreg.model.secret"), before);
    work.run("compile logreg.onnx --visibility model=committed --force")
        .expect_status(0);
    assert_ne!(work.read("logreg.model.secret"), before);
    snapshot!(work.run("commit model mlp.onnx --circuit logreg.circuit --secret-model mlp.secret"), @r"
    status 2
    --- stderr
    error: the model does not have the architecture of the circuit: other operators, sizes, thresholds or categories; compile a circuit of its own for it
    ");
    assert!(!work.path("mlp.secret").exists());
    work.run("srs dev -k 11 -o dev-11.srs").expect_status(0);
    work.run("setup logreg.circuit --srs dev-11.srs").expect_status(0);
    snapshot!(work.run("prove logreg.circuit --input rejected.json --secret-model lost.secret"), @r"
    status 2
    --- stderr
    error: the model of logreg.circuit is committed, and its secret is not at lost.secret
    hint: name what `zkverdict compile` or `zkverdict commit model` wrote with --secret-model
    ");
    work.write("lost.secret", "{}");
    snapshot!(work.run("prove logreg.circuit --input rejected.json --secret-model lost.secret"), @r"
    status 2
    --- stderr
    error: lost.secret is no secret model; make it again with `zkverdict commit model`
    ");
}
