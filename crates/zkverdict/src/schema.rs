use serde::{Deserialize, Serialize};
use zkverdict_circuit::{CircuitError, Commitment, CompiledModel, ModelCommitment, Side, Visibility};
use zkverdict_model::{Format, OutputKind, Program, from_ordered};

/// What a public input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The tag the proof is bound to.
    Context,
    /// An input of the model.
    Input,
    /// An output of the model.
    Output,
    /// A commitment to the model's weights and biases.
    ModelCommitment,
    /// A commitment to the inputs.
    InputCommitment,
    /// A commitment to the outputs.
    OutputCommitment,
}

impl Role {
    /// The commitment to one side.
    pub fn commitment(side: Side) -> Self {
        match side {
            Side::Model => Self::ModelCommitment,
            Side::Input => Self::InputCommitment,
            Side::Output => Self::OutputCommitment,
        }
    }
}

/// One public input in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// `context`, or the tensor's name.
    pub name: String,
    /// Position in the tensor.
    pub index: usize,
    /// What this element is of, where the elements of a tensor have names: the group that is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// What it is.
    pub role: Role,
    /// How its integer stands for a real number.
    pub format: Format,
    /// Whether the integer is the place of a `float32` in the order of floats instead.
    #[serde(default)]
    pub float32: bool,
    /// How an output is to be read.
    pub kind: Option<OutputKind>,
    /// What a commitment is to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Committed>,
    /// What a commitment to a model is to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelCommitment>,
}

/// What a commitment is to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    /// How the values are packed and hashed.
    pub commitment: Commitment,
    /// What they are, in the same order.
    pub fields: Vec<Field>,
}

impl Field {
    /// A value in words: a label's name, `true`, or a number.
    pub fn show(&self, value: i64) -> String {
        let index = usize::try_from(value - self.format.zero).ok();
        let label = match &self.kind {
            Some(OutputKind::IntLabel(labels)) => index.and_then(|at| labels.get(at)).map(ToString::to_string),
            Some(OutputKind::StringLabel(labels)) => index.and_then(|at| labels.get(at)).cloned(),
            Some(OutputKind::Bool) => Some((index == Some(1)).to_string()),
            _ => None,
        };
        label.unwrap_or_else(|| match self.float32 {
            true => format!("{}", from_ordered(value)),
            false => format!("{}", self.real(value)),
        })
    }

    /// The real number that a value stands for.
    pub fn real(&self, value: i64) -> f64 {
        let number = self.format.dequantize(value);
        self.kind.as_ref().map_or(number, |kind| kind.real(number))
    }
}

/// The public inputs of a program, in order.
///
/// # Errors
/// Commitments to values without a proven range.
pub(crate) fn public_schema(model: &CompiledModel) -> Result<Vec<Field>, CircuitError> {
    let mut schema = vec![Field::without_format("context".to_owned(), Role::Context, None)];
    for side in Side::ALL {
        match model.public.of(side) {
            Visibility::Public => schema.extend(fields(&model.program, side)),
            Visibility::Committed if side == Side::Model || model.opens_model() => {
                let side = Side::Model;
                let mut field = Field::without_format(format!("{side} commitment"), Role::commitment(side), None);
                field.model = Some(ModelCommitment::of(&model.program));
                schema.push(field);
            }
            Visibility::Committed => {
                let commitment = Commitment::of(&model.program, side)?;
                let name = match commitment.rows {
                    Some(_) => "data root".to_owned(),
                    None => format!("{side} commitment"),
                };
                let mut fields = fields(&model.program, side);
                fields.truncate(commitment.values.len());
                let committed = Committed { commitment, fields };
                schema.push(Field::without_format(name, Role::commitment(side), Some(committed)));
            }
            Visibility::Linked => schema.push(Field::without_format(
                format!("{side} commitment"),
                Role::commitment(side),
                None,
            )),
            Visibility::Private => {}
        }
    }
    Ok(schema)
}

impl Field {
    fn without_format(name: String, role: Role, committed: Option<Committed>) -> Self {
        Self {
            name,
            index: 0,
            element: None,
            role,
            format: Format::INTEGER,
            float32: false,
            kind: None,
            committed,
            model: None,
        }
    }
}

/// The values of one side, in graph order.
fn fields(program: &Program, side: Side) -> Vec<Field> {
    let inputs = || {
        program.inputs.iter().map(|input| Field {
            name: program.input_names[input.tensor].clone(),
            index: input.index,
            element: None,
            role: Role::Input,
            format: input.format,
            float32: input.float32,
            kind: None,
            committed: None,
            model: None,
        })
    };
    let outputs = || {
        program.outputs.iter().flat_map(|output| {
            (0..output.cells.len()).map(|index| Field {
                name: output.name.clone(),
                index,
                element: None,
                role: Role::Output,
                format: output.format,
                float32: false,
                kind: Some(output.kind.clone()),
                committed: None,
                model: None,
            })
        })
    };
    match side {
        Side::Model => Vec::new(),
        Side::Input => inputs().collect(),
        Side::Output => outputs().collect(),
    }
}
