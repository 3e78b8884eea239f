//! zkverdict-tests
