use std::time::Instant;
fn cpu() -> f64 {
    let t = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = t.split_whitespace().collect();
    (f[13].parse::<f64>().unwrap() + f[14].parse::<f64>().unwrap()) / 100.0
}
use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr},
    poly::commitment::Params,
    poly::kzg::commitment::ParamsKZG,
};
use zkverdict_circuit::*;
use zkverdict_model::*;
fn main() {
    let model = std::env::args().nth(1).unwrap();
    let dir = format!("/work/shared/bench/models/{model}");
    let bytes = std::fs::read(format!("{dir}/network.onnx")).unwrap();
    let graph = zkverdict_onnx::import(&bytes).unwrap();
    let samples = zkverdict_onnx::read_samples(format!("{dir}/calibration.json").as_ref(), &graph).unwrap();
    let samples: Vec<Vec<Vec<f64>>> = samples.into_iter().map(|s| s.inputs).collect();
    let cal = Calibration::measure(&graph, &samples, 4.0).unwrap();
    let test: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{dir}/test.json")).unwrap()).unwrap();
    for l in std::env::args().nth(2).unwrap().split(',').map(|x| x.parse().unwrap()) {
        let program = Program::compile(&graph, &cal, l).unwrap();
        let fid = Fidelity::measure(&program, &graph, &samples).unwrap();
        println!(
            "L={l} tables {:?} {fid:?}",
            program.tables.iter().map(|t| t.entries.len()).collect::<Vec<_>>()
        );
        let mut worst: f64 = 0.0;
        for (x, y) in test["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .zip(test["outputs"].as_object().unwrap().values().next().unwrap().as_array().unwrap())
        {
            let x: Vec<f64> = x.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let q = match program.quantize(&[x]) {
                Ok(q) => q,
                Err(e) => {
                    println!("  refused {e}");
                    continue;
                }
            };
            let cells = program.execute(&q).unwrap();
            let out = program.dequantize_outputs(&cells);
            let want = y
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|v| v.as_array().cloned().unwrap_or_else(|| vec![v.clone()]))
                .flat_map(|v| v.as_array().cloned().unwrap_or_else(|| vec![v.clone()]))
                .map(|v| v.as_f64().unwrap())
                .collect::<Vec<_>>();
            for (a, b) in out.iter().flatten().zip(&want) {
                worst = worst.max((a - b).abs());
            }
        }
        println!("  max error vs ORT {worst}");
        for c in candidates(&program, PublicInputs::default(), None).unwrap() {
            println!(
                "  C={} k={} rows={} table={} A={} F={} P={} proof={} gas~{} cpu~{:.2} mem~{}",
                c.shape.lanes,
                c.k,
                c.rows,
                c.table_rows,
                c.advice_columns,
                c.fixed_columns,
                c.equality_columns,
                c.proof_bytes,
                c.verify_gas,
                c.prove_cpu_s,
                c.memory_bytes >> 20
            );
            if std::env::args()
                .nth(3)
                .is_none_or(|w| w.split(',').all(|w| w != c.shape.lanes.to_string()))
            {
                continue;
            }
            let compiled = c.compile(program.clone(), PublicInputs::default());
            let params = ParamsKZG::<Bn256>::setup(c.k, rand::thread_rng());
            let _ = params.k();
            let t = (Instant::now(), cpu());
            let key = zkverdict_prover::ProvingKey::generate(&compiled, &params).unwrap();
            println!(
                "    setup wall {:?} cpu {:.2}, pk {} bytes",
                t.0.elapsed(),
                cpu() - t.1,
                key.to_bytes().len()
            );
            let bytes = key.to_bytes();
            let t = (Instant::now(), cpu());
            let key = zkverdict_prover::ProvingKey::from_bytes(&bytes, &compiled, &params).unwrap();
            println!("    load wall {:?} cpu {:.2}", t.0.elapsed(), cpu() - t.1);
            let t = (Instant::now(), cpu());
            let n = 5;
            for _ in 0..n {
                let p = zkverdict_prover::prove(&compiled, &key, &params, &samples[0], Fr::from(5)).unwrap();
                assert_eq!(p.proof.len(), c.proof_bytes);
            }
            println!(
                "    prove wall {:?} cpu {:.3}",
                t.0.elapsed() / n,
                (cpu() - t.1) / n as f64
            );
        }
    }
}
