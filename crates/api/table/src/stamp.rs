//! The headers every answer has.

use crate::ids::{Ids, uuid};
use crate::reply::{Reply, Response};
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const SERVICE_VERSION: HeaderName = HeaderName::from_static("x-ms-keyvault-service-version");
const RECEIPT: HeaderName = HeaderName::from_static("x-keystead-receipt");

/// Longest client request id that is sent back.
const MAX_CLIENT_REQUEST_ID: usize = 128;

/// Finishes replies.
pub struct Stamp {
    ids: Ids,
}

impl Stamp {
    /// `seed`: 16 random bytes, new for each start of the process.
    pub const fn new(seed: [u8; 16]) -> Self {
        Self { ids: Ids::new(seed) }
    }

    /// The reply as it goes to the wire.
    pub fn finish(&self, request: &HeaderMap, reply: Reply, receipt: Option<&str>) -> Response {
        let mut response = Response::new(Full::new(reply.body.bytes));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        headers.reserve(8);
        if let Some(kind) = reply.body.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(SERVICE_VERSION, HeaderValue::from_static(concat!(env!("CARGO_PKG_VERSION"), ".0")));
        put(headers, REQUEST_ID, &uuid(self.ids.next()));
        if let Some(id) = request.get(CLIENT_REQUEST_ID).filter(|v| echoed(v)) {
            headers.insert(CLIENT_REQUEST_ID, id.clone());
        }
        if let Some(receipt) = receipt {
            put(headers, RECEIPT, receipt);
        }
        headers.extend(reply.headers);
        response
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn echoed(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=MAX_CLIENT_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Body;
    use hyper::StatusCode;

    #[test]
    fn every_answer_has_the_common_headers() {
        let mut request = HeaderMap::new();
        request.insert(CLIENT_REQUEST_ID, HeaderValue::from_static("abc-1"));
        let reply = Reply::new(StatusCode::NO_CONTENT, Body::empty());
        let response = Stamp::new([7; 16]).finish(&request, reply, Some("1.a.2.b"));
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap());
        assert_eq!(header("x-ms-client-request-id"), Some("abc-1"));
        assert_eq!(header("x-keystead-receipt"), Some("1.a.2.b"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("content-type"), None);
        assert!(header("x-ms-request-id").is_some() && header("x-ms-keyvault-service-version").is_some());
    }

    #[test]
    fn a_long_or_odd_client_request_id_is_not_sent_back() {
        for odd in ["a b".to_owned(), "x".repeat(129), String::new()] {
            assert!(!echoed(&HeaderValue::from_str(&odd).unwrap()), "{odd}");
        }
        assert!(!echoed(&HeaderValue::from_bytes(b"\xc3\xa9").unwrap()));
    }
}
