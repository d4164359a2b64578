//! Keys: `KeyBundle`, `DeletedKeyBundle`, and the parts they share with list items.

use super::attestation::Attestation;
use super::{Base64Url, kid};
use keystead_api_table::{Body, Context};
use keystead_engine::{DeletedKeyView, KeyView, Recovery, ReleasePolicy};
use keystead_model::{KeySpec, PublicKey, Size};
use serde::Serialize;
use std::collections::BTreeMap;

/// `KeyBundle`.
pub fn key(view: KeyView, context: &Context<'_>) -> Body {
    Body::json(&bundle(&view, context))
}

/// `KeyBundle` with `attributes.attestation`.
pub(super) fn attested(view: &KeyView, attestation: Attestation, context: &Context<'_>) -> Body {
    let mut bundle = bundle(view, context);
    bundle.attributes.attestation = Some(attestation);
    Body::json(&bundle)
}

/// `DeletedKeyBundle`.
pub fn deleted(view: DeletedKeyView, context: &Context<'_>) -> Body {
    Body::json(&Bundle { deletion: Deletion::of(&view, context), ..bundle(&view.key, context) })
}

#[derive(Serialize)]
struct Bundle<'a> {
    key: Jwk<'a>,
    attributes: Attributes,
    #[serde(skip_serializing_if = "no_tags")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_policy: Option<Release<'a>>,
    #[serde(flatten)]
    deletion: Deletion,
}

/// A release policy as it was given.
#[derive(Serialize)]
struct Release<'a> {
    #[serde(rename = "contentType")]
    content_type: &'a str,
    data: Base64Url<'a>,
    immutable: bool,
}

impl<'a> Release<'a> {
    fn of(policy: &'a ReleasePolicy) -> Self {
        Self { content_type: &policy.content_type, data: Base64Url(&policy.data), immutable: policy.immutable }
    }
}

fn bundle<'a>(view: &'a KeyView, context: &Context<'_>) -> Bundle<'a> {
    Bundle {
        key: Jwk::of(view, kid(context, &view.name, view.version)),
        attributes: Attributes::of(view),
        tags: &view.tags,
        release_policy: view.release.as_ref().map(Release::of),
        deletion: Deletion::default(),
    }
}

/// The public half (RFC 7517). A symmetric key shows nothing but its kind.
#[derive(Serialize)]
struct Jwk<'a> {
    kid: String,
    kty: &'static str,
    key_ops: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<Base64Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<Base64Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<Base64Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<Base64Url<'a>>,
}

impl<'a> Jwk<'a> {
    fn of(view: &'a KeyView, kid: String) -> Self {
        let key_ops = view.ops.iter().map(|op| op.wire()).collect();
        let bare = Self { kid, kty: view.level.kty(view.spec), key_ops, crv: None, x: None, y: None, n: None, e: None };
        match &view.public {
            PublicKey::Ec { curve, x, y } => {
                Self { crv: Some(curve.wire()), x: Some(Base64Url(x)), y: Some(Base64Url(y)), ..bare }
            }
            PublicKey::Rsa { n, e } => Self { n: Some(Base64Url(n)), e: Some(Base64Url(e)), ..bare },
            PublicKey::Symmetric => bare,
        }
    }
}

/// Times in whole seconds; what is unset is absent.
#[derive(Serialize)]
pub(crate) struct Attributes {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    created: i64,
    updated: i64,
    #[serde(rename = "recoveryLevel")]
    recovery_level: &'static str,
    #[serde(rename = "recoverableDays")]
    recoverable_days: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exportable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation: Option<Attestation>,
}

impl Attributes {
    pub(crate) fn of(view: &KeyView) -> Self {
        Self {
            enabled: view.enabled,
            nbf: view.not_before.map(|t| t.secs()),
            exp: view.expires.map(|t| t.secs()),
            created: view.created.secs(),
            updated: view.updated.secs(),
            recovery_level: recovery_level(view.recovery),
            recoverable_days: view.recovery.days,
            key_size: secret_size(view.spec),
            exportable: view.exportable.then_some(true),
            attestation: None,
        }
    }
}

/// Only symmetric keys show their size here: the others have a public half.
const fn secret_size(spec: KeySpec) -> Option<u16> {
    match spec.size() {
        Size::Secret(bits) => Some(bits),
        Size::Curve(_) | Size::Modulus(_) => None,
    }
}

/// Deleted keys are recoverable for so many days, and may be purged before unless the vault is protected from that.
const fn recovery_level(recovery: Recovery) -> &'static str {
    match (recovery.days, recovery.purge_protection) {
        (0, _) => "Purgeable",
        (1..90, false) => "CustomizedRecoverable+Purgeable",
        (1..90, true) => "CustomizedRecoverable",
        (_, false) => "Recoverable+Purgeable",
        (_, true) => "Recoverable",
    }
}

/// The members that only deleted keys have.
#[derive(Serialize, Default)]
pub(crate) struct Deletion {
    #[serde(rename = "recoveryId", skip_serializing_if = "Option::is_none")]
    recovery_id: Option<String>,
    #[serde(rename = "deletedDate", skip_serializing_if = "Option::is_none")]
    deleted: Option<i64>,
    #[serde(rename = "scheduledPurgeDate", skip_serializing_if = "Option::is_none")]
    purge_at: Option<i64>,
}

impl Deletion {
    pub(crate) fn of(view: &DeletedKeyView, context: &Context<'_>) -> Self {
        Self {
            recovery_id: Some(format!("https://{}/deletedkeys/{}", context.authority, view.key.name)),
            deleted: Some(view.deleted.secs()),
            purge_at: Some(view.purge_at.secs()),
        }
    }
}

pub(crate) fn no_tags(tags: &&BTreeMap<String, String>) -> bool {
    tags.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_level_tells_the_retention_and_who_may_end_it() {
        for (days, purge_protection, level) in [
            (7, false, "CustomizedRecoverable+Purgeable"),
            (89, false, "CustomizedRecoverable+Purgeable"),
            (90, false, "Recoverable+Purgeable"),
            (7, true, "CustomizedRecoverable"),
            (89, true, "CustomizedRecoverable"),
            (90, true, "Recoverable"),
        ] {
            assert_eq!(recovery_level(Recovery { days, purge_protection }), level);
        }
    }
}
