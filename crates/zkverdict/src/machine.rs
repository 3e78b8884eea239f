//! The machine at hand: how much memory is free, and how fast it transforms and commits.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fr, G1, G1Affine},
        group::Curve,
    },
    poly::EvaluationDomain,
};
use serde::{Deserialize, Serialize};
use zkverdict_circuit::HostFactors;
use zkverdict_solidity::cache_folder;
use zkverdict_verifier::write_atomically;

/// Bytes that this process can still take: what the system has available, or what is left of its control groups'
/// limits if that is less. `None` where neither is known.
pub fn available_memory() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available_in(&text));
    system.into_iter().chain(control_group_memory()).min()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// What the process's control group and those above it leave, of either version.
fn control_group_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let left = |line: &str| {
        let (root, group, files) = memory_group(line)?;
        // Within a container the group's path may be one of the host: then only the root is there.
        let folder = Path::new(root).join(group.trim_start_matches('/'));
        let above = folder.ancestors().take_while(|folder| folder.starts_with(root));
        above.filter_map(|folder| left_in(folder, files)).min()
    };
    groups.lines().filter_map(left).min()
}

/// Names of a limit, a usage and, in the statistics, of what can be reclaimed.
type MemoryFiles = [&'static str; 3];

/// Where a line of `/proc/self/cgroup` says that memory is limited.
fn memory_group(line: &str) -> Option<(&'static str, &str, MemoryFiles)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
    if number == "0" && controllers.is_empty() {
        return Some((
            "/sys/fs/cgroup",
            group,
            ["memory.max", "memory.current", "inactive_file"],
        ));
    }
    let files = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"];
    controllers
        .split(',')
        .any(|controller| controller == "memory")
        .then_some(("/sys/fs/cgroup/memory", group, files))
}

fn left_in(folder: &Path, [limit, usage, reclaimable]: MemoryFiles) -> Option<u64> {
    let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let (limit, usage) = (number(limit)?, number(usage)?);
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = statistics.lines().find_map(|line| {
        let (name, bytes) = line.split_once(' ')?;
        (name == reclaimable).then(|| bytes.parse::<u64>().ok()).flatten()
    });
    Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
}

/// Rows of the measured transform: `2^13`.
const TRANSFORM_K: u32 = 13;
/// Points of the measured multi-scalar multiplication: `2^11`.
const COMMITMENT_K: u32 = 11;
/// Runs of each.
const RUNS: usize = 8;

/// Seconds of the two on the machine that the cost model was fitted on, one thread.
const REFERENCE: [f64; 2] = [REFERENCE_TRANSFORM_S, REFERENCE_COMMITMENT_S];
const REFERENCE_TRANSFORM_S: f64 = 2.4e-3;
const REFERENCE_COMMITMENT_S: f64 = 15.5e-3;

/// How long a transform and a commitment take here, on one thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostSpeed {
    /// The processor's name.
    pub processor: String,
    /// Seconds of a Fourier transform of `2^13` scalars.
    pub transform_s: f64,
    /// Seconds of a multi-scalar multiplication of `2^11` points.
    pub commitment_s: f64,
}

impl HostSpeed {
    /// Measures: about a tenth of a second.
    pub fn measure() -> Self {
        let [transform_s, commitment_s] = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
            Ok(pool) => pool.install(|| [transform(), commitment()]),
            Err(_) => REFERENCE,
        };
        Self {
            processor: processor(),
            transform_s,
            commitment_s,
        }
    }

    /// What was measured on this processor before, from the user's cache.
    pub fn cached() -> Option<Self> {
        let text = fs::read(cache_file()).ok()?;
        let speed: Self = serde_json::from_slice(&text).ok()?;
        let usable = |seconds: f64| seconds.is_finite() && seconds > 0.0;
        (speed.processor == processor() && usable(speed.transform_s) && usable(speed.commitment_s)).then_some(speed)
    }

    /// What was measured before, or else is now, and is kept for the next time.
    pub fn known() -> Self {
        Self::cached().unwrap_or_else(|| {
            let speed = Self::measure();
            if let Ok(text) = serde_json::to_vec(&speed) {
                // Without a cache it is measured again.
                let _ = write_atomically(&cache_file(), &text);
            }
            speed
        })
    }

    /// Factors for the planner's predictions.
    pub fn factors(&self) -> HostFactors {
        HostFactors {
            transforms: self.transform_s / REFERENCE_TRANSFORM_S,
            commitments: self.commitment_s / REFERENCE_COMMITMENT_S,
        }
    }
}

/// Seconds that work of this many CPU seconds takes on all cores.
pub fn wall_seconds(cpu_s: f64) -> f64 {
    cpu_s / thread::available_parallelism().map_or(1, usize::from) as f64
}

fn cache_file() -> PathBuf {
    cache_folder().join("speed.json")
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.unwrap_or_else(|| env::consts::ARCH.to_owned())
}

/// Seconds that this thread has run, where the system tells; else the time of day, which other processes stretch.
fn thread_seconds(started: Instant) -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<f64>().ok());
    nanoseconds.map_or_else(|| started.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}

/// Mean seconds of a run, after one to warm up.
fn mean(mut run: impl FnMut()) -> f64 {
    run();
    let clock = Instant::now();
    let started = thread_seconds(clock);
    (0..RUNS).for_each(|_| run());
    (thread_seconds(clock) - started) / RUNS as f64
}

fn transform() -> f64 {
    let domain = EvaluationDomain::<Fr>::new(1, TRANSFORM_K);
    mean(|| {
        domain.lagrange_to_coeff(domain.empty_lagrange());
    })
}

fn commitment() -> f64 {
    let size = 1_usize << COMMITMENT_K;
    let points: Vec<G1> = std::iter::successors(Some(G1::generator()), |point| Some(point + G1Affine::generator()))
        .take(size)
        .collect();
    let mut bases = vec![G1Affine::default(); size];
    G1::batch_normalize(&points, &mut bases);
    // Full-size scalars, the same in every run.
    let scalars: Vec<Fr> = std::iter::successors(Some(Fr::from(3).invert().unwrap_or(Fr::one())), |scalar| {
        Some(scalar.square() + Fr::one())
    })
    .take(size)
    .collect();
    mean(|| {
        best_multiexp(&scalars, &bases);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:       24565848 kB\nMemFree:  1 kB\nMemAvailable:   20000000 kB\n";
        assert_eq!(available_in(text), Some(20_480_000_000));
        assert_eq!(available_in("MemTotal: 1 kB"), None);
        assert_eq!(available_in("MemAvailable: much"), None);
    }

    #[test]
    fn control_groups_of_both_versions_are_found() {
        let (root, group, files) = memory_group("0::/user.slice/a:b").unwrap();
        assert_eq!(
            (root, group, files[0]),
            ("/sys/fs/cgroup", "/user.slice/a:b", "memory.max")
        );
        let (root, group, files) = memory_group("4:cpu,memory:/docker").unwrap();
        assert_eq!(
            (root, group, files[0]),
            ("/sys/fs/cgroup/memory", "/docker", "memory.limit_in_bytes")
        );
        assert!(memory_group("4:cpu:/docker").is_none());
        assert!(memory_group("").is_none());
    }

    #[test]
    fn a_group_leaves_its_limit_less_what_cannot_be_reclaimed() {
        let folder = std::env::temp_dir().join(format!("zkverdict-group-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (_, _, files) = memory_group("0::/").unwrap();
        fs::write(folder.join("memory.max"), "1000\n").unwrap();
        fs::write(folder.join("memory.current"), "700\n").unwrap();
        assert_eq!(left_in(&folder, files), Some(300));
        fs::write(folder.join("memory.stat"), "anon 1\ninactive_file 200\n").unwrap();
        assert_eq!(left_in(&folder, files), Some(500));
        fs::write(folder.join("memory.max"), "max\n").unwrap();
        assert_eq!(left_in(&folder, files), None);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_slower_machine_has_larger_factors() {
        let speed = HostSpeed {
            processor: String::new(),
            transform_s: 2.0 * REFERENCE_TRANSFORM_S,
            commitment_s: REFERENCE_COMMITMENT_S,
        };
        let factors = speed.factors();
        assert_eq!((factors.transforms, factors.commitments), (2.0, 1.0));
    }
}
