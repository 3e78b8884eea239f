//! How far a fixed-point program is from the floats, on samples.

use serde::{Deserialize, Serialize};

use crate::{Graph, ModelError, OutputKind, Program, Saturated};

/// Samples with what the floats make of them.
#[derive(Debug, Clone)]
pub struct References<'s> {
    samples: Vec<Reference<'s>>,
}

#[derive(Debug, Clone)]
struct Reference<'s> {
    sample: &'s [Vec<f64>],
    outputs: Vec<Vec<f64>>,
}

impl<'s> References<'s> {
    /// Runs the graph's floats over samples (each one vector per graph input).
    ///
    /// # Errors
    /// Samples that the graph cannot be evaluated on.
    pub fn of(graph: &Graph, samples: &'s [Vec<Vec<f64>>]) -> Result<Self, ModelError> {
        let reference = |sample: &'s Vec<Vec<f64>>| {
            Ok(Reference {
                sample,
                outputs: graph.pick_outputs(&graph.evaluate(sample)?),
            })
        };
        Ok(Self {
            samples: samples.iter().map(reference).collect::<Result<_, _>>()?,
        })
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Those samples whose position is one that is asked for.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self.samples.iter().enumerate().filter(|(position, _)| keep(*position));
        Self {
            samples: kept.map(|(_, reference)| reference.clone()).collect(),
        }
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
    /// Real outputs compared.
    pub reals: usize,
    /// Labels, indices and bits compared.
    pub decisions: usize,
    /// Of those, how many are equal.
    pub equal_decisions: usize,
    /// Samples in which some value reached an end of its format.
    pub saturated: usize,
    /// Values that reached an end of their format.
    pub saturated_values: usize,
    /// Values whose format has ends.
    pub limited_values: usize,
    /// The same by node, the largest share first; nodes none of whose values reached an end are left out.
    pub saturated_nodes: Vec<Saturated>,
}

impl Fidelity {
    /// Compares the program with the graph's floats.
    ///
    /// # Errors
    /// Samples that the graph itself cannot be evaluated on.
    pub fn measure(program: &Program, graph: &Graph, samples: &[Vec<Vec<f64>>]) -> Result<Self, ModelError> {
        Ok(Self::compare(program, &References::of(graph, samples)?))
    }

    /// Compares the program with floats that are known already.
    pub fn compare(program: &Program, references: &References<'_>) -> Self {
        let mut fidelity = Self::default();
        for Reference { sample, outputs } in &references.samples {
            match program.quantize(sample).and_then(|inputs| program.execute(&inputs)) {
                Ok(cells) => {
                    fidelity.add(program, &cells, outputs);
                }
                Err(_) => fidelity.refuse(),
            }
        }
        fidelity
    }

    /// Counts a sample that the program refuses.
    pub fn refuse(&mut self) {
        self.samples += 1;
        self.refused += 1;
    }

    /// Counts a sample with these cells, where the floats are `expected`. Returns the largest error of a real output.
    pub fn add(&mut self, program: &Program, cells: &[i64], expected: &[Vec<f64>]) -> Option<f64> {
        self.samples += 1;
        self.count_saturation(program, cells);
        let mut worst: Option<f64> = None;
        let outputs = program.outputs.iter().zip(program.dequantize_outputs(cells));
        for ((output, got), expected) in outputs.zip(expected) {
            for (got, expected) in got.iter().zip(expected) {
                if matches!(output.kind, OutputKind::Real | OutputKind::Quantized { .. }) {
                    let error = (got - expected).abs();
                    worst = Some(worst.unwrap_or(0.0).max(error));
                    self.reals += 1;
                    self.mean_error += (error - self.mean_error) / self.reals as f64;
                } else {
                    self.decisions += 1;
                    self.equal_decisions += usize::from(got == expected);
                }
            }
        }
        self.max_error = self.max_error.max(worst.unwrap_or(0.0));
        worst
    }

    fn count_saturation(&mut self, program: &Program, cells: &[i64]) {
        self.limited_values += program.limited_values();
        let nodes = program.saturation(cells);
        self.saturated += usize::from(!nodes.is_empty());
        for node in nodes {
            self.saturated_values += node.values;
            match self.saturated_nodes.iter_mut().find(|known| known.name == node.name) {
                Some(known) => known.values += node.values,
                None => self.saturated_nodes.push(node),
            }
        }
        let compared = self.samples - self.refused;
        for known in &mut self.saturated_nodes {
            known.of = compared * program.limited_values_of(&known.name);
        }
        self.saturated_nodes.sort_by(|a, b| b.share().total_cmp(&a.share()));
    }

    /// Whether these can be figures of a measurement; a file may hold anything.
    pub fn is_plausible(&self) -> bool {
        let errors = [self.max_error, self.mean_error];
        errors.iter().all(|error| error.is_finite() && *error >= 0.0)
            && self.refused <= self.samples
            && self.saturated <= self.samples
            && self.equal_decisions <= self.decisions
            && self.saturated_values <= self.limited_values
    }

    /// Whether refusals and decisions are no worse than those of another program on the same samples, and errors at most
    /// `slack` times as large.
    pub(crate) fn is_within(&self, other: &Self, slack: f64) -> bool {
        self.refused <= other.refused
            && self.equal_decisions >= other.equal_decisions
            && self.max_error <= slack * other.max_error
            && self.mean_error <= slack * other.mean_error
    }
}
