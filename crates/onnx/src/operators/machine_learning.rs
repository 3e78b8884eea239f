//! The `ai.onnx.ml` operators of scikit-learn pipelines, as ONNX Runtime 1.32 evaluates them.

use std::{collections::BTreeSet, rc::Rc};

use zkverdict_model::{Comparison, Norm, Op, SingleStep, Weights};

use super::{Call, Results, numbers};
use crate::{
    DataType, Refusal,
    builder::{Row, Single},
    number,
    tensor::{Element, Labels, Meaning, Tensor, Value},
};

/// `(rows, features)` of an operand of rank 1 or 2.
pub(super) fn table(shape: &[usize]) -> Result<(usize, usize), Refusal> {
    match *shape {
        [features] => Ok((1, features)),
        [rows, features] => Ok((rows, features)),
        _ => Err(Refusal::Rank {
            shape: shape.to_vec(),
            expected: "rank 1 or 2 is needed",
        }),
    }
}

/// `(x − offset) · scale` per feature.
pub(super) fn scaler(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.numbers(0)?;
    let (_, features) = table(&operand.shape)?;
    let offset = required(call.attributes.floats("offset")?, "offset")?;
    let scale = required(call.attributes.floats("scale")?, "scale")?;
    for (attribute, got) in [("offset", offset.len()), ("scale", scale.len())] {
        if (got != 1 && got != features) || got != offset.len() {
            return Err(Refusal::AttributeLength {
                attribute,
                expected: features,
                got,
            });
        }
    }
    let count = call.builder.charge_shape(&operand.shape)?;
    call.builder.charge_terms(count)?;
    // ONNX Runtime computes with doubles where the operand has them.
    let singles: Option<Vec<Single>> = operand
        .elements
        .iter()
        .zip(offset.iter().zip(&scale).cycle())
        .map(|(&element, (&offset, &scale))| {
            let steps = vec![
                SingleStep::Plus(number::narrow(-offset)),
                SingleStep::Times(number::narrow(scale)),
            ];
            Single::new(element, steps).filter(|_| operand.data_type != DataType::Float64)
        })
        .collect();
    if let Some(rows) = singles {
        let elements = call.builder.singles(&call.label, rows)?;
        return Ok(vec![call.number_tensor(DataType::Float32, operand.shape, elements)]);
    }
    let rows = operand
        .elements
        .iter()
        .zip(offset.iter().zip(&scale).cycle())
        .map(|(&element, (offset, scale))| {
            let mut row = Row::learned();
            row.add(element, *scale);
            row.add_bias(-offset * scale);
            row
        })
        .collect();
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(DataType::Float32, operand.shape, elements)])
}

fn required(list: Option<Vec<f64>>, attribute: &'static str) -> Result<Vec<f64>, Refusal> {
    list.ok_or(Refusal::MissingAttribute { attribute })
}

/// `x · coefficientsᵀ + intercepts` for each row of the operand; also the number of rows.
fn scores(call: &mut Call<'_>, coefficients: &[f64], intercepts: &[f64]) -> Result<(Vec<Element>, usize), Refusal> {
    let operand = call.numbers(0)?;
    let (count, features) = table(&operand.shape)?;
    let targets = intercepts.len();
    let expected = targets.saturating_mul(features);
    if coefficients.len() != expected || features == 0 {
        return Err(Refusal::AttributeLength {
            attribute: "coefficients",
            expected,
            got: coefficients.len(),
        });
    }
    call.builder.charge_shape(&[count, targets])?;
    call.builder.charge_terms(expected.saturating_mul(count))?;
    let mut rows = Vec::with_capacity(count.saturating_mul(targets));
    let origin = if count > 1 { Weights::Shared } else { Weights::Learned };
    for sample in operand.elements.chunks_exact(features) {
        for (weights, &intercept) in coefficients.chunks_exact(features).zip(intercepts) {
            let mut row = Row::default();
            row.note(origin);
            row.add_bias(intercept);
            for (&element, &weight) in sample.iter().zip(weights) {
                row.add(element, weight);
            }
            rows.push(row);
        }
    }
    Ok((call.builder.affine(&call.label, rows)?, count))
}

/// What a classifier does to the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostTransform {
    None,
    Logistic,
    Softmax,
}

pub(super) fn post_transform(call: &mut Call<'_>, supported: &'static str) -> Result<PostTransform, Refusal> {
    match call.attributes.text("post_transform")? {
        None | Some("NONE") => Ok(PostTransform::None),
        Some("LOGISTIC") => Ok(PostTransform::Logistic),
        Some("SOFTMAX") => Ok(PostTransform::Softmax),
        Some(other) => Err(Refusal::AttributeValue {
            attribute: "post_transform",
            value: other.to_owned(),
            supported,
        }),
    }
}

/// The labels of a classifier's classes: integers under the name that the operator has for them, or strings.
pub(super) fn class_labels(call: &mut Call<'_>, attribute: &'static str) -> Result<(Labels, DataType), Refusal> {
    let integers = call.attributes.integers(attribute)?.unwrap_or_default().to_vec();
    let strings = call.attributes.texts("classlabels_strings")?.unwrap_or_default();
    match (integers.is_empty(), strings.is_empty()) {
        (false, true) => Ok((Labels::Integers(integers), DataType::Int64)),
        (true, false) => Ok((Labels::Strings(strings), DataType::String)),
        _ => Err(Refusal::MissingAttribute { attribute }),
    }
}

/// Label and scores. With one row of coefficients the label is the sign of the score and the scores are
/// `[1 − s, s]`; with several it is the first largest.
pub(super) fn linear_classifier(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let coefficients = required(call.attributes.floats("coefficients")?, "coefficients")?;
    let intercepts = required(call.attributes.floats("intercepts")?, "intercepts")?;
    // ONNX Runtime reads `multi_class` and ignores it.
    call.attributes.integer("multi_class")?;
    let transform = post_transform(call, "NONE, LOGISTIC or SOFTMAX")?;
    let (labels, label_type) = class_labels(call, "classlabels_ints")?;
    let targets = intercepts.len();
    let classes = if targets == 1 { 2 } else { targets };
    if labels.len() != classes {
        return Err(Refusal::AttributeLength {
            attribute: "classlabels_ints",
            expected: classes,
            got: labels.len(),
        });
    }
    let (label, probabilities, count) = if targets == 1 {
        one_score(call, &coefficients, &intercepts, transform)?
    } else if let Some((weights, intercept)) = opposite(&coefficients, &intercepts) {
        opposite_scores(call, weights, intercept, transform)?
    } else {
        several_scores(call, &coefficients, &intercepts, transform)?
    };
    let pair = targets == 1 || opposite(&coefficients, &intercepts).is_some();
    let distribution = match transform {
        PostTransform::None => false,
        PostTransform::Logistic => pair,
        PostTransform::Softmax => targets > 1,
    };
    let label = Tensor {
        data_type: label_type,
        shape: vec![count],
        elements: label,
        meaning: Meaning::Label(Rc::new(labels)),
        distribution: false,
    };
    let probabilities = Tensor {
        data_type: DataType::Float32,
        shape: vec![count, classes],
        elements: probabilities,
        meaning: Meaning::Number,
        distribution,
    };
    Ok(vec![Value::Tensor(label), Value::Tensor(probabilities)])
}

/// Label positions, scores, and the number of rows.
type Classified = Result<(Vec<Element>, Vec<Element>, usize), Refusal>;

/// Second of two rows of coefficients that are each other's negatives, as scikit-learn's binary classifiers have them.
fn opposite<'c>(coefficients: &'c [f64], intercepts: &'c [f64]) -> Option<(&'c [f64], &'c [f64])> {
    let (&[first], rest) = intercepts.split_at_checked(1)? else {
        return None;
    };
    let (first_row, second_row) = coefficients.split_at_checked(coefficients.len() / 2)?;
    let negatives = first_row.len() == second_row.len()
        && first_row.iter().zip(second_row).all(|(a, b)| *a == -b)
        && rest == [-first];
    negatives.then_some((second_row, rest))
}

/// 1 where the score is positive, else 0.
fn positive(call: &mut Call<'_>, score: &[Element]) -> Result<Vec<Element>, Refusal> {
    let count = score.len();
    let op = Op::Compare {
        comparison: Comparison::Greater,
        thresholds: vec![0.0; count],
    };
    call.builder.apply(&call.label, op, score, count)
}

/// `[total − s, s]` for each score.
pub(super) fn complement(call: &mut Call<'_>, score: &[Element], total: f64) -> Result<Vec<Element>, Refusal> {
    let rows = score
        .iter()
        .flat_map(|&element| {
            let mut negative = Row::default();
            negative.add_bias(total);
            negative.add(element, -1.0);
            let mut same = Row::default();
            same.add(element, 1.0);
            [negative, same]
        })
        .collect();
    call.builder.affine(&call.label, rows)
}

/// One row of coefficients: the scores are `[1 − s, s]`, after LOGISTIC if that is asked for. ONNX Runtime applies no
/// softmax to a single score.
fn one_score(call: &mut Call<'_>, coefficients: &[f64], intercepts: &[f64], transform: PostTransform) -> Classified {
    let (raw, count) = scores(call, coefficients, intercepts)?;
    let label = positive(call, &raw)?;
    let score = match transform {
        PostTransform::None | PostTransform::Softmax => raw,
        PostTransform::Logistic => call.builder.apply(&call.label, Op::Sigmoid, &raw, count)?,
    };
    Ok((label, complement(call, &score, 1.0)?, count))
}

/// Rows `−w` and `w`: the first largest of `[−s, s]` is the second exactly when `s > 0`, `σ(−s) = 1 − σ(s)`, and
/// `softmax([−s, s]) = [1 − σ(2s), σ(2s)]`. One dot product and one sigmoid do for both classes.
fn opposite_scores(
    call: &mut Call<'_>,
    coefficients: &[f64],
    intercepts: &[f64],
    transform: PostTransform,
) -> Classified {
    let (raw, count) = scores(call, coefficients, intercepts)?;
    let label = positive(call, &raw)?;
    let probabilities = match transform {
        PostTransform::None => complement(call, &raw, 0.0)?,
        PostTransform::Logistic => {
            let sigmoid = call.builder.apply(&call.label, Op::Sigmoid, &raw, count)?;
            complement(call, &sigmoid, 1.0)?
        }
        PostTransform::Softmax => {
            let rows = raw
                .iter()
                .map(|&element| {
                    let mut row = Row::default();
                    row.add(element, 2.0);
                    row
                })
                .collect();
            let doubled = call.builder.affine(&call.label, rows)?;
            let sigmoid = call.builder.apply(&call.label, Op::Sigmoid, &doubled, count)?;
            complement(call, &sigmoid, 1.0)?
        }
    };
    Ok((label, probabilities, count))
}

/// Several rows of coefficients: the label is the first largest raw score.
fn several_scores(
    call: &mut Call<'_>,
    coefficients: &[f64],
    intercepts: &[f64],
    transform: PostTransform,
) -> Classified {
    let classes = intercepts.len();
    let (raw, count) = scores(call, coefficients, intercepts)?;
    let label = call.builder.apply(&call.label, Op::ArgMax { classes }, &raw, count)?;
    let len = raw.len();
    let op = match transform {
        PostTransform::None => return Ok((label, raw, count)),
        PostTransform::Logistic => Op::Sigmoid,
        PostTransform::Softmax => Op::Softmax { classes },
    };
    let probabilities = call.builder.apply(&call.label, op, &raw, len)?;
    Ok((label, probabilities, count))
}

/// Linear regression with one or more targets.
pub(super) fn linear_regressor(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let coefficients = required(call.attributes.floats("coefficients")?, "coefficients")?;
    if post_transform(call, "NONE")? != PostTransform::None {
        return Err(Refusal::AttributeValue {
            attribute: "post_transform",
            value: "LOGISTIC or SOFTMAX".to_owned(),
            supported: "NONE",
        });
    }
    let targets = call.attributes.integer("targets")?.unwrap_or(1);
    let targets = usize::try_from(targets)
        .ok()
        .filter(|&targets| targets > 0 && targets <= coefficients.len())
        .ok_or(Refusal::AttributeValue {
            attribute: "targets",
            value: targets.to_string(),
            supported: "the number of rows of coefficients",
        })?;
    let intercepts = match call.attributes.floats("intercepts")? {
        Some(intercepts) if !intercepts.is_empty() => intercepts,
        _ => vec![0.0; targets],
    };
    if intercepts.len() != targets {
        return Err(Refusal::AttributeLength {
            attribute: "intercepts",
            expected: targets,
            got: intercepts.len(),
        });
    }
    let (elements, count) = scores(call, &coefficients, &intercepts)?;
    Ok(vec![call.number_tensor(
        DataType::Float32,
        vec![count, targets],
        elements,
    )])
}

/// Divides each row by its norm.
pub(super) fn normalizer(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let operand = call.numbers(0)?;
    let (_, width) = table(&operand.shape)?;
    let norm = match call.attributes.text("norm")?.unwrap_or("MAX") {
        "L1" => Norm::L1,
        "L2" => Norm::L2,
        other => {
            // ONNX Runtime divides by the largest value, not by the largest absolute value.
            return Err(Refusal::AttributeValue {
                attribute: "norm",
                value: other.to_owned(),
                supported: "L1 or L2",
            });
        }
    };
    if norm == Norm::L1 && operand.distribution {
        call.builder
            .notes
            .push(format!("{} dropped: its operand already adds up to one", call.label));
        return Ok(vec![Value::Tensor(operand)]);
    }
    let len = operand.elements.len();
    let op = Op::Normalize { norm, width };
    let elements = call.builder.apply(&call.label, op, &operand.elements, len)?;
    Ok(vec![call.number_tensor(DataType::Float32, operand.shape, elements)])
}

/// One bit per category.
pub(super) fn one_hot_encoder(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let zeros = call.attributes.flag("zeros", true)?;
    if call.attributes.texts("cats_strings")?.is_some() {
        return Err(Refusal::AttributeValue {
            attribute: "cats_strings",
            value: "strings".to_owned(),
            supported: "cats_int64s (encode the categories as integers before the model)",
        });
    }
    let categories = call
        .attributes
        .integers("cats_int64s")?
        .filter(|categories| !categories.is_empty())
        .ok_or(Refusal::MissingAttribute {
            attribute: "cats_int64s",
        })?;
    if categories.iter().collect::<BTreeSet<_>>().len() != categories.len() {
        return Err(Refusal::Repeated {
            attribute: "cats_int64s",
        });
    }
    if let Some(category) = categories
        .iter()
        .find(|&&category| number::real(category).abs() >= number::EXACT)
    {
        return Err(Refusal::AttributeValue {
            attribute: "cats_int64s",
            value: category.to_string(),
            supported: "categories within ±2^53",
        });
    }
    let operand = match &*call.value(0)? {
        Value::Tensor(tensor) if tensor.meaning == Meaning::IntegerPart => tensor.clone(),
        value => numbers(value)?,
    };
    let mut shape = operand.shape;
    shape.push(categories.len());
    let len = call.builder.charge_shape(&shape)?;
    let op = Op::OneHot {
        categories: vec![categories.to_vec(); operand.elements.len()],
    };
    let elements = call.builder.apply(&call.label, op, &operand.elements, len)?;
    call.builder.notes.push(format!(
        "{}: an input in none of {} categories is refused when proving (ONNX Runtime {})",
        call.label,
        categories.len(),
        if zeros {
            "encodes it as all zeros"
        } else {
            "refuses it too"
        },
    ));
    Ok(vec![call.number_tensor(DataType::Float32, shape, elements)])
}

/// Names the columns of the scores; the numbers stay.
pub(super) fn zip_map(call: &mut Call<'_>) -> Results {
    call.arity(1, 1, "1")?;
    let integers = call.attributes.integers("classlabels_int64s")?.unwrap_or_default();
    let strings = call.attributes.texts("classlabels_strings")?.unwrap_or_default();
    let operand = call.numbers(0)?;
    let (_, classes) = table(&operand.shape)?;
    let names = if strings.is_empty() {
        integers.iter().map(ToString::to_string).collect()
    } else {
        strings
    };
    if names.len() != classes {
        return Err(Refusal::AttributeLength {
            attribute: "classlabels_int64s",
            expected: classes,
            got: names.len(),
        });
    }
    call.builder.notes.push(format!(
        "{} dropped: its columns are the scores of the classes {}",
        call.label,
        names.join(", ").escape_debug()
    ));
    Ok(vec![Value::Tensor(operand)])
}
