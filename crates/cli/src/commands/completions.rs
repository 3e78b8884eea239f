use anyhow::{Context as _, Result};
use clap::CommandFactory;
use serde::Serialize;

use super::Status;
use crate::{
    args::{Cli, Completions},
    printer::{Printer, Report, Style},
};

#[derive(Debug, Serialize)]
struct Script {
    shell: String,
    script: String,
}

pub(super) fn run(args: &Completions, printer: &Printer) -> Result<Status> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zkverdict", &mut bytes);
    printer.result(&Script {
        shell: args.shell.to_string(),
        script: String::from_utf8(bytes).context("the completion script is not text")?,
    })?;
    Ok(Status::Done)
}

impl Report for Script {
    fn render(&self, _style: Style) -> String {
        self.script.clone()
    }
}
