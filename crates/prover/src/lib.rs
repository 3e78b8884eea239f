//! zkverdict-prover
