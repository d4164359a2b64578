//! CKM_RSA_AES_KEY_WRAP with SHA-1 (PKCS#11 3.1, section 6.1.22), as Azure's BYOK specification wants it:
//!
//! ```text
//! RSAES-OAEP with SHA-1 for the key exchange key: a fresh AES-256 key | AES key wrap with padding under that: the key
//! ```

use keystead_crypto::aes::wrap::{unwrap_padded, wrap_padded};
use keystead_crypto::rsa::{self, Scheme, Size};
use keystead_crypto::{CryptoError, ec, random, same};
use zeroize::Zeroizing;

/// What can stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotWrapped {
    /// Not an RSA key of a size that vaults take.
    #[error("the key exchange key must be RSA with 2048, 3072 or 4096 bits")]
    Kek,
    /// The recipe did not give back what went in.
    #[error("the recipe failed on a key exchange key of our own: this program is damaged, do not use it")]
    Unproven,
}

/// Wraps a key for a key exchange key (DER SubjectPublicKeyInfo), after the recipe was proven on one of our own.
pub(super) fn wrap(kek: &[u8], key: &[u8]) -> Result<Vec<u8>, NotWrapped> {
    prove(key)?;
    blob(kek, key).map_err(|_| NotWrapped::Kek)
}

/// Whether the bytes are a private key in PKCS#8 of a kind that vaults take.
pub(super) fn is_private_key(pkcs8: &[u8]) -> bool {
    rsa::PrivateKey::from_pkcs8(pkcs8).is_ok()
        || ec::Curve::ALL.iter().any(|curve| ec::PrivateKey::from_pkcs8(*curve, pkcs8).is_ok())
}

fn blob(kek: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let ephemeral = Zeroizing::new(random::<32>());
    let head = rsa::encrypt_to_spki(kek, Scheme::OaepSha1, &*ephemeral)?;
    Ok([head, wrap_padded(&*ephemeral, key)?].concat())
}

fn prove(key: &[u8]) -> Result<(), NotWrapped> {
    let again = || -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let kek = rsa::PrivateKey::generate(Size::Bits2048, rsa::EXPONENT)?;
        let (n, e) = kek.public();
        let blob = blob(&rsa::spki_der(n, e), key)?;
        let (head, tail) = blob.split_at_checked(kek.size().modulus_len()).ok_or(CryptoError::BadLength)?;
        unwrap_padded(&kek.decrypt(Scheme::OaepSha1, head)?, tail)
    };
    if again().is_ok_and(|again| same(&again, key)) { Ok(()) } else { Err(NotWrapped::Unproven) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_for_a_key_comes_out_with_its_private_half() {
        for size in [Size::Bits2048, Size::Bits3072] {
            let kek = rsa::PrivateKey::generate(size, rsa::EXPONENT).unwrap();
            let (n, e) = kek.public();
            let key = ec::PrivateKey::generate(ec::Curve::P384).to_pkcs8();
            assert!(is_private_key(&key));
            let blob = wrap(&rsa::spki_der(n, e), &key).unwrap();
            let (head, tail) = blob.split_at(size.modulus_len());
            assert_eq!(*unwrap_padded(&kek.decrypt(Scheme::OaepSha1, head).unwrap(), tail).unwrap(), *key);
        }
    }

    #[test]
    fn a_key_exchange_key_of_another_kind_is_refused() {
        let ec = ec::PrivateKey::generate(ec::Curve::P256);
        let (x, y) = ec.public();
        assert_eq!(wrap(&ec::spki_der(ec::Curve::P256, x, y), &[7; 32]), Err(NotWrapped::Kek));
        assert!(!is_private_key(&[7; 32]));
    }
}
