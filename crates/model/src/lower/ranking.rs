//! The largest of some numbers, in order, with their places: `docs/spec/reasons.md`.

use crate::{
    CellId, Combination, Finish, Format, ModelError, Node, Range, Source, Step,
    lower::{Expression, Lowering, expression::to_expressions, products::SparseSum},
};

/// One of the largest.
struct Ranked {
    /// Its number.
    value: CellId,
    /// Its place.
    place: CellId,
    /// One bit per number, set at its place.
    bits: Vec<CellId>,
}

impl Lowering<'_> {
    /// The `count` largest, then their places. The numbers `x_i` become cells of one format first.
    ///
    /// Of `n` numbers, with `n·x_i − i` the key that puts them in order, `b_r` the bits of rank `r`, `v_r` its number and
    /// `p_r` its place:
    ///
    /// ```text
    /// Σ b_ri = 1,  Σ i·b_ri = p_r,  Σ b_ri·x_i = v_r
    /// n·(v_r − v_(r+1)) + p_(r+1) − p_r > 0                      one rank after the other
    /// n·(v_last − x_i) + i − p_last + F·Σ_r b_ri ≥ 0             nothing else is larger
    /// ```
    pub(super) fn largest(
        &mut self,
        node: &Node,
        operand: &[Expression],
        count: usize,
        reach: f64,
    ) -> Result<Vec<Expression>, ModelError> {
        let numbers = self.scores(node, operand, reach)?;
        let (length, full) = (numbers.len() as i64, self.program.cell_max());
        // Three times the widest key.
        let widest = i128::from(length) * i128::from(full + 1);
        let limit = 1_i128 << (2 * self.program.cell_bits());
        if 3 * widest >= limit {
            return Err(ModelError::RangeTooWide {
                node: node.name.clone(),
                span: widest as f64,
                limit: limit as f64 / 3.0,
            });
        }
        let mut ranks: Vec<Ranked> = Vec::with_capacity(count);
        for _ in 0..count {
            ranks.push(self.next_rank(node, &numbers, &ranks));
        }
        let marked = |rank: &Ranked, bias| SparseSum {
            terms: vec![(rank.value, -1)],
            products: rank.bits.iter().copied().zip(numbers.iter().copied()).collect(),
            bias,
            finish: Finish::NonNegative,
        };
        // A difference that is neither negative nor positive.
        let equal = ranks.iter().flat_map(|rank| [marked(rank, 0), marked(rank, limit - 1)]);
        self.push_sums(&node.name, equal.collect());
        let sum = |terms, bias| SparseSum {
            terms,
            products: Vec::new(),
            bias,
            finish: Finish::NonNegative,
        };
        let mut sums = Vec::new();
        for pair in ranks.windows(2) {
            let terms = vec![
                (pair[0].value, length),
                (pair[1].value, -length),
                (pair[1].place, 1),
                (pair[0].place, -1),
            ];
            sums.push(sum(terms, -1));
        }
        if let Some(last) = ranks.last() {
            for (place, number) in numbers.iter().enumerate() {
                let mut terms = vec![(last.value, length), (*number, -length), (last.place, -1)];
                terms.extend(ranks.iter().map(|rank| (rank.bits[place], length * (full + 1))));
                sums.push(sum(terms, place as i128));
            }
        }
        self.push_sums(&node.name, sums);
        let values = ranks.iter().map(|rank| rank.value).collect();
        let places = ranks.iter().map(|rank| rank.place).collect();
        Ok([to_expressions(values), to_expressions(places)].concat())
    }

    /// The first largest of the numbers that no earlier rank has.
    fn next_rank(&mut self, node: &Node, numbers: &[CellId], earlier: &[Ranked]) -> Ranked {
        let full = self.program.cell_max();
        let format = numbers
            .first()
            .map_or(Format::INTEGER, |cell| self.cells[cell.index()].format);
        let left = |(place, number): (usize, &CellId)| Combination {
            terms: [(*number, 1)]
                .into_iter()
                .chain(earlier.iter().map(|rank| (rank.bits[place], -full - 1)))
                .collect(),
            bias: 0,
        };
        let left: Vec<Combination> = numbers.iter().enumerate().map(left).collect();
        let bits = self.one_hot_cells(numbers.len());
        let positions = Combination {
            terms: bits.iter().copied().zip(0..).collect(),
            bias: 0,
        };
        let (value, place) = (
            self.new_cell(format, full),
            self.new_cell(Format::INTEGER, numbers.len() as i64 - 1),
        );
        let mut witness = |cells: &[CellId], range, source| {
            self.program.steps.push(Step::Witness {
                cells: cells.to_vec(),
                range,
                source,
            });
        };
        witness(&[value], Range::Unchecked, Source::Maximum(left.clone()));
        witness(&bits, Range::Bit, Source::FirstMaximum(left));
        witness(&[place], Range::Cell, Source::Total(positions));
        // Both `Σ b − 1` and `Σ i·b − p` in one sum: the factor exceeds any place.
        let factor = full + 1;
        let inputs = bits.iter().copied().chain([place]).collect();
        let weights = (0..numbers.len() as i64)
            .map(|index| index + factor)
            .chain([-1])
            .collect();
        self.zero(&node.name, inputs, weights, -i128::from(factor));
        Ranked { value, place, bits }
    }
}
