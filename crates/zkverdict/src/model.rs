use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zkverdict_model::{
    Calibration, ChosenFormats, Fidelity, ForestBounds, FormatChoice, FormatGain, Graph, ParameterFormats, Program,
    Reasons, ReasonsRequest, References,
};
use zkverdict_onnx::{Sample, read_samples_ignoring};
use zkverdict_verifier::{Digest, write_atomically};

use crate::Error;

/// An ONNX file and the graph in it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where it was read from.
    pub path: PathBuf,
    /// The file.
    pub bytes: Vec<u8>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What it means.
    pub graph: Graph,
}

impl Model {
    /// Imports a file.
    ///
    /// # Errors
    /// I/O, or a model outside what can be proven, with the node named.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let graph = zkverdict_onnx::import(&bytes)?;
        Ok(Self {
            path: path.to_owned(),
            digest: Digest::of(&bytes),
            bytes,
            graph,
        })
    }

    /// The file's name without its ending.
    pub fn name(&self) -> String {
        self.path
            .file_stem()
            .map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Reads samples for this model; columns named in `ignore` are passed over.
    ///
    /// # Errors
    /// Named by file, row and column.
    pub fn samples(&self, path: &Path, ignore: &[String]) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let samples = read_samples_ignoring(path, &self.graph, ignore)?;
        Ok(samples.into_iter().map(|Sample { inputs }| inputs).collect())
    }
}

/// Limb sizes that calibration measures.
const LIMB_BITS: [u32; 6] = [7, 8, 9, 10, 11, 12];

/// What one limb size costs in accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Width {
    /// Bits of a limb.
    pub limb_bits: u32,
    /// Tensors that do not have the finest format for their range.
    pub formats: Vec<FormatChoice>,
    /// Errors on the calibration samples.
    pub fidelity: Fidelity,
    /// Where formats were chosen: what the errors would be without.
    pub fitted: Option<Fidelity>,
    /// Errors on the samples that had no say in the choice, only a veto; nothing where there was no choice.
    pub held_out: Option<Fidelity>,
    /// The same formats where the weights are committed to, for weights of one and of two limbs; nothing where they cannot
    /// be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<CommittedWidth>,
}

/// What rounding the weights to be committed to costs in accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedWidth {
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Errors on the calibration samples.
    pub fidelity: Fidelity,
}

impl Width {
    /// The program of this width.
    ///
    /// # Errors
    /// A graph that does not compile, or another one than was calibrated.
    pub fn program(&self, graph: &Graph, calibration: &Calibration) -> Result<Program, Error> {
        Ok(Program::compile_with(
            graph,
            calibration,
            self.limb_bits,
            &self.formats,
        )?)
    }
}

/// Where the formats of tensors come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormatRule {
    /// The finest for the calibrated range, margin included.
    Fitted,
    /// Those with the least measured error ([`ChosenFormats::search`]); the finest that fit where samples are few.
    #[default]
    Measured,
}

/// Measures a program with committed weights, where there is one.
fn committed(
    graph: &Graph,
    calibration: &Calibration,
    limb_bits: u32,
    formats: &[FormatChoice],
    references: &References<'_>,
) -> Vec<CommittedWidth> {
    let measured = |weight_bits: u32| {
        let weights = ParameterFormats::Measured {
            weight_bits,
            forest: ForestBounds::default(),
        };
        let program = Program::compile_committed(graph, calibration, limb_bits, formats, weights).ok()?;
        Some(CommittedWidth {
            weight_bits,
            fidelity: Fidelity::compare(&program, references),
        })
    };
    [limb_bits, 2 * limb_bits].into_iter().filter_map(measured).collect()
}

/// The result of calibration, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFile {
    /// SHA-256 of the model.
    pub model: Digest,
    /// Ranges.
    pub calibration: Calibration,
    /// Formats and measured errors per limb size.
    pub widths: Vec<Width>,
    /// What the reasons for decisions are made of, where they are wanted: ranges and formats are of the graph that has
    /// them ([`CalibrationFile::graph`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Reasons>,
}

impl CalibrationFile {
    /// Measures ranges and errors on samples, and chooses formats by them.
    ///
    /// # Errors
    /// Samples the model cannot be evaluated on; a model that compiles at no width.
    pub fn measure(model: &Model, samples: &[Vec<Vec<f64>>], margin: f64) -> Result<Self, Error> {
        Self::measure_with(model, samples, margin, FormatRule::default())
    }

    /// As [`CalibrationFile::measure`], with formats by a rule.
    ///
    /// # Errors
    /// As [`CalibrationFile::measure`].
    pub fn measure_with(
        model: &Model,
        samples: &[Vec<Vec<f64>>],
        margin: f64,
        rule: FormatRule,
    ) -> Result<Self, Error> {
        Self::measure_graph(model, None, samples, margin, rule)
    }

    /// As [`CalibrationFile::measure_with`], of the model with reasons for its decisions as outputs.
    ///
    /// # Errors
    /// As [`CalibrationFile::measure`]; a model whose decisions have no reasons, or not as many.
    pub fn measure_with_reasons(
        model: &Model,
        samples: &[Vec<Vec<f64>>],
        margin: f64,
        rule: FormatRule,
        request: &ReasonsRequest,
    ) -> Result<Self, Error> {
        let reasons = model.graph.measure_reasons(samples, request)?;
        Self::measure_graph(model, Some(reasons), samples, margin, rule)
    }

    fn measure_graph(
        model: &Model,
        reasons: Option<Reasons>,
        samples: &[Vec<Vec<f64>>],
        margin: f64,
        rule: FormatRule,
    ) -> Result<Self, Error> {
        let graph = with_reasons(&model.graph, reasons.as_ref())?;
        let calibration = Calibration::measure(&graph, samples, margin)?;
        let references = References::of(&graph, samples)?;
        // The contributions to a decision are made of weights: where there are reasons, the model is public.
        let with_zeros = match &reasons {
            None => zkverdict_onnx::import_with_zeros(&model.bytes).ok(),
            Some(_) => None,
        };
        let committed = |limb_bits, chosen: &ChosenFormats| {
            with_zeros.as_ref().map_or_else(Vec::new, |graph| {
                committed(graph, &calibration, limb_bits, &chosen.choices, &references)
            })
        };
        let mut widths = Vec::new();
        let mut refusal = None;
        for limb_bits in LIMB_BITS {
            let chosen = match rule {
                FormatRule::Fitted => ChosenFormats::fitted(&graph, &calibration, &references, limb_bits),
                FormatRule::Measured => ChosenFormats::search(&graph, &calibration, &references, limb_bits),
            };
            match chosen {
                Ok(chosen) => widths.push(Width {
                    limb_bits,
                    committed: committed(limb_bits, &chosen),
                    formats: chosen.choices,
                    fidelity: chosen.fidelity,
                    fitted: chosen.fitted,
                    held_out: chosen.held_out,
                }),
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if widths.is_empty() => Err(error.into()),
            _ => Ok(Self {
                model: model.digest,
                calibration,
                widths,
                reasons,
            }),
        }
    }

    /// The graph that was calibrated: the model's, with reasons where they are wanted.
    ///
    /// # Errors
    /// Reasons of another model.
    pub fn graph<'m>(&self, model: &'m Model) -> Result<Cow<'m, Graph>, Error> {
        with_reasons(&model.graph, self.reasons.as_ref())
    }

    /// What each format that was chosen for a limb size is good for, on the same samples.
    ///
    /// # Errors
    /// Samples the model cannot be evaluated on.
    pub fn gains(&self, model: &Model, samples: &[Vec<Vec<f64>>], limb_bits: u32) -> Result<Vec<FormatGain>, Error> {
        let formats = self.width(limb_bits).map_or(&[][..], |width| &width.formats);
        let graph = self.graph(model)?;
        let references = References::of(&graph, samples)?;
        Ok(ChosenFormats::gains(
            &graph,
            &self.calibration,
            &references,
            limb_bits,
            formats,
        )?)
    }

    /// What was measured for a limb size.
    pub fn width(&self, limb_bits: u32) -> Option<&Width> {
        self.widths.iter().find(|width| width.limb_bits == limb_bits)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).expect("finite numbers and strings are JSON");
        write_atomically(path, text.as_bytes()).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the file and checks that it was made from this model.
    ///
    /// # Errors
    /// I/O, another file, another model; limb sizes or formats that no calibration has.
    pub fn load(path: &Path, model: &Model) -> Result<Self, Error> {
        let text = fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let not_ours = || Error::NotOurs {
            path: path.to_owned(),
            what: "calibration",
            command: "`zkverdict calibrate`",
        };
        let file: Self = serde_json::from_slice(&text).map_err(|_| not_ours())?;
        if file.model != model.digest {
            return Err(Error::StaleCalibration { path: path.to_owned() });
        }
        let graph = file.graph(model)?;
        file.calibration.check(&graph)?;
        for width in &file.widths {
            FormatChoice::check(&width.formats, &graph)?;
        }
        let sizes: Vec<u32> = file.widths.iter().map(|width| width.limb_bits).collect();
        let is_sorted = sizes.windows(2).all(|pair| pair[0] < pair[1]);
        let are_known = sizes.iter().all(|bits| LIMB_BITS.contains(bits));
        let are_errors = file.widths.iter().all(|width| width.fidelity.is_plausible());
        let are_weights = file.widths.iter().all(|width| {
            let known = |bits| [width.limb_bits, 2 * width.limb_bits].contains(&bits);
            let mut committed = width.committed.iter();
            committed.all(|committed| known(committed.weight_bits) && committed.fidelity.is_plausible())
        });
        if sizes.is_empty() || !is_sorted || !are_known || !are_errors || !are_weights {
            return Err(not_ours());
        }
        Ok(file)
    }
}

fn with_reasons<'g>(graph: &'g Graph, reasons: Option<&Reasons>) -> Result<Cow<'g, Graph>, Error> {
    Ok(match reasons {
        Some(reasons) => Cow::Owned(graph.with_reasons(reasons)?),
        None => Cow::Borrowed(graph),
    })
}
