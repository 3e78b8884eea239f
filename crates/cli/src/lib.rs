//! zkverdict-cli
