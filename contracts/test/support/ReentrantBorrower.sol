// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {CreditLine} from "../../src/examples/CreditLine.sol";

/// @notice A borrower that draws again, and opens again, as soon as it gets money.
contract ReentrantBorrower {
    CreditLine private immutable LENDER;
    bytes private _output;
    bytes private _proof;
    CreditLine.Attested private _attested;
    uint96 private _amount;
    bool public attacked;
    bool public succeeded;

    constructor(CreditLine lender) {
        LENDER = lender;
    }

    function open(bytes calldata output, bytes calldata proof, CreditLine.Attested calldata attested) external {
        (_output, _proof, _attested) = (output, proof, attested);
        LENDER.open(output, proof, attested);
    }

    function draw(uint96 amount) external {
        _amount = amount;
        LENDER.draw(amount);
    }

    receive() external payable {
        if (attacked) return;
        attacked = true;
        (bool drawn,) = address(LENDER).call(abi.encodeCall(LENDER.draw, (_amount)));
        (bool opened,) = address(LENDER).call(abi.encodeCall(LENDER.open, (_output, _proof, _attested)));
        succeeded = drawn || opened;
    }
}
