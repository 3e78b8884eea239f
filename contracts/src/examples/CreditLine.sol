// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IInferenceVerifier} from "../interfaces/IInferenceVerifier.sol";
import {Attestation, Attestations} from "../libraries/Attestations.sol";
import {VerdictContext} from "../libraries/VerdictContext.sol";

/// @title A lender that grants credit on a proven score of attested data
/// @notice An example of a consumer. Whoever proves a sufficient score of their own gets a line of credit, once per
/// proof; the data behind the score stays with them. That the data is true, a bureau vouches for: it signs a commitment
/// to it, and the proof shows that the score is that of the committed data. The proof is made for the context
/// `creditLine.contextOf(applicant)`.
/// @dev The owner says which bureaus count, and can do nothing else. Debts are not enforced here; the example is about
/// opening lines.
contract CreditLine {
    /// @notice What an applicant may draw.
    /// @param limit The most that may be owed, in wei.
    /// @param owed What is owed, in wei.
    /// @param expiresAt From when on nothing more may be drawn, in seconds since 1970.
    struct Line {
        uint96 limit;
        uint96 owed;
        uint64 expiresAt;
    }

    /// @notice What the lender relies on, and what it grants.
    /// @param modelId The model, committed inputs.
    /// @param modelVersion The one version that this lender has examined.
    /// @param scoreIndex Which of the outputs is the score.
    /// @param minimumScore The least sufficient score, as a cell: see `FixedPoint.cellAtLeast`.
    /// @param limit What may be drawn, in wei.
    /// @param term For how long, in seconds.
    /// @param maximumAge How old attestations may be, in seconds.
    struct Terms {
        uint256 modelId;
        uint256 modelVersion;
        uint256 scoreIndex;
        uint256 minimumScore;
        uint96 limit;
        uint64 term;
        uint64 maximumAge;
    }

    /// @notice A bureau's word on the data that a proof is about.
    /// @param issuedAt When it was given, in seconds since 1970.
    /// @param expiresAt From when on it no longer holds.
    /// @param signature The bureau's signature over the `Attestation` with these times, the caller for its subject, the
    /// model of the terms, and the proof's input commitment.
    struct Attested {
        uint64 issuedAt;
        uint64 expiresAt;
        bytes signature;
    }

    /// @notice A line was opened.
    event LineOpened(address indexed applicant, uint96 limit, uint64 expiresAt);

    /// @notice Money was drawn.
    event Drawn(address indexed applicant, uint96 amount, uint96 owed);

    /// @notice Money was paid back.
    event Repaid(address indexed applicant, uint96 amount, uint96 owed);

    /// @notice Attestations of this bureau count from now on.
    event BureauRegistered(address indexed bureau);

    /// @notice No attestation of this bureau counts any more, those that it gave before included.
    event BureauRevoked(address indexed bureau);

    /// @notice Only the owner says which bureaus count.
    error NotOwner(address caller);

    /// @notice Nobody who counts signed this: for this contract and chain, the caller, this model, this commitment and
    /// these times.
    /// @param signer Whose signature it is, if all of that was signed.
    error NotABureau(address signer);

    /// @notice A version has to be named: following the model's owner blindly is not this lender's policy.
    error VersionNotPinned();

    /// @notice A line without a limit or a term is none; attestations that must not have any age cannot be given.
    error EmptyTerms();

    /// @notice The proof is valid, and the score it proves is too low.
    error ScoreTooLow(uint256 minimum, uint256 got);

    /// @notice The applicant has a line that has not expired, or owes money.
    error LineStillOpen(uint64 expiresAt, uint96 owed);

    /// @notice The applicant has no line, or it has expired.
    error NoOpenLine();

    /// @notice More than the line allows.
    error LimitExceeded(uint256 available, uint256 asked);

    /// @notice More than is owed.
    error NotOwed(uint256 owed, uint256 paid);

    /// @notice The lender has not that much left, or the applicant refused the money.
    error PaymentFailed();

    /// @notice What verifies the proofs.
    IInferenceVerifier public immutable inference;

    /// @notice Who says which bureaus count: a multisig.
    address public immutable owner;

    /// @notice Whether a bureau's attestations count.
    mapping(address bureau => bool) public isBureau;

    // The terms, in code and not in storage: reading them there would cost 10,000 gas a line.
    uint256 private immutable _MODEL_ID;
    uint256 private immutable _MODEL_VERSION;
    uint256 private immutable _SCORE_INDEX;
    uint256 private immutable _MINIMUM_SCORE;
    uint96 private immutable _LIMIT;
    uint64 private immutable _TERM;
    uint64 private immutable _MAXIMUM_AGE;

    /// @dev What changes, in one storage slot: the count of lines that were opened uses up proofs.
    struct Account {
        uint96 owed;
        uint64 expiresAt;
        uint96 opened;
    }

    mapping(address applicant => Account) private _accounts;

    /// @param inference_ What verifies the proofs.
    /// @param owner_ Who says which bureaus count.
    /// @param terms_ What the lender relies on, and what it grants. What is sent along can be drawn.
    // slither-disable-next-line missing-zero-check
    constructor(IInferenceVerifier inference_, address owner_, Terms memory terms_) payable {
        if (terms_.modelVersion == 0) revert VersionNotPinned();
        if (terms_.limit == 0 || terms_.term == 0 || terms_.maximumAge == 0) revert EmptyTerms();
        (inference, owner) = (inference_, owner_);
        (_MODEL_ID, _MODEL_VERSION) = (terms_.modelId, terms_.modelVersion);
        (_SCORE_INDEX, _MINIMUM_SCORE) = (terms_.scoreIndex, terms_.minimumScore);
        (_LIMIT, _TERM, _MAXIMUM_AGE) = (terms_.limit, terms_.term, terms_.maximumAge);
    }

    /// @notice Lets a bureau's attestations count.
    function registerBureau(address bureau) external {
        _requireOwner();
        isBureau[bureau] = true;
        emit BureauRegistered(bureau);
    }

    /// @notice Lets no attestation of a bureau count any more, because its key was lost, or its word is worth nothing.
    /// Lines that are open stay open.
    function revokeBureau(address bureau) external {
        _requireOwner();
        isBureau[bureau] = false;
        emit BureauRevoked(bureau);
    }

    /// @notice Opens a line for the caller.
    /// @param output `abi.encode(uint256[] outputs)`.
    /// @param proof The input commitment's word, and after it a proof about the caller; see above for its context.
    /// @param attested A bureau's word on the committed inputs.
    function open(bytes calldata output, bytes calldata proof, Attested calldata attested) external {
        Account memory account = _accounts[msg.sender];
        if (block.timestamp < account.expiresAt || account.owed != 0) {
            revert LineStillOpen(account.expiresAt, account.owed);
        }
        uint64 expiresAt = uint64(block.timestamp) + _TERM;
        // Written before the calls, and undone with them if they revert: from here on the proof is used up.
        _accounts[msg.sender] = Account({owed: 0, expiresAt: expiresAt, opened: account.opened + 1});
        emit LineOpened(msg.sender, _LIMIT, expiresAt);
        bytes32 inputCommitment = bytes32(proof);
        _requireAttested(uint256(inputCommitment), attested);
        // Reverts unless the proof is valid and was made for the caller, this contract, and this line of theirs; and
        // unless that word, alone, is its input.
        uint256[] memory outputs = inference.checkInferenceFor(
            _MODEL_ID,
            _MODEL_VERSION,
            VerdictContext.subjectOf(msg.sender),
            account.opened,
            keccak256(abi.encode(inputCommitment)),
            output,
            proof
        );
        uint256 score = outputs[_SCORE_INDEX];
        if (score < _MINIMUM_SCORE) revert ScoreTooLow(_MINIMUM_SCORE, score);
    }

    /// @notice Draws money.
    function draw(uint96 amount) external {
        Account storage account = _accounts[msg.sender];
        if (block.timestamp >= account.expiresAt) revert NoOpenLine();
        uint96 available = _LIMIT - account.owed;
        if (amount > available) revert LimitExceeded(available, amount);
        account.owed += amount;
        emit Drawn(msg.sender, amount, account.owed);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert PaymentFailed();
    }

    /// @notice Pays back, also after the line has expired.
    function repay() external payable {
        Account storage account = _accounts[msg.sender];
        if (msg.value > account.owed) revert NotOwed(account.owed, msg.value);
        // Bounded by what is owed.
        uint96 amount = uint96(msg.value);
        account.owed -= amount;
        emit Repaid(msg.sender, amount, account.owed);
    }

    /// @notice The hash that a bureau signs to attest an applicant's inputs to this lender.
    function attestationDigest(address applicant, uint256 inputCommitment, uint64 issuedAt, uint64 expiresAt)
        external
        view
        returns (bytes32)
    {
        return Attestations.digest(_attestation(applicant, inputCommitment, issuedAt, expiresAt));
    }

    /// @notice The terms of this lender.
    function terms() external view returns (Terms memory) {
        return Terms({
            modelId: _MODEL_ID,
            modelVersion: _MODEL_VERSION,
            scoreIndex: _SCORE_INDEX,
            minimumScore: _MINIMUM_SCORE,
            limit: _LIMIT,
            term: _TERM,
            maximumAge: _MAXIMUM_AGE
        });
    }

    /// @notice An applicant's line; nothing for one who never had any.
    function lineOf(address applicant) external view returns (Line memory) {
        Account memory account = _accounts[applicant];
        return Line({limit: account.opened > 0 ? _LIMIT : 0, owed: account.owed, expiresAt: account.expiresAt});
    }

    /// @notice How many lines an applicant was granted.
    function linesOf(address applicant) external view returns (uint256) {
        return _accounts[applicant].opened;
    }

    /// @notice The context that the applicant's next proof has to have.
    function contextOf(address applicant) external view returns (uint256) {
        return inference.keptContextOf(address(this), VerdictContext.subjectOf(applicant), _accounts[applicant].opened);
    }

    function _requireAttested(uint256 inputCommitment, Attested calldata attested) private view {
        Attestation memory attestation =
            _attestation(msg.sender, inputCommitment, attested.issuedAt, attested.expiresAt);
        address signer = Attestations.bureauOf(attestation, _MAXIMUM_AGE, attested.signature);
        if (!isBureau[signer]) revert NotABureau(signer);
    }

    function _attestation(address applicant, uint256 inputCommitment, uint64 issuedAt, uint64 expiresAt)
        private
        view
        returns (Attestation memory)
    {
        return Attestation({
            subject: applicant,
            modelId: _MODEL_ID,
            modelVersion: _MODEL_VERSION,
            inputCommitment: inputCommitment,
            issuedAt: issuedAt,
            expiresAt: expiresAt
        });
    }

    function _requireOwner() private view {
        if (msg.sender != owner) revert NotOwner(msg.sender);
    }
}
