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

/// @title One version of a model, packed into a data contract
/// @notice Half the gas of storage slots, and nobody can change it, this registry included.
///
///     offset  0          32           64      96                128            132       152  172         192     194
///             modelHash  circuitHash  vkHash  verifierCodeHash  proofSystemId  verifier  key  registrant  inputs  outputs
///     and from 196 on the uri
library ModelRecord {
    uint256 private constant CIRCUIT_HASH = 32;
    uint256 private constant VK_HASH = 64;
    uint256 private constant VERIFIER_CODE_HASH = 96;
    uint256 private constant PROOF_SYSTEM_ID = 128;
    uint256 private constant VERIFIER = 132;
    uint256 private constant KEY = 152;
    uint256 private constant REGISTRANT = 172;
    uint256 private constant INPUTS = 192;
    uint256 private constant OUTPUTS = 194;
    uint256 private constant URI = 196;

    /// @notice Stores a version that the caller registers.
    /// @return pointer The contract that holds it.
    function store(ModelCommitment calldata commitment, VerifierBinding memory binding)
        internal
        returns (address pointer)
    {
        pointer = DataContract.store(
            bytes.concat(
                abi.encodePacked(
                    commitment.modelHash, commitment.circuitHash, commitment.vkHash, binding.verifierCodeHash
                ),
                abi.encodePacked(
                    commitment.proofSystemId,
                    binding.verifier,
                    binding.key,
                    msg.sender,
                    binding.inputs,
                    binding.outputs,
                    commitment.uri
                )
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
        record.binding = VerifierBinding({
            verifier: address(bytes20(_word(data, VERIFIER))),
            verifierCodeHash: _word(data, VERIFIER_CODE_HASH),
            key: address(bytes20(_word(data, KEY))),
            inputs: uint16(bytes2(_word(data, INPUTS))),
            outputs: uint16(bytes2(_word(data, OUTPUTS)))
        });
        record.registrant = address(bytes20(_word(data, REGISTRANT)));
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
