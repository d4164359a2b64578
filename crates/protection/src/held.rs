//! What is sealed of a key that a token made:
//!
//! ```text
//! version 1 byte (2) | key kind 1 byte (KeySpec's code) | placement 1 byte
//! placement 1, wrapped: wrapping key's id 16 bytes | the wrapped key
//! placement 2, resident: nothing more
//! ```
//!
//! Version 1 is a software key ([`crate::material`]). The seal keeps a stolen database and the holder of the PIN apart:
//! neither alone has a wrapped key to try.

use crate::KeyError;
use keystead_hsm::{KeyId, Stored};
use keystead_model::KeySpec;

const VERSION: u8 = 2;
const WRAPPED: u8 = 1;
const RESIDENT: u8 = 2;

/// What a row keeps.
pub(crate) fn encode(spec: KeySpec, stored: &Stored) -> Vec<u8> {
    let head = |placement| [VERSION, spec.code(), placement];
    match stored {
        Stored::Wrapped { wrapping, blob } => [&head(WRAPPED), wrapping.0.as_slice(), blob].concat(),
        Stored::Resident => head(RESIDENT).to_vec(),
    }
}

/// Whether this is a token's key; if not, it is a software key, or nothing.
pub(crate) fn is_held(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION)
}

/// Parses what [`encode`] wrote; anything else, and a key of another kind, is [`KeyError::Damaged`].
pub(crate) fn decode(spec: KeySpec, bytes: &[u8]) -> Result<Stored, KeyError> {
    let rest = bytes.strip_prefix(&[VERSION, spec.code()]).ok_or(KeyError::Damaged)?;
    match rest.split_first() {
        Some((&RESIDENT, [])) => Ok(Stored::Resident),
        Some((&WRAPPED, rest)) => match rest.split_first_chunk() {
            Some((wrapping, blob)) if !blob.is_empty() => {
                Ok(Stored::Wrapped { wrapping: KeyId(*wrapping), blob: blob.to_vec() })
            }
            _ => Err(KeyError::Damaged),
        },
        _ => Err(KeyError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_same_after_it_was_encoded_and_decoded() {
        let wrapped = Stored::Wrapped { wrapping: KeyId([7; 16]), blob: vec![1, 2, 3] };
        for stored in [Stored::Resident, wrapped] {
            let bytes = encode(KeySpec::Rsa2048, &stored);
            assert!(is_held(&bytes) && decode(KeySpec::Rsa2048, &bytes).is_ok_and(|again| again == stored));
            assert_eq!(decode(KeySpec::EcP256, &bytes).err(), Some(KeyError::Damaged));
        }
    }

    /// The layouts outlive this release.
    #[test]
    fn the_layouts_are_these_for_ever() {
        let wrapped = Stored::Wrapped { wrapping: KeyId([7; 16]), blob: vec![9] };
        assert_eq!(encode(KeySpec::EcP256, &wrapped), [&[2, 1, 1][..], &[7; 16], &[9]].concat());
        assert_eq!(encode(KeySpec::Oct256, &Stored::Resident), [2, 3, 2]);
    }

    #[test]
    fn anything_else_is_damaged() {
        for bytes in [&[][..], &[2], &[2, 1], &[2, 1, 3], &[2, 1, 2, 0], &[2, 1, 1], &[1, 1, 2]] {
            assert_eq!(decode(KeySpec::EcP256, bytes).err(), Some(KeyError::Damaged), "{bytes:?}");
        }
        assert_eq!(decode(KeySpec::EcP256, &[&[2, 1, 1][..], &[7; 16]].concat()).err(), Some(KeyError::Damaged));
    }
}
