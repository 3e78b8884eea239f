//! Where the gas of a transaction goes: every instruction of the verifier is counted with what it leads up to.
//!
//! | component | what is counted |
//! |---|---|
//! | transaction | what every transaction pays |
//! | calldata | 4 gas a zero byte, 16 another one; the rest up to the floor where that is more |
//! | key | reading the key's contract: `EXTCODESIZE`, `EXTCODECOPY` |
//! | transcript | `KECCAK256`, and the instructions that copy what it hashes |
//! | dispatch | everything else before a hash, and behind the last precompile: Solidity, and checks of arguments |
//! | inversion | calls of MODEXP |
//! | curve | calls of the additions and multiplications |
//! | pairing | the call of the pairing |
//! | arithmetic | everything else before a precompile: constraints, openings, and what the calls are given |
//!
//! The components add up to the transaction, gas for gas.

use alloy::primitives::Address;
use revm::{
    Inspector,
    bytecode::opcode,
    interpreter::{CallInputs, CallOutcome, Interpreter, interpreter_types::Jumps},
};
use serde::{Deserialize, Serialize};

use crate::{VerificationReport, simulator::TRANSACTION_BASE_GAS};

/// The gas of one transaction, by what it was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasComponents {
    /// What every transaction pays.
    pub transaction: u64,
    /// The calldata.
    pub calldata: u64,
    /// Reading the key's contract.
    pub key: u64,
    /// Hashing what the challenges depend on, and copying it for that.
    pub transcript: u64,
    /// Solidity's dispatch, and its checks of arguments.
    pub dispatch: u64,
    /// Inversion by MODEXP.
    pub inversion: u64,
    /// Constraints and openings, and what the precompiles are given.
    pub arithmetic: u64,
    /// Additions and multiplications of points.
    pub curve: u64,
    /// The pairing.
    pub pairing: u64,
}

impl GasComponents {
    /// Names and figures, in the order in which they are spent.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 9] {
        [
            ("transaction", self.transaction),
            ("calldata", self.calldata),
            ("dispatch", self.dispatch),
            ("key", self.key),
            ("transcript", self.transcript),
            ("inversion", self.inversion),
            ("field arithmetic", self.arithmetic),
            ("curve operations", self.curve),
            ("pairing", self.pairing),
        ]
    }

    /// The whole transaction.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, gas)| gas).sum()
    }
}

/// What a verification costs, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasReport {
    /// The transaction.
    pub verification: VerificationReport,
    /// Its gas, by what it was spent on.
    pub components: GasComponents,
    /// What no code around them can save: the transaction, its calldata, and the precompiles' own prices.
    pub floor: u64,
}

/// What an instruction belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Key,
    Hash,
    Copy,
    Precompile(u8),
    Other,
}

/// Counts the gas of the instructions of one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// The instruction that runs, and what was left before it.
    running: Option<(Part, u64)>,
    components: GasComponents,
    /// What was spent since the last hash, on copies and on everything else.
    copied: u64,
    other: u64,
    /// What the precompiles themselves took.
    precompiles: u64,
}

impl Meter {
    /// Ends the instruction that runs, with what is left behind it.
    fn settle(&mut self, left: u64) {
        let Some((part, before)) = self.running.take() else {
            return;
        };
        let gas = before.saturating_sub(left);
        let components = &mut self.components;
        match part {
            Part::Key => components.key += gas,
            Part::Hash => {
                components.transcript += gas + std::mem::take(&mut self.copied);
                components.dispatch += std::mem::take(&mut self.other);
            }
            Part::Copy => self.copied += gas,
            Part::Precompile(number) => {
                components.arithmetic += std::mem::take(&mut self.copied) + std::mem::take(&mut self.other);
                match number {
                    5 => components.inversion += gas,
                    8 => components.pairing += gas,
                    _ => components.curve += gas,
                }
            }
            Part::Other => self.other += gas,
        }
    }

    /// The components of a call that is over. Its last instruction costs nothing: it stops, or returns no more than is
    /// in memory.
    pub(crate) fn report(self, verification: VerificationReport) -> GasReport {
        let transaction = TRANSACTION_BASE_GAS;
        let paid = transaction + verification.calldata_gas;
        let missing = verification.floor_gas.saturating_sub(paid + verification.execution_gas);
        let calldata = verification.calldata_gas + missing;
        GasReport {
            components: GasComponents {
                transaction,
                calldata,
                dispatch: self.components.dispatch + self.copied + self.other,
                ..self.components
            },
            floor: transaction + calldata + self.precompiles,
            verification,
        }
    }
}

impl<CTX> Inspector<CTX> for Meter {
    fn step(&mut self, interpreter: &mut Interpreter, _context: &mut CTX) {
        let left = interpreter.gas.remaining();
        self.settle(left);
        let part = match interpreter.bytecode.opcode() {
            opcode::EXTCODESIZE | opcode::EXTCODECOPY => Part::Key,
            opcode::KECCAK256 => Part::Hash,
            opcode::CALLDATACOPY | opcode::MCOPY => Part::Copy,
            opcode::STATICCALL => precompile(interpreter),
            _ => Part::Other,
        };
        self.running = Some((part, left));
    }

    fn call_end(&mut self, _context: &mut CTX, inputs: &CallInputs, outcome: &mut CallOutcome) {
        if precompile_number(inputs.bytecode_address).is_some() {
            self.precompiles += outcome.gas().total_gas_spent();
        }
    }
}

/// What a call is for, by the address below the gas that it is given.
fn precompile(interpreter: &Interpreter) -> Part {
    let to = interpreter.stack.peek(1).ok();
    to.and_then(|word| precompile_number(Address::from_word(word.into())))
        .map_or(Part::Other, Part::Precompile)
}

/// The precompiles of BN254 and of inversion are at the addresses 5 to 8.
fn precompile_number(address: Address) -> Option<u8> {
    (5..=8).find(|number| address == Address::with_last_byte(*number))
}
