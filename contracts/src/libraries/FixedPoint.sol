// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @notice How a public input stands for a real number: `(cell - zero) / 2^scale`. Both are in the contract's schema.
struct Format {
    int64 zero;
    int16 scale;
}

/// @title Numbers of a model's outputs, and back
/// @notice Numbers are signed with 18 decimals ("wad"). Conversions round down and are exact where the scale is between
/// -64 and 18. Compare cells, not wads, where you can: `cell >= FixedPoint.cellAtLeast(threshold, format)` has no
/// rounding at all.
library FixedPoint {
    /// @notice One, with 18 decimals.
    int256 internal constant WAD = 1e18;

    /// @notice The scale is outside of -64 to 64, where no model's format lies.
    error ScaleOutOfRange(int16 scale);

    /// @notice The cell is 2^64 or more, or the number does not fit 18 decimals: neither comes from a model.
    error NumberOutOfRange();

    /// @notice The number that a cell stands for, rounded down to 18 decimals.
    function toWad(uint256 cell, Format memory format) internal pure returns (int256) {
        if (cell > type(uint64).max) revert NumberOutOfRange();
        // Below 2^64, so both fit; the difference is below 2^65, times 10^18 below 2^125, times 2^64 below 2^189.
        int256 scaled = (int256(cell) - format.zero) * WAD;
        uint256 shift = _shift(format.scale);
        // Shifting a signed number to the right rounds down.
        return format.scale >= 0 ? scaled >> shift : scaled << shift;
    }

    /// @notice The least cell whose number is at least `wad`; zero if every cell's is.
    function cellAtLeast(int256 wad, Format memory format) internal pure returns (uint256) {
        if (wad > type(int128).max || wad < type(int128).min) revert NumberOutOfRange();
        uint256 shift = _shift(format.scale);
        (int256 numerator, int256 denominator) = format.scale >= 0 ? (wad << shift, WAD) : (wad, WAD << shift);
        int256 quotient = numerator / denominator;
        // Division rounds towards zero, which is up for negative numbers.
        if (numerator > 0 && numerator % denominator != 0) ++quotient;
        int256 cell = quotient + format.zero;
        return cell > 0 ? uint256(cell) : 0;
    }

    function _shift(int16 scale) private pure returns (uint256) {
        if (scale > 64 || scale < -64) revert ScaleOutOfRange(scale);
        return scale >= 0 ? uint256(uint16(scale)) : uint256(uint16(-scale));
    }
}
