//! The crate's errors.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256};
use zkverdict_solidity::SolidityError;

use crate::{Outcome, RevertReason, Wei};

/// Why something in the EVM or on a chain went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvmError {
    /// The contract could not be generated or compiled.
    #[error(transparent)]
    Solidity(#[from] SolidityError),

    /// The embedded EVM refused the transaction before running it.
    #[error("the embedded EVM refused the transaction: {reason}")]
    TransactionRefused {
        /// What the EVM says.
        reason: String,
    },
    /// The contract could not be deployed in the embedded EVM.
    #[error("the embedded EVM did not deploy the contract: {outcome}")]
    DeploymentFailed {
        /// How the deployment ended.
        outcome: Outcome,
    },
    /// The code that the constructor returned is not the code that the compiler promised.
    #[error("the deployed code has the hash {got}, and the compiled code {expected}; compile the contract again")]
    DeployedCodeDiffers {
        /// keccak256 of the compiler's runtime code.
        expected: B256,
        /// keccak256 of the code at the address.
        got: B256,
    },
    /// The compiled contract rejects a proof that is valid.
    #[error(
        "the compiled verifier rejects a valid proof ({outcome}), so it was not kept; this happens when solc's \
         settings or the circuit's degree are not the ones the generator was made for"
    )]
    SelfCheckRejectsValid {
        /// How the call ended.
        outcome: Outcome,
    },
    /// The compiled contract does not reject a forged proof as it must.
    #[error("the compiled verifier answers '{outcome}' to a forged proof ({forgery}), so it was not kept")]
    SelfCheckForgery {
        /// What was forged.
        forgery: &'static str,
        /// How the call ended.
        outcome: Outcome,
    },
    /// The known proof does not fit the contract.
    #[error(
        "the known proof has {got_bytes} bytes and {got_inputs} public inputs, and the contract reads \
         {expected_bytes} and {expected_inputs}; prove again with the current keys"
    )]
    KnownProofShape {
        /// Bytes that the contract reads.
        expected_bytes: usize,
        /// Bytes of the proof.
        got_bytes: usize,
        /// Public inputs that the contract reads.
        expected_inputs: usize,
        /// Public inputs that were given.
        got_inputs: usize,
    },

    /// The RPC's address is not a URL.
    #[error("'{url}' is not an HTTP address; write it as http://host:port")]
    RpcAddress {
        /// What was given.
        url: String,
    },
    /// The RPC does not answer.
    #[error("the RPC at {endpoint} does not answer ({during}): {reason}; check the address, and that the node runs")]
    RpcUnreachable {
        /// The host of the RPC; paths are left out, they hold API keys.
        endpoint: String,
        /// What was being asked.
        during: &'static str,
        /// What the connection says.
        reason: String,
    },
    /// The RPC took a request and did not answer it in time.
    #[error("the RPC at {endpoint} gave no answer in time ({during}); try again, or use another RPC")]
    RpcTimeout {
        /// The host of the RPC.
        endpoint: String,
        /// What was being asked.
        during: &'static str,
    },
    /// The RPC stopped answering after a transaction was signed.
    #[error(
        "transaction {transaction} is signed and perhaps sent, and what became of it is not known: {source}; run the \
         same command again, it goes on with the same transaction"
    )]
    RpcGone {
        /// The transaction's hash.
        transaction: B256,
        /// What the connection says.
        source: Box<Self>,
    },
    /// The transaction was sent and is not confirmed yet.
    #[error(
        "transaction {transaction} was sent and is not confirmed after {seconds} s; run the same command again to go on \
         waiting, or with --bump to offer higher fees"
    )]
    ReceiptTimeout {
        /// The transaction's hash.
        transaction: B256,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Another transaction of the account was included with the same nonce.
    #[error(
        "transaction {transaction} was replaced: another transaction of the account has its nonce {nonce}, so it never \
         counts; to send a new one, remove {}", journal_name(.journal.as_deref())
    )]
    Replaced {
        /// The transaction's hash.
        transaction: B256,
        /// The nonce.
        nonce: u64,
        /// The journal that it stands in.
        journal: Option<PathBuf>,
    },
    /// The RPC answered with an error that has no better name.
    #[error("the RPC at {endpoint} refused ({during}): {message} (code {code})")]
    RpcRefused {
        /// The host of the RPC.
        endpoint: String,
        /// What was being asked.
        during: &'static str,
        /// The JSON-RPC code.
        code: i64,
        /// The RPC's message.
        message: String,
    },
    /// The RPC's answer is not what the protocol says.
    #[error("the RPC at {endpoint} gave an answer that is not JSON-RPC ({during}): {reason}")]
    RpcAnswer {
        /// The host of the RPC.
        endpoint: String,
        /// What was being asked.
        during: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The RPC serves another chain.
    #[error("this is chain {got}, and chain {expected} was asked for; use the RPC of chain {expected}")]
    WrongChain {
        /// The chain that was asked for.
        expected: u64,
        /// The chain that the RPC serves.
        got: u64,
    },
    /// An artifact made with an unsafe SRS is about to leave the local machine.
    #[error(
        "this verifier was made with a development SRS, so anybody who made it can forge proofs, and chain {chain_id} \
         at {endpoint} is no local development chain; set it up with a ceremony's SRS, or allow it on purpose with \
         --allow-unsafe-srs"
    )]
    UnsafeSrs {
        /// The chain.
        chain_id: u64,
        /// The host of the RPC.
        endpoint: String,
    },
    /// Nothing to submit.
    #[error("there is no proof to submit; name one at least")]
    NoProof,
    /// Several proofs for a verifier of one proof a transaction.
    #[error(
        "a contract that holds its own key verifies one proof a transaction; batches take the shared verifier that \
         `zkverdict contract` writes without --embedded-key"
    )]
    NoBatch,
    /// There is no contract at the address.
    #[error("there is no code at {address} on chain {chain_id}; check the address, or deploy the verifier first")]
    NoCode {
        /// The address.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// Another contract stands at the address.
    #[error(
        "the code at {address} has the hash {got}, and this verifier's is {expected}; it is another contract, or the \
         verifier of another model or version"
    )]
    OtherCode {
        /// The address.
        address: Address,
        /// keccak256 of the artifact's runtime code.
        expected: B256,
        /// keccak256 of the code at the address.
        got: B256,
    },
    /// The call or transaction reverted.
    #[error("{}reverted: {reason}", sent_prefix(*.transaction))]
    Reverted {
        /// The transaction, if it was sent.
        transaction: Option<B256>,
        /// The decoded reason.
        reason: RevertReason,
    },
    /// The call or transaction ran out of gas.
    #[error(
        "{}ran out of gas{}; a transaction may use 16,777,216", sent_prefix(*.transaction), limit_suffix(*.gas_limit)
    )]
    OutOfGas {
        /// The transaction, if it was sent.
        transaction: Option<B256>,
        /// The limit that did not suffice, if it is known.
        gas_limit: Option<u64>,
    },
    /// The nonce was used before.
    #[error(
        "nonce {} of {account} is used; leave --nonce out, then the chain says the next one", number(*.nonce)
    )]
    NonceUsed {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: Option<u64>,
    },
    /// There are unused nonces before this one, so the transaction would wait for others.
    #[error(
        "nonce {} of {account} leaves a gap: the next one is {}; send what is missing first, or leave --nonce out",
        number(*.nonce), number(*.next)
    )]
    NonceGap {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: Option<u64>,
        /// The nonce that the chain expects.
        next: Option<u64>,
    },
    /// A transaction with the same nonce is on its way, and this one does not offer enough more.
    #[error(
        "another transaction of {account} with nonce {} is on its way and offers nearly as much; wait for it, or offer at \
         least a tenth more: --bump for what this command sent, --priority-fee and --fee-cap for others", number(*.nonce)
    )]
    ReplacementUnderpriced {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: Option<u64>,
    },
    /// The chain does not take transactions that offer so little.
    #[error("the chain refuses the fees: {message}; raise --fee-cap or --priority-fee")]
    FeeTooLow {
        /// The RPC's message.
        message: String,
    },
    /// The fee cap is below what the chain asks.
    #[error("one gas costs {needed} now and --fee-cap is {cap}; wait until gas is cheaper, or raise the cap")]
    FeeCapExceeded {
        /// The cap. Boxed, because 128-bit numbers would align and so enlarge every error.
        cap: Box<Wei>,
        /// What one gas must cost to be sent.
        needed: Box<Wei>,
    },
    /// The chain has one gas price.
    #[error(
        "chain {chain_id} has no priority fees (EIP-1559); leave --priority-fee out, --fee-cap limits the gas price"
    )]
    NoPriorityFee {
        /// The chain.
        chain_id: u64,
    },
    /// Nobody approved of the cost.
    #[error("nothing was sent")]
    NotApproved,
    /// Another process replaces the transaction.
    #[error(
        "another process is offering higher fees for the transaction in {}, and only one may; run the command without \
         --bump to wait for whichever is included", path.display()
    )]
    JournalBusy {
        /// The journal.
        path: PathBuf,
    },
    /// There is no transaction to replace.
    #[error("there is no transaction in the journal to bump; run the command without --bump")]
    NothingToBump,
    /// The key did not sign.
    #[error("the key did not sign: {reason}")]
    Signing {
        /// Why.
        reason: String,
    },
    /// The zero address stands for nobody, and nobody can use an attestation.
    #[error("the attestation's {what} is the zero address, which is nobody's; name the {what}'s own")]
    AttestationForNobody {
        /// Which address.
        what: &'static str,
    },
    /// The attestation ends before it begins.
    #[error("the attestation would hold from {issued_at} until {expires_at}, which is never; let it expire later")]
    AttestationNeverHolds {
        /// From when on, in seconds since 1970.
        issued_at: u64,
        /// Until when.
        expires_at: u64,
    },
    /// The account that must send is not the key's.
    #[error("the key is that of {got}, and --from names {expected}; use the key of that account")]
    WrongSender {
        /// The account that was named.
        expected: Address,
        /// The key's.
        got: Address,
    },
    /// The factory that deploys by CREATE2 is not on the chain.
    #[error(
        "the deterministic deployer is not on chain {chain_id}: at {address} stands {}; have it put there, or deploy \
         with --create at an address of the account's own", code_name(*.got)
    )]
    NoDeployer {
        /// The deployer's address.
        address: Address,
        /// The chain.
        chain_id: u64,
        /// The hash of the code that stands there, if any does.
        got: Option<B256>,
    },

    /// The journal could not be read or written.
    #[error("cannot use the journal {path}: {source}; name another place with --journal")]
    JournalFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The journal was written since this process looked: the same command runs twice.
    #[error("the journal {path} was written by another process just now; wait for that one, then run this again")]
    JournalExists {
        /// The file.
        path: PathBuf,
    },
    /// The file is no journal, or was changed.
    #[error(
        "{path} is no journal of this version, or damaged: {reason}; look up what the account has sent before you remove it"
    )]
    JournalDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The journal is about something else.
    #[error(
        "the journal {path} belongs to another {what}: {got}, and not {expected}; name another file with --journal"
    )]
    JournalOther {
        /// The file.
        path: PathBuf,
        /// What differs: chain, sender, purpose or nonce.
        what: &'static str,
        /// What this command is about.
        expected: Box<str>,
        /// What the journal is about.
        got: Box<str>,
    },
    /// The account cannot pay.
    #[error("{account} cannot pay for the transaction: {message}; fund the account")]
    InsufficientFunds {
        /// The account.
        account: Address,
        /// The RPC's message.
        message: String,
    },
    /// The chain refuses the contract's size.
    #[error("the chain refuses the size of the code: {message}; the limit is 24,576 bytes (EIP-170)")]
    CodeSizeLimit {
        /// The RPC's message.
        message: String,
    },

    /// The environment variable for the key or password is not set.
    #[error("the environment variable {variable} is not set; put the {what} there, or choose another source")]
    SecretMissing {
        /// The variable.
        variable: String,
        /// What it must hold.
        what: &'static str,
    },
    /// The key is not a private key. Its text is never shown.
    #[error("the {origin} does not hold a private key of 32 bytes in hexadecimal")]
    KeyMalformed {
        /// Where the key came from.
        origin: &'static str,
    },
    /// A file for the key could not be read.
    #[error("cannot read {path}: {source}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The keystore could not be opened.
    #[error("cannot open the keystore {path}: {reason}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Wrong password, or what is wrong with the file.
        reason: String,
    },
    /// The prompt gave nothing.
    #[error("no {what} was entered: {source}")]
    Prompt {
        /// What was asked for.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },

    /// No anvil was found.
    #[error("no anvil was found in ZKVERDICT_ANVIL, PATH or {tools}; run scripts/tools/install, or install Foundry")]
    AnvilMissing {
        /// The tools folder that was searched last.
        tools: PathBuf,
    },
    /// anvil did not start.
    #[error("{path} did not start: {reason}")]
    AnvilStart {
        /// The program.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The asynchronous runtime could not be started.
    #[error("cannot start the runtime for network calls: {0}")]
    Runtime(std::io::Error),
}

impl EvmError {
    /// The same, of a transaction that may be on its way.
    pub(crate) fn after_signing(self, transaction: B256) -> Self {
        match self {
            Self::RpcUnreachable { .. }
            | Self::RpcTimeout { .. }
            | Self::RpcAnswer { .. }
            | Self::RpcRefused { .. } => Self::RpcGone {
                transaction,
                source: Box::new(self),
            },
            other => other,
        }
    }

    /// Whether a node that says so has looked at the transaction and not taken it.
    pub(crate) const fn refuses_transaction(&self) -> bool {
        matches!(
            self,
            Self::NonceUsed { .. }
                | Self::NonceGap { .. }
                | Self::ReplacementUnderpriced { .. }
                | Self::FeeTooLow { .. }
                | Self::InsufficientFunds { .. }
                | Self::CodeSizeLimit { .. }
                | Self::OutOfGas { .. }
                | Self::Reverted { .. }
        )
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "(unknown)".to_owned(), |number| number.to_string())
}

fn code_name(hash: Option<B256>) -> String {
    hash.map_or_else(|| "no code".to_owned(), |hash| format!("other code, with hash {hash}"))
}

fn journal_name(path: Option<&Path>) -> String {
    path.map_or_else(|| "its record".to_owned(), |path| path.display().to_string())
}

fn sent_prefix(transaction: Option<B256>) -> String {
    transaction.map_or_else(|| "the call ".to_owned(), |hash| format!("transaction {hash} "))
}

fn limit_suffix(gas_limit: Option<u64>) -> String {
    gas_limit.map_or_else(String::new, |limit| format!(" at a limit of {limit}"))
}
