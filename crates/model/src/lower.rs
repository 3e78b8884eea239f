//! Float graph → integer program.
//!
//! Affine operators never become steps of their own: every tensor element is carried as an affine expression over
//! cells, and only a non-linear operator (or an output) turns expressions into a [`Layer`]. A chain
//! scaler → one-hot → dense → ReLU therefore rounds once.

use std::collections::{BTreeMap, HashMap};

use crate::{
    Calibration, CellId, Comparison, Finish, Format, Graph, InputCell, Layer, ModelError, Node, Norm, Op, OutputCells,
    OutputKind, Program, Range, Source, Step, Sum, Table, TableId, ValueId, calibrate::Interval, curves,
};

/// Largest number of table rows one clamp may take.
const MAX_DOMAIN: i128 = 1 << 12;

/// `Σ weight·cell + bias` in real numbers.
#[derive(Debug, Clone, PartialEq, Default)]
struct Expression {
    terms: BTreeMap<CellId, f64>,
    bias: f64,
}

impl Expression {
    fn cell(id: CellId) -> Self {
        Self {
            terms: BTreeMap::from([(id, 1.0)]),
            bias: 0.0,
        }
    }

    fn constant(bias: f64) -> Self {
        Self {
            terms: BTreeMap::new(),
            bias,
        }
    }

    fn add_scaled(&mut self, other: &Self, factor: f64) {
        self.bias += other.bias * factor;
        for (cell, weight) in &other.terms {
            *self.terms.entry(*cell).or_default() += weight * factor;
        }
    }

    fn minus(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.add_scaled(other, -1.0);
        result
    }

    /// The cell, if the expression is just one.
    fn as_cell(&self) -> Option<CellId> {
        match (self.terms.len(), self.terms.first_key_value()) {
            (1, Some((cell, weight))) if *weight == 1.0 && self.bias == 0.0 => Some(*cell),
            _ => None,
        }
    }
}

/// What the compiler knows of a cell.
#[derive(Debug, Clone, Copy)]
struct CellInfo {
    format: Format,
    max: i64,
    /// Cells of one group are bits of which exactly one is set.
    one_hot_group: Option<usize>,
}

struct Lowering<'a> {
    program: Program,
    cells: Vec<CellInfo>,
    values: Vec<Vec<Expression>>,
    /// Sigmoid results and softmax results by what they were computed from.
    sigmoids: HashMap<CellId, Expression>,
    softmaxes: HashMap<CellId, (Vec<CellId>, Vec<Expression>)>,
    calibration: &'a Calibration,
    one_hot_groups: usize,
}

impl Program {
    /// Compiles a graph with limbs of `limb_bits` bits.
    ///
    /// # Errors
    /// An operator use without a gadget, values too wide for the formats, or a calibration of another graph.
    pub fn compile(graph: &Graph, calibration: &Calibration, limb_bits: u32) -> Result<Self, ModelError> {
        calibration.check(graph)?;
        let mut lowering = Lowering {
            program: Self {
                limb_bits,
                cells: 0,
                tables: Vec::new(),
                steps: Vec::new(),
                input_names: graph.inputs.iter().map(|input| input.name.clone()).collect(),
                inputs: Vec::new(),
                outputs: Vec::new(),
            },
            cells: Vec::new(),
            values: Vec::new(),
            sigmoids: HashMap::new(),
            softmaxes: HashMap::new(),
            calibration,
            one_hot_groups: 0,
        };
        lowering.inputs(graph);
        for (index, node) in graph.nodes.iter().enumerate() {
            let range = calibration.nodes[index];
            lowering.node(node, range)?;
        }
        for output in &graph.outputs {
            lowering.output(graph, output)?;
        }
        lowering.finish()
    }
}

impl Lowering<'_> {
    fn inputs(&mut self, graph: &Graph) {
        let categorical = categorical_inputs(graph);
        let max = self.program.cell_max() - 1;
        let mut all = Vec::new();
        for (tensor, input) in graph.inputs.iter().enumerate() {
            let mut expressions = Vec::new();
            for index in 0..input.len() {
                let categories = categorical.get(&(tensor, index)).cloned();
                let format = match &categories {
                    Some(known) => Format {
                        scale: 0,
                        zero: -known.iter().copied().min().unwrap_or(0).min(0),
                    },
                    None => input_format(self.calibration.inputs[tensor][index], self.program.cell_bits()),
                };
                let cell = self.new_cell(format, max);
                self.program.inputs.push(InputCell {
                    tensor,
                    index,
                    cell,
                    format,
                    categories,
                });
                expressions.push(Expression::cell(cell));
                all.push(cell);
            }
            self.values.push(expressions);
        }
        self.program.steps.push(Step::Witness {
            cells: all,
            range: Range::Cell,
            source: Source::Input,
        });
    }

    fn node(&mut self, node: &Node, range: Interval) -> Result<(), ModelError> {
        let operand: Vec<Expression> = node
            .inputs
            .iter()
            .flat_map(|id| self.values[id.0].iter().cloned())
            .collect();
        let result = match &node.op {
            Op::Wire { indices } => indices.iter().map(|index| operand[*index].clone()).collect(),
            Op::Affine { rows } => rows
                .iter()
                .map(|row| {
                    let mut sum = Expression::constant(row.bias);
                    for (index, weight) in &row.terms {
                        sum.add_scaled(&operand[*index], *weight);
                    }
                    sum
                })
                .collect(),
            Op::Relu => {
                let format = unsigned_format(range.high, self.program.cell_bits());
                to_expressions(self.clamped(&node.name, &operand, format)?)
            }
            Op::Clip { min, max } => self.clip(node, &operand, *min, *max)?,
            Op::Sigmoid => to_expressions(self.sigmoid(node, &operand)?),
            Op::Softmax { classes } => self.softmax(node, &operand, *classes)?,
            Op::ArgMax { classes } => {
                let mut labels = Vec::new();
                for group in operand.chunks(*classes) {
                    labels.push(self.arg_max(node, group)?);
                }
                labels
            }
            Op::Compare { comparison, thresholds } => {
                let mut bits = Vec::new();
                for (expression, threshold) in operand.iter().zip(thresholds) {
                    bits.push(self.compare(node, expression, *comparison, *threshold)?);
                }
                to_expressions(bits)
            }
            Op::Normalize { norm: Norm::L1, width } => {
                let mut parts = Vec::new();
                for group in operand.chunks(*width) {
                    parts.extend(to_expressions(self.normalize(node, group)?));
                }
                parts
            }
            Op::Normalize { norm, .. } => {
                return Err(unsupported(
                    node,
                    format!("normalising by the {norm:?} norm has no gadget; only L1 of non-negative values has"),
                ));
            }
            Op::OneHot { categories } => {
                let mut bits = Vec::new();
                for (expression, known) in operand.iter().zip(categories) {
                    bits.extend(to_expressions(self.one_hot(node, expression, known)?));
                }
                bits
            }
        };
        self.values.push(result);
        Ok(())
    }

    fn new_cell(&mut self, format: Format, max: i64) -> CellId {
        let id = CellId(u32::try_from(self.cells.len()).expect("fewer than 2^32 cells"));
        self.cells.push(CellInfo {
            format,
            max,
            one_hot_group: None,
        });
        id
    }

    fn new_cells(&mut self, count: usize, format: Format, max: i64) -> Vec<CellId> {
        (0..count).map(|_| self.new_cell(format, max)).collect()
    }

    fn table(&mut self, table: Table) -> TableId {
        let tables = &mut self.program.tables;
        let index = tables.iter().position(|known| *known == table).unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        });
        TableId(u32::try_from(index).expect("few tables"))
    }

    /// Rounds and clamps expressions into cells of `format`.
    fn clamped(&mut self, name: &str, expressions: &[Expression], format: Format) -> Result<Vec<CellId>, ModelError> {
        let cell_bits = self.program.cell_bits();
        let full = self.program.cell_max();
        let outputs = self.new_cells(expressions.len(), format, full);
        for (inputs, members) in group_by_support(expressions) {
            let mut sums = Vec::new();
            for member in &members {
                let scale = format.scale + cell_bits as i32;
                let offset = (i128::from(format.zero) << cell_bits) + (1 << (cell_bits - 1));
                sums.push(self.weigh(name, &expressions[*member], &inputs, scale, offset)?);
            }
            let (origin, domain) = self.place(name, &inputs, &mut sums)?;
            let table = self.table(Table::clamp(origin, domain, full));
            for (sum, member) in sums.iter_mut().zip(&members) {
                sum.finish = Finish::Lookup {
                    table,
                    output: outputs[*member],
                };
            }
            self.program.steps.push(Step::Layer(Layer {
                name: name.to_owned(),
                inputs,
                sums,
            }));
        }
        Ok(outputs)
    }

    /// A bit that says whether `expression ∘ threshold` holds.
    fn compare(
        &mut self,
        node: &Node,
        expression: &Expression,
        comparison: Comparison,
        threshold: f64,
    ) -> Result<CellId, ModelError> {
        let (expression, comparison, threshold) = self.undo_sigmoid(node, expression, comparison, threshold)?;
        let (difference, strict) = match comparison {
            Comparison::Greater => (expression.minus(&Expression::constant(threshold)), true),
            Comparison::GreaterOrEqual => (expression.minus(&Expression::constant(threshold)), false),
            Comparison::Less => (Expression::constant(threshold).minus(&expression), true),
            Comparison::LessOrEqual => (Expression::constant(threshold).minus(&expression), false),
        };
        let span = self.span(&difference).max(f64::MIN_POSITIVE);
        // A few table rows wide: as fine a comparison as the sums hold.
        let room = f64::from(2 * self.program.cell_bits()) + 2.0;
        let scale = (room - span.log2()).floor().clamp(-64.0, 64.0) as i32;
        let inputs: Vec<CellId> = difference.terms.keys().copied().collect();
        let mut sums = vec![self.weigh(&node.name, &difference, &inputs, scale, -i128::from(strict))?];
        let (origin, domain) = self.place(&node.name, &inputs, &mut sums)?;
        let table = self.table(Table::step(origin, domain));
        let output = self.new_cell(Format::INTEGER, 1);
        sums[0].finish = Finish::Lookup { table, output };
        self.program.steps.push(Step::Layer(Layer {
            name: node.name.clone(),
            inputs,
            sums,
        }));
        Ok(output)
    }

    /// A threshold on a sigmoid is a threshold on its argument: no table, no rounding.
    fn undo_sigmoid(
        &self,
        node: &Node,
        expression: &Expression,
        comparison: Comparison,
        threshold: f64,
    ) -> Result<(Expression, Comparison, f64), ModelError> {
        let single = expression
            .terms
            .first_key_value()
            .filter(|_| expression.terms.len() == 1);
        let Some((argument, weight)) = single.and_then(|(cell, weight)| Some((self.sigmoids.get(cell)?, *weight)))
        else {
            return Ok((expression.clone(), comparison, threshold));
        };
        let level = (threshold - expression.bias) / weight;
        if !(level > 0.0 && level < 1.0) {
            return Err(unsupported(
                node,
                format!("compares a probability with {level}, which is always or never true; drop the comparison"),
            ));
        }
        let flipped = match comparison {
            _ if weight > 0.0 => comparison,
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        };
        Ok((argument.clone(), flipped, (level / (1.0 - level)).ln()))
    }

    fn clip(&mut self, node: &Node, operand: &[Expression], min: f64, max: f64) -> Result<Vec<Expression>, ModelError> {
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
        let values = to_expressions(self.clamped(&node.name, operand, value_format)?);
        let ramp_format = unsigned_format(2.0 * bound, self.program.cell_bits());
        let mut results = values.clone();
        if min.is_finite() {
            let shifted: Vec<_> = values
                .iter()
                .map(|value| value.minus(&Expression::constant(min)))
                .collect();
            let ramps = to_expressions(self.clamped(&node.name, &shifted, ramp_format)?);
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
            let ramps = to_expressions(self.clamped(&node.name, &shifted, ramp_format)?);
            for (result, ramp) in results.iter_mut().zip(&ramps) {
                result.add_scaled(ramp, -1.0);
            }
        }
        Ok(results)
    }

    fn sigmoid(&mut self, node: &Node, operand: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let format = signed_format(curves::SIGMOID_REACH, self.program.cell_bits());
        let table = self.table(curves::sigmoid(self.program.limb_bits, format));
        let arguments = self.clamped(&node.name, operand, format)?;
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

    fn softmax(&mut self, node: &Node, operand: &[Expression], classes: usize) -> Result<Vec<Expression>, ModelError> {
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
                    let cells = self.exponentials(node, group)?;
                    let shares = self.share(node, &cells);
                    for share in &shares {
                        self.softmaxes.insert(*share, (shares.clone(), group.to_vec()));
                    }
                    results.extend(to_expressions(shares));
                }
            }
        }
        Ok(results)
    }

    /// `e^(z_i − max z)` as fractions of one.
    fn exponentials(&mut self, node: &Node, logits: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let scores = self.scores(node, logits)?;
        let (peak, _) = self.maximum(node, &scores);
        let gap_format = Format {
            scale: self.cells[scores[0].index()].format.scale,
            zero: 0,
        };
        let full = self.program.cell_max();
        let gaps: Vec<Expression> = scores
            .iter()
            .map(|score| Expression::cell(peak).minus(&Expression::cell(*score)))
            .collect();
        // The peak is bounded only by the sums that bind it, so these sums are not packed either: see `maximum`.
        self.cells[peak.index()].max = full;
        let arguments = self.clamped(&node.name, &gaps, gap_format)?;
        let table = self.table(curves::exponential(self.program.limb_bits, gap_format));
        Ok(self.curve(table, &arguments))
    }

    /// Logits as cells of one format.
    fn scores(&mut self, node: &Node, logits: &[Expression]) -> Result<Vec<CellId>, ModelError> {
        let format = signed_format(curves::SIGMOID_REACH, self.program.cell_bits());
        self.clamped(&node.name, logits, format)
    }

    /// The largest cell and one bit per cell that marks the first place it stands at.
    ///
    /// With `b` the bits and `M` the maximum: `Σ b = 1`; `M − z_i − 1 + Σ_{t≤i} b_t ≥ 0` (nothing exceeds `M`, and
    /// before the marked place nothing equals it); `z_i − M + 2^(2L)·(1 − b_i) ≥ 0` (the marked one reaches it).
    fn maximum(&mut self, node: &Node, among: &[CellId]) -> (CellId, Vec<CellId>) {
        let full = self.program.cell_max();
        let format = self.cells[among[0].index()].format;
        let peak = self.new_cell(format, full);
        let bits = self.one_hot_cells(among.len());
        self.program.steps.push(Step::Witness {
            cells: vec![peak],
            range: Range::Unchecked,
            source: Source::Maximum(among.to_vec()),
        });
        self.program.steps.push(Step::Witness {
            cells: bits.clone(),
            range: Range::Bit,
            source: Source::FirstMaximum(among.to_vec()),
        });
        self.zero(&node.name, bits.clone(), vec![1; bits.len()], -1);
        for (index, score) in among.iter().enumerate() {
            let mut inputs = vec![peak, *score];
            let mut weights = vec![1, -1];
            inputs.extend(&bits[..=index]);
            weights.extend(vec![1; index + 1]);
            self.non_negative(&node.name, inputs, weights, Vec::new(), -1);
            self.non_negative(
                &node.name,
                vec![peak, *score, bits[index]],
                vec![-1, 1, -full],
                Vec::new(),
                i128::from(full),
            );
        }
        (peak, bits)
    }

    fn arg_max(&mut self, node: &Node, group: &[Expression]) -> Result<Expression, ModelError> {
        let group = self.undo_softmax(group);
        match group.as_slice() {
            [_] => Ok(Expression::constant(0.0)),
            [first, second] => Ok(Expression::cell(self.compare(
                node,
                &second.minus(first),
                Comparison::Greater,
                0.0,
            )?)),
            logits => {
                let scores = match logits.iter().map(Expression::as_cell).collect::<Option<Vec<_>>>() {
                    Some(cells) if self.same_format(&cells) => cells,
                    _ => self.scores(node, logits)?,
                };
                let (_, bits) = self.maximum(node, &scores);
                let mut label = Expression::default();
                for (index, bit) in bits.iter().enumerate() {
                    label.add_scaled(&Expression::cell(*bit), index as f64);
                }
                Ok(label)
            }
        }
    }

    fn same_format(&self, cells: &[CellId]) -> bool {
        cells
            .windows(2)
            .all(|pair| self.cells[pair[0].index()].format == self.cells[pair[1].index()].format)
    }

    /// The largest probability has the largest logit.
    fn undo_softmax(&self, group: &[Expression]) -> Vec<Expression> {
        let cells: Option<Vec<CellId>> = group.iter().map(Expression::as_cell).collect();
        let source = cells.and_then(|cells| {
            let (shares, logits) = self.softmaxes.get(cells.first()?)?;
            (*shares == cells).then(|| logits.clone())
        });
        source.unwrap_or_else(|| group.to_vec())
    }

    fn normalize(&mut self, node: &Node, group: &[Expression]) -> Result<Vec<CellId>, ModelError> {
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
            source: Source::Total(parts.to_vec()),
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
        for (part, share) in parts.iter().zip(&shares) {
            let products = vec![(*share, total)];
            self.non_negative(&node.name, vec![*part], vec![1 - full], products.clone(), largest);
            self.non_negative(&node.name, vec![*part, total], vec![1 - full, 1], products, -1);
        }
        shares
    }

    fn one_hot_cells(&mut self, count: usize) -> Vec<CellId> {
        let bits = self.new_cells(count, Format::INTEGER, 1);
        for bit in &bits {
            self.cells[bit.index()].one_hot_group = Some(self.one_hot_groups);
        }
        self.one_hot_groups += 1;
        bits
    }

    fn one_hot(&mut self, node: &Node, expression: &Expression, categories: &[i64]) -> Result<Vec<CellId>, ModelError> {
        let source = expression
            .as_cell()
            .filter(|cell| self.cells[cell.index()].format.scale == 0)
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

    fn zero(&mut self, name: &str, inputs: Vec<CellId>, weights: Vec<i64>, bias: i128) {
        let sums = vec![Sum {
            weights,
            products: Vec::new(),
            bias,
            finish: Finish::Zero,
        }];
        self.program.steps.push(Step::Layer(Layer {
            name: name.to_owned(),
            inputs,
            sums,
        }));
    }

    /// Proves `0 ≤ sum < 2^(4L)`.
    fn non_negative(
        &mut self,
        name: &str,
        inputs: Vec<CellId>,
        weights: Vec<i64>,
        products: Vec<(CellId, CellId)>,
        bias: i128,
    ) {
        let sums = vec![Sum {
            weights,
            products,
            bias,
            finish: Finish::NonNegative,
        }];
        self.program.steps.push(Step::Layer(Layer {
            name: name.to_owned(),
            inputs,
            sums,
        }));
    }

    fn output(&mut self, graph: &Graph, output: &crate::Output) -> Result<(), ModelError> {
        let expressions = self.values[output.value.0].clone();
        let cell_bits = self.program.cell_bits();
        let direct: Option<Vec<CellId>> = expressions.iter().map(Expression::as_cell).collect();
        let cells = match direct {
            Some(cells) if self.same_format(&cells) => cells,
            _ => {
                let format = match output.kind {
                    OutputKind::Real => self.output_format(graph, output.value, &expressions),
                    _ => Format::INTEGER,
                };
                self.clamped(&format!("output {:?}", output.name), &expressions, format)?
            }
        };
        let format = cells
            .first()
            .map_or(fraction_format(cell_bits), |cell| self.cells[cell.index()].format);
        self.program.outputs.push(OutputCells {
            name: output.name.clone(),
            shape: output.shape.clone(),
            kind: output.kind.clone(),
            cells,
            format,
        });
        Ok(())
    }

    /// An output made of fractions stays one; others take the calibrated range.
    fn output_format(&self, graph: &Graph, value: ValueId, expressions: &[Expression]) -> Format {
        let cell_bits = self.program.cell_bits();
        let fraction = fraction_format(cell_bits);
        let cells = expressions.iter().flat_map(|expression| expression.terms.keys());
        let all_fractions = cells.clone().count() > 0
            && cells.clone().all(|cell| self.cells[cell.index()].format == fraction)
            && expressions.iter().all(|expression| {
                let sum: f64 = expression.terms.values().filter(|weight| **weight > 0.0).sum();
                sum + expression.bias <= 1.0 && expression.bias >= 0.0
            });
        if all_fractions {
            return fraction;
        }
        let range = match value.0.checked_sub(graph.inputs.len()) {
            Some(node) => self.calibration.nodes[node],
            None => self.calibration.inputs[value.0]
                .iter()
                .copied()
                .fold(Interval::EMPTY, Interval::union),
        };
        if range.low >= 0.0 {
            unsigned_format(range.high, cell_bits)
        } else {
            signed_format(range.high.max(-range.low), cell_bits)
        }
    }

    /// Integer weights for an expression at `2^scale`, plus `offset`.
    fn weigh(
        &self,
        name: &str,
        expression: &Expression,
        inputs: &[CellId],
        scale: i32,
        offset: i128,
    ) -> Result<Sum, ModelError> {
        let limit = f64::powi(2.0, 100);
        let too_wide = |span: f64| ModelError::RangeTooWide {
            node: name.to_owned(),
            span,
            limit,
        };
        let mut bias = offset;
        let mut weights = Vec::with_capacity(inputs.len());
        for cell in inputs {
            let format = self.cells[cell.index()].format;
            let exact = expression.terms.get(cell).copied().unwrap_or(0.0) * f64::powi(2.0, scale - format.scale);
            if exact.abs() >= f64::powi(2.0, 62) {
                return Err(too_wide(exact.abs()));
            }
            let weight = exact.round() as i64;
            bias -= i128::from(weight) * i128::from(format.zero);
            weights.push(weight);
        }
        let constant = expression.bias * f64::powi(2.0, scale);
        if !constant.is_finite() || constant.abs() >= limit {
            return Err(too_wide(constant.abs()));
        }
        Ok(Sum {
            weights,
            products: Vec::new(),
            bias: bias + constant.round() as i128,
            finish: Finish::Zero,
        })
    }

    /// Shifts sums to be non-negative and says which table rows they reach: `(row of zero, number of rows)`.
    fn place(&self, name: &str, inputs: &[CellId], sums: &mut [Sum]) -> Result<(usize, usize), ModelError> {
        let shift = 2 * self.program.cell_bits();
        let bounds: Vec<(i128, i128)> = sums.iter().map(|sum| self.bounds(inputs, sum)).collect();
        let low = bounds.iter().map(|(low, _)| *low).min().unwrap_or(0);
        let high = bounds.iter().map(|(_, high)| *high).max().unwrap_or(0);
        let origin = ((-low).max(0) + (1 << shift) - 1) >> shift;
        let domain = ((high + (origin << shift)).max(0) >> shift) + 1;
        if domain > MAX_DOMAIN {
            return Err(ModelError::RangeTooWide {
                node: name.to_owned(),
                span: domain as f64,
                limit: MAX_DOMAIN as f64,
            });
        }
        for sum in sums {
            sum.bias += origin << shift;
        }
        // The clamp's second entry must exist even where nothing exceeds zero.
        Ok((origin as usize, domain.max(origin + 1) as usize))
    }

    /// Smallest and largest value of a sum over every assignment of its cells.
    fn bounds(&self, inputs: &[CellId], sum: &Sum) -> (i128, i128) {
        let mut low = sum.bias;
        let mut high = sum.bias;
        let mut groups: BTreeMap<usize, (i128, i128, usize)> = BTreeMap::new();
        for (cell, weight) in inputs.iter().zip(&sum.weights) {
            let info = self.cells[cell.index()];
            let reach = i128::from(*weight) * i128::from(info.max);
            match info.one_hot_group {
                Some(group) => {
                    let entry = groups.entry(group).or_insert((reach, reach, 0));
                    *entry = (entry.0.min(reach), entry.1.max(reach), entry.2 + 1);
                }
                None => {
                    low += reach.min(0);
                    high += reach.max(0);
                }
            }
        }
        for (group, (least, most, members)) in groups {
            let size = self
                .cells
                .iter()
                .filter(|info| info.one_hot_group == Some(group))
                .count();
            // With all bits of the group present exactly one contributes, otherwise at most one.
            low += if members == size { least } else { least.min(0) };
            high += if members == size { most } else { most.max(0) };
        }
        (low, high)
    }

    /// Largest absolute value of an expression over every assignment of its cells.
    fn span(&self, expression: &Expression) -> f64 {
        expression
            .terms
            .iter()
            .fold(expression.bias.abs(), |span, (cell, weight)| {
                let info = self.cells[cell.index()];
                let reach = info
                    .format
                    .dequantize(0)
                    .abs()
                    .max(info.format.dequantize(info.max).abs());
                span + weight.abs() * reach
            })
    }

    fn finish(mut self) -> Result<Program, ModelError> {
        self.program.cells = self.cells.len();
        share_tables(&mut self.program);
        Ok(self.program)
    }
}

/// Makes all clamps one table, and all steps one table, by moving every sum to the common origin.
fn share_tables(program: &mut Program) {
    let full = program.cell_max();
    let shift = 2 * program.cell_bits();
    let origin_of = |table: &Table, clamp: bool| -> Option<usize> {
        let origin = if clamp {
            table.entries.iter().rposition(|entry| *entry == 0)?
        } else {
            table.entries.iter().position(|entry| *entry == 1)?
        };
        let expected = if clamp {
            Table::clamp(origin, table.domain(), full)
        } else {
            Table::step(origin, table.domain())
        };
        (expected == *table).then_some(origin)
    };
    for clamp in [true, false] {
        let members: HashMap<u32, usize> = program
            .tables
            .iter()
            .enumerate()
            .filter_map(|(index, table)| Some((index as u32, origin_of(table, clamp)?)))
            .collect();
        let Some(common) = members.values().copied().max() else {
            continue;
        };
        let above = members
            .iter()
            .map(|(index, origin)| program.tables[*index as usize].domain() - origin)
            .max();
        let domain = common + above.unwrap_or(1);
        let shared = if clamp {
            Table::clamp(common, domain, full)
        } else {
            Table::step(common, domain)
        };
        let first = *members.keys().min().expect("not empty");
        for step in &mut program.steps {
            let Step::Layer(layer) = step else { continue };
            for sum in &mut layer.sums {
                if let Finish::Lookup { table, .. } = &mut sum.finish
                    && let Some(origin) = members.get(&table.0)
                {
                    sum.bias += ((common - origin) as i128) << shift;
                    *table = TableId(first);
                }
            }
        }
        program.tables[first as usize] = shared;
    }
    drop_unused_tables(program);
}

fn drop_unused_tables(program: &mut Program) {
    let mut kept: Vec<Table> = Vec::new();
    let mut renamed: HashMap<TableId, TableId> = HashMap::new();
    let tables = &program.tables;
    let mut rename = |id: &mut TableId| {
        *id = *renamed.entry(*id).or_insert_with(|| {
            kept.push(tables[id.index()].clone());
            TableId((kept.len() - 1) as u32)
        });
    };
    for step in &mut program.steps {
        match step {
            Step::Witness { .. } => {}
            Step::Curve { table, .. } => rename(table),
            Step::Layer(layer) => {
                for sum in &mut layer.sums {
                    if let Finish::Lookup { table, .. } = &mut sum.finish {
                        rename(table);
                    }
                }
            }
        }
    }
    program.tables = kept;
}

/// Groups expressions that read (nearly) the same cells: `(cells, positions)`.
fn group_by_support(expressions: &[Expression]) -> Vec<(Vec<CellId>, Vec<usize>)> {
    let mut groups: Vec<(Vec<CellId>, Vec<usize>)> = Vec::new();
    for (position, expression) in expressions.iter().enumerate() {
        let support: Vec<CellId> = expression.terms.keys().copied().collect();
        let home = groups.iter_mut().find(|(cells, _)| {
            let missing = support.iter().filter(|cell| cells.binary_search(cell).is_err()).count();
            4 * (missing + cells.len() - (support.len() - missing)) <= cells.len().max(support.len())
        });
        match home {
            Some((cells, members)) => {
                cells.extend(support);
                cells.sort_unstable();
                cells.dedup();
                members.push(position);
            }
            None => groups.push((support, vec![position])),
        }
    }
    groups
}

/// Inputs that only a one-hot encoder reads, with their categories.
fn categorical_inputs(graph: &Graph) -> HashMap<(usize, usize), Vec<i64>> {
    let mut origins: Vec<Vec<Option<(usize, usize)>>> = graph
        .inputs
        .iter()
        .enumerate()
        .map(|(tensor, input)| (0..input.len()).map(|index| Some((tensor, index))).collect())
        .collect();
    let mut found = HashMap::new();
    for node in &graph.nodes {
        let operand: Vec<_> = node
            .inputs
            .iter()
            .flat_map(|id| origins[id.0].iter().copied())
            .collect();
        let result = match &node.op {
            Op::Wire { indices } => indices.iter().map(|index| operand[*index]).collect(),
            Op::OneHot { categories } => {
                for (origin, known) in operand.iter().zip(categories) {
                    if let Some(origin) = origin {
                        found.insert(*origin, known.clone());
                    }
                }
                vec![None; node.len]
            }
            _ => vec![None; node.len],
        };
        origins.push(result);
    }
    found
}

fn to_expressions(cells: Vec<CellId>) -> Vec<Expression> {
    cells.into_iter().map(Expression::cell).collect()
}

fn unsupported(node: &Node, reason: String) -> ModelError {
    ModelError::Unsupported {
        node: node.name.clone(),
        reason,
    }
}

/// Probabilities and other numbers in `[0, 1)`.
fn fraction_format(cell_bits: u32) -> Format {
    Format {
        scale: cell_bits as i32,
        zero: 0,
    }
}

/// The finest format for `[0, high]`.
fn unsigned_format(high: f64, cell_bits: u32) -> Format {
    let high = if high > 0.0 { high } else { 1.0 };
    let scale = (f64::from(cell_bits) - high.log2()).floor() as i32;
    Format {
        scale: scale.min(cell_bits as i32 + 4),
        zero: 0,
    }
}

/// The finest format for `[−reach, reach)`.
fn signed_format(reach: f64, cell_bits: u32) -> Format {
    let half = unsigned_format(reach, cell_bits - 1);
    Format {
        scale: half.scale,
        zero: 1 << (cell_bits - 1),
    }
}

/// The finest format for an input range.
fn input_format(range: Interval, cell_bits: u32) -> Format {
    let span = (range.high - range.low).max(f64::MIN_POSITIVE);
    let room = ((1_i64 << cell_bits) - 2) as f64;
    let scale = ((room / span).log2().floor() as i32).min(cell_bits as i32 - 2);
    Format {
        scale,
        zero: -(range.low * f64::powi(2.0, scale)).floor() as i64,
    }
}
