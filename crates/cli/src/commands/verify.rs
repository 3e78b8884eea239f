use anyhow::Result;
use serde::Serialize;
use zkverdict::{
    Error, Proof, Role, VerifyingKeyFile, context_from_text,
    verifier::{Digest, encode_public_inputs},
};

use super::{Status, prove::words};
use crate::{
    args::Verify,
    failure::hinted,
    printer::{Printer, Report, Style},
    public::{self, PublicValue},
};

#[derive(Debug, Serialize)]
struct Verified {
    valid: bool,
    reason: Option<String>,
    model: String,
    verifying_key_digest: Digest,
    srs: String,
    unsafe_srs: bool,
    public: Vec<PublicValue>,
    public_inputs: Vec<String>,
    proof_bytes: usize,
}

pub(super) fn run(args: &Verify, printer: &Printer) -> Result<Status> {
    let expectations = args
        .expect
        .iter()
        .map(|text| expectation(text))
        .collect::<Result<Vec<_>>>()?;
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
    for (name, expected) in expectations {
        let at = public::find(&values, name).ok_or_else(|| unknown(name, &values))?;
        let Some(value) = values.get(at) else { continue };
        if reason.is_none() && !agrees(value, expected) {
            let error = Error::UnexpectedOutput {
                name: name.to_owned(),
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

fn expectation(text: &str) -> Result<(&str, &str)> {
    text.split_once('=').ok_or_else(|| {
        hinted(
            format!("the expectation {text:?} has no ="),
            "write it as --expect label=1",
        )
    })
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

/// Equal as text, or as the number that is shown.
fn agrees(value: &PublicValue, expected: &str) -> bool {
    let exact = value.value.as_f64().zip(expected.parse().ok());
    value.text() == expected || exact.is_some_and(|(got, expected): (f64, f64)| got == expected)
}

impl Report for Verified {
    fn render(&self, style: Style) -> String {
        let values = public::render(&self.public, style);
        match &self.reason {
            None => format!(
                "{} for {}, which decided\n{values}",
                style.good("valid proof"),
                self.model
            ),
            Some(reason) => format!(
                "{} for {}: {reason}\nit claims\n{values}",
                style.bad("not accepted"),
                self.model
            ),
        }
    }
}
