//! Store and read a rotation policy: a mandate that the scheduler carries out.

use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::rotation::{DEFAULT_NOTIFY_DAYS, RotationRecord, WrittenRecord};
use crate::room::{Key, Place, Room};
use crate::run::{Effect, Execute};
use keystead_access::{Permit, Who};
use keystead_model::{IsoDuration, Name, Target, Time};
use keystead_store::Changes;

/// What is done with a key by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicy {
    /// When it is rotated; never, if none.
    pub rotate: Option<RotateWhen>,
    /// How long before the newest version expires that is told. None is the default, 30 days.
    pub notify: Option<IsoDuration>,
    /// How long after they are made new versions expire; never, if none.
    pub expiry: Option<IsoDuration>,
}

/// When a key is rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotateWhen {
    /// So long after its newest version was made.
    AfterCreate(IsoDuration),
    /// So long before its newest version expires; never while that has no end.
    BeforeExpiry(IsoDuration),
}

/// A policy as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicyView {
    /// Of which key.
    pub name: Name,
    /// What it says. Notification is always there.
    pub policy: RotationPolicy,
    /// When it was first stored; none if it never was.
    pub created: Option<Time>,
    /// When it was last stored.
    pub updated: Option<Time>,
}

impl RotationPolicy {
    /// Shortest time to a rotation, from a rotation to expiry, and from a notification to expiry, in days.
    pub const MIN_DAYS: u16 = 7;
    /// Shortest expiry, in days.
    pub const MIN_EXPIRY_DAYS: u16 = 28;

    /// Where none is stored: a notification 30 days before the end.
    pub fn unset() -> Self {
        Self { rotate: None, notify: Some(IsoDuration::days(DEFAULT_NOTIFY_DAYS)), expiry: None }
    }

    /// Bounds, so that no policy rotates a key over and over.
    fn check(&self) -> Result<(), Refusal> {
        let days = |n| IsoDuration::days(n).millis();
        let (least, least_expiry) = (days(Self::MIN_DAYS), days(Self::MIN_EXPIRY_DAYS));
        let expiry = self.expiry.as_ref().map(IsoDuration::millis);
        let over = |what| Err(Refusal::BadRotationPolicy { what });
        if expiry.is_some_and(|e| e < least_expiry) {
            return over("attributes.expiryTime is at least 28 days (P28D)");
        }
        if self.notify.as_ref().is_some_and(|n| n.millis() < least) {
            return over("a notification comes at least 7 days (P7D) before expiry");
        }
        let (RotateWhen::AfterCreate(rotate) | RotateWhen::BeforeExpiry(rotate)) = match &self.rotate {
            Some(when) => when,
            None => return Ok(()),
        };
        if rotate.millis() < least {
            return over("a rotation comes at least 7 days (P7D) after creation and before expiry");
        }
        // The other end: what remains of the version's life on the other side of the rotation.
        if expiry.is_some_and(|e| e.saturating_sub(rotate.millis()) < least) {
            return over("a rotation comes at least 7 days (P7D) after creation and before attributes.expiryTime");
        }
        Ok(())
    }

    fn record(&self, permit: &Permit<SetRotationPolicy>, first: Option<i64>, now: Time) -> RotationRecord {
        let text = |d: &IsoDuration| d.as_str().to_owned();
        let millis = |d: Option<&IsoDuration>| d.map(IsoDuration::millis);
        let (after, before) = match &self.rotate {
            Some(RotateWhen::AfterCreate(d)) => (Some(d), None),
            Some(RotateWhen::BeforeExpiry(d)) => (None, Some(d)),
            None => (None, None),
        };
        let notify = self.notify.clone().unwrap_or_else(|| IsoDuration::days(DEFAULT_NOTIFY_DAYS));
        RotationRecord {
            after_create: millis(after),
            before_expiry: millis(before),
            notify: Some(notify.millis()),
            expiry: millis(self.expiry.as_ref()),
            set_by: set_by(permit.who()),
            at: permit.policy().0,
            written: Some(WrittenRecord {
                rotate: after.or(before).map(text),
                notify: Some(text(&notify)),
                expiry: self.expiry.as_ref().map(text),
                created: first.unwrap_or(now.0),
                updated: now.0,
            }),
        }
    }

    fn of(record: &RotationRecord) -> Self {
        let written = record.written.as_ref();
        let read = |text: Option<&String>, millis: i64| {
            let read = text.and_then(|text| text.parse().ok()).filter(|d: &IsoDuration| d.millis() == millis);
            read.unwrap_or_else(|| IsoDuration::from_millis(millis))
        };
        let rotate = |millis| read(written.and_then(|w| w.rotate.as_ref()), millis);
        let after = record.after_create.map(|ms| RotateWhen::AfterCreate(rotate(ms)));
        let before = || record.before_expiry.map(|ms| RotateWhen::BeforeExpiry(rotate(ms)));
        let notify = record.notify.map(|ms| read(written.and_then(|w| w.notify.as_ref()), ms));
        Self {
            rotate: after.or_else(before),
            notify: notify.or(Self::unset().notify),
            expiry: record.expiry.map(|ms| read(written.and_then(|w| w.expiry.as_ref()), ms)),
        }
    }
}

/// Stores a key's rotation policy in place of the one there is, or removes it.
pub struct SetRotationPolicy {
    /// Which key.
    pub name: Name,
    /// The policy; `None` removes it.
    pub policy: Option<RotationPolicy>,
}
ask!(SetRotationPolicy, SetRotationPolicy, |c| Target::Key(c.name.clone()));

impl Execute for SetRotationPolicy {
    type Output = RotationPolicyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<RotationPolicyView>, Refusal> {
        let ask = permit.ask();
        let mut key = room.live(&ask.name).await?;
        ask.policy.as_ref().map_or(Ok(()), RotationPolicy::check)?;
        let first = key.record.rotation.as_ref().and_then(|r| r.written.as_ref()).map(|w| w.created);
        key.record.rotation = ask.policy.as_ref().map(|policy| policy.record(permit, first, room.at.now));
        // What the row says of its newest version may be from before rows said it.
        let missing = || Refusal::KeyNotFound { name: ask.name.clone(), version: None };
        key.record.newest_expires = room.newest(&key).await?.ok_or_else(missing)?.record.expires;
        let changes = Changes { puts: vec![room.row(Place::next(&key), &key.record)?], ..Changes::default() };
        Ok(Effect::change(view(&key)?, changes).about(key.id, None))
    }
}

/// Reads a key's rotation policy: the default, if none is stored.
pub struct GetRotationPolicy {
    /// Which key.
    pub name: Name,
}
ask!(GetRotationPolicy, GetRotationPolicy, |c| Target::Key(c.name.clone()));

impl Execute for GetRotationPolicy {
    type Output = RotationPolicyView;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<RotationPolicyView>, Refusal> {
        let key = room.live(&permit.ask().name).await?;
        Ok(Effect::read(view(&key)?).about(key.id, None))
    }
}

fn view(key: &Key) -> Result<RotationPolicyView, Refusal> {
    let record = key.record.rotation.as_ref();
    let written = record.and_then(|r| r.written.as_ref());
    Ok(RotationPolicyView {
        name: key.record.name()?,
        policy: record.map_or_else(RotationPolicy::unset, RotationPolicy::of),
        created: written.map(|w| Time(w.created)),
        updated: written.map(|w| Time(w.updated)),
    })
}

fn set_by(who: &Who) -> String {
    match who {
        Who::Caller(c) => format!("{}|{}", c.principal().issuer(), c.principal().subject()),
        Who::Mandate(m) => m.set_by.clone(),
    }
}
