//! What a malicious prover may try. Every attack recomputes multiplicities and running sum, as such a prover would.

use crate::support::{
    graphs::{attention, everything, forest, mlp, ranking, rng, samples, wide_logits},
    traces::Case,
};
use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict::circuits::{AdviceColumn, Trace};
use zkverdict::models::{Finish, Graph, Op, Step};

struct Honest {
    case: Case,
    trace: Trace,
    instances: Vec<Fr>,
}

impl Honest {
    fn new(graph: &Graph, lanes: usize) -> Self {
        let trees = graph.nodes.iter().any(|node| matches!(node.op, Op::TreeEnsemble(_)));
        let case = Case::from_graph(graph, if trees { 8 } else { 6 }, lanes);
        let cells = case.cells(&samples(graph, 1, &mut rng(42))[0]);
        let (trace, instances) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(trace.clone(), instances.clone()), Ok(()));
        Self { case, trace, instances }
    }

    fn rejects(&self, what: &str, attack: impl FnOnce(&mut Trace)) {
        let mut trace = self.trace.clone();
        attack(&mut trace);
        assert!(
            self.case.accepts(trace, self.instances.clone()).is_err(),
            "{what} was accepted"
        );
    }
}

/// Every bound cell, one at a time, by several amounts.
fn perturb_every_cell(graph: &Graph, lanes: usize, thin: usize) {
    let honest = Honest::new(graph, lanes);
    let amounts = [
        Fr::one(),
        -Fr::one(),
        Fr::from(64),
        Fr::from(1 << 24),
        Fr::from(2).invert().unwrap(),
    ];
    let mut cells = honest.case.layout.bound_cells();
    cells.sort_unstable();
    cells.dedup();
    assert!(cells.len() > 200);
    for (index, (column, row)) in cells.into_iter().enumerate() {
        if index % thin != 0 {
            continue;
        }
        let amount = amounts[(index / thin) % amounts.len()];
        honest.rejects(&format!("{column:?} in row {row} changed by {amount:?}"), |trace| {
            trace.column_mut(column)[row] += amount;
            if column != AdviceColumn::Multiplicity {
                trace.count_lookups(&honest.case.layout);
            }
        });
    }
}

#[test]
fn perturbed_cells_of_an_mlp_are_rejected() {
    perturb_every_cell(&mlp(3, &[4], &mut rng(8)), 1, 1);
    perturb_every_cell(&mlp(3, &[4], &mut rng(8)), 2, 1);
}

#[test]
fn perturbed_cells_of_every_gadget_are_rejected() {
    perturb_every_cell(&everything(&mut rng(7)), 1, 3);
}

#[test]
fn perturbed_cells_of_products_and_functions_are_rejected() {
    perturb_every_cell(&attention(&mut rng(19)), 1, 3);
    perturb_every_cell(&attention(&mut rng(19)), 2, 5);
}

#[test]
fn perturbed_cells_of_trees_are_rejected() {
    perturb_every_cell(&forest(3, 3, 3, &mut rng(3)), 1, 1);
    perturb_every_cell(&forest(3, 3, 3, &mut rng(3)), 2, 3);
}

#[test]
fn perturbed_cells_of_a_ranking_are_rejected() {
    perturb_every_cell(&ranking(&mut rng(23)), 1, 1);
    perturb_every_cell(&ranking(&mut rng(23)), 2, 3);
}

/// Another answer with a witness that is otherwise made consistently: wrong output cells, everything after recomputed.
#[test]
fn wrong_outputs_are_rejected() {
    let honest = Honest::new(&mlp(3, &[4], &mut rng(8)), 1);
    for index in 1..honest.instances.len() {
        for amount in [Fr::one(), -Fr::one()] {
            let mut instances = honest.instances.clone();
            instances[index] += amount;
            assert!(honest.case.accepts(honest.trace.clone(), instances).is_err());
        }
    }
}

/// Every intermediate cell set to another value, with all later steps executed honestly from it.
#[test]
fn wrong_intermediate_results_are_rejected() {
    for graph in [
        mlp(3, &[4], &mut rng(8)),
        everything(&mut rng(7)),
        attention(&mut rng(19)),
        wide_logits(),
        ranking(&mut rng(23)),
        forest(3, 3, 3, &mut rng(3)),
    ] {
        let honest = Honest::new(&graph, 1);
        let program = &honest.case.program;
        let cells = honest.case.cells(&samples(&graph, 1, &mut rng(42))[0]);
        let outputs = program.steps.iter().flat_map(|step| match step {
            Step::Witness { .. } => vec![],
            Step::Curve { output, .. } | Step::Bin { output, .. } => vec![*output],
            Step::Tree(path) => path.outputs.concat(),
            Step::Layer(layer) => layer
                .sums
                .iter()
                .filter_map(|sum| match sum.finish {
                    Finish::Lookup { output, .. } => Some(output),
                    _ => None,
                })
                .collect(),
        });
        for output in outputs {
            let mut forged = cells.clone();
            let value = &mut forged[output.index()];
            *value = if *value > 0 { *value - 1 } else { 1 };
            // Only the values forged, all gadgets as they were.
            let mut trace = honest.trace.clone();
            honest.case.layout.put_cells(&mut trace, &forged);
            assert!(
                honest.case.accepts(trace, honest.case.instance(&forged)).is_err(),
                "cell {} forged",
                output.0
            );
            // The gadgets that follow recomputed too, unless the forged value leads outside every table.
            if let Ok(trace) = std::panic::catch_unwind(|| honest.case.trace(&forged)) {
                let verdict = honest.case.accepts(trace, honest.case.instance(&forged));
                assert!(verdict.is_err(), "cell {} forged with its gadgets", output.0);
            }
        }
    }
}

/// A key of another table: tags are folded with a challenge, so no key can reach into a neighbour.
#[test]
fn keys_of_another_table_are_rejected() {
    let honest = Honest::new(&mlp(3, &[4], &mut rng(8)), 1);
    let rows: Vec<usize> = honest
        .case
        .layout
        .bound_cells()
        .into_iter()
        .filter_map(|(column, row)| (column == AdviceColumn::Entry).then_some(row))
        .collect();
    for row in rows {
        for entry in [0_u64, 1, 4096, 4095] {
            if honest.trace.entry[row] == Fr::from(entry) {
                continue;
            }
            honest.rejects(&format!("entry {entry} in row {row}"), |trace| {
                trace.entry[row] = Fr::from(entry);
                trace.count_lookups(&honest.case.layout);
            });
        }
    }
}

/// A lookup that is in no table, balanced by a forged multiplicity elsewhere.
#[test]
fn forged_multiplicities_are_rejected() {
    let honest = Honest::new(&mlp(3, &[4], &mut rng(8)), 1);
    for row in 1..honest.case.layout.table_rows() {
        honest.rejects(&format!("multiplicity of row {row}"), |trace| {
            trace.multiplicity[row] += Fr::one();
            trace.multiplicity[row + 1] -= Fr::one();
        });
    }
}
