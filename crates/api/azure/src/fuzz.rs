//! Entry points for fuzzing: whatever the bytes, no panic.

use crate::{parse, version};
use hyper::header::{HeaderMap, HeaderValue};
use keystead_api_table::{Context, fuzz::with_parts};
use keystead_model::VaultKind;

const VERSIONED: &str = "/keys/{name}/{version?}";

/// A body of `create`.
pub fn create(data: &[u8]) {
    let _ =
        with_parts("/keys/a/create", "/keys/{name}/create", HeaderMap::new(), data, |p| drop(parse::key::create(p)));
}

/// A body of `PATCH`.
pub fn update(data: &[u8]) {
    let _ = with_parts("/keys/a", VERSIONED, HeaderMap::new(), data, |p| drop(parse::key::update(p)));
}

/// A body of an operation.
pub fn operation(data: &[u8]) {
    let _ = with_parts("/keys/a//op", "/keys/{name}/{version?}/op", HeaderMap::new(), data, |p| {
        drop(parse::operation::sign(p));
        drop(parse::operation::encrypt(p));
        drop(parse::operation::decrypt(p));
        drop(parse::operation::wrap(p));
        drop(parse::operation::unwrap(p));
    });
}

/// A body of a role definition or an assignment.
pub fn role(data: &[u8]) {
    const ID: &str = "/keys/14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
    let _ = with_parts(ID, "/keys/{role}", HeaderMap::new(), data, |p| drop(parse::role::set_definition(p)));
    let _ = with_parts(ID, "/keys/{assignment}", HeaderMap::new(), data, |p| drop(parse::role::assign(p)));
}

/// A body of an import, a rotation policy, a restore, a backup, or a request for random bytes.
pub fn bodies(data: &[u8]) {
    let _ = with_parts("/keys/a", "/keys/{name}", HeaderMap::new(), data, |p| {
        drop(parse::import::import(p));
        drop(parse::import::restore(p));
        drop(parse::import::random(p));
        drop(parse::rotation::set(p));
        drop(parse::backup::start(p));
        drop(parse::security_domain::download(p));
        drop(parse::security_domain::upload(p));
        drop(parse::backup::restore(p));
        drop(parse::backup::restore_key(p));
    });
}

/// A target: name, version, `api-version`, `maxresults`, `$skiptoken`.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = with_parts(text, VERSIONED, HeaderMap::new(), b"", |p| {
        drop(parse::key::get(p));
        drop(parse::list::versions(p));
        drop(parse::role::assignments(p));
        drop(parse::role::definitions(p));
        drop(version::check(p));
    });
}

/// A token request's form.
pub fn token_form(data: &[u8]) {
    as_token("/adfs/oauth2/v2.0/token", "/{tenant}/oauth2/v2.0/token", HeaderMap::new(), data, |c| {
        drop(parse::token::client_credentials(c));
    });
}

/// An identity header.
pub fn identity_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let headers = HeaderMap::from_iter([(hyper::header::HeaderName::from_static("x-identity-header"), value)]);
    let target = "/keystead/v1/identity/token?api-version=2019-08-01&resource=https%3A%2F%2Fa";
    as_token(target, "/keystead/v1/identity/token", headers, b"", |c| drop(parse::token::managed_identity(c)));
}

fn as_token(target: &str, pattern: &'static str, headers: HeaderMap, body: &[u8], then: impl FnOnce(&Context<'_>)) {
    let Ok(authority) = "dev.localhost".parse() else { return };
    let _ = with_parts(target, pattern, headers, body, |parts| {
        then(&Context { parts: *parts, authority: &authority, tenant: "adfs", vault: "dev", kind: VaultKind::Vault });
    });
}

#[cfg(test)]
mod tests {
    const SEEDS: &[&str] = &[
        r#"{"kty":"RSA","key_size":2048,"key_ops":["sign",null],"attributes":{"exp":1e3},"tags":{"a":null}}"#,
        r#"{"alg":"A256GCM","value":"AA==","iv":"_-8","tag":"+/8=","aad":"\u0041"}"#,
        r#"{"key":{"kty":"EC","crv":"P-256","d":"AQ","x":"AQ","y":"AQ"},"release_policy":{"data":"e30","immutable":true}}"#,
        r#"{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P1Y2M3DT4H"},"action":{"type":"Rotate"}}],"count":7}"#,
        r#"{"sasTokenParameters":{"storageResourceUri":"https://h/c","token":"sv"},"folderToRestore":"f","folder":"f"}"#,
        "/keys/a%2fb/%30?api-version=7.4&%24skiptoken=AA&maxresults=25",
        "client_id=a&grant_type=client_credentials&client_secret=%&scope=a/.default",
        "c.s",
    ];

    #[test]
    fn no_input_panics() {
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..6000_usize {
            let mut data = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..round % 9 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let at = usize::try_from(x % data.len() as u64).unwrap();
                match x >> 62 {
                    0 => data.truncate(at.max(1)),
                    1 => data.insert(at, x.to_le_bytes()[5]),
                    _ => data[at] = x.to_le_bytes()[5],
                }
            }
            for parse in [
                super::create,
                super::update,
                super::operation,
                super::role,
                super::bodies,
                super::target,
                super::token_form,
                super::identity_header,
            ] {
                parse(&data);
            }
        }
    }
}
