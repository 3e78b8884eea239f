// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IVerdictVerifier} from "../../src/interfaces/IVerdictVerifier.sol";

/// @notice A verifier that looks honest, and can destroy itself.
/// @dev Since Cancun the code vanishes only in the transaction that created it; that is enough.
contract Metamorphic {
    IVerdictVerifier private immutable HONEST;

    constructor(IVerdictVerifier honest) {
        HONEST = honest;
    }

    function verify(bytes calldata proof, uint256[] calldata publicInputs) external view {
        HONEST.verify(proof, publicInputs);
    }

    function CIRCUIT_DIGEST() external view returns (bytes32) {
        return HONEST.CIRCUIT_DIGEST();
    }

    function VERIFYING_KEY_DIGEST() external view returns (bytes32) {
        return HONEST.VERIFYING_KEY_DIGEST();
    }

    function PUBLIC_INPUT_COUNT() external view returns (uint256) {
        return HONEST.PUBLIC_INPUT_COUNT();
    }

    function destroy() external {
        assembly ("memory-safe") {
            selfdestruct(caller())
        }
    }
}

/// @notice Accepts everything.
contract Permissive {
    function verify(bytes calldata, uint256[] calldata) external pure {}
}

/// @notice Creates contracts whose address does not depend on their code: a small contract, always the same, copies
/// the code of whatever its creator names.
contract MetamorphicFactory {
    address public template;

    function create(address honest) external returns (Metamorphic) {
        template = address(new Metamorphic(IVerdictVerifier(honest)));
        return Metamorphic(_copy());
    }

    function createPermissive() external returns (address) {
        template = address(new Permissive());
        return _copy();
    }

    function _copy() private returns (address) {
        return address(new Copy{salt: 0}());
    }
}

/// @dev Its init code never changes, so neither does its CREATE2 address.
contract Copy {
    constructor() {
        bytes memory code = MetamorphicFactory(msg.sender).template().code;
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}
