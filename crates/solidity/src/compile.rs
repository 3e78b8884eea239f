//! From the generated file to bytecode, with the only settings that are known to work.

use std::path::PathBuf;

use foundry_compilers::{
    artifacts::{
        BytecodeHash, Contract, EvmVersion, Optimizer, OptimizerDetails, Settings, SettingsMetadata, Severity,
        SolcInput, SolcLanguage, Source, Sources, output_selection::OutputSelection,
    },
    solc::Solc,
};
use serde::{Deserialize, Serialize};

use crate::{SolcChoice, SolidityError, VerifierSource, find_solc, layout::ProofLayout};

/// The most bytes of code an address may hold (EIP-170).
pub const CODE_SIZE_LIMIT: usize = 24_576;
/// The most bytes of init code a transaction may carry (EIP-3860).
pub const INIT_CODE_SIZE_LIMIT: usize = 49_152;

/// The optimizer's estimate of how often the code runs; smaller favours small code.
const OPTIMIZER_RUNS: usize = 200;

/// A compiled verifier: everything that deploying it, calling it and verifying its source elsewhere needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledVerifier {
    /// The contract's name.
    pub contract_name: String,
    /// The source that was compiled.
    pub source: String,
    /// What it reads.
    pub layout: ProofLayout,
    /// The ABI.
    pub abi: serde_json::Value,
    /// The code that a deployment transaction carries.
    #[serde(with = "hex::serde")]
    pub init_code: Vec<u8>,
    /// The code that stands at the address afterwards; the contract has no immutables, so it is exactly this.
    #[serde(with = "hex::serde")]
    pub runtime_code: Vec<u8>,
    /// The compiler's full version.
    pub solc_version: String,
    /// The compiler's standard JSON input, for block explorers.
    pub standard_json_input: serde_json::Value,
    /// The key that it is to read, where key and code stand apart.
    #[serde(default, with = "hex_option", skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<u8>>,
}

/// Bytes or nothing, in hexadecimal.
pub(crate) mod hex_option {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| hex::decode(text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// Compiles a generated contract.
///
/// Legacy code generation, the optimizer on without its Yul part and without the constant optimizer: with the Yul
/// optimizer the stack is too deep, and through the IR the result is a contract that always reverts.
///
/// # Errors
/// No solc of the pinned version; solc's errors; code over the EVM's limit.
pub fn compile(source: &VerifierSource, choice: &SolcChoice) -> Result<CompiledVerifier, SolidityError> {
    let compiled = compile_any_size(source, choice)?;
    if compiled.runtime_code.len() > CODE_SIZE_LIMIT {
        return Err(SolidityError::CodeTooLarge {
            limit: CODE_SIZE_LIMIT,
            got: compiled.runtime_code.len(),
        });
    }
    Ok(compiled)
}

/// [`compile`] without the check of the size, for reports.
///
/// # Errors
/// As [`compile`], the size aside.
pub fn compile_any_size(source: &VerifierSource, choice: &SolcChoice) -> Result<CompiledVerifier, SolidityError> {
    compile_with(source, choice, source.settings)
}

/// How to compile. Every generator's sources are compiled in one of these ways; the others show what becomes of a
/// contract that somebody compiles in a project of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompilerSettings {
    /// Legacy code generation, the optimizer without its Yul part.
    #[default]
    Pinned,
    /// Legacy code generation, no optimizer.
    OptimizerOff,
    /// Legacy code generation, the whole optimizer: Foundry's default.
    YulOptimizer,
    /// Code generation through the IR, the whole optimizer.
    ViaIr,
}

/// [`compile_any_size`] with other settings.
///
/// # Errors
/// As [`compile_any_size`].
pub fn compile_with(
    source: &VerifierSource,
    choice: &SolcChoice,
    settings: CompilerSettings,
) -> Result<CompiledVerifier, SolidityError> {
    let solc = find_solc(choice)?;
    let input = standard_input(source, settings);
    let output = solc
        .compile_exact(&input)
        .map_err(|error| SolidityError::SolcUnusable {
            path: solc.solc.clone(),
            reason: error.to_string(),
        })?;
    let messages: Vec<String> = output
        .errors
        .iter()
        .filter(|error| error.severity == Severity::Error)
        .map(|error| {
            error
                .formatted_message
                .clone()
                .unwrap_or_else(|| error.message.clone())
                .trim()
                .to_owned()
        })
        .collect();
    if !messages.is_empty() {
        return Err(SolidityError::Compile { messages });
    }
    let contract = output
        .contracts
        .get(&file_name(source))
        .and_then(|contracts| contracts.get(&source.contract_name))
        .ok_or_else(|| missing(source, &solc, "contract"))?;
    let (init_code, runtime_code) = code(contract).ok_or_else(|| missing(source, &solc, "bytecode"))?;
    let abi = contract.abi.as_ref().and_then(|abi| serde_json::to_value(abi).ok());
    Ok(CompiledVerifier {
        contract_name: source.contract_name.clone(),
        source: source.source.clone(),
        layout: source.layout.clone(),
        abi: abi.ok_or_else(|| missing(source, &solc, "ABI"))?,
        init_code,
        runtime_code,
        solc_version: solc.version.to_string(),
        standard_json_input: serde_json::to_value(&input).map_err(|_| missing(source, &solc, "input"))?,
        key: source.key.clone(),
    })
}

fn missing(source: &VerifierSource, solc: &Solc, what: &'static str) -> SolidityError {
    SolidityError::CompileOutput {
        contract: source.contract_name.clone(),
        what,
        path: solc.solc.clone(),
    }
}

fn file_name(source: &VerifierSource) -> PathBuf {
    PathBuf::from(format!("{}.sol", source.contract_name))
}

fn code(contract: &Contract) -> Option<(Vec<u8>, Vec<u8>)> {
    let evm = contract.evm.as_ref()?;
    let init = evm.bytecode.as_ref()?.object.as_bytes()?.to_vec();
    let runtime = evm
        .deployed_bytecode
        .as_ref()?
        .bytecode
        .as_ref()?
        .object
        .as_bytes()?
        .to_vec();
    (!init.is_empty() && !runtime.is_empty()).then_some((init, runtime))
}

fn optimizer(settings: CompilerSettings) -> Optimizer {
    let details = OptimizerDetails {
        peephole: Some(true),
        inliner: Some(true),
        jumpdest_remover: Some(true),
        order_literals: Some(true),
        deduplicate: Some(true),
        cse: Some(true),
        constant_optimizer: Some(false),
        yul: Some(false),
        ..OptimizerDetails::default()
    };
    let (enabled, details) = match settings {
        CompilerSettings::Pinned => (None, Some(details)),
        CompilerSettings::OptimizerOff => (Some(false), None),
        CompilerSettings::YulOptimizer | CompilerSettings::ViaIr => (Some(true), None),
    };
    Optimizer {
        enabled,
        runs: Some(OPTIMIZER_RUNS),
        details,
    }
}

pub(crate) fn standard_input(source: &VerifierSource, settings: CompilerSettings) -> SolcInput {
    let settings = Settings {
        optimizer: optimizer(settings),
        metadata: Some(SettingsMetadata::new(BytecodeHash::None, false)),
        evm_version: Some(EvmVersion::Cancun),
        via_ir: (settings == CompilerSettings::ViaIr).then_some(true),
        output_selection: OutputSelection::common_output_selection(
            ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"].map(str::to_owned),
        ),
        ..Settings::default()
    };
    let sources = Sources::from([(file_name(source), Source::new(&source.source))]);
    SolcInput::new(SolcLanguage::Solidity, sources, settings)
}
