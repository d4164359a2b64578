//! The HSM wrapping key of a vault: a datum of the domain. What a token wrapped under it, any token that was given it
//! unwraps, so whoever restores the domain brings the vault's HSM keys into an empty token.
//!
//! ```text
//! version 1 byte (1) | key id 16 bytes | HPKE: encapsulated key 32 | ciphertext 32 | tag 16
//! ```
//!
//! HPKE's info is a label and the vault's id; its associated data the version and the key id.

use crate::secret::Secret;
use crate::{CustodyError, DomainKey, DomainPublic};
use keystead_crypto::aes::wrap::wrap_padded;
use keystead_crypto::hpke;
use keystead_model::VaultId;

/// A wrapping key in clear: on its way from the domain into a token. Cleared when dropped; no Debug.
pub struct WrappingKey {
    id: [u8; 16],
    key: Secret,
}

const VERSION: u8 = 1;
const HEAD: usize = 17;
const BODY: usize = 32 + hpke::OVERHEAD;

impl WrappingKey {
    /// A new random key of AES-256.
    pub fn generate() -> Self {
        Self::of(Secret::random())
    }

    /// From a domain's secrets.
    pub(crate) fn of(key: Secret) -> Self {
        Self { id: id_of(key.bytes()), key }
    }

    /// Its id: CKA_ID in every token that has it. Only the key makes it, so no other can stand in its place.
    pub const fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The key itself: to be wrapped for a token.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.bytes()
    }
}

impl DomainPublic {
    /// Seals the wrapping key of this vault to the domain. [`CustodyError::BadPublic`] if this is no public key.
    pub fn seal_wrapping(&self, vault: VaultId, key: &WrappingKey) -> Result<Vec<u8>, CustodyError> {
        let head = [&[VERSION], key.id.as_slice()].concat();
        let body = hpke::seal(self.as_bytes(), &info(vault), &head, key.expose()).ok_or(CustodyError::BadPublic)?;
        Ok([head, body].concat())
    }
}

impl DomainKey {
    /// Opens what [`DomainPublic::seal_wrapping`] sealed.
    pub fn open_wrapping(&self, vault: VaultId, sealed: &[u8]) -> Result<WrappingKey, CustodyError> {
        let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(CustodyError::Format)?;
        let [version, id @ ..] = head;
        if *version != VERSION || body.len() != BODY {
            return Err(CustodyError::Format);
        }
        let opened = hpke::open(self.private(), &info(vault), head, body).ok_or(CustodyError::NotOpened)?;
        let key = WrappingKey::of(Secret::of(&opened).ok_or(CustodyError::NotOpened)?);
        if key.id == *id { Ok(key) } else { Err(CustodyError::NotOpened) }
    }
}

/// What tokens know the key by: the end of what it makes of a fixed text with AES key wrap with padding (RFC 5649).
fn id_of(key: &[u8; 32]) -> [u8; 16] {
    // A key of 32 bytes and a text of 16 are what the function takes.
    let wrapped = wrap_padded(key, IDENTIFYING).unwrap_or_default();
    wrapped.last_chunk().copied().unwrap_or_default()
}

/// As `hsm` has it, where tokens are asked for the same.
const IDENTIFYING: &[u8; 16] = b"keystead key id.";

fn info(vault: VaultId) -> Vec<u8> {
    [b"keystead hsm wrapping key 1".as_slice(), vault.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([1; 16]);

    #[test]
    fn a_wrapping_key_opens_with_its_domain_and_vault_only() {
        let (domain, key) = (DomainKey::generate(), WrappingKey::generate());
        let sealed = domain.public().seal_wrapping(VAULT, &key).unwrap();
        assert_eq!(sealed.len(), HEAD + BODY);
        let opened = domain.open_wrapping(VAULT, &sealed).unwrap();
        assert_eq!((opened.id(), opened.expose()), (key.id(), key.expose()));
        for (domain, vault) in [(&domain, VaultId::from_bytes([2; 16])), (&DomainKey::generate(), VAULT)] {
            assert_eq!(domain.open_wrapping(vault, &sealed).err(), Some(CustodyError::NotOpened));
        }
    }

    #[test]
    fn its_id_is_its_own() {
        assert_ne!(WrappingKey::generate().id(), WrappingKey::generate().id());
        // RFC 5649 under a key of zeros: the id stands in tokens and rows.
        let expected = "b16477e3f6f8925bf6dfddcec4eef33a";
        assert_eq!(hex::encode(id_of(&[0; 32])), expected);
    }

    #[test]
    fn any_change_of_it_is_seen() {
        let domain = DomainKey::generate();
        let sealed = domain.public().seal_wrapping(VAULT, &WrappingKey::generate()).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(domain.open_wrapping(VAULT, &changed).is_err(), "{at}");
            assert_eq!(domain.open_wrapping(VAULT, &sealed[..at]).err(), Some(CustodyError::Format));
        }
    }
}
