//! The SRS behind the keys: a real ceremony's, and the development one that everybody must be warned of.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use zkverdict::{
    CalibrationFile, CircuitFile, ContractFile, Keys, Model, Planned, Proof, Style, VerifyingKeyFile,
    circuits::{CIRCUIT_VERSION, Objective, PublicInputs, candidates, choose},
    load_proving_key,
    models::{Calibration, Fidelity, Graph, Program},
    solidity::SolcChoice,
    srs::{Ceremony, ImportOptions, Srs, import},
    verifier::{Artifact, Digest, Kind},
};

use crate::support::{Example, Keyed, Pipeline, graphs, has_solc, report, shared};

/// A model small enough for the 2^8 powers that a registry package carries.
fn tiny() -> Pipeline {
    let graph = graphs::mlp(4, &[], &mut StdRng::seed_from_u64(6));
    let samples = graphs::samples(&graph, 50, &mut StdRng::seed_from_u64(7));
    let calibration = Calibration::measure(&graph, &samples, 1.5).unwrap();
    let program = Program::compile(&graph, &calibration, 6).unwrap();
    let fidelity = Fidelity::measure(&program, &graph, &samples).unwrap();
    let candidates = candidates(&program, None, PublicInputs::default(), Some(fidelity.max_error)).unwrap();
    let plan = choose(&candidates, Objective::Time, 1.0).unwrap().clone();
    let compiled = plan.compile(program, PublicInputs::default());
    let model = nameless(graph);
    Pipeline {
        calibration: CalibrationFile {
            model: model.digest,
            calibration,
            widths: vec![],
            reasons: None,
        },
        planned: Planned {
            file: CircuitFile {
                name: "tiny".to_owned(),
                inputs: model.graph.inputs.clone(),
                circuit_version: CIRCUIT_VERSION,
                compiled,
                plan,
                committed: None,
                audit: None,
                secret: None,
                reasons_against: None,
            },
            candidates,
            convolutions: vec![],
        },
        model,
    }
}

/// A model that came from no file.
fn nameless(graph: Graph) -> Model {
    Model {
        path: PathBuf::from("tiny.onnx"),
        bytes: Vec::new(),
        digest: Digest::of(&[]),
        graph,
    }
}

/// What a command prints.
fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The first 2^8 powers of the Hermez ceremony, which the package `ppot-rs` carries as `8.ptau`.
fn hermez_8() -> PathBuf {
    // Other platforms' packages need not be there.
    let version = String::from_utf8(output("rustc", &["-vV"])).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        host,
    ];
    let metadata: Value = serde_json::from_slice(&output(env!("CARGO"), &arguments)).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == "ppot-rs").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("8.ptau")
}

fn sample() -> Vec<Vec<f64>> {
    vec![vec![0.5, -1.0, 0.25, 1.5]]
}

fn check(srs: Srs, pipeline: Pipeline, sample: Vec<Vec<f64>>) {
    assert!(!srs.is_unsafe());
    let ceremony = srs.provenance().ceremony;
    assert_ne!(ceremony, Ceremony::Unknown);
    let keyed = Keyed::with_srs(pipeline, sample, srs);
    assert_eq!(
        keyed.verdict(&keyed.proof.proof, &keyed.inference.public_inputs),
        Ok(())
    );
    let key = &keyed.keys.verifying;
    assert!(!key.unsafe_srs);
    assert_eq!(key.srs, ceremony.to_string());
    report!(
        "a proof under {ceremony} at k = {}: {} bytes",
        keyed.srs.k(),
        keyed.proof.proof.len()
    );

    // The same circuit under the development SRS: other keys, and neither accepts the other's proofs.
    let development = Keyed::new(keyed.pipeline.clone(), keyed.sample.clone());
    assert_ne!(development.keys.verifying.key.digest(), key.key.digest());
    assert!(development.proof.verify(key).is_err());
    assert!(keyed.proof.verify(&development.keys.verifying).is_err());
    if has_solc() {
        assert!(!keyed.contract().unsafe_srs);
        let solc = SolcChoice::default();
        let contract = ContractFile::build(key, "Verifier", Style::Embedded, &solc).unwrap();
        let source = &contract.build.compiled.source;
        assert!(source.contains(&ceremony.to_string()) && !source.contains("UNSAFE"));
    }
}

#[test]
fn a_ceremony_from_the_registry_proves() {
    let srs = import(&hermez_8(), &ImportOptions::new()).unwrap().srs;
    assert_eq!((srs.provenance().ceremony, srs.k()), (Ceremony::Hermez, 8));
    let pipeline = tiny();
    let k = pipeline.planned.file.plan.k;
    assert!(k <= 8, "k = {k}");
    check(srs.downsize(k).unwrap(), pipeline, sample());
}

#[test]
fn a_ceremony_from_the_shared_data_proves_an_example() {
    let Some(path) = shared("data/srs/powersOfTau28_hez_final_10.ptau") else {
        return;
    };
    let imported = import(&path, &ImportOptions::new().max_k(10)).unwrap();
    let example = Example::CreditLogreg.keyed();
    let k = example.pipeline.planned.file.plan.k;
    check(
        imported.srs.downsize(k).unwrap(),
        example.pipeline.clone(),
        example.sample.clone(),
    );
}

/// Whoever meets an artifact of the development SRS can tell, from the file and from the contract's source.
#[test]
fn a_development_srs_is_marked_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let keyed = Example::DiagnosisLogreg.keyed();
    let path = |name: &str| folder.path().join(name);
    let srs_path = path("srs");
    keyed.srs.save(&srs_path).unwrap();
    let srs = Srs::load(&srs_path).unwrap();
    assert!(srs.is_unsafe());
    assert_eq!(srs.provenance().ceremony, Ceremony::Development);
    assert!(srs.downsize(srs.k() - 1).unwrap().is_unsafe());
    // A new name and another format do not hide it: it is read off the points.
    let mut raw = Vec::new();
    srs.write_raw(&mut raw).unwrap();
    fs::write(path("trusted-ceremony"), raw).unwrap();
    assert!(
        import(&path("trusted-ceremony"), &ImportOptions::new())
            .unwrap()
            .srs
            .is_unsafe()
    );

    let keys = Keys::generate(&keyed.pipeline.planned.file, &srs).unwrap();
    keys.save_proving(&path("pk")).unwrap();
    keys.verifying.save(&path("vk")).unwrap();
    let (_, provenance) = load_proving_key(&path("pk"), &keyed.pipeline.planned.file).unwrap();
    assert!(provenance.unsafe_srs);
    keyed
        .proof
        .save(&path("proof"), provenance.verifying_key, provenance.unsafe_srs)
        .unwrap();
    let key = VerifyingKeyFile::load(&path("vk")).unwrap();
    assert!(key.unsafe_srs && key.srs.contains("UNSAFE"), "{}", key.srs);
    let mut kinds = vec![
        ("pk", Kind::ProvingKey),
        ("vk", Kind::VerifyingKey),
        ("proof", Kind::Proof),
    ];
    if has_solc() {
        let contract = ContractFile::build(&key, "Verifier", Style::Embedded, &SolcChoice::default()).unwrap();
        assert!(contract.unsafe_srs && contract.build.compiled.source.contains("UNSAFE"));
        contract.save(&path("contract")).unwrap();
        assert!(ContractFile::load(&path("contract")).unwrap().unsafe_srs);
        kinds.push(("contract", Kind::Contract));
    }
    for (name, kind) in kinds {
        assert!(Artifact::read(&path(name), kind).unwrap().unsafe_srs, "{kind}");
    }
    Proof::load(&path("proof"), Some(provenance.verifying_key)).unwrap();
}
