//! Shared by the tests: where the shared data lie, and a float evaluator of the graph.

#![allow(dead_code, reason = "every test file uses another part")]

use std::path::PathBuf;

use zkverdict_model::{Comparison, Graph, Norm, Op, Output, OutputKind, ValueId};

/// A path under the shared folder, or `None` (with a line saying so) where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ZKVERDICT_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {path} is not in the shared folder (ZKVERDICT_SHARED)");
    None
}

/// A file of `tests/models`.
pub fn model(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/models/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Why the evaluator stopped.
#[derive(Debug, PartialEq, Eq)]
pub struct NoCategory;

/// Values of all outputs for one sample.
pub fn evaluate(graph: &Graph, sample: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, NoCategory> {
    let mut values: Vec<Vec<f64>> = sample.to_vec();
    assert_eq!(values.len(), graph.inputs.len());
    for (input, value) in graph.inputs.iter().zip(&values) {
        assert_eq!(input.len(), value.len(), "input {}", input.name);
    }
    for node in &graph.nodes {
        for input in &node.inputs {
            assert!(input.0 < values.len(), "{}: not in topological order", node.name);
        }
        let x: Vec<f64> =
            node.inputs.iter().flat_map(|&ValueId(input)| values[input].clone()).collect();
        let y = apply(&node.op, &x)?;
        assert_eq!(y.len(), node.len, "{}", node.name);
        assert!(y.iter().all(|value| value.is_finite()), "{}: {y:?}", node.name);
        values.push(y);
    }
    Ok(graph
        .outputs
        .iter()
        .map(|output| {
            assert_eq!(
                output.shape.iter().product::<usize>(),
                values[output.value.0].len(),
                "{}",
                output.name
            );
            values[output.value.0].clone()
        })
        .collect())
}

fn apply(op: &Op, x: &[f64]) -> Result<Vec<f64>, NoCategory> {
    let each = |f: &dyn Fn(f64) -> f64| x.iter().map(|&x| f(x)).collect();
    Ok(match op {
        Op::Wire { indices } => indices.iter().map(|&index| x[index]).collect(),
        Op::Affine { rows } => rows
            .iter()
            .map(|row| {
                assert!(row.terms.windows(2).all(|pair| pair[0].0 < pair[1].0));
                row.bias + row.terms.iter().map(|&(index, weight)| weight * x[index]).sum::<f64>()
            })
            .collect(),
        Op::Relu => each(&|x| x.max(0.0)),
        Op::Clip { min, max } => each(&|x| x.max(*min).min(*max)),
        Op::Sigmoid => each(&|x| 1.0 / (1.0 + (-x).exp())),
        Op::Softmax { classes } => x
            .chunks(*classes)
            .flat_map(|group| {
                let top = group.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = group.iter().map(|x| (x - top).exp()).sum();
                group.iter().map(move |x| (x - top).exp() / sum).collect::<Vec<_>>()
            })
            .collect(),
        Op::ArgMax { classes } => x
            .chunks(*classes)
            .map(|group| {
                let mut best = 0;
                for (index, value) in group.iter().enumerate() {
                    if *value > group[best] {
                        best = index;
                    }
                }
                best as f64
            })
            .collect(),
        Op::Compare { comparison, thresholds } => x
            .iter()
            .zip(thresholds)
            .map(|(x, c)| {
                f64::from(u8::from(match comparison {
                    Comparison::Less => x < c,
                    Comparison::LessOrEqual => x <= c,
                    Comparison::Greater => x > c,
                    Comparison::GreaterOrEqual => x >= c,
                }))
            })
            .collect(),
        Op::Normalize { norm, width } => x
            .chunks(*width)
            .flat_map(|group| {
                let size = match norm {
                    Norm::Max => group.iter().map(|x| x.abs()).fold(0.0, f64::max),
                    Norm::L1 => group.iter().map(|x| x.abs()).sum(),
                    Norm::L2 => group.iter().map(|x| x * x).sum::<f64>().sqrt(),
                };
                let divisor = if size == 0.0 { 1.0 } else { size };
                group.iter().map(move |x| x / divisor).collect::<Vec<_>>()
            })
            .collect(),
        Op::OneHot { categories } => {
            let mut bits = Vec::new();
            for (x, categories) in x.iter().zip(categories) {
                if !categories.iter().any(|&category| category as f64 == *x) {
                    return Err(NoCategory);
                }
                bits.extend(
                    categories.iter().map(|&category| f64::from(u8::from(category as f64 == *x))),
                );
            }
            bits
        }
        other => panic!("unknown operator {other:?}"),
    })
}

/// An output as ONNX states it: labels instead of positions. Strings come out as text.
pub fn read(output: &Output, values: &[f64]) -> Result<Vec<f64>, Vec<String>> {
    match &output.kind {
        OutputKind::IntLabel(labels) => {
            Ok(values.iter().map(|&index| labels[index as usize] as f64).collect())
        }
        OutputKind::StringLabel(labels) => {
            Err(values.iter().map(|&index| labels[index as usize].clone()).collect())
        }
        _ => Ok(values.to_vec()),
    }
}

/// Whether a value is what was expected, up to float32's rounding.
pub fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-6 + 1e-5 * expected.abs()
}
