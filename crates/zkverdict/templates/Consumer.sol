// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {{{INTERFACE}}} from "./{{VERIFIER}}.sol";
import {FixedPoint, Format} from "./libraries/FixedPoint.sol";
import {VerdictContext} from "./libraries/VerdictContext.sol";

/// @title Acts on proven decisions of {{MODEL}}
/// @notice A proof counts once, for the account that sends it, on this chain, in this contract.
contract {{CONSUMER}} {
    /// @notice What a proof shows. Numbers have 18 decimals.
    struct Decision {
{{FIELDS}}    }

    /// @notice A decision about `subject` was proven.
    event Decided(address indexed subject, uint256 context);

{{PIN_ERRORS}}
    /// @notice A proof of this model has another number of public inputs.
    error AnotherCount(uint256 expected, uint256 got);

    /// @notice The proof was made for another chain, contract or account, or was used before.
    error AnotherContext(uint256 expected, uint256 got);

{{PINS}}
    /// @notice The public inputs of a proof, context included.
    uint256 public constant PUBLIC_INPUT_COUNT = {{COUNT}};

    /// @notice What checks the proofs.
    {{INTERFACE}} public immutable verifier;
{{KEY_STATE}}
    /// @notice How many proofs an account has used.
    mapping(address subject => uint256) public nonces;

    /// @param verifier_ A deployed `{{VERIFIER}}`. That it is one, and no other code with its digest, is the deployer's
    /// word.
    constructor({{INTERFACE}} verifier_{{KEY_PARAMETER}}) {
{{CHECK_PINS}}        verifier = verifier_;
    }

    /// @notice Acts on a proof about the caller; reverts unless it is valid and was made for this.
    /// @param proof The proof.
    /// @param publicInputs Its public inputs, the context first.
    function decide(bytes calldata proof, uint256[] calldata publicInputs) external returns (Decision memory decision) {
        if (publicInputs.length != PUBLIC_INPUT_COUNT) revert AnotherCount(PUBLIC_INPUT_COUNT, publicInputs.length);
        uint256 context = _context(msg.sender);
        if (publicInputs[0] != context) revert AnotherContext(context, publicInputs[0]);
        ++nonces[msg.sender];
        emit Decided(msg.sender, context);
        verifier.verify({{KEY_ARGUMENT}}proof, publicInputs);
        decision = decode(publicInputs);
        _act(msg.sender, decision);
    }

    /// @notice The context that the next proof about an account has to have, as `zkverdict prove --context` takes it.
    function contextOf(address subject) external view returns (bytes32) {
        return bytes32(_context(subject));
    }

    /// @notice What the public inputs of a valid proof mean.
    function decode(uint256[] calldata publicInputs) public pure returns (Decision memory decision) {
        if (publicInputs.length != PUBLIC_INPUT_COUNT) revert AnotherCount(PUBLIC_INPUT_COUNT, publicInputs.length);
{{DECODE}}    }

    /// @dev Yours: what follows from a decision. Its inputs are proven to lead to its outputs, not to be true.
    function _act(address, /* subject */ Decision memory /* decision */ ) internal virtual {}

    function _context(address subject) private view returns (uint256) {
        return VerdictContext.compute(subject, VerdictContext.subjectOf(subject), nonces[subject]);
    }
}
