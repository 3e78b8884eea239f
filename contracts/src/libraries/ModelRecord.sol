// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {ModelCommitment} from "../interfaces/IERC7992.sol";
import {VerifierBinding} from "../interfaces/IModelRegistry.sol";
import {DataContract} from "./DataContract.sol";

/// @notice One version of a model.
/// @param registrant Who registered it.
struct Record {
    ModelCommitment commitment;
    VerifierBinding binding;
    address registrant;
}

/// @notice What proofs of one version are checked with.
/// @param modelHash What they must show, if `binding.modelCommitted`.
struct Pinned {
    bytes32 modelHash;
    bytes4 proofSystemId;
    VerifierBinding binding;
}

/// @title One version of a model, packed into a data contract
/// @notice Half the gas of storage slots, and nobody can change it, this registry included.
///
///     offset  0          32                64             68        88   108     110      112
///             modelHash  verifierCodeHash  proofSystemId  verifier  key  inputs  outputs  modelCommitted
///     offset  113          145     177         197
///             circuitHash  vkHash  registrant  uri
///
/// What proofs are checked with comes first, so that the rest need not be read for it.
library ModelRecord {
    uint256 private constant VERIFIER_CODE_HASH = 32;
    uint256 private constant PROOF_SYSTEM_ID = 64;
    uint256 private constant VERIFIER = 68;
    uint256 private constant KEY = 88;
    uint256 private constant INPUTS = 108;
    uint256 private constant OUTPUTS = 110;
    uint256 private constant MODEL_COMMITTED = 112;
    uint256 private constant CIRCUIT_HASH = 113;
    uint256 private constant VK_HASH = 145;
    uint256 private constant REGISTRANT = 177;
    uint256 private constant URI = 197;

    /// @notice Stores a version that the caller registers.
    /// @return pointer The contract that holds it.
    function store(ModelCommitment calldata commitment, VerifierBinding memory binding)
        internal
        returns (address pointer)
    {
        pointer = DataContract.store(
            bytes.concat(
                abi.encodePacked(
                    commitment.modelHash,
                    binding.verifierCodeHash,
                    commitment.proofSystemId,
                    binding.verifier,
                    binding.key,
                    binding.inputs,
                    binding.outputs,
                    binding.modelCommitted
                ),
                abi.encodePacked(commitment.circuitHash, commitment.vkHash, msg.sender, commitment.uri)
            )
        );
    }

    /// @notice Reads a version back.
    function load(address pointer) internal view returns (Record memory record) {
        bytes memory data = DataContract.load(pointer);
        record.commitment = ModelCommitment({
            modelHash: _word(data, 0),
            circuitHash: _word(data, CIRCUIT_HASH),
            vkHash: _word(data, VK_HASH),
            proofSystemId: bytes4(_word(data, PROOF_SYSTEM_ID)),
            uri: _tail(data, URI)
        });
        record.binding = _binding(data);
        record.registrant = address(bytes20(_word(data, REGISTRANT)));
    }

    /// @notice Reads what proofs are checked with.
    function loadPinned(address pointer) internal view returns (Pinned memory pinned) {
        bytes memory data = DataContract.load(pointer, CIRCUIT_HASH);
        (pinned.modelHash, pinned.proofSystemId) = (_word(data, 0), bytes4(_word(data, PROOF_SYSTEM_ID)));
        pinned.binding = _binding(data);
    }

    function _binding(bytes memory data) private pure returns (VerifierBinding memory) {
        return VerifierBinding({
            verifier: address(bytes20(_word(data, VERIFIER))),
            verifierCodeHash: _word(data, VERIFIER_CODE_HASH),
            key: address(bytes20(_word(data, KEY))),
            inputs: uint16(bytes2(_word(data, INPUTS))),
            outputs: uint16(bytes2(_word(data, OUTPUTS))),
            modelCommitted: data[MODEL_COMMITTED] != 0
        });
    }

    /// @dev The 32 bytes from an offset on; beyond the end of the data their value means nothing, and is cut off above.
    function _word(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }

    function _tail(bytes memory data, uint256 offset) private pure returns (string memory) {
        bytes memory tail = new bytes(data.length - offset);
        for (uint256 i = 0; i < tail.length; i += 32) {
            bytes32 word = _word(data, offset + i);
            assembly ("memory-safe") {
                // The memory of `tail` is a whole number of words.
                mstore(add(add(tail, 0x20), i), word)
            }
        }
        return string(tail);
    }
}
