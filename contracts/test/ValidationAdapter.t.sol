// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {ValidationAdapter} from "../src/adapters/ValidationAdapter.sol";
import {IERC7992Verifier} from "../src/interfaces/IERC7992.sol";
import {IERC8004Validation} from "../src/interfaces/IERC8004Validation.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";
import {ValidationRegistry} from "./support/ValidationRegistry.sol";

/// @notice Answers to ERC-8004 requests: only for what is proven, once.
contract ValidationAdapterTest is Stage {
    function test_theSelectorIsTheStandards() public pure {
        require(IERC8004Validation.validationResponse.selector == 0x3d659a96);
    }

    function test_answersARequestWhoseClaimIsProven() public {
        ValidationAdapter.Claim memory claim = _claim();
        bytes32 requestHash = adapter.requestHashOf(claim);
        require(requestHash == _requestHash(), "another hash than the prover's");
        validation.validationRequest(address(adapter), requestHash);
        // Whoever has the proof may hand it in.
        VM.prank(MALLORY);
        adapter.prove(claim, _proof("claim"), "ipfs://evidence");
        ValidationRegistry.Answer memory answer = validation.answerTo(requestHash);
        require(answer.response == 100 && answer.count == 1, "response");
        require(keccak256(bytes(answer.responseURI)) == keccak256("ipfs://evidence"), "uri");
        require(answer.responseHash == keccak256(claim.output), "hash");
        require(keccak256(bytes(answer.tag)) == keccak256("halo2-shplonk-bn254-v1"), "tag");
        VM.expectRevert(abi.encodeWithSelector(ValidationAdapter.AlreadyAnswered.selector, requestHash));
        adapter.prove(claim, _proof("claim"), "");
    }

    function test_anotherClaimIsAnotherRequest() public {
        ValidationAdapter.Claim memory claim = _claim();
        claim.salt = 0;
        validation.validationRequest(address(adapter), adapter.requestHashOf(claim));
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        adapter.prove(claim, _proof("claim"), "");
        claim = _claim();
        claim.output = _output("rejected");
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        adapter.prove(claim, _proof("claim"), "");
    }

    function test_aBadProofFailsNobodysRequest() public {
        bytes32 requestHash = adapter.requestHashOf(_claim());
        validation.validationRequest(address(adapter), requestHash);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        adapter.prove(_claim(), _proof("direct0"), "");
        require(validation.answerTo(requestHash).count == 0, "answered");
        adapter.prove(_claim(), _proof("claim"), "");
    }

    function test_aRequestForAnotherValidatorStaysOpen() public {
        bytes32 requestHash = adapter.requestHashOf(_claim());
        validation.validationRequest(MALLORY, requestHash);
        VM.expectRevert(
            abi.encodeWithSelector(ValidationRegistry.NotTheValidator.selector, requestHash, address(adapter))
        );
        adapter.prove(_claim(), _proof("claim"), "");
        require(inference.nonceOf(address(adapter), requestHash) == 0, "the proof was used up");
    }

    function test_aClaimNamesItsVersion() public {
        ValidationAdapter.Claim memory claim = _claim();
        claim.version = 0;
        VM.expectRevert(ValidationAdapter.VersionNotNamed.selector);
        adapter.prove(claim, _proof("claim"), "");
    }

    function _claim() private view returns (ValidationAdapter.Claim memory) {
        return ValidationAdapter.Claim(
            PRIVATE_MODEL, 1, 0, _output("claim"), bytes32(uint256(0x5a) * (type(uint256).max / 255))
        );
    }
}
