//! Whether long work may go on: who began it must still have, at each step, the right by which he began it.
//!
//! Who belongs to a group only a token says. So what is kept is what gave him the right (the group, not he), and of
//! that it is asked whether it still does.

use crate::policy::{Assignment, Policy};
use keystead_identity::{Caller, Principal};
use keystead_model::{Action, AssignmentId, Target};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

/// What makes somebody an administrator of the vault.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AdministersBy {
    /// He, or a group of his, stands in the document's list.
    #[n(0)]
    Listed(#[n(0)] Principal),
    /// The assignment of this id, of the role that says so.
    #[n(1)]
    Assigned(#[n(0)] ByteArray<16>),
}

impl Policy {
    /// Whether this assignment still gives the right.
    pub fn stands(&self, assignment: AssignmentId, action: Action, target: &Target) -> bool {
        let gives = |a: &Assignment| a.role.actions.contains(&action) && a.scope.covers(target);
        self.assignments.iter().any(|a| a.id == assignment && gives(a))
    }

    /// By what the caller administers the vault, if he does.
    pub fn administers_by(&self, caller: &Caller) -> Option<AdministersBy> {
        let listed = self.administrators.iter().find(|named| caller.is(named));
        listed.map(|named| AdministersBy::Listed(named.clone())).or_else(|| {
            let mut assigned = self.assignments.iter().filter(|a| a.administers());
            let by = assigned.find(|a| a.grantee.names(caller, &self.directory))?;
            Some(AdministersBy::Assigned((*by.id.as_bytes()).into()))
        })
    }

    /// Whether that still makes an administrator.
    pub fn still_administers(&self, by: &AdministersBy) -> bool {
        match by {
            AdministersBy::Listed(named) => self.administrators.contains(named),
            AdministersBy::Assigned(id) => self.assignments.iter().any(|a| *a.id.as_bytes() == **id && a.administers()),
        }
    }
}
