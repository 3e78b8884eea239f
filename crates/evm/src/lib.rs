//! zkverdict-evm
