// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AuditRegistry} from "../src/AuditRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {CreditLine} from "../src/examples/CreditLine.sol";
import {IAuditRegistry} from "../src/interfaces/IAuditRegistry.sol";
import {ModelCommitment} from "../src/interfaces/IERC7992.sol";
import {IModelRegistry, ModelStatus} from "../src/interfaces/IModelRegistry.sol";
import {DataContract} from "../src/libraries/DataContract.sol";
import {VerdictContext} from "../src/libraries/VerdictContext.sol";
import {VM} from "./Vm.sol";
import {Stage} from "./support/Stage.sol";

/// @notice Does anything that anybody may try with models, and writes down what must come of it.
contract RegistryActor {
    ModelRegistry private immutable REGISTRY;
    address private immutable GUARDIAN;
    address[3] private _people = [address(0xa001), address(0xa002), address(0xa003)];

    mapping(uint256 modelId => bytes32[]) private _history;
    mapping(uint256 modelId => address) public ownerOf;
    mapping(uint256 modelId => address) public offeredTo;
    mapping(uint256 modelId => ModelStatus) public statusOf;
    uint256 public models;

    constructor(ModelRegistry registry, address guardian) {
        (REGISTRY, GUARDIAN) = (registry, guardian);
    }

    function register(uint256 who, ModelCommitment calldata commitment) external {
        if (bytes(commitment.uri).length > REGISTRY.MAXIMUM_URI()) return;
        VM.prank(_person(who));
        uint256 modelId = REGISTRY.registerModel(commitment);
        require(modelId == ++models, "an id was used twice, or left out");
        (ownerOf[modelId], statusOf[modelId]) = (_person(who), ModelStatus.Active);
        _history[modelId].push(keccak256(abi.encode(commitment)));
    }

    function update(uint256 who, uint256 modelId, ModelCommitment calldata commitment) external {
        if (bytes(commitment.uri).length > REGISTRY.MAXIMUM_URI()) return;
        modelId = _model(modelId);
        if (_attempt(_person(who), abi.encodeCall(REGISTRY.updateModel, (modelId, commitment)), _owns(who, modelId))) {
            _history[modelId].push(keccak256(abi.encode(commitment)));
        }
    }

    function deprecate(uint256 who, uint256 modelId) external {
        modelId = _model(modelId);
        // One in four, or most models would soon be out of the game.
        if (who % 4 != 0) return;
        who /= 4;
        if (_attempt(_person(who), abi.encodeCall(REGISTRY.deprecateModel, (modelId)), _owns(who, modelId))) {
            statusOf[modelId] = ModelStatus.Deprecated;
        }
    }

    function freeze(uint256 who, uint256 modelId) external {
        modelId = _model(modelId);
        if (who % 4 != 0) return;
        address caller = who % 8 == 0 ? GUARDIAN : _person(who / 8);
        ModelStatus status = statusOf[modelId];
        bool may = caller == GUARDIAN && status != ModelStatus.Unknown && status != ModelStatus.Frozen;
        if (_attempt(caller, abi.encodeCall(REGISTRY.freezeModel, (modelId)), may)) {
            statusOf[modelId] = ModelStatus.Frozen;
        }
    }

    function offer(uint256 who, uint256 modelId, uint256 to) external {
        modelId = _model(modelId);
        if (_attempt(_person(who), abi.encodeCall(REGISTRY.offerModel, (modelId, _person(to))), _owns(who, modelId))) {
            offeredTo[modelId] = _person(to);
        }
    }

    function accept(uint256 who, uint256 modelId) external {
        modelId = _model(modelId);
        bool may = offeredTo[modelId] == _person(who) && statusOf[modelId] == ModelStatus.Active;
        if (_attempt(_person(who), abi.encodeCall(REGISTRY.acceptModel, (modelId)), may)) {
            (ownerOf[modelId], offeredTo[modelId]) = (_person(who), address(0));
        }
    }

    function versionsOf(uint256 modelId) external view returns (bytes32[] memory) {
        return _history[modelId];
    }

    function _attempt(address caller, bytes memory data, bool may) private returns (bool success) {
        VM.prank(caller);
        (success,) = address(REGISTRY).call(data);
        require(success == may, may ? "refused what is allowed" : "allowed what is forbidden");
    }

    function _owns(uint256 who, uint256 modelId) private view returns (bool) {
        return ownerOf[modelId] == _person(who) && statusOf[modelId] == ModelStatus.Active;
    }

    function _person(uint256 who) private view returns (address) {
        return _people[who % 3];
    }

    /// @dev Mostly a model that exists.
    function _model(uint256 modelId) private view returns (uint256) {
        return modelId % (models + 2);
    }
}

/// @notice Whatever happens, the registry is what its history says.
contract RegistryInvariants {
    ModelRegistry private registry;
    RegistryActor private actor;

    function setUp() public {
        registry = new ModelRegistry(address(0x6a));
        actor = new RegistryActor(registry, address(0x6a));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function invariant_modelsAreWhatTheirHistorySays() public view {
        uint256 models = actor.models();
        require(registry.modelCount() == models, "count");
        for (uint256 modelId = 1; modelId <= models; ++modelId) {
            IModelRegistry.Entry memory entry = registry.getEntry(modelId);
            bytes32[] memory history = actor.versionsOf(modelId);
            require(entry.version == history.length, "version");
            require(entry.owner == actor.ownerOf(modelId), "owner");
            require(entry.status == actor.statusOf(modelId), "status");
            require(registry.pendingOwner(modelId) == actor.offeredTo(modelId), "offer");
            for (uint256 version = 1; version <= history.length; ++version) {
                bytes32 kept = keccak256(abi.encode(registry.getVersion(modelId, version).commitment));
                require(kept == history[version - 1], "a version changed");
            }
        }
    }
}

/// @notice Applicants with real proofs, good and stolen, at any time.
contract CreditActor {
    struct Application {
        address applicant;
        uint256 nonce;
        bytes output;
        bytes proof;
        CreditLine.Attested attested;
    }

    CreditLine private immutable LENDER;
    uint256 private immutable FUNDS;
    Application[] private _applications;
    address[2] private _people;
    mapping(address person => uint256) public opened;
    uint256 public drawn;
    uint256 public repaid;

    constructor(CreditLine lender, address[2] memory people, Application[] memory applications) {
        LENDER = lender;
        FUNDS = address(lender).balance;
        _people = people;
        for (uint256 i = 0; i < applications.length; ++i) {
            _applications.push(applications[i]);
        }
    }

    function open(uint256 who, uint256 which) external {
        address person = _people[who % 2];
        Application memory application = _applications[which % _applications.length];
        CreditLine.Line memory line = LENDER.lineOf(person);
        bool may = application.applicant == person && application.nonce == opened[person]
            && block.timestamp >= line.expiresAt && line.owed == 0 && _isAttested(application.attested);
        VM.prank(person);
        (bool success,) = address(LENDER)
            .call(abi.encodeCall(LENDER.open, (application.output, application.proof, application.attested)));
        require(success == may, may ? "refused a good proof" : "a proof counted that must not");
        if (success) ++opened[person];
    }

    function _isAttested(CreditLine.Attested memory attested) private view returns (bool) {
        return block.timestamp < attested.expiresAt && block.timestamp - attested.issuedAt <= LENDER.terms().maximumAge;
    }

    function draw(uint256 who, uint96 amount) external {
        address person = _people[who % 2];
        amount %= 1.5 ether;
        CreditLine.Line memory line = LENDER.lineOf(person);
        bool may = block.timestamp < line.expiresAt && uint256(line.owed) + amount <= line.limit;
        VM.prank(person);
        (bool success,) = address(LENDER).call(abi.encodeCall(LENDER.draw, (amount)));
        require(success == may, "draw");
        if (success) drawn += amount;
    }

    function repay(uint256 who, uint256 amount) external {
        address person = _people[who % 2];
        uint256 owed = LENDER.lineOf(person).owed;
        // Often all of it, so that another line can be opened.
        amount = amount % 3 == 0 ? amount % 2 ether : owed;
        VM.deal(person, amount);
        VM.prank(person);
        (bool success,) = address(LENDER).call{value: amount}(abi.encodeCall(LENDER.repay, ()));
        require(success == (amount <= owed), "repay");
        if (success) repaid += amount;
    }

    function pass(uint64 time) external {
        VM.warp(block.timestamp + time % 40 days);
    }

    function funds() external view returns (uint256) {
        return FUNDS;
    }
}

/// @notice Whatever happens, the lender lends what it promised, and a proof counts once.
contract CreditInvariants is Stage {
    CreditActor private actor;

    function setUp() public override {
        super.setUp();
        string[6] memory names = ["alice0", "alice1", "alice2", "bob0", "bob1", "bob2"];
        CreditActor.Application[] memory applications = new CreditActor.Application[](6);
        for (uint256 i = 0; i < 6; ++i) {
            address applicant = i < 3 ? alice : bob;
            applications[i] = CreditActor.Application({
                applicant: applicant,
                nonce: i % 3,
                output: _score(names[i]),
                proof: _proofWithInput(names[i]),
                attested: _attestFor(applicant, names[i], 40 days * uint64(1 + i % 3))
            });
        }
        actor = new CreditActor(creditLine, [alice, bob], applications);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    /// @dev Some expire before the game is over, and some grow too old.
    function _attestFor(address applicant, string memory name, uint64 validity)
        private
        view
        returns (CreditLine.Attested memory)
    {
        (uint64 issuedAt, uint64 expiresAt) = (uint64(block.timestamp), uint64(block.timestamp) + validity);
        bytes32 digest = creditLine.attestationDigest(applicant, _publicInputs(name)[1], issuedAt, expiresAt);
        return CreditLine.Attested(issuedAt, expiresAt, _sign(BUREAU, digest));
    }

    function invariant_theMoneyIsWhereTheBooksSay() public view {
        uint256 owed = uint256(creditLine.lineOf(alice).owed) + creditLine.lineOf(bob).owed;
        require(owed == actor.drawn() - actor.repaid(), "owed");
        require(address(creditLine).balance == actor.funds() - owed, "balance");
        require(creditLine.lineOf(alice).owed <= LIMIT && creditLine.lineOf(bob).owed <= LIMIT, "limit");
    }

    function invariant_aProofCountsOnce() public view {
        address[2] memory people = [alice, bob];
        for (uint256 i = 0; i < 2; ++i) {
            require(creditLine.linesOf(people[i]) == actor.opened(people[i]), "lines");
            require(inference.nonceOf(people[i], VerdictContext.subjectOf(people[i])) == 0, "another's nonce");
        }
    }
}

/// @notice Anybody who tries anything with audits, at any time; with real proofs, good and bad.
contract AuditActor {
    struct Evidence {
        bytes output;
        bytes proof;
    }

    AuditRegistry private immutable AUDITS;
    uint256 private immutable PROGRAM;
    bytes32 private immutable SEED_BLOCK_HASH;
    address[2] private _people = [address(0xa001), address(0xa002)];
    Evidence[] private _evidence;

    constructor(AuditRegistry audits, uint256 program, bytes32 seedBlockHash, Evidence[] memory evidence) {
        (AUDITS, PROGRAM, SEED_BLOCK_HASH) = (audits, program, seedBlockHash);
        for (uint256 i = 0; i < evidence.length; ++i) {
            _evidence.push(evidence[i]);
        }
    }

    function open(uint256 who) external {
        // Few, so that some are completed.
        if (AUDITS.auditCount() < 3) AUDITS.openAudit(PROGRAM, 1, 0, 0, _people[who % 2]);
    }

    function record(uint256 who, uint256 auditId) external {
        auditId = _audit(auditId);
        IAuditRegistry.Audit memory audit = AUDITS.auditOf(auditId);
        bool may = AUDITS.stageOf(auditId) == IAuditRegistry.Stage.ModelRecorded && audit.provider == _people[who % 2]
            && block.number > audit.modelBlock;
        VM.prank(_people[who % 2]);
        _require(abi.encodeCall(AUDITS.recordData, (auditId, roots(), 10)), may);
    }

    function draw(uint256 auditId) external {
        auditId = _audit(auditId);
        IAuditRegistry.Audit memory audit = AUDITS.auditOf(auditId);
        uint256 seedBlock = AUDITS.seedBlockOf(auditId);
        bool may =
            audit.dataBlock != 0 && audit.seed == 0 && block.number > seedBlock && block.number <= seedBlock + 256;
        if (may) VM.setBlockhash(seedBlock, SEED_BLOCK_HASH);
        _require(abi.encodeCall(AUDITS.drawSeed, (auditId)), may);
    }

    function submit(uint256 auditId, uint256 which) external {
        auditId = _audit(auditId);
        which %= _evidence.length;
        IAuditRegistry.Audit memory audit = AUDITS.auditOf(auditId);
        // The first of the evidence are the proofs of the first audit's chunks, in order; nothing else is good.
        bool may = auditId == 1 && audit.seed != 0 && audit.proven < audit.chunks && which == audit.proven;
        (bytes[] memory outputs, bytes[] memory proofs) = (new bytes[](1), new bytes[](1));
        (outputs[0], proofs[0]) = (_evidence[which].output, _evidence[which].proof);
        _require(abi.encodeCall(AUDITS.submit, (auditId, roots(), outputs, proofs)), may);
    }

    function pass(uint256 blocks) external {
        VM.roll(block.number + blocks % 80);
    }

    function roots() public pure returns (uint256[] memory words) {
        words = new uint256[](2);
        (words[0], words[1]) = (11, 12);
    }

    function _require(bytes memory data, bool may) private {
        (bool success,) = address(AUDITS).call(data);
        require(success == may, may ? "refused what is allowed" : "allowed what is forbidden");
    }

    function _audit(uint256 auditId) private view returns (uint256) {
        return 1 + auditId % (AUDITS.auditCount() + 1);
    }
}

/// @notice Whatever happens, an audit is what was recorded, in the order of the blocks.
contract AuditInvariants is Stage {
    AuditActor private actor;

    function setUp() public override {
        super.setUp();
        address keyContract = DataContract.store(key);
        uint256 program = registry.registerModelWithVerifier(_shapeCommitment(key), _shapeBinding(keyContract, 1));
        string[4] memory names = ["audit0", "audit1", "auditOtherModel", "auditOtherSeed"];
        AuditActor.Evidence[] memory evidence = new AuditActor.Evidence[](4);
        for (uint256 i = 0; i < 4; ++i) {
            evidence[i] = AuditActor.Evidence(_score(names[i]), _proofWithInput(names[i]));
        }
        actor = new AuditActor(audits, program, _seedBlockHash(), evidence);
        VM.roll(1000);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function invariant_auditsAreInOrder() public view {
        for (uint256 auditId = 1; auditId <= audits.auditCount(); ++auditId) {
            IAuditRegistry.Audit memory audit = audits.auditOf(auditId);
            IAuditRegistry.Stage stage = audits.stageOf(auditId);
            require(audit.modelBlock != 0 && audit.programVersion == 1 && audit.modelId == 0, "model");
            require(audit.dataBlock == 0 || audit.dataBlock > audit.modelBlock, "data before the model");
            require(audit.seed == 0 || block.number > audits.seedBlockOf(auditId), "a seed before its block");
            require(audit.seed == 0 || audit.dataBlock != 0, "a seed without data");
            require(audit.proven == 0 || audit.seed != 0, "a proof before the seed");
            require(audit.proven <= audit.chunks, "more proofs than chunks");
            require(audits.statementsOf(auditId).length == audit.proven, "statements");
            bool complete = audit.dataBlock != 0 && audit.proven == audit.chunks;
            require((stage == IAuditRegistry.Stage.Complete) == complete, "stage");
            bytes32 dataHash = audit.dataBlock == 0 ? bytes32(0) : keccak256(abi.encodePacked(actor.roots()));
            require(audit.dataHash == dataHash, "data set");
        }
    }
}
