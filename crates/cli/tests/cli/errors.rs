use crate::harness::{Work, pipeline, snapshot};

#[test]
fn files_of_the_wrong_kind_are_named() {
    let work = pipeline().with(&[
        "logreg.circuit",
        "logreg.pk",
        "logreg.vk",
        "logreg.proof",
        "approved.json",
        "logreg.onnx",
    ]);
    snapshot!(work.run("prove logreg.vk --input approved.json"), @r"
    status 2
    --- stderr
    error: logreg.vk is a verifying key, not a compiled circuit; `zkverdict compile` makes one
    ");
    snapshot!(work.run("verify --verifying-key logreg.vk --proof logreg.pk"), @r"
    status 2
    --- stderr
    error: logreg.pk is a proving key, not a proof; `zkverdict prove` makes one
    ");
    snapshot!(work.run("contract logreg.onnx"), @r"
    status 2
    --- stderr
    error: logreg.onnx is not a zkverdict artifact; `zkverdict setup` makes a verifying key
    ");
    snapshot!(work.run("inspect approved.json"), @r"
    status 2
    --- stderr
    error: the model approved.json cannot be used
      because: not an ONNX file: failed to decode Protobuf message: buffer underflow; export the model again, or check that the file is complete
    ");
    snapshot!(work.run("setup logreg.circuit --srs logreg.pk"), @r"
    status 2
    --- stderr
    error: logreg.pk is not a zkverdict SRS artifact; make one from it with `zkverdict srs import`
    ");
    snapshot!(work.run("compile logreg.onnx --calibration approved.json"), @r"
    status 2
    --- stderr
    error: approved.json is no calibration; make it again with `zkverdict calibrate`
    ");
    snapshot!(work.run("prove missing.circuit --input approved.json"), @r"
    status 2
    --- stderr
    error: missing.circuit: No such file or directory (os error 2)
    hint: check the path
    ");
    snapshot!(work.run("verify --verifying-key logreg.vk --proof approved.json"), @r"
    status 2
    --- stderr
    error: approved.json is no proof; make it again with `zkverdict prove`
    ");
}

#[test]
fn stale_mixes_are_refused() {
    let work = pipeline().with(&[
        "logreg.onnx",
        "mlp.onnx",
        "logreg.calibration.json",
        "logreg.circuit",
        "mlp.pk",
        "mlp.vk",
        "logreg.proof",
        "approved.json",
        "CreditVerifier.contract",
        "mlp.circuit",
    ]);
    snapshot!(work.run("compile mlp.onnx --calibration logreg.calibration.json"), @r"
    status 2
    --- stderr
    error: logreg.calibration.json was made from another model; run `zkverdict calibrate` again
    ");
    snapshot!(work.run("prove logreg.circuit --proving-key mlp.pk --input approved.json"), @r"
    status 2
    --- stderr
    error: mlp.pk was made from another circuit; make it again with `zkverdict setup`
    ");
    snapshot!(work.run("verify --verifying-key mlp.vk --proof logreg.proof"), @r"
    status 2
    --- stderr
    error: logreg.proof was made from another verifying key; make it again with `zkverdict prove`
    ");
    work.run("prove mlp.circuit --input approved.json").expect_status(0);
    snapshot!(work.run("simulate CreditVerifier.contract --proof mlp.proof"), @r"
    status 2
    --- stderr
    error: mlp.proof was made from another verifying key; make it again with `zkverdict prove`
    ");
    snapshot!(work.run("simulate CreditVerifier.contract --proof logreg.proof mlp.proof"), @r"
    status 2
    --- stderr
    error: mlp.proof was made from another verifying key; make it again with `zkverdict prove`
    ");
}

#[test]
fn truncated_artifacts_are_refused_and_kept() {
    let work = pipeline().with(&[
        "logreg.circuit",
        "logreg.pk",
        "logreg.vk",
        "logreg.proof",
        "approved.json",
        "CreditVerifier.contract",
    ]);
    let cut = |file: &str| {
        let mut bytes = work.read(file);
        bytes.truncate(bytes.len() / 2);
        work.write(&format!("cut-{file}"), bytes);
    };
    for file in [
        "logreg.circuit",
        "logreg.pk",
        "logreg.vk",
        "logreg.proof",
        "CreditVerifier.contract",
    ] {
        cut(file);
    }
    snapshot!(work.run("prove cut-logreg.circuit --input approved.json"), @r"
    status 2
    --- stderr
    error: cut-logreg.circuit is damaged (its length is not the one in the header); make it again with `zkverdict compile`
    ");
    snapshot!(work.run("prove logreg.circuit --proving-key cut-logreg.pk --input approved.json -o new.proof"), @r"
    status 2
    --- stderr
    error: cut-logreg.pk is damaged (its length is not the one in the header); make it again with `zkverdict setup`
    ");
    snapshot!(work.run("verify --verifying-key cut-logreg.vk --proof logreg.proof"), @r"
    status 2
    --- stderr
    error: cut-logreg.vk is damaged (its length is not the one in the header); make it again with `zkverdict setup`
    ");
    snapshot!(work.run("verify --verifying-key logreg.vk --proof cut-logreg.proof"), @r"
    status 2
    --- stderr
    error: cut-logreg.proof is damaged (its length is not the one in the header); make it again with `zkverdict prove`
    ");
    snapshot!(work.run("simulate cut-CreditVerifier.contract --proof logreg.proof"), @r"
    status 2
    --- stderr
    error: cut-CreditVerifier.contract is damaged (its length is not the one in the header); make it again with `zkverdict contract`
    ");
    assert!(!work.path("new.proof").exists());
}

#[test]
fn changed_artifacts_are_refused() {
    let work = pipeline().with(&[
        "logreg.circuit",
        "logreg.pk",
        "logreg.vk",
        "logreg.proof",
        "approved.json",
    ]);
    for (file, command) in [
        ("logreg.circuit", "prove logreg.circuit --input approved.json"),
        ("logreg.pk", "prove logreg.circuit --input approved.json"),
        ("logreg.vk", "verify --verifying-key logreg.vk --proof logreg.proof"),
        ("logreg.proof", "verify --verifying-key logreg.vk --proof logreg.proof"),
    ] {
        let good = work.read(file);
        let mut bad = good.clone();
        let at = bad.len() * 3 / 4;
        bad[at] ^= 1;
        work.write(file, bad);
        let said = work.run(command).expect_status(2);
        assert!(said.stderr.contains(&format!("{file} is damaged")), "{said}");
        work.write(file, good);
        work.run(command).expect_status(0);
    }
}

#[test]
fn inputs_that_cannot_be_proven_are_named() {
    let work = pipeline().with(&["logreg.circuit", "logreg.pk", "logreg.proof"]);
    let before = work.read("logreg.proof");
    let sample = |duration: f64, purpose: i32| {
        format!("{{\"input_data\": [[3, {duration}, 2, {purpose}, 1546, 0, 2, 3, 0, 2, 0, 0, 1, 1, 1, 2, 0]]}}")
    };
    work.write("category.json", sample(10.0, 77));
    work.write("range.json", sample(1e6, 0));
    work.write("short.json", "{\"input_data\": [[1, 2, 3]]}");
    work.write("text.json", "{\"input_data\": [[\"a\"");
    work.write("good.json", sample(10.0, 0));
    snapshot!(work.run("prove logreg.circuit --input category.json"), @r"
    status 2
    --- stderr
    error: input input[3] = 77 is in no category of the model's one-hot encoder; use one of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    ");
    snapshot!(work.run("prove logreg.circuit --input range.json"), @r"
    status 2
    --- stderr
    error: input input[1] = 1000000 is outside the calibrated range [0, 255.99609375]; calibrate on samples that cover it, or with a larger --margin
    ");
    snapshot!(work.run("prove logreg.circuit --input short.json"), @r#"
    status 2
    --- stderr
    error: short.json: the model input "input" takes 17 values a sample; got 3, which is no multiple of it
    "#);
    snapshot!(work.run("prove logreg.circuit --input text.json"), @r"
    status 2
    --- stderr
    error: text.json: it is not valid JSON: EOF while parsing a list at line 1 column 20
    ");
    snapshot!(work.run("prove logreg.circuit --input good.json --row 5"), @r"
    status 2
    --- stderr
    error: good.json has no sample 5
    hint: choose --row between 0 and 0
    ");
    let context = format!("prove logreg.circuit --input good.json --context 0x{}", "f".repeat(64));
    let said = work.run(&context).expect_status(2);
    assert!(said.stderr.contains("is not usable"), "{said}");
    assert_eq!(work.read("logreg.proof"), before, "a failing command changes nothing");
}

#[test]
fn results_do_not_overwrite_other_files() {
    let work = pipeline().with(&[
        "logreg.onnx",
        "samples.json",
        "logreg.calibration.json",
        "logreg.circuit",
        "dev.srs",
        "logreg.vk",
    ]);
    snapshot!(work.run("calibrate logreg.onnx --data samples.json -o samples.json"), @r"
    status 2
    --- stderr
    error: samples.json is another file, not a calibration, and is not overwritten
    hint: name another output, or move that away
    ");
    snapshot!(work.run("compile logreg.onnx -o logreg.onnx"), @r"
    status 2
    --- stderr
    error: logreg.onnx is another file, not a compiled circuit, and is not overwritten
    hint: name another output, or move that away
    ");
    snapshot!(work.run("setup logreg.circuit --srs dev.srs --proving-key logreg.circuit"), @r"
    status 2
    --- stderr
    error: logreg.circuit is another file, not a proving key, and is not overwritten
    hint: name another output, or move that away
    ");
    work.write("CreditVerifier.sol", "// by hand");
    snapshot!(work.run("contract logreg.vk --name CreditVerifier"), @r"
    status 2
    --- stderr
    error: CreditVerifier.sol is there already and was not generated here
    hint: choose another --name or folder, or move that file away
    ");
    assert_eq!(work.read("CreditVerifier.sol"), b"// by hand");
    // Its own earlier results it may replace.
    work.run("calibrate logreg.onnx --data samples.json").expect_status(0);
    work.run("compile logreg.onnx").expect_status(0);
}

#[test]
fn an_srs_that_is_too_small_is_refused() {
    let work = pipeline().with(&["logreg.circuit"]);
    work.run("srs dev -k 5 -o small.srs").expect_status(0);
    snapshot!(work.run("setup logreg.circuit --srs small.srs"), @r"
    status 2
    --- stderr
    error: no keys could be made
      because: an SRS of k = 5 cannot serve k = 9; import or create a larger one
    hint: run `zkverdict srs import` on a ceremony's file with at least 2^9 powers, or for trials `zkverdict srs dev -k 9`
    ");
    snapshot!(work.run("setup logreg.circuit"), @r"
    status 2
    --- stderr
    error: keys need an SRS, and none was named
    hint: run `zkverdict srs import` (or `zkverdict srs dev` for trials) and name its file with --srs
    ");
    assert!(!work.path("logreg.pk").exists() && !work.path("logreg.vk").exists());
}

#[test]
fn a_missing_solc_is_said_before_any_work_that_needs_it() {
    let work = pipeline().with(&["logreg.vk"]);
    let bare = [("PATH", ""), ("ZKVERDICT_TOOLS", "nowhere"), ("ZKVERDICT_SOLC", "")];
    snapshot!(work.run_with("contract logreg.vk --embedded-key", &bare), @r"
    status 2
    --- stderr
    error: no solc 0.8.34 was found in --solc, ZKVERDICT_SOLC, PATH or nowhere; run scripts/tools/install, or point ZKVERDICT_SOLC at a solc 0.8.34
    hint: run `zkverdict doctor` to see all that is missing
    ");
    // Verifiers that many models share are shipped compiled.
    work.run_with("contract logreg.vk", &bare).expect_status(0);
    work.run_with("demo", &bare).expect_status(0);
    snapshot!(work.run("contract logreg.vk --name 7up"), @r"
    status 2
    --- stderr
    error: '7up' is not a name for a contract; use letters, digits and underscores, and start with a letter
    ");
}

#[test]
fn malformed_models_are_refused() {
    let work = pipeline().with(&["logreg.onnx", "samples.json"]);
    let bytes = work.read("logreg.onnx");
    work.write("cut.onnx", &bytes[..bytes.len() / 2]);
    work.write("empty.onnx", b"");
    for model in ["cut.onnx", "empty.onnx"] {
        let said = work
            .run(&format!("calibrate {model} --data samples.json"))
            .expect_status(2);
        assert!(
            said.stderr
                .starts_with(&format!("error: the model {model} cannot be used")),
            "{said}"
        );
        assert!(!work.path("cut.calibration.json").exists());
    }
    let elsewhere = Work::empty();
    snapshot!(elsewhere.run("inspect nowhere.onnx"), @r"
    status 2
    --- stderr
    error: nowhere.onnx: No such file or directory (os error 2)
    hint: check the path
    ");
}
