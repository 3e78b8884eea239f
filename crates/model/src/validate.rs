//! Checks of a program that comes from a file: every index in range, every cell computed once and before its use.

use std::collections::{BTreeSet, HashSet};

use crate::{
    CellId, Combination, Finish, Format, Layer, ModelError, Program, Range, Source, Step, SumIndex, TableId, TreePath,
};

type Check = Result<(), &'static str>;

/// More than any model that fits a circuit has.
const MAX_CELLS: usize = 1 << 28;
/// Formats beyond these bounds would leave the floats or the integers they convert between.
const MAX_SCALE: u32 = 1000;
const MAX_ZERO: u64 = 1 << 62;

/// Levels of a committed tree, which is complete.
pub(crate) const MAX_COMMITTED_DEPTH: u32 = 12;

impl Program {
    /// Checks that the program can be executed and laid out without reaching outside of itself.
    ///
    /// # Errors
    /// [`ModelError::MalformedProgram`].
    pub fn validate(&self) -> Result<(), ModelError> {
        self.check().map_err(|problem| ModelError::MalformedProgram { problem })
    }

    fn check(&self) -> Check {
        require(
            (5..=14).contains(&self.limb_bits),
            "the limb size is outside 5 to 14 bits",
        )?;
        for table in &self.tables {
            require(
                table.stride <= 1 && table.domain() > 0,
                "a table is empty or has another stride",
            )?;
            require(
                table.entries.iter().all(|entry| (0..=1 << 40).contains(entry)),
                "a table entry is too large",
            )?;
        }
        require(self.cells <= MAX_CELLS, "there are too many cells")?;
        require(
            self.records.is_none_or(|rows| {
                rows > 0
                    && [&self.inputs.len(), &self.memory.len()]
                        .iter()
                        .all(|count| count.is_multiple_of(rows))
            }),
            "its inputs or its memory are no whole rows",
        )?;
        let opened = || self.opened.iter();
        require(
            opened().all(|opened| (1..=MAX_COMMITTED_DEPTH).contains(&opened.tree.depth)),
            "a committed tree is too deep, or has no level",
        )?;
        opened().try_for_each(|opened| check_format(&opened.tree.format))?;
        let inputs = opened().flat_map(|opened| opened.entries(self.limb_bits));
        require(
            self.opened.is_empty() || (self.records.is_none() && inputs.sum::<usize>() == self.inputs.len()),
            "its inputs are not the nodes and leaves of its trees",
        )?;
        let is_committed = self.has_committed_trees();
        require(
            self.steps.iter().all(|step| match step {
                Step::Witness { range, .. } => is_committed || *range != Range::Wide,
                Step::Bin { .. } => !is_committed,
                Step::Layer(_) | Step::Tree(_) | Step::Curve { .. } => true,
            }),
            "a number is proven as those are that other trees compare",
        )?;
        let mut defined = vec![false; self.cells];
        for step in &self.steps {
            self.check_step(step, &mut defined)?;
        }
        self.check_convolutions()?;
        self.check_parameters()?;
        let mut lengths = vec![0; self.input_names.len()];
        for input in &self.inputs {
            *lengths.get_mut(input.tensor).ok_or("an input belongs to no tensor")? += 1;
            check_format(&input.format)?;
            read(input.cell, &defined)?;
        }
        for input in &self.inputs {
            require(
                lengths.get(input.tensor).is_some_and(|length| input.index < *length),
                "an input lies outside of its tensor",
            )?;
        }
        self.outputs
            .iter()
            .try_for_each(|output| check_format(&output.format))?;
        let limits = self.limited.iter().flat_map(|limited| &limited.limits);
        limits.into_iter().try_for_each(|limit| read(limit.cell, &defined))?;
        self.outputs
            .iter()
            .flat_map(|output| &output.cells)
            .try_for_each(|cell| read(*cell, &defined))
    }

    /// Each convolution is what its sums say.
    fn check_convolutions(&self) -> Check {
        let index = SumIndex::new(self);
        let mut known = HashSet::new();
        for convolution in &self.convolutions {
            convolution.kernel(self, &index)?;
            let outputs = &convolution.outputs;
            require(
                outputs.iter().all(|output| known.insert(output.cell)),
                "a sum belongs to two convolutions",
            )?;
        }
        Ok(())
    }

    fn check_step(&self, step: &Step, defined: &mut [bool]) -> Check {
        match step {
            Step::Witness { cells, source, .. } => {
                let (reads, results) = match source {
                    Source::Input => (Vec::new(), cells.len()),
                    Source::OneHot { source, categories } => (vec![*source], categories.len()),
                    Source::Maximum(among) => (cells_of(among), 1),
                    Source::Total(number) => (cells_of(std::slice::from_ref(number)), 1),
                    Source::FirstMaximum(among) => (cells_of(among), among.len()),
                    Source::Quotient {
                        numerators,
                        denominator,
                    } => {
                        let mut reads = numerators.clone();
                        reads.push(*denominator);
                        (reads, numerators.len())
                    }
                };
                reads.into_iter().try_for_each(|cell| read(cell, defined))?;
                require(
                    results == cells.len(),
                    "a witness step has another number of cells than results",
                )?;
                cells.iter().try_for_each(|cell| define(*cell, defined))
            }
            Step::Layer(layer) => self.check_layer(layer, defined),
            Step::Bin { table, input, output } => {
                read(*input, defined)?;
                self.table(*table)?;
                define(*output, defined)
            }
            Step::Tree(path) => self.check_tree(path, defined),
            Step::Curve { table, input, output } => {
                read(*input, defined)?;
                // The largest cell opens a segment of its own.
                let segments = (1_usize << (self.limb_bits - 1)) + 1;
                require(self.table(*table)? >= segments, "a curve's table is too short")?;
                define(*output, defined)
            }
        }
    }

    fn check_layer(&self, layer: &Layer, defined: &mut [bool]) -> Check {
        layer.inputs.iter().try_for_each(|cell| read(*cell, defined))?;
        for sum in &layer.sums {
            require(
                sum.weights.len() == layer.inputs.len() || (layer.parameters.is_some() && sum.weights.is_empty()),
                "a sum has another number of weights than inputs",
            )?;
            let factors = sum.products.iter().flat_map(|(left, right)| [left, right]);
            factors.into_iter().try_for_each(|cell| read(*cell, defined))?;
            require(sum.bias.unsigned_abs() < 1 << 120, "a bias is too large")?;
            if let Finish::Lookup { table, output } = sum.finish {
                self.table(table)?;
                define(output, defined)?;
            }
        }
        Ok(())
    }

    /// Every node leads to nodes of the next level, and the last level's to leaves.
    fn check_tree(&self, path: &TreePath, defined: &mut [bool]) -> Check {
        if let Some(committed) = &path.committed {
            require(
                (1..=MAX_COMMITTED_DEPTH).contains(&committed.depth),
                "a committed tree is too deep, or has no level",
            )?;
            check_format(&committed.format)?;
            require(
                path.lacks_nodes() == path.levels.is_empty(),
                "a committed tree has nodes without leaves, or leaves without nodes",
            )?;
            require(
                path.lacks_nodes() || path.levels.len() == committed.depth as usize,
                "a committed tree has another depth than it says",
            )?;
            self.memory.iter().try_for_each(|cell| read(*cell, defined))?;
        }
        require(
            path.outputs.len() == self.records.unwrap_or(1)
                && path.outputs.iter().all(|weights| weights.len() == path.weights()),
            "a tree has not one result for each row",
        )?;
        let path = path.complete();
        let mut features = BTreeSet::new();
        let always = path.always(self.limb_bits);
        let mut indices = vec![0];
        for level in &path.levels {
            require(
                level.iter().map(|node| node.index).eq(indices.iter().copied()),
                "a tree's level has gaps",
            )?;
            indices.clear();
            for node in level {
                features.insert(node.feature as usize);
                let below = node.index.checked_mul(2).ok_or("a tree is too deep")?;
                indices.push(below);
                if path.committed.is_some() || node.split < always {
                    indices.push(below + 1);
                }
            }
        }
        for bank in self.banks() {
            for feature in &features {
                let cell = bank.get(*feature).ok_or("a tree reads an address that is not there")?;
                read(*cell, defined)?;
            }
        }
        require(
            path.leaves.iter().map(|leaf| leaf.index).eq(indices),
            "a tree's leaves have gaps",
        )?;
        let complete = path.leaves.iter().all(|leaf| leaf.weights.len() == path.weights());
        require(
            complete,
            "a leaf has another number of weights than the tree has outputs",
        )?;
        path.outputs
            .iter()
            .flatten()
            .try_for_each(|cell| define(*cell, defined))
    }

    fn table(&self, table: TableId) -> Result<usize, &'static str> {
        self.tables
            .get(table.index())
            .map(crate::Table::domain)
            .ok_or("a step names a table that is not there")
    }
}

fn cells_of(numbers: &[Combination]) -> Vec<CellId> {
    let terms = numbers.iter().flat_map(|number| &number.terms);
    terms.map(|(cell, _)| *cell).collect()
}

fn check_format(format: &Format) -> Check {
    require(
        format.scale.unsigned_abs() <= MAX_SCALE && format.zero.unsigned_abs() <= MAX_ZERO,
        "a format is out of bounds",
    )
}

fn require(holds: bool, problem: &'static str) -> Check {
    if holds { Ok(()) } else { Err(problem) }
}

fn read(cell: CellId, defined: &[bool]) -> Check {
    require(
        defined.get(cell.index()) == Some(&true),
        "a cell is read before it is computed",
    )
}

fn define(cell: CellId, defined: &mut [bool]) -> Check {
    match defined.get_mut(cell.index()) {
        Some(slot) if !*slot => {
            *slot = true;
            Ok(())
        }
        _ => Err("a cell is computed twice or is not there"),
    }
}
