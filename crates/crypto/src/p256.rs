//! ECDSA over NIST P-256 with SHA-256 (FIPS 186-5), on digests the caller computed.

use crate::{CryptoError, der, fixed, random, sure};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use zeroize::Zeroizing;

/// A private key, kept parsed.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    x: [u8; 32],
    y: [u8; 32],
}

impl PrivateKey {
    /// A new random key.
    pub fn generate() -> Self {
        sure(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map_err(|_| CryptoError::Exhausted)
                .and_then(Self::of),
        )
    }

    /// From an unencrypted PKCS#8 document (RFC 5958, version 1) with a P-256 key; the key is checked.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        if !der::is_one_sequence(pkcs8) {
            return Err(CryptoError::BadKey);
        }
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| CryptoError::BadKey)?;
        Self::of(pair)
    }

    /// From the private number and the public point, 32 bytes each. They must belong together: the point is computed
    /// anew, and the key must verify what it signs.
    pub fn from_parts(d: &[u8; 32], x: &[u8; 32], y: &[u8; 32]) -> Result<Self, CryptoError> {
        let point = point(x, y);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, d, &point);
        let key = Self::of(pair.map_err(|_| CryptoError::BadKey)?)?;
        let digest = random();
        let signature = key.sign_digest(&digest).map_err(|_| CryptoError::BadKey)?;
        let good = key.public() == (*x, *y) && verify_digest(x, y, &digest, &signature);
        if good { Ok(key) } else { Err(CryptoError::BadKey) }
    }

    /// As an unencrypted PKCS#8 document: secret.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(sure(self.pair.to_pkcs8v1()).as_ref().to_vec())
    }

    /// The public point's coordinates, big-endian, 32 bytes each.
    pub fn public(&self) -> ([u8; 32], [u8; 32]) {
        (self.x, self.y)
    }

    /// Signs a SHA-256 digest: r|s, 32 bytes each (IEEE P1363, RFC 7518 section 3.4).
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<[u8; 64], CryptoError> {
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| CryptoError::Exhausted)?;
        let signature = self.pair.sign_digest(&digest).map_err(|_| CryptoError::Exhausted)?;
        signature.as_ref().try_into().map_err(|_| CryptoError::Exhausted)
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, CryptoError> {
        let (x, y) = coordinates(pair.public_key().as_ref()).ok_or(CryptoError::BadKey)?;
        Ok(Self { pair, x, y })
    }
}

/// Whether the signature (r|s, 64 bytes) on the digest is that of the public key (x, y). False for anything malformed,
/// a point off the curve included.
pub fn verify_digest(x: &[u8; 32], y: &[u8; 32], digest: &[u8; 32], signature: &[u8]) -> bool {
    let Ok(digest) = Digest::import_less_safe(digest, &SHA256) else { return false };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y)).verify_digest(&digest, signature).is_ok()
}

/// The public key as DER SubjectPublicKeyInfo (RFC 5480), 91 bytes.
pub fn spki_der(x: &[u8; 32], y: &[u8; 32]) -> Vec<u8> {
    // id-ecPublicKey 1.2.840.10045.2.1 with the named curve prime256v1 1.2.840.10045.3.1.7.
    const EC: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    der::sequence(&[&der::sequence(&[EC, P256]), &der::bits(&point(x, y))])
}

/// SEC 1's uncompressed form.
fn point(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    fixed(&[&[4], x.as_slice(), y.as_slice()].concat())
}

fn coordinates(point: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (x, y) = point.strip_prefix(&[4])?.split_first_chunk()?;
    Some((*x, y.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256;

    #[test]
    fn a_key_survives_pkcs8_and_its_signatures_verify() {
        let key = PrivateKey::generate();
        let again = PrivateKey::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(key.public(), again.public());
        let (x, y) = key.public();
        let digest = sha256(&[b"message"]);
        let signature = again.sign_digest(&digest).unwrap();
        assert!(verify_digest(&x, &y, &digest, &signature));
        assert!(!verify_digest(&x, &y, &sha256(&[b"other"]), &signature));
        assert!(!verify_digest(&y, &x, &digest, &signature));
        assert!(!verify_digest(&x, &y, &digest, &signature[..63]));
        assert!(!verify_digest(&x, &y, &digest, &[]));
    }

    #[test]
    fn coordinates_with_leading_zeros_keep_their_32_bytes() {
        // One key in 128 has one; look until it is found.
        let key = (0..20_000).map(|_| PrivateKey::generate()).find(|k| k.x[0] == 0 || k.y[0] == 0).unwrap();
        let (x, y) = key.public();
        let digest = random();
        assert!(verify_digest(&x, &y, &digest, &key.sign_digest(&digest).unwrap()));
    }

    #[test]
    fn the_spki_is_the_one_the_library_reads() {
        let key = PrivateKey::generate();
        let (x, y) = key.public();
        let spki = spki_der(&x, &y);
        assert_eq!(spki.len(), 91);
        let digest = random();
        let signature = key.sign_digest(&digest).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, spki);
        assert!(public.verify_digest(&Digest::import_less_safe(&digest, &SHA256).unwrap(), &signature).is_ok());
    }

    #[test]
    fn a_key_is_made_from_its_parts_only_if_they_belong_together() {
        // RFC 7515, appendix A.3.1.
        let part = |text: &str| -> [u8; 32] { hex::decode(text).unwrap().try_into().unwrap() };
        let x = part("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445");
        let y = part("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad");
        let d = part("8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2");
        let key = PrivateKey::from_parts(&d, &x, &y).unwrap();
        assert_eq!(key.public(), (x, y));
        let digest = random();
        assert!(verify_digest(&x, &y, &digest, &key.sign_digest(&digest).unwrap()));
        let (other_x, other_y) = PrivateKey::generate().public();
        for (d, x, y) in [(d, other_x, other_y), (d, y, x), (x, x, y), ([0; 32], x, y), ([0xff; 32], x, y)] {
            assert_eq!(PrivateKey::from_parts(&d, &x, &y).err(), Some(CryptoError::BadKey));
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let rsa = crate::rsa::PrivateKey::generate().unwrap();
        assert_eq!(PrivateKey::from_pkcs8(&rsa.to_pkcs8()).err(), Some(CryptoError::BadKey));
        assert_eq!(PrivateKey::from_pkcs8(&[]).err(), Some(CryptoError::BadKey));
    }

    #[test]
    fn bytes_after_the_key_are_refused() {
        let pkcs8 = [PrivateKey::generate().to_pkcs8().as_slice(), &[0]].concat();
        assert_eq!(PrivateKey::from_pkcs8(&pkcs8).err(), Some(CryptoError::BadKey));
    }
}
