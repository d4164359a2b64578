//! Keys from birth to purge, the challenge, tokens, sealing.

use crate::node as start;
use crate::node::{Answer, HOST, Node, OFFICER, STRANGER, moment};
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

const V: &str = "api-version=2025-07-01";

struct Session {
    node: Node,
    token: String,
}

impl Session {
    async fn new() -> Self {
        let node = start().await;
        let token = node.token(OFFICER).await;
        Self { node, token }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = self.node.send(method, &format!("{path}{joint}{V}"), Some(&self.token), &body).await;
        assert!(answer.has_receipt() || answer.status == StatusCode::BAD_REQUEST, "{path}: {:?}", answer.body);
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.send(Method::POST, path, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {:?}", answer.body);
        answer.json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_request_gets_the_challenge_whatever_it_asks() {
    let node = start().await;
    let challenge = r#"Bearer authorization="https://dev.localhost:8443/adfs", resource="https://localhost:8443""#;
    for (method, target) in [
        (Method::GET, "/keys/a/?api-version=7.4"),
        (Method::POST, "/keys/a//sign?api-version=7.4"),
        (Method::POST, "/keys/a/create"),
        (Method::GET, "/no/such/route?api-version=nonsense"),
        (Method::PUT, "/keys/%ff"),
    ] {
        for token in [None, Some("not.a.token")] {
            let answer = node.send(method.clone(), target, token, "").await;
            assert_eq!(answer.error(), (401, "Unauthorized".to_owned()), "{target}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
            assert!(!answer.has_receipt() && answer.body.len() < 400, "{target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_common_headers() {
    let node = start().await;
    let request = Request::get("/keys").header("host", HOST).header("x-ms-client-request-id", "id-1");
    let answer = node.dispatch(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.header("x-ms-client-request-id"), Some("id-1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-ms-request-id").map(str::len), Some(36));
    assert!(answer.header("x-ms-keyvault-service-version").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_from_create_to_purge() {
    let s = Session::new().await;
    let made = s.post("/keys/Pay/create", json!({"kty": "EC", "tags": {"a": "b"}, "attributes": null})).await;
    let kid = made["key"]["kid"].as_str().unwrap();
    assert!(kid.starts_with("https://dev.localhost:8443/keys/Pay/"), "{kid}");
    assert_eq!(made["attributes"]["recoveryLevel"], "CustomizedRecoverable+Purgeable");
    let path = kid.strip_prefix("https://dev.localhost:8443").unwrap();
    assert_eq!(s.get("/keys/pay/").await.json(), made);
    assert_eq!(s.get(path).await.json(), made);

    let patched =
        s.send(Method::PATCH, "/keys/pay/", &json!({"attributes": {"enabled": false}, "tags": {}})).await.json();
    assert_eq!((&patched["attributes"]["enabled"], &patched["tags"]), (&json!(false), &Value::Null));
    assert_eq!(patched["key"]["kid"], kid);

    let deleted = s.send(Method::DELETE, "/keys/pay", &Value::Null).await.json();
    assert_eq!(deleted["recoveryId"], "https://dev.localhost:8443/deletedkeys/Pay");
    let days = deleted["scheduledPurgeDate"].as_i64().unwrap() - deleted["deletedDate"].as_i64().unwrap();
    assert_eq!(days, 7 * 86_400);
    assert_eq!(s.get("/keys/pay").await.error(), (404, "KeyNotFound".to_owned()));
    let again = s.send(Method::POST, "/keys/pay/create", &json!({"kty": "EC"})).await;
    assert_eq!(again.json()["error"]["innererror"]["code"], "ObjectIsDeletedButRecoverable");
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(s.get("/deletedkeys/pay").await.json()["key"]["kid"], kid);

    assert_eq!(s.post("/deletedkeys/pay/recover", Value::Null).await["key"]["kid"], kid);
    s.send(Method::DELETE, "/keys/pay", &Value::Null).await;
    let purged = s.send(Method::DELETE, "/deletedkeys/pay", &Value::Null).await;
    assert_eq!((purged.status, purged.body.len()), (StatusCode::NO_CONTENT, 0));
    let message = s.get("/deletedkeys/pay").await.json()["error"]["message"].clone();
    assert_eq!(message, "Deleted Key not found: pay");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_sign_encrypt_and_wrap() {
    let s = Session::new().await;
    for (name, kty) in [("ec", "EC"), ("rsa", "RSA"), ("aes", "oct")] {
        s.post(&format!("/keys/{name}/create"), json!({"kty": kty})).await;
    }
    let digest = "A".repeat(43);
    for (name, alg, length) in [("ec", "ES256", 86), ("rsa", "RS256", 342), ("rsa", "PS256", 342)] {
        let signed = s.post(&format!("/keys/{name}//sign"), json!({"alg": alg, "value": digest})).await;
        assert_eq!(signed["value"].as_str().unwrap().len(), length);
        assert_eq!(signed["kid"].as_str().unwrap().split('/').count(), 6, "the id has a version");
    }
    for (seal, open) in [("encrypt", "decrypt"), ("wrapkey", "unwrapkey")] {
        let rsa = s.post(&format!("/keys/rsa//{seal}"), json!({"alg": "RSA-OAEP-256", "value": "c2VjcmV0"})).await;
        let back = s.post(&format!("/keys/rsa//{open}"), json!({"alg": "RSA-OAEP-256", "value": rsa["value"]})).await;
        assert_eq!(back["value"], "c2VjcmV0");
        let aes =
            s.post(&format!("/keys/aes//{seal}"), json!({"alg": "A256GCM", "value": "c2VjcmV0", "aad": "YQ=="})).await;
        assert_eq!(aes["aad"], "YQ");
        let mut sealed =
            json!({"alg": "A256GCM", "value": aes["value"], "iv": aes["iv"], "tag": aes["tag"], "aad": "YQ"});
        assert_eq!(s.post(&format!("/keys/aes//{open}"), sealed.clone()).await["value"], "c2VjcmV0");
        sealed["aad"] = json!("Yg");
        let forged = s.send(Method::POST, &format!("/keys/aes//{open}"), &sealed).await;
        assert_eq!(forged.error(), (400, "BadParameter".to_owned()));
        assert!(forged.has_receipt());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_catalogues_codes() {
    let s = Session::new().await;
    s.post("/keys/ec/create", json!({"kty": "EC", "key_ops": ["verify"]})).await;
    s.post("/keys/old/create", json!({"kty": "EC", "attributes": {"exp": 1}})).await;
    s.post("/keys/new/create", json!({"kty": "EC", "attributes": {"nbf": 4_000_000_000_i64}})).await;
    s.post("/keys/off/create", json!({"kty": "EC", "attributes": {"enabled": false}})).await;
    s.post("/keys/aes/create", json!({"kty": "oct"})).await;
    let digest = json!({"alg": "ES256", "value": "A".repeat(43)});
    for (name, inner) in
        [("ec", "KeyOperationForbidden"), ("old", "KeyExpired"), ("new", "KeyNotYetValid"), ("off", "KeyDisabled")]
    {
        let answer = s.send(Method::POST, &format!("/keys/{name}//sign"), &digest).await;
        assert_eq!(answer.error(), (403, "Forbidden".to_owned()), "{name}");
        assert_eq!(answer.json()["error"]["innererror"]["code"], inner);
    }
    for (path, body) in [
        ("/keys/aes//encrypt", json!({"alg": "RSA-OAEP-256", "value": "AA"})),
        ("/keys/ec/create", json!({"kty": "EC", "key_ops": ["encrypt"]})),
        ("/keys/ec/create", json!({"kty": "EC", "attributes": {"nbf": 9, "exp": 8}})),
        ("/keys/ec/rotates", json!({})),
        ("/keys/e_c/create", json!({"kty": "EC"})),
    ] {
        assert_eq!(s.send(Method::POST, path, &body).await.error(), (400, "BadParameter".to_owned()), "{path} {body}");
    }
    let node = &s.node;
    for (method, target, error) in [
        (Method::GET, "/keys", (400, "BadParameter")),
        (Method::GET, "/keys?api-version=latest", (400, "BadParameter")),
        (Method::GET, "/secrets?api-version=7.4", (404, "NotFound")),
        (Method::PUT, "/keys/ec?api-version=7.4", (400, "BadParameter")),
        (Method::PATCH, "/deletedkeys/ec?api-version=7.4", (405, "MethodNotAllowed")),
        (Method::GET, "/keys?api-version=7.4&maxresults=26", (400, "BadParameter")),
    ] {
        let answer = node.send(method, target, Some(&s.token), "").await;
        assert_eq!(answer.error(), (error.0, error.1.to_owned()), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_one_another_to_the_end() {
    let s = Session::new().await;
    for n in 0..5 {
        s.post(&format!("/keys/k{n}/create"), json!({"kty": "EC"})).await;
        s.post("/keys/k0/create", json!({"kty": "EC"})).await;
    }
    for (first, expected, segments) in [("/keys", 5, 5), ("/keys/k0/versions", 6, 6)] {
        let mut next = Some(format!("{first}?maxresults=2&{V}"));
        let mut seen = std::collections::BTreeSet::new();
        while let Some(target) = next {
            let page = s.node.send(Method::GET, &target, Some(&s.token), "").await.json();
            for item in page["value"].as_array().unwrap() {
                let kid = item["kid"].as_str().unwrap();
                assert_eq!(kid.split('/').count(), segments, "{kid}");
                assert!(seen.insert(kid.to_owned()), "{kid} twice");
            }
            next = page["nextLink"].as_str().map(|l| l.strip_prefix("https://dev.localhost:8443").unwrap().to_owned());
        }
        assert_eq!(seen.len(), expected, "{first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_an_unknown_client_look_the_same() {
    let node = start().await;
    let mut answers = Vec::new();
    for (client, secret) in [(OFFICER.0, "wrong"), ("33333333-3333-4333-8333-333333333333", OFFICER.1)] {
        let form =
            format!("client_id={client}&client_secret={secret}&grant_type=client_credentials&scope=https://a/.default");
        let answer = node.send(Method::POST, "/adfs/oauth2/v2.0/token", None, &form).await;
        assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
        answers.push(answer.body);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_leads_to_the_token_endpoint_and_the_key() {
    let node = start().await;
    for path in ["/adfs/.well-known/openid-configuration", "/ADFS/v2.0/.well-known/openid-configuration"] {
        let document = node.send(Method::GET, path, None, "").await.json();
        assert_eq!(document["token_endpoint"], "https://dev.localhost:8443/adfs/oauth2/v2.0/token");
        let keys = document["jwks_uri"].as_str().unwrap().strip_prefix("https://dev.localhost:8443").unwrap();
        assert_eq!(node.send(Method::GET, keys, None, "").await.json()["keys"][0]["alg"], "ES256");
    }
    // Where whoever trusts the issuer by its name alone looks (OpenID Connect Discovery, section 4).
    let issuer =
        node.send(Method::GET, "/adfs/.well-known/openid-configuration", None, "").await.json()["issuer"].clone();
    let own = issuer.as_str().unwrap().strip_prefix("https://dev.localhost:8443").unwrap();
    let document = node.send(Method::GET, &format!("{own}/.well-known/openid-configuration"), None, "").await.json();
    assert_eq!(document["issuer"], issuer);
    let other = node.send(Method::GET, "/other/.well-known/openid-configuration", None, "").await;
    assert_eq!((other.status, &other.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_tenant")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_identity_gets_a_token_that_opens_the_door() {
    let node = start().await;
    let target = "/keystead/v1/identity/token?api-version=2019-08-01&resource=https%3A%2F%2Flocalhost%3A8443";
    let header = format!("{}.{}", OFFICER.0, OFFICER.1);
    let request = Request::get(target).header("host", "localhost:8443").header("x-identity-header", header);
    let answer = node.dispatch(request.header("metadata", "true").body(Bytes::new()).unwrap()).await;
    let token = answer.json();
    assert!(token["expires_on"].as_str().unwrap().parse::<i64>().unwrap() > moment().now.secs() + 3000);
    assert_eq!((&token["token_type"], &token["resource"]), (&json!("Bearer"), &json!("https://localhost:8443")));
    let listed = node.send(Method::GET, &format!("/keys?{V}"), token["access_token"].as_str(), "").await;
    assert_eq!(listed.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_vault_challenges_nobody() {
    let s = Session::new().await;
    s.node.instance.seal("dev", moment()).await.unwrap();
    for (method, target, token) in [
        (Method::GET, "/keys?api-version=7.4", None),
        (Method::GET, "/keys?api-version=7.4", Some(s.token.as_str())),
        (Method::GET, "/nothing", None),
        (Method::GET, "/adfs/.well-known/openid-configuration", None),
    ] {
        let answer = s.node.send(method, target, token, "").await;
        assert_eq!(answer.error(), (403, "VaultSealed".to_owned()), "{target}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    let token = s.node.send(Method::POST, "/adfs/oauth2/v2.0/token", None, "").await;
    assert_eq!((token.status, &token.json()["error"]), (StatusCode::FORBIDDEN, &json!("access_denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sealed_vault_turns_away_at_open_routes_is_counted_too() {
    use keystead_audit::TurnedAwayReason;
    use keystead_audit::journal::TurnedAway;

    let node = start().await;
    node.instance.seal("dev", moment()).await.unwrap();
    for _ in 0..3 {
        let answer = node.send(Method::GET, "/adfs/.well-known/openid-configuration", None, "").await;
        assert_eq!(answer.error().0, 403);
    }
    let journal = node.instance.journal();
    journal.close().await;
    let records = journal.read(node.vault.info().id, 0, 100).unwrap();
    let counts = records.iter().filter_map(|(_, record)| TurnedAway::of(record)).flat_map(|t| t.counts);
    let sealed = counts.filter(|(code, _)| *code == TurnedAwayReason::Sealed.code()).map(|(_, n)| n).sum::<u64>();
    assert_eq!(sealed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_names_caller_action_and_target_and_has_a_receipt() {
    let node = start().await;
    let token = node.token(STRANGER).await;
    let body = format!(r#"{{"alg":"ES256","value":"{}"}}"#, "A".repeat(43));
    let answer = node.send(Method::POST, &format!("/keys/pay//sign?{V}"), Some(&token), &body).await;
    assert_eq!(answer.json()["error"]["innererror"]["code"], "ForbiddenByRbac");
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    for part in [STRANGER.0, "Microsoft.KeyVault/vaults/keys/sign/action", "/keys/pay"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(answer.has_receipt());
}
