//! The policy's own row: read for a change, and what follows the change in memory.
//!
//! A change is made of the document as it stands in the store, and committed against its counter; the policy in memory
//! is replaced after the commit and before the answer, never by an older one.

use crate::believed::{Believed, Trust};
use crate::birth::singleton;
use crate::error::Refusal;
use crate::records;
use crate::room::{Place, Room, row_binding};
use crate::run::Effect;
use crate::vault::Open;
use keystead_access::{Ask, BadPolicy, Edit, Known, NotChanged, Permit, Policy, PolicyDocument, Who};
use keystead_model::Revision;
use keystead_store::{Changes, Kind, Row};
use std::sync::Arc;

/// The stored policy on its way to being changed.
pub(crate) struct Editing {
    pub(crate) edit: Edit,
    row: Row,
    by: Who,
    /// Whether an administrator could prove himself before the change.
    administered: bool,
}

impl Editing {
    /// Reads the document. The policy that stands in it must allow the command too: what is in memory may be older by
    /// the moment that another change takes to come about.
    pub(crate) async fn of<C: Ask>(permit: &Permit<C>, room: &Room<'_>) -> Result<Self, Refusal> {
        let at = singleton(Kind::Policy);
        let row = room.row_at(at).await?.ok_or(Refusal::Damaged)?;
        let document = document_of(&row, room)?;
        let mut edit = Edit::of(document, row.revision)?;
        let allowed = match permit.who() {
            Who::Caller(_) => edit.before().allows(permit.who(), C::ACTION, &permit.ask().target()),
            // What it stands for is the command's to ask, of the document as it is stored.
            Who::Mandate(_) => true,
        };
        if !allowed {
            return Err(Refusal::Conflict);
        }
        let by = permit.who().clone();
        let document = edit.document().clone();
        let administered = administered(&by, room, edit.before(), &document);
        Ok(Self { edit, row, by, administered })
    }

    /// The document, for changes of who callers are.
    pub(crate) fn document(&mut self) -> &mut PolicyDocument {
        self.edit.document()
    }

    /// Somebody more is believed.
    pub(crate) fn added<T>(self, room: &Room<'_>, value: T) -> Result<Effect<T>, Refusal> {
        self.believing(room, Edit::added, value)
    }

    /// Somebody is believed no more, or not as long.
    pub(crate) fn removed<T>(self, room: &Room<'_>, value: T) -> Result<Effect<T>, Refusal> {
        self.believing(room, Edit::removed, value)
    }

    /// It is what it once was. Somebody must be able to administer the vault after it, whoever could before.
    pub(crate) fn restored<T>(self, room: &Room<'_>, value: T) -> Result<Effect<T>, Refusal> {
        Self { administered: true, ..self }.believing(room, Edit::removed, value)
    }

    /// A change of who callers are, with what it gives. Nothing that was verified before it is remembered after it.
    fn believing<T>(
        self,
        room: &Room<'_>,
        check: fn(Edit) -> Result<(PolicyDocument, Policy), BadPolicy>,
        value: T,
    ) -> Result<Effect<T>, Refusal> {
        let id = self.row.id;
        let own = room.open().believed.load().trust.own().cloned().ok_or(Refusal::Fault)?;
        let Self { edit, row, by, administered } = self;
        let (document, policy) = check(edit).map_err(refused)?;
        still_administered(administered, &by, room, &policy, &document)?;
        if document.issuers.iter().any(|i| i.iss == own.iss) {
            return Err(refused(BadPolicy::Twice { what: "issuer", id: own.iss }));
        }
        let trust = Arc::new(Trust::new(own, &document));
        let effect = put(&row, room, &document, policy, value)?;
        Ok(effect.about(id, None).after(move |open: &Open, revision| open.trust(&trust, revision)))
    }

    /// A change of roles, with what it gives.
    pub(crate) fn done<T>(self, room: &Room<'_>, value: T) -> Result<Effect<T>, Refusal> {
        let (document, policy) = self.edit.done()?;
        still_administered(self.administered, &self.by, room, &policy, &document)?;
        put(&self.row, room, &document, policy, value)
    }
}

fn administered(by: &Who, room: &Room<'_>, policy: &Policy, document: &PolicyDocument) -> bool {
    let own = room.open().issuer.info().iss;
    Known { own_issuer: &own, now: room.at.now, by }.somebody_administers(policy, document)
}

/// A vault that nobody could administer any more would be lost to its customer for ever.
fn still_administered(
    before: bool,
    by: &Who,
    room: &Room<'_>,
    policy: &Policy,
    document: &PolicyDocument,
) -> Result<(), Refusal> {
    match before && !administered(by, room, policy, document) {
        true => Err(Refusal::Role(NotChanged::LastAdministrator)),
        false => Ok(()),
    }
}

fn put<T>(
    row: &Row,
    room: &Room<'_>,
    document: &PolicyDocument,
    policy: Policy,
    value: T,
) -> Result<Effect<T>, Refusal> {
    let place = Place::behind(row.key(), Some(row));
    let changes = Changes { puts: vec![room.row(place, document)?], ..Changes::default() };
    Ok(Effect::change(value, changes).policy(policy))
}

/// The policy as it is stored now, and since when.
pub(crate) async fn stored(room: &Room<'_>) -> Result<(PolicyDocument, Revision), Refusal> {
    stored_row(room).await.map(|(document, row)| (document, row.revision))
}

/// The same with its row.
pub(crate) async fn stored_row(room: &Room<'_>) -> Result<(PolicyDocument, Row), Refusal> {
    let at = singleton(Kind::Policy);
    let row = room.row_at(at).await?.ok_or(Refusal::Damaged)?;
    Ok((document_of(&row, room)?, row))
}

fn document_of(row: &Row, room: &Room<'_>) -> Result<PolicyDocument, Refusal> {
    let plain = room.records().open(&row_binding(room.vault(), row), &[], &row.sealed)?;
    let document: PolicyDocument = records::decode(&plain)?;
    Ok(directed(document, &room.open().issuer.info().iss))
}

pub(crate) fn refused(why: BadPolicy) -> Refusal {
    Refusal::PolicyRefused(Box::new(why))
}

/// A document that names no directory means the vault's own issuer.
pub(crate) fn directed(mut document: PolicyDocument, own: &str) -> PolicyDocument {
    document.directory.get_or_insert_with(|| own.to_owned());
    document
}

impl Open {
    /// What was committed at this revision counts from now on, unless something newer does already.
    pub(crate) fn adopt(&self, policy: Policy, revision: Revision) {
        let policy = Arc::new(policy.at(revision));
        self.policy.rcu(|now| if now.revision() < revision { Arc::clone(&policy) } else { Arc::clone(now) });
    }

    /// Whom it believes from now on, likewise.
    pub(crate) fn trust(&self, trust: &Arc<Trust>, revision: Revision) {
        self.believed.rcu(|now: &Arc<Believed>| match now.revision < revision {
            true => Arc::new(now.with_trust(Arc::clone(trust), revision)),
            false => Arc::clone(now),
        });
    }
}

impl From<NotChanged> for Refusal {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::Damaged(_) => Self::Damaged,
            why => Self::Role(why),
        }
    }
}
