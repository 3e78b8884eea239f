//! Where a proof stands. halo2 calls nobody while it proves, but everything it does ends in the transcript, so points
//! and scalars are counted there against the protocol.
//!
//! ```text
//!   witness │ points of phase 1 │ later phases │ products, random │ quotient pieces │ evaluations, 2 points │ check
//!           └ commitments       └ lookup       └ permutation      └ quotient        └ opening
//! ```

use std::io;

use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    transcript::{Transcript, TranscriptWrite},
};
use snark_verifier::{
    loader::native::NativeLoader,
    system::halo2::transcript::evm::{ChallengeEvm, EvmTranscript},
};
use zkverdict_circuit::{HostFactors, ProveCpu};
use zkverdict_verifier::VerifyingKey;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The verifying key: commitments to the fixed columns.
    VerifyingKey,
    /// The proving key: the fixed columns in every form that proving needs.
    ProvingKey,
    /// The program is executed and laid out.
    Witness,
    /// Columns are filled and committed to.
    Commitments,
    /// The column of the lookups' running sum.
    Lookup,
    /// The products of the copy constraints.
    Permutation,
    /// All constraints over the extended domain, divided, committed to.
    Quotient,
    /// Evaluations, and the proof that they are right.
    Opening,
    /// The new proof is verified.
    Check,
}

impl Stage {
    const OF_PROOF: [Self; 7] = [
        Self::Witness,
        Self::Commitments,
        Self::Lookup,
        Self::Permutation,
        Self::Quotient,
        Self::Opening,
        Self::Check,
    ];

    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::VerifyingKey => "verifying key",
            Self::ProvingKey => "proving key",
            Self::Witness => "witness",
            Self::Commitments => "commitments",
            Self::Lookup => "lookup",
            Self::Permutation => "permutation",
            Self::Quotient => "quotient",
            Self::Opening => "opening",
            Self::Check => "check",
        }
    }
}

/// How far a proof or a pair of keys is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done now.
    pub stage: Stage,
    /// The share of the predicted work that is done, from 0 to 1.
    pub done: f64,
}

/// Who is told. It is called between the steps of the work, on the thread that does it.
pub type Observer<'a> = dyn FnMut(Progress) + 'a;

/// Points of SHPLONK.
const OPENING_POINTS: usize = 2;

/// Work of a commitment to small values, in commitments to full-size ones.
const SMALL_COMMITMENT: f64 = 1.0 / 6.0;

/// Share of the work over rows and columns that the opening does; the quotient does the rest.
const TRANSFORMS_OF_OPENING: f64 = 0.2;

/// Share of the work per row that is no commitment, but the evaluation of the quotient (`docs/profile.md`).
const ROWS_OF_QUOTIENT: f64 = 0.5;

/// Share of the opening that is over when all evaluations are written.
const EVALUATIONS_OF_OPENING: f64 = 0.2;

/// What a protocol writes in each stage, and how much of the work that is.
#[derive(Debug, Clone)]
struct Schedule {
    /// Points until the end of each stage from the commitments to the quotient.
    ends: [usize; 4],
    evaluations: usize,
    /// Of each stage of [`Stage::OF_PROOF`]; they sum to 1.
    shares: [f64; 7],
}

impl Schedule {
    fn new(key: &VerifyingKey) -> Self {
        let protocol = &key.protocol;
        let witness = &protocol.num_witness;
        let first = witness.first().copied().unwrap_or(0);
        let products = witness.last().copied().unwrap_or(0);
        let columns: usize = witness.iter().sum();
        let pieces = protocol.quotient.num_chunk();
        let cpu = ProveCpu::predict(
            protocol.domain.k as u32,
            protocol.preprocessed.len() + columns,
            key.link.as_ref().map_or(0, |link| link.columns),
            0,
            HostFactors::default(),
        );
        let points = [
            first as f64 * SMALL_COMMITMENT,
            (columns - products - first) as f64,
            products as f64,
            pieces as f64,
            OPENING_POINTS as f64,
        ];
        let one = cpu.commitments_s * (1.0 - ROWS_OF_QUOTIENT) / points.iter().sum::<f64>();
        let [first_s, later_s, products_s, pieces_s, openings_s] = points.map(|count| count * one);
        let seconds = [
            cpu.base_s / 2.0,
            first_s,
            later_s,
            products_s,
            pieces_s + cpu.commitments_s * ROWS_OF_QUOTIENT + cpu.transforms_s * (1.0 - TRANSFORMS_OF_OPENING),
            openings_s + cpu.transforms_s * TRANSFORMS_OF_OPENING,
            cpu.base_s / 2.0,
        ];
        Self {
            ends: [first, columns - products, columns, columns + pieces],
            evaluations: protocol.evaluations.len(),
            shares: seconds.map(|seconds| seconds / cpu.total()),
        }
    }

    /// Where a stage begins.
    fn start(&self, stage: Stage) -> Progress {
        let before = Stage::OF_PROOF.iter().zip(self.shares);
        let done = before.filter(|(other, _)| **other < stage).map(|(_, share)| share);
        Progress {
            stage,
            done: done.sum(),
        }
    }

    /// Within the opening, after some of the evaluations.
    fn opening(&self, scalars: usize) -> Progress {
        let [.., share, _] = self.shares;
        let evaluated = scalars as f64 / self.evaluations.max(1) as f64;
        let mut progress = self.start(Stage::Opening);
        progress.done += share * EVALUATIONS_OF_OPENING * evaluated;
        progress
    }

    /// The stage in which the next point will be written.
    fn stage_after(&self, points: usize) -> Stage {
        let [commitments, lookup, permutation, quotient] = self.ends;
        match points {
            points if points < commitments => Stage::Commitments,
            points if points < lookup => Stage::Lookup,
            points if points < permutation => Stage::Permutation,
            points if points < quotient => Stage::Quotient,
            _ => Stage::Opening,
        }
    }
}

/// A transcript that tells an observer how far the proof is. It changes nothing of what is written.
pub(crate) struct ObservedTranscript<'a> {
    transcript: EvmTranscript<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>,
    schedule: Schedule,
    stage: Stage,
    points: usize,
    scalars: usize,
    observer: &'a mut dyn FnMut(Progress),
}

impl<'a> ObservedTranscript<'a> {
    /// A transcript for a proof under this key; the witness comes next.
    pub(crate) fn new(key: &VerifyingKey, observer: &'a mut dyn FnMut(Progress)) -> Self {
        Self::with_schedule(Schedule::new(key), observer)
    }

    fn with_schedule(schedule: Schedule, observer: &'a mut dyn FnMut(Progress)) -> Self {
        let mut observed = Self {
            transcript: EvmTranscript::<_, NativeLoader, _, _>::new(Vec::new()),
            schedule,
            stage: Stage::Witness,
            points: 0,
            scalars: 0,
            observer,
        };
        observed.enter(Stage::Witness);
        observed
    }

    /// Says that a stage begins.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        (self.observer)(self.schedule.start(stage));
    }

    /// What is written so far.
    pub(crate) fn written(&mut self) -> &[u8] {
        self.transcript.stream_mut()
    }

    /// The proof.
    pub(crate) fn finalize(self) -> Vec<u8> {
        self.transcript.finalize()
    }
}

type Challenge = ChallengeEvm<G1Affine>;

impl Transcript<G1Affine, Challenge> for ObservedTranscript<'_> {
    fn squeeze_challenge(&mut self) -> Challenge {
        // A challenge ends what was committed to before it.
        let stage = self.schedule.stage_after(self.points);
        if stage != self.stage {
            self.enter(stage);
        } else if stage == Stage::Opening {
            (self.observer)(self.schedule.opening(self.scalars));
        }
        Transcript::<_, Challenge>::squeeze_challenge(&mut self.transcript)
    }

    fn common_point(&mut self, point: G1Affine) -> io::Result<()> {
        Transcript::<_, Challenge>::common_point(&mut self.transcript, point)
    }

    fn common_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        Transcript::<_, Challenge>::common_scalar(&mut self.transcript, scalar)
    }
}

impl TranscriptWrite<G1Affine, Challenge> for ObservedTranscript<'_> {
    fn write_point(&mut self, point: G1Affine) -> io::Result<()> {
        self.points += 1;
        TranscriptWrite::<_, Challenge>::write_point(&mut self.transcript, point)
    }

    fn write_scalar(&mut self, scalar: Fr) -> io::Result<()> {
        self.scalars += 1;
        TranscriptWrite::<_, Challenge>::write_scalar(&mut self.transcript, scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a prover writes: 3 columns, 1 after a challenge, 2 products, 2 quotient pieces, 4 evaluations, 2 openings.
    fn write(transcript: &mut impl TranscriptWrite<G1Affine, Challenge>) -> Vec<Fr> {
        let mut challenges = Vec::new();
        transcript.common_scalar(Fr::from(5)).unwrap();
        transcript.common_point(G1Affine::generator()).unwrap();
        for points in [3, 1, 2, 2] {
            for _ in 0..points {
                transcript.write_point(G1Affine::generator()).unwrap();
            }
            challenges.push(*transcript.squeeze_challenge_scalar::<()>());
        }
        for number in 0..4 {
            transcript.write_scalar(Fr::from(number)).unwrap();
        }
        for _ in 0..OPENING_POINTS {
            challenges.push(*transcript.squeeze_challenge_scalar::<()>());
            transcript.write_point(-G1Affine::generator()).unwrap();
        }
        challenges
    }

    #[test]
    fn an_observed_transcript_writes_and_answers_as_a_plain_one() {
        let schedule = Schedule {
            ends: [3, 4, 6, 8],
            evaluations: 4,
            shares: [0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1],
        };
        let mut told = Vec::new();
        let observer = &mut |progress| told.push(progress);
        let mut observed = ObservedTranscript::with_schedule(schedule, observer);
        observed.enter(Stage::Commitments);
        let mut plain = EvmTranscript::<G1Affine, NativeLoader, Vec<u8>, Vec<u8>>::new(Vec::new());
        assert_eq!(write(&mut observed), write(&mut plain));
        assert_eq!(observed.finalize(), plain.finalize());
        let stages: Vec<Stage> = told.iter().map(|progress| progress.stage).collect();
        let [.., opening, _] = Stage::OF_PROOF;
        assert_eq!(stages, [&Stage::OF_PROOF[..6], &[opening, opening]].concat());
        assert!(told.is_sorted_by(|left, right| left.done <= right.done), "{told:?}");
    }
}
