// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {{{CONSUMER}}} from "../src/{{CONSUMER}}.sol";
import {{{INTERFACE}}, {{VERIFIER}}} from "../src/{{VERIFIER}}.sol";
{{KEY_IMPORT}}
/// @notice A real proof, of the model's answer to neutral inputs, in the context zero.
contract {{CONSUMER}}Test {
    bytes private constant PROOF = hex"{{PROOF}}";

    {{INTERFACE}} private verifier;
{{KEY_VARIABLE}}    {{CONSUMER}} private consumer;

    function setUp() public {
        verifier = {{INTERFACE}}(address(new {{VERIFIER}}()));
{{CREATE_KEY}}        consumer = new {{CONSUMER}}(verifier{{KEY_LAST}});
    }

    function test_theVerifierAcceptsTheProof() public view {
        verifier.verify({{KEY_ARGUMENT}}PROOF, _publicInputs());
    }

    function test_theVerifierRefusesAForgedPublicInput() public view {
        uint256[] memory publicInputs = _publicInputs();
        for (uint256 i = 0; i < publicInputs.length; ++i) {
            publicInputs[i] ^= 1;
            _assertRefused(address(verifier), abi.encodeCall({{INTERFACE}}.verify, ({{KEY_ARGUMENT}}PROOF, publicInputs)));
            publicInputs[i] ^= 1;
        }
    }

    function testFuzz_theVerifierRefusesAFlippedBit(uint256 position) public view {
        bytes memory proof = PROOF;
        position %= 8 * proof.length;
        proof[position / 8] ^= bytes1(uint8(1 << (position % 8)));
        _assertRefused(address(verifier), abi.encodeCall({{INTERFACE}}.verify, ({{KEY_ARGUMENT}}proof, _publicInputs())));
    }

    function test_theConsumerRefusesAProofOfAnotherContext() public {
        (bool success, bytes memory reason) =
            address(consumer).call(abi.encodeCall(consumer.decide, (PROOF, _publicInputs())));
        require(!success && bytes4(reason) == {{CONSUMER}}.AnotherContext.selector, "another outcome");
        require(consumer.nonces(address(this)) == 0, "a nonce was used up");
    }

    function test_theProofDecodesToTheModelsAnswer() public view {
        {{CONSUMER}}.Decision memory decision = consumer.decode(_publicInputs());
{{ASSERTIONS}}    }

    function _assertRefused(address target, bytes memory data) private view {
        (bool success,) = target.staticcall(data);
        require(!success, "a forgery was accepted");
    }

    function _publicInputs() private pure returns (uint256[] memory publicInputs) {
        publicInputs = new uint256[]({{COUNT}});
{{PUBLIC_INPUTS}}    }
}
