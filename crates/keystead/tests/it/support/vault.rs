//! A vault with a token. Each call is one request and gives whatever came back.

use super::{Http, Reply, b64, unb64};
use serde_json::{Value, json};
use std::io;

/// The vault, as one client.
pub(crate) struct Vault {
    pub(crate) http: Http,
    pub(crate) token: String,
}

impl Vault {
    /// The client-credentials grant at the vault itself.
    pub(crate) fn log_in(http: Http, id: &str, secret: &str) -> Self {
        Self::try_log_in(http, id, secret).unwrap()
    }

    /// The same at a server that may be going down.
    pub(crate) fn try_log_in(mut http: Http, id: &str, secret: &str) -> io::Result<Self> {
        let scope = format!("https%3A%2F%2Flocalhost%3A{}%2F.default", http.port);
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let reply = http.send("POST", "/adfs/oauth2/v2.0/token", &kind, form.as_bytes())?;
        let token = reply.ok()["access_token"].as_str().unwrap().to_owned();
        Ok(Self { http, token })
    }

    /// The same client at another port of the server: a vault that believes the first one's issuer.
    pub(crate) fn log_in_for(mut at: Http, vault: Http, id: &str, secret: &str) -> Self {
        let scope = format!("https%3A%2F%2Flocalhost%3A{}%2F.default", vault.port);
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope={scope}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let reply = at.send("POST", "/adfs/oauth2/v2.0/token", &kind, form.as_bytes()).unwrap();
        let token = reply.ok()["access_token"].as_str().unwrap().to_owned();
        Self { http: vault, token }
    }

    /// The same caller over a connection of its own.
    pub(crate) fn another(&self) -> Self {
        Self { http: self.http.another(), token: self.token.clone() }
    }

    /// One request. `target` gets the `api-version` if it has no query.
    pub(crate) fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> io::Result<Reply> {
        let version = if target.contains('?') { "" } else { "?api-version=7.4" };
        let authorization = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.http.send(method, &format!("{target}{version}"), &headers, body.as_bytes())
    }

    /// A key, or another version of one. `kty`: `EC`, `RSA` or `oct`.
    pub(crate) fn create(&mut self, name: &str, kty: &str) -> io::Result<Reply> {
        let body = match kty {
            "EC" => json!({ "kty": kty, "crv": "P-256" }),
            "RSA" => json!({ "kty": kty, "key_size": 2048 }),
            _ => json!({ "kty": kty, "key_size": 256 }),
        };
        self.call("POST", &format!("/keys/{name}/create"), Some(&body))
    }

    /// `key`, here and below: `name`, `name/version` or a kid.
    pub(crate) fn get(&mut self, key: &str) -> io::Result<Reply> {
        self.call("GET", &path(key), None)
    }

    /// Changes attributes or tags.
    pub(crate) fn update(&mut self, key: &str, change: &Value) -> io::Result<Reply> {
        self.call("PATCH", &path(key), Some(change))
    }

    pub(crate) fn delete(&mut self, name: &str) -> io::Result<Reply> {
        self.call("DELETE", &format!("/keys/{name}"), None)
    }

    pub(crate) fn get_deleted(&mut self, name: &str) -> io::Result<Reply> {
        self.call("GET", &format!("/deletedkeys/{name}"), None)
    }

    pub(crate) fn recover(&mut self, name: &str) -> io::Result<Reply> {
        self.call("POST", &format!("/deletedkeys/{name}/recover"), None)
    }

    pub(crate) fn purge(&mut self, name: &str) -> io::Result<Reply> {
        self.call("DELETE", &format!("/deletedkeys/{name}"), None)
    }

    /// ES256 over a digest of 32 bytes.
    pub(crate) fn sign(&mut self, key: &str, digest: &[u8]) -> io::Result<Reply> {
        self.sign_by("ES256", key, digest)
    }

    /// The same by another algorithm.
    pub(crate) fn sign_by(&mut self, algorithm: &str, key: &str, digest: &[u8]) -> io::Result<Reply> {
        let body = json!({ "alg": algorithm, "value": b64(digest) });
        self.call("POST", &format!("{}/sign", path(key)), Some(&body))
    }

    /// A256GCM.
    pub(crate) fn encrypt(&mut self, key: &str, plain: &[u8]) -> io::Result<Reply> {
        let body = json!({ "alg": "A256GCM", "value": b64(plain) });
        self.call("POST", &format!("{}/encrypt", path(key)), Some(&body))
    }

    /// A256GCM; `sealed` is the answer to `encrypt`.
    pub(crate) fn decrypt(&mut self, key: &str, sealed: &Value) -> io::Result<Reply> {
        let body = json!({ "alg": "A256GCM", "value": sealed["value"], "iv": sealed["iv"], "tag": sealed["tag"] });
        self.call("POST", &format!("{}/decrypt", path(key)), Some(&body))
    }

    /// What `decrypt` answered.
    pub(crate) fn plain(reply: &Reply) -> Vec<u8> {
        unb64(reply.ok()["value"].as_str().unwrap())
    }

    /// Records of this vault's log from an index on, at most 500, with names.
    pub(crate) fn records(&mut self, from: u64) -> Vec<Value> {
        let reply = self.call("GET", &format!("/keystead/v1/audit/records?n=500&from={from}"), None).unwrap();
        reply.ok()["records"].as_array().unwrap().clone()
    }
}

/// The path of a name, `name/version` or a kid.
fn path(key: &str) -> String {
    match key.split_once("/keys/") {
        Some((_, rest)) => format!("/keys/{rest}"),
        None => format!("/keys/{key}"),
    }
}
