//! What a vault that waits for its activation, or for other custodians, tells the customer: which vault it is, and the
//! transfer key to which he encrypts what it needs. Signed by the node; that it is the right node, he learns by
//! comparing words.
//!
//! ```text
//! {"keystead_transfer_offer": 1, "offer": text of JSON, "signature": hex}
//! ```
//!
//! The signature (Ed25519) is over a label and the text as it stands.

use crate::activation::NodeIdentity;
use crate::{Certificate, DomainError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::ed25519::{self, SigningKey};
use keystead_model::{Authority, NodeId, VaultId, VaultKind};
use serde::{Deserialize, Serialize};

/// What the vault says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOffer {
    /// Which vault.
    pub vault: VaultId,
    /// Its name.
    pub name: String,
    /// What it is to hold.
    pub kind: VaultKind,
    /// Where it answers.
    pub authorities: Vec<Authority>,
    /// The tenant that its clients configure.
    pub tenant: String,
    /// Days a deleted key stays recoverable.
    pub retention_days: u8,
    /// Of the transfer key, which the node has in memory only.
    pub transfer_key: Certificate,
    /// Which node says so.
    pub node: NodeIdentity,
    /// Of a vault that has custodians, and is to get others.
    pub replacement: Option<Replacement>,
}

/// What other custodians of a vault cannot change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// Whether only the end of the retention purges.
    pub purge_protection: bool,
    /// Whether it has an HSM, whose keys one of its domain wraps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hsm: bool,
}

/// Why a file is no offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOffer {
    /// Over the bound.
    #[error("a transfer offer has at most 65,536 bytes")]
    TooLarge,
    /// Not of the form.
    #[error("it is not a transfer offer: give the file as the server wrote it")]
    NotOne,
    /// Of a later release.
    #[error("the transfer offer has another version than 1: use the release of the server")]
    Version,
    /// The signature is not that of the node it names.
    #[error("the transfer offer was changed on its way: its signature does not hold; get it again")]
    Signature,
    /// The certificate of the transfer key.
    #[error("the transfer key is {0}")]
    Certificate(DomainError),
}

/// Longest offer, in bytes.
pub const MAX_OFFER: usize = 64 << 10;
const VERSION: u32 = 1;
const LABEL: &[u8] = b"keystead transfer offer 1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    keystead_transfer_offer: u32,
    offer: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    vault: String,
    name: String,
    kind: String,
    authorities: Vec<String>,
    tenant: String,
    retention_days: u8,
    transfer_key: String,
    node: String,
    node_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replacement: Option<Replacement>,
}

impl TransferOffer {
    /// The file, signed by the node it names: its key must be that of `node`.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let offer = Offer {
            vault: self.vault.to_string(),
            name: self.name.clone(),
            kind: self.kind.name().to_owned(),
            authorities: self.authorities.iter().map(|authority| authority.as_str().to_owned()).collect(),
            tenant: self.tenant.clone(),
            retention_days: self.retention_days,
            transfer_key: STANDARD.encode(self.transfer_key.der()),
            node: self.node.id.to_string(),
            node_key: hex::encode(self.node.key),
            replacement: self.replacement,
        };
        // Strings and numbers always serialize.
        let offer = serde_json::to_string(&offer).unwrap_or_default();
        let signature = hex::encode(key.sign(&message(&offer)));
        let mut file = serde_json::to_vec(&Signed { keystead_transfer_offer: VERSION, offer, signature });
        if let Ok(file) = &mut file {
            file.push(b'\n');
        }
        file.unwrap_or_default()
    }

    /// Reads a file whose signature is that of the node it names.
    pub fn parse(file: &[u8]) -> Result<Self, BadOffer> {
        if file.len() > MAX_OFFER {
            return Err(BadOffer::TooLarge);
        }
        let signed: Signed = serde_json::from_slice(file).map_err(|_| BadOffer::NotOne)?;
        if signed.keystead_transfer_offer != VERSION {
            return Err(BadOffer::Version);
        }
        let offer: Offer = serde_json::from_str(&signed.offer).map_err(|_| BadOffer::NotOne)?;
        let key = bytes(&offer.node_key)?;
        let signature: [u8; 64] = bytes(&signed.signature)?;
        if !ed25519::verify(&key, &message(&signed.offer), &signature) {
            return Err(BadOffer::Signature);
        }
        offer.parse(key)
    }
}

impl Offer {
    fn parse(self, key: [u8; 32]) -> Result<TransferOffer, BadOffer> {
        let authorities: Result<Vec<Authority>, _> = self.authorities.iter().map(|text| text.parse()).collect();
        let certificate = STANDARD.decode(&self.transfer_key).map_err(|_| BadOffer::NotOne)?;
        let node = self.node.parse::<NodeId>().map_err(|_| BadOffer::NotOne)?;
        Ok(TransferOffer {
            vault: self.vault.parse().map_err(|_| BadOffer::NotOne)?,
            name: self.name,
            kind: VaultKind::from_name(&self.kind).ok_or(BadOffer::NotOne)?,
            authorities: authorities.map_err(|_| BadOffer::NotOne)?,
            tenant: self.tenant,
            retention_days: self.retention_days,
            transfer_key: Certificate::parse(&certificate).map_err(BadOffer::Certificate)?,
            node: NodeIdentity { id: node, key },
            replacement: self.replacement,
        })
    }
}

fn message(offer: &str) -> Vec<u8> {
    [LABEL, offer.as_bytes()].concat()
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], BadOffer> {
    hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadOffer::NotOne)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::custodians;
    use proptest::prelude::*;

    fn offer() -> (TransferOffer, SigningKey) {
        let key = SigningKey::from_seed(&[7; 32]);
        let offer = TransferOffer {
            vault: VaultId::from_bytes([1; 16]),
            name: "payments".to_owned(),
            kind: VaultKind::Hsm,
            authorities: vec!["pay.example".parse().unwrap()],
            tenant: "adfs".to_owned(),
            retention_days: 7,
            transfer_key: custodians(1).remove(0),
            node: NodeIdentity { id: NodeId::from_bytes([2; 16]), key: key.public() },
            replacement: None,
        };
        (offer, key)
    }

    #[test]
    fn what_a_node_signed_is_read() {
        let (offer, key) = offer();
        let replacement = |hsm| Some(Replacement { purge_protection: true, hsm });
        for replacement in [None, replacement(false), replacement(true)] {
            let offer = TransferOffer { replacement, ..offer.clone() };
            let file = offer.sign(&key);
            // One of a vault without an HSM is as it always was.
            let says = String::from_utf8_lossy(&file).contains("\\\"hsm\\\":");
            assert_eq!(says, replacement.is_some_and(|of| of.hsm));
            assert_eq!(TransferOffer::parse(&file), Ok(offer));
        }
    }

    #[test]
    fn what_another_signed_or_nobody_is_refused() {
        let (offer, key) = offer();
        let other = SigningKey::from_seed(&[8; 32]);
        assert_eq!(TransferOffer::parse(&offer.sign(&other)), Err(BadOffer::Signature));
        let text = String::from_utf8(offer.sign(&key)).unwrap();
        for (from, to, why) in [
            ("payments", "paymentz", BadOffer::Signature),
            ("offer\":1", "offer\":2", BadOffer::Version),
            ("\"signature\"", "\"signed\"", BadOffer::NotOne),
            ("\\\"tenant\\\"", "\\\"tenants\\\"", BadOffer::NotOne),
        ] {
            assert_eq!(TransferOffer::parse(text.replacen(from, to, 1).as_bytes()), Err(why), "{to}");
        }
        assert_eq!(TransferOffer::parse(&vec![b' '; MAX_OFFER + 1]), Err(BadOffer::TooLarge));
    }

    proptest! {
        #[test]
        fn any_change_of_an_offer_is_seen(at: prop::sample::Index, byte: u8) {
            let (offer, key) = offer();
            let mut file = offer.sign(&key);
            let at = at.index(file.len());
            file[at] = byte;
            // Another spelling of the frame around it changes nothing.
            prop_assert!(TransferOffer::parse(&file).ok().is_none_or(|read| read == offer));
        }
    }
}
