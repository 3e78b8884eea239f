//! The float reference of `zkverdict run`: tract's own runtime, kept apart from the import.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModelExt, IntoRunnable, TValue, TVec, Tensor, TractResult,
    TypedRunnableModel, tvec,
};

use crate::{
    DataType, OnnxError, decode,
    import::{inputs, node_name},
    number,
};

/// A model as tract runs it, in the types that the file declares.
pub struct FloatModel {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<(DatumType, Vec<usize>)>,
}

impl std::fmt::Debug for FloatModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FloatModel")
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

impl FloatModel {
    /// Loads a model with the batch dimension fixed to 1.
    ///
    /// Meant for files that [`import`](fn@crate::import) accepts; others may exhaust memory. tract may panic on a
    /// malformed file or on an operator it half supports; the panic is caught, though the
    /// process's panic hook may print it.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Tract`] if tract cannot load the model, or the errors of the import for the graph inputs.
    pub fn load(bytes: &[u8]) -> Result<Self, OnnxError> {
        let proto = decode::model(bytes)?;
        let graph = proto.graph.as_ref().ok_or(crate::Defect::NoGraph)?;
        let inputs: Vec<(DatumType, Vec<usize>)> = inputs(graph)?
            .into_iter()
            .map(|declared| (datum_type(declared.data_type), declared.input.shape))
            .collect();
        if let Some(node) = graph.node.iter().find(|node| differs(node)) {
            return Err(OnnxError::Tract {
                reason: format!(
                    "its LinearClassifier with one row of coefficients gives other scores than ONNX Runtime's \
                     (node {:?})",
                    node_name(node)
                ),
            });
        }
        let plan = contained(|| {
            let mut model = tract_onnx::onnx().model_for_proto_model(&proto)?;
            for (position, (datum_type, shape)) in inputs.iter().enumerate() {
                let fact = InferenceFact::dt_shape(*datum_type, shape.as_slice());
                model.set_input_fact(position, fact)?;
            }
            model.into_optimized()?.into_runnable()
        })?;
        Ok(FloatModel { plan, inputs })
    }

    /// Evaluates one sample: one flattened list per graph input; one per graph output comes back.
    ///
    /// # Errors
    ///
    /// [`OnnxError::TractInputs`] if the lists do not fit, [`OnnxError::Tract`] if tract fails.
    pub fn run(&self, values: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, OnnxError> {
        let expected_lengths: Vec<usize> = self.inputs.iter().map(|(_, shape)| shape.iter().product()).collect();
        let got_lengths: Vec<usize> = values.iter().map(Vec::len).collect();
        if expected_lengths != got_lengths {
            return Err(OnnxError::TractInputs {
                expected: expected_lengths.len(),
                expected_lengths,
                got_lengths,
            });
        }
        contained(|| {
            let mut operands: TVec<TValue> = tvec!();
            for ((datum_type, shape), values) in self.inputs.iter().zip(values) {
                operands.push(tensor(*datum_type, shape, values)?.into());
            }
            self.plan
                .run(operands)?
                .iter()
                .map(|output| {
                    let reals = output.cast_to::<f64>()?;
                    Ok(reals.try_as_plain_ram()?.as_slice::<f64>()?.to_vec())
                })
                .collect()
        })
    }
}

/// Whether tract's result is known to differ from ONNX Runtime's: for a single raw score `s` ONNX Runtime gives
/// `[1 − s, s]`, tract `[−s, s]`.
fn differs(node: &NodeProto) -> bool {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    node.op_type == "LinearClassifier"
        && attribute("intercepts").is_some_and(|intercepts| intercepts.floats.len() == 1)
        && attribute("post_transform").is_none_or(|transform| transform.s != b"LOGISTIC")
}

fn datum_type(data_type: DataType) -> DatumType {
    match data_type {
        DataType::Float16 => DatumType::F16,
        DataType::Float32 => DatumType::F32,
        DataType::Float64 => DatumType::F64,
        DataType::Int8 => DatumType::I8,
        DataType::Int16 => DatumType::I16,
        DataType::Int32 => DatumType::I32,
        DataType::Int64 => DatumType::I64,
        DataType::Uint8 => DatumType::U8,
        DataType::Uint16 => DatumType::U16,
        DataType::Uint32 => DatumType::U32,
        DataType::Uint64 => DatumType::U64,
        DataType::Bool => DatumType::Bool,
        DataType::String => DatumType::String,
    }
}

/// A tensor of the declared type; integers are cast by tract.
fn tensor(datum_type: DatumType, shape: &[usize], values: &[f64]) -> TractResult<Tensor> {
    if datum_type == DatumType::F32 {
        let singles: Vec<f32> = values.iter().copied().map(number::narrow).collect();
        return Tensor::from_shape(shape, &singles);
    }
    let reals = Tensor::from_shape(shape, values)?;
    Ok(reals.cast_to_dt(datum_type)?.into_owned())
}

/// Runs tract code, with its errors and panics as [`OnnxError::Tract`].
fn contained<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T, OnnxError> {
    let reason = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(result)) => return Ok(result),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => message(&*panic),
    };
    Err(OnnxError::Tract { reason })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("no message"))
}
