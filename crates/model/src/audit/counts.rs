//! What is counted over the rows of a table, and what follows from the counts.

use crate::{
    CellId, Claim, Finish, Fraction, OutputKind, Sum, Table, TableId,
    audit::{Auditor, GroupBits, Pairs, RowBits, Selection},
};

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

/// How a number is compared with zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    pub(super) table: TableId,
    pub(super) offset: i128,
}

impl Auditor<'_> {
    /// A number in whole counts, from 0 to the number of rows.
    fn whole(&mut self, name: &str, total: &Total) -> CellId {
        // One step of the result is 2^(2L) of the sum: nothing is rounded.
        let unit = self.program.cell_max();
        let table = self.program.table_of(Table::clamp(0, 1, unit));
        let output = self.program.new_cell();
        let sum = Sum {
            weights: total.terms.iter().map(|(_, weight)| weight * unit).collect(),
            products: Vec::new(),
            bias: i128::from(total.constant) * i128::from(unit),
            finish: Finish::Lookup { table, output },
        };
        self.program
            .add_layer(name, total.terms.iter().map(|(cell, _)| *cell).collect(), vec![sum]);
        output
    }

    fn sum_of(&mut self, name: &str, cells: impl Iterator<Item = CellId>) -> CellId {
        let terms = cells.map(|cell| (cell, 1)).collect();
        self.whole(name, &Total { terms, constant: 0 })
    }

    /// A step table for numbers between `−bound` and `bound`, and what is added to them.
    pub(super) fn comparison_table(&mut self, bound: i128) -> Comparison {
        let bits = 2 * self.program.cell_bits();
        let origin = usize::try_from(bound >> bits).expect("differences of counts are small") + 1;
        Comparison {
            table: self.program.table_of(Table::step(origin, 2 * origin)),
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
        let output = self.program.new_cell();
        let sum = Sum {
            weights: terms.iter().map(|(_, weight)| *weight).collect(),
            products,
            bias: offset + i128::from(difference.constant),
            finish: Finish::Lookup { table, output },
        };
        self.program
            .add_layer(name, terms.iter().map(|(cell, _)| *cell).collect(), vec![sum]);
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
        self.program.show(name, vec![cells.len()], kind, cells);
    }

    pub(super) fn outputs(&mut self, rows: &[RowBits]) {
        let number = rows.len() as i64;
        let count_all = self.whole(
            "rows",
            &Total {
                terms: vec![(rows[0].label, 0)],
                constant: number,
            },
        );
        self.output("rows", OutputKind::Index, vec![count_all]);
        if let Some(pairs) = rows.iter().map(|row| row.pairs.as_ref()).collect::<Option<Vec<_>>>() {
            self.matrix(&pairs, number);
            return;
        }
        let selections: Option<Vec<&Selection>> = rows.iter().map(|row| row.selection.as_ref()).collect();
        let all = selections.as_ref().map(|selections| {
            let mut sum = |name: &str, bit: fn(&Selection) -> CellId| {
                self.sum_of(name, selections.iter().map(|selection| bit(selection)))
            };
            Counts {
                rows: count_all,
                selected: sum("selected", |selection| selection.selected),
                positives: sum("positives", |selection| selection.positive),
                true_positives: sum("true positives", |selection| selection.true_positive),
            }
        });
        let agreed: Vec<CellId> = rows.iter().filter_map(|row| row.agreement).flatten().collect();
        let correct = match all {
            // rows − selected − positives + 2·(true positives)
            Some(all) if agreed.is_empty() => Total {
                terms: vec![(all.selected, -1), (all.positives, -1), (all.true_positives, 2)],
                constant: number,
            },
            // One bit of each row, or both.
            _ => Total {
                terms: agreed.into_iter().map(|bit| (bit, 1)).collect(),
                constant: -number,
            },
        };
        let correct = self.whole("correct", &correct);
        let counted = all
            .zip(selections)
            .map(|(all, selections)| self.groups(&selections, all));
        let counted = counted.unwrap_or_default();
        if self.audit.claims.is_empty() {
            self.output("correct", OutputKind::Index, vec![correct]);
            self.confusion(&counted);
            return;
        }
        for claim in self.audit.claims.clone() {
            let name = claim.to_string();
            let rates = |part: fn(&Counts) -> CellId, whole: fn(&Counts) -> CellId| -> Vec<(CellId, CellId)> {
                counted.iter().map(|counts| (part(counts), whole(counts))).collect()
            };
            let selection = || rates(|counts| counts.selected, |counts| counts.rows);
            let bit = match claim {
                Claim::Accuracy(least) => self.holds(
                    &name,
                    Difference {
                        terms: vec![(correct, i64::from(least.denominator))],
                        constant: -i64::from(least.numerator) * number,
                        ..Difference::default()
                    },
                ),
                Claim::FourFifths => self.rates(&name, &selection(), |[(a, b), (c, d)]| vec![(5, a, d), (-4, c, b)]),
                Claim::Parity(most) => self.gap(&name, &selection(), most),
                Claim::Opportunity(most) => {
                    let rates = rates(|counts| counts.true_positives, |counts| counts.positives);
                    self.gap(&name, &rates, most)
                }
            };
            self.output(&name, OutputKind::Bool, vec![bit]);
        }
    }

    /// The counts of every group, or of all rows where there are no groups. The first group is the rest.
    fn groups(&mut self, rows: &[&Selection], all: Counts) -> Vec<Counts> {
        let others = rows.first().map_or(0, |selection| selection.groups.len());
        if others == 0 {
            return vec![all];
        }
        let mut counted = Vec::new();
        for group in 0..others {
            let mut sum = |name: &str, bit: fn(&GroupBits) -> CellId| {
                self.sum_of(name, rows.iter().map(|selection| bit(&selection.groups[group])))
            };
            counted.push(Counts {
                rows: sum("rows of the group", |bits| bits.member),
                selected: sum("selected of the group", |bits| bits.selected),
                positives: sum("positives of the group", |bits| bits.positive),
                true_positives: sum("true positives of the group", |bits| bits.true_positive),
            });
        }
        let mut rest = |name: &str, count: fn(&Counts) -> CellId| {
            let total = counted
                .iter()
                .fold(Total::count(count(&all)), |total, counts| total.minus(count(counts)));
            self.whole(name, &total)
        };
        let first = Counts {
            rows: rest("rows of the other group", |counts| counts.rows),
            selected: rest("selected of the other group", |counts| counts.selected),
            positives: rest("positives of the other group", |counts| counts.positives),
            true_positives: rest("true positives of the other group", |counts| counts.true_positives),
        };
        counted.insert(0, first);
        counted
    }

    /// Shows which classes are decided on where each is right, as a matrix: a row for each label, a column for each decision.
    fn matrix(&mut self, rows: &[&Pairs], number: i64) {
        let classes = rows.first().map_or(0, |pairs| pairs.labels.len()) + 1;
        let mut sums =
            |name: &str, bit: &dyn Fn(&Pairs) -> CellId| self.sum_of(name, rows.iter().map(|pairs| bit(pairs)));
        let labels: Vec<CellId> = (1..classes)
            .map(|class| sums("labels", &|pairs| pairs.labels[class - 1]))
            .collect();
        let decisions: Vec<CellId> = (1..classes)
            .map(|class| sums("decisions", &|pairs| pairs.decisions[class - 1]))
            .collect();
        let both: Vec<Vec<CellId>> = (1..classes)
            .map(|label| {
                let decided = 1..classes;
                decided
                    .map(|decision| sums("both", &|pairs| pairs.both[label - 1][decision - 1]))
                    .collect()
            })
            .collect();
        let less = |total: Total, cells: &mut dyn Iterator<Item = &CellId>| {
            cells.fold(total, |total, cell| total.minus(*cell))
        };
        let mut counts = Vec::new();
        for label in 0..classes {
            for decision in 0..classes {
                let total = match (label, decision) {
                    (0, 0) => {
                        let rows = Total {
                            terms: Vec::new(),
                            constant: number,
                        };
                        let others = less(rows, &mut labels.iter().chain(&decisions));
                        both.iter().flatten().fold(others, |total, cell| total.plus(*cell))
                    }
                    (0, decision) => less(
                        Total::count(decisions[decision - 1]),
                        &mut both.iter().map(|both| &both[decision - 1]),
                    ),
                    (label, 0) => less(Total::count(labels[label - 1]), &mut both[label - 1].iter()),
                    (label, decision) => Total::count(both[label - 1][decision - 1]),
                };
                counts.push(self.whole("confusion", &total));
            }
        }
        let right = (0..classes).fold(Total::default(), |total, class| {
            total.plus(counts[class * (classes + 1)])
        });
        let correct = self.whole("correct", &right);
        self.output("correct", OutputKind::Index, vec![correct]);
        self.program
            .show("confusion", vec![classes, classes], OutputKind::Index, counts);
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

    /// Whether no rate, as a share of something that is there, is too far from any other.
    fn rates(
        &mut self,
        name: &str,
        rates: &[(CellId, CellId)],
        difference: impl Fn([(CellId, CellId); 2]) -> Vec<(i64, CellId, CellId)>,
    ) -> CellId {
        let mut bits = Vec::new();
        for (place, rate) in rates.iter().enumerate() {
            for (_, other) in rates.iter().enumerate().filter(|(other, _)| *other != place) {
                let products = difference([*rate, *other]);
                bits.push(self.holds(
                    name,
                    Difference {
                        products,
                        ..Difference::default()
                    },
                ));
            }
            // A share of nothing is none.
            bits.push(self.holds(
                name,
                Difference {
                    terms: vec![(rate.1, 1)],
                    constant: -1,
                    ..Difference::default()
                },
            ));
        }
        self.all_hold(name, &bits)
    }

    /// Whether any two rates `a/b` and `c/d` differ by at most `e/f`: `e·b·d ≥ f·(a·d − c·b)`, and the other way round.
    fn gap(&mut self, name: &str, rates: &[(CellId, CellId)], most: Fraction) -> CellId {
        let (e, f) = (i64::from(most.numerator), i64::from(most.denominator));
        self.rates(name, rates, |[(a, b), (c, d)]| vec![(e, b, d), (-f, a, d), (f, c, b)])
    }
}
