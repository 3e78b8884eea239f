// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IERC165} from "./interfaces/IERC165.sol";
import {HALO2_SHPLONK_BN254, IERC7992Registry, ModelCommitment} from "./interfaces/IERC7992.sol";
import {IModelRegistry, ModelStatus, VerifierBinding} from "./interfaces/IModelRegistry.sol";
import {IShapeVerifier} from "./interfaces/IShapeVerifier.sol";
import {IVerdictVerifier} from "./interfaces/IVerdictVerifier.sol";
import {DataContract} from "./libraries/DataContract.sol";
import {ModelRecord, Record} from "./libraries/ModelRecord.sol";

/// @title Registry of models whose verifiers are pinned
/// @notice The policy stands at `IModelRegistry`.
/// @dev A registration writes one storage slot and one data contract (`ModelRecord`), which names the registrant; who
/// took the model over later, and which versions were superseded, is written when it happens. There is no owner of the
/// registry, no upgrade, and no way to delete.
contract ModelRegistry is IModelRegistry, IERC165 {
    /// @dev One slot: the current version of a model.
    struct Model {
        address record;
        uint48 registeredAt;
        uint32 version;
        ModelStatus status;
    }

    /// @dev A version that another one superseded.
    struct Superseded {
        address record;
        uint48 registeredAt;
    }

    /// @dev The order of BN254's groups: field elements are below it.
    uint256 private constant SCALAR_MODULUS =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice The longest URI that is kept, in bytes.
    uint256 public constant MAXIMUM_URI = 1024;

    /// @inheritdoc IModelRegistry
    address public immutable guardian;

    /// @inheritdoc IModelRegistry
    uint256 public modelCount;

    /// @inheritdoc IModelRegistry
    mapping(uint256 modelId => address) public pendingOwner;

    mapping(uint256 modelId => Model) private _models;
    mapping(uint256 modelId => mapping(uint256 version => Superseded)) private _superseded;

    /// @dev The owner of a model that has changed hands; of others, the registrant of the current version.
    mapping(uint256 modelId => address) private _successors;

    /// @param guardian_ Who may freeze models, for as long as the registry exists: a multisig. Zero: nobody.
    // slither-disable-next-line missing-zero-check
    constructor(address guardian_) {
        guardian = guardian_;
    }

    /// @inheritdoc IERC7992Registry
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId) {
        modelId = _register(commitment, _noVerifier());
    }

    /// @inheritdoc IModelRegistry
    function registerModelWithVerifier(ModelCommitment calldata commitment, VerifierBinding calldata binding)
        external
        returns (uint256 modelId)
    {
        _requireVerifier(commitment, binding);
        modelId = _register(commitment, binding);
        _announceVerifier(modelId, 1, binding);
    }

    /// @inheritdoc IERC7992Registry
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external {
        _update(modelId, newCommitment, _noVerifier());
    }

    /// @inheritdoc IModelRegistry
    function updateModelWithVerifier(
        uint256 modelId,
        ModelCommitment calldata newCommitment,
        VerifierBinding calldata binding
    ) external {
        _requireVerifier(newCommitment, binding);
        uint32 version = _update(modelId, newCommitment, binding);
        _announceVerifier(modelId, version, binding);
    }

    /// @inheritdoc IERC7992Registry
    function deprecateModel(uint256 modelId) external {
        _ownedAndActive(modelId).status = ModelStatus.Deprecated;
        emit ModelDeprecated(modelId);
    }

    /// @inheritdoc IModelRegistry
    function freezeModel(uint256 modelId) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        Model storage model = _known(modelId);
        if (model.status == ModelStatus.Frozen) revert ModelIsFrozen(modelId);
        model.status = ModelStatus.Frozen;
        emit ModelFrozen(modelId);
    }

    /// @inheritdoc IModelRegistry
    function offerModel(uint256 modelId, address newOwner) external {
        _ownedAndActive(modelId);
        pendingOwner[modelId] = newOwner;
        emit OwnershipOffered(modelId, msg.sender, newOwner);
    }

    /// @inheritdoc IModelRegistry
    function acceptModel(uint256 modelId) external {
        Model storage model = _known(modelId);
        if (msg.sender != pendingOwner[modelId]) revert NotOfferedTo(modelId, msg.sender);
        _requireActive(modelId, model.status);
        address oldOwner = _ownerOf(modelId, ModelRecord.load(model.record));
        delete pendingOwner[modelId];
        _successors[modelId] = msg.sender;
        emit OwnershipTransferred(modelId, oldOwner, msg.sender);
    }

    /// @inheritdoc IERC7992Registry
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner)
    {
        Model storage model = _known(modelId);
        Record memory record = ModelRecord.load(model.record);
        commitment = record.commitment;
        (deprecated, owner) = (model.status != ModelStatus.Active, _ownerOf(modelId, record));
    }

    /// @inheritdoc IModelRegistry
    function getEntry(uint256 modelId) external view returns (Entry memory entry) {
        Model memory model = _known(modelId);
        Record memory record = ModelRecord.load(model.record);
        (entry.commitment, entry.binding) = (record.commitment, record.binding);
        (entry.version, entry.registeredAt) = (model.version, model.registeredAt);
        (entry.status, entry.owner) = (model.status, _ownerOf(modelId, record));
    }

    /// @inheritdoc IModelRegistry
    function recordOf(uint256 modelId) external view returns (address record, uint32 version, ModelStatus status) {
        Model memory model = _models[modelId];
        _requireKnown(modelId, model.status);
        (record, version, status) = (model.record, model.version, model.status);
    }

    /// @inheritdoc IModelRegistry
    function getVersion(uint256 modelId, uint256 version) external view returns (Entry memory entry) {
        entry = this.getEntry(modelId);
        if (version == 0 || version > entry.version) revert VersionNotFound(modelId, version);
        if (version != entry.version) {
            Superseded memory superseded = _superseded[modelId][version];
            Record memory record = ModelRecord.load(superseded.record);
            (entry.commitment, entry.binding) = (record.commitment, record.binding);
            // Below the current version, which is a uint32.
            (entry.version, entry.registeredAt) = (uint32(version), superseded.registeredAt);
        }
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC7992Registry).interfaceId
            || interfaceId == type(IModelRegistry).interfaceId;
    }

    function _register(ModelCommitment calldata commitment, VerifierBinding memory binding)
        private
        returns (uint256 modelId)
    {
        modelId = ++modelCount;
        _models[modelId] = _version(1, commitment, binding);
        emit ModelRegistered(modelId, msg.sender, commitment);
    }

    function _update(uint256 modelId, ModelCommitment calldata newCommitment, VerifierBinding memory binding)
        private
        returns (uint32 version)
    {
        Model memory old = _ownedAndActive(modelId);
        ModelCommitment memory oldCommitment = ModelRecord.load(old.record).commitment;
        version = old.version + 1;
        _superseded[modelId][old.version] = Superseded({record: old.record, registeredAt: old.registeredAt});
        _models[modelId] = _version(version, newCommitment, binding);
        emit ModelUpdated(modelId, oldCommitment, newCommitment);
    }

    function _version(uint32 version, ModelCommitment calldata commitment, VerifierBinding memory binding)
        private
        returns (Model memory)
    {
        uint256 length = bytes(commitment.uri).length;
        if (length > MAXIMUM_URI) revert UriTooLong(MAXIMUM_URI, length);
        return Model({
            record: ModelRecord.store(commitment, binding),
            // Seconds since 1970 fit 48 bits.
            registeredAt: uint48(block.timestamp),
            version: version,
            status: ModelStatus.Active
        });
    }

    /// @dev Named apart from the checks, so that it stands after the state it speaks of.
    function _announceVerifier(uint256 modelId, uint32 version, VerifierBinding calldata binding) private {
        emit VerifierPinned(modelId, version, binding.verifier, binding.verifierCodeHash, binding.key);
    }

    /// @dev What the chain can check of a commitment and a verifier. Calls views only.
    function _requireVerifier(ModelCommitment calldata commitment, VerifierBinding calldata binding) private view {
        if (commitment.proofSystemId != HALO2_SHPLONK_BN254) {
            revert ProofSystemWithoutVerifiers(commitment.proofSystemId);
        }
        if (binding.outputs == 0) revert NoOutputs();
        if (binding.modelCommitted) _requireFieldElement(commitment.modelHash);
        if (binding.verifier.code.length == 0) revert VerifierHasNoCode(binding.verifier);
        bytes32 codeHash = binding.verifier.codehash;
        if (codeHash != binding.verifierCodeHash) revert VerifierCodeMismatch(binding.verifierCodeHash, codeHash);

        bytes32 circuitHash;
        bytes32 vkHash;
        if (binding.key == address(0)) {
            IVerdictVerifier verifier = IVerdictVerifier(binding.verifier);
            (circuitHash, vkHash) = (verifier.CIRCUIT_DIGEST(), verifier.VERIFYING_KEY_DIGEST());
            uint256 expected = verifier.PUBLIC_INPUT_COUNT();
            uint256 got = 1 + (binding.modelCommitted ? 1 : 0) + uint256(binding.inputs) + binding.outputs;
            if (expected != got) revert PublicInputsMismatch(expected, got);
        } else {
            // A shape's verifier compares the number of public inputs with the key's at every proof.
            circuitHash = IShapeVerifier(binding.verifier).SHAPE();
            vkHash = DataContract.digest(binding.key);
        }
        if (circuitHash != commitment.circuitHash) revert CircuitMismatch(commitment.circuitHash, circuitHash);
        if (vkHash != commitment.vkHash) revert VerifyingKeyMismatch(commitment.vkHash, vkHash);
    }

    function _requireFieldElement(bytes32 modelHash) private pure {
        if (modelHash == 0 || uint256(modelHash) >= SCALAR_MODULUS) revert ModelCommitmentNotCanonical(modelHash);
    }

    function _known(uint256 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        _requireKnown(modelId, model.status);
    }

    function _ownedAndActive(uint256 modelId) private view returns (Model storage model) {
        model = _known(modelId);
        if (msg.sender != _ownerOf(modelId, ModelRecord.load(model.record))) revert NotModelOwner(modelId, msg.sender);
        _requireActive(modelId, model.status);
    }

    function _requireKnown(uint256 modelId, ModelStatus status) private pure {
        // An enum, not an amount that somebody could make unequal.
        // slither-disable-next-line incorrect-equality
        if (status == ModelStatus.Unknown) revert ModelNotFound(modelId);
    }

    function _requireActive(uint256 modelId, ModelStatus status) private pure {
        if (status == ModelStatus.Deprecated) revert ModelIsDeprecated(modelId);
        if (status == ModelStatus.Frozen) revert ModelIsFrozen(modelId);
    }

    function _ownerOf(uint256 modelId, Record memory current) private view returns (address) {
        address successor = _successors[modelId];
        return successor == address(0) ? current.registrant : successor;
    }

    function _noVerifier() private pure returns (VerifierBinding memory binding) {}
}
