//! Whether long work may go on: who began it must still have the right at each step.

use crate::grantee::Grantee;
use crate::permit::Ground;
use crate::policy::Policy;
use keystead_identity::Principal;
use keystead_model::{Action, Target};

impl Policy {
    /// Whether the ground on which this principal began something still stands. Who belongs to a group only a token
    /// says, so of a group it is asked whether the group still has the right.
    pub fn stands(&self, ground: &Ground, principal: &Principal, action: Action, target: &Target) -> bool {
        match ground {
            Ground::Role(id) => self
                .assignments
                .iter()
                .any(|a| a.id == *id && a.role.actions.contains(&action) && a.scope.covers(target)),
            Ground::Administrator => self.administers(principal),
            Ground::OwnToken | Ground::Mandate(_) => false,
        }
    }

    /// Whether this principal administers the vault. Likewise, a group stands for all who may be in it.
    pub fn administers(&self, principal: &Principal) -> bool {
        let names = |grantee: &Grantee| match grantee {
            Grantee::Principal(named) => named == principal || of_group(named, principal),
            Grantee::Id(id) => *id == principal.id(&self.directory),
        };
        self.administrators.iter().any(|named| named == principal || of_group(named, principal))
            || self.assignments.iter().any(|a| a.administers() && names(&a.grantee))
    }
}

fn of_group(named: &Principal, principal: &Principal) -> bool {
    named.is_group() && named.issuer() == principal.issuer()
}
