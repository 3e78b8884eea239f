//! zkverdict-circuit
