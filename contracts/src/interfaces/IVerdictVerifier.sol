// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title A verifier of zkverdict proofs for one model
/// @notice A call that returns is a proof that was accepted; every other outcome reverts. The errors tell malformed
/// input from an invalid proof. An address without code "accepts" everything on a low-level call: callers that do not
/// go through Solidity's own existence check must look at the code first.
interface IVerdictVerifier {
    /// @notice The calldata is longer or shorter than its one canonical encoding.
    /// @param expected Bytes of the canonical calldata, selector included.
    /// @param got Bytes of the calldata.
    error CalldataLengthMismatch(uint256 expected, uint256 got);

    /// @notice The calldata has the right length, and its arguments do not stand where the ABI's encoder puts them.
    error CalldataNotCanonical();

    /// @notice The proof has the wrong number of bytes.
    error ProofLengthMismatch(uint256 expected, uint256 got);

    /// @notice The wrong number of public inputs was given.
    error PublicInputCountMismatch(uint256 expected, uint256 got);

    /// @notice A public input is not a canonical element of the scalar field (it is the group order or larger).
    /// @param index Its position in `publicInputs`.
    error PublicInputNotCanonical(uint256 index);

    /// @notice A scalar in the proof is not a canonical element of the scalar field.
    /// @param offset The byte in `proof` at which it starts.
    error ProofScalarNotCanonical(uint256 offset);

    /// @notice A point in the proof is the identity, is off the curve, or has a coordinate that is not canonical.
    /// @param offset The byte in `proof` at which it starts.
    error ProofPointInvalid(uint256 offset);

    /// @notice A precompiled contract failed: too little gas was left, or this chain lacks BN254 or MODEXP.
    error PrecompileFailed();

    /// @notice The input is well formed, and the proof does not prove this statement for this model.
    error ProofInvalid();

    /// @notice Checks that `proof` proves the statement that `publicInputs` describes; reverts if it does not.
    /// @param proof The proof: 32-byte words, big endian, exactly `PROOF_LENGTH()` bytes.
    /// @param publicInputs The public inputs in the circuit's order, the context first, each below the group order.
    function verify(bytes calldata proof, uint256[] calldata publicInputs) external view;

    /// @notice The version of the verifier's interface and encoding.
    function VERSION() external view returns (uint256);

    /// @notice The digest of the compiled circuit that this verifier belongs to.
    function CIRCUIT_DIGEST() external view returns (bytes32);

    /// @notice The digest of the verifying key that this verifier holds.
    function VERIFYING_KEY_DIGEST() external view returns (bytes32);

    /// @notice The number of bytes of a proof.
    function PROOF_LENGTH() external view returns (uint256);

    /// @notice The number of public inputs.
    function PUBLIC_INPUT_COUNT() external view returns (uint256);
}
