//! The domain key pair, and generations sealed to its public half:
//!
//! ```text
//! version 1 byte (1) | generation 4 bytes, big-endian | HPKE: encapsulated key 32 | ciphertext 32 | tag 16
//! ```
//!
//! HPKE's info is a label and the vault's id; its associated data the version and the generation.

use crate::secret::Secret;
use crate::{CustodyError, Root};
use keystead_crypto::{hpke, sha256};
use keystead_model::{Generation, VaultId};
use std::fmt;

/// A vault's domain key pair: what the quorum of custodians, or a path in its stead, restores. Cleared when dropped.
pub struct DomainKey {
    private: Secret,
    public: DomainPublic,
}

impl DomainKey {
    /// A new random key pair.
    pub fn generate() -> Self {
        let (private, public) = hpke::generate();
        Self { private: Secret::copied(&private), public: DomainPublic(public) }
    }

    /// The half that is no secret.
    pub fn public(&self) -> DomainPublic {
        self.public
    }

    /// Opens a generation of this vault that [`DomainPublic::seal_root`] sealed.
    pub fn open_root(&self, vault: VaultId, sealed: &[u8]) -> Result<Root, CustodyError> {
        let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(CustodyError::Format)?;
        let (version, generation) = head.split_first().ok_or(CustodyError::Format)?;
        if *version != VERSION || body.len() != BODY {
            return Err(CustodyError::Format);
        }
        let generation = generation.try_into().map(u32::from_be_bytes).map_err(|_| CustodyError::Format)?;
        let opened = hpke::open(self.private(), &info(vault), head, body).ok_or(CustodyError::NotOpened)?;
        Root::from_opened(&opened, Generation(generation)).ok_or(CustodyError::NotOpened)
    }

    /// What came out of a wrap, if it is a private key.
    pub(crate) fn from_opened(opened: &[u8]) -> Option<Self> {
        let private = Secret::of(opened)?;
        let public = DomainPublic(hpke::public_of(private.bytes())?);
        Some(Self { private, public })
    }

    /// For wrapping.
    pub(crate) fn private(&self) -> &[u8; 32] {
        self.private.bytes()
    }
}

/// The public half of a domain key (X25519): seals generations without anyone who could open them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainPublic([u8; 32]);

impl DomainPublic {
    /// As read from a row.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As kept in a row.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people know it by.
    pub fn id(&self) -> DomainId {
        let digest = sha256(&[b"keystead domain id 1", &self.0]);
        DomainId(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Seals a generation of this vault to the domain. [`CustodyError::BadPublic`] if this is no public key.
    pub fn seal_root(&self, vault: VaultId, root: &Root) -> Result<Vec<u8>, CustodyError> {
        let head = [&[VERSION], root.generation().0.to_be_bytes().as_slice()].concat();
        let body = hpke::seal(&self.0, &info(vault), &head, root.key()).ok_or(CustodyError::BadPublic)?;
        Ok([head, body].concat())
    }
}

/// What a security domain is called wherever people see it: sixteen hexadecimal digits, made of its public key. It says
/// which custodians are meant, and proves nothing: machines compare the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainId([u8; 8]);

impl DomainId {
    /// As a file says it.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// As a file keeps it.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

const VERSION: u8 = 1;
const HEAD: usize = 5;
const BODY: usize = 32 + hpke::OVERHEAD;

fn info(vault: VaultId) -> Vec<u8> {
    [b"keystead sealed root 1".as_slice(), vault.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VAULT: VaultId = VaultId::from_bytes([1; 16]);

    #[test]
    fn a_sealed_root_opens_with_its_domain_and_vault_only() {
        let (domain, root) = (DomainKey::generate(), Root::generate(Generation(3)));
        let sealed = domain.public().seal_root(VAULT, &root).unwrap();
        assert_eq!(sealed.len(), HEAD + BODY);
        assert!(domain.open_root(VAULT, &sealed).unwrap().same_as(&root));
        let elsewhere = domain.open_root(VaultId::from_bytes([2; 16]), &sealed);
        assert_eq!(elsewhere.err(), Some(CustodyError::NotOpened));
        assert_eq!(DomainKey::generate().open_root(VAULT, &sealed).err(), Some(CustodyError::NotOpened));
    }

    #[test]
    fn a_domain_is_called_the_same_in_every_release() {
        let id = DomainPublic::from_bytes([7; 32]).id();
        assert_eq!(id.to_string(), "1b88d4d52094589f");
        assert_eq!(DomainId::from_bytes(*id.as_bytes()), id);
        assert_ne!(DomainPublic::from_bytes([8; 32]).id(), id);
    }

    #[test]
    fn nothing_is_sealed_to_what_is_no_public_key() {
        let refused = DomainPublic::from_bytes([0; 32]).seal_root(VAULT, &Root::generate(Generation(1)));
        assert_eq!(refused, Err(CustodyError::BadPublic));
    }

    proptest! {
        #[test]
        fn any_change_to_a_sealed_root_is_seen(at in 0..HEAD + BODY, bit in 0u8..8, length in 0..HEAD + BODY) {
            let domain = DomainKey::generate();
            let mut sealed = domain.public().seal_root(VAULT, &Root::generate(Generation(3))).unwrap();
            prop_assert_eq!(domain.open_root(VAULT, &sealed[..length]).err(), Some(CustodyError::Format));
            sealed[at] ^= 1 << bit;
            // X25519 ignores the top bit of the encapsulated key, but HPKE's key schedule does not.
            prop_assert!(domain.open_root(VAULT, &sealed).is_err());
            sealed[at] ^= 1 << bit;
            sealed.push(0);
            prop_assert_eq!(domain.open_root(VAULT, &sealed).err(), Some(CustodyError::Format));
        }
    }
}
