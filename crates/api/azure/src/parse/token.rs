//! Requests for tokens: the client-credentials grant (RFC 6749, section 4.4), and the managed identity endpoint of App
//! Service.

use keystead_api_table::{BadParameter, Context, Query, Shown, TokenAsk, TokenProof};
use keystead_engine::IssueToken;
use zeroize::Zeroizing;

/// How long a token lives, in seconds.
pub const LIFETIME: u32 = 3600;

/// Longest audience, in characters.
const MAX_AUDIENCE: usize = 512;

/// Assertions are JWTs (RFC 7523, section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The scope that stands for all permissions of a resource.
const DEFAULT_SCOPE: &str = "/.default";

/// `POST /{tenant}/oauth2/v2.0/token`
pub fn client_credentials(context: &Context<'_>) -> Result<TokenAsk, BadParameter> {
    tenant(context)?;
    let body = std::str::from_utf8(context.parts.body());
    let form = Query::new(body.map_err(|_| BadParameter::Malformed { what: "body", expected: "a form in UTF-8" })?);
    let required = |what| form.get(what).ok_or(BadParameter::Missing { what });
    let grant = required("grant_type")?;
    if grant != "client_credentials" {
        let supported = "client_credentials";
        return Err(BadParameter::Unsupported { what: "grant_type", given: Shown::of(&grant), supported });
    }
    let client = required("client_id")?.into_owned();
    let proof = match form.get("client_assertion") {
        None => TokenProof::Secret(Zeroizing::new(required("client_secret")?.into_owned())),
        Some(assertion) => {
            let kind = required("client_assertion_type")?;
            if kind != JWT_BEARER {
                let (what, given) = ("client_assertion_type", Shown::of(&kind));
                return Err(BadParameter::Unsupported { what, given, supported: JWT_BEARER });
            }
            if form.get("client_secret").is_some() {
                let why = "a client proves itself once";
                return Err(BadParameter::NotAllowed { what: "client_secret", why });
            }
            TokenProof::Assertion(Zeroizing::new(assertion.into_owned()))
        }
    };
    let audience = scope_audience(&required("scope")?)?;
    Ok(TokenAsk { client, proof, ask: IssueToken { audience, lifetime_secs: LIFETIME } })
}

/// `GET /keystead/v1/identity/token`, with `X-IDENTITY-HEADER: {client id}.{secret}`.
pub fn managed_identity(context: &Context<'_>) -> Result<TokenAsk, BadParameter> {
    const VERSION: &str = "2019-08-01";
    const HEADER: &str = "X-IDENTITY-HEADER";
    let parts = &context.parts;
    let version = parts.query("api-version").ok_or(BadParameter::Missing { what: "api-version" })?;
    if version != VERSION {
        return Err(BadParameter::Unsupported { what: "api-version", given: Shown::of(&version), supported: VERSION });
    }
    let header = parts.header(HEADER).ok_or(BadParameter::Missing { what: HEADER })?;
    let expected = "a client id, a dot and the client's secret";
    let (client, secret) = header.split_once('.').ok_or(BadParameter::Malformed { what: HEADER, expected })?;
    if parts.query("client_id").is_some_and(|asked| !asked.eq_ignore_ascii_case(client)) {
        let expected = "the client id of X-IDENTITY-HEADER, or none";
        return Err(BadParameter::Malformed { what: "client_id", expected });
    }
    let resource = parts.query("resource").ok_or(BadParameter::Missing { what: "resource" })?;
    let audience = audience(resource.strip_suffix(DEFAULT_SCOPE).unwrap_or(&resource), "resource")?;
    let (client, proof) = (client.to_owned(), TokenProof::Secret(Zeroizing::new(secret.to_owned())));
    Ok(TokenAsk { client, proof, ask: IssueToken { audience, lifetime_secs: LIFETIME } })
}

/// The tenant of the path must be the vault's, or any GUID: clients insist on one of their own, it selects nothing
/// here, and what is issued carries the vault's. One without hyphens is the path of the issuer's own name, below which
/// OpenID Connect looks for its metadata. `az` asks for the metadata of Entra's name for any tenant when it logs out.
pub(crate) fn tenant(context: &Context<'_>) -> Result<(), BadParameter> {
    let asked = context.parts.parameter("tenant").unwrap_or_default();
    if asked.eq_ignore_ascii_case(context.tenant) || asked == "organizations" || is_guid(asked) {
        return Ok(());
    }
    Err(BadParameter::Unsupported {
        what: "tenant",
        given: Shown::of(asked),
        supported: "the tenant named in the challenge",
    })
}

fn is_guid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    let good = |(at, b): (usize, u8)| if hyphens.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() };
    match text.len() {
        32 => text.bytes().all(|b| b.is_ascii_hexdigit()),
        36 => text.bytes().enumerate().all(good),
        _ => false,
    }
}

/// Of `{resource}/.default`, perhaps among OpenID scopes, the resource.
fn scope_audience(scope: &str) -> Result<String, BadParameter> {
    let expected = "{resource}/.default";
    let resource = scope.split(' ').find_map(|s| s.strip_suffix(DEFAULT_SCOPE));
    audience(resource.ok_or(BadParameter::Malformed { what: "scope", expected })?, "scope")
}

fn audience(text: &str, what: &'static str) -> Result<String, BadParameter> {
    match text.len() {
        0 => Err(BadParameter::Missing { what }),
        1..=MAX_AUDIENCE if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(text.to_owned()),
        1..=MAX_AUDIENCE => Err(BadParameter::Malformed { what, expected: "visible ASCII" }),
        _ => Err(BadParameter::TooLong { what, max: MAX_AUDIENCE, unit: "characters" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, context_with};
    use hyper::header::{HeaderMap, HeaderValue};

    fn form(path: &str, body: &str) -> Result<TokenAsk, BadParameter> {
        context(path, "/{tenant}/oauth2/v2.0/token", body, client_credentials)
    }

    fn secret(ask: &TokenAsk) -> &str {
        match &ask.proof {
            TokenProof::Secret(secret) => secret,
            TokenProof::Assertion(_) => panic!("a secret was sent"),
        }
    }

    #[test]
    fn an_assertion_stands_in_for_the_secret_and_never_beside_it() {
        let body = "client_id=c&grant_type=client_credentials&scope=https://a/.default&client_assertion=a.b.c";
        let kind = format!("&client_assertion_type={}", JWT_BEARER.replace(':', "%3A"));
        let ask = form("/adfs/oauth2/v2.0/token", &format!("{body}{kind}")).ok().unwrap();
        assert!(matches!(&ask.proof, TokenProof::Assertion(a) if a.as_str() == "a.b.c"));
        for bad in [body.to_owned(), format!("{body}{kind}x"), format!("{body}{kind}&client_secret=s")] {
            assert!(form("/adfs/oauth2/v2.0/token", &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_audience_is_the_scope_without_its_end() {
        let body = "client_id=c&grant_type=client_credentials&client_info=1&client_secret=s%2B1&claims=%7B%7D&scope=";
        for (scope, audience) in [
            ("https%3A%2F%2Flocalhost%3A9%2F.default", "https://localhost:9"),
            ("https://vault.azure.net//.default", "https://vault.azure.net/"),
            ("openid+https%3A%2F%2Fa%2F.default", "https://a"),
        ] {
            let ask = form("/ADFS/oauth2/v2.0/token", &format!("{body}{scope}")).ok().unwrap();
            assert_eq!((ask.ask.audience.as_str(), ask.client.as_str(), secret(&ask)), (audience, "c", "s+1"));
        }
        for scope in ["https%3A%2F%2Fa", "/.default", "openid", "", "%01/.default"] {
            assert!(form("/adfs/oauth2/v2.0/token", &format!("{body}{scope}")).is_err(), "{scope}");
        }
    }

    #[test]
    fn another_tenant_or_grant_is_refused() {
        let body = "client_id=c&grant_type=client_credentials&client_secret=s&scope=https://a/.default";
        assert!(form("/adfs/oauth2/v2.0/token", body).is_ok());
        assert!(form("/2f4a9838-26b7-47ee-be60-ccc1fdec5953/oauth2/v2.0/token", body).is_ok());
        assert!(form("/db66506b426c292c698e4b6c012948ce/oauth2/v2.0/token", body).is_ok());
        assert!(form("/db66506b426c292c698e4b6c012948cg/oauth2/v2.0/token", body).is_err());
        assert!(form("/organizations/oauth2/v2.0/token", body).is_ok());
        assert!(form("/other/oauth2/v2.0/token", body).is_err());
        assert!(form("/adfs/oauth2/v2.0/token", &body.replace("client_credentials", "password")).is_err());
    }

    #[test]
    fn the_identity_header_holds_client_and_secret() {
        let ask = |target: &str, header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-identity-header", HeaderValue::from_static(header));
            headers.insert("metadata", HeaderValue::from_static("true"));
            context_with(target, "/keystead/v1/identity/token", headers, "", managed_identity)
        };
        let path = "/keystead/v1/identity/token?api-version=2019-08-01&resource=https%3A%2F%2Fa";
        let good = ask(path, "c-1.s.2").ok().unwrap();
        let seen = (good.client.as_str(), secret(&good), good.ask.audience.as_str());
        assert_eq!(seen, ("c-1", "s.2", "https://a"));
        assert!(ask(&format!("{path}&client_id=C-1"), "c-1.s").is_ok());
        for (path, header) in [
            (path, "no-dot"),
            (&*format!("{path}&client_id=other"), "c-1.s"),
            ("/keystead/v1/identity/token?resource=https%3A%2F%2Fa", "c.s"),
            ("/keystead/v1/identity/token?api-version=2019-08-01", "c.s"),
        ] {
            assert!(ask(path, header).is_err(), "{path} {header}");
        }
    }
}
