//! The two clocks of this room. A worker cannot be watched without one.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "a worker is killed, started again and probed by the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds of the host's monotonic clock: the same for server and worker.
pub(crate) fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = Duration::from_secs(time.tv_sec.try_into().unwrap_or_default());
    nanos(seconds.saturating_add(Duration::from_nanos(time.tv_nsec.try_into().unwrap_or_default())))
}

/// A moment of this process's clock on the host's.
pub(crate) fn on_host(at: Instant) -> u64 {
    monotonic().saturating_add(nanos(at.saturating_duration_since(now())))
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
