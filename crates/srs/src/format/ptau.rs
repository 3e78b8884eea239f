//! `.ptau` of snarkjs: `"ptau"`, version, number of sections, then `type u32 | size u64 | content` each.
//!
//! | section | content | use |
//! |---|---|---|
//! | 1 | field size, prime, power, ceremony power | checked |
//! | 2 | 2^(power+1) − 1 powers in G1 | first 2^k read |
//! | 3 | 2^power powers in G2 | first two read |
//! | 4, 5 | α and β times the powers in G1 | size checked |
//! | 6 | β in G2 | size checked |
//! | 7 | contributions | – |
//! | 12–15 | Lagrange bases by snarkjs' root of unity, which is not halo2's | – |

use halo2_proofs::halo2curves::{
    bn256::{Fq, G2Affine},
    ff::{Field, PrimeField},
};

use super::{Decoded, not_the_generator, size, usable_power};
use crate::{
    error::{CurveGroup, FilePart, SrsError},
    file::InputFile,
    point::Encoding,
};

pub(super) const MAGIC: &[u8] = b"ptau";

const VERSION: u32 = 1;
/// Real files have 11.
const MAX_SECTIONS: u32 = 64;
const ENCODING: Encoding = Encoding::MontgomeryLittleEndian;
const FIELD_BYTES: u32 = 32;
const HEADER_BYTES: u64 = 44;

#[derive(Clone, Copy)]
struct Section {
    kind: u32,
    offset: u64,
    size: u64,
}

pub(super) fn decode(file: &mut InputFile, max_k: u32) -> Result<Decoded, SrsError> {
    let sections = read_sections(file)?;
    let power = read_header(file, &sections)?;
    let points = size(power);
    let g1 = |count: u64| count.saturating_mul(ENCODING.g1_size());
    let g2 = |count: u64| count.saturating_mul(ENCODING.g2_size());
    let powers_g1 = points.saturating_mul(2).saturating_sub(1);
    let tau_g1 = the_section(file, &sections, 2, g1(powers_g1))?;
    let tau_g2 = the_section(file, &sections, 3, g2(points))?;
    the_section(file, &sections, 4, g1(points))?;
    the_section(file, &sections, 5, g1(points))?;
    the_section(file, &sections, 6, g2(1))?;

    let k = power.min(max_k);
    let powers = file.read_g1(tau_g1.offset, size(k), ENCODING, FilePart::PowersG1)?;
    if file.read_g2(tau_g2.offset, 0, ENCODING)? != G2Affine::generator() {
        return Err(not_the_generator(file, CurveGroup::G2));
    }
    let second = tau_g2.offset.saturating_add(ENCODING.g2_size());
    Ok(Decoded {
        powers,
        lagrange: None,
        tau_g2: file.read_g2(second, 1, ENCODING)?,
        k,
        source_k: power,
    })
}

fn read_sections(file: &mut InputFile) -> Result<Vec<Section>, SrsError> {
    let header = FilePart::Header;
    if file.read(0, 4, header)? != MAGIC {
        return Err(SrsError::UnrecognizedFormat { path: file.path() });
    }
    let version = file.read_u32(4, header)?;
    if version != VERSION {
        return Err(SrsError::UnsupportedVersion {
            path: file.path(),
            expected: VERSION,
            got: version,
        });
    }
    let count = file.read_u32(8, header)?;
    if count > MAX_SECTIONS {
        return Err(SrsError::ImplausibleCount {
            path: file.path(),
            part: FilePart::SectionTable,
            got: u64::from(count),
            max: u64::from(MAX_SECTIONS),
        });
    }
    let mut sections = Vec::new();
    let mut offset = 12_u64;
    for _ in 0..count {
        let kind = file.read_u32(offset, FilePart::SectionTable)?;
        let size = file.read_u64(offset.saturating_add(4), FilePart::SectionTable)?;
        offset = offset.saturating_add(12);
        let available = file.length().saturating_sub(offset);
        if size > available {
            return Err(file.wrong_size(FilePart::Section(kind), size, available));
        }
        sections.push(Section { kind, offset, size });
        offset = offset.saturating_add(size);
    }
    file.require_length(offset)?;
    Ok(sections)
}

/// The power of the header.
fn read_header(file: &mut InputFile, sections: &[Section]) -> Result<u32, SrsError> {
    let part = FilePart::Section(1);
    let section = unique(file, sections, 1)?;
    let field_bytes = file.read_u32(section.offset, part)?;
    if field_bytes != FIELD_BYTES {
        return Err(SrsError::WrongPrime { path: file.path() });
    }
    the_section(file, sections, 1, HEADER_BYTES)?;
    let prime: [u8; 32] = file.read_array(section.offset.saturating_add(4), part)?;
    if prime != base_field_prime() {
        return Err(SrsError::WrongPrime { path: file.path() });
    }
    let power = file.read_u32(section.offset.saturating_add(36), part)?;
    let power = usable_power(file, u64::from(power))?;
    let ceremony_power = file.read_u32(section.offset.saturating_add(40), part)?;
    let ceremony_power = usable_power(file, u64::from(ceremony_power))?;
    if ceremony_power < power {
        return Err(SrsError::PowerOutOfRange {
            path: file.path(),
            got: u64::from(power),
            min: crate::srs::MIN_K,
            max: ceremony_power,
        });
    }
    Ok(power)
}

/// The prime of BN254's base field, little-endian.
fn base_field_prime() -> [u8; 32] {
    let mut bytes = Fq::ZERO.sub(&Fq::ONE).to_repr();
    // The prime is odd, so the predecessor's lowest byte does not carry.
    let [low, ..] = &mut bytes;
    *low |= 1;
    bytes
}

fn unique(file: &InputFile, sections: &[Section], kind: u32) -> Result<Section, SrsError> {
    let mut matching = sections.iter().filter(|section| section.kind == kind);
    match (matching.next(), matching.count()) {
        (Some(section), 0) => Ok(*section),
        (first, more) => Err(SrsError::SectionCount {
            path: file.path(),
            section: kind,
            got: u32::try_from(more)
                .unwrap_or(u32::MAX)
                .saturating_add(u32::from(first.is_some())),
        }),
    }
}

fn the_section(file: &InputFile, sections: &[Section], kind: u32, size: u64) -> Result<Section, SrsError> {
    let section = unique(file, sections, kind)?;
    if section.size != size {
        return Err(file.wrong_size(FilePart::Section(kind), size, section.size));
    }
    Ok(section)
}
