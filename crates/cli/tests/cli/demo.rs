use crate::harness::{Work, snapshot};

#[test]
fn the_credit_story_is_told() {
    snapshot!(Work::empty().run("demo"), @r"
    status 0
    --- stdout

    zkverdict: a credit decision, proven to a contract

    1  The applicant: this stays on this machine
         credit amount                        1546 DM
         duration in month                    10 months
         purpose                              car (new)
         status of existing checking account  no checking account
         present employment since             1 <= ... < 4 years
         and 12 more inputs

    2  The decision of gbdt: is this applicant's credit good?
         granted: good credit, with a probability of 90.0 %

    3  The proof that this model decided so
         compiled  2^11 rows, 8 advice columns; error at most 0.00011 on 200 samples, 200 of 200 decisions equal
         set up    UNSAFE development SRS: for demonstrations only
         keys      1902 kB to prove, 43 kB to verify  ([TIME])
         proved    2,336 bytes  ([TIME])
         verified  natively  ([TIME])

    4  The contract: GbdtApplicantVerifier.sol on an embedded chain
         deployed                  9,843 of 24,576 bytes of code, solc 0.8.34
         the proof                 accepted
         the opposite decision     rejected with ProofInvalid()
         the same proof elsewhere  rejected with ProofInvalid()

    5  What everybody sees, and what it cost
         public   label 1, probabilities 0.099792 0.900208, context
         context  chain 31337, lender 0x5e…5e, application 4711
         private  all 17 inputs
         prover [TIME] of CPU to prove, [TIME] of CPU once for the keys
         chain    [GAS] gas a proof, 392,100 gas once for the model, 2,180,700 gas once for all models alike
    ");
}

#[test]
fn the_diagnosis_is_told_of_the_network_too() {
    let said = Work::empty().run("demo diagnosis --model mlp").expect_status(0);
    assert!(said.stdout.lines().count() <= 40, "{said}");
    assert!(said.stdout.contains("is this mass benign?"), "{said}");
    assert!(said.stdout.contains("rejected with ProofInvalid()"), "{said}");
}

#[test]
fn a_story_is_told_of_its_own_models_only() {
    snapshot!(Work::empty().run("demo diagnosis --model gbdt"), @r"
    status 2
    --- stderr
    error: this story has no gbdt
    hint: its models: logreg, mlp
    ");
}

#[test]
fn the_facts_of_the_demo_are_in_its_json() {
    let json = Work::empty().run("demo credit --json").expect_status(0).json();
    assert_eq!(json["as_expected"], true);
    assert_eq!(json["unsafe_srs"], true);
    assert_eq!(json["accepted"]["result"], "accepted");
    for forgery in ["forged", "replayed"] {
        assert_eq!(json[forgery]["reason"]["rejection"], "invalid_proof", "{forgery}");
    }
    assert_eq!(json["private_inputs"], 17);
    assert_eq!(json["public"].as_array().unwrap().len(), 4);
}
