//! Private keys that were made elsewhere, so that their secret numbers are known.

use super::b64;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa;
use serde_json::{Value, json};

/// RFC 7515, appendix A.3.1.
pub(crate) fn ec_key() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" })
}

/// A new RSA key as a JWK: the integers of its RSAPrivateKey (RFC 8017, appendix A.1.2).
pub(crate) fn rsa_key() -> Value {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let start = der.as_ref().windows(5).position(|w| w == [2, 1, 0, 2, 0x82]).unwrap();
    let (mut rest, mut numbers) = (&der.as_ref()[start + 3..], Vec::new());
    while let [2, len, ..] = *rest {
        let (head, len) = match len {
            0x82 => (4, usize::from(rest[2]) << 8 | usize::from(rest[3])),
            0x81 => (3, usize::from(rest[2])),
            len => (2, usize::from(len)),
        };
        let number = &rest[head..head + len];
        numbers.push(b64(number.strip_prefix(&[0]).unwrap_or(number)));
        rest = &rest[head + len..];
    }
    let [n, e, d, p, q, dp, dq, qi] = &numbers[..] else { panic!("{} numbers", numbers.len()) };
    json!({ "kty": "RSA", "n": n, "e": e, "d": d, "p": p, "q": q, "dp": dp, "dq": dq, "qi": qi })
}
