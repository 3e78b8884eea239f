//! JSON: EZKL's `{"input_data": [[…], …]}`, plain rows, and objects with one entry per model input.

use serde_json::{Map, Value};
use zkverdict_model::Input;

use super::{Place, Sample, SampleProblem, cut, text};

/// Reads the samples of a JSON file.
///
/// - `{"input_data": lists}` or plain `lists`: one list per input, each with whole samples end to end; or, for a model
///   with one input, one list per sample.
/// - `{"name": values, …}`: one entry per input, each with whole samples.
/// - `[{"name": values, …}, …]`: one such object per sample.
pub(super) fn read(bytes: &[u8], inputs: &[Input], ignored: &[String]) -> Result<Vec<Sample>, SampleProblem> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(SampleProblem::Empty);
    }
    let document: Value = serde_json::from_str(text).map_err(|source| SampleProblem::Json { source })?;
    match &document {
        Value::Object(entries) => match entries.get("input_data") {
            Some(lists) => {
                // EZKL writes the expected outputs beside the inputs.
                let known = ["input_data", "output_data"];
                for name in entries.keys() {
                    if !known.contains(&name.as_str()) && !ignored.contains(name) {
                        return Err(SampleProblem::Extra { name: name.clone() });
                    }
                }
                read_lists(lists, inputs)
            }
            None => read_entries(entries, inputs, ignored),
        },
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut samples = Vec::new();
            for item in items {
                let Value::Object(entries) = item else {
                    return Err(form(inputs));
                };
                samples.extend(read_entries(entries, inputs, ignored)?);
            }
            Ok(samples)
        }
        Value::Array(_) => read_lists(&document, inputs),
        _ => Err(form(inputs)),
    }
}

/// Entries by their names, as text: a list in an object, or one value in each of a list of objects.
pub(super) fn columns(bytes: &[u8], names: &[&str]) -> Result<Vec<Vec<String>>, SampleProblem> {
    let document: Value = serde_json::from_str(text(bytes)?).map_err(|source| SampleProblem::Json { source })?;
    let column = |name: &&str| match &document {
        Value::Object(entries) => match entry(entries, name)? {
            Value::Array(values) => values
                .iter()
                .enumerate()
                .map(|(row, value)| word(name, row, value))
                .collect(),
            value => Ok(vec![word(name, 0, value)?]),
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(row, item)| match item {
                Value::Object(entries) => word(name, row, entry(entries, name)?),
                _ => Err(no_column(name, &Map::new())),
            })
            .collect(),
        _ => Err(no_column(name, &Map::new())),
    };
    names.iter().map(column).collect()
}

fn entry<'e>(entries: &'e Map<String, Value>, name: &str) -> Result<&'e Value, SampleProblem> {
    entries.get(name).ok_or_else(|| no_column(name, entries))
}

fn no_column(name: &str, entries: &Map<String, Value>) -> SampleProblem {
    SampleProblem::NoColumn {
        column: name.to_owned(),
        found: entries.keys().cloned().collect(),
    }
}

/// One value as text; a list of one stands for what is in it.
fn word(name: &str, row: usize, value: &Value) -> Result<String, SampleProblem> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number
            .as_f64()
            .map_or_else(|| number.to_string(), |number| number.to_string())),
        Value::Array(values) => match values.as_slice() {
            [value @ (Value::String(_) | Value::Bool(_) | Value::Number(_))] => word(name, row, value),
            _ => Err(no_value(name, row, value)),
        },
        _ => Err(no_value(name, row, value)),
    }
}

fn no_value(name: &str, row: usize, value: &Value) -> SampleProblem {
    SampleProblem::NotNumber {
        place: Place::Value {
            input: name.to_owned(),
            sample: row,
            position: 0,
        },
        value: value.to_string(),
    }
}

fn form(inputs: &[Input]) -> SampleProblem {
    SampleProblem::JsonForm {
        inputs: inputs.iter().map(|input| input.name.clone()).collect(),
    }
}

fn read_lists(lists: &Value, inputs: &[Input]) -> Result<Vec<Sample>, SampleProblem> {
    let Value::Array(items) = lists else {
        return Err(form(inputs));
    };
    if items.is_empty() {
        return Err(SampleProblem::Empty);
    }
    if let [input] = inputs {
        if items.iter().all(Value::is_array) {
            // One list per sample, or several samples in a list: each list must hold whole samples.
            let mut samples = Vec::new();
            for item in items {
                samples.extend(cut(inputs, &[flatten(item, input)?])?);
            }
            return Ok(samples);
        }
        return cut(inputs, &[flatten(lists, input)?]);
    }
    if items.len() != inputs.len() {
        return Err(SampleProblem::Lists {
            expected: inputs.len(),
            got: items.len(),
        });
    }
    let lists = items
        .iter()
        .zip(inputs)
        .map(|(item, input)| flatten(item, input))
        .collect::<Result<Vec<_>, _>>()?;
    cut(inputs, &lists)
}

fn read_entries(
    entries: &Map<String, Value>,
    inputs: &[Input],
    ignored: &[String],
) -> Result<Vec<Sample>, SampleProblem> {
    for name in entries.keys() {
        if !inputs.iter().any(|input| input.name == *name) && !ignored.contains(name) {
            return Err(SampleProblem::Extra { name: name.clone() });
        }
    }
    let lists = inputs
        .iter()
        .map(|input| match entries.get(&input.name) {
            Some(values) => flatten(values, input),
            None => Err(SampleProblem::Missing {
                input: input.name.clone(),
                found: entries.keys().cloned().collect(),
            }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    cut(inputs, &lists)
}

/// The numbers of a nested list, in order.
fn flatten(value: &Value, input: &Input) -> Result<Vec<f64>, SampleProblem> {
    let mut numbers = Vec::new();
    collect(value, input, &mut numbers)?;
    Ok(numbers)
}

fn collect(value: &Value, input: &Input, numbers: &mut Vec<f64>) -> Result<(), SampleProblem> {
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, input, numbers)?;
            }
        }
        Value::Bool(truth) => numbers.push(f64::from(u8::from(*truth))),
        _ => match value.as_f64() {
            Some(number) => numbers.push(number),
            None => {
                let length = input.len().max(1);
                return Err(SampleProblem::NotNumber {
                    place: Place::Value {
                        input: input.name.clone(),
                        sample: numbers.len() / length,
                        position: numbers.len() % length,
                    },
                    value: value.to_string(),
                });
            }
        },
    }
    Ok(())
}
