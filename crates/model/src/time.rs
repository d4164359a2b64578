//! Time. It is read once, where work enters, and passed on as a [`Moment`].

use std::time::Instant;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// From whole seconds, as the Key Vault API writes times. Saturates.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Whole seconds, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Later by so many milliseconds. Saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Later by so many days of 86,400 s. Saturates.
    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        self.plus_millis((days as i64).saturating_mul(86_400_000))
    }
}

/// When a piece of work entered and when it must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Wall clock at entry: what decisions and records use.
    pub now: Time,
    /// Past this the work is refused rather than finished late.
    pub deadline: Instant,
}
