//! The policy of a vault, and the decision.

use crate::callers;
use crate::permit::{Ask, Denial, Ground, Mandate, Permit, Who};
use crate::role::Role;
use keystead_identity::{Caller, Callers, Client, Principal, TrustedIssuer};
use keystead_model::{Action, AssignmentId, Revision, Target};
use minicbor::{Decode, Encode};
use thiserror::Error;

/// The policy as it is written and stored: nothing in it is proven yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PolicyDocument {
    /// Who may act on the vault itself.
    #[n(0)]
    pub administrators: Vec<Principal>,
    /// Who has which role where.
    #[n(1)]
    pub assignments: Vec<AssignmentDocument>,
    /// Whose tokens are believed.
    #[n(2)]
    pub issuers: Vec<TrustedIssuer>,
    /// Clients that prove themselves with a secret.
    #[n(3)]
    pub clients: Vec<Client>,
    /// Certificates that are believed, and revocations.
    #[cbor(n(10), skip_if = "Callers::is_empty")]
    pub callers: Callers,
}

/// A role assignment as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AssignmentDocument {
    /// Its id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 16],
    /// `/`, `/keys` or `/keys/{name}`.
    #[n(1)]
    pub scope: String,
    /// To whom.
    #[n(2)]
    pub principal: Principal,
    /// GUID of the role.
    #[n(3)]
    pub role: String,
}

/// A role assignment that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// Where it holds.
    pub scope: Target,
    /// For whom.
    pub principal: Principal,
    /// Which role.
    pub role: &'static Role,
}

/// A document that cannot be a policy. Each names what to mend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadPolicy {
    /// Nobody could ever change it.
    #[error("the policy names no administrator: name at least one principal under `administrators`")]
    NoAdministrator,
    /// A role that does not exist.
    #[error("assignment {at} names the role '{role}', which is neither a built-in role's GUID nor its name")]
    UnknownRole {
        /// Position in the document, from 0.
        at: usize,
        /// What stands there.
        role: String,
    },
    /// A scope that is not one.
    #[error("assignment {at} has the scope '{scope}': a scope is /, /keys or /keys/{{name}}")]
    BadScope {
        /// Position in the document, from 0.
        at: usize,
        /// What stands there.
        scope: String,
    },
    /// Two assignments, issuers or clients with one id.
    #[error("{what} '{id}' stands twice in the policy")]
    Twice {
        /// Which list.
        what: &'static str,
        /// The repeated id.
        id: String,
    },
    /// A list over its bound.
    #[error("the policy has more than {max} {what}")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// An issuer, client or certificate that can never serve, or that would serve for too much.
    #[error("{what} '{id}': {expected}")]
    Unusable {
        /// What.
        what: &'static str,
        /// Which.
        id: String,
        /// What is wanted of it.
        expected: &'static str,
    },
}

/// A policy that was checked, at the revision it was stored at.
#[derive(Debug, Clone)]
pub struct Policy {
    administrators: Vec<Principal>,
    assignments: Vec<Assignment>,
    revision: Revision,
}

impl Policy {
    /// Most entries of each list.
    pub const MAX_ENTRIES: usize = 10_000;

    /// Checks a document.
    pub fn new(document: &PolicyDocument, revision: Revision) -> Result<Self, BadPolicy> {
        let lists = [
            ("administrators", document.administrators.len()),
            ("assignments", document.assignments.len()),
            ("issuers", document.issuers.len()),
            ("clients", document.clients.len()),
        ];
        if let Some((what, _)) = lists.iter().find(|(_, n)| *n > Self::MAX_ENTRIES) {
            return Err(BadPolicy::TooMany { what, max: Self::MAX_ENTRIES });
        }
        if document.administrators.is_empty() {
            return Err(BadPolicy::NoAdministrator);
        }
        unique("issuer", document.issuers.iter().map(|i| i.iss.clone()))?;
        unique("client", document.clients.iter().map(|c| c.id.to_ascii_lowercase()))?;
        callers::check(document)?;
        unique("assignment", document.assignments.iter().map(|a| AssignmentId::from_bytes(a.id).to_string()))?;
        let assignments = document.assignments.iter().enumerate().map(check).collect::<Result<_, _>>()?;
        Ok(Self { administrators: document.administrators.clone(), assignments, revision })
    }

    /// The revision it was stored at.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Decides. The permit holds the command; a denial says what was refused to whom.
    pub fn decide<C: Ask>(&self, who: Who, ask: C) -> Result<Permit<C>, Denial> {
        let target = ask.target();
        let ground = match &who {
            Who::Caller(caller) => self.ground_of_caller(caller, C::ACTION, &target),
            Who::Mandate(mandate) => ground_of_mandate(mandate, C::ACTION, &target),
        };
        match ground {
            Some(ground) => Ok(Permit::new(ask, who, ground, self.revision)),
            None => Err(Denial { action: C::ACTION, target, who, policy: self.revision }),
        }
    }

    /// Decides again, at the door: the permit as it stands if the policy has not moved since.
    pub fn still<C: Ask>(&self, permit: Permit<C>) -> Result<Permit<C>, Denial> {
        if permit.policy() == self.revision {
            return Ok(permit);
        }
        let (ask, who) = permit.into_parts();
        self.decide(who, ask)
    }

    fn ground_of_caller(&self, caller: &Caller, action: Action, target: &Target) -> Option<Ground> {
        match action {
            Action::IssueToken => caller.is_built_in_client().then_some(Ground::OwnToken),
            action if callers::of_administrators(action) => {
                self.administrators.iter().any(|p| caller.is(p)).then_some(Ground::Administrator)
            }
            _ => self
                .assignments
                .iter()
                .find(|a| caller.is(&a.principal) && a.role.actions.contains(&action) && a.scope.covers(target))
                .map(|a| Ground::Role(a.id)),
        }
    }
}

fn ground_of_mandate(mandate: &Mandate, action: Action, target: &Target) -> Option<Ground> {
    (mandate.action == action && mandate.target == *target).then_some(Ground::Mandate(mandate.at))
}

fn check((at, a): (usize, &AssignmentDocument)) -> Result<Assignment, BadPolicy> {
    let scope = a.scope.parse().map_err(|_| BadPolicy::BadScope { at, scope: a.scope.clone() })?;
    let role = Role::built_in(&a.role).ok_or_else(|| BadPolicy::UnknownRole { at, role: a.role.clone() })?;
    Ok(Assignment { id: AssignmentId::from_bytes(a.id), scope, principal: a.principal.clone(), role })
}

pub(crate) fn unique(what: &'static str, ids: impl Iterator<Item = String>) -> Result<(), BadPolicy> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id.clone()) {
            return Err(BadPolicy::Twice { what, id });
        }
    }
    Ok(())
}
