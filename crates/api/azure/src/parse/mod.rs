//! From requests to commands. Unknown members are ignored, `null` is an absent member, binary values are base64url with
//! or without padding or of the standard alphabet, times are whole seconds.

pub mod backup;
pub mod import;
pub mod key;
pub mod list;
pub mod operation;
mod release;
pub mod role;
pub mod rotation;
pub mod security_domain;
mod tags;
pub mod token;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_model::{KeyRef, Name, Time, Version};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Longest binary value of an operation, in bytes once decoded.
pub const MAX_VALUE: usize = 64 * 1024;
/// Longest ciphertext: what the longest plaintext becomes, padding or wrapping included.
pub const MAX_CIPHERTEXT: usize = MAX_VALUE + 16;

/// The last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// A string of a body, borrowed from it where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        d.deserialize_str(Borrow)
    }
}

/// The body as JSON.
pub(crate) fn json<'a, T: Deserialize<'a>>(parts: &Parts<'a>) -> Result<T, BadParameter> {
    serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))
}

/// The key's name in the path.
pub(crate) fn name(parts: &Parts<'_>) -> Result<Name, BadParameter> {
    let text = parts.parameter("name").unwrap_or_default();
    Name::parse(text).map_err(|_| BadParameter::Name { given: Shown::of(text) })
}

/// The key's name in the path, and the version if one stands there.
pub(crate) fn key_ref(parts: &Parts<'_>) -> Result<KeyRef, BadParameter> {
    let version = parts.parameter("version").map(version).transpose()?;
    Ok(KeyRef { name: name(parts)?, version })
}

fn version(text: &str) -> Result<Version, BadParameter> {
    text.to_ascii_lowercase().parse().map_err(|_| BadParameter::Version { given: Shown::of(text) })
}

/// A required member.
pub(crate) fn required<T>(value: Option<T>, what: &'static str) -> Result<T, BadParameter> {
    value.ok_or(BadParameter::Missing { what })
}

/// base64url, padded or not, or the standard alphabet; at most [`MAX_VALUE`] bytes.
pub(crate) fn binary(text: &Text<'_>, what: &'static str) -> Result<Vec<u8>, BadParameter> {
    bounded(text, what, MAX_VALUE)
}

/// The same with a bound of its own.
pub(crate) fn bounded(text: &Text<'_>, what: &'static str, max: usize) -> Result<Vec<u8>, BadParameter> {
    let too_long = BadParameter::TooLong { what, max, unit: "bytes" };
    let text = text.0.as_bytes();
    if text.len() > max.div_ceil(3).saturating_mul(4) {
        return Err(too_long);
    }
    let standard = text.iter().any(|b| matches!(b, b'+' | b'/'));
    let decoded = if standard { STANDARD.decode(text) } else { URL_SAFE.decode(text) };
    let bytes = decoded.map_err(|_| BadParameter::NotBase64 { what })?;
    if bytes.len() > max { Err(too_long) } else { Ok(bytes) }
}

/// Seconds since the epoch, up to the year 9999.
pub(crate) fn time(seconds: i64, what: &'static str) -> Result<Time, BadParameter> {
    match seconds {
        0..=LAST_SECOND => Ok(Time::from_secs(seconds)),
        _ => Err(BadParameter::Range { what, min: 0, max: LAST_SECOND }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(t: &str) -> Text<'_> {
        Text(Cow::Borrowed(t))
    }

    proptest! {
        #[test]
        fn every_spelling_of_base64_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            use base64::prelude::*;
            for spelled in [
                BASE64_URL_SAFE_NO_PAD.encode(&bytes), BASE64_URL_SAFE.encode(&bytes),
                BASE64_STANDARD.encode(&bytes), BASE64_STANDARD_NO_PAD.encode(&bytes),
            ] {
                prop_assert_eq!(binary(&text(&spelled), "value").unwrap(), bytes.clone());
            }
        }
    }

    #[test]
    fn a_value_over_the_bound_is_refused_and_one_at_it_is_not() {
        use base64::prelude::*;
        let at = BASE64_URL_SAFE_NO_PAD.encode(vec![7; MAX_VALUE]);
        let over = BASE64_URL_SAFE_NO_PAD.encode(vec![7; MAX_VALUE + 1]);
        assert_eq!(binary(&text(&at), "value").unwrap().len(), MAX_VALUE);
        assert!(matches!(binary(&text(&over), "value"), Err(BadParameter::TooLong { .. })));
        assert!(matches!(binary(&text("a*b"), "value"), Err(BadParameter::NotBase64 { .. })));
    }

    #[test]
    fn a_version_may_be_written_in_upper_case() {
        assert_eq!(version(&"AB".repeat(16)).unwrap().to_string(), "ab".repeat(16));
        assert!(version("sign").is_err());
    }
}
