//! What can go wrong with what keeps a root.

/// Errors of sealing, opening, wrapping and unwrapping. None carries a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustodyError {
    /// Not a layout this release reads.
    #[error("the key wrap has an unknown format: it was written by a newer release or is damaged")]
    Format,
    /// It does not open: another key, another vault, or changed bytes.
    #[error(
        "the key wrap does not open: the key belongs to another vault, or the wrap was changed; restore both from one backup"
    )]
    NotOpened,
    /// The domain's public key is not one to which anything can be sealed.
    #[error("the domain's public key is not valid: restore it from a backup")]
    BadPublic,
    /// A key that somebody else gives the server.
    #[error(
        "its key is not the server's to replace: give it another one under another name, add that path, remove this \
         one, and rotate again"
    )]
    NotOurs,
}
