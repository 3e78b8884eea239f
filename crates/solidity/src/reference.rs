//! The reference style: snark-verifier's EVM loader, hardened, inside a contract with an ABI.

use std::rc::Rc;

use halo2_proofs::halo2curves::bn256::{Bn256, Fq, Fr, G1Affine};
use serde::{Deserialize, Serialize};
use snark_verifier::{
    loader::evm::EvmLoader,
    pcs::kzg::{Bdfg21, KzgAs},
    system::halo2::transcript::evm::EvmTranscript,
    verifier::{
        SnarkVerifier,
        plonk::{PlonkProtocol, PlonkVerifier},
    },
};

use zkverdict_verifier::VerifyingKey;

use crate::{
    SolidityError,
    compile::{CompilerSettings, hex_option},
    harden::{Expected, Stage, harden},
    layout::{ProofLayout, WordKind},
    tools::SOLC_VERSION,
};

type Verifier = PlonkVerifier<KzgAs<Bn256, Bdfg21>>;

/// The interface that every generated contract implements, as it stands in `contracts/src/interfaces/`.
pub const INTERFACE: &str = include_str!("../contracts/IVerdictVerifier.sol");

/// The version that generated contracts report: it changes with the interface, the calldata or the transcript.
pub const CONTRACT_VERSION: u64 = 1;

/// The points that SHPLONK adds to a proof: the two opening quotients.
const SHPLONK_POINTS: usize = 2;

/// What a contract says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractMetadata {
    /// The contract's name in Solidity.
    pub contract_name: String,
    /// The model in words, for the header.
    pub model: String,
    /// The SRS in words (the ceremony's name, or that it is unsafe), for the header.
    pub srs: String,
    /// The digest of the compiled circuit.
    pub circuit_digest: [u8; 32],
}

/// A generated contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifierSource {
    /// The contract's name.
    pub contract_name: String,
    /// The whole file: interface and contract, without imports.
    pub source: String,
    /// What it reads.
    pub layout: ProofLayout,
    /// The compiler settings it is made for.
    #[serde(default)]
    pub settings: CompilerSettings,
    /// The key, where it stands apart from the code.
    #[serde(default, with = "hex_option", skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<u8>>,
}

/// Generates the hardened contract for a verifying key.
///
/// The same key and metadata give the same bytes.
///
/// # Errors
/// A protocol with anything but one instance column, with accumulators or committed instances; metadata that cannot
/// stand in Solidity; emitted code that the hardener does not know.
pub fn generate_reference(key: &VerifyingKey, metadata: &ContractMetadata) -> Result<VerifierSource, SolidityError> {
    metadata.check()?;
    if key.link.is_some() {
        return Err(SolidityError::UnsupportedProtocol {
            reason: "its model is linked, which only compact verifiers check: use --style compact",
        });
    }
    let expected = expected(&key.protocol)?;
    let hardened = harden(&emit(key)?, expected)?;
    let source = render(metadata, key, &hardened.body, &hardened.layout)?;
    Ok(VerifierSource {
        contract_name: metadata.contract_name.clone(),
        source,
        layout: hardened.layout,
        settings: CompilerSettings::Pinned,
        key: None,
    })
}

/// What snark-verifier emits for a circuit, with nothing changed but the version in its pragma.
///
/// It accepts proofs that the native verifier rejects. It exists so that reports can say what hardening costs.
///
/// # Errors
/// As [`generate_reference`], metadata aside.
pub fn raw_reference(key: &VerifyingKey) -> Result<VerifierSource, SolidityError> {
    let emitted = emit(key)?;
    let layout = harden(&emitted, expected(&key.protocol)?)?.layout;
    let source = emitted.replace("pragma solidity 0.8.19;", &format!("pragma solidity {SOLC_VERSION};"));
    Ok(VerifierSource {
        contract_name: "Halo2Verifier".to_owned(),
        source,
        layout,
        settings: CompilerSettings::Pinned,
        key: None,
    })
}

pub(crate) fn expected(protocol: &PlonkProtocol<G1Affine>) -> Result<Expected, SolidityError> {
    let unsupported = |reason| Err(SolidityError::UnsupportedProtocol { reason });
    let &[public_inputs] = protocol.num_instance.as_slice() else {
        return unsupported("it must have exactly one instance column");
    };
    if public_inputs == 0 {
        return unsupported("it has no public inputs, so its proofs are bound to no context");
    }
    if protocol.instance_committing_key.is_some() {
        return unsupported("its instances are committed; compile the protocol with Config::kzg()");
    }
    if protocol.accumulator_indices.iter().any(|indices| !indices.is_empty()) {
        return unsupported("it carries accumulators of other proofs");
    }
    if protocol.domain_as_witness.is_some() || protocol.linearization.is_some() {
        return unsupported("its protocol was not compiled for a fixed circuit");
    }
    if protocol.transcript_initial_state.is_none() {
        return unsupported("its transcript does not absorb the verifying key's digest");
    }
    Ok(Expected {
        public_inputs,
        points: protocol.num_witness.iter().sum::<usize>() + protocol.quotient.num_chunk() + SHPLONK_POINTS,
        scalars: protocol.evaluations.len(),
    })
}

fn emit(key: &VerifyingKey) -> Result<String, SolidityError> {
    let refused = |error: snark_verifier::Error| SolidityError::Loader {
        reason: format!("{error:?}"),
    };
    let loader = EvmLoader::new::<Fq, Fr>();
    let protocol = key.protocol.loaded(&loader);
    let mut transcript = EvmTranscript::<_, Rc<EvmLoader>, _, _>::new(&loader);
    let instances = transcript.load_instances(key.protocol.num_instance.clone());
    let proof = Verifier::read_proof(&key.deciding_key, &protocol, &instances, &mut transcript).map_err(refused)?;
    Verifier::verify(&key.deciding_key, &protocol, &instances, &proof).map_err(refused)?;
    Ok(loader.solidity_code())
}

impl ContractMetadata {
    /// Checks that all of it can stand in Solidity.
    ///
    /// # Errors
    /// [`SolidityError::ContractName`], [`SolidityError::HeaderText`].
    pub fn check(&self) -> Result<(), SolidityError> {
        let metadata = self;
        let name = &metadata.contract_name;
        let is_identifier = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !["IVerdictVerifier", "IShapeVerifier"].contains(&name.as_str());
        if !is_identifier {
            return Err(SolidityError::ContractName { name: name.clone() });
        }
        for (field, text) in [("model's name", &metadata.model), ("SRS's name", &metadata.srs)] {
            if text
                .chars()
                .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
                || text.contains("*/")
                || text.trim().is_empty()
            {
                return Err(SolidityError::HeaderText { field });
            }
        }
        Ok(())
    }
}

/// The interface without the two lines that may stand only once in a file.
pub(crate) fn interface_body(interface: &'static str) -> Result<&'static str, SolidityError> {
    let part = || SolidityError::UnknownFrame { part: "interface file" };
    let (license, rest) = interface.split_once('\n').ok_or_else(part)?;
    let (pragma, body) = rest.split_once('\n').ok_or_else(part)?;
    if license.starts_with("// SPDX-License-Identifier:") && pragma.starts_with("pragma solidity") {
        Ok(body.trim())
    } else {
        Err(part())
    }
}

fn render(
    metadata: &ContractMetadata,
    key: &VerifyingKey,
    body: &str,
    layout: &ProofLayout,
) -> Result<String, SolidityError> {
    let interface = interface_body(INTERFACE)?;
    let ContractMetadata {
        contract_name,
        model,
        srs,
        circuit_digest,
    } = metadata;
    let circuit_digest = hex::encode(circuit_digest);
    let verifying_key_digest = hex::encode(key.digest().0);
    let proof_length = layout.proof_length();
    let public_inputs = layout.public_inputs;
    let calldata_length = layout.calldata_length();
    let proof_offset = 4 + 3 * 32;
    let public_inputs_offset = proof_offset + proof_length + 32;
    let accepted = Stage::Accepted as usize;
    let input = Stage::Input as usize;
    let precompile = Stage::Precompile as usize;
    let explanation = explanation(layout);
    Ok(format!(
        r#"// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated by zkverdict; do not edit. The same key and settings give the same file.
pragma solidity {SOLC_VERSION};

{interface}

/// @title Verifier of zkverdict proofs: {model}
/// @notice Halo2 with SHPLONK over BN254. SRS: {srs}.
/// @dev The assembly is snark-verifier's, hardened: every word is checked before the first precompile is called, and
/// every precompile has a gas bound.
contract {contract_name} is IVerdictVerifier {{
    /// @inheritdoc IVerdictVerifier
    uint256 public constant VERSION = {CONTRACT_VERSION};
    /// @inheritdoc IVerdictVerifier
    bytes32 public constant CIRCUIT_DIGEST = 0x{circuit_digest};
    /// @inheritdoc IVerdictVerifier
    bytes32 public constant VERIFYING_KEY_DIGEST = 0x{verifying_key_digest};
    /// @inheritdoc IVerdictVerifier
    uint256 public constant PROOF_LENGTH = {proof_length};
    /// @inheritdoc IVerdictVerifier
    uint256 public constant PUBLIC_INPUT_COUNT = {public_inputs};

    /// The order of BN254's scalar field.
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    /// The order of BN254's base field.
    uint256 private constant BASE_MODULUS = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    /// Bytes of the canonical calldata of `verify`.
    uint256 private constant CALLDATA_LENGTH = {calldata_length};
    /// Where the proof and the public inputs start in it.
    uint256 private constant PROOF_START = {proof_offset};
    uint256 private constant PUBLIC_INPUTS_START = {public_inputs_offset};

    /// @inheritdoc IVerdictVerifier
    function verify(bytes calldata proof, uint256[] calldata publicInputs) external view {{
        if (proof.length != PROOF_LENGTH) revert ProofLengthMismatch(PROOF_LENGTH, proof.length);
        if (publicInputs.length != PUBLIC_INPUT_COUNT) {{
            revert PublicInputCountMismatch(PUBLIC_INPUT_COUNT, publicInputs.length);
        }}
        if (msg.data.length != CALLDATA_LENGTH) revert CalldataLengthMismatch(CALLDATA_LENGTH, msg.data.length);
        // The assembly reads calldata at fixed places, so both arguments must stand where the ABI's encoder puts them.
        uint256 proofStart;
        uint256 publicInputsStart;
        assembly {{
            proofStart := proof.offset
            publicInputsStart := publicInputs.offset
        }}
        if (proofStart != PROOF_START || publicInputsStart != PUBLIC_INPUTS_START) revert CalldataNotCanonical();
        uint256 stage = _check();
        if (stage != {accepted}) _reject(stage, proof, publicInputs);
    }}

    /// Says how far the check came: {input} malformed input, {precompile} a precompile failed, {pairing} the pairing refused, {accepted} accepted.
    function _check() private view returns (uint256 stage) {{
        // Not marked memory-safe: it writes to fixed places from 0x80 on, so the compiler must keep its variables elsewhere.
        assembly {{
            let success := 1
            let f_q := 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001
            function validate_ec_point(x, y) -> valid {{
                let f_p := 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47
                valid := and(
                    and(lt(x, f_p), lt(y, f_p)),
                    eq(addmod(mulmod(mulmod(x, x, f_p), x, f_p), 3, f_p), mulmod(y, y, f_p))
                )
            }}
            for {{ }} 1 {{ }} {{
{body}            }}
        }}
    }}

    /// Names what was wrong. Only reached when something was, so it may take its time.
    function _reject(uint256 stage, bytes calldata proof, uint256[] calldata publicInputs) private pure {{
        if (stage == {input}) {{
            for (uint256 index = 0; index < PUBLIC_INPUT_COUNT; ++index) {{
                if (publicInputs[index] >= SCALAR_MODULUS) revert PublicInputNotCanonical(index);
            }}
            uint256 offset = 0;
{explanation}        }}
        if (stage == {precompile}) revert PrecompileFailed();
        revert ProofInvalid();
    }}

    function _word(bytes calldata proof, uint256 offset) private pure returns (uint256) {{
        return uint256(bytes32(proof[offset:offset + 32]));
    }}

    function _rejectPoints(bytes calldata proof, uint256 offset, uint256 count) private pure returns (uint256) {{
        for (uint256 end = offset + 64 * count; offset < end; offset += 64) {{
            uint256 x = _word(proof, offset);
            uint256 y = _word(proof, offset + 32);
            uint256 cube = mulmod(mulmod(x, x, BASE_MODULUS), x, BASE_MODULUS);
            bool onCurve = addmod(cube, 3, BASE_MODULUS) == mulmod(y, y, BASE_MODULUS);
            if (x >= BASE_MODULUS || y >= BASE_MODULUS || !onCurve) revert ProofPointInvalid(offset);
        }}
        return offset;
    }}

    function _rejectScalars(bytes calldata proof, uint256 offset, uint256 count) private pure returns (uint256) {{
        for (uint256 end = offset + 32 * count; offset < end; offset += 32) {{
            if (_word(proof, offset) >= SCALAR_MODULUS) revert ProofScalarNotCanonical(offset);
        }}
        return offset;
    }}
}}
"#,
        pairing = Stage::Pairing as usize,
    ))
}

/// The calls that walk the proof's runs in order.
fn explanation(layout: &ProofLayout) -> String {
    layout
        .runs
        .iter()
        .map(|run| {
            let function = match run.kind {
                WordKind::Point => "_rejectPoints",
                WordKind::Scalar => "_rejectScalars",
            };
            format!("            offset = {function}(proof, offset, {});\n", run.count)
        })
        .collect()
}
