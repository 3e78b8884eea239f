//! The compact style: our own generator over snark-verifier's protocol, with the key apart from the code.
//!
//! ```text
//! PlonkProtocol ──▶ shape ──▶ graph of the constraints ──▶ assembly over a named memory map ──▶ one .sol file
//!        └────────▶ key (commitments, domain, τ): a data contract, calldata, or words inside the contract
//! ```
//!
//! | module | what |
//! |---|---|
//! | `shape` | what the code depends on, and its digest |
//! | `key` | what belongs to one model, as bytes |
//! | `graph` | the constraints as shared nodes, and as Yul |
//! | `memory` | the memory map |
//! | `assembly` | transcript, inversion, constraints, openings |
//! | `link` | the link to a registered model |
//! | `contract` | the Solidity around it |
//! | `catalogue` | shapes whose verifiers are shipped compiled |
//!
//! `docs/spec/verifier.md` has the equations.

mod assembly;
pub mod catalogue;
mod contract;
mod graph;
mod key;
mod link;
mod memory;
mod shape;

use zkverdict_verifier::VerifyingKey;

pub use catalogue::{CATALOGUE, CatalogueEntry, ShapeArtifact};
pub use contract::{SHAPE_CONTRACT, SHAPE_INTERFACE};
pub use key::{key_digest, key_init_code};

use crate::{ContractMetadata, SolidityError, VerifierSource, compile::CompilerSettings};
use shape::Shape;

/// The digest of a key's shape.
///
/// # Errors
/// A protocol that contracts cannot verify.
pub fn shape_digest(key: &VerifyingKey) -> Result<[u8; 32], SolidityError> {
    Ok(Shape::new(key)?.digest())
}

/// The bytes of a key, as shape verifiers read them.
///
/// # Errors
/// As [`shape_digest`]; an SRS that does not start with the groups' generators.
pub fn encode_key(key: &VerifyingKey) -> Result<Vec<u8>, SolidityError> {
    key::encode(key, &Shape::new(key)?)
}

/// Generates the verifier of a key's shape, with the key beside it. All keys of the shape give the same source.
///
/// # Errors
/// As [`encode_key`].
pub fn generate_shape(key: &VerifyingKey) -> Result<VerifierSource, SolidityError> {
    let shape = Shape::new(key)?;
    Ok(VerifierSource {
        contract_name: SHAPE_CONTRACT.to_owned(),
        source: contract::shape_contract(&shape)?,
        layout: shape.layout(key.public_inputs()),
        settings: CompilerSettings::YulOptimizer,
        key: Some(key::encode(key, &shape)?),
    })
}

/// Generates a contract of one model, with its key inside.
///
/// # Errors
/// As [`encode_key`]; metadata that cannot stand in Solidity.
pub fn generate_embedded(key: &VerifyingKey, metadata: &ContractMetadata) -> Result<VerifierSource, SolidityError> {
    metadata.check()?;
    let shape = Shape::new(key)?;
    Ok(VerifierSource {
        contract_name: metadata.contract_name.clone(),
        source: contract::embedded_contract(&shape, key, metadata)?,
        layout: shape.layout(key.public_inputs()),
        settings: CompilerSettings::YulOptimizer,
        key: None,
    })
}
