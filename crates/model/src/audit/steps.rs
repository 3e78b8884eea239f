//! The steps of a model, repeated for another row with other cells.

use crate::{CellId, Combination, Finish, Layer, Program, Source, Step, Sum, TreePath};

impl Program {
    /// The steps that compute a cell, with those that constrain what is read for it, and inputs. What only constrains cells
    /// that the prover finds for other results, such as probabilities, is left out with them. Parameters of a committed
    /// model stay together: all of its layers and trees.
    pub(super) fn needed_for(&self, result: CellId) -> Vec<Step> {
        let mut needed = vec![false; self.cells];
        needed[result.index()] = true;
        let found = self.found_cells();
        loop {
            let before = needed.clone();
            let steps = self.steps_for(&mut needed, &found);
            // A constraint that is kept may read cells that later ones bind.
            if needed == before {
                return steps;
            }
        }
    }

    /// The cells that the prover finds, and that nothing but constraints binds: not those of encodings, which say what an
    /// input can be.
    fn found_cells(&self) -> Vec<bool> {
        let mut found = vec![false; self.cells];
        for step in &self.steps {
            if let Step::Witness { cells, source, .. } = step
                && !matches!(source, Source::Input | Source::OneHot { .. })
            {
                cells.iter().for_each(|cell| found[cell.index()] = true);
            }
        }
        found
    }

    fn steps_for(&self, needed: &mut [bool], found: &[bool]) -> Vec<Step> {
        let mut steps = Vec::new();
        for step in self.steps.iter().rev() {
            let kept = match step {
                Step::Layer(layer) => {
                    let is_kept = |sum: &&Sum| match sum.finish.output() {
                        _ if layer.parameters.is_some() => true,
                        Some(output) => needed[output.index()],
                        None => {
                            let mut bound = layer.read_by(sum).filter(|cell| found[cell.index()]).peekable();
                            bound.peek().is_none() || bound.any(|cell| needed[cell.index()])
                        }
                    };
                    let sums: Vec<Sum> = layer.sums.iter().filter(is_kept).cloned().collect();
                    let kept = (!sums.is_empty()).then(|| layer.with_sums(sums));
                    if let Some(layer) = &kept {
                        let read = layer.sums.iter().flat_map(|sum| layer.read_by(sum));
                        read.chain(layer.inputs.iter().copied())
                            .for_each(|cell| needed[cell.index()] = true);
                    }
                    kept.map(Step::Layer)
                }
                Step::Curve { input, output, .. } | Step::Bin { input, output, .. } => {
                    let is_needed = needed[output.index()];
                    needed[input.index()] |= is_needed;
                    is_needed.then(|| step.clone())
                }
                Step::Witness { cells, source, .. } => {
                    let is_needed = *source == Source::Input || cells.iter().any(|cell| needed[cell.index()]);
                    if is_needed {
                        cells
                            .iter()
                            .chain(&source.reads())
                            .for_each(|cell| needed[cell.index()] = true);
                    }
                    is_needed.then(|| step.clone())
                }
                Step::Tree(path) => {
                    let mut outputs = path.outputs.iter().flatten();
                    let is_needed = outputs.any(|cell| needed[cell.index()]) || path.committed.is_some();
                    if is_needed {
                        self.memory.iter().for_each(|cell| needed[cell.index()] = true);
                    }
                    is_needed.then(|| step.clone())
                }
            };
            steps.extend(kept);
        }
        steps.reverse();
        steps
    }
}

impl Layer {
    /// The cells that a sum reads.
    fn read_by<'a>(&'a self, sum: &'a Sum) -> impl Iterator<Item = CellId> + 'a {
        let weighted = self.inputs.iter().zip(&sum.weights).filter(|(_, weight)| **weight != 0);
        let factors = sum.products.iter().flat_map(|(left, right)| [*left, *right]);
        weighted.map(|(cell, _)| *cell).chain(factors)
    }

    /// The same layer with some of its sums, and only the cells that they read.
    fn with_sums(&self, sums: Vec<Sum>) -> Self {
        if self.parameters.is_some() {
            return Self { sums, ..self.clone() };
        }
        let is_read = |place: &usize| sums.iter().any(|sum| sum.weights[*place] != 0);
        let read: Vec<usize> = (0..self.inputs.len()).filter(is_read).collect();
        Self {
            name: self.name.clone(),
            inputs: read.iter().map(|place| self.inputs[*place]).collect(),
            sums: sums
                .iter()
                .map(|sum| Sum {
                    weights: read.iter().map(|place| sum.weights[*place]).collect(),
                    ..sum.clone()
                })
                .collect(),
            parameters: None,
        }
    }
}

impl Step {
    /// The same step with other cells.
    pub(super) fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        match self {
            Self::Witness { cells, range, source } => Self::Witness {
                source: source.moved(cell),
                cells: cells.iter().map(|id| cell(*id)).collect(),
                range: *range,
            },
            Self::Layer(layer) => Self::Layer(Layer {
                name: layer.name.clone(),
                inputs: layer.inputs.iter().map(|id| cell(*id)).collect(),
                sums: layer.sums.iter().map(|sum| sum.moved(cell)).collect(),
                parameters: layer.parameters.clone(),
            }),
            Self::Bin { table, input, output } => Self::Bin {
                table: *table,
                input: cell(*input),
                output: cell(*output),
            },
            Self::Tree(path) => Self::Tree(TreePath {
                outputs: path
                    .outputs
                    .iter()
                    .map(|weights| weights.iter().map(|id| cell(*id)).collect())
                    .collect(),
                ..path.clone()
            }),
            Self::Curve { table, input, output } => Self::Curve {
                table: *table,
                input: cell(*input),
                output: cell(*output),
            },
        }
    }
}

impl Sum {
    fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        let products = self.products.iter();
        Self {
            weights: self.weights.clone(),
            products: products.map(|(left, right)| (cell(*left), cell(*right))).collect(),
            bias: self.bias,
            finish: match self.finish {
                Finish::Lookup { table, output } => Finish::Lookup {
                    table,
                    output: cell(output),
                },
                finish @ (Finish::Zero | Finish::NonNegative) => finish,
            },
        }
    }
}

impl Source {
    fn moved(&self, cell: &mut impl FnMut(CellId) -> CellId) -> Self {
        let number = |number: &Combination, cell: &mut dyn FnMut(CellId) -> CellId| Combination {
            terms: number.terms.iter().map(|(id, weight)| (cell(*id), *weight)).collect(),
            bias: number.bias,
        };
        match self {
            Self::Input => Self::Input,
            Self::OneHot { source, categories } => Self::OneHot {
                source: cell(*source),
                categories: categories.clone(),
            },
            Self::Maximum(among) => Self::Maximum(among.iter().map(|one| number(one, cell)).collect()),
            Self::Total(one) => Self::Total(number(one, cell)),
            Self::FirstMaximum(among) => Self::FirstMaximum(among.iter().map(|one| number(one, cell)).collect()),
            Self::Quotient {
                numerators,
                denominator,
            } => Self::Quotient {
                numerators: numerators.iter().map(|id| cell(*id)).collect(),
                denominator: cell(*denominator),
            },
        }
    }
}
impl Source {
    /// The cells it is computed from.
    fn reads(&self) -> Vec<CellId> {
        let of = |numbers: &[Combination]| -> Vec<CellId> {
            let terms = numbers.iter().flat_map(|number| &number.terms);
            terms.map(|(cell, _)| *cell).collect()
        };
        match self {
            Self::Input => Vec::new(),
            Self::OneHot { source, .. } => vec![*source],
            Self::Maximum(among) | Self::FirstMaximum(among) => of(among),
            Self::Total(number) => of(std::slice::from_ref(number)),
            Self::Quotient {
                numerators,
                denominator,
            } => numerators.iter().chain([denominator]).copied().collect(),
        }
    }
}
