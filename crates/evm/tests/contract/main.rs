//! The generated contract as bytecode: in the embedded EVM, on anvil, and as forge's fixture.

mod anvil;
mod fixture;
mod inferences;
mod refusals;
mod support;
mod tamper;
