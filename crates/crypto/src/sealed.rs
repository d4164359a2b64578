//! The sealed record, in which everything a vault stores is kept:
//!
//! ```text
//! format 1 byte | generation 4 bytes, big-endian | nonce 12 | ciphertext | tag 16
//! ```
//!
//! The ciphertext is AES-256-GCM over the plaintext, one byte 80 and zeros up to the next multiple of 256 bytes. Each
//! place (usage, vault, kind, object, version) has a key of its own, derived from the generation's key by HKDF-SHA256;
//! the associated data binds the place again, the row's counter, the format, the generation and what the caller adds.
//! So nothing opens anywhere but where it was sealed, and an older content of the same row is told from the newer.

use crate::aes::Aes256Gcm;
use crate::hkdf::Extracted;
use crate::random;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a sealer's records hold. Records of one usage never open as those of another. The number stands in key
/// derivation and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Usage {
    /// Attributes, policies, everything that is not key material.
    Records = 1,
    /// Private and symmetric keys.
    KeyMaterial = 2,
    /// The sealed part of audit records.
    AuditDetail = 3,
    /// Backups of keys, which leave the vault.
    Backup = 4,
}

/// Where a record stands. It opens there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The vault's id.
    pub vault: [u8; 16],
    /// The kind of row.
    pub kind: u8,
    /// The object's id.
    pub object: [u8; 16],
    /// The version's id; zeros if it is not about a version.
    pub version: [u8; 16],
    /// The row's own counter, from 1.
    pub counter: u64,
}

/// Why a sealed record does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenFailed {
    /// Not a sealed record of a format this release reads.
    #[error("not a sealed record of a known format: it was written by a newer release or is damaged")]
    Format,
    /// Sealed under another generation of the root.
    #[error("sealed under root generation {found}, and generation {held} is held: open it with that generation")]
    Generation {
        /// The generation that the record names.
        found: u32,
        /// The generation of this sealer.
        held: u32,
    },
    /// Changed, moved from another place, older than the row, or sealed under another key.
    #[error("the sealed record was changed or does not belong here: restore it from a backup and run verify")]
    Forged,
}

/// Seals and opens the records of one usage under one root generation. Cheap to clone; its key is cleared with the
/// last clone.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    key: Extracted,
    usage: Usage,
    generation: u32,
    /// Opens what an earlier generation sealed.
    older: Option<Sealer>,
}

impl Sealer {
    /// From the generation's key (32 random bytes).
    pub fn new(key: &[u8; 32], usage: Usage, generation: u32) -> Self {
        Self(Arc::new(Inner { key: Extracted::new(SALT, key), usage, generation, older: None }))
    }

    /// From the generation's key; what `older` opens, this opens too. It seals under its own generation alone.
    pub fn after(older: Self, key: &[u8; 32], generation: u32) -> Self {
        let (usage, older) = (older.0.usage, Some(older));
        Self(Arc::new(Inner { key: Extracted::new(SALT, key), usage, generation, older }))
    }

    /// The root generation it seals under.
    pub fn generation(&self) -> u32 {
        self.0.generation
    }

    /// Seals for one place; `extra` is bound and must be given again to open. The result has
    /// [`sealed_len`] bytes.
    pub fn seal(&self, binding: &Binding, extra: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = random();
        self.seal_with(nonce, binding, extra, plain)
    }

    /// Opens what was sealed for this place with the same extra data.
    pub fn open(&self, binding: &Binding, extra: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenFailed> {
        let parts = Parts::of(sealed).ok_or(OpenFailed::Format)?;
        let (found, held) = (parts.generation, self.0.generation);
        if found != held {
            let older = self.0.older.as_ref().filter(|_| found < held);
            let unknown = OpenFailed::Generation { found, held };
            return older.map_or(Err(unknown), |older| {
                older.open(binding, extra, sealed).map_err(|e| match e {
                    OpenFailed::Generation { .. } => unknown,
                    other => other,
                })
            });
        }
        let key = Aes256Gcm::new(&self.record_key(binding));
        let aad = self.aad(binding, extra);
        let mut plain = key.open(parts.nonce, &aad, parts.cipher, parts.tag).map_err(|_| OpenFailed::Forged)?;
        let end = plain.iter().rposition(|byte| *byte != 0).ok_or(OpenFailed::Forged)?;
        if plain.get(end) != Some(&END) {
            return Err(OpenFailed::Forged);
        }
        plain.truncate(end);
        Ok(plain)
    }

    fn seal_with(&self, nonce: [u8; 12], binding: &Binding, extra: &[u8], plain: &[u8]) -> Vec<u8> {
        let key = Aes256Gcm::new(&self.record_key(binding));
        // Sized at once: a buffer that grew would leave plaintext behind.
        let mut out = Vec::with_capacity(sealed_len(plain.len()));
        out.push(FORMAT);
        out.extend_from_slice(&self.0.generation.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        out.push(END);
        out.resize(HEADER.saturating_add(padded_len(plain.len())), 0);
        let (_, text) = out.split_at_mut(HEADER);
        let tag = key.seal_in_place(nonce, &self.aad(binding, extra), text);
        out.extend_from_slice(&tag);
        out
    }

    fn record_key(&self, binding: &Binding) -> Zeroizing<[u8; 32]> {
        self.0.key.key(&[&self.place(binding)])
    }

    fn aad(&self, binding: &Binding, extra: &[u8]) -> Vec<u8> {
        let generation = self.0.generation.to_be_bytes();
        [&self.place(binding), binding.counter.to_be_bytes().as_slice(), &[FORMAT], &generation, extra].concat()
    }

    /// Every field has a fixed length, so no two places look alike.
    fn place(&self, b: &Binding) -> Vec<u8> {
        [&[self.0.usage as u8], b.vault.as_slice(), &[b.kind], &b.object, &b.version].concat()
    }
}

/// The generation a sealed record names, if it is one of a known format. Not yet proven: opening proves it.
pub fn generation_of(sealed: &[u8]) -> Option<u32> {
    Parts::of(sealed).map(|parts| parts.generation)
}

/// How many bytes a plaintext of so many takes when sealed.
pub const fn sealed_len(plain: usize) -> usize {
    padded_len(plain).saturating_add(HEADER + TAG)
}

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 4 + 12;
const TAG: usize = 16;
const STEP: usize = 256;
/// Ends the plaintext; what follows are zeros.
const END: u8 = 0x80;
const SALT: &[u8] = b"keystead sealed record 1";

const fn padded_len(plain: usize) -> usize {
    // The end byte always has room: 255 bytes fill one step, 256 take two.
    (plain / STEP).saturating_add(1).saturating_mul(STEP)
}

struct Parts<'a> {
    generation: u32,
    nonce: &'a [u8; 12],
    cipher: &'a [u8],
    tag: &'a [u8; TAG],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Option<Self> {
        let rest = sealed.strip_prefix(&[FORMAT])?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (cipher, tag) = rest.split_last_chunk()?;
        let whole = !cipher.is_empty() && cipher.len().is_multiple_of(STEP);
        whole.then_some(Self { generation: u32::from_be_bytes(*generation), nonce, cipher, tag })
    }
}

#[cfg(test)]
mod tests;
