//! The models of the benchmark: exact enough, and as small as promised.

use std::{fs, path::PathBuf};

use serde_json::Value;
use zkverdict::{
    CompileOptions, Keys, Model,
    circuits::{PublicInputs, Visibility},
    compile, prove,
};

use crate::support::{Keyed, Pipeline, Sample, development_srs, report, shared};

struct Bench {
    pipeline: Pipeline,
    inputs: Vec<Sample>,
    outputs: Vec<Vec<f64>>,
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(floats).collect()
}

fn bench(name: &str) -> Option<Bench> {
    let folder: PathBuf = shared(&format!("bench/models/{name}"))?;
    let model = Model::load(&folder.join("network.onnx")).unwrap();
    let test: Value = serde_json::from_slice(&fs::read(folder.join("test.json")).unwrap()).unwrap();
    let inputs: Vec<Sample> = rows(&test["inputs"]).into_iter().map(|row| vec![row]).collect();
    let mut samples = model.samples(&folder.join("calibration.json"), &[]).unwrap();
    // An input outside the calibrated range is refused by name, so the test's inputs count as samples too.
    samples.extend(inputs.iter().cloned());
    Some(Bench {
        pipeline: Pipeline::new(model, &samples),
        inputs,
        outputs: rows(&test["outputs"]["output0"]),
    })
}

/// A model of the benchmark with keys and a proof, where it is at hand.
pub(crate) fn keyed_bench(name: &str) -> Option<Keyed> {
    let bench = bench(name)?;
    Some(Keyed::new(bench.pipeline, bench.inputs.into_iter().next()?))
}

impl Bench {
    fn max_error(&self) -> f64 {
        assert_eq!(self.inputs.len(), self.outputs.len());
        let mut max_error = 0.0_f64;
        for (input, expected) in self.inputs.iter().zip(&self.outputs) {
            let got = self.pipeline.outputs(input).unwrap();
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].len(), expected.len());
            for (got, expected) in got[0].iter().zip(expected) {
                max_error = max_error.max((got - expected).abs());
            }
        }
        max_error
    }

    /// What the planner promised is what the keys and the proof have.
    fn check_proof(&self, name: &str) {
        let keyed = Keyed::new(self.pipeline.clone(), self.inputs[0].clone());
        let plan = &self.pipeline.planned.file.plan;
        let key = &keyed.keys.verifying.key;
        assert_eq!(plan.proof_bytes, keyed.proof.proof.len());
        assert_eq!(plan.proof_bytes, key.proof_bytes());
        assert_eq!(plan.public_inputs, keyed.proof.public_inputs.len());
        assert_eq!(plan.k as usize, key.protocol.domain.k);
        assert_eq!(
            keyed.verdict(&keyed.proof.proof, &keyed.inference.public_inputs),
            Ok(())
        );
        report!(
            "{name}: k = {}, {} rows, {} advice, {} fixed, {} equality columns, {} bytes of proof, predicted gas {}",
            plan.k,
            plan.rows,
            plan.advice_columns,
            plan.fixed_columns,
            plan.equality_columns,
            plan.proof_bytes,
            plan.verify_gas
        );
    }
}

fn check(name: &str, tolerance: f64, max_k: u32) {
    let Some(bench) = bench(name) else { return };
    let max_error = bench.max_error();
    let plan = &bench.pipeline.planned.file.plan;
    report!(
        "{name}: max error {max_error:.2e} on {} rows, k = {}, {}",
        bench.inputs.len(),
        plan.k,
        plan.shape
    );
    assert!(max_error <= tolerance, "{name}: {max_error}");
    assert!(plan.k <= max_k, "{name}: k = {}", plan.k);
    assert!(plan.rows < 1 << plan.k);
    bench.check_proof(name);
}

#[test]
fn logreg_credit_is_exact_and_small() {
    check("logreg_credit", 0.0004, 9);
}

#[test]
fn mlp_credit_is_exact_and_small() {
    check("mlp_credit", 0.0005, 11);
}

/// A hundred thousand weights: evaluated and planned here, proven in the benchmark.
#[test]
fn mlp_784_decides_as_onnx_runtime() {
    let Some(bench) = bench("mlp_784") else { return };
    let largest = |values: &[f64]| {
        let mut best = 0;
        for (index, value) in values.iter().enumerate() {
            if *value > values[best] {
                best = index;
            }
        }
        best
    };
    let mut equal = 0;
    for (input, expected) in bench.inputs.iter().zip(&bench.outputs) {
        equal += usize::from(largest(&bench.pipeline.outputs(input).unwrap()[0]) == largest(expected));
    }
    let plan = &bench.pipeline.planned.file.plan;
    report!(
        "mlp_784: {equal} of {} decisions equal, max error of a logit {:.2e}, k = {}, {} rows, {}",
        bench.inputs.len(),
        bench.max_error(),
        plan.k,
        plan.rows,
        plan.shape
    );
    assert_eq!(equal, bench.inputs.len());
}

/// A linked model takes little more than a public one: here by prediction, in `docs/numbers.md` by the clock.
#[test]
fn linked_models_are_proven_at_about_the_price_of_public_ones() {
    for (name, most) in [
        ("logreg_credit", 1.2),
        ("mlp_credit", 1.5),
        ("gbdt_20x4", 1.5),
        ("mlp_784", 2.0),
    ] {
        let Some(folder) = shared(&format!("bench/models/{name}")) else {
            return;
        };
        let model = Model::load(&folder.join("network.onnx")).unwrap();
        let samples = model.samples(&folder.join("calibration.json"), &[]).unwrap();
        let public = Pipeline::new(model, &samples);
        let options = CompileOptions {
            public: PublicInputs {
                model: Visibility::Linked,
                ..PublicInputs::DEFAULT
            },
            ..CompileOptions::default()
        };
        let linked = compile(&public.model, &public.calibration, &options).unwrap().file;
        let (plan, before) = (&linked.plan, &public.planned.file.plan);
        assert!(plan.prove_cpu_s < most * before.prove_cpu_s, "{name}: {plan:?}");
        let keys = Keys::generate(&linked, &development_srs(plan.k)).unwrap();
        let (proof, proven) = prove(&linked, &keys.proving, &samples[0], 7.into()).unwrap();
        proof.verify(&keys.verifying).unwrap();
        assert_eq!(proof.proof.len(), plan.proof_bytes);
        let floats = public.outputs(&samples[0]).unwrap().concat();
        let got = linked.compiled.program.dequantize_outputs(&proven.cells).concat();
        let error = |(got, expected): (&f64, &f64)| (got - expected).abs();
        let error = got.iter().zip(&floats).map(error).fold(0.0, f64::max);
        assert!(error < 2e-3, "{name}: {got:?} instead of {floats:?}");
        report!(
            "{name}, linked: k = {}, {} rows, {}, {error:.1e} off",
            plan.k,
            plan.rows,
            plan.shape
        );
    }
}
