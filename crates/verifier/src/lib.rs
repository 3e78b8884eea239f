//! zkverdict-verifier
