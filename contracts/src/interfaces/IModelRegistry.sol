// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC7992Registry, ModelCommitment} from "./IERC7992.sol";

/// @notice How proofs of one version of a model are checked. Never changes.
/// @param verifier The verifier: one model's own (`IVerdictVerifier`), or a shape's (`IShapeVerifier`). Zero: none.
/// @param verifierCodeHash The hash of its code, as EXTCODEHASH gives it.
/// @param key For a shape's verifier, the contract whose code is `0x00 || key`; zero for a model's own verifier.
/// @param inputs How many of the public inputs are inputs of the model: zero if they are private, one, their commitment,
/// if they are committed.
/// @param outputs How many of the public inputs, after those, are outputs of the model; one if they are committed.
/// @param modelCommitted Whether proofs show a commitment to the model, right after the context. It is `modelHash`, and a
/// proof by any other model is refused. Without it the model stands in the key.
struct VerifierBinding {
    address verifier;
    bytes32 verifierCodeHash;
    address key;
    uint16 inputs;
    uint16 outputs;
    bool modelCommitted;
}

/// @notice What may be done with a model.
enum ModelStatus {
    Unknown,
    Active,
    Deprecated,
    Frozen
}

/// @title Registry of models whose verifiers are pinned
/// @notice **Ids and versions.** Ids count up from 1; so do the versions of a model. Neither is ever used twice, and
/// every version stays readable.
/// **Owner.** Whoever registers a model owns it. The owner alone updates it, deprecates it, and offers it to a new
/// owner, who has to accept.
/// **Update.** A new version supersedes the old one at once: proofs of the old one are refused from then on, whoever
/// made them. A version itself never changes. Consumers that must not follow the owner pin a version.
/// **Deprecation and freezing** are for good. The owner deprecates; the guardian freezes, and can do nothing else. With
/// either, nothing is verified any more, and the model never changes again.
/// **What is checked.** That the verifier's code has the hash that the registrant names, that the verifier is for this
/// circuit and key, that the key contract can never change and holds the committed key. Not that the verifier is honest:
/// a registration is its owner's word, and consumers compare `verifierCodeHash`, `circuitHash` and `vkHash` with their own
/// build. And not that the model is what `modelHash` says, unless it is committed: then every proof shows it.
interface IModelRegistry is IERC7992Registry {
    /// @notice One version of a model.
    /// @param version Which one it is, from 1.
    /// @param status The status of the model, whichever version is asked for.
    /// @param owner The owner of the model, whichever version is asked for.
    /// @param registeredAt When this version was registered, in seconds since 1970.
    struct Entry {
        ModelCommitment commitment;
        VerifierBinding binding;
        uint32 version;
        ModelStatus status;
        address owner;
        uint64 registeredAt;
    }

    /// @notice A version was registered with this verifier.
    event VerifierPinned(
        uint256 indexed modelId, uint32 version, address indexed verifier, bytes32 verifierCodeHash, address key
    );

    /// @notice The guardian stopped a model for good.
    event ModelFrozen(uint256 indexed modelId);

    /// @notice The owner offers the model to somebody; the zero address withdraws the offer.
    event OwnershipOffered(uint256 indexed modelId, address indexed owner, address indexed newOwner);

    /// @notice The model has a new owner.
    event OwnershipTransferred(uint256 indexed modelId, address indexed oldOwner, address indexed newOwner);

    /// @notice A frozen model changes no more.
    error ModelIsFrozen(uint256 modelId);

    /// @notice Only the guardian may do this.
    error NotGuardian(address caller);

    /// @notice The model was not offered to the caller.
    error NotOfferedTo(uint256 modelId, address caller);

    /// @notice The model has no such version.
    error VersionNotFound(uint256 modelId, uint256 version);

    /// @notice Verifiers can be pinned for `HALO2_SHPLONK_BN254` only.
    error ProofSystemWithoutVerifiers(bytes4 proofSystemId);

    /// @notice The URI is longer than this registry keeps.
    error UriTooLong(uint256 maximum, uint256 got);

    /// @notice A model without public outputs decides nothing.
    error NoOutputs();

    /// @notice No contract stands at the verifier's address.
    error VerifierHasNoCode(address verifier);

    /// @notice The verifier's code has another hash than the registrant names.
    error VerifierCodeMismatch(bytes32 expected, bytes32 got);

    /// @notice The verifier is for another circuit or shape.
    error CircuitMismatch(bytes32 expected, bytes32 got);

    /// @notice The verifier or the key contract holds another verifying key.
    error VerifyingKeyMismatch(bytes32 expected, bytes32 got);

    /// @notice A commitment to a model is a field element: not zero, and below the group order.
    error ModelCommitmentNotCanonical(bytes32 modelHash);

    /// @notice The verifier has another number of public inputs than context, model commitment, inputs and outputs
    /// together.
    error PublicInputsMismatch(uint256 expected, uint256 got);

    /// @notice As `registerModel`, with the verifier that its proofs are checked by.
    function registerModelWithVerifier(ModelCommitment calldata commitment, VerifierBinding calldata binding)
        external
        returns (uint256 modelId);

    /// @notice As `updateModel`, with the verifier that its proofs are checked by.
    function updateModelWithVerifier(
        uint256 modelId,
        ModelCommitment calldata newCommitment,
        VerifierBinding calldata binding
    ) external;

    /// @notice Stops a model for good; for the guardian alone.
    function freezeModel(uint256 modelId) external;

    /// @notice Offers the model to a new owner; the zero address withdraws the offer.
    function offerModel(uint256 modelId, address newOwner) external;

    /// @notice Takes over a model that was offered to the caller.
    function acceptModel(uint256 modelId) external;

    /// @notice The current version of a model.
    function getEntry(uint256 modelId) external view returns (Entry memory entry);

    /// @notice Where the current version of a model is written: `ModelRecord` reads it, for less gas than `getEntry`.
    /// @return record A data contract; what stands there never changes.
    /// @return version Which version it is, from 1.
    /// @return status Whether anything may be verified with the model.
    function recordOf(uint256 modelId) external view returns (address record, uint32 version, ModelStatus status);

    /// @notice Any version of a model, superseded ones too.
    function getVersion(uint256 modelId, uint256 version) external view returns (Entry memory entry);

    /// @notice How many models were ever registered: the ids are 1 to this.
    function modelCount() external view returns (uint256);

    /// @notice To whom a model is offered, or zero.
    function pendingOwner(uint256 modelId) external view returns (address);

    /// @notice Who may freeze models; zero if nobody may.
    function guardian() external view returns (address);
}
