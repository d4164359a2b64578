//! The RSA key in an X.509 certificate (RFC 5280), of which nothing else is believed or checked here; and a certificate
//! of one's own key.

mod ffi;

use crate::rsa::{Padding, PrivateKey};
use crate::{CryptoError, Hash, der, random, rsa, sha256};

/// Longest certificate, in bytes.
pub const MAX_CERTIFICATE: usize = 16 << 10;

/// Modulus and exponent, big-endian without leading zeros, of the key in a certificate (DER, and nothing after it).
/// `None` if this is none, or its key is not RSA.
pub fn rsa_key(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if certificate.len() > MAX_CERTIFICATE || !der::is_one_sequence(certificate) {
        return None;
    }
    let public = ffi::rsa_key(certificate)?;
    der::two_unsigned(&public).map(|(n, e)| (n.to_vec(), e.to_vec()))
}

/// A certificate (X.509 version 3, DER) of a key that signs it itself, for clients that take a key in no other form. It
/// has no extension and no end (RFC 5280, 4.1.2.5): only that the key is in it means anything.
pub fn self_signed(key: &PrivateKey, common_name: &str) -> Result<Vec<u8>, CryptoError> {
    // sha256WithRSAEncryption 1.2.840.113549.1.1.11, with NULL parameters.
    const ALGORITHM: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 0x05, 0];
    // id-at-commonName 2.5.4.3.
    const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 4, 3];
    let (n, e) = key.public();
    let version = der::element(0xa0, &[&der::unsigned(&[2])]);
    let serial = der::unsigned(&random::<16>());
    let algorithm = der::sequence(&[ALGORITHM]);
    let attribute = der::sequence(&[COMMON_NAME, &der::element(0x0c, &[common_name.as_bytes()])]);
    let name = der::sequence(&[&der::element(0x31, &[&attribute])]);
    let validity =
        der::sequence(&[&der::element(0x17, &[b"200101000000Z"]), &der::element(0x18, &[b"99991231235959Z"])]);
    let public = rsa::spki_der(n, e);
    let signed = der::sequence(&[&version, &serial, &algorithm, &name, &validity, &name, &public]);
    let signature = key.sign_digest(Padding::Pkcs1, Hash::Sha256, &sha256(&[&signed]))?;
    Ok(der::sequence(&[&signed, &algorithm, &der::bits(&signature)]))
}

#[cfg(test)]
mod tests;
