//! Shape verifiers that are shipped compiled, so that nobody needs a compiler for them.
//!
//! `artifacts/<shape>.sol.txt` is the source, `artifacts/<shape>.json` what solc made of it. A test generates and compiles
//! all of them again and compares; `ZKVERDICT_BLESS=1` rewrites them.

use serde::{Deserialize, Serialize};

use crate::{
    CompiledVerifier, VerifierSource,
    compile::{CompilerSettings, standard_input},
};

/// What solc made of a shape's verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeArtifact {
    /// The shape's digest.
    #[serde(with = "hex::serde")]
    pub shape: [u8; 32],
    /// Bytes of a key.
    pub key_bytes: usize,
    /// The compiler's full version.
    pub solc_version: String,
    /// How it was compiled.
    pub settings: CompilerSettings,
    /// The ABI.
    pub abi: serde_json::Value,
    /// The code that a deployment transaction carries.
    #[serde(with = "hex::serde")]
    pub init_code: Vec<u8>,
    /// The code that stands at the address afterwards.
    #[serde(with = "hex::serde")]
    pub runtime_code: Vec<u8>,
}

/// A shape of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Lanes, `t` for decision trees, `r` for convolutions at a challenge: `c1`, `c1t`, `c4r`, …
    pub name: &'static str,
    /// The Solidity source.
    pub source: &'static str,
    artifact: &'static str,
}

macro_rules! entries {
    ($($name:literal),*) => {
        [$(CatalogueEntry {
            name: $name,
            source: include_str!(concat!("../../artifacts/", $name, ".sol.txt")),
            artifact: include_str!(concat!("../../artifacts/", $name, ".json")),
        }),*]
    };
}

/// All shapes that are shipped.
pub const CATALOGUE: [CatalogueEntry; 13] = entries!(
    "c1", "c2", "c4", "c8", "c16", "c1t", "c2t", "c4t", "c8t", "c16t", "c4r", "c8r", "c16r"
);

impl CatalogueEntry {
    /// The entry whose source is exactly this one.
    #[must_use]
    pub fn of(source: &VerifierSource) -> Option<Self> {
        CATALOGUE.into_iter().find(|entry| entry.source == source.source)
    }

    /// What solc made of it; nothing if the artifact is not of this version.
    #[must_use]
    pub fn artifact(&self) -> Option<ShapeArtifact> {
        serde_json::from_str(self.artifact).ok()
    }

    /// The shipped build of a generated source, with its key.
    #[must_use]
    pub fn compiled(&self, source: &VerifierSource) -> Option<CompiledVerifier> {
        let artifact = self.artifact()?;
        (self.source == source.source && artifact.settings == source.settings).then_some(CompiledVerifier {
            contract_name: source.contract_name.clone(),
            source: source.source.clone(),
            layout: source.layout.clone(),
            abi: artifact.abi,
            init_code: artifact.init_code,
            runtime_code: artifact.runtime_code,
            solc_version: artifact.solc_version,
            standard_json_input: serde_json::to_value(standard_input(source, source.settings)).ok()?,
            key: source.key.clone(),
        })
    }
}
