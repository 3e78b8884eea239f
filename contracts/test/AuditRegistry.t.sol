// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AuditRegistry} from "../src/AuditRegistry.sol";
import {IAuditRegistry} from "../src/interfaces/IAuditRegistry.sol";
import {IERC7992Registry, IERC7992Verifier, ModelCommitment} from "../src/interfaces/IERC7992.sol";
import {IInferenceVerifier} from "../src/interfaces/IInferenceVerifier.sol";
import {VerifierBinding} from "../src/interfaces/IModelRegistry.sol";
import {DataContract} from "../src/libraries/DataContract.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";

/// @notice Audits in the right order, and in every other. The program of the audit is the toy under its shape's verifier:
/// `[context, root, statement]`.
contract AuditRegistryTest is Stage {
    address private constant PROVIDER = address(0xda7a);
    uint256 private constant MODEL_BLOCK = 1000;
    uint256 private constant DATA_BLOCK = 1010;
    uint256 private constant SEED_BLOCK = 1010 + 72;
    uint32 private constant ROWS = 100;

    event AuditOpened(
        uint256 indexed auditId,
        uint256 indexed programId,
        uint256 programVersion,
        uint256 indexed modelId,
        uint256 modelVersion,
        address opener,
        address provider
    );
    event ChunksProven(uint256 indexed auditId, uint256 first, uint256[][] statements);
    event AuditCompleted(uint256 indexed auditId);

    uint256 private program;
    address private keyContract;

    function setUp() public override {
        super.setUp();
        keyContract = DataContract.store(key);
        VM.startPrank(OWNER);
        program = registry.registerModelWithVerifier(_shapeCommitment(key), _shapeBinding(keyContract, 1));
        VM.stopPrank();
        VM.roll(MODEL_BLOCK);
    }

    function test_anAuditInTheRightOrder() public {
        uint256 auditId = _open();
        require(auditId == 1 && audits.auditCount() == 1, "id");
        _requireStage(auditId, IAuditRegistry.Stage.ModelRecorded);
        _record(auditId);
        _requireStage(auditId, IAuditRegistry.Stage.DataRecorded);
        require(audits.seedBlockOf(auditId) == SEED_BLOCK, "seed block");
        _draw(auditId);
        _requireStage(auditId, IAuditRegistry.Stage.SeedDrawn);
        for (uint256 chunk = 0; chunk < 3; ++chunk) {
            uint256 context = _publicInputs(_name(chunk))[0];
            require(audits.contextOf(auditId, chunk) == context, "the prover's context");
        }
        uint256[][] memory expected = new uint256[][](1);
        expected[0] = new uint256[](1);
        expected[0][0] = 715;
        VM.expectEmit(true, true, true, true);
        emit ChunksProven(auditId, 0, expected);
        _submit(auditId, 0, 1);
        _requireStage(auditId, IAuditRegistry.Stage.SeedDrawn);
        require(audits.statementsOf(auditId).length == 1, "a part is kept");
        (bytes[] memory outputs, bytes[] memory proofs) = _proofs(1, 2);
        VM.expectEmit(true, true, true, true);
        emit AuditCompleted(auditId);
        // Whoever has the proofs may hand them in.
        VM.prank(MALLORY);
        audits.submit(auditId, _roots(), outputs, proofs);
        _requireStage(auditId, IAuditRegistry.Stage.Complete);
        uint256[][] memory statements = audits.statementsOf(auditId);
        for (uint256 chunk = 0; chunk < 3; ++chunk) {
            require(statements[chunk].length == 1 && statements[chunk][0] == 65 * (11 + chunk), "statement");
        }
        IAuditRegistry.Audit memory audit = audits.auditOf(auditId);
        require(audit.modelBlock < audit.dataBlock && audit.dataBlock < audits.seedBlockOf(auditId), "order");
        require(audit.programId == program && audit.programVersion == 1 && audit.proven == 3, "audit");
    }

    // The order.

    function test_theDataSetComesAfterTheModel() public {
        uint256 auditId = _open();
        uint256[] memory roots = _roots();
        VM.prank(PROVIDER);
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.DataTooEarly.selector, auditId, MODEL_BLOCK));
        audits.recordData(auditId, roots, ROWS);
        bytes memory wrong = _wrongStage(2, IAuditRegistry.Stage.ModelRecorded, IAuditRegistry.Stage.Unknown);
        VM.prank(PROVIDER);
        VM.expectRevert(wrong);
        audits.recordData(2, roots, ROWS);
    }

    function test_aModelThatDoesNotExistYetCannotBeAudited() public {
        VM.expectRevert(abi.encodeWithSelector(IERC7992Registry.ModelNotFound.selector, program + 1));
        audits.openAudit(program + 1, 1, 0, 0, PROVIDER);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, program, uint256(2), 1)
        );
        audits.openAudit(program, 2, 0, 0, PROVIDER);
        VM.expectRevert(IAuditRegistry.VersionNotPinned.selector);
        audits.openAudit(program, 0, 0, 0, PROVIDER);
        VM.prank(GUARDIAN);
        registry.freezeModel(program);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, program, uint256(1), 1)
        );
        audits.openAudit(program, 1, 0, 0, PROVIDER);
    }

    function test_aModelThatChangedAfterTheDataSetIsNotTheAuditedOne() public {
        uint256 auditId = _open();
        _record(auditId);
        _draw(auditId);
        VM.startPrank(OWNER);
        registry.updateModelWithVerifier(
            program, _shapeCommitment(otherKey), _shapeBinding(DataContract.store(otherKey), 1)
        );
        VM.stopPrank();
        bytes memory refused =
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, program, uint256(1), 2);
        _refuses(auditId, "audit0", refused);
        _refuses(auditId, "auditOtherModel", refused);
    }

    // The model that decides.

    function test_anAuditOfACommittedModelNamesTheModelThatDecides() public {
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, 7), _registerCommitted(key, 7));
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.ModelNotNamed.selector, audited));
        audits.openAudit(audited, 1, 0, 0, PROVIDER);
        VM.expectEmit(true, true, true, true);
        emit AuditOpened(1, audited, 1, decides, 1, address(this), PROVIDER);
        uint256 auditId = audits.openAudit(audited, 1, decides, 1, PROVIDER);
        IAuditRegistry.Audit memory audit = audits.auditOf(auditId);
        require(audit.programId == audited && audit.programVersion == 1, "program");
        require(audit.modelId == decides && audit.modelVersion == 1, "model");
    }

    function test_aProgramWithOtherParametersIsNoAuditOfTheModel() public {
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, 8), _registerCommitted(key, 7));
        bytes memory mismatch = abi.encodeWithSelector(
            IAuditRegistry.ModelCommitmentMismatch.selector, bytes32(uint256(8)), bytes32(uint256(7))
        );
        VM.expectRevert(mismatch);
        audits.openAudit(audited, 1, decides, 1, PROVIDER);
        // Only one of both shows what it runs with.
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.ModelNotCommitted.selector, program));
        audits.openAudit(program, 1, decides, 1, PROVIDER);
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.ModelNotCommitted.selector, program));
        audits.openAudit(audited, 1, program, 1, PROVIDER);
        require(audits.auditCount() == 0, "an audit was opened");
    }

    function test_theVersionThatDecidesIsPinned() public {
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, 7), _registerCommitted(key, 7));
        VM.expectRevert(IAuditRegistry.VersionNotPinned.selector);
        audits.openAudit(audited, 1, decides, 0, PROVIDER);
        bytes4 missing = IERC7992Registry.ModelNotFound.selector;
        VM.expectRevert(abi.encodeWithSelector(missing, uint256(0)));
        audits.openAudit(audited, 1, 0, 1, PROVIDER);
        VM.expectRevert(abi.encodeWithSelector(missing, decides + 1));
        audits.openAudit(audited, 1, decides + 1, 1, PROVIDER);
        // A version that does not exist yet; one that is no longer in use.
        bytes4 other = IInferenceVerifier.ModelVersionMismatch.selector;
        VM.expectRevert(abi.encodeWithSelector(other, decides, uint256(2), 1));
        audits.openAudit(audited, 1, decides, 2, PROVIDER);
        // 2^32 + 1: no version is cut to another one.
        VM.expectRevert(abi.encodeWithSelector(other, decides, uint256((1 << 32) + 1), 1));
        audits.openAudit(audited, 1, decides, (1 << 32) + 1, PROVIDER);
        _updateCommitted(decides, key, 9);
        VM.expectRevert(abi.encodeWithSelector(other, decides, uint256(1), 2));
        audits.openAudit(audited, 1, decides, 1, PROVIDER);
        bytes memory mismatch = abi.encodeWithSelector(
            IAuditRegistry.ModelCommitmentMismatch.selector, bytes32(uint256(7)), bytes32(uint256(9))
        );
        VM.expectRevert(mismatch);
        audits.openAudit(audited, 1, decides, 2, PROVIDER);
    }

    /// @dev The model's owner swaps the model after the audit was opened: the audit stays one of the version before.
    function test_anAuditIsOfTheVersionThatItNames() public {
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, 7), _registerCommitted(key, 7));
        uint256 auditId = audits.openAudit(audited, 1, decides, 1, PROVIDER);
        _updateCommitted(decides, key, 9);
        require(audits.auditOf(auditId).modelVersion == 1, "another version");
        require(registry.getVersion(decides, 1).commitment.modelHash == bytes32(uint256(7)), "another commitment");
    }

    function testFuzz_onlyEqualCommitmentsAreOneModel(uint256 left, uint256 right) public {
        uint256 order = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
        (left, right) = (1 + left % (order - 1), 1 + right % (order - 1));
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, left), _registerCommitted(key, right));
        bytes memory call = abi.encodeCall(audits.openAudit, (audited, 1, decides, 1, PROVIDER));
        (bool success,) = address(audits).call(call);
        require(success == (left == right), "another verdict");
        _updateCommitted(decides, key, left);
        audits.openAudit(audited, 1, decides, 2, PROVIDER);
    }

    // The data set.

    function test_theDataSetIsRecordedOnceByItsProvider() public {
        uint256 auditId = _open();
        uint256[] memory roots = _roots();
        VM.roll(DATA_BLOCK);
        address[3] memory strangers = [address(this), OWNER, MALLORY];
        for (uint256 i = 0; i < strangers.length; ++i) {
            VM.prank(strangers[i]);
            VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.NotTheProvider.selector, auditId, strangers[i]));
            audits.recordData(auditId, roots, ROWS);
        }
        VM.startPrank(PROVIDER);
        VM.expectRevert(IAuditRegistry.EmptyData.selector);
        audits.recordData(auditId, new uint256[](0), ROWS);
        VM.expectRevert(IAuditRegistry.EmptyData.selector);
        audits.recordData(auditId, roots, 0);
        audits.recordData(auditId, roots, ROWS);
        VM.roll(DATA_BLOCK + 1);
        VM.expectRevert(_wrongStage(auditId, IAuditRegistry.Stage.ModelRecorded, IAuditRegistry.Stage.DataRecorded));
        audits.recordData(auditId, roots, ROWS);
        VM.stopPrank();
    }

    function test_theSeedIsDrawnWhenItsBlockIsKnownAndNotLater() public {
        uint256 auditId = _open();
        bytes memory noData =
            _wrongStage(auditId, IAuditRegistry.Stage.DataRecorded, IAuditRegistry.Stage.ModelRecorded);
        VM.expectRevert(noData);
        audits.drawSeed(auditId);
        _record(auditId);
        for (uint256 height = DATA_BLOCK; height <= SEED_BLOCK; height += 36) {
            VM.roll(height);
            VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.SeedTooEarly.selector, auditId, SEED_BLOCK));
            audits.drawSeed(auditId);
        }
        VM.roll(SEED_BLOCK + 256);
        VM.setBlockhash(SEED_BLOCK, _seedBlockHash());
        require(blockhash(SEED_BLOCK) != 0, "the last block that knows it");
        _requireStage(auditId, IAuditRegistry.Stage.DataRecorded);
        VM.roll(SEED_BLOCK + 257);
        require(blockhash(SEED_BLOCK) == 0, "forgotten");
        _requireStage(auditId, IAuditRegistry.Stage.Void);
        VM.expectRevert(_wrongStage(auditId, IAuditRegistry.Stage.DataRecorded, IAuditRegistry.Stage.Void));
        audits.drawSeed(auditId);
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.NoSample.selector, auditId));
        audits.sampledRow(auditId, 0);
        VM.roll(SEED_BLOCK + 256);
        VM.setBlockhash(SEED_BLOCK, _seedBlockHash());
        audits.drawSeed(auditId);
    }

    function test_aSeedIsDrawnOnceByAnybody() public {
        uint256 auditId = _open();
        _record(auditId);
        VM.roll(SEED_BLOCK + 1);
        VM.setBlockhash(SEED_BLOCK, _seedBlockHash());
        VM.prank(MALLORY);
        bytes32 seed = audits.drawSeed(auditId);
        require(seed == keccak256(abi.encode(_seedBlockHash(), auditId)), "seed");
        VM.setBlockhash(SEED_BLOCK, keccak256("another"));
        VM.expectRevert(_wrongStage(auditId, IAuditRegistry.Stage.DataRecorded, IAuditRegistry.Stage.SeedDrawn));
        audits.drawSeed(auditId);
    }

    function test_nothingIsProvenBeforeTheSeed() public {
        uint256 auditId = _open();
        _refuses(
            auditId, "audit0", _wrongStage(auditId, IAuditRegistry.Stage.SeedDrawn, IAuditRegistry.Stage.ModelRecorded)
        );
        _record(auditId);
        _refuses(
            auditId, "audit0", _wrongStage(auditId, IAuditRegistry.Stage.SeedDrawn, IAuditRegistry.Stage.DataRecorded)
        );
        VM.roll(SEED_BLOCK + 257);
        _refuses(auditId, "audit0", _wrongStage(auditId, IAuditRegistry.Stage.SeedDrawn, IAuditRegistry.Stage.Void));
    }

    // The proofs.

    function test_aForeignProofIsRefused() public {
        uint256 auditId = _ready();
        bytes memory invalid = abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector);
        string[4] memory names = ["auditOtherModel", "auditOtherSeed", "auditOther", "direct0"];
        for (uint256 i = 0; i < names.length; ++i) {
            _refuses(auditId, names[i], invalid);
        }
        // About another chunk than the next one: the root is not the one recorded for it.
        bytes memory mismatch = abi.encodeWithSelector(IERC7992Verifier.InputCommitmentMismatch.selector);
        _refuses(auditId, "audit1", mismatch);
        _refuses(auditId, "auditOtherData", mismatch);
        _submit(auditId, 0, 1);
    }

    function test_aProofOfAnotherRootIsNoProofOfTheRecordedOne() public {
        uint256 auditId = _ready();
        // The recorded root in front of a proof about another one.
        (bytes[] memory outputs, bytes[] memory proofs) = _single("auditOtherData");
        proofs[0] = bytes.concat(bytes32(uint256(11)), _proof("auditOtherData"));
        uint256[] memory roots = _roots();
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        audits.submit(auditId, roots, outputs, proofs);
        // The other root, beside the recorded ones.
        roots[0] = 10;
        (outputs, proofs) = _single("auditOtherData");
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.DataMismatch.selector, auditId));
        audits.submit(auditId, roots, outputs, proofs);
    }

    function test_aProofCountsOnce() public {
        uint256 auditId = _ready();
        _submit(auditId, 0, 1);
        // Its chunk is proven; for the next one it shows another root.
        _refuses(auditId, "audit0", abi.encodeWithSelector(IERC7992Verifier.InputCommitmentMismatch.selector));
        _submit(auditId, 1, 2);
        _refuses(auditId, "audit0", _wrongStage(auditId, IAuditRegistry.Stage.SeedDrawn, IAuditRegistry.Stage.Complete));
    }

    function test_chunksWithOneRootNeedProofsOfTheirOwn() public {
        // All chunks alike, so that only the context tells their proofs apart.
        uint256 auditId = _open();
        uint256[] memory roots = new uint256[](2);
        (roots[0], roots[1]) = (11, 11);
        VM.roll(DATA_BLOCK);
        VM.prank(PROVIDER);
        audits.recordData(auditId, roots, ROWS);
        _draw(auditId);
        (bytes[] memory outputs, bytes[] memory proofs) = _single("audit0");
        audits.submit(auditId, roots, outputs, proofs);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        audits.submit(auditId, roots, outputs, proofs);
    }

    function test_aFalseStatementIsRefusedAlsoAmongTrueOnes() public {
        uint256 auditId = _ready();
        (bytes[] memory outputs, bytes[] memory proofs) = _proofs(0, 3);
        for (uint256 forged = 0; forged < 3; ++forged) {
            bytes memory honest = outputs[forged];
            uint256[] memory words = new uint256[](1);
            words[0] = 1000;
            outputs[forged] = abi.encode(words);
            VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
            audits.submit(auditId, _roots(), outputs, proofs);
            outputs[forged] = honest;
        }
        require(audits.statementsOf(auditId).length == 0, "something was kept");
        audits.submit(auditId, _roots(), outputs, proofs);
    }

    function test_asManyOutputsAsProofsAsManyAsChunks() public {
        uint256 auditId = _ready();
        (bytes[] memory outputs, bytes[] memory proofs) = _proofs(0, 3);
        (bytes[] memory one,) = _proofs(0, 1);
        uint256[] memory roots = _roots();
        VM.expectRevert(
            abi.encodeWithSelector(IAuditRegistry.ProofCountMismatch.selector, auditId, uint256(3), uint256(1), 3)
        );
        audits.submit(auditId, roots, one, proofs);
        VM.expectRevert(
            abi.encodeWithSelector(IAuditRegistry.ProofCountMismatch.selector, auditId, uint256(3), uint256(0), 0)
        );
        audits.submit(auditId, roots, new bytes[](0), new bytes[](0));
        _submit(auditId, 0, 1);
        VM.expectRevert(
            abi.encodeWithSelector(IAuditRegistry.ProofCountMismatch.selector, auditId, uint256(2), uint256(3), 3)
        );
        audits.submit(auditId, roots, outputs, proofs);
    }

    function test_aProofIsWorthNothingOnAnotherChainOrInAnotherRegistry() public {
        uint256 auditId = _ready();
        VM.chainId(1);
        _refuses(auditId, "audit0", abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector));
        VM.chainId(31337);
        AuditRegistry other = new AuditRegistry(inference);
        VM.roll(MODEL_BLOCK);
        require(other.openAudit(program, 1, 0, 0, PROVIDER) == auditId, "the same id");
        VM.roll(DATA_BLOCK);
        VM.prank(PROVIDER);
        other.recordData(auditId, _roots(), ROWS);
        VM.roll(SEED_BLOCK + 1);
        VM.setBlockhash(SEED_BLOCK, _seedBlockHash());
        other.drawSeed(auditId);
        require(other.subjectOf(auditId) == audits.subjectOf(auditId), "the same subject");
        (bytes[] memory outputs, bytes[] memory proofs) = _single("audit0");
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        other.submit(auditId, _roots(), outputs, proofs);
    }

    function test_aModelsOwnVerifierWorksAsWell() public {
        VM.startPrank(OWNER);
        program = registry.registerModelWithVerifier(_commitment(verifier), _binding(verifier, 1));
        VM.stopPrank();
        uint256 auditId = _ready();
        _submit(auditId, 0, 3);
        _requireStage(auditId, IAuditRegistry.Stage.Complete);
    }

    // The sample.

    function test_theSampleFollowsFromTheSeed() public {
        uint256 auditId = _ready();
        bytes32 seed = audits.auditOf(auditId).seed;
        for (uint256 i = 0; i < 20; ++i) {
            uint256 row = audits.sampledRow(auditId, i);
            require(row == uint256(keccak256(abi.encode(seed, i))) % 300, "row");
        }
    }

    function testFuzz_everySampledRowIsARow(bytes32 blockHash, uint32 rows, uint256 index) public {
        VM.assume(rows != 0);
        uint256 auditId = _open();
        VM.roll(DATA_BLOCK);
        VM.prank(PROVIDER);
        audits.recordData(auditId, _roots(), rows);
        VM.roll(SEED_BLOCK + 1);
        VM.setBlockhash(SEED_BLOCK, blockHash);
        audits.drawSeed(auditId);
        require(audits.sampledRow(auditId, index) < 3 * uint256(rows), "beyond the data set");
    }

    function test_needsAnInferenceVerifier() public {
        VM.expectRevert(abi.encodeWithSelector(IAuditRegistry.NotAnInferenceVerifier.selector, MALLORY));
        new AuditRegistry(IInferenceVerifier(MALLORY));
    }

    /// forge-config: default.isolate = true
    function test_gas() public {
        uint256 auditId = _open();
        VM.snapshotGasLastCall("AuditRegistry", "openAudit");
        _record(auditId);
        VM.snapshotGasLastCall("AuditRegistry", "recordData, 3 chunks");
        _draw(auditId);
        VM.snapshotGasLastCall("AuditRegistry", "drawSeed");
        _submit(auditId, 0, 3);
        VM.snapshotGasLastCall("AuditRegistry", "submit, 3 chunks");
        (uint256 audited, uint256 decides) = (_registerCommitted(otherKey, 7), _registerCommitted(key, 7));
        audits.openAudit(audited, 1, decides, 1, PROVIDER);
        VM.snapshotGasLastCall("AuditRegistry", "openAudit, of a committed model");
    }

    /// @dev A model whose proofs show a commitment.
    function _registerCommitted(bytes memory keyBytes, uint256 modelHash) private returns (uint256 modelId) {
        (ModelCommitment memory commitment, VerifierBinding memory binding) = _committed(keyBytes, modelHash);
        VM.prank(OWNER);
        modelId = registry.registerModelWithVerifier(commitment, binding);
    }

    function _updateCommitted(uint256 modelId, bytes memory keyBytes, uint256 modelHash) private {
        (ModelCommitment memory commitment, VerifierBinding memory binding) = _committed(keyBytes, modelHash);
        VM.prank(OWNER);
        registry.updateModelWithVerifier(modelId, commitment, binding);
    }

    function _committed(bytes memory keyBytes, uint256 modelHash)
        private
        returns (ModelCommitment memory commitment, VerifierBinding memory binding)
    {
        (commitment, binding) = (_shapeCommitment(keyBytes), _shapeBinding(DataContract.store(keyBytes), 1));
        (commitment.modelHash, binding.modelCommitted) = (bytes32(modelHash), true);
    }

    function _open() private returns (uint256) {
        return audits.openAudit(program, 1, 0, 0, PROVIDER);
    }

    function _record(uint256 auditId) private {
        uint256[] memory roots = _roots();
        VM.roll(DATA_BLOCK);
        VM.prank(PROVIDER);
        audits.recordData(auditId, roots, ROWS);
    }

    function _draw(uint256 auditId) private {
        VM.roll(SEED_BLOCK + 1);
        VM.setBlockhash(SEED_BLOCK, _seedBlockHash());
        audits.drawSeed(auditId);
    }

    function _ready() private returns (uint256 auditId) {
        auditId = _open();
        _record(auditId);
        _draw(auditId);
    }

    function _submit(uint256 auditId, uint256 first, uint256 count) private {
        (bytes[] memory outputs, bytes[] memory proofs) = _proofs(first, count);
        audits.submit(auditId, _roots(), outputs, proofs);
    }

    function _refuses(uint256 auditId, string memory name, bytes memory reason) private {
        (bytes[] memory outputs, bytes[] memory proofs) = _single(name);
        uint256[] memory roots = _roots();
        VM.expectRevert(reason);
        audits.submit(auditId, roots, outputs, proofs);
    }

    function _requireStage(uint256 auditId, IAuditRegistry.Stage stage) private view {
        require(audits.stageOf(auditId) == stage, "another stage");
    }

    function _wrongStage(uint256 auditId, IAuditRegistry.Stage expected, IAuditRegistry.Stage got)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IAuditRegistry.WrongStage.selector, auditId, expected, got);
    }

    function _proofs(uint256 first, uint256 count)
        private
        view
        returns (bytes[] memory outputs, bytes[] memory proofs)
    {
        (outputs, proofs) = (new bytes[](count), new bytes[](count));
        for (uint256 i = 0; i < count; ++i) {
            string memory name = _name(first + i);
            (outputs[i], proofs[i]) = (_score(name), _proofWithInput(name));
        }
    }

    function _single(string memory name) private view returns (bytes[] memory outputs, bytes[] memory proofs) {
        (outputs, proofs) = (new bytes[](1), new bytes[](1));
        (outputs[0], proofs[0]) = (_score(name), _proofWithInput(name));
    }

    function _name(uint256 chunk) private pure returns (string memory) {
        string[3] memory names = ["audit0", "audit1", "audit2"];
        return names[chunk];
    }

    function _roots() private pure returns (uint256[] memory roots) {
        roots = new uint256[](3);
        (roots[0], roots[1], roots[2]) = (11, 12, 13);
    }
}
