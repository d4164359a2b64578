//! What a server may say without hurting the client.

use keystead_client::fuzz;

const SEEDS: &[&str] = &[
    r#"Bearer authorization="https://localhost:8443/t", resource="https://localhost:8443""#,
    r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"KeyDisabled"}}}"#,
    r#"{"key":{"kid":"https://h/keys/n/v","kty":"RSA","n":"AQAB","e":"AQAB","key_ops":["sign"]},"deletedDate":1}"#,
    r#"{"value":[{"kid":"https://h/keys/a","attributes":{"enabled":true,"exp":5}}],"nextLink":"https://h/x"}"#,
    r#"{"kid":"https://h/keys/n/v","value":"AQAB","iv":"AA","tag":null}"#,
];

#[test]
fn damaged_answers_never_panic() {
    let mut seed = 0x2545_f491_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..5000 {
        let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..next(6) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\"=,/:{}[]\\ \xff\0"[next(13)]),
            }
        }
        bytes.truncate(next(bytes.len() * 2) + 1);
        fuzz::challenge(&bytes);
        fuzz::error_body(&bytes);
        fuzz::key_bodies(&bytes);
    }
}
