// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IVerdictVerifier} from "../src/interfaces/IVerdictVerifier.sol";
import {VM} from "./Vm.sol";

/// @notice Attacks on a generated verifier. The bytecode and the proof are a fixture that the Rust tests keep current.
contract VerdictVerifierTest {
    uint256 private constant SCALAR_MODULUS = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant BASE_MODULUS = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    /// @dev An honest verification takes about 250,000.
    uint256 private constant GAS_CEILING = 350_000;

    IVerdictVerifier private verifier;
    IVerdictVerifier private dirty;
    bytes private proof;
    uint256[] private inputs;
    uint256[] private points;

    function setUp() public {
        string memory json = VM.readFile("contracts/fixtures/toy.json");
        verifier = IVerdictVerifier(_deploy(VM.parseJsonBytes(json, ".initCode")));
        dirty = IVerdictVerifier(_deploy(VM.parseJsonBytes(json, ".dirtyInitCode")));
        proof = VM.parseJsonBytes(json, ".proof");
        inputs = VM.parseJsonUintArray(json, ".publicInputs");
        points = VM.parseJsonUintArray(json, ".pointOffsets");
    }

    function test_acceptsTheProof() public view {
        verifier.verify(proof, inputs);
        require(verifier.PROOF_LENGTH() == proof.length, "proof length");
        require(verifier.PUBLIC_INPUT_COUNT() == inputs.length, "public inputs");
        require(verifier.VERSION() == 1, "version");
    }

    function test_rejectsFlippedBitsInEveryWordOfTheProof() public view {
        bytes memory forged = proof;
        for (uint256 offset = 0; offset < forged.length; offset += 32) {
            for (uint256 place = 0; place < 3; ++place) {
                uint256 bit = [uint256(0), 127, 255][place];
                _flip(forged, offset, bit);
                _assertRejected(_call(verifier, forged, inputs));
                _flip(forged, offset, bit);
            }
        }
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_rejectsAFlippedBit(uint256 position) public view {
        bytes memory forged = proof;
        position %= forged.length * 8;
        _flip(forged, (position >> 8) << 5, position % 256);
        _assertRejected(_call(verifier, forged, inputs));
    }

    function test_rejectsAliasedPublicInputs() public view {
        for (uint256 index = 0; index < inputs.length; ++index) {
            uint256[] memory aliased = inputs;
            for (uint256 multiple = 1; multiple <= 4; ++multiple) {
                aliased[index] = inputs[index] + multiple * SCALAR_MODULUS;
                bytes memory reason = _call(verifier, proof, aliased);
                _assertError(reason, abi.encodeWithSelector(IVerdictVerifier.PublicInputNotCanonical.selector, index));
            }
        }
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_rejectsAnotherPublicInput(uint256 index, uint256 value) public view {
        index %= inputs.length;
        value %= SCALAR_MODULUS;
        uint256[] memory forged = inputs;
        if (value == forged[index]) value = addmod(value, 1, SCALAR_MODULUS);
        forged[index] = value;
        _assertSelector(_call(verifier, proof, forged), IVerdictVerifier.ProofInvalid.selector);
    }

    function test_rejectsAliasedCoordinatesAndTheIdentity() public view {
        for (uint256 point = 0; point < points.length; ++point) {
            bytes memory expected = abi.encodeWithSelector(IVerdictVerifier.ProofPointInvalid.selector, points[point]);
            for (uint256 offset = points[point]; offset < points[point] + 64; offset += 32) {
                bytes memory forged = proof;
                _write(forged, offset, _read(forged, offset) + BASE_MODULUS);
                _assertError(_call(verifier, forged, inputs), expected);
            }
            bytes memory identity = proof;
            _write(identity, points[point], 0);
            _write(identity, points[point] + 32, 0);
            _assertError(_call(verifier, identity, inputs), expected);
        }
    }

    function test_rejectsAliasedScalars() public view {
        uint256 aliases = 0;
        for (uint256 offset = 0; offset < proof.length; offset += 32) {
            if (_isInPoint(offset)) continue;
            bytes memory forged = proof;
            _write(forged, offset, _read(forged, offset) + SCALAR_MODULUS);
            bytes memory expected = abi.encodeWithSelector(IVerdictVerifier.ProofScalarNotCanonical.selector, offset);
            _assertError(_call(verifier, forged, inputs), expected);
            ++aliases;
        }
        require(aliases != 0, "the fixture has no scalars");
    }

    function test_rejectsWrongLengths() public view {
        uint256[6] memory lengths =
            [uint256(0), 32, proof.length - 32, proof.length - 1, proof.length + 1, proof.length + 32];
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes memory forged = new bytes(lengths[i]);
            for (uint256 j = 0; j < forged.length && j < proof.length; ++j) {
                forged[j] = proof[j];
            }
            _assertSelector(_call(verifier, forged, inputs), IVerdictVerifier.ProofLengthMismatch.selector);
        }
        _assertSelector(
            _call(verifier, proof, new uint256[](inputs.length + 1)), IVerdictVerifier.PublicInputCountMismatch.selector
        );
        _assertSelector(
            _call(verifier, proof, new uint256[](inputs.length - 1)), IVerdictVerifier.PublicInputCountMismatch.selector
        );
    }

    function test_rejectsTrailingAndMissingCalldata() public view {
        bytes memory data = abi.encodeCall(IVerdictVerifier.verify, (proof, inputs));
        (bool success, bytes memory reason) = address(verifier).staticcall(bytes.concat(data, hex"00"));
        require(!success, "trailing byte");
        _assertSelector(reason, IVerdictVerifier.CalldataLengthMismatch.selector);
        bytes memory short = new bytes(data.length - 32);
        for (uint256 i = 0; i < short.length; ++i) {
            short[i] = data[i];
        }
        (success,) = address(verifier).staticcall(short);
        require(!success, "missing word");
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_rejectsNoise(bytes calldata noise, uint256[3] calldata noiseInputs) public view {
        uint256[] memory forged = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            forged[i] = noiseInputs[i];
        }
        require(_call(verifier, noise, forged).length != 0, "no reason");
    }

    function test_dirtyMemoryChangesNothing() public view {
        dirty.verify(proof, inputs);
        bytes memory forged = proof;
        _flip(forged, forged.length - 64 * 2 - 32, 0);
        _assertSelector(_call(dirty, forged, inputs), IVerdictVerifier.ProofInvalid.selector);
    }

    /// @notice Why callers must look at the code: a low-level call to an address without code succeeds.
    function test_anAddressWithoutCodeAcceptsLowLevelCallsOnly() public view {
        address nobody = address(0xdead);
        (bool success,) = nobody.staticcall(abi.encodeCall(IVerdictVerifier.verify, (proof, inputs)));
        require(success, "the trap is gone");
        // Solidity's own check reverts in the caller, where no catch clause reaches it; hence the call to itself.
        (success,) = address(this).staticcall(abi.encodeCall(this.verifyAt, (nobody)));
        require(!success, "Solidity's own check is gone");
    }

    function verifyAt(address target) external view {
        IVerdictVerifier(target).verify(proof, inputs);
    }

    function _deploy(bytes memory initCode) private returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(initCode, 0x20), mload(initCode))
        }
        require(created.code.length != 0, "deployment failed");
    }

    function _call(IVerdictVerifier target, bytes memory forged, uint256[] memory forgedInputs)
        private
        view
        returns (bytes memory reason)
    {
        bytes memory data = abi.encodeCall(IVerdictVerifier.verify, (forged, forgedInputs));
        uint256 gas = gasleft();
        bool success;
        (success, reason) = address(target).staticcall(data);
        require(gas - gasleft() < GAS_CEILING, "a rejection must stay cheap");
        require(!success, "a forged proof was accepted");
    }

    function _assertRejected(bytes memory reason) private pure {
        bytes4 selector = bytes4(reason);
        require(
            selector == IVerdictVerifier.ProofInvalid.selector
                || selector == IVerdictVerifier.ProofPointInvalid.selector
                || selector == IVerdictVerifier.ProofScalarNotCanonical.selector,
            "another error"
        );
    }

    function _assertSelector(bytes memory reason, bytes4 selector) private pure {
        require(bytes4(reason) == selector, "another error");
    }

    function _assertError(bytes memory reason, bytes memory expected) private pure {
        require(keccak256(reason) == keccak256(expected), "another error, or another argument");
    }

    function _isInPoint(uint256 offset) private view returns (bool) {
        for (uint256 point = 0; point < points.length; ++point) {
            if (offset >= points[point] && offset < points[point] + 64) return true;
        }
        return false;
    }

    function _flip(bytes memory data, uint256 offset, uint256 bit) private pure {
        _write(data, offset, _read(data, offset) ^ (uint256(1) << bit));
    }

    function _read(bytes memory data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), offset))
        }
    }

    function _write(bytes memory data, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), offset), word)
        }
    }
}
