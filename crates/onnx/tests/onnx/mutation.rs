//! Damaged files never panic and never give a graph that cannot be evaluated.

use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tract_onnx::pb::{AttributeProto, ModelProto, tensor_shape_proto};
use zkverdict_onnx::{FloatModel, import, summarize};

use crate::{
    common::{evaluate, model, shared, tensor_type},
    node_tests::{bind, unpack},
};

#[test]
fn damaged_models_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(2026);
    let names = [
        "logistic_three_zipmap",
        "mlp_text",
        "data_frame",
        "residual",
        "shape_chain",
        "label_lookup",
        "min_max_clipped",
        "softmax_axis1_opset13",
        "classifier_one_row_none",
        "compare_less",
        "unsqueeze_attributes",
        "lightgbm_binary",
        "trees_five_sum",
    ];
    let mut imported = 0;
    for name in names {
        let original = model(&format!("{name}.onnx"));
        for length in 0..original.len() {
            check(&original[..length]);
        }
        for _ in 0..3_000 {
            let mut bytes = original.clone();
            for _ in 0..random.gen_range(1..4) {
                let position = random.gen_range(0..bytes.len());
                match random.gen_range(0..4) {
                    0 => bytes[position] = random.r#gen(),
                    1 => bytes[position] ^= 1 << random.gen_range(0..8),
                    2 => {
                        bytes.remove(position);
                    }
                    _ => bytes.insert(position, random.r#gen()),
                }
            }
            if check(&bytes) {
                imported += 1;
                if imported % 100 == 0 {
                    // tract may panic inside; nothing may come out.
                    let _ = FloatModel::load(&bytes);
                }
            }
        }
    }
    assert!(
        imported > 1_000,
        "{imported} damaged models still import; the test needs some"
    );
}

const OPERATORS: [&str; 34] = [
    "Add",
    "ArgMax",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "Greater",
    "Identity",
    "LessOrEqual",
    "MatMul",
    "Mul",
    "Neg",
    "Not",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Sub",
    "Sum",
    "Transpose",
    "Unsqueeze",
    "Scaler",
    "OneHotEncoder",
    "ArrayFeatureExtractor",
];
const EXTREMES: [i64; 16] = [
    0,
    1,
    2,
    3,
    -1,
    -2,
    -3,
    7,
    255,
    1 << 20,
    1 << 31,
    -(1 << 31),
    1 << 40,
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
];

/// Well-formed protobuf with other operators, wires, shapes and numbers.
#[test]
fn rewired_models_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut imported = 0;
    for name in [
        "logistic_three_zipmap",
        "mlp_text",
        "data_frame",
        "residual",
        "shape_chain",
        "label_lookup",
        "min_max_clipped",
        "softmax_axis1_opset13",
        "compare_less",
        "unsqueeze_attributes",
        "catboost_three",
        "trees_five_sum",
        "trees_doubles",
    ] {
        let original = ModelProto::decode(model(&format!("{name}.onnx")).as_slice()).unwrap();
        for _ in 0..4_000 {
            let mut mutant = original.clone();
            for _ in 0..random.gen_range(1..5) {
                rewire(&mut mutant, &mut random);
            }
            imported += usize::from(check(&mutant.encode_to_vec()));
        }
    }
    assert!(
        imported > 1_000,
        "{imported} rewired models still import; the test needs some"
    );
}

/// The official cases of every operator, with their operands as constants, damaged in the same ways.
#[test]
fn rewired_official_cases_never_panic() {
    let Some(path) = shared("data/onnx/onnx-1.16.2-backend-node.tar.gz") else {
        return;
    };
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut imported = 0;
    for case in unpack(&std::fs::read(path).unwrap()).values() {
        let original = case["model.onnx"].clone();
        for bytes in [Some(original.clone()), bind(&original, case, 0, 0)]
            .into_iter()
            .flatten()
        {
            if import(&bytes).is_err() {
                continue;
            }
            let original = ModelProto::decode(bytes.as_slice()).unwrap();
            for _ in 0..40 {
                let mut mutant = original.clone();
                for _ in 0..random.gen_range(1..4) {
                    rewire(&mut mutant, &mut random);
                }
                imported += usize::from(check(&mutant.encode_to_vec()));
            }
        }
    }
    assert!(
        imported > 3_000,
        "{imported} rewired models still import; the test needs some"
    );
}

fn rewire(model: &mut ModelProto, random: &mut ChaCha8Rng) {
    let extreme = EXTREMES[random.gen_range(0..EXTREMES.len())];
    if random.gen_bool(0.05) {
        model.opset_import[0].version = random.gen_range(1..26);
        return;
    }
    let graph = model.graph.as_mut().unwrap();
    let names: Vec<String> = graph
        .initializer
        .iter()
        .map(|tensor| tensor.name.clone())
        .chain(graph.node.iter().flat_map(|node| node.output.clone()))
        .chain(graph.input.iter().map(|info| info.name.clone()))
        .collect();
    let any_name = names[random.gen_range(0..names.len())].clone();
    let position = random.gen_range(0..graph.node.len());
    let node = &mut graph.node[position];
    match random.gen_range(0..9) {
        0 => {
            let operator = OPERATORS[random.gen_range(0..OPERATORS.len())];
            node.op_type = operator.to_owned();
            let learning = ["Scaler", "OneHotEncoder", "ArrayFeatureExtractor"];
            node.domain = if learning.contains(&operator) { "ai.onnx.ml" } else { "" }.to_owned();
            node.attribute.clear();
        }
        1 if !node.input.is_empty() => {
            let input = random.gen_range(0..node.input.len());
            node.input[input] = any_name;
        }
        2 => node.input.push(any_name),
        3 => {
            node.input.pop();
        }
        4 if !node.attribute.is_empty() => {
            let attribute = random.gen_range(0..node.attribute.len());
            let attribute = &mut node.attribute[attribute];
            attribute.i = extreme;
            if !attribute.ints.is_empty() {
                let position = random.gen_range(0..attribute.ints.len());
                attribute.ints[position] = extreme;
            }
            if !attribute.floats.is_empty() {
                let position = random.gen_range(0..attribute.floats.len());
                attribute.floats[position] = extreme as f32;
            }
        }
        5 => {
            let names = [
                "axis",
                "axes",
                "to",
                "keepdims",
                "perm",
                "num_outputs",
                "start",
                "split",
                "pads",
                "strides",
                "dilations",
                "kernel_shape",
                "ceil_mode",
                "group",
                "blocksize",
            ];
            let name = names[random.gen_range(0..names.len())].to_owned();
            let list =
                ["axes", "perm", "split", "pads", "strides", "dilations", "kernel_shape"].contains(&name.as_str());
            node.attribute.push(AttributeProto {
                name,
                r#type: if list { 7 } else { 2 },
                i: extreme,
                ints: vec![extreme],
                ..Default::default()
            });
        }
        6 if !graph.initializer.is_empty() => {
            let tensor = random.gen_range(0..graph.initializer.len());
            let tensor = &mut graph.initializer[tensor];
            match random.gen_range(0..3) {
                0 => tensor.dims.push(if random.gen_bool(0.5) { 1 } else { extreme }),
                1 => {
                    tensor.dims.pop();
                }
                _ => {
                    tensor.raw_data.clear();
                    tensor.data_type = 7;
                    tensor.dims = vec![2];
                    tensor.float_data.clear();
                    tensor.int32_data.clear();
                    tensor.string_data.clear();
                    tensor.int64_data = vec![extreme, 1];
                }
            }
        }
        7 => {
            let input = random.gen_range(0..graph.input.len());
            let info = &mut graph.input[input];
            let sizes = [1, 2, 3, 5, 12];
            let shape = &mut tensor_type(info).shape.as_mut().unwrap().dim;
            if shape.is_empty() {
                return;
            }
            let position = random.gen_range(0..shape.len());
            let size = if random.gen_bool(0.2) {
                extreme
            } else {
                sizes[random.gen_range(0..sizes.len())]
            };
            shape[position].value = Some(tensor_shape_proto::dimension::Value::DimValue(size));
        }
        _ => {
            let output = random.gen_range(0..graph.output.len());
            graph.output[output].name = any_name;
            graph.output[output].r#type = None;
        }
    }
}

/// Whether the bytes import; the graph is then evaluated, which checks its indices.
fn check(bytes: &[u8]) -> bool {
    let _ = summarize(bytes);
    let Ok(graph) = import(bytes) else {
        return false;
    };
    if graph.inputs.iter().map(|input| input.len()).sum::<usize>() < 10_000 {
        let zeros: Vec<Vec<f64>> = graph.inputs.iter().map(|input| vec![0.0; input.len()]).collect();
        let _ = evaluate(&graph, &zeros);
    }
    true
}
