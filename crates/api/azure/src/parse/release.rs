//! Release policies: to whom a key may be released, as a document of conditions on attestation tokens.

use super::{Text, binary};
use keystead_api_table::{BadParameter, Shown};
use keystead_engine::ReleasePolicy;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `release_policy` of a request.
#[derive(Deserialize)]
pub(crate) struct PolicyBody<'a> {
    #[serde(rename = "contentType", borrow)]
    content_type: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    immutable: Option<bool>,
}

const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// Deepest nesting of conditions.
const MAX_DEPTH: usize = 8;

/// Reads a policy. A document that could never be evaluated is refused now, not at the first release.
pub(crate) fn policy(given: Option<PolicyBody<'_>>) -> Result<Option<ReleasePolicy>, BadParameter> {
    let Some(given) = given else { return Ok(None) };
    const WHAT: &str = "release_policy.data";
    let data = binary(&given.data.ok_or(BadParameter::Missing { what: WHAT })?, WHAT)?;
    let content_type = given.content_type.map_or_else(|| CONTENT_TYPE.to_owned(), |text| text.0.into_owned());
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let given = Shown::of(&content_type);
        return Err(BadParameter::Unsupported { what: "release_policy.contentType", given, supported: CONTENT_TYPE });
    }
    let (max, unit) = (ReleasePolicy::MAX_DATA, "bytes");
    if data.len() > max {
        return Err(BadParameter::TooLong { what: WHAT, max, unit });
    }
    let document = serde_json::from_slice::<Value>(&data).ok().map(modern);
    if !document.as_ref().is_some_and(|(document, _)| is_policy(document)) {
        let expected = "a policy document: {\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"https://..\",\"allOf\":[{\"claim\":\"..\",\"equals\":\"..\"}]}]}";
        return Err(BadParameter::Malformed { what: WHAT, expected });
    }
    // A policy of the present form is kept to the byte.
    let data = match document {
        Some((document, true)) => serde_json::to_vec(&document).unwrap_or(data),
        _ => data,
    };
    Ok(Some(ReleasePolicy { content_type, data, immutable: given.immutable.unwrap_or(false) }))
}

/// The document in its present form, and whether it had another: version 1.0, and `condition` and `value` for an
/// operator and its value.
fn modern(mut document: Value) -> (Value, bool) {
    let mut changed = false;
    if document.get("version").and_then(Value::as_str) == Some("1.0") {
        changed = document.as_object_mut().is_some_and(|m| m.insert("version".to_owned(), "1.0.0".into()).is_some());
    }
    for authority in document.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten() {
        changed |= modern_group(authority, MAX_DEPTH);
    }
    (document, changed)
}

fn modern_group(of: &mut Value, depth: usize) -> bool {
    let (Some(members), Some(deeper)) = (of.as_object_mut(), depth.checked_sub(1)) else { return false };
    let mut changed = false;
    if let (Some(Value::String(operator)), true) = (members.get("condition").cloned(), members.contains_key("value")) {
        members.remove("condition");
        if let Some(value) = members.remove("value") {
            members.insert(operator, value);
        }
        changed = true;
    }
    for group in ["anyOf", "allOf"] {
        for condition in members.get_mut(group).and_then(Value::as_array_mut).into_iter().flatten() {
            changed |= modern_group(condition, deeper);
        }
    }
    changed
}

/// `{"version":"1.0.0","anyOf":[AUTHORITY, ..]}`
fn is_policy(document: &Value) -> bool {
    let Some(members) = document.as_object().filter(|m| m.len() == 2) else { return false };
    let version = members.get("version").and_then(Value::as_str) == Some("1.0.0");
    version && members.get("anyOf").is_some_and(|list| all(list, is_authority))
}

/// `{"authority":"https://..","anyOf" or "allOf":[CONDITION, ..]}`
fn is_authority(authority: &Value) -> bool {
    let Some(members) = authority.as_object().filter(|m| m.len() == 2) else { return false };
    let named = members.get("authority").and_then(Value::as_str).is_some_and(|url| url.starts_with("https://"));
    named && group(members).is_some_and(|list| all(list, |c| is_condition(c, MAX_DEPTH)))
}

/// What a claim can be compared by.
const OPERATORS: [&str; 6] = ["equals", "notEquals", "less", "lessOrEquals", "greater", "greaterOrEquals"];

/// A group of conditions, or `{"claim":"..","equals":VALUE}` with one of the operators, or `"exists"` and a truth
/// value.
fn is_condition(condition: &Value, depth: usize) -> bool {
    let (Some(members), Some(deeper)) = (condition.as_object(), depth.checked_sub(1)) else { return false };
    match (group(members), members.len()) {
        (Some(list), 1) => all(list, |c| is_condition(c, deeper)),
        (None, 2) => {
            let claim = members.get("claim").and_then(Value::as_str).is_some_and(|claim| !claim.is_empty());
            let scalar = |v: &Value| v.is_string() || v.is_boolean() || v.is_number();
            let compared = OPERATORS.iter().any(|operator| members.get(*operator).is_some_and(scalar));
            claim && (compared || members.get("exists").is_some_and(Value::is_boolean))
        }
        _ => false,
    }
}

/// Exactly one of the two groups.
fn group(members: &Map<String, Value>) -> Option<&Value> {
    match (members.get("anyOf"), members.get("allOf")) {
        (Some(list), None) | (None, Some(list)) => Some(list),
        _ => None,
    }
}

fn all(list: &Value, good: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(good))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn read(document: &str) -> Result<Option<ReleasePolicy>, BadParameter> {
        let body = format!(r#"{{"data":"{}","immutable":null}}"#, URL_SAFE_NO_PAD.encode(document));
        policy(serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn a_policy_is_kept_as_it_was_given() {
        let document = r#"{"anyOf":[{"allOf":[{"claim":"x-ms-test","equals":"true"},
            {"anyOf":[{"claim":"a.b","equals":false},{"claim":"c","equals":1}]}],
            "authority":"https://issuer.example/"}],"version":"1.0.0"}"#;
        let policy = read(document).unwrap().unwrap();
        assert_eq!((policy.data, policy.immutable), (document.as_bytes().to_vec(), false));
        assert_eq!(policy.content_type, CONTENT_TYPE);
    }

    #[test]
    fn every_operator_is_taken_and_the_older_form_becomes_the_present_one() {
        let of = |condition: &str| {
            format!(r#"{{"version":"1.0","anyOf":[{{"authority":"https://a","allOf":[{condition}]}}]}}"#)
        };
        for operator in OPERATORS {
            assert!(read(&of(&format!(r#"{{"claim":"c","{operator}":1}}"#))).is_ok(), "{operator}");
        }
        assert!(read(&of(r#"{"claim":"c","exists":false}"#)).is_ok());
        assert!(read(&of(r#"{"claim":"c","exists":1}"#)).is_err());
        let old = read(&of(r#"{"claim":"c","condition":"equals","value":"v"}"#)).unwrap().unwrap();
        let kept: Value = serde_json::from_slice(&old.data).unwrap();
        let wanted = of(r#"{"claim":"c","equals":"v"}"#).replace("1.0", "1.0.0");
        assert_eq!(kept, serde_json::from_str::<Value>(&wanted).unwrap());
        assert!(read(&of(r#"{"claim":"c","condition":"differs","value":"v"}"#)).is_err());
    }

    #[test]
    fn what_could_never_be_evaluated_is_refused() {
        let nested = |n: usize| {
            let (open, close) = ("{\"anyOf\":[".repeat(n), "]}".repeat(n));
            let condition = format!("{open}{{\"claim\":\"c\",\"equals\":1}}{close}");
            format!(r#"{{"version":"1.0.0","anyOf":[{{"authority":"https://a","allOf":[{condition}]}}]}}"#)
        };
        assert!(read(&nested(7)).is_ok());
        for document in [
            "",
            "[]",
            "{}",
            r#"{"version":"1.0.0","anyOf":[]}"#,
            r#"{"version":"2.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"c","equals":1}]}]}"#,
            r#"{"version":"1.0.0","anyOf":[{"authority":"http://a","allOf":[{"claim":"c","equals":1}]}]}"#,
            r#"{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[]}]}"#,
            r#"{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"c","differs":1}]}]}"#,
            r#"{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"c","equals":[1]}]}]}"#,
            r#"{"version":"1.0.0","anyOf":[{"authority":"https://a"}]}"#,
            &nested(8),
            &nested(10_000),
        ] {
            assert!(read(document).is_err(), "{document:.80}");
        }
        assert!(policy(serde_json::from_str("{}").unwrap()).is_err());
        assert!(policy(serde_json::from_str(r#"{"data":"e30","contentType":"text/plain"}"#).unwrap()).is_err());
    }
}
