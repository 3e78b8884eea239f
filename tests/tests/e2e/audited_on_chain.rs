//! An audit of a committed model on a real chain: the order in which model, rows, seed and proof are fixed, and what is handed
//! in out of it or for something else.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol,
    sol_types::SolValue,
};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};
use serde_json::json;
use zkverdict::{
    AuditOptions, CircuitFile, CompileOptions, ContractFile, Keys, Proof, SaltFile, SecretModel, Style,
    circuits::{PublicInputs, Visibility},
    compile, compile_audit,
    evm::{Anvil, AnvilOptions, EvmError, Receipt},
    prove, prove_observed,
    solidity::{SolcChoice, compact::key_init_code},
};

use crate::{
    audits::{by_age, credit, trained},
    support::{
        Example, Sample,
        chain::{Sender, assert_refused, forge_build, init_code, registration, rpc, view},
        development_srs, report,
    },
};

sol! {
    function openAudit(uint256 programId, uint256 programVersion, uint256 modelId, uint256 modelVersion, address provider);
    function recordData(uint256 auditId, uint256[] roots, uint32 rowsPerChunk);
    function drawSeed(uint256 auditId);
    function submit(uint256 auditId, uint256[] roots, bytes[] outputs, bytes[] proofs);
    function statementsOf(uint256 auditId) returns (uint256[][] statements);
    function stageOf(uint256 auditId) returns (uint8);
    function sampledRow(uint256 auditId, uint256 index) returns (uint256 row);
    function verifyInferenceFor(
        uint256 modelId, uint256 version, bytes32 subject, bytes32 inputCommitment, bytes output, bytes proof
    );
    /// Of the inference verifier, whose next proof for this caller and subject has to have it. `AuditRegistry` has another one.
    function contextOf(address caller, bytes32 subject) returns (uint256);

    #[derive(Debug)]
    interface IAudits {
        function contextOf(uint256 auditId, uint256 chunk) returns (uint256);
    }
}

/// Rows of the table: few, so that the circuit is small.
const ROWS: usize = 8;
/// Blocks from the data set to the seed's.
const SEED_DELAY: u64 = 72;
/// The last of `AuditRegistry`'s stages in the order.
const COMPLETE: u8 = 4;

/// A circuit whose model is committed, with keys and contract.
pub(crate) struct Keyed {
    pub(crate) circuit: CircuitFile,
    pub(crate) keys: Keys,
    contract: ContractFile,
}

impl Keyed {
    pub(crate) fn new(circuit: CircuitFile, name: &str) -> Self {
        let keys = Keys::generate(&circuit, &development_srs(circuit.plan.k)).unwrap();
        let contract = ContractFile::build(&keys.verifying, name, Style::Compact, &SolcChoice::default()).unwrap();
        Self {
            circuit,
            keys,
            contract,
        }
    }

    pub(crate) fn commitment(&self) -> [u8; 32] {
        self.circuit.secret.as_ref().unwrap().commitment(&self.circuit).unwrap()
    }

    /// Verifier and key on the chain, and the model in the registry, with or without its data root as an input.
    pub(crate) fn register(&self, owner: &Sender<'_>, registry: Address, inputs: u16, commitment: [u8; 32]) {
        let compiled = &self.contract.build.compiled;
        let verifier = owner.create(compiled.init_code.clone());
        let key = owner.create(key_init_code(compiled.key.as_deref().unwrap()));
        let outputs = u16::try_from(self.keys.verifying.schema.len()).unwrap() - 2 - inputs;
        let call = registration(compiled, verifier, key, inputs, outputs, Some(commitment));
        owner.call(registry, &call).unwrap();
    }
}

/// The audit's circuit with this model in it.
fn holding(audit: &CircuitFile, secret: SecretModel) -> CircuitFile {
    CircuitFile {
        secret: Some(secret),
        ..audit.clone()
    }
}

pub(crate) fn field(word: U256) -> Fr {
    Fr::from_repr(word.to_le_bytes::<32>()).unwrap()
}

/// The audited table: its root, and proofs about it.
struct Provider<'a> {
    audit: &'a Keyed,
    sample: Sample,
    salts: SaltFile,
}

impl Provider<'_> {
    fn root(&self) -> U256 {
        let root = self.audit.circuit.data_root(&self.sample, &self.salts.salts()).unwrap();
        U256::from_be_bytes(root)
    }

    fn prove(&self, circuit: &CircuitFile, context: U256) -> Proof {
        let salts = self.salts.salts();
        let keys = &self.audit.keys;
        let (proof, _) = prove_observed(
            circuit,
            &keys.proving,
            &self.sample,
            field(context),
            &salts,
            &mut |_| (),
        )
        .unwrap();
        proof.verify(&keys.verifying).unwrap();
        proof
    }
}

/// Hands in a proof for a chunk whose root is recorded, with the root that the proof shows or another one.
fn submission(audit: u64, recorded: U256, root: U256, proof: &Proof) -> submitCall {
    let outputs = proof.words()[3..].to_vec();
    submitCall {
        auditId: U256::from(audit),
        roots: vec![recorded],
        outputs: vec![outputs.abi_encode().into()],
        proofs: vec![Bytes::from([&root.to_be_bytes::<32>()[..], &proof.proof].concat())],
    }
}

#[test]
fn an_audit_of_a_committed_model_on_a_real_chain() {
    let folder = tempfile::tempdir().unwrap();
    let Some(out) = forge_build(folder.path()) else { return };

    // One model, committed, that decides and is audited.
    let pipeline = Example::CreditLogreg.pipeline();
    let options = CompileOptions {
        public: PublicInputs {
            model: Visibility::Committed,
            ..PublicInputs::DEFAULT
        },
        limb_bits: Some(8),
        ..CompileOptions::default()
    };
    let (model, calibration) = (&pipeline.model, &pipeline.calibration);
    let decision = Keyed::new(compile(model, calibration, &options).unwrap().file, "Decision");
    let table = credit(ROWS, &folder);
    let asked: AuditOptions = by_age(&["accuracy>=0.7", "four-fifths"]);
    let compiled = compile_audit(model, calibration, &options, &table, &asked)
        .unwrap()
        .file;
    // The same weights under another salt: what another lender's model looks like.
    let other_model = compiled.clone();
    let same = decision.circuit.secret.as_ref().unwrap().rebound(&compiled).unwrap();
    let audit = Keyed::new(holding(&compiled, same), "Audit");
    let commitment = decision.commitment();
    assert_eq!(audit.commitment(), commitment);
    let other_commitment = other_model.secret.as_ref().unwrap().commitment(&other_model).unwrap();
    assert_ne!(other_commitment, commitment);

    let anvil = Anvil::start(&AnvilOptions::default()).unwrap();
    let [owner, provider, stranger] = [0, 1, 2].map(|index| Sender { anvil: &anvil, index });
    let registry = owner.create(init_code(&out, "ModelRegistry", &Address::ZERO.abi_encode()));
    let inference = owner.create(init_code(&out, "InferenceVerifier", &registry.abi_encode()));
    let audits = owner.create(init_code(&out, "AuditRegistry", &inference.abi_encode()));
    let [decides, program, of_another, another] = [1, 2, 3, 4].map(U256::from);
    decision.register(&owner, registry, 0, commitment);
    audit.register(&owner, registry, 1, commitment);
    audit.register(&owner, registry, 1, other_commitment);
    decision.register(&owner, registry, 0, other_commitment);

    // The model: the program has to be of the model that decides.
    let open = |program: U256, model: U256, version: u64| openAuditCall {
        programId: program,
        programVersion: U256::from(1),
        modelId: model,
        modelVersion: U256::from(version),
        provider: provider.address(),
    };
    assert_refused(
        stranger.call(audits, &open(program, U256::ZERO, 0)),
        "ModelNotNamed(uint256)",
    );
    for (program, model) in [(program, another), (of_another, decides)] {
        let refused = stranger.call(audits, &open(program, model, 1));
        assert_refused(refused, "ModelCommitmentMismatch(bytes32,bytes32)");
    }
    stranger.call(audits, &open(program, decides, 1)).unwrap();
    stranger.call(audits, &open(of_another, another, 1)).unwrap();

    // The rows: by their provider alone, and before any seed or proof.
    let own = Provider {
        audit: &audit,
        sample: audit.circuit.samples(&table, &[]).unwrap().remove(0),
        salts: SaltFile::random(),
    };
    let prettier = Provider {
        audit: &audit,
        sample: {
            // A row of the table with the label turned round.
            let mut sample = own.sample.clone();
            sample[1][1] = 1.0 - sample[1][1];
            sample
        },
        salts: own.salts,
    };
    let context = |audit: u64| {
        let call = IAudits::contextOfCall {
            auditId: U256::from(audit),
            chunk: U256::ZERO,
        };
        view(&anvil, audits, &call)
    };
    let submit = |sender: &Sender<'_>, call: &submitCall| -> Result<Receipt, EvmError> { sender.call(audits, call) };
    let early = own.prove(&audit.circuit, context(1));
    let wrong_stage = "WrongStage(uint256,uint8,uint8)";
    let root = own.root();
    assert_refused(submit(&provider, &submission(1, root, root, &early)), wrong_stage);
    let draw = drawSeedCall { auditId: U256::from(1) };
    assert_refused(stranger.call(audits, &draw), wrong_stage);
    let record = |audit: u64| recordDataCall {
        auditId: U256::from(audit),
        roots: vec![root],
        rowsPerChunk: ROWS as u32,
    };
    assert_refused(stranger.call(audits, &record(1)), "NotTheProvider(uint256,address)");
    provider.call(audits, &record(1)).unwrap();
    assert_refused(provider.call(audits, &record(1)), wrong_stage);
    provider.call(audits, &record(2)).unwrap();

    // The seed: when its block is known.
    assert_refused(stranger.call(audits, &draw), "SeedTooEarly(uint256,uint256)");
    assert_refused(submit(&provider, &submission(1, root, root, &early)), wrong_stage);
    rpc(&anvil, "anvil_mine", json!([SEED_DELAY]));
    stranger.call(audits, &draw).unwrap();
    stranger.call(audits, &drawSeedCall { auditId: U256::from(2) }).unwrap();

    // The proof.
    let of_this = context(1);
    assert_ne!(of_this, field_word(&early), "the seed is in the context");
    let invalid = "InvalidProof()";
    let honest = own.prove(&audit.circuit, of_this);
    let for_another = own.prove(&other_model, of_this);
    assert_eq!(for_another.public_inputs[1], other_commitment);
    let about_others = prettier.prove(&audit.circuit, of_this);
    assert_ne!(prettier.root(), root);
    for (what, proof) in [
        ("made before the rows were fixed", &early),
        (
            "of the other audit, whose seed is another",
            &own.prove(&audit.circuit, context(2)),
        ),
        ("by another model", &for_another),
        ("about other rows, under the recorded root", &about_others),
    ] {
        report!("audit on chain: a proof {what} is refused");
        assert_refused(submit(&provider, &submission(1, root, root, proof)), invalid);
    }
    let shown = submission(1, root, prettier.root(), &about_others);
    assert_refused(submit(&provider, &shown), "InputCommitmentMismatch()");
    let other_rows = submission(1, prettier.root(), prettier.root(), &about_others);
    assert_refused(submit(&provider, &other_rows), "DataMismatch(uint256)");
    for output in 0..3 {
        let mut forged = honest.clone();
        forged.public_inputs[3 + output][31] ^= 1;
        assert_refused(submit(&provider, &submission(1, root, root, &forged)), invalid);
    }
    // Under a program that is pinned to the other model the honest proof is none.
    assert_refused(submit(&provider, &submission(2, root, root, &honest)), invalid);

    let receipt = submit(&provider, &submission(1, root, root, &honest)).unwrap();
    report!(
        "audit on chain: {ROWS} rows of a committed model cost {} gas",
        receipt.gas_used
    );
    let statements = view(&anvil, audits, &statementsOfCall { auditId: U256::from(1) });
    let (decided, labels) = trained("logreg", ROWS);
    let right = decided
        .iter()
        .zip(&labels)
        .filter(|(decided, label)| decided == label)
        .count();
    let words = honest.words();
    assert_eq!(statements, [words[3..].to_vec()]);
    assert_eq!(words[3..5], [ROWS, usize::from(10 * right >= 7 * ROWS)].map(U256::from));
    let stage = view(&anvil, audits, &stageOfCall { auditId: U256::from(1) });
    assert_eq!(stage, COMPLETE);
    assert_refused(submit(&provider, &submission(1, root, root, &honest)), wrong_stage);
    // The sample that somebody may ask for is of these rows.
    let sampled = sampledRowCall {
        auditId: U256::from(1),
        index: U256::ZERO,
    };
    assert!(view(&anvil, audits, &sampled) < U256::from(ROWS));

    // And it is this model that decides: a proof about an applicant shows the same commitment.
    let applicant = Example::CreditLogreg.folder().join("applicants/approved.json");
    let applicant = model.samples(&applicant, &[]).unwrap().remove(0);
    let subject = B256::repeat_byte(7);
    let next = contextOfCall {
        caller: stranger.address(),
        subject,
    };
    let context = field(view(&anvil, inference, &next));
    let (decided, _) = prove(&decision.circuit, &decision.keys.proving, &applicant, context).unwrap();
    assert_eq!(decided.public_inputs[1], honest.public_inputs[1]);
    let verify = |model: U256| verifyInferenceForCall {
        modelId: model,
        version: U256::from(1),
        subject,
        inputCommitment: B256::ZERO,
        output: decided.words()[2..].to_vec().abi_encode().into(),
        proof: decided.proof.clone().into(),
    };
    assert_refused(stranger.call(inference, &verify(another)), invalid);
    stranger.call(inference, &verify(decides)).unwrap();
}

/// The context that a proof shows.
fn field_word(proof: &Proof) -> U256 {
    proof.words()[0]
}
