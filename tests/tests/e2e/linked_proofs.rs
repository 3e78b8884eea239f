//! Proofs of linked models on their whole road, and forgers who link them to what they did not run on.

use halo2_proofs::{
    arithmetic::{eval_polynomial, kate_division},
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::Field,
        group::Curve,
    },
    plonk::{self, create_proof, keygen_pk, keygen_vk},
    poly::{
        commitment::{Blind, Params, ParamsProver},
        kzg::{commitment::KZGCommitmentScheme, multiopen::ProverSHPLONK},
    },
    transcript::{EncodedChallenge, Transcript, TranscriptWrite, TranscriptWriterBuffer},
};
use rand::{SeedableRng, rngs::StdRng};
use snark_verifier::{loader::native::NativeLoader, system::halo2::transcript::evm::EvmTranscript};
use zkverdict::{
    CalibrationFile, CircuitFile, CompileOptions, ContractFile, Error, Keys, Model, Proof, Role, SecretModel, Style,
    VerifyingKeyFile,
    circuits::{Layout, ModelCircuit, PublicInputs, Salts, Trace, Visibility, usable_rows},
    compile,
    evm::{Rejection, Simulator, U256},
    models::Calibration,
    prove,
    solidity::SolcChoice,
    srs::Srs,
    verifier::{VerifyError, encode_public_inputs, linked_commitment, point_bytes},
};

use crate::{
    committed_models::retrained,
    support::{Example, Sample, base_modulus, development_srs, has_solc, report, scalar_modulus},
};

const LINKED: PublicInputs = PublicInputs {
    model: Visibility::Linked,
    ..PublicInputs::DEFAULT
};

/// Two linked models of one circuit, with its keys.
struct Pair {
    srs: Srs,
    keys: Keys,
    ours: CircuitFile,
    theirs: CircuitFile,
    sample: Sample,
}

impl Pair {
    /// A logistic regression and one with other weights.
    fn new(lanes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let other = retrained(folder.path(), "theirs.onnx", |size| {
            0.2 + (size.to_bits() % 100) as f32 / 125.0
        });
        Self::of(Example::CreditLogreg, Some(lanes), &other)
    }

    fn of(example: Example, lanes: Option<usize>, other: &Model) -> Self {
        let model = Model::load(&example.folder().join(example.file()).with_extension("onnx")).unwrap();
        let samples = model.samples(&example.folder().join("calibration.json"), &[]).unwrap();
        let calibration = CalibrationFile::measure(&model, &samples, Calibration::DEFAULT_MARGIN).unwrap();
        let options = CompileOptions {
            public: LINKED,
            lanes,
            ..CompileOptions::default()
        };
        let circuit = compile(&model, &calibration, &options).unwrap().file;
        let srs = development_srs(circuit.compiled.k);
        let keys = Keys::generate(&circuit, &srs).unwrap();
        let registered = |mut secret: SecretModel| {
            secret.register(&circuit, &keys.proving).unwrap();
            circuit.clone().with_model(&secret).unwrap()
        };
        let theirs = registered(SecretModel::of(&circuit, other).unwrap());
        let ours = registered(circuit.secret.clone().unwrap());
        let sample = model.samples(&example.borderline(), &[]).unwrap().remove(0);
        Self {
            srs,
            keys,
            ours,
            theirs,
            sample,
        }
    }

    fn prove(&self, circuit: &CircuitFile, context: u64) -> Proof {
        prove(circuit, &self.keys.proving, &self.sample, Fr::from(context))
            .unwrap()
            .0
    }

    fn chains(&self, proof: &Proof) -> Vec<Simulator> {
        if !has_solc() {
            return Vec::new();
        }
        let chains = [Style::Compact, Style::Embedded].map(|style| {
            let contract =
                ContractFile::build(&self.keys.verifying, "Verifier", style, &SolcChoice::default()).unwrap();
            let mut simulator = Simulator::deploy(&contract.build.compiled).unwrap();
            let report = simulator.verify(&proof.proof, &proof.words()).unwrap();
            assert!(report.outcome.is_accepted(), "{style:?}: {}", report.outcome);
            simulator
        });
        chains.into()
    }
}

/// Rejected by the native verifier and by all contracts, for the same reason.
fn assert_rejected(what: &str, proof: &Proof, key: &VerifyingKeyFile, chains: &mut [Simulator]) {
    let verdict = proof.verify(key);
    let expected = match &verdict {
        Err(Error::Verify(VerifyError::Rejected)) => Rejection::InvalidProof,
        Err(Error::Verify(_)) => Rejection::MalformedInput,
        verdict => panic!("{what}: {verdict:?}"),
    };
    for chain in chains {
        let report = chain.verify(&proof.proof, &proof.words()).unwrap();
        let reason = report.outcome.reason().and_then(|reason| reason.rejection());
        assert_eq!(
            reason,
            Some(expected),
            "{what}: {} but natively {verdict:?}",
            report.outcome
        );
    }
}

#[test]
fn linked_models_share_circuit_key_and_contract() {
    let trees = Example::CreditGbdt;
    let same = Model::load(&trees.folder().join(trees.file()).with_extension("onnx")).unwrap();
    let regressions = [1, 2, 4].map(Pair::new);
    for pair in regressions.iter().chain([&Pair::of(trees, None, &same)]) {
        let key = &pair.keys.verifying;
        let roles: Vec<Role> = key.schema.iter().map(|field| field.role).collect();
        assert_eq!(roles[..2], [Role::Context, Role::ModelCommitment]);
        let (proof, forged) = (pair.prove(&pair.ours, 5), pair.prove(&pair.theirs, 5));
        assert_eq!(proof.proof.len(), pair.ours.plan.proof_bytes);
        for (circuit, proof) in [(&pair.ours, &proof), (&pair.theirs, &forged)] {
            proof.verify(key).unwrap();
            let commitment = circuit.secret.as_ref().unwrap().commitment(circuit).unwrap();
            assert_eq!(proof.public_inputs[1], commitment);
        }
        assert_ne!(proof.public_inputs[1], forged.public_inputs[1]);
        let again = pair.prove(&pair.ours, 6);
        assert_eq!(again.public_inputs[1], proof.public_inputs[1]);
        assert_ne!(again.proof[..64], proof.proof[..64], "columns are blinded anew");

        let mut chains = pair.chains(&proof);
        for chain in &mut chains {
            for proof in [&forged, &again] {
                let report = chain.verify(&proof.proof, &proof.words()).unwrap();
                assert!(report.outcome.is_accepted(), "{}", report.outcome);
            }
        }
        if let Some(chain) = chains.first_mut() {
            let honest = [&proof, &forged, &again].map(Proof::known);
            assert!(chain.verify_batch(&honest).unwrap().outcome.is_accepted());
            let mut replaced = forged.clone();
            replaced.public_inputs[1] = proof.public_inputs[1];
            let mixed = [&proof, &replaced].map(Proof::known);
            assert!(!chain.verify_batch(&mixed).unwrap().outcome.is_accepted());
            let report = chain.verify(&proof.proof, &proof.words()).unwrap();
            let plan = &pair.ours.plan;
            let code = chain.code().len();
            report!(
                "linked {}: {} gas (predicted {}), {code} bytes of code (predicted {})",
                plan.shape,
                report.transaction_gas,
                plan.verify_gas,
                plan.code_bytes
            );
            let close = |got: f64, predicted: f64| (got / predicted - 1.0).abs() < 0.05;
            assert!(close(report.transaction_gas as f64, plan.verify_gas as f64));
            assert!(close(code as f64, plan.code_bytes as f64));
        }
        // Another model under the registered commitment.
        let mut replaced = forged.clone();
        replaced.public_inputs[1] = proof.public_inputs[1];
        assert_rejected("another model under the commitment", &replaced, key, &mut chains);
        // The link of one proof behind another: of the same model, of another context, of another model.
        let link = 64 * (pair.ours.compiled.shape().link.unwrap().models + 2);
        let start = proof.proof.len() - link;
        for (what, from) in [("the same model's", &again), ("another model's", &forged)] {
            let mut replayed = proof.clone();
            replayed.proof[start..].copy_from_slice(&from.proof[start..]);
            assert_rejected(&format!("{what} link, replayed"), &replayed, key, &mut chains);
            let mut mixed = proof.clone();
            mixed.proof[start + link - 128..].copy_from_slice(&from.proof[start + link - 128..]);
            assert_rejected(&format!("{what} quotient and opening"), &mixed, key, &mut chains);
        }
        let secret = |circuit: &CircuitFile| circuit.secret.clone().unwrap();
        if secret(&pair.ours).parameters != secret(&pair.theirs).parameters {
            let mut mixed = pair.theirs.clone();
            mixed.secret = pair.ours.secret.clone();
            let refused = prove(&mixed, &pair.keys.proving, &pair.sample, Fr::from(5)).unwrap_err();
            assert!(
                refused.to_string().contains("not those of the registered model"),
                "{refused}"
            );
        }
        let reference = ContractFile::build(key, "Verifier", Style::Reference, &SolcChoice::default()).unwrap_err();
        assert!(reference.to_string().contains("--style compact"), "{reference}");
    }
}

/// Every word of the link, and of the columns that it is about.
#[test]
fn every_word_of_a_link_counts() {
    let pair = Pair::new(2);
    let proof = pair.prove(&pair.ours, 5);
    let mut chains = pair.chains(&proof);
    let key = &pair.keys.verifying;
    let link = key.key.link.unwrap();
    let start = proof.proof.len() - 64 * (link.columns + 2);
    let own = 64 * link.first..64 * (link.first + link.columns);
    let read = |offset: usize| U256::from_be_slice(&proof.proof[offset..offset + 32]);
    for offset in own.chain(start..proof.proof.len()).step_by(32) {
        let original = read(offset);
        let mut words = vec![U256::ZERO, scalar_modulus(), base_modulus(), U256::MAX];
        words.extend([0, 1, 127, 253, 255].map(|bit| original ^ (U256::from(1) << bit)));
        words.extend(original.checked_add(base_modulus()));
        if offset % 64 == 32 {
            // The other point with the same x.
            words.push(base_modulus() - original);
        }
        for word in words {
            let mut changed = proof.clone();
            changed.proof[offset..offset + 32].copy_from_slice(&word.to_be_bytes::<32>());
            assert_rejected(&format!("word {offset} is {word:#x}"), &changed, key, &mut chains);
        }
    }
    // Points in other places, and points that are none.
    let points: Vec<usize> = (start..proof.proof.len()).step_by(64).collect();
    for left in &points {
        let mut identity = proof.clone();
        identity.proof[*left..left + 64].fill(0);
        assert_rejected("the identity", &identity, key, &mut chains);
        let mut alias = identity.clone();
        alias.proof[left + 32..left + 64].copy_from_slice(&base_modulus().to_be_bytes::<32>());
        assert_rejected("the identity with y = p", &alias, key, &mut chains);
        for right in points.iter().filter(|right| *right > left) {
            let mut swapped = proof.clone();
            swapped.proof[*left..left + 64].copy_from_slice(&proof.proof[*right..right + 64]);
            swapped.proof[*right..right + 64].copy_from_slice(&proof.proof[*left..left + 64]);
            assert_rejected("two points swapped", &swapped, key, &mut chains);
        }
    }
    for length in [proof.proof.len() - 64, start, proof.proof.len() + 64] {
        let mut other = proof.clone();
        other.proof.resize(length, 0);
        assert_rejected("another length", &other, key, &mut chains);
    }
    for bit in [0, 7, 200] {
        let mut other = proof.clone();
        other.public_inputs[1][31 - bit / 8] ^= 1 << (bit % 8);
        assert_rejected("another commitment", &other, key, &mut chains);
    }
}

/// Somebody who knows everything and links a proof to columns of their choice, as well as that can be done.
struct Forger<'a> {
    pair: &'a Pair,
    proving: plonk::ProvingKey<G1Affine>,
    usable: usize,
}

impl<'a> Forger<'a> {
    fn new(pair: &'a Pair) -> Self {
        let circuit = pair.ours.compiled.circuit().unwrap();
        let verifying = keygen_vk(pair.srs.params(), &circuit).unwrap();
        Self {
            pair,
            proving: keygen_pk(pair.srs.params(), verifying, &circuit).unwrap(),
            usable: usable_rows(pair.ours.compiled.shape(), pair.ours.compiled.k),
        }
    }

    /// The columns of a model on all rows, the unusable ones filled up with something.
    fn columns(&self, circuit: &CircuitFile) -> Vec<Vec<Fr>> {
        let mut columns = circuit.compiled.model_columns().unwrap();
        for (index, column) in columns.iter_mut().enumerate() {
            column.resize(1 << circuit.compiled.k, Fr::from(1000 + index as u64));
        }
        columns
    }

    /// Proves with one model, and links the proof to `registered`.
    fn prove(&self, circuit: &CircuitFile, registered: &[Vec<Fr>], change: impl Fn(&mut Trace)) -> Proof {
        let (params, domain) = (self.pair.srs.params(), self.proving.get_vk().get_domain());
        let rows = |values: &[Fr]| domain.lagrange_from_vec(values.to_vec());
        let points: Vec<G1Affine> = registered
            .iter()
            .map(|column| params.commit_lagrange(&rows(column), Blind::default()).to_affine())
            .collect();
        let model = &circuit.compiled;
        let cells = model
            .program
            .execute(&model.program.quantize(&self.pair.sample).unwrap())
            .unwrap();
        let mut instance = model.instance(&cells, &Salts::default(), Fr::from(5)).unwrap();
        instance.insert(1, linked_commitment(&points));
        let layout = Layout::new(&model.program, model.lanes, &model.combined, model.public).unwrap();
        let mut trace = Trace::new(&layout, &model.program, &cells, self.usable);
        change(&mut trace);
        let own = trace.models.clone();
        let circuit = ModelCircuit::new(layout.into(), self.usable).with_trace(trace);
        let mut transcript = EvmTranscript::<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>::new(Vec::new());
        let mut replay = StdRng::seed_from_u64(9);
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            params,
            &self.proving,
            &[circuit],
            &[&[&instance]],
            replay.clone(),
            &mut transcript,
        )
        .unwrap();
        let link = self.pair.keys.verifying.key.link.unwrap();
        let n = 1_usize << model.k;
        let mut draw = || -> Vec<Fr> { (0..link.unusable).map(|_| Fr::random(&mut replay)).collect() };
        (0..link.first).for_each(|_| drop(draw()));
        let own: Vec<Vec<Fr>> = own.into_iter().map(|column| [column, draw()].concat()).collect();
        for (column, bytes) in own.iter().zip(transcript.stream_mut().chunks(64).skip(link.first)) {
            let point = params.commit_lagrange(&rows(column), Blind::default()).to_affine();
            assert_eq!(point_bytes(&point), bytes, "the randomness of the proof is known");
        }
        for point in &points {
            transcript.write_point(*point).unwrap();
        }
        let step: Fr = Transcript::<G1Affine, _>::squeeze_challenge(&mut transcript).get_scalar();
        let mut difference = vec![Fr::ZERO; n];
        for (own, registered) in own.iter().zip(registered).rev() {
            for (sum, (own, registered)) in difference.iter_mut().zip(own.iter().zip(registered)) {
                *sum = *sum * step + own - registered;
            }
        }
        let difference = domain.lagrange_to_coeff(rows(&difference)).to_vec();
        let mut distances = vec![Fr::ONE];
        for row in n - link.unusable..n {
            let point = domain.get_omega().pow_vartime([row as u64]);
            distances.insert(0, Fr::ZERO);
            for index in 1..distances.len() {
                let higher = distances[index];
                distances[index - 1] -= point * higher;
            }
        }
        // The quotient by X^n − 1, whatever is left.
        let mut product = vec![Fr::ZERO; n + link.unusable];
        for (power, distance) in distances.iter().enumerate() {
            for (place, coefficient) in difference.iter().enumerate() {
                product[power + place] += distance * coefficient;
            }
        }
        let mut quotient = product[n..].to_vec();
        quotient.resize(n, Fr::ZERO);
        let commit = |coefficients: &[Fr]| {
            let mut coefficients = coefficients.to_vec();
            coefficients.resize(n, Fr::ZERO);
            params
                .commit(&domain.coeff_from_vec(coefficients), Blind::default())
                .to_affine()
        };
        transcript.write_point(commit(&quotient)).unwrap();
        let point: Fr = Transcript::<G1Affine, _>::squeeze_challenge(&mut transcript).get_scalar();
        let at_point = eval_polynomial(&distances, point);
        let vanishing = point.pow_vartime([n as u64]) - Fr::ONE;
        let opened: Vec<Fr> = difference
            .iter()
            .zip(&quotient)
            .map(|(difference, quotient)| at_point * difference - vanishing * quotient)
            .collect();
        transcript.write_point(commit(&kate_division(&opened, point))).unwrap();
        Proof {
            proof: TranscriptWriterBuffer::<_, G1Affine, _>::finalize(transcript),
            public_inputs: encode_public_inputs(&instance),
        }
    }
}

#[test]
fn a_proof_is_linked_to_the_columns_it_ran_on() {
    let pair = Pair::new(2);
    let forger = Forger::new(&pair);
    let (ours, theirs) = (forger.columns(&pair.ours), forger.columns(&pair.theirs));
    let honest = forger.prove(&pair.ours, &ours, |_| ());
    let key = &pair.keys.verifying;
    honest.verify(key).unwrap();
    let mut chains = pair.chains(&honest);
    for (what, registered, circuit) in [
        ("another model's run, linked to the registered one", &ours, &pair.theirs),
        ("the registered model's run, linked to another", &theirs, &pair.ours),
    ] {
        let forged = forger.prove(circuit, registered, |_| ());
        assert_rejected(what, &forged, key, &mut chains);
    }
    // One column of two.
    let mixed = vec![ours[0].clone(), theirs[1].clone()];
    assert_rejected(
        "half of the model",
        &forger.prove(&pair.ours, &mixed, |_| ()),
        key,
        &mut chains,
    );
    // Columns that differ in one usable row, the last one of them, or in one that no gate reads.
    for row in [0, 1, forger.usable / 2, forger.usable - 1] {
        let mut other = ours.clone();
        other[1][row] += Fr::ONE;
        let forged = forger.prove(&pair.ours, &other, |_| ());
        assert_rejected(&format!("another value in row {row}"), &forged, key, &mut chains);
    }
    // Where both say the same on such rows, and where only rows of randomness differ, nothing is wrong.
    let idle = (0..forger.usable)
        .rev()
        .find(|row| ours.iter().all(|column| column[*row] == Fr::ZERO))
        .unwrap();
    let mut other = ours.clone();
    other[0][idle] = Fr::from(7);
    let noisy = forger.prove(&pair.ours, &other, |trace| trace.models[0][idle] = Fr::from(7));
    noisy.verify(key).unwrap();
    let mut other = ours.clone();
    other[1][forger.usable] += Fr::from(7);
    forger.prove(&pair.ours, &other, |_| ()).verify(key).unwrap();
}
