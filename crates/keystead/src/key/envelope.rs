//! What an encryption leaves behind: one JSON file that holds all that decrypting needs but the key.

use super::words::{base64, key_ref};
use crate::exit::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_client::Ciphertext;
use keystead_model::{CipherAlgorithm, KeyRef};
use serde::{Deserialize, Serialize};

/// The file. Binary members are base64url without padding.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    kid: String,
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aad: Option<String>,
    value: String,
    /// Where the encryption is recorded. Decrypting does not need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

/// An envelope, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) key: KeyRef,
    pub(crate) alg: CipherAlgorithm,
    pub(crate) iv: Option<Vec<u8>>,
    pub(crate) tag: Option<Vec<u8>>,
    pub(crate) aad: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
}

impl Envelope {
    pub(crate) fn new(made: &Ciphertext, alg: CipherAlgorithm, aad: Option<&[u8]>, receipt: Option<String>) -> Self {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Self {
            kid: made.kid.clone(),
            alg: alg.wire().to_owned(),
            iv: made.iv.as_deref().map(text),
            tag: made.tag.as_deref().map(text),
            aad: aad.map(text),
            value: text(&made.value),
            receipt,
        }
    }
}

/// Reads an envelope; the error says which member is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Result<Contents, Failure> {
    let bad = |what: &str| Failure::usage(format!("this is not a file that encrypt or wrap wrote: {what}"));
    let file: Envelope = serde_json::from_slice(bytes).map_err(|e| bad(&e.to_string()))?;
    let binary = |text: Option<String>, what: &str| match text {
        None => Ok(None),
        Some(text) => base64(&text).map(Some).ok_or_else(|| bad(&format!("{what} is not base64url"))),
    };
    Ok(Contents {
        key: key_ref(&file.kid).map_err(|_| bad("kid is not a key's"))?,
        alg: CipherAlgorithm::from_wire(&file.alg).ok_or_else(|| bad("alg is not one of this release's"))?,
        iv: binary(file.iv, "iv")?,
        tag: binary(file.tag, "tag")?,
        aad: binary(file.aad, "aad")?,
        value: binary(Some(file.value), "value")?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Ciphertext {
        let kid = format!("https://h:1/keys/a/{}", "0f".repeat(16));
        Ciphertext { kid, value: vec![1, 2], iv: Some(vec![3; 12]), tag: Some(vec![4; 16]) }
    }

    #[test]
    fn an_envelope_reads_as_it_was_written() {
        let file = Envelope::new(&made(), CipherAlgorithm::A256Gcm, Some(b"about"), Some("1.x".to_owned()));
        let read = parse(&serde_json::to_vec(&file).unwrap()).ok().unwrap();
        assert_eq!((read.key.name.as_str(), read.key.version.is_some()), ("a", true));
        assert_eq!((read.alg, read.value), (CipherAlgorithm::A256Gcm, vec![1, 2]));
        assert_eq!((read.iv, read.tag, read.aad), (Some(vec![3; 12]), Some(vec![4; 16]), Some(b"about".to_vec())));
    }

    #[test]
    fn absent_members_are_not_written() {
        let rsa = Ciphertext { iv: None, tag: None, ..made() };
        let text = serde_json::to_string(&Envelope::new(&rsa, CipherAlgorithm::RsaOaep256, None, None)).unwrap();
        assert!(!text.contains("iv") && !text.contains("aad") && !text.contains("receipt"), "{text}");
    }

    #[test]
    fn no_input_panics_and_what_is_no_envelope_is_refused() {
        let good = serde_json::to_vec(&Envelope::new(&made(), CipherAlgorithm::A256Gcm, None, None)).unwrap();
        assert!(parse(b"").is_err() && parse(b"{}").is_err());
        let mut seed = 1u32;
        for _ in 0..3000 {
            let mut other = good.clone();
            for _ in 0..2 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % other.len();
                other[at] = (seed >> 24) as u8;
            }
            let _ = parse(&other);
        }
    }
}
