use std::path::Path;

use serde::{Deserialize, Serialize};
use zkverdict_circuit::{
    CIRCUIT_VERSION, Candidate, CompiledModel, ConvolutionRows, Objective, PublicInputs, candidates, choose,
    convolution_rows, prove_ranges,
};
use zkverdict_model::{CONTRIBUTIONS, Graph, Input, OutputKind, REASONS};
use zkverdict_onnx::read_samples_ignoring;
use zkverdict_verifier::{Artifact, Digest, Kind, MadeFrom};

use crate::{CalibrationFile, Error, Model, Width};

/// Largest error against the floats that the planner accepts by default.
pub const DEFAULT_TOLERANCE: f64 = 4e-4;

/// What to compile for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompileOptions {
    /// What to make small.
    pub objective: Objective,
    /// Largest acceptable error on the calibration samples.
    pub tolerance: f64,
    /// What the proof shows.
    pub public: PublicInputs,
    /// Only this limb size.
    pub limb_bits: Option<u32>,
    /// Only this number of lanes.
    pub lanes: Option<usize>,
    /// Only layouts whose keys and proofs take at most so many bytes of memory, by the prediction.
    pub memory_limit: Option<u64>,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            objective: Objective::Time,
            tolerance: DEFAULT_TOLERANCE,
            public: PublicInputs::default(),
            limb_bits: None,
            lanes: None,
            memory_limit: None,
        }
    }
}

/// A compiled model with the plan it was chosen from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CircuitFile {
    /// [`CIRCUIT_VERSION`] when it was compiled.
    pub circuit_version: u32,
    /// The model's name.
    pub name: String,
    /// The model's inputs, so that sample files can be read without the model.
    pub inputs: Vec<Input>,
    /// Program and layout.
    pub compiled: CompiledModel,
    /// The chosen plan.
    pub plan: Candidate,
    /// The outcome that its reasons speak against, where it gives reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasons_against: Option<String>,
}

/// An input that moved a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Its name.
    pub feature: String,
    /// What it adds to the score against the outcome that reasons speak against; negative where it speaks for it.
    pub contribution: f64,
}

/// All plans, and the one that was chosen.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The compiled model.
    pub file: CircuitFile,
    /// Everything that was considered.
    pub candidates: Vec<Candidate>,
    /// Rows of the convolutions with the chosen number of lanes.
    pub convolutions: Vec<ConvolutionRows>,
}

/// Compiles a model.
///
/// # Errors
/// A model that fits no layout, or none of those asked for.
pub fn compile(model: &Model, calibration: &CalibrationFile, options: &CompileOptions) -> Result<Planned, Error> {
    let graph = calibration.graph(model)?;
    let program = |width: &Width| {
        let mut program = width.program(&graph, &calibration.calibration)?;
        prove_ranges(&mut program, options.public);
        Ok::<_, Error>(program)
    };
    let mut all = Vec::new();
    for width in &calibration.widths {
        if options.limb_bits.is_none_or(|bits| bits == width.limb_bits) {
            all.extend(candidates(
                &program(width)?,
                options.public,
                Some(width.fidelity.max_error),
            )?);
        }
    }
    all.retain(|candidate| options.lanes.is_none_or(|lanes| lanes == candidate.shape.lanes));
    if let Some(least) = all.iter().map(|candidate| candidate.code_bytes).min()
        && !all.iter().any(Candidate::is_deployable)
    {
        let remedy = if options.public.commits() {
            "ask for fewer lanes, or commit to nothing: hashing takes some 2,400 of them"
        } else {
            "commit to values instead of showing them (`--visibility input=committed,output=committed`: one public \
             input however many values), or ask for fewer lanes"
        };
        return Err(Error::TooMuchCode { remedy, least });
    }
    let allowed = within_memory(&all, options.memory_limit)?;
    let plan = choose(&allowed, options.objective, options.tolerance)
        .cloned()
        .ok_or(Error::NoLayout)?;
    let width = calibration.width(plan.shape.limb_bits).ok_or(Error::NoLayout)?;
    let program = program(width)?;
    let mut convolutions = convolution_rows(&program, plan.shape.lanes)?;
    for (number, rows) in convolutions.iter_mut().enumerate() {
        rows.is_combined = plan.combined.contains(&number);
    }
    let compiled = plan.compile(program, options.public);
    Ok(Planned {
        file: CircuitFile {
            circuit_version: CIRCUIT_VERSION,
            name: model.name(),
            inputs: model.graph.inputs.clone(),
            compiled,
            plan,
            reasons_against: calibration.reasons.as_ref().map(|reasons| reasons.against.clone()),
        },
        candidates: all,
        convolutions,
    })
}

/// The layouts whose keys and proofs can be made within a number of bytes.
fn within_memory(all: &[Candidate], limit: Option<u64>) -> Result<Vec<Candidate>, Error> {
    let Some(limit) = limit else {
        return Ok(all.to_vec());
    };
    let usable = || all.iter().filter(|candidate| candidate.is_deployable());
    let allowed: Vec<_> = usable()
        .filter(|candidate| candidate.peak_memory_bytes() <= limit)
        .cloned()
        .collect();
    match usable().map(Candidate::peak_memory_bytes).min() {
        Some(least) if allowed.is_empty() => Err(Error::TooMuchMemory {
            least: least.div_ceil(1_000_000),
            limit: limit / 1_000_000,
        }),
        _ => Ok(allowed),
    }
}

impl CircuitFile {
    fn artifact(&self, made_from: MadeFrom) -> Artifact {
        let payload = serde_json::to_vec(self).expect("finite numbers and strings are JSON");
        Artifact::new(Kind::Circuit, made_from, false, payload)
    }

    /// Writes the circuit and returns its digest.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path, model: &Model) -> Result<Digest, Error> {
        let artifact = self.artifact(MadeFrom::from([("model".to_owned(), model.digest)]));
        artifact.write(path)?;
        Ok(artifact.digest)
    }

    /// The reasons among the outputs of an evaluation (every cell), the weightiest first; nothing where the circuit gives
    /// none.
    pub fn reasons(&self, cells: &[i64]) -> Option<Vec<Reason>> {
        self.reasons_against.as_ref()?;
        let program = &self.compiled.program;
        let outputs = program.dequantize_outputs(cells);
        let named = |name: &str| {
            program
                .outputs
                .iter()
                .zip(&outputs)
                .find(|(output, _)| output.name == name)
        };
        let ((reasons, places), (_, contributions)) = (named(REASONS)?, named(CONTRIBUTIONS)?);
        let OutputKind::StringLabel(features) = &reasons.kind else {
            return None;
        };
        let reason = |(place, contribution): (&f64, &f64)| {
            Some(Reason {
                feature: features.get(*place as usize)?.clone(),
                contribution: *contribution,
            })
        };
        places.iter().zip(contributions).map(reason).collect()
    }

    /// The digest that the file has.
    pub fn digest(&self) -> Digest {
        self.artifact(MadeFrom::new()).digest
    }

    /// Reads samples for this circuit as [`Model::samples`] does; columns named in `ignore` are passed over.
    ///
    /// # Errors
    /// Named by file, row and column.
    pub fn samples(&self, path: &Path, ignore: &[String]) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let interface = Graph {
            inputs: self.inputs.clone(),
            nodes: Vec::new(),
            outputs: Vec::new(),
            notes: Vec::new(),
        };
        let samples = read_samples_ignoring(path, &interface, ignore)?;
        Ok(samples.into_iter().map(|sample| sample.inputs).collect())
    }

    /// Reads a circuit.
    ///
    /// # Errors
    /// Anything that is wrong with the file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file: Self = Artifact::read(path, Kind::Circuit)?.json()?;
        if file.circuit_version != CIRCUIT_VERSION {
            return Err(Error::CircuitVersion {
                path: path.to_owned(),
                expected: CIRCUIT_VERSION,
                got: file.circuit_version,
            });
        }
        file.compiled.program.validate()?;
        Ok(file)
    }
}
