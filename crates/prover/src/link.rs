//! The link from a proof's columns to those that a model is registered by: `docs/spec/link.md`.

use halo2_proofs::{
    arithmetic::{eval_polynomial, kate_division},
    halo2curves::{
        bn256::{Fr, G1, G1Affine},
        ff::{Field, FromUniformBytes, PrimeField},
        group::Curve,
    },
    poly::{
        Coeff, EvaluationDomain, LagrangeCoeff, Polynomial,
        commitment::{Blind, Params, ParamsProver},
    },
    transcript::{EncodedChallenge, Transcript, TranscriptWrite},
};
use rand::RngCore;
use sha2::{Digest, Sha512};
use zkverdict_circuit::CompiledModel;
use zkverdict_verifier::{ModelLink, point_bytes};

use crate::{ProverError, ProvingKey, progress::ObservedTranscript};

impl ProvingKey {
    /// What hides column `column` of a model with this salt: it stands in the first row that no constraint reads. Another key
    /// gets other numbers.
    pub(crate) fn hiding(&self, salt: Fr, column: usize) -> Fr {
        let mut hash = Sha512::new_with_prefix(format!("zkverdict linked model 1\ncolumn {column}\n"));
        let key = self.verifying_key.protocol.transcript_initial_state;
        hash.update(key.unwrap_or_default().to_repr());
        hash.update(salt.to_repr());
        Fr::from_uniform_bytes(&hash.finalize().into())
    }

    /// The points that a linked model is registered by: commitments to its columns, hidden by the salt.
    ///
    /// # Errors
    /// A model without its parameters, or of another circuit.
    pub fn register(&self, model: &CompiledModel, salt: Fr) -> Result<Vec<G1Affine>, ProverError> {
        let columns = model.model_columns()?;
        let points: Vec<G1> = columns
            .into_iter()
            .enumerate()
            .map(|(index, mut column)| {
                column.push(self.hiding(salt, index));
                self.commit_rows(&column, 0)
            })
            .collect();
        let mut affine = vec![G1Affine::default(); points.len()];
        G1::batch_normalize(&points, &mut affine);
        Ok(affine)
    }

    fn domain(&self) -> &EvaluationDomain<Fr> {
        self.halo2.get_vk().get_domain()
    }

    /// A polynomial with these values from `first` on, and zero elsewhere.
    fn rows(&self, values: &[Fr], first: usize) -> Polynomial<Fr, LagrangeCoeff> {
        let mut rows = vec![Fr::ZERO; 1 << self.srs.k()];
        rows[first..first + values.len()].copy_from_slice(values);
        self.domain().lagrange_from_vec(rows)
    }

    fn commit_rows(&self, values: &[Fr], first: usize) -> G1 {
        self.srs.commit_lagrange(&self.rows(values, first), Blind::default())
    }

    /// A commitment to a polynomial with these coefficients.
    fn commit(&self, coefficients: Vec<Fr>) -> G1Affine {
        self.srs
            .commit(&self.coefficients(coefficients), Blind::default())
            .to_affine()
    }

    fn coefficients(&self, mut coefficients: Vec<Fr>) -> Polynomial<Fr, Coeff> {
        coefficients.resize(1 << self.srs.k(), Fr::ZERO);
        self.domain().coeff_from_vec(coefficients)
    }
}

/// A registered model, and how much a proof's columns differ from its own.
pub(crate) struct LinkedModel {
    link: ModelLink,
    registered: Vec<G1Affine>,
    /// Per column, on the rows at the end of the domain; there is no difference on others.
    differences: Vec<Vec<Fr>>,
}

impl LinkedModel {
    /// `replay` draws what halo2 will draw for the proof: the values of the last rows, column by column.
    pub(crate) fn new(
        key: &ProvingKey,
        link: ModelLink,
        registered: Vec<G1Affine>,
        salt: Fr,
        mut replay: impl RngCore,
    ) -> Self {
        let mut draw = || -> Vec<Fr> { (0..link.unusable).map(|_| Fr::random(&mut replay)).collect() };
        (0..link.first).for_each(|_| drop(draw()));
        let difference = |index: usize| {
            let mut rows = draw();
            rows[0] -= key.hiding(salt, index);
            rows
        };
        Self {
            link,
            registered,
            differences: (0..link.columns).map(difference).collect(),
        }
    }

    /// Writes the registered points, the quotient and the opening behind the proof.
    pub(crate) fn prove(&self, key: &ProvingKey, transcript: &mut ObservedTranscript<'_>) -> Result<(), ProverError> {
        let n = 1_usize << key.srs.k();
        let first = n - self.link.unusable;
        let own = transcript.written().chunks(64).skip(self.link.first);
        let mut own: Vec<Vec<u8>> = own.take(self.link.columns).map(<[u8]>::to_vec).collect();
        own.truncate(self.registered.len());
        let expected = self
            .registered
            .iter()
            .zip(&self.differences)
            .map(|(registered, difference)| {
                let point = key.commit_rows(difference, first) + registered;
                point_bytes(&point.to_affine()).to_vec()
            });
        if own.len() != self.link.columns || !expected.eq(own) {
            return Err(ProverError::NotLinked);
        }
        let write = |transcript: &mut ObservedTranscript<'_>, point: G1Affine| {
            transcript
                .write_point(point)
                .map_err(|error| ProverError::Halo2(error.into()))
        };
        for point in &self.registered {
            write(transcript, *point)?;
        }
        let step = transcript.squeeze_challenge().get_scalar();
        let mut difference = vec![Fr::ZERO; self.link.unusable];
        for column in self.differences.iter().rev() {
            for (sum, value) in difference.iter_mut().zip(column) {
                *sum = *sum * step + value;
            }
        }
        let omega = key.domain().get_omega();
        let rows = (first..n).map(|row| omega.pow_vartime([row as u64]));
        let rows: Vec<Fr> = rows.collect();
        // Π (X − ω^i) over these rows.
        let mut unusable = vec![Fr::ONE];
        for row in &rows {
            let mut product = vec![Fr::ZERO; unusable.len() + 1];
            for (power, coefficient) in unusable.iter().enumerate() {
                product[power + 1] += coefficient;
                product[power] -= row * coefficient;
            }
            unusable = product;
        }
        // The difference is Σ d_i·L_i with L_i = ω^i/n·(X^n − 1)/(X − ω^i).
        let mut quotient = vec![Fr::ZERO; self.link.unusable];
        let over_n = Fr::from(n as u64).invert().unwrap_or(Fr::ZERO);
        for (row, value) in rows.iter().zip(&difference) {
            let factor = over_n * row * value;
            for (sum, coefficient) in quotient.iter_mut().zip(kate_division(&unusable, *row)) {
                *sum += factor * coefficient;
            }
        }
        write(transcript, key.commit(quotient.clone()))?;
        let point = transcript.squeeze_challenge().get_scalar();
        let vanishing = point.pow_vartime([n as u64]) - Fr::ONE;
        let at_point = eval_polynomial(&unusable, point);
        let mut opened = key.domain().lagrange_to_coeff(key.rows(&difference, first)).to_vec();
        opened.iter_mut().for_each(|coefficient| *coefficient *= at_point);
        for (sum, coefficient) in opened.iter_mut().zip(&quotient) {
            *sum -= vanishing * coefficient;
        }
        write(transcript, key.commit(kate_division(&opened, point)))
    }
}
