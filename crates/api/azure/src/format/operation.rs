//! Results of using a key: `KeyOperationResult`.

use super::{Base64Url, kid};
use keystead_api_table::{Body, Context};
use keystead_engine::KeyResult;
use serde::Serialize;

/// `KeyOperationResult`. The id always has the version, so that clients can pin it.
pub fn result(result: KeyResult, context: &Context<'_>) -> Body {
    Body::json(&OperationResult {
        kid: kid(context, &result.name, result.version),
        value: Base64Url(&result.value),
        iv: result.iv.as_ref().map(|iv| Base64Url(iv)),
        tag: result.tag.as_ref().map(|tag| Base64Url(tag)),
        aad: result.aad.as_deref().map(Base64Url),
    })
}

/// Whether a signature is good: `{"value":true}`.
pub fn verified(good: bool, _: &Context<'_>) -> Body {
    Body::json(&Verified { value: good })
}

#[derive(Serialize)]
struct Verified {
    value: bool,
}

#[derive(Serialize)]
struct OperationResult<'a> {
    kid: String,
    value: Base64Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iv: Option<Base64Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Base64Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aad: Option<Base64Url<'a>>,
}
