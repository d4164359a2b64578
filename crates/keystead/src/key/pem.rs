//! A public key as `openssl` reads it: SubjectPublicKeyInfo in PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::{p256, rsa};
use keystead_model::PublicKey;

/// The PEM text. `None` for a symmetric key, which has no public half.
pub(crate) fn public(key: &PublicKey) -> Option<String> {
    der(key).map(|der| block("PUBLIC KEY", &der))
}

/// The same in DER.
pub(crate) fn der(key: &PublicKey) -> Option<Vec<u8>> {
    match key {
        PublicKey::EcP256 { x, y } => Some(p256::spki_der(x, y)),
        PublicKey::Rsa { n, e } => Some(rsa::spki_der(n, e)),
        PublicKey::Symmetric => None,
    }
}

fn block(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_64_characters_and_the_block_its_labels() {
        let (x, y) = p256::PrivateKey::generate().public();
        let text = public(&PublicKey::EcP256 { x, y }).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert!(lines[1..lines.len() - 2].iter().all(|l| l.len() == 64));
        assert_eq!(STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap(), p256::spki_der(&x, &y));
    }

    #[test]
    fn a_symmetric_key_has_none() {
        assert_eq!(public(&PublicKey::Symmetric), None);
    }
}
