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
    /// Of a model: one public input binds the commitments to its columns, which every proof is linked to.
    Linked,
}

impl Visibility {
    /// Whether a model that is seen so is a secret, bound by a public input.
    pub fn hides_model(self) -> bool {
        matches!(self, Self::Committed | Self::Linked)
    }
}

/// Inputs or outputs of the model, or its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The model's weights and biases.
    Model,
    /// Inputs.
    Input,
    /// Outputs.
    Output,
}

impl Side {
    /// In the order of the public inputs.
    pub const ALL: [Self; 3] = [Self::Model, Self::Input, Self::Output];

    /// The cells, in graph order. A model has none: its parameters are part of the circuit, or committed to.
    pub fn cells(self, program: &Program) -> Vec<CellId> {
        match self {
            Self::Model => Vec::new(),
            Self::Input => program.inputs.iter().map(|input| input.cell).collect(),
            Self::Output => program.outputs.iter().flat_map(|output| output.cells.clone()).collect(),
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Model => "model",
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
    /// What is seen of the model: everything, from circuit and keys, or a commitment to its weights and biases, proven in
    /// the circuit or linked to the proof's columns.
    #[serde(default = "public", skip_serializing_if = "is_public")]
    pub model: Visibility,
}

fn public() -> Visibility {
    Visibility::Public
}

fn is_public(visibility: &Visibility) -> bool {
    *visibility == Visibility::Public
}

impl Default for PublicInputs {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl PublicInputs {
    /// Private inputs, public outputs, a public model.
    pub const DEFAULT: Self = Self {
        inputs: Visibility::Private,
        outputs: Visibility::Public,
        model: Visibility::Public,
    };

    /// Visibility of one side.
    pub fn of(self, side: Side) -> Visibility {
        match side {
            Side::Input => self.inputs,
            Side::Output => self.outputs,
            Side::Model => self.model,
        }
    }

    /// Whether some values are committed.
    pub fn commits(self) -> bool {
        Side::ALL.into_iter().any(|side| self.of(side) == Visibility::Committed)
    }

    /// Whether inputs or outputs are committed, anew with each proof.
    pub fn commits_to_values(self) -> bool {
        self.committed().any(|side| side != Side::Model)
    }

    /// The sides that are committed.
    pub fn committed(self) -> impl Iterator<Item = Side> {
        Side::ALL
            .into_iter()
            .filter(move |side| self.of(*side) == Visibility::Committed)
    }

    /// The cells that are public inputs, in order; the context comes before them and is bound to no cell.
    pub fn cells(self, program: &Program) -> Vec<CellId> {
        let shown = Side::ALL
            .into_iter()
            .filter(|side| self.of(*side) == Visibility::Public);
        shown.flat_map(|side| side.cells(program)).collect()
    }

    /// Whether the model is linked: the public input behind the context is bound outside of the circuit.
    pub fn is_linked(self) -> bool {
        self.model == Visibility::Linked
    }

    /// Public inputs in front that no cell of the circuit is equal to: the context, and the commitment to a linked model.
    pub fn unbound(self) -> usize {
        1 + usize::from(self.is_linked())
    }

    /// Public inputs after the context.
    pub fn count(self, program: &Program) -> usize {
        self.unbound() - 1 + self.cells(program).len() + self.committed().count()
    }

    /// Checks that a proof shows something.
    ///
    /// # Errors
    /// [`CircuitError::PrivateOutputs`], [`CircuitError::PrivateModel`], [`CircuitError::LinkedValues`].
    pub fn check(self) -> Result<Self, CircuitError> {
        if self.model == Visibility::Private {
            return Err(CircuitError::PrivateModel);
        }
        if [self.inputs, self.outputs].contains(&Visibility::Linked) {
            return Err(CircuitError::LinkedValues);
        }
        match self.outputs {
            Visibility::Private | Visibility::Linked => Err(CircuitError::PrivateOutputs),
            Visibility::Public | Visibility::Committed => Ok(self),
        }
    }
}
