//! Requests that bring a key in: import of a JWK (RFC 7517), and restoring a backup.

use super::key::{Attributes, CURVES, KINDS, attributes, curve_named, operations, unsupported};
use super::release::{self, PolicyBody};
use super::tags::Tags;
use super::{Text, binary, bounded, json, name, required};
use keystead_api_table::{BadParameter, Parts};
use keystead_engine::{BackupKey, ImportKey, ImportedKey, Incoming, RandomBytes, RestoreKey, RsaNumbers, RsaPrimes};
use keystead_formats::byok::{self, BadBlob, KekId, TransferBlob};
use keystead_model::{Curve, KeyRef, KeySpec, Name, ProtectionLevel};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Longest backup, in bytes once decoded.
const MAX_BACKUP: usize = 704 << 10;

#[derive(Deserialize)]
struct ImportBody<'a> {
    #[serde(borrow)]
    key: Option<Jwk<'a>>,
    #[serde(rename = "Hsm", alias = "hsm")]
    hsm: Option<bool>,
    attributes: Option<Attributes>,
    tags: Option<Tags>,
    #[serde(borrow)]
    release_policy: Option<PolicyBody<'a>>,
}

/// A private key. Members that say something else of it are ignored.
#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow)]
    kty: Option<Text<'a>>,
    #[serde(borrow)]
    key_ops: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    crv: Option<Text<'a>>,
    #[serde(borrow)]
    n: Option<Text<'a>>,
    #[serde(borrow)]
    e: Option<Text<'a>>,
    #[serde(borrow)]
    d: Option<Text<'a>>,
    #[serde(borrow)]
    p: Option<Text<'a>>,
    #[serde(borrow)]
    q: Option<Text<'a>>,
    #[serde(borrow)]
    dp: Option<Text<'a>>,
    #[serde(borrow)]
    dq: Option<Text<'a>>,
    #[serde(borrow)]
    qi: Option<Text<'a>>,
    #[serde(borrow)]
    x: Option<Text<'a>>,
    #[serde(borrow)]
    y: Option<Text<'a>>,
    #[serde(borrow)]
    k: Option<Text<'a>>,
    #[serde(borrow)]
    key_hsm: Option<Text<'a>>,
}

/// `PUT /keys/{name}`
pub fn import(parts: &Parts<'_>) -> Result<ImportKey, BadParameter> {
    let name = name(parts)?;
    let body: ImportBody<'_> = json(parts)?;
    let mut jwk = required(body.key, "key")?;
    let (key, level) = incoming(&jwk)?;
    // The level is said by `kty`, or beside the key; a key that says HSM is never taken for less.
    let level = if body.hsm == Some(true) { ProtectionLevel::Hsm } else { level };
    let ops = operations(jwk.key_ops.take())?.filter(|ops| !ops.is_empty());
    Ok(ImportKey {
        name,
        key,
        level,
        ops,
        attributes: attributes(body.attributes)?,
        tags: body.tags.unwrap_or_default().0,
        release: release::policy(body.release_policy)?,
    })
}

fn incoming(jwk: &Jwk<'_>) -> Result<(Incoming, ProtectionLevel), BadParameter> {
    let (family, level) = ProtectionLevel::of_kty(&required(jwk.kty.as_ref(), "key.kty")?.0);
    let Some(file) = &jwk.key_hsm else { return Ok((Incoming::Clear(key(jwk, family)?), level)) };
    let bad = |e: BadBlob| BadParameter::NotTaken { what: "key.key_hsm", why: e.to_string() };
    let blob = TransferBlob::parse(&bounded(file, "key.key_hsm", byok::MAX_BLOB)?).map_err(bad)?;
    let id = KekId::parse(&blob.kid).map_err(bad)?;
    let kek = KeyRef {
        name: Name::parse(id.name).map_err(|_| bad(BadBlob::Kid))?,
        version: Some(id.version.to_ascii_lowercase().parse().map_err(|_| bad(BadBlob::Kid))?),
    };
    // The curve is said; the size shows when it is unwrapped.
    let curve = if family == "EC" { Some(curve(&required(jwk.crv.as_ref(), "key.crv")?.0)?) } else { None };
    let may_be = |spec: &KeySpec| spec.kty() == family && spec.curve() == curve;
    let specs: Vec<_> = KeySpec::ALL.iter().copied().filter(may_be).collect();
    if specs.is_empty() {
        return Err(unsupported("key.kty", family, KINDS));
    }
    Ok((Incoming::Wrapped { kek, specs, wrapped: blob.ciphertext }, level))
}

fn key(jwk: &Jwk<'_>, family: &str) -> Result<ImportedKey, BadParameter> {
    match family {
        "EC" => Ok(ImportedKey::Ec {
            curve: curve(&required(jwk.crv.as_ref(), "key.crv")?.0)?,
            x: number(jwk.x.as_ref(), "key.x")?,
            y: number(jwk.y.as_ref(), "key.y")?,
            d: secret(jwk.d.as_ref(), "key.d")?,
        }),
        "RSA" => Ok(ImportedKey::Rsa(Box::new(RsaNumbers {
            n: number(jwk.n.as_ref(), "key.n")?,
            e: number(jwk.e.as_ref(), "key.e")?,
            d: secret(jwk.d.as_ref(), "key.d")?,
            primes: primes(jwk)?,
        }))),
        "oct" => Ok(ImportedKey::Oct(secret(jwk.k.as_ref(), "key.k")?)),
        other => Err(unsupported("key.kty", other, KINDS)),
    }
}

/// All of them or none (RFC 7518, section 6.3.2); in between, the first that is missing is named.
fn primes(jwk: &Jwk<'_>) -> Result<Option<RsaPrimes>, BadParameter> {
    if [&jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi].iter().all(|part| part.is_none()) {
        return Ok(None);
    }
    Ok(Some(RsaPrimes {
        p: secret(jwk.p.as_ref(), "key.p")?,
        q: secret(jwk.q.as_ref(), "key.q")?,
        dp: secret(jwk.dp.as_ref(), "key.dp")?,
        dq: secret(jwk.dq.as_ref(), "key.dq")?,
        qi: secret(jwk.qi.as_ref(), "key.qi")?,
    }))
}

fn curve(crv: &str) -> Result<Curve, BadParameter> {
    curve_named(crv).ok_or_else(|| unsupported("key.crv", crv, CURVES))
}

fn number(text: Option<&Text<'_>>, what: &'static str) -> Result<Vec<u8>, BadParameter> {
    binary(required(text, what)?, what)
}

fn secret(text: Option<&Text<'_>>, what: &'static str) -> Result<Zeroizing<Vec<u8>>, BadParameter> {
    number(text, what).map(Zeroizing::new)
}

/// `POST /keys/{name}/backup`
pub fn backup(parts: &Parts<'_>) -> Result<BackupKey, BadParameter> {
    Ok(BackupKey { name: name(parts)? })
}

#[derive(Deserialize)]
struct RestoreBody<'a> {
    #[serde(borrow)]
    value: Option<Text<'a>>,
}

/// `POST /keys/restore`
pub fn restore(parts: &Parts<'_>) -> Result<RestoreKey, BadParameter> {
    let body: RestoreBody<'_> = json(parts)?;
    Ok(RestoreKey { backup: bounded(&required(body.value, "value")?, "value", MAX_BACKUP)? })
}

#[derive(Deserialize)]
struct RandomBody {
    count: Option<i64>,
}

/// `POST /rng`
pub fn random(parts: &Parts<'_>) -> Result<RandomBytes, BadParameter> {
    let body: RandomBody = json(parts)?;
    let count = required(body.count, "count")?;
    let bad = BadParameter::Range { what: "count", min: 1, max: i64::from(RandomBytes::MAX) };
    let count = u8::try_from(count).ok().filter(|n| (1..=RandomBytes::MAX).contains(n)).ok_or(bad)?;
    Ok(RandomBytes { count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parts;
    use keystead_model::KeyOperation;

    fn read(body: &str) -> Result<ImportKey, BadParameter> {
        parts("/keys/Pay", "/keys/{name}", body, import)
    }

    #[test]
    fn a_jwk_is_read_part_by_part() {
        let ask = read(r#"{"key":{"kty":"oct","kid":"x","k":"AAEC","key_ops":["encrypt","encrypt"]},"Hsm":false}"#);
        let ask = ask.unwrap();
        assert_eq!(ask.ops, Some(vec![KeyOperation::Encrypt]));
        assert!(matches!(&ask.key, Incoming::Clear(ImportedKey::Oct(k)) if ***k == [0, 1, 2]));
        assert_eq!(ask.level, ProtectionLevel::Software);
        let ec = r#"{"key":{"kty":"EC","crv":"P-256","d":"AQ","x":"Ag","y":"AwM="},"attributes":{"exp":5}}"#;
        let ask = read(ec).unwrap();
        assert!(
            matches!(&ask.key, Incoming::Clear(ImportedKey::Ec { curve: Curve::P256, d, x, y }) if ***d == [1] && *x == [2] && *y == [3, 3])
        );
        assert!(ask.attributes.expires.is_some() && ask.tags.is_empty());
    }

    #[test]
    fn a_part_that_is_missing_or_not_served_is_named() {
        for (body, word) in [
            ("{}", "key "),
            (r#"{"key":{"kty":"EC","crv":"P-256","x":"Ag","y":"Aw"}}"#, "key.d"),
            (r#"{"key":{"kty":"EC","d":"AQ"}}"#, "key.crv"),
            (r#"{"key":{"kty":"EC","crv":"P-224","d":"AQ"}}"#, "P-256"),
            (r#"{"key":{"kty":"RSA","n":"AQ","e":"AQAB"}}"#, "key.d"),
            (r#"{"key":{"kty":"DSA-HSM","n":"AQ"}}"#, "EC, RSA, oct"),
            (r#"{"key":{"kty":"RSA-HSM","key_hsm":"AQ"}}"#, "key_hsm"),
            (r#"{"key":{"kty":"oct","k":"a*secret"}}"#, "key.k is not base64url"),
        ] {
            let message = read(body).err().unwrap().to_string();
            assert!(message.contains(word) && !message.contains("secret"), "{body}: {message}");
        }
    }

    #[test]
    fn an_hsm_key_is_said_by_its_kind_or_beside_it() {
        for body in [
            r#"{"key":{"kty":"oct-HSM","k":"AQ"}}"#,
            r#"{"key":{"kty":"oct","k":"AQ"},"Hsm":true}"#,
            r#"{"key":{"kty":"oct-HSM","k":"AQ"},"hsm":false}"#,
        ] {
            assert_eq!(read(body).unwrap().level, ProtectionLevel::Hsm, "{body}");
        }
    }

    #[test]
    fn a_transfer_blob_names_its_key_exchange_key_and_what_may_be_inside() {
        use base64::prelude::*;
        let kid = format!("https://h.example/keys/Kek/{}", "0A".repeat(16));
        let blob = TransferBlob { kid, ciphertext: vec![1, 2], generator: String::new() };
        let of = |kty: &str, crv: &str| {
            let file = BASE64_URL_SAFE.encode(blob.to_json());
            read(&format!(r#"{{"key":{{"kty":"{kty}","key_hsm":"{file}"{crv}}}}}"#))
        };
        for (kty, crv, wanted) in [
            ("EC-HSM", r#","crv":"P-384""#, vec![KeySpec::EcP384]),
            ("RSA-HSM", "", vec![KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096]),
            ("oct-HSM", "", vec![KeySpec::Oct256, KeySpec::Oct128, KeySpec::Oct192]),
        ] {
            let ask = of(kty, crv).unwrap();
            let Incoming::Wrapped { kek, specs, wrapped } = ask.key else { panic!("{kty}") };
            assert_eq!((kek.name.as_str(), specs, wrapped), ("Kek", wanted, vec![1, 2]));
            assert_eq!(kek.version.unwrap().to_string(), "0a".repeat(16));
        }
        assert!(of("EC-HSM", "").err().unwrap().to_string().contains("key.crv"));
        assert!(of("DSA", "").err().unwrap().to_string().contains("EC, RSA, oct"));
    }

    #[test]
    fn the_primes_of_an_rsa_key_come_all_or_not_at_all() {
        let parts = ["p", "q", "dp", "dq", "qi"];
        let body = |present: &[&str]| {
            let more: String = present.iter().map(|part| format!(r#","{part}":"Bw""#)).collect();
            format!(r#"{{"key":{{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ"{more}}}}}"#)
        };
        let primes = |present: &[&str]| match read(&body(present)).unwrap().key {
            Incoming::Clear(ImportedKey::Rsa(numbers)) => numbers.primes,
            _ => panic!(),
        };
        assert!(primes(&[]).is_none());
        assert!(primes(&parts).is_some_and(|primes| **primes.qi == [7]));
        for missing in parts {
            let others: Vec<_> = parts.into_iter().filter(|part| *part != missing).collect();
            for (present, named) in [(&others[..], missing), (&[missing], if missing == "p" { "q" } else { "p" })] {
                let message = read(&body(present)).err().unwrap().to_string();
                assert_eq!(message, format!("Property key.{named} is missing."));
            }
        }
    }

    #[test]
    fn a_count_is_from_1_to_128() {
        let read = |body: &str| parts("/rng", "/rng", body, random).map(|ask| ask.count);
        assert_eq!(read(r#"{"count":1}"#).unwrap(), 1);
        assert_eq!(read(r#"{"count":128}"#).unwrap(), 128);
        for body in
            ["{}", r#"{"count":0}"#, r#"{"count":129}"#, r#"{"count":-1}"#, r#"{"count":257}"#, r#"{"count":"1"}"#]
        {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
