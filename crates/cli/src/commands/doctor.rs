use std::{process::Command, thread};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    HostSpeed,
    solidity::{SOLC_VERSION, find_program, find_solc, tools_folder},
};

use super::Status;
use crate::{
    fit::free_memory,
    printer::{Printer, Report, Style, pairs, size},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Findings {
    ready: bool,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    /// Whether zkverdict cannot do without.
    needed: bool,
    found: String,
    remedy: Option<String>,
}

/// Bytes of free memory that every example proves well within.
const MEMORY: u64 = 512 << 20;

pub(super) fn run(settings: &Settings, printer: &Printer) -> Result<Status> {
    let findings = vec![
        solc(settings),
        program("anvil", "ZKVERDICT_ANVIL", "deploy, submit and anvil on a local chain"),
        program("forge", "ZKVERDICT_FORGE", "the contracts' own tests"),
        program("cast", "ZKVERDICT_CAST", "keystores and calls by hand"),
        tools(),
        cores(),
        speed(),
        memory(),
        folder(),
    ];
    let ready = findings.iter().all(|finding| finding.ok || !finding.needed);
    printer.result(&Findings { ready, findings })?;
    Ok(if ready { Status::Done } else { Status::Environment })
}

fn solc(settings: &Settings) -> Finding {
    let found = find_solc(&settings.solc(None));
    Finding {
        what: "solc",
        ok: found.is_ok(),
        needed: true,
        remedy: found
            .is_err()
            .then(|| format!("run scripts/tools/install, or set ZKVERDICT_SOLC to a solc {SOLC_VERSION}")),
        found: match found {
            Ok(solc) => format!("{} at {}", solc.version, solc.solc.display()),
            Err(error) => error.to_string(),
        },
    }
}

fn program(name: &'static str, variable: &str, purpose: &str) -> Finding {
    let path = find_program(name, variable);
    let version = path.as_ref().and_then(|path| {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout)
            .ok()
            .filter(|_| output.status.success())?;
        text.lines().next().map(str::to_owned)
    });
    let ok = version.is_some();
    Finding {
        what: name,
        ok,
        needed: false,
        remedy: (!ok).then(|| format!("for {purpose}: run scripts/tools/install, or install Foundry")),
        found: match (path, version) {
            (Some(path), Some(version)) => format!("{version} at {}", path.display()),
            (Some(path), None) => format!("{} does not run", path.display()),
            (None, _) => "not found".to_owned(),
        },
    }
}

fn tools() -> Finding {
    let folder = tools_folder();
    let ok = folder.is_dir();
    Finding {
        what: "tools folder",
        ok,
        needed: false,
        found: format!("{}{}", folder.display(), if ok { "" } else { " does not exist" }),
        remedy: (!ok).then(|| "run scripts/tools/install, unless solc and Foundry are on PATH".to_owned()),
    }
}

fn cores() -> Finding {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    Finding {
        what: "cores",
        ok: true,
        needed: false,
        found: cores.to_string(),
        remedy: None,
    }
}

/// What the predictions of CPU seconds are multiplied by; measured once, then kept in the user's cache.
fn speed() -> Finding {
    let speed = HostSpeed::known();
    let factors = speed.factors();
    Finding {
        what: "speed",
        ok: true,
        needed: false,
        found: format!(
            "transforms take {:.2} times, commitments {:.2} times what they take on the reference machine ({})",
            factors.transforms, factors.commitments, speed.processor
        ),
        remedy: None,
    }
}

fn memory() -> Finding {
    let bytes = free_memory();
    let ok = bytes.is_none_or(|bytes| bytes >= MEMORY);
    Finding {
        what: "free memory",
        ok,
        needed: false,
        found: bytes.map_or_else(|| "unknown on this system".to_owned(), size),
        remedy: (!ok).then(|| "free some memory, or compile with --optimize memory".to_owned()),
    }
}

fn folder() -> Finding {
    let attempt = tempfile::NamedTempFile::new_in(".");
    Finding {
        what: "current folder",
        ok: attempt.is_ok(),
        needed: true,
        remedy: attempt
            .is_err()
            .then(|| "change to a folder that you may write to".to_owned()),
        found: match attempt {
            Ok(_) => "writable".to_owned(),
            Err(error) => format!("not writable: {error}"),
        },
    }
}

impl Report for Findings {
    fn render(&self, style: Style) -> String {
        let rows: Vec<(&str, String)> = self
            .findings
            .iter()
            .map(|finding| {
                let mark = match (finding.ok, finding.needed) {
                    (true, _) => style.good("ok"),
                    (false, true) => style.bad("missing"),
                    (false, false) => style.warn("absent"),
                };
                let remedy = finding.remedy.as_ref().map(|remedy| format!("; {remedy}"));
                (
                    finding.what,
                    format!("{mark}  {}{}", finding.found, remedy.unwrap_or_default()),
                )
            })
            .collect();
        let verdict = match self.ready {
            true => style.good("everything needed is here"),
            false => style.bad("something needed is missing"),
        };
        format!("{}{verdict}\n", pairs(style, 0, &rows))
    }
}
