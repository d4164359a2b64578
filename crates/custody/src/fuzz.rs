//! Entry points for fuzzing: each takes any bytes and must return.

use crate::activation::ActivationRecord;
use crate::challenge::{Answer, SignedChallenge};
use crate::confirmation::Confirmation;
use crate::offer::TransferOffer;
use crate::shares::Share;
use crate::{DomainKey, DomainSecrets, PathKey, WorkingKeys, unwrap_domain, unwrap_root};
use keystead_model::VaultId;

const VAULT: VaultId = VaultId::from_bytes([0; 16]);

/// A wrapped domain key, as read from a row.
pub fn wrapped_domain(bytes: &[u8]) {
    drop(unwrap_domain(&PathKey::from_bytes(&[1; 32]), VAULT, bytes));
}

/// A wrapped root, as read from a row.
pub fn wrapped_root(bytes: &[u8]) {
    drop(unwrap_root(&PathKey::from_bytes(&[1; 32]), VAULT, bytes));
}

/// A sealed root, as read from a row.
pub fn sealed_root(bytes: &[u8]) {
    drop(DomainKey::from_opened(&[1; 32]).map(|domain| domain.open_root(VAULT, bytes)));
}

/// A sealed wrapping key, as read from a row.
pub fn sealed_wrapping(bytes: &[u8]) {
    drop(DomainKey::from_opened(&[1; 32]).map(|domain| domain.open_wrapping(VAULT, bytes)));
}

/// An activation record: what reads is written again as it stood.
pub fn activation(bytes: &[u8]) {
    if let Ok(record) = ActivationRecord::parse(bytes) {
        assert_eq!(record.to_bytes(), bytes);
    }
}

/// A custodian's confirmation.
pub fn confirmation(bytes: &[u8]) {
    if let Ok(confirmation) = Confirmation::parse(bytes) {
        assert_eq!(Confirmation::parse(&confirmation.to_bytes()), Ok(confirmation));
    }
}

/// What a vault says that waits for its activation.
pub fn offer(bytes: &[u8]) {
    drop(TransferOffer::parse(bytes));
}

/// A challenge and an answer, as bytes and as lines of text.
pub fn challenge(bytes: &[u8]) {
    if let Ok(challenge) = SignedChallenge::parse(bytes) {
        assert_eq!(SignedChallenge::parse_text(&challenge.to_text()), Ok(challenge));
    }
    if let Ok(answer) = Answer::parse(bytes) {
        assert_eq!(Answer::parse_text(&answer.to_text()), Ok(answer));
    }
    if let Ok(text) = str::from_utf8(bytes) {
        drop((SignedChallenge::parse_text(text), Answer::parse_text(text)));
    }
}

/// What is in a security domain, and what a vault is sent: what reads is written again as it stood.
pub fn secrets(bytes: &[u8]) {
    if let Ok(secrets) = DomainSecrets::from_bytes(bytes) {
        assert!(secrets.to_bytes().as_slice() == bytes);
    }
    if let Ok(keys) = WorkingKeys::from_bytes(bytes) {
        assert!(keys.to_bytes().as_slice() == bytes);
    }
}

/// A share, the first 64 bytes.
pub fn share(bytes: &[u8]) {
    if let Some(bytes) = bytes.first_chunk::<64>()
        && let Ok(share) = Share::parse(bytes)
    {
        assert!(share.to_bytes().as_slice() == bytes);
    }
}
