//! A vector as requests.

use crate::support::{Reply, Vault, b64, unb64};
use keystead_crypto::Hash;
use keystead_model::{CipherAlgorithm, CipherMode, KeyOperation, SignAlgorithm};
use keystead_vectors::{Key, Vector, Work};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The key as a JWK; what is not published is left out.
pub(super) fn jwk(key: &Key) -> Value {
    match key {
        Key::Oct(bytes) => {
            let ops = ["encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"];
            json!({ "kty": "oct", "k": b64(bytes), "key_ops": ops })
        }
        Key::Ec { curve, x, y, d } => {
            json!({ "kty": "EC", "crv": curve.wire(), "x": b64(x), "y": b64(y), "d": d.as_deref().map(b64) })
        }
        Key::Rsa { n, e, private } => {
            let mut jwk = json!({ "kty": "RSA", "n": b64(n), "e": b64(e) });
            if let Some(private) = private {
                jwk["d"] = b64(&private.d).into();
                for (name, number) in ["p", "q", "dp", "dq", "qi"].into_iter().zip(private.primes.iter().flatten()) {
                    jwk[name] = b64(number).into();
                }
            }
            jwk
        }
    }
}

pub(super) fn import(vault: &mut Vault, name: &str, key: &Key) -> Reply {
    vault.call("PUT", &format!("/keys/{name}?api-version=7.6"), Some(&json!({ "key": jwk(key) }))).unwrap()
}

/// One operation. What is null in the body is left out.
fn post(vault: &mut Vault, name: &str, operation: &str, mut body: Value) -> Reply {
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    vault.call("POST", &format!("/keys/{name}/{operation}?api-version=7.6"), Some(&body)).unwrap()
}

/// The bytes of a result; none if the request was refused, as what does not decrypt is.
#[track_caller]
fn result(reply: &Reply) -> Option<Vec<u8>> {
    match reply.status {
        200 => Some(unb64(reply.json()["value"].as_str().unwrap())),
        400 => {
            assert_eq!(reply.code(), "BadParameter", "{reply:?}");
            None
        }
        _ => panic!("{reply:?}"),
    }
}

/// What answers look like, by algorithm and status.
pub(super) type Shapes = BTreeSet<(&'static str, u16, String)>;

/// Whether the vector comes out; where doing it in reverse always gives the same, it must.
pub(super) fn check(vault: &mut Vault, name: &str, key: &Key, vector: &Vector, shapes: &mut Shapes) -> bool {
    match &vector.work {
        Work::Decrypt { algorithm, value, iv, tag, aad, plain } => {
            let aad = (!aad.is_empty()).then(|| b64(aad));
            let (iv, tag) = (iv.as_deref().map(b64), tag.as_deref().map(b64));
            if vector.valid && vector.work.repeats() {
                let body = json!({ "alg": algorithm.wire(), "value": b64(plain.as_ref().unwrap()), "iv": iv });
                for operation in ["encrypt", "wrapkey"].into_iter().filter(|o| serves(*algorithm, o)) {
                    assert_eq!(result(&post(vault, name, operation, body.clone())).as_ref(), Some(value));
                }
            }
            let body = json!({ "alg": algorithm.wire(), "value": b64(value), "iv": iv, "tag": tag, "aad": aad });
            let operations = ["decrypt", "unwrapkey"].into_iter().filter(|o| serves(*algorithm, o));
            let replies: Vec<_> = operations.map(|o| post(vault, name, o, body.clone())).collect();
            for reply in &replies {
                shapes.insert((algorithm.wire(), reply.status, shape(reply)));
                if algorithm.mode() == CipherMode::Pkcs1 {
                    no_oracle(key, value, reply);
                }
            }
            let opened: Vec<_> = replies.iter().map(result).collect();
            assert!(opened.iter().all(|each| *each == opened[0]), "decrypt and unwrapkey differ");
            opened[0].is_some() && opened[0] == *plain
        }
        Work::Verify { algorithm, message, signature } => {
            let digest = digest(*algorithm, message);
            if vector.valid && vector.work.repeats() {
                assert_eq!(sign(vault, name, *algorithm, &digest), *signature);
            }
            verify(vault, name, *algorithm, &digest, signature)
        }
    }
}

fn serves(algorithm: CipherAlgorithm, operation: &str) -> bool {
    algorithm.serves(match operation {
        "encrypt" => KeyOperation::Encrypt,
        "decrypt" => KeyOperation::Decrypt,
        "wrapkey" => KeyOperation::WrapKey,
        _ => KeyOperation::UnwrapKey,
    })
}

/// What an answer shows beside the bytes it carries: for one algorithm and status it is always the same.
fn shape(reply: &Reply) -> String {
    let mut headers: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    headers.sort_unstable();
    let members: Vec<_> = reply.json().as_object().unwrap().keys().cloned().collect();
    format!("{headers:?} {members:?} {}", reply.json()["error"]["message"])
}

/// With RSA1_5 a wrong padding is answered as a right one, but for the bytes. Refused is only what everyone can see to
/// be no ciphertext.
#[track_caller]
fn no_oracle(key: &Key, value: &[u8], reply: &Reply) {
    let Key::Rsa { n, .. } = key else { panic!() };
    let mut most = n.strip_prefix(&[0]).unwrap_or(n).to_vec();
    *most.last_mut().unwrap() -= 1;
    let one = [&vec![0; most.len() - 1][..], &[1]].concat();
    let between = value.len() == most.len() && value > one.as_slice() && value < most.as_slice();
    assert_eq!(reply.status == 200, between, "{reply:?}");
}

fn digest(algorithm: SignAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm.digest_len() {
        _ if algorithm.wire().starts_with("HS") => message.to_vec(),
        48 => Hash::Sha384.of(message),
        64 => Hash::Sha512.of(message),
        _ => Hash::Sha256.of(message),
    }
}

fn sign(vault: &mut Vault, name: &str, algorithm: SignAlgorithm, digest: &[u8]) -> Vec<u8> {
    let body = json!({ "alg": algorithm.wire(), "value": b64(digest) });
    unb64(post(vault, name, "sign", body).ok()["value"].as_str().unwrap())
}

fn verify(vault: &mut Vault, name: &str, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
    let body = json!({ "alg": algorithm.wire(), "digest": b64(digest), "value": b64(signature) });
    post(vault, name, "verify", body).ok()["value"].as_bool().unwrap()
}

/// The key signs the message of its first signature itself, and finds that good.
pub(super) fn own_signature<'a>(vault: &mut Vault, name: &str, mut vectors: impl Iterator<Item = &'a Vector>) {
    let first = vectors.find_map(|vector| match &vector.work {
        Work::Verify { algorithm, message, .. } => Some((*algorithm, digest(*algorithm, message))),
        Work::Decrypt { .. } => None,
    });
    if let Some((algorithm, digest)) = first {
        let signature = sign(vault, name, algorithm, &digest);
        assert!(verify(vault, name, algorithm, &digest, &signature));
    }
}
