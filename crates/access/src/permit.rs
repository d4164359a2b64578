//! What a decision gives.

use keystead_identity::Caller;
use keystead_model::{Action, AssignmentId, Revision, Target};

/// A command, as far as a decision needs to know it.
pub trait Ask {
    /// What it does.
    const ACTION: Action;
    /// What it does it to.
    fn target(&self) -> Target;
    /// The action whose right it takes: its own, but for a command that proposes another one.
    fn needs(&self) -> Action {
        Self::ACTION
    }
}

/// A stored decision of the customer that acts without a caller. Only the scheduler brings one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// What it may do.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// Who stored it: `issuer|subject`.
    pub set_by: String,
    /// The vault's revision at which it was stored.
    pub at: Revision,
}

/// On whose behalf something is done.
#[derive(Debug, Clone)]
pub enum Who {
    /// An authenticated caller.
    Caller(Caller),
    /// A stored decision.
    Mandate(Mandate),
}

/// Why it was allowed. Stands in the audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A role assignment.
    Role(AssignmentId),
    /// The caller is an administrator of the vault.
    Administrator,
    /// The caller is a built-in client and asks for a token of its own.
    OwnToken,
    /// A mandate stored at this revision.
    Mandate(Revision),
}

/// A permitted command. Made only by [`crate::Policy::decide`]; not `Clone`, so it is spent once.
#[must_use]
pub struct Permit<C> {
    ask: C,
    who: Who,
    ground: Ground,
    policy: Revision,
}

impl<C> Permit<C> {
    pub(crate) fn new(ask: C, who: Who, ground: Ground, policy: Revision) -> Self {
        Self { ask, who, ground, policy }
    }

    pub(crate) fn into_parts(self) -> (C, Who) {
        (self.ask, self.who)
    }

    /// The command.
    pub fn ask(&self) -> &C {
        &self.ask
    }

    /// On whose behalf.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Why it was allowed.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The policy revision that allowed it.
    pub fn policy(&self) -> Revision {
        self.policy
    }
}

/// A refused command: everything the record and the answer need.
#[derive(Debug, Clone)]
#[must_use]
pub struct Denial {
    /// What was asked.
    pub action: Action,
    /// To what.
    pub target: Target,
    /// By whom.
    pub who: Who,
    /// The policy revision that refused it.
    pub policy: Revision,
}
