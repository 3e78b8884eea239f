// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {InferenceVerifier} from "../src/InferenceVerifier.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {CreditLine} from "../src/examples/CreditLine.sol";
import {HALO2_SHPLONK_BN254, ModelCommitment} from "../src/interfaces/IERC7992.sol";
import {VerifierBinding} from "../src/interfaces/IModelRegistry.sol";
import {IShapeVerifier} from "../src/interfaces/IShapeVerifier.sol";
import {DataContract} from "../src/libraries/DataContract.sol";
import {VM} from "./Vm.sol";

/// @notice What an attested line costs with the example models: shipped verifiers, their keys apart, committed inputs, and
/// the signature that `zkverdict attest` makes. A Rust test keeps the fixtures current.
contract AttestedCreditTest {
    address private constant OWNER = address(0x70);
    /// @dev The most that opening a line may cost, with the transaction and its calldata.
    uint256 private constant MAXIMUM_GAS = 450_000;

    /// forge-config: default.isolate = true
    function test_gas_logreg() public {
        _open("credit-logreg", "open, logreg, committed and attested");
    }

    /// forge-config: default.isolate = true
    function test_gas_gbdt() public {
        _open("credit-gbdt", "open, gbdt, committed and attested");
    }

    function _open(string memory fixture, string memory name) private {
        string memory json = VM.readFile(string.concat("contracts/fixtures/", fixture, ".json"));
        uint256[] memory words = VM.parseJsonUintArray(json, ".publicInputs");
        CreditLine creditLine = _deploy(json, words.length - 2);
        require(address(creditLine) == VM.parseJsonAddress(json, ".creditLine"), "credit line's address");

        uint256[] memory outputs = new uint256[](words.length - 2);
        for (uint256 i = 0; i < outputs.length; ++i) {
            outputs[i] = words[2 + i];
        }
        bytes memory output = abi.encode(outputs);
        bytes memory proof = bytes.concat(bytes32(words[1]), VM.parseJsonBytes(json, ".proof"));
        CreditLine.Attested memory attested = CreditLine.Attested({
            issuedAt: uint64(VM.parseJsonUint(json, ".attestation.issued_at")),
            expiresAt: uint64(VM.parseJsonUint(json, ".attestation.expires_at")),
            signature: VM.parseJsonBytes(json, ".attestation.signature")
        });
        address applicant = VM.parseJsonAddress(json, ".applicant");
        VM.prank(applicant);
        creditLine.open(output, proof, attested);
        uint256 gas = VM.snapshotGasLastCall("CreditLine", name);
        require(gas <= MAXIMUM_GAS, "an attested line has become too dear");
        require(creditLine.lineOf(applicant).limit == 1 ether, "no line");
    }

    /// @dev In the order that the fixture's contexts follow from.
    function _deploy(string memory json, uint256 outputs) private returns (CreditLine creditLine) {
        bytes memory key = VM.parseJsonBytes(json, ".key");
        VM.startPrank(VM.parseJsonAddress(json, ".deployer"));
        IShapeVerifier verifier = IShapeVerifier(_create(VM.parseJsonBytes(json, ".initCode")));
        address keyContract = _create(DataContract.initCode(key));
        ModelRegistry registry = new ModelRegistry(address(0));
        InferenceVerifier inference = new InferenceVerifier(registry);
        creditLine = new CreditLine(
            inference, OWNER, CreditLine.Terms(1, 1, outputs - 1, 1, 1 ether, 30 days, type(uint64).max)
        );
        VM.stopPrank();
        VM.prank(OWNER);
        creditLine.registerBureau(VM.parseJsonAddress(json, ".attestation.bureau"));
        ModelCommitment memory commitment = ModelCommitment({
            modelHash: 0,
            circuitHash: verifier.SHAPE(),
            vkHash: keccak256(key),
            proofSystemId: HALO2_SHPLONK_BN254,
            uri: "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
        });
        registry.registerModelWithVerifier(
            commitment,
            VerifierBinding(address(verifier), address(verifier).codehash, keyContract, 1, uint16(outputs), false)
        );
    }

    function _create(bytes memory initCode) private returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(initCode, 0x20), mload(initCode))
        }
        require(created != address(0), "deployment failed");
    }
}
