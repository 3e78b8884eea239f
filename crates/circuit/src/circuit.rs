use std::{ops::Range, sync::Arc};

use halo2_proofs::{
    circuit::{Cell, Layouter, Region, SimpleFloorPlanner, Value},
    halo2curves::bn256::Fr,
    plonk::{Advice, Circuit, Column, ConstraintSystem, Error, Fixed},
};

use crate::{
    AdviceColumn, Layout, ModelConfig, Shape, Trace, config::EvaluationColumns, field::from_i128, hashing::Spot,
    layout::EvaluationSource,
};

/// The circuit of a laid-out program: with a trace it proves, without one it makes keys.
#[derive(Debug, Clone)]
pub struct ModelCircuit {
    layout: Arc<Layout>,
    trace: Option<Arc<Trace>>,
    usable: usize,
}

impl ModelCircuit {
    /// A circuit without witness, over `usable` rows (see [`usable_rows`]).
    pub fn new(layout: Arc<Layout>, usable: usize) -> Self {
        Self {
            layout,
            trace: None,
            usable,
        }
    }

    /// The same circuit with a witness.
    pub fn with_trace(&self, trace: Trace) -> Self {
        Self {
            trace: Some(Arc::new(trace)),
            ..self.clone()
        }
    }

    fn assign_fixed(&self, region: &mut Region<'_, Fr>, config: &ModelConfig) {
        let fixed = &self.layout.fixed;
        let mut put = |column: Column<Fixed>, row: usize, value: Fr| {
            region.assign_fixed(column, row, value);
        };
        for (column, weights) in config.weights.iter().zip(&fixed.weights) {
            for (row, weight) in weights.iter().enumerate() {
                put(*column, row, *weight);
            }
        }
        let small = [
            (config.q_accumulate, &fixed.q_accumulate),
            (config.q_gadget, &fixed.q_gadget),
            (config.tag, &fixed.tag),
        ];
        for (column, numbers) in small {
            for (row, number) in numbers.iter().enumerate() {
                put(column, row, Fr::from(*number));
            }
        }
        if let Some(columns) = config.tree {
            for (row, number) in fixed.q_tree.iter().enumerate() {
                put(columns.q_tree, row, Fr::from(*number));
            }
        }
        if let Some(columns) = config.evaluation {
            for (row, number) in fixed.q_evaluate.iter().enumerate() {
                put(columns.q_evaluate, row, Fr::from(*number));
            }
        }
        if let Some(columns) = &config.link {
            for (row, number) in fixed.q_model.iter().enumerate() {
                put(columns.q_model, row, Fr::from(*number));
            }
        }
        if let Some(columns) = &config.hashes {
            for (row, number) in fixed.q_hash.iter().enumerate() {
                put(columns.q_hash, row, Fr::from(*number));
            }
            for (row, constant) in fixed.hash_constants.iter().enumerate() {
                put(columns.constants, row, *constant);
            }
        }
        for (index, entry) in self.layout.table.iter().enumerate() {
            put(config.table_tag, index + 1, Fr::from(entry.tag));
            put(config.table_key, index + 1, from_i128(entry.key.into()));
            put(config.table_entry, index + 1, entry.entry);
        }
        for row in 0..self.usable {
            put(
                config.q_lookup,
                row,
                Fr::from(self.layout.lookup_kind(row, self.usable)),
            );
        }
    }

    fn assign_column(
        &self,
        region: &mut Region<'_, Fr>,
        column: Column<Advice>,
        pick: impl Fn(&Trace) -> &Vec<Fr>,
    ) -> Vec<Cell> {
        (0..self.usable)
            .map(|row| {
                let value = match &self.trace {
                    Some(trace) => Value::known(pick(trace)[row]),
                    None => Value::unknown(),
                };
                region.assign_advice(column, row, value).cell()
            })
            .collect()
    }

    /// Hashes in columns of their own, with everything that must be equal there.
    fn assign_hashes(&self, region: &mut Region<'_, Fr>, config: &ModelConfig, values: &[Cell]) {
        let own = config.hashes.iter().filter(|_| config.shape.hash_lanes > 0);
        let boxes = own.flat_map(|columns| &columns.boxes).enumerate();
        let inputs: Vec<Vec<Cell>> = boxes
            .map(|(lane, [inputs, powers])| {
                self.assign_column(region, *powers, |trace| &trace.hashes[lane][1]);
                self.assign_column(region, *inputs, |trace| &trace.hashes[lane][0])
            })
            .collect();
        let cell = |spot: &Spot| match spot.column {
            AdviceColumn::Box(lane) => inputs[lane][spot.row],
            _ => values[spot.row],
        };
        for (left, right) in &self.layout.hash_copies {
            region.constrain_equal(cell(left), cell(right));
        }
    }

    fn assign_lookup_sum(&self, region: &mut Region<'_, Fr>, config: &ModelConfig) {
        let alpha = region.get_challenge(config.alpha);
        let gamma = region.get_challenge(config.gamma);
        let sums = alpha
            .zip(gamma)
            .zip(self.trace.as_ref().map_or_else(Value::unknown, Value::known))
            .map(|((alpha, gamma), trace)| trace.lookup_sum(&self.layout, alpha, gamma));
        let sums = sums.transpose_vec(self.usable);
        for (row, sum) in sums.into_iter().enumerate() {
            region.assign_advice(config.lookup_sum, row, sum);
        }
    }
}

impl ModelCircuit {
    /// The evaluations, with everything that must be equal to one of them.
    fn assign_evaluations(
        &self,
        region: &mut Region<'_, Fr>,
        columns: EvaluationColumns,
        values: &[Cell],
    ) -> Result<(), Error> {
        let point = region.get_challenge(columns.point);
        let evaluations = point
            .zip(self.trace.as_ref().map_or_else(Value::unknown, Value::known))
            .map(|(point, trace)| trace.evaluations(&self.layout, point))
            .transpose_vec(self.usable);
        let cells: Vec<Cell> = evaluations
            .into_iter()
            .enumerate()
            .map(|(row, value)| region.assign_advice(columns.evaluation, row, value).cell())
            .collect();
        for (from, to) in self.layout.evaluation_copies() {
            let from = match from {
                EvaluationSource::Value(row) => values[row],
                EvaluationSource::Evaluation(row) => cells[row],
            };
            region.constrain_equal(from, cells[to]);
        }
        Ok(())
    }
}

impl Circuit<Fr> for ModelCircuit {
    type Config = ModelConfig;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn params(&self) -> Shape {
        self.layout.shape
    }

    fn without_witnesses(&self) -> Self {
        Self {
            trace: None,
            ..self.clone()
        }
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> ModelConfig {
        ModelConfig::configure(meta, shape)
    }

    fn configure(_: &mut ConstraintSystem<Fr>) -> ModelConfig {
        unreachable!("halo2 configures circuits with parameters through configure_with_params")
    }

    fn synthesize(&self, config: ModelConfig, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let values = layouter.assign_region(
            || "model",
            |mut region| {
                self.assign_fixed(&mut region, &config);
                let values = self.assign_column(&mut region, config.value, |trace| &trace.value);
                self.assign_column(&mut region, config.accumulator, |trace| &trace.accumulator);
                self.assign_column(&mut region, config.key, |trace| &trace.key);
                self.assign_column(&mut region, config.limb, |trace| &trace.limb);
                self.assign_column(&mut region, config.entry, |trace| &trace.entry);
                self.assign_column(&mut region, config.multiplicity, |trace| &trace.multiplicity);
                if let Some(columns) = config.tree {
                    self.assign_column(&mut region, columns.memory, |trace| &trace.memory);
                }
                if let Some(columns) = &config.link {
                    for (index, column) in columns.models.iter().enumerate() {
                        self.assign_column(&mut region, *column, |trace| &trace.models[index]);
                    }
                }
                for (home, copy) in &self.layout.copies {
                    region.constrain_equal(values[*home], values[*copy]);
                }
                self.assign_hashes(&mut region, &config, &values);
                region.next_phase();
                self.assign_lookup_sum(&mut region, &config);
                if let Some(columns) = config.evaluation {
                    self.assign_evaluations(&mut region, columns, &values)?;
                }
                Ok(values)
            },
        )?;
        // The context, instance row 0, is bound by the transcript alone; a linked model's commitment by the link.
        for (row, place) in self.layout.public_rows.iter().zip(self.layout.unbound..) {
            layouter.constrain_instance(values[*row], config.instance, place);
        }
        Ok(())
    }
}

/// Rows that may hold content at size `k`: all but the blinding rows.
///
/// # Panics
/// As [`constraint_system`].
pub fn usable_rows(shape: Shape, k: u32) -> usize {
    (1_usize << k).saturating_sub(constraint_system(shape).blinding_factors() + 1)
}

/// The columns of a linked model among the first phase's advice columns, in the order in which they are committed to.
pub fn model_columns(shape: Shape) -> Option<Range<usize>> {
    let config = ModelConfig::configure(&mut ConstraintSystem::default(), shape);
    let models = config.link?.models;
    let first = models.first()?.index();
    Some(first..first + models.len())
}

/// The constraint system of a shape.
///
/// # Panics
/// If its degree is not [`DEGREE`]: halo2 would clamp or pad it silently.
pub fn constraint_system(shape: Shape) -> ConstraintSystem<Fr> {
    let mut meta = ConstraintSystem::default();
    ModelConfig::configure(&mut meta, shape);
    assert_eq!(meta.degree(), DEGREE, "the gates are designed for degree {DEGREE}");
    assert_eq!(
        meta.minimum_degree(),
        None,
        "a minimum degree verifies natively and reverts on chain"
    );
    meta
}

/// Degree of every constraint system of the catalogue.
pub const DEGREE: usize = 5;
