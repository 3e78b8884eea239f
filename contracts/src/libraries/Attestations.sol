// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @notice What a bureau vouches for: that the inputs behind a commitment are the subject's, and true.
/// @param subject Whose data it is.
/// @param modelId The model whose inputs they are. Columns, their order and their formats are the model's: the same
/// commitment may mean something else to another one.
/// @param modelVersion Its version.
/// @param inputCommitment The commitment, as `zkverdict attest` makes it: the public input of a proof.
/// @param issuedAt When the bureau said so, in seconds since 1970.
/// @param expiresAt From when on it no longer does.
struct Attestation {
    address subject;
    uint256 modelId;
    uint256 modelVersion;
    uint256 inputCommitment;
    uint64 issuedAt;
    uint64 expiresAt;
}

/// @title Signatures of bureaus over committed inputs (EIP-712)
/// @notice **The domain names the contract that relies on the attestation**, and its chain. So a signature given for one
/// contract is worth nothing to another, and each contract decides alone whose signatures count.
/// @dev The executing contract fills in an attestation with what it knows and is about to act on: the caller for the
/// subject, the proof's own public input for the commitment. Whatever differs from what was signed makes another hash,
/// hence another signer, hence nobody that is registered; there is nothing to compare, and so nothing to forget.
library Attestations {
    /// @notice The type that is signed.
    bytes32 internal constant TYPE_HASH = keccak256(
        "Attestation(address subject,uint256 modelId,uint256 modelVersion,uint256 inputCommitment,uint64 issuedAt,uint64 expiresAt)"
    );

    /// @notice The type of the domain.
    bytes32 internal constant DOMAIN_TYPE_HASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The hash of the domain's name.
    bytes32 internal constant NAME_HASH = keccak256("zkverdict attestation");

    /// @notice The hash of the domain's version.
    bytes32 internal constant VERSION_HASH = keccak256("1");

    /// @dev Half of the order of secp256k1, rounded down. With `s`, `order - s` is a signature too; only the smaller
    /// counts, so that there is one signature.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @dev Bytes of a signature: r, s, v.
    uint256 private constant SIGNATURE_LENGTH = 65;

    /// @notice The bureau's clock is ahead of the chain's.
    error AttestationNotIssuedYet(uint64 issuedAt);

    /// @notice The bureau no longer vouches for it.
    error AttestationExpired(uint64 expiresAt);

    /// @notice The bureau vouches for it still, but it is older than the contract accepts.
    error AttestationTooOld(uint64 issuedAt, uint64 maximumAge);

    /// @notice The signature is not 65 bytes, or not the one canonical form: `s` in the lower half, `v` 27 or 28.
    error SignatureNotCanonical();

    /// @notice Nobody can have made the signature.
    error SignatureInvalid();

    /// @notice The bureau whose signature over an attestation for the executing contract this is; reverts unless the
    /// attestation holds now. **The caller must know the bureau**: everybody can sign.
    /// @param attestation What was attested.
    /// @param maximumAge How old it may be, in seconds.
    /// @param signature r, s and v, 65 bytes.
    /// @return bureau Never the zero address.
    function bureauOf(Attestation memory attestation, uint64 maximumAge, bytes calldata signature)
        internal
        view
        returns (address bureau)
    {
        (uint64 issuedAt, uint64 expiresAt) = (attestation.issuedAt, attestation.expiresAt);
        if (block.timestamp < issuedAt) revert AttestationNotIssuedYet(issuedAt);
        if (block.timestamp >= expiresAt) revert AttestationExpired(expiresAt);
        if (block.timestamp - issuedAt > maximumAge) revert AttestationTooOld(issuedAt, maximumAge);

        if (signature.length != SIGNATURE_LENGTH) revert SignatureNotCanonical();
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            s := calldataload(add(signature.offset, 0x20))
            v := byte(0, calldataload(add(signature.offset, 0x40)))
        }
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) revert SignatureNotCanonical();
        bureau = ecrecover(digest(attestation), v, r, s);
        if (bureau == address(0)) revert SignatureInvalid();
    }

    /// @notice The hash that a bureau signs, for the executing contract on this chain.
    function digest(Attestation memory attestation) internal view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE_HASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(TYPE_HASH, attestation))));
    }
}
