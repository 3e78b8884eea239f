//! What the suites share: real ceremony files, and files in every format made from a development SRS.

#![expect(dead_code, reason = "every suite uses its own part")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use halo2_proofs::{
    halo2curves::{
        bn256::{Fq, G1Affine, G2Affine},
        ff::PrimeField,
        serde::SerdeObject,
    },
    poly::commitment::ParamsProver,
};
use tempfile::TempDir;
use zkverdict_srs::Srs;

/// A file of the shared test data, which lies in a folder beside the repository or where
/// `ZKVERDICT_SHARED` says. Says so and returns nothing if it is absent.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = env::var_os("ZKVERDICT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join("data/srs").join(name);
    if path.is_file() {
        Some(path)
    } else {
        eprintln!("skipped: {name} is not among the shared test data");
        None
    }
}

/// A temporary folder that files are put into.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a writable temporary folder");
        path
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a readable folder");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }
}

pub(crate) fn raw(srs: &Srs) -> Vec<u8> {
    let mut bytes = Vec::new();
    srs.write_raw(&mut bytes).expect("writing to memory");
    bytes
}

pub(crate) fn powers(srs: &Srs) -> Vec<G1Affine> {
    srs.params().get_g().to_vec()
}

/// The development SRS of 2^`k` points.
pub(crate) fn development(k: u32) -> Srs {
    Srs::development(k).expect("a usable size")
}

/// The prime of BN254's base field, little-endian.
pub(crate) fn prime() -> [u8; 32] {
    let mut bytes = (-Fq::one()).to_repr();
    bytes[0] += 1;
    bytes
}

fn section(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
    bytes
}

pub(crate) fn ptau_header(prime: [u8; 32], power: u32, ceremony_power: u32) -> Vec<u8> {
    let mut header = 32_u32.to_le_bytes().to_vec();
    header.extend(prime);
    header.extend(power.to_le_bytes());
    header.extend(ceremony_power.to_le_bytes());
    header
}

/// The sections of a `.ptau` file with the development secret. The powers of G2 from the second on, and the
/// α and β sections, are fillers: the import reads only their size.
pub(crate) fn ptau_sections(power: u32) -> Vec<(u32, Vec<u8>)> {
    let srs = development(power + 1);
    let n = 1_usize << power;
    let raw = |points: &[G1Affine]| points.iter().flat_map(G1Affine::to_raw_bytes).collect();
    let g1: Vec<u8> = raw(&powers(&srs)[..2 * n - 1]);
    let mut g2 = G2Affine::generator().to_raw_bytes();
    for _ in 1..n {
        g2.extend(srs.params().s_g2().to_raw_bytes());
    }
    let fill: Vec<u8> = raw(&vec![G1Affine::generator(); n]);
    vec![
        (1, ptau_header(prime(), power, 28)),
        (2, g1),
        (3, g2),
        (4, fill.clone()),
        (5, fill),
        (6, G2Affine::generator().to_raw_bytes()),
        (7, b"contributions".to_vec()),
    ]
}

pub(crate) fn ptau_of(sections: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"ptau".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((sections.len() as u32).to_le_bytes());
    for (kind, content) in sections {
        bytes.extend(section(*kind, content));
    }
    bytes
}

pub(crate) fn ptau(power: u32) -> Vec<u8> {
    ptau_of(&ptau_sections(power))
}

fn big_endian(element: Fq) -> [u8; 32] {
    let mut bytes = element.to_repr();
    bytes.reverse();
    bytes
}

pub(crate) fn gnark_g1(points: &[G1Affine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for point in points {
        let mut x = big_endian(point.x);
        x[0] |= if point.y > -point.y { 0xc0 } else { 0x80 };
        bytes.extend(x);
    }
    bytes
}

pub(crate) fn gnark_g2(points: &[G2Affine]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for point in points {
        let mut high = big_endian(point.x.c1);
        high[0] |= if point.y > -point.y { 0xc0 } else { 0x80 };
        bytes.extend(high);
        bytes.extend(big_endian(point.x.c0));
    }
    bytes
}

/// arkworks' `UniversalParams` with one hiding power and one negative power, as fillers.
pub(crate) fn arkworks(points: &[G1Affine], tau_g2: G2Affine) -> Vec<u8> {
    let g1 = |point: &G1Affine| {
        let mut bytes = [point.x.to_repr(), point.y.to_repr()].concat();
        bytes[63] |= u8::from(point.y > -point.y) << 7;
        bytes
    };
    let g2 = |point: &G2Affine| {
        let mut bytes = [point.x.to_bytes(), point.y.to_bytes()].concat();
        bytes[127] |= u8::from(point.y > -point.y) << 7;
        bytes
    };
    let mut bytes = (points.len() as u64).to_le_bytes().to_vec();
    bytes.extend(points.iter().flat_map(g1));
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(g1(&G1Affine::generator()));
    bytes.extend(g2(&G2Affine::generator()));
    bytes.extend(g2(&tau_g2));
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(g2(&tau_g2));
    bytes
}

/// τ·G2 as in Aztec's `bn254_g2.dat`.
pub(crate) fn aztec_g2(point: G2Affine) -> Vec<u8> {
    [point.x.c0, point.x.c1, point.y.c0, point.y.c1]
        .map(big_endian)
        .concat()
}
