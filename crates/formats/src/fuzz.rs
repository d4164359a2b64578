//! What is parsed from outside, for fuzzing: nothing here may panic, whatever the bytes.

use crate::backup::{Header, Piece, piece};
use crate::byok::{KekId, TransferBlob};
use crate::inventory::SignedPage;
use crate::jwe::Jwe;
use crate::log_proof::LogProof;
use crate::security_domain::{RestoreBlob, SecurityDomain};

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

/// A page of an inventory, and the proof behind the last.
pub fn inventory(bytes: &[u8]) {
    if let Ok((signed, page)) = SignedPage::parse(bytes) {
        // Pages of the first version, which say nothing of the policy, are read and no longer written.
        assert!(page.policy.is_none() || SignedPage::parse(signed.to_line().as_bytes()) == Ok((signed, page)));
    }
    if let Ok(proof) = LogProof::parse(bytes) {
        assert_eq!(LogProof::parse(proof.to_line().as_bytes()), Ok(proof));
    }
}

/// A security domain, a restore blob, and an encrypted value.
pub fn security_domain(bytes: &[u8]) {
    if let Ok(domain) = SecurityDomain::parse(bytes) {
        assert_eq!(SecurityDomain::parse(domain.to_json().as_bytes()), Ok(domain));
    }
    if let Ok(blob) = RestoreBlob::parse(bytes) {
        assert_eq!(RestoreBlob::parse(blob.to_json().as_bytes()), Ok(blob));
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(value) = Jwe::parse(text)
    {
        assert_eq!(value.to_compact(), text);
    }
}

#[cfg(test)]
mod tests {
    use crate::security_domain::tests::{blob, domain};
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
            let mut page = include_bytes!("../tests/golden/inventory-v1.json").to_vec();
            super::inventory(&page);
            page[at] = byte;
            super::inventory(&page);
            super::inventory(&random);
            let mut proof = include_bytes!("../tests/golden/log-proof-v1.json").to_vec();
            super::inventory(&proof);
            let at = at % proof.len();
            proof[at] = byte;
            super::inventory(&proof);
        }

        #[test]
        fn smoke_of_security_domains(
            random in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            super::security_domain(&random);
            for whole in [domain(3).to_json(), blob().to_json(), domain(3).data[0].value.to_compact()] {
                let (at, mut changed) = (at.index(whole.len()), whole.as_bytes().to_vec());
                changed[at] = byte;
                super::security_domain(&changed);
                super::security_domain(&whole.as_bytes()[..at]);
            }
        }
    }
}
