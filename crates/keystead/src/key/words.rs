//! What is written on the command line: keys, operations, tags, digests.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use keystead_model::{KeyOperation, KeyRef, KeySpec, Name, Version};

/// Either alphabet, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Key kinds as the API writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kty {
    /// NIST P-256: signs
    #[value(name = "EC")]
    Ec,
    /// RSA with 2,048 bits: signs, encrypts, wraps
    #[value(name = "RSA")]
    Rsa,
    /// AES with 256 bits: encrypts, wraps
    #[value(name = "oct")]
    Oct,
}

impl Kty {
    pub(crate) const fn spec(self) -> KeySpec {
        match self {
            Self::Ec => KeySpec::EcP256,
            Self::Rsa => KeySpec::Rsa2048,
            Self::Oct => KeySpec::Oct256,
        }
    }
}

/// The kind of a key from the `kty` that a server gives.
pub(crate) fn spec_of(kty: &str) -> Option<KeySpec> {
    KeySpec::ALL.iter().copied().find(|spec| spec.kty() == kty.strip_suffix("-HSM").unwrap_or(kty))
}

/// A key's name.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|e| e.to_string())
}

/// `NAME`, `NAME/VERSION`, or the whole `kid`.
pub(crate) fn key_ref(text: &str) -> Result<KeyRef, String> {
    let path = match text.strip_prefix("https://") {
        Some(rest) => {
            rest.split_once("/keys/").map(|(_, path)| path).ok_or("a kid is https://HOST/keys/NAME/VERSION")?
        }
        None => text,
    };
    let (key, version) = match path.split_once('/') {
        Some((key, version)) if !version.is_empty() => (key, Some(version)),
        Some((key, _)) => (key, None),
        None => (path, None),
    };
    let version = version.map(str::parse::<Version>).transpose();
    let version = version.map_err(|_| "a key's version has 32 lower-case hexadecimal digits".to_owned())?;
    Ok(KeyRef { name: name(key)?, version })
}

/// One operation.
pub(crate) fn operation(text: &str) -> Result<KeyOperation, String> {
    KeyOperation::from_wire(text).ok_or_else(|| {
        let all: Vec<&str> = KeyOperation::ALL.iter().map(|op| op.wire()).collect();
        format!("an operation is one of {}", all.join(", "))
    })
}

/// `NAME=VALUE`.
pub(crate) fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a tag is NAME=VALUE".to_owned()),
    }
}

/// A SHA-256 digest: 64 hexadecimal digits, or base64 of either alphabet.
pub(crate) fn digest(text: &str) -> Result<[u8; 32], String> {
    let bytes = if text.len() == 64 { hex::decode(text).ok() } else { base64(text) };
    let digest = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok());
    digest.ok_or_else(|| "a digest is SHA-256: 32 bytes, as 64 hexadecimal digits or in base64".to_owned())
}

/// Base64 of either alphabet.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text.replace('+', "-").replace('/', "_")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    #[test]
    fn a_key_is_named_in_three_ways() {
        let version = "0f".repeat(16);
        for (text, with_version) in [
            ("pay".to_owned(), false),
            ("pay/".to_owned(), false),
            (format!("pay/{version}"), true),
            (format!("https://h:1/keys/pay/{version}"), true),
            ("https://h/keys/pay".to_owned(), false),
        ] {
            let key = key_ref(&text).unwrap();
            assert_eq!((key.name.as_str(), key.version.is_some()), ("pay", with_version), "{text}");
        }
        for bad in ["", "a_b", "pay/1", "pay/x/y", "https://h/pay", "https://h/secrets/pay", "http://h/keys/pay"] {
            assert!(key_ref(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_is_32_bytes_in_hex_or_base64() {
        let bytes = [0xfb; 32];
        for text in
            [hex::encode(bytes), hex::encode_upper(bytes), STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]
        {
            assert_eq!(digest(&text), Ok(bytes), "{text}");
        }
        for bad in ["", "ff", &"zz".repeat(32), &STANDARD.encode([1; 31]), &hex::encode([1; 33])] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_tags_and_operations_are_read() {
        assert_eq!(spec_of("RSA-HSM"), Some(KeySpec::Rsa2048));
        assert_eq!(spec_of("oct"), Some(KeySpec::Oct256));
        assert_eq!(spec_of("OKP"), None);
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(tag("a").is_err() && tag("=a").is_err());
        assert_eq!(operation("wrapKey"), Ok(KeyOperation::WrapKey));
        assert!(operation("wrapkey").unwrap_err().contains("wrapKey"));
    }
}
