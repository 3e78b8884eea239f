// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC8004Validation} from "../../src/interfaces/IERC8004Validation.sol";

/// @notice The part of an ERC-8004 validation registry that a validator meets: only the validator that a request names
/// may answer it.
contract ValidationRegistry is IERC8004Validation {
    struct Answer {
        uint8 response;
        string responseURI;
        bytes32 responseHash;
        string tag;
        uint256 count;
    }

    error NotTheValidator(bytes32 requestHash, address caller);

    mapping(bytes32 requestHash => address) public validatorOf;
    mapping(bytes32 requestHash => Answer) private _answers;

    function validationRequest(address validator, bytes32 requestHash) external {
        validatorOf[requestHash] = validator;
    }

    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        if (validatorOf[requestHash] != msg.sender) {
            revert NotTheValidator(requestHash, msg.sender);
        }
        _answers[requestHash] = Answer(response, responseURI, responseHash, tag, _answers[requestHash].count + 1);
    }

    function answerTo(bytes32 requestHash) external view returns (Answer memory) {
        return _answers[requestHash];
    }
}
