//! Sums whose weights are a committed model's: what they need of formats and bounds, and when they are rounded.
//!
//! Nothing that others see follows from a parameter's value. A tensor made of parameters becomes cells before anything
//! but an affine map or a ReLU reads it, and where several nodes read it: each parameter is committed to once, and what
//! follows computes with cells.

use crate::{
    CellId, CommittedTree, ForestBounds, Format, Graph, ModelError, Node, Op, ParameterBlock, ParameterFormats,
    Program, Sum, ValueId,
    lower::{Lowering, unsupported},
};

/// Bits by which a range exceeds what the first model's parameters need.
const SPARE_BITS: u32 = 1;

/// What lowering knows of a committed model.
#[derive(Debug)]
pub(super) struct Secret {
    /// How often each value is read.
    readers: Vec<usize>,
    formats: Formats,
    blocks: u32,
    trees: u32,
}

#[derive(Debug)]
enum Formats {
    Measured {
        weight_bits: u32,
        forest: ForestBounds,
    },
    Given {
        blocks: Vec<ParameterBlock>,
        /// The trees, with the number of weights of a leaf.
        trees: Vec<(CommittedTree, usize)>,
    },
}

/// What a committed ensemble shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForestFormat {
    /// Trees for each target, or for all of them.
    pub(super) trees: usize,
    /// Levels of nodes.
    pub(super) depth: u32,
    /// How leaves' weights stand for real numbers.
    pub(super) format: Format,
}

impl Secret {
    pub(super) fn new(graph: &Graph, formats: ParameterFormats<'_>) -> Self {
        let mut readers = vec![0; graph.inputs.len() + graph.nodes.len()];
        let read = graph.nodes.iter().flat_map(|node| &node.inputs);
        let read = read.chain(graph.outputs.iter().map(|output| &output.value));
        read.for_each(|value: &ValueId| readers[value.0] += 1);
        let given = |program: &Program| {
            let layers = program.parameter_layers().into_iter();
            let trees = program.committed_trees().into_iter();
            Formats::Given {
                blocks: layers.filter_map(|layer| layer.parameters.clone()).collect(),
                trees: trees
                    .filter_map(|path| Some((path.committed?, path.weights())))
                    .collect(),
            }
        };
        Self {
            readers,
            formats: match formats {
                ParameterFormats::Measured { weight_bits, forest } => Formats::Measured { weight_bits, forest },
                ParameterFormats::Of(program) => given(program),
            },
            blocks: 0,
            trees: 0,
        }
    }
}

/// Parameters where none can be committed to.
pub(super) fn uncommitted(name: &str) -> ModelError {
    ModelError::Unsupported {
        node: name.to_owned(),
        reason: "reads numbers made of the model's parameters in a way that no commitment covers; use model=public"
            .to_owned(),
    }
}

impl Lowering<'_> {
    /// Before a node of a committed model: refuses what cannot be committed to, and rounds operands made of parameters.
    pub(super) fn settle_secrets(&mut self, graph: &Graph, node: &Node) -> Result<(), ModelError> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        if matches!(node.op, Op::Quantize { .. }) {
            return Err(unsupported(
                node,
                "integer models cannot be committed to: use model=public".to_owned(),
            ));
        }
        if matches!(node.op, Op::TreeEnsemble(_)) {
            // Compares inputs: arithmetic before it becomes part of its thresholds.
            return Ok(());
        }
        let is_direct = matches!(
            node.op,
            Op::Wire { .. } | Op::Affine { .. } | Op::Singles { .. } | Op::Relu
        );
        let mut settled: Vec<ValueId> = node.inputs.clone();
        settled.sort_unstable();
        settled.dedup();
        settled.retain(|value| {
            let is_secret = self.values[value.0].iter().any(|expression| expression.is_secret);
            is_secret && (!is_direct || secret.readers[value.0] > 1)
        });
        settled
            .into_iter()
            .try_for_each(|value| self.make_cells(graph, node, value))
    }

    /// Makes the weights and constants of some sums parameters: rounds them to their format, and moves the sums to be
    /// non-negative for every parameter in range. Returns the row of zero and the number of rows of their table, too.
    pub(super) fn commit(
        &mut self,
        name: &str,
        inputs: &[CellId],
        sums: &mut [Sum],
        offset: i128,
    ) -> Result<(ParameterBlock, (usize, usize)), ModelError> {
        let mut block = self.next_block(inputs, sums, offset)?;
        for sum in sums.iter_mut() {
            self.round(name, &block, inputs, sum)?;
        }
        let (least, most) = block.constants();
        let terms = |end: fn((i64, i64)) -> i64| {
            let weights = inputs.iter().enumerate();
            weights
                .map(|(input, cell)| (*cell, end(block.weights(input))))
                .collect::<Vec<_>>()
        };
        let low = self.bounds_of_terms(terms(|(low, _)| low).into_iter(), least).0;
        let high = self.bounds_of_terms(terms(|(_, high)| high).into_iter(), most).1;
        let (origin, domain) = self.place_bounds(name, &[(low, high)])?;
        let moved = (origin as i128) << (2 * self.program.cell_bits());
        block.offset += moved;
        for sum in sums {
            sum.bias += moved;
        }
        Ok((block, (origin, domain)))
    }

    /// The format of the next block of parameters. A weight may be so large that its cell moves the sum as far as any other
    /// cell may: bits have larger weights than cells of many bits.
    fn next_block(&mut self, inputs: &[CellId], sums: &[Sum], offset: i128) -> Result<ParameterBlock, ModelError> {
        let reaches: Vec<u32> = inputs
            .iter()
            .map(|cell| i64::BITS - (self.cells[cell.index()].max - 1).leading_zeros())
            .collect();
        let bias_bits = 2 * self.program.cell_bits();
        let secret = self.secret.as_mut().ok_or(ModelError::NothingToCommit)?;
        let id = secret.blocks;
        secret.blocks += 1;
        match &secret.formats {
            Formats::Given { blocks, .. } => {
                let known = blocks.get(id as usize).ok_or(ModelError::OtherArchitecture)?;
                if known.weight_shifts.len() != inputs.len() {
                    return Err(ModelError::OtherArchitecture);
                }
                Ok(ParameterBlock {
                    offset,
                    ..known.clone()
                })
            }
            Formats::Measured { weight_bits, .. } => {
                let length = |number: i128| i128::BITS - number.unsigned_abs().leading_zeros();
                // A sign, and room for other models.
                let room = |longest: Option<u32>| longest.unwrap_or(0) + 1 + SPARE_BITS;
                let weights = sums.iter().flat_map(|sum| sum.weights.iter().zip(&reaches));
                let reach = room(weights.map(|(weight, reach)| length((*weight).into()) + reach).max());
                let bias = room(sums.iter().map(|sum| length(sum.bias - offset)).max());
                Ok(ParameterBlock {
                    id,
                    weight_bits: *weight_bits,
                    weight_shifts: reaches
                        .iter()
                        .map(|bits| reach.saturating_sub(bits + weight_bits))
                        .collect(),
                    bias_bits,
                    bias_shift: bias.saturating_sub(bias_bits),
                    offset,
                })
            }
        }
    }

    /// The number of the next tree.
    pub(super) fn next_tree(&mut self) -> u32 {
        let next = self.secret.as_mut().map(|secret| {
            secret.trees += 1;
            secret.trees - 1
        });
        next.unwrap_or(0)
    }

    /// What an ensemble shows that has so many trees for a target, so many levels, and leaves' weights within `reach` of
    /// zero. `groups` has the number of a leaf's weights in each of its groups.
    pub(super) fn forest_format(
        &self,
        node: &Node,
        (trees, depth): (usize, u32),
        reach: f64,
        groups: &[usize],
    ) -> Result<ForestFormat, ModelError> {
        let secret = self.secret.as_ref().ok_or(ModelError::NothingToCommit)?;
        if secret.trees > 0 {
            return Err(unsupported(
                node,
                "a second ensemble of trees cannot be committed to beside the first: use model=public".to_owned(),
            ));
        }
        match &secret.formats {
            Formats::Measured { forest, .. } => {
                let size = (trees.max(forest.trees), depth.max(forest.depth));
                ForestFormat::measured(node, size, reach, self.program.limb_bits)
            }
            Formats::Given { trees: known, .. } => {
                let (first, _) = known.first().ok_or(ModelError::OtherArchitecture)?;
                let most = known.len() / groups.len().max(1);
                let expected = groups
                    .iter()
                    .flat_map(|outputs| std::iter::repeat_n((first.depth, *outputs), most));
                if !known.iter().map(|(tree, outputs)| (tree.depth, *outputs)).eq(expected) {
                    return Err(ModelError::OtherArchitecture);
                }
                if trees > most || depth > first.depth {
                    return Err(ModelError::LargerForest {
                        trees,
                        depth,
                        most,
                        deepest: first.depth,
                    });
                }
                Ok(ForestFormat {
                    trees: most,
                    depth: first.depth,
                    format: first.format,
                })
            }
        }
    }

    /// Rounds the parameters of a sum. What a weight loses stays right where its cell stands for zero.
    fn round(&self, name: &str, block: &ParameterBlock, inputs: &[CellId], sum: &mut Sum) -> Result<(), ModelError> {
        let out_of_range = |what, number: f64, most: f64| ModelError::ParameterOutOfRange {
            node: name.to_owned(),
            what,
            times: (number / most).abs(),
        };
        for (input, (cell, weight)) in inputs.iter().zip(&mut sum.weights).enumerate() {
            let rounded = block
                .nearest_weight(input, *weight)
                .ok_or_else(|| out_of_range("weight", *weight as f64, block.weights(input).0 as f64))?;
            let zero = self.cells[cell.index()].format.zero;
            sum.bias += (i128::from(*weight) - i128::from(rounded)) * i128::from(zero);
            *weight = rounded;
        }
        let bias = (sum.bias - block.offset) as f64;
        let most = (block.constants().0 - block.offset) as f64;
        sum.bias = block
            .nearest_constant(sum.bias)
            .ok_or_else(|| out_of_range("bias", bias, most))?;
        Ok(())
    }
}
