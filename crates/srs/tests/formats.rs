//! Every format, made from the development SRS: honest files give that very SRS, and every forgery and
//! every damage is refused by name.

mod common;

use common::*;
use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine, G2Affine},
        ff::{Field, PrimeField},
        group::Curve,
        serde::SerdeObject,
    },
    poly::commitment::ParamsProver,
};
use zkverdict_srs::{
    Ceremony, CurveGroup, FilePart, ForeignContent, ImportOptions, Notice, PointDefect, SourceFormat, Srs, SrsError,
    import,
};

const K: u32 = 2;

fn options() -> ImportOptions {
    ImportOptions::new()
}

/// Imports bytes under the name `file`.
fn import_bytes(bytes: &[u8], options: &ImportOptions) -> Result<Srs, SrsError> {
    let folder = Folder::new();
    import(&folder.put("file", bytes), options).map(|import| import.srs)
}

/// The format's file for the development SRS of 2^`k` points, and the options that read it.
fn files(folder: &Folder, k: u32) -> Vec<(SourceFormat, Vec<u8>, ImportOptions)> {
    let srs = development(k);
    let tau_g2 = srs.params().s_g2();
    let g2_file = folder.put("g2", &gnark_g2(&[tau_g2]));
    vec![
        (SourceFormat::Ptau, ptau(k), options()),
        (SourceFormat::Halo2Raw, raw(&srs), options()),
        (
            SourceFormat::GnarkPoints,
            gnark_g1(&powers(&srs)),
            options().g2_file(g2_file),
        ),
        (SourceFormat::Arkworks, arkworks(&powers(&srs), tau_g2), options()),
    ]
}

#[test]
fn every_format_gives_the_same_srs() {
    let folder = Folder::new();
    for k in [1, 2, 5] {
        let expected = development(k);
        for (format, bytes, options) in files(&folder, k) {
            let path = folder.put("honest", &bytes);
            for options in [options.clone(), options.format(format)] {
                let import = import(&path, &options).expect("an honest file");
                let provenance = import.srs.provenance();
                assert_eq!(raw(&import.srs), raw(&expected), "{format}, k = {k}");
                assert_eq!(provenance.raw_sha256, expected.provenance().raw_sha256);
                assert_eq!(provenance.source_format, format);
                assert_eq!(provenance.k, k);
                // Laundering the development SRS through a format does not make it safe.
                assert_eq!(provenance.ceremony, Ceremony::Development);
                assert!(import.srs.is_unsafe());
                assert_eq!(import.notices, [Notice::UnsafeSecret]);
                let source = provenance.source_file.as_ref().expect("a source file");
                assert_eq!((source.name.as_str(), source.k), ("honest", k));
                assert!(!source.is_published_file && source.blake2b.is_some());
            }
        }
    }
}

#[test]
fn a_smaller_size_is_the_prefix() {
    let folder = Folder::new();
    let expected = development(3);
    for (format, bytes, options) in files(&folder, 5) {
        let path = folder.put("honest", &bytes);
        let import = import(&path, &options.max_k(3).hash_limit(0)).expect("an honest file");
        assert_eq!(raw(&import.srs), raw(&expected), "{format}");
        let reduced = Notice::Reduced { available: 5, taken: 3 };
        assert_eq!(import.notices, [Notice::UnsafeSecret, reduced]);
        let source = import.srs.provenance().source_file.as_ref();
        assert_eq!(source.expect("a source file").blake2b, None);
    }
    for max_k in [0, 29, u32::MAX] {
        let got = import(&folder.path("honest"), &options().max_k(max_k));
        assert!(matches!(got, Err(SrsError::KOutOfRange { got, .. }) if got == max_k));
    }
}

#[test]
fn no_truncation_and_no_extension_is_accepted() {
    let folder = Folder::new();
    for (format, bytes, options) in files(&folder, 1) {
        for length in 0..bytes.len() {
            let path = folder.put("damaged", &bytes[..length]);
            for options in [options.clone(), options.clone().format(format)] {
                let got = import(&path, &options);
                assert!(got.is_err(), "{format}, {length} of {} bytes", bytes.len());
            }
        }
        // A longer list of gnark points is a valid list if it goes on with whole points.
        let extended = [bytes, vec![0]].concat();
        let got = import(&folder.put("damaged", &extended), &options);
        assert!(matches!(got, Err(SrsError::WrongSize { .. })), "{format}");
    }
}

#[test]
fn no_changed_byte_changes_the_srs() {
    let folder = Folder::new();
    let honest = development(K).provenance().raw_sha256;
    for (format, bytes, options) in files(&folder, K) {
        let mut accepted = 0;
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << (index % 8);
            let path = folder.put("damaged", &damaged);
            if let Ok(import) = import(&path, &options) {
                assert_eq!(import.srs.provenance().raw_sha256, honest, "{format}, {index}");
                accepted += 1;
            }
        }
        // What the import does not need: the rest of the G1 and G2 powers, α, β and the contributions of a
        // .ptau file, the hiding and negative powers of arkworks, and a few bits of the numbers that describe
        // those. Everything else is covered.
        let unused = match format {
            SourceFormat::Ptau => 3 * 64 + 2 * 128 + 2 * 4 * 64 + 128 + 13,
            SourceFormat::Arkworks => 8 + 64 + 8 + 128,
            _ => 0,
        };
        assert!(accepted <= unused + 8, "{format}: {accepted} of {unused}");
        if unused == 0 {
            assert_eq!(accepted, 0, "{format}");
        }
    }
}

#[test]
fn extreme_numbers_anywhere_never_panic() {
    let folder = Folder::new();
    let honest = development(K).provenance().raw_sha256;
    let numbers = [0, 1, 28, 29, 1 << 28, 1 << 31, u64::from(u32::MAX), 1 << 63, u64::MAX];
    for (format, bytes, options) in files(&folder, K) {
        for start in (0..bytes.len()).step_by(4) {
            let number = numbers[start / 4 % numbers.len()].to_le_bytes();
            let width = if start % 8 == 0 { 4 } else { 8 };
            let end = (start + width).min(bytes.len());
            let mut damaged = bytes.clone();
            damaged[start..end].copy_from_slice(&number[..end - start]);
            let path = folder.put("damaged", &damaged);
            for options in [options.clone(), options.clone().format(format)] {
                if let Ok(import) = import(&path, &options) {
                    assert_eq!(import.srs.provenance().raw_sha256, honest, "{format}, {start}");
                }
            }
        }
    }
}

#[test]
fn raw_points_in_the_wrong_place_are_refused() {
    let honest = raw(&development(K));
    let n = 1 << K;
    let point = |index: usize| 4 + 64 * index..68 + 64 * index;
    let swapped = |first: usize, second: usize| {
        let mut bytes = honest.clone();
        bytes[point(first)].copy_from_slice(&honest[point(second)]);
        bytes[point(second)].copy_from_slice(&honest[point(first)]);
        import_bytes(&bytes, &options())
    };
    for first in 0..2 * n {
        for second in first + 1..2 * n {
            let got = swapped(first, second).expect_err("swapped points");
            let expected = match (first, second) {
                (0, _) => matches!(
                    got,
                    SrsError::NotTheGenerator {
                        group: CurveGroup::G1,
                        ..
                    }
                ),
                _ if first < n => matches!(got, SrsError::InconsistentPowers { .. }),
                _ => matches!(got, SrsError::LagrangeMismatch { .. }),
            };
            assert!(expected, "{first} and {second}: {got}");
        }
    }
}

#[test]
fn bad_points_are_named_with_their_place() {
    let honest = raw(&development(K));
    let n = 1_u64 << K;
    let with = |index: u64, point: &[u8]| {
        let start = 4 + 64 * index as usize;
        let mut bytes = honest.clone();
        bytes[start..start + point.len()].copy_from_slice(point);
        import_bytes(&bytes, &options()).expect_err("a bad point")
    };
    let mut off_curve = G1Affine::generator();
    off_curve.y = off_curve.y.double();
    for (defect, point) in [
        (PointDefect::NotOnCurve, off_curve.to_raw_bytes()),
        (PointDefect::Identity, vec![0; 64]),
        (
            PointDefect::NonCanonicalCoordinate,
            [prime().to_vec(), vec![0; 32]].concat(),
        ),
    ] {
        for place in 0..2 * n {
            let expected_part = if place < n {
                FilePart::PowersG1
            } else {
                FilePart::LagrangeG1
            };
            match with(place, &point) {
                SrsError::Point {
                    part,
                    index,
                    defect: got,
                    ..
                } => assert_eq!((part, index, got), (expected_part, place % n, defect)),
                other => panic!("{place}: {other}"),
            }
        }
    }
}

#[test]
fn another_secret_in_g2_is_refused() {
    let folder = Folder::new();
    let other = G2Affine::generator() * Fr::from(7);
    let other = other.to_affine();
    let honest = development(K);

    let mut bytes = raw(&honest);
    let start = bytes.len() - 128;
    bytes[start..].copy_from_slice(&other.to_raw_bytes());
    let inconsistent = |got: Result<Srs, SrsError>| {
        assert!(matches!(got, Err(SrsError::InconsistentPowers { .. })), "{got:?}");
    };
    inconsistent(import_bytes(&bytes, &options()));

    let g2_file = folder.put("other", &gnark_g2(&[other]));
    let bytes = gnark_g1(&powers(&honest));
    inconsistent(import_bytes(&bytes, &options().g2_file(g2_file)));
    inconsistent(import_bytes(&arkworks(&powers(&honest), other), &options()));

    let mut sections = ptau_sections(K);
    sections[2].1[128..256].copy_from_slice(&other.to_raw_bytes());
    inconsistent(import_bytes(&ptau_of(&sections), &options()));

    // The other group generator: consistent with nothing, named before any pairing.
    sections[2].1[..128].copy_from_slice(&other.to_raw_bytes());
    let got = import_bytes(&ptau_of(&sections), &options());
    assert!(matches!(
        got,
        Err(SrsError::NotTheGenerator {
            group: CurveGroup::G2,
            ..
        })
    ));
}

#[test]
fn a_secret_from_the_domain_is_refused() {
    // A root of unity as the secret: consistent powers that give everything away.
    let root = Fr::ROOT_OF_UNITY.pow([1 << (28 - K)]);
    let points: Vec<_> = (0..1_u64 << K)
        .map(|power| (G1Affine::generator() * root.pow([power])).to_affine())
        .collect();
    let tau_g2 = (G2Affine::generator() * root).to_affine();
    let got = import_bytes(&arkworks(&points, tau_g2), &options());
    assert!(matches!(got, Err(SrsError::SecretInDomain { k: K, .. })));
}

#[test]
fn ptau_headers_are_read_with_suspicion() {
    let sections = ptau_sections(K);
    let with_header = |header: Vec<u8>| {
        let mut sections = sections.clone();
        sections[0].1 = header;
        import_bytes(&ptau_of(&sections), &options()).expect_err("a bad header")
    };
    // The prime of BLS12-381 is longer; a 32-byte prime that is not BN254's is secp256k1's, say.
    let mut other_prime = [0xff; 32];
    other_prime[0] = 0x2f;
    let got = with_header(ptau_header(other_prime, K, 28));
    assert!(matches!(got, SrsError::WrongPrime { .. }), "{got}");
    let mut bls = 48_u32.to_le_bytes().to_vec();
    bls.extend([0x11; 56]);
    let got = with_header(bls);
    assert!(matches!(got, SrsError::WrongPrime { .. }), "{got}");
    for power in [0, 29, 1 << 20, u32::MAX] {
        let got = with_header(ptau_header(prime(), power, 28));
        let named = matches!(got, SrsError::PowerOutOfRange { got, .. } if got == u64::from(power));
        assert!(named, "{got}");
    }
    let got = with_header(ptau_header(prime(), K, K - 1));
    assert!(matches!(got, SrsError::PowerOutOfRange { .. }), "{got}");
    for power in [1, 3, 28] {
        let got = with_header(ptau_header(prime(), power, 28));
        let section_2 = FilePart::Section(2);
        let named = matches!(got, SrsError::WrongSize { part, .. } if part == section_2);
        assert!(named, "{got}");
    }
    let mut long = ptau_header(prime(), K, 28);
    long.push(0);
    let got = with_header(long);
    assert!(matches!(got, SrsError::WrongSize { .. }), "{got}");
}

#[test]
fn ptau_sections_are_counted_and_measured() {
    let sections = ptau_sections(K);
    for index in 0..6 {
        let mut without = sections.clone();
        let (kind, _) = without.remove(index);
        let got = import_bytes(&ptau_of(&without), &options()).expect_err("a missing section");
        let named = matches!(got, SrsError::SectionCount { section, got: 0, .. } if section == kind);
        assert!(named, "{got}");

        let mut twice = sections.clone();
        twice.push(sections[index].clone());
        let got = import_bytes(&ptau_of(&twice), &options()).expect_err("a repeated section");
        let named = matches!(got, SrsError::SectionCount { section, got: 2, .. } if section == kind);
        assert!(named, "{got}");

        let mut short = sections.clone();
        short[index].1.pop();
        let got = import_bytes(&ptau_of(&short), &options()).expect_err("a short section");
        let expected = FilePart::Section(kind);
        assert!(matches!(got, SrsError::WrongSize { part, .. } if part == expected));
    }

    // Claims that no allocation may follow: section sizes and counts far beyond the file.
    let honest = ptau(K);
    let mut huge = honest.clone();
    huge[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let got = import_bytes(&huge, &options()).expect_err("a huge section");
    assert!(matches!(got, SrsError::WrongSize { got, .. } if got < honest.len() as u64));
    let mut many = honest.clone();
    many[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let got = import_bytes(&many, &options()).expect_err("many sections");
    assert!(matches!(got, SrsError::ImplausibleCount { .. }), "{got}");
    let mut version = honest;
    version[4] = 2;
    let got = import_bytes(&version, &options()).expect_err("another version");
    assert!(matches!(got, SrsError::UnsupportedVersion { got: 2, .. }));
}

#[test]
fn huge_claims_are_refused_without_allocation() {
    let mut raw = raw(&development(1));
    for k in [2, 28, 29, u32::MAX] {
        raw[..4].copy_from_slice(&k.to_le_bytes());
        let got = import_bytes(&raw, &options().format(SourceFormat::Halo2Raw));
        assert!(got.is_err(), "k = {k}");
    }
    let srs = development(1);
    let honest = arkworks(&powers(&srs), srs.params().s_g2());
    for count in [0, 1, 3, 1 << 28, 1 << 58, u64::MAX] {
        let mut bytes = honest.clone();
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        let got = import_bytes(&bytes, &options().format(SourceFormat::Arkworks));
        assert!(got.is_err(), "{count} powers");
        let mut bytes = honest.clone();
        bytes[136..144].copy_from_slice(&count.to_le_bytes());
        let got = import_bytes(&bytes, &options());
        assert_eq!(got.is_err(), count != 1, "{count} hiding powers");
    }
}

#[test]
fn g2_files_are_required_compared_or_refused() {
    let folder = Folder::new();
    let srs = development(K);
    let tau_g2 = srs.params().s_g2();
    let gnark = gnark_g1(&powers(&srs));

    let got = import_bytes(&gnark, &options());
    assert!(matches!(got, Err(SrsError::CompanionMissing { .. })));
    // EigenDA's other layout: the generator first.
    let both = folder.put("g2", &gnark_g2(&[G2Affine::generator(), tau_g2]));
    let got = import_bytes(&gnark, &options().g2_file(both)).expect("honest files");
    assert_eq!(raw(&got), raw(&srs));
    let generator = folder.put("g2", &gnark_g2(&[G2Affine::generator()]));
    let got = import_bytes(&gnark, &options().g2_file(generator));
    assert!(matches!(got, Err(SrsError::WrongSize { .. })));
    let empty = folder.put("g2", b"");
    let got = import_bytes(&gnark, &options().g2_file(empty));
    assert!(matches!(
        got,
        Err(SrsError::Foreign {
            content: ForeignContent::Empty,
            ..
        })
    ));
    let missing = options().g2_file(folder.path("missing"));
    let got = import_bytes(&gnark, &missing).expect_err("no G2 file");
    assert!(got.to_string().contains("missing"), "{got}");

    let arkworks = arkworks(&powers(&srs), tau_g2);
    let agreeing = folder.put("agreeing", &aztec_g2(tau_g2));
    let got = import_bytes(&arkworks, &options().g2_file(agreeing)).expect("honest files");
    assert_eq!(raw(&got), raw(&srs));
    let other = folder.put("other", &aztec_g2(-tau_g2));
    let got = import_bytes(&arkworks, &options().g2_file(&other));
    assert!(matches!(got, Err(SrsError::CompanionMismatch { .. })));

    for bytes in [ptau(K), raw(&srs)] {
        let got = import_bytes(&bytes, &options().g2_file(&other));
        assert!(matches!(got, Err(SrsError::CompanionUnused { .. })));
    }
}

#[test]
fn other_content_under_an_srs_name_is_recognized() {
    for (expected, text) in [
        (ForeignContent::Empty, b"".as_slice()),
        (ForeignContent::Xml, b"<?xml version=\"1.0\"?><Error/>"),
        (
            ForeignContent::Xml,
            b"\xef\xbb\xbf\n <Error><Code>AccessDenied</Code></Error>",
        ),
        (ForeignContent::Html, b"<!DOCTYPE html><html></html>"),
        (ForeignContent::Html, b"<HTML>404</HTML>"),
        (ForeignContent::Json, b"{\"message\": \"Not Found\"}"),
        (
            ForeignContent::GitLfsPointer,
            b"version https://git-lfs.github.com/spec/v1\n",
        ),
        (ForeignContent::Archive, b"PK\x03\x04"),
        (ForeignContent::Archive, b"\x1f\x8b\x08\x00"),
        (ForeignContent::Artifact, b"zkvsrs\r\n\x01\x00\x00\x00"),
    ] {
        for options in [options(), options().format(SourceFormat::Ptau)] {
            match import_bytes(text, &options) {
                Err(SrsError::Foreign { content, .. }) => assert_eq!(content, expected),
                other => panic!("{expected:?}: {other:?}"),
            }
        }
    }
    let got = import_bytes(&[7; 4096], &options());
    assert!(matches!(got, Err(SrsError::UnrecognizedFormat { .. })));
    let got = import_bytes(&ptau(1), &options().format(SourceFormat::Development));
    assert!(matches!(got, Err(SrsError::UnrecognizedFormat { .. })));
}

#[test]
fn paths_that_are_no_files_are_named() {
    let folder = Folder::new();
    let got = import(&folder.path(""), &options()).map(|_| ());
    assert!(matches!(got, Err(SrsError::NotAFile { .. })));
    let got = import(&folder.path("absent.ptau"), &options()).expect_err("no file");
    assert!(matches!(got, SrsError::Io { .. }));
    assert!(got.to_string().contains("absent.ptau"), "{got}");
}

#[test]
fn every_format_is_refused_as_every_other() {
    let folder = Folder::new();
    let all = files(&folder, K);
    for (actual, bytes, _) in &all {
        for (claimed, _, options) in &all {
            let path = folder.put("file", bytes);
            let got = import(&path, &options.clone().format(*claimed));
            assert_eq!(got.is_ok(), actual == claimed, "{actual} as {claimed}");
        }
    }
}

#[test]
fn an_srs_is_downsized_and_not_upsized() {
    let large = development(6);
    for k in 1..=6 {
        let small = large.downsize(k).expect("a smaller size");
        assert_eq!(raw(&small), raw(&development(k)), "k = {k}");
        assert_eq!(small.provenance(), development(k).provenance());
    }
    assert!(matches!(large.downsize(0), Err(SrsError::KOutOfRange { .. })));
    assert!(matches!(
        large.downsize(7),
        Err(SrsError::TooSmall {
            available: 6,
            wanted: 7
        })
    ));
}

#[test]
fn the_development_srs_says_what_it_is() {
    let srs = development(3);
    assert!(srs.is_unsafe());
    assert_eq!(srs.provenance().ceremony, Ceremony::Development);
    assert!(srs.provenance().ceremony.to_string().contains("UNSAFE"));
    assert!(zkverdict_srs::DEVELOPMENT_LABEL.contains("UNSAFE"));
    assert_eq!(srs.params().get_g().len(), 8);
    for k in [0, 29, u32::MAX] {
        assert!(matches!(Srs::development(k), Err(SrsError::KOutOfRange { .. })));
    }
    // Computed independently, from the label alone.
    let pinned = "e659890b864ddd6bbc98f410608b23aa8d6a492bc2e3d3ed58a0d63d08bfde0c";
    assert_eq!(srs.provenance().raw_sha256.to_string(), pinned);
}
