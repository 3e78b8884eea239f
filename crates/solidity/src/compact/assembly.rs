//! The assembly that turns a proof into one side of a pairing, step by step.

use std::fmt::Write as _;

use zkverdict_verifier::ModelLink;

use super::{
    graph::{Emitter, Query},
    link,
    memory::{
        MemoryMap, POINT, PowerStep, distance, evaluation, omega_power, omega_steps, opening_offset, over_z_power,
        over_z_steps,
    },
    shape::{Polynomial, QuerySet, Shape},
};
use crate::layout::{WORD, WordKind};

/// What the code of a shape consists of.
pub(super) struct Assembly {
    /// The memory map as Solidity constants.
    pub(super) constants: String,
    /// From the checked input to `SUM`, `SCALARS` and `LAST_POINT`.
    pub(super) fold: String,
    /// A byte behind everything of a proof without public inputs; each public input takes a word more.
    pub(super) end: usize,
}

/// Statements with their indentation.
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn add(&mut self, block: impl AsRef<str>) {
        for line in block.as_ref().lines() {
            let line = line.trim();
            if line.starts_with('}') {
                self.depth -= 1;
            }
            let _ = writeln!(self.text, "{:width$}{line}", "", width = 4 * self.depth);
            if line.ends_with('{') {
                self.depth += 1;
            }
        }
    }
}

/// Writes the code of a shape.
pub(super) fn assemble(shape: &Shape) -> Assembly {
    let mut map = MemoryMap::new(shape);
    let name = |leaf| map.leaf(shape, leaf);
    let numerator = Emitter::new(&shape.graph, map.end(), &name).emit();
    map.reserve(numerator.slots);
    let mut lines = Lines {
        text: String::new(),
        depth: 4,
    };
    transcript(&mut lines, &map);
    words(&mut lines, shape, &map);
    lines.add("{");
    denominators(&mut lines, shape);
    inversion(&mut lines, shape);
    lines.add("}");
    lagrange(&mut lines, shape);
    quotient(&mut lines, &numerator.statements);
    opening(&mut lines, shape, &map);
    if let Some(link) = &shape.link {
        lines.add(link::check(link));
    }
    let buffer = map.address("BUFFER") + WORD + map.blocks.first().map_or(0, |block| block.bytes);
    Assembly {
        constants: map.solidity(),
        fold: lines.text,
        end: map.end().max(buffer),
    }
}

/// Hashes the input and keeps it in memory.
fn transcript(lines: &mut Lines, map: &MemoryMap) {
    lines.add(
        "// Transcript: each block is hashed behind the state before it. A second challenge hashes the state again.
        {
        let state",
    );
    for (index, block) in map.blocks.iter().enumerate() {
        let (offset, bytes, address) = (block.offset, block.bytes, block.address);
        if index == 0 {
            lines.add(format!(
                "calldatacopy({address:#x}, proof, {bytes:#x})
                mstore(BUFFER, mload(KEY_TRANSCRIPT))
                calldatacopy(add(BUFFER, 0x20), inputs, shl(5, count))
                mcopy(add(add(BUFFER, 0x20), shl(5, count)), {address:#x}, {bytes:#x})
                state := keccak256(BUFFER, add({:#x}, shl(5, count)))",
                bytes + WORD
            ));
        } else {
            lines.add(format!(
                "mstore(STATE_{index}, state)
                calldatacopy({address:#x}, add(proof, {offset:#x}), {bytes:#x})"
            ));
            if !block.challenges.is_empty() {
                lines.add(format!("state := keccak256(STATE_{index}, {:#x})", bytes + WORD));
            }
        }
        for (position, challenge) in block.challenges.iter().enumerate() {
            if position > 0 {
                lines.add("state := squeeze_again(state)");
            }
            lines.add(format!("mstore({challenge}, mod(state, r))"));
        }
    }
    lines.add("}");
}

fn add_powers(lines: &mut Lines, steps: &[PowerStep], name: fn(i32) -> String) {
    for step in steps {
        lines.add(format!(
            "mstore({}, mulmod(mload({}), mload({}), r))",
            name(step.exponent),
            name(step.left),
            name(step.right)
        ));
    }
}

/// Checks the proof's words where they stand in memory. That a point is on the curve, the precompile that reads it says.
fn words(lines: &mut Lines, shape: &Shape, map: &MemoryMap) {
    const CHECKS: usize = 8;
    lines.add(
        "// Scalars are canonical. Points are not the identity, the only one whose y the precompiles read as zero.",
    );
    let scalars = (0..shape.evaluations.len()).map(|index| {
        let offset = POINT * shape.leading_points() + WordKind::Scalar.bytes() * index;
        format!("lt(mload({:#x}), r)", map.proof_address(offset))
    });
    let points = (0..shape.leading_points())
        .map(|index| POINT * index)
        .chain(
            (0..2 + shape.link.as_ref().map_or(0, ModelLink::points))
                .map(|index| opening_offset(shape) + POINT * index),
        )
        .map(|offset| format!("lt(0, mload({:#x}))", map.proof_address(offset) + WORD));
    let checks: Vec<String> = scalars.chain(points).collect();
    for checks in checks.chunks(CHECKS) {
        let all = checks
            .iter()
            .fold("ok".to_owned(), |all, one| format!("and({one}, {all})"));
        lines.add(format!("ok := {all}"));
    }
    if let Some(link) = &shape.link {
        lines.add(link::hash(link));
    }
}

/// Where the denominators stand, in the order of their products.
fn denominator_names(shape: &Shape) -> Vec<String> {
    let mut names = vec!["VANISHING".to_owned(), "OVER_Z".to_owned()];
    names.extend(shape.rotations().into_iter().map(distance));
    names.extend((shape.last_rows > 0).then(|| "LAST_DISTANCES".to_owned()));
    names.push("FIRST_DISTANCES".to_owned());
    names
}

/// Everything that must be inverted, and the products of what comes before.
fn denominators(lines: &mut Lines, shape: &Shape) {
    lines.add(
        "// What must be inverted, each with the product of those before it: Z^n - 1 and Z,
        let z := mload(Z)
        let product := z
        {
        let k := byte(1, mload(KEY_HEADER))
        if and(k, 1) {
        product := mulmod(z, z, r)
        }
        for { k := shr(1, k) } k { k := sub(k, 1) } {
        product := mulmod(product, product, r)
        product := mulmod(product, product, r)
        }
        }
        mstore(PIECE_STEP, product)
        // Where Z is zero this is no field element, but the product of all is zero, too.
        product := sub(product, 1)
        mstore(VANISHING, product)
        mstore(OVER_Z, z)
        mstore(add(OVER_Z, 0x20), product)
        product := mulmod(product, z, r)
        // the distances of U from the points that are opened,
        {
        let u := mload(U)
        let denominator",
    );
    add_powers(lines, &omega_steps(shape), omega_power);
    for rotation in shape.rotations() {
        let point = match rotation {
            0 => "z".to_owned(),
            _ => format!("mulmod(z, mload({}), r)", omega_power(rotation)),
        };
        let name = distance(rotation);
        lines.add(format!(
            "denominator := add(u, sub(r, {point}))
            mstore({name}, denominator)
            mstore(add({name}, 0x20), product)
            product := mulmod(product, denominator, r)"
        ));
    }
    lines.add("}");
    lines.add("{");
    add_product(
        lines,
        "all",
        shape
            .sets
            .first()
            .map(|set| set.rotations.as_slice())
            .unwrap_or_default(),
    );
    lines.add(
        "mstore(FIRST_SET, mod(all, r))
        }",
    );
    if shape.last_rows > 0 {
        last_rows(lines, shape.last_rows);
    }
    first_rows(lines);
}

/// `l_(-j)(Z) = c / t_j` with `t_j = Z * OMEGA^j - 1`: their sum as one fraction, and the last of them with the same
/// denominator.
fn last_rows(lines: &mut Lines, rows: usize) {
    lines.add(
        "// the distances of Z from the last rows: their product, and the numerator of the sum of their inverses,
        {
        let omega := mload(OMEGA)
        let point := z
        let denominator
        let numerator := 0
        let rest := 1",
    );
    for _ in 1..rows {
        lines.add(
            "point := mulmod(point, omega, r)
            denominator := sub(point, 1)
            numerator := add(mulmod(numerator, denominator, r), rest)
            rest := mulmod(rest, denominator, r)",
        );
    }
    lines.add(
        "denominator := sub(mulmod(point, omega, r), 1)
        mstore(LAST_ROWS, add(mulmod(numerator, denominator, r), rest))
        mstore(LAST_ROW, rest)
        denominator := mulmod(rest, denominator, r)
        mstore(LAST_DISTANCES, denominator)
        mstore(add(LAST_DISTANCES, 0x20), product)
        product := mulmod(product, denominator, r)
        }",
    );
}

/// The same for the rows of the public inputs, each with its input.
fn first_rows(lines: &mut Lines) {
    lines.add(
        "// and from those of the public inputs, which are the numerators there. Without any, calldata ends before them.
        {
        let omega := mload(OMEGA_INVERSE)
        let point := z
        let numerator := 0
        let rest := 1
        for { let at := add(inputs, 0x20) } lt(at, add(inputs, shl(5, count))) { at := add(at, 0x20) } {
        point := mulmod(point, omega, r)
        let input := calldataload(at)
        ok := and(lt(input, r), ok)
        let denominator := sub(point, 1)
        numerator := add(mulmod(numerator, denominator, r), mulmod(input, rest, r))
        rest := mulmod(rest, denominator, r)
        }
        point := calldataload(inputs)
        ok := and(lt(point, r), ok)
        let denominator := sub(z, 1)
        mstore(INSTANCE, add(mulmod(numerator, denominator, r), mulmod(point, rest, r)))
        mstore(FIRST_ROW, rest)
        denominator := mulmod(rest, denominator, r)
        mstore(FIRST_DISTANCES, denominator)
        mstore(add(FIRST_DISTANCES, 0x20), product)
        product := mulmod(product, denominator, r)
        }",
    );
}

/// One inversion for all, then back through the pairs.
fn inversion(lines: &mut Lines, shape: &Shape) {
    lines.add(
        "// Leave before the first precompile if a word is malformed.
        if iszero(ok) {
        break
        }
        stage := 1
        // One inversion: r - 2 is the exponent.
        mstore(MODEXP, 0x20)
        mstore(add(MODEXP, 0x20), 0x20)
        mstore(add(MODEXP, 0x40), 0x20)
        mstore(add(MODEXP, 0x60), product)
        mstore(add(MODEXP, 0x80), sub(r, 2))
        mstore(add(MODEXP, 0xa0), r)
        ok := staticcall(MODEXP_GAS, 5, MODEXP, 0xc0, MODEXP, 0x20)
        let inverse := mload(MODEXP)
        // Zero has no inverse, and a chain without the precompile gives none.
        if iszero(and(ok, eq(mulmod(inverse, product, r), 1))) {
        break
        }
        let denominator",
    );
    let names = denominator_names(shape);
    for (position, name) in names.iter().enumerate().rev() {
        lines.add(match position {
            0 => format!("mstore({name}, inverse)"),
            _ => format!(
                "denominator := mload({name})
                mstore({name}, mulmod(inverse, mload(add({name}, 0x20)), r))
                inverse := mulmod(inverse, denominator, r)"
            ),
        });
    }
}

/// The fractions with their common factor and denominators.
fn lagrange(lines: &mut Lines, shape: &Shape) {
    lines.add(
        "// Lagrange polynomials at Z, and the public inputs' polynomial: c = (Z^n - 1) / n, and 1 / n is r - (r - 1) / n.
        {
        let c := mulmod(sub(mload(PIECE_STEP), 1), sub(r, shr(byte(1, mload(KEY_HEADER)), sub(r, 1))), r)
        let scale",
    );
    let last = (shape.last_rows > 0).then_some(("LAST_DISTANCES", ["LAST_ROW", "LAST_ROWS"]));
    for (denominator, numerators) in last.into_iter().chain([("FIRST_DISTANCES", ["FIRST_ROW", "INSTANCE"])]) {
        lines.add(format!("scale := mulmod(c, mload({denominator}), r)"));
        for numerator in numerators {
            lines.add(format!("mstore({numerator}, mulmod(scale, mload({numerator}), r))"));
        }
    }
    lines.add("}");
}

/// The constraints at `Z`, divided by the vanishing polynomial.
fn quotient(lines: &mut Lines, numerator: &[String]) {
    lines.add(
        "// The constraints at Z, combined with powers of Y. Sums are reduced where they could leave a word.
        {
        let y := mload(Y)",
    );
    for statement in numerator {
        lines.add(statement);
    }
    lines.add(
        "mstore(QUOTIENT, mulmod(numerator, mload(VANISHING), r))
        }",
    );
}

/// Puts the product of what stands at the distances of some rotations into a new variable.
fn add_product(lines: &mut Lines, name: &str, rotations: &[i32]) {
    /// Each factor of an expression takes a word of the stack.
    const FACTORS: usize = 6;
    let read = |rotation: &i32| format!("mload({})", distance(*rotation));
    let (start, rest) = rotations.split_at(rotations.len().min(FACTORS));
    let product = start
        .iter()
        .map(read)
        .reduce(|product, factor| format!("mulmod({factor}, {product}, r)"));
    lines.add(format!("let {name} := {}", product.unwrap_or_else(|| "1".to_owned())));
    for rotation in rest {
        lines.add(format!("{name} := mulmod({name}, {}, r)", read(rotation)));
    }
}

/// SHPLONK: the openings of all polynomials as one point, up to the fixed columns' part.
fn opening(lines: &mut Lines, shape: &Shape, map: &MemoryMap) {
    lines.add("// Openings. Sets of polynomials are combined with powers of NU, those of a set with powers of MU.");
    lines.add("{");
    add_powers(lines, &over_z_steps(shape), over_z_power);
    lines.add(
        "let mu := mload(MU)
        // NU^i * FIRST_SET, and the sum of all evaluations.
        let power := mload(FIRST_SET)
        let constant := 0",
    );
    let fixed_order = shape.fixed_order();
    let mut first_weight = 0;
    for (index, set) in shape.sets.iter().enumerate() {
        lines.add(format!("// Set {index}: opened at rotations {:?}.", set.rotations));
        if index > 0 {
            lines.add("power := mulmod(power, mload(NU), r)");
        }
        lines.add("{");
        evaluations(lines, shape, map, set, first_weight);
        if set.rotations.len() > 1 {
            first_weight += set.rotations.len();
        }
        let mut polynomials = set.polynomials.as_slice();
        if index == 0 {
            // The first factor is one.
            if let Some((first, rest)) = polynomials.split_first() {
                if let Polynomial::Witness(witness) = shape.polynomial(*first) {
                    lines.add(format!("mcopy(SUM, WITNESS_{witness}, {POINT:#x})"));
                }
                polynomials = rest;
            }
            if !polynomials.is_empty() {
                lines.add("let scalar := mu");
            }
        } else {
            add_product(lines, "scalar", &set.rotations);
            lines.add("scalar := mulmod(scalar, power, r)");
        }
        for (position, poly) in polynomials.iter().enumerate() {
            if position > 0 {
                lines.add("scalar := mulmod(scalar, mu, r)");
            }
            match shape.polynomial(*poly) {
                Polynomial::Witness(witness) => {
                    lines.add(format!("ok := and(add_term(WITNESS_{witness}, scalar), ok)"));
                }
                Polynomial::Fixed(_) => {
                    let place = fixed_order.iter().position(|other| other == poly).unwrap_or_default();
                    lines.add(format!("mstore({:#x}, scalar)", map.address("SCALARS") + WORD * place));
                }
                Polynomial::Quotient => lines.add(format!(
                    "{{
                    // The pieces of the quotient, with powers of Z^n.
                    let piece := scalar
                    for {{ let at := PIECES }} 1 {{ }} {{
                    ok := and(add_term(at, piece), ok)
                    at := add(at, {POINT:#x})
                    if eq(at, {:#x}) {{ break }}
                    piece := mulmod(piece, mload(PIECE_STEP), r)
                    }}
                    }}",
                    map.address("PIECES") + POINT * shape.pieces
                )),
            }
        }
        lines.add("}");
    }
    lines.add(format!(
        "mstore({:#x}, sub(r, constant))
        ok := and(add_term(OPENING, sub(r, mload(FIRST_SET))), ok)
        ok := and(add_term(LAST_POINT, mload(U)), ok)
        }}",
        map.address("SCALARS") + WORD * shape.fixed
    ));
}

/// Adds a set's evaluations at `U` to `constant`: every polynomial is interpolated from its evaluations.
fn evaluations(lines: &mut Lines, shape: &Shape, map: &MemoryMap, set: &QuerySet, first_weight: usize) {
    let read = |poly, rotation| format!("mload({})", evaluation(shape, Query { poly, rotation }));
    if let &[rotation] = set.rotations.as_slice() {
        for (position, poly) in set.polynomials.iter().rev().enumerate() {
            let value = read(*poly, rotation);
            lines.add(match position {
                0 => format!("let sum := {value}"),
                _ => format!("sum := add(mulmod(sum, mu, r), {value})"),
            });
        }
        let scale = format!("mulmod(power, mload({}), r)", distance(rotation));
        lines.add(format!("constant := addmod(constant, mulmod(sum, {scale}, r), r)"));
        return;
    }
    let place = |name: &str, position: usize| map.address(name) + WORD * (first_weight + position);
    for (position, rotation) in set.rotations.iter().enumerate() {
        lines.add(format!(
            "mstore({:#x}, mulmod(mload({:#x}), mload({}), r))",
            place("FACTORS", position),
            place("WEIGHTS", position),
            distance(*rotation)
        ));
    }
    for (index, poly) in set.polynomials.iter().rev().enumerate() {
        let mut terms: Vec<String> = Vec::new();
        for (position, rotation) in set.rotations.iter().enumerate() {
            terms.push(format!(
                "mulmod(mload({:#x}), {}, r)",
                place("FACTORS", position),
                read(*poly, *rotation)
            ));
        }
        // Five times r fits into a word: at most four products beside what is there, three beside what is reduced first.
        let (start, rest) = terms.split_at(terms.len().min(4));
        let sum_of = |terms: &[String]| {
            let terms = terms.iter().cloned();
            terms
                .reduce(|sum, term| format!("add({term}, {sum})"))
                .unwrap_or_default()
        };
        let mut value = sum_of(start);
        if !rest.is_empty() {
            lines.add(format!("{}value := {value}", if index == 0 { "let " } else { "" }));
            for chunk in rest.chunks(3) {
                lines.add(format!("value := add(mod(value, r), {})", sum_of(chunk)));
            }
            "value".clone_into(&mut value);
        }
        lines.add(match index {
            0 => format!("let sum := {value}"),
            _ => format!("sum := add(mulmod(sum, mu, r), {value})"),
        });
    }
    let over_z = i32::try_from(set.rotations.len()).map_or_else(|_| String::new(), |size| over_z_power(size - 1));
    lines.add(format!(
        "constant := addmod(constant, mulmod(sum, mulmod(power, mload({over_z}), r), r), r)"
    ));
}
