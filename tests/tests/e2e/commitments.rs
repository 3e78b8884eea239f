//! Committed inputs and outputs: the hash against another implementation, the circuit against liars, the whole road with
//! more values than any contract could show.

use ark_ff::{BigInteger as _, PrimeField as _};
use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, FromUniformBytes, PrimeField},
};
use light_poseidon::{Poseidon, PoseidonHasher};
use rand::{Rng, RngCore};
use zkverdict::{
    circuits::{
        AdviceColumn, CircuitError, Commitment, CommittedValue, Layout, PublicInputs, Salts, Side, Trace, Visibility,
        chips::poseidon, sponge,
    },
    models::{Format, Graph, Program},
};

use crate::support::{
    graphs::{attention, everything, forest, mlp, rng, samples},
    report,
    traces::{Case, power_of_two},
};

const INPUTS: PublicInputs = PublicInputs {
    inputs: Visibility::Committed,
    outputs: Visibility::Public,
};
const OUTPUTS: PublicInputs = PublicInputs {
    inputs: Visibility::Private,
    outputs: Visibility::Committed,
};
const BOTH: PublicInputs = PublicInputs {
    inputs: Visibility::Committed,
    outputs: Visibility::Committed,
};

fn random(rng: &mut impl RngCore) -> Fr {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    Fr::from_uniform_bytes(&bytes)
}

/// The sponge over the published permutation, by a crate with tables of its own.
fn published(tag: Fr, elements: &[Fr]) -> Fr {
    let to = |number: &Fr| ark_bn254::Fr::from_le_bytes_mod_order(number.to_repr().as_ref());
    let mut carried = to(&tag);
    for pair in elements.chunks(2) {
        let mut absorbed: Vec<_> = pair.iter().map(to).collect();
        absorbed.resize(2, ark_bn254::Fr::from(0));
        let mut hasher = Poseidon::<ark_bn254::Fr>::with_domain_tag_circom(2, carried).unwrap();
        carried = hasher.hash(&absorbed).unwrap();
    }
    let mut repr = [0; 32];
    repr.copy_from_slice(&carried.into_bigint().to_bytes_le());
    Fr::from_repr(repr).unwrap()
}

#[test]
fn the_hash_is_the_published_one() {
    let mut rng = rng(3);
    for length in 0..8 {
        let elements: Vec<Fr> = (0..length).map(|_| random(&mut rng)).collect();
        let tag = random(&mut rng);
        assert_eq!(sponge(tag, &elements), published(tag, &elements), "{length} elements");
    }
}

#[test]
fn committed_circuits_accept_the_truth() {
    for graph in [
        mlp(3, &[4], &mut rng(8)),
        everything(&mut rng(7)),
        attention(&mut rng(19)),
        forest(3, 3, 3, &mut rng(3)),
    ] {
        for public in [INPUTS, OUTPUTS, BOTH] {
            for lanes in [1, 2, 4, 8] {
                let case = Case::graph_showing(&graph, 8, lanes, public);
                for sample in samples(&graph, 2, &mut rng(42)) {
                    let cells = case.cells(&sample);
                    case.assert_accepts(case.trace(&cells), case.instance(&cells));
                }
            }
        }
    }
}
