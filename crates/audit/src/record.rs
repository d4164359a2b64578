//! One record: a fixed clear header of 148 bytes, a clear body and a sealed part. All numbers are big-endian.
//!
//! ```text
//!   0  version, 1             48  operation id, 16       144  length of the clear body, u16
//!   1  flags (bit 0: sealed)  64  object id, 16          146  length of the sealed part, u16
//!   2  action code, u16       80  key version, 16        148  clear body (CBOR)
//!   4  outcome code, u16      96  revision, u64               sealed part
//!   6  zero, u16             104  policy revision, u64
//!   8  time in ms, i64       112  digest of the
//!  16  vault (the log), 16        changed rows, 32
//!  32  node, 16
//! ```
//!
//! Absent ids, revisions and digests are zeros. A record has at most [`Record::MAX`] bytes. Its entry in the log's
//! tree is SHA-256 over all of it.

use crate::draft::Outcome;
use keystead_crypto::sha256;
use keystead_model::{Action, NodeId, ObjectId, OperationId, Revision, Time, VaultId, Version};
use std::fmt;

const VERSION: u8 = 1;
const SEALED: u8 = 1;
const REVISION: usize = 96;
const DIGEST: usize = 112;
const CLEAR_LEN: usize = 144;
const SEALED_LEN: usize = 146;

/// Bytes that are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// A length that the header does not account for, or above the bound.
    #[error("the record's length is wrong")]
    Length,
    /// A version this release does not know.
    #[error("record version {0} is not known to this release; read it with the release that wrote it, or a later one")]
    Version(u8),
    /// Flags or reserved bytes that no release sets.
    #[error("the record's flags or reserved bytes are wrong")]
    Flags,
}

/// A record's bytes, known to have the right shape.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Vec<u8>);

/// What goes into the clear header.
pub(crate) struct Fields {
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) at: Time,
    pub(crate) vault: VaultId,
    pub(crate) node: NodeId,
    pub(crate) operation: OperationId,
    pub(crate) object: [u8; 16],
    pub(crate) version: [u8; 16],
    pub(crate) policy: Revision,
    pub(crate) digest: [u8; 32],
}

impl Record {
    /// Bytes of the clear header.
    pub const HEADER: usize = 148;
    /// Most bytes of a whole record. The journal refuses a longer one.
    pub const MAX: usize = 4096;

    /// Checks version, flags and lengths; codes of a later release pass.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRecord> {
        if bytes.len() > Self::MAX {
            return Err(BadRecord::Length);
        }
        let head = bytes.first_chunk::<{ Self::HEADER }>().ok_or(BadRecord::Length)?;
        let [version, flags, _, _, _, _, zero @ ..] = head;
        if *version != VERSION {
            return Err(BadRecord::Version(*version));
        }
        let clear = usize::from(u16::from_be_bytes(field(head, CLEAR_LEN)));
        let sealed = usize::from(u16::from_be_bytes(field(head, SEALED_LEN)));
        let reserved = matches!(zero, [0, 0, ..]);
        if !reserved || *flags != u8::from(sealed > 0) {
            return Err(BadRecord::Flags);
        }
        match Self::HEADER.checked_add(clear).and_then(|n| n.checked_add(sealed)) {
            Some(len) if len == bytes.len() => Ok(Self(bytes.to_vec())),
            _ => Err(BadRecord::Length),
        }
    }

    /// A record with these parts. `seal` gets the header it must bind (see [`Record::bound`]).
    ///
    /// Parts too long for the layout give a record longer than [`Record::MAX`], which the journal refuses.
    pub(crate) fn build(fields: &Fields, clear: &[u8], seal: Option<impl FnOnce(&[u8]) -> Vec<u8>>) -> Self {
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(&[VERSION, if seal.is_some() { SEALED } else { 0 }]);
        head.extend_from_slice(&fields.action.code().to_be_bytes());
        head.extend_from_slice(&fields.outcome.0.to_be_bytes());
        head.extend_from_slice(&[0, 0]);
        head.extend_from_slice(&fields.at.0.to_be_bytes());
        for id in [fields.vault.as_bytes(), fields.node.as_bytes(), fields.operation.as_bytes()] {
            head.extend_from_slice(id);
        }
        head.extend_from_slice(&fields.object);
        head.extend_from_slice(&fields.version);
        head.extend_from_slice(&[0; 8]);
        head.extend_from_slice(&fields.policy.0.to_be_bytes());
        head.extend_from_slice(&fields.digest);
        head.extend_from_slice(&[0; 4]);
        let sealed = seal.map(|seal| seal(&head)).unwrap_or_default();
        put(&mut head, CLEAR_LEN, &u16::try_from(clear.len()).unwrap_or(u16::MAX).to_be_bytes());
        put(&mut head, SEALED_LEN, &u16::try_from(sealed.len()).unwrap_or(u16::MAX).to_be_bytes());
        head.extend_from_slice(clear);
        head.extend_from_slice(&sealed);
        Self(head)
    }

    /// The bytes, as they stand in the journal.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the log's tree holds: SHA-256 of the bytes.
    pub fn entry(&self) -> [u8; 32] {
        sha256(&[&self.0])
    }

    /// Writes the vault's revision that this change became. The sealed part does not bind it, so the store can do this
    /// inside its transaction.
    pub fn set_revision(&mut self, revision: Revision) {
        put(&mut self.0, REVISION, &revision.0.to_be_bytes());
    }

    /// What the sealed part is bound to: the header with revision and lengths zeroed.
    pub fn bound(&self) -> [u8; Self::HEADER] {
        let mut head = self.0.first_chunk::<{ Self::HEADER }>().copied().unwrap_or([0; Self::HEADER]);
        put(&mut head, REVISION, &[0; 8]);
        put(&mut head, CLEAR_LEN, &[0; 4]);
        head
    }

    /// The action's number.
    pub fn action_code(&self) -> u16 {
        u16::from_be_bytes(field(&self.0, 2))
    }

    /// The action, if this release knows it.
    pub fn action(&self) -> Option<Action> {
        Action::from_code(self.action_code())
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        Outcome(u16::from_be_bytes(field(&self.0, 4)))
    }

    /// When the work entered.
    pub fn at(&self) -> Time {
        Time(i64::from_be_bytes(field(&self.0, 8)))
    }

    /// The vault whose log this is; zeros for the node's own.
    pub fn vault(&self) -> VaultId {
        VaultId::from_bytes(field(&self.0, 16))
    }

    /// The node that did it.
    pub fn node(&self) -> NodeId {
        NodeId::from_bytes(field(&self.0, 32))
    }

    /// The operation.
    pub fn operation(&self) -> OperationId {
        OperationId::from_bytes(field(&self.0, 48))
    }

    /// The object it fell on, if any. In the node's log: the vault.
    pub fn object(&self) -> Option<ObjectId> {
        present(field(&self.0, 64)).map(ObjectId::from_bytes)
    }

    /// The key version it fell on, if any.
    pub fn version(&self) -> Option<Version> {
        present(field(&self.0, 80)).map(Version::from_bytes)
    }

    /// The vault's revision after this change; `None` if nothing changed.
    pub fn revision(&self) -> Option<Revision> {
        match u64::from_be_bytes(field(&self.0, REVISION)) {
            0 => None,
            n => Some(Revision(n)),
        }
    }

    /// The policy revision that decided.
    pub fn policy(&self) -> Revision {
        Revision(u64::from_be_bytes(field(&self.0, 104)))
    }

    /// Digest of the changed rows, if any changed.
    pub fn digest(&self) -> Option<[u8; 32]> {
        Some(field(&self.0, DIGEST)).filter(|d| *d != [0; 32])
    }

    /// The clear body: CBOR, empty for most records.
    pub fn clear(&self) -> &[u8] {
        self.parts().0
    }

    /// The sealed part, if there is one.
    pub fn sealed(&self) -> Option<&[u8]> {
        Some(self.parts().1).filter(|s| !s.is_empty())
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let clear = usize::from(u16::from_be_bytes(field(&self.0, CLEAR_LEN)));
        self.0.get(Self::HEADER..).and_then(|body| body.split_at_checked(clear)).unwrap_or_default()
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..value.len())) {
        to.copy_from_slice(value);
    }
}

fn present(id: [u8; 16]) -> Option<[u8; 16]> {
    Some(id).filter(|id| *id != [0; 16])
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, outcome) = (self.action_code(), self.outcome().0);
        write!(f, "Record(action {action}, outcome {outcome}, {:?}, {:?})", self.vault(), self.operation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields() -> Fields {
        Fields {
            action: Action::Sign,
            outcome: Outcome::DENIED,
            at: Time(0x0102_0304_0506),
            vault: VaultId::from_bytes([1; 16]),
            node: NodeId::from_bytes([2; 16]),
            operation: OperationId::from_bytes([3; 16]),
            object: [4; 16],
            version: [5; 16],
            policy: Revision(7),
            digest: [6; 32],
        }
    }

    fn record(clear: &[u8], sealed: Option<Vec<u8>>) -> Record {
        Record::build(&fields(), clear, sealed.map(|s| move |_: &[u8]| s))
    }

    #[test]
    fn fields_stand_where_the_layout_says() {
        let mut r = record(b"clear", Some(b"sealed".to_vec()));
        r.set_revision(Revision(9));
        let b = r.bytes();
        assert_eq!(b[..8], [1, 1, 0, 13, 0, 1, 0, 0]);
        assert_eq!(b[8..16], 0x0102_0304_0506_i64.to_be_bytes());
        for (i, n) in [(16, 1), (32, 2), (48, 3), (64, 4), (80, 5)] {
            assert_eq!(b[i..i + 16], [n; 16]);
        }
        assert_eq!(b[96..104], 9_u64.to_be_bytes());
        assert_eq!(b[104..112], 7_u64.to_be_bytes());
        assert_eq!(b[112..144], [6; 32]);
        assert_eq!(b[144..148], [0, 5, 0, 6]);
        assert_eq!(&b[148..], b"clearsealed");
        let back = Record::parse(b).unwrap();
        assert_eq!((back.action(), back.outcome(), back.at()), (Some(Action::Sign), Outcome::DENIED, fields().at));
        assert_eq!((back.vault(), back.node(), back.operation()), (fields().vault, fields().node, fields().operation));
        assert_eq!(back.object(), Some(ObjectId::from_bytes([4; 16])));
        assert_eq!(back.version(), Some(Version::from_bytes([5; 16])));
        assert_eq!((back.revision(), back.policy(), back.digest()), (Some(Revision(9)), Revision(7), Some([6; 32])));
        assert_eq!((back.clear(), back.sealed()), (&b"clear"[..], Some(&b"sealed"[..])));
    }

    #[test]
    fn the_revision_can_change_after_sealing() {
        let mut r = record(b"", Some(b"s".to_vec()));
        let before = r.bound();
        r.set_revision(Revision(77));
        assert_eq!(r.bound(), before);
    }

    #[test]
    fn what_has_the_wrong_shape_is_refused() {
        let good = record(b"c", None).bytes().to_vec();
        assert!(Record::parse(&good).is_ok());
        assert_eq!(Record::parse(&good[..good.len() - 1]), Err(BadRecord::Length));
        assert_eq!(Record::parse(&[&good[..], &[0]].concat()), Err(BadRecord::Length));
        for (at, value, error) in [(0, 2, BadRecord::Version(2)), (1, 1, BadRecord::Flags), (6, 1, BadRecord::Flags)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Record::parse(&bad), Err(error));
        }
        let long = record(&vec![0; 4000], None);
        assert_eq!(Record::parse(long.bytes()), Err(BadRecord::Length));
        assert!(record(&vec![0; 70_000], None).bytes().len() > Record::MAX);
    }

    proptest! {
        #[test]
        fn what_parses_is_what_was_written(clear in proptest::collection::vec(any::<u8>(), 0..500),
                                           sealed in proptest::collection::vec(any::<u8>(), 1..500)) {
            let r = record(&clear, Some(sealed.clone()));
            let back = Record::parse(r.bytes()).unwrap();
            prop_assert_eq!(back.clear(), &clear[..]);
            prop_assert_eq!(back.sealed(), Some(&sealed[..]));
            prop_assert_eq!(back.entry(), r.entry());
        }
    }
}
