//! Bins and walks of decision trees: `docs/spec/tree.md`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Constraints, Expression, VirtualCells},
    poly::Rotation,
};

use crate::{
    AdviceColumn, ModelConfig,
    config::{TreeColumns, is_kind, power_of_two},
    field,
};

/// Two levels of a walk: the rows of [`SubtreePlaces`], and the first of what follows.
pub const SUBTREE: u64 = 1;
/// The weight of the leaf that a walk ends at: six rows.
pub const LEAF: u64 = 2;
/// The bin of a number: five rows.
pub const BIN: u64 = 3;
/// Where trees are committed to, which have no bins: a number and its limbs, two rows.
pub const NUMBER: u64 = 3;
const KINDS: u64 = 3;

/// Gadget rows of a leaf.
pub const LEAF_ROWS: usize = 6;
/// Gadget rows of a bin.
pub const BIN_ROWS: usize = 5;
/// Gadget rows of a number.
pub const NUMBER_ROWS: usize = 2;
/// Limbs of a leaf's weight.
pub use zkverdict_model::WEIGHT_LIMBS;
/// Limbs of what nodes of committed trees compare with: a `float32` in their order. Others compare with a bin, one limb.
pub const COMMITTED_SPLIT_LIMBS: u32 = 4;
/// Nodes of a subtree.
const NODES: u32 = 3;

/// A limb of a subtree: its column, and gadget rows below the first.
pub type Place = (AdviceColumn, usize);

/// Where the limbs of a subtree stand; the features of the first two nodes are the keys of the second and third row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubtreePlaces {
    /// What the root compares with.
    pub root: Vec<Place>,
    /// What the child on the walk compares with.
    pub taken: Vec<Place>,
    /// What the other child compares with.
    pub other: Vec<Place>,
    /// The other child's feature.
    pub other_feature: Place,
    /// Distance at the root.
    pub root_distance: Vec<Place>,
    /// Distance at the child.
    pub taken_distance: Vec<Place>,
    /// Gadget rows.
    pub rows: usize,
}

impl SubtreePlaces {
    /// Of trees whose nodes compare with numbers of so many limbs.
    pub fn new(split_limbs: u32) -> Self {
        use AdviceColumn::{Key, Limb};
        let upper = split_limbs as usize - 1;
        let rest = 4 * upper + split_limbs as usize;
        // Keys of the first three rows are looked up in other tables; then both columns hold limbs.
        let mut places = (4..).flat_map(|row| [(Key, row), (Limb, row)]).skip(rest % 2);
        let mut number = |first: Option<Place>, count: usize| -> Vec<Place> {
            first.into_iter().chain(places.by_ref().take(count)).collect()
        };
        Self {
            root_distance: number(Some((Limb, 0)), upper),
            root: number(Some((Limb, 1)), upper),
            taken: number(Some((Limb, 2)), upper),
            other: number(Some((Limb, 3)), upper),
            taken_distance: number(None, split_limbs as usize),
            other_feature: (Key, 3),
            rows: 4 + rest.div_ceil(2),
        }
    }

    /// All of them.
    pub fn limbs(&self) -> impl Iterator<Item = Place> {
        let numbers = [
            &self.root,
            &self.taken,
            &self.other,
            &self.root_distance,
            &self.taken_distance,
        ];
        let limbs = numbers.into_iter().flatten().copied();
        limbs.chain([self.other_feature])
    }
}

/// Limbs of what a node compares with.
pub fn split_limbs(committed: bool) -> u32 {
    if committed { COMMITTED_SPLIT_LIMBS } else { 1 }
}

/// Limbs of a subtree's nodes: feature and split of three.
pub fn nodes_limbs(split_limbs: u32) -> u32 {
    NODES * (1 + split_limbs)
}

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: TreeColumns) {
    // Rows i to i+R, R = 5C. Base B = 2^L; index h = key(i); directions b0 = x(i), b1 = x(i+C); a node is split + B·feature:
    //   root = limb(i+C) + B·key(i+C),  taken = limb(i+2C) + B·key(i+2C),  other = limb(i+3C) + B·key(i+3C)
    //   entry(i) = root + B²·(b0 ? taken + B²·other : other + B²·taken) + w_0·accumulator(i+R)
    //   limb(i)    = b0·(split_root − bin) + (1 − b0)·(bin − split_root − 1),   bin = entry(i+C)
    //   limb(i+4C) = b1·(split_taken − bin) + (1 − b1)·(bin − split_taken − 1), bin = entry(i+2C)
    //   key(i+R) = 4h + 3 − 2·b0 − b1, unless w_0 = B⁶
    // Of committed trees splits and distances have four limbs, S = B⁴, a node is split + S·feature, B·S and (B·S)³ take the
    // places of B² and B⁶, and R = 12C.
    // docs/spec/tree.md
    let split_limbs = config.shape.split_limbs();
    let places = SubtreePlaces::new(split_limbs);
    meta.create_gate("subtree", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let number = |number: u64| Expression::Constant(Fr::from(number));
        let one = number(1);
        let node_place = power_of_two((1 + split_limbs) * config.shape.limb_bits);
        let first = meta.query_advice(config.value, Rotation::cur());
        let second = config.below(meta, config.value, 1);
        let index = meta.query_advice(config.key, Rotation::cur());
        let packed = meta.query_advice(config.entry, Rotation::cur());
        let mut node = |row: usize, split: &[Place]| {
            let feature = config.below(meta, config.key, row);
            let split = whole(meta, config, split);
            (
                split.clone(),
                split + feature * power_of_two(split_limbs * config.shape.limb_bits),
            )
        };
        let (root_split, root) = node(1, &places.root);
        let (taken_split, taken) = node(2, &places.taken);
        let (_, other) = node(3, &places.other);
        let root_bin = config.below(meta, config.entry, 1);
        let taken_bin = config.below(meta, config.entry, 2);
        let root_distance = whole(meta, config, &places.root_distance);
        let taken_distance = whole(meta, config, &places.taken_distance);
        let next = config.below(meta, config.key, places.rows);
        let leaves = config.below(meta, config.accumulator, places.rows);
        let leaves_place = meta.query_fixed(config.weights[0], Rotation::cur());
        let is_last = leaves_place.clone()
            * field::power_of_two(nodes_limbs(split_limbs) * config.shape.limb_bits)
                .invert()
                .expect("a power of two");
        let children = swapped(&first, taken, other, node_place.clone());
        let on_side = |below: Expression<Fr>, split: Expression<Fr>, bin: Expression<Fr>, distance| {
            let downwards = split - bin;
            distance - (below * (downwards.clone() * number(2) + one.clone()) - downwards - one.clone())
        };
        let child = index * number(4) + number(3) - first.clone() * number(2) - second.clone();
        Constraints::with_selector(
            is_kind(q, SUBTREE, KINDS),
            [
                (
                    "entry is its nodes",
                    packed - root - children * node_place - leaves_place * leaves,
                ),
                (
                    "first direction is a bit",
                    first.clone() * (first.clone() - one.clone()),
                ),
                (
                    "second direction is a bit",
                    second.clone() * (second.clone() - one.clone()),
                ),
                (
                    "first distance is on the direction's side",
                    on_side(first, root_split, root_bin, root_distance),
                ),
                (
                    "second distance is on the direction's side",
                    on_side(second, taken_split, taken_bin, taken_distance),
                ),
                ("child", (one.clone() - is_last) * (next - child)),
            ],
        )
    });
    // Rows i to i+5C. Digits d_0 … d_11 = key(i), limb(i), key(i+C), …; b0 = x(i+C), b1 = x(i+2C), P = accumulator(i+C):
    //   weight = Σ_(j<3) B^j·d_j,  sibling = Σ_(j<3) B^j·d_(3+j),  others = Σ_(j<6) B^j·d_(6+j)
    //   P = b1 ? weight + B³·sibling : sibling + B³·weight,   accumulator(i) = b0 ? P + B⁶·others : others + B⁶·P
    //   x(i) = weight
    // docs/spec/tree.md
    meta.create_gate("leaf", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let value = meta.query_advice(config.value, Rotation::cur());
        let first = config.below(meta, config.value, 1);
        let second = config.below(meta, config.value, 2);
        let all = meta.query_advice(config.accumulator, Rotation::cur());
        let pair = config.below(meta, config.accumulator, 1);
        let mut digits = Vec::new();
        for place in 0..LEAF_ROWS {
            digits.push(config.below(meta, config.key, place));
            digits.push(config.below(meta, config.limb, place));
        }
        let (weight, sibling) = (joined(config, &digits[..3]), joined(config, &digits[3..6]));
        let others = joined(config, &digits[6..]);
        let width = WEIGHT_LIMBS * config.shape.limb_bits;
        Constraints::with_selector(
            is_kind(q, LEAF, KINDS),
            [
                (
                    "pair of leaves",
                    pair.clone() - swapped(&second, weight.clone(), sibling, power_of_two(width)),
                ),
                (
                    "pair of pairs",
                    all - swapped(&first, pair, others, power_of_two(2 * width)),
                ),
                ("weight", value - weight),
            ],
        )
    });
    if config.shape.committed_trees {
        number(meta, config, columns);
    } else {
        bin(meta, config, columns);
    }
}

fn number(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: TreeColumns) {
    // Rows i and i+C:
    //   x(i) = key(i) + B·limb(i) + B²·key(i+C) + B³·limb(i+C)
    // docs/spec/tree.md
    meta.create_gate("number", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let value = meta.query_advice(config.value, Rotation::cur());
        let mut limbs = Vec::new();
        for place in 0..NUMBER_ROWS {
            limbs.push(config.below(meta, config.key, place));
            limbs.push(config.below(meta, config.limb, place));
        }
        Constraints::with_selector(
            is_kind(q, NUMBER, KINDS),
            [("number is its limbs", value - joined(config, &limbs))],
        )
    });
}

fn bin(meta: &mut ConstraintSystem<Fr>, config: &ModelConfig, columns: TreeColumns) {
    // Rows i to i+4C. With β = key(i), lo = entry(i), hi = entry(i+C), four limbs each for the distances:
    //   key(i+C) = β + 1,   x(i+C) = β
    //   x(i) − lo = limb(i), limb(i+C), key(i+2C), limb(i+2C)
    //   hi − 1 − x(i) = key(i+3C), limb(i+3C), key(i+4C), limb(i+4C)
    // docs/spec/tree.md
    meta.create_gate("bin", |meta| {
        let q = meta.query_fixed(columns.q_tree, Rotation::cur());
        let one = Expression::Constant(Fr::one());
        let number = meta.query_advice(config.value, Rotation::cur());
        let bin = config.below(meta, config.value, 1);
        let index = meta.query_advice(config.key, Rotation::cur());
        let index_next = config.below(meta, config.key, 1);
        let low = meta.query_advice(config.entry, Rotation::cur());
        let high = config.below(meta, config.entry, 1);
        let from_low = [
            meta.query_advice(config.limb, Rotation::cur()),
            config.below(meta, config.limb, 1),
            config.below(meta, config.key, 2),
            config.below(meta, config.limb, 2),
        ];
        let to_high = [
            config.below(meta, config.key, 3),
            config.below(meta, config.limb, 3),
            config.below(meta, config.key, 4),
            config.below(meta, config.limb, 4),
        ];
        Constraints::with_selector(
            is_kind(q, BIN, KINDS),
            [
                ("second bound", index_next - index.clone() - one.clone()),
                ("bin", bin - index),
                ("not below the bin", number.clone() - low - joined(config, &from_low)),
                ("not above the bin", high - one - number - joined(config, &to_high)),
            ],
        )
    });
}

/// A number by its limbs' places, lowest first.
fn whole(meta: &mut VirtualCells<'_, Fr>, config: &ModelConfig, places: &[Place]) -> Expression<Fr> {
    let mut limb = |(column, row): &Place| match column {
        AdviceColumn::Key => config.below(meta, config.key, *row),
        _ => config.below(meta, config.limb, *row),
    };
    let limbs: Vec<Expression<Fr>> = places.iter().map(&mut limb).collect();
    match limbs.as_slice() {
        [only] => only.clone(),
        limbs => joined(config, limbs),
    }
}

/// Little-endian digits as one number.
fn joined(config: &ModelConfig, digits: &[Expression<Fr>]) -> Expression<Fr> {
    let places = digits.iter().zip(0..);
    places.fold(Expression::Constant(Fr::zero()), |sum, (digit, place)| {
        sum + power_of_two(place * config.shape.limb_bits) * digit.clone()
    })
}

/// `bit ? a + place·b : b + place·a`
fn swapped(bit: &Expression<Fr>, a: Expression<Fr>, b: Expression<Fr>, place: Expression<Fr>) -> Expression<Fr> {
    let less = Expression::Constant(Fr::one()) - place.clone();
    bit.clone() * less * (a.clone() - b.clone()) + b + place * a
}
