//! What branches read: every condition as "is the number at this address at most this one".
//!
//! A condition holds on an interval of its cell's numbers or outside of it (`region`). A cell is binned once against the ends of all intervals that are open to one side; an interval
//! between two ends (equality) gets a bit of its own that says whether the number lies inside.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crate::{
    BranchMode, CellId, Finish, Format, Layer, ModelError, Node, SingleStep, Step, Sum, Table, Tree, TreeNode,
    lower::{Lowering, unsupported},
    ordered::{HIGHEST, LOWEST},
    origin::Origin,
    region::{Domain, Region},
};

/// An element that trees compare: a cell, and the arithmetic between it and the comparison.
#[derive(Debug, Clone)]
struct Compared {
    cell: CellId,
    domain: Domain,
    steps: Vec<SingleStep>,
}

impl Compared {
    fn question(&self, mode: BranchMode, threshold: f32) -> Question {
        let (lowest, end) = self.domain.ends();
        let Region { low, high, inside } = self.domain.region(&self.steps, mode, threshold);
        let (cell, outside) = (self.cell, !inside);
        if low >= high {
            Question::Settled(outside)
        } else if low <= lowest && high >= end {
            Question::Settled(inside)
        } else if low <= lowest {
            Question::Below {
                cell,
                bound: high,
                holds: inside,
            }
        } else if high >= end {
            Question::Below {
                cell,
                bound: low,
                holds: outside,
            }
        } else {
            Question::Within {
                cell,
                low,
                high,
                inside,
            }
        }
    }
}

/// What a branch asks of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// Nothing: its condition holds always or never.
    Settled(bool),
    /// Whether the number is below a bound; where it is, the condition holds or does not.
    Below { cell: CellId, bound: i64, holds: bool },
    /// Whether the number lies in an interval; inside, the condition holds or does not.
    Within {
        cell: CellId,
        low: i64,
        high: i64,
        inside: bool,
    },
}

/// A branch as the walk takes it: below where the number at `address` is at most `split`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) address: u32,
    pub(super) split: u32,
    /// Next node of the tree on either side.
    pub(super) below: usize,
    pub(super) above: usize,
}

/// The conditions of an ensemble.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    compared: BTreeMap<usize, Compared>,
    /// Address of what is read of each cell: its bin between these bounds, or the number itself.
    bins: BTreeMap<CellId, (u32, Option<Vec<i64>>)>,
    /// Address of the bit of each interval.
    bits: BTreeMap<(CellId, i64, i64), u32>,
}

impl Conditions {
    /// Condition and children of a node.
    fn question(&self, node: &TreeNode) -> Option<(Question, usize, usize)> {
        let TreeNode::Branch {
            feature,
            mode,
            threshold,
            holds,
            otherwise,
            ..
        } = node
        else {
            return None;
        };
        Some((self.compared[feature].question(*mode, *threshold), *holds, *otherwise))
    }

    /// The branch at a node of a tree without settled branches; nothing at a leaf.
    pub(super) fn branch(&self, node: &TreeNode) -> Option<Branch> {
        let (question, holds, otherwise) = self.question(node)?;
        let (address, split, holds_below) = match question {
            Question::Settled(_) => return None,
            Question::Below { cell, bound, holds } => {
                let (address, bounds) = &self.bins[&cell];
                let split = match bounds {
                    Some(bounds) => bounds.partition_point(|known| *known < bound) as u32,
                    // Not the smallest number: below that no condition changes.
                    None => (bound - 1) as u32,
                };
                (*address, split, holds)
            }
            // The bit is one inside.
            Question::Within {
                cell,
                low,
                high,
                inside,
            } => (self.bits[&(cell, low, high)], 0, !inside),
        };
        let (below, above) = if holds_below {
            (holds, otherwise)
        } else {
            (otherwise, holds)
        };
        Some(Branch {
            address,
            split,
            below,
            above,
        })
    }

    /// The tree without the branches that go one way for every input.
    fn simplified(&self, tree: &Tree) -> Tree {
        let mut nodes: Vec<TreeNode> = Vec::new();
        // A node of the tree, and the child of a new node that it becomes.
        let mut pending: Vec<(usize, Option<(usize, bool)>)> = vec![(0, None)];
        while let Some((mut position, slot)) = pending.pop() {
            let children = loop {
                match self.question(&tree.nodes[position]) {
                    Some((Question::Settled(true), holds, _)) => position = holds,
                    Some((Question::Settled(false), _, otherwise)) => position = otherwise,
                    Some((_, holds, otherwise)) => break Some((holds, otherwise)),
                    None => break None,
                }
            };
            let new = nodes.len();
            if let Some((parent, side)) = slot
                && let TreeNode::Branch { holds, otherwise, .. } = &mut nodes[parent]
            {
                *(if side { holds } else { otherwise }) = new;
            }
            if let Some((holds, otherwise)) = children {
                pending.push((otherwise, Some((new, false))));
                pending.push((holds, Some((new, true))));
            }
            nodes.push(tree.nodes[position].clone());
        }
        Tree { nodes }
    }
}

impl Lowering<'_> {
    /// Bins everything that the trees compare. Branches that go one way for every input are taken out of the trees.
    pub(super) fn conditions(&mut self, node: &Node, trees: &mut [Tree]) -> Result<Conditions, ModelError> {
        let mut conditions = Conditions::default();
        let origins = self.origins.operand(node);
        for tree in trees.iter_mut() {
            for position in &tree.nodes {
                if let TreeNode::Branch { feature, .. } = position
                    && !conditions.compared.contains_key(feature)
                {
                    let compared = self.compared(node, *feature, &origins[*feature])?;
                    conditions.compared.insert(*feature, compared);
                }
            }
            *tree = conditions.simplified(tree);
        }
        let mut bounds: BTreeMap<CellId, BTreeSet<i64>> = BTreeMap::new();
        let mut intervals = BTreeSet::new();
        for position in trees.iter().flat_map(|tree| &tree.nodes) {
            match conditions.question(position) {
                Some((Question::Below { cell, bound, .. }, _, _)) => {
                    bounds.entry(cell).or_default().insert(bound);
                }
                Some((Question::Within { cell, low, high, .. }, _, _)) => {
                    intervals.insert((cell, low, high));
                }
                Some((Question::Settled(_), _, _)) | None => {}
            }
        }
        let most = (1 << self.program.limb_bits) - 1;
        for (cell, bounds) in bounds {
            if bounds.len() > most {
                let reason = format!(
                    "{} has {} thresholds, more than {most} at limbs of {} bits; use larger limbs",
                    self.input_name(cell),
                    bounds.len(),
                    self.program.limb_bits
                );
                return Err(unsupported(node, reason));
            }
            let bounds: Vec<i64> = bounds.into_iter().collect();
            // A bit is its own bin.
            let bin = if self.cells[cell.index()].float32 {
                self.bin(cell, &bounds)
            } else {
                cell
            };
            let address = self.address(node, bin)?;
            conditions.bins.insert(cell, (address, Some(bounds)));
        }
        for (cell, low, high) in intervals {
            let bin = self.bin(cell, &[low, high]);
            let bit = self.middle(node, bin);
            let address = self.address(node, bit)?;
            conditions.bits.insert((cell, low, high), address);
        }
        Ok(conditions)
    }

    /// Makes every feature readable as the number that it is, whether a tree reads it or not: nothing that others see
    /// follows from the conditions. Branches that go one way for every input are taken out of the trees.
    pub(super) fn committed_conditions(&mut self, node: &Node, trees: &mut [Tree]) -> Result<Conditions, ModelError> {
        let mut conditions = Conditions::default();
        for (feature, origin) in self.origins.operand(node).iter().enumerate() {
            let compared = self.compared(node, feature, origin)?;
            let cell = compared.cell;
            conditions.compared.insert(feature, compared);
            if let Entry::Vacant(place) = conditions.bins.entry(cell) {
                place.insert((self.address(node, cell)?, None));
            }
        }
        for tree in trees {
            *tree = conditions.simplified(tree);
            let mut questions = tree.nodes.iter().filter_map(|position| conditions.question(position));
            if questions.any(|(question, _, _)| matches!(question, Question::Within { .. })) {
                return Err(unsupported(
                    node,
                    "asks whether a number equals a constant, or not; of committed trees only comparisons are proven: use \
                     model=public, or one-hot encode the feature"
                        .to_owned(),
                ));
            }
        }
        Ok(conditions)
    }

    /// What stands behind a feature: a graph input as `float32`, or a bit.
    fn compared(&self, node: &Node, feature: usize, origin: &Origin) -> Result<Compared, ModelError> {
        let cell = self.values[origin.value.0][origin.index].as_cell();
        let found = cell.and_then(|cell| {
            let info = self.cells[cell.index()];
            let whole = info.format == Format::INTEGER;
            let domain = if info.float32 {
                Some(Domain::Float32)
            } else {
                (whole && info.max == 1).then_some(Domain::Bit)
            };
            domain.map(|domain| (cell, domain))
        });
        let allowed = origin.steps.iter().all(|step| step.is_allowed());
        match found {
            Some((cell, domain)) if allowed => Ok(Compared {
                cell,
                domain,
                steps: origin.steps.clone(),
            }),
            _ => {
                let reason = format!(
                    "compares feature {feature}, which is computed; trees are proven on graph inputs and on one-hot bits, \
                     with at most a float32 Scaler, or Add, Sub, Mul and Div with constants other than zero, before them"
                );
                Err(unsupported(node, reason))
            }
        }
    }

    fn input_name(&self, cell: CellId) -> String {
        let input = self.program.inputs.iter().find(|input| input.cell == cell);
        input.map_or_else(
            || "a feature".to_owned(),
            |input| format!("input {}[{}]", self.program.input_names[input.tensor], input.index),
        )
    }

    /// The number of bounds at or below a `float32`.
    pub(super) fn bin(&mut self, input: CellId, bounds: &[i64]) -> CellId {
        let mut entries = vec![LOWEST];
        entries.extend(bounds);
        entries.push(HIGHEST + 1);
        let table = self.table(Table { entries, stride: 1 });
        let output = self.new_cell(Format::INTEGER, bounds.len() as i64);
        self.program.steps.push(Step::Bin { table, input, output });
        output
    }

    /// A bit that says whether a bin of two bounds is the middle one: `bin·2^(4L)` has the bin as its high digit.
    fn middle(&mut self, node: &Node, bin: CellId) -> CellId {
        let table = self.table(Table {
            entries: vec![0, 1, 0],
            stride: 0,
        });
        let output = self.new_cell(Format::INTEGER, 1);
        self.program.steps.push(Step::Layer(Layer {
            name: node.name.clone(),
            inputs: vec![bin],
            sums: vec![Sum {
                weights: vec![1 << (2 * self.program.cell_bits())],
                products: Vec::new(),
                bias: 0,
                finish: Finish::Lookup { table, output },
            }],
            parameters: None,
        }));
        output
    }

    /// Makes a cell readable by walks.
    fn address(&mut self, node: &Node, cell: CellId) -> Result<u32, ModelError> {
        let address = self.program.memory.len() as u32;
        if address + 1 >= 1 << self.program.limb_bits {
            let reason = format!(
                "reads {address} features and constants that they must equal, and more, at limbs of {} bits; use larger \
                 limbs",
                self.program.limb_bits
            );
            return Err(unsupported(node, reason));
        }
        self.program.memory.push(cell);
        Ok(address)
    }
}
