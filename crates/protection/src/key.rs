//! An open key: parsed once, used many times.

use crate::material::Material;
use crate::software::{Lane, Pool, Weight};
use crate::work::{self, Beside};
use crate::{KeyError, Limit};
use keystead_model::{CipherAlgorithm, KeySpec, SignAlgorithm};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// A key ready for use. Cheap to clone; its material is cleared with the last clone, or when the work under way with it
/// has ended.
#[derive(Clone)]
pub struct OpenKey {
    material: Arc<Material>,
    pool: Pool,
}

/// What encryption gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext.
    pub value: Vec<u8>,
    /// The nonce or initialisation vector, if the algorithm has one.
    pub iv: Option<Vec<u8>>,
    /// The tag, if the algorithm has one.
    pub tag: Option<[u8; 16]>,
}

impl OpenKey {
    pub(crate) fn new(material: Material, pool: Pool) -> Self {
        Self { material: Arc::new(material), pool }
    }

    /// What is sealed of it: secret.
    pub(crate) fn encoded(&self) -> Zeroizing<Vec<u8>> {
        self.material.encode()
    }

    /// The same key at work for another caller: callers take turns at the pool.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { material: Arc::clone(&self.material), pool: self.pool.lane(lane) }
    }

    /// What kind of key it is.
    pub fn spec(&self) -> KeySpec {
        self.material.spec()
    }

    /// Signs a digest of the algorithm's length: P-256 and HMAC at once, the others on the pool.
    pub async fn sign(&self, algorithm: SignAlgorithm, digest: &[u8], by: Instant) -> Result<Vec<u8>, KeyError> {
        self.takes(algorithm, digest)?;
        if work::is_quick(self.spec()) {
            return self.pool.at_once(|| self.material.sign(algorithm, digest));
        }
        let (material, digest) = (Arc::clone(&self.material), digest.to_vec());
        self.pool.run(Weight::Light, by, move || material.sign(algorithm, &digest)).await
    }

    /// Whether this is the key's signature of the digest. One of a wrong length is none. For symmetric keys; a public
    /// half is enough for the others ([`crate::Protection::verify`]).
    pub async fn verify(
        &self,
        algorithm: SignAlgorithm,
        digest: &[u8],
        signature: &[u8],
        by: Instant,
    ) -> Result<bool, KeyError> {
        self.takes(algorithm, digest)?;
        if work::is_quick(self.spec()) {
            return Ok(self.pool.at_once(|| self.material.verify(algorithm, digest, signature)));
        }
        let (material, digest, signature) = (Arc::clone(&self.material), digest.to_vec(), signature.to_vec());
        self.pool.run(Weight::Light, by, move || Ok(material.verify(algorithm, &digest, &signature))).await
    }

    /// Encrypts. AES-GCM makes a fresh random nonce and binds the associated data; AES-CBC takes an initialisation
    /// vector and leaves associated data aside; the others take neither. AES and RSA-2048 at once, larger RSA on the
    /// pool.
    pub async fn encrypt(
        &self,
        algorithm: CipherAlgorithm,
        plain: &[u8],
        iv: Option<&[u8]>,
        aad: &[u8],
        by: Instant,
    ) -> Result<Encrypted, KeyError> {
        if !algorithm.fits(self.spec()) {
            return Err(KeyError::WrongAlgorithm);
        }
        let iv = iv.unwrap_or_default();
        if work::encrypts_quickly(self.spec()) {
            return self.pool.at_once(|| self.material.encrypt(algorithm, plain, Beside { iv, tag: &[], aad }));
        }
        let (material, plain) = (Arc::clone(&self.material), Zeroizing::new(plain.to_vec()));
        let (iv, aad) = (iv.to_vec(), aad.to_vec());
        let work = move || material.encrypt(algorithm, &plain, Beside { iv: &iv, tag: &[], aad: &aad });
        self.pool.run(Weight::Light, by, work).await
    }

    /// Decrypts: AES at once, RSA on the pool. Whatever does not decrypt is [`KeyError::DecryptFailed`];
    /// [`KeyError::BadLength`] tells only of parameters that everyone can see to be wrong.
    pub async fn decrypt(
        &self,
        algorithm: CipherAlgorithm,
        value: &[u8],
        iv: Option<&[u8]>,
        tag: Option<&[u8]>,
        aad: &[u8],
        by: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if !algorithm.fits(self.spec()) {
            return Err(KeyError::WrongAlgorithm);
        }
        let (iv, tag) = (iv.unwrap_or_default(), tag.unwrap_or_default());
        if work::is_quick(self.spec()) {
            return self.pool.at_once(|| self.material.decrypt(algorithm, value, Beside { iv, tag, aad }));
        }
        let (material, value) = (Arc::clone(&self.material), value.to_vec());
        let (iv, tag, aad) = (iv.to_vec(), tag.to_vec(), aad.to_vec());
        let work = move || material.decrypt(algorithm, &value, Beside { iv: &iv, tag: &tag, aad: &aad });
        self.pool.run(Weight::Light, by, work).await
    }

    fn takes(&self, algorithm: SignAlgorithm, digest: &[u8]) -> Result<(), KeyError> {
        if !algorithm.fits(self.spec()) {
            return Err(KeyError::WrongAlgorithm);
        }
        Limit::Exactly(algorithm.digest_len()).check("digest", digest.len())
    }
}

#[cfg(test)]
mod tests;
