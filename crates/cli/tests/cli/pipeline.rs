use serde_json::{Value, json};

use crate::harness::{Work, examples, keys, pipeline, snapshot};

#[test]
fn inspect_says_what_the_model_is() {
    let work = pipeline().with(&["logreg.onnx"]);
    snapshot!(work.run("inspect logreg.onnx"), @r#"
    status 0
    --- stdout
    logreg (5,060 bytes)
      sha256      [DIGEST]
      producer    skl2onnx 1.20.0
      opsets      ai.onnx 17, ai.onnx.ml 1, IR 8
      inputs      input float32[?, 17]
      outputs     label int64[?], probabilities float32[?, 2]
      nodes       31: Cast ×8, Concat ×2, Gather ×8, Reshape, ai.onnx.ml.ArrayFeatureExtractor ×2, ai.onnx.ml.LinearClassifier, ai.onnx.ml.OneHotEncoder ×8, ai.onnx.ml.Scaler
      parameters  51
      note        input "input": its free first dimension is fixed to 1
      note        OneHotEncoder "OneHotEncoder": an input in none of 4 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder1": an input in none of 5 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder2": an input in none of 10 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder3": an input in none of 5 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder4": an input in none of 3 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder5": an input in none of 4 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder6": an input in none of 3 categories is refused when proving (ONNX Runtime refuses it too)
      note        OneHotEncoder "OneHotEncoder7": an input in none of 3 categories is refused when proving (ONNX Runtime refuses it too)
      layout      2^8 rows, 7 advice columns, [TIME] CPU, 349,374 gas (estimate; calibrate to know)
    can be proven
    "#);
    let json = work.run("inspect logreg.onnx --json").expect_status(0).json();
    assert_eq!(json["provable"], true);
    assert_eq!(json["layout_from"], "estimate");
    assert_eq!(json["operators"]["Gather"], 8);
    assert_eq!(json["operator_sets"]["ai.onnx.ml"], 1);
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!(["?", "17"]));
}

/// What holds of trees for every input, the same in both reports.
#[test]
fn inspect_and_compile_say_what_holds_of_trees() {
    let work = Work::empty();
    for file in ["gbdt.onnx", "calibration.json"] {
        work.write(file, std::fs::read(examples().join("credit").join(file)).unwrap());
    }
    let human = work.run("inspect gbdt.onnx").expect_status(0).to_string();
    for line in [
        "trees            100, 292 branches, depth 2",
        "input[10], input[11], and 3 more",
        "features unused  input[13], input[15]",
        "range            -3.828245 to 4.851941, before any sigmoid or softmax",
        "monotone         increasing in input[8]",
    ] {
        assert!(human.contains(line), "{line} is not in {human}");
    }
    let inspected = work.run("inspect gbdt.onnx --json").expect_status(0).json();
    let trees = &inspected["trees"][0];
    assert_eq!(trees["used"].as_array().unwrap().len(), 15);
    assert_eq!(trees["unused"][1]["index"], 15);
    assert_eq!(trees["scores"][0]["increasing"][0]["index"], 8);
    assert_eq!(trees["skipped"], serde_json::Value::Null);
    work.run("calibrate gbdt.onnx --data calibration.json").expect_status(0);
    let compiled = work.run("compile gbdt.onnx --json").expect_status(0).json();
    assert_eq!(compiled["trees"], inspected["trees"]);
    // Inputs that trees compare have no range to be calibrated.
    let calibration: serde_json::Value = serde_json::from_slice(&work.read("gbdt.calibration.json")).unwrap();
    let ranges = calibration["calibration"]["inputs"][0].as_array().unwrap();
    assert!(ranges.iter().all(serde_json::Value::is_null), "{ranges:?}");
}

#[test]
fn inspect_names_the_node_that_cannot_be_proven() {
    let work = pipeline().with(&["mlp.onnx"]);
    let mut bytes = work.read("mlp.onnx");
    let at = bytes.windows(6).position(|name| name == b"ArgMax").unwrap();
    // The operator's type, not the node's name.
    let at = at
        + bytes[at + 1..]
            .windows(8)
            .position(|field| field == b"\x22\x06ArgMax")
            .map_or(0, |offset| offset + 3);
    bytes[at..at + 6].copy_from_slice(b"Unique");
    work.write("mlp.onnx", bytes);
    let json = work.run("inspect mlp.onnx --json").expect_status(1).json();
    assert_eq!(json["provable"], false);
    assert!(json["refusal"].as_str().unwrap().contains("Unique"), "{json}");
    assert_eq!(json["operators"]["Unique"], 1);
}

#[test]
fn calibrate_measures_every_width() {
    let work = pipeline().with(&["logreg.onnx", "applicants.csv", "samples.json"]);
    snapshot!(work.run("calibrate logreg.onnx --data applicants.csv"), @r"
    status 0
    --- stdout
    logreg calibrated on 1,000 samples, ranges widened 4 times
      limb bits  max error  as fitted   held out  mean error     decisions  saturated  refused  rows prove      gas
      7            0.00053          -    0.00040     0.00017  1000 of 1000          0        0   2^8 [TIME]  349,374
      8            0.00012          -    0.00011    0.000038  1000 of 1000          0        0   2^9 [TIME]  349,374  chosen
      9           0.000031          -   0.000024   0.0000097  1000 of 1000          0        0  2^10 [TIME]  349,374
      10         0.0000073          -  0.0000057   0.0000024  1000 of 1000          0        0  2^11 [TIME]  349,374
      11         0.0000019          -  0.0000016      6.1e-7  1000 of 1000          0        0  2^12 [TIME]  349,374
      12            4.8e-7          -     3.4e-7      1.5e-7  1000 of 1000          0        0  2^13 [TIME]  349,374
    wrote logreg.calibration.json
    --- stderr
    note: the import has 9 remarks; `zkverdict inspect` shows them
    ");
    let json = work
        .run("calibrate logreg.onnx --data applicants.csv --data samples.json --margin 2 -o other.json --json")
        .expect_status(0)
        .json();
    assert_eq!(
        (json["samples"].as_u64(), json["margin"].as_f64()),
        (Some(1200), Some(2.0))
    );
    assert_eq!(json["output"], "other.json");
    let width = &json["widths"][1];
    assert_eq!(width["limb_bits"], 8);
    assert_eq!(width["fidelity"]["equal_decisions"], 1200);
    assert!(width["layout"]["verify_gas"].is_u64());
    assert!(width["fidelity"]["max_error"].as_f64().unwrap() < 4e-4);
    assert_eq!(json["chosen_limb_bits"], 8);
}

/// The schema that scripts read, and a choice that is a choice: the same file for the same samples, other formats than the
/// finest, no error greater than theirs, and errors without each that are greater.
#[test]
fn calibrate_chooses_formats_by_their_error() {
    let work = pipeline().with(&["mlp.onnx", "samples.json", "approved.json"]);
    let json = work
        .run("calibrate mlp.onnx --data samples.json --json")
        .expect_status(0)
        .json();
    let keys = |value| keys(value).join(" ");
    assert_eq!(
        keys(&json),
        "chosen_limb_bits format_rule formats margin model model_digest output samples widths"
    );
    let width = &json["widths"][1];
    assert_eq!(
        keys(width),
        "committed fidelity fitted formats held_out layout limb_bits"
    );
    assert_eq!(
        keys(&width["fidelity"]),
        "decisions equal_decisions limited_values max_error mean_error reals refused samples saturated \
         saturated_nodes saturated_values"
    );
    assert_eq!(keys(&json["formats"][0]), "finer max_error mean_error name node");
    assert_eq!(json["format_rule"], "measured");
    let first = work.read("mlp.calibration.json");
    work.run("calibrate mlp.onnx --data samples.json").expect_status(0);
    assert_eq!(work.read("mlp.calibration.json"), first);
    let error = |fidelity: &serde_json::Value| fidelity["mean_error"].as_f64().unwrap();
    for width in json["widths"].as_array().unwrap() {
        assert_eq!(width["held_out"]["samples"], 50);
        if !width["fitted"].is_null() {
            assert!(error(&width["fidelity"]) < error(&width["fitted"]), "{width}");
        }
    }
    let chosen = json["widths"].as_array().unwrap().iter();
    let chosen = chosen
        .clone()
        .find(|width| width["limb_bits"] == json["chosen_limb_bits"])
        .unwrap();
    assert!(error(&json["formats"][0]) > error(&chosen["fidelity"]), "{json}");
    // Without a choice.
    let fitted = work
        .run("calibrate mlp.onnx --data samples.json --formats fitted --json")
        .expect_status(0)
        .json();
    assert_eq!(fitted["formats"], serde_json::json!([]));
    assert_eq!(fitted["widths"][1]["fidelity"], width["fitted"]);
    let few = work
        .run("calibrate mlp.onnx --data approved.json --json")
        .expect_status(0);
    assert!(
        few.stderr.contains("too few samples to choose formats"),
        "{}",
        few.stderr
    );
    assert_eq!(few.json()["formats"], serde_json::json!([]));
}

#[test]
fn columns_are_ignored_by_name() {
    let work = pipeline().with(&["logreg.onnx", "applicants.csv"]);
    let table = String::from_utf8(work.read("applicants.csv")).unwrap();
    let with_id: Vec<String> = table
        .lines()
        .enumerate()
        .map(|(row, line)| match row {
            0 => format!("id,{line}"),
            row => format!("{row},{line}"),
        })
        .collect();
    work.write("with_id.csv", with_id.join("\n"));
    work.run("calibrate logreg.onnx --data with_id.csv").expect_status(2);
    assert!(!work.path("logreg.calibration.json").exists());
    work.run("calibrate logreg.onnx --data with_id.csv --ignore-column id")
        .expect_status(0);
}

#[test]
fn compile_says_what_it_chose_and_why() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json"]);
    snapshot!(work.run("compile logreg.onnx --optimize gas --limb-bits 8 --explain"), @r"
    status 0
    --- stdout
    logreg compiled
      layout      1 products a row, limbs of 8 bits
      because     least gas, about 349,374, of 5 layouts with an error of at most 0.0004 (5 were counted)
      rows        398 of 2^9 (396 in the table)
      columns     7 advice, 8 fixed, 2 with copies
      public      4 numbers: context, outputs
      visibility  inputs are hidden; outputs are shown; the model is public
      proof       1,920 bytes
      predicted [TIME] CPU, 16.9 MB memory, 349,374 gas
      error       at most 0.00011 on 200 samples, 200 of 200 decisions equal
      limb bits  lanes  combined   k  rows  advice  fixed  copies  proof prove   memory      gas    code  max error
      8              1         0   9   398       7      8       2  1,920 [TIME]  16.9 MB  349,374   7,900    0.00011
      8              2         0   9   398       7      9       2  1,984 [TIME]  17.0 MB  357,434   8,274    0.00011
      8              4         0   9   398       7     11       2  2,112 [TIME]  17.2 MB  373,556   8,648    0.00011
      8              8         0  10   601       7     15       2  2,368 [TIME]  20.2 MB  405,799   9,396    0.00011
      8             16         0  11  1081       7     23       2  2,880 [TIME]  28.9 MB  470,286  10,892    0.00011
    wrote logreg.circuit
    ");
    let json = work.run("compile logreg.onnx --json").expect_status(0).json();
    assert_eq!(json["candidates"].as_array().unwrap().len(), 30);
    assert!(json["candidates"].as_array().unwrap().contains(&json["chosen"]));
    assert_eq!(json["objective"], "time");
    assert_eq!(json["visibility"]["inputs"], "private");
    assert_eq!(json["visibility"]["outputs"], "public");
}

#[test]
fn compile_honours_what_is_asked_for() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json"]);
    let asked = work
        .run("compile logreg.onnx --limb-bits 9 --lanes 4 --visibility input=public --json")
        .expect_status(0)
        .json();
    assert_eq!(asked["chosen"]["shape"]["limb_bits"], 9);
    assert_eq!(asked["chosen"]["shape"]["lanes"], 4);
    assert_eq!(asked["chosen"]["public_inputs"], 1 + 17 + 3);
    let coarse = work
        .run("compile logreg.onnx --tolerance 0.01 --json")
        .expect_status(0)
        .json();
    assert_eq!(coarse["chosen"]["shape"]["limb_bits"], 7);
    let impossible = work
        .run("compile logreg.onnx --tolerance 1e-30 --limb-bits 7")
        .expect_status(0);
    assert!(
        impossible.stderr.contains("no layout keeps the error below"),
        "{impossible}"
    );
    snapshot!(work.run("compile logreg.onnx --lanes 3"), @r"
    status 2
    --- stderr
    error: no layout matches: no calibrated width has the limb bits and lanes that were asked for
    hint: run `zkverdict compile --explain` to see the layouts there are
    ");
    snapshot!(work.run("compile logreg.onnx --visibility output=private"), @r"
    status 2
    --- stderr
    error: invalid value 'output=private' for '--visibility <SIDE=HOW,…>': it takes input=public, private or committed, output=public or committed and model=public, committed or linked, such as input=committed,output=public

    For more information, try '--help'.
    ");
}

#[test]
fn setup_names_the_srs() {
    let work = pipeline().with(&["logreg.circuit", "dev.srs"]);
    snapshot!(work.run("setup logreg.circuit --srs dev.srs"), @r"
    status 0
    --- stdout
    logreg has keys
      SRS            UNSAFE development SRS, 2^9 powers
      proving key    444 kB in logreg.pk
      verifying key  23 kB in logreg.vk
    --- stderr
    warning: UNSAFE: this is the development SRS; everybody can forge proofs under it. Use it for trials only.
    ");
    let json = work
        .run("setup logreg.circuit --srs dev.srs --proving-key a/p --verifying-key a/v --json")
        .expect_status(0)
        .json();
    assert_eq!(json["unsafe_srs"], true);
    assert_eq!(json["pk_bytes"], work.read("a/p").len());
    assert_eq!(json["vk_bytes"], work.read("a/v").len());
}

#[test]
fn prove_and_verify_in_both_forms() {
    let work = pipeline().with(&[
        "logreg.circuit",
        "logreg.pk",
        "logreg.vk",
        "rejected.json",
        "applicants.csv",
    ]);
    snapshot!(work.run("prove logreg.circuit --input rejected.json --context loan"), @r"
    status 0
    --- stdout
    logreg proven, and everybody who has the proof sees
      context           [WORD]
      label             0
      probabilities[0]  0.671158
      probabilities[1]  0.328842
    wrote logreg.proof (1,920 bytes)
    --- stderr
    warning: made with the UNSAFE development SRS: this proof convinces nobody
    ");
    snapshot!(work.run("verify --verifying-key logreg.vk --proof logreg.proof --context loan --expect label=0"), @r"
    status 0
    --- stdout
    valid proof for logreg, which decided
      context           [WORD]
      label             0
      probabilities[0]  0.671158
      probabilities[1]  0.328842
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = work
        .run("prove logreg.circuit --input applicants.csv --row 1 --format json --context 0x2a --json")
        .expect_status(0)
        .json();
    assert_eq!(json["proof"], "logreg.proof.json");
    assert_eq!(json["public_inputs"][0], format!("0x{:064x}", 42));
    assert_eq!(json["public"][1]["name"], "label");
    let verified = work
        .run("verify --verifying-key logreg.vk --proof logreg.proof.json --context 0x2a --json")
        .expect_status(0)
        .json();
    assert_eq!(verified["valid"], true);
    assert_eq!(verified["public"], json["public"]);
    let proof: serde_json::Value = serde_json::from_slice(&work.read("logreg.proof.json")).unwrap();
    assert_eq!(keys(&proof), ["proof", "public_inputs"]);
}

#[test]
fn verify_names_what_is_wrong() {
    let work = pipeline().with(&[
        "logreg.vk",
        "logreg.proof",
        "logreg.circuit",
        "logreg.pk",
        "approved.json",
    ]);
    let verify = "verify --verifying-key logreg.vk --proof";
    snapshot!(work.run(&format!("{verify} logreg.proof --context application-2")), @r"
    status 1
    --- stdout
    not accepted for logreg: the proof is bound to another context
    it claims
      context           [WORD]
      label             1
      probabilities[0]  0.162827
      probabilities[1]  0.837173
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    snapshot!(work.run(&format!("{verify} logreg.proof --expect label=0")), @r"
    status 1
    --- stdout
    not accepted for logreg: the proof shows 1 for label, not 0
    it claims
      context           [WORD]
      label             1
      probabilities[0]  0.162827
      probabilities[1]  0.837173
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    snapshot!(work.run(&format!("{verify} logreg.proof --expect colour=red")), @r#"
    status 2
    --- stderr
    error: the proof shows no "colour"
    hint: it shows label[0], probabilities[0], probabilities[1]
    "#);
    work.run("prove logreg.circuit --input approved.json --format json")
        .expect_status(0);
    let proof = String::from_utf8(work.read("logreg.proof.json")).unwrap();
    let forged = proof.replace(&format!("0x{:064x}", 1), &format!("0x{:064x}", 0));
    assert_ne!(proof, forged);
    work.write("forged.json", forged);
    snapshot!(work.run(&format!("{verify} forged.json")), @r"
    status 1
    --- stdout
    not accepted for logreg: the proof does not hold for these public inputs and this verifying key
    it claims
      context           [WORD]
      label             0
      probabilities[0]  0.162827
      probabilities[1]  0.837173
    --- stderr
    warning: made with the UNSAFE development SRS: everybody could have forged this proof
    ");
    let json = work
        .run(&format!("{verify} forged.json --json"))
        .expect_status(1)
        .json();
    assert_eq!(json["valid"], false);
    assert!(json["reason"].as_str().unwrap().contains("does not hold"));
}

#[test]
fn contract_writes_five_files() {
    let work = pipeline().with(&["logreg.vk"]);
    snapshot!(work.run("contract logreg.vk --name Lender -o out"), @r"
    status 0
    --- stdout
    Lender accepts a valid proof and rejects forged ones
      code           8,003 of 24,576 bytes, solc 0.8.34
      deployment     1,782,800 gas, once for all models of the shape
      key            1,248 bytes, 322,935 gas
      verification   [GAS] gas a transaction, 296,129 of it execution
      shape          c1: shared by all models without trees of 1 lanes
      public inputs  context[0], label[0], probabilities[0], probabilities[1]
    wrote out/Lender.sol, out/Lender.abi.json, out/Lender.bin, out/Lender.key.bin and out/Lender.contract
    --- stderr
    warning: made with the UNSAFE development SRS: for local development chains only
    ");
    let source = String::from_utf8(work.read("out/Lender.sol")).unwrap();
    assert!(source.contains("contract ShapeVerifier is IShapeVerifier "), "{source}");
    let abi: serde_json::Value = serde_json::from_slice(&work.read("out/Lender.abi.json")).unwrap();
    assert!(abi.as_array().unwrap().iter().any(|item| item["name"] == "verifyBatch"));
    assert!(hex::decode(work.read("out/Lender.bin")).unwrap().len() > 5_000);
    // The init code, the zero byte, the key.
    assert_eq!(
        hex::decode(work.read("out/Lender.key.bin")).unwrap().len(),
        10 + 1 + 1_248
    );
    // The same key gives the same contract.
    work.run("contract logreg.vk --name Lender -o again").expect_status(0);
    for file in ["Lender.bin", "Lender.key.bin", "Lender.sol"] {
        assert_eq!(work.read(&format!("out/{file}")), work.read(&format!("again/{file}")));
    }
    let costs = work
        .run("contract logreg.vk --name Lender -o out --explain --json")
        .expect_status(0)
        .json()["explained"]
        .clone();
    let gas = |name: &str| costs[name].as_u64().unwrap();
    assert!(gas("contract_proof") < gas("calldata_proof") && gas("batch_proof") < gas("contract_proof"));
    assert!((5..50).contains(&gas("break_even")), "{costs}");
    let embedded = work
        .run("contract logreg.vk --name Own -o out --embedded-key --json")
        .expect_status(0)
        .json();
    assert_eq!(embedded["style"], "embedded");
    assert!(
        String::from_utf8(work.read("out/Own.sol"))
            .unwrap()
            .contains("contract Own is IVerdictVerifier ")
    );
}

#[test]
fn a_contract_of_one_model() {
    let work = pipeline().with(&["logreg.vk"]);
    snapshot!(work.run("contract logreg.vk --style reference --name Lender -o out"), @r"
    status 0
    --- stdout
    Lender accepts a valid proof and rejects forged ones
      code           16,481 of 24,576 bytes, solc 0.8.34
      deployment     3,610,361 gas
      verification   [GAS] gas a transaction, 314,317 of it execution
      public inputs  context[0], label[0], probabilities[0], probabilities[1]
    wrote out/Lender.sol, out/Lender.abi.json, out/Lender.bin and out/Lender.contract
    --- stderr
    warning: made with the UNSAFE development SRS: for local development chains only
    ");
    let source = String::from_utf8(work.read("out/Lender.sol")).unwrap();
    assert!(
        source.starts_with("// SPDX-License-Identifier: MIT OR Apache-2.0\n"),
        "{source}"
    );
    assert!(source.contains("contract Lender "), "{source}");
    let abi: serde_json::Value = serde_json::from_slice(&work.read("out/Lender.abi.json")).unwrap();
    assert!(abi.as_array().unwrap().iter().any(|item| item["name"] == "verify"));
    assert!(hex::decode(work.read("out/Lender.bin")).unwrap().len() > 10_000);
    // The same key gives the same contract.
    work.run("contract logreg.vk --style reference --name Lender -o again")
        .expect_status(0);
    assert_eq!(work.read("out/Lender.bin"), work.read("again/Lender.bin"));
}

#[test]
fn simulate_accepts_and_rejects() {
    let work = pipeline().with(&[
        "CreditVerifier.contract",
        "logreg.proof",
        "logreg.circuit",
        "logreg.pk",
        "approved.json",
    ]);
    let accepted = work
        .run("simulate CreditVerifier.contract --proof logreg.proof --json")
        .expect_status(0)
        .json();
    assert_eq!(accepted["accepted"], true);
    assert!(accepted["verification"]["transaction_gas"].as_u64().unwrap() <= 380_000);
    assert!(accepted["deployment"]["code_bytes"].as_u64() <= accepted["deployment"]["code_limit"].as_u64());
    work.run("prove logreg.circuit --input approved.json --format json")
        .expect_status(0);
    let proof = String::from_utf8(work.read("logreg.proof.json")).unwrap();
    work.write(
        "replayed.json",
        proof.replacen(&format!("0x{:064x}", 0), &format!("0x{:064x}", 7), 1),
    );
    let rejected = work
        .run("simulate CreditVerifier.contract --proof replayed.json")
        .expect_status(1);
    assert!(rejected.stdout.contains("reverted with ProofInvalid()"), "{rejected}");
    let rejected = work
        .run("simulate CreditVerifier.contract --proof replayed.json --json")
        .expect_status(1)
        .json();
    assert_eq!(
        rejected["verification"]["outcome"]["reason"]["rejection"],
        "invalid_proof"
    );
}

#[test]
fn simulate_takes_a_batch_of_one_model() {
    let work = pipeline().with(&["CreditVerifier.contract", "logreg.proof"]);
    work.write("other.proof", work.read("logreg.proof"));
    let json = work
        .run("simulate CreditVerifier.contract --proof logreg.proof other.proof --json")
        .expect_status(0)
        .json();
    let number = |name: &str| json[name].as_u64().unwrap();
    assert_eq!(json["proofs"].as_array().unwrap().len(), 2);
    assert_eq!(json["proofs"][1]["file"], "other.proof");
    assert_eq!(
        number("gas_per_proof"),
        json["verification"]["transaction_gas"].as_u64().unwrap() / 2
    );
    assert_eq!(
        number("gas_saved_per_proof"),
        number("gas_per_proof_alone") - number("gas_per_proof")
    );
    assert!(number("gas_saved_per_proof") > 50_000, "{json}");
    let said = work
        .run("simulate CreditVerifier.contract --proof logreg.proof --proof other.proof")
        .expect_status(0);
    assert!(said.stdout.contains("the batch of 2 saves"), "{said}");
    assert!(said.stdout.contains("other.proof shows"), "{said}");
}

#[test]
fn gas_adds_up_and_compares() {
    let files = [
        "logreg.onnx",
        "logreg.calibration.json",
        "logreg.vk",
        "CreditVerifier.contract",
        "logreg.proof",
    ];
    let work = pipeline().with(&files);
    let json = work
        .run("gas logreg.vk --peer logreg_credit --json")
        .expect_status(0)
        .json();
    let ways = json["ways"].as_array().unwrap();
    assert_eq!(ways.len(), 5);
    for way in ways {
        let components = way["components"].as_object().unwrap();
        let sum: u64 = components.values().map(|gas| gas.as_u64().unwrap()).sum();
        assert_eq!(json!(sum), way["verification"]["transaction_gas"], "{way}");
        let pairing = components["pairing"].as_u64().unwrap();
        assert_eq!(pairing, 113_100, "{way}");
        assert!(way["floor"].as_u64().unwrap() < sum);
    }
    let keys: Vec<&Value> = ways.iter().map(|way| &way["key"]).collect();
    assert_eq!(keys, ["contract", "calldata", "contract", "code", "code"]);
    assert_eq!(json["ezkl"]["gas"], 607_391);
    let even = &json["break_even"];
    let (register, more) = (
        even["register"].as_u64().unwrap(),
        even["more_per_proof"].as_u64().unwrap(),
    );
    assert_eq!(even["proofs"].as_u64().unwrap(), register / more);

    let said = work
        .run("gas CreditVerifier.contract --proof logreg.proof")
        .expect_status(0);
    for part in ["compact, key contract, batch of 16", "curve operations", "break-even"] {
        assert!(said.stdout.contains(part), "{part}: {said}");
    }
    assert!(
        !said.stdout.contains("reference") && !said.stdout.contains("EZKL"),
        "{said}"
    );
    // The same model in another shape.
    for command in [
        "compile logreg.onnx --lanes 4 -o wide.circuit",
        "srs dev -k 9 -o wide.srs",
        "setup wide.circuit --srs wide.srs",
    ] {
        work.run(command).expect_status(0);
    }
    let said = work
        .run("gas logreg.vk --beside wide.vk --json")
        .expect_status(0)
        .json();
    let shapes = said["shapes"].as_array().unwrap();
    let names: Vec<&Value> = shapes.iter().map(|shape| &shape["shape"]).collect();
    assert_eq!(names, ["c1", "c4"]);
    let gas = |shape: &Value| shape["verification"]["transaction_gas"].as_u64().unwrap();
    assert!(gas(&shapes[0]) + 20_000 < gas(&shapes[1]), "{said}");
    let said = work
        .run("gas CreditVerifier.contract --beside wide.vk")
        .expect_status(2);
    assert!(said.stderr.contains("hint: give the verifying key"), "{said}");

    let said = work.run("gas CreditVerifier.contract").expect_status(2);
    assert!(said.stderr.contains("hint: give one with --proof"), "{said}");
    let said = work.run("gas logreg.vk --peer nothing").expect_status(2);
    assert!(
        said.stderr.contains("recorded are") && said.stderr.contains("logreg_credit"),
        "{said}"
    );
}

#[test]
fn run_compares_with_the_floats() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json", "applicants.csv"]);
    let json = work
        .run("run logreg.onnx --input applicants.csv --calibration logreg.calibration.json --json")
        .expect_status(0)
        .json();
    assert_eq!(json["rows"].as_array().unwrap().len(), 1000);
    assert_eq!(json["equal_decisions"], 1000);
    assert!(json["max_error"].as_f64().unwrap() < 4e-4);
    assert!(["tract", "zkverdict"].contains(&json["float_source"].as_str().unwrap()));
    // Beside ONNX Runtime's own answers, which have six decimals.
    let expected = std::fs::read_to_string(examples().join("credit/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    for (row, expected) in json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .zip(expected["logreg"]["probabilities"].as_array().unwrap())
    {
        let float = row["float"][1][1].as_f64().unwrap();
        assert!((float - expected[1].as_f64().unwrap()).abs() < 2e-6, "{row}");
    }
    let some = work
        .run("run logreg.onnx --input applicants.csv --inputs 3 --json")
        .expect_status(0)
        .json();
    assert_eq!(some["rows"].as_array().unwrap().len(), 3);
    assert_eq!(some["calibration"], "input");
}

/// A format that cuts off what it should hold: calibration chose it, say, on samples unlike the applicant.
#[test]
fn saturation_is_counted_and_named() {
    let work = pipeline().with(&["mlp.onnx", "mlp.calibration.json", "applicants.csv", "dev-11.srs"]);
    let mut calibration: serde_json::Value = serde_json::from_slice(&work.read("mlp.calibration.json")).unwrap();
    let (widths, choice) = (calibration["widths"].as_array_mut().unwrap(), relu("mlp"));
    for width in widths {
        width["formats"] = serde_json::json!([{ "node": choice.0, "name": choice.1, "finer": 3 }]);
    }
    work.write("mlp.calibration.json", calibration.to_string());
    let run = work.run("run mlp.onnx --input applicants.csv --calibration mlp.calibration.json --limb-bits 8");
    assert!(
        run.stdout.contains("saturated ") && run.stdout.contains(&choice.1),
        "{}",
        run.stdout
    );
    let json = work
        .run("run mlp.onnx --input applicants.csv --calibration mlp.calibration.json --limb-bits 8 --json")
        .expect_status(0)
        .json();
    let nodes = json["saturated_nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 1, "{json}");
    let rows = json["rows"].as_array().unwrap();
    let of_row = |row: &serde_json::Value| row["saturated_nodes"][0]["values"].as_u64().unwrap_or(0);
    let counts: Vec<u64> = rows.iter().map(of_row).collect();
    let (values, saturated) = (
        counts.iter().sum::<u64>(),
        counts.iter().filter(|count| **count > 0).count(),
    );
    assert!(values > 0 && saturated < rows.len());
    assert_eq!(nodes[0]["values"], values);
    assert_eq!(json["saturated_values"], values);
    assert_eq!(json["saturated"], saturated);
    // Twenty-four units in a thousand rows.
    assert_eq!(nodes[0]["of"], 24_000);
    // The proof of a row is valid, and says by name what is wrong with it; that of another row says nothing.
    let cut = counts.iter().position(|count| *count > 0).unwrap();
    let whole = counts.iter().position(|count| *count == 0).unwrap();
    work.run("compile mlp.onnx --limb-bits 8").expect_status(0);
    work.run("setup mlp.circuit --srs dev-11.srs").expect_status(0);
    for (row, values) in [(cut, counts[cut]), (whole, 0)] {
        let proven = work
            .run(&format!(
                "prove mlp.circuit --input applicants.csv --row {row} --context loan --json"
            ))
            .expect_status(0);
        let warned = proven.stderr.contains(&format!("{} {values} of ", choice.1));
        assert_eq!(warned, values > 0, "{}", proven.stderr);
        assert_eq!(proven.json()["saturated"], values > 0);
        let nodes = proven.json()["saturated_nodes"].clone();
        assert_eq!(nodes[0]["values"].as_u64().unwrap_or(0), values, "{nodes}");
        work.run("verify --verifying-key mlp.vk --proof mlp.proof --context loan")
            .expect_status(0);
    }
}

/// Position and name of the first ReLU of an example.
fn relu(example: &str) -> (usize, String) {
    let model = zkverdict::Model::load(&examples().join(format!("credit/{example}.onnx"))).unwrap();
    let mut nodes = model.graph.nodes.iter().enumerate();
    let is_relu = |(_, node): &(usize, &zkverdict::models::Node)| matches!(node.op, zkverdict::models::Op::Relu);
    nodes
        .find(is_relu)
        .map(|(position, node)| (position, node.name.clone()))
        .unwrap()
}

#[test]
fn run_takes_its_floats_from_tract_where_it_can() {
    let work = Work::empty();
    let example = examples().join("diagnosis");
    for (from, to) in [("mlp.onnx", "mlp.onnx"), ("inputs.csv", "inputs.csv")] {
        std::fs::copy(example.join(from), work.path(to)).unwrap();
    }
    let json = work
        .run("run mlp.onnx --input inputs.csv --inputs 5 --json")
        .expect_status(0)
        .json();
    let source = json["float_source"].as_str().unwrap();
    assert_eq!(source == "tract", json["float_reason"].is_null(), "{json}");
    assert_eq!(json["equal_decisions"], 5);
}

#[test]
fn doctor_knows_what_is_missing() {
    let work = Work::empty();
    let json = work.run("doctor --json").expect_status(0).json();
    assert_eq!(json["ready"], true);
    assert_eq!(json["findings"][0]["what"], "solc");
    let bare = [
        ("PATH", ""),
        ("ZKVERDICT_TOOLS", "nowhere"),
        ("ZKVERDICT_SOLC", ""),
        ("ZKVERDICT_ANVIL", ""),
    ];
    let missing = work.run_with("doctor", &bare).expect_status(2);
    assert!(missing.stdout.contains("something needed is missing"), "{missing}");
    assert!(missing.stdout.contains("run scripts/tools/install"), "{missing}");
}

#[test]
fn nothing_but_the_result_is_on_stdout() {
    let work = pipeline().with(&["logreg.vk", "logreg.proof"]);
    let said = work
        .run("verify --verifying-key logreg.vk --proof logreg.proof --json")
        .expect_status(0);
    assert!(said.stderr.contains("UNSAFE"), "{said}");
    assert!(
        !said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'),
        "{said}"
    );
    said.json();
}

#[test]
fn what_will_not_fit_is_said_before_the_work() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json", "dev.srs"]);
    let said = work.run("compile logreg.onnx --memory-limit 10MB").expect_status(2);
    snapshot!(said, @r"
    status 2
    --- stderr
    error: no layout matches: keys and proofs of the smallest one take about 20 MB of memory, above the limit of 10 MB; allow more, or accept a larger error with a greater tolerance
    ");
    let limited = [("ZKVERDICT_MEMORY_LIMIT", "1GiB"), ("ZKVERDICT_SRS", "dev.srs")];
    let said = work
        .run_with("compile logreg.onnx --limb-bits 9", &limited)
        .expect_status(0);
    assert!(
        said.stderr
            .contains("warning: dev.srs: an SRS of k = 9 cannot serve k = 10")
            && said.stderr.contains("at least 2^10 powers before `zkverdict setup`"),
        "{said}"
    );
    let said = work.run("compile logreg.onnx --json").expect_status(0);
    assert!(said.json()["host"]["transforms"].as_f64().unwrap() > 0.0, "{said}");
}

#[test]
fn the_same_circuit_comes_from_machines_of_any_speed() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json"]);
    let cache = work.path("cache");
    std::fs::create_dir_all(cache.join("zkverdict")).unwrap();
    let environment = [("XDG_CACHE_HOME", cache.to_str().unwrap())];
    let digests: Vec<_> = ["1e-3", "9.0"]
        .into_iter()
        .map(|seconds| {
            let speed = cache.join("zkverdict/speed.json");
            if let Ok(text) = std::fs::read_to_string(&speed) {
                let mut known: serde_json::Value = serde_json::from_str(&text).unwrap();
                known["transform_s"] = seconds.parse::<f64>().unwrap().into();
                std::fs::write(&speed, known.to_string()).unwrap();
            }
            let json = work
                .run_with("compile logreg.onnx --json", &environment)
                .expect_status(0)
                .json();
            (
                json["circuit_digest"].clone(),
                json["chosen"]["prove_cpu_s"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(digests[0].0, digests[1].0);
    assert!(digests[0].1 < digests[1].1 / 10.0, "{digests:?}");
}
