use std::sync::Arc;

use halo2_proofs::halo2curves::bn256::Fr;
use serde::{Deserialize, Serialize};
use zkverdict_model::Program;

use crate::{
    CircuitError, Commitment, Layout, ModelCircuit, ModelCommitment, PublicInputs, Salts, Shape, Side, Trace,
    Visibility, Widths, from_i128, usable_rows,
};

/// Changes whenever the same program would get another constraint system or another layout.
pub const CIRCUIT_VERSION: u32 = 6;

/// A program with the circuit that was chosen for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompiledModel {
    /// What is proven.
    pub program: Program,
    /// Which cells are public.
    pub public: PublicInputs,
    /// Lanes of the shape.
    pub lanes: usize,
    /// Its lanes of hashes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hash_lanes: usize,
    /// Numbers of the program's convolutions that are proven at a challenge.
    pub combined: Vec<usize>,
    /// Size: `2^k` rows.
    pub k: u32,
}

impl CompiledModel {
    /// The shape.
    pub fn shape(&self) -> Shape {
        Shape::of(&self.program, self.widths(), &self.combined, self.public)
    }

    /// Whether its inputs are a committed model, so that the commitment to them is that model's.
    pub fn opens_model(&self) -> bool {
        !self.program.opened.is_empty() && self.public.inputs == Visibility::Committed
    }

    fn widths(&self) -> Widths {
        Widths {
            lanes: self.lanes,
            hash_lanes: self.hash_lanes,
        }
    }

    /// Number of public inputs, the context included.
    pub fn public_inputs(&self) -> usize {
        1 + self.public.count(&self.program)
    }

    /// The circuit without witness.
    ///
    /// # Errors
    /// A program that cannot be laid out, or not within `2^k` rows.
    pub fn circuit(&self) -> Result<ModelCircuit, CircuitError> {
        let layout = self.layout()?;
        let usable = usable_rows(layout.shape(), self.k);
        Ok(ModelCircuit::new(Arc::new(layout), usable))
    }

    /// The circuit with the witness of one execution.
    ///
    /// # Errors
    /// As [`CompiledModel::circuit`].
    pub fn circuit_with(&self, cells: &[i64], salts: &Salts) -> Result<ModelCircuit, CircuitError> {
        let layout = self.layout()?;
        let usable = usable_rows(self.shape(), self.k);
        let trace = Trace::salted(&layout, &self.program, cells, salts, usable);
        Ok(ModelCircuit::new(Arc::new(layout), usable).with_trace(trace))
    }

    /// The public inputs of one execution, but for the commitment to a linked model, which takes an SRS to make and stands
    /// behind the context.
    ///
    /// # Errors
    /// Commitments to values without a proven range; a committed model without its parameters.
    pub fn instance(&self, cells: &[i64], salts: &Salts, context: Fr) -> Result<Vec<Fr>, CircuitError> {
        let mut instance = vec![context];
        for side in Side::ALL {
            match self.public.of(side) {
                Visibility::Public => {
                    let shown = side.cells(&self.program).into_iter();
                    instance.extend(shown.map(|cell| from_i128(cells[cell.index()].into())));
                }
                Visibility::Committed if side == Side::Model => {
                    let commitment = ModelCommitment::of(&self.program);
                    instance.push(commitment.hash(&self.program.parameters()?, salts.model)?);
                }
                Visibility::Committed => {
                    instance.push(Commitment::of(&self.program, side)?.hash_cells(&self.program, cells, salts));
                }
                Visibility::Linked | Visibility::Private => {}
            }
        }
        Ok(instance)
    }

    /// The columns of a linked model, up to the usable rows.
    ///
    /// # Errors
    /// As [`CompiledModel::circuit`]; a model without its parameters.
    pub fn model_columns(&self) -> Result<Vec<Vec<Fr>>, CircuitError> {
        let committed = ModelCommitment::of(&self.program).values(&self.program.parameters()?)?;
        let usable = usable_rows(self.shape(), self.k);
        Ok(self.layout()?.model_columns(&self.program, &committed, usable))
    }

    fn layout(&self) -> Result<Layout, CircuitError> {
        let layout = Layout::new(&self.program, self.widths(), &self.combined, self.public)?;
        let usable = usable_rows(self.shape(), self.k);
        if layout.rows() <= usable {
            return Ok(layout);
        }
        Err(CircuitError::TooManyRows {
            k: self.k,
            usable,
            needed: layout.rows(),
            suggested: crate::smallest_k(self.shape(), layout.rows())?,
        })
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
