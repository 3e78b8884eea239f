//! Formats chosen by measurement: tensor by tensor the one with which the outputs are closest to the floats.
//!
//! The starting point is the finest format that holds a tensor's calibrated range. One bit finer halves the rounding of
//! every value and the range: first the head-room above what was observed goes, then the largest values are cut off.
//! Whether that pays is measured, end to end, with the integer program itself.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    Calibration, Fidelity, Graph, ModelError, Program, References,
    lower::{Lowered, lower},
};

/// Fewest samples that say anything of a format: with fewer all tensors keep the finest that fits.
pub const LEAST_SAMPLES: usize = 16;
/// With fewer samples than this every format holds a quarter more than was observed.
pub const ENOUGH_SAMPLES: usize = 64;
/// What a format chosen from few samples holds at least, as a multiple of the observed range.
const LEAST_ROOM: f64 = 1.25;
/// One of so many samples is held out: it may refuse a format, and chooses none.
const HELD_OUT_EVERY: usize = 4;
/// Most samples that the search looks at.
const MOST_SAMPLES: usize = 256;
/// Most programs that are tried per limb size, and the least for networks of any size.
const MOST_TRIALS: usize = 96;
const LEAST_TRIALS: usize = 8;
/// Multiplications that all trials of a limb size may take: a second or two.
const WORK: usize = 1 << 29;
/// Largest share of a node's values that a chosen format may cut off.
const MOST_SATURATED: f64 = 0.01;
/// A change must take this share off the largest or the mean error.
const GAIN: f64 = 0.1;
/// What a format may cost, as a factor on the errors, that gives head-room back.
const NEXT_TO_NOTHING: f64 = 1.01;
/// Bits that a format may be finer than its range asks for; negative ones are coarser.
const FINEST: i32 = 12;
const COARSEST: i32 = -4;

/// A tensor whose format is not the finest for its calibrated range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatChoice {
    /// Position of the node that computes it.
    pub node: usize,
    /// Its name in the model.
    pub name: String,
    /// Bits by which the format is finer than the calibrated range asks for; negative ones are coarser. Of a function's
    /// argument: bits of head-room given up.
    pub finer: i32,
}

impl FormatChoice {
    /// Checks that these are choices for a graph.
    ///
    /// # Errors
    /// [`ModelError::ForeignFormat`] for a node that is not there, has another name or was chosen twice, or bits out of
    /// bounds.
    pub fn check(choices: &[Self], graph: &Graph) -> Result<(), ModelError> {
        Self::by_node(choices, graph).map(drop)
    }

    /// Bits per node of a graph.
    pub(crate) fn by_node(choices: &[Self], graph: &Graph) -> Result<Vec<i32>, ModelError> {
        let mut finer = vec![0; graph.nodes.len()];
        for choice in choices {
            let known = graph
                .nodes
                .get(choice.node)
                .is_some_and(|node| node.name == choice.name);
            match finer.get_mut(choice.node) {
                Some(bits) if known && *bits == 0 && (COARSEST..=FINEST).contains(&choice.finer) => {
                    *bits = choice.finer;
                }
                _ => {
                    return Err(ModelError::ForeignFormat {
                        node: choice.name.clone(),
                    });
                }
            }
        }
        Ok(finer)
    }

    fn of(finer: &[i32], graph: &Graph) -> Vec<Self> {
        let nodes = graph.nodes.iter().zip(finer).enumerate();
        nodes
            .filter(|(_, (_, finer))| **finer != 0)
            .map(|(node, (at, finer))| Self {
                node,
                name: at.name.clone(),
                finer: *finer,
            })
            .collect()
    }
}

/// Formats for one limb size, with their errors.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenFormats {
    /// Tensors that do not have the finest format for their range.
    pub choices: Vec<FormatChoice>,
    /// Errors on all samples.
    pub fidelity: Fidelity,
    /// Where something was chosen: what the errors on all samples would be without.
    pub fitted: Option<Fidelity>,
    /// Where there was a choice: errors on the samples that were held out.
    pub held_out: Option<Fidelity>,
    /// Programs tried.
    pub trials: usize,
}

/// What one chosen format is good for: the errors if that tensor had the finest format for its range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatGain {
    /// The choice.
    #[serde(flatten)]
    pub choice: FormatChoice,
    /// Largest error without it.
    pub max_error: f64,
    /// Mean error without it.
    pub mean_error: f64,
}

/// One assignment of formats and how it does.
#[derive(Debug, Clone)]
struct Trial {
    finer: Vec<i32>,
    /// On the samples that choose.
    fit: Fidelity,
    /// On the samples that were held out.
    held_out: Fidelity,
}

impl Trial {
    fn is_within(&self, other: &Self, slack: f64) -> bool {
        self.fit.is_within(&other.fit, slack) && self.held_out.is_within(&other.held_out, slack)
    }

    fn cuts_few(&self) -> bool {
        let mut cut: HashMap<&str, (usize, usize)> = HashMap::new();
        for node in self.fit.saturated_nodes.iter().chain(&self.held_out.saturated_nodes) {
            let (values, of) = cut.entry(&node.name).or_default();
            (*values, *of) = (*values + node.values, *of + node.of);
        }
        cut.values()
            .all(|(values, of)| *values as f64 <= MOST_SATURATED * *of as f64)
    }

    /// Whether this is worth a change: better where formats are chosen, and no worse where they are not.
    fn improves(&self, other: &Self) -> bool {
        let less = |new: f64, old: f64| new < old * (1.0 - GAIN);
        let gains = less(self.fit.max_error, other.fit.max_error)
            || less(self.fit.mean_error, other.fit.mean_error)
            || self.fit.equal_decisions > other.fit.equal_decisions;
        gains && self.cuts_few() && self.is_within(other, 1.0)
    }
}

struct Search<'a> {
    graph: &'a Graph,
    calibration: &'a Calibration,
    limb_bits: u32,
    fit: References<'a>,
    held_out: References<'a>,
    /// Nodes whose range decides a format.
    nodes: Vec<usize>,
    trials: usize,
    most_trials: usize,
}

impl ChosenFormats {
    /// The finest format for every range: no choice.
    ///
    /// # Errors
    /// A graph that does not compile.
    pub fn fitted(
        graph: &Graph,
        calibration: &Calibration,
        references: &References<'_>,
        limb_bits: u32,
    ) -> Result<Self, ModelError> {
        let program = Program::compile(graph, calibration, limb_bits)?;
        Ok(Self {
            choices: Vec::new(),
            fidelity: Fidelity::compare(&program, references),
            fitted: None,
            held_out: None,
            trials: 1,
        })
    }

    /// Chooses the formats of a program with limbs of `limb_bits` bits: nothing is chosen from fewer than
    /// [`LEAST_SAMPLES`] samples. The same arguments give the same formats.
    ///
    /// # Errors
    /// A graph that does not compile with the finest formats.
    pub fn search(
        graph: &Graph,
        calibration: &Calibration,
        references: &References<'_>,
        limb_bits: u32,
    ) -> Result<Self, ModelError> {
        let fitted = Self::fitted(graph, calibration, references, limb_bits)?;
        if references.len() < LEAST_SAMPLES {
            return Ok(fitted);
        }
        let finer = vec![0; graph.nodes.len()];
        let Lowered { program, consulted } = lower(graph, calibration, limb_bits, finer.clone())?;
        let multiplications = program.multiplications().max(1);
        let most_samples = (WORK / LEAST_TRIALS / multiplications).clamp(LEAST_SAMPLES, MOST_SAMPLES);
        let stride = references.len().div_ceil(most_samples);
        let looked_at = references.filter(|position| position % stride == 0);
        let is_held_out = |position: usize| position % HELD_OUT_EVERY == HELD_OUT_EVERY - 1;
        let mut search = Search {
            graph,
            calibration,
            limb_bits,
            fit: looked_at.filter(|position| !is_held_out(position)),
            held_out: looked_at.filter(is_held_out),
            nodes: consulted.into_iter().collect(),
            trials: 1,
            most_trials: (WORK / multiplications / looked_at.len()).clamp(LEAST_TRIALS, MOST_TRIALS),
        };
        let start = search.measured(&program, finer);
        let found = search.run(start.clone());
        let choices = FormatChoice::of(&found.finer, graph);
        let program = Program::compile_with(graph, calibration, limb_bits, &choices)?;
        let fidelity = Fidelity::compare(&program, references);
        let (trials, held_out) = (search.trials, Some(found.held_out));
        // The samples that the search passed over have a say too.
        if choices.is_empty() || !fidelity.is_within(&fitted.fidelity, 1.0) {
            return Ok(Self {
                held_out: Some(start.held_out),
                trials,
                ..fitted
            });
        }
        Ok(Self {
            choices,
            fidelity,
            fitted: Some(fitted.fidelity),
            held_out,
            trials,
        })
    }

    /// What each choice is good for, measured without it on all samples.
    ///
    /// # Errors
    /// Choices of another graph.
    pub fn gains(
        graph: &Graph,
        calibration: &Calibration,
        references: &References<'_>,
        limb_bits: u32,
        choices: &[FormatChoice],
    ) -> Result<Vec<FormatGain>, ModelError> {
        let gain = |choice: &FormatChoice| {
            let others: Vec<FormatChoice> = choices.iter().filter(|other| *other != choice).cloned().collect();
            let program = Program::compile_with(graph, calibration, limb_bits, &others)?;
            let without = Fidelity::compare(&program, references);
            Ok(FormatGain {
                choice: choice.clone(),
                max_error: without.max_error,
                mean_error: without.mean_error,
            })
        };
        choices.iter().map(gain).collect()
    }
}

impl Search<'_> {
    /// All tensors together first; then each gets back what it does not need; then each alone.
    fn run(&mut self, start: Trial) -> Trial {
        let mut best = start;
        for bits in 1..=FINEST {
            let mut finer = best.finer.clone();
            for node in &self.nodes {
                finer[*node] = bits.min(self.most(*node));
            }
            match self.attempt(finer) {
                Some(trial) if trial.improves(&best) => best = trial,
                _ => break,
            }
        }
        let together = best.clone();
        for node in self.nodes.clone() {
            while best.finer[node] > 0 {
                match self.moved(&best, node, -1) {
                    Some(trial) if trial.is_within(&together, NEXT_TO_NOTHING) => best = trial,
                    _ => break,
                }
            }
        }
        for node in self.nodes.clone() {
            for step in [1, -1] {
                let before = best.finer[node];
                while let Some(trial) = self.moved(&best, node, step).filter(|trial| trial.improves(&best)) {
                    best = trial;
                }
                if best.finer[node] != before {
                    break;
                }
            }
        }
        best
    }

    fn moved(&mut self, from: &Trial, node: usize, step: i32) -> Option<Trial> {
        let mut finer = from.finer.clone();
        finer[node] += step;
        (finer[node] >= COARSEST && finer[node] <= self.most(node)).then(|| self.attempt(finer))?
    }

    /// Most bits that a node's format may be finer.
    fn most(&self, node: usize) -> i32 {
        if self.calibration.samples >= ENOUGH_SAMPLES {
            return FINEST;
        }
        let Calibration { nodes, observed, .. } = self.calibration;
        let size = |range: &crate::Interval| range.high.abs().max(range.low.abs());
        let room = size(&nodes[node]) / (LEAST_ROOM * size(&observed[self.graph.inputs.len() + node]));
        if room.is_finite() {
            (room.log2().floor() as i32).clamp(0, FINEST)
        } else {
            0
        }
    }

    fn attempt(&mut self, finer: Vec<i32>) -> Option<Trial> {
        if self.trials >= self.most_trials {
            return None;
        }
        self.trials += 1;
        let lowered = lower(self.graph, self.calibration, self.limb_bits, finer.clone()).ok()?;
        Some(self.measured(&lowered.program, finer))
    }

    fn measured(&self, program: &Program, finer: Vec<i32>) -> Trial {
        Trial {
            fit: Fidelity::compare(program, &self.fit),
            held_out: Fidelity::compare(program, &self.held_out),
            finer,
        }
    }
}

#[cfg(test)]
mod tests;
