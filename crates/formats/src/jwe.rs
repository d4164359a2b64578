//! JSON Web Encryption in its compact form (RFC 7516, section 7.1), as far as security domains use it: content
//! encryption `A256CBC-HS512`, and a content key that is agreed (`dir`) or wrapped for an RSA key (`RSA-OAEP-256`).
//!
//! ```text
//! base64url(header) . base64url(encrypted key) . base64url(iv 16) . base64url(ciphertext) . base64url(tag 32)
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How the content key is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alg {
    /// Both sides have it.
    #[serde(rename = "dir")]
    Dir,
    /// Encrypted to an RSA key by OAEP with SHA-256.
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Enc {
    #[serde(rename = "A256CBC-HS512")]
    A256CbcHs512,
}

/// No other member is known, so none can be critical or compress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Alg,
    enc: Enc,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

/// What stands before the ciphertext: its text is the associated data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    header: Header,
    /// As it was encoded by whoever made it.
    text: String,
}

/// What stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The wrapped content key; empty with [`Alg::Dir`].
    pub encrypted_key: Vec<u8>,
    /// The initialisation vector.
    pub iv: [u8; 16],
    /// The ciphertext, of whole blocks.
    pub ciphertext: Vec<u8>,
    /// The tag.
    pub tag: [u8; 32],
}

/// An encrypted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwe {
    protected: Protected,
    body: Body,
}

/// Why a text is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJwe {
    /// Over the bound.
    #[error("an encrypted value has at most 65,536 bytes")]
    TooLarge,
    /// Not five parts of base64url.
    #[error("an encrypted value is five parts of base64url, joined by points: give it as it was made")]
    NotCompact,
    /// The header is not JSON, or has other members, or names another algorithm.
    #[error(
        "the header of an encrypted value has other members than alg, enc and kid, or names another algorithm than dir \
         or RSA-OAEP-256 with A256CBC-HS512"
    )]
    Header,
    /// A part has a length that the algorithm does not give.
    #[error("a part of an encrypted value has a length that its algorithm does not give: it was cut")]
    Length,
}

/// Longest compact form, in bytes.
pub const MAX_JWE: usize = 64 << 10;

/// Lengths of a content key wrapped for RSA of 2,048 to 4,096 bits.
const WRAPPED: std::ops::RangeInclusive<usize> = 256..=512;

impl Protected {
    /// For a value that is to be made. `kid` is free text.
    pub fn new(alg: Alg, kid: &str) -> Self {
        let header = Header { alg, enc: Enc::A256CbcHs512, kid: Some(kid.to_owned()) };
        // Strings and words always serialize.
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default());
        Self { header, text }
    }

    /// The associated data.
    pub fn aad(&self) -> &[u8] {
        self.text.as_bytes()
    }

    fn parse(text: &str) -> Result<Self, BadJwe> {
        let json = decode(text)?;
        let header = serde_json::from_slice(&json).map_err(|_| BadJwe::Header)?;
        Ok(Self { header, text: text.to_owned() })
    }
}

impl Jwe {
    /// Joined from what was encrypted.
    pub const fn new(protected: Protected, body: Body) -> Self {
        Self { protected, body }
    }

    /// Parses a compact form. What is written again is the same text.
    pub fn parse(text: &str) -> Result<Self, BadJwe> {
        if text.len() > MAX_JWE {
            return Err(BadJwe::TooLarge);
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [protected, encrypted_key, iv, ciphertext, tag] = *parts else { return Err(BadJwe::NotCompact) };
        let protected = Protected::parse(protected)?;
        let body = Body {
            encrypted_key: decode(encrypted_key)?,
            iv: fixed(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: fixed(tag)?,
        };
        let wrapped = body.encrypted_key.len();
        let key = match protected.header.alg {
            Alg::Dir => wrapped == 0,
            Alg::RsaOaep256 => WRAPPED.contains(&wrapped),
        };
        let blocks = !body.ciphertext.is_empty() && body.ciphertext.len().is_multiple_of(16);
        if key && blocks { Ok(Self { protected, body }) } else { Err(BadJwe::Length) }
    }

    /// How the content key is given.
    pub const fn alg(&self) -> Alg {
        self.protected.header.alg
    }

    /// The associated data.
    pub fn aad(&self) -> &[u8] {
        self.protected.aad()
    }

    /// All but the header.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The compact form.
    pub fn to_compact(&self) -> String {
        let Body { encrypted_key, iv, ciphertext, tag } = &self.body;
        let parts = [encrypted_key.as_slice(), iv, ciphertext, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
        [self.protected.text.as_str(), &parts.join(".")].join(".")
    }
}

fn decode(part: &str) -> Result<Vec<u8>, BadJwe> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| BadJwe::NotCompact)
}

fn fixed<const N: usize>(part: &str) -> Result<[u8; N], BadJwe> {
    decode(part)?.try_into().map_err(|_| BadJwe::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(alg: Alg) -> Jwe {
        let encrypted_key = if alg == Alg::Dir { Vec::new() } else { vec![1; 256] };
        let body = Body { encrypted_key, iv: [2; 16], ciphertext: vec![3; 32], tag: [4; 32] };
        Jwe::new(Protected::new(alg, "a \"kid\""), body)
    }

    fn with_header(json: &str) -> Result<Jwe, BadJwe> {
        let text = value(Alg::Dir).to_compact();
        let rest = text.split_once('.').unwrap().1;
        Jwe::parse(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(json)))
    }

    #[test]
    fn what_is_written_is_read_again() {
        for alg in [Alg::Dir, Alg::RsaOaep256] {
            let text = value(alg).to_compact();
            assert_eq!(Jwe::parse(&text), Ok(value(alg)));
            assert_eq!((value(alg).alg(), value(alg).aad()), (alg, text.split('.').next().unwrap().as_bytes()));
        }
        let spaced = with_header(r#"{"enc": "A256CBC-HS512", "alg": "dir"}"#).unwrap();
        assert_eq!(Jwe::parse(&spaced.to_compact()), Ok(spaced));
    }

    #[test]
    fn a_header_that_asks_for_anything_else_is_refused() {
        for header in [
            r#"{"alg":"dir","enc":"A256GCM"}"#,
            r#"{"alg":"RSA-OAEP","enc":"A256CBC-HS512"}"#,
            r#"{"alg":"dir"}"#,
            r#"{"alg":"dir","enc":"A256CBC-HS512","zip":"DEF"}"#,
            r#"{"alg":"dir","enc":"A256CBC-HS512","crit":["b64"]}"#,
            r#"{"alg":"dir","alg":"dir","enc":"A256CBC-HS512"}"#,
            r#"["dir"]"#,
            "",
        ] {
            assert_eq!(with_header(header), Err(BadJwe::Header), "{header}");
        }
    }

    #[test]
    fn a_text_of_another_form_is_refused() {
        let text = value(Alg::Dir).to_compact();
        let wrong = BadJwe::NotCompact;
        for other in ["", "....", &text[1..], &format!("{text}."), &format!("{text}="), &text.replace('.', ",")] {
            assert!(matches!(Jwe::parse(other), Err(BadJwe::NotCompact | BadJwe::Header)), "{other}");
        }
        assert_eq!(Jwe::parse(&text.replace("AgIC", "AgI+")), Err(wrong));
        for short in [&text[..text.len() - 3], &text.replacen("..", ".AAAA.", 1), &text.replace("AwMDAwMD", "AwMD")] {
            assert_eq!(Jwe::parse(short), Err(BadJwe::Length), "{short}");
        }
        let rsa = value(Alg::RsaOaep256).to_compact();
        let parts: Vec<&str> = rsa.split('.').collect();
        assert_eq!(Jwe::parse(&[parts[0], "", parts[2], parts[3], parts[4]].join(".")), Err(BadJwe::Length));
        assert_eq!(Jwe::parse(&"a".repeat(MAX_JWE + 1)), Err(BadJwe::TooLarge));
    }
}
