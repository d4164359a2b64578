//! The policy of a vault, and the decision.

use crate::approval::{Approvals, BadApprovals};
use crate::callers;
use crate::grantee::Grantee;
use crate::permit::{Ask, Denial, Ground, Mandate, Permit, Who};
use crate::role::built_in::{VAULT_ADMINISTRATOR, of_administrators};
use crate::role::custom::{BadRole, RoleDocument};
use crate::role::{Definition, Role};
use keystead_identity::{Caller, Callers, Client, Principal, TrustedIssuer};
use keystead_model::{Action, AssignmentId, Revision, Target};
use minicbor::{Decode, Encode};
use std::collections::BTreeSet;
use std::sync::Arc;
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
    /// The vault's own roles.
    #[cbor(n(10), default, skip_if = "Vec::is_empty")]
    pub roles: Vec<RoleDocument>,
    /// The issuer whose subjects a GUID on the wire means; none: the vault's own.
    #[n(11)]
    pub directory: Option<String>,
    /// Certificates that are believed, and revocations.
    #[cbor(n(12), default, skip_if = "Callers::is_empty")]
    pub callers: Callers,
    /// Who approves what.
    #[cbor(n(13), default, skip_if = "Approvals::is_empty")]
    pub approvals: Approvals,
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
    pub principal: Grantee,
    /// GUID of the role, or the name of a built-in one.
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
    pub grantee: Grantee,
    /// Which role.
    pub role: Arc<Held>,
}

/// A role as a policy holds it.
#[derive(Debug, PartialEq, Eq)]
pub struct Held {
    /// What it says.
    pub definition: Definition,
    /// What that comes to.
    pub actions: BTreeSet<Action>,
}

/// A document that cannot be a policy. Each names what to mend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadPolicy {
    /// Nobody could ever change it.
    #[error("the policy names no administrator: name at least one principal under `administrators`")]
    NoAdministrator,
    /// A role that does not exist.
    #[error("assignment {at} names the role '{role}', which is neither a role's GUID nor a built-in role's name")]
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
    /// The administration of a part of the vault.
    #[error("assignment {at} makes somebody administrator of the vault below /: there is no such thing")]
    AdministratorBelow {
        /// Position in the document, from 0.
        at: usize,
    },
    /// A directory that is nobody's.
    #[error("the directory '{directory}' is neither `built-in` nor one of the issuers")]
    UnknownDirectory {
        /// As written.
        directory: String,
    },
    /// Approvers or rules that cannot be.
    #[error(transparent)]
    Approvals(#[from] BadApprovals),
    /// A custom role that cannot be one.
    #[error("custom role {0}")]
    Role(#[from] BadRole),
    /// Two assignments, issuers, clients or roles with one id.
    #[error("{what} '{id}' stands twice in the policy")]
    Twice {
        /// Which list.
        what: &'static str,
        /// The repeated id.
        id: String,
    },
    /// A token of it could never name anybody.
    #[error("issuer '{iss}' names no `subject_claim`: name the claim that is the subject, such as `oid` or `sub`")]
    NoSubjectClaim {
        /// Which issuer.
        iss: String,
    },
    /// No token of it could ever be good, or one that is meant for nobody would be.
    #[error(
        "issuer '{iss}' names no audience, or an empty one: list under `audiences` what its tokens for this vault have \
         in `aud`"
    )]
    NoAudience {
        /// Which issuer.
        iss: String,
    },
    /// Which of the two proves a token would be left to chance.
    #[error("key '{kid}' of issuer '{iss}' stands twice: leave one")]
    KeyTwice {
        /// Which issuer.
        iss: String,
        /// The repeated key id.
        kid: String,
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
    pub(crate) administrators: Vec<Principal>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) roles: Vec<Arc<Held>>,
    pub(crate) directory: String,
    approvals: Arc<Approvals>,
    revision: Revision,
}

impl Policy {
    /// Most entries of each list.
    pub const MAX_ENTRIES: usize = 10_000;

    /// Most custom roles.
    pub const MAX_ROLES: usize = 500;

    /// Checks a document that is to become the policy.
    pub fn new(document: &PolicyDocument, revision: Revision) -> Result<Self, BadPolicy> {
        let policy = Self::stored(document, revision)?;
        callers::check(document)?;
        document.issuers.iter().try_for_each(check_issuer)?;
        Ok(policy)
    }

    /// The same for one that was accepted before: what no rule needs to be unambiguous is not asked again, so that a
    /// stricter release still opens the vaults of an older one.
    pub fn stored(document: &PolicyDocument, revision: Revision) -> Result<Self, BadPolicy> {
        bounds(document)?;
        unique("issuer", document.issuers.iter().map(|i| i.iss.clone()))?;
        unique("client", document.clients.iter().map(|c| c.id.to_ascii_lowercase()))?;
        callers::unambiguous(document)?;
        unique("assignment", document.assignments.iter().map(|a| AssignmentId::from_bytes(a.id).to_string()))?;
        unique("role", document.roles.iter().map(|r| r.name.to_lowercase()))?;
        let built_in = Role::all().map(Ok);
        let custom = document.roles.iter().map(RoleDocument::check);
        let roles = built_in.chain(custom).map(|r| r.map(held)).collect::<Result<Vec<_>, _>>()?;
        unique("role", roles.iter().map(|r| r.definition.id.to_string()))?;
        let check = |(at, a)| check(at, a, &roles);
        let assignments = document.assignments.iter().enumerate().map(check).collect::<Result<_, _>>()?;
        document.approvals.check()?;
        let (administrators, directory) = (document.administrators.clone(), document.directory.clone());
        let (directory, approvals) = (directory.unwrap_or_default(), Arc::new(document.approvals.clone()));
        let policy = Self { administrators, assignments, roles, directory, approvals, revision };
        if policy.count_of_administrators() == 0 {
            return Err(BadPolicy::NoAdministrator);
        }
        Ok(policy)
    }

    /// The same policy, as stored at this revision.
    #[must_use]
    pub fn at(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    /// The revision it was stored at.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Who approves what.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// Decides. The permit holds the command; a denial says what was refused to whom.
    pub fn decide<C: Ask>(&self, who: Who, ask: C) -> Result<Permit<C>, Denial> {
        let (action, target) = (ask.needs(), ask.target());
        let ground = match &who {
            Who::Caller(caller) => self.ground_of_caller(caller, action, &target),
            Who::Mandate(mandate) => ground_of_mandate(mandate, action, &target),
        };
        match ground {
            Some(ground) => Ok(Permit::new(ask, who, ground, self.revision)),
            None => Err(Denial { action, target, who, policy: self.revision }),
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

    /// Why a caller may do this to that, if he may.
    pub(crate) fn ground_of_caller(&self, caller: &Caller, action: Action, target: &Target) -> Option<Ground> {
        let administrator = || self.is_administrator(caller).then_some(Ground::Administrator);
        match action {
            Action::IssueToken => caller.is_built_in_client().then_some(Ground::OwnToken),
            _ if callers::only_administrators(action) => administrator(),
            _ if of_administrators(action) => self.ground_of_role(caller, action, target).or_else(administrator),
            _ => self.ground_of_role(caller, action, target),
        }
    }

    fn ground_of_role(&self, caller: &Caller, action: Action, target: &Target) -> Option<Ground> {
        let gives = |a: &&Assignment| {
            a.role.actions.contains(&action) && a.scope.covers(target) && a.grantee.names(caller, &self.directory)
        };
        self.assignments.iter().find(gives).map(|a| Ground::Role(a.id))
    }

    /// Whether the caller administers the vault: by the list of the document, or by the role that says so.
    pub fn is_administrator(&self, caller: &Caller) -> bool {
        self.administrators.iter().any(|p| caller.is(p))
            || self.assignments.iter().any(|a| a.administers() && a.grantee.names(caller, &self.directory))
    }

    pub(crate) fn count_of_administrators(&self) -> usize {
        let listed: BTreeSet<_> = self.administrators.iter().collect();
        let assigned = self.assignments.iter().filter(|a| a.administers()).count();
        listed.len().saturating_add(assigned)
    }
}

impl Assignment {
    pub(crate) fn administers(&self) -> bool {
        VAULT_ADMINISTRATOR.is(self.role.definition.id)
    }
}

fn ground_of_mandate(mandate: &Mandate, action: Action, target: &Target) -> Option<Ground> {
    (mandate.action == action && mandate.target == *target).then_some(Ground::Mandate(mandate.at))
}

fn bounds(document: &PolicyDocument) -> Result<(), BadPolicy> {
    let lists = [
        ("administrators", document.administrators.len(), Policy::MAX_ENTRIES),
        ("assignments", document.assignments.len(), Policy::MAX_ENTRIES),
        ("issuers", document.issuers.len(), Policy::MAX_ENTRIES),
        ("clients", document.clients.len(), Policy::MAX_ENTRIES),
        ("custom roles", document.roles.len(), Policy::MAX_ROLES),
    ];
    match lists.into_iter().find(|(_, n, max)| n > max) {
        Some((what, _, max)) => Err(BadPolicy::TooMany { what, max }),
        None => Ok(()),
    }
}

fn held(definition: Definition) -> Arc<Held> {
    let actions = definition.actions();
    Arc::new(Held { definition, actions })
}

fn check(at: usize, a: &AssignmentDocument, roles: &[Arc<Held>]) -> Result<Assignment, BadPolicy> {
    let scope = a.scope.parse().map_err(|_| BadPolicy::BadScope { at, scope: a.scope.clone() })?;
    let id = a.role.parse().ok();
    let named = |r: &&Arc<Held>| id == Some(r.definition.id) || (!r.definition.custom && r.definition.name == a.role);
    let role = roles.iter().find(named).ok_or_else(|| BadPolicy::UnknownRole { at, role: a.role.clone() })?;
    let (id, grantee) = (AssignmentId::from_bytes(a.id), a.principal.clone());
    let assignment = Assignment { id, scope, grantee, role: Arc::clone(role) };
    if assignment.administers() && assignment.scope != Target::Vault {
        return Err(BadPolicy::AdministratorBelow { at });
    }
    Ok(assignment)
}

/// What [`Policy::stored`] passes over: such an issuer lets nobody in, or too few.
fn check_issuer(issuer: &TrustedIssuer) -> Result<(), BadPolicy> {
    let iss = || issuer.iss.clone();
    if issuer.subject_claim.trim().is_empty() {
        return Err(BadPolicy::NoSubjectClaim { iss: iss() });
    }
    let empty = |audience: &String| audience.trim_matches('/').trim().is_empty();
    if issuer.audiences.is_empty() || issuer.audiences.iter().any(empty) {
        return Err(BadPolicy::NoAudience { iss: iss() });
    }
    let mut seen = std::collections::BTreeSet::new();
    match issuer.keys.iter().find(|key| !seen.insert(key.kid.as_str())) {
        Some(key) => Err(BadPolicy::KeyTwice { iss: iss(), kid: key.kid.clone() }),
        None => Ok(()),
    }
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
