//! Whether a circuit will fit, said before the work is done: memory, SRS, contract.

use std::path::Path;

use rustix::process::{Resource, getrlimit};
use zkverdict::{
    available_memory,
    circuits::Candidate,
    srs::{SrsError, read_provenance},
};

use crate::printer::{Printer, size};

/// What is about to take memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Setup,
    Prove,
}

/// Bytes that this process can still take, where the system tells.
pub(crate) fn free_memory() -> Option<u64> {
    let limit = getrlimit(Resource::As).current;
    available_memory().into_iter().chain(limit).min()
}

/// Warns where the memory at hand is less than the prediction.
pub(crate) fn check_memory(plan: &Candidate, work: Work, printer: &Printer) {
    if let Some(text) = memory_warning(plan, work, free_memory()) {
        printer.warning(&text);
    }
}

fn memory_warning(plan: &Candidate, work: Work, free: Option<u64>) -> Option<String> {
    let (needed, what) = match work {
        Work::Setup => (plan.peak_memory_bytes(), "making the keys"),
        Work::Prove => (plan.memory_bytes, "a proof"),
    };
    let free = free.filter(|free| *free < needed)?;
    Some(format!(
        "{what} takes about {} of memory, and this machine has {} to give: close other programs, take a larger \
         machine, or run `zkverdict compile` with --memory-limit or --optimize memory",
        size(needed),
        size(free)
    ))
}

/// Checks that an SRS is large enough, by its header alone.
pub(crate) fn check_srs(plan: &Candidate, path: &Path) -> Result<(), SrsError> {
    let available = read_provenance(path)?.k;
    if available < plan.k {
        return Err(SrsError::TooSmall {
            available,
            wanted: plan.k,
        });
    }
    Ok(())
}

/// Warns where the contract will be too large for a chain.
pub(crate) fn check_contract(plan: &Candidate, printer: &Printer) {
    if !plan.is_deployable() {
        printer.warning(&format!(
            "the contract of these keys will have about {} of code, above what a chain deploys (24,576): run \
             `zkverdict compile` again with fewer lanes, or with `--visibility` commit to values",
            size(plan.code_bytes as u64)
        ));
    }
}

#[cfg(test)]
mod tests {
    use zkverdict::circuits::Shape;

    use super::*;

    fn plan() -> Candidate {
        Candidate {
            shape: Shape {
                lanes: 1,
                limb_bits: 8,
                ..Shape::default()
            },
            combined: vec![],
            k: 20,
            rows: 1 << 19,
            table_rows: 300,
            hash_rows: 0,
            advice_columns: 7,
            fixed_columns: 8,
            equality_columns: 2,
            public_inputs: 2,
            proof_bytes: 1_920,
            code_bytes: 16_000,
            verify_gas: 367_000,
            prove_cpu_s: 100.0,
            memory_bytes: 4_000_000_000,
            max_error: None,
            weight_bits: None,
        }
    }

    #[test]
    fn too_little_memory_is_said_with_the_remedy() {
        assert_eq!(memory_warning(&plan(), Work::Prove, Some(4_000_000_000)), None);
        assert_eq!(memory_warning(&plan(), Work::Setup, None), None);
        let text = memory_warning(&plan(), Work::Setup, Some(4_000_000_000)).unwrap();
        assert!(
            text.contains("making the keys takes about 5000.0 MB of memory, and this machine has 4000.0 MB"),
            "{text}"
        );
        assert!(text.contains("--memory-limit"), "{text}");
    }
}
