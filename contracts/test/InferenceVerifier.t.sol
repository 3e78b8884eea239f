// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {InferenceVerifier} from "../src/InferenceVerifier.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {IERC165} from "../src/interfaces/IERC165.sol";
import {HALO2_SHPLONK_BN254, IERC7992Storage, IERC7992Verifier, ModelCommitment} from "../src/interfaces/IERC7992.sol";
import {IInferenceVerifier} from "../src/interfaces/IInferenceVerifier.sol";
import {IModelRegistry, VerifierBinding} from "../src/interfaces/IModelRegistry.sol";
import {IVerdictVerifier} from "../src/interfaces/IVerdictVerifier.sol";
import {DataContract} from "../src/libraries/DataContract.sol";
import {VerdictContext} from "../src/libraries/VerdictContext.sol";
import {VM} from "./Vm.sol";
import {Metamorphic, MetamorphicFactory, Permissive} from "./support/Metamorphic.sol";
import {Stage} from "./support/Stage.sol";

/// @notice Attacks on the entry point, with a generated verifier and real proofs.
contract InferenceVerifierTest is Stage {
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    event InferenceVerified(
        uint256 indexed modelId, bytes32 indexed inputCommitment, bytes output, address indexed caller
    );

    MetamorphicFactory private factory;
    Metamorphic private metamorphic;
    uint256 private metamorphicModel;

    function setUp() public override {
        super.setUp();
        // A contract that destroys itself in the transaction of its creation, after its code was pinned.
        factory = new MetamorphicFactory();
        metamorphic = factory.create(address(verifier));
        VerifierBinding memory binding = _binding(verifier, 0);
        (binding.verifier, binding.verifierCodeHash) = (address(metamorphic), address(metamorphic).codehash);
        metamorphicModel = registry.registerModelWithVerifier(_commitment(verifier), binding);
        metamorphic.destroy();
    }

    function test_selectorsAndInterfaceIdsAreTheStandards() public view {
        require(IERC7992Verifier.verifyInference.selector == 0x80b171ef);
        require(IERC7992Verifier.proofSystemOf.selector == 0xa6571c04);
        require(IERC7992Verifier.registry.selector == 0x7b103999);
        require(IERC7992Storage.verifyAndStoreInference.selector == 0x718859d5);
        require(IERC7992Storage.getInference.selector == 0x584ee35c);
        require(HALO2_SHPLONK_BN254 == bytes4(keccak256("halo2-shplonk-bn254-v1")));
        bytes4[4] memory ids =
            [bytes4(0x5df65472), 0x29c6ba89, type(IERC165).interfaceId, type(IInferenceVerifier).interfaceId];
        for (uint256 i = 0; i < ids.length; ++i) {
            require(inference.supportsInterface(ids[i]), "supported");
        }
        require(!inference.supportsInterface(0xffffffff), "the invalid id");
        require(inference.registry() == address(registry), "registry");
        require(inference.proofSystemOf(PRIVATE_MODEL) == HALO2_SHPLONK_BN254, "proof system");
    }

    function test_acceptsAProofOnceAndTheNextOneAfterIt() public {
        VM.expectEmit(true, true, true, true);
        emit InferenceVerified(PRIVATE_MODEL, bytes32(0), _output("direct0"), alice);
        _direct("direct0");
        require(inference.nonceOf(alice, VerdictContext.subjectOf(alice)) == 1, "nonce");
        _expectInvalid();
        _direct("direct0");
        _direct("direct1");
        require(inference.nonceOf(alice, VerdictContext.subjectOf(alice)) == 2, "nonce");
    }

    function test_aProofOfTheNextNonceHasToWait() public {
        _expectInvalid();
        _direct("direct1");
    }

    function test_acceptsPublicInputs() public {
        (bytes memory output, bytes memory proof, bytes32 inputCommitment) = _withPublicInput("direct0");
        VM.prank(alice);
        inference.verifyInference(PUBLIC_MODEL, inputCommitment, output, proof);
    }

    function test_theContextIsTheDocumentedHash() public view {
        bytes32 typeHash = keccak256(
            "VerdictContext(uint256 chainId,address verifyingContract,address caller,bytes32 subject,uint256 nonce)"
        );
        bytes32 subject = bytes32(uint256(uint160(alice)));
        bytes memory words = abi.encode(typeHash, uint256(31337), address(inference), alice, subject, uint256(0));
        require(words.length == 192, "six words");
        require(inference.contextOf(alice, subject) == uint256(keccak256(words)) >> 3, "hash");
        require(inference.contextOf(alice, subject) == _publicInputs("direct0")[0], "what the prover computed");
    }

    // Front-running and replay.

    function test_nobodyElseCanUseAProofFromTheMempool() public {
        VM.prank(MALLORY);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), _output("direct0"), _proof("direct0"));
        // Nor name Alice as the subject.
        VM.prank(MALLORY);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.verifyInferenceFor(
            PRIVATE_MODEL, 1, VerdictContext.subjectOf(alice), bytes32(0), _output("direct0"), _proof("direct0")
        );
        _direct("direct0");
    }

    function test_nobodyCanUseUpSomebodyElsesNonce() public {
        // Mallory's proofs would count for Mallory alone; Alice's nonce stays where her proof expects it.
        require(inference.nonceOf(MALLORY, VerdictContext.subjectOf(alice)) == 0);
        test_nobodyElseCanUseAProofFromTheMempool();
        require(inference.nonceOf(MALLORY, VerdictContext.subjectOf(alice)) == 0, "Mallory's nonce");
    }

    function test_aProofForAConsumerIsWorthNothingDirectly() public {
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), _output("alice0"), _proof("alice0"));
    }

    function test_aProofForOneSubjectIsWorthNothingForAnother() public {
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.verifyInferenceFor(
            PRIVATE_MODEL, 1, VerdictContext.subjectOf(bob), bytes32(0), _output("direct0"), _proof("direct0")
        );
    }

    function test_aProofIsWorthNothingOnAnotherChain() public {
        VM.chainId(1);
        _expectInvalid();
        _direct("direct0");
        VM.chainId(31337);
        _direct("direct0");
    }

    function test_aProofIsWorthNothingInAnotherContract() public {
        InferenceVerifier elsewhere = new InferenceVerifier(registry);
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        elsewhere.verifyInference(PRIVATE_MODEL, bytes32(0), _output("direct0"), _proof("direct0"));
    }

    // Callers who keep count themselves.

    function test_aCallerWhoKeepsCountStoresNothingHere() public {
        bytes32 subject = VerdictContext.subjectOf(alice);
        require(inference.keptContextOf(alice, subject, 7) == _publicInputs("kept7")[0], "what the prover computed");
        for (uint256 i = 0; i < 2; ++i) {
            require(_kept(alice, subject, 7, "kept7").length == 2, "outputs");
        }
        require(inference.nonceOf(alice, subject) == 0, "a nonce was used up");
        _direct("direct0");
    }

    function test_aKeptProofIsForOneNonceOneCallerAndOneSubject() public {
        bytes32 subject = VerdictContext.subjectOf(alice);
        uint128[4] memory nonces = [uint128(0), 6, 8, type(uint128).max];
        for (uint256 i = 0; i < nonces.length; ++i) {
            VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
            _kept(alice, subject, nonces[i], "kept7");
        }
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _kept(MALLORY, subject, 7, "kept7");
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _kept(alice, VerdictContext.subjectOf(bob), 7, "kept7");
    }

    function test_keptAndCountedNoncesAreApart() public {
        bytes32 subject = VerdictContext.subjectOf(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _kept(alice, subject, 0, "direct0");
        _expectInvalid();
        _direct("kept7");
        require(inference.keptContextOf(alice, subject, 0) != inference.contextOf(alice, subject), "one context");
    }

    function test_aKeptProofIsOfThePinnedModelWithItsOutputs() public {
        bytes32 subject = VerdictContext.subjectOf(alice);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, PRIVATE_MODEL, uint256(2), 1)
        );
        inference.checkInferenceFor(PRIVATE_MODEL, 2, subject, 7, bytes32(0), _output("kept7"), _proof("kept7"));
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.checkInferenceFor(PRIVATE_MODEL, 1, subject, 7, bytes32(0), _output("alice1"), _proof("kept7"));
        VM.prank(OWNER);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(
            abi.encodeWithSelector(IERC7992Verifier.VerificationRefused_ModelDeprecated.selector, PRIVATE_MODEL)
        );
        _kept(alice, subject, 7, "kept7");
    }

    function _kept(address caller, bytes32 subject, uint128 nonce, string memory name)
        private
        returns (uint256[] memory)
    {
        (bytes memory output, bytes memory proof) = (_output(name), _proof(name));
        VM.prank(caller);
        return inference.checkInferenceFor(PRIVATE_MODEL, 1, subject, nonce, bytes32(0), output, proof);
    }

    // The model.

    function test_refusesDeprecatedFrozenAndUnknownModels() public {
        VM.prank(OWNER);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(
            abi.encodeWithSelector(IERC7992Verifier.VerificationRefused_ModelDeprecated.selector, PRIVATE_MODEL)
        );
        _direct("direct0");

        VM.prank(GUARDIAN);
        registry.freezeModel(PUBLIC_MODEL);
        (bytes memory output, bytes memory proof, bytes32 inputCommitment) = _withPublicInput("direct0");
        VM.prank(alice);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.VerificationRefused_ModelFrozen.selector, PUBLIC_MODEL)
        );
        inference.verifyInference(PUBLIC_MODEL, inputCommitment, output, proof);

        VM.expectRevert(abi.encodeWithSignature("ModelNotFound(uint256)", 99));
        inference.verifyInference(99, bytes32(0), output, proof);
    }

    function test_anUpdatedModelRefusesOldProofsAndTakesNewOnes() public {
        _expectInvalid();
        _direct("otherKey");
        _update();
        _expectInvalid();
        _direct("direct0");
        _direct("otherKey");
    }

    function test_aPinnedVersionIsNotSilentlyReplaced() public {
        _update();
        bytes32 subject = VerdictContext.subjectOf(alice);
        VM.prank(alice);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, PRIVATE_MODEL, uint256(1), 2)
        );
        inference.verifyInferenceFor(PRIVATE_MODEL, 1, subject, bytes32(0), _output("otherKey"), _proof("otherKey"));
        VM.prank(alice);
        inference.verifyInferenceFor(PRIVATE_MODEL, 2, subject, bytes32(0), _output("otherKey"), _proof("otherKey"));
    }

    function test_refusesAModelWithoutVerifierAndForeignProofSystems() public {
        ModelCommitment memory commitment = _commitment(verifier);
        uint256 bare = registry.registerModel(commitment);
        VM.expectRevert(abi.encodeWithSelector(IInferenceVerifier.ModelHasNoVerifier.selector, bare, 1));
        inference.verifyInference(bare, bytes32(0), _output("direct0"), _proof("direct0"));

        commitment.proofSystemId = 0x12345678;
        uint256 foreign = registry.registerModel(commitment);
        VM.expectRevert(abi.encodeWithSelector(IERC7992Verifier.UnsupportedProofSystem.selector, bytes4(0x12345678)));
        inference.verifyInference(foreign, bytes32(0), _output("direct0"), _proof("direct0"));
    }

    function test_refusesAVerifierWhoseCodeIsGone() public {
        VM.etch(address(verifier), "");
        VM.expectRevert(IERC7992Verifier.ModelMismatch.selector);
        _direct("direct0");
    }

    function test_refusesAVerifierThatCameBackWithOtherCode() public {
        require(address(metamorphic).code.length == 0, "it is gone");
        VM.expectRevert(IERC7992Verifier.ModelMismatch.selector);
        inference.verifyInference(metamorphicModel, bytes32(0), _output("direct0"), "");
        address back = factory.createPermissive();
        require(back == address(metamorphic), "it is back, and accepts everything");
        Permissive(back).verify("", new uint256[](0));
        VM.expectRevert(IERC7992Verifier.ModelMismatch.selector);
        inference.verifyInference(metamorphicModel, bytes32(0), _output("direct0"), "");
    }

    // A verifier of the second kind, with its key apart.

    function test_aShapesVerifierTakesTheKeyThatTheRegistryPinned() public {
        (uint256 modelId,) = _registerShape();
        VM.prank(alice);
        inference.verifyInference(modelId, bytes32(0), _output("direct0"), _proof("direct0"));
    }

    function test_aProofUnderAnotherKeyOfTheShapeIsRefused() public {
        (uint256 modelId,) = _registerShape();
        VM.prank(alice);
        _expectInvalid();
        inference.verifyInference(modelId, bytes32(0), _output("otherKey"), _proof("otherKey"));
        // Under its own key it is as good as any.
        modelId = registry.registerModelWithVerifier(
            _shapeCommitment(otherKey), _shapeBinding(DataContract.store(otherKey), 0)
        );
        VM.prank(alice);
        _expectInvalid();
        inference.verifyInference(modelId, bytes32(0), _output("direct0"), _proof("direct0"));
        VM.prank(alice);
        inference.verifyInference(modelId, bytes32(0), _output("otherKey"), _proof("otherKey"));
    }

    function test_aKeyContractIgnoresCallsAndSoCannotChange() public {
        (, address keyContract) = _registerShape();
        bytes32 codeHash = keyContract.codehash;
        require(keyContract.code[0] == 0, "STOP");
        (bool success,) = keyContract.call{gas: 100_000}(abi.encodeWithSignature("destroy()"));
        require(success && keyContract.codehash == codeHash, "the key changed");
    }

    // Committed models. The toy's `a` stands for the commitment: `[context, commitment, output]`.

    function test_aCommittedModelsProofShowsTheRegisteredCommitment() public {
        uint256 modelId = _registerCommitted(bytes32(_publicInputs("direct0")[1]));
        VM.prank(alice);
        inference.verifyInference(modelId, bytes32(0), _score("direct0"), _proof("direct0"));
    }

    function test_aProofByAnotherCommittedModelIsRefused() public {
        // Valid under the registered verifier and key, for this context; by a model with another commitment.
        require(_publicInputs("direct0")[1] == 11 && _publicInputs("direct1")[1] == 11, "the toy's a");
        uint256 modelId = _registerCommitted(bytes32(uint256(12)));
        VM.prank(alice);
        _expectInvalid();
        inference.verifyInference(modelId, bytes32(0), _score("direct0"), _proof("direct0"));
        // Nor can the caller show the commitment as an input or as an output.
        bytes memory proof = _proofWithInput("direct0");
        bytes memory output = _output("direct0");
        VM.startPrank(alice);
        VM.expectRevert(IERC7992Verifier.InputCommitmentMismatch.selector);
        inference.verifyInference(modelId, keccak256(abi.encode(uint256(11))), _score("direct0"), proof);
        VM.expectRevert(IERC7992Verifier.OutputMismatch.selector);
        inference.verifyInference(modelId, bytes32(0), output, proof);
        VM.stopPrank();
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_noOtherCommitmentPasses(uint256 commitment) public {
        commitment = 1 + commitment % (SCALAR_MODULUS - 1);
        VM.assume(commitment != 11);
        uint256 modelId = _registerCommitted(bytes32(commitment));
        VM.prank(alice);
        _expectInvalid();
        inference.verifyInference(modelId, bytes32(0), _score("direct0"), _proof("direct0"));
    }

    function test_anUpdatedCommitmentRefusesProofsByTheOldModel() public {
        uint256 modelId = _registerCommitted(bytes32(uint256(11)));
        (ModelCommitment memory commitment, VerifierBinding memory binding) = _committed(bytes32(uint256(12)));
        registry.updateModelWithVerifier(modelId, commitment, binding);
        VM.prank(alice);
        _expectInvalid();
        inference.verifyInference(modelId, bytes32(0), _score("direct0"), _proof("direct0"));
    }

    // Inputs, outputs, and the border between them.

    function test_refusesInputsPassedOffAsOutputsAndBack() public {
        // The words in the order of the proof, cut at another place.
        uint256[] memory words = _publicInputs("direct0");
        uint256[] memory one = new uint256[](1);
        one[0] = words[2];
        bytes memory proof = bytes.concat(bytes32(words[1]), _proof("direct0"));
        bytes32 inputCommitment = keccak256(abi.encode(words[1]));
        VM.startPrank(alice);
        VM.expectRevert(IERC7992Verifier.InputCommitmentMismatch.selector);
        inference.verifyInference(PRIVATE_MODEL, inputCommitment, abi.encode(one), proof);
        VM.expectRevert(IERC7992Verifier.OutputMismatch.selector);
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), abi.encode(one), proof);
        VM.expectRevert(IERC7992Verifier.OutputMismatch.selector);
        inference.verifyInference(PUBLIC_MODEL, inputCommitment, _output("direct0"), proof);
        VM.stopPrank();
    }

    function test_refusesAnotherInputCommitment() public {
        (bytes memory output, bytes memory proof, bytes32 inputCommitment) = _withPublicInput("direct0");
        VM.startPrank(alice);
        VM.expectRevert(IERC7992Verifier.InputCommitmentMismatch.selector);
        inference.verifyInference(PUBLIC_MODEL, bytes32(0), output, proof);
        VM.expectRevert(IERC7992Verifier.InputCommitmentMismatch.selector);
        inference.verifyInference(PUBLIC_MODEL, inputCommitment, output, hex"00");
        VM.expectRevert(IERC7992Verifier.InputCommitmentMismatch.selector);
        inference.verifyInference(PRIVATE_MODEL, inputCommitment, _output("direct0"), _proof("direct0"));
        VM.stopPrank();
    }

    function test_refusesAliasesOfPublicInputsAndOutputs() public {
        uint256[] memory words = _publicInputs("direct0");
        uint256[] memory outputs = new uint256[](2);
        (outputs[0], outputs[1]) = (words[1], words[2] + SCALAR_MODULUS);
        VM.prank(alice);
        VM.expectRevert(abi.encodeWithSelector(IVerdictVerifier.PublicInputNotCanonical.selector, uint256(2)));
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), abi.encode(outputs), _proof("direct0"));
    }

    function test_refusesOutputsThatAreNotCanonicallyEncoded() public {
        uint256[] memory words = _publicInputs("direct0");
        // The array stands one word further on, where the ABI's decoder would still find it.
        bytes memory moved = abi.encode(uint256(64), uint256(0), uint256(2), words[1], words[2]);
        bytes[4] memory forged = [
            moved,
            bytes.concat(_output("direct0"), bytes32(0)),
            abi.encode(uint256(33), uint256(2), words[1], words[2]),
            abi.encode(uint256(32), uint256(3), words[1], words[2])
        ];
        for (uint256 i = 0; i < forged.length; ++i) {
            VM.prank(alice);
            VM.expectRevert(IERC7992Verifier.OutputMismatch.selector);
            inference.verifyInference(PRIVATE_MODEL, bytes32(0), forged[i], _proof("direct0"));
        }
    }

    function test_namesWhatIsWrongWithAMalformedProof() public {
        bytes memory short = new bytes(32);
        VM.prank(alice);
        VM.expectRevert(
            abi.encodeWithSelector(IVerdictVerifier.ProofLengthMismatch.selector, verifier.PROOF_LENGTH(), 32)
        );
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), _output("direct0"), short);
    }

    function test_aMegabyteOfProofIsRefusedBeforeAnyArithmetic() public {
        bytes memory huge = new bytes(1 << 20);
        bytes memory output = _output("direct0");
        bytes memory data = abi.encodeCall(IERC7992Verifier.verifyInference, (PRIVATE_MODEL, bytes32(0), output, huge));
        VM.prank(alice);
        // A megabyte of memory costs 2.2 million, copying it 0.1 million; this is enough for one copy.
        (bool success, bytes memory reason) = address(inference).call{gas: 3_000_000}(data);
        require(!success && bytes4(reason) == IVerdictVerifier.ProofLengthMismatch.selector, "another error");
    }

    function test_tooLittleGasIsNoAcceptance() public {
        bytes memory data = abi.encodeCall(
            IERC7992Verifier.verifyInference, (PRIVATE_MODEL, bytes32(0), _output("direct0"), _proof("direct0"))
        );
        for (uint256 gas = 20_000; gas < 260_000; gas += 8_000) {
            VM.prank(alice);
            (bool success,) = address(inference).call{gas: gas}(data);
            require(!success, "accepted");
        }
        require(inference.nonceOf(alice, VerdictContext.subjectOf(alice)) == 0, "a nonce was used up");
        _direct("direct0");
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_refusesAFlippedBitAnywhereInTheCall(uint256 position) public {
        bytes memory proof = _proof("direct0");
        bytes memory output = _output("direct0");
        position %= (proof.length + output.length) * 8;
        bytes memory target = position / 8 < proof.length ? proof : output;
        uint256 index = position / 8 < proof.length ? position / 8 : position / 8 - proof.length;
        // forge-lint: disable-next-line(incorrect-shift)
        target[index] ^= bytes1(uint8(1 << (position % 8)));
        VM.prank(alice);
        (bool success,) = address(inference)
            .call(abi.encodeCall(IERC7992Verifier.verifyInference, (PRIVATE_MODEL, bytes32(0), output, proof)));
        require(!success, "a forged call was accepted");
    }

    function testFuzz_earlyChecksRefuseNoise(bytes32 inputCommitment, bytes calldata output, uint256 cut) public {
        // Short of the proof's length, so that no run reaches the pairing. Half of the runs pass the first check.
        bytes memory proof = new bytes(cut % 512);
        if (cut % 4 < 2) inputCommitment = 0;
        (bool success, bytes memory reason) = address(inference)
            .call(abi.encodeCall(IERC7992Verifier.verifyInference, (1 + (cut % 2), inputCommitment, output, proof)));
        require(!success && reason.length >= 4, "accepted, or no reason");
    }

    // The storage extension.

    function test_keepsInferences() public {
        VM.prank(alice);
        bytes32 id = inference.verifyAndStoreInference(PRIVATE_MODEL, bytes32(0), _output("direct0"), _proof("direct0"));
        VM.prank(alice);
        bytes32 next =
            inference.verifyAndStoreInference(PRIVATE_MODEL, bytes32(0), _output("direct1"), _proof("direct1"));
        require(id != next, "one id for two inferences");
        (uint256 modelId, bytes32 inputCommitment, bytes memory output) = inference.getInference(id);
        require(modelId == PRIVATE_MODEL && inputCommitment == 0, "model or input");
        require(keccak256(output) == keccak256(_output("direct0")), "output");
        VM.expectRevert(abi.encodeWithSelector(IInferenceVerifier.InferenceNotFound.selector, bytes32(0)));
        inference.getInference(bytes32(0));
    }

    function test_keepsNothingThatIsNotProven() public {
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        inference.verifyAndStoreInference(PRIVATE_MODEL, bytes32(0), _output("direct0"), _proof("direct0"));
    }

    function test_needsARegistry() public {
        VM.expectRevert(abi.encodeWithSelector(IInferenceVerifier.NotARegistry.selector, MALLORY));
        new InferenceVerifier(IModelRegistry(MALLORY));
    }

    /// forge-config: default.isolate = true
    function test_gas() public {
        _direct("direct0");
        VM.snapshotGasLastCall("InferenceVerifier", "verifyInference, private inputs");
        VM.prank(alice);
        inference.verifyAndStoreInference(PRIVATE_MODEL, bytes32(0), _output("direct1"), _proof("direct1"));
        VM.snapshotGasLastCall("InferenceVerifier", "verifyAndStoreInference, private inputs");
        verifier.verify(_proof("direct0"), _publicInputs("direct0"));
        VM.snapshotGasLastCall("InferenceVerifier", "the verifier alone");
    }

    function _update() private {
        VM.startPrank(OWNER);
        registry.updateModelWithVerifier(PRIVATE_MODEL, _commitment(otherVerifier), _binding(otherVerifier, 0));
        VM.stopPrank();
    }

    function _registerShape() private returns (uint256 modelId, address keyContract) {
        keyContract = DataContract.store(key);
        modelId = registry.registerModelWithVerifier(_shapeCommitment(key), _shapeBinding(keyContract, 0));
    }

    function _registerCommitted(bytes32 modelHash) private returns (uint256) {
        (ModelCommitment memory commitment, VerifierBinding memory binding) = _committed(modelHash);
        return registry.registerModelWithVerifier(commitment, binding);
    }

    function _committed(bytes32 modelHash)
        private
        view
        returns (ModelCommitment memory commitment, VerifierBinding memory binding)
    {
        (commitment, binding) = (_commitment(verifier), _binding(verifier, 0));
        commitment.modelHash = modelHash;
        (binding.outputs, binding.modelCommitted) = (1, true);
    }

    function _withPublicInput(string memory name)
        private
        view
        returns (bytes memory output, bytes memory proof, bytes32 inputCommitment)
    {
        (output, proof) = (_score(name), _proofWithInput(name));
        inputCommitment = keccak256(abi.encode(_publicInputs(name)[1]));
    }

    function _direct(string memory name) private {
        bytes memory output = _output(name);
        bytes memory proof = _proof(name);
        VM.prank(alice);
        inference.verifyInference(PRIVATE_MODEL, bytes32(0), output, proof);
    }

    function _expectInvalid() private {
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
    }
}
