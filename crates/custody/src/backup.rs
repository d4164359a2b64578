//! The key of one backup of a whole vault, and what it seals: the frames of the backup, one after the other, and the
//! key material in them.
//!
//! The key is random. It stands in the backup's header twice: sealed to the domain's public key (HPKE), so that whoever
//! restores the domain opens every backup; and sealed under the vault's blob key, so that a live vault of the same
//! domain needs no custodian. Both are bound to what the header says.
//!
//! ```text
//! sealed to the domain: version 1 byte (1) | HPKE: encapsulated key 32 | ciphertext 32 | tag 16
//! a frame:              nonce 12 | ciphertext | tag 16, AES-256-GCM
//! ```
//!
//! A frame's associated data is its number, whether it is the last, and the digest of all that stands before it, header
//! included: a frame that was changed, left out, moved or put in from elsewhere does not open, and an end that is not
//! the end is none. The nonce is random, as a backup that goes on after a crash may seal a number twice.

use crate::{CustodyError, DomainKey, DomainPublic};
use keystead_crypto::aes::Aes256Gcm;
use keystead_crypto::hkdf::Extracted;
use keystead_crypto::hpke;
use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_model::VaultId;
use zeroize::Zeroizing;

/// The key of a backup. Cleared when dropped; no Debug.
pub struct BackupKey(Zeroizing<[u8; 32]>);

const VERSION: u8 = 1;
const SALT: &[u8] = b"keystead backup 1";
/// As `store` counts kinds of rows: a backup.
const KIND: u8 = 20;
const NONCE: usize = 12;
const TAG: usize = 16;

impl BackupKey {
    /// By how much a sealed frame is longer than what is in it.
    pub const OVERHEAD: usize = NONCE + TAG;

    /// A new random key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(keystead_crypto::random()))
    }

    /// As it was kept while the backup was under way.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// To be kept, sealed, while the backup is under way.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals the key under the blob key of the domain. `said`: what the header says.
    pub fn wrap(&self, blobs: &Sealer, domain: VaultId, id: [u8; 16], said: &[u8]) -> Vec<u8> {
        blobs.seal(&place(domain, id), said, self.0.as_slice())
    }

    /// Opens what [`Self::wrap`] sealed.
    pub fn unwrap(
        blobs: &Sealer,
        domain: VaultId,
        id: [u8; 16],
        said: &[u8],
        wrapped: &[u8],
    ) -> Result<Self, CustodyError> {
        let opened = blobs.open(&place(domain, id), said, wrapped).map_err(|_| CustodyError::NotOpened)?;
        Self::from_opened(&opened)
    }

    /// What seals and opens the frames of the backup whose whole header this is.
    pub fn frames(&self, header: &[u8]) -> Frames {
        Frames(Aes256Gcm::new(&self.extracted().key(&[b"frames", &keystead_crypto::sha256(&[header])])))
    }

    /// What seals the key material inside the frames, so that nothing but `protection` sees it.
    pub fn material(&self) -> Sealer {
        Sealer::new(&self.extracted().key(&[b"material"]), Usage::Backup, 1)
    }

    fn extracted(&self) -> Extracted {
        Extracted::new(SALT, self.0.as_slice())
    }

    fn from_opened(opened: &[u8]) -> Result<Self, CustodyError> {
        let key: &[u8; 32] = opened.try_into().map_err(|_| CustodyError::NotOpened)?;
        Ok(Self::from_bytes(key))
    }
}

impl DomainPublic {
    /// Seals the key of a backup to the domain. `said`: what the backup's header says.
    pub fn seal_backup(&self, domain: VaultId, said: &[u8], key: &BackupKey) -> Result<Vec<u8>, CustodyError> {
        let body = hpke::seal(self.as_bytes(), &info(domain), &aad(said), key.0.as_slice());
        Ok([&[VERSION], body.ok_or(CustodyError::BadPublic)?.as_slice()].concat())
    }
}

impl DomainKey {
    /// Opens what [`DomainPublic::seal_backup`] sealed.
    pub fn open_backup(&self, domain: VaultId, said: &[u8], sealed: &[u8]) -> Result<BackupKey, CustodyError> {
        let body = sealed.strip_prefix(&[VERSION]).ok_or(CustodyError::Format)?;
        let opened = hpke::open(self.private(), &info(domain), &aad(said), body).ok_or(CustodyError::NotOpened)?;
        BackupKey::from_opened(&opened)
    }
}

/// Where in a backup a frame stands: its number, and the digest of all that stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt {
    /// From 0.
    pub number: u64,
    /// See [`FrameAt::first`] and [`FrameAt::next`].
    pub before: [u8; 32],
}

impl FrameAt {
    /// Behind this header.
    pub fn first(header: &[u8]) -> Self {
        Self { number: 0, before: keystead_crypto::sha256(&[header]) }
    }

    /// Behind this sealed frame.
    #[must_use]
    pub fn next(&self, sealed: &[u8]) -> Self {
        Self { number: self.number.saturating_add(1), before: keystead_crypto::sha256(&[&self.before, sealed]) }
    }

    fn aad(&self, last: bool) -> Vec<u8> {
        [&[VERSION, u8::from(last)], self.number.to_be_bytes().as_slice(), &self.before].concat()
    }
}

/// Seals and opens frames. Its key is cleared when it is dropped.
pub struct Frames(Aes256Gcm);

impl Frames {
    /// Seals a frame.
    pub fn seal(&self, at: &FrameAt, last: bool, plain: &[u8]) -> Vec<u8> {
        let (nonce, cipher, tag) = self.0.seal(&at.aad(last), plain);
        [nonce.as_slice(), &cipher, &tag].concat()
    }

    /// Opens a frame that stands here.
    pub fn open(&self, at: &FrameAt, last: bool, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        let (nonce, rest) = sealed.split_first_chunk().ok_or(CustodyError::Format)?;
        let (cipher, tag) = rest.split_last_chunk().ok_or(CustodyError::Format)?;
        self.0.open(nonce, &at.aad(last), cipher, tag).map_err(|_| CustodyError::NotOpened)
    }
}

fn place(domain: VaultId, id: [u8; 16]) -> Binding {
    Binding { vault: *domain.as_bytes(), kind: KIND, object: id, version: [0; 16], counter: 1 }
}

fn info(domain: VaultId) -> Vec<u8> {
    [b"keystead backup key 1".as_slice(), domain.as_bytes()].concat()
}

fn aad(said: &[u8]) -> Vec<u8> {
    [&[VERSION], said].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: VaultId = VaultId::from_bytes([1; 16]);
    const OTHER: VaultId = VaultId::from_bytes([2; 16]);

    #[test]
    fn the_domain_and_the_blob_key_open_the_same_key_and_nothing_else_does() {
        let (domain, key) = (DomainKey::generate(), BackupKey::generate());
        let sealed = domain.public().seal_backup(DOMAIN, b"said", &key).unwrap();
        assert_eq!(domain.open_backup(DOMAIN, b"said", &sealed).unwrap().expose(), key.expose());
        let refused = Some(CustodyError::NotOpened);
        assert_eq!(DomainKey::generate().open_backup(DOMAIN, b"said", &sealed).err(), refused);
        assert_eq!(domain.open_backup(OTHER, b"said", &sealed).err(), refused);
        assert_eq!(domain.open_backup(DOMAIN, b"sad", &sealed).err(), refused);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(domain.open_backup(DOMAIN, b"said", &changed).is_err(), "{at}");
        }
        let blobs = |byte| Sealer::new(&[byte; 32], Usage::Backup, 1);
        let wrapped = key.wrap(&blobs(1), DOMAIN, [7; 16], b"said");
        let unwrap = |blobs: Sealer, domain, id, said: &[u8]| BackupKey::unwrap(&blobs, domain, id, said, &wrapped);
        assert_eq!(unwrap(blobs(1), DOMAIN, [7; 16], b"said").unwrap().expose(), key.expose());
        assert_eq!(unwrap(blobs(2), DOMAIN, [7; 16], b"said").err(), refused);
        assert_eq!(unwrap(blobs(1), OTHER, [7; 16], b"said").err(), refused);
        assert_eq!(unwrap(blobs(1), DOMAIN, [8; 16], b"said").err(), refused);
        assert_eq!(unwrap(blobs(1), DOMAIN, [7; 16], b"sad").err(), refused);
    }

    #[test]
    fn frames_open_in_their_order_only_and_the_last_is_the_last() {
        let frames = BackupKey::from_bytes(&[3; 32]).frames(b"header");
        let first = FrameAt::first(b"header");
        let one = frames.seal(&first, false, b"one");
        let second = first.next(&one);
        let two = frames.seal(&second, true, b"two");
        assert_eq!(one.len(), 3 + BackupKey::OVERHEAD);
        assert_eq!(frames.open(&first, false, &one).unwrap().as_slice(), b"one");
        assert_eq!(frames.open(&second, true, &two).unwrap().as_slice(), b"two");
        assert!(frames.open(&first, true, &one).is_err() && frames.open(&second, false, &two).is_err());
        assert!(frames.open(&first, true, &two).is_err() && frames.open(&second, false, &one).is_err());
        // The same number, sealed twice: what follows fits the one that it followed.
        let again = frames.seal(&first, false, b"one");
        assert!(frames.open(&first.next(&again), true, &two).is_err());
        assert!(BackupKey::from_bytes(&[3; 32]).frames(b"another").open(&first, false, &one).is_err());
        assert!(frames.open(&FrameAt::first(b"another"), false, &one).is_err());
        for length in 0..one.len() {
            assert!(frames.open(&first, false, &one[..length]).is_err(), "{length}");
        }
    }
}
