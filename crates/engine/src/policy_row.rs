//! The policy's own row: read for a change, and what follows the change in memory.
//!
//! A change is made of the document as it stands in the store, and committed against its counter; the policy in memory
//! is replaced after the commit and before the answer, never by an older one.

use crate::birth::singleton;
use crate::error::Refusal;
use crate::records;
use crate::room::{Place, Room, row_binding};
use crate::run::Effect;
use crate::vault::Open;
use keystead_access::{Ask, Edit, NotChanged, Permit, Policy, PolicyDocument};
use keystead_model::Revision;
use keystead_store::{Changes, Kind, Row, RowKey};
use std::sync::Arc;

/// The stored policy on its way to being changed.
pub(crate) struct Editing {
    pub(crate) edit: Edit,
    row: Row,
}

impl Editing {
    /// Reads the document. The policy that stands in it must allow the command too: what is in memory may be older by
    /// the moment that another change takes to come about.
    pub(crate) async fn of<C: Ask>(permit: &Permit<C>, room: &Room<'_>) -> Result<Self, Refusal> {
        let at = RowKey { kind: Kind::Policy, lookup: singleton(Kind::Policy), version: None };
        let row = room.row_at(at).await?.ok_or(Refusal::Damaged)?;
        let plain = room.open().records.open(&row_binding(room.vault(), &row), &[], &row.sealed)?;
        let document: PolicyDocument = records::decode(&plain)?;
        let document = directed(document, &room.open().issuer.info().iss);
        let edit = Edit::of(document, row.revision)?;
        if !edit.before().allows(permit.who(), C::ACTION, &permit.ask().target()) {
            return Err(Refusal::Conflict);
        }
        Ok(Self { edit, row })
    }

    /// The change, with what it gives.
    pub(crate) fn done<T>(self, room: &Room<'_>, value: T) -> Result<Effect<T>, Refusal> {
        let (document, policy) = self.edit.done()?;
        let place = Place {
            kind: Kind::Policy,
            tag: self.row.lookup,
            version: None,
            id: self.row.id,
            counter: self.row.counter.saturating_add(1),
            due: None,
        };
        let changes = Changes { puts: vec![room.row(place, &document)?], ..Changes::default() };
        Ok(Effect::change(value, changes).policy(policy))
    }
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
}

impl From<NotChanged> for Refusal {
    fn from(why: NotChanged) -> Self {
        match why {
            NotChanged::Damaged(_) => Self::Damaged,
            why => Self::Role(why),
        }
    }
}
