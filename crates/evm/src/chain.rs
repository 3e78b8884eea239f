//! The connection to a chain: what its answers mean, and what may go to which chain.

use std::{
    future::{Future, IntoFuture},
    net::IpAddr,
    time::Duration,
};

use alloy::{
    eips::BlockId,
    network::{Ethereum, EthereumWallet, Network, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::{
        RpcError, TransportError, TransportErrorKind, TransportResult,
        http::reqwest::{self, Url},
    },
};

use crate::{EvmError, RevertReason, TRANSACTION_GAS_LIMIT, decode_revert};

/// Ethereum's transactions and receipts.
pub(crate) type TransactionRequest = <Ethereum as Network>::TransactionRequest;
type TransactionReceipt = <Ethereum as Network>::ReceiptResponse;

/// Chain ids of local development chains: anvil and Hardhat, and Ganache and geth's developer mode.
const DEVELOPMENT_CHAINS: [u64; 2] = [31_337, 1_337];
/// How often a receipt is asked for.
const RECEIPT_INTERVAL: Duration = Duration::from_millis(250);
/// How many failing requests for a receipt in a row mean that the RPC is gone.
const RECEIPT_RETRIES: usize = 3;

/// Which chain to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTarget {
    /// The RPC's address, `http` or `https`.
    pub rpc_url: String,
    /// The chain id that must be behind it, if the caller knows.
    pub expected_chain_id: Option<u64>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long to wait for a transaction to be in a block.
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

/// Choices for one transaction; `None` asks the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// The gas limit. When it is given, nothing is tried before the transaction is sent.
    pub gas_limit: Option<u64>,
    /// The account's nonce.
    pub nonce: Option<u64>,
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
    request_timeout: Duration,
    receipt_timeout: Duration,
}

/// What a transaction is about, for naming its errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) account: Address,
    pub(crate) code_bytes: usize,
    pub(crate) during: &'static str,
}

impl Connection {
    /// Connects, and checks the chain id. With a signer the connection can send transactions.
    pub(crate) async fn open(target: &ChainTarget, signer: Option<PrivateKeySigner>) -> Result<Self, EvmError> {
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
        let builder = ProviderBuilder::new().disable_recommended_fillers();
        let provider = match signer {
            Some(signer) => builder
                .wallet(EthereumWallet::from(signer))
                .connect_reqwest(client, url)
                .erased(),
            None => builder.connect_reqwest(client, url).erased(),
        };
        let mut connection = Self {
            provider,
            endpoint,
            chain_id: 0,
            is_loopback,
            request_timeout: target.request_timeout,
            receipt_timeout: target.receipt_timeout,
        };
        connection.chain_id = connection
            .ask("reading the chain id", connection.provider.get_chain_id())
            .await?;
        match target.expected_chain_id {
            Some(expected) if expected != connection.chain_id => Err(EvmError::WrongChain {
                expected,
                got: connection.chain_id,
            }),
            _ => Ok(connection),
        }
    }

    pub(crate) const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
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
        self.ask("reading the code at the address", self.provider.get_code_at(address))
            .await
    }

    /// Runs a call without sending it, on the latest block.
    pub(crate) async fn call(&self, request: TransactionRequest, about: About) -> Result<Bytes, EvmError> {
        let gas_limit = request.gas;
        self.raw(self.provider.call(request))
            .await
            .map_err(|error| self.classify(error, about, None, gas_limit))
    }

    pub(crate) async fn estimate(&self, request: TransactionRequest, about: About) -> Result<u64, EvmError> {
        self.raw(self.provider.estimate_gas(request))
            .await
            .map_err(|error| self.classify(error, about, None, None))
    }

    /// Sends a transaction and waits until it is in a block and succeeded.
    pub(crate) async fn send(
        &self,
        request: TransactionRequest,
        options: SendOptions,
        about: About,
    ) -> Result<TransactionReceipt, EvmError> {
        let account = about.account;
        let nonce = match options.nonce {
            Some(nonce) => nonce,
            None => {
                self.ask(
                    "reading the account's nonce",
                    self.provider.get_transaction_count(account).pending(),
                )
                .await?
            }
        };
        let request = request
            .with_from(account)
            .with_nonce(nonce)
            .with_chain_id(self.chain_id);
        let gas_limit = match options.gas_limit {
            // Nodes may take such a transaction and never mine it.
            Some(limit) if limit < least_gas(&request) => {
                return Err(EvmError::OutOfGas {
                    transaction: None,
                    gas_limit: Some(limit),
                });
            }
            Some(limit) => limit,
            None => {
                let estimate = self.estimate(request.clone(), about).await?;
                if estimate > TRANSACTION_GAS_LIMIT {
                    return Err(EvmError::OutOfGas {
                        transaction: None,
                        gas_limit: Some(TRANSACTION_GAS_LIMIT),
                    });
                }
                estimate.saturating_add(estimate / 20).min(TRANSACTION_GAS_LIMIT)
            }
        };
        // Fees come after the estimate: with them, nodes call an empty account "out of gas".
        let mut request = request.with_gas_limit(gas_limit);
        let price = self.set_fees(&mut request).await?;
        let needed = U256::from(price).saturating_mul(U256::from(gas_limit));
        let balance = self
            .ask("reading the account's balance", self.provider.get_balance(account))
            .await?;
        if balance < needed {
            let message = format!("it holds {balance} wei and the transaction may cost {needed} wei");
            return Err(EvmError::InsufficientFunds { account, message });
        }
        let pending = self
            .raw(async { self.provider.send_transaction(request.clone()).await })
            .await
            .map_err(|error| self.classify(error, about, None, Some(gas_limit)))?;
        let transaction = *pending.tx_hash();
        let receipt = self.receipt(transaction).await?;
        if receipt.status() {
            Ok(receipt)
        } else {
            Err(self.why_failed(request, &receipt, about).await)
        }
    }

    /// Sets the fees, and returns the most that one gas may cost in wei.
    async fn set_fees(&self, request: &mut TransactionRequest) -> Result<u128, EvmError> {
        let during = "reading the fees";
        match self.raw(async { self.provider.estimate_eip1559_fees().await }).await {
            Ok(fees) => {
                request.set_max_fee_per_gas(fees.max_fee_per_gas);
                request.set_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
                Ok(fees.max_fee_per_gas)
            }
            Err(RpcError::UnsupportedFeature(_) | RpcError::ErrorResp(_)) => {
                let price = self.ask(during, self.provider.get_gas_price()).await?;
                request.set_gas_price(price);
                Ok(price)
            }
            Err(error) => Err(self.failure(error, during)),
        }
    }

    async fn receipt(&self, transaction: B256) -> Result<TransactionReceipt, EvmError> {
        let mut failures = 0;
        let waiting = async {
            loop {
                match self.raw(self.provider.get_transaction_receipt(transaction)).await {
                    Ok(Some(receipt)) => return Ok(receipt),
                    Ok(None) => failures = 0,
                    Err(error) => {
                        failures += 1;
                        if failures == RECEIPT_RETRIES {
                            return Err(EvmError::RpcGone {
                                endpoint: self.endpoint.clone(),
                                transaction,
                                reason: reason(&error),
                            });
                        }
                    }
                }
                tokio::time::sleep(RECEIPT_INTERVAL).await;
            }
        };
        tokio::time::timeout(self.receipt_timeout, waiting)
            .await
            .unwrap_or_else(|_| {
                Err(EvmError::ReceiptTimeout {
                    transaction,
                    seconds: self.receipt_timeout.as_secs(),
                })
            })
    }

    /// Runs a failed transaction again as a call, on the block it is in, to learn the reason.
    async fn why_failed(&self, request: TransactionRequest, receipt: &TransactionReceipt, about: About) -> EvmError {
        let transaction = Some(receipt.transaction_hash);
        let gas_limit = request.gas;
        let used_all = gas_limit.is_some_and(|limit| receipt.gas_used >= limit);
        let block = receipt.block_number.map_or_else(BlockId::latest, BlockId::number);
        let replay = self.raw(self.provider.call(request).block(block)).await;
        match replay {
            Err(error @ RpcError::ErrorResp(_)) => match self.classify(error, about, transaction, gas_limit) {
                named @ (EvmError::Reverted { .. } | EvmError::OutOfGas { .. }) => named,
                _ if used_all => EvmError::OutOfGas { transaction, gas_limit },
                _ => EvmError::Reverted {
                    transaction,
                    reason: RevertReason::Silent,
                },
            },
            _ if used_all => EvmError::OutOfGas { transaction, gas_limit },
            _ => EvmError::Reverted {
                transaction,
                reason: RevertReason::Silent,
            },
        }
    }

    /// Awaits one request, for no longer than it may take.
    async fn raw<T>(&self, request: impl IntoFuture<Output = TransportResult<T>>) -> TransportResult<T> {
        // The HTTP client has the same limit; this one holds for requests that are made of several.
        tokio::time::timeout(self.request_timeout.saturating_mul(2), request.into_future())
            .await
            .unwrap_or_else(|_| Err(TransportErrorKind::custom_str("no answer in time")))
    }

    async fn ask<T>(
        &self,
        during: &'static str,
        request: impl IntoFuture<Output = TransportResult<T>>,
    ) -> Result<T, EvmError> {
        self.raw(request).await.map_err(|error| self.failure(error, during))
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
    fn classify(
        &self,
        error: TransportError,
        about: About,
        transaction: Option<B256>,
        gas_limit: Option<u64>,
    ) -> EvmError {
        let RpcError::ErrorResp(payload) = &error else {
            return self.failure(error, about.during);
        };
        let message = payload.message.to_string();
        let lower = message.to_lowercase();
        let says = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
        if let Some(data) = payload.as_revert_data().filter(|data| !data.is_empty()) {
            EvmError::Reverted {
                transaction,
                reason: decode_revert(&data),
            }
        } else if says(&[
            "nonce too low",
            "nonce too high",
            "invalid nonce",
            "already known",
            "underpriced",
            "replacement",
        ]) {
            EvmError::NonceConflict { message }
        } else if says(&["insufficient funds", "insufficient balance"]) {
            EvmError::InsufficientFunds {
                account: about.account,
                message,
            }
        } else if says(&[
            "code size",
            "codesize",
            "initcode",
            "init code",
            "createcontractsizelimit",
        ]) {
            EvmError::CodeSizeLimit {
                got: about.code_bytes,
                message,
            }
        } else if says(&[
            "out of gas",
            "outofgas",
            "intrinsic gas",
            "gas required exceeds",
            "gas limit",
            "gas too low",
        ]) {
            EvmError::OutOfGas { transaction, gas_limit }
        } else if says(&["revert"]) {
            EvmError::Reverted {
                transaction,
                reason: RevertReason::Silent,
            }
        } else {
            self.failure(error, about.during)
        }
    }
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
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
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

/// The least gas limit of a transaction with this calldata: 21,000 and 10 for each token (EIP-7623), where a zero byte is
/// one token and any other byte four.
fn least_gas(request: &TransactionRequest) -> u64 {
    let input = request.input.input().map_or(&[][..], |input| input.as_ref());
    21_000 + input.iter().map(|&byte| if byte == 0 { 10 } else { 40 }).sum::<u64>()
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
