//! Entry points for fuzzing: each takes any bytes and must return.

use crate::sealed::{Binding, Sealer, Usage, generation_of};
use crate::{hpke, p256, rsa};

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
    drop(p256::PrivateKey::from_pkcs8(bytes));
    drop(rsa::PrivateKey::from_pkcs8(bytes));
}

/// Public keys and signatures; the first byte says where to cut.
pub fn verify(bytes: &[u8]) {
    let at = bytes.first().map_or(0, |first| usize::from(*first)).min(bytes.len());
    let (a, b) = bytes.split_at(at);
    for padding in [rsa::Padding::Pkcs1, rsa::Padding::Pss] {
        rsa::verify_digest(a, &[1, 0, 1], padding, &[0; 32], b);
    }
    rsa::verify_digest(b, a, rsa::Padding::Pss, &[0; 32], a);
    if let Some((x, rest)) = bytes.split_first_chunk() {
        p256::verify_digest(x, rest.first_chunk().unwrap_or(&[0; 32]), &[0; 32], rest);
        crate::ed25519::verify(x, b, rest);
    }
}
