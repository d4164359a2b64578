//! What stands in the frames of a backup of a whole vault: items, one after the other. A key is a [`KeyItem`], its
//! versions, and an end that says whether the newest was among them; the vault comes first and the count of all last.

use super::key_backup::BackupVersion;
use super::{HsmRecord, KeyRecord, VaultRecord};
use keystead_access::PolicyDocument;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// One item.
#[derive(Clone, PartialEq, Encode, Decode)]
pub(crate) enum Item {
    #[n(0)]
    Vault(#[n(0)] Box<VaultItem>),
    #[n(1)]
    Key(#[n(0)] Box<KeyItem>),
    /// Its material is sealed under the backup's key.
    #[n(2)]
    Version(#[n(0)] Box<BackupVersion>),
    #[n(3)]
    End(#[n(0)] KeyEnd),
    #[n(4)]
    Trailer(#[n(0)] Trailer),
}

/// What the vault is, and its policy.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct VaultItem {
    #[n(0)]
    pub(crate) vault: VaultRecord,
    #[n(1)]
    pub(crate) purge_protection: bool,
    #[n(2)]
    pub(crate) hsm: Option<HsmRecord>,
    /// The name of its own issuer, whose principals are those of whichever vault it is restored in.
    #[n(3)]
    pub(crate) iss: String,
    #[n(4)]
    pub(crate) policy: PolicyDocument,
}

/// A key, live or deleted. Its versions follow.
#[derive(Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeyItem {
    #[n(0)]
    pub(crate) record: KeyRecord,
}

/// The end of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeyEnd {
    /// Whether its newest version was among those before. One that was purged while it was copied is none.
    #[n(0)]
    pub(crate) whole: bool,
}

/// What there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Counts {
    /// Live keys.
    #[n(0)]
    pub(crate) keys: u64,
    #[n(1)]
    pub(crate) deleted: u64,
    #[n(2)]
    pub(crate) versions: u64,
    /// Versions that are resident in a token: they leave it by no way.
    #[n(3)]
    pub(crate) left_out: u64,
}

/// The last item, alone in the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Trailer {
    #[n(0)]
    pub(crate) counts: Counts,
    /// The digest of all that stands before the last frame.
    #[n(1)]
    pub(crate) before: ByteArray<32>,
}

#[cfg(test)]
mod tests;
