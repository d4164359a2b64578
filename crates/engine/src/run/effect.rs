//! What a command gives back: its value, and the changes that `run` commits for it.

use crate::error::Refusal;
use crate::room::Used;
use crate::vault::{Open, Vault};
use keystead_access::Policy;
use keystead_audit::Note;
use keystead_model::{ObjectId, Revision, VaultStatus, Version};
use keystead_store::{Changes, Row, RowKey};

/// What follows a commit in memory.
type After = Box<dyn FnOnce(&Open, Revision) + Send>;

/// What a command did and wants changed.
pub struct Effect<T> {
    pub(super) value: T,
    pub(super) about: Option<(ObjectId, Option<Version>)>,
    pub(super) note: Option<Note>,
    pub(super) changes: Changes,
    pub(super) follows: Follows,
    pub(super) used: Vec<Used>,
}

/// What a commit means for the vault besides its rows.
#[derive(Default)]
pub(super) struct Follows {
    /// The vault's state in the store from then on.
    pub(super) status: Option<VaultStatus>,
    policy: Option<Policy>,
    /// It is alone, and nothing was changed since this revision.
    pub(super) alone: Option<Revision>,
    after: Option<After>,
}

impl Follows {
    /// Whether nobody may be let in while it is not known if it was committed.
    pub(super) const fn is_decisive(&self) -> bool {
        self.policy.is_some() || self.status.is_some() || self.alone.is_some()
    }

    /// It was committed with this revision.
    pub(super) fn adopt(self, vault: &Vault, open: &Open, revision: Revision) {
        if let Some(policy) = self.policy {
            open.adopt(policy, revision);
        }
        if let Some(after) = self.after {
            after(open, revision);
        }
        if self.status.is_some() {
            vault.set_sealed();
        }
    }
}

impl<T> Effect<T> {
    /// It changes nothing.
    pub(crate) fn read(value: T) -> Self {
        let (changes, follows) = (Changes::default(), Follows::default());
        Self { value, about: None, note: None, changes, follows, used: Vec::new() }
    }

    /// It changes these rows.
    pub(crate) fn change(value: T, changes: Changes) -> Self {
        Self { changes, ..Self::read(value) }
    }

    /// It changes the vault's stored state.
    pub(crate) fn status(value: T, status: VaultStatus) -> Self {
        Self { follows: Follows { status: Some(status), ..Follows::default() }, ..Self::read(value) }
    }

    /// Which object the record names.
    pub(crate) fn about(mut self, id: ObjectId, version: Option<Version>) -> Self {
        self.about = Some((id, version));
        self
    }

    /// What the record says besides, in its sealed part.
    pub(crate) fn note(mut self, note: Note) -> Self {
        self.note = Some(note);
        self
    }

    /// It changes these rows as well.
    pub(crate) fn with(mut self, changes: Changes) -> Self {
        self.changes = changes;
        self
    }

    /// It changes this row as well.
    pub(crate) fn also(mut self, row: Row) -> Self {
        self.changes.puts.push(row);
        self
    }

    /// Its changes make this the vault's policy.
    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.follows.policy = Some(policy);
        self
    }

    /// It changes what everything else in the vault hangs on: nothing was changed since this revision, nothing is
    /// committed beside it, and the vault is opened anew before anything is again.
    pub(crate) fn alone(mut self, since: Revision) -> Self {
        self.follows.alone = Some(since);
        self
    }

    /// What follows in memory once the changes are committed.
    pub(crate) fn after(mut self, then: impl FnOnce(&Open, Revision) + Send + 'static) -> Self {
        self.follows.after = Some(Box::new(then));
        self
    }

    /// It uses up an approved proposal, stands only under the policy that was asked, and says so.
    pub(crate) fn approved(mut self, check: Option<(RowKey, u64)>, row: Option<Row>, note: Option<Note>) -> Self {
        self.changes.checks.extend(check);
        self.changes.puts.extend(row);
        self.note = match (note, self.note) {
            (Some(approved), Some(own)) => Some(own.behind(&approved)),
            (approved, own) => approved.or(own),
        };
        self
    }

    /// What its record has no room to prove is not done.
    pub(super) fn recordable(mut self) -> Result<Self, Refusal> {
        self.note = self.note.map(Note::checked).transpose()?;
        Ok(self)
    }

    pub(super) fn changes_something(&self) -> bool {
        self.follows.status.is_some() || !self.changes.puts.is_empty() || !self.changes.removes.is_empty()
    }
}
