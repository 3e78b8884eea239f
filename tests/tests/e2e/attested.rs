//! Attested inputs on their whole road: a bureau commits to an applicant's data and signs, the applicant proves, the lender
//! opens a line; on a real chain, and as fixtures of the forge tests, which measure the gas.

use std::fs;

use alloy::{
    primitives::{Address, B256, Bytes, Signature, U256, keccak256},
    sol,
    sol_types::SolValue,
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use serde_json::{Value, json};
use zkverdict::{
    CircuitFile, CompileOptions, ContractFile, Keys, Opening, Proof, SaltFile, Style,
    circuits::{Commitment, Objective, PublicInputs, Side, Visibility},
    compile,
    evm::{Anvil, AnvilOptions, Attestation, EvmError, KeySource, SignedAttestation},
    prove_observed,
    solidity::{SolcChoice, compact::key_init_code},
};

use crate::support::{
    Example, Sample,
    chain::{CHAIN, Sender, forge_build, init_code, registration},
    development_srs, has_solc, report, repository,
};

sol! {
    struct Terms {
        uint256 modelId;
        uint256 modelVersion;
        uint256 scoreIndex;
        uint256 minimumScore;
        uint96 limit;
        uint64 term;
        uint64 maximumAge;
    }

    struct Attested {
        uint64 issuedAt;
        uint64 expiresAt;
        bytes signature;
    }

    function registerBureau(address bureau);
    function revokeBureau(address bureau);
    function open(bytes output, bytes proof, Attested attested);
}

/// In which order the deployer creates the contracts.
const REGISTRY: u64 = 2;
const INFERENCE: u64 = 3;
const CREDIT_LINE: u64 = 4;
/// The most that opening a line may cost with gradient boosting, signature, committed trees and all.
const MAX_GAS: u64 = 480_000;

/// A model whose inputs are committed, with its keys and contract.
struct Lending {
    circuit: CircuitFile,
    keys: Keys,
    contract: ContractFile,
    approved: Sample,
}

impl Lending {
    fn new((example, model): (Example, Visibility)) -> Self {
        let pipeline = example.pipeline();
        let options = CompileOptions {
            objective: Objective::Gas,
            public: PublicInputs {
                inputs: Visibility::Committed,
                model,
                ..PublicInputs::DEFAULT
            },
            ..CompileOptions::default()
        };
        let circuit = compile(&pipeline.model, &pipeline.calibration, &options).unwrap().file;
        let keys = Keys::generate(&circuit, &development_srs(circuit.plan.k)).unwrap();
        let contract =
            ContractFile::build(&keys.verifying, "Verifier", Style::Compact, &SolcChoice::default()).unwrap();
        let path = example.folder().join("applicants/approved.json");
        let approved = pipeline.model.samples(&path, &[]).unwrap().remove(0);
        Self {
            circuit,
            keys,
            contract,
            approved,
        }
    }

    fn key(&self) -> &[u8] {
        self.contract
            .build
            .compiled
            .key
            .as_deref()
            .expect("compact verifiers have their key apart")
    }

    /// The model's commitment, where it has one: the second public input.
    fn model(&self) -> Option<[u8; 32]> {
        let secret = self.circuit.secret.as_ref()?;
        Some(secret.commitment(&self.circuit).unwrap())
    }

    /// The place of the input's commitment among the public inputs.
    fn input(&self) -> usize {
        1 + usize::from(self.model().is_some())
    }

    fn outputs(&self) -> u16 {
        u16::try_from(self.keys.verifying.schema.len() - self.input() - 1).unwrap()
    }

    /// What the lender's `open` takes.
    fn application(&self, proof: &Proof, signed: &SignedAttestation) -> openCall {
        let input = self.input();
        openCall {
            output: proof.words()[input + 1..].to_vec().abi_encode().into(),
            proof: [&proof.public_inputs[input][..], &proof.proof].concat().into(),
            attested: Attested {
                issuedAt: signed.attestation.issued_at,
                expiresAt: signed.attestation.expires_at,
                signature: signed.signature.clone(),
            },
        }
    }

    /// The bureau's part: salts, and its word on the commitment.
    fn attest(&self, deployer: Address, subject: Address, bureau: KeySource) -> (SaltFile, SignedAttestation) {
        let salts = SaltFile::random();
        let opening = Opening::of(&self.circuit, &self.approved, &salts.salts(), Side::Input).unwrap();
        let commitment = Commitment::of(&self.circuit.compiled.program, Side::Input).unwrap();
        let attestation = Attestation {
            contract: deployer.create(CREDIT_LINE),
            chain_id: CHAIN,
            subject,
            model_id: U256::from(1),
            model_version: U256::from(1),
            input_commitment: opening.commitment(&commitment).unwrap().into(),
            issued_at: 1,
            expires_at: 1 << 40,
        };
        (salts, attestation.sign(bureau).unwrap())
    }

    /// The applicant's part: a proof about the data that the salts commit to.
    fn prove(&self, deployer: Address, subject: Address, salts: &SaltFile) -> Proof {
        let context = context(deployer, subject);
        let (proof, _) = prove_observed(
            &self.circuit,
            &self.keys.proving,
            &self.approved,
            context,
            &salts.salts(),
            &mut |_| (),
        )
        .unwrap();
        proof
    }
}

/// `VerdictContext.computeKept` for the lender's first line for the applicant.
fn context(deployer: Address, applicant: Address) -> Fr {
    let type_hash = keccak256(
        "VerdictContext(uint256 chainId,address verifyingContract,address caller,bytes32 subject,uint256 nonce)",
    );
    let words = (
        type_hash,
        U256::from(CHAIN),
        deployer.create(INFERENCE),
        deployer.create(CREDIT_LINE),
        applicant.into_word(),
        U256::from(1) << 128,
    );
    let context: U256 = U256::from_be_bytes(keccak256(words.abi_encode()).0) >> 3;
    Fr::from_repr(context.to_le_bytes::<32>()).unwrap()
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("0x{}", alloy::hex::encode(bytes))
}

/// The fixtures that forge measures the lender's gas with; `ZKVERDICT_BLESS=1` rewrites them.
#[test]
fn the_attested_fixtures_are_current() {
    if !has_solc() {
        return;
    }
    let remedy = "the forge fixture is stale; run the test again with ZKVERDICT_BLESS=1";
    let (deployer, applicant) = (Address::with_last_byte(0xd0), Address::with_last_byte(0xa1));
    for (example, name) in [
        (Example::CreditLogreg, "credit-logreg"),
        (Example::CreditGbdt, "credit-gbdt"),
    ] {
        let lending = Lending::new((example, Visibility::Public));
        let path = repository().join(format!("contracts/fixtures/{name}.json"));
        let compiled = &lending.contract.build.compiled;
        if std::env::var_os("ZKVERDICT_BLESS").is_some() {
            let bureau = KeySource::Signer(alloy::signers::local::PrivateKeySigner::random());
            let (salts, signed) = lending.attest(deployer, applicant, bureau);
            let proof = lending.prove(deployer, applicant, &salts);
            let words: Vec<String> = proof.words().iter().map(|word| format!("{word:#066x}")).collect();
            let fixture = json!({
                "deployer": deployer, "applicant": applicant, "creditLine": deployer.create(CREDIT_LINE),
                "initCode": hexadecimal(&compiled.init_code), "key": hexadecimal(lending.key()),
                "proof": hexadecimal(&proof.proof), "publicInputs": words, "attestation": signed,
            });
            fs::write(&path, format!("{fixture:#}\n")).unwrap();
        }
        let committed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert!(
            committed["initCode"] == hexadecimal(&compiled.init_code),
            "{name}: initCode: {remedy}"
        );
        assert!(committed["key"] == hexadecimal(lending.key()), "{name}: key: {remedy}");
        // Proofs, salts and signatures are random, so what counts is that the committed ones are valid.
        let words: Vec<U256> = serde_json::from_value(committed["publicInputs"].clone()).unwrap();
        let proof = Proof {
            proof: serde_json::from_value::<Bytes>(committed["proof"].clone())
                .unwrap()
                .to_vec(),
            public_inputs: words.iter().map(|word| word.to_be_bytes::<32>()).collect(),
        };
        proof
            .verify(&lending.keys.verifying)
            .unwrap_or_else(|error| panic!("{name}: {error}: {remedy}"));
        assert_eq!(
            words[0],
            crate::support::word(context(deployer, applicant)),
            "{name}: {remedy}"
        );
        let signed: SignedAttestation = serde_json::from_value(committed["attestation"].clone()).unwrap();
        assert_eq!(
            signed.attestation.input_commitment,
            B256::from(words[1]),
            "{name}: {remedy}"
        );
        let signature = Signature::from_raw(&signed.signature).unwrap();
        let signer = signature
            .recover_address_from_prehash(&signed.attestation.digest())
            .unwrap();
        assert_eq!(signer, signed.bureau, "{name}: {remedy}");
    }
}

#[test]
fn a_line_is_opened_for_attested_data_on_a_real_chain() {
    let folder = tempfile::tempdir().unwrap();
    let Some(out) = forge_build(folder.path()) else { return };
    for case in [
        (Example::CreditLogreg, Visibility::Public),
        (Example::CreditGbdt, Visibility::Public),
        (Example::CreditGbdt, Visibility::Committed),
    ] {
        let lending = Lending::new(case);
        let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
        let [lender, applicant, stranger] = [0, 1, 2].map(|index| Sender { anvil: &anvil, index });
        let deployer = lender.address();
        let bureau = || anvil.key(3).unwrap();
        let compiled = &lending.contract.build.compiled;

        let verifier = lender.create(compiled.init_code.clone());
        let key = lender.create(key_init_code(lending.key()));
        let registry = lender.create(init_code(&out, "ModelRegistry", &Address::ZERO.abi_encode()));
        let inference = lender.create(init_code(&out, "InferenceVerifier", &registry.abi_encode()));
        let score = usize::from(lending.outputs()) - 1;
        let terms = Terms {
            modelId: U256::from(1),
            modelVersion: U256::from(1),
            scoreIndex: U256::from(score),
            minimumScore: U256::from(1),
            limit: alloy::primitives::Uint::from(1_000_000),
            term: 30 * 24 * 3600,
            maximumAge: 1 << 40,
        };
        let arguments = (inference, deployer, terms).abi_encode_params();
        let credit_line = lender.create(init_code(&out, "CreditLine", &arguments));
        assert_eq!(
            [registry, inference, credit_line],
            [REGISTRY, INFERENCE, CREDIT_LINE].map(|nonce| deployer.create(nonce))
        );
        let register = registration(compiled, verifier, key, 1, lending.outputs(), lending.model());
        lender.call(registry, &register).unwrap();
        let bureau_address = bureau().open().unwrap().address();
        let register_bureau = registerBureauCall { bureau: bureau_address };
        assert!(
            stranger.call(credit_line, &register_bureau).is_err(),
            "a stranger registered a bureau"
        );
        lender.call(credit_line, &register_bureau).unwrap();

        let (salts, signed) = lending.attest(deployer, applicant.address(), bureau());
        let proof = lending.prove(deployer, applicant.address(), &salts);
        let input = lending.input();
        assert_eq!(proof.public_inputs[input], signed.attestation.input_commitment.0);
        let honest = lending.application(&proof, &signed);

        // Data of the applicant's choice, self-signed; somebody else's attestation; other salts than the attested ones.
        let (own_salts, own) = lending.attest(deployer, applicant.address(), applicant.key());
        let (_, foreign) = lending.attest(deployer, stranger.address(), bureau());
        let own_proof = lending.prove(deployer, applicant.address(), &own_salts);
        let mut relabelled = lending.application(&own_proof, &signed);
        relabelled.proof = [&proof.public_inputs[input][..], &own_proof.proof].concat().into();
        let mut late = honest.clone();
        late.attested.expiresAt += 1;
        for (what, forged) in [
            ("a signature of one's own", lending.application(&own_proof, &own)),
            ("an attestation of other data", lending.application(&own_proof, &signed)),
            ("the attested commitment in front of another proof", relabelled),
            ("another's attestation", lending.application(&proof, &foreign)),
            ("a later end", late),
        ] {
            let refused = applicant.call(credit_line, &forged);
            assert!(matches!(refused, Err(EvmError::Reverted { .. })), "{what}: {refused:?}");
        }
        assert!(
            stranger.call(credit_line, &honest).is_err(),
            "a stranger used the application"
        );

        let receipt = applicant.call(credit_line, &honest).unwrap();
        report!("{case:?}: a line for attested data costs {} gas", receipt.gas_used);
        assert!(receipt.gas_used <= MAX_GAS, "{case:?}: {} gas", receipt.gas_used);
        assert!(
            applicant.call(credit_line, &honest).is_err(),
            "the application counted twice"
        );

        let revoke = revokeBureauCall { bureau: bureau_address };
        lender.call(credit_line, &revoke).unwrap();
        let (salts, signed) = lending.attest(deployer, stranger.address(), bureau());
        let proof = lending.prove(deployer, stranger.address(), &salts);
        let revoked = stranger.call(credit_line, &lending.application(&proof, &signed));
        assert!(matches!(revoked, Err(EvmError::Reverted { .. })), "{revoked:?}");
        lender.call(credit_line, &register_bureau).unwrap();
        stranger
            .call(credit_line, &lending.application(&proof, &signed))
            .unwrap();
    }
}
