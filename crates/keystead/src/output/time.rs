//! Times as people write them: RFC 3339 in UTC.

const DAY: i64 = 86_400;
/// 9999-12-31T23:59:59Z, the last second that has four digits for its year.
const LAST: i64 = 253_402_300_799;

/// `2026-11-22T14:07:00Z` from seconds since the epoch. Out of the years 0 to 9999: the number itself.
pub(crate) fn seconds(at: i64) -> String {
    match civil(at) {
        Some((y, m, d)) => {
            let s = at.rem_euclid(DAY);
            format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
        }
        None => at.to_string(),
    }
}

/// `2026-11-22T14:07:00.123Z` from milliseconds since the epoch.
pub(crate) fn millis(at: i64) -> String {
    let text = seconds(at.div_euclid(1000));
    match text.strip_suffix('Z') {
        Some(start) => format!("{start}.{:03}Z", at.rem_euclid(1000)),
        None => text,
    }
}

/// Seconds since the epoch from `2026-11-22`, `2026-11-22T14:07:00Z` or the number itself.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let number = text.parse::<i64>().ok().filter(|n| (0..=LAST).contains(n));
    number.or_else(|| parse_civil(text)).ok_or_else(|| {
        format!("{text:?} is not a time: write 2027-01-31, 2027-01-31T12:00:00Z or seconds since 1970 (UTC)")
    })
}

fn parse_civil(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, time.strip_suffix(['Z', 'z'])?),
        None => (text, "00:00:00"),
    };
    let number = |s: &str, digits: usize| -> Option<i64> {
        let good = s.len() == digits && s.bytes().all(|b| b.is_ascii_digit());
        if good { s.parse().ok() } else { None }
    };
    let [y, m, d] = parts(date, '-')?;
    let [hour, minute, second] = parts(time, ':')?;
    let (y, m, d) = (number(y, 4)?, number(m, 2)?, number(d, 2)?);
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let midnight = days(y, m, d)?.checked_mul(DAY)?;
    // A day that does not exist (30 February) prints as another one.
    let same = civil(midnight) == Some((y, m, d));
    let within = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    midnight.checked_add(within).filter(|at| same && (0..=LAST).contains(at))
}

fn parts(text: &str, by: char) -> Option<[&str; 3]> {
    text.split(by).collect::<Vec<_>>().try_into().ok()
}

/// Days since the epoch of a date in the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(y: i64, m: i64, d: i64) -> Option<i64> {
    let y = if m <= 2 { y.checked_sub(1)? } else { y };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let month = if m > 2 { m.checked_sub(3)? } else { m.checked_add(9)? };
    let of_year = month.checked_mul(153)?.checked_add(2)?.div_euclid(5).checked_add(d)?.checked_sub(1)?;
    let leap = of_era.div_euclid(4).checked_sub(of_era.div_euclid(100))?;
    let of_era = of_era.checked_mul(365)?.checked_add(leap)?.checked_add(of_year)?;
    era.checked_mul(146_097)?.checked_add(of_era)?.checked_sub(719_468)
}

/// Year, month and day of a time in seconds since the epoch; the reverse of [`days`]. None but the years 0 to 9999.
pub(crate) fn civil(at: i64) -> Option<(i64, i64, i64)> {
    let z = at.div_euclid(DAY).checked_add(719_468)?;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let drift =
        of_era.div_euclid(1460).checked_add(of_era.div_euclid(146_096))?.checked_sub(of_era.div_euclid(36_524))?;
    let year = of_era.checked_sub(drift)?.div_euclid(365);
    let before = year.checked_mul(365)?.checked_add(year.div_euclid(4))?.checked_sub(year.div_euclid(100))?;
    let of_year = of_era.checked_sub(before)?;
    let month = of_year.checked_mul(5)?.checked_add(2)?.div_euclid(153);
    let d = of_year.checked_sub(month.checked_mul(153)?.checked_add(2)?.div_euclid(5))?.checked_add(1)?;
    let m = if month < 10 { month.checked_add(3)? } else { month.checked_sub(9)? };
    let y = era.checked_mul(400)?.checked_add(year)?.checked_add(i64::from(m <= 2))?;
    (0..=9999).contains(&y).then_some((y, m, d))
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
        assert_eq!(seconds(-1), "1969-12-31T23:59:59Z");
        assert_eq!(parse("1970-01-02"), Ok(86_400));
        assert_eq!(parse("86400"), Ok(86_400));
    }

    #[test]
    fn every_day_of_four_centuries_leads_back() {
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
