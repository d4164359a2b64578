//! RSA with a modulus of 2,048 bits and exponent 65,537 (RFC 8017): signatures over SHA-256 digests the caller
//! computed, and OAEP with SHA-256 for hash and MGF1 and an empty label.

use crate::{CryptoError, der, random, sure};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair, RsaParameters, UnparsedPublicKey,
};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Bytes of the modulus, of a signature and of a ciphertext.
pub const MODULUS_LEN: usize = 256;

/// The longest plaintext that OAEP takes: 256 - 2 * 32 - 2 bytes.
pub const OAEP_MOST: usize = 190;

/// 65,537, big-endian.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// How a digest is padded before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS with MGF1-SHA-256 and a salt of 32 bytes.
    Pss,
}

impl Padding {
    fn signing(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Pkcs1 => &RSA_PKCS1_SHA256,
            Self::Pss => &RSA_PSS_SHA256,
        }
    }

    fn verifying(self) -> &'static RsaParameters {
        match self {
            Self::Pkcs1 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Pss => &RSA_PSS_2048_8192_SHA256,
        }
    }
}

/// The numbers of a private key (RFC 8017, section 3.2), big-endian.
pub struct Parts<'a> {
    /// Modulus.
    pub n: &'a [u8],
    /// Public exponent.
    pub e: &'a [u8],
    /// Private exponent.
    pub d: &'a [u8],
    /// First prime.
    pub p: &'a [u8],
    /// Second prime.
    pub q: &'a [u8],
    /// d mod (p - 1).
    pub dp: &'a [u8],
    /// d mod (q - 1).
    pub dq: &'a [u8],
    /// q^-1 mod p.
    pub qi: &'a [u8],
}

/// A private key, kept parsed.
pub struct PrivateKey {
    pair: RsaKeyPair,
    modulus: [u8; MODULUS_LEN],
    /// The same key as the library wants it for OAEP, each half made at its first use: most keys sign or decrypt, not
    /// both.
    decrypting: OnceLock<OaepPrivateDecryptingKey>,
    encrypting: OnceLock<OaepPublicEncryptingKey>,
}

impl PrivateKey {
    /// A new random key. Takes from 30 to several hundred milliseconds.
    pub fn generate() -> Result<Self, CryptoError> {
        RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| CryptoError::Exhausted).and_then(Self::of)
    }

    /// From an unencrypted PKCS#8 document (RFC 5958, version 1) with an RSA key of this size; the key is checked.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs8) {
            return Err(CryptoError::BadKey);
        }
        RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| CryptoError::BadKey).and_then(Self::of)
    }

    /// From its numbers. They must belong together, which the library checks, and the key must verify what it signs:
    /// with factors that are not prime it does not.
    pub fn from_parts(parts: &Parts<'_>) -> Result<Self, CryptoError> {
        let numbers = [parts.n, parts.e, parts.d, parts.p, parts.q, parts.dp, parts.dq, parts.qi];
        if numbers.iter().any(|number| number.len() > MODULUS_LEN.saturating_add(1)) {
            return Err(CryptoError::BadKey);
        }
        let numbers = numbers.map(|number| Zeroizing::new(der::unsigned(number)));
        let version = der::unsigned(&[]);
        let content: Vec<&[u8]> = std::iter::once(&version).chain(numbers.iter().map(|n| &**n)).map(|n| &**n).collect();
        let key = Zeroizing::new(der::sequence(&content));
        let key = RsaKeyPair::from_der(&key).map_err(|_| CryptoError::BadKey).and_then(Self::of)?;
        let digest = random();
        let signature = key.sign_digest(Padding::Pkcs1, &digest).map_err(|_| CryptoError::BadKey)?;
        let good = verify_digest(&key.modulus, &EXPONENT, Padding::Pkcs1, &digest, &signature);
        if good { Ok(key) } else { Err(CryptoError::BadKey) }
    }

    /// As an unencrypted PKCS#8 document: secret.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        sure(self.pkcs8())
    }

    /// Modulus (256 bytes) and exponent, big-endian without leading zeros.
    pub fn public(&self) -> (Vec<u8>, Vec<u8>) {
        (self.modulus.to_vec(), EXPONENT.to_vec())
    }

    /// Signs a SHA-256 digest: 256 bytes. The result is checked by the library before it is given out.
    pub fn sign_digest(&self, padding: Padding, digest: &[u8; 32]) -> Result<Vec<u8>, CryptoError> {
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| CryptoError::Exhausted)?;
        let mut signature = vec![0; MODULUS_LEN];
        match self.pair.sign_digest(padding.signing(), &digest, &mut signature) {
            Ok(()) => Ok(signature),
            Err(_) => Err(CryptoError::Exhausted),
        }
    }

    /// Encrypts at most [`OAEP_MOST`] bytes to this key's public half: 256 bytes.
    pub fn oaep256_encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        if plain.len() > OAEP_MOST {
            return Err(CryptoError::TooLong { most: OAEP_MOST });
        }
        let mut out = vec![0; MODULUS_LEN];
        let key = self.encrypting()?;
        match key.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut out, None).map(|text| text.len()) {
            Ok(MODULUS_LEN) => Ok(out),
            _ => Err(CryptoError::Exhausted),
        }
    }

    /// Decrypts 256 bytes. Every failure is the same [`CryptoError::NotDecrypted`].
    pub fn oaep256_decrypt(&self, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        if cipher.len() != MODULUS_LEN {
            return Err(CryptoError::NotDecrypted);
        }
        let mut out = Zeroizing::new(vec![0; MODULUS_LEN]);
        let key = self.decrypting()?;
        match key.decrypt(&OAEP_SHA256_MGF1SHA256, cipher, &mut out, None).map(|text| text.len()) {
            Ok(length) => {
                out.truncate(length);
                Ok(out)
            }
            Err(_) => Err(CryptoError::NotDecrypted),
        }
    }

    fn of(pair: RsaKeyPair) -> Result<Self, CryptoError> {
        let modulus = modulus_of(pair.public_key().as_ref()).ok_or(CryptoError::BadKey)?;
        Ok(Self { pair, modulus, decrypting: OnceLock::new(), encrypting: OnceLock::new() })
    }

    fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| CryptoError::Exhausted)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    fn decrypting(&self) -> Result<&OaepPrivateDecryptingKey, CryptoError> {
        kept(&self.decrypting, || {
            let key = PrivateDecryptingKey::from_pkcs8(&self.pkcs8()?).map_err(|_| CryptoError::Exhausted)?;
            OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::Exhausted)
        })
    }

    fn encrypting(&self) -> Result<&OaepPublicEncryptingKey, CryptoError> {
        kept(&self.encrypting, || {
            let spki = spki_der(&self.modulus, &EXPONENT);
            let key = PublicEncryptingKey::from_der(&spki).map_err(|_| CryptoError::Exhausted)?;
            OaepPublicEncryptingKey::new(key).map_err(|_| CryptoError::Exhausted)
        })
    }
}

/// What the cell holds, made if it holds nothing. Two threads may make it at once; one of the two is kept.
fn kept<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, CryptoError>) -> Result<&T, CryptoError> {
    match cell.get() {
        Some(value) => Ok(value),
        None => make().map(|value| cell.get_or_init(|| value)),
    }
}

/// Whether the signature on the digest is that of the public key (modulus and exponent, big-endian; 2,048 to 8,192
/// bits). False for anything malformed.
pub fn verify_digest(n: &[u8], e: &[u8], padding: Padding, digest: &[u8; 32], signature: &[u8]) -> bool {
    let Ok(digest) = Digest::import_less_safe(digest, &SHA256) else { return false };
    UnparsedPublicKey::new(padding.verifying(), public_der(n, e)).verify_digest(&digest, signature).is_ok()
}

/// The public key as DER SubjectPublicKeyInfo (RFC 3279), algorithm rsaEncryption.
pub fn spki_der(n: &[u8], e: &[u8]) -> Vec<u8> {
    // rsaEncryption 1.2.840.113549.1.1.1 with NULL parameters.
    const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
    der::sequence(&[&der::sequence(&[RSA]), &der::bits(&public_der(n, e))])
}

/// The modulus in an RSAPublicKey, if it has exactly 2,048 bits and the exponent is 65,537: DER has one form for that.
fn modulus_of(public_der: &[u8]) -> Option<[u8; MODULUS_LEN]> {
    const BEFORE: &[u8] = &[0x30, 0x82, 1, 0x0a, 2, 0x82, 1, 1, 0];
    const AFTER: &[u8] = &[2, 3, 1, 0, 1];
    public_der.strip_prefix(BEFORE)?.strip_suffix(AFTER)?.try_into().ok()
}

/// RSAPublicKey of RFC 8017, appendix A.1.1.
fn public_der(n: &[u8], e: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::unsigned(n), &der::unsigned(e)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    #[test]
    fn a_key_survives_pkcs8_and_its_signatures_verify() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(key.public(), again.public());
        let (n, e) = key.public();
        assert!(n.len() == 256 && n[0] >= 0x80);
        let digest = sha256(&[b"message"]);
        for (padding, other) in [(Padding::Pkcs1, Padding::Pss), (Padding::Pss, Padding::Pkcs1)] {
            let signature = again.sign_digest(padding, &digest).unwrap();
            assert!(verify_digest(&n, &e, padding, &digest, &signature));
            assert!(!verify_digest(&n, &e, other, &digest, &signature));
            assert!(!verify_digest(&n, &e, padding, &random(), &signature));
            assert!(!verify_digest(&n, &e, padding, &digest, &signature[1..]));
            assert!(!verify_digest(&[], &e, padding, &digest, &signature));
        }
    }

    #[test]
    fn oaep_takes_190_bytes_and_one_more_is_refused() {
        let key = PrivateKey::generate().unwrap();
        for length in [0, 1, OAEP_MOST] {
            let sealed = key.oaep256_encrypt(&vec![7; length]).unwrap();
            assert_eq!(key.oaep256_decrypt(&sealed).unwrap().as_slice(), vec![7; length]);
        }
        assert_eq!(key.oaep256_encrypt(&[7; OAEP_MOST + 1]), Err(CryptoError::TooLong { most: OAEP_MOST }));
    }

    #[test]
    fn what_does_not_decrypt_fails_in_one_way() {
        let key = PrivateKey::generate().unwrap();
        let mut changed = key.oaep256_encrypt(b"secret").unwrap();
        changed[100] ^= 1;
        for cipher in [vec![], vec![0; 255], vec![0; 256], vec![0xff; 256], vec![0; 257], changed] {
            assert_eq!(key.oaep256_decrypt(&cipher).err(), Some(CryptoError::NotDecrypted));
        }
    }

    #[test]
    fn the_spki_is_the_one_the_library_reads() {
        let key = PrivateKey::generate().unwrap();
        let (n, e) = key.public();
        let digest = random();
        let signature = key.sign_digest(Padding::Pkcs1, &digest).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki_der(&n, &e));
        assert!(public.verify_digest(&Digest::import_less_safe(&digest, &SHA256).unwrap(), &signature).is_ok());
    }

    /// The numbers of a new key, out of its PKCS#8 document.
    fn numbers() -> Vec<Vec<u8>> {
        let document = PrivateKey::generate().unwrap().to_pkcs8();
        let start = document.windows(4).position(|w| w == [2, 1, 0, 2]).unwrap() + 3;
        let (mut rest, mut numbers) = (&document[start..], Vec::new());
        while let [2, after @ ..] = rest {
            let (length, body) = match after {
                [0x82, high, low, body @ ..] => (usize::from(*high) * 256 + usize::from(*low), body),
                [0x81, length, body @ ..] => (usize::from(*length), body),
                [length, body @ ..] => (usize::from(*length), body),
                [] => break,
            };
            numbers.push(body[..length].to_vec());
            rest = &body[length..];
        }
        numbers
    }

    fn made(numbers: &[Vec<u8>]) -> Result<PrivateKey, CryptoError> {
        let [n, e, d, p, q, dp, dq, qi] = numbers else { panic!("{}", numbers.len()) };
        PrivateKey::from_parts(&Parts { n, e, d, p, q, dp, dq, qi })
    }

    #[test]
    fn a_key_is_made_from_its_numbers_only_if_all_of_them_belong_together() {
        let (good, other) = (numbers(), numbers());
        let key = made(&good).unwrap();
        assert_eq!(key.public().0, good[0][1..]);
        let sealed = key.oaep256_encrypt(b"secret").unwrap();
        assert_eq!(key.oaep256_decrypt(&sealed).unwrap().as_slice(), b"secret");
        for at in [0, 2, 3, 4, 5, 6, 7] {
            let mut wrong = good.clone();
            wrong[at].clone_from(&other[at]);
            assert_eq!(made(&wrong).err(), Some(CryptoError::BadKey), "number {at}");
            wrong[at] = vec![0];
            assert_eq!(made(&wrong).err(), Some(CryptoError::BadKey), "number {at} zero");
            wrong[at] = vec![0xff; 10_000];
            assert_eq!(made(&wrong).err(), Some(CryptoError::BadKey), "number {at} long");
        }
        let mut exponent = good.clone();
        exponent[1] = vec![3];
        assert_eq!(made(&exponent).err(), Some(CryptoError::BadKey));
    }

    #[test]
    fn a_key_of_another_size_or_kind_or_with_bytes_after_it_is_refused() {
        let large = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
        let der: Pkcs8V1Der<'_> = large.as_der().unwrap();
        assert_eq!(PrivateKey::from_pkcs8(der.as_ref()).err(), Some(CryptoError::BadKey));
        let followed = [PrivateKey::generate().unwrap().to_pkcs8().as_slice(), &[0]].concat();
        assert_eq!(PrivateKey::from_pkcs8(&followed).err(), Some(CryptoError::BadKey));
        let ec = crate::p256::PrivateKey::generate();
        assert_eq!(PrivateKey::from_pkcs8(&ec.to_pkcs8()).err(), Some(CryptoError::BadKey));
    }
}
