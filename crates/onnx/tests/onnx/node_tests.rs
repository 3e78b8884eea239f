//! The official ONNX node tests: every case either gives the expected outputs or is refused by name, and
//! `node_tests.txt` says which.
//!
//! Classes: `passes` (as it is), `passes with constant operands` (refused as it is, because operands that this project
//! wants constant are graph inputs; the outputs are right once all inputs but one hold the test's values), `saturates as
//! ONNX Runtime does`, and `refused: reason`. Whatever imports must give the right outputs. `ZKVERDICT_BLESS=1` rewrites the list.

use std::{collections::BTreeMap, fmt::Write, io::Read};

use crate::common::{close, evaluate, read, shared};
use flate2::read::GzDecoder;
use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataType};
use zkverdict_model::{Calibration, Element, Graph, ModelError, Program};
use zkverdict_onnx::{OnnxError, Refusal, import};

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx/node_tests.txt");

/// Files of one case by their name below its folder.
pub(crate) type Case = BTreeMap<String, Vec<u8>>;

#[test]
fn every_case_passes_or_is_refused_by_name() {
    let Some(path) = shared("data/onnx/onnx-1.16.2-backend-node.tar.gz") else {
        return;
    };
    let cases = unpack(&std::fs::read(path).unwrap());
    assert_eq!(cases.len(), 1282 + 23);
    let mut report = String::new();
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        match classify(case) {
            Ok(class) => writeln!(report, "{name} {class}").unwrap(),
            // Their expected outputs wrap around where the standard's text, ONNX Runtime and this crate saturate.
            Err(difference) if name.contains("qlinearmatmul") && difference.contains(": -128, expected ") => {
                writeln!(
                    report,
                    "{name} saturates as ONNX Runtime does, where the case wraps around"
                )
                .unwrap();
            }
            Err(difference) => wrong.push(format!("{name}: {difference}")),
        }
    }
    assert!(wrong.is_empty(), "wrong outputs:\n{}", wrong.join("\n"));
    if std::env::var_os("ZKVERDICT_BLESS").is_some() {
        std::fs::write(LIST, &report).unwrap();
    }
    let list = std::fs::read_to_string(LIST).unwrap();
    for (got, expected) in report.lines().zip(list.lines()) {
        assert_eq!(got, expected, "a case changed its class");
    }
    assert_eq!(report.lines().count(), list.lines().count());
}

/// What imports can be compiled, and the program stays near the floats on the case's own data.
#[test]
fn every_case_that_imports_compiles_accurately_or_is_refused_by_name() {
    let Some(path) = shared("data/onnx/onnx-1.16.2-backend-node.tar.gz") else {
        return;
    };
    let mut wrong = Vec::new();
    let mut refused = String::new();
    let mut compiled = 0;
    for (name, case) in &unpack(&std::fs::read(path).unwrap()) {
        let bytes = &case["model.onnx"];
        let models = std::iter::once((bytes.clone(), None))
            .chain((0..).map_while(|free| Some((bind(bytes, case, 0, free)?, Some(free)))));
        for (model, free) in models {
            let Ok(graph) = import(&model) else { continue };
            let positions: Vec<usize> = free.map_or_else(|| (0..graph.inputs.len()).collect(), |free| vec![free]);
            let sample: Vec<Vec<f64>> = positions
                .iter()
                .map(|&position| numbers(&tensor(case, 0, "input", position).unwrap()))
                .collect();
            match compile(&graph, &sample) {
                Ok(()) => compiled += 1,
                // `ln Σ e^x` without taking the maximum out first: the sums span twenty powers of ten.
                Err(ModelError::Unsupported { reason, .. }) if reason.contains("a table of 512 segments is off") => {
                    writeln!(refused, "{name}: too coarse").unwrap();
                }
                Err(ModelError::Unsupported { reason, .. }) => writeln!(refused, "{name}: {reason}").unwrap(),
                Err(ModelError::RangeTooWide { .. }) => writeln!(refused, "{name}: too wide").unwrap(),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), refused);
    assert!(compiled > 500, "{compiled}");
    let expected = "\
        node/test_logsoftmax_large_number: too wide\n\
        node/test_logsoftmax_large_number_expanded: too wide\n\
        node/test_logsoftmax_large_number_expanded_ver18: too wide\n\
        node/test_reciprocal_example: the function has no value near -0.004, within the range of its arguments\n\
        node/test_reduce_log_sum_exp_default_axes_keepdims_example_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_do_not_keepdims_example_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_do_not_keepdims_random_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_keepdims_example_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_keepdims_random_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_negative_axes_keepdims_example_expanded: too coarse\n\
        node/test_reduce_log_sum_exp_negative_axes_keepdims_random_expanded: too coarse\n\
        node/test_softmax_large_number: too wide\n\
        node/test_softmax_large_number_expanded: too wide\n\
        node/test_softmax_large_number_expanded_ver18: too wide\n";
    assert_eq!(refused, expected);
}

/// Errors are of the results' size, with the limbs of ten bits that most models take.
fn compile(graph: &Graph, sample: &[Vec<f64>]) -> Result<(), ModelError> {
    // Values that never vary say little of their range: a few neighbours do.
    let near = [0.9, 0.8, 1.0].map(|factor| -> Vec<Vec<f64>> {
        let scaled = |(values, input): (&Vec<f64>, &zkverdict_model::Input)| match input.element {
            Element::Int64 | Element::Bool => values.clone(),
            _ => values.iter().map(|value| value * factor).collect(),
        };
        sample.iter().zip(&graph.inputs).map(scaled).collect()
    });
    let calibration = Calibration::measure(graph, &near, 2.0)?;
    let program = Program::compile(graph, &calibration, 10)?;
    let inputs = program.quantize(sample)?;
    let got = program.dequantize_outputs(&program.execute(&inputs)?);
    let expected = graph.pick_outputs(&graph.evaluate(sample)?);
    let size = expected
        .iter()
        .flatten()
        .fold(1.0, |size: f64, value| size.max(value.abs()));
    let pairs = got.concat().into_iter().zip(expected.concat());
    let error = pairs.map(|(got, expected)| (got - expected).abs()).fold(0.0, f64::max);
    if error > 4e-3 * size {
        return Err(ModelError::NotFinite {
            what: format!("the error, of results up to {size},"),
            value: error,
        });
    }
    Ok(())
}

pub(crate) fn unpack(archive: &[u8]) -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut parts = path.splitn(3, '/');
        let (Some(kind), Some(case), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if file.ends_with(".onnx") || file.ends_with(".pb") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            cases
                .entry(format!("{kind}/{case}"))
                .or_default()
                .insert(file.to_owned(), bytes);
        }
    }
    cases
}

fn classify(case: &Case) -> Result<String, String> {
    let bytes = &case["model.onnx"];
    let refusal = match import(bytes) {
        Ok(graph) => {
            let all: Vec<usize> = (0..graph.inputs.len()).collect();
            compare(&graph, case, &all)?;
            return Ok("passes".to_owned());
        }
        Err(error) => error,
    };
    // Operands of the official cases are graph inputs throughout; here most must be constants.
    let mut bound = None;
    for set in sets(case) {
        for free in 0.. {
            let Some(model) = bind(bytes, case, set, free) else {
                break;
            };
            if let Ok(graph) = import(&model) {
                compare(&graph, case, &[free])?;
                bound = Some(());
            }
        }
    }
    Ok(match bound {
        Some(()) => "passes with constant operands".to_owned(),
        None => format!("refused: {}", reason(&refusal)),
    })
}

/// The message without the node's name, which is arbitrary in these cases.
fn reason(error: &OnnxError) -> String {
    match error {
        OnnxError::Node {
            operator,
            refusal: Refusal::Operator,
            ..
        } => format!("{operator}: not supported"),
        OnnxError::Node { operator, refusal, .. } => format!("{operator}: {refusal}"),
        other => other.to_string(),
    }
}

fn sets(case: &Case) -> impl Iterator<Item = usize> {
    (0..).take_while(|set| case.contains_key(&format!("test_data_set_{set}/output_0.pb")))
}

fn tensor(case: &Case, set: usize, kind: &str, position: usize) -> Option<TensorProto> {
    let bytes = case.get(&format!("test_data_set_{set}/{kind}_{position}.pb"))?;
    TensorProto::decode(bytes.as_slice()).ok()
}

/// The model with every input but one as an initializer.
pub(crate) fn bind(bytes: &[u8], case: &Case, set: usize, free: usize) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(bytes).ok()?;
    let graph = model.graph.as_mut()?;
    for (position, input) in graph.input.iter().enumerate() {
        if position != free {
            let mut value = tensor(case, set, "input", position)?;
            value.name.clone_from(&input.name);
            graph.initializer.push(value);
        }
    }
    (graph.input.len() > 1 && free < graph.input.len()).then(|| model.encode_to_vec())
}

/// Compares the outputs; `free` are the positions of the graph's inputs among the case's.
fn compare(graph: &Graph, case: &Case, free: &[usize]) -> Result<(), String> {
    assert!(sets(case).next().is_some(), "a case without data");
    for set in sets(case) {
        let inputs: Vec<Vec<f64>> = graph
            .inputs
            .iter()
            .zip(free)
            .map(|(input, &position)| {
                let proto = tensor(case, set, "input", position).unwrap();
                let shape: Vec<usize> = proto.dims.iter().map(|&d| d as usize).collect();
                assert_eq!(shape, input.shape);
                let integer = matches!(input.element, Element::Int64 | Element::Bool);
                let values = numbers(&proto);
                assert!(!integer || values.iter().all(|value| value.fract() == 0.0));
                values
            })
            .collect();
        assert_eq!(inputs.len(), free.len());
        let outputs = evaluate(graph, &inputs).map_err(|error| format!("{error:?}"))?;
        for (position, (output, values)) in graph.outputs.iter().zip(&outputs).enumerate() {
            let proto = tensor(case, set, "output", position).unwrap();
            let shape: Vec<usize> = proto.dims.iter().map(|&d| d as usize).collect();
            if shape != output.shape {
                return Err(format!("shape {:?}, expected {shape:?}", output.shape));
            }
            let got = read(output, values).map_err(|_| "strings".to_owned())?;
            for (got, expected) in got.iter().zip(numbers(&proto)) {
                if !close(*got, expected) {
                    return Err(format!("set {set}, output {position}: {got}, expected {expected}"));
                }
            }
        }
    }
    Ok(())
}

/// The official data, read independently of the crate under test.
fn numbers(proto: &TensorProto) -> Vec<f64> {
    fn words<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        raw.chunks_exact(N)
            .map(|bytes| read(bytes.try_into().unwrap()))
            .collect()
    }
    let raw = &proto.raw_data;
    match DataType::try_from(proto.data_type).unwrap() {
        DataType::Float if raw.is_empty() => proto.float_data.iter().copied().map(f64::from).collect(),
        DataType::Float => words(raw, |bytes| f32::from_le_bytes(bytes).into()),
        DataType::Double => words(raw, f64::from_le_bytes),
        DataType::Int8 => words(raw, |bytes| i8::from_le_bytes(bytes).into()),
        DataType::Int16 => words(raw, |bytes| i16::from_le_bytes(bytes).into()),
        DataType::Int32 => words(raw, |bytes| i32::from_le_bytes(bytes).into()),
        DataType::Int64 if raw.is_empty() => proto.int64_data.iter().map(|&x| x as f64).collect(),
        DataType::Int64 => words(raw, |bytes| i64::from_le_bytes(bytes) as f64),
        DataType::Uint8 | DataType::Bool => raw.iter().copied().map(f64::from).collect(),
        DataType::Uint16 => words(raw, |bytes| u16::from_le_bytes(bytes).into()),
        DataType::Uint32 => words(raw, |bytes| u32::from_le_bytes(bytes).into()),
        DataType::Uint64 => words(raw, |bytes| u64::from_le_bytes(bytes) as f64),
        other => panic!("unexpected type {other:?}"),
    }
}
