//! The embedded chain: revm under Osaka's rules, with the gas limit that a transaction has there.

use std::fmt;

use alloy::primitives::{Address, Bytes, TxKind, U256, keccak256};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, InspectEvm, MainBuilder, MainContext, MainnetEvm,
    context::{BlockEnv, CfgEnv, Journal, TxEnv},
    context_interface::result::{ExecutionResult, HaltReason, ResultGas},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::hardfork::SpecId,
};
use serde::{Deserialize, Serialize};
use zkverdict_solidity::{CODE_SIZE_LIMIT, CompiledVerifier, INIT_CODE_SIZE_LIMIT, compact::key_init_code};

use crate::{
    EvmError, GasReport, KnownProof, RevertReason, code_hash, decode_revert, encode_verify, encode_verify_batch,
    encode_verify_with, gas::Meter,
};

/// The most gas that a transaction may ask for since Osaka (EIP-7825): 2^24.
pub const TRANSACTION_GAS_LIMIT: u64 = 1 << 24;

/// What every transaction costs before it does anything.
pub(crate) const TRANSACTION_BASE_GAS: u64 = 21_000;
/// Gas of a zero and of a non-zero byte of calldata (EIP-2028).
const CALLDATA_BYTE_GAS: (u64, u64) = (4, 16);
/// The account that sends every transaction; any address will do.
const SENDER: Address = Address::repeat_byte(0x5e);

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    /// It returned: a verifier that returns has accepted.
    Accepted,
    /// It reverted.
    Reverted {
        /// The decoded reason.
        reason: RevertReason,
    },
    /// It ran out of gas.
    OutOfGas,
    /// It was stopped for another reason, and burned its gas.
    Halted {
        /// The EVM's name for the reason.
        reason: String,
    },
}

impl Outcome {
    /// Whether the call returned.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }

    /// The reason, if the call reverted.
    #[must_use]
    pub const fn reason(&self) -> Option<&RevertReason> {
        match self {
            Self::Reverted { reason } => Some(reason),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Reverted { reason } => write!(f, "reverted with {reason}"),
            Self::OutOfGas => f.write_str("out of gas"),
            Self::Halted { reason } => write!(f, "halted: {reason}"),
        }
    }
}

/// What deploying a contract costs, and how near it is to the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentReport {
    /// Gas of the deployment transaction.
    pub gas: u64,
    /// What the key costs, where it stands apart from the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyReport>,
    /// Bytes of code at the address.
    pub code_bytes: usize,
    /// The most it may be (EIP-170).
    pub code_limit: usize,
    /// Bytes of init code.
    pub init_code_bytes: usize,
    /// The most it may be (EIP-3860).
    pub init_code_limit: usize,
}

/// What a key's contract costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// Gas of the transaction that deploys it.
    pub gas: u64,
    /// Bytes of the key; the contract has one more.
    pub bytes: usize,
}

/// What one call of `verify` costs, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationReport {
    /// How the call ended.
    pub outcome: Outcome,
    /// Gas of the transaction: base, calldata and execution, or the calldata's floor where that is more.
    pub transaction_gas: u64,
    /// Gas of the execution alone.
    pub execution_gas: u64,
    /// Gas of the calldata at 4 and 16 a byte.
    pub calldata_gas: u64,
    /// The least the transaction may cost for its calldata (EIP-7623).
    pub floor_gas: u64,
    /// Bytes of calldata.
    pub calldata_bytes: usize,
}

type Db = CacheDB<EmptyDB>;
type Evm = MainnetEvm<MainnetContext<Db>, Meter>;

/// An embedded chain that holds one contract.
pub struct Simulator {
    evm: Evm,
    address: Address,
    /// The contract that holds the key, where the verifier does not.
    key: Option<Address>,
    nonce: u64,
    deployment: DeploymentReport,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts a chain and deploys the verifier on it, and the key beside it where they stand apart.
    ///
    /// # Errors
    /// The deployment fails, or leaves other code than the compiler promised.
    pub fn deploy(verifier: &CompiledVerifier) -> Result<Self, EvmError> {
        let mut simulator = Self::deploy_code(&verifier.init_code)?;
        let expected = code_hash(verifier);
        let got = keccak256(simulator.code());
        if expected != got {
            return Err(EvmError::DeployedCodeDiffers { expected, got });
        }
        if let Some(key) = &verifier.key {
            let (address, gas) = simulator.create(&key_init_code(key))?;
            simulator.key = Some(address);
            simulator.deployment.key = Some(KeyReport { gas, bytes: key.len() });
        }
        Ok(simulator)
    }

    /// Deploys a key, and lets [`Simulator::verify`] use it from now on.
    ///
    /// # Errors
    /// The deployment fails.
    pub fn use_key(&mut self, key: &[u8]) -> Result<Address, EvmError> {
        let (address, _) = self.create(&key_init_code(key))?;
        self.key = Some(address);
        Ok(address)
    }

    /// Deploys one more contract and returns its address and what it cost.
    ///
    /// # Errors
    /// The deployment fails.
    pub fn create(&mut self, init_code: &[u8]) -> Result<(Address, u64), EvmError> {
        let transaction = transaction(TxKind::Create, init_code.to_vec(), self.nonce, TRANSACTION_GAS_LIMIT)?;
        let created = create(&mut self.evm, transaction)?;
        self.nonce += 1;
        Ok(created)
    }

    /// The address of the key's contract, where the verifier reads one.
    #[must_use]
    pub const fn key(&self) -> Option<Address> {
        self.key
    }

    /// The verifier's address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Starts a chain and deploys any init code on it, whatever it leaves.
    ///
    /// # Errors
    /// The deployment fails.
    pub fn deploy_code(init_code: &[u8]) -> Result<Self, EvmError> {
        let context: Context<BlockEnv, TxEnv, CfgEnv, Db, Journal<Db>, ()> = Context::mainnet()
            .with_db(CacheDB::new(EmptyDB::default()))
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.tx_gas_limit_cap = Some(TRANSACTION_GAS_LIMIT);
            });
        let mut evm = context.build_mainnet_with_inspector(Meter::default());
        let transaction = transaction(TxKind::Create, init_code.to_vec(), 0, TRANSACTION_GAS_LIMIT)?;
        let (address, gas) = create(&mut evm, transaction)?;
        let mut simulator = Self {
            evm,
            address,
            key: None,
            nonce: 1,
            deployment: DeploymentReport {
                gas,
                key: None,
                code_bytes: 0,
                code_limit: CODE_SIZE_LIMIT,
                init_code_bytes: init_code.len(),
                init_code_limit: INIT_CODE_SIZE_LIMIT,
            },
        };
        simulator.deployment.code_bytes = simulator.code().len();
        Ok(simulator)
    }

    /// What the deployment cost.
    #[must_use]
    pub const fn deployment(&self) -> &DeploymentReport {
        &self.deployment
    }

    /// The code at the contract's address.
    #[must_use]
    pub fn code(&self) -> Vec<u8> {
        self.evm
            .ctx
            .journaled_state
            .database
            .cache
            .accounts
            .get(&self.address)
            .and_then(|account| account.info.code.as_ref())
            .map(|code| code.original_byte_slice().to_vec())
            .unwrap_or_default()
    }

    /// Calls `verify`. The chain is the same afterwards.
    ///
    /// # Errors
    /// The EVM refuses the transaction before it runs, as it does when the calldata alone costs more than the limit.
    pub fn verify(&mut self, proof: &[u8], public_inputs: &[U256]) -> Result<VerificationReport, EvmError> {
        let calldata = match self.key {
            Some(key) => encode_verify_with(key, proof, public_inputs),
            None => encode_verify(proof, public_inputs),
        };
        self.call(&calldata, TRANSACTION_GAS_LIMIT)
    }

    /// Calls `verifyBatch`. The chain is the same afterwards.
    ///
    /// # Errors
    /// As [`Simulator::verify`]; [`EvmError::NoBatch`]: the contract holds its own key.
    pub fn verify_batch(&mut self, proofs: &[KnownProof]) -> Result<VerificationReport, EvmError> {
        let key = self.key.ok_or(EvmError::NoBatch)?;
        self.call(&encode_verify_batch(key, proofs), TRANSACTION_GAS_LIMIT)
    }

    /// Calls the contract with any calldata and any gas limit. The chain is the same afterwards.
    ///
    /// # Errors
    /// As [`Simulator::verify`].
    pub fn call(&mut self, calldata: &[u8], gas_limit: u64) -> Result<VerificationReport, EvmError> {
        let transaction = self.call_transaction(calldata, gas_limit)?;
        let result = self.evm.transact(transaction).map_err(refused)?.result;
        Ok(verification(calldata, &result))
    }

    /// [`Simulator::call`], with where the gas goes.
    ///
    /// # Errors
    /// As [`Simulator::verify`].
    pub fn measure(&mut self, calldata: &[u8], gas_limit: u64) -> Result<GasReport, EvmError> {
        let transaction = self.call_transaction(calldata, gas_limit)?;
        self.evm.set_inspector(Meter::default());
        let result = self.evm.inspect_tx(transaction).map_err(refused)?.result;
        Ok(self.evm.inspector.report(verification(calldata, &result)))
    }

    fn call_transaction(&self, calldata: &[u8], gas_limit: u64) -> Result<TxEnv, EvmError> {
        transaction(TxKind::Call(self.address), calldata.to_vec(), self.nonce, gas_limit)
    }
}

fn refused(error: impl fmt::Display) -> EvmError {
    EvmError::TransactionRefused {
        reason: error.to_string(),
    }
}

fn verification(calldata: &[u8], result: &ExecutionResult) -> VerificationReport {
    let gas: &ResultGas = result.gas();
    let calldata_gas = calldata
        .iter()
        .map(|&byte| {
            if byte == 0 {
                CALLDATA_BYTE_GAS.0
            } else {
                CALLDATA_BYTE_GAS.1
            }
        })
        .sum::<u64>();
    VerificationReport {
        outcome: outcome(result),
        transaction_gas: result.tx_gas_used(),
        execution_gas: gas
            .total_gas_spent()
            .saturating_sub(TRANSACTION_BASE_GAS + calldata_gas),
        calldata_gas,
        floor_gas: gas.floor_gas(),
        calldata_bytes: calldata.len(),
    }
}

/// Runs a deployment and returns the new address and the gas of the transaction.
fn create(evm: &mut Evm, transaction: TxEnv) -> Result<(Address, u64), EvmError> {
    let result = evm.transact_commit(transaction).map_err(refused)?;
    match (result.created_address(), outcome(&result)) {
        (Some(address), Outcome::Accepted) => Ok((address, result.tx_gas_used())),
        (_, outcome) => Err(EvmError::DeploymentFailed { outcome }),
    }
}

fn transaction(kind: TxKind, data: Vec<u8>, nonce: u64, gas_limit: u64) -> Result<TxEnv, EvmError> {
    TxEnv::builder()
        .caller(SENDER)
        .kind(kind)
        .data(Bytes::from(data))
        .nonce(nonce)
        .gas_limit(gas_limit)
        .gas_price(0)
        .build()
        .map_err(|error| EvmError::TransactionRefused {
            reason: format!("{error:?}"),
        })
}

fn outcome(result: &ExecutionResult) -> Outcome {
    match result {
        ExecutionResult::Success { .. } => Outcome::Accepted,
        ExecutionResult::Revert { output, .. } => Outcome::Reverted {
            reason: decode_revert(output),
        },
        ExecutionResult::Halt {
            reason: HaltReason::OutOfGas(_),
            ..
        } => Outcome::OutOfGas,
        ExecutionResult::Halt { reason, .. } => Outcome::Halted {
            reason: format!("{reason:?}"),
        },
    }
}
