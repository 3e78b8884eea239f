// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {CreditLine} from "../src/examples/CreditLine.sol";
import {IERC7992Verifier} from "../src/interfaces/IERC7992.sol";
import {IInferenceVerifier} from "../src/interfaces/IInferenceVerifier.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";

/// @notice The example lender, against applicants who want more than they get.
contract CreditLineTest is Stage {
    function test_opensALineAndLendsUpToItsLimit() public {
        _open(alice, "alice0");
        CreditLine.Line memory line = creditLine.lineOf(alice);
        require(line.limit == LIMIT && line.owed == 0 && line.expiresAt == block.timestamp + TERM, "line");
        uint256 before = alice.balance;
        VM.prank(alice);
        creditLine.draw(LIMIT);
        require(alice.balance == before + LIMIT && creditLine.lineOf(alice).owed == LIMIT, "drawn");
        VM.prank(alice);
        VM.expectRevert(abi.encodeWithSelector(CreditLine.LimitExceeded.selector, 0, 1));
        creditLine.draw(1);
        VM.prank(alice);
        creditLine.repay{value: LIMIT}();
        require(creditLine.lineOf(alice).owed == 0, "repaid");
    }

    function test_aProofOpensOneLine() public {
        _open(alice, "alice0");
        VM.warp(block.timestamp + TERM);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _open(alice, "alice0");
        _open(alice, "alice1");
    }

    function test_aLineIsOpenUntilItExpiresAndIsPaidBack() public {
        _open(alice, "alice0");
        uint256 expiresAt = block.timestamp + TERM;
        VM.prank(alice);
        creditLine.draw(1);
        VM.warp(expiresAt - 1);
        VM.expectRevert(abi.encodeWithSelector(CreditLine.LineStillOpen.selector, expiresAt, 1));
        _open(alice, "alice1");
        VM.prank(alice);
        creditLine.draw(1);
        VM.warp(expiresAt);
        VM.prank(alice);
        VM.expectRevert(CreditLine.NoOpenLine.selector);
        creditLine.draw(1);
        VM.expectRevert(abi.encodeWithSelector(CreditLine.LineStillOpen.selector, expiresAt, 2));
        _open(alice, "alice1");
        VM.prank(alice);
        creditLine.repay{value: 2}();
        _open(alice, "alice1");
    }

    function test_anotherApplicantsProofIsWorthNothing() public {
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _open(bob, "alice0");
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _open(MALLORY, "alice0");
        _open(alice, "alice0");
        _open(bob, "bob0");
    }

    function test_aProofForTheInferenceVerifierItselfIsWorthNothing() public {
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        _open(alice, "direct0");
    }

    function test_aProofForOneLenderIsWorthNothingToAnother() public {
        CreditLine other = new CreditLine(inference, creditLine.terms());
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        other.open(_output("alice0"), _proof("alice0"));
    }

    function test_aProvenRejectionOpensNothingAndUsesNothingUp() public {
        VM.expectRevert(abi.encodeWithSelector(CreditLine.ScoreTooLow.selector, MINIMUM_SCORE, 325));
        _open(alice, "rejected");
        _open(alice, "alice0");
    }

    function test_aProvenRejectionCannotBeDressedUp() public {
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        creditLine.open(_output("alice0"), _proof("rejected"));
    }

    function test_stopsWhenTheModelIsUpdatedDeprecatedOrFrozen() public {
        VM.startPrank(OWNER);
        registry.updateModelWithVerifier(PRIVATE_MODEL, _commitment(otherVerifier), _binding(otherVerifier, 0));
        VM.stopPrank();
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, PRIVATE_MODEL, uint256(1), 2)
        );
        _open(alice, "alice0");
        VM.prank(OWNER);
        registry.deprecateModel(PRIVATE_MODEL);
        VM.expectRevert(
            abi.encodeWithSelector(IERC7992Verifier.VerificationRefused_ModelDeprecated.selector, PRIVATE_MODEL)
        );
        _open(alice, "alice0");
        VM.prank(GUARDIAN);
        registry.freezeModel(PRIVATE_MODEL);
        VM.expectRevert(
            abi.encodeWithSelector(IInferenceVerifier.VerificationRefused_ModelFrozen.selector, PRIVATE_MODEL)
        );
        _open(alice, "alice0");
    }

    function test_openLinesOutliveTheModel() public {
        _open(alice, "alice0");
        VM.prank(GUARDIAN);
        registry.freezeModel(PRIVATE_MODEL);
        VM.prank(alice);
        creditLine.draw(LIMIT);
    }

    function test_reentrancyGainsNothing() public {
        reentrant.open(_output("reentrant"), _proof("reentrant"));
        reentrant.draw(LIMIT);
        require(reentrant.attacked() && !reentrant.succeeded(), "the attack went through, or never took place");
        require(address(reentrant).balance == LIMIT, "more than the limit");
        require(creditLine.lineOf(address(reentrant)).owed == LIMIT, "owed");
    }

    function test_reentrancyWithinTheLimitIsAnOrdinaryDraw() public {
        reentrant.open(_output("reentrant"), _proof("reentrant"));
        reentrant.draw(LIMIT / 2);
        require(reentrant.succeeded() && address(reentrant).balance == LIMIT, "two halves");
        require(creditLine.lineOf(address(reentrant)).owed == LIMIT, "owed");
    }

    function test_lendsNothingThatItDoesNotHave() public {
        _open(alice, "alice0");
        VM.deal(address(creditLine), LIMIT - 1);
        VM.prank(alice);
        VM.expectRevert(CreditLine.PaymentFailed.selector);
        creditLine.draw(LIMIT);
        require(creditLine.lineOf(alice).owed == 0, "owed");
    }

    function testFuzz_nobodyDrawsWithoutALine(address applicant, uint96 amount) public {
        VM.prank(applicant);
        VM.expectRevert(CreditLine.NoOpenLine.selector);
        creditLine.draw(amount);
    }

    function testFuzz_nobodyPaysBackMoreThanIsOwed(address applicant, uint96 amount) public {
        VM.assume(amount != 0);
        VM.deal(applicant, amount);
        VM.prank(applicant);
        VM.expectRevert(abi.encodeWithSelector(CreditLine.NotOwed.selector, 0, amount));
        creditLine.repay{value: amount}();
    }

    function test_refusesTermsWithoutMeaning() public {
        CreditLine.Terms memory terms = creditLine.terms();
        terms.modelVersion = 0;
        VM.expectRevert(CreditLine.VersionNotPinned.selector);
        new CreditLine(inference, terms);
        terms = creditLine.terms();
        terms.limit = 0;
        VM.expectRevert(CreditLine.EmptyTerms.selector);
        new CreditLine(inference, terms);
        terms = creditLine.terms();
        terms.term = 0;
        VM.expectRevert(CreditLine.EmptyTerms.selector);
        new CreditLine(inference, terms);
    }

    /// forge-config: default.isolate = true
    function test_gas() public {
        _open(alice, "alice0");
        VM.snapshotGasLastCall("CreditLine", "open");
        VM.prank(alice);
        creditLine.draw(LIMIT);
        VM.snapshotGasLastCall("CreditLine", "draw");
    }

    function _open(address applicant, string memory name) private {
        bytes memory output = _output(name);
        bytes memory proof = _proof(name);
        VM.prank(applicant);
        creditLine.open(output, proof);
    }
}
