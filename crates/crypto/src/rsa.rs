//! RSA with a modulus of 2,048, 3,072 or 4,096 bits (RFC 8017): signatures over digests the caller computed, OAEP with
//! an empty label, also of what a key elsewhere decrypted ([`block`]), and PKCS#1 v1.5 encryption, whose decryption
//! never tells what was wrong ([`implicit`]).

mod block;
mod ffi;
mod files;
mod implicit;
mod numbers;
mod recovery;

pub use block::Block;
pub use numbers::{BadNumbers, Numbers, others};

use crate::{CryptoError, Hash, der, sure};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaParameters, UnparsedPublicKey,
};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// The public exponent of keys of which nothing else was asked.
pub const EXPONENT: u32 = 65_537;

/// How large a modulus is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 2,048 bits.
    Bits2048,
    /// 3,072 bits.
    Bits3072,
    /// 4,096 bits.
    Bits4096,
}

impl Size {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// Bytes of the modulus, of a signature and of a ciphertext.
    pub const fn modulus_len(self) -> usize {
        match self {
            Self::Bits2048 => 256,
            Self::Bits3072 => 384,
            Self::Bits4096 => 512,
        }
    }

    /// The size of this modulus, without leading zeros.
    fn of(modulus: &[u8]) -> Option<Self> {
        let full = modulus.first().is_some_and(|first| *first >= 0x80);
        Self::ALL.iter().copied().find(|size| full && size.modulus_len() == modulus.len())
    }
}

/// How a digest is padded before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS with MGF1 of the same hash and a salt as long as the hash.
    Pss,
}

impl Padding {
    fn signing(self, hash: Hash) -> &'static dyn RsaEncoding {
        match (self, hash) {
            (Self::Pkcs1, Hash::Sha256) => &RSA_PKCS1_SHA256,
            (Self::Pkcs1, Hash::Sha384) => &RSA_PKCS1_SHA384,
            (Self::Pkcs1, Hash::Sha512) => &RSA_PKCS1_SHA512,
            (Self::Pss, Hash::Sha256) => &RSA_PSS_SHA256,
            (Self::Pss, Hash::Sha384) => &RSA_PSS_SHA384,
            (Self::Pss, Hash::Sha512) => &RSA_PSS_SHA512,
        }
    }

    fn verifying(self, hash: Hash) -> &'static RsaParameters {
        match (self, hash) {
            (Self::Pkcs1, Hash::Sha256) => &RSA_PKCS1_2048_8192_SHA256,
            (Self::Pkcs1, Hash::Sha384) => &RSA_PKCS1_2048_8192_SHA384,
            (Self::Pkcs1, Hash::Sha512) => &RSA_PKCS1_2048_8192_SHA512,
            (Self::Pss, Hash::Sha256) => &RSA_PSS_2048_8192_SHA256,
            (Self::Pss, Hash::Sha384) => &RSA_PSS_2048_8192_SHA384,
            (Self::Pss, Hash::Sha512) => &RSA_PSS_2048_8192_SHA512,
        }
    }
}

/// How a plaintext is padded before it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSAES-PKCS1-v1_5.
    Pkcs1,
    /// RSAES-OAEP with SHA-1 for hash and MGF1.
    OaepSha1,
    /// RSAES-OAEP with SHA-256 for hash and MGF1.
    OaepSha256,
}

impl Scheme {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Pkcs1, Self::OaepSha1, Self::OaepSha256];

    /// The longest plaintext under a modulus of this size.
    pub const fn most(self, size: Size) -> usize {
        let taken = match self {
            Self::Pkcs1 => 11,
            Self::OaepSha1 => 42,
            Self::OaepSha256 => 66,
        };
        size.modulus_len().saturating_sub(taken)
    }
}

/// A private key, kept parsed.
pub struct PrivateKey {
    pair: RsaKeyPair,
    size: Size,
    n: Vec<u8>,
    e: Vec<u8>,
    /// The same key as the library wants it for encryption, each form made at its first use: most keys sign or decrypt,
    /// not both.
    oaep: OnceLock<OaepPrivateDecryptingKey>,
    pkcs1: OnceLock<implicit::Key>,
    to_oaep: OnceLock<OaepPublicEncryptingKey>,
    to_pkcs1: OnceLock<Pkcs1PublicEncryptingKey>,
}

impl PrivateKey {
    /// A new random key. Takes from 30 milliseconds to several seconds.
    pub fn generate(size: Size, exponent: u32) -> Result<Self, CryptoError> {
        let der = ffi::generate(size, exponent).ok_or(CryptoError::Exhausted)?;
        RsaKeyPair::from_der(&der).map_err(|_| CryptoError::Exhausted).and_then(Self::of)
    }

    /// From an unencrypted PKCS#8 document (RFC 5958, version 1) with an RSA key of a size that is served; the key is
    /// checked.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs8) {
            return Err(CryptoError::BadKey);
        }
        RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| CryptoError::BadKey).and_then(Self::of)
    }

    /// As an unencrypted PKCS#8 document: secret.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        sure(self.pkcs8())
    }

    /// How large its modulus is.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Modulus and exponent, big-endian without leading zeros.
    pub fn public(&self) -> (&[u8], &[u8]) {
        (&self.n, &self.e)
    }

    /// Signs a digest of this hash: as many bytes as the modulus. The result is checked by the library before it is
    /// given out.
    pub fn sign_digest(&self, padding: Padding, hash: Hash, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let digest = hash.import(digest)?;
        let mut signature = vec![0; self.size.modulus_len()];
        match self.pair.sign_digest(padding.signing(hash), &digest, &mut signature) {
            Ok(()) => Ok(signature),
            Err(_) => Err(CryptoError::Exhausted),
        }
    }

    /// Encrypts at most [`Scheme::most`] bytes to this key's public half: as many bytes as the modulus.
    pub fn encrypt(&self, scheme: Scheme, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        encrypted(self.size, scheme, plain, |out| match scheme.oaep() {
            Some(oaep) => self.to_oaep().map_err(|_| Unspecified)?.encrypt(oaep, plain, out, None).map(|t| t.len()),
            None => self.to_pkcs1().map_err(|_| Unspecified)?.encrypt(plain, out).map(|t| t.len()),
        })
    }

    /// Decrypts as many bytes as the modulus has. Every failure is the same [`CryptoError::NotDecrypted`]; with
    /// [`Scheme::Pkcs1`] a number above 1 and below the modulus less one never fails: what is not padded decrypts to
    /// other bytes, always the same.
    pub fn decrypt(&self, scheme: Scheme, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if cipher.len() != self.size.modulus_len() {
            return Err(CryptoError::NotDecrypted);
        }
        let Some(oaep) = scheme.oaep() else { return self.pkcs1()?.decrypt(cipher) };
        let mut out = Zeroizing::new(vec![0; self.size.modulus_len()]);
        match self.oaep()?.decrypt(oaep, cipher, &mut out, None).map(|text| text.len()) {
            Ok(length) => {
                out.truncate(length);
                Ok(out)
            }
            Err(_) => Err(CryptoError::NotDecrypted),
        }
    }

    fn of(pair: RsaKeyPair) -> Result<Self, CryptoError> {
        let (n, e) = der::two_unsigned(pair.public_key().as_ref()).ok_or(CryptoError::BadKey)?;
        let size = Size::of(n).ok_or(CryptoError::BadKey)?;
        let (n, e) = (n.to_vec(), e.to_vec());
        let (oaep, pkcs1, to_oaep, to_pkcs1) = Default::default();
        Ok(Self { pair, size, n, e, oaep, pkcs1, to_oaep, to_pkcs1 })
    }

    fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| CryptoError::Exhausted)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    fn oaep(&self) -> Result<&OaepPrivateDecryptingKey, CryptoError> {
        kept(&self.oaep, || {
            let key = PrivateDecryptingKey::from_pkcs8(&self.pkcs8()?).map_err(|_| CryptoError::Exhausted)?;
            OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::Exhausted)
        })
    }

    fn pkcs1(&self) -> Result<&implicit::Key, CryptoError> {
        kept(&self.pkcs1, || implicit::Key::from_pkcs8(&self.pkcs8()?, self.size).ok_or(CryptoError::Exhausted))
    }

    fn to_oaep(&self) -> Result<&OaepPublicEncryptingKey, CryptoError> {
        kept(&self.to_oaep, || OaepPublicEncryptingKey::new(self.encrypting()?).map_err(|_| CryptoError::Exhausted))
    }

    fn to_pkcs1(&self) -> Result<&Pkcs1PublicEncryptingKey, CryptoError> {
        kept(&self.to_pkcs1, || Pkcs1PublicEncryptingKey::new(self.encrypting()?).map_err(|_| CryptoError::Exhausted))
    }

    fn encrypting(&self) -> Result<PublicEncryptingKey, CryptoError> {
        PublicEncryptingKey::from_der(&spki_der(&self.n, &self.e)).map_err(|_| CryptoError::Exhausted)
    }
}

impl Scheme {
    const fn oaep(self) -> Option<&'static OaepAlgorithm> {
        match self {
            Self::Pkcs1 => None,
            Self::OaepSha1 => Some(&OAEP_SHA1_MGF1SHA1),
            Self::OaepSha256 => Some(&OAEP_SHA256_MGF1SHA256),
        }
    }
}

/// What the cell holds, made if it holds nothing. Two threads may make it at once; one of the two is kept.
fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, CryptoError>) -> Result<&T, CryptoError> {
    match cell.get() {
        Some(value) => Ok(value),
        None => make().map(|value| cell.get_or_init(|| value)),
    }
}

/// Encrypts at most [`Scheme::most`] bytes to a public key (modulus and exponent, big-endian; of a size that is
/// served):
/// as many bytes as the modulus.
pub fn encrypt_to(n: &[u8], e: &[u8], scheme: Scheme, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let size = Size::of(n).ok_or(CryptoError::BadKey)?;
    let key = PublicEncryptingKey::from_der(&spki_der(n, e)).map_err(|_| CryptoError::BadKey)?;
    encrypted(size, scheme, plain, |out| to(key, scheme, plain, out))
}

fn to(key: PublicEncryptingKey, scheme: Scheme, plain: &[u8], out: &mut [u8]) -> Result<usize, Unspecified> {
    match scheme.oaep() {
        Some(oaep) => OaepPublicEncryptingKey::new(key)?.encrypt(oaep, plain, out, None).map(|text| text.len()),
        None => Pkcs1PublicEncryptingKey::new(key)?.encrypt(plain, out).map(|text| text.len()),
    }
}

/// The same to a public key as DER SubjectPublicKeyInfo.
pub fn encrypt_to_spki(spki: &[u8], scheme: Scheme, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let key = PublicEncryptingKey::from_der(spki).map_err(|_| CryptoError::BadKey)?;
    let size = Size::ALL.iter().copied().find(|size| size.modulus_len() == key.key_size_bytes());
    let size = size.ok_or(CryptoError::BadKey)?;
    encrypted(size, scheme, plain, |out| to(key, scheme, plain, out))
}

/// Modulus and exponent of a public key as DER SubjectPublicKeyInfo (rsaEncryption), of a size that is served.
pub fn numbers_of_spki(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (n, e) = der::two_unsigned(der::bits_of_spki(spki)?)?;
    let sound = Size::of(n).is_some() && PublicEncryptingKey::from_der(spki).is_ok();
    (sound && spki_der(n, e) == spki).then_some((n, e))
}

/// What `encrypt` writes, if the plaintext is not too long for the scheme.
fn encrypted(
    size: Size,
    scheme: Scheme,
    plain: &[u8],
    encrypt: impl FnOnce(&mut [u8]) -> Result<usize, Unspecified>,
) -> Result<Vec<u8>, CryptoError> {
    let most = scheme.most(size);
    if plain.len() > most {
        return Err(CryptoError::TooLong { most });
    }
    let mut out = vec![0; size.modulus_len()];
    let written = encrypt(&mut out);
    if written.is_ok_and(|length| length == out.len()) { Ok(out) } else { Err(CryptoError::Exhausted) }
}

/// Whether the signature on the digest is that of the public key (modulus and exponent, big-endian; 2,048 to 8,192
/// bits). False for anything malformed.
pub fn verify_digest(n: &[u8], e: &[u8], padding: Padding, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
    let Ok(digest) = hash.import(digest) else { return false };
    UnparsedPublicKey::new(padding.verifying(hash), public_der(n, e)).verify_digest(&digest, signature).is_ok()
}

/// The public key as DER SubjectPublicKeyInfo (RFC 3279), algorithm rsaEncryption.
pub fn spki_der(n: &[u8], e: &[u8]) -> Vec<u8> {
    // rsaEncryption 1.2.840.113549.1.1.1 with NULL parameters.
    const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
    der::sequence(&[&der::sequence(&[RSA]), &der::bits(&public_der(n, e))])
}

/// RSAPublicKey of RFC 8017, appendix A.1.1.
fn public_der(n: &[u8], e: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::unsigned(n), &der::unsigned(e)])
}

#[cfg(test)]
mod tests;
