//! A convolution as polynomials in one variable: which power every cell, coefficient and output belongs to.
//!
//! Up to `G` output channels form a *group*, with `C` lanes `G = 2C`. The output of member `j` at place `s` is the
//! coefficient of `ρ^(G·s + G−1−j)` of the group's polynomial, and that polynomial is `Σ_c X_c(ρ^G)·F_c(ρ)` over the
//! input channels.
//! `docs/spec/combination.md` has the derivation.

use std::collections::{BTreeMap, HashMap, HashSet};

use zkverdict_model::{CellId, Convolution, Kernel};

use crate::chips::evaluate;

/// Ways to cut positions into more channels that are tried: where the output channels do not fill a group, several
/// neighbours along a row do.
const UNROLLS: [i32; 4] = [1, 2, 4, 8];
/// No evaluation is longer.
const MOST_PLACES: i64 = 1 << 22;

/// Rows and columns.
type At = [i32; 2];
/// A channel and the phase of its positions.
type Phased = (u32, At);
/// An input channel, the distance on the coarse grid, the coefficient.
type Tapped = ((usize, At), Coefficient);

/// An input channel, `X(τ) = Σ τ^place·(cell − shift)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Channel {
    /// Places from 0, falling.
    pub(crate) cells: Vec<(i64, CellId)>,
    pub(crate) shift: i64,
}

/// What one input channel adds to a group at one place.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) channel: usize,
    /// Constant coefficients per member of the group.
    pub(crate) weights: Vec<i64>,
    /// Coefficients that are cells, as `(member, cell)`.
    pub(crate) factors: Vec<(usize, CellId)>,
}

/// Up to `G` output channels.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// By place, the last one first.
    pub(crate) terms: Vec<(i64, Vec<Term>)>,
    /// Outputs of the convolution by place and member.
    pub(crate) outputs: BTreeMap<i64, Vec<Option<usize>>>,
    /// First and last place of the polynomial.
    pub(crate) places: (i64, i64),
}

/// A convolution over lanes.
#[derive(Debug, Clone)]
pub(crate) struct Combination {
    pub(crate) channels: Vec<Channel>,
    pub(crate) groups: Vec<Group>,
}

impl Combination {
    /// The shortest way to lay out a convolution over `lanes`, or nothing if there is none.
    pub(crate) fn new(convolution: &Convolution, kernel: &Kernel, lanes: usize) -> Option<Self> {
        let size = evaluate::group(lanes);
        let ways = UNROLLS.iter().filter(|unroll| **unroll as usize <= size);
        let found = ways.filter_map(|unroll| Self::unrolled(convolution, kernel, size, *unroll));
        found.min_by_key(|found| found.rows(lanes))
    }

    fn unrolled(convolution: &Convolution, kernel: &Kernel, size: usize, unroll: i32) -> Option<Self> {
        let first = convolution.outputs.first()?.position;
        let mut pitch = [0, 0];
        for output in &convolution.outputs {
            pitch = [0, 1].map(|axis| gcd(pitch[axis], (output.position[axis] - first[axis]).abs()));
        }
        let pitch = [pitch[0].max(1), pitch[1].max(1) * unroll];
        // A position is a place on the coarse grid, and a phase.
        let coarse = |position: [i32; 2]| {
            let at = |axis: usize| (position[axis] - first[axis]).div_euclid(pitch[axis]);
            let phase = |axis: usize| (position[axis] - first[axis]).rem_euclid(pitch[axis]);
            ([at(0), at(1)], [phase(0), phase(1)])
        };
        let mut channels: BTreeMap<Phased, Vec<(At, CellId)>> = BTreeMap::new();
        for placed in &convolution.cells {
            let (at, phase) = coarse(placed.position);
            channels
                .entry((placed.channel, phase))
                .or_default()
                .push((at, placed.cell));
        }
        let mut classes: BTreeMap<Phased, Vec<(At, usize)>> = BTreeMap::new();
        for (index, output) in convolution.outputs.iter().enumerate() {
            let (at, phase) = coarse(output.position);
            classes.entry((output.channel, phase)).or_default().push((at, index));
        }
        // The kernel from each phase to each.
        let numbers: HashMap<Phased, usize> = channels.keys().copied().zip(0..).collect();
        let taps = |class: &Phased| {
            let (channel, to) = *class;
            let numbers = &numbers;
            let bounds = (channel, 0, [i32::MIN; 2])..=(channel, u32::MAX, [i32::MAX; 2]);
            let place = move |(_, from, distance): &(u32, u32, [i32; 2])| {
                let phase = [0, 1].map(|axis| (to[axis] - distance[axis]).rem_euclid(pitch[axis]));
                let at = [0, 1].map(|axis| (distance[axis] - to[axis] + phase[axis]) / pitch[axis]);
                numbers.get(&(*from, phase)).map(|channel| (*channel, at))
            };
            let weights = kernel.weights.range(bounds.clone());
            let weights = weights.filter_map(move |(tap, weight)| Some((place(tap)?, Coefficient::Weight(*weight))));
            let factors = kernel.factors.range(bounds);
            let factors = factors.filter_map(move |(tap, cell)| Some((place(tap)?, Coefficient::Cell(*cell))));
            weights.chain(factors).collect::<Vec<_>>()
        };
        let kernels: Vec<Vec<Tapped>> = classes.keys().map(taps).collect();
        // Rows of the coarse grid so long that no sum of a cell's place and a coefficient's falls on another output.
        let columns = |positions: &mut dyn Iterator<Item = i32>| {
            positions.fold((i64::MAX, i64::MIN), |(low, high), column| {
                (low.min(column.into()), high.max(column.into()))
            })
        };
        let cells = columns(&mut channels.values().flatten().map(|(at, _)| at[1]));
        let outputs = columns(&mut classes.values().flatten().map(|(at, _)| at[1]));
        let kernel_columns = columns(&mut kernels.iter().flatten().map(|((_, at), _)| at[1]));
        if channels.is_empty() || kernel_columns.0 > kernel_columns.1 {
            return None;
        }
        let sums = (cells.0 + kernel_columns.0, cells.1 + kernel_columns.1);
        let width = [
            cells.1 - cells.0,
            outputs.1 - outputs.0,
            sums.1 - outputs.0,
            outputs.1 - sums.0,
        ];
        let width = 1 + width.into_iter().max().unwrap_or(0).max(0);
        let place = |at: [i32; 2]| i64::from(at[0]) * width + i64::from(at[1]);

        let mut bottoms = Vec::with_capacity(channels.len());
        let mut placed = Vec::with_capacity(channels.len());
        for cells in channels.values() {
            let mut cells: Vec<(i64, CellId)> = cells.iter().map(|(at, cell)| (place(*at), *cell)).collect();
            cells.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
            let bottom = cells.last().map_or(0, |(place, _)| *place);
            cells.iter_mut().for_each(|(place, _)| *place -= bottom);
            if cells.first().is_some_and(|(place, _)| *place > MOST_PLACES) {
                return None;
            }
            bottoms.push(bottom);
            placed.push(Channel {
                cells,
                shift: kernel.shift,
            });
        }
        let classes: Vec<&Vec<(At, usize)>> = classes.values().collect();
        let mut groups = Vec::new();
        for (classes, kernels) in classes.chunks(size).zip(kernels.chunks(size)) {
            let mut terms: BTreeMap<std::cmp::Reverse<i64>, BTreeMap<usize, Term>> = BTreeMap::new();
            let mut outputs: BTreeMap<i64, Vec<Option<usize>>> = BTreeMap::new();
            for (member, (class, kernel)) in classes.iter().zip(kernels).enumerate() {
                for (at, output) in *class {
                    outputs.entry(place(*at)).or_insert_with(|| vec![None; size])[member] = Some(*output);
                }
                for ((channel, at), coefficient) in kernel {
                    let at = place(*at) + bottoms[*channel];
                    let term = terms.entry(std::cmp::Reverse(at)).or_default();
                    let term = term.entry(*channel).or_insert_with(|| Term {
                        channel: *channel,
                        weights: vec![0; size],
                        factors: Vec::new(),
                    });
                    match coefficient {
                        Coefficient::Weight(weight) => term.weights[member] = *weight,
                        Coefficient::Cell(cell) => term.factors.push((member, *cell)),
                    }
                }
            }
            let terms: Vec<(i64, Vec<Term>)> = terms
                .into_iter()
                .map(|(place, terms)| (place.0, terms.into_values().collect()))
                .collect();
            let (first, last) = (outputs.first_key_value()?, outputs.last_key_value()?);
            let (mut low, mut high) = (*first.0, *last.0);
            for (place, terms) in &terms {
                let reach = |term: &Term| placed[term.channel].cells.first().map_or(0, |(place, _)| *place);
                low = low.min(*place);
                high = high.max(place + terms.iter().map(reach).max().unwrap_or(0));
            }
            if high - low > MOST_PLACES {
                return None;
            }
            groups.push(Group {
                terms,
                outputs,
                places: (low, high),
            });
        }
        Some(Self {
            channels: placed,
            groups,
        })
    }

    /// Rows that it takes alone, without the one of the zero.
    pub(crate) fn rows(&self, lanes: usize) -> usize {
        self.rows_beside(&HashSet::new(), lanes)
    }

    /// Rows that it takes where these channels are evaluated already.
    pub(crate) fn rows_beside(&self, known: &HashSet<Channel>, lanes: usize) -> usize {
        let channels = self.channels.iter().filter(|channel| !known.contains(channel));
        let groups = self.groups.iter().map(|group| group.rows(lanes));
        channels.map(Channel::rows).chain(groups).sum()
    }
}

enum Coefficient {
    Weight(i64),
    Cell(CellId),
}

impl Channel {
    /// One per place, and one for the evaluation.
    fn rows(&self) -> usize {
        self.cells.first().map_or(0, |(place, _)| *place as usize) + 2
    }
}

impl Term {
    /// Whether it has constant coefficients.
    pub(crate) fn is_weighted(&self) -> bool {
        self.weights.iter().any(|weight| *weight != 0)
    }

    fn rows(&self) -> usize {
        let weighted = if self.is_weighted() { 2 } else { 0 };
        let factors = self.factors.len();
        weighted + if factors > 0 { 2 * factors + 1 + 3 } else { 0 }
    }
}

impl Group {
    fn rows(&self, lanes: usize) -> usize {
        let terms = self
            .terms
            .iter()
            .flat_map(|(_, terms)| terms)
            .map(Term::rows)
            .sum::<usize>();
        let steps = self.terms.first().map_or(0, |(place, _)| place - self.places.0) as usize;
        let mut rows = terms + steps + 1;
        let mut blocks = Blocks::default();
        for (place, first) in self.falling(lanes) {
            rows += blocks.next(self.has_outputs(place, first, lanes)).new_rows() * lanes;
        }
        rows + usize::from(blocks.is_full())
    }

    /// All coefficients of the polynomial, the highest first, as many at a time as there are lanes: place and first
    /// member.
    pub(crate) fn falling(&self, lanes: usize) -> impl Iterator<Item = (i64, usize)> {
        let places = (self.places.0..=self.places.1).rev();
        places.flat_map(move |place| {
            (0..evaluate::group(lanes))
                .step_by(lanes)
                .map(move |first| (place, first))
        })
    }

    /// The output of a member at a place.
    pub(crate) fn output(&self, place: i64, member: usize) -> Option<usize> {
        self.outputs.get(&place)?.get(member).copied().flatten()
    }

    /// Whether any of as many members as there are lanes has an output at a place.
    pub(crate) fn has_outputs(&self, place: i64, first: usize, lanes: usize) -> bool {
        (first..first + lanes).any(|member| self.output(place, member).is_some())
    }
}

/// Where `C` coefficients go. Where there are outputs among them, the first third of a block of digits; elsewhere what is
/// free of the block before, if they follow at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blocks {
    /// Thirds of the last block that are free.
    free: usize,
}

/// One answer of [`Blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A new block of digits.
    Block,
    /// The next third of the block.
    Third,
    /// Rows of their own.
    Plain,
}

impl Blocks {
    pub(crate) fn next(&mut self, has_outputs: bool) -> Spot {
        match self.free {
            _ if has_outputs => {
                self.free = 2;
                Spot::Block
            }
            0 => Spot::Plain,
            _ => {
                self.free -= 1;
                Spot::Third
            }
        }
    }

    /// Whether the row after the last coefficient belongs to nobody yet.
    pub(crate) fn is_full(self) -> bool {
        self.free == 0
    }
}

impl Spot {
    /// In lanes.
    fn new_rows(self) -> usize {
        match self {
            Self::Block => 3,
            Self::Third => 0,
            Self::Plain => 1,
        }
    }
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
