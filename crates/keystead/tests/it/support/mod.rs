//! What the tests share: a place for a server, the server's process, and ways to talk to it.
//!
//! ```ignore
//! let place = Place::new();                       // a temporary directory and two ports; outlives its servers
//! let server = place.dev();                       // `keystead dev`, ready
//! let mut vault = server.vault();                 // the vault `dev`, as the client of dev.env
//! let kid = vault.create("payments", "EC").unwrap().ok()["key"]["kid"].as_str().unwrap().to_owned();
//! let reply = server.http().get("/keystead/v1/health").unwrap();           // without a token
//! let reply = server.http().raw(b"GET / HTTP/1.1\r\n\r\n").unwrap();       // any bytes
//! assert!(server.stop().success());               // SIGTERM; or kill(), or drop
//! let server = place.dev();                       // the same directory and ports again
//! let proved = place.cli(&["audit", "verify", "--data", place.data_str()]);   // another keystead process
//! ```
//!
//! - [`jwk`]: keys made elsewhere
//! - [`custodians`]: what Managed HSM's clients do with a security domain
//! - [`http`]: one HTTPS connection that sends anything · [`vault`]: calls with a token · [`server`]: the process

pub(crate) mod custodians;
pub(crate) mod http;
pub(crate) mod jwk;
pub(crate) mod server;
pub(crate) mod vault;

pub(crate) use http::{Http, Reply};
pub(crate) use jwk::{ec_key, rsa_key};
pub(crate) use server::{NotStarted, Place, Server};
pub(crate) use vault::Vault;

/// base64url without padding.
pub(crate) fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes of base64url without padding.
pub(crate) fn unb64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}
