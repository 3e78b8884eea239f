//! What gas may cost: amounts of wei, the fees that a chain's history suggests, caps, and the step of a replacement.

use std::{fmt, str::FromStr};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{
        U256,
        utils::{ParseUnits, Unit},
    },
    providers::Provider,
};
use serde::{Deserialize, Serialize};

use crate::{EvmError, chain::Connection};

/// Blocks of history that the priority fee is taken from.
const HISTORY_BLOCKS: u64 = 10;
/// The percentile of the priority fees of each of these blocks.
const PERCENTILE: f64 = 50.0;
/// The priority fee where the history shows none: what nodes take at least, 0.001 gwei.
const LEAST_PRIORITY_FEE: Wei = Wei(1_000_000);

/// An amount of wei. It is read with or without a unit (`30gwei`, `0.01ether`, `1500`), and in JSON a decimal string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wei(pub u128);

impl Wei {
    /// The price of this much gas at this price; the largest amount where it does not fit.
    #[must_use]
    pub const fn of_gas(self, gas: u64) -> Self {
        Self(self.0.saturating_mul(gas as u128))
    }

    /// The least that nodes take in the place of this: a tenth more.
    #[must_use]
    pub const fn bumped(self) -> Self {
        Self(self.0.saturating_add(self.0 / 10).saturating_add(1))
    }

    const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// What is wrong with a text that should be an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes a number of wei, or a number with the unit wei, gwei or ether, such as 30gwei")]
pub struct WeiMalformed;

impl FromStr for Wei {
    type Err = WeiMalformed;

    fn from_str(text: &str) -> Result<Self, WeiMalformed> {
        let text = text.trim();
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match text.strip_prefix(digits).unwrap_or_default() {
            "" | "wei" => Unit::WEI,
            "gwei" => Unit::GWEI,
            "ether" | "eth" => Unit::ETHER,
            _ => return Err(WeiMalformed),
        };
        let digits = digits.trim_end();
        let is_number = digits.starts_with(|digit: char| digit.is_ascii_digit())
            && digits.chars().all(|digit| digit.is_ascii_digit() || digit == '.');
        let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        if !is_number || decimals > usize::from(unit.get()) {
            return Err(WeiMalformed);
        }
        match ParseUnits::parse_units(digits, unit) {
            Ok(ParseUnits::U256(amount)) => amount.try_into().map(Self).map_err(|_| WeiMalformed),
            _ => Err(WeiMalformed),
        }
    }
}

impl fmt::Display for Wei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Eight decimals of an ether are enough for a person.
        let (unit, name, amount) = match self.0 {
            0..1_000_000 => return write!(f, "{} wei", self.0),
            1_000_000..10_000_000_000_000 => (Unit::GWEI, "gwei", self.0),
            _ => (Unit::ETHER, "ether", self.0 / 10_000_000_000 * 10_000_000_000),
        };
        let text = ParseUnits::from(U256::from(amount)).format_units(unit);
        write!(f, "{} {name}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Wei {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Wei {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What one gas of a transaction may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fees")]
pub enum Fees {
    /// One price, on chains without a base fee.
    Legacy {
        /// The price of one gas.
        gas_price: Wei,
    },
    /// The block's base fee and a priority fee, up to a maximum (EIP-1559).
    Eip1559 {
        /// The base fee of the next block.
        base_fee: Wei,
        /// What the block's proposer gets.
        priority_fee: Wei,
        /// The most that one gas may cost.
        max_fee: Wei,
    },
}

impl Fees {
    /// What one gas would cost in the next block.
    #[must_use]
    pub fn expected(self) -> Wei {
        match self {
            Self::Legacy { gas_price } => gas_price,
            Self::Eip1559 {
                base_fee,
                priority_fee,
                max_fee,
            } => base_fee.plus(priority_fee).min(max_fee),
        }
    }

    /// The most that one gas may cost.
    #[must_use]
    pub const fn most(self) -> Wei {
        match self {
            Self::Legacy { gas_price } => gas_price,
            Self::Eip1559 { max_fee, .. } => max_fee,
        }
    }
}

/// What the fees of a transaction must keep to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeLimits {
    /// The most that one gas may cost; base and priority fee together.
    pub cap: Option<Wei>,
    /// The priority fee; the chain's history suggests one otherwise.
    pub priority_fee: Option<Wei>,
}

impl FeeLimits {
    /// Fees of at least `least` in every part, for a chain that asks this much now.
    fn choose(self, asked: Fees, least: Option<Fees>) -> Result<Fees, EvmError> {
        let least_most = least.map_or(Wei(0), Fees::most);
        let (fees, needed) = match asked {
            Fees::Legacy { gas_price } => {
                let gas_price = gas_price.max(least_most);
                (Fees::Legacy { gas_price }, gas_price)
            }
            Fees::Eip1559 {
                base_fee,
                priority_fee,
                max_fee,
            } => {
                let priority_fee = priority_fee.max(least.map_or(Wei(0), Fees::priority));
                let needed = base_fee.plus(priority_fee).max(least_most);
                let max_fee = needed.max(max_fee).min(self.cap.unwrap_or(Wei(u128::MAX)));
                let fees = Fees::Eip1559 {
                    base_fee,
                    priority_fee,
                    max_fee,
                };
                (fees, needed)
            }
        };
        match self.cap {
            Some(cap) if cap < needed => Err(EvmError::FeeCapExceeded {
                cap: cap.into(),
                needed: needed.into(),
            }),
            _ => Ok(fees),
        }
    }
}

impl Connection {
    /// Fees within the limits; for a replacement, at least a tenth above those of the transaction that it replaces.
    pub(crate) async fn fees(&self, limits: FeeLimits, replaced: Option<Fees>) -> Result<Fees, EvmError> {
        let provider = self.provider();
        let head = self.head().await?;
        let asked = if head.base_fee_per_gas.is_none() {
            if limits.priority_fee.is_some() {
                return Err(EvmError::NoPriorityFee {
                    chain_id: self.chain_id(),
                });
            }
            Fees::Legacy {
                gas_price: Wei(self.ask("reading the gas price", || provider.get_gas_price()).await?),
            }
        } else {
            let history = self
                .ask("reading the fee history", || {
                    provider.get_fee_history(HISTORY_BLOCKS, BlockNumberOrTag::Latest, &[PERCENTILE])
                })
                .await?;
            let base_fee = history
                .next_block_base_fee()
                .or(head.base_fee_per_gas.map(u128::from))
                .map_or(Wei(0), Wei);
            let paid = history.reward.unwrap_or_default();
            let priority_fee = limits.priority_fee.unwrap_or_else(|| median(paid.concat()));
            Fees::Eip1559 {
                base_fee,
                priority_fee,
                // The base fee rises by an eighth a block at most, so this holds for six full blocks.
                max_fee: base_fee.plus(base_fee).plus(priority_fee),
            }
        };
        limits.choose(asked, replaced.map(Fees::bumped))
    }
}

impl Fees {
    /// What the block's proposer gets at most.
    const fn priority(self) -> Wei {
        match self {
            Self::Legacy { gas_price } => gas_price,
            Self::Eip1559 { priority_fee, .. } => priority_fee,
        }
    }

    const fn bumped(self) -> Self {
        match self {
            Self::Legacy { gas_price } => Self::Legacy {
                gas_price: gas_price.bumped(),
            },
            Self::Eip1559 {
                base_fee,
                priority_fee,
                max_fee,
            } => Self::Eip1559 {
                base_fee,
                priority_fee: priority_fee.bumped(),
                max_fee: max_fee.bumped(),
            },
        }
    }
}

/// The median of the fees that were paid; blocks without transactions show zeros.
fn median(mut paid: Vec<u128>) -> Wei {
    paid.retain(|&fee| fee > 0);
    paid.sort_unstable();
    paid.get(paid.len() / 2)
        .map_or(LEAST_PRIORITY_FEE, |&fee| Wei(fee).max(LEAST_PRIORITY_FEE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_units() {
        for (text, wei) in [
            ("1500", 1_500),
            ("0", 0),
            ("30gwei", 30_000_000_000),
            ("0.5 gwei", 500_000_000),
            ("0.01ether", 10_000_000_000_000_000),
            ("1eth", 1_000_000_000_000_000_000),
            ("7wei", 7),
        ] {
            assert_eq!(text.parse(), Ok(Wei(wei)), "{text}");
        }
        for text in [
            "",
            "gwei",
            "-1",
            "1.5",
            "1.5wei",
            "0.0000000001gwei",
            "1 Gwei",
            "1e9",
            "0x10",
            "1.2.3gwei",
            ".5gwei",
            "+1",
            "999999999999999999999999999999ether",
        ] {
            assert_eq!(text.parse::<Wei>(), Err(WeiMalformed), "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_a_unit_that_fits() {
        for (wei, text) in [
            (0, "0 wei"),
            (999_999, "999999 wei"),
            (1_000_000, "0.001 gwei"),
            (1_000_000_007, "1.000000007 gwei"),
            (9_999_000_000_000, "9999 gwei"),
            (366_123_456_789_012, "0.00036612 ether"),
            (3_610_361_123_456_789, "0.00361036 ether"),
            (2_000_000_000_000_000_000, "2 ether"),
        ] {
            assert_eq!(Wei(wei).to_string(), text);
        }
        let json = serde_json::to_string(&Wei(u128::MAX)).unwrap();
        assert_eq!(json, format!("\"{}\"", u128::MAX));
        assert_eq!(serde_json::from_str::<Wei>(&json).unwrap(), Wei(u128::MAX));
    }

    fn asked(base: u128, priority: u128) -> Fees {
        Fees::Eip1559 {
            base_fee: Wei(base),
            priority_fee: Wei(priority),
            max_fee: Wei(2 * base + priority),
        }
    }

    #[test]
    fn a_cap_lowers_the_maximum_and_never_what_is_needed() {
        let limits = |cap| FeeLimits {
            cap: Some(Wei(cap)),
            priority_fee: None,
        };
        let most = |cap| limits(cap).choose(asked(100, 10), None).map(Fees::most);
        assert_eq!(most(1_000).unwrap(), Wei(210));
        assert_eq!(most(150).unwrap(), Wei(150));
        assert_eq!(most(110).unwrap(), Wei(110));
        let Err(EvmError::FeeCapExceeded { cap, needed }) = most(109) else {
            panic!("the cap must hold")
        };
        assert_eq!((*cap, *needed), (Wei(109), Wei(110)));
        let legacy = Fees::Legacy { gas_price: Wei(100) };
        assert_eq!(limits(100).choose(legacy, None).unwrap(), legacy);
        assert!(limits(99).choose(legacy, None).is_err());
    }

    #[test]
    fn a_replacement_offers_a_tenth_more_of_everything() {
        let old = asked(100, 20);
        let fees = FeeLimits::default().choose(asked(90, 5), Some(old.bumped())).unwrap();
        let Fees::Eip1559 {
            priority_fee, max_fee, ..
        } = fees
        else {
            panic!("{fees:?}")
        };
        assert!(priority_fee.0 * 10 >= 20 * 11 && max_fee.0 * 10 >= 220 * 11, "{fees:?}");
        let dear = FeeLimits::default()
            .choose(asked(9_000, 5), Some(old.bumped()))
            .unwrap();
        assert_eq!(dear.most(), Wei(18_005));
        let capped = FeeLimits {
            cap: Some(Wei(241)),
            priority_fee: None,
        };
        assert!(matches!(
            capped.choose(asked(90, 5), Some(old.bumped())),
            Err(EvmError::FeeCapExceeded { needed, .. }) if *needed == Wei(243)
        ));
    }

    #[test]
    fn the_history_of_empty_blocks_suggests_the_least() {
        assert_eq!(median(Vec::new()), LEAST_PRIORITY_FEE);
        assert_eq!(median(vec![0, 0, 0]), LEAST_PRIORITY_FEE);
        assert_eq!(median(vec![0, 3_000_000, 9_000_000, 5_000_000]), Wei(5_000_000));
    }
}
