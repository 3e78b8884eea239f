//! CSV with a header: columns in the order of the input's elements, or one column per model input, by name.

use std::collections::BTreeSet;

use zkverdict_model::Input;

use super::{Place, Sample, SampleProblem, accept, text};

/// Reads the samples of a CSV file.
///
/// A model with several inputs of one element each takes its columns by name; any other model takes them in order.
pub(super) fn read(bytes: &[u8], inputs: &[Input], ignored: &[String]) -> Result<Vec<Sample>, SampleProblem> {
    let text = text(bytes)?;
    if text.trim().is_empty() {
        return Err(SampleProblem::Empty);
    }
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map_err(|source| SampleProblem::Csv { source })?
        .iter()
        .map(str::to_owned)
        .collect();
    if header.iter().all(|column| column.parse::<f64>().is_ok()) {
        return Err(SampleProblem::NoHeader);
    }
    let mut seen = BTreeSet::new();
    for column in &header {
        if !seen.insert(column) {
            return Err(SampleProblem::ColumnTwice { column: column.clone() });
        }
    }
    let columns = assign(&header, inputs, ignored)?;
    let mut samples = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|source| SampleProblem::Csv { source })?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            return Err(SampleProblem::Ragged {
                line,
                expected: header.len(),
                got: record.len(),
            });
        }
        let inputs = inputs
            .iter()
            .zip(&columns)
            .map(|(input, columns)| {
                columns
                    .iter()
                    .map(|&column| {
                        let field = record.get(column).unwrap_or_default();
                        let place = || Place::Field {
                            line,
                            column: header.get(column).cloned().unwrap_or_default(),
                        };
                        let value = parse(field).ok_or_else(|| SampleProblem::NotNumber {
                            place: place(),
                            value: format!("{field:?}"),
                        })?;
                        accept(input, value, place)
                    })
                    .collect()
            })
            .collect::<Result<_, _>>()?;
        samples.push(Sample { inputs });
    }
    Ok(samples)
}

/// Columns by their names, as text.
pub(super) fn columns(bytes: &[u8], names: &[&str]) -> Result<Vec<Vec<String>>, SampleProblem> {
    let text = text(bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|source| SampleProblem::Csv { source })?
        .clone();
    let place = |name: &&str| {
        header
            .iter()
            .position(|column| column == *name)
            .ok_or_else(|| SampleProblem::NoColumn {
                column: (*name).to_owned(),
                found: header.iter().map(str::to_owned).collect(),
            })
    };
    let places = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        let record = record.map_err(|source| SampleProblem::Csv { source })?;
        for (column, place) in columns.iter_mut().zip(&places) {
            column.push(record.get(*place).unwrap_or_default().to_owned());
        }
    }
    Ok(columns)
}

fn parse(field: &str) -> Option<f64> {
    match field {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => field.parse().ok(),
    }
}

/// For each input, the positions of its columns.
fn assign(header: &[String], inputs: &[Input], ignored: &[String]) -> Result<Vec<Vec<usize>>, SampleProblem> {
    let used: Vec<(usize, &String)> = header
        .iter()
        .enumerate()
        .filter(|(_, column)| !ignored.contains(column))
        .collect();
    if inputs.len() > 1 && inputs.iter().all(|input| input.len() == 1) {
        for (_, column) in &used {
            if !inputs.iter().any(|input| input.name == **column) {
                return Err(SampleProblem::Extra {
                    name: (*column).clone(),
                });
            }
        }
        return inputs
            .iter()
            .map(|input| {
                used.iter()
                    .find(|(_, column)| **column == input.name)
                    .map(|&(position, _)| vec![position])
                    .ok_or_else(|| SampleProblem::Missing {
                        input: input.name.clone(),
                        found: header.to_vec(),
                    })
            })
            .collect();
    }
    let expected = inputs.iter().map(Input::len).sum();
    if used.len() != expected {
        return Err(SampleProblem::Columns {
            expected,
            got: used.len(),
        });
    }
    let mut positions = used.into_iter().map(|(position, _)| position);
    Ok(inputs
        .iter()
        .map(|input| positions.by_ref().take(input.len()).collect())
        .collect())
}
