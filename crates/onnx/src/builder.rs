//! Builds the graph: turns views into nodes where an operator needs them, and keeps the sizes within bounds.

use std::collections::{BTreeMap, BTreeSet};

use zkverdict_model::{AffineRow, Formula, Input, Node, Op, QuantizeRow, SingleRow, SingleStep, ValueId, Weights};

use crate::{
    DataType, Refusal, number,
    shape::{element_count, extent},
    tensor::{Code, Element, Meaning, Tensor},
};

/// Elements that all values of a model together may have.
pub(crate) const ELEMENT_LIMIT: usize = 1 << 22;
/// Weights that all affine maps of a model together may have.
pub(crate) const TERM_LIMIT: usize = 1 << 24;

/// What becomes of parameters that are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zeros {
    /// They are no terms.
    Drop,
    /// They are terms like others: which parameters are zero is the model's secret.
    Keep,
}

/// One row of an affine map over view elements: `Σ weight·element + bias`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row {
    terms: Vec<(ValueId, usize, f64)>,
    bias: f64,
    weights: Weights,
}

impl Row {
    /// A row whose numbers are parameters of the model, each of them in one row.
    pub(crate) fn learned() -> Self {
        Self {
            weights: Weights::Learned,
            ..Self::default()
        }
    }

    /// Notes where numbers of the row come from.
    pub(crate) fn note(&mut self, weights: Weights) {
        self.weights = self.weights.max(weights);
    }

    /// Adds `weight · element`. A constant element is a parameter of the model.
    pub(crate) fn add(&mut self, element: Element, weight: f64) {
        match element {
            Element::Of { value, index } => self.terms.push((value, index, weight)),
            Element::Fixed(number) => {
                self.note(Weights::Learned);
                self.bias += weight * number;
            }
        }
    }

    /// Adds `left · right`; at most one of them may be computed.
    pub(crate) fn add_product(&mut self, left: Element, right: Element) -> Result<(), Refusal> {
        match (left, right) {
            (element, Element::Fixed(weight)) | (Element::Fixed(weight), element) => {
                self.note(Weights::Learned);
                self.add(element, weight);
                Ok(())
            }
            (Element::Of { .. }, Element::Of { .. }) => Err(Refusal::TwoComputed),
        }
    }

    /// Adds a constant.
    pub(crate) fn add_bias(&mut self, bias: f64) {
        self.bias += bias;
    }

    /// The element that this row merely repeats, if it does.
    fn as_element(&self) -> Option<Element> {
        let mut terms = self.terms.iter().filter(|(_, _, weight)| *weight != 0.0);
        match (terms.next(), terms.next()) {
            (None, _) => Some(Element::Fixed(self.bias)),
            (Some(&(value, index, 1.0)), None) if self.bias == 0.0 => Some(Element::Of { value, index }),
            _ => None,
        }
    }

    /// Sorts the terms and adds up those of one element.
    fn normalise(&mut self, zeros: Zeros) -> Result<(), Refusal> {
        self.terms.sort_by_key(|&(value, index, _)| (value, index));
        let mut merged: Vec<(ValueId, usize, f64)> = Vec::with_capacity(self.terms.len());
        for &(value, index, weight) in &self.terms {
            match merged.last_mut() {
                Some(last) if (last.0, last.1) == (value, index) => last.2 += weight,
                _ => merged.push((value, index, weight)),
            }
        }
        if zeros == Zeros::Drop || self.weights == Weights::Structural {
            merged.retain(|&(_, _, weight)| weight != 0.0);
        }
        self.terms = merged;
        let finite = self.terms.iter().all(|(_, _, weight)| weight.is_finite());
        if finite && self.bias.is_finite() {
            Ok(())
        } else {
            Err(Refusal::NotFinite)
        }
    }
}

/// One row of `float32` arithmetic: a computed element and what is done to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Single {
    value: ValueId,
    index: usize,
    steps: Vec<SingleStep>,
}

impl Single {
    /// Nothing where the element is a constant, or a step's constant is none that `float32` steps have.
    pub(crate) fn new(element: Element, steps: Vec<SingleStep>) -> Option<Self> {
        match element {
            Element::Of { value, index } if steps.iter().all(|step| step.is_allowed()) => {
                Some(Self { value, index, steps })
            }
            _ => None,
        }
    }
}

/// What stands behind a real that was dequantised: a whole number, and the `float32` arithmetic that made the real of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Behind {
    pub(crate) number: Element,
    pub(crate) origin: WholeNumber,
    /// The real is held between these.
    pub(crate) low: f32,
    pub(crate) high: f32,
}

/// Two kinds of whole numbers, which ONNX Runtime rounds in two ways.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WholeNumber {
    /// An integer tensor's: it becomes a real first, by these steps.
    Code(Vec<SingleStep>),
    /// An integer tensor's, `(number − zero)·scale`, and a constant one of the same type added to it.
    Added { zero: f32, scale: f32, other: Code },
    /// A sum in an integer kernel: it is multiplied by this and by the inverse of the next scale, in one.
    Sum(f32),
}

impl Behind {
    /// A number behind a real that is not held.
    pub(crate) fn new(number: Element, origin: WholeNumber) -> Self {
        Self {
            number,
            origin,
            low: f32::NEG_INFINITY,
            high: f32::INFINITY,
        }
    }

    /// The number of an integer tensor and its `(zero, scale)`, where the real is just that.
    pub(crate) fn code(&self) -> Option<(Element, f32, f32)> {
        let free = self.low == f32::NEG_INFINITY && self.high == f32::INFINITY;
        match &self.origin {
            WholeNumber::Code(steps) if free => match steps.as_slice() {
                &[SingleStep::Plus(zero), SingleStep::Times(scale)] => Some((self.number, -zero, scale)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A number to round.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rounded {
    pub(crate) number: Element,
    pub(crate) steps: Vec<SingleStep>,
    pub(crate) zero: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

/// The graph under construction.
pub(crate) struct Builder {
    pub(crate) inputs: Vec<Input>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) notes: Vec<String>,
    lengths: Vec<usize>,
    /// What stands behind the elements of values that were dequantised.
    behind: BTreeMap<ValueId, Vec<Option<Behind>>>,
    elements: usize,
    terms: usize,
    pub(crate) zeros: Zeros,
}

impl Builder {
    /// An empty graph over the given inputs.
    pub(crate) fn new(inputs: Vec<Input>, zeros: Zeros) -> Self {
        let lengths = inputs.iter().map(Input::len).collect();
        Builder {
            inputs,
            nodes: Vec::new(),
            notes: Vec::new(),
            lengths,
            behind: BTreeMap::new(),
            elements: 0,
            terms: 0,
            zeros,
        }
    }

    /// The number of elements of a value.
    pub(crate) fn length(&self, value: ValueId) -> usize {
        self.lengths.get(value.0).copied().unwrap_or(0)
    }

    /// Counts elements about to be allocated.
    pub(crate) fn charge(&mut self, elements: usize) -> Result<(), Refusal> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements > ELEMENT_LIMIT {
            return Err(Refusal::TooLarge {
                what: "tensor elements",
                limit: ELEMENT_LIMIT,
            });
        }
        Ok(())
    }

    /// Counts the elements of a shape about to be allocated, and returns how many they are. An empty axis counts as
    /// one, so that the other axes of an empty tensor stay small too.
    pub(crate) fn charge_shape(&mut self, shape: &[usize]) -> Result<usize, Refusal> {
        self.charge(extent(shape).unwrap_or(usize::MAX))?;
        Ok(element_count(shape).unwrap_or(0))
    }

    /// Counts multiplications about to be laid out.
    pub(crate) fn charge_terms(&mut self, terms: usize) -> Result<(), Refusal> {
        self.terms = self.terms.saturating_add(terms);
        if self.terms > TERM_LIMIT {
            return Err(Refusal::TooLarge {
                what: "weights",
                limit: TERM_LIMIT,
            });
        }
        Ok(())
    }

    /// The view of graph input `position`.
    pub(crate) fn input(&self, position: usize, data_type: DataType, shape: &[usize], length: usize) -> Tensor {
        Tensor {
            data_type,
            shape: shape.to_vec(),
            elements: all(ValueId(position), length),
            meaning: if data_type == DataType::Bool {
                Meaning::Truth
            } else {
                Meaning::Number
            },
            distribution: false,
        }
    }

    fn push(&mut self, name: &str, op: Op, inputs: Vec<ValueId>, len: usize) -> ValueId {
        self.push_weighted(name, op, inputs, len, Weights::Structural)
    }

    fn push_weighted(&mut self, name: &str, op: Op, inputs: Vec<ValueId>, len: usize, weights: Weights) -> ValueId {
        self.nodes.push(Node {
            name: name.to_owned(),
            op,
            inputs,
            len,
            shape: None,
            weights,
        });
        self.lengths.push(len);
        ValueId(self.lengths.len().saturating_sub(1))
    }

    /// Notes the shape of a node's result where a tensor is all of it; the first shape stays.
    pub(crate) fn shape(&mut self, elements: &[Element], shape: &[usize]) {
        let Some(&Element::Of { value, index: 0 }) = elements.first() else {
            return;
        };
        let whole = self.lengths.get(value.0) == Some(&elements.len())
            && elements
                .iter()
                .enumerate()
                .all(|(position, &element)| element == Element::Of { value, index: position });
        let node = value
            .0
            .checked_sub(self.inputs.len())
            .and_then(|node| self.nodes.get_mut(node));
        if let Some(node) = node.filter(|node| whole && node.shape.is_none()) {
            node.shape = Some(shape.to_vec());
        }
    }

    /// A value that holds exactly the elements of a view.
    pub(crate) fn materialise(&mut self, name: &str, elements: &[Element]) -> Result<ValueId, Refusal> {
        if let Some(&Element::Of { value, index: 0 }) = elements.first()
            && self.lengths.get(value.0) == Some(&elements.len())
            && elements
                .iter()
                .enumerate()
                .all(|(position, &element)| element == Element::Of { value, index: position })
        {
            return Ok(value);
        }
        self.charge(elements.len())?;
        let rows: Vec<Row> = elements
            .iter()
            .map(|&element| {
                let mut row = Row::default();
                row.add(element, 1.0);
                row
            })
            .collect();
        let (inputs, offsets) = self.operands(&rows)?;
        let indices: Option<Vec<usize>> = elements
            .iter()
            .map(|element| match element {
                Element::Of { value, index } => offsets.get(value).map(|offset| offset + index),
                Element::Fixed(_) => None,
            })
            .collect();
        match indices {
            Some(indices) => Ok(self.push(name, Op::Wire { indices }, inputs, elements.len())),
            None => self.push_affine(name, rows),
        }
    }

    /// The distinct values that rows read, in order, and where each starts in their concatenation.
    fn operands(&self, rows: &[Row]) -> Result<(Vec<ValueId>, BTreeMap<ValueId, usize>), Refusal> {
        let mut offsets: BTreeMap<ValueId, usize> = rows
            .iter()
            .flat_map(|row| row.terms.iter().map(|&(value, _, _)| (value, 0)))
            .collect();
        if offsets.is_empty() {
            return Err(Refusal::OnlyConstants);
        }
        let mut next = 0usize;
        for (value, offset) in &mut offsets {
            *offset = next;
            next = next.saturating_add(self.lengths.get(value.0).copied().unwrap_or(0));
        }
        Ok((offsets.keys().copied().collect(), offsets))
    }

    fn push_affine(&mut self, name: &str, rows: Vec<Row>) -> Result<ValueId, Refusal> {
        let (inputs, offsets) = self.operands(&rows)?;
        let len = rows.len();
        let weights = rows.iter().map(|row| row.weights).max().unwrap_or_default();
        let rows = rows
            .into_iter()
            .map(|row| AffineRow {
                terms: row
                    .terms
                    .into_iter()
                    .filter_map(|(value, index, weight)| offsets.get(&value).map(|offset| (offset + index, weight)))
                    .collect(),
                bias: row.bias,
            })
            .collect();
        Ok(self.push_weighted(name, Op::Affine { rows }, inputs, len, weights))
    }

    /// The elements that an affine map yields; no node where it only moves or fixes elements.
    pub(crate) fn affine(&mut self, name: &str, mut rows: Vec<Row>) -> Result<Vec<Element>, Refusal> {
        for row in &mut rows {
            row.normalise(self.zeros)?;
        }
        if let Some(elements) = rows.iter().map(Row::as_element).collect() {
            return Ok(elements);
        }
        let len = rows.len();
        let value = self.push_affine(name, rows)?;
        Ok(all(value, len))
    }

    /// The elements that `float32` arithmetic with constants yields, one computed element a row; no node where it changes
    /// nothing.
    pub(crate) fn singles(&mut self, name: &str, rows: Vec<Single>) -> Result<Vec<Element>, Refusal> {
        let trivial = |row: &Single| row.steps.iter().all(|step| step.is_identity());
        if rows.iter().all(trivial) {
            let same = rows.iter().map(|row| Element::Of {
                value: row.value,
                index: row.index,
            });
            return Ok(same.collect());
        }
        let mut offsets: BTreeMap<ValueId, usize> = rows.iter().map(|row| (row.value, 0)).collect();
        let mut next = 0usize;
        for (value, offset) in &mut offsets {
            *offset = next;
            next = next.saturating_add(self.lengths.get(value.0).copied().unwrap_or(0));
        }
        let len = rows.len();
        let behind = rows.iter().map(|row| self.further(row)).collect();
        // A change of sign is no parameter.
        let is_structural = |row: &Single| row.steps.iter().all(|step| *step == SingleStep::Times(-1.0));
        let weights = if rows.iter().all(is_structural) {
            Weights::Structural
        } else {
            Weights::Learned
        };
        let rows = rows
            .into_iter()
            .filter_map(|row| {
                Some(SingleRow {
                    index: offsets.get(&row.value)?.saturating_add(row.index),
                    steps: row.steps.into_iter().filter(|step| !step.is_identity()).collect(),
                })
            })
            .collect();
        let inputs = offsets.into_keys().collect();
        let value = self.push_weighted(name, Op::Singles { rows }, inputs, len, weights);
        let elements = all(value, len);
        self.put_behind(&elements, behind);
        Ok(elements)
    }

    /// What stands behind a dequantised element after more arithmetic.
    fn further(&self, row: &Single) -> Option<Behind> {
        let behind = self.behind(Element::Of {
            value: row.value,
            index: row.index,
        })?;
        let free = behind.low == f32::NEG_INFINITY && behind.high == f32::INFINITY;
        match &behind.origin {
            WholeNumber::Code(steps) if free => {
                let steps = steps.iter().chain(&row.steps).copied().collect();
                Some(Behind::new(behind.number, WholeNumber::Code(steps)))
            }
            _ => None,
        }
    }

    /// `Σ left·right` over pairs of positions, one sum per row. Factors known at import are multiplied here.
    pub(crate) fn products(
        &mut self,
        name: &str,
        left: &[Element],
        right: &[Element],
        rows: Vec<Vec<(usize, usize)>>,
    ) -> Result<Vec<Element>, Refusal> {
        let fixed = |elements: &[Element]| elements.iter().all(|element| matches!(element, Element::Fixed(_)));
        if fixed(left) || fixed(right) {
            let mut affine = Vec::with_capacity(rows.len());
            let mut seen = BTreeSet::new();
            let mut parameters = rows.iter().flatten().map(|&(a, b)| if fixed(left) { a } else { b });
            let weights = if parameters.all(|parameter| seen.insert(parameter)) {
                Weights::Learned
            } else {
                Weights::Shared
            };
            for pairs in rows {
                let mut row = Row::default();
                row.note(weights);
                for (a, b) in pairs {
                    if let (Some(&a), Some(&b)) = (left.get(a), right.get(b)) {
                        row.add_product(a, b)?;
                    }
                }
                affine.push(row);
            }
            return self.affine(name, affine);
        }
        if rows.is_empty() || rows.iter().any(Vec::is_empty) {
            return Err(Refusal::Empty { shape: vec![0] });
        }
        self.charge(rows.len())?;
        let (first, second) = (self.materialise(name, left)?, self.materialise(name, right)?);
        let len = rows.len();
        let (inputs, rows) = if first == second {
            (vec![first], rows)
        } else {
            let shift = left.len();
            let shifted = |pairs: Vec<(usize, usize)>| pairs.into_iter().map(|(a, b)| (a, shift + b)).collect();
            (vec![first, second], rows.into_iter().map(shifted).collect())
        };
        let value = self.push(name, Op::Products { rows }, inputs, len);
        Ok(all(value, len))
    }

    /// A function of one variable, elementwise; numbers known at import are computed here.
    pub(crate) fn function(
        &mut self,
        name: &str,
        formula: Formula,
        elements: &[Element],
    ) -> Result<Vec<Element>, Refusal> {
        self.partly(
            elements,
            |value| formula.evaluate(value),
            |builder, computed| {
                let len = computed.len();
                builder.apply(name, Op::Function(formula.clone()), computed, len)
            },
        )
    }

    /// Whole numbers within bounds, elementwise; numbers known at import are rounded here.
    pub(crate) fn quantize(&mut self, name: &str, rows: Vec<Rounded>) -> Result<Vec<Element>, Refusal> {
        self.charge(rows.len())?;
        let mut offsets: BTreeMap<ValueId, usize> = BTreeMap::new();
        for row in &rows {
            if let Element::Of { value, .. } = row.number {
                offsets.insert(value, 0);
            }
        }
        let mut next = 0usize;
        for (value, offset) in &mut offsets {
            *offset = next;
            next = next.saturating_add(self.lengths.get(value.0).copied().unwrap_or(0));
        }
        let mut computed = Vec::new();
        let mut results = Vec::with_capacity(rows.len());
        for Rounded {
            number,
            steps,
            zero,
            low,
            high,
        } in rows
        {
            let (index, known) = match number {
                Element::Of { value, index } => (offsets.get(&value).copied().unwrap_or(0).saturating_add(index), None),
                Element::Fixed(known) => (0, Some(known)),
            };
            let row = QuantizeRow {
                index,
                steps,
                zero,
                low,
                high,
            };
            results.push(match known {
                Some(known) => Element::Fixed(number::real(row.apply(number::narrow(known)))),
                None => {
                    let index = computed.len();
                    computed.push(row);
                    Element::Of {
                        value: ValueId(self.lengths.len()),
                        index,
                    }
                }
            });
        }
        if !computed.is_empty() {
            let len = computed.len();
            let op = Op::Quantize { rows: computed };
            self.push(name, op, offsets.into_keys().collect(), len);
        }
        Ok(results)
    }

    /// Says what stands behind some elements.
    pub(crate) fn put_behind(&mut self, elements: &[Element], behind: Vec<Option<Behind>>) {
        for (element, behind) in elements.iter().zip(behind) {
            if let &Element::Of { value, index } = element
                && let Some(length) = self.lengths.get(value.0)
                && let Some(slot) = self
                    .behind
                    .entry(value)
                    .or_insert_with(|| vec![None; *length])
                    .get_mut(index)
            {
                *slot = behind;
            }
        }
    }

    /// What stands behind an element that was dequantised.
    pub(crate) fn behind(&self, element: Element) -> Option<&Behind> {
        let Element::Of { value, index } = element else {
            return None;
        };
        self.behind.get(&value)?.get(index)?.as_ref()
    }

    /// The whole numbers behind elements that were all dequantised alike, with their zero and scale.
    pub(crate) fn codes(&self, elements: &[Element]) -> Option<(Vec<Element>, f32, f32)> {
        let mut codes = elements.iter().map(|element| self.behind(*element)?.code());
        let (first, zero, scale) = codes.next()??;
        let mut numbers = vec![first];
        for code in codes {
            let (number, other_zero, other_scale) = code?;
            if other_zero != zero || other_scale != scale {
                return None;
            }
            numbers.push(number);
        }
        Some((numbers, zero, scale))
    }

    /// The whole numbers behind elements that became reals in one way, which keeps their order, and that way.
    fn alike(&self, elements: &[Element]) -> Option<(Vec<Element>, Behind)> {
        let first = self.behind(*elements.first()?)?.clone();
        let keeps_order = match &first.origin {
            WholeNumber::Code(steps) => steps.iter().all(|step| !step.turns()),
            _ => false,
        };
        let same =
            |behind: &&Behind| behind.origin == first.origin && behind.low == first.low && behind.high == first.high;
        let numbers = elements
            .iter()
            .map(|element| self.behind(*element).filter(same).map(|behind| behind.number));
        let numbers: Vec<Element> = numbers.collect::<Option<_>>()?;
        keeps_order.then_some((numbers, first))
    }

    /// The reals of some whole numbers, `(number − zero)·scale`.
    pub(crate) fn dequantize(
        &mut self,
        name: &str,
        numbers: &[Element],
        codes: &[(f32, f32)],
    ) -> Result<Vec<Element>, Refusal> {
        self.charge_terms(numbers.len())?;
        let mut rows = Vec::with_capacity(numbers.len());
        let mut behind = Vec::with_capacity(numbers.len());
        for (&number, &(zero, scale)) in numbers.iter().zip(codes) {
            let mut row = Row::default();
            row.add(number, f64::from(scale));
            row.add_bias(-f64::from(zero) * f64::from(scale));
            rows.push(row);
            let steps = vec![SingleStep::Plus(-zero), SingleStep::Times(scale)];
            let is_computed = matches!(number, Element::Of { .. });
            behind.push(is_computed.then(|| Behind::new(number, WholeNumber::Code(steps))));
        }
        // A map that changes nothing makes no node, and nothing stands behind its elements.
        let before = self.lengths.len();
        let elements = self.affine(name, rows)?;
        if self.lengths.len() > before {
            self.put_behind(&elements, behind);
        }
        Ok(elements)
    }

    /// `max(x, 0)`, elementwise.
    pub(crate) fn relu(&mut self, name: &str, elements: &[Element]) -> Result<Vec<Element>, Refusal> {
        self.partly(
            elements,
            |value| value.max(0.0),
            |builder, computed| builder.apply(name, Op::Relu, computed, computed.len()),
        )
    }

    /// `|x| = 2·max(x, 0) − x`, elementwise.
    pub(crate) fn absolute(&mut self, name: &str, elements: &[Element]) -> Result<Vec<Element>, Refusal> {
        let ramps = self.relu(name, elements)?;
        self.combine(name, &[(&ramps, 2.0), (elements, -1.0)], 0.0)
    }

    /// `Σ weight·x + bias`, elementwise over lists of equal length.
    pub(crate) fn combine(
        &mut self,
        name: &str,
        parts: &[(&[Element], f64)],
        bias: f64,
    ) -> Result<Vec<Element>, Refusal> {
        let len = parts.first().map_or(0, |(elements, _)| elements.len());
        self.charge_terms(len.saturating_mul(parts.len()))?;
        let mut rows = vec![Row::default(); len];
        for (elements, weight) in parts {
            for (row, &element) in rows.iter_mut().zip(*elements) {
                row.add(element, *weight);
            }
        }
        for row in &mut rows {
            row.add_bias(bias);
        }
        self.affine(name, rows)
    }

    /// The largest element of each group.
    pub(crate) fn maximum(&mut self, name: &str, groups: Vec<Vec<Element>>) -> Result<Vec<Element>, Refusal> {
        let width = groups.iter().map(Vec::len).max().unwrap_or(0);
        if groups.iter().any(Vec::is_empty) {
            return Err(Refusal::Empty { shape: vec![0] });
        }
        if width == 1 {
            return Ok(groups.concat());
        }
        // The order of reals is that of the whole numbers behind them.
        if let Some((numbers, zero, scale)) = self.codes(&groups.concat())
            && scale > 0.0
        {
            let mut numbers = numbers.into_iter();
            let groups: Vec<Vec<Element>> = groups
                .iter()
                .map(|group| numbers.by_ref().take(group.len()).collect())
                .collect();
            let numbers = self.maximum(name, groups)?;
            let codes = vec![(zero, scale); numbers.len()];
            return self.dequantize(name, &numbers, &codes);
        }
        // The same holds of reals that are held between bounds.
        let alike = self.alike(&groups.concat()).map(|(numbers, behind)| {
            let mut numbers = numbers.into_iter();
            let groups = groups.iter().map(|group| numbers.by_ref().take(group.len()).collect());
            (groups.collect::<Vec<Vec<Element>>>(), behind)
        });
        let behind = match alike {
            Some((groups, behind)) => {
                let numbers = self.maximum(name, groups)?.into_iter();
                numbers
                    .map(|number| {
                        Some(Behind {
                            number,
                            ..behind.clone()
                        })
                    })
                    .collect()
            }
            None => Vec::new(),
        };
        // Shorter groups repeat an element, which changes no maximum.
        self.charge(groups.len().saturating_mul(width))?;
        let elements: Vec<Element> = groups
            .iter()
            .flat_map(|group| group.iter().chain(group.iter().cycle()).take(width))
            .copied()
            .collect();
        let maxima = self.apply(name, Op::Maximum { width }, &elements, groups.len())?;
        self.put_behind(&maxima, behind);
        Ok(maxima)
    }

    /// The smallest element of each group.
    pub(crate) fn minimum(&mut self, name: &str, groups: Vec<Vec<Element>>) -> Result<Vec<Element>, Refusal> {
        let lengths: Vec<usize> = groups.iter().map(Vec::len).collect();
        let mut negated = self.combine(name, &[(&groups.concat(), -1.0)], 0.0)?.into_iter();
        let groups = lengths
            .iter()
            .map(|length| negated.by_ref().take(*length).collect())
            .collect();
        let largest = self.maximum(name, groups)?;
        self.combine(name, &[(&largest, -1.0)], 0.0)
    }

    /// Applies `fold` to numbers and `compute` to the rest.
    fn partly(
        &mut self,
        elements: &[Element],
        fold: impl Fn(f64) -> f64,
        compute: impl FnOnce(&mut Self, &[Element]) -> Result<Vec<Element>, Refusal>,
    ) -> Result<Vec<Element>, Refusal> {
        let is_computed = |element: &&Element| matches!(element, Element::Of { .. });
        let computed: Vec<Element> = elements.iter().filter(is_computed).copied().collect();
        let mut results = if computed.is_empty() {
            return Err(Refusal::OnlyConstants);
        } else {
            compute(self, &computed)?.into_iter()
        };
        elements
            .iter()
            .map(|element| match element {
                Element::Fixed(number) => match fold(*number) {
                    value if value.is_finite() => Ok(Element::Fixed(value)),
                    _ => Err(Refusal::NotFinite),
                },
                Element::Of { .. } => results.next().ok_or(Refusal::OnlyConstants),
            })
            .collect()
    }

    /// Applies an operator that is no affine map to a view.
    pub(crate) fn apply(
        &mut self,
        name: &str,
        op: Op,
        operand: &[Element],
        len: usize,
    ) -> Result<Vec<Element>, Refusal> {
        if operand.iter().all(|element| matches!(element, Element::Fixed(_))) {
            return Err(Refusal::OnlyConstants);
        }
        self.charge(len)?;
        let value = self.materialise(name, operand)?;
        let result = self.push(name, op, vec![value], len);
        Ok(all(result, len))
    }
}

/// Every element of a value.
fn all(value: ValueId, length: usize) -> Vec<Element> {
    (0..length).map(|index| Element::Of { value, index }).collect()
}
