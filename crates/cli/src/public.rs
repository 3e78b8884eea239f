//! Public inputs in words.

use serde::Serialize;
use serde_json::Value;
use zkverdict::{
    Field, Role,
    models::{Claim, OutputKind, TreeClaim, from_ordered},
};

use crate::printer::{Style, pairs, real};

/// One public input as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PublicValue {
    /// The tensor's name, or `context`.
    pub(crate) name: String,
    /// Position in the tensor.
    pub(crate) index: usize,
    /// What is counted there: a group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) element: Option<String>,
    /// What it is.
    pub(crate) role: Role,
    /// What it says: a number, a label, a truth value; hexadecimal for the context.
    pub(crate) value: Value,
}

impl PublicValue {
    /// Whether it says if a claim of an audit holds.
    pub(crate) fn is_claim(&self) -> bool {
        self.is_bit() && self.name.parse::<Claim>().is_ok()
    }

    /// Whether it says if a claim about trees is shown.
    pub(crate) fn is_tree_claim(&self) -> bool {
        self.is_bit() && self.name.parse::<TreeClaim>().is_ok()
    }

    fn is_bit(&self) -> bool {
        self.role == Role::Output && self.value.is_boolean()
    }

    /// The value in words.
    pub(crate) fn text(&self) -> String {
        match &self.value {
            Value::Bool(holds) if self.is_claim() => if *holds { "holds" } else { "does not hold" }.to_owned(),
            Value::Bool(shown) if self.is_tree_claim() => if *shown { "holds" } else { "is not shown" }.to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), real),
            other => other.to_string(),
        }
    }
}

/// Reads the words of a proof by the schema of its key.
pub(crate) fn read(schema: &[Field], words: &[[u8; 32]]) -> Vec<PublicValue> {
    schema
        .iter()
        .zip(words)
        .map(|(field, word)| PublicValue {
            name: field.name.clone(),
            index: field.index,
            element: field.element.clone(),
            role: field.role,
            value: value(field, word),
        })
        .collect()
}

fn value(field: &Field, word: &[u8; 32]) -> Value {
    let (high, low) = word.split_at(24);
    let small = high.iter().all(|&byte| byte == 0);
    let cell = <[u8; 8]>::try_from(low).ok().map(u64::from_be_bytes);
    // Cells have far fewer bits; anything else comes from no proof.
    let cell = cell.filter(|&cell| small && cell < 1 << 53).map(|cell| cell as i64);
    match cell {
        Some(cell) if matches!(field.role, Role::Input | Role::Output) => cell_value(field, cell),
        _ => Value::String(format!("0x{}", hex::encode(word))),
    }
}

fn cell_value(field: &Field, cell: i64) -> Value {
    match &field.kind {
        Some(OutputKind::Bool) => Value::Bool(cell == field.format.zero + 1),
        Some(OutputKind::StringLabel(_)) => Value::String(field.show(cell)),
        Some(OutputKind::IntLabel(_) | OutputKind::Index) => {
            field.show(cell).parse::<i64>().map_or(Value::Null, Value::from)
        }
        _ if field.float32 => Value::from(from_ordered(cell)),
        _ => Value::from(field.format.dequantize(cell)),
    }
}

/// The integer of a committed value, in words.
pub(crate) fn cell(field: &Field, cell: i64) -> PublicValue {
    PublicValue {
        name: field.name.clone(),
        index: field.index,
        element: field.element.clone(),
        role: field.role,
        value: cell_value(field, cell),
    }
}

/// Only the model's outputs.
pub(crate) fn outputs(values: &[PublicValue]) -> impl Iterator<Item = &PublicValue> {
    values.iter().filter(|value| value.role == Role::Output)
}

/// One line per value; tensors with one element lose their index, and groups stand for theirs.
pub(crate) fn render(values: &[PublicValue], style: Style) -> String {
    let rows: Vec<(String, String)> = values
        .iter()
        .map(|value| (label(value, values), value.text()))
        .collect();
    let rows: Vec<(&str, String)> = rows.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    pairs(style, 2, &rows)
}

fn label(value: &PublicValue, all: &[PublicValue]) -> String {
    if all
        .iter()
        .filter(|other| other.name == value.name && other.role == value.role)
        .count()
        == 1
    {
        value.name.clone()
    } else {
        format!(
            "{}[{}]",
            value.name,
            value.element.clone().unwrap_or_else(|| value.index.to_string())
        )
    }
}

/// The position that `NAME` or `NAME[INDEX]` names among the public inputs.
pub(crate) fn find(values: &[PublicValue], name: &str) -> Option<usize> {
    values
        .iter()
        .position(|value| label(value, values) == name || format!("{}[{}]", value.name, value.index) == name)
}
