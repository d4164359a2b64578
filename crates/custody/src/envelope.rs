//! Encrypted values as Managed HSM's security domain has them: JWE with A256CBC-HS512 under a key that is derived from
//! a master key, or under a fresh one that is encrypted to an RSA key by OAEP with SHA-256.

use crate::shares::Master;
use keystead_crypto::aes::cbc_hmac::{self, Encrypted};
use keystead_crypto::kbkdf::counter_hmac_sha512;
use keystead_crypto::rsa::{self, Scheme};
use keystead_crypto::{CryptoError, random};
use keystead_formats::jwe::{Alg, Body, Jwe, Protected};
use zeroize::Zeroizing;

type Key = [u8; cbc_hmac::KEY_LEN];

/// What Managed HSM's tools write for the key of what is wrapped.
const NO_KID: &str = "not used";

/// Encrypts a datum under the key of its tag.
pub(crate) fn seal_datum(master: &Master, tag: &str, plain: &[u8]) -> Result<Jwe, CryptoError> {
    let key = key_of(master, tag)?;
    seal(&key, Protected::new(Alg::Dir, tag), Vec::new(), plain)
}

/// Decrypts a datum. `None` if anything is wrong with it.
pub(crate) fn open_datum(master: &Master, tag: &str, value: &Jwe) -> Option<Zeroizing<Vec<u8>>> {
    let key = key_of(master, tag).ok()?;
    open(&key, value)
}

/// Encrypts to an RSA key (modulus and exponent, big-endian).
pub(crate) fn seal_to(n: &[u8], e: &[u8], plain: &[u8]) -> Result<Jwe, CryptoError> {
    let key: Zeroizing<Key> = Zeroizing::new(random());
    let encrypted_key = rsa::encrypt_to(n, e, Scheme::OaepSha256, key.as_slice())?;
    seal(&key, Protected::new(Alg::RsaOaep256, NO_KID), encrypted_key, plain)
}

/// Decrypts what was encrypted to an RSA key, of which the caller does the work: RSAES-OAEP with SHA-256. `None` if
/// anything is wrong.
pub(crate) fn open_with(
    value: &Jwe,
    decrypt: impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
) -> Option<Zeroizing<Vec<u8>>> {
    let opened = decrypt(&value.body().encrypted_key)?;
    let mut key = Zeroizing::new([0; cbc_hmac::KEY_LEN]);
    if opened.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&opened);
    open(&key, value)
}

fn key_of(master: &Master, tag: &str) -> Result<Zeroizing<Key>, CryptoError> {
    counter_hmac_sha512(master.as_slice(), tag.as_bytes(), b"")
}

fn seal(key: &Key, protected: Protected, encrypted_key: Vec<u8>, plain: &[u8]) -> Result<Jwe, CryptoError> {
    let Encrypted { iv, ciphertext, tag } = cbc_hmac::encrypt(key, protected.aad(), plain)?;
    Ok(Jwe::new(protected, Body { encrypted_key, iv, ciphertext, tag }))
}

fn open(key: &Key, value: &Jwe) -> Option<Zeroizing<Vec<u8>>> {
    let Body { iv, ciphertext, tag, .. } = value.body().clone();
    cbc_hmac::decrypt(key, value.aad(), &Encrypted { iv, ciphertext, tag }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datum_opens_under_its_master_key_and_tag_only() {
        let (master, other) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let value = seal_datum(&master, "tag", b"plain").unwrap();
        assert_eq!(open_datum(&master, "tag", &value).unwrap().as_slice(), b"plain");
        assert!(open_datum(&other, "tag", &value).is_none() && open_datum(&master, "tah", &value).is_none());
        // Its header is bound, whatever it says of the key.
        let moved = Jwe::new(Protected::new(Alg::Dir, "tah"), value.body().clone());
        assert!(open_datum(&master, "tag", &moved).is_none());
    }

    #[test]
    fn what_was_encrypted_to_a_key_opens_with_it_only() {
        let [key, other] = [(); 2].map(|()| rsa::PrivateKey::generate(rsa::Size::Bits2048, rsa::EXPONENT).unwrap());
        let (n, e) = key.public();
        let value = seal_to(n, e, b"plain").unwrap();
        let open = |key: &rsa::PrivateKey| open_with(&value, |cipher| key.decrypt(Scheme::OaepSha256, cipher).ok());
        assert_eq!(open(&key).unwrap().as_slice(), b"plain");
        assert!(open(&other).is_none());
        assert!(open_with(&value, |_| Some(Zeroizing::new(vec![0; 63]))).is_none());
        assert_eq!(seal_to(&n[..255], e, b"plain").err(), Some(CryptoError::BadKey));
    }
}
