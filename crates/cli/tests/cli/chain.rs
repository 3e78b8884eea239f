use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Command, Stdio},
};

use alloy::signers::local::PrivateKeySigner;

use crate::harness::{Work, keys, pipeline, snapshot};

/// anvil's first account, which every anvil has.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

#[test]
fn deploy_and_submit_with_their_own_anvil() {
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    let said = work.run("deploy CreditVerifier.contract --anvil").expect_status(0);
    for part in [
        "CreditVerifier is deployed",
        "chain        31337",
        "code         7,635 bytes",
        "paid by      0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "key          0x",
    ] {
        assert!(said.stdout.contains(part), "{part}: {said}");
    }
    assert!(said.stderr.contains("UNSAFE development SRS"), "{said}");
    let json = work
        .run("submit CreditVerifier.contract --proof logreg.proof --anvil --json")
        .expect_status(0)
        .json();
    assert_eq!(json["accepted"], true);
    assert_eq!(json["code_checked"], true);
    assert!(json["gas_used"].as_u64().unwrap() <= 380_000);
    let tried = work
        .run("submit CreditVerifier.contract --proof logreg.proof --anvil --dry-run")
        .expect_status(0);
    assert!(tried.stdout.contains("would accept the proof"), "{tried}");
}

#[test]
fn one_anvil_for_several_commands() {
    let work = pipeline().with(&[
        "CreditVerifier.contract",
        "logreg.proof",
        "logreg.circuit",
        "logreg.pk",
        "approved.json",
    ]);
    let mut anvil = work
        .command("anvil --json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(anvil.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while !text.ends_with('}') {
        text.push_str(&lines.next().unwrap().unwrap());
    }
    let started: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&started), ["chain_id", "endpoint", "process_id"]);
    let rpc = started["endpoint"].as_str().unwrap();
    let environment = [
        ("KEY", KEY),
        ("ZKVERDICT_RPC_URL", rpc),
        ("ZKVERDICT_PRIVATE_KEY_ENV", "KEY"),
    ];

    let deployed = work
        .run_with("deploy CreditVerifier.contract --json", &environment)
        .expect_status(0);
    let deployed_json = deployed.json();
    let address = deployed_json["address"].as_str().unwrap().to_owned();
    let model_key = deployed_json["key"]["address"].as_str().unwrap().to_owned();
    let at = format!("--address {address} --key {model_key}");
    let submit = format!("submit CreditVerifier.contract --proof logreg.proof {at}");
    // Again: both stand there already.
    let again = work
        .run_with("deploy CreditVerifier.contract --json", &environment)
        .expect_status(0)
        .json();
    assert_eq!(
        (again["address"].as_str(), again["gas_used"].as_u64()),
        (Some(address.as_str()), Some(0))
    );
    assert_eq!(again["key"]["transaction"], serde_json::Value::Null);
    let keyless = format!("submit CreditVerifier.contract --proof logreg.proof --address {address}");
    let said = work.run_with(&keyless, &environment).expect_status(2);
    assert!(said.stderr.contains("hint: add --key"), "{said}");
    let said = work.run_with(&submit, &environment).expect_status(0);
    for text in [&said.stdout, &said.stderr, &deployed.stdout, &deployed.stderr] {
        assert!(!text.contains(&KEY[2..]), "a key was shown: {text}");
    }
    work.run_with(&format!("{submit} --dry-run"), &environment)
        .expect_status(0);

    // What a chain rejects is status 1, with the contract's reason.
    work.run("prove logreg.circuit --input approved.json --format json")
        .expect_status(0);
    let proof = String::from_utf8(work.read("logreg.proof.json")).unwrap();
    work.write(
        "forged.json",
        proof.replace(&format!("0x{:064x}", 1), &format!("0x{:064x}", 0)),
    );
    let forged = format!("submit CreditVerifier.contract --proof forged.json {at}");
    let said = work.run_with(&forged, &environment).expect_status(1);
    assert!(said.stderr.contains("ProofInvalid()"), "{said}");
    work.run_with(&format!("{forged} --dry-run"), &environment)
        .expect_status(1);

    // What is wrong with the environment is status 2.
    let nowhere = format!(
        "submit CreditVerifier.contract --proof logreg.proof --address 0x{} --key {model_key}",
        "11".repeat(20)
    );
    let said = work.run_with(&nowhere, &environment).expect_status(2);
    assert!(said.stderr.contains("there is no code at"), "{said}");
    assert!(said.stderr.contains("hint: run `zkverdict deploy`"), "{said}");
    let said = work
        .run_with(&format!("{submit} --chain-id 1"), &environment)
        .expect_status(2);
    assert!(
        said.stderr.contains("this is chain 31337, and chain 1 was asked for"),
        "{said}"
    );
    let said = work
        .run_with(&format!("{submit} --private-key-env NOPE"), &environment)
        .expect_status(2);
    assert!(
        said.stderr.contains("the environment variable NOPE is not set"),
        "{said}"
    );

    // A key from an encrypted file.
    let key = PrivateKeySigner::from_slice(&hex::decode(&KEY[2..]).unwrap()).unwrap();
    let folder = work.path(".");
    PrivateKeySigner::encrypt_keystore(
        folder,
        &mut rand::thread_rng(),
        key.to_bytes(),
        "secret",
        Some("key.json"),
    )
    .unwrap();
    work.write("password", "secret\n");
    work.write("wrong", "sesame\n");
    let keystore = format!("{submit} --rpc-url {rpc} --keystore key.json --password-file");
    work.run(&format!("{keystore} password")).expect_status(0);
    let said = work.run(&format!("{keystore} wrong")).expect_status(2);
    assert!(said.stderr.contains("cannot open the keystore key.json"), "{said}");
    assert!(!said.stderr.contains("sesame"), "{said}");

    // The end of its input stops it.
    drop(anvil.stdin.take());
    assert!(anvil.wait().unwrap().success());
    let said = work.run_with(&submit, &environment).expect_status(2);
    assert!(said.stderr.contains("does not answer"), "{said}");
}

#[test]
fn an_interrupt_stops_anvil() {
    let work = Work::empty();
    let mut anvil = work
        .command("anvil")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(anvil.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(listens());
    let id = anvil.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(anvil.wait().unwrap().success());
    assert!(!listens());
}

#[test]
fn unsafe_artifacts_stay_on_development_chains() {
    let work = pipeline().with(&["CreditVerifier.contract"]);
    let said = work
        .run("deploy CreditVerifier.contract --anvil --chain-id 1")
        .expect_status(2);
    assert!(said.stderr.contains("--allow-unsafe-srs"), "{said}");
    work.run("deploy CreditVerifier.contract --anvil --chain-id 1 --allow-unsafe-srs")
        .expect_status(0);
}

#[test]
fn what_is_missing_for_a_chain_is_named() {
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    snapshot!(work.run("deploy CreditVerifier.contract"), @r"
    status 2
    --- stderr
    error: no chain was named
    hint: name one with --rpc-url, or start a local one with --anvil
    ");
    snapshot!(work.run("deploy CreditVerifier.contract --rpc-url http://127.0.0.1:1"), @r"
    status 2
    --- stderr
    error: there is no terminal to ask for the key or password on
    hint: name --keystore with --password-file, or --private-key-env
    ");
    snapshot!(work.run("deploy CreditVerifier.contract --rpc-url ftp://somewhere --private-key-env PATH"), @r"
    status 2
    --- stderr
    warning: this verifier was made with the UNSAFE development SRS
    error: 'ftp://somewhere' is not an HTTP address; write it as http://host:port
    ");
    snapshot!(work.run("submit CreditVerifier.contract --proof logreg.proof --address 0x12 --rpc-url http://127.0.0.1:1"), @r#"
    status 2
    --- stderr
    error: "0x12" is not an address of 20 bytes in hexadecimal
    hint: copy the address that `zkverdict deploy` printed
    "#);
    let bare = [("PATH", ""), ("ZKVERDICT_TOOLS", "nowhere"), ("ZKVERDICT_ANVIL", "")];
    snapshot!(work.run_with("deploy CreditVerifier.contract --anvil", &bare), @r"
    status 2
    --- stderr
    error: no anvil was found in ZKVERDICT_ANVIL, PATH or nowhere; run scripts/tools/install, or install Foundry
    hint: run `zkverdict doctor` to see all that is missing
    ");
}
