//! What a domain is made of, and how it stands in the security domain:
//!
//! ```text
//! version 1 byte (1) | CBOR map: 0 domain id 16, 1 private key 32, 2 blob key 32, 3 wrapping key 32, if it has one
//! ```
//!
//! What an activated vault works with is the same map without 1. Deterministic: another spelling is refused.

use crate::secret::Secret;
use crate::{CustodyError, DomainKey, WrappingKey};
use keystead_crypto::sha256;
use keystead_model::VaultId;
use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

/// All of a domain: what its custodians keep. Cleared when dropped; no Debug.
pub struct DomainSecrets {
    /// Its private key, which the server of a vault in quorum custody has only while it unseals.
    pub key: DomainKey,
    /// What the vault works with.
    pub working: WorkingKeys,
}

/// The keys of a domain that a vault keeps, sealed under its root. Cleared when dropped; no Debug.
pub struct WorkingKeys {
    /// The domain's id: that of the vault it was born in.
    pub domain: VaultId,
    /// Seals backups.
    pub blob: BlobKey,
    /// Wraps the keys of a vault that has an HSM.
    pub wrapping: Option<WrappingKey>,
}

/// The key that backups are sealed under, in every vault of the domain. Cleared when dropped; no Debug.
pub struct BlobKey(Secret);

impl BlobKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Secret::random())
    }

    /// From the bytes of a record; the caller clears its own copy.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copied(bytes))
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.bytes()
    }
}

impl DomainSecrets {
    /// New and random, for the vault of this id. Only vaults with an HSM need a wrapping key.
    pub fn generate(domain: VaultId, with_wrapping_key: bool) -> Self {
        let wrapping = with_wrapping_key.then(WrappingKey::generate);
        Self { key: DomainKey::generate(), working: WorkingKeys { domain, blob: BlobKey::generate(), wrapping } }
    }

    /// As it stands in the security domain: secret.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        encode(Some(self.key.private()), &self.working)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CustodyError> {
        let (private, working) = decode(bytes)?;
        let key = private.and_then(|private| DomainKey::from_opened(private.bytes()));
        Ok(Self { key: key.ok_or(CustodyError::Format)?, working })
    }
}

impl WorkingKeys {
    /// As they are sent to the vault: secret.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        encode(None, self)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CustodyError> {
        match decode(bytes)? {
            (None, working) => Ok(working),
            (Some(_), _) => Err(CustodyError::Format),
        }
    }

    /// A digest of these keys that tells nothing of them, as they are random: by it a vault knows that it was sent the
    /// keys of which the activation record speaks, and no others.
    pub fn digest(&self) -> [u8; 32] {
        let (has, wrapping) = match &self.wrapping {
            Some(key) => (1, key.expose().as_slice()),
            None => (0, &[][..]),
        };
        sha256(&[b"keystead working keys 1", self.domain.as_bytes(), self.blob.expose(), &[has], wrapping])
    }
}

const VERSION: u8 = 1;
/// More than the longest: version, map, and four keys and values with their heads.
const MOST: usize = 160;

mod tag {
    pub(super) const DOMAIN: u32 = 0;
    pub(super) const PRIVATE: u32 = 1;
    pub(super) const BLOB: u32 = 2;
    pub(super) const WRAPPING: u32 = 3;
}

fn encode(private: Option<&[u8; 32]>, working: &WorkingKeys) -> Zeroizing<Vec<u8>> {
    let fields = [
        (tag::DOMAIN, Some(working.domain.as_bytes().as_slice())),
        (tag::PRIVATE, private.map(<[u8; 32]>::as_slice)),
        (tag::BLOB, Some(working.blob.expose().as_slice())),
        (tag::WRAPPING, working.wrapping.as_ref().map(|key| key.expose().as_slice())),
    ];
    let present = fields.iter().filter(|(_, value)| value.is_some()).count();
    // Never grows, so no copy of a key stays behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST));
    bytes.push(VERSION);
    let mut encoder = Encoder::new(&mut *bytes);
    // Writing into memory does not fail.
    let _ = encoder.map(u64::try_from(present).unwrap_or_default());
    for (tag, value) in fields {
        if let Some(value) = value {
            let _ = encoder.u32(tag).and_then(|encoder| encoder.bytes(value));
        }
    }
    bytes
}

/// The private key, where there is one, and the rest.
type Parts = (Option<Secret>, WorkingKeys);

fn decode(bytes: &[u8]) -> Result<Parts, CustodyError> {
    let body = bytes.strip_prefix(&[VERSION]).ok_or(CustodyError::Format)?;
    let (private, working) = fields(body).ok_or(CustodyError::Format)?;
    let again = encode(private.as_ref().map(Secret::bytes), &working);
    if keystead_crypto::same(&again, bytes) { Ok((private, working)) } else { Err(CustodyError::Format) }
}

/// Whatever their order: that it is the one there is shows when they are written again.
fn fields(body: &[u8]) -> Option<Parts> {
    let mut decoder = Decoder::new(body);
    let (mut domain, mut private, mut blob, mut wrapping) = (None, None, None, None);
    for _ in 0..decoder.map().ok()??.min(4) {
        let (tag, value) = (decoder.u32().ok()?, decoder.bytes().ok()?);
        match tag {
            tag::DOMAIN => domain = Some(VaultId::from_bytes(value.try_into().ok()?)),
            tag::PRIVATE => private = Some(Secret::of(value)?),
            tag::BLOB => blob = Some(BlobKey(Secret::of(value)?)),
            tag::WRAPPING => wrapping = Some(WrappingKey::of(Secret::of(value)?)),
            _ => return None,
        }
    }
    Some((private, WorkingKeys { domain: domain?, blob: blob?, wrapping }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: VaultId = VaultId::from_bytes([5; 16]);

    fn same(a: &WorkingKeys, b: &WorkingKeys) -> bool {
        let wrapping = |keys: &WorkingKeys| keys.wrapping.as_ref().map(|key| *key.expose());
        a.domain == b.domain && a.blob.expose() == b.blob.expose() && wrapping(a) == wrapping(b)
    }

    #[test]
    fn what_is_written_is_read_again() {
        for with in [true, false] {
            let secrets = DomainSecrets::generate(ID, with);
            assert_eq!(secrets.working.wrapping.is_some(), with);
            let bytes = secrets.to_bytes();
            assert!(bytes.len() <= MOST && bytes.capacity() == MOST);
            let again = DomainSecrets::from_bytes(&bytes).unwrap();
            assert!(again.key.public() == secrets.key.public() && same(&again.working, &secrets.working));
            let working = secrets.working.to_bytes();
            assert!(same(&WorkingKeys::from_bytes(&working).unwrap(), &secrets.working));
            // Neither stands for the other.
            assert!(DomainSecrets::from_bytes(&working).is_err() && WorkingKeys::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn the_digest_of_working_keys_is_theirs_alone() {
        let keys = |domain: u8, blob: u8, wrapping: Option<u8>| WorkingKeys {
            domain: VaultId::from_bytes([domain; 16]),
            blob: BlobKey::from_bytes(&[blob; 32]),
            wrapping: wrapping.map(|byte| WrappingKey::of(Secret::copied(&[byte; 32]))),
        };
        let digests: std::collections::BTreeSet<_> =
            [keys(1, 1, None), keys(2, 1, None), keys(1, 2, None), keys(1, 1, Some(1)), keys(1, 1, Some(2))]
                .iter()
                .map(WorkingKeys::digest)
                .collect();
        assert_eq!(digests.len(), 5);
    }

    proptest! {
        #[test]
        fn another_spelling_is_refused(at in 0usize..150, byte: u8, length in 0usize..150) {
            let secrets = DomainSecrets::generate(ID, true);
            let bytes = secrets.to_bytes();
            prop_assert!(DomainSecrets::from_bytes(&bytes[..length.min(bytes.len() - 1)]).is_err());
            let mut changed = bytes.to_vec();
            let at = at.min(bytes.len() - 1);
            changed[at] = byte;
            // A change that is read is one of a key, and is written again as it stands.
            if let Ok(again) = DomainSecrets::from_bytes(&changed) {
                prop_assert_eq!(again.to_bytes().to_vec(), changed.clone());
            }
            changed.push(0);
            prop_assert!(DomainSecrets::from_bytes(&changed).is_err());
        }
    }
}
