//! A public key as `openssl` reads it: SubjectPublicKeyInfo in PEM (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::{ec, rsa};
use keystead_model::{Curve, PublicKey};

/// The PEM text. `None` for a symmetric key, which has no public half.
pub(crate) fn public(key: &PublicKey) -> Option<String> {
    der(key).map(|der| block("PUBLIC KEY", &der))
}

/// The same in DER.
pub(crate) fn der(key: &PublicKey) -> Option<Vec<u8>> {
    match key {
        PublicKey::Ec { curve, x, y } => Some(ec::spki_der(curve_of(*curve), x, y)),
        PublicKey::Rsa { n, e } => Some(rsa::spki_der(n, e)),
        PublicKey::Symmetric => None,
    }
}

const fn curve_of(curve: Curve) -> ec::Curve {
    match curve {
        Curve::P256 => ec::Curve::P256,
        Curve::P384 => ec::Curve::P384,
        Curve::P521 => ec::Curve::P521,
        Curve::P256K => ec::Curve::P256K1,
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
        let key = ec::PrivateKey::generate(ec::Curve::P384);
        let (x, y) = key.public();
        let text = public(&PublicKey::Ec { curve: Curve::P384, x: x.to_vec(), y: y.to_vec() }).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert!(lines[1..lines.len() - 2].iter().all(|l| l.len() == 64));
        assert_eq!(STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap(), ec::spki_der(ec::Curve::P384, x, y));
    }

    #[test]
    fn a_symmetric_key_has_none() {
        assert_eq!(public(&PublicKey::Symmetric), None);
    }
}
