//! Verifiers that many models share: the catalogue that is shipped, and what a key can and cannot do.

use std::{fs, path::PathBuf};

use zkverdict::{
    CompileOptions, ContractFile, Style, compile,
    evm::Simulator,
    solidity::{
        SolcChoice, VerifierSource,
        compact::{CATALOGUE, ShapeArtifact, encode_key, generate_shape, shape_digest},
        compile as solc,
    },
};

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

/// The source that a verifying key gives, and what solc makes of it, are the shipped ones. `ZKVERDICT_BLESS=1` rewrites
/// them.
#[test]
fn the_catalogue_is_current() {
    if !has_solc() {
        return;
    }
    let mut names = Vec::new();
    for (example, ending) in [(Example::CreditLogreg, ""), (Example::CreditGbdt, "t")] {
        for lanes in LANES {
            let name = format!("c{lanes}{ending}");
            let keyed = keyed(example, lanes);
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
    let shipped: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    assert_eq!(names, shipped);
}

#[test]
fn spike() {
    for example in [Example::CreditLogreg, Example::CreditGbdt] {
        let keyed = example.keyed();
        fs::write(
            format!("/tmp/{example:?}.sol"),
            generate_shape(&keyed.keys.verifying.key).unwrap().source,
        )
        .unwrap();
        for style in [Style::Reference, Style::Compact, Style::Embedded] {
            let contract = ContractFile::build(&keyed.keys.verifying, "V", style, &SolcChoice::default()).unwrap();
            let build = &contract.build;
            report!(
                "{example:?} {style:?} {} code, {} exec {} tx {:?}",
                build.deployment.code_bytes,
                build.verification.execution_gas,
                build.verification.transaction_gas,
                build.deployment.key
            );
        }
    }
}
