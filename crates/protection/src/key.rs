//! An open key: parsed once, used many times.

use crate::material::Material;
use crate::software::{Pool, Weight};
use crate::{KeyError, Limit};
use keystead_crypto::rsa::{OAEP_MOST, Padding};
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
    /// The nonce, if the algorithm has one.
    pub iv: Option<[u8; 12]>,
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

    /// What kind of key it is.
    pub fn spec(&self) -> KeySpec {
        self.material.spec()
    }

    /// Signs a digest of the algorithm's length: P-256 at once (r|s, 64 bytes), RSA on the pool (256 bytes).
    pub async fn sign(&self, algorithm: SignAlgorithm, digest: &[u8], by: Instant) -> Result<Vec<u8>, KeyError> {
        if algorithm.spec() != self.spec() {
            return Err(KeyError::WrongAlgorithm);
        }
        let digest = exactly("digest", digest)?;
        match algorithm {
            SignAlgorithm::Es256 => match &*self.material {
                Material::EcP256(key) => Ok(key.sign_digest(digest)?.to_vec()),
                _ => Err(KeyError::WrongAlgorithm),
            },
            SignAlgorithm::Rs256 => self.sign_rsa(Padding::Pkcs1, *digest, by).await,
            SignAlgorithm::Ps256 => self.sign_rsa(Padding::Pss, *digest, by).await,
        }
    }

    /// Encrypts: AES-256-GCM under a fresh random nonce, which binds the associated data; RSA-OAEP takes at most 190
    /// bytes and no associated data. Runs where it is, so the deadline does not matter to it yet.
    pub async fn encrypt(
        &self,
        algorithm: CipherAlgorithm,
        plain: &[u8],
        aad: &[u8],
        _by: Instant,
    ) -> Result<Encrypted, KeyError> {
        match (algorithm, &*self.material) {
            (CipherAlgorithm::A256Gcm, Material::Oct256 { cipher, .. }) => {
                let (iv, value, tag) = cipher.seal(aad, plain);
                Ok(Encrypted { value, iv: Some(iv), tag: Some(tag) })
            }
            (CipherAlgorithm::RsaOaep256, Material::Rsa2048(key)) => {
                NONE.check("associated data", aad.len())?;
                Limit::AtMost(OAEP_MOST).check("plaintext", plain.len())?;
                Ok(Encrypted { value: key.oaep256_encrypt(plain)?, iv: None, tag: None })
            }
            _ => Err(KeyError::WrongAlgorithm),
        }
    }

    /// Decrypts: AES-256-GCM at once, RSA-OAEP on the pool. Whatever does not decrypt is [`KeyError::DecryptFailed`];
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
        match (algorithm, &*self.material) {
            (CipherAlgorithm::A256Gcm, Material::Oct256 { cipher, .. }) => {
                let iv = exactly("nonce", iv.unwrap_or_default())?;
                let tag = exactly("tag", tag.unwrap_or_default())?;
                Ok(cipher.open(iv, aad, value, tag)?)
            }
            (CipherAlgorithm::RsaOaep256, Material::Rsa2048(_)) => {
                NONE.check("nonce", iv.unwrap_or_default().len())?;
                NONE.check("tag", tag.unwrap_or_default().len())?;
                NONE.check("associated data", aad.len())?;
                self.decrypt_rsa(value.to_vec(), by).await
            }
            _ => Err(KeyError::WrongAlgorithm),
        }
    }

    async fn sign_rsa(&self, padding: Padding, digest: [u8; 32], by: Instant) -> Result<Vec<u8>, KeyError> {
        let material = Arc::clone(&self.material);
        let work = move || match &*material {
            Material::Rsa2048(key) => Ok(key.sign_digest(padding, &digest)?),
            _ => Err(KeyError::WrongAlgorithm),
        };
        self.pool.run(Weight::Light, by, work).await
    }

    async fn decrypt_rsa(&self, value: Vec<u8>, by: Instant) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let material = Arc::clone(&self.material);
        let work = move || match &*material {
            Material::Rsa2048(key) => Ok(key.oaep256_decrypt(&value)?),
            _ => Err(KeyError::WrongAlgorithm),
        };
        self.pool.run(Weight::Light, by, work).await
    }
}

const NONE: Limit = Limit::Exactly(0);

fn exactly<'a, const N: usize>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8; N], KeyError> {
    let wanted = Limit::Exactly(N);
    bytes.try_into().map_err(|_| KeyError::BadLength { what, found: bytes.len(), wanted })
}

#[cfg(test)]
mod tests;
