//! Requests to use a key.

use super::{MAX_CIPHERTEXT, Text, binary, bounded, json, key_ref, required};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{Decrypt, Encrypt, Sign, UnwrapKey, Verify, WrapKey};
use keystead_model::{CipherAlgorithm, CipherMode, KeyOperation, KeyRef, SignAlgorithm};
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
    SignAlgorithm::from_wire(&alg.0).ok_or_else(|| unsupported(&alg, SIGN))
}

const SIGN: &str = "ES256, ES384, ES512, ES256K, RS256, RS384, RS512, PS256, PS384, PS512, HS256, HS384, HS512";
const ENCRYPT: &str = "RSA-OAEP-256, RSA-OAEP, RSA1_5, A128GCM, A192GCM, A256GCM, A128CBC, A192CBC, A256CBC, \
                       A128CBCPAD, A192CBCPAD, A256CBCPAD, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD";
const WRAP: &str = "RSA-OAEP-256, RSA-OAEP, RSA1_5, A128KW, A192KW, A256KW, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, \
                    A128GCM, A192GCM, A256GCM";

fn unsupported(alg: &Text<'_>, supported: &'static str) -> BadParameter {
    BadParameter::Unsupported { what: "alg", given: Shown::of(&alg.0), supported }
}

/// `POST /keys/{name}/{version?}/encrypt`
pub fn encrypt(parts: &Parts<'_>) -> Result<Encrypt, BadParameter> {
    let Sealing { key, algorithm, plaintext, iv, aad } = sealing(parts, KeyOperation::Encrypt)?;
    Ok(Encrypt { key, algorithm, plaintext, iv, aad })
}

/// `POST /keys/{name}/{version?}/wrapkey`
pub fn wrap(parts: &Parts<'_>) -> Result<WrapKey, BadParameter> {
    let Sealing { key, algorithm, plaintext, iv, aad } = sealing(parts, KeyOperation::WrapKey)?;
    Ok(WrapKey { key, algorithm, plaintext, iv, aad })
}

/// `POST /keys/{name}/{version?}/decrypt`
pub fn decrypt(parts: &Parts<'_>) -> Result<Decrypt, BadParameter> {
    let Opening { key, algorithm, ciphertext, iv, tag, aad } = opening(parts, KeyOperation::Decrypt)?;
    Ok(Decrypt { key, algorithm, ciphertext, iv, tag, aad })
}

/// `POST /keys/{name}/{version?}/unwrapkey`
pub fn unwrap(parts: &Parts<'_>) -> Result<UnwrapKey, BadParameter> {
    let Opening { key, algorithm, ciphertext, iv, tag, aad } = opening(parts, KeyOperation::UnwrapKey)?;
    Ok(UnwrapKey { key, algorithm, ciphertext, iv, tag, aad })
}

struct Sealing {
    key: KeyRef,
    algorithm: CipherAlgorithm,
    plaintext: Zeroizing<Vec<u8>>,
    iv: Option<Vec<u8>>,
    aad: Vec<u8>,
}

/// With AES-CBC the caller gives the initialisation vector. With AES-GCM one of the caller's is refused: a repeated one
/// would betray the key.
fn sealing(parts: &Parts<'_>, op: KeyOperation) -> Result<Sealing, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = cipher(body.alg, op)?;
    absent(body.tag, "tag", "the tag is a result of encryption")?;
    let iv = match algorithm.mode() {
        CipherMode::Cbc | CipherMode::CbcPad => Some(binary(&required(body.iv, "iv")?, "iv")?),
        CipherMode::Gcm => none(body.iv, "iv", "this server makes the nonce of each encryption")?,
        _ => none(body.iv, "iv", "the algorithm has none")?,
    };
    let plaintext = Zeroizing::new(binary(&required(body.value, "value")?, "value")?);
    Ok(Sealing { key, algorithm, plaintext, iv, aad: additional(body.aad, algorithm)? })
}

struct Opening {
    key: KeyRef,
    algorithm: CipherAlgorithm,
    ciphertext: Vec<u8>,
    iv: Option<Vec<u8>>,
    tag: Option<Vec<u8>>,
    aad: Vec<u8>,
}

fn opening(parts: &Parts<'_>, op: KeyOperation) -> Result<Opening, BadParameter> {
    let key = key_ref(parts)?;
    let body: Body<'_> = json(parts)?;
    let algorithm = cipher(body.alg, op)?;
    let given = |text: Option<Text<'_>>, what| binary(&required(text, what)?, what).map(Some);
    let (iv, tag) = match algorithm.mode() {
        CipherMode::Gcm => (given(body.iv, "iv")?, given(body.tag, "tag")?),
        CipherMode::Cbc | CipherMode::CbcPad => {
            (given(body.iv, "iv")?, none(body.tag, "tag", "the algorithm has none")?)
        }
        _ => (none(body.iv, "iv", "the algorithm has none")?, none(body.tag, "tag", "the algorithm has none")?),
    };
    let ciphertext = bounded(&required(body.value, "value")?, "value", MAX_CIPHERTEXT)?;
    Ok(Opening { key, algorithm, ciphertext, iv, tag, aad: additional(body.aad, algorithm)? })
}

fn cipher(alg: Option<Text<'_>>, op: KeyOperation) -> Result<CipherAlgorithm, BadParameter> {
    let alg = required(alg, "alg")?;
    let supported = if matches!(op, KeyOperation::Encrypt | KeyOperation::Decrypt) { ENCRYPT } else { WRAP };
    CipherAlgorithm::from_wire(&alg.0).filter(|known| known.serves(op)).ok_or_else(|| unsupported(&alg, supported))
}

/// Additional data that an algorithm would not authenticate is refused, not dropped; but clients send some along with
/// AES-CBC, which has to be left aside.
fn additional(aad: Option<Text<'_>>, algorithm: CipherAlgorithm) -> Result<Vec<u8>, BadParameter> {
    match algorithm.mode() {
        CipherMode::Gcm => aad.map_or(Ok(Vec::new()), |text| binary(&text, "aad")),
        CipherMode::Cbc | CipherMode::CbcPad => Ok(Vec::new()),
        _ => absent(aad, "aad", "the algorithm does not authenticate additional data").map(|()| Vec::new()),
    }
}

fn none(given: Option<Text<'_>>, what: &'static str, why: &'static str) -> Result<Option<Vec<u8>>, BadParameter> {
    absent(given, what, why).map(|()| None)
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
        for alg in ["es256", "ES224", "RSNULL", "none", "A256GCM", ""] {
            let body = format!(r#"{{"alg":"{alg}","value":"AA"}}"#);
            assert!(matches!(of(&body, sign), Err(BadParameter::Unsupported { .. })), "{alg}");
        }
        assert!(of(r#"{"alg":"ES256","value":"AA\/+"}"#, sign).is_ok(), "escaped standard alphabet");
    }

    #[test]
    fn cbc_takes_the_callers_vector_and_leaves_additional_data_aside() {
        for alg in ["A128CBC", "A192CBCPAD", "A256CBC"] {
            let body = format!(r#"{{"alg":"{alg}","value":"AA","iv":"AQ","aad":"*not read*"}}"#);
            let ask = of(&body, encrypt).unwrap();
            assert_eq!((ask.iv, ask.aad), (Some(vec![1]), vec![]));
            let ask = of(&body, decrypt).unwrap();
            assert_eq!((ask.iv, ask.tag, ask.aad), (Some(vec![1]), None, vec![]));
            let bare = format!(r#"{{"alg":"{alg}","value":"AA"}}"#);
            assert!(matches!(of(&bare, encrypt), Err(BadParameter::Missing { what: "iv" })));
            assert!(matches!(of(&bare, decrypt), Err(BadParameter::Missing { what: "iv" })));
            assert!(of(&body, wrap).is_err() && of(&body, unwrap).is_err(), "it does not wrap keys");
            let tagged = format!(r#"{{"alg":"{alg}","value":"AA","iv":"AQ","tag":"AA"}}"#);
            assert!(of(&tagged, encrypt).is_err() && of(&tagged, decrypt).is_err());
        }
    }

    #[test]
    fn key_wrap_takes_neither_vector_nor_tag_nor_additional_data() {
        for alg in ["A128KW", "CKM_AES_KEY_WRAP", "CKM_AES_KEY_WRAP_PAD", "RSA1_5", "RSA-OAEP"] {
            assert!(of(&format!(r#"{{"alg":"{alg}","value":"AA"}}"#), unwrap).is_ok());
            for member in ["iv", "tag", "aad"] {
                let body = format!(r#"{{"alg":"{alg}","value":"AA","{member}":"AA"}}"#);
                assert!(of(&body, wrap).is_err() && of(&body, unwrap).is_err(), "{body}");
            }
        }
    }

    #[test]
    fn the_algorithms_that_errors_name_are_those_that_are_served() {
        let names = |list: &str| {
            let mut names: Vec<_> = list.split(", ").map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        let serving = |op| {
            let all = CipherAlgorithm::ALL.iter().filter(|alg| alg.serves(op)).map(|alg| alg.wire());
            names(&all.collect::<Vec<_>>().join(", "))
        };
        assert_eq!(names(SIGN), names(&SignAlgorithm::ALL.iter().map(|a| a.wire()).collect::<Vec<_>>().join(", ")));
        assert_eq!((names(ENCRYPT), names(WRAP)), (serving(KeyOperation::Encrypt), serving(KeyOperation::WrapKey)));
        assert_eq!((names(ENCRYPT), names(WRAP)), (serving(KeyOperation::Decrypt), serving(KeyOperation::UnwrapKey)));
    }
}
