// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IAuditRegistry} from "./interfaces/IAuditRegistry.sol";
import {IInferenceVerifier} from "./interfaces/IInferenceVerifier.sol";
import {IModelRegistry, ModelStatus} from "./interfaces/IModelRegistry.sol";
import {DataContract} from "./libraries/DataContract.sol";
import {ModelRecord, Pinned} from "./libraries/ModelRecord.sol";
import {VerdictContext} from "./libraries/VerdictContext.sol";

/// @title Registry of audits: proven statements about a model and a data set, made in the right order
/// @notice The policy stands at `IAuditRegistry`.
/// @dev An audit is a subject of inferences: verifier, key and model commitment are pinned by the model registry, and the
/// inference verifier binds each proof to this contract, the chain, the audit with its seed, and the number of the chunk.
/// Nobody owns this contract, and nothing about it can change.
contract AuditRegistry is IAuditRegistry {
    /// @notice How many blocks after the data set the seed's block is: more than two epochs, so that the data set is final
    /// before anybody knows the seed.
    uint256 public constant SEED_DELAY = 72;

    /// @notice For how many blocks the chain knows a block's hash.
    uint256 public constant SEED_WINDOW = 256;

    /// @notice What verifies the proofs.
    IInferenceVerifier public immutable inference;

    /// @inheritdoc IAuditRegistry
    uint256 public auditCount;

    IModelRegistry private immutable _MODELS;

    mapping(uint256 auditId => Audit) private _audits;
    mapping(uint256 auditId => address[]) private _statements;

    /// @param inference_ What verifies the proofs.
    constructor(IInferenceVerifier inference_) {
        if (address(inference_).code.length == 0) revert NotAnInferenceVerifier(address(inference_));
        inference = inference_;
        _MODELS = IModelRegistry(inference_.registry());
    }

    /// @inheritdoc IAuditRegistry
    function openAudit(
        uint256 programId,
        uint256 programVersion,
        uint256 modelId,
        uint256 modelVersion,
        address provider
    ) external returns (uint256 auditId) {
        Pinned memory program = _current(programId, programVersion);
        if (modelId != 0 || modelVersion != 0) {
            _requireSameModel(programId, program, modelId, _current(modelId, modelVersion));
        } else if (program.binding.modelCommitted) {
            revert ModelNotNamed(programId);
        }
        auditId = ++auditCount;
        Audit storage audit = _audits[auditId];
        // Both are current versions, which the registry counts in 32 bits.
        (audit.programId, audit.programVersion) = (programId, uint32(programVersion));
        (audit.modelId, audit.modelVersion) = (modelId, uint32(modelVersion));
        (audit.provider, audit.modelBlock) = (provider, uint64(block.number));
        emit AuditOpened(auditId, programId, programVersion, modelId, modelVersion, msg.sender, provider);
    }

    /// @inheritdoc IAuditRegistry
    function recordData(uint256 auditId, uint256[] calldata roots, uint32 rowsPerChunk) external {
        Audit storage audit = _inStage(auditId, Stage.ModelRecorded);
        if (msg.sender != audit.provider) revert NotTheProvider(auditId, msg.sender);
        if (block.number <= audit.modelBlock) revert DataTooEarly(auditId, audit.modelBlock);
        if (roots.length == 0 || roots.length > type(uint32).max || rowsPerChunk == 0) revert EmptyData();
        (audit.dataBlock, audit.rowsPerChunk) = (uint64(block.number), rowsPerChunk);
        (audit.chunks, audit.dataHash) = (uint32(roots.length), _hash(roots));
        emit DataRecorded(auditId, roots, rowsPerChunk);
    }

    /// @inheritdoc IAuditRegistry
    function drawSeed(uint256 auditId) external returns (bytes32 seed) {
        Audit storage audit = _inStage(auditId, Stage.DataRecorded);
        uint256 seedBlock = audit.dataBlock + SEED_DELAY;
        if (block.number <= seedBlock) revert SeedTooEarly(auditId, seedBlock);
        seed = keccak256(abi.encode(blockhash(seedBlock), auditId));
        audit.seed = seed;
        emit SeedDrawn(auditId, seed);
    }

    /// @inheritdoc IAuditRegistry
    /// @dev What was stated is known after the call only. The inference verifier calls views, and the number of proven
    /// chunks, which says what is accepted next, is written before.
    // slither-disable-next-line reentrancy-benign,reentrancy-events
    function submit(uint256 auditId, uint256[] calldata roots, bytes[] calldata outputs, bytes[] calldata proofs)
        external
    {
        Audit storage audit = _inStage(auditId, Stage.SeedDrawn);
        uint256 first = audit.proven;
        uint256 left = audit.chunks - first;
        if (proofs.length == 0 || proofs.length > left || outputs.length != proofs.length) {
            revert ProofCountMismatch(auditId, left, outputs.length, proofs.length);
        }
        if (_hash(roots) != audit.dataHash) revert DataMismatch(auditId);
        // At most `chunks`, so it fits.
        audit.proven = uint32(first + proofs.length);
        uint256[][] memory statements = _verify(auditId, roots[first:first + proofs.length], outputs, proofs);
        _keep(auditId, first, statements);
        if (proofs.length == left) emit AuditCompleted(auditId);
    }

    /// @inheritdoc IAuditRegistry
    function auditOf(uint256 auditId) external view returns (Audit memory) {
        return _audits[auditId];
    }

    /// @inheritdoc IAuditRegistry
    function seedBlockOf(uint256 auditId) external view returns (uint256) {
        uint256 dataBlock = _audits[auditId].dataBlock;
        return dataBlock != 0 ? dataBlock + SEED_DELAY : 0;
    }

    /// @inheritdoc IAuditRegistry
    function contextOf(uint256 auditId, uint256 chunk) external view returns (uint256) {
        return VerdictContext.computeFor(address(inference), address(this), subjectOf(auditId), chunk);
    }

    /// @inheritdoc IAuditRegistry
    function sampledRow(uint256 auditId, uint256 index) external view returns (uint256 row) {
        Stage stage = stageOf(auditId);
        if (stage != Stage.SeedDrawn && stage != Stage.Complete) revert NoSample(auditId);
        Audit storage audit = _audits[auditId];
        // At most 2^64 rows against 256 bits: no row is likelier than another by more than 2^-192.
        row = uint256(keccak256(abi.encode(audit.seed, index))) % (uint256(audit.chunks) * audit.rowsPerChunk);
    }

    /// @inheritdoc IAuditRegistry
    function statementsOf(uint256 auditId) external view returns (uint256[][] memory statements) {
        statements = new uint256[][](_audits[auditId].proven);
        address[] memory kept = _statements[auditId];
        uint256 next = 0;
        for (uint256 i = 0; i < kept.length; ++i) {
            uint256[][] memory batch = abi.decode(DataContract.load(kept[i]), (uint256[][]));
            for (uint256 j = 0; j < batch.length; ++j) {
                statements[next++] = batch[j];
            }
        }
    }

    /// @inheritdoc IAuditRegistry
    function stageOf(uint256 auditId) public view returns (Stage) {
        Audit storage audit = _audits[auditId];
        if (audit.modelBlock == 0) return Stage.Unknown;
        if (audit.dataBlock == 0) return Stage.ModelRecorded;
        if (audit.seed == 0) {
            return block.number > audit.dataBlock + SEED_DELAY + SEED_WINDOW ? Stage.Void : Stage.DataRecorded;
        }
        return audit.proven == audit.chunks ? Stage.Complete : Stage.SeedDrawn;
    }

    /// @inheritdoc IAuditRegistry
    function subjectOf(uint256 auditId) public view returns (bytes32) {
        return keccak256(abi.encode(auditId, _audits[auditId].seed));
    }

    function _verify(uint256 auditId, uint256[] calldata roots, bytes[] calldata outputs, bytes[] calldata proofs)
        private
        returns (uint256[][] memory)
    {
        bytes32[] memory inputCommitments = new bytes32[](roots.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            inputCommitments[i] = keccak256(abi.encode(roots[i]));
        }
        (uint256 programId, uint256 version) = (_audits[auditId].programId, _audits[auditId].programVersion);
        return inference.verifyBatchFor(programId, version, subjectOf(auditId), inputCommitments, outputs, proofs);
    }

    function _keep(uint256 auditId, uint256 first, uint256[][] memory statements) private {
        _statements[auditId].push(DataContract.store(abi.encode(statements)));
        emit ChunksProven(auditId, first, statements);
    }

    /// @dev What proofs of the current version of a model are checked with. A version that does not exist yet could still be
    /// made for the data set.
    function _current(uint256 modelId, uint256 version) private view returns (Pinned memory) {
        if (version == 0) revert VersionNotPinned();
        (address record, uint32 current, ModelStatus status) = _MODELS.recordOf(modelId);
        if (current != version || status != ModelStatus.Active) {
            revert IInferenceVerifier.ModelVersionMismatch(modelId, version, current);
        }
        return ModelRecord.loadPinned(record);
    }

    /// @dev That the inference verifier puts one commitment in front of the proofs of both.
    function _requireSameModel(uint256 programId, Pinned memory program, uint256 modelId, Pinned memory model)
        private
        pure
    {
        if (!program.binding.modelCommitted) revert ModelNotCommitted(programId);
        if (!model.binding.modelCommitted) revert ModelNotCommitted(modelId);
        if (program.modelHash != model.modelHash) revert ModelCommitmentMismatch(program.modelHash, model.modelHash);
    }

    function _inStage(uint256 auditId, Stage expected) private view returns (Audit storage audit) {
        Stage got = stageOf(auditId);
        if (got != expected) revert WrongStage(auditId, expected, got);
        audit = _audits[auditId];
    }

    function _hash(uint256[] calldata roots) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(roots));
    }
}
