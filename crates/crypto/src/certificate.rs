//! The RSA key in an X.509 certificate (RFC 5280). Nothing else in it is believed or checked here.

mod ffi;

use crate::der;

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

#[cfg(test)]
mod tests;
