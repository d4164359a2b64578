//! The sweep: resident keys of a vault that no row of it names are destroyed in its tokens. A crash in the middle of a
//! creation leaves such keys, and so does every purge.
//!
//! What a purge removed goes at once. What else no row names goes only if it stood so in two sweeps, ten minutes apart:
//! it may be a key that is being made.

use crate::error::Refusal;
use crate::node::Instance;
use crate::operate::OperateError;
use crate::vault::{Open, State, Vault};
use keystead_model::{Action, Moment, Time, VaultId};
use keystead_protection::Tokens;
use keystead_store::Kind;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Between two sweeps of a vault, ms.
const EVERY: i64 = 3_600_000;
/// As long must no row name a key, ms. Then the next sweep comes as soon, too.
const SETTLED: i64 = 600_000;
/// Rows read at a time.
const BATCH: u16 = 1_024;
/// Purged versions that are remembered for one vault; what is over it a sweep finds.
const PURGED: usize = 4_096;
/// Ids in one record, which has room for 4 KiB.
const RECORDED: usize = 128;

type Id = [u8; 16];

/// Since when no row names a key.
type Since = BTreeMap<Id, Time>;

/// What the last sweeps saw.
#[derive(Default)]
pub(crate) struct Sweeps(HashMap<VaultId, Seen>);

#[derive(Default)]
struct Seen {
    next: Option<Time>,
    /// By token.
    unnamed: HashMap<String, Since>,
}

/// Versions that were purged since the last beat.
#[derive(Default)]
pub(crate) struct Purged(Mutex<Vec<Id>>);

impl Purged {
    /// Remembers one, while there is room.
    pub(crate) fn add(&self, version: Id) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < PURGED {
            all.push(version);
        }
    }

    fn take(&self) -> Vec<Id> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Instance {
    /// One beat: purged keys leave their tokens, and the vaults whose time has come are swept. How many orphans went.
    /// None goes from a vault in which the clock is doubted. It waits for tokens, so nothing else should wait for it.
    pub async fn sweep(&self, at: Moment) -> usize {
        let (mut sweeps, mut count) = (self.sweeps.lock().await, 0_usize);
        for left in self.clear_leftovers(at).await {
            tracing::debug!("left of an erased vault: {left}");
        }
        let vaults = self.all();
        sweeps.0.retain(|id, _| vaults.iter().any(|vault| vault.info.id == *id));
        for vault in vaults {
            let State::Open(open) = vault.state() else { continue };
            let Ok(tokens) = open.protection.tokens() else { continue };
            forget(&vault, tokens, open.purged.take(), at).await;
            let seen = sweeps.0.entry(vault.info.id).or_default();
            if !seen.is_due(at.now) {
                continue;
            }
            match self.sweep_vault(&vault, &open, tokens, seen, at).await {
                Ok(destroyed) => count = count.saturating_add(destroyed),
                Err(e) => tracing::warn!(vault = %vault.info.name, "its tokens were not swept: {e}"),
            }
        }
        count
    }

    async fn sweep_vault(
        &self,
        vault: &Arc<Vault>,
        open: &Arc<Open>,
        tokens: &Tokens,
        seen: &mut Seen,
        at: Moment,
    ) -> Result<usize, OperateError> {
        seen.next = Some(at.now.plus_millis(EVERY));
        // The tokens first: what is made after that is in none of the lists.
        let mut there = Vec::new();
        for name in tokens.names() {
            match tokens.residents(name, at.deadline).await {
                Ok(ids) => there.push((name.to_owned(), ids)),
                Err(e) => {
                    seen.next = Some(at.now.plus_millis(SETTLED));
                    tracing::debug!(vault = %vault.info.name, token = name, "not swept: {e}");
                }
            }
        }
        let all: HashSet<Id> = there.iter().flat_map(|(_, ids)| ids).copied().collect();
        let unnamed = unnamed(vault, all).await?;
        let mut destroyed = 0_usize;
        for (token, ids) in there {
            let since = seen.unnamed.entry(token.clone()).or_default();
            let orphans = orphans(since, ids.iter().filter(|id| unnamed.contains(*id)).copied(), at.now);
            if !since.is_empty() {
                seen.next = Some(at.now.plus_millis(SETTLED));
            }
            if vault.doubt_of(open).is_some() || !vault.still_open(open) {
                continue;
            }
            for some in orphans.chunks(RECORDED) {
                self.destroy(vault, tokens, &token, some, at).await?;
                since.retain(|id, _| !some.contains(id));
                destroyed = destroyed.saturating_add(some.len());
            }
        }
        Ok(destroyed)
    }

    /// With a record first: what cannot be recorded is not done.
    async fn destroy(
        &self,
        vault: &Vault,
        tokens: &Tokens,
        token: &str,
        ids: &[Id],
        at: Moment,
    ) -> Result<(), OperateError> {
        let clear: Vec<&minicbor::bytes::ByteSlice> = ids.iter().map(|id| id.as_slice().into()).collect();
        let clear = minicbor::to_vec(clear).map_err(|_| Refusal::Fault)?;
        self.write(Action::OrphansDestroyed, vault.info.id, clear, at).await?;
        for id in ids {
            tokens.destroy(token, *id, at.deadline).await.map_err(Refusal::from)?;
        }
        let (vault, keys) = (&vault.info.name, ids.len());
        tracing::warn!(vault = %vault, token, keys, "resident keys that no row names were destroyed in the token");
        Ok(())
    }
}

/// Takes purged keys out of every token that has them: the purge is in the vault's log. A token that is away is swept
/// once it is back.
async fn forget(vault: &Vault, tokens: &Tokens, purged: Vec<Id>, at: Moment) {
    if purged.is_empty() {
        return;
    }
    for token in tokens.names() {
        for id in &purged {
            if let Err(e) = tokens.destroy(token, *id, at.deadline).await {
                tracing::debug!(vault = %vault.info.name, token, "a purged key is left to the sweep: {e}");
                break;
            }
        }
    }
}

/// Those that no version of a key of the vault has for its id, be the key live or deleted.
async fn unnamed(vault: &Vault, mut ids: HashSet<Id>) -> Result<HashSet<Id>, Refusal> {
    let mut after = None;
    while !ids.is_empty() {
        let page = vault.store.version_ids(vault.info.id, Kind::KeyVersion, after, BATCH).await?;
        after = page.last().copied();
        for (_, version) in &page {
            ids.remove(version.as_bytes());
        }
        if page.len() < usize::from(BATCH) {
            break;
        }
        // A large vault has many pages, and others want to read.
        tokio::task::yield_now().await;
    }
    Ok(ids)
}

impl Seen {
    /// A clock that was set back does not put it off.
    fn is_due(&self, now: Time) -> bool {
        self.next.is_none_or(|next| now >= next || next.0.saturating_sub(now.0) > EVERY)
    }
}

/// Which of the keys that no row names now have been so long enough. `since` is carried from sweep to sweep: a key that
/// was named in between, or was not there, begins anew, and so does one from the future of a clock that was set back.
fn orphans(since: &mut Since, unnamed: impl Iterator<Item = Id>, now: Time) -> Vec<Id> {
    let before = std::mem::take(since);
    for id in unnamed {
        let first = before.get(&id).copied().filter(|first| *first <= now).unwrap_or(now);
        since.insert(id, first);
    }
    let settled = |first: &Time| now.0.saturating_sub(first.0) >= SETTLED;
    since.iter().filter(|(_, first)| settled(first)).map(|(id, _)| *id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Id = [1; 16];
    const B: Id = [2; 16];

    #[test]
    fn a_key_is_an_orphan_once_two_sweeps_ten_minutes_apart_found_it_unnamed() {
        let mut since = Since::new();
        assert_eq!(orphans(&mut since, [A].into_iter(), Time(0)), [A; 0]);
        assert_eq!(orphans(&mut since, [A, B].into_iter(), Time(SETTLED - 1)), [A; 0]);
        assert_eq!(orphans(&mut since, [A, B].into_iter(), Time(SETTLED)), [A]);
        assert_eq!(orphans(&mut since, [A, B].into_iter(), Time(2 * SETTLED - 1)), [A, B]);
    }

    #[test]
    fn a_key_that_a_row_named_in_between_begins_anew() {
        let mut since = Since::new();
        orphans(&mut since, [A].into_iter(), Time(0));
        orphans(&mut since, [].into_iter(), Time(1));
        assert_eq!(orphans(&mut since, [A].into_iter(), Time(SETTLED)), [A; 0]);
        assert_eq!(since, Since::from([(A, Time(SETTLED))]));
    }

    #[test]
    fn a_clock_that_was_set_back_destroys_nothing_early_and_puts_nothing_off() {
        let mut since = Since::new();
        orphans(&mut since, [A].into_iter(), Time(10 * SETTLED));
        assert_eq!(orphans(&mut since, [A].into_iter(), Time(0)), [A; 0]);
        assert_eq!(orphans(&mut since, [A].into_iter(), Time(SETTLED)), [A]);
        let seen = Seen { next: Some(Time(10 * EVERY)), ..Seen::default() };
        assert!(seen.is_due(Time(0)) && !seen.is_due(Time(9 * EVERY)) && seen.is_due(Time(10 * EVERY)));
    }

    #[test]
    fn purged_versions_are_remembered_within_a_bound() {
        let purged = Purged::default();
        (0..=PURGED).for_each(|_| purged.add(A));
        assert_eq!((purged.take().len(), purged.take().len()), (PURGED, 0));
    }
}
