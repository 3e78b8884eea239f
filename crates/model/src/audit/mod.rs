//! Audits: one program over all rows of a labelled table: `docs/spec/audit.md`.
//!
//! The steps of a model that decides between classes are repeated for every row; the rows' labels, and the groups they
//! belong to, are further inputs. What is counted over the rows, or what follows from the counts, are the outputs.

mod claim;
mod counts;
mod steps;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use claim::{Claim, Fraction};

use crate::{
    CellId, Finish, Format, InputCell, Limit, Limited, ModelError, OutputCells, OutputKind, Program, Range, Source,
    Step, Sum, Table, TreePath,
};

/// Classes of an audited model, at most.
pub const MOST_CLASSES: usize = 16;

/// Groups that an audit compares, at most.
pub const MOST_GROUPS: usize = 8;

/// What is asked of a model over a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Rows of the table.
    pub rows: usize,
    /// Name of the labels: the class that is right, by its number.
    pub label: String,
    /// Name of the groups: a number from 0 for each row.
    pub group: Option<String>,
    /// How many groups there are.
    #[serde(default = "two", skip_serializing_if = "is_two")]
    pub groups: usize,
    /// The class that is selected, by its number. Of two classes it is the second one where nothing is said; of more, all
    /// are counted alike where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<usize>,
    /// What is said. Where nothing is, the counts are shown.
    pub claims: Vec<Claim>,
}

fn two() -> usize {
    2
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_two(count: &usize) -> bool {
    *count == 2
}

/// The cells of one row that are counted.
#[derive(Debug, Clone)]
struct RowBits {
    /// The number of its class.
    label: CellId,
    /// Where one class is selected.
    selection: Option<Selection>,
    /// Of more than two classes with one selected, or with nothing but their accuracy counted: whether label and decision
    /// are at least each other. One of both always holds.
    agreement: Option<[CellId; 2]>,
    /// Of more than two classes that are counted alike.
    pairs: Option<Pairs>,
}

/// Whether the model decides for the selected class, whether that is the label, and both; also within each group but the
/// first.
#[derive(Debug, Clone)]
struct Selection {
    selected: CellId,
    positive: CellId,
    true_positive: CellId,
    groups: Vec<GroupBits>,
}

/// Whether a row is in a group, and what holds together with that.
#[derive(Debug, Clone, Copy)]
struct GroupBits {
    member: CellId,
    selected: CellId,
    positive: CellId,
    true_positive: CellId,
}

/// Whether the label is each class but the first, whether the decision is, and for each label each decision with it.
#[derive(Debug, Clone)]
struct Pairs {
    labels: Vec<CellId>,
    decisions: Vec<CellId>,
    both: Vec<Vec<CellId>>,
}

/// One row's cells by those of the model that decides about one row.
type RowCells = HashMap<CellId, CellId>;

struct Auditor<'a> {
    program: Program,
    audit: &'a Audit,
    /// Decides about one row.
    model: &'a Program,
    /// Between so many classes.
    classes: usize,
    /// The selected class.
    positive: Option<usize>,
    rows: Vec<RowCells>,
}

impl Program {
    /// The audit of this program, which decides about one row.
    ///
    /// # Errors
    /// [`ModelError::Audit`]: a program without a single decision between classes; too many rows, classes or groups; claims
    /// about groups where there are none. [`ModelError::NoSelectedClass`].
    pub fn audit(&self, audit: &Audit) -> Result<Self, ModelError> {
        let refuse = |reason: &'static str| Err(ModelError::Audit { reason });
        if audit.rows == 0 || audit.rows as i64 >= self.cell_max() {
            return refuse(
                "it counts from 1 to 2^(2L) − 1 rows, with L the limb bits; take fewer rows, or larger limbs",
            );
        }
        let shares = audit.claims.iter().all(|claim| match claim {
            Claim::FourFifths => true,
            Claim::Accuracy(share) | Claim::Parity(share) | Claim::Opportunity(share) => share.is_share(),
        });
        if !shares {
            return refuse("its shares lie between 0 and 1 and have denominators up to 10,000");
        }
        if audit.group.is_none() && audit.claims.iter().any(|claim| claim.compares_groups()) {
            return refuse("it has no groups to compare; name the column of the protected attribute");
        }
        if audit.group.is_some() && !(2..=MOST_GROUPS).contains(&audit.groups) {
            return refuse("it compares 2 to 8 groups; join some of them");
        }
        let (label, names) = self.decision()?;
        let classes = names.len();
        if audit.positive.is_some_and(|class| class >= classes) {
            return refuse("the model has no class of that number");
        }
        let positive = audit.positive.or((classes == 2).then_some(1));
        if audit.group.is_some() && positive.is_none() {
            return Err(ModelError::NoSelectedClass { classes: names });
        }
        let mut auditor = Auditor {
            program: Self {
                cells: 0,
                memory: Vec::new(),
                steps: Vec::new(),
                limited: Vec::new(),
                convolutions: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                records: Some(audit.rows),
                ..self.clone()
            },
            audit,
            model: self,
            classes,
            positive,
            rows: vec![RowCells::new(); audit.rows],
        };
        let names = &mut auditor.program.input_names;
        names.push(audit.label.clone());
        names.extend(audit.group.clone());
        let steps = self.needed_for(label);
        let last_tree = steps.iter().rposition(|step| matches!(step, Step::Tree(_)));
        let (walked, decided) = steps.split_at(last_tree.map_or(0, |last| last + 1));
        auditor.walk(walked);
        let rows: Vec<RowBits> = (0..audit.rows).map(|row| auditor.decide(row, decided, label)).collect();
        auditor.outputs(&rows);
        auditor.program.validate()?;
        Ok(auditor.program)
    }

    /// The names of the classes that a program decides between, two or more.
    ///
    /// # Errors
    /// [`ModelError::Audit`] where there is no such decision, or there are too many classes.
    pub fn classes(&self) -> Result<Vec<String>, ModelError> {
        Ok(self.decision()?.1)
    }

    /// The cell of the class that is decided on, and the names of all classes.
    fn decision(&self) -> Result<(CellId, Vec<String>), ModelError> {
        let classes = |output: &OutputCells| match &output.kind {
            OutputKind::IntLabel(labels) => labels.iter().map(ToString::to_string).collect(),
            OutputKind::StringLabel(labels) => labels.clone(),
            OutputKind::Bool => vec!["false".to_owned(), "true".to_owned()],
            OutputKind::Index => (0..self.indices(&output.cells))
                .map(|index| index.to_string())
                .collect(),
            OutputKind::Real | OutputKind::Quantized { .. } => Vec::new(),
        };
        let decisions = self.outputs.iter().map(|output| (output, classes(output)));
        let mut decisions = decisions.filter(|(_, classes)| !classes.is_empty());
        let (Some((decision, classes)), None) = (decisions.next(), decisions.next()) else {
            return Err(ModelError::Audit {
                reason: "the model has no output, or several, that is a class; export a classifier with its label",
            });
        };
        let counts_from_zero = |cell: &CellId| match classes.len() {
            2 => decision.format == Format::INTEGER && self.is_bit(*cell),
            count => decision.format == Format::INTEGER && (3..=MOST_CLASSES).contains(&count),
        };
        match decision.cells.as_slice() {
            [cell] if counts_from_zero(cell) => Ok((*cell, classes)),
            _ => Err(ModelError::Audit {
                reason: "the model decides between fewer than 2 classes, or more than 16; audits count up to 16",
            }),
        }
    }

    /// How many numbers an index may be that says which is the first largest of some; zero, where it is no such index.
    fn indices(&self, cells: &[CellId]) -> usize {
        let &[index] = cells else { return 0 };
        // Of two, it is a comparison.
        if self.is_bit(index) {
            return 2;
        }
        let chosen = self.steps.iter().filter_map(|step| match step {
            Step::Witness {
                cells,
                source: Source::FirstMaximum(_),
                ..
            } => Some(cells),
            _ => None,
        });
        let sums = self.steps.iter().find_map(|step| match step {
            Step::Layer(layer) => {
                let sum = layer.sums.iter().find(|sum| sum.finish.output() == Some(index))?;
                let read = layer
                    .inputs
                    .iter()
                    .zip(&sum.weights)
                    .filter(|(_, weight)| **weight != 0);
                Some(read.map(|(cell, _)| *cell).collect())
            }
            _ => None,
        });
        let read: Vec<CellId> = sums.unwrap_or_default();
        let mut chosen = chosen.filter(|bits| !read.is_empty() && read.iter().all(|cell| bits.contains(cell)));
        chosen.next().map_or(0, Vec::len)
    }

    /// Whether steps prove that a cell is 0 or 1.
    fn is_bit(&self, bit: CellId) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Witness { cells, range, .. } => *range == Range::Bit && cells.contains(&bit),
            Step::Layer(layer) => layer.sums.iter().any(|sum| match sum.finish {
                Finish::Lookup { table, output } if output == bit => {
                    let Table { entries, stride } = &self.tables[table.index()];
                    *stride == 0 && entries.iter().all(|entry| (0..=1).contains(entry))
                }
                _ => false,
            }),
            _ => false,
        })
    }
}

impl Auditor<'_> {
    /// The cells of a row that stand where these stand in the model.
    fn cells_of(&mut self, row: usize, cells: &[CellId]) -> Vec<CellId> {
        cells.iter().map(|cell| self.cell_of(row, *cell)).collect()
    }

    fn cell_of(&mut self, row: usize, cell: CellId) -> CellId {
        let next = CellId(u32::try_from(self.program.cells).expect("fewer than 2^32 cells"));
        let known = *self.rows[row].entry(cell).or_insert(next);
        self.program.cells += usize::from(known == next);
        known
    }

    fn repeat(&mut self, row: usize, step: &Step) {
        let step = step.moved(&mut |cell| self.cell_of(row, cell));
        self.program.steps.push(step);
    }

    /// The steps up to the last tree. Each tree stands once, for all rows; each row has a bank of the memory.
    fn walk(&mut self, steps: &[Step]) {
        let rows = 0..self.audit.rows;
        for step in steps {
            match step {
                Step::Tree(path) => {
                    let leaf: Vec<CellId> = path.outputs.concat();
                    let outputs = rows.clone().map(|row| self.cells_of(row, &leaf)).collect();
                    self.program.steps.push(Step::Tree(TreePath {
                        outputs,
                        ..path.clone()
                    }));
                }
                step => rows.clone().for_each(|row| self.repeat(row, step)),
            }
        }
        if !steps.is_empty() {
            let model = self.model;
            for row in rows {
                let bank = self.cells_of(row, &model.memory);
                self.program.memory.extend(bank);
            }
        }
    }

    /// The other steps for one row, with its label and group.
    fn decide(&mut self, row: usize, steps: &[Step], label: CellId) -> RowBits {
        steps.iter().for_each(|step| self.repeat(row, step));
        let cells = &self.rows[row];
        for limited in &self.model.limited {
            let known = limited.limits.iter().filter_map(|limit| {
                let cell = *cells.get(&limit.cell)?;
                Some(Limit { cell, ..*limit })
            });
            let known: Vec<Limit> = known.collect();
            match self.program.limited.iter_mut().find(|node| node.name == limited.name) {
                Some(node) => node.limits.extend(known),
                None => self.program.limited.push(Limited {
                    name: limited.name.clone(),
                    limits: known,
                }),
            }
        }
        let lengths = |tensor: usize| self.model.inputs.iter().filter(|input| input.tensor == tensor).count();
        for input in &self.model.inputs {
            self.program.inputs.push(InputCell {
                index: row * lengths(input.tensor) + input.index,
                cell: cells[&input.cell],
                ..input.clone()
            });
        }
        let decision = cells[&label];
        let tensor = self.model.input_names.len();
        let label = self.given(tensor, row, self.classes);
        let group = self.audit.group.as_ref().map(|_| {
            let cell = self.given(tensor + 1, row, self.audit.groups);
            (cell, self.audit.groups)
        });
        self.count_together(decision, label, group)
    }

    /// A number below `count` that the table gives.
    fn given(&mut self, tensor: usize, index: usize, count: usize) -> CellId {
        let range = if count == 2 { Range::Bit } else { Range::Cell };
        let categories = Some((0..count as i64).collect());
        self.program.given((tensor, index), range, categories)
    }

    /// A bit for each number below `count`, set where the cell is that number. It is one of them.
    fn one_hot(&mut self, name: &str, cell: CellId, count: usize) -> Vec<CellId> {
        let categories: Vec<i64> = (0..count as i64).collect();
        let bits: Vec<CellId> = categories.iter().map(|_| self.program.new_cell()).collect();
        // Σ t·b_t − cell and Σ b_t − 1 in one sum: the factor exceeds anything the first can reach.
        let factor = 2 * self.program.cell_max();
        let weights = categories.iter().map(|category| category + factor).chain([-1]);
        let sum = Sum {
            weights: weights.collect(),
            products: Vec::new(),
            bias: -i128::from(factor),
            finish: Finish::Zero,
        };
        self.program.steps.push(Step::Witness {
            cells: bits.clone(),
            range: Range::Bit,
            source: Source::OneHot {
                source: cell,
                categories,
            },
        });
        self.program
            .add_layer(name, bits.iter().copied().chain([cell]).collect(), vec![sum]);
        bits
    }

    /// What of a row is counted.
    fn count_together(&mut self, decision: CellId, label: CellId, group: Option<(CellId, usize)>) -> RowBits {
        let none = RowBits {
            label,
            selection: None,
            agreement: None,
            pairs: None,
        };
        let Some(class) = self.positive else {
            let labels = self.one_hot("labels", label, self.classes).split_off(1);
            if !self.audit.claims.is_empty() {
                return RowBits {
                    agreement: Some(self.agreement(label, decision)),
                    ..none
                };
            }
            let decisions = self.one_hot("decisions", decision, self.classes).split_off(1);
            return RowBits {
                pairs: Some(self.pairs(labels, decisions)),
                ..none
            };
        };
        let [positive, selected] = match (self.classes, class) {
            (2, 1) => [label, decision],
            (classes, class) => [("labels", label), ("decisions", decision)]
                .map(|(name, cell)| self.one_hot(name, cell, classes)[class]),
        };
        let members = match group {
            None => Vec::new(),
            Some((cell, 2)) => vec![cell],
            Some((cell, count)) => self.one_hot("groups", cell, count).split_off(1),
        };
        RowBits {
            agreement: (self.classes > 2).then(|| self.agreement(label, decision)),
            selection: Some(self.selection(selected, positive, &members)),
            ..none
        }
    }

    fn agreement(&mut self, label: CellId, decision: CellId) -> [CellId; 2] {
        let at_least = [vec![(label, 1), (decision, -1)], vec![(decision, 1), (label, -1)]];
        let bits = self.not_negative("right", vec![label, decision], &at_least.map(|terms| (terms, 0)));
        [bits[0], bits[1]]
    }

    fn selection(&mut self, selected: CellId, positive: CellId, members: &[CellId]) -> Selection {
        let mut together = vec![vec![selected, positive]];
        for member in members {
            together.push(vec![selected, *member]);
            together.push(vec![positive, *member]);
            together.push(vec![selected, positive, *member]);
        }
        let inputs = [selected, positive].into_iter().chain(members.iter().copied());
        let all = self.all_of(inputs.collect(), &together);
        let groups = members.iter().zip(all[1..].chunks(3));
        Selection {
            selected,
            positive,
            true_positive: all[0],
            groups: groups
                .map(|(member, all)| GroupBits {
                    member: *member,
                    selected: all[0],
                    positive: all[1],
                    true_positive: all[2],
                })
                .collect(),
        }
    }

    fn pairs(&mut self, labels: Vec<CellId>, decisions: Vec<CellId>) -> Pairs {
        let with = |label: &CellId| {
            decisions
                .iter()
                .map(|decision| vec![*label, *decision])
                .collect::<Vec<_>>()
        };
        let together: Vec<Vec<CellId>> = labels.iter().flat_map(with).collect();
        let all = self.all_of([labels.as_slice(), &decisions].concat(), &together);
        Pairs {
            both: all.chunks(decisions.len()).map(<[CellId]>::to_vec).collect(),
            labels,
            decisions,
        }
    }

    /// For each of these sets of bits whether all of them hold.
    fn all_of(&mut self, inputs: Vec<CellId>, together: &[Vec<CellId>]) -> Vec<CellId> {
        let sums: Vec<_> = together
            .iter()
            .map(|bits| (bits.iter().map(|bit| (*bit, 1)).collect(), -(bits.len() as i64)))
            .collect();
        self.not_negative("rows", inputs, &sums)
    }

    /// Of sums over a few of these cells, whether each is not negative.
    fn not_negative(&mut self, name: &str, inputs: Vec<CellId>, sums: &[(Vec<(CellId, i64)>, i64)]) -> Vec<CellId> {
        let place = self.comparison_table(self.program.cell_max().into());
        let outputs: Vec<CellId> = sums.iter().map(|_| self.program.new_cell()).collect();
        let weight = |terms: &[(CellId, i64)], input: &CellId| {
            let term = terms.iter().find(|(cell, _)| cell == input);
            term.map_or(0, |(_, weight)| *weight)
        };
        let sums = sums.iter().zip(&outputs).map(|((terms, constant), output)| Sum {
            weights: inputs.iter().map(|input| weight(terms, input)).collect(),
            products: Vec::new(),
            bias: place.offset + i128::from(*constant),
            finish: Finish::Lookup {
                table: place.table,
                output: *output,
            },
        });
        let sums = sums.collect();
        self.program.add_layer(name, inputs, sums);
        outputs
    }
}
