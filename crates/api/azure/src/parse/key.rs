//! Requests about keys themselves.

use super::release::{self, PolicyBody};
use super::tags::Tags;
use super::{Text, json, key_ref, name, required, time};
use keystead_api_table::{BadParameter, Parts, Shown};
use keystead_engine::{
    CreateKey, DeleteKey, GetDeletedKey, GetKey, GetKeyAttestation, PurgeKey, RecoverKey, SetAttributes, UpdateKey,
};
use keystead_model::{Curve, KeyOperation, KeySpec, ProtectionLevel, PublicExponent, Size};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(super) const KINDS: &str = "EC, RSA, oct, EC-HSM, RSA-HSM, oct-HSM";
pub(super) const CURVES: &str = "P-256, P-384, P-521, P-256K";
const MODULI: &str = "2048, 3072, 4096";
const SECRETS: &str = "128, 192, 256";
const EXPONENTS: &str = "odd numbers from 3 to 4294967295";
const OPERATIONS: &str = "encrypt, decrypt, sign, verify, wrapKey, unwrapKey, import, export";

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
    let (spec, level) = spec(&body)?;
    Ok(CreateKey {
        name,
        spec,
        level,
        exponent: exponent(&body)?,
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

/// `GET /keys/{name}/{version?}/attestation`
pub fn attestation(parts: &Parts<'_>) -> Result<GetKeyAttestation, BadParameter> {
    Ok(GetKeyAttestation { key: key_ref(parts)? })
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

/// Kind and size. `key_size` of an EC key is ignored, as the service does, and `AES` is another word for `oct`.
fn spec(body: &CreateBody<'_>) -> Result<(KeySpec, ProtectionLevel), BadParameter> {
    let kty = required(body.kty.as_ref(), "kty")?;
    let (family, level) = ProtectionLevel::of_kty(&kty.0);
    let spec = match family {
        "EC" => curve(body.crv.as_ref().map_or(Curve::P256.wire(), |crv| &crv.0))?,
        "RSA" => sized(body.key_size.unwrap_or(2048), Size::Modulus, MODULI)?,
        "oct" | "AES" => sized(body.key_size.unwrap_or(256), Size::Secret, SECRETS)?,
        _ => return Err(unsupported("kty", &kty.0, KINDS)),
    };
    Ok((spec, level))
}

/// A curve by its name on the wire, or by the one that secp256k1 had at first.
pub(super) fn curve_named(crv: &str) -> Option<Curve> {
    if crv == "SECP256K1" { Some(Curve::P256K) } else { Curve::from_wire(crv) }
}

fn curve(crv: &str) -> Result<KeySpec, BadParameter> {
    curve_named(crv)
        .and_then(|curve| KeySpec::of_size(Size::Curve(curve)))
        .ok_or_else(|| unsupported("crv", crv, CURVES))
}

fn sized(bits: i64, of: fn(u16) -> Size, served: &'static str) -> Result<KeySpec, BadParameter> {
    let spec = u16::try_from(bits).ok().and_then(|bits| KeySpec::of_size(of(bits)));
    spec.ok_or_else(|| unsupported("key_size", &bits.to_string(), served))
}

/// The public exponent of an RSA key. With other kinds it means nothing and is ignored, as `key_size` is with EC.
fn exponent(body: &CreateBody<'_>) -> Result<PublicExponent, BadParameter> {
    match body.public_exponent {
        Some(given) if body.kty.as_ref().is_some_and(|kty| ProtectionLevel::of_kty(&kty.0).0 == "RSA") => {
            u32::try_from(given)
                .ok()
                .and_then(PublicExponent::new)
                .ok_or_else(|| unsupported("public_exponent", &given.to_string(), EXPONENTS))
        }
        _ => Ok(PublicExponent::default()),
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
            (r#"{"kty":"EC","crv":"P-384"}"#, KeySpec::EcP384),
            (r#"{"kty":"EC","crv":"P-521","public_exponent":0}"#, KeySpec::EcP521),
            (r#"{"kty":"EC","crv":"P-256K"}"#, KeySpec::EcP256K),
            (r#"{"kty":"EC","crv":"SECP256K1"}"#, KeySpec::EcP256K),
            (r#"{"kty":"RSA","key_size":null}"#, KeySpec::Rsa2048),
            (r#"{"kty":"RSA","key_size":2048,"public_exponent":65537}"#, KeySpec::Rsa2048),
            (r#"{"kty":"RSA","key_size":3072,"crv":"P-256"}"#, KeySpec::Rsa3072),
            (r#"{"kty":"RSA","key_size":4096}"#, KeySpec::Rsa4096),
            (r#"{"kty":"oct"}"#, KeySpec::Oct256),
            (r#"{"kty":"oct","key_size":128}"#, KeySpec::Oct128),
            (r#"{"kty":"oct","key_size":192}"#, KeySpec::Oct192),
            (r#"{"kty":"oct","key_size":256}"#, KeySpec::Oct256),
            (r#"{"kty":"AES","key_size":192}"#, KeySpec::Oct192),
        ] {
            let asked = create_of(body).unwrap();
            assert_eq!((asked.spec, asked.exponent), (spec, PublicExponent::default()), "{body}");
        }
        for (body, word) in [
            (r#"{"kty":"DSA-HSM"}"#, "EC, RSA, oct"),
            (r#"{"kty":"EC","crv":"p-384"}"#, "P-384"),
            (r#"{"kty":"EC","crv":"P-224"}"#, "P-256K"),
            (r#"{"kty":"RSA","key_size":1024}"#, "2048, 3072, 4096"),
            (r#"{"kty":"RSA","key_size":256}"#, "3072"),
            (r#"{"kty":"RSA","key_size":67584}"#, "3072"),
            (r#"{"kty":"oct","key_size":2048}"#, "128, 192, 256"),
            (r#"{"kty":"oct","key_size":-128}"#, "192"),
            ("{}", "kty"),
        ] {
            let message = create_of(body).err().unwrap().to_string();
            assert!(message.contains(word), "{body}: {message}");
        }
    }

    #[test]
    fn a_public_exponent_is_taken_if_it_can_be_one() {
        let of =
            |number: &str| create_of(&format!(r#"{{"kty":"RSA","public_exponent":{number}}}"#)).map(|c| c.exponent);
        for (text, number) in [("null", 65_537), ("3", 3), ("17", 17), ("4294967295", u32::MAX)] {
            assert_eq!(of(text).unwrap().get(), number);
        }
        for text in ["0", "1", "2", "-3", "65536", "4294967297", "9223372036854775807"] {
            assert!(of(text).err().unwrap().to_string().contains("odd numbers"), "{text}");
        }
    }

    #[test]
    fn the_sizes_that_errors_name_are_those_that_are_served() {
        for spec in KeySpec::ALL {
            let (list, name) = match spec.size() {
                Size::Curve(curve) => (CURVES, curve.wire().to_owned()),
                Size::Modulus(bits) => (MODULI, bits.to_string()),
                Size::Secret(bits) => (SECRETS, bits.to_string()),
            };
            assert!(list.split(", ").any(|one| one == name), "{name}");
            assert!(KINDS.split(", ").any(|one| one == spec.kty()));
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
            r#"{"kty":"EC","key_ops":["secureWrapKey"]}"#,
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
