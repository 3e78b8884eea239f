//! Audits: one program over all rows of a labelled table: `docs/spec/audit.md`.
//!
//! The steps of a model that decides between two classes are repeated for every row; the rows' labels, and the groups they
//! belong to, are further inputs. What is counted over the rows, or what follows from the counts, are the outputs.

mod claim;
mod counts;
mod steps;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use claim::{Claim, Fraction};

use crate::{
    CellId, Finish, Format, InputCell, Limit, Limited, ModelError, OutputKind, Program, Range, Source, Step, Sum,
    Table, TreePath,
};

/// What is asked of a model over a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Rows of the table.
    pub rows: usize,
    /// Name of the labels: the class that is right, by its number.
    pub label: String,
    /// Name of the groups: 0 or 1 for each row.
    pub group: Option<String>,
    /// What is said. Where nothing is, the counts are shown.
    pub claims: Vec<Claim>,
}

/// The bits of one row that are counted: whether the model decides for the second class, whether that is its label,
/// whether it is in the second group, and which of these hold together.
#[derive(Debug, Clone, Copy)]
struct RowBits {
    selected: CellId,
    positive: CellId,
    group: Option<CellId>,
    true_positive: CellId,
    selected_in_group: Option<CellId>,
    positive_in_group: Option<CellId>,
    true_positive_in_group: Option<CellId>,
}

/// One row's cells by those of the model that decides about one row.
type RowCells = HashMap<CellId, CellId>;

struct Auditor<'a> {
    program: Program,
    audit: &'a Audit,
    /// Decides about one row.
    model: &'a Program,
    rows: Vec<RowCells>,
}

impl Program {
    /// The audit of this program, which decides about one row.
    ///
    /// # Errors
    /// [`ModelError::Audit`]: a program without a single decision between two classes; too many rows; claims about
    /// groups where there are none.
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
        let (label, _) = self.decision()?;
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

    /// The classes that a program decides between.
    ///
    /// # Errors
    /// [`ModelError::Audit`] where there are not two.
    pub fn two_classes(&self) -> Result<[String; 2], ModelError> {
        Ok(match self.decision()?.1 {
            OutputKind::IntLabel(labels) => [labels[0].to_string(), labels[1].to_string()],
            OutputKind::StringLabel(labels) => [labels[0].clone(), labels[1].clone()],
            _ => ["false".to_owned(), "true".to_owned()],
        })
    }

    /// The cell of the class that is decided on, of two.
    fn decision(&self) -> Result<(CellId, OutputKind), ModelError> {
        let classes = |kind: &OutputKind| match kind {
            OutputKind::IntLabel(labels) => labels.len(),
            OutputKind::StringLabel(labels) => labels.len(),
            OutputKind::Bool => 2,
            _ => 0,
        };
        let mut decisions = self.outputs.iter().filter(|output| classes(&output.kind) > 0);
        let (Some(decision), None) = (decisions.next(), decisions.next()) else {
            return Err(ModelError::Audit {
                reason: "the model has no output, or several, that is a class; export a classifier with its label",
            });
        };
        let is_bit = |cell: &CellId| self.is_bit(*cell);
        match decision.cells.as_slice() {
            [cell] if classes(&decision.kind) == 2 && decision.format == Format::INTEGER && is_bit(cell) => {
                Ok((*cell, decision.kind.clone()))
            }
            _ => Err(ModelError::Audit {
                reason: "the model decides between more or fewer than two classes; audits count two",
            }),
        }
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
    fn new_cell(&mut self) -> CellId {
        self.program.cells += 1;
        CellId(u32::try_from(self.program.cells - 1).expect("fewer than 2^32 cells"))
    }
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
        let selected = cells[&label];
        let tensor = self.model.input_names.len();
        let positive = self.given(tensor, row);
        let group = self.audit.group.as_ref().map(|_| self.given(tensor + 1, row));
        self.count_together(selected, positive, group)
    }

    /// A bit that the table gives.
    fn given(&mut self, tensor: usize, index: usize) -> CellId {
        let cell = self.new_cell();
        self.program.steps.push(Step::Witness {
            cells: vec![cell],
            range: Range::Bit,
            source: Source::Input,
        });
        self.program.inputs.push(InputCell {
            tensor,
            index,
            cell,
            format: Format::INTEGER,
            float32: false,
            categories: Some(vec![0, 1]),
        });
        cell
    }

    /// Which bits of a row hold together.
    fn count_together(&mut self, selected: CellId, positive: CellId, group: Option<CellId>) -> RowBits {
        let mut inputs = vec![selected, positive];
        inputs.extend(group);
        let place = self.comparison_table(inputs.len() as i128);
        let mut sums = Vec::new();
        let mut all = |auditor: &mut Self, among: &[bool]| {
            let output = auditor.new_cell();
            let bits: Vec<i64> = among.iter().map(|taken| i64::from(*taken)).collect();
            let taken: i64 = bits.iter().sum();
            sums.push(Sum {
                bias: place.offset - i128::from(taken),
                weights: bits,
                products: Vec::new(),
                finish: Finish::Lookup {
                    table: place.table,
                    output,
                },
            });
            output
        };
        let none = RowBits {
            selected,
            positive,
            group,
            true_positive: selected,
            selected_in_group: None,
            positive_in_group: None,
            true_positive_in_group: None,
        };
        let bits = match group {
            None => RowBits {
                true_positive: all(self, &[true, true]),
                ..none
            },
            Some(_) => RowBits {
                true_positive: all(self, &[true, true, false]),
                selected_in_group: Some(all(self, &[true, false, true])),
                positive_in_group: Some(all(self, &[false, true, true])),
                true_positive_in_group: Some(all(self, &[true, true, true])),
                ..none
            },
        };
        self.layer("rows", inputs, sums);
        bits
    }
}
