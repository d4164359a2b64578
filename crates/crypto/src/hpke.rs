//! HPKE (RFC 9180), base mode, one message a key: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

mod ffi;

use crate::sure;
use zeroize::Zeroizing;

/// Bytes of a key, and of the encapsulated key before each ciphertext.
pub const KEY_LEN: usize = 32;

/// By how much what is sealed is longer than what was: encapsulated key and tag.
pub const OVERHEAD: usize = 48;

/// A new key pair: private (32 random bytes), public (X25519, RFC 7748).
pub fn generate() -> (Zeroizing<[u8; KEY_LEN]>, [u8; KEY_LEN]) {
    let key = ffi::Key::generate();
    sure(key.and_then(|key| Some((key.private()?, key.public()?))).ok_or(()))
}

/// The public half of a private key. `None` only if the library has no memory.
pub fn public_of(private: &[u8; KEY_LEN]) -> Option<[u8; KEY_LEN]> {
    ffi::Key::from_private(private)?.public()
}

/// Seals to a public key: encapsulated key (32 bytes) | ciphertext | tag (16 bytes). `None` if the public key is of
/// small order, so that no secret can be agreed with it.
pub fn seal(public: &[u8; KEY_LEN], info: &[u8], aad: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    ffi::seal(public, info, aad, plain)
}

/// Opens what [`seal`] wrote with the same info and associated data. `None` if anything differs.
pub fn open(private: &[u8; KEY_LEN], info: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (enc, cipher) = sealed.split_first_chunk()?;
    ffi::open(&ffi::Key::from_private(private)?, enc, info, aad, cipher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_to_a_key_opens_with_it_and_nothing_else_does() {
        let (private, public) = generate();
        assert_eq!(public_of(&private), Some(public));
        let sealed = seal(&public, b"info", b"aad", b"plain").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD);
        assert_eq!(open(&private, b"info", b"aad", &sealed).unwrap().as_slice(), b"plain");
        assert!(open(&private, b"other", b"aad", &sealed).is_none());
        assert!(open(&private, b"info", b"other", &sealed).is_none());
        assert!(open(&generate().0, b"info", b"aad", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&private, b"info", b"aad", &changed).is_none(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(open(&private, b"info", b"aad", &sealed[..length]).is_none(), "length {length}");
        }
    }

    #[test]
    fn an_empty_message_is_sealed_and_opened() {
        let (private, public) = generate();
        let sealed = seal(&public, b"", b"", b"").unwrap();
        assert_eq!(sealed.len(), OVERHEAD);
        assert!(open(&private, b"", b"", &sealed).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_sealed_to_a_point_of_small_order() {
        assert!(seal(&[0; 32], b"", b"", b"plain").is_none());
    }
}
