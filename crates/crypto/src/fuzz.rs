//! Entry points for fuzzing: each takes any bytes and must return.

use crate::sealed::{Binding, Sealer, Usage, generation_of};
use crate::{Hash, aes, ec, hpke, rsa, signature};

/// A sealed record, as read from a store.
pub fn sealed(bytes: &[u8]) {
    let place = Binding { vault: [0; 16], kind: 1, object: [0; 16], version: [0; 16], counter: 1 };
    let opened = Sealer::new(&[0; 32], Usage::Records, generation_of(bytes).unwrap_or(1)).open(&place, b"", bytes);
    drop(opened);
}

/// What is sealed to a public key, as read from a store.
pub fn hpke(bytes: &[u8]) {
    drop(hpke::open(&[1; 32], b"", b"", bytes));
}

/// Private keys in PKCS#8.
pub fn pkcs8(bytes: &[u8]) {
    for curve in ec::Curve::ALL {
        drop(ec::PrivateKey::from_pkcs8(*curve, bytes));
    }
    drop(rsa::PrivateKey::from_pkcs8(bytes));
    drop(rsa::PrivateKey::from_pkcs1(bytes));
    drop(signature::PrivateKey::from_pkcs8(bytes));
}

/// A private key in PKCS#8 that is encrypted under a passphrase.
pub fn encrypted_pkcs8(bytes: &[u8]) {
    drop(rsa::PrivateKey::from_encrypted_pkcs8(bytes, b"passphrase"));
    drop(signature::PrivateKey::from_encrypted_pkcs8(bytes, b"passphrase"));
}

/// A public key of an approver, and a signature.
pub fn spki(bytes: &[u8]) {
    if let Some(key) = signature::PublicKey::from_spki(bytes) {
        let _ = key.plain(bytes).map(|plain| key.verify(bytes, &plain));
    }
}

/// A certificate.
pub fn certificate(bytes: &[u8]) {
    drop(crate::certificate::rsa_key(bytes));
}

/// Public keys and signatures; the first byte says where to cut.
pub fn verify(bytes: &[u8]) {
    let at = bytes.first().map_or(0, |first| usize::from(*first)).min(bytes.len());
    let (a, b) = bytes.split_at(at);
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let digest = hash.of(b"");
        rsa::verify_digest(a, &[1, 0, 1], rsa::Padding::Pkcs1, hash, &digest, b);
        rsa::verify_digest(b, a, rsa::Padding::Pss, hash, &digest, a);
    }
    for curve in ec::Curve::ALL {
        let length = curve.field_len();
        let (x, rest) = bytes.split_at(length.min(bytes.len()));
        let (y, signature) = rest.split_at(length.min(rest.len()));
        ec::verify_digest(*curve, x, y, &curve.hash().of(b""), signature);
    }
    if let Some((x, rest)) = bytes.split_first_chunk() {
        crate::ed25519::verify(x, b, rest);
    }
}

/// The numbers of a private key, of equal lengths.
pub fn numbers(bytes: &[u8]) {
    let parts: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(8).max(1)).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let (n, e, d, p, q) = (part(0), &[1, 0, 1], part(1), part(2), part(3));
    drop(rsa::PrivateKey::from_numbers(&rsa::Numbers { n, e, d, p, q, dp: part(4), dq: part(5), qi: part(6) }));
    for curve in ec::Curve::ALL {
        drop(ec::PrivateKey::from_numbers(*curve, part(0), part(1), part(2)));
    }
}

/// What an RSA key is recovered from: four bytes of e, 256 of n, the rest d.
pub fn exponents(bytes: &[u8]) {
    let (e, rest) = bytes.split_at(bytes.len().min(4));
    let (n, d) = rest.split_at(rest.len().min(256));
    drop(rsa::PrivateKey::from_exponents(n, e, d));
}

/// Ciphertexts under a key of each size.
pub fn decrypt(bytes: &[u8]) {
    for key in [&[1; 16][..], &[1; 24], &[1; 32]] {
        drop(aes::wrap::unwrap(key, bytes));
        drop(aes::wrap::unwrap_padded(key, bytes));
        for fill in [aes::cbc::Fill::Zeros, aes::cbc::Fill::Pkcs7] {
            drop(aes::cbc::decrypt(key, &[2; 16], fill, bytes));
        }
    }
    let encrypted = aes::cbc_hmac::Encrypted { iv: [2; 16], ciphertext: bytes.to_vec(), tag: [3; 32] };
    drop(aes::cbc_hmac::decrypt(&[1; 64], bytes, &encrypted));
}
