//! NumPy files: one array (`.npy`), or one per model input (`.npz`), each a sample or a batch of samples.

use std::io::{Cursor, Error, ErrorKind, Read};

use npyz::{DType, NpyFile, Order, TypeChar, npz::NpzArchive};
use zkverdict_model::{Element, Input};

use super::{Sample, SampleProblem, cut};
use crate::number;

/// Values that one array may hold.
const LIMIT: u64 = 1 << 24;
/// Bytes that one array may take: 8 for each value, and a header.
const BYTES: u64 = LIMIT * 8 + (1 << 16);

/// Reads a `.npy` file.
pub(super) fn read_one(bytes: &[u8], inputs: &[Input]) -> Result<Vec<Sample>, SampleProblem> {
    let [input] = inputs else {
        return Err(SampleProblem::OneArray { inputs: inputs.len() });
    };
    if bytes.is_empty() {
        return Err(SampleProblem::Empty);
    }
    cut(inputs, &[values(bytes, "array", input)?])
}

/// Reads a `.npz` file; the only array of a model with one input may have any name.
pub(super) fn read_archive(bytes: Vec<u8>, inputs: &[Input], ignored: &[String]) -> Result<Vec<Sample>, SampleProblem> {
    if bytes.is_empty() {
        return Err(SampleProblem::Empty);
    }
    let mut archive = NpzArchive::new(Cursor::new(bytes)).map_err(array)?;
    let names: Vec<String> = archive
        .array_names()
        .filter(|name| !ignored.iter().any(|ignored| ignored == name))
        .map(str::to_owned)
        .collect();
    let alone = names.len() == 1 && inputs.len() == 1;
    if !alone
        && let Some(name) = names
            .iter()
            .find(|name| !inputs.iter().any(|input| input.name == **name))
    {
        return Err(SampleProblem::Extra { name: name.clone() });
    }
    let mut lists = Vec::with_capacity(inputs.len());
    for input in inputs {
        let name = names
            .iter()
            .find(|name| alone || **name == input.name)
            .ok_or_else(|| SampleProblem::Missing {
                input: input.name.clone(),
                found: names.clone(),
            })?;
        let contents = unpack(&mut archive, name)?;
        lists.push(values(&contents, name, input)?);
    }
    cut(inputs, &lists)
}

/// Arrays by their names, each one number for each sample.
pub(super) fn columns(bytes: Vec<u8>, names: &[&str]) -> Result<Vec<Vec<String>>, SampleProblem> {
    let mut archive = NpzArchive::new(Cursor::new(bytes)).map_err(array)?;
    let found: Vec<String> = archive.array_names().map(str::to_owned).collect();
    let column = |name: &&str| {
        if !found.iter().any(|array| array == name) {
            return Err(SampleProblem::NoColumn {
                column: (*name).to_owned(),
                found: found.clone(),
            });
        }
        let one = Input {
            name: (*name).to_owned(),
            shape: vec![1],
            element: Element::Float64,
        };
        let numbers = values(&unpack(&mut archive, name)?, name, &one)?;
        Ok(numbers.iter().map(f64::to_string).collect())
    };
    names.iter().map(column).collect()
}

/// The `.npy` file of an array.
fn unpack(archive: &mut NpzArchive<Cursor<Vec<u8>>>, name: &str) -> Result<Vec<u8>, SampleProblem> {
    let mut contents = Vec::new();
    archive
        .zip_archive()
        .by_name(&format!("{name}.npy"))
        .map_err(|error| array(Error::new(ErrorKind::InvalidData, error.to_string())))?
        .take(BYTES)
        .read_to_end(&mut contents)
        .map_err(array)?;
    Ok(contents)
}

fn array(source: Error) -> SampleProblem {
    SampleProblem::Array { source }
}

/// The numbers of an array whose shape is the input's or a batch of it.
fn values(bytes: &[u8], name: &str, input: &Input) -> Result<Vec<f64>, SampleProblem> {
    check_header(bytes)?;
    let file = NpyFile::new(bytes).map_err(array)?;
    let shape = file.shape().to_vec();
    let name = || name.to_owned();
    let count = shape
        .iter()
        .try_fold(1u64, |count, &size| count.checked_mul(size))
        .filter(|&count| count <= LIMIT)
        .ok_or_else(|| SampleProblem::ArraySize {
            array: name(),
            limit: LIMIT,
        })?;
    let length = u64::try_from(input.len()).unwrap_or(u64::MAX);
    let sample = shape.split_first().map_or(1, |(_, rest)| rest.iter().product());
    // One sample, flat or in the input's shape, or a batch of samples.
    if count == 0 || (count != length && sample != length) {
        return Err(SampleProblem::ArrayShape {
            array: name(),
            expected: input.shape.clone(),
            got: shape,
        });
    }
    if file.order() == Order::Fortran && shape.len() > 1 {
        return Err(SampleProblem::ArrayOrder { array: name() });
    }
    let unknown = |data_type: String| SampleProblem::ArrayType {
        array: name(),
        data_type,
    };
    let DType::Plain(kind) = file.dtype() else {
        return Err(unknown("a record".to_owned()));
    };
    fn read<T: npyz::Deserialize>(file: NpyFile<&[u8]>, convert: impl Fn(T) -> f64) -> Result<Vec<f64>, SampleProblem> {
        let values = file.into_vec::<T>().map_err(array)?;
        Ok(values.into_iter().map(convert).collect())
    }
    match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 8) => read::<f64>(file, |value| value),
        (TypeChar::Float, 4) => read::<f32>(file, f64::from),
        (TypeChar::Int, 8) => read::<i64>(file, number::real),
        (TypeChar::Int, 4) => read::<i32>(file, f64::from),
        (TypeChar::Int, 2) => read::<i16>(file, f64::from),
        (TypeChar::Int, 1) => read::<i8>(file, f64::from),
        (TypeChar::Uint, 4) => read::<u32>(file, f64::from),
        (TypeChar::Uint, 2) => read::<u16>(file, f64::from),
        (TypeChar::Uint, 1) => read::<u8>(file, f64::from),
        (TypeChar::Bool, 1) => read::<bool>(file, |truth| f64::from(u8::from(truth))),
        _ => Err(unknown(kind.to_string())),
    }
}

/// Refuses a header that is longer or nests deeper than any array of numbers needs; its parser is recursive.
fn check_header(bytes: &[u8]) -> Result<(), SampleProblem> {
    let invalid = |what: &str| array(Error::new(ErrorKind::InvalidData, what));
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or_else(|| invalid("the magic bytes are missing"))?;
    let (length, text) = match rest {
        [1, _, low, high, text @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), text),
        [2 | 3, _, a, b, c, d, text @ ..] => (
            usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX),
            text,
        ),
        _ => return Err(invalid("the format version is not known")),
    };
    let header = text
        .get(..length)
        .filter(|header| header.len() <= 1 << 14)
        .ok_or_else(|| invalid("the header is cut off or too long"))?;
    let brackets = header.iter().filter(|byte| b"([{".contains(byte)).count();
    if brackets > 16 {
        return Err(invalid("the header nests too deeply"));
    }
    Ok(())
}
