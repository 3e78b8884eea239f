//! The generated contract as bytecode: in the embedded EVM, on anvil, and as forge's fixture.

mod anvil;
mod compact;
mod fixture;
mod refusals;
mod support;
mod tamper;
