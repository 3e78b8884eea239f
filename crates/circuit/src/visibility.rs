//! What a proof shows of the inputs and of the outputs.

use serde::{Deserialize, Serialize};
use zkverdict_model::{CellId, Program};

use crate::CircuitError;

/// How much a proof shows of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// The values are public inputs.
    Public,
    /// Nothing.
    Private,
    /// One public input binds the values without showing them: a salted hash.
    Committed,
}

/// Inputs or outputs of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Inputs.
    Input,
    /// Outputs.
    Output,
}

impl Side {
    /// In the order of the public inputs.
    pub const BOTH: [Self; 2] = [Self::Input, Self::Output];

    /// The cells, in graph order.
    pub fn cells(self, program: &Program) -> Vec<CellId> {
        match self {
            Self::Input => program.inputs.iter().map(|input| input.cell).collect(),
            Self::Output => program.outputs.iter().flat_map(|output| output.cells.clone()).collect(),
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// Which inputs and outputs a proof shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicInputs {
    /// What it shows of the model's inputs.
    pub inputs: Visibility,
    /// What it shows of the model's outputs.
    pub outputs: Visibility,
}

impl Default for PublicInputs {
    /// Private inputs, public outputs.
    fn default() -> Self {
        Self {
            inputs: Visibility::Private,
            outputs: Visibility::Public,
        }
    }
}

impl PublicInputs {
    /// Visibility of one side.
    pub fn of(self, side: Side) -> Visibility {
        match side {
            Side::Input => self.inputs,
            Side::Output => self.outputs,
        }
    }

    /// Whether some values are committed.
    pub fn commits(self) -> bool {
        Side::BOTH
            .into_iter()
            .any(|side| self.of(side) == Visibility::Committed)
    }

    /// The sides that are committed.
    pub fn committed(self) -> impl Iterator<Item = Side> {
        Side::BOTH
            .into_iter()
            .filter(move |side| self.of(*side) == Visibility::Committed)
    }

    /// The cells that are public inputs, in order; the context comes before them and is bound to no cell.
    pub fn cells(self, program: &Program) -> Vec<CellId> {
        let shown = Side::BOTH
            .into_iter()
            .filter(|side| self.of(*side) == Visibility::Public);
        shown.flat_map(|side| side.cells(program)).collect()
    }

    /// Public inputs after the context.
    pub fn count(self, program: &Program) -> usize {
        self.cells(program).len() + self.committed().count()
    }

    /// Checks that a proof shows something.
    ///
    /// # Errors
    /// [`CircuitError::PrivateOutputs`].
    pub fn check(self) -> Result<Self, CircuitError> {
        match self.outputs {
            Visibility::Private => Err(CircuitError::PrivateOutputs),
            Visibility::Public | Visibility::Committed => Ok(self),
        }
    }
}
