//! Where key material lives and works. Above this room nothing sees a private key: it asks for a new key and gets its
//! public half with sealed material, or gives sealed material and gets an [`OpenKey`] that works with it.
//!
//! Work under 100 us (P-256, AES, HMAC, RSA-2048 encryption, RSA verification) runs where it is asked for; the rest
//! runs on a bounded pool of threads, in which every job has a deadline and callers take turns.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod error;
#[doc(hidden)]
pub mod fuzz;
mod imported;
mod key;
mod material;
pub mod software;
mod work;

pub use error::{ImportError, KeyError, Limit};
pub use imported::{BadKey, ImportedKey, RsaNumbers};
pub use key::{Encrypted, OpenKey};
pub use software::Lane;

use keystead_crypto::sealed::{Binding, Sealer};
use keystead_model::{KeySpec, PublicExponent, PublicKey, SignAlgorithm, Size};
use material::Material;
use software::Weight;
use std::time::Instant;

/// What keeps and uses key material.
#[derive(Clone)]
pub enum Protection {
    /// This process's memory.
    Software(software::Pool),
}

/// What key is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// Its kind and size.
    pub spec: KeySpec,
    /// The public exponent, if it is RSA.
    pub exponent: PublicExponent,
}

impl From<KeySpec> for NewKey {
    fn from(spec: KeySpec) -> Self {
        Self { spec, exponent: PublicExponent::default() }
    }
}

/// A new key.
pub struct Generated {
    /// What kind of key.
    pub spec: KeySpec,
    /// Its public half, for JWKs.
    pub public: PublicKey,
    /// Its material, sealed: what a row keeps.
    pub material: Vec<u8>,
}

impl Generated {
    fn of(material: &Material, sealer: &Sealer, binding: &Binding) -> Self {
        let (spec, public) = (material.spec(), material.public());
        Self { spec, public, material: sealer.seal(binding, b"", &material.encode()) }
    }
}

impl Protection {
    /// Keys in this process's memory, with a pool of so many threads (at least one).
    pub fn software(threads: usize) -> Self {
        Self::Software(software::Pool::new(threads))
    }

    /// The same place of work, for one caller's work: callers take turns.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        let Self::Software(pool) = self;
        Self::Software(pool.lane(lane))
    }

    /// How many jobs wait for the cipher pool.
    pub fn waiting(&self) -> usize {
        let Self::Software(pool) = self;
        pool.waiting()
    }

    /// Makes a key and seals it for its row. The sealer is one of usage `KeyMaterial`.
    pub async fn generate(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        key: impl Into<NewKey>,
        by: Instant,
    ) -> Result<Generated, KeyError> {
        let (Self::Software(pool), key) = (self, key.into());
        let material = match key.spec.size() {
            Size::Modulus(_) => pool.run(Weight::Heavy, by, move || Material::generate(key)).await?,
            _ if work::is_quick(key.spec) => pool.at_once(|| Material::generate(key))?,
            _ => pool.run(Weight::Light, by, move || Material::generate(key)).await?,
        };
        Ok(Generated::of(&material, sealer, binding))
    }

    /// Takes a key that was made elsewhere, if it is sound, and seals it for its row. The sealer is one of usage
    /// `KeyMaterial`.
    pub async fn import(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        key: ImportedKey,
        by: Instant,
    ) -> Result<Generated, ImportError> {
        let Self::Software(pool) = self;
        let material = match &key {
            ImportedKey::Oct(_) => Material::import(&key)?,
            // Proving primes takes as long as finding them.
            ImportedKey::Rsa(_) => pool.run(Weight::Heavy, by, move || Ok(Material::import(&key))).await??,
            ImportedKey::Ec { .. } => pool.run(Weight::Light, by, move || Ok(Material::import(&key))).await??,
        };
        Ok(Generated::of(&material, sealer, binding))
    }

    /// Seals a key's material for another place, or under another key: into a backup, and out of one. What opens there
    /// is of this kind.
    pub async fn reseal(
        &self,
        from: (&Sealer, &Binding),
        to: (&Sealer, &Binding),
        spec: KeySpec,
        material: &[u8],
        by: Instant,
    ) -> Result<Vec<u8>, KeyError> {
        let opened = self.open(from.0, from.1, spec, material, by).await?;
        Ok(to.0.seal(to.1, b"", &opened.encoded()))
    }

    /// Opens a key for use. [`KeyError::Damaged`] if the material does not open or is of another kind.
    pub async fn open(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        spec: KeySpec,
        material: &[u8],
        by: Instant,
    ) -> Result<OpenKey, KeyError> {
        let Self::Software(pool) = self;
        let opened = sealer.open(binding, b"", material).map_err(|_| KeyError::Damaged)?;
        let parsed = if work::is_quick(spec) {
            Material::decode(spec, &opened)?
        } else {
            pool.run(Weight::Light, by, move || Material::decode(spec, &opened)).await?
        };
        Ok(OpenKey::new(parsed, pool.clone()))
    }

    /// Whether this is a signature of the digest under the public key. One of a wrong length, or of another kind of
    /// key, is none.
    pub async fn verify(
        &self,
        public: &PublicKey,
        algorithm: SignAlgorithm,
        digest: &[u8],
        signature: &[u8],
        by: Instant,
    ) -> Result<bool, KeyError> {
        let Self::Software(pool) = self;
        if work::verifies_quickly(public) {
            return Ok(pool.at_once(|| work::verify(public, algorithm, digest, signature)));
        }
        let (public, digest, signature) = (public.clone(), digest.to_vec(), signature.to_vec());
        pool.run(Weight::Light, by, move || Ok(work::verify(&public, algorithm, &digest, &signature))).await
    }
}
