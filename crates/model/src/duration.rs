//! Durations as rotation policies write them (ISO 8601): `P90D`, `P1Y10D`, `PT48H`, `P2W`.

use std::fmt;
use std::str::FromStr;

/// A duration, with the text it was written in. A year has 365 days and a month 30, as the Key Vault service counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsoDuration {
    text: String,
    millis: i64,
}

/// Text that is not such a duration, or one beyond a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadDuration;

impl fmt::Display for BadDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration is written as in ISO 8601 in whole numbers, as P90D, P1Y10D or PT48H, up to 100 years")
    }
}

impl std::error::Error for BadDuration {}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 86_400_000;
const WEEK: i64 = 604_800_000;
const MONTH: i64 = 2_592_000_000;
const YEAR: i64 = 31_536_000_000;

/// Longest text.
const MAX_TEXT: usize = 64;

/// Units before and behind the `T`, in the order they must come.
const DATE: &[(u8, i64)] = &[(b'Y', YEAR), (b'M', MONTH), (b'W', WEEK), (b'D', DAY)];
const CLOCK: &[(u8, i64)] = &[(b'H', HOUR), (b'M', MINUTE), (b'S', SECOND)];

impl IsoDuration {
    /// Longest duration, ms: a hundred years.
    pub const MAX_MILLIS: i64 = YEAR.saturating_mul(100);

    /// So many days, written in days.
    pub fn days(days: u16) -> Self {
        Self { text: format!("P{days}D"), millis: DAY.saturating_mul(i64::from(days)) }
    }

    /// So many milliseconds, rounded down to seconds; what is out of bounds becomes the nearest that is not.
    pub fn from_millis(millis: i64) -> Self {
        let seconds = millis.clamp(0, Self::MAX_MILLIS).div_euclid(SECOND);
        let millis = seconds.saturating_mul(SECOND);
        let text = if millis % DAY == 0 { format!("P{}D", millis.div_euclid(DAY)) } else { format!("PT{seconds}S") };
        Self { text, millis }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How long it is.
    pub const fn millis(&self) -> i64 {
        self.millis
    }
}

impl FromStr for IsoDuration {
    type Err = BadDuration;

    fn from_str(text: &str) -> Result<Self, BadDuration> {
        let rest = text.strip_prefix('P').filter(|_| text.len() <= MAX_TEXT).ok_or(BadDuration)?;
        let (date, clock) = match rest.split_once('T') {
            Some((date, clock)) if !clock.is_empty() => (date, clock),
            Some(_) => return Err(BadDuration),
            None => (rest, ""),
        };
        if date.is_empty() && clock.is_empty() {
            return Err(BadDuration);
        }
        let millis = sum(date, DATE)?.saturating_add(sum(clock, CLOCK)?);
        if millis > Self::MAX_MILLIS {
            return Err(BadDuration);
        }
        Ok(Self { text: text.to_owned(), millis })
    }
}

/// Numbers each with its unit, the units in their order and each at most once.
fn sum(text: &str, mut units: &[(u8, i64)]) -> Result<i64, BadDuration> {
    let (mut total, mut number) = (0_i64, None::<i64>);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            let digit = i64::from(byte.wrapping_sub(b'0'));
            number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            continue;
        }
        let at = units.iter().position(|(unit, _)| *unit == byte).ok_or(BadDuration)?;
        let (unit, later) = units.get(at..).and_then(<[_]>::split_first).ok_or(BadDuration)?;
        total = total.saturating_add(number.take().ok_or(BadDuration)?.saturating_mul(unit.1));
        units = later;
    }
    if number.is_some() { Err(BadDuration) } else { Ok(total) }
}

impl fmt::Display for IsoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_as_long_as_it_says_and_keeps_its_text() {
        for (text, millis) in [
            ("P90D", 90 * DAY),
            ("P2M", 60 * DAY),
            ("P2Y", 730 * DAY),
            ("P1Y10D", 375 * DAY),
            ("P3W", 21 * DAY),
            ("PT48H", 2 * DAY),
            ("P1DT1H1M1S", DAY + HOUR + 61 * SECOND),
            ("P0D", 0),
            ("P100Y", IsoDuration::MAX_MILLIS),
        ] {
            let read: IsoDuration = text.parse().unwrap();
            assert_eq!((read.millis(), read.as_str()), (millis, text));
        }
        assert_eq!(IsoDuration::days(30), "P30D".parse().unwrap());
        assert_eq!(IsoDuration::from_millis(7 * DAY + 999), "P7D".parse().unwrap());
        assert_eq!(IsoDuration::from_millis(61_000), "PT61S".parse().unwrap());
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "90D",
            "P90",
            "PD",
            "P-1D",
            "P1.5D",
            "P1D1D",
            "P1D1Y",
            "p90d",
            "P1DT",
            "P1H",
            "PT1D",
            "P1S",
            "P 1D",
            "P1D ",
            "P101Y",
            "P99999999999999999999D",
            "P1٣D",
            "P1DT1H1H",
        ] {
            assert_eq!(text.parse::<IsoDuration>(), Err(BadDuration), "{text}");
        }
        assert_eq!(format!("P{}1D", "0".repeat(64)).parse::<IsoDuration>(), Err(BadDuration));
    }

    #[test]
    fn no_text_panics_and_what_is_read_reads_back() {
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut text = String::from("P");
            for _ in 0..x % 12 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                text.push(char::from(b"0123456789YMWDTHSP-"[usize::try_from(x % 19).unwrap()]));
            }
            x = x.wrapping_add(0x9e37);
            if let Ok(read) = text.parse::<IsoDuration>() {
                assert_eq!(read.as_str(), text);
                assert!((0..=IsoDuration::MAX_MILLIS).contains(&read.millis()));
                assert_eq!(IsoDuration::from_millis(read.millis()).millis(), read.millis());
            }
        }
    }
}
