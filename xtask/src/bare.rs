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
pub(crate) const fn path(op: Op) -> &'static str {
    match op {
        Op::Encrypt => "/encrypt",
        Op::SignP256 => "/sign-p256",
        Op::SignRsa => "/sign-rsa",
        Op::Unwrap => "/unwrap",
        Op::Get => "/get",
        Op::Create => "/create",
    }
}

/// Serves until it is killed.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // The blocking threads are the pool for RSA, as many as the product has.
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
    match asked {
        "/encrypt" => json(ciphers.run(Op::Encrypt)),
        "/sign-p256" => json(ciphers.run(Op::SignP256)),
        "/create" => json(ciphers.run(Op::Create)),
        "/sign-rsa" => pooled(ciphers, Op::SignRsa).await,
        "/unwrap" => pooled(ciphers, Op::Unwrap).await,
        "/get" => {
            let (x, y) = ciphers.point();
            json(Ok(Some(Output::Point(x, y))))
        }
        _ => failed(StatusCode::NOT_FOUND),
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
