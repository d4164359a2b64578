//! Where key material lives and works. Above this room nothing sees a private key: it asks for a new key and gets its
//! public half with sealed material, or gives sealed material and gets an [`OpenKey`] that works with it.
//!
//! Work under 100 us (P-256, AES, RSA encryption) runs where it is asked for; RSA private operations and RSA key
//! generation run on a bounded pool of threads, in which every job has a deadline.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod error;
#[doc(hidden)]
pub mod fuzz;
mod import;
mod key;
mod material;
pub mod software;

pub use error::{KeyError, Limit};
pub use import::{BadImport, ImportedKey};
pub use key::{Encrypted, OpenKey};

use keystead_crypto::sealed::{Binding, Sealer};
use keystead_crypto::{p256, rsa};
use keystead_model::{KeySpec, PublicKey, SignAlgorithm};
use material::Material;
use std::time::Instant;

/// Whether this is a signature of the digest under the public key. One of a wrong length, or of another kind of key, is
/// none.
pub fn verify(public: &PublicKey, algorithm: SignAlgorithm, digest: &[u8; 32], signature: &[u8]) -> bool {
    match (algorithm, public) {
        (SignAlgorithm::Es256, PublicKey::EcP256 { x, y }) => p256::verify_digest(x, y, digest, signature),
        (SignAlgorithm::Rs256, PublicKey::Rsa { n, e }) => {
            rsa::verify_digest(n, e, rsa::Padding::Pkcs1, digest, signature)
        }
        (SignAlgorithm::Ps256, PublicKey::Rsa { n, e }) => {
            rsa::verify_digest(n, e, rsa::Padding::Pss, digest, signature)
        }
        _ => false,
    }
}

/// What keeps and uses key material.
#[derive(Clone)]
pub enum Protection {
    /// This process's memory.
    Software(software::Pool),
}

/// A new key.
pub struct Generated {
    /// Its public half, for JWKs.
    pub public: PublicKey,
    /// Its material, sealed: what a row keeps.
    pub material: Vec<u8>,
}

impl Protection {
    /// Keys in this process's memory, with a pool of so many threads (at least one).
    pub fn software(threads: usize) -> Self {
        Self::Software(software::Pool::new(threads))
    }

    /// Makes a key and seals it for its row. The sealer is one of usage `KeyMaterial`.
    pub async fn generate(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        spec: KeySpec,
        by: Instant,
    ) -> Result<Generated, KeyError> {
        let Self::Software(pool) = self;
        let material = match spec {
            KeySpec::Rsa2048 => pool.run(software::Weight::Heavy, by, move || Material::generate(spec)).await?,
            KeySpec::EcP256 | KeySpec::Oct256 => Material::generate(spec)?,
        };
        Ok(Generated { public: material.public(), material: sealer.seal(binding, b"", &material.encode()) })
    }

    /// Takes in a key that was made elsewhere, if its parts belong together, and seals it for its row.
    pub async fn import(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        key: ImportedKey,
        by: Instant,
    ) -> Result<Generated, KeyError> {
        let Self::Software(pool) = self;
        // Checking a key is a private operation with it.
        let material = match key.spec()? {
            KeySpec::Rsa2048 => pool.run(software::Weight::Light, by, move || Material::import(&key)).await?,
            KeySpec::EcP256 | KeySpec::Oct256 => Material::import(&key)?,
        };
        Ok(Generated { public: material.public(), material: sealer.seal(binding, b"", &material.encode()) })
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
        let parsed = match spec {
            KeySpec::Rsa2048 => pool.run(software::Weight::Light, by, move || Material::decode(spec, &opened)).await?,
            KeySpec::EcP256 | KeySpec::Oct256 => Material::decode(spec, &opened)?,
        };
        Ok(OpenKey::new(parsed, pool.clone()))
    }
}
