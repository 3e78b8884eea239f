//! The SRS itself.

use std::{
    fmt,
    io::{self, Write},
};

use halo2_proofs::{
    SerdeFormat,
    halo2curves::bn256::{Bn256, G1Affine, G2Affine},
    poly::{commitment::ParamsProver, kzg::commitment::ParamsKZG},
};
use sha2::{Digest, Sha256};

use crate::{
    development::development_points,
    error::SrsError,
    known,
    lagrange::lagrange_basis,
    provenance::{Ceremony, Provenance, Sha256Digest, SourceFile, SourceFormat},
};

/// Smallest size exponent: two powers, so that there is something to check.
pub const MIN_K: u32 = 1;

/// Largest size exponent: BN254's scalar field has no larger domain.
pub const MAX_K: u32 = 28;

/// A structured reference string: halo2's parameters, and where they came from.
///
/// Every value was checked when it was made, by [`import`](crate::import()) or by [`Srs::load`], to the
/// extent documented there.
#[derive(Clone)]
pub struct Srs {
    params: ParamsKZG<Bn256>,
    provenance: Provenance,
}

impl Srs {
    /// The UNSAFE development SRS of 2^k powers. Its secret is the hash of
    /// [`DEVELOPMENT_LABEL`](crate::DEVELOPMENT_LABEL), so everybody can forge proofs under it. It is the
    /// same for everybody, and a smaller k gives the first powers of a larger one.
    ///
    /// # Errors
    ///
    /// [`SrsError::KOutOfRange`].
    pub fn development(k: u32) -> Result<Self, SrsError> {
        check_k(k)?;
        let points = development_points(k);
        Ok(Self::from_checked_points(
            k,
            points.powers,
            points.lagrange,
            points.tau_g2,
            SourceFormat::Development,
            None,
        ))
    }

    /// Wraps points that have been checked: 2^k consecutive powers, their Lagrange basis, τ·G2.
    pub(crate) fn from_checked_points(
        k: u32,
        powers: Vec<G1Affine>,
        lagrange: Vec<G1Affine>,
        tau_g2: G2Affine,
        source_format: SourceFormat,
        source_file: Option<SourceFile>,
    ) -> Self {
        let params = params(k, powers, lagrange, tau_g2);
        let raw_sha256 = raw_sha256(&params);
        Self {
            provenance: Provenance {
                ceremony: known::ceremony(&tau_g2),
                k,
                raw_sha256,
                source_format,
                source_file,
            },
            params,
        }
    }

    /// Wraps parameters with the provenance that was checked against them.
    pub(crate) fn from_checked_params(params: ParamsKZG<Bn256>, provenance: Provenance) -> Self {
        Self { params, provenance }
    }

    /// halo2's parameters, for keys, prover and verifier.
    pub fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// halo2's parameters, by value.
    pub fn into_params(self) -> ParamsKZG<Bn256> {
        self.params
    }

    /// What this SRS is and where it came from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The size exponent.
    pub fn k(&self) -> u32 {
        self.provenance.k
    }

    /// Whether everybody can compute the secret, so that a proof under this SRS proves nothing. Decided by
    /// τ·G2: neither conversion nor a new name hides it.
    ///
    /// `false` does not vouch for a [`Ceremony::Unknown`] SRS: whoever made that one may know its secret.
    pub fn is_unsafe(&self) -> bool {
        self.provenance.is_unsafe()
    }

    /// The first 2^k powers as an SRS of their own. The secret, and so the ceremony, stays the same; the
    /// Lagrange basis is another one and is computed, which takes, by the new k, about
    ///
    /// | k | 9 | 11 | 14 | 16 |
    /// |---|---|---|---|---|
    /// | CPU seconds | 0.1 | 0.3 | 4 | 16 |
    ///
    /// # Errors
    ///
    /// [`SrsError::TooSmall`] if this SRS has fewer powers, [`SrsError::KOutOfRange`] for k = 0.
    pub fn downsize(&self, k: u32) -> Result<Self, SrsError> {
        check_k(k)?;
        if k > self.k() {
            return Err(SrsError::TooSmall {
                available: self.k(),
                wanted: k,
            });
        }
        if k == self.k() {
            return Ok(self.clone());
        }
        let powers = self.params.get_g()[..1 << k].to_vec();
        let lagrange = lagrange_basis(&powers);
        let Provenance {
            source_format,
            source_file,
            ..
        } = self.provenance.clone();
        Ok(Self::from_checked_points(
            k,
            powers,
            lagrange,
            self.params.s_g2(),
            source_format,
            source_file,
        ))
    }

    /// Writes halo2's raw form (`RawBytes`): what `ParamsKZG::read_custom` reads, and what
    /// [`Provenance::raw_sha256`] hashes.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_raw(&self, writer: &mut impl Write) -> io::Result<()> {
        self.params.write_custom(writer, SerdeFormat::RawBytes)
    }
}

impl Provenance {
    /// See [`Srs::is_unsafe`].
    pub fn is_unsafe(&self) -> bool {
        self.ceremony == Ceremony::Development
    }
}

/// Shows the provenance; the points would fill the screen.
impl fmt::Debug for Srs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Srs")
            .field("provenance", &self.provenance)
            .finish_non_exhaustive()
    }
}

fn check_k(k: u32) -> Result<(), SrsError> {
    if (MIN_K..=MAX_K).contains(&k) {
        Ok(())
    } else {
        Err(SrsError::KOutOfRange {
            got: k,
            min: MIN_K,
            max: MAX_K,
        })
    }
}

/// halo2's parameters from their parts. `from_parts` is a method of the type it makes, so it needs a value
/// to be called on: the cheapest is the k = 0 layout of zero bytes, which is read without arithmetic.
pub(crate) fn params(k: u32, powers: Vec<G1Affine>, lagrange: Vec<G1Affine>, tau_g2: G2Affine) -> ParamsKZG<Bn256> {
    const EMPTY: [u8; 4 + 2 * 64 + 2 * 128] = [0; 388];
    let receiver = ParamsKZG::<Bn256>::read_custom(&mut EMPTY.as_slice(), SerdeFormat::RawBytesUnchecked)
        .expect("reading two G1 and two G2 points takes exactly 388 bytes");
    receiver.from_parts(k, powers, Some(lagrange), G2Affine::generator(), tau_g2)
}

fn raw_sha256(params: &ParamsKZG<Bn256>) -> Sha256Digest {
    struct Hasher(Sha256);
    impl Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writer = io::BufWriter::with_capacity(1 << 16, Hasher(Sha256::new()));
    params
        .write_custom(&mut writer, SerdeFormat::RawBytes)
        .expect("hashing does not fail");
    let Ok(Hasher(hasher)) = writer.into_inner() else {
        unreachable!("flushing into a hasher does not fail")
    };
    Sha256Digest(hasher.finalize().into())
}
