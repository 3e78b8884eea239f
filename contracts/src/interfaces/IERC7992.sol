// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @dev bytes4(keccak256("halo2-shplonk-bn254-v1")): the only proof system whose verifiers can be pinned here.
bytes4 constant HALO2_SHPLONK_BN254 = 0x9f506b96;

/// @notice What a version of a model is (ERC-7992).
/// @param modelHash SHA-256 of the ONNX file, as `zkverdict inspect` shows it, which the chain cannot check; of a model
/// that stays private the commitment to it, which every proof shows (`VerifierBinding.modelCommitted`).
/// @param circuitHash Digest of the circuit: the verifier's `CIRCUIT_DIGEST()`, or its `SHAPE()` if the key stands apart.
/// @param vkHash Digest of the verifying key: the verifier's `VERIFYING_KEY_DIGEST()`, or keccak256 of the key.
/// @param proofSystemId First four bytes of the Keccak-256 of the proof system's name.
/// @param uri Where the model's description is found.
struct ModelCommitment {
    bytes32 modelHash;
    bytes32 circuitHash;
    bytes32 vkHash;
    bytes4 proofSystemId;
    string uri;
}

/// @title Registry of models (ERC-7992, interface id 0xd28519b1)
interface IERC7992Registry {
    /// @notice A model was registered; this is its version 1.
    event ModelRegistered(uint256 indexed modelId, address indexed owner, ModelCommitment commitment);

    /// @notice A model has a new version, which supersedes the old one at once.
    event ModelUpdated(uint256 indexed modelId, ModelCommitment oldCommitment, ModelCommitment newCommitment);

    /// @notice A model's owner withdrew it for good.
    event ModelDeprecated(uint256 indexed modelId);

    /// @notice No model has this id.
    error ModelNotFound(uint256 modelId);

    /// @notice Only the model's owner may do this.
    error NotModelOwner(uint256 modelId, address caller);

    /// @notice A deprecated model changes no more. (The draft gives this error the name of the event, which does not
    /// compile.)
    error ModelIsDeprecated(uint256 modelId);

    /// @notice Registers a model that belongs to the caller, without a verifier.
    /// @return modelId Its id: 1, 2, 3 and so on, never used twice.
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId);

    /// @notice Gives a model a new version, without a verifier.
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external;

    /// @notice Withdraws a model for good.
    function deprecateModel(uint256 modelId) external;

    /// @notice The current version of a model.
    /// @return commitment What it is.
    /// @return deprecated Whether nothing may be verified with it any more: its owner deprecated it, or the guardian
    /// froze it.
    /// @return owner Who may update it.
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner);
}

/// @title Verifier of inferences of registered models (ERC-7992, interface id 0x5df65472)
interface IERC7992Verifier {
    /// @notice An inference was verified.
    event InferenceVerified(
        uint256 indexed modelId, bytes32 indexed inputCommitment, bytes output, address indexed caller
    );

    /// @notice The proof does not prove this inference, in this context, for this model.
    error InvalidProof();

    /// @notice The code at the verifier's address is not the code that the registry pinned.
    error ModelMismatch();

    /// @notice The input commitment is not the hash of the public inputs, or not zero for a model with private ones.
    error InputCommitmentMismatch();

    /// @notice `output` is not the ABI encoding of as many numbers as the model has outputs.
    error OutputMismatch();

    /// @notice This contract has no verifier for the model's proof system.
    error UnsupportedProofSystem(bytes4 proofSystemId);

    /// @notice The model's owner withdrew it.
    error VerificationRefused_ModelDeprecated(uint256 modelId);

    /// @notice Verifies an inference about the caller; reverts on any failure.
    /// @param modelId The model, in its current version.
    /// @param inputCommitment keccak256 of the public inputs' words; zero if the model's inputs are private.
    /// @param output `abi.encode(uint256[] outputs)`.
    /// @param proof The public inputs' words, if there are any, and after them the proof.
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external;

    /// @notice The proof system of a model.
    function proofSystemOf(uint256 modelId) external view returns (bytes4);

    /// @notice The registry that models are looked up in.
    function registry() external view returns (address registryAddress);
}

/// @title Inferences kept on chain (ERC-7992 extension, interface id 0x29c6ba89)
interface IERC7992Storage {
    /// @notice As `verifyInference`, and keeps the inference.
    /// @return inferenceId Under which it is kept.
    function verifyAndStoreInference(
        uint256 modelId,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external returns (bytes32 inferenceId);

    /// @notice A kept inference.
    function getInference(bytes32 inferenceId)
        external
        view
        returns (uint256 modelId, bytes32 inputCommitment, bytes memory output);
}
