//! zkverdict
