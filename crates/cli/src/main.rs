//! The `zkverdict` command: `args` says what can be typed, `settings` what holds where nothing was typed, `commands`
//! does it through the library of the same name, and `printer` writes what came of it.

mod args;
mod commands;
mod failure;
mod fit;
mod output;
mod printer;
mod public;
mod settings;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::Mutex,
};

use clap::Parser;

use crate::{args::Cli, commands::Status, printer::Printer, settings::Settings};

/// Where the last panic happened. Panics of the ONNX runtime are caught and named where they happen, so none is printed
/// before it is known that nobody caught it.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            Printer::usage(&error);
            let status = if error.use_stderr() {
                Status::Environment
            } else {
                Status::Done
            };
            return status.into();
        }
    };
    let printer = Printer::new(cli.global.json);
    panic::set_hook(Box::new(|info| {
        if let Ok(mut place) = PANIC.lock() {
            *place = info.to_string();
        }
    }));
    let run = || {
        let settings = Settings::load(cli.global.config.as_deref())?;
        commands::run(cli.command, &settings, &printer)
    };
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(status)) => status.into(),
        Ok(Err(error)) => failure::report(&error, &printer).into(),
        Err(_) => {
            let place = PANIC.lock().map(|place| place.clone()).unwrap_or_default();
            printer.error(&format!("zkverdict has a defect: {}", place.replace('\n', " ")));
            printer.hint("no artifact was damaged; please report this with the command and its files");
            Status::Environment.into()
        }
    }
}
