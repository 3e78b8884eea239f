//! What a malicious prover may try on decision trees. Where another statement is tried (another threshold, another leaf), the
//! attacker has a circuit of their own that accepts it; the honest one must not.

use std::sync::Arc;

use crate::support::{
    graphs::{forest, rng, samples},
    traces::Case,
};
use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict::circuits::{
    AdviceColumn, Layout, PublicInputs, Trace,
    chips::tree::{BIN, LEAF, LEAF_ROWS, SUBTREE},
    from_i128,
};
use zkverdict::models::{Program, Step, TreePath};

const FEATURES: usize = 3;
/// Odd and even depths: an odd one starts with a node that always goes below.
const DEPTHS: [usize; 3] = [2, 3, 5];

fn honest(depth: usize, lanes: usize) -> Case {
    Case::from_graph(&forest(FEATURES, 4, depth, &mut rng(depth as u64)), 8, lanes)
}

fn inputs(depth: usize) -> Vec<Vec<Vec<f64>>> {
    samples(&forest(FEATURES, 4, depth, &mut rng(depth as u64)), 12, &mut rng(3))
}

fn trees(program: &mut Program) -> Vec<&mut TreePath> {
    let paths = program.steps.iter_mut().filter_map(|step| match step {
        Step::Tree(path) => Some(path),
        _ => None,
    });
    paths.collect()
}

/// Rows of the first walk: its subtrees', then its leaf's.
fn first_walk(case: &Case) -> Vec<usize> {
    let leaf = case.layout.tree_rows(LEAF)[0];
    let mut rows = case.layout.tree_rows(SUBTREE);
    rows.retain(|row| *row < leaf);
    rows.push(leaf);
    rows
}

/// Proves by another program of the same layout, for inputs that it answers otherwise.
fn by_another_program(what: &str, change: impl Fn(&mut Program)) {
    let mut tried = 0;
    for depth in DEPTHS {
        let honest = honest(depth, 1);
        let mut program = honest.program.clone();
        change(&mut program);
        program.validate().unwrap();
        let layout = Arc::new(Layout::new(&program, 1, &[], PublicInputs::default()).unwrap());
        let forger = Case {
            program,
            layout,
            k: honest.k,
            usable: honest.usable,
            public: honest.public,
            combined: honest.combined.clone(),
            salts: honest.salts,
        };
        for sample in inputs(depth) {
            let cells = forger.cells(&sample);
            let instances = forger.instance(&cells);
            if instances == honest.instance(&honest.cells(&sample)) {
                continue;
            }
            let trace = forger.trace(&cells);
            assert_eq!(forger.accepts(trace.clone(), instances.clone()), Ok(()));
            let mut forged = trace;
            forged.count_lookups(&honest.layout);
            assert!(honest.accepts(forged, instances).is_err(), "{what} was accepted");
            tried += 1;
        }
    }
    assert!(tried > 3, "{what}: the change mattered for {tried} inputs");
}

#[test]
fn another_threshold_is_rejected() {
    by_another_program("another split", |program| {
        for path in trees(program) {
            for node in path.levels.iter_mut().flatten() {
                node.split = if node.split == 255 { 255 } else { node.split + 1 };
            }
        }
    });
}

#[test]
fn another_feature_is_rejected() {
    by_another_program("another feature", |program| {
        for path in trees(program) {
            for node in path.levels.iter_mut().flatten() {
                node.feature = (node.feature + 1) % FEATURES as u32;
            }
        }
    });
}

#[test]
fn another_bin_is_rejected() {
    by_another_program("other bounds", |program| {
        let bins = program.steps.iter().filter_map(|step| match step {
            Step::Bin { table, .. } => Some(table.index()),
            _ => None,
        });
        for table in bins.collect::<Vec<_>>() {
            let entries = &mut program.tables[table].entries;
            let last = entries.len() - 1;
            // Every bound moves up to just below the next one.
            for place in 1..last {
                entries[place] = entries[place + 1] - 1;
            }
        }
    });
}

#[test]
fn leaves_of_other_trees_are_rejected() {
    by_another_program("leaves of another tree", |program| {
        let mut paths = trees(program);
        let (first, rest) = paths.split_first_mut().unwrap();
        let other = rest
            .iter_mut()
            .find(|path| path.outputs.len() == first.outputs.len())
            .unwrap();
        for (leaf, others) in first.leaves.iter_mut().zip(&mut other.leaves) {
            std::mem::swap(&mut leaf.weights, &mut others.weights);
        }
    });
}

#[test]
fn other_leaves_of_the_tree_are_rejected() {
    by_another_program("other leaves", |program| {
        for path in trees(program) {
            let weights: Vec<_> = path.leaves.iter().map(|leaf| leaf.weights.clone()).collect();
            for (leaf, weights) in path.leaves.iter_mut().zip(weights.into_iter().rev()) {
                leaf.weights = weights;
            }
        }
    });
}

/// One honest run and the honest run of other inputs, on the same rows.
struct Runs {
    case: Case,
    mine: Trace,
    theirs: Trace,
    instances: Vec<Fr>,
}

/// Pairs of runs whose first walks part at or before `level`.
fn runs(depth: usize) -> Vec<Runs> {
    let samples = inputs(depth);
    let mut found = Vec::new();
    for pair in samples.windows(2) {
        let case = honest(depth, 1);
        let [mine, theirs] = [0, 1].map(|place: usize| case.cells(&pair[place]));
        let instances = case.instance(&mine);
        found.push(Runs {
            mine: case.trace(&mine),
            theirs: case.trace(&theirs),
            instances,
            case,
        });
    }
    found
}

const COLUMNS: [AdviceColumn; 5] = [
    AdviceColumn::Value,
    AdviceColumn::Accumulator,
    AdviceColumn::Key,
    AdviceColumn::Limb,
    AdviceColumn::Entry,
];

/// Copies rows of another run, all of them consistent among themselves, into this one. Says whether that changes anything.
fn transplant(runs: &mut Runs, rows: std::ops::Range<usize>) -> bool {
    let mut changed = false;
    for column in COLUMNS {
        let theirs = runs.theirs.column_mut(column).clone();
        let mine = runs.mine.column_mut(column);
        changed |= mine[rows.clone()] != theirs[rows.clone()];
        mine[rows.clone()].copy_from_slice(&theirs[rows.clone()]);
    }
    runs.mine.count_lookups(&runs.case.layout);
    changed
}

fn transplants(what: &str, depth: usize, rows: impl Fn(&[usize]) -> std::ops::Range<usize>) {
    let mut tried = 0;
    for mut runs in runs(depth) {
        let walk = first_walk(&runs.case);
        if transplant(&mut runs, rows(&walk)) {
            let verdict = runs.case.accepts(runs.mine, runs.instances);
            assert!(verdict.is_err(), "{what} was accepted");
            tried += 1;
        }
    }
    assert!(tried > 1, "{what}: {tried} runs differed");
}

/// The walk goes on at a node that is no child of the last: all below it is right but the link.
#[test]
fn a_wrong_child_is_rejected() {
    transplants("a wrong child", 5, |walk| walk[1]..walk[walk.len() - 1] + LEAF_ROWS);
}

/// The first levels are those of other inputs.
#[test]
fn a_wrong_root_is_rejected() {
    transplants("a wrong root", 5, |walk| walk[0]..walk[1]);
}

/// The leaf of other inputs, right in itself.
#[test]
fn a_leaf_off_the_path_is_rejected() {
    transplants("a leaf off the path", 2, |walk| walk[1]..walk[1] + LEAF_ROWS);
    transplants("a leaf off the path", 5, |walk| walk[3]..walk[3] + LEAF_ROWS);
}

/// A level is skipped: the second subtree's rows are filled with the third's.
#[test]
fn a_skipped_level_is_rejected() {
    for mut runs in runs(5) {
        let walk = first_walk(&runs.case);
        for column in COLUMNS {
            let cells = runs.mine.column_mut(column);
            let third: Vec<Fr> = cells[walk[2]..walk[3]].to_vec();
            cells[walk[1]..walk[2]].copy_from_slice(&third);
        }
        runs.mine.count_lookups(&runs.case.layout);
        assert!(
            runs.case.accepts(runs.mine, runs.instances).is_err(),
            "a skipped level was accepted"
        );
    }
}

/// The node before the root of an odd tree always goes below; above there is nothing, whatever limb says so.
#[test]
fn a_padded_path_that_leaves_early_is_rejected() {
    for runs in runs(3) {
        let walk = first_walk(&runs.case);
        let padded = runs.mine.clone();
        assert_eq!(
            runs.mine.limb[walk[0] + 1],
            Fr::from(255),
            "a node that always goes below"
        );
        for distance in [0, 1, 254, 255] {
            let mut trace = padded.clone();
            trace.value[walk[0]] = Fr::zero();
            trace.limb[walk[0]] = Fr::from(distance);
            // The child's index that follows from it, and as it was.
            for index in [trace.key[walk[1]] + Fr::from(2), trace.key[walk[1]]] {
                trace.key[walk[1]] = index;
                trace.count_lookups(&runs.case.layout);
                let verdict = runs.case.accepts(trace.clone(), runs.instances.clone());
                assert!(verdict.is_err(), "distance {distance}");
            }
        }
    }
}

/// Another direction with the distance that its equation asks for, which is no limb.
#[test]
fn a_direction_against_the_bin_is_rejected() {
    for runs in runs(5) {
        let walk = first_walk(&runs.case);
        for row in &walk[..3] {
            for (direction, distance) in [(*row, *row), (*row + 1, *row + 4)] {
                let mut trace = runs.mine.clone();
                trace.value[direction] = Fr::one() - trace.value[direction];
                trace.limb[distance] = -trace.limb[distance] - Fr::one();
                trace.count_lookups(&runs.case.layout);
                assert!(runs.case.accepts(trace, runs.instances.clone()).is_err());
            }
        }
    }
}

/// A bin beside the right one with its own bounds, in the memory as well, and whatever limbs for the distances.
#[test]
fn a_bin_that_does_not_hold_the_input_is_rejected() {
    let case = honest(3, 1);
    let bins = case.program.steps.iter().filter_map(|step| match step {
        Step::Bin { table, input, output } => Some((*table, *input, *output)),
        _ => None,
    });
    let bins: Vec<_> = bins.zip(case.layout.tree_rows(BIN)).collect();
    assert!(!bins.is_empty());
    let mut tried = 0;
    for sample in inputs(3) {
        let cells = case.cells(&sample);
        for ((table, input, output), row) in &bins {
            let table = &case.program.tables[table.index()];
            let right = cells[output.index()];
            for bin in [right - 1, right + 1] {
                if !(0..table.domain() as i64).contains(&bin) {
                    continue;
                }
                let (low, high) = table.pair(bin as usize);
                let mut forged = cells.clone();
                forged[output.index()] = bin;
                let mut trace = case.trace(&cells);
                case.layout.put_cells(&mut trace, &forged);
                let address = case.program.memory.iter().position(|cell| cell == output).unwrap();
                trace.memory[2 + address] = from_i128(bin.into());
                for (place, key, entry) in [(0, bin, low), (1, bin + 1, high)] {
                    trace.key[row + place] = from_i128(key.into());
                    trace.entry[row + place] = from_i128(entry.into());
                }
                // The distance that is negative, modulo 2^32.
                let limb = |distance: i64, place: u32| from_i128((distance >> (8 * place) & 255).into());
                let value = cells[input.index()];
                let (below, above) = (value - low, high - 1 - value);
                assert!(below < 0 || above < 0);
                for place in 0..2 {
                    trace.limb[row + place as usize] = limb(below, place);
                    for (step, distance, first) in [(2, below, 2), (3, above, 0), (4, above, 2)] {
                        let column = if place == 0 { &mut trace.key } else { &mut trace.limb };
                        column[row + step] = limb(distance, first + place);
                    }
                }
                trace.count_lookups(&case.layout);
                assert!(case.accepts(trace, case.instance(&cells)).is_err(), "bin {bin}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20);
}

/// Multiplicities moved between any two neighbouring rows of the table.
#[test]
fn forged_multiplicities_of_nodes_are_rejected() {
    let case = honest(3, 1);
    let cells = case.cells(&inputs(3)[0]);
    let (trace, instances) = (case.trace(&cells), case.instance(&cells));
    for row in (1..case.layout.table_rows()).step_by(7) {
        let mut forged = trace.clone();
        forged.multiplicity[row] += Fr::one();
        forged.multiplicity[row + 1] -= Fr::one();
        assert!(case.accepts(forged, instances.clone()).is_err(), "row {row}");
    }
}
