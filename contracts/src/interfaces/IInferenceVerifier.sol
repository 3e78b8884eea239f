// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC7992Storage, IERC7992Verifier} from "./IERC7992.sol";

/// @title Verifier of inferences about somebody, for contracts that act on them
/// @notice A proof counts once. Its first public input, the context, names the chain, this contract, the caller, the
/// subject of the decision, and how many inferences this caller has had verified about this subject; see
/// `VerdictContext`. So a proof is worth nothing on another chain, to another caller, for another subject, or again.
///
/// The public inputs of a proof are `[context, model commitment?, inputs.., outputs..]`. The registry says whether there is
/// a model commitment, and which; how many are inputs and how many outputs: nobody can pass off one as the other. For a
/// model with
/// - private inputs: `inputCommitment` is zero, and `proof` is the proof;
/// - `n` public inputs: `proof` begins with their `n` words, and `inputCommitment` is keccak256 of these `32·n` bytes;
/// - committed inputs: the same with one word, the commitment.
///
/// `output` is `abi.encode(uint256[] outputs)`, in its one canonical form.
interface IInferenceVerifier is IERC7992Verifier, IERC7992Storage {
    /// @notice An inference was kept.
    event InferenceStored(bytes32 indexed inferenceId, uint256 indexed modelId, uint32 version, address indexed caller);

    /// @notice No registry stands at the address.
    error NotARegistry(address registry);

    /// @notice The registry has this version of the model, but no verifier for it.
    error ModelHasNoVerifier(uint256 modelId, uint32 version);

    /// @notice The guardian stopped the model.
    error VerificationRefused_ModelFrozen(uint256 modelId);

    /// @notice The model was updated since, or has no such version yet.
    error ModelVersionMismatch(uint256 modelId, uint256 expected, uint256 current);

    /// @notice A batch has one input commitment and one output for each proof, and at least one proof.
    error BatchMismatch(uint256 inputCommitments, uint256 outputs, uint256 proofs);

    /// @notice No inference is kept under this id.
    error InferenceNotFound(bytes32 inferenceId);

    /// @notice Verifies an inference about `subject` for the calling contract; reverts on any failure.
    /// @param modelId The model.
    /// @param version The version that the caller relies on; must be the current one. Zero: whichever is current.
    /// @param subject Whom or what the inference is about, as the caller names it; `VerdictContext.subjectOf` for people.
    /// @param inputCommitment keccak256 of the public inputs' words; zero if the model's inputs are private.
    /// @param output `abi.encode(uint256[] outputs)`.
    /// @param proof The public inputs' words, if there are any, and after them the proof.
    /// @return outputs The outputs, as cells: `FixedPoint` makes numbers of them.
    function verifyInferenceFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external returns (uint256[] memory outputs);

    /// @notice As `verifyInferenceFor`, for several inferences about one subject, whose nonces follow each other. Under a
    /// shape's verifier they share one pairing. All of them count, or none.
    /// @param inputCommitments One for each inference; so are the outputs and the proofs.
    function verifyBatchFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        bytes32[] calldata inputCommitments,
        bytes[] calldata outputs,
        bytes[] calldata proofs
    ) external returns (uint256[][] memory results);

    /// @notice As `verifyInferenceFor`, for a caller who keeps count of the proofs: nothing is stored here and no event is
    /// emitted, which saves 22,000 gas for a subject who was never seen before. **The same proof is accepted again** for the
    /// same nonce: the caller has to use up the nonce in its own storage, before or in the same transaction.
    /// @param nonce The caller's. These contexts are apart from those of `verifyInferenceFor`.
    function checkInferenceFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        uint128 nonce,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external view returns (uint256[] memory outputs);

    /// @notice The context that a proof for `checkInferenceFor` has to have.
    function keptContextOf(address caller, bytes32 subject, uint128 nonce) external view returns (uint256);

    /// @notice How many inferences `caller` has had verified about `subject`: the nonce of the next one.
    function nonceOf(address caller, bytes32 subject) external view returns (uint256);

    /// @notice The context that the next proof for `caller` about `subject` has to have.
    function contextOf(address caller, bytes32 subject) external view returns (uint256);
}
