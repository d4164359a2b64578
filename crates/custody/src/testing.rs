//! Custodians for tests: RSA keys that OpenSSL made, and their certificates.

use crate::Certificate;
use keystead_crypto::rsa::{PrivateKey, Scheme};
use std::sync::LazyLock;
use zeroize::Zeroizing;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../tests/golden/custodians/", $name)).as_slice()
    };
}

const CERTIFICATES: [&[u8]; 4] =
    [file!("1.certificate.der"), file!("2.certificate.der"), file!("3.certificate.der"), file!("4.certificate.der")];

static KEYS: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| {
    let files = [file!("1.key.der"), file!("2.key.der"), file!("3.key.der"), file!("4.key.der")];
    files.map(|key| PrivateKey::from_pkcs1(key).unwrap()).into()
});

/// The first so many custodians, of four.
pub(crate) fn custodians(many: usize) -> Vec<Certificate> {
    CERTIFICATES[..many].iter().map(|der| Certificate::parse(der).unwrap()).collect()
}

/// The key of one, from 0.
pub(crate) fn custodian_key(at: usize) -> &'static PrivateKey {
    &KEYS[at]
}

/// What opens his share.
pub(crate) fn decrypt_with(at: usize) -> impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>> {
    move |cipher| custodian_key(at).decrypt(Scheme::OaepSha256, cipher).ok()
}
