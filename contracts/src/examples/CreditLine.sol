// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IInferenceVerifier} from "../interfaces/IInferenceVerifier.sol";
import {VerdictContext} from "../libraries/VerdictContext.sol";

/// @title A lender that grants credit on a proven score
/// @notice An example of a consumer. Whoever proves a sufficient score of their own gets a line of credit, once per
/// proof; the data behind the score stays with them. The proof is made for the context
/// `inference.contextOf(address(creditLine), VerdictContext.subjectOf(applicant))`.
/// @dev The model proves what follows from the applicant's data, not that the data is true: a lender's model would also
/// check a signature over its inputs. Debts are not enforced here; the example is about opening lines.
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
    /// @param modelId The model, private inputs.
    /// @param modelVersion The one version that this lender has examined.
    /// @param scoreIndex Which of the outputs is the score.
    /// @param minimumScore The least sufficient score, as a cell: see `FixedPoint.cellAtLeast`.
    /// @param limit What may be drawn, in wei.
    /// @param term For how long, in seconds.
    struct Terms {
        uint256 modelId;
        uint256 modelVersion;
        uint256 scoreIndex;
        uint256 minimumScore;
        uint96 limit;
        uint64 term;
    }

    /// @notice A line was opened.
    event LineOpened(address indexed applicant, uint96 limit, uint64 expiresAt);

    /// @notice Money was drawn.
    event Drawn(address indexed applicant, uint96 amount, uint96 owed);

    /// @notice Money was paid back.
    event Repaid(address indexed applicant, uint96 amount, uint96 owed);

    /// @notice A version has to be named: following the model's owner blindly is not this lender's policy.
    error VersionNotPinned();

    /// @notice A line without a limit or a term is none.
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

    Terms private _terms;
    mapping(address applicant => Line) private _lines;

    /// @param inference_ What verifies the proofs.
    /// @param terms_ What the lender relies on, and what it grants. What is sent along can be drawn.
    constructor(IInferenceVerifier inference_, Terms memory terms_) payable {
        if (terms_.modelVersion == 0) revert VersionNotPinned();
        if (terms_.limit == 0 || terms_.term == 0) revert EmptyTerms();
        inference = inference_;
        _terms = terms_;
    }

    /// @notice Opens a line for the caller.
    /// @param output `abi.encode(uint256[] outputs)`.
    /// @param proof A proof about the caller; see above for its context.
    function open(bytes calldata output, bytes calldata proof) external {
        Line memory line = _lines[msg.sender];
        if (block.timestamp < line.expiresAt || line.owed != 0) revert LineStillOpen(line.expiresAt, line.owed);
        Terms memory granted = _terms;
        uint64 expiresAt = uint64(block.timestamp) + granted.term;
        // Written before the calls, and undone with them if they revert.
        _lines[msg.sender] = Line({limit: granted.limit, owed: 0, expiresAt: expiresAt});
        emit LineOpened(msg.sender, granted.limit, expiresAt);
        // Reverts unless the proof is valid, was made for the caller and this contract, and was never used.
        uint256[] memory outputs = inference.verifyInferenceFor(
            granted.modelId, granted.modelVersion, VerdictContext.subjectOf(msg.sender), bytes32(0), output, proof
        );
        uint256 score = outputs[granted.scoreIndex];
        if (score < granted.minimumScore) revert ScoreTooLow(granted.minimumScore, score);
    }

    /// @notice Draws money.
    function draw(uint96 amount) external {
        Line storage line = _lines[msg.sender];
        if (block.timestamp >= line.expiresAt) revert NoOpenLine();
        uint96 available = line.limit - line.owed;
        if (amount > available) revert LimitExceeded(available, amount);
        line.owed += amount;
        emit Drawn(msg.sender, amount, line.owed);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert PaymentFailed();
    }

    /// @notice Pays back, also after the line has expired.
    function repay() external payable {
        Line storage line = _lines[msg.sender];
        if (msg.value > line.owed) revert NotOwed(line.owed, msg.value);
        // Bounded by what is owed.
        uint96 amount = uint96(msg.value);
        line.owed -= amount;
        emit Repaid(msg.sender, amount, line.owed);
    }

    /// @notice The terms of this lender.
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @notice An applicant's line.
    function lineOf(address applicant) external view returns (Line memory) {
        return _lines[applicant];
    }
}
