//! A small two-phase circuit, its keys on a development SRS, real proofs, and the native verifier's opinion.

use std::sync::OnceLock;

use alloy::primitives::U256;
use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner, Value},
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::{Field, PrimeField},
    },
    plonk::{
        Advice, Challenge, Circuit, Column, ConstraintSystem, Error, FirstPhase, Fixed, Instance, ProvingKey,
        SecondPhase, Selector, create_proof, keygen_pk, keygen_vk, verify_proof,
    },
    poly::{
        Rotation,
        commitment::ParamsProver,
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::{ProverSHPLONK, VerifierSHPLONK},
            strategy::SingleStrategy,
        },
    },
    transcript::{TranscriptReadBuffer, TranscriptWriterBuffer},
};
use rand::{
    RngCore, SeedableRng,
    rngs::{StdRng, mock::StepRng},
};
use snark_verifier::system::halo2::{Config, compile, transcript::evm::EvmTranscript};
use zkverdict_evm::{KnownProof, VerifiedBuild, build_verified};
use zkverdict_solidity::{ContractMetadata, SolcChoice, VerifierSource, generate_reference, raw_reference};
use zkverdict_verifier::VerifyingKey;

const K: u32 = 6;
const ROWS: usize = 8;
const PUBLIC_INPUTS: usize = 3;

/// `out = weight·a·b` in every row, and `c = a + γ·b` with a challenge γ that both were committed before.
#[derive(Clone)]
struct Toy<const MINIMUM_DEGREE: usize> {
    weight: u64,
    a: Value<Fr>,
    b: Value<Fr>,
}

#[derive(Clone)]
struct ToyConfig {
    q_toy: Selector,
    weight: Column<Fixed>,
    a: Column<Advice>,
    b: Column<Advice>,
    out: Column<Advice>,
    c: Column<Advice>,
    gamma: Challenge,
    instance: Column<Instance>,
}

impl<const MINIMUM_DEGREE: usize> Circuit<Fr> for Toy<MINIMUM_DEGREE> {
    type Config = ToyConfig;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        Self {
            weight: self.weight,
            a: Value::unknown(),
            b: Value::unknown(),
        }
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> ToyConfig {
        if MINIMUM_DEGREE != 0 {
            meta.set_minimum_degree(MINIMUM_DEGREE);
        }
        let q_toy = meta.selector();
        let weight = meta.fixed_column();
        let [a, b, out] = [(); 3].map(|()| meta.advice_column_in(FirstPhase));
        let gamma = meta.challenge_usable_after(FirstPhase);
        let c = meta.advice_column_in(SecondPhase);
        let instance = meta.instance_column();
        meta.enable_equality(out);
        // With two equality columns the permutation's degree is 4, and so is the gates'.
        if MINIMUM_DEGREE == 0 {
            meta.enable_equality(a);
        }
        meta.enable_equality(instance);
        meta.create_gate("weighted product and random combination", |meta| {
            let q_toy = meta.query_selector(q_toy);
            let weight = meta.query_fixed(weight, Rotation::cur());
            let [a, b, out, c] = [a, b, out, c].map(|column| meta.query_advice(column, Rotation::cur()));
            let gamma = meta.query_challenge(gamma);
            vec![
                q_toy.clone() * (weight * a.clone() * b.clone() - out),
                q_toy * (a + gamma * b - c),
            ]
        });
        ToyConfig {
            q_toy,
            weight,
            a,
            b,
            out,
            c,
            gamma,
            instance,
        }
    }

    fn synthesize(&self, config: ToyConfig, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let weight = Fr::from(self.weight);
        let cells = layouter.assign_region(
            || "toy",
            |mut region| {
                let mut first = None;
                for row in 0..ROWS {
                    config.q_toy.enable(&mut region, row)?;
                    region.assign_fixed(config.weight, row, weight);
                    let a = self.a.map(|a| a + Fr::from(row as u64));
                    let a_cell = region.assign_advice(config.a, row, a).cell();
                    region.assign_advice(config.b, row, self.b);
                    let out = a * self.b * Value::known(weight);
                    let out_cell = region.assign_advice(config.out, row, out).cell();
                    first.get_or_insert((a_cell, out_cell));
                }
                region.next_phase();
                let gamma = region.get_challenge(config.gamma);
                for row in 0..ROWS {
                    let a = self.a.map(|a| a + Fr::from(row as u64));
                    region.assign_advice(config.c, row, a + gamma * self.b);
                }
                Ok(first)
            },
        )?;
        // Row 0 of the instance is the context: no gate reads it, only the transcript does.
        if let Some((a, out)) = cells {
            if MINIMUM_DEGREE == 0 {
                layouter.constrain_instance(a, config.instance, 1);
            }
            layouter.constrain_instance(out, config.instance, 2);
        }
        Ok(())
    }
}

/// One toy model: its keys, and everything that follows from them.
pub(crate) type ToyModel = ToyModelOfDegree<0>;

/// A toy model whose constraint system asks for a degree of its own; 0 asks for none.
pub(crate) struct ToyModelOfDegree<const MINIMUM_DEGREE: usize> {
    weight: u64,
    params: ParamsKZG<Bn256>,
    pk: ProvingKey<G1Affine>,
}

impl<const MINIMUM_DEGREE: usize> ToyModelOfDegree<MINIMUM_DEGREE> {
    pub(crate) fn new(weight: u64) -> Self {
        let params = ParamsKZG::<Bn256>::setup(K, StdRng::seed_from_u64(7));
        let circuit = Toy::<MINIMUM_DEGREE> {
            weight,
            a: Value::unknown(),
            b: Value::unknown(),
        };
        let vk = keygen_vk(&params, &circuit).unwrap();
        let pk = keygen_pk(&params, vk, &circuit).unwrap();
        Self { weight, params, pk }
    }

    /// The product's verifying key, which is what contracts are generated from.
    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        let config = Config::kzg().with_num_instance(vec![PUBLIC_INPUTS]);
        let protocol = compile(&self.params, self.pk.get_vk(), config);
        VerifyingKey::new(protocol, self.params.get_g()[0], self.params.g2(), self.params.s_g2())
    }

    pub(crate) fn source(&self) -> VerifierSource {
        let metadata = ContractMetadata {
            contract_name: "ToyVerifier".to_owned(),
            model: "a toy with two phases".to_owned(),
            srs: "UNSAFE development SRS".to_owned(),
            circuit_digest: [0x11; 32],
        };
        generate_reference(&self.verifying_key(), &metadata).unwrap()
    }

    pub(crate) fn raw_source(&self) -> VerifierSource {
        raw_reference(&self.verifying_key()).unwrap()
    }

    pub(crate) fn prove(&self, context: u64, a: u64, b: u64) -> KnownProof {
        self.prove_in(U256::from(context), a, b)
    }

    /// A proof for a context of any size below the group order.
    pub(crate) fn prove_in(&self, context: U256, a: u64, b: u64) -> KnownProof {
        self.prove_with(context, a, b, StdRng::seed_from_u64(context.as_limbs()[0]))
    }

    /// A proof of zeros from a prover whose randomness is zero, so that it commits to the identity; halo2 accepts it.
    pub(crate) fn prove_without_blinding(&self) -> (Vec<u8>, Vec<U256>) {
        let KnownProof { proof, public_inputs } = self.prove_with(U256::from(1), 0, 0, StepRng::new(0, 0));
        assert!(self.halo2_accepts(&proof, &public_inputs.iter().filter_map(from_u256).collect::<Vec<_>>()));
        (proof, public_inputs)
    }

    fn prove_with(&self, context: U256, a: u64, b: u64, randomness: impl RngCore) -> KnownProof {
        let [a, b] = [a, b].map(Fr::from);
        let circuit = Toy::<MINIMUM_DEGREE> {
            weight: self.weight,
            a: Value::known(a),
            b: Value::known(b),
        };
        let context = from_u256(&context).expect("contexts are below the group order");
        let instances = [context, a, Fr::from(self.weight) * a * b];
        let mut transcript = TranscriptWriterBuffer::<_, G1Affine, _>::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, EvmTranscript<_, _, _, _>, _>(
            &self.params,
            &self.pk,
            &[circuit],
            &[&[&instances]],
            randomness,
            &mut transcript,
        )
        .unwrap();
        KnownProof {
            proof: transcript.finalize(),
            public_inputs: instances.map(to_u256).to_vec(),
        }
    }

    /// Whether halo2's own verifier accepts, with canonical public inputs and the whole proof read. The product's native
    /// verifier must say the same.
    pub(crate) fn native_accepts(&self, proof: &[u8], public_inputs: &[U256]) -> bool {
        let Some(instances) = public_inputs.iter().map(from_u256).collect::<Option<Vec<Fr>>>() else {
            return false;
        };
        if instances.len() != PUBLIC_INPUTS {
            return false;
        }
        let accepted = self.halo2_accepts(proof, &instances);
        let native = self.verifying_key().verify(proof, &instances).is_ok();
        assert_eq!(native, accepted, "the native verifier and halo2 disagree");
        accepted
    }

    fn halo2_accepts(&self, proof: &[u8], instances: &[Fr]) -> bool {
        let mut rest = proof;
        let mut transcript: EvmTranscript<G1Affine, _, _, _> = TranscriptReadBuffer::<_, G1Affine, _>::init(&mut rest);
        let accepted = verify_proof::<
            KZGCommitmentScheme<Bn256>,
            VerifierSHPLONK<'_, Bn256>,
            _,
            EvmTranscript<_, _, _, _>,
            SingleStrategy<'_, Bn256>,
        >(
            &self.params,
            self.pk.get_vk(),
            SingleStrategy::new(&self.params),
            &[&[instances]],
            &mut transcript,
        )
        .is_ok();
        accepted && rest.is_empty()
    }
}

/// A model, its contract, and a proof that both verifiers accept; made once for all tests.
pub(crate) struct Fixture {
    pub(crate) model: ToyModel,
    pub(crate) source: VerifierSource,
    pub(crate) build: VerifiedBuild,
    pub(crate) known: KnownProof,
}

pub(crate) fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let model = ToyModel::new(5);
        let source = model.source();
        let known = model.prove(1234, 11, 13);
        let build = build_verified(&source, &known, &SolcChoice::default()).unwrap();
        Fixture {
            model,
            source,
            build,
            known,
        }
    })
}

fn to_u256(value: Fr) -> U256 {
    U256::from_le_bytes(value.to_repr())
}

fn from_u256(value: &U256) -> Option<Fr> {
    Option::from(Fr::from_repr(value.to_le_bytes::<32>()))
}

/// The order of the scalar field.
pub(crate) fn scalar_modulus() -> U256 {
    to_u256(-Fr::ONE) + U256::from(1)
}
