//! Keys as they are shown.

use super::Session;
use crate::exit::Failure;
use crate::output::{self, or_dash, time};
use keystead_client::{DeletedKeyItem, Done, KeyAttributes, KeyBundle, KeyItem};
use keystead_model::{KeySpec, Size};
use serde::Serialize;
use std::collections::BTreeMap;

/// A result and its receipt, as JSON.
#[derive(Serialize)]
pub(crate) struct Receipted<'a, T> {
    /// What came back.
    #[serde(flatten)]
    pub(crate) value: &'a T,
    /// Where it is recorded.
    pub(crate) receipt: Option<&'a str>,
}

/// Prints one key.
pub(crate) fn key(session: &Session, done: &Done<KeyBundle>) -> Result<(), Failure> {
    one(session, &done.value, &done.value, &[], done.receipt.as_deref())
}

/// Prints one thing that is about a key, with more lines after the key's.
pub(crate) fn one(
    session: &Session,
    value: &impl Serialize,
    bundle: &KeyBundle,
    more: &[(&'static str, String)],
    receipt: Option<&str>,
) -> Result<(), Failure> {
    if session.shown.is_json() {
        return output::json(&Receipted { value, receipt });
    }
    output::fields(fields(bundle).into_iter().chain(more.iter().cloned()))?;
    session.shown.receipt(receipt);
    Ok(())
}

/// Items from all pages of a list, each page with its receipt.
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) receipts: Vec<String>,
}

impl<T: Serialize> Listed<T> {
    /// Prints them: JSON, or a row each.
    pub(crate) fn print(
        &self,
        session: &Session,
        headings: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        if session.shown.is_json() {
            return output::json(&serde_json::json!({ "value": self.items, "receipts": self.receipts }));
        }
        output::table(headings, self.items.iter().map(row))?;
        self.receipts.iter().for_each(|receipt| session.shown.receipt(Some(receipt)));
        Ok(())
    }
}

pub(crate) const KEY_HEADINGS: &[&str] = &["name", "enabled", "created", "updated", "expires", "tags"];

/// A line of the list of keys.
pub(crate) fn key_row(item: &KeyItem) -> Vec<String> {
    let a = &item.attributes;
    vec![name(item), or_dash(a.enabled), when(a.created), when(a.updated), when(a.exp), tags(item.tags.as_ref())]
}

pub(crate) const VERSION_HEADINGS: &[&str] = &["version", "enabled", "created", "updated", "expires", "tags"];

/// A line of the list of a key's versions.
pub(crate) fn version_row(item: &KeyItem) -> Vec<String> {
    let version = or_dash(item.key().and_then(|key| key.version));
    std::iter::once(version).chain(key_row(item).into_iter().skip(1)).collect()
}

pub(crate) const DELETED_HEADINGS: &[&str] = &["name", "deleted", "purged", "tags"];

/// A line of the list of deleted keys.
pub(crate) fn deleted_row(deleted: &DeletedKeyItem) -> Vec<String> {
    let item = &deleted.item;
    vec![name(item), when(deleted.deleted_date), when(deleted.scheduled_purge_date), tags(item.tags.as_ref())]
}

/// When a deleted key was deleted and will be purged.
pub(crate) fn deletion(deleted: Option<i64>, purged: Option<i64>) -> Vec<(&'static str, String)> {
    vec![("deleted", when(deleted)), ("purged", when(purged))]
}

fn fields(bundle: &KeyBundle) -> Vec<(&'static str, String)> {
    let KeyAttributes { enabled, nbf, exp, created, updated, recoverable_days, .. } = &bundle.attributes;
    let kty = &bundle.key.kty;
    let size = match bundle.spec().map(KeySpec::size) {
        Some(Size::Curve(curve)) => format!(" {}", curve.wire()),
        Some(Size::Modulus(bits) | Size::Secret(bits)) => format!(" {bits}"),
        None => String::new(),
    };
    vec![
        ("kid", bundle.key.kid.clone()),
        ("type", format!("{kty}{size}")),
        ("operations", bundle.key.key_ops.join(", ")),
        ("enabled", or_dash(*enabled)),
        ("created", when(*created)),
        ("updated", when(*updated)),
        ("not before", when(*nbf)),
        ("expires", when(*exp)),
        ("recoverable", recoverable_days.map_or_else(|| "-".to_owned(), |days| format!("{days} days"))),
        ("tags", tags(bundle.tags.as_ref())),
    ]
}

fn name(item: &KeyItem) -> String {
    item.key().map_or_else(|| item.kid.clone(), |key| key.name.to_string())
}

fn when(at: Option<i64>) -> String {
    or_dash(at.map(time::seconds))
}

fn tags(tags: Option<&BTreeMap<String, String>>) -> String {
    let all: Vec<String> = tags.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_with_readable_times() {
        let text = r#"{"key":{"kid":"https://h/keys/a/0f","kty":"EC","crv":"P-521","key_ops":["sign"]},
                       "attributes":{"enabled":true,"created":0,"recoverableDays":7},"tags":{"a":"b"}}"#;
        let bundle: KeyBundle = serde_json::from_str(text).unwrap();
        let fields = fields(&bundle);
        for wanted in [
            ("type", "EC P-521"),
            ("created", "1970-01-01T00:00:00Z"),
            ("expires", "-"),
            ("recoverable", "7 days"),
            ("tags", "a=b"),
            ("operations", "sign"),
        ] {
            assert!(fields.iter().any(|(n, v)| (*n, v.as_str()) == wanted), "{wanted:?}");
        }
    }

    #[test]
    fn json_holds_the_receipt_beside_the_result() {
        let text = serde_json::to_string(&Receipted { value: &serde_json::json!({"kid": "k"}), receipt: Some("1.a") });
        assert_eq!(text.unwrap(), r#"{"kid":"k","receipt":"1.a"}"#);
    }
}
