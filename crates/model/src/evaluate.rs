//! Float evaluation of a [`Graph`]: what the fixed-point program is measured against.

use crate::{Aggregate, BranchMode, Comparison, Graph, ModelError, Norm, Op, Tree, TreeEnsemble, TreeNode};

impl Graph {
    /// Evaluates every tensor in `f64`: graph inputs first, then one vector per node.
    ///
    /// # Errors
    /// Wrong number or length of inputs, or a value that is in no category of a one-hot encoder.
    pub fn evaluate(&self, sample: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, ModelError> {
        if sample.len() != self.inputs.len() {
            return Err(ModelError::InputCount {
                expected: self.inputs.len(),
                got: sample.len(),
            });
        }
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.inputs.len() + self.nodes.len());
        for (input, given) in self.inputs.iter().zip(sample) {
            if given.len() != input.len() {
                return Err(ModelError::InputLength {
                    input: input.name.clone(),
                    expected: input.len(),
                    got: given.len(),
                });
            }
            values.push(given.clone());
        }
        for node in &self.nodes {
            let operand: Vec<f64> = node.inputs.iter().flat_map(|id| values[id.0].iter().copied()).collect();
            let result = node.op.evaluate(&operand).map_err(|problem| problem.at(&node.name))?;
            values.push(result);
        }
        Ok(values)
    }

    /// The graph outputs among the tensors of [`Graph::evaluate`], as they are to be read.
    pub fn pick_outputs(&self, values: &[Vec<f64>]) -> Vec<Vec<f64>> {
        self.outputs
            .iter()
            .map(|output| {
                values[output.value.0]
                    .iter()
                    .map(|value| output.kind.real(*value))
                    .collect()
            })
            .collect()
    }
}

struct NoCategory {
    index: usize,
    value: f64,
    categories: Vec<i64>,
}

impl NoCategory {
    fn at(self, node: &str) -> ModelError {
        ModelError::UnknownCategory {
            input: node.to_owned(),
            index: self.index,
            value: self.value,
            categories: self.categories,
        }
    }
}

impl Op {
    fn evaluate(&self, x: &[f64]) -> Result<Vec<f64>, NoCategory> {
        Ok(match self {
            Self::Wire { indices } => indices.iter().map(|index| x[*index]).collect(),
            Self::Affine { rows } => rows
                .iter()
                .map(|row| row.bias + row.terms.iter().map(|(index, weight)| weight * x[*index]).sum::<f64>())
                .collect(),
            Self::Singles { rows } => rows
                .iter()
                .map(|row| {
                    f64::from(
                        row.steps
                            .iter()
                            .fold(x[row.index] as f32, |value, step| step.apply(value)),
                    )
                })
                .collect(),
            Self::Quantize { rows } => rows.iter().map(|row| row.apply(x[row.index] as f32) as f64).collect(),
            Self::Relu => x.iter().map(|value| value.max(0.0)).collect(),
            Self::Clip { min, max } => x.iter().map(|value| value.max(*min).min(*max)).collect(),
            Self::Sigmoid => x.iter().copied().map(sigmoid).collect(),
            Self::Function(formula) => x.iter().map(|value| formula.evaluate(*value)).collect(),
            Self::Products { rows } => rows
                .iter()
                .map(|pairs| pairs.iter().map(|(left, right)| x[*left] * x[*right]).sum())
                .collect(),
            Self::Maximum { width } => x
                .chunks(*width)
                .map(|group| group.iter().copied().fold(f64::NEG_INFINITY, f64::max))
                .collect(),
            Self::Softmax { classes } => x.chunks(*classes).flat_map(softmax).collect(),
            Self::ArgMax { classes } => x.chunks(*classes).map(|group| first_maximum(group) as f64).collect(),
            Self::Largest { count } => {
                let mut order: Vec<usize> = (0..x.len()).collect();
                order.sort_by(|a, b| x[*b].total_cmp(&x[*a]));
                order.truncate(*count);
                let values = order.iter().map(|index| x[*index]);
                values.chain(order.iter().map(|index| *index as f64)).collect()
            }
            Self::Compare { comparison, thresholds } => x
                .iter()
                .zip(thresholds)
                .map(|(value, threshold)| f64::from(u8::from(comparison.holds(*value, *threshold))))
                .collect(),
            Self::Normalize { norm, width } => x.chunks(*width).flat_map(|group| norm.apply(group)).collect(),
            Self::TreeEnsemble(ensemble) => ensemble.scores(x),
            Self::OneHot { categories } => {
                let mut bits = Vec::new();
                for (index, (value, known)) in x.iter().zip(categories).enumerate() {
                    if !known.iter().any(|category| *category as f64 == *value) {
                        return Err(NoCategory {
                            index,
                            value: *value,
                            categories: known.clone(),
                        });
                    }
                    bits.extend(
                        known
                            .iter()
                            .map(|category| f64::from(u8::from(*category as f64 == *value))),
                    );
                }
                bits
            }
        })
    }
}

impl TreeEnsemble {
    /// One score per target. Features are compared as `float32`.
    pub fn scores(&self, features: &[f64]) -> Vec<f64> {
        let mut scores: Vec<Option<f64>> = vec![None; self.targets];
        for tree in &self.trees {
            for (target, weight) in tree.leaf(features) {
                let weight = f64::from(*weight);
                let score = &mut scores[*target];
                *score = Some(score.map_or(weight, |score| match self.aggregate {
                    Aggregate::Sum | Aggregate::Average => score + weight,
                    Aggregate::Min => score.min(weight),
                    Aggregate::Max => score.max(weight),
                }));
            }
        }
        let divisor = if self.aggregate == Aggregate::Average {
            self.trees.len().max(1) as f64
        } else {
            1.0
        };
        let with_base = |(score, base): (Option<f64>, &f32)| score.unwrap_or(0.0) / divisor + f64::from(*base);
        scores.into_iter().zip(&self.base).map(with_base).collect()
    }
}

impl Tree {
    /// The weights of the leaf that these features reach.
    pub fn leaf(&self, features: &[f64]) -> &[(usize, f32)] {
        self.path(features, |_| ())
    }

    /// The same; every node on the way, the leaf included, is shown to `visit`.
    pub(crate) fn path(&self, features: &[f64], mut visit: impl FnMut(usize)) -> &[(usize, f32)] {
        let mut position = 0;
        loop {
            visit(position);
            match &self.nodes[position] {
                TreeNode::Leaf { weights } => return weights,
                TreeNode::Branch {
                    feature,
                    mode,
                    threshold,
                    missing_holds,
                    holds,
                    otherwise,
                } => {
                    let value = features[*feature] as f32;
                    let taken = if value.is_nan() {
                        *missing_holds
                    } else {
                        mode.holds(value, *threshold)
                    };
                    position = if taken { *holds } else { *otherwise };
                }
            }
        }
    }
}

impl BranchMode {
    /// Whether `value ∘ threshold` holds.
    pub fn holds(self, value: f32, threshold: f32) -> bool {
        match self {
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
        }
    }
}

impl Comparison {
    /// Whether `value ∘ threshold` holds.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
        }
    }
}

impl Norm {
    fn apply(self, group: &[f64]) -> Vec<f64> {
        let norm = match self {
            Self::Max => group.iter().fold(0.0, |best: f64, value| best.max(value.abs())),
            Self::L1 => group.iter().map(|value| value.abs()).sum(),
            Self::L2 => group.iter().map(|value| value * value).sum::<f64>().sqrt(),
        };
        let divisor = if norm == 0.0 { 1.0 } else { norm };
        group.iter().map(|value| value / divisor).collect()
    }
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(group: &[f64]) -> Vec<f64> {
    let peak = group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = group.iter().map(|value| (value - peak).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

fn first_maximum(group: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in group.iter().enumerate() {
        if *value > group[best] {
            best = index;
        }
    }
    best
}
