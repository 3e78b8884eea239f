//! Values while a graph is walked: constants with their data, and computed tensors as lists of elements.
//!
//! A computed tensor is a *view*: each element names an element of a node already in the graph, or a fixed number.
//! Reshape, Transpose, Concat and their kin only rearrange the list, so data movement costs no node until an operator
//! needs its operand in one piece.

use std::{borrow::Cow, rc::Rc};

use zkverdict_model::ValueId;

use crate::{DataType, number};

/// The data of a [`Constant`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Floats of any width, widened.
    Reals(Vec<f64>),
    /// Integers of any width, widened, and booleans as 0 and 1.
    Integers(Vec<i64>),
    /// `float32` numbers that were dequantised.
    Quantized(Vec<Code>),
    /// Strings.
    Strings(Vec<String>),
}

/// A whole number that stands for the real `(number − zero)·scale`, in `float32`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Code {
    pub(crate) number: i64,
    pub(crate) zero: i64,
    pub(crate) scale: f32,
    /// The type of the whole number.
    pub(crate) data_type: DataType,
}

impl Code {
    /// The real it stands for.
    pub(crate) fn real(&self) -> f64 {
        let difference = number::narrow(number::real(self.number.saturating_sub(self.zero)));
        f64::from(difference * self.scale)
    }
}

/// A tensor whose values are known at import.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Data,
}

/// One element of a computed tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    /// Element `index` of a graph value.
    Of { value: ValueId, index: usize },
    /// A number known at import.
    Fixed(f64),
}

/// Class labels that an index points into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Labels {
    Integers(Vec<i64>),
    Strings(Vec<String>),
}

impl Labels {
    pub(crate) fn len(&self) -> usize {
        match self {
            Labels::Integers(labels) => labels.len(),
            Labels::Strings(labels) => labels.len(),
        }
    }
}

/// What the numbers of a computed tensor stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Themselves.
    Number,
    /// 0 or 1.
    Truth,
    /// A position (ArgMax) below the given number of classes.
    Index(usize),
    /// A position in a list of labels; the ONNX value is the label.
    Label(Rc<Labels>),
    /// The integer part of the number. Exact only where the number is whole, so only an operator that refuses other
    /// values (OneHotEncoder) may read it.
    IntegerPart,
}

/// A tensor that depends on the graph inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<usize>,
    pub(crate) elements: Vec<Element>,
    pub(crate) meaning: Meaning,
    /// Whether the elements are probabilities that sum to one along the last axis.
    pub(crate) distribution: bool,
}

impl Tensor {
    /// Whether every element is known at import.
    pub(crate) fn is_fixed(&self) -> bool {
        self.elements.iter().all(|element| matches!(element, Element::Fixed(_)))
    }

    /// The same elements under another shape of equal count.
    pub(crate) fn reshaped(&self, shape: Vec<usize>) -> Self {
        Tensor {
            distribution: false,
            shape,
            ..self.clone()
        }
    }
}

/// What a name of the ONNX graph stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Constant(Constant),
    Tensor(Tensor),
}

impl Value {
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Value::Constant(constant) => &constant.shape,
            Value::Tensor(tensor) => &tensor.shape,
        }
    }

    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Value::Constant(constant) => constant.data_type,
            Value::Tensor(tensor) => tensor.data_type,
        }
    }
}

impl Constant {
    /// The same without what is known of how its numbers were quantised.
    pub(crate) fn plain(&self) -> Cow<'_, Self> {
        match &self.data {
            Data::Quantized(codes) => Cow::Owned(Self {
                data_type: self.data_type,
                shape: self.shape.clone(),
                data: Data::Reals(codes.iter().map(Code::real).collect()),
            }),
            _ => Cow::Borrowed(self),
        }
    }

    /// The items of two constants of one kind, one after the other.
    pub(crate) fn followed_by(&self, other: &Self) -> Option<Self> {
        let data = match (&self.data, &other.data) {
            (Data::Reals(a), Data::Reals(b)) => Data::Reals([a.as_slice(), b].concat()),
            (Data::Integers(a), Data::Integers(b)) => Data::Integers([a.as_slice(), b].concat()),
            (Data::Strings(a), Data::Strings(b)) => Data::Strings([a.as_slice(), b].concat()),
            (Data::Quantized(a), Data::Quantized(b)) => Data::Quantized([a.as_slice(), b].concat()),
            _ => return None,
        };
        let shape = match &data {
            Data::Reals(items) => vec![items.len()],
            Data::Integers(items) => vec![items.len()],
            Data::Strings(items) => vec![items.len()],
            Data::Quantized(items) => vec![items.len()],
        };
        Some(Self {
            data_type: self.data_type,
            shape,
            data,
        })
    }

    /// The values as reals; `None` for strings.
    pub(crate) fn reals(&self) -> Option<Vec<f64>> {
        match &self.data {
            Data::Reals(values) => Some(values.clone()),
            Data::Integers(values) => Some(values.iter().copied().map(number::real).collect()),
            Data::Quantized(codes) => Some(codes.iter().map(Code::real).collect()),
            Data::Strings(_) => None,
        }
    }

    /// The values as integers; `None` unless the type is an integer or Boolean one.
    pub(crate) fn integers(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Integers(values) => Some(values),
            Data::Reals(_) | Data::Strings(_) | Data::Quantized(_) => None,
        }
    }
}
