//! A token bucket, given the time. Pure.

use keystead_model::Time;

/// How much in a second, and how much at one go after a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What comes in each second.
    pub per_second: u32,
    /// The most that is saved up.
    pub burst: u32,
}

/// What is left of a rate. Counted in thousandths: a rate per second is as many thousandths per millisecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    thousandths: i64,
    filled: Time,
}

const WHOLE: i64 = 1000;

impl Bucket {
    pub(super) const fn full(rate: Rate, now: Time) -> Self {
        Self { thousandths: most(rate), filled: now }
    }

    /// Takes one, or says in how many seconds there will be one.
    pub(super) fn take(&mut self, rate: Rate, now: Time) -> Result<(), u16> {
        self.fill(rate, now);
        if self.thousandths >= WHOLE {
            self.thousandths = self.thousandths.saturating_sub(WHOLE);
            return Ok(());
        }
        let missing = WHOLE.saturating_sub(self.thousandths);
        let per_second = i64::from(rate.per_second.max(1)).saturating_mul(WHOLE);
        let seconds = missing.saturating_add(per_second.saturating_sub(1)).checked_div(per_second).unwrap_or(1);
        Err(u16::try_from(seconds.max(1)).unwrap_or(u16::MAX))
    }

    /// Gives back one that was not used after all.
    pub(super) fn give_back(&mut self, rate: Rate) {
        self.thousandths = self.thousandths.saturating_add(WHOLE).min(most(rate));
    }

    /// Takes what was used beyond the one, also on credit: at most as much as can be saved up.
    pub(super) fn charge(&mut self, rate: Rate, more: u32) {
        let more = i64::from(more).saturating_mul(WHOLE);
        self.thousandths = self.thousandths.saturating_sub(more).max(most(rate).saturating_neg());
    }

    /// A clock that was set back gives nothing, and takes nothing away.
    fn fill(&mut self, rate: Rate, now: Time) {
        let millis = now.0.saturating_sub(self.filled.0).max(0);
        let more = millis.saturating_mul(i64::from(rate.per_second));
        self.thousandths = self.thousandths.saturating_add(more).min(most(rate));
        self.filled = now;
    }
}

const fn most(rate: Rate) -> i64 {
    (rate.burst as i64).saturating_mul(WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 20 };

    fn taken(bucket: &mut Bucket, now: i64) -> usize {
        (0..1000).take_while(|_| bucket.take(RATE, Time(now)).is_ok()).count()
    }

    #[test]
    fn over_any_time_no_more_is_given_than_the_burst_and_the_rate_of_that_time() {
        let mut bucket = Bucket::full(RATE, Time(0));
        assert_eq!(taken(&mut bucket, 0), 20);
        let later: usize = (1..=50).map(|n| taken(&mut bucket, n * 137)).sum();
        assert_eq!(later, 68, "6850 ms at 10 a second");
        assert_eq!(taken(&mut bucket, 1_000_000), 20, "no more is saved up than the burst");
    }

    #[test]
    fn who_waits_as_long_as_told_gets_one() {
        for (per_second, debt) in [(1, 0), (1, 5), (3, 20), (1000, 900), (7, 1)] {
            let rate = Rate { per_second, burst: 20 };
            let mut bucket = Bucket::full(rate, Time(0));
            while bucket.take(rate, Time(0)).is_ok() {}
            bucket.charge(rate, debt);
            let seconds = i64::from(bucket.take(rate, Time(0)).unwrap_err());
            assert!((1..=21).contains(&seconds));
            assert_eq!(bucket.take(rate, Time(seconds * 1000)), Ok(()), "{per_second} {debt}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_and_locks_nobody_out() {
        let mut bucket = Bucket::full(RATE, Time(1_000_000));
        assert_eq!(taken(&mut bucket, 1_000_000), 20);
        assert_eq!(taken(&mut bucket, 0), 0);
        assert_eq!(taken(&mut bucket, 1000), 10);
    }

    #[test]
    fn what_is_given_back_or_charged_stays_within_the_burst() {
        let mut bucket = Bucket::full(RATE, Time(0));
        bucket.give_back(RATE);
        assert_eq!(taken(&mut bucket, 0), 20);
        bucket.charge(RATE, u32::MAX);
        assert_eq!(bucket.take(RATE, Time(0)), Err(3), "20 of debt and one more, at 10 a second");
        assert_eq!(taken(&mut bucket, i64::MAX), 20);
    }
}
