//! The yardstick: the product's own listener and TLS around handlers that do the cipher and nothing else. No parsing,
//! no identity, no policy, no record; the allocator is the system's.

use crate::Failure;
use crate::cipher::{Ciphers, Output};
use crate::op::Op;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use keystead_server::{Fault, Handler, Limits, Response, Server, tls_config};
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long)]
    chain: PathBuf,
    /// Its private key, PEM
    #[arg(long)]
    key: PathBuf,
}

/// Where each operation is served.
pub(crate) fn path(op: Op) -> String {
    format!("/{}", op.name())
}

/// What is sent to it: of the size of what the product is sent.
pub(crate) fn body(op: Op) -> String {
    let of = |algorithm: &str, bytes: usize| {
        let value = "Wlpa".repeat(bytes.div_ceil(3));
        format!(r#"{{"alg":"{algorithm}","value":"{value}"}}"#)
    };
    match op {
        Op::Get => String::new(),
        Op::Create => r#"{"crv":"P-256","kty":"EC"}"#.to_owned(),
        Op::Encrypt | Op::EncryptCbc => of("A256GCM", 1024),
        Op::Unwrap | Op::Decrypt | Op::DecryptOld => of("RSA-OAEP-256", 256),
        Op::VerifyP256 => of("ES256", 32 + 64),
        Op::VerifyRsa => of("RS256", 32 + 256),
        _ => of("ES256", op.digest().len()),
    }
}

/// Serves until it is killed.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // The blocking threads are the cipher pool, as many as the product has.
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(cores).enable_all().build()?;
    runtime.block_on(async {
        let tls = tls_config(&std::fs::read(&args.chain)?, &std::fs::read(&args.key)?)?;
        let fault = Arc::new(|fault: Fault| failed(fault.status()));
        let mut server = Server::new(Limits::default(), handler(Arc::new(Ciphers::new()?)), fault);
        server.listen_tls(args.listen, tls).await?;
        server.run(pending()).await;
        Ok(())
    })
}

fn handler(ciphers: Arc<Ciphers>) -> Handler {
    Arc::new(move |request, _peer, _moment| {
        let ciphers = Arc::clone(&ciphers);
        Box::pin(async move { answer(ciphers, request.uri().path()).await })
    })
}

async fn answer(ciphers: Arc<Ciphers>, asked: &str) -> Response {
    match Op::ALL.iter().copied().find(|op| asked.strip_prefix('/') == Some(op.name())) {
        None => failed(StatusCode::NOT_FOUND),
        Some(Op::Get) => json(Ok(Some(ciphers.point()))),
        Some(op) if op.is_pooled() => pooled(ciphers, op).await,
        Some(op) => json(ciphers.run(op)),
    }
}

async fn pooled(ciphers: Arc<Ciphers>, op: Op) -> Response {
    match tokio::task::spawn_blocking(move || ciphers.run(op)).await {
        Ok(output) => json(output),
        Err(_) => failed(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

const KID: &str = "https://localhost:8443/keys/load-test-key/0123456789abcdef0123456789abcdef";

/// Of the same shape and size as the product's answers.
fn json(output: Result<Option<Output>, Failure>) -> Response {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let body = match output {
        Ok(Some(Output::Sealed(iv, value, tag))) => {
            let (value, iv, tag) = (text(&value), text(&iv), text(&tag));
            format!(r#"{{"kid":"{KID}","value":"{value}","iv":"{iv}","tag":"{tag}"}}"#)
        }
        Ok(Some(Output::Bytes(value))) => format!(r#"{{"kid":"{KID}","value":"{}"}}"#, text(&value)),
        Ok(Some(Output::Point(x, y))) => format!(
            r#"{{"key":{{"kid":"{KID}","kty":"EC","key_ops":["sign","verify"],"crv":"P-256","x":"{}","y":"{}"}},"attributes":{{"enabled":true,"created":1700000000,"updated":1700000000,"recoveryLevel":"CustomizedRecoverable+Purgeable","recoverableDays":7}}}}"#,
            text(&x),
            text(&y)
        ),
        Ok(Some(Output::Verdict(right))) => format!(r#"{{"value":{right}}}"#),
        Ok(None) | Err(_) => return failed(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = Response::new(body.into_bytes().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

fn failed(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
