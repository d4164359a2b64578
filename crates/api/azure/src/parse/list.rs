//! Requests for lists.

use super::name;
use keystead_api_table::{BadParameter, Parts};
use keystead_engine::{ListDeletedKeys, ListKeys, ListVersions, PageToken};

/// Items of a page, when the request does not say how many; also the most it may ask for.
pub const PAGE: u8 = 25;

/// `GET /keys`
pub fn keys(parts: &Parts<'_>) -> Result<ListKeys, BadParameter> {
    Ok(ListKeys { after: after(parts)?, limit: limit(parts)? })
}

/// `GET /keys/{name}/versions`
pub fn versions(parts: &Parts<'_>) -> Result<ListVersions, BadParameter> {
    Ok(ListVersions { name: name(parts)?, after: after(parts)?, limit: limit(parts)? })
}

/// `GET /deletedkeys`
pub fn deleted(parts: &Parts<'_>) -> Result<ListDeletedKeys, BadParameter> {
    Ok(ListDeletedKeys { after: after(parts)?, limit: limit(parts)? })
}

/// `maxresults`.
pub(crate) fn limit(parts: &Parts<'_>) -> Result<u8, BadParameter> {
    match parts.query("maxresults") {
        None => Ok(PAGE),
        Some(text) => match text.parse() {
            Ok(n @ 1..=PAGE) => Ok(n),
            _ => Err(BadParameter::Range { what: "maxresults", min: 1, max: i64::from(PAGE) }),
        },
    }
}

fn after(parts: &Parts<'_>) -> Result<Option<PageToken>, BadParameter> {
    let bad = BadParameter::Malformed { what: "$skiptoken", expected: "the token of an earlier nextLink" };
    parts.query("$skiptoken").map(|text| PageToken::parse(&text)).transpose().map_err(|_| bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    #[test]
    fn a_page_has_1_to_25_items() {
        let limit_of = |target: &str| parts(target, "/keys", "", limit);
        assert_eq!(limit_of("/keys").unwrap(), 25);
        assert_eq!(limit_of("/keys?maxresults=1").unwrap(), 1);
        assert_eq!(limit_of("/keys?maxresults=").unwrap(), 25);
        for bad in ["0", "26", "x", "-1", "1.0", "99999999999"] {
            assert!(limit_of(&format!("/keys?maxresults={bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_foreign_token_is_refused() {
        assert!(parts("/keys?$skiptoken=hello", "/keys", "", keys).is_err());
        assert!(parts("/keys?api-version=7.4", "/keys", "", keys).unwrap().after.is_none());
    }
}
