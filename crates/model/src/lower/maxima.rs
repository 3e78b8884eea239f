//! Maxima by tournament: `max(a, b) = b + max(a − b, 0)`, one clamp per match.

use crate::{
    Format, ModelError,
    calibrate::Interval,
    lower::{Ends, Expression, Lowering, convolutions::Place, expression::to_expressions, formats::unsigned_format},
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
        let windows: Vec<Option<(Place, Vec<usize>)>> = groups.iter().map(|group| window(group)).collect();
        let mut round = 0;
        while groups.iter().any(|group| group.len() > 1) {
            let mut gaps: Vec<Expression> = Vec::new();
            for (group, window) in groups.iter().zip(&windows) {
                for (number, pair) in group.chunks_exact(2).enumerate() {
                    let mut gap = pair[1].minus(&pair[0]);
                    gap.place = self.match_place(window.as_ref(), [round, number]);
                    gaps.push(gap);
                }
            }
            let mut ramps = to_expressions(self.clamped(name, &gaps, format, ends)?).into_iter();
            round += 1;
            for (group, window) in groups.iter_mut().zip(&windows) {
                let winners = group.chunks(2).enumerate().map(|(number, pair)| {
                    let mut winner = pair[0].clone();
                    if pair.len() == 2
                        && let Some(ramp) = ramps.next()
                    {
                        winner.add_scaled(&ramp, 1.0);
                    }
                    // Distinct from every match.
                    winner.place = self.match_place(window.as_ref(), [usize::MAX - round, number]);
                    winner
                });
                *group = winners.collect();
            }
        }
        Ok(groups.into_iter().flatten().collect())
    }

    /// Where a match of a window stands: with the window, told apart by the round, its number in it, and the window's
    /// form.
    fn match_place(&mut self, window: Option<&(Place, Vec<usize>)>, game: [usize; 2]) -> Option<Place> {
        let (first, form) = window?;
        let variant = self.places.variant([game.as_slice(), form].concat());
        Some(Place { variant, ..*first })
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

/// The place of a window's first element, and the window's form: where the others stand from there.
fn window(group: &[Expression]) -> Option<(Place, Vec<usize>)> {
    let first = group.first()?.place?;
    let distance = |expression: &Expression| {
        let place = expression.place.filter(|place| place.value == first.value)?;
        let distance = place.element.checked_sub(first.element)?;
        Some([place.variant, distance])
    };
    let form: Option<Vec<[usize; 2]>> = group.iter().map(distance).collect();
    Some((first, form?.concat()))
}

/// Keeps the first of equal expressions: windows at a border repeat an element.
fn drop_repeated(group: &mut Vec<Expression>) {
    let mut kept: Vec<Expression> = Vec::with_capacity(group.len());
    for expression in group.drain(..) {
        let is_same = |other: &Expression| other.terms == expression.terms && other.bias == expression.bias;
        if !kept.iter().any(is_same) {
            kept.push(expression);
        }
    }
    *group = kept;
}
