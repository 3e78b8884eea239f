//! Which chain, and whose key.

use std::io::{self, IsTerminal};

use anyhow::Result;
use zeroize::Zeroizing;
use zkverdict::evm::{Anvil, AnvilOptions, ChainTarget, KeySource, PasswordSource, Prompt, SendOptions, SrsPolicy};

use crate::{args::Chain, failure::hinted, printer::Printer, settings::Settings};

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
            target: anvil.target(),
            anvil: Some(anvil),
        });
    }
    let url = args.rpc_url.as_ref().or(settings.rpc_url.as_ref()).ok_or_else(|| {
        hinted(
            "no chain was named",
            "name one with --rpc-url, or start a local one with --anvil",
        )
    })?;
    Ok(Reached {
        target: ChainTarget {
            expected_chain_id: args.chain_id.or(settings.chain_id),
            ..ChainTarget::new(url)
        },
        anvil: None,
    })
}

/// Where the key comes from: anvil, the flags, the settings, a prompt.
pub(super) fn key(args: &Chain, settings: &Settings, reached: &Reached) -> Result<KeySource> {
    if let Some(key) = reached.anvil.as_ref().and_then(|anvil| anvil.key(0)) {
        return Ok(key);
    }
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

pub(super) fn options(args: &Chain) -> SendOptions {
    SendOptions {
        gas_limit: args.gas_limit,
        nonce: args.nonce,
    }
}
