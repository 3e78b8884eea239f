//! A real anvil for as long as a value lives.

use std::{fmt, path::PathBuf};

use alloy::{
    node_bindings::{Anvil as Builder, AnvilInstance},
    signers::local::PrivateKeySigner,
};
use zkverdict_solidity::{find_program, tools_folder};

use crate::{ChainTarget, EvmError, KeySource};

/// The rules that anvil runs under unless told otherwise.
const HARDFORK: &str = "osaka";
/// How long anvil may take to start, in milliseconds.
const START_TIMEOUT: u64 = 30_000;

/// How to start anvil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnvilOptions {
    /// The program; `None` looks in `ZKVERDICT_ANVIL`, `PATH` and the tools folder.
    pub program: Option<PathBuf>,
    /// The chain id; anvil's own is 31337.
    pub chain_id: Option<u64>,
    /// The rules of the chain, such as `berlin`; `None` is Osaka.
    pub hardfork: Option<String>,
    /// More arguments for anvil.
    pub arguments: Vec<String>,
}

/// A running anvil on a port of the OS's choice; it is stopped when this is dropped.
pub struct Anvil {
    instance: AnvilInstance,
}

impl fmt::Debug for Anvil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anvil")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

impl Anvil {
    /// Starts anvil and waits until it listens.
    ///
    /// # Errors
    /// No anvil was found, or it did not start.
    pub fn start(options: &AnvilOptions) -> Result<Self, EvmError> {
        let program = options
            .program
            .clone()
            .or_else(|| find_program("anvil", "ZKVERDICT_ANVIL"))
            .ok_or_else(|| EvmError::AnvilMissing { tools: tools_folder() })?;
        let mut builder = Builder::at(&program)
            .host("127.0.0.1")
            .timeout(START_TIMEOUT)
            .args(["--hardfork", options.hardfork.as_deref().unwrap_or(HARDFORK)]);
        if let Some(chain_id) = options.chain_id {
            builder = builder.chain_id(chain_id);
        }
        let instance = builder
            .args(&options.arguments)
            .keep_stdout()
            .try_spawn()
            .map_err(|error| EvmError::AnvilStart {
                path: program,
                reason: error.to_string(),
            })?;
        let mut anvil = Self { instance };
        anvil.drain();
        Ok(anvil)
    }

    /// Reads what anvil prints, so that it never waits for a reader.
    fn drain(&mut self) {
        if let Some(mut output) = self.instance.child_mut().stdout.take() {
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        }
    }

    /// The RPC's address.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.instance.endpoint()
    }

    /// The process's id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.instance.child().id()
    }

    /// The chain behind it.
    #[must_use]
    pub fn target(&self) -> ChainTarget {
        ChainTarget {
            expected_chain_id: Some(self.instance.chain_id()),
            ..ChainTarget::new(self.endpoint())
        }
    }

    /// The key of one of its funded accounts, counted from zero; there are ten.
    #[must_use]
    pub fn key(&self, index: usize) -> Option<KeySource> {
        self.instance
            .nth_key(index)
            .map(|key| KeySource::Signer(PrivateKeySigner::from(key.clone())))
    }
}
