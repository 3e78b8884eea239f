//! Rows of a layer whose weights are a committed model's: `docs/spec/layer.md#committed-weights`.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkverdict_model::Layer;

use super::{Builder, Lane, Placement};
use crate::{
    CircuitError,
    chips::{accumulate, gadget},
    field::power_of_two,
    parameters::{CommittedLayer, PAIR_BITS, lowest_constant},
};

impl Builder<'_> {
    pub(super) fn committed_layer(&mut self, step: usize, layer: &Layer) -> Result<(), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let block = layer.parameters.as_ref().map_or(0, |block| block.id as usize);
        let committed = self.model.layers[block].clone();
        let bits = self.radix_bits(layer);
        if bits > f64::from(PAIR_BITS) {
            return Err(CircuitError::SumTooWide {
                node: layer.name.clone(),
                bits: bits.ceil() as u32,
            });
        }
        let all: Vec<usize> = (0..layer.sums.len()).collect();
        let chains: Vec<&[usize]> = all.chunks(committed.together()).collect();
        let mut first = self.first_parameters[block];
        for chains in chains.chunks(lanes) {
            self.committed_block(step, layer, &committed, chains, first)?;
            first += chains.len() * committed.cells_together();
        }
        Ok(())
    }

    /// One block: up to `C` chains of sums, the lanes interleaved. A chain is a load, a product of two rows for each cell
    /// that the layer reads, a row that scales the sum, the bias, and the digits.
    fn committed_block(
        &mut self,
        step: usize,
        layer: &Layer,
        committed: &CommittedLayer,
        chains: &[&[usize]],
        first_parameter: usize,
    ) -> Result<(), CircuitError> {
        let lanes = self.layout.shape.lanes;
        let (inputs, bias_cells) = (layer.inputs.len(), committed.bias_cells());
        let parameter = |lane: usize, index: usize| first_parameter + lane * committed.cells_together() + index;
        // The second limb counts nothing where there is no second sum.
        let base = |chain: &[usize]| {
            let is_full = chain.len() == committed.together();
            if is_full { committed.packing().base() } else { Fr::ZERO }
        };
        for (lane, chain) in chains.iter().enumerate() {
            for bias in (inputs..inputs + bias_cells).map(|index| parameter(lane, index)) {
                if self.parameter_homes[bias].is_none() {
                    let row = self.take_rows(1);
                    self.parameter(bias, row, base(chain));
                }
            }
        }
        let order = committed.order();
        let scaling = order.iter().filter(|(_, shift)| *shift > 0);
        let accumulate_steps = 2 * inputs + scaling.clone().count() + bias_cells;
        let load_row = self.take_rows(lanes * (1 + accumulate_steps + 3 * committed.together()));
        let half = power_of_two(committed.weight_bits - 1);
        let radix = power_of_two(PAIR_BITS);
        // A row that scales makes `2^shift·a + (2^shift − 1)²` of `a`: what all of them make of one, and of zero.
        let (all, moved) = scaling.fold((Fr::ONE, Fr::ZERO), |(all, moved), (_, shift)| {
            let scale = power_of_two(*shift);
            (all * scale, moved * scale + (scale - Fr::ONE).square())
        });
        for (lane, chain) in chains.iter().enumerate() {
            let load = load_row + lane;
            let at = |step: usize| load + lanes * (1 + step);
            // The digits' places.
            let ones = chain.iter().fold(Fr::ZERO, |ones, _| ones * radix + Fr::ONE);
            let constant = (ones * lowest_constant(layer) - moved) * all.invert().unwrap_or(Fr::ZERO);
            self.layout.fixed.set_accumulate(load, accumulate::LOAD);
            self.layout.fixed.set_weight(0, load, constant);
            let mut step_of_lane = 0;
            for (input, shift) in &order {
                let row = at(step_of_lane);
                self.layout.fixed.set_accumulate(row, accumulate::PRODUCT);
                self.parameter(parameter(lane, *input), row, base(chain));
                self.layout.fixed.set_accumulate(row + lanes, accumulate::DOT);
                self.layout.fixed.set_weight(0, row + lanes, -half * ones);
                self.copy(layer.inputs[*input], row + lanes)?;
                step_of_lane += 2;
                if *shift > 0 {
                    let row = at(step_of_lane);
                    self.layout.link_rows.insert(row);
                    self.layout.fixed.set_accumulate(row, accumulate::DOT);
                    self.layout.fixed.set_weight(0, row, power_of_two(*shift) - Fr::ONE);
                    step_of_lane += 1;
                }
            }
            for digit in 0..bias_cells {
                let row = at(step_of_lane + digit);
                let exponent = committed.bias_shift + digit as u32 * committed.weight_bits;
                self.layout.fixed.set_accumulate(row, accumulate::DOT);
                self.layout.fixed.set_weight(0, row, power_of_two(exponent));
                self.copy_parameter(parameter(lane, inputs + digit), row)?;
            }
            let digit_row = at(accumulate_steps);
            for (position, sum) in chain.iter().enumerate() {
                let row = digit_row + 3 * lanes * position;
                let rest = if position + 1 < chain.len() { radix } else { Fr::ZERO };
                self.layout.fixed.set_weight(0, row, rest);
                self.digit(layer, *sum, row);
            }
            self.layout.placements.push(Placement::Lane(Lane {
                step,
                load_row: load,
                accumulate_steps,
                digit_row,
                sums: chain.to_vec(),
            }));
        }
        Ok(())
    }

    /// Puts a cell of parameters on a row: with its limbs where it stands for the first time, a copy elsewhere.
    fn parameter(&mut self, index: usize, row: usize, base: Fr) {
        self.layout.parameters.push((row, index));
        match self.parameter_homes[index] {
            Some(home) => self.layout.copies.push((home, row)),
            None => {
                self.parameter_homes[index] = Some(row);
                self.layout.fixed.set_gadget(row, gadget::RANGE);
                self.layout.fixed.set_weight(0, row, base);
                self.layout.placements.push(Placement::Parameter { index, row });
            }
        }
    }

    /// Puts a copy of a cell of parameters on a row.
    pub(crate) fn copy_parameter(&mut self, index: usize, row: usize) -> Result<(), CircuitError> {
        let home = self.parameter_homes[index].ok_or(CircuitError::OtherVisibility)?;
        self.layout.parameters.push((row, index));
        self.layout.copies.push((home, row));
        Ok(())
    }
}
