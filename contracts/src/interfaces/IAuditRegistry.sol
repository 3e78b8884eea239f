// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Registry of audits: proven statements about a model and a data set, made in the right order
/// @notice A proof that a model is, say, right about 910 of 1,000 rows says nothing if the rows were chosen after the fact,
/// or the model was made for them. So three things are recorded, each in a later block than the one before:
///
///     model ──▶ data set ──▶ seed ──▶ proofs ──▶ complete
///
/// **Model.** Whoever opens an audit names a version of a registered program, whose proofs show
/// `[context, model commitment?, data root, outputs..]`, and, if they show a commitment, a version of the registered model
/// that decides. Both must be pinned to the same commitment: every proof about single decisions and every proof of the audit
/// shows it, so both run with the same parameters. What they do with them stands in their keys, which whoever relies on the
/// audit makes again. A public model stands in the program's key, and none is named. Versions never change; if the program is
/// updated before the audit is complete, the audit never will be. If the model is, the audit is still of the version that it
/// names: compare it with the one in use.
/// **Data set.** The provider, whom the opener names, records the roots of the data set, one for each chunk that a proof
/// is about, once.
/// **Seed.** The hash of the block `SEED_DELAY` blocks after that one, which nobody knew when the data was recorded. It says
/// which rows are the sample (`sampledRow`): whoever doubts the data set asks its provider for these rows, with their
/// openings up to the recorded roots, and compares them with the world. A provider who made up a tenth of the rows is found
/// out by 50 of them with a probability of 99.5%. Anybody may draw the seed. The chain knows a block's hash for 256 blocks:
/// if nobody draws in time the audit is void, **and cannot be given another seed**, or its provider would let one pass that
/// it does not like.
/// **Proofs.** Anybody may hand in proofs, which are checked together, in the order of the chunks. Their context names this
/// contract, the chain, the audit, its seed and the chunk: a proof made before the seed was known, for another audit, for
/// another chunk, or a second time, is refused.
/// @dev What the sample shows is said off chain: this contract says what was proven of which data, and in which order.
interface IAuditRegistry {
    /// @notice How far an audit is.
    enum Stage {
        Unknown,
        ModelRecorded,
        DataRecorded,
        SeedDrawn,
        Complete,
        Void
    }

    /// @notice An audit.
    /// @param programId The program of the audit.
    /// @param modelId The model that decides with the same committed parameters; zero if the program's model is public.
    /// @param provider Who records the data set.
    /// @param modelBlock The block in which the audit was opened.
    /// @param programVersion The version of the program.
    /// @param dataBlock The block in which the data set was recorded; zero before.
    /// @param modelVersion The version of the model; zero if the program's model is public.
    /// @param chunks How many chunks the data set has.
    /// @param proven How many of them are proven.
    /// @param rowsPerChunk How many rows each chunk has.
    /// @param dataHash keccak256 of the roots' words.
    /// @param seed What the sample follows from; zero before it is drawn.
    struct Audit {
        uint256 programId;
        uint256 modelId;
        address provider;
        uint64 modelBlock;
        uint32 programVersion;
        uint64 dataBlock;
        uint32 modelVersion;
        uint32 chunks;
        uint32 proven;
        uint32 rowsPerChunk;
        bytes32 dataHash;
        bytes32 seed;
    }

    /// @notice The program of an audit is fixed, and the model that decides, if its parameters are committed.
    event AuditOpened(
        uint256 indexed auditId,
        uint256 indexed programId,
        uint256 programVersion,
        uint256 indexed modelId,
        uint256 modelVersion,
        address opener,
        address provider
    );

    /// @notice The data set of an audit is fixed.
    event DataRecorded(uint256 indexed auditId, uint256[] roots, uint32 rowsPerChunk);

    /// @notice The sample of an audit is fixed.
    event SeedDrawn(uint256 indexed auditId, bytes32 seed);

    /// @notice Statements about chunks of the data set were proven.
    /// @param first The first of these chunks.
    /// @param statements The outputs of each chunk's proof.
    event ChunksProven(uint256 indexed auditId, uint256 first, uint256[][] statements);

    /// @notice Statements about all chunks were proven.
    event AuditCompleted(uint256 indexed auditId);

    /// @notice No inference verifier stands at the address.
    error NotAnInferenceVerifier(address inference);

    /// @notice An audit names one version of its program, and of its model.
    error VersionNotPinned();

    /// @notice The proofs of the program show a commitment to a model: the model that decides must be named.
    error ModelNotNamed(uint256 programId);

    /// @notice Proofs of this model or program show no commitment, so nobody sees whether both run with the same parameters.
    error ModelNotCommitted(uint256 modelId);

    /// @notice The program runs with other parameters than the model that decides.
    error ModelCommitmentMismatch(bytes32 program, bytes32 model);

    /// @notice An audit has another stage than this needs.
    error WrongStage(uint256 auditId, Stage expected, Stage got);

    /// @notice Only the provider of the audit may do this.
    error NotTheProvider(uint256 auditId, address caller);

    /// @notice The data set would stand in the same block as the model.
    error DataTooEarly(uint256 auditId, uint256 modelBlock);

    /// @notice A data set has at least one chunk and one row, and at most 2^32 - 1 chunks.
    error EmptyData();

    /// @notice The seed is the hash of a block that the chain does not know yet.
    error SeedTooEarly(uint256 auditId, uint256 seedBlock);

    /// @notice These are not the roots that were recorded.
    error DataMismatch(uint256 auditId);

    /// @notice There are no proofs, more than chunks are left, or not an output for each.
    error ProofCountMismatch(uint256 auditId, uint256 left, uint256 outputs, uint256 proofs);

    /// @notice The data set has no such sample: it has no seed, or the audit is void.
    error NoSample(uint256 auditId);

    /// @notice Opens an audit, with the caller's word on who provides the data.
    /// @param programId The program of the audit, in the registry of the inference verifier.
    /// @param programVersion Its version, which must be the current one now and when proofs are handed in.
    /// @param modelId The model that decides, in the same registry, where the program's model is committed; else zero.
    /// @param modelVersion Its version, which must be the current one now; else zero.
    /// @param provider Who records the data set.
    function openAudit(
        uint256 programId,
        uint256 programVersion,
        uint256 modelId,
        uint256 modelVersion,
        address provider
    ) external returns (uint256 auditId);

    /// @notice Fixes the data set; for the provider alone, once, in a later block than the model.
    /// @param roots The root of each chunk, as its proof shows it.
    /// @param rowsPerChunk How many rows a chunk has: a fact of the program, which whoever relies on the audit looks up there.
    function recordData(uint256 auditId, uint256[] calldata roots, uint32 rowsPerChunk) external;

    /// @notice Fixes the sample; for anybody, from one block after `seedBlockOf` on, for 256 blocks.
    function drawSeed(uint256 auditId) external returns (bytes32 seed);

    /// @notice Hands in proofs about the next chunks, and keeps what they state.
    /// @param roots All recorded roots.
    /// @param outputs For each proof `abi.encode(uint256[] outputs)`.
    /// @param proofs The proofs, the first of them about the first chunk that is not proven.
    function submit(uint256 auditId, uint256[] calldata roots, bytes[] calldata outputs, bytes[] calldata proofs)
        external;

    /// @notice How many audits were opened: the ids are 1 to this.
    function auditCount() external view returns (uint256);

    /// @notice An audit.
    function auditOf(uint256 auditId) external view returns (Audit memory);

    /// @notice How far an audit is.
    function stageOf(uint256 auditId) external view returns (Stage);

    /// @notice The block whose hash is the seed of an audit; zero before its data set is recorded.
    function seedBlockOf(uint256 auditId) external view returns (uint256);

    /// @notice Whom the proofs of an audit are about, as their contexts name it: the audit and its seed.
    function subjectOf(uint256 auditId) external view returns (bytes32);

    /// @notice The context that the proof about a chunk has to have.
    function contextOf(uint256 auditId, uint256 chunk) external view returns (uint256);

    /// @notice A row of the sample, counted from the first row of the first chunk; rows may come up more than once.
    /// @param index Which row of the sample, from 0: as many as somebody wants to look at.
    function sampledRow(uint256 auditId, uint256 index) external view returns (uint256 row);

    /// @notice What was proven: the outputs for each chunk so far.
    function statementsOf(uint256 auditId) external view returns (uint256[][] memory statements);
}
