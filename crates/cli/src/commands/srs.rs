use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkverdict::srs::{
    Blake2bDigest, Ceremony, ImportOptions, Provenance, Sha256Digest, SourceFormat, Srs, import, published_raw_sha256,
};

use super::{Status, setup::warn_about};
use crate::{
    args::{SrsCommand, SrsDev, SrsFormat, SrsImport, SrsShow},
    output::{Target, beside},
    printer::{Printer, Report, Style, pairs},
};

#[derive(Debug, Serialize)]
struct Shown {
    ceremony: Ceremony,
    name: String,
    k: u32,
    unsafe_srs: bool,
    raw_sha256: Sha256Digest,
    /// Whether the same points are published under this hash.
    is_published: bool,
    source_format: SourceFormat,
    source_file: Option<String>,
    source_blake2b: Option<Blake2bDigest>,
    is_published_file: Option<bool>,
    notices: Vec<String>,
    file: PathBuf,
    #[serde(skip)]
    written: bool,
}

pub(super) fn run(command: SrsCommand, printer: &Printer) -> Result<Status> {
    match command {
        SrsCommand::Import(args) => bring_in(args, printer),
        SrsCommand::Dev(args) => develop(args, printer),
        SrsCommand::Show(args) => show(args, printer),
    }
}

fn bring_in(args: SrsImport, printer: &Printer) -> Result<Status> {
    let output = args.output.unwrap_or_else(|| beside(&args.file, "srs"));
    Target::Srs.check(&output)?;
    let mut options = ImportOptions::new();
    if let Some(format) = args.format {
        options = options.format(match format {
            SrsFormat::Ptau => SourceFormat::Ptau,
            SrsFormat::Halo2Raw => SourceFormat::Halo2Raw,
            SrsFormat::Gnark => SourceFormat::GnarkPoints,
            SrsFormat::Arkworks => SourceFormat::Arkworks,
        });
    }
    if let Some(path) = args.g2 {
        options = options.g2_file(path);
    }
    if let Some(max_k) = args.max_k {
        options = options.max_k(max_k);
    }
    let busy = printer.busy("checking every point");
    let imported = import(&args.file, &options)?;
    drop(busy);
    let notices: Vec<String> = imported.notices.iter().map(ToString::to_string).collect();
    for notice in &notices {
        printer.warning(notice);
    }
    imported.srs.save(&output)?;
    printer.result(&Shown::new(imported.srs.provenance(), notices, &output, true))?;
    Ok(Status::Done)
}

fn develop(args: SrsDev, printer: &Printer) -> Result<Status> {
    let output = args
        .output
        .unwrap_or_else(|| PathBuf::from(format!("development-{}.srs", args.k)));
    Target::Srs.check(&output)?;
    let busy = printer.busy("making the development SRS");
    let srs = Srs::development(args.k)?;
    drop(busy);
    srs.save(&output)?;
    warn_about(Ceremony::Development, printer);
    printer.result(&Shown::new(srs.provenance(), Vec::new(), &output, true))?;
    Ok(Status::Done)
}

fn show(args: SrsShow, printer: &Printer) -> Result<Status> {
    let busy = printer.busy("checking every point");
    let srs = Srs::load_verified(&args.file)?;
    drop(busy);
    warn_about(srs.provenance().ceremony, printer);
    printer.result(&Shown::new(srs.provenance(), Vec::new(), &args.file, false))?;
    Ok(Status::Done)
}

impl Shown {
    fn new(provenance: &Provenance, notices: Vec<String>, file: &Path, written: bool) -> Self {
        let source = provenance.source_file.as_ref();
        Self {
            ceremony: provenance.ceremony,
            name: provenance.ceremony.to_string(),
            k: provenance.k,
            unsafe_srs: provenance.is_unsafe(),
            raw_sha256: provenance.raw_sha256,
            is_published: published_raw_sha256(provenance.ceremony, provenance.k) == Some(provenance.raw_sha256),
            source_format: provenance.source_format,
            source_file: source.map(|file| file.name.clone()),
            source_blake2b: source.and_then(|file| file.blake2b),
            is_published_file: source.map(|file| file.is_published_file),
            notices,
            file: file.to_owned(),
            written,
        }
    }
}

impl Report for Shown {
    fn render(&self, style: Style) -> String {
        let source = match (&self.source_file, self.is_published_file) {
            (Some(name), Some(true)) => format!("{name} ({}), the published file", self.source_format),
            (Some(name), _) => format!("{name} ({})", self.source_format),
            (None, _) => self.source_format.to_string(),
        };
        let rows = [
            ("size", format!("2^{} powers of tau", self.k)),
            ("from", source),
            ("sha256", format!("{} (as halo2's raw form)", self.raw_sha256)),
        ];
        let name = match self.unsafe_srs || self.ceremony == Ceremony::Unknown {
            true => style.bad(&self.name),
            false => style.good(&self.name),
        };
        let wrote = match self.written {
            true => format!("wrote {}\n", self.file.display()),
            false => String::new(),
        };
        format!("{name}\n{}{wrote}", pairs(style, 2, &rows))
    }
}
