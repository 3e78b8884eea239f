//! One file per command. Each reads its arguments and settings, calls the library, and hands a report to the printer.

mod anvil;
mod attest;
mod audit;
mod bench;
mod calibrate;
mod chain;
mod commit;
mod compile;
mod completions;
mod contract;
mod demo;
mod demo_audit;
mod deploy;
mod doctor;
mod facts;
mod fidelity;
mod gas;
mod inspect;
mod prove;
mod run;
mod setup;
mod simulate;
mod srs;
mod status;
mod submit;
mod verify;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result};
use zkverdict::Model;

use crate::{args::Command, printer::Printer, settings::Settings};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It did what it should.
    Done,
    /// The proof or the check failed.
    Failed,
    /// It could not do it: wrong usage, or something is missing.
    Environment,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Environment => 2,
        })
    }
}

/// Does what was asked for.
pub(crate) fn run(command: Command, settings: &Settings, printer: &Printer) -> Result<Status> {
    match command {
        Command::Demo(args) => demo::run(&args, settings, printer),
        Command::Inspect(args) => inspect::run(&args, settings, printer),
        Command::Calibrate(args) => calibrate::run(&args, settings, printer),
        Command::Compile(args) => compile::run(&args, settings, printer),
        Command::Setup(args) => setup::run(&args, settings, printer),
        Command::Prove(args) => prove::run(&args, settings, printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::Commit(args) => commit::run(args.command, settings, printer),
        Command::Attest(args) => attest::run(&args, settings, printer),
        Command::Audit(args) => audit::run(args.command, settings, printer),
        Command::Contract(args) => contract::run(args, settings, printer),
        Command::Simulate(args) => simulate::run(&args, printer),
        Command::Gas(args) => gas::run(&args, settings, printer),
        Command::Deploy(args) => deploy::run(&args, settings, printer),
        Command::Submit(args) => submit::run(&args, settings, printer),
        Command::Status(args) => status::run(&args, settings, printer),
        Command::Anvil(args) => anvil::run(args, printer),
        Command::Srs(args) => srs::run(args.command, printer),
        Command::Run(args) => run::run(&args, settings, printer),
        Command::Bench(args) => bench::run(&args, settings, printer),
        Command::Doctor => doctor::run(settings, printer),
        Command::Completions(args) => completions::run(&args, printer),
    }
}

/// Imports a model, with its file in every message.
fn load_model(path: &Path) -> Result<Model> {
    Model::load(path).with_context(|| format!("the model {} cannot be used", path.display()))
}
