//! zkverdict-srs
