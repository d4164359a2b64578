//! Entry points for fuzzing: whatever the bytes, no panic.

use crate::parts::Parts;
use crate::path::{Pattern, Segments};
use crate::query::Query;
use bytes::Bytes;
use hyper::{HeaderMap, Method, Request, Uri};

/// A path against every kind of pattern.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(path) = Segments::parse(text) else { return };
    for pattern in ["/keys/{name}/{version?}/sign", "/logs/{id}/tile/{path*}", "/keys", "/{a?}", "/{a*}"] {
        let pattern = Pattern::new(pattern);
        if pattern.matches(&path) {
            for name in pattern.parameters() {
                let _ = pattern.parameter(&path, name);
            }
            let _ = pattern.rest(&path);
        }
    }
}

/// A query or form.
pub fn query(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Query::new(text).get("$skiptoken");
    }
}

/// A request taken apart as the table would, for the parsers of other crates. `None` if hyper would not have let
/// `target` in.
pub fn with_parts<T>(
    target: &str,
    pattern: &'static str,
    headers: HeaderMap,
    body: &[u8],
    then: impl FnOnce(&Parts<'_>) -> T,
) -> Option<T> {
    let mut request = Request::new(Bytes::copy_from_slice(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    *request.headers_mut() = headers;
    let target = request.uri().path().to_owned();
    let (path, pattern) = (Segments::parse(&target)?, Pattern::new(pattern));
    Some(then(&Parts::new(&request, &path, Some(&pattern))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_path_or_query_panics() {
        let seeds: [&[u8]; 3] = [b"/keys/a//sign", b"%24skiptoken=%&a=+", b"/logs/1/tile/0/%zz/%"];
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..6000_usize {
            let mut data = seeds[round % seeds.len()].to_vec();
            for _ in 0..round % 7 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let at = usize::try_from(x % data.len() as u64).unwrap();
                data[at] = x.to_le_bytes()[5];
            }
            super::path(&data);
            super::query(&data);
        }
    }
}
