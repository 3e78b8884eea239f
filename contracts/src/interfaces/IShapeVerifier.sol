// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title A verifier of zkverdict proofs for every model of one shape
/// @notice The code knows columns, gates and lookups; what belongs to one model is in its key. A key is given in one of
/// two ways: as the address of a contract whose code is `0x00 || key`, or in calldata beside its digest. **Whoever calls
/// must have pinned that address or digest**: a proof that is valid under a key of somebody's choice says nothing.
/// @dev A call that returns is a proof that was accepted; every other outcome reverts. Malformed and invalid proofs are
/// named by the errors of `IVerdictVerifier`. An address without code "accepts" everything on a low-level call.
interface IShapeVerifier {
    /// @notice No contract stands at the key's address.
    error KeyMissing(address key);

    /// @notice The key's contract or bytes are not of a key's format: wrong length, or another first byte or version.
    error KeyMalformed();

    /// @notice The key belongs to models of another shape.
    /// @param expected The shape of this verifier.
    /// @param got The shape that the key names.
    error KeyShapeMismatch(bytes32 expected, bytes32 got);

    /// @notice The key in calldata is not the one whose digest was asked for.
    error KeyDigestMismatch(bytes32 expected, bytes32 got);

    /// @notice A batch is empty, or has not as many lists of public inputs as proofs.
    error BatchLengthMismatch(uint256 proofs, uint256 publicInputs);

    /// @notice Checks a proof under the key that a contract holds; reverts if it is not valid.
    /// @param key A contract whose code is a zero byte and the key. Its code cannot change: the zero byte stops every
    /// call. The caller must have pinned the address.
    /// @param proof The proof: 32-byte words, big endian, exactly `PROOF_LENGTH()` bytes.
    /// @param publicInputs The public inputs in the circuit's order, the context first, each below the group order.
    function verify(address key, bytes calldata proof, uint256[] calldata publicInputs) external view;

    /// @notice As `verify`, with the key in calldata.
    /// @param keyDigest keccak256 of the key. The caller must have pinned it.
    /// @param key The key, without the zero byte.
    function verifyWithKey(bytes32 keyDigest, bytes calldata key, bytes calldata proof, uint256[] calldata publicInputs)
        external
        view;

    /// @notice Checks several proofs under one key with one pairing; reverts unless all of them are valid.
    /// @dev What the proofs ask of the pairing is added up with powers of a challenge that is the hash of all of it.
    function verifyBatch(address key, bytes[] calldata proofs, uint256[][] calldata publicInputs) external view;

    /// @notice The digest of the shape: columns, queries, gates and the layout of keys.
    function SHAPE() external view returns (bytes32);

    /// @notice The version of the verifier's interface and encoding.
    function VERSION() external view returns (uint256);

    /// @notice The number of bytes of a proof.
    function PROOF_LENGTH() external view returns (uint256);

    /// @notice The number of bytes of a key, without the zero byte in front of it.
    function KEY_LENGTH() external view returns (uint256);
}
