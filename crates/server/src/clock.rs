//! Where time enters for a request.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keystead_model::{Moment, Time};

/// The moment at which a request is whole, and the deadline it gets.
#[expect(clippy::disallowed_methods, reason = "the one place where time enters for a request")]
pub(crate) fn arrival(allowed: Duration) -> Moment {
    let (wall, instant) = (SystemTime::now(), Instant::now());
    Moment { now: Time(epoch_millis(wall)), deadline: instant.checked_add(allowed).unwrap_or(instant) }
}

/// When something began, to tell how long it took.
#[expect(clippy::disallowed_methods, reason = "measures what was done; decides nothing")]
pub(crate) fn began() -> Instant {
    Instant::now()
}

/// Negative before 1970; saturates.
fn epoch_millis(wall: SystemTime) -> i64 {
    match wall.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, i64::saturating_neg),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_epoch_is_negative_and_not_a_panic() {
        assert_eq!(epoch_millis(UNIX_EPOCH + Duration::from_millis(1500)), 1500);
        assert_eq!(epoch_millis(UNIX_EPOCH - Duration::from_millis(1500)), -1500);
    }
}
