//! Witnesses made by hand, and halo2's mock prover to judge them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use halo2_proofs::{
    dev::{MockProver, VerifyFailure},
    halo2curves::{
        bn256::Fr,
        ff::{Field, PrimeField},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use zkverdict::{
    circuits::{
        AdviceColumn, CompiledModel, Layout, ModelCircuit, PublicInputs, Salts, Shape, Trace, Widths, chips::tree,
        convolution_rows, prove_ranges, smallest_k, usable_rows,
    },
    models::{Calibration, CellId, Finish, Graph, Program, Step},
};

use super::{Sample, graphs};

/// A program on its smallest circuit.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) layout: Arc<Layout>,
    pub(crate) k: u32,
    pub(crate) usable: usize,
    pub(crate) public: PublicInputs,
    pub(crate) combined: Vec<usize>,
    pub(crate) salts: Salts,
}

impl Case {
    pub(crate) fn new(program: Program, lanes: usize) -> Self {
        Self::laid_out(program, lanes, &[], PublicInputs::default())
    }

    /// With another visibility, and random salts.
    pub(crate) fn showing(program: Program, widths: impl Into<Widths>, public: PublicInputs) -> Self {
        Self::laid_out(program, widths, &[], public)
    }

    fn laid_out(mut program: Program, widths: impl Into<Widths>, combined: &[usize], public: PublicInputs) -> Self {
        prove_ranges(&mut program, public);
        let layout = Arc::new(Layout::new(&program, widths, combined, public).unwrap());
        let k = smallest_k(layout.shape(), layout.rows()).unwrap();
        let usable = usable_rows(layout.shape(), k);
        Self {
            program,
            layout,
            k,
            usable,
            public,
            combined: combined.to_vec(),
            salts: Salts::random(StdRng::seed_from_u64(5)),
        }
    }

    /// The same with every convolution at a challenge that can be there.
    pub(crate) fn with_all_combined(self) -> Self {
        let rows = convolution_rows(&self.program, self.shape().lanes).unwrap();
        let numbered = rows.iter().enumerate();
        let combined: Vec<usize> = numbered
            .filter_map(|(number, rows)| rows.combined.map(|_| number))
            .collect();
        assert!(!combined.is_empty());
        Self::laid_out(self.program, self.layout.shape().widths(), &combined, self.public)
    }

    /// Calibrated on 64 random samples.
    pub(crate) fn from_graph(graph: &Graph, limb_bits: u32, lanes: usize) -> Self {
        Self::graph_showing(graph, limb_bits, lanes, PublicInputs::default())
    }

    /// As [`Case::from_graph`], with another visibility.
    pub(crate) fn graph_showing(
        graph: &Graph,
        limb_bits: u32,
        widths: impl Into<Widths>,
        public: PublicInputs,
    ) -> Self {
        let samples = graphs::samples(graph, 64, &mut StdRng::seed_from_u64(1));
        let calibration = Calibration::measure(graph, &samples, 1.5).unwrap();
        Self::showing(
            Program::compile(graph, &calibration, limb_bits).unwrap(),
            widths,
            public,
        )
    }

    pub(crate) fn shape(&self) -> Shape {
        self.layout.shape()
    }

    pub(crate) fn cells(&self, sample: &Sample) -> Vec<i64> {
        self.program.execute(&self.program.quantize(sample).unwrap()).unwrap()
    }

    pub(crate) fn trace(&self, cells: &[i64]) -> Trace {
        Trace::salted(&self.layout, &self.program, cells, &self.salts, self.usable)
    }

    pub(crate) fn instance(&self, cells: &[i64]) -> Vec<Fr> {
        let mut instance = self.compiled().instance(cells, &self.salts, Fr::from(77)).unwrap();
        if self.public.is_linked() {
            instance.insert(1, Fr::from(78));
        }
        instance
    }

    pub(crate) fn compiled(&self) -> CompiledModel {
        CompiledModel {
            program: self.program.clone(),
            public: self.public,
            lanes: self.shape().lanes,
            hash_lanes: self.shape().hash_lanes,
            combined: self.combined.clone(),
            k: self.k,
        }
    }

    /// What is violated.
    pub(crate) fn failures(&self, trace: Trace, instance: Vec<Fr>) -> Vec<VerifyFailure> {
        let circuit = ModelCircuit::new(self.layout.clone(), self.usable).with_trace(trace);
        let prover = MockProver::run(self.k, &circuit, vec![instance]).unwrap();
        prover.verify().err().unwrap_or_default()
    }

    pub(crate) fn accepts(&self, trace: Trace, instance: Vec<Fr>) -> Result<(), String> {
        match self.failures(trace, instance).as_slice() {
            [] => Ok(()),
            [first, ..] => Err(first.to_string()),
        }
    }

    pub(crate) fn assert_accepts(&self, trace: Trace, instance: Vec<Fr>) {
        let failures = self.failures(trace, instance);
        assert!(
            failures.is_empty(),
            "{} failures, first: {}",
            failures.len(),
            failures[0]
        );
    }

    /// The attack must pass everything but the lookup argument, and fail there: anything less is no attack at all.
    pub(crate) fn assert_only_lookup_rejects(&self, what: &str, mut trace: Trace, instance: Vec<Fr>) {
        trace.count_lookups(&self.layout);
        let failures = self.failures(trace, instance);
        assert!(!failures.is_empty(), "{what} was accepted");
        for failure in &failures {
            assert!(
                failure.to_string().contains("('lookup')"),
                "{what} is no attack, another gate fails: {failure}"
            );
        }
    }

    /// First rows of the digit gadgets: besides leaves, the only ones where an accumulator and a key stand side by side.
    pub(crate) fn digit_rows(&self) -> Vec<usize> {
        let mut columns: BTreeMap<usize, Vec<AdviceColumn>> = BTreeMap::new();
        for (column, row) in self.layout.bound_cells() {
            columns.entry(row).or_default().push(column);
        }
        let is_digit = |columns: &Vec<AdviceColumn>| {
            columns.contains(&AdviceColumn::Accumulator) && columns.contains(&AdviceColumn::Key)
        };
        let leaves = self.layout.tree_rows(tree::LEAF);
        let is_leaf = |row: usize| {
            leaves
                .iter()
                .any(|leaf| row == *leaf || row == leaf + self.shape().lanes)
        };
        let parameters = self.layout.parameter_rows().iter().map(|(row, _)| *row);
        let others: HashSet<usize> = self.layout.surplus_rows().chain(parameters).collect();
        columns
            .into_iter()
            .filter_map(|(row, columns)| (is_digit(&columns) && !is_leaf(row) && !others.contains(&row)).then_some(row))
            .collect()
    }

    /// Rows of the value column that hold a cell.
    pub(crate) fn rows_of(&self, cell: CellId) -> Vec<usize> {
        let mut marked = vec![0; self.program.cells];
        marked[cell.index()] = 1;
        let mut trace = empty(self.usable);
        self.layout.put_cells(&mut trace, &marked);
        (0..self.usable).filter(|row| trace.value[*row] == Fr::ONE).collect()
    }

    /// The parts of the digit at `row`.
    pub(crate) fn digit(&self, trace: &Trace, row: usize) -> DigitParts {
        let Shape { lanes, limb_bits, .. } = self.shape();
        let base = power_of_two(limb_bits);
        DigitParts {
            remainder: trace.key[row + 2 * lanes] + base * trace.limb[row + 2 * lanes],
            middle: trace.limb[row] + base * trace.limb[row + lanes],
            high: trace.key[row],
        }
    }

    /// `r + 2^(2L)·m + 2^(4L)·u`
    pub(crate) fn digit_value(&self, trace: &Trace, row: usize) -> Fr {
        let DigitParts {
            remainder,
            middle,
            high,
        } = self.digit(trace, row);
        let bits = self.shape().limb_bits;
        remainder + power_of_two(2 * bits) * middle + power_of_two(4 * bits) * high
    }

    /// Writes another high part, and entries that give the value that stands there.
    pub(crate) fn set_high(&self, trace: &mut Trace, row: usize, high: Fr) {
        let lanes = self.shape().lanes;
        let stride = trace.key[row + lanes] - trace.key[row];
        trace.key[row] = high;
        trace.key[row + lanes] = high + stride;
        trace.entry[row] = trace.value[row];
        trace.entry[row + lanes] = trace.value[row];
    }

    /// The witness of the best-equipped liar: the forged cells everywhere, all accumulators recomputed, and every digit
    /// that has no honest answer solved for its high part in the field.
    pub(crate) fn forge(&self, cells: &[i64]) -> Trace {
        let mut shifted = self.program.clone();
        for step in &mut shifted.steps {
            let Step::Layer(layer) = step else { continue };
            for index in 0..layer.sums.len() {
                let value = layer.sum(index, cells);
                if layer.sums[index].finish == Finish::NonNegative {
                    layer.sums[index].bias -= value;
                }
            }
        }
        let mut trace = Trace::salted(&self.layout, &shifted, cells, &self.salts, self.usable);
        self.solve_digits(&mut trace);
        trace
    }

    /// Makes every digit say what its accumulator holds: by limbs where the number is small, else by a high part solved
    /// for in the field.
    pub(crate) fn solve_digits(&self, trace: &mut Trace) {
        let Shape { lanes, limb_bits, .. } = self.shape();
        let rows = self.digit_rows();
        for row in &rows {
            // Sums that are themselves the constraint stand alone.
            if rows.contains(&(row + 3 * lanes)) {
                continue;
            }
            let missing = trace.accumulator[*row] - self.digit_value(trace, *row);
            if missing == Fr::ZERO {
                continue;
            }
            // An honest remainder where there is one, else all of it in the high part.
            match small(trace.accumulator[*row], 4 * limb_bits) {
                Some(number) => {
                    let part = |shift: u32| Fr::from((number >> shift) as u64 & ((1 << limb_bits) - 1));
                    trace.key[row + 2 * lanes] = part(0);
                    trace.limb[row + 2 * lanes] = part(limb_bits);
                    trace.limb[*row] = part(2 * limb_bits);
                    trace.limb[row + lanes] = part(3 * limb_bits);
                }
                None => {
                    let high = trace.key[*row] + missing * power_of_two(4 * limb_bits).invert().unwrap();
                    self.set_high(trace, *row, high);
                }
            }
        }
        trace.count_lookups(&self.layout);
    }

    /// Forges every cell that the prover may choose, one at a time, to what `values` makes of its honest value, with all
    /// that follows computed from the forgery, and asserts that each is rejected. Inputs are the prover's to choose:
    /// another input is another honest run. Returns how many were tried, and how many lead outside of every table, so
    /// that there is not even a trace.
    pub(crate) fn assert_forged_cells_are_rejected(
        &self,
        honest: &[i64],
        values: impl Fn(i64) -> Vec<i64>,
    ) -> (usize, usize) {
        let inputs: HashSet<CellId> = self.program.inputs.iter().map(|input| input.cell).collect();
        let (mut tried, mut skipped) = (0, 0);
        for (index, value) in honest.iter().enumerate() {
            let cell = CellId(u32::try_from(index).unwrap());
            if inputs.contains(&cell) {
                continue;
            }
            for forged in values(*value) {
                if forged == *value || forged < 0 {
                    continue;
                }
                let attempt = std::panic::catch_unwind(|| {
                    let cells = self.cells_with(honest, &BTreeMap::from([(cell, forged)]));
                    (self.forge(&cells), cells)
                });
                let Ok((trace, cells)) = attempt else {
                    skipped += 1;
                    continue;
                };
                let failures = self.failures(trace, self.instance(&cells));
                assert!(
                    !failures.is_empty(),
                    "cell {index} forged from {value} to {forged} was accepted"
                );
                tried += 1;
            }
        }
        (tried, skipped)
    }

    /// Cells of a run in which some cells are forged and everything after them is computed as it should be.
    pub(crate) fn cells_with(&self, honest: &[i64], forged: &BTreeMap<CellId, i64>) -> Vec<i64> {
        let program = &self.program;
        let mut cells = honest.to_vec();
        let set = |cells: &mut Vec<i64>, cell: CellId, value: i64| {
            cells[cell.index()] = forged.get(&cell).copied().unwrap_or(value);
        };
        for step in &program.steps {
            match step {
                Step::Witness { cells: targets, .. } => {
                    for target in targets {
                        let value = cells[target.index()];
                        set(&mut cells, *target, value);
                    }
                }
                Step::Layer(layer) => {
                    for index in 0..layer.sums.len() {
                        if let Finish::Lookup { table, output } = layer.sums[index].finish {
                            let digit = program.split(layer.sum(index, &cells));
                            let value = program.interpolate(table, &digit);
                            set(&mut cells, output, value);
                        }
                    }
                }
                Step::Curve { table, input, output } => {
                    let value = program.curve(*table, cells[input.index()]).value;
                    set(&mut cells, *output, value);
                }
                Step::Bin { table, input, output } => {
                    let value = program.bin(*table, cells[input.index()]) as i64;
                    set(&mut cells, *output, value);
                }
                Step::Tree(path) => {
                    for (bank, outputs) in program.banks().zip(&path.outputs) {
                        let weights = program.leaf(path, bank, &cells).weights.clone();
                        for (output, weight) in outputs.iter().zip(weights) {
                            set(&mut cells, *output, weight);
                        }
                    }
                }
            }
        }
        cells
    }
}

/// The parts of a digit as they stand in a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DigitParts {
    pub(crate) remainder: Fr,
    pub(crate) middle: Fr,
    pub(crate) high: Fr,
}

pub(crate) fn power_of_two(exponent: u32) -> Fr {
    Fr::from(2).pow_vartime([u64::from(exponent)])
}

/// The number, if it has at most `bits` bits.
pub(crate) fn small(value: Fr, bits: u32) -> Option<u128> {
    let bytes = value.to_repr();
    let mut low = [0; 16];
    low.copy_from_slice(&bytes[..16]);
    let number = u128::from_le_bytes(low);
    (bytes[16..].iter().all(|byte| *byte == 0) && number >> bits == 0).then_some(number)
}

fn empty(rows: usize) -> Trace {
    let zeros = || vec![Fr::ZERO; rows];
    Trace {
        value: zeros(),
        accumulator: zeros(),
        key: zeros(),
        limb: zeros(),
        entry: zeros(),
        multiplicity: zeros(),
        memory: zeros(),
        hashes: vec![],
        models: vec![],
        forged_evaluations: vec![],
    }
}
