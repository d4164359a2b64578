//! Requests about keys themselves.

use super::release::{self, PolicyBody};
use super::tags::Tags;
use super::{Text, json, key_ref, name, required, time};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{CreateKey, DeleteKey, GetDeletedKey, GetKey, PurgeKey, RecoverKey, SetAttributes, UpdateKey};
use keystead_model::{KeyOperation, KeySpec};
use serde::Deserialize;
use serde::de::IgnoredAny;

const KINDS: &str = "EC with P-256, RSA with 2048 bits, oct with 256 bits";
const OPERATIONS: &str = "encrypt, decrypt, sign, verify, wrapKey, unwrapKey";

#[derive(Deserialize)]
struct CreateBody<'a> {
    #[serde(borrow)]
    kty: Option<Text<'a>>,
    key_size: Option<i64>,
    public_exponent: Option<i64>,
    #[serde(borrow)]
    crv: Option<Text<'a>>,
    #[serde(borrow)]
    key_ops: Option<Vec<Text<'a>>>,
    attributes: Option<Attributes>,
    tags: Option<Tags>,
    #[serde(borrow)]
    release_policy: Option<PolicyBody<'a>>,
}

#[derive(Deserialize)]
struct UpdateBody<'a> {
    #[serde(borrow)]
    key_ops: Option<Vec<Text<'a>>>,
    attributes: Option<Attributes>,
    tags: Option<Tags>,
    #[serde(borrow)]
    release_policy: Option<PolicyBody<'a>>,
}

/// The members a request may set; the others are read-only and ignored.
#[derive(Deserialize, Default)]
pub(super) struct Attributes {
    enabled: Option<bool>,
    nbf: Option<i64>,
    exp: Option<i64>,
    exportable: Option<bool>,
    external_key: Option<IgnoredAny>,
}

/// `POST /keys/{name}/create`
pub fn create(parts: &Parts<'_>) -> Result<CreateKey, BadParameter> {
    let name = name(parts)?;
    let body: CreateBody<'_> = json(parts)?;
    Ok(CreateKey {
        name,
        spec: spec(&body)?,
        ops: operations(body.key_ops)?.filter(|ops| !ops.is_empty()),
        attributes: attributes(body.attributes)?,
        tags: body.tags.unwrap_or_default().0,
        release: release::policy(body.release_policy)?,
    })
}

/// `GET /keys/{name}/{version?}`
pub fn get(parts: &Parts<'_>) -> Result<GetKey, BadParameter> {
    Ok(GetKey { key: key_ref(parts)? })
}

/// `PATCH /keys/{name}/{version?}`
pub fn update(parts: &Parts<'_>) -> Result<UpdateKey, BadParameter> {
    let key = key_ref(parts)?;
    let body: UpdateBody<'_> = json(parts)?;
    Ok(UpdateKey {
        key,
        ops: operations(body.key_ops)?,
        attributes: attributes(body.attributes)?,
        tags: body.tags.map(|tags| tags.0),
        release: release::policy(body.release_policy)?,
    })
}

/// `DELETE /keys/{name}`
pub fn delete(parts: &Parts<'_>) -> Result<DeleteKey, BadParameter> {
    Ok(DeleteKey { name: name(parts)? })
}

/// `GET /deletedkeys/{name}`
pub fn get_deleted(parts: &Parts<'_>) -> Result<GetDeletedKey, BadParameter> {
    Ok(GetDeletedKey { name: name(parts)? })
}

/// `POST /deletedkeys/{name}/recover`
pub fn recover(parts: &Parts<'_>) -> Result<RecoverKey, BadParameter> {
    Ok(RecoverKey { name: name(parts)? })
}

/// `DELETE /deletedkeys/{name}`
pub fn purge(parts: &Parts<'_>) -> Result<PurgeKey, BadParameter> {
    Ok(PurgeKey { name: name(parts)? })
}

/// Kind and size. `key_size` of an EC key is ignored, as the service does.
fn spec(body: &CreateBody<'_>) -> Result<KeySpec, BadParameter> {
    let kty = required(body.kty.as_ref(), "kty")?;
    match &*kty.0 {
        "EC" => match body.crv.as_ref().map_or("P-256", |c| &c.0) {
            "P-256" => Ok(KeySpec::EcP256),
            other => Err(unsupported("crv", other, "P-256")),
        },
        "RSA" => {
            only(body.key_size, 2048, "key_size", "2048")?;
            only(body.public_exponent, 65_537, "public_exponent", "65537")?;
            Ok(KeySpec::Rsa2048)
        }
        "oct" => only(body.key_size, 256, "key_size", "256").map(|()| KeySpec::Oct256),
        other => Err(unsupported("kty", other, KINDS)),
    }
}

fn only(given: Option<i64>, served: i64, what: &'static str, text: &'static str) -> Result<(), BadParameter> {
    match given {
        Some(n) if n != served => Err(unsupported(what, &n.to_string(), text)),
        _ => Ok(()),
    }
}

pub(super) fn unsupported(what: &'static str, given: &str, supported: &'static str) -> BadParameter {
    BadParameter::Unsupported { what, given: Shown::of(given), supported }
}

/// Each operation once, in the order given.
pub(super) fn operations(given: Option<Vec<Text<'_>>>) -> Result<Option<Vec<KeyOperation>>, BadParameter> {
    let Some(given) = given else { return Ok(None) };
    let mut ops = Vec::new();
    for text in &given {
        let op = KeyOperation::from_wire(&text.0).ok_or_else(|| unsupported("key_ops", &text.0, OPERATIONS))?;
        if !ops.contains(&op) {
            ops.push(op);
        }
    }
    Ok(Some(ops))
}

pub(super) fn attributes(given: Option<Attributes>) -> Result<SetAttributes, BadParameter> {
    let given = given.unwrap_or_default();
    if given.external_key.is_some() {
        return Err(BadParameter::NotAllowed {
            what: "attributes.external_key",
            why: "keys of other managers are not served",
        });
    }
    Ok(SetAttributes {
        enabled: given.enabled,
        not_before: given.nbf.map(|t| time(t, "attributes.nbf")).transpose()?,
        expires: given.exp.map(|t| time(t, "attributes.exp")).transpose()?,
        exportable: given.exportable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;
    use keystead_model::Time;
    use std::collections::BTreeMap;

    fn create_of(body: &str) -> Result<CreateKey, BadParameter> {
        parts("/keys/Pay/create", "/keys/{name}/create", body, create)
    }

    #[test]
    fn kinds_that_are_served_are_created_and_others_are_named() {
        for (body, spec) in [
            (r#"{"kty":"EC"}"#, KeySpec::EcP256),
            (r#"{"kty":"EC","crv":"P-256","key_size":521}"#, KeySpec::EcP256),
            (r#"{"kty":"RSA","key_size":null}"#, KeySpec::Rsa2048),
            (r#"{"kty":"RSA","key_size":2048,"public_exponent":65537}"#, KeySpec::Rsa2048),
            (r#"{"kty":"oct","key_size":256}"#, KeySpec::Oct256),
        ] {
            assert_eq!(create_of(body).unwrap().spec, spec, "{body}");
        }
        for (body, word) in [
            (r#"{"kty":"EC-HSM"}"#, "RSA with 2048 bits"),
            (r#"{"kty":"EC","crv":"P-384"}"#, "P-256"),
            (r#"{"kty":"RSA","key_size":4096}"#, "2048"),
            (r#"{"kty":"RSA","public_exponent":17}"#, "65537"),
            (r#"{"kty":"oct","key_size":128}"#, "256"),
            ("{}", "kty"),
        ] {
            let message = create_of(body).err().unwrap().to_string();
            assert!(message.contains(word), "{body}: {message}");
        }
    }

    #[test]
    fn null_is_absent_and_unknown_members_are_ignored() {
        let ask =
            create_of(r#"{"kty":"EC","tags":null,"key_ops":null,"attributes":{},"x":{"y":[1]},"crv":null}"#).unwrap();
        assert!(ask.tags.is_empty() && ask.ops.is_none() && ask.attributes == SetAttributes::default());
        let ask =
            create_of(r#"{"kty":"EC","key_ops":[],"attributes":{"enabled":false,"exp":5,"nbf":null,"created":1}}"#)
                .unwrap();
        assert!(ask.ops.is_none());
        assert_eq!(ask.attributes.expires, Some(Time::from_secs(5)));
        assert_eq!((ask.attributes.enabled, ask.attributes.not_before), (Some(false), None));
    }

    #[test]
    fn times_are_integers() {
        for body in [
            r#"{"kty":"EC","attributes":{"exp":1.5}}"#,
            r#"{"kty":"EC","attributes":{"exp":"5"}}"#,
            r#"{"kty":"EC","attributes":{"exp":-1}}"#,
            r#"{"kty":"EC","attributes":{"exp":253402300800}}"#,
        ] {
            assert!(create_of(body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_would_be_ignored_to_harm_is_refused() {
        for body in [
            r#"{"kty":"EC","release_policy":{"data":"e30"}}"#,
            r#"{"kty":"EC","attributes":{"external_key":{"id":"a"}}}"#,
            r#"{"kty":"EC","key_ops":["import"]}"#,
        ] {
            assert!(create_of(body).is_err(), "{body}");
        }
    }

    #[test]
    fn an_update_leaves_what_it_does_not_name() {
        let update_of = |body| parts("/keys/a/", "/keys/{name}/{version?}", body, update);
        let ask = update_of("{}").unwrap();
        assert!(ask.ops.is_none() && ask.tags.is_none() && ask.key.version.is_none());
        let ask = update_of(r#"{"tags":{},"key_ops":["sign","sign"]}"#).unwrap();
        assert_eq!((ask.tags, ask.ops), (Some(BTreeMap::new()), Some(vec![KeyOperation::Sign])));
    }

    #[test]
    fn a_bad_name_is_shown() {
        let error = parts("/keys/a_b", "/keys/{name}/{version?}", "", get).err().unwrap();
        assert_eq!(error.to_string(), "The request URI contains an invalid name: a_b");
    }
}
