// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {Deploy} from "../script/Deploy.s.sol";
import {AuditRegistry} from "../src/AuditRegistry.sol";
import {InferenceVerifier} from "../src/InferenceVerifier.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";

/// @notice The script deploys what the documentation says.
contract DeployTest {
    function test_deploysAllContractsForTheGuardian() public {
        (ModelRegistry registry, InferenceVerifier inference, AuditRegistry audits) = new Deploy().deploy(address(0x6a));
        require(registry.guardian() == address(0x6a), "guardian");
        require(inference.registry() == address(registry), "registry");
        require(address(audits.inference()) == address(inference), "inference verifier");
    }
}
