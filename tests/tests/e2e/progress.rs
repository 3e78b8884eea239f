//! What an observer of a proof is told, and that it changes nothing.

use halo2_proofs::{
    SerdeFormat,
    halo2curves::bn256::{Bn256, G1Affine},
    plonk::{self, create_proof},
    poly::{
        commitment::Params,
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::ProverSHPLONK,
        },
    },
};
use rand::{SeedableRng, rngs::StdRng};
use snark_verifier::{loader::native::NativeLoader, system::halo2::transcript::evm::EvmTranscript};
use zkverdict::{
    Keys,
    circuits::{ModelCircuit, Salts},
    prover::{Progress, Stage, prove_observed},
};

use crate::support::{Example, Keyed};

const OF_PROOF: [Stage; 7] = [
    Stage::Witness,
    Stage::Commitments,
    Stage::Lookup,
    Stage::Permutation,
    Stage::Quotient,
    Stage::Opening,
    Stage::Check,
];

fn randomness() -> StdRng {
    StdRng::seed_from_u64(7_992)
}

fn observed(keyed: &Keyed) -> (Vec<u8>, Vec<Progress>) {
    let mut told = Vec::new();
    let proven = prove_observed(
        &keyed.pipeline.planned.file.compiled,
        &keyed.keys.proving,
        &keyed.sample,
        keyed.context,
        &Salts::default(),
        None,
        randomness(),
        &mut |progress| told.push(progress),
    )
    .unwrap();
    (proven.proof, told)
}

/// What of a proof follows from the randomness that halo2 is given: the columns and the products. The random polynomial after
/// them it takes from randomness of its own.
fn determined<'a>(keyed: &Keyed, proof: &'a [u8]) -> &'a [u8] {
    let points: usize = keyed.keys.verifying.key.protocol.num_witness.iter().sum();
    &proof[..64 * (points - 1)]
}

/// What halo2 makes with the same randomness when its transcript is not looked at.
fn unobserved(keyed: &Keyed) -> Vec<u8> {
    let model = &keyed.pipeline.planned.file.compiled;
    let bytes = keyed.keys.proving.to_bytes();
    let mut rest = bytes.as_slice();
    let srs = ParamsKZG::<Bn256>::read_custom(&mut rest, SerdeFormat::RawBytes).unwrap();
    assert_eq!(srs.k(), model.k);
    let format = SerdeFormat::RawBytes;
    let key = plonk::ProvingKey::<G1Affine>::from_bytes::<ModelCircuit>(rest, format, model.shape()).unwrap();
    let cells = &keyed.inference.cells;
    let mut transcript = EvmTranscript::<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>::new(Vec::new());
    create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
        &srs,
        &key,
        &[model.circuit_with(cells, &Salts::default()).unwrap()],
        &[&[&model.instance(cells, &Salts::default(), keyed.context).unwrap()]],
        randomness(),
        &mut transcript,
    )
    .unwrap();
    transcript.finalize()
}

fn assert_ordered(told: &[Progress], stages: &[Stage]) {
    let mut seen: Vec<Stage> = told.iter().map(|progress| progress.stage).collect();
    seen.dedup();
    assert_eq!(seen, stages);
    assert!(
        told.iter().all(|progress| (0.0..=1.0).contains(&progress.done)),
        "{told:?}"
    );
    assert!(told.is_sorted_by(|left, right| left.done <= right.done), "{told:?}");
}

#[test]
fn observing_a_proof_does_not_change_it() {
    for example in [Example::CreditLogreg, Example::CreditGbdt] {
        let keyed = example.keyed();
        let (proof, told) = observed(keyed);
        let plain = unobserved(keyed);
        assert_eq!(determined(keyed, &proof), determined(keyed, &plain), "{example:?}");
        assert_eq!(proof.len(), plain.len());
        let inputs = &keyed.inference.public_inputs;
        keyed.keys.verifying.key.verify(&plain, inputs).unwrap();
        keyed.keys.verifying.key.verify(&proof, inputs).unwrap();
        assert_ordered(&told, &OF_PROOF);
    }
}

#[test]
fn an_observer_of_keys_sees_their_first_proof_too() {
    let keyed = Example::CreditLogreg.keyed();
    let mut told = Vec::new();
    let observer = &mut |progress| told.push(progress);
    Keys::generate_observed(&keyed.pipeline.planned.file, &keyed.srs, observer).unwrap();
    let stages: Vec<Stage> = [Stage::VerifyingKey, Stage::ProvingKey]
        .into_iter()
        .chain(OF_PROOF)
        .collect();
    assert_ordered(&told, &stages);
}
