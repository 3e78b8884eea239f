//! The connection to a chain: what its answers mean, and what may go to which chain.

use std::{
    future::{Future, IntoFuture},
    net::IpAddr,
    time::Duration,
};

use alloy::{
    eips::BlockId,
    network::{Ethereum, Network, TransactionBuilder},
    primitives::{Address, B256, Bytes},
    providers::{DynProvider, Provider, ProviderBuilder},
    transports::{
        RpcError, TransportError, TransportErrorKind, TransportResult,
        http::reqwest::{self, Url},
    },
};

use crate::{EvmError, Outcome, RevertReason, decode_revert};

/// Ethereum's transactions and receipts.
pub(crate) type TransactionRequest = <Ethereum as Network>::TransactionRequest;
pub(crate) type TransactionReceipt = <Ethereum as Network>::ReceiptResponse;
pub(crate) type TransactionResponse = <Ethereum as Network>::TransactionResponse;
type Header = <Ethereum as Network>::HeaderResponse;

/// Chain ids of local development chains: anvil and Hardhat, and Ganache and geth's developer mode.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];
/// How often a request is made before the RPC counts as gone.
const ATTEMPTS: u32 = 4;
/// How long to wait before the second attempt; the wait doubles from attempt to attempt.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Which chain to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTarget {
    /// The RPC's address, `http` or `https`.
    pub rpc_url: String,
    /// The chain id that must be behind it, if the caller knows.
    pub expected_chain_id: Option<u64>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long to wait until a transaction is confirmed.
    pub receipt_timeout: Duration,
}

impl ChainTarget {
    /// A target with the usual patience: 30 s for a request, 180 s for a receipt.
    #[must_use]
    pub fn new(rpc_url: impl Into<String>) -> Self {
        Self {
            rpc_url: rpc_url.into(),
            expected_chain_id: None,
            request_timeout: Duration::from_secs(30),
            receipt_timeout: Duration::from_secs(180),
        }
    }
}

/// Whether an artifact may leave the local machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SrsPolicy {
    /// The artifact was made with a development SRS.
    pub srs_is_unsafe: bool,
    /// The user allows that on any chain.
    pub allow_unsafe_srs: bool,
}

/// Runs one of this crate's futures on a runtime of its own, for callers that have none.
///
/// # Errors
/// The runtime cannot be started, or what the future returns.
pub fn block_on<T>(future: impl Future<Output = Result<T, EvmError>>) -> Result<T, EvmError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EvmError::Runtime)?
        .block_on(future)
}

/// A connection whose chain id is known to be the right one.
pub(crate) struct Connection {
    provider: DynProvider,
    endpoint: String,
    chain_id: u64,
    is_loopback: bool,
    receipt_timeout: Duration,
}

/// What a transaction is about, for naming its errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) account: Address,
    pub(crate) nonce: Option<u64>,
    pub(crate) gas_limit: Option<u64>,
    pub(crate) during: &'static str,
}

impl Connection {
    /// Connects, and checks the chain id.
    pub(crate) async fn open(target: &ChainTarget) -> Result<Self, EvmError> {
        let malformed = || EvmError::RpcAddress {
            url: redacted(&target.rpc_url),
        };
        let url = Url::parse(&target.rpc_url).map_err(|_| malformed())?;
        let host = url.host_str().ok_or_else(malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(malformed());
        }
        let is_loopback = is_loopback(host);
        let endpoint = redacted(&target.rpc_url);
        let mut client = reqwest::Client::builder().timeout(target.request_timeout);
        if is_loopback {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| EvmError::RpcUnreachable {
            endpoint: endpoint.clone(),
            during: "setting up the connection",
            reason: error.without_url().to_string(),
        })?;
        let provider = ProviderBuilder::new()
            .disable_recommended_fillers()
            .connect_reqwest(client, url)
            .erased();
        let mut connection = Self {
            provider,
            endpoint,
            chain_id: 0,
            is_loopback,
            receipt_timeout: target.receipt_timeout,
        };
        connection.chain_id = connection
            .ask("reading the chain id", || connection.provider.get_chain_id())
            .await?;
        match target.expected_chain_id {
            Some(expected) if expected != connection.chain_id => Err(EvmError::WrongChain {
                expected,
                got: connection.chain_id,
            }),
            _ => Ok(connection),
        }
    }

    pub(crate) const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    pub(crate) const fn receipt_timeout(&self) -> Duration {
        self.receipt_timeout
    }

    pub(crate) const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Refuses artifacts with an unsafe SRS on any chain that is not local.
    pub(crate) fn check_srs(&self, policy: SrsPolicy) -> Result<(), EvmError> {
        let is_local = self.is_loopback && DEVELOPMENT_CHAINS.contains(&self.chain_id);
        if policy.srs_is_unsafe && !policy.allow_unsafe_srs && !is_local {
            return Err(EvmError::UnsafeSrs {
                chain_id: self.chain_id,
                endpoint: self.endpoint.clone(),
            });
        }
        Ok(())
    }

    pub(crate) async fn code(&self, address: Address) -> Result<Bytes, EvmError> {
        self.ask("reading the code at the address", || self.provider.get_code_at(address))
            .await
    }

    /// The latest block.
    pub(crate) async fn head(&self) -> Result<Header, EvmError> {
        self.block(BlockId::latest()).await
    }

    /// The hash of the first block, which tells apart chains that share an id.
    pub(crate) async fn genesis(&self) -> Result<B256, EvmError> {
        Ok(self.block(BlockId::earliest()).await?.hash)
    }

    async fn block(&self, block: BlockId) -> Result<Header, EvmError> {
        let during = "reading a block";
        let found = self.ask(during, || self.provider.get_block(block)).await?;
        found.map(|block| block.header).ok_or_else(|| EvmError::RpcAnswer {
            endpoint: self.endpoint.clone(),
            during,
            reason: format!("it has no block {block}"),
        })
    }

    /// How many transactions of an account are in blocks.
    pub(crate) async fn nonce(&self, account: Address) -> Result<u64, EvmError> {
        self.ask("reading the account's nonce", || {
            self.provider.get_transaction_count(account).latest()
        })
        .await
    }

    /// The nonce after those that are in blocks or on their way.
    pub(crate) async fn next_nonce(&self, account: Address) -> Result<u64, EvmError> {
        self.ask("reading the account's nonce", || {
            self.provider.get_transaction_count(account).pending()
        })
        .await
    }

    pub(crate) async fn receipt(&self, transaction: B256) -> Result<Option<TransactionReceipt>, EvmError> {
        self.ask("reading a receipt", || {
            self.provider.get_transaction_receipt(transaction)
        })
        .await
    }

    pub(crate) async fn transaction(&self, transaction: B256) -> Result<Option<TransactionResponse>, EvmError> {
        self.ask("looking a transaction up", || {
            self.provider.get_transaction_by_hash(transaction)
        })
        .await
    }

    /// Runs a call without sending it, on the latest block.
    pub(crate) async fn call(&self, request: &TransactionRequest, about: About) -> Result<Bytes, EvmError> {
        self.read(|| self.provider.call(request.clone()))
            .await
            .map_err(|error| self.classify(error, about))
    }

    pub(crate) async fn estimate(&self, request: &TransactionRequest, about: About) -> Result<u64, EvmError> {
        self.read(|| self.provider.estimate_gas(request.clone()))
            .await
            .map_err(|error| self.classify(error, about))
    }

    /// Runs the call of a failed transaction again, on the block it is in, to learn the reason.
    pub(crate) async fn why_failed(
        &self,
        transaction: &TransactionResponse,
        receipt: &TransactionReceipt,
    ) -> Result<Outcome, EvmError> {
        use alloy::consensus::Transaction as _;
        let gas_limit = transaction.gas_limit();
        let mut request = TransactionRequest::default()
            .with_from(receipt.from)
            .with_kind(transaction.kind())
            .with_value(transaction.value())
            .with_input(transaction.input().clone())
            .with_gas_limit(gas_limit);
        request.normalize_data();
        let block = receipt.block_number.map_or_else(BlockId::latest, BlockId::number);
        let about = About {
            account: receipt.from,
            nonce: None,
            gas_limit: Some(gas_limit),
            during: "running the failed transaction again",
        };
        let replay = self.read(|| self.provider.call(request.clone()).block(block)).await;
        let named = replay.err().map(|error| self.classify(error, about));
        Ok(match named {
            Some(EvmError::Reverted { reason, .. }) => Outcome::Reverted { reason },
            Some(EvmError::OutOfGas { .. }) => Outcome::OutOfGas,
            Some(gone @ (EvmError::RpcUnreachable { .. } | EvmError::RpcTimeout { .. })) => return Err(gone),
            _ if receipt.gas_used >= gas_limit => Outcome::OutOfGas,
            _ => Outcome::Reverted {
                reason: RevertReason::Silent,
            },
        })
    }

    /// Sends signed bytes. They are the same each time, so that they are sent again where the connection breaks;
    /// `is_unsent` becomes false then, because they may have arrived.
    pub(crate) async fn broadcast(&self, raw: &[u8], about: About, is_unsent: &mut bool) -> Result<(), EvmError> {
        let known = ["already known", "already imported", "known transaction"];
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let error = match self.provider.send_raw_transaction(raw).await {
                Err(error) if !says(&error, &known) => error,
                _ => return Ok(()),
            };
            *is_unsent &= matches!(error, RpcError::ErrorResp(_));
            if !is_transient(&error) || attempt == ATTEMPTS {
                return Err(self.classify(error, about));
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            attempt += 1;
        }
    }

    /// Makes a request that changes nothing, again where the connection breaks.
    async fn read<T, R>(&self, request: impl Fn() -> R) -> TransportResult<T>
    where
        R: IntoFuture<Output = TransportResult<T>>,
    {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            match request().await {
                Err(error) if is_transient(&error) && attempt < ATTEMPTS => {}
                other => return other,
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            attempt += 1;
        }
    }

    pub(crate) async fn ask<T, R>(&self, during: &'static str, request: impl Fn() -> R) -> Result<T, EvmError>
    where
        R: IntoFuture<Output = TransportResult<T>>,
    {
        self.read(request).await.map_err(|error| self.failure(error, during))
    }

    /// The error of a request that is about no transaction.
    fn failure(&self, error: TransportError, during: &'static str) -> EvmError {
        let endpoint = self.endpoint.clone();
        match error {
            RpcError::ErrorResp(payload) => EvmError::RpcRefused {
                endpoint,
                during,
                code: payload.code,
                message: payload.message.into_owned(),
            },
            RpcError::Transport(_) if is_timeout(&error) => EvmError::RpcTimeout { endpoint, during },
            RpcError::Transport(_) => EvmError::RpcUnreachable {
                endpoint,
                during,
                reason: reason(&error),
            },
            _ => EvmError::RpcAnswer {
                endpoint,
                during,
                reason: reason(&error),
            },
        }
    }

    /// The error of a request that tries or sends a transaction.
    fn classify(&self, error: TransportError, about: About) -> EvmError {
        let RpcError::ErrorResp(payload) = &error else {
            return self.failure(error, about.during);
        };
        let message = payload.message.to_string();
        let (account, nonce, gas_limit) = (about.account, about.nonce, about.gas_limit);
        let says = |needles| says(&error, needles);
        if let Some(data) = payload.as_revert_data().filter(|data| !data.is_empty()) {
            EvmError::Reverted {
                transaction: None,
                reason: decode_revert(&data),
            }
        } else if says(&["nonce too low", "oldnonce", "invalid nonce"]) {
            EvmError::NonceUsed { account, nonce }
        } else if says(&["nonce too high", "nonce gap", "noncegap", "gapped-nonce"]) {
            EvmError::NonceGap {
                account,
                nonce,
                next: None,
            }
        } else if says(&["replacement", "feetoolowtocompete"]) {
            EvmError::ReplacementUnderpriced { account, nonce }
        } else if says(&[
            "underpriced",
            "less than block base fee",
            "tip too low",
            "fee too low",
            "feetoolow",
        ]) {
            EvmError::FeeTooLow { message }
        } else if says(&["insufficient funds", "insufficient balance"]) {
            EvmError::InsufficientFunds { account, message }
        } else if says(&[
            "code size",
            "codesize",
            "initcode",
            "init code",
            "createcontractsizelimit",
        ]) {
            EvmError::CodeSizeLimit { message }
        } else if says(&[
            "out of gas",
            "outofgas",
            "intrinsic gas",
            "gas required exceeds",
            "gas limit",
            "gas too low",
        ]) {
            EvmError::OutOfGas {
                transaction: None,
                gas_limit,
            }
        } else if says(&["revert"]) {
            EvmError::Reverted {
                transaction: None,
                reason: RevertReason::Silent,
            }
        } else {
            self.failure(error, about.during)
        }
    }
}

/// Whether the chain's refusal has one of these words.
fn says(error: &TransportError, needles: &[&str]) -> bool {
    let RpcError::ErrorResp(payload) = error else {
        return false;
    };
    let message = payload.message.to_lowercase();
    needles.iter().any(|needle| message.contains(needle))
}

/// Whether the same request may be answered in a moment.
fn is_transient(error: &TransportError) -> bool {
    match error {
        RpcError::Transport(TransportErrorKind::HttpError(http)) => http.status == 429 || http.status >= 500,
        RpcError::Transport(_) => true,
        RpcError::ErrorResp(payload) => payload.is_retry_err(),
        _ => false,
    }
}

fn is_timeout(error: &TransportError) -> bool {
    let RpcError::Transport(TransportErrorKind::Custom(source) | TransportErrorKind::NonRetryable(source)) = error
    else {
        return false;
    };
    source
        .downcast_ref::<reqwest::Error>()
        .is_some_and(reqwest::Error::is_timeout)
}

/// What went wrong, without the address, which may hold an API key.
fn reason(error: &TransportError) -> String {
    match error {
        RpcError::Transport(TransportErrorKind::Custom(source) | TransportErrorKind::NonRetryable(source)) => source
            .downcast_ref::<reqwest::Error>()
            .map_or_else(|| source.to_string(), describe),
        RpcError::Transport(TransportErrorKind::HttpError(http)) => {
            format!("HTTP status {}", http.status)
        }
        RpcError::DeserError { err, .. } => err.to_string(),
        other => other.to_string(),
    }
}

fn describe(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) {
        what.to_owned()
    } else {
        format!("{what}: {cause}")
    }
}

fn redacted(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return "(not a URL)".to_owned();
    };
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_local() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "10.0.0.1",
            "localhost.example.org",
            "example.org",
            "0.0.0.0",
            "127.0.0.1.example.org",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn addresses_lose_their_secrets() {
        assert_eq!(
            redacted("https://user:pass@rpc.example.org:8443/v3/KEY?x=1"),
            "https://rpc.example.org:8443"
        );
        assert_eq!(redacted("nonsense"), "(not a URL)");
    }
}
