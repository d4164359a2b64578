//! A256CBC-HS512 (RFC 7518, section 5.2.5): AES-256-CBC, authenticated by HMAC-SHA-512.

use super::{BLOCK, cbc};
use crate::{CryptoError, Hash, hmac, random, same};
use zeroize::Zeroizing;

/// Bytes of a key: the half for HMAC, then that for AES.
pub const KEY_LEN: usize = 64;

/// Bytes of a tag: the first half of the MAC.
pub const TAG_LEN: usize = 32;

/// What was encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The initialisation vector.
    pub iv: [u8; BLOCK],
    /// The ciphertext, of whole blocks.
    pub ciphertext: Vec<u8>,
    /// The tag over associated data, initialisation vector and ciphertext.
    pub tag: [u8; TAG_LEN],
}

/// Encrypts under a fresh random initialisation vector.
pub fn encrypt(key: &[u8; KEY_LEN], aad: &[u8], plain: &[u8]) -> Result<Encrypted, CryptoError> {
    encrypt_with(key, random(), aad, plain)
}

/// Decrypts, if nothing was changed; else [`CryptoError::NotDecrypted`], before anything is decrypted.
pub fn decrypt(key: &[u8; KEY_LEN], aad: &[u8], encrypted: &Encrypted) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (mac_key, aes_key) = halves(key);
    let tag = tag(mac_key, aad, &encrypted.iv, &encrypted.ciphertext)?;
    if !same(&tag, &encrypted.tag) {
        return Err(CryptoError::NotDecrypted);
    }
    cbc::decrypt(aes_key, &encrypted.iv, cbc::Fill::Pkcs7, &encrypted.ciphertext)
}

fn encrypt_with(key: &[u8; KEY_LEN], iv: [u8; BLOCK], aad: &[u8], plain: &[u8]) -> Result<Encrypted, CryptoError> {
    let (mac_key, aes_key) = halves(key);
    let ciphertext = cbc::encrypt(aes_key, &iv, cbc::Fill::Pkcs7, plain)?;
    let tag = tag(mac_key, aad, &iv, &ciphertext)?;
    Ok(Encrypted { iv, ciphertext, tag })
}

fn halves(key: &[u8; KEY_LEN]) -> (&[u8], &[u8]) {
    key.split_at(KEY_LEN / 2)
}

fn tag(key: &[u8], aad: &[u8], iv: &[u8; BLOCK], ciphertext: &[u8]) -> Result<[u8; TAG_LEN], CryptoError> {
    let bits = u64::try_from(aad.len()).ok().and_then(|bytes| bytes.checked_mul(8)).ok_or(CryptoError::BadLength)?;
    let mac = hmac(Hash::Sha512, key, &[aad, iv, ciphertext, &bits.to_be_bytes()].concat());
    mac.first_chunk().copied().ok_or(CryptoError::BadLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518, appendix B.3.
    #[test]
    fn encrypts_as_rfc_7518_does() {
        let key: Vec<u8> = (0..64).collect();
        let iv = hex::decode("1af38c2dc2b96ffdd86694092341bc04").unwrap().try_into().unwrap();
        let plain =
            b"A cipher system must not be required to be secret, and it must be able to fall into the hands of \
                      the enemy without inconvenience";
        let aad = b"The second principle of Auguste Kerckhoffs";
        let ciphertext = "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd\
                          822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b\
                          36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3\
                          a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b\
                          be2638d09dd7a4930930806d0703b1f6";
        let tag = "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5";
        let key = key.try_into().unwrap();
        let made = encrypt_with(&key, iv, aad, plain).unwrap();
        assert_eq!((hex::encode(&made.ciphertext), hex::encode(made.tag)), (ciphertext.to_owned(), tag.to_owned()));
        assert_eq!(decrypt(&key, aad, &made).unwrap().as_slice(), plain);
    }

    #[test]
    fn any_change_is_seen() {
        let key = [7; KEY_LEN];
        let good = encrypt(&key, b"aad", b"plain").unwrap();
        assert_ne!(good, encrypt(&key, b"aad", b"plain").unwrap(), "the same initialisation vector");
        let refused = |aad: &[u8], changed: &Encrypted| {
            assert_eq!(decrypt(&key, aad, changed).err(), Some(CryptoError::NotDecrypted));
        };
        refused(b"aae", &good);
        refused(b"", &good);
        for at in 0..16 {
            let (mut iv, mut ciphertext, mut tag) = (good.clone(), good.clone(), good.clone());
            iv.iv[at] ^= 1;
            ciphertext.ciphertext[at] ^= 1;
            tag.tag[at * 2] ^= 1;
            [iv, ciphertext, tag].iter().for_each(|changed| refused(b"aad", changed));
        }
        refused(b"aad", &Encrypted { ciphertext: Vec::new(), ..good.clone() });
        for half in [0, KEY_LEN / 2] {
            let mut other = key;
            other[half] ^= 1;
            assert!(half != 0 || decrypt(&other, b"aad", &good).is_err());
            assert!(decrypt(&other, b"aad", &good).ok().is_none_or(|plain| plain.as_slice() != b"plain"));
        }
    }
}
