//! What is parsed from outside, for fuzzing: nothing here may panic, whatever the bytes.

use crate::backup::{Header, Piece, piece};
use crate::byok::{KekId, TransferBlob};

/// The file `.byok`, and the id in it.
pub fn byok(bytes: &[u8]) {
    if let Ok(blob) = TransferBlob::parse(bytes) {
        assert_eq!(TransferBlob::parse(blob.to_json().as_bytes()), Ok(blob.clone()));
        let _ = KekId::parse(&blob.kid);
    }
}

/// A backup of a vault.
pub fn backup(bytes: &[u8]) {
    if let Ok((header, length)) = Header::parse(bytes) {
        assert!(header.said().is_some() && length <= bytes.len());
    }
    if let Piece::Frame { sealed, .. } = piece(bytes) {
        assert!(sealed.len() < bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    const WHOLE: &str = r#"{"schema_version":"1.0.0","header":{"kid":"https://h/keys/k/0123456789abcdef0123456789abcdef",
        "alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"},"ciphertext":"AQID","generator":"x"}"#;

    proptest! {
        #[test]
        fn smoke(random in proptest::collection::vec(any::<u8>(), 0..300), at in 0..WHOLE.len(), byte in any::<u8>()) {
            super::byok(&random);
            super::backup(&random);
            super::backup(&[b"KSVAULT\x01\0\0", random.as_slice()].concat());
            let mut changed = WHOLE.as_bytes().to_vec();
            changed[at] = byte;
            super::byok(&changed);
            super::byok(&WHOLE.as_bytes()[..at]);
        }
    }
}
