//! 32 secret bytes in one place of the heap: who moves the secret moves a pointer, so that no stack keeps a copy.

use keystead_crypto::random_bytes;
use zeroize::Zeroizing;

/// Cleared when dropped; no Debug.
pub(crate) struct Secret(Box<Zeroizing<[u8; LEN]>>);

const LEN: usize = 32;

impl Secret {
    /// New and random.
    pub(crate) fn random() -> Self {
        Self::filled(&random_bytes(LEN))
    }

    /// None if they are not so many.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == LEN).then(|| Self::filled(bytes))
    }

    /// The caller clears his own copy.
    pub(crate) fn copied(bytes: &[u8; LEN]) -> Self {
        Self::filled(bytes)
    }

    fn filled(bytes: &[u8]) -> Self {
        let mut secret = Box::new(Zeroizing::new([0; LEN]));
        for (to, from) in secret.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(secret)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}
