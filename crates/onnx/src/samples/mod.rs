//! Sample files: rows for the inputs of a graph from JSON, CSV, `.npy` and `.npz`.

mod array;
mod json;
mod table;

use std::path::Path;

use zkverdict_model::{Element, Graph, Input};

use crate::{OnnxError, number};

/// Values for every input of a graph, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// One flattened list per graph input.
    pub inputs: Vec<Vec<f64>>,
}

/// What is wrong with a sample file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleProblem {
    /// The file's ending names no format.
    #[error("the ending {extension:?} is not known; use .json, .csv, .npy or .npz")]
    Format {
        /// Ending, without the dot.
        extension: String,
    },
    /// The file holds no sample.
    #[error("it holds no samples; add at least one")]
    Empty,
    /// The file is not text.
    #[error("it is not UTF-8 text (byte {position}); save it as UTF-8")]
    Text {
        /// First bad byte.
        position: usize,
    },
    /// The JSON does not parse.
    #[error("it is not valid JSON: {source}")]
    Json {
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The JSON has a shape that means nothing here.
    #[error(
        "its JSON has no known form; use {{\"input_data\": [[…]]}} with one list per model input, or an object with \
         one entry per model input ({inputs:?})"
    )]
    JsonForm {
        /// Names of the graph inputs.
        inputs: Vec<String>,
    },
    /// A number of lists that matches neither inputs nor rows.
    #[error("it holds {got} lists, but the model has {expected} inputs; give one list per input")]
    Lists {
        /// Inputs.
        expected: usize,
        /// Lists.
        got: usize,
    },
    /// An entry is missing.
    #[error("it has no values for the model input {input:?}; it has {found:?}")]
    Missing {
        /// Input.
        input: String,
        /// What the file names.
        found: Vec<String>,
    },
    /// An entry belongs to no input.
    #[error("{name:?} is no input of the model; remove it, or name it as ignored")]
    Extra {
        /// Entry.
        name: String,
    },
    /// A list that is no multiple of the input's length.
    #[error("the model input {input:?} takes {expected} values a sample; got {got}, which is no multiple of it")]
    Length {
        /// Input.
        input: String,
        /// Values a sample.
        expected: usize,
        /// Values in the file.
        got: usize,
    },
    /// Lists for different inputs hold different numbers of samples.
    #[error("{input:?} has {got} samples, but {first:?} has {expected}")]
    Counts {
        /// First input.
        first: String,
        /// Its samples.
        expected: usize,
        /// Other input.
        input: String,
        /// Its samples.
        got: usize,
    },
    /// A value that is not a number.
    #[error("{place}: {value} is not a number; encode it as the training did")]
    NotNumber {
        /// Where.
        place: Place,
        /// What stands there.
        value: String,
    },
    /// NaN, infinity, or a number beyond the input's type.
    #[error("{place}: {value} is not a finite number of the input's type; impute missing values as the training did")]
    NotFinite {
        /// Where.
        place: Place,
        /// What stands there.
        value: f64,
    },
    /// A fraction, or too large a number, for an integer input.
    #[error("{place}: {value} is not an integer within ±2^53; the model input {input:?} takes integers")]
    NotInteger {
        /// Where.
        place: Place,
        /// What stands there.
        value: f64,
        /// Input.
        input: String,
    },
    /// Something other than 0 and 1 for a Boolean input.
    #[error("{place}: {value} is neither 0 nor 1; the model input {input:?} takes truth values")]
    NotBool {
        /// Where.
        place: Place,
        /// What stands there.
        value: f64,
        /// Input.
        input: String,
    },
    /// The CSV does not parse.
    #[error("it is not valid CSV: {source}")]
    Csv {
        /// What the parser said.
        source: csv::Error,
    },
    /// The first line is data.
    #[error("its first line holds numbers only; add a header with the column names")]
    NoHeader,
    /// A column that is asked for by name is not there.
    #[error("it has no column {column:?}; it has {found:?}")]
    NoColumn {
        /// Column.
        column: String,
        /// What the file names.
        found: Vec<String>,
    },
    /// A column is named twice.
    #[error("the column {column:?} appears twice; rename one")]
    ColumnTwice {
        /// Column.
        column: String,
    },
    /// The columns do not fill the inputs.
    #[error(
        "it has {got} columns, but the model takes {expected} values a sample; surplus columns must be named as ignored"
    )]
    Columns {
        /// Values a sample.
        expected: usize,
        /// Columns that are not ignored.
        got: usize,
    },
    /// A line with more or fewer fields than the header.
    #[error("line {line} has {got} fields, but the header has {expected}")]
    Ragged {
        /// Line, from 1.
        line: u64,
        /// Fields in the header.
        expected: usize,
        /// Fields in the line.
        got: usize,
    },
    /// The array file does not parse.
    #[error("it is not a NumPy file: {source}")]
    Array {
        /// What the parser said.
        source: std::io::Error,
    },
    /// An array of a type that holds no numbers this crate reads.
    #[error("the array {array:?} has the type {data_type}; save it as float32, float64, int64 or bool")]
    ArrayType {
        /// Array.
        array: String,
        /// Type in NumPy's notation.
        data_type: String,
    },
    /// An array in column-major order.
    #[error("the array {array:?} is in Fortran order; save numpy.ascontiguousarray(…)")]
    ArrayOrder {
        /// Array.
        array: String,
    },
    /// An array with a shape that fits no number of samples.
    #[error("the array {array:?} has the shape {got:?}; the model input takes {expected:?}, or a batch of these")]
    ArrayShape {
        /// Array.
        array: String,
        /// Shape of the input.
        expected: Vec<usize>,
        /// Shape in the file.
        got: Vec<u64>,
    },
    /// More values than a sample file may hold.
    #[error("the array {array:?} holds more than {limit} values; split the file")]
    ArraySize {
        /// Array.
        array: String,
        /// Limit.
        limit: u64,
    },
    /// A `.npy` file where something else than samples is asked for by name.
    #[error("a .npy file holds one array without a name; use .npz with one array each, .json or .csv")]
    NoNames,
    /// A `.npy` file for a model with several inputs.
    #[error("a .npy file holds one array, but the model has {inputs} inputs; use .npz with one array per input")]
    OneArray {
        /// Inputs.
        inputs: usize,
    },
}

/// Where a value stands in a sample file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A field of a table.
    Field {
        /// Line, from 1.
        line: u64,
        /// Column name.
        column: String,
    },
    /// A value of an input.
    Value {
        /// Input.
        input: String,
        /// Sample, from 0.
        sample: usize,
        /// Position in the sample, from 0.
        position: usize,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Field { line, column } => write!(f, "line {line}, column {column:?}"),
            Place::Value {
                input,
                sample,
                position,
            } => {
                write!(f, "sample {sample}, input {input:?}, value {position}")
            }
        }
    }
}

/// Reads the samples of a file; the ending of its name (`.json`, `.csv`, `.npy`, `.npz`) chooses the format.
///
/// Values are rounded to `f32` where the graph input is [`Element::Float32`], as ONNX Runtime sees them.
///
/// # Errors
///
/// [`OnnxError::Read`] if the file cannot be read, [`OnnxError::Samples`] if it does not fit the graph.
pub fn read_samples(path: &Path, graph: &Graph) -> Result<Vec<Sample>, OnnxError> {
    read_samples_ignoring(path, graph, &[])
}

/// As [`read_samples`], leaving out the columns, arrays or JSON entries named in `ignored` (a label, an identifier).
///
/// # Errors
///
/// As [`read_samples`].
pub fn read_samples_ignoring(path: &Path, graph: &Graph, ignored: &[String]) -> Result<Vec<Sample>, OnnxError> {
    let (extension, bytes) = contents(path)?;
    let inputs = &graph.inputs;
    let samples = match extension.as_str() {
        "json" => json::read(&bytes, inputs, ignored),
        "csv" => table::read(&bytes, inputs, ignored),
        "npy" => array::read_one(&bytes, inputs),
        "npz" => array::read_archive(bytes, inputs, ignored),
        _ => Err(SampleProblem::Format { extension }),
    };
    samples
        .and_then(|samples| {
            if samples.is_empty() {
                Err(SampleProblem::Empty)
            } else {
                Ok(samples)
            }
        })
        .map_err(|problem| OnnxError::Samples {
            path: path.to_owned(),
            problem,
        })
}

/// What stands beside the samples of a file under these names, one text for each sample: columns of a CSV file, entries of
/// a JSON file, arrays of an `.npz` file. Numbers are written without needless decimals.
///
/// # Errors
///
/// [`OnnxError::Read`] if the file cannot be read, [`OnnxError::Samples`] if nothing stands there under such a name.
pub fn read_columns(path: &Path, names: &[&str]) -> Result<Vec<Vec<String>>, OnnxError> {
    let (extension, bytes) = contents(path)?;
    let columns = match extension.as_str() {
        "json" => json::columns(&bytes, names),
        "csv" => table::columns(&bytes, names),
        "npy" => Err(SampleProblem::NoNames),
        "npz" => array::columns(bytes, names),
        _ => Err(SampleProblem::Format { extension }),
    };
    columns.map_err(|problem| OnnxError::Samples {
        path: path.to_owned(),
        problem,
    })
}

/// The ending of a file's name, and what is in it.
fn contents(path: &Path) -> Result<(String, Vec<u8>), OnnxError> {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let bytes = std::fs::read(path).map_err(|source| OnnxError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok((extension, bytes))
}

/// The text of a file, without a byte order mark.
fn text(bytes: &[u8]) -> Result<&str, SampleProblem> {
    let text = std::str::from_utf8(bytes).map_err(|error| SampleProblem::Text {
        position: error.valid_up_to(),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Checks a value against the type of its input, and rounds it to that type.
fn accept(input: &Input, value: f64, place: impl Fn() -> Place) -> Result<f64, SampleProblem> {
    let value = match input.element {
        Element::Float32 => {
            let rounded = number::single(value);
            if !rounded.is_finite() {
                return Err(SampleProblem::NotFinite { place: place(), value });
            }
            rounded
        }
        _ => value,
    };
    if !value.is_finite() {
        return Err(SampleProblem::NotFinite { place: place(), value });
    }
    match input.element {
        Element::Int64 if number::whole(value).is_none() => Err(SampleProblem::NotInteger {
            place: place(),
            value,
            input: input.name.clone(),
        }),
        Element::Bool if value != 0.0 && value != 1.0 => Err(SampleProblem::NotBool {
            place: place(),
            value,
            input: input.name.clone(),
        }),
        _ => Ok(value),
    }
}

/// Cuts one list per input into samples; each list holds whole samples, and all lists equally many.
fn cut(inputs: &[Input], lists: &[Vec<f64>]) -> Result<Vec<Sample>, SampleProblem> {
    let mut samples: Vec<Sample> = Vec::new();
    for (position, (input, list)) in inputs.iter().zip(lists).enumerate() {
        let length = input.len().max(1);
        let rows = list.chunks_exact(length);
        if !rows.remainder().is_empty() || list.is_empty() {
            return Err(SampleProblem::Length {
                input: input.name.clone(),
                expected: length,
                got: list.len(),
            });
        }
        if position == 0 {
            samples.resize(
                rows.len(),
                Sample {
                    inputs: Vec::with_capacity(inputs.len()),
                },
            );
        } else if rows.len() != samples.len() {
            return Err(SampleProblem::Counts {
                first: inputs.first().map(|first| first.name.clone()).unwrap_or_default(),
                expected: samples.len(),
                input: input.name.clone(),
                got: rows.len(),
            });
        }
        for (number, (row, sample)) in rows.zip(&mut samples).enumerate() {
            let values = row
                .iter()
                .enumerate()
                .map(|(position, &value)| {
                    accept(input, value, || Place::Value {
                        input: input.name.clone(),
                        sample: number,
                        position,
                    })
                })
                .collect::<Result<_, _>>()?;
            sample.inputs.push(values);
        }
    }
    Ok(samples)
}
