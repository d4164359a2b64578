//! The stored rotation policy, and when a key needs something done by itself.

use super::KeyRecord;
use keystead_model::{IsoDuration, Time};
use minicbor::{Decode, Encode};

/// A stored decision to rotate a key, to tell of its end, and how long new versions last. Lengths are ms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RotationRecord {
    /// Rotate this long after the newest version was made.
    #[n(0)]
    pub(crate) after_create: Option<i64>,
    /// Who stored it: `issuer|subject`.
    #[n(1)]
    pub(crate) set_by: String,
    /// New versions expire this long after they are made.
    #[n(2)]
    pub(crate) expiry: Option<i64>,
    /// The policy revision under which it was stored.
    #[n(3)]
    pub(crate) at: u64,
    /// Rotate this long before the newest version expires.
    #[n(4)]
    pub(crate) before_expiry: Option<i64>,
    /// Tell this long before the newest version expires.
    #[n(5)]
    pub(crate) notify: Option<i64>,
    /// The lengths as they were written.
    #[n(6)]
    pub(crate) written: Option<WrittenRecord>,
}

/// A policy's texts and times.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct WrittenRecord {
    #[n(0)]
    pub(crate) rotate: Option<String>,
    #[n(1)]
    pub(crate) notify: Option<String>,
    #[n(2)]
    pub(crate) expiry: Option<String>,
    #[n(3)]
    pub(crate) created: i64,
    #[n(4)]
    pub(crate) updated: i64,
}

/// What the scheduler does with a key, the most pressing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its retention has passed.
    Purge,
    /// Its policy says so. The version that would be told of is no longer the newest then.
    Rotate,
    /// Its newest version expires soon.
    Notify,
}

/// How long before its end a key is told of, where no policy says otherwise.
pub(crate) const DEFAULT_NOTIFY_DAYS: u16 = 30;

impl KeyRecord {
    /// When the scheduler must look at this key again.
    pub(crate) fn due(&self) -> Option<Time> {
        self.works().into_iter().flatten().map(|(_, at)| at).min()
    }

    /// What is to be done now, if anything.
    pub(crate) fn work(&self, now: Time) -> Option<Work> {
        self.works().into_iter().flatten().find(|(_, at)| *at <= now).map(|(work, _)| work)
    }

    fn works(&self) -> [Option<(Work, Time)>; 3] {
        if let Some(deletion) = self.deletion {
            return [Some((Work::Purge, Time(deletion.purge_at))), None, None];
        }
        let rotate = self.rotate_at().map(|at| (Work::Rotate, at));
        [None, rotate, self.notify_at().map(|at| (Work::Notify, at))]
    }

    fn rotate_at(&self) -> Option<Time> {
        let policy = self.rotation.as_ref()?;
        let after = policy.after_create.map(|after| Time(self.newest_created).plus_millis(after));
        after.or_else(|| self.before_expiry(policy.before_expiry?))
    }

    /// Each version is told of once.
    fn notify_at(&self) -> Option<Time> {
        let told = self.notified.is_some_and(|version| *version == self.newest);
        let before = self.rotation.as_ref().and_then(|policy| policy.notify);
        let before = before.unwrap_or_else(|| IsoDuration::days(DEFAULT_NOTIFY_DAYS).millis());
        self.before_expiry(before).filter(|_| !told)
    }

    fn before_expiry(&self, before: i64) -> Option<Time> {
        self.newest_expires.map(|expires| Time(expires.saturating_sub(before)))
    }
}
