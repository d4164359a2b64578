//! `api-version`. One superset of members is served to all of them.

use keystead_api_table::{BadParameter, Parts, Shown};

/// Those that are not dates.
const NUMBERED: &[&str] = &[
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "7.3-preview",
    "7.4-preview.1",
    "7.5-preview.1",
    "7.6-preview.1",
    "7.6-preview.2",
];

/// Accepts the numbered versions and any `YYYY-MM-DD` with or without `-preview`; there is no default.
pub fn check(parts: &Parts<'_>) -> Result<(), BadParameter> {
    let text = parts.query("api-version").ok_or(BadParameter::Missing { what: "api-version" })?;
    if NUMBERED.contains(&&*text) || is_date(text.strip_suffix("-preview").unwrap_or(&text)) {
        return Ok(());
    }
    let supported = "7.0 to 7.6, YYYY-MM-DD, YYYY-MM-DD-preview";
    Err(BadParameter::Unsupported { what: "api-version", given: Shown::of(&text), supported })
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        let part = parts.next().filter(|p| p.len() == digits && p.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u16>().ok()
    };
    let date = (number(4), number(2), number(2));
    matches!(date, (Some(2000..), Some(1..=12), Some(1..=31))) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    fn accepted(query: &str) -> bool {
        parts(&format!("/keys{query}"), "/keys", "", check).is_ok()
    }

    #[test]
    fn released_and_later_versions_are_accepted() {
        for v in ["2016-10-01", "7.0", "7.6-preview.2", "2025-07-01", "2025-06-01-preview", "2031-12-31"] {
            assert!(accepted(&format!("?api-version={v}")), "{v}");
        }
    }

    #[test]
    fn none_and_odd_ones_are_refused() {
        for v in [
            "",
            "?api-version=",
            "?api-version=8.0",
            "?api-version=2025-13-01",
            "?api-version=2025-7-1",
            "?api-version=2025-07-01-beta",
            "?api-version=2025-07-01-01",
            "?api-version=%2B025-07-01",
        ] {
            assert!(!accepted(v), "{v}");
        }
    }
}
