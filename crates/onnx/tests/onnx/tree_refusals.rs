//! Malformed ensembles, and uses of ensembles that would change the answer, are refused with the place named.

use tract_onnx::pb::{AttributeProto, TensorProto};
use zkverdict_model::{Graph, Op};
use zkverdict_onnx::{DataType, OnnxError, Refusal, TreeDefect, import};

use crate::common::{FLOAT, INT64, Model, float_list, floats, int, int_list, tensor, tensor_info, text, text_list};

const DOUBLE: i32 = 11;

/// A node's attributes, to be changed one at a time.
#[derive(Clone)]
struct Ensemble {
    operator: &'static str,
    version: i64,
    element: i32,
    attributes: Vec<(&'static str, AttributeProto)>,
}

impl Ensemble {
    /// Two trees over two features, with the ids 3 and 5; the second is a single leaf.
    fn regressor() -> Self {
        Ensemble {
            operator: "ai.onnx.ml.TreeEnsembleRegressor",
            version: 1,
            element: FLOAT,
            attributes: vec![
                ("nodes_treeids", int_list(&[3, 3, 3, 3, 3, 5])),
                ("nodes_nodeids", int_list(&[0, 1, 2, 3, 4, 0])),
                ("nodes_featureids", int_list(&[0, 0, 1, 0, 0, 0])),
                ("nodes_truenodeids", int_list(&[1, 0, 3, 0, 0, 0])),
                ("nodes_falsenodeids", int_list(&[2, 0, 4, 0, 0, 0])),
                ("nodes_values", float_list(&[0.5, 0.0, 1.5, 0.0, 0.0, 0.0])),
                (
                    "nodes_modes",
                    text_list(&["BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "LEAF"]),
                ),
                ("target_treeids", int_list(&[3, 3, 3, 5])),
                ("target_nodeids", int_list(&[1, 3, 4, 0])),
                ("target_ids", int_list(&[0, 0, 0, 0])),
                ("target_weights", float_list(&[1.0, 2.0, 3.0, 4.0])),
                ("n_targets", int(1)),
            ],
        }
    }

    fn classifier(ids: &[i64], weights: &[f32], labels: &[i64]) -> Self {
        let mut node = Self::regressor();
        node.operator = "ai.onnx.ml.TreeEnsembleClassifier";
        node.attributes.truncate(7);
        node.attributes.extend([
            ("class_treeids", int_list(&[3, 3, 3, 5])),
            ("class_nodeids", int_list(&[1, 3, 4, 0])),
            ("class_ids", int_list(ids)),
            ("class_weights", float_list(weights)),
            ("classlabels_int64s", int_list(labels)),
        ]);
        node
    }

    /// Operator set 5: two branches, three leaves, one tree.
    fn indexed() -> Self {
        Ensemble {
            operator: "ai.onnx.ml.TreeEnsemble",
            version: 5,
            element: FLOAT,
            attributes: vec![
                ("nodes_splits", tensor(floats("s", &[2], &[0.5, 1.5]))),
                ("nodes_modes", tensor(modes(&[0, 3]))),
                ("nodes_featureids", int_list(&[0, 1])),
                ("nodes_truenodeids", int_list(&[0, 1])),
                ("nodes_trueleafs", int_list(&[1, 1])),
                ("nodes_falsenodeids", int_list(&[1, 2])),
                ("nodes_falseleafs", int_list(&[0, 1])),
                ("tree_roots", int_list(&[0])),
                ("leaf_targetids", int_list(&[0, 0, 0])),
                ("leaf_weights", tensor(floats("w", &[3], &[1.0, 2.0, 3.0]))),
                ("n_targets", int(1)),
            ],
        }
    }

    fn with(mut self, name: &'static str, attribute: AttributeProto) -> Self {
        self.attributes.retain(|(other, _)| *other != name);
        self.attributes.push((name, attribute));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|(other, _)| *other != name);
        self
    }

    fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    fn element(mut self, element: i32) -> Self {
        self.element = element;
        self
    }

    fn import(&self) -> Result<Graph, OnnxError> {
        let outputs: &[&str] = if self.operator.ends_with("Classifier") {
            &["label", "scores"]
        } else {
            &["y"]
        };
        let mut model = Model::new()
            .learning(self.version)
            .input(tensor_info("x", self.element, &[1, 2]))
            .node(self.operator, &["x"], outputs);
        for (name, attribute) in &self.attributes {
            model = model.with(name, attribute.clone());
        }
        import(
            &outputs
                .iter()
                .fold(model, |model, output| model.output(output))
                .encode(),
        )
    }

    fn refusal(&self) -> Refusal {
        match self.import() {
            Err(OnnxError::Node { refusal, .. }) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// The defect, which must be at the given place.
    fn defect(&self, tree: impl Into<Option<i64>>, node: i64) -> TreeDefect {
        let at = tree.into();
        match self.refusal() {
            Refusal::Tree {
                tree,
                node: position,
                defect,
            } => {
                assert_eq!((tree, position), (at, node), "{defect}");
                defect
            }
            other => panic!("{other:?}"),
        }
    }
}

fn modes(values: &[i32]) -> TensorProto {
    TensorProto {
        name: "m".into(),
        dims: vec![values.len() as i64],
        data_type: 2,
        int32_data: values.to_vec(),
        ..Default::default()
    }
}

fn doubles(values: &[f64]) -> AttributeProto {
    tensor(TensorProto {
        dims: vec![values.len() as i64],
        data_type: DOUBLE,
        double_data: values.to_vec(),
        ..Default::default()
    })
}

#[test]
fn the_unchanged_ensembles_are_accepted() {
    for node in [Ensemble::regressor(), Ensemble::indexed()] {
        let graph = node.import().unwrap();
        let sums = if node.version == 5 {
            [1.0, 2.0, 3.0]
        } else {
            [5.0, 6.0, 7.0]
        };
        for (x, sum) in [[0.5, 0.0], [1.0, 2.0], [1.0, 1.5]].into_iter().zip(sums) {
            let values = graph.evaluate(&[x.to_vec()]).unwrap();
            assert_eq!(graph.pick_outputs(&values), [[sum]]);
        }
    }
    let graph = Ensemble::classifier(&[0; 4], &[1.0; 4], &[3, 7]).import().unwrap();
    assert_eq!(graph.outputs.len(), 2);
}

#[test]
fn lists_of_unequal_length_are_refused() {
    for (base, names) in [
        (
            Ensemble::regressor(),
            &[
                "nodes_nodeids",
                "nodes_featureids",
                "nodes_truenodeids",
                "nodes_falsenodeids",
                "nodes_missing_value_tracks_true",
                "target_nodeids",
                "target_ids",
            ][..],
        ),
        (
            Ensemble::indexed(),
            &[
                "nodes_featureids",
                "nodes_truenodeids",
                "nodes_trueleafs",
                "nodes_falsenodeids",
                "nodes_falseleafs",
                "nodes_missing_value_tracks_true",
            ],
        ),
    ] {
        for &name in names {
            match base.clone().with(name, int_list(&[0; 9])).refusal() {
                Refusal::AttributeLength { attribute, got: 9, .. } => assert_eq!(attribute, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    let base = Ensemble::regressor();
    for (name, attribute) in [
        ("nodes_values", float_list(&[0.0])),
        ("nodes_hitrates", float_list(&[0.0])),
        ("target_weights", float_list(&[0.0])),
        ("nodes_modes", text_list(&["LEAF"])),
        ("base_values", float_list(&[0.0, 0.0])),
    ] {
        assert!(
            matches!(base.clone().with(name, attribute).refusal(), Refusal::AttributeLength { attribute, .. } if attribute == name),
            "{name}"
        );
    }
    let base = Ensemble::indexed();
    for (name, attribute) in [
        ("nodes_modes", tensor(modes(&[0]))),
        ("leaf_weights", tensor(floats("w", &[1], &[1.0]))),
        ("nodes_hitrates", tensor(floats("h", &[1], &[1.0]))),
    ] {
        assert!(
            matches!(base.clone().with(name, attribute).refusal(), Refusal::AttributeLength { attribute, .. } if attribute == name),
            "{name}"
        );
    }
    for name in ["nodes_treeids", "nodes_values"] {
        assert!(Ensemble::regressor().without(name).import().is_err());
    }
    for name in ["nodes_splits", "nodes_modes", "tree_roots", "leaf_weights", "n_targets"] {
        assert!(Ensemble::indexed().without(name).import().is_err());
    }
}

#[test]
fn trees_that_are_no_trees_are_refused() {
    let base = Ensemble::regressor;
    // Node 2 leads back to itself, and to the root only.
    let children = |ids: &[i64; 6]| base().with("nodes_truenodeids", int_list(ids));
    let itself = base()
        .with("nodes_truenodeids", int_list(&[1, 0, 2, 0, 0, 0]))
        .with("nodes_falsenodeids", int_list(&[2, 0, 3, 0, 0, 0]));
    assert_eq!(itself.defect(3, 4), TreeDefect::SecondRoot);
    let itself = itself
        .with("nodes_treeids", int_list(&[3, 3, 3, 3, 4, 5]))
        .with("target_treeids", int_list(&[3, 3, 4, 5]));
    assert_eq!(itself.defect(3, 2), TreeDefect::Cycle);
    assert_eq!(children(&[1, 0, 0, 0, 0, 0]).defect(3, 3), TreeDefect::SecondRoot);
    for child in [9, -1, i64::MAX, i64::MIN] {
        assert_eq!(
            children(&[1, 0, child, 0, 0, 0]).defect(3, 2),
            TreeDefect::MissingChild { branch: true, child }
        );
        let other = base().with("nodes_falsenodeids", int_list(&[child, 0, 4, 0, 0, 0]));
        assert_eq!(other.defect(3, 0), TreeDefect::MissingChild { branch: false, child });
    }
    // A ring of all branches has no root.
    let ring = base()
        .with("nodes_truenodeids", int_list(&[1, 0, 0, 0, 0, 0]))
        .with("nodes_falsenodeids", int_list(&[2, 0, 3, 0, 0, 0]))
        .with(
            "nodes_modes",
            text_list(&["BRANCH_LT", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF"]),
        );
    assert_eq!(ring.defect(3, 4), TreeDefect::SecondRoot);
    let whole = ring
        .with("nodes_treeids", int_list(&[3, 3, 3, 3, 4, 5]))
        .with("target_treeids", int_list(&[3, 3, 4, 5]));
    assert_eq!(whole.defect(3, 0), TreeDefect::NoRoot);
    // A leaf at the start, and a ring beside it.
    let beside = base()
        .with(
            "nodes_modes",
            text_list(&["LEAF", "LEAF", "BRANCH_LT", "BRANCH_LT", "LEAF", "LEAF"]),
        )
        .with("nodes_truenodeids", int_list(&[0, 0, 3, 2, 0, 0]))
        .with("nodes_falsenodeids", int_list(&[0, 0, 1, 4, 0, 0]))
        .with("target_nodeids", int_list(&[0, 1, 4, 0]));
    assert_eq!(beside.defect(3, 1), TreeDefect::Cycle);
    // The same ids twice, in one tree and scattered.
    let twice = base().with("nodes_nodeids", int_list(&[0, 1, 2, 3, 3, 0]));
    assert_eq!(twice.defect(3, 3), TreeDefect::Duplicate);
    let scattered = base().with("nodes_treeids", int_list(&[3, 3, 3, 3, 5, 3]));
    assert_eq!(scattered.defect(3, 0), TreeDefect::Duplicate);
    let scattered = base()
        .with("nodes_nodeids", int_list(&[0, 1, 2, 3, 0, 4]))
        .with("nodes_treeids", int_list(&[3, 3, 3, 3, 5, 3]));
    assert_eq!(scattered.defect(3, 4), TreeDefect::Scattered);
    // ONNX Runtime starts at the first node, here the second branch.
    let order = base()
        .with("nodes_nodeids", int_list(&[2, 1, 0, 3, 4, 0]))
        .with("nodes_truenodeids", int_list(&[3, 0, 1, 0, 0, 0]))
        .with("nodes_falsenodeids", int_list(&[4, 0, 2, 0, 0, 0]));
    assert_eq!(order.defect(3, 0), TreeDefect::SecondRoot);
}

#[test]
fn indexed_trees_that_are_no_trees_are_refused() {
    let base = Ensemble::indexed;
    let itself = base()
        .with("nodes_falsenodeids", int_list(&[1, 1]))
        .with("nodes_falseleafs", int_list(&[0, 0]));
    assert_eq!(itself.defect(0, 1), TreeDefect::Cycle);
    let ring = base()
        .with("nodes_falsenodeids", int_list(&[1, 0]))
        .with("nodes_falseleafs", int_list(&[0, 0]));
    assert_eq!(ring.defect(0, 0), TreeDefect::NoRoot);
    assert_eq!(
        base().with("tree_roots", int_list(&[0, 1])).defect(0, 1),
        TreeDefect::NoRoot
    );
    for root in [2, -1, i64::MIN] {
        assert_eq!(
            base().with("tree_roots", int_list(&[root])).refusal(),
            Refusal::Index { index: root, length: 2 }
        );
    }
    for child in [3, -1, i64::MAX] {
        assert_eq!(
            base().with("nodes_truenodeids", int_list(&[0, child])).defect(0, 1),
            TreeDefect::MissingChild { branch: true, child }
        );
        assert_eq!(
            base().with("nodes_falsenodeids", int_list(&[child, 2])).defect(0, 0),
            TreeDefect::MissingChild { branch: false, child }
        );
    }
    assert_eq!(
        base().with("nodes_trueleafs", int_list(&[1, 2])).defect(0, 1),
        TreeDefect::Flag {
            attribute: "nodes_trueleafs",
            value: 2
        }
    );
    for (code, mode) in [(6, "BRANCH_MEMBER"), (7, "7"), (255, "255")] {
        assert_eq!(
            base().with("nodes_modes", tensor(modes(&[0, code]))).defect(0, 1),
            TreeDefect::Mode { mode: mode.into() }
        );
    }
    // A node that no root leads to is dropped with a note, but must be well-formed.
    let lost = base()
        .with("tree_roots", int_list(&[1]))
        .with("nodes_falseleafs", int_list(&[1, 1]));
    let graph = lost.import().unwrap();
    assert!(
        graph.notes.iter().any(|note| note.contains("no root leads to")),
        "{:?}",
        graph.notes
    );
    let Op::TreeEnsemble(ensemble) = &graph.nodes[0].op else {
        panic!("{:?}", graph.nodes);
    };
    assert_eq!(ensemble.trees[0].nodes.len(), 3);
    let lost = lost.with("nodes_featureids", int_list(&[7, 1]));
    assert!(matches!(lost.defect(None, 0), TreeDefect::Feature { feature: 7, .. }));
    assert!(matches!(
        base().version(4).refusal(),
        Refusal::OperatorVersion { version: 4, .. }
    ));
}

#[test]
fn features_targets_and_numbers_are_checked() {
    let base = Ensemble::regressor;
    for feature in [2, -1, i64::MAX] {
        assert_eq!(
            base()
                .with("nodes_featureids", int_list(&[0, 0, feature, 0, 0, 0]))
                .defect(3, 2),
            TreeDefect::Feature { feature, features: 2 }
        );
        assert_eq!(
            Ensemble::indexed()
                .with("nodes_featureids", int_list(&[0, feature]))
                .defect(0, 1),
            TreeDefect::Feature { feature, features: 2 }
        );
    }
    for target in [1, -1, i64::MIN] {
        assert_eq!(
            base().with("target_ids", int_list(&[0, target, 0, 0])).defect(3, 3),
            TreeDefect::Target { target, targets: 1 }
        );
        assert_eq!(
            Ensemble::indexed()
                .with("leaf_targetids", int_list(&[0, 0, target]))
                .defect(0, 1),
            TreeDefect::Target { target, targets: 1 }
        );
    }
    for targets in [0, -1, i64::MAX] {
        assert!(matches!(
            base().with("n_targets", int(targets)).refusal(),
            Refusal::AttributeValue {
                attribute: "n_targets",
                ..
            }
        ));
    }
    let nan = float_list(&[0.5, 0.0, f32::NAN, 0.0, 0.0, 0.0]);
    assert_eq!(base().with("nodes_values", nan).defect(3, 2), TreeDefect::Threshold);
    let nan = tensor(floats("s", &[2], &[0.5, f32::NAN]));
    assert_eq!(
        Ensemble::indexed().with("nodes_splits", nan).defect(0, 1),
        TreeDefect::Threshold
    );
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let weights = float_list(&[1.0, 2.0, value, 4.0]);
        assert!(matches!(
            base().with("target_weights", weights).defect(3, 4),
            TreeDefect::Weight { .. }
        ));
        assert_eq!(
            base().with("base_values", float_list(&[value])).refusal(),
            Refusal::NotFinite
        );
    }
    let mode = text_list(&["BRANCH_LEQ", "LEAF", "BRANCH_MEMBER", "LEAF", "LEAF", "LEAF"]);
    assert_eq!(
        base().with("nodes_modes", mode).defect(3, 2),
        TreeDefect::Mode {
            mode: "BRANCH_MEMBER".into()
        }
    );
    let flags = int_list(&[0, 0, 2, 0, 0, 0]);
    assert!(matches!(
        base().with("nodes_missing_value_tracks_true", flags).defect(3, 2),
        TreeDefect::Flag { value: 2, .. }
    ));
    assert_eq!(
        base().with("target_nodeids", int_list(&[1, 9, 4, 0])).defect(3, 9),
        TreeDefect::MissingNode
    );
    assert_eq!(
        base().with("target_nodeids", int_list(&[1, 1, 4, 0])).defect(3, 1),
        TreeDefect::TargetTwice { target: 0 }
    );
    assert_eq!(
        base().with("target_nodeids", int_list(&[1, 2, 4, 0])).defect(3, 3),
        TreeDefect::NoWeights
    );
}

#[test]
fn doubles_must_be_singles() {
    let exact = doubles(&[0.5, 0.0, 1.5, 0.0, 0.0, 0.0]);
    let base = Ensemble::regressor().without("nodes_values").version(3);
    assert!(
        base.clone()
            .with("nodes_values_as_tensor", exact.clone())
            .import()
            .is_ok()
    );
    let tenth = doubles(&[0.5, 0.0, 0.1, 0.0, 0.0, 0.0]);
    assert_eq!(
        base.clone().with("nodes_values_as_tensor", tenth).defect(3, 2),
        TreeDefect::NotSingle { value: 0.1 }
    );
    let both = base
        .clone()
        .with("nodes_values_as_tensor", exact.clone())
        .with("nodes_values", float_list(&[0.0; 6]));
    assert!(matches!(both.refusal(), Refusal::DuplicateAttribute { .. }));
    let early = base.with("nodes_values_as_tensor", exact).version(1);
    assert!(matches!(early.refusal(), Refusal::AttributeLength { .. }));
    assert!(matches!(
        Ensemble::regressor()
            .version(3)
            .with("base_values_as_tensor", doubles(&[0.1]))
            .refusal(),
        Refusal::AttributeValue {
            attribute: "base_values_as_tensor",
            ..
        }
    ));
    // Rounding a double input first would move it across a threshold.
    assert!(matches!(
        Ensemble::regressor().element(DOUBLE).refusal(),
        Refusal::Type {
            data_type: DataType::Float64,
            ..
        }
    ));
    assert!(matches!(
        Ensemble::regressor().element(9).refusal(),
        Refusal::Type {
            data_type: DataType::Bool,
            ..
        }
    ));
    assert!(Ensemble::regressor().element(INT64).import().is_ok());
}

#[test]
fn transforms_and_functions_are_known_or_refused() {
    for value in ["SOFTMAX_ZERO", "PROBIT", "logistic", ""] {
        for node in [Ensemble::regressor(), Ensemble::classifier(&[0; 4], &[1.0; 4], &[0, 1])] {
            assert!(matches!(
                node.with("post_transform", text(value)).refusal(),
                Refusal::AttributeValue {
                    attribute: "post_transform",
                    ..
                }
            ));
        }
    }
    // ONNX Runtime applies neither to a single target.
    for value in ["LOGISTIC", "SOFTMAX"] {
        let node = Ensemble::regressor().with("post_transform", text(value));
        assert!(matches!(node.refusal(), Refusal::Ensemble { .. }));
    }
    for code in [1, 2, 3, 4, 5, -1] {
        assert!(matches!(
            Ensemble::indexed().with("post_transform", int(code)).refusal(),
            Refusal::AttributeValue {
                attribute: "post_transform",
                ..
            }
        ));
    }
    assert!(matches!(
        Ensemble::regressor()
            .with("aggregate_function", text("MEDIAN"))
            .refusal(),
        Refusal::AttributeValue {
            attribute: "aggregate_function",
            ..
        }
    ));
    assert!(matches!(
        Ensemble::indexed().with("aggregate_function", int(4)).refusal(),
        Refusal::AttributeValue {
            attribute: "aggregate_function",
            ..
        }
    ));
    let base = Ensemble::classifier(&[0; 4], &[1.0; 4], &[0, 1]);
    assert_eq!(
        base.with("aggregate_function", text("SUM")).refusal(),
        Refusal::UnknownAttribute {
            attribute: "aggregate_function".into()
        }
    );
}

/// Where ONNX Runtime's answer depends on which leaves an input reaches, or drops what the file says.
#[test]
fn classifiers_that_onnx_runtime_reads_its_own_way_are_refused() {
    let refused = |node: Ensemble| assert!(matches!(node.refusal(), Refusal::Ensemble { .. }));
    let signed = [-1.0, 2.0, 3.0, 4.0];
    let base = |values: &[f32]| float_list(values);
    refused(Ensemble::classifier(&[0; 4], &signed, &[0, 1]).with("base_values", base(&[1.0, 2.0])));
    refused(Ensemble::classifier(&[1; 4], &signed, &[0, 1]).with("base_values", base(&[1.0])));
    refused(Ensemble::classifier(&[0, 1, 0, 0], &signed, &[0, 1]));
    refused(Ensemble::classifier(&[0, 1, 1, 1], &signed, &[0, 1]).with("base_values", base(&[1.0])));
    refused(Ensemble::classifier(&[0, 1, 2, 0], &signed, &[0, 1, 2]));
    assert!(Ensemble::classifier(&[0, 0, 0, 1], &signed, &[0, 1]).import().is_ok());
    assert!(
        Ensemble::classifier(&[0, 1, 2, 0], &[1.0; 4], &[0, 1, 2])
            .import()
            .is_ok()
    );
    let based = Ensemble::classifier(&[0, 1, 2, 0], &signed, &[0, 1, 2]).with("base_values", base(&[0.0; 3]));
    assert!(based.import().is_ok());
    // Both classes named: ONNX Runtime returns 0 or 1 whatever the labels are.
    assert!(matches!(
        Ensemble::classifier(&[0, 0, 0, 1], &signed, &[3, 7]).refusal(),
        Refusal::AttributeValue {
            attribute: "classlabels_int64s",
            ..
        }
    ));
    assert!(matches!(
        Ensemble::classifier(&[0; 4], &signed, &[3]).refusal(),
        Refusal::AttributeLength { .. }
    ));
    let none = Ensemble::classifier(&[0; 4], &signed, &[3, 7]).without("classlabels_int64s");
    assert!(matches!(none.refusal(), Refusal::MissingAttribute { .. }));
    let two = Ensemble::regressor()
        .with("n_targets", int(2))
        .with("base_values", base(&[1.0, 1.0]));
    refused(two);
}

#[test]
fn more_nodes_than_the_limit_are_refused() {
    let count = (1 << 20) + 1;
    let zeros = vec![0; count];
    let many = Ensemble::regressor().with("nodes_treeids", int_list(&zeros));
    assert!(matches!(
        many.refusal(),
        Refusal::TooLarge {
            what: "tree nodes",
            limit: 1_048_576
        }
    ));
    let splits = tensor(floats("s", &[count as i64], &vec![0.0; count]));
    assert!(matches!(
        Ensemble::indexed().with("nodes_splits", splits).refusal(),
        Refusal::TooLarge { what: "tree nodes", .. }
    ));
}

/// Each of 30 branches leads twice to the next: 2^30 paths.
#[test]
fn nodes_that_several_branches_lead_to_are_copied_up_to_the_limit() {
    let chain = |depth: usize| {
        let count = depth + 1;
        let next: Vec<i64> = (1..=count as i64).collect();
        let modes: Vec<&str> = (0..count)
            .map(|id| if id < depth { "BRANCH_LT" } else { "LEAF" })
            .collect();
        Ensemble::regressor()
            .with("nodes_treeids", int_list(&vec![0; count]))
            .with("nodes_nodeids", int_list(&(0..count as i64).collect::<Vec<_>>()))
            .with("nodes_featureids", int_list(&vec![0; count]))
            .with("nodes_truenodeids", int_list(&next))
            .with("nodes_falsenodeids", int_list(&next))
            .with("nodes_values", float_list(&vec![0.0; count]))
            .with("nodes_modes", text_list(&modes))
            .with("target_treeids", int_list(&[0]))
            .with("target_nodeids", int_list(&[depth as i64]))
            .with("target_ids", int_list(&[0]))
            .with("target_weights", float_list(&[1.0]))
    };
    let graph = chain(3).import().unwrap();
    assert!(
        graph.notes.iter().any(|note| note.contains("11 copies")),
        "{:?}",
        graph.notes
    );
    // 2^16 copies of a leaf with 2^10 weights.
    let targets: Vec<i64> = (0..1024).collect();
    let wide = chain(16)
        .with("n_targets", int(1024))
        .with("target_treeids", int_list(&[0; 1024]))
        .with("target_nodeids", int_list(&[16; 1024]))
        .with("target_ids", int_list(&targets))
        .with("target_weights", float_list(&[1.0; 1024]));
    assert!(matches!(wide.refusal(), Refusal::TooLarge { what: "weights", .. }));
    assert!(matches!(
        chain(30).refusal(),
        Refusal::TooLarge { what: "tree nodes", .. }
    ));
}

/// A path of 500,000 branches is followed without recursion.
#[test]
fn a_deep_tree_is_imported() {
    let depth = 500_000;
    let count = 2 * depth + 1;
    let branches = depth as i64;
    let ids: Vec<i64> = (0..count as i64).collect();
    let holds: Vec<i64> = (0..count as i64)
        .map(|id| if id < branches { branches + 1 + id } else { 0 })
        .collect();
    let otherwise: Vec<i64> = (0..count as i64)
        .map(|id| if id < branches { id + 1 } else { 0 })
        .collect();
    let modes: Vec<&str> = (0..count)
        .map(|id| if id < depth { "BRANCH_LT" } else { "LEAF" })
        .collect();
    let leaves: Vec<i64> = ids[depth..].to_vec();
    let node = Ensemble::regressor()
        .with("nodes_treeids", int_list(&vec![0; count]))
        .with("nodes_nodeids", int_list(&ids))
        .with("nodes_featureids", int_list(&vec![0; count]))
        .with("nodes_truenodeids", int_list(&holds))
        .with("nodes_falsenodeids", int_list(&otherwise))
        .with("nodes_values", float_list(&vec![0.0; count]))
        .with("nodes_modes", text_list(&modes))
        .with("target_treeids", int_list(&vec![0; leaves.len()]))
        .with("target_nodeids", int_list(&leaves))
        .with("target_ids", int_list(&vec![0; leaves.len()]))
        .with("target_weights", float_list(&vec![1.0; leaves.len()]));
    let graph = node.import().unwrap();
    let values = graph.evaluate(&[vec![1.0, 0.0]]).unwrap();
    assert_eq!(graph.pick_outputs(&values), [[1.0]]);
}

#[test]
fn messages_name_the_tree_and_the_node() {
    let node = Ensemble::regressor().with("nodes_featureids", int_list(&[0, 0, 9, 0, 0, 0]));
    assert_eq!(
        node.import().unwrap_err().to_string(),
        "node \"y\" (ai.onnx.ml.TreeEnsembleRegressor): tree 3, node 2: it reads feature 9, but the input has 2"
    );
}
