//! The built-in issuer as OpenID Connect clients look for it: discovery and keys. The token endpoint has its place in
//! the table of proofs.

use crate::format::Base64Url;
use crate::format::token::error;
use crate::{errors, parse};
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use hyper::StatusCode;
use keystead_api_table::{Body, Context, Reply};
use keystead_engine::{IssuerInfo, Vault};
use serde::Serialize;
use std::sync::Arc;

/// `GET /{tenant}/.well-known/openid-configuration`, with or without `v2.0`.
pub(crate) fn discovery<'a>(vault: &'a Arc<Vault>, context: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    ready(of_tenant(vault, context, discovery_body)).boxed()
}

/// `GET /{tenant}/discovery/v2.0/keys`: the issuer's public key (RFC 7517).
pub(crate) fn keys<'a>(vault: &'a Arc<Vault>, context: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    ready(of_tenant(vault, context, keys_body)).boxed()
}

fn of_tenant(vault: &Vault, context: &Context<'_>, body: fn(&IssuerInfo, &Context<'_>) -> Body) -> Reply {
    if let Err(why) = parse::token::tenant(context) {
        return error(StatusCode::BAD_REQUEST, "invalid_tenant", &format!("AADSTS90002: {why}"));
    }
    match vault.issuer() {
        Ok(issuer) => Reply::new(StatusCode::OK, body(&issuer, context)),
        Err(why) => errors::turned_away(&why, context),
    }
}

/// The members MSAL reads are the two endpoints and, in its newer releases for JavaScript, the issuer; the others are
/// for everybody else. There is no authorization endpoint to speak of: the only grant is that of client credentials.
pub fn discovery_body(issuer: &IssuerInfo, context: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Discovery {
        issuer: String,
        authorization_endpoint: String,
        token_endpoint: String,
        jwks_uri: String,
        response_types_supported: [&'static str; 1],
        subject_types_supported: [&'static str; 1],
        grant_types_supported: [&'static str; 1],
        id_token_signing_alg_values_supported: [&'static str; 1],
        token_endpoint_auth_methods_supported: [&'static str; 2],
    }
    let base = format!("{}/{}", context.base(), context.tenant);
    Body::json(&Discovery {
        issuer: at_this_host(&issuer.iss, context),
        authorization_endpoint: format!("{base}/oauth2/v2.0/authorize"),
        token_endpoint: format!("{base}/oauth2/v2.0/token"),
        jwks_uri: format!("{base}/discovery/v2.0/keys"),
        response_types_supported: ["token"],
        subject_types_supported: ["public"],
        grant_types_supported: ["client_credentials"],
        id_token_signing_alg_values_supported: ["ES256"],
        token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt"],
    })
}

/// The issuer's name at the host that was asked: clients refuse a document whose issuer has another origin than the
/// authority they were told. At the vault's first authority it is the `iss` of the tokens, to the letter.
fn at_this_host(iss: &str, context: &Context<'_>) -> String {
    let path = iss.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
    path.map_or_else(|| iss.to_owned(), |(_, path)| format!("{}/{path}", context.base()))
}

/// A set of one key.
pub fn keys_body(issuer: &IssuerInfo, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Keys<'a> {
        keys: [Jwk<'a>; 1],
    }
    #[derive(Serialize)]
    struct Jwk<'a> {
        kty: &'static str,
        crv: &'static str,
        r#use: &'static str,
        alg: &'static str,
        kid: &'a str,
        x: Base64Url<'a>,
        y: Base64Url<'a>,
    }
    let (x, y) = (Base64Url(&issuer.x), Base64Url(&issuer.y));
    Body::json(&Keys { keys: [Jwk { kty: "EC", crv: "P-256", r#use: "sig", alg: "ES256", kid: &issuer.kid, x, y }] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;

    #[test]
    fn the_issuer_has_the_origin_that_the_client_asked() {
        let iss = "https://dev.localhost:8443/0123";
        for (authority, expected) in [("dev.localhost:8443", iss), ("localhost:9", "https://localhost:9/0123")] {
            let authority = authority.parse().unwrap();
            let here = |c: &Context<'_>| at_this_host(iss, &Context { authority: &authority, ..*c });
            assert_eq!(context("/adfs/.well-known/openid-configuration", "/", "", here), expected);
        }
    }
}
