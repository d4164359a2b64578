//! ECDSA (FIPS 186-5; secp256k1: SEC 2) on digests the caller computed, each curve with the hash that RFC 7518 and
//! RFC 8812 give it.

use crate::{CryptoError, Hash, der, sure};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED,
    ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, KeyPair, ParsedPublicKey, UnparsedPublicKey,
};
use zeroize::Zeroizing;

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256, with SHA-256.
    P256,
    /// NIST P-384, with SHA-384.
    P384,
    /// NIST P-521, with SHA-512.
    P521,
    /// secp256k1, with SHA-256.
    P256K1,
}

impl Curve {
    /// All of them.
    pub const ALL: &[Self] = &[Self::P256, Self::P384, Self::P521, Self::P256K1];

    /// Bytes of a coordinate, and of each half of a signature.
    pub const fn field_len(self) -> usize {
        match self {
            Self::P256 | Self::P256K1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The hash whose digests are signed.
    pub const fn hash(self) -> Hash {
        match self {
            Self::P256 | Self::P256K1 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
            Self::P521 => Hash::Sha512,
        }
    }

    const fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
            Self::P256K1 => &ECDSA_P256K1_SHA256_FIXED_SIGNING,
        }
    }

    pub(crate) const fn verifying(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
            Self::P256K1 => &ECDSA_P256K1_SHA256_FIXED,
        }
    }

    /// The curve's object identifier, DER.
    const fn oid(self) -> &'static [u8] {
        match self {
            // prime256v1 1.2.840.10045.3.1.7
            Self::P256 => &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            // secp384r1 1.3.132.0.34
            Self::P384 => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x22],
            // secp521r1 1.3.132.0.35
            Self::P521 => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x23],
            // secp256k1 1.3.132.0.10
            Self::P256K1 => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x0a],
        }
    }
}

/// Why numbers are not a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNumbers {
    /// A coordinate or the private number has more or fewer bytes than the curve's field.
    #[error("a number of the key has not the length that its curve asks for")]
    Length,
    /// The public point is not on the curve.
    #[error("the public point is not on the curve")]
    OffCurve,
    /// The private number is out of range, or the public point is that of another.
    #[error("the private number does not belong to the public point")]
    Mismatch,
}

/// A private key, kept parsed.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    curve: Curve,
    x: Vec<u8>,
    y: Vec<u8>,
}

impl PrivateKey {
    /// A new random key.
    pub fn generate(curve: Curve) -> Self {
        let pair = EcdsaKeyPair::generate(curve.signing()).map_err(|_| CryptoError::Exhausted);
        sure(pair.and_then(|pair| Self::of(curve, pair)))
    }

    /// From an unencrypted PKCS#8 document (RFC 5958, version 1) with a key on this curve; the key is checked.
    pub fn from_pkcs8(curve: Curve, pkcs8: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs8) {
            return Err(CryptoError::BadKey);
        }
        let pair = EcdsaKeyPair::from_pkcs8(curve.signing(), pkcs8).map_err(|_| CryptoError::BadKey)?;
        Self::of(curve, pair)
    }

    /// From its numbers, big-endian, each as long as the curve's field: the point must be on the curve and the private
    /// number's own.
    pub fn from_numbers(curve: Curve, x: &[u8], y: &[u8], d: &[u8]) -> Result<Self, BadNumbers> {
        if [x, y, d].iter().any(|number| number.len() != curve.field_len()) {
            return Err(BadNumbers::Length);
        }
        let point = point(x, y);
        ParsedPublicKey::new(curve.verifying(), &point).map_err(|_| BadNumbers::OffCurve)?;
        EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), d, &point)
            .ok()
            .and_then(|pair| Self::of(curve, pair).ok())
            .ok_or(BadNumbers::Mismatch)
    }

    /// As an unencrypted PKCS#8 document: secret.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(sure(self.pair.to_pkcs8v1()).as_ref().to_vec())
    }

    /// Its curve.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The public point's coordinates, big-endian, each as long as the curve's field.
    pub fn public(&self) -> (&[u8], &[u8]) {
        (&self.x, &self.y)
    }

    /// Signs a digest of the curve's hash: r|s, each as long as the curve's field (IEEE P1363, RFC 7518 section 3.4).
    pub fn sign_digest(&self, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let digest = self.curve.hash().import(digest)?;
        let signature = self.pair.sign_digest(&digest).map_err(|_| CryptoError::Exhausted)?;
        Ok(signature.as_ref().to_vec())
    }

    fn of(curve: Curve, pair: EcdsaKeyPair) -> Result<Self, CryptoError> {
        let public = pair.public_key().as_ref().strip_prefix(&[4]).ok_or(CryptoError::BadKey)?;
        let (x, y) = public.split_at_checked(curve.field_len()).ok_or(CryptoError::BadKey)?;
        let (x, y) = (x.to_vec(), y.to_vec());
        if y.len() == curve.field_len() { Ok(Self { pair, curve, x, y }) } else { Err(CryptoError::BadKey) }
    }
}

/// Whether the signature (r|s) on the digest of the curve's hash is that of the public key. False for anything
/// malformed, a point off the curve included.
pub fn verify_digest(curve: Curve, x: &[u8], y: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let Ok(digest) = curve.hash().import(digest) else { return false };
    let lengths = [x.len(), y.len()].iter().all(|length| *length == curve.field_len());
    lengths && UnparsedPublicKey::new(curve.verifying(), point(x, y)).verify_digest(&digest, signature).is_ok()
}

/// Whether these are the coordinates of a point on the curve.
pub(crate) fn is_on_curve(curve: Curve, x: &[u8], y: &[u8]) -> bool {
    ParsedPublicKey::new(curve.verifying(), point(x, y)).is_ok()
}

/// The public key as DER SubjectPublicKeyInfo (RFC 5480).
pub fn spki_der(curve: Curve, x: &[u8], y: &[u8]) -> Vec<u8> {
    // id-ecPublicKey 1.2.840.10045.2.1
    const EC: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    der::sequence(&[&der::sequence(&[EC, curve.oid()]), &der::bits(&point(x, y))])
}

/// SEC 1's uncompressed form.
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

#[cfg(test)]
mod tests;
