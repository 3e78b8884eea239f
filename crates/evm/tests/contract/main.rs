//! The generated contract as bytecode: in the embedded EVM, on anvil, and as forge's fixture.

mod anvil;
mod compact;
mod fixture;
mod inferences;
mod proxy;
mod refusals;
mod send;
mod support;
mod tamper;
