//! What operators refuse: attributes, types and operands that would change the answer.

use zkverdict_onnx::{DataType, OnnxError, Refusal, import};

use crate::common::{
    FLOAT, INT64, Model, evaluate, float, float_list, floats, int, int_list, integers, tensor_info, text,
};

const BOOL: i32 = 9;

fn start() -> Model {
    Model::new().input(tensor_info("x", FLOAT, &[1, 3]))
}

fn refusal(model: &Model) -> Refusal {
    match import(&model.encode()) {
        Err(OnnxError::Node { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Refusal of one node on `x`.
fn of(operator: &str, attributes: &[(&str, tract_onnx::pb::AttributeProto)]) -> Refusal {
    let mut model = start().node(operator, &["x"], &["y"]);
    for (name, attribute) in attributes {
        model = model.with(name, attribute.clone());
    }
    refusal(&model.output("y"))
}

#[test]
fn messages_name_node_operator_reason_and_remedy() {
    let model = start().node("Det", &["x"], &["y"]).output("y");
    let message = import(&model.encode()).unwrap_err().to_string();
    assert_eq!(
        message,
        "node \"y\" (Det): the operator is not supported; replace it before export (the README of zkverdict-onnx lists the supported ones)"
    );
    let escape = start().node("\u{1b}[2J", &["x"], &["y"]).output("y");
    let message = import(&escape.encode()).unwrap_err().to_string();
    assert!(message.starts_with("node \"y\" (\\u{1b}[2J): "), "{message}");
    let model = start().node("ai.onnx.ml.SVMRegressor", &["x"], &["y"]).output("y");
    let message = import(&model.encode()).unwrap_err().to_string();
    assert!(
        message.starts_with("node \"y\" (ai.onnx.ml.SVMRegressor): "),
        "{message}"
    );
}

#[test]
fn unknown_attributes_are_refused() {
    for operator in [
        "Relu",
        "Sigmoid",
        "Softmax",
        "Neg",
        "Identity",
        "Flatten",
        "Transpose",
        "ArgMax",
        "Clip",
        "Squeeze",
        "Dropout",
    ] {
        assert_eq!(
            of(operator, &[("surprise", int(1))]),
            Refusal::UnknownAttribute {
                attribute: "surprise".into()
            },
            "{operator}"
        );
    }
    assert!(matches!(
        of("Softmax", &[("axis", float(1.0))]),
        Refusal::AttributeType { expected: "int", .. }
    ));
    assert!(matches!(
        of("Softmax", &[("axis", int(1)), ("axis", int(1))]),
        Refusal::DuplicateAttribute { .. }
    ));
    let untyped = tract_onnx::pb::AttributeProto {
        i: 1,
        ..Default::default()
    };
    assert!(matches!(
        of("Softmax", &[("axis", untyped)]),
        Refusal::AttributeType { .. }
    ));
    let old = start().constant(floats("w", &[3], &[1.0; 3])).opset(6);
    let old = old
        .node("Add", &["x", "w"], &["y"])
        .with("broadcast", int(1))
        .output("y");
    assert_eq!(
        refusal(&old),
        Refusal::UnknownAttribute {
            attribute: "broadcast".into()
        }
    );
}

#[test]
fn axes_outside_of_the_rank_are_refused() {
    for axis in [2, -3, i64::MAX, i64::MIN] {
        for operator in ["Softmax", "ArgMax"] {
            assert_eq!(of(operator, &[("axis", int(axis))]), Refusal::Axis { axis, rank: 2 });
        }
    }
    assert!(matches!(of("Flatten", &[("axis", int(3))]), Refusal::Axis { .. }));
    assert!(matches!(
        of("Transpose", &[("perm", int_list(&[0, 0]))]),
        Refusal::AttributeLength { .. }
    ));
    assert!(matches!(
        of("Transpose", &[("perm", int_list(&[0, 5]))]),
        Refusal::Axis { .. }
    ));
    assert!(matches!(of("Concat", &[("axis", int(7))]), Refusal::Axis { .. }));
}

/// What the new operators do not honour they name.
#[test]
fn attributes_that_change_the_answer_are_refused() {
    let image = || Model::new().input(tensor_info("x", FLOAT, &[1, 1, 4, 4]));
    let kernel = || int_list(&[2, 2]);
    let pooled = image().node("MaxPool", &["x"], &["y"]).with("kernel_shape", kernel());
    let named = |model: Model| match refusal(&model.output("y")) {
        Refusal::AttributeValue { attribute, .. } => attribute,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(pooled.with("storage_order", int(1))), "storage_order");
    let pooled = || {
        image()
            .node("AveragePool", &["x"], &["y"])
            .with("kernel_shape", kernel())
    };
    assert_eq!(named(pooled().with("auto_pad", text("SAME"))), "auto_pad");
    assert_eq!(named(pooled().with("pads", int_list(&[-1, 0, 0, 0]))), "pads");
    assert_eq!(named(pooled().with("strides", int_list(&[0, 1]))), "strides");
    let ambiguous = pooled()
        .with("ceil_mode", int(1))
        .with("count_include_pad", int(1))
        .with("strides", int_list(&[3, 3]));
    assert_eq!(named(ambiguous), "ceil_mode");
    let sizes = integers("sizes", &[4], &[1, 1, 8, 8]);
    let resized = || {
        image()
            .opset(18)
            .constant(sizes.clone())
            .node("Resize", &["x", "", "", "sizes"], &["y"])
    };
    assert_eq!(named(resized().with("mode", text("cubic"))), "mode");
    assert_eq!(named(resized().with("antialias", int(1))), "antialias");
    let cropped = resized().with("coordinate_transformation_mode", text("tf_crop_and_resize"));
    assert_eq!(named(cropped), "coordinate_transformation_mode");
    let power = |exponent: f32| {
        start()
            .constant(floats("e", &[1], &[exponent]))
            .node("Pow", &["x", "e"], &["y"])
    };
    for exponent in [-2.0, 1.5, 17.0] {
        assert_eq!(named(power(exponent)), "exponent", "{exponent}");
    }
    let gelu = start()
        .opset(20)
        .node("Gelu", &["x"], &["y"])
        .with("approximate", text("sigmoid"));
    assert_eq!(named(gelu), "approximate");
    let equation = start()
        .node("Einsum", &["x", "x"], &["y"])
        .with("equation", text("...i,...i->...i"));
    assert_eq!(named(equation), "equation");
    let reals = start().node("Equal", &["x", "x"], &["y"]).output("y");
    assert!(matches!(refusal(&reals), Refusal::Type { .. }));
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    for weight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for operator in ["Add", "Mul", "Greater"] {
            let model = start()
                .constant(floats("w", &[3], &[1.0, weight, 2.0]))
                .node(operator, &["x", "w"], &["y"])
                .output("y");
            assert_eq!(refusal(&model), Refusal::NotFinite, "{operator} {weight}");
        }
    }
    let huge = f32::MAX;
    let model = start()
        .constant(floats("w", &[3, 1], &[huge; 3]))
        .node("Gemm", &["x", "w"], &["y"])
        .with("alpha", float(f32::INFINITY))
        .output("y");
    assert_eq!(refusal(&model), Refusal::NotFinite);
    let model = start().constant(floats("w", &[3], &[1.0, 0.0, 2.0]));
    let model = model.node("Div", &["x", "w"], &["y"]).output("y");
    assert_eq!(refusal(&model), Refusal::DivisionByZero);
}

#[test]
fn integer_arithmetic_is_refused() {
    let model = Model::new()
        .input(tensor_info("x", INT64, &[1, 3]))
        .constant(integers("w", &[3], &[1, 2, 3]))
        .node("Add", &["x", "w"], &["y"])
        .output("y");
    assert!(matches!(
        refusal(&model),
        Refusal::Type {
            data_type: DataType::Int64,
            ..
        }
    ));
    let mixed = start()
        .constant(integers("w", &[3], &[1, 2, 3]))
        .node("Add", &["x", "w"], &["y"])
        .output("y");
    assert!(matches!(refusal(&mixed), Refusal::MixedTypes { .. }));
}

#[test]
fn truncating_casts_reach_encoders_only() {
    let cast = || start().node("Cast", &["x"], &["i"]).with("to", int(7));
    for operator in ["Relu", "ArgMax", "Clip", "ai.onnx.ml.Scaler"] {
        let model = cast().node(operator, &["i"], &["y"]).output("y");
        assert_eq!(refusal(&model), Refusal::Truncated, "{operator}");
    }
    let back = cast().node("Cast", &["i"], &["y"]).with("to", int(1)).output("y");
    assert_eq!(refusal(&back), Refusal::Truncated);
    assert!(matches!(
        import(&cast().output("i").encode()),
        Err(OnnxError::Output {
            refusal: Refusal::Truncated,
            ..
        })
    ));
    let encoded = cast()
        .node("ai.onnx.ml.OneHotEncoder", &["i"], &["y"])
        .with("cats_int64s", int_list(&[4, 9]))
        .output("y");
    let graph = import(&encoded.encode()).unwrap();
    let outputs = evaluate(&graph, &[vec![9.0, 4.0, 9.0]]).unwrap();
    assert_eq!(outputs, [[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]]);
    let narrow = Model::new().input(tensor_info("x", INT64, &[1, 3]));
    let narrow = narrow.node("Cast", &["x"], &["y"]).with("to", int(6)).output("y");
    assert!(matches!(
        refusal(&narrow),
        Refusal::Type {
            data_type: DataType::Int32,
            ..
        }
    ));
    for to in [9, 8, 10, 16] {
        let model = start().node("Cast", &["x"], &["y"]).with("to", int(to)).output("y");
        assert!(
            matches!(refusal(&model), Refusal::Type { .. } | Refusal::UnknownType { .. }),
            "{to}"
        );
    }
}

#[test]
fn labels_can_only_be_moved_and_returned() {
    let labelled = |labels| {
        start()
            .constant(integers("classes", &[labels], &[5, 6, 7, 8][..labels as usize]))
            .node("ArgMax", &["x"], &["i"])
            .with("axis", int(1))
            .node("ai.onnx.ml.ArrayFeatureExtractor", &["classes", "i"], &["l"])
    };
    let model = labelled(3).node("Cast", &["l"], &["f"]).with("to", int(1));
    let model = model.node("Sigmoid", &["f"], &["y"]).output("y");
    assert_eq!(refusal(&model), Refusal::Label);
    let short = labelled(2).output("l");
    assert_eq!(refusal(&short), Refusal::Index { index: 3, length: 2 });
    import(&labelled(3).output("l").encode()).unwrap();
    import(&labelled(4).output("l").encode()).unwrap();
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let with = |operator: &str, shape: &[i64]| {
        let count = shape.iter().product::<i64>() as usize;
        let model = start().constant(floats("w", shape, &vec![1.0; count]));
        refusal(&model.node(operator, &["x", "w"], &["y"]).output("y"))
    };
    assert!(matches!(with("Add", &[2]), Refusal::Shapes { .. }));
    assert!(matches!(with("MatMul", &[2, 3]), Refusal::Shapes { .. }));
    assert!(matches!(with("Gemm", &[2, 3]), Refusal::Shapes { .. }));
    assert!(matches!(with("Gemm", &[3]), Refusal::Rank { .. }));
    assert!(matches!(with("MatMul", &[]), Refusal::Rank { .. }));
    let reshape = |target: &[i64]| {
        let shape = integers("s", &[target.len() as i64], target);
        let model = start().constant(shape).node("Reshape", &["x", "s"], &["y"]).output("y");
        refusal(&model)
    };
    for target in [
        &[2, 2][..],
        &[-1, -1],
        &[-1, 2],
        &[1, 1, 0],
        &[-2],
        &[i64::MAX, i64::MAX],
        &[-1, 0, 0],
    ] {
        assert!(
            matches!(reshape(target), Refusal::Reshape { elements: 3, .. }),
            "{target:?}"
        );
    }
}

#[test]
fn allocation_bombs_are_refused() {
    let bomb = Model::new()
        .input(tensor_info("x", FLOAT, &[1, 3]))
        .constant(integers("s", &[3], &[1 << 20, 1 << 20, 1 << 20]))
        .node("ConstantOfShape", &["s"], &["c"])
        .node("Add", &["x", "c"], &["y"])
        .output("y");
    assert!(matches!(refusal(&bomb), Refusal::TooLarge { .. }));
    let empty = Model::new()
        .input(tensor_info("x", FLOAT, &[1, 3]))
        .constant(integers("s", &[2], &[0, 1 << 40]))
        .node("ConstantOfShape", &["s"], &["c"])
        .node("Add", &["x", "c"], &["y"])
        .output("y");
    assert!(matches!(refusal(&empty), Refusal::TooLarge { .. }));
    let mut doubling = Model::new().input(tensor_info("x", FLOAT, &[1, 1024]));
    let names: Vec<String> = (0..40).map(|step| format!("d{step}")).collect();
    let mut last = "x";
    for name in &names {
        doubling = doubling.node("Concat", &[last, last], &[name]).with("axis", int(1));
        last = name;
    }
    assert!(matches!(refusal(&doubling.output(last)), Refusal::TooLarge { .. }));
    let wide = Model::new()
        .input(tensor_info("x", FLOAT, &[4096, 1]))
        .input(tensor_info("z", FLOAT, &[1, 8192]))
        .node("Add", &["x", "z"], &["y"])
        .output("y");
    assert!(matches!(refusal(&wide), Refusal::TooLarge { .. }));
}

#[test]
fn classifiers_need_consistent_tables() {
    let classifier =
        |attributes: &[(&str, tract_onnx::pb::AttributeProto)]| of("ai.onnx.ml.LinearClassifier", attributes);
    let coefficients = || ("coefficients", float_list(&[1.0, 2.0, 3.0]));
    let intercepts = || ("intercepts", float_list(&[0.5]));
    let labels = || ("classlabels_ints", int_list(&[0, 1]));
    assert!(matches!(classifier(&[]), Refusal::MissingAttribute { .. }));
    assert!(matches!(
        classifier(&[coefficients(), labels()]),
        Refusal::MissingAttribute {
            attribute: "intercepts"
        }
    ));
    assert!(matches!(
        classifier(&[coefficients(), intercepts()]),
        Refusal::MissingAttribute { .. }
    ));
    for (length, wrong) in [(1, &[0][..]), (3, &[0, 1, 2])] {
        assert_eq!(
            classifier(&[coefficients(), intercepts(), ("classlabels_ints", int_list(wrong))]),
            Refusal::AttributeLength {
                attribute: "classlabels_ints",
                expected: 2,
                got: length
            }
        );
    }
    for transform in ["PROBIT", "SOFTMAX_ZERO", "other"] {
        assert!(matches!(
            classifier(&[
                coefficients(),
                intercepts(),
                labels(),
                ("post_transform", text(transform))
            ]),
            Refusal::AttributeValue {
                attribute: "post_transform",
                ..
            }
        ));
    }
    assert!(matches!(
        classifier(&[("coefficients", float_list(&[1.0])), intercepts(), labels()]),
        Refusal::AttributeLength {
            attribute: "coefficients",
            expected: 3,
            got: 1
        }
    ));
    assert!(matches!(
        classifier(&[
            ("coefficients", float_list(&[1.0, f32::NAN, 1.0])),
            intercepts(),
            labels()
        ]),
        Refusal::NotFinite
    ));
    assert!(matches!(
        of(
            "ai.onnx.ml.LinearRegressor",
            &[coefficients(), ("post_transform", text("LOGISTIC"))]
        ),
        Refusal::AttributeValue { .. }
    ));
    for norm in [None, Some("MAX"), Some("L3")] {
        let attributes: Vec<_> = norm.map(|norm| ("norm", text(norm))).into_iter().collect();
        assert!(matches!(
            of("ai.onnx.ml.Normalizer", &attributes),
            Refusal::AttributeValue { attribute: "norm", .. }
        ));
    }
    assert!(matches!(
        of("ai.onnx.ml.OneHotEncoder", &[("cats_int64s", int_list(&[1, 1]))]),
        Refusal::Repeated { .. }
    ));
    assert!(matches!(
        of(
            "ai.onnx.ml.Scaler",
            &[("offset", float_list(&[1.0])), ("scale", float_list(&[1.0, 2.0, 3.0]))]
        ),
        Refusal::AttributeLength { .. }
    ));
}

#[test]
fn training_is_refused() {
    let mut training = integers("t", &[], &[]);
    training.data_type = BOOL;
    training.int64_data.clear();
    training.int32_data = vec![1];
    let model = start().constant(training.clone()).constant(floats("r", &[], &[0.5]));
    let model = model.node("Dropout", &["x", "r", "t"], &["y"]).output("y");
    assert!(matches!(
        refusal(&model),
        Refusal::AttributeValue {
            attribute: "training_mode",
            ..
        }
    ));
    training.int32_data = vec![0];
    let model = start()
        .constant(training)
        .node("Dropout", &["x", "", "t"], &["y"])
        .output("y");
    import(&model.encode()).unwrap();
    let masked = start().node("Dropout", &["x"], &["y", "mask"]).output("y");
    assert!(matches!(refusal(&masked), Refusal::Arity { what: "results", .. }));
}
