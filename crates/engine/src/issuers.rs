//! The keys of other issuers, fetched for all vaults of a node. Whom a vault believes stands in its policy; here is
//! only what those issuers publish, and how often they are asked: whatever callers send, twice a minute at most, half a
//! minute apart, so that no flood puts off the look that finds a new key for longer than that.

use futures_util::future::BoxFuture;
use keystead_identity::{Published, TrustedIssuer, discovery, keys};
use keystead_model::{Moment, Time};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads what stands at an https URL, within bounds. The embedder knows which hosts may be reached, and how.
pub type Fetch = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// Between two fetches of one issuer's keys, failed ones too.
const APART_MS: i64 = 30_000;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that may wait for one issuer's keys. The rest are refused at once, so that a flood of tokens with unknown
/// keys holds no more places than this.
const WAITING: usize = 64;

/// Bound on issuers that are known at a time.
const KNOWN: usize = 4096;

/// All issuers whose keys are fetched.
pub struct Issuers {
    fetch: Fetch,
    known: Mutex<HashMap<(String, String), Arc<Source>>>,
}

/// One of them.
struct Source {
    issuer: TrustedIssuer,
    metadata: String,
    state: Mutex<State>,
    /// One in flight.
    turn: tokio::sync::Mutex<()>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    published: Option<Published>,
    /// The newest fetch, a failed one too.
    tried: Option<Time>,
}

impl Issuers {
    /// None known yet.
    pub fn new(fetch: Fetch) -> Arc<Self> {
        Arc::new(Self { fetch, known: Mutex::default() })
    }

    /// For a node that reaches nobody.
    pub fn unreachable() -> Arc<Self> {
        Self::new(Arc::new(|_| Box::pin(async { Err("this node may reach no host".to_owned()) })))
    }

    /// Keys newer than those seen, if the issuer has been or may be asked. What is begun goes on to its end when the
    /// caller hangs up.
    pub(crate) async fn newer(&self, issuer: &TrustedIssuer, seen: Option<Time>, at: Moment) -> Option<Published> {
        let source = self.source(issuer)?;
        if let Some(known) = source.newer_than(seen) {
            return Some(known);
        }
        let place = Arc::clone(&source.places).try_acquire_owned().ok()?;
        if !source.may_ask(at.now) && source.turn.try_lock().is_ok() {
            return None;
        }
        let work = tokio::spawn(source.ask(Arc::clone(&self.fetch), seen, at.now, place));
        tokio::time::timeout_at(at.deadline.into(), work).await.ok()?.ok()?
    }

    fn source(&self, issuer: &TrustedIssuer) -> Option<Arc<Source>> {
        let metadata = issuer.metadata.clone()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN {
            known.retain(|_, source| Arc::strong_count(source) > 1);
        }
        let source = known.entry((issuer.iss.clone(), metadata.clone())).or_insert_with(|| {
            Arc::new(Source {
                issuer: issuer.clone(),
                metadata,
                state: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                places: Arc::new(Semaphore::new(WAITING)),
            })
        });
        Some(Arc::clone(source))
    }
}

impl Source {
    fn newer_than(&self, seen: Option<Time>) -> Option<Published> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.published.clone().filter(|p| seen.is_none_or(|seen| p.at > seen))
    }

    fn may_ask(&self, now: Time) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !state.tried.is_some_and(|tried| recent(tried, now))
    }

    async fn ask(
        self: Arc<Self>,
        fetch: Fetch,
        seen: Option<Time>,
        now: Time,
        _place: OwnedSemaphorePermit,
    ) -> Option<Published> {
        let _turn = self.turn.lock().await;
        if let Some(known) = self.newer_than(seen) {
            return Some(known);
        }
        if !self.begin(now) {
            return None;
        }
        let fetched = tokio::time::timeout(PATIENCE, self.fetch(fetch)).await;
        match fetched.unwrap_or_else(|_| Err("it did not answer within 10 s".to_owned())) {
            Ok(keys) => {
                let published = Published { keys: Arc::new(keys), at: now };
                self.state.lock().unwrap_or_else(PoisonError::into_inner).published = Some(published.clone());
                Some(published)
            }
            Err(why) => {
                tracing::warn!(issuer = %self.issuer.iss, "cannot fetch the issuer's keys: {why}");
                None
            }
        }
    }

    /// Counts a fetch, if there may be one now.
    fn begin(&self, now: Time) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.tried.is_some_and(|tried| recent(tried, now)) {
            return false;
        }
        state.tried = Some(now);
        true
    }

    async fn fetch(&self, fetch: Fetch) -> Result<Vec<keys::Key>, String> {
        let metadata = fetch(self.metadata.clone()).await?;
        let url = discovery::keys_url(&metadata, &self.issuer.iss).map_err(|e| e.to_string())?;
        keys::parse(&fetch(url).await?).map_err(|e| e.to_string())
    }
}

/// Whether two times are too near to each other, whichever came first: requests do not come in order.
fn recent(tried: Time, now: Time) -> bool {
    now.0.abs_diff(tried.0) < APART_MS.unsigned_abs()
}

#[cfg(test)]
mod tests;
