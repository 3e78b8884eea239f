//! The artifact file: what is saved is loaded, and nothing else is.

mod common;

use std::fs;

use common::*;
use sha2::{Digest, Sha256};
use zkverdict_srs::{
    Ceremony, FilePart, HeaderField, ImportOptions, SourceFormat, Srs, SrsError, import, read_provenance,
};

const K: u32 = 2;
const PREFIX: usize = 48;

fn saved(srs: &Srs) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path("srs");
    srs.save(&path).expect("a writable folder");
    fs::read(path).expect("the artifact")
}

fn load(bytes: &[u8]) -> Result<Srs, SrsError> {
    let folder = Folder::new();
    Srs::load(&folder.put("srs", bytes))
}

fn load_verified(bytes: &[u8]) -> Result<Srs, SrsError> {
    let folder = Folder::new();
    Srs::load_verified(&folder.put("srs", bytes))
}

fn header_of(artifact: &[u8]) -> serde_json::Value {
    let length = u32::from_le_bytes(artifact[12..16].try_into().expect("four bytes"));
    serde_json::from_slice(&artifact[PREFIX..PREFIX + length as usize]).expect("JSON")
}

/// An artifact as an attacker would forge it: with every hash made to fit.
fn forged(mut header: serde_json::Value, body: &[u8]) -> Vec<u8> {
    header["raw_sha256"] = hex::encode(Sha256::digest(body)).into();
    with_header(header.to_string().as_bytes(), body)
}

fn with_header(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"zkvsrs\r\n".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(Sha256::digest(header));
    bytes.extend(header);
    bytes.extend(body);
    bytes
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = Folder::new();
    for k in [1, 2, 9] {
        let srs = development(k);
        let path = folder.path("development.srs");
        srs.save(&path).expect("a writable folder");
        for loaded in [Srs::load(&path), Srs::load_verified(&path)] {
            let loaded = loaded.expect("the artifact");
            assert_eq!(raw(&loaded), raw(&srs));
            assert_eq!(loaded.provenance(), srs.provenance());
            assert!(loaded.is_unsafe());
        }
        assert_eq!(&read_provenance(&path).expect("the header"), srs.provenance());
    }
    let bytes = fs::read(folder.path("development.srs")).expect("the artifact");
    let text = header_of(&bytes).to_string();
    assert!(text.contains("UNSAFE"), "{text}");
    // Nothing is left beside the artifact.
    assert_eq!(folder.names(), ["development.srs"]);
}

#[test]
fn the_source_file_travels_along() {
    let folder = Folder::new();
    let source = folder.put("source.ptau", &ptau(3));
    let imported = import(&source, &ImportOptions::new().max_k(2)).expect("an honest file");
    let path = folder.path("imported.srs");
    imported.srs.save(&path).expect("a writable folder");
    let provenance = Srs::load(&path).expect("the artifact").provenance().clone();
    assert_eq!(&provenance, imported.srs.provenance());
    assert_eq!(provenance.source_format, SourceFormat::Ptau);
    let file = provenance.source_file.expect("a source file");
    assert_eq!((file.name.as_str(), file.k), ("source.ptau", 3));
}

#[test]
fn saving_replaces_the_target_whole_or_not_at_all() {
    let folder = Folder::new();
    let path = folder.put("srs", b"something else");
    development(K).save(&path).expect("a writable folder");
    assert!(Srs::load(&path).is_ok());

    let missing = folder.path("no such folder/srs");
    let got = development(K).save(&missing).expect_err("no folder");
    assert!(matches!(got, SrsError::Io { .. }), "{got}");
    assert!(got.to_string().contains("no such folder"), "{got}");
    // A folder in the target's place cannot be replaced; no partial file stays behind.
    fs::create_dir(folder.path("taken")).expect("a folder");
    assert!(development(K).save(&folder.path("taken")).is_err());
    assert_eq!(folder.names(), ["srs", "taken"]);
}

#[test]
fn every_damage_is_found() {
    let honest = saved(&development(K));
    for index in 0..honest.len() {
        let mut damaged = honest.clone();
        damaged[index] ^= 1 << (index % 8);
        assert!(load(&damaged).is_err(), "byte {index}");
        assert!(load(&honest[..index]).is_err(), "{index} bytes");
    }
    let extended = [honest.as_slice(), &[0]].concat();
    let got = load(&extended);
    assert!(matches!(
        got,
        Err(SrsError::WrongSize {
            part: FilePart::Whole,
            ..
        })
    ));
    assert!(matches!(load(b""), Err(SrsError::NotAnArtifact { .. })));
    let raw = raw(&development(K));
    assert!(matches!(load(&raw), Err(SrsError::NotAnArtifact { .. })));
    let converted = honest.clone();
    let text: Vec<u8> = converted.into_iter().filter(|byte| *byte != b'\r').collect();
    assert!(matches!(load(&text), Err(SrsError::NotAnArtifact { .. })));
}

#[test]
fn damages_have_names() {
    let honest = saved(&development(K));
    let mut version = honest.clone();
    version[8] = 2;
    assert!(matches!(
        load(&version),
        Err(SrsError::UnsupportedVersion { got: 2, .. })
    ));
    let mut long = honest.clone();
    long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(load(&long), Err(SrsError::ImplausibleCount { .. })));
    let mut header = honest.clone();
    header[PREFIX] ^= 1;
    assert!(matches!(
        load(&header),
        Err(SrsError::Checksum {
            part: FilePart::Header,
            ..
        })
    ));
    let mut body = honest.clone();
    *body.last_mut().expect("a byte") ^= 1;
    assert!(matches!(
        load(&body),
        Err(SrsError::Checksum {
            part: FilePart::Points,
            ..
        })
    ));
}

#[test]
fn forged_headers_are_refused() {
    let honest = saved(&development(K));
    let body = raw(&development(K));
    let header = header_of(&honest);
    assert!(load(&forged(header.clone(), &body)).is_ok());

    let with = |name: &str, value: serde_json::Value| {
        let mut header = header.clone();
        header[name] = value;
        load(&forged(header, &body)).expect_err("a forged header")
    };
    // The development SRS under a ceremony's name.
    let got = with("ceremony", "hermez".into());
    assert!(matches!(
        got,
        SrsError::HeaderContradiction {
            field: HeaderField::Ceremony,
            ..
        }
    ));
    let got = with("safety", "perfectly safe".into());
    assert!(matches!(
        got,
        SrsError::HeaderContradiction {
            field: HeaderField::Safety,
            ..
        }
    ));
    for k in [1, 3, 28] {
        assert!(matches!(with("k", k.into()), SrsError::WrongSize { .. }));
    }
    for k in [0_u32, 29, u32::MAX] {
        assert!(matches!(with("k", k.into()), SrsError::PowerOutOfRange { .. }));
    }
    assert!(matches!(with("k", (-1).into()), SrsError::Header { .. }));
    assert!(matches!(with("more", 1.into()), SrsError::Header { .. }));
    for text in ["", "{", "[]", "null", "{}", "\"text\""] {
        let got = load(&with_header(text.as_bytes(), &body));
        assert!(matches!(got, Err(SrsError::Header { .. })), "{text}");
    }
    let mut other_k = body.clone();
    other_k[0] = 1;
    assert!(matches!(
        load(&forged(header.clone(), &other_k)),
        Err(SrsError::HeaderContradiction {
            field: HeaderField::K,
            ..
        })
    ));
}

#[test]
fn forged_points_with_fitting_hashes_are_refused() {
    let header = header_of(&saved(&development(K)));
    let body = raw(&development(K));
    let n = 1_usize << K;
    let point = |index: usize| 4 + 64 * index..68 + 64 * index;

    // Not a point: `load` refuses.
    for index in 0..2 * n {
        for content in [[0; 64], [1; 64], [0xff; 64]] {
            let mut forged_body = body.clone();
            forged_body[point(index)].copy_from_slice(&content);
            let got = load(&forged(header.clone(), &forged_body));
            assert!(matches!(got, Err(SrsError::Point { .. })), "{index}");
        }
    }
    // A point in the wrong place: `load` cannot know unless it is the generator, `load_verified` refuses.
    for index in 0..2 * n {
        let mut forged_body = body.clone();
        let other = body[point((index + 1) % (2 * n))].to_vec();
        forged_body[point(index)].copy_from_slice(&other);
        let artifact = forged(header.clone(), &forged_body);
        assert_eq!(load(&artifact).is_ok(), index != 0, "{index}");
        let got = load_verified(&artifact).expect_err("a forged point");
        let named = match index {
            0 => matches!(got, SrsError::NotTheGenerator { .. }),
            _ if index < n => matches!(got, SrsError::InconsistentPowers { .. }),
            _ => matches!(got, SrsError::LagrangeMismatch { .. }),
        };
        assert!(named, "{index}: {got}");
    }
    // Another secret in G2, under its own name: the points of G1 are not its powers.
    let start = body.len() - 128;
    let mut forged_body = body.clone();
    let generator = body[start - 128..start].to_vec();
    forged_body[start..].copy_from_slice(&generator);
    let mut unknown = header.clone();
    unknown["ceremony"] = "unknown".into();
    unknown["safety"] = "unknown ceremony: its makers may know the secret and forge proofs".into();
    let artifact = forged(unknown, &forged_body);
    let loaded = load(&artifact).expect("valid points");
    assert_eq!(loaded.provenance().ceremony, Ceremony::Unknown);
    let got = load_verified(&artifact);
    assert!(matches!(got, Err(SrsError::InconsistentPowers { .. })));
    // The other generator of G2.
    let mut forged_body = body.clone();
    let tau = body[start..].to_vec();
    forged_body[start - 128..start].copy_from_slice(&tau);
    let got = load(&forged(header, &forged_body));
    assert!(matches!(got, Err(SrsError::NotTheGenerator { .. })));
}
