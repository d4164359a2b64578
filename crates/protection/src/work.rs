//! What a key does, by itself: plain functions of the key and its input. Lengths are checked here, each with its name.

use crate::material::{Material, Secret, curve_of};
use crate::{Encrypted, KeyError, Limit};
use keystead_crypto::aes::{cbc, wrap};
use keystead_crypto::rsa::{Padding, Scheme};
use keystead_crypto::{Hash, ec, hmac, rsa, verify_hmac};
use keystead_model::{CipherAlgorithm, CipherMode, KeySpec, PublicKey, SignAlgorithm};
use zeroize::Zeroizing;

/// What goes with a text: each algorithm takes some of it.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) iv: &'a [u8],
    pub(crate) tag: &'a [u8],
    pub(crate) aad: &'a [u8],
}

/// Whether work with the private half takes less than about 100 us.
pub(crate) const fn is_quick(spec: KeySpec) -> bool {
    matches!(spec, KeySpec::EcP256 | KeySpec::Oct128 | KeySpec::Oct192 | KeySpec::Oct256)
}

/// Whether encryption to a key of this kind does.
pub(crate) const fn encrypts_quickly(spec: KeySpec) -> bool {
    is_quick(spec) || matches!(spec, KeySpec::Rsa2048)
}

/// Whether a text is no more than that takes: key wrap goes over its text six times, a block after the other.
pub(crate) const fn is_short(algorithm: CipherAlgorithm, text: &[u8]) -> bool {
    !matches!(algorithm.mode(), CipherMode::KeyWrap | CipherMode::KeyWrapPad) || text.len() <= 4096
}

/// Whether verification with its public half does.
pub(crate) const fn verifies_quickly(public: &PublicKey) -> bool {
    match public {
        PublicKey::Ec { curve, .. } => matches!(curve, keystead_model::Curve::P256),
        PublicKey::Rsa { .. } | PublicKey::Symmetric => true,
    }
}

/// Whether this is a signature of the digest under the public key.
pub(crate) fn verify(public: &PublicKey, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
    match (how(algorithm), public) {
        (How::Ecdsa(wanted), PublicKey::Ec { curve, x, y }) => {
            wanted == curve_of(*curve) && ec::verify_digest(wanted, x, y, digest, signature)
        }
        (How::Rsa(padding, hash), PublicKey::Rsa { n, e }) => {
            rsa::verify_digest(n, e, padding, hash, digest, signature)
        }
        _ => false,
    }
}

/// Encrypts to a public half.
pub(crate) fn encrypt_to(
    public: &PublicKey,
    algorithm: CipherAlgorithm,
    plain: &[u8],
    beside: Beside<'_>,
) -> Result<Encrypted, KeyError> {
    let PublicKey::Rsa { n, e } = public else { return Err(KeyError::WrongAlgorithm) };
    let scheme = scheme(algorithm).ok_or(KeyError::WrongAlgorithm)?;
    beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
    Ok(Encrypted { value: rsa::encrypt_to(n, e, scheme, plain)?, iv: None, tag: None })
}

/// Whether a symmetric key elsewhere can take this to encrypt.
pub(crate) fn check_plain(algorithm: CipherAlgorithm, plain: &[u8], beside: Beside<'_>) -> Result<(), KeyError> {
    match algorithm.mode() {
        CipherMode::Gcm => beside.none_of(&[Part::Iv, Part::Tag]),
        CipherMode::Cbc | CipherMode::CbcPad => {
            beside.none_of(&[Part::Tag])?;
            exactly::<16>("initialisation vector", beside.iv).map(drop)
        }
        CipherMode::KeyWrap => {
            beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
            WRAPPED.check("plaintext", plain.len())
        }
        CipherMode::KeyWrapPad => {
            beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
            Limit::Between(1, wrap::MOST).check("plaintext", plain.len())
        }
        CipherMode::Pkcs1 | CipherMode::Oaep => Err(KeyError::WrongAlgorithm),
    }
}

/// Whether a key elsewhere can take this beside a ciphertext.
pub(crate) fn check_cipher(algorithm: CipherAlgorithm, beside: Beside<'_>) -> Result<(), KeyError> {
    match algorithm.mode() {
        CipherMode::Gcm => {
            exactly::<12>("nonce", beside.iv)?;
            exactly::<16>("tag", beside.tag).map(drop)
        }
        CipherMode::Cbc | CipherMode::CbcPad => {
            beside.none_of(&[Part::Tag])?;
            exactly::<16>("initialisation vector", beside.iv).map(drop)
        }
        _ => beside.none_of(&[Part::Iv, Part::Tag, Part::Aad]),
    }
}

impl Material {
    pub(crate) fn sign(&self, algorithm: SignAlgorithm, digest: &[u8]) -> Result<Vec<u8>, KeyError> {
        match (how(algorithm), self) {
            (How::Ecdsa(curve), Self::Ec(key)) if curve == key.curve() => Ok(key.sign_digest(digest)?),
            (How::Rsa(padding, hash), Self::Rsa(key)) => Ok(key.sign_digest(padding, hash, digest)?),
            (How::Hmac(hash), Self::Symmetric(secret)) => Ok(hmac(hash, &secret.bytes, digest)),
            _ => Err(KeyError::WrongAlgorithm),
        }
    }

    /// Whether this is the key's own signature.
    pub(crate) fn verify(&self, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
        match (how(algorithm), self) {
            (How::Hmac(hash), Self::Symmetric(secret)) => verify_hmac(hash, &secret.bytes, digest, signature),
            _ => verify(&self.public(), algorithm, digest, signature),
        }
    }

    pub(crate) fn encrypt(
        &self,
        algorithm: CipherAlgorithm,
        plain: &[u8],
        beside: Beside<'_>,
    ) -> Result<Encrypted, KeyError> {
        match self {
            Self::Rsa(key) => {
                let scheme = scheme(algorithm).ok_or(KeyError::WrongAlgorithm)?;
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                Limit::AtMost(scheme.most(key.size())).check("plaintext", plain.len())?;
                Ok(Encrypted { value: key.encrypt(scheme, plain)?, iv: None, tag: None })
            }
            Self::Symmetric(secret) => secret.encrypt(algorithm.mode(), plain, beside),
            Self::Ec(_) => Err(KeyError::WrongAlgorithm),
        }
    }

    pub(crate) fn decrypt(
        &self,
        algorithm: CipherAlgorithm,
        cipher: &[u8],
        beside: Beside<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self {
            Self::Rsa(key) => {
                let scheme = scheme(algorithm).ok_or(KeyError::WrongAlgorithm)?;
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                Ok(key.decrypt(scheme, cipher)?)
            }
            Self::Symmetric(secret) => secret.decrypt(algorithm.mode(), cipher, beside),
            Self::Ec(_) => Err(KeyError::WrongAlgorithm),
        }
    }
}

impl Secret {
    fn encrypt(&self, mode: CipherMode, plain: &[u8], beside: Beside<'_>) -> Result<Encrypted, KeyError> {
        let bare = |value| Encrypted { value, iv: None, tag: None };
        match mode {
            CipherMode::Gcm => {
                beside.none_of(&[Part::Iv, Part::Tag])?;
                let (iv, value, tag) = self.gcm.seal(beside.aad, plain);
                Ok(Encrypted { value, iv: Some(iv.to_vec()), tag: Some(tag) })
            }
            CipherMode::Cbc | CipherMode::CbcPad => {
                beside.none_of(&[Part::Tag])?;
                let iv = exactly("initialisation vector", beside.iv)?;
                let value = cbc::encrypt(&self.bytes, iv, fill(mode), plain)?;
                Ok(Encrypted { value, iv: Some(iv.to_vec()), tag: None })
            }
            CipherMode::KeyWrap => {
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                WRAPPED.check("plaintext", plain.len())?;
                Ok(bare(wrap::wrap(&self.bytes, plain)?))
            }
            CipherMode::KeyWrapPad => {
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                Limit::Between(1, wrap::MOST).check("plaintext", plain.len())?;
                Ok(bare(wrap::wrap_padded(&self.bytes, plain)?))
            }
            CipherMode::Pkcs1 | CipherMode::Oaep => Err(KeyError::WrongAlgorithm),
        }
    }

    fn decrypt(&self, mode: CipherMode, cipher: &[u8], beside: Beside<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match mode {
            CipherMode::Gcm => {
                let (iv, tag) = (exactly("nonce", beside.iv)?, exactly("tag", beside.tag)?);
                Ok(self.gcm.open(iv, beside.aad, cipher, tag)?)
            }
            CipherMode::Cbc | CipherMode::CbcPad => {
                beside.none_of(&[Part::Tag])?;
                let iv = exactly("initialisation vector", beside.iv)?;
                Ok(cbc::decrypt(&self.bytes, iv, fill(mode), cipher)?)
            }
            CipherMode::KeyWrap => {
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                Ok(wrap::unwrap(&self.bytes, cipher)?)
            }
            CipherMode::KeyWrapPad => {
                beside.none_of(&[Part::Iv, Part::Tag, Part::Aad])?;
                Ok(wrap::unwrap_padded(&self.bytes, cipher)?)
            }
            CipherMode::Pkcs1 | CipherMode::Oaep => Err(KeyError::WrongAlgorithm),
        }
    }
}

/// What RFC 3394 wraps.
const WRAPPED: Limit = Limit::Multiple { of: wrap::STEP, least: 2 * wrap::STEP, most: wrap::MOST };

/// How a signature is made.
enum How {
    Ecdsa(ec::Curve),
    Rsa(Padding, Hash),
    Hmac(Hash),
}

const fn how(algorithm: SignAlgorithm) -> How {
    match algorithm {
        SignAlgorithm::Es256 => How::Ecdsa(ec::Curve::P256),
        SignAlgorithm::Es384 => How::Ecdsa(ec::Curve::P384),
        SignAlgorithm::Es512 => How::Ecdsa(ec::Curve::P521),
        SignAlgorithm::Es256K => How::Ecdsa(ec::Curve::P256K1),
        SignAlgorithm::Rs256 => How::Rsa(Padding::Pkcs1, Hash::Sha256),
        SignAlgorithm::Rs384 => How::Rsa(Padding::Pkcs1, Hash::Sha384),
        SignAlgorithm::Rs512 => How::Rsa(Padding::Pkcs1, Hash::Sha512),
        SignAlgorithm::Ps256 => How::Rsa(Padding::Pss, Hash::Sha256),
        SignAlgorithm::Ps384 => How::Rsa(Padding::Pss, Hash::Sha384),
        SignAlgorithm::Ps512 => How::Rsa(Padding::Pss, Hash::Sha512),
        SignAlgorithm::Hs256 => How::Hmac(Hash::Sha256),
        SignAlgorithm::Hs384 => How::Hmac(Hash::Sha384),
        SignAlgorithm::Hs512 => How::Hmac(Hash::Sha512),
    }
}

const fn scheme(algorithm: CipherAlgorithm) -> Option<Scheme> {
    match algorithm {
        CipherAlgorithm::Rsa15 => Some(Scheme::Pkcs1),
        CipherAlgorithm::RsaOaep => Some(Scheme::OaepSha1),
        CipherAlgorithm::RsaOaep256 => Some(Scheme::OaepSha256),
        _ => None,
    }
}

const fn fill(mode: CipherMode) -> cbc::Fill {
    match mode {
        CipherMode::CbcPad => cbc::Fill::Pkcs7,
        _ => cbc::Fill::Zeros,
    }
}

#[derive(Clone, Copy)]
enum Part {
    Iv,
    Tag,
    Aad,
}

impl Beside<'_> {
    /// What an algorithm does not take is refused, not dropped.
    fn none_of(self, parts: &[Part]) -> Result<(), KeyError> {
        parts.iter().try_for_each(|part| {
            let (what, found) = match part {
                Part::Iv => ("nonce", self.iv.len()),
                Part::Tag => ("tag", self.tag.len()),
                Part::Aad => ("associated data", self.aad.len()),
            };
            Limit::Exactly(0).check(what, found)
        })
    }
}

fn exactly<'a, const N: usize>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8; N], KeyError> {
    let wanted = Limit::Exactly(N);
    bytes.try_into().map_err(|_| KeyError::BadLength { what, found: bytes.len(), wanted })
}
