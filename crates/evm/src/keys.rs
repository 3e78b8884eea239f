//! Where the signing key comes from. Nothing here prints a secret, and what holds one is wiped when it is dropped.

use std::{env, fmt, fs, io, path::PathBuf};

use alloy::signers::local::PrivateKeySigner;
use zeroize::Zeroizing;

use crate::EvmError;

/// Asks a person for a secret: the argument says what for.
pub type Prompt = Box<dyn FnOnce(&str) -> io::Result<Zeroizing<String>> + Send>;

/// Where the password of a keystore comes from.
pub enum PasswordSource {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A person.
    Prompt(Prompt),
}

/// Where the signing key comes from.
pub enum KeySource {
    /// An encrypted keystore file (Web3 Secret Storage, as `cast wallet` and geth write it).
    Keystore {
        /// The file.
        path: PathBuf,
        /// Its password.
        password: PasswordSource,
    },
    /// A private key in hexadecimal in an environment variable.
    Environment(String),
    /// A private key in hexadecimal that a person enters.
    Prompt(Prompt),
    /// A signer that is there already, such as anvil's first account.
    Signer(PrivateKeySigner),
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Environment(variable) => f.debug_tuple("Environment").field(variable).finish(),
            Self::Prompt(_) => f.write_str("Prompt(..)"),
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keystore { path, password } => f
                .debug_struct("Keystore")
                .field("path", path)
                .field("password", password)
                .finish(),
            Self::Environment(variable) => f.debug_tuple("Environment").field(variable).finish(),
            Self::Prompt(_) => f.write_str("Prompt(..)"),
            Self::Signer(signer) => f.debug_tuple("Signer").field(&signer.address()).finish(),
        }
    }
}

impl KeySource {
    /// Gets the key.
    ///
    /// # Errors
    /// The variable is not set, the file cannot be read or opened, nothing was entered, or it is no key. No error holds
    /// any part of a secret.
    pub fn open(self) -> Result<PrivateKeySigner, EvmError> {
        match self {
            Self::Keystore { path, password } => {
                let password = password.open()?;
                PrivateKeySigner::decrypt_keystore(&path, password.as_bytes()).map_err(|error| EvmError::Keystore {
                    path,
                    reason: error.to_string(),
                })
            }
            Self::Environment(variable) => parse(&environment(variable, "private key")?, "environment variable"),
            Self::Prompt(prompt) => {
                let what = "private key";
                parse(
                    &prompt(what).map_err(|source| EvmError::Prompt { what, source })?,
                    "entered text",
                )
            }
            Self::Signer(signer) => Ok(signer),
        }
    }
}

impl PasswordSource {
    fn open(self) -> Result<Zeroizing<String>, EvmError> {
        let what = "keystore password";
        match self {
            Self::File(path) => {
                let text = fs::read_to_string(&path)
                    .map(Zeroizing::new)
                    .map_err(|source| EvmError::KeyFile { path, source })?;
                Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
            }
            Self::Environment(variable) => environment(variable, what),
            Self::Prompt(prompt) => prompt(what).map_err(|source| EvmError::Prompt { what, source }),
        }
    }
}

fn environment(variable: String, what: &'static str) -> Result<Zeroizing<String>, EvmError> {
    env::var(&variable)
        .ok()
        .filter(|value| !value.is_empty())
        .map(Zeroizing::new)
        .ok_or(EvmError::SecretMissing { variable, what })
}

fn parse(text: &Zeroizing<String>, origin: &'static str) -> Result<PrivateKeySigner, EvmError> {
    let malformed = || EvmError::KeyMalformed { origin };
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let mut bytes = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| malformed())?;
    PrivateKeySigner::from_slice(bytes.as_slice()).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn entered(text: &'static str) -> KeySource {
        KeySource::Prompt(Box::new(move |_| Ok(Zeroizing::new(text.to_owned()))))
    }

    #[test]
    fn opens_a_key_and_shows_none() {
        let signer = entered(KEY).open().unwrap();
        let shown = format!("{:?} {:?} {signer:?}", entered(KEY), KeySource::Signer(signer.clone()));
        assert!(!shown.to_lowercase().contains("ac0974bec39a17e3"), "{shown}");
        assert_eq!(entered(&KEY[2..]).open().unwrap().address(), signer.address());
    }

    #[test]
    fn refuses_what_is_no_key_without_repeating_it() {
        for text in [
            "",
            "0x",
            "secret",
            &KEY[..64],
            "00000000000000000000000000000000000000000000000000000000000000zz",
        ] {
            let owned = text.to_owned();
            let source = KeySource::Prompt(Box::new(move |_| Ok(Zeroizing::new(owned))));
            let error = source.open().unwrap_err();
            assert!(matches!(error, EvmError::KeyMalformed { .. }));
            assert!(text.is_empty() || text.len() < 3 || !format!("{error} {error:?}").contains(text));
        }
        let zero = "0x0000000000000000000000000000000000000000000000000000000000000000";
        assert!(matches!(entered(zero).open(), Err(EvmError::KeyMalformed { .. })));
        assert!(matches!(
            KeySource::Environment("ZKVERDICT_TEST_UNSET_VARIABLE".to_owned()).open(),
            Err(EvmError::SecretMissing { .. })
        ));
    }

    #[test]
    fn opens_a_keystore_with_the_right_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = entered(KEY).open().unwrap();
        let mut random = rand::thread_rng();
        eth_keystore_file(folder.path(), &mut random, &key);
        let source = |password: &'static str| KeySource::Keystore {
            path: folder.path().join("key.json"),
            password: PasswordSource::Prompt(Box::new(move |_| Ok(Zeroizing::new(password.to_owned())))),
        };
        assert_eq!(source("right").open().unwrap().address(), key.address());
        assert!(matches!(source("wrong").open(), Err(EvmError::Keystore { .. })));
    }

    fn eth_keystore_file(folder: &std::path::Path, random: &mut rand::rngs::ThreadRng, key: &PrivateKeySigner) {
        PrivateKeySigner::encrypt_keystore(folder, random, key.to_bytes(), "right", Some("key.json")).unwrap();
    }
}
