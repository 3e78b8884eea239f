// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {{{CONSUMER}}} from "../src/{{CONSUMER}}.sol";
import {IVerdictVerifier, {{VERIFIER}}} from "../src/{{VERIFIER}}.sol";

/// @dev The cheatcodes of forge's scripts.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// @title Deploys the verifier, and the consumer for it
contract Deploy {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns ({{VERIFIER}} verifier, {{CONSUMER}} consumer) {
        VM.startBroadcast();
        verifier = new {{VERIFIER}}();
        consumer = new {{CONSUMER}}(IVerdictVerifier(address(verifier)));
        VM.stopBroadcast();
    }
}
