use serde::{Deserialize, Serialize};

use crate::CircuitError;

/// Everything of the circuit that the constraint system fixes, without `k` and without the fixed values.
///
/// Models that share a shape differ only in the points of their verifying keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Products per row, `C`: weight columns, and the distance between rows of one gadget.
    pub lanes: usize,
    /// Bits of one range-checked limb, `L`.
    pub limb_bits: u32,
}

impl Shape {
    /// Checks the bounds of the catalogue.
    ///
    /// # Errors
    /// [`CircuitError::BadShape`] outside of it.
    pub fn check(self) -> Result<Self, CircuitError> {
        if (1..=32).contains(&self.lanes) && (5..=14).contains(&self.limb_bits) {
            Ok(self)
        } else {
            Err(CircuitError::BadShape {
                lanes: self.lanes,
                limb_bits: self.limb_bits,
            })
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "c{}l{}", self.lanes, self.limb_bits)
    }
}
