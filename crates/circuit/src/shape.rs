use serde::{Deserialize, Serialize};
use zkverdict_model::{Program, Step};

use crate::{
    CircuitError, DEGREE, PublicInputs,
    chips::{evaluate, tree},
};

/// Everything of the circuit that the constraint system fixes, without `k` and without the fixed values.
///
/// Models that share a shape differ only in the points of their verifying keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Products per row, `C`: weight columns, and the distance between rows of one gadget.
    pub lanes: usize,
    /// Bits of one range-checked limb, `L`.
    pub limb_bits: u32,
    /// Whether there are columns for decision trees.
    #[serde(default)]
    pub trees: bool,
    /// Whether the trees are committed to: their nodes compare with whole `float32` instead of bins.
    #[serde(default)]
    pub committed_trees: bool,
    /// Whether there are columns for convolutions at a challenge.
    #[serde(default)]
    pub convolutions: bool,
    /// Whether there are gates for hashing.
    #[serde(default)]
    pub hashes: bool,
    /// Pairs of columns for hashes alone; where there are none, hashes stand among the other rows.
    #[serde(default)]
    pub hash_lanes: usize,
    /// The columns of a linked model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkColumns>,
}

/// How many columns there are of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Products per row.
    pub lanes: usize,
    /// Pairs of columns for hashes alone.
    pub hash_lanes: usize,
}

impl From<usize> for Widths {
    /// Lanes of products; hashes stand among the other rows.
    fn from(lanes: usize) -> Self {
        Self { lanes, hash_lanes: 0 }
    }
}

/// The columns of a [linked](crate::chips::link) model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkColumns {
    /// Columns that the model stands in: one per lane for sums, one for the tables of trees.
    pub models: usize,
    /// Fixed columns of weights: one per lane, or only the first where no sum has weights that everybody knows.
    pub weights: usize,
}

impl LinkColumns {
    fn of(program: &Program, lanes: usize, has_weights: bool) -> Self {
        let has_sums = !program.parameter_layers().is_empty();
        let is_known = |step: &Step| matches!(step, Step::Layer(layer) if layer.parameters.is_none());
        let has_weights = has_weights || program.steps.iter().any(is_known);
        Self {
            models: if has_sums { lanes } else { 1 },
            weights: if has_weights { lanes } else { 1 },
        }
    }
}

impl Shape {
    /// The shape of a program over these widths, with these convolutions at a challenge.
    pub(crate) fn of(program: &Program, widths: Widths, combined: &[usize], public: PublicInputs) -> Self {
        Self {
            lanes: widths.lanes,
            limb_bits: program.limb_bits,
            trees: program.compares_floats(),
            committed_trees: program.has_committed_trees(),
            convolutions: !combined.is_empty(),
            hashes: public.commits(),
            hash_lanes: if public.commits() { widths.hash_lanes } else { 0 },
            link: public
                .is_linked()
                .then(|| LinkColumns::of(program, widths.lanes, public.commits() || !combined.is_empty())),
        }
    }

    /// Fixed columns of weights.
    pub(crate) fn weight_columns(self) -> usize {
        self.link.map_or(self.lanes, |link| link.weights)
    }

    /// Checks the bounds of the catalogue, and that nothing changes the circuit's degree behind its back.
    ///
    /// # Errors
    /// [`CircuitError::BadShape`], [`CircuitError::DegreeClamped`].
    pub fn check(self) -> Result<Self, CircuitError> {
        // halo2 reads this variable and silently clamps the constraint system's degree to it.
        if let Ok(value) = std::env::var("MAX_DEGREE")
            && value.parse() != Ok(DEGREE)
        {
            return Err(CircuitError::DegreeClamped { value });
        }
        let hides_trees = !self.committed_trees || (self.trees && (self.hashes || self.link.is_some()));
        let is_known = |columns: usize| columns == 1 || columns == self.lanes;
        if hides_trees
            && self.hash_lanes <= if self.hashes { Self::MOST_HASH_LANES } else { 0 }
            && self
                .link
                .is_none_or(|link| is_known(link.models) && is_known(link.weights))
            && (self.fewest_lanes()..=self.most_lanes()).contains(&self.lanes)
            && (self.smallest_limb()..=self.largest_limb()).contains(&self.limb_bits)
        {
            Ok(self)
        } else {
            Err(CircuitError::BadShape {
                lanes: self.lanes,
                limb_bits: self.limb_bits,
            })
        }
    }
}

impl Shape {
    /// Pairs of columns for hashes that a shape may have.
    pub const MOST_HASH_LANES: usize = 2;

    /// How often the gates of hashes are there.
    pub(crate) fn hash_gates(self) -> usize {
        if self.hashes { self.hash_lanes.max(1) } else { 0 }
    }

    /// How many columns there are of each kind.
    pub fn widths(self) -> Widths {
        Widths {
            lanes: self.lanes,
            hash_lanes: self.hash_lanes,
        }
    }

    /// Four limbs must hold a `float32`.
    fn smallest_limb(self) -> u32 {
        if self.trees { 8 } else { 5 }
    }

    /// An entry with the nodes and leaves of two levels of a committed tree must be a field element.
    fn largest_limb(self) -> u32 {
        if self.committed_trees { 9 } else { 14 }
    }

    /// Limbs of what nodes of trees compare with.
    pub(crate) fn split_limbs(self) -> u32 {
        tree::split_limbs(self.committed_trees)
    }

    /// A step of an evaluation takes some weights.
    fn fewest_lanes(self) -> usize {
        if self.convolutions { evaluate::LEAST_LANES } else { 1 }
    }

    /// A walk through a committed tree reads eight rows ahead, `C` apart: far below the rows of the smallest circuit.
    fn most_lanes(self) -> usize {
        if self.committed_trees { 8 } else { 32 }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "c{}l{}{}{}{}{}{}{}",
            self.lanes,
            self.limb_bits,
            if self.trees { "t" } else { "" },
            if self.committed_trees { "s" } else { "" },
            if self.convolutions { "r" } else { "" },
            if self.hashes { "h" } else { "" },
            match self.hash_lanes {
                0 => String::new(),
                lanes => lanes.to_string(),
            },
            self.link
                .map(|link| format!("m{}w{}", link.models, link.weights))
                .unwrap_or_default()
        )
    }
}
