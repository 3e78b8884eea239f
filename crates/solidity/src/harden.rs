//! Closes the traps in the assembly that snark-verifier's EVM loader emits.
//!
//! The emitted body is a list of one-line statements. Each one is recognised, rewritten or passed through; a statement
//! that is not known is an error, and so is a count that differs from what the protocol says. What changes:
//!
//! | emitted | hardened | why |
//! |---|---|---|
//! | `mod(calldataload(p), f_q)` | load, require `< f_q`, store | `x` and `x + r` must not both verify |
//! | `calldataload(p)` from byte 0 | from the argument's place in the ABI calldata | `verify(bytes, uint256[])` |
//! | success tested at the very end | left as soon as the input is read, before the first precompile | one flipped bit must stay cheap |
//! | `staticcall(gas(), …)` | a bound per precompile | a failing precompile burns all it was given |
//! | pairing's output compared to 1 | its length first, then the output | a chain without the precompile returns nothing |
//! | `revert(0, 0)` | a stage number, from which Solidity makes a named error | the caller learns what is wrong |

use crate::{
    SolidityError,
    layout::{ProofLayout, WORD, WordKind},
};

/// Gas given to MODEXP: a 32-byte inversion costs 4,048 since Osaka (EIP-7883), times three.
pub const MODEXP_GAS: usize = 12_144;
/// Gas given to one point addition: 150 (EIP-1108), with room for repricing.
pub const EC_ADD_GAS: usize = 1_500;
/// Gas given to one scalar multiplication: 6,000 (EIP-1108), times three.
pub const EC_MUL_GAS: usize = 18_000;
/// Gas given to the pairing of two pairs: 45,000 + 34,000·2 (EIP-1108), times three.
pub const PAIRING_GAS: usize = 339_000;

/// The first byte of memory that the assembly may write: Solidity's free memory in a fresh call.
const FIRST_FREE_BYTE: usize = 0x80;
/// Where the bytes of `proof` start in canonical calldata: selector, two offsets, the length.
const PROOF_START: usize = 4 + 3 * WORD;

/// What the protocol says about the code that must come out of the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Public inputs, all in one instance column.
    pub public_inputs: usize,
    /// Points in a proof.
    pub points: usize,
    /// Scalars in a proof.
    pub scalars: usize,
}

/// The rewritten assembly and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardened {
    /// Yul statements for the inside of a `for {} 1 {} { … }` block that is left by `break`. They use `success`,
    /// `f_q`, `validate_ec_point` and set `stage` (see [`Stage`]).
    pub body: String,
    /// What the proof's words are, in the order in which they are read.
    pub layout: ProofLayout,
}

/// How far the assembly came when it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Some word of the input is malformed.
    Input = 0,
    /// A precompile failed.
    Precompile = 1,
    /// The pairing gave another result than one.
    Pairing = 2,
    /// The proof was accepted.
    Accepted = 3,
}

/// Rewrites the file that the EVM loader emitted.
///
/// # Errors
/// A frame, statement, count or order that is not the known one; see the module's documentation. Nothing is emitted
/// then.
pub fn harden(emitted: &str, expected: Expected) -> Result<Hardened, SolidityError> {
    let lines: Vec<&str> = emitted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let body = strip_frame(&lines)?;
    let mut rewriter = Rewriter::new(expected);
    for (index, statement) in body.iter().enumerate() {
        rewriter.statement(index + 1, statement)?;
    }
    rewriter.finish()
}

/// The lines before the body, exactly as the loader writes them; the two moduli are BN254's.
const PROLOGUE: &[&str] = &[
    "// SPDX-License-Identifier: MIT",
    "pragma solidity 0.8.19;",
    "contract Halo2Verifier {",
    "fallback(bytes calldata) external returns (bytes memory) {",
    "assembly (\"memory-safe\") {",
    "// Enforce that Solidity memory layout is respected",
    "let data := mload(0x40)",
    "if iszero(eq(data, 0x80)) {",
    "revert(0, 0)",
    "}",
    "let success := true",
    "let f_p := 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47",
    "let f_q := 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001",
    "function validate_ec_point(x, y) -> valid {",
    "{",
    "let x_lt_p := lt(x, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "let y_lt_p := lt(y, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "valid := and(x_lt_p, y_lt_p)",
    "}",
    "{",
    "let y_square := mulmod(y, y, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "let x_square := mulmod(x, x, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "let x_cube := mulmod(x_square, x, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "let x_cube_plus_3 := addmod(x_cube, 3, 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47)",
    "let is_affine := eq(x_cube_plus_3, y_square)",
    "valid := and(valid, is_affine)",
    "}",
    "}",
];

/// The lines after the body.
const EPILOGUE: &[&str] = &[
    "// Revert if anything fails",
    "if iszero(success) { revert(0, 0) }",
    "// Return empty bytes on success",
    "return(0, 0)",
    "}",
    "}",
    "}",
];

fn strip_frame<'a, 'b>(lines: &'b [&'a str]) -> Result<&'b [&'a str], SolidityError> {
    let rest = lines
        .strip_prefix(PROLOGUE)
        .ok_or(SolidityError::UnknownFrame { part: "first lines" })?;
    rest.strip_suffix(EPILOGUE)
        .ok_or(SolidityError::UnknownFrame { part: "last lines" })
}

/// Names that may stand in a statement which reads no input and calls nothing.
const HARMLESS: &[&str] = &[
    "let",
    "mstore",
    "mstore8",
    "mload",
    "mulmod",
    "addmod",
    "mod",
    "sub",
    "keccak256",
    "f_q",
    "hash",
    "result",
    "prod",
    "inv",
    "v",
];

struct Rewriter {
    expected: Expected,
    layout: ProofLayout,
    out: String,
    depth: usize,
    /// Bytes of the emitted calldata (public inputs, then the proof) that were read so far.
    read: usize,
    /// The point whose coordinates are being read: how many of them were.
    open_point: Option<usize>,
    checked: usize,
    calls: [usize; 4],
    /// Where the pairing wrote its result.
    pairing_output: Option<usize>,
    input_closed: bool,
    decided: bool,
}

impl Rewriter {
    fn new(expected: Expected) -> Self {
        Self {
            expected,
            layout: ProofLayout::default(),
            out: String::new(),
            depth: 0,
            read: 0,
            open_point: None,
            checked: 0,
            calls: [0; 4],
            pairing_output: None,
            input_closed: false,
            decided: false,
        }
    }

    fn emit(&mut self, statement: &str) {
        const BASE: usize = 16;
        self.out.extend(std::iter::repeat_n(' ', BASE + 4 * self.depth));
        self.out.push_str(statement);
        self.out.push('\n');
    }

    fn input_length(&self) -> usize {
        WORD * (self.expected.public_inputs + 2 * self.expected.points + self.expected.scalars)
    }

    fn statement(&mut self, line: usize, statement: &str) -> Result<(), SolidityError> {
        let unknown = || SolidityError::UnknownStatement {
            line,
            statement: statement.chars().take(200).collect(),
        };
        if self.decided {
            return Err(unknown());
        }
        self.close_input_when_read();
        if statement == "{" {
            self.emit("{");
            self.depth += 1;
        } else if statement == "}" {
            self.depth = self.depth.checked_sub(1).ok_or_else(unknown)?;
            self.emit("}");
        } else if let Some((pointer, offset)) = scalar_load(statement) {
            self.scalar(pointer, offset)?;
        } else if let Some((name, offset)) = coordinate_load(statement) {
            self.coordinate(name, offset).ok_or_else(unknown)??;
        } else if let Some(name) = coordinate_store(statement) {
            let wanted = match self.open_point {
                Some(1) => "x",
                Some(2) => "y",
                _ => return Err(unknown()),
            };
            if name != wanted {
                return Err(unknown());
            }
            self.emit(statement);
        } else if statement == "success := and(validate_ec_point(x, y), success)" {
            if self.open_point.take() != Some(2) {
                return Err(unknown());
            }
            self.checked += 1;
            self.emit(statement);
        } else if let Some(call) = Call::parse(statement) {
            self.call(line, &call).ok_or_else(unknown)??;
        } else if let Some(pointer) = decision(statement) {
            if self.pairing_output.is_none() || self.pairing_output != number(pointer) || self.depth != 0 {
                return Err(unknown());
            }
            self.decide(pointer);
        } else if is_harmless(statement) {
            self.emit(statement);
        } else {
            return Err(unknown());
        }
        Ok(())
    }

    /// Leaves the block on malformed input, at the first statement outside any block after the last word was read.
    fn close_input_when_read(&mut self) {
        if !self.input_closed && self.depth == 0 && self.read == self.input_length() && self.open_point.is_none() {
            self.input_closed = true;
            self.emit("// The whole input is read: leave before the first precompile if a word is malformed.");
            self.emit("if iszero(success) { break }");
            self.emit(&format!("stage := {}", Stage::Precompile as usize));
        }
    }

    fn advance(&mut self, offset: usize) -> Result<usize, SolidityError> {
        if offset != self.read {
            return Err(SolidityError::ReadOrder {
                expected: self.read,
                got: offset,
            });
        }
        self.read += WORD;
        Ok(self.calldata_position(offset))
    }

    /// Where a word of the emitted calldata (public inputs, then the proof) stands in the ABI's calldata.
    fn calldata_position(&self, offset: usize) -> usize {
        let instances = WORD * self.expected.public_inputs;
        let proof = WORD * (2 * self.expected.points + self.expected.scalars);
        if offset < instances {
            PROOF_START + proof + WORD + offset
        } else {
            PROOF_START + offset - instances
        }
    }

    fn scalar(&mut self, pointer: &str, offset: usize) -> Result<(), SolidityError> {
        let position = self.advance(offset)?;
        if offset < WORD * self.expected.public_inputs {
            self.layout.public_inputs += 1;
        } else {
            self.layout.push(WordKind::Scalar);
        }
        self.emit("{");
        self.depth += 1;
        self.emit(&format!("let v := calldataload({position:#x})"));
        self.emit(&format!("mstore({pointer}, v)"));
        self.emit("success := and(lt(v, f_q), success)");
        self.depth -= 1;
        self.emit("}");
        Ok(())
    }

    fn coordinate(&mut self, name: &str, offset: usize) -> Option<Result<(), SolidityError>> {
        let next = match (name, self.open_point) {
            ("x", None) => 1,
            ("y", Some(1)) => 2,
            _ => return None,
        };
        if offset < WORD * self.expected.public_inputs {
            return None;
        }
        Some(self.advance(offset).map(|position| {
            self.open_point = Some(next);
            if next == 1 {
                self.layout.push(WordKind::Point);
            }
            self.emit(&format!("let {name} := calldataload({position:#x})"));
        }))
    }

    fn call(&mut self, line: usize, call: &Call<'_>) -> Option<Result<(), SolidityError>> {
        if !self.input_closed {
            return Some(Err(SolidityError::PrecompileBeforeInput { line }));
        }
        if self.depth != 0 || self.calls[Precompile::Pairing.index()] != 0 {
            return None;
        }
        self.calls[call.precompile.index()] += 1;
        if call.precompile == Precompile::Pairing {
            self.pairing_output = number(call.output);
        }
        self.emit(&format!(
            "success := and(staticcall({}, {}, {}, {}, {}, {}), success)",
            call.precompile.gas(),
            call.address,
            call.input,
            call.input_length,
            call.output,
            call.output_length
        ));
        Some(Ok(()))
    }

    fn decide(&mut self, pointer: &str) {
        self.decided = true;
        self.emit("// A chain without the precompile succeeds and returns nothing.");
        self.emit("if iszero(and(eq(returndatasize(), 0x20), success)) { break }");
        self.emit(&format!(
            "stage := add({}, eq(mload({pointer}), 1))",
            Stage::Pairing as usize
        ));
        self.emit("break");
    }

    fn finish(self) -> Result<Hardened, SolidityError> {
        let count = |pattern, expected, got| {
            if expected == got {
                Ok(())
            } else {
                Err(SolidityError::PatternCount { pattern, expected, got })
            }
        };
        count("public input", self.expected.public_inputs, self.layout.public_inputs)?;
        count(
            "point of the proof",
            self.expected.points,
            self.layout.count(WordKind::Point),
        )?;
        count("point check", self.expected.points, self.checked)?;
        count(
            "scalar of the proof",
            self.expected.scalars,
            self.layout.count(WordKind::Scalar),
        )?;
        count("pairing", 1, self.calls[Precompile::Pairing.index()])?;
        count("final decision", 1, usize::from(self.decided))?;
        count("open block", 0, self.depth)?;
        for (pattern, precompile) in [
            ("inversion", Precompile::ModExp),
            ("point addition", Precompile::EcAdd),
            ("scalar multiplication", Precompile::EcMul),
        ] {
            let got = self.calls[precompile.index()];
            count(pattern, got.max(1), got)?;
        }
        Ok(Hardened {
            body: self.out,
            layout: self.layout,
        })
    }
}

/// The precompiled contracts that the loader calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precompile {
    ModExp,
    EcAdd,
    EcMul,
    Pairing,
}

impl Precompile {
    const fn index(self) -> usize {
        self as usize
    }

    const fn gas(self) -> usize {
        match self {
            Self::ModExp => MODEXP_GAS,
            Self::EcAdd => EC_ADD_GAS,
            Self::EcMul => EC_MUL_GAS,
            Self::Pairing => PAIRING_GAS,
        }
    }

    /// The precompile of an address, if the lengths of its input and output are the ones it must have.
    fn of(address: &str, input_length: &str, output_length: &str) -> Option<Self> {
        match (address, input_length, output_length) {
            ("0x5", "0xc0", "0x20") => Some(Self::ModExp),
            ("0x6", "0x80", "0x40") => Some(Self::EcAdd),
            ("0x7", "0x60", "0x40") => Some(Self::EcMul),
            ("0x8", "0x180", "0x20") => Some(Self::Pairing),
            _ => None,
        }
    }
}

struct Call<'a> {
    precompile: Precompile,
    address: &'a str,
    input: &'a str,
    input_length: &'a str,
    output: &'a str,
    output_length: &'a str,
}

impl<'a> Call<'a> {
    fn parse(statement: &'a str) -> Option<Self> {
        let arguments = between(statement, "success := and(eq(staticcall(gas(), ", "), 1), success)")?;
        let parts: Vec<&str> = arguments.split(", ").collect();
        let &[address, input, input_length, output, output_length] = parts.as_slice() else {
            return None;
        };
        if number(input)? < FIRST_FREE_BYTE || number(output)? < FIRST_FREE_BYTE {
            return None;
        }
        let precompile = Precompile::of(address, input_length, output_length)?;
        Some(Self {
            precompile,
            address,
            input,
            input_length,
            output,
            output_length,
        })
    }
}

fn between<'a>(text: &'a str, prefix: &str, suffix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_suffix(suffix)
}

/// A literal of the emitted code: decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<usize> {
    match text.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `mstore(P, mod(calldataload(O), f_q))`: the pointer as written, and the offset.
fn scalar_load(statement: &str) -> Option<(&str, usize)> {
    let inner = between(statement, "mstore(", "), f_q))")?;
    let (pointer, offset) = inner.split_once(", mod(calldataload(")?;
    (number(pointer)? >= FIRST_FREE_BYTE).then_some((pointer, number(offset)?))
}

/// `let x := calldataload(O)`, and the same for `y`.
fn coordinate_load(statement: &str) -> Option<(&str, usize)> {
    let inner = between(statement, "let ", ")")?;
    let (name, offset) = inner.split_once(" := calldataload(")?;
    matches!(name, "x" | "y").then_some((name, number(offset)?))
}

/// `mstore(P, x)`, and the same for `y`.
fn coordinate_store(statement: &str) -> Option<&str> {
    let (pointer, name) = between(statement, "mstore(", ")")?.split_once(", ")?;
    (matches!(name, "x" | "y") && number(pointer)? >= FIRST_FREE_BYTE).then_some(name)
}

/// `success := and(eq(mload(P), 1), success)`: the pointer as written.
fn decision(statement: &str) -> Option<&str> {
    let pointer = between(statement, "success := and(eq(mload(", "), 1), success)")?;
    (number(pointer)? >= FIRST_FREE_BYTE).then_some(pointer)
}

/// A statement that computes on memory and the scalar field only, and writes to free memory only.
fn is_harmless(statement: &str) -> bool {
    let known_form = if let Some(arguments) = statement
        .strip_prefix("mstore8(")
        .or_else(|| statement.strip_prefix("mstore("))
    {
        arguments
            .split_once(',')
            .and_then(|(pointer, _)| number(pointer))
            .is_some_and(|pointer| pointer >= FIRST_FREE_BYTE)
    } else {
        let target = statement.strip_prefix("let ").unwrap_or(statement);
        let name = target.split(" := ").next().unwrap_or(target);
        matches!(name, "hash" | "result" | "prod" | "inv" | "v")
    };
    let known_characters = statement
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '(' | ')' | ',' | ' ' | ':' | '='));
    known_form
        && known_characters
        && words(statement).all(|word| word.starts_with(|c: char| c.is_ascii_digit()) || HARMLESS.contains(&word))
        && statement.matches("mstore").count() <= 1
}

fn words(statement: &str) -> impl Iterator<Item = &str> {
    statement
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
