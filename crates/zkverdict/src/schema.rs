use serde::{Deserialize, Serialize};
use zkverdict_circuit::CompiledModel;
use zkverdict_model::{Format, OutputKind, from_ordered};

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
}

/// One public input in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// `context`, or the tensor's name.
    pub name: String,
    /// Position in the tensor.
    pub index: usize,
    /// What it is.
    pub role: Role,
    /// How its integer stands for a real number.
    pub format: Format,
    /// Whether the integer is the place of a `float32` in the order of floats instead.
    #[serde(default)]
    pub float32: bool,
    /// How an output is to be read.
    pub kind: Option<OutputKind>,
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

/// The public inputs of a circuit, in order.
pub fn public_schema(model: &CompiledModel) -> Vec<Field> {
    let context = Field {
        name: "context".to_owned(),
        index: 0,
        role: Role::Context,
        format: Format::INTEGER,
        float32: false,
        kind: None,
    };
    let program = &model.program;
    let inputs = program
        .inputs
        .iter()
        .filter(|_| model.public.inputs)
        .map(|input| Field {
            name: program.input_names[input.tensor].clone(),
            index: input.index,
            role: Role::Input,
            format: input.format,
            float32: input.float32,
            kind: None,
        });
    let outputs = program.outputs.iter().flat_map(|output| {
        (0..output.cells.len()).map(|index| Field {
            name: output.name.clone(),
            index,
            role: Role::Output,
            format: output.format,
            float32: false,
            kind: Some(output.kind.clone()),
        })
    });
    std::iter::once(context).chain(inputs).chain(outputs).collect()
}
