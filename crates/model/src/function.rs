//! Functions of one variable, as formulas over a few elementary ones.

use serde::{Deserialize, Serialize};

use crate::evaluate::sigmoid;

/// An elementary function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Elementary {
    /// `e^x`
    Exp,
    /// `ln x`
    Log,
    /// `2/√π·∫₀ˣ e^−t² dt`
    Erf,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^−x)`
    Sigmoid,
    /// `ln(1 + e^x)`
    Softplus,
    /// `√x`
    Sqrt,
    /// `1/x`
    Reciprocal,
    /// `|x|`
    Abs,
    /// `max(x, 0)`
    Relu,
    /// `sin x`
    Sin,
    /// `cos x`
    Cos,
    /// `arctan x`
    Atan,
}

/// A function of one variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Formula {
    /// The variable.
    Argument,
    /// A number.
    Constant(f64),
    /// Sum of two.
    Sum(Box<Formula>, Box<Formula>),
    /// Product of two.
    Product(Box<Formula>, Box<Formula>),
    /// An elementary function of a formula.
    Apply(Elementary, Box<Formula>),
}

impl Elementary {
    /// The value at `x`.
    pub fn evaluate(self, x: f64) -> f64 {
        match self {
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Erf => erf(x),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => x.recip(),
            Self::Abs => x.abs(),
            Self::Relu => x.max(0.0),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Atan => x.atan(),
        }
    }
}

impl Formula {
    /// Most parts a formula may have, so that walking it stays shallow.
    pub const MAX_PARTS: usize = 64;

    /// An elementary function of the variable.
    pub fn of(function: Elementary) -> Self {
        Self::Argument.then(function)
    }

    /// `function(self)`
    #[must_use]
    pub fn then(self, function: Elementary) -> Self {
        Self::Apply(function, Box::new(self))
    }

    /// `self + other`
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self::Sum(Box::new(self), Box::new(other))
    }

    /// `self · other`
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self::Product(Box::new(self), Box::new(other))
    }

    /// `factor·self + addend`
    #[must_use]
    pub fn affine(self, factor: f64, addend: f64) -> Self {
        let scaled = if factor == 1.0 {
            self
        } else {
            self.times(Self::Constant(factor))
        };
        if addend == 0.0 {
            scaled
        } else {
            scaled.plus(Self::Constant(addend))
        }
    }

    /// `self` with its variable replaced by `inner`.
    #[must_use]
    pub fn compose(&self, inner: &Self) -> Self {
        match self {
            Self::Argument => inner.clone(),
            Self::Constant(number) => Self::Constant(*number),
            Self::Sum(left, right) => left.compose(inner).plus(right.compose(inner)),
            Self::Product(left, right) => left.compose(inner).times(right.compose(inner)),
            Self::Apply(function, argument) => argument.compose(inner).then(*function),
        }
    }

    /// The value at `x`.
    pub fn evaluate(&self, x: f64) -> f64 {
        match self {
            Self::Argument => x,
            Self::Constant(number) => *number,
            Self::Sum(left, right) => left.evaluate(x) + right.evaluate(x),
            Self::Product(left, right) => left.evaluate(x) * right.evaluate(x),
            Self::Apply(function, argument) => function.evaluate(argument.evaluate(x)),
        }
    }

    /// Number of parts: variables, numbers and operations.
    pub fn parts(&self) -> usize {
        match self {
            Self::Argument | Self::Constant(_) => 1,
            Self::Sum(left, right) | Self::Product(left, right) => 1 + left.parts() + right.parts(),
            Self::Apply(_, argument) => 1 + argument.parts(),
        }
    }

    /// Whether the formula is more than sums and products.
    pub fn is_transcendental(&self) -> bool {
        match self {
            Self::Argument | Self::Constant(_) => false,
            Self::Sum(left, right) | Self::Product(left, right) => {
                left.is_transcendental() || right.is_transcendental()
            }
            Self::Apply(..) => true,
        }
    }
}

/// The error function: its Taylor series near zero, the continued fraction of its complement further out.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    let value = if size < 2.5 {
        let square = size * size;
        let mut term = size;
        let mut sum = size;
        for index in 1..60 {
            term *= -square / f64::from(index);
            sum += term / f64::from(2 * index + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else if size < 6.0 {
        let fraction = (1..=60)
            .rev()
            .fold(size, |fraction, index| size + f64::from(index) / 2.0 / fraction);
        1.0 - (-size * size).exp() / (fraction * std::f64::consts::PI.sqrt())
    } else {
        // Also for NaN: the comparisons above fail.
        size.min(1.0)
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_agrees_with_tabulated_values() {
        // Abramowitz and Stegun, table 7.1; the last two from Wolfram's functions site.
        let known = [
            (0.0, 0.0),
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
            (4.0, 0.999_999_984_582_742_1),
        ];
        for (x, expected) in known {
            assert!((erf(x) - expected).abs() < 1e-12, "{x}: {}", erf(x));
            assert!((erf(-x) + expected).abs() < 1e-12);
        }
        assert_eq!(erf(40.0), 1.0);
        assert!((erf(2.5 - 1e-9) - erf(2.5)).abs() < 1e-9);
    }

    #[test]
    fn formulas_compose() {
        let gelu = Formula::Argument.times(
            Formula::Argument
                .affine(std::f64::consts::FRAC_1_SQRT_2, 0.0)
                .then(Elementary::Erf)
                .affine(0.5, 0.5),
        );
        assert!((gelu.evaluate(1.0) - 0.841_344_746_068_543).abs() < 1e-12);
        let shifted = gelu.compose(&Formula::Argument.affine(2.0, -1.0));
        assert_eq!(shifted.evaluate(1.0), gelu.evaluate(1.0));
        assert!(shifted.is_transcendental() && shifted.parts() < Formula::MAX_PARTS);
    }
}
