//! Requests about rotation.

use super::{Text, json, name, required};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{GetRotationPolicy, RotateKey, RotateWhen, RotationPolicy, SetRotationPolicy};
use keystead_model::IsoDuration;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody<'a> {
    #[serde(borrow)]
    lifetime_actions: Option<Vec<ActionBody<'a>>>,
    #[serde(borrow)]
    attributes: Option<AttributesBody<'a>>,
}

#[derive(Deserialize)]
struct ActionBody<'a> {
    #[serde(borrow)]
    trigger: Option<TriggerBody<'a>>,
    #[serde(borrow)]
    action: Option<TypeBody<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TriggerBody<'a> {
    #[serde(borrow)]
    time_after_create: Option<Text<'a>>,
    #[serde(borrow)]
    time_before_expiry: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct TypeBody<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesBody<'a> {
    #[serde(borrow)]
    expiry_time: Option<Text<'a>>,
}

const ACTIONS: &str = "lifetimeActions";
const TRIGGER: &str = "lifetimeActions.trigger";

/// `POST /keys/{name}/rotate`
pub fn rotate(parts: &Parts<'_>) -> Result<RotateKey, BadParameter> {
    Ok(RotateKey { name: name(parts)? })
}

/// `GET /keys/{name}/rotationpolicy`
pub fn get(parts: &Parts<'_>) -> Result<GetRotationPolicy, BadParameter> {
    Ok(GetRotationPolicy { name: name(parts)? })
}

/// `PUT /keys/{name}/rotationpolicy`
pub fn set(parts: &Parts<'_>) -> Result<SetRotationPolicy, BadParameter> {
    let name = name(parts)?;
    let body: PolicyBody<'_> = json(parts)?;
    let mut policy = RotationPolicy { rotate: None, notify: None, expiry: None };
    for action in body.lifetime_actions.unwrap_or_default() {
        add(&mut policy, action)?;
    }
    let expiry = body.attributes.and_then(|a| a.expiry_time);
    policy.expiry = expiry.map(|text| duration(&text, "attributes.expiryTime")).transpose()?;
    Ok(SetRotationPolicy { name, policy: Some(policy) })
}

/// At most one rotation and one notification. The types compare without regard to case, as old services wrote them.
fn add(policy: &mut RotationPolicy, given: ActionBody<'_>) -> Result<(), BadParameter> {
    let kind = required(given.action.and_then(|a| a.kind), "lifetimeActions.action.type")?;
    let when = trigger(required(given.trigger, TRIGGER)?)?;
    let twice = BadParameter::NotAllowed { what: ACTIONS, why: "there is at most one action of each type" };
    if kind.0.eq_ignore_ascii_case("Rotate") {
        return if policy.rotate.replace(when).is_some() { Err(twice) } else { Ok(()) };
    }
    if !kind.0.eq_ignore_ascii_case("Notify") {
        let (what, supported) = ("lifetimeActions.action.type", "Rotate, Notify");
        return Err(BadParameter::Unsupported { what, given: Shown::of(&kind.0), supported });
    }
    let RotateWhen::BeforeExpiry(before) = when else {
        return Err(BadParameter::NotAllowed {
            what: "lifetimeActions.trigger.timeAfterCreate",
            why: "an action of type Notify is triggered by timeBeforeExpiry",
        });
    };
    if policy.notify.replace(before).is_some() { Err(twice) } else { Ok(()) }
}

fn trigger(given: TriggerBody<'_>) -> Result<RotateWhen, BadParameter> {
    match (given.time_after_create, given.time_before_expiry) {
        (Some(after), None) => duration(&after, "timeAfterCreate").map(RotateWhen::AfterCreate),
        (None, Some(before)) => duration(&before, "timeBeforeExpiry").map(RotateWhen::BeforeExpiry),
        _ => {
            Err(BadParameter::Malformed { what: TRIGGER, expected: "exactly one of timeAfterCreate, timeBeforeExpiry" })
        }
    }
}

fn duration(text: &Text<'_>, what: &'static str) -> Result<IsoDuration, BadParameter> {
    let expected = "an ISO 8601 duration of whole numbers, as P90D, P1Y10D or PT48H,";
    text.0.parse().map_err(|_| BadParameter::Malformed { what, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;

    fn read(body: &str) -> Result<RotationPolicy, BadParameter> {
        parts("/keys/Pay/rotationpolicy", "/keys/{name}/rotationpolicy", body, set).map(|ask| ask.policy.unwrap())
    }

    fn action(kind: &str, trigger: &str) -> String {
        format!(r#"{{"action":{{"type":"{kind}"}},"trigger":{{{trigger}}}}}"#)
    }

    #[test]
    fn what_clients_send_is_read() {
        let (rotate, notify) = (
            action("Rotate", r#""timeAfterCreate":"P2M","timeBeforeExpiry":null"#),
            action("notify", r#""timeBeforeExpiry":"P30D""#),
        );
        let policy =
            read(&format!(r#"{{"lifetimeActions":[{rotate},{notify}],"attributes":{{"expiryTime":"P90D"}}}}"#))
                .unwrap();
        let span = |text: &str| text.parse::<IsoDuration>().unwrap();
        let rotate = Some(RotateWhen::AfterCreate(span("P2M")));
        assert_eq!(policy, RotationPolicy { rotate, notify: Some(span("P30D")), expiry: Some(span("P90D")) });
        for body in ["{}", r#"{"attributes":{}}"#, r#"{"lifetimeActions":null,"attributes":null,"id":"x"}"#] {
            assert_eq!(read(body).unwrap(), RotationPolicy { rotate: None, notify: None, expiry: None }, "{body}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let before = r#""timeBeforeExpiry":"P30D""#;
        for actions in [
            action("Delete", before),
            action("Rotate", ""),
            action("Rotate", r#""timeAfterCreate":"P30D","timeBeforeExpiry":"P30D""#),
            action("Rotate", r#""timeAfterCreate":"30 days""#),
            action("Notify", r#""timeAfterCreate":"P30D""#),
            format!("{},{}", action("Notify", before), action("NOTIFY", before)),
            format!("{},{}", action("Rotate", before), action("rotate", before)),
            r#"{"action":{"type":"Rotate"}}"#.to_owned(),
            r#"{"trigger":{"timeAfterCreate":"P30D"}}"#.to_owned(),
        ] {
            assert!(read(&format!(r#"{{"lifetimeActions":[{actions}]}}"#)).is_err(), "{actions}");
        }
        assert!(read(r#"{"attributes":{"expiryTime":"soon"}}"#).is_err());
    }
}
