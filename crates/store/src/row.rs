//! What the store holds: opaque rows, vaults, and records on their way to the journal.

use keystead_model::{Authority, ObjectId, OperationId, Revision, Time, VaultId, VaultKind, VaultStatus, Version};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// What a row holds. The code stands in the database and is never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $variant = $code,)+
        }

        impl Kind {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The number that stands in the database.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The number's kind, if this release knows it.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The public half of the vault's domain key.
    Domain = 1,
    /// The domain's private key, wrapped by an unseal path.
    WrappedDomain = 2,
    /// A root generation, sealed to the domain.
    SealedRoot = 3,
    /// A root generation, wrapped by an unseal path.
    WrappedRoot = 4,
    /// The vault's own random keys: index key, audit-detail keys.
    Secrets = 5,
    /// The policy.
    Policy = 6,
    /// The built-in issuer.
    Issuer = 7,
    /// A live key: its name and its newest version.
    Key = 8,
    /// One version of a key.
    KeyVersion = 9,
    /// A deleted key that can still be recovered.
    DeletedKey = 10,
    /// A sealed copy of what the vault's own clear columns say.
    Vault = 11,
    /// Which doubt of the clock the vault's administrators confirmed.
    Clock = 12,
    /// The HSM wrapping key, sealed to the domain.
    SealedWrapping = 13,
    /// The vault's settings, once one was changed.
    Settings = 14,
    /// The activation record.
    Activation = 15,
    /// A custodian's confirmation of it.
    Confirmation = 16,
    /// A rotation of the root that is under way.
    RootRotation = 17,
    /// Which unseal paths the vault has.
    Paths = 18,
    /// An operation that was proposed to the approvers, with their votes.
    Proposal = 19,
    /// A backup of the whole vault: how far it has come, and what came of it.
    Backup = 20,
    /// A restore from one.
    Restore = 21,
    /// The security domain's file, encrypted to its custodians.
    SecurityDomain = 22,
    /// That keys were purged: what is removed leaves no other row behind.
    Purged = 25,
}

/// One row. The store reads nothing in `sealed`; the clear columns select candidates and order writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it holds.
    pub kind: Kind,
    /// The name it is found by: a keyed tag, unique per vault, kind and version.
    pub lookup: [u8; 32],
    /// For rows that are one version of something.
    pub version: Option<Version>,
    /// The object, through all its versions.
    pub id: ObjectId,
    /// How often this row was written, from 1. A put must name one more than what stands there.
    pub counter: u64,
    /// The vault's revision that wrote it. Set by the commit; what is given there is ignored.
    pub revision: Revision,
    /// When something is to be done with it.
    pub due: Option<Time>,
    /// The sealed record.
    pub sealed: Vec<u8>,
}

impl Row {
    /// Where the row stands.
    pub const fn key(&self) -> RowKey {
        RowKey { kind: self.kind, lookup: self.lookup, version: self.version }
    }
}

/// Where a row stands in its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// What it holds.
    pub kind: Kind,
    /// The tag it is found by.
    pub lookup: [u8; 32],
    /// `None` is the row without a version, not the newest version.
    pub version: Option<Version>,
}

/// A row that is due, in the order in which they are listed: by time, then by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAt {
    /// When it is due.
    pub due: Time,
    /// Whose it is.
    pub vault: VaultId,
    /// Where it stands there.
    pub key: RowKey,
}

/// What one commit does to the rows of one vault: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows to write. Counter `c` needs the row that stands there to have `c - 1`; 1 needs it to be absent. A row of
    /// the same place and another kind that is removed with `c - 1` counts as that row: so a row moves and goes on
    /// counting.
    pub puts: Vec<Row>,
    /// Rows to remove, each with the counter it was read with.
    pub removes: Vec<(RowKey, u64)>,
    /// Rows that were read and must still have this counter; 0 is absent.
    pub checks: Vec<(RowKey, u64)>,
    /// The puts say what the rows before them said: those keep the revision that first said it.
    pub unchanged: bool,
}

/// One vault, as the instance lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRow {
    /// Its identity, whatever its names.
    pub id: VaultId,
    /// The name the operator uses; unique, compared exactly.
    pub name: String,
    /// Keys and secrets, or HSM keys only.
    pub kind: VaultKind,
    /// What is stored of its state.
    pub status: VaultStatus,
    /// Where it answers, in the order given at creation; each belongs to one vault.
    pub authorities: Vec<Authority>,
    /// How its domain key is held: `file`.
    pub custody: String,
    /// When it was created.
    pub created: Time,
    /// Days a deleted object can be recovered.
    pub retention_days: u8,
    /// The tenant in its challenges and tokens.
    pub tenant: String,
    /// How many changes it has had. Its creation is the first; what is given there is ignored.
    pub revision: Revision,
}

/// Makes the audit record of a change, inside its transaction, once the revision is known. Called at most once and only
/// when nothing else can refuse the commit but the disk.
pub type MakeRecord = Box<dyn FnOnce(Revision) -> OutboxRow + Send>;

/// A record that was committed with its change and that the journal may not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The operation, which commits at most once while its record is here.
    pub operation: OperationId,
    /// The log the record belongs to.
    pub log: VaultId,
    /// The journal's position before the work: where a replay starts to look.
    pub position: u64,
    /// The record.
    pub bytes: Vec<u8>,
}

/// A commit that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The vault's revision after it.
    pub revision: Revision,
    /// The record as it stands in the outbox.
    pub record: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_its_code() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(u8::MAX), None);
    }
}
