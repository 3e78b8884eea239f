//! Which chain, and whose key.

use std::{
    io::{self, IsTerminal},
    path::Path,
    time::Duration,
};

use anyhow::Result;
use zeroize::Zeroizing;
use zkverdict::evm::{
    Address, Anvil, AnvilOptions, Attendant, ChainTarget, FeeLimits, JournalPlace, KeySource, PasswordSource, Progress,
    Prompt, Quote, Receipt, SendOptions, SrsPolicy,
};

use crate::{
    args::{Chain, SigningKey},
    failure::hinted,
    printer::{Busy, Printer, thousands},
    settings::Settings,
};

/// A chain; anvil stops when this is dropped.
pub(super) struct Reached {
    pub(super) target: ChainTarget,
    pub(super) anvil: Option<Anvil>,
}

/// Finds the chain, or starts one.
pub(super) fn reach(args: &Chain, settings: &Settings, printer: &Printer) -> Result<Reached> {
    if args.anvil {
        let options = AnvilOptions {
            chain_id: args.chain_id,
            ..AnvilOptions::default()
        };
        let anvil = Anvil::start(&options)?;
        printer.note(&format!("anvil runs at {} for this command", anvil.endpoint()));
        return Ok(Reached {
            target: waiting(anvil.target(), args),
            anvil: Some(anvil),
        });
    }
    let target = named(args.rpc_url.as_deref(), args.chain_id, settings)?;
    Ok(Reached {
        target: waiting(target, args),
        anvil: None,
    })
}

fn waiting(target: ChainTarget, args: &Chain) -> ChainTarget {
    ChainTarget {
        receipt_timeout: Duration::from_secs(args.timeout),
        ..target
    }
}

/// The chain of the flags or settings.
pub(super) fn named(rpc_url: Option<&str>, chain_id: Option<u64>, settings: &Settings) -> Result<ChainTarget> {
    let url = rpc_url.or(settings.rpc_url.as_deref()).ok_or_else(|| {
        hinted(
            "no chain was named",
            "name one with --rpc-url, or start a local one with --anvil or `zkverdict anvil`",
        )
    })?;
    Ok(ChainTarget {
        expected_chain_id: chain_id.or(settings.chain_id),
        ..ChainTarget::new(url)
    })
}

/// Where the key of an account comes from: anvil, or as [`signing_key`].
pub(super) fn key(args: &Chain, settings: &Settings, reached: &Reached) -> Result<KeySource> {
    match reached.anvil.as_ref().and_then(|anvil| anvil.key(0)) {
        Some(key) => Ok(key),
        None => signing_key(&args.key, settings),
    }
}

/// Where a key comes from: the flags, the settings, a prompt.
pub(super) fn signing_key(args: &SigningKey, settings: &Settings) -> Result<KeySource> {
    let (keystore, variable) = match (&args.keystore, &args.private_key_env) {
        (None, None) => (settings.keystore.as_ref(), settings.private_key_env.as_ref()),
        (keystore, variable) => (keystore.as_ref(), variable.as_ref()),
    };
    if let Some(path) = keystore {
        let password = match args.password_file.as_ref().or(settings.password_file.as_ref()) {
            Some(path) => PasswordSource::File(path.clone()),
            None => PasswordSource::Prompt(prompt()?),
        };
        return Ok(KeySource::Keystore {
            path: path.clone(),
            password,
        });
    }
    Ok(match variable {
        Some(variable) => KeySource::Environment(variable.clone()),
        None => KeySource::Prompt(prompt()?),
    })
}

/// Asks on the terminal, without an echo.
fn prompt() -> Result<Prompt> {
    if !io::stdin().is_terminal() {
        return Err(hinted(
            "there is no terminal to ask for the key or password on",
            "name --keystore with --password-file, or --private-key-env",
        ));
    }
    Ok(Box::new(|what: &str| {
        rpassword::prompt_password(format!("{what}: ")).map(Zeroizing::new)
    }))
}

pub(super) fn policy(args: &Chain, srs_is_unsafe: bool) -> SrsPolicy {
    SrsPolicy {
        srs_is_unsafe,
        allow_unsafe_srs: args.allow_unsafe_srs,
    }
}

/// How to send; the journal stands beside `artifact` unless it was named.
pub(super) fn options(args: &Chain, artifact: &Path) -> Result<SendOptions> {
    let journal = match &args.journal {
        _ if args.anvil => JournalPlace::Nowhere,
        Some(path) => JournalPlace::At(path.clone()),
        None => JournalPlace::Beside(artifact.to_owned()),
    };
    Ok(SendOptions {
        sender: args.from.as_deref().map(address).transpose()?,
        gas_limit: args.gas_limit,
        nonce: args.nonce,
        fees: FeeLimits {
            cap: args.fee_cap,
            priority_fee: args.priority_fee,
        },
        confirmations: args.confirmations,
        journal,
        bump: args.bump,
    })
}

/// An address that was typed.
pub(super) fn address(text: &str) -> Result<Address> {
    text.parse().map_err(|_| {
        hinted(
            format!("{text:?} is not an address of 20 bytes in hexadecimal"),
            "write it as 0x and 40 digits; `zkverdict deploy` prints those of contracts",
        )
    })
}

/// Shows the cost, asks on a terminal, and tells what happens.
pub(super) struct Cashier<'a> {
    printer: &'a Printer,
    asks: bool,
    what: &'static str,
    busy: Option<Busy>,
}

impl<'a> Cashier<'a> {
    pub(super) fn new(printer: &'a Printer, args: &Chain, what: &'static str) -> Self {
        Self {
            printer,
            asks: !args.yes && !args.anvil && io::stdin().is_terminal(),
            what,
            busy: Some(printer.busy(what)),
        }
    }
}

impl Attendant for Cashier<'_> {
    fn approve(&mut self, quote: &Quote) -> bool {
        self.busy = None;
        self.printer
            .note(&format!("{} at {}: {}", self.what, quote.address, cost(quote)));
        if self.asks && !self.printer.confirm("send the transaction?") {
            return false;
        }
        self.busy = Some(self.printer.busy(self.what));
        true
    }

    fn on(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Resumed { transaction, journal } => {
                let journal =
                    journal.map_or_else(String::new, |path| format!(" (remove {} to forget it)", path.display()));
                self.printer.note(&format!(
                    "going on with transaction {transaction} of an earlier run{journal}"
                ));
            }
            Progress::Sending { transaction } => self.printer.note(&format!("sending transaction {transaction}")),
            Progress::Confirming { confirmations } => {
                if let Some(busy) = &self.busy {
                    busy.now(&format!("{}: {confirmations} confirmations", self.what));
                }
            }
        }
    }
}

fn cost(quote: &Quote) -> String {
    format!(
        "about {} for {} gas at {}, at most {}",
        quote.expected_cost,
        thousands(quote.gas_estimate),
        quote.price.expected(),
        quote.most_cost
    )
}

/// A quote in rows.
pub(super) fn quote_rows(quote: &Quote) -> Vec<(&'static str, String)> {
    vec![
        ("address", quote.address.to_string()),
        ("chain", quote.chain_id.to_string()),
        ("gas", format!("about {}", thousands(quote.gas_estimate))),
        (
            "gas price",
            format!("{} now, at most {}", quote.price.expected(), quote.price.most()),
        ),
        (
            "cost",
            format!("about {}, at most {}", quote.expected_cost, quote.most_cost),
        ),
    ]
}

/// A receipt in rows.
pub(super) fn receipt_rows(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let block = match receipt.confirmations {
        0 | 1 => receipt.block.to_string(),
        more => format!("{}, {} confirmations", receipt.block, thousands(more)),
    };
    vec![
        ("address", receipt.address.to_string()),
        ("chain", receipt.chain_id.to_string()),
        ("transaction", receipt.transaction.to_string()),
        ("block", block),
        ("paid by", receipt.sender.to_string()),
        (
            "gas",
            format!("{} at {}", thousands(receipt.gas_used), receipt.gas_price),
        ),
        ("cost", receipt.cost.to_string()),
    ]
}
