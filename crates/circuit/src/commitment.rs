//! Commitments to inputs and outputs: `docs/spec/commitment.md`.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, FromUniformBytes},
};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};
use zkverdict_model::{CellId, Finish, Format, Layer, Program, Range, Source, Step, Sum, Table};

use crate::{
    CircuitError, ModelCommitment, PublicInputs, RecordTree, Side,
    field::{from_i128, power_of_two},
    poseidon,
};

/// Bits that packed values may fill: `2^253` is below the field's prime.
pub(crate) const ELEMENT_BITS: u32 = 253;

/// What makes commitments hide, one secret number for each side. That of a model stays the same as long as its
/// commitment does.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Salts {
    /// For the inputs.
    pub input: Fr,
    /// For the outputs.
    pub output: Fr,
    /// For the model.
    pub model: Fr,
}

impl Salts {
    /// New ones. They hide only from those who cannot guess the randomness.
    pub fn random<R: RngCore + CryptoRng>(mut randomness: R) -> Self {
        Self {
            input: Fr::random(&mut randomness),
            output: Fr::random(&mut randomness),
            model: Fr::random(&mut randomness),
        }
    }

    /// The salt of one side.
    pub fn of(&self, side: Side) -> Fr {
        match side {
            Side::Input => self.input,
            Side::Output => self.output,
            Side::Model => self.model,
        }
    }
}

impl std::fmt::Debug for Salts {
    /// Shows nothing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Salts(secret)")
    }
}

/// What a committed value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedValue {
    /// Bits that its integer has at most, proven by the circuit.
    pub bits: u32,
    /// How its integer stands for a real number.
    pub format: Format,
    /// Whether the integer is the place of a `float32` in the order of floats instead.
    pub float32: bool,
}

/// What a commitment is to: everything but the values and the salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Inputs or outputs; a model has a [`ModelCommitment`](crate::ModelCommitment).
    pub side: Side,
    /// The values, in graph order; of one row, where it is to a table.
    pub values: Vec<CommittedValue>,
    /// Rows of the table that it is to: it is the root of a [tree](crate::RecordTree).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Where the values are the nodes and leaves of a model's trees: it is the commitment to that model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<OpenedModel>,
}

/// A model whose commitment a program opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedModel {
    /// What its commitment is to.
    pub model: ModelCommitment,
    /// How many values each of its elements is.
    pub elements: Vec<usize>,
}

impl OpenedModel {
    fn of(program: &Program) -> Option<Self> {
        let elements = program.opened.iter().flat_map(|tree| tree.entries(program.limb_bits));
        (!program.opened.is_empty()).then(|| Self {
            model: ModelCommitment::of(program),
            elements: elements.collect(),
        })
    }
}

impl Commitment {
    /// The commitment to one side of a program.
    ///
    /// # Errors
    /// [`CircuitError::UnboundedCommitment`] for a cell without a proven range.
    pub fn of(program: &Program, side: Side) -> Result<Self, CircuitError> {
        let rows = program.records.filter(|_| side == Side::Input);
        let mut bits = proven_bits(program);
        if rows.is_some() {
            encoded_bits(program, &mut bits);
        }
        let formats: Vec<(Format, bool)> = match side {
            Side::Input => program
                .inputs
                .iter()
                .map(|input| (input.format, input.float32))
                .collect(),
            Side::Output => {
                let outputs = program.outputs.iter();
                outputs
                    .flat_map(|output| output.cells.iter().map(|_| (output.format, false)))
                    .collect()
            }
            Side::Model => Vec::new(),
        };
        let cells = side.cells(program).into_iter().zip(formats).enumerate();
        let value = |(index, (cell, (format, float32))): (usize, (CellId, (Format, bool)))| {
            let bits = bits[cell.index()].ok_or(CircuitError::UnboundedCommitment { side, index })?;
            Ok::<_, CircuitError>(CommittedValue { bits, format, float32 })
        };
        let mut values = cells.map(value).collect::<Result<Vec<_>, _>>()?;
        if let Some(rows) = rows {
            let each = values.len() / rows.max(1);
            if each == 0 || values.chunks(each).any(|row| row != &values[..each]) {
                return Err(CircuitError::UnequalRows);
            }
            values.truncate(each);
        }
        let opened = OpenedModel::of(program).filter(|_| side == Side::Input);
        Ok(Self {
            side,
            values,
            rows,
            opened,
        })
    }

    /// The sponge's first carried element: says what is committed to, how many values, and their formats.
    pub fn tag(&self) -> Fr {
        if let Some(OpenedModel { model, .. }) = &self.opened {
            return model.tag();
        }
        let what = match self.rows {
            Some(_) => "record".to_owned(),
            None => self.side.to_string(),
        };
        let mut text = format!("zkverdict commitment 1\n{what} {}\n", self.values.len());
        for value in &self.values {
            let CommittedValue { bits, format, float32 } = value;
            let kind = if *float32 { "float32" } else { "fixed" };
            text.push_str(&format!("{bits} {kind} {} {}\n", format.scale, format.zero));
        }
        Fr::from_uniform_bytes(&Sha512::digest(text.as_bytes()).into())
    }

    /// The values of each packed element, with the bit that each starts at.
    pub(crate) fn elements(&self) -> Vec<Vec<(usize, u32)>> {
        let mut elements: Vec<Vec<(usize, u32)>> = Vec::new();
        let mut filled = ELEMENT_BITS;
        let mut lengths = self.opened.iter().flat_map(|opened| &opened.elements);
        let mut ends = lengths.next().copied();
        for (index, value) in self.values.iter().enumerate() {
            let begins = ends == Some(index);
            if begins {
                ends = lengths.next().map(|length| index + length);
            }
            if begins || filled + value.bits > ELEMENT_BITS {
                elements.push(Vec::new());
                filled = 0;
            }
            if let Some(last) = elements.last_mut() {
                last.push((index, filled));
            }
            filled += value.bits;
        }
        elements
    }

    /// The commitment to these integers.
    ///
    /// # Errors
    /// Another number of values; a value outside of its bits.
    pub fn hash(&self, values: &[i64], salt: Fr) -> Result<Fr, CircuitError> {
        self.check(values, self.rows.unwrap_or(1))?;
        Ok(self.hash_unchecked(values, salt))
    }

    /// The leaf of one row, in a tree over a table.
    ///
    /// # Errors
    /// As [`Commitment::hash`].
    pub fn leaf(&self, values: &[i64], salt: Fr) -> Result<Fr, CircuitError> {
        self.check(values, 1)?;
        Ok(self.hash_row(values, salt))
    }

    fn check(&self, values: &[i64], rows: usize) -> Result<(), CircuitError> {
        let side = self.side;
        if values.len() != rows * self.values.len() {
            return Err(CircuitError::ValueCount {
                side,
                expected: rows * self.values.len(),
                got: values.len(),
            });
        }
        let bounds = self.values.iter().cycle();
        for (index, (value, CommittedValue { bits, .. })) in values.iter().zip(bounds).enumerate() {
            if *value < 0 || (*bits < 63 && value >> bits != 0) {
                return Err(CircuitError::ValueTooLarge {
                    side,
                    index,
                    value: *value,
                    bits: *bits,
                });
            }
        }
        Ok(())
    }

    /// As [`Commitment::hash`], whatever the values are.
    pub(crate) fn hash_unchecked(&self, values: &[i64], salt: Fr) -> Fr {
        match self.rows {
            Some(_) => RecordTree::new(self.leaves(values, salt)).root(),
            None => self.hash_row(values, salt),
        }
    }

    pub(crate) fn hash_row(&self, values: &[i64], salt: Fr) -> Fr {
        absorbed(self.tag(), salt, &self.elements(), |index| {
            from_i128(values[index].into())
        })
    }

    /// The commitment to the cells of one execution.
    pub fn hash_cells(&self, program: &Program, cells: &[i64], salts: &Salts) -> Fr {
        let values: Vec<i64> = self
            .side
            .cells(program)
            .iter()
            .map(|cell| cells[cell.index()])
            .collect();
        self.hash_unchecked(&values, salts.of(self.side))
    }
}

/// The sponge over a salt and packed elements: numbers of values, with the bit that each starts at.
pub(crate) fn absorbed(tag: Fr, salt: Fr, elements: &[Vec<(usize, u32)>], value: impl Fn(usize) -> Fr) -> Fr {
    let pack = |places: &Vec<(usize, u32)>| {
        let terms = places.iter().map(|(index, bit)| value(*index) * power_of_two(*bit));
        terms.fold(Fr::ZERO, |sum, term| sum + term)
    };
    let mut absorbed = vec![salt];
    absorbed.extend(elements.iter().map(pack));
    poseidon::sponge(tag, &absorbed)
}

/// Bits that the circuit proves each cell to have at most, whatever is committed to.
fn proven_bits(program: &Program) -> Vec<Option<u32>> {
    let length = |largest: i64| (0..=1 << 62).contains(&largest).then(|| 64 - largest.leading_zeros());
    let mut bits = vec![None; program.cells];
    for step in &program.steps {
        match step {
            Step::Witness { cells, range, .. } => {
                let proven = match range {
                    Range::Cell => Some(program.cell_bits()),
                    Range::Limb => Some(program.limb_bits),
                    Range::Bit => Some(1),
                    Range::Wide => Some(2 * program.cell_bits()),
                    Range::Unchecked => None,
                };
                cells.iter().for_each(|cell| bits[cell.index()] = proven);
            }
            Step::Layer(layer) => {
                for sum in &layer.sums {
                    match sum.finish {
                        Finish::Lookup { table, output } => {
                            bits[output.index()] = whole(program, &program.tables[table.index()]).and_then(length);
                        }
                        Finish::NonNegative => {
                            if let Some(cell) = alone(layer, sum) {
                                bits[cell.index()] = Some(2 * program.cell_bits());
                            }
                        }
                        Finish::Zero => {}
                    }
                }
            }
            Step::Curve { output, .. } => bits[output.index()] = Some(program.cell_bits()),
            Step::Bin { table, input, output } => {
                let table = &program.tables[table.index()];
                let (first, last) = (table.entries.first(), table.entries.last());
                if first.is_some_and(|first| *first >= 0) {
                    bits[input.index()] = last.and_then(|last| length(last - 1));
                }
                bits[output.index()] = length(table.entries.len() as i64);
            }
            Step::Tree(path) => {
                let weight = zkverdict_model::WEIGHT_LIMBS * program.limb_bits;
                path.outputs
                    .iter()
                    .flatten()
                    .for_each(|cell| bits[cell.index()] = Some(weight));
            }
        }
    }
    bits
}

/// Bits of inputs that are encoded one-hot: the sum that follows the encoding says that the input is one of its
/// categories.
fn encoded_bits(program: &Program, bits: &mut [Option<u32>]) {
    for step in &program.steps {
        if let Step::Witness {
            range: Range::Bit,
            source: Source::OneHot { source, categories },
            ..
        } = step
            && let (Some(least), Some(most)) = (categories.iter().min(), categories.iter().max())
            && *least >= 0
        {
            let length = (64 - most.leading_zeros()).max(1);
            bits[source.index()] = bits[source.index()].map(|known| known.min(length));
        }
    }
}

/// The largest number between the entries of a table, if all that it can give are whole: as all clamps and steps.
fn whole(program: &Program, table: &Table) -> Option<i64> {
    let whole = |entry: &i64| *entry >= 0 && entry % program.cell_max() == 0;
    let is_whole =
        table.entries.iter().all(whole) || (table.stride == 0 && table.entries.iter().all(|entry| *entry >= 0));
    table.entries.iter().max().copied().filter(|_| is_whole)
}

/// The cell that a sum is.
fn alone(layer: &Layer, sum: &Sum) -> Option<CellId> {
    let mut terms = layer
        .inputs
        .iter()
        .zip(&sum.weights)
        .filter(|(_, weight)| **weight != 0);
    match (terms.next(), terms.next()) {
        (Some((cell, 1)), None) if sum.bias == 0 && sum.products.is_empty() => Some(*cell),
        _ => None,
    }
}

/// Adds sums that prove the range of every value that is to be committed and that no step bounds: inputs that no tree
/// compares, and largest values.
pub fn prove_ranges(program: &mut Program, public: PublicInputs) {
    let bits = proven_bits(program);
    let committed = public.committed().flat_map(|side| side.cells(program));
    let mut cells: Vec<CellId> = committed.filter(|cell| bits[cell.index()].is_none()).collect();
    cells.sort_unstable();
    cells.dedup();
    if cells.is_empty() {
        return;
    }
    let sum = |place: usize| Sum {
        weights: (0..cells.len()).map(|other| i64::from(other == place)).collect(),
        products: Vec::new(),
        bias: 0,
        finish: Finish::NonNegative,
    };
    program.steps.push(Step::Layer(Layer {
        name: "committed values".to_owned(),
        sums: (0..cells.len()).map(sum).collect(),
        inputs: cells,
        parameters: None,
    }));
}
