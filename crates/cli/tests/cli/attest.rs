//! A bureau's signature over committed inputs.

use crate::harness::{Work, pipeline, snapshot};

/// anvil's first key, and its account.
const KEY: (&str, &str) = (
    "BUREAU_KEY",
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
);
const BUREAU: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const ATTEST: &str = "attest logreg.circuit --input rejected.json --model-id 7 --chain-id 1 --issued-at 1000000000 \
                      --subject 0x00000000000000000000000000000000000000a1 \
                      --contract 0x00000000000000000000000000000000000000c0 --private-key-env BUREAU_KEY";

fn committed() -> Work {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json", "rejected.json"]);
    work.run("compile logreg.onnx --visibility committed").expect_status(0);
    work
}

#[test]
fn inputs_are_attested_and_proven() {
    let work = committed();
    snapshot!(work.run_with(&format!("{ATTEST} -o alice.json"), &[KEY]), @r"
    status 0
    --- stdout
    attested for logreg
      subject           [ADDRESS]
      model             7, version 1
      input commitment  [WORD]
      contract          [ADDRESS] on chain 1
      holds             from 1000000000 until 1002592000
      signed by         [ADDRESS]
    wrote alice.json
    the secret salts are in alice.json.salt, the secret values in alice.json.opening
    ");
    let attestation: serde_json::Value = serde_json::from_slice(&work.read("alice.json")).unwrap();
    assert_eq!(attestation["bureau"], BUREAU);
    assert_eq!(attestation["issued_at"], 1_000_000_000);
    assert_eq!(attestation["expires_at"], 1_000_000_000 + 30 * 86_400);
    assert_eq!(attestation["signature"].as_str().unwrap().len(), 2 + 130);
    #[cfg(unix)]
    for secret in ["alice.json.salt", "alice.json.opening"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(work.path(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    // What is public holds no secret.
    let salts: serde_json::Value = serde_json::from_slice(&work.read("alice.json.salt")).unwrap();
    let salt = &salts["input_salt"].as_str().unwrap()[2..];
    assert!(!attestation.to_string().contains(salt) && !attestation.to_string().contains(&KEY.1[2..]));

    // The applicant's proof is about the attested commitment.
    work.run("srs dev -k 10 -o ten.srs").expect_status(0);
    work.run("setup logreg.circuit --srs ten.srs").expect_status(0);
    let proven = work
        .run("prove logreg.circuit --input rejected.json --salt alice.json.salt --json")
        .expect_status(0)
        .json();
    assert_eq!(proven["public_inputs"][1], attestation["input_commitment"]);

    // Renewed: the same commitment, no new secrets. Anew: another commitment.
    let renewed = work
        .run_with(
            &format!("{ATTEST} --salt alice.json.salt --days 60 -o alice.json --json"),
            &[KEY],
        )
        .expect_status(0)
        .json();
    assert_eq!(renewed["input_commitment"], attestation["input_commitment"]);
    assert_eq!(renewed["expires_at"], 1_000_000_000 + 60 * 86_400);
    assert_ne!(renewed["signature"], attestation["signature"]);
    assert!(renewed["salt"].is_null() && renewed["opening"].is_null());
    let other = work
        .run_with(&format!("{ATTEST} -o bob.json --json"), &[KEY])
        .expect_status(0)
        .json();
    assert_ne!(
        other["input_commitment"], attestation["input_commitment"],
        "salts are fresh for everybody"
    );
    assert_eq!(other["salt"], "bob.json.salt");
}

#[test]
fn what_cannot_be_attested_is_refused() {
    let work = committed();
    work.run_with(&format!("{ATTEST} -o alice.json"), &[KEY])
        .expect_status(0);
    snapshot!(work.run_with(&format!("{ATTEST} -o alice.json"), &[KEY]), @r"
    status 2
    --- stderr
    error: alice.json.salt is there already and is not overwritten: what is in it may open a commitment; name it with --salt to commit with the same salts again, or move it away
    ");
    snapshot!(work.run_with(&format!("{ATTEST} -o rejected.json"), &[KEY]), @r"
    status 2
    --- stderr
    error: rejected.json is another file, not a bureau's attestation, and is not overwritten
    hint: name another output, or move that away
    ");
    snapshot!(work.run_with(&format!("{ATTEST} -o bob.json --days 0"), &[KEY]), @r"
    status 2
    --- stderr
    error: the attestation would hold from 1000000000 until 1000000000, which is never; let it expire later
    ");
    let nobody = ATTEST.replace("00a1", "0000");
    snapshot!(work.run_with(&format!("{nobody} -o bob.json"), &[KEY]), @r"
    status 2
    --- stderr
    error: the attestation's subject is the zero address, which is nobody's; name the subject's own
    ");
    let typed = ATTEST.replace("00c0", "00");
    snapshot!(work.run_with(&format!("{typed} -o bob.json"), &[KEY]), @r#"
    status 2
    --- stderr
    error: "0x00000000000000000000000000000000000000" is not an address of 20 bytes in hexadecimal
    hint: write it as 0x and 40 digits; `zkverdict deploy` prints those of contracts
    "#);
    let anywhere = ATTEST.replace("--chain-id 1 ", "");
    snapshot!(work.run_with(&format!("{anywhere} -o bob.json"), &[KEY]), @r"
    status 2
    --- stderr
    error: no chain was named, and an attestation is for one chain
    hint: name it with --chain-id
    ");
    snapshot!(work.run(&format!("{ATTEST} -o bob.json")), @r"
    status 2
    --- stderr
    error: the environment variable BUREAU_KEY is not set; put the private key there, or choose another source
    ");
    assert!(
        !work.path("bob.json.salt").exists(),
        "a secret of nothing was left behind"
    );
    work.run("compile logreg.onnx").expect_status(0);
    snapshot!(work.run_with(&format!("{ATTEST} -o bob.json"), &[KEY]), @r"
    status 2
    --- stderr
    error: logreg.circuit commits to nothing
    hint: compile it with --visibility input=committed, or output=committed, or both
    ");
}
