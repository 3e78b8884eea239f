// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC165} from "./interfaces/IERC165.sol";
import {HALO2_SHPLONK_BN254, IERC7992Storage, IERC7992Verifier} from "./interfaces/IERC7992.sol";
import {IInferenceVerifier} from "./interfaces/IInferenceVerifier.sol";
import {IModelRegistry, ModelStatus, VerifierBinding} from "./interfaces/IModelRegistry.sol";
import {IShapeVerifier} from "./interfaces/IShapeVerifier.sol";
import {IVerdictVerifier} from "./interfaces/IVerdictVerifier.sol";
import {DataContract} from "./libraries/DataContract.sol";
import {ModelRecord, Pinned} from "./libraries/ModelRecord.sol";
import {VerdictContext} from "./libraries/VerdictContext.sol";

/// @title Verifier of inferences of registered models
/// @notice What is proven, and how calls are encoded, stands at `IInferenceVerifier`.
/// @dev Nobody owns this contract, and nothing about it can change. Verifiers are called through views, so nothing they
/// do can reach back; the nonce is used up before they are called nevertheless.
contract InferenceVerifier is IInferenceVerifier, IERC165 {
    /// @dev What is to be verified, in one place.
    struct Request {
        uint256 modelId;
        uint256 version;
        bytes32 subject;
        bytes32 inputCommitment;
    }

    /// @dev The words in front of the outputs in `abi.encode(uint256[])`: the array's offset and its length.
    uint256 private constant OUTPUT_HEAD = 64;

    IModelRegistry private immutable _REGISTRY;

    mapping(address caller => mapping(bytes32 subject => uint256)) private _nonces;
    mapping(bytes32 inferenceId => address) private _inferences;

    /// @param registry_ The registry of models.
    constructor(IModelRegistry registry_) {
        if (address(registry_).code.length == 0) revert NotARegistry(address(registry_));
        _REGISTRY = registry_;
    }

    /// @inheritdoc IERC7992Verifier
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
    {
        _verify(Request(modelId, 0, VerdictContext.subjectOf(msg.sender), inputCommitment), output, proof);
    }

    /// @inheritdoc IInferenceVerifier
    function verifyInferenceFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external returns (uint256[] memory outputs) {
        (,, outputs) = _verify(Request(modelId, version, subject, inputCommitment), output, proof);
    }

    /// @inheritdoc IInferenceVerifier
    function checkInferenceFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        uint128 nonce,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external view returns (uint256[] memory outputs) {
        Request memory request = Request(modelId, version, subject, inputCommitment);
        uint256 context = VerdictContext.computeKept(msg.sender, subject, nonce);
        (, outputs) = _check(request, context, output, proof);
    }

    /// @inheritdoc IInferenceVerifier
    function verifyBatchFor(
        uint256 modelId,
        uint256 version,
        bytes32 subject,
        bytes32[] calldata inputCommitments,
        bytes[] calldata outputs,
        bytes[] calldata proofs
    ) external returns (uint256[][] memory results) {
        if (proofs.length == 0 || inputCommitments.length != proofs.length || outputs.length != proofs.length) {
            revert BatchMismatch(inputCommitments.length, outputs.length, proofs.length);
        }
        (Pinned memory pinned,) = _pinned(modelId, version);
        Request memory request = Request(modelId, version, subject, 0);
        results = new uint256[][](proofs.length);
        bytes[] memory bare = new bytes[](proofs.length);
        for (uint256 i = 0; i < bare.length; ++i) {
            request.inputCommitment = inputCommitments[i];
            results[i] = _statement(pinned, request, _useNonce(subject), outputs[i], proofs[i]);
            bare[i] = proofs[i][32 * uint256(pinned.binding.inputs):];
            emit InferenceVerified(request.modelId, request.inputCommitment, outputs[i], msg.sender);
        }
        _requireProofs(pinned.binding, bare, results);
        for (uint256 i = 0; i < bare.length; ++i) {
            results[i] = _tail(results[i], pinned.binding.outputs);
        }
    }

    /// @inheritdoc IERC7992Storage
    function verifyAndStoreInference(
        uint256 modelId,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external returns (bytes32 inferenceId) {
        Request memory request = Request(modelId, 0, VerdictContext.subjectOf(msg.sender), inputCommitment);
        (uint256 context, uint32 version,) = _verify(request, output, proof);
        // No two inferences have one context.
        inferenceId = keccak256(abi.encode(context, modelId, version));
        _inferences[inferenceId] = DataContract.store(abi.encode(modelId, inputCommitment, output));
        emit InferenceStored(inferenceId, modelId, version, msg.sender);
    }

    /// @inheritdoc IERC7992Storage
    function getInference(bytes32 inferenceId)
        external
        view
        returns (uint256 modelId, bytes32 inputCommitment, bytes memory output)
    {
        address record = _inferences[inferenceId];
        if (record == address(0)) revert InferenceNotFound(inferenceId);
        (modelId, inputCommitment, output) = abi.decode(DataContract.load(record), (uint256, bytes32, bytes));
    }

    /// @inheritdoc IERC7992Verifier
    function proofSystemOf(uint256 modelId) external view returns (bytes4) {
        return _REGISTRY.getEntry(modelId).commitment.proofSystemId;
    }

    /// @inheritdoc IERC7992Verifier
    function registry() external view returns (address registryAddress) {
        registryAddress = address(_REGISTRY);
    }

    /// @inheritdoc IInferenceVerifier
    function nonceOf(address caller, bytes32 subject) external view returns (uint256) {
        return _nonces[caller][subject];
    }

    /// @inheritdoc IInferenceVerifier
    function contextOf(address caller, bytes32 subject) external view returns (uint256) {
        return VerdictContext.compute(caller, subject, _nonces[caller][subject]);
    }

    /// @inheritdoc IInferenceVerifier
    function keptContextOf(address caller, bytes32 subject, uint128 nonce) external view returns (uint256) {
        return VerdictContext.computeKept(caller, subject, nonce);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC7992Verifier).interfaceId
            || interfaceId == type(IERC7992Storage).interfaceId || interfaceId == type(IInferenceVerifier).interfaceId;
    }

    function _verify(Request memory request, bytes calldata output, bytes calldata proof)
        private
        returns (uint256 context, uint32 version, uint256[] memory outputs)
    {
        context = _useNonce(request.subject);
        (version, outputs) = _check(request, context, output, proof);
        emit InferenceVerified(request.modelId, request.inputCommitment, output, msg.sender);
    }

    function _check(Request memory request, uint256 context, bytes calldata output, bytes calldata proof)
        private
        view
        returns (uint32 version, uint256[] memory outputs)
    {
        Pinned memory pinned;
        (pinned, version) = _pinned(request.modelId, request.version);
        uint256[] memory publicInputs = _statement(pinned, request, context, output, proof);
        _requireProof(pinned.binding, proof[32 * uint256(pinned.binding.inputs):], publicInputs);
        outputs = _tail(publicInputs, pinned.binding.outputs);
    }

    /// @dev The context of the caller's next proof about a subject, which is used up.
    function _useNonce(bytes32 subject) private returns (uint256 context) {
        context = VerdictContext.compute(msg.sender, subject, _nonces[msg.sender][subject]++);
    }

    /// @dev The public inputs that the proof has to have.
    function _statement(
        Pinned memory pinned,
        Request memory request,
        uint256 context,
        bytes calldata output,
        bytes calldata proof
    ) private pure returns (uint256[] memory) {
        uint256 inputBytes = 32 * uint256(pinned.binding.inputs);
        _requireInputs(request.inputCommitment, inputBytes, proof);
        _requireOutputs(pinned.binding.outputs, output);
        return _publicInputs(context, pinned, proof[:inputBytes], output[OUTPUT_HEAD:]);
    }

    /// @dev The registry's word on the model, and that the pinned code still stands at the verifier's address.
    function _pinned(uint256 modelId, uint256 version) private view returns (Pinned memory pinned, uint32 current) {
        address record;
        ModelStatus status;
        (record, current, status) = _REGISTRY.recordOf(modelId);
        if (status == ModelStatus.Frozen) revert VerificationRefused_ModelFrozen(modelId);
        if (status != ModelStatus.Active) revert VerificationRefused_ModelDeprecated(modelId);
        if (version != 0 && version != current) revert ModelVersionMismatch(modelId, version, current);
        pinned = ModelRecord.loadPinned(record);
        if (pinned.proofSystemId != HALO2_SHPLONK_BN254) revert UnsupportedProofSystem(pinned.proofSystemId);
        address verifier = pinned.binding.verifier;
        if (verifier == address(0)) revert ModelHasNoVerifier(modelId, current);
        // The key needs no such check: a contract whose code begins with STOP never changes.
        if (verifier.codehash != pinned.binding.verifierCodeHash) revert ModelMismatch();
    }

    function _requireProof(VerifierBinding memory binding, bytes calldata proof, uint256[] memory publicInputs)
        private
        view
    {
        if (binding.key == address(0)) {
            try IVerdictVerifier(binding.verifier).verify(proof, publicInputs) {}
            catch (bytes memory reason) {
                _revert(reason);
            }
        } else {
            try IShapeVerifier(binding.verifier).verify(binding.key, proof, publicInputs) {}
            catch (bytes memory reason) {
                _revert(reason);
            }
        }
    }

    function _requireProofs(VerifierBinding memory binding, bytes[] memory proofs, uint256[][] memory publicInputs)
        private
        view
    {
        if (binding.key != address(0)) {
            try IShapeVerifier(binding.verifier).verifyBatch(binding.key, proofs, publicInputs) {}
            catch (bytes memory reason) {
                _revert(reason);
            }
            return;
        }
        for (uint256 i = 0; i < proofs.length; ++i) {
            // slither-disable-next-line calls-loop
            try IVerdictVerifier(binding.verifier).verify(proofs[i], publicInputs[i]) {}
            catch (bytes memory reason) {
                _revert(reason);
            }
        }
    }

    function _requireInputs(bytes32 inputCommitment, uint256 inputBytes, bytes calldata proof) private pure {
        if (proof.length < inputBytes) revert InputCommitmentMismatch();
        bytes32 expected = inputBytes == 0 ? bytes32(0) : keccak256(proof[:inputBytes]);
        if (inputCommitment != expected) revert InputCommitmentMismatch();
    }

    function _requireOutputs(uint256 count, bytes calldata output) private pure {
        if (output.length != OUTPUT_HEAD + 32 * count) revert OutputMismatch();
        uint256 offset;
        uint256 length;
        assembly ("memory-safe") {
            offset := calldataload(output.offset)
            length := calldataload(add(output.offset, 0x20))
        }
        if (offset != 32 || length != count) revert OutputMismatch();
    }

    /// @dev `[context, model commitment?, inputs.., outputs..]`. The verifier refuses words that are not below the group
    /// order.
    function _publicInputs(uint256 context, Pinned memory pinned, bytes calldata inputs, bytes calldata outputs)
        private
        pure
        returns (uint256[] memory publicInputs)
    {
        uint256 first = pinned.binding.modelCommitted ? 2 : 1;
        publicInputs = new uint256[](first + (inputs.length + outputs.length) / 32);
        publicInputs[0] = context;
        if (first == 2) publicInputs[1] = uint256(pinned.modelHash);
        assembly ("memory-safe") {
            // Behind the array's length and its first words; both are whole numbers of words, and have their place.
            let to := add(publicInputs, mul(0x20, add(first, 1)))
            calldatacopy(to, inputs.offset, inputs.length)
            calldatacopy(add(to, inputs.length), outputs.offset, outputs.length)
        }
    }

    /// @dev The last `count` words of an array, in its own memory: the array is of no use afterwards.
    function _tail(uint256[] memory words, uint256 count) private pure returns (uint256[] memory tail) {
        assembly ("memory-safe") {
            tail := add(words, mul(0x20, sub(mload(words), count)))
            mstore(tail, count)
        }
    }

    /// @dev ERC-7992's error for a proof that proves nothing; the verifier's own for one that is malformed.
    function _revert(bytes memory reason) private pure {
        if (reason.length == 0 || bytes4(reason) == IVerdictVerifier.ProofInvalid.selector) revert InvalidProof();
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
