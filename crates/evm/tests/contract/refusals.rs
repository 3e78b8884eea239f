//! What the generator, the compiler and the self check refuse.

use std::{fs, path::PathBuf};

use snark_verifier::verifier::plonk::PlonkProtocol;
use zkverdict_evm::{EvmError, KnownProof, Rejection, Simulator, build_verified};
use zkverdict_solidity::{
    ContractMetadata, SolcChoice, SolidityError, VerifierSource, compile,
    compile::{CompilerSettings, compile_with},
    generate_reference,
};

use crate::support::{Fixture, ToyModel, ToyModelOfDegree, fixture};

fn metadata() -> ContractMetadata {
    ContractMetadata {
        contract_name: "ToyVerifier".to_owned(),
        model: "a toy".to_owned(),
        srs: "UNSAFE development SRS".to_owned(),
        circuit_digest: [0; 32],
    }
}

#[test]
fn protocols_that_cannot_be_verified_soundly_are_refused() {
    type Protocol = PlonkProtocol<halo2_proofs::halo2curves::bn256::G1Affine>;
    let changes: [fn(&mut Protocol); 5] = [
        |protocol| protocol.num_instance = vec![3, 1],
        |protocol| protocol.num_instance = vec![],
        |protocol| protocol.num_instance = vec![0],
        |protocol| protocol.accumulator_indices = vec![vec![(0, 0)]],
        |protocol| protocol.transcript_initial_state = None,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut key = fixture().model.verifying_key();
        change(&mut key.protocol);
        let error = generate_reference(&key, &metadata()).unwrap_err();
        assert!(
            matches!(error, SolidityError::UnsupportedProtocol { .. }),
            "{index}: {error}"
        );
    }
}

#[test]
fn metadata_that_is_no_solidity_is_refused() {
    let key = fixture().model.verifying_key();
    for name in ["", "1Toy", "Toy Verifier", "Toy;", "Töy", "IVerdictVerifier"] {
        let metadata = ContractMetadata {
            contract_name: name.to_owned(),
            ..metadata()
        };
        let error = generate_reference(&key, &metadata).unwrap_err();
        assert!(matches!(error, SolidityError::ContractName { .. }), "{name}: {error}");
    }
    for text in ["", "two\nlines", "ends */ here", "\u{2028}contract", "bell\u{7}"] {
        for metadata in [
            ContractMetadata {
                model: text.to_owned(),
                ..metadata()
            },
            ContractMetadata {
                srs: text.to_owned(),
                ..metadata()
            },
        ] {
            let error = generate_reference(&key, &metadata).unwrap_err();
            assert!(matches!(error, SolidityError::HeaderText { .. }), "{text:?}: {error}");
        }
    }
}

#[test]
fn compilers_that_are_not_the_pinned_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let choice = |path: PathBuf| SolcChoice { path: Some(path) };
    let source = &fixture().source;

    let absent = compile(source, &choice(folder.path().join("absent"))).unwrap_err();
    assert!(matches!(absent, SolidityError::SolcUnusable { .. }), "{absent}");

    if cfg!(unix) {
        let program = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let old = program("old", "echo solc; echo 'Version: 0.8.19+commit.7dd6d404.Linux.g++'");
        let error = compile(source, &choice(old)).unwrap_err();
        assert!(matches!(error, SolidityError::SolcVersion { .. }), "{error}");
        assert!(error.to_string().contains("0.8.19") && error.to_string().contains("scripts/tools/install"));

        let noise = program("noise", "echo hello");
        let error = compile(source, &choice(noise)).unwrap_err();
        assert!(matches!(error, SolidityError::SolcUnusable { .. }), "{error}");

        let version = "case $1 in --version) echo solc; echo 'Version: 0.8.34+commit.80d5c536.Linux.g++';; *)";
        let liar = program("liar", &format!("{version} cat >/dev/null; echo '{{}}';; esac"));
        let error = compile(source, &choice(liar)).unwrap_err();
        assert!(matches!(error, SolidityError::CompileOutput { .. }), "{error}");
    }
}

#[test]
fn solidity_errors_are_shown() {
    let source = &fixture().source;
    let broken = VerifierSource {
        source: source.source.replace("let success := 1", "let success :="),
        ..source.clone()
    };
    let SolidityError::Compile { messages } = compile(&broken, &SolcChoice::default()).unwrap_err() else {
        panic!("solc must refuse")
    };
    assert!(
        messages[0].contains("ParserError") && messages[0].contains("ToyVerifier.sol"),
        "{messages:?}"
    );
}

#[test]
fn contracts_that_reject_everything_or_accept_forgeries_are_not_kept() {
    let Fixture { source, known, .. } = fixture();
    let with = |from: &str, to: &str| {
        assert!(source.source.contains(from), "{from}");
        let source = VerifierSource {
            source: source.source.replace(from, to),
            ..source.clone()
        };
        build_verified(&source, known, &SolcChoice::default())
            .map(|_| to.to_owned())
            .unwrap_err()
    };
    let error = with("let success := 1", "let success := 0");
    assert!(matches!(error, EvmError::SelfCheckRejectsValid { .. }), "{error}");
    for (from, to) in [
        ("if (stage != 3)", "if (stage < 2)"),
        ("success := and(lt(v, f_q), success)", ""),
        ("if (stage != 3)", "if (stage == 0)"),
    ] {
        let error = with(from, to);
        assert!(
            matches!(
                error,
                EvmError::SelfCheckForgery { .. } | EvmError::SelfCheckRejectsValid { .. }
            ),
            "{to}: {error}"
        );
    }

    let short = KnownProof {
        proof: known.proof[32..].to_vec(),
        ..known.clone()
    };
    let error = build_verified(source, &short, &SolcChoice::default()).unwrap_err();
    assert!(matches!(error, EvmError::KnownProofShape { .. }), "{error}");
    let other = ToyModel::new(6).prove(1, 2, 3);
    let error = build_verified(source, &other, &SolcChoice::default()).unwrap_err();
    assert!(matches!(error, EvmError::SelfCheckRejectsValid { .. }), "{error}");
}

/// halo2 splits the quotient by the minimum degree and snark-verifier by the real one, so such a circuit's proofs verify in
/// halo2 and never on chain. The self check finds it.
#[test]
fn a_minimum_degree_above_the_real_one_is_found() {
    let model = ToyModelOfDegree::<5>::new(5);
    let known = model.prove(1, 2, 3);
    let error = build_verified(&model.source(), &known, &SolcChoice::default())
        .map(|_| "kept")
        .unwrap_err();
    assert!(matches!(error, EvmError::KnownProofShape { .. }), "{error}");
}

/// Whoever copies the contract into a project of their own compiles it with their own settings.
#[test]
fn other_compiler_settings_give_a_contract_that_is_as_sound() {
    let Fixture { source, known, .. } = fixture();
    for settings in [
        CompilerSettings::OptimizerOff,
        CompilerSettings::YulOptimizer,
        CompilerSettings::ViaIr,
    ] {
        let compiled = match compile_with(source, &SolcChoice::default(), settings) {
            Ok(compiled) => compiled,
            // Not compiling is sound.
            Err(SolidityError::Compile { .. }) => continue,
            Err(error) => panic!("{settings:?}: {error}"),
        };
        let mut simulator = Simulator::deploy(&compiled).unwrap();
        let report = simulator.verify(&known.proof, &known.public_inputs).unwrap();
        assert!(report.outcome.is_accepted(), "{settings:?}: {}", report.outcome);
        for offset in (0..known.proof.len()).step_by(32) {
            let mut forged = known.proof.clone();
            forged[offset + 31] ^= 1;
            let outcome = simulator.verify(&forged, &known.public_inputs).unwrap().outcome;
            let rejection = outcome.reason().and_then(|reason| reason.rejection());
            assert!(
                matches!(rejection, Some(Rejection::InvalidProof | Rejection::MalformedInput)),
                "{settings:?} at {offset}: {outcome}"
            );
        }
    }
}
