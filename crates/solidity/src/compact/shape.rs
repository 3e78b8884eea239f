//! What the constraint system fixes: everything that the code of a verifier depends on, and its digest.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use snark_verifier::util::hash::{Digest as _, Keccak256};
use zkverdict_verifier::{ModelLink, VerifyingKey};

use super::graph::{CommonPolynomial, Expression, Graph, Leaf, Query};
use crate::{
    SolidityError,
    layout::{ProofLayout, WordKind},
    reference::expected,
};

/// Points that are absorbed before a round's challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) points: usize,
    pub(super) challenges: usize,
}

/// Polynomials that are opened at the same rotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QuerySet {
    pub(super) rotations: Vec<i32>,
    pub(super) polynomials: Vec<usize>,
}

/// What a polynomial's commitment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polynomial {
    /// In the key, by its index in the protocol.
    Fixed(usize),
    /// In the proof.
    Witness(usize),
    /// The combination of the quotient's pieces.
    Quotient,
}

/// The shape of a protocol.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) rounds: Vec<Round>,
    pub(super) fixed: usize,
    pub(super) witnesses: usize,
    pub(super) pieces: usize,
    /// In the order of the proof.
    pub(super) evaluations: Vec<Query>,
    pub(super) sets: Vec<QuerySet>,
    pub(super) graph: Graph,
    /// How many Lagrange polynomials before the first row are used: that of the row `−m`, and the sum of `−m … −1`.
    pub(super) last_rows: usize,
    /// The index of the instance polynomial.
    instance: usize,
    /// The columns of a linked model.
    pub(super) link: Option<ModelLink>,
}

fn unsupported<T>(reason: &'static str) -> Result<T, SolidityError> {
    Err(SolidityError::UnsupportedProtocol { reason })
}

impl Shape {
    /// Reads the shape off a key's protocol.
    pub(super) fn new(key: &VerifyingKey) -> Result<Self, SolidityError> {
        let protocol = &key.protocol;
        expected(protocol)?;
        let foreign = || SolidityError::UnsupportedProtocol {
            reason: "its constraints cannot be read",
        };
        let json = serde_json::to_value(&protocol.quotient.numerator).map_err(|_| foreign())?;
        let numerator: Expression = serde_json::from_value(json).map_err(|_| foreign())?;
        if protocol.quotient.chunk_degree != 1 {
            return unsupported("its quotient's pieces are not of the domain's size");
        }
        if protocol.num_witness.len() != protocol.num_challenge.len() {
            return unsupported("its rounds of witnesses and of challenges do not match");
        }
        let rounds: Vec<Round> = protocol
            .num_witness
            .iter()
            .zip(&protocol.num_challenge)
            .map(|(&points, &challenges)| Round { points, challenges })
            .collect();
        let queries = |list: &mut dyn Iterator<Item = (usize, i32)>| -> Vec<Query> {
            list.map(|(poly, rotation)| Query { poly, rotation }).collect()
        };
        let evaluations = queries(&mut protocol.evaluations.iter().map(|query| (query.poly, query.rotation.0)));
        let opened = queries(&mut protocol.queries.iter().map(|query| (query.poly, query.rotation.0)));
        let graph = Graph::new(&numerator);
        let mut last_rows = Vec::new();
        let instance = protocol.preprocessed.len();
        for leaf in graph.leaves() {
            match leaf {
                Leaf::Common(CommonPolynomial::Lagrange(row)) if row > 0 => {
                    return unsupported("a constraint picks a row other than the first or the last ones");
                }
                Leaf::Common(CommonPolynomial::Lagrange(row)) if row < 0 => {
                    last_rows.push(row.unsigned_abs() as usize);
                }
                Leaf::LastRows(rows) => last_rows.push(rows),
                Leaf::Polynomial(query) if query.poly == instance && query.rotation != 0 => {
                    return unsupported("a constraint reads the public inputs of another row");
                }
                Leaf::Polynomial(query) if query.poly != instance && !evaluations.contains(&query) => {
                    return unsupported("a constraint reads what the proof does not open");
                }
                _ => (),
            }
        }
        if last_rows.windows(2).any(|pair| pair.first() != pair.last()) {
            return unsupported("its constraints pick single rows of the last ones");
        }
        let shape = Self {
            fixed: protocol.preprocessed.len(),
            witnesses: rounds.iter().map(|round| round.points).sum(),
            pieces: protocol.quotient.num_chunk(),
            sets: query_sets(&opened),
            rounds,
            evaluations,
            graph,
            last_rows: last_rows.first().copied().unwrap_or_default(),
            instance,
            link: key.link,
        };
        let own = |link: &ModelLink| link.first.checked_add(link.columns).filter(|_| link.columns > 0);
        let first_round = shape.rounds.first().map_or(0, |round| round.points);
        if shape
            .link
            .as_ref()
            .is_some_and(|link| own(link).is_none_or(|end| end > first_round))
        {
            return unsupported("the columns of its linked model are not in the first round");
        }
        let quotient = shape.instance + 1 + shape.witnesses;
        let is_known = |query: &Query| {
            shape.evaluations.contains(query)
                || (*query
                    == Query {
                        poly: quotient,
                        rotation: 0,
                    })
        };
        if !opened.iter().all(is_known) || opened.iter().any(|query| query.poly == shape.instance) {
            return unsupported("it opens a polynomial that the proof does not evaluate");
        }
        let first = shape.sets.first().and_then(|set| set.polynomials.first());
        if !matches!(first.map(|poly| shape.polynomial(*poly)), Some(Polynomial::Witness(_))) {
            return unsupported("the first polynomial that it opens is not a witness");
        }
        let opened: Vec<usize> = shape.sets.iter().flat_map(|set| set.polynomials.clone()).collect();
        if !(0..shape.witnesses).all(|witness| opened.contains(&(shape.instance + 1 + witness))) {
            // Nothing else would look at its point.
            return unsupported("a witness is never opened");
        }
        if shape.rounds.first().is_none_or(|round| round.points == 0) {
            return unsupported("its first round has no witness");
        }
        Ok(shape)
    }

    pub(super) fn polynomial(&self, poly: usize) -> Polynomial {
        match poly {
            _ if poly < self.fixed => Polynomial::Fixed(poly),
            _ if poly < self.instance + 1 + self.witnesses => Polynomial::Witness(poly - self.instance - 1),
            _ => Polynomial::Quotient,
        }
    }

    pub(super) fn is_instance(&self, poly: usize) -> bool {
        poly == self.instance
    }

    /// Points in front of the evaluations.
    pub(super) fn leading_points(&self) -> usize {
        self.witnesses + self.pieces
    }

    /// Fixed columns in the order in which they are opened, which is their order in the key.
    pub(super) fn fixed_order(&self) -> Vec<usize> {
        let opened = self.sets.iter().flat_map(|set| &set.polynomials);
        opened.copied().filter(|poly| *poly < self.fixed).collect()
    }

    /// All rotations, ascending.
    pub(super) fn rotations(&self) -> Vec<i32> {
        let all: BTreeSet<i32> = self.sets.iter().flat_map(|set| set.rotations.clone()).collect();
        all.into_iter().collect()
    }

    /// The words of a proof.
    pub(super) fn layout(&self, public_inputs: usize) -> ProofLayout {
        let mut layout = ProofLayout {
            public_inputs,
            ..ProofLayout::default()
        };
        for (kind, count) in [
            (WordKind::Point, self.leading_points()),
            (WordKind::Scalar, self.evaluations.len()),
            (WordKind::Point, 2 + self.link.as_ref().map_or(0, ModelLink::points)),
        ] {
            (0..count).for_each(|_| layout.push(kind));
        }
        layout
    }

    /// The number of challenges before the evaluation point.
    pub(super) fn challenges(&self) -> usize {
        self.rounds.iter().map(|round| round.challenges).sum()
    }

    /// keccak256 of everything above in words: the same for all models of the shape, and for nothing else.
    pub(super) fn digest(&self) -> [u8; 32] {
        Keccak256::digest(self.to_string()).into()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::from("zkverdict shape 1\n");
        for round in &self.rounds {
            writeln!(text, "round {} {}", round.points, round.challenges)?;
        }
        writeln!(text, "fixed {} pieces {}", self.fixed, self.pieces)?;
        for query in &self.evaluations {
            writeln!(text, "evaluation {} {}", query.poly, query.rotation)?;
        }
        for set in &self.sets {
            writeln!(text, "set {:?} {:?}", set.rotations, set.polynomials)?;
        }
        writeln!(text, "last rows {}", self.last_rows)?;
        let graph = &self.graph;
        writeln!(
            text,
            "powers {} {}",
            graph.exponents.len(),
            graph.inverse_exponents.len()
        )?;
        for node in &graph.nodes {
            writeln!(text, "node {node:?}")?;
        }
        writeln!(
            text,
            "constraints {:?} combined by {}",
            graph.constraints, graph.combiner
        )?;
        if let Some(ModelLink {
            first,
            columns,
            unusable,
        }) = &self.link
        {
            writeln!(text, "link {first} {columns} {unusable}")?;
        }
        formatter.write_str(&text)
    }
}

/// Groups queries as SHPLONK does: by polynomial, then by equal sets of rotations, in the order of first appearance.
fn query_sets(queries: &[Query]) -> Vec<QuerySet> {
    let mut polynomials: Vec<(usize, Vec<i32>)> = Vec::new();
    for query in queries {
        match polynomials.iter_mut().find(|(poly, _)| *poly == query.poly) {
            Some((_, rotations)) if rotations.contains(&query.rotation) => (),
            Some((_, rotations)) => rotations.push(query.rotation),
            None => polynomials.push((query.poly, vec![query.rotation])),
        }
    }
    let mut sets: Vec<QuerySet> = Vec::new();
    let as_set = |rotations: &[i32]| rotations.iter().copied().collect::<BTreeSet<i32>>();
    for (poly, rotations) in polynomials {
        match sets.iter_mut().find(|set| as_set(&set.rotations) == as_set(&rotations)) {
            Some(set) => set.polynomials.push(poly),
            None => sets.push(QuerySet {
                rotations,
                polynomials: vec![poly],
            }),
        }
    }
    sets
}
