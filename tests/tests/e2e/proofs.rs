//! Every change to a proof, its public inputs or its key, judged by our verifier, by halo2's and by the contract.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use zkverdict::{
    CompileOptions, Error, Proof, Style, compile,
    evm::{Rejection, Simulator, U256},
    models::Calibration,
    solidity::WordKind,
    verifier::{VerifyError, encode_public_inputs},
};

use crate::support::{Example, Keyed, Pipeline, base_modulus, has_solc, report, scalar_modulus, word};

/// One of each kind of model.
const MODELS: [Example; 3] = [Example::CreditLogreg, Example::CreditGbdt, Example::DiagnosisMlp];

/// More than an honest verification costs: nothing may burn the transaction's whole gas.
const GAS_ABOVE_HONEST: u64 = 100_000;

fn read(proof: &[u8], offset: usize) -> U256 {
    U256::from_be_slice(&proof[offset..offset + 32])
}

fn with_word(proof: &[u8], offset: usize, value: U256) -> Vec<u8> {
    let mut changed = proof.to_vec();
    changed[offset..offset + 32].copy_from_slice(&value.to_be_bytes::<32>());
    changed
}

/// Words that are not `original`, with what was done.
fn other_words(original: U256) -> Vec<(String, U256)> {
    let one = U256::from(1);
    let (scalar, base) = (scalar_modulus(), base_modulus());
    let mut words = vec![
        ("0".to_owned(), U256::ZERO),
        ("r − 1".to_owned(), scalar - one),
        ("r".to_owned(), scalar),
        ("p".to_owned(), base),
        ("2^256 − 1".to_owned(), U256::MAX),
    ];
    for bit in [0, 1, 127, 250, 253, 254, 255] {
        words.push((format!("bit {bit} flipped"), original ^ (one << bit)));
    }
    for (name, modulus) in [("r", scalar), ("p", base)] {
        words.extend(original.checked_add(modulus).map(|alias| (format!("+ {name}"), alias)));
    }
    words.retain(|(_, word)| *word != original);
    words
}

/// The contracts of all styles beside the native verifier: they must say the same.
struct OnChain {
    chains: Vec<Chain>,
}

struct Chain {
    style: Style,
    simulator: Simulator,
    honest_gas: u64,
    most_gas: u64,
}

impl OnChain {
    fn new(keyed: &Keyed) -> Option<Self> {
        has_solc().then(|| {
            let chains = [Style::Compact, Style::Embedded, Style::Reference].map(|style| {
                let mut simulator = Simulator::deploy(&keyed.contract_of(style).build.compiled).unwrap();
                let report = simulator.verify(&keyed.proof.proof, &keyed.proof.words()).unwrap();
                assert!(report.outcome.is_accepted(), "{style:?}: {}", report.outcome);
                Chain {
                    style,
                    simulator,
                    honest_gas: report.transaction_gas,
                    most_gas: 0,
                }
            });
            Self { chains: chains.into() }
        })
    }

    fn assert_accepted(&mut self, proof: &Proof) {
        for chain in &mut self.chains {
            let report = chain.simulator.verify(&proof.proof, &proof.words()).unwrap();
            assert!(report.outcome.is_accepted(), "{:?}: {}", chain.style, report.outcome);
        }
    }

    /// Rejected by all of them, with the same error and arguments, which is returned.
    fn assert_rejected(&mut self, what: &str, proof: &[u8], inputs: &[U256], expected: Rejection) -> String {
        let mut said: Option<String> = None;
        for chain in &mut self.chains {
            let style = chain.style;
            let report = chain.simulator.verify(proof, inputs).unwrap();
            let reason = report.outcome.reason().and_then(|reason| reason.rejection());
            assert_eq!(reason, Some(expected), "{what}, {style:?}: {}", report.outcome);
            chain.most_gas = chain.most_gas.max(report.transaction_gas);
            assert!(
                report.transaction_gas < chain.honest_gas + GAS_ABOVE_HONEST,
                "{what}, {style:?}: {} gas",
                report.transaction_gas
            );
            // How long the calldata should have been depends on the arguments in front of it.
            let outcome = report.outcome.to_string();
            assert_eq!(
                said.get_or_insert_with(|| outcome.clone()),
                &outcome,
                "{what}, {style:?}"
            );
        }
        said.unwrap_or_default()
    }
}

/// Rejected by both native verifiers with this error, and by the contract with the reason that belongs to it.
fn assert_rejected(
    keyed: &Keyed,
    on_chain: &mut Option<OnChain>,
    what: &str,
    proof: &[u8],
    inputs: &[Fr],
    expected: &VerifyError,
) {
    let verdict = keyed.verdict(proof, inputs);
    assert_eq!(verdict.as_ref(), Err(expected), "{what}");
    if let Some(on_chain) = on_chain {
        let rejection = match expected {
            VerifyError::Rejected => Rejection::InvalidProof,
            _ => Rejection::MalformedInput,
        };
        let words: Vec<U256> = inputs.iter().copied().map(word).collect();
        on_chain.assert_rejected(what, proof, &words, rejection);
    }
}

#[test]
fn honest_proofs_are_accepted_by_every_verifier() {
    for example in MODELS {
        let keyed = example.keyed();
        let inputs = &keyed.inference.public_inputs;
        assert_eq!(keyed.verdict(&keyed.proof.proof, inputs), Ok(()));
        keyed.proof.verify(&keyed.keys.verifying).unwrap();
        keyed.keys.verifying.known.verify(&keyed.keys.verifying).unwrap();
        // Another proof of the same statement: other blinding, other bytes, the same verdict.
        let again = keyed.prove_with(keyed.context);
        assert_ne!(again.proof, keyed.proof.proof, "the blinding is not random");
        assert_eq!(again.public_inputs, keyed.proof.public_inputs);
        assert_eq!(keyed.verdict(&again.proof, inputs), Ok(()));
        if let Some(mut on_chain) = OnChain::new(keyed) {
            on_chain.assert_accepted(&again);
        }
    }
}

#[test]
fn every_word_of_a_proof_counts() {
    for example in MODELS {
        let keyed = example.keyed();
        let mut on_chain = OnChain::new(keyed);
        let proof = &keyed.proof.proof;
        let inputs = &keyed.inference.public_inputs;
        let layout = keyed.source().layout;
        assert_eq!(layout.proof_length(), proof.len());
        let mut tried = 0;
        for (offset, kind) in layout.items() {
            for position in (offset..offset + kind.bytes()).step_by(32) {
                for (change, value) in other_words(read(proof, position)) {
                    let expected = match kind {
                        WordKind::Scalar if value < scalar_modulus() => VerifyError::Rejected,
                        _ => VerifyError::MalformedProof,
                    };
                    let changed = with_word(proof, position, value);
                    let what = format!("{example:?}: {kind:?} at {position}, {change}");
                    assert_rejected(keyed, &mut on_chain, &what, &changed, inputs, &expected);
                    tried += 1;
                }
            }
            if kind == WordKind::Point {
                // Still points of the curve: the opposite one, and the generator.
                let opposite = with_word(proof, offset + 32, base_modulus() - read(proof, offset + 32));
                let generator = with_word(&with_word(proof, offset, U256::from(1)), offset + 32, U256::from(2));
                for (change, changed) in [("negated", opposite), ("generator", generator)] {
                    let what = format!("{example:?}: point at {offset}, {change}");
                    assert_rejected(keyed, &mut on_chain, &what, &changed, inputs, &VerifyError::Rejected);
                    tried += 1;
                }
                // The identity is a point to the native verifier and malformed to the contract; neither accepts it.
                let mut identity = proof.clone();
                identity[offset..offset + 64].fill(0);
                let what = format!("{example:?}: identity at {offset}");
                assert!(keyed.verdict(&identity, inputs).is_err(), "{what}");
                if let Some(on_chain) = &mut on_chain {
                    let words = keyed.proof.words();
                    on_chain.assert_rejected(&what, &identity, &words, Rejection::MalformedInput);
                }
                tried += 1;
            }
        }
        // Two points of the proof, each in the other's place.
        let points: Vec<usize> = layout
            .items()
            .filter(|(_, kind)| *kind == WordKind::Point)
            .map(|(offset, _)| offset)
            .collect();
        for pair in points.windows(2) {
            let (left, right) = (pair[0], pair[1]);
            let mut swapped = proof.clone();
            swapped[left..left + 64].copy_from_slice(&proof[right..right + 64]);
            swapped[right..right + 64].copy_from_slice(&proof[left..left + 64]);
            let what = format!("{example:?}: points at {left} and {right} swapped");
            assert_rejected(keyed, &mut on_chain, &what, &swapped, inputs, &VerifyError::Rejected);
            tried += 1;
        }
        // Single bits, all over the proof.
        for bit in (0..8 * proof.len()).step_by(101) {
            let mut flipped = proof.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let what = format!("{example:?}: bit {bit} flipped");
            let verdict = keyed.verdict(&flipped, inputs).unwrap_err();
            assert_rejected(keyed, &mut on_chain, &what, &flipped, inputs, &verdict);
            tried += 1;
        }
        let gas = on_chain.map_or_else(
            || "no contract".to_owned(),
            |on_chain| {
                let chains = on_chain.chains.iter();
                let each = chains.map(|chain| {
                    format!(
                        "{:?}: at most {} gas, honest {}",
                        chain.style, chain.most_gas, chain.honest_gas
                    )
                });
                each.collect::<Vec<_>>().join("; ")
            },
        );
        report!(
            "{example:?}: {tried} changed proofs of {} bytes rejected ({gas})",
            proof.len()
        );
        assert!(tried > 500);
    }
}

#[test]
fn proofs_of_another_length_are_refused() {
    let keyed = Example::CreditLogreg.keyed();
    let mut on_chain = OnChain::new(keyed);
    let proof = &keyed.proof.proof;
    let expected = proof.len();
    for length in [
        0,
        1,
        31,
        32,
        64,
        expected - 32,
        expected - 1,
        expected + 1,
        expected + 32,
        2 * expected,
    ] {
        for filler in [0, 0xff] {
            let mut changed = proof.clone();
            changed.resize(length, filler);
            let error = VerifyError::ProofLength { expected, got: length };
            let what = format!("{length} bytes");
            let inputs = &keyed.inference.public_inputs;
            assert_rejected(keyed, &mut on_chain, &what, &changed, inputs, &error);
        }
    }
    for (byte, expected) in [(0, None), (0xff, Some(VerifyError::MalformedProof))] {
        let verdict = keyed.verdict(&vec![byte; proof.len()], &keyed.inference.public_inputs);
        assert!(verdict.is_err(), "a proof of {byte:#x} bytes");
        assert!(expected.is_none() || verdict.err() == expected);
    }
}

#[test]
fn every_public_input_counts() {
    for example in MODELS {
        let keyed = example.keyed();
        let mut on_chain = OnChain::new(keyed);
        let Proof { proof, public_inputs } = &keyed.proof;
        let inputs = &keyed.inference.public_inputs;
        assert_eq!(&encode_public_inputs(inputs), public_inputs);
        let key = &keyed.keys.verifying;
        for index in 0..inputs.len() {
            let changes = [
                Fr::ONE,
                -Fr::ONE,
                -inputs[index],
                Fr::from(1 << 20),
                Fr::from(2).invert().unwrap(),
            ];
            for change in changes.into_iter().filter(|change| *change != Fr::ZERO) {
                let mut changed = inputs.clone();
                changed[index] += change;
                let what = format!("{example:?}: public input {index} + {change:?}");
                assert_rejected(keyed, &mut on_chain, &what, proof, &changed, &VerifyError::Rejected);
            }
            // The same number, written as another word.
            let honest = U256::from_be_bytes(public_inputs[index]);
            for multiple in 1..=4 {
                let alias = honest + U256::from(multiple) * scalar_modulus();
                let mut aliased = keyed.proof.clone();
                aliased.public_inputs[index] = alias.to_be_bytes();
                let error = aliased.verify(key).unwrap_err();
                assert!(
                    matches!(error, Error::Verify(VerifyError::NonCanonicalPublicInput { index: at }) if at == index),
                    "{example:?}: {index} + {multiple}·r: {error}"
                );
                if let Some(on_chain) = &mut on_chain {
                    let outcome = on_chain.assert_rejected("alias", proof, &aliased.words(), Rejection::MalformedInput);
                    assert!(
                        outcome.contains(&format!("PublicInputNotCanonical(index: {index})")),
                        "{outcome}"
                    );
                }
            }
            for bit in 0..256 {
                let mut flipped = keyed.proof.clone();
                flipped.public_inputs[index][31 - bit / 8] ^= 1 << (bit % 8);
                let canonical = U256::from_be_bytes(flipped.public_inputs[index]) < scalar_modulus();
                // Most bits are of the kind that the loop above covers; the pairing is not computed for all of them.
                if canonical && bit % 16 != 0 {
                    continue;
                }
                let error = flipped.verify(key).unwrap_err();
                let named = match error {
                    Error::Verify(VerifyError::Rejected) => canonical,
                    Error::Verify(VerifyError::NonCanonicalPublicInput { .. }) => !canonical,
                    _ => false,
                };
                assert!(named, "{example:?}: bit {bit} of public input {index}: {error}");
            }
        }
        for left in 0..inputs.len() {
            for right in left + 1..inputs.len() {
                if inputs[left] != inputs[right] {
                    let mut swapped = inputs.clone();
                    swapped.swap(left, right);
                    let what = format!("{example:?}: public inputs {left} and {right} swapped");
                    assert_rejected(keyed, &mut on_chain, &what, proof, &swapped, &VerifyError::Rejected);
                }
            }
        }
        let expected = inputs.len();
        for got in [0, 1, expected - 1, expected + 1, 2 * expected] {
            let mut changed = inputs.clone();
            changed.resize(got, Fr::ZERO);
            let error = VerifyError::PublicInputCount { expected, got };
            let what = format!("{example:?}: {got} public inputs");
            assert_rejected(keyed, &mut on_chain, &what, proof, &changed, &error);
        }
    }
}

/// Rule 7: no gate reads the context, and yet nobody can replace it.
#[test]
fn a_proof_is_bound_to_its_context() {
    let keyed = Example::CreditLogreg.keyed();
    let mut on_chain = OnChain::new(keyed);
    let inputs = &keyed.inference.public_inputs;
    assert_eq!(inputs[0], keyed.context);
    let other_context = Fr::from(0xbad);
    let other = keyed.prove_with(other_context);
    let mut other_inputs = inputs.clone();
    other_inputs[0] = other_context;
    assert_eq!(keyed.verdict(&other.proof, &other_inputs), Ok(()));
    for (what, proof, inputs) in [
        ("a proof under another context", &keyed.proof.proof, &other_inputs),
        ("another context's proof under this one", &other.proof, inputs),
    ] {
        assert_rejected(keyed, &mut on_chain, what, proof, inputs, &VerifyError::Rejected);
    }
    // Extreme contexts are as good as any.
    for context in [Fr::ZERO, -Fr::ONE] {
        let proof = keyed.prove_with(context);
        proof.verify(&keyed.keys.verifying).unwrap();
        assert_eq!(Fr::from_repr(word(context).to_le_bytes()).unwrap(), context);
    }
}

#[test]
fn a_proof_of_another_model_is_rejected() {
    let keyed = Example::CreditLogreg.keyed();
    let mut on_chain = OnChain::new(keyed);
    let other = Example::DiagnosisMlp.keyed();
    let error = other
        .keys
        .verifying
        .key
        .verify(&keyed.proof.proof, &keyed.inference.public_inputs)
        .unwrap_err();
    report!("a proof of another shape: {error}");
    assert_ne!(error, VerifyError::MalformedKey);

    // The same shape and size with other numbers: only the points of the key differ.
    let samples = keyed
        .pipeline
        .model
        .samples(&Example::CreditLogreg.folder().join("calibration.json"), &[])
        .unwrap();
    let mut calibration = keyed.pipeline.calibration.clone();
    calibration.calibration =
        Calibration::measure(&keyed.pipeline.model.graph, &samples, 2.0 * Calibration::DEFAULT_MARGIN).unwrap();
    let shape = keyed.pipeline.planned.file.plan.shape;
    let options = CompileOptions {
        limb_bits: Some(shape.limb_bits),
        lanes: Some(shape.lanes),
        ..CompileOptions::default()
    };
    let planned = compile(&keyed.pipeline.model, &calibration, &options).unwrap();
    assert_eq!(planned.file.plan.k, keyed.pipeline.planned.file.plan.k);
    let twin = Keyed::new(
        Pipeline {
            model: keyed.pipeline.model.clone(),
            calibration,
            planned,
        },
        keyed.sample.clone(),
    );
    assert_eq!(twin.proof.proof.len(), keyed.proof.proof.len());
    assert_ne!(twin.keys.verifying.key.digest(), keyed.keys.verifying.key.digest());
    let inputs = &twin.inference.public_inputs;
    assert_rejected(
        keyed,
        &mut on_chain,
        "the twin's proof",
        &twin.proof.proof,
        inputs,
        &VerifyError::Rejected,
    );
    let inputs = &keyed.inference.public_inputs;
    assert_eq!(twin.verdict(&keyed.proof.proof, inputs), Err(VerifyError::Rejected));
    // A proving key of the twin is refused with this circuit, or makes no proof that anybody gets to see.
    let mixed = zkverdict::prove(&keyed.pipeline.planned.file, &twin.keys.proving, &keyed.sample, Fr::ONE);
    assert!(
        matches!(mixed, Err(Error::Prover(_))),
        "{:?}",
        mixed.map(|(proof, _)| proof)
    );
}
