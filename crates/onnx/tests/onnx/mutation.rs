//! Damaged files never panic and never give a graph that cannot be evaluated.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zkverdict_onnx::{FloatModel, import, summarize};

use crate::common::{evaluate, model};

#[test]
fn damaged_models_never_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(2026);
    let names = [
        "logistic_three_zipmap",
        "mlp_text",
        "data_frame",
        "residual",
        "shape_chain",
        "label_lookup",
        "min_max_clipped",
        "softmax_axis1_opset13",
        "classifier_one_row_none",
        "compare_less",
        "unsqueeze_attributes",
    ];
    let mut imported = 0;
    for name in names {
        let original = model(&format!("{name}.onnx"));
        for length in 0..original.len() {
            check(&original[..length]);
        }
        for _ in 0..3_000 {
            let mut bytes = original.clone();
            for _ in 0..random.gen_range(1..4) {
                let position = random.gen_range(0..bytes.len());
                match random.gen_range(0..4) {
                    0 => bytes[position] = random.r#gen(),
                    1 => bytes[position] ^= 1 << random.gen_range(0..8),
                    2 => {
                        bytes.remove(position);
                    }
                    _ => bytes.insert(position, random.r#gen()),
                }
            }
            if check(&bytes) {
                imported += 1;
                if imported % 100 == 0 {
                    // tract may panic inside; nothing may come out.
                    let _ = FloatModel::load(&bytes);
                }
            }
        }
    }
    assert!(
        imported > 1_000,
        "{imported} damaged models still import; the test needs some"
    );
}

/// Whether the bytes import; the graph is then evaluated, which checks its indices.
fn check(bytes: &[u8]) -> bool {
    let _ = summarize(bytes);
    let Ok(graph) = import(bytes) else {
        return false;
    };
    if graph.inputs.iter().map(|input| input.len()).sum::<usize>() < 10_000 {
        let zeros: Vec<Vec<f64>> = graph.inputs.iter().map(|input| vec![0.0; input.len()]).collect();
        let _ = evaluate(&graph, &zeros);
    }
    true
}
