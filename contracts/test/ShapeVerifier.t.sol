// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IShapeVerifier} from "../src/interfaces/IShapeVerifier.sol";
import {IVerdictVerifier} from "../src/interfaces/IVerdictVerifier.sol";
import {VM} from "./Vm.sol";

/// @notice Attacks on a verifier that many models share. Bytecode, keys and proofs are a fixture that the Rust tests keep
/// current.
contract ShapeVerifierTest {
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    IShapeVerifier private verifier;
    address private key;
    bytes private keyBytes;
    bytes32 private keyDigest;
    address private otherKey;
    bytes[] private proofs;
    uint256[][] private inputs;

    function setUp() public {
        string memory json = VM.readFile("contracts/fixtures/toy-shape.json");
        verifier = IShapeVerifier(_create(VM.parseJsonBytes(json, ".initCode")));
        keyBytes = VM.parseJsonBytes(json, ".key");
        keyDigest = abi.decode(VM.parseJsonBytes(json, ".keyDigest"), (bytes32));
        key = _createKey(bytes.concat(hex"00", keyBytes));
        otherKey = _createKey(bytes.concat(hex"00", VM.parseJsonBytes(json, ".otherKey")));
        proofs.push(VM.parseJsonBytes(json, ".proofs[0]"));
        proofs.push(VM.parseJsonBytes(json, ".proofs[1]"));
        inputs.push(VM.parseJsonUintArray(json, ".publicInputs[0]"));
        inputs.push(VM.parseJsonUintArray(json, ".publicInputs[1]"));
    }

    function test_acceptsProofsUnderTheirKey() public view {
        for (uint256 index = 0; index < proofs.length; ++index) {
            verifier.verify(key, proofs[index], inputs[index]);
            verifier.verifyWithKey(keyDigest, keyBytes, proofs[index], inputs[index]);
        }
        verifier.verifyBatch(key, proofs, inputs);
        require(verifier.PROOF_LENGTH() == proofs[0].length, "proof length");
        require(verifier.KEY_LENGTH() == keyBytes.length, "key length");
        require(keccak256(keyBytes) == keyDigest && verifier.VERSION() == 1, "digest, version");
        require(abi.decode(keyBytes, (bytes32)) == verifier.SHAPE(), "shape");
    }

    function test_rejectsOtherKeys() public {
        _assertRejected(_verify(otherKey, proofs[0], inputs[0]), IVerdictVerifier.ProofInvalid.selector);
        _assertRejected(_verify(address(0x77), proofs[0], inputs[0]), IShapeVerifier.KeyMissing.selector);
        _assertRejected(_verify(address(verifier), proofs[0], inputs[0]), IShapeVerifier.KeyMalformed.selector);
        address runnable = _createKey(bytes.concat(hex"01", keyBytes));
        _assertRejected(_verify(runnable, proofs[0], inputs[0]), IShapeVerifier.KeyMalformed.selector);
        address long = _createKey(bytes.concat(hex"00", keyBytes, hex"00"));
        _assertRejected(_verify(long, proofs[0], inputs[0]), IShapeVerifier.KeyMalformed.selector);
        bytes memory foreign = keyBytes;
        foreign[0] ^= 0x01;
        address shape = _createKey(bytes.concat(hex"00", foreign));
        _assertRejected(_verify(shape, proofs[0], inputs[0]), IShapeVerifier.KeyShapeMismatch.selector);
        (bool success, bytes memory reason) = address(verifier)
            .staticcall(abi.encodeCall(IShapeVerifier.verifyWithKey, (keyDigest, foreign, proofs[0], inputs[0])));
        require(!success, "accepted");
        _assertRejected(reason, IShapeVerifier.KeyDigestMismatch.selector);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_rejectsAFlippedBit(uint256 position) public view {
        bytes memory forged = proofs[0];
        position %= forged.length * 8;
        forged[position / 8] ^= bytes1(uint8(2 ** (position % 8)));
        require(_verify(key, forged, inputs[0]).length != 0, "accepted");
        bytes[] memory batch = proofs;
        batch[0] = forged;
        require(_verifyBatch(batch, inputs).length != 0, "accepted in a batch");
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_rejectsAFlippedBitOfTheKey(uint256 position) public {
        bytes memory forged = keyBytes;
        // The header's spare bytes have no meaning.
        position = 512 + position % (forged.length * 8 - 512);
        forged[position / 8] ^= bytes1(uint8(2 ** (position % 8)));
        address place = _createKey(bytes.concat(hex"00", forged));
        require(_verify(place, proofs[0], inputs[0]).length != 0, "accepted");
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_rejectsAnotherPublicInput(uint256 index, uint256 value) public view {
        index %= inputs[1].length;
        value %= SCALAR_MODULUS;
        uint256[][] memory forged = inputs;
        if (value == forged[1][index]) value = addmod(value, 1, SCALAR_MODULUS);
        forged[1][index] = value;
        _assertRejected(_verify(key, proofs[1], forged[1]), IVerdictVerifier.ProofInvalid.selector);
        _assertRejected(_verifyBatch(proofs, forged), IVerdictVerifier.ProofInvalid.selector);
    }

    function test_rejectsProofsInEachOthersPlace() public view {
        bytes[] memory swapped = new bytes[](2);
        (swapped[0], swapped[1]) = (proofs[1], proofs[0]);
        _assertRejected(_verifyBatch(swapped, inputs), IVerdictVerifier.ProofInvalid.selector);
        _assertRejected(_verifyBatch(new bytes[](0), inputs), IShapeVerifier.BatchLengthMismatch.selector);
        _assertRejected(_verifyBatch(new bytes[](0), new uint256[][](0)), IShapeVerifier.BatchLengthMismatch.selector);
    }

    function _verify(address at, bytes memory proof, uint256[] memory publicInputs)
        private
        view
        returns (bytes memory reason)
    {
        return _call(abi.encodeCall(IShapeVerifier.verify, (at, proof, publicInputs)));
    }

    function _verifyBatch(bytes[] memory batch, uint256[][] memory publicInputs)
        private
        view
        returns (bytes memory reason)
    {
        return _call(abi.encodeCall(IShapeVerifier.verifyBatch, (key, batch, publicInputs)));
    }

    /// @dev The data of the revert; nothing if the call returned.
    function _call(bytes memory data) private view returns (bytes memory reason) {
        bool success;
        (success, reason) = address(verifier).staticcall{gas: 2_000_000}(data);
        require(success == (reason.length == 0), "a silent revert");
    }

    function _assertRejected(bytes memory reason, bytes4 selector) private pure {
        require(reason.length >= 4 && bytes4(reason) == selector, "another reason");
    }

    /// @dev PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN.
    function _createKey(bytes memory code) private returns (address) {
        return _create(bytes.concat(hex"61", bytes2(uint16(code.length)), hex"80600a5f395ff3", code));
    }

    function _create(bytes memory initCode) private returns (address place) {
        assembly {
            place := create(0, add(initCode, 0x20), mload(initCode))
        }
        require(place != address(0), "deployment");
    }
}
