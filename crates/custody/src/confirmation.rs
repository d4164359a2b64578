//! A custodian's confirmation of an activation record: he has compared its words, his share opens and is the one that
//! the record names. RSASSA-PSS with SHA-256 over a label, the vault's id and the record's digest:
//!
//! ```text
//! {"keystead_confirmation": 1, "vault": hex, "record": hex, "certificate": hex, "signature": base64}
//! ```

use crate::activation::ActivationRecord;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::rsa::{self, Padding, PrivateKey};
use keystead_crypto::{Hash, sha256};
use keystead_model::VaultId;
use serde::{Deserialize, Serialize};

/// What a custodian signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// Of which vault.
    pub vault: VaultId,
    /// Digest of the activation record.
    pub record: [u8; 32],
    /// SHA-256 of the custodian's certificate.
    pub certificate: [u8; 32],
    signature: Vec<u8>,
}

/// Why a confirmation does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadConfirmation {
    /// Over the bound, or not of the form.
    #[error("it is not a confirmation: give the file as `custodian confirm` wrote it")]
    NotOne,
    /// Of a later release.
    #[error("the confirmation has another version than 1: use the release that wrote it")]
    Version,
    /// Of another vault or of another record.
    #[error("the confirmation is of another activation record: its custodian has confirmed something else")]
    OtherRecord,
    /// The signer is no custodian of the record.
    #[error("the confirmation is of somebody who is no custodian of this vault")]
    Stranger,
    /// The signature is not the custodian's.
    #[error(
        "the signature of the confirmation does not hold: it was changed, or was not made with the custodian's key"
    )]
    Signature,
    /// The key could not sign.
    #[error("the key did not sign: memory or randomness is exhausted")]
    NotSigned,
}

/// Longest confirmation, in bytes.
pub const MAX_CONFIRMATION: usize = 4 << 10;
const VERSION: u32 = 1;
const LABEL: &[u8] = b"keystead confirmation 1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    keystead_confirmation: u32,
    vault: String,
    record: String,
    certificate: String,
    signature: String,
}

impl Confirmation {
    /// Signs with a key that is at hand.
    pub fn sign(record: &ActivationRecord, key: &PrivateKey) -> Result<Self, BadConfirmation> {
        let digest = sha256(&[&Self::message(record)]);
        let signature = key.sign_digest(Padding::Pss, Hash::Sha256, &digest).map_err(|_| BadConfirmation::NotSigned)?;
        Self::signed(record, key.public(), signature)
    }

    /// What is signed, for a key elsewhere: by RSASSA-PSS with SHA-256, MGF1 of the same and a salt of 32 bytes.
    pub fn message(record: &ActivationRecord) -> Vec<u8> {
        message(record.vault, &record.digest())
    }

    /// From a signature of the custodian with this key, if it holds.
    pub fn signed(
        record: &ActivationRecord,
        public: (&[u8], &[u8]),
        signature: Vec<u8>,
    ) -> Result<Self, BadConfirmation> {
        let (_, custodian) = record.custodian(public).ok_or(BadConfirmation::Stranger)?;
        let certificate = custodian.certificate.thumbprint();
        let confirmation = Self { vault: record.vault, record: record.digest(), certificate, signature };
        confirmation.verify(record).map(|_| confirmation)
    }

    /// Whether a custodian of this record has confirmed it: his number, from 1.
    pub fn verify(&self, record: &ActivationRecord) -> Result<usize, BadConfirmation> {
        if self.vault != record.vault || self.record != record.digest() {
            return Err(BadConfirmation::OtherRecord);
        }
        let mut custodians = (1..).zip(&record.custodians);
        let his = |(_, of): &(usize, &crate::activation::Custodian)| of.certificate.thumbprint() == self.certificate;
        let (number, custodian) = custodians.find(his).ok_or(BadConfirmation::Stranger)?;
        let (n, e) = custodian.certificate.public();
        let digest = sha256(&[&message(self.vault, &self.record)]);
        let holds = rsa::verify_digest(n, e, Padding::Pss, Hash::Sha256, &digest, &self.signature);
        if holds { Ok(number) } else { Err(BadConfirmation::Signature) }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = Json {
            keystead_confirmation: VERSION,
            vault: self.vault.to_string(),
            record: hex::encode(self.record),
            certificate: hex::encode(self.certificate),
            signature: STANDARD.encode(&self.signature),
        };
        // Strings and numbers always serialize.
        let mut file = serde_json::to_vec(&json).unwrap_or_default();
        file.push(b'\n');
        file
    }

    /// Reads a file. Nothing in it is believed before [`Self::verify`].
    pub fn parse(file: &[u8]) -> Result<Self, BadConfirmation> {
        if file.len() > MAX_CONFIRMATION {
            return Err(BadConfirmation::NotOne);
        }
        let json: Json = serde_json::from_slice(file).map_err(|_| BadConfirmation::NotOne)?;
        if json.keystead_confirmation != VERSION {
            return Err(BadConfirmation::Version);
        }
        let digest = |text: &str| hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            vault: json.vault.parse().map_err(|_| BadConfirmation::NotOne)?,
            record: digest(&json.record).ok_or(BadConfirmation::NotOne)?,
            certificate: digest(&json.certificate).ok_or(BadConfirmation::NotOne)?,
            signature: STANDARD.decode(&json.signature).map_err(|_| BadConfirmation::NotOne)?,
        })
    }
}

fn message(vault: VaultId, record: &[u8; 32]) -> Vec<u8> {
    [LABEL, vault.as_bytes(), record].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::tests::record;
    use crate::testing::custodian_key;
    use proptest::prelude::*;

    #[test]
    fn each_custodian_confirms_the_record_and_nobody_else_does() {
        let record = record();
        for at in 0..3 {
            let confirmation = Confirmation::sign(&record, custodian_key(at)).unwrap();
            let again = Confirmation::parse(&confirmation.to_bytes()).unwrap();
            assert_eq!((again.verify(&record), &again), (Ok(at + 1), &confirmation));
        }
        assert_eq!(Confirmation::sign(&record, custodian_key(3)), Err(BadConfirmation::Stranger));
    }

    #[test]
    fn a_confirmation_counts_for_its_record_and_signer_only() {
        let record = record();
        let good = Confirmation::sign(&record, custodian_key(0)).unwrap();
        let renamed = ActivationRecord { name: "other".to_owned(), ..record.clone() };
        assert_eq!(good.verify(&renamed), Err(BadConfirmation::OtherRecord));
        let elsewhere = ActivationRecord { vault: VaultId::from_bytes([9; 16]), ..record.clone() };
        assert_eq!(good.verify(&elsewhere), Err(BadConfirmation::OtherRecord));
        let second = record.custodians[1].certificate.thumbprint();
        let claimed = Confirmation { certificate: second, ..good.clone() };
        assert_eq!(claimed.verify(&record), Err(BadConfirmation::Signature));
        let stranger = Confirmation { certificate: [0; 32], ..good.clone() };
        assert_eq!(stranger.verify(&record), Err(BadConfirmation::Stranger));
        let public = custodian_key(0).public();
        assert_eq!(Confirmation::signed(&record, public, vec![0; 256]), Err(BadConfirmation::Signature));
        let text = String::from_utf8(good.to_bytes()).unwrap();
        let refused = |from, to| Confirmation::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(refused("confirmation\":1", "confirmation\":2"), BadConfirmation::Version);
        assert_eq!(refused("\"vault\"", "\"vaults\""), BadConfirmation::NotOne);
    }

    proptest! {
        #[test]
        fn any_change_of_a_confirmation_is_seen(at: prop::sample::Index, byte: u8) {
            let record = record();
            let good = Confirmation::sign(&record, custodian_key(0)).unwrap();
            let mut file = good.to_bytes();
            let at = at.index(file.len());
            file[at] = byte;
            if let Ok(read) = Confirmation::parse(&file) {
                // What reads as the same is the same, in another spelling.
                prop_assert!(read == good || read.verify(&record).is_err());
            }
        }
    }
}
