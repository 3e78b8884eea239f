// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {IERC165} from "../src/interfaces/IERC165.sol";
import {IERC7992Registry, ModelCommitment} from "../src/interfaces/IERC7992.sol";
import {IModelRegistry, ModelStatus, VerifierBinding} from "../src/interfaces/IModelRegistry.sol";
import {DataContract} from "../src/libraries/DataContract.sol";
import {ModelRecord, Pinned} from "../src/libraries/ModelRecord.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";

/// @notice Who may do what in the registry, and what it refuses to pin.
contract ModelRegistryTest is Stage {
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    event ModelRegistered(uint256 indexed modelId, address indexed owner, ModelCommitment commitment);
    event ModelUpdated(uint256 indexed modelId, ModelCommitment oldCommitment, ModelCommitment newCommitment);
    event ModelDeprecated(uint256 indexed modelId);

    function test_selectorsAndInterfaceIdsAreTheStandards() public view {
        require(IERC7992Registry.registerModel.selector == 0x88e9606f);
        require(IERC7992Registry.updateModel.selector == 0x871f5cce);
        require(IERC7992Registry.deprecateModel.selector == 0xb0453384);
        require(IERC7992Registry.getModel.selector == 0x6d361694);
        require(type(IERC7992Registry).interfaceId == 0xd28519b1);
        require(registry.supportsInterface(0xd28519b1) && registry.supportsInterface(0x01ffc9a7), "supported");
        require(registry.supportsInterface(type(IModelRegistry).interfaceId), "supported");
        require(!registry.supportsInterface(0xffffffff), "the invalid id");
        bytes32 signature = keccak256("ModelRegistered(uint256,address,(bytes32,bytes32,bytes32,bytes4,string))");
        require(ModelRegistered.selector == signature, "event");
    }

    function test_anEntryIsWhatWasRegistered() public view {
        IModelRegistry.Entry memory entry = registry.getEntry(PUBLIC_MODEL);
        require(_same(entry.commitment, _commitment(verifier)), "commitment");
        require(keccak256(abi.encode(entry.binding)) == keccak256(abi.encode(_binding(verifier, 1))), "binding");
        require(entry.version == 1 && entry.status == ModelStatus.Active, "version or status");
        require(entry.owner == OWNER && entry.registeredAt == block.timestamp, "owner or time");
        (ModelCommitment memory commitment, bool deprecated, address owner) = registry.getModel(PUBLIC_MODEL);
        require(_same(commitment, _commitment(verifier)) && !deprecated && owner == OWNER, "the standard's view");
    }

    function test_emitsTheStandardsEvents() public {
        ModelCommitment memory commitment = _commitment(verifier);
        VM.expectEmit(true, true, true, true);
        emit ModelRegistered(3, address(this), commitment);
        registry.registerModel(commitment);
        ModelCommitment memory other = _commitment(otherVerifier);
        VM.expectEmit(true, true, true, true);
        emit ModelUpdated(3, commitment, other);
        registry.updateModel(3, other);
        VM.expectEmit(true, true, true, true);
        emit ModelDeprecated(3);
        registry.deprecateModel(3);
    }

    function testFuzz_keepsAnyCommitment(ModelCommitment calldata commitment) public {
        VM.assume(bytes(commitment.uri).length <= registry.MAXIMUM_URI());
        uint256 modelId = registry.registerModel(commitment);
        _dirtyMemory();
        (ModelCommitment memory kept, bool deprecated, address owner) = registry.getModel(modelId);
        require(_same(kept, commitment) && !deprecated && owner == address(this), "another model");
        require(registry.getEntry(modelId).binding.verifier == address(0), "a verifier");
    }

    function test_refusesALongUri() public {
        ModelCommitment memory commitment = _commitment(verifier);
        commitment.uri = string(new bytes(1024));
        uint256 modelId = registry.registerModel(commitment);
        require(bytes(registry.getEntry(modelId).commitment.uri).length == 1024, "the longest");
        commitment.uri = string(new bytes(1025));
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.UriTooLong.selector, 1024, 1025));
        registry.registerModel(commitment);
    }

    // Ownership.

    function testFuzz_onlyTheOwnerChangesAModel(address stranger) public {
        // Nobody sends transactions from the zero address, to which every model is offered that is offered to nobody.
        VM.assume(stranger != OWNER && stranger != address(VM) && stranger != address(0));
        bytes memory refused = abi.encodeWithSelector(IERC7992Registry.NotModelOwner.selector, PRIVATE_MODEL, stranger);
        ModelCommitment memory commitment = _commitment(otherVerifier);
        VerifierBinding memory binding = _binding(otherVerifier, 0);
        VM.startPrank(stranger);
        VM.expectRevert(refused);
        registry.updateModel(PRIVATE_MODEL, commitment);
        VM.expectRevert(refused);
        registry.updateModelWithVerifier(PRIVATE_MODEL, commitment, binding);
        VM.expectRevert(refused);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(refused);
        registry.offerModel(PRIVATE_MODEL, stranger);
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOfferedTo.selector, PRIVATE_MODEL, stranger));
        registry.acceptModel(PRIVATE_MODEL);
        VM.stopPrank();
        require(registry.getEntry(PRIVATE_MODEL).version == 1, "changed");
    }

    function test_ownershipMovesInTwoSteps() public {
        VM.prank(OWNER);
        registry.offerModel(PRIVATE_MODEL, alice);
        require(registry.getEntry(PRIVATE_MODEL).owner == OWNER, "moved too early");
        VM.prank(OWNER);
        registry.offerModel(PRIVATE_MODEL, bob);
        VM.prank(alice);
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOfferedTo.selector, PRIVATE_MODEL, alice));
        registry.acceptModel(PRIVATE_MODEL);
        VM.prank(bob);
        registry.acceptModel(PRIVATE_MODEL);
        require(registry.getEntry(PRIVATE_MODEL).owner == bob, "not moved");
        require(registry.pendingOwner(PRIVATE_MODEL) == address(0), "still offered");
        VM.prank(OWNER);
        VM.expectRevert(abi.encodeWithSelector(IERC7992Registry.NotModelOwner.selector, PRIVATE_MODEL, OWNER));
        registry.deprecateModel(PRIVATE_MODEL);
        VM.prank(bob);
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOfferedTo.selector, PRIVATE_MODEL, bob));
        registry.acceptModel(PRIVATE_MODEL);
    }

    function test_anOfferCanBeWithdrawn() public {
        VM.startPrank(OWNER);
        registry.offerModel(PRIVATE_MODEL, alice);
        registry.offerModel(PRIVATE_MODEL, address(0));
        VM.stopPrank();
        VM.prank(alice);
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotOfferedTo.selector, PRIVATE_MODEL, alice));
        registry.acceptModel(PRIVATE_MODEL);
    }

    // Versions.

    function test_everyVersionStaysReadable() public {
        ModelCommitment memory commitment = _commitment(verifier);
        uint256 modelId = registry.registerModel(commitment);
        for (uint256 version = 2; version <= 5; ++version) {
            VM.warp(1000 * version);
            commitment.modelHash = bytes32(version);
            registry.updateModel(modelId, commitment);
        }
        for (uint256 version = 2; version <= 5; ++version) {
            IModelRegistry.Entry memory entry = registry.getVersion(modelId, version);
            require(entry.version == version && entry.commitment.modelHash == bytes32(version), "another version");
            require(entry.registeredAt == 1000 * version, "another time");
        }
        require(registry.getVersion(modelId, 1).commitment.modelHash == _commitment(verifier).modelHash, "the first");
        uint256[2] memory none = [uint256(0), 6];
        for (uint256 i = 0; i < 2; ++i) {
            VM.expectRevert(abi.encodeWithSelector(IModelRegistry.VersionNotFound.selector, modelId, none[i]));
            registry.getVersion(modelId, none[i]);
        }
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.VersionNotFound.selector, modelId, (1 << 32) + 1));
        registry.getVersion(modelId, (1 << 32) + 1);
    }

    // Deprecation and freezing.

    function test_deprecationIsForGood() public {
        ModelCommitment memory commitment = _commitment(verifier);
        VM.startPrank(OWNER);
        registry.offerModel(PRIVATE_MODEL, alice);
        registry.deprecateModel(PRIVATE_MODEL);
        bytes memory refused = abi.encodeWithSelector(IERC7992Registry.ModelIsDeprecated.selector, PRIVATE_MODEL);
        VM.expectRevert(refused);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(refused);
        registry.updateModel(PRIVATE_MODEL, commitment);
        VM.expectRevert(refused);
        registry.offerModel(PRIVATE_MODEL, bob);
        VM.stopPrank();
        VM.prank(alice);
        VM.expectRevert(refused);
        registry.acceptModel(PRIVATE_MODEL);
        (, bool deprecated,) = registry.getModel(PRIVATE_MODEL);
        require(deprecated, "not deprecated");
    }

    function test_freezingIsForGoodAndForTheGuardian() public {
        ModelCommitment memory commitment = _commitment(verifier);
        address[2] memory strangers = [OWNER, MALLORY];
        for (uint256 i = 0; i < 2; ++i) {
            VM.prank(strangers[i]);
            VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotGuardian.selector, strangers[i]));
            registry.freezeModel(PRIVATE_MODEL);
        }
        VM.prank(GUARDIAN);
        registry.freezeModel(PRIVATE_MODEL);
        bytes memory refused = abi.encodeWithSelector(IModelRegistry.ModelIsFrozen.selector, PRIVATE_MODEL);
        VM.startPrank(OWNER);
        VM.expectRevert(refused);
        registry.updateModel(PRIVATE_MODEL, commitment);
        VM.expectRevert(refused);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(refused);
        registry.offerModel(PRIVATE_MODEL, alice);
        VM.stopPrank();
        VM.prank(GUARDIAN);
        VM.expectRevert(refused);
        registry.freezeModel(PRIVATE_MODEL);
        (, bool deprecated,) = registry.getModel(PRIVATE_MODEL);
        require(deprecated, "whoever knows the standard alone must see that it is stopped");
        require(registry.getEntry(PRIVATE_MODEL).status == ModelStatus.Frozen, "status");
    }

    function test_theGuardianCanDoNothingElse() public {
        VM.startPrank(GUARDIAN);
        VM.expectRevert(abi.encodeWithSelector(IERC7992Registry.NotModelOwner.selector, PRIVATE_MODEL, GUARDIAN));
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(abi.encodeWithSelector(IERC7992Registry.ModelNotFound.selector, uint256(3)));
        registry.freezeModel(3);
        VM.stopPrank();
        ModelRegistry unguarded = new ModelRegistry(address(0));
        unguarded.registerModel(_commitment(verifier));
        VM.prank(GUARDIAN);
        VM.expectRevert(abi.encodeWithSelector(IModelRegistry.NotGuardian.selector, GUARDIAN));
        unguarded.freezeModel(1);
    }

    // What is pinned.

    function test_refusesAVerifierThatIsNotWhatIsSaid() public {
        ModelCommitment memory commitment = _commitment(verifier);
        VerifierBinding memory binding = _binding(verifier, 0);

        binding.verifier = MALLORY;
        _refuses(commitment, binding, abi.encodeWithSelector(IModelRegistry.VerifierHasNoCode.selector, MALLORY));

        binding = _binding(verifier, 0);
        (bytes32 honest, bytes32 other) = (binding.verifierCodeHash, address(otherVerifier).codehash);
        binding.verifierCodeHash = other;
        _refuses(
            commitment, binding, abi.encodeWithSelector(IModelRegistry.VerifierCodeMismatch.selector, other, honest)
        );

        binding = _binding(otherVerifier, 0);
        bytes32 digest = otherVerifier.VERIFYING_KEY_DIGEST();
        _refuses(
            commitment,
            binding,
            abi.encodeWithSelector(IModelRegistry.VerifyingKeyMismatch.selector, commitment.vkHash, digest)
        );

        binding = _binding(verifier, 0);
        bytes32 circuit = commitment.circuitHash;
        commitment.circuitHash = bytes32(uint256(1));
        _refuses(
            commitment,
            binding,
            abi.encodeWithSelector(IModelRegistry.CircuitMismatch.selector, bytes32(uint256(1)), circuit)
        );

        commitment = _commitment(verifier);
        binding.inputs = 1;
        _refuses(commitment, binding, abi.encodeWithSelector(IModelRegistry.PublicInputsMismatch.selector, 3, 4));
        (binding.inputs, binding.outputs) = (2, 0);
        _refuses(commitment, binding, abi.encodeWithSelector(IModelRegistry.NoOutputs.selector));
        (binding.inputs, binding.outputs) = (type(uint16).max, type(uint16).max);
        _refuses(
            commitment, binding, abi.encodeWithSelector(IModelRegistry.PublicInputsMismatch.selector, 3, 2 * 65535 + 1)
        );

        commitment.proofSystemId = 0x12345678;
        _refuses(
            commitment,
            _binding(verifier, 0),
            abi.encodeWithSelector(IModelRegistry.ProofSystemWithoutVerifiers.selector, bytes4(0x12345678))
        );
    }

    function test_refusesAKeyThatIsNotTheCommittedOneOrCouldChange() public {
        ModelCommitment memory commitment = _shapeCommitment(key);
        VerifierBinding memory binding = _shapeBinding(DataContract.store(otherKey), 0);
        _refuses(
            commitment,
            binding,
            abi.encodeWithSelector(IModelRegistry.VerifyingKeyMismatch.selector, commitment.vkHash, keccak256(otherKey))
        );

        // The same bytes without the STOP in front, which could be code that destroys itself; and no code at all.
        binding.key = address(0xbad);
        VM.etch(binding.key, bytes.concat(hex"ff", key));
        _refuses(commitment, binding, abi.encodeWithSelector(DataContract.NotADataContract.selector, address(0xbad)));
        binding.key = MALLORY;
        _refuses(commitment, binding, abi.encodeWithSelector(DataContract.NotADataContract.selector, MALLORY));

        binding.key = DataContract.store(key);
        bytes32 shape = commitment.circuitHash;
        commitment.circuitHash = bytes32(uint256(1));
        _refuses(
            commitment,
            binding,
            abi.encodeWithSelector(IModelRegistry.CircuitMismatch.selector, bytes32(uint256(1)), shape)
        );
        commitment.circuitHash = shape;
        registry.registerModelWithVerifier(commitment, binding);
    }

    function test_aCommittedModelIsPinnedByItsCommitment() public {
        ModelCommitment memory commitment = _commitment(verifier);
        VerifierBinding memory binding = _binding(verifier, 0);
        binding.modelCommitted = true;
        commitment.modelHash = bytes32(uint256(11));
        // One word more than the verifier has.
        _refuses(commitment, binding, abi.encodeWithSelector(IModelRegistry.PublicInputsMismatch.selector, 3, 4));
        binding.outputs = 1;
        bytes32[3] memory none = [bytes32(0), bytes32(SCALAR_MODULUS), bytes32(type(uint256).max)];
        for (uint256 i = 0; i < none.length; ++i) {
            commitment.modelHash = none[i];
            _refuses(
                commitment,
                binding,
                abi.encodeWithSelector(IModelRegistry.ModelCommitmentNotCanonical.selector, none[i])
            );
        }
        commitment.modelHash = bytes32(SCALAR_MODULUS - 1);
        uint256 modelId = registry.registerModelWithVerifier(commitment, binding);
        IModelRegistry.Entry memory entry = registry.getEntry(modelId);
        require(entry.binding.modelCommitted && entry.commitment.modelHash == commitment.modelHash, "not pinned");
        require(keccak256(abi.encode(entry.binding)) == keccak256(abi.encode(binding)), "binding");
    }

    function testFuzz_theRecordIsReadInPartsAsInWhole(ModelCommitment calldata commitment) public {
        VM.assume(bytes(commitment.uri).length <= registry.MAXIMUM_URI());
        uint256 modelId = registry.registerModel(commitment);
        (address record, uint32 version, ModelStatus status) = registry.recordOf(modelId);
        _dirtyMemory();
        Pinned memory pinned = ModelRecord.loadPinned(record);
        require(version == 1 && status == ModelStatus.Active, "version or status");
        require(pinned.modelHash == commitment.modelHash, "model hash");
        require(pinned.proofSystemId == commitment.proofSystemId, "proof system");
        require(keccak256(abi.encode(pinned.binding)) == keccak256(abi.encode(_none())), "binding");
        (record, version, status) = registry.recordOf(PUBLIC_MODEL);
        require(
            keccak256(abi.encode(ModelRecord.loadPinned(record).binding))
                == keccak256(abi.encode(_binding(verifier, 1))),
            "binding"
        );
    }

    function test_unknownModelsHaveNoRecord() public {
        VM.expectRevert(abi.encodeWithSelector(IERC7992Registry.ModelNotFound.selector, uint256(9)));
        registry.recordOf(9);
    }

    function test_aWalletIsNoVerifier() public {
        ModelCommitment memory commitment = _commitment(verifier);
        VerifierBinding memory binding = _binding(verifier, 0);
        // The hash that EXTCODEHASH gives of an account that has money and no code.
        (binding.verifier, binding.verifierCodeHash) = (alice, keccak256(""));
        VM.deal(alice, 1);
        _refuses(commitment, binding, abi.encodeWithSelector(IModelRegistry.VerifierHasNoCode.selector, alice));
    }

    /// forge-config: default.isolate = true
    function test_gas() public {
        // As long as a narrow model's; the toy's own is shorter.
        bytes memory long = new bytes(1280);
        for (uint256 i = 0; i < long.length; ++i) {
            long[i] = 0xab;
        }
        ModelCommitment memory commitment = _shapeCommitment(long);
        VerifierBinding memory binding = _shapeBinding(address(0), 0);
        bytes memory initCode = DataContract.initCode(long);
        uint256 gas = gasleft();
        binding.key = _create(initCode);
        // As a transaction of its own: the 32,000 of a creation are in the price of CREATE and in that of the transaction.
        uint256 keyGas = gas - gasleft() - 32_000;
        VM.snapshotValue("ModelRegistry", "key contract of 1,280 bytes", keyGas);
        registry.registerModelWithVerifier(commitment, binding);
        uint256 entryGas =
            VM.snapshotGasLastCall("ModelRegistry", "registerModelWithVerifier, key apart, uri of 66 bytes");
        require(keyGas + entryGas <= 500_000, "registering a model has become too dear");
        registry.registerModel(_commitment(verifier));
        VM.snapshotGasLastCall("ModelRegistry", "registerModel");
        registry.getEntry(PRIVATE_MODEL);
        VM.snapshotGasLastCall("ModelRegistry", "getEntry");
        registry.recordOf(PRIVATE_MODEL);
        VM.snapshotGasLastCall("ModelRegistry", "recordOf");
    }

    function _refuses(ModelCommitment memory commitment, VerifierBinding memory binding, bytes memory reason) private {
        VM.expectRevert(reason);
        registry.registerModelWithVerifier(commitment, binding);
        VM.prank(OWNER);
        VM.expectRevert(reason);
        registry.updateModelWithVerifier(PRIVATE_MODEL, commitment, binding);
    }

    function _none() private pure returns (VerifierBinding memory binding) {}

    function _same(ModelCommitment memory a, ModelCommitment memory b) private pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }
}
