//! Expressions → integer sums: weights, bounds, and the layers that clamp, compare or constrain.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map::Entry},
};

use crate::{
    CellId, Combination, Comparison, Finish, Format, Layer, Limit, Limited, ModelError, Node, Program, Step, Sum,
    Table,
    lower::{
        Ends, Expression, Lowering,
        convolutions::Place,
        formats::signed_format,
        groups::{group_by_cells, group_by_support},
        secret::uncommitted,
        unsupported,
    },
};

/// Largest number of table rows one clamp may take.
pub(super) const MAX_DOMAIN: i128 = 1 << 12;
/// Binary digits that a factor of a tree's weight may have after the point before it is rounded.
const FACTOR_BITS: i32 = 10;

impl Lowering<'_> {
    /// Rounds and clamps expressions into cells of `format`.
    pub(super) fn clamped(
        &mut self,
        name: &str,
        expressions: &[Expression],
        format: Format,
        ends: Ends,
    ) -> Result<Vec<CellId>, ModelError> {
        let cell_bits = self.program.cell_bits();
        let full = self.program.cell_max();
        let scale = format.scale + cell_bits as i32;
        let places: Vec<Option<Place>> = expressions.iter().map(|expression| expression.place).collect();
        let expressions = expressions
            .iter()
            .map(|expression| self.countable(name, expression, scale));
        let expressions = expressions.collect::<Result<Vec<_>, _>>()?;
        let outputs = self.new_cells(expressions.len(), format, full);
        let is_secret = expressions.iter().any(|expression| expression.is_secret);
        // Which parameters are equal is not to be found out.
        if !is_secret {
            self.remember(name, &places, &outputs);
        }
        if ends == Ends::Report {
            self.limit(name, &outputs, (format.zero > 0, true));
        }
        let offset = (i128::from(format.zero) << cell_bits) + (1 << (cell_bits - 1));
        let groups = if is_secret {
            group_by_cells(&expressions)
        } else {
            group_by_support(&expressions)
        };
        for (inputs, members) in groups {
            let mut sums = Vec::new();
            for member in &members {
                sums.push(self.scaled_sum(name, &expressions[*member], &inputs, scale, offset)?);
            }
            let mut parameters = None;
            let (origin, domain) = if is_secret {
                let (block, place) = self.commit(name, &inputs, &mut sums, offset)?;
                parameters = Some(block);
                place
            } else {
                self.place(name, &inputs, &mut sums)?
            };
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
                parameters,
            }));
        }
        Ok(outputs)
    }

    /// Notes that the cells of a node have ends `(low, high)` which cut numbers off.
    pub(super) fn limit(&mut self, name: &str, cells: &[CellId], (low, high): (bool, bool)) {
        let limits = cells.iter().map(|cell| Limit { cell: *cell, low, high });
        let known = &mut self.program.limited;
        match known.iter_mut().find(|limited| limited.name == name) {
            Some(limited) => limited.limits.extend(limits),
            None => known.push(Limited {
                name: name.to_owned(),
                limits: limits.collect(),
            }),
        }
    }

    /// A bit that says whether `expression ∘ threshold` holds.
    pub(super) fn compare(
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
        // A positive factor changes no comparison; one that all cells share is exact without it.
        let factor = difference
            .terms
            .values()
            .fold(0.0, |most: f64, weight| most.max(weight.abs()));
        let mut unit = Expression::default();
        unit.add_scaled(&difference, if factor > 0.0 { 1.0 / factor } else { 1.0 });
        let span = self.span(&unit).max(f64::MIN_POSITIVE);
        // A few table rows wide: as fine a comparison as the sums hold.
        let room = f64::from(2 * self.program.cell_bits()) + 2.0;
        let scale = (room - span.log2()).floor().clamp(-64.0, 64.0) as i32;
        // Weights of trees are summed as they are.
        let scale = scale.max(self.finest_scale(&unit).unwrap_or(scale));
        let difference = self.countable(&node.name, &unit, scale)?;
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
            parameters: None,
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

    pub(super) fn zero(&mut self, name: &str, inputs: Vec<CellId>, weights: Vec<i64>, bias: i128) {
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
            parameters: None,
        }));
    }

    /// Proves `0 ≤ sum < 2^(4L)`.
    pub(super) fn non_negative(
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
            parameters: None,
        }));
    }

    /// The expression with exact weights at `2^scale` for all cells that are wider than others (weights of trees): where
    /// they are not whole numbers, such cells are added up and rounded first.
    fn countable<'e>(
        &mut self,
        name: &str,
        expression: &'e Expression,
        scale: i32,
    ) -> Result<Cow<'e, Expression>, ModelError> {
        let is_countable = |lowering: &Self, cell: &CellId, weight: f64, scale: i32| {
            let info = lowering.cells[cell.index()];
            let exact = weight * f64::powi(2.0, scale - info.format.scale);
            info.max <= lowering.program.cell_max() || exact.fract() == 0.0
        };
        if expression
            .terms
            .iter()
            .all(|(cell, weight)| is_countable(self, cell, *weight, scale))
        {
            return Ok(Cow::Borrowed(expression));
        }
        let mut result = Expression::constant(expression.bias);
        // Parts by scale and by the weight that their cells share.
        let mut parts: BTreeMap<(i32, u64), Expression> = BTreeMap::new();
        for (cell, weight) in &expression.terms {
            let info = self.cells[cell.index()];
            if info.max <= self.program.cell_max() {
                result.add_scaled(&Expression::cell(*cell), *weight);
            } else {
                let part = parts.entry((info.format.scale, weight.abs().to_bits())).or_default();
                part.add_scaled(&Expression::cell(*cell), weight.signum());
            }
        }
        for ((part_scale, weight), part) in parts {
            let format = signed_format(self.span(&part), self.program.cell_bits());
            if part_scale > format.scale + self.program.cell_bits() as i32 {
                return Err(ModelError::Unsupported {
                    node: name.to_owned(),
                    reason: "adds up more scores of trees than one sum holds".to_owned(),
                });
            }
            let cell = self.clamped(name, &[part], format, Ends::Ignore)?[0];
            result.add_scaled(&Expression::cell(cell), f64::from_bits(weight));
        }
        Ok(Cow::Owned(result))
    }

    /// The scale at which the weights of trees in an expression have whole factors; nothing where it has none of them.
    pub(super) fn finest_scale(&self, expression: &Expression) -> Option<i32> {
        let weights = expression.terms.iter().filter_map(|(cell, factor)| {
            let info = self.cells[cell.index()];
            let is_whole = |digits: &i32| (factor * f64::powi(2.0, *digits)).fract() == 0.0;
            let digits = (0..FACTOR_BITS).find(is_whole).unwrap_or(FACTOR_BITS);
            info.is_weight.then_some(info.format.scale + digits)
        });
        weights.max()
    }

    /// Integer weights for an expression at `2^scale`, plus `offset`: public ones.
    pub(super) fn weigh(
        &self,
        name: &str,
        expression: &Expression,
        inputs: &[CellId],
        scale: i32,
        offset: i128,
    ) -> Result<Sum, ModelError> {
        if expression.is_secret {
            return Err(uncommitted(name));
        }
        self.scaled_sum(name, expression, inputs, scale, offset)
    }

    fn scaled_sum(
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
            let info = self.cells[cell.index()];
            if info.float32 {
                return Err(ModelError::Unsupported {
                    node: name.to_owned(),
                    reason: "computes with an input that is compared or quantised as float32; give the model that input twice"
                        .to_owned(),
                });
            }
            let format = info.format;
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
    pub(super) fn place(&self, name: &str, inputs: &[CellId], sums: &mut [Sum]) -> Result<(usize, usize), ModelError> {
        let bounds: Vec<(i128, i128)> = sums.iter().map(|sum| self.bounds(inputs, sum)).collect();
        let (origin, domain) = self.place_bounds(name, &bounds)?;
        for sum in sums {
            sum.bias += (origin as i128) << (2 * self.program.cell_bits());
        }
        Ok((origin, domain))
    }

    /// The table rows that sums within these bounds reach once they are shifted to be non-negative.
    pub(super) fn place_bounds(&self, name: &str, bounds: &[(i128, i128)]) -> Result<(usize, usize), ModelError> {
        let shift = 2 * self.program.cell_bits();
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
        // The clamp's second entry must exist even where nothing exceeds zero.
        Ok((origin as usize, domain.max(origin + 1) as usize))
    }

    /// Smallest and largest value of a sum over every assignment of its cells.
    fn bounds(&self, inputs: &[CellId], sum: &Sum) -> (i128, i128) {
        self.bounds_of_terms(inputs.iter().copied().zip(sum.weights.iter().copied()), sum.bias)
    }

    /// The same for a number that is no sum of a layer.
    pub(super) fn combination_bounds(&self, number: &Combination) -> (i128, i128) {
        self.bounds_of_terms(number.terms.iter().copied(), i128::from(number.bias))
    }

    pub(super) fn bounds_of_terms(&self, terms: impl Iterator<Item = (CellId, i64)>, bias: i128) -> (i128, i128) {
        let (mut low, mut high) = (bias, bias);
        let mut groups: BTreeMap<usize, (i128, i128, usize)> = BTreeMap::new();
        for (cell, weight) in terms {
            let info = self.cells[cell.index()];
            let reach = i128::from(weight) * i128::from(info.max);
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
    pub(super) fn span(&self, expression: &Expression) -> f64 {
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
}

/// Layers over the same cells become one, at the place of the first: their sums share the copies of the cells, and
/// accumulators where they can.
pub(super) fn merge_layers(program: &mut Program) {
    let is_lookup = |sum: &Sum| sum.products.is_empty() && matches!(sum.finish, Finish::Lookup { .. });
    let mut places: HashMap<Vec<CellId>, usize> = HashMap::new();
    let mut steps: Vec<Step> = Vec::with_capacity(program.steps.len());
    for step in program.steps.drain(..) {
        match step {
            Step::Layer(layer) if layer.parameters.is_none() && layer.sums.iter().all(is_lookup) => {
                match places.entry(layer.inputs.clone()) {
                    Entry::Occupied(place) => {
                        if let Step::Layer(first) = &mut steps[*place.get()] {
                            first.sums.extend(layer.sums);
                        }
                    }
                    Entry::Vacant(place) => {
                        place.insert(steps.len());
                        steps.push(Step::Layer(layer));
                    }
                }
            }
            other => steps.push(other),
        }
    }
    program.steps = steps;
}
