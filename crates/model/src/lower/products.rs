//! Products of computed values: both factors become cells, and a sum of their products is rounded once.

use std::collections::{BTreeMap, HashMap};

use crate::{
    CellId, Finish, Format, Graph, Layer, ModelError, Node, Step, Sum, Table, ValueId,
    calibrate::Interval,
    lower::{Ends, Expression, Lowering, expression::to_expressions, formats::range_format, unsupported},
};

/// Most sums of one layer.
const MOST_SUMS: usize = 64;

/// A sum over cells of its own, for layers whose sums read few of the cells.
pub(super) struct SparseSum {
    pub(super) terms: Vec<(CellId, i64)>,
    pub(super) products: Vec<(CellId, CellId)>,
    pub(super) bias: i128,
    pub(super) finish: Finish,
}

impl Lowering<'_> {
    /// `Σ left·right` per row, rounded into a format for `range`.
    pub(super) fn products(
        &mut self,
        graph: &Graph,
        node: &Node,
        rows: &[Vec<(usize, usize)>],
        range: Interval,
    ) -> Result<Vec<Expression>, ModelError> {
        if let Some(gated) = self.gated(graph, node, rows)? {
            return Ok(gated);
        }
        let reach = range.high.abs().max(range.low.abs());
        let operands = self.factors(graph, node, rows, reach)?;
        let cells: Vec<CellId> = operands.concat();
        let scale_of = |cell: &CellId| self.cells[cell.index()].format.scale;
        let scales: Vec<i32> = rows
            .iter()
            .flatten()
            .map(|(left, right)| scale_of(&cells[*left]) + scale_of(&cells[*right]))
            .collect();
        let Some(scale) = scales.first().copied() else {
            return Err(unsupported(node, "sums no products".to_owned()));
        };
        if scales.iter().any(|other| *other != scale) {
            return Err(unsupported(
                node,
                "adds up products of several tensors with different ranges".to_owned(),
            ));
        }
        let cell_bits = self.program.cell_bits();
        let full = self.program.cell_max();
        let format = Format {
            scale: scale - cell_bits as i32,
            zero: if range.low >= 0.0 { 0 } else { full / 2 },
        };
        let outputs = self.new_cells(rows.len(), format, full);
        self.remember(&node.name, &[], &outputs);
        self.limit(&node.name, &outputs, (format.zero > 0, true));
        let offset = (i128::from(format.zero) << cell_bits) + (1 << (cell_bits - 1));
        let sums: Vec<SparseSum> = rows.iter().map(|pairs| self.expand(pairs, &cells, offset)).collect();
        for (sums, outputs) in sums.chunks(MOST_SUMS).zip(outputs.chunks(MOST_SUMS)) {
            let bounds: Vec<(i128, i128)> = sums.iter().map(|sum| self.product_bounds(sum)).collect();
            let (origin, domain) = self.place_bounds(&node.name, &bounds)?;
            let table = self.table(Table::clamp(origin, domain, full));
            let shift = (origin as i128) << (2 * cell_bits);
            let finished = sums.iter().zip(outputs).map(|(sum, output)| SparseSum {
                terms: sum.terms.clone(),
                products: sum.products.clone(),
                bias: sum.bias + shift,
                finish: Finish::Lookup { table, output: *output },
            });
            let finished: Vec<_> = finished.collect();
            self.push_sums(&node.name, finished);
        }
        Ok(to_expressions(outputs))
    }

    /// `Σ (x − z)(y − w)` in cells `x`, `y` with zero points `z`, `w`.
    fn expand(&self, pairs: &[(usize, usize)], cells: &[CellId], offset: i128) -> SparseSum {
        let mut terms: BTreeMap<CellId, i64> = BTreeMap::new();
        let mut bias = offset;
        let mut products = Vec::with_capacity(pairs.len());
        for (left, right) in pairs {
            let (x, y) = (cells[*left], cells[*right]);
            let [z, w] = [x, y].map(|cell| self.cells[cell.index()].format.zero);
            *terms.entry(x).or_default() -= w;
            *terms.entry(y).or_default() -= z;
            bias += i128::from(z) * i128::from(w);
            products.push((x, y));
        }
        SparseSum {
            terms: terms.into_iter().filter(|(_, weight)| *weight != 0).collect(),
            products,
            bias,
            finish: Finish::Zero,
        }
    }

    /// Smallest and largest value over every assignment of the cells: each `(x − z)(y − w)` at its corners.
    fn product_bounds(&self, sum: &SparseSum) -> (i128, i128) {
        let info = |cell: &CellId| {
            let info = self.cells[cell.index()];
            (i128::from(info.format.zero), i128::from(info.max))
        };
        // What is left of the bias once the zero points' own product is part of the corners.
        let constant = sum
            .products
            .iter()
            .fold(sum.bias, |bias, (x, y)| bias - info(x).0 * info(y).0);
        let (mut low, mut high) = (constant, constant);
        for (x, y) in &sum.products {
            let ((z, x_max), (w, y_max)) = (info(x), info(y));
            let corners = if x == y {
                [0, z * z, (x_max - z).pow(2), 0]
            } else {
                let ends = ([-z, x_max - z], [-w, y_max - w]);
                [
                    ends.0[0] * ends.1[0],
                    ends.0[0] * ends.1[1],
                    ends.0[1] * ends.1[0],
                    ends.0[1] * ends.1[1],
                ]
            };
            low += corners.iter().copied().min().unwrap_or(0);
            high += corners.iter().copied().max().unwrap_or(0);
        }
        (low, high)
    }

    /// The operand tensors as cells, one format per tensor, coarse enough that the sums of products have room for
    /// `reach`.
    fn factors(
        &mut self,
        graph: &Graph,
        node: &Node,
        rows: &[Vec<(usize, usize)>],
        reach: f64,
    ) -> Result<Vec<Vec<CellId>>, ModelError> {
        let cell_bits = self.program.cell_bits();
        let ranges = node.inputs.iter().map(|value| self.range(graph, *value));
        let ranges: Vec<Interval> = ranges.collect();
        let formats: Vec<Format> = node
            .inputs
            .iter()
            .zip(&ranges)
            .map(|(value, range)| match self.cells_of(*value) {
                Some(cells) => self.cells[cells[0].index()].format,
                None => range_format(*range, cell_bits),
            })
            .collect();
        // The tensors behind the first pair stand for all: rows multiply one tensor by another.
        let lengths: Vec<usize> = node.inputs.iter().map(|value| self.values[value.0].len()).collect();
        let tensor = |mut index: usize| {
            lengths
                .iter()
                .position(|length| match index.checked_sub(*length) {
                    Some(rest) => {
                        index = rest;
                        false
                    }
                    None => true,
                })
                .unwrap_or(0)
        };
        let (left, right) = rows
            .iter()
            .flatten()
            .next()
            .map_or((0, 0), |(left, right)| (tensor(*left), tensor(*right)));
        // Bits that the sum of products would overflow its cell by.
        let signed = ranges[left].low < 0.0 || ranges[right].low < 0.0;
        let room = f64::from(cell_bits) - f64::from(u8::from(signed));
        let finest = (room - reach.max(f64::MIN_POSITIVE).log2()).floor() as i32;
        let excess = formats[left].scale + formats[right].scale - cell_bits as i32 - finest;
        let mut factors = Vec::with_capacity(node.inputs.len());
        for (position, value) in node.inputs.iter().enumerate() {
            let mut format = formats[position];
            let coarser = match excess {
                ..=0 => 0,
                _ if left == right => (excess + 1) / 2,
                _ if position == left => excess / 2,
                _ => excess - excess / 2,
            };
            if coarser > 0 {
                format.scale -= coarser;
                // A range in the middle stays there; one that starts at a number starts there still.
                if format.zero != self.program.cell_max() / 2 {
                    format.zero = -((-format.zero) >> coarser.min(62));
                }
            }
            match self.cells_of(*value) {
                Some(cells) if coarser == 0 => factors.push(cells),
                _ => {
                    let expressions = self.values[value.0].clone();
                    let cells = self.clamped(&node.name, &expressions, format, Ends::Report)?;
                    if coarser == 0 {
                        self.values[value.0] = to_expressions(cells.clone());
                    }
                    factors.push(cells);
                }
            }
        }
        Ok(factors)
    }

    /// The cells of a tensor whose elements all are cells of one format.
    fn cells_of(&self, value: ValueId) -> Option<Vec<CellId>> {
        let cells: Option<Vec<CellId>> = self.values[value.0].iter().map(Expression::as_cell).collect();
        let narrow = |cell: &CellId| self.cells[cell.index()].max <= self.program.cell_max();
        cells.filter(|cells| !cells.is_empty() && self.same_format(cells) && cells.iter().all(narrow))
    }

    /// Products with bits need no product: for `x` in `[0, 2^(2L)]` and a bit `b`, `b·x = max(x − 2^(2L)·(1 − b), 0)`.
    fn gated(
        &mut self,
        graph: &Graph,
        node: &Node,
        rows: &[Vec<(usize, usize)>],
    ) -> Result<Option<Vec<Expression>>, ModelError> {
        let [first, second] = node.inputs.as_slice() else {
            return Ok(None);
        };
        let bits = |lowering: &Self, value: &ValueId| {
            let cells = lowering.cells_of(*value)?;
            let is_bit = |cell: &CellId| {
                let info = lowering.cells[cell.index()];
                info.format == Format::INTEGER && info.max == 1
            };
            cells.iter().all(is_bit).then_some(cells)
        };
        let (gates, other, gates_first) = match (bits(self, first), bits(self, second)) {
            (Some(gates), _) => (gates, *second, true),
            (None, Some(gates)) => (gates, *first, false),
            (None, None) => return Ok(None),
        };
        let first_len = self.values[first.0].len();
        let pairs: Option<Vec<(usize, usize)>> = rows
            .iter()
            .map(|pairs| {
                let &[(a, b)] = pairs.as_slice() else { return None };
                let (low, high) = (a.min(b), a.max(b));
                let high = high.checked_sub(first_len)?;
                (low < first_len).then_some(if gates_first { (low, high) } else { (high, low) })
            })
            .collect();
        let Some(pairs) = pairs else { return Ok(None) };
        let values = match self.cells_of(other) {
            Some(cells) => cells,
            None => {
                let expressions = self.values[other.0].clone();
                let format = range_format(self.range(graph, other), self.program.cell_bits());
                let cells = self.clamped(&node.name, &expressions, format, Ends::Report)?;
                self.values[other.0] = to_expressions(cells.clone());
                cells
            }
        };
        let Some(format) = values.first().map(|cell| self.cells[cell.index()].format) else {
            return Ok(None);
        };
        let step = format.step();
        let full = self.program.cell_max() as f64 / step;
        let opened: Vec<Expression> = pairs
            .iter()
            .map(|(gate, value)| {
                let mut sum = Expression::cell(values[*value]);
                sum.bias += format.zero as f64 / step - full;
                sum.add_scaled(&Expression::cell(gates[*gate]), full);
                sum
            })
            .collect();
        let unsigned = Format {
            scale: format.scale,
            zero: 0,
        };
        let opened = to_expressions(self.clamped(&node.name, &opened, unsigned, Ends::Ignore)?);
        Ok(Some(
            opened
                .into_iter()
                .zip(&pairs)
                .map(|(mut result, (gate, _))| {
                    result.add_scaled(&Expression::cell(gates[*gate]), -(format.zero as f64) / step);
                    result
                })
                .collect(),
        ))
    }

    /// A layer over the union of these sums' cells.
    pub(super) fn push_sums(&mut self, name: &str, sums: Vec<SparseSum>) {
        let mut inputs: Vec<CellId> = sums
            .iter()
            .flat_map(|sum| sum.terms.iter().map(|(cell, _)| *cell))
            .collect();
        inputs.sort_unstable();
        inputs.dedup();
        let places: HashMap<CellId, usize> = inputs.iter().copied().zip(0..).collect();
        let sums = sums
            .into_iter()
            .map(|sum| {
                let mut weights = vec![0; inputs.len()];
                for (cell, weight) in sum.terms {
                    weights[places[&cell]] += weight;
                }
                Sum {
                    weights,
                    products: sum.products,
                    bias: sum.bias,
                    finish: sum.finish,
                }
            })
            .collect();
        self.program.steps.push(Step::Layer(Layer {
            name: name.to_owned(),
            inputs,
            sums,
            parameters: None,
        }));
    }
}
