// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AuditRegistry} from "../../src/AuditRegistry.sol";
import {InferenceVerifier} from "../../src/InferenceVerifier.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {IAuditRegistry} from "../../src/interfaces/IAuditRegistry.sol";
import {HALO2_SHPLONK_BN254, IERC7992Verifier, ModelCommitment} from "../../src/interfaces/IERC7992.sol";
import {IModelRegistry, ModelStatus, VerifierBinding} from "../../src/interfaces/IModelRegistry.sol";
import {VerdictContext} from "../../src/libraries/VerdictContext.sol";
import {VM} from "../Vm.sol";

/// @notice Accepts every proof: what is still refused, the wrappers refuse.
contract AcceptsEverything {
    bytes32 public constant CIRCUIT_DIGEST = bytes32(uint256(1));
    bytes32 public constant VERIFYING_KEY_DIGEST = bytes32(uint256(2));
    uint256 public constant PUBLIC_INPUT_COUNT = 3;

    function verify(bytes calldata, uint256[] calldata) external pure {}
}

/// @notice What holds for every input of a given length; `scripts/audit` has halmos prove it.
contract SymbolicChecks {
    address private constant OWNER = address(0x70);
    address private constant GUARDIAN = address(0x6a);
    address private constant PROVIDER = address(0xda7a);
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    ModelRegistry private registry;
    InferenceVerifier private inference;
    AuditRegistry private audits;
    address private permissive;
    uint256 private model;

    function setUp() public {
        registry = new ModelRegistry(GUARDIAN);
        inference = new InferenceVerifier(registry);
        audits = new AuditRegistry(inference);
        permissive = address(new AcceptsEverything());
        ModelCommitment memory commitment = ModelCommitment({
            modelHash: 0,
            circuitHash: bytes32(uint256(1)),
            vkHash: bytes32(uint256(2)),
            proofSystemId: HALO2_SHPLONK_BN254,
            uri: "ipfs://model"
        });
        VM.prank(OWNER);
        model = registry.registerModelWithVerifier(
            commitment, VerifierBinding(permissive, permissive.codehash, address(0), 1, 1, false)
        );
    }

    /// @notice Every context is a public input.
    function check_contextsAreBelowTheGroupOrder(address caller, bytes32 subject, uint256 nonce) public view {
        assert(VerdictContext.compute(caller, subject, nonce) < SCALAR_MODULUS);
    }

    /// @notice Nobody but the owner and the guardian changes anything about a model.
    function check_strangersChangeNothing(address stranger, uint8 action, address to) public {
        VM.assume(stranger != OWNER && stranger != GUARDIAN && stranger != address(0));
        VM.prank(stranger);
        (bool success,) = address(registry).call(_action(action, to));
        assert(!success);
        _assertUnchanged();
    }

    /// @notice The guardian can freeze, and nothing else.
    function check_theGuardianOnlyFreezes(uint8 action, address to) public {
        VM.prank(GUARDIAN);
        (bool success,) = address(registry).call(_action(action, to));
        assert(success == (action % 4 == 1));
        if (!success) _assertUnchanged();
    }

    /// @notice An owner deprecates and offers; ownership does not move by that.
    function check_theOwnerCannotFreezeNorAccept(uint8 action, address to) public {
        VM.prank(OWNER);
        (bool success,) = address(registry).call(_action(action, to));
        assert(success == (action % 4 == 0 || action % 4 == 2));
        assert(registry.getEntry(model).owner == OWNER);
    }

    /// @notice What is deprecated or frozen stays so, whoever tries whatever.
    function check_aStoppedModelStaysStopped(bool byGuardian, address anybody, uint8 action, address to) public {
        VM.prank(byGuardian ? GUARDIAN : OWNER);
        (bool stopped,) = address(registry).call(_action(byGuardian ? 1 : 0, to));
        assert(stopped);
        VM.prank(anybody);
        (bool success,) = address(registry).call(_action(action, to));
        assert(!success || (action % 4 == 1 && anybody == GUARDIAN && !byGuardian));
        ModelStatus status = registry.getEntry(model).status;
        assert(status != ModelStatus.Active && status != ModelStatus.Unknown);
    }

    /// @notice Whatever verifier: a call that returns had canonical outputs, and the inputs that it is committed to.
    function check_onlyCanonicalCallsReturn(
        address caller,
        bytes32 inputCommitment,
        uint256 offset,
        uint256 length,
        uint256 value,
        bytes32 input
    ) public {
        bytes memory output = abi.encodePacked(offset, length, value);
        bytes memory proof = abi.encodePacked(input, "proof");
        VM.prank(caller);
        (bool success,) = address(inference)
            .call(abi.encodeCall(IERC7992Verifier.verifyInference, (model, inputCommitment, output, proof)));
        assert(success == (offset == 32 && length == 1 && inputCommitment == keccak256(abi.encode(input))));
        assert(inference.nonceOf(caller, VerdictContext.subjectOf(caller)) == (success ? 1 : 0));
    }

    /// @notice Whatever verifier: a stopped model verifies nothing, and no pinned version but the current one does.
    function check_stoppedAndOtherVersionsVerifyNothing(uint256 version, bytes32 subject, bytes32 input, bool stop)
        public
    {
        if (stop) {
            VM.prank(GUARDIAN);
            registry.freezeModel(model);
        }
        (bool success,) = address(inference)
            .call(
                abi.encodeCall(
                    inference.verifyInferenceFor,
                    (
                        model,
                        version,
                        subject,
                        keccak256(abi.encode(input)),
                        abi.encodePacked(uint256(32), uint256(1), uint256(7)),
                        abi.encodePacked(input)
                    )
                )
            );
        assert(success == (!stop && version <= 1));
    }

    /// @notice Only the provider fixes a data set, once, in a later block than the model, and something.
    function check_onlyTheProviderRecordsData(address caller, uint256 root, uint32 rows, uint64 height) public {
        VM.roll(1000);
        uint256 auditId = audits.openAudit(model, 1, 0, 0, PROVIDER);
        VM.assume(height >= 1000);
        VM.roll(height);
        uint256[] memory roots = new uint256[](1);
        roots[0] = root;
        VM.prank(caller);
        (bool success,) = address(audits).call(abi.encodeCall(audits.recordData, (auditId, roots, rows)));
        assert(success == (caller == PROVIDER && height > 1000 && rows != 0));
        IAuditRegistry.Audit memory audit = audits.auditOf(auditId);
        assert(audit.dataBlock == (success ? height : 0));
        VM.prank(PROVIDER);
        (bool again,) = address(audits).call(abi.encodeCall(audits.recordData, (auditId, roots, 1)));
        assert(!success || !again);
    }

    /// @notice No proof counts without a seed, whatever verifier.
    function check_nothingIsProvenWithoutASeed(address caller, uint256 root, bool recorded, uint64 height) public {
        VM.roll(1000);
        uint256 auditId = audits.openAudit(model, 1, 0, 0, PROVIDER);
        uint256[] memory roots = new uint256[](1);
        roots[0] = root;
        if (recorded) {
            VM.roll(1001);
            VM.prank(PROVIDER);
            audits.recordData(auditId, roots, 1);
        }
        VM.assume(height >= 1001);
        VM.roll(height);
        (bytes[] memory outputs, bytes[] memory proofs) = (new bytes[](1), new bytes[](1));
        outputs[0] = abi.encodePacked(uint256(32), uint256(1), uint256(7));
        proofs[0] = abi.encodePacked(root);
        VM.prank(caller);
        (bool success,) = address(audits).call(abi.encodeCall(audits.submit, (auditId, roots, outputs, proofs)));
        assert(!success && audits.auditOf(auditId).proven == 0);
    }

    function _action(uint8 action, address to) private view returns (bytes memory) {
        if (action % 4 == 0) return abi.encodeCall(registry.deprecateModel, (model));
        if (action % 4 == 1) return abi.encodeCall(registry.freezeModel, (model));
        if (action % 4 == 2) return abi.encodeCall(registry.offerModel, (model, to));
        return abi.encodeCall(registry.acceptModel, (model));
    }

    function _assertUnchanged() private view {
        IModelRegistry.Entry memory entry = registry.getEntry(model);
        assert(entry.owner == OWNER && entry.version == 1 && entry.status == ModelStatus.Active);
        assert(registry.pendingOwner(model) == address(0));
    }
}
