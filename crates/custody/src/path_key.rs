//! The key of an unseal path, and what it wraps:
//!
//! ```text
//! version 1 byte (1) | generation 4 bytes, big-endian | nonce 12 | ciphertext 32 | tag 16
//! ```
//!
//! The generation of a wrapped domain key is 0. Domain key and root have a wrapping key each, one for every vault,
//! derived from the path key by HKDF-SHA256; the associated data binds version, which of the two, vault and generation
//! again.

use crate::secret::Secret;
use crate::{CustodyError, DomainKey, Root};
use keystead_crypto::aes::Aes256Gcm;
use keystead_crypto::hkdf::Extracted;
use keystead_model::{Generation, VaultId};
use zeroize::Zeroizing;

/// The key of an unseal path: 32 random bytes, cleared when dropped.
pub struct PathKey(Secret);

impl PathKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self(Secret::random())
    }

    /// From the bytes the path keeps; the caller clears its own copy.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::copied(bytes))
    }
}

/// Wraps a vault's domain private key.
pub fn wrap_domain(path: &PathKey, vault: VaultId, domain: &DomainKey) -> Vec<u8> {
    wrap(path, Wrapped::Domain, vault, 0, domain.private())
}

/// Opens what [`wrap_domain`] wrote for this vault.
pub fn unwrap_domain(path: &PathKey, vault: VaultId, wrapped: &[u8]) -> Result<DomainKey, CustodyError> {
    match unwrap(path, Wrapped::Domain, vault, wrapped)? {
        (0, opened) => DomainKey::from_opened(&opened).ok_or(CustodyError::NotOpened),
        _ => Err(CustodyError::Format),
    }
}

/// Wraps a generation of a vault's root.
pub fn wrap_root(path: &PathKey, vault: VaultId, root: &Root) -> Vec<u8> {
    wrap(path, Wrapped::Root, vault, root.generation().0, root.key())
}

/// Opens what [`wrap_root`] wrote for this vault.
pub fn unwrap_root(path: &PathKey, vault: VaultId, wrapped: &[u8]) -> Result<Root, CustodyError> {
    let (generation, opened) = unwrap(path, Wrapped::Root, vault, wrapped)?;
    Root::from_opened(&opened, Generation(generation)).ok_or(CustodyError::NotOpened)
}

/// What is wrapped. The number stands in key derivation and never changes its meaning.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Wrapped {
    Domain = 1,
    Root = 2,
}

const VERSION: u8 = 1;
const SALT: &[u8] = b"keystead path wrap 1";

fn wrap(path: &PathKey, what: Wrapped, vault: VaultId, generation: u32, key: &[u8; 32]) -> Vec<u8> {
    let (nonce, cipher, tag) = cipher_of(path, what, vault).seal(&aad(what, vault, generation), key);
    [&[VERSION], generation.to_be_bytes().as_slice(), &nonce, &cipher, &tag].concat()
}

fn unwrap(
    path: &PathKey,
    what: Wrapped,
    vault: VaultId,
    wrapped: &[u8],
) -> Result<(u32, Zeroizing<Vec<u8>>), CustodyError> {
    let (generation, nonce, cipher, tag) = parts_of(wrapped).ok_or(CustodyError::Format)?;
    let opened = cipher_of(path, what, vault).open(nonce, &aad(what, vault, generation), cipher, tag);
    opened.map(|key| (generation, key)).map_err(|_| CustodyError::NotOpened)
}

type Parts<'a> = (u32, &'a [u8; 12], &'a [u8; 32], &'a [u8; 16]);

fn parts_of(wrapped: &[u8]) -> Option<Parts<'_>> {
    let rest = wrapped.strip_prefix(&[VERSION])?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (cipher, rest) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*generation), nonce, cipher, rest.try_into().ok()?))
}

fn cipher_of(path: &PathKey, what: Wrapped, vault: VaultId) -> Aes256Gcm {
    let extracted = Extracted::new(SALT, path.0.bytes());
    Aes256Gcm::new(&extracted.key(&[&[what as u8], vault.as_bytes()]))
}

fn aad(what: Wrapped, vault: VaultId, generation: u32) -> Vec<u8> {
    [&[VERSION, what as u8], vault.as_bytes().as_slice(), &generation.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VAULT: VaultId = VaultId::from_bytes([1; 16]);
    const LEN: usize = 65;

    #[test]
    fn what_a_path_wrapped_it_unwraps() {
        let path = PathKey::generate();
        let (domain, root) = (DomainKey::generate(), Root::generate(Generation(9)));
        let (wrapped_domain, wrapped_root) = (wrap_domain(&path, VAULT, &domain), wrap_root(&path, VAULT, &root));
        assert_eq!((wrapped_domain.len(), wrapped_root.len()), (LEN, LEN));
        assert_eq!(unwrap_domain(&path, VAULT, &wrapped_domain).unwrap().public(), domain.public());
        assert!(unwrap_root(&path, VAULT, &wrapped_root).unwrap().same_as(&root));
    }

    #[test]
    fn another_path_vault_or_purpose_does_not_unwrap_it() {
        let path = PathKey::generate();
        let domain = wrap_domain(&path, VAULT, &DomainKey::generate());
        let root = wrap_root(&path, VAULT, &Root::generate(Generation(1)));
        let (other, elsewhere) = (PathKey::generate(), VaultId::from_bytes([2; 16]));
        let refused = Some(CustodyError::NotOpened);
        assert_eq!(unwrap_domain(&other, VAULT, &domain).err(), refused);
        assert_eq!(unwrap_root(&other, VAULT, &root).err(), refused);
        assert_eq!(unwrap_domain(&path, elsewhere, &domain).err(), refused);
        assert_eq!(unwrap_root(&path, elsewhere, &root).err(), refused);
        assert_eq!(unwrap_root(&path, VAULT, &domain).err(), refused);
        assert_eq!(unwrap_domain(&path, VAULT, &root).err(), refused);
    }

    #[test]
    fn a_domain_key_with_a_generation_is_no_known_format() {
        let path = PathKey::generate();
        let wrapped = wrap(&path, Wrapped::Domain, VAULT, 1, &[7; 32]);
        assert_eq!(unwrap_domain(&path, VAULT, &wrapped).err(), Some(CustodyError::Format));
    }

    proptest! {
        #[test]
        fn any_change_to_a_wrap_is_seen(at in 0..LEN, bit in 0u8..8, length in 0..LEN) {
            let path = PathKey::from_bytes(&[3; 32]);
            for root in [true, false] {
                let mut wrapped = match root {
                    true => wrap_root(&path, VAULT, &Root::generate(Generation(9))),
                    false => wrap_domain(&path, VAULT, &DomainKey::generate()),
                };
                let error = |bytes: &[u8]| match root {
                    true => unwrap_root(&path, VAULT, bytes).err(),
                    false => unwrap_domain(&path, VAULT, bytes).err(),
                };
                prop_assert_eq!(error(&wrapped), None);
                prop_assert_eq!(error(&wrapped[..length]), Some(CustodyError::Format));
                wrapped[at] ^= 1 << bit;
                prop_assert!(error(&wrapped).is_some());
                wrapped[at] ^= 1 << bit;
                wrapped.push(0);
                prop_assert_eq!(error(&wrapped), Some(CustodyError::Format));
            }
        }
    }
}
