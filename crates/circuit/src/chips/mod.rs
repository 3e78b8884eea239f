//! One module per gate family. All read the columns of [`ModelConfig`](crate::ModelConfig); a gadget of several rows
//! uses rows `i, i + C, i + 2C`, so that `C` gadgets interleave.

pub mod accumulate;
pub mod curve;
pub mod digit;
pub mod evaluate;
pub mod link;
pub mod lookup;
pub mod poseidon;
pub mod range;
pub mod tree;

/// Values of `q_gadget`.
pub mod gadget {
    /// See [`super::range`].
    pub const RANGE: u64 = 1;
    /// See [`super::digit`].
    pub const DIGIT: u64 = 2;
    /// See [`super::curve`].
    pub const CURVE: u64 = 3;
    /// How many there are.
    pub const KINDS: u64 = 3;
}
