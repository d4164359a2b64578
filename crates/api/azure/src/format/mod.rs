//! From what commands give to bodies. Ids and links are built from the host and port the client used.

pub mod attestation;
pub mod backup;
pub mod key;
pub mod list;
pub mod operation;
pub mod role;
pub mod rotation;
pub mod security_domain;
pub mod token;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_api_table::{Body, Context};
use keystead_model::{Name, Version};
use serde::{Serialize, Serializer};

/// Bytes that go out as base64url without padding.
pub(crate) struct Base64Url<'a>(pub(crate) &'a [u8]);

impl Serialize for Base64Url<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// `https://{host}/keys/{name}/{version}`
pub(crate) fn kid(context: &Context<'_>, name: &Name, version: Version) -> String {
    format!("https://{}/keys/{name}/{version}", context.authority)
}

/// A value alone: a backup, random bytes.
pub fn value<T: AsRef<[u8]>>(value: T, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Value<'a> {
        value: Base64Url<'a>,
    }
    Body::json(&Value { value: Base64Url(value.as_ref()) })
}

/// No body: what a 204 has.
pub fn nothing((): (), _: &Context<'_>) -> Body {
    Body::empty()
}
