//! Committed models: the parameters of a program apart from everything else.
//!
//! The weights and biases of some layers may be a secret of whoever holds the model. What is left without them is the
//! *architecture*: it follows from the graph's structure and from formats, never from a parameter, so that all models of
//! one architecture have one circuit and one key.

use serde::{Deserialize, Serialize};

use crate::{Layer, LeafNode, ModelError, Program, SplitNode, Step, TreePath};

/// How the parameters of a layer stand for the weights and constants of its sums: everything but their values.
///
/// The weight of input `t` is `(code − 2^(weight_bits − 1))·2^weight_shifts[t]`; a sum's constant is `offset` and
/// `(code − 2^(bias_bits − 1))·2^bias_shift`. Codes are never negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterBlock {
    /// Place among the blocks of a program. Layers of one block have the same parameters.
    pub id: u32,
    /// Bits of a weight's code: one limb, or two.
    pub weight_bits: u32,
    /// Distance of two weights of each input, as a power of two.
    pub weight_shifts: Vec<u32>,
    /// Bits of a bias' code.
    pub bias_bits: u32,
    /// Distance of two biases, as a power of two.
    pub bias_shift: u32,
    /// What every sum's constant has beside its bias.
    pub offset: i128,
}

/// Bits that weights and biases may have, zeros at their end included.
const MOST_BITS: (u32, u32) = (62, 100);

impl ParameterBlock {
    /// Smallest and largest weight of an input.
    pub fn weights(&self, input: usize) -> (i64, i64) {
        let half = 1_i64 << (self.weight_bits - 1);
        let shift = self.weight_shifts[input];
        (-(half << shift), (half - 1) << shift)
    }

    /// Smallest and largest constant of a sum.
    pub fn constants(&self) -> (i128, i128) {
        let half = 1_i128 << (self.bias_bits - 1);
        let at = |bias: i128| self.offset + (bias << self.bias_shift);
        (at(-half), at(half - 1))
    }

    /// The nearest weight, unless it is out of range.
    pub(crate) fn nearest_weight(&self, input: usize, weight: i64) -> Option<i64> {
        let rounded = nearest(weight.into(), self.weight_shifts[input]);
        let (low, high) = self.weights(input);
        let weight = i64::try_from(rounded).ok()?;
        (low..=high).contains(&weight).then_some(weight)
    }

    /// The nearest constant, unless it is out of range.
    pub(crate) fn nearest_constant(&self, constant: i128) -> Option<i128> {
        let rounded = self.offset + nearest(constant - self.offset, self.bias_shift);
        let (low, high) = self.constants();
        (low..=high).contains(&rounded).then_some(rounded)
    }

    fn weight_code(&self, input: usize, weight: i64) -> Option<u32> {
        let shift = self.weight_shifts[input];
        let code = i128::from(weight) - i128::from(self.weights(input).0);
        let exact = code >= 0 && code % (1 << shift) == 0;
        let code = u32::try_from(code >> shift).ok().filter(|_| exact)?;
        (u64::from(code) < 1 << self.weight_bits).then_some(code)
    }

    fn bias_code(&self, constant: i128) -> Option<u64> {
        let code = constant - self.constants().0;
        let exact = code >= 0 && code % (1 << self.bias_shift) == 0;
        let code = u64::try_from(code >> self.bias_shift).ok().filter(|_| exact)?;
        (code >> self.bias_bits == 0).then_some(code)
    }

    fn weight(&self, input: usize, code: u32) -> Option<i64> {
        let weight = self.weights(input).0 + (i64::from(code) << self.weight_shifts[input]);
        (u64::from(code) < 1 << self.weight_bits).then_some(weight)
    }

    fn constant(&self, code: u64) -> Option<i128> {
        let constant = self.constants().0 + (i128::from(code) << self.bias_shift);
        (code >> self.bias_bits == 0).then_some(constant)
    }
}

/// The nearest multiple of `2^shift`, half up.
fn nearest(number: i128, shift: u32) -> i128 {
    let half = if shift == 0 { 0 } else { 1 << (shift - 1) };
    (number + half) >> shift << shift
}

/// Room that a circuit has for ensembles of trees: at least so much, and as much as the first one needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForestBounds {
    /// Trees for each target; for all together where leaves have weights for several.
    pub trees: usize,
    /// Levels of nodes.
    pub depth: u32,
}

/// How the parameters of a program are chosen to stand.
#[derive(Debug, Clone, Copy)]
pub enum ParameterFormats<'p> {
    /// Weights of so many bits. The ranges are twice as wide as the parameters need, rounded up to a power of two.
    Measured {
        /// Bits of a weight: the program's limb bits, or twice as many.
        weight_bits: u32,
        /// Room for larger ensembles.
        forest: ForestBounds,
    },
    /// As in another program of the same architecture.
    Of(&'p Program),
}

/// The codes of one sum's parameters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumParameters {
    /// One per cell of the layer.
    pub weights: Vec<u32>,
    /// Of the constant.
    pub bias: u64,
}

/// The nodes and leaves of a complete tree, level by level.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeParameters {
    /// Address of the feature, and the largest number that goes below.
    pub nodes: Vec<(u32, u32)>,
    /// Weights of each leaf, one per output.
    pub leaves: Vec<Vec<i64>>,
}

/// The parameters of a committed model. Secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelParameters {
    /// The sums of each block.
    pub blocks: Vec<Vec<SumParameters>>,
    /// The trees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<TreeParameters>,
}

impl std::fmt::Debug for TreeParameters {
    /// Shows nothing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TreeParameters(secret)")
    }
}

impl TreePath {
    /// Nodes and leaves, of a committed tree that has them.
    fn nodes(&self) -> Option<TreeParameters> {
        let nodes = self.levels.iter().flatten().map(|node| (node.feature, node.split));
        let leaves = self.leaves.iter().map(|leaf| leaf.weights.clone());
        (!self.lacks_nodes()).then(|| TreeParameters {
            nodes: nodes.collect(),
            leaves: leaves.collect(),
        })
    }

    /// The complete tree with these nodes and leaves.
    #[must_use]
    pub fn with_nodes(mut self, parameters: &TreeParameters) -> Self {
        let depth = self.committed.map_or(0, |tree| tree.depth);
        let mut nodes = parameters.nodes.iter();
        let level = |level: u32| {
            let indices = (0..).zip(nodes.by_ref().take(1 << level));
            let node = |(index, (feature, split)): (u32, &(u32, u32))| SplitNode {
                index,
                feature: *feature,
                split: *split,
            };
            indices.map(node).collect()
        };
        self.levels = (0..depth).map(level).collect();
        let leaf = |(index, weights): (u32, &Vec<i64>)| LeafNode {
            index,
            weights: weights.clone(),
        };
        self.leaves = (0..).zip(&parameters.leaves).map(leaf).collect();
        self
    }
}

impl std::fmt::Debug for ModelParameters {
    /// Shows nothing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ModelParameters(secret)")
    }
}

impl std::fmt::Debug for SumParameters {
    /// Shows nothing.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SumParameters(secret)")
    }
}

impl Layer {
    /// Whether the layer has parameters whose values are not here.
    pub(crate) fn lacks_parameters(&self) -> bool {
        self.parameters.is_some() && self.sums.iter().any(|sum| sum.weights.len() != self.inputs.len())
    }
}

impl Program {
    /// The layers with parameters, one for each block, in order.
    pub fn parameter_layers(&self) -> Vec<&Layer> {
        let mut found: Vec<&Layer> = Vec::new();
        for step in &self.steps {
            if let Step::Layer(layer) = step
                && let Some(block) = &layer.parameters
                && block.id as usize == found.len()
            {
                found.push(layer);
            }
        }
        found
    }

    /// The committed trees, one path for each, in order.
    pub fn committed_trees(&self) -> Vec<&TreePath> {
        let mut found: Vec<&TreePath> = Vec::new();
        for step in &self.steps {
            if let Step::Tree(path) = step
                && let Some(tree) = &path.committed
                && tree.id as usize == found.len()
            {
                found.push(path);
            }
        }
        found
    }

    /// Whether parameters are the model holder's secret.
    pub fn is_committed(&self) -> bool {
        let has_parameters = |step: &Step| match step {
            Step::Layer(layer) => layer.parameters.is_some(),
            Step::Tree(path) => path.committed.is_some(),
            Step::Witness { .. } | Step::Curve { .. } | Step::Bin { .. } => false,
        };
        self.steps.iter().any(has_parameters)
    }

    /// The parameters.
    ///
    /// # Errors
    /// [`ModelError::NoParameters`] where they are not here.
    pub fn parameters(&self) -> Result<ModelParameters, ModelError> {
        let sums = |layer: &&Layer| {
            let block = layer.parameters.as_ref().filter(|_| !layer.lacks_parameters())?;
            let codes = layer.sums.iter().map(|sum| {
                let weights = sum.weights.iter().enumerate();
                let weights = weights.map(|(input, weight)| block.weight_code(input, *weight));
                Some(SumParameters {
                    weights: weights.collect::<Option<_>>()?,
                    bias: block.bias_code(sum.bias)?,
                })
            });
            codes.collect::<Option<Vec<_>>>()
        };
        let layers = self.parameter_layers();
        let blocks = layers.iter().map(sums).collect::<Option<_>>();
        let trees = self.committed_trees().into_iter().map(TreePath::nodes);
        Ok(ModelParameters {
            blocks: blocks.ok_or(ModelError::NoParameters)?,
            trees: trees.collect::<Option<_>>().ok_or(ModelError::NoParameters)?,
        })
    }

    /// The program without its parameters.
    #[must_use]
    pub fn architecture(&self) -> Self {
        let mut program = self.clone();
        for step in &mut program.steps {
            match step {
                Step::Layer(layer) => {
                    let Some(block) = &layer.parameters else { continue };
                    for sum in &mut layer.sums {
                        sum.weights = Vec::new();
                        sum.bias = block.offset;
                    }
                }
                Step::Tree(path) if path.committed.is_some() => {
                    path.levels = Vec::new();
                    path.leaves = Vec::new();
                }
                Step::Tree(_) | Step::Witness { .. } | Step::Curve { .. } | Step::Bin { .. } => {}
            }
        }
        program
    }

    /// The program of this architecture with these parameters.
    ///
    /// # Errors
    /// [`ModelError::OtherArchitecture`] for parameters of another number or beyond their range.
    pub fn with_parameters(&self, parameters: &ModelParameters) -> Result<Self, ModelError> {
        let mut program = self.clone();
        let other = || ModelError::OtherArchitecture;
        if parameters.blocks.len() != self.parameter_layers().len()
            || parameters.trees.len() != self.committed_trees().len()
        {
            return Err(other());
        }
        for step in &mut program.steps {
            if let Step::Tree(path) = step
                && let Some(tree) = path.committed
            {
                let nodes = parameters.trees.get(tree.id as usize).ok_or_else(other)?;
                *path = path.clone().with_nodes(nodes);
            }
            let Step::Layer(layer) = step else { continue };
            let Some(block) = &layer.parameters else { continue };
            let sums = parameters.blocks.get(block.id as usize).ok_or_else(other)?;
            if sums.len() != layer.sums.len() {
                return Err(other());
            }
            for (sum, codes) in layer.sums.iter_mut().zip(sums) {
                if codes.weights.len() != layer.inputs.len() {
                    return Err(other());
                }
                let weights = codes.weights.iter().enumerate();
                let weights = weights.map(|(input, code)| block.weight(input, *code));
                sum.weights = weights.collect::<Option<_>>().ok_or_else(other)?;
                sum.bias = block.constant(codes.bias).ok_or_else(other)?;
            }
        }
        program.validate().map_err(|_| other())?;
        Ok(program)
    }

    /// Whether two programs are one but for their parameters, and for the names of nodes.
    pub fn has_architecture_of(&self, other: &Self) -> bool {
        self.architecture().nameless() == other.architecture().nameless()
    }

    /// The program without what only messages say.
    fn nameless(mut self) -> Self {
        for step in &mut self.steps {
            match step {
                Step::Layer(layer) => layer.name.clear(),
                Step::Tree(path) => path.name.clear(),
                Step::Witness { .. } | Step::Curve { .. } | Step::Bin { .. } => {}
            }
        }
        self.convolutions.iter_mut().for_each(|known| known.name.clear());
        self.limited.iter_mut().for_each(|known| known.name.clear());
        self.functions.iter_mut().for_each(|known| known.name.clear());
        self
    }

    /// The program of this architecture whose weights and biases are all zero: a model that is no secret.
    ///
    /// # Errors
    /// [`ModelError::OtherArchitecture`] for a malformed program.
    pub fn with_zeros(&self) -> Result<Self, ModelError> {
        let zeros = |layer: &&Layer| {
            let block = layer.parameters.as_ref()?;
            let sum = SumParameters {
                weights: vec![1 << (block.weight_bits - 1); layer.inputs.len()],
                bias: 1 << (block.bias_bits - 1),
            };
            Some(vec![sum; layer.sums.len()])
        };
        let layers = self.parameter_layers();
        let blocks = layers.iter().map(zeros).collect::<Option<_>>();
        let trees = self.committed_trees().into_iter();
        let blank = |path: &TreePath| {
            path.committed.map(|tree| TreeParameters {
                nodes: vec![(0, u32::MAX); (1 << tree.depth) - 1],
                leaves: vec![vec![tree.format.zero; path.weights()]; 1 << tree.depth],
            })
        };
        self.with_parameters(&ModelParameters {
            blocks: blocks.ok_or(ModelError::OtherArchitecture)?,
            trees: trees.filter_map(blank).collect(),
        })
    }

    /// Checks what layers say of their parameters.
    pub(crate) fn check_parameters(&self) -> Result<(), &'static str> {
        let mut known: Vec<&Layer> = Vec::new();
        let layers = self.steps.iter().filter_map(|step| match step {
            Step::Layer(layer) => Some(layer),
            _ => None,
        });
        for layer in layers {
            let Some(block) = &layer.parameters else { continue };
            let weights = [self.limb_bits, self.cell_bits()].contains(&block.weight_bits);
            let biases = block.bias_bits == 2 * self.cell_bits();
            let mut shifts = block.weight_shifts.iter();
            let small = shifts.all(|shift| block.weight_bits.saturating_add(*shift) <= MOST_BITS.0)
                && block.weight_shifts.len() == layer.inputs.len()
                && block.bias_bits.saturating_add(block.bias_shift) <= MOST_BITS.1;
            if !weights || !biases || !small {
                return Err("parameters are in a format that no circuit has");
            }
            if block.offset.unsigned_abs() >= 1 << 120 || layer.sums.is_empty() {
                return Err("a layer of parameters has no sums, or too large an offset");
            }
            let lookups = layer
                .sums
                .iter()
                .all(|sum| sum.products.is_empty() && sum.finish.output().is_some());
            if !lookups {
                return Err("a layer of parameters has a sum that computes nothing");
            }
            match known.get(block.id as usize) {
                None if block.id as usize == known.len() => known.push(layer),
                Some(first) => {
                    let values = |layer: &Layer| -> Vec<_> {
                        let sums = layer.sums.iter();
                        sums.map(|sum| (sum.weights.clone(), sum.bias)).collect()
                    };
                    if first.parameters != layer.parameters
                        || first.inputs.len() != layer.inputs.len()
                        || values(first) != values(layer)
                    {
                        return Err("layers of one block of parameters differ");
                    }
                }
                None => return Err("a block of parameters has no number in order"),
            }
        }
        let trees = self.check_committed_trees()?;
        let has_none = |layer: &&Layer| {
            let offset = layer.parameters.as_ref().map(|block| block.offset);
            let sums = layer.sums.iter();
            sums.clone()
                .all(|sum| sum.weights.is_empty() && Some(sum.bias) == offset)
        };
        let none_here = known.iter().all(has_none) && trees.iter().all(|path| path.lacks_nodes());
        let all_here =
            known.iter().all(|layer| !layer.lacks_parameters()) && trees.iter().all(|path| !path.lacks_nodes());
        if none_here {
            return Ok(());
        }
        if !all_here {
            return Err("some parameters are missing");
        }
        self.parameters()
            .map(|_| ())
            .map_err(|_| "a parameter is outside of its range")
    }

    /// Checks what trees say of their number; returns one path for each.
    fn check_committed_trees(&self) -> Result<Vec<&TreePath>, &'static str> {
        let known = self.committed_trees();
        for step in &self.steps {
            let Step::Tree(path) = step else { continue };
            let Some(tree) = &path.committed else { continue };
            let first = known
                .get(tree.id as usize)
                .ok_or("a committed tree has no number in order")?;
            let is_same = first.committed == path.committed
                && first.levels == path.levels
                && first.leaves == path.leaves
                && first.weights() == path.weights();
            if !is_same {
                return Err("walks through one committed tree differ");
            }
        }
        Ok(known)
    }
}
