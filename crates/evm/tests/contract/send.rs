//! One intent is one transaction, whatever breaks: journals, replacements, fees, CREATE2, statuses, all on a real anvil.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    slice,
    sync::atomic::Ordering,
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, U256},
    providers::{Provider, ProviderBuilder},
};
use serde_json::{Value, json};
use zkverdict_evm::{
    Account, Anvil, AnvilOptions, Attendant, CREATE2_DEPLOYER, ChainTarget, DeployRequest, Deployed, EvmError,
    FeeLimits, Intent, JournalPlace, Outcome, Placement, Progress, Quote, Receipt, Rejection, SendOptions, SrsPolicy,
    SubmitRequest, TransactionStatus, Wei, block_on, deploy, quote_deploy, status,
};
use zkverdict_solidity::find_program;

use crate::{
    anvil::{UNSAFE, anvil, deployed, key, submit_to},
    proxy::{Cut, Proxy},
    support::fixture,
};

/// Somebody who has no code.
const NOBODY: Address = Address::repeat_byte(0x77);

fn rpc(anvil: &Anvil, method: &'static str, params: Value) -> Value {
    block_on(async {
        let provider = ProviderBuilder::new().connect_http(anvil.endpoint().parse().unwrap());
        Ok(provider.raw_request(method.into(), params).await.unwrap())
    })
    .unwrap()
}

/// How many transactions of the first account are in blocks.
fn transactions(anvil: &Anvil) -> u64 {
    let count = rpc(anvil, "eth_getTransactionCount", json!([sender(anvil), "latest"]));
    u64::from_str_radix(&count.as_str().unwrap()[2..], 16).unwrap()
}

fn sender(anvil: &Anvil) -> Address {
    key(anvil).open().unwrap().address()
}

fn mine(anvil: &Anvil, blocks: u64) {
    rpc(anvil, "anvil_mine", json!([blocks]));
}

fn impatient(anvil: &Anvil) -> ChainTarget {
    ChainTarget {
        receipt_timeout: Duration::from_secs(1),
        ..anvil.target()
    }
}

fn intent(word: &'static str) -> Intent {
    Intent::call(NOBODY, word.as_bytes().to_vec(), "saying a word")
}

fn send(target: &ChainTarget, anvil: &Anvil, intent: &Intent, options: &SendOptions) -> Result<Receipt, EvmError> {
    send_with(target, anvil, intent, options, &mut ())
}

fn send_with(
    target: &ChainTarget,
    anvil: &Anvil,
    intent: &Intent,
    options: &SendOptions,
    attendant: &mut dyn Attendant,
) -> Result<Receipt, EvmError> {
    block_on(async {
        let account = Account::open(target, key(anvil), SrsPolicy::default()).await?;
        account.send(intent, options, attendant).await
    })
}

/// A folder with a journal in it.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn options(&self) -> SendOptions {
        SendOptions {
            journal: JournalPlace::At(self.path()),
            ..SendOptions::default()
        }
    }

    fn hashes(&self) -> Vec<B256> {
        hashes(&self.path())
    }
}

fn hashes(path: &Path) -> Vec<B256> {
    let journal: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let transactions = journal["transactions"].as_array().unwrap();
    transactions
        .iter()
        .map(|entry| entry["hash"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn the_same_command_goes_on_with_the_same_transaction() {
    let (anvil, desk) = (anvil(&["--no-mining"]), Desk::new());
    let run = |target| send(&target, &anvil, &intent("once"), &desk.options());
    let error = run(impatient(&anvil)).unwrap_err();
    assert!(matches!(error, EvmError::ReceiptTimeout { .. }), "{error}");
    let signed = desk.hashes();
    assert_eq!(signed.len(), 1);
    let error = run(impatient(&anvil)).unwrap_err();
    assert!(
        matches!(error, EvmError::ReceiptTimeout { transaction, .. } if transaction == signed[0]),
        "{error}"
    );
    mine(&anvil, 1);
    for _ in 0..2 {
        let receipt = run(anvil.target()).unwrap();
        assert!(receipt.resumed && receipt.transaction == signed[0] && receipt.address == NOBODY);
    }
    mine(&anvil, 1);
    assert_eq!((desk.hashes(), transactions(&anvil)), (signed, 1));
}

#[test]
fn a_journal_is_the_owners_alone_and_holds_no_key() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let beside = SendOptions {
        journal: JournalPlace::Beside(desk.folder.path().join("logreg.proof")),
        ..SendOptions::default()
    };
    for word in ["one", "two", "one"] {
        send(&anvil.target(), &anvil, &intent(word), &beside).unwrap();
    }
    assert_eq!(transactions(&anvil), 2);
    let files: Vec<PathBuf> = fs::read_dir(desk.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let secret = hex::encode(key(&anvil).open().unwrap().to_bytes());
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name.starts_with("logreg.proof.") && name.ends_with(".journal"),
            "{name}"
        );
        assert!(!fs::read_to_string(&path).unwrap().contains(&secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn a_transaction_that_never_left_is_sent_by_the_next_run() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let proxy = Proxy::start(&anvil.endpoint(), Cut::BeforeAndForEver);
    let error = send(&proxy.target(anvil.target()), &anvil, &intent("lost"), &desk.options()).unwrap_err();
    assert!(matches!(error, EvmError::RpcGone { .. }), "{error}");
    assert_eq!((proxy.sent.load(Ordering::SeqCst), transactions(&anvil)), (0, 0));
    let signed = desk.hashes();
    let receipt = send(&anvil.target(), &anvil, &intent("lost"), &desk.options()).unwrap();
    assert_eq!((receipt.transaction, transactions(&anvil)), (signed[0], 1));
}

#[test]
fn a_transaction_whose_answer_was_lost_is_found_by_the_next_run() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let proxy = Proxy::start(&anvil.endpoint(), Cut::AfterAndForEver);
    let error = send(&proxy.target(anvil.target()), &anvil, &intent("heard"), &desk.options()).unwrap_err();
    assert!(matches!(error, EvmError::RpcGone { .. }), "{error}");
    assert_eq!((proxy.sent.load(Ordering::SeqCst), transactions(&anvil)), (1, 1));
    let receipt = send(&anvil.target(), &anvil, &intent("heard"), &desk.options()).unwrap();
    assert!(receipt.resumed);
    assert_eq!((receipt.transaction, transactions(&anvil)), (desk.hashes()[0], 1));
}

#[test]
fn a_connection_that_breaks_once_is_no_error() {
    // Mined at once, the second broadcast meets "nonce too low"; not mined, "already imported".
    for arguments in [&[][..], &["--block-time", "1"]] {
        let (anvil, desk) = (anvil(arguments), Desk::new());
        let proxy = Proxy::start(&anvil.endpoint(), Cut::After);
        let receipt = send(
            &proxy.target(anvil.target()),
            &anvil,
            &intent("stutter"),
            &desk.options(),
        )
        .unwrap();
        assert!(!receipt.resumed && receipt.transaction == desk.hashes()[0]);
        assert_eq!((proxy.sent.load(Ordering::SeqCst), transactions(&anvil)), (2, 1));
    }
}

#[test]
fn an_rpc_that_says_nothing_is_named() {
    let anvil = anvil(&[]);
    let proxy = Proxy::start(&anvil.endpoint(), Cut::Silence);
    let target = ChainTarget {
        request_timeout: Duration::from_millis(100),
        ..proxy.target(anvil.target())
    };
    let error = send(&target, &anvil, &intent("hello"), &SendOptions::default()).unwrap_err();
    assert!(matches!(error, EvmError::RpcTimeout { .. }), "{error}");
}

#[test]
fn a_stuck_transaction_is_bumped_and_counts_once() {
    let (anvil, desk) = (anvil(&["--no-mining"]), Desk::new());
    let bump = SendOptions {
        bump: true,
        ..desk.options()
    };
    let error = send(&anvil.target(), &anvil, &intent("slow"), &bump).unwrap_err();
    assert!(matches!(error, EvmError::NothingToBump), "{error}");
    send(&impatient(&anvil), &anvil, &intent("slow"), &desk.options()).unwrap_err();
    let error = send(&impatient(&anvil), &anvil, &intent("slow"), &bump).unwrap_err();
    assert!(matches!(error, EvmError::ReceiptTimeout { .. }), "{error}");
    let signed = desk.hashes();
    assert_eq!(signed.len(), 2);
    // What a bump may cost is capped like everything else, and a refused bump leaves the journal as it was.
    let capped = SendOptions {
        fees: FeeLimits {
            cap: Some(Wei(2_000_000_000)),
            ..FeeLimits::default()
        },
        ..bump.clone()
    };
    let error = send(&impatient(&anvil), &anvil, &intent("slow"), &capped).unwrap_err();
    assert!(matches!(error, EvmError::FeeCapExceeded { .. }), "{error}");
    assert_eq!(desk.hashes(), signed);

    let fees: Vec<[u128; 2]> = desk_fees(&desk);
    for part in 0..2 {
        assert!(fees[1][part] * 10 >= fees[0][part] * 11, "{fees:?}");
    }
    mine(&anvil, 1);
    // Run again, with --bump or without: what is included is not bumped.
    for options in [&desk.options(), &bump] {
        let receipt = send(&anvil.target(), &anvil, &intent("slow"), options).unwrap();
        assert_eq!(receipt.transaction, signed[1]);
    }
    mine(&anvil, 1);
    assert_eq!((desk.hashes(), transactions(&anvil)), (signed, 1));
}

/// Bumps in the midst of another bump: between its reading and its locking of the journal, or before it signs.
struct Other<'a> {
    anvil: &'a Anvil,
    options: SendOptions,
    after_reading: bool,
    said: Option<EvmError>,
}

impl Other<'_> {
    fn bump(&mut self) {
        let bumped = std::thread::scope(|scope| {
            let run = scope.spawn(|| send(&impatient(self.anvil), self.anvil, &intent("slow"), &self.options));
            run.join().unwrap()
        });
        self.said = bumped.err();
    }
}

impl Attendant for Other<'_> {
    fn approve(&mut self, _: &Quote) -> bool {
        if !self.after_reading {
            self.bump();
        }
        true
    }

    fn on(&mut self, progress: Progress<'_>) {
        if self.after_reading && matches!(progress, Progress::Resumed { .. }) {
            self.bump();
        }
    }
}

#[test]
fn of_two_that_bump_at_once_one_signs() {
    for after_reading in [false, true] {
        let (anvil, desk) = (anvil(&["--no-mining"]), Desk::new());
        send(&impatient(&anvil), &anvil, &intent("slow"), &desk.options()).unwrap_err();
        let bump = SendOptions {
            bump: true,
            ..desk.options()
        };
        let mut other = Other {
            anvil: &anvil,
            options: bump.clone(),
            after_reading,
            said: None,
        };
        let one = send_with(&impatient(&anvil), &anvil, &intent("slow"), &bump, &mut other).unwrap_err();
        let other = other.said.expect("nothing is mined");
        // Whoever locked the journal first signs and waits in vain; the other one stops.
        let (waits, stops) = if after_reading { (other, one) } else { (one, other) };
        assert!(matches!(waits, EvmError::ReceiptTimeout { .. }), "{waits}");
        assert!(
            matches!(&stops, EvmError::JournalBusy { path } if *path == desk.path()),
            "{stops}"
        );
        assert_eq!(desk.hashes().len(), 2, "one replacement is written down");
        // The lock is gone with them: later there may be another replacement.
        let error = send(&impatient(&anvil), &anvil, &intent("slow"), &bump).unwrap_err();
        assert!(matches!(error, EvmError::ReceiptTimeout { .. }), "{error}");
        assert_eq!(desk.hashes().len(), 3);
        mine(&anvil, 1);
        send(&anvil.target(), &anvil, &intent("slow"), &desk.options()).unwrap();
        assert_eq!(transactions(&anvil), 1);
    }
}

/// Maximum and priority fee of every transaction in a journal, from the signed bytes themselves.
fn desk_fees(desk: &Desk) -> Vec<[u128; 2]> {
    use alloy::{
        consensus::{Transaction as _, TxEnvelope},
        eips::Decodable2718 as _,
    };
    let journal: Value = serde_json::from_slice(&fs::read(desk.path()).unwrap()).unwrap();
    let entries = journal["transactions"].as_array().unwrap();
    let fees = |entry: &Value| {
        let raw = hex::decode(&entry["raw"].as_str().unwrap()[2..]).unwrap();
        let transaction = TxEnvelope::decode_2718_exact(&raw).unwrap();
        [
            transaction.max_fee_per_gas(),
            transaction.max_priority_fee_per_gas().unwrap_or_default(),
        ]
    };
    entries.iter().map(fees).collect()
}

/// The bump is lost on its way, and the transaction that it should replace is included.
#[test]
fn the_older_of_two_signed_transactions_may_be_the_one_that_counts() {
    let (anvil, desk) = (anvil(&["--no-mining"]), Desk::new());
    send(&impatient(&anvil), &anvil, &intent("either"), &desk.options()).unwrap_err();
    let proxy = Proxy::start(&anvil.endpoint(), Cut::BeforeAndForEver);
    let bump = SendOptions {
        bump: true,
        ..desk.options()
    };
    let error = send(&proxy.target(anvil.target()), &anvil, &intent("either"), &bump).unwrap_err();
    assert!(matches!(error, EvmError::RpcGone { .. }), "{error}");
    let signed = desk.hashes();
    assert_eq!(signed.len(), 2);
    mine(&anvil, 1);
    let receipt = send(&anvil.target(), &anvil, &intent("either"), &desk.options()).unwrap();
    assert_eq!((receipt.transaction, transactions(&anvil)), (signed[0], 1));
}

#[test]
fn a_transaction_that_was_replaced_is_named_and_not_sent_again() {
    let (anvil, desk) = (anvil(&["--no-mining"]), Desk::new());
    send(&impatient(&anvil), &anvil, &intent("mine"), &desk.options()).unwrap_err();
    // The same account, elsewhere, with the same nonce: too little more, then enough.
    let elsewhere = Desk::new();
    let with = |priority_fee| SendOptions {
        nonce: Some(0),
        fees: FeeLimits {
            priority_fee,
            ..FeeLimits::default()
        },
        ..elsewhere.options()
    };
    let error = send(&impatient(&anvil), &anvil, &intent("other"), &with(None)).unwrap_err();
    assert!(matches!(error, EvmError::ReplacementUnderpriced { .. }), "{error}");
    assert!(
        !elsewhere.path().exists(),
        "what the chain refused is not in the journal"
    );
    let dear = with(Some(Wei(50_000_000_000)));
    let error = send(&impatient(&anvil), &anvil, &intent("other"), &dear).unwrap_err();
    assert!(matches!(error, EvmError::ReceiptTimeout { .. }), "{error}");
    mine(&anvil, 1);
    let error = send(&anvil.target(), &anvil, &intent("mine"), &desk.options()).unwrap_err();
    assert!(matches!(error, EvmError::Replaced { nonce: 0, .. }), "{error}");
    assert!(error.to_string().contains("remove"), "{error}");
    mine(&anvil, 1);
    assert_eq!(transactions(&anvil), 1);
}

#[test]
fn a_journal_of_something_else_is_refused_by_name() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    send(&anvil.target(), &anvil, &intent("this"), &desk.options()).unwrap();
    let refused = |anvil: &Anvil, index, intent: &Intent, options: &SendOptions| {
        let sent = block_on(async {
            let account = Account::open(&anvil.target(), anvil.key(index).unwrap(), SrsPolicy::default()).await?;
            account.send(intent, options, &mut ()).await
        });
        match sent.unwrap_err() {
            EvmError::JournalOther { what, .. } => what,
            error => panic!("{error}"),
        }
    };
    assert_eq!(refused(&anvil, 0, &intent("that"), &desk.options()), "purpose");
    let elsewhere = Intent::call(Address::ZERO, b"this".to_vec(), "saying a word");
    assert_eq!(refused(&anvil, 0, &elsewhere, &desk.options()), "purpose");
    let creation = Intent::create(b"this".to_vec(), "saying a word");
    assert_eq!(refused(&anvil, 0, &creation, &desk.options()), "purpose");
    assert_eq!(refused(&anvil, 1, &intent("this"), &desk.options()), "sender");
    let nonce = SendOptions {
        nonce: Some(5),
        ..desk.options()
    };
    assert_eq!(refused(&anvil, 0, &intent("this"), &nonce), "nonce");
    let other = Anvil::start(&AnvilOptions {
        chain_id: Some(1_337),
        ..AnvilOptions::default()
    })
    .unwrap();
    assert_eq!(refused(&other, 0, &intent("this"), &desk.options()), "chain");
    // The same id, begun at another time.
    let again = self::anvil(&["--timestamp", "1700000000"]);
    assert_eq!(refused(&again, 0, &intent("this"), &desk.options()), "chain");
    assert_eq!(
        (transactions(&anvil), transactions(&again), transactions(&other)),
        (1, 0, 0)
    );
}

#[test]
fn a_changed_journal_is_refused() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    send(&anvil.target(), &anvil, &intent("word"), &desk.options()).unwrap();
    let text = fs::read_to_string(desk.path()).unwrap();
    let honest: Value = serde_json::from_str(&text).unwrap();
    let mut forgeries = vec![String::new(), "{}".to_owned(), text[..text.len() / 2].to_owned()];
    for (pointer, value) in [
        ("/format", json!(2)),
        ("/nonce", json!(1)),
        ("/sender", json!(NOBODY)),
        ("/transactions", json!([])),
        ("/transactions/0/hash", json!(B256::ZERO)),
        ("/transactions/0/raw", json!("0x")),
        ("/transactions/0/raw", json!("0x02")),
    ] {
        let mut forged = honest.clone();
        *forged.pointer_mut(pointer).unwrap() = value;
        forgeries.push(forged.to_string());
    }
    // One bit of the signed bytes, wherever it is: another sender, another hash, or no transaction.
    let raw = honest["transactions"][0]["raw"].as_str().unwrap().to_owned();
    for index in (2..raw.len()).step_by(7) {
        let digit = u8::from_str_radix(&raw[index..=index], 16).unwrap() ^ 1;
        let mut forged = honest.clone();
        forged["transactions"][0]["raw"] = json!(format!("{}{digit:x}{}", &raw[..index], &raw[index + 1..]));
        forgeries.push(forged.to_string());
    }
    for forged in forgeries {
        fs::write(desk.path(), &forged).unwrap();
        let error = send(&anvil.target(), &anvil, &intent("word"), &desk.options()).unwrap_err();
        assert!(matches!(error, EvmError::JournalDamaged { .. }), "{error}: {forged}");
    }
    assert_eq!(transactions(&anvil), 1);
}

/// Answers the question about the cost, after doing something.
struct Asked<F>(F, Vec<Quote>);

impl<F: FnMut() -> bool> Attendant for Asked<F> {
    fn approve(&mut self, quote: &Quote) -> bool {
        self.1.push(quote.clone());
        (self.0)()
    }

    fn on(&mut self, progress: Progress<'_>) {
        assert!(!matches!(progress, Progress::Resumed { .. }));
    }
}

#[test]
fn nothing_is_signed_without_approval_or_by_two_at_once() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let mut no = Asked(|| false, Vec::new());
    let error = send_with(&anvil.target(), &anvil, &intent("no"), &desk.options(), &mut no).unwrap_err();
    assert!(matches!(error, EvmError::NotApproved), "{error}");
    assert!(!desk.path().exists());
    let quote = &no.1[0];
    assert!(quote.gas_estimate > 21_000 && quote.most_cost > quote.expected_cost && quote.expected_cost > Wei(0));

    // Another process writes its journal while this one asks.
    let mut late = Asked(
        || {
            let other = || send(&anvil.target(), &anvil, &intent("no"), &desk.options()).unwrap();
            std::thread::scope(|scope| scope.spawn(other).join().unwrap());
            true
        },
        Vec::new(),
    );
    let error = send_with(&anvil.target(), &anvil, &intent("no"), &desk.options(), &mut late).unwrap_err();
    assert!(matches!(error, EvmError::JournalExists { .. }), "{error}");
    assert_eq!(transactions(&anvil), 1);

    // A journal that cannot be written stops the transaction.
    let nowhere = SendOptions {
        journal: JournalPlace::At(desk.folder.path().join("missing/journal")),
        ..SendOptions::default()
    };
    let error = send(&anvil.target(), &anvil, &intent("no"), &nowhere).unwrap_err();
    assert!(matches!(error, EvmError::JournalFile { .. }), "{error}");
    assert_eq!(transactions(&anvil), 1);
}

#[test]
fn fees_follow_history_cap_and_wish() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let with = |cap, priority_fee| SendOptions {
        fees: FeeLimits {
            cap: Some(Wei(cap)),
            priority_fee: Some(Wei(priority_fee)),
        },
        ..desk.options()
    };
    // anvil's first base fee is 1 gwei.
    let error = send(&anvil.target(), &anvil, &intent("dear"), &with(900_000_000, 0)).unwrap_err();
    let EvmError::FeeCapExceeded { cap, needed } = &error else {
        panic!("{error}")
    };
    assert_eq!((**cap, **needed), (Wei(900_000_000), Wei(1_000_000_000)));
    assert!(error.to_string().contains("1 gwei") && !desk.path().exists(), "{error}");
    let receipt = send(
        &anvil.target(),
        &anvil,
        &intent("dear"),
        &with(1_500_000_000, 7_000_000),
    )
    .unwrap();
    assert_eq!(receipt.gas_price, Wei(1_007_000_000));
    assert_eq!(receipt.cost, receipt.gas_price.of_gas(receipt.gas_used));
    assert_eq!(desk_fees(&desk), [[1_500_000_000, 7_000_000]]);
}

#[test]
fn legacy_chains_are_served() {
    let (anvil, desk) = (
        Anvil::start(&AnvilOptions {
            hardfork: Some("berlin".to_owned()),
            arguments: vec!["--no-mining".to_owned()],
            ..AnvilOptions::default()
        })
        .unwrap(),
        Desk::new(),
    );
    let with = |cap, priority_fee, bump| SendOptions {
        fees: FeeLimits { cap, priority_fee },
        bump,
        ..desk.options()
    };
    let run = |options| send(&impatient(&anvil), &anvil, &intent("old"), &options);
    let error = run(with(None, Some(Wei(1)), false)).unwrap_err();
    assert!(matches!(error, EvmError::NoPriorityFee { .. }), "{error}");
    let error = run(with(Some(Wei(1)), None, false)).unwrap_err();
    assert!(matches!(error, EvmError::FeeCapExceeded { .. }), "{error}");
    run(with(None, None, false)).unwrap_err();
    run(with(None, None, true)).unwrap_err();
    let signed = desk.hashes();
    assert_eq!(signed.len(), 2);
    mine(&anvil, 1);
    let receipt = run(desk.options()).unwrap();
    assert_eq!((receipt.transaction, transactions(&anvil)), (signed[1], 1));
    let found = rpc(&anvil, "eth_getTransactionByHash", json!([signed[1]]));
    assert_eq!(found["type"], "0x0", "{found}");
    let fees = desk_fees(&desk);
    assert!(fees[1][0] * 10 >= fees[0][0] * 11, "{fees:?}");
}

fn place(anvil: &Anvil, salt: B256, options: &SendOptions) -> Result<Deployed, EvmError> {
    let request = DeployRequest::new(&fixture().build.compiled, Placement::Create2 { salt });
    let deployed = block_on(deploy(
        &anvil.target(),
        key(anvil),
        &[request],
        UNSAFE,
        options,
        &mut (),
    ));
    deployed.map(|mut deployed| deployed.swap_remove(0))
}

#[test]
fn create2_puts_a_contract_where_everybody_expects_it_once() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let compiled = &fixture().build.compiled;
    let options = SendOptions::default();
    let request = DeployRequest::new(compiled, Placement::default());
    let expected = CREATE2_DEPLOYER.create2_from_code(B256::ZERO, &compiled.init_code);
    let quoted = || block_on(quote_deploy(&anvil.target(), slice::from_ref(&request), &options)).unwrap();
    assert!(matches!(&quoted()[..], [Deployed::Now(quote)] if quote.address == expected && quote.gas_estimate > 0));

    let first = place(&anvil, B256::ZERO, &desk.options()).unwrap();
    assert_eq!((first.address(), transactions(&anvil)), (expected, 1));
    assert!(first.receipt().is_some());
    // The journal is not even asked.
    let again = place(&anvil, B256::ZERO, &desk.options()).unwrap();
    assert!(matches!(again, Deployed::Before { address, chain_id: 31_337 } if address == expected));
    assert!(matches!(quoted()[..], [Deployed::Before { address, .. }] if address == expected));
    assert_eq!(transactions(&anvil), 1);

    let salted = place(&anvil, B256::repeat_byte(1), &options).unwrap();
    assert_ne!(salted.address(), expected);
    let known = &fixture().known;
    let proof = SubmitRequest {
        address: salted.address(),
        key: None,
        proofs: vec![known.clone()],
        expected_code_hash: Some(request.code_hash),
    };
    submit_to(&anvil.target(), key(&anvil), &proof, &options).unwrap();

    // Other code at the address, no deployer, another deployer.
    rpc(&anvil, "anvil_setCode", json!([expected, "0x6001"]));
    let error = place(&anvil, B256::ZERO, &options).unwrap_err();
    assert!(matches!(error, EvmError::OtherCode { .. }), "{error}");
    for (code, is_there) in [("0x", false), ("0x6001", true)] {
        rpc(&anvil, "anvil_setCode", json!([CREATE2_DEPLOYER, code]));
        let error = place(&anvil, B256::repeat_byte(2), &options).unwrap_err();
        assert!(
            matches!(error, EvmError::NoDeployer { got, .. } if got.is_some() == is_there),
            "{error}"
        );
        assert!(error.to_string().contains("--create"), "{error}");
    }
    assert_eq!(transactions(&anvil), 3);
}

/// Two people deploy the same contract at once: one transaction fails, and both have what they wanted.
#[test]
fn a_deployment_that_somebody_else_made_first_is_a_deployment() {
    let anvil = anvil(&["--no-mining"]);
    let request = DeployRequest::new(&fixture().build.compiled, Placement::default());
    let outcomes: Vec<Deployed> = std::thread::scope(|scope| {
        let deploying: Vec<_> = [0, 1]
            .map(|index| {
                let (target, key, request) = (anvil.target(), anvil.key(index).unwrap(), slice::from_ref(&request));
                scope.spawn(move || {
                    // An estimate of the second would meet the first among the pending.
                    let options = SendOptions {
                        gas_limit: Some(5_000_000),
                        ..SendOptions::default()
                    };
                    block_on(deploy(&target, key, request, UNSAFE, &options, &mut ()))
                        .unwrap()
                        .swap_remove(0)
                })
            })
            .into();
        let mut looks = 0;
        while rpc(&anvil, "txpool_status", json!([]))["pending"] != "0x2" {
            looks += 1;
            assert!(looks < 1_000, "two transactions were not sent within a minute");
            std::thread::sleep(Duration::from_millis(50));
        }
        mine(&anvil, 1);
        deploying.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes[0].address(), outcomes[1].address());
    let sent = outcomes.iter().filter(|outcome| outcome.receipt().is_some()).count();
    assert_eq!(sent, 1, "{outcomes:?}");
}

fn status_of(anvil: &Anvil, transaction: B256, confirmations: u64) -> TransactionStatus {
    block_on(status(&anvil.target(), transaction, confirmations)).unwrap()
}

#[test]
fn every_status_has_a_name() {
    let (anvil, desk) = (anvil(&[]), Desk::new());
    let mut request = deployed(&anvil);
    assert!(matches!(
        status_of(&anvil, B256::repeat_byte(9), 1),
        TransactionStatus::Unknown { chain_id: 31_337, .. }
    ));
    rpc(&anvil, "evm_setAutomine", json!([false]));
    send(&impatient(&anvil), &anvil, &intent("state"), &desk.options()).unwrap_err();
    let transaction = desk.hashes()[0];
    let pending = status_of(&anvil, transaction, 1);
    assert!(
        matches!(pending, TransactionStatus::Pending { nonce: 1, next_nonce: 1, sender, .. } if sender == self::sender(&anvil)),
        "{pending:?}"
    );
    mine(&anvil, 1);
    let included = status_of(&anvil, transaction, 3);
    assert!(
        matches!(&included, TransactionStatus::Included(receipt) if receipt.confirmations == 1),
        "{included:?}"
    );
    mine(&anvil, 2);
    let confirmed = status_of(&anvil, transaction, 3);
    assert!(
        matches!(&confirmed, TransactionStatus::Confirmed(receipt) if receipt.confirmations == 3 && receipt.address == NOBODY),
        "{confirmed:?}"
    );
    rpc(&anvil, "evm_setAutomine", json!([true]));

    request.proofs[0].public_inputs[0] += U256::from(1);
    for (gas_limit, expected) in [(1_000_000, Some(Rejection::InvalidProof)), (120_000, None)] {
        let journal = Desk::new();
        let options = SendOptions {
            gas_limit: Some(gas_limit),
            ..journal.options()
        };
        let sent = submit_to(&anvil.target(), key(&anvil), &request, &options);
        let (Err(EvmError::Reverted {
            transaction: Some(transaction),
            ..
        })
        | Err(EvmError::OutOfGas {
            transaction: Some(transaction),
            ..
        })) = sent
        else {
            panic!("{sent:?}")
        };
        assert!(
            !journal.path().exists(),
            "a transaction that failed is struck from the journal"
        );
        let TransactionStatus::Failed { outcome, .. } = status_of(&anvil, transaction, 1) else {
            panic!("the transaction failed")
        };
        match expected {
            Some(_) => assert_eq!(outcome.reason().and_then(|reason| reason.rejection()), expected),
            // The verifier names a precompile that got too little gas, or runs out itself.
            None => assert!(
                outcome == Outcome::OutOfGas
                    || outcome.reason().and_then(|reason| reason.rejection()) == Some(Rejection::PrecompileFailed),
                "{outcome}"
            ),
        }
    }
}

#[test]
fn confirmations_are_waited_for() {
    let anvil = anvil(&["--block-time", "1"]);
    let options = SendOptions {
        confirmations: 3,
        ..SendOptions::default()
    };
    let receipt = send(&anvil.target(), &anvil, &intent("patience"), &options).unwrap();
    assert!(receipt.confirmations >= 3, "{receipt:?}");
    let head = rpc(&anvil, "eth_blockNumber", json!([]));
    let head = u64::from_str_radix(&head.as_str().unwrap()[2..], 16).unwrap();
    assert!(head >= receipt.block + 2);
}

/// A script that creates any init code by CREATE2, as forge compiles `new C{salt: salt}()`.
const FORGE_SCRIPT: &str = r#"// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

interface Vm {
    function envBytes(string calldata name) external view returns (bytes memory);
    function envBytes32(string calldata name) external view returns (bytes32);
    function startBroadcast() external;
    function stopBroadcast() external;
}

contract Place {
    Vm constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    function run() external returns (address placed) {
        bytes memory initCode = VM.envBytes("INIT_CODE");
        bytes32 salt = VM.envBytes32("SALT");
        VM.startBroadcast();
        assembly ("memory-safe") {
            placed := create2(0, add(initCode, 0x20), mload(initCode), salt)
        }
        VM.stopBroadcast();
        require(placed != address(0));
    }
}
"#;

#[test]
fn forge_script_puts_the_contract_at_the_same_address() {
    let program = |name, variable| find_program(name, variable).expect("run scripts/tools/install");
    let (forge, solc) = (program("forge", "ZKVERDICT_FORGE"), program("solc", "ZKVERDICT_SOLC"));
    let anvil = anvil(&[]);
    let salt = B256::repeat_byte(0x5a);
    let request = DeployRequest::new(&fixture().build.compiled, Placement::Create2 { salt });
    let expected = request.address().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("script")).unwrap();
    fs::write(folder.path().join("script/Place.s.sol"), FORGE_SCRIPT).unwrap();
    fs::write(folder.path().join("foundry.toml"), "[profile.default]\nlibs = []\n").unwrap();
    let said = Command::new(forge)
        .args(["script", "script/Place.s.sol:Place", "--broadcast", "--offline", "--json"])
        .args(["--rpc-url", &anvil.endpoint(), "--use"])
        .arg(solc)
        // anvil's own second key, which everybody knows.
        .arg("--private-key")
        .arg(hex::encode(anvil.key(1).unwrap().open().unwrap().to_bytes()))
        .env("INIT_CODE", format!("0x{}", hex::encode(&request.init_code)))
        .env("SALT", salt.to_string())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}");
    // It is where this crate would put it, so there is nothing left to send.
    let options = SendOptions::default();
    let found = place(&anvil, salt, &options).unwrap();
    assert!(
        matches!(found, Deployed::Before { address, .. } if address == expected),
        "{found:?}"
    );
    assert_eq!(transactions(&anvil), 0);
}
