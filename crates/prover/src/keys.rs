use std::panic::{AssertUnwindSafe, catch_unwind};

use halo2_proofs::{
    SerdeFormat,
    halo2curves::bn256::{Bn256, G1Affine},
    plonk::{self, keygen_pk, keygen_vk},
    poly::{
        commitment::{Params, ParamsProver},
        kzg::commitment::ParamsKZG,
    },
};
use snark_verifier::system::halo2::{Config, compile};
use zkverdict_circuit::{CompiledModel, ModelCircuit, model_columns, usable_rows};
use zkverdict_verifier::{ModelLink, VerifyingKey};

use crate::{Observer, Progress, ProverError, Stage};

/// Share of the work on both keys that goes into the verifying key.
const VERIFYING_KEY_SHARE: f64 = 0.3;

/// A proving key with the SRS it was made from, and the verifying key that belongs to it.
#[derive(Debug)]
pub struct ProvingKey {
    pub(crate) halo2: plonk::ProvingKey<G1Affine>,
    pub(crate) srs: ParamsKZG<Bn256>,
    /// The verifying key.
    pub verifying_key: VerifyingKey,
}

impl ProvingKey {
    /// Generates keys for a compiled model.
    ///
    /// # Errors
    /// A model that does not fit its size, an SRS of another size, or what halo2 says.
    pub fn generate(model: &CompiledModel, srs: ParamsKZG<Bn256>) -> Result<Self, ProverError> {
        Self::generate_observed(model, srs, &mut |_| ())
    }

    /// As [`ProvingKey::generate`], telling an observer how far it is.
    ///
    /// # Errors
    /// As [`ProvingKey::generate`].
    pub fn generate_observed(
        model: &CompiledModel,
        srs: ParamsKZG<Bn256>,
        observer: &mut Observer<'_>,
    ) -> Result<Self, ProverError> {
        if srs.k() != model.k {
            return Err(ProverError::SrsSize {
                needed: model.k,
                got: srs.k(),
            });
        }
        let mut enter = |stage, done| observer(Progress { stage, done });
        enter(Stage::VerifyingKey, 0.0);
        let circuit = model.circuit()?;
        let verifying_key = keygen_vk(&srs, &circuit)?;
        enter(Stage::ProvingKey, VERIFYING_KEY_SHARE);
        let halo2 = keygen_pk(&srs, verifying_key, &circuit)?;
        Ok(Self::with_verifying_key(halo2, model, srs))
    }

    fn with_verifying_key(halo2: plonk::ProvingKey<G1Affine>, model: &CompiledModel, srs: ParamsKZG<Bn256>) -> Self {
        let config = Config::kzg().with_num_instance(vec![model.public_inputs()]);
        let protocol = compile(&srs, halo2.get_vk(), config);
        let shape = model.shape();
        let link = model_columns(shape).map(|columns| ModelLink {
            first: columns.start,
            columns: columns.len(),
            unusable: (1 << model.k) - usable_rows(shape, model.k),
        });
        let verifying_key = VerifyingKey::new(protocol, srs.get_g()[0], srs.g2(), srs.s_g2()).with_link(link);
        Self {
            halo2,
            srs,
            verifying_key,
        }
    }

    /// Writes SRS and key: halo2's own formats, curve points and scalars in Montgomery form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.srs
            .write_custom(&mut bytes, SerdeFormat::RawBytes)
            .expect("writing to memory does not fail");
        bytes.extend(self.halo2.to_bytes(SerdeFormat::RawBytes));
        bytes
    }

    /// Length of halo2's verifying key in bytes.
    pub fn verifying_key_bytes(&self) -> usize {
        self.halo2.get_vk().to_bytes(SerdeFormat::Processed).len()
    }

    /// Reads a key. The bytes must come from [`ProvingKey::to_bytes`]; their integrity is the container's affair. Points
    /// and scalars are taken as they are: a wrong one makes proofs that do not verify, and a key from a hostile maker
    /// could hide less than it should whether its points lie on the curve or not.
    ///
    /// # Errors
    /// [`ProverError::MalformedKey`] for anything else.
    pub fn from_bytes(mut bytes: &[u8], model: &CompiledModel) -> Result<Self, ProverError> {
        // halo2's readers unwrap what they read.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let format = SerdeFormat::RawBytesUnchecked;
            let srs = ParamsKZG::<Bn256>::read_custom(&mut bytes, format).ok()?;
            let key = plonk::ProvingKey::from_bytes::<ModelCircuit>(bytes, format, model.shape()).ok()?;
            Some((srs, key))
        }));
        let (srs, halo2) = read.ok().flatten().ok_or(ProverError::MalformedKey)?;
        if srs.k() != model.k || halo2.get_vk().get_domain().k() != model.k {
            return Err(ProverError::MalformedKey);
        }
        Ok(Self::with_verifying_key(halo2, model, srs))
    }
}
