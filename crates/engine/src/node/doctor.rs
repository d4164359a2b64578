//! The doctor: everything the node needs is tried, and each unseal path of each vault proven by opening with it.

mod custodians;
#[cfg(test)]
mod tests;

use super::paths::proven;
use super::sealed::store_says;
use super::{CUSTODY, Instance, QUORUM};
use crate::backup::{JobKind, JobState, JobView, jobs};
use crate::operate::OperateError;
use crate::room::Room;
use crate::rotate::RotationView;
use crate::vault::{Open, State, Vault};
use crate::wraps::{self, Stored};
use crate::written_roots::{self, Written};
use keystead_audit::journal::JournalState;
use keystead_custody::UnsealPath;
use keystead_model::{Generation, Moment, VaultStatus};
use keystead_store::StoreState;
use std::sync::Arc;

/// How it is with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works; something around it could be better.
    Warning,
    /// It does not work.
    Bad,
}

impl Verdict {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `store`, `journal`, `clock`, `token`, `vault`, `domain`, `path`, `root`, `job`, or what else is amiss.
    pub what: &'static str,
    /// Of which vault.
    pub vault: Option<String>,
    /// The token's or path's name.
    pub name: Option<String>,
    /// How it is.
    pub verdict: Verdict,
    /// In words.
    pub says: String,
}

impl Finding {
    fn new(what: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { what, vault: None, name: None, verdict, says: says.into() }
    }

    fn of(self, vault: &Vault) -> Self {
        Self { vault: Some(vault.info.name.clone()), ..self }
    }

    fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }
}

impl Instance {
    /// Tries everything. It changes nothing.
    pub async fn doctor(&self, at: Moment) -> Vec<Finding> {
        let mut all = vec![self.journal_found(), self.store_found().await, self.clock_found()];
        for token in self.tokens() {
            let verdict = if token.state == "ready" { Verdict::Good } else { Verdict::Bad };
            let says = token.reason.unwrap_or_else(|| token.state.to_owned());
            all.push(Finding::new("token", verdict, says).named(&token.name));
        }
        for (what, why) in self.troubles.load().iter() {
            // Memory that is not locked serves as well as any.
            let verdict = if *what == "memory" { Verdict::Warning } else { Verdict::Bad };
            all.push(Finding::new(what, verdict, why.clone()));
        }
        let mut vaults = self.all();
        vaults.sort_by(|a, b| a.info.name.cmp(&b.info.name));
        for vault in vaults {
            self.look_at_vault(&vault, at, &mut all).await;
        }
        all
    }

    fn journal_found(&self) -> Finding {
        let health = self.journal().health();
        match health.state {
            JournalState::Ready => Finding::new("journal", Verdict::Good, "ready"),
            JournalState::Low => Finding::new("journal", Verdict::Warning, "its disk is nearly full: make room"),
            JournalState::Full => Finding::new("journal", Verdict::Bad, "its disk is full: make room"),
            JournalState::Failed(why) => Finding::new("journal", Verdict::Bad, why),
            JournalState::Closed => Finding::new("journal", Verdict::Bad, "closed"),
        }
    }

    async fn store_found(&self) -> Finding {
        match (self.store().state(), self.store_answers().await) {
            (StoreState::Ok, true) => Finding::new("store", Verdict::Good, "ok"),
            (StoreState::Full, true) => Finding::new("store", Verdict::Bad, "its disk is full: make room"),
            _ => Finding::new("store", Verdict::Bad, "it does not answer: the server's log says why"),
        }
    }

    fn clock_found(&self) -> Finding {
        match self.doubted() {
            0 => Finding::new("clock", Verdict::Good, "ok"),
            vaults => {
                let says = format!(
                    "doubted in {vaults} vaults: set it right, then an administrator of each confirms it (`keystead clock`)"
                );
                Finding::new("clock", Verdict::Bad, says)
            }
        }
    }

    async fn look_at_vault(&self, vault: &Arc<Vault>, at: Moment, all: &mut Vec<Finding>) {
        let state = vault.state();
        let stored = self.stored(vault).await.ok();
        let (verdict, says) = match (&state, stored) {
            (State::Sealed, Some(VaultStatus::Active)) => {
                let why = Option::clone(&vault.not_opened.load());
                match (why, self.shares(vault)) {
                    (Some(why), Some(shares)) if why == awaits(vault) => (Verdict::Warning, format!("{why}; {shares}")),
                    (why, _) => {
                        let says = why.map_or_else(|| "sealed".to_owned(), |why| format!("it did not open: {why}"));
                        (Verdict::Bad, says)
                    }
                }
            }
            (State::Sealed, _) => (Verdict::Good, "sealed by command".to_owned()),
            (state, _) => (Verdict::Good, state.name().to_owned()),
        };
        all.push(Finding::new("vault", verdict, says).of(vault));
        all.extend(custodians::found(vault, &state).await.map(|finding| finding.of(vault)));
        match &state {
            State::Open(open) => {
                self.look_at_open(vault, open, all).await;
                look_at_jobs(&Room::new(vault, open, at), all).await;
            }
            State::Sealed => self.look_at_sealed(vault, at, all).await,
            State::Inactive { .. } | State::Deleted => {}
        }
    }

    /// Each of its paths, also such as the node is not configured with.
    async fn look_at_open(&self, vault: &Vault, open: &Open, all: &mut Vec<Finding>) {
        let listed = match wraps::paths(vault, open, &open.seals().records).await {
            Ok((_, listed)) => listed.paths,
            Err(e) => {
                all.push(Finding::new("path", Verdict::Bad, e.to_string()).of(vault));
                return;
            }
        };
        for path in &listed {
            let opened = match self.its_path(&path.name) {
                Ok(path) => proven(vault, open, path).await,
                Err(e) => Err(e),
            };
            all.push(path_found(vault, &path.name, opened));
        }
        let finding = match self.sealed_to_domain(vault, open).await {
            Ok(how) => {
                let says = rotation(open.rotation().as_ref().map(|r| r.view()));
                Finding::new("root", Verdict::Good, format!("{says}{how}"))
            }
            Err(why) => Finding::new("root", Verdict::Bad, why),
        };
        let finding = match open.rotation().as_ref().and_then(|r| r.view().waits_for) {
            Some(why) => {
                Finding { verdict: Verdict::Bad, says: format!("{}; it waits: {why}", finding.says), ..finding }
            }
            None => finding,
        };
        let name = format!("generation {}", open.seals().generation().0);
        all.push(finding.of(vault).named(&name));
    }

    /// Whether the root is what is sealed to the domain, as far as that can be tried here: what remains to be proven, or
    /// what is wrong with it.
    async fn sealed_to_domain(&self, vault: &Vault, open: &Open) -> Result<&'static str, String> {
        let failed = |e: OperateError| format!("what is sealed to the vault's domain: {e}");
        wraps::public(vault, open).await.map_err(failed)?;
        let mut kept = true;
        for (generation, how) in written_roots::look(vault, open).await.map_err(failed)? {
            kept &= unaltered(generation, how)?;
        }
        match kept {
            _ if vault.info.custody == CUSTODY => {
                self.opened_by_domain(vault, open).await.map_err(failed)?;
                Ok("")
            }
            true => {
                Ok(" (unaltered since it was written; that it opens, only its custodians prove: `keystead unseal`)")
            }
            false => Ok(" (whether it is unaltered is known once its custodians unsealed it or the root was rotated)"),
        }
    }

    async fn opened_by_domain(&self, vault: &Vault, open: &Open) -> Result<(), OperateError> {
        let row = wraps::get(vault, wraps::sealed_root_at(open.seals().generation())).await?;
        let domain = wraps::domain(vault, &self.parts.paths).await?;
        let domain = domain.ok_or_else(|| OperateError::NoPath { custody: vault.info.custody.clone() })?;
        let sealed = row.ok_or(OperateError::Damaged)?.sealed;
        let root = domain.open_root(vault.info.id, &sealed).map_err(|_| OperateError::Damaged)?;
        if root.same_as(&open.seals().root) { Ok(()) } else { Err(OperateError::Damaged) }
    }

    /// Each configured path that wrapped something of it, as an unseal would use it.
    async fn look_at_sealed(&self, vault: &Vault, at: Moment, all: &mut Vec<Finding>) {
        let (mut found, mut under_way) = (0_usize, None);
        for path in &self.parts.paths {
            let stored = Stored::of(vault, path.name()).await;
            if stored.is_ok_and(|stored| stored.is_empty()) {
                continue;
            }
            found = found.saturating_add(1);
            let opened = self.trial(vault, &**path as &dyn UnsealPath, at).await.map(|(generation, view)| {
                under_way = view.or_else(|| under_way.take());
                generation
            });
            all.push(path_found(vault, path.name(), opened));
        }
        if found == 0 && vault.info.custody == CUSTODY {
            let says = "no configured unseal path opens it: configure one of its paths";
            all.push(Finding::new("path", Verdict::Bad, says).of(vault));
        }
        if under_way.is_none() && vault.info.custody == QUORUM {
            let finding = match store_says(vault).await {
                Ok(says) => {
                    let name = format!("generation {}", says.generation.0);
                    Finding::new("root", Verdict::Good, says.to_string()).named(&name)
                }
                Err(why) => Finding::new("root", Verdict::Bad, format!("what is sealed to the vault's domain: {why}")),
            };
            all.push(finding.of(vault));
        }
        if let Some(view) = under_way {
            all.push(Finding::new("root", Verdict::Good, rotation(Some(view))).of(vault));
        }
    }
}

/// All that stands in the way of a vault which no path opens: nothing is amiss with it.
fn awaits(vault: &Vault) -> String {
    OperateError::AwaitsQuorum { name: vault.info.name.clone() }.to_string()
}

/// The last step of a backup or a restore that is under way.
async fn look_at_jobs(room: &Room<'_>, all: &mut Vec<Finding>) {
    let running = |job: &JobView| job.state == JobState::Running;
    let finding = match jobs::list(room).await.map(|jobs| jobs.into_iter().find(running)) {
        Ok(None) => return,
        Ok(Some(job)) => {
            let what = match job.kind {
                JobKind::Backup => "backup",
                JobKind::Restore => "restore",
            };
            let how_far = job.details.unwrap_or_else(|| "begun".to_owned());
            Finding::new("job", Verdict::Good, format!("{what} under way: {how_far}")).named(&job.id.to_string())
        }
        Err(e) => Finding::new("job", Verdict::Bad, e.to_string()),
    };
    all.push(finding.of(room.vault()));
}

/// Whether what is sealed to the domain of a generation is known to be as it was written; what is wrong with it.
fn unaltered(Generation(generation): Generation, how: Written) -> Result<bool, String> {
    match how {
        Written::Unaltered => Ok(true),
        Written::NotKept => Ok(false),
        Written::Missing => {
            Err(format!("generation {generation} is not sealed to the vault's domain: rotate the root"))
        }
        Written::Altered => Err(format!(
            "what is sealed to the vault's domain was altered in the database: the row of generation {generation} is not \
             the one that was written. Rotate the root, or restore the store from a backup"
        )),
        Written::Older => Err(format!(
            "the vault's own secrets in the database are older than generation {generation} of its root, and say nothing \
             of what is sealed to its domain: restore the store from a backup"
        )),
    }
}

fn path_found(vault: &Vault, name: &str, opened: Result<Generation, OperateError>) -> Finding {
    let finding = match opened {
        Ok(generation) => Finding::new("path", Verdict::Good, format!("opens root generation {}", generation.0)),
        Err(e) => Finding::new("path", Verdict::Bad, e.to_string()),
    };
    finding.of(vault).named(name)
}

/// The last unfinished step, if there is one.
fn rotation(view: Option<RotationView>) -> String {
    match view {
        None => "sealed to the vault's domain".to_owned(),
        Some(view) => {
            let what = if view.custodians { "replacing custodians, root" } else { "rotating root" };
            format!("{what} {} -> {}: {}, {} rows left", view.from.0, view.to.0, view.step, view.rows_left)
        }
    }
}
