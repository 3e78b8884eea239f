// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC165} from "./interfaces/IERC165.sol";
import {HALO2_SHPLONK_BN254, IERC7992Storage, IERC7992Verifier} from "./interfaces/IERC7992.sol";
import {IInferenceVerifier} from "./interfaces/IInferenceVerifier.sol";
import {IModelRegistry, VerifierBinding} from "./interfaces/IModelRegistry.sol";
import {IShapeVerifier} from "./interfaces/IShapeVerifier.sol";
import {IVerdictVerifier} from "./interfaces/IVerdictVerifier.sol";
import {DataContract} from "./libraries/DataContract.sol";
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
        _verify(Request(modelId, version, subject, inputCommitment), output, proof);
        outputs = abi.decode(output, (uint256[]));
    }

    /// @inheritdoc IERC7992Storage
    function verifyAndStoreInference(
        uint256 modelId,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external returns (bytes32 inferenceId) {
        Request memory request = Request(modelId, 0, VerdictContext.subjectOf(msg.sender), inputCommitment);
        (uint256 context, uint32 version) = _verify(request, output, proof);
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

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC7992Verifier).interfaceId
            || interfaceId == type(IERC7992Storage).interfaceId || interfaceId == type(IInferenceVerifier).interfaceId;
    }

    function _verify(Request memory request, bytes calldata output, bytes calldata proof)
        private
        returns (uint256 context, uint32 version)
    {
        VerifierBinding memory binding;
        (binding, version) = _bindingOf(request.modelId, request.version);

        uint256 inputBytes = 32 * uint256(binding.inputs);
        _requireInputs(request.inputCommitment, inputBytes, proof);
        _requireOutputs(binding.outputs, output);

        context = VerdictContext.compute(msg.sender, request.subject, _nonces[msg.sender][request.subject]++);
        uint256[] memory publicInputs = _publicInputs(context, proof[:inputBytes], output[OUTPUT_HEAD:]);
        _requireProof(binding, proof[inputBytes:], publicInputs);
        emit InferenceVerified(request.modelId, request.inputCommitment, output, msg.sender);
    }

    /// @dev The registry's word on the model, and that the pinned code still stands at the verifier's address.
    function _bindingOf(uint256 modelId, uint256 version) private view returns (VerifierBinding memory, uint32) {
        IModelRegistry.Entry memory entry = _REGISTRY.getEntry(modelId);
        if (entry.status == IModelRegistry.Status.Frozen) revert VerificationRefused_ModelFrozen(modelId);
        if (entry.status != IModelRegistry.Status.Active) revert VerificationRefused_ModelDeprecated(modelId);
        if (version != 0 && version != entry.version) revert ModelVersionMismatch(modelId, version, entry.version);
        bytes4 proofSystemId = entry.commitment.proofSystemId;
        if (proofSystemId != HALO2_SHPLONK_BN254) revert UnsupportedProofSystem(proofSystemId);
        if (entry.binding.verifier == address(0)) revert ModelHasNoVerifier(modelId, entry.version);
        // The key needs no such check: a contract whose code begins with STOP never changes.
        if (entry.binding.verifier.codehash != entry.binding.verifierCodeHash) revert ModelMismatch();
        return (entry.binding, entry.version);
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

    function _requireInputs(bytes32 inputCommitment, uint256 inputBytes, bytes calldata proof) private pure {
        if (proof.length < inputBytes) revert InputCommitmentMismatch();
        bytes32 expected = inputBytes == 0 ? bytes32(0) : keccak256(proof[:inputBytes]);
        if (inputCommitment != expected) revert InputCommitmentMismatch();
    }

    function _requireOutputs(uint256 count, bytes calldata output) private pure {
        if (output.length != OUTPUT_HEAD + 32 * count) revert OutputMismatch();
        if (uint256(bytes32(output)) != 32 || uint256(bytes32(output[32:])) != count) revert OutputMismatch();
    }

    /// @dev `[context, inputs.., outputs..]` from the words in the calldata. The verifier refuses words that are not
    /// below the group order.
    function _publicInputs(uint256 context, bytes calldata inputs, bytes calldata outputs)
        private
        pure
        returns (uint256[] memory publicInputs)
    {
        uint256 inputCount = inputs.length / 32;
        uint256 outputCount = outputs.length / 32;
        publicInputs = new uint256[](1 + inputCount + outputCount);
        publicInputs[0] = context;
        for (uint256 i = 0; i < inputCount; ++i) {
            publicInputs[1 + i] = uint256(bytes32(inputs[32 * i:]));
        }
        for (uint256 i = 0; i < outputCount; ++i) {
            publicInputs[1 + inputCount + i] = uint256(bytes32(outputs[32 * i:]));
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
