use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use alloy::{
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use serde_json::{Value, json};
use zkverdict::evm::{Anvil, AnvilOptions, block_on};

use crate::harness::{Work, keys, pipeline, snapshot};

/// anvil's first account, which every anvil has.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

#[test]
fn deploy_and_submit_with_their_own_anvil() {
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    let said = work.run("deploy CreditVerifier.contract --anvil").expect_status(0);
    for part in [
        "CreditVerifier is deployed",
        "its key is deployed",
        "chain        31337",
        "code         8,003 bytes",
        "paid by      0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    ] {
        assert!(said.stdout.contains(part), "{part}: {said}");
    }
    assert!(said.stderr.contains("UNSAFE development SRS"), "{said}");
    assert!(said.stderr.contains("note: sending transaction 0x"), "{said}");
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
    for (contract, expected) in [(&again, &address), (&again["key"], &model_key)] {
        assert_eq!(contract["address"], json!(expected));
        assert_eq!(contract["already_deployed"], true);
    }
    // The key is looked for where `deploy` puts it.
    let keyless = format!("submit CreditVerifier.contract --proof logreg.proof --address {address} --dry-run");
    work.run_with(&keyless, &environment).expect_status(0);
    let elsewhere = format!("{keyless} --key {address}");
    let said = work.run_with(&elsewhere, &environment).expect_status(2);
    assert!(said.stderr.contains("it is another contract"), "{said}");
    let said = work.run_with(&submit, &environment).expect_status(0);
    for text in [&said.stdout, &said.stderr, &deployed.stdout, &deployed.stderr] {
        assert!(!text.contains(&KEY[2..]), "a key was shown: {text}");
    }
    work.run_with(&format!("{submit} --dry-run"), &environment)
        .expect_status(0);

    // Two proofs in one transaction, which the same command finds again.
    work.write("again.proof", work.read("logreg.proof"));
    let batch = format!("submit CreditVerifier.contract --proof logreg.proof again.proof {at} --json");
    let first = work.run_with(&batch, &environment).expect_status(0).json();
    assert_eq!(first["proofs"].as_array().unwrap().len(), 2);
    assert_eq!(
        first["gas_per_proof"].as_u64(),
        first["gas_used"].as_u64().map(|gas| gas / 2)
    );
    assert!(first["gas_saved_per_proof"].as_i64().unwrap() > 50_000, "{first}");
    let second = work.run_with(&batch, &environment).expect_status(0).json();
    assert_eq!((&first["resumed"], &second["resumed"]), (&json!(false), &json!(true)));
    assert_eq!(first["transaction"], second["transaction"]);

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
    hint: name one with --rpc-url, or start a local one with --anvil or `zkverdict anvil`
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
    hint: write it as 0x and 40 digits; `zkverdict deploy` prints those of contracts
    "#);
    let bare = [("PATH", ""), ("ZKVERDICT_TOOLS", "nowhere"), ("ZKVERDICT_ANVIL", "")];
    snapshot!(work.run_with("deploy CreditVerifier.contract --anvil", &bare), @r"
    status 2
    --- stderr
    error: no anvil was found in ZKVERDICT_ANVIL, PATH or nowhere; run scripts/tools/install, or install Foundry
    hint: run `zkverdict doctor` to see all that is missing
    ");
}

fn rpc(anvil: &Anvil, method: &'static str, params: Value) -> Value {
    block_on(async {
        let provider = ProviderBuilder::new().connect_http(anvil.endpoint().parse().unwrap());
        Ok(provider.raw_request(method.into(), params).await.unwrap())
    })
    .unwrap()
}

fn environment(endpoint: &str) -> [(&str, &str); 3] {
    [
        ("KEY", KEY),
        ("ZKVERDICT_RPC_URL", endpoint),
        ("ZKVERDICT_PRIVATE_KEY_ENV", "KEY"),
    ]
}

/// Deploys the contract, and says the command that submits the proof to it.
fn deploy_for_submit(work: &Work, environment: &[(&str, &str)]) -> String {
    let deployed = work
        .run_with("deploy CreditVerifier.contract --json", environment)
        .expect_status(0)
        .json();
    let address = deployed["address"].as_str().unwrap();
    format!("submit CreditVerifier.contract --proof logreg.proof --address {address}")
}

fn journals(work: &Work, artifact: &str) -> Vec<PathBuf> {
    let is_journal = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(artifact) && name.ends_with(".journal")
    };
    let entries = fs::read_dir(work.path(".")).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(is_journal).collect()
}

/// The process dies by SIGKILL after it signed; the chain has the transaction, or lost it. Run again, it is one transaction.
#[test]
fn a_submission_that_was_killed_goes_on_where_it_stopped() {
    for is_lost in [false, true] {
        let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
        let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
        let endpoint = anvil.endpoint();
        let environment = environment(&endpoint);
        let submit = deploy_for_submit(&work, &environment);
        rpc(&anvil, "evm_setAutomine", json!([false]));
        let mut command = work.command(&submit);
        command.envs(environment).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut looks = 0;
        while rpc(&anvil, "txpool_status", json!([]))["pending"] != "0x1" {
            looks += 1;
            assert!(looks < 600, "no transaction was sent within a minute");
            thread::sleep(Duration::from_millis(100));
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());

        let journal = journals(&work, "logreg.proof");
        assert_eq!(journal.len(), 1);
        let written = fs::read_to_string(&journal[0]).unwrap();
        assert!(!written.contains(&KEY[2..]), "the key stands in the journal");
        let written: Value = serde_json::from_str(&written).unwrap();
        let hash = written["transactions"][0]["hash"].as_str().unwrap();
        let status = format!("status {hash}");
        let expect = |status_code, verdict: &str| {
            let json = work
                .run_with(&format!("{status} --json"), &environment)
                .expect_status(status_code)
                .json();
            assert_eq!(json["status"], verdict, "{json}");
        };
        expect(1, "pending");
        if is_lost {
            rpc(&anvil, "anvil_dropTransaction", json!([hash]));
            expect(1, "unknown");
        }
        rpc(&anvil, "evm_mine", json!([]));
        rpc(&anvil, "evm_setAutomine", json!([true]));
        for _ in 0..2 {
            let said = work
                .run_with(&format!("{submit} --json"), &environment)
                .expect_status(0);
            assert!(
                said.stderr
                    .contains(&format!("going on with transaction {hash} of an earlier run")),
                "{said}"
            );
            let json = said.json();
            assert_eq!((&json["transaction"], &json["resumed"]), (&json!(hash), &json!(true)));
        }
        expect(0, "confirmed");
        let said = work
            .run_with(&format!("{status} --confirmations 9"), &environment)
            .expect_status(1);
        assert!(said.stdout.contains(" of 9 confirmations"), "{said}");
        let sender = json!([written["sender"], "latest"]);
        let nonce = rpc(&anvil, "eth_getTransactionCount", sender);
        assert_eq!(nonce, "0x3", "verifier, key, and one submission");
    }
}

#[test]
fn deploying_twice_sends_once() {
    let work = pipeline().with(&["CreditVerifier.contract"]);
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let endpoint = anvil.endpoint();
    let environment = environment(&endpoint);
    let run = |arguments: &str| work.run_with(&format!("deploy CreditVerifier.contract {arguments}"), &environment);
    snapshot!(run("--dry-run"), @r"
    status 0
    --- stdout
    CreditVerifier would be deployed
      address    [ADDRESS]
      chain      31337
      gas        about [GAS]
      gas price  [PRICE] now, at most [PRICE]
      cost       about [COST], at most [COST]
      code       8,003 bytes
    its key would be deployed
      address    [ADDRESS]
      chain      31337
      gas        about [GAS]
      gas price  [PRICE] now, at most [PRICE]
      cost       about [COST], at most [COST]
      code       1,249 bytes
    ");
    let tried = run("--dry-run --json").expect_status(0).json();
    let deployed = run("--json").expect_status(0).json();
    assert_eq!(
        keys(&deployed),
        [
            "address",
            "already_deployed",
            "block",
            "chain_id",
            "code_bytes",
            "confirmations",
            "cost",
            "gas_price",
            "gas_used",
            "key",
            "name",
            "resumed",
            "sender",
            "transaction",
            "unsafe_srs"
        ]
    );
    assert_eq!(tried["address"], deployed["address"]);
    assert_eq!(deployed["already_deployed"], false);
    snapshot!(run(""), @r"
    status 0
    --- stdout
    CreditVerifier is already deployed, nothing is sent
      address  [ADDRESS]
      chain    31337
      code     8,003 bytes
    its key is already deployed, nothing is sent
      address  [ADDRESS]
      chain    31337
      code     1,249 bytes
    --- stderr
    warning: this verifier was made with the UNSAFE development SRS
    ");
    let again = run("--json").expect_status(0).json();
    assert_eq!(
        (&again["already_deployed"], &again["address"]),
        (&json!(true), &deployed["address"])
    );
    let salted = run(&format!("--json --salt 0x{}", "07".repeat(32)))
        .expect_status(0)
        .json();
    assert_ne!(salted["address"], deployed["address"]);
    let created = run("--json --create").expect_status(0).json();
    assert_ne!(created["address"], deployed["address"]);
    assert_eq!(journals(&work, "CreditVerifier.contract").len(), 6);

    let said = run("--salt 0x07").expect_status(2);
    assert!(said.stderr.contains("is not 32 bytes"), "{said}");
    run("--create --salt 0x07").expect_status(2);
}

#[test]
fn fees_and_journals_are_refused_by_name() {
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let endpoint = anvil.endpoint();
    let environment = environment(&endpoint);
    let submit = deploy_for_submit(&work, &environment);
    let run = |arguments: &str| work.run_with(&format!("{submit} {arguments}"), &environment);
    snapshot!(run("--fee-cap 0.1gwei"), @r"
    status 2
    --- stderr
    warning: this verifier was made with the UNSAFE development SRS
    error: one gas costs [PRICE] now and --fee-cap is [PRICE]; wait until gas is cheaper, or raise the cap
    ");
    snapshot!(run("--fee-cap 3apples"), @r"
    status 2
    --- stderr
    error: invalid value '3apples' for '--fee-cap <PRICE>': it takes a number of wei, or a number with the unit wei, gwei or ether, such as 30gwei

    For more information, try '--help'.
    ");
    snapshot!(run("--bump"), @r"
    status 2
    --- stderr
    warning: this verifier was made with the UNSAFE development SRS
    error: there is no transaction in the journal to bump; run the command without --bump
    ");
    assert!(journals(&work, "logreg.proof").is_empty());
    let deployment = journals(&work, "CreditVerifier.contract").remove(0);
    let said = run(&format!("--journal {}", deployment.display())).expect_status(2);
    assert!(said.stderr.contains("belongs to another purpose"), "{said}");
    snapshot!(work.run_with("status 0x12", &environment), @r#"
    status 2
    --- stderr
    error: "0x12" is not the hash of a transaction
    hint: copy the transaction that `zkverdict deploy` or `zkverdict submit` printed: 0x and 64 digits
    "#);
    let unknown = format!("status 0x{}", "09".repeat(32));
    snapshot!(work.run_with(&unknown, &environment), @r"
    status 1
    --- stdout
    the chain does not know this transaction
      transaction  [WORD]
      chain        31337
    ");
    run("--fee-cap 30gwei --priority-fee 0.1gwei --confirmations 1").expect_status(0);
}

/// `script` gives the command a terminal.
#[test]
#[expect(clippy::print_stderr, reason = "it says why it did nothing")]
fn on_a_terminal_the_cost_is_shown_and_asked_about() {
    if !cfg!(target_os = "linux") || Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `script` of util-linux, which makes terminals");
        return;
    }
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let endpoint = anvil.endpoint();
    let environment = environment(&endpoint);
    let submit = deploy_for_submit(&work, &environment);
    let answer = |line: &str, flags: &str| {
        use std::io::Write as _;
        let command = format!("{} {submit} {flags}", env!("CARGO_BIN_EXE_zkverdict"));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .envs(environment)
            .current_dir(work.path("."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        (said.status.code().unwrap(), text)
    };
    let (status, text) = answer("n\n", "");
    assert!(
        status == 2 && text.contains("send the transaction? [y/N]"),
        "{status}: {text}"
    );
    assert!(text.contains("at most") && text.contains("nothing was sent"), "{text}");
    assert!(journals(&work, "logreg.proof").is_empty());
    let (status, text) = answer("y\n", "");
    assert!(status == 0 && text.contains("accepted the proof"), "{status}: {text}");
    assert_eq!(journals(&work, "logreg.proof").len(), 1);
    // With --yes nobody is asked.
    let (status, text) = answer("", "--yes --journal other.journal");
    assert!(status == 0 && !text.contains("[y/N]"), "{status}: {text}");
}
