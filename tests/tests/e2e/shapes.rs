//! Verifiers that many models share: the catalogue that is shipped, and what a key can and cannot do.

use std::{fs, path::PathBuf};

use zkverdict::{
    CompileOptions, ContractFile, Style, VerifyingKeyFile, compile,
    evm::{Rejection, Simulator, TRANSACTION_GAS_LIMIT, encode_verify, encode_verify_with, encode_verify_with_key},
    solidity::{
        SolcChoice, VerifierSource,
        compact::{CATALOGUE, ShapeArtifact, encode_key, generate_shape, key_digest, shape_digest},
        compile as solc,
    },
};

use crate::convolutions::keyed_sequence;
use crate::support::{Example, Keyed, Pipeline, has_solc, report};

/// Lanes that the planner is offered.
const LANES: [usize; 5] = [1, 2, 4, 8, 16];

/// A model of a shape.
fn keyed(example: Example, lanes: usize) -> Keyed {
    let pipeline = example.pipeline();
    let options = CompileOptions {
        lanes: Some(lanes),
        ..CompileOptions::default()
    };
    let planned = compile(&pipeline.model, &pipeline.calibration, &options).unwrap();
    let sample = pipeline.model.samples(&example.borderline(), &[]).unwrap().remove(0);
    Keyed::new(
        Pipeline {
            planned,
            ..pipeline.clone()
        },
        sample,
    )
}

fn artifacts() -> PathBuf {
    crate::support::repository().join("crates/solidity/artifacts")
}

/// The source that a verifying key gives, and what solc makes of it, are the shipped ones; the key can be read back. `ZKVERDICT_BLESS=1` rewrites
/// them.
#[test]
fn the_catalogue_is_current() {
    if !has_solc() {
        return;
    }
    let mut names = Vec::new();
    for lanes in LANES {
        let mut models = vec![
            (format!("c{lanes}"), keyed(Example::CreditLogreg, lanes)),
            (format!("c{lanes}t"), keyed(Example::CreditGbdt, lanes)),
        ];
        if lanes >= 4 {
            models.push((format!("c{lanes}r"), keyed_sequence(lanes)));
        }
        for (name, keyed) in models {
            let file = tempfile::NamedTempFile::new().unwrap();
            keyed.keys.verifying.save(file.path()).unwrap();
            assert_eq!(
                VerifyingKeyFile::load(file.path()).unwrap().schema,
                keyed.keys.verifying.schema
            );
            let key = &keyed.keys.verifying.key;
            let source: VerifierSource = generate_shape(key).unwrap();
            let compiled = solc(&source, &SolcChoice::default()).unwrap();
            let current = ShapeArtifact {
                shape: shape_digest(key).unwrap(),
                key_bytes: encode_key(key).unwrap().len(),
                solc_version: compiled.solc_version.clone(),
                settings: source.settings,
                abi: compiled.abi.clone(),
                init_code: compiled.init_code.clone(),
                runtime_code: compiled.runtime_code.clone(),
            };
            if std::env::var_os("ZKVERDICT_BLESS").is_some() {
                fs::write(artifacts().join(format!("{name}.sol.txt")), &source.source).unwrap();
                let json = serde_json::to_string_pretty(&current).unwrap();
                fs::write(artifacts().join(format!("{name}.json")), format!("{json}\n")).unwrap();
            } else {
                let entry = CATALOGUE.iter().find(|entry| entry.name == name).unwrap();
                let remedy = "the catalogue is stale; run this test again with ZKVERDICT_BLESS=1";
                assert!(entry.source == source.source, "{name}: {remedy}");
                assert!(entry.artifact() == Some(current), "{name}: {remedy}");
            }
            let mut simulator = Simulator::deploy(&compiled).unwrap();
            let report = simulator.verify(&keyed.proof.proof, &keyed.proof.words()).unwrap();
            assert!(report.outcome.is_accepted(), "{name}: {}", report.outcome);
            let key = simulator.deployment().key.unwrap();
            report!(
                "{name}: {} bytes of code, {} gas to deploy; key of {} bytes, {} gas; {} gas a proof, {} of it execution",
                compiled.runtime_code.len(),
                simulator.deployment().gas,
                key.bytes,
                key.gas,
                report.transaction_gas,
                report.execution_gas,
            );
            names.push(name);
        }
    }
    let mut shipped: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    shipped.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, shipped);
}

/// Neither the model, nor its limb size, nor `k` or the number of public inputs is part of a shape; lanes and trees are.
#[test]
fn a_shape_is_lanes_and_trees() {
    let of = |keyed: &Keyed| shape_digest(&keyed.keys.verifying.key).unwrap();
    let logreg = Example::CreditLogreg.keyed();
    for example in [Example::CreditMlp, Example::DiagnosisLogreg, Example::DiagnosisMlp] {
        let keyed = example.keyed();
        assert_eq!(of(keyed), of(logreg), "{example:?}");
        let source = |keyed: &Keyed| generate_shape(&keyed.keys.verifying.key).unwrap();
        assert_eq!(source(keyed).source, source(logreg).source, "{example:?}");
        assert_ne!(source(keyed).key, source(logreg).key, "{example:?}");
    }
    assert_ne!(
        logreg.pipeline.planned.file.plan.shape.limb_bits,
        Example::DiagnosisMlp.keyed().pipeline.planned.file.plan.shape.limb_bits
    );
    assert_ne!(of(Example::CreditGbdt.keyed()), of(logreg));
    assert_ne!(of(&keyed(Example::CreditLogreg, 2)), of(logreg));
}

/// A verifier with the keys of several models: every proof is accepted under its own key alone.
#[test]
fn a_proof_is_bound_to_its_key() {
    if !has_solc() {
        return;
    }
    let models = [Example::CreditLogreg, Example::CreditMlp, Example::DiagnosisMlp].map(Example::keyed);
    let mut simulator = Simulator::deploy(&models[0].contract().build.compiled).unwrap();
    for owner in models {
        let key = encode_key(&owner.keys.verifying.key).unwrap();
        let address = simulator.use_key(&key).unwrap();
        assert_eq!(owner.contract().build.compiled.key, Some(key.clone()));
        for prover in models {
            let (proof, words) = (&prover.proof.proof, prover.proof.words());
            let in_calldata = encode_verify_with_key(key_digest(&key).into(), &key, proof, &words);
            for calldata in [encode_verify_with(address, proof, &words), in_calldata] {
                let outcome = simulator.call(&calldata, TRANSACTION_GAS_LIMIT).unwrap().outcome;
                if std::ptr::eq(owner, prover) {
                    assert!(outcome.is_accepted(), "{outcome}");
                } else {
                    let rejection = outcome.reason().and_then(|reason| reason.rejection());
                    assert_eq!(rejection, Some(Rejection::InvalidProof), "{outcome}");
                }
            }
        }
    }
    // Trees have another shape, so their key is refused by name.
    let trees = encode_key(&Example::CreditGbdt.keyed().keys.verifying.key).unwrap();
    let padded = trees[..simulator.deployment().key.unwrap().bytes].to_vec();
    simulator.use_key(&padded).unwrap();
    let outcome = simulator
        .verify(&models[0].proof.proof, &models[0].proof.words())
        .unwrap()
        .outcome
        .to_string();
    assert!(outcome.contains("KeyShapeMismatch"), "{outcome}");
}

/// Figures of the README: gas of a narrow shape, of its key, and of batches.
#[test]
fn gas_stays_within_its_bounds() {
    if !has_solc() {
        return;
    }
    for (example, code, gas) in [
        (Example::CreditLogreg, 8_240, 350_000),
        (Example::CreditGbdt, 11_000, 390_000),
    ] {
        let keyed = example.keyed();
        let contract = keyed.contract();
        let build = &contract.build;
        assert!(build.deployment.code_bytes <= code, "{}", build.deployment.code_bytes);
        assert!(
            build.verification.transaction_gas <= gas,
            "{}",
            build.verification.transaction_gas
        );
        let costs = contract.explain(&keyed.keys.verifying.known).unwrap().unwrap();
        report!("{example:?}: {costs:?}");
        assert!(4 * costs.batch_proof <= 3 * costs.contract_proof, "{costs:?}");
        assert!(contract.sharing().unwrap().shipped.is_some());
        assert!(!ContractFile::needs_solc(&keyed.keys.verifying, "Verifier", Style::Compact).unwrap());
    }
}

/// Every instruction is counted somewhere: the components of a verification add up to its transaction, for every style,
/// and a verifier spends its gas on what it must.
#[test]
fn the_components_of_the_gas_add_up() {
    if !has_solc() {
        return;
    }
    let keyed = Example::CreditLogreg.keyed();
    let (proof, words) = (&keyed.proof.proof, keyed.proof.words());
    for style in [Style::Compact, Style::Embedded, Style::Reference] {
        let mut simulator = Simulator::deploy(&keyed.contract_of(style).build.compiled).unwrap();
        let calldata = match simulator.key() {
            Some(key) => encode_verify_with(key, proof, &words),
            None => encode_verify(proof, &words),
        };
        let report = simulator.measure(&calldata, TRANSACTION_GAS_LIMIT).unwrap();
        assert!(report.verification.outcome.is_accepted(), "{style:?}");
        assert_eq!(
            report.verification,
            simulator.verify(proof, &words).unwrap(),
            "{style:?}"
        );
        let components = report.components;
        assert_eq!(
            components.total(),
            report.verification.transaction_gas,
            "{style:?}: {components:?}"
        );
        assert_eq!(components.calldata, report.verification.calldata_gas);
        assert_eq!(components.key > 0, style == Style::Compact);
        // The price of the pairing and of one inversion, with what a call of a known account costs.
        assert_eq!(components.pairing, 113_000 + 100);
        assert!(components.inversion >= 4_048 + 100, "{style:?}: {components:?}");
        assert!(components.curve > 25 * 6_150, "{style:?}: {components:?}");
        assert!(report.floor < report.verification.transaction_gas);
    }
}

/// The table of the specification has the figures of the shipped verifiers.
#[test]
fn the_catalogue_in_the_specification_is_current() {
    let page = fs::read_to_string(crate::support::repository().join("docs/spec/verifier.md")).unwrap();
    let thousands = |number: u64| match number {
        1_000_000.. => format!(
            "{},{:03},{:03}",
            number / 1_000_000,
            number / 1_000 % 1_000,
            number % 1_000
        ),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    };
    for entry in CATALOGUE.iter().filter(|entry| !entry.name.ends_with('r')) {
        let artifact = entry.artifact().unwrap();
        let deploy = Simulator::deploy_code(&artifact.init_code).unwrap().deployment().gas;
        let figures = [artifact.runtime_code.len() as u64, artifact.key_bytes as u64, deploy].map(thousands);
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", entry.name)));
        let expected = format!("| {} |", figures.join(" | "));
        assert!(
            row.is_some_and(|row| row.contains(&expected)),
            "{}: {expected}",
            entry.name
        );
    }
}
