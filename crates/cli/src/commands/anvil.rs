use std::{io, sync::mpsc, thread};

use anyhow::{Context as _, Result};
use serde::Serialize;
use zkverdict::evm;

use super::Status;
use crate::{
    args::Anvil,
    printer::{Printer, Report, Style, pairs},
};

#[derive(Debug, Serialize)]
struct Started {
    endpoint: String,
    chain_id: Option<u64>,
    process_id: u32,
}

pub(super) fn run(args: Anvil, printer: &Printer) -> Result<Status> {
    let (stop, stopped) = mpsc::channel();
    let interrupted = stop.clone();
    ctrlc::set_handler(move || {
        // The receiver is gone only when the command is ending anyway.
        let _ = interrupted.send(());
    })
    .context("cannot listen for Ctrl-C")?;
    let options = evm::AnvilOptions {
        chain_id: args.chain_id,
        arguments: args.arguments,
        ..evm::AnvilOptions::default()
    };
    let anvil = evm::Anvil::start(&options)?;
    printer.result(&Started {
        endpoint: anvil.endpoint(),
        chain_id: anvil.target().expected_chain_id,
        process_id: anvil.process_id(),
    })?;
    printer.note("anvil runs until Ctrl-C or the end of the input");
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = stop.send(());
    });
    stopped.recv().context("cannot wait for the end")?;
    drop(anvil);
    Ok(Status::Done)
}

impl Report for Started {
    fn render(&self, style: Style) -> String {
        let chain = self.chain_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        let rows = [("endpoint", self.endpoint.clone()), ("chain", chain)];
        pairs(style, 0, &rows)
    }
}
