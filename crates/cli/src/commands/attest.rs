use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    Opening, SaltFile,
    circuits::{Commitment, Side},
    evm::{Attestation, SignedAttestation, U256},
};

use super::{Status, chain, commit};
use crate::{
    args::Attest,
    failure::hinted,
    output::{self, Target, sibling, suffixed},
    printer::{Printer, Report, Style, pairs},
    settings::Settings,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Serialize)]
struct Attested {
    model: String,
    #[serde(flatten)]
    signed: SignedAttestation,
    attestation: PathBuf,
    /// Where new salts, and the values with their salt, were written.
    salt: Option<PathBuf>,
    opening: Option<PathBuf>,
}

pub(super) fn run(args: &Attest, settings: &Settings, printer: &Printer) -> Result<Status> {
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| sibling(&args.sample.circuit, "attestation.json"));
    Target::Attestation.check(&output)?;
    let chain_id = args.chain_id.or(settings.chain_id).ok_or_else(|| {
        hinted(
            "no chain was named, and an attestation is for one chain",
            "name it with --chain-id",
        )
    })?;
    let (subject, contract) = (chain::address(&args.subject)?, chain::address(&args.contract)?);
    let issued_at = args.issued_at.unwrap_or_else(now);
    let expires_at = issued_at.saturating_add(DAY.as_secs() * u64::from(args.days));

    let (circuit, sample) = commit::read(&args.sample, settings)?;
    let salts = match &args.salt {
        Some(path) => SaltFile::load(path)?,
        None => SaltFile::random(),
    };
    let opening = Opening::of(&circuit, &sample, &salts.salts(), Side::Input)?;
    let commitment = opening.commitment(&Commitment::of(&circuit.compiled.program, Side::Input)?)?;
    let attestation = Attestation {
        contract,
        chain_id,
        subject,
        model_id: U256::from(args.model_id),
        model_version: U256::from(args.model_version),
        input_commitment: commitment.into(),
        issued_at,
        expires_at,
    };
    let signed = attestation.sign(chain::signing_key(&args.key, settings)?)?;

    // The secrets first: a signature over a commitment that nobody can open is of no use.
    let secrets = match &args.salt {
        Some(_) => None,
        None => {
            let (salt, values) = (suffixed(&output, ".salt"), suffixed(&output, ".opening"));
            salts.create(&salt)?;
            opening.create(&values)?;
            Some((salt, values))
        }
    };
    let mut text = serde_json::to_string_pretty(&signed)?;
    text.push('\n');
    output::write(&output, text.as_bytes())?;
    printer.result(&Attested {
        model: circuit.name,
        signed,
        attestation: output,
        salt: secrets.as_ref().map(|(salt, _)| salt.clone()),
        opening: secrets.map(|(_, opening)| opening),
    })?;
    Ok(Status::Done)
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Report for Attested {
    fn render(&self, style: Style) -> String {
        let SignedAttestation {
            attestation, bureau, ..
        } = &self.signed;
        let rows = [
            ("subject", attestation.subject.to_string()),
            (
                "model",
                format!("{}, version {}", attestation.model_id, attestation.model_version),
            ),
            ("input commitment", attestation.input_commitment.to_string()),
            (
                "contract",
                format!("{} on chain {}", attestation.contract, attestation.chain_id),
            ),
            (
                "holds",
                format!("from {} until {}", attestation.issued_at, attestation.expires_at),
            ),
            ("signed by", bureau.to_string()),
        ];
        let mut text = format!(
            "attested for {}\n{}wrote {}\n",
            style.bold(&self.model),
            pairs(style, 2, &rows),
            self.attestation.display()
        );
        if let (Some(salt), Some(opening)) = (&self.salt, &self.opening) {
            text.push_str(&format!(
                "the secret salts are in {}, the secret values in {}\n",
                salt.display(),
                opening.display()
            ));
        }
        text
    }
}
