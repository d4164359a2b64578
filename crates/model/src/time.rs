//! Time. It is read once, where work enters, and passed on as a [`Moment`].

use std::fmt;
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

/// `2026-11-22T14:07:00.123Z` (RFC 3339). Times before 1970 and beyond the year 9999 are shown as the number of
/// milliseconds that they are.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: i64 = 253_402_300_799_999;
        let Self(at) = *self;
        if !(0..=LAST).contains(&at) {
            return write!(f, "{at}");
        }
        let (year, month, day) = civil(at / 86_400_000);
        let (hour, minute) = (at / 3_600_000 % 24, at / 60_000 % 60);
        let (second, ms) = (at / 1_000 % 60, at % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of a day since the epoch, in the Gregorian calendar.
#[expect(clippy::arithmetic_side_effects, reason = "days of four-digit years are far from the bounds of i64")]
fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// When a piece of work entered and when it must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Wall clock at entry: what decisions and records use.
    pub now: Time,
    /// Past this the work is refused rather than finished late.
    pub deadline: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "253402300800000"),
            (-1, "-1"),
        ] {
            assert_eq!(Time(at).to_string(), text);
        }
        let _ = (Time(i64::MIN).to_string(), Time(i64::MAX).to_string());
    }
}
