//! What a server may say without hurting the client.

use keystead_client::fuzz;

const SEEDS: &[&str] = &[
    r#"Bearer authorization="https://localhost:8443/t", resource="https://localhost:8443""#,
    r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"KeyDisabled"}}}"#,
    r#"{"key":{"kid":"https://h/keys/n/v","kty":"RSA","n":"AQAB","e":"AQAB","key_ops":["sign"]},"deletedDate":1}"#,
    r#"{"value":[{"kid":"https://h/keys/a","attributes":{"enabled":true,"exp":5}}],"nextLink":"https://h/x"}"#,
    r#"{"kid":"https://h/keys/n/v","value":"AQAB","iv":"AA","tag":null}"#,
    r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB","d":"AQAB","n":1.5e3}"#,
    r#"{"access_token":"a.b.c","token_type":"Bearer","expires_in":3600}"#,
    r#"{"error":"invalid_client","error_description":"AADSTS7000215: no"}"#,
    r#"{"ready":false,"reasons":[{"code":"sealed","message":"it is sealed"}]}"#,
    r#"{"vaults":[{"name":"dev","status":"open","kind":"vault","authorities":["dev.localhost:8443"],"id":"0f"}]}"#,
    r#"{"value":[{"id":"/a","name":"b","properties":{"roleName":"c","permissions":[{"dataActions":["d"]}]}}]}"#,
    r#"{"value":[{"id":"/a","name":"b","properties":{"scope":"/","roleDefinitionId":"/c","principalId":"d"}}]}"#,
    r#"{"settings":[{"name":"AllowKeyManagementOperationsThroughARM","value":"false","type":"boolean"}]}"#,
    r#"{"logs":[{"id":"0f","origin":"keystead/0a/0b/0c","vkey":"keystead/0a/0b/0c+01+AQAB"}]}"#,
];

#[test]
fn damaged_answers_never_panic() {
    let mut seed = 0x2545_f491_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..12_000 {
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
        fuzz::private_jwk(&bytes);
        fuzz::token_answer(&bytes);
        fuzz::other_bodies(&bytes);
    }
}
