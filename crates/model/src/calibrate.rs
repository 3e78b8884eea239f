//! Ranges of a model's tensors on sample data, and how far the fixed-point program is from the floats.

use serde::{Deserialize, Serialize};

use crate::{Graph, Input, ModelError, Op, OutputKind, Program, origin::Origins};

/// A closed range of reals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
}

impl Interval {
    /// Holds nothing; the neutral element of [`Interval::union`].
    pub const EMPTY: Self = Self {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
    };

    /// The smallest interval that holds both.
    pub fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// Zero alone where nothing was observed.
    fn or_zero(self) -> Self {
        if self.low > self.high {
            Self { low: 0.0, high: 0.0 }
        } else {
            self
        }
    }

    /// Widened so that the whole is `margin` times as wide; a range that starts at or above zero stays there.
    pub(crate) fn widened(self, margin: f64) -> Self {
        if self.low > self.high {
            return Self { low: 0.0, high: 0.0 };
        }
        let span = self.high - self.low;
        // A value that never varies says nothing of its range: allow for its own size, or a standardised feature's.
        let span = if span > 0.0 {
            span
        } else {
            2.0 * self.high.abs().max(1.0)
        };
        let extra = span * (margin - 1.0) / 2.0;
        let low = if self.low >= 0.0 {
            (self.low - extra).max(0.0)
        } else {
            self.low - extra
        };
        Self {
            low,
            high: self.high + extra,
        }
    }
}

/// What calibration learned from samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Samples seen.
    pub samples: usize,
    /// Factor by which ranges were widened.
    pub margin: f64,
    /// Range per input tensor and element, margin included; one range for all elements of inputs with three axes or more.
    /// Nothing for an element that trees compare, exactly, whatever its size.
    pub inputs: Vec<Vec<Option<Interval>>>,
    /// Range per node result, margin included.
    pub nodes: Vec<Interval>,
    /// Range per tensor (inputs, then node results) as it was observed, without margin.
    pub observed: Vec<Interval>,
}

impl Calibration {
    /// Default of the factor by which observed ranges are widened.
    pub const DEFAULT_MARGIN: f64 = 4.0;

    /// Runs the floats over `samples` (each one vector per graph input) and records every range.
    ///
    /// # Errors
    /// No samples, samples of another shape, or values that are not finite (infinities are, where only trees read them).
    pub fn measure(graph: &Graph, samples: &[Vec<Vec<f64>>], margin: f64) -> Result<Self, ModelError> {
        if samples.is_empty() {
            return Err(ModelError::NoSamples);
        }
        let compared = Origins::of(graph).compared(graph);
        let unless_compared = |(tensor, input): (usize, &Input)| {
            let range = |index| (!compared.contains(&(tensor, index))).then_some(Interval::EMPTY);
            (0..input.len()).map(range).collect()
        };
        let mut inputs: Vec<Vec<Option<Interval>>> = graph.inputs.iter().enumerate().map(unless_compared).collect();
        let mut nodes = vec![Interval::EMPTY; graph.nodes.len()];
        let mut observed = vec![Interval::EMPTY; graph.inputs.len() + graph.nodes.len()];
        for sample in samples {
            let values = graph.evaluate(sample)?;
            for (id, tensor) in values.iter().enumerate() {
                let node = id.checked_sub(graph.inputs.len());
                // What trees compare may pass through such nodes.
                let moves =
                    node.is_some_and(|node| matches!(graph.nodes[node].op, Op::Wire { .. } | Op::Singles { .. }));
                for (index, value) in tensor.iter().enumerate() {
                    let point = Interval {
                        low: *value,
                        high: *value,
                    };
                    let range = match node {
                        Some(node) => &mut nodes[node],
                        None => match &mut inputs[id][index] {
                            Some(range) => range,
                            None if !value.is_nan() => continue,
                            None => return Err(not_finite(graph, id, index, *value)),
                        },
                    };
                    if value.is_finite() {
                        *range = range.union(point);
                        observed[id] = observed[id].union(point);
                    } else if !moves {
                        return Err(not_finite(graph, id, index, *value));
                    }
                }
            }
        }
        // The elements of an image or a sequence are of one kind, and a pixel that is blank on all samples need not stay so.
        for (ranges, input) in inputs.iter_mut().zip(&graph.inputs) {
            if input.shape.len() > 2 {
                let whole = ranges.iter().flatten().copied().fold(Interval::EMPTY, Interval::union);
                ranges.iter_mut().flatten().for_each(|range| *range = whole);
            }
        }
        // Nothing is recorded of infinities that pass to trees.
        observed.iter_mut().for_each(|range| *range = range.or_zero());
        let widen = |range: &mut Interval| *range = range.or_zero().widened(margin);
        inputs.iter_mut().flatten().flatten().for_each(widen);
        nodes.iter_mut().for_each(widen);
        Ok(Self {
            samples: samples.len(),
            margin,
            inputs,
            nodes,
            observed,
        })
    }

    /// Checks that the calibration has the shape of `graph`.
    ///
    /// # Errors
    /// [`ModelError::CalibrationMismatch`] where it has not.
    pub fn check(&self, graph: &Graph) -> Result<(), ModelError> {
        let expected = graph.nodes.len() + graph.inputs.iter().map(crate::Input::len).sum::<usize>();
        let got = self.nodes.len() + self.inputs.iter().map(Vec::len).sum::<usize>();
        let same_inputs = self.inputs.len() == graph.inputs.len()
            && self
                .inputs
                .iter()
                .zip(&graph.inputs)
                .all(|(ranges, input)| ranges.len() == input.len());
        let same_nodes =
            self.nodes.len() == graph.nodes.len() && self.observed.len() == graph.inputs.len() + graph.nodes.len();
        if expected == got && same_inputs && same_nodes {
            Ok(())
        } else {
            Err(ModelError::CalibrationMismatch { expected, got })
        }
    }
}

fn not_finite(graph: &Graph, id: usize, index: usize, value: f64) -> ModelError {
    let name = match id.checked_sub(graph.inputs.len()) {
        Some(node) => &graph.nodes[node].name,
        None => &graph.inputs[id].name,
    };
    ModelError::NotFinite {
        what: format!("element {index} of {name}"),
        value,
    }
}

/// How far a program's outputs are from the floats, over samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// Samples compared.
    pub samples: usize,
    /// Samples the program refuses (an input outside its range).
    pub refused: usize,
    /// Largest absolute error of a real output.
    pub max_error: f64,
    /// Mean absolute error of the real outputs.
    pub mean_error: f64,
    /// Labels, indices and bits compared.
    pub decisions: usize,
    /// Of those, how many are equal.
    pub equal_decisions: usize,
    /// Samples in which some value reached the top of its format.
    pub saturated: usize,
}

impl Fidelity {
    /// Compares the program with the graph's floats.
    ///
    /// # Errors
    /// Samples that the graph itself cannot be evaluated on.
    pub fn measure(program: &Program, graph: &Graph, samples: &[Vec<Vec<f64>>]) -> Result<Self, ModelError> {
        let mut fidelity = Self {
            samples: samples.len(),
            ..Self::default()
        };
        let mut total = 0.0;
        let mut count = 0_usize;
        for sample in samples {
            let expected = graph.pick_outputs(&graph.evaluate(sample)?);
            let Ok(cells) = program.quantize(sample).and_then(|inputs| program.execute(&inputs)) else {
                fidelity.refused += 1;
                continue;
            };
            fidelity.saturated += usize::from(program.saturates(&cells));
            for ((output, got), expected) in program
                .outputs
                .iter()
                .zip(program.dequantize_outputs(&cells))
                .zip(expected)
            {
                for (got, expected) in got.iter().zip(expected) {
                    if matches!(output.kind, OutputKind::Real | OutputKind::Quantized { .. }) {
                        let error = (got - expected).abs();
                        fidelity.max_error = fidelity.max_error.max(error);
                        total += error;
                        count += 1;
                    } else {
                        fidelity.decisions += 1;
                        fidelity.equal_decisions += usize::from(*got == expected);
                    }
                }
            }
        }
        if count > 0 {
            fidelity.mean_error = total / count as f64;
        }
        Ok(fidelity)
    }
}
