//! Committed inputs and outputs, from the compilation to an opening.

use crate::harness::{Work, pipeline, snapshot};

/// Circuit and keys with both sides committed.
fn committed() -> Work {
    let work = pipeline().with(&[
        "logreg.onnx",
        "logreg.calibration.json",
        "rejected.json",
        "applicants.csv",
    ]);
    let visibility = "compile logreg.onnx --visibility input=committed,output=committed";
    work.run(visibility).expect_status(0);
    work.run("srs dev -k 10 -o ten.srs").expect_status(0);
    work.run("setup logreg.circuit --srs ten.srs").expect_status(0);
    work
}

#[test]
fn commitments_are_made_proven_opened_and_checked() {
    let work = committed();
    let made = work
        .run("commit make logreg.circuit --input rejected.json --salt applicant.salt --json")
        .expect_status(0)
        .json();
    let again = work
        .run("commit make logreg.circuit --input rejected.json --salt applicant.salt --json")
        .expect_status(0)
        .json();
    assert_eq!(made, again, "the salts that are there are used");
    let proven = work
        .run("prove logreg.circuit --input rejected.json --salt applicant.salt --json")
        .expect_status(0)
        .json();
    assert!(!work.path("logreg.proof.salt").exists());
    assert_eq!(proven["public"].as_array().unwrap().len(), 3);
    for (index, side) in [(0, "input"), (1, "output")] {
        assert_eq!(made["commitments"][index]["side"], side);
        assert_eq!(
            made["commitments"][index]["commitment"],
            proven["public_inputs"][1 + index]
        );
    }
    // No secret is in the proof or in what is printed.
    let salts: serde_json::Value = serde_json::from_slice(&work.read("applicant.salt")).unwrap();
    let proof = String::from_utf8_lossy(&work.read("logreg.proof")).into_owned();
    for salt in ["input_salt", "output_salt"] {
        let salt = salts[salt].as_str().unwrap();
        assert_eq!(salt.len(), 66);
        assert!(!proof.contains(&salt[2..]) && !proven.to_string().contains(&salt[2..]));
    }
    let verified = work
        .run("verify --verifying-key logreg.vk --proof logreg.proof")
        .expect_status(0);
    let commitment = proven["public_inputs"][1].as_str().unwrap();
    assert!(
        verified.stdout.contains(&format!("input commitment   {commitment}")),
        "{verified}"
    );

    snapshot!(work.run("commit open output logreg.circuit --input rejected.json --salt applicant.salt"), @r"
    status 0
    --- stdout
    wrote logreg.output.opening: whoever has it learns the outputs
    ");
    snapshot!(work.run("commit check logreg.output.opening --verifying-key logreg.vk --proof logreg.proof"), @r"
    status 0
    --- stdout
    opens: the outputs of logreg are
      label             0
      probabilities[0]  0.671158
      probabilities[1]  0.328842
    ");
    // Another proof of the same applicant, with salts of its own.
    work.run("prove logreg.circuit --input rejected.json -o other.proof")
        .expect_status(0);
    assert!(work.path("other.proof.salt").exists());
    snapshot!(work.run("commit check logreg.output.opening --verifying-key logreg.vk --proof other.proof"), @r"
    status 1
    --- stdout
    does not open: the proof for logreg commits to other outputs, or with another salt
    ");
    snapshot!(work.run("prove logreg.circuit --input rejected.json -o other.proof"), @r"
    status 2
    --- stderr
    error: other.proof.salt is there already and is not overwritten: what is in it may open a commitment; name it with --salt to commit with the same salts again, or move it away
    hint: or say --force: what was committed to with these salts can then never be opened
    ");
    // New salts in their place, once there is a proof; none for a sample that there is no proof of.
    let salts = work.read("other.proof.salt");
    work.write(
        "unknown.json",
        r#"{"input_data": [[9,6,4,3,1169,4,4,4,0,4,0,0,1,2,2,1,1]]}"#,
    );
    work.run("prove logreg.circuit --input unknown.json -o other.proof --force")
        .expect_status(2);
    assert_eq!(work.read("other.proof.salt"), salts);
    work.run("prove logreg.circuit --input unknown.json -o unknown.proof")
        .expect_status(2);
    assert!(!work.path("unknown.proof.salt").exists());
    work.run("prove logreg.circuit --input rejected.json -o other.proof --force")
        .expect_status(0);
    assert_ne!(work.read("other.proof.salt"), salts);
    work.run("commit open output logreg.circuit --input rejected.json --salt other.proof.salt -o other.opening")
        .expect_status(0);
    work.run("commit check other.opening --verifying-key logreg.vk --proof other.proof")
        .expect_status(0);
}

#[test]
fn what_cannot_be_committed_is_refused() {
    let work = pipeline().with(&[
        "logreg.onnx",
        "logreg.calibration.json",
        "logreg.circuit",
        "logreg.pk",
        "rejected.json",
    ]);
    snapshot!(work.run("commit make logreg.circuit --input rejected.json"), @r"
    status 2
    --- stderr
    error: logreg.circuit commits to nothing
    hint: compile it with --visibility input=committed, or output=committed, or both
    ");
    work.write("some.salt", "{}");
    snapshot!(work.run("prove logreg.circuit --input rejected.json --salt some.salt"), @r"
    status 2
    --- stderr
    error: logreg.circuit commits to nothing, so --salt has no use
    hint: compile it with --visibility input=committed, or leave the salt out
    ");
    work.run("compile logreg.onnx --visibility committed").expect_status(0);
    snapshot!(work.run("commit make logreg.circuit --input rejected.json --salt some.salt"), @r"
    status 2
    --- stderr
    error: some.salt is no salt file; make it again with `zkverdict commit make`
    ");
    work.run("commit make logreg.circuit --input rejected.json --salt good.salt")
        .expect_status(0);
    snapshot!(work.run("commit open output logreg.circuit --input rejected.json --salt good.salt"), @r"
    status 2
    --- stderr
    error: there is no output commitment; compile with `--visibility output=committed`
    ");
}
