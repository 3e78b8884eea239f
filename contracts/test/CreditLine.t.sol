// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {CreditLine} from "../src/examples/CreditLine.sol";
import {IERC7992Verifier} from "../src/interfaces/IERC7992.sol";
import {IInferenceVerifier} from "../src/interfaces/IInferenceVerifier.sol";
import {Attestations} from "../src/libraries/Attestations.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";

/// @notice The example lender, against applicants who want more than they get.
contract CreditLineTest is Stage {
    uint256 private constant SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

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
        _openRefused(alice, "alice0", abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector));
        _open(alice, "alice1");
    }

    function test_aLineIsOpenUntilItExpiresAndIsPaidBack() public {
        _open(alice, "alice0");
        uint256 expiresAt = block.timestamp + TERM;
        VM.prank(alice);
        creditLine.draw(1);
        VM.warp(expiresAt - 1);
        _openRefused(alice, "alice1", abi.encodeWithSelector(CreditLine.LineStillOpen.selector, expiresAt, 1));
        VM.prank(alice);
        creditLine.draw(1);
        VM.warp(expiresAt);
        VM.prank(alice);
        VM.expectRevert(CreditLine.NoOpenLine.selector);
        creditLine.draw(1);
        _openRefused(alice, "alice1", abi.encodeWithSelector(CreditLine.LineStillOpen.selector, expiresAt, 2));
        VM.prank(alice);
        creditLine.repay{value: 2}();
        _open(alice, "alice1");
    }

    function test_anotherApplicantsProofIsWorthNothing() public {
        _openRefused(bob, "alice0", abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector));
        _openRefused(MALLORY, "alice0", abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector));
        _open(alice, "alice0");
        _open(bob, "bob0");
    }

    function test_aProofForTheInferenceVerifierItselfIsWorthNothing() public {
        _openRefused(alice, "direct0", abi.encodeWithSelector(IERC7992Verifier.InvalidProof.selector));
    }

    function test_aProofForOneLenderIsWorthNothingToAnother() public {
        CreditLine other = _otherLender();
        CreditLine.Attested memory attested = _attest(BUREAU, other, alice, "alice0");
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        other.open(_score("alice0"), _proofWithInput("alice0"), attested);
    }

    function test_aProvenRejectionOpensNothingAndUsesNothingUp() public {
        _openRefused(alice, "rejected", abi.encodeWithSelector(CreditLine.ScoreTooLow.selector, MINIMUM_SCORE, 325));
        _open(alice, "alice0");
    }

    function test_aProvenRejectionCannotBeDressedUp() public {
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "rejected");
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        creditLine.open(_score("alice0"), _proofWithInput("rejected"), attested);
    }

    // Attestations.

    function test_somebodyElsesSignatureIsNoAttestation() public {
        _refuses(
            _attest(OTHER_BUREAU, creditLine, alice, "alice0"),
            abi.encodeWithSelector(CreditLine.NotABureau.selector, VM.addr(OTHER_BUREAU))
        );
    }

    function test_aRevokedBureausAttestationsAreWorthNothing() public {
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        VM.prank(OWNER);
        creditLine.revokeBureau(VM.addr(BUREAU));
        _refuses(attested, abi.encodeWithSelector(CreditLine.NotABureau.selector, VM.addr(BUREAU)));
        VM.prank(OWNER);
        creditLine.registerBureau(VM.addr(OTHER_BUREAU));
        _openWith(alice, "alice0", _attest(OTHER_BUREAU, creditLine, alice, "alice0"));
    }

    function test_onlyTheOwnerSaysWhichBureausCount() public {
        address[3] memory strangers = [alice, MALLORY, VM.addr(BUREAU)];
        for (uint256 i = 0; i < strangers.length; ++i) {
            bytes memory refused = abi.encodeWithSelector(CreditLine.NotOwner.selector, strangers[i]);
            VM.startPrank(strangers[i]);
            VM.expectRevert(refused);
            creditLine.registerBureau(strangers[i]);
            VM.expectRevert(refused);
            creditLine.revokeBureau(VM.addr(BUREAU));
            VM.stopPrank();
        }
        require(!creditLine.isBureau(MALLORY) && creditLine.isBureau(VM.addr(BUREAU)), "changed");
    }

    function test_anAttestationForAnotherSubjectIsWorthNothing() public {
        _refusesForgery(_attest(BUREAU, creditLine, bob, "alice0"));
    }

    function test_anAttestationOfOtherDataIsWorthNothing() public {
        // Signed for the data behind another proof of the same applicant.
        require(_publicInputs("alice0")[1] != _publicInputs("alice1")[1], "the same data");
        _refusesForgery(_attest(BUREAU, creditLine, alice, "alice1"));
    }

    function test_attestedDataIsTheDataOfTheProof() public {
        // The attested word in front of a proof about other data.
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice1");
        bytes memory proof = bytes.concat(bytes32(_publicInputs("alice1")[1]), _proof("alice0"));
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        creditLine.open(_score("alice0"), proof, attested);
        // Both words, for a model that has one.
        proof = bytes.concat(bytes32(_publicInputs("alice1")[1]), _proofWithInput("alice0"));
        VM.prank(alice);
        (bool success,) = address(creditLine).call(abi.encodeCall(creditLine.open, (_score("alice0"), proof, attested)));
        require(!success, "accepted");
        VM.prank(alice);
        (success,) = address(creditLine).call(abi.encodeCall(creditLine.open, (_score("alice0"), hex"00", attested)));
        require(!success, "accepted");
    }

    function test_anAttestationForAnotherLenderIsWorthNothing() public {
        _refusesForgery(_attest(BUREAU, _otherLender(), alice, "alice0"));
    }

    function test_anAttestationForAnotherModelIsWorthNothing() public {
        CreditLine.Terms memory terms = creditLine.terms();
        (terms.modelId, terms.modelVersion) = (PRIVATE_MODEL, 1);
        bytes32 digest = creditLine.attestationDigest(alice, 11, 1, 2);
        // Another lender's code at this lender's address: the same domain, another model.
        VM.etch(address(creditLine), address(new CreditLine(inference, OWNER, terms)).code);
        require(creditLine.attestationDigest(alice, 11, 1, 2) != digest, "the model is not signed");
        (terms.modelId, terms.modelVersion) = (PUBLIC_MODEL, 2);
        VM.etch(address(creditLine), address(new CreditLine(inference, OWNER, terms)).code);
        require(creditLine.attestationDigest(alice, 11, 1, 2) != digest, "the version is not signed");
    }

    function test_anAttestationForAnotherChainIsWorthNothing() public {
        VM.chainId(1);
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        VM.chainId(31337);
        _refusesForgery(attested);
    }

    function test_anAttestationHoldsFromItsTimeUntilItsEnd() public {
        VM.warp(200 days);
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        VM.warp(attested.issuedAt - 1);
        _refuses(attested, abi.encodeWithSelector(Attestations.AttestationNotIssuedYet.selector, attested.issuedAt));
        VM.warp(attested.expiresAt);
        _refuses(attested, abi.encodeWithSelector(Attestations.AttestationExpired.selector, attested.expiresAt));
        VM.warp(attested.expiresAt - 1);
        _openWith(alice, "alice0", attested);
    }

    function test_theLenderAcceptsNoOldData() public {
        VM.warp(200 days);
        (uint64 issuedAt, uint64 expiresAt) = (uint64(block.timestamp), uint64(block.timestamp) + 1000 days);
        CreditLine.Attested memory attested = _attestFor(alice, issuedAt, expiresAt);
        VM.warp(issuedAt + MAXIMUM_AGE + 1);
        _refuses(attested, abi.encodeWithSelector(Attestations.AttestationTooOld.selector, issuedAt, MAXIMUM_AGE));
        VM.warp(issuedAt + MAXIMUM_AGE);
        _openWith(alice, "alice0", attested);
    }

    function testFuzz_timesThatWereNotSignedAreRefused(uint64 issuedAt, uint64 expiresAt) public {
        VM.warp(200 days);
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        VM.assume(issuedAt != attested.issuedAt || expiresAt != attested.expiresAt);
        (attested.issuedAt, attested.expiresAt) = (issuedAt, expiresAt);
        VM.prank(alice);
        (bool success,) = address(creditLine)
            .call(abi.encodeCall(creditLine.open, (_score("alice0"), _proofWithInput("alice0"), attested)));
        require(!success, "accepted");
    }

    function test_aSignatureHasOneForm() public {
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        bytes memory honest = attested.signature;
        (bytes32 r, bytes32 s, uint8 v) = _split(honest);
        bytes memory notCanonical = abi.encodeWithSelector(Attestations.SignatureNotCanonical.selector);

        // The other signature that ecrecover takes for the same signer.
        bytes32 high = bytes32(SECP256K1_ORDER - uint256(s));
        uint8 other = v == 27 ? 28 : 27;
        bytes32 digest =
            creditLine.attestationDigest(alice, _publicInputs("alice0")[1], attested.issuedAt, attested.expiresAt);
        require(ecrecover(digest, other, r, high) == VM.addr(BUREAU), "it would be accepted");
        attested.signature = abi.encodePacked(r, high, other);
        _refuses(attested, notCanonical);

        bytes[5] memory forms = [
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, uint8(0)),
            abi.encodePacked(honest, uint8(0)),
            abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))),
            bytes("")
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            attested.signature = forms[i];
            _refuses(attested, notCanonical);
        }
        attested.signature = abi.encodePacked(bytes32(0), s, v);
        _refuses(attested, abi.encodeWithSelector(Attestations.SignatureInvalid.selector));
        attested.signature = abi.encodePacked(r, bytes32(0), v);
        _refuses(attested, abi.encodeWithSelector(Attestations.SignatureInvalid.selector));
        attested.signature = honest;
        _openWith(alice, "alice0", attested);
    }

    /// @dev `ecrecover` answers zero to nonsense; a lender that registers nobody, by mistake, registers nobody.
    function test_nobodyIsNoBureau() public {
        VM.prank(OWNER);
        creditLine.registerBureau(address(0));
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        attested.signature = abi.encodePacked(bytes32(0), bytes32(0), uint8(27));
        _refuses(attested, abi.encodeWithSelector(Attestations.SignatureInvalid.selector));
    }

    function testFuzz_aFlippedBitOfASignatureIsRefused(uint256 position) public {
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, alice, "alice0");
        position %= attested.signature.length * 8;
        attested.signature[position / 8] ^= bytes1(uint8(2 ** (position % 8)));
        VM.prank(alice);
        (bool success, bytes memory reason) = address(creditLine)
            .call(abi.encodeCall(creditLine.open, (_score("alice0"), _proofWithInput("alice0"), attested)));
        require(!success, "accepted");
        bytes4 selector = bytes4(reason);
        require(
            selector == CreditLine.NotABureau.selector || selector == Attestations.SignatureNotCanonical.selector
                || selector == Attestations.SignatureInvalid.selector,
            "refused too late"
        );
    }

    function test_anAttestationIsGoodForProofsUntilItExpires() public {
        CreditLine.Attested memory attested =
            _attestFor(alice, uint64(block.timestamp), uint64(block.timestamp) + 60 days);
        _openWith(alice, "alice0", attested);
        VM.warp(block.timestamp + TERM);
        // The same proof is used up, whatever is attested.
        CreditLine.Attested memory again = _attest(BUREAU, creditLine, alice, "alice0");
        VM.prank(alice);
        VM.expectRevert(IERC7992Verifier.InvalidProof.selector);
        creditLine.open(_score("alice0"), _proofWithInput("alice0"), again);
        // Another proof about the same data would be as good as the first; this one is about other data.
        VM.prank(alice);
        (bool success,) = address(creditLine)
            .call(abi.encodeCall(creditLine.open, (_score("alice1"), _proofWithInput("alice1"), attested)));
        require(!success, "accepted");
        _open(alice, "alice1");
    }

    function test_theDigestIsTheDocumentedOne() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("zkverdict attestation"),
                keccak256("1"),
                uint256(31337),
                address(creditLine)
            )
        );
        bytes memory words = abi.encode(
            keccak256(
                "Attestation(address subject,uint256 modelId,uint256 modelVersion,uint256 inputCommitment,uint64 issuedAt,uint64 expiresAt)"
            ),
            alice,
            PUBLIC_MODEL,
            uint256(1),
            uint256(11),
            uint256(5),
            uint256(7)
        );
        bytes32 digest = keccak256(bytes.concat(hex"1901", domain, keccak256(words)));
        require(creditLine.attestationDigest(alice, 11, 5, 7) == digest, "digest");
    }

    function test_stopsWhenTheModelIsUpdatedDeprecatedOrFrozen() public {
        VM.startPrank(OWNER);
        registry.updateModelWithVerifier(PUBLIC_MODEL, _commitment(otherVerifier), _binding(otherVerifier, 1));
        VM.stopPrank();
        _openRefused(
            alice,
            "alice0",
            abi.encodeWithSelector(IInferenceVerifier.ModelVersionMismatch.selector, PUBLIC_MODEL, uint256(1), 2)
        );
        VM.prank(OWNER);
        registry.deprecateModel(PUBLIC_MODEL);
        _openRefused(
            alice,
            "alice0",
            abi.encodeWithSelector(IERC7992Verifier.VerificationRefused_ModelDeprecated.selector, PUBLIC_MODEL)
        );
        VM.prank(GUARDIAN);
        registry.freezeModel(PUBLIC_MODEL);
        _openRefused(
            alice,
            "alice0",
            abi.encodeWithSelector(IInferenceVerifier.VerificationRefused_ModelFrozen.selector, PUBLIC_MODEL)
        );
    }

    function test_openLinesOutliveTheModel() public {
        _open(alice, "alice0");
        VM.prank(GUARDIAN);
        registry.freezeModel(PUBLIC_MODEL);
        VM.prank(alice);
        creditLine.draw(LIMIT);
    }

    function test_reentrancyGainsNothing() public {
        _openReentrant();
        reentrant.draw(LIMIT);
        require(reentrant.attacked() && !reentrant.succeeded(), "the attack went through, or never took place");
        require(address(reentrant).balance == LIMIT, "more than the limit");
        require(creditLine.lineOf(address(reentrant)).owed == LIMIT, "owed");
    }

    function test_reentrancyWithinTheLimitIsAnOrdinaryDraw() public {
        _openReentrant();
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
        new CreditLine(inference, OWNER, terms);
        terms = creditLine.terms();
        terms.limit = 0;
        VM.expectRevert(CreditLine.EmptyTerms.selector);
        new CreditLine(inference, OWNER, terms);
        terms = creditLine.terms();
        terms.term = 0;
        VM.expectRevert(CreditLine.EmptyTerms.selector);
        new CreditLine(inference, OWNER, terms);
        terms = creditLine.terms();
        terms.maximumAge = 0;
        VM.expectRevert(CreditLine.EmptyTerms.selector);
        new CreditLine(inference, OWNER, terms);
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
        _openWith(applicant, name, _attest(BUREAU, creditLine, applicant, name));
    }

    function _openRefused(address applicant, string memory name, bytes memory reason) private {
        _refusedWith(applicant, name, _attest(BUREAU, creditLine, applicant, name), reason);
    }

    function _refusedWith(
        address applicant,
        string memory name,
        CreditLine.Attested memory attested,
        bytes memory reason
    ) private {
        bytes memory output = _score(name);
        bytes memory proof = _proofWithInput(name);
        VM.prank(applicant);
        VM.expectRevert(reason);
        creditLine.open(output, proof, attested);
    }

    function _openWith(address applicant, string memory name, CreditLine.Attested memory attested) private {
        bytes memory output = _score(name);
        bytes memory proof = _proofWithInput(name);
        VM.prank(applicant);
        creditLine.open(output, proof, attested);
    }

    /// @dev Alice's proof is good; the attestation is not.
    function _refuses(CreditLine.Attested memory attested, bytes memory reason) private {
        _refusedWith(alice, "alice0", attested, reason);
    }

    /// @dev What was signed is something else, so the signer comes out as somebody else.
    function _refusesForgery(CreditLine.Attested memory attested) private {
        (bytes32 r, bytes32 s, uint8 v) = _split(attested.signature);
        bytes32 digest =
            creditLine.attestationDigest(alice, _publicInputs("alice0")[1], attested.issuedAt, attested.expiresAt);
        address signer = ecrecover(digest, v, r, s);
        require(signer != VM.addr(BUREAU), "that is what was signed");
        _refuses(attested, abi.encodeWithSelector(CreditLine.NotABureau.selector, signer));
    }

    function _attestFor(address applicant, uint64 issuedAt, uint64 expiresAt)
        private
        view
        returns (CreditLine.Attested memory)
    {
        bytes32 digest = creditLine.attestationDigest(applicant, _publicInputs("alice0")[1], issuedAt, expiresAt);
        return CreditLine.Attested(issuedAt, expiresAt, _sign(BUREAU, digest));
    }

    function _split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }

    function _otherLender() private returns (CreditLine other) {
        other = new CreditLine(inference, address(this), creditLine.terms());
        other.registerBureau(VM.addr(BUREAU));
    }

    function _openReentrant() private {
        CreditLine.Attested memory attested = _attest(BUREAU, creditLine, address(reentrant), "reentrant");
        reentrant.open(_score("reentrant"), _proofWithInput("reentrant"), attested);
    }
}
