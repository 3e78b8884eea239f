//! The numerator of the quotient as a graph of shared nodes, and as Yul.
//!
//! Every value is a word that is congruent to a field element. What is emitted reduces lazily: a node carries a bound,
//! the multiple of the group order `r` that it does not exceed. `mulmod` takes any word, five times `r` fits into one,
//! and only what is subtracted must be at most `r`.

use std::collections::HashMap;

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use serde::{Deserialize, Serialize};

/// The largest multiple of `r` that fits into a word.
const WORD_BOUND: u32 = 5;
/// The most words that an expression may put on the stack: 16 are reachable, and the function's own variables lie below.
const STACK_DEPTH: u32 = 7;
/// Powers of two from this exponent on are parameters of a model, not of its shape: they depend on the limb size.
const SMALLEST_PARAMETER: u32 = 5;

/// snark-verifier's expression, whose own type has no public path; they are exchanged through serde.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Expression {
    Constant(Fr),
    CommonPolynomial(CommonPolynomial),
    Polynomial(Query),
    Challenge(usize),
    Negated(Box<Self>),
    Sum(Box<Self>, Box<Self>),
    Product(Box<Self>, Box<Self>),
    Scaled(Box<Self>, Fr),
    DistributePowers(Vec<Self>, Box<Self>),
}

/// A polynomial that the verifier evaluates by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum CommonPolynomial {
    Identity,
    Lagrange(i32),
}

/// A polynomial at a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Query {
    pub(super) poly: usize,
    pub(super) rotation: i32,
}

/// What the contract finds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Leaf {
    Common(CommonPolynomial),
    Polynomial(Query),
    Challenge(usize),
    /// An inverse power of two, from the key.
    Wide(usize),
    /// The sum of the Lagrange polynomials of so many last rows.
    LastRows(usize),
}

pub(super) type Id = usize;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// A constant of the shape, as the canonical little-endian representation.
    Literal([u8; 32]),
    /// `2^e` with `e` from the key's list of exponents.
    Power(usize),
    Leaf(Leaf),
    Negated(Id),
    Sum(Id, Id),
    Product(Id, Id),
}

/// The graph of the constraints, which are combined with powers of a challenge.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// The constraints in order, the first one with the highest power.
    pub(super) constraints: Vec<Id>,
    /// The challenge whose powers combine them.
    pub(super) combiner: Id,
    /// Exponents of the powers of two that depend on the model, ascending.
    pub(super) exponents: Vec<u32>,
    /// Exponents of the inverse powers of two that depend on the model, ascending.
    pub(super) inverse_exponents: Vec<u32>,
}

/// What a constant is.
enum Constant {
    Literal(Fr),
    Power { exponent: u32, negative: bool },
    Inverse { exponent: u32, negative: bool },
}

fn classify(constant: Fr) -> Constant {
    let (mut power, mut inverse) = (Fr::ONE, Fr::ONE);
    for exponent in 0..Fr::CAPACITY {
        if exponent >= SMALLEST_PARAMETER {
            for (value, negative) in [(constant, false), (-constant, true)] {
                if value == power {
                    return Constant::Power { exponent, negative };
                }
                if value == inverse {
                    return Constant::Inverse { exponent, negative };
                }
            }
        }
        power = power.double();
        inverse *= Fr::TWO_INV;
    }
    Constant::Literal(constant)
}

impl Graph {
    /// Shares equal nodes and folds constants.
    pub(super) fn new(numerator: &Expression) -> Self {
        let mut exponents = Vec::new();
        let mut inverse_exponents = Vec::new();
        collect_exponents(numerator, &mut exponents, &mut inverse_exponents);
        for list in [&mut exponents, &mut inverse_exponents] {
            list.sort_unstable();
            list.dedup();
        }
        let mut builder = Builder {
            nodes: Vec::new(),
            known: HashMap::new(),
            exponents,
            inverse_exponents,
        };
        let (constraints, combiner) = match numerator {
            Expression::DistributePowers(constraints, combiner) => {
                let combiner = builder.build(combiner);
                (
                    constraints.iter().map(|constraint| builder.build(constraint)).collect(),
                    combiner,
                )
            }
            other => {
                let one = builder.literal(Fr::ONE);
                (vec![builder.build(other)], one)
            }
        };
        Self {
            nodes: builder.nodes,
            constraints,
            combiner,
            exponents: builder.exponents,
            inverse_exponents: builder.inverse_exponents,
        }
    }

    /// Everything that the graph reads.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        self.nodes.iter().filter_map(|node| match node {
            Node::Leaf(leaf) => Some(*leaf),
            _ => None,
        })
    }
}

fn collect_exponents(expression: &Expression, exponents: &mut Vec<u32>, inverse_exponents: &mut Vec<u32>) {
    let mut constant = |constant: &Fr| match classify(*constant) {
        Constant::Literal(_) => (),
        Constant::Power { exponent, .. } => exponents.push(exponent),
        Constant::Inverse { exponent, .. } => inverse_exponents.push(exponent),
    };
    match expression {
        Expression::Constant(value) => constant(value),
        Expression::Scaled(inner, value) => {
            constant(value);
            collect_exponents(inner, exponents, inverse_exponents);
        }
        Expression::CommonPolynomial(_) | Expression::Polynomial(_) | Expression::Challenge(_) => (),
        Expression::Negated(inner) => collect_exponents(inner, exponents, inverse_exponents),
        Expression::Sum(left, right) | Expression::Product(left, right) => {
            collect_exponents(left, exponents, inverse_exponents);
            collect_exponents(right, exponents, inverse_exponents);
        }
        Expression::DistributePowers(terms, base) => {
            for term in terms.iter().chain([base.as_ref()]) {
                collect_exponents(term, exponents, inverse_exponents);
            }
        }
    }
}

struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Node, Id>,
    exponents: Vec<u32>,
    inverse_exponents: Vec<u32>,
}

impl Builder {
    fn node(&mut self, node: Node) -> Id {
        if let Some(id) = self.known.get(&node) {
            return *id;
        }
        self.nodes.push(node.clone());
        self.known.insert(node, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn literal(&mut self, value: Fr) -> Id {
        self.node(Node::Literal(value.to_repr()))
    }

    fn value(&self, id: Id) -> Option<Fr> {
        match &self.nodes[id] {
            Node::Literal(representation) => Option::from(Fr::from_repr(*representation)),
            _ => None,
        }
    }

    fn constant(&mut self, value: Fr) -> Id {
        let position = |list: &[u32], exponent| list.iter().position(|other| *other == exponent).unwrap_or_default();
        let (id, negative) = match classify(value) {
            Constant::Literal(value) => return self.literal(value),
            Constant::Power { exponent, negative } => {
                let index = position(&self.exponents, exponent);
                (self.node(Node::Power(index)), negative)
            }
            Constant::Inverse { exponent, negative } => {
                let index = position(&self.inverse_exponents, exponent);
                (self.node(Node::Leaf(Leaf::Wide(index))), negative)
            }
        };
        if negative { self.negated(id) } else { id }
    }

    fn negated(&mut self, id: Id) -> Id {
        if let Some(value) = self.value(id) {
            return self.literal(-value);
        }
        match self.nodes[id] {
            Node::Negated(inner) => inner,
            _ => self.node(Node::Negated(id)),
        }
    }

    fn sum(&mut self, left: Id, right: Id) -> Id {
        match (self.value(left), self.value(right)) {
            (Some(a), Some(b)) => self.literal(a + b),
            (Some(a), None) if a == Fr::ZERO => right,
            (None, Some(b)) if b == Fr::ZERO => left,
            _ => self.node(Node::Sum(left, right)),
        }
    }

    fn product(&mut self, left: Id, right: Id) -> Id {
        match (self.value(left), self.value(right)) {
            (Some(a), Some(b)) => self.literal(a * b),
            (Some(a), None) if a == Fr::ONE => right,
            (None, Some(b)) if b == Fr::ONE => left,
            (Some(a), None) if a == -Fr::ONE => self.negated(right),
            (None, Some(b)) if b == -Fr::ONE => self.negated(left),
            _ => self.node(Node::Product(left, right)),
        }
    }

    /// A sum that takes the Lagrange polynomials of all last rows from the others, with one leaf for all of them.
    fn last_rows(&mut self, sum: &Expression) -> Option<Id> {
        let mut terms = Vec::new();
        flatten(sum, false, &mut terms);
        let (mut rows, others): (Vec<_>, Vec<_>) = terms.into_iter().partition(|(term, negative)| {
            *negative && matches!(term, Expression::CommonPolynomial(CommonPolynomial::Lagrange(row)) if *row < 0)
        });
        rows.sort_by_key(|(term, _)| match term {
            Expression::CommonPolynomial(CommonPolynomial::Lagrange(row)) => row.unsigned_abs(),
            _ => 0,
        });
        let is_run = rows.iter().zip(1..).all(|((term, _), expected)| {
            matches!(term, Expression::CommonPolynomial(CommonPolynomial::Lagrange(row)) if *row == -expected)
        });
        if rows.len() < 2 || !is_run {
            return None;
        }
        let leaf = self.node(Node::Leaf(Leaf::LastRows(rows.len())));
        let mut sum = self.negated(leaf);
        for (term, negative) in others {
            let term = self.build(term);
            let term = if negative { self.negated(term) } else { term };
            sum = self.sum(term, sum);
        }
        Some(sum)
    }

    fn build(&mut self, expression: &Expression) -> Id {
        match expression {
            Expression::Constant(value) => self.constant(*value),
            Expression::CommonPolynomial(common) => self.node(Node::Leaf(Leaf::Common(*common))),
            Expression::Polynomial(query) => self.node(Node::Leaf(Leaf::Polynomial(*query))),
            Expression::Challenge(index) => self.node(Node::Leaf(Leaf::Challenge(*index))),
            Expression::Negated(inner) => {
                let inner = self.build(inner);
                self.negated(inner)
            }
            Expression::Sum(left, right) => self.last_rows(expression).unwrap_or_else(|| {
                let (left, right) = (self.build(left), self.build(right));
                self.sum(left, right)
            }),
            Expression::Product(left, right) => {
                let (left, right) = (self.build(left), self.build(right));
                self.product(left, right)
            }
            Expression::Scaled(inner, value) => {
                let (inner, value) = (self.build(inner), self.constant(*value));
                self.product(inner, value)
            }
            Expression::DistributePowers(terms, base) => {
                let base = self.build(base);
                let mut sum = None;
                for term in terms {
                    let term = self.build(term);
                    sum = Some(match sum {
                        None => term,
                        Some(sum) => {
                            let shifted = self.product(sum, base);
                            self.sum(shifted, term)
                        }
                    });
                }
                sum.unwrap_or_else(|| self.literal(Fr::ZERO))
            }
        }
    }
}

/// The summands of an expression, each with whether it is subtracted.
fn flatten<'a>(expression: &'a Expression, negative: bool, terms: &mut Vec<(&'a Expression, bool)>) {
    match expression {
        Expression::Sum(left, right) => {
            flatten(left, negative, terms);
            flatten(right, negative, terms);
        }
        Expression::Negated(inner) => flatten(inner, !negative, terms),
        term => terms.push((term, negative)),
    }
}

/// A Yul expression.
#[derive(Clone, Debug)]
struct Code {
    text: String,
    /// Words that its evaluation puts on the stack.
    depth: u32,
    /// It is at most this many times `r`.
    bound: u32,
}

impl Code {
    fn simple(text: String) -> Self {
        Self {
            text,
            depth: 1,
            bound: 1,
        }
    }

    fn reduced(self) -> Self {
        if self.bound <= 1 {
            return self;
        }
        Self {
            text: format!("mod({}, r)", self.text),
            depth: self.depth + 1,
            bound: 1,
        }
    }

    fn sum(a: Self, b: Self) -> Self {
        // Yul evaluates the last argument first.
        let (shallow, deep) = if a.depth > b.depth { (b, a) } else { (a, b) };
        Self {
            text: format!("add({}, {})", shallow.text, deep.text),
            depth: deep.depth.max(shallow.depth + 1),
            bound: shallow.bound + deep.bound,
        }
    }

    fn product(a: Self, b: Self) -> Self {
        let (shallow, deep) = if a.depth > b.depth { (b, a) } else { (a, b) };
        Self {
            text: format!("mulmod({}, {}, r)", shallow.text, deep.text),
            depth: (deep.depth + 1).max(shallow.depth + 2),
            bound: 1,
        }
    }

    fn negated(self) -> Self {
        let inner = self.reduced();
        Self {
            text: format!("sub(r, {})", inner.text),
            depth: inner.depth.max(2),
            bound: 1,
        }
    }
}

/// Emits the constraints as Yul statements.
pub(super) struct Emitter<'a> {
    graph: &'a Graph,
    uses: Vec<usize>,
    /// Shared nodes that are in memory already, with their bounds.
    stored: HashMap<Id, (usize, u32)>,
    /// Where shared values stand.
    base: usize,
    slots: usize,
    statements: Vec<String>,
    name: &'a dyn Fn(Leaf) -> String,
}

/// What [`Emitter::emit`] returns.
pub(super) struct Emitted {
    /// Statements that compute the numerator into `numerator`, with `r` and `y` given.
    pub(super) statements: Vec<String>,
    /// Words of memory for shared values.
    pub(super) slots: usize,
}

impl<'a> Emitter<'a> {
    /// An emitter that calls the leaves by `name` and keeps shared values in memory from `base` on.
    pub(super) fn new(graph: &'a Graph, base: usize, name: &'a dyn Fn(Leaf) -> String) -> Self {
        let mut uses = vec![0; graph.nodes.len()];
        let mut seen = vec![false; graph.nodes.len()];
        for root in &graph.constraints {
            count_uses(graph, *root, &mut uses, &mut seen);
        }
        Self {
            graph,
            uses,
            stored: HashMap::new(),
            base,
            slots: 0,
            statements: Vec::new(),
            name,
        }
    }

    /// Emits all constraints.
    pub(super) fn emit(mut self) -> Emitted {
        for (index, root) in self.graph.constraints.clone().into_iter().enumerate() {
            let code = self.code(root);
            let code = if code.bound >= WORD_BOUND { code.reduced() } else { code };
            self.statements.push(if index == 0 {
                format!("let numerator := {}", code.text)
            } else {
                format!("numerator := add({}, mulmod(numerator, y, r))", code.text)
            });
        }
        Emitted {
            statements: self.statements,
            slots: self.slots,
        }
    }

    fn code(&mut self, id: Id) -> Code {
        if let Some((slot, bound)) = self.stored.get(&id) {
            return Code {
                bound: *bound,
                ..Code::simple(format!("mload({:#x})", self.base + 32 * slot))
            };
        }
        let code = self.computed(id);
        let is_worth_it = match &self.graph.nodes[id] {
            Node::Literal(_) | Node::Leaf(_) => false,
            Node::Negated(inner) => !matches!(self.graph.nodes[*inner], Node::Leaf(_)),
            Node::Power(_) | Node::Sum(..) | Node::Product(..) => true,
        };
        if self.uses[id] > 1 && is_worth_it {
            let bound = code.bound;
            let slot = self.store(code);
            self.stored.insert(id, (slot, bound));
            return self.code(id);
        }
        code
    }

    fn store(&mut self, code: Code) -> usize {
        let slot = self.slots;
        self.slots += 1;
        let place = self.base + 32 * slot;
        self.statements.push(format!("mstore({place:#x}, {})", code.text));
        slot
    }

    /// The same value with a bounded depth: what is too deep goes through memory.
    fn shallow(&mut self, code: Code) -> Code {
        if code.depth <= STACK_DEPTH {
            return code;
        }
        let bound = code.bound;
        let slot = self.store(code);
        Code {
            bound,
            ..Code::simple(format!("mload({:#x})", self.base + 32 * slot))
        }
    }

    fn computed(&mut self, id: Id) -> Code {
        let code = match self.graph.nodes[id].clone() {
            Node::Literal(representation) => {
                let mut bytes = representation;
                bytes.reverse();
                let digits = hex::encode(bytes);
                let digits = digits.trim_start_matches('0');
                let negative = Option::<Fr>::from(Fr::from_repr(representation)).map(|value| -value);
                match negative.and_then(small) {
                    Some(0) => Code::simple("0".to_owned()),
                    Some(opposite) => return Code::simple(opposite.to_string()).negated(),
                    None => Code::simple(format!("0x{digits}")),
                }
            }
            Node::Power(index) => Code {
                text: format!(
                    "shl(byte({}, mload(KEY_HEADER)), 1)",
                    super::key::FIRST_EXPONENT + index
                ),
                depth: 3,
                bound: 1,
            },
            Node::Leaf(leaf) => Code::simple(format!("mload({})", (self.name)(leaf))),
            Node::Negated(inner) => self.code(inner).negated(),
            Node::Product(left, right) => Code::product(self.code(left), self.code(right)),
            Node::Sum(..) => {
                let mut terms = Vec::new();
                self.terms(id, false, true, &mut terms);
                let mut codes = Vec::new();
                for (term, negative) in terms {
                    let code = self.code(term);
                    let code = self.shallow(code);
                    codes.push(if negative { code.negated() } else { code });
                }
                codes
                    .into_iter()
                    .reduce(|sum, term| {
                        if sum.bound + term.bound <= WORD_BOUND {
                            Code::sum(sum, term)
                        } else {
                            Code::sum(sum.reduced(), term.reduced())
                        }
                    })
                    .unwrap_or_else(|| Code::simple("0".to_owned()))
            }
        };
        self.shallow(code)
    }

    /// The summands below a node, through sums that are not used elsewhere.
    fn terms(&self, id: Id, negative: bool, is_root: bool, terms: &mut Vec<(Id, bool)>) {
        let is_inner = is_root || (self.uses[id] == 1 && !self.stored.contains_key(&id));
        match self.graph.nodes[id] {
            Node::Sum(left, right) if is_inner => {
                self.terms(left, negative, false, terms);
                self.terms(right, negative, false, terms);
            }
            Node::Negated(inner) if is_inner || matches!(self.graph.nodes[inner], Node::Leaf(_)) => {
                self.terms(inner, !negative, false, terms);
            }
            _ => terms.push((id, negative)),
        }
    }
}

fn count_uses(graph: &Graph, id: Id, uses: &mut [usize], seen: &mut [bool]) {
    uses[id] += 1;
    if std::mem::replace(&mut seen[id], true) {
        return;
    }
    match graph.nodes[id] {
        Node::Literal(_) | Node::Power(_) | Node::Leaf(_) => (),
        Node::Negated(inner) => count_uses(graph, inner, uses, seen),
        Node::Sum(left, right) | Node::Product(left, right) => {
            count_uses(graph, left, uses, seen);
            count_uses(graph, right, uses, seen);
        }
    }
}

/// The value, if it has 32 bits.
fn small(value: Fr) -> Option<u32> {
    let bytes = value.to_repr();
    let (low, high) = bytes.split_at(4);
    high.iter()
        .all(|byte| *byte == 0)
        .then(|| low.try_into().map(u32::from_le_bytes).ok())
        .flatten()
}
