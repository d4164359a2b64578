//! What is written on the command line: keys, operations, tags, digests.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use keystead_model::{CipherAlgorithm, Curve, KeyOperation, KeyRef, KeySpec, Name, SignAlgorithm, Size, Version};

/// Either alphabet, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Key kinds as the API writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kty {
    /// Elliptic curve: signs
    #[value(name = "EC")]
    Ec,
    /// RSA: signs, encrypts, wraps
    #[value(name = "RSA")]
    Rsa,
    /// AES and HMAC: encrypts, wraps, authenticates
    #[value(name = "oct")]
    Oct,
}

impl Kty {
    /// The kind of key of this curve or size; what is not said is P-256, 2,048 or 256 bits.
    pub(crate) fn spec(self, curve: Option<Curve>, bits: Option<u16>) -> Result<KeySpec, String> {
        let size = match (self, curve, bits) {
            (Self::Ec, curve, None) => Size::Curve(curve.unwrap_or(Curve::P256)),
            (Self::Ec, ..) => return Err("an EC key has a --curve and no --size".to_owned()),
            (Self::Rsa, None, bits) => Size::Modulus(bits.unwrap_or(2048)),
            (Self::Oct, None, bits) => Size::Secret(bits.unwrap_or(256)),
            (Self::Rsa | Self::Oct, Some(_), _) => return Err("only an EC key has a --curve".to_owned()),
        };
        KeySpec::of_size(size).ok_or_else(|| match self {
            Self::Oct => "an oct key has 128, 192 or 256 bits".to_owned(),
            Self::Ec | Self::Rsa => "an RSA key has 2048, 3072 or 4096 bits".to_owned(),
        })
    }
}

/// A curve's name.
pub(crate) fn curve(text: &str) -> Result<Curve, String> {
    Curve::from_wire(text).ok_or_else(|| format!("a curve is one of {}", list(Curve::ALL.iter().map(|c| c.wire()))))
}

/// A signature algorithm's name.
pub(crate) fn sign_algorithm(text: &str) -> Result<SignAlgorithm, String> {
    let all = || list(SignAlgorithm::ALL.iter().map(|alg| alg.wire()));
    SignAlgorithm::from_wire(text).ok_or_else(|| format!("the algorithms are {}", all()))
}

/// An encryption algorithm's name.
pub(crate) fn cipher_algorithm(text: &str) -> Result<CipherAlgorithm, String> {
    let all = || list(CipherAlgorithm::ALL.iter().map(|alg| alg.wire()));
    CipherAlgorithm::from_wire(text).ok_or_else(|| format!("the algorithms are {}", all()))
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
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

/// A digest of SHA-256, SHA-384 or SHA-512: hexadecimal digits, or base64 of either alphabet.
pub(crate) fn digest(text: &str) -> Result<Vec<u8>, String> {
    // 64 characters are 48 bytes in base64, and 32 bytes in hexadecimal digits: digits are what they look like.
    let bytes = hex::decode(text).ok().or_else(|| base64(text));
    let digest = bytes.filter(|b| matches!(b.len(), 32 | 48 | 64));
    digest.ok_or_else(|| "a digest has 32, 48 or 64 bytes, in hexadecimal digits or base64".to_owned())
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
    fn a_digest_is_given_in_hex_or_base64() {
        for length in [32, 48, 64] {
            let bytes = vec![0xfb; length];
            for text in [
                hex::encode(&bytes),
                hex::encode_upper(&bytes),
                STANDARD.encode(&bytes),
                URL_SAFE_NO_PAD.encode(&bytes),
            ] {
                assert_eq!(digest(&text), Ok(bytes.clone()), "{text}");
            }
        }
        for bad in ["", "ff", &"z*".repeat(32), &STANDARD.encode([1; 31]), &hex::encode([1; 33])] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_kind_has_a_curve_or_a_size() {
        assert_eq!(Kty::Ec.spec(None, None), Ok(KeySpec::EcP256));
        assert_eq!(Kty::Ec.spec(Some(Curve::P256K), None), Ok(KeySpec::EcP256K));
        assert_eq!(Kty::Rsa.spec(None, Some(4096)), Ok(KeySpec::Rsa4096));
        assert_eq!(Kty::Oct.spec(None, Some(128)), Ok(KeySpec::Oct128));
        for bad in [
            Kty::Ec.spec(None, Some(256)),
            Kty::Rsa.spec(Some(Curve::P256), None),
            Kty::Oct.spec(Some(Curve::P256), Some(128)),
            Kty::Rsa.spec(None, Some(1024)),
            Kty::Oct.spec(None, Some(2048)),
        ] {
            assert!(bad.is_err());
        }
        assert!(curve("p-256").is_err() && curve("P-521").is_ok());
    }

    #[test]
    fn tags_and_operations_are_read() {
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(tag("a").is_err() && tag("=a").is_err());
        assert_eq!(operation("wrapKey"), Ok(KeyOperation::WrapKey));
        assert!(operation("wrapkey").unwrap_err().contains("wrapKey"));
    }
}
