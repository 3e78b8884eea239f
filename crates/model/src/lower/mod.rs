//! Float graph → integer program.
//!
//! Affine operators never become steps of their own: every tensor element is carried as an affine expression over
//! cells, and only a non-linear operator (or an output) turns expressions into a [`Layer`]. A chain
//! scaler → one-hot → dense → ReLU therefore rounds once.

mod affine;
mod committed_trees;
mod conditions;
mod convolutions;
mod expression;
mod formats;
mod functions;
mod groups;
mod maxima;
mod operators;
mod products;
mod quantize;
mod ranking;
mod secret;
mod sums;
mod tables;
mod trees;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

use crate::{
    AffineRow, Calibration, CellId, Element, Format, FormatChoice, Graph, InputCell, ModelError, Node, Norm, Op,
    OutputCells, OutputKind, ParameterFormats, Program, Range, SingleRow, Source, Step, Table, TableId, ValueId,
    calibrate::Interval, ordered::HIGHEST, origin::Origins, quantize as staircases,
};
use convolutions::Places;
use expression::{Expression, to_expressions};
use formats::{fraction_format, input_format, range_format, signed_format, unsigned_format};
use secret::Secret;

/// What the compiler knows of a cell.
#[derive(Debug, Clone, Copy)]
struct CellInfo {
    format: Format,
    max: i64,
    /// Whether the cell is a place in the order of `float32`: trees compare it, nothing computes with it.
    float32: bool,
    /// Whether the cell is a tree's weight, wider perhaps than other cells: no sum may round what it is multiplied with.
    is_weight: bool,
    /// Cells of one group are bits of which exactly one is set.
    one_hot_group: Option<usize>,
}

/// Where a softmax result comes from.
#[derive(Debug, Clone)]
struct Softmax {
    shares: Vec<CellId>,
    logits: Vec<Expression>,
    reach: f64,
}

/// Whether reaching an end of a format counts as saturation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It does.
    Report,
    /// It does not: what follows treats everything beyond alike.
    Ignore,
}

struct Lowering<'a> {
    program: Program,
    cells: Vec<CellInfo>,
    values: Vec<Vec<Expression>>,
    /// Sigmoid results and softmax results by what they were computed from.
    sigmoids: HashMap<CellId, Expression>,
    softmaxes: HashMap<CellId, Softmax>,
    calibration: &'a Calibration,
    /// Bits by which each node's format is finer than its range asks for.
    finer: Vec<i32>,
    /// Nodes whose range decided a format.
    consulted: RefCell<BTreeSet<usize>>,
    origins: Origins,
    /// Per value: whether it is a whole number, computed exactly.
    exact: Vec<bool>,
    /// The levels of all `float32` by what rounds them.
    staircases: HashMap<staircases::Key, staircases::Staircase>,
    one_hot_groups: usize,
    places: Places,
    /// What is kept apart of a committed model.
    secret: Option<Secret>,
}

/// A program, and the nodes whose calibrated range decided a format of it.
pub(crate) struct Lowered {
    pub(crate) program: Program,
    pub(crate) consulted: BTreeSet<usize>,
}

impl Program {
    /// Compiles a graph with limbs of `limb_bits` bits, every tensor in the finest format for its calibrated range.
    ///
    /// # Errors
    /// An operator use without a gadget, values too wide for the formats, or a calibration of another graph.
    pub fn compile(graph: &Graph, calibration: &Calibration, limb_bits: u32) -> Result<Self, ModelError> {
        Self::compile_with(graph, calibration, limb_bits, &[])
    }

    /// As [`Program::compile`], with other formats for some tensors.
    ///
    /// # Errors
    /// As [`Program::compile`]; choices that no such graph has.
    pub fn compile_with(
        graph: &Graph,
        calibration: &Calibration,
        limb_bits: u32,
        choices: &[FormatChoice],
    ) -> Result<Self, ModelError> {
        Ok(lower(graph, calibration, limb_bits, FormatChoice::by_node(choices, graph)?)?.program)
    }

    /// As [`Program::compile_with`], for a model whose parameters are committed to. The graph has all of them, zeros
    /// included. Everything but the parameters' own values follows from the graph's structure, the calibration, and the
    /// parameters' formats.
    ///
    /// # Errors
    /// As [`Program::compile_with`]; parameters that cannot be committed to, parameters beyond given ranges.
    pub fn compile_committed(
        graph: &Graph,
        calibration: &Calibration,
        limb_bits: u32,
        choices: &[FormatChoice],
        formats: ParameterFormats<'_>,
    ) -> Result<Self, ModelError> {
        let secret = Secret::new(graph, formats);
        let finer = FormatChoice::by_node(choices, graph)?;
        let program = lower_with(graph, calibration, limb_bits, finer, Some(secret))?.program;
        if !program.is_committed() {
            return Err(ModelError::NothingToCommit);
        }
        program.validate()?;
        Ok(program)
    }
}

/// Compiles a graph; `finer` has one number of bits per node.
pub(crate) fn lower(
    graph: &Graph,
    calibration: &Calibration,
    limb_bits: u32,
    finer: Vec<i32>,
) -> Result<Lowered, ModelError> {
    lower_with(graph, calibration, limb_bits, finer, None)
}

fn lower_with(
    graph: &Graph,
    calibration: &Calibration,
    limb_bits: u32,
    finer: Vec<i32>,
    secret: Option<Secret>,
) -> Result<Lowered, ModelError> {
    calibration.check(graph)?;
    let fused = functions::fuse(graph, secret.is_some());
    let graph = &fused;
    let origins = Origins::of(graph);
    let mut lowering = Lowering {
        program: Program {
            limb_bits,
            cells: 0,
            tables: Vec::new(),
            memory: Vec::new(),
            limited: Vec::new(),
            functions: Vec::new(),
            steps: Vec::new(),
            convolutions: Vec::new(),
            input_names: graph.inputs.iter().map(|input| input.name.clone()).collect(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            records: None,
            opened: Vec::new(),
        },
        cells: Vec::new(),
        values: Vec::new(),
        sigmoids: HashMap::new(),
        softmaxes: HashMap::new(),
        calibration,
        finer,
        consulted: RefCell::default(),
        exact: graph.exact_values(&origins),
        origins,
        staircases: HashMap::new(),
        one_hot_groups: 0,
        places: Places::new(graph),
        secret,
    };
    lowering.inputs(graph)?;
    for (index, node) in graph.nodes.iter().enumerate() {
        lowering.node(graph, index, node)?;
    }
    for (output, exact) in graph.outputs.iter().zip(graph.exact_outputs()) {
        lowering.output(graph, output, exact)?;
    }
    let consulted = lowering.consulted.take();
    Ok(Lowered {
        program: lowering.finish()?,
        consulted,
    })
}

impl Lowering<'_> {
    fn inputs(&mut self, graph: &Graph) -> Result<(), ModelError> {
        let categorical = categorical_inputs(graph, &self.origins);
        let compared = self.origins.compared(graph);
        let bounded = self.origins.bounded(graph);
        let max = self.program.cell_max() - 1;
        let (mut numbers, mut floats) = (Vec::new(), Vec::new());
        for (tensor, input) in graph.inputs.iter().enumerate() {
            let mut expressions = Vec::new();
            for index in 0..input.len() {
                let categories = categorical.get(&(tensor, index)).cloned();
                let float32 = compared.contains(&(tensor, index));
                let known = categories.iter().flatten();
                if let Some(category) = known
                    .clone()
                    .find(|category| category.unsigned_abs() > max.unsigned_abs() / 2)
                {
                    return Err(ModelError::Unsupported {
                        node: format!("input {}[{index}]", input.name),
                        reason: format!("category {category} is too large for a cell; number the categories from zero"),
                    });
                }
                let format = match &categories {
                    _ if float32 => Format::INTEGER,
                    Some(known) => Format {
                        scale: 0,
                        zero: -known.iter().copied().min().unwrap_or(0).min(0),
                    },
                    None if bounded.contains_key(&(tensor, index)) => Format {
                        scale: 0,
                        zero: -bounded[&(tensor, index)].0,
                    },
                    None => {
                        let ranges = &self.calibration.inputs;
                        let range = ranges[tensor][index].ok_or_else(|| ModelError::CalibrationMismatch {
                            expected: ranges.iter().map(Vec::len).sum(),
                            got: ranges.iter().flatten().flatten().count(),
                        })?;
                        let format = input_format(range, self.program.cell_bits());
                        // Integers are exact, or a test of equality could be wrong.
                        if format.scale < 0 && matches!(input.element, Element::Int64 | Element::Bool) {
                            return Err(ModelError::Unsupported {
                                node: format!("input {}[{index}]", input.name),
                                reason: format!(
                                    "integers from {} to {} (margin included) do not fit a cell of {} bits; use larger \
                                     limbs, or make the input float32",
                                    range.low,
                                    range.high,
                                    self.program.cell_bits()
                                ),
                            });
                        }
                        format
                    }
                };
                let cell = self.new_cell(format, if float32 { HIGHEST } else { max });
                self.cells[cell.index()].float32 = float32;
                self.program.inputs.push(InputCell {
                    tensor,
                    index,
                    cell,
                    format,
                    float32,
                    categories,
                });
                expressions.push(Expression::cell(cell));
                if float32 { floats.push(cell) } else { numbers.push(cell) }
            }
            self.values.push(expressions);
        }
        // A bin proves the range of what trees compare; those that are committed to have none.
        let of_floats = if self.secret.is_some() {
            Range::Wide
        } else {
            Range::Unchecked
        };
        for (cells, range) in [(numbers, Range::Cell), (floats, of_floats)] {
            if !cells.is_empty() {
                self.program.steps.push(Step::Witness {
                    cells,
                    range,
                    source: Source::Input,
                });
            }
        }
        Ok(())
    }

    fn node(&mut self, graph: &Graph, index: usize, node: &Node) -> Result<(), ModelError> {
        self.settle_secrets(graph, node)?;
        // These read their operands where they are.
        match &node.op {
            Op::Wire { indices } => {
                let operand: Vec<&Expression> = node.inputs.iter().flat_map(|id| &self.values[id.0]).collect();
                let result = indices.iter().map(|index| operand[*index].clone()).collect();
                self.values.push(result);
                return Ok(());
            }
            Op::Affine { rows } => {
                let result = self.affine(graph, node, rows, self.exact[graph.inputs.len() + index])?;
                self.values.push(result);
                return Ok(());
            }
            Op::Singles { rows } => {
                let rows: Vec<AffineRow> = rows.iter().map(SingleRow::affine).collect();
                let result = self.affine(graph, node, &rows, false)?;
                self.values.push(result);
                return Ok(());
            }
            Op::Products { rows } => {
                let result = self.products(graph, node, rows, self.node_range(index))?;
                self.values.push(result);
                return Ok(());
            }
            _ => {}
        }
        let operand: Vec<Expression> = node
            .inputs
            .iter()
            .flat_map(|id| self.values[id.0].iter().cloned())
            .collect();
        let result = match &node.op {
            Op::Wire { .. } | Op::Affine { .. } | Op::Singles { .. } | Op::Products { .. } => Vec::new(),
            Op::Function(formula) => {
                let observed = node
                    .inputs
                    .iter()
                    .map(|value| self.calibration.observed[value.0])
                    .fold(Interval::EMPTY, Interval::union);
                let results = self.calibration.nodes[index];
                self.function(node, &operand, formula, observed, results, self.node_margin(index))?
            }
            Op::Quantize { rows } => {
                let exact = self.exact[graph.inputs.len() + index];
                self.quantize(node, rows, &operand, exact)?
            }
            Op::Maximum { width } if self.exact[graph.inputs.len() + index] => {
                let groups = operand.chunks(*width).map(<[Expression]>::to_vec).collect();
                self.whole_maxima(&node.name, groups)?
            }
            Op::Maximum { width } => {
                let groups = operand.chunks(*width).map(<[Expression]>::to_vec).collect();
                self.maxima(&node.name, groups, self.operand_range(graph, node))?
            }
            Op::Relu => {
                let format = unsigned_format(self.node_range(index).high, self.program.cell_bits());
                to_expressions(self.clamped(&node.name, &operand, format, Ends::Report)?)
            }
            Op::Clip { min, max } => self.clip(node, &operand, *min, *max)?,
            Op::Sigmoid => to_expressions(self.sigmoid(node, &operand)?),
            Op::Softmax { classes } => self.softmax(node, &operand, *classes, self.reach(graph, node))?,
            Op::ArgMax { classes } => {
                let mut labels = Vec::new();
                for group in operand.chunks(*classes) {
                    labels.push(self.arg_max(node, group, self.reach(graph, node))?);
                }
                labels
            }
            Op::Largest { count } => self.largest(node, &operand, *count, self.reach(graph, node))?,
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
            Op::TreeEnsemble(ensemble) => self.tree_ensemble(node, ensemble)?,
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
            float32: false,
            is_weight: false,
            one_hot_group: None,
        });
        id
    }

    fn new_cells(&mut self, count: usize, format: Format, max: i64) -> Vec<CellId> {
        (0..count).map(|_| self.new_cell(format, max)).collect()
    }

    fn table(&mut self, table: Table) -> TableId {
        self.program.table_of(table)
    }

    /// Whether the cells are fixed-point numbers of one format.
    fn same_format(&self, cells: &[CellId]) -> bool {
        let fixed_point = cells.iter().all(|cell| !self.cells[cell.index()].float32);
        fixed_point
            && cells
                .windows(2)
                .all(|pair| self.cells[pair[0].index()].format == self.cells[pair[1].index()].format)
    }

    fn output(&mut self, graph: &Graph, output: &crate::Output, exact: bool) -> Result<(), ModelError> {
        let expressions = self.values[output.value.0].clone();
        let cell_bits = self.program.cell_bits();
        // A tree's weight may be wider than a cell.
        let narrow = |cell: &CellId| self.cells[cell.index()].max <= self.program.cell_max();
        let direct: Option<Vec<CellId>> = expressions
            .iter()
            .map(|expression| expression.as_cell().filter(narrow))
            .collect();
        let cells = match direct {
            Some(cells) if self.same_format(&cells) => cells,
            _ if self.exact[output.value.0] => self.whole_output(&format!("output {:?}", output.name), &expressions)?,
            _ => {
                let format = match output.kind {
                    OutputKind::Real | OutputKind::Quantized { .. } => {
                        self.output_format(graph, output.value, &expressions)
                    }
                    _ => Format::INTEGER,
                };
                self.clamped(&format!("output {:?}", output.name), &expressions, format, Ends::Report)?
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
            exact,
        });
        Ok(())
    }

    /// The range that a node's format is made for: half the calibrated one is one bit finer.
    fn node_range(&self, node: usize) -> Interval {
        self.consulted.borrow_mut().insert(node);
        self.calibration.nodes[node].scaled(f64::powi(2.0, -self.finer[node]))
    }

    /// How much wider than the observed one the range of a function's arguments is: never less wide.
    fn node_margin(&self, node: usize) -> f64 {
        self.consulted.borrow_mut().insert(node);
        (self.calibration.margin * f64::powi(2.0, -self.finer[node])).max(1.0)
    }

    /// The range that a tensor's format is made for.
    fn range(&self, graph: &Graph, value: ValueId) -> Interval {
        match value.0.checked_sub(graph.inputs.len()) {
            Some(node) => self.node_range(node),
            None => self.calibration.inputs[value.0]
                .iter()
                .flatten()
                .copied()
                .fold(Interval::EMPTY, Interval::union),
        }
    }

    /// The calibrated range of all of a node's operands.
    fn operand_range(&self, graph: &Graph, node: &Node) -> Interval {
        let ranges = node.inputs.iter().map(|value| self.range(graph, *value));
        ranges.fold(Interval::EMPTY, Interval::union)
    }

    /// The largest absolute value of a node's operands on the calibration samples, margin included.
    fn reach(&self, graph: &Graph, node: &Node) -> f64 {
        let range = self.operand_range(graph, node);
        range.high.abs().max(range.low.abs())
    }

    /// An output made of fractions stays one; others take the calibrated range.
    fn output_format(&self, graph: &Graph, value: ValueId, expressions: &[Expression]) -> Format {
        let cell_bits = self.program.cell_bits();
        let fraction = fraction_format(cell_bits);
        let cells = expressions.iter().flat_map(|expression| expression.terms.keys());
        let all_fractions = expressions.iter().all(|expression| !expression.is_secret)
            && cells.clone().count() > 0
            && cells.clone().all(|cell| self.cells[cell.index()].format == fraction)
            && expressions.iter().all(|expression| {
                let (mut low, mut high) = (expression.bias, expression.bias);
                for weight in expression.terms.values() {
                    low += weight.min(0.0);
                    high += weight.max(0.0);
                }
                low >= 0.0 && high <= 1.0
            });
        if all_fractions {
            return fraction;
        }
        let range = self.range(graph, value);
        if expressions.iter().any(|expression| expression.is_secret) {
            return range_format(range, cell_bits);
        }
        // No further than the expressions reach at all.
        let span = expressions
            .iter()
            .map(|expression| self.span(expression))
            .fold(0.0, f64::max);
        if range.low >= 0.0 {
            unsigned_format(range.high.min(span), cell_bits)
        } else {
            signed_format(range.high.max(-range.low).min(span), cell_bits)
        }
    }

    fn finish(mut self) -> Result<Program, ModelError> {
        self.program.cells = self.cells.len();
        tables::share_tables(&mut self.program);
        sums::merge_layers(&mut self.program);
        self.program.convolutions = self.convolutions();
        Ok(self.program)
    }
}

/// Inputs that a one-hot encoder reads, with their categories.
fn categorical_inputs(graph: &Graph, origins: &Origins) -> HashMap<(usize, usize), Vec<i64>> {
    let mut found = HashMap::new();
    for node in &graph.nodes {
        if let Op::OneHot { categories } = &node.op {
            for (origin, known) in origins.operand(node).iter().zip(categories) {
                if let Some(input) = origin.input(graph)
                    && origin.steps.is_empty()
                {
                    found.insert(input, known.clone());
                }
            }
        }
    }
    found
}

fn unsupported(node: &Node, reason: String) -> ModelError {
    ModelError::Unsupported {
        node: node.name.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests;
