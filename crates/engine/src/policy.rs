//! The vault's policy as its row keeps it, and the one way to change it: with its revision, effective when the answer is
//! given.

use crate::believed::{Believed, Trust};
use crate::birth::singleton;
use crate::error::Refusal;
use crate::records;
use crate::room::{Place, Room, row_binding};
use crate::run::Effect;
use crate::vault::Open;
use keystead_access::{BadPolicy, Policy, PolicyDocument};
use keystead_model::{ObjectId, Revision};
use keystead_store::{Changes, Kind, RowKey};
use std::sync::Arc;

/// The policy's row, opened.
pub(crate) struct Stored {
    pub(crate) document: PolicyDocument,
    pub(crate) revision: Revision,
    id: ObjectId,
    counter: u64,
}

impl Room<'_> {
    /// The policy as it is stored now.
    pub(crate) async fn policy(&self) -> Result<Stored, Refusal> {
        let at = RowKey { kind: Kind::Policy, lookup: singleton(Kind::Policy), version: None };
        let found = self.vault().store.get(self.vault().info.id, at).await?;
        let row = found.ok_or(Refusal::Damaged)?;
        let plain = self.open().records.open(&row_binding(self.vault(), &row), &[], &row.sealed)?;
        let document = records::decode(&plain)?;
        Ok(Stored { document, revision: row.revision, id: row.id, counter: row.counter })
    }

    /// Stores the changed document and makes it the policy, if it can be one.
    pub(crate) fn change_policy<T>(&self, changed: Stored, value: T) -> Result<Effect<T>, Refusal> {
        let Stored { document, id, counter, .. } = changed;
        // Its revision is known only when it is committed.
        Policy::new(&document, Revision(0)).map_err(refused)?;
        let own = self.open().believed.load().trust.own().cloned().ok_or(Refusal::Fault)?;
        if document.issuers.iter().any(|i| i.iss == own.iss) {
            return Err(refused(BadPolicy::Twice { what: "issuer", id: own.iss }));
        }
        let tag = singleton(Kind::Policy);
        let counter = counter.saturating_add(1);
        let place = Place { kind: Kind::Policy, tag, version: None, id, counter, due: None };
        let row = self.row(place, &document)?;
        let changes = Changes { puts: vec![row], ..Changes::default() };
        let trust = Arc::new(Trust::new(own, &document));
        let then = move |open: &Open, revision| adopt(open, &document, &trust, revision);
        Ok(Effect::change(value, changes).about(id, None).after(then))
    }
}

/// Two changes may come here in another order than they were committed in: the newer stays.
fn adopt(open: &Open, document: &PolicyDocument, trust: &Arc<Trust>, revision: Revision) {
    if let Ok(policy) = Policy::new(document, revision) {
        let policy = Arc::new(policy);
        open.policy.rcu(|now| if now.revision() < revision { Arc::clone(&policy) } else { Arc::clone(now) });
    }
    open.believed.rcu(|now: &Arc<Believed>| match now.revision < revision {
        true => Arc::new(now.with_trust(Arc::clone(trust), revision)),
        false => Arc::clone(now),
    });
}

pub(crate) fn refused(why: BadPolicy) -> Refusal {
    Refusal::PolicyRefused(Box::new(why))
}
