use crate::harness::{keys, pipeline};

/// Other tools read these names.
const NAMES: [&str; 21] = [
    "advice_columns",
    "code_bytes",
    "deploy_gas",
    "equality_columns",
    "fixed_columns",
    "instances",
    "k",
    "model",
    "outputs",
    "pk_bytes",
    "predicted",
    "proof_bytes",
    "prove",
    "public_inputs",
    "rows",
    "setup",
    "srs",
    "verify",
    "verify_execution_gas",
    "verify_gas",
    "vk_bytes",
];

#[test]
fn bench_reports_everything_under_its_name() {
    let work = pipeline().with(&["logreg.onnx", "approved.json", "samples.json"]);
    let json = work
        .run("bench logreg.onnx --input approved.json --calibration samples.json --json")
        .expect_status(0)
        .json();
    assert_eq!(keys(&json), NAMES);
    assert_eq!(json["k"], 9);
    assert_eq!(json["instances"], json["public_inputs"].as_array().unwrap().len());
    assert_eq!(json["outputs"].as_array().unwrap().len(), 3);
    assert_eq!(json["outputs"][0], 1);
    for step in ["setup", "prove", "verify"] {
        assert_eq!(keys(&json[step]), ["cpu_s", "peak_rss_bytes", "wall_s"], "{step}");
        assert!(json[step]["peak_rss_bytes"].as_u64().unwrap() > 1_000_000, "{step}");
        assert!(json[step]["cpu_s"].as_f64().unwrap() > 0.0, "{step}");
    }
    assert!(json["prove"]["peak_rss_bytes"].as_u64().unwrap() < 60_000_000, "{json}");
    assert!(json["verify_execution_gas"].as_u64() < json["verify_gas"].as_u64());
    assert_eq!(json["srs"], "UNSAFE development SRS");
}

#[test]
fn bench_takes_an_srs_and_leaves_nothing_behind() {
    let work = pipeline().with(&["logreg.onnx", "approved.json", "dev-11.srs"]);
    let said = work
        .run("bench logreg.onnx --input approved.json --srs dev-11.srs --optimize gas")
        .expect_status(0);
    assert!(said.stdout.contains("peak memory"), "{said}");
    let files = std::fs::read_dir(work.path(".")).unwrap().count();
    assert_eq!(files, 3);
}

#[test]
fn a_failing_step_is_named() {
    let work = pipeline().with(&["logreg.onnx", "approved.json"]);
    work.write("bad.json", "{\"input_data\": [[1, 2]]}");
    let said = work.run("bench logreg.onnx --input bad.json --json").expect_status(2);
    assert!(said.stderr.contains("the step `zkverdict calibrate` failed"), "{said}");
    assert!(said.stderr.contains("bad.json"), "{said}");
    assert_eq!(said.stdout, "");
}
