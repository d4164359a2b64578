//! Azure's key transfer blob (`.byok`): a key wrapped for a key exchange key of a vault, as CKM_RSA_AES_KEY_WRAP with
//! SHA-1 wraps it.
//!
//! ```text
//! {"schema_version": "1.0.0",
//!  "header": {"kid": "https://vault/keys/KEK/VERSION", "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
//!  "ciphertext": base64url, "generator": "who made it"}
//! ```
//!
//! Source: "Import HSM-protected keys to Key Vault (BYOK)", BYOK specification, Microsoft.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// A key transfer blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferBlob {
    /// The id of the key exchange key, with its version.
    pub kid: String,
    /// An AES key under the key exchange key, and behind it the wrapped key under that.
    pub ciphertext: Vec<u8>,
    /// Who made it: free text.
    pub generator: String,
}

/// Why a file is no blob of ours to unwrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBlob {
    /// Over the bound.
    #[error("a key transfer blob has at most 16,384 bytes")]
    TooLarge,
    /// Not JSON, or a member is missing or of another type.
    #[error("it is not a key transfer blob: give the whole .byok file, as it was made")]
    NotABlob,
    /// Another major version of the format.
    #[error("its schema_version is not 1.0: make it again with a tool that writes 1.0.0")]
    Schema,
    /// Another way of wrapping.
    #[error("its header names another way of wrapping: alg must be dir and enc CKM_RSA_AES_KEY_WRAP")]
    Wrapping,
    /// The ciphertext is not base64url.
    #[error("its ciphertext is not base64url")]
    NotBase64,
    /// The id names no key version.
    #[error("its kid is not the id of a key version: https://vault/keys/NAME/VERSION")]
    Kid,
}

/// Longest file, in bytes.
pub const MAX_BLOB: usize = 16 << 10;
const ALG: &str = "dir";
const ENC: &str = "CKM_RSA_AES_KEY_WRAP";

#[derive(Serialize, Deserialize)]
struct Document {
    schema_version: String,
    header: Header,
    ciphertext: String,
    #[serde(default)]
    generator: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    kid: String,
    alg: String,
    enc: String,
}

impl TransferBlob {
    /// Parses a file. More members, padding and the standard alphabet are tolerated, as by the service.
    pub fn parse(file: &[u8]) -> Result<Self, BadBlob> {
        if file.len() > MAX_BLOB {
            return Err(BadBlob::TooLarge);
        }
        let document: Document = serde_json::from_slice(file).map_err(|_| BadBlob::NotABlob)?;
        if !matches!(&*document.schema_version, "1.0.0" | "1.0") {
            return Err(BadBlob::Schema);
        }
        if (&*document.header.alg, &*document.header.enc) != (ALG, ENC) {
            return Err(BadBlob::Wrapping);
        }
        let ciphertext = decode(&document.ciphertext).ok_or(BadBlob::NotBase64)?;
        Ok(Self { kid: document.header.kid, ciphertext, generator: document.generator })
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let document = Document {
            schema_version: "1.0.0".to_owned(),
            header: Header { kid: self.kid.clone(), alg: ALG.to_owned(), enc: ENC.to_owned() },
            ciphertext: URL_SAFE_NO_PAD.encode(&self.ciphertext),
            generator: self.generator.clone(),
        };
        // Strings always serialize.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = text.bytes().any(|b| matches!(b, b'+' | b'/'));
    let alphabet = if standard { &STANDARD } else { &URL_SAFE };
    GeneralPurpose::new(alphabet, lenient).decode(text).ok()
}

/// The key and the version that an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KekId<'a> {
    /// The key's name.
    pub name: &'a str,
    /// 32 hexadecimal digits.
    pub version: &'a str,
}

impl<'a> KekId<'a> {
    /// The last two parts of the id. The host is not looked at: a version is random, so no other vault has it.
    pub fn parse(kid: &'a str) -> Result<Self, BadBlob> {
        let path = kid.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or(BadBlob::Kid)?.1;
        match *path.trim_end_matches('/').split('/').collect::<Vec<_>>() {
            ["keys", name, version] if !name.is_empty() && is_version(version) => Ok(Self { name, version }),
            _ => Err(BadBlob::Kid),
        }
    }
}

fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob() -> TransferBlob {
        let kid = format!("https://pay.vault.example/keys/kek/{}", "0a".repeat(16));
        TransferBlob { kid, ciphertext: vec![0xfb, 0xff, 1], generator: "a tool".to_owned() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(TransferBlob::parse(blob().to_json().as_bytes()), Ok(blob()));
        let id = blob().kid;
        let version = "0a".repeat(16);
        assert_eq!(KekId::parse(&id), Ok(KekId { name: "kek", version: &version }));
    }

    #[test]
    fn the_spellings_of_other_tools_are_read() {
        let json = blob().to_json();
        for (from, to) in
            [("-_8B", "+/8B"), ("1.0.0", "1.0"), ("\"generator\":\"a tool\"", "\"generator\":\"a tool\",\"more\":[1]")]
        {
            let other = json.replacen(from, to, 1);
            assert_ne!(other, json, "{from}");
            assert_eq!(TransferBlob::parse(other.as_bytes()), Ok(blob()), "{to}");
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let json = blob().to_json();
        for (from, to, why) in [
            ("1.0.0", "2.0.0", BadBlob::Schema),
            ("\"dir\"", "\"RSA-OAEP\"", BadBlob::Wrapping),
            ("CKM_RSA_AES_KEY_WRAP", "CKM_AES_KEY_WRAP", BadBlob::Wrapping),
            ("-_8B", "*", BadBlob::NotBase64),
            ("\"header\"", "\"head\"", BadBlob::NotABlob),
            ("{", "", BadBlob::NotABlob),
        ] {
            assert_eq!(TransferBlob::parse(json.replacen(from, to, 1).as_bytes()), Err(why), "{to}");
        }
        assert_eq!(TransferBlob::parse(&vec![b' '; MAX_BLOB + 1]), Err(BadBlob::TooLarge));
        for kid in ["", "keys/k/1", "https://h/keys/k", "http://h/keys/k/0", "https://h/secrets/k/0", "https://h"] {
            assert_eq!(KekId::parse(kid), Err(BadBlob::Kid), "{kid}");
        }
    }
}
