// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AuditRegistry} from "../src/AuditRegistry.sol";
import {InferenceVerifier} from "../src/InferenceVerifier.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {VM} from "../test/Vm.sol";

/// @title Deploys the registry of models, the inference verifier and the registry of audits
/// @notice VERDICT_GUARDIAN names who may freeze models, for ever: a multisig, or the zero address for nobody.
///
///     VERDICT_GUARDIAN=0x… forge script contracts/script/Deploy.s.sol --rpc-url … --account … --broadcast
contract Deploy {
    /// @notice Reads the guardian from the environment, and deploys.
    function run() external returns (ModelRegistry registry, InferenceVerifier inference, AuditRegistry audits) {
        return deploy(VM.envAddress("VERDICT_GUARDIAN"));
    }

    /// @notice Deploys for a guardian.
    function deploy(address guardian)
        public
        returns (ModelRegistry registry, InferenceVerifier inference, AuditRegistry audits)
    {
        VM.startBroadcast();
        registry = new ModelRegistry(guardian);
        inference = new InferenceVerifier(registry);
        audits = new AuditRegistry(inference);
        VM.stopBroadcast();
    }
}
