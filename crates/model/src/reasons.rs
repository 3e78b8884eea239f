//! Reasons: the inputs that moved a decision most, as outputs of the model itself.
//!
//! ```text
//! score = Σ_f contribution_f + constant         outputs: the `count` largest contributions, and whose they are
//! ```
//!
//! Definition and limits: `docs/spec/reasons.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    AffineRow, Aggregate, Comparison, Graph, ModelError, Node, Op, Output, OutputKind, Tree, TreeEnsemble, TreeNode,
    ValueId, Weights,
};

/// Name of the output that names the features.
pub const REASONS: &str = "reasons";
/// Name of the output with their contributions.
pub const CONTRIBUTIONS: &str = "contributions";

/// One element of a tensor.
type Place = (ValueId, usize);

/// What reasons are made of beside the graph: what was asked for, and what the samples say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    /// How many features are named.
    pub count: usize,
    /// The outcome that they speak against: a label, or `high` for a model without labels.
    pub against: String,
    /// Names of the features, in the order of the model's inputs.
    pub features: Vec<String>,
    /// The mean over the samples of each number that the score is a weighted sum of; trees have none.
    pub baseline: Vec<f64>,
    /// How many samples reach each node of each tree that the score is a sum of.
    pub reached: Vec<Vec<usize>>,
}

/// What is wanted of reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonsRequest {
    /// How many features to name.
    pub count: usize,
    /// The label that they speak against; the last one where nothing is said.
    pub against: Option<String>,
    /// Names of all input elements in order; those of the graph's inputs where nothing is said.
    pub names: Option<Vec<String>>,
}

/// A score as a sum over features.
struct Score {
    /// Its label or `high`, and the sign that makes a contribution speak against it.
    against: String,
    sign: f64,
    /// `(element, weight)`: each depends on one input element alone.
    parts: Vec<(Place, f64)>,
    /// Ensembles in order, with the weight of each target.
    trees: BTreeMap<usize, Vec<f64>>,
    /// The input elements `(tensor, index)` behind all of it.
    features: Vec<Place>,
}

/// What an element depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Nothing,
    One(Place),
    Many,
}

impl Source {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, any) | (any, Self::Nothing) => any,
            (Self::One(left), Self::One(right)) if left == right => self,
            _ => Self::Many,
        }
    }
}

impl Graph {
    /// Finds what reasons need to know of samples (each one vector per graph input).
    ///
    /// # Errors
    /// A decision that is no sum over features, too many reasons, an unknown label, names that are not those of the inputs;
    /// samples that the graph cannot be evaluated on.
    pub fn measure_reasons(&self, samples: &[Vec<Vec<f64>>], request: &ReasonsRequest) -> Result<Reasons, ModelError> {
        if samples.is_empty() {
            return Err(ModelError::NoSamples);
        }
        let score = self.score(request.against.as_deref())?;
        let mut baseline = vec![0.0; score.parts.len()];
        let mut reached: Vec<Vec<usize>> = self.trees_of(&score).map(|tree| vec![0; tree.nodes.len()]).collect();
        for sample in samples {
            let values = self.evaluate(sample)?;
            for (mean, ((value, index), _)) in baseline.iter_mut().zip(&score.parts) {
                *mean += values[value.0][*index] / samples.len() as f64;
            }
            let mut counts = reached.iter_mut();
            for node in score.trees.keys() {
                let features: Vec<f64> = self.nodes[*node]
                    .inputs
                    .iter()
                    .flat_map(|id| values[id.0].clone())
                    .collect();
                for (tree, counts) in ensemble(&self.nodes[*node]).trees.iter().zip(&mut counts) {
                    tree.path(&features, |position| counts[position] += 1);
                }
            }
        }
        let reasons = Reasons {
            count: request.count,
            against: score.against.clone(),
            features: self.feature_names(&score, request.names.as_deref())?,
            baseline,
            reached,
        };
        self.with_reasons(&reasons)?;
        Ok(reasons)
    }

    /// The graph with two more outputs: [`REASONS`] and their [`CONTRIBUTIONS`], the largest first, ties to the input that
    /// comes first.
    ///
    /// # Errors
    /// As [`Graph::measure_reasons`]; reasons of another graph.
    pub fn with_reasons(&self, reasons: &Reasons) -> Result<Self, ModelError> {
        let score = self.score(Some(&reasons.against))?;
        let names: BTreeSet<&String> = reasons.features.iter().collect();
        let lengths = self.trees_of(&score).map(|tree| tree.nodes.len());
        let is_ours = reasons.features.len() == score.features.len()
            && names.len() == reasons.features.len()
            && reasons.baseline.len() == score.parts.len()
            && reasons.baseline.iter().all(|mean| mean.is_finite())
            && lengths.eq(reasons.reached.iter().map(Vec::len));
        if !is_ours {
            return Err(refused(
                "they belong to another model; run `zkverdict calibrate` again".to_owned(),
            ));
        }
        let most = score.features.len();
        if !(1..=most).contains(&reasons.count) {
            return Err(refused(format!(
                "{} are asked for, of a score that {most} inputs have a part in; ask for 1 to {most}",
                reasons.count
            )));
        }
        if let Some(output) = self
            .outputs
            .iter()
            .find(|output| [REASONS, CONTRIBUTIONS].contains(&output.name.as_str()))
        {
            return Err(refused(format!(
                "the model has an output {:?} of its own; rename it",
                output.name
            )));
        }
        Ok(Explained::new(self, &score, reasons).finish())
    }

    fn trees_of<'g>(&'g self, score: &'g Score) -> impl Iterator<Item = &'g Tree> {
        score.trees.keys().flat_map(|node| &ensemble(&self.nodes[*node]).trees)
    }

    fn feature_names(&self, score: &Score, given: Option<&[String]>) -> Result<Vec<String>, ModelError> {
        let all: usize = self.inputs.iter().map(crate::Input::len).sum();
        if let Some(names) = given
            && (names.len() != all || names.iter().collect::<BTreeSet<_>>().len() != all)
        {
            return Err(refused(format!(
                "{} names are given for {all} inputs, or one name twice; name each input element once, in order",
                names.len()
            )));
        }
        let name = |(tensor, index): &Place| {
            let before: usize = self.inputs[..tensor.0].iter().map(crate::Input::len).sum();
            match (given, &self.inputs[tensor.0]) {
                (Some(names), _) => names[before + index].clone(),
                (None, input) if input.len() == 1 => input.name.clone(),
                (None, input) => format!("{}[{index}]", input.name),
            }
        };
        Ok(score.features.iter().map(name).collect())
    }

    /// The score behind the decision.
    fn score(&self, against: Option<&str>) -> Result<Score, ModelError> {
        let labelled = self
            .outputs
            .iter()
            .find(|output| !matches!(output.kind, OutputKind::Real));
        let output = labelled
            .or(self.outputs.first())
            .filter(|output| output.shape.iter().product::<usize>() == 1);
        let Some(output) = output else {
            return Err(refused(
                "they are of one decision: a label, or a single number".to_owned(),
            ));
        };
        let labels: Vec<String> = match &output.kind {
            OutputKind::IntLabel(labels) => labels.iter().map(ToString::to_string).collect(),
            OutputKind::StringLabel(labels) => labels.clone(),
            OutputKind::Bool => vec!["false".to_owned(), "true".to_owned()],
            OutputKind::Index => vec!["0".to_owned(), "1".to_owned()],
            _ => vec!["low".to_owned(), "high".to_owned()],
        };
        let against = against.map_or_else(|| labels.last().cloned().unwrap_or_default(), str::to_owned);
        let place = labels.iter().position(|label| *label == against);
        let (Some(place), 2) = (place, labels.len()) else {
            return Err(refused(format!(
                "they speak against one of two outcomes; this model has {labels:?}, and {against:?} is asked for"
            )));
        };
        // Larger scores lead to the second label.
        let mut terms = BTreeMap::from([((output.value, 0), 1.0)]);
        loop {
            terms = self.expand(terms);
            match self.monotone(&terms) {
                Some(inner) => terms = inner,
                None => break,
            }
        }
        let mut score = Score {
            against,
            sign: if place == 1 { -1.0 } else { 1.0 },
            parts: Vec::new(),
            trees: BTreeMap::new(),
            features: Vec::new(),
        };
        let mut sources = HashMap::new();
        let mut features = BTreeSet::new();
        for (place, weight) in terms {
            let node = self.node_of(place.0);
            if let Some((position, Op::TreeEnsemble(trees))) = node.map(|position| (position, &self.nodes[position].op))
            {
                if matches!(trees.aggregate, Aggregate::Min | Aggregate::Max) {
                    return Err(self.no_sum(position));
                }
                score.trees.entry(position).or_insert_with(|| vec![0.0; trees.targets])[place.1] += weight;
                continue;
            }
            match (self.source(place, &mut sources), node) {
                (Source::One(feature), _) => {
                    features.insert(feature);
                    score.parts.push((place, weight));
                }
                (Source::Many, Some(position)) => return Err(self.no_sum(position)),
                _ => {}
            }
        }
        for position in score.trees.keys() {
            for used in splits(ensemble(&self.nodes[*position])) {
                match self.source(self.operand(*position, used), &mut sources) {
                    Source::One(feature) => {
                        features.insert(feature);
                    }
                    Source::Many => return Err(self.no_sum(*position)),
                    Source::Nothing => {}
                }
            }
        }
        score.features = features.into_iter().collect();
        Ok(score)
    }

    fn no_sum(&self, position: usize) -> ModelError {
        ModelError::Unsupported {
            node: self.nodes[position].name.clone(),
            reason:
                "no reasons can be given for a score that mixes several inputs here; linear models and sums of trees \
                     have them, networks have none"
                    .to_owned(),
        }
    }

    fn node_of(&self, value: ValueId) -> Option<usize> {
        value.0.checked_sub(self.inputs.len())
    }

    /// An element of a node's concatenated operands.
    fn operand(&self, position: usize, mut index: usize) -> Place {
        for value in &self.nodes[position].inputs {
            let length = match self.node_of(*value) {
                Some(node) => self.nodes[node].len,
                None => self.inputs[value.0].len(),
            };
            if index < length {
                return (*value, index);
            }
            index -= length;
        }
        unreachable!("operators read their operands")
    }

    /// A weighted sum with everything affine written out. Constants are of no interest.
    fn expand(&self, mut terms: BTreeMap<Place, f64>) -> BTreeMap<Place, f64> {
        let mut result = BTreeMap::new();
        while let Some((place, weight)) = terms.pop_last() {
            let node = self.node_of(place.0);
            let row = node.and_then(|position| match &self.nodes[position].op {
                Op::Wire { indices } => Some(vec![(indices[place.1], 1.0)]),
                Op::Affine { rows } => Some(rows[place.1].terms.clone()),
                Op::Singles { rows } => Some(rows[place.1].affine().terms),
                _ => None,
            });
            match (row, node) {
                (Some(row), Some(position)) => {
                    for (index, factor) in row {
                        *terms.entry(self.operand(position, index)).or_default() += weight * factor;
                    }
                }
                _ => {
                    result.insert(place, weight);
                }
            }
        }
        result.retain(|_, weight| *weight != 0.0);
        result
    }

    /// What a decision, a probability or a difference of two probabilities increases with.
    fn monotone(&self, terms: &BTreeMap<Place, f64>) -> Option<BTreeMap<Place, f64>> {
        let mut each = terms.iter();
        let (first, weight) = each.next()?;
        let position = self.node_of(first.0)?;
        let sign = weight.signum();
        let difference = |of: [usize; 2]| {
            let [low, high] = of.map(|index| self.operand(position, index));
            BTreeMap::from([(low, -sign), (high, sign)])
        };
        match (&self.nodes[position].op, each.next(), each.next()) {
            (Op::Sigmoid, None, _) => Some(BTreeMap::from([(self.operand(position, first.1), sign)])),
            (Op::Compare { comparison, .. }, None, _) => {
                let up = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
                let sign = if up { sign } else { -sign };
                Some(BTreeMap::from([(self.operand(position, first.1), sign)]))
            }
            (Op::ArgMax { classes: 2 }, None, _) => Some(difference([2 * first.1, 2 * first.1 + 1])),
            (Op::Softmax { classes: 2 }, None, _) => Some(difference([first.1 ^ 1, first.1])),
            (Op::Softmax { classes: 2 }, Some((second, other)), None)
                if second.0 == first.0 && second.1 == first.1 ^ 1 && *other == -weight =>
            {
                Some(difference([second.1, first.1]))
            }
            _ => None,
        }
    }

    /// The input element that an element depends on, if it is one.
    fn source(&self, place: Place, known: &mut HashMap<Place, Source>) -> Source {
        if let Some(source) = known.get(&place) {
            return *source;
        }
        let source = match self.node_of(place.0) {
            None => Source::One(place),
            Some(position) => {
                let node = &self.nodes[position];
                let reads: Vec<usize> = match &node.op {
                    Op::Wire { indices } => vec![indices[place.1]],
                    Op::Affine { rows } => rows[place.1].terms.iter().map(|(index, _)| *index).collect(),
                    Op::Singles { rows } => vec![rows[place.1].index],
                    Op::Quantize { rows } => vec![rows[place.1].index],
                    Op::Relu | Op::Clip { .. } | Op::Sigmoid | Op::Function(_) | Op::Compare { .. } => vec![place.1],
                    Op::OneHot { categories } => {
                        let mut bit = place.1;
                        let of = categories.iter().position(|known| {
                            let inside = bit < known.len();
                            bit = bit.saturating_sub(if inside { 0 } else { known.len() });
                            inside
                        });
                        of.into_iter().collect()
                    }
                    _ => {
                        known.insert(place, Source::Many);
                        return Source::Many;
                    }
                };
                let mut source = Source::Nothing;
                for index in reads {
                    source = source.and(self.source(self.operand(position, index), known));
                    if source == Source::Many {
                        break;
                    }
                }
                source
            }
        };
        known.insert(place, source);
        source
    }
}

/// A graph that gets reasons.
struct Explained<'a> {
    reasons: &'a Reasons,
    features: usize,
    graph: Graph,
    /// The nodes' results that contributions are the sum of.
    summands: Vec<ValueId>,
}

impl<'a> Explained<'a> {
    fn new(graph: &Graph, score: &Score, reasons: &'a Reasons) -> Self {
        let features = score.features.len();
        let mut explained = Self {
            reasons,
            features,
            graph: Graph {
                nodes: Vec::new(),
                ..graph.clone()
            },
            summands: Vec::new(),
        };
        let place_of = |feature: &Place| score.features.binary_search(feature).ok();
        let mut sources = HashMap::new();
        let mut reached = reasons.reached.iter();
        // Where the values of the given graph are now.
        let mut moved: Vec<ValueId> = (0..graph.inputs.len()).map(ValueId).collect();
        for (position, node) in graph.nodes.iter().enumerate() {
            let mut node = node.clone();
            node.inputs.iter_mut().for_each(|value| *value = moved[value.0]);
            let Some(weights) = score.trees.get(&position) else {
                moved.push(explained.push(node));
                continue;
            };
            // The same walks give scores and contributions.
            let trees = ensemble(&node).clone();
            let mut feature_of = |used: usize| match graph.source(graph.operand(position, used), &mut sources) {
                Source::One(feature) => place_of(&feature),
                _ => None,
            };
            let (targets, name) = (trees.targets, node.name.clone());
            let all = explain(trees, weights, score.sign, features, &mut reached, &mut feature_of);
            let both = explained.push(Node {
                op: Op::TreeEnsemble(all),
                len: targets + features,
                shape: None,
                ..node
            });
            moved.push(explained.wire(&name, both, 0..targets));
            let contributions = explained.wire(&name, both, targets..targets + features);
            explained.summands.push(contributions);
        }
        for output in &mut explained.graph.outputs {
            output.value = moved[output.value.0];
        }
        if !score.parts.is_empty() {
            explained.linear(graph, score, &moved);
        }
        explained
    }

    fn push(&mut self, node: Node) -> ValueId {
        self.graph.nodes.push(node);
        ValueId(self.graph.inputs.len() + self.graph.nodes.len() - 1)
    }

    fn node(&mut self, name: &str, op: Op, inputs: Vec<ValueId>, len: usize) -> ValueId {
        self.push(Node {
            name: name.to_owned(),
            op,
            inputs,
            len,
            shape: None,
            // The model's own weights once more.
            weights: Weights::Shared,
        })
    }

    fn wire(&mut self, name: &str, value: ValueId, indices: std::ops::Range<usize>) -> ValueId {
        let len = indices.len();
        let indices = indices.collect();
        self.node(name, Op::Wire { indices }, vec![value], len)
    }

    /// `weight·(x − mean)` per number, added up by feature.
    fn linear(&mut self, graph: &Graph, score: &Score, moved: &[ValueId]) {
        let inputs: BTreeSet<ValueId> = score.parts.iter().map(|((value, _), _)| *value).collect();
        let mut offsets = BTreeMap::new();
        let mut length = 0;
        for value in &inputs {
            offsets.insert(*value, length);
            length += match graph.node_of(*value) {
                Some(node) => graph.nodes[node].len,
                None => graph.inputs[value.0].len(),
            };
        }
        let empty = AffineRow {
            terms: Vec::new(),
            bias: 0.0,
        };
        let mut rows = vec![empty; self.features];
        let mut sources = HashMap::new();
        for (((value, index), weight), mean) in score.parts.iter().zip(&self.reasons.baseline) {
            if let Source::One(feature) = graph.source((*value, *index), &mut sources)
                && let Ok(place) = score.features.binary_search(&feature)
            {
                rows[place].terms.push((offsets[value] + index, score.sign * weight));
                rows[place].bias -= score.sign * weight * mean;
            }
        }
        let inputs = inputs.iter().map(|value| moved[value.0]).collect();
        let contributions = self.node(CONTRIBUTIONS, Op::Affine { rows }, inputs, self.features);
        self.summands.push(contributions);
    }

    fn finish(mut self) -> Graph {
        let contributions = match self.summands.as_slice() {
            [only] => *only,
            several => {
                let count = several.len();
                let row = |feature| AffineRow {
                    terms: (0..count).map(|part| (part * self.features + feature, 1.0)).collect(),
                    bias: 0.0,
                };
                let rows = (0..self.features).map(row).collect();
                self.node(CONTRIBUTIONS, Op::Affine { rows }, self.summands.clone(), self.features)
            }
        };
        let count = self.reasons.count;
        let ranked = self.node(REASONS, Op::Largest { count }, vec![contributions], 2 * count);
        let names = OutputKind::StringLabel(self.reasons.features.clone());
        let outputs = [
            (REASONS, count..2 * count, names),
            (CONTRIBUTIONS, 0..count, OutputKind::Real),
        ];
        for (name, indices, kind) in outputs {
            let value = self.wire(name, ranked, indices);
            self.graph.outputs.push(Output {
                name: name.to_owned(),
                value,
                shape: vec![1, count],
                kind,
            });
        }
        self.graph
    }
}

/// The ensemble with one more target per feature: what the branches that read it change of the expected score, on the way
/// to the leaf.
fn explain<'r>(
    mut trees: TreeEnsemble,
    weights: &[f64],
    sign: f64,
    features: usize,
    reached: &mut impl Iterator<Item = &'r Vec<usize>>,
    feature_of: &mut impl FnMut(usize) -> Option<usize>,
) -> TreeEnsemble {
    for (tree, reached) in trees.trees.iter_mut().zip(reached) {
        let mut expected = vec![0.0; tree.nodes.len()];
        // Children come after their parents.
        for (position, node) in tree.nodes.iter().enumerate().rev() {
            expected[position] = match node {
                TreeNode::Leaf { weights: leaf } => {
                    let each = leaf
                        .iter()
                        .map(|(target, weight)| weights[*target] * f64::from(*weight));
                    sign * each.sum::<f64>()
                }
                TreeNode::Branch { holds, otherwise, .. } => {
                    let [left, right] = [*holds, *otherwise].map(|child| reached[child] as f64);
                    let share = if left + right > 0.0 { left / (left + right) } else { 0.5 };
                    share * expected[*holds] + (1.0 - share) * expected[*otherwise]
                }
            };
        }
        let mut changes: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); tree.nodes.len()];
        for position in 0..tree.nodes.len() {
            let above = changes[position].clone();
            match &mut tree.nodes[position] {
                TreeNode::Leaf { weights } => {
                    let targets = above
                        .into_iter()
                        .map(|(feature, change)| (trees.targets + feature, change as f32));
                    weights.extend(targets);
                }
                TreeNode::Branch {
                    feature,
                    holds,
                    otherwise,
                    ..
                } => {
                    let read = feature_of(*feature);
                    for child in [*holds, *otherwise] {
                        changes[child] = above.clone();
                        if let Some(read) = read {
                            *changes[child].entry(read).or_default() += expected[child] - expected[position];
                        }
                    }
                }
            }
        }
    }
    trees.targets += features;
    trees.base.extend(std::iter::repeat_n(0.0, features));
    trees
}

fn ensemble(node: &Node) -> &TreeEnsemble {
    match &node.op {
        Op::TreeEnsemble(trees) => trees,
        _ => unreachable!("only ensembles are asked"),
    }
}

/// The features that branches read.
fn splits(trees: &TreeEnsemble) -> BTreeSet<usize> {
    let nodes = trees.trees.iter().flat_map(|tree| &tree.nodes);
    let used = nodes.filter_map(|node| match node {
        TreeNode::Branch { feature, .. } => Some(*feature),
        TreeNode::Leaf { .. } => None,
    });
    used.collect()
}

fn refused(problem: String) -> ModelError {
    ModelError::Reasons { problem }
}
