//! An open key: parsed once, used many times.

use crate::material::Material;
use crate::software::{Lane, Pool, Weight};
use crate::tokens::Tokens;
use crate::work::{self, Beside};
use crate::{ImportError, KeyError, Limit, byok, held};
use keystead_hsm::{Description, Held, Stored};
use keystead_model::{CipherAlgorithm, KeySpec, Placement, PublicKey, SignAlgorithm};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

/// A key ready for use. Cheap to clone; its material is cleared with the last clone, or when the work under way with it
/// has ended. An HSM's key has none here.
#[derive(Clone)]
pub struct OpenKey {
    place: Place,
    pool: Pool,
}

#[derive(Clone)]
enum Place {
    Here(Arc<Material>),
    Token(Arc<TokenKey>),
}

struct TokenKey {
    tokens: Tokens,
    held: Held,
    public: PublicKey,
}

/// Where a key's private half is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In this process while it is used, sealed otherwise.
    Software,
    /// In an HSM.
    Token {
        /// In it for good, or wrapped by it.
        placement: Placement,
        /// The token that answers first, if one does.
        token: Option<Box<Description>>,
    },
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
        Self { place: Place::Here(Arc::new(material)), pool }
    }

    pub(crate) fn held_by(tokens: Tokens, held: Held, public: PublicKey, pool: Pool) -> Self {
        Self { place: Place::Token(Arc::new(TokenKey { tokens, held, public })), pool }
    }

    /// What is sealed of it: secret. Of a resident key there is nothing.
    pub(crate) fn encoded(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.place {
            Place::Here(material) => Ok(material.encode()),
            Place::Token(key) if key.held.stored == Stored::Resident => Err(KeyError::Resident),
            Place::Token(key) => Ok(Zeroizing::new(held::encode(key.held.spec, &key.held.stored))),
        }
    }

    /// An authentication code of what is kept of it, which tells nothing of the key to whoever has not the code's: by
    /// it two copies are known to be the same. Of a resident key nothing is kept.
    pub fn check_value(&self, by: &keystead_crypto::Mac, of: &[u8]) -> Result<[u8; 32], KeyError> {
        Ok(by.of(&[of, &self.encoded()?]))
    }

    /// As a token wants it, if it is a token's.
    pub(crate) fn held(&self) -> Option<&Held> {
        match &self.place {
            Place::Here(_) => None,
            Place::Token(key) => Some(&key.held),
        }
    }

    /// Where it is.
    pub async fn standing(&self, by: Instant) -> Standing {
        let Place::Token(key) = &self.place else { return Standing::Software };
        let placement = match key.held.stored {
            Stored::Resident => Placement::Resident,
            Stored::Wrapped { .. } => Placement::Wrapped,
        };
        let described = key.tokens.describe(by).await.into_iter().find_map(|(_, found)| found.ok());
        Standing::Token { placement, token: described.map(Box::new) }
    }

    /// A key that came wrapped under this one, which is here.
    pub(crate) async fn unwrapped(
        &self,
        specs: &[KeySpec],
        wrapped: &[u8],
        by: Instant,
    ) -> Result<Material, ImportError> {
        let Place::Here(kek) = &self.place else { return Err(KeyError::KekElsewhere.into()) };
        let (kek, specs, wrapped) = (Arc::clone(kek), specs.to_vec(), wrapped.to_vec());
        self.pool.run(Weight::Light, by, move || Ok(byok::unwrap(&kek, &specs, &wrapped))).await?
    }

    /// The same key at work for another caller: callers take turns at the pool.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { place: self.place.clone(), pool: self.pool.lane(lane) }
    }

    /// What kind of key it is.
    pub fn spec(&self) -> KeySpec {
        match &self.place {
            Place::Here(material) => material.spec(),
            Place::Token(key) => key.held.spec,
        }
    }

    /// Signs a digest of the algorithm's length: P-256 and HMAC at once, the others on the pool.
    pub async fn sign(&self, algorithm: SignAlgorithm, digest: &[u8], by: Instant) -> Result<Vec<u8>, KeyError> {
        self.takes(algorithm, digest)?;
        let material = match &self.place {
            Place::Token(key) => return key.tokens.sign(&key.held, algorithm, digest, by).await,
            Place::Here(material) if work::is_quick(self.spec()) => {
                return self.pool.at_once(|| material.sign(algorithm, digest));
            }
            Place::Here(material) => Arc::clone(material),
        };
        let digest = digest.to_vec();
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
        let material = match &self.place {
            Place::Token(key) if key.public == PublicKey::Symmetric => {
                let own = key.tokens.sign(&key.held, algorithm, digest, by).await?;
                return Ok(same(&own, signature));
            }
            Place::Token(key) => return Ok(work::verify(&key.public, algorithm, digest, signature)),
            Place::Here(material) if work::is_quick(self.spec()) => {
                return Ok(self.pool.at_once(|| material.verify(algorithm, digest, signature)));
            }
            Place::Here(material) => Arc::clone(material),
        };
        let (digest, signature) = (digest.to_vec(), signature.to_vec());
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
        let beside = Beside { iv, tag: &[], aad };
        let material = match &self.place {
            Place::Token(key) if key.public == PublicKey::Symmetric => {
                work::check_plain(algorithm, plain, beside)?;
                return key.tokens.encrypt(&key.held, algorithm, plain, (iv, aad), by).await;
            }
            // The public half needs no token.
            Place::Token(key) => return work::encrypt_to(&key.public, algorithm, plain, beside),
            Place::Here(material) if work::encrypts_quickly(self.spec()) && work::is_short(algorithm, plain) => {
                return self.pool.at_once(|| material.encrypt(algorithm, plain, beside));
            }
            Place::Here(material) => Arc::clone(material),
        };
        let plain = Zeroizing::new(plain.to_vec());
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
        let beside = Beside { iv, tag, aad };
        let material = match &self.place {
            Place::Token(key) => {
                work::check_cipher(algorithm, beside)?;
                return key.tokens.decrypt(&key.held, algorithm, value, (iv, tag, aad), by).await;
            }
            Place::Here(material) if work::is_quick(self.spec()) && work::is_short(algorithm, value) => {
                return self.pool.at_once(|| material.decrypt(algorithm, value, beside));
            }
            Place::Here(material) => Arc::clone(material),
        };
        let value = value.to_vec();
        let (iv, tag, aad) = (iv.to_vec(), tag.to_vec(), aad.to_vec());
        let work = move || material.decrypt(algorithm, &value, Beside { iv: &iv, tag: &tag, aad: &aad });
        self.pool.run(Weight::Light, by, work).await
    }

    /// What is wrong with the lengths is told here, before a token is asked.
    fn takes(&self, algorithm: SignAlgorithm, digest: &[u8]) -> Result<(), KeyError> {
        if !algorithm.fits(self.spec()) {
            return Err(KeyError::WrongAlgorithm);
        }
        Limit::Exactly(algorithm.digest_len()).check("digest", digest.len())
    }
}

/// Whether two authentication codes are the same, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    keystead_crypto::same(a, b)
}

#[cfg(test)]
mod tests;
