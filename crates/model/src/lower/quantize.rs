//! Numbers that are quantised: bins of `float32` inputs, and sums of whole numbers rounded exactly.
//!
//! What rounding makes of a whole number `n` is a staircase, and over the proven range of `n` a line
//! `⌊(factor·n + offset) / 2^(4L)⌋` with the same steps is looked for. The line is a weighted sum whose high digit is the
//! level; a table holds it between its bounds. Where one line does not fit, several count the levels between them.

use std::collections::{BTreeSet, HashMap};

use crate::{
    CellId, Finish, Format, Layer, ModelError, Node, QuantizeRow, SingleRow, Step, Sum, Table,
    lower::{
        Ends, Expression, Lowering, expression::to_expressions, formats::signed_format, groups::group_by_support,
        sums::MAX_DOMAIN, trees::SMALLEST_LIMB, unsupported,
    },
    ordered::HIGHEST,
    origin::Origin,
    quantize::{Line, Staircase},
};

/// Table rows that a result costs if its sum is narrowed to a cell first.
const ROWS_PER_CELL: usize = 4;
/// Where the sums of ONNX Runtime's kernels would wrap around.
const LARGEST_SUM: i128 = 1 << 31;

/// A whole number to round, with what is known of it.
struct Rounded<'r> {
    /// Its place among the results.
    place: usize,
    row: &'r QuantizeRow,
    number: Expression,
    /// Smallest and largest value over every assignment of its cells.
    ends: (i64, i64),
}

/// A line over a whole number, held between zero and `top`.
struct Count {
    number: Expression,
    line: Line,
    top: i64,
}

/// How the levels of a number are told.
#[derive(Clone)]
enum Levels {
    /// By one line: the level less the lowest.
    One(Line),
    /// By several lines that count thresholds, with the first level.
    Several(i64, Vec<(Line, usize)>),
}

impl Lowering<'_> {
    pub(super) fn quantize(
        &mut self,
        node: &Node,
        rows: &[QuantizeRow],
        operand: &[Expression],
        exact: bool,
    ) -> Result<Vec<Expression>, ModelError> {
        let origins = self.origins.operand(node);
        let mut results = vec![Expression::default(); rows.len()];
        let mut whole = Vec::new();
        let mut real = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            if row.steps.iter().any(|step| step.turns()) {
                return Err(unsupported(node, "divides by a scale that is not positive".to_owned()));
            }
            let number = &operand[row.index];
            let float = number.as_cell().filter(|cell| self.cells[cell.index()].float32);
            if let Some(input) = float {
                results[place] = self.quantized_input(node, row, &origins[row.index], input)?;
            } else if let Some(ends) = self.whole_bounds(number) {
                match ends {
                    (low, high) if low == high => results[place] = Expression::constant(row.apply(low as f32) as f64),
                    _ if ends.0 < -LARGEST_SUM || ends.1 >= LARGEST_SUM => {
                        let reason =
                            "its sums may exceed 32 bits, where ONNX Runtime's integers wrap around".to_owned();
                        return Err(unsupported(node, reason));
                    }
                    (low, high) => whole.push(Rounded {
                        place,
                        row,
                        number: number.clone(),
                        ends: (low as i64, high as i64),
                    }),
                }
            } else if exact {
                return Err(unsupported(node, "rounds what is no sum of whole numbers".to_owned()));
            } else {
                real.push(place);
            }
        }
        for (place, result) in self.quantized_integers(node, whole)? {
            results[place] = result;
        }
        let numbers: Vec<(&QuantizeRow, &Expression)> = real
            .iter()
            .map(|place| (&rows[*place], &operand[rows[*place].index]))
            .collect();
        for (place, result) in real.iter().zip(self.quantized_reals(node, &numbers)?) {
            results[*place] = result;
        }
        Ok(results)
    }

    /// Smallest and largest value of an expression that is a whole number whatever its cells are.
    pub(super) fn whole_bounds(&self, expression: &Expression) -> Option<(i128, i128)> {
        let (terms, bias) = self.whole(expression)?;
        Some(self.bounds_of_terms(terms.into_iter(), bias))
    }

    /// A whole number as integer weights of cells, and a constant.
    fn whole(&self, expression: &Expression) -> Option<(Vec<(CellId, i64)>, i128)> {
        let integer =
            |number: f64| (number.fract() == 0.0 && number.abs() < f64::powi(2.0, 52)).then_some(number as i64);
        let mut bias = i128::from(integer(expression.bias)?);
        let mut terms = Vec::with_capacity(expression.terms.len());
        for (cell, weight) in &expression.terms {
            let info = self.cells[cell.index()];
            if info.float32 || info.format.scale != 0 {
                return None;
            }
            let weight = integer(*weight)?;
            bias -= i128::from(weight) * i128::from(info.format.zero);
            terms.push((*cell, weight));
        }
        Some((terms, bias))
    }

    /// A graph input that is rounded at once: the bin of its `float32`.
    fn quantized_input(
        &mut self,
        node: &Node,
        row: &QuantizeRow,
        origin: &Origin,
        input: CellId,
    ) -> Result<Expression, ModelError> {
        if self.program.limb_bits < SMALLEST_LIMB {
            let reason = format!("rounds float32 inputs in four limbs of at least {SMALLEST_LIMB} bits");
            return Err(unsupported(node, reason));
        }
        let steps = origin.steps.iter().chain(&row.steps);
        if !steps.clone().all(|step| step.is_allowed() && !step.turns()) {
            let reason = "rounds a graph input after arithmetic that turns its order around".to_owned();
            return Err(unsupported(node, reason));
        }
        let row = QuantizeRow {
            steps: steps.copied().collect(),
            ..row.clone()
        };
        let known = self.staircases.get(&row.key());
        let stairs = match known {
            Some(stairs) => stairs.clone(),
            None => {
                let stairs = row.of_floats();
                self.staircases.insert(row.key(), stairs.clone());
                stairs
            }
        };
        let distinct: BTreeSet<i64> = stairs.thresholds.iter().copied().collect();
        let most = (1 << self.program.limb_bits) - 1;
        if distinct.len() != stairs.thresholds.len() || distinct.len() > most || distinct.contains(&(HIGHEST + 1)) {
            let reason = format!(
                "rounds a float32 input to {} levels, more than {most} at limbs of {} bits; use larger limbs, or quantise \
                 the input to 8 bits",
                stairs.thresholds.len() + 1,
                self.program.limb_bits
            );
            return Err(unsupported(node, reason));
        }
        if distinct.is_empty() {
            return Ok(Expression::constant(stairs.first as f64));
        }
        let bin = self.bin(input, &stairs.thresholds);
        self.cells[bin.index()].format.zero = -stairs.first;
        Ok(Expression::cell(bin))
    }

    /// Whole numbers, exactly.
    fn quantized_integers(
        &mut self,
        node: &Node,
        numbers: Vec<Rounded<'_>>,
    ) -> Result<Vec<(usize, Expression)>, ModelError> {
        let mut results = Vec::with_capacity(numbers.len());
        let (held, numbers): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|rounded| {
            rounded.row.steps.is_empty() && rounded.row.zero == 0 && rounded.ends.0 >= rounded.row.low
        });
        results.extend(self.held_below(node, held)?);
        let mut known: HashMap<_, Levels> = HashMap::new();
        let mut counts = Vec::new();
        // The counts of each number, its first level and its bounds.
        let mut shares: Vec<(usize, usize, i64, &QuantizeRow)> = Vec::with_capacity(numbers.len());
        let numbers = self.narrowed(node, numbers)?;
        for rounded in numbers {
            let Rounded {
                place,
                row,
                number,
                ends,
            } = rounded;
            let levels = match known.get(&(row.key(), ends)) {
                Some(levels) => levels.clone(),
                None => {
                    let levels = self.levels(node, row, ends)?;
                    known.insert((row.key(), ends), levels.clone());
                    levels
                }
            };
            match levels {
                Levels::One(line) => {
                    let top = row.high - row.low;
                    counts.push(Count { number, line, top });
                    shares.push((place, 1, row.low, row));
                }
                Levels::Several(first, parts) => {
                    shares.push((place, parts.len(), first, row));
                    counts.extend(parts.into_iter().map(|(line, top)| Count {
                        number: number.clone(),
                        line,
                        top: top as i64,
                    }));
                }
            }
        }
        let mut cells = self.counted(node, &counts)?.into_iter();
        let mut totals: Vec<(usize, Expression, &QuantizeRow)> = Vec::new();
        for (place, count, first, row) in shares {
            let parts: Vec<CellId> = cells.by_ref().take(count).collect();
            match parts.as_slice() {
                [cell] => {
                    self.cells[cell.index()].format.zero = -first;
                    results.push((place, Expression::cell(*cell)));
                }
                parts => {
                    let mut total = Expression::constant(first as f64);
                    parts
                        .iter()
                        .for_each(|cell| total.add_scaled(&Expression::cell(*cell), 1.0));
                    totals.push((place, total, row));
                }
            }
        }
        let expressions: Vec<Expression> = totals.iter().map(|(_, total, _)| total.clone()).collect();
        let bounds: Vec<(i64, i64)> = totals.iter().map(|(_, _, row)| (row.low, row.high)).collect();
        let cells = self.whole_cells(&node.name, &expressions, &bounds)?;
        results.extend(totals.iter().map(|(place, _, _)| *place).zip(to_expressions(cells)));
        Ok(results)
    }

    /// Whole numbers that only have to be held below their largest value: `high − max(high − n, 0)`.
    fn held_below(&mut self, node: &Node, numbers: Vec<Rounded<'_>>) -> Result<Vec<(usize, Expression)>, ModelError> {
        let mut results = Vec::with_capacity(numbers.len());
        let (inside, beyond): (Vec<_>, Vec<_>) = numbers
            .into_iter()
            .partition(|rounded| rounded.ends.1 <= rounded.row.high);
        results.extend(inside.into_iter().map(|rounded| (rounded.place, rounded.number)));
        let gaps: Vec<Expression> = beyond
            .iter()
            .map(|rounded| Expression::constant(rounded.row.high as f64).minus(&rounded.number))
            .collect();
        let cells = self.clamped(&node.name, &gaps, Format::INTEGER, Ends::Ignore)?;
        for (rounded, cell) in beyond.into_iter().zip(cells) {
            // The number is at least its lower end.
            self.cells[cell.index()].max = rounded.row.high - rounded.ends.0;
            let result = Expression::constant(rounded.row.high as f64).minus(&Expression::cell(cell));
            results.push((rounded.place, result));
        }
        Ok(results)
    }

    /// One cell for each whole number that is known to lie within its bounds.
    pub(super) fn whole_cells(
        &mut self,
        name: &str,
        numbers: &[Expression],
        bounds: &[(i64, i64)],
    ) -> Result<Vec<CellId>, ModelError> {
        let mut cells = Vec::with_capacity(numbers.len());
        for ((low, high), group) in by_bounds(bounds) {
            let expressions: Vec<Expression> = group.iter().map(|index| numbers[*index].clone()).collect();
            let format = Format { scale: 0, zero: -low };
            for (index, cell) in group
                .iter()
                .zip(self.clamped(name, &expressions, format, Ends::Ignore)?)
            {
                self.cells[cell.index()].max = high - low;
                cells.push((*index, cell));
            }
        }
        cells.sort_unstable();
        Ok(cells.into_iter().map(|(_, cell)| cell).collect())
    }

    fn levels(&self, node: &Node, row: &QuantizeRow, ends: (i64, i64)) -> Result<Levels, ModelError> {
        let shift = 2 * self.program.cell_bits();
        let stairs = row.of_integers(ends.0, ends.1);
        if let Some(line) = stairs.line(ends, (row.low, row.high), shift) {
            return Ok(Levels::One(line));
        }
        let parts = stairs.parts(shift).ok_or_else(|| {
            let reason = format!(
                "rounds sums from {} to {} to steps that no few lines of limbs of {} bits follow exactly; use larger \
                 limbs",
                ends.0, ends.1, self.program.limb_bits
            );
            unsupported(node, reason)
        })?;
        Ok(Levels::Several(stairs.first, parts))
    }

    /// The numbers, as cells that end soon beyond the thresholds where the tables would be too long otherwise.
    fn narrowed<'r>(&mut self, node: &Node, numbers: Vec<Rounded<'r>>) -> Result<Vec<Rounded<'r>>, ModelError> {
        let full = self.program.cell_max();
        let mut windows = Vec::with_capacity(numbers.len());
        let (mut reach, mut narrow) = (0, 0);
        let mut fits = true;
        let mut known: HashMap<_, (i64, i64)> = HashMap::new();
        for rounded in &numbers {
            let key = (rounded.row.key(), rounded.ends);
            let (first, last) = *known.entry(key).or_insert_with(|| {
                let Staircase { thresholds, .. } = rounded.row.of_integers(rounded.ends.0, rounded.ends.1);
                let first = thresholds.first().map_or(rounded.ends.0, |threshold| threshold - 1);
                (first, thresholds.last().copied().unwrap_or(first))
            });
            let width = (last - first).max(1);
            let levels = (rounded.row.high - rounded.row.low + 1) as i128;
            let rows = |distance: i128| usize::try_from(distance * levels / i128::from(width)).unwrap_or(usize::MAX);
            reach = reach.max(rows(i128::from(rounded.ends.1) - i128::from(rounded.ends.0)));
            narrow = narrow.max(rows(i128::from(full)));
            fits &= last - first < full;
            windows.push(first);
        }
        let costs_less = narrow.saturating_add(ROWS_PER_CELL * numbers.len()) < reach;
        if !fits || !(costs_less || reach as i128 > MAX_DOMAIN) {
            return Ok(numbers);
        }
        // One format, and so one layer, per lower end.
        let mut groups: HashMap<i64, Vec<usize>> = HashMap::new();
        for (index, first) in windows.iter().enumerate() {
            groups.entry(*first).or_default().push(index);
        }
        let mut groups: Vec<(i64, Vec<usize>)> = groups.into_iter().collect();
        groups.sort_unstable();
        let mut numbers = numbers;
        for (first, members) in groups {
            let expressions: Vec<Expression> = members.iter().map(|index| numbers[*index].number.clone()).collect();
            let format = Format { scale: 0, zero: -first };
            for (index, cell) in members
                .iter()
                .zip(self.clamped(&node.name, &expressions, format, Ends::Ignore)?)
            {
                let rounded = &mut numbers[*index];
                let most = (rounded.ends.1 - first).clamp(1, full);
                self.cells[cell.index()].max = most;
                rounded.number = Expression::cell(cell);
                rounded.ends = (first, first + most);
            }
        }
        Ok(numbers)
    }

    /// A cell for each count.
    fn counted(&mut self, node: &Node, counts: &[Count]) -> Result<Vec<CellId>, ModelError> {
        let too_wide = |span: i128| ModelError::RangeTooWide {
            node: node.name.clone(),
            span: span as f64,
            limit: i64::MAX as f64,
        };
        let outputs: Vec<CellId> = counts
            .iter()
            .map(|count| self.new_cell(Format::INTEGER, count.top))
            .collect();
        let numbers: Vec<&Expression> = counts.iter().map(|count| &count.number).collect();
        for (inputs, members) in group_by_support(&numbers) {
            let mut sums = Vec::with_capacity(members.len());
            for member in &members {
                let Count { number, line, .. } = &counts[*member];
                let (terms, bias) = self.whole(number).unwrap_or_default();
                let terms: HashMap<CellId, i64> = terms.into_iter().collect();
                let weight = |cell: &CellId| {
                    let weight = i128::from(terms.get(cell).copied().unwrap_or(0)) * i128::from(line.factor);
                    i64::try_from(weight)
                        .ok()
                        .filter(|weight| weight.abs() < 1 << 62)
                        .ok_or_else(|| too_wide(weight))
                };
                sums.push(Sum {
                    weights: inputs.iter().map(weight).collect::<Result<_, _>>()?,
                    products: Vec::new(),
                    bias: bias * i128::from(line.factor) + line.offset,
                    finish: Finish::Zero,
                });
            }
            let (origin, domain) = self.place(&node.name, &inputs, &mut sums)?;
            for (sum, member) in sums.iter_mut().zip(&members) {
                let table = self.table(Table::ramp(origin, domain, counts[*member].top));
                sum.finish = Finish::Lookup {
                    table,
                    output: outputs[*member],
                };
            }
            self.program.steps.push(Step::Layer(Layer {
                name: node.name.clone(),
                inputs,
                sums,
                parameters: None,
            }));
        }
        Ok(outputs)
    }

    /// Reals, to the nearest level: near a boundary the one beside it may come out.
    fn quantized_reals(
        &mut self,
        node: &Node,
        numbers: &[(&QuantizeRow, &Expression)],
    ) -> Result<Vec<Expression>, ModelError> {
        let cell_bits = self.program.cell_bits();
        let mut reach = 0;
        let mut scaled = Vec::with_capacity(numbers.len());
        for (row, number) in numbers {
            let steps = SingleRow {
                index: 0,
                steps: row.steps.clone(),
            };
            let affine = steps.affine();
            let weight = affine.terms.first().map_or(1.0, |(_, weight)| *weight);
            let mut result = number.scaled(weight);
            result.bias += affine.bias;
            scaled.push(result);
            reach = reach.max((row.low - row.zero).abs()).max((row.high - row.zero).abs());
        }
        let format = signed_format((reach + 1) as f64, cell_bits);
        let near = to_expressions(self.clamped(&node.name, &scaled, format, Ends::Ignore)?);
        let mut outputs = Vec::with_capacity(numbers.len());
        for (row, _) in numbers {
            let format = Format {
                scale: 0,
                zero: -row.low,
            };
            outputs.push(self.new_cell(format, row.high - row.low));
        }
        for (inputs, members) in group_by_support(&near) {
            let mut sums = Vec::with_capacity(members.len());
            for member in &members {
                let (row, _) = numbers[*member];
                // The high digit is the level: the nearest whole number, less the lowest.
                let offset = (i128::from(row.zero - row.low) << (2 * cell_bits)) + (1 << (2 * cell_bits - 1));
                sums.push(self.weigh(&node.name, &near[*member], &inputs, 2 * cell_bits as i32, offset)?);
            }
            let (origin, domain) = self.place(&node.name, &inputs, &mut sums)?;
            for (sum, member) in sums.iter_mut().zip(&members) {
                let (row, _) = numbers[*member];
                sum.finish = Finish::Lookup {
                    table: self.table(Table::ramp(origin, domain, row.high - row.low)),
                    output: outputs[*member],
                };
            }
            self.program.steps.push(Step::Layer(Layer {
                name: node.name.clone(),
                inputs,
                sums,
                parameters: None,
            }));
        }
        Ok(to_expressions(outputs))
    }

    /// The largest of each group of whole numbers, as cells.
    pub(super) fn whole_maxima(
        &mut self,
        name: &str,
        groups: Vec<Vec<Expression>>,
    ) -> Result<Vec<Expression>, ModelError> {
        let mut bounds = Vec::with_capacity(groups.len());
        for group in &groups {
            let ends = group.iter().map(|number| self.whole_bounds(number));
            let ends: Vec<(i128, i128)> = ends.collect::<Option<_>>().unwrap_or_default();
            let low = ends.iter().map(|(low, _)| *low).max().unwrap_or(0);
            let high = ends.iter().map(|(_, high)| *high).max().unwrap_or(0);
            bounds.push((low as i64, high as i64));
        }
        let maxima = self.tournament(name, groups, Format::INTEGER, Ends::Ignore)?;
        let done = maxima.iter().all(|winner| winner.terms.len() <= 1);
        if done {
            return Ok(maxima);
        }
        Ok(to_expressions(self.whole_cells(name, &maxima, &bounds)?))
    }

    /// Whole numbers as cells of one format.
    pub(super) fn whole_output(&mut self, name: &str, numbers: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let ends: Vec<(i128, i128)> = numbers.iter().filter_map(|number| self.whole_bounds(number)).collect();
        let low = ends.iter().map(|(low, _)| *low).min().unwrap_or(0);
        let high = ends.iter().map(|(_, high)| *high).max().unwrap_or(0);
        if high - low > i128::from(self.program.cell_max()) {
            return Err(ModelError::Unsupported {
                node: name.to_owned(),
                reason: format!(
                    "its whole numbers reach from {low} to {high}, more than a cell of {} bits holds; use larger limbs",
                    self.program.cell_bits()
                ),
            });
        }
        let bounds = vec![(low as i64, high as i64); numbers.len()];
        self.whole_cells(name, numbers, &bounds)
    }
}

/// Positions by their bounds, in order of the bounds.
fn by_bounds(bounds: &[(i64, i64)]) -> Vec<((i64, i64), Vec<usize>)> {
    let distinct: BTreeSet<(i64, i64)> = bounds.iter().copied().collect();
    let members = |ends: &(i64, i64)| (0..bounds.len()).filter(|index| bounds[*index] == *ends).collect();
    distinct.iter().map(|ends| (*ends, members(ends))).collect()
}
