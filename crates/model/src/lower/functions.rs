//! Functions of one variable: a piecewise-linear table over the range that calibration saw.

use crate::{
    Elementary, Format, Formula, Graph, ModelError, Node, Op, Step, Table, TabulatedFunction, Weights,
    calibrate::Interval,
    curves,
    lower::{Ends, Expression, Lowering, expression::to_expressions, formats::ranged_format, unsupported},
};

/// Points at which a function is looked at.
const PROBES: u32 = 1024;
/// A table may be off by this share of the results' range at most.
const MOST_ERROR: f64 = 1.0 / 32.0;

/// Where a function is tabulated.
struct Domain {
    range: Interval,
    /// Whether the function goes on changing below and above.
    open: (bool, bool),
    results: Interval,
}

impl Lowering<'_> {
    /// `formula` of every operand; `observed` holds the operands and `results` the values on the calibration samples. The
    /// table has room for arguments `margin` times as far apart.
    pub(super) fn function(
        &mut self,
        node: &Node,
        operand: &[Expression],
        formula: &Formula,
        observed: Interval,
        results: Interval,
        margin: f64,
    ) -> Result<Vec<Expression>, ModelError> {
        let cell_bits = self.program.cell_bits();
        let domain = self.domain(node, formula, observed, results, margin)?;
        let format = ranged_format(domain.range, cell_bits);
        let result_format = ranged_format(domain.results, cell_bits);
        let table = curves::fitted(self.program.limb_bits, format, result_format, domain.range, |x| {
            formula.evaluate(x)
        });
        let span = domain.results.high - domain.results.low;
        let error = self.fit_error(&table, formula, format, result_format, observed);
        let size = domain.results.high.abs().max(domain.results.low.abs());
        if error.is_nan() || error > MOST_ERROR * span.max(size * f64::powi(2.0, -10)) {
            return Err(unsupported(
                node,
                format!(
                    "its arguments reach from {} to {}, where a table of {} segments is off by {error:.1e}; keep them \
                     away from where the function bends or ends",
                    observed.low,
                    observed.high,
                    1 << (self.program.limb_bits - 1)
                ),
            ));
        }
        self.program.functions.push(TabulatedFunction {
            name: node.name.clone(),
            low: observed.low,
            high: observed.high,
            error,
        });
        let table = self.table(table);
        let arguments = self.clamped(&node.name, operand, format, Ends::Ignore)?;
        if domain.open != (false, false) {
            self.limit(&node.name, &arguments, domain.open);
        }
        let outputs = self.new_cells(arguments.len(), result_format, self.program.cell_max() - 1);
        for (input, output) in arguments.iter().zip(&outputs) {
            self.program.steps.push(Step::Curve {
                table,
                input: *input,
                output: *output,
            });
        }
        Ok(to_expressions(outputs))
    }

    /// The widened range of the arguments as far as the function's values stay in theirs, without flat ends.
    fn domain(
        &self,
        node: &Node,
        formula: &Formula,
        observed: Interval,
        results: Interval,
        margin: f64,
    ) -> Result<Domain, ModelError> {
        let wide = observed.widened(margin);
        let value = |x: f64| formula.evaluate(x);
        let between = |low: f64, high: f64, place: u32| low + (high - low) * f64::from(place) / f64::from(PROBES);
        let mut allowed = results;
        for place in 0..=PROBES {
            let x = between(observed.low, observed.high, place);
            let y = value(x);
            let reach = results.high - results.low;
            if !y.is_finite() || y > results.high + 64.0 * reach || y < results.low - 64.0 * reach {
                return Err(unsupported(
                    node,
                    format!("the function has no value near {x:.3}, within the range of its arguments"),
                ));
            }
            allowed = allowed.union(Interval { low: y, high: y });
        }
        let inside = |y: f64| y >= allowed.low && y <= allowed.high;
        let extend = |from: f64, to: f64| {
            let places = (0..=PROBES).map(|place| between(from, to, place));
            places.take_while(|x| inside(value(*x))).last().unwrap_or(from)
        };
        let mut range = Interval {
            low: extend(observed.low, wide.low),
            high: extend(observed.high, wide.high),
        };
        let tabulated = |range: Interval| {
            (0..=PROBES).fold(Interval::EMPTY, |seen, place| {
                let y = value(between(range.low, range.high, place));
                seen.union(Interval { low: y, high: y })
            })
        };
        let results = tabulated(range);
        // What lies in a flat end is one number as far as the results' format can tell.
        let flat = (results.high - results.low) * f64::powi(2.0, 2 - self.program.cell_bits() as i32);
        let trim = |from: f64, to: f64| {
            let end = value(from);
            let places = (0..=PROBES).map(|place| between(from, to, place));
            places
                .take_while(|x| (value(*x) - end).abs() <= flat)
                .last()
                .filter(|x| *x != from && *x != to)
        };
        let (low, high) = (trim(range.low, range.high), trim(range.high, range.low));
        range = Interval {
            low: low.unwrap_or(range.low),
            high: high.unwrap_or(range.high).max(low.unwrap_or(range.low)),
        };
        Ok(Domain {
            open: (low.is_none(), high.is_none()),
            results,
            range,
        })
    }

    /// The largest distance between the table and the function over a range.
    fn fit_error(
        &self,
        table: &Table,
        formula: &Formula,
        format: Format,
        result_format: Format,
        range: Interval,
    ) -> f64 {
        let full = self.program.cell_max();
        (0..=PROBES)
            .map(|place| {
                let x = range.low + (range.high - range.low) * f64::from(place) / f64::from(PROBES);
                let cell = (format.quantize(x) as i64).clamp(0, full);
                let got = result_format.dequantize(self.program.interpolated(table, cell));
                (got - formula.evaluate(x)).abs()
            })
            .fold(0.0, f64::max)
    }
}

/// Replaces chains of functions of one tensor by a single function: `x·½(1 + erf(x/√2))` needs one table, not a table
/// and a product, and rounds once.
///
/// What is `committed` keeps its parameters apart: a table is public.
pub(super) fn fuse(graph: &Graph, committed: bool) -> Graph {
    let first = graph.inputs.len();
    let mut lengths: Vec<usize> = graph.inputs.iter().map(crate::Input::len).collect();
    lengths.extend(graph.nodes.iter().map(|node| node.len));
    let mut forms: Vec<Option<(crate::ValueId, Formula)>> = Vec::with_capacity(graph.nodes.len());
    let mut fused = graph.clone();
    for (position, node) in graph.nodes.iter().enumerate() {
        let form_of = |value: crate::ValueId| {
            let known = value.0.checked_sub(first).and_then(|node| forms[node].clone());
            known.unwrap_or((value, Formula::Argument))
        };
        let same_length = node.inputs.iter().all(|value| lengths[value.0] == node.len);
        let is_secret = committed && node.weights != Weights::Structural;
        let form = uniform(node, form_of)
            .filter(|(_, formula)| !is_secret && same_length && formula.parts() <= Formula::MAX_PARTS);
        if let Some((source, formula)) = &form
            && matches!(node.op, Op::Products { .. } | Op::Function(_))
            && formula.is_transcendental()
        {
            let target = &mut fused.nodes[position];
            target.op = Op::Function(formula.clone());
            target.inputs = vec![*source];
        }
        forms.push(form);
    }
    fused
}

/// What a node does to every element alike, as a function of the tensor that it all comes from.
fn uniform(
    node: &Node,
    form_of: impl Fn(crate::ValueId) -> (crate::ValueId, Formula),
) -> Option<(crate::ValueId, Formula)> {
    let single = |function: Elementary| {
        let &[input] = node.inputs.as_slice() else { return None };
        let (source, inner) = form_of(input);
        Some((source, inner.then(function)))
    };
    match &node.op {
        Op::Sigmoid => single(Elementary::Sigmoid),
        Op::Function(formula) => {
            let &[input] = node.inputs.as_slice() else { return None };
            let (source, inner) = form_of(input);
            Some((source, formula.compose(&inner)))
        }
        Op::Affine { rows } => {
            let len = rows.len();
            let parts = node.inputs.len();
            let head = rows.first()?;
            let weights: Vec<f64> = head.terms.iter().map(|(_, weight)| *weight).collect();
            let alike = rows.iter().enumerate().all(|(position, row)| {
                let places = (0..parts).map(|part| part * len + position);
                row.bias == head.bias
                    && row.terms.len() == parts
                    && row.terms.iter().map(|(index, _)| *index).eq(places)
                    && row.terms.iter().map(|(_, weight)| *weight).eq(weights.iter().copied())
            });
            if !alike || parts == 0 || parts > 2 {
                return None;
            }
            let mut total: Option<(crate::ValueId, Formula)> = None;
            for (input, weight) in node.inputs.iter().zip(weights) {
                let (source, inner) = form_of(*input);
                let scaled = inner.affine(weight, 0.0);
                total = Some(match total {
                    None => (source, scaled),
                    Some((known, sum)) if known == source => (source, sum.plus(scaled)),
                    Some(_) => return None,
                });
            }
            total.map(|(source, sum)| (source, sum.affine(1.0, head.bias)))
        }
        Op::Products { rows } => {
            let len = rows.len();
            let (left, right, shift) = match node.inputs.as_slice() {
                [only] => (*only, *only, 0),
                [left, right] => (*left, *right, len),
                _ => return None,
            };
            let alike = rows.iter().enumerate().all(|(position, pairs)| {
                let (straight, crossed) = ((position, position + shift), (position + shift, position));
                pairs.len() == 1 && (pairs[0] == straight || pairs[0] == crossed)
            });
            if !alike {
                return None;
            }
            let ((source, left), (other, right)) = (form_of(left), form_of(right));
            (source == other).then(|| (source, left.times(right)))
        }
        _ => None,
    }
}
