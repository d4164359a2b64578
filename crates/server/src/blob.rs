//! The way out to an object store: Azure's Blob REST with a SAS token in the URL. A blob is put as blocks, which are no
//! blob before they are committed; a block that is put again replaces itself. Only hosts that the configuration names.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use tokio::time::timeout;

use crate::fetch::{AGENT, FetchError, Fetcher, Outgoing};

/// A version of the service that every store of this kind speaks.
const VERSION: &str = "2020-10-02";
/// How long a block may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Blocks of a blob, by the service's own bound.
const MAX_BLOCKS: u32 = 50_000;
/// Bytes of an answer that is only a word.
const MAX_WORD: usize = 64 << 10;

/// Why an object store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The configuration does not let the node go there.
    #[error("this node's configuration does not let backups reach {0}")]
    NotAllowed(String),
    /// The token does not permit it, or is none of this store's.
    #[error("the object store refused with status {0}")]
    Denied(u16),
    /// No such container or blob.
    #[error("the object store has no such container or blob")]
    NotFound,
    /// No room for more.
    #[error("the object store has no room for more")]
    Full,
    /// It cannot be reached, or its answer is none.
    #[error("{0}")]
    Failed(String),
}

impl From<FetchError> for BlobError {
    fn from(e: FetchError) -> Self {
        match e {
            FetchError::NotAllowed(host) => Self::NotAllowed(host),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Puts and reads blobs.
pub struct Blobs {
    fetcher: Fetcher,
}

impl Blobs {
    /// Within these bounds.
    pub fn new(outgoing: Outgoing) -> Result<Self, FetchError> {
        Ok(Self { fetcher: Fetcher::new(outgoing)? })
    }

    /// Keeps a block of the blob, for the time being.
    pub async fn put_block(&self, url: &str, block: u32, bytes: Vec<u8>) -> Result<(), BlobError> {
        if block >= MAX_BLOCKS {
            return Err(BlobError::Full);
        }
        let query = format!("comp=block&blockid={}", id(block));
        let put = Put { query: &query, headers: &[], body: bytes.into() };
        self.send(Method::PUT, url, put, &[StatusCode::CREATED], MAX_WORD).await.map(drop)
    }

    /// Makes the blob of its blocks.
    pub async fn commit(&self, url: &str, blocks: u32) -> Result<(), BlobError> {
        let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
        for block in 0..blocks.min(MAX_BLOCKS) {
            let _ = write!(list, "<Latest>{}</Latest>", id(block));
        }
        list.push_str("</BlockList>");
        let headers =
            [(CONTENT_TYPE.as_str(), "application/xml"), ("x-ms-blob-content-type", "application/octet-stream")];
        let put = Put { query: "comp=blocklist", headers: &headers, body: list.into() };
        self.send(Method::PUT, url, put, &[StatusCode::CREATED], MAX_WORD).await.map(drop)
    }

    /// So many bytes of the blob from there, fewer only at its end.
    pub async fn read(&self, url: &str, from: u64, most: usize) -> Result<Vec<u8>, BlobError> {
        let last = from.saturating_add(u64::try_from(most).unwrap_or(u64::MAX)).saturating_sub(1);
        let range = format!("bytes={from}-{last}");
        let get = Put { query: "", headers: &[("x-ms-range", &range)], body: Bytes::new() };
        let good = [StatusCode::PARTIAL_CONTENT, StatusCode::OK, StatusCode::RANGE_NOT_SATISFIABLE];
        let (status, bytes) = self.send(Method::GET, url, get, &good, most.max(MAX_WORD)).await?;
        match status {
            StatusCode::PARTIAL_CONTENT => Ok(bytes),
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(Vec::new()),
            _ if from == 0 && bytes.len() <= most => Ok(bytes),
            _ => Err(BlobError::Failed("the object store does not read parts of a blob".to_owned())),
        }
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        put: Put<'_>,
        good: &[StatusCode],
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), BlobError> {
        let shown = url.split('?').next().unwrap_or_default();
        let (uri, host, to) = self.fetcher.allowed(url, shown)?;
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let and = match (put.query.is_empty(), path.contains('?')) {
            (true, _) => "",
            (false, true) => "&",
            (false, false) => "?",
        };
        let authority = uri.authority().map_or(host.as_str(), |a| a.as_str());
        let mut request = Request::builder().method(method).uri(format!("{path}{and}{}", put.query));
        request = request.header(HOST, authority).header(USER_AGENT, AGENT).header("x-ms-version", VERSION);
        request = request.header(CONTENT_LENGTH, put.body.len());
        for (name, value) in put.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(put.body));
        let request = request.map_err(|_| BlobError::Failed(format!("{shown} is no URL of a blob")))?;
        let work = async {
            let broken = |source| BlobError::from(FetchError::Broken { to: to.clone(), source });
            let (mut sender, driven) = self.fetcher.open(&host, &to).await?;
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), most).collect().await;
            drop(driven);
            let body = body.map_err(|_| BlobError::Failed(format!("the answer of {to} is cut off, or too long")))?;
            if good.contains(&status) { Ok((status, body.to_bytes().to_vec())) } else { Err(refused(&to, status)) }
        };
        let late = || BlobError::Failed(format!("{to} did not answer within 30 s"));
        timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
    }
}

/// What a request has beside the blob's URL.
struct Put<'a> {
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Bytes,
}

/// Eight digits are the base64 of some six bytes, and need no escape: all ids of a blob have one length.
fn id(block: u32) -> String {
    format!("{block:08}")
}

fn refused(to: &str, status: StatusCode) -> BlobError {
    match status.as_u16() {
        404 => BlobError::NotFound,
        413 | 507 => BlobError::Full,
        408 | 429 | 500..=599 => BlobError::Failed(format!("{to} answered {status}")),
        code => BlobError::Denied(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_put_in_the_clear_or_elsewhere_and_no_error_shows_the_token() {
        let blobs = Blobs::new(Outgoing { hosts: vec!["a.example".to_owned()], ..Outgoing::default() }).unwrap();
        for url in ["http://a.example/c/f?sig=secret", "https://b.example/c/f?sig=secret", "x?sig=secret"] {
            let refused = blobs.put_block(url, 0, vec![1]).await.unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
