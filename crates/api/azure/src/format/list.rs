//! Lists, and the link to the next page.
//!
//! Clients take the link apart and put it together again: Python decodes the query, replaces `api-version`, quotes each
//! value anew and drops empty ones. So everything needed stands in non-empty query parameters, and the token is
//! base64url.

use super::key::{Attributes, Deletion, no_tags};
use super::kid;
use crate::parse::list::{PAGE, limit};
use keystead_api_table::{Body, Context};
use keystead_engine::{DeletedKeyView, KeyView, Page, PageToken};
use serde::Serialize;
use std::collections::BTreeMap;

/// Keys: ids without a version.
pub fn keys(page: Page<KeyView>, context: &Context<'_>) -> Body {
    let items = page.items.iter().map(|view| item(view, unversioned(view, context)));
    list(items.collect(), next(context, "keys", page.next))
}

/// Versions of one key: ids with the version.
pub fn versions(page: Page<KeyView>, context: &Context<'_>) -> Body {
    let items = page.items.iter().map(|view| item(view, kid(context, &view.name, view.version)));
    let name = context.parts.parameter("name").unwrap_or_default();
    list(items.collect(), next(context, &format!("keys/{name}/versions"), page.next))
}

/// Deleted keys: ids without a version.
pub fn deleted(page: Page<DeletedKeyView>, context: &Context<'_>) -> Body {
    let items = page
        .items
        .iter()
        .map(|view| Item { deletion: Deletion::of(view, context), ..item(&view.key, unversioned(&view.key, context)) });
    list(items.collect(), next(context, "deletedkeys", page.next))
}

#[derive(Serialize)]
struct List<'a> {
    value: Vec<Item<'a>>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

#[derive(Serialize)]
struct Item<'a> {
    kid: String,
    attributes: Attributes,
    #[serde(skip_serializing_if = "no_tags")]
    tags: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    deletion: Deletion,
}

fn list(value: Vec<Item<'_>>, next_link: Option<String>) -> Body {
    Body::json(&List { value, next_link })
}

fn item(view: &KeyView, kid: String) -> Item<'_> {
    Item { kid, attributes: Attributes::of(view), tags: &view.tags, deletion: Deletion::default() }
}

fn unversioned(view: &KeyView, context: &Context<'_>) -> String {
    format!("https://{}/keys/{}", context.authority, view.name)
}

fn next(context: &Context<'_>, path: &str, token: Option<PageToken>) -> Option<String> {
    let token = token?.encode();
    let version = context.parts.query("api-version").unwrap_or_default();
    let limit = limit(&context.parts).unwrap_or(PAGE);
    let base = context.base();
    Some(format!("{base}/{path}?api-version={version}&$skiptoken={token}&maxresults={limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use crate::testing::{context, parts};
    use keystead_model::Version;
    use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
    use proptest::prelude::*;

    /// What the Python client makes of a link: parse, drop empty values, quote each value, replace `api-version`.
    fn requoted(link: &str, quote_names: bool) -> String {
        let (base, query) = link.split_once('?').unwrap();
        let quote = |t: &str| utf8_percent_encode(t, NON_ALPHANUMERIC).to_string();
        let pairs = query.split('&').filter_map(|p| p.split_once('=')).filter(|(_, v)| !v.is_empty());
        let pairs = pairs.map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8().unwrap().into_owned();
            let value = if name == "api-version" { "2025-07-01".to_owned() } else { quote(&value) };
            format!("{}={value}", if quote_names { quote(name) } else { name.to_owned() })
        });
        format!("{base}?{}", pairs.collect::<Vec<_>>().join("&"))
    }

    proptest! {
        #[test]
        fn the_next_link_survives_requoting(tag in any::<[u8; 32]>(), n in 1_u8..=25, quote_names in any::<bool>()) {
            let target = format!("/keys?api-version=7.4&maxresults={n}");
            let link = context(&target, "/keys", "", |c| next(c, "keys", Some(PageToken::Key(tag)))).unwrap();
            prop_assert!(link.starts_with("https://dev.localhost:8443/keys?"));
            let again = requoted(&link, quote_names);
            let ask = parts(&again, "/keys", "", parse::list::keys).unwrap();
            prop_assert_eq!((ask.after, ask.limit), (Some(PageToken::Key(tag)), n));
        }
    }

    #[test]
    fn a_link_to_versions_names_the_key() {
        let token = Some(PageToken::Version(Version::from_bytes([1; 16])));
        let body = context("/keys/Pay/versions?api-version=7.4", "/keys/{name}/versions", "", |c| {
            versions(Page { items: Vec::new(), next: token }, c)
        });
        let text = String::from_utf8(body.bytes().to_vec()).unwrap();
        assert!(text.contains("/keys/Pay/versions?api-version=7.4&$skiptoken="), "{text}");
    }
}
