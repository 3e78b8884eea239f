//! What each word of a proof is, and how the calldata of `verify` is laid out.

use serde::{Deserialize, Serialize};

/// Bytes of an EVM word.
pub const WORD: usize = 32;

/// What a run of words in a proof holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordKind {
    /// Affine points of the curve, two words each (x, then y).
    Point,
    /// Elements of the scalar field, one word each.
    Scalar,
}

impl WordKind {
    /// Bytes of one item.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Point => 2 * WORD,
            Self::Scalar => WORD,
        }
    }
}

/// Items of one kind that follow each other in a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRun {
    /// What the items are.
    pub kind: WordKind,
    /// How many there are.
    pub count: usize,
}

/// The words of a proof in order, and the number of public inputs beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLayout {
    /// Runs in the order in which the transcript reads them.
    pub runs: Vec<ProofRun>,
    /// The number of public inputs.
    pub public_inputs: usize,
}

impl ProofLayout {
    /// Appends one item, joining it to the last run if it is of the same kind.
    pub fn push(&mut self, kind: WordKind) {
        match self.runs.last_mut() {
            Some(run) if run.kind == kind => run.count += 1,
            _ => self.runs.push(ProofRun { kind, count: 1 }),
        }
    }

    /// The number of items of one kind.
    #[must_use]
    pub fn count(&self, kind: WordKind) -> usize {
        self.runs
            .iter()
            .filter(|run| run.kind == kind)
            .map(|run| run.count)
            .sum()
    }

    /// Bytes of a proof.
    #[must_use]
    pub fn proof_length(&self) -> usize {
        self.runs.iter().map(|run| run.kind.bytes() * run.count).sum()
    }

    /// Bytes of the one canonical calldata: selector, two offsets, and both arguments behind their lengths.
    #[must_use]
    pub fn calldata_length(&self) -> usize {
        4 + 2 * WORD + WORD + self.proof_length() + WORD + WORD * self.public_inputs
    }

    /// Every item with the byte at which it starts.
    pub fn items(&self) -> impl Iterator<Item = (usize, WordKind)> + '_ {
        self.runs
            .iter()
            .flat_map(|run| std::iter::repeat_n(run.kind, run.count))
            .scan(0, |offset, kind| {
                let start = *offset;
                *offset += kind.bytes();
                Some((start, kind))
            })
    }
}
