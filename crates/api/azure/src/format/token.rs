//! Tokens, and the errors of token endpoints (RFC 6749, section 5.2), whose text is shown to users.

use crate::errors;
use hyper::StatusCode;
use keystead_api_table::{BadParameter, Body, Context, Reply, TokenFault};
use keystead_engine::{IssuedToken, Refusal};
use serde::Serialize;

/// The answer of the token endpoint.
pub fn oauth(token: IssuedToken, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Token<'a> {
        token_type: &'static str,
        expires_in: u32,
        ext_expires_in: u32,
        access_token: &'a str,
    }
    let (expires_in, access_token) = (token.lifetime_secs, token.jwt.as_str());
    Body::json(&Token { token_type: "Bearer", expires_in, ext_expires_in: expires_in, access_token })
}

/// The answer of the managed identity endpoint: `expires_on` is a string of epoch seconds.
pub fn managed_identity(token: IssuedToken, context: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Token<'a> {
        access_token: &'a str,
        expires_on: String,
        resource: &'a str,
        token_type: &'static str,
    }
    let resource = context.parts.query("resource").unwrap_or_default();
    let (access_token, expires_on) = (token.jwt.as_str(), token.expires.secs().to_string());
    Body::json(&Token { access_token, expires_on, resource: &resource, token_type: "Bearer" })
}

/// `{"error":..,"error_description":..}`. A wrong secret and an unknown client are not told apart.
pub fn fault(fault: &TokenFault<'_>, context: &Context<'_>) -> Reply {
    match fault {
        TokenFault::BadParameter(why) => bad_parameter(why),
        TokenFault::NotAuthenticated(_) => error(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided, or this vault has no such client.",
        ),
        TokenFault::Refusal(Refusal::Denied(_)) => {
            let text = "AADSTS700016: This vault's policy does not let this client have tokens.";
            error(StatusCode::BAD_REQUEST, "unauthorized_client", text)
        }
        TokenFault::Refusal(why) => like(errors::refusal(why, context), &why.to_string()),
        TokenFault::TurnedAway(why) => like(errors::turned_away(why, context), &why.to_string()),
    }
}

fn bad_parameter(why: &BadParameter) -> Reply {
    let (status, code, number) = match why {
        BadParameter::Missing { what: "client_secret" } => (StatusCode::UNAUTHORIZED, "invalid_client", "7000216"),
        BadParameter::Missing { .. } => (StatusCode::BAD_REQUEST, "invalid_request", "900144"),
        BadParameter::Unsupported { what: "grant_type", .. } => {
            (StatusCode::BAD_REQUEST, "unsupported_grant_type", "70003")
        }
        BadParameter::Unsupported { what: "tenant", .. } => (StatusCode::BAD_REQUEST, "invalid_tenant", "90002"),
        BadParameter::Malformed { what: "scope", .. } => (StatusCode::BAD_REQUEST, "invalid_scope", "70011"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request", "90014"),
    };
    error(status, code, &format!("AADSTS{number}: {why}"))
}

/// Status and headers of an error of the data plane, in the shape of this one.
fn like(reply: Reply, text: &str) -> Reply {
    let code = match reply.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "server_error",
        StatusCode::FORBIDDEN => "access_denied",
        _ => "invalid_request",
    };
    let body = error(reply.status, code, text).body;
    reply.with_body(body)
}

/// An error of this shape.
pub(crate) fn error(status: StatusCode, code: &str, text: &str) -> Reply {
    #[derive(Serialize)]
    struct Error<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    Reply::new(status, Body::json(&Error { error: code, error_description: text }))
}
