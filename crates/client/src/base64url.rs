//! base64url (RFC 4648, section 5): without padding when written, with or without it when read.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, Error};
use zeroize::Zeroizing;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// A member that may hold a secret.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<Vec<u8>>, D::Error> {
    let text = Zeroizing::new(String::deserialize(from)?);
    decode(&text).map(Zeroizing::new).ok_or_else(|| D::Error::custom("a value is not base64url"))
}

/// A member that may be absent or null.
pub(crate) fn read_optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| decode(&text).ok_or_else(|| D::Error::custom("a value is not base64url"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_not_written_and_may_be_read() {
        assert_eq!(encode(&[0xff, 0xfe]), "__4");
        assert_eq!((decode("__4"), decode("__4=")), (Some(vec![0xff, 0xfe]), Some(vec![0xff, 0xfe])));
        assert_eq!(decode("a b"), None);
    }
}
