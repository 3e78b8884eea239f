//! Malformed files: each defect has its own error.

use prost::Message;
use tract_onnx::pb::{
    FunctionProto, ModelProto, SparseTensorProto, StringStringEntryProto, TensorProto, ValueInfoProto, tensor_proto,
    tensor_shape_proto,
};
use zkverdict_onnx::{Defect, OnnxError, Refusal, import, summarize};

use crate::common::{FLOAT, INT64, Model, dimension, floats, integers, tensor_info};

fn defect(model: &ModelProto) -> Defect {
    match import(&model.encode_to_vec()) {
        Err(OnnxError::Malformed(defect)) => defect,
        other => panic!("{other:?}"),
    }
}

fn input_refusal(info: ValueInfoProto) -> Refusal {
    let model = Model::new().input(info).node("Relu", &["x"], &["y"]).output("y");
    match import(&model.encode()) {
        Err(OnnxError::Input { input, refusal }) => {
            assert_eq!(input, "x");
            refusal
        }
        other => panic!("{other:?}"),
    }
}

/// `y = Relu(x + w)`.
fn sum(weights: TensorProto) -> ModelProto {
    Model::new()
        .input(tensor_info("x", FLOAT, &[1, 2]))
        .constant(weights)
        .node("Add", &["x", "w"], &["s"])
        .node("Relu", &["s"], &["y"])
        .output("y")
        .build()
}

#[test]
fn the_base_model_imports() {
    import(&sum(floats("w", &[2], &[1.0, 2.0])).encode_to_vec()).unwrap();
}

#[test]
fn bytes_that_are_no_protobuf() {
    for bytes in [&b"\xff\xff\xff\xff"[..], b"not an onnx file", b"{\"input_data\": []}"] {
        assert!(matches!(import(bytes), Err(OnnxError::Protobuf { .. })), "{bytes:?}");
        assert!(matches!(summarize(bytes), Err(OnnxError::Protobuf { .. })));
    }
    assert!(matches!(import(b""), Err(OnnxError::Malformed(Defect::NoGraph))));
}

#[test]
fn tensors_whose_data_do_not_fill_them() {
    let mut short = floats("w", &[2], &[]);
    short.raw_data = vec![0; 7];
    assert!(matches!(
        defect(&sum(short)),
        Defect::TensorLength {
            unit: "bytes",
            expected: 8,
            got: 7,
            ..
        }
    ));
    assert!(matches!(
        defect(&sum(floats("w", &[2], &[1.0]))),
        Defect::TensorLength {
            unit: "elements",
            expected: 2,
            got: 1,
            ..
        }
    ));
    let mut twice = floats("w", &[2], &[1.0, 2.0]);
    twice.raw_data = vec![0; 8];
    assert!(matches!(defect(&sum(twice)), Defect::TensorFields { .. }));
    let mut misplaced = floats("w", &[2], &[]);
    misplaced.double_data = vec![1.0, 2.0];
    assert!(matches!(defect(&sum(misplaced)), Defect::TensorFields { .. }));
}

#[test]
fn impossible_shapes() {
    let shapes: [&[i64]; 3] = [&[-2], &[i64::MAX, i64::MAX], &[1 << 40, 1 << 40]];
    for shape in shapes {
        assert!(matches!(
            defect(&sum(floats("w", shape, &[1.0, 2.0]))),
            Defect::TensorShape { .. }
        ));
    }
    assert!(matches!(
        defect(&sum(floats("w", &[0, 1 << 40], &[]))),
        Defect::TensorSize { .. }
    ));
    assert!(matches!(
        defect(&sum(floats("w", &[1 << 40], &[1.0]))),
        Defect::TensorSize { .. }
    ));
}

#[test]
fn data_that_live_elsewhere() {
    let mut external = floats("w", &[2], &[]);
    external.data_location = Some(1);
    external.external_data = vec![StringStringEntryProto {
        key: "location".into(),
        value: "weights.bin".into(),
    }];
    assert!(matches!(defect(&sum(external)), Defect::ExternalData { .. }));
    let mut segment = floats("w", &[2], &[1.0, 2.0]);
    segment.segment = Some(tensor_proto::Segment { begin: 0, end: 2 });
    assert!(matches!(defect(&sum(segment)), Defect::Segment { .. }));
    let mut model = sum(floats("w", &[2], &[1.0, 2.0]));
    model.graph.as_mut().unwrap().sparse_initializer = vec![SparseTensorProto::default()];
    assert_eq!(defect(&model), Defect::SparseInitializer);
    let mut model = sum(floats("w", &[2], &[1.0, 2.0]));
    model.functions = vec![FunctionProto {
        name: Some("f".into()),
        ..Default::default()
    }];
    assert_eq!(defect(&model), Defect::Function { function: "f".into() });
}

#[test]
fn types_that_are_not_read() {
    for code in [0, 16, 17, 22, 99, -1] {
        let mut odd = floats("w", &[2], &[1.0, 2.0]);
        odd.data_type = code;
        assert!(matches!(defect(&sum(odd)), Defect::TensorType { .. }), "{code}");
    }
    let mut narrow = integers("w", &[2], &[]);
    narrow.data_type = 3;
    narrow.int64_data.clear();
    narrow.int32_data = vec![1, 300];
    assert!(matches!(defect(&sum(narrow)), Defect::TensorValue { .. }));
}

#[test]
fn names_that_do_not_add_up() {
    let weights = || floats("w", &[2], &[1.0, 2.0]);
    let mut twice = sum(weights());
    twice.graph.as_mut().unwrap().initializer.push(weights());
    assert_eq!(defect(&twice), Defect::DuplicateName { name: "w".into() });
    let mut shadowed = sum(weights());
    shadowed.graph.as_mut().unwrap().node[1].output = vec!["x".into()];
    assert_eq!(defect(&shadowed), Defect::DuplicateName { name: "x".into() });
    let mut inputs = sum(weights());
    let again = inputs.graph.as_ref().unwrap().input[0].clone();
    inputs.graph.as_mut().unwrap().input.push(again);
    assert_eq!(defect(&inputs), Defect::DuplicateName { name: "x".into() });
    let mut missing = sum(weights());
    missing.graph.as_mut().unwrap().initializer.clear();
    assert!(matches!(defect(&missing), Defect::Dangling { name, .. } if name == "w"));
    let mut cycle = sum(weights());
    cycle.graph.as_mut().unwrap().node[0].input[0] = "y".into();
    assert!(matches!(defect(&cycle), Defect::Order { name, .. } if name == "y"));
    let mut reversed = sum(weights());
    reversed.graph.as_mut().unwrap().node.reverse();
    assert!(matches!(defect(&reversed), Defect::Order { name, .. } if name == "s"));
    let mut output = sum(weights());
    output.graph.as_mut().unwrap().output[0].name = "z".into();
    assert_eq!(defect(&output), Defect::OutputMissing { name: "z".into() });
    let mut nameless = sum(weights());
    nameless.graph.as_mut().unwrap().input[0].name.clear();
    assert!(matches!(defect(&nameless), Defect::NoName { .. }));
    let mut none = sum(weights());
    none.graph.as_mut().unwrap().output.clear();
    assert_eq!(defect(&none), Defect::NoOutputs);
}

#[test]
fn operator_sets_that_are_unknown_or_missing() {
    let mut future = sum(floats("w", &[2], &[1.0, 2.0]));
    future.opset_import[0].version = 4_000;
    assert!(matches!(
        import(&future.encode_to_vec()),
        Err(OnnxError::OperatorSet { version: 4_000, .. })
    ));
    let mut missing = sum(floats("w", &[2], &[1.0, 2.0]));
    missing.opset_import.clear();
    assert!(matches!(defect(&missing), Defect::OperatorSetMissing { .. }));
    let mut twice = sum(floats("w", &[2], &[1.0, 2.0]));
    let mut other = twice.opset_import[0].clone();
    other.version = 12;
    twice.opset_import.push(other);
    assert!(matches!(defect(&twice), Defect::OperatorSetTwice { .. }));
}

#[test]
fn graph_inputs_without_a_usable_shape() {
    let free = |position: usize| {
        let mut info = tensor_info("x", FLOAT, &[1, 2]);
        let symbol = tensor_shape_proto::dimension::Value::DimParam("N".into());
        *dimension(&mut info, position) = Some(symbol);
        info
    };
    assert_eq!(input_refusal(free(1)), Refusal::FreeDimension { position: 1 });
    let model = Model::new().input(free(0)).node("Relu", &["x"], &["y"]).output("y");
    let graph = import(&model.encode()).unwrap();
    assert_eq!(graph.inputs[0].shape, [1, 2]);
    for size in [0, -1] {
        assert_eq!(
            input_refusal(tensor_info("x", FLOAT, &[1, size])),
            Refusal::Dimension { position: 1, size }
        );
    }
    assert!(matches!(
        input_refusal(tensor_info("x", FLOAT, &[1, 1 << 40])),
        Refusal::TooLarge { .. }
    ));
    assert!(matches!(
        input_refusal(tensor_info("x", FLOAT, &[i64::MAX, i64::MAX])),
        Refusal::TooLarge { .. }
    ));
    assert!(matches!(
        input_refusal(tensor_info("x", 8, &[1])),
        Refusal::UnknownType { .. }
    ));
    assert_eq!(
        input_refusal(ValueInfoProto {
            name: "x".into(),
            ..Default::default()
        }),
        Refusal::NotTensor
    );
    let mut shapeless = tensor_info("x", FLOAT, &[]);
    crate::common::tensor_type(&mut shapeless).shape = None;
    assert_eq!(input_refusal(shapeless), Refusal::NoShape);
}

#[test]
fn an_initializer_that_is_also_an_input_is_a_constant() {
    let mut model = sum(floats("w", &[2], &[1.0, 2.0]));
    model.graph.as_mut().unwrap().input.push(tensor_info("w", FLOAT, &[2]));
    let graph = import(&model.encode_to_vec()).unwrap();
    assert_eq!(graph.inputs.len(), 1);
    assert!(graph.notes.iter().any(|note| note.contains("\"w\"")));
}

#[test]
fn outputs_must_depend_on_inputs_and_have_their_type() {
    let constant = Model::new()
        .input(tensor_info("x", FLOAT, &[1, 2]))
        .constant(floats("w", &[2], &[1.0, 2.0]))
        .output("w");
    assert!(matches!(
        import(&constant.encode()),
        Err(OnnxError::Output {
            refusal: Refusal::ConstantOutput,
            ..
        })
    ));
    let mut typed = sum(floats("w", &[2], &[1.0, 2.0]));
    typed.graph.as_mut().unwrap().output[0] = tensor_info("y", INT64, &[1, 2]);
    assert!(matches!(
        import(&typed.encode_to_vec()),
        Err(OnnxError::Output {
            refusal: Refusal::OutputType { .. },
            ..
        })
    ));
}
