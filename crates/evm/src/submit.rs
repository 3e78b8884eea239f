//! Sends one or several proofs to a deployed verifier, or tries them without sending.
//!
//! `verify` is a view function that reverts on failure, so a transaction that succeeded is the chain's statement that the
//! proof is valid, as long as the address holds the verifier: a call to an address without code succeeds always. The
//! code is therefore looked at first.

use alloy::primitives::{Address, B256, keccak256};

use crate::{
    Account, Attendant, ChainTarget, EvmError, Intent, KeySource, KnownProof, Quote, Receipt, SendOptions, SrsPolicy,
    chain::{About, Connection},
    encode_verify, encode_verify_batch, encode_verify_with,
};

/// A key's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyContract {
    /// Where it stands.
    pub address: Address,
    /// keccak256 of the code that must stand there.
    pub code_hash: B256,
}

/// Proofs for a deployed verifier, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitRequest {
    /// Where the verifier stands.
    pub address: Address,
    /// The key, for a verifier that does not hold its own.
    pub key: Option<KeyContract>,
    /// The proofs, all of one model.
    pub proofs: Vec<KnownProof>,
    /// keccak256 of the code that must stand at the address, if the artifact is at hand.
    pub expected_code_hash: Option<B256>,
}

impl SubmitRequest {
    fn intent(&self) -> Result<Intent, EvmError> {
        let (calldata, purpose) = match (self.key, self.proofs.as_slice()) {
            (_, []) => return Err(EvmError::NoProof),
            (Some(key), [one]) => (
                encode_verify_with(key.address, &one.proof, &one.public_inputs),
                "submitting the proof",
            ),
            (None, [one]) => (encode_verify(&one.proof, &one.public_inputs), "submitting the proof"),
            (Some(key), proofs) => (encode_verify_batch(key.address, proofs), "submitting the proofs"),
            (None, _) => return Err(EvmError::NoBatch),
        };
        Ok(Intent::call(self.address, calldata, purpose))
    }

    async fn check_code(&self, connection: &Connection) -> Result<(), EvmError> {
        check_address(connection, self.address, self.expected_code_hash).await?;
        match self.key {
            // Under a key of somebody else's choice a proof says nothing about this model.
            Some(key) => check_address(connection, key.address, Some(key.code_hash)).await,
            None => Ok(()),
        }
    }
}

async fn check_address(connection: &Connection, address: Address, expected: Option<B256>) -> Result<(), EvmError> {
    let code = connection.code(address).await?;
    if code.is_empty() {
        return Err(EvmError::NoCode {
            address,
            chain_id: connection.chain_id(),
        });
    }
    let got = keccak256(&code);
    match expected {
        Some(expected) if expected != got => Err(EvmError::OtherCode { address, expected, got }),
        _ => Ok(()),
    }
}

/// Sends the proofs and waits until the chain accepted them.
///
/// # Errors
/// No proof, or several for a verifier that holds its own key; the chain is another than expected or may not get this artifact; the address holds no code or other code; the key
/// cannot be opened; the transaction cannot be sent, or fails. See [`Account::send`].
pub async fn submit(
    target: &ChainTarget,
    key: KeySource,
    request: &SubmitRequest,
    policy: SrsPolicy,
    options: &SendOptions,
    attendant: &mut dyn Attendant,
) -> Result<Receipt, EvmError> {
    let intent = request.intent()?;
    let connection = Connection::open(target).await?;
    connection.check_srs(policy)?;
    request.check_code(&connection).await?;
    let account = Account::on(connection, key)?;
    account.send(&intent, options, attendant).await
}

/// Asks the chain whether it would accept the proofs, and at what cost. Needs no key and changes nothing.
///
/// # Errors
/// As [`submit`], keys and sending aside.
pub async fn dry_run(target: &ChainTarget, request: &SubmitRequest, options: &SendOptions) -> Result<Quote, EvmError> {
    let intent = request.intent()?;
    let connection = Connection::open(target).await?;
    request.check_code(&connection).await?;
    let sender = options.sender.unwrap_or_default();
    let about = About {
        account: sender,
        nonce: None,
        gas_limit: None,
        during: "trying the proofs",
    };
    connection.call(&intent.request(sender), about).await?;
    connection.quote(sender, &intent, options).await
}
