//! Changes of roles and of who has them: which are allowed, and what the policy is after them. Whether the caller may
//! change anything at that scope at all has been decided before, as for every command.
//!
//! - Whoever may write assignments at a scope may give any role there that exists, but one: the vault's administrators
//!   alone make administrators and take them away, and the last one stays.
//! - A custom role holds nothing that whoever writes it does not have on the whole vault himself, unless he is an
//!   administrator.
//! - A custom role goes with its assignments, built-in roles are not changed, an assignment is never made another.

use crate::grantee::Grantee;
use crate::permit::Who;
use crate::policy::{Assignment, AssignmentDocument, BadPolicy, Policy, PolicyDocument};
use crate::role::Definition;
use crate::role::built_in::{BUILT_IN, VAULT_ADMINISTRATOR};
use crate::role::custom::{BadRole, RoleDocument};
use keystead_identity::{Caller, Principal};
use keystead_model::{Action, DataAction, Guid, Revision, Target};
use std::collections::BTreeSet;
use thiserror::Error;

/// A role assignment as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentView {
    /// Its id.
    pub id: Guid,
    /// Where it holds.
    pub scope: Target,
    /// Which role.
    pub role: Guid,
    /// Whom it names.
    pub principal: Guid,
}

/// Why roles or assignments were not changed. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotChanged {
    /// No such role.
    #[error("requested role definition not found: there is no {id}")]
    RoleNotFound {
        /// As asked.
        id: Guid,
    },
    /// No such assignment at that scope.
    #[error("requested role assignment not found: there is no {id} at this scope")]
    AssignmentNotFound {
        /// As asked.
        id: Guid,
    },
    /// The same principal has the same role at the same scope already.
    #[error("the role assignment already exists: its id is {id}")]
    AssignmentExists {
        /// Under which id.
        id: Guid,
    },
    /// The id is another assignment's.
    #[error("scope, role and principal of a role assignment cannot be changed: delete it, or choose another id")]
    AssignmentFixed,
    /// Only an administrator of the vault does this.
    #[error("only an administrator of the vault makes or removes administrators")]
    AdministratorsOnly,
    /// There is no administration of a part of a vault.
    #[error("an administrator is one of the whole vault: assign the role at the scope /")]
    AdministratorBelow,
    /// Nobody could change anything any more.
    #[error(
        "the vault's last administrator, or his last way to prove himself, cannot be removed: make another one first"
    )]
    LastAdministrator,
    /// A built-in role's GUID or name.
    #[error("cannot re-use the name or GUID of a built-in role: please use a unique role ID and name")]
    BuiltIn,
    /// Another custom role's name.
    #[error("another custom role has this name")]
    NameTaken,
    /// More than its writer has.
    #[error("a custom role holds only what its writer has at / himself: {data_action} is missing")]
    Beyond {
        /// The first that is missing.
        data_action: DataAction,
    },
    /// A custom role that cannot be one.
    #[error(transparent)]
    Role(#[from] BadRole),
    /// A list over its bound.
    #[error("the policy has room for {max} {what}: remove what is not needed")]
    Full {
        /// Which list.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The stored policy is none: a defect of ours, or damage.
    #[error("the stored policy is refused: {0}")]
    Damaged(BadPolicy),
}

/// A custom role that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undefined {
    /// What it was.
    pub definition: Definition,
    /// Who had it where.
    pub assignments: Vec<AssignmentView>,
}

/// A policy that is being changed.
pub struct Edit {
    document: PolicyDocument,
    policy: Policy,
}

impl Edit {
    /// Of the document as it is stored.
    pub fn of(document: PolicyDocument, revision: Revision) -> Result<Self, NotChanged> {
        let policy = Policy::stored(&document, revision).map_err(NotChanged::Damaged)?;
        Ok(Self { document, policy })
    }

    /// The policy as it was before.
    pub fn before(&self) -> &Policy {
        &self.policy
    }

    /// The document, for changes of who callers are.
    pub fn document(&mut self) -> &mut PolicyDocument {
        &mut self.document
    }

    /// The document and the policy after all changes of roles.
    pub fn done(self) -> Result<(PolicyDocument, Policy), NotChanged> {
        self.removed().map_err(|e| match e {
            BadPolicy::TooMany { what, max } => NotChanged::Full { what, max },
            BadPolicy::Role(e) => NotChanged::Role(e),
            e => NotChanged::Damaged(e),
        })
    }

    /// The document and the policy after somebody more is believed.
    pub fn added(self) -> Result<(PolicyDocument, Policy), BadPolicy> {
        let policy = Policy::new(&self.document, self.policy.revision())?;
        Ok((self.document, policy))
    }

    /// The same after somebody is believed no more: that works whatever else an older release has left in the document.
    pub fn removed(self) -> Result<(PolicyDocument, Policy), BadPolicy> {
        let policy = Policy::stored(&self.document, self.policy.revision())?;
        Ok((self.document, policy))
    }

    /// Takes its administration away from somebody who is gone, however he was given it.
    pub fn no_administrator(&mut self, principal: &Principal) {
        let id = principal.id(&self.policy.directory);
        let gone = |a: &AssignmentView| VAULT_ADMINISTRATOR.is(a.role) && a.principal == id;
        let ids: BTreeSet<_> = self.policy.assignments().filter(gone).map(|a| *a.id.as_bytes()).collect();
        self.document.assignments.retain(|a| !ids.contains(&a.id));
        self.document.administrators.retain(|p| p != principal);
    }

    /// Gives somebody a role. Nothing changes, and that is no error, if it is there under the same id.
    pub fn assign(&mut self, by: &Who, new: &AssignmentView) -> Result<bool, NotChanged> {
        self.policy.definition(new.role).ok_or(NotChanged::RoleNotFound { id: new.role })?;
        if VAULT_ADMINISTRATOR.is(new.role) {
            self.only_administrators(by)?;
            if new.scope != Target::Vault {
                return Err(NotChanged::AdministratorBelow);
            }
        }
        for old in self.policy.assignments() {
            let same = (&old.scope, old.role, old.principal) == (&new.scope, new.role, new.principal);
            match (old.id == new.id, same) {
                (true, true) => return Ok(false),
                (true, false) => return Err(NotChanged::AssignmentFixed),
                (false, true) => return Err(NotChanged::AssignmentExists { id: old.id }),
                (false, false) => {}
            }
        }
        self.document.assignments.push(AssignmentDocument {
            id: *new.id.as_bytes(),
            scope: new.scope.to_string(),
            principal: Grantee::Id(new.principal),
            role: new.role.to_string(),
        });
        Ok(true)
    }

    /// Takes a role from somebody, and says what he had.
    pub fn unassign(&mut self, by: &Who, scope: &Target, id: Guid) -> Result<AssignmentView, NotChanged> {
        let found = self.policy.assignment(scope, id).ok_or(NotChanged::AssignmentNotFound { id })?;
        if VAULT_ADMINISTRATOR.is(found.role) {
            self.only_administrators(by)?;
            if self.policy.count_of_administrators() <= 1 {
                return Err(NotChanged::LastAdministrator);
            }
        }
        self.document.assignments.retain(|a| a.id != *id.as_bytes());
        self.document.administrators.retain(|p| of_administrator(p) != id);
        Ok(found)
    }

    /// Makes a custom role, or makes it another one for all who have it.
    pub fn define(&mut self, by: &Who, new: &Definition) -> Result<Definition, NotChanged> {
        if BUILT_IN.iter().any(|r| r.is(new.id) || r.name.eq_ignore_ascii_case(&new.name)) {
            return Err(NotChanged::BuiltIn);
        }
        let document = RoleDocument::from(new);
        let definition = document.check()?;
        let name = definition.name.to_lowercase();
        if self.document.roles.iter().any(|r| r.id != document.id && r.name.to_lowercase() == name) {
            return Err(NotChanged::NameTaken);
        }
        if let Some(data_action) = self.policy.beyond(by, &definition) {
            return Err(NotChanged::Beyond { data_action });
        }
        self.document.roles.retain(|r| r.id != document.id);
        self.document.roles.push(document);
        Ok(definition)
    }

    /// Removes a custom role from all who have it, as Managed HSM does, and says what it was.
    pub fn undefine(&mut self, id: Guid) -> Result<Undefined, NotChanged> {
        let definition = self.policy.definition(id).ok_or(NotChanged::RoleNotFound { id })?.clone();
        if !definition.custom {
            return Err(NotChanged::BuiltIn);
        }
        let assignments: Vec<_> = self.policy.assignments().filter(|a| a.role == id).collect();
        let ids: BTreeSet<_> = assignments.iter().map(|a| *a.id.as_bytes()).collect();
        self.document.assignments.retain(|a| !ids.contains(&a.id));
        self.document.roles.retain(|r| r.id != *id.as_bytes());
        Ok(Undefined { definition, assignments })
    }

    fn only_administrators(&self, by: &Who) -> Result<(), NotChanged> {
        match by {
            Who::Caller(caller) if self.policy.is_administrator(caller) => Ok(()),
            _ => Err(NotChanged::AdministratorsOnly),
        }
    }
}

impl Policy {
    /// All roles: the built-in ones, then the vault's own.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.roles.iter().map(|r| &r.definition)
    }

    /// The role with this GUID.
    pub fn definition(&self, id: Guid) -> Option<&Definition> {
        self.definitions().find(|d| d.id == id)
    }

    /// All assignments, in no order. The administrators that the document lists stand among them.
    pub fn assignments(&self) -> impl Iterator<Item = AssignmentView> {
        let listed = self.administrators.iter().map(|p| AssignmentView {
            id: of_administrator(p),
            scope: Target::Vault,
            role: VAULT_ADMINISTRATOR.guid(),
            principal: p.id(&self.directory),
        });
        self.assignments.iter().map(|a| self.view(a)).chain(listed)
    }

    /// The assignment with this id at exactly this scope.
    pub fn assignment(&self, scope: &Target, id: Guid) -> Option<AssignmentView> {
        self.assignments().find(|a| a.id == id && a.scope == *scope)
    }

    /// Whether whoever has the role administers the vault.
    pub fn makes_administrators(&self, role: Guid) -> bool {
        VAULT_ADMINISTRATOR.is(role)
    }

    /// Whether it would allow a caller this, as [`Self::decide`] does.
    pub fn allows(&self, who: &Who, action: Action, target: &Target) -> bool {
        matches!(who, Who::Caller(caller) if self.ground_of_caller(caller, action, target).is_some())
    }

    fn view(&self, a: &Assignment) -> AssignmentView {
        AssignmentView {
            id: Guid::from_bytes(*a.id.as_bytes()),
            scope: a.scope.clone(),
            role: a.role.definition.id,
            principal: a.grantee.id(&self.directory),
        }
    }

    /// The first data action of a definition that its writer does not have on the whole vault.
    fn beyond(&self, by: &Who, definition: &Definition) -> Option<DataAction> {
        let Who::Caller(caller) = by else { return definition.names().into_iter().next() };
        if self.is_administrator(caller) {
            return None;
        }
        let own = self.own(caller);
        let names: BTreeSet<_> = own.iter().flat_map(|d| d.names()).collect();
        let actions: BTreeSet<_> = own.iter().flat_map(|d| d.actions()).collect();
        // What this release does not have, a later one may: there the name itself counts.
        let has = |d: &DataAction| match d.actions() {
            [] => names.contains(d),
            all => all.iter().all(|a| actions.contains(a)),
        };
        definition.names().into_iter().find(|d| !has(d))
    }

    fn own(&self, caller: &Caller) -> Vec<&Definition> {
        let whole = |a: &&Assignment| a.scope == Target::Vault && a.grantee.names(caller, &self.directory);
        self.assignments.iter().filter(whole).map(|a| &a.role.definition).collect()
    }
}

/// The id under which an administrator of the document's list is shown as an assignment.
fn of_administrator(principal: &Principal) -> Guid {
    Principal::new("keystead:administrator", principal.derived_id().to_string()).derived_id()
}
