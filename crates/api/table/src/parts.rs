//! What parsers and formatters see of a request.

use crate::path::{Pattern, Segments};
use crate::query::Query;
use bytes::Bytes;
use hyper::{HeaderMap, Method, Request};
use keystead_model::{Authority, VaultKind};
use std::borrow::Cow;

/// A request, taken apart. Its body is whole and was bounded by the embedder.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    request: &'a Request<Bytes>,
    path: &'a Segments<'a>,
    pattern: Option<&'a Pattern>,
}

impl<'a> Parts<'a> {
    /// Of a request whose path was split into `path`; `pattern` is that of its route, when there is one.
    pub const fn new(request: &'a Request<Bytes>, path: &'a Segments<'a>, pattern: Option<&'a Pattern>) -> Self {
        Self { request, path, pattern }
    }

    /// Method.
    pub fn method(&self) -> &'a Method {
        self.request.method()
    }

    /// The path's segments.
    pub const fn path(&self) -> &'a Segments<'a> {
        self.path
    }

    /// A parameter of the route's pattern.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.pattern.and_then(|p| p.parameter(self.path, name))
    }

    /// What stands for the pattern's trailing `{path*}`.
    pub fn rest(&self) -> String {
        self.pattern.map(|p| p.rest(self.path)).unwrap_or_default()
    }

    /// A value of the query. An empty one is an absent one.
    pub fn query(&self, name: &str) -> Option<Cow<'a, str>> {
        Query::new(self.request.uri().query().unwrap_or_default()).get(name)
    }

    /// The headers.
    pub fn headers(&self) -> &'a HeaderMap {
        self.request.headers()
    }

    /// A header's text, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.request.headers().get(name).and_then(|v| v.to_str().ok())
    }

    /// The body.
    pub fn body(&self) -> &'a Bytes {
        self.request.body()
    }
}

/// What a formatter may put into an answer beside the command's output.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The request.
    pub parts: Parts<'a>,
    /// Host and port the client used: ids and links are built from it.
    pub authority: &'a Authority,
    /// The tenant of the challenge.
    pub tenant: &'a str,
    /// The vault's name.
    pub vault: &'a str,
    /// What the vault holds.
    pub kind: VaultKind,
}

impl Context<'_> {
    /// `https://{host}[:{port}]`, without a trailing slash.
    pub fn base(&self) -> String {
        format!("https://{}", self.authority)
    }
}
