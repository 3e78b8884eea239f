//! Models on their whole road, each made once: calibrated, compiled, keyed, proven, on a contract.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fq, Fr, G1Affine},
        ff::{Field, PrimeField},
    },
    plonk::{self, keygen_vk, verify_proof},
    poly::kzg::{commitment::KZGCommitmentScheme, multiopen::VerifierSHPLONK, strategy::SingleStrategy},
    transcript::TranscriptReadBuffer,
};
use snark_verifier::system::halo2::transcript::evm::EvmTranscript;
use zkverdict::{
    CalibrationFile, CompileOptions, ContractFile, Keys, Model, Planned, Proof, Style, compile,
    evm::U256,
    models::Calibration,
    prover::ProvenInference,
    solidity::{ContractMetadata, SolcChoice, VerifierSource, find_solc, generate_reference},
    srs::Srs,
    verifier::VerifyError,
};

pub(crate) mod chain;
pub(crate) mod graphs;
pub(crate) mod traces;

/// One sample: a vector per graph input.
pub(crate) type Sample = Vec<Vec<f64>>;

/// Prints a line of a suite's findings.
macro_rules! report {
    ($($argument:tt)*) => {
        $crate::support::print_line(&format!($($argument)*))
    };
}
pub(crate) use report;

#[expect(clippy::print_stderr, reason = "findings and skipped tests must be said")]
pub(crate) fn print_line(line: &str) {
    eprintln!("{line}");
}

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

/// A file of the shared test data, which lies in a folder beside the repository or where `ZKVERDICT_SHARED` says. Says
/// so and returns nothing if it is absent.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = env::var_os("ZKVERDICT_SHARED").map_or_else(|| repository().join("../shared"), PathBuf::from);
    let path = root.join(name);
    if !path.exists() {
        report!("skipped: {name} is not among the shared test data");
        return None;
    }
    Some(path)
}

/// Whether contracts can be compiled here; says so where they cannot.
pub(crate) fn has_solc() -> bool {
    let found = find_solc(&SolcChoice::default());
    if let Err(error) = &found {
        report!("skipped: {error}");
    }
    found.is_ok()
}

/// The example models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Example {
    CreditLogreg,
    CreditMlp,
    CreditGbdt,
    DiagnosisLogreg,
    DiagnosisMlp,
    DefaultGbdt,
}

impl Example {
    /// Those that are small enough for every suite.
    pub(crate) const SMALL: [Self; 5] = [
        Self::CreditLogreg,
        Self::CreditMlp,
        Self::CreditGbdt,
        Self::DiagnosisLogreg,
        Self::DiagnosisMlp,
    ];
    const COUNT: usize = Self::SMALL.len() + 1;

    /// The name of its folder and of its file, and a row that lies close to the threshold.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        const APPLICANT: &str = "applicants/borderline.json";
        const PATIENT: &str = "patients/borderline.json";
        match self {
            Self::CreditLogreg => ("credit", "logreg", APPLICANT),
            Self::CreditMlp => ("credit", "mlp", APPLICANT),
            Self::CreditGbdt => ("credit", "gbdt", APPLICANT),
            Self::DiagnosisLogreg => ("diagnosis", "logreg", PATIENT),
            Self::DiagnosisMlp => ("diagnosis", "mlp", PATIENT),
            Self::DefaultGbdt => ("default", "gbdt", "clients/borderline.json"),
        }
    }

    pub(crate) fn folder(self) -> PathBuf {
        repository().join("examples").join(self.names().0)
    }

    pub(crate) fn file(self) -> &'static str {
        self.names().1
    }

    /// A row that lies close to the threshold.
    pub(crate) fn borderline(self) -> PathBuf {
        self.folder().join(self.names().2)
    }

    pub(crate) fn pipeline(self) -> &'static Pipeline {
        static PIPELINES: [OnceLock<Pipeline>; Example::COUNT] = [const { OnceLock::new() }; Example::COUNT];
        PIPELINES[self as usize].get_or_init(|| {
            let model = Model::load(&self.folder().join(format!("{}.onnx", self.file()))).unwrap();
            let samples = model.samples(&self.folder().join("calibration.json"), &[]).unwrap();
            Pipeline::new(model, &samples)
        })
    }

    pub(crate) fn keyed(self) -> &'static Keyed {
        static KEYED: [OnceLock<Keyed>; Example::COUNT] = [const { OnceLock::new() }; Example::COUNT];
        KEYED[self as usize].get_or_init(|| {
            let pipeline = self.pipeline();
            let sample = pipeline.model.samples(&self.borderline(), &[]).unwrap().remove(0);
            Keyed::new(pipeline.clone(), sample)
        })
    }
}

/// A model, calibrated and compiled with the default options.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) model: Model,
    pub(crate) calibration: CalibrationFile,
    pub(crate) planned: Planned,
}

impl Pipeline {
    pub(crate) fn new(model: Model, samples: &[Sample]) -> Self {
        let calibration = CalibrationFile::measure(&model, samples, Calibration::DEFAULT_MARGIN).unwrap();
        let planned = compile(&model, &calibration, &CompileOptions::default()).unwrap();
        Self {
            model,
            calibration,
            planned,
        }
    }

    /// The largest error that the planner knows of.
    pub(crate) fn reported_error(&self) -> f64 {
        self.planned.file.plan.max_error.expect("calibration measured it")
    }

    /// Outputs of the fixed-point program in words and numbers.
    pub(crate) fn outputs(&self, sample: &Sample) -> Result<Vec<Vec<f64>>, zkverdict::Error> {
        let program = &self.planned.file.compiled.program;
        let cells = program.execute(&program.quantize(sample)?)?;
        Ok(program.dequantize_outputs(&cells))
    }
}

/// The development SRS of a size, made once.
pub(crate) fn development_srs(k: u32) -> Srs {
    static MADE: OnceLock<Mutex<HashMap<u32, Srs>>> = OnceLock::new();
    let mut made = MADE
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    made.entry(k).or_insert_with(|| Srs::development(k).unwrap()).clone()
}

/// A compiled model with keys and a proof.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) pipeline: Pipeline,
    pub(crate) srs: Srs,
    pub(crate) keys: Keys,
    pub(crate) sample: Sample,
    pub(crate) context: Fr,
    pub(crate) proof: Proof,
    pub(crate) inference: ProvenInference,
    halo2: plonk::VerifyingKey<G1Affine>,
    contracts: [OnceLock<ContractFile>; 3],
}

impl Keyed {
    pub(crate) fn new(pipeline: Pipeline, sample: Sample) -> Self {
        let srs = development_srs(pipeline.planned.file.plan.k);
        Self::with_srs(pipeline, sample, srs)
    }

    pub(crate) fn with_srs(pipeline: Pipeline, sample: Sample, srs: Srs) -> Self {
        let circuit = &pipeline.planned.file;
        let keys = Keys::generate(circuit, &srs).unwrap();
        let context = Fr::from(0xc0ffee);
        let (proof, inference) = zkverdict::prove(circuit, &keys.proving, &sample, context).unwrap();
        let halo2 = keygen_vk(srs.params(), &circuit.compiled.circuit().unwrap()).unwrap();
        Self {
            srs,
            keys,
            sample,
            context,
            proof,
            inference,
            halo2,
            contracts: [const { OnceLock::new() }; 3],
            pipeline,
        }
    }

    pub(crate) fn prove_with(&self, context: Fr) -> Proof {
        let circuit = &self.pipeline.planned.file;
        zkverdict::prove(circuit, &self.keys.proving, &self.sample, context)
            .unwrap()
            .0
    }

    /// The generated source; needs no compiler.
    pub(crate) fn source(&self) -> VerifierSource {
        let metadata = ContractMetadata {
            contract_name: "Verifier".to_owned(),
            model: self.keys.verifying.name.clone(),
            srs: self.keys.verifying.srs.clone(),
            circuit_digest: self.keys.verifying.circuit.0,
        };
        generate_reference(&self.keys.verifying.key, &metadata).unwrap()
    }

    /// The contract of the default style.
    pub(crate) fn contract(&self) -> &ContractFile {
        self.contract_of(Style::default())
    }

    /// The contract of a style; needs solc, unless it is shipped compiled.
    pub(crate) fn contract_of(&self, style: Style) -> &ContractFile {
        self.contracts[style as usize].get_or_init(|| {
            ContractFile::build(&self.keys.verifying, "Verifier", style, &SolcChoice::default()).unwrap()
        })
    }

    /// The verdict of the native verifier. halo2's own must be the same.
    pub(crate) fn verdict(&self, proof: &[u8], inputs: &[Fr]) -> Result<(), VerifyError> {
        let verdict = self.keys.verifying.key.verify(proof, inputs);
        assert_ne!(verdict, Err(VerifyError::MalformedKey), "the verifier panicked inside");
        if inputs.len() == self.inference.public_inputs.len() {
            assert_eq!(
                self.halo2_accepts(proof, inputs),
                verdict.is_ok(),
                "the native verifier ({verdict:?}) and halo2 disagree"
            );
        }
        verdict
    }

    /// Whether halo2's own verifier accepts, with the whole proof read.
    fn halo2_accepts(&self, proof: &[u8], inputs: &[Fr]) -> bool {
        let params = self.srs.params();
        let mut rest = proof;
        let mut transcript: EvmTranscript<G1Affine, _, _, _> = TranscriptReadBuffer::<_, G1Affine, _>::init(&mut rest);
        let accepted = verify_proof::<
            KZGCommitmentScheme<Bn256>,
            VerifierSHPLONK<'_, Bn256>,
            _,
            EvmTranscript<_, _, _, _>,
            SingleStrategy<'_, Bn256>,
        >(
            params,
            &self.halo2,
            SingleStrategy::new(params),
            &[&[inputs]],
            &mut transcript,
        )
        .is_ok();
        accepted && rest.is_empty()
    }
}

pub(crate) fn word(value: Fr) -> U256 {
    U256::from_le_bytes(value.to_repr())
}

/// The order of the scalar field.
pub(crate) fn scalar_modulus() -> U256 {
    word(-Fr::ONE) + U256::from(1)
}

/// The order of the base field.
pub(crate) fn base_modulus() -> U256 {
    U256::from_le_bytes((-Fq::ONE).to_repr()) + U256::from(1)
}
