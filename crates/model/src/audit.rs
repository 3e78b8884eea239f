//! Audits: one program over all rows of a labelled table: `docs/spec/audit.md`.
//!
//! The steps of a model that decides between two classes are repeated for every row; the rows' labels, and the groups they
//! belong to, are further inputs. What is counted over the rows, or what follows from the counts, are the outputs.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    CellId, Combination, Finish, Format, InputCell, Layer, Limit, Limited, ModelError, OutputCells, OutputKind,
    Program, Range, Source, Step, Sum, Table, TableId,
};

/// A fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Above the line.
    pub numerator: u32,
    /// Below the line.
    pub denominator: u32,
}

impl Fraction {
    /// Largest denominator.
    pub const MOST: u32 = 10_000;

    /// Whether it lies between zero and one and its denominator is small enough.
    pub fn is_share(self) -> bool {
        (1..=Self::MOST).contains(&self.denominator) && self.numerator <= self.denominator
    }
}

impl std::str::FromStr for Fraction {
    type Err = String;

    /// Reads a decimal fraction such as `0.05` exactly.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no number from 0 to 1 with at most four decimals, such as 0.05");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 1 || decimals.len() > 4 || !is_digits(whole) || !is_digits(decimals) {
            return Err(refused());
        }
        let mut fraction = Self {
            numerator: format!("{whole}{decimals}").parse().map_err(|_| refused())?,
            denominator: 10_u32.pow(decimals.len() as u32),
        };
        for factor in [2, 5] {
            while fraction.denominator > 1
                && fraction.denominator.is_multiple_of(factor)
                && fraction.numerator.is_multiple_of(factor)
            {
                fraction.numerator /= factor;
                fraction.denominator /= factor;
            }
        }
        if fraction.is_share() {
            Ok(fraction)
        } else {
            Err(refused())
        }
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", f64::from(self.numerator) / f64::from(self.denominator))
    }
}

/// What an audit may say instead of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// `correct / rows ≥ t`
    Accuracy(Fraction),
    /// Neither group's selection rate is below four fifths of the other's.
    FourFifths,
    /// The groups' selection rates differ by at most this.
    Parity(Fraction),
    /// The groups' true positive rates differ by at most this.
    Opportunity(Fraction),
}

impl Claim {
    /// Whether it compares groups.
    pub fn compares_groups(self) -> bool {
        !matches!(self, Self::Accuracy(_))
    }
}

impl std::str::FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "four-fifths" {
            return Ok(Self::FourFifths);
        }
        if let Some(least) = text.strip_prefix("accuracy>=") {
            return Ok(Self::Accuracy(least.parse()?));
        }
        if let Some(most) = text.strip_prefix("parity<=") {
            return Ok(Self::Parity(most.parse()?));
        }
        if let Some(most) = text.strip_prefix("opportunity<=") {
            return Ok(Self::Opportunity(most.parse()?));
        }
        Err(format!(
            "{text:?} is no claim; use accuracy>=0.7, four-fifths, parity<=0.1 or opportunity<=0.1"
        ))
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accuracy(least) => write!(formatter, "accuracy>={least}"),
            Self::FourFifths => formatter.write_str("four-fifths"),
            Self::Parity(most) => write!(formatter, "parity<={most}"),
            Self::Opportunity(most) => write!(formatter, "opportunity<={most}"),
        }
    }
}

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

/// What is known of the rows of one group, or of all: cells of counts.
#[derive(Debug, Clone, Copy)]
struct Counts {
    rows: CellId,
    selected: CellId,
    positives: CellId,
    true_positives: CellId,
}

/// A sum of counts: cells with their weights, and a constant.
#[derive(Debug, Clone, Default)]
struct Total {
    terms: Vec<(CellId, i64)>,
    constant: i64,
}

impl Total {
    fn count(cell: CellId) -> Self {
        Self {
            terms: vec![(cell, 1)],
            constant: 0,
        }
    }

    fn minus(mut self, cell: CellId) -> Self {
        self.terms.push((cell, -1));
        self
    }

    fn plus(mut self, cell: CellId) -> Self {
        self.terms.push((cell, 1));
        self
    }
}

/// A number that is compared with zero: products of counts with their weights, and a sum of counts.
#[derive(Debug, Clone, Default)]
struct Difference {
    products: Vec<(i64, CellId, CellId)>,
    terms: Vec<(CellId, i64)>,
    constant: i64,
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

struct Auditor<'a> {
    program: Program,
    audit: &'a Audit,
    /// Of the model that decides about one row.
    model: &'a Program,
    steps: Vec<Step>,
}

impl Program {
    /// The audit of this program, which decides about one row.
    ///
    /// # Errors
    /// [`ModelError::Audit`]: a program without a single decision between two classes; one with trees; too many rows;
    /// claims about groups where there are none.
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
        if self.compares_floats() {
            return refuse("it repeats linear models and networks; rows of decision trees share no tables yet");
        }
        let (label, _) = self.decision()?;
        let mut auditor = Auditor {
            program: Self {
                cells: 0,
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
            steps: self.needed_for(label),
        };
        let names = &mut auditor.program.input_names;
        names.push(audit.label.clone());
        names.extend(audit.group.clone());
        let rows: Vec<RowBits> = (0..audit.rows).map(|number| auditor.row(label, number)).collect();
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

    /// The steps that compute a cell, with every step that constrains cells without computing any. Parameters of a
    /// committed model stay together.
    fn needed_for(&self, result: CellId) -> Vec<Step> {
        let mut needed = vec![false; self.cells];
        needed[result.index()] = true;
        let mut steps = Vec::new();
        for step in self.steps.iter().rev() {
            let kept = match step {
                Step::Layer(layer) => {
                    let is_kept = |sum: &&Sum| {
                        let output = sum.finish.output();
                        output.is_none_or(|cell| needed[cell.index()]) || layer.parameters.is_some()
                    };
                    let sums: Vec<Sum> = layer.sums.iter().filter(is_kept).cloned().collect();
                    let kept = (!sums.is_empty()).then(|| layer.with_sums(sums));
                    if let Some(layer) = &kept {
                        let factors = layer.sums.iter().flat_map(|sum| &sum.products);
                        let factors = factors.flat_map(|(left, right)| [left, right]);
                        layer
                            .inputs
                            .iter()
                            .chain(factors)
                            .for_each(|cell| needed[cell.index()] = true);
                    }
                    kept.map(Step::Layer)
                }
                Step::Curve { input, output, .. } | Step::Bin { input, output, .. } => {
                    let is_needed = needed[output.index()];
                    needed[input.index()] |= is_needed;
                    is_needed.then(|| step.clone())
                }
                Step::Witness { cells, source, .. } => {
                    let is_needed = *source == Source::Input || cells.iter().any(|cell| needed[cell.index()]);
                    if is_needed {
                        cells
                            .iter()
                            .chain(&source.reads())
                            .for_each(|cell| needed[cell.index()] = true);
                    }
                    is_needed.then(|| step.clone())
                }
                Step::Tree(path) => {
                    let is_needed = path.outputs.iter().any(|cell| needed[cell.index()]);
                    is_needed.then(|| step.clone())
                }
            };
            steps.extend(kept);
        }
        steps.reverse();
        steps
    }
}

impl Layer {
    /// The same layer with some of its sums, and only the cells that they read.
    fn with_sums(&self, sums: Vec<Sum>) -> Self {
        if self.parameters.is_some() {
            return Self { sums, ..self.clone() };
        }
        let is_read = |place: &usize| sums.iter().any(|sum| sum.weights[*place] != 0);
        let read: Vec<usize> = (0..self.inputs.len()).filter(is_read).collect();
        Self {
            name: self.name.clone(),
            inputs: read.iter().map(|place| self.inputs[*place]).collect(),
            sums: sums
                .iter()
                .map(|sum| Sum {
                    weights: read.iter().map(|place| sum.weights[*place]).collect(),
                    ..sum.clone()
                })
                .collect(),
            parameters: None,
        }
    }
}

impl Step {
    /// The same step with other cells. Trees and bins are not among the steps of an audit.
    fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        match self {
            Self::Witness { cells, range, source } => Self::Witness {
                source: source.moved(cell),
                cells: cells.iter().map(|id| cell(*id)).collect(),
                range: *range,
            },
            Self::Layer(layer) => Self::Layer(Layer {
                name: layer.name.clone(),
                inputs: layer.inputs.iter().map(|id| cell(*id)).collect(),
                sums: layer.sums.iter().map(|sum| sum.moved(cell)).collect(),
                parameters: layer.parameters.clone(),
            }),
            Self::Bin { table, input, output } => Self::Bin {
                table: *table,
                input: cell(*input),
                output: cell(*output),
            },
            Self::Tree(path) => Self::Tree(path.clone()),
            Self::Curve { table, input, output } => Self::Curve {
                table: *table,
                input: cell(*input),
                output: cell(*output),
            },
        }
    }
}

impl Sum {
    fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        let products = self.products.iter();
        Self {
            weights: self.weights.clone(),
            products: products.map(|(left, right)| (cell(*left), cell(*right))).collect(),
            bias: self.bias,
            finish: match self.finish {
                Finish::Lookup { table, output } => Finish::Lookup {
                    table,
                    output: cell(output),
                },
                finish @ (Finish::Zero | Finish::NonNegative) => finish,
            },
        }
    }
}

impl Source {
    fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        let number = |number: &Combination, cell: &mut dyn FnMut(CellId) -> CellId| Combination {
            terms: number.terms.iter().map(|(id, weight)| (cell(*id), *weight)).collect(),
            bias: number.bias,
        };
        match self {
            Self::Input => Self::Input,
            Self::OneHot { source, categories } => Self::OneHot {
                source: cell(*source),
                categories: categories.clone(),
            },
            Self::Maximum(among) => Self::Maximum(among.iter().map(|one| number(one, cell)).collect()),
            Self::Total(one) => Self::Total(number(one, cell)),
            Self::FirstMaximum(among) => Self::FirstMaximum(among.iter().map(|one| number(one, cell)).collect()),
            Self::Quotient {
                numerators,
                denominator,
            } => Self::Quotient {
                numerators: numerators.iter().map(|id| cell(*id)).collect(),
                denominator: cell(*denominator),
            },
        }
    }
}

impl Auditor<'_> {
    fn new_cell(&mut self) -> CellId {
        self.program.cells += 1;
        CellId(u32::try_from(self.program.cells - 1).expect("fewer than 2^32 cells"))
    }

    fn table(&mut self, table: Table) -> TableId {
        let tables = &mut self.program.tables;
        let index = tables.iter().position(|known| *known == table).unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        });
        TableId(u32::try_from(index).expect("few tables"))
    }

    /// Repeats the model's steps for one row, with its label and group.
    fn row(&mut self, label: CellId, number: usize) -> RowBits {
        let mut cells = HashMap::new();
        let mut count = self.program.cells;
        let mut moved = |cell: CellId| {
            *cells.entry(cell).or_insert_with(|| {
                count += 1;
                CellId(u32::try_from(count - 1).expect("fewer than 2^32 cells"))
            })
        };
        let steps = self.steps.iter().map(|step| step.moved(&mut moved));
        self.program.steps.extend(steps);
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
        self.program.cells = count;
        let lengths = |tensor: usize| self.model.inputs.iter().filter(|input| input.tensor == tensor).count();
        for input in &self.model.inputs {
            self.program.inputs.push(InputCell {
                index: number * lengths(input.tensor) + input.index,
                cell: cells[&input.cell],
                ..input.clone()
            });
        }
        let tensor = self.model.input_names.len();
        let positive = self.given(tensor, number);
        let group = self.audit.group.as_ref().map(|_| self.given(tensor + 1, number));
        self.count_together(cells[&label], positive, group)
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

    fn layer(&mut self, name: &str, inputs: Vec<CellId>, sums: Vec<Sum>) {
        self.program.steps.push(Step::Layer(Layer {
            name: name.to_owned(),
            inputs,
            sums,
            parameters: None,
        }));
    }

    /// A number in whole counts, from 0 to the number of rows.
    fn whole(&mut self, name: &str, total: &Total) -> CellId {
        // One step of the result is 2^(2L) of the sum: nothing is rounded.
        let unit = self.program.cell_max();
        let table = self.table(Table::clamp(0, 1, unit));
        let output = self.new_cell();
        let sum = Sum {
            weights: total.terms.iter().map(|(_, weight)| weight * unit).collect(),
            products: Vec::new(),
            bias: i128::from(total.constant) * i128::from(unit),
            finish: Finish::Lookup { table, output },
        };
        self.layer(name, total.terms.iter().map(|(cell, _)| *cell).collect(), vec![sum]);
        output
    }

    fn sum_of(&mut self, name: &str, cells: impl Iterator<Item = CellId>) -> CellId {
        let terms = cells.map(|cell| (cell, 1)).collect();
        self.whole(name, &Total { terms, constant: 0 })
    }

    /// A step table for numbers between `−bound` and `bound`, and what is added to them.
    fn comparison_table(&mut self, bound: i128) -> Comparison {
        let bits = 2 * self.program.cell_bits();
        let origin = usize::try_from(bound >> bits).expect("differences of counts are small") + 1;
        Comparison {
            table: self.table(Table::step(origin, 2 * origin)),
            offset: (origin as i128) << bits,
        }
    }

    /// A bit: whether a number is not negative.
    fn holds(&mut self, name: &str, difference: Difference) -> CellId {
        let rows = self.audit.rows as i64;
        // As many times a count as a cell holds: products have no weights.
        let most = (self.program.cell_max() - 1) / rows;
        let mut terms = difference.terms;
        let mut products = Vec::new();
        let mut bound = i128::from(difference.constant.unsigned_abs());
        for (weight, left, right) in difference.products {
            bound += i128::from(weight.unsigned_abs()) * i128::from(rows) * i128::from(rows);
            let factor = if weight < 0 {
                // −w·x·y = w·(rows − x)·y − w·rows·y
                terms.push((right, weight * rows));
                Total {
                    terms: vec![(left, -1)],
                    constant: rows,
                }
            } else {
                Total::count(left)
            };
            let weight = weight.abs();
            for (times, copies) in [(most, weight / most), (weight % most, 1)] {
                if times > 0 && copies > 0 {
                    let scaled = Total {
                        terms: factor.terms.iter().map(|(cell, sign)| (*cell, sign * times)).collect(),
                        constant: factor.constant * times,
                    };
                    let scaled = self.whole(name, &scaled);
                    products.extend((0..copies).map(|_| (scaled, right)));
                }
            }
        }
        bound += terms
            .iter()
            .map(|(_, weight)| i128::from(weight.unsigned_abs()) * i128::from(rows))
            .sum::<i128>();
        // The products of negative weights are added before they are taken away.
        let Comparison { table, offset } = self.comparison_table(2 * bound);
        let output = self.new_cell();
        let sum = Sum {
            weights: terms.iter().map(|(_, weight)| *weight).collect(),
            products,
            bias: offset + i128::from(difference.constant),
            finish: Finish::Lookup { table, output },
        };
        self.layer(name, terms.iter().map(|(cell, _)| *cell).collect(), vec![sum]);
        output
    }

    fn all_hold(&mut self, name: &str, bits: &[CellId]) -> CellId {
        let difference = Difference {
            terms: bits.iter().map(|bit| (*bit, 1)).collect(),
            constant: -(bits.len() as i64),
            ..Difference::default()
        };
        self.holds(name, difference)
    }

    fn output(&mut self, name: &str, kind: OutputKind, cells: Vec<CellId>) {
        self.program.outputs.push(OutputCells {
            name: name.to_owned(),
            shape: vec![cells.len()],
            kind,
            cells,
            format: Format::INTEGER,
            exact: true,
        });
    }

    fn outputs(&mut self, rows: &[RowBits]) {
        let number = rows.len() as i64;
        let count_all = self.whole(
            "rows",
            &Total {
                terms: vec![(rows[0].positive, 0)],
                constant: number,
            },
        );
        self.output("rows", OutputKind::Index, vec![count_all]);
        let all = Counts {
            rows: count_all,
            selected: self.sum_of("selected", rows.iter().map(|row| row.selected)),
            positives: self.sum_of("positives", rows.iter().map(|row| row.positive)),
            true_positives: self.sum_of("true positives", rows.iter().map(|row| row.true_positive)),
        };
        // rows − selected − positives + 2·(true positives)
        let correct = self.whole(
            "correct",
            &Total {
                terms: vec![(all.selected, -1), (all.positives, -1), (all.true_positives, 2)],
                constant: number,
            },
        );
        let groups = self.audit.group.is_some().then(|| self.groups(rows, &all));
        if self.audit.claims.is_empty() {
            self.output("correct", OutputKind::Index, vec![correct]);
            let counted = groups.map_or(vec![all], Vec::from);
            self.confusion(&counted);
            return;
        }
        for claim in self.audit.claims.clone() {
            let name = claim.to_string();
            let bit = match (claim, groups) {
                (Claim::Accuracy(least), _) => self.holds(
                    &name,
                    Difference {
                        terms: vec![(correct, i64::from(least.denominator))],
                        constant: -i64::from(least.numerator) * number,
                        ..Difference::default()
                    },
                ),
                (Claim::FourFifths, Some([first, second])) => {
                    let rates = [(first.selected, first.rows), (second.selected, second.rows)];
                    self.rates(&name, rates, |[(a, b), (c, d)]| vec![(5, a, d), (-4, c, b)])
                }
                (Claim::Parity(most), Some([first, second])) => {
                    let rates = [(first.selected, first.rows), (second.selected, second.rows)];
                    self.gap(&name, rates, most)
                }
                (Claim::Opportunity(most), Some([first, second])) => {
                    let rates = [
                        (first.true_positives, first.positives),
                        (second.true_positives, second.positives),
                    ];
                    self.gap(&name, rates, most)
                }
                // `Program::audit` refuses claims about groups that are not there.
                (_, None) => continue,
            };
            self.output(&name, OutputKind::Bool, vec![bit]);
        }
    }

    /// The counts of both groups.
    fn groups(&mut self, rows: &[RowBits], all: &Counts) -> [Counts; 2] {
        let second = Counts {
            rows: self.sum_of("rows of the group", rows.iter().filter_map(|row| row.group)),
            selected: self.sum_of(
                "selected of the group",
                rows.iter().filter_map(|row| row.selected_in_group),
            ),
            positives: self.sum_of(
                "positives of the group",
                rows.iter().filter_map(|row| row.positive_in_group),
            ),
            true_positives: self.sum_of(
                "true positives of the group",
                rows.iter().filter_map(|row| row.true_positive_in_group),
            ),
        };
        let mut rest = |name: &str, all: CellId, second: CellId| self.whole(name, &Total::count(all).minus(second));
        let first = Counts {
            rows: rest("rows of the other group", all.rows, second.rows),
            selected: rest("selected of the other group", all.selected, second.selected),
            positives: rest("positives of the other group", all.positives, second.positives),
            true_positives: rest(
                "true positives of the other group",
                all.true_positives,
                second.true_positives,
            ),
        };
        [first, second]
    }

    /// Shows how decisions and labels go together, group by group.
    fn confusion(&mut self, counted: &[Counts]) {
        let mut shown = |name: &str, total: &dyn Fn(&Counts) -> Total| {
            let cells = counted.iter().map(|counts| self.whole(name, &total(counts))).collect();
            self.output(name, OutputKind::Index, cells);
        };
        shown("true positives", &|counts| Total::count(counts.true_positives));
        shown("false positives", &|counts| {
            Total::count(counts.selected).minus(counts.true_positives)
        });
        shown("false negatives", &|counts| {
            Total::count(counts.positives).minus(counts.true_positives)
        });
        shown("true negatives", &|counts| {
            let others = Total::count(counts.rows).minus(counts.selected).minus(counts.positives);
            others.plus(counts.true_positives)
        });
    }

    /// Whether neither rate, as a share of something that is there, is too far from the other.
    fn rates(
        &mut self,
        name: &str,
        rates: [(CellId, CellId); 2],
        difference: impl Fn([(CellId, CellId); 2]) -> Vec<(i64, CellId, CellId)>,
    ) -> CellId {
        let [first, second] = rates;
        let mut bits = Vec::new();
        for pair in [[first, second], [second, first]] {
            let products = difference(pair);
            bits.push(self.holds(
                name,
                Difference {
                    products,
                    ..Difference::default()
                },
            ));
            // A share of nothing is none.
            bits.push(self.holds(
                name,
                Difference {
                    terms: vec![(pair[0].1, 1)],
                    constant: -1,
                    ..Difference::default()
                },
            ));
        }
        self.all_hold(name, &bits)
    }

    /// Whether rates `a/b` and `c/d` differ by at most `e/f`: `e·b·d ≥ f·(a·d − c·b)`, and the other way round.
    fn gap(&mut self, name: &str, rates: [(CellId, CellId); 2], most: Fraction) -> CellId {
        let (e, f) = (i64::from(most.numerator), i64::from(most.denominator));
        self.rates(name, rates, |[(a, b), (c, d)]| vec![(e, b, d), (-f, a, d), (f, c, b)])
    }
}

/// How a number is compared with zero.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    table: TableId,
    offset: i128,
}

impl Source {
    /// The cells it is computed from.
    fn reads(&self) -> Vec<CellId> {
        let of = |numbers: &[Combination]| -> Vec<CellId> {
            let terms = numbers.iter().flat_map(|number| &number.terms);
            terms.map(|(cell, _)| *cell).collect()
        };
        match self {
            Self::Input => Vec::new(),
            Self::OneHot { source, .. } => vec![*source],
            Self::Maximum(among) | Self::FirstMaximum(among) => of(among),
            Self::Total(number) => of(std::slice::from_ref(number)),
            Self::Quotient {
                numerators,
                denominator,
            } => numerators.iter().chain([denominator]).copied().collect(),
        }
    }
}
