//! Maxima by tournament: `max(a, b) = b + max(a − b, 0)`, one clamp per match.

use crate::{
    Format, ModelError,
    calibrate::Interval,
    lower::{Ends, Expression, Lowering, expression::to_expressions, formats::unsigned_format},
};

impl Lowering<'_> {
    /// The largest expression of each group; `range` holds all of them on the calibration samples.
    pub(super) fn maxima(
        &mut self,
        name: &str,
        groups: Vec<Vec<Expression>>,
        range: Interval,
    ) -> Result<Vec<Expression>, ModelError> {
        let (format, ends) = self.gap_format(&groups, range);
        self.tournament(name, groups, format, ends)
    }

    /// The same, with gaps of a given format.
    pub(super) fn tournament(
        &mut self,
        name: &str,
        groups: Vec<Vec<Expression>>,
        format: Format,
        ends: Ends,
    ) -> Result<Vec<Expression>, ModelError> {
        let mut groups = groups;
        for group in &mut groups {
            drop_repeated(group);
        }
        while groups.iter().any(|group| group.len() > 1) {
            let gaps: Vec<Expression> = groups
                .iter()
                .flat_map(|group| group.chunks_exact(2).map(|pair| pair[1].minus(&pair[0])))
                .collect();
            let mut ramps = to_expressions(self.clamped(name, &gaps, format, ends)?).into_iter();
            for group in &mut groups {
                *group = group
                    .chunks(2)
                    .map(|pair| {
                        let mut winner = pair[0].clone();
                        if pair.len() == 2
                            && let Some(ramp) = ramps.next()
                        {
                            winner.add_scaled(&ramp, 1.0);
                        }
                        winner
                    })
                    .collect();
            }
        }
        Ok(groups.into_iter().flatten().collect())
    }

    /// The format of `max(a − b, 0)`. Among cells of one format it is theirs and exact.
    fn gap_format(&self, groups: &[Vec<Expression>], range: Interval) -> (Format, Ends) {
        let cells: Option<Vec<_>> = groups.iter().flatten().map(Expression::as_cell).collect();
        let narrow = |cell: &crate::CellId| self.cells[cell.index()].max <= self.program.cell_max();
        match cells {
            Some(cells) if self.same_format(&cells) && cells.iter().all(narrow) => {
                let scale = cells.first().map_or(0, |cell| self.cells[cell.index()].format.scale);
                (Format { scale, zero: 0 }, Ends::Ignore)
            }
            _ => {
                let format = unsigned_format(range.high - range.low, self.program.cell_bits());
                (format, Ends::Report)
            }
        }
    }
}

/// Keeps the first of equal expressions: windows at a border repeat an element.
fn drop_repeated(group: &mut Vec<Expression>) {
    let mut kept: Vec<Expression> = Vec::with_capacity(group.len());
    for expression in group.drain(..) {
        if !kept.contains(&expression) {
            kept.push(expression);
        }
    }
    *group = kept;
}
