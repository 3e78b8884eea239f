//! zkverdict-solidity
