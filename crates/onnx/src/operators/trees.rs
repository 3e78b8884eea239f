//! Tree ensembles of `ai.onnx.ml`, as ONNX Runtime 1.32 evaluates them on `float32` inputs.

use std::{collections::BTreeSet, rc::Rc};

use zkverdict_model::{Aggregate, Comparison, Element as InputElement, Op, Tree, TreeEnsemble, TreeNode};

use super::{
    Call, Results,
    forest::{self, Forest, NODE_LIMIT, WeightNames},
    machine_learning::{PostTransform, class_labels, complement, post_transform, table},
};
use crate::{
    DataType, Refusal, number,
    tensor::{Element, Labels, Meaning, Tensor, Value},
};

const CLASS: WeightNames = WeightNames {
    trees: "class_treeids",
    nodes: "class_nodeids",
    targets: "class_ids",
    weights: "class_weights",
    weights_as_tensor: "class_weights_as_tensor",
};
const TARGET: WeightNames = WeightNames {
    trees: "target_treeids",
    nodes: "target_nodeids",
    targets: "target_ids",
    weights: "target_weights",
    weights_as_tensor: "target_weights_as_tensor",
};

/// The operand, whose comparisons with `float32` thresholds must be those of `float32` values, and its rows and
/// features.
fn operand(call: &Call<'_>) -> Result<(Tensor, usize, usize), Refusal> {
    let operand = call.numbers(0)?;
    let singles = || {
        operand.elements.iter().all(|element| match *element {
            Element::Of { value, .. } => call
                .builder
                .inputs
                .get(value.0)
                .is_some_and(|input| input.element == InputElement::Float32),
            Element::Fixed(number) => number::single(number) == number,
        })
    };
    match operand.data_type {
        DataType::Float64 if !singles() => {
            return Err(Refusal::Type {
                data_type: DataType::Float64,
                remedy: "trees compare float32 values; export the model in float32",
            });
        }
        DataType::Bool => {
            return Err(Refusal::Type {
                data_type: DataType::Bool,
                remedy: "cast it to float32 first",
            });
        }
        _ => {}
    }
    let (rows, features) = table(&operand.shape)?;
    if rows == 0 || features == 0 {
        return Err(Refusal::Empty { shape: operand.shape });
    }
    Ok((operand, rows, features))
}

/// Says what of the file was dropped.
fn note(call: &mut Call<'_>, forest: &Forest) {
    for (count, what) in [
        (forest.unreachable, "nodes that no root leads to are dropped"),
        (
            forest.copies,
            "copies of nodes are made, because several branches lead to one node",
        ),
        (
            forest.ignored_weights,
            "weights of branches are dropped (only leaves add to the scores)",
        ),
    ] {
        if count > 0 {
            call.builder.notes.push(format!("{}: {count} {what}", call.label));
        }
    }
}

/// The scores of each row, one node per row.
fn scores(
    call: &mut Call<'_>,
    operand: &Tensor,
    features: usize,
    ensemble: &TreeEnsemble,
) -> Result<Vec<Element>, Refusal> {
    let nodes: usize = ensemble.trees.iter().map(|tree| tree.nodes.len()).sum();
    let rows = operand.elements.len() / features.max(1);
    if nodes.saturating_mul(rows) > NODE_LIMIT {
        return Err(Refusal::TooLarge {
            what: "tree nodes",
            limit: NODE_LIMIT,
        });
    }
    let leaves = ensemble.trees.iter().flat_map(|tree| &tree.nodes);
    let weights: usize = leaves
        .map(|node| match node {
            TreeNode::Branch { .. } => 0,
            TreeNode::Leaf { weights } => weights.len(),
        })
        .sum();
    call.builder
        .charge_terms(weights.saturating_mul(rows.saturating_sub(1)))?;
    let mut scores = Vec::new();
    for sample in operand.elements.chunks_exact(features) {
        let op = Op::TreeEnsemble(ensemble.clone());
        scores.extend(call.builder.apply(&call.label, op, sample, ensemble.targets)?);
    }
    Ok(scores)
}

/// `base_values`, which must be absent or have one of the given lengths.
fn base_values(call: &mut Call<'_>, lengths: &[usize]) -> Result<Vec<f32>, Refusal> {
    let values = forest::reals(call, "base_values", "base_values_as_tensor")?.unwrap_or_default();
    if !values.is_empty() && !lengths.contains(&values.len()) {
        return Err(Refusal::AttributeLength {
            attribute: "base_values",
            expected: lengths.last().copied().unwrap_or(0),
            got: values.len(),
        });
    }
    let singles: Vec<f32> = values.iter().copied().map(number::narrow).collect();
    if singles.iter().any(|value| !value.is_finite()) {
        return Err(Refusal::NotFinite);
    }
    if let Some((value, _)) = values
        .iter()
        .zip(&singles)
        .find(|&(&value, &single)| f64::from(single) != value)
    {
        return Err(Refusal::AttributeValue {
            attribute: "base_values_as_tensor",
            value: format!("{value:?}"),
            supported: "float32 values",
        });
    }
    Ok(singles)
}

fn target_count(call: &mut Call<'_>) -> Result<usize, Refusal> {
    let targets = call.attributes.integer("n_targets")?.unwrap_or(0);
    usize::try_from(targets)
        .ok()
        .filter(|targets| (1..=NODE_LIMIT).contains(targets))
        .ok_or(Refusal::AttributeValue {
            attribute: "n_targets",
            value: targets.to_string(),
            supported: "a positive number",
        })
}

/// One score per target, then the post-transform.
pub(super) fn regressor(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let (operand, rows, features) = operand(call)?;
    let targets = target_count(call)?;
    let aggregate = match call.attributes.text("aggregate_function")? {
        None | Some("SUM") => Aggregate::Sum,
        Some("AVERAGE") => Aggregate::Average,
        Some("MIN") => Aggregate::Min,
        Some("MAX") => Aggregate::Max,
        Some(other) => {
            return Err(Refusal::AttributeValue {
                attribute: "aggregate_function",
                value: other.escape_debug().to_string(),
                supported: "SUM, AVERAGE, MIN or MAX",
            });
        }
    };
    let transform = post_transform(call, "NONE, LOGISTIC or SOFTMAX")?;
    if targets == 1 && transform != PostTransform::None {
        return Err(Refusal::Ensemble {
            reason: "ONNX Runtime ignores the post_transform of a single target, the standard does not; \
                     export with NONE, and with a Sigmoid node of its own",
        });
    }
    let base = base_values(call, &[targets])?;
    let forest = forest::listed(call, &TARGET, features, targets)?;
    regression(
        call,
        &operand,
        (rows, features),
        forest,
        targets,
        aggregate,
        base,
        transform,
    )
}

/// The regressor of operator set 5, with its own layout of the nodes.
pub(super) fn ensemble(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    if call.version < 5 {
        return Err(Refusal::OperatorVersion {
            version: call.version,
            supported: "ai.onnx.ml 5",
        });
    }
    let (operand, rows, features) = operand(call)?;
    let targets = target_count(call)?;
    let aggregate = match call.attributes.integer("aggregate_function")?.unwrap_or(1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => {
            return Err(Refusal::AttributeValue {
                attribute: "aggregate_function",
                value: other.to_string(),
                supported: "0 (AVERAGE), 1 (SUM), 2 (MIN) or 3 (MAX)",
            });
        }
    };
    let transform = call.attributes.integer("post_transform")?.unwrap_or(0);
    if transform != 0 {
        return Err(Refusal::AttributeValue {
            attribute: "post_transform",
            value: transform.to_string(),
            supported: "0 (NONE) and a Sigmoid or Softmax node (the standard and ONNX Runtime number the others \
                        differently)",
        });
    }
    let forest = forest::indexed(call, features, targets)?;
    regression(
        call,
        &operand,
        (rows, features),
        forest,
        targets,
        aggregate,
        Vec::new(),
        PostTransform::None,
    )
}

#[expect(
    clippy::too_many_arguments,
    reason = "what two operators read differently and use alike"
)]
fn regression(
    call: &mut Call<'_>,
    operand: &Tensor,
    (rows, features): (usize, usize),
    forest: Forest,
    targets: usize,
    aggregate: Aggregate,
    base: Vec<f32>,
    transform: PostTransform,
) -> Results {
    note(call, &forest);
    call.builder.charge_shape(&[rows, targets])?;
    base_is_added(&base, &Classes::of(&forest).certain)?;
    let ensemble = TreeEnsemble {
        trees: forest.trees,
        targets,
        aggregate,
        base: if base.is_empty() { vec![0.0; targets] } else { base },
    };
    let raw = scores(call, operand, features, &ensemble)?;
    let elements = transformed(call, raw, targets, transform)?;
    let mut result = call.number_tensor(DataType::Float32, vec![rows, targets], elements);
    if let Value::Tensor(tensor) = &mut result {
        tensor.distribution = transform == PostTransform::Softmax;
    }
    Ok(vec![result])
}

/// ONNX Runtime adds base values only to scores that some leaf of the input's paths adds to.
fn base_is_added(base: &[f32], certain: &BTreeSet<usize>) -> Result<(), Refusal> {
    if base
        .iter()
        .enumerate()
        .any(|(target, &base)| base != 0.0 && !certain.contains(&target))
    {
        return Err(Refusal::Ensemble {
            reason: "a target with a base value may get no weight at all, and ONNX Runtime then drops the base value; \
                     give every leaf of one tree a weight for that target",
        });
    }
    Ok(())
}

/// The post-transform of rows of several scores.
fn transformed(
    call: &mut Call<'_>,
    raw: Vec<Element>,
    width: usize,
    transform: PostTransform,
) -> Result<Vec<Element>, Refusal> {
    let op = match transform {
        PostTransform::None => return Ok(raw),
        PostTransform::Logistic => Op::Sigmoid,
        PostTransform::Softmax => Op::Softmax { classes: width },
    };
    let len = raw.len();
    call.builder.apply(&call.label, op, &raw, len)
}

/// What is known of the leaves' weights before any input.
struct Classes {
    /// Classes that some leaf adds to.
    given: BTreeSet<usize>,
    /// Whether no weight is negative.
    positive: bool,
    /// Whether every leaf gives some class a positive weight, and none a negative one.
    decisive: bool,
    /// Classes that get a weight whatever the input: some tree gives them one at every leaf.
    certain: BTreeSet<usize>,
}

impl Classes {
    fn of(forest: &Forest) -> Self {
        let mut classes = Classes {
            given: BTreeSet::new(),
            positive: true,
            decisive: true,
            certain: BTreeSet::new(),
        };
        for tree in &forest.trees {
            let mut common: Option<BTreeSet<usize>> = None;
            for node in &tree.nodes {
                let TreeNode::Leaf { weights } = node else {
                    continue;
                };
                let here: BTreeSet<usize> = weights.iter().map(|&(class, _)| class).collect();
                classes.positive &= weights.iter().all(|&(_, weight)| weight >= 0.0);
                classes.decisive &= weights.iter().any(|&(_, weight)| weight > 0.0);
                classes.given.extend(&here);
                common = Some(match common {
                    None => here,
                    Some(common) => common.intersection(&here).copied().collect(),
                });
            }
            classes.certain.extend(common.unwrap_or_default());
        }
        classes.decisive &= classes.positive;
        classes
    }
}

/// Label and scores.
///
/// With two classes of which the leaves know one, the label is the second class where the score is above 0, or above
/// 1/2 where no weight is negative. With more classes it is the first largest score.
pub(super) fn classifier(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let (operand, rows, features) = operand(call)?;
    let transform = post_transform(call, "NONE, LOGISTIC or SOFTMAX")?;
    let (labels, label_type) = class_labels(call, "classlabels_int64s")?;
    let classes = labels.len();
    if classes < 2 {
        return Err(Refusal::AttributeLength {
            attribute: "classlabels_int64s",
            expected: 2,
            got: classes,
        });
    }
    let lengths: &[usize] = if classes == 2 { &[2, 1] } else { &[classes] };
    let base = base_values(call, lengths)?;
    let forest = forest::listed(call, &CLASS, features, classes)?;
    note(call, &forest);
    let facts = Classes::of(&forest);
    call.builder.charge_shape(&[rows, classes])?;
    let scored = Scored {
        operand: &operand,
        features,
        transform,
        facts,
        base,
    };
    let (label, probabilities, distribution) = if classes > 2 {
        several(call, scored, forest, classes)?
    } else if scored.facts.given.len() == 1 {
        one_of_two(call, scored, forest)?
    } else {
        two_of_two(call, scored, forest, &labels)?
    };
    let label = Tensor {
        data_type: label_type,
        shape: vec![rows],
        elements: label,
        meaning: Meaning::Label(Rc::new(labels)),
        distribution: false,
    };
    let probabilities = Tensor {
        data_type: DataType::Float32,
        shape: vec![rows, classes],
        elements: probabilities,
        meaning: Meaning::Number,
        distribution,
    };
    Ok(vec![Value::Tensor(label), Value::Tensor(probabilities)])
}

/// What a classifier is made from, apart from its trees.
struct Scored<'a> {
    operand: &'a Tensor,
    features: usize,
    transform: PostTransform,
    facts: Classes,
    base: Vec<f32>,
}

/// Label positions, scores, and whether these are probabilities.
type Classified = Result<(Vec<Element>, Vec<Element>, bool), Refusal>;

fn above(call: &mut Call<'_>, scores: &[Element], threshold: f64) -> Result<Vec<Element>, Refusal> {
    let count = scores.len();
    let op = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![threshold; count],
    };
    call.builder.apply(&call.label, op, scores, count)
}

/// Two classes, of which the leaves give weights to one.
fn one_of_two(call: &mut Call<'_>, scored: Scored<'_>, forest: Forest) -> Classified {
    let second = scored.facts.given.contains(&1);
    if scored.base.len() > 1 || (second && !scored.base.is_empty()) {
        return Err(Refusal::Ensemble {
            reason: "ONNX Runtime does not add these base_values to the scores of two classes of which the leaves \
                     name one; put them into the weights of a tree",
        });
    }
    if second {
        let ensemble = single(forest.trees, 0.0);
        let raw = scores(call, scored.operand, scored.features, &ensemble)?;
        let label = above(call, &raw, if scored.facts.positive { 0.5 } else { 0.0 })?;
        // The first class has no score, which is written as 0.
        let pairs = raw.iter().flat_map(|&score| [Element::Fixed(0.0), score]).collect();
        let scores = transformed(call, pairs, 2, scored.transform)?;
        return Ok((label, scores, scored.transform == PostTransform::Softmax));
    }
    let base = scored.base.first().copied().unwrap_or(0.0);
    one_score(call, scored, forest.trees, base)
}

/// An ensemble of one target, whatever class the leaves name.
fn single(mut trees: Vec<Tree>, base: f32) -> TreeEnsemble {
    for node in trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        if let TreeNode::Leaf { weights } = node {
            for (class, _) in weights {
                *class = 0;
            }
        }
    }
    TreeEnsemble {
        trees,
        targets: 1,
        aggregate: Aggregate::Sum,
        base: vec![base],
    }
}

/// One score for two classes: `[1 − σ(s), σ(s)]` after LOGISTIC, else `[1 − s, s]` where no weight is negative and
/// `[−s, s]` where one is.
fn one_score(call: &mut Call<'_>, scored: Scored<'_>, trees: Vec<Tree>, base: f32) -> Classified {
    let raw = scores(call, scored.operand, scored.features, &single(trees, base))?;
    let label = above(call, &raw, if scored.facts.positive { 0.5 } else { 0.0 })?;
    let count = raw.len();
    Ok(match scored.transform {
        PostTransform::Logistic => {
            let sigmoid = call.builder.apply(&call.label, Op::Sigmoid, &raw, count)?;
            (label, complement(call, &sigmoid, 1.0)?, true)
        }
        // ONNX Runtime applies no softmax to a single score.
        PostTransform::None | PostTransform::Softmax => {
            let total = if scored.facts.positive { 1.0 } else { 0.0 };
            (label, complement(call, &raw, total)?, false)
        }
    })
}

/// Two classes with weights of their own. The label is the second where its score is positive, whatever the first's.
fn two_of_two(call: &mut Call<'_>, scored: Scored<'_>, forest: Forest, labels: &Labels) -> Classified {
    if scored.base.len() > 1 {
        return Err(Refusal::Ensemble {
            reason: "ONNX Runtime replaces the second of two scores where there are two base_values; put them into \
                     the weights of a tree",
        });
    }
    if !scored.facts.certain.contains(&1) {
        return Err(Refusal::Ensemble {
            reason: "some leaves name only the first of two classes, and what ONNX Runtime makes of the scores then \
                     depends on the input; give every leaf of one tree a weight for the second class",
        });
    }
    if let Labels::Integers(values) = labels
        && values != &[0, 1]
    {
        return Err(Refusal::AttributeValue {
            attribute: "classlabels_int64s",
            value: format!("{values:?}"),
            supported: "[0, 1] where the leaves name both classes (ONNX Runtime returns 0 and 1 in any case)",
        });
    }
    base_is_added(&scored.base, &scored.facts.certain)?;
    // The sign of a score decides here even where no weight is negative.
    let signed = !scored.facts.positive;
    if signed && scored.base.is_empty() && scored.transform != PostTransform::Softmax && opposite(&forest) {
        return opposite_scores(call, scored, forest);
    }
    let ensemble = TreeEnsemble {
        trees: forest.trees,
        targets: 2,
        aggregate: Aggregate::Sum,
        base: vec![scored.base.first().copied().unwrap_or(0.0), 0.0],
    };
    let raw = scores(call, scored.operand, scored.features, &ensemble)?;
    let seconds: Vec<Element> = raw.chunks_exact(2).filter_map(|pair| pair.last().copied()).collect();
    let label = above(call, &seconds, 0.0)?;
    let scores = transformed(call, raw, 2, scored.transform)?;
    Ok((label, scores, scored.transform == PostTransform::Softmax))
}

/// Whether every leaf gives the first class the negative of what it gives the second, as CatBoost writes them.
fn opposite(forest: &Forest) -> bool {
    forest.trees.iter().flat_map(|tree| &tree.nodes).all(|node| match node {
        TreeNode::Branch { .. } => true,
        TreeNode::Leaf { weights } => matches!(
            weights.as_slice(),
            &[(0, first), (1, second)] if first == -second
        ),
    })
}

/// Scores `−s` and `s`: one sum, and one sigmoid at most, do for both classes.
fn opposite_scores(call: &mut Call<'_>, scored: Scored<'_>, forest: Forest) -> Classified {
    let mut trees = forest.trees;
    for node in trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        if let TreeNode::Leaf { weights } = node {
            weights.retain(|&(class, _)| class == 1);
        }
    }
    one_score(call, scored, trees, 0.0)
}

/// More than two classes: the first largest of the scores. A class that got no weight and has no base value cannot
/// win, so the others must be sure to exceed its 0, or it must be sure to get one.
fn several(call: &mut Call<'_>, scored: Scored<'_>, forest: Forest, classes: usize) -> Classified {
    if scored.base.is_empty() && !scored.facts.decisive && scored.facts.certain.len() < classes {
        return Err(Refusal::Ensemble {
            reason: "a class may get no weight at all, and ONNX Runtime then leaves it out of the choice; give every \
                     leaf of one tree a weight for each class, or set base_values",
        });
    }
    let base = if scored.base.is_empty() {
        vec![0.0; classes]
    } else {
        scored.base
    };
    let ensemble = TreeEnsemble {
        trees: forest.trees,
        targets: classes,
        aggregate: Aggregate::Sum,
        base,
    };
    let raw = scores(call, scored.operand, scored.features, &ensemble)?;
    let rows = raw.len() / classes.max(1);
    let label = call.builder.apply(&call.label, Op::ArgMax { classes }, &raw, rows)?;
    let scores = transformed(call, raw, classes, scored.transform)?;
    Ok((label, scores, scored.transform == PostTransform::Softmax))
}
