// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {{{CONSUMER}}} from "../src/{{CONSUMER}}.sol";
import {{{INTERFACE}}, {{VERIFIER}}} from "../src/{{VERIFIER}}.sol";
{{KEY_IMPORT}}
/// @dev The cheatcodes of forge's scripts.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// @title Deploys what `zkverdict deploy` does, at the same addresses, and the consumer for it
contract Deploy {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    /// @dev The deterministic deployer: it creates what follows the salt by CREATE2.
    address private constant DEPLOYER = {{DEPLOYER}};

    function run() external returns (address verifier{{KEY_PARAMETER_PLAIN}}, {{CONSUMER}} consumer) {
        VM.startBroadcast();
        verifier = _place(type({{VERIFIER}}).creationCode, {{VERIFIER_ADDRESS}});
{{PLACE_KEY}}        consumer = new {{CONSUMER}}({{INTERFACE}}(verifier){{KEY_LAST}});
        VM.stopBroadcast();
    }

    /// @dev Creates a contract at the address that follows from its code, unless it stands there.
    function _place(bytes memory initCode, address expected) private returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0xff), DEPLOYER, bytes32(0), keccak256(initCode)));
        require(address(uint160(uint256(hash))) == expected, "compiled with other settings than zkverdict's");
        if (expected.code.length == 0) {
            (bool success,) = DEPLOYER.call(abi.encodePacked(bytes32(0), initCode));
            require(success && expected.code.length != 0, "not deployed");
        }
        return expected;
    }
}
