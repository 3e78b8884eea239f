// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Bytes kept as the code of a contract
/// @notice The code is a zero byte and the data. The zero byte is STOP: the contract does nothing when called, cannot
/// destroy itself, and so never changes. From about three words on this costs less than storage.
library DataContract {
    /// @notice The most bytes that one contract holds: the limit of code (EIP-170), less the zero byte.
    uint256 internal constant MAXIMUM = 24_575;

    /// @notice The data is longer than `MAXIMUM`, or too little gas was left to store it.
    error DataNotStored(uint256 length);

    /// @notice The code at the address does not begin with a zero byte, or there is none.
    error NotADataContract(address pointer);

    /// @dev Code that returns what follows it, which is `size` bytes long:
    ///     61 size   PUSH2 size    the length of the code
    ///     80        DUP1
    ///     60 0a     PUSH1 10      where it begins in the init code: these ten bytes
    ///     5f        PUSH0         where it goes in memory
    ///     39        CODECOPY
    ///     5f        PUSH0
    ///     f3        RETURN
    /// and the zero byte that the data begins with.
    function initCode(bytes memory data) internal pure returns (bytes memory) {
        if (data.length > MAXIMUM) revert DataNotStored(data.length);
        return abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a5f395ff3", hex"00", data);
    }

    /// @notice Stores bytes.
    /// @return pointer The contract that holds them.
    function store(bytes memory data) internal returns (address pointer) {
        bytes memory code = initCode(data);
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        if (pointer == address(0)) revert DataNotStored(data.length);
    }

    /// @notice Reads the bytes back.
    function load(address pointer) internal view returns (bytes memory data) {
        bytes memory code = pointer.code;
        if (code.length == 0 || code[0] != 0) revert NotADataContract(pointer);
        // Drops the zero byte: the length of what remains goes where it and the last bytes of the length were.
        assembly ("memory-safe") {
            data := add(code, 1)
            mstore(data, sub(mload(code), 1))
        }
    }

    /// @notice Reads the first bytes back.
    function load(address pointer, uint256 length) internal view returns (bytes memory data) {
        if (pointer.code.length <= length) revert NotADataContract(pointer);
        data = new bytes(length);
        uint256 first;
        assembly ("memory-safe") {
            // The zero byte goes to the end of the length's word, over the length.
            extcodecopy(pointer, add(data, 0x1f), 0, add(length, 1))
            first := and(mload(data), 0xff)
            mstore(data, length)
        }
        if (first != 0) revert NotADataContract(pointer);
    }

    /// @notice keccak256 of the bytes.
    function digest(address pointer) internal view returns (bytes32) {
        return keccak256(load(pointer));
    }
}
