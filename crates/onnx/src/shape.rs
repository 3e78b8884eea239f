//! Shape arithmetic: element counts, strides, broadcasting, and index lists.
//!
//! Every data movement is a list of source indices. [`lattice`] builds it from one list of offsets per output axis:
//! output element `(c0, c1, …)` comes from `axes[0][c0] + axes[1][c1] + …`.

/// Product of the dimensions, or `None` when it overflows.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |count, &dimension| count.checked_mul(dimension))
}

/// Product of the dimensions with every zero read as one, or `None` when it overflows.
pub(crate) fn extent(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |count, &dimension| count.checked_mul(dimension.max(1)))
}

/// Row-major strides. The caller has checked that the element count does not overflow.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut stride = 1usize;
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&dimension| {
            let current = stride;
            stride = stride.saturating_mul(dimension);
            current
        })
        .collect();
    strides.reverse();
    strides
}

/// Source index of every output element, row-major, from the offsets that each output axis contributes.
pub(crate) fn lattice(axes: &[Vec<usize>]) -> Vec<usize> {
    axes.iter().fold(vec![0], |bases, offsets| {
        bases
            .iter()
            .flat_map(|base| offsets.iter().map(move |offset| base + offset))
            .collect()
    })
}

/// The shape two operands broadcast to (NumPy's rule), or `None`.
pub(crate) fn broadcast(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let padded = |shape: &[usize]| -> Vec<usize> {
        std::iter::repeat_n(1, rank - shape.len())
            .chain(shape.iter().copied())
            .collect()
    };
    padded(left)
        .into_iter()
        .zip(padded(right))
        .map(|(a, b)| match (a, b) {
            _ if a == b => Some(a),
            (1, _) => Some(b),
            (_, 1) => Some(a),
            _ => None,
        })
        .collect()
}

/// Indices that expand a tensor of shape `from` to shape `to`, or `None` when it does not broadcast to it.
pub(crate) fn expansion(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    let missing = to.len().checked_sub(from.len())?;
    let (lead, tail) = to.split_at_checked(missing)?;
    let mut axes: Vec<Vec<usize>> = lead.iter().map(|&dimension| vec![0; dimension]).collect();
    for ((&source, &target), stride) in from.iter().zip(tail).zip(strides(from)) {
        axes.push(match source {
            _ if source == target => (0..target).map(|c| c * stride).collect(),
            1 => vec![0; target],
            _ => return None,
        });
    }
    Some(lattice(&axes))
}

/// Resolves a possibly negative axis against a rank.
pub(crate) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let rank_signed = i64::try_from(rank).ok()?;
    let resolved = if axis < 0 { axis.checked_add(rank_signed)? } else { axis };
    usize::try_from(resolved).ok().filter(|&resolved| resolved < rank)
}

/// Identity offsets of every axis of `shape`: the starting point of a movement along some axes.
pub(crate) fn identity_axes(shape: &[usize]) -> Vec<Vec<usize>> {
    shape
        .iter()
        .zip(strides(shape))
        .map(|(&dimension, stride)| (0..dimension).map(|c| c * stride).collect())
        .collect()
}

/// `(outer, length, inner)`: the shape seen around one axis.
pub(crate) fn around(shape: &[usize], axis: usize) -> Option<(usize, usize, usize)> {
    let (outer, rest) = shape.split_at_checked(axis)?;
    let (&length, inner) = rest.split_first()?;
    Some((element_count(outer)?, length, element_count(inner)?))
}
