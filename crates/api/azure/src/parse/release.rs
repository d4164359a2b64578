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
    let document = serde_json::from_slice::<Value>(&data).ok();
    if !document.as_ref().is_some_and(is_policy) {
        let expected = "a policy document: {\"version\":\"1.0.0\",\"anyOf\":[{\"authority\":\"https://..\",\"allOf\":[{\"claim\":\"..\",\"equals\":\"..\"}]}]}";
        return Err(BadParameter::Malformed { what: WHAT, expected });
    }
    Ok(Some(ReleasePolicy { content_type, data, immutable: given.immutable.unwrap_or(false) }))
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

/// A group of conditions, or `{"claim":"..","equals":VALUE}`.
fn is_condition(condition: &Value, depth: usize) -> bool {
    let (Some(members), Some(deeper)) = (condition.as_object(), depth.checked_sub(1)) else { return false };
    match (group(members), members.len()) {
        (Some(list), 1) => all(list, |c| is_condition(c, deeper)),
        (None, 2) => {
            let claim = members.get("claim").and_then(Value::as_str).is_some_and(|claim| !claim.is_empty());
            claim && members.get("equals").is_some_and(|v| v.is_string() || v.is_boolean() || v.is_number())
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
