use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Serialize;
use zkverdict::{
    CircuitFile, HostSpeed, Keys, SETUP_OVER_PROVE,
    srs::{Ceremony, Sha256Digest, Srs, SrsError},
    verifier::{Digest, Kind},
    wall_seconds,
};

use super::Status;
use crate::{
    args::Setup,
    failure::hinted,
    fit::{self, Work},
    output::{Target, sibling, size_of},
    printer::{Printer, Report, Style, pairs, size},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Ready {
    model: String,
    circuit_digest: Digest,
    verifying_key_digest: Digest,
    k: u32,
    srs: String,
    srs_sha256: Sha256Digest,
    unsafe_srs: bool,
    proving_key: PathBuf,
    pk_bytes: u64,
    verifying_key: PathBuf,
    vk_bytes: u64,
}

pub(super) fn run(args: &Setup, settings: &Settings, printer: &Printer) -> Result<Status> {
    let proving_key = args.proving_key.clone().unwrap_or_else(|| sibling(&args.circuit, "pk"));
    let verifying_key = args
        .verifying_key
        .clone()
        .unwrap_or_else(|| sibling(&args.circuit, "vk"));
    Target::Artifact(Kind::ProvingKey).check(&proving_key)?;
    Target::Artifact(Kind::VerifyingKey).check(&verifying_key)?;
    let circuit = CircuitFile::load(&args.circuit)?;
    let path = args.srs.as_ref().or(settings.srs.as_ref()).ok_or_else(|| {
        hinted(
            "keys need an SRS, and none was named",
            "run `zkverdict srs import` (or `zkverdict srs dev` for trials) and name its file with --srs",
        )
    })?;
    match fit::check_srs(&circuit.plan, path) {
        Err(error @ SrsError::TooSmall { .. }) => return Err(error).context("no keys could be made"),
        checked => checked?,
    }
    fit::check_memory(&circuit.plan, Work::Setup, printer);
    fit::check_contract(&circuit.plan, printer);
    let busy = printer.busy("checking the SRS");
    let srs = Srs::load_verified(path)?;
    drop(busy);
    let factors = HostSpeed::cached().map(|speed| speed.factors()).unwrap_or_default();
    let expected_s = SETUP_OVER_PROVE * circuit.plan.on(factors).prove_cpu_s;
    let steps = printer.steps("making keys", wall_seconds(expected_s));
    let keys =
        Keys::generate_observed(&circuit, &srs, &mut |progress| steps.at(progress)).context("no keys could be made")?;
    drop(steps);
    warn_about(srs.provenance().ceremony, printer);
    keys.verifying.save(&verifying_key)?;
    keys.save_proving(&proving_key)?;
    printer.result(&Ready {
        model: circuit.name.clone(),
        circuit_digest: keys.verifying.circuit,
        verifying_key_digest: keys.verifying.key.digest(),
        k: circuit.compiled.k,
        srs: keys.verifying.srs.clone(),
        srs_sha256: srs.provenance().raw_sha256,
        unsafe_srs: keys.verifying.unsafe_srs,
        pk_bytes: size_of(&proving_key)?,
        vk_bytes: size_of(&verifying_key)?,
        proving_key,
        verifying_key,
    })?;
    Ok(Status::Done)
}

/// Says what the user of an SRS must know about it.
pub(super) fn warn_about(ceremony: Ceremony, printer: &Printer) {
    match ceremony {
        Ceremony::Development => printer.warning(
            "UNSAFE: this is the development SRS; everybody can forge proofs under it. Use it for trials only.",
        ),
        Ceremony::Unknown => printer
            .warning("no known ceremony made this SRS: whoever made it may know its secret and forge proofs under it"),
        _ => {}
    }
}

impl Report for Ready {
    fn render(&self, style: Style) -> String {
        let rows = [
            ("SRS", format!("{}, 2^{} powers", self.srs, self.k)),
            (
                "proving key",
                format!("{} in {}", size(self.pk_bytes), self.proving_key.display()),
            ),
            (
                "verifying key",
                format!("{} in {}", size(self.vk_bytes), self.verifying_key.display()),
            ),
        ];
        format!("{} has keys\n{}", style.bold(&self.model), pairs(style, 2, &rows))
    }
}
