//! Audits with more than two groups or more than two classes: plain counts, fractions of every pair, and liars about
//! labels, groups and confusions.

use std::collections::BTreeMap;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand::Rng;
use zkverdict::{
    circuits::{AdviceColumn, Side, Visibility, Widths},
    models::{
        Aggregate, Audit, CellId, Claim, Graph, ModelError, Op, OutputKind, Program, Range, Source, Step, TreeEnsemble,
    },
};

use crate::{
    audits::{Audited, MEASURED, Table, audit, outputs},
    support::{
        Sample,
        graphs::{CATEGORIES, GraphBuilder, random_tree, rng, samples, tree_classifier},
        report,
        traces::Case,
    },
};

/// Decides between so many classes, behind an encoder, and says how probable each is.
fn linear(classes: usize) -> Graph {
    let mut builder = GraphBuilder::new(3);
    let encoded = builder.encode_first(CATEGORIES.to_vec());
    let logits = builder.dense(encoded, classes, &mut rng(12));
    let probabilities = builder.map(Op::Softmax { classes }, logits);
    let label = builder.node(Op::ArgMax { classes }, probabilities, 1);
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    builder.output("label", label, OutputKind::StringLabel(names));
    builder.output("probabilities", probabilities, OutputKind::Real);
    builder.finish()
}

/// A network's answer: the place of the largest score, without any name.
fn indices(classes: usize) -> Graph {
    let mut builder = GraphBuilder::new(3);
    let encoded = builder.encode_first(CATEGORIES.to_vec());
    let scores = builder.dense(encoded, classes, &mut rng(31));
    let label = builder.node(Op::ArgMax { classes }, scores, 1);
    builder.output("label", label, OutputKind::Index);
    builder.finish()
}

/// Trees that vote for three classes.
fn trees() -> Graph {
    let mut builder = GraphBuilder::new(3);
    let encoded = builder.encode_first(CATEGORIES.to_vec());
    let features = builder.len(encoded);
    let mut rng = rng(2);
    let ensemble = TreeEnsemble {
        trees: (0..3).map(|_| random_tree(features, 3, &mut rng)).collect(),
        targets: 3,
        aggregate: Aggregate::Sum,
        base: vec![0.0, 0.125, 0.25],
    };
    let scores = builder.node(Op::TreeEnsemble(ensemble), encoded, 3);
    let label = builder.node(Op::ArgMax { classes: 3 }, scores, 1);
    builder.output("label", label, OutputKind::IntLabel(vec![10, 20, 30]));
    builder.finish()
}

/// A model, what it decides between, and how many groups its rows are in.
struct Subject {
    what: &'static str,
    audited: Audited,
    classes: usize,
    groups: usize,
    positive: Option<usize>,
}

impl Subject {
    fn new(what: &'static str, audited: Audited, [classes, groups]: [usize; 2], positive: Option<usize>) -> Self {
        Self {
            what,
            audited,
            classes,
            groups,
            positive,
        }
    }

    /// One of each kind.
    fn all() -> Vec<Self> {
        let two = || Audited::public(&tree_classifier(3, 2, 3, &mut rng(6)));
        let three = || Audited::public(&linear(3));
        vec![
            Self::new("three groups", two(), [2, 3], None),
            Self::new("two groups, the first class", two(), [2, 2], Some(0)),
            Self::new("eight groups, the first class", two(), [2, 8], Some(0)),
            Self::new("three classes", three(), [3, 0], None),
            Self::new("an index of two", Audited::public(&indices(2)), [2, 2], None),
            Self::new("an index of three", Audited::public(&indices(3)), [3, 0], None),
            Self::new("three trees", Audited::public(&trees()), [3, 0], None),
            Self::new(
                "three classes, committed",
                Audited::committed(&linear(3), MEASURED),
                [3, 0],
                None,
            ),
            Self::new("three classes, one selected", three(), [3, 0], Some(1)),
            Self::new("three classes, three groups", three(), [3, 3], Some(2)),
            Self::new("five classes, two groups", Audited::public(&linear(5)), [5, 2], Some(0)),
            Self::new("sixteen classes", Audited::public(&linear(16)), [16, 0], None),
        ]
    }

    /// Those that are small enough to be attacked cell by cell.
    fn small() -> impl Iterator<Item = Self> {
        Self::all()
            .into_iter()
            .filter(|subject| subject.classes < 5 && subject.groups < 8)
    }

    fn audit(&self, rows: usize, claims: &[&str]) -> Audit {
        Audit {
            groups: self.groups.max(2),
            positive: self.positive,
            ..audit(rows, self.groups > 0, claims)
        }
    }

    fn table(&self, rows: usize, seed: u64) -> Table {
        let mut rng = rng(seed);
        let inputs = samples(&linear(3), rows, &mut rng);
        let mut numbers = |count: usize| (0..rows).map(|_| rng.gen_range(0..count.max(1)) as f64).collect();
        Table {
            rows: inputs,
            labels: numbers(self.classes),
            groups: numbers(self.groups),
        }
    }

    fn sample(&self, table: &Table) -> Sample {
        table.sample(self.groups > 0)
    }

    /// The classes that the model decides on, one row after the other.
    fn decisions(&self, table: &Table) -> Vec<usize> {
        let model = &self.audited.program;
        let decide = |row: &Sample| {
            let cells = model.execute(&model.quantize(row).unwrap()).unwrap();
            cells[model.outputs[0].cells[0].index()] as usize
        };
        table.rows.iter().map(decide).collect()
    }

    /// Plainly counted: decision, label and group of each row.
    fn rows(&self, table: &Table) -> Vec<[usize; 3]> {
        let decided = self.decisions(table).into_iter();
        let others = table.labels.iter().zip(&table.groups);
        decided
            .zip(others)
            .map(|(decision, (label, group))| [decision, *label as usize, *group as usize])
            .collect()
    }

    /// Claims about groups only where there are some.
    fn claims(&self) -> Vec<&'static str> {
        let mut claims = vec!["accuracy>=0.3", "accuracy>=0.6"];
        if self.groups > 0 {
            claims.extend([
                "four-fifths",
                "parity<=0.25",
                "parity<=0.8",
                "opportunity<=0.5",
                "opportunity<=1",
            ]);
        }
        claims
    }

    fn case(&self, rows: usize, claims: &[&str]) -> Case {
        self.audited.case(&self.audit(rows, claims), 1)
    }
}

fn count(rows: &[[usize; 3]], counted: impl Fn(&[usize; 3]) -> bool) -> i64 {
    rows.iter().filter(|row| counted(row)).count() as i64
}

#[test]
fn counts_are_those_of_the_rows() {
    for subject in Subject::all() {
        for rows in [1, 7, 40] {
            let table = subject.table(rows, rows as u64);
            let program = subject.audited.program.audit(&subject.audit(rows, &[])).unwrap();
            let cells = program
                .execute(&program.quantize(&subject.sample(&table)).unwrap())
                .unwrap();
            let found = outputs(&program, &cells);
            let all = subject.rows(&table);
            let what = subject.what;
            assert_eq!(found["rows"], [rows as i64]);
            assert_eq!(found["correct"], [count(&all, |row| row[0] == row[1])], "{what}");
            let Some(class) = subject.positive.or((subject.classes == 2).then_some(1)) else {
                let classes = subject.classes;
                let pairs = (0..classes).flat_map(|label| (0..classes).map(move |decision| (decision, label)));
                let expected: Vec<i64> = pairs
                    .map(|(decision, label)| count(&all, |row| row[..2] == [decision, label]))
                    .collect();
                assert_eq!(found["confusion"], expected, "{what}");
                assert_eq!(found.len(), 3);
                continue;
            };
            let kinds = [
                ("true positives", true, true),
                ("false positives", true, false),
                ("false negatives", false, true),
                ("true negatives", false, false),
            ];
            for (name, decided, right) in kinds {
                let of = |group: usize| {
                    count(&all, |row| {
                        (row[0] == class) == decided && (row[1] == class) == right && row[2] == group
                    })
                };
                let expected: Vec<i64> = (0..subject.groups.max(1)).map(of).collect();
                assert_eq!(found[name], expected, "{what}: {name}");
            }
            assert_eq!(found.len(), 6);
        }
    }
}

/// Whether a claim holds, in fractions, for every pair of groups.
fn holds(claim: Claim, rows: &[[usize; 3]], class: usize, groups: usize) -> bool {
    let shares = |all: &dyn Fn(&[usize; 3]) -> bool, some: &dyn Fn(&[usize; 3]) -> bool| -> Vec<(i64, i64)> {
        let of = |group: usize| {
            let members = |row: &[usize; 3]| row[2] == group && all(row);
            (count(rows, |row| members(row) && some(row)), count(rows, members))
        };
        (0..groups).map(of).collect()
    };
    let pairs = |shares: Vec<(i64, i64)>, fit: &dyn Fn(i64, i64, i64) -> bool| {
        shares.iter().all(|(_, all)| *all > 0)
            && shares.iter().all(|left| {
                shares
                    .iter()
                    .all(|right| fit(left.0 * right.1, right.0 * left.1, left.1 * right.1))
            })
    };
    let selected = |row: &[usize; 3]| row[0] == class;
    match claim {
        Claim::Accuracy(least) => {
            let correct = count(rows, |row| row[0] == row[1]);
            i64::from(least.denominator) * correct >= i64::from(least.numerator) * rows.len() as i64
        }
        Claim::FourFifths => pairs(shares(&|_| true, &selected), &|left, right, _| 5 * left >= 4 * right),
        Claim::Parity(most) | Claim::Opportunity(most) => {
            let (e, f) = (i64::from(most.numerator), i64::from(most.denominator));
            let near = move |left: i64, right: i64, all: i64| f * (left - right) <= e * all;
            match claim {
                Claim::Parity(_) => pairs(shares(&|_| true, &selected), &near),
                _ => pairs(shares(&|row| row[1] == class, &selected), &near),
            }
        }
    }
}

/// Random tables, some with an empty group, or a group without positives.
#[test]
fn claims_hold_exactly_where_they_do_for_every_pair() {
    let mut seen = BTreeMap::new();
    for subject in Subject::all() {
        let claims = subject.claims();
        let rows = 40;
        let program = subject.audited.program.audit(&subject.audit(rows, &claims)).unwrap();
        let class = subject.positive.unwrap_or(1);
        for seed in 0..24 {
            let mut table = subject.table(rows, 100 + seed);
            let last = subject.groups.max(1) - 1;
            match seed {
                // Nobody is in the last group, or in the first one.
                0 => table
                    .groups
                    .iter_mut()
                    .for_each(|group| *group = group.min(last as f64 - 1.0).max(0.0)),
                1 => table
                    .groups
                    .iter_mut()
                    .for_each(|group| *group = group.max(1.0).min(last as f64)),
                // The last group has no positives.
                2 => {
                    let rows = table.labels.iter_mut().zip(&table.groups);
                    rows.filter(|(_, group)| **group == last as f64)
                        .for_each(|(label, _)| *label = f64::from(u8::from(class == 0)));
                }
                // All are decided rightly.
                3..12 => {
                    table.labels = subject
                        .decisions(&table)
                        .into_iter()
                        .map(|class| class as f64)
                        .collect();
                }
                _ => {}
            }
            let cells = program
                .execute(&program.quantize(&subject.sample(&table)).unwrap())
                .unwrap();
            let found = outputs(&program, &cells);
            assert_eq!(found.len(), 1 + claims.len(), "claims show no counts");
            let all = subject.rows(&table);
            for text in &claims {
                let claim: Claim = text.parse().unwrap();
                let expected = holds(claim, &all, class, subject.groups);
                let what = subject.what;
                assert_eq!(
                    found[&claim.to_string()],
                    [i64::from(expected)],
                    "{what}: {text} on table {seed}"
                );
                *seen.entry((*text, expected)).or_insert(0) += 1;
                if seed < 2 && subject.groups > 0 && claim.compares_groups() {
                    assert!(!expected, "a group without rows");
                }
            }
        }
    }
    for text in ["accuracy>=0.6", "four-fifths", "parity<=0.25", "opportunity<=0.5"] {
        let both = [true, false].map(|holds| seen.contains_key(&(text, holds)));
        assert_eq!(both, [true, true], "{text} is never tried");
    }
}

#[test]
fn audits_of_many_are_proven_in_every_width() {
    for subject in Subject::all() {
        let claims = subject.claims();
        for claims in [&[][..], &claims[1..]] {
            for (lanes, hash_lanes) in [(1, 0), (4, 0), (1, 1), (2, 2)] {
                let case = subject
                    .audited
                    .case(&subject.audit(9, claims), Widths { lanes, hash_lanes });
                let cells = case.cells(&subject.sample(&subject.table(9, 4)));
                case.assert_accepts(case.trace(&cells), case.instance(&cells));
            }
        }
    }
}

/// What only probabilities need is no part of an audit, and the decision stays bound.
#[test]
fn probabilities_are_left_out() {
    let subject = Subject::new("three classes", Audited::public(&linear(3)), [3, 0], None);
    let curves = |program: &Program| {
        program
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Curve { .. }))
            .count()
    };
    let shares = |program: &Program| {
        let is_share = |step: &&Step| {
            matches!(
                step,
                Step::Witness {
                    source: Source::Quotient { .. },
                    ..
                }
            )
        };
        program.steps.iter().filter(is_share).count()
    };
    let model = &subject.audited.program;
    let program = model.audit(&subject.audit(2, &[])).unwrap();
    assert_eq!([curves(model), shares(model)], [3, 1]);
    assert_eq!([curves(&program), shares(&program)], [0, 0]);
}

/// A liar runs the audit on another table, and shows the root of the agreed one.
#[test]
fn other_labels_and_groups_than_the_committed_ones_are_rejected() {
    type Lie = fn(&mut Table, f64);
    let lies: [(&str, Lie); 4] = [
        ("a row relabelled", |table, _| {
            table.labels[2] = f64::from(u8::from(table.labels[2] == 0.0))
        }),
        ("two labels swapped", |table, _| table.labels.reverse()),
        ("groups swapped", |table, last| {
            table.groups.iter_mut().for_each(|group| *group = last - *group)
        }),
        ("a row in another group", |table, _| {
            table.groups[1] = f64::from(u8::from(table.groups[1] == 0.0))
        }),
    ];
    for subject in Subject::small() {
        let rows = 5;
        let (case, root) = (subject.case(rows, &[]), subject.audited.root());
        let mut agreed = subject.table(rows, 8);
        (agreed.labels[0], agreed.labels[4]) = (0.0, 1.0);
        let honest = case.instance(&case.cells(&subject.sample(&agreed)))[root];
        let lies = lies.iter().take(if subject.groups > 0 { 4 } else { 2 });
        for (what, lie) in lies {
            let mut table = agreed.clone();
            lie(&mut table, subject.groups.max(1) as f64 - 1.0);
            let cells = case.cells(&subject.sample(&table));
            let mut instance = case.instance(&cells);
            assert_ne!(instance[root], honest, "{what}");
            case.assert_accepts(case.trace(&cells), instance.clone());
            instance[root] = honest;
            assert!(
                case.accepts(case.trace(&cells), instance).is_err(),
                "{what} was accepted"
            );
        }
    }
}

/// Every public input, and every cell that is not an input, one after the other.
#[test]
fn counts_that_do_not_add_up_are_rejected() {
    for subject in Subject::small() {
        let claims = subject.claims();
        for claims in [&[][..], &claims[1..3.min(claims.len())]] {
            let case = subject.case(2, claims);
            let honest = case.cells(&subject.sample(&subject.table(2, 21)));
            let (trace, instance) = (case.trace(&honest), case.instance(&honest));
            for place in 1..instance.len() {
                for forged in [instance[place] + Fr::ONE, instance[place] - Fr::ONE] {
                    let mut other = instance.clone();
                    other[place] = forged;
                    assert!(case.accepts(trace.clone(), other).is_err(), "public input {place}");
                }
            }
            let (tried, _) = case.assert_forged_cells_are_rejected(&honest, |value| match value {
                0 => vec![1],
                1 => vec![0],
                value => vec![value + 1, value - 1],
            });
            assert!(tried > 20, "{}: {tried}", subject.what);
        }
    }
}

/// Every cell that a gadget binds, one after the other, but for those of hashes.
#[test]
fn perturbed_cells_of_audits_of_many_are_rejected() {
    for subject in Subject::small() {
        let case = subject.case(2, &[]);
        let honest = case.cells(&subject.sample(&subject.table(2, 2)));
        let (trace, instance) = (case.trace(&honest), case.instance(&honest));
        case.assert_accepts(trace.clone(), instance.clone());
        let hashed = case.layout.commitment_rows();
        let mut cells = case.layout.bound_cells();
        cells.retain(|(column, row)| *column != AdviceColumn::Multiplicity && !hashed.contains(row));
        cells.sort_unstable();
        cells.dedup();
        assert!(cells.len() > 300, "{}: {}", subject.what, cells.len());
        for (column, row) in cells.into_iter().step_by(7) {
            let mut forged = trace.clone();
            forged.column_mut(column)[row] += Fr::ONE;
            forged.count_lookups(&case.layout);
            let rejected = case.accepts(forged, instance.clone()).is_err();
            assert!(rejected, "{}: {column:?} {row}", subject.what);
        }
    }
}

/// Two entries of a confusion are changed so that rows, classes and what is correct still add up; or two are swapped.
#[test]
fn forged_confusions_are_rejected() {
    for subject in Subject::small() {
        let case = subject.case(6, &[]);
        let cells = case.cells(&subject.sample(&subject.table(6, 3)));
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        let first = subject.audited.root() + 3;
        let counts = first..instance.len();
        let mut tried = 0;
        for (left, right) in counts
            .clone()
            .flat_map(|left| (left + 1..counts.end).map(move |right| (left, right)))
        {
            let mut moved = instance.clone();
            moved[left] += Fr::ONE;
            moved[right] -= Fr::ONE;
            let mut swapped = instance.clone();
            swapped.swap(left, right);
            for forged in [moved, swapped] {
                if forged != instance {
                    assert!(
                        case.accepts(trace.clone(), forged).is_err(),
                        "{}: {left}, {right}",
                        subject.what
                    );
                    tried += 1;
                }
            }
        }
        assert!(tried > 5, "{tried}");
    }
}

/// The bits that say what a number of the table, or the decision, is: one set for each row.
fn encodings(program: &Program) -> Vec<(CellId, Vec<CellId>)> {
    let given: Vec<CellId> = program.inputs.iter().map(|input| input.cell).collect();
    let wanted = |source: &CellId| {
        let input = given.iter().position(|cell| cell == source);
        // The encoded input of the model is the first of each row.
        input.is_none_or(|at| program.inputs[at].tensor > 0)
    };
    let encoded = program.steps.iter().filter_map(|step| match step {
        Step::Witness {
            cells,
            range: Range::Bit,
            source: Source::OneHot { source, .. },
        } if wanted(source) => Some((*source, cells.clone())),
        _ => None,
    });
    encoded.collect()
}

/// A row in two groups, in none, in another one; so too for labels and decisions. All that follows is computed from the lie.
#[test]
fn rows_in_two_groups_or_in_none_are_rejected() {
    for subject in Subject::small() {
        let case = subject.case(2, &[]);
        let honest = case.cells(&subject.sample(&subject.table(2, 5)));
        let encodings = encodings(&case.program);
        if subject.groups != 2 || subject.positive.is_some() {
            assert!(encodings.len() >= 2, "{}", subject.what);
        }
        for (source, bits) in encodings {
            let set = honest[source.index()] as usize;
            let mut tried = 0;
            for forged in (0..1 << bits.len()).filter(|forged| *forged != 1 << set) {
                let lie = bits.iter().enumerate().map(|(place, bit)| (*bit, forged >> place & 1));
                let attempt = std::panic::catch_unwind(|| {
                    let cells = case.cells_with(&with_cells(&honest, lie.clone()), &lie.collect());
                    (case.forge(&cells), case.instance(&cells))
                });
                // A count below zero has not even a trace.
                let Ok((trace, instance)) = attempt else { continue };
                let failures = case.failures(trace, instance);
                assert!(!failures.is_empty(), "{}: bits {forged:b} for {set}", subject.what);
                tried += 1;
            }
            assert!(tried > bits.len() / 2, "{}: {tried} of {}", subject.what, bits.len());
        }
    }
}

fn with_cells(cells: &[i64], changed: impl Iterator<Item = (CellId, i64)>) -> Vec<i64> {
    let mut cells = cells.to_vec();
    changed.for_each(|(cell, value)| cells[cell.index()] = value);
    cells
}

/// A label or group that the model or the rule does not have: refused where tables are read, and, by whoever skips that,
/// not provable with any bits, with the leaf that such a row would have.
#[test]
fn labels_and_groups_that_there_are_not_are_rejected() {
    for subject in Subject::small() {
        let case = subject.case(2, &[]);
        let table = subject.table(2, 5);
        let honest = case.cells(&subject.sample(&table));
        let mut lies = vec![(1, subject.classes)];
        lies.extend((subject.groups > 0).then_some((2, subject.groups)));
        for (tensor, count) in lies {
            for number in [count as i64, count as i64 + 1, 16, 255] {
                let mut sample = subject.sample(&table);
                sample[tensor][0] = number as f64;
                let refused = case.program.quantize(&sample);
                assert!(
                    matches!(refused, Err(ModelError::UnknownCategory { .. })),
                    "{refused:?}"
                );
                let input = case.program.inputs.iter().find(|input| input.tensor == tensor).unwrap();
                let bits = encodings(&case.program);
                let bits = bits.into_iter().find(|(source, _)| *source == input.cell);
                let bits = bits.map_or(Vec::new(), |(_, bits)| bits);
                for set in 0..1 << bits.len() {
                    let set = bits.iter().enumerate().map(|(place, bit)| (*bit, set >> place & 1));
                    let lie: BTreeMap<CellId, i64> = set.chain([(input.cell, number)]).collect();
                    let cells = with_cells(&honest, lie.clone().into_iter());
                    let attempt = std::panic::catch_unwind(|| {
                        let cells = case.cells_with(&cells, &lie);
                        (case.forge(&cells), case.instance(&cells))
                    });
                    // A count that no table holds has not even a trace.
                    let Ok((trace, instance)) = attempt else { continue };
                    assert!(
                        !case.failures(trace, instance).is_empty(),
                        "{}: {number} with {lie:?} was accepted",
                        subject.what
                    );
                }
            }
        }
    }
}

/// A leaf takes as many bits of a label or group as its largest number has.
#[test]
fn labels_and_groups_are_packed_tightly() {
    for subject in Subject::all() {
        let program = subject.audited.program.audit(&subject.audit(3, &[])).unwrap();
        let commitment = zkverdict::circuits::Commitment::of(&program, Side::Input).unwrap();
        let length = |count: usize| usize::BITS - (count - 1).leading_zeros();
        let mut bits = commitment.values.iter().rev().map(|value| value.bits);
        if subject.groups > 0 {
            assert_eq!(bits.next(), Some(length(subject.groups)), "{}", subject.what);
        }
        assert_eq!(bits.next(), Some(length(subject.classes)), "{}", subject.what);
    }
}

/// Rows of the circuit for a row of the table grow by the same number for each group.
#[test]
fn groups_cost_the_same_each() {
    let audited = Audited::public(&tree_classifier(3, 2, 3, &mut rng(6)));
    let rows = |groups: usize| {
        let subject = Subject::new("groups", audited.clone(), [2, groups], None);
        let each = |rows: usize| subject.case(rows, &["accuracy>=0.5"]).layout.rows();
        (each(48) - each(16)) as f64 / 32.0
    };
    let taken: Vec<f64> = (2..=8).map(rows).collect();
    report!("audit: rows of a row with 2 to 8 groups: {taken:?}");
    for pair in taken[1..].windows(2) {
        let more = pair[1] - pair[0];
        assert!((12.0..24.0).contains(&more), "{taken:?}");
    }
}

#[test]
fn what_no_audit_of_many_can_be_made_of_is_refused() {
    let model = Audited::public(&linear(3)).program;
    let groups = |groups: usize| Audit {
        groups,
        positive: Some(1),
        ..audit(3, true, &[])
    };
    for refused in [0, 1, 9] {
        assert!(
            matches!(model.audit(&groups(refused)), Err(ModelError::Audit { .. })),
            "{refused}"
        );
    }
    let no_class = Audit {
        positive: Some(3),
        ..audit(3, false, &[])
    };
    assert!(matches!(model.audit(&no_class), Err(ModelError::Audit { .. })));
    let unselected = model.audit(&audit(3, true, &["four-fifths"])).unwrap_err();
    assert!(
        matches!(&unselected, ModelError::NoSelectedClass { classes } if classes.len() == 3),
        "{unselected}"
    );
    assert!(
        unselected.to_string().contains("class 0, class 1, class 2"),
        "{unselected}"
    );
    let many = Audited::public(&linear(17)).program;
    let error = many.audit(&audit(3, false, &[])).unwrap_err();
    assert!(matches!(error, ModelError::Audit { .. }), "{error}");
    // A committed model's salt and single decision are the audit's: nothing of it is left out.
    let committed = Audited::committed(&linear(3), MEASURED);
    assert_eq!(committed.model, Visibility::Committed);
    let program = committed.program.audit(&audit(2, false, &[])).unwrap();
    assert_eq!(program.parameters().unwrap(), committed.program.parameters().unwrap());
}
