// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title What an ERC-8004 validation registry offers to validators
interface IERC8004Validation {
    /// @notice Answers a request; only the validator that the request names may.
    /// @param requestHash The hash of the request.
    /// @param response 0 (failed) to 100 (passed).
    /// @param responseURI Where evidence is found; may be empty.
    /// @param responseHash The hash of the evidence.
    /// @param tag What kind of validation it was.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;
}
