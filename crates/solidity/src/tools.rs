//! Finds the pinned programs: solc, anvil, forge.
//!
//! Order: what the caller names, the program's environment variable, `PATH`, the tools folder that
//! `scripts/tools/install` fills. A program that somebody named is used or refused, never passed over; a solc of another
//! version on `PATH` is passed over.

use std::{
    env,
    path::{Path, PathBuf},
};

use foundry_compilers::solc::Solc;
use semver::Version;

use crate::SolidityError;

/// The version of solc that every contract is compiled with; the pin in `scripts/tools/package.json` is the same.
pub const SOLC_VERSION: Version = Version::new(0, 8, 34);

/// Which solc to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SolcChoice {
    /// A solc that was named on the command line; `None` searches.
    pub path: Option<PathBuf>,
}

/// The folder that `scripts/tools/install` fills: `ZKVERDICT_TOOLS`, else `zkverdict/tools` in the user's cache.
#[must_use]
pub fn tools_folder() -> PathBuf {
    if let Some(folder) = env::var_os("ZKVERDICT_TOOLS").filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder);
    }
    cache_folder().join("tools")
}

/// `zkverdict` in the user's cache.
#[must_use]
pub fn cache_folder() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let home = || {
        env::var_os("HOME")
            .map(PathBuf::from)
            .unwrap_or_default()
            .join(".cache")
    };
    cache.unwrap_or_else(home).join("zkverdict")
}

/// Looks for a program: in the environment variable, on `PATH`, in the tools folder. Does not run it.
#[must_use]
pub fn find_program(name: &str, variable: &str) -> Option<PathBuf> {
    named(variable).or_else(|| on_path(name)).or_else(|| in_tools(name))
}

/// Finds a solc of the pinned version.
///
/// # Errors
/// None was found; the one that was named does not run or has another version.
pub fn find_solc(choice: &SolcChoice) -> Result<Solc, SolidityError> {
    if let Some(path) = choice.path.clone().or_else(|| named("ZKVERDICT_SOLC")) {
        return open(&path);
    }
    on_path("solc")
        .into_iter()
        .chain(in_tools("solc"))
        .find_map(|path| open(&path).ok())
        .ok_or_else(|| SolidityError::SolcMissing {
            version: SOLC_VERSION,
            tools: tools_folder(),
        })
}

fn open(path: &Path) -> Result<Solc, SolidityError> {
    let version = Solc::version(path).map_err(|error| SolidityError::SolcUnusable {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let got = Version::new(version.major, version.minor, version.patch);
    if got != SOLC_VERSION || !version.pre.is_empty() {
        return Err(SolidityError::SolcVersion {
            path: path.to_owned(),
            expected: SOLC_VERSION,
            got: version,
        });
    }
    Ok(Solc::new_with_version(path, version))
}

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn in_tools(name: &str) -> Option<PathBuf> {
    Some(tools_folder().join("bin").join(name)).filter(|path| path.is_file())
}
