//! Real ceremony files. All but one lie outside the repository; a test whose file is absent says so.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Folder, raw, shared};
use sha2::{Digest, Sha256};
use zkverdict_srs::{
    Ceremony, ForeignContent, Import, ImportOptions, Notice, SourceFormat, Srs, SrsError, import, published_raw_sha256,
};

fn options() -> ImportOptions {
    ImportOptions::new()
}

fn imported(path: &Path, options: &ImportOptions) -> Import {
    import(path, options).unwrap_or_else(|error| panic!("{error}"))
}

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    output.stdout
}

/// `powersOfTau28_hez_final_08.ptau`, which the development dependency `ppot-rs` carries as `8.ptau`.
fn hermez_8_from_the_registry() -> PathBuf {
    // Other platforms' packages need not be there.
    let version = String::from_utf8(output("rustc", &["-vV"])).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let platform = ["--filter-platform", host.expect("the host platform")];
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let output = output(env!("CARGO"), &[arguments.as_slice(), &platform].concat());
    let metadata: serde_json::Value = serde_json::from_slice(&output).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == "ppot-rs")
        .expect("ppot-rs is in the workspace");
    let manifest = package["manifest_path"].as_str().expect("a path");
    Path::new(manifest).with_file_name("8.ptau")
}

#[test]
fn the_hermez_file_of_the_registry_is_recognized() {
    let import = imported(&hermez_8_from_the_registry(), &options());
    let provenance = import.srs.provenance();
    assert_eq!(provenance.ceremony, Ceremony::Hermez);
    assert_eq!(provenance.k, 8);
    assert!(!import.srs.is_unsafe());
    assert_eq!(import.notices, []);
    let source = provenance.source_file.as_ref().expect("a source file");
    assert!(source.is_published_file);
    assert_eq!(Some(provenance.raw_sha256), published_raw_sha256(Ceremony::Hermez, 8));
    // Downsized, it is the same ceremony still, and the file that everybody else derives.
    for k in 1..8 {
        let small = import.srs.downsize(k).expect("a smaller size");
        assert_eq!(small.provenance().ceremony, Ceremony::Hermez);
        let expected = published_raw_sha256(Ceremony::Hermez, k);
        assert_eq!(Some(small.provenance().raw_sha256), expected, "k = {k}");
    }
    // And through the artifact.
    let folder = Folder::new();
    let path = folder.path("hermez.srs");
    import.srs.save(&path).expect("a writable folder");
    let loaded = Srs::load_verified(&path).expect("the artifact");
    assert_eq!(loaded.provenance(), provenance);
}

#[test]
fn one_changed_bit_of_a_ceremony_file_is_found() {
    let honest = fs::read(hermez_8_from_the_registry()).expect("the file");
    let folder = Folder::new();
    // Section 2 begins at byte 80; its points are read up to 2^8. In the tail only the hash tells.
    for position in [80, 80 + 64 * 255 + 63, honest.len() - 1] {
        let mut damaged = honest.clone();
        damaged[position] ^= 1;
        let path = folder.put("powersOfTau28_hez_final_08.ptau", &damaged);
        match import(&path, &options()) {
            Ok(import) => {
                assert_eq!(position, honest.len() - 1);
                let ceremony = Ceremony::Hermez;
                assert_eq!(import.notices, [Notice::NotThePublishedFile { ceremony }]);
            }
            Err(error) => assert!(matches!(error, SrsError::Point { .. }), "{error}"),
        }
    }
}

#[test]
fn converted_hermez_files_equal_the_published_raw_ones() {
    let names = ["powersOfTau28_hez_final_11.ptau", "hermez-raw-11", "hermez-raw-10"];
    let [Some(ptau), Some(raw_11), Some(raw_10)] = names.map(shared) else {
        return;
    };
    for (k, expected) in [(11, raw_11), (10, raw_10)] {
        let expected_bytes = fs::read(&expected).expect("the raw file");
        let converted = imported(&ptau, &options().max_k(k));
        assert!(raw(&converted.srs) == expected_bytes, "k = {k}");
        let read = imported(&expected, &options());
        assert!(raw(&read.srs) == expected_bytes, "k = {k}");
        for import in [&converted, &read] {
            assert_eq!(import.srs.provenance().ceremony, Ceremony::Hermez);
        }
        assert_eq!(read.srs.provenance().source_format, SourceFormat::Halo2Raw);
        assert_eq!(read.notices, []);
    }
}

#[test]
fn hermez_files_are_the_published_ones() {
    for k in [8, 10, 11] {
        let Some(path) = shared(&format!("powersOfTau28_hez_final_{k:02}.ptau")) else {
            continue;
        };
        let import = imported(&path, &options());
        let provenance = import.srs.provenance();
        assert_eq!((provenance.ceremony, provenance.k), (Ceremony::Hermez, k));
        let source = provenance.source_file.as_ref().expect("a source file");
        assert!(source.is_published_file);
        assert_eq!(import.notices, []);
    }
}

#[test]
fn the_parameters_of_perpetual_powers_of_tau_are_recognized() {
    let Some(path) = shared("perpetual-powers-of-tau-raw-9") else {
        return;
    };
    let import = imported(&path, &options());
    let provenance = import.srs.provenance();
    assert_eq!(provenance.ceremony, Ceremony::PerpetualPowersOfTau);
    assert_eq!(provenance.k, 9);
    let bytes = fs::read(&path).expect("the file");
    assert!(raw(&import.srs) == bytes);
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    assert_eq!(provenance.raw_sha256.0, digest);
    let published = published_raw_sha256(Ceremony::PerpetualPowersOfTau, 9);
    assert_eq!(published, Some(provenance.raw_sha256));
}

/// The hashes of the shared table, for a ceremony.
fn derived_hashes(name: &str) -> Vec<(u32, String)> {
    let Some(path) = shared("halo2-raw-sha256-derived.txt") else {
        return Vec::new();
    };
    let text = fs::read_to_string(path).expect("text");
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let ceremony = words.next()?;
            let k = words.nth(1)?.strip_prefix("k=")?.parse().ok()?;
            (ceremony == name).then(|| (k, words.next().unwrap_or_default().to_owned()))
        })
        .collect()
}

#[test]
fn derived_raw_files_have_the_derived_hashes() {
    let eigenda = options();
    let eigenda = match shared("eigenda-mainnet-g2.point.powerOf2") {
        Some(path) => eigenda.g2_file(path),
        None => eigenda,
    };
    let aztec = match shared("aztec-bn254_g2.dat") {
        Some(path) => options().g2_file(path),
        None => options(),
    };
    for (name, ceremony, file, options) in [
        ("hermez", Ceremony::Hermez, "powersOfTau28_hez_final_11.ptau", options()),
        ("eigenda", Ceremony::EigenDa, "eigenda-g1.point.65536", eigenda),
        (
            "aztec",
            Ceremony::AztecIgnition,
            "aztec20-kzg10-bn254-srs-32768.bin",
            aztec,
        ),
    ] {
        let Some(path) = shared(file) else {
            continue;
        };
        let hashes = derived_hashes(name);
        let largest = hashes.iter().map(|(k, _)| *k).max();
        for (k, expected) in hashes {
            // Every size up to 2^12, and the largest: the sizes between only cost time.
            if k > 12 && Some(k) != largest {
                continue;
            }
            let import = imported(&path, &options.clone().max_k(k));
            let provenance = import.srs.provenance();
            assert_eq!((provenance.ceremony, provenance.k), (ceremony, k));
            assert_eq!(provenance.raw_sha256.to_string(), expected, "{name}, k = {k}");
            let published = published_raw_sha256(ceremony, k).map(|digest| digest.to_string());
            assert_eq!(published, Some(expected));
        }
    }
}

#[test]
fn a_self_made_setup_under_the_hermez_name_is_called_unknown() {
    let Some(path) = shared("negative/ZKPlayground_powersOfTau28_hez_final_10.ptau") else {
        return;
    };
    let import = imported(&path, &options().max_k(8));
    let provenance = import.srs.provenance();
    assert_eq!(provenance.ceremony, Ceremony::Unknown);
    let source = provenance.source_file.as_ref().expect("a source file");
    assert!(!source.is_published_file);
    assert_eq!(source.k, 12);
    for expected in [
        Notice::UnknownCeremony,
        Notice::NameClaimsCeremony {
            claimed: Ceremony::Hermez,
            found: Ceremony::Unknown,
        },
        Notice::NameClaimsPower { claimed: 10, found: 12 },
    ] {
        assert!(import.notices.contains(&expected), "{expected}");
    }
}

#[test]
fn an_error_page_under_the_hermez_name_is_refused() {
    let Some(path) = shared("negative/fedzk_powersOfTau28_hez_final_12.ptau") else {
        return;
    };
    for options in [options(), options().format(SourceFormat::Ptau)] {
        let error = import(&path, &options).expect_err("an error page");
        assert!(matches!(
            error,
            SrsError::Foreign {
                content: ForeignContent::Xml,
                ..
            }
        ));
        assert!(error.to_string().contains("error page"), "{error}");
    }
}

#[test]
fn consistent_parameters_of_nobody_are_called_unknown() {
    let Some(path) = shared("negative/atomica_kzg_bn254_9.srs") else {
        return;
    };
    let import = imported(&path, &options());
    assert_eq!(import.srs.provenance().ceremony, Ceremony::Unknown);
    assert_eq!(import.srs.k(), 9);
    assert_eq!(import.notices, [Notice::UnknownCeremony]);
    assert!(!import.srs.is_unsafe());
}

#[test]
fn the_secret_of_one_ceremony_does_not_pass_for_another() {
    let names = ["hermez-raw-10", "perpetual-powers-of-tau-raw-9"];
    let [Some(hermez), Some(perpetual)] = names.map(shared) else {
        return;
    };
    let mut bytes = fs::read(perpetual).expect("the file");
    let hermez = fs::read(hermez).expect("the file");
    let start = bytes.len() - 128;
    bytes[start..].copy_from_slice(&hermez[hermez.len() - 128..]);
    let folder = Folder::new();
    let got = import(&folder.put("hermez-raw-9", &bytes), &options());
    assert!(matches!(got, Err(SrsError::InconsistentPowers { .. })));
}
