//! What a bureau vouches for, signed so that a contract can check it (EIP-712).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::SignerSync as _,
    sol_types::{Eip712Domain, SolStruct as _, eip712_domain},
};
use serde::{Deserialize, Serialize};

use crate::{EvmError, KeySource};

mod typed {
    alloy::sol! {
        /// As `contracts/src/libraries/Attestations.sol` declares it.
        struct Attestation {
            address subject;
            uint256 modelId;
            uint256 modelVersion;
            uint256 inputCommitment;
            uint64 issuedAt;
            uint64 expiresAt;
        }
    }
}

/// A bureau's word that the inputs behind a commitment are the subject's, and true; for one contract on one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The contract that relies on it: EIP-712's verifying contract.
    pub contract: Address,
    /// Its chain.
    pub chain_id: u64,
    /// Whose data it is: the account that will use the proof.
    pub subject: Address,
    /// The model whose inputs they are, in the registry that the contract uses.
    pub model_id: U256,
    /// Its version.
    pub model_version: U256,
    /// The commitment to the inputs: a proof's public input.
    pub input_commitment: B256,
    /// From when on it holds, in seconds since 1970.
    pub issued_at: u64,
    /// From when on it no longer holds.
    pub expires_at: u64,
}

/// An attestation with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAttestation {
    /// What is attested.
    #[serde(flatten)]
    pub attestation: Attestation,
    /// Whose signature it is.
    pub bureau: Address,
    /// r, s and v: 65 bytes, s in the lower half, v 27 or 28.
    pub signature: Bytes,
}

impl Attestation {
    /// The hash that is signed.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let domain: Eip712Domain = eip712_domain! {
            name: "zkverdict attestation",
            version: "1",
            chain_id: self.chain_id,
            verifying_contract: self.contract,
        };
        typed::Attestation {
            subject: self.subject,
            modelId: self.model_id,
            modelVersion: self.model_version,
            inputCommitment: self.input_commitment.into(),
            issuedAt: self.issued_at,
            expiresAt: self.expires_at,
        }
        .eip712_signing_hash(&domain)
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`EvmError::AttestationForNobody`], [`EvmError::AttestationNeverHolds`]; there is no key, or it does not sign.
    pub fn sign(self, key: KeySource) -> Result<SignedAttestation, EvmError> {
        for (what, address) in [("subject", self.subject), ("contract", self.contract)] {
            if address.is_zero() {
                return Err(EvmError::AttestationForNobody { what });
            }
        }
        if self.expires_at <= self.issued_at {
            return Err(EvmError::AttestationNeverHolds {
                issued_at: self.issued_at,
                expires_at: self.expires_at,
            });
        }
        let key = key.open()?;
        let signature = key.sign_hash_sync(&self.digest()).map_err(|error| EvmError::Signing {
            reason: error.to_string(),
        })?;
        Ok(SignedAttestation {
            attestation: self,
            bureau: key.address(),
            signature: signature.as_bytes().to_vec().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy::{primitives::Signature, signers::local::PrivateKeySigner};

    use super::*;

    fn attestation() -> Attestation {
        Attestation {
            contract: Address::repeat_byte(0xc0),
            chain_id: 31_337,
            subject: Address::repeat_byte(0xa1),
            model_id: U256::from(2),
            model_version: U256::from(1),
            input_commitment: B256::with_last_byte(11),
            issued_at: 1,
            expires_at: 2,
        }
    }

    #[test]
    fn the_signature_is_the_bureaus_over_everything() {
        let key = PrivateKeySigner::random();
        let signed = attestation().sign(KeySource::Signer(key.clone())).unwrap();
        assert_eq!(signed.bureau, key.address());
        assert!(matches!(signed.signature[64], 27 | 28) && signed.signature.len() == 65);
        let signature = Signature::from_raw(&signed.signature).unwrap();
        assert!(signature.normalize_s().is_none(), "s is in the lower half");
        let signer = |attestation: &Attestation| signature.recover_address_from_prehash(&attestation.digest()).ok();
        assert_eq!(signer(&signed.attestation), Some(key.address()));
        let changes: [fn(&mut Attestation); 8] = [
            |a| a.contract = Address::repeat_byte(0xc1),
            |a| a.chain_id += 1,
            |a| a.subject = Address::repeat_byte(0xa2),
            |a| a.model_id += U256::from(1),
            |a| a.model_version += U256::from(1),
            |a| a.input_commitment = B256::with_last_byte(12),
            |a| a.issued_at += 1,
            |a| a.expires_at += 1,
        ];
        for change in changes {
            let mut other = attestation();
            change(&mut other);
            assert_ne!(signer(&other), Some(key.address()), "{other:?}");
        }
    }

    #[test]
    fn what_could_never_count_is_not_signed() {
        let sign = |change: fn(&mut Attestation)| {
            let mut attestation = attestation();
            change(&mut attestation);
            attestation
                .sign(KeySource::Signer(PrivateKeySigner::random()))
                .unwrap_err()
        };
        let error = sign(|a| a.subject = Address::ZERO);
        assert!(matches!(error, EvmError::AttestationForNobody { what: "subject" }));
        let error = sign(|a| a.contract = Address::ZERO);
        assert!(matches!(error, EvmError::AttestationForNobody { what: "contract" }));
        let error = sign(|a| a.expires_at = a.issued_at);
        assert!(matches!(error, EvmError::AttestationNeverHolds { .. }));
    }
}
