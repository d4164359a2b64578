//! The security domain and its transfer key. Some values are JSON as text: clients parse them once more.

use super::Base64Url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, RETRY_AFTER};
use keystead_api_table::{Body, Context};
use keystead_engine::{DomainStatus, TransferKeyView};
use serde::Serialize;

const ASYNC: HeaderName = HeaderName::from_static("azure-asyncoperation");

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    status_details: &'a str,
}

#[derive(Serialize)]
struct Jwk<'a> {
    kid: String,
    kty: &'static str,
    key_ops: [&'static str; 1],
    n: Base64Url<'a>,
    e: Base64Url<'a>,
    alg: &'static str,
    x5c: [String; 1],
    #[serde(rename = "x5t#S256")]
    x5t_s256: Base64Url<'a>,
}

/// The file, and where clients ask whether all is done: it is.
pub fn downloaded(file: String, context: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Value {
        value: String,
    }
    pending(Body::json(&Value { value: file }), "download", context)
}

/// The vault has the domain. Microsoft's clients read a status here, whatever the service's description says of an
/// answer without a body.
pub fn uploaded(of: DomainStatus, context: &Context<'_>) -> Body {
    pending(status(of, context), "upload", context)
}

/// Nothing is ever under way: the work is done before it is answered.
pub fn status(of: DomainStatus, _: &Context<'_>) -> Body {
    Body::json(&Status { status: "Success", status_details: &of.details })
}

/// The transfer key.
pub fn transfer_key(of: TransferKeyView, context: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Transfer {
        key_format: &'static str,
        transfer_key: String,
    }
    let jwk = Jwk {
        kid: format!("{}/transfer_key", context.base()),
        kty: "RSA",
        key_ops: ["encrypt"],
        n: Base64Url(&of.n),
        e: Base64Url(&of.e),
        alg: "RSA-OAEP-256",
        x5c: [STANDARD.encode(&of.certificate)],
        x5t_s256: Base64Url(&of.thumbprint),
    };
    // Strings always serialize.
    let transfer_key = serde_json::to_string(&jwk).unwrap_or_default();
    Body::json(&Transfer { key_format: "jwk", transfer_key })
}

fn pending(body: Body, which: &str, context: &Context<'_>) -> Body {
    // Clients ask there as it is written, without a version of their own.
    let version = context.parts.query("api-version").unwrap_or_default();
    let at = format!("{}/securitydomain/{which}/pending?api-version={version}", context.base());
    body.with(ASYNC, &at).with(RETRY_AFTER, "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;

    fn text(of: impl FnOnce(&Context<'_>) -> Body) -> String {
        let path = "/securitydomain/upload";
        let body = context(path, path, "", of);
        String::from_utf8(body.bytes().to_vec()).unwrap()
    }

    #[test]
    fn bodies_have_the_members_of_the_service() {
        let done = DomainStatus { details: "done".to_owned() };
        assert_eq!(text(|c| status(done.clone(), c)), r#"{"status":"Success","status_details":"done"}"#);
        assert_eq!(text(|c| uploaded(done, c)), r#"{"status":"Success","status_details":"done"}"#);
        assert_eq!(text(|c| downloaded(r#"{"a":1}"#.to_owned(), c)), r#"{"value":"{\"a\":1}"}"#);
        let key =
            TransferKeyView { certificate: vec![0xfb, 0xff], thumbprint: [0xff; 32], n: vec![1], e: vec![1, 0, 1] };
        let body: serde_json::Value = serde_json::from_str(&text(|c| transfer_key(key, c))).unwrap();
        let jwk: serde_json::Value = serde_json::from_str(body["transfer_key"].as_str().unwrap()).unwrap();
        let expected = serde_json::json!({
            "kid": "https://dev.localhost:8443/transfer_key", "kty": "RSA", "key_ops": ["encrypt"], "n": "AQ", "e": "AQAB",
            "alg": "RSA-OAEP-256", "x5c": ["+/8="], "x5t#S256": "_".repeat(42) + "8",
        });
        assert_eq!((jwk, body["key_format"].as_str()), (expected, Some("jwk")));
    }
}
