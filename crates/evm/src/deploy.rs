//! Puts a contract on a chain, by CREATE2 at an address that everybody can compute, or by CREATE.

use alloy::primitives::{Address, B256, Bytes, address, b256, keccak256};
use serde::{Deserialize, Serialize};
use zkverdict_solidity::{CODE_SIZE_LIMIT, CompiledVerifier, SolidityError, compact::key_init_code};

use crate::{
    Account, Attendant, ChainTarget, EvmError, Intent, KeySource, Quote, Receipt, SendOptions, SrsPolicy,
    chain::Connection, code_hash, key_code_hash,
};

/// The contract that creates what it is sent by CREATE2; the same on every chain, and what `forge script` uses.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// keccak256 of its code.
pub const CREATE2_DEPLOYER_CODE: B256 = b256!("2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989");

/// How a contract gets its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// From the account and its nonce.
    Create,
    /// From the salt and the init code alone.
    Create2 {
        /// The salt.
        salt: B256,
    },
}

impl Default for Placement {
    fn default() -> Self {
        Self::Create2 { salt: B256::ZERO }
    }
}

/// A contract to deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployRequest {
    /// The init code, with the constructor's arguments.
    pub init_code: Bytes,
    /// keccak256 of the code that it must leave.
    pub code_hash: B256,
    /// Bytes of that code.
    pub code_bytes: usize,
    /// How it gets its address.
    pub placement: Placement,
    /// What it is sent for, for messages.
    pub purpose: &'static str,
}

/// A contract that stands where it should, or what it would take to put it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Deployed<T = Receipt> {
    /// It took or takes a transaction.
    Now(T),
    /// It was there before, and nothing is sent.
    Before {
        /// Where it stands.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
}

impl Deployed {
    /// Where it stands.
    #[must_use]
    pub const fn address(&self) -> Address {
        match self {
            Self::Now(receipt) => receipt.address,
            Self::Before { address, .. } => *address,
        }
    }

    /// The transaction's receipt, if one was necessary.
    #[must_use]
    pub const fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Now(receipt) => Some(receipt),
            Self::Before { .. } => None,
        }
    }
}

impl DeployRequest {
    /// The deployment of a verifier.
    #[must_use]
    pub fn new(verifier: &CompiledVerifier, placement: Placement) -> Self {
        Self {
            init_code: verifier.init_code.clone().into(),
            code_hash: code_hash(verifier),
            code_bytes: verifier.runtime_code.len(),
            placement,
            purpose: "deploying the verifier",
        }
    }

    /// The deployment of a key's contract.
    #[must_use]
    pub fn key(key: &[u8], placement: Placement) -> Self {
        Self {
            init_code: key_init_code(key).into(),
            code_hash: key_code_hash(key),
            code_bytes: key.len() + 1,
            placement,
            purpose: "deploying the key",
        }
    }

    /// The deployment of a verifier, and then that of its key where they stand apart.
    #[must_use]
    pub fn all(verifier: &CompiledVerifier, placement: Placement) -> Vec<Self> {
        let key = verifier.key.as_deref().map(|key| Self::key(key, placement));
        [Self::new(verifier, placement)].into_iter().chain(key).collect()
    }

    /// Where it will stand, if that does not depend on who deploys it.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self.placement {
            Placement::Create => None,
            Placement::Create2 { salt } => Some(CREATE2_DEPLOYER.create2_from_code(salt, &self.init_code)),
        }
    }

    fn intent(&self) -> Intent {
        match self.placement {
            Placement::Create => Intent::create(self.init_code.clone(), self.purpose),
            Placement::Create2 { salt } => Intent {
                contract: self.address(),
                ..Intent::call(
                    CREATE2_DEPLOYER,
                    [salt.as_slice(), &self.init_code].concat(),
                    self.purpose,
                )
            },
        }
    }

    /// Where the contract stands already. It is an error if it cannot be put where it should.
    async fn check(&self, connection: &Connection) -> Result<Option<Address>, EvmError> {
        if self.code_bytes > CODE_SIZE_LIMIT {
            return Err(SolidityError::CodeTooLarge {
                limit: CODE_SIZE_LIMIT,
                got: self.code_bytes,
            }
            .into());
        }
        let Some(address) = self.address() else {
            return Ok(None);
        };
        if !connection.code(address).await?.is_empty() {
            self.check_code(connection, address).await?;
            return Ok(Some(address));
        }
        let code = connection.code(CREATE2_DEPLOYER).await?;
        let got = keccak256(&code);
        if got != CREATE2_DEPLOYER_CODE {
            return Err(EvmError::NoDeployer {
                address: CREATE2_DEPLOYER,
                chain_id: connection.chain_id(),
                got: (!code.is_empty()).then_some(got),
            });
        }
        Ok(None)
    }

    async fn check_code(&self, connection: &Connection, address: Address) -> Result<(), EvmError> {
        let (expected, got) = (self.code_hash, keccak256(connection.code(address).await?));
        if expected == got {
            Ok(())
        } else {
            Err(EvmError::OtherCode { address, expected, got })
        }
    }
}

/// Deploys contracts one after the other and checks that exactly their code stands at the addresses. What stands there already
/// is not sent again.
///
/// A nonce in `options` is the first transaction's, a journal the first contract's; those after have the next nonces, and
/// journals with a number behind the name.
///
/// # Errors
/// The chain is another than expected, may not get this artifact, or has no deployer; the key cannot be opened; a
/// transaction cannot be sent, fails, or leaves other code. See [`Account::send`].
pub async fn deploy(
    target: &ChainTarget,
    key: KeySource,
    requests: &[DeployRequest],
    policy: SrsPolicy,
    options: &SendOptions,
    attendant: &mut dyn Attendant,
) -> Result<Vec<Deployed>, EvmError> {
    // What the chain is decides whether the key is needed at all.
    let connection = Connection::open(target).await?;
    connection.check_srs(policy)?;
    let chain_id = connection.chain_id();
    let mut standing = Vec::with_capacity(requests.len());
    for request in requests {
        standing.push(request.check(&connection).await?);
    }
    let before = |address| Deployed::Before { address, chain_id };
    if let Some(addresses) = standing.iter().copied().collect::<Option<Vec<_>>>() {
        return Ok(addresses.into_iter().map(before).collect());
    }
    let account = Account::on(connection, key)?;
    let mut deployed = Vec::with_capacity(requests.len());
    let mut nonce = options.nonce;
    for (number, (request, standing)) in requests.iter().zip(standing).enumerate() {
        if let Some(address) = standing {
            deployed.push(before(address));
            continue;
        }
        let options = SendOptions {
            nonce,
            journal: options.journal.numbered(number),
            ..options.clone()
        };
        nonce = nonce.map(|nonce| nonce + 1);
        let sent = account.send(&request.intent(), &options, attendant).await;
        deployed.push(match (sent, request.address()) {
            (Ok(receipt), _) => {
                request.check_code(account.connection(), receipt.address).await?;
                Deployed::Now(receipt)
            }
            // Somebody else may have put the same contract there in the meantime.
            (Err(EvmError::Reverted { .. }), Some(address))
                if request.check_code(account.connection(), address).await.is_ok() =>
            {
                before(address)
            }
            (Err(error), _) => return Err(error),
        });
    }
    Ok(deployed)
}

/// Asks the chain what deployments would cost. Needs no key and changes nothing.
///
/// # Errors
/// As [`deploy`], keys and sending aside.
pub async fn quote_deploy(
    target: &ChainTarget,
    requests: &[DeployRequest],
    options: &SendOptions,
) -> Result<Vec<Deployed<Quote>>, EvmError> {
    let connection = Connection::open(target).await?;
    let chain_id = connection.chain_id();
    let sender = options.sender.unwrap_or_default();
    let mut quotes = Vec::with_capacity(requests.len());
    for request in requests {
        quotes.push(match request.check(&connection).await? {
            Some(address) => Deployed::Before { address, chain_id },
            None => Deployed::Now(connection.quote(sender, &request.intent(), options).await?),
        });
    }
    Ok(quotes)
}
