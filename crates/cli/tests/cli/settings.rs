use crate::harness::{pipeline, snapshot};

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let work = pipeline().with(&["logreg.onnx", "logreg.calibration.json"]);
    work.write("zkverdict.toml", "optimize = \"gas\"\nlimb-bits = 10\n");
    let objective = |arguments: &str, environment: &[(&str, &str)]| {
        let json = work.run_with(arguments, environment).expect_status(0).json();
        let bits = json["chosen"]["shape"]["limb_bits"].as_u64().unwrap();
        (json["objective"].as_str().unwrap().to_owned(), bits)
    };
    let compile = "compile logreg.onnx --json";
    assert_eq!(objective(compile, &[]), ("gas".to_owned(), 10));
    let environment = [("ZKVERDICT_OPTIMIZE", "memory")];
    assert_eq!(objective(compile, &environment), ("memory".to_owned(), 10));
    let flags = "compile logreg.onnx --json --optimize time --limb-bits 9";
    assert_eq!(objective(flags, &environment), ("time".to_owned(), 9));
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let work = pipeline().with(&["logreg.onnx"]);
    work.write("zkverdict.toml", "optimise = \"gas\"\n");
    snapshot!(work.run("inspect logreg.onnx"), @r#"
    status 2
    --- stderr
    error: the configuration zkverdict.toml is not usable
      because: TOML parse error at line 1, column 1
        |
      1 | optimise = "gas"
        | ^^^^^^^^
      unknown field `optimise`, expected one of `optimize`, `tolerance`, `visibility`, `limb-bits`, `lanes`, `memory-limit`, `margin`, `reasons`, `ignore-columns`, `srs`, `secret-model`, `solc`, `rpc-url`, `chain-id`, `keystore`, `password-file`, `private-key-env`
    "#);
    work.write("zkverdict.toml", "limb-bits = \"nine\"\n");
    let said = work.run("inspect logreg.onnx").expect_status(2);
    assert!(said.stderr.contains("limb-bits"), "{said}");
    snapshot!(work.run("inspect logreg.onnx --config other.toml"), @r"
    status 2
    --- stderr
    error: cannot read the configuration other.toml
      because: there is no such file
    ");
    std::fs::remove_file(work.path("zkverdict.toml")).unwrap();
    snapshot!(work.run_with("inspect logreg.onnx", &[("ZKVERDICT_LANES", "many")]), @r#"
    status 2
    --- stderr
    error: the environment variable ZKVERDICT_LANES holds "many", which is no number of its kind
    "#);
}

#[test]
fn paths_in_a_configuration_are_meant_from_its_folder() {
    let work = pipeline().with(&["logreg.circuit", "dev.srs"]);
    std::fs::create_dir(work.path("etc")).unwrap();
    std::fs::rename(work.path("dev.srs"), work.path("etc/dev.srs")).unwrap();
    work.write("etc/zkverdict.toml", "srs = \"dev.srs\"\n");
    work.run("setup logreg.circuit --config etc/zkverdict.toml")
        .expect_status(0);
    let environment = [("ZKVERDICT_CONFIG", "etc/zkverdict.toml")];
    work.run_with("setup logreg.circuit", &environment).expect_status(0);
    work.run("setup logreg.circuit").expect_status(2);
}
