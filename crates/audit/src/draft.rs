//! A record on its way: made of a permit or a denial, which it consumes, and encoded once, when the outcome is known.

use crate::noted::{Note, cut};
use crate::record::{Fields, Record};
use keystead_access::{Ask, Denial, Ground, Permit, Who};
use keystead_crypto::sealed::{Binding, OpenFailed, Sealer};
use keystead_model::{Action, NodeId, ObjectId, OperationId, Revision, Target, Time, VaultId, Version};
use minicbor::{Decode, Encode};

/// What came of an operation: a number that stands in records and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome(pub u16);

impl Outcome {
    /// It was done.
    pub const DONE: Self = Self(0);
    /// The policy refused it.
    pub const DENIED: Self = Self(1);
    /// The first code free for the reasons for which permitted work fails.
    pub const FIRST_FAILURE: u16 = 2;
}

/// Who, from where and why: the part of a record that is sealed. A text over its bound is cut, and ends with `… cut`
/// and the SHA-256 of all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Detail {
    /// Issuer of the caller. None for a mandate.
    #[n(0)]
    pub issuer: Option<String>,
    /// The caller's subject; for a mandate, who stored it.
    #[n(1)]
    pub subject: Option<String>,
    /// The client application.
    #[n(2)]
    pub application: Option<String>,
    /// The caller's network address.
    #[n(3)]
    pub address: Option<String>,
    /// What it fell on, as a scope: `/keys/{name}`.
    #[n(4)]
    pub target: Option<String>,
    /// Why it was allowed. None for a denial.
    #[n(5)]
    pub ground: Option<String>,
    /// Why it was refused or failed; of what was done, what went with it.
    #[n(6)]
    pub reason: Option<String>,
}

/// Why the sealed part of a record does not give its detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDetail {
    /// The record has no sealed part.
    #[error("the record has no sealed part")]
    None,
    /// It does not open under this key.
    #[error(transparent)]
    Sealed(#[from] OpenFailed),
    /// It opened, but is not a detail of this release or an earlier one.
    #[error("the sealed detail is not readable by this release")]
    Malformed,
}

impl Detail {
    /// Opens a record's sealed part.
    pub fn open(record: &Record, key: &Sealer) -> Result<Self, BadDetail> {
        let sealed = record.sealed().ok_or(BadDetail::None)?;
        let plain = key.open(&binding(record.vault(), record.operation(), record.node()), &record.bound(), sealed)?;
        Self::from_cbor(&plain).ok_or(BadDetail::Malformed)
    }

    pub(crate) fn from_cbor(bytes: &[u8]) -> Option<Self> {
        minicbor::decode(bytes).ok()
    }

    fn of(who: &Who, target: &Target) -> Self {
        let named = match who {
            Who::Caller(caller) => Self {
                issuer: Some(cut(caller.principal().issuer(), 512)),
                subject: Some(cut(caller.principal().subject(), 256)),
                application: caller.application().map(|a| cut(a, 256)),
                address: caller.address().map(|a| a.to_string()),
                ..Self::default()
            },
            Who::Mandate(mandate) => Self { subject: Some(cut(&mandate.set_by, 768)), ..Self::default() },
        };
        Self { target: Some(cut(&target.to_string(), 256)), ..named }
    }

    fn to_cbor(&self) -> Vec<u8> {
        // Writing into memory cannot fail.
        minicbor::to_vec(self).unwrap_or_default()
    }
}

fn binding(vault: VaultId, operation: OperationId, node: NodeId) -> Binding {
    Binding { vault: *vault.as_bytes(), kind: 0, object: *operation.as_bytes(), version: *node.as_bytes(), counter: 0 }
}

/// A record that lacks its outcome. A copy is for the case that what the first one says does not come to stand.
#[derive(Clone)]
#[must_use]
pub struct Draft {
    action: Action,
    operation: OperationId,
    at: Time,
    log: VaultId,
    object: [u8; 16],
    version: [u8; 16],
    policy: Revision,
    digest: [u8; 32],
    clear: Vec<u8>,
    sealed: Option<(Detail, Sealer)>,
}

impl Draft {
    /// Of permitted work that has ended, one way or the other.
    pub fn of<C: Ask>(permit: Permit<C>, operation: OperationId, at: Time, log: VaultId, detail: &Sealer) -> Self {
        let ground = match permit.ground() {
            Ground::Role(assignment) => format!("role {assignment}"),
            Ground::Administrator => "administrator".to_owned(),
            Ground::OwnToken => "own token".to_owned(),
            Ground::Mandate(at) => format!("mandate {}", at.0),
        };
        let named = Detail { ground: Some(ground), ..Detail::of(permit.who(), &permit.ask().target()) };
        Self {
            policy: permit.policy(),
            sealed: Some((named, detail.clone())),
            ..Self::bare(C::ACTION, operation, at, log)
        }
    }

    /// Of what was denied.
    pub fn denied(denial: Denial, operation: OperationId, at: Time, log: VaultId, detail: &Sealer) -> Self {
        let named = Detail::of(&denial.who, &denial.target);
        let bare = Self::bare(denial.action, operation, at, log);
        Self { policy: denial.policy, sealed: Some((named, detail.clone())), ..bare }
    }

    /// For the node's own log, about a vault. Has no sealed part; `clear` is CBOR. A body that makes the record longer
    /// than [`Record::MAX`] is refused by the journal.
    pub fn node(action: Action, vault: VaultId, clear: Vec<u8>, operation: OperationId, at: Time) -> Self {
        let bare = Self::bare(action, operation, at, VaultId::from_bytes([0; 16]));
        Self { object: *vault.as_bytes(), clear, ..bare }
    }

    /// For a vault's own log, about a change *to* the vault: how it began, was sealed, was unsealed. In the clear.
    pub fn vault(action: Action, log: VaultId, clear: Vec<u8>, operation: OperationId, at: Time) -> Self {
        Self { clear, ..Self::bare(action, operation, at, log) }
    }

    /// How many requests a log's vault turned away before a decision.
    pub(crate) fn summary(log: VaultId, clear: Vec<u8>, operation: OperationId, at: Time) -> Self {
        Self { clear, ..Self::bare(Action::TurnedAway, operation, at, log) }
    }

    fn bare(action: Action, operation: OperationId, at: Time, log: VaultId) -> Self {
        Self {
            action,
            operation,
            at,
            log,
            object: [0; 16],
            version: [0; 16],
            policy: Revision(0),
            digest: [0; 32],
            clear: Vec::new(),
            sealed: None,
        }
    }

    /// Names the object, and the version of it, that it fell on.
    pub fn about(self, object: ObjectId, version: Option<Version>) -> Self {
        Self { object: *object.as_bytes(), version: version.map_or([0; 16], |v| *v.as_bytes()), ..self }
    }

    /// Digest of the changed rows.
    pub fn changed(self, digest: [u8; 32]) -> Self {
        Self { digest, ..self }
    }

    /// With this in the sealed part, if it has one. Facts that do not fit are cut for all to see; see [`Note::checked`].
    pub fn noting(self, note: Option<&Note>) -> Self {
        let noted = |(detail, key)| (Detail { reason: note.map(Note::to_text), ..detail }, key);
        Self { sealed: self.sealed.map(noted), ..self }
    }

    /// The same of a vault's own record, which has no sealed part before.
    pub fn sealing(self, note: &Note, detail: &Sealer) -> Self {
        let noted = Detail { reason: Some(note.to_text()), ..Detail::default() };
        Self { sealed: Some((noted, detail.clone())), ..self }
    }

    /// The record. `reason` goes into the sealed part, cut to 512 bytes; without one there stands what was noted.
    pub fn encode(self, outcome: Outcome, reason: Option<&str>, node: NodeId) -> Record {
        let fields = Fields {
            action: self.action,
            outcome,
            at: self.at,
            vault: self.log,
            node,
            operation: self.operation,
            object: self.object,
            version: self.version,
            policy: self.policy,
            digest: self.digest,
        };
        let place = binding(self.log, self.operation, node);
        let seal = self.sealed.map(|(detail, key)| {
            let reason = reason.map(|r| cut(r, 512)).or(detail.reason.clone());
            let plain = Detail { reason, ..detail }.to_cbor();
            move |bound: &[u8]| key.seal(&place, bound, &plain)
        });
        Record::build(&fields, &self.clear, seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_access::Mandate;
    use keystead_crypto::sealed::Usage;
    use keystead_model::Name;

    const NODE: NodeId = NodeId::from_bytes([2; 16]);
    const OP: OperationId = OperationId::from_bytes([3; 16]);
    const VAULT: VaultId = VaultId::from_bytes([1; 16]);

    fn sealer(seed: u8) -> Sealer {
        Sealer::new(&[seed; 32], Usage::AuditDetail, 1)
    }

    fn denial(set_by: &str) -> Denial {
        let target = Target::Key(Name::parse(&"k".repeat(127)).unwrap());
        let who = Who::Mandate(Mandate {
            action: Action::Sign,
            target: target.clone(),
            set_by: set_by.into(),
            at: Revision(4),
        });
        Denial { action: Action::Sign, target, who, policy: Revision(6) }
    }

    #[test]
    fn names_are_in_the_sealed_part_and_only_there() {
        let draft = Draft::denied(denial("issuer|alice"), OP, Time(5), VAULT, &sealer(1));
        let mut record =
            draft.about(ObjectId::from_bytes([8; 16]), None).encode(Outcome::DENIED, Some("no role"), NODE);
        record.set_revision(Revision(12));
        let detail = Detail::open(&record, &sealer(1)).unwrap();
        assert_eq!(detail.subject.as_deref(), Some("issuer|alice"));
        assert_eq!(detail.reason.as_deref(), Some("no role"));
        assert_eq!(detail.target, Some(format!("/keys/{}", "k".repeat(127))));
        assert_eq!((detail.ground, record.policy(), record.object().is_some()), (None, Revision(6), true));
        let clear = |needle: &[u8]| record.bytes().windows(needle.len()).any(|w| w == needle);
        assert!(!clear(b"alice") && !clear(b"no role") && !clear(b"/keys/"));
    }

    #[test]
    fn a_detail_opens_only_in_its_own_record() {
        let make = |op| Draft::denied(denial("a"), op, Time(5), VAULT, &sealer(1)).encode(Outcome::DENIED, None, NODE);
        let record = make(OP);
        assert!(matches!(Detail::open(&record, &sealer(2)), Err(BadDetail::Sealed(_))));
        for at in [2, 5, 15, 16, 32, 48, 64, 111, 112] {
            let mut moved = record.bytes().to_vec();
            moved[at] ^= 1;
            let moved = Record::parse(&moved).unwrap();
            assert!(matches!(Detail::open(&moved, &sealer(1)), Err(BadDetail::Sealed(_))), "byte {at}");
        }
        let bare = Draft::node(Action::VaultSealed, VAULT, vec![], OP, Time(5)).encode(Outcome::DONE, Some("x"), NODE);
        assert_eq!(Detail::open(&bare, &sealer(1)), Err(BadDetail::None));
    }

    #[test]
    fn however_long_the_names_the_record_keeps_its_bound() {
        let long = "é".repeat(10_000);
        let record =
            Draft::denied(denial(&long), OP, Time(5), VAULT, &sealer(1)).encode(Outcome::DENIED, Some(&long), NODE);
        assert!(Record::parse(record.bytes()).is_ok());
        let detail = Detail::open(&record, &sealer(1)).unwrap();
        for (text, most) in [(detail.subject.unwrap(), 768), (detail.reason.unwrap(), 512)] {
            assert!((most - 1..=most).contains(&text.len()) && text.contains("… cut"), "{text}");
        }
    }

    #[test]
    fn the_longest_note_fits_into_a_record_beside_the_longest_names() {
        let of = |bytes| Some("n".repeat(bytes));
        let address = std::net::Ipv6Addr::from([0xfe; 16]).to_string();
        let longest = Detail {
            issuer: of(512),
            subject: of(256),
            application: of(256),
            address: Some(address),
            target: of(256),
            ground: of(64),
            reason: None,
        };
        let draft = Draft::denied(denial("a"), OP, Time(5), VAULT, &sealer(1));
        let note = Note::facts("f".repeat(Note::FACTS)).and_said(&"s".repeat(10_000));
        let draft = Draft { sealed: Some((longest.clone(), sealer(1))), ..draft }.noting(Some(&note));
        let record = draft.encode(Outcome::DONE, None, NODE);
        assert!(Record::parse(record.bytes()).is_ok(), "{}", record.bytes().len());
        let detail = Detail::open(&record, &sealer(1)).unwrap();
        assert_eq!(detail, Detail { reason: Some(note.to_text()), ..longest });
        assert_eq!(detail.reason.unwrap().len(), Note::MAX);
    }

    #[test]
    fn the_nodes_log_is_in_the_clear_and_names_the_vault_as_object() {
        let record =
            Draft::node(Action::VaultUnsealed, VAULT, b"\xa0".to_vec(), OP, Time(5)).encode(Outcome::DONE, None, NODE);
        assert_eq!(record.vault(), VaultId::from_bytes([0; 16]));
        assert_eq!(record.object(), Some(ObjectId::from_bytes(*VAULT.as_bytes())));
        assert_eq!((record.clear(), record.sealed()), (&b"\xa0"[..], None));
        let first =
            Draft::vault(Action::VaultCreated, VAULT, b"\xa0".to_vec(), OP, Time(5)).encode(Outcome::DONE, None, NODE);
        assert_eq!((first.vault(), first.action()), (VAULT, Some(Action::VaultCreated)));
    }
}
