//! Chooses widths: lays the program out for each, counts, predicts, picks.

use serde::{Deserialize, Serialize};
use zkverdict_model::Program;

use crate::{
    CircuitError, CompiledModel, DEGREE, Layout, PublicInputs, Shape, Widths, constraint_system,
    layout::{ConvolutionRows, compare},
    usable_rows,
};

/// Largest supported size: the known ceremonies end at `2^28`.
pub const MAX_K: u32 = 28;

/// Bytes of code a contract may have, less the error of the prediction.
const CODE_LIMIT: usize = 24_576 - 400;

/// Lane counts that are tried.
const LANES: [usize; 5] = [1, 2, 4, 8, 16];

/// What to make small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Prover CPU.
    #[default]
    Time,
    /// Gas of a verification.
    Gas,
    /// Prover memory.
    Memory,
}

/// How a machine compares with the one that the cost model was fitted on: factors on CPU seconds, above 1 where it is
/// slower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HostFactors {
    /// Of Fourier transforms, and of everything else that goes over rows and columns.
    pub transforms: f64,
    /// Of multi-scalar multiplications.
    pub commitments: f64,
}

impl Default for HostFactors {
    /// The reference machine.
    fn default() -> Self {
        Self {
            transforms: 1.0,
            commitments: 1.0,
        }
    }
}

/// Predicted CPU seconds of a proof by what they are spent on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProveCpu {
    /// Whatever the size: starting, reading files, checking the proof.
    pub base_s: f64,
    /// Fourier transforms and the quotient's evaluation.
    pub transforms_s: f64,
    /// Multi-scalar multiplications, and what else every row takes whatever the columns.
    pub commitments_s: f64,
}

impl ProveCpu {
    /// The prediction for `2^k` rows. `columns` are those of advice, those of constants, those with copies, and the
    /// permutation products; `models` of them hold a linked model, and twice `hash_lanes` hashes alone.
    pub fn predict(k: u32, columns: usize, models: usize, hash_lanes: usize, host: HostFactors) -> Self {
        let cost = CostModel::default();
        let rows = f64::powi(2.0, k as i32);
        // The link opens one polynomial more.
        let links = if models > 0 { models + 1 } else { 0 };
        let per_row = cost.cpu_per_row_s
            + cost.cpu_per_row_of_link_s * links as f64
            + cost.cpu_per_row_of_hash_lane_s * hash_lanes as f64;
        let base = cost.cpu_base_s + if models > 0 { cost.cpu_of_link_s } else { 0.0 };
        Self {
            base_s: base * host.transforms,
            transforms_s: rows * cost.cpu_per_cell(k) * columns as f64 * host.transforms,
            commitments_s: rows * per_row / f64::from(k) * host.commitments,
        }
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.base_s + self.transforms_s + self.commitments_s
    }
}

/// One way to lay a program out, with what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The shape.
    pub shape: Shape,
    /// Numbers of the program's convolutions that are proven at a challenge.
    pub combined: Vec<usize>,
    /// Size: `2^k` rows.
    pub k: u32,
    /// Rows used.
    pub rows: usize,
    /// Of the table.
    pub table_rows: usize,
    /// Of all permutations of hashes, one below the other.
    #[serde(default)]
    pub hash_rows: usize,
    /// Advice columns.
    pub advice_columns: usize,
    /// Fixed columns.
    pub fixed_columns: usize,
    /// Columns with copy constraints, the instance included.
    pub equality_columns: usize,
    /// Public inputs, the context included.
    pub public_inputs: usize,
    /// Proof bytes (exact).
    pub proof_bytes: usize,
    /// Predicted bytes of the verifier's code.
    pub code_bytes: usize,
    /// Predicted gas of a verifying transaction.
    pub verify_gas: u64,
    /// Predicted prover CPU seconds on the machine that the cost model was fitted on, or that of [`Candidate::on`].
    pub prove_cpu_s: f64,
    /// Predicted peak memory of the prover.
    pub memory_bytes: u64,
    /// Largest error against the floats on the calibration samples, where known.
    pub max_error: Option<f64>,
    /// Bits of a committed model's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_bits: Option<u32>,
}

/// The smallest size whose usable rows hold `rows`.
///
/// # Errors
/// [`CircuitError::TooLarge`] above [`MAX_K`].
pub fn smallest_k(shape: Shape, rows: usize) -> Result<u32, CircuitError> {
    let unusable = (1_usize << MAX_K) - usable_rows(shape, MAX_K);
    (1..=MAX_K)
        .find(|k| rows + unusable <= 1 << k)
        .ok_or(CircuitError::TooLarge {
            needed: rows,
            limit: MAX_K,
        })
}

/// Every width for one program, or those with so many lanes.
///
/// # Errors
/// A program that fits no width.
pub fn candidates(
    program: &Program,
    lanes: Option<usize>,
    public: PublicInputs,
    max_error: Option<f64>,
) -> Result<Vec<Candidate>, CircuitError> {
    let mut found = Vec::new();
    let mut last = None;
    for lanes in LANES
        .into_iter()
        .filter(|known| lanes.is_none_or(|lanes| lanes == *known))
    {
        let mut ways = vec![Vec::new()];
        let combined = worthwhile(&convolution_rows(program, lanes)?);
        ways.extend((!combined.is_empty()).then_some(combined));
        for combined in ways {
            for hash_lanes in 0..=Shape::MOST_HASH_LANES {
                let widths = Widths { lanes, hash_lanes };
                if hash_lanes > 0 && !found.last().is_some_and(Candidate::may_shrink) {
                    break;
                }
                match Candidate::new(program, widths, combined.clone(), public, max_error) {
                    Ok(candidate) => found.push(candidate),
                    Err(error) => {
                        last = Some(error);
                        break;
                    }
                }
            }
        }
    }
    match last {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// What each convolution of a program takes over `lanes`: as sums of layers, and at a challenge.
///
/// # Errors
/// A program that is malformed, or a sum too wide for the field.
pub fn convolution_rows(program: &Program, lanes: usize) -> Result<Vec<ConvolutionRows>, CircuitError> {
    compare(program, lanes)
}

/// Numbers of the convolutions that take fewer rows at the challenge.
pub fn worthwhile(rows: &[ConvolutionRows]) -> Vec<usize> {
    let numbered = rows.iter().enumerate();
    numbered
        .filter_map(|(number, rows)| rows.is_combined.then_some(number))
        .collect()
}

impl Candidate {
    /// What a program takes over these widths with these of its convolutions at a challenge.
    ///
    /// # Errors
    /// A program or choice that cannot be laid out so.
    pub fn new(
        program: &Program,
        widths: impl Into<Widths>,
        combined: Vec<usize>,
        public: PublicInputs,
        max_error: Option<f64>,
    ) -> Result<Self, CircuitError> {
        let layout = Layout::new(program, widths, &combined, public)?;
        let shape = layout.shape();
        if layout.has_idle_column() {
            return Err(CircuitError::IdleColumn { lanes: shape.lanes });
        }
        let k = smallest_k(shape, layout.rows())?;
        let system = constraint_system(shape);
        let equality = system.permutation().get_columns().len();
        let products = equality.div_ceil(DEGREE - 2);
        // Advice, permutation products, random polynomial, quotient pieces, the two openings.
        let models = shape.link.map_or(0, |link| link.models);
        // The registered points, the link's quotient and opening.
        let linked = if models > 0 { models + 2 } else { 0 };
        let points = system.num_advice_columns() + products + 1 + (DEGREE - 1) + 2 + linked;
        let evaluations =
            system.advice_queries().len() + system.fixed_queries().len() + 1 + equality + 3 * products - 1;
        let proof_bytes = 64 * points + 32 * evaluations;
        let public_inputs = layout.public_inputs();
        let multiplications =
            system.num_fixed_columns() + equality + system.num_advice_columns() + products + DEGREE + 2;
        // A point that is added costs about a fiftieth of one that is multiplied; each column of the model adds two.
        let multiplications = multiplications + if models > 0 { models + 3 } else { 0 };
        let columns = system.num_advice_columns() + system.num_fixed_columns() + equality + products;
        let cost = CostModel::default();
        let rows = f64::powi(2.0, k as i32);
        Ok(Self {
            shape,
            combined,
            k,
            rows: layout.rows(),
            table_rows: layout.table_rows(),
            hash_rows: layout.hash_rows(),
            advice_columns: system.num_advice_columns(),
            fixed_columns: system.num_fixed_columns(),
            equality_columns: equality,
            public_inputs,
            proof_bytes,
            code_bytes: cost.code_bytes(shape),
            verify_gas: cost.gas(shape, multiplications, evaluations, proof_bytes, public_inputs),
            prove_cpu_s: ProveCpu::predict(k, columns, models, shape.hash_lanes, HostFactors::default()).total(),
            memory_bytes: cost.memory_bytes(rows, columns as f64),
            max_error,
            weight_bits: program
                .parameter_layers()
                .first()
                .and_then(|layer| layer.parameters.as_ref())
                .map(|block| block.weight_bits)
                .or(program.is_committed().then_some(program.limb_bits)),
        })
    }

    /// Whether more lanes of hashes could make it smaller.
    fn may_shrink(&self) -> bool {
        let others = match self.shape.hash_lanes {
            0 => self.rows - self.hash_rows,
            _ => 0,
        };
        let least = others.max(self.table_rows).max(self.hash_rows / Shape::MOST_HASH_LANES);
        self.hash_rows > 0 && smallest_k(self.shape, least).is_ok_and(|k| k < self.k)
    }

    /// The compiled model of this candidate.
    pub fn compile(&self, program: Program, public: PublicInputs) -> CompiledModel {
        CompiledModel {
            program,
            public,
            lanes: self.shape.lanes,
            hash_lanes: self.shape.hash_lanes,
            combined: self.combined.clone(),
            k: self.k,
        }
    }

    /// The same layout with the CPU seconds of another machine.
    #[must_use]
    pub fn on(&self, host: HostFactors) -> Self {
        let products = self.equality_columns.div_ceil(DEGREE - 2);
        let columns = self.advice_columns + self.fixed_columns + self.equality_columns + products;
        let models = self.shape.link.map_or(0, |link| link.models);
        Self {
            prove_cpu_s: ProveCpu::predict(self.k, columns, models, self.shape.hash_lanes, host).total(),
            ..self.clone()
        }
    }

    /// Predicted peak memory of whatever takes most: making the keys.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.memory_bytes + self.memory_bytes / 4
    }

    /// Whether the reference contract stays below the limit that every chain sets (EIP-170).
    pub fn is_deployable(&self) -> bool {
        self.code_bytes <= CODE_LIMIT
    }

    fn cost(&self, objective: Objective) -> f64 {
        match objective {
            Objective::Time => self.prove_cpu_s,
            Objective::Gas => self.verify_gas as f64,
            Objective::Memory => self.memory_bytes as f64,
        }
    }
}

/// The cheapest candidate among those whose contract can be deployed and that are accurate enough; if none is accurate
/// enough, among the most accurate ones. Ties go to the smaller proof.
pub fn choose(candidates: &[Candidate], objective: Objective, tolerance: f64) -> Option<&Candidate> {
    let error = |candidate: &Candidate| candidate.max_error.unwrap_or(0.0);
    let candidates: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.is_deployable())
        .collect();
    let least = candidates.iter().copied().map(error).fold(f64::INFINITY, f64::min);
    let bound = tolerance.max(least);
    candidates
        .into_iter()
        .filter(|candidate| error(candidate) <= bound)
        .min_by(|left, right| {
            let by_cost = left.cost(objective).total_cmp(&right.cost(objective));
            by_cost.then(left.proof_bytes.cmp(&right.proof_bytes))
        })
}

/// Constants of the predictions, fitted to measurements (`docs/numbers.md`).
#[derive(Debug, Clone, Copy, PartialEq)]
struct CostModel {
    gas_base: f64,
    gas_per_multiplication: f64,
    gas_per_evaluation: f64,
    gas_per_public_input: f64,
    /// Gates of trees.
    gas_of_trees: f64,
    /// Gates of hashes.
    gas_of_hashes: f64,
    /// The check of a link, less its multiplications.
    gas_of_link: f64,
    code_base: f64,
    /// From two lanes on.
    code_per_lane: f64,
    /// Gates of trees.
    code_of_trees: f64,
    /// What they take more where trees are committed to.
    code_of_committed_trees: f64,
    /// The gate of evaluations, and its column.
    code_of_convolutions: f64,
    /// Gates of hashes, of each lane.
    code_of_hashes: f64,
    /// Their columns, where they have columns of their own.
    code_of_hash_columns: f64,
    /// The gate of a linked model, and the check of the link.
    code_of_link: f64,
    /// Per column of a linked model.
    code_per_model: f64,
    cpu_base_s: f64,
    /// Per row and column: transforms.
    cpu_per_cell_s: f64,
    /// The part by which that grows with each doubling beyond [`CACHED_K`].
    cpu_growth: f64,
    /// Per row, divided by `k`: the full-size commitments, whose number every shape shares.
    cpu_per_row_s: f64,
    /// What a link takes whatever the size: its pairing, when the proof is checked.
    cpu_of_link_s: f64,
    /// As `cpu_per_row_s` for each column of a linked model, and for the link's opening.
    cpu_per_row_of_link_s: f64,
    /// As `cpu_per_row_s` for each lane of hashes: two columns of full-size numbers, and copies.
    cpu_per_row_of_hash_lane_s: f64,
    memory_base: f64,
    /// Of the first [`FEW_CELLS`].
    memory_per_cell: f64,
    /// Of the others.
    memory_per_further_cell: f64,
}

/// Largest `k` whose extended columns caches still help with.
const CACHED_K: u32 = 17;

/// Cells up to which memory grows fastest: those of some `2^16` rows.
const FEW_CELLS: f64 = 1.5e6;

impl Default for CostModel {
    fn default() -> Self {
        Self {
            gas_base: 143_550.0,
            gas_per_multiplication: 6_780.0,
            gas_per_evaluation: 130.0,
            gas_per_public_input: 450.0,
            gas_of_trees: 2_650.0,
            gas_of_hashes: 3_500.0,
            gas_of_link: 4_000.0,
            code_base: 7_900.0,
            code_per_lane: 187.0,
            code_of_trees: 1_800.0,
            code_of_committed_trees: 1_190.0,
            code_of_convolutions: 1_100.0,
            code_of_hashes: 2_400.0,
            code_of_hash_columns: 600.0,
            code_of_link: 850.0,
            code_per_model: 21.0,
            cpu_base_s: 0.028,
            cpu_per_cell_s: 1.6e-6,
            cpu_growth: 0.3,
            cpu_per_row_s: 1.19e-3,
            cpu_of_link_s: 0.004,
            cpu_per_row_of_link_s: 0.075e-3,
            cpu_per_row_of_hash_lane_s: 0.25e-3,
            memory_base: 15.0e6,
            memory_per_cell: 205.0,
            memory_per_further_cell: 142.0,
        }
    }
}

impl CostModel {
    fn cpu_per_cell(&self, k: u32) -> f64 {
        self.cpu_per_cell_s * (1.0 + self.cpu_growth * f64::from(k.saturating_sub(CACHED_K)))
    }

    fn gas(
        &self,
        shape: Shape,
        multiplications: usize,
        evaluations: usize,
        proof_bytes: usize,
        public_inputs: usize,
    ) -> u64 {
        let execution = self.gas_base
            + if shape.trees { self.gas_of_trees } else { 0.0 }
            + self.gas_of_hashes * shape.hash_gates() as f64
            + if shape.link.is_some() { self.gas_of_link } else { 0.0 }
            + self.gas_per_multiplication * multiplications as f64
            + self.gas_per_evaluation * evaluations as f64
            + self.gas_per_public_input * public_inputs as f64;
        (execution + 15.95 * proof_bytes as f64) as u64
    }

    fn code_bytes(&self, shape: Shape) -> usize {
        let lanes = if shape.lanes > 1 { shape.lanes as f64 } else { 0.0 };
        let trees = if shape.trees { self.code_of_trees } else { 0.0 };
        let committed_trees = if shape.committed_trees {
            self.code_of_committed_trees
        } else {
            0.0
        };
        let convolutions = if shape.convolutions {
            self.code_of_convolutions
        } else {
            0.0
        };
        let hashes = self.code_of_hashes * shape.hash_gates() as f64
            + if shape.hash_lanes > 0 {
                self.code_of_hash_columns
            } else {
                0.0
            };
        let link = shape
            .link
            .map_or(0.0, |link| self.code_of_link + self.code_per_model * link.models as f64);
        (self.code_base + self.code_per_lane * lanes + trees + committed_trees + convolutions + hashes + link) as usize
    }

    fn memory_bytes(&self, rows: f64, columns: f64) -> u64 {
        let cells = rows * columns;
        let few = cells.min(FEW_CELLS);
        (self.memory_base + self.memory_per_cell * few + self.memory_per_further_cell * (cells - few)) as u64
    }
}
