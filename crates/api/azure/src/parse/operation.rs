//! Requests to use a key.

use super::{Text, binary, json, key_ref, required};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{Decrypt, Encrypt, Sign, UnwrapKey, Verify, WrapKey};
use keystead_model::{CipherAlgorithm, KeyRef, SignAlgorithm};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    alg: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    digest: Option<Text<'a>>,
    #[serde(borrow)]
    iv: Option<Text<'a>>,
    #[serde(borrow)]
    tag: Option<Text<'a>>,
    #[serde(borrow)]
    aad: Option<Text<'a>>,
}

/// `POST /keys/{name}/{version?}/sign`
pub fn sign(parts: &Parts<'_>) -> Result<Sign, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = signing(body.alg)?;
    Ok(Sign { key, algorithm, digest: binary(&required(body.value, "value")?, "value")? })
}

/// `POST /keys/{name}/{version?}/verify`
pub fn verify(parts: &Parts<'_>) -> Result<Verify, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = signing(body.alg)?;
    let digest = binary(&required(body.digest, "digest")?, "digest")?;
    Ok(Verify { key, algorithm, digest, signature: binary(&required(body.value, "value")?, "value")? })
}

fn signing(alg: Option<Text<'_>>) -> Result<SignAlgorithm, BadParameter> {
    let alg = required(alg, "alg")?;
    SignAlgorithm::from_wire(&alg.0).ok_or_else(|| BadParameter::Unsupported {
        what: "alg",
        given: Shown::of(&alg.0),
        supported: "ES256, RS256, PS256",
    })
}

/// `POST /keys/{name}/{version?}/encrypt`
pub fn encrypt(parts: &Parts<'_>) -> Result<Encrypt, BadParameter> {
    let Sealing { key, algorithm, plaintext, aad } = sealing(parts)?;
    Ok(Encrypt { key, algorithm, plaintext, aad })
}

/// `POST /keys/{name}/{version?}/wrapkey`
pub fn wrap(parts: &Parts<'_>) -> Result<WrapKey, BadParameter> {
    let Sealing { key, algorithm, plaintext, aad } = sealing(parts)?;
    Ok(WrapKey { key, algorithm, plaintext, aad })
}

/// `POST /keys/{name}/{version?}/decrypt`
pub fn decrypt(parts: &Parts<'_>) -> Result<Decrypt, BadParameter> {
    let Opening { key, algorithm, ciphertext, iv, tag, aad } = opening(parts)?;
    Ok(Decrypt { key, algorithm, ciphertext, iv, tag, aad })
}

/// `POST /keys/{name}/{version?}/unwrapkey`
pub fn unwrap(parts: &Parts<'_>) -> Result<UnwrapKey, BadParameter> {
    let Opening { key, algorithm, ciphertext, iv, tag, aad } = opening(parts)?;
    Ok(UnwrapKey { key, algorithm, ciphertext, iv, tag, aad })
}

struct Sealing {
    key: KeyRef,
    algorithm: CipherAlgorithm,
    plaintext: Zeroizing<Vec<u8>>,
    aad: Vec<u8>,
}

/// An iv of the caller's is refused: with AES-GCM a repeated one would betray the key.
fn sealing(parts: &Parts<'_>) -> Result<Sealing, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = cipher(body.alg)?;
    absent(body.iv, "iv", "this server makes the nonce of each encryption")?;
    absent(body.tag, "tag", "the tag is a result of encryption")?;
    let plaintext = Zeroizing::new(binary(&required(body.value, "value")?, "value")?);
    Ok(Sealing { key, algorithm, plaintext, aad: additional(body.aad, algorithm)? })
}

struct Opening {
    key: KeyRef,
    algorithm: CipherAlgorithm,
    ciphertext: Vec<u8>,
    iv: Option<Vec<u8>>,
    tag: Option<Vec<u8>>,
    aad: Vec<u8>,
}

fn opening(parts: &Parts<'_>) -> Result<Opening, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = cipher(body.alg)?;
    let (iv, tag) = match algorithm {
        CipherAlgorithm::A256Gcm => {
            let (iv, tag) = (required(body.iv, "iv")?, required(body.tag, "tag")?);
            (Some(binary(&iv, "iv")?), Some(binary(&tag, "tag")?))
        }
        CipherAlgorithm::RsaOaep256 => {
            absent(body.iv, "iv", "RSA-OAEP-256 has none")?;
            absent(body.tag, "tag", "RSA-OAEP-256 has none")?;
            (None, None)
        }
    };
    let ciphertext = binary(&required(body.value, "value")?, "value")?;
    Ok(Opening { key, algorithm, ciphertext, iv, tag, aad: additional(body.aad, algorithm)? })
}

fn cipher(alg: Option<Text<'_>>) -> Result<CipherAlgorithm, BadParameter> {
    let alg = required(alg, "alg")?;
    CipherAlgorithm::from_wire(&alg.0).ok_or_else(|| BadParameter::Unsupported {
        what: "alg",
        given: Shown::of(&alg.0),
        supported: "RSA-OAEP-256, A256GCM",
    })
}

/// Additional data that an algorithm would not authenticate is refused, not dropped.
fn additional(aad: Option<Text<'_>>, algorithm: CipherAlgorithm) -> Result<Vec<u8>, BadParameter> {
    match algorithm {
        CipherAlgorithm::A256Gcm => aad.map_or(Ok(Vec::new()), |text| binary(&text, "aad")),
        CipherAlgorithm::RsaOaep256 => {
            absent(aad, "aad", "RSA-OAEP-256 does not authenticate additional data").map(|()| Vec::new())
        }
    }
}

/// An empty value is an absent one.
fn absent(given: Option<Text<'_>>, what: &'static str, why: &'static str) -> Result<(), BadParameter> {
    match given {
        Some(text) if !text.0.is_empty() => Err(BadParameter::NotAllowed { what, why }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    fn of<T>(body: &str, parse: fn(&Parts<'_>) -> Result<T, BadParameter>) -> Result<T, BadParameter> {
        parts("/keys/a//op", "/keys/{name}/{version?}/op", body, parse)
    }

    #[test]
    fn a_nonce_of_the_callers_is_refused() {
        let error = of(r#"{"alg":"A256GCM","value":"AA","iv":"AAAAAAAAAAAAAAAA"}"#, encrypt).err().unwrap();
        assert!(error.to_string().contains("iv"));
        assert!(of(r#"{"alg":"A256GCM","value":"AA","iv":null,"aad":"AQ"}"#, encrypt).unwrap().aad == [1]);
    }

    #[test]
    fn opening_gcm_needs_nonce_and_tag() {
        for body in [r#"{"alg":"A256GCM","value":"AA","iv":"AA"}"#, r#"{"alg":"A256GCM","value":"AA","tag":"AA"}"#] {
            assert!(matches!(of(body, decrypt), Err(BadParameter::Missing { .. })), "{body}");
        }
        let ask = of(r#"{"alg":"A256GCM","value":"AA==","iv":"AQ","tag":"Ag","aad":"_-8"}"#, unwrap).unwrap();
        assert_eq!((ask.iv.unwrap(), ask.tag.unwrap(), ask.aad), (vec![1], vec![2], vec![0xff, 0xef]));
    }

    #[test]
    fn additional_data_that_would_be_dropped_is_refused() {
        assert!(of(r#"{"alg":"RSA-OAEP-256","value":"AA","aad":"AA"}"#, wrap).is_err());
        assert!(of(r#"{"alg":"RSA-OAEP-256","value":"AA"}"#, wrap).is_ok());
    }

    #[test]
    fn algorithms_are_compared_exactly() {
        for alg in ["es256", "ES384", "A256GCM", ""] {
            let body = format!(r#"{{"alg":"{alg}","value":"AA"}}"#);
            assert!(matches!(of(&body, sign), Err(BadParameter::Unsupported { .. })), "{alg}");
        }
        assert!(of(r#"{"alg":"ES256","value":"AA\/+"}"#, sign).is_ok(), "escaped standard alphabet");
    }
}
