// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Which interfaces a contract implements (ERC-165)
interface IERC165 {
    /// @notice Whether the contract implements an interface.
    /// @param interfaceId The exclusive or of the interface's selectors.
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}
