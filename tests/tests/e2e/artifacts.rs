//! Files that are damaged, cut, extended, foreign, of another version, or made from something else.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use zkverdict::{
    CalibrationFile, CircuitFile, ContractFile, Error, Model, Proof, VerifyingKeyFile,
    circuits::Salts,
    load_proving_key,
    models::Op,
    verifier::{Artifact, ArtifactError, Digest, Kind, MadeFrom},
};

use crate::support::{Example, Keyed, has_solc, report};

const EXAMPLE: Example = Example::DiagnosisLogreg;

/// Every file of one model in a folder.
struct Files {
    folder: TempDir,
    keyed: &'static Keyed,
}

impl Files {
    fn new() -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            keyed: EXAMPLE.keyed(),
        };
        let Keyed {
            pipeline, keys, proof, ..
        } = files.keyed;
        pipeline
            .planned
            .file
            .save(&files.path(Kind::Circuit), &pipeline.model)
            .unwrap();
        keys.save_proving(&files.path(Kind::ProvingKey)).unwrap();
        keys.verifying.save(&files.path(Kind::VerifyingKey)).unwrap();
        let verifying = &keys.verifying;
        proof
            .save(&files.path(Kind::Proof), verifying.key.digest(), verifying.unsafe_srs)
            .unwrap();
        if has_solc() {
            files.keyed.contract().save(&files.path(Kind::Contract)).unwrap();
        }
        files
    }

    fn path(&self, kind: Kind) -> PathBuf {
        self.folder.path().join(format!("{kind:?}"))
    }

    fn kinds(&self) -> Vec<Kind> {
        let all = [
            Kind::Circuit,
            Kind::ProvingKey,
            Kind::VerifyingKey,
            Kind::Proof,
            Kind::Contract,
        ];
        all.into_iter().filter(|kind| self.path(*kind).exists()).collect()
    }

    /// Reads a file as what it should be, as the program does.
    fn load(&self, kind: Kind, path: &Path) -> Result<(), Error> {
        match kind {
            Kind::Circuit => CircuitFile::load(path).map(drop),
            Kind::ProvingKey => load_proving_key(path, &self.keyed.pipeline.planned.file).map(drop),
            Kind::VerifyingKey => VerifyingKeyFile::load(path).map(drop),
            Kind::Proof => Proof::load(path, Some(self.keyed.keys.verifying.key.digest())).map(drop),
            Kind::Contract => ContractFile::load(path).map(drop),
        }
    }

    /// Loads changed bytes: they must be refused with an error of the artifact.
    fn refused(&self, kind: Kind, what: &str, bytes: &[u8]) -> ArtifactError {
        let path = self.folder.path().join("changed");
        fs::write(&path, bytes).unwrap();
        let loaded = catch_unwind(AssertUnwindSafe(|| self.load(kind, &path)));
        let Ok(loaded) = loaded else {
            panic!("{kind}: {what}: panicked")
        };
        match loaded {
            Err(Error::Artifact(error)) => {
                let text = error.to_string();
                assert!(
                    text.contains(&path.display().to_string()),
                    "{kind}: {what}: no path in: {text}"
                );
                error
            }
            Err(other) => panic!("{kind}: {what}: another error: {other}"),
            Ok(()) => panic!("{kind}: {what}: accepted"),
        }
    }
}

/// Length of the header, as the file says.
fn header_bytes(bytes: &[u8]) -> usize {
    u32::from_le_bytes(bytes[10..14].try_into().unwrap()) as usize
}

#[test]
fn every_file_reads_back() {
    let files = Files::new();
    for kind in files.kinds() {
        files.load(kind, &files.path(kind)).unwrap();
        report!("{kind}: {} bytes", fs::metadata(files.path(kind)).unwrap().len());
    }
    let circuit = CircuitFile::load(&files.path(Kind::Circuit)).unwrap();
    assert_eq!(circuit, files.keyed.pipeline.planned.file);
    let (key, provenance) = load_proving_key(&files.path(Kind::ProvingKey), &circuit).unwrap();
    let verifying = VerifyingKeyFile::load(&files.path(Kind::VerifyingKey)).unwrap();
    assert_eq!(provenance.verifying_key, verifying.key.digest());
    let (proof, _) = zkverdict::prove(&circuit, &key, &files.keyed.sample, files.keyed.context).unwrap();
    proof.verify(&verifying).unwrap();
    Proof::load(&files.path(Kind::Proof), Some(verifying.key.digest()))
        .unwrap()
        .verify(&verifying)
        .unwrap();
}

#[test]
fn flipped_bits_are_found() {
    let files = Files::new();
    for kind in files.kinds() {
        let bytes = fs::read(files.path(kind)).unwrap();
        // Everything up to the payload, then a sample of the payload.
        let payload = bytes.len().min(14 + 32 + header_bytes(&bytes));
        let samples = if bytes.len() > 1 << 20 { 60 } else { 300 };
        let step = ((bytes.len() - payload) / samples).max(1);
        let positions = (0..payload)
            .chain((payload..bytes.len()).step_by(step))
            .chain([bytes.len() - 1]);
        let mut tried = 0;
        for position in positions {
            let mut changed = bytes.clone();
            // Not bit 0 of byte 0: that would make the first letter an opening brace, and a proof may be JSON.
            changed[position] ^= 1 << ((position + 3) % 8);
            files.refused(kind, &format!("bit of byte {position} flipped"), &changed);
            tried += 1;
        }
        report!("{kind}: {tried} flipped bits found");
    }
}

#[test]
fn cut_and_extended_files_are_refused() {
    let files = Files::new();
    for kind in files.kinds() {
        let bytes = fs::read(files.path(kind)).unwrap();
        let header = header_bytes(&bytes);
        for length in [
            0,
            1,
            9,
            10,
            13,
            14,
            15,
            14 + header / 2,
            14 + header,
            bytes.len() / 2,
            bytes.len() - 1,
        ] {
            files.refused(kind, &format!("cut to {length} bytes"), &bytes[..length]);
        }
        for extra in [1, 32, 4096] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + extra, 0);
            files.refused(kind, &format!("{extra} bytes longer"), &longer);
        }
        // A header that claims to be longer than the file, and longer than any header.
        for length in [u32::MAX, 1 << 20, (1 << 20) + 1] {
            let mut lying = bytes.clone();
            lying[10..14].copy_from_slice(&length.to_le_bytes());
            files.refused(kind, &format!("a header of {length} bytes"), &lying);
        }
        let error = files.refused(kind, "text", b"# not an artifact, but long enough to hold a header");
        assert!(matches!(error, ArtifactError::NotAnArtifact { .. }), "{error}");
        assert!(error.to_string().contains(kind.command()), "{error}");
    }
}

#[test]
fn the_wrong_kind_of_file_is_named() {
    let files = Files::new();
    for is in files.kinds() {
        for wanted in files.kinds().into_iter().filter(|wanted| *wanted != is) {
            let error = files.refused(wanted, &format!("a {is}"), &fs::read(files.path(is)).unwrap());
            let named =
                matches!(error, ArtifactError::WrongKind { expected, got, .. } if expected == wanted && got == is);
            assert!(named, "{error}");
            assert!(error.to_string().contains(wanted.command()), "no remedy in: {error}");
        }
    }
}

#[test]
fn a_future_version_is_named() {
    let files = Files::new();
    for kind in files.kinds() {
        let bytes = fs::read(files.path(kind)).unwrap();
        let field = b"\"version\":1";
        let at = bytes.windows(field.len()).position(|window| window == field).unwrap();
        let mut newer = bytes;
        newer[at + field.len() - 1] = b'9';
        let error = files.refused(kind, "version 9", &newer);
        assert!(
            matches!(
                error,
                ArtifactError::Version {
                    expected: 1,
                    got: 9,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains(kind.command()), "no remedy in: {error}");
    }
    // The circuit has a version of its own, which changes with the constraint system.
    let mut circuit = files.keyed.pipeline.planned.file.clone();
    circuit.circuit_version += 1;
    let path = files.folder.path().join("newer circuit");
    circuit.save(&path, &files.keyed.pipeline.model).unwrap();
    let error = CircuitFile::load(&path).unwrap_err();
    assert!(matches!(error, Error::CircuitVersion { .. }), "{error}");
    assert!(error.to_string().contains("zkverdict compile"), "{error}");
}

#[test]
fn stale_mixes_are_refused_with_the_remedy() {
    let files = Files::new();
    let other = Example::DiagnosisMlp.keyed();
    let stale = |error: &Error, wanted: &str, command: &str| {
        let named = matches!(error, Error::Artifact(ArtifactError::Stale { ingredient, .. }) if *ingredient == wanted);
        assert!(named && error.to_string().contains(command), "{error}");
    };
    let error = load_proving_key(&files.path(Kind::ProvingKey), &other.pipeline.planned.file).unwrap_err();
    stale(&error, "circuit", "zkverdict setup");
    let error = Proof::load(&files.path(Kind::Proof), Some(other.keys.verifying.key.digest())).unwrap_err();
    stale(&error, "verifying key", "zkverdict prove");
    // One weight changed: the same shape, another circuit.
    let mut circuit = files.keyed.pipeline.planned.file.clone();
    let mut json = serde_json::to_value(&circuit.compiled.program).unwrap();
    let weight = first_weight(&mut json).unwrap();
    *weight = Value::from(weight.as_i64().unwrap() + 1);
    circuit.compiled.program = serde_json::from_value(json).unwrap();
    let error = load_proving_key(&files.path(Kind::ProvingKey), &circuit).unwrap_err();
    stale(&error, "circuit", "zkverdict setup");
    // A key whose header names the right circuit and whose content is another's.
    let artifact = Artifact::read(&files.path(Kind::ProvingKey), Kind::ProvingKey).unwrap();
    let relabelled = MadeFrom::from([
        ("circuit".to_owned(), other.pipeline.planned.file.digest()),
        ("verifying key".to_owned(), other.keys.verifying.key.digest()),
    ]);
    let path = files.folder.path().join("relabelled");
    Artifact::new(Kind::ProvingKey, relabelled, false, artifact.payload)
        .write(&path)
        .unwrap();
    let error = load_proving_key(&path, &other.pipeline.planned.file).unwrap_err();
    report!("a relabelled proving key: {error}");
    assert!(error.to_string().contains("zkverdict setup"), "{error}");

    let calibration = files.folder.path().join("calibration.json");
    files.keyed.pipeline.calibration.save(&calibration).unwrap();
    CalibrationFile::load(&calibration, &files.keyed.pipeline.model).unwrap();
    let error = CalibrationFile::load(&calibration, &other.pipeline.model).unwrap_err();
    assert!(matches!(error, Error::StaleCalibration { .. }), "{error}");
    assert!(error.to_string().contains("zkverdict calibrate"), "{error}");
}

fn first_weight(value: &mut Value) -> Option<&mut Value> {
    match value {
        Value::Object(fields) => fields.iter_mut().find_map(|(name, field)| {
            if name == "weights" {
                field.as_array_mut()?.first_mut()
            } else {
                first_weight(field)
            }
        }),
        Value::Array(items) => items.iter_mut().find_map(first_weight),
        _ => None,
    }
}

#[test]
fn json_that_is_not_ours_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    let model = &Example::DiagnosisLogreg.pipeline().model;
    let longer = format!("{{\"proof\": \"0x\", \"public_inputs\": [\"0x{}\"]}}", "00".repeat(33));
    for text in [
        "{}",
        "{",
        "{\"proof\": 7, \"public_inputs\": []}",
        "{\"proof\": \"0xzz\", \"public_inputs\": []}",
        &longer,
    ] {
        fs::write(&path, text).unwrap();
        let error = Proof::load(&path, None).unwrap_err();
        assert!(
            matches!(error, Error::NotOurs { .. }) && error.to_string().contains("zkverdict prove"),
            "{error}"
        );
    }
    for text in ["", "{}", "[]", "\u{feff}{}", "nonsense"] {
        fs::write(&path, text).unwrap();
        let error = CalibrationFile::load(&path, model).unwrap_err();
        assert!(
            matches!(error, Error::NotOurs { .. }) && error.to_string().contains("zkverdict calibrate"),
            "{error}"
        );
    }
}

/// A calibration is plain JSON and may say anything: what no measurement says is refused by name, before it is compiled.
#[test]
fn calibrations_that_no_measurement_makes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calibration.json");
    let pipeline = Example::CreditMlp.pipeline();
    pipeline.calibration.save(&path).unwrap();
    let honest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let relu = pipeline
        .model
        .graph
        .nodes
        .iter()
        .position(|node| matches!(node.op, Op::Relu))
        .unwrap();
    let format = |node: Value, name: &str, finer: i64| json!([{ "node": node, "name": name, "finer": finer }]);
    let name = pipeline.model.graph.nodes[relu].name.as_str();
    let hostile = [
        ("/widths/0/limb_bits", json!(60)),
        ("/widths/0/limb_bits", json!(0)),
        ("/widths/1/limb_bits", json!(7)),
        ("/widths", json!([])),
        ("/widths/0/fidelity/max_error", json!(-1.0)),
        ("/widths/0/fidelity/max_error", Value::Null),
        ("/widths/0/fidelity/saturated_values", json!(u64::MAX)),
        ("/widths/0/fidelity/saturated", json!(-3)),
        ("/widths/0/formats", format(json!(relu), name, 64)),
        ("/widths/0/formats", format(json!(relu), name, -64)),
        ("/widths/0/formats", format(json!(relu), name, i64::from(i32::MIN))),
        ("/widths/0/formats", format(json!(relu), "another node", 1)),
        ("/widths/0/formats", format(json!(u64::MAX), name, 1)),
        ("/widths/0/formats", format(json!(-1), name, 1)),
        (
            "/widths/0/formats",
            json!([{ "node": relu, "name": name, "finer": 1, "scale": 3 }]),
        ),
        ("/calibration/margin", json!(0.0)),
        ("/calibration/margin", json!(-1e300)),
        ("/calibration/samples", json!(0)),
        ("/calibration/nodes/0/low", json!(1e300)),
        ("/calibration/nodes/0/high", Value::Null),
        ("/calibration/inputs/0/0", json!({ "low": 2.0, "high": 1.0 })),
        ("/calibration/observed/0/high", json!(-1e300)),
        ("/calibration/nodes", json!([])),
    ];
    for (place, value) in hostile {
        let mut forged = honest.clone();
        *forged.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value.clone();
        fs::write(&path, forged.to_string()).unwrap();
        let error = CalibrationFile::load(&path, &pipeline.model).unwrap_err();
        report!("{place} = {value}: {error}");
        assert!(
            error.to_string().contains("zkverdict calibrate"),
            "{place} = {value}: {error}"
        );
    }
    // What a measurement could have chosen is taken.
    let mut other = honest;
    other["widths"][0]["formats"] = format(json!(relu), name, -1);
    fs::write(&path, other.to_string()).unwrap();
    CalibrationFile::load(&path, &pipeline.model).unwrap();
}

/// What cannot be written leaves what was there, and no temporary file.
#[test]
fn failed_writes_change_nothing() {
    let files = Files::new();
    let folder = files.folder.path().join("folder");
    fs::create_dir_all(folder.join("taken/by a folder")).unwrap();
    fs::write(folder.join("file"), "old").unwrap();
    let Keyed {
        pipeline, keys, proof, ..
    } = files.keyed;
    let digest = Digest::of(b"key");
    // A folder stands at the path; a file stands where the folder should be.
    for path in [folder.join("taken"), folder.join("file/inside")] {
        let errors = [
            pipeline.planned.file.save(&path, &pipeline.model).map(drop),
            keys.save_proving(&path),
            keys.verifying.save(&path),
            proof.save(&path, digest, true),
            proof.save_json(&path),
            pipeline.calibration.save(&path),
        ];
        for error in errors {
            let error = error.unwrap_err();
            assert!(
                error.to_string().contains(&path.display().to_string()),
                "no path in: {error}"
            );
        }
    }
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "taken"]);
    assert_eq!(fs::read(folder.join("file")).unwrap(), b"old");
    assert!(folder.join("taken/by a folder").is_dir());
}

/// A read-only folder: the old file survives. The superuser writes anywhere, so there is nothing to see as root.
#[cfg(unix)]
#[test]
fn a_read_only_folder_keeps_the_old_file() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    let folder = files.folder.path().join("read-only");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("proof");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let is_superuser = fs::write(folder.join("probe"), "").is_ok();
    let saved = files.keyed.proof.save_json(&path);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    if is_superuser {
        report!("skipped: a read-only folder does not stop the superuser");
        return;
    }
    assert!(matches!(saved, Err(Error::Io { .. })), "{saved:?}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

/// A circuit file whose digests fit and whose content somebody made up: refused or harmless, never a panic.
#[test]
fn hostile_circuits_do_not_panic() {
    let files = Files::new();
    let keyed = files.keyed;
    let honest = serde_json::to_value(&keyed.pipeline.planned.file).unwrap();
    let mut pointers = Vec::new();
    numbers(&honest, &mut String::new(), &mut pointers);
    let named = [
        "/compiled/lanes",
        "/compiled/program/cells",
        "/compiled/program/limb_bits",
    ]
    .map(str::to_owned);
    assert!(named.iter().all(|pointer| pointers.contains(pointer)));
    let spread = pointers.iter().step_by((pointers.len() / 150).max(1));
    let sampled: Vec<_> = named.iter().chain(spread).collect();
    let path = files.folder.path().join("hostile");
    let (mut refused, mut harmless) = (0, 0);
    let mut panicked = Vec::new();
    for pointer in &sampled {
        for number in [0_i64, 1, -1, 1 << 20, i64::MAX, i64::MIN] {
            let mut hostile = honest.clone();
            *hostile.pointer_mut(pointer).unwrap() = Value::from(number);
            let payload = serde_json::to_vec(&hostile).unwrap();
            Artifact::new(Kind::Circuit, MadeFrom::new(), false, payload)
                .write(&path)
                .unwrap();
            let used = catch_unwind(AssertUnwindSafe(|| {
                let circuit = CircuitFile::load(&path)?;
                let compiled = &circuit.compiled;
                // Keys and witness, as setup and prove make them; sizes beyond any SRS are setup's to refuse.
                if compiled.k <= 12 {
                    compiled.circuit()?;
                }
                let cells = compiled.program.execute(&compiled.program.quantize(&keyed.sample)?)?;
                if compiled.k <= 12 {
                    compiled.circuit_with(&cells, &Salts::default())?;
                }
                compiled.program.dequantize_outputs(&cells);
                Ok::<_, Error>(())
            }));
            match used {
                Ok(Ok(())) => harmless += 1,
                Ok(Err(_)) => refused += 1,
                Err(_) => panicked.push(format!("{pointer} = {number}")),
            }
        }
    }
    report!(
        "hostile circuits: {} of {} numbers changed, {refused} refused, {harmless} harmless",
        sampled.len(),
        pointers.len()
    );
    assert!(
        panicked.is_empty(),
        "{} panicked: {:#?}",
        panicked.len(),
        &panicked[..panicked.len().min(20)]
    );
    assert!(refused > 0);
}

fn numbers(value: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    let mut enter = |key: &str, item: &Value| {
        path.push('/');
        path.push_str(key);
        numbers(item, path, found);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| enter(name, field)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| enter(&index.to_string(), item)),
        Value::Number(_) => found.push(path.clone()),
        _ => {}
    }
}

/// A verifying key from a hostile file is refused or rejects; it does not take the process down.
#[test]
fn hostile_verifying_keys_do_not_panic() {
    let files = Files::new();
    let keyed = files.keyed;
    let honest = serde_json::to_value(&keyed.keys.verifying).unwrap();
    let mut pointers = Vec::new();
    numbers(
        &honest["key"]["protocol"],
        &mut "/key/protocol".to_owned(),
        &mut pointers,
    );
    let path = files.folder.path().join("hostile");
    let (mut refused, mut rejected, mut accepted) = (0, 0, 0);
    for pointer in pointers.iter().step_by((pointers.len() / 100).max(1)) {
        for number in [0_i64, 1, 31] {
            let mut hostile = honest.clone();
            let place = hostile.pointer_mut(pointer).unwrap();
            let honest = std::mem::replace(place, Value::from(number));
            if honest == *place {
                continue;
            }
            let payload = serde_json::to_vec(&hostile).unwrap();
            Artifact::new(Kind::VerifyingKey, MadeFrom::new(), true, payload)
                .write(&path)
                .unwrap();
            match VerifyingKeyFile::load(&path) {
                Err(_) => refused += 1,
                Ok(key) => match keyed.proof.verify(&key) {
                    Err(_) => rejected += 1,
                    // Whoever makes a key decides what it accepts.
                    Ok(()) => {
                        report!("with {pointer} = {number} the key accepts");
                        accepted += 1;
                    }
                },
            }
        }
    }
    report!("hostile verifying keys: {refused} refused, {rejected} reject an honest proof, {accepted} still accept it");
    assert!(rejected > 0);
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let error = Model::load(Path::new("no/such/model.onnx")).unwrap_err();
    assert!(
        matches!(error, Error::Io { .. }) && error.to_string().contains("no/such/model.onnx"),
        "{error}"
    );
}

#[test]
fn a_contract_is_tied_to_its_verifying_key() {
    if !has_solc() {
        return;
    }
    let (keyed, other) = (Example::CreditLogreg.keyed(), Example::CreditMlp.keyed());
    let contract = keyed.contract();
    contract.expect_key(&keyed.keys.verifying).unwrap();
    let refused = |contract: &ContractFile, key| matches!(contract.expect_key(key), Err(Error::OtherContract { .. }));
    assert!(refused(contract, &other.keys.verifying));
    // The digest is only a label.
    let mut relabelled = contract.clone();
    relabelled.verifying_key = other.keys.verifying.key.digest();
    assert!(refused(&relabelled, &keyed.keys.verifying));
    assert!(refused(&relabelled, &other.keys.verifying));
}
