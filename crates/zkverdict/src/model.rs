use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zkverdict_model::{Calibration, Fidelity, Graph, Program};
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
pub struct Width {
    /// Bits of a limb.
    pub limb_bits: u32,
    /// Errors on the calibration samples.
    pub fidelity: Fidelity,
}

/// The result of calibration, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationFile {
    /// SHA-256 of the model.
    pub model: Digest,
    /// Ranges.
    pub calibration: Calibration,
    /// Measured errors per limb size.
    pub widths: Vec<Width>,
}

impl CalibrationFile {
    /// Measures ranges and errors on samples.
    ///
    /// # Errors
    /// Samples the model cannot be evaluated on; a model that compiles at no width.
    pub fn measure(model: &Model, samples: &[Vec<Vec<f64>>], margin: f64) -> Result<Self, Error> {
        let calibration = Calibration::measure(&model.graph, samples, margin)?;
        let mut widths = Vec::new();
        let mut refusal = None;
        for limb_bits in LIMB_BITS {
            match Program::compile(&model.graph, &calibration, limb_bits) {
                Ok(program) => {
                    let fidelity = Fidelity::measure(&program, &model.graph, samples)?;
                    widths.push(Width { limb_bits, fidelity });
                }
                Err(error) => refusal = Some(error),
            }
        }
        match refusal {
            Some(error) if widths.is_empty() => Err(error.into()),
            _ => Ok(Self {
                model: model.digest,
                calibration,
                widths,
            }),
        }
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
    /// I/O, another file, another model.
    pub fn load(path: &Path, model: &Model) -> Result<Self, Error> {
        let text = fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let file: Self = serde_json::from_slice(&text).map_err(|_| Error::NotOurs {
            path: path.to_owned(),
            what: "calibration",
            command: "`zkverdict calibrate`",
        })?;
        if file.model != model.digest {
            return Err(Error::StaleCalibration { path: path.to_owned() });
        }
        file.calibration.check(&model.graph)?;
        Ok(file)
    }
}
