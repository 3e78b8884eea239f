// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DataContract} from "../src/libraries/DataContract.sol";
import {FixedPoint, Format} from "../src/libraries/FixedPoint.sol";
import {VerdictContext} from "../src/libraries/VerdictContext.sol";
import {VM} from "./Vm.sol";

/// @notice Contexts, data contracts and fixed-point numbers, on any input.
contract LibrariesTest {
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    function testFuzz_aContextIsAPublicInput(address caller, bytes32 subject, uint256 nonce) public view {
        uint256 context = VerdictContext.compute(caller, subject, nonce);
        require(context < 1 << 253 && context < SCALAR_MODULUS, "too large");
    }

    function testFuzz_aContextNamesAllItsParts(address caller, bytes32 subject, uint64 nonce, uint64 chain) public {
        uint256 context = VerdictContext.compute(caller, subject, nonce);
        require(context != VerdictContext.compute(address(uint160(caller) ^ 1), subject, nonce), "caller");
        require(context != VerdictContext.compute(caller, subject ^ bytes32(uint256(1)), nonce), "subject");
        require(context != VerdictContext.compute(caller, subject, uint256(nonce) + 1), "nonce");
        VM.assume(chain != block.chainid && chain != 0);
        VM.chainId(chain);
        require(context != VerdictContext.compute(caller, subject, nonce), "chain");
    }

    function testFuzz_aDataContractHoldsItsBytes(bytes calldata data) public {
        _dirtyMemory();
        address pointer = DataContract.store(data);
        _dirtyMemory();
        bytes memory kept = DataContract.load(pointer);
        require(kept.length == data.length && keccak256(kept) == keccak256(data), "other bytes");
        require(DataContract.digest(pointer) == keccak256(data), "digest");
        require(keccak256(pointer.code) == keccak256(bytes.concat(hex"00", data)), "code");
    }

    function test_aDataContractHasItsLimits() public {
        bytes memory longest = new bytes(24_575);
        require(DataContract.load(DataContract.store(longest)).length == 24_575, "the longest");
        uint256[3] memory lengths = [uint256(24_576), 65_535, 65_536];
        for (uint256 i = 0; i < lengths.length; ++i) {
            VM.expectRevert(abi.encodeWithSelector(DataContract.DataNotStored.selector, lengths[i]));
            this.store(new bytes(lengths[i]));
        }
        VM.expectRevert(abi.encodeWithSelector(DataContract.NotADataContract.selector, address(this)));
        this.load(address(this));
    }

    /// @notice Down, and by less than one unit in the last place, against a definition without shifts.
    function testFuzz_wadsRoundDown(uint64 cell, int64 zero, int16 scale) public pure {
        scale = scale % 65;
        int256 wad = FixedPoint.toWad(cell, Format(zero, scale));
        int256 scaled = (int256(uint256(cell)) - zero) * 1e18;
        if (scale < 0) {
            require(wad == scaled * int256(2 ** uint16(-scale)), "exact");
        } else {
            int256 step = int256(2 ** uint16(scale));
            require(wad * step <= scaled && scaled < (wad + 1) * step, "not the next one below");
        }
    }

    /// @notice The least cell that reaches a threshold does, and the one below does not.
    function testFuzz_theLeastCellReachesTheThreshold(int128 wad, int64 zero, int16 scale) public pure {
        scale = scale % 65;
        uint256 cell = FixedPoint.cellAtLeast(wad, Format(zero, scale));
        int256 above = int256(cell) - zero;
        require(_reaches(above, wad, scale), "below the threshold");
        require(cell == 0 || !_reaches(above - 1, wad, scale), "not the least");
    }

    function test_numbersThatAModelsFormatGives() public pure {
        require(FixedPoint.toWad(65_536, Format(0, 16)) == 1e18, "one");
        require(FixedPoint.toWad(0, Format(32_768, 12)) == -8e18, "the lower end");
        require(FixedPoint.toWad(1, Format(0, 1)) == 5e17, "a half");
        require(FixedPoint.cellAtLeast(9e17, Format(0, 16)) == 58_983, "58982.4 rounds up");
        require(FixedPoint.cellAtLeast(-8e18, Format(32_768, 12)) == 0, "the lower end's cell");
        require(FixedPoint.cellAtLeast(-1e18, Format(0, 16)) == 0, "every cell");
        require(FixedPoint.cellAtLeast(-5e17, Format(10, 0)) == 10, "towards zero is up");
    }

    function test_refusesNumbersThatNoModelGives() public {
        VM.expectRevert(FixedPoint.NumberOutOfRange.selector);
        this.toWad(1 << 64, Format(0, 0));
        VM.expectRevert(abi.encodeWithSelector(FixedPoint.ScaleOutOfRange.selector, int16(65)));
        this.toWad(1, Format(0, 65));
        VM.expectRevert(abi.encodeWithSelector(FixedPoint.ScaleOutOfRange.selector, type(int16).min));
        this.toWad(1, Format(0, type(int16).min));
        VM.expectRevert(FixedPoint.NumberOutOfRange.selector);
        this.cellAtLeast(int256(type(int128).max) + 1, Format(0, 0));
    }

    function store(bytes calldata data) external returns (address) {
        return DataContract.store(data);
    }

    function load(address pointer) external view returns (bytes memory) {
        return DataContract.load(pointer);
    }

    function toWad(uint256 cell, Format calldata format) external pure returns (int256) {
        return FixedPoint.toWad(cell, format);
    }

    function cellAtLeast(int256 wad, Format calldata format) external pure returns (uint256) {
        return FixedPoint.cellAtLeast(wad, format);
    }

    /// @dev Whether `units / 2^scale >= wad / 10^18`.
    function _reaches(int256 units, int256 wad, int16 scale) private pure returns (bool) {
        if (scale < 0) return units * 1e18 * int256(2 ** uint16(-scale)) >= wad;
        return units * 1e18 >= wad * int256(2 ** uint16(scale));
    }

    function _dirtyMemory() private pure {
        assembly ("memory-safe") {
            let free := mload(0x40)
            for { let offset := 0 } lt(offset, 0x2000) { offset := add(offset, 0x20) } {
                mstore(add(free, offset), not(offset))
            }
        }
    }
}
