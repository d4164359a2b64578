//! Who may come in now: rates and numbers at once, per caller and per vault, and wrong proofs per network address.
//! Over a bound a request is turned away before anything is done for it: no decision, no record, no receipt; it is
//! counted in the summaries, and told when to come again. Each denial costs its caller more, since a record of it is
//! made all the same.
//!
//! - [`bucket`]: a rate, given the time    - [`known`]: who was here lately, bounded

mod bucket;
mod known;

use crate::error::TurnedAway;
use bucket::Bucket;
pub use bucket::Rate;
use keystead_identity::{Caller, Principal};
use keystead_model::Time;
use keystead_protection::Lane;
use known::Known;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one caller, or one vault as a whole, may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Requests.
    pub rate: Rate,
    /// Requests under way at the same time.
    pub at_once: u32,
}

/// All bounds of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of one caller in one vault.
    pub caller: Share,
    /// Of one vault.
    pub vault: Share,
    /// Of wrong signatures from one network address (of IPv6: one /64), and of wrong secrets and assertions from one
    /// for each built-in client. What is wrong at sight is not counted.
    pub wrong_proofs: Rate,
}

impl Bounds {
    /// None to speak of: for measurements, and for tests of other things.
    pub const NONE: Self = {
        let rate = Rate { per_second: u32::MAX, burst: u32::MAX };
        let share = Share { rate, at_once: u32::MAX };
        Self { caller: share, vault: share, wrong_proofs: rate }
    };
}

impl Default for Bounds {
    /// Far above what well-behaved clients do.
    fn default() -> Self {
        let rate = |per_second: u32, burst| Rate { per_second, burst };
        Self {
            caller: Share { rate: rate(10_000, 20_000), at_once: 128 },
            vault: Share { rate: rate(40_000, 80_000), at_once: 384 },
            wrong_proofs: rate(20, 200),
        }
    }
}

/// Which bound was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The caller's rate.
    CallerRate,
    /// The caller's number at once.
    CallerAtOnce,
    /// The vault's rate.
    VaultRate,
    /// The vault's number at once.
    VaultAtOnce,
    /// Wrong proofs from the address.
    WrongProofs,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CallerRate => "this caller sends more requests in a second than it may",
            Self::CallerAtOnce => "this caller has as many requests under way as it may",
            Self::VaultRate => "this vault is sent more requests in a second than it may have",
            Self::VaultAtOnce => "this vault has as many requests under way as it may",
            Self::WrongProofs => "too many wrong tokens or secrets came from this network address",
        })
    }
}

/// What a denial costs its caller beyond the request itself.
const DENIAL: u32 = 99;

/// Callers remembered per vault, and sources of wrong proofs.
const REMEMBERED: usize = 8192;

/// Lane 0 is the node's own; each caller that comes gets the next.
static NEXT_LANE: AtomicU64 = AtomicU64::new(1);

/// One vault's door.
pub(crate) struct Admission {
    bounds: Bounds,
    vault: Arc<Tally>,
    callers: Mutex<Known<Principal, Tally>>,
}

/// What one caller, or the vault, has left and under way.
struct Tally {
    lane: Lane,
    state: Mutex<Counted>,
}

struct Counted {
    bucket: Bucket,
    at_once: u32,
}

impl Tally {
    fn new(share: Share, now: Time) -> Self {
        let lane = Lane(NEXT_LANE.fetch_add(1, Ordering::Relaxed));
        Self { lane, state: Mutex::new(Counted { bucket: Bucket::full(share.rate, now), at_once: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        locked(&self.state)
    }

    fn enter(&self, share: Share, now: Time, rate: Bound, number: Bound) -> Result<(), TurnedAway> {
        let mut counted = self.lock();
        if counted.at_once >= share.at_once {
            return Err(TurnedAway::Throttled { bound: number, seconds: 1 });
        }
        let taken = counted.bucket.take(share.rate, now);
        taken.map_err(|seconds| TurnedAway::Throttled { bound: rate, seconds })?;
        counted.at_once = counted.at_once.saturating_add(1);
        Ok(())
    }

    fn leave(&self) {
        let mut counted = self.lock();
        counted.at_once = counted.at_once.saturating_sub(1);
    }
}

/// A request that was let in. It counts as under way until it is dropped.
pub(crate) struct Place {
    caller: Arc<Tally>,
    vault: Arc<Tally>,
    bounds: Bounds,
}

impl Place {
    /// Whose turn its work at the cipher pool waits for.
    pub(crate) fn lane(&self) -> Lane {
        self.caller.lane
    }

    /// It was denied.
    pub(crate) fn denied(&self) {
        self.caller.lock().bucket.charge(self.bounds.caller.rate, DENIAL);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.caller.leave();
        self.vault.leave();
    }
}

impl Admission {
    pub(crate) fn new(bounds: Bounds) -> Self {
        // The first request finds it full: it is filled from the beginning of time.
        let vault = Arc::new(Tally::new(bounds.vault, Time(i64::MIN)));
        Self { bounds, vault, callers: Mutex::new(Known::new(REMEMBERED)) }
    }

    /// Lets a caller's request in, or says why not and when to come again.
    pub(crate) fn enter(&self, caller: &Caller, now: Time) -> Result<Place, TurnedAway> {
        self.enter_as(caller.principal(), now)
    }

    fn enter_as(&self, principal: &Principal, now: Time) -> Result<Place, TurnedAway> {
        let share = self.bounds.caller;
        let tally = locked(&self.callers).get(principal, || Tally::new(share, now));
        tally.enter(share, now, Bound::CallerRate, Bound::CallerAtOnce)?;
        if let Err(full) = self.vault.enter(self.bounds.vault, now, Bound::VaultRate, Bound::VaultAtOnce) {
            tally.leave();
            tally.lock().bucket.give_back(share.rate);
            return Err(full);
        }
        Ok(Place { caller: tally, vault: Arc::clone(&self.vault), bounds: self.bounds })
    }
}

/// Wrong proofs, by network address, over all vaults of the node. Those that name a built-in client are counted for
/// that client alone, so that nobody's guesses at one client keep another out.
pub(crate) struct WrongProofs {
    rate: Rate,
    sources: Mutex<Known<Source, Mutex<Bucket>>>,
}

/// An address, and the digest of the client's id: there need be no such client, and an id may be long.
type Source = (IpAddr, Option<[u8; 32]>);

impl WrongProofs {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, sources: Mutex::new(Known::new(REMEMBERED)) }
    }

    /// Has a proof examined, unless too many from there were wrong. A right one costs nothing.
    pub(crate) fn examine<T, E: From<TurnedAway>>(
        &self,
        address: Option<IpAddr>,
        client: Option<&str>,
        now: Time,
        examine: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(address) = address else { return examine() };
        let client = client.map(|id| keystead_crypto::sha256(&[id.to_ascii_lowercase().as_bytes()]));
        let make = || Mutex::new(Bucket::full(self.rate, now));
        let bucket = locked(&self.sources).get(&(network(address), client), make);
        let taken = locked(&bucket).take(self.rate, now);
        taken.map_err(|seconds| TurnedAway::Throttled { bound: Bound::WrongProofs, seconds })?;
        let examined = examine()?;
        locked(&bucket).give_back(self.rate);
        Ok(examined)
    }
}

/// Whoever has one address of an IPv6 network has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// What is counted is changed in one step each, so a poisoned lock cannot hold a half-made change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
