//! The trace that a request belongs to, as W3C Trace Context has it: `traceparent: 00-TRACE-PARENT-FLAGS`.

/// A trace to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// Whether whoever began it records it.
    pub(crate) sampled: bool,
}

impl Parent {
    /// Reads the header. What is not one is treated as if it were not there, as the standard says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let (trace, span) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = hex(parts.next()?, 2)?;
        // Later versions may have more parts; this one has not, and 255 is none.
        let whole = version != 0xff && (version != 0 || parts.next().is_none());
        let span = u64::try_from(span).ok()?;
        (whole && trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// Exactly so many lower-case digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let good = text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if good { u128::from_str_radix(text, 16).ok() } else { None }
}

/// Whether a new trace is begun: `random` decides, evenly over all its values.
pub(crate) fn begins(ratio: f64, random: u32) -> bool {
    f64::from(random) < ratio * (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_the_standard_writes_it() {
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
        let parent = Parent { trace, span: 0x00f0_67aa_0ba9_02b7, sampled: true };
        assert_eq!(Parent::parse(GOOD), Some(parent));
        let unsampled = Parent { sampled: false, ..parent };
        assert_eq!(Parent::parse(&GOOD.replace("-01", "-00")), Some(unsampled));
        assert_eq!(Parent::parse(&format!("cc{}-what-comes", &GOOD[2..])), Some(parent), "a later version");
    }

    #[test]
    fn what_is_none_is_as_if_it_were_not_there() {
        let zeros = |n| "0".repeat(n);
        for bad in [
            String::new(),
            GOOD.to_uppercase(),
            format!("{GOOD}-01"),
            format!("ff{}", &GOOD[2..]),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros(32)),
            GOOD.replace("00f067aa0ba902b7", &zeros(16)),
            GOOD.replace("-01", "-1"),
            GOOD.replace('-', "_"),
            GOOD[..54].to_owned(),
        ] {
            assert_eq!(Parent::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_ratio_of_none_begins_none_and_of_all_begins_all() {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            assert!(!begins(0.0, random) && begins(1.0, random));
        }
        assert!(begins(0.5, u32::MAX / 2) && !begins(0.5, u32::MAX / 2 + 1));
    }
}
