// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IVerdictVerifier} from "../../src/interfaces/IVerdictVerifier.sol";
import {DataContract} from "../../src/libraries/DataContract.sol";

/// @notice A verifier of the second kind over two generated verifiers: the key says which of them checks the proof.
/// The key of a model is its verifying key's digest, in a data contract.
contract ShapeOfTwo {
    error UnknownKey(bytes32 key);

    bytes32 public constant SHAPE = keccak256("two toys");
    uint256 public constant VERSION = 1;

    IVerdictVerifier private immutable FIRST;
    IVerdictVerifier private immutable SECOND;

    constructor(IVerdictVerifier first, IVerdictVerifier second) {
        (FIRST, SECOND) = (first, second);
    }

    function verify(address key, bytes calldata proof, uint256[] calldata publicInputs) external view {
        bytes32 digest = bytes32(DataContract.load(key));
        if (digest == FIRST.VERIFYING_KEY_DIGEST()) return FIRST.verify(proof, publicInputs);
        if (digest == SECOND.VERIFYING_KEY_DIGEST()) return SECOND.verify(proof, publicInputs);
        revert UnknownKey(digest);
    }
}
