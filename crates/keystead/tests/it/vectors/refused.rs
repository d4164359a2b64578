//! Keys and messages of the vectors that the service does not take: refused, and the cause named.

use super::wire::{import, jwk};
use super::{Key, Place, Vault, Vector, published, wycheproof};
use crate::support::b64;
use keystead_vectors::{Group, RsaPrivate, Work};
use serde_json::json;
use std::collections::BTreeMap;

const SECRET_BYTES: [usize; 3] = [16, 24, 32];

/// The vectors of HMAC that the service can do: a key of one of its sizes, a message as long as the hash.
pub(super) fn served(group: Group) -> Option<Group> {
    let vectors: Vec<_> = group.vectors.iter().filter(|vector| fits(vector)).cloned().collect();
    (has_served_size(&group.key) && !vectors.is_empty()).then_some(Group { vectors, ..group })
}

fn has_served_size(key: &Key) -> bool {
    matches!(key, Key::Oct(bytes) if SECRET_BYTES.contains(&bytes.len()))
}

fn fits(vector: &Vector) -> bool {
    matches!(&vector.work, Work::Verify { algorithm, message, .. } if message.len() == algorithm.digest_len())
}

#[track_caller]
fn refused(vault: &mut Vault, key: &Key, cause: &str) {
    let reply = import(vault, "refused", key);
    let message = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"), "{message}");
    assert!(message.contains(cause), "{message}");
}

#[test]
fn keys_of_vectors_that_are_not_served_are_refused_over_rest_by_name() {
    let place = Place::new();
    let server = super::patient(&place);
    let mut vault = server.vault();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused = |key: &Key, cause: &'static str| {
        refused(&mut vault, key, cause);
        *counts.entry(cause).or_default() += 1;
    };
    let macs = wycheproof::hmac().into_iter().chain(published::hmac());
    for key in macs.map(|group| group.key).filter(|key| !has_served_size(key)) {
        refused(&key, "128, 192 or 256 bits");
    }
    for key in wycheproof::rsa_of_other_sizes() {
        refused(&key, "2048, 3072 or 4096 bits");
    }
    for Group { key, .. } in wycheproof::ecdsa().into_iter().filter(|group| !group.key.is_whole()) {
        let Key::Ec { curve, x, y, .. } = key else { panic!() };
        refused(&Key::Ec { curve, x: x.clone(), y: y.clone(), d: None }, "key.d is missing");
        let d = Some([vec![0; curve.field_len() - 1], vec![1]].concat());
        refused(&Key::Ec { curve, x, y, d }, "does not belong to its public point");
    }
    for Group { key, .. } in published::rsa_signatures() {
        let Key::Rsa { n, e, private: Some(RsaPrivate { mut d, .. }) } = key else { panic!() };
        *d.last_mut().unwrap() ^= 2;
        refused(&Key::Rsa { n, e, private: Some(RsaPrivate { d, primes: None }) }, "do not belong together");
    }
    let least = [
        ("128, 192 or 256 bits", 60),
        ("2048, 3072 or 4096 bits", 6),
        ("key.d is missing", 320),
        ("does not belong to its public point", 320),
        ("do not belong together", 5),
    ];
    for (cause, least) in least {
        assert!(counts[cause] >= least, "{counts:?}");
    }
    assert_eq!(vault.get("refused").unwrap().status, 404, "nothing was made");
    assert!(server.stop().success());
}

#[test]
fn an_rsa_key_with_some_of_its_primes_is_refused_over_rest_and_without_them_it_is_the_same_key() {
    let place = Place::new();
    let server = super::patient(&place);
    let mut vault = server.vault();
    let group = wycheproof::rsa_decryption().swap_remove(0);
    let whole = jwk(&group.key);
    let parts = ["p", "q", "dp", "dq", "qi"];
    let mut import = |name: &str, left: &[&str]| {
        let mut jwk = whole.clone();
        jwk.as_object_mut().unwrap().retain(|part, _| !parts.contains(&part.as_str()) || left.contains(&part.as_str()));
        vault.call("PUT", &format!("/keys/{name}"), Some(&json!({ "key": jwk }))).unwrap()
    };
    for missing in parts {
        let left: Vec<_> = parts.into_iter().filter(|part| *part != missing).collect();
        let reply = import("partly", &left);
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadParameter"));
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(message, format!("Property key.{missing} is missing."));
    }
    import("whole", &parts).ok();
    import("bare", &[]).ok();
    let signed = ["whole", "bare"].map(|name| {
        let body = json!({ "alg": "RS256", "value": b64(&[7; 32]) });
        vault.call("POST", &format!("/keys/{name}/sign"), Some(&body)).unwrap().ok()["value"].clone()
    });
    assert_eq!(signed[0], signed[1]);
    assert!(server.stop().success());
}

#[test]
fn messages_that_are_not_as_long_as_the_hash_are_refused_over_rest_by_name() {
    let place = Place::new();
    let server = super::patient(&place);
    let (mut vault, mut count) = (server.vault(), 0);
    import(&mut vault, "key", &Key::Oct(vec![7; 32])).ok();
    for vector in wycheproof::hmac().iter().flat_map(|group| &group.vectors).filter(|vector| !fits(vector)) {
        let Work::Verify { algorithm, message, signature } = &vector.work else { panic!() };
        let body = json!({ "alg": algorithm.wire(), "digest": b64(message), "value": b64(signature) });
        let reply = vault.call("POST", "/keys/key/verify?api-version=7.6", Some(&body)).unwrap();
        let text = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, text.contains("'digest'")), (400, true), "{text}");
        count += 1;
    }
    assert!(count >= 200, "{count}");
    assert!(server.stop().success());
}
