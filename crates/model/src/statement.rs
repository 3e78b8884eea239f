//! What holds of a committed model's trees, whatever the input: `docs/spec/statement.md`.
//!
//! A statement is a program of its own. Its inputs are the trees themselves, every node and leaf of every subtree in the order
//! in which a model commits to them; its outputs say which claims it shows.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    CellId, Combination, CommittedTree, Finish, InputCell, ModelError, ModelParameters, OutputKind, Program, Range,
    Source, Step, Subtree, Subtrees, Sum, Table, TableId, TreePath, Variable, WEIGHT_LIMBS,
};

/// Inputs of a statement for each node: two for the split, and the feature.
const NODE_INPUTS: usize = 3;
/// Inputs of a statement for each weight of a leaf.
const WEIGHT_INPUTS: usize = 2;

/// Sums of one layer at the most: weights stand beside all cells of a layer.
const MOST_SUMS: usize = 192;

/// What may be claimed of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeProperty {
    /// No condition reads it.
    Unused,
    /// More of it never lowers a score.
    Increasing,
    /// More of it never raises a score.
    Decreasing,
}

/// What is claimed of all trees of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeClaim {
    /// The property.
    pub property: TreeProperty,
    /// The feature that has it: an input, or one of its elements; one category of it, where it is encoded one-hot.
    pub feature: String,
    /// Which score, of several; of no meaning for unused features.
    pub score: usize,
}

impl std::str::FromStr for TreeClaim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is no claim about trees; use unused=FEATURE, increasing=FEATURE or decreasing=FEATURE, with @N \
                 behind it for score N"
            )
        };
        let (property, feature) = text.split_once('=').ok_or_else(refused)?;
        let property = match property {
            "unused" => TreeProperty::Unused,
            "increasing" => TreeProperty::Increasing,
            "decreasing" => TreeProperty::Decreasing,
            _ => return Err(refused()),
        };
        let numbered = match property {
            TreeProperty::Unused => None,
            TreeProperty::Increasing | TreeProperty::Decreasing => feature.rsplit_once('@'),
        };
        let (feature, score) = match numbered {
            Some((feature, number)) => (feature, number.parse().map_err(|_| refused())?),
            None => (feature, 0),
        };
        if feature.is_empty() {
            return Err(refused());
        }
        Ok(Self {
            property,
            feature: feature.to_owned(),
            score,
        })
    }
}

impl std::fmt::Display for TreeClaim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let property = match self.property {
            TreeProperty::Unused => "unused",
            TreeProperty::Increasing => "increasing",
            TreeProperty::Decreasing => "decreasing",
        };
        write!(formatter, "{property}={}", self.feature)?;
        match self.score {
            0 => Ok(()),
            score => write!(formatter, "@{score}"),
        }
    }
}

/// A committed tree whose nodes and leaves are inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedTree {
    /// What everybody may know of it.
    pub tree: CommittedTree,
    /// Weights of a leaf.
    pub weights: usize,
}

impl OpenedTree {
    /// Bits of a node's number, and of a leaf's weight, that are proven apart from those above: a cell.
    fn parts(number: i64, cell_bits: u32) -> [i64; 2] {
        [number & ((1 << cell_bits) - 1), number >> cell_bits]
    }

    /// The tree without nodes.
    pub fn path(&self) -> TreePath {
        TreePath {
            name: "a committed tree".to_owned(),
            committed: Some(self.tree),
            levels: Vec::new(),
            leaves: Vec::new(),
            outputs: vec![vec![CellId(0); self.weights]],
        }
    }

    /// How many inputs each of its entries is, in order.
    pub fn entries(&self, limb_bits: u32) -> Vec<usize> {
        let subtrees = Subtrees::new(&self.path(), limb_bits);
        let entries = subtrees.entries(self.weights);
        let inputs = |(subtree, _): (&Subtree, usize)| {
            3 * NODE_INPUTS + 4 * WEIGHT_INPUTS * usize::from(subtree.leaves.is_some())
        };
        entries.map(inputs).collect()
    }
}

/// Weighted cells and a constant.
#[derive(Debug, Clone, Default)]
struct Number {
    terms: Vec<(CellId, i64)>,
    constant: i64,
}

impl Number {
    fn constant(constant: i64) -> Self {
        Self {
            terms: Vec::new(),
            constant,
        }
    }

    fn cell(cell: CellId) -> Self {
        Self {
            terms: vec![(cell, 1)],
            constant: 0,
        }
    }

    fn minus(&self, other: &Self) -> Self {
        let negated = other.terms.iter().map(|(cell, weight)| (*cell, -weight));
        Self {
            terms: self.terms.iter().copied().chain(negated).collect(),
            constant: self.constant - other.constant,
        }
    }

    fn combination(&self) -> Combination {
        Combination {
            terms: self.terms.clone(),
            bias: self.constant,
        }
    }
}

/// The cells of a node.
#[derive(Debug, Clone)]
struct NodeCells {
    feature: CellId,
    /// Whether some number goes above: the split is not the largest one. Only where it is asked for.
    acts: Option<CellId>,
}

/// The cells of an entry.
#[derive(Debug, Clone)]
struct EntryCells {
    /// The root, its child below, its child above.
    nodes: [NodeCells; 3],
    /// Of the last level.
    weights: Option<[Number; 4]>,
}

/// No leaf of a piece of a tree weighs more than `most`, none less than `least`.
#[derive(Debug, Clone)]
struct Bounds {
    most: Number,
    least: Number,
}

/// A node with leaves on both of its sides.
struct Branch<'e> {
    node: &'e NodeCells,
    /// Whether it only fills up the levels of the tree: nothing goes above, and what stands there is no leaf.
    is_filler: bool,
    below: Bounds,
    above: Bounds,
}

/// Sums that make one layer.
#[derive(Default)]
struct Sums {
    sums: Vec<(Number, i128, Finish)>,
}

impl Sums {
    /// The cells that are read, and the sums over them.
    fn over_their_cells(self) -> (Vec<CellId>, Vec<Sum>) {
        let terms = self.sums.iter().flat_map(|(number, ..)| &number.terms);
        let mut inputs: Vec<CellId> = terms.map(|(cell, _)| *cell).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let sum = |(number, added, finish): (Number, i128, Finish)| {
            let mut weights = vec![0; inputs.len()];
            for (cell, weight) in number.terms {
                if let Ok(place) = inputs.binary_search(&cell) {
                    weights[place] += weight;
                }
            }
            Sum {
                weights,
                products: Vec::new(),
                bias: added + i128::from(number.constant),
                finish,
            }
        };
        let sums = self.sums.into_iter().map(sum).collect();
        (inputs, sums)
    }
}

/// What is claimed, and of which addresses.
struct Asked<'c> {
    claim: &'c TreeClaim,
    /// By address, 1 where the feature is.
    meant: TableId,
    /// Pairs of bits, a pair for each node that could speak against it: whether it reads the feature, and whether that is not
    /// as claimed.
    against: Vec<(CellId, CellId)>,
}

struct Stater {
    program: Program,
    /// A step table for differences of less than `2^(4L)` on both sides.
    comparison: TableId,
    /// One for zero, zero for more: of a count to which `2^(4L) − 1` is added.
    none: TableId,
    /// Whether some claim is about what nodes read.
    asks_for_use: bool,
}

impl Program {
    /// What behind each address of the memory of a program's trees stands: an input, or a category of one.
    fn tree_features(&self) -> Vec<Option<Variable>> {
        let input = |cell: CellId| {
            let input = self.inputs.iter().find(|input| input.cell == cell)?;
            Some(Variable {
                name: self.input_names[input.tensor].clone(),
                index: input.index,
                category: None,
            })
        };
        let bit = |cell: CellId| {
            self.steps.iter().find_map(|step| match step {
                Step::Witness {
                    cells,
                    source: Source::OneHot { source, categories },
                    ..
                } => {
                    let place = cells.iter().position(|known| *known == cell)?;
                    let category = Some(*categories.get(place)?);
                    Some(Variable {
                        category,
                        ..input(*source)?
                    })
                }
                _ => None,
            })
        };
        self.memory
            .iter()
            .map(|cell| input(*cell).or_else(|| bit(*cell)))
            .collect()
    }

    /// The statement that this program's trees, which are committed to, are as claimed. It is a program whose inputs are
    /// the nodes and leaves.
    ///
    /// # Errors
    /// [`ModelError::Statement`]: a program without committed trees, or with other parameters beside them; a claim of a
    /// feature or a score that is not there.
    pub fn tree_statement(&self, claims: &[TreeClaim]) -> Result<Self, ModelError> {
        let refuse = |reason: String| Err(ModelError::Statement { reason });
        let paths = self.committed_trees();
        if paths.is_empty() {
            return refuse(
                "the model's trees are not committed to; compile it with --visibility model=committed".to_owned(),
            );
        }
        if !self.parameter_layers().is_empty() {
            return refuse("the model has committed weights beside its trees".to_owned());
        }
        if self.records.is_some() {
            return refuse("it is an audit already; take the circuit of a single decision".to_owned());
        }
        if claims.is_empty() {
            return refuse("nothing is claimed; say --claim unused=FEATURE".to_owned());
        }
        let features = self.tree_features();
        let opened: Vec<OpenedTree> = paths
            .iter()
            .filter_map(|path| {
                Some(OpenedTree {
                    tree: path.committed?,
                    weights: path.weights(),
                })
            })
            .collect();
        let scores = opened.iter().map(|opened| opened.tree.score as usize + opened.weights);
        let scores = scores.max().unwrap_or(0);
        let mut asked = Vec::with_capacity(claims.len());
        let mut tables = vec![
            Table::step(1, 2),
            Table {
                entries: vec![1, 0],
                stride: 0,
            },
        ];
        for (index, claim) in claims.iter().enumerate() {
            if claims[..index].contains(claim) {
                return refuse(format!("{claim} is claimed twice"));
            }
            let is_meant: Vec<bool> = features.iter().map(|known| claim.means(known.as_ref())).collect();
            if !is_meant.contains(&true) {
                let mut names: Vec<String> = features.iter().flatten().map(ToString::to_string).collect();
                names.dedup();
                return refuse(format!(
                    "no tree reads {:?}; there are {}",
                    claim.feature,
                    names.join(", ")
                ));
            }
            let directed = claim.property != TreeProperty::Unused;
            if directed && is_meant.iter().filter(|is_meant| **is_meant).count() > 1 {
                return refuse(format!(
                    "{} is encoded one-hot, and more of it means nothing; name a category: {}=CATEGORY",
                    claim.feature, claim.feature
                ));
            }
            if directed && claim.score >= scores {
                return refuse(format!("{claim}: the model has {scores} scores, numbered from 0"));
            }
            // For whatever a limb may be: sums that share an accumulator must all be covered.
            let mut entries: Vec<i64> = is_meant.into_iter().map(i64::from).collect();
            entries.resize(1 << self.limb_bits, 0);
            tables.push(Table { entries, stride: 0 });
            asked.push(Asked {
                claim,
                meant: TableId(u32::try_from(tables.len() - 1).expect("few claims")),
                against: Vec::new(),
            });
        }
        let mut stater = Stater {
            program: Self {
                cells: 0,
                tables,
                memory: Vec::new(),
                limited: Vec::new(),
                functions: Vec::new(),
                steps: Vec::new(),
                convolutions: Vec::new(),
                input_names: vec!["nodes and leaves".to_owned()],
                inputs: Vec::new(),
                outputs: Vec::new(),
                records: None,
                opened: opened.clone(),
                ..self.clone()
            },
            comparison: TableId(0),
            none: TableId(1),
            asks_for_use: claims.iter().any(|claim| claim.property == TreeProperty::Unused),
        };
        for opened in &opened {
            stater.tree(opened, &mut asked);
        }
        stater.show(asked);
        stater.program.validate()?;
        Ok(stater.program)
    }

    /// The inputs of a [statement](Program::tree_statement) about the trees of these parameters.
    ///
    /// # Errors
    /// [`ModelError::OtherArchitecture`] for parameters of other trees.
    pub fn opened_inputs(&self, parameters: &ModelParameters) -> Result<Vec<i64>, ModelError> {
        let trees = &parameters.trees;
        if !parameters.blocks.is_empty() || trees.len() != self.opened.len() {
            return Err(ModelError::OtherArchitecture);
        }
        let mut values = Vec::with_capacity(self.inputs.len());
        for (opened, nodes) in self.opened.iter().zip(trees) {
            let leaves = 1 << opened.tree.depth;
            let is_alike = nodes.nodes.len() + 1 == leaves
                && nodes.leaves.len() == leaves
                && nodes.leaves.iter().all(|weights| weights.len() == opened.weights);
            if !is_alike {
                return Err(ModelError::OtherArchitecture);
            }
            let path = opened.path().with_nodes(nodes);
            for (subtree, output) in Subtrees::new(&path, self.limb_bits).entries(opened.weights) {
                values.extend(self.entry_inputs(&path, subtree, output));
            }
        }
        let limbs = self.steps.iter().filter_map(|step| match step {
            Step::Witness {
                cells,
                range: Range::Limb,
                ..
            } => Some(cells),
            _ => None,
        });
        let limbs: HashSet<CellId> = limbs.flatten().copied().collect();
        let fits = |(input, value): (&InputCell, &i64)| {
            let end = match limbs.contains(&input.cell) {
                true => 1 << self.limb_bits,
                false => self.cell_max(),
            };
            (0..end).contains(value)
        };
        match values.len() == self.inputs.len() && self.inputs.iter().zip(&values).all(fits) {
            true => Ok(values),
            false => Err(ModelError::OtherArchitecture),
        }
    }

    fn entry_inputs(&self, path: &TreePath, subtree: &Subtree, output: usize) -> Vec<i64> {
        let parts = |number: i64| OpenedTree::parts(number, self.cell_bits());
        let nodes = subtree.nodes.iter().flat_map(|node| {
            let [low, high] = parts(node.split.into());
            [low, high, node.feature.into()]
        });
        let weights = subtree.weights(path, output).into_iter().flatten();
        nodes.chain(weights.flat_map(parts)).collect()
    }
}

impl TreeClaim {
    /// Whether the feature is this variable, or what it is a category of.
    fn means(&self, variable: Option<&Variable>) -> bool {
        let Some(variable) = variable else { return false };
        let whole = Variable {
            category: None,
            ..variable.clone()
        };
        let short = |variable: &Variable| {
            let category = variable.category.map(|category| format!("={category}"));
            (variable.index == 0).then(|| format!("{}{}", variable.name, category.unwrap_or_default()))
        };
        let names = [variable, &whole].map(|variable| (variable.to_string(), short(variable)));
        names
            .iter()
            .any(|(long, short)| self.feature == *long || short.as_ref() == Some(&self.feature))
    }
}

impl Stater {
    /// Layers of these sums, as many in each as blocks are made of.
    fn push(&mut self, name: &str, sums: Sums) {
        let mut rest = sums.sums;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(MOST_SUMS));
            let (inputs, sums) = Sums { sums: rest }.over_their_cells();
            self.program.add_layer(name, inputs, sums);
            rest = later;
        }
    }

    /// A cell that is given, with its range.
    fn given(&mut self, range: Range) -> CellId {
        let index = self.program.inputs.len();
        self.program.given((0, index), range, None)
    }

    /// A number of which the lower bits are a cell, those above in this range.
    fn given_number(&mut self, above: Range) -> Number {
        let unit = self.program.cell_max();
        Number {
            terms: vec![(self.given(Range::Cell), 1), (self.given(above), unit)],
            constant: 0,
        }
    }

    /// A bit: whether a number, of less than `2^(4L)` on either side of zero, is not negative.
    fn is_positive(&mut self, sums: &mut Sums, number: Number) -> CellId {
        let output = self.program.new_cell();
        let table = self.comparison;
        let offset = 1_i128 << (2 * self.program.cell_bits());
        sums.sums.push((number, offset, Finish::Lookup { table, output }));
        output
    }

    /// The cells of an entry, whose root may be a filler.
    fn entry(&mut self, splits: &mut Sums, has_filler: bool, has_weights: bool) -> EntryCells {
        let nodes = [has_filler, false, false].map(|is_filler| {
            let split = self.given_number(Range::Cell);
            let feature = self.given(Range::Limb);
            let largest = Number::constant(i64::from(u32::MAX) - 1);
            let acts = self.asks_for_use || is_filler;
            NodeCells {
                feature,
                acts: acts.then(|| self.is_positive(splits, largest.minus(&split))),
            }
        });
        let weights = has_weights.then(|| [(); 4].map(|()| self.given_number(Range::Limb)));
        EntryCells { nodes, weights }
    }

    /// The cells of a tree, and for each claim the nodes of it that could speak against it.
    fn tree(&mut self, opened: &OpenedTree, asked: &mut [Asked<'_>]) {
        let subtrees = Subtrees::new(&opened.path(), self.program.limb_bits);
        let (last, upper) = subtrees.split();
        // The root's level is filled up where the depth is odd.
        let has_filler = |level: usize| level == 0 && opened.tree.depth % 2 == 1;
        let mut splits = Sums::default();
        let mut entries = |number: usize, level: &[Subtree]| -> Vec<EntryCells> {
            let entry = |subtree: &Subtree| self.entry(&mut splits, has_filler(number), subtree.leaves.is_some());
            level.iter().map(entry).collect()
        };
        let above: Vec<_> = (0..).zip(upper).map(|(number, level)| entries(number, level)).collect();
        let last: Vec<_> = (0..opened.weights).map(|_| entries(upper.len(), last)).collect();
        self.push("splits", splits);
        let nodes = || above.iter().chain(&last).flatten().flat_map(|entry| &entry.nodes);
        for asked in asked
            .iter_mut()
            .filter(|asked| asked.claim.property == TreeProperty::Unused)
        {
            let acting = nodes().filter_map(|node| Some((node.feature, node.acts?)));
            self.oppose(asked, acting.collect());
        }
        for (score, last) in (opened.tree.score as usize..).zip(&last) {
            let levels = above.iter().chain([last]);
            self.directed(score, levels.collect(), has_filler(0), asked);
        }
    }

    /// For each claim about the way that a score goes, the nodes that could speak against it.
    fn directed(&mut self, score: usize, levels: Vec<&Vec<EntryCells>>, has_filler: bool, asked: &mut [Asked<'_>]) {
        let claimed = |property: TreeProperty| {
            move |asked: &&mut Asked<'_>| asked.claim.property == property && asked.claim.score == score
        };
        let properties = [TreeProperty::Increasing, TreeProperty::Decreasing];
        let properties = properties
            .into_iter()
            .filter(|property| asked.iter_mut().any(|asked| claimed(*property)(&asked)));
        let properties: Vec<TreeProperty> = properties.collect();
        if properties.is_empty() {
            return;
        }
        let weights = levels.last().into_iter().copied().flatten();
        let weights = weights.flat_map(|entry| entry.weights.iter().flatten());
        let mut ends: Vec<Bounds> = weights.map(Bounds::of).collect();
        for (number, level) in levels.into_iter().enumerate().rev() {
            let branches = self.branches(level, &mut ends, number == 0, number == 0 && has_filler);
            for property in &properties {
                let disordered = self.disordered(&branches, *property);
                for asked in asked.iter_mut().filter(claimed(*property)) {
                    self.oppose(asked, disordered.clone());
                }
            }
        }
    }

    /// The nodes of a level of subtrees with leaves on both sides. The bounds of what lies below the subtrees, four for each,
    /// become those of the subtrees; of the root's, nothing lies above.
    fn branches<'e>(
        &mut self,
        level: &'e [EntryCells],
        ends: &mut Vec<Bounds>,
        is_top: bool,
        has_filler: bool,
    ) -> Vec<Branch<'e>> {
        let mut bounded = Sums::default();
        let mut branches = Vec::new();
        let mut whole = Vec::with_capacity(level.len());
        for (index, EntryCells { nodes, .. }) in level.iter().enumerate() {
            let end = |place: usize| ends.get(4 * index + place).cloned();
            let mut branch = |node: &'e NodeCells, below: &Option<Bounds>, above: &Option<Bounds>, is_filler: bool| {
                // Without one of them, no walk arrives on that side.
                if let (Some(below), Some(above)) = (below.clone(), above.clone()) {
                    branches.push(Branch {
                        node,
                        is_filler,
                        below,
                        above,
                    });
                }
            };
            let [root, first, second] = nodes;
            let sides = [(first, end(0), end(1)), (second, end(2), end(3))].map(|(node, below, above)| {
                branch(node, &below, &above, false);
                self.joined(&mut bounded, below, above)
            });
            let [below, above] = sides;
            branch(root, &below, &above, has_filler);
            if !is_top {
                whole.extend(self.joined(&mut bounded, below, above));
            }
        }
        self.push("bounds of leaves", bounded);
        *ends = whole;
        branches
    }

    /// Bounds of both, or of the one that is there.
    fn joined(&mut self, bounded: &mut Sums, left: Option<Bounds>, right: Option<Bounds>) -> Option<Bounds> {
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.or(right),
        };
        let largest = Number::constant((1 << (WEIGHT_LIMBS * self.program.limb_bits)) - 1);
        let mut most = |numbers: [&Number; 2]| {
            let cell = self.program.new_cell();
            self.program.steps.push(Step::Witness {
                cells: vec![cell],
                range: Range::Unchecked,
                source: Source::Maximum(numbers.map(Number::combination).to_vec()),
            });
            let most = Number::cell(cell);
            let distances = numbers.map(|number| (most.minus(number), 0, Finish::NonNegative));
            bounded.sums.extend(distances);
            most
        };
        let reflected = most([&largest.minus(&left.least), &largest.minus(&right.least)]);
        Some(Bounds {
            most: most([&left.most, &right.most]),
            least: largest.minus(&reflected),
        })
    }

    /// For each node the cell of its feature, and a bit: whether some leaf on one side is out of order with some on the other.
    fn disordered(&mut self, branches: &[Branch<'_>], property: TreeProperty) -> Vec<(CellId, CellId)> {
        let mut order = Sums::default();
        let mut acting = Sums::default();
        let mut found = Vec::with_capacity(branches.len());
        for branch in branches {
            let (low, high) = match property {
                TreeProperty::Decreasing => (&branch.above, &branch.below),
                TreeProperty::Increasing | TreeProperty::Unused => (&branch.below, &branch.above),
            };
            let excess = low.most.minus(&high.least).minus(&Number::constant(1));
            let mut bit = self.is_positive(&mut order, excess);
            if let Some(acts) = branch.node.acts.filter(|_| branch.is_filler) {
                let both = Number {
                    terms: vec![(bit, 1), (acts, 1)],
                    constant: -2,
                };
                bit = self.is_positive(&mut acting, both);
            }
            found.push((branch.node.feature, bit));
        }
        self.push("order of leaves", order);
        self.push("fillers", acting);
        found
    }

    /// Adds nodes, by the cell of the feature and the bit that speaks against the claim if it is the claim's feature.
    fn oppose(&mut self, asked: &mut Asked<'_>, nodes: Vec<(CellId, CellId)>) {
        let unit = 1 << (2 * self.program.cell_bits());
        let mut reading = Sums::default();
        for (feature, bit) in nodes {
            let output = self.program.new_cell();
            let feature = Number {
                terms: vec![(feature, unit)],
                constant: 0,
            };
            let table = asked.meant;
            reading.sums.push((feature, 0, Finish::Lookup { table, output }));
            asked.against.push((output, bit));
        }
        self.push("features of nodes", reading);
    }

    /// Shows of each claim whether nothing speaks against it.
    fn show(&mut self, asked: Vec<Asked<'_>>) {
        let offset = (1 << (2 * self.program.cell_bits())) - 1;
        let mut sums = Vec::with_capacity(asked.len());
        for Asked { claim, against, .. } in asked {
            let output = self.program.new_cell();
            sums.push(Sum {
                weights: Vec::new(),
                products: against,
                bias: offset,
                finish: Finish::Lookup {
                    table: self.none,
                    output,
                },
            });
            self.program
                .show(&claim.to_string(), vec![1], OutputKind::Bool, vec![output]);
        }
        self.program.add_layer("claims", Vec::new(), sums);
    }
}

impl Bounds {
    /// Of a single leaf.
    fn of(weight: &Number) -> Self {
        Self {
            most: weight.clone(),
            least: weight.clone(),
        }
    }
}
