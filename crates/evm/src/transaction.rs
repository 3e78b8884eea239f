//! An account sends what it intends, once.
//!
//! ```text
//! intent ─▶ quote ─▶ approved? ─▶ sign ─▶ journal ─▶ broadcast ─▶ pending ─▶ included ─▶ confirmed ─▶ receipt
//!                                            │                       ▲
//!               the same intent, run again ──┴── the same bytes ─────┘
//! ```
//!
//! From the journal on there is one loop, for the first run and for every later one: look for each signed transaction, and
//! wait, broadcast the same bytes again, or say that another transaction has the nonce. All signed transactions of an
//! intent have one nonce, so the chain itself includes one of them at most.

use std::{path::Path, time::Duration};

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxLegacy},
    network::{TransactionBuilder, TxSignerSync},
    primitives::{Address, B256, Bytes, TxKind, U256},
    providers::Provider,
    signers::local::PrivateKeySigner,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    ChainTarget, EvmError, FeeLimits, Fees, JournalPlace, KeySource, Outcome, RevertReason, SrsPolicy,
    TRANSACTION_GAS_LIMIT, Wei,
    chain::{About, Connection, TransactionReceipt, TransactionRequest},
    journal::{Journal, Signed, Subject},
};

/// The wait between two looks at the chain: the first, and the longest.
const LOOK_INTERVAL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));
/// How many looks in a row must show the nonce used and no receipt before the transaction counts as replaced: nodes
/// behind one address may lag behind each other.
const LOOKS_BEFORE_REPLACED: u32 = 4;

/// What a transaction shall do. No intent moves ether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The contract to call; none for a creation.
    pub to: Option<Address>,
    /// Calldata, or init code.
    pub input: Bytes,
    /// The contract that this is about, where it is not the one to call: one that a factory creates.
    pub contract: Option<Address>,
    /// In words, for errors and the journal: "deploying the verifier".
    pub purpose: &'static str,
}

impl Intent {
    /// A call.
    pub fn call(to: Address, calldata: impl Into<Bytes>, purpose: &'static str) -> Self {
        Self {
            to: Some(to),
            input: calldata.into(),
            contract: Some(to),
            purpose,
        }
    }

    /// A creation, at an address that sender and nonce determine.
    pub fn create(init_code: impl Into<Bytes>, purpose: &'static str) -> Self {
        Self {
            to: None,
            input: init_code.into(),
            contract: None,
            purpose,
        }
    }

    pub(crate) fn request(&self, sender: Address) -> TransactionRequest {
        TransactionRequest::default()
            .with_from(sender)
            .with_kind(self.kind())
            .with_input(self.input.clone())
    }

    fn kind(&self) -> TxKind {
        self.to.map_or(TxKind::Create, TxKind::Call)
    }

    fn contract(&self, sender: Address, nonce: u64) -> Address {
        self.contract.unwrap_or_else(|| sender.create(nonce))
    }

    /// The least gas limit that a node mines: 21,000 and 10 for each token (EIP-7623), where a zero byte is one token and
    /// any other byte four.
    fn least_gas(&self) -> u64 {
        21_000
            + self
                .input
                .iter()
                .map(|&byte| if byte == 0 { 10 } else { 40 })
                .sum::<u64>()
    }
}

/// Choices for one transaction; `None` asks the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// The account that must send; one that is quoted for.
    pub sender: Option<Address>,
    /// The gas limit. When it is given, nothing is tried before the transaction is sent.
    pub gas_limit: Option<u64>,
    /// The account's nonce.
    pub nonce: Option<u64>,
    /// What the fees must keep to.
    pub fees: FeeLimits,
    /// How many blocks must hold the transaction or follow that block; at least one.
    pub confirmations: u64,
    /// Where signed transactions are written down.
    pub journal: JournalPlace,
    /// Replace the transaction in the journal by one with higher fees.
    pub bump: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            sender: None,
            gas_limit: None,
            nonce: None,
            fees: FeeLimits::default(),
            confirmations: 1,
            journal: JournalPlace::Nowhere,
            bump: false,
        }
    }
}

/// What a transaction would do and cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The contract that is called or created.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// The account that would pay.
    pub sender: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Gas that the chain says it takes; the limit, where that was given.
    pub gas_estimate: u64,
    /// The gas limit.
    pub gas_limit: u64,
    /// What one gas may cost.
    #[serde(flatten)]
    pub price: Fees,
    /// What it would cost in the next block.
    pub expected_cost: Wei,
    /// The most that it may cost.
    pub most_cost: Wei,
}

/// A transaction that is in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The contract that was called or created.
    pub address: Address,
    /// The chain.
    pub chain_id: u64,
    /// The transaction.
    pub transaction: B256,
    /// The block it is in.
    pub block: u64,
    /// That block and those after it.
    pub confirmations: u64,
    /// The account that paid.
    pub sender: Address,
    /// Gas of the transaction.
    pub gas_used: u64,
    /// Price of one gas.
    pub gas_price: Wei,
    /// What it cost.
    pub cost: Wei,
    /// Whether an earlier run signed it, and this one only found it.
    pub resumed: bool,
}

/// What happens while a transaction is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A transaction of an earlier run stands in the journal.
    Resumed {
        /// The transaction.
        transaction: B256,
        /// The journal's file.
        journal: Option<&'a Path>,
    },
    /// A transaction was signed and written down, and is sent now.
    Sending {
        /// The transaction.
        transaction: B256,
    },
    /// It is in a block, and waits for others.
    Confirming {
        /// That block and those after it.
        confirmations: u64,
    },
}

/// Who is asked before something is paid, and told what happens. `()` approves of everything.
pub trait Attendant {
    /// Whether to send at this cost.
    fn approve(&mut self, quote: &Quote) -> bool {
        let _ = quote;
        true
    }

    /// Something happened.
    fn on(&mut self, progress: Progress<'_>) {
        let _ = progress;
    }
}

impl Attendant for () {}

/// An account that can sign, on a chain that it may use.
pub struct Account {
    connection: Connection,
    signer: PrivateKeySigner,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("address", &self.address())
            .field("chain_id", &self.connection.chain_id())
            .finish_non_exhaustive()
    }
}

/// What the chain knows of the transactions in a journal.
enum Found {
    Included(Box<TransactionReceipt>),
    Pending,
    Unknown,
    Replaced,
}

impl Account {
    /// Connects, and opens the key only if the chain is the right one.
    ///
    /// # Errors
    /// The chain cannot be reached, is another than expected or may not get this artifact; the key cannot be opened.
    pub async fn open(target: &ChainTarget, key: KeySource, policy: SrsPolicy) -> Result<Self, EvmError> {
        let connection = Connection::open(target).await?;
        connection.check_srs(policy)?;
        Self::on(connection, key)
    }

    pub(crate) fn on(connection: Connection, key: KeySource) -> Result<Self, EvmError> {
        let signer = key.open()?;
        Ok(Self { connection, signer })
    }

    /// The account's address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.signer.address()
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends what is intended, or finds what an earlier run sent, and waits until it is confirmed.
    ///
    /// # Errors
    /// The journal is about something else; the transaction costs more than it may, is not approved of, cannot be sent, is
    /// not confirmed in time, is replaced, or fails. A transaction that failed is struck from the journal; after any other
    /// error the same call goes on where this one stopped.
    pub async fn send(
        &self,
        intent: &Intent,
        options: &SendOptions,
        attendant: &mut dyn Attendant,
    ) -> Result<Receipt, EvmError> {
        if let Some(expected) = options.sender.filter(|&expected| expected != self.address()) {
            let got = self.address();
            return Err(EvmError::WrongSender { expected, got });
        }
        let genesis = match options.journal {
            JournalPlace::Nowhere => B256::ZERO,
            _ => self.connection.genesis().await?,
        };
        let subject = Subject {
            chain_id: self.connection.chain_id(),
            genesis,
            sender: self.address(),
            intent,
        };
        let mut journal = Journal::open(&options.journal, &subject)?;
        let resumed = journal.newest().map(|signed| (signed.hash(), signed.nonce()));
        // Whether a transaction was signed just now, so that no node can know it.
        let mut is_new = true;
        if let Some((transaction, nonce)) = resumed {
            journal.check_nonce(options.nonce, nonce)?;
            attendant.on(Progress::Resumed {
                transaction,
                journal: journal.path(),
            });
            let is_open = matches!(self.look(&journal).await?, Found::Pending | Found::Unknown);
            is_new = options.bump && is_open;
            if is_new {
                self.bump(&mut journal, intent, options, attendant).await?;
            }
        } else if options.bump {
            return Err(EvmError::NothingToBump);
        } else {
            let quote = self.connection.quote(self.address(), intent, options).await?;
            self.connection.check_balance(&quote).await?;
            self.sign(&mut journal, intent, &quote, attendant)?;
        }
        let transaction = journal.newest().map(Signed::hash).unwrap_or_default();
        match self.follow(journal, intent, options, is_new, attendant).await {
            Ok(receipt) => Ok(Receipt {
                resumed: resumed.is_some(),
                ..receipt
            }),
            Err(error) => Err(error.after_signing(transaction)),
        }
    }

    /// Signs a transaction with the nonce of the last one and higher fees.
    async fn bump(
        &self,
        journal: &mut Journal,
        intent: &Intent,
        options: &SendOptions,
        attendant: &mut dyn Attendant,
    ) -> Result<(), EvmError> {
        // Two replacements of one transaction would offer against each other, and only one could be written down.
        journal.lock()?;
        let Some(last) = journal.newest() else {
            return Err(EvmError::NothingToBump);
        };
        let price = self.connection.fees(options.fees, Some(last.fees())).await?;
        let gas_limit = options.gas_limit.unwrap_or_else(|| last.gas_limit());
        let quote = Quote {
            address: intent.contract(self.address(), last.nonce()),
            chain_id: self.connection.chain_id(),
            sender: self.address(),
            nonce: last.nonce(),
            gas_estimate: gas_limit,
            gas_limit,
            price,
            expected_cost: price.expected().of_gas(gas_limit),
            most_cost: price.most().of_gas(gas_limit),
        };
        self.connection.check_balance(&quote).await?;
        self.sign(journal, intent, &quote, attendant)
    }

    /// Signs what was quoted and writes it down.
    fn sign(
        &self,
        journal: &mut Journal,
        intent: &Intent,
        quote: &Quote,
        attendant: &mut dyn Attendant,
    ) -> Result<(), EvmError> {
        if !attendant.approve(quote) {
            return Err(EvmError::NotApproved);
        }
        let (to, input) = (intent.kind(), intent.input.clone());
        let envelope = match quote.price {
            Fees::Legacy { gas_price } => {
                let mut transaction = TxLegacy {
                    chain_id: Some(quote.chain_id),
                    nonce: quote.nonce,
                    gas_price: gas_price.0,
                    gas_limit: quote.gas_limit,
                    to,
                    value: U256::ZERO,
                    input,
                };
                let signature = self.signer.sign_transaction_sync(&mut transaction);
                signature.map(|signature| transaction.into_signed(signature).into())
            }
            Fees::Eip1559 {
                priority_fee, max_fee, ..
            } => {
                let mut transaction = TxEip1559 {
                    chain_id: quote.chain_id,
                    nonce: quote.nonce,
                    gas_limit: quote.gas_limit,
                    max_fee_per_gas: max_fee.0,
                    max_priority_fee_per_gas: priority_fee.0,
                    to,
                    value: U256::ZERO,
                    access_list: Default::default(),
                    input,
                };
                let signature = self.signer.sign_transaction_sync(&mut transaction);
                signature.map(|signature| transaction.into_signed(signature).into())
            }
        };
        let signed = Signed(envelope.map_err(|error| EvmError::Signing {
            reason: error.to_string(),
        })?);
        let transaction = signed.hash();
        journal.record(signed)?;
        attendant.on(Progress::Sending { transaction });
        Ok(())
    }

    /// Waits until one of the journal's transactions is confirmed; broadcasts the newest whenever the chain has none.
    async fn follow(
        &self,
        journal: Journal,
        intent: &Intent,
        options: &SendOptions,
        is_new: bool,
        attendant: &mut dyn Attendant,
    ) -> Result<Receipt, EvmError> {
        let newest = journal.newest().ok_or(EvmError::NothingToBump)?.clone();
        let (transaction, nonce) = (newest.hash(), newest.nonce());
        let patience = self.connection.receipt_timeout();
        let deadline = Instant::now() + patience;
        let (mut interval, longest) = LOOK_INTERVAL;
        let (mut replaced, mut told) = (0, 0);
        let mut found = match is_new {
            true => Found::Unknown,
            false => self.look(&journal).await?,
        };
        // Whether no node can know it.
        let mut is_unsent = is_new;
        loop {
            replaced = if matches!(found, Found::Replaced) {
                replaced + 1
            } else {
                0
            };
            match found {
                Found::Included(included) => {
                    let receipt = self
                        .connection
                        .receipt_of(&included, intent.contract(self.address(), nonce))
                        .await?;
                    let confirmations = receipt.confirmations;
                    if confirmations >= options.confirmations {
                        if included.status() {
                            return Ok(receipt);
                        }
                        let outcome = self.connection.outcome_of(&included).await?;
                        let transaction = Some(included.transaction_hash);
                        journal.remove()?;
                        return Err(match outcome {
                            Outcome::Reverted { reason } => EvmError::Reverted { transaction, reason },
                            _ => EvmError::OutOfGas {
                                transaction,
                                gas_limit: Some(included.gas_used),
                            },
                        });
                    }
                    if confirmations != told {
                        told = confirmations;
                        attendant.on(Progress::Confirming { confirmations });
                    }
                }
                Found::Unknown => {
                    let about = About {
                        account: self.address(),
                        nonce: Some(nonce),
                        gas_limit: Some(newest.gas_limit()),
                        during: intent.purpose,
                    };
                    let sent = self.connection.broadcast(&newest.raw(), about, &mut is_unsent).await;
                    if let Err(refusal) = sent {
                        // It, or one that it should replace, may have arrived all the same.
                        let may_count = match self.look(&journal).await {
                            Ok(Found::Included(_) | Found::Pending) => true,
                            Ok(Found::Replaced) => !is_unsent,
                            Ok(Found::Unknown) => !is_unsent && self.knows_any(&journal).await,
                            Err(_) => false,
                        };
                        if !may_count {
                            if is_unsent && refusal.refuses_transaction() {
                                journal.forget()?;
                            }
                            return Err(refusal);
                        }
                    }
                    is_unsent = false;
                }
                Found::Replaced if replaced == LOOKS_BEFORE_REPLACED => {
                    return Err(EvmError::Replaced {
                        transaction,
                        nonce,
                        journal: journal.path().map(Path::to_owned),
                    });
                }
                Found::Replaced | Found::Pending => {}
            }
            if Instant::now() >= deadline {
                return Err(EvmError::ReceiptTimeout {
                    transaction,
                    seconds: patience.as_secs(),
                });
            }
            tokio::time::sleep(interval).await;
            interval = (interval * 3 / 2).min(longest);
            found = self.look(&journal).await?;
        }
    }

    /// Asks the chain for the journal's transactions.
    async fn look(&self, journal: &Journal) -> Result<Found, EvmError> {
        let Some(newest) = journal.newest() else {
            return Ok(Found::Unknown);
        };
        if let Some(receipt) = self.receipt(journal).await? {
            return Ok(Found::Included(Box::new(receipt)));
        }
        if self.connection.nonce(self.address()).await? > newest.nonce() {
            // It may have been included between the two questions.
            return Ok(match self.receipt(journal).await? {
                Some(receipt) => Found::Included(Box::new(receipt)),
                None => Found::Replaced,
            });
        }
        Ok(match self.connection.transaction(newest.hash()).await? {
            Some(_) => Found::Pending,
            None => Found::Unknown,
        })
    }

    async fn knows_any(&self, journal: &Journal) -> bool {
        for signed in journal.transactions() {
            if matches!(self.connection.transaction(signed.hash()).await, Ok(Some(_))) {
                return true;
            }
        }
        false
    }

    async fn receipt(&self, journal: &Journal) -> Result<Option<TransactionReceipt>, EvmError> {
        for signed in journal.transactions() {
            let receipt = self.connection.receipt(signed.hash()).await?;
            if let Some(receipt) = receipt.filter(|receipt| receipt.block_number.is_some()) {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }
}

impl Connection {
    /// What a transaction would cost, and whether it would succeed.
    pub(crate) async fn quote(
        &self,
        sender: Address,
        intent: &Intent,
        options: &SendOptions,
    ) -> Result<Quote, EvmError> {
        let next = self.next_nonce(sender).await?;
        let nonce = options.nonce.unwrap_or(next);
        if nonce > next {
            return Err(EvmError::NonceGap {
                account: sender,
                nonce: Some(nonce),
                next: Some(next),
            });
        }
        if nonce < next && nonce < self.nonce(sender).await? {
            return Err(EvmError::NonceUsed {
                account: sender,
                nonce: Some(nonce),
            });
        }
        let about = About {
            account: sender,
            nonce: Some(nonce),
            gas_limit: options.gas_limit,
            during: intent.purpose,
        };
        let (gas_estimate, gas_limit) = match options.gas_limit {
            // Nodes may take such a transaction and never mine it.
            Some(limit) if limit < intent.least_gas() => {
                return Err(EvmError::OutOfGas {
                    transaction: None,
                    gas_limit: Some(limit),
                });
            }
            Some(limit) => (limit, limit),
            None => {
                // Without fees: with them, nodes call an empty account "out of gas".
                let estimate = self.estimate(&intent.request(sender), about).await?;
                if estimate > TRANSACTION_GAS_LIMIT {
                    return Err(EvmError::OutOfGas {
                        transaction: None,
                        gas_limit: Some(TRANSACTION_GAS_LIMIT),
                    });
                }
                let limit = estimate.saturating_add(estimate / 20).min(TRANSACTION_GAS_LIMIT);
                (estimate, limit)
            }
        };
        let price = self.fees(options.fees, None).await?;
        Ok(Quote {
            address: intent.contract(sender, nonce),
            chain_id: self.chain_id(),
            sender,
            nonce,
            gas_estimate,
            gas_limit,
            price,
            expected_cost: price.expected().of_gas(gas_estimate),
            most_cost: price.most().of_gas(gas_limit),
        })
    }

    async fn check_balance(&self, quote: &Quote) -> Result<(), EvmError> {
        let account = quote.sender;
        let balance = self
            .ask("reading the account's balance", || self.provider().get_balance(account))
            .await?;
        if balance < U256::from(quote.most_cost.0) {
            let held = Wei(balance.saturating_to());
            let message = format!("it holds {held} and the transaction may cost {}", quote.most_cost);
            return Err(EvmError::InsufficientFunds { account, message });
        }
        Ok(())
    }

    /// The receipt of a transaction that is in a block.
    pub(crate) async fn receipt_of(&self, receipt: &TransactionReceipt, address: Address) -> Result<Receipt, EvmError> {
        let head = self.head().await?.number;
        let block = receipt.block_number.unwrap_or(head);
        let gas_price = Wei(receipt.effective_gas_price);
        Ok(Receipt {
            address,
            chain_id: self.chain_id(),
            transaction: receipt.transaction_hash,
            block,
            // A node that lags behind may not know the block yet.
            confirmations: head.saturating_sub(block) + 1,
            sender: receipt.from,
            gas_used: receipt.gas_used,
            gas_price,
            cost: gas_price.of_gas(receipt.gas_used),
            resumed: false,
        })
    }

    /// Why a transaction failed.
    pub(crate) async fn outcome_of(&self, receipt: &TransactionReceipt) -> Result<Outcome, EvmError> {
        match self.transaction(receipt.transaction_hash).await? {
            Some(transaction) => self.why_failed(&transaction, receipt).await,
            None => Ok(Outcome::Reverted {
                reason: RevertReason::Silent,
            }),
        }
    }
}
