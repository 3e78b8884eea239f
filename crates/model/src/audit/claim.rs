//! What an audit may say: claims with exact fractions.

use serde::{Deserialize, Serialize};

/// A fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Above the line.
    pub numerator: u32,
    /// Below the line.
    pub denominator: u32,
}

impl Fraction {
    /// Largest denominator.
    pub const MOST: u32 = 10_000;

    /// Whether it lies between zero and one and its denominator is small enough.
    pub fn is_share(self) -> bool {
        (1..=Self::MOST).contains(&self.denominator) && self.numerator <= self.denominator
    }
}

impl std::str::FromStr for Fraction {
    type Err = String;

    /// Reads a decimal fraction such as `0.05` exactly.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no number from 0 to 1 with at most four decimals, such as 0.05");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 1 || decimals.len() > 4 || !is_digits(whole) || !is_digits(decimals) {
            return Err(refused());
        }
        let mut fraction = Self {
            numerator: format!("{whole}{decimals}").parse().map_err(|_| refused())?,
            denominator: 10_u32.pow(decimals.len() as u32),
        };
        for factor in [2, 5] {
            while fraction.denominator > 1
                && fraction.denominator.is_multiple_of(factor)
                && fraction.numerator.is_multiple_of(factor)
            {
                fraction.numerator /= factor;
                fraction.denominator /= factor;
            }
        }
        if fraction.is_share() {
            Ok(fraction)
        } else {
            Err(refused())
        }
    }
}

impl std::fmt::Display for Fraction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", f64::from(self.numerator) / f64::from(self.denominator))
    }
}

/// What an audit may say instead of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// `correct / rows ≥ t`
    Accuracy(Fraction),
    /// Neither group's selection rate is below four fifths of the other's.
    FourFifths,
    /// The groups' selection rates differ by at most this.
    Parity(Fraction),
    /// The groups' true positive rates differ by at most this.
    Opportunity(Fraction),
}

impl Claim {
    /// Whether it compares groups.
    pub fn compares_groups(self) -> bool {
        !matches!(self, Self::Accuracy(_))
    }
}

impl std::str::FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "four-fifths" {
            return Ok(Self::FourFifths);
        }
        if let Some(least) = text.strip_prefix("accuracy>=") {
            return Ok(Self::Accuracy(least.parse()?));
        }
        if let Some(most) = text.strip_prefix("parity<=") {
            return Ok(Self::Parity(most.parse()?));
        }
        if let Some(most) = text.strip_prefix("opportunity<=") {
            return Ok(Self::Opportunity(most.parse()?));
        }
        Err(format!(
            "{text:?} is no claim; use accuracy>=0.7, four-fifths, parity<=0.1 or opportunity<=0.1"
        ))
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accuracy(least) => write!(formatter, "accuracy>={least}"),
            Self::FourFifths => formatter.write_str("four-fifths"),
            Self::Parity(most) => write!(formatter, "parity<={most}"),
            Self::Opportunity(most) => write!(formatter, "opportunity<={most}"),
        }
    }
}
