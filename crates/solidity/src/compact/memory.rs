//! The memory map: where everything stands, by name.

use std::fmt::Write as _;

use super::{
    graph::{CommonPolynomial, Leaf, Query},
    key, link,
    shape::{Polynomial, Shape},
};
use crate::layout::{WORD, WordKind};

/// The first byte of the map. Solidity's free memory starts at `0x80` in a fresh call; with code generation through the IR
/// it starts behind the variables that did not fit on the stack.
pub(super) const START: usize = 0x300;
/// Bytes of a point.
pub(super) const POINT: usize = 2 * WORD;
/// A denominator, and the product of those before it.
pub(super) const PAIR: usize = 2 * WORD;

/// A part of the proof that one hash absorbs, and the challenges that are squeezed after it.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Byte of the proof at which it starts.
    pub(super) offset: usize,
    pub(super) bytes: usize,
    /// Names of the challenges.
    pub(super) challenges: Vec<String>,
    /// Where it stands in memory. All but the first have the transcript's state in the word before.
    pub(super) address: usize,
}

/// Places and names.
#[derive(Clone, Debug)]
pub(super) struct MemoryMap {
    constants: Vec<(String, usize, String)>,
    next: usize,
    pub(super) blocks: Vec<Block>,
    challenges: Vec<String>,
}

fn signed(prefix: &str, rotation: i32) -> String {
    match rotation {
        0 => prefix.to_owned(),
        _ if rotation < 0 => format!("{prefix}_PREV_{}", -rotation),
        _ => format!("{prefix}_NEXT_{rotation}"),
    }
}

impl MemoryMap {
    /// Lays out the memory of a shape.
    pub(super) fn new(shape: &Shape) -> Self {
        let mut map = Self {
            constants: Vec::new(),
            // The word before the key takes the first byte of the key's contract.
            next: START + WORD,
            blocks: blocks(shape),
            challenges: challenge_names(shape),
        };
        map.key(shape);
        map.proof(shape);
        map.work(shape);
        map
    }

    fn place(&mut self, name: &str, bytes: usize, meaning: &str) {
        self.constants.push((name.to_owned(), self.next, meaning.to_owned()));
        self.next += bytes;
    }

    fn key(&mut self, shape: &Shape) {
        self.place("KEY", WORD, "the key, whose first word is the digest of its shape");
        self.place(
            "KEY_HEADER",
            WORD,
            "format, k, number of public inputs, exponents of powers of two",
        );
        self.place("KEY_TRANSCRIPT", WORD, "what the transcript starts with");
        self.place("OMEGA", WORD, "the domain's generator");
        self.place("OMEGA_INVERSE", WORD, "and its inverse");
        for index in 0..shape.graph.inverse_exponents.len() {
            self.place(&format!("INVERSE_POWER_{index}"), WORD, "an inverse power of two");
        }
        self.place(
            "WEIGHTS",
            WORD * key::weights(shape),
            "barycentric weights of the sets of rotations",
        );
        self.place("MINUS_TAU_G2", WORD * key::G2_WORDS, "second point of the second group");
        self.place(
            "KEY_POINTS",
            POINT * shape.fixed,
            "commitments to the fixed columns, as opened",
        );
        self.place(
            "GENERATOR",
            POINT + WORD,
            "of the first group, behind the key; factors are written behind their points",
        );
        self.place("SCALARS", WORD * (shape.fixed + 1), "factors of the points above");
    }

    fn proof(&mut self, shape: &Shape) {
        let mut blocks = std::mem::take(&mut self.blocks);
        for (index, block) in blocks.iter_mut().enumerate() {
            if index > 0 {
                self.place(
                    &format!("STATE_{index}"),
                    WORD,
                    "state of the transcript, then what it absorbs next",
                );
            }
            block.address = self.next;
            self.next += block.bytes;
        }
        self.blocks = blocks;
        let second = self.address("STATE_1");
        self.constants.push((
            "BUFFER".to_owned(),
            second,
            "the start of the transcript, before anything stands here or behind it".to_owned(),
        ));
        let places: Vec<(String, usize)> = (0..shape.witnesses)
            .map(|index| (format!("WITNESS_{index}"), POINT * index))
            .chain([("PIECES".to_owned(), POINT * shape.witnesses)])
            .chain(shape.evaluations.iter().enumerate().map(|(index, query)| {
                let offset = POINT * shape.leading_points() + WORD * index;
                (evaluation(shape, *query), offset)
            }))
            .chain([
                ("OPENING".to_owned(), opening_offset(shape)),
                ("LAST_POINT".to_owned(), opening_offset(shape) + POINT),
            ])
            .chain(link::places(shape))
            .collect();
        for (name, offset) in places {
            let address = self.proof_address(offset);
            self.constants.push((name, address, String::new()));
        }
    }

    fn work(&mut self, shape: &Shape) {
        for name in self.challenges.clone() {
            self.place(&name, WORD, "challenge");
        }
        self.place("INSTANCE", WORD, "the public inputs' polynomial at Z");
        self.place("QUOTIENT", WORD, "the quotient at Z");
        self.place("MODEXP", 6 * WORD, "input of the inversion, then its output");
        self.place(
            "SUM",
            POINT,
            "left side of the pairing; what is added to it stands behind it",
        );
        self.place(
            "TERM",
            10 * WORD,
            "a product; with SUM the input of an addition and of the pairing",
        );
        self.place("FACTOR", 3 * WORD, "a point and a scalar: input of a multiplication");
        self.place(
            "PIECE_STEP",
            WORD,
            "Z^n, the factor from one piece of the quotient to the next",
        );
        self.place("FIRST_SET", WORD, "product of the distances of the first set");
        self.place("FACTORS", WORD * key::weights(shape), "weights over their distances");
        if let Some(link) = &shape.link {
            self.place(
                "LINK_SUM",
                link::work_bytes(link),
                "what the registered model is hashed in, then added up in",
            );
        }
        for step in omega_steps(shape) {
            self.place(&omega_power(step.exponent), WORD, "power of OMEGA");
        }
        for step in over_z_steps(shape) {
            self.place(&over_z_power(step.exponent), WORD, "power of 1 / Z");
        }
        let rotations = shape.rotations();
        self.place(
            "INVERSES",
            0,
            "denominators, each with the product of those before it; then their inverses",
        );
        self.place("VANISHING", PAIR, "Z^n - 1");
        self.place("OVER_Z", PAIR, "Z");
        for rotation in &rotations {
            self.place(&signed("DISTANCE", *rotation), PAIR, "U - Z * OMEGA^rotation");
        }
        if shape.last_rows > 0 {
            self.place("LAST_DISTANCES", PAIR, "product of Z's distances from the last rows");
        }
        self.place(
            "FIRST_DISTANCES",
            PAIR,
            "product of Z's distances from the rows of the public inputs",
        );
        self.place(
            "LAST_ROW",
            WORD,
            "Lagrange polynomial at Z of the first one of the last rows",
        );
        self.place("LAST_ROWS", WORD, "sum of the Lagrange polynomials of the last rows");
        self.place("FIRST_ROW", WORD, "Lagrange polynomial of the first row");
        // What follows are shared values.
    }

    /// Reserves words without a name.
    pub(super) fn reserve(&mut self, words: usize) {
        self.next += WORD * words;
    }

    /// The first byte that is not taken.
    pub(super) fn end(&self) -> usize {
        self.next
    }

    /// Where a byte of the proof stands in memory.
    pub(super) fn proof_address(&self, offset: usize) -> usize {
        self.blocks
            .iter()
            .find(|block| (block.offset..block.offset + block.bytes).contains(&offset))
            .map_or(0, |block| block.address + offset - block.offset)
    }

    /// The name of what a constraint reads.
    pub(super) fn leaf(&self, shape: &Shape, leaf: Leaf) -> String {
        match leaf {
            Leaf::Common(CommonPolynomial::Identity) => "Z".to_owned(),
            Leaf::Common(CommonPolynomial::Lagrange(0)) => "FIRST_ROW".to_owned(),
            Leaf::Common(CommonPolynomial::Lagrange(_)) => "LAST_ROW".to_owned(),
            Leaf::LastRows(_) => "LAST_ROWS".to_owned(),
            Leaf::Polynomial(query) if shape.is_instance(query.poly) => "INSTANCE".to_owned(),
            Leaf::Polynomial(query) => evaluation(shape, query),
            Leaf::Challenge(index) => self.challenges.get(index).cloned().unwrap_or_default(),
            Leaf::Wide(index) => format!("INVERSE_POWER_{index}"),
        }
    }

    /// The address behind a name.
    pub(super) fn address(&self, name: &str) -> usize {
        let found = self.constants.iter().find(|(other, ..)| other == name);
        found.map_or(0, |(_, address, _)| *address)
    }

    /// The constants in Solidity.
    pub(super) fn solidity(&self) -> String {
        let mut text = String::new();
        for (name, address, meaning) in &self.constants {
            let comment = if meaning.is_empty() {
                String::new()
            } else {
                format!(" // {meaning}")
            };
            let _ = writeln!(text, "    uint256 private constant {name} = {address:#x};{comment}");
        }
        text
    }
}

/// Byte of the proof at which the opening's first point stands.
pub(super) fn opening_offset(shape: &Shape) -> usize {
    POINT * shape.leading_points() + WordKind::Scalar.bytes() * shape.evaluations.len()
}

/// The name of an evaluation.
pub(super) fn evaluation(shape: &Shape, query: Query) -> String {
    match shape.polynomial(query.poly) {
        Polynomial::Fixed(index) => signed(&format!("FIXED_{index}_AT"), query.rotation),
        Polynomial::Witness(index) => signed(&format!("WITNESS_{index}_AT"), query.rotation),
        Polynomial::Quotient => "QUOTIENT".to_owned(),
    }
}

/// The name of a power of the generator, where it is in memory.
pub(super) fn omega_power(rotation: i32) -> String {
    match rotation {
        1 => "OMEGA".to_owned(),
        -1 => "OMEGA_INVERSE".to_owned(),
        _ => signed("OMEGA_POWER", rotation),
    }
}

/// The name of a power of `1 / Z`.
pub(super) fn over_z_power(exponent: i32) -> String {
    match exponent {
        1 => "OVER_Z".to_owned(),
        _ => format!("OVER_Z_POWER_{exponent}"),
    }
}

/// A power as the product of two that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PowerStep {
    pub(super) exponent: i32,
    pub(super) left: i32,
    pub(super) right: i32,
}

/// Powers of the generator that the rotations need, beyond the ones in the key.
pub(super) fn omega_steps(shape: &Shape) -> Vec<PowerStep> {
    let mut targets = shape.rotations();
    targets.retain(|rotation| *rotation != 0);
    power_steps(&[1, -1], targets)
}

/// Powers of `1 / Z` that the sets need.
pub(super) fn over_z_steps(shape: &Shape) -> Vec<PowerStep> {
    let sizes = shape.sets.iter().map(|set| set.rotations.len());
    let exponents = sizes.filter_map(|size| i32::try_from(size).ok().map(|size| size - 1));
    power_steps(&[1], exponents.filter(|exponent| *exponent > 0).collect())
}

fn power_steps(given: &[i32], mut targets: Vec<i32>) -> Vec<PowerStep> {
    fn make(exponent: i32, known: &mut Vec<i32>, steps: &mut Vec<PowerStep>) {
        if known.contains(&exponent) {
            return;
        }
        let found = known.iter().copied().find(|left| known.contains(&(exponent - left)));
        let left = found.unwrap_or(exponent / 2);
        make(left, known, steps);
        make(exponent - left, known, steps);
        known.push(exponent);
        steps.push(PowerStep {
            exponent,
            left,
            right: exponent - left,
        });
    }
    let (mut known, mut steps) = (given.to_vec(), Vec::new());
    targets.sort_by_key(|exponent| (exponent.abs(), *exponent));
    for target in targets {
        make(target, &mut known, &mut steps);
    }
    steps
}

/// The name of a distance.
pub(super) fn distance(rotation: i32) -> String {
    signed("DISTANCE", rotation)
}

fn challenge_names(shape: &Shape) -> Vec<String> {
    // The last four are halo2's own.
    let count = shape.challenges();
    let mut names: Vec<String> = (0..count).map(|index| format!("CHALLENGE_{index}")).collect();
    if let [.., theta, beta, gamma, y] = names.as_mut_slice() {
        for (name, standard) in [(theta, "THETA"), (beta, "BETA"), (gamma, "GAMMA"), (y, "Y")] {
            standard.clone_into(name);
        }
    }
    names.extend(["Z", "MU", "NU", "U"].map(str::to_owned));
    if shape.link.is_some() {
        names.extend(link::CHALLENGES.map(str::to_owned));
    }
    names
}

/// The transcript's blocks, with no place in memory yet.
fn blocks(shape: &Shape) -> Vec<Block> {
    let mut names = challenge_names(shape).into_iter();
    let mut steps: Vec<(usize, usize)> = shape
        .rounds
        .iter()
        .map(|round| (POINT * round.points, round.challenges))
        .collect();
    steps.push((POINT * shape.pieces, 1));
    steps.push((WORD * shape.evaluations.len(), 2));
    steps.push((POINT, 1));
    steps.push((POINT, 0));
    if let Some(link) = &shape.link {
        steps.extend([(POINT * link.columns, 1), (POINT, 1), (POINT, 1)]);
    }
    let mut blocks: Vec<Block> = Vec::new();
    let mut offset = 0;
    for (bytes, challenges) in steps {
        let challenges: Vec<String> = names.by_ref().take(challenges).collect();
        match blocks.last_mut() {
            // Nothing is absorbed, or nothing was squeezed since.
            Some(block) if bytes == 0 || block.challenges.is_empty() => {
                block.bytes += bytes;
                block.challenges.extend(challenges);
            }
            _ => blocks.push(Block {
                offset,
                bytes,
                challenges,
                address: 0,
            }),
        }
        offset += bytes;
    }
    blocks
}
