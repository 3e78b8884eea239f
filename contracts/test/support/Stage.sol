// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AuditRegistry} from "../../src/AuditRegistry.sol";
import {InferenceVerifier} from "../../src/InferenceVerifier.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {ValidationAdapter} from "../../src/adapters/ValidationAdapter.sol";
import {CreditLine} from "../../src/examples/CreditLine.sol";
import {IERC8004Validation} from "../../src/interfaces/IERC8004Validation.sol";
import {HALO2_SHPLONK_BN254, ModelCommitment} from "../../src/interfaces/IERC7992.sol";
import {VerifierBinding} from "../../src/interfaces/IModelRegistry.sol";
import {IShapeVerifier} from "../../src/interfaces/IShapeVerifier.sol";
import {IVerdictVerifier} from "../../src/interfaces/IVerdictVerifier.sol";
import {VM} from "../Vm.sol";
import {ReentrantBorrower} from "./ReentrantBorrower.sol";
import {ValidationRegistry} from "./ValidationRegistry.sol";

/// @notice Everything deployed, with a generated verifier and real proofs.
/// @dev The proofs' contexts hold the addresses of contracts, which follow from the deployer and the order of its
/// transactions: the Rust test that writes the fixture knows both.
/// The toy's public inputs are `[context, a, 5ab]`. Model 1 takes both numbers for outputs, so that its inputs are
/// private; model 2 takes `a` for a public input, which to the lender is the commitment to the applicant's data.
abstract contract Stage {
    address internal constant OWNER = address(0x70);
    address internal constant GUARDIAN = address(0x6a);
    address internal constant MALLORY = address(0x3a);
    uint256 internal constant PRIVATE_MODEL = 1;
    uint256 internal constant PUBLIC_MODEL = 2;
    uint256 internal constant MINIMUM_SCORE = 600;
    uint96 internal constant LIMIT = 1 ether;
    uint64 internal constant TERM = 30 days;
    uint64 internal constant MAXIMUM_AGE = 90 days;
    /// @dev Private keys.
    uint256 internal constant BUREAU = 0xb00;
    uint256 internal constant OTHER_BUREAU = 0xb01;

    string private _inferences;
    address internal alice;
    address internal bob;
    IVerdictVerifier internal verifier;
    ModelRegistry internal registry;
    InferenceVerifier internal inference;
    CreditLine internal creditLine;
    ValidationRegistry internal validation;
    ValidationAdapter internal adapter;
    ReentrantBorrower internal reentrant;
    IVerdictVerifier internal otherVerifier;
    AuditRegistry internal audits;
    /// @dev The verifier of the toys' shape, and the keys of both: what their own verifiers accept, it accepts under its key.
    IShapeVerifier internal shapeVerifier;
    bytes internal key;
    bytes internal otherKey;

    function setUp() public virtual {
        string memory toy = VM.readFile("contracts/fixtures/toy.json");
        _inferences = VM.readFile("contracts/fixtures/inferences.json");
        (alice, bob) = (VM.parseJsonAddress(_inferences, ".alice"), VM.parseJsonAddress(_inferences, ".bob"));
        address deployer = VM.parseJsonAddress(_inferences, ".deployer");
        VM.deal(deployer, 10 * uint256(LIMIT));

        VM.startPrank(deployer);
        verifier = IVerdictVerifier(_create(VM.parseJsonBytes(toy, ".initCode")));
        registry = new ModelRegistry(GUARDIAN);
        inference = new InferenceVerifier(registry);
        creditLine = new CreditLine{value: 10 * uint256(LIMIT)}(
            inference, OWNER, CreditLine.Terms(PUBLIC_MODEL, 1, 0, MINIMUM_SCORE, LIMIT, TERM, MAXIMUM_AGE)
        );
        validation = new ValidationRegistry();
        adapter = new ValidationAdapter(IERC8004Validation(address(validation)), inference);
        reentrant = new ReentrantBorrower(creditLine);
        otherVerifier = IVerdictVerifier(_create(VM.parseJsonBytes(_inferences, ".otherInitCode")));
        string memory shape = VM.readFile("contracts/fixtures/toy-shape.json");
        shapeVerifier = IShapeVerifier(_create(VM.parseJsonBytes(shape, ".initCode")));
        audits = new AuditRegistry(inference);
        VM.stopPrank();
        (key, otherKey) = (VM.parseJsonBytes(shape, ".key"), VM.parseJsonBytes(shape, ".otherKey"));

        require(address(inference) == VM.parseJsonAddress(_inferences, ".inference"), "inference verifier's address");
        require(address(creditLine) == VM.parseJsonAddress(_inferences, ".creditLine"), "credit line's address");
        require(address(adapter) == VM.parseJsonAddress(_inferences, ".adapter"), "adapter's address");
        require(address(audits) == VM.parseJsonAddress(_inferences, ".audits"), "audit registry's address");
        require(address(reentrant) == VM.parseJsonAddress(_inferences, ".reentrant"), "borrower's address");

        VM.startPrank(OWNER);
        creditLine.registerBureau(VM.addr(BUREAU));
        require(registry.registerModelWithVerifier(_commitment(verifier), _binding(verifier, 0)) == PRIVATE_MODEL);
        require(registry.registerModelWithVerifier(_commitment(verifier), _binding(verifier, 1)) == PUBLIC_MODEL);
        VM.stopPrank();
    }

    function _commitment(IVerdictVerifier target) internal view returns (ModelCommitment memory) {
        return ModelCommitment({
            modelHash: keccak256("the toy's ONNX file"),
            circuitHash: target.CIRCUIT_DIGEST(),
            vkHash: target.VERIFYING_KEY_DIGEST(),
            proofSystemId: HALO2_SHPLONK_BN254,
            uri: "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
        });
    }

    function _binding(IVerdictVerifier target, uint16 inputs) internal view returns (VerifierBinding memory) {
        return VerifierBinding({
            verifier: address(target),
            verifierCodeHash: address(target).codehash,
            key: address(0),
            inputs: inputs,
            outputs: 2 - inputs,
            modelCommitted: false
        });
    }

    /// @dev The toys' shape, with a key apart.
    function _shapeCommitment(bytes memory keyBytes) internal view returns (ModelCommitment memory commitment) {
        commitment = _commitment(verifier);
        (commitment.circuitHash, commitment.vkHash) = (shapeVerifier.SHAPE(), keccak256(keyBytes));
    }

    function _shapeBinding(address keyContract, uint16 inputs) internal view returns (VerifierBinding memory binding) {
        binding = _binding(verifier, inputs);
        (binding.verifier, binding.verifierCodeHash) = (address(shapeVerifier), address(shapeVerifier).codehash);
        binding.key = keyContract;
    }

    function _proof(string memory name) internal view returns (bytes memory) {
        return VM.parseJsonBytes(_inferences, string.concat(".proofs.", name, ".proof"));
    }

    function _publicInputs(string memory name) internal view returns (uint256[] memory) {
        return VM.parseJsonUintArray(_inferences, string.concat(".proofs.", name, ".publicInputs"));
    }

    /// @dev The output of a proof for the model whose inputs are private.
    function _output(string memory name) internal view returns (bytes memory) {
        uint256[] memory words = _publicInputs(name);
        uint256[] memory outputs = new uint256[](2);
        (outputs[0], outputs[1]) = (words[1], words[2]);
        return abi.encode(outputs);
    }

    /// @dev The output of a proof for the model with a public input.
    function _score(string memory name) internal view returns (bytes memory) {
        uint256[] memory outputs = new uint256[](1);
        outputs[0] = _publicInputs(name)[2];
        return abi.encode(outputs);
    }

    /// @dev The public input's word, and a proof.
    function _proofWithInput(string memory name) internal view returns (bytes memory) {
        return bytes.concat(bytes32(_publicInputs(name)[1]), _proof(name));
    }

    /// @dev A bureau's word on the input of a proof, given now, for a week.
    function _attest(uint256 bureau, CreditLine lender, address applicant, string memory name)
        internal
        view
        returns (CreditLine.Attested memory)
    {
        (uint64 issuedAt, uint64 expiresAt) = (uint64(block.timestamp), uint64(block.timestamp) + 7 days);
        bytes32 digest = lender.attestationDigest(applicant, _publicInputs(name)[1], issuedAt, expiresAt);
        return CreditLine.Attested(issuedAt, expiresAt, _sign(bureau, digest));
    }

    function _sign(uint256 privateKey, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The hash of the block that the proofs of audits were made for.
    function _seedBlockHash() internal view returns (bytes32) {
        return VM.parseJsonBytes32(_inferences, ".seedBlock");
    }

    function _requestHash() internal view returns (bytes32) {
        return VM.parseJsonBytes32(_inferences, ".requestHash");
    }

    function _create(bytes memory initCode) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(initCode, 0x20), mload(initCode))
        }
        require(created != address(0), "deployment failed");
    }

    /// @dev Fills the memory that comes next with noise, as another library would leave it.
    function _dirtyMemory() internal pure {
        assembly ("memory-safe") {
            let free := mload(0x40)
            for { let offset := 0 } lt(offset, 0x2000) { offset := add(offset, 0x20) } {
                mstore(add(free, offset), not(offset))
            }
        }
    }
}
