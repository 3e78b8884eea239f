//! The record of a transaction that was signed, written before it is sent, so that a process that dies or loses its
//! connection can be run again without sending twice.
//!
//! It holds signed transactions, never a key. Everything that matters is read from the signed bytes themselves: a journal
//! that was changed can at most be refused.

use std::{
    fs::{self, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::{Decodable2718 as _, Encodable2718 as _},
    primitives::{Address, B256, Bytes, U256, keccak256},
};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{EvmError, Fees, Intent, Wei};

const FORMAT: u32 = 1;

/// Where the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JournalPlace {
    /// Nowhere: for chains that live no longer than the process.
    #[default]
    Nowhere,
    /// In this file.
    At(PathBuf),
    /// Beside this file, under a name that chain, sender and intent determine.
    Beside(PathBuf),
}

impl JournalPlace {
    /// The place for the transaction of this number, from 0, of a command that sends several.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        match self {
            Self::At(path) if number > 0 => {
                let mut name = path.clone().into_os_string();
                name.push(format!(".{}", number + 1));
                Self::At(name.into())
            }
            // Named after its intent.
            place => place.clone(),
        }
    }
}

/// What a journal must be about.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) chain_id: u64,
    pub(crate) genesis: B256,
    pub(crate) sender: Address,
    pub(crate) intent: &'a Intent,
}

impl Subject<'_> {
    fn digest(&self) -> B256 {
        let to = self.intent.to.map_or(B256::ZERO, |to| to.into_word());
        let input = keccak256(&self.intent.input);
        let words = [
            B256::from(U256::from(self.chain_id)),
            self.genesis,
            self.sender.into_word(),
            B256::from(U256::from(self.intent.to.is_some())),
            to,
            input,
        ];
        keccak256(words.concat())
    }
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Signed(pub(crate) TxEnvelope);

impl Signed {
    pub(crate) fn hash(&self) -> B256 {
        *self.0.tx_hash()
    }

    pub(crate) fn raw(&self) -> Vec<u8> {
        self.0.encoded_2718()
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.0.nonce()
    }

    pub(crate) fn gas_limit(&self) -> u64 {
        self.0.gas_limit()
    }

    /// Its fees, as far as they stand in it: it knows no base fee.
    pub(crate) fn fees(&self) -> Fees {
        match (self.0.gas_price(), self.0.max_priority_fee_per_gas()) {
            (None, Some(priority_fee)) => Fees::Eip1559 {
                base_fee: Wei(0),
                priority_fee: Wei(priority_fee),
                max_fee: Wei(self.0.max_fee_per_gas()),
            },
            (price, _) => Fees::Legacy {
                gas_price: Wei(price.unwrap_or_else(|| self.0.max_fee_per_gas())),
            },
        }
    }
}

/// The transactions that were signed for one purpose, oldest first; all have the same nonce, so one counts at most.
#[derive(Debug)]
pub(crate) struct Journal {
    path: Option<PathBuf>,
    header: Header,
    transactions: Vec<Signed>,
    /// The file, locked by this process from before it signs a replacement until it is done with the journal.
    locked: Option<fs::File>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: u32,
    purpose: String,
    chain_id: u64,
    genesis: B256,
    sender: Address,
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(flatten)]
    header: Header,
    nonce: u64,
    transactions: Vec<Entry>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Entry {
    hash: B256,
    raw: Bytes,
}

impl Journal {
    /// Reads the journal of a subject, if there is one.
    pub(crate) fn open(place: &JournalPlace, subject: &Subject<'_>) -> Result<Self, EvmError> {
        let path = match place {
            JournalPlace::Nowhere => None,
            JournalPlace::At(path) => Some(path.clone()),
            JournalPlace::Beside(file) => {
                let mut name = file.file_name().unwrap_or(file.as_os_str()).to_owned();
                name.push(format!(".{}.journal", hex::encode(&subject.digest()[..4])));
                Some(file.with_file_name(name))
            }
        };
        let mut journal = Self {
            path,
            header: Header {
                format: FORMAT,
                purpose: subject.intent.purpose.to_owned(),
                chain_id: subject.chain_id,
                genesis: subject.genesis,
                sender: subject.sender,
            },
            transactions: Vec::new(),
            locked: None,
        };
        if let Some(path) = &journal.path {
            match fs::read(path) {
                Ok(bytes) => journal.transactions = read(path, &bytes, subject)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(path)(error)),
            }
        }
        Ok(journal)
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The transactions, newest first.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &Signed> {
        self.transactions.iter().rev()
    }

    pub(crate) fn newest(&self) -> Option<&Signed> {
        self.transactions.last()
    }

    /// Makes this process the only one that adds to the journal.
    ///
    /// # Errors
    /// [`EvmError::JournalBusy`]: another process adds to it, or did so since it was read.
    pub(crate) fn lock(&mut self) -> Result<(), EvmError> {
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        let busy = || EvmError::JournalBusy { path: path.clone() };
        let file = fs::File::open(&path).map_err(failed(&path))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => busy(),
            TryLockError::Error(error) => failed(&path)(error),
        })?;
        // Each change makes a new file: that the lock is on the one that was read is seen from what stands there now.
        if !self.is_current()? {
            return Err(busy());
        }
        self.locked = Some(file);
        Ok(())
    }

    /// Whether the file holds the transactions that were read or written last.
    fn is_current(&self) -> Result<bool, EvmError> {
        let Some(path) = &self.path else {
            return Ok(true);
        };
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.transactions.is_empty()),
            read => read.map_err(failed(path))?,
        };
        Ok(serde_json::from_slice::<File>(&bytes).is_ok_and(|file| file.transactions == self.file().transactions))
    }

    /// Writes a transaction down, on the disk when this returns.
    pub(crate) fn record(&mut self, transaction: Signed) -> Result<(), EvmError> {
        let is_first = self.transactions.is_empty();
        self.transactions.push(transaction);
        self.write(is_first)
    }

    fn write(&mut self, is_first: bool) -> Result<(), EvmError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let file = write(path, &self.file(), is_first, self.locked.is_some())?;
        if self.locked.is_some() {
            self.locked = Some(file);
        }
        Ok(())
    }

    fn file(&self) -> File {
        File {
            header: self.header.clone(),
            nonce: self.newest().map_or(0, Signed::nonce),
            transactions: self
                .transactions
                .iter()
                .map(|signed| Entry {
                    hash: signed.hash(),
                    raw: signed.raw().into(),
                })
                .collect(),
        }
    }

    /// Refuses a nonce that was asked for and is not the journal's.
    pub(crate) fn check_nonce(&self, asked: Option<u64>, got: u64) -> Result<(), EvmError> {
        match (asked, &self.path) {
            (Some(asked), Some(path)) if asked != got => Err(EvmError::JournalOther {
                path: path.clone(),
                what: "nonce",
                expected: asked.to_string().into(),
                got: got.to_string().into(),
            }),
            _ => Ok(()),
        }
    }

    /// Forgets the newest transaction, which is known never to have left this process. A journal that another process has
    /// added to stays as it is.
    pub(crate) fn forget(mut self) -> Result<(), EvmError> {
        if !self.is_current()? {
            return Ok(());
        }
        self.transactions.pop();
        if self.transactions.is_empty() {
            self.remove()
        } else {
            self.write(false)
        }
    }

    /// Forgets everything: the transaction failed, and no other can take its place.
    pub(crate) fn remove(self) -> Result<(), EvmError> {
        match &self.path {
            Some(path) => fs::remove_file(path).map_err(failed(path)),
            None => Ok(()),
        }
    }
}

/// Only the owner may read it: it says what the account is about to do. Where it is to be locked, it is so before it stands
/// under its name.
fn write(path: &Path, content: &File, is_new: bool, lock: bool) -> Result<fs::File, EvmError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || {
        let mut file = NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        if lock {
            file.as_file().lock()?;
        }
        // Of two processes that start at once, only one may go on.
        let persisted = if is_new {
            file.persist_noclobber(path)
        } else {
            file.persist(path)
        };
        let file = persisted.map_err(|error| error.error)?;
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        Ok(file)
    };
    written().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => EvmError::JournalExists { path: path.to_owned() },
        _ => failed(path)(error),
    })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> EvmError {
    move |source| EvmError::JournalFile {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path, bytes: &[u8], subject: &Subject<'_>) -> Result<Vec<Signed>, EvmError> {
    let damaged = |reason: String| EvmError::JournalDamaged {
        path: path.to_owned(),
        reason,
    };
    let file: File = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if file.header.format != FORMAT {
        return Err(damaged(format!("its format is {}, not {FORMAT}", file.header.format)));
    }
    let other = |what, expected: String, got: String| EvmError::JournalOther {
        path: path.to_owned(),
        what,
        expected: expected.into(),
        got: got.into(),
    };
    let chain = |id: u64, genesis: B256| format!("chain {id} that begins with block {genesis}");
    let got = chain(file.header.chain_id, file.header.genesis);
    let expected = chain(subject.chain_id, subject.genesis);
    if got != expected {
        return Err(other("chain", expected, got));
    }
    let mut transactions: Vec<Signed> = Vec::new();
    for entry in &file.transactions {
        let envelope = TxEnvelope::decode_2718_exact(&entry.raw).map_err(|error| damaged(error.to_string()))?;
        if !matches!(envelope, TxEnvelope::Legacy(_) | TxEnvelope::Eip1559(_)) {
            return Err(damaged("a transaction is of a kind that is never sent".to_owned()));
        }
        let sender = envelope
            .signature()
            .recover_address_from_prehash(&envelope.signature_hash())
            .map_err(|error| damaged(error.to_string()))?;
        let signed = Signed(envelope);
        if sender != file.header.sender || signed.hash() != entry.hash || signed.nonce() != file.nonce {
            return Err(damaged("a transaction is not the one that it says".to_owned()));
        }
        if signed.0.chain_id() != Some(subject.chain_id) {
            return Err(damaged("a transaction is for another chain".to_owned()));
        }
        if sender != subject.sender {
            return Err(other("sender", subject.sender.to_string(), sender.to_string()));
        }
        let intent = subject.intent;
        let is_same = signed.0.to() == intent.to && signed.0.input() == &intent.input && signed.0.value().is_zero();
        if !is_same {
            let describe = |to: Option<Address>, input: &[u8]| {
                let to = to.map_or_else(|| "no address (a creation)".to_owned(), |to| to.to_string());
                format!("{} bytes with hash {} to {to}", input.len(), keccak256(input))
            };
            return Err(other(
                "purpose",
                describe(intent.to, &intent.input),
                describe(signed.0.to(), signed.0.input()),
            ));
        }
        transactions.push(signed);
    }
    if transactions.is_empty() {
        return Err(damaged("it holds no transaction".to_owned()));
    }
    Ok(transactions)
}
