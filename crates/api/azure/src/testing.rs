//! Requests taken apart, for unit tests.

use hyper::HeaderMap;
use keystead_api_table::{Context, Parts, fuzz};
use keystead_model::VaultKind;

/// Hands `then` the parts of a request to this target.
pub(crate) fn parts<T>(target: &str, pattern: &'static str, body: &str, then: impl FnOnce(&Parts<'_>) -> T) -> T {
    fuzz::with_parts(target, pattern, HeaderMap::new(), body.as_bytes(), then).unwrap()
}

/// The same with the context of vault `dev` at `dev.localhost:8443`, tenant `adfs`.
pub(crate) fn context<T>(target: &str, pattern: &'static str, body: &str, then: impl FnOnce(&Context<'_>) -> T) -> T {
    context_with(target, pattern, HeaderMap::new(), body, then)
}

/// The same with headers.
pub(crate) fn context_with<T>(
    target: &str,
    pattern: &'static str,
    headers: HeaderMap,
    body: &str,
    then: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let authority = "dev.localhost:8443".parse().unwrap();
    let with = |parts: &Parts<'_>| {
        then(&Context { parts: *parts, authority: &authority, tenant: "adfs", vault: "dev", kind: VaultKind::Vault })
    };
    fuzz::with_parts(target, pattern, headers, body.as_bytes(), with).unwrap()
}
