//! Linked models: one circuit for all of an architecture, columns bound outside of it, and owners and provers who lie.

use halo2_proofs::{
    dev::VerifyFailure,
    halo2curves::{bn256::Fr, ff::Field},
};
use zkverdict::{
    circuits::{AdviceColumn, Layout, PublicInputs, Trace, Visibility, chips::tree::SUBTREE},
    models::{Calibration, Fidelity, Graph, Program},
};

use crate::{
    committed_models::{self, Twins, of_several_places},
    committed_trees,
    support::{
        graphs::{mlp, rng, samples},
        report,
        traces::{Case, power_of_two},
    },
};

const LINKED: PublicInputs = PublicInputs {
    model: Visibility::Linked,
    ..PublicInputs::DEFAULT
};

struct Honest {
    case: Case,
    trace: Trace,
    instance: Vec<Fr>,
}

impl Honest {
    fn of(case: Case, graph: &Graph) -> Self {
        let sample = samples(graph, 1, &mut rng(42)).remove(0);
        let cells = case.cells(&sample);
        let (trace, instance) = (case.trace(&cells), case.instance(&cells));
        assert_eq!(case.accepts(trace.clone(), instance.clone()), Ok(()));
        Self { case, trace, instance }
    }

    fn rejects(&self, what: &str, trace: &Trace) {
        let mut trace = trace.clone();
        trace.count_lookups(&self.case.layout);
        assert!(
            self.case.accepts(trace, self.instance.clone()).is_err(),
            "{what} was accepted"
        );
    }
}

fn graphs() -> Vec<Graph> {
    [committed_models::graphs(), of_several_places()].concat()
}

#[test]
fn linked_models_are_proven() {
    for graph in graphs() {
        let twins = Twins::new(graph, 8, 2);
        for lanes in [1, 2, 4] {
            for program in [&twins.ours, &twins.theirs] {
                let case = twins.case(program, lanes, LINKED);
                for sample in samples(&twins.graph, 3, &mut rng(42)) {
                    let cells = case.cells(&sample);
                    case.assert_accepts(case.trace(&cells), case.instance(&cells));
                }
            }
        }
    }
}

/// Copies of a kernel are rounded apart, and still the hidden network answers as the public one and as the floats.
#[test]
fn weights_of_several_positions_are_the_public_ones() {
    for graph in of_several_places() {
        let twins = Twins::new(graph, 8, 2);
        let calibrated = samples(&twins.graph, 64, &mut rng(1));
        let calibration = Calibration::measure(&twins.graph, &calibrated, 1.5).unwrap();
        let public = Program::compile(&twins.graph, &calibration, 8).unwrap();
        let error = |program: &Program| {
            let fidelity = Fidelity::measure(program, &twins.graph, &calibrated).unwrap();
            assert_eq!((fidelity.samples, fidelity.refused), (64, 0));
            fidelity.max_error
        };
        let (ours, known) = (error(&twins.ours), error(&public));
        report!("weights at several positions: error {ours:.1e}, public {known:.1e}");
        assert!(ours < 2e-3 + 3.0 * known, "{ours}, public {known}");
        assert!(twins.ours.has_architecture_of(&twins.theirs));
        assert!(error(&twins.theirs) > 10.0 * ours, "the other model answers alike");
    }
}

/// Nothing in the fixed columns depends on a weight.
#[test]
fn all_models_of_an_architecture_have_one_linked_circuit() {
    for graph in graphs() {
        let twins = Twins::new(graph, 8, 2);
        for lanes in [1, 2] {
            let layout = |program: &Program| format!("{:?}", Layout::new(program, lanes, &[], LINKED).unwrap());
            assert_eq!(layout(&twins.ours).len(), layout(&twins.ours.architecture()).len());
            let fixed = |program: &Program| {
                let layout = layout(program);
                layout
                    .split_once("fixed: ")
                    .unwrap()
                    .1
                    .split_once(", placements")
                    .unwrap()
                    .0
                    .to_owned()
            };
            assert_eq!(fixed(&twins.ours), fixed(&twins.ours.architecture()));
            assert_eq!(fixed(&twins.ours), fixed(&twins.theirs));
        }
    }
}

/// Every bound cell, those of the model among them, one at a time.
#[test]
fn perturbed_cells_of_linked_models_are_rejected() {
    for (lanes, thin) in [(1, 1), (2, 1), (4, 3)] {
        let twins = Twins::new(mlp(3, &[3], &mut rng(8)), 6, 2);
        let honest = Honest::of(twins.case(&twins.ours, lanes, LINKED), &twins.graph);
        let amounts = [
            Fr::one(),
            -Fr::one(),
            Fr::from(64),
            power_of_two(126),
            Fr::from(2).invert().unwrap(),
        ];
        let mut cells = honest.case.layout.bound_cells();
        cells.retain(|(column, _)| *column != AdviceColumn::Multiplicity);
        cells.sort_unstable();
        cells.dedup();
        assert!(
            cells
                .iter()
                .filter(|(column, _)| matches!(column, AdviceColumn::Model(_)))
                .count()
                > 6
        );
        for (index, (column, row)) in cells.into_iter().enumerate().step_by(thin) {
            let is_zero = matches!(column, AdviceColumn::Model(_)) && reads_zero(&honest, row, column);
            if is_zero {
                continue;
            }
            let mut trace = honest.trace.clone();
            trace.column_mut(column)[row] += amounts[index % amounts.len()];
            honest.rejects(&format!("{column:?} in row {row} changed"), &trace);
        }
    }
}

/// Whether a cell of the model is multiplied with a value that happens to be zero.
fn reads_zero(honest: &Honest, row: usize, column: AdviceColumn) -> bool {
    let AdviceColumn::Model(column) = column else {
        return false;
    };
    let is_load = honest.case.layout.model_loads().contains(&row);
    !is_load && bool::from(honest.trace.value[row + column].is_zero())
}

/// On rows that read no model its columns may hold anything.
#[test]
fn a_model_has_no_effect_on_other_rows() {
    for lanes in [1, 2, 4] {
        let twins = Twins::new(mlp(3, &[4, 3], &mut rng(8)), 8, 2);
        let honest = Honest::of(twins.case(&twins.ours, lanes, LINKED), &twins.graph);
        let read = honest.case.layout.model_rows();
        let mut trace = honest.trace.clone();
        let mut changed = 0;
        for column in &mut trace.models {
            for (row, value) in column.iter_mut().enumerate() {
                if !read.contains(&row) {
                    *value = Fr::from(1 + row as u64).invert().unwrap();
                    changed += 1;
                }
            }
        }
        assert!(changed > 100);
        honest.case.assert_accepts(trace, honest.instance.clone());
    }
}

/// An owner may register weights where a window holds no input of theirs. Whatever a row reads that way is a copy of one of
/// the layer's inputs: no cell that a prover may choose, none that follows from the sum.
#[test]
fn windows_read_nothing_but_inputs() {
    for graph in graphs() {
        let twins = Twins::new(graph, 8, 2);
        for lanes in [1, 2, 4, 8] {
            let case = twins.case(&twins.ours, lanes, LINKED);
            let cells = case.cells(&samples(&twins.graph, 1, &mut rng(42))[0]);
            let (trace, instance) = (case.trace(&cells), case.instance(&cells));
            let dots: Vec<usize> = case.layout.model_rows();
            let loads = case.layout.model_loads();
            for row in dots.into_iter().filter(|row| !loads.contains(row)) {
                for value in row..row + lanes {
                    // Not even where all sums are made to follow it.
                    let mut forged = trace.clone();
                    forged.value[value] += Fr::one();
                    let failures = case.failures(forged, instance.clone());
                    let is_copy = failures
                        .iter()
                        .any(|failure| failure.to_string().contains("Equality constraint"));
                    assert!(is_copy, "row {value} of {lanes} lanes is free");
                }
            }
        }
    }
}

/// Weights that no honest owner has: all over the field. The sums have no digits, so there is no proof: a prover who says what
/// they are has a limb that is none.
#[test]
fn weights_beyond_all_ranges_give_no_proof() {
    let twins = Twins::new(mlp(3, &[3], &mut rng(8)), 8, 2);
    for lanes in [1, 2] {
        let honest = Honest::of(twins.case(&twins.ours, lanes, LINKED), &twins.graph);
        let rows = honest.case.layout.model_rows();
        let mut attacks = 0;
        for (index, row) in rows.into_iter().enumerate() {
            let mut trace = honest.trace.clone();
            trace.models[0][row] = Fr::from(3 + index as u64).invert().unwrap();
            let changed = trace.run_sums(&honest.case.layout);
            for (digit, difference) in &changed {
                trace.key[digit + 2 * lanes] += difference;
            }
            if !changed.is_empty() {
                attacks += 1;
                let what = format!("a weight of the size of the field in row {row}");
                honest
                    .case
                    .assert_only_lookup_rejects(&what, trace, honest.instance.clone());
            }
        }
        assert!(attacks > 4);
    }
}

#[test]
fn linked_trees_are_proven() {
    for depth in [1, 2, 3, 4] {
        let twins = committed_trees::Twins::new(depth);
        for lanes in [1, 2] {
            for program in [&twins.ours, &twins.theirs] {
                let case = Case::showing(program.clone(), lanes, LINKED);
                assert_eq!(case.shape().link.unwrap().models, 1);
                for sample in twins.samples().iter().take(2) {
                    let cells = case.cells(sample);
                    case.assert_accepts(case.trace(&cells), case.instance(&cells));
                }
            }
        }
    }
}

/// Every bound cell of linked trees one at a time. Entries that no walk reads are bound by the link alone: with the model's
/// column the entry may be another, without it not.
#[test]
fn perturbed_cells_of_linked_trees_are_rejected() {
    let twins = committed_trees::Twins::new(2);
    let honest = Honest::of(Case::showing(twins.ours.clone(), 1, LINKED), &twins.graph);
    let amounts = [
        Fr::one(),
        -Fr::one(),
        Fr::from(256),
        power_of_two(40),
        power_of_two(120),
    ];
    let mut cells = honest.case.layout.bound_cells();
    cells.retain(|(column, _)| *column != AdviceColumn::Multiplicity);
    cells.sort_unstable();
    cells.dedup();
    let entries = honest.case.layout.model_rows();
    assert!(entries.len() >= twins.ours.committed_trees().len());
    assert!(cells.len() > 400);
    for (index, (column, row)) in cells.into_iter().enumerate().step_by(2) {
        let mut trace = honest.trace.clone();
        trace.column_mut(column)[row] += amounts[index % amounts.len()];
        honest.rejects(&format!("{column:?} in row {row} changed"), &trace);
    }
    // The model's column, the value and the memory together: each of these trees is walked, so its entry counts.
    for row in entries {
        let mut trace = honest.trace.clone();
        for column in [AdviceColumn::Model(0), AdviceColumn::Value, AdviceColumn::Memory] {
            trace.column_mut(column)[row] += Fr::one();
        }
        honest.rejects(&format!("another entry in row {row}"), &trace);
    }
}

/// An owner registers entries all over the field: no 27 limbs are such an entry, so no walk passes it.
#[test]
fn entries_beyond_all_ranges_give_no_proof() {
    let twins = committed_trees::Twins::new(2);
    let honest = Honest::of(Case::showing(twins.ours.clone(), 1, LINKED), &twins.graph);
    let lanes = honest.case.shape().lanes;
    let walks = honest.case.layout.tree_rows(SUBTREE);
    for (entry, walk) in honest.case.layout.model_rows().into_iter().zip(walks) {
        for beyond in [power_of_two(240), Fr::from(3).invert().unwrap()] {
            let mut trace = honest.trace.clone();
            for column in [AdviceColumn::Model(0), AdviceColumn::Value, AdviceColumn::Memory] {
                trace.column_mut(column)[entry] += beyond;
            }
            trace.entry[walk] += beyond;
            // The root's split has a limb of what is too much.
            trace.limb[walk + lanes] += beyond;
            let failures = honest.case.failures(
                {
                    let mut trace = trace.clone();
                    trace.count_lookups(&honest.case.layout);
                    trace
                },
                honest.instance.clone(),
            );
            let is_limb = |failure: &VerifyFailure| failure.to_string().contains("('lookup')");
            assert!(failures.iter().any(is_limb), "an entry that is no limbs passed");
        }
    }
}

#[test]
fn all_ensembles_of_a_size_have_one_linked_circuit() {
    for depth in [2, 3] {
        let twins = committed_trees::Twins::new(depth);
        let keys = |program: &Program| {
            let layout = Layout::new(program, 2, &[], LINKED).unwrap();
            format!("{layout:?}")
                .split_once("fixed: ")
                .unwrap()
                .1
                .split_once(", placements")
                .unwrap()
                .0
                .to_owned()
        };
        assert_eq!(keys(&twins.ours), keys(&twins.theirs));
        assert_eq!(keys(&twins.ours), keys(&twins.ours.architecture()));
    }
}
