//! Convolutions at a challenge on rows: `docs/spec/combination.md`.

use super::*;
use crate::{
    chips::evaluate,
    combination::{Blocks, Group, Spot, Term},
};

/// A convolution whose sums are proven at the challenge.
#[derive(Debug, Clone)]
pub(crate) struct Combined {
    pub(crate) combination: Combination,
    /// Of each group, as many coefficients at a time as there are lanes: place, first member, row.
    pub(crate) rows: Vec<Vec<(i64, usize, usize)>>,
}

/// How the evaluations are computed, in order. Rows are those of the evaluation column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evaluation {
    /// The cell is a copy.
    Copy { from: EvaluationSource, row: usize },
    /// The gate of this row says what the evaluation on a later one is.
    Gate { row: usize },
}

/// What an evaluation may be a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvaluationSource {
    /// A row of the value column.
    Value(usize),
    /// An earlier row of the same column.
    Evaluation(usize),
}

/// What a convolution takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvolutionRows {
    /// Node in the model.
    pub name: String,
    /// Sums.
    pub sums: usize,
    /// Rows of its sums as layers.
    pub direct: usize,
    /// Rows at the challenge, where it can be laid out so.
    pub combined: Option<usize>,
    /// Whether the latter was chosen.
    pub is_combined: bool,
}

/// The convolutions of a program that take fewer rows at the challenge than as layers, with the rows of all of them.
pub(crate) fn compare(program: &Program, lanes: usize) -> Result<Vec<ConvolutionRows>, CircuitError> {
    if lanes < evaluate::LEAST_LANES {
        return Ok(Vec::new());
    }
    let index = SumIndex::new(program);
    let mut builder = Builder::new(
        program,
        Shape {
            lanes,
            limb_bits: program.limb_bits,
            ..Shape::default()
        },
    )?;
    builder.find_unchecked();
    let computed_by = steps_by_cell(program);
    let mut evaluated = HashSet::new();
    let mut found = Vec::with_capacity(program.convolutions.len());
    for convolution in &program.convolutions {
        let kernel = kernel(program, convolution, &index)?;
        let mut steps: Vec<usize> = kernel.sums.iter().map(|(step, ..)| *step).collect();
        steps.sort_unstable();
        steps.dedup();
        let before = builder.rows_of_layers(&steps)?;
        let sums: Vec<(usize, usize)> = kernel.sums.iter().map(|(step, sum, _)| (*step, *sum)).collect();
        builder.elsewhere.extend(&sums);
        let direct = before - builder.rows_of_layers(&steps)?;
        // All of it is laid out at the place of its first sum.
        let factors = kernel.factors.values().copied();
        let mut cells = convolution.cells.iter().map(|placed| placed.cell).chain(factors);
        let is_ready = cells.all(|cell| computed_by[cell.index()] < steps[0]);
        let way = Combination::new(convolution, &kernel, lanes).filter(|_| is_ready);
        let combined = way.as_ref().map(|way| way.rows_beside(&evaluated, lanes));
        let is_combined = combined.is_some_and(|combined| combined < direct);
        if is_combined {
            evaluated.extend(way.into_iter().flat_map(|way| way.channels));
        } else {
            sums.iter().for_each(|sum| _ = builder.elsewhere.remove(sum));
        }
        found.push(ConvolutionRows {
            name: convolution.name.clone(),
            sums: sums.len(),
            direct,
            combined,
            is_combined,
        });
    }
    Ok(found)
}

/// The step that computes each cell.
fn steps_by_cell(program: &Program) -> Vec<usize> {
    let mut steps = vec![0; program.cells];
    for (number, step) in program.steps.iter().enumerate() {
        let results: Vec<CellId> = match step {
            Step::Witness { cells, .. } => cells.clone(),
            Step::Layer(layer) => layer.sums.iter().filter_map(|sum| sum.finish.output()).collect(),
            Step::Bin { output, .. } | Step::Curve { output, .. } => vec![*output],
            Step::Tree(path) => path.outputs.concat(),
        };
        for cell in results {
            steps[cell.index()] = number;
        }
    }
    steps
}

fn kernel(program: &Program, convolution: &Convolution, index: &SumIndex) -> Result<Kernel, CircuitError> {
    convolution
        .kernel(program, index)
        .map_err(|problem| CircuitError::NoConvolution {
            node: convolution.name.clone(),
            problem,
        })
}

impl Builder<'_> {
    /// Takes the sums of these convolutions out of their layers.
    pub(super) fn prepare(&mut self, combined: &[usize]) -> Result<(), CircuitError> {
        if combined.is_empty() {
            return Ok(());
        }
        // A value of the table that holds nothing but zero.
        let zero = self.take_rows(1);
        self.layout.fixed.set_gadget(zero, gadget::RANGE);
        self.layout.fixed.set_tag(zero, self.zero_tag);
        self.layout.zero_row = Some(zero);
        let index = SumIndex::new(self.program);
        for number in combined {
            let convolution = self.program.convolutions.get(*number);
            let convolution = convolution.ok_or(CircuitError::NoSuchConvolution { number: *number })?;
            let kernel = kernel(self.program, convolution, &index)?;
            let combination = Combination::new(convolution, &kernel, self.layout.shape.lanes);
            let combination = combination.ok_or_else(|| CircuitError::NoConvolution {
                node: convolution.name.clone(),
                problem: "it reaches too far",
            })?;
            let first = kernel.sums.iter().map(|(step, ..)| *step).min();
            for (step, sum, _) in &kernel.sums {
                if !self.elsewhere.insert((*step, *sum)) {
                    return Err(CircuitError::NoConvolution {
                        node: convolution.name.clone(),
                        problem: "it shares a sum with another one",
                    });
                }
            }
            if let Some(step) = first {
                self.pending.entry(step).or_default().push(Pending {
                    combination,
                    sums: kernel.sums,
                });
            }
        }
        Ok(())
    }

    /// Cells that are not bounded as sums need it, as laying out the steps would find them.
    fn find_unchecked(&mut self) {
        for step in &self.program.steps {
            if let Step::Witness {
                cells,
                range: CellRange::Unchecked | CellRange::Wide,
                ..
            } = step
            {
                for cell in cells {
                    self.unchecked[cell.index()] = true;
                }
            }
        }
    }

    fn rows_of_layers(&self, steps: &[usize]) -> Result<usize, CircuitError> {
        let mut rows = 0;
        for step in steps {
            if let Step::Layer(layer) = &self.program.steps[*step] {
                let blocks = self.blocks(*step, layer)?;
                rows += blocks
                    .iter()
                    .map(|block| self.block_size(layer, block).rows)
                    .sum::<usize>();
            }
        }
        Ok(rows)
    }

    /// Lays out the convolutions whose first sum is in this step.
    pub(super) fn combine(&mut self, step: usize) -> Result<(), CircuitError> {
        for Pending { combination, sums } in self.pending.remove(&step).unwrap_or_default() {
            let channels: Vec<usize> = combination
                .channels
                .iter()
                .map(|channel| self.channel(channel))
                .collect::<Result<_, _>>()?;
            let mut rows = Vec::with_capacity(combination.groups.len());
            for group in &combination.groups {
                let product = self.terms(group, &channels)?;
                let (places, end) = self.digits_at_places(group, &sums);
                self.layout.ties.push((product, end));
                rows.push(places);
            }
            self.layout.combined.push(Combined { combination, rows });
        }
        Ok(())
    }

    /// Evaluates a channel, unless another convolution did, and says on which row the evaluation stands.
    fn channel(&mut self, channel: &Channel) -> Result<usize, CircuitError> {
        if let Some(row) = self.channels.get(channel) {
            return Ok(*row);
        }
        let last = channel.cells.first().map_or(0, |(place, _)| *place);
        let first = self.take_rows(last as usize + 2);
        let end = first + last as usize + 1;
        self.start_evaluation(first);
        for (place, cell) in &channel.cells {
            let row = first + (last - place) as usize;
            self.copy(*cell, row)?;
            self.layout.fixed.set_weight(evaluate::CELL, row, Fr::one());
            self.layout
                .fixed
                .set_weight(evaluate::CONSTANT, row, from_i128(-i128::from(channel.shift)));
        }
        for row in first..end {
            self.gate(row, evaluate::STEP);
        }
        self.channels.insert(channel.clone(), end);
        Ok(end)
    }

    /// Evaluates a group's polynomial from its channels.
    fn terms(&mut self, group: &Group, channels: &[usize]) -> Result<usize, CircuitError> {
        // Products of cells are evaluated first: every chain is on consecutive rows.
        let mut factors = HashMap::new();
        for (place, terms) in &group.terms {
            for term in terms.iter().filter(|term| !term.factors.is_empty()) {
                factors.insert((*place, term.channel), self.factors(term)?);
            }
        }
        let mut row = self.take_rows(1);
        self.start_evaluation(row);
        let mut at = group.terms.first().map_or(group.places.0, |(place, _)| *place);
        for (place, terms) in &group.terms {
            row = self.fall(row, at - place);
            at = *place;
            for term in terms {
                let channel = EvaluationSource::Evaluation(channels[term.channel]);
                if term.is_weighted() {
                    self.take_rows(2);
                    self.copy_evaluation(channel, row + 1);
                    for (member, weight) in term.weights.iter().enumerate() {
                        self.set_coefficient(row, member, from_i128((*weight).into()));
                    }
                    self.gate(row, evaluate::TERM);
                    row += 2;
                }
                if let Some(factor) = factors.get(&(*place, term.channel)) {
                    self.take_rows(3);
                    self.copy_evaluation(channel, row + 1);
                    self.copy_evaluation(EvaluationSource::Evaluation(*factor), row + 2);
                    self.gate(row, evaluate::PRODUCT);
                    row += 3;
                }
            }
        }
        Ok(self.fall(row, at - group.places.0))
    }

    /// Multiplies by the step from place to place.
    fn fall(&mut self, row: usize, places: i64) -> usize {
        let count = self.take_rows(places as usize);
        debug_assert_eq!(count, row + 1);
        for step in 0..places as usize {
            self.gate(row + step, evaluate::STEP);
        }
        row + places as usize
    }

    /// `Σ_j ρ^(G−1−j)·cell_j` over the members of a group.
    fn factors(&mut self, term: &Term) -> Result<usize, CircuitError> {
        let first = self.take_rows(2 * term.factors.len() + 1);
        self.start_evaluation(first);
        for (position, (member, cell)) in term.factors.iter().enumerate() {
            let row = first + 2 * position;
            let home = self.home(*cell)?;
            self.copy_evaluation(EvaluationSource::Value(home), row + 1);
            self.set_coefficient(row, *member, Fr::one());
            self.gate(row, evaluate::TERM);
        }
        Ok(first + 2 * term.factors.len())
    }

    /// Digits of the outputs, and what else the polynomial has of coefficients, in the accumulator: the rows of its
    /// places, and the row where its evaluation stands.
    fn digits_at_places(&mut self, group: &Group, sums: &[(usize, usize, i128)]) -> (Vec<(i64, usize, usize)>, usize) {
        let lanes = self.layout.shape.lanes;
        let mut places = Vec::new();
        let mut blocks = Blocks::default();
        // Row of the evaluation so far.
        let mut cursor = None;
        for (place, first) in group.falling(lanes) {
            let spot = blocks.next(group.has_outputs(place, first, lanes));
            let row = match (spot, cursor) {
                (Spot::Block, _) => self.take_rows(3 * lanes),
                (Spot::Third, Some(row)) => row,
                (Spot::Plain | Spot::Third, _) => self.take_rows(lanes),
            };
            match cursor {
                None => self.start_evaluation(row),
                Some(end) if end == row => {}
                Some(end) => self.copy_evaluation(EvaluationSource::Evaluation(end), row),
            }
            for lane in 0..lanes {
                self.layout
                    .fixed
                    .set_weight(evaluate::ACCUMULATOR, row + lane, Fr::one());
                self.gate(row + lane, evaluate::STEP);
            }
            for lane in 0..lanes {
                let Some(output) = group.output(place, first + lane) else {
                    continue;
                };
                let (step, sum, bias) = sums[output];
                let row = row + lane;
                self.layout.fixed.set_weight(evaluate::CONSTANT, row, from_i128(-bias));
                if let Step::Layer(layer) = &self.program.steps[step] {
                    self.digit(layer, sum, row);
                }
                self.layout.placements.push(Placement::Digit { step, sum, row });
            }
            places.push((place, first, row));
            cursor = Some(row + lanes);
        }
        if blocks.is_full() {
            self.take_rows(1);
        }
        (places, cursor.unwrap_or(self.next_row))
    }

    fn set_coefficient(&mut self, row: usize, member: usize, coefficient: Fr) {
        let (below, weight) = evaluate::coefficient(self.layout.shape.lanes, member);
        self.layout.fixed.set_weight(weight, row + below, coefficient);
    }

    fn gate(&mut self, row: usize, kind: u64) {
        self.layout.fixed.set_evaluate(row, kind);
        self.layout.evaluations.push(Evaluation::Gate { row });
    }

    fn copy_evaluation(&mut self, from: EvaluationSource, row: usize) {
        self.layout.evaluations.push(Evaluation::Copy { from, row });
    }

    /// An evaluation begins with zero.
    fn start_evaluation(&mut self, row: usize) {
        if let Some(zero) = self.layout.zero_row {
            self.copy_evaluation(EvaluationSource::Value(zero), row);
        }
    }
}

impl Layout {
    /// Pairs of a cell and the evaluation that is equal to it.
    pub(crate) fn evaluation_copies(&self) -> impl Iterator<Item = (EvaluationSource, usize)> {
        let copies = self.evaluations.iter().filter_map(|evaluation| match evaluation {
            Evaluation::Copy { from, row } => Some((*from, *row)),
            Evaluation::Gate { .. } => None,
        });
        let ties = self
            .ties
            .iter()
            .map(|(left, right)| (EvaluationSource::Evaluation(*left), *right));
        copies.chain(ties)
    }

    /// Rows of evaluations that something binds: where one starts, and where each gate's result stands.
    pub fn evaluation_rows(&self) -> Vec<usize> {
        let rows = self.evaluations.iter().map(|evaluation| match evaluation {
            Evaluation::Copy { row, .. } => *row,
            Evaluation::Gate { row } => row + self.reach(*row),
        });
        rows.collect()
    }

    /// How far below a gate of the evaluation its result stands.
    pub(crate) fn reach(&self, row: usize) -> usize {
        match self.fixed.q_evaluate[row] {
            evaluate::TERM => 2,
            evaluate::PRODUCT => 3,
            _ => 1,
        }
    }
}

impl Combined {
    /// Rows of coefficients that are no output, after their group, member and place.
    pub(crate) fn surplus(&self, lanes: usize) -> impl Iterator<Item = (usize, usize, i64, usize)> {
        let groups = self.combination.groups.iter().zip(&self.rows).enumerate();
        groups.flat_map(move |(number, (group, rows))| {
            rows.iter().flat_map(move |(place, first, row)| {
                let is_free = move |lane: &usize| group.output(*place, first + lane).is_none();
                let free = (0..lanes).filter(is_free);
                free.map(move |lane| (number, first + lane, *place, row + lane))
            })
        })
    }
}

impl Layout {
    /// Rows whose accumulator is a coefficient of a convolution's polynomial that is no output.
    pub fn surplus_rows(&self) -> impl Iterator<Item = usize> {
        let lanes = self.shape.lanes;
        let surplus = self.combined.iter().flat_map(move |combined| combined.surplus(lanes));
        surplus.map(|(.., row)| row)
    }
}
