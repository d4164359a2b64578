//! `KeyRotationPolicy`.

use keystead_api_table::{Body, Context};
use keystead_engine::{RotateWhen, RotationPolicyView};
use keystead_model::IsoDuration;
use serde::Serialize;

#[derive(Serialize)]
struct Policy<'a> {
    id: String,
    #[serde(rename = "lifetimeActions")]
    actions: Vec<LifetimeAction<'a>>,
    attributes: Attributes<'a>,
}

#[derive(Serialize)]
struct LifetimeAction<'a> {
    trigger: Trigger<'a>,
    action: Action,
}

#[derive(Serialize)]
enum Trigger<'a> {
    #[serde(rename = "timeAfterCreate")]
    AfterCreate(&'a str),
    #[serde(rename = "timeBeforeExpiry")]
    BeforeExpiry(&'a str),
}

#[derive(Serialize)]
struct Action {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Attributes<'a> {
    #[serde(rename = "expiryTime", skip_serializing_if = "Option::is_none")]
    expiry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<i64>,
}

/// The policy, each duration as it was written.
pub fn policy(view: RotationPolicyView, context: &Context<'_>) -> Body {
    let action = |trigger, kind| LifetimeAction { trigger, action: Action { kind } };
    let rotate = view.policy.rotate.as_ref().map(|when| match when {
        RotateWhen::AfterCreate(d) => Trigger::AfterCreate(d.as_str()),
        RotateWhen::BeforeExpiry(d) => Trigger::BeforeExpiry(d.as_str()),
    });
    let notify = view.policy.notify.as_ref().map(|d| Trigger::BeforeExpiry(d.as_str()));
    let actions = rotate.map(|t| action(t, "Rotate")).into_iter().chain(notify.map(|t| action(t, "Notify")));
    Body::json(&Policy {
        id: format!("https://{}/keys/{}/rotationpolicy", context.authority, view.name),
        actions: actions.collect(),
        attributes: Attributes {
            expiry: view.policy.expiry.as_ref().map(IsoDuration::as_str),
            created: view.created.map(|t| t.secs()),
            updated: view.updated.map(|t| t.secs()),
        },
    })
}
