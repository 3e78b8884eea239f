//! Audits: a circuit over all rows of a labelled table.

use std::path::Path;

use halo2_proofs::halo2curves::bn256::Fr;
use serde::{Deserialize, Serialize};
use zkverdict_circuit::{Commitment, Salts, Side, record_salt, root_of_path};
use zkverdict_model::{Audit, Claim, Graph, Input, MOST_GROUPS, ModelError};
use zkverdict_onnx::{OnnxError, SampleProblem, read_columns, read_samples_ignoring};
use zkverdict_verifier::encode_public_inputs;

use crate::{
    CircuitFile, Committed, Error, Field, Model,
    commitment::{create_opening, read_secret, scalar},
};

/// Which group a row of a table belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupRule {
    /// The second group has at least this in a column of numbers.
    AtLeast {
        /// The column.
        column: String,
        /// The smallest number of the second group.
        least: f64,
    },
    /// A column of numbers is divided into bands.
    Bands {
        /// The column.
        column: String,
        /// The smallest number of each group but the first, ascending.
        bounds: Vec<f64>,
    },
    /// A column holds one of a few values.
    Values {
        /// The column.
        column: String,
        /// Each group's.
        values: Vec<String>,
    },
}

impl GroupRule {
    /// Reads `COLUMN>=NUMBER`, `COLUMN>=NUMBER,NUMBER,…`, or the name of a column with a few values, which are those of
    /// the table, as text in order.
    ///
    /// # Errors
    /// A number that is none, or is not above the one before; a table that cannot be read; more or fewer groups than 2 to 8.
    pub fn parse(text: &str, table: &Path) -> Result<Self, Error> {
        if let Some((column, bounds)) = text.split_once(">=") {
            let column = column.trim().to_owned();
            let number = |text: &str| {
                let text = text.trim();
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                number.ok_or_else(|| Error::GroupBound { text: text.to_owned() })
            };
            let bounds: Vec<f64> = bounds.split(',').map(number).collect::<Result<_, _>>()?;
            return match bounds.as_slice() {
                [least] => Ok(Self::AtLeast { column, least: *least }),
                _ if bounds.len() < MOST_GROUPS && bounds.is_sorted_by(|low, high| low < high) => {
                    Ok(Self::Bands { column, bounds })
                }
                _ => Err(Error::GroupBands { column }),
            };
        }
        let mut values = read_columns(table, &[text])?.swap_remove(0);
        values.sort();
        values.dedup();
        let column = text.to_owned();
        match values.len() {
            2..=MOST_GROUPS => Ok(Self::Values { column, values }),
            count => Err(Error::GroupValues { column, count }),
        }
    }

    /// The column it reads.
    pub fn column(&self) -> &str {
        match self {
            Self::AtLeast { column, .. } | Self::Bands { column, .. } | Self::Values { column, .. } => column,
        }
    }

    /// The names of the groups.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::AtLeast { column, least } => bands(column, &[*least]),
            Self::Bands { column, bounds } => bands(column, bounds),
            Self::Values { column, values } => values.iter().map(|value| format!("{column} = {value}")).collect(),
        }
    }

    /// The number of the group that a field of its column says.
    fn group(&self, field: &str) -> Option<usize> {
        let band = |bounds: &[f64]| {
            let number = field.parse::<f64>().ok().filter(|number| number.is_finite())?;
            Some(bounds.partition_point(|least| *least <= number))
        };
        match self {
            Self::AtLeast { least, .. } => band(&[*least]),
            Self::Bands { bounds, .. } => band(bounds),
            Self::Values { values, .. } => values.iter().position(|value| value == field),
        }
    }
}

/// The names of the parts that these bounds divide a column into.
fn bands(column: &str, bounds: &[f64]) -> Vec<String> {
    let first = bounds.first().map(|least| format!("{column} < {least}"));
    let between = bounds
        .windows(2)
        .map(|pair| format!("{} <= {column} < {}", pair[0], pair[1]));
    let last = bounds.last().map(|least| format!("{column} >= {least}"));
    first.into_iter().chain(between).chain(last).collect()
}

/// The table that a circuit audits a model on, and how to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditTable {
    /// What is asked.
    pub audit: Audit,
    /// The classes that the model decides between.
    pub classes: Vec<String>,
    /// The groups.
    pub group: Option<GroupRule>,
    /// Whether the groups' column is an input of the model, too.
    #[serde(default)]
    pub group_is_input: bool,
}

/// What to audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditOptions {
    /// The column of the right classes.
    pub label: String,
    /// The groups.
    pub group: Option<GroupRule>,
    /// The class that is selected. Of two classes it is the second one where nothing is said.
    pub positive: Option<String>,
    /// What is said. Where nothing is, the counts are shown.
    pub claims: Vec<Claim>,
    /// Columns of the table that are nothing of this.
    pub ignore: Vec<String>,
}

impl AuditTable {
    /// The audit of a model on a table.
    ///
    /// # Errors
    /// A table that does not fit the model; labels that are no class of it; a selected class that is none.
    pub fn of(model: &Model, classes: Vec<String>, table: &Path, options: &AuditOptions) -> Result<Self, Error> {
        let positive = options.positive.as_ref().map(|name| {
            let class = class_number(&classes, name);
            class.ok_or_else(|| Error::NoSuchClass {
                name: name.clone(),
                classes: classes.clone(),
            })
        });
        let mut made = Self {
            audit: Audit {
                rows: 0,
                label: options.label.clone(),
                group: options.group.as_ref().map(|rule| rule.column().to_owned()),
                groups: options.group.as_ref().map_or(2, |rule| rule.names().len()),
                positive: positive.transpose()?,
                claims: options.claims.clone(),
            },
            classes,
            group: options.group.clone(),
            group_is_input: false,
        };
        let mut rows = made.read(table, &model.graph, &options.ignore);
        if made.group.is_some() && rows.as_ref().is_err_and(is_too_few) {
            // An input is missing beside the protected attribute: it is that one, or the table lacks one.
            made.group_is_input = true;
            rows = made.read(table, &model.graph, &options.ignore).or(rows);
        }
        made.audit.rows = rows?.rows.len();
        Ok(made)
    }

    fn read(&self, path: &Path, interface: &Graph, ignore: &[String]) -> Result<Rows, Error> {
        let mut names = vec![self.audit.label.as_str()];
        names.extend(self.group.as_ref().map(GroupRule::column));
        let mut columns = read_columns(path, &names)?.into_iter();
        let refused = |column: &str, row: usize, value: &str, expected: String| Error::AuditField {
            path: path.to_owned(),
            row,
            column: column.to_owned(),
            value: value.to_owned(),
            expected,
        };
        let labels = columns.next().unwrap_or_default();
        let labels = labels.iter().enumerate().map(|(row, field)| {
            class_number(&self.classes, field)
                .ok_or_else(|| refused(&self.audit.label, row, field, self.classes.join(" or ")))
        });
        let labels: Vec<usize> = labels.collect::<Result<_, _>>()?;
        let groups = columns.next().unwrap_or_default();
        let groups = groups.iter().enumerate().map(|(row, field)| {
            let group = self.group.as_ref().and_then(|rule| rule.group(field));
            let names = || {
                self.group
                    .as_ref()
                    .map(|rule| rule.names().join(" or "))
                    .unwrap_or_default()
            };
            group.ok_or_else(|| refused(names_column(self), row, field, names()))
        });
        let groups: Vec<usize> = groups.collect::<Result<_, _>>()?;
        let mut ignored = ignore.to_vec();
        ignored.push(self.audit.label.clone());
        let apart = self.group.as_ref().filter(|_| !self.group_is_input);
        ignored.extend(apart.map(|rule| rule.column().to_owned()));
        let rows = read_samples_ignoring(path, interface, &ignored)?;
        // Columns of a CSV are equally long; lists and arrays need not be.
        let lengths = names.iter().zip([labels.len(), groups.len()]);
        if let Some((column, got)) = lengths.into_iter().find(|(_, got)| *got != rows.len()) {
            let problem = SampleProblem::Counts {
                first: interface
                    .inputs
                    .first()
                    .map(|first| first.name.clone())
                    .unwrap_or_default(),
                expected: rows.len(),
                input: (*column).to_owned(),
                got,
            };
            let path = path.to_owned();
            return Err(OnnxError::Samples { path, problem }.into());
        }
        Ok(Rows {
            rows: rows.into_iter().map(|sample| sample.inputs).collect(),
            labels,
            groups,
        })
    }

    /// What each number of an output counts, if it counts more than one thing: the groups, or each class decided on where
    /// each class is right.
    pub(crate) fn elements(&self) -> Vec<String> {
        match &self.group {
            Some(rule) => rule.names(),
            None => {
                let decided = |label| {
                    self.classes
                        .iter()
                        .map(move |decision| format!("{label} as {decision}"))
                };
                self.classes.iter().flat_map(decided).collect()
            }
        }
    }

    /// The one sample of an audit: of each of the model's inputs all rows, one after the other, then the labels and the
    /// groups.
    ///
    /// # Errors
    /// A table that does not fit, or has another number of rows.
    pub fn sample(&self, path: &Path, interface: &Graph, ignore: &[String]) -> Result<Vec<Vec<f64>>, Error> {
        let Rows { rows, labels, groups } = self.read(path, interface, ignore)?;
        if rows.len() != self.audit.rows {
            return Err(Error::AuditRows {
                path: path.to_owned(),
                expected: self.audit.rows,
                got: rows.len(),
            });
        }
        let mut sample = vec![Vec::new(); interface.inputs.len()];
        for row in &rows {
            for (all, values) in sample.iter_mut().zip(row) {
                all.extend(values);
            }
        }
        let numbers = |classes: &[usize]| classes.iter().map(|class| *class as f64).collect::<Vec<_>>();
        sample.push(numbers(&labels));
        sample.extend(self.group.as_ref().map(|_| numbers(&groups)));
        Ok(sample)
    }
}

/// The number of the class that a field says, as text or as a number.
fn class_number(classes: &[String], field: &str) -> Option<usize> {
    let is_same = |class: &String| {
        let numbers = (class.parse::<f64>(), field.parse::<f64>());
        class == field || matches!(numbers, (Ok(class), Ok(field)) if class == field)
    };
    classes.iter().position(is_same)
}

fn names_column(table: &AuditTable) -> &str {
    table.group.as_ref().map_or("", GroupRule::column)
}

/// What a model refuses in a table, by row and by the place in it.
pub(crate) fn in_row(mut error: ModelError, path: &Path, inputs: &[Input]) -> Error {
    match &mut error {
        ModelError::InputOutOfRange { input, index, .. } | ModelError::UnknownCategory { input, index, .. } => {
            // Of a tensor all rows stand one after the other; labels and groups are one number each.
            let width = inputs
                .iter()
                .find(|tensor| tensor.name == *input)
                .map_or(1, Input::len)
                .max(1);
            let row = *index / width;
            *index %= width;
            Error::AuditValue {
                path: path.to_owned(),
                row,
                source: error,
            }
        }
        _ => error.into(),
    }
}

/// Whether a table has too few columns for the model's inputs.
fn is_too_few(error: &Error) -> bool {
    match error {
        Error::Onnx(OnnxError::Samples { problem, .. }) => match problem {
            SampleProblem::Columns { expected, got } => got < expected,
            SampleProblem::Missing { .. } => true,
            _ => false,
        },
        _ => false,
    }
}

/// The rows of a table: a sample each, the number of its class, the number of its group.
struct Rows {
    rows: Vec<Vec<Vec<f64>>>,
    labels: Vec<usize>,
    groups: Vec<usize>,
}

/// A number of the field, as it stands in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Scalar(#[serde(with = "scalar")] Fr);

/// What opens one row of a committed table. Secret until it is shown to somebody; it tells nothing of other rows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowOpening {
    /// Which row, from 0.
    pub row: usize,
    /// Its integers: the model's inputs, the number of its class, the number of its group.
    pub values: Vec<i64>,
    salt: Scalar,
    /// Of every node above the row all children, from the bottom.
    path: Vec<Vec<Scalar>>,
}

impl std::fmt::Debug for RowOpening {
    /// Shows only what it is for.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RowOpening({}, secret)", self.row)
    }
}

impl RowOpening {
    /// What opens one row of the table of an audit.
    ///
    /// # Errors
    /// [`Error::NotAudit`], [`Error::NoRow`]; inputs that the circuit does not accept.
    pub fn of(circuit: &CircuitFile, sample: &[Vec<f64>], salts: &Salts, row: usize) -> Result<Self, Error> {
        let rows = circuit.audit.as_ref().ok_or(Error::NotAudit)?.audit.rows;
        if row >= rows {
            return Err(Error::NoRow { row, rows });
        }
        let program = &circuit.compiled.program;
        let values = program.quantize(sample)?;
        let commitment = Commitment::of(program, Side::Input)?;
        let each = commitment.values.len();
        let tree = commitment.tree(&values, salts.input);
        let scalars = |children: Vec<Fr>| children.into_iter().map(Scalar).collect();
        Ok(Self {
            row,
            values: values[row * each..(row + 1) * each].to_vec(),
            salt: Scalar(record_salt(salts.input, row)),
            path: tree.path(row).into_iter().map(scalars).collect(),
        })
    }

    /// Whether the table whose root is among these public inputs has this row at this place; with what the values are.
    ///
    /// # Errors
    /// [`Error::NotAudit`]; integers that no row can have.
    pub fn check<'s>(&self, schema: &'s [Field], public_inputs: &[[u8; 32]]) -> Result<(bool, &'s [Field]), Error> {
        let fields = schema.iter().zip(public_inputs);
        let mut tables = fields.filter_map(|(field, word)| {
            let committed = field.committed.as_ref()?;
            Some((committed, committed.commitment.rows?, word))
        });
        let (Committed { commitment, fields }, rows, word) = tables.next().ok_or(Error::NotAudit)?;
        let leaf = commitment.leaf(&self.values, self.salt.0)?;
        let path: Vec<Vec<Fr>> = self
            .path
            .iter()
            .map(|children| children.iter().map(|hash| hash.0).collect())
            .collect();
        let root = root_of_path(leaf, self.row, rows, &path);
        Ok((
            root.is_some_and(|root| encode_public_inputs(&[root])[0] == *word),
            fields,
        ))
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`Error::OpeningExists`], I/O.
    pub fn create(&self, path: &Path) -> Result<(), Error> {
        create_opening(path, self)
    }

    /// Reads it.
    ///
    /// # Errors
    /// A file that is not there or holds no opening.
    pub fn load(path: &Path) -> Result<Self, Error> {
        read_secret(path, "opening of a row", "`zkverdict audit open`")
    }
}

impl CircuitFile {
    /// The root that commits to the table of an audit.
    ///
    /// # Errors
    /// [`Error::NotAudit`]; inputs that the circuit does not accept.
    pub fn data_root(&self, sample: &[Vec<f64>], salts: &Salts) -> Result<[u8; 32], Error> {
        if self.audit.is_none() {
            return Err(Error::NotAudit);
        }
        let program = &self.compiled.program;
        let hash = Commitment::of(program, Side::Input)?.hash(&program.quantize(sample)?, salts.input)?;
        Ok(encode_public_inputs(&[hash])[0])
    }
}
