use std::path::Path;

use serde::{Deserialize, Serialize};
use zkverdict_circuit::{
    CIRCUIT_VERSION, Candidate, CompiledModel, ConvolutionRows, Objective, PublicInputs, Visibility, candidates,
    choose, convolution_rows, prove_ranges,
};
use zkverdict_model::{
    CONTRIBUTIONS, ForestBounds, Graph, Input, OutputKind, ParameterFormats, Program, REASONS, TreeClaim,
};
use zkverdict_onnx::read_samples_ignoring;
use zkverdict_verifier::{Artifact, Digest, Kind, MadeFrom};

use crate::{
    AuditOptions, AuditTable, CalibrationFile, CommittedFormats, Error, Field, GroupRule, Model, Role, SecretModel,
    Width, audit::in_row, schema::public_schema,
};

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
    /// Room for other ensembles where trees are committed to.
    pub forest: ForestBounds,
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
            forest: ForestBounds::default(),
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
    /// Where the model is committed: what makes the integers of another model's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<CommittedFormats>,
    /// Where it is an audit: what is asked of which table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditTable>,
    /// The outcome that its reasons speak against, where it gives reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasons_against: Option<String>,
    /// The committed model whose parameters are in the program at the moment: no circuit's file has them.
    #[serde(skip)]
    pub secret: Option<SecretModel>,
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
    plan(model, calibration, options, None)
}

/// Compiles the audit of a model on a table. The rows are committed to, whatever the options say of the inputs.
///
/// # Errors
/// As [`compile`]; a table or model that no audit can be made of.
pub fn compile_audit(
    model: &Model,
    calibration: &CalibrationFile,
    options: &CompileOptions,
    table: &Path,
    audit: &AuditOptions,
) -> Result<Planned, Error> {
    if options.public.is_linked() {
        return Err(Error::LinkedAudit);
    }
    let error = |width: &&Width| width.fidelity.max_error;
    let accurate = calibration
        .widths
        .iter()
        .find(|width| error(width) <= options.tolerance);
    let closest = || {
        calibration
            .widths
            .iter()
            .min_by(|left, right| error(left).total_cmp(&error(right)))
    };
    let width = accurate.or_else(closest).ok_or(Error::NoLayout)?;
    let classes = width.program(&model.graph, &calibration.calibration)?.classes()?;
    let table = AuditTable::of(model, classes, table, audit)?;
    let options = CompileOptions {
        public: PublicInputs {
            inputs: Visibility::Committed,
            outputs: Visibility::Public,
            ..options.public
        },
        // Rows are many and tables few: larger limbs only cost.
        limb_bits: options.limb_bits.or(Some(width.limb_bits)),
        ..*options
    };
    plan(model, calibration, &options, Some(table))
}

/// Compiles the statement that the trees of a committed model are as claimed, whatever the input. Every model of the
/// circuit can be stated to be so.
///
/// # Errors
/// [`Error::PublicModel`], [`Error::LinkedStatement`]; a model without trees, claims about what is not there; as [`compile`].
pub fn compile_statement(
    circuit: &CircuitFile,
    claims: &[TreeClaim],
    options: &CompileOptions,
) -> Result<Planned, Error> {
    match circuit.compiled.public.model {
        Visibility::Committed => (),
        Visibility::Linked => return Err(Error::LinkedStatement),
        Visibility::Public | Visibility::Private => return Err(Error::PublicModel),
    }
    let program = circuit.compiled.program.architecture().tree_statement(claims)?;
    let public = PublicInputs {
        inputs: Visibility::Committed,
        outputs: Visibility::Public,
        model: Visibility::Public,
    };
    let all = candidates(&program, options.lanes, public, None)?;
    let plan = chosen(&all, options, public)?;
    let file = CircuitFile {
        circuit_version: CIRCUIT_VERSION,
        name: circuit.name.clone(),
        inputs: Vec::new(),
        compiled: plan.compile(program, public),
        plan,
        committed: None,
        audit: None,
        reasons_against: None,
        secret: None,
    };
    Ok(Planned {
        file,
        candidates: all,
        convolutions: Vec::new(),
    })
}

fn plan(
    model: &Model,
    calibration: &CalibrationFile,
    options: &CompileOptions,
    audit: Option<AuditTable>,
) -> Result<Planned, Error> {
    let is_committed = options.public.model.hides_model();
    if calibration.reasons.is_some() && (is_committed || audit.is_some()) {
        return Err(Error::NoReasons);
    }
    let graph = calibration.graph(model)?;
    let program = |width: &Width, weight_bits: Option<u32>| {
        let mut program = match weight_bits {
            None => width.program(&graph, &calibration.calibration)?,
            Some(weight_bits) => {
                let weights = ParameterFormats::Measured {
                    weight_bits,
                    forest: options.forest,
                };
                committed_formats(calibration, width).program(model, width.limb_bits, weights)?
            }
        };
        if let Some(table) = &audit {
            program = program.audit(&table.audit)?;
        }
        prove_ranges(&mut program, options.public);
        Ok::<Program, Error>(program)
    };
    let mut all = Vec::new();
    for width in &calibration.widths {
        if options.limb_bits.is_none_or(|bits| bits == width.limb_bits) {
            let committed = width.committed.iter().filter(|_| is_committed);
            let ways = committed.map(|committed| (Some(committed.weight_bits), committed.fidelity.max_error));
            let public = (!is_committed).then_some((None, width.fidelity.max_error));
            for (weight_bits, error) in ways.chain(public) {
                let program = program(width, weight_bits)?;
                all.extend(candidates(&program, options.lanes, options.public, Some(error))?);
                // Trees have no weights of different sizes.
                if program.parameter_layers().is_empty() {
                    break;
                }
            }
        }
    }
    if all.is_empty() && is_committed {
        return Err(uncommitted(model, calibration));
    }
    let plan = chosen(&all, options, options.public)?;
    let width = calibration.width(plan.shape.limb_bits).ok_or(Error::NoLayout)?;
    let program = program(width, plan.weight_bits)?;
    let mut convolutions = convolution_rows(&program, plan.shape.lanes)?;
    for (number, rows) in convolutions.iter_mut().enumerate() {
        rows.is_combined = plan.combined.contains(&number);
    }
    let compiled = plan.compile(program, options.public);
    let mut file = CircuitFile {
        circuit_version: CIRCUIT_VERSION,
        name: model.name(),
        inputs: model.graph.inputs.clone(),
        compiled,
        // The error says something of the weights.
        plan: Candidate {
            max_error: plan.max_error.filter(|_| !is_committed),
            ..plan
        },
        committed: is_committed.then(|| committed_formats(calibration, width)),
        audit,
        reasons_against: calibration.reasons.as_ref().map(|reasons| reasons.against.clone()),
        secret: None,
    };
    if is_committed {
        file.secret = Some(SecretModel::new(&file, file.compiled.program.parameters()?));
    }
    Ok(Planned {
        file,
        candidates: all,
        convolutions,
    })
}

/// The layout that is chosen.
fn chosen(all: &[Candidate], options: &CompileOptions, public: PublicInputs) -> Result<Candidate, Error> {
    within_code(all, public)?;
    let allowed = within_memory(all, options.memory_limit)?;
    let plan = choose(&allowed, options.objective, options.tolerance);
    plan.cloned().ok_or(Error::NoLayout)
}

fn committed_formats(calibration: &CalibrationFile, width: &Width) -> CommittedFormats {
    CommittedFormats {
        calibration: calibration.calibration.clone(),
        formats: width.formats.clone(),
    }
}

/// Why a model's weights cannot be committed to.
fn uncommitted(model: &Model, calibration: &CalibrationFile) -> Error {
    let attempts = calibration.widths.iter().map(|width| {
        let weights = ParameterFormats::Measured {
            weight_bits: 2 * width.limb_bits,
            forest: ForestBounds::default(),
        };
        committed_formats(calibration, width).program(model, width.limb_bits, weights)
    });
    let reasons = attempts.filter_map(Result::err);
    let reason = reasons.map(|error| error.to_string()).next();
    Error::Uncommitted {
        reason: reason.unwrap_or_else(|| "it was calibrated by an older version".to_owned()),
    }
}

/// Refuses layouts of which no verifier is small enough for a chain.
fn within_code(all: &[Candidate], public: PublicInputs) -> Result<(), Error> {
    match all.iter().map(|candidate| candidate.code_bytes).min() {
        Some(least) if !all.iter().any(Candidate::is_deployable) => Err(Error::TooMuchCode {
            remedy: if public.commits() {
                "ask for fewer lanes, or commit to nothing: hashing takes some 2,600 of them"
            } else {
                "ask for fewer lanes"
            },
            least,
        }),
        _ => Ok(()),
    }
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
        // A committed model's parameters are in no file but that of the secret model.
        let architecture = self.has_secret_model().then(|| {
            let mut public = self.clone();
            public.compiled.program = self.compiled.program.architecture();
            public
        });
        let payload = serde_json::to_vec(architecture.as_ref().unwrap_or(self));
        let payload = payload.expect("finite numbers and strings are JSON");
        Artifact::new(Kind::Circuit, made_from, false, payload)
    }

    /// Writes the circuit and returns its digest.
    ///
    /// # Errors
    /// I/O.
    pub fn save(&self, path: &Path, model: &Model) -> Result<Digest, Error> {
        // The digest of a secret file would test guesses of it.
        let is_public = !self.has_secret_model();
        self.save_made_from(path, is_public.then(|| ("model".to_owned(), model.digest)))
    }

    /// Writes a [statement](compile_statement) and returns its digest.
    ///
    /// # Errors
    /// I/O.
    pub fn save_statement(&self, path: &Path, circuit: &Self) -> Result<Digest, Error> {
        self.save_made_from(path, [("circuit".to_owned(), circuit.digest())])
    }

    fn save_made_from(
        &self,
        path: &Path,
        made_from: impl IntoIterator<Item = (String, Digest)>,
    ) -> Result<Digest, Error> {
        let artifact = self.artifact(made_from.into_iter().collect());
        artifact.write(path)?;
        Ok(artifact.digest)
    }

    /// Whether it states something of a committed model, which takes no samples.
    pub fn is_statement(&self) -> bool {
        self.compiled.opens_model()
    }

    /// Whether proofs commit to inputs or outputs, with salts of their own.
    pub fn commits_to_values(&self) -> bool {
        self.compiled.public.commits_to_values() && !self.is_statement()
    }

    /// The one sample of a statement: the nodes and leaves of the model that it has.
    ///
    /// # Errors
    /// [`Error::NoSecretModel`]; a model of other trees.
    pub fn opened_sample(&self) -> Result<Vec<Vec<f64>>, Error> {
        let secret = self.secret.as_ref().ok_or(Error::NoSecretModel)?;
        let values = self.compiled.program.opened_inputs(&secret.parameters)?;
        // Whole numbers of few bits.
        Ok(vec![values.into_iter().map(|value| value as f64).collect()])
    }

    /// Its public inputs, in order: those of its program, counts of an audit with the names of groups and classes.
    ///
    /// # Errors
    /// Commitments to values without a proven range.
    pub fn public_schema(&self) -> Result<Vec<Field>, Error> {
        let mut schema = public_schema(&self.compiled)?;
        let inputs = schema.iter_mut().find(|field| field.role == Role::InputCommitment);
        if let (Some(table), Some(row)) = (&self.audit, inputs.and_then(|field| field.committed.as_mut())) {
            let labels = [Some(table.classes.clone()), table.group.as_ref().map(GroupRule::names)];
            let columns = row.fields.iter_mut().rev().take(labels.iter().flatten().count()).rev();
            for (field, names) in columns.zip(labels.into_iter().flatten()) {
                field.kind = Some(OutputKind::StringLabel(names));
            }
        }
        if let Some(table) = &self.audit {
            let is_second = |field: &&Field| field.role == Role::Output && field.index == 1;
            let several: Vec<String> = schema
                .iter()
                .filter(is_second)
                .map(|field| field.name.clone())
                .collect();
            let names = table.elements();
            for field in schema.iter_mut().filter(|field| several.contains(&field.name)) {
                field.element = names.get(field.index).cloned();
            }
        }
        Ok(schema)
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

    /// Reads samples for this circuit as [`Model::samples`] does, or the table of an audit as one sample; columns named in `ignore` are passed over.
    ///
    /// # Errors
    /// Named by file, row and column.
    pub fn samples(&self, path: &Path, ignore: &[String]) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        if self.is_statement() {
            return Err(Error::NoSamples);
        }
        let interface = Graph {
            inputs: self.inputs.clone(),
            nodes: Vec::new(),
            outputs: Vec::new(),
            notes: Vec::new(),
        };
        if let Some(table) = &self.audit {
            let sample = table.sample(path, &interface, ignore)?;
            let quantized = self.compiled.program.quantize(&sample);
            quantized.map_err(|error| in_row(error, path, &self.inputs))?;
            return Ok(vec![sample]);
        }
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

#[cfg(test)]
mod tests {
    use zkverdict_model::Calibration;

    use super::*;

    /// No shape of today is so large: the candidates are made larger here.
    #[test]
    fn verifiers_that_no_chain_takes_are_refused() {
        let example = |file| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../examples/credit")
                .join(file)
        };
        let model = Model::load(&example("logreg.onnx")).unwrap();
        let samples = model.samples(&example("calibration.json"), &[]).unwrap();
        let calibration = CalibrationFile::measure(&model, &samples[..8], Calibration::DEFAULT_MARGIN).unwrap();
        let program = calibration
            .width(8)
            .unwrap()
            .program(&model.graph, &calibration.calibration)
            .unwrap();
        let mut all = candidates(&program, None, PublicInputs::DEFAULT, None).unwrap();
        assert!(within_code(&all, PublicInputs::DEFAULT).is_ok());
        for (added, candidate) in all.iter_mut().enumerate() {
            candidate.code_bytes = 24_600 + added;
        }
        let committed = PublicInputs {
            inputs: Visibility::Committed,
            ..PublicInputs::DEFAULT
        };
        for (public, says_hashing) in [(PublicInputs::DEFAULT, false), (committed, true)] {
            let error = within_code(&all, public).unwrap_err();
            assert!(matches!(error, Error::TooMuchCode { least: 24_600, .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("24600 bytes") && text.contains("fewer lanes"), "{text}");
            assert_eq!(text.contains("hashing"), says_hashing, "{text}");
        }
        // What the prediction may be wrong by is left free.
        all[1].code_bytes = 24_576 - 400;
        assert!(within_code(&all, PublicInputs::DEFAULT).is_ok(), "one of them fits");
    }
}
