//! Operators that are more than one sum: activations, heads, encoders.

use crate::{
    CellId, Combination, Comparison, Finish, Format, ModelError, Node, Range, Source, Step, TableId,
    calibrate::Interval,
    curves,
    lower::{
        Ends, Expression, Lowering, Softmax,
        expression::to_expressions,
        formats::{fraction_format, signed_format, unsigned_format},
        products::SparseSum,
        unsupported,
    },
};

impl Lowering<'_> {
    pub(super) fn clip(
        &mut self,
        node: &Node,
        operand: &[Expression],
        min: f64,
        max: f64,
    ) -> Result<Vec<Expression>, ModelError> {
        if min > max {
            return Err(unsupported(node, format!("clips to the empty range [{min}, {max}]")));
        }
        // A cell first: neither ramp below may saturate before the other.
        let reach = operand
            .iter()
            .map(|expression| self.span(expression))
            .fold(1.0, f64::max);
        let bound = [min, max]
            .into_iter()
            .filter(|limit| limit.is_finite())
            .fold(reach, |a, b| a.max(b.abs()));
        let value_format = signed_format(bound, self.program.cell_bits());
        let values = to_expressions(self.clamped(&node.name, operand, value_format, Ends::Report)?);
        let ramp_format = unsigned_format(2.0 * bound, self.program.cell_bits());
        let mut results = values.clone();
        if min.is_finite() {
            let shifted: Vec<_> = values
                .iter()
                .map(|value| value.minus(&Expression::constant(min)))
                .collect();
            let ramps = to_expressions(self.clamped(&node.name, &shifted, ramp_format, Ends::Report)?);
            for (result, mut ramp) in results.iter_mut().zip(ramps) {
                ramp.bias += min;
                *result = ramp;
            }
        }
        if max.is_finite() {
            let shifted: Vec<_> = values
                .iter()
                .map(|value| value.minus(&Expression::constant(max)))
                .collect();
            let ramps = to_expressions(self.clamped(&node.name, &shifted, ramp_format, Ends::Report)?);
            for (result, ramp) in results.iter_mut().zip(&ramps) {
                result.add_scaled(ramp, -1.0);
            }
        }
        Ok(results)
    }

    pub(super) fn sigmoid(&mut self, node: &Node, operand: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let format = signed_format(curves::SIGMOID_REACH, self.program.cell_bits());
        let table = self.table(curves::sigmoid(self.program.limb_bits, format));
        let arguments = self.clamped(&node.name, operand, format, Ends::Ignore)?;
        let outputs = self.curve(table, &arguments);
        for (output, expression) in outputs.iter().zip(operand) {
            self.sigmoids.insert(*output, expression.clone());
        }
        Ok(outputs)
    }

    /// Applies a curve whose values are fractions of one.
    fn curve(&mut self, table: TableId, arguments: &[CellId]) -> Vec<CellId> {
        let format = fraction_format(self.program.cell_bits());
        let outputs = self.new_cells(arguments.len(), format, self.program.cell_max() - 1);
        for (input, output) in arguments.iter().zip(&outputs) {
            self.program.steps.push(Step::Curve {
                table,
                input: *input,
                output: *output,
            });
        }
        outputs
    }

    pub(super) fn softmax(
        &mut self,
        node: &Node,
        operand: &[Expression],
        classes: usize,
        reach: f64,
    ) -> Result<Vec<Expression>, ModelError> {
        let mut results = Vec::new();
        for group in operand.chunks(classes) {
            match group {
                [_] => results.push(Expression::constant(1.0)),
                [first, second] => {
                    let probability = Expression::cell(self.sigmoid(node, &[second.minus(first)])?[0]);
                    results.push(Expression::constant(1.0).minus(&probability));
                    results.push(probability);
                }
                _ => {
                    let cells = self.exponentials(node, group, reach)?;
                    let shares = self.share(node, &cells);
                    for share in &shares {
                        self.softmaxes.insert(
                            *share,
                            Softmax {
                                shares: shares.clone(),
                                logits: group.to_vec(),
                                reach,
                            },
                        );
                    }
                    results.extend(to_expressions(shares));
                }
            }
        }
        Ok(results)
    }

    /// `e^(z_i − max z)` as fractions of one.
    fn exponentials(&mut self, node: &Node, logits: &[Expression], reach: f64) -> Result<Vec<CellId>, ModelError> {
        let scores = self.scores(node, logits, reach)?;
        // All scores are of one format, so the tournament is exact.
        let range = Interval {
            low: -reach,
            high: reach,
        };
        let peak = self
            .maxima(&node.name, vec![to_expressions(scores.clone())], range)?
            .swap_remove(0);
        let gap_format = unsigned_format(curves::EXPONENTIAL_REACH, self.program.cell_bits());
        let gaps: Vec<Expression> = scores
            .iter()
            .map(|score| peak.minus(&Expression::cell(*score)))
            .collect();
        let arguments = self.clamped(&node.name, &gaps, gap_format, Ends::Ignore)?;
        let table = self.table(curves::exponential(self.program.limb_bits, gap_format));
        Ok(self.curve(table, &arguments))
    }

    /// Logits as cells of one format that holds `[−reach, reach]`.
    pub(super) fn scores(&mut self, node: &Node, logits: &[Expression], reach: f64) -> Result<Vec<CellId>, ModelError> {
        // No further than the logits reach at all.
        let span = logits.iter().map(|logit| self.span(logit)).fold(0.0, f64::max);
        let format = signed_format(reach.min(span), self.program.cell_bits());
        self.clamped(&node.name, logits, format, Ends::Report)
    }

    /// The largest of some numbers of one format, and one bit per number that marks the first place it stands at.
    ///
    /// With `b` the bits and `M` the maximum: `Σ b = 1`; `M − z_i − 1 + Σ_{t≤i} b_t ≥ 0` (nothing exceeds `M`, and
    /// before the marked place nothing equals it); `z_i − M + F·(1 − b_i) ≥ 0` (the marked one reaches it), with `F` the
    /// largest `M − z_i` that there can be. `M` is moved so that it is never negative.
    pub(super) fn maximum(
        &mut self,
        node: &Node,
        among: Vec<Combination>,
        format: Format,
    ) -> Result<(CellId, Vec<CellId>), ModelError> {
        let bounds: Vec<(i128, i128)> = among.iter().map(|number| self.combination_bounds(number)).collect();
        let low = bounds.iter().map(|(low, _)| *low).min().unwrap_or(0);
        let full = bounds.iter().map(|(_, high)| *high).max().unwrap_or(0) - low;
        let limit = 1_i128 << (2 * self.program.cell_bits());
        if full + among.len() as i128 >= limit || low.unsigned_abs() >= limit.unsigned_abs() {
            return Err(ModelError::RangeTooWide {
                node: node.name.clone(),
                span: full as f64,
                limit: limit as f64,
            });
        }
        let (full, low) = (full as i64, low as i64);
        let peak_format = Format {
            zero: format.zero - low,
            ..format
        };
        let peak = self.new_cell(peak_format, full);
        let bits = self.one_hot_cells(among.len());
        let moved: Vec<Combination> = among
            .into_iter()
            .map(|number| Combination {
                bias: number.bias - low,
                ..number
            })
            .collect();
        self.program.steps.push(Step::Witness {
            cells: vec![peak],
            range: Range::Unchecked,
            source: Source::Maximum(moved.clone()),
        });
        self.program.steps.push(Step::Witness {
            cells: bits.clone(),
            range: Range::Bit,
            source: Source::FirstMaximum(moved.clone()),
        });
        self.zero(&node.name, bits.clone(), vec![1; bits.len()], -1);
        for (index, number) in moved.iter().enumerate() {
            let bias = i128::from(number.bias);
            let cells = number.terms.iter().map(|(cell, _)| *cell);
            let weights = number.terms.iter().map(|(_, weight)| *weight);
            let inputs = [peak]
                .into_iter()
                .chain(cells.clone())
                .chain(bits[..=index].iter().copied());
            let distance = [1].into_iter().chain(weights.clone().map(|weight| -weight));
            let distance = distance.chain(std::iter::repeat_n(1, index + 1));
            self.non_negative(&node.name, inputs.collect(), distance.collect(), Vec::new(), -bias - 1);
            let inputs = [peak].into_iter().chain(cells).chain([bits[index]]);
            let reached = [-1].into_iter().chain(weights).chain([-full]);
            self.non_negative(
                &node.name,
                inputs.collect(),
                reached.collect(),
                Vec::new(),
                bias + i128::from(full),
            );
        }
        Ok((peak, bits))
    }

    /// The same for cells of one format.
    fn maximum_of_cells(&mut self, node: &Node, among: &[CellId]) -> Result<(CellId, Vec<CellId>), ModelError> {
        let format = self.cells[among[0].index()].format;
        let numbers = among.iter().copied().map(Combination::cell).collect();
        self.maximum(node, numbers, format)
    }

    /// Expressions over weights of trees as integers of one format, without rounding where their factors allow. A sum of
    /// many cells becomes a cell `S` of its own: `S − Σ = 0`, and `0 ≤ S < 2^(4L)` so that this holds in integers.
    pub(super) fn exact(
        &mut self,
        name: &str,
        expressions: &[Expression],
    ) -> Result<(Vec<Combination>, Format), ModelError> {
        let scale = expressions
            .iter()
            .filter_map(|expression| self.finest_scale(expression))
            .max();
        let format = Format {
            scale: scale.unwrap_or(0),
            zero: 0,
        };
        let mut numbers = Vec::with_capacity(expressions.len());
        for expression in expressions {
            let inputs: Vec<CellId> = expression.terms.keys().copied().collect();
            let sum = self.weigh(name, expression, &inputs, format.scale, 0)?;
            let number = Combination {
                bias: i64::try_from(sum.bias).map_err(|_| ModelError::RangeTooWide {
                    node: name.to_owned(),
                    span: sum.bias as f64,
                    limit: i64::MAX as f64,
                })?,
                terms: inputs.into_iter().zip(sum.weights).collect(),
            };
            numbers.push(if number.terms.len() > 2 {
                self.total(name, number)?
            } else {
                number
            });
        }
        Ok((numbers, format))
    }

    /// A number as a cell of its own, moved so that it is never negative.
    fn total(&mut self, name: &str, number: Combination) -> Result<Combination, ModelError> {
        let (low, high) = self.combination_bounds(&number);
        let limit = 1_i128 << (2 * self.program.cell_bits());
        if high - low >= limit || low.unsigned_abs() >= limit.unsigned_abs() {
            return Err(ModelError::RangeTooWide {
                node: name.to_owned(),
                span: (high - low) as f64,
                limit: limit as f64,
            });
        }
        let low = low as i64;
        let moved = Combination {
            bias: number.bias - low,
            ..number
        };
        let total = self.new_cell(Format::INTEGER, (high as i64) - low);
        let mut inputs = vec![total];
        let mut weights = vec![-1];
        for (cell, weight) in &moved.terms {
            inputs.push(*cell);
            weights.push(*weight);
        }
        let bias = i128::from(moved.bias);
        self.program.steps.push(Step::Witness {
            cells: vec![total],
            range: Range::Unchecked,
            source: Source::Total(moved),
        });
        self.zero(name, inputs, weights, bias);
        self.non_negative(name, vec![total], vec![1], Vec::new(), 0);
        Ok(Combination {
            terms: vec![(total, 1)],
            bias: low,
        })
    }

    pub(super) fn arg_max(&mut self, node: &Node, group: &[Expression], reach: f64) -> Result<Expression, ModelError> {
        let (group, reach) = self.undo_softmax(group, reach);
        match group.as_slice() {
            [_] => Ok(Expression::constant(0.0)),
            [first, second] => Ok(Expression::cell(self.compare(
                node,
                &second.minus(first),
                Comparison::Greater,
                0.0,
            )?)),
            logits if logits.iter().any(|logit| self.finest_scale(logit).is_some()) => {
                let (numbers, format) = self.exact(&node.name, logits)?;
                let (_, bits) = self.maximum(node, numbers, format)?;
                Ok(position(&bits))
            }
            logits => {
                let scores = match logits.iter().map(Expression::as_cell).collect::<Option<Vec<_>>>() {
                    Some(cells) if self.same_format(&cells) => cells,
                    _ => self.scores(node, logits, reach)?,
                };
                let (_, bits) = self.maximum_of_cells(node, &scores)?;
                Ok(position(&bits))
            }
        }
    }

    /// The largest probability has the largest logit.
    fn undo_softmax(&self, group: &[Expression], reach: f64) -> (Vec<Expression>, f64) {
        let cells: Option<Vec<CellId>> = group.iter().map(Expression::as_cell).collect();
        let source = cells.and_then(|cells| {
            let softmax = self.softmaxes.get(cells.first()?)?;
            (softmax.shares == cells).then(|| (softmax.logits.clone(), softmax.reach))
        });
        source.unwrap_or_else(|| (group.to_vec(), reach))
    }

    pub(super) fn normalize(&mut self, node: &Node, group: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let cells: Option<Vec<CellId>> = group.iter().map(Expression::as_cell).collect();
        let cells = cells.filter(|cells| {
            self.same_format(cells) && cells.iter().all(|cell| self.cells[cell.index()].format.zero == 0)
        });
        match cells {
            Some(cells) => Ok(self.share(node, &cells)),
            None => Err(unsupported(
                node,
                "L1 normalisation is proven for non-negative values of one tensor (probabilities); \
                 put a Sigmoid or Relu before it"
                    .to_owned(),
            )),
        }
    }

    /// Each part's share of the total, as fractions of one: `y = ⌊x·F / S⌋` with `F = 2^(2L) − 1`, proven by
    /// `0 ≤ x·F − y·S < S`. The two sums differ by `S` and a constant, so they also bound `S`, whose own sum is
    /// bound modulo the field's prime only. A total of zero is not provable.
    fn share(&mut self, node: &Node, parts: &[CellId]) -> Vec<CellId> {
        let full = self.program.cell_max();
        let total = self.new_cell(Format::INTEGER, full.saturating_mul(parts.len() as i64));
        self.program.steps.push(Step::Witness {
            cells: vec![total],
            range: Range::Unchecked,
            source: Source::Total(Combination::sum(parts)),
        });
        let mut inputs = parts.to_vec();
        inputs.push(total);
        let mut weights = vec![1; parts.len()];
        weights.push(-1);
        self.zero(&node.name, inputs, weights, 0);
        let shares = self.new_cells(parts.len(), fraction_format(self.program.cell_bits()), full - 1);
        self.program.steps.push(Step::Witness {
            cells: shares.clone(),
            range: Range::Cell,
            source: Source::Quotient {
                numerators: parts.to_vec(),
                denominator: total,
            },
        });
        let largest = (1_i128 << (2 * self.program.cell_bits())) - 1;
        let sums: Vec<SparseSum> = parts
            .iter()
            .zip(&shares)
            .flat_map(|(part, share)| {
                let sum = |terms: Vec<(CellId, i64)>, bias| SparseSum {
                    terms,
                    products: vec![(*share, total)],
                    bias,
                    finish: Finish::NonNegative,
                };
                [
                    sum(vec![(*part, 1 - full)], largest),
                    sum(vec![(*part, 1 - full), (total, 1)], -1),
                ]
            })
            .collect();
        self.push_sums(&node.name, sums);
        shares
    }

    pub(super) fn one_hot_cells(&mut self, count: usize) -> Vec<CellId> {
        let bits = self.new_cells(count, Format::INTEGER, 1);
        for bit in &bits {
            self.cells[bit.index()].one_hot_group = Some(self.one_hot_groups);
        }
        self.one_hot_groups += 1;
        bits
    }

    pub(super) fn one_hot(
        &mut self,
        node: &Node,
        expression: &Expression,
        categories: &[i64],
    ) -> Result<Vec<CellId>, ModelError> {
        let source = expression
            .as_cell()
            .filter(|cell| {
                let info = self.cells[cell.index()];
                info.format.scale == 0 && !info.float32
            })
            .ok_or_else(|| {
                unsupported(
                    node,
                    "one-hot encoding is proven for graph inputs as they are given".to_owned(),
                )
            })?;
        let zero = self.cells[source.index()].format.zero;
        let codes: Vec<i64> = categories.iter().map(|category| category + zero).collect();
        let bits = self.one_hot_cells(codes.len());
        self.program.steps.push(Step::Witness {
            cells: bits.clone(),
            range: Range::Bit,
            source: Source::OneHot {
                source,
                categories: codes.clone(),
            },
        });
        let mut inputs = bits.clone();
        inputs.push(source);
        // Σ code·b − source and Σ b − 1 in one sum: the factor exceeds anything the first can reach.
        let reach: i64 = codes.iter().map(|code| code.abs()).sum::<i64>() + self.program.cell_max();
        let factor = 1_i64 << (64 - reach.leading_zeros());
        let mut weights: Vec<i64> = codes.iter().map(|code| code + factor).collect();
        weights.push(-1);
        self.zero(&node.name, inputs, weights, -i128::from(factor));
        Ok(bits)
    }
}

/// The position of the bit that is set.
fn position(bits: &[CellId]) -> Expression {
    let mut position = Expression::default();
    for (index, bit) in bits.iter().enumerate() {
        position.add_scaled(&Expression::cell(*bit), index as f64);
    }
    position
}
