use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    AuditTable, Error, Proof, Role, VerifyingKeyFile, context_from_text,
    verifier::{Digest, encode_public_inputs},
};

use super::{Status, prove::words};
use crate::{
    args::Verify,
    failure::hinted,
    printer::{Printer, Report, Style, thousands},
    public::{self, PublicValue},
};

#[derive(Debug, Serialize)]
struct Verified {
    valid: bool,
    reason: Option<String>,
    model: String,
    /// Where it is an audit: what is asked of which table.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<AuditTable>,
    verifying_key_digest: Digest,
    srs: String,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
    public_inputs: Vec<String>,
    proof_bytes: usize,
}

pub(super) fn run(args: &Verify, printer: &Printer) -> Result<Status> {
    let context = args.context.as_deref().map(context_from_text).transpose()?;
    let key = VerifyingKeyFile::load(&args.verifying_key)?;
    let digest = key.key.digest();
    let proof = Proof::load(&args.proof, Some(digest))?;
    let values = public::read(&key.schema, &proof.public_inputs);
    let mut reason = match proof.verify(&key) {
        Ok(()) => None,
        Err(Error::Verify(error)) if !matches!(error, zkverdict::verifier::VerifyError::MalformedKey) => {
            Some(error.to_string())
        }
        Err(error) => return Err(error.into()),
    };
    if let (None, Some(context)) = (&reason, context) {
        let expected = encode_public_inputs(&[context]);
        if expected.first() != proof.public_inputs.first() {
            reason = Some("the proof is bound to another context".to_owned());
        }
    }
    for text in &args.expect {
        let (value, expected) = expectation(text, &values)?;
        if reason.is_none() && !agrees(value, expected) {
            let error = Error::UnexpectedOutput {
                name: value.name.clone(),
                expected: expected.to_owned(),
                got: value.text(),
            };
            reason = Some(error.to_string());
        }
    }
    if key.unsafe_srs {
        printer.warning("made with the UNSAFE development SRS: everybody could have forged this proof");
    }
    let report = Verified {
        valid: reason.is_none(),
        reason,
        model: key.name.clone(),
        audit: key.audit.clone(),
        verifying_key_digest: digest,
        srs: key.srs.clone(),
        unsafe_srs: key.unsafe_srs,
        public: values,
        public_inputs: words(&proof.public_inputs),
        proof_bytes: proof.proof.len(),
    };
    printer.result(&report)?;
    Ok(if report.valid { Status::Done } else { Status::Failed })
}

/// The value that `NAME=VALUE` speaks of, and what it says of it. Names of claims have equals signs of their own.
fn expectation<'a>(text: &'a str, values: &'a [PublicValue]) -> Result<(&'a PublicValue, &'a str)> {
    let mut splits = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let found = splits.find_map(|(name, expected)| Some((values.get(public::find(values, name)?)?, expected)));
    let Some((name, _)) = text.rsplit_once('=') else {
        return Err(hinted(
            format!("the expectation {text:?} has no ="),
            "write it as --expect label=1",
        ));
    };
    found.ok_or_else(|| unknown(name, values))
}

fn unknown(name: &str, values: &[PublicValue]) -> anyhow::Error {
    let names: Vec<String> = values
        .iter()
        .filter(|value| value.role != Role::Context)
        .map(|value| format!("{}[{}]", value.name, value.index))
        .collect();
    hinted(
        format!("the proof shows no {name:?}"),
        format!("it shows {}", names.join(", ")),
    )
}

/// Equal as text, in words or as JSON, or as the number that is shown.
fn agrees(value: &PublicValue, expected: &str) -> bool {
    let exact = value.value.as_f64().zip(expected.parse().ok());
    value.text() == expected
        || value.value.as_bool().is_some_and(|holds| expected.parse() == Ok(holds))
        || exact.is_some_and(|(got, expected): (f64, f64)| got == expected)
}

impl Report for Verified {
    fn render(&self, style: Style) -> String {
        let values = public::render(&self.public, style);
        match &self.reason {
            None => {
                let said = match &self.audit {
                    None if self.public.iter().any(PublicValue::is_tree_claim) => {
                        "of whose trees, whatever the input".to_owned()
                    }
                    None => "which decided".to_owned(),
                    Some(table) => {
                        let selected = table.audit.positive.and_then(|class| table.classes.get(class));
                        let selected = selected.map_or(String::new(), |class| format!(", {class} selected"));
                        let rows = thousands(table.audit.rows as u64);
                        format!("audited on {rows} rows{selected}, which says")
                    }
                };
                format!("{} for {}, {said}\n{values}", style.good("valid proof"), self.model)
            }
            Some(reason) => format!(
                "{} for {}: {reason}\nit claims\n{values}",
                style.bad("not accepted"),
                self.model
            ),
        }
    }
}
