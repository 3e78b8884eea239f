//! The compact contracts.

use zkverdict_evm::Simulator;
use zkverdict_solidity::{
    SolcChoice,
    compact::generate_shape,
    compile::{CompilerSettings, compile_with},
};

use crate::support::{Fixture, fixture};

#[test]
fn spike() {
    let Fixture {
        model, known, build, ..
    } = fixture();
    let source = generate_shape(&model.verifying_key()).unwrap();
    std::fs::write("/tmp/toy-shape.sol", &source.source).unwrap();
    for settings in [
        CompilerSettings::Pinned,
        CompilerSettings::YulOptimizer,
        CompilerSettings::OptimizerOff,
        CompilerSettings::ViaIr,
    ] {
        match compile_with(&source, &SolcChoice::default(), settings) {
            Ok(compiled) => {
                let mut simulator = Simulator::deploy(&compiled).unwrap();
                let report = simulator.verify(&known.proof, &known.public_inputs).unwrap();
                eprintln!(
                    "{settings:?}: {} code, {} exec, {} tx; {}; key {:?}",
                    compiled.runtime_code.len(),
                    report.execution_gas,
                    report.transaction_gas,
                    report.outcome,
                    simulator.deployment().key
                );
            }
            Err(error) => eprintln!(
                "{settings:?}: {}",
                error.to_string().chars().take(1500).collect::<String>()
            ),
        }
    }
    eprintln!(
        "reference {} code, {} exec",
        build.compiled.runtime_code.len(),
        build.verification.execution_gas
    );
}
