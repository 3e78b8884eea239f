//! Published facts that name a ceremony.
//!
//! τ·G2 is 128 bytes in halo2's raw form (x ‖ y, c0 ‖ c1, Montgomery, little-endian), which `.ptau` shares.

use halo2_proofs::halo2curves::{bn256::G2Affine, serde::SerdeObject};

use crate::provenance::{Blake2bDigest, Ceremony, Sha256Digest};

type TauG2 = [u8; 128];

const TAU_G2: [(Ceremony, TauG2); 5] = [
    (Ceremony::Hermez, HERMEZ_TAU_G2),
    (Ceremony::PerpetualPowersOfTau, PERPETUAL_POWERS_OF_TAU_TAU_G2),
    (Ceremony::EigenDa, EIGENDA_TAU_G2),
    (Ceremony::AztecIgnition, AZTEC_IGNITION_TAU_G2),
    (Ceremony::Development, DEVELOPMENT_TAU_G2),
];

/// Read from section 3 of `powersOfTau28_hez_final_11.ptau`; `hermez-raw-10` and `hermez-raw-11` of
/// summa-solvency end in the same 128 bytes.
const HERMEZ_TAU_G2: TauG2 = bytes(concat!(
    "928fafb3d0cc3dd716c7fe5a36b98d0adb6c6702fbe795377d7e0efb9f1f2106",
    "36d8956b2b84318ddd639b267eb43295efdc0b100fbac66a52699795b72d2009",
    "69aacab458251d048001be96afedf2784e3c8d7f000fc4ec668bedbbbee51101",
    "2d538df8e9e3b94e0769b193070f1b8b7e3bfeadcc85880fd356b3be595c6900",
));

/// The last 128 bytes of the halo2 raw parameters that EZKL, Scroll and OpenVM use (k = 9, with the
/// sha256 that EZKL publishes).
const PERPETUAL_POWERS_OF_TAU_TAU_G2: TauG2 = bytes(concat!(
    "141a078d27be11a9fb58290480c66ea6fbd25e5a7202217d2c465ad9ee82b42f",
    "7a8aa3639c341ee8b48418833e58e618d12669143b071b92ada94da2325d322b",
    "636f091536aef4f0020c3c6f14a3f0519e994e3c62c2c6a36d08d1d2c9129520",
    "1f4d673d5bbabcd819ef27bc777d5ef011997be0023032a61f80f6e2e0a6fd28",
));

/// The first point of `g2.point.powerOf2` of EigenDA; the `G2_TAU` constant of its contracts.
const EIGENDA_TAU_G2: TauG2 = bytes(concat!(
    "e91401ae40328951dea1b74825cf2148cdcfd6867af42e95a591f1953d2da405",
    "4c509c8f41573e4251330d6ff3d9c8ffaa48876ac8e8fbc4b6b1f429d3ab790f",
    "ce9879e10d3204a6fced877d2d3e9b14fbb45417f77dbc7b57868e4481071a29",
    "d6f084c74681d9da2a35382f12bdcbd76c97035eb8f3738a5fc765d9353d8e18",
));

/// The only point of Aztec's `bn254_g2.dat`; `beta_h` of the arkworks parameters made from Ignition.
const AZTEC_IGNITION_TAU_G2: TauG2 = bytes(concat!(
    "b6f41c47461d64e9d0e81039579c9cd64a52dc1ba1c54d0fd209f0bdac476f1e",
    "800038c818fd17a591d12a9cc500785b328cea73f2059e36a9da1a8462162b17",
    "cec0303d30e8ffdf2ae697d844757b1cec74f68cf5aa36b49038bede46e1ed21",
    "8c709377a2923fe500a79a52635db26d2cb9f5e22d49d863ac07b7b2bd36da1f",
));

/// Of the secret that is blake2b-512 of [`DEVELOPMENT_LABEL`](crate::DEVELOPMENT_LABEL); a test derives it.
const DEVELOPMENT_TAU_G2: TauG2 = bytes(concat!(
    "3cc8297071a6026f010d5ce905b09e1cad5d5a36253788d2ab4588da44b5fd28",
    "1aac48bdaeb0c50914809bc58ae22c91a2adcb14decc35b444a18c11490a4326",
    "ab6bdaa3fc869ea9a0369fbe381ddf11ea9c241421e58d1c472d13d1c373f409",
    "1ec9eb45e97cb9b5801f38860eacf9182b4832773874e77057365c30d8367d16",
));

/// blake2b-512 of `powersOfTau28_hez_final_XX.ptau` by XX (28: without a number), from the README of
/// snarkjs.
const HERMEZ_PTAU_BLAKE2B: [(u32, [u8; 64]); 21] = [
    (
        8,
        bytes(concat!(
            "d6a8fb3a04feb600096c3b791f936a578c4e664d262e4aa24beed1b7a9a96aa5",
            "eb72864d628db247e9293384b74b36ffb52ca8d148d6e1b8b51e279fdf57b583",
        )),
    ),
    (
        9,
        bytes(concat!(
            "94f108a80e81b5d932d8e8c9e8fd7f46cf32457e31462deeeef37af1b71c2c1b",
            "3c71fb0d9b59c654ec266b042735f50311f9fd1d4cadce47ab234ad163157cb5",
        )),
    ),
    (
        10,
        bytes(concat!(
            "6cfeb8cda92453099d20120bdd0e8a5c4e7706c2da9a8f09ccc157ed2464d921",
            "fd0437fb70db42104769efd7d6f3c1f964bcf448c455eab6f6c7d863e88a5849",
        )),
    ),
    (
        11,
        bytes(concat!(
            "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28e",
            "a07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33",
        )),
    ),
    (
        12,
        bytes(concat!(
            "ded2694169b7b08e898f736d5de95af87c3f1a64594013351b1a796dbee393bd",
            "825f88f9468c84505ddd11eb0b1465ac9b43b9064aa8ec97f2b73e04758b8a4a",
        )),
    ),
    (
        13,
        bytes(concat!(
            "58efc8bf2834d04768a3d7ffcd8e1e23d461561729beaac4e3e7a47829a1c906",
            "6d5320241e124a1a8e8aa6c75be0ba66f65bc8239a0542ed38e11276f6fdb4d9",
        )),
    ),
    (
        14,
        bytes(concat!(
            "eeefbcf7c3803b523c94112023c7ff89558f9b8e0cf5d6cdcba3ade60f168af4",
            "a181c9c21774b94fbae6c90411995f7d854d02ebd93fb66043dbb06f17a831c1",
        )),
    ),
    (
        15,
        bytes(concat!(
            "982372c867d229c236091f767e703253249a9b432c1710b4f326306bfa2428a1",
            "7b06240359606cfe4d580b10a5a1f63fbed499527069c18ae17060472969ae6e",
        )),
    ),
    (
        16,
        bytes(concat!(
            "6a6277a2f74e1073601b4f9fed6e1e55226917efb0f0db8a07d98ab01df1ccf4",
            "3eb0e8c3159432acd4960e2f29fe84a4198501fa54c8dad9e43297453efec125",
        )),
    ),
    (
        17,
        bytes(concat!(
            "6247a3433948b35fbfae414fa5a9355bfb45f56efa7ab4929e669264a0258976",
            "741dfbe3288bfb49828e5df02c2e633df38d2245e30162ae7e3bcca5b8b49345",
        )),
    ),
    (
        18,
        bytes(concat!(
            "7e6a9c2e5f05179ddfc923f38f917c9e6831d16922a902b0b4758b8e79c2ab8a",
            "81bb5f29952e16ee6c5067ed044d7857b5de120a90704c1d3b637fd94b95b13e",
        )),
    ),
    (
        19,
        bytes(concat!(
            "bca9d8b04242f175189872c42ceaa21e2951e0f0f272a0cc54fc37193ff66486",
            "00eaf1c555c70cdedfaf9fb74927de7aa1d33dc1e2a7f1a50619484989da0887",
        )),
    ),
    (
        20,
        bytes(concat!(
            "89a66eb5590a1c94e3f1ee0e72acf49b1669e050bb5f93c73b066b564dca4e0c",
            "7556a52b323178269d64af325d8fdddb33da3a27c34409b821de82aa2bf1a27b",
        )),
    ),
    (
        21,
        bytes(concat!(
            "9aef0573cef4ded9c4a75f148709056bf989f80dad96876aadeb6f1c6d062391",
            "f07a394a9e756d16f7eb233198d5b69407cca44594c763ab4a5b67ae73254678",
        )),
    ),
    (
        22,
        bytes(concat!(
            "0d64f63dba1a6f11139df765cb690da69d9b2f469a1ddd0de5e4aa628abb28f7",
            "87f04c6a5fb84a235ec5ea7f41d0548746653ecab0559add658a83502d1cb21b",
        )),
    ),
    (
        23,
        bytes(concat!(
            "3063a0bd81d68711197c8820a92466d51aeac93e915f5136d74f63c394ee6d88",
            "c5e8016231ea6580bec02e25d491f319d92e77f5c7f46a9caa8f3b53c0ea544f",
        )),
    ),
    (
        24,
        bytes(concat!(
            "fa404d140d5819d39984833ca5ec3632cd4995f81e82db402371a4de7c2eae86",
            "87c62bc632a95b0c6aadba3fb02680a94e09174b7233ccd26d78baca2647c733",
        )),
    ),
    (
        25,
        bytes(concat!(
            "0377d860cdb09a8a31ea1b0b8c04335614c8206357181573bf294c25d5ca7dff",
            "72387224fbd868897e6769f7805b3dab02854aec6d69d7492883b5e4e5f35eeb",
        )),
    ),
    (
        26,
        bytes(concat!(
            "418dee4a74b9592198bd8fd02ad1aea76f9cf3085f206dfd7d594c9e264ae919",
            "611b1459a1cc920c2f143417744ba9edd7b8d51e44be9452344a225ff7eead19",
        )),
    ),
    (
        27,
        bytes(concat!(
            "10ffd99837c512ef99752436a54b9810d1ac8878d368fb4b806267bdd664b4ab",
            "f276c9cd3c4b9039a1fa4315a0c326c0e8e9e8fe0eb588ffd4f9021bf7eae1a1",
        )),
    ),
    (
        28,
        bytes(concat!(
            "55c77ce8562366c91e7cda394cf7b7c15a06c12d8c905e8b36ba9cf5e13eb37d",
            "1a429c589e8eaba4c591bc4b88a0e2828745a53e170eac300236f5c1a326f41a",
        )),
    ),
];

/// sha256 of halo2's raw form (`RawBytes`) by ceremony and k. That of Perpetual Powers of Tau is the one
/// EZKL publishes; the others were derived from the ceremonies' files with an implementation independent of
/// this crate, and Hermez at k = 10 and 11 is confirmed by summa-solvency's files.
const RAW_SHA256: [(Ceremony, u32, [u8; 32]); 21] = [
    (
        Ceremony::PerpetualPowersOfTau,
        9,
        bytes("493d088951882ad81af11e08c791a38a37c0ffff14578cf2c7fb9b7bca654d8b"),
    ),
    (
        Ceremony::EigenDa,
        13,
        bytes("ff7e044c842f4a2b1bb889618e5b4e8e15268f8c589b5c37f628f528b4969a02"),
    ),
    (
        Ceremony::EigenDa,
        14,
        bytes("ea7257f0ea1f784d6291ef5a5585c759c8dd1785929ad9e7e9da51aed2226a64"),
    ),
    (
        Ceremony::EigenDa,
        15,
        bytes("4cdb1688ec4457351582cc99a31e073279bb3abe1ee6fe04c401cc9e390ab67b"),
    ),
    (
        Ceremony::EigenDa,
        16,
        bytes("05ab2fea166aeffa3ed42b0389ea310bba37946f035a385df563357959e5b9dc"),
    ),
    (
        Ceremony::Hermez,
        1,
        bytes("f3922913c667488d53906a860910a83113507c0be2f6b5a2a755349b86fe9c78"),
    ),
    (
        Ceremony::Hermez,
        2,
        bytes("9933ae8b854504b6814f969f36e88a4e6a270190cfaf57ef44c8cd346215df18"),
    ),
    (
        Ceremony::Hermez,
        3,
        bytes("88a2067fa0082d2257612041c87ace8f34ddc225c21e85de12c419b5532abcc2"),
    ),
    (
        Ceremony::Hermez,
        4,
        bytes("e83a328a0bd184105906c96b57c5e93b39035f4287268d0566cdc1b99066c2e1"),
    ),
    (
        Ceremony::Hermez,
        5,
        bytes("a331a6ee83f3e71eff77b9feb9919134a5f4e06cbce6bea15b625b9ca10e9c8a"),
    ),
    (
        Ceremony::Hermez,
        6,
        bytes("7e7a713a71cde778ca4bc7d4458e4ae096176ea39fc9fe098f0f089c2853a421"),
    ),
    (
        Ceremony::Hermez,
        7,
        bytes("53edb0c44a77c5e3f869c139c9a523811b7807a8921040ed7a9b1dc3a1c59355"),
    ),
    (
        Ceremony::Hermez,
        8,
        bytes("4b67ff25b9c00ffc5557f907d0c22cbfe6f4a75a41e5a16cffe199fb50105664"),
    ),
    (
        Ceremony::Hermez,
        9,
        bytes("087dc7af12c499b2eb04e24ab4099ea8ff44fe4b6c7b79de2001664a204dd101"),
    ),
    (
        Ceremony::Hermez,
        10,
        bytes("df9e8639a28bcf0f266b21530a7046192e783994c26dffcbc875eae527c4d175"),
    ),
    (
        Ceremony::Hermez,
        11,
        bytes("c8edbefe1562c50ea105f79d9d49989bcfbf1e6a335b3858d44260e71972b8ee"),
    ),
    (
        Ceremony::AztecIgnition,
        8,
        bytes("eaaf56857f0e5152ff433ec5f0004951be63ce4de213e5244f305d70d4fbf719"),
    ),
    (
        Ceremony::AztecIgnition,
        10,
        bytes("e30169bbd6eebd5c371a80ad6b699af209e29988c6d18605afebef7bc31a9164"),
    ),
    (
        Ceremony::AztecIgnition,
        12,
        bytes("bdc85d104f6aec366bda8c069b71b8e64b604e26150c4234ebc83a562d3e220d"),
    ),
    (
        Ceremony::AztecIgnition,
        14,
        bytes("a1f9bcc17478d4ab2fd7e71a381da39eb3955d7c4992cb365d13621526979df5"),
    ),
    (
        Ceremony::AztecIgnition,
        15,
        bytes("6a0675efd6d0b3064c511c008d66a111e666aa4879fc1c46c103c0120a49ec28"),
    ),
];

/// The ceremony with that τ·G2.
pub fn ceremony(tau_g2: &G2Affine) -> Ceremony {
    let raw = tau_g2.to_raw_bytes();
    TAU_G2
        .iter()
        .find(|(_, known)| raw == known)
        .map_or(Ceremony::Unknown, |(ceremony, _)| *ceremony)
}

/// Whether a file of that hash is published as the ceremony's setup of 2^`power`.
pub(crate) fn is_published_file(ceremony: Ceremony, power: u32, digest: &Blake2bDigest) -> bool {
    ceremony == Ceremony::Hermez
        && HERMEZ_PTAU_BLAKE2B
            .iter()
            .any(|(known_power, known)| *known_power == power && *known == digest.0)
}

/// The sha256 of halo2's raw form (`RawBytes`) of a ceremony's SRS, where it is known.
pub fn published_raw_sha256(ceremony: Ceremony, k: u32) -> Option<Sha256Digest> {
    RAW_SHA256
        .iter()
        .find(|(known, known_k, _)| (*known, *known_k) == (ceremony, k))
        .map(|(_, _, digest)| Sha256Digest(*digest))
}

/// What a file's name says about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) ceremony: Option<Ceremony>,
    pub(crate) power: Option<u32>,
}

/// Reads a file's name as its publishers write them. A claim, no more.
pub(crate) fn claim(name: &str) -> Claim {
    let name = name.to_ascii_lowercase();
    let contains = |word: &str| name.contains(word);
    let ceremony = if contains("_hez_") || contains("hermez") {
        Some(Ceremony::Hermez)
    } else if contains("perpetual") || contains("ppot") {
        Some(Ceremony::PerpetualPowersOfTau)
    } else if contains("eigenda") {
        Some(Ceremony::EigenDa)
    } else if contains("aztec") || contains("ignition") {
        Some(Ceremony::AztecIgnition)
    } else {
        None
    };
    let power = name.split_once("_hez_final").and_then(|(_, rest)| {
        let number = rest.strip_suffix(".ptau")?;
        match number.strip_prefix('_') {
            Some(digits) => digits.parse().ok(),
            None => number.is_empty().then_some(28),
        }
    });
    Claim { ceremony, power }
}

/// Bytes from hexadecimal text, at compile time.
const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => panic!("a lower-case hexadecimal digit"),
        }
    }
    let text = text.as_bytes();
    assert!(text.len() == 2 * N, "two digits per byte");
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = digit(text[2 * index]) << 4 | digit(text[2 * index + 1]);
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        development::development_tau_g2,
        point::{Encoding, decode_g2},
    };

    #[test]
    fn every_known_secret_is_a_valid_point_and_names_its_ceremony() {
        for (expected, raw) in TAU_G2 {
            let point = decode_g2(Encoding::MontgomeryLittleEndian, &raw);
            let point = point.expect("a published point");
            assert_eq!(ceremony(&point), expected);
            assert_eq!(ceremony(&-point), Ceremony::Unknown);
        }
        assert_eq!(ceremony(&G2Affine::generator()), Ceremony::Unknown);
    }

    #[test]
    fn the_development_secret_is_recognized() {
        assert_eq!(ceremony(&development_tau_g2()), Ceremony::Development);
    }

    #[test]
    fn names_are_read_as_claims() {
        let hermez = |power| Claim {
            ceremony: Some(Ceremony::Hermez),
            power,
        };
        assert_eq!(claim("powersOfTau28_hez_final_09.ptau"), hermez(Some(9)));
        assert_eq!(claim("x_powersOfTau28_hez_final.ptau"), hermez(Some(28)));
        assert_eq!(claim("powersOfTau28_hez_final_ab.ptau"), hermez(None));
        assert_eq!(claim("hermez-raw-11"), hermez(None));
        let nothing = Claim {
            ceremony: None,
            power: None,
        };
        assert_eq!(claim("pot12.ptau"), nothing);
        let eigenda = claim("eigenda-g1.point.65536").ceremony;
        assert_eq!(eigenda, Some(Ceremony::EigenDa));
    }
}
