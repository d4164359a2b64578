//! What cannot be understood or may not be done gets a clear answer of the documented shape. Nothing is changed by it,
//! nothing is told by it that the caller did not say himself, and it is never a fault of the server's.

mod desk;
mod fuzz;
mod transport;

use crate::support::b64;
use desk::Desk;
use serde_json::{Value, json};

const DIGEST: [u8; 32] = [7; 32];

#[test]
fn json_that_is_none_or_of_another_shape_is_refused() {
    let mut desk = Desk::new();
    let bodies: [&[u8]; 24] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"true",
        b"\"x\"",
        b"5",
        b"{}{}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\"} x",
        b"\xef\xbb\xbf{}",
        b"{\"kty\":\"E\xff\",\"alg\":\"E\xff\",\"tags\":{\"\xff\":\"a\"}}",
        b"{'kty':'EC'}",
        b"{\"kty\":\"EC\",}",
        b"{\"kty\":7,\"alg\":7,\"tags\":7}",
        b"{\"kty\":[\"EC\"],\"alg\":[\"ES256\"],\"tags\":[]}",
        b"{\"kty\":{\"a\":1},\"alg\":{\"a\":1},\"tags\":\"a\"}",
        b"{\"kty\":\"EC\",\"kty\":\"EC\",\"alg\":\"ES256\",\"alg\":\"ES256\",\"tags\":{},\"tags\":{}}",
        b"{\"kty\":\"EC\",\"tags\":{\"a\":7},\"alg\":\"ES256\",\"value\":7}",
        b"{\"kty\":\"EC\",\"tags\":{\"a\":\"b\",\"a\":\"c\"},\"alg\":\"ES256\",\"value\":null}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\",\"attributes\":[],\"value\":[]}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\",\"attributes\":{\"enabled\":\"yes\"},\"value\":{}}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\",\"key_ops\":\"sign\",\"value\":true}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\",\"key_ops\":[null],\"value\":1.5}",
        b"{\"kty\":\"EC\",\"alg\":\"ES256\",\"key_ops\":[\"dance\"],\"value\":\"*\"}",
    ];
    for body in bodies {
        for (method, path) in [("POST", "/keys/new/create"), ("POST", "/keys/ec//sign"), ("PATCH", "/keys/ec/")] {
            desk.refused(method, path, body, 400, "BadParameter");
        }
    }
    let deep = [b"{\"kty\":".as_slice(), &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat();
    desk.refused("POST", "/keys/new/create", &deep, 400, "BadParameter");
    desk.refused("POST", "/keys/new/create", &b"[".repeat(1 << 20), 400, "BadParameter");
    let deep = [b"{\"kty\":\"EC\",\"release_policy\":".as_slice(), &b"{\"a\":".repeat(50_000)].concat();
    desk.refused("POST", "/keys/new/create", &deep, 400, "BadParameter");
    desk.unchanged();
}

#[test]
fn numbers_out_of_range_or_of_another_kind_are_refused() {
    let mut desk = Desk::new();
    let times = ["-1", "1.5", "1e3", "1e300", "-0.0", "253402300800", "99999999999999999999", "\"5\"", "true", "[5]"];
    for time in times.into_iter().chain(["NaN", "Infinity", "0x10", "01", "+1", "9223372036854775808"]) {
        for member in ["exp", "nbf"] {
            let body = format!(r#"{{"kty":"EC","attributes":{{"{member}":{time}}}}}"#);
            desk.refused("POST", "/keys/new/create", body.as_bytes(), 400, "BadParameter");
            desk.refused("PATCH", "/keys/ec/", body.as_bytes(), 400, "BadParameter");
        }
    }
    for size in ["-2048", "0", "1", "1024", "2047", "2048.0", "2e3", "4294969344", "18446744073709551617", "\"2048\""] {
        let body = format!(r#"{{"kty":"RSA","key_size":{size}}}"#);
        desk.refused("POST", "/keys/new/create", body.as_bytes(), 400, "BadParameter");
    }
    for page in ["0", "26", "-1", "1.0", "1e1", "+5", "99999999999999999999", "x", "%D9%A3", "1%00"] {
        desk.refused("GET", &format!("/keys?maxresults={page}"), b"", 400, "BadParameter");
    }
    for (n, from) in [("0", "0"), ("501", "0"), ("1", "-1"), ("1", "18446744073709551616"), ("1.5", "0")] {
        let target = format!("/keystead/v1/audit/records?n={n}&from={from}");
        desk.refused("GET", &target, b"", 400, "BadParameter");
    }
    desk.unchanged();
}

#[test]
fn values_that_do_not_fit_their_algorithm_are_refused() {
    let mut desk = Desk::new();
    let sign = |alg: &str, value: &str| json!({ "alg": alg, "value": value });
    let digest = b64(&DIGEST);
    for value in ["***", "A", "AA=A", "====", "AAAA\n", "%41"] {
        desk.refused_json("POST", "/keys/ec//sign", &sign("ES256", value), 400, "BadParameter");
        desk.refused_json("POST", "/keys/oct//encrypt", &sign("A256GCM", value), 400, "BadParameter");
    }
    for length in [0, 1, 20, 31, 33, 48, 64, 4096] {
        for (key, alg) in [("ec", "ES256"), ("rsa", "RS256"), ("rsa", "PS256")] {
            let body = sign(alg, &b64(&vec![7; length]));
            desk.refused_json("POST", &format!("/keys/{key}//sign"), &body, 400, "BadParameter");
        }
    }
    for alg in [
        "",
        "none",
        "es256",
        "ES256 ",
        "HS256",
        "RS1",
        "ES384",
        "ES224",
        "RSNULL",
        "A256GCM",
        "RSA1_5",
        &"x".repeat(5000),
    ] {
        desk.refused_json("POST", "/keys/ec//sign", &sign(alg, &digest), 400, "BadParameter");
    }
    for (key, op, alg) in [
        ("ec", "sign", "RS256"),
        ("ec", "sign", "PS256"),
        ("rsa", "sign", "ES256"),
        ("rsa", "encrypt", "A256GCM"),
        ("oct", "encrypt", "RSA-OAEP-256"),
        ("oct", "wrapkey", "RSA-OAEP-256"),
        ("oct", "encrypt", "A128GCM"),
        ("oct", "wrapkey", "A128KW"),
        ("oct", "wrapkey", "A192KW"),
        ("oct", "encrypt", "A256KW"),
        ("oct", "encrypt", "A256CBC"),
        ("rsa", "wrapkey", "CKM_AES_KEY_WRAP"),
    ] {
        desk.refused_json("POST", &format!("/keys/{key}//{op}"), &sign(alg, &digest), 400, "BadParameter");
    }
    for (key, alg, length) in [
        ("rsa", "RSA-OAEP-256", 191),
        ("rsa", "RSA-OAEP-256", 4096),
        ("rsa", "RSA-OAEP", 215),
        ("rsa", "RSA1_5", 246),
        ("oct", "CKM_AES_KEY_WRAP", 17),
        ("oct", "CKM_AES_KEY_WRAP_PAD", 65_537),
        ("oct", "A256GCM", 65_537),
    ] {
        for op in ["encrypt", "wrapkey"] {
            let body = sign(alg, &b64(&vec![7; length]));
            desk.refused_json("POST", &format!("/keys/{key}//{op}"), &body, 400, "BadParameter");
        }
    }
    desk.unchanged();
}

#[test]
fn every_failed_decryption_gets_the_same_answer() {
    let mut desk = Desk::new();
    let sealed = desk.call("POST", "/keys/oct//encrypt", &json!({ "alg": "A256GCM", "value": "AAAA" })).ok();
    // The first use has reserved a block of uses.
    desk.start_over();
    let with = |member: &str, value: Value| {
        let mut body = json!({ "alg": "A256GCM" });
        for name in ["value", "iv", "tag"] {
            body[name] = sealed[name].clone();
        }
        body[member] = value;
        body
    };
    let mut said = Vec::new();
    for (member, bytes) in [("value", 3), ("iv", 12), ("tag", 16), ("aad", 5)] {
        for op in ["decrypt", "unwrapkey"] {
            let reply = desk.refused_json(
                "POST",
                &format!("/keys/oct//{op}"),
                &with(member, b64(&vec![1; bytes]).into()),
                400,
                "BadParameter",
            );
            said.push(reply.json());
        }
    }
    for first in [0, 0xff] {
        let value = [vec![first], vec![7; 255]].concat();
        let body = json!({ "alg": "RSA-OAEP-256", "value": b64(&value) });
        said.push(desk.refused_json("POST", "/keys/rsa//decrypt", &body, 400, "BadParameter").json());
    }
    assert!(said.iter().all(|s| *s == said[0]), "{said:?}");
    for (member, bytes) in [("iv", 11), ("iv", 13), ("iv", 0), ("tag", 15), ("tag", 17), ("tag", 4), ("tag", 0)] {
        let body = with(member, b64(&vec![1; bytes]).into());
        desk.refused_json("POST", "/keys/oct//decrypt", &body, 400, "BadParameter");
    }
    for member in ["iv", "tag", "value"] {
        desk.refused_json("POST", "/keys/oct//decrypt", &with(member, Value::Null), 400, "BadParameter");
    }
    for length in [0, 1, 255, 257, 512] {
        let body = json!({ "alg": "RSA-OAEP-256", "value": b64(&vec![0; length]) });
        desk.refused_json("POST", "/keys/rsa//decrypt", &body, 400, "BadParameter");
    }
    let own_nonce = json!({ "alg": "A256GCM", "value": "AAAA", "iv": b64(&[1; 12]) });
    desk.refused_json("POST", "/keys/oct//encrypt", &own_nonce, 400, "BadParameter");
    desk.unchanged();
}

#[test]
fn a_key_that_may_not_be_used_now_says_why() {
    let mut desk = Desk::new();
    for (name, create) in [
        ("off", json!({ "kty": "EC", "attributes": { "enabled": false } })),
        ("old", json!({ "kty": "EC", "attributes": { "exp": 1 } })),
        ("early", json!({ "kty": "EC", "attributes": { "nbf": 4_000_000_000_i64 } })),
        ("mute", json!({ "kty": "EC", "key_ops": ["verify"] })),
    ] {
        desk.call("POST", &format!("/keys/{name}/create"), &create).ok();
    }
    // The end of one is near, which is told once.
    desk.waits_for("keys/near-expiry");
    desk.start_over();
    let sign = json!({ "alg": "ES256", "value": b64(&DIGEST) });
    for (name, inner) in
        [("off", "KeyDisabled"), ("old", "KeyExpired"), ("early", "KeyNotYetValid"), ("mute", "KeyOperationForbidden")]
    {
        let reply = desk.refused_json("POST", &format!("/keys/{name}//sign"), &sign, 403, "Forbidden");
        assert_eq!(reply.json()["error"]["innererror"]["code"], inner);
        assert!(reply.receipt().is_some(), "the decision was reached");
    }
    for body in [
        json!({ "kty": "EC", "key_ops": ["encrypt"] }),
        json!({ "kty": "EC", "key_ops": ["sign", "wrapKey"] }),
        json!({ "kty": "oct", "key_size": 2048 }),
        json!({ "kty": "RSA", "public_exponent": 2 }),
        json!({ "kty": "RSA", "public_exponent": 4_294_967_297_u64 }),
        json!({ "kty": "EC", "attributes": { "nbf": 9, "exp": 8 } }),
        json!({ "kty": "EC", "attributes": { "exportable": true } }),
        json!({ "kty": "EC", "release_policy": { "data": "e30" } }),
        json!({ "kty": "EC", "tags": { "a".repeat(257): "b" } }),
        json!({ "kty": "EC", "tags": (0..16).map(|n| (n.to_string(), "b".into())).collect::<serde_json::Map<_, _>>() }),
        json!({ "kty": "EC-HSM" }),
        json!({ "kty": "EC", "crv": "P-255" }),
    ] {
        desk.refused_json("POST", "/keys/new/create", &body, 400, "BadParameter");
    }
    desk.refused_json("PATCH", "/keys/ec/", &json!({ "attributes": { "nbf": 9, "exp": 9 } }), 400, "BadParameter");
    desk.unchanged();
}

#[test]
fn names_and_versions_that_are_none_or_unknown_are_refused() {
    let mut desk = Desk::new();
    let long = "x".repeat(128);
    for name in ["a_b", "a%20b", "a.b", "%2E%2E", "a%2Fb", &long, "%C3%A9", "a%00", "a%0D%0Ax:y", "%zz", "a%", "*", "'"]
    {
        for (method, path, body) in [
            ("GET", format!("/keys/{name}"), ""),
            ("POST", format!("/keys/{name}/create"), r#"{"kty":"EC"}"#),
            ("DELETE", format!("/keys/{name}"), ""),
            ("GET", format!("/deletedkeys/{name}"), ""),
            ("GET", format!("/keys/{name}/versions"), ""),
        ] {
            desk.refused(method, &path, body.as_bytes(), 400, "BadParameter");
        }
    }
    for version in ["abc", "0", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), "..%2F..", "%00"] {
        desk.refused("GET", &format!("/keys/ec/{version}"), b"", 400, "BadParameter");
    }
    let other = desk.call("GET", "/keys/rsa", &Value::Null).ok()["key"]["kid"].as_str().unwrap().to_owned();
    let version = other.rsplit('/').next().unwrap();
    for path in [format!("/keys/ec/{}", "0".repeat(32)), format!("/keys/ec/{version}"), "/keys/nothing".to_owned()] {
        desk.refused("GET", &path, b"", 404, "KeyNotFound");
        desk.refused("PATCH", &path, b"{}", 404, "KeyNotFound");
    }
    for (method, path) in [
        ("GET", "/deletedkeys/ec"),
        ("DELETE", "/deletedkeys/ec"),
        ("POST", "/deletedkeys/ec/recover"),
        ("DELETE", "/keys/nothing"),
    ] {
        desk.refused(method, path, b"", 404, "KeyNotFound");
    }
    // As Key Vault answers it, whatever the name.
    assert_eq!(desk.call("GET", "/keys/nothing/versions", &Value::Null).ok()["value"], serde_json::json!([]));
    desk.unchanged();
}

#[test]
fn a_page_token_of_another_list_or_of_nobody_is_refused() {
    let mut desk = Desk::new();
    let mut token_of = |target: &str| {
        let page = desk.call("GET", target, &Value::Null).ok();
        let link = page["nextLink"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned();
        let pair = link.split(['?', '&']).find(|p| p.to_ascii_lowercase().contains("skiptoken=")).unwrap().to_owned();
        pair.split_once('=').unwrap().1.to_owned()
    };
    let (keys, versions) = (token_of("/keys?maxresults=1"), token_of("/keys/ec/versions?maxresults=1"));
    let deleted = token_of("/deletedkeys?maxresults=1");
    desk.refused("GET", &format!("/keys?$skiptoken={versions}"), b"", 400, "BadParameter");
    desk.refused("GET", &format!("/deletedkeys?$skiptoken={versions}"), b"", 400, "BadParameter");
    desk.refused("GET", &format!("/keys/ec/versions?$skiptoken={keys}"), b"", 400, "BadParameter");
    desk.refused("GET", &format!("/keys/ec/versions?%24skiptoken={deleted}"), b"", 400, "BadParameter");
    for bad in ["!!", "AA", "null", "..", &"A".repeat(44), &"A".repeat(10_000), "%ff", "%00", "ec", "1"] {
        for list in ["/keys", "/deletedkeys", "/keys/ec/versions"] {
            desk.refused("GET", &format!("{list}?$skiptoken={bad}"), b"", 400, "BadParameter");
        }
    }
    desk.unchanged();
}
