//! The cells of a committed model's parameters, and the commitment to them: `docs/spec/commitment.md`.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, FromUniformBytes},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};
use zkverdict_model::{
    CommittedTree, Format, Layer, ModelParameters, OpenedTree, Program, SumParameters, TreeParameters,
};

use crate::{
    CircuitError, Side,
    chips::tree::WEIGHT_LIMBS,
    commitment::{ELEMENT_BITS, absorbed},
    field::power_of_two,
    subtree::{entries, subtrees},
};

/// Bits from one sum's digit to the next in a cell that holds parameters of two sums: half of an element.
pub(crate) const PAIR_BITS: u32 = ELEMENT_BITS / 2;

/// What stands in one cell of parameters, and how many of them share an element that is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One number of so many bits: two limbs.
    Single(u32),
    /// Two numbers of so many bits each, one limb and one [`PAIR_BITS`] above.
    Pair(u32),
}

impl Packing {
    /// The bits at which the cells of one element start.
    fn places(self) -> Vec<u32> {
        let (bits, room) = match self {
            Self::Single(bits) => (bits, ELEMENT_BITS),
            Self::Pair(bits) => (bits, PAIR_BITS),
        };
        (0..room / bits).map(|place| place * bits).collect()
    }

    /// What the second limb of a cell counts.
    pub(crate) fn base(self) -> Fr {
        match self {
            Self::Single(bits) => power_of_two(bits / 2),
            Self::Pair(_) => power_of_two(PAIR_BITS),
        }
    }
}

/// One cell of parameters: `low + base·high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParameterCell {
    pub(crate) low: u64,
    pub(crate) high: u64,
    packing: Packing,
}

impl ParameterCell {
    pub(crate) fn value(&self) -> Fr {
        Fr::from(self.low) + self.packing.base() * Fr::from(self.high)
    }
}

/// What is committed to of one layer: everything but the parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedLayer {
    /// Sums.
    pub sums: usize,
    /// Bits of a limb.
    pub limb_bits: u32,
    /// Bits of a weight: one limb or two.
    pub weight_bits: u32,
    /// Distance of two weights of each cell that the sums read, as a power of two.
    pub weight_shifts: Vec<u32>,
    /// Bits of a bias.
    pub bias_bits: u32,
    /// Distance of two biases, as a power of two.
    pub bias_shift: u32,
}

impl CommittedLayer {
    fn of(program: &Program, layer: &Layer) -> Option<Self> {
        let block = layer.parameters.as_ref()?;
        Some(Self {
            sums: layer.sums.len(),
            limb_bits: program.limb_bits,
            weight_bits: block.weight_bits,
            weight_shifts: block.weight_shifts.clone(),
            bias_bits: block.bias_bits,
            bias_shift: block.bias_shift,
        })
    }

    pub(crate) fn packing(&self) -> Packing {
        if self.weight_bits == self.limb_bits {
            Packing::Pair(self.weight_bits)
        } else {
            Packing::Single(self.weight_bits)
        }
    }

    /// Sums whose parameters share cells.
    pub(crate) fn together(&self) -> usize {
        match self.packing() {
            Packing::Single(_) => 1,
            Packing::Pair(_) => 2,
        }
    }

    /// Cells that a bias takes, the lowest bits first.
    pub(crate) fn bias_cells(&self) -> usize {
        self.bias_bits.div_ceil(self.weight_bits) as usize
    }

    /// Cells of the sums that share cells: a weight per input, then the bias.
    pub(crate) fn cells_together(&self) -> usize {
        self.weight_shifts.len() + self.bias_cells()
    }

    /// The inputs from the largest weights to the smallest, each with the power of two that the sum is to be multiplied with
    /// once it is in: what takes its weights to those of the next, at the end to one.
    pub(crate) fn order(&self) -> Vec<(usize, u32)> {
        let shift = |input: &usize| self.weight_shifts[*input];
        let mut inputs: Vec<usize> = (0..self.weight_shifts.len()).collect();
        inputs.sort_by_key(|input| std::cmp::Reverse(shift(input)));
        let next = inputs.iter().skip(1).map(shift).chain([0]);
        let steps = inputs
            .iter()
            .zip(next)
            .map(|(input, next)| (*input, shift(input) - next));
        steps.collect()
    }

    fn cells(&self) -> usize {
        self.sums.div_ceil(self.together()) * self.cells_together()
    }

    /// The cells for some parameters.
    fn fill(&self, parameters: &[SumParameters]) -> Vec<ParameterCell> {
        let packing = self.packing();
        let mask = (1_u64 << self.weight_bits) - 1;
        let codes = |sum: &SumParameters| -> Vec<u64> {
            let weights = sum.weights.iter().map(|weight| u64::from(*weight));
            let digits = (0..self.bias_cells() as u32).map(|digit| sum.bias >> (digit * self.weight_bits) & mask);
            weights.chain(digits).collect()
        };
        let half = self.limb_bits;
        let cells = parameters.chunks(self.together()).map(|sums| match (packing, sums) {
            (Packing::Pair(_), [low, high]) => {
                let pairs = codes(low).into_iter().zip(codes(high));
                pairs.map(|(low, high)| ParameterCell { low, high, packing }).collect()
            }
            (Packing::Pair(_), sums) => {
                let codes = sums.iter().flat_map(codes);
                codes.map(|low| ParameterCell { low, high: 0, packing }).collect()
            }
            (Packing::Single(_), sums) => {
                let limbs = |code: u64| ParameterCell {
                    low: code & ((1 << half) - 1),
                    high: code >> half,
                    packing,
                };
                sums.iter().flat_map(codes).map(limbs).collect::<Vec<_>>()
            }
        });
        cells.flatten().collect()
    }
}

/// What is committed to of some trees of one size: everything but their nodes and leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedForest {
    /// How many.
    pub trees: usize,
    /// Levels of nodes of each.
    pub depth: u32,
    /// Weights of a leaf.
    pub outputs: usize,
    /// Bits of a limb.
    pub limb_bits: u32,
    /// How weights stand for real numbers.
    pub weights: Format,
}

impl CommittedForest {
    /// Trees of one size that follow one another.
    fn all_of(program: &Program) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let walked = program.committed_trees().into_iter();
        let walked = walked.filter_map(|path| {
            Some(OpenedTree {
                tree: path.committed?,
                weights: path.weights(),
            })
        });
        for OpenedTree { tree, weights } in walked.chain(program.opened.iter().copied()) {
            let one = Self {
                trees: 1,
                depth: tree.depth,
                outputs: weights,
                limb_bits: program.limb_bits,
                weights: tree.format,
            };
            match found.last_mut() {
                Some(last) if (Self { trees: 1, ..*last }) == one => last.trees += 1,
                _ => found.push(one),
            }
        }
        found
    }

    /// A tree without nodes.
    fn tree(&self) -> OpenedTree {
        OpenedTree {
            tree: CommittedTree {
                id: 0,
                depth: self.depth,
                format: self.weights,
                score: 0,
            },
            weights: self.outputs,
        }
    }

    /// Field elements that a tree is committed to as.
    fn entries_of_one(&self) -> usize {
        self.tree().entries(self.limb_bits).len()
    }

    fn fits(&self, parameters: &TreeParameters) -> bool {
        let largest = 1 << (WEIGHT_LIMBS * self.limb_bits);
        parameters.nodes.len() + 1 == 1 << self.depth
            && parameters.leaves.len() == 1 << self.depth
            && parameters
                .nodes
                .iter()
                .all(|(feature, _)| feature >> self.limb_bits == 0)
            && parameters.leaves.iter().all(|weights| {
                weights.len() == self.outputs && weights.iter().all(|weight| (0..largest).contains(weight))
            })
    }

    fn entries(&self, parameters: &TreeParameters) -> Result<Vec<Fr>, CircuitError> {
        let path = self.tree().path().with_nodes(parameters);
        Ok(entries(&subtrees(&path, self.limb_bits)?, &path, self.limb_bits))
    }
}

/// What a commitment to a model is to: everything but the parameters and the salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCommitment {
    /// The blocks of parameters, in order.
    pub layers: Vec<CommittedLayer>,
    /// The trees, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forests: Vec<CommittedForest>,
}

impl ModelCommitment {
    /// The commitment to the parameters of a program.
    pub fn of(program: &Program) -> Self {
        let layers = program.parameter_layers().into_iter();
        Self {
            layers: layers.filter_map(|layer| CommittedLayer::of(program, layer)).collect(),
            forests: CommittedForest::all_of(program),
        }
    }

    /// The sponge's first carried element: says what is committed to.
    pub fn tag(&self) -> Fr {
        let mut text = format!("zkverdict commitment 1\n{} {}\n", Side::Model, self.layers.len());
        for layer in &self.layers {
            let CommittedLayer {
                sums,
                limb_bits,
                weight_bits,
                weight_shifts,
                bias_bits,
                bias_shift,
            } = layer;
            text.push_str(&format!(
                "layer {sums} {limb_bits} {weight_bits} {bias_bits} {bias_shift} {}",
                weight_shifts.len()
            ));
            for shift in weight_shifts {
                text.push_str(&format!(" {shift}"));
            }
            text.push('\n');
        }
        for forest in &self.forests {
            let CommittedForest {
                trees,
                depth,
                outputs,
                limb_bits,
                weights: Format { scale, zero },
            } = forest;
            text.push_str(&format!("trees {trees} {depth} {outputs} {limb_bits} {scale} {zero}\n"));
        }
        Fr::from_uniform_bytes(&Sha512::digest(text.as_bytes()).into())
    }

    /// The number of each block's first cell.
    pub(crate) fn first_cells(&self) -> Vec<usize> {
        let mut next = 0;
        let first = |layer: &CommittedLayer| {
            next += layer.cells();
            next - layer.cells()
        };
        self.layers.iter().map(first).collect()
    }

    /// How many cells the layers have; the entries of trees follow.
    pub(crate) fn layer_cells(&self) -> usize {
        self.layers.iter().map(CommittedLayer::cells).sum()
    }

    /// How many cells there are.
    pub(crate) fn count(&self) -> usize {
        let forests = self.forests.iter();
        let entries = forests.map(|forest| forest.trees * forest.entries_of_one());
        self.layer_cells() + entries.sum::<usize>()
    }

    /// The cells of each packed element, with the bit that each starts at.
    pub(crate) fn elements(&self) -> Vec<Vec<(usize, u32)>> {
        let cells = self
            .layers
            .iter()
            .flat_map(|layer| std::iter::repeat_n(layer.packing(), layer.cells()));
        let mut elements: Vec<Vec<(usize, u32)>> = Vec::new();
        let mut open: Option<(Packing, std::vec::IntoIter<u32>)> = None;
        for (index, packing) in cells.enumerate() {
            let next = open.as_mut().filter(|(known, _)| *known == packing);
            let place = match next.and_then(|(_, places)| places.next()) {
                Some(place) => place,
                None => {
                    elements.push(Vec::new());
                    let mut places = packing.places().into_iter();
                    let first = places.next().unwrap_or(0);
                    open = Some((packing, places));
                    first
                }
            };
            if let Some(element) = elements.last_mut() {
                element.push((index, place));
            }
        }
        // An entry fills an element, and its walk says how it is to be read.
        elements.extend((self.layer_cells()..self.count()).map(|entry| vec![(entry, 0)]));
        elements
    }

    /// The cells of layers for some parameters.
    ///
    /// # Errors
    /// [`CircuitError::OtherParameters`]: another number of parameters; one outside of its bits.
    pub(crate) fn cells(&self, parameters: &ModelParameters) -> Result<Vec<ParameterCell>, CircuitError> {
        let fits = |(layer, sums): (&CommittedLayer, &Vec<SumParameters>)| {
            let small = |code: u64, bits: u32| code >> bits == 0;
            sums.len() == layer.sums
                && sums.iter().all(|sum| {
                    sum.weights.len() == layer.weight_shifts.len()
                        && sum.weights.iter().all(|code| small((*code).into(), layer.weight_bits))
                        && small(sum.bias, layer.bias_bits)
                })
        };
        let blocks = &parameters.blocks;
        if blocks.len() != self.layers.len() || !self.layers.iter().zip(blocks).all(fits) {
            return Err(CircuitError::OtherParameters);
        }
        let layers = self.layers.iter().zip(blocks);
        Ok(layers.flat_map(|(layer, sums)| layer.fill(sums)).collect())
    }

    /// Everything that is committed to, as field elements: the cells of layers, then the entries of trees.
    ///
    /// # Errors
    /// As [`ModelCommitment::cells`].
    pub(crate) fn values(&self, parameters: &ModelParameters) -> Result<Vec<Fr>, CircuitError> {
        let mut values: Vec<Fr> = self.cells(parameters)?.iter().map(ParameterCell::value).collect();
        let mut trees = parameters.trees.iter();
        for forest in &self.forests {
            for _ in 0..forest.trees {
                let tree = trees.next().filter(|tree| forest.fits(tree));
                values.extend(forest.entries(tree.ok_or(CircuitError::OtherParameters)?)?);
            }
        }
        match trees.next() {
            Some(_) => Err(CircuitError::OtherParameters),
            None => Ok(values),
        }
    }

    /// The commitment to these parameters.
    ///
    /// # Errors
    /// Parameters of another model; one outside of its bits.
    pub fn hash(&self, parameters: &ModelParameters, salt: Fr) -> Result<Fr, CircuitError> {
        let cells = self.values(parameters)?;
        Ok(absorbed(self.tag(), salt, &self.elements(), |cell| cells[cell]))
    }
}

/// The part of a sum's constant that does not depend on its bias.
pub(crate) fn lowest_constant(layer: &Layer) -> Fr {
    let lowest = layer.parameters.as_ref().map(|block| block.constants().0);
    lowest.map_or(Fr::ZERO, crate::from_i128)
}
