// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title The context of a proof: what it may be used for
/// @notice The first public input of a proof has no meaning to the model. It binds the proof to one use:
///
///     uint256(keccak256(abi.encode(TYPE_HASH, chainId, verifyingContract, caller, subject, nonce))) >> 3
///
/// Six words of 32 bytes are hashed, addresses padded on the left. The shift leaves 253 bits, below the order of the
/// scalar field, so that every context is a valid public input. 253 bits are as collision resistant as it needs: 2^126.
/// @dev For contracts that call a generated verifier themselves as well as for `InferenceVerifier`.
library VerdictContext {
    /// @notice Keeps contexts apart from every other hash of the same words.
    bytes32 internal constant TYPE_HASH = keccak256(
        "VerdictContext(uint256 chainId,address verifyingContract,address caller,bytes32 subject,uint256 nonce)"
    );

    /// @notice Where the nonces begin that callers keep themselves: no count of ours gets there.
    uint256 internal constant CALLERS_NONCES = 1 << 128;

    /// @notice The context of a proof that the executing contract accepts.
    /// @param caller Who may use it.
    /// @param subject Whom or what the inference is about.
    /// @param nonce How many such proofs were used before.
    function compute(address caller, bytes32 subject, uint256 nonce) internal view returns (uint256) {
        return computeFor(address(this), caller, subject, nonce);
    }

    /// @notice The context of a proof that another contract on this chain accepts.
    function computeFor(address verifyingContract, address caller, bytes32 subject, uint256 nonce)
        internal
        view
        returns (uint256)
    {
        return uint256(keccak256(abi.encode(TYPE_HASH, block.chainid, verifyingContract, caller, subject, nonce))) >> 3;
    }

    /// @notice The context of a proof that the executing contract accepts from a caller who keeps count.
    function computeKept(address caller, bytes32 subject, uint128 nonce) internal view returns (uint256) {
        return compute(caller, subject, CALLERS_NONCES + nonce);
    }

    /// @notice An account as a subject: its address, padded on the left.
    function subjectOf(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
