//! Times as people write them: RFC 3339 in UTC, as [`Time`] shows itself.

use keystead_model::Time;

/// 9999-12-31T23:59:59Z, the last second that has four digits for its year.
const LAST: i64 = 253_402_300_799;

/// `2026-11-22T14:07:00Z` from seconds since the epoch. Before 1970 and beyond the year 9999: the number itself.
pub(crate) fn seconds(at: i64) -> String {
    match Time::from_secs(at).to_string().strip_suffix(".000Z") {
        Some(text) => format!("{text}Z"),
        None => at.to_string(),
    }
}

/// `2026-11-22T14:07:00.123Z` from milliseconds since the epoch.
pub(crate) fn millis(at: i64) -> String {
    Time(at).to_string()
}

/// Year, month and day. None before 1970 and beyond the year 9999.
pub(crate) fn date(at: Time) -> Option<(i32, u8, u8)> {
    let text = at.to_string();
    let mut parts = text.strip_suffix('Z')?.get(..10)?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Seconds since the epoch from `2026-11-22`, `2026-11-22T14:07:00Z` or the number itself.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let number = text.parse::<i64>().ok().filter(|n| (0..=LAST).contains(n));
    number.or_else(|| written(text)).ok_or_else(|| {
        format!("{text:?} is not a time: write 2027-01-31, 2027-01-31T12:00:00Z or seconds since 1970 (UTC)")
    })
}

/// The second that is shown so. The texts are in the order of the times, so it is found by halving; a day that does not
/// exist is shown by none.
fn written(text: &str) -> Option<i64> {
    const DAY: usize = "2026-11-22".len();
    let whole = if text.len() == DAY { format!("{text}T00:00:00Z") } else { text.to_ascii_uppercase() };
    let (mut low, mut high) = (0, LAST);
    while low < high {
        let middle = low.midpoint(high);
        if seconds(middle) < whole {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    (seconds(low) == whole).then_some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_print_and_parse() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(seconds(at), text);
            assert_eq!(parse(text), Ok(at));
        }
        assert_eq!(millis(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!((seconds(-1), millis(-1)), ("-1".to_owned(), "-1".to_owned()));
        assert_eq!(date(Time(951_782_400_007)), Some((2000, 2, 29)));
        assert_eq!([date(Time(-1)), date(Time::from_secs(LAST + 1))], [None, None]);
        assert_eq!(parse("1970-01-02"), Ok(86_400));
        assert_eq!(parse("86400"), Ok(86_400));
    }

    #[test]
    fn every_day_of_four_centuries_leads_back() {
        const DAY: i64 = 86_400;
        for day in 0..146_097 {
            let at = day * DAY + day % DAY;
            assert_eq!(parse(&seconds(at)), Ok(at));
        }
    }

    #[test]
    fn no_number_panics_and_odd_texts_are_refused() {
        for at in [i64::MIN, i64::MAX, LAST + 1, -99_999_999_999_999] {
            let _ = (seconds(at), millis(at));
        }
        for text in [
            "",
            "-1",
            "2026-02-30",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "26-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00+01:00",
            "2026-1-1",
            "1969-12-31",
            "x-y-z",
            "2026-01-01-01",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
