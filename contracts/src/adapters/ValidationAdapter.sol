// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC8004Validation} from "../interfaces/IERC8004Validation.sol";
import {IInferenceVerifier} from "../interfaces/IInferenceVerifier.sol";

/// @title A validator for ERC-8004 that answers with proofs
/// @notice An agent asks for validation of a claim: "this version of this model gives this output". The claim's hash is
/// the request's hash, so that the answer is about this claim and no other. Whoever has the proof, the agent or anybody
/// it gave it to, hands it in; the answer is 100, once. **There is no other answer**: without a valid proof the call
/// reverts and the request stays open, so that nobody can fail somebody else's request with a bad proof.
/// @dev In the request, name this contract as the validator. The proof's context is
/// `inference.contextOf(address(adapter), requestHash)`, with nonce 0.
contract ValidationAdapter {
    /// @notice What an agent claims.
    /// @param modelId The model.
    /// @param version Its version; never zero.
    /// @param inputCommitment keccak256 of the public inputs' words; zero if the model's inputs are private.
    /// @param output `abi.encode(uint256[] outputs)`.
    /// @param salt Tells equal claims apart.
    struct Claim {
        uint256 modelId;
        uint256 version;
        bytes32 inputCommitment;
        bytes output;
        bytes32 salt;
    }

    /// @notice The answer to a request whose claim is proven.
    uint8 public constant PASSED = 100;

    /// @notice The tag of every answer.
    string public constant TAG = "halo2-shplonk-bn254-v1";

    /// @notice A claim was proven.
    event ClaimProven(bytes32 indexed requestHash, uint256 indexed modelId, uint256 version);

    /// @notice A claim has to name a version.
    error VersionNotNamed();

    /// @notice The request was answered.
    error AlreadyAnswered(bytes32 requestHash);

    /// @notice The validation registry that answers go to.
    IERC8004Validation public immutable validation;

    /// @notice What verifies the proofs.
    IInferenceVerifier public immutable inference;

    constructor(IERC8004Validation validation_, IInferenceVerifier inference_) {
        validation = validation_;
        inference = inference_;
    }

    /// @notice Answers the request for a claim, if the proof proves it.
    /// @param claim The claim; `requestHashOf` gives the request's hash.
    /// @param proof The proof, as for `verifyInferenceFor`.
    /// @param responseURI Where evidence is found; may be empty.
    function prove(Claim calldata claim, bytes calldata proof, string calldata responseURI) external {
        if (claim.version == 0) revert VersionNotNamed();
        bytes32 requestHash = requestHashOf(claim);
        // What is verified about this request was verified here, and answered.
        if (inference.nonceOf(address(this), requestHash) != 0) revert AlreadyAnswered(requestHash);
        emit ClaimProven(requestHash, claim.modelId, claim.version);
        uint256[] memory outputs = inference.verifyInferenceFor(
            claim.modelId, claim.version, requestHash, claim.inputCommitment, claim.output, proof
        );
        validation.validationResponse(requestHash, PASSED, responseURI, keccak256(abi.encode(outputs)), TAG);
    }

    /// @notice The hash that the request for a claim must have: of the claim, this chain and this contract.
    function requestHashOf(Claim calldata claim) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), claim));
    }
}
